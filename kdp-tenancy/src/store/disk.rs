//! A store in a directory of one machine.
//!
//! Everything is in memory, so that reads never touch the disk; what is committed is also appended
//! to a log. When most of the log is of no use any more, a snapshot of what is live replaces it.
//! Opening reads the newest snapshot and the logs after it.
//!
//! ```text
//! commit ─▶ queue ─▶ writer: decide ─▶ append + sync ─▶ index + watches ─▶ answer
//!                       └─ now and then: new log, snapshot in another thread, old log removed
//! ```

mod batch;
mod codec;
mod dir;
mod frame;
mod log;
mod recovery;
mod snapshot;
mod snapshots;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use self::{
    dir::{Dir, Lock, failed},
    recovery::Recovered,
    snapshots::Snapshots,
    writer::{Request, Writer},
};
use super::{
    Entry, History, Outcome, RangePage, RangeQuery, Revision, Store, StoreError, Transaction, Watch, visible::Visible,
};

/// How many transactions wait for the writer before their callers have to.
const QUEUE: usize = 4096;
/// How large the changes of one transaction may be; a transaction is read and written in one piece.
const MAX_TRANSACTION: usize = 256 << 20;

/// How a [`DiskStore`] works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DiskOptions {
    /// How many bytes of log there must be before a snapshot replaces it. What a restart has to
    /// read is about this, or twice the live data if that is more.
    pub snapshot_threshold: u64,
    /// What a commit waits for.
    pub durability: Durability,
    /// How much history is kept. A restart shortens it to what the log still holds.
    pub history: History,
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self { snapshot_threshold: 16 << 20, durability: Durability::Fsync, history: History::default() }
    }
}

impl DiskOptions {
    /// Writes snapshots once the log has this many bytes.
    #[must_use]
    pub fn with_snapshot_threshold(self, bytes: u64) -> Self {
        Self { snapshot_threshold: bytes, ..self }
    }

    /// Lets commits wait for this.
    #[must_use]
    pub fn with_durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// Keeps this much history.
    #[must_use]
    pub fn with_history(self, history: History) -> Self {
        Self { history, ..self }
    }
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// The disk: what is committed survives the loss of power.
    #[default]
    Fsync,
    /// The operating system: what is committed survives the end of the process only. After a loss
    /// of power the newest changes can be missing, or be damaged so that the store does not open.
    Buffered,
}

/// A [`Store`] in a directory that it has for itself.
///
/// A failed write makes it read-only until it is opened again. Dropping it waits for the write in
/// progress; [`Store::close`] does the same without blocking the thread.
pub struct DiskStore {
    path: PathBuf,
    visible: Arc<Visible>,
    // Before the writer: it ends when the last sender is gone.
    requests: mpsc::Sender<Request>,
    _writer: Joined,
}

impl DiskStore {
    /// Opens the store in a directory, which is made if it does not exist, with the default
    /// options. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// `InUse`, `Corrupt`, `Unsupported` or `Io`.
    pub async fn open(dir: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(dir, DiskOptions::default()).await
    }

    /// As [`DiskStore::open`], with these options.
    ///
    /// # Errors
    /// As [`DiskStore::open`].
    pub async fn open_with(dir: impl AsRef<Path>, options: DiskOptions) -> Result<Self, StoreError> {
        let path = dir.as_ref().to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            let (dir, lock) = Dir::open(&path)?;
            let recovered = recovery::recover(&dir, options.history)?;
            Self::start(dir, lock, recovered, &options)
        });
        opened.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    fn start(dir: Dir, lock: Lock, recovered: Recovered, options: &DiskOptions) -> Result<Self, StoreError> {
        let Recovered { index, log, snapshot_bytes, rotated_bytes } = recovered;
        let path = dir.path().to_owned();
        let visible = Arc::new(Visible::new(index));
        let snapshots = Snapshots::new(options.snapshot_threshold, snapshot_bytes, rotated_bytes);
        let (requests, queue) = mpsc::channel(QUEUE);
        let writer = Writer {
            dir,
            log,
            visible: Arc::clone(&visible),
            snapshots,
            durability: options.durability,
            read_only: None,
            _lock: lock,
        };
        let thread = thread::Builder::new()
            .name("kdp-store".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(failed("start a thread for", &path))?;
        Ok(Self { path, visible, requests, _writer: Joined(Some(thread)) })
    }

    /// Why the writer is gone: it was closed, unless it panicked.
    fn gone(&self) -> StoreError {
        match self.visible.read(|_| Ok(())) {
            Err(closed) => closed,
            Ok(()) => StoreError::ReadOnly("the thread that writes has failed".to_owned()),
        }
    }
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore")
            .field("path", &self.path)
            .field("revision", &self.visible.revision())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for DiskStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.visible.get(key)
    }

    async fn range(&self, range: RangeQuery) -> Result<RangePage, StoreError> {
        self.visible.range(&range)
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome, StoreError> {
        transaction.validate()?;
        if codec::transaction_len(&transaction.changes) > MAX_TRANSACTION {
            return Err(StoreError::Invalid(format!("a transaction is larger than {MAX_TRANSACTION} bytes")));
        }
        let (reply, outcome) = oneshot::channel();
        let sent = self.requests.send(Request::Commit(transaction, reply)).await;
        sent.map_err(|_| self.gone())?;
        outcome.await.map_err(|_| self.gone())?
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
        let (reply, closed) = oneshot::channel();
        if self.requests.send(Request::Close(reply)).await.is_err() {
            // The writer did it when it ended, unless it panicked.
            self.visible.close();
            return Ok(());
        }
        // Without an answer, somebody else closed it meanwhile.
        closed.await.unwrap_or(Ok(()))
    }
}

/// A thread that is waited for when this is dropped.
struct Joined(Option<JoinHandle<()>>);

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // A panic was printed where it happened; there is nothing to add while dropping.
            drop(thread.join());
        }
    }
}
