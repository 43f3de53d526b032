//! Reading the store, and following it.

use std::{mem::swap, ops::Bound, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::Index;
use crate::store::{Event, RangeQuery, Revision, StoreError, Watch, WatchError};

/// How many entries are read at once. A store counts what follows a page, so small ones are not cheap.
const PAGE: usize = 16 * 1024;

impl Index {
    /// Reads the store and returns the revision up to which the index is now true.
    ///
    /// Until all is read, everybody sees what was known before. Half of it would hide workspaces, open
    /// gates that are closed, and forget limits.
    pub(crate) async fn load(&self) -> Result<Revision, StoreError> {
        self.load_in_pages(PAGE).await
    }

    pub(super) async fn load_in_pages(&self, mut page: usize) -> Result<Revision, StoreError> {
        loop {
            match self.read(page).await {
                Ok((read, revision)) => {
                    self.adopt(read, revision);
                    return Ok(revision);
                }
                // The store forgot the revision meanwhile; the fewer pages, the sooner they are read.
                Err(StoreError::Compacted { .. }) => page = page.saturating_mul(8),
                Err(error) => return Err(error),
            }
        }
    }

    /// What the store holds at one revision, as an index of its own.
    async fn read(&self, page: usize) -> Result<(Self, Revision), StoreError> {
        let index = Self::new(self.store.clone(), Arc::new(self.limits.aside()));
        let mut query = RangeQuery { limit: Some(page), ..RangeQuery::prefix("") };
        loop {
            let page = self.store.range(query.clone()).await?;
            for entry in &page.entries {
                index.apply(&entry.key, Some(entry), None, entry.modified);
            }
            let Some(last) = page.entries.last().filter(|_| page.remaining > 0) else {
                return Ok((index, page.revision));
            };
            query.start = Bound::Excluded(last.key.to_string());
            query.revision = Some(page.revision);
            // Not every store waits for anything, and requests go on meanwhile.
            tokio::task::yield_now().await;
        }
    }

    /// Takes over what another index read, all at once.
    fn adopt(&self, read: Self, revision: Revision) {
        read.bindings.write().forget_before(revision);
        {
            // A request first looks into the tree, and there it waits until all of this is there: nobody
            // finds a new workspace without its gate.
            let mut tree = self.tree.write();
            self.facts.adopt(&read.facts);
            self.limits.adopt(&read.limits);
            swap(&mut *self.bindings.write(), &mut *read.bindings.write());
            swap(&mut *self.exports.write(), &mut *read.exports.write());
            swap(&mut *self.lifecycles.write(), &mut *read.lifecycles.write());
            swap(&mut *self.waiting.write(), &mut *read.waiting.write());
            self.caches.lock().clear();
            *self.borrowed.lock() = Arc::default();
            swap(&mut *tree, &mut *read.tree.write());
        }
        self.fanout.restart(revision);
        self.limits.counted(revision);
        self.applied.send_replace(revision);
        self.facts.changes().announce_all();
        // Only now is there anything to find for whoever does it.
        for work in read.queue.into_work() {
            self.queue.add(work);
        }
    }

    /// Follows the store from `after` until `shutdown`, loading anew if it ever falls behind.
    pub(crate) async fn follow(&self, mut after: Revision, shutdown: CancellationToken) -> Result<(), StoreError> {
        loop {
            let mut events = match self.store.watch("", after).await {
                Ok(events) => events,
                Err(StoreError::Compacted { .. }) => {
                    after = self.load().await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let ended = loop {
                let event = tokio::select! {
                    event = events.next() => event,
                    () = shutdown.cancelled() => return Ok(()),
                };
                match event {
                    Some(Ok(event)) => {
                        if let Err(error) = self.catch_up(event, &mut events).await {
                            break error;
                        }
                    }
                    Some(Err(error)) => break error,
                    None => return Ok(()),
                }
            };
            tracing::warn!(error = %ended, "index.reload");
            after = self.load().await?;
        }
    }

    /// Applies `event` and everything behind it that is there already.
    async fn catch_up(&self, event: Arc<Event>, events: &mut Watch) -> Result<(), WatchError> {
        let mut last = event.revision;
        self.take(&event);
        loop {
            // Every event up to `newest` is in the watch by now, so the index has seen all of it
            // once the watch is empty.
            let newest = self.store.revision();
            while let Some(next) = events.try_next() {
                let event = next?;
                last = event.revision;
                self.take(&event);
            }
            self.limits.counted(newest);
            self.applied.send_replace(newest);
            if last <= newest {
                return Ok(());
            }
            // The store hands out the events of a transaction just before it reports its revision.
            tokio::task::yield_now().await;
        }
    }

    /// Applies an event, and passes it on to whoever watches its resource everywhere.
    fn take(&self, event: &Arc<Event>) {
        self.apply(&event.key, event.entry.as_ref(), event.previous.as_ref(), event.revision);
        self.fanout.publish(event, || self.exports_around(event));
    }
}
