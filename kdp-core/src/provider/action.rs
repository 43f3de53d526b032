//! What can be done with a real thing once it is there: backups, rotation, restarts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Output;

/// Something a provider can do with what it has made, beyond making it as ordered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Action {
    /// A short name, such as `rotate-password`.
    pub name: String,
    /// What it does, for people.
    pub description: String,
    /// JSON Schema of its parameters; null when it takes none.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub parameters: Value,
    /// Whether something that is there is lost by it.
    #[serde(default)]
    pub is_destructive: bool,
}

impl Action {
    /// An action without parameters by which nothing is lost.
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        Self { name: name.into(), description: description.into(), parameters: Value::Null, is_destructive: false }
    }

    /// The same with the JSON Schema of its parameters.
    #[must_use]
    pub fn with_parameters(mut self, schema: Value) -> Self {
        self.parameters = schema;
        self
    }

    /// The same; something that is there is lost by it.
    #[must_use]
    pub fn destructive(mut self) -> Self {
        self.is_destructive = true;
        self
    }
}

/// One request for an [`Action`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActionCall {
    /// Identifies the request: the same id again is the same request, to be finished, not repeated.
    pub id: String,
    /// Name of the action.
    pub name: String,
    /// Its parameters; null when there are none.
    #[serde(default)]
    pub parameters: Value,
}

impl ActionCall {
    /// A request without parameters.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { id: id.into(), name: name.into(), parameters: Value::Null }
    }

    /// The same with parameters.
    #[must_use]
    pub fn with_parameters(mut self, parameters: Value) -> Self {
        self.parameters = parameters;
        self
    }
}

/// What came of an [`ActionCall`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActionOutcome {
    /// For people, such as `backup 2026-11-25T09:00 was made`; nothing sensitive.
    pub message: String,
    /// What the caller gets, by name. Outputs of the order that the action changed are not here:
    /// they are in the next observation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Output>,
}

impl ActionOutcome {
    /// An outcome with nothing but a message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), outputs: BTreeMap::new() }
    }

    /// The same with one more output.
    #[must_use]
    pub fn with_output(mut self, name: impl Into<String>, output: Output) -> Self {
        self.outputs.insert(name.into(), output);
        self
    }
}
