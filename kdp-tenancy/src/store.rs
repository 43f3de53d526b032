//! The revisioned key space under the control plane.
//!
//! The contract is etcd's, reduced to what an API server needs: every transaction that changes
//! something gets the next revision, reads can be made at any revision that is not compacted, and
//! a watch continues from any such revision without loss or duplicates.
//!
//! [`MemoryStore`] and [`DiskStore`] implement it; [`conformance`] holds every implementation,
//! here or elsewhere, to the contract.

pub mod conformance;
mod decide;
mod disk;
mod hub;
mod memory;
mod mvcc;
#[cfg(test)]
mod tests;
mod visible;
mod watch;

use std::{collections::HashSet, fmt, ops::Bound, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;

pub use self::{
    disk::{DiskOptions, DiskStore, Durability},
    memory::MemoryStore,
    mvcc::History,
    watch::{Watch, WatchError, WatchSender},
};

/// A shared store.
pub type SharedStore = Arc<dyn Store>;

/// A revisioned key space.
///
/// Every operation is atomic, and linearizable with every other operation on the same store.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The entry at `key` now. Cancel-safe.
    ///
    /// # Errors
    /// `Closed`, or `Io` when the store is elsewhere and cannot be reached.
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError>;

    /// Entries in key order, from one snapshot. Cancel-safe.
    ///
    /// # Errors
    /// `Compacted` when the revision asked for is no longer kept, `Future` when it is not yet
    /// reached, `Invalid` when the prefix is neither empty nor ends with `/`, else as
    /// [`Store::get`].
    async fn range(&self, range: RangeQuery) -> Result<RangePage, StoreError>;

    /// Makes all changes at one new revision if every condition holds, and none otherwise.
    ///
    /// When this returns `Committed` the changes are durable, as far as the store is. A
    /// transaction whose future is dropped is either made whole or not at all.
    ///
    /// Nobody sees a change before it is durable. When this returns, and before
    /// [`Store::revision`] reports the revision, its events are in every watch that wants them: a
    /// caller that reads the revision and then drains a watch with [`Watch::try_next`] has seen
    /// every event up to that revision.
    ///
    /// # Errors
    /// `ReadOnly` or `Io` when it could not be made durable: then nothing was changed. `Invalid`
    /// when a key is changed twice or the transaction is larger than the store takes. `Closed`.
    async fn commit(&self, transaction: Transaction) -> Result<Outcome, StoreError>;

    /// Every change of a key that starts with `prefix`, made after the revision `after`, in
    /// revision order; changes of one transaction follow each other in its order. A prefix is empty or ends
    /// with `/`. Changes made before this call come first, however many they are. Cancel-safe.
    ///
    /// # Errors
    /// `Compacted` when changes after that revision may be missing, `Future` when it is not yet
    /// reached, `Invalid` for any other prefix, else as [`Store::get`].
    async fn watch(&self, prefix: &str, after: Revision) -> Result<Watch, StoreError>;

    /// Forgets what only revisions before `revision` need. Reads at and watches from `revision`
    /// and later stay possible. Idempotent; a store may forget by itself, and may remember more
    /// once it was reopened.
    ///
    /// # Errors
    /// `Future` when the revision is not yet reached, `Closed`.
    async fn compact(&self, revision: Revision) -> Result<(), StoreError>;

    /// The revision of the newest transaction; 1 for an empty store.
    fn revision(&self) -> Revision;

    /// Makes everything durable and ends the store: watches end, and every other operation but
    /// [`Store::revision`] returns `Closed` from then on. Idempotent.
    ///
    /// # Errors
    /// `Io` when the last writes could not be made durable.
    async fn close(&self) -> Result<(), StoreError>;
}

/// A point in the history of a store; none is before 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a key held at some revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Arc<str>,
    /// The value.
    pub value: Bytes,
    /// Revision of the transaction that created the key.
    pub created: Revision,
    /// Revision of the transaction that wrote this value.
    pub modified: Revision,
}

/// Which keys to read, at which revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeQuery {
    /// Every key read starts with this; empty, or ends with `/`.
    pub prefix: String,
    /// Keys to read: the ones after, or from, this one.
    pub start: Bound<String>,
    /// At most this many entries.
    pub limit: Option<usize>,
    /// The revision to read at; the newest one when `None`.
    pub revision: Option<Revision>,
}

