//! Which orders asked about an object, so that a change of it finds them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
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
/// point to their order. What a change costs depends on how many orders it concerns, not on how
/// many there are.
#[derive(Debug, Default)]
pub(super) struct Dependents(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    asked: HashMap<Arc<OrderKey>, Box<[Asked]>>,
    by_object: HashMap<Arc<ObjectKey>, Vec<Arc<OrderKey>>>,
    by_list: HashMap<Listed, HashSet<Arc<OrderKey>>>,
}

#[derive(Debug, PartialEq)]
enum Asked {
    Object(Arc<ObjectKey>),
    List(Box<ListQuery>),
}

/// What objects in a list have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Listed {
    place: Place,
    types: Arc<ResourceType>,
    namespace: Option<String>,
    /// One of the labels they must have, if there is such a one.
    label: Option<(String, String)>,
}

/// How the questions of an order differ from those of its decision before.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// Whether it asked something new: then a change may have been missed, and the decision must
    /// be made again.
    pub(super) grew: bool,
    /// The objects that it asked about then and not now.
    pub(super) released: Vec<Arc<ObjectKey>>,
    /// The objects that it asks about now and did not then.
    pub(super) asked: Vec<Arc<ObjectKey>>,
}

impl Dependents {
    /// Remembers what an order asked.
    pub(super) fn remember(&self, order: &OrderKey, queries: Vec<Query>) -> Difference {
        let mut state = self.0.lock();
        let before = state.asked.remove_entry(order);
        let (order, before) = before.unwrap_or_else(|| (Arc::new(order.clone()), Box::default()));
        let (kept, released): (Vec<_>, Vec<_>) =
            before.into_iter().partition(|known| queries.iter().any(|query| known.is(query)));
        let mut difference = Difference::default();
        for known in released {
            state.remove(&order, &known);
            difference.released.extend(known.into_object());
        }
        let mut asked = kept;
        for query in queries {
            if asked.iter().any(|known| known.is(&query)) {
                continue;
            }
            let new = match query {
                Query::Object(key) => Asked::Object(Arc::new(key)),
                Query::List(list) => Asked::List(Box::new(list)),
                // Copies say themselves whose they are.
                Query::Copies(_) => continue,
            };
            state.insert(&order, &new);
            difference.grew = true;
            if let Asked::Object(key) = &new {
                difference.asked.push(key.clone());
            }
            asked.push(new);
        }
        state.asked.insert(order, asked.into());
        difference
    }

    /// Forgets an order; returns the objects that it asked about.
    pub(super) fn forget(&self, order: &OrderKey) -> Vec<Arc<ObjectKey>> {
        let mut state = self.0.lock();
        let Some((order, asked)) = state.asked.remove_entry(order) else { return Vec::new() };
        asked.iter().for_each(|known| state.remove(&order, known));
        asked.into_iter().filter_map(Asked::into_object).collect()
    }

    /// The orders of which something is remembered.
    pub(super) fn orders(&self) -> Vec<OrderKey> {
        self.0.lock().asked.keys().map(|order| (**order).clone()).collect()
    }

    /// All objects that were asked about, once for each order that did.
    pub(super) fn objects(&self) -> Vec<Arc<ObjectKey>> {
        let state = self.0.lock();
        let objects = state.by_object.iter();
        objects.flat_map(|(key, orders)| orders.iter().map(|_| key.clone())).collect()
    }

    /// The orders that asked about the object that changed.
    pub(super) fn of(&self, change: &Change<'_>) -> HashSet<OrderKey> {
        let state = self.0.lock();
        let asked = state.by_object.get(change.key).into_iter().flatten();
        let mut orders: HashSet<OrderKey> = asked.map(|order| (**order).clone()).collect();
        if state.by_list.is_empty() {
            return orders;
        }
        let labels: HashSet<_> = versions(change).flat_map(|version| object::labels(version)).collect();
        for namespace in [None, change.key.namespace.clone()] {
            for label in labels.iter().cloned().map(Some).chain([None]) {
                let (place, types) = (change.key.place.clone(), change.key.types.clone());
                let listed = Listed { place, types, namespace: namespace.clone(), label };
                for order in state.by_list.get(&listed).into_iter().flatten() {
                    if state.asked[order]
                        .iter()
                        .any(|known| matches!(known, Asked::List(list) if selects(list, change)))
                    {
                        orders.insert((**order).clone());
                    }
                }
            }
        }
        orders
    }
}

