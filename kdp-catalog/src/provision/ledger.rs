//! What service clusters hold, by what was seen of each order.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::Assignment;
use crate::resolution::Usage;

/// So long a place is kept for an order that was planned and not begun.
const RESERVED: Duration = Duration::from_secs(600);

/// Counts each order once, whatever is seen of it how often.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Books>);

#[derive(Debug, Default)]
pub(super) struct Books {
    orders: HashMap<String, Entry>,
    pub(super) usage: Usage,
}

#[derive(Debug)]
struct Entry {
    cluster: String,
    workspace: String,
    apart: BTreeMap<String, String>,
    demand: BTreeMap<String, u64>,
    /// Until when it counts; for ever once it was begun.
    until: Option<Instant>,
}

impl Ledger {
    /// All books, for a decision and the entry that follows from it.
    pub(super) fn open(&self) -> MutexGuard<'_, Books> {
        // An entry is written last, so the books are whole, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// Forgets an order.
    pub(super) fn forget(&mut self, uid: &str) {
        if let Some(entry) = self.orders.remove(uid) {
            self.usage.remove(&entry.cluster, &entry.workspace, &entry.apart, &entry.demand);
        }
    }

    /// Forgets places that were reserved too long ago, and says whether there were any.
    pub(super) fn expire(&mut self) -> bool {
        let now = Instant::now();
        let is_over = |entry: &Entry| entry.until.is_some_and(|until| until < now);
        let over: Vec<_> = self.orders.iter().filter(|(_, entry)| is_over(entry)).map(|(uid, _)| uid.clone()).collect();
        over.iter().for_each(|uid| self.forget(uid));
        !over.is_empty()
    }

    /// Keeps the place of an order, instead of what was kept for it.
    pub(super) fn reserve(&mut self, uid: &str, assignment: &Assignment) {
        let Assignment { cluster: Some(cluster), workspace, demand, apart, .. } = assignment else { return };
        let was_begun = self.orders.get(uid).is_some_and(|entry| entry.until.is_none());
        self.forget(uid);
        self.usage.add(cluster, workspace, apart, demand);
        let entry = Entry {
            cluster: cluster.clone(),
            workspace: workspace.clone(),
            apart: apart.clone(),
            demand: demand.clone(),
            until: (!was_begun).then(|| Instant::now() + RESERVED),
        };
        self.orders.insert(uid.into(), entry);
    }

    /// From now on the order has its place until it is forgotten.
    pub(super) fn begun(&mut self, uid: &str) {
        if let Some(entry) = self.orders.get_mut(uid) {
            entry.until = None;
        }
    }
}

#[cfg(test)]
mod tests;
