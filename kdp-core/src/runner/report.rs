//! What an order's status says of it.

use std::time::Duration;

use jiff::Timestamp;
use kube::{
    ResourceExt,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Map, Value, json};

use super::{is_ours, queue::Key, reach::Orders};
use crate::{
    Error, ErrorKind,
    condition::{Condition, set_condition},
    provider::{Observation, Phase, Plan, Redactor},
};

/// Longest message, in bytes: a provider may repeat what it was ordered, however long that is.
const LONGEST: usize = 4 << 10;
/// Largest list of changes in a status, in bytes of JSON.
const LARGEST: usize = 64 << 10;
/// The fields of the status that are written by the runner.
const FIELDS: [&str; 8] =
    ["phase", "message", "observedGeneration", "conditions", "plan", "secretName", "endpoints", "action"];

/// A plan that is not carried out.
#[derive(Clone, Debug)]
pub(super) enum Pending {
    /// It waits for approval.
    Approval(Plan),
    /// The real thing is no longer as ordered, and that is only reported.
    Drift(Plan),
}

/// What is to be reported of an order.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) observation: Observation,
    /// The CamelCase word for programs, when the phase does not say it.
    pub(super) reason: Option<&'static str>,
    pub(super) pending: Option<Pending>,
    /// When somebody looks again; none when only a change of the order makes a difference.
    pub(super) next: Option<Duration>,
    /// The Secret with the outputs, once it was delivered.
    pub(super) secret: Option<String>,
}

impl Report {
    pub(super) fn new(observation: Observation) -> Self {
        Self { observation, reason: None, pending: None, next: None, secret: None }
    }

    pub(super) fn of(phase: Phase, message: impl Into<String>) -> Self {
        Self::new(Observation::new(phase).with_message(message))
    }

    pub(super) fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    pub(super) fn next(mut self, after: Duration) -> Self {
        self.next = Some(after);
        self
    }

    fn reason(&self) -> &'static str {
        self.reason.unwrap_or_else(|| self.observation.phase.as_str())
    }

    /// What is the matter, and what happens next.
    fn message(&self, redactor: &Redactor) -> String {
        let said = shortened(&redactor.redact(&self.observation.message));
        let next = match (self.observation.phase, self.next) {
            (Phase::Ready, _) => return said,
            (_, Some(after)) => format!("next look in {}", rounded(after)),
            (Phase::Gone, None) => return said,
            (_, None) => "nothing happens until the order changes".into(),
        };
        if said.is_empty() { next } else { format!("{said}; {next}") }
    }
}

/// The duration in the largest unit that fits, so that the message changes seldom.
fn rounded(duration: Duration) -> String {
    match duration.as_secs() {
        0 | 1 => "a second".into(),
        s @ 2..60 => format!("{s} s"),
        s @ 60..3600 => format!("{} min", s.div_ceil(60)),
        s => format!("{} h", s.div_ceil(3600)),
    }
}

/// The fields of the status that change nothing else in it, as a merge patch.
///
/// `copied` are plain outputs that are fields as well. Sensitive values are in none.
pub(super) fn status(
    object: &DynamicObject,
    report: &Report,
    copied: &[String],
    redactor: &Redactor,
    now: Timestamp,
) -> Map<String, Value> {
    let observation = &report.observation;
    let generation = object.metadata.generation;
    let message = report.message(redactor);
    let mut fields = Map::new();
    fields.insert("phase".into(), json!(observation.phase));
    fields.insert("message".into(), json!(message));
    fields.insert("observedGeneration".into(), json!(generation));
    fields.insert("conditions".into(), json!(conditions(object, report, &message, redactor, now)));
    let plan = report.pending.as_ref().map(|pending| {
        let (Pending::Approval(plan) | Pending::Drift(plan)) = pending;
        shown(plan)
    });
    fields.insert("plan".into(), plan.unwrap_or_default());
    // What was delivered stays known while nothing newer is.
    if let Some(secret) = &report.secret {
        fields.insert("secretName".into(), json!(secret));
    }
    if !observation.endpoints.is_empty() {
        fields.insert("endpoints".into(), json!(observation.endpoints));
    }
    for name in copied {
        if let Some(output) = observation.outputs.get(name).filter(|output| !output.sensitive) {
            fields.insert(name.clone(), json!(output.value));
        }
    }
    fields
}

