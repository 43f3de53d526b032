//! Upgrades of many instances in groups, one after the other.
//!
//! A [`Plan`] says who goes from where to where; [`step`] compares it with what is observed of the
//! fleet and what a run has noted so far, and answers what the run has to note now and what is to
//! be done. The driver stores the run first and acts then, and calls again when something of the
//! fleet changes or at `next_look`.
//!
//! - An instance is upgraded only after a stored run has its earlier version. So a driver that dies
//!   may lose the last run it made: from the one before and from the fleet the next step finds the
//!   same way, and the way back.
//! - What was done is seen in the fleet, never assumed. An action that got lost is given again.
//! - Who is changed by somebody else while the run lasts is left alone from then on, and named.
//!   Whoever waits for its turn and is brought to the target by somebody else cannot be told from one
//!   whose note got lost, and counts as upgraded by the run.
//!
//! ```
//! use kdp_catalog::lifecycle::waves::{Action, Instance, Phase, Plan, UpgradePlanSpec, UpgradeRun, step};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let spec: UpgradePlanSpec = serde_json::from_value(serde_json::json!({
//!     "service": "databases",
//!     "from": {"range": "^1"},
//!     "to": "2.0.0",
//!     "groups": [{"name": "canary", "percent": 1, "soak": "1h"}, {"name": "rest"}],
//! }))?;
//! let plan = Plan::parse("to-2", &spec, &[])?;
//! let now = "2026-11-25T12:00:00Z".parse()?;
//! let fleet = [Instance::new("a", "1.4.0".parse()?, Phase::Ready, now)];
//!
//! // The first step notes who is where, the second one acts.
//! let noted = step(&plan, &fleet, &UpgradeRun::begin(&plan, now), now)?;
//! let next = step(&plan, &fleet, &noted.run, now)?;
//! let upgrade = Action::Upgrade { id: "a".into(), from: "1.4.0".parse()?, to: "2.0.0".parse()? };
//! assert_eq!(next.actions, [upgrade]);
//! # Ok(())
//! # }
//! ```

mod decide;
mod explain;
mod groups;
mod observe;
mod plan;
mod progress;
mod run;
mod step;

pub use decide::{resume, roll_back};
pub use explain::{Explanation, GroupRow, explain};
pub use plan::{Amount, Group, GroupSpec, Plan, RollBackPolicy, Share, UpgradePlan, UpgradePlanSpec};
pub use run::{
    Failure, GroupProgress, InstanceProgress, InstanceState, Report, RollBackScope, RunPhase, TakenOver, UpgradeRun,
};
pub use step::{Action, HoldReason, Step, step};

use std::collections::BTreeMap;

use jiff::Timestamp;
use semver::Version;

/// What was observed of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Names it for its whole life and nothing else after it, such as its uid.
    pub id: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The release its order asks for.
    pub version: Version,
    /// How it is at that release. What was observed before the order was last changed does not
    /// count: such an instance is `Progressing`.
    pub phase: Phase,
    /// Since when it is in that phase.
    pub since: Timestamp,
    /// Why, for people.
    pub message: String,
}

impl Instance {
    /// An instance without labels.
    pub fn new(id: impl Into<String>, version: Version, phase: Phase, since: Timestamp) -> Self {
        Self { id: id.into(), labels: BTreeMap::new(), version, phase, since, message: String::new() }
    }

    /// The same instance with labels.
    #[must_use]
    pub fn with_labels(mut self, labels: BTreeMap<String, String>) -> Self {
        self.labels = labels;
        self
    }

    /// The same instance with the reason of its phase.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }
}

/// How an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It serves.
    Ready,
    /// It is on the way.
    Progressing,
    /// It does not serve, and waiting does not help.
    Failed,
    /// It is deleted or being deleted.
    Gone,
}

#[cfg(test)]
mod tests;
