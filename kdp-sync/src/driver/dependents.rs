//! Which orders asked about an object, so that a change of it finds them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use kube::core::SelectorExt;
use parking_lot::Mutex;

use super::cache::Change;
use crate::{
    engine::{ListQuery, ObjectKey, OrderKey, Place, Query},
    object::{self, ResourceType},
};

/// The questions of each order's last decision, indexed by what they are about.
///
/// This is what makes related objects that appear later known at once, without a rule for how they
/// point to their order.
#[derive(Debug, Default)]
pub(super) struct Dependents(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    asked: HashMap<OrderKey, Vec<Query>>,
    by_object: HashMap<ObjectKey, HashSet<OrderKey>>,
    by_list: HashMap<Listed, HashSet<OrderKey>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Listed {
    place: Place,
    types: Arc<ResourceType>,
    namespace: Option<String>,
}

impl Dependents {
    /// Remembers what an order asked. Returns whether it asked something that it did not before:
    /// then a change may have been missed, and the decision must be made again.
    pub(super) fn remember(&self, order: &OrderKey, asked: Vec<Query>) -> bool {
        let mut state = self.0.lock();
        let before = state.asked.remove(order).unwrap_or_default();
        for query in before.iter().filter(|query| !asked.contains(query)) {
            state.remove(order, query);
        }
        let mut grew = false;
        for query in asked.iter().filter(|query| !before.contains(query)) {
            state.insert(order, query);
            grew = true;
        }
        state.asked.insert(order.clone(), asked);
        grew
    }

    pub(super) fn forget(&self, order: &OrderKey) {
        let mut state = self.0.lock();
        for query in state.asked.remove(order).unwrap_or_default() {
            state.remove(order, &query);
        }
    }

    /// The orders that asked about the object that changed.
    pub(super) fn of(&self, change: &Change<'_>) -> HashSet<OrderKey> {
        let state = self.0.lock();
        let mut orders = state.by_object.get(change.key).cloned().unwrap_or_default();
        for namespace in [None, change.key.namespace.clone()] {
            let listed = Listed { place: change.key.place.clone(), types: change.key.types.clone(), namespace };
            for order in state.by_list.get(&listed).into_iter().flatten() {
                if state.asked[order].iter().any(|query| matches!(query, Query::List(list) if selects(list, change))) {
                    orders.insert(order.clone());
                }
            }
        }
        orders
    }
}

/// Whether the object was or is in the list.
fn selects(list: &ListQuery, change: &Change<'_>) -> bool {
    let mut versions = [change.before, change.after].into_iter().flatten();
    list.types == change.key.types && versions.any(|version| list.selector.matches(&object::labels(version)))
}

impl State {
    fn insert(&mut self, order: &OrderKey, query: &Query) {
        match query {
            Query::Object(key) => self.by_object.entry(key.clone()).or_default().insert(order.clone()),
            Query::List(list) => self.by_list.entry(listed(list)).or_default().insert(order.clone()),
            // Copies say themselves whose they are.
            Query::Copies(_) => false,
        };
    }

    fn remove(&mut self, order: &OrderKey, query: &Query) {
        match query {
            Query::Object(key) => remove(&mut self.by_object, key, order),
            Query::List(list) => remove(&mut self.by_list, &listed(list), order),
            Query::Copies(_) => {}
        }
    }
}

fn remove<K: std::hash::Hash + Eq>(index: &mut HashMap<K, HashSet<OrderKey>>, key: &K, order: &OrderKey) {
    if let Some(orders) = index.get_mut(key) {
        orders.remove(order);
        if orders.is_empty() {
            index.remove(key);
        }
    }
}

fn listed(list: &ListQuery) -> Listed {
    Listed { place: list.place.clone(), types: list.types.clone(), namespace: list.namespace.clone() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order(name: &str) -> OrderKey {
        OrderKey { cluster: "a".parse().unwrap(), namespace: None, name: name.into() }
    }

    fn secret(name: &str) -> ObjectKey {
        ObjectKey {
            place: Place::Service,
            types: Arc::new(ResourceType::secrets()),
            namespace: Some("n".into()),
            name: name.into(),
        }
    }

    fn found(dependents: &Dependents, name: &str, labels: &serde_json::Value) -> Vec<String> {
        let object = Arc::new(json!({"metadata": {"name": name, "namespace": "n", "labels": labels}}));
        let key = secret(name);
        let orders = dependents.of(&Change { key: &key, before: None, after: Some(&object), by: None });
        let mut names: Vec<_> = orders.into_iter().map(|order| order.name).collect();
        names.sort();
        names
    }

    #[test]
    fn an_object_finds_those_who_asked_for_it_and_those_whose_list_it_is_in() {
        let dependents = Dependents::default();
        let list = |namespace: Option<&str>| {
            Query::List(ListQuery {
                place: Place::Service,
                types: Arc::new(ResourceType::secrets()),
                namespace: namespace.map(Into::into),
                selector: [("app", "x")].into_iter().collect(),
            })
        };
        assert!(dependents.remember(&order("1"), vec![Query::Object(secret("s"))]));
        assert!(dependents.remember(&order("2"), vec![list(Some("n"))]));
        assert!(dependents.remember(&order("3"), vec![list(None)]));
        assert_eq!(found(&dependents, "s", &json!({})), ["1"]);
        assert_eq!(found(&dependents, "t", &json!({"app": "x"})), ["2", "3"]);
        assert_eq!(found(&dependents, "t", &json!({"app": "y"})), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_longer_asked_is_forgotten() {
        let dependents = Dependents::default();
        dependents.remember(&order("1"), vec![Query::Object(secret("s"))]);
        assert!(!dependents.remember(&order("1"), vec![Query::Object(secret("s"))]));
        assert!(dependents.remember(&order("1"), vec![Query::Object(secret("t"))]));
        assert_eq!(found(&dependents, "s", &json!({})), Vec::<String>::new());
        dependents.forget(&order("1"));
        assert_eq!(found(&dependents, "t", &json!({})), Vec::<String>::new());
        let state = dependents.0.lock();
        assert!(state.by_object.is_empty() && state.by_list.is_empty() && state.asked.is_empty());
    }
}
