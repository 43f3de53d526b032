//! What the fleet says about the instances of a run.

use jiff::{SignedDuration, Timestamp};

use super::{Instance, InstanceProgress, InstanceState, Phase, Plan};

/// Where a stored run wants an instance to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Where it is, or on the way to the target.
    Forward,
    /// At its earlier version.
    Back,
}

/// Brings what is noted of one instance in line with what is seen of it; `false` when there is
/// nothing left to note.
///
/// `wanted` is where the stored run wants it to be: only then is an instance that is at its earlier
/// version again one that was brought back, and the note about it lost.
pub(super) fn observe(
    plan: &Plan,
    noted: &mut InstanceProgress,
    wanted: Wanted,
    seen: Option<&Instance>,
    now: Timestamp,
) -> bool {
    let Some(seen) = seen else {
        if noted.is_changed() || noted.state == InstanceState::RollingBack {
            noted.enter(InstanceState::Gone, now, "is not seen any more");
        }
        return noted.state == InstanceState::Gone;
    };
    if seen.phase == Phase::Gone {
        return false;
    }
    if wanted == Wanted::Back && noted.applied && seen.version == noted.from {
        noted.enter(InstanceState::RollingBack, now, "");
    }
    match noted.state {
        InstanceState::Pending | InstanceState::Skipped => waiting(plan, noted, seen, now),
        InstanceState::Upgrading => upgrading(plan, noted, seen, now),
        InstanceState::Upgraded => upgraded(plan, noted, seen, now),
        InstanceState::Failed => failed(plan, noted, seen, now),
        InstanceState::RollingBack => rolling_back(plan, noted, seen, now),
        InstanceState::RolledBack if seen.version != noted.from => taken_over(noted, seen, now),
        InstanceState::RolledBack | InstanceState::TakenOver => {}
        InstanceState::Gone => reappeared(plan, noted, seen, now),
    }
    true
}

/// The moment from which `since` is longer ago than the plan lets an instance take.
pub(super) fn overdue_at(plan: &Plan, since: Timestamp) -> Timestamp {
    after(since, plan.deadline)
}

pub(super) fn after(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

fn waiting(plan: &Plan, noted: &mut InstanceProgress, seen: &Instance, now: Timestamp) {
    if seen.version == plan.to {
        match noted.state {
            // The note that it was told to go there is lost.
            InstanceState::Pending => {
                noted.enter(InstanceState::Upgrading, now, "");
                upgrading(plan, noted, seen, now);
            }
            _ => noted.enter(InstanceState::Skipped, now, "is at the target already"),
        }
        return;
    }
    if !plan.concerns(&seen.version) {
        let message = format!("is at {}, which the plan does not concern", seen.version);
        return noted.enter(InstanceState::Skipped, now, message);
    }
    noted.from = seen.version.clone();
    if noted.group.is_none() {
        return noted.enter(InstanceState::Skipped, now, "no group takes it");
    }
    match seen.phase {
        Phase::Ready => noted.enter(InstanceState::Pending, now, ""),
        Phase::Progressing if overdue_at(plan, seen.since) > now => {
            noted.enter(InstanceState::Pending, now, "waits until it is ready");
        }
        Phase::Progressing | Phase::Failed | Phase::Gone => {
            noted.enter(InstanceState::Skipped, now, format!("was not ready before the upgrade{}", because(seen)));
        }
    }
}

fn upgrading(plan: &Plan, noted: &mut InstanceProgress, seen: &Instance, now: Timestamp) {
    let overdue = overdue_at(plan, noted.since) <= now;
    if seen.version == plan.to {
        noted.applied = true;
        match seen.phase {
            Phase::Ready => succeed(noted, now),
            Phase::Progressing if overdue => {
                fail(noted, now, format!("was not ready at {} in time{}", seen.version, because(seen)));
            }
            Phase::Progressing => {}
            Phase::Failed | Phase::Gone => fail(noted, now, format!("failed at {}{}", seen.version, because(seen))),
        }
    } else if seen.version == noted.from && !noted.applied {
        // Whoever could not be told again, because the run halted or the window closed, did not fail.
        if overdue && noted.attempts > 1 {
            fail(noted, now, format!("was still at {} when its time was over", seen.version));
        } else if overdue {
            noted.enter(InstanceState::Pending, now, "was told once, and nothing was seen of it");
        }
    } else {
        taken_over(noted, seen, now);
    }
}

fn upgraded(plan: &Plan, noted: &mut InstanceProgress, seen: &Instance, now: Timestamp) {
    if seen.version != plan.to {
        return taken_over(noted, seen, now);
    }
    match seen.phase {
        Phase::Ready => {}
        Phase::Progressing if overdue_at(plan, seen.since) > now => {}
        Phase::Progressing => fail(noted, now, format!("is not ready any more at {}{}", seen.version, because(seen))),
        Phase::Failed | Phase::Gone => fail(noted, now, format!("failed later at {}{}", seen.version, because(seen))),
    }
}

fn failed(plan: &Plan, noted: &mut InstanceProgress, seen: &Instance, now: Timestamp) {
    if seen.version == plan.to {
        noted.applied = true;
        if seen.phase == Phase::Ready && !noted.stuck {
            succeed(noted, now);
        }
    } else if noted.stuck && seen.version == noted.from {
        noted.enter(InstanceState::RolledBack, now, "is back, late");
    } else if seen.version != noted.from || noted.applied {
        taken_over(noted, seen, now);
    }
}

fn rolling_back(plan: &Plan, noted: &mut InstanceProgress, seen: &Instance, now: Timestamp) {
    let overdue = overdue_at(plan, noted.since) <= now;
    if seen.version == noted.from {
        if seen.phase == Phase::Ready {
            noted.enter(InstanceState::RolledBack, now, "");
        } else if overdue {
            noted.enter(InstanceState::RolledBack, now, format!("is back, but not ready{}", because(seen)));
        }
    } else if seen.version == plan.to {
        noted.applied = true;
        if overdue {
            noted.stuck = true;
            noted.failure.get_or_insert_with(|| "was not brought back in time".into());
            noted.enter(InstanceState::Failed, now, "was not brought back in time");
        }
    } else {
        taken_over(noted, seen, now);
    }
}

fn reappeared(plan: &Plan, noted: &mut InstanceProgress, seen: &Instance, now: Timestamp) {
    if seen.version == plan.to {
        noted.enter(InstanceState::Upgrading, now, "");
        upgrading(plan, noted, seen, now);
    } else if seen.version == noted.from && !noted.applied {
        noted.enter(InstanceState::Pending, now, "");
        waiting(plan, noted, seen, now);
    } else {
        taken_over(noted, seen, now);
    }
}

fn succeed(noted: &mut InstanceProgress, now: Timestamp) {
    noted.failure = None;
    noted.accepted = false;
    noted.enter(InstanceState::Upgraded, now, "");
}

fn fail(noted: &mut InstanceProgress, now: Timestamp, why: String) {
    noted.failure = Some(why.clone());
    noted.accepted = false;
    noted.enter(InstanceState::Failed, now, why);
}

fn taken_over(noted: &mut InstanceProgress, seen: &Instance, now: Timestamp) {
    noted.enter(InstanceState::TakenOver, now, format!("somebody else has brought it to {}", seen.version));
}

fn because(seen: &Instance) -> String {
    if seen.message.is_empty() { String::new() } else { format!(": {}", seen.message) }
}