fn versions<'a>(change: &Change<'a>) -> impl Iterator<Item = &'a Arc<serde_json::Value>> + use<'a> {
    [change.before, change.after].into_iter().flatten()
}

/// Whether the object was or is in the list.
fn selects(list: &ListQuery, change: &Change<'_>) -> bool {
    list.types == change.key.types && versions(change).any(|version| list.selector.matches(&object::labels(version)))
}

impl State {
    fn insert(&mut self, order: &Arc<OrderKey>, asked: &Asked) {
        match asked {
            Asked::Object(key) => self.by_object.entry(key.clone()).or_default().push(order.clone()),
            Asked::List(list) => {
                self.by_list.entry(Listed::of(list)).or_default().insert(order.clone());
            }
        }
    }

    fn remove(&mut self, order: &Arc<OrderKey>, asked: &Asked) {
        match asked {
            Asked::Object(key) => {
                if let Some(orders) = self.by_object.get_mut(key) {
                    orders.retain(|other| other != order);
                    if orders.is_empty() {
                        self.by_object.remove(key);
                    }
                }
            }
            Asked::List(list) => {
                let listed = Listed::of(list);
                if let Some(orders) = self.by_list.get_mut(&listed) {
                    orders.remove(order);
                    if orders.is_empty() {
                        self.by_list.remove(&listed);
                    }
                }
            }
        }
    }
}

impl Asked {
    fn is(&self, query: &Query) -> bool {
        match (self, query) {
            (Self::Object(known), Query::Object(key)) => **known == *key,
            (Self::List(known), Query::List(list)) => **known == *list,
            _ => false,
        }
    }

    fn into_object(self) -> Option<Arc<ObjectKey>> {
        match self {
            Self::Object(key) => Some(key),
            Self::List(_) => None,
        }
    }
}

impl Listed {
    fn of(list: &ListQuery) -> Self {
        let ListQuery { place, types, namespace, selector } = list;
        let label = LabelSelector::from(selector.clone()).match_labels.unwrap_or_default().pop_first();
        Self { place: place.clone(), types: types.clone(), namespace: namespace.clone(), label }
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Expression;
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
        dependents.remember(&order("1"), vec![Query::Object(secret("s"))]);
        dependents.remember(&order("2"), vec![list(Some("n"))]);
        dependents.remember(&order("3"), vec![list(None)]);
        assert_eq!(found(&dependents, "s", &json!({})), ["1"]);
        assert_eq!(found(&dependents, "t", &json!({"app": "x"})), ["2", "3"]);
        assert_eq!(found(&dependents, "t", &json!({"app": "y"})), Vec::<String>::new());
    }

    #[test]
    fn lists_without_a_required_label_are_found_too() {
        let dependents = Dependents::default();
        let selector = [Expression::Exists("app".into())].into_iter().collect();
        let types = Arc::new(ResourceType::secrets());
        let list = Query::List(ListQuery { place: Place::Service, types, namespace: None, selector });
        dependents.remember(&order("1"), vec![list]);
        assert_eq!(found(&dependents, "s", &json!({"app": "x", "other": "y"})), ["1"]);
        assert_eq!(found(&dependents, "s", &json!({"other": "y"})), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_longer_asked_is_forgotten() {
        let dependents = Dependents::default();
        let ask = |name| dependents.remember(&order("1"), vec![Query::Object(secret(name))]);
        assert!(ask("s").grew);
        assert!(!ask("s").grew);
        let difference = ask("t");
        assert!(difference.grew);
        assert_eq!(difference.released, [Arc::new(secret("s"))]);
        assert_eq!(difference.asked, [Arc::new(secret("t"))]);
        assert_eq!(found(&dependents, "s", &json!({})), Vec::<String>::new());
        assert_eq!(dependents.objects(), [Arc::new(secret("t"))]);
        assert_eq!(dependents.forget(&order("1")), [Arc::new(secret("t"))]);
        assert_eq!(found(&dependents, "t", &json!({})), Vec::<String>::new());
        let state = dependents.0.lock();
        assert!(state.by_object.is_empty() && state.by_list.is_empty() && state.asked.is_empty());
    }
}
