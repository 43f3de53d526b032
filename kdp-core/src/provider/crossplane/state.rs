//! What the conditions of one composite resource, claim or managed resource say.
//!
//! Crossplane has no status for "failed": it tries for ever. And an error leaves the last `Ready` as
//! it was. So the conditions are read together, in a fixed order, and against the generation that
//! each of them is about.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::{condition::Condition, provider::Phase};

/// The longest message that is passed on; clouds answer with whole documents.
const LONGEST_MESSAGE: usize = 1024;
/// The most conditions that are passed on.
const MOST_CONDITIONS: usize = 16;
/// Between two looks at something on its way.
const SOONEST: Duration = Duration::from_millis(250);
const LATEST: Duration = Duration::from_secs(10);
const PENDING: &str = "crossplane.io/external-create-pending";
const OUTCOMES: [&str; 2] = ["crossplane.io/external-create-succeeded", "crossplane.io/external-create-failed"];
/// Set on what a Usage protects from deletion.
const IN_USE: &str = "crossplane.io/in-use";
/// Types of conditions that say the same in an order, and not about its composite resource.
const RESERVED: [&str; 5] = ["Ready", "Progressing", "Approved", "Drifted", COMPOSED_READY];
/// The condition that names what an order is composed of and is not ready.
pub(super) const COMPOSED_READY: &str = "ComposedReady";

/// The state of one object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    pub(super) phase: Phase,
    /// One CamelCase word, Crossplane's own where there is one.
    pub(super) reason: String,
    pub(super) message: String,
}

impl Verdict {
    fn new(phase: Phase, reason: &str, message: impl Into<String>) -> Self {
        Self { phase, reason: reason.into(), message: shortened(&message.into()) }
    }
}

/// Judges an object that exists.
pub(super) fn judge(object: &Value) -> Verdict {
    let conditions = Conditions::of(object);
    let (ready, synced) = (conditions.get("Ready"), conditions.get("Synced"));
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return deleting(object, synced);
    }
    if synced.is_some_and(|synced| synced.reason == "ReconcilePaused" && synced.status != "True") {
        return Verdict::new(Phase::Paused, "ReconcilePaused", "it is paused, and left as it is until it is resumed");
    }
    if let Some(synced) = synced.filter(|synced| synced.status == "False" && synced.is_current) {
        // Its `Ready` is what it was before the error, so that its generation says nothing.
        return failing(object, ready, synced);
    }
    if let Some(stale) = conditions.stale() {
        let message = format!("the change is not looked at yet: {} is about an earlier generation", stale.type_);
        return Verdict::new(Phase::Progressing, "Stale", message);
    }
    let last_operation = conditions.get("LastAsyncOperation").filter(|last| last.status == "False");
    let is_synced = synced.is_some_and(|synced| synced.status == "True");
    let is_ready = ready.is_some_and(|ready| ready.status == "True");
    if let Some(last) = last_operation {
        // The thing is there, but what was wanted last could not be done.
        let phase = if is_ready && is_synced { Phase::Degraded } else { Phase::Failing };
        return Verdict::new(phase, last.reason_or("LastAsyncOperation"), &last.message);
    }
    if is_ready && is_synced {
        return Verdict::new(Phase::Ready, "Available", "");
    }
    if let Some(unresponsive) = conditions.get("Responsive").filter(|responsive| responsive.status == "False") {
        let message =
            format!("throttled by Crossplane's circuit breaker for up to 5 minutes: {}", unresponsive.message);
        return Verdict::new(Phase::Progressing, unresponsive.reason_or("WatchCircuitOpen"), message);
    }
    match ready {
        None => Verdict::new(Phase::Progressing, "Pending", "Crossplane has not said yet whether it is ready"),
        Some(ready) if ready.reason == "Unavailable" => Verdict::new(Phase::Failing, "Unavailable", &ready.message),
        Some(_) if is_ready => {
            Verdict::new(Phase::Progressing, "Pending", "Crossplane has not said yet whether it is in sync")
        }
        Some(ready) => Verdict::new(Phase::Progressing, ready.reason_or("NotReady"), &ready.message),
    }
}

