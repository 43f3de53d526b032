//! Which order is worked on next.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use kdp_core::{LogicalClusterName, reconcile::backoff};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::engine::OrderKey;

/// From this change in a row on that ended a wait in vain, the least wait does not grow, and is up to
/// 12.8 seconds.
const MOST_HURRIES: u32 = 8;

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// There is nothing to do until something changes.
    Settled,
    /// There is more to do; others come first.
    Unfinished,
    /// It is to be tried again after this long, or when something changes.
    Failed(Duration),
    /// It has settled, but is to be looked at again after this long.
    Waiting(Duration),
}

/// Orders with something to do: each at most once, and never two passes of one at a time.
///
/// Workspaces take turns, and no workspace has more than its share of passes at a time: neither
/// many orders of one tenant nor slow ones hold up those of another. All that is kept is bounded
/// by the number of orders.
///
/// A failed order waits. A change of what it depends on may be what it waits for, so it ends the
/// wait: the first one at once. But if that fails as well, the next change has to wait a little, and
/// the one after it longer, until there was a wait without a change or a success: who changes
/// something all the time gets no more tries than who waits, but for a few.
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
    /// Each since when it was heard of.
    queued: HashMap<OrderKey, Instant>,
    running: HashMap<OrderKey, Instant>,
    /// How many of each workspace are running.
    busy: HashMap<LogicalClusterName, usize>,
    /// Pushed while running.
    again: HashMap<OrderKey, Instant>,
    later: BTreeSet<(Instant, OrderKey)>,
    due: HashMap<OrderKey, Due>,
    /// How often in a row a change has ended the wait of a failed order.
    hurried: HashMap<OrderKey, u32>,
}

/// A wait.
#[derive(Clone, Copy, Debug)]
struct Due {
    at: Instant,
    began: Instant,
    /// Whether a change has made it shorter.
    is_hurried: bool,
    heard: Instant,
}

impl Queue {
    /// An empty queue that hands out at most `share` orders of a workspace at a time.
    pub(super) fn new(share: usize) -> Self {
        Self { share: share.max(1), state: Mutex::default(), changed: Notify::new() }
    }

    /// Has the order worked on soon.
    pub(super) fn push(&self, order: OrderKey) {
        self.state.lock().push(order, Instant::now(), self.share);
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

    /// Whether there is something that could be worked on.
    pub(super) fn has_ready(&self) -> bool {
        !self.state.lock().turns.is_empty()
    }

    /// The order whose turn it is; it counts as running until [`Queue::done`].
    pub(super) fn take(&self) -> Option<OrderKey> {
        self.state.lock().take(self.share)
    }

    /// Ends the pass of an order. If it settled, returns when the change that the pass was for was
    /// heard of.
    pub(super) fn done(&self, order: &OrderKey, ended: Ended) -> Option<Instant> {
        let mut state = self.state.lock();
        let heard = state.end(order, self.share)?;
        let again = state.again.remove(order);
        let now = Instant::now();
        let later = |delay| Due { at: now + delay, began: now, is_hurried: false, heard };
        if !matches!(ended, Ended::Failed(_)) {
            state.hurried.remove(order);
        }
        match ended {
            Ended::Failed(delay) => {
                state.wait(order.clone(), later(delay));
                if again.is_some() {
                    state.hurry(order, now);
                }
            }
            Ended::Unfinished => state.queue(order.clone(), heard, self.share),
            Ended::Settled | Ended::Waiting(_) => match (again, ended) {
                (Some(heard), _) => state.queue(order.clone(), heard, self.share),
                (None, Ended::Waiting(delay)) => state.wait(order.clone(), later(delay)),
                (None, _) => {}
            },
        }
        drop(state);
        self.changed.notify_one();
        matches!(ended, Ended::Settled | Ended::Waiting(_)).then_some(heard)
    }

    /// How many orders wait for their turn.
    pub(super) fn depth(&self) -> usize {
        self.state.lock().queued.len()
    }
}

impl State {
    fn push(&mut self, order: OrderKey, heard: Instant, share: usize) {
        if self.running.contains_key(&order) {
            self.again.entry(order).or_insert(heard);
            return;
        }
        if self.queued.contains_key(&order) {
            return;
        }
        if self.due.contains_key(&order) {
            self.hurry(&order, heard);
            self.wake(heard, share);
            return;
        }
        self.queue(order, heard, share);
    }

    fn wait(&mut self, order: OrderKey, due: Due) {
        self.later.insert((due.at, order.clone()));
        self.due.insert(order, due);
    }

    /// Makes the wait of an order shorter, once.
    fn hurry(&mut self, order: &OrderKey, now: Instant) {
        let Some(due) = self.due.get_mut(order).filter(|due| !due.is_hurried) else { return };
        let times = self.hurried.entry(order.clone()).or_default();
        let least = if *times == 0 { Duration::ZERO } else { backoff((*times).min(MOST_HURRIES)) };
        *times += 1;
        due.is_hurried = true;
        let at = (due.began + least).max(now).min(due.at);
        self.later.remove(&(due.at, order.clone()));
        due.at = at;
        self.later.insert((at, order.clone()));
    }

    fn queue(&mut self, order: OrderKey, heard: Instant, share: usize) {
        self.queued.insert(order.clone(), heard);
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
            && let Some(due) = self.due.remove(&order)
        {
            if !due.is_hurried {
                self.hurried.remove(&order);
            }
            self.queue(order, due.heard, share);
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
        let heard = self.queued.remove(&order)?;
        self.running.insert(order.clone(), heard);
        Some(order)
    }

    fn end(&mut self, order: &OrderKey, share: usize) -> Option<Instant> {
        let heard = self.running.remove(order)?;
        let busy = self.busy.get_mut(&order.cluster)?;
        let had_no_room = *busy >= share;
        *busy -= 1;
        if *busy == 0 {
            self.busy.remove(&order.cluster);
        }
        if had_no_room && self.ready.contains_key(&order.cluster) {
            self.turns.push_back(order.cluster.clone());
        }
        Some(heard)
    }
}

#[cfg(test)]
mod tests;
