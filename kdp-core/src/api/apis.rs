//! `apis.kcp.io`: schemas that can be exported, exports, and their bindings.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub mod v1alpha1;

use super::any_object;
use crate::condition::Condition;

/// Finalizer that keeps an APIBinding until every object of its resources is gone.
pub const BINDING_FINALIZER: &str = "apis.kcp.io/apibinding-finalizer";

/// An immutable schema of one resource, ready to be exported.
///
/// Its name is `<prefix>.<plural>.<group, or core>`.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "apis.kcp.io",
    version = "v1alpha1",
    kind = "APIResourceSchema",
    plural = "apiresourceschemas",
    category = "kcp",
    validation = "self.spec == oldSelf.spec"
)]
#[serde(rename_all = "camelCase", default)]
pub struct APIResourceSchemaSpec {
    /// API group; empty for core.
    pub group: String,
    /// Names of the resource.
    pub names: ResourceNames,
    /// `Cluster` or `Namespaced`.
    pub scope: String,
    /// Versions; exactly one is the storage version.
    pub versions: Vec<APIResourceVersion>,
    /// How objects are converted between versions; required once there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversion: Option<ResourceConversion>,
}

/// Names of a resource, as in a CustomResourceDefinition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceNames {
    /// Plural lower-case name.
    pub plural: String,
    /// Singular lower-case name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub singular: String,
    /// Kind.
    pub kind: String,
    /// Kind of a list.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub list_kind: String,
    /// Short names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub short_names: Vec<String>,
    /// Categories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
}

/// One version of an exported resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct APIResourceVersion {
    /// Version name.
    #[schemars(regex(pattern = r"^v[1-9][0-9]*([a-z]+[1-9][0-9]*)?$"))]
    pub name: String,
    /// Whether the version is served.
    #[serde(default = "yes")]
    pub served: bool,
    /// Whether objects are stored in this version.
    pub storage: bool,
    /// Whether using the version warns.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deprecated: bool,
    /// The warning to send instead of the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecation_warning: Option<String>,
    /// OpenAPI v3 schema of the whole object, without a wrapper.
    #[schemars(schema_with = "any_object")]
    pub schema: Value,
    /// `status` and `scale`, as in a CustomResourceDefinition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub subresources: Option<Value>,
    /// Columns, as in a CustomResourceDefinition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "any_list")]
    pub additional_printer_columns: Vec<Value>,
    /// Fields usable in field selectors, as in a CustomResourceDefinition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "any_list")]
    pub selectable_fields: Vec<Value>,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

fn any_list(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let item = any_object(generator);
    schemars::json_schema!({"type": "array", "items": item})
}

/// How objects are converted between versions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceConversion {
    /// `None` or `Webhook`.
    pub strategy: String,
}

/// What an export offers.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "apis.kcp.io", version = "v1alpha2", kind = "APIExport", status = "APIExportStatus", category = "kcp")]
#[serde(rename_all = "camelCase", default)]
pub struct APIExportSpec {
    /// Resources offered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name", "group"]))]
    pub resources: Vec<ExportedResource>,
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

/// One resource an export offers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExportedResource {
    /// Plural name.
    pub name: String,
    /// API group.
    #[serde(default)]
    #[schemars(extend("default" = ""))]
    pub group: String,
    /// Name of the APIResourceSchema in the same workspace.
    pub schema: String,
    /// Where objects are stored.
    #[serde(default)]
    #[schemars(extend("default" = {"crd": {}}))]
    pub storage: ResourceStorage,
}

/// Where objects of an exported resource are stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceStorage {
    /// In the consumer's workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub crd: Option<Value>,
    /// Behind a virtual workspace of the provider. kcp knows it; KDP refuses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub r#virtual: Option<Value>,
}

/// Where the bound of what users of a consumer may do is written down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MaximalPermissionPolicy {
    /// In the RBAC objects of the export's workspace; the value is always an empty object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub local: Option<Value>,
}

/// Where the identity key of an export lives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Identity {
    /// The Secret with the field `key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretReference>,
}

