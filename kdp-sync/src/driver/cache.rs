//! The objects of one kind on one side, in memory.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    ops::Bound,
    sync::{Arc, Weak},
};

use kdp_core::api::CLUSTER_ANNOTATION;
use kube::{api::DynamicObject, core::SelectorExt, runtime::watcher::Event};
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::sync::watch;

use super::Shared;
use crate::{
    api::Side,
    engine::{ListQuery, ObjectKey, OrderKey, Place, identity},
    object::{self, ResourceType},
};

/// What a cache covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    pub(super) side: Side,
    pub(super) types: Arc<ResourceType>,
    /// Everything when absent.
    pub(super) part: Option<Part>,
}

/// A part of the objects of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Part {
    pub(super) namespace: String,
    pub(super) label_selector: String,
}

/// An object was written, or is gone.
pub(super) struct Change<'a> {
    pub(super) key: &'a ObjectKey,
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
    state: RwLock<State>,
    listeners: Mutex<Vec<Weak<Listener>>>,
    is_synced: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<Id, Held>,
    /// By the labels that name the order of a copy.
    copies: HashMap<Identity, BTreeSet<Id>>,
    /// Counts full lists.
    epoch: u64,
}

type Id = (Place, Option<String>, String);
type Identity = Vec<(&'static str, String)>;

struct Held {
    object: Arc<Value>,
    /// The full list it was last seen in, or written after.
    epoch: u64,
}

impl Cache {
    pub(super) fn new(scope: Scope) -> Self {
        let is_synced = watch::Sender::new(false);
        Self { scope, state: RwLock::default(), listeners: Mutex::default(), is_synced }
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

    pub(super) fn get(&self, key: &ObjectKey) -> Option<Arc<Value>> {
        Some(self.state.read().objects.get(&id(key))?.object.clone())
    }

    pub(super) fn list(&self, query: &ListQuery) -> Vec<Arc<Value>> {
        let state = self.state.read();
        let from = (query.place.clone(), query.namespace.clone(), String::new());
        let objects = state.objects.range((Bound::Included(from), Bound::Unbounded));
        objects
            .take_while(|((place, namespace, _), _)| {
                *place == query.place && (query.namespace.is_none() || *namespace == query.namespace)
            })
            .filter(|(_, held)| query.selector.matches(&object::labels(&held.object)))
            .map(|(_, held)| held.object.clone())
            .collect()
    }

    /// The objects whose labels say that they are the copy of this order.
    pub(super) fn copies(&self, order: &OrderKey) -> Vec<Arc<Value>> {
        let state = self.state.read();
        let ids = state.copies.get(&identity(order).into_iter().collect::<Vec<_>>());
        ids.into_iter().flatten().map(|id| state.objects[id].object.clone()).collect()
    }

    pub(super) fn keys(&self) -> Vec<ObjectKey> {
        self.state.read().objects.keys().map(|id| self.key(id.clone())).collect()
    }

    /// Takes in an event of the watch.
    pub(super) fn apply(&self, event: Event<DynamicObject>) {
        match event {
            Event::Init => self.state.write().epoch += 1,
            Event::InitApply(object) | Event::Apply(object) => {
                if let Some((id, object)) = self.read(object) {
                    self.put(&id, object, None);
                }
            }
            Event::Delete(object) => {
                if let Some((id, object)) = self.read(object) {
                    self.remove(&id, Some(&object), None);
                }
            }
            Event::InitDone => {
                let state = self.state.read();
                let lost = state.objects.iter().filter(|(_, held)| held.epoch < state.epoch);
                let lost: Vec<Id> = lost.map(|(id, _)| id.clone()).collect();
                drop(state);
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

    /// Takes in that the object is gone.
    pub(super) fn gone(&self, key: &ObjectKey, by: By<'_>) {
        self.remove(&id(key), None, Some(by));
    }

    fn put(&self, id: &Id, object: Value, by: Option<By<'_>>) {
        let object = Arc::new(object);
        let before = {
            let mut state = self.state.write();
            let epoch = state.epoch;
            if let Some(held) = state.objects.get_mut(id)
                && !is_newer(&object, &held.object)
            {
                held.epoch = epoch;
                return;
            }
            let before = state.objects.insert(id.clone(), Held { object: object.clone(), epoch });
            let before = before.map(|held| held.object);
            state.reindex(id, before.as_ref(), Some(&object));
            before
        };
        self.tell(id, before.as_ref(), Some(&object), by);
    }

    fn remove(&self, id: &Id, last: Option<&Value>, by: Option<By<'_>>) {
        let before = {
            let mut state = self.state.write();
            // The deletion of an object whose name was given to a new one since.
            let is_other = |held: &Held| last.is_some_and(|last| object::uid(last) != object::uid(&held.object));
            if state.objects.get(id).is_none_or(is_other) {
                return;
            }
            let before = state.objects.remove(id).map(|held| held.object);
            state.reindex(id, before.as_ref(), None);
            before
        };
        self.tell(id, before.as_ref(), None, by);
    }

    fn tell(&self, id: &Id, before: Option<&Arc<Value>>, after: Option<&Arc<Value>>, by: Option<By<'_>>) {
        let listeners: Vec<_> = self.listeners.lock().iter().filter_map(Weak::upgrade).collect();
        let key = self.key(id.clone());
        for listener in listeners {
            listener(&self.scope, &Change { key: &key, before, after, by });
        }
    }

    /// An object of the watch; `None` when the control plane does not say whose it is.
    fn read(&self, mut object: DynamicObject) -> Option<(Id, Value)> {
        object.metadata.managed_fields = None;
        let object = match serde_json::to_value(object) {
            Ok(object) => self.normal(object),
            Err(error) => {
                tracing::error!(kind = %self.scope.types.kind, %error, "watch.unreadable");
                return None;
            }
        };
        let place = match self.scope.side {
            Side::Service => Place::Service,
            Side::Kcp => Place::Workspace(object::annotation(&object, CLUSTER_ANNOTATION)?.parse().ok()?),
        };
        let id = (place, object::namespace(&object).map(Into::into), object::name(&object).to_owned());
        Some((id, object))
    }

    /// Items of lists do not say their kind, and who manages which field is of no interest.
    fn normal(&self, mut object: Value) -> Value {
        object["apiVersion"] = self.scope.types.api_version().into();
        object["kind"] = self.scope.types.kind.clone().into();
        object::child(&mut object, "metadata").remove("managedFields");
        object
    }

    fn key(&self, (place, namespace, name): Id) -> ObjectKey {
        ObjectKey { place, types: self.scope.types.clone(), namespace, name }
    }
}

impl State {
    fn reindex(&mut self, id: &Id, before: Option<&Arc<Value>>, after: Option<&Arc<Value>>) {
        let (before, after) = (before.and_then(|o| identity_of(o)), after.and_then(|o| identity_of(o)));
        if before == after {
            return;
        }
        if let Some(before) = before
            && let Some(ids) = self.copies.get_mut(&before)
        {
            ids.remove(id);
            if ids.is_empty() {
                self.copies.remove(&before);
            }
        }
        if let Some(after) = after {
            self.copies.entry(after).or_default().insert(id.clone());
        }
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

/// The labels that name the order of a copy, as far as they are there.
fn identity_of(object: &Value) -> Option<Identity> {
    let labels = crate::wire::IDENTITY_LABELS.iter();
    let found: Identity = labels.filter_map(|key| Some((*key, object::label(object, key)?.to_owned()))).collect();
    (!found.is_empty()).then_some(found)
}

/// Whether the version is another one, and not an older one of the same object.
fn is_newer(new: &Value, old: &Value) -> bool {
    let revision = |object| object::resource_version(object).and_then(|version| version.parse::<u64>().ok());
    match (revision(new), revision(old)) {
        (Some(new_revision), Some(old_revision)) if object::uid(new) == object::uid(old) => new_revision > old_revision,
        _ => object::resource_version(new) != object::resource_version(old) || object::uid(new) != object::uid(old),
    }
}

#[cfg(test)]
mod tests;
