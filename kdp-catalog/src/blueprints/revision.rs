//! What of a blueprint was published, for good.

use kube::{CustomResource, api::ApiResource, core::GroupVersionKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::blueprint::{Faults, Graph, ResourceGraph};

/// One published version of a blueprint, with all that is needed to look after its instances.
///
/// Instances stay with the revision they were made with, so it outlives the definition it came from.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "blueprints.kdp.k8c.io",
    version = "v1alpha1",
    kind = "BlueprintRevision",
    category = "kdp",
    validation = "self.spec == oldSelf.spec",
    printcolumn = r#"{"name":"Export","type":"string","jsonPath":".spec.export"}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".spec.version"}"#,
    printcolumn = r#"{"name":"Hash","type":"string","jsonPath":".spec.hash"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct BlueprintRevisionSpec {
    /// The APIExport that offers it.
    pub export: String,
    /// Version of the content.
    pub version: String,
    /// SHA-256 of the resource graph, in hex.
    pub hash: String,
    /// The kinds its resources are of.
    #[serde(default)]
    pub kinds: Vec<UsedKind>,
    /// The resource graph.
    pub resource_graph: ResourceGraph,
}

/// A kind that a blueprint's resources are of, as the provider's workspace knew it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsedKind {
    /// Its API version.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// Its plural name.
    pub plural: String,
    /// Whether its objects live in namespaces.
    #[serde(default)]
    pub namespaced: bool,
    /// Identity of the export that provides it; empty for builtin kinds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub identity_hash: String,
    /// Whether objects of it are made, and not only read.
    #[serde(default)]
    pub made: bool,
}

impl UsedKind {
    /// Its API group; empty for the core.
    pub(super) fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    pub(super) fn resource(&self) -> ApiResource {
        let version = self.api_version.split_once('/').map_or(self.api_version.as_str(), |(_, version)| version);
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(self.group(), version, &self.kind), &self.plural)
    }
}

impl BlueprintRevisionSpec {
    /// The graph, which was checked against the schemas of its kinds when it was published.
    ///
    /// # Errors
    /// What is wrong with the graph itself.
    pub(super) fn compile(&self) -> Result<Graph, Faults> {
        let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        Graph::compile(&self.resource_graph, |_, _| Some(open.clone()))
    }

    /// Whether the content is what was published.
    pub(super) fn is_intact(&self) -> bool {
        self.hash == hash_of(&self.resource_graph)
    }
}

/// SHA-256 of a resource graph, in hex. The order of fields makes no difference.
pub(super) fn hash_of(graph: &ResourceGraph) -> String {
    // Keys of objects are sorted in a `Value`, whatever the map behind it is.
    let text = sorted(&serde_json::to_value(graph).unwrap_or_default()).to_string();
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            fields.into_iter().map(|(name, field)| (name.clone(), sorted(field))).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
