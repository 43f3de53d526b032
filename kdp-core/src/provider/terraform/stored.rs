//! What a state says: which resources there are, in which order they go, and what the module puts out.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::provider::{InventoryItem, OrderId, Output, Teardown};

/// The parts of a state (format 4) that matter here.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Stored {
    #[serde(default)]
    outputs: BTreeMap<String, StoredOutput>,
    #[serde(default)]
    resources: Vec<Resource>,
    #[serde(default)]
    check_results: Option<Vec<Check>>,
}

#[derive(Clone, Debug, Deserialize)]
struct StoredOutput {
    value: Value,
    #[serde(default)]
    sensitive: bool,
}

#[derive(Clone, Debug, Deserialize)]
struct Resource {
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    module: Option<String>,
    #[serde(default)]
    instances: Vec<Instance>,
}

#[derive(Clone, Debug, Deserialize)]
struct Instance {
    #[serde(default)]
    index_key: Option<Value>,
    #[serde(default)]
    deposed: Option<String>,
    #[serde(default)]
    attributes: Value,
    /// Addresses without indices.
    #[serde(default)]
    dependencies: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Check {
    object_kind: String,
    config_addr: String,
    status: String,
    #[serde(default)]
    objects: Option<Vec<CheckedObject>>,
}

#[derive(Clone, Debug, Deserialize)]
struct CheckedObject {
    #[serde(default)]
    failure_messages: Option<Vec<String>>,
}

/// Kind of the inventory item that is the state itself; the last that goes.
const STATE: &str = "terraform-state";

impl Stored {
    /// Reads a state.
    pub(super) fn parse(state: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(state).map_err(|e| format!("the state cannot be read: {e}"))
    }

    /// Whether nothing is left that the engine has to remove.
    pub(super) fn is_empty(&self) -> bool {
        self.managed().all(|resource| resource.instances.is_empty())
    }

    /// What the module puts out; what is no text is JSON.
    pub(super) fn outputs(&self) -> impl Iterator<Item = (String, Output)> {
        self.outputs.iter().map(|(name, output)| {
            let value = match &output.value {
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            (name.clone(), if output.sensitive { Output::sensitive(value) } else { Output::plain(value) })
        })
    }

    /// The identities of the real thing at an address, deposed ones included.
    pub(super) fn ids(&self, address: &str) -> Vec<&str> {
        let at = self.managed().flat_map(|resource| resource.instances.iter().map(move |one| (resource, one)));
        let at = at.filter(|(resource, instance)| resource.address(instance) == address);
        at.filter_map(|(_, instance)| instance.attributes["id"].as_str()).collect()
    }

    /// All kinds with the identities of the real things.
    pub(super) fn real_things(&self) -> impl Iterator<Item = (&str, &str)> {
        self.managed().flat_map(|resource| {
            let ids = resource.instances.iter().filter_map(|instance| instance.attributes["id"].as_str());
            ids.map(|id| (resource.kind.as_str(), id))
        })
    }

    /// The resources, the last dependents first.
    pub(super) fn inventory(&self) -> Vec<InventoryItem> {
        let mut open: BTreeMap<String, &Resource> = self.managed().map(|one| (one.path(), one)).collect();
        let mut items = Vec::new();
        while !open.is_empty() {
            let needed: BTreeSet<&str> = open.values().flat_map(|resource| resource.needs()).collect();
            let mut next: Vec<_> = open.keys().filter(|path| !needed.contains(path.as_str())).cloned().collect();
            if next.is_empty() {
                // A circle, which the engine never writes: any order is as good.
                next = open.keys().cloned().collect();
            }
            for path in next {
                let Some(resource) = open.remove(&path) else { continue };
                let addresses: BTreeSet<_> = resource.instances.iter().map(|one| resource.address(one)).collect();
                let item = |id| InventoryItem { kind: resource.kind.clone(), id, epoch: 0 };
                items.extend(addresses.into_iter().map(item));
            }
        }
        items
    }

    /// What the checks of the module found wrong when they were looked at last.
    pub(super) fn failed_checks(&self) -> Vec<String> {
        let failed = self.check_results.iter().flatten();
        let failed = failed.filter(|check| check.object_kind == "check" && matches!(&*check.status, "fail" | "error"));
        failed
            .map(|check| {
                let messages =
                    check.objects.iter().flatten().flat_map(|object| object.failure_messages.iter().flatten());
                let messages = messages.map(String::as_str).collect::<Vec<_>>().join("; ");
                if messages.is_empty() {
                    check.config_addr.clone()
                } else {
                    format!("{}: {messages}", check.config_addr)
                }
            })
            .collect()
    }

    fn managed(&self) -> impl Iterator<Item = &Resource> {
        self.resources.iter().filter(|resource| resource.mode == "managed")
    }
}

impl Resource {
    fn path(&self) -> String {
        let module = self.module.as_ref().map(|module| format!("{module}.")).unwrap_or_default();
        format!("{module}{}.{}", self.kind, self.name)
    }

    fn address(&self, instance: &Instance) -> String {
        let index = instance.index_key.as_ref().map(|key| format!("[{key}]")).unwrap_or_default();
        let deposed = instance.deposed.as_ref().map(|key| format!(" (deposed {key})")).unwrap_or_default();
        format!("{}{index}{deposed}", self.path())
    }

    /// The other resources it needs; not itself, as each of its instances may need another.
    fn needs(&self) -> impl Iterator<Item = &str> {
        let path = self.path();
        let all = self.instances.iter().flat_map(|instance| &instance.dependencies).map(String::as_str);
        all.filter(move |needed| *needed != path)
    }
}

/// The record of these things and, last of all, of the state itself.
pub(super) fn teardown(id: &OrderId, things: impl IntoIterator<Item = (String, String)>) -> Teardown {
    let record = things.into_iter().fold(Teardown::new(id), |record, (kind, id)| record.with_item(kind, id));
    record.with_item(STATE, &id.uid)
}

#[cfg(test)]
mod tests;
