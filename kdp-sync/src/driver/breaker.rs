//! Whether a side answers at all, so that thousands of orders do not ask one that is down.

use std::{future::Future, time::Duration};

use kdp_core::reconcile::backoff;
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

/// Silences in a row after which a side counts as down.
const PATIENCE: u32 = 5;
/// The longest time between two attempts to reach a side that is down.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// After this long an attempt of which nothing was heard does not hold up the next one.
const ATTEMPT: Duration = Duration::from_secs(40);

/// Lets requests through until several in a row had no answer; then one at a time, now and then,
/// until one has.
///
/// An answer is an answer, whatever it says: only what keeps everybody from a side counts, so that
/// no tenant can shut out the others by making his own requests fail.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    silences: u32,
    /// Attempts to reach it that failed since it went down.
    attempts: u32,
    down: Option<Down>,
}

#[derive(Clone, Copy, Debug)]
struct Down {
    until: Instant,
    is_attempted: bool,
}

impl Breaker {
    /// Whether a request may be sent now. Whoever is let through says what came of it.
    pub(super) fn admit(&self) -> bool {
        let now = Instant::now();
        let mut state = self.state.lock();
        let Some(down) = &mut state.down else { return true };
        if now < down.until {
            return false;
        }
        *down = Down { until: now + ATTEMPT, is_attempted: true };
        true
    }

    /// There was an answer.
    pub(super) fn answered(&self) {
        let mut state = self.state.lock();
        if state.silences > 0 || state.down.is_some() {
            *state = State::default();
            drop(state);
            self.changed.notify_waiters();
        }
    }

    /// There was none.
    pub(super) fn silent(&self) {
        let mut state = self.state.lock();
        match state.down {
            None => state.silences += 1,
            // One that was under way when the side went down says nothing new.
            Some(down) if !down.is_attempted => return,
            Some(_) => state.attempts += 1,
        }
        if state.silences >= PATIENCE {
            let until = Instant::now() + backoff(state.attempts + 1).min(LONGEST_PAUSE);
            state.down = Some(Down { until, is_attempted: false });
            drop(state);
            self.changed.notify_waiters();
        }
    }

    /// Completes once a request would be let through; cancel-safe.
    pub(super) async fn closed(&self) {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            let until = match self.state.lock().down {
                Some(down) if Instant::now() < down.until => down.until,
                _ => return,
            };
            let _ = tokio::time::timeout_at(until, changed).await;
        }
    }

    /// Sends a request if it may be sent, and notes whether there was an answer.
    pub(super) async fn guard<T>(
        &self,
        request: impl Future<Output = T>,
        is_silence: impl Fn(&T) -> bool,
    ) -> Option<T> {
        if !self.admit() {
            return None;
        }
        let answer = request.await;
        if is_silence(&answer) {
            self.silent()
        } else {
            self.answered()
        }
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker.silent();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_is_silent_is_asked_by_one_at_a_time() {
        let breaker = Breaker::default();
        fail(&breaker, PATIENCE - 1);
        assert!(breaker.admit());
        breaker.silent();
        assert!(!breaker.admit());
        breaker.closed().await;
        assert!(breaker.admit(), "the first attempt");
        assert!(!breaker.admit(), "while it is under way");
        breaker.silent();
        assert!(!breaker.admit(), "it failed");
        breaker.closed().await;
        assert!(breaker.admit());
        breaker.answered();
        assert!(breaker.admit() && breaker.admit(), "it is up again");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_in_between_begins_the_count_anew() {
        let breaker = Breaker::default();
        for _ in 0..10 {
            fail(&breaker, PATIENCE - 1);
            breaker.answered();
        }
        assert!(breaker.admit());
    }

    #[tokio::test(start_paused = true)]
    async fn requests_under_way_when_it_went_down_do_not_lengthen_the_pause() {
        let breaker = Breaker::default();
        fail(&breaker, 100);
        let begun = Instant::now();
        breaker.closed().await;
        assert!(begun.elapsed() <= Duration::from_millis(101));
    }

    #[tokio::test(start_paused = true)]
    async fn the_pause_grows_to_a_limit_and_an_attempt_that_is_lost_is_not_waited_for() {
        let breaker = Breaker::default();
        fail(&breaker, PATIENCE);
        for _ in 0..20 {
            breaker.closed().await;
            assert!(breaker.admit());
            breaker.silent();
        }
        let begun = Instant::now();
        breaker.closed().await;
        assert!(begun.elapsed() <= LONGEST_PAUSE && begun.elapsed() > LONGEST_PAUSE / 2);
        assert!(breaker.admit());
        breaker.closed().await;
        assert!(breaker.admit());
    }
}
