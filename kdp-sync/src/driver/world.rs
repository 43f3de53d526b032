//! What a sync knows of both sides.

use std::sync::Arc;

use kdp_core::{LogicalClusterName, api::PATH_ANNOTATION};
use serde_json::Value;

use super::{
    cache::{By, Cache, Keeps, Listener, Part, Scope},
    caches::{Caches, Followed},
    order_key_of,
    store::Answer,
    waits::Waits,
};
use crate::{
    api::Side,
    engine::{Evidence, ObjectKey, OrderKey, Place, Plan, Query, STATE_PREFIX, World, order_of, order_of_state},
    object::{self, ResourceType},
    wire,
};

/// The caches of one sync.
pub(super) struct Known {
    orders: Arc<Followed>,
    copies: Arc<Followed>,
    states: Arc<Followed>,
    related: Vec<Arc<Followed>>,
    state_namespace: String,
}

/// What was read from the source in one pass, since its last write.
#[derive(Debug, Default)]
pub(super) struct Seen(Vec<(Query, Vec<Arc<Value>>)>);

/// What is known in one pass.
pub(super) struct PassWorld<'a> {
    pub(super) known: &'a Known,
    pub(super) seen: &'a Seen,
    pub(super) waits: &'a Waits,
}

impl Known {
    pub(super) fn new(plan: &Plan, caches: &Caches) -> Self {
        let all = |side, types: &Arc<ResourceType>, keeps| {
            caches.get(&Scope { side, types: types.clone(), part: None, keeps })
        };
        let states = Scope {
            side: Side::Service,
            types: Arc::new(ResourceType::secrets()),
            part: Some(Part {
                namespace: plan.state_namespace.clone(),
                label_selector: format!("{}=true", wire::STATE_LABEL),
            }),
            keeps: Keeps::Everything,
        };
        let related = plan.watched();
        let related = related.iter().map(|(side, types)| all(*side, types, keeps(types)));
        Self {
            orders: all(Side::Kcp, &plan.remote, Keeps::Everything),
            copies: all(Side::Service, &plan.local, Keeps::Everything),
            states: caches.get(&states),
            related: related.collect(),
            state_namespace: plan.state_namespace.clone(),
        }
    }

    fn each(&self) -> impl Iterator<Item = &Arc<Cache>> {
        let own = [&self.orders, &self.copies, &self.states];
        own.into_iter().chain(&self.related).map(|followed| &followed.cache)
    }

    pub(super) fn subscribe(&self, listener: &Arc<Listener>) {
        self.each().for_each(|cache| cache.subscribe(listener));
    }

    /// Completes once every cache was filled; cancel-safe.
    pub(super) async fn synced(&self) {
        for cache in self.each() {
            cache.synced().await;
        }
    }

    pub(super) fn orders(&self) -> Vec<OrderKey> {
        self.orders.cache.keys().iter().filter_map(order_key_of).collect()
    }

