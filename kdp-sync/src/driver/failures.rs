//! How often an order failed in a row, and with what.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::engine::{OrderKey, Problem};

#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<OrderKey, (u32, Vec<Problem>)>>);

impl Failures {
    /// Notes how a pass ended. Returns whether the problems are other ones than the last time, and
    /// the number of failures in a row, which is zero after a success.
    pub(super) fn record(&self, order: &OrderKey, problems: &[Problem]) -> (bool, u32) {
        let mut failures = self.0.lock();
        if problems.is_empty() {
            failures.remove(order);
            return (false, 0);
        }
        let (count, last) = failures.entry(order.clone()).or_default();
        *count += 1;
        let is_new = last != problems;
        *last = problems.to_vec();
        (is_new, *count)
    }

    /// The orders that failed when they were last worked on.
    pub(super) fn orders(&self) -> Vec<OrderKey> {
        self.0.lock().keys().cloned().collect()
    }

    pub(super) fn forget(&self, order: &OrderKey) {
        self.0.lock().remove(order);
    }
}
