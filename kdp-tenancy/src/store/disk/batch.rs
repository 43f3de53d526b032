//! Transactions that become durable together.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::oneshot;

use super::{codec, frame};
use crate::store::{
    Change, Entry, Outcome, Revision, StoreError, Transaction,
    decide::{Decision, decide},
    mvcc::Index,
};

/// Where the outcome of a transaction is awaited.
pub(super) type Reply = oneshot::Sender<Result<Outcome, StoreError>>;

/// A batch is written once it is this large, even if more transactions wait.
const ENOUGH_BYTES: usize = 4 << 20;
/// Or once it is this many.
const ENOUGH_REPLIES: usize = 2048;

/// Transactions that were decided, each on top of those before it, and that nobody can see yet.
pub(super) struct Batch {
    /// The revision of the newest transaction.
    revision: Revision,
    /// What the keys hold that the batch changes.
    staged: HashMap<Arc<str>, Option<Entry>>,
    transactions: Vec<Vec<Change>>,
    /// The frame, to be sealed.
    pub(super) frame: Vec<u8>,
    replies: Vec<(Reply, Outcome)>,
}

impl Batch {
    /// An empty batch on top of a revision.
    pub(super) fn new(revision: Revision) -> Self {
        let mut frame = Vec::new();
        frame::start(&mut frame);
        Self { revision, staged: HashMap::new(), transactions: Vec::new(), frame, replies: Vec::new() }
    }

    /// Decides about a transaction, and adds it.
    pub(super) fn add(&mut self, index: &Index, transaction: Transaction, reply: Reply) {
        let current = |key: &str| self.staged.get(key).cloned().unwrap_or_else(|| index.get(key));
        let outcome = match decide(transaction, current) {
            Decision::Change(changes) => {
                self.revision = Revision(self.revision.0 + 1);
                for change in &changes {
                    self.stage(index, change);
                }
                codec::put_transaction(&mut self.frame, self.revision, &changes);
                self.transactions.push(changes);
                Outcome::Committed(self.revision)
            }
            Decision::Nothing => Outcome::Committed(self.revision),
            Decision::Refuse(found) => Outcome::Refused(found),
        };
        self.replies.push((reply, outcome));
    }

    fn stage(&mut self, index: &Index, change: &Change) {
        let entry = match change {
            Change::Put(key, value) => {
                let previous = self.staged.get(key.as_str()).cloned().unwrap_or_else(|| index.get(key));
                let created = previous.map_or(self.revision, |entry| entry.created);
                Some(Entry { key: key.as_str().into(), value: value.clone(), created, modified: self.revision })
            }
            Change::Delete(_) => None,
        };
        self.staged.insert(change.key().into(), entry);
    }

    /// Whether it should be written before more is added.
    pub(super) fn is_full(&self) -> bool {
        self.frame.len() >= ENOUGH_BYTES || self.replies.len() >= ENOUGH_REPLIES
    }

    /// Whether it changes nothing, so that there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// The changes, to be shown now that they are durable.
    pub(super) fn take_transactions(&mut self) -> Vec<Vec<Change>> {
        std::mem::take(&mut self.transactions)
    }

    /// Tells everybody the outcome. It may rest on other transactions of the batch, so even a
    /// refusal must wait until these are durable.
    pub(super) fn answer(self) {
        for (reply, outcome) in self.replies {
            // Whoever dropped the future does not want to know.
            _ = reply.send(Ok(outcome));
        }
    }

    /// Tells everybody that nothing was done, and why.
    pub(super) fn fail(self, reason: &str) {
        for (reply, _) in self.replies {
            _ = reply.send(Err(StoreError::ReadOnly(reason.to_owned())));
        }
    }
}
