//! Which objects on the service cluster ask to become the copy of which order.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kdp_core::LogicalClusterName;
use parking_lot::Mutex;
use serde_json::Value;

use crate::engine::{ObjectKey, OrderKey, Wanted, wanted};

/// The objects that ask, by the order they ask for.
#[derive(Debug, Default)]
pub(super) struct Imports(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    wanted: HashMap<ObjectKey, OrderKey>,
    by_order: HashMap<OrderKey, BTreeSet<ObjectKey>>,
    /// Those that name a workspace that is not known, or not yet.
    unresolved: BTreeMap<ObjectKey, Wanted>,
}

impl Imports {
    /// Takes in what an object is now. Returns the order that is to be worked on.
    pub(super) fn heard(
        &self,
        key: &ObjectKey,
        object: Option<&Value>,
        cluster_at: impl Fn(&str) -> Option<LogicalClusterName>,
    ) -> Option<OrderKey> {
        let wanted = object.and_then(wanted);
        let mut state = self.0.lock();
        state.remove(key);
        state.insert(key, wanted?, cluster_at)
    }

    /// Takes in that workspaces have changed. Returns the orders that are to be worked on.
    pub(super) fn workspaces_changed(&self, cluster_at: impl Fn(&str) -> Option<LogicalClusterName>) -> Vec<OrderKey> {
        let mut state = self.0.lock();
        let unresolved = std::mem::take(&mut state.unresolved);
        unresolved.into_iter().filter_map(|(key, wanted)| state.insert(&key, wanted, &cluster_at)).collect()
    }

    /// The orders that are asked for.
    pub(super) fn orders(&self) -> Vec<OrderKey> {
        self.0.lock().by_order.keys().cloned().collect()
    }

    /// The object that is to become the copy of this order. Of several, one comes after the other.
    pub(super) fn of(&self, order: &OrderKey) -> Option<ObjectKey> {
        self.0.lock().by_order.get(order)?.first().cloned()
    }
}

impl State {
    fn insert(
        &mut self,
        key: &ObjectKey,
        wanted: Wanted,
        cluster_at: impl Fn(&str) -> Option<LogicalClusterName>,
    ) -> Option<OrderKey> {
        let cluster = wanted.workspace.parse().ok().or_else(|| cluster_at(&wanted.workspace));
        let Some(cluster) = cluster else {
            tracing::warn!(%key, workspace = wanted.workspace, "import.unknown_workspace");
            self.unresolved.insert(key.clone(), wanted);
            return None;
        };
        let order = OrderKey { cluster, namespace: wanted.namespace, name: wanted.name };
        self.wanted.insert(key.clone(), order.clone());
        self.by_order.entry(order.clone()).or_default().insert(key.clone());
        Some(order)
    }

    fn remove(&mut self, key: &ObjectKey) {
        self.unresolved.remove(key);
        let Some(order) = self.wanted.remove(key) else { return };
        if let Some(objects) = self.by_order.get_mut(&order) {
            objects.remove(key);
            if objects.is_empty() {
                self.by_order.remove(&order);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::{engine::Place, object::ResourceType, wire};

    fn key(name: &str) -> ObjectKey {
        let types = Arc::new(ResourceType::core("Thing", "things"));
        ObjectKey { place: Place::Service, types, namespace: None, name: name.into() }
    }

    fn asking(value: &str) -> Value {
        json!({"metadata": {"annotations": {wire::IMPORT: value}}})
    }

    #[test]
    fn objects_are_found_by_their_order_until_they_ask_no_more() {
        let imports = Imports::default();
        let none = |_: &str| None;
        let order = imports.heard(&key("b"), Some(&asking("abc|default/db")), none).unwrap();
        assert_eq!(order.to_string(), "abc|default/db");
        imports.heard(&key("a"), Some(&asking("abc|default/db")), none);
        assert_eq!(imports.of(&order), Some(key("a")));
        assert_eq!(imports.heard(&key("a"), Some(&json!({})), none), None);
        assert_eq!(imports.of(&order), Some(key("b")));
        imports.heard(&key("b"), None, none);
        assert_eq!(imports.of(&order), None);
        let state = imports.0.lock();
        assert!(state.wanted.is_empty() && state.by_order.is_empty() && state.unresolved.is_empty());
    }

    #[test]
    fn a_path_is_looked_up_again_when_workspaces_come() {
        let imports = Imports::default();
        assert_eq!(imports.heard(&key("a"), Some(&asking("root:a|default/db")), |_| None), None);
        let orders = imports.workspaces_changed(|path| (path == "root:a").then(|| "abc".parse().unwrap()));
        assert_eq!(orders.iter().map(ToString::to_string).collect::<Vec<_>>(), ["abc|default/db"]);
        assert_eq!(imports.of(&orders[0]), Some(key("a")));
        assert!(imports.workspaces_changed(|_| None).is_empty());
    }
}
