//! Runners on the embedded control plane, with a provider that can be told to misbehave.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attacks;
mod crashes;
#[cfg(feature = "crossplane")]
mod crossplane;
mod cut;
mod life;
#[cfg(feature = "operator")]
mod operator;
#[cfg(feature = "plugin")]
mod plugin;
mod policies;
mod shelf;
mod site;
mod standby;
#[cfg(feature = "terraform")]
mod terraform;
mod workspaces;
