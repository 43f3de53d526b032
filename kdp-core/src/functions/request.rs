//! What a function is asked.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use super::{
    response::Desired,
    wire::{Resource, RunFunctionRequest},
};
use crate::protobuf::{Struct, from_struct};

/// What a function is asked: what there is, and what the functions before it want.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct FunctionRequest {
    /// Requests with equal tags are equal.
    pub tag: String,
    /// The composite resource.
    pub composite: Observed,
    /// The composed resources that are there, by their names in the composition.
    pub resources: BTreeMap<String, Observed>,
    /// What the functions before this one want.
    pub desired: Desired,
    /// The `input` of the step of the pipeline; null when it has none.
    pub input: Value,
    /// What functions tell each other; null when nothing was told.
    pub context: Value,
    /// The resources that were [required](super::FunctionResponse::require), by the names they were required
    /// under: an empty list when there are none, and no entry before Crossplane has looked.
    pub required: BTreeMap<String, Vec<Value>>,
    /// Credentials of the step, by their names and keys.
    pub credentials: BTreeMap<String, Secrets>,
}

/// Secret bytes by their keys; not shown in debug output.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(pub BTreeMap<String, Vec<u8>>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A resource that is there.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Observed {
    /// All of it, with its metadata and status.
    pub resource: Value,
    /// Its connection details.
    pub connection: Secrets,
}

impl FunctionRequest {
    pub(super) fn from_wire(wire: RunFunctionRequest) -> Self {
        let observed = wire.observed.unwrap_or_default();
        let items =
            |resources: super::wire::Resources| resources.items.into_iter().map(|item| json(item.resource)).collect();
        let required = wire.extra_resources.into_iter().chain(wire.required_resources);
        let credentials = wire.credentials.into_iter();
        Self {
            tag: wire.meta.unwrap_or_default().tag,
            composite: observed.composite.map(Observed::from_wire).unwrap_or_default(),
            resources: observed.resources.into_iter().map(|(name, one)| (name, Observed::from_wire(one))).collect(),
            desired: Desired::from_wire(wire.desired.unwrap_or_default()),
            input: json(wire.input),
            context: json(wire.context),
            required: required.map(|(name, resources)| (name, items(resources))).collect(),
            credentials: credentials
                .map(|(name, one)| (name, Secrets(one.credential_data.unwrap_or_default().data)))
                .collect(),
        }
    }
}

impl Observed {
    fn from_wire(wire: Resource) -> Self {
        Self { resource: json(wire.resource), connection: Secrets(wire.connection_details) }
    }
}

pub(super) fn json(message: Option<Struct>) -> Value {
    message.map_or(Value::Null, from_struct)
}
