//! `tenancy.kdp.k8c.io`: what workspaces may use.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// API group of the kinds that KDP adds to kcp's tenancy.
pub const GROUP: &str = "tenancy.kdp.k8c.io";
/// Name of the [`WorkspaceLimits`] for every child workspace that has none of its own name.
pub const DEFAULT_LIMITS_NAME: &str = "default";
/// kcp's annotation on a LogicalCluster that limits its number of objects; only the system sets it.
pub const MAX_TOTAL_OBJECTS_ANNOTATION: &str = "core.kcp.io/max-total-objects";

/// What a child workspace may use.
///
/// The object lives in the parent workspace, where the child cannot change it, and has the name of
/// the child, or [`DEFAULT_LIMITS_NAME`] for all children without one. Every limit covers the child
/// and all workspaces below it together, so that none of them can have more than its parent. A
/// limit that is not set does not limit.
#[derive(CustomResource, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "tenancy.kdp.k8c.io",
    version = "v1alpha1",
    kind = "WorkspaceLimits",
    plural = "workspacelimits",
    status = "WorkspaceLimitsStatus",
    shortname = "wslimits",
    category = "kdp",
    printcolumn = r#"{"name":"Objects","type":"integer","jsonPath":".spec.objects"}"#,
    printcolumn = r#"{"name":"Used","type":"integer","jsonPath":".status.objects"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkspaceLimitsSpec {
    /// How many objects of any kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<u64>,
    /// How many bytes these objects take together, as stored JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// How many watches may be open at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watches: Option<u32>,
    /// How many requests a second in the long run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub requests_per_second: Option<u32>,
    /// How many requests may come at once after a pause; as many as in a second when not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub burst: Option<u32>,
    /// How many requests are worked on at once; more wait their turn. Watches count only while
    /// they are being opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub concurrency: Option<u32>,
}

/// What the child workspace and those below it use; worked out when the object is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkspaceLimitsStatus {
    /// How many objects there are.
    pub objects: u64,
    /// How many bytes they take.
    pub bytes: u64,
}
