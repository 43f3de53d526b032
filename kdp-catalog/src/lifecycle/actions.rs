//! Things done to a running instance on demand, such as a backup, and how they went.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Changes of phase that are remembered.
const REMEMBERED: usize = 20;

/// Asks for something to be done once to an instance of the same namespace.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "catalog.kdp.k8c.io",
    version = "v1alpha1",
    kind = "ActionRequest",
    namespaced,
    status = "ActionStatus",
    derive = "PartialEq",
    category = "kdp",
    printcolumn = r#"{"name":"Action","type":"string","jsonPath":".spec.action"}"#,
    printcolumn = r#"{"name":"Target","type":"string","jsonPath":".spec.target.name"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ActionRequestSpec {
    /// The instance.
    pub target: TargetReference,
    /// What is to be done, such as `backup`, `restore` or `rotate-credentials`.
    #[schemars(regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub action: String,
    /// What the action needs to know.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "anything")]
    pub parameters: BTreeMap<String, Value>,
}

fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// An instance of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetReference {
    /// Its API version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl TargetReference {
    /// Whether both are the same object; through which version of its API does not matter.
    #[must_use]
    pub fn is_same_object(&self, other: &Self) -> bool {
        let group = |it: &Self| it.api_version.rsplit_once('/').map(|(group, _)| group.to_owned());
        (group(self), &self.kind, &self.name) == (group(other), &other.kind, &other.name)
    }
}

/// How an action went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ActionStatus {
    /// How far it is.
    pub phase: ActionPhase,
    /// How often it was begun.
    pub attempts: u32,
    /// When it was last begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it is begun again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<Timestamp>,
    /// Since when it is told to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<Timestamp>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// What people should know.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The last changes of phase, the oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<ActionEvent>,
}

/// How far an action is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum ActionPhase {
    /// It waits for its turn or for its next attempt.
    #[default]
    Pending,
    /// It was begun.
    Running,
    /// It is done.
    Succeeded,
    /// It could not be done, and is not tried again.
    Failed,
}

impl ActionPhase {
    /// Whether nothing changes any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// A change of phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionEvent {
    /// When.
    pub at: Timestamp,
    /// The phase it entered.
    pub phase: ActionPhase,
    /// How often the action was begun by then.
    pub attempt: u32,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// What was seen of the attempt that the status speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observed {
    /// Nothing is known of it.
    Nothing,
    /// It runs.
    Running,
    /// It is done.
    Succeeded {
        /// What came of it.
        message: String,
    },
    /// It failed, and may be tried again.
    FailedForNow {
        /// Why.
        message: String,
    },
    /// It failed, and trying again does not help.
    FailedForGood {
        /// Why.
        message: String,
    },
}

/// How often and how long an action is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionLimits {
    /// How often it is begun at most.
    pub attempts: u32,
    /// How long one attempt may take before it is told to stop.
    pub deadline: SignedDuration,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Begin this attempt, unless it was begun already.
    Start {
        /// Counts from one; with the uid of the request it names the attempt.
        attempt: u32,
    },
    /// Stop this attempt, unless it is over.
    Cancel {
        /// The attempt.
        attempt: u32,
    },
}

/// What comes next for an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionStep {
    /// Its status from now on; it must be stored before the command is carried out.
    pub status: ActionStatus,
    /// What is to be done.
    pub command: Option<Command>,
    /// When to look again if nothing is seen before.
    pub next_look: Option<Timestamp>,
}

/// Decides what comes next for `request`.
///
/// `all` are the requests of its namespace, itself among them or not. Of those for the same target
/// the one that runs comes first, then the oldest, also while that one waits for its next attempt;
/// so a restore never overtakes the backup that was asked for before it. For that to hold, one
/// worker at a time has to decide for a target and see what it has stored.
///
/// `backoff` is the pause before the next attempt if this one failed; the caller makes it grow with
/// `status.attempts` and adds jitter.
#[must_use]
pub fn next(
    request: &ActionRequest,
    all: &[ActionRequest],
    observed: &Observed,
    limits: ActionLimits,
    backoff: SignedDuration,
    now: Timestamp,
) -> ActionStep {
    let status = request.status.clone().unwrap_or_default();
    match status.phase {
        ActionPhase::Succeeded | ActionPhase::Failed => rest(status),
        ActionPhase::Pending => pending(request, all, status, limits, now),
        ActionPhase::Running => running(status, observed, limits, backoff, now),
    }
}