fn deleting(object: &Value, synced: Option<&Seen>) -> Verdict {
    if let Some(synced) = synced.filter(|synced| synced.status == "False") {
        return Verdict::new(Phase::Deleting, synced.reason_or("Deleting"), &synced.message);
    }
    if object["metadata"]["labels"][IN_USE] == "true" {
        return Verdict::new(Phase::Deleting, "InUse", "a Usage protects it from deletion");
    }
    Verdict::new(Phase::Deleting, "Deleting", "it is being deleted")
}

fn failing(object: &Value, ready: Option<&Seen>, synced: &Seen) -> Verdict {
    if is_creation_ambiguous(object) {
        let message = format!(
            "whether it was created is not known: look for it in the cloud, set its annotation \
             crossplane.io/external-name when it is there, then remove the annotation {PENDING}: {}",
            synced.message
        );
        return Verdict::new(Phase::Blocked, "CreationAmbiguous", message);
    }
    let phase = if ready.is_some_and(|ready| ready.status == "True") { Phase::Degraded } else { Phase::Failing };
    Verdict::new(phase, synced.reason_or("ReconcileError"), &synced.message)
}

/// Whether a creation was begun of which no outcome was noted. The provider then does nothing more,
/// because it could make a second one.
fn is_creation_ambiguous(object: &Value) -> bool {
    let annotations = &object["metadata"]["annotations"];
    let time = |name: &str| annotations[name].as_str().and_then(|time| time.parse::<Timestamp>().ok());
    let Some(begun) = time(PENDING) else { return false };
    OUTCOMES.into_iter().all(|outcome| time(outcome).is_none_or(|ended| ended < begun))
}

/// The conditions that are passed on as aspects of the order: `Synced`, `Responsive`, and what the
/// functions of the Composition say.
pub(super) fn aspects(object: &Value) -> Vec<Condition> {
    let conditions = Conditions::of(object).0;
    let is_passed = |seen: &Seen| !seen.type_.is_empty() && !RESERVED.contains(&seen.type_.as_str());
    let passed = conditions.into_iter().filter(is_passed).take(MOST_CONDITIONS);
    let aspect = |seen: Seen| Condition {
        status: if matches!(seen.status.as_str(), "True" | "False") { seen.status } else { "Unknown".into() },
        type_: seen.type_,
        reason: seen.reason,
        message: shortened(&seen.message),
        ..Condition::default()
    };
    passed.map(aspect).collect()
}

/// When to look again at an object on its way: soon while something happens to it, and ever later while
/// nothing does.
pub(super) fn next_look(object: &Value, now: Timestamp) -> Duration {
    let metadata = &object["metadata"];
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let happened = conditions
        .map(|condition| &condition["lastTransitionTime"])
        .chain([&metadata["creationTimestamp"], &metadata["deletionTimestamp"]])
        .filter_map(|time| time.as_str()?.parse::<Timestamp>().ok())
        .max();
    let quiet = happened.and_then(|happened| Duration::try_from(now.duration_since(happened)).ok()).unwrap_or_default();
    (quiet / 8).clamp(SOONEST, LATEST)
}

/// One condition as an object has it.
struct Seen {
    type_: String,
    status: String,
    reason: String,
    message: String,
    /// Whether it may be about the current generation.
    is_current: bool,
}

impl Seen {
    fn reason_or<'a>(&'a self, reason: &'a str) -> &'a str {
        if self.reason.is_empty() { reason } else { &self.reason }
    }
}

struct Conditions(Vec<Seen>);

impl Conditions {
    fn of(object: &Value) -> Self {
        let generation = object["metadata"]["generation"].as_i64();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let seen = |condition: &Value| Seen {
            type_: text(&condition["type"]),
            status: text(&condition["status"]),
            reason: text(&condition["reason"]),
            message: text(&condition["message"]),
            is_current: match &condition["observedGeneration"] {
                // Older providers do not say; there is nothing to compare.
                Value::Null => true,
                observed => {
                    observed.as_i64().zip(generation).is_some_and(|(observed, generation)| observed >= generation)
                }
            },
        };
        Self(object["status"]["conditions"].as_array().into_iter().flatten().map(seen).collect())
    }

    fn get(&self, type_: &str) -> Option<&Seen> {
        self.0.iter().find(|seen| seen.type_ == type_)
    }

    fn stale(&self) -> Option<&Seen> {
        self.0.iter().find(|seen| !seen.is_current)
    }
}

/// The text, cut off where it becomes unreasonable.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
