//! `core.kcp.io`: the logical cluster behind a workspace.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tenancy::WorkspacePhase;
use crate::{Identity, condition::Condition};

/// Name of the one LogicalCluster object in every logical cluster.
pub const LOGICAL_CLUSTER_NAME: &str = "cluster";

/// What a logical cluster is for and who owns it.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "core.kcp.io",
    version = "v1alpha1",
    kind = "LogicalCluster",
    status = "LogicalClusterStatus",
    category = "kcp",
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"URL","type":"string","jsonPath":".status.URL"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase", default)]
pub struct LogicalClusterSpec {
    /// Whether a user may delete the logical cluster itself, without its owner.
    pub directly_deletable: bool,
    /// The object that this logical cluster belongs to, normally a Workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<LogicalClusterOwner>,
    /// Who created the logical cluster; set by the server, immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<Identity>,
    /// Initializers that must finish before the cluster is ready; immutable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub initializers: Vec<String>,
    /// Terminators that must finish before the content is deleted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub terminators: Vec<String>,
}

/// A reference to the owner of a logical cluster in another one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogicalClusterOwner {
    /// Group and version of the owner.
    pub api_version: String,
    /// Plural resource name of the owner.
    pub resource: String,
    /// Name of the owner.
    pub name: String,
    /// Namespace of the owner, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Logical cluster the owner lives in.
    pub cluster: String,
    /// UID of the owner.
    pub uid: String,
}

/// What is known of a logical cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LogicalClusterStatus {
    /// Base URL of the logical cluster by its name.
    #[serde(rename = "URL", skip_serializing_if = "String::is_empty")]
    pub url: String,
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
