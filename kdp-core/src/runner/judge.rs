//! What is to be done about an order, decided from facts alone.

use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;

use super::{
    options::{Approval, FailedCreations},
    record::{Begun, Failed, FailedCreation, Record},
};
use crate::provider::{Change, Phase, Plan, PlanHash};

/// As long as anything is waited for.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// Whether a plan waits until somebody approves its hash.
pub(super) fn needs_approval(policy: Approval, plan: &Plan) -> bool {
    match policy {
        Approval::Never => false,
        Approval::Destructive => plan.is_destructive(),
        Approval::Changes => !plan.changes.is_empty(),
    }
}

/// The hash of the approved plan for `generation` of which this one is the rest, if it is.
///
/// An approved plan that was cut short is approved as far as it is not carried out yet, but for
/// nothing else.
pub(super) fn approval_of_rest<'a>(plan: &Plan, generation: i64, begun: Option<&'a Begun>) -> Option<&'a PlanHash> {
    let begun = begun.filter(|begun| begun.generation == generation)?;
    let is_begun = |change: &Change| {
        begun.changes.iter().any(|(action, subject)| (*action, subject) == (change.action, &change.subject))
    };
    begun.approval.as_ref().filter(|_| plan.changes.iter().all(is_begun))
}

/// What is to be done after a creation whose outcome is not known, or that takes too long.
///
/// This is the Open Service Broker API's table of orphans, with two differences. Providers make
/// nothing twice, so a creation is repeated, where the table has it removed, for as long as its
/// deadline is not over. And whoever runs the platform may want to inspect what failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolution {
    /// Go on as with any order.
    GoOn,
    /// Look again later, and make nothing: the evidence is missing, or the last try may still take effect.
    Wait,
    /// Remove what may be there.
    Remove,
    /// Leave it for inspection.
    Hold,
}

/// Resolves a creation that was begun and never seen ready.
///
/// `settled` is whether the last try can no longer take effect, `overdue` whether its deadline is over.
pub(super) fn resolve(phase: Phase, settled: bool, overdue: bool, policy: FailedCreations) -> Resolution {
    match phase {
        // Usable, late or not.
        Phase::Ready | Phase::Degraded => Resolution::GoOn,
        // Somebody else has to do something first, or asked for this.
        Phase::Blocked | Phase::Paused => Resolution::GoOn,
        // Removing what cannot be seen might remove what works.
        Phase::Unknown => Resolution::Wait,
        Phase::Gone if !settled => Resolution::Wait,
        _ if overdue => match policy {
            FailedCreations::Remove => Resolution::Remove,
            FailedCreations::Hold => Resolution::Hold,
        },
        Phase::Progressing | Phase::Failing | Phase::Deleting | Phase::Gone => Resolution::GoOn,
    }
}

/// What follows once a failed creation has been removed.
pub(super) fn after_removal(record: &mut Record, generation: i64, most_attempts: u32) {
    record.attempts += 1;
    record.sealed = None;
    record.begun = None;
    let given_up = Failed { state: FailedCreation::GivenUp, generation };
    record.failed = (record.attempts >= most_attempts).then_some(given_up);
}

/// What a change of the order, or a person who asks for another try, does to a failed creation.
/// Returns whether that changed anything.
///
/// `retry` is the number of attempts that the person has seen, so that asking once is asking once.
pub(super) fn retried(record: &mut Record, generation: i64, retry: Option<&str>) -> bool {
    let Some(failed) = &mut record.failed else { return false };
    let is_asked = retry == Some(record.attempts.to_string().as_str());
    match failed.state {
        FailedCreation::Held if is_asked => failed.state = FailedCreation::Removing,
        FailedCreation::GivenUp if failed.generation != generation => (record.failed, record.attempts) = (None, 0),
        FailedCreation::GivenUp if is_asked => record.failed = None,
        _ => return false,
    }
    true
}

/// Whether more time than `limit` has passed since `since`.
pub(super) fn is_over(since: Timestamp, limit: Duration, now: Timestamp) -> bool {
    now.duration_since(since).try_into().is_ok_and(|passed: Duration| passed > limit)
}

/// The duration with up to a tenth added or taken off, so that orders do not move in step; no more
/// than [`LONGEST`].
pub(super) fn jittered(duration: Duration) -> Duration {
    bounded(duration).mul_f64(rand::rng().random_range(0.9..=1.1))
}

/// The duration, unless it is too long for a clock: `Duration::MAX` is a way to say never.
pub(super) fn bounded(duration: Duration) -> Duration {
    duration.min(LONGEST)
}

#[cfg(test)]
mod tests;
