//! What the agent promises, between an embedded control plane and an embedded service cluster.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacks;
mod contract;
mod kcp;
mod orders;
mod publishing;
mod related;
mod replicas;
mod support;
mod topology;
