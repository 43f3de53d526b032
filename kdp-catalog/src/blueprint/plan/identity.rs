//! Which object is meant, whatever is in it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An object that was made for an instance.
///
/// Entries say how to find and in which order to delete, without the definition and the instance's spec.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InventoryEntry {
    /// The resource it was made for.
    pub id: String,
    /// Its API version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// The namespace it names; without one, it is in the instance's, or in none because of its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// When it was made: after all lower waves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<u32>,
}

/// What two objects cannot have in common. Versions of an API show the same objects, so it has none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Identity {
    pub(super) group: String,
    pub(super) kind: String,
    namespace: String,
    name: String,
}

impl Identity {
    /// `home` is the namespace of the instance.
    pub(super) fn new(api_version: &str, kind: &str, namespace: Option<&str>, name: &str, home: &str) -> Self {
        Self {
            group: group_of(api_version).to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.unwrap_or(home).to_owned(),
            name: name.to_owned(),
        }
    }

    pub(super) fn of_entry(entry: &InventoryEntry, home: &str) -> Self {
        Self::new(&entry.api_version, &entry.kind, entry.namespace.as_deref(), &entry.name, home)
    }

    /// The identity of an object that has one.
    pub(super) fn of_object(object: &Value, home: &str) -> Option<Self> {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
        let name = text("/metadata/name").filter(|name| !name.is_empty())?;
        Some(Self::new(text("/apiVersion")?, text("/kind")?, text("/metadata/namespace"), name, home))
    }
}

/// The group in an API version; empty for the core.
pub(super) fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}
