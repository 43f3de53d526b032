//! `syncagent.kcp.io`: what a service owner writes to publish a resource.

mod mutation;
mod related;

pub use mutation::{CelMutation, DeleteMutation, RegexMutation, ResourceMutation, ResourceMutations, TemplateMutation};
pub use related::{
    ObjectReference, ObjectSelector, ObjectSpec, ObjectTemplate, RegexRewrite, RelatedNamespace, RelatedObject,
    RelatedProjection, RelatedResource, RelatedWatch, Rewrite, Side, TemplateRewrite, WatchByOwner,
};

use std::collections::BTreeMap;

use k8s_openapi::{
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kdp_core::{Error, condition::Condition};
use kube::{Client, CustomResource, CustomResourceExt};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// One kind of the service cluster, as it is offered to tenants.
///
/// A published resource lives on the service cluster. No field has a default in the schema: what
/// is absent keeps the meaning of "absent", whatever agent reads it.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "syncagent.kcp.io",
    version = "v1alpha1",
    kind = "PublishedResource",
    plural = "publishedresources",
    status = "PublishedResourceStatus"
)]
#[serde(rename_all = "camelCase")]
pub struct PublishedResourceSpec {
    /// The kind on the service cluster.
    pub resource: SourceResource,
    /// Which orders this agent serves; all of them when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<ResourceFilter>,
    /// How copies on the service cluster are named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub naming: Option<ResourceNaming>,
    /// Writes the workspace path on each copy and gives it to templates, at the cost of a claim on
    /// logical clusters.
    #[serde(default, skip_serializing_if = "is_false")]
    #[schemars(schema_with = "plain_bool")]
    pub enable_workspace_paths: bool,
    /// How the kind looks to tenants, where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projection: Option<ResourceProjection>,
    /// What is rewritten on the way down and up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mutation: Option<ResourceMutations>,
    /// Further objects that belong to an order, such as its credentials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "related_resources")]
    pub related: Vec<RelatedResource>,
    /// Whether objects are synced; only the schema is published otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synchronization: Option<Synchronization>,
}

impl PublishedResourceSpec {
    /// Whether objects are to be synced, and not only the schema published.
    #[must_use]
    pub fn is_synchronized(&self) -> bool {
        self.synchronization.as_ref().is_none_or(|s| s.enabled)
    }
}

/// A kind on the service cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.version) || self.version == '' || !has(self.versions) || size(self.versions) == 0",
    "message": "version cannot be set together with versions"
}]))]
pub struct SourceResource {
    /// API group; empty for core.
    pub api_group: String,
    /// Kind.
    #[schemars(length(min = 1))]
    pub kind: String,
    /// The only version to publish; deprecated, use `versions`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub version: String,
    /// The versions to publish; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "list_of::<String>")]
    pub versions: Vec<String>,
}

/// Which orders an agent serves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceFilter {
    /// Labels of the order's Namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "atomic_selector")]
    pub namespace: Option<LabelSelector>,
    /// Labels of the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "atomic_selector")]
    pub resource: Option<LabelSelector>,
}

/// How copies on the service cluster are named.
///
/// Text with `{{` is a Go template, any other text may contain `$remoteClusterName` and its kin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceNaming {
    /// Name of the copy.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub name: String,
    /// Namespace of the copy, when its kind is namespaced.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub namespace: String,
}

/// How a kind looks to tenants, where it differs from the service cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceProjection {
    /// API group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub group: String,
    /// Version, when exactly one is published; deprecated, use `versions`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub version: String,
    /// New names of versions, by old name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "map_of::<String>")]
    pub versions: BTreeMap<String, String>,
    /// Scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scope")]
    pub scope: Option<Scope>,
    /// Kind; singular, plural and list kind follow it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub kind: String,
    /// Plural name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub plural: String,
    /// Short names; absent keeps those of the kind, an empty list removes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "nullable_list_of::<String>")]
    pub short_names: Option<Vec<String>>,
    /// Categories; absent keeps those of the kind, an empty list removes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "nullable_list_of::<String>")]
    pub categories: Option<Vec<String>>,
}

/// Whether objects of a kind are in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Scope {
    /// One set of objects for the whole cluster or workspace.
    Cluster,
    /// Objects are in namespaces.
    Namespaced,
}

/// Whether objects are synced.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Synchronization {
    /// Syncs objects, and not only the schema.
    pub enabled: bool,
}

/// What an agent found out about a published resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublishedResourceStatus {
    /// Name of the APIResourceSchema in force.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub resource_schema_name: String,
    /// What was observed; `Ready` says whether the resource is published, and if not, which field
    /// is at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "list_of::<Condition>")]
    pub conditions: Vec<Condition>,
}

/// The CustomResourceDefinition of [`PublishedResource`], to be applied to a service cluster.
#[must_use]
pub fn crd() -> CustomResourceDefinition {
    PublishedResource::crd()
}

/// Installs [`crd`] on a service cluster, or brings an older one up to date, and returns once
/// PublishedResources can be created.
///
/// May be repeated, and cancelled at any await.
///
/// # Errors
/// As [`kdp_core::api::install_crd`].
pub async fn install_crds(service_cluster: &Client) -> Result<(), Error> {
    kdp_core::api::install_crd(service_cluster, &crd(), "kdp-sync").await
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

// The derived schema of a field with a serde default carries that default. These say the type and
// nothing else.

fn plain_string(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<String>()
}

fn plain_bool(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<bool>()
}

fn list_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<Vec<T>>()
}

fn limited_list_of<T: JsonSchema>(generator: &mut SchemaGenerator, most: usize) -> Schema {
    let mut schema = list_of::<T>(generator);
    schema.insert("maxItems".into(), most.into());
    schema
}

/// The limit keeps what the API server estimates for the rules below within its bounds.
fn related_resources(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = limited_list_of::<RelatedResource>(generator, 250);
    let rule = "self.all(a, self.exists_one(b, b.identifier == a.identifier))";
    let message = "identifiers must be unique";
    schema.insert("x-kubernetes-validations".into(), serde_json::json!([{"rule": rule, "message": message}]));
    schema
}

fn map_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<BTreeMap<String, T>>()
}

fn scope(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<Scope>()
}

/// Clients that know the field as a Go slice write `null` for "absent".
fn nullable_list_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let items = generator.subschema_for::<T>();
    schemars::json_schema!({"type": "array", "items": items, "nullable": true})
}

fn atomic_selector(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = LabelSelector::json_schema(generator);
    schema.insert("x-kubernetes-map-type".into(), "atomic".into());
    schema
}

#[cfg(test)]
mod tests;
