//! `tenancy.kcp.io`: workspaces.

use std::fmt;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::authentication::JwtAuthenticator;
use crate::condition::Condition;

/// Finalizer that keeps a Workspace until its logical cluster is gone.
pub const LOGICAL_CLUSTER_FINALIZER: &str = "core.kcp.io/logicalcluster";
/// Label that carries the phase of a Workspace and of its LogicalCluster.
pub const PHASE_LABEL: &str = "tenancy.kcp.io/phase";

/// What a workspace is to be.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "tenancy.kcp.io",
    version = "v1alpha1",
    kind = "Workspace",
    status = "WorkspaceStatus",
    shortname = "ws",
    category = "kcp",
    printcolumn = r#"{"name":"Type","type":"string","jsonPath":".spec.type.name"}"#,
    printcolumn = r#"{"name":"Region","type":"string","jsonPath":".metadata.labels['region']"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"URL","type":"string","jsonPath":".spec.URL"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    validation = "!has(oldSelf.spec.cluster) || (has(self.spec.cluster) && self.spec.cluster == oldSelf.spec.cluster)"
)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkspaceSpec {
    /// Type of the workspace; immutable.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self == oldSelf", "message": "type is immutable"}]))]
    pub type_: Option<WorkspaceTypeReference>,
    /// Name of the logical cluster behind the workspace; set by the server, immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Base URL of the workspace by its path; set by the server.
    #[serde(rename = "URL", skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Names a workspace type by the workspace that defines it and its name there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkspaceTypeReference {
    /// Name of the type.
    #[schemars(regex(pattern = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub name: String,
    /// Path of the workspace that defines it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// What is known of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkspaceStatus {
    /// Where it is in its life.
    pub phase: WorkspacePhase,
    /// What was observed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Initializers still to finish.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub initializers: Vec<String>,
    /// Terminators still to finish.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub terminators: Vec<String>,
}

/// Where a workspace, and its logical cluster, is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WorkspacePhase {
    /// Waiting for a place.
    #[default]
    Scheduling,
    /// Waiting for its initializers.
    Initializing,
    /// Usable.
    Ready,
    /// Its logical cluster cannot be reached.
    Unavailable,
    /// Switched off.
    Inactive,
    /// Waiting for its terminators.
    Terminating,
    /// Its content is being deleted.
    Deleting,
}

impl WorkspacePhase {
    /// The phase as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduling => "Scheduling",
            Self::Initializing => "Initializing",
            Self::Ready => "Ready",
            Self::Unavailable => "Unavailable",
            Self::Inactive => "Inactive",
            Self::Terminating => "Terminating",
            Self::Deleting => "Deleting",
        }
    }
}

impl fmt::Display for WorkspacePhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose tokens are accepted in the workspaces of the types that name this configuration.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "tenancy.kcp.io", version = "v1alpha1", kind = "WorkspaceAuthenticationConfiguration", category = "kcp")]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceAuthenticationConfigurationSpec {
    /// Issuers of tokens; each URL at most once.
    pub jwt: Vec<JwtAuthenticator>,
}
