//! What the agent promises, between an embedded control plane and an embedded service cluster.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admission;
mod attacks;
mod builtin;
mod chaos;
mod contract;
mod failures;
mod fairness;
mod kcp;
mod orders;
mod plain_cluster;
mod policies;
mod preview;
mod publishing;
mod related;
mod replicas;
mod support;
mod topology;
