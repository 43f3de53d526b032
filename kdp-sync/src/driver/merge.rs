//! Makes one stream of events out of those of several addresses.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use kube::runtime::watcher::Event;

use super::{
    cache::Cache,
    endpoints::{Address, Endpoints},
    sent::Sent,
};
use crate::engine::{ObjectKey, Place};

/// Feeds a cache from the watches of all addresses.
///
/// The cache counts as filled once every address was listed, and there is at least one. What an
/// address has ever told stays when the address goes, and only a new list of it can take that away:
/// objects out of reach must not look deleted.
pub(super) struct Merge {
    cache: Arc<Cache>,
    endpoints: Endpoints,
    state: State,
}

/// What is known between two events.
#[derive(Debug, Default)]
struct State {
    current: BTreeSet<Address>,
    listed: BTreeSet<Address>,
    /// What was known of an address when its list began, and is not in it so far.
    unlisted: BTreeMap<Address, HashMap<ObjectKey, String>>,
    is_filled: bool,
}

impl Merge {
    pub(super) fn new(cache: Arc<Cache>, endpoints: Endpoints) -> Self {
        cache.apply(Event::Init);
        Self { cache, endpoints, state: State::default() }
    }

    /// Takes in which addresses there are now.
    pub(super) fn follow(&mut self, addresses: BTreeSet<Address>) {
        let State { current, listed, unlisted, .. } = &mut self.state;
        listed.retain(|address| addresses.contains(address));
        unlisted.retain(|address, _| addresses.contains(address));
        *current = addresses;
        self.fill();
    }

    /// Takes in an event of the watch at an address.
    pub(super) fn hear(&mut self, address: &Address, event: Event<Sent>) {
        if !self.state.current.contains(address) {
            return;
        }
        match event {
            Event::Init => {
                let known = self.known_at(address);
                self.state.unlisted.insert(address.clone(), known);
            }
            Event::InitApply(mut object) | Event::Apply(mut object) => {
                object.cluster = address.only().cloned();
                let Some(key) = self.cache.key_of(&object) else { return };
                if let Place::Workspace(cluster) = &key.place {
                    self.endpoints.heard(cluster, address);
                }
                if let Some(unlisted) = self.state.unlisted.get_mut(address) {
                    unlisted.remove(&key);
                }
                self.cache.apply(Event::Apply(object));
            }
            Event::Delete(mut object) => {
                object.cluster = address.only().cloned();
                let key = self.cache.key_of(&object);
                // A workspace that has moved is told of by its new address.
                if key.is_some_and(|key| self.lives_at(&key, address)) {
                    self.cache.apply(Event::Delete(object));
                }
            }
            Event::InitDone => {
                let lost = self.state.unlisted.remove(address).unwrap_or_default();
                // What was written meanwhile is left to the watch.
                lost.iter().for_each(|(key, version)| self.cache.lost(key, version, None));
                self.state.listed.insert(address.clone());
                self.fill();
            }
        }
    }

    fn fill(&mut self) {
        let State { current, listed, is_filled, .. } = &mut self.state;
        if !*is_filled && !current.is_empty() && listed.is_superset(current) {
            *is_filled = true;
            self.cache.apply(Event::InitDone);
        }
    }

    fn known_at(&self, address: &Address) -> HashMap<ObjectKey, String> {
        let keys = self.cache.keys().into_iter().filter(|key| self.lives_at(key, address));
        keys.filter_map(|key| Some((self.cache.version(&key)?, key))).map(|(version, key)| (key, version)).collect()
    }

    fn lives_at(&self, key: &ObjectKey, address: &Address) -> bool {
        matches!(&key.place, Place::Workspace(cluster) if self.endpoints.lives_at(cluster, address))
    }
}

#[cfg(test)]
pub(super) mod tests;
