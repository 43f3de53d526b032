//! The `spec` of kro's ResourceGraphDefinition, `kro.run/v1alpha1`.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An API and the objects each of its instances is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceGraph {
    /// The API.
    pub schema: GraphSchema,
    /// The objects. They may be listed in any order; what refers to another comes after it.
    #[serde(default)]
    pub resources: Vec<Resource>,
}

/// The kind that is offered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GraphSchema {
    /// Version of the API, such as `v1alpha1`.
    pub api_version: String,
    /// Kind of the instances.
    pub kind: String,
    /// API group of the instances; kro's own unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whether instances live in namespaces.
    #[serde(default, skip_serializing_if = "InstanceScope::is_default")]
    pub scope: InstanceScope,
    /// What the CustomResourceDefinition of the kind carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<KindMetadata>,
    /// What is ordered, as SimpleSchema.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "any_object")]
    pub spec: Value,
    /// Types that `spec` uses, as SimpleSchema.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "any_object")]
    pub types: Value,
    /// What instances tell about themselves, with CEL in it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "any_object")]
    pub status: Value,
    /// Columns of the table that lists instances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional_printer_columns: Vec<PrinterColumn>,
    /// Short names for command lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub short_names: Vec<String>,
    /// Groups of kinds that are listed together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
}

/// Labels and annotations of a CustomResourceDefinition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KindMetadata {
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Whether instances live in namespaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InstanceScope {
    /// They do.
    #[default]
    Namespaced,
    /// They do not.
    Cluster,
}

impl InstanceScope {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A column of the table that lists instances, as in a CustomResourceDefinition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrinterColumn {
    /// Heading.
    pub name: String,
    /// OpenAPI type.
    #[serde(rename = "type")]
    pub type_: String,
    /// Where the value is.
    pub json_path: String,
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// OpenAPI format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Columns above 0 are only shown in wide tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
}

/// One node of the graph: an object, a collection of objects, or a reference to somebody else's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// Name by which CEL finds it.
    pub id: String,
    /// The object, with CEL in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub template: Option<Map<String, Value>>,
    /// An object that is there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_ref: Option<ExternalReference>,
    /// When it is ready; all must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ready_when: Vec<String>,
    /// When there is to be one; all must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include_when: Vec<String>,
    /// Lists whose elements, in all combinations, each make an object. Each entry is one name and its list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub for_each: Vec<BTreeMap<String, String>>,
}

/// Somebody else's object, or all that a selector finds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalReference {
    /// API version of the object.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Which it is.
    pub metadata: ExternalMetadata,
}

/// Which object of a kind is meant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExternalMetadata {
    /// Its name; may be CEL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its namespace, the instance's unless given; may be CEL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The labels of all objects that are meant, instead of a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub selector: Option<Value>,
}

/// An object whose fields the API server keeps without knowing them.
fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}