/// The plan as people see it; with as many changes as there is room for, and how many are left out.
fn shown(plan: &Plan) -> Value {
    let mut room = LARGEST;
    let fits = |change: &Value| {
        let size = change.to_string().len();
        room.checked_sub(size).map(|left| room = left).is_some()
    };
    let changes: Vec<_> = plan.changes.iter().map(|change| json!(change)).take_while(fits).collect();
    let omitted = plan.changes.len() - changes.len();
    let mut shown = json!({"hash": plan.hash(), "summary": plan.summary(), "changes": changes});
    if omitted > 0 {
        shown["omitted"] = json!(omitted);
    }
    shown
}

/// The beginning of a text that is too long.
pub(super) fn shortened(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}…", &text[..end])
}

/// The object without what no pass looks at: its tenant decides how much that is.
pub(super) fn trimmed(mut object: DynamicObject, copied: &[String]) -> DynamicObject {
    let metadata = &mut object.metadata;
    (metadata.managed_fields, metadata.labels, metadata.owner_references) = (None, None, None);
    if let Some(annotations) = &mut metadata.annotations {
        annotations.retain(|name, _| is_ours(name));
    }
    if let Some(fields) = object.data.as_object_mut() {
        fields.retain(|name, _| name == "spec" || name == "status");
    }
    if let Some(status) = object.data.get_mut("status").and_then(Value::as_object_mut) {
        status.retain(|name, _| FIELDS.contains(&name.as_str()) || copied.contains(name));
    }
    object
}

fn conditions(
    object: &DynamicObject,
    report: &Report,
    message: &str,
    redactor: &Redactor,
    now: Timestamp,
) -> Vec<Condition> {
    let there = object.data.pointer("/status/conditions").cloned().unwrap_or_default();
    let mut conditions: Vec<Condition> = serde_json::from_value(there).unwrap_or_default();
    let generation = object.metadata.generation;
    let observation = &report.observation;
    let is_ready = observation.is_ready_for(generation.unwrap_or_default());
    let ready = match observation.phase {
        Phase::Unknown => "Unknown",
        _ if is_ready => "True",
        _ => "False",
    };
    let holds = |holds: bool| if holds { "True" } else { "False" };
    let mut say = |type_: &str, status: &str, reason: &str, message: String| {
        let condition = Condition {
            type_: type_.into(),
            status: status.into(),
            reason: reason.into(),
            message,
            observed_generation: generation,
            ..Condition::default()
        };
        set_condition(&mut conditions, condition, now);
    };
    for condition in &observation.conditions {
        // `metav1.Condition` requires a reason, and knows no severity.
        let reason = if condition.reason.is_empty() { report.reason() } else { &condition.reason };
        say(&condition.type_, &condition.status, reason, shortened(&redactor.redact(&condition.message)));
    }
    say("Ready", ready, report.reason(), message.to_owned());
    let is_moving = matches!(observation.phase, Phase::Progressing | Phase::Deleting | Phase::Failing);
    say("Progressing", holds(is_moving), report.reason(), message.to_owned());
    match &report.pending {
        Some(Pending::Approval(plan)) => say("Approved", "False", "ApprovalNeeded", plan.summary()),
        Some(Pending::Drift(plan)) => say("Drifted", "True", "DriftDetected", plan.summary()),
        None => {
            for (type_, reason) in [("Approved", "NothingToApprove"), ("Drifted", "AsOrdered")] {
                if conditions.iter().any(|condition| condition.type_ == type_) {
                    let status = if type_ == "Approved" { "True" } else { "False" };
                    let settled = Condition {
                        type_: type_.into(),
                        status: status.into(),
                        reason: reason.into(),
                        observed_generation: generation,
                        ..Condition::default()
                    };
                    set_condition(&mut conditions, settled, now);
                }
            }
        }
    }
    conditions
}

/// Writes fields of the status of the object that was read, unless they are there already; not
/// those of another object that has taken its name.
pub(super) async fn write(
    orders: &Orders,
    key: &Key,
    object: &DynamicObject,
    fields: Map<String, Value>,
) -> Result<bool, Error> {
    let there = object.data.get("status").and_then(Value::as_object);
    let is_there =
        |(name, value): (&String, &Value)| there.and_then(|there| there.get(name)).unwrap_or(&Value::Null) == value;
    if fields.iter().all(is_there) {
        return Ok(false);
    }
    let patch = Patch::Merge(json!({"metadata": {"uid": object.uid()}, "status": fields}));
    let name = object.name_any();
    match orders.api(key)?.patch_status(&name, &PatchParams::default(), &patch).await {
        Ok(_) => Ok(true),
        Err(error) => match Error::from_kube("report on", &name, error) {
            // Gone, or another one's name by now: there is nobody to report to.
            error if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Stale) => Ok(false),
            error => Err(error),
        },
    }
}

#[cfg(test)]
mod tests;
