//! `tenancy.kcp.io`: workspaces and their types.

mod workspace_type;

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::workspace_type::{
    APIExportReference, AuthenticationConfigurationReference, BindingLifecycle, VirtualWorkspace, VirtualWorkspaceType,
    WorkspaceType, WorkspaceTypeExtension, WorkspaceTypeSelector, WorkspaceTypeSpec, WorkspaceTypeStatus,
};
use super::authentication::JwtAuthenticator;
use crate::condition::Condition;

/// Finalizer that keeps a Workspace until its logical cluster is gone.
pub const LOGICAL_CLUSTER_FINALIZER: &str = "core.kcp.io/logicalcluster";
/// Label that carries the phase of a Workspace and of its LogicalCluster.
pub const PHASE_LABEL: &str = "tenancy.kcp.io/phase";
/// Annotation on a LogicalCluster with the type of its workspace, as `<path>:<name>`.
pub const TYPE_ANNOTATION: &str = "internal.tenancy.kcp.io/type";
/// Annotation on a Workspace with who created it, as the JSON of an [`Identity`](crate::Identity).
pub const OWNER_ANNOTATION: &str = "experimental.tenancy.kcp.io/owner";
/// Annotation on Workspaces and LogicalClusters with the groups that a user needs to be let in: alternatives
/// separated by `;`, each a list separated by `,` of which every group is needed.
pub const REQUIRED_GROUPS_ANNOTATION: &str = "authorization.kcp.io/required-groups";
/// Annotation on the APIBindings that a workspace has from its type: what becomes of them later.
pub const BINDING_LIFECYCLE_ANNOTATION: &str = "experimental.tenancy.kcp.io/default-api-binding-lifecycle";
/// The initializer that the control plane itself carries out: it makes the default APIBindings.
pub const BINDINGS_INITIALIZER: &str = "system:apibindings";

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
    /// Where the workspace may be placed; there is one place here, so every selector is met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<WorkspaceLocation>,
    /// What is mounted here instead of a workspace of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount: Option<Mount>,
    /// Name of the logical cluster behind the workspace; set by the server, immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Base URL of the workspace by its path; set by the server.
    #[serde(rename = "URL", skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Where a workspace may be placed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WorkspaceLocation {
    /// Labels of the shards to choose from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// What is mounted in the place of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mount {
    /// The object that knows the URL.
    #[serde(rename = "ref")]
    pub reference: MountReference,
}

/// The object that knows the URL of a mount.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MountReference {
    /// Group and version of the object.
    pub api_version: String,
    /// Kind of the object.
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// Namespace of the object, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Names a workspace type by the workspace that defines it and its name there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[kube(
    group = "tenancy.kcp.io",
    version = "v1alpha1",
    kind = "WorkspaceAuthenticationConfiguration",
    category = "kcp"
)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceAuthenticationConfigurationSpec {
    /// Issuers of tokens; each URL at most once.
    pub jwt: Vec<JwtAuthenticator>,
}
