//! One file for each logical cluster.

mod log;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use kdp_core::LogicalClusterName;
use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
};

use self::log::Log;
use super::{AuditError, AuditSink, ChainKey, Event, Head};

/// Name of the log of events that are about no logical cluster that exists. No logical cluster can
/// be called so.
const SERVER_LOG: &str = "_server";

/// What happens to an event when the writer is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The request waits, and is refused while the files cannot be written. Nothing is lost.
    #[default]
    Block,
    /// The event is lost, and counted in [`FileSink::dropped`].
    Drop,
}

/// Choices for a [`FileSink`].
#[derive(Clone, Debug)]
#[must_use]
pub struct FileSinkOptions {
    overflow: Overflow,
    queue_bytes: usize,
    max_open_files: usize,
    max_file_bytes: u64,
    max_file_age: Duration,
    max_old_files: usize,
    is_durable: bool,
    key: Option<ChainKey>,
}

impl Default for FileSinkOptions {
    fn default() -> Self {
        Self {
            overflow: Overflow::Block,
            queue_bytes: 64 * 1024 * 1024,
            max_open_files: 256,
            max_file_bytes: 100 * 1024 * 1024,
            max_file_age: Duration::from_secs(7 * 24 * 60 * 60),
            max_old_files: usize::MAX,
            is_durable: false,
            key: None,
        }
    }
}

impl FileSinkOptions {
    /// The defaults: nothing is lost, 64 MiB may wait, 256 files are open, a file is closed at 100 MiB
    /// or after a week, and every one is kept.
    pub fn new() -> Self {
        Self::default()
    }

    /// What happens to events when the writer is behind.
    pub fn with_overflow(self, overflow: Overflow) -> Self {
        Self { overflow, ..self }
    }

    /// How many bytes of events may wait for the writer; at most 4 GiB.
    pub fn with_queue_bytes(self, bytes: u32) -> Self {
        Self { queue_bytes: bytes.max(1) as usize, ..self }
    }

    /// How many files are open at once.
    pub fn with_max_open_files(self, files: usize) -> Self {
        Self { max_open_files: files.max(1), ..self }
    }

    /// From how many bytes on a file is put aside and a new one begun.
    pub fn with_max_file_bytes(self, bytes: u64) -> Self {
        Self { max_file_bytes: bytes, ..self }
    }

    /// How long after its first line a file is put aside, when the next line comes.
    pub fn with_max_file_age(self, age: Duration) -> Self {
        Self { max_file_age: age, ..self }
    }

    /// How many files of a log that were put aside are kept; the oldest ones are removed.
    pub fn with_max_old_files(self, files: usize) -> Self {
        Self { max_old_files: files, ..self }
    }

    /// Brings every batch of lines to the disk before the next, so that a power failure takes
    /// nothing that was written.
    pub fn durable(self) -> Self {
        Self { is_durable: true, ..self }
    }

    /// Chains the lines with a key, so that who can write the files but lacks the key cannot forge a
    /// chain.
    pub fn with_key(self, key: ChainKey) -> Self {
        Self { key: Some(key), ..self }
    }
}

/// Keeps events in files of JSON lines, one file for each logical cluster.
///
/// `<dir>/<logical cluster>.log` is the current file of a log (a `:` in the name becomes `_`), and
/// `<dir>/<logical cluster>/<number of the first line>.log` are the ones put aside. Files are opened
/// when there is something to write, and stay when the workspace is deleted. One task writes them
/// all. After a crash a log goes on where its last whole line ends.
#[derive(Debug)]
pub struct FileSink {
    dir: PathBuf,
    options: FileSinkOptions,
    queue: Mutex<Option<mpsc::UnboundedSender<Waiting>>>,
    /// One permit for each byte that may still be queued, which bounds the queue.
    room: Arc<Semaphore>,
    state: Arc<State>,
    writer: tokio::sync::Mutex<Option<JoinHandle<Result<(), AuditError>>>>,
}

/// What the sink and its writer share.
#[derive(Debug, Default)]
struct State {
    /// The last write failed, and the next attempt has not come yet.
    is_broken: AtomicBool,
    dropped: AtomicU64,
}

/// A line on its way to the writer.
#[derive(Debug)]
struct Waiting {
    log: String,
    event: String,
    _room: Option<OwnedSemaphorePermit>,
}

