//! What one served API resource is: its names, its verbs, its schema and its columns.

mod crd;
#[cfg(test)]
mod tests;

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
    /// Version objects are stored in; may be another one than `version`.
    pub storage_version: String,
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
    /// Columns after Name. A column with the format `name` takes the place of Name wherever it
    /// stands; a column without a JSON path is worked out in code, for builtin kinds only.
    pub columns: Vec<PrinterColumn>,
    /// JSON paths (such as `.spec.color`) accepted in field selectors.
    pub selectable_fields: Vec<String>,
    /// `Some` when the version is deprecated; the text is the warning to send.
    pub deprecation_warning: Option<String>,
    /// Where the `scale` subresource finds its numbers; `None` when it is not served.
    pub scale: Option<ScalePaths>,
}

impl ApiResource {
    /// `apiVersion` of the objects: `v1`, or `example.com/v1`.
    #[must_use]
    pub fn api_version(&self) -> String {
        super::registry::api_version(&self.group, &self.version)
    }

    /// Root of the group version's URLs, without a leading slash: `api/v1`, or `apis/example.com/v1`.
    #[must_use]
    pub fn root_path(&self) -> String {
        let root = if self.group.is_empty() { "api" } else { "apis" };
        format!("{root}/{}", self.api_version())
    }

    /// Whether the main resource serves `verb`.
    #[must_use]
    pub fn serves(&self, verb: &str) -> bool {
        self.verbs.contains(&verb)
    }

    /// The subresource of that name, when it is served.
    #[must_use]
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }
}

/// JSON paths of a `scale` subresource into its parent, such as `.spec.replicas`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScalePaths {
    /// The number asked for.
    pub spec_replicas_path: String,
    /// The number there is.
    pub status_replicas_path: String,
    /// A label selector in its string form; empty when the kind has none.
    pub label_selector_path: String,
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

impl Subresource {
    /// A subresource whose body is the parent's kind, served with [`SUBRESOURCE_VERBS`].
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), group_version_kind: None, verbs: SUBRESOURCE_VERBS }
    }
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

impl PrinterColumn {
    /// The column that every kind gets which declares none.
    #[must_use]
    pub fn age() -> Self {
        Self {
            name: "Age".into(),
            type_: "date".into(),
            description: "Time since the object was created.".into(),
            json_path: ".metadata.creationTimestamp".into(),
            ..Self::default()
        }
    }
}

/// Verbs of an ordinary stored resource.
pub const STORED_VERBS: &[&str] = &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
/// Verbs of a `status` or `scale` subresource.
pub const SUBRESOURCE_VERBS: &[&str] = &["get", "patch", "update"];
