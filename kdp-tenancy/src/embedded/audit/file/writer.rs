//! The one task that writes all logs.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::sync::mpsc;

use super::{super::AuditError, FileSinkOptions, State, Waiting, log::Log};

/// How many events are written at once.
const BATCH: usize = 1024;
/// How long after a failed write the next attempt comes.
const RETRY: Duration = Duration::from_secs(1);
/// How many attempts are made when the sink is being closed.
const LAST_ATTEMPTS: u32 = 3;

/// The logs that are open.
struct Logs {
    dir: PathBuf,
    options: FileSinkOptions,
    open: BTreeMap<String, (u64, Log)>,
    /// Counts up with every use of a log.
    clock: u64,
}

/// Writes events until the queue is closed and empty.
pub(super) async fn run(
    dir: PathBuf,
    options: FileSinkOptions,
    mut queue: mpsc::UnboundedReceiver<Waiting>,
    state: Arc<State>,
) -> Result<(), AuditError> {
    let mut logs = Logs { dir, options, open: BTreeMap::new(), clock: 0 };
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let mut pending = grouped(std::mem::take(&mut batch));
        let mut attempts = 0;
        loop {
            let failed;
            (logs, pending, failed) = tokio::task::spawn_blocking(move || logs.write(pending))
                .await
                .map_err(|error| AuditError::Unavailable(error.to_string()))?;
            let Some(error) = failed else { break };
            // What cannot be written waits; others behind it wait too, so nothing is lost.
            tracing::error!(%error, "audit.write.failed");
            state.is_broken.store(true, Ordering::Release);
            attempts += 1;
            if queue.is_closed() && attempts >= LAST_ATTEMPTS {
                return Err(error.into());
            }
            tokio::time::sleep(RETRY).await;
        }
        state.is_broken.store(false, Ordering::Release);
    }
    tokio::task::spawn_blocking(move || logs.open.values().try_for_each(|(_, log)| log.sync()))
        .await
        .map_err(|error| AuditError::Unavailable(error.to_string()))??;
    Ok(())
}

/// The events of each log, in order.
fn grouped(batch: Vec<Waiting>) -> BTreeMap<String, Vec<Waiting>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for waiting in batch {
        groups.entry(waiting.log.clone()).or_default().push(waiting);
    }
    groups
}

impl Logs {
    /// Writes what can be written; the rest comes back with one of the reasons.
    fn write(
        mut self,
        pending: BTreeMap<String, Vec<Waiting>>,
    ) -> (Self, BTreeMap<String, Vec<Waiting>>, Option<io::Error>) {
        let (mut left, mut failed) = (BTreeMap::new(), None);
        for (name, events) in pending {
            if let Err(error) = self.write_one(&name, &events) {
                // Opened anew, it goes on where its last whole line ends.
                self.open.remove(&name);
                failed = Some(error);
                left.insert(name, events);
            }
        }
        (self, left, failed)
    }

    fn write_one(&mut self, name: &str, events: &[Waiting]) -> io::Result<()> {
        self.clock += 1;
        if !self.open.contains_key(name) {
            self.make_room()?;
            let log = Log::open(&self.dir, name, self.options.key.as_ref())?;
            self.open.insert(name.to_owned(), (self.clock, log));
        }
        let (used, log) = self.open.get_mut(name).expect("it was just opened");
        *used = self.clock;
        log.write(events.iter().map(|waiting| &*waiting.event), &self.options)
    }

    /// Closes the log that was not used for the longest time, when as many are open as may be.
    fn make_room(&mut self) -> io::Result<()> {
        if self.open.len() < self.options.max_open_files {
            return Ok(());
        }
        let oldest = self.open.iter().min_by_key(|(_, (used, _))| *used).map(|(name, _)| name.clone());
        match oldest.and_then(|name| self.open.remove(&name)) {
            Some((_, log)) => log.sync(),
            None => Ok(()),
        }
    }
}
