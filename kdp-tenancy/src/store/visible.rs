//! What readers and watchers of a store can see.

use std::sync::Arc;

use parking_lot::RwLock;

use super::{
    Change, Entry, Outcome, RangePage, RangeQuery, Revision, StoreError, Transaction, Watch,
    decide::{Decision, decide},
    hub::Hub,
    mvcc::Index,
    valid_prefix,
};

/// How many changes are cleaned up between two chances for others to take the lock.
const PRUNE_STEPS: usize = 512;

/// The index and the watches, which change together: events are queued before the lock that made
/// them is released, so nobody can read a revision whose events are still to come.
pub(super) struct Visible {
    inner: RwLock<Inner>,
    hub: Arc<Hub>,
}

struct Inner {
    index: Index,
    closed: bool,
}

impl Visible {
    pub(super) fn new(index: Index) -> Self {
        Self { inner: RwLock::new(Inner { index, closed: false }), hub: Arc::default() }
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.read(|index| Ok(index.get(key)))
    }

    pub(super) fn range(&self, query: &RangeQuery) -> Result<RangePage, StoreError> {
        valid_prefix(&query.prefix)?;
        self.read(|index| index.range(query))
    }

    pub(super) fn watch(&self, prefix: &str, after: Revision) -> Result<Watch, StoreError> {
        let prefix = valid_prefix(prefix)?;
        // Registered under the lock: what is not replayed is published later.
        self.read(|index| Ok(self.hub.watch(prefix, index.replay(prefix, after)?)))
    }

    pub(super) fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        self.write(|index| index.compact(revision))?;
        while self.write(|index| Ok(index.prune(PRUNE_STEPS)))? {}
        Ok(())
    }

    pub(super) fn revision(&self) -> Revision {
        self.peek(Index::revision)
    }

    /// Decides about a transaction and makes it, in one step.
    pub(super) fn transact(&self, transaction: Transaction) -> Result<Outcome, StoreError> {
        self.write(|index| match decide(transaction, |key| index.get(key)) {
            Decision::Change(changes) => {
                self.hub.publish(index.apply(changes));
                Ok(Outcome::Committed(index.revision()))
            }
            Decision::Nothing => Ok(Outcome::Committed(index.revision())),
            Decision::Refuse(found) => Ok(Outcome::Refused(found)),
        })
    }

    /// Makes transactions that were decided before, each at its own revision.
    pub(super) fn apply(&self, transactions: impl IntoIterator<Item = Vec<Change>>) {
        let mut inner = self.inner.write();
        for changes in transactions {
            self.hub.publish(inner.index.apply(changes));
        }
    }

    /// Keeps a revision readable by [`Index::chunk`], whatever is compacted, or ends that.
    pub(super) fn pin(&self, revision: Option<Revision>) {
        self.inner.write().index.pin(revision);
    }

    /// Reads the index, unless the store is closed.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Index) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let inner = self.inner.read();
        if inner.closed { Err(StoreError::Closed) } else { read(&inner.index) }
    }

    /// Reads the index even when the store is closed.
    pub(super) fn peek<T>(&self, read: impl FnOnce(&Index) -> T) -> T {
        read(&self.inner.read().index)
    }

    /// Changes the index, unless the store is closed.
    fn write<T>(&self, write: impl FnOnce(&mut Index) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut inner = self.inner.write();
        if inner.closed { Err(StoreError::Closed) } else { write(&mut inner.index) }
    }

    pub(super) fn close(&self) {
        self.inner.write().closed = true;
        self.hub.close();
    }
}
