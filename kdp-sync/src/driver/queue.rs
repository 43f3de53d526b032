//! Which order is worked on next.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    time::Duration,
};

use kdp_core::LogicalClusterName;
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::engine::OrderKey;

/// Orders with something to do: each at most once, and never two passes of one at a time.
///
/// Workspaces take turns, and no workspace has more than its share of passes at a time: neither
/// many orders of one tenant nor slow ones hold up those of another. All that is kept is bounded
/// by the number of orders.
#[derive(Debug)]
pub(super) struct Queue {
    /// How many passes of one workspace there may be at a time.
    share: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The workspaces with something ready and less than their share running, each once.
    turns: VecDeque<LogicalClusterName>,
    ready: HashMap<LogicalClusterName, VecDeque<OrderKey>>,
    queued: HashSet<OrderKey>,
    running: HashSet<OrderKey>,
    /// How many of each workspace are running.
    busy: HashMap<LogicalClusterName, usize>,
    /// Pushed while running.
    again: HashSet<OrderKey>,
    later: BTreeSet<(Instant, OrderKey)>,
    due: HashMap<OrderKey, Instant>,
}

impl Queue {
    /// An empty queue that hands out at most `share` orders of a workspace at a time.
    pub(super) fn new(share: usize) -> Self {
        Self { share: share.max(1), state: Mutex::default(), changed: Notify::new() }
    }

    /// Has the order worked on soon.
    pub(super) fn push(&self, order: OrderKey) {
        self.state.lock().push(order, self.share);
        self.changed.notify_one();
    }

    /// Completes once [`Queue::take`] has something to give. Cancel-safe.
    pub(super) async fn ready(&self) {
        loop {
            let next = {
                let mut state = self.state.lock();
                state.wake(Instant::now(), self.share);
                if !state.turns.is_empty() {
                    return;
                }
                state.later.first().map(|(due, _)| *due)
            };
            match next {
                Some(due) => {
                    // Either is a reason to look again.
                    let _ = tokio::time::timeout_at(due, self.changed.notified()).await;
                }
                None => self.changed.notified().await,
            }
        }
    }

    /// The order whose turn it is; it counts as running until [`Queue::done`].
    pub(super) fn take(&self) -> Option<OrderKey> {
        self.state.lock().take(self.share)
    }

    /// Ends the pass of an order, and has it worked on again after a while if it is said.
    pub(super) fn done(&self, order: &OrderKey, again_after: Option<Duration>) {
        let mut state = self.state.lock();
        state.end(order, self.share);
        if state.again.remove(order) {
            state.push(order.clone(), self.share);
        } else if let Some(delay) = again_after {
            let due = Instant::now() + delay;
            state.due.insert(order.clone(), due);
            state.later.insert((due, order.clone()));
        }
        drop(state);
        self.changed.notify_one();
    }

    /// How many orders wait for their turn.
    pub(super) fn depth(&self) -> usize {
        self.state.lock().queued.len()
    }
}

impl State {
    fn push(&mut self, order: OrderKey, share: usize) {
        if self.running.contains(&order) {
            self.again.insert(order);
            return;
        }
        if let Some(due) = self.due.remove(&order) {
            self.later.remove(&(due, order.clone()));
        }
        if !self.queued.insert(order.clone()) {
            return;
        }
        let has_room = self.busy.get(&order.cluster).is_none_or(|busy| *busy < share);
        let of_cluster = self.ready.entry(order.cluster.clone()).or_default();
        if of_cluster.is_empty() && has_room {
            self.turns.push_back(order.cluster.clone());
        }
        of_cluster.push_back(order);
    }

    /// Pushes the orders whose time has come.
    fn wake(&mut self, now: Instant, share: usize) {
        while self.later.first().is_some_and(|(due, _)| *due <= now)
            && let Some((_, order)) = self.later.pop_first()
        {
            self.due.remove(&order);
            self.push(order, share);
        }
    }

    fn take(&mut self, share: usize) -> Option<OrderKey> {
        let cluster = self.turns.pop_front()?;
        let of_cluster = self.ready.get_mut(&cluster)?;
        let order = of_cluster.pop_front()?;
        let busy = self.busy.entry(cluster.clone()).or_default();
        *busy += 1;
        if of_cluster.is_empty() {
            self.ready.remove(&cluster);
        } else if *busy < share {
            self.turns.push_back(cluster);
        }
        self.queued.remove(&order);
        self.running.insert(order.clone());
        Some(order)
    }

    fn end(&mut self, order: &OrderKey, share: usize) {
        if !self.running.remove(order) {
            return;
        }
        let Some(busy) = self.busy.get_mut(&order.cluster) else { return };
        let had_no_room = *busy >= share;
        *busy -= 1;
        if *busy == 0 {
            self.busy.remove(&order.cluster);
        }
        if had_no_room && self.ready.contains_key(&order.cluster) {
            self.turns.push_back(order.cluster.clone());
        }
    }
}

#[cfg(test)]
mod tests;
