//! Hands each event to the watches that want it.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

use super::{Event, Watch, WatchSender};

/// How many events may wait for a reader: several times what a store shows at once, so that a reader
/// who is merely not on the processor is not cut off. Room is taken only as events wait.
const CAPACITY: usize = 16 << 10;

/// The open watches.
#[derive(Default)]
pub(super) struct Hub {
    watchers: Mutex<Watchers>,
}

/// By prefix, so that an event costs a look-up for each slash in its key and nothing for the
/// watches of other prefixes.
#[derive(Default)]
struct Watchers {
    by_prefix: HashMap<Arc<str>, Vec<Watcher>>,
    next_id: u64,
}

struct Watcher {
    id: u64,
    sender: WatchSender,
}

impl Hub {
    /// A watch that gets `replay` first and then what is published from now on.
    pub(super) fn watch(self: &Arc<Self>, prefix: &str, replay: Vec<Arc<Event>>) -> Watch {
        let (sender, watch) = Watch::channel(replay, CAPACITY);
        let mut watchers = self.watchers.lock();
        let id = watchers.next_id;
        watchers.next_id += 1;
        let prefix = match watchers.by_prefix.get_key_value(prefix) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(prefix),
        };
        watchers.by_prefix.entry(Arc::clone(&prefix)).or_default().push(Watcher { id, sender });
        watch.with_guard(Registration { hub: Arc::downgrade(self), prefix, id })
    }

    /// Queues events, in order, wherever they are wanted. Never waits for a reader.
    pub(super) fn publish(&self, events: Vec<Event>) {
        let mut watchers = self.watchers.lock();
        if watchers.by_prefix.is_empty() {
            return;
        }
        for event in events.into_iter().map(Arc::new) {
            for prefix in prefixes(&event.key) {
                watchers.send(prefix, &event);
            }
        }
    }

    /// Ends all watches.
    pub(super) fn close(&self) {
        self.watchers.lock().by_prefix.clear();
    }
}

impl Watchers {
    fn send(&mut self, prefix: &str, event: &Arc<Event>) {
        self.retain(prefix, |watcher| watcher.sender.send(Arc::clone(event)));
    }

    fn retain(&mut self, prefix: &str, keep: impl FnMut(&mut Watcher) -> bool) {
        let Some(watchers) = self.by_prefix.get_mut(prefix) else { return };
        watchers.retain_mut(keep);
        if watchers.is_empty() {
            self.by_prefix.remove(prefix);
        }
    }
}

/// Takes a watch out of the hub when its reader drops it.
struct Registration {
    hub: Weak<Hub>,
    prefix: Arc<str>,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.watchers.lock().retain(&self.prefix, |watcher| watcher.id != self.id);
        }
    }
}

/// Every prefix that a watch for this key can have.
fn prefixes(key: &str) -> impl Iterator<Item = &str> {
    std::iter::once("").chain(key.match_indices('/').map(|(slash, _)| &key[..=slash]))
}
