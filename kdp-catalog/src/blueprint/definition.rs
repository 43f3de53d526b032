//! The documents: KDP's BlueprintDefinition and the ResourceGraphDefinition of kro that is in it.

mod resource_graph;

use kdp_core::condition::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::resource_graph::{
    ExternalMetadata, ExternalReference, GraphSchema, InstanceScope, KindMetadata, PrinterColumn, Resource,
    ResourceGraph,
};
use super::fault::Fault;
use crate::service::CatalogMetadata;

/// An API that is made of a graph of objects, as its author wrote it.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "blueprints.kdp.k8c.io",
    version = "v1alpha1",
    kind = "BlueprintDefinition",
    namespaced,
    status = "BlueprintDefinitionStatus",
    category = "kdp",
    printcolumn = r#"{"name":"Kind","type":"string","jsonPath":".spec.resourceGraph.schema.kind"}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".spec.version"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "!(has(oldSelf.published) && oldSelf.published) || self.version == oldSelf.version",
        "message": "the version of a published blueprint is immutable"
    }
]))]
pub struct BlueprintDefinitionSpec {
    /// Version of the API's content, as in semver.org; immutable once published.
    #[schemars(regex(
        pattern = r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$"
    ))]
    pub version: String,
    /// Name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// What it is good for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Shelf of the catalog.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub category: String,
    /// Picture of the tile.
    #[serde(default, rename = "logoURL", skip_serializing_if = "String::is_empty")]
    pub logo_url: String,
    /// Whether it is offered. Taking it back stops reconciling its instances and keeps what was made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub published: bool,
    /// Whether new instances are advised against.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
    /// How the catalog presents it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog_metadata: Option<CatalogMetadata>,
    /// The API and the objects it is made of.
    pub resource_graph: ResourceGraph,
}

/// What is known of a blueprint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BlueprintDefinitionStatus {
    /// Where it is on its way into the catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<BlueprintPhase>,
    /// The `metadata.generation` this was observed at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Everything that is wrong with the resource graph.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub validation_errors: Vec<Fault>,
    /// The APIExport that offers it, once published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_export_ref: Option<ApiExportReference>,
    /// What was observed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Where a blueprint is on its way into the catalog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum BlueprintPhase {
    /// Being written.
    #[default]
    Draft,
    /// Being looked at.
    Validating,
    /// Could be published.
    Valid,
    /// Could not; the validation errors say why.
    Invalid,
    /// Offered.
    Published,
    /// Offered, but advised against.
    Deprecated,
}

/// An APIExport by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApiExportReference {
    /// Its name.
    pub name: String,
}

#[cfg(test)]
mod tests;
