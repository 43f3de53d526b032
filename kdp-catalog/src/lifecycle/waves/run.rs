//! What a run has noted so far; stored as the status of its plan.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::plan::Plan;

/// One way through a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeRun {
    /// Name of the plan.
    pub plan: String,
    /// Where the run leads; a plan that leads elsewhere now needs a new run.
    pub to: Version,
    /// How far it is.
    pub phase: RunPhase,
    /// Since when it is in that phase.
    pub since: Timestamp,
    /// When it began.
    pub started: Timestamp,
    /// The groups in their order.
    #[serde(default)]
    pub groups: Vec<GroupProgress>,
    /// The instances that the plan concerns, by id.
    #[serde(default)]
    pub instances: BTreeMap<String, InstanceProgress>,
    /// Who is being brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll_back: Option<RollBackScope>,
    /// Why it halted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum RunPhase {
    /// It goes on.
    Running,
    /// Too many have failed; it waits for a decision.
    Halted,
    /// It brings instances back.
    RollingBack,
    /// All that it had changed were brought back, or nothing more can be done about them.
    RolledBack,
    /// All are where they should be, apart from failures that were accepted.
    Completed,
}

/// How far a group is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupProgress {
    /// Its name.
    pub name: String,
    /// Since when all of it are done and healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_since: Option<Timestamp>,
    /// When the next group was let go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed_at: Option<Timestamp>,
}

/// How far one instance is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceProgress {
    /// Name of its group; none takes it if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The version it had before, and is brought back to.
    pub from: Version,
    /// How far it is.
    pub state: InstanceState,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// How often it was told to go where it goes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// When it was last told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted: Option<Timestamp>,
    /// Whether it was seen at the target.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub applied: bool,
    /// Why it failed; stays when it is brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Whether its failure was accepted by whoever resumed the run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accepted: bool,
    /// Whether bringing it back was tried in vain; only an explicit decision tries again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stuck: bool,
    /// What people should know.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// How far one instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum InstanceState {
    /// Its turn has not come.
    Pending,
    /// It was told to go to the target.
    Upgrading,
    /// It is at the target and serves.
    Upgraded,
    /// It was told to go to the target, and does not serve there or is not there in time.
    Failed,
    /// It was told to go back.
    RollingBack,
    /// It is at its earlier version again.
    RolledBack,
    /// Its turn does not come, as long as it is as the message says.
    Skipped,
    /// Somebody else has changed it since; it is left alone.
    TakenOver,
    /// It was changed by this run and is not seen now; its earlier version is kept in case it is again.
    Gone,
}

/// Who is to be brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum RollBackScope {
    /// Those that failed.
    Failed {},
    /// All of a group that were changed.
    Group(String),
    /// All that were changed.
    All {},
}

/// Why a run halted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// When it did.
    pub at: Timestamp,
    /// Which limit was passed.
    pub reason: String,
    /// The group with the most failures.
    pub group: String,
    /// Who failed; those that were on the way when the run halted are added as they fail.
    pub failures: Vec<Failure>,
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The instance.
    pub id: String,
    /// Its group.
    pub group: String,
    /// The version it had before.
    pub from: Version,
    /// Why it failed.
    pub why: String,
}

/// An instance that somebody else has changed since the run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenOver<'a> {
    /// The instance.
    pub id: &'a str,
    /// The version it had before the run.
    pub from: &'a Version,
    /// What happened.
    pub message: &'a str,
}

impl UpgradeRun {
    /// A run that has noted nothing.
    #[must_use]
    pub fn begin(plan: &Plan, now: Timestamp) -> Self {
        Self {
            plan: plan.name.clone(),
            to: plan.to.clone(),
            phase: RunPhase::Running,
            since: now,
            started: now,
            groups: Vec::new(),
            instances: BTreeMap::new(),
            roll_back: None,
            report: None,
        }
    }

    /// The instances in a state, in the order of their ids.
    pub fn in_state(&self, state: InstanceState) -> impl Iterator<Item = (&str, &InstanceProgress)> {
        self.instances.iter().filter(move |(_, it)| it.state == state).map(|(id, it)| (id.as_str(), it))
    }

    /// The instances that are left alone because somebody else has changed them since the run did.
    #[must_use]
    pub fn taken_over(&self) -> Vec<TakenOver<'_>> {
        let all = self.in_state(InstanceState::TakenOver);
        all.map(|(id, it)| TakenOver { id, from: &it.from, message: &it.message }).collect()
    }

    /// The instances that the run may bring back to `version`; until it is over it cannot be retired.
    pub fn ways_back_to(&self, version: &Version) -> impl Iterator<Item = &str> {
        let may_go_back = |it: &InstanceProgress| {
            it.is_changed() || matches!(it.state, InstanceState::RollingBack | InstanceState::Gone)
        };
        self.instances.iter().filter(move |(_, it)| it.from == *version && may_go_back(it)).map(|(id, _)| id.as_str())
    }

    /// The failures that nobody has accepted yet.
    #[must_use]
    pub fn failures(&self) -> Vec<Failure> {
        let open = self.instances.iter().filter(|(_, it)| !it.accepted);
        open.filter_map(|(id, it)| {
            Some(Failure {
                id: id.clone(),
                group: it.group.clone().unwrap_or_default(),
                from: it.from.clone(),
                why: it.failure.clone()?,
            })
        })
        .collect()
    }

    pub(super) fn enter(&mut self, phase: RunPhase, now: Timestamp) {
        if self.phase != phase {
            self.phase = phase;
            self.since = now;
        }
    }
}

impl InstanceProgress {
    pub(super) fn enter(&mut self, state: InstanceState, now: Timestamp, message: impl Into<String>) {
        if self.state != state {
            self.state = state;
            self.since = now;
        }
        self.message = message.into();
    }

    /// Whether the run has told it to go to the target and nobody has brought it back.
    pub(super) fn is_changed(&self) -> bool {
        matches!(self.state, InstanceState::Upgrading | InstanceState::Upgraded | InstanceState::Failed)
    }

    /// Whether it takes one of the places for those on the way.
    pub(super) fn is_on_the_way(&self) -> bool {
        matches!(self.state, InstanceState::Upgrading | InstanceState::RollingBack)
    }
}
