//! Which order is worked on next.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    time::Duration,
};

use kdp_core::LogicalClusterName;
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::engine::OrderKey;

/// Orders with something to do: each at most once, never two passes of one at a time, and the
/// workspaces in turn, so that one with many orders does not hold up the others.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    turns: VecDeque<LogicalClusterName>,
    ready: HashMap<LogicalClusterName, VecDeque<OrderKey>>,
    queued: HashSet<OrderKey>,
    running: HashSet<OrderKey>,
    /// Pushed while running.
    again: HashSet<OrderKey>,
    later: BTreeSet<(Instant, OrderKey)>,
    due: HashMap<OrderKey, Instant>,
}

impl Queue {
    /// Has the order worked on soon.
    pub(super) fn push(&self, order: OrderKey) {
        self.state.lock().push(order);
        self.changed.notify_one();
    }

    /// The next order; it counts as running until [`Queue::done`]. Cancel-safe.
    pub(super) async fn next(&self) -> OrderKey {
        loop {
            let (order, due) = self.state.lock().take(Instant::now());
            if let Some(order) = order {
                return order;
            }
            match due {
                Some(due) => {
                    tokio::select! {
                        () = self.changed.notified() => {}
                        () = tokio::time::sleep_until(due) => {}
                    }
                }
                None => self.changed.notified().await,
            }
        }
    }

    /// Ends the pass of an order, and has it worked on again after a while if it is said.
    pub(super) fn done(&self, order: &OrderKey, again_after: Option<Duration>) {
        let mut state = self.state.lock();
        state.running.remove(order);
        if state.again.remove(order) {
            state.push(order.clone());
        } else if let Some(delay) = again_after {
            let due = Instant::now() + delay;
            state.due.insert(order.clone(), due);
            state.later.insert((due, order.clone()));
        }
        drop(state);
        self.changed.notify_one();
    }
}

impl State {
    fn push(&mut self, order: OrderKey) {
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
        let of_cluster = self.ready.entry(order.cluster.clone()).or_default();
        if of_cluster.is_empty() {
            self.turns.push_back(order.cluster.clone());
        }
        of_cluster.push_back(order);
    }

    /// The order whose turn it is, or the time at which the next one is due.
    fn take(&mut self, now: Instant) -> (Option<OrderKey>, Option<Instant>) {
        while let Some((due, order)) = self.later.first().cloned().filter(|(due, _)| *due <= now) {
            self.later.remove(&(due, order.clone()));
            self.due.remove(&order);
            self.push(order);
        }
        let Some(cluster) = self.turns.pop_front() else { return (None, self.later.first().map(|(due, _)| *due)) };
        let Some(of_cluster) = self.ready.get_mut(&cluster) else { return (None, None) };
        let order = of_cluster.pop_front();
        if of_cluster.is_empty() {
            self.ready.remove(&cluster);
        } else {
            self.turns.push_back(cluster);
        }
        if let Some(order) = &order {
            self.queued.remove(order);
            self.running.insert(order.clone());
        }
        (order, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(cluster: &str, name: &str) -> OrderKey {
        OrderKey { cluster: cluster.parse().unwrap(), namespace: None, name: name.into() }
    }

    async fn next(queue: &Queue) -> Option<String> {
        let next = tokio::time::timeout(Duration::from_millis(5), queue.next()).await;
        next.ok().map(|order| order.to_string())
    }

    #[tokio::test]
    async fn workspaces_take_turns() {
        let queue = Queue::default();
        for name in ["1", "2", "3"] {
            queue.push(order("a", name));
        }
        queue.push(order("b", "1"));
        let mut seen = Vec::new();
        while let Some(next) = next(&queue).await {
            seen.push(next);
        }
        assert_eq!(seen, ["a|/1", "b|/1", "a|/2", "a|/3"]);
    }

    #[tokio::test]
    async fn an_order_never_runs_twice_at_a_time_and_no_change_is_lost() {
        let queue = Queue::default();
        queue.push(order("a", "1"));
        queue.push(order("a", "1"));
        assert!(next(&queue).await.is_some());
        queue.push(order("a", "1"));
        assert_eq!(next(&queue).await, None);
        queue.done(&order("a", "1"), None);
        assert!(next(&queue).await.is_some());
        queue.done(&order("a", "1"), None);
        assert_eq!(next(&queue).await, None);
    }

    #[tokio::test]
    async fn a_failed_order_comes_back_after_its_delay_or_at_once_when_something_changed() {
        let queue = Queue::default();
        queue.push(order("a", "1"));
        queue.next().await;
        queue.done(&order("a", "1"), Some(Duration::from_millis(20)));
        assert_eq!(next(&queue).await, None);
        assert_eq!(queue.next().await, order("a", "1"));
        queue.done(&order("a", "1"), Some(Duration::from_secs(60)));
        queue.push(order("a", "1"));
        assert!(next(&queue).await.is_some());
        queue.done(&order("a", "1"), None);
        assert_eq!(next(&queue).await, None);
    }
}
