//! What one served API resource is: its names, its verbs, its schema and its columns.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One resource in one served version, as a workspace's API surface lists it.
///
/// Builtin kinds, kcp's own kinds, CustomResourceDefinitions and bound exports all become this
/// one shape, so discovery, OpenAPI, tables and storage have a single input.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiResource {
    /// API group; empty for the core group.
    pub group: String,
    /// Version name such as `v1`.
    pub version: String,
    /// Kind in singular CamelCase.
    pub kind: String,
    /// Kind of a list of these.
    pub list_kind: String,
    /// Plural lower-case name, the URL segment.
    pub plural: String,
    /// Singular lower-case name.
    pub singular: String,
    /// Short names kubectl accepts.
    pub short_names: Vec<String>,
    /// Categories such as `all`.
    pub categories: Vec<String>,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Verbs served on the main resource.
    pub verbs: &'static [&'static str],
    /// Subresources served below the main resource.
    pub subresources: Vec<Subresource>,
    /// OpenAPI v3 schema of the whole object, every `$ref` inlined, with `x-kubernetes-*`
    /// extensions, in the JSON form of `JSONSchemaProps`.
    pub schema: Value,
    /// Columns beyond Name and before Age.
    pub columns: Vec<PrinterColumn>,
    /// JSON paths (such as `.spec.color`) accepted in field selectors.
    pub selectable_fields: Vec<String>,
    /// `Some` when the version is deprecated; the text is the warning to send.
    pub deprecation_warning: Option<String>,
}

/// A subresource such as `status`.
#[derive(Clone, Debug, PartialEq)]
pub struct Subresource {
    /// Last URL segment.
    pub name: String,
    /// Group, version and kind of the body, when it is not the parent's.
    pub group_version_kind: Option<(String, String, String)>,
    /// Verbs served.
    pub verbs: &'static [&'static str],
}

/// One printer column, in the wire form of `additionalPrinterColumns`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PrinterColumn {
    /// Header.
    pub name: String,
    /// OpenAPI type: `string`, `integer`, `number`, `boolean` or `date`.
    #[serde(rename = "type")]
    pub type_: String,
    /// OpenAPI format; `name` marks the primary column.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub format: String,
    /// What the column shows.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Columns above 0 appear only in wide output.
    pub priority: i32,
    /// Simple JSON path into the object, such as `.status.phase`.
    pub json_path: String,
}

/// Verbs of an ordinary stored resource.
pub const STORED_VERBS: &[&str] =
    &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
/// Verbs of a `status` or `scale` subresource.
pub const SUBRESOURCE_VERBS: &[&str] = &["get", "patch", "update"];