fn rest(status: ActionStatus) -> ActionStep {
    ActionStep { status, command: None, next_look: None }
}

fn pending(
    request: &ActionRequest,
    all: &[ActionRequest],
    mut status: ActionStatus,
    limits: ActionLimits,
    now: Timestamp,
) -> ActionStep {
    if let Some(first) = before(request, all) {
        status.message = format!("waits for {}", first.metadata.name.as_deref().unwrap_or_default());
        return rest(status);
    }
    if let Some(at) = status.next_attempt.filter(|at| *at > now) {
        return ActionStep { status, command: None, next_look: Some(at) };
    }
    status.attempts = status.attempts.saturating_add(1);
    status.started = Some(now);
    status.next_attempt = None;
    status.enter(ActionPhase::Running, now, String::new());
    let command = Some(Command::Start { attempt: status.attempts });
    ActionStep { status, command, next_look: Some(after(now, limits.deadline)) }
}

/// The request that has to be over before `request` may begin.
fn before<'a>(request: &ActionRequest, all: &'a [ActionRequest]) -> Option<&'a ActionRequest> {
    let phase = |it: &ActionRequest| it.status.as_ref().map(|status| status.phase).unwrap_or_default();
    let order = |it: &ActionRequest| {
        let metadata = &it.metadata;
        let created = metadata.creation_timestamp.as_ref().map(|time| time.0);
        (phase(it) != ActionPhase::Running, created, metadata.name.clone(), metadata.uid.clone())
    };
    let mine = order(request);
    let same = |it: &&ActionRequest| {
        it.metadata.namespace == request.metadata.namespace && it.spec.target.is_same_object(&request.spec.target)
    };
    let others = all.iter().filter(same).filter(|it| it.metadata.uid != request.metadata.uid && !phase(it).is_final());
    others.map(|it| (order(it), it)).filter(|(theirs, _)| *theirs < mine).min_by(|a, b| a.0.cmp(&b.0)).map(|(_, it)| it)
}

fn running(
    mut status: ActionStatus,
    observed: &Observed,
    limits: ActionLimits,
    backoff: SignedDuration,
    now: Timestamp,
) -> ActionStep {
    let attempt = status.attempts;
    let deadline = after(status.started.unwrap_or(now), limits.deadline);
    let too_long = || format!("took longer than {:#}", limits.deadline);
    match observed {
        Observed::Succeeded { message } => {
            status.finish(ActionPhase::Succeeded, now, message.clone());
            rest(status)
        }
        // What was stopped because it took too long would take too long again.
        Observed::Nothing | Observed::FailedForNow { .. } if status.cancelled.is_some() => {
            status.finish(ActionPhase::Failed, now, too_long());
            rest(status)
        }
        Observed::FailedForGood { message } => {
            status.finish(ActionPhase::Failed, now, message.clone());
            rest(status)
        }
        Observed::FailedForNow { message } if attempt >= limits.attempts => {
            status.finish(ActionPhase::Failed, now, format!("failed {attempt} times: {message}"));
            rest(status)
        }
        Observed::FailedForNow { message } => {
            let at = after(now, backoff);
            status.next_attempt = Some(at);
            status.enter(ActionPhase::Pending, now, message.clone());
            ActionStep { status, command: None, next_look: Some(at) }
        }
        Observed::Nothing if now < deadline => {
            ActionStep { status, command: Some(Command::Start { attempt }), next_look: Some(deadline) }
        }
        Observed::Running if now < deadline => ActionStep { status, command: None, next_look: Some(deadline) },
        // Also what is not seen may run; nothing else begins at the target before it was told to stop.
        Observed::Nothing | Observed::Running => {
            status.cancelled.get_or_insert(now);
            status.message = format!("{} and is being stopped", too_long());
            // It is told again, but never at once.
            let pause = backoff.max(SignedDuration::from_secs(1));
            ActionStep { status, command: Some(Command::Cancel { attempt }), next_look: Some(after(now, pause)) }
        }
    }
}

impl ActionStatus {
    fn enter(&mut self, phase: ActionPhase, now: Timestamp, message: String) {
        self.phase = phase;
        self.message.clone_from(&message);
        self.history.push(ActionEvent { at: now, phase, attempt: self.attempts, message });
        let old = self.history.len().saturating_sub(REMEMBERED);
        self.history.drain(..old);
    }

    fn finish(&mut self, phase: ActionPhase, now: Timestamp, message: String) {
        self.finished = Some(now);
        self.enter(phase, now, message);
    }
}

fn after(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