impl FileSink {
    /// Keeps events in the directory `dir`, made on first use. To be called within a Tokio runtime.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(dir: impl Into<PathBuf>, options: FileSinkOptions) -> Result<Self, AuditError> {
        let dir = dir.into();
        std::fs::create_dir_all(&dir)?;
        let (queue, waiting) = mpsc::unbounded_channel();
        let state = Arc::new(State::default());
        let room = Arc::new(Semaphore::new(options.queue_bytes));
        let writer = tokio::spawn(writer::run(dir.clone(), options.clone(), waiting, Arc::clone(&state)));
        let writer = tokio::sync::Mutex::new(Some(writer));
        Ok(Self { dir, options, queue: Mutex::new(Some(queue)), room, state, writer })
    }

    /// How many events were lost because the writer was behind.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.state.dropped.load(Ordering::Relaxed)
    }

    /// The end of the log of a logical cluster as it is in its file; `None` when there is no log.
    ///
    /// Kept elsewhere, it shows later whether lines were cut off at the end.
    ///
    /// # Errors
    /// When the file cannot be read, or its end was damaged.
    pub fn head(&self, cluster: &LogicalClusterName) -> Result<Option<Head>, AuditError> {
        let name = log_name(Some(cluster));
        Ok(Log::head(&self.dir, &name, self.options.key.as_ref())?)
    }

    /// The current file of the log of a logical cluster; of `None`, that of the server itself.
    #[must_use]
    pub fn path(&self, cluster: Option<&LogicalClusterName>) -> PathBuf {
        current_path(&self.dir, &log_name(cluster))
    }

    fn waiting(event: &Event, room: Option<OwnedSemaphorePermit>) -> Waiting {
        Waiting { log: log_name(event.cluster.as_ref()), event: event.to_json(), _room: room }
    }

    fn send(&self, waiting: Waiting) -> Result<(), AuditError> {
        let queue = self.queue.lock();
        queue.as_ref().ok_or(AuditError::Closed)?.send(waiting).map_err(|_| AuditError::Closed)
    }

    fn count_dropped(&self) {
        if self.state.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!("audit.event.dropped");
        }
    }
}

#[async_trait]
impl AuditSink for FileSink {
    fn check(&self) -> Result<(), AuditError> {
        if self.options.overflow == Overflow::Block && self.state.is_broken.load(Ordering::Acquire) {
            return Err(AuditError::Unavailable("the last write failed".into()));
        }
        Ok(())
    }

    async fn record(&self, event: Event) -> Result<(), AuditError> {
        let mut waiting = Self::waiting(&event, None);
        // One that is larger than the queue gets all of it.
        let bytes = u32::try_from(waiting.event.len().min(self.options.queue_bytes)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room);
        let permit = match self.options.overflow {
            Overflow::Block => room.acquire_many_owned(bytes).await.map_err(|_| AuditError::Closed)?,
            Overflow::Drop => match room.try_acquire_many_owned(bytes) {
                Ok(permit) => permit,
                Err(_) => {
                    self.count_dropped();
                    return Ok(());
                }
            },
        };
        waiting._room = Some(permit);
        self.send(waiting)
    }

    fn record_now(&self, event: Event) {
        if self.send(Self::waiting(&event, None)).is_err() {
            self.count_dropped();
        }
    }

    async fn close(&self) -> Result<(), AuditError> {
        self.queue.lock().take();
        let Some(writer) = self.writer.lock().await.take() else { return Ok(()) };
        writer.await.map_err(|error| AuditError::Unavailable(error.to_string()))?
    }
}

/// A name that is safe as a file name: a logical cluster name has only lower-case letters, digits
/// and `-`, and at most one `:`.
fn log_name(cluster: Option<&LogicalClusterName>) -> String {
    cluster.map_or_else(|| SERVER_LOG.to_owned(), |cluster| cluster.as_str().replace(':', "_"))
}

/// The file that a log is written to.
fn current_path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.log"))
}

/// The files of a log that were put aside, with the numbers of their first lines, in order.
pub(super) fn old_files(dir: &Path, name: &str) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let entries = match std::fs::read_dir(dir.join(name)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let first = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".log")?.parse().ok());
        files.extend(first.map(|first| (first, path)));
    }
    files.sort();
    Ok(files)
}
