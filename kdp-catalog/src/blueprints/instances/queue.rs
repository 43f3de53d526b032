//! When to look at which instance.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

use kdp_core::{Error, LogicalClusterName, api::CLUSTER_ANNOTATION, reconcile::backoff};
use kube::{ResourceExt, api::DynamicObject};
use tokio::time::Instant;

use super::reconcile::Next;

/// How many times the pause of an instance that is ready has been doubled: a minute.
const SETTLED: u32 = 16;

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) cluster: LogicalClusterName,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

impl Key {
    /// The instance an object is; none when the API server does not say in which workspace it is.
    pub(super) fn of(object: &DynamicObject) -> Option<Self> {
        let cluster = object.annotations().get(CLUSTER_ANNOTATION)?.parse().ok()?;
        Some(Self { cluster, namespace: object.namespace(), name: object.name_any() })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.cluster, self.namespace.as_deref().unwrap_or_default(), self.name)
    }
}

#[derive(Debug, Default)]
struct Entry {
    due: Option<Instant>,
    is_running: bool,
    /// Something was heard while it was being looked at.
    is_dirty: bool,
    looks: u32,
}

/// All known instances; none is looked at twice at the same time.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: HashMap<Key, Entry>,
    due: BTreeSet<(Instant, Key)>,
}

impl Queue {
    pub(super) fn hear(&mut self, key: Option<Key>, now: Instant) {
        let Some(key) = key else { return };
        let entry = self.entries.entry(key.clone()).or_default();
        if entry.is_running {
            entry.is_dirty = true;
        } else {
            self.plan(key, now);
        }
    }

    pub(super) fn forget(&mut self, key: Option<Key>) {
        let Some(key) = key else { return };
        match self.entries.get_mut(&key) {
            // What it does now is told when it is done.
            Some(entry) if entry.is_running => entry.is_dirty = true,
            Some(entry) => {
                if let Some(due) = entry.due.take() {
                    self.due.remove(&(due, key.clone()));
                }
                self.entries.remove(&key);
            }
            None => {}
        }
    }

    pub(super) fn all_are_due(&mut self) {
        let now = Instant::now();
        let keys: Vec<_> = self.entries.iter().filter(|(_, e)| !e.is_running).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.plan(key, now);
        }
    }

    /// The instance to look at now; it is to be given back by [`done`](Self::done).
    pub(super) fn next(&mut self, now: Instant) -> Option<Key> {
        let (due, _) = self.due.first()?;
        if *due > now {
            return None;
        }
        let (_, key) = self.due.pop_first()?;
        let entry = self.entries.get_mut(&key)?;
        entry.due = None;
        entry.is_running = true;
        entry.is_dirty = false;
        Some(key)
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    pub(super) fn done(&mut self, key: Key, result: &Result<Next, Error>, now: Instant) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        entry.is_running = false;
        let pause = match result {
            Ok(Next::Gone) if !entry.is_dirty => {
                self.entries.remove(&key);
                return;
            }
            Ok(Next::Settled) => {
                entry.looks = 0;
                backoff(SETTLED)
            }
            Ok(Next::Progressed) => {
                entry.looks = 1;
                backoff(1)
            }
            Ok(Next::Gone | Next::Waits) | Err(_) => {
                entry.looks = entry.looks.saturating_add(1);
                backoff(entry.looks)
            }
        };
        // Its own writes are heard, too; they must not end the pause of what fails.
        let pause = if entry.is_dirty { pause.min(backoff(entry.looks.max(1))) } else { pause };
        self.plan(key, now + pause);
    }

    fn plan(&mut self, key: Key, at: Instant) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        if let Some(due) = entry.due.replace(at) {
            self.due.remove(&(due, key.clone()));
        }
        self.due.insert((at, key));
    }
}

#[cfg(test)]
mod tests;
