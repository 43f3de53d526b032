//! Hands the events of one resource, in all logical clusters, to the watches that want them.
//!
//! Keys start with the logical cluster, so the store cannot watch one resource across all of them but
//! by watching everything. The index does that once, and passes each event on here; a watch costs what
//! it is about, not what the whole control plane writes.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

use super::{key::ParsedKey, surface::ExportId};
use crate::store::{Event, Revision, SharedStore, StoreError, Watch, WatchSender};

/// How many events may wait for a reader before it is cut off, as in the stores.
const CAPACITY: usize = 16 << 10;

/// What a watch wants to hear of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Topics {
    /// Objects of a resource, in every logical cluster.
    pub(crate) resource: Option<(String, String)>,
    /// APIBindings in the logical clusters that bind an export.
    pub(crate) bindings_of: Option<ExportId>,
}

/// The open watches.
#[derive(Debug, Default)]
pub(crate) struct Fanout {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Everything up to here was passed on; of this revision itself perhaps only a part.
    published: Revision,
    readers: HashMap<u64, Reader>,
    by_resource: HashMap<Arc<str>, Vec<u64>>,
    by_export: HashMap<ExportId, Vec<u64>>,
    next_id: u64,
}

#[derive(Debug)]
struct Reader {
    sender: WatchSender,
    /// Events up to this revision were given to it from the store's history.
    replayed: Revision,
    resource: Option<Arc<str>>,
    bindings_of: Option<ExportId>,
}

impl Fanout {
    /// Ends all watches, as events may have been missed, and goes on after `revision`.
    pub(crate) fn restart(&self, revision: Revision) {
        *self.inner.lock() = Inner { published: revision, ..Inner::default() };
    }

    /// Passes an event on. `exports` says which exports its logical cluster binds, when it is one of
    /// an APIBinding. Never waits for a reader.
    pub(crate) fn publish(&self, event: &Arc<Event>, exports: impl FnOnce() -> Vec<ExportId>) {
        let mut inner = self.inner.lock();
        inner.published = event.revision;
        let mut readers = resource_of(&event.key).and_then(|r| inner.by_resource.get(r).cloned()).unwrap_or_default();
        if !inner.by_export.is_empty() && is_binding(event) {
            readers.extend(exports().iter().filter_map(|export| inner.by_export.get(export)).flatten());
            readers.sort_unstable();
            readers.dedup();
        }
        for id in readers {
            let Some(reader) = inner.readers.get_mut(&id) else { continue };
            if event.revision > reader.replayed && !reader.sender.send(event.clone()) {
                inner.remove(id);
            }
        }
    }

    /// A watch of `topics` from the revision `after` on. Its past comes from the store, and may hold
    /// events of other logical clusters' bindings.
    ///
    /// # Errors
    /// As [`crate::store::Store::watch`].
    pub(crate) async fn watch(
        self: &Arc<Self>,
        store: &SharedStore,
        topics: &Topics,
        after: Revision,
    ) -> Result<Watch, StoreError> {
        let mut replay = Vec::new();
        let mut reached = after.min(store.revision());
        loop {
            let newest = store.revision();
            if reached < newest {
                let mut past = store.watch("", reached).await?;
                // All of it is in the watch already, as the store promises.
                while let Some(Ok(event)) = past.try_next() {
                    if event.revision > newest {
                        break;
                    }
                    if topics.want(&event) {
                        replay.push(event);
                    }
                }
                reached = newest;
            }
            {
                let mut inner = self.inner.lock();
                // Else events were passed on meanwhile that are neither in `replay` nor still to come.
                if inner.published <= reached {
                    let (sender, watch) = Watch::channel(replay, CAPACITY);
                    let id = inner.add(sender, reached, topics);
                    return Ok(watch.with_guard(Registration { fanout: Arc::downgrade(self), id }));
                }
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Inner {
    fn add(&mut self, sender: WatchSender, replayed: Revision, topics: &Topics) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let resource = topics.resource.as_ref().map(|(group, plural)| Arc::from(topic(group, plural)));
        if let Some(resource) = &resource {
            self.by_resource.entry(Arc::clone(resource)).or_default().push(id);
        }
        if let Some(export) = &topics.bindings_of {
            self.by_export.entry(export.clone()).or_default().push(id);
        }
        self.readers.insert(id, Reader { sender, replayed, resource, bindings_of: topics.bindings_of.clone() });
        id
    }

    fn remove(&mut self, id: u64) {
        let Some(reader) = self.readers.remove(&id) else { return };
        if let Some(resource) = reader.resource
            && let Some(ids) = self.by_resource.get_mut(&resource)
        {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_resource.remove(&resource);
            }
        }
        if let Some(export) = reader.bindings_of
            && let Some(ids) = self.by_export.get_mut(&export)
        {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_export.remove(&export);
            }
        }
    }
}

impl Topics {
    fn want(&self, event: &Event) -> bool {
        let is_resource = self
            .resource
            .as_ref()
            .is_some_and(|(group, plural)| ParsedKey::parse(&event.key).is_some_and(|key| key.is(group, plural)));
        is_resource || (self.bindings_of.is_some() && is_binding(event))
    }
}

fn is_binding(event: &Event) -> bool {
    resource_of(&event.key) == Some("apis.kcp.io/apibindings")
}

/// The part of a key that names the resource.
fn resource_of(key: &str) -> Option<&str> {
    let mut slashes = key.match_indices('/').map(|(slash, _)| slash);
    let (first, _, third) = (slashes.next()?, slashes.next()?, slashes.next()?);
    Some(&key[first + 1..third])
}

/// The same, as [`ResourceKey`](super::key::ResourceKey) writes it.
fn topic(group: &str, plural: &str) -> String {
    let group = if group.is_empty() { super::key::CORE } else { group };
    format!("{group}/{plural}")
}

/// Takes a watch out of the fan-out when its reader drops it.
struct Registration {
    fanout: Weak<Fanout>,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(fanout) = self.fanout.upgrade() {
            fanout.inner.lock().remove(self.id);
        }
    }
}
