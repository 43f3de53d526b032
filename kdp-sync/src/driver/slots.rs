//! How much is worked on at once.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A pass that takes longer waits for somebody, and does not hold up others any longer.
const QUICK: Duration = Duration::from_secs(1);

/// How many slow passes there may be beside the quick ones.
const MOST_SLOW: usize = 2048;

/// A pass needs a slot to begin. All syncs of an agent share them.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    quick: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    share: usize,
}

/// The right to run one pass.
#[derive(Debug)]
pub(super) struct Slot {
    /// Held as long as the pass is a quick one; nobody closes the semaphore.
    permit: Option<OwnedSemaphorePermit>,
    slow: Arc<Semaphore>,
}

impl Slots {
    /// Slots for `count` quick passes at a time.
    pub(crate) fn new(count: usize) -> Self {
        let share = count.div_ceil(4).max(1);
        Self { quick: Arc::new(Semaphore::new(count)), slow: Arc::new(Semaphore::new(MOST_SLOW)), share }
    }

    /// How many passes of one workspace each sync may run at a time, quick and slow ones: a
    /// quarter, so that one tenant never has all the slots.
    pub(super) fn share(&self) -> usize {
        self.share
    }

    /// Waits for a slot; cancel-safe.
    pub(super) async fn acquire(&self) -> Slot {
        Slot { permit: self.quick.clone().acquire_owned().await.ok(), slow: self.slow.clone() }
    }
}

impl Slot {
    /// Runs a pass. When it turns out to be slow, the slot is given to another one.
    ///
    /// Somebody who makes the requests for his orders slow thus delays only himself.
    pub(super) async fn lend<T>(self, pass: impl Future<Output = T>) -> T {
        let mut pass = pin!(pass);
        if let Ok(outcome) = tokio::time::timeout(QUICK, &mut pass).await {
            return outcome;
        }
        let Ok(_slow) = self.slow.try_acquire() else { return pass.await };
        drop(self.permit);
        pass.await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_passes_do_not_keep_others_from_beginning() {
        let slots = Slots::new(1);
        let slow = tokio::spawn(slots.acquire().await.lend(std::future::pending::<()>()));
        let quick = tokio::time::timeout(QUICK * 2, slots.acquire()).await.unwrap();
        assert_eq!(quick.lend(async { 1 }).await, 1);
        slow.abort();
        assert!(slow.await.unwrap_err().is_cancelled());
        assert_eq!(slots.quick.available_permits(), 1);
        assert_eq!(slots.slow.available_permits(), MOST_SLOW);
    }

    #[test]
    fn one_workspace_has_a_quarter() {
        for (count, share) in [(1, 1), (4, 1), (32, 8), (33, 9)] {
            assert_eq!(Slots::new(count).share(), share, "{count}");
        }
    }
}