/// A Secret by namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SecretReference {
    /// Namespace of the Secret.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Name of the Secret.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// A right on another resource of a consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PermissionClaim {
    /// API group; empty for core.
    #[serde(default)]
    #[schemars(extend("default" = ""))]
    pub group: String,
    /// Plural resource name.
    pub resource: String,
    /// Verbs; `*` for all.
    #[serde(default)]
    pub verbs: Vec<String>,
    /// Identity of the export that provides the resource; empty for builtin kinds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub identity_hash: String,
    /// The selector that the export suggests to its consumers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_selector: Option<ClaimSelector>,
}

/// What is known of an export.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct APIExportStatus {
    /// SHA-256 of the identity key in lower hex.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub identity_hash: String,
    /// What was observed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// Which export a workspace binds.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "apis.kcp.io",
    version = "v1alpha2",
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

/// What a binding refers to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BindingReference {
    /// The export.
    pub export: ExportReference,
}

/// An export by the path of its workspace and its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExportReference {
    /// Workspace of the export; the binding's own when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Name of the export.
    pub name: String,
}

/// A permission claim and the consumer's word on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptablePermissionClaim {
    /// API group; empty for core.
    #[serde(default)]
    #[schemars(extend("default" = ""))]
    pub group: String,
    /// Plural resource name.
    pub resource: String,
    /// Verbs; `*` for all.
    #[serde(default)]
    pub verbs: Vec<String>,
    /// Identity of the export that provides the resource; empty for builtin kinds.
    #[serde(default)]
    #[schemars(extend("default" = ""))]
    pub identity_hash: String,
    /// Which objects the claim covers; immutable.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self == oldSelf", "message": "Permission claim selector is immutable"}]))]
    pub selector: ClaimSelector,
    /// `Accepted` or `Rejected`.
    #[schemars(regex(pattern = "^(Accepted|Rejected)$"))]
    pub state: String,
}

/// A permission claim in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScopedPermissionClaim {
    /// API group; empty for core.
    #[serde(default)]
    #[schemars(extend("default" = ""))]
    pub group: String,
    /// Plural resource name.
    pub resource: String,
    /// The verbs that both sides name; `*` for all.
    #[serde(default)]
    pub verbs: Vec<String>,
    /// Identity of the export that provides the resource; empty for builtin kinds.
    #[serde(default)]
    #[schemars(extend("default" = ""))]
    pub identity_hash: String,
    /// Which objects the claim covers.
    #[serde(default)]
    pub selector: ClaimSelector,
}

/// Which objects a claim covers; either all, or those that fulfil every requirement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimSelector {
    /// Every object.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub match_all: bool,
    /// Objects with these labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Objects whose labels fulfil these requirements.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<SelectorRequirement>,
}

/// A requirement on one label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SelectorRequirement {
    /// The label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,
    /// What the label is compared with; empty for `Exists` and `DoesNotExist`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
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
    pub applied_permission_claims: Vec<ScopedPermissionClaim>,
}

/// One resource that a binding brings into its workspace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BoundResource {
    /// API group.
    pub group: String,
    /// Plural name.
    pub resource: String,
    /// Schema in force.
    pub schema: BoundSchema,
    /// Versions objects were ever stored in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub storage_versions: Vec<String>,
}

/// The schema of a bound resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BoundSchema {
    /// Name of the APIResourceSchema in the export's workspace.
    pub name: String,
    /// Its UID.
    #[serde(rename = "UID")]
    pub uid: String,
    /// Identity of the export.
    pub identity_hash: String,
}

/// Where controllers reach the objects of an export.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "apis.kcp.io",
    version = "v1alpha1",
    kind = "APIExportEndpointSlice",
    status = "APIExportEndpointSliceStatus",
    category = "kcp"
)]
#[serde(rename_all = "camelCase")]
pub struct APIExportEndpointSliceSpec {
    /// The export; immutable.
    #[schemars(extend("x-kubernetes-validations" = [{"rule": "self == oldSelf", "message": "APIExport reference must not be changed"}]))]
    pub export: ExportReference,
    /// The Partition whose shards are listed. KDP has one shard and refuses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
}

/// What is known of an endpoint slice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct APIExportEndpointSliceStatus {
    /// What was observed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// One URL for each shard with at least one binding.
    #[serde(rename = "endpoints", skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<ExportEndpoint>,
}

/// One URL of an export.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExportEndpoint {
    /// Base URL, to be followed by `/clusters/…`.
    pub url: String,
}
