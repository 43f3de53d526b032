//! Every kept version of every key, in memory, in key order.
//!
//! Pure and synchronous: the stores around it add locks, watchers and durability. Old versions are
//! forgotten as new ones come, so that no operation ever visits all keys to make room.

#[cfg(test)]
mod tests;
mod versions;

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::Arc,
};

use self::versions::{Version, Versions};
use super::{Change, Entry, Event, RangePage, RangeQuery, Revision, StoreError};

/// How much history a store keeps; the tighter limit decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct History {
    /// How many revisions before the newest one can be read and watched from.
    pub revisions: u64,
    /// About how many bytes of memory the versions take that were replaced or deleted.
    pub bytes: u64,
}

impl Default for History {
    fn default() -> Self {
        Self { revisions: 100_000, bytes: 128 << 20 }
    }
}

impl History {
    /// Keeps this many revisions.
    #[must_use]
    pub fn with_revisions(self, revisions: u64) -> Self {
        Self { revisions, ..self }
    }

    /// Keeps about this many bytes.
    #[must_use]
    pub fn with_bytes(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }
}

/// The index.
pub(super) struct Index {
    keys: BTreeMap<Arc<str>, Versions>,
    /// The changes whose effect on older versions was not yet cleaned up, oldest first: what a
    /// watch replays, and what pruning has still to visit.
    changes: VecDeque<(Revision, Arc<str>)>,
    revision: Revision,
    /// The oldest revision that can be read.
    oldest: Revision,
    /// A revision that must stay readable although `oldest` may pass it.
    pinned: Option<Revision>,
    history: History,
    live_bytes: u64,
    superseded_bytes: u64,
}

impl Index {
    /// An index without keys, at revision 1.
    pub(super) fn new(history: History) -> Self {
        Self::restore(history, Revision(1), [])
    }

    /// An index of these entries, without history, at this revision.
    pub(super) fn restore(history: History, revision: Revision, entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut live_bytes = 0;
        let keys = entries
            .into_iter()
            .map(|Entry { key, value, created, modified }| {
                live_bytes += live_size(&key, &value);
                (key, Versions::new(Version { created, modified, value: Some(value) }))
            })
            .collect();
        Self {
            keys,
            changes: VecDeque::new(),
            revision,
            oldest: revision,
            pinned: None,
            history,
            live_bytes,
            superseded_bytes: 0,
        }
    }

    /// The newest revision.
    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    /// About how many bytes a snapshot of the newest revision takes on disk.
    pub(super) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// What a key holds now.
    pub(super) fn get(&self, key: &str) -> Option<Entry> {
        let (key, versions) = self.keys.get_key_value(key)?;
        versions.newest().entry(key)
    }

    /// See [`super::Store::range`].
    pub(super) fn range(&self, query: &RangeQuery) -> Result<RangePage, StoreError> {
        let revision = query.revision.unwrap_or(self.revision);
        self.check_kept(revision)?;
        let mut found = self.at(revision, &query.prefix, query.start.as_ref().map(String::as_str));
        let limit = query.limit.unwrap_or(usize::MAX);
        let entries = found.by_ref().take(limit).filter_map(|(key, version)| version.entry(key)).collect();
        Ok(RangePage { entries, revision, remaining: found.take(RangePage::COUNTED).count() })
    }

