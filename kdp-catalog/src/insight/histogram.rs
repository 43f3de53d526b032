//! Durations, counted so that percentiles are known within a stated error and sums of histograms are histograms.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How far a percentile may be from the true one, as a part of it.
pub const RELATIVE_ERROR: f64 = 0.01;

/// Durations in milliseconds, counted in buckets that grow by about two percent.
///
/// Each percentile is within [`RELATIVE_ERROR`] of the duration that stands at its rank, and never more than the
/// longest, which is exact, as are number and sum. There are at most about 2,200 buckets, and only those that hold
/// something take room. Adding two histograms loses nothing, in whatever order they are added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// How many durations are in each bucket. Bucket 0 is for 0 ms and 1 ms.
    #[serde(rename = "b", default)]
    buckets: BTreeMap<u16, u64>,
    #[serde(rename = "s", default)]
    sum_ms: u64,
    #[serde(rename = "m", default)]
    max_ms: u64,
}

impl Histogram {
    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// How many durations there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Their sum in seconds.
    #[must_use]
    pub fn sum_seconds(&self) -> f64 {
        seconds(self.sum_ms)
    }

    /// The longest in seconds; none when there is none.
    #[must_use]
    pub fn max_seconds(&self) -> Option<f64> {
        (!self.is_empty()).then(|| seconds(self.max_ms))
    }

    /// Counts one duration.
    pub fn add_ms(&mut self, ms: u64) {
        let count = self.buckets.entry(bucket(ms)).or_default();
        *count = count.saturating_add(1);
        self.sum_ms = self.sum_ms.saturating_add(ms);
        self.max_ms = self.max_ms.max(ms);
    }

    /// Counts the time between two moments; nothing when the second is the earlier one, as clocks may differ.
    pub fn add_between(&mut self, from: Timestamp, to: Timestamp) {
        self.add_ms(u64::try_from(to.duration_since(from).as_millis()).unwrap_or_default());
    }

    /// Counts all that the other has counted.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            let sum = self.buckets.entry(*bucket).or_default();
            *sum = sum.saturating_add(*count);
        }
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
        self.max_ms = self.max_ms.max(other.max_ms);
    }

    /// The duration in seconds that `quantile` of all durations do not exceed: of 100 durations 0.95 means the 95th.
    /// None when there are no durations.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank is between 1 and the count")]
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let count = self.count();
        let rank = ((as_f64(count) * quantile.clamp(0.0, 1.0)).ceil() as u64).clamp(1, count.max(1));
        let mut below = 0_u64;
        let (found, _) = self.buckets.iter().find(|(_, count)| {
            below = below.saturating_add(**count);
            below >= rank
        })?;
        // The last one is known exactly.
        if rank == count {
            return self.max_seconds();
        }
        Some((middle(*found) / 1000.0).min(seconds(self.max_ms)))
    }

    /// How many durations are at most so many seconds long, to be read as `quantile` is.
    #[must_use]
    pub fn count_up_to(&self, bound_seconds: f64) -> u64 {
        let up_to = self.buckets.iter().filter(|(bucket, _)| middle(**bucket) <= bound_seconds * 1000.0);
        up_to.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

fn growth() -> f64 {
    (1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 2219")]
fn bucket(ms: u64) -> u16 {
    if ms <= 1 { 0 } else { (as_f64(ms).ln() / growth().ln()).ceil() as u16 }
}

/// The duration that is no further than the error from any in the bucket, in milliseconds.
fn middle(bucket: u16) -> f64 {
    if bucket == 0 { 1.0 } else { 2.0 * growth().powi(i32::from(bucket)) / (growth() + 1.0) }
}

fn seconds(ms: u64) -> f64 {
    as_f64(ms) / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 a count need not be exact")]
pub(super) fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(durations: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        durations.iter().for_each(|ms| histogram.add_ms(*ms));
        histogram
    }

    #[test]
    fn an_empty_histogram_has_no_percentiles() {
        let none = Histogram::default();
        assert_eq!((none.quantile(0.5), none.max_seconds(), none.count()), (None, None, 0));
    }

    #[test]
    fn one_duration_is_each_percentile_of_itself() {
        let one = of(&[4_000]);
        assert_eq!([one.quantile(0.0), one.quantile(0.5), one.quantile(1.0)], [Some(4.0); 3]);
        assert_eq!((one.count_up_to(3.0), one.count_up_to(5.0)), (0, 1));
    }

    #[test]
    fn moments_in_the_wrong_order_are_no_time() {
        let mut histogram = Histogram::default();
        histogram.add_between(Timestamp::from_second(5).unwrap(), Timestamp::from_second(4).unwrap());
        assert_eq!((histogram.count(), histogram.max_seconds()), (1, Some(0.0)));
    }

    proptest! {
        #[test]
        fn percentiles_are_within_the_error(
            mut durations in prop::collection::vec(prop_oneof![0..100_u64, 0..10_000_000_u64, any::<u64>()], 1..200),
            quantile in 0.0..=1.0_f64,
        ) {
            let histogram = of(&durations);
            durations.sort_unstable();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers")]
            let rank = ((as_f64(durations.len() as u64) * quantile).ceil() as usize).max(1_usize);
            let (exact, told) = (seconds(durations[rank - 1]), histogram.quantile(quantile).unwrap());
            // One millisecond is the smallest unit, and floating point is allowed its last digits.
            prop_assert!((told - exact).abs() <= exact * RELATIVE_ERROR * (1.0 + 1e-6) + 0.001, "{told} for {exact}");
            prop_assert!(told <= histogram.max_seconds().unwrap());
        }

        #[test]
        fn adding_histograms_is_associative_and_commutative(
            a in prop::collection::vec(any::<u64>(), 0..20),
            b in prop::collection::vec(any::<u64>(), 0..20),
            c in prop::collection::vec(any::<u64>(), 0..20),
        ) {
            let sum = |parts: [&Histogram; 2]| {
                let mut sum = parts[0].clone();
                sum.merge(parts[1]);
                sum
            };
            let all = of(&[a.clone(), b.clone(), c.clone()].concat());
            let (a, b, c) = (of(&a), of(&b), of(&c));
            prop_assert_eq!(&sum([&sum([&a, &b]), &c]), &all);
            prop_assert_eq!(&sum([&a, &sum([&b, &c])]), &all);
            prop_assert_eq!(sum([&a, &b]), sum([&b, &a]));
        }
    }
}
