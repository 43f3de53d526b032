//! The objects of one kind on one side, in memory.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use kdp_core::api::CLUSTER_ANNOTATION;
use kube::runtime::watcher::Event;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;

use super::{
    Shared,
    sent::Sent,
    store::{Answer, Id, Store},
};
use crate::{
    api::Side,
    engine::{ListQuery, ObjectKey, OrderKey, Place},
    object::{self, ResourceType},
};

/// What a cache covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    pub(super) side: Side,
    pub(super) types: Arc<ResourceType>,
    /// Everything when absent.
    pub(super) part: Option<Part>,
    pub(super) keeps: Keeps,
}

/// A part of the objects of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Part {
    pub(super) namespace: String,
    pub(super) label_selector: String,
}

/// What a cache keeps of the objects it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Keeps {
    /// All of each.
    Everything,
    /// All of those that orders ask about; of the others, beyond a little, name and labels only:
    /// most objects of such a kind have nothing to do with any order.
    WhatIsAsked,
}

/// An object was written, or is gone.
pub(super) struct Change<'a> {
    pub(super) key: &'a ObjectKey,
    /// What was known of it; of an object that nobody asked about, perhaps name and labels only.
    pub(super) before: Option<&'a Arc<Value>>,
    pub(super) after: Option<&'a Arc<Value>>,
    /// The order in whose pass it was written, when it is known.
    pub(super) by: Option<By<'a>>,
}

/// A pass of an order.
#[derive(Clone, Copy)]
pub(super) struct By<'a> {
    pub(super) sync: &'a Shared,
    pub(super) order: &'a OrderKey,
}

