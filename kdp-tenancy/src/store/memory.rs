//! A store that lives and dies with the process.

#[cfg(test)]
mod tests;

use std::fmt;

use async_trait::async_trait;

use super::{
    Entry, History, Outcome, RangePage, RangeQuery, Revision, Store, StoreError, Transaction, Watch, mvcc::Index,
    visible::Visible,
};

/// A [`Store`] in memory.
///
/// No operation waits for anything but a short lock, so all of them finish at their first poll.
pub struct MemoryStore {
    visible: Visible,
}

impl MemoryStore {
    /// An empty store that keeps the default history.
    #[must_use]
    pub fn new() -> Self {
        Self::with_history(History::default())
    }

    /// An empty store that keeps this much history.
    #[must_use]
    pub fn with_history(history: History) -> Self {
        Self { visible: Visible::new(Index::new(history)) }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("revision", &self.visible.revision()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.visible.get(key)
    }

    async fn range(&self, range: RangeQuery) -> Result<RangePage, StoreError> {
        self.visible.range(&range)
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome, StoreError> {
        transaction.validate()?;
        self.visible.transact(transaction)
    }

    async fn watch(&self, prefix: &str, after: Revision) -> Result<Watch, StoreError> {
        self.visible.watch(prefix, after)
    }

    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        self.visible.compact(revision)
    }

    fn revision(&self) -> Revision {
        self.visible.revision()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.visible.close();
        Ok(())
    }
}
