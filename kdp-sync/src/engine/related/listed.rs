//! The list of delivered objects on an order, for people and user interfaces.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};

use super::Related;
use crate::{
    api::{Scope, Side},
    engine::{
        Command,
        decide::Order,
        state::{Entry, Location},
    },
    object, wire,
};

impl Related {
    /// The write that lists the delivered objects on the order; none if they are.
    pub(super) fn list_on_order(&self, order: &Order<'_>, delivered: &[(Arc<Value>, Entry)]) -> Option<Command> {
        if self.origin != Side::Service {
            return None;
        }
        let prefix = self.list_prefix();
        let mut wanted: BTreeMap<String, Value> = BTreeMap::new();
        for (at, (original, entry)) in delivered.iter().enumerate() {
            let mut reference = json!({
                "name": entry.to.name,
                "apiVersion": original["apiVersion"],
                "kind": original["kind"],
            });
            if self.scopes.copy == Scope::Namespaced {
                reference["namespace"] = entry.to.namespace.clone().into();
            }
            wanted.insert(format!("{prefix}{at}"), reference);
        }
        let mut changes = Map::new();
        for key in object::annotations(order.order).keys().filter(|key| key.starts_with(&prefix)) {
            if !wanted.contains_key(key) {
                changes.insert(key.clone(), Value::Null);
            }
        }
        for (key, reference) in wanted {
            let known = object::annotation(order.order, &key).and_then(|text| serde_json::from_str::<Value>(text).ok());
            if known.as_ref() != Some(&reference) {
                changes.insert(key, reference.to_string().into());
            }
        }
        if changes.is_empty() {
            return None;
        }
        Some(Command::Patch { key: order.object_key(), patch: json!({"metadata": {"annotations": changes}}) })
    }

    /// What [`Self::list_on_order`] has written on an order.
    ///
    /// Tenants can write there, too; so whoever removes something on this evidence must find the
    /// order's mark on it. Where the originals are is not listed.
    pub(in crate::engine) fn listed_on(&self, order: &Value) -> Vec<Entry> {
        if self.origin != Side::Service {
            return Vec::new();
        }
        let prefix = self.list_prefix();
        let listed = object::annotations(order).iter().filter(|(key, _)| key.starts_with(&prefix));
        let copies = listed.filter_map(|(_, reference)| serde_json::from_str::<Location>(reference.as_str()?).ok());
        let is_possible = |to: &Location| to.namespace.is_empty() == (self.scopes.copy == Scope::Cluster);
        copies.filter(is_possible).map(|to| self.entry((Location::default(), to))).collect()
    }

    fn list_prefix(&self) -> String {
        format!("{}{}.", wire::RELATED_PREFIX, self.identifier)
    }
}