/// Told about every change, one at a time; must be quick.
pub(super) type Listener = dyn Fn(&Scope, &Change<'_>) + Send + Sync;

/// The objects of one kind on one side, as a watch tells them.
///
/// What is written is put here from the answer, so a decision after a write sees it; the event of
/// the watch then changes nothing.
pub(super) struct Cache {
    scope: Scope,
    store: Mutex<Store>,
    listeners: Mutex<Vec<Weak<Listener>>>,
    is_synced: watch::Sender<bool>,
}

impl Cache {
    pub(super) fn new(scope: Scope) -> Self {
        let has_copies = scope.side == Side::Service && scope.part.is_none() && scope.keeps == Keeps::Everything;
        let store = Mutex::new(Store::new(scope.keeps, has_copies));
        Self { scope, store, listeners: Mutex::default(), is_synced: watch::Sender::new(false) }
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) fn subscribe(&self, listener: &Arc<Listener>) {
        let mut listeners = self.listeners.lock();
        listeners.retain(|listener| listener.strong_count() > 0);
        listeners.push(Arc::downgrade(listener));
    }

    /// Completes once everything was listed; cancel-safe.
    pub(super) async fn synced(&self) {
        // The sender lives as long as the cache.
        let _ = self.is_synced.subscribe().wait_for(|synced| *synced).await;
    }

    /// The object; `Unread` when it is there, but all of it is not known.
    pub(super) fn get(&self, key: &ObjectKey) -> Answer<Option<Arc<Value>>> {
        self.store.lock().get(&id(key))
    }

    /// The objects; `Unread` when all of one of them is not known.
    pub(super) fn list(&self, query: &ListQuery) -> Answer<Vec<Arc<Value>>> {
        self.store.lock().list(&query.place, query.namespace.as_ref(), &query.selector)
    }

    /// The objects whose labels say that they are the copy of this order.
    pub(super) fn copies(&self, order: &OrderKey) -> Vec<Arc<Value>> {
        self.store.lock().copies(order)
    }

    pub(super) fn len(&self) -> usize {
        self.store.lock().len()
    }

    /// How many orders have a copy here.
    pub(super) fn copies_len(&self) -> usize {
        self.store.lock().copies_len()
    }

    pub(super) fn keys(&self) -> Vec<ObjectKey> {
        self.store.lock().ids().map(|id| self.key(id.clone())).collect()
    }

    /// The version of an object that is known.
    pub(super) fn version(&self, key: &ObjectKey) -> Option<String> {
        self.store.lock().version(&id(key)).map(ToOwned::to_owned)
    }

    /// Takes in that the object was not there, unless another version than this is known.
    pub(super) fn lost(&self, key: &ObjectKey, version: &str, by: Option<By<'_>>) {
        let id = id(key);
        let removed = self.store.lock().remove_version(&id, version);
        if let Some(before) = removed {
            self.tell(&id, Some(&before), None, by);
        }
    }

    /// What an object of the watch is; `None` when the control plane does not say whose it is.
    pub(super) fn key_of(&self, sent: &Sent) -> Option<ObjectKey> {
        self.id_of(sent).map(|id| self.key(id))
    }

    /// From now on all of the object is kept, until it was [released](Self::release) as often.
    pub(super) fn ask(&self, key: &ObjectKey) {
        self.store.lock().ask(id(key));
    }

    pub(super) fn release(&self, key: &ObjectKey) {
        self.store.lock().release(&id(key));
    }

    /// Takes in an event of the watch.
    pub(super) fn apply(&self, event: Event<Sent>) {
        match event {
            Event::Init => self.store.lock().begin_list(),
            Event::InitApply(sent) | Event::Apply(sent) => {
                if let Some((id, object)) = self.read(sent) {
                    self.put(&id, object, None);
                }
            }
            Event::Delete(sent) => {
                if let Some((id, object)) = self.read(sent) {
                    self.remove(&id, object::uid(&object), None);
                }
            }
            Event::InitDone => {
                let lost = self.store.lock().unlisted();
                for id in lost {
                    self.remove(&id, None, None);
                }
                self.is_synced.send_replace(true);
            }
        }
    }

    /// Takes in what the API server answered to a write.
    pub(super) fn wrote(&self, key: &ObjectKey, object: Value, by: By<'_>) {
        self.put(&id(key), self.normal(object), Some(by));
    }

    /// Takes in what was read, because all of the object was not known.
    pub(super) fn looked_up(&self, key: &ObjectKey, object: Value, by: By<'_>) {
        let (id, object) = (id(key), self.normal(object));
        if !self.store.lock().complete(&id, &object) {
            self.put(&id, object, Some(by));
        }
    }

    /// Takes in that the object is gone. One that has the name by now stays.
    pub(super) fn gone(&self, key: &ObjectKey, uid: Option<&str>, by: By<'_>) {
        self.remove(&id(key), uid, Some(by));
    }

    fn put(&self, id: &Id, object: Value, by: Option<By<'_>>) {
        let object = Arc::new(object);
        let put = self.store.lock().put(id, &object);
        if let Some(before) = put {
            self.tell(id, before.as_ref(), Some(&object), by);
        }
    }

    fn remove(&self, id: &Id, uid: Option<&str>, by: Option<By<'_>>) {
        let removed = self.store.lock().remove(id, uid);
        if let Some(before) = removed {
            self.tell(id, Some(&before), None, by);
        }
    }

    fn tell(&self, id: &Id, before: Option<&Arc<Value>>, after: Option<&Arc<Value>>, by: Option<By<'_>>) {
        let listeners: Vec<_> = self.listeners.lock().iter().filter_map(Weak::upgrade).collect();
        let key = self.key(id.clone());
        for listener in listeners {
            listener(&self.scope, &Change { key: &key, before, after, by });
        }
    }

    /// An object of the watch; `None` when the control plane does not say whose it is.
    fn read(&self, sent: Sent) -> Option<(Id, Value)> {
        Some((self.id_of(&sent)?, self.normal(sent.object)))
    }

    fn id_of(&self, Sent { object, cluster, .. }: &Sent) -> Option<Id> {
        let told = || object::annotation(object, CLUSTER_ANNOTATION)?.parse().ok();
        let place = match self.scope.side {
            Side::Service => Place::Service,
            Side::Kcp => Place::Workspace(cluster.clone().or_else(told)?),
        };
        Some((place, object::namespace(object).map(Into::into), object::name(object).to_owned()))
    }

    /// Items of lists do not say their kind.
    fn normal(&self, mut object: Value) -> Value {
        object["apiVersion"] = self.scope.types.api_version().into();
        object["kind"] = self.scope.types.kind.clone().into();
        object
    }

    fn key(&self, (place, namespace, name): Id) -> ObjectKey {
        ObjectKey { place, types: self.scope.types.clone(), namespace, name }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("scope", &self.scope).finish_non_exhaustive()
    }
}

fn id(key: &ObjectKey) -> Id {
    (key.place.clone(), key.namespace.clone(), key.name.clone())
}

#[cfg(test)]
mod tests;
