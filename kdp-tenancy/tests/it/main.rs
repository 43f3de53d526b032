//! What the control plane promises, through its clients.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attacks;
mod claims;
mod conformance;
mod crud;
mod disguises;
mod exports;
mod invalid;
mod kubectl;
mod support;
mod workspaces;