    /// The next entries after a key, of about this size together, at the pinned revision.
    pub(super) fn chunk(&self, pinned: Revision, after: Option<&str>, bytes: u64) -> Vec<Entry> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.at(pinned, "", start).filter_map(|(key, version)| version.entry(key));
        let room_before = entries.scan(bytes, |left, entry| {
            let room = *left;
            *left = left.saturating_sub(live_size(&entry.key, &entry.value));
            (room > 0).then_some(entry)
        });
        room_before.collect()
    }

    /// The keys that held something at a revision, and what.
    fn at<'a>(
        &'a self,
        revision: Revision,
        prefix: &'a str,
        start: Bound<&str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Version)> {
        let first = match start {
            Bound::Included(key) | Bound::Excluded(key) if key >= prefix => start,
            _ => Bound::Included(prefix),
        };
        self.keys
            .range::<str, _>((first, Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .filter_map(move |(key, versions)| Some((key, versions.at(revision)?)))
            .filter(|(_, version)| version.value.is_some())
    }

    /// The changes under a prefix that came after a revision, oldest first.
    pub(super) fn replay(&self, prefix: &str, after: Revision) -> Result<Vec<Arc<Event>>, StoreError> {
        self.check_kept(after)?;
        let first = self.changes.partition_point(|(revision, _)| *revision <= after);
        let wanted = self.changes.range(first..).filter(|(_, key)| key.starts_with(prefix));
        Ok(wanted.map(|(revision, key)| Arc::new(self.event(*revision, key))).collect())
    }

    /// The change of a key at a revision after the oldest one kept.
    fn event(&self, revision: Revision, key: &Arc<str>) -> Event {
        let versions = self.keys.get(key).expect("a key with versions after the oldest revision stays");
        let entry = versions.at(revision).and_then(|version| version.entry(key));
        let previous = versions.before(revision).and_then(|version| version.entry(key));
        Event { key: Arc::clone(key), entry, previous, revision }
    }

    /// Makes changes, as they were decided, at the next revision.
    pub(super) fn apply(&mut self, changes: Vec<Change>) -> Vec<Event> {
        let revision = Revision(self.revision.0 + 1);
        let events: Vec<_> = changes.into_iter().map(|change| self.change(revision, change)).collect();
        self.revision = revision;
        self.age(events.len());
        events
    }

    fn change(&mut self, revision: Revision, change: Change) -> Event {
        let (name, value) = match change {
            Change::Put(key, value) => (key, Some(value)),
            Change::Delete(key) => (key, None),
        };
        let exactly = (Bound::Included(name.as_str()), Bound::Included(name.as_str()));
        let version = |created| Version { created, modified: revision, value };
        let found = self.keys.range_mut::<str, _>(exactly).next();
        let (key, entry, previous) = match found {
            Some((key, versions)) => {
                let previous = versions.newest().entry(key);
                let version = version(previous.as_ref().map_or(revision, |entry| entry.created));
                let entry = version.entry(key);
                self.superseded_bytes += versions.newest().size();
                versions.push(version);
                (Arc::clone(key), entry, previous)
            }
            None => {
                let key = Arc::<str>::from(name.as_str());
                let version = version(revision);
                let entry = version.entry(&key);
                self.keys.insert(Arc::clone(&key), Versions::new(version));
                (key, entry, None)
            }
        };
        self.live_bytes += entry.as_ref().map_or(0, |entry| live_size(&key, &entry.value));
        self.live_bytes -= previous.as_ref().map_or(0, |entry| live_size(&key, &entry.value));
        self.changes.push_back((revision, Arc::clone(&key)));
        Event { key, entry, previous, revision }
    }

    /// Forgets what the limits do not let stay, after this many changes.
    fn age(&mut self, changes: usize) {
        let kept = Revision(self.revision.0.saturating_sub(self.history.revisions));
        self.oldest = self.oldest.max(kept);
        // More than came in, so that what a pin held back is caught up with little by little.
        self.prune(2 * changes + 1);
        while self.superseded_bytes > self.history.bytes
            && let Some(&(revision, _)) = self.changes.front()
            && self.pinned.is_none_or(|pinned| revision <= pinned)
        {
            self.oldest = self.oldest.max(revision);
            self.prune(1);
        }
    }

    /// Makes this revision the oldest that can be read; [`Index::prune`] frees what that leaves.
    pub(super) fn compact(&mut self, revision: Revision) -> Result<(), StoreError> {
        self.check_reached(revision)?;
        self.oldest = self.oldest.max(revision);
        Ok(())
    }

    /// Frees what up to `steps` changes left behind, and says whether there is more to free.
    pub(super) fn prune(&mut self, steps: usize) -> bool {
        let limit = self.pinned.map_or(self.oldest, |pinned| pinned.min(self.oldest));
        for _ in 0..steps {
            match self.changes.pop_front() {
                Some((revision, key)) if revision <= limit => self.forget(&key, limit),
                Some(later) => {
                    self.changes.push_front(later);
                    return false;
                }
                None => return false,
            }
        }
        self.changes.front().is_some_and(|(revision, _)| *revision <= limit)
    }

    fn forget(&mut self, key: &str, limit: Revision) {
        let Some(versions) = self.keys.get_mut(key) else { return };
        self.superseded_bytes -= versions.forget_before(limit);
        if versions.is_deleted_at(limit) {
            self.keys.remove(key);
        }
    }

    /// Keeps a revision readable by [`Index::chunk`] until the next call with `None`.
    pub(super) fn pin(&mut self, revision: Option<Revision>) {
        self.pinned = revision;
    }

    fn check_kept(&self, asked: Revision) -> Result<(), StoreError> {
        if asked < self.oldest {
            return Err(StoreError::Compacted { asked, oldest: self.oldest });
        }
        self.check_reached(asked)
    }

    fn check_reached(&self, asked: Revision) -> Result<(), StoreError> {
        if asked > self.revision {
            return Err(StoreError::Future { asked, newest: self.revision });
        }
        Ok(())
    }
}

/// About what an entry takes in a snapshot: the texts, two revisions and two lengths.
fn live_size(key: &str, value: &[u8]) -> u64 {
    (key.len() + value.len() + 24) as u64
}
