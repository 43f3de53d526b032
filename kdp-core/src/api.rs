//! Objects on kcp's wire: workspaces, logical clusters, exports and bindings.

pub mod apis;
pub mod authentication;
pub mod core;
mod install;
pub mod tenancy;

pub use install::install_crd;
use schemars::{Schema, SchemaGenerator, json_schema};

/// The annotation every returned object carries: the name of its logical cluster.
pub const CLUSTER_ANNOTATION: &str = "kcp.io/cluster";
/// The canonical workspace path, on LogicalClusters and on objects that are referred to by path.
pub const PATH_ANNOTATION: &str = "kcp.io/path";

fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}
