//! What a sync knows of both sides.

use std::sync::Arc;

use serde_json::Value;

use super::{
    cache::{By, Cache, Listener, Part, Scope},
    caches::{Caches, Followed},
    order_key_of,
};
use crate::{
    api::Side,
    engine::{Evidence, ObjectKey, OrderKey, Place, Plan, Query, STATE_PREFIX, World, order_of},
    object::ResourceType,
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
}

impl Known {
    pub(super) fn new(plan: &Plan, caches: &Caches) -> Self {
        let all = |side, types: &Arc<ResourceType>| caches.get(&Scope { side, types: types.clone(), part: None });
        let states = Scope {
            side: Side::Service,
            types: Arc::new(ResourceType::secrets()),
            part: Some(Part {
                namespace: plan.state_namespace.clone(),
                label_selector: format!("{}=true", wire::STATE_LABEL),
            }),
        };
        Self {
            orders: all(Side::Kcp, &plan.remote),
            copies: all(Side::Service, &plan.local),
            states: caches.get(&states),
            related: plan.watched().iter().map(|(side, types)| all(*side, types)).collect(),
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

    /// The orders that copies name, whether they are there or not.
    pub(super) fn orders_of_copies(&self) -> Vec<OrderKey> {
        let keys = self.copies.cache.keys();
        keys.iter().filter_map(|key| order_of(&*self.copies.cache.get(key)?)).collect()
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

    pub(super) fn gone(&self, key: &ObjectKey, by: By<'_>) {
        for cache in self.covering(key) {
            cache.gone(key, by);
        }
    }

    /// The order as it was last heard of.
    pub(super) fn order(&self, key: &ObjectKey) -> Option<Arc<Value>> {
        self.orders.cache.get(key)
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
            Query::Object(key) => Some(self.covering(key).next()?.get(key).into_iter().collect()),
            Query::List(list) => {
                let is_covering = |cache: &&Arc<Cache>| {
                    let scope = cache.scope();
                    scope.part.is_none() && scope.side == side_of(&list.place) && scope.types == list.types
                };
                Some(self.each().find(is_covering)?.list(list))
            }
            Query::Copies(order) => Some(self.copies.cache.copies(order)),
        }
    }
}

fn side_of(place: &Place) -> Side {
    match place {
        Place::Service => Side::Service,
        Place::Workspace(_) => Side::Kcp,
    }
}

impl Seen {
    pub(super) fn remember(&mut self, query: Query, found: Vec<Value>) {
        self.0.retain(|(known, _)| *known != query);
        self.0.push((query, found.into_iter().map(Arc::new).collect()));
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
}
