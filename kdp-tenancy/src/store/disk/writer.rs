//! The thread through which everything is written.

use std::{error::Error, sync::Arc};

use tokio::sync::{mpsc, oneshot};

use super::{
    Durability,
    batch::{Batch, Reply},
    dir::{Dir, Lock},
    frame,
    log::Log,
    snapshots::Snapshots,
};
use crate::store::{StoreError, Transaction, visible::Visible};

/// What the writer is asked to do.
pub(super) enum Request {
    /// Make a transaction.
    Commit(Transaction, Reply),
    /// Make everything durable, let go of the directory, and end.
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// The only one that changes the log and what is visible of it.
///
/// While one batch is being made durable the next requests queue up, and become the next batch. So
/// the cost of a sync is shared by as many as wait, and a lone writer does not wait for others.
pub(super) struct Writer {
    pub(super) dir: Dir,
    pub(super) log: Log,
    pub(super) visible: Arc<Visible>,
    pub(super) snapshots: Snapshots,
    pub(super) durability: Durability,
    /// Why nothing is written any more.
    pub(super) read_only: Option<String>,
    /// Released last.
    pub(super) _lock: Lock,
}

impl Writer {
    /// Serves requests until it is closed, or nobody is left to make any.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            let mut batch = Batch::new(self.visible.revision());
            let mut next = Some(first);
            let mut close = None;
            while let Some(request) = next {
                match request {
                    Request::Commit(transaction, reply) => {
                        self.visible.peek(|index| batch.add(index, transaction, reply))
                    }
                    Request::Close(reply) => close = Some(reply),
                }
                next = if close.is_some() || batch.is_full() { None } else { requests.try_recv().ok() };
            }
            self.write(batch);
            if let Some(reply) = close {
                // Only after the lock is released, so that the caller can open the store again.
                _ = reply.send(self.close());
                return;
            }
            self.snapshot_if_due();
        }
        if let Err(error) = self.close() {
            tracing::error!(error = &error as &dyn Error, "the last writes may not be durable");
        }
    }

    /// Makes a batch durable, then visible, then answers.
    fn write(&mut self, mut batch: Batch) {
        if self.read_only.is_none() && !batch.is_empty() {
            frame::seal(&mut batch.frame, self.log.salt());
            match self.log.append(&batch.frame, self.durability) {
                Ok(()) => self.visible.apply(batch.take_transactions()),
                Err(error) => self.fail(&error),
            }
        }
        match &self.read_only {
            None => batch.answer(),
            Some(reason) => batch.fail(reason),
        }
    }

    fn fail(&mut self, error: &StoreError) {
        tracing::error!(error = error as &dyn Error, "the store takes no more writes");
        let source = error.source().map_or_else(String::new, |source| format!(": {source}"));
        self.read_only = Some(format!("{error}{source}"));
    }

    fn snapshot_if_due(&mut self) {
        let (revision, live_bytes) = self.visible.peek(|index| (index.revision(), index.live_bytes()));
        let is_new = revision > self.log.base();
        if self.read_only.is_some() || !is_new || !self.snapshots.due(self.log.len(), live_bytes) {
            return;
        }
        // What follows in the new log rests on the whole of this one. Only a buffered log has
        // something left to sync.
        if let Err(error) = self.log.sync() {
            return self.fail(&error);
        }
        let next = match Log::create(&self.dir, revision) {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "cannot begin a new log; the old one goes on");
                self.snapshots.postpone(self.log.len());
                // The old log passes the revision for which the new one may have appeared.
                return match self.dir.discard(&self.dir.log(revision)) {
                    Ok(()) => {}
                    Err(error) => self.fail(&error),
                };
            }
        };
        let ended = std::mem::replace(&mut self.log, next);
        let started = self.snapshots.start(self.dir.clone(), Arc::clone(&self.visible), revision, ended.len());
        if let Err(error) = started {
            tracing::warn!(%error, "cannot start a thread for a snapshot; the logs stay");
            self.snapshots.postpone(self.log.len());
        }
    }

    /// Ends the store, and lets go of the directory.
    fn close(mut self) -> Result<(), StoreError> {
        self.snapshots.stop();
        self.visible.close();
        // With nothing durable after what failed, there is nothing more to make durable.
        if self.read_only.is_none() { self.log.sync() } else { Ok(()) }
    }
}
