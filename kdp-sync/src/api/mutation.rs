//! What is rewritten between the two sides.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::{limited_list_of, plain_string};

/// Bounds what the API server estimates that checking the rule of each mutation costs.
const MOST_MUTATIONS: usize = 1_000;

/// Rewrites of an object on its way down and of its status on its way up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceMutations {
    /// Applied to the object on its way from the origin, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "mutations")]
    pub spec: Vec<ResourceMutation>,
    /// Applied to the object whose status is copied, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "mutations")]
    pub status: Vec<ResourceMutation>,
}

/// One rewrite; if several fields are set, the first in order of declaration counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.delete) || has(self.regex) || has(self.template) || has(self.cel)",
    "message": "one of delete, regex, template and cel must be given"
}]))]
pub struct ResourceMutation {
    /// Removes a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<DeleteMutation>,
    /// Replaces parts of a string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<RegexMutation>,
    /// Sets a string made by a Go template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateMutation>,
    /// Sets the value of a CEL expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cel: Option<CelMutation>,
}

/// Removes a value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeleteMutation {
    /// Path of the value, as sjson writes and gjson reads it.
    #[schemars(length(min = 1))]
    pub path: String,
}

/// Replaces parts of a string.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegexMutation {
    /// Path of the value, as sjson writes and gjson reads it.
    #[schemars(length(min = 1))]
    pub path: String,
    /// What to look for; the whole value when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub pattern: String,
    /// What to write instead; `$1` and `${name}` stand for groups.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(schema_with = "plain_string")]
    pub replacement: String,
}

/// Sets a string made by a Go template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateMutation {
    /// Path of the value, as sjson writes and gjson reads it.
    #[schemars(length(min = 1))]
    pub path: String,
    /// The template; `.Value`, `.LocalObject` and `.RemoteObject` are given.
    pub template: String,
}

/// Sets the value of a CEL expression.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CelMutation {
    /// Path of the value, as sjson writes and gjson reads it.
    #[schemars(length(min = 1))]
    pub path: String,
    /// The expression; `value`, `self` and `other` are given.
    #[schemars(length(min = 1))]
    pub expression: String,
}

fn mutations(generator: &mut SchemaGenerator) -> Schema {
    limited_list_of::<ResourceMutation>(generator, MOST_MUTATIONS)
}
