//! When a snapshot is due, and the thread that writes it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use super::{dir::Dir, snapshot};
use crate::store::{Revision, StoreError, visible::Visible};

/// The schedule of snapshots; at most one is written at a time.
pub(super) struct Snapshots {
    /// How large the logs must be before a snapshot is worth its cost.
    threshold: u64,
    /// The size of the newest snapshot.
    snapshot_bytes: u64,
    /// The size of the logs that are needed and no longer written.
    rotated_bytes: u64,
    /// How much larger the logs must become after a failure, so that it is not repeated at once.
    penalty: u64,
    running: Option<Running>,
}

struct Running {
    thread: JoinHandle<Result<Option<u64>, StoreError>>,
    stop: Arc<AtomicBool>,
}

impl Snapshots {
    pub(super) fn new(threshold: u64, snapshot_bytes: u64, rotated_bytes: u64) -> Self {
        Self { threshold, snapshot_bytes, rotated_bytes, penalty: 0, running: None }
    }

    /// Whether the logs are large, and most of what is on disk is of no use any more. So what is
    /// written for snapshots stays in proportion to what is written anyway.
    pub(super) fn due(&mut self, log_bytes: u64, live_bytes: u64) -> bool {
        self.collect();
        let logs = self.rotated_bytes + log_bytes;
        self.running.is_none()
            && logs > self.threshold.saturating_add(self.penalty)
            && self.snapshot_bytes + logs > live_bytes.saturating_mul(2)
    }

    /// Writes a snapshot of this revision, with which the log of `log_bytes` ended, in a thread of
    /// its own, and then removes what it replaces.
    pub(super) fn start(
        &mut self,
        dir: Dir,
        visible: Arc<Visible>,
        revision: Revision,
        log_bytes: u64,
    ) -> io::Result<()> {
        self.rotated_bytes += log_bytes;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let pin = Pin::new(visible, revision);
        let thread = thread::Builder::new().name("kdp-snapshot".to_owned()).spawn(move || {
            let size = snapshot::write(&dir, &pin.visible, revision, &stopped)?;
            if size.is_some() {
                dir.remove_before(revision)?;
            }
            Ok(size)
        })?;
        self.running = Some(Running { thread, stop });
        Ok(())
    }

    /// Waits a while before the next try, as this one failed.
    pub(super) fn postpone(&mut self, log_bytes: u64) {
        self.penalty = self.rotated_bytes + log_bytes;
    }

    /// Takes note of a snapshot that is finished.
    fn collect(&mut self) {
        let Some(running) = self.running.take_if(|running| running.thread.is_finished()) else { return };
        match running.thread.join() {
            Ok(Ok(Some(size))) => {
                self.snapshot_bytes = size;
                self.rotated_bytes = 0;
                self.penalty = 0;
            }
            Ok(Ok(None)) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot write a snapshot; the log stays");
                self.postpone(0);
            }
            Err(_) => self.postpone(0),
        }
    }

    /// Gives up a snapshot that is being written, and waits until its thread has ended.
    pub(super) fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop.store(true, Ordering::Relaxed);
            // What it could not do, the next one will.
            drop(running.thread.join());
        }
    }
}

impl Drop for Snapshots {
    /// Nothing may touch the directory once its lock is released, which is after this.
    fn drop(&mut self) {
        self.stop();
    }
}

/// Keeps a revision readable until it is dropped.
struct Pin {
    visible: Arc<Visible>,
}

impl Pin {
    fn new(visible: Arc<Visible>, revision: Revision) -> Self {
        visible.pin(Some(revision));
        Self { visible }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.visible.pin(None);
    }
}
