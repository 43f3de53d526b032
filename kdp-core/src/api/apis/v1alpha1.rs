//! The first version of exports and bindings, still served beside `v1alpha2`.
//!
//! It names schemas by name only, and its claims know neither verbs nor label selectors.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{APIExportStatus, BindingReference, BoundResource, Identity, MaximalPermissionPolicy};
use crate::condition::Condition;

/// What an export offers.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "apis.kcp.io", version = "v1alpha1", kind = "APIExport", status = "APIExportStatus", category = "kcp")]
#[serde(rename_all = "camelCase", default)]
pub struct APIExportSpec {
    /// Names of the APIResourceSchemas offered, each `<prefix>.<plural>.<group, or core>`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub latest_resource_schemas: Vec<String>,
    /// Where the identity key lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The most that users of a consumer may do with the resources offered; no bound when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximal_permission_policy: Option<MaximalPermissionPolicy>,
    /// Rights the export asks for on other resources of a consumer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["group", "resource"]))]
    pub permission_claims: Vec<PermissionClaim>,
}

/// Every right on another resource of a consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PermissionClaim {
    /// API group; empty for core.
    #[serde(default)]
    #[schemars(extend("default" = ""))]
    pub group: String,
    /// Plural resource name.
    pub resource: String,
    /// Every object. kcp never looked at it: a claim of this version is on every object.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Single objects; never looked at either.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_selector: Vec<ResourceSelector>,
    /// Identity of the export that provides the resource; empty for builtin kinds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub identity_hash: String,
}

/// One object, or those of one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ResourceSelector {
    /// Name of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

/// Which export a workspace binds.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "apis.kcp.io",
    version = "v1alpha1",
    kind = "APIBinding",
    status = "APIBindingStatus",
    category = "kcp",
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct APIBindingSpec {
    /// The export; immutable.
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self == oldSelf", "message": "reference is immutable"}]))]
    pub reference: BindingReference,
    /// What the consumer says of the rights the export asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["group", "resource", "identityHash"]))]
    pub permission_claims: Vec<AcceptablePermissionClaim>,
}

/// A permission claim and the consumer's word on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptablePermissionClaim {
    /// API group; empty for core.
    #[serde(default)]
    #[schemars(extend("default" = ""))]
    pub group: String,
    /// Plural resource name.
    pub resource: String,
    /// Every object; see [`PermissionClaim::all`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Single objects; see [`PermissionClaim::resource_selector`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_selector: Vec<ResourceSelector>,
    /// Identity of the export that provides the resource; empty for builtin kinds.
    #[serde(default)]
    #[schemars(extend("default" = ""))]
    pub identity_hash: String,
    /// `Accepted` or `Rejected`.
    #[schemars(regex(pattern = "^(Accepted|Rejected)$"))]
    pub state: String,
}

/// What is known of a binding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct APIBindingStatus {
    /// Logical cluster of the export.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_export_cluster_name: String,
    /// Resources bound.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bound_resources: Vec<BoundResource>,
    /// Empty, `Binding` or `Bound`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub phase: String,
    /// What was observed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Claims the export makes now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub export_permission_claims: Vec<PermissionClaim>,
    /// Claims in force.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub applied_permission_claims: Vec<PermissionClaim>,
}
