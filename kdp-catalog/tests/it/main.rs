//! The catalog on the embedded control plane, as providers and tenants use it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agent;
mod binding;
mod blueprint;
mod blueprints;
mod controller;
mod expiry;
mod fleet;
mod insight;
mod live;
mod portal;
mod provision;
mod score;
mod shop;
mod support;
mod things;
mod visibility;
mod workspaces;