    /// Everything of the copies' kind on the service cluster.
    pub(super) fn copies(&self) -> impl Iterator<Item = (ObjectKey, Arc<Value>)> + '_ {
        let cache = &self.copies.cache;
        cache.keys().into_iter().filter_map(|key| known(cache.get(&key))?.map(|copy| (key, copy)))
    }

    /// The logical cluster of a workspace, if its path is known.
    pub(super) fn cluster_at(&self, path: &str) -> Option<LogicalClusterName> {
        let is_about_clusters = |cache: &&Arc<Cache>| *cache.scope().types == ResourceType::logical_clusters();
        let cache = self.each().find(is_about_clusters)?;
        cache.keys().into_iter().find_map(|key| {
            let is_it = object::annotation(&*known(cache.get(&key))??, PATH_ANNOTATION) == Some(path);
            match key.place {
                Place::Workspace(cluster) if is_it => Some(cluster),
                _ => None,
            }
        })
    }

    /// The orders that something is remembered of, and that are not there.
    pub(super) fn past_orders(&self, plan: &Plan) -> Vec<OrderKey> {
        let order = |key: &ObjectKey| order_of_state(plan, &*known(self.states.cache.get(key))??);
        let orders = self.states.cache.keys().iter().filter_map(order).collect::<Vec<_>>();
        orders.into_iter().filter(|order| self.order(&plan.order_object(order)).is_none()).collect()
    }

    pub(super) fn states_scope(&self) -> &Scope {
        self.states.cache.scope()
    }

    /// The orders that copies name, whether they are there or not.
    pub(super) fn orders_of_copies(&self) -> Vec<OrderKey> {
        let order = |key: &ObjectKey| match self.copies.cache.get(key) {
            Answer::Known(copy) => order_of(&*copy?),
            Answer::Unread => None,
        };
        self.copies.cache.keys().iter().filter_map(order).collect()
    }

    /// How many orders and copies there are.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.orders.cache.len(), self.copies.cache.copies_len())
    }

    pub(super) fn orders_scope(&self) -> &Scope {
        self.orders.cache.scope()
    }

    pub(super) fn copies_scope(&self) -> &Scope {
        self.copies.cache.scope()
    }

    pub(super) fn wrote(&self, key: &ObjectKey, object: &Value, by: By<'_>) {
        for cache in self.covering(key) {
            cache.wrote(key, object.clone(), by);
        }
    }

    pub(super) fn gone(&self, key: &ObjectKey, uid: Option<&str>, by: By<'_>) {
        for cache in self.covering(key) {
            cache.gone(key, uid, by);
        }
    }

    /// The caches that know the object, each with the version in which it does.
    pub(super) fn versions(&self, key: &ObjectKey) -> Vec<(Arc<Cache>, String)> {
        self.covering(key).filter_map(|cache| Some((cache.clone(), cache.version(key)?))).collect()
    }

    /// Takes in the answer to a query that what was heard of does not answer.
    pub(super) fn looked_up(&self, query: &Query, found: &[Value], by: By<'_>) {
        let (place, types) = match query {
            Query::Object(key) => (&key.place, &key.types),
            Query::List(list) => (&list.place, &list.types),
            Query::Copies(_) => return,
        };
        for object in found {
            let key = ObjectKey {
                place: place.clone(),
                types: types.clone(),
                namespace: object::namespace(object).map(Into::into),
                name: object::name(object).into(),
            };
            for cache in self.covering(&key).filter(|cache| cache.scope().keeps == Keeps::WhatIsAsked) {
                cache.looked_up(&key, object.clone(), by);
            }
        }
    }

    /// Has all of an object kept, whether it is there or not, until it is released as often.
    pub(super) fn ask(&self, key: &ObjectKey) {
        self.covering(key).for_each(|cache| cache.ask(key));
    }

    pub(super) fn release(&self, key: &ObjectKey) {
        self.covering(key).for_each(|cache| cache.release(key));
    }

    /// The order as it was last heard of.
    pub(super) fn order(&self, key: &ObjectKey) -> Option<Arc<Value>> {
        known(self.orders.cache.get(key))?
    }

    /// An object of the copies' kind as it was last heard of.
    pub(super) fn copy(&self, key: &ObjectKey) -> Option<Arc<Value>> {
        known(self.copies.cache.get(key))?
    }

    /// The caches that hold this object if it exists; the first one answers for it.
    fn covering(&self, key: &ObjectKey) -> impl Iterator<Item = &Arc<Cache>> {
        let side = side_of(&key.place);
        let is_state = *self.states.cache.scope().types == *key.types
            && key.place == Place::Service
            && key.namespace.as_ref() == Some(&self.state_namespace)
            && key.name.starts_with(STATE_PREFIX);
        let rest = self.each().filter(move |cache| {
            let scope = cache.scope();
            scope.part.is_none() && scope.side == side && scope.types == key.types
        });
        is_state.then_some(&self.states.cache).into_iter().chain(rest)
    }

    fn heard(&self, query: &Query) -> Option<Vec<Arc<Value>>> {
        match query {
            Query::Object(key) => Some(known(self.covering(key).next()?.get(key))?.into_iter().collect()),
            Query::List(list) => {
                let is_covering = |cache: &&Arc<Cache>| {
                    let scope = cache.scope();
                    scope.part.is_none() && scope.side == side_of(&list.place) && scope.types == list.types
                };
                known(self.each().find(is_covering)?.list(list))
            }
            Query::Copies(order) => Some(self.copies.cache.copies(order)),
        }
    }
}

fn known<T>(answer: Answer<T>) -> Option<T> {
    match answer {
        Answer::Known(known) => Some(known),
        Answer::Unread => None,
    }
}

/// Of each workspace, and of its namespaces, most orders want to know something; of most Secrets
/// of a service cluster none does.
fn keeps(types: &ResourceType) -> Keeps {
    if [ResourceType::namespaces(), ResourceType::logical_clusters()].contains(types) {
        Keeps::Everything
    } else {
        Keeps::WhatIsAsked
    }
}

pub(super) fn side_of(place: &Place) -> Side {
    match place {
        Place::Service => Side::Service,
        Place::Workspace(_) => Side::Kcp,
    }
}

impl Seen {
    pub(super) fn remember(&mut self, query: Query, found: Vec<Arc<Value>>) {
        self.0.retain(|(known, _)| *known != query);
        self.0.push((query, found));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn get(&self, query: &Query) -> Option<Vec<Arc<Value>>> {
        self.0.iter().find(|(known, _)| known == query).map(|(_, found)| found.clone())
    }
}

impl World for PassWorld<'_> {
    fn answer(&self, query: &Query, evidence: Evidence) -> Option<Vec<Arc<Value>>> {
        match evidence {
            Evidence::Heard => self.known.heard(query).or_else(|| self.seen.get(query)),
            Evidence::Seen => self.seen.get(query),
        }
    }

    fn instance(&self) -> &str {
        self.waits.instance()
    }

    fn is_in_doubt(&self, order: &OrderKey) -> bool {
        self.waits.is_in_doubt(order)
    }

    fn is_quiet(&self, order: &OrderKey, part: &str) -> bool {
        self.waits.is_quiet(order, part)
    }
}