impl RangeQuery {
    /// Every key that starts with `prefix`, now.
    pub fn prefix(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), start: Bound::Unbounded, limit: None, revision: None }
    }
}

/// Part of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangePage {
    /// The entries, in key order.
    pub entries: Vec<Entry>,
    /// The revision of the snapshot.
    pub revision: Revision,
    /// How many entries follow that the limit cut off, counted up to [`RangePage::COUNTED`], so
    /// that reading a little of something large does not visit all of it.
    pub remaining: usize,
}

impl RangePage {
    /// Where counting `remaining` ends: it means that many, or more.
    pub const COUNTED: usize = 10_000;
}

/// Conditions and the changes to make when all of them hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// Each key and the revision it must have been modified at; `None` when it must not exist.
    pub conditions: Vec<(String, Option<Revision>)>,
    /// The changes; no key twice. Deleting an absent key changes nothing.
    pub changes: Vec<Change>,
}

impl Transaction {
    /// Refuses a transaction that changes a key twice. Every store calls it first.
    ///
    /// # Errors
    /// `Invalid`, naming the key.
    pub fn validate(&self) -> Result<(), StoreError> {
        let mut keys = HashSet::with_capacity(self.changes.len());
        match self.changes.iter().find(|change| !keys.insert(change.key())) {
            Some(change) => Err(StoreError::Invalid(format!("the key {:?} is changed twice", change.key()))),
            None => Ok(()),
        }
    }
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Writes a value.
    Put(String, Bytes),
    /// Removes the key.
    Delete(String),
}

impl Change {
    /// The key that is changed.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Put(key, _) | Self::Delete(key) => key,
        }
    }
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was made at this revision; the store's current one when nothing changed.
    Committed(Revision),
    /// A condition did not hold; nothing was changed. What each conditioned key holds, in the
    /// order of the conditions.
    Refused(Vec<Option<Entry>>),
}

/// One change, as a watch sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The key.
    pub key: Arc<str>,
    /// What the key holds since; `None` when it was deleted.
    pub entry: Option<Entry>,
    /// What the key held before; `None` when it was created.
    pub previous: Option<Entry>,
    /// The revision of the change.
    pub revision: Revision,
}

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The revision is older than what is kept.
    #[error("revision {asked} is compacted; the oldest one kept is {oldest}")]
    Compacted {
        /// What was asked for.
        asked: Revision,
        /// The oldest revision that can be read.
        oldest: Revision,
    },
    /// The revision is not reached yet.
    #[error("revision {asked} is not reached yet; the newest one is {newest}")]
    Future {
        /// What was asked for.
        asked: Revision,
        /// The newest revision.
        newest: Revision,
    },
    /// The request breaks the contract, and how.
    #[error("the request is not valid: {0}")]
    Invalid(String),
    /// Somebody else has the store open.
    #[error("{path} is in use by another store")]
    InUse {
        /// The directory.
        path: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The store takes no writes, and why.
    #[error("the store takes no writes: {0}")]
    ReadOnly(String),
    /// What is stored cannot be read back.
    #[error("{path} is corrupt at byte {offset}: {reason}")]
    Corrupt {
        /// The file.
        path: String,
        /// Where in the file.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// What is stored was written by a newer version of this software.
    #[error("{path} has format version {version}; this version reads {newest} and older")]
    Unsupported {
        /// The file.
        path: String,
        /// Its format version.
        version: u32,
        /// The newest one that can be read.
        newest: u32,
    },
    /// The machine refused.
    #[error("cannot {op} {path}")]
    Io {
        /// What was tried.
        op: &'static str,
        /// On which file.
        path: String,
        /// What the machine said.
        #[source]
        source: std::io::Error,
    },
}

/// The prefix, if the contract allows it.
fn valid_prefix(prefix: &str) -> Result<&str, StoreError> {
    if prefix.is_empty() || prefix.ends_with('/') {
        return Ok(prefix);
    }
    Err(StoreError::Invalid(format!("the prefix {prefix:?} is neither empty nor ends with a slash")))
}
