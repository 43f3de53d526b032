//! What somebody decides about a run.

use jiff::Timestamp;

use crate::lifecycle::{
    LifecycleError,
    waves::{Plan, RollBackScope, UpgradePlan, UpgradeRun, resume, roll_back},
};

/// Annotation of an UpgradePlan: `resume` goes on with a run that has halted and accepts its failures; `rollback`
/// brings back all that the run has changed, `rollback-failed` those that failed, `rollback:<group>` a group. It is
/// taken away once it is noted.
pub const DECIDE: &str = "catalog.kdp.k8c.io/decide";

#[derive(Debug, PartialEq)]
pub(super) enum Decision {
    Resume,
    RollBack(RollBackScope),
}

impl Decision {
    /// The decision on a plan, if there is one.
    ///
    /// # Errors
    /// `Invalid` when it is none of those there are.
    pub(super) fn of(plan: &UpgradePlan) -> Result<Option<Self>, LifecycleError> {
        let Some(text) = plan.metadata.annotations.as_ref().and_then(|all| all.get(DECIDE)) else { return Ok(None) };
        Ok(Some(match text.as_str() {
            "resume" => Self::Resume,
            "rollback" => Self::RollBack(RollBackScope::All {}),
            "rollback-failed" => Self::RollBack(RollBackScope::Failed {}),
            other => match other.strip_prefix("rollback:") {
                Some(group) => Self::RollBack(RollBackScope::Group(group.into())),
                None => {
                    let name = plan.metadata.name.as_deref().unwrap_or_default();
                    let reason = format!("{other:?} is none of resume, rollback, rollback-failed and rollback:<group>");
                    return Err(LifecycleError::invalid(&format!("UpgradePlan {name}"), DECIDE, reason));
                }
            },
        }))
    }

    pub(super) fn take(&self, plan: &Plan, run: &UpgradeRun, now: Timestamp) -> Result<UpgradeRun, LifecycleError> {
        match self {
            Self::Resume => resume(run, now),
            Self::RollBack(scope) => roll_back(plan, run, scope, now),
        }
    }
}
