//! Where an APIExport is, and which bindings mean it.

use kdp_core::{
    LogicalClusterName, WorkspacePath,
    api::{CLUSTER_ANNOTATION, apis::APIBinding},
};
use kube::ResourceExt;
use serde::Serialize;

/// An APIExport in a provider's workspace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct ExportLocation {
    /// Path of the provider's workspace.
    pub workspace: WorkspacePath,
    /// Logical cluster behind that workspace.
    pub cluster: LogicalClusterName,
    /// Name of the APIExport.
    pub name: String,
}

impl ExportLocation {
    /// The APIExport `name` in `workspace`, whose logical cluster is `cluster`.
    pub fn new(workspace: WorkspacePath, cluster: LogicalClusterName, name: impl Into<String>) -> Self {
        Self { workspace, cluster, name: name.into() }
    }

    /// Whether `binding`, as its workspace returns it, binds this export.
    ///
    /// A binding may name the workspace by path, by logical cluster, or not at all when it is its own.
    #[must_use]
    pub fn is_bound_by(&self, binding: &APIBinding) -> bool {
        let reference = &binding.spec.reference.export;
        if reference.name != self.name {
            return false;
        }
        let resolved = binding.status.as_ref().map_or("", |status| status.api_export_cluster_name.as_str());
        let own_cluster = || binding.annotations().get(CLUSTER_ANNOTATION).map_or("", String::as_str);
        match (resolved, reference.path.as_str()) {
            ("", "") => own_cluster() == self.cluster.as_str(),
            ("", path) => path == self.workspace.as_str() || path == self.cluster.as_str(),
            (resolved, _) => resolved == self.cluster.as_str(),
        }
    }
}

#[cfg(test)]
mod tests;
