//! Token buckets, of which only those are kept that are not full.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// How many requests a second, and how many at once after a pause. Neither is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) per_second: u32,
    pub(super) burst: u32,
}

impl Rate {
    fn period(self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
    }
}

/// Below so many buckets it is not worth looking for full ones.
const SWEEP_FROM: usize = 1024;

/// The buckets, each as the moment at which it will be full again.
#[derive(Debug, Default)]
pub(super) struct Meters {
    full_at: HashMap<Arc<str>, Instant>,
    swept_to: usize,
}

impl Meters {
    /// Takes one token from every bucket, or none.
    ///
    /// # Errors
    /// How long until every bucket has a token.
    pub(super) fn take(&mut self, buckets: &[(Arc<str>, Rate)], now: Instant) -> Result<(), Duration> {
        let full_after = |meters: &Self, (name, rate): &(Arc<str>, Rate)| {
            meters.full_at.get(name).map_or(now, |full| (*full).max(now)) + rate.period()
        };
        let wait = buckets.iter().map(|bucket| {
            let (_, rate) = bucket;
            full_after(self, bucket).saturating_duration_since(now + rate.period() * rate.burst.max(1))
        });
        match wait.max() {
            Some(wait) if !wait.is_zero() => return Err(wait),
            _ => {}
        }
        for bucket in buckets {
            let full = full_after(self, bucket);
            self.full_at.insert(Arc::clone(&bucket.0), full);
        }
        self.sweep(now);
        Ok(())
    }

    /// Drops full buckets, each time that as many were added as were left: work and memory stay in
    /// proportion to the workspaces that lately made requests.
    fn sweep(&mut self, now: Instant) {
        if self.full_at.len() >= SWEEP_FROM.max(2 * self.swept_to) {
            self.full_at.retain(|_, full| *full > now);
            self.swept_to = self.full_at.len();
        }
    }
}
