//! One order as it stands at one moment.

use jiff::Timestamp;
use kdp_core::{
    condition::{Condition, find_condition},
    provider::Phase,
};
use kube::{ResourceExt, api::DynamicObject};
use serde::Deserialize;
use serde_json::Value;

use super::{error::InsightError, tally::Place};
use crate::{
    offering::GroupKind,
    provision::RELEASE_OUTPUT,
    resolution::{OFFERING, PLAN, VERSION},
};

/// Longest name that is kept: tenants write annotations, and an offering or plan is an object's name.
const LONGEST: usize = 63;

/// One order as it stands at one moment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Its UID.
    pub uid: String,
    /// Its service, offering and workspace.
    pub place: Place,
    /// Its kind.
    pub kind: GroupKind,
    /// Its namespace; empty for kinds without.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The plan, as far as it is known.
    pub plan: Option<String>,
    /// The version, as far as it is known: what the status says, or the exact version that is asked for.
    pub version: Option<String>,
    /// When it was created, to the second.
    pub created: Timestamp,
    /// Since when it is being deleted.
    pub deleted: Option<Timestamp>,
    /// Counts the changes of what is ordered.
    pub generation: i64,
    /// The generation that the status is about.
    pub observed_generation: Option<i64>,
    /// The state in one word, as the runner writes it.
    pub phase: Option<Phase>,
    /// What else is known.
    pub conditions: Vec<Condition>,
}

impl Snapshot {
    /// A snapshot of an order that nobody has looked at yet.
    #[must_use]
    pub fn new(uid: impl Into<String>, place: Place, kind: GroupKind, created: Timestamp) -> Self {
        Self {
            uid: uid.into(),
            place,
            kind,
            namespace: String::new(),
            name: String::new(),
            plan: None,
            version: None,
            created,
            deleted: None,
            generation: 1,
            observed_generation: None,
            phase: None,
            conditions: Vec::new(),
        }
    }

    /// Reads an object of an API server: an order of `service` in `workspace`.
    ///
    /// The offering is the one that the order selects. A tenant writes that, so whoever makes labels of it replaces
    /// what is not offered.
    ///
    /// # Errors
    /// `Incomplete` when it has no UID or no time of creation, as an object that was never stored.
    pub fn read(
        object: &DynamicObject,
        kind: &GroupKind,
        service: &str,
        workspace: &str,
    ) -> Result<Self, InsightError> {
        let lacks = |field| InsightError::Incomplete { kind: kind.kind.clone(), name: object.name_any(), field };
        let uid = object.uid().ok_or_else(|| lacks("uid"))?;
        let created = object.metadata.creation_timestamp.as_ref().ok_or_else(|| lacks("creationTimestamp"))?.0;
        let selected = |name: &str| object.annotations().get(name).map(|value| short(value)).filter(|v| !v.is_empty());
        let status = object.data.get("status").unwrap_or(&Value::Null);
        let conditions = status.get("conditions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let version = status.get(RELEASE_OUTPUT).and_then(Value::as_str).map(short).or_else(|| selected(VERSION));
        Ok(Self {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            plan: selected(PLAN),
            version: version.filter(|version| is_version(version)),
            deleted: object.metadata.deletion_timestamp.as_ref().map(|at| at.0),
            generation: object.metadata.generation.unwrap_or(1),
            observed_generation: status.get("observedGeneration").and_then(Value::as_i64),
            phase: status.get("phase").and_then(|phase| Phase::deserialize(phase).ok()),
            // One that is no condition takes nothing else with it.
            conditions: conditions.iter().filter_map(|condition| Condition::deserialize(condition).ok()).collect(),
            ..Self::new(
                uid,
                Place::new(service, selected(OFFERING).unwrap_or_default(), workspace),
                kind.clone(),
                created,
            )
        })
    }

    /// Whether it is usable as ordered in its current generation.
    ///
    /// What says nothing of generations is believed: not every controller counts them.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let ready = find_condition(&self.conditions, "Ready");
        let holds = ready.map_or_else(|| self.phase == Some(Phase::Ready), Condition::is_true);
        let seen = self.observed_generation.or_else(|| ready.and_then(|ready| ready.observed_generation));
        holds && seen.is_none_or(|seen| seen >= self.generation)
    }

    /// Whether it needs help, or another try: `Failing`, `Blocked` or `Degraded`.
    #[must_use]
    pub fn is_troubled(&self) -> bool {
        matches!(self.phase, Some(Phase::Failing | Phase::Blocked | Phase::Degraded))
    }

    /// Whether the real thing was found not to be as ordered.
    #[must_use]
    pub fn is_drifted(&self) -> bool {
        find_condition(&self.conditions, "Drifted").is_some_and(Condition::is_true)
    }

    /// Since when a condition has the status it has, to the second.
    #[must_use]
    pub fn since(&self, condition: &str) -> Option<Timestamp> {
        find_condition(&self.conditions, condition)?.last_transition_time.parse().ok()
    }
}

fn short(text: &str) -> String {
    text.trim().chars().take(LONGEST).collect()
}

/// Ranges and channels are asked for, but nothing is at one.
fn is_version(text: &str) -> bool {
    semver::Version::parse(text.strip_prefix('v').unwrap_or(text)).is_ok()
}
