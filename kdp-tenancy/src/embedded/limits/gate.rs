//! Lets requests in: at their rate, and one after the other when more come than can be worked on.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use kdp_core::api::limits::WorkspaceLimitsSpec;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{
    fair::{FairQueue, Hop, Line},
    rate::{Meters, Rate},
};
use crate::embedded::status::{Result, StatusError};

/// How long a request waits; a quarter of a client's usual deadline, as Kubernetes.
const PATIENCE: Duration = Duration::from_secs(15);
/// How many requests of one workspace may wait, and how many altogether.
const ROOM: (usize, usize) = (256, 8192);

/// A workspace that a request counts for, and its own limits.
pub(super) type Bounded = (Arc<str>, WorkspaceLimitsSpec);

/// See the module. All of its state is about requests and watches that are open, and buckets that
/// are not full.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    /// How long a request waits for its turn.
    patience: Duration,
}

#[derive(Debug)]
struct State {
    queue: FairQueue<oneshot::Sender<()>>,
    meters: Meters,
    /// Open watches in a workspace and all below it.
    watches: HashMap<Arc<str>, u32>,
    next_ticket: u64,
}

/// Permission to be worked on, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    gate: Arc<Gate>,
    line: Line,
    ticket: u64,
    is_lent: AtomicBool,
}

tokio::task_local! {
    /// The seat of the request that the task works on.
    static SEAT: Seat;
}

/// Does the work of a request that holds `seat`.
pub(crate) async fn seated<F: Future>(seat: Option<Seat>, work: F) -> F::Output {
    match seat {
        Some(seat) => SEAT.scope(seat, work).await,
        None => work.await,
    }
}

/// Waits for something that is not a processor, such as a disk. If it takes any time, others have
/// the seat of the request from then on: what is left to do after a write is little.
pub(crate) async fn unseated<F: Future>(wait: F) -> F::Output {
    let mut wait = pin!(wait);
    match futures::poll!(&mut wait) {
        Poll::Ready(done) => done,
        Poll::Pending => {
            // An error means that this is no request that had to wait for a seat.
            let _ = SEAT.try_with(Seat::lend);
            wait.await
        }
    }
}

/// A watch that counts as open, until this is dropped.
#[derive(Debug)]
pub(crate) struct WatchPermit {
    gate: Arc<Gate>,
    counted: Vec<Arc<str>>,
}

impl Gate {
    /// A gate behind which so many requests are worked on at once.
    pub(super) fn new(seats: usize) -> Self {
        let queue = FairQueue::new(seats, ROOM);
        let state = State { queue, meters: Meters::default(), watches: HashMap::new(), next_ticket: 0 };
        Self { state: Mutex::new(state), patience: PATIENCE }
    }

    /// Waits for a seat, for a request in the last of `path`, which begins at the top of the tree.
    /// Cancel-safe: who no longer waits has lost the place and holds nothing.
    ///
    /// # Errors
    /// 429 when a rate is exceeded, when too many wait already, or when the wait took too long.
    pub(super) async fn admit(self: &Arc<Self>, path: &[Bounded]) -> Result<Seat> {
        let (seat, turn) = self.stand_in_line(path)?;
        match tokio::time::timeout(self.patience, turn).await {
            Ok(Ok(())) => Ok(seat),
            _ => Err(later(Duration::ZERO)),
        }
    }

    fn stand_in_line(self: &Arc<Self>, path: &[Bounded]) -> Result<(Seat, oneshot::Receiver<()>)> {
        let rates: Vec<_> = path.iter().filter_map(|(name, bounds)| Some((Arc::clone(name), rate(bounds)?))).collect();
        let hops: Vec<_> = path
            .iter()
            .map(|(name, bounds)| {
                let seats = bounds.concurrency.and_then(|seats| seats.try_into().ok()).unwrap_or(usize::MAX);
                Hop { cluster: Arc::clone(name), seats }
            })
            .collect();
        let (sender, turn) = oneshot::channel();
        let mut state = self.state.lock();
        state.meters.take(&rates, Instant::now()).map_err(later)?;
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        let line = state.queue.wait(&hops, ticket, sender).map_err(|_| later(Duration::ZERO))?;
        state.seat();
        drop(state);
        Ok((Seat { gate: Arc::clone(self), line, ticket, is_lent: AtomicBool::new(false) }, turn))
    }

    /// Counts a watch in every workspace of `path`, which begins at the top of the tree.
    ///
    /// # Errors
    /// 429 when one of them has as many as it may.
    pub(super) fn watch(self: &Arc<Self>, path: &[Bounded]) -> Result<WatchPermit> {
        let mut state = self.state.lock();
        for (above, (name, bounds)) in path.iter().rev().enumerate() {
            let open = state.watches.get(name).copied().unwrap_or_default();
            let Some(limit) = bounds.watches.filter(|limit| open >= *limit) else { continue };
            let own = (above == 0).then_some((u64::from(open), u64::from(limit)));
            return Err(StatusError::too_many_requests(super::exceeded("watches", 1, own), 5));
        }
        let counted: Vec<_> = path.iter().map(|(name, _)| Arc::clone(name)).collect();
        for name in &counted {
            *state.watches.entry(Arc::clone(name)).or_default() += 1;
        }
        drop(state);
        Ok(WatchPermit { gate: Arc::clone(self), counted })
    }
}

