//! What only a person decides: to go on, and to go back.

use jiff::Timestamp;

use super::{Plan, RollBackScope, RunPhase, UpgradeRun};
use crate::lifecycle::LifecycleError;

/// Lets a halted run go on with those whose turn has not come.
///
/// The failures so far are accepted: they do not count any more and are left as they are. To try
/// them again is another plan. A run that goes on already, or is completed, stays as it is.
///
/// # Errors
/// `WrongPhase` when instances are being brought back, or all were.
pub fn resume(run: &UpgradeRun, now: Timestamp) -> Result<UpgradeRun, LifecycleError> {
    let mut run = run.clone();
    match run.phase {
        RunPhase::Running | RunPhase::Completed => return Ok(run),
        RunPhase::Halted => {}
        RunPhase::RollingBack | RunPhase::RolledBack => {
            return Err(LifecycleError::WrongPhase {
                object: format!("UpgradePlan {}", run.plan),
                phase: format!("{:?}", run.phase),
                verb: "be resumed",
            });
        }
    }
    run.instances.values_mut().filter(|it| it.failure.is_some()).for_each(|it| it.accepted = true);
    run.report = None;
    run.roll_back = None;
    run.enter(RunPhase::Running, now);
    Ok(run)
}

/// Brings instances back that the run has changed, each to exactly the version it had before.
///
/// Those that somebody else has changed since are left, see [`UpgradeRun::taken_over`]. Afterwards
/// the run is halted, or at its end when all were meant. Deciding the same twice is as once; deciding
/// it again later also tries those again that could not be brought back.
///
/// # Errors
/// `Invalid` when the plan has no such group.
pub fn roll_back(
    plan: &Plan,
    run: &UpgradeRun,
    scope: &RollBackScope,
    now: Timestamp,
) -> Result<UpgradeRun, LifecycleError> {
    if let RollBackScope::Group(name) = scope
        && plan.group_index(name).is_none()
    {
        return Err(LifecycleError::invalid(&plan.object(), "spec.groups", format!("there is no group {name:?}")));
    }
    let mut run = run.clone();
    let is_under_way = run.phase == RunPhase::RollingBack;
    if is_under_way && matches!(&run.roll_back, Some(it) if it == scope || *it == RollBackScope::All {}) {
        return Ok(run);
    }
    for noted in run.instances.values_mut().filter(|it| it.stuck) {
        let is_meant = match scope {
            RollBackScope::Group(name) => noted.group.as_ref() == Some(name),
            RollBackScope::Failed {} | RollBackScope::All {} => true,
        };
        noted.stuck &= !is_meant;
    }
    if run.phase == RunPhase::RolledBack && !run.instances.values().any(|it| it.is_changed() && !it.stuck) {
        return Ok(run);
    }
    run.roll_back = Some(scope.clone());
    run.enter(RunPhase::RollingBack, now);
    Ok(run)
}
