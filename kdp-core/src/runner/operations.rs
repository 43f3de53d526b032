//! Runs operations of a provider: when there is memory for them, and no longer than they may take.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{judge::bounded, options::Deadlines, queue::Key, slots::Slots};
use crate::{
    Error, ErrorKind,
    provider::{Lease, Operation, Progress, Provider, Run, Step, StepState},
};

/// How often people are told of the progress of one operation at most.
const TELL_EVERY: Duration = Duration::from_secs(2);
/// How many steps of one operation are told at most, beyond the latest one.
const MOST_TOLD: usize = 20;
/// Steps that wait to be heard.
const STEPS: usize = 256;

/// What every operation of one runner shares.
#[derive(Debug)]
pub(super) struct Operations {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) slots: Slots,
    pub(super) deadlines: Deadlines,
    pub(super) lease: Lease,
    pub(super) holder: String,
    /// Cancelled when operations under way are to end.
    pub(super) halt: CancellationToken,
}

impl Operations {
    /// Runs `work` as `operation` on the order `key`.
    ///
    /// `Unavailable` when it did not end in time. Then, as with every operation that was cut short,
    /// what it has done is not known.
    pub(super) async fn run<T, W: Future<Output = Result<T, Error>>>(
        &self,
        operation: Operation,
        key: &Key,
        progress: Progress,
        work: impl FnOnce(Run) -> W,
    ) -> Result<T, Error> {
        let stops = || Error::new(ErrorKind::Unavailable, operation.as_str(), &key.name, "the runner stops");
        let _slot = tokio::select! {
            biased;
            () = self.halt.cancelled() => return Err(stops()),
            slot = self.slots.acquire(key.lane(), self.provider.weight(operation)) => slot,
        };
        let limit = bounded(self.deadlines.of(operation));
        let deadline = Instant::now() + limit;
        let stop = self.halt.child_token();
        let run =
            Run::new(self.lease).with_holder(&self.holder).with_progress(progress).until(stop.clone(), Some(deadline));
        let mut work = Box::pin(work(run));
        let late = tokio::select! {
            biased;
            result = &mut work => return result,
            () = self.halt.cancelled() => stops(),
            () = sleep_until(deadline) => {
                let message = format!("it did not end within {limit:?}");
                Error::new(ErrorKind::Unavailable, operation.as_str(), &key.name, message)
            }
        };
        stop.cancel();
        timeout(self.deadlines.grace, work).await.unwrap_or(Err(late))
    }
}

/// Hears the steps of one operation, and tells some of them.
#[derive(Debug)]
pub(super) struct Listener {
    steps: mpsc::Receiver<Step>,
    latest: Option<Step>,
    untold: Vec<Step>,
    told: usize,
    ticks: Interval,
}

impl Listener {
    /// A listener and the progress that it hears.
    pub(super) fn new() -> (Self, Progress) {
        let (progress, steps) = Progress::channel(STEPS);
        let mut ticks = interval(TELL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        (Self { steps, latest: None, untold: Vec::new(), told: 0, ticks }, progress)
    }

    /// Waits until there is something to tell: the latest step, and what has ended since the last
    /// time. Answers every two seconds at most, and never after the operation has ended. Cancel-safe.
    pub(super) async fn next(&mut self) -> (Step, Vec<Step>) {
        loop {
            tokio::select! {
                step = self.steps.recv() => match step {
                    Some(step) => self.hear(step),
                    None => std::future::pending().await,
                },
                _ = self.ticks.tick(), if self.latest.is_some() => {
                    if let Some(latest) = self.latest.take() {
                        return (latest, std::mem::take(&mut self.untold));
                    }
                }
            }
        }
    }

    /// What has ended and was not told.
    pub(super) fn rest(mut self) -> Vec<Step> {
        while let Ok(step) = self.steps.try_recv() {
            self.hear(step);
        }
        self.untold
    }

    fn hear(&mut self, step: Step) {
        if matches!(step.state, StepState::Done | StepState::Failed) && self.told < MOST_TOLD {
            self.told += 1;
            self.untold.push(step.clone());
        }
        self.latest = Some(step);
    }
}
