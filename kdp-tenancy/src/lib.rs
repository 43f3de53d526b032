//! An embeddable Kubernetes API server whose tenants are kcp logical clusters.

pub mod embedded;
pub mod store;
