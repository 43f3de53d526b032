//! Numbers, as they are printed.

use std::time::{Duration, Instant};

/// The time that this process has used of all cores, in steps of 10 ms.
///
/// `None` where the system does not tell.
#[must_use]
pub fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the name of the program, in parentheses.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

/// Time by the clock and time of the cores since it was made.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    begun: Instant,
    cpu: Duration,
}

impl Stopwatch {
    /// Starts to measure.
    #[must_use]
    pub fn start() -> Self {
        Self { begun: Instant::now(), cpu: cpu_time().unwrap_or_default() }
    }

    /// Time by the clock, and time of all cores.
    #[must_use]
    pub fn read(&self) -> (Duration, Duration) {
        (self.begun.elapsed(), cpu_time().unwrap_or_default().saturating_sub(self.cpu))
    }

    /// Waits until this process has next to nothing to do; returns both times until then.
    pub async fn until_idle(&self) -> (Duration, Duration) {
        const STEP: Duration = Duration::from_millis(50);
        const STEPS: u32 = 6;
        let (mut last, mut quiet) = (self.read(), 0);
        loop {
            tokio::time::sleep(STEP).await;
            let now = self.read();
            // At most one tick of the clock: timers, and this loop.
            quiet = if now.1 - last.1 > Duration::from_millis(10) { 0 } else { quiet + 1 };
            if quiet == STEPS {
                return (now.0 - STEP * STEPS, now.1);
            }
            last = now;
        }
    }
}

/// Percentiles of durations.
#[must_use]
pub fn percentiles(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |share: usize| took.get(took.len() * share / 1000).or_else(|| took.last()).copied().unwrap_or_default();
    let max = took.last().copied().unwrap_or_default();
    format!(
        "p50 {:>8.1?}  p90 {:>8.1?}  p99 {:>8.1?}  p99.9 {:>8.1?}  max {max:>8.1?}",
        at(500),
        at(900),
        at(990),
        at(999)
    )
}

/// A number, for arithmetic.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "the numbers are far below 2^52")]
pub fn real(number: u64) -> f64 {
    number as f64
}
