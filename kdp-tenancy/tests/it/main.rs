//! What the control plane promises, through its clients.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod archive;
mod attacks;
mod audit;
mod authn;
mod authz;
mod claims;
mod conformance;
mod crud;
mod disguises;
mod exports;
mod invalid;
mod kubectl;
mod plugins;
mod quota;
mod reserved;
mod sharing;
mod support;
mod tree;
mod workspaces;
