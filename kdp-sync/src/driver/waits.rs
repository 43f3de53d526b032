//! How long to wait for what may still arrive.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use parking_lot::Mutex;
use rand::Rng;
use tokio::time::Instant;

use super::remote::REQUEST_DEADLINE;
use crate::engine::OrderKey;

/// Longer than from the moment an agent sees that an order is there until its last request to make
/// something for it has arrived: two requests, and as much again for queues on the way.
const LONGEST: Duration = Duration::from_secs(4 * REQUEST_DEADLINE.as_secs());

/// What one sync waits for.
#[derive(Debug)]
pub(super) struct Waits {
    /// Names the sync among all there ever are.
    instance: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Parts of orders of which something may still arrive, and since when that is known.
    ended: HashMap<OrderKey, BTreeMap<String, Instant>>,
    /// Orders for which something was to be made, without an answer.
    doubts: HashMap<OrderKey, Instant>,
}

impl Waits {
    pub(super) fn new() -> Self {
        Self { instance: format!("{:016x}", rand::rng().random::<u64>()), state: Mutex::default() }
    }

    pub(super) fn instance(&self) -> &str {
        &self.instance
    }

    /// Something was to be made for the order, and there was no answer.
    pub(super) fn doubt(&self, order: &OrderKey) {
        let now = Instant::now();
        let doubts = &mut self.state.lock().doubts;
        doubts.retain(|_, since| now - *since < LONGEST);
        doubts.insert(order.clone(), now);
    }

    pub(super) fn is_in_doubt(&self, order: &OrderKey) -> bool {
        self.state.lock().doubts.get(order).is_some_and(|since| since.elapsed() < LONGEST)
    }

    /// Whether long enough has passed since this was first asked of a part of an order.
    pub(super) fn is_quiet(&self, order: &OrderKey, part: &str) -> bool {
        let mut state = self.state.lock();
        let parts = state.ended.entry(order.clone()).or_default();
        let since = *parts.entry(part.to_owned()).or_insert_with(Instant::now);
        since.elapsed() >= LONGEST
    }

    /// How long is still to be waited for the order; none if nothing is waited for. When it is over,
    /// that is forgotten.
    pub(super) fn rest(&self, order: &OrderKey) -> Option<Duration> {
        let mut state = self.state.lock();
        let parts = state.ended.get_mut(order)?;
        parts.retain(|_, since| since.elapsed() < LONGEST);
        let rest = parts.values().map(|since| LONGEST.saturating_sub(since.elapsed())).min();
        if rest.is_none() {
            state.ended.remove(order);
        }
        rest
    }

    pub(super) fn forget(&self, order: &OrderKey) {
        self.state.lock().ended.remove(order);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> OrderKey {
        OrderKey { cluster: "a".parse().unwrap(), namespace: None, name: "b".into() }
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_that_has_ended_is_waited_for_once() {
        let (waits, order) = (Waits::new(), order());
        assert_eq!(waits.rest(&order), None);
        assert!(!waits.is_quiet(&order, ""));
        tokio::time::advance(LONGEST / 2).await;
        assert!(!waits.is_quiet(&order, ""));
        assert_eq!(waits.rest(&order), Some(LONGEST / 2));
        tokio::time::advance(LONGEST / 2).await;
        assert!(waits.is_quiet(&order, ""));
        assert_eq!(waits.rest(&order), None);
        assert!(waits.state.lock().ended.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_doubt_ends_when_no_answer_can_come_any_more() {
        let (waits, order) = (Waits::new(), order());
        waits.doubt(&order);
        assert!(waits.is_in_doubt(&order));
        tokio::time::advance(LONGEST).await;
        assert!(!waits.is_in_doubt(&order));
        assert_ne!(waits.instance(), Waits::new().instance());
    }
}
