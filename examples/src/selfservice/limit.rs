//! How often somebody may ask.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::Mutex,
    time::{Duration, Instant},
};

/// How many are remembered; when there are more, those who have their full measure again are forgotten.
const REMEMBERED: usize = 4096;

/// A measure of requests that fills up again at an even pace, for each key.
#[derive(Debug)]
pub(super) struct Limit<K> {
    burst: f64,
    per_second: f64,
    left: Mutex<HashMap<K, (f64, Instant)>>,
}

impl<K: Eq + Hash> Limit<K> {
    /// At most `burst` at once, and `per_second` in the long run.
    pub(super) fn new(burst: u32, per_second: f64) -> Self {
        Self { burst: burst.into(), per_second, left: Mutex::default() }
    }

    /// Takes one; when none is left, says how long to wait.
    pub(super) fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        let mut left = self.left.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if left.len() >= REMEMBERED && !left.contains_key(&key) {
            left.retain(|_, (amount, at)| self.grown(*amount, *at, now) < self.burst);
            if left.len() >= REMEMBERED {
                return Err(Duration::from_secs(1));
            }
        }
        let (amount, at) = left.entry(key).or_insert((self.burst, now));
        let grown = self.grown(*amount, *at, now);
        if grown < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - grown) / self.per_second));
        }
        (*amount, *at) = (grown - 1.0, now);
        Ok(())
    }

    fn grown(&self, amount: f64, at: Instant, now: Instant) -> f64 {
        let since = now.saturating_duration_since(at).as_secs_f64();
        (amount + since * self.per_second).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_burst_and_then_an_even_pace() {
        let (limit, start) = (Limit::new(2, 1.0), Instant::now());
        assert_eq!([limit.take("a", start), limit.take("a", start)], [Ok(()), Ok(())]);
        assert_eq!(limit.take("a", start), Err(Duration::from_secs(1)));
        assert_eq!(limit.take("b", start), Ok(()), "another has a measure of its own");
        assert_eq!(limit.take("a", start + Duration::from_secs(1)), Ok(()));
        assert!(limit.take("a", start + Duration::from_secs(1)).is_err());
    }

    #[test]
    fn many_keys_are_not_remembered_for_ever() {
        let (limit, start) = (Limit::new(1, 1.0), Instant::now());
        (0..REMEMBERED).for_each(|key| limit.take(key, start).unwrap());
        assert!(limit.take(REMEMBERED, start).is_err());
        limit.take(REMEMBERED, start + Duration::from_secs(2)).unwrap();
        assert_eq!(limit.left.lock().unwrap().len(), 1);
    }
}
