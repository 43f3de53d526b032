//! When an order that failed is tried again, by what went wrong.

use std::{error::Error as _, time::Duration};

use kdp_core::{Error, ErrorKind, reconcile::backoff};
use rand::Rng;

/// Conflicts in a row that are met with another try at once.
const QUICK_TRIES: u32 = 5;
/// The first pause after a refusal, and the longest.
const REFUSED: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));
/// Longer than this nobody is asked to wait.
const MOST_PATIENCE: Duration = Duration::from_secs(300);
const TOO_MANY_REQUESTS: u16 = 429;

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Somebody else was quicker, or what was heard is no longer so.
    Outdated,
    /// The API server has too much to do, and may have said how long.
    Throttled(Option<Duration>),
    /// The API server does not answer, or not with sense.
    Unavailable,
    /// The API server does not want it; that changes only when somebody changes something.
    Refused,
    /// There is no decision to carry out; a change of what it depends on is heard.
    Undecided,
}

impl Class {
    pub(super) fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Stale | ErrorKind::NotFound => Self::Outdated,
            ErrorKind::Invalid | ErrorKind::Forbidden | ErrorKind::Unsupported => Self::Refused,
            _ => match error.source().and_then(|source| source.downcast_ref::<kube::Error>()) {
                Some(kube::Error::Api(status)) if status.code == TOO_MANY_REQUESTS => {
                    let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
                    Self::Throttled((seconds > 0).then(|| Duration::from_secs(seconds.into())))
                }
                _ => Self::Unavailable,
            },
        }
    }

    /// How long to wait after the `failures`th failure in a row; always with some randomness, so
    /// that what failed together is not tried again together.
    pub(super) fn delay(self, failures: u32) -> Duration {
        match self {
            Self::Outdated if failures <= QUICK_TRIES => Duration::from_millis(rand::rng().random_range(2..=20)),
            Self::Outdated => backoff(failures - QUICK_TRIES),
            Self::Throttled(Some(pause)) => pause.min(MOST_PATIENCE).mul_f64(rand::rng().random_range(1.0..=1.25)),
            Self::Throttled(None) | Self::Unavailable | Self::Undecided => backoff(failures),
            Self::Refused => {
                let (first, longest) = REFUSED;
                let full = first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(longest);
                full.mul_f64(rand::rng().random_range(0.5..=1.0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn class(code: u16, retry_after_seconds: u32) -> Class {
        let status = json!({"code": code, "details": {"retryAfterSeconds": retry_after_seconds}});
        let status = serde_json::from_value(status).unwrap();
        Class::of(&Error::from_kube("write", "it", kube::Error::Api(Box::new(status))))
    }

    #[test]
    fn answers_are_told_apart_by_what_helps() {
        for (code, expected) in [
            (409, Class::Outdated),
            (404, Class::Outdated),
            (429, Class::Throttled(None)),
            (403, Class::Refused),
            (422, Class::Refused),
            (500, Class::Unavailable),
            (503, Class::Unavailable),
        ] {
            assert_eq!(class(code, 0), expected, "{code}");
        }
        assert_eq!(class(429, 7), Class::Throttled(Some(Duration::from_secs(7))));
    }

    #[test]
    fn each_waits_as_long_as_helps() {
        let check = |class: Class, failures, least: u64, most: u64| {
            let delay = class.delay(failures);
            let expected = Duration::from_millis(least)..=Duration::from_millis(most);
            assert!(expected.contains(&delay), "{class:?} for the {failures}th time: {delay:?}");
        };
        check(Class::Outdated, 1, 1, 20);
        check(Class::Outdated, 5, 1, 20);
        check(Class::Outdated, 6, 50, 100);
        check(Class::Throttled(Some(Duration::from_secs(3))), 9, 3000, 3750);
        check(Class::Throttled(None), 1, 50, 100);
        check(Class::Refused, 1, 1000, 2000);
        check(Class::Refused, 40, 150_000, 300_000);
        check(Class::Unavailable, 1, 50, 100);
        check(Class::Undecided, 40, 30_000, 60_000);
    }
}