impl State {
    /// Gives every free seat to who is next.
    fn seat(&mut self) {
        while let Some(turn) = self.queue.admit() {
            // An error means that the request is given up, and its seat given back, right now.
            let _ = turn.send(());
        }
    }
}

impl Seat {
    fn lend(&self) {
        if !self.is_lent.swap(true, Ordering::Relaxed) {
            let mut state = self.gate.state.lock();
            state.queue.lend();
            state.seat();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.gate.state.lock();
        if *self.is_lent.get_mut() {
            state.queue.leave_lent(self.line);
        } else if !state.queue.give_up(self.line, self.ticket) {
            state.queue.leave(self.line);
        }
        state.seat();
    }
}

impl Drop for WatchPermit {
    fn drop(&mut self) {
        let mut state = self.gate.state.lock();
        for name in &self.counted {
            if let Some(open) = state.watches.get_mut(name) {
                *open -= 1;
                if *open == 0 {
                    state.watches.remove(name);
                }
            }
        }
    }
}

fn rate(bounds: &WorkspaceLimitsSpec) -> Option<Rate> {
    let per_second = bounds.requests_per_second?;
    Some(Rate { per_second, burst: bounds.burst.unwrap_or(per_second) })
}

/// Kubernetes' words; they do not say whose load it is.
fn later(wait: Duration) -> StatusError {
    let seconds = i32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(i32::MAX).max(1);
    StatusError::too_many_requests("Too many requests, please try again later.", seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str, bounds: WorkspaceLimitsSpec) -> Vec<Bounded> {
        vec![("root".into(), WorkspaceLimitsSpec::default()), (name.into(), bounds)]
    }

    #[tokio::test]
    async fn a_request_that_waits_too_long_is_told_to_come_back_and_holds_nothing() {
        let gate = Arc::new(Gate { patience: Duration::ZERO, ..Gate::new(1) });
        let path = path("a", WorkspaceLimitsSpec::default());
        let held = gate.admit(&path).await.unwrap();
        let refused = gate.admit(&path).await.unwrap_err();
        assert_eq!((refused.code(), refused.status().details.as_ref().unwrap().retry_after_seconds), (429, Some(1)));
        drop(held);
        gate.admit(&path).await.unwrap();
    }

    #[tokio::test]
    async fn a_seat_passes_on_when_its_request_or_a_waiting_one_is_dropped() {
        let gate = Arc::new(Gate::new(1));
        let path = path("a", WorkspaceLimitsSpec::default());
        let held = gate.admit(&path).await.unwrap();
        let given_up = gate.stand_in_line(&path).unwrap();
        let waiting = gate.stand_in_line(&path).unwrap();
        drop(given_up);
        drop(held);
        waiting.1.await.unwrap();
    }

    #[tokio::test]
    async fn who_waits_for_the_disk_lets_others_work() {
        let gate = Arc::new(Gate::new(1));
        let path = path("a", WorkspaceLimitsSpec::default());
        let (written, disk) = oneshot::channel::<()>();
        let first = gate.admit(&path).await.unwrap();
        let mut writing = Box::pin(seated(Some(first), unseated(disk)));
        assert!(futures::poll!(&mut writing).is_pending());
        let second = gate.admit(&path).await.unwrap();
        written.send(()).unwrap();
        writing.await.unwrap();
        drop(second);
        let (_third, waiting) = (gate.admit(&path).await.unwrap(), gate.stand_in_line(&path).unwrap());
        assert!(futures::poll!(waiting.1).is_pending());
    }

    #[tokio::test]
    async fn watches_are_counted_above_too_and_say_no_number_of_there() {
        let gate = Arc::new(Gate::new(1));
        let two = WorkspaceLimitsSpec { watches: Some(2), ..WorkspaceLimitsSpec::default() };
        let below = |name: &str| [path("org", two), path(name, two).split_off(1)].concat();
        let first = gate.watch(&below("a")).unwrap();
        let _second = gate.watch(&below("b")).unwrap();
        let refused = gate.watch(&below("b")).unwrap_err().to_string();
        assert!(refused.contains("above") && !refused.contains('2'), "{refused}");
        drop(first);
        let _third = gate.watch(&below("b")).unwrap();
        let refused = gate.watch(&below("b")).unwrap_err().to_string();
        assert!(refused.contains("used: watches=2, limited: watches=2"), "{refused}");
    }
}
