//! What holds for every kind that keeps to the conventions of Kubernetes.

use serde_json::Value;

use super::{Entry, Truth, Verdict, View};
use crate::provider::Phase;

/// Conditions that are there only when something is unusual.
pub(super) const ABNORMAL: &[Entry] = &[("*", "*", abnormal)];
pub(super) const RULES: &[Entry] = &[("*", "*", super::platforms::synced), ("*", "*", by_condition)];

/// Reasons for `Ready=False` after which waiting alone does not help.
const TERMINAL: [&str; 22] = [
    "ConfigurationError",
    "CreateFailed",
    "CreationFailed",
    "Denied",
    "Error",
    "Failed",
    "Forbidden",
    "InstallFailed",
    "Invalid",
    "InvalidConfiguration",
    "InvalidSpec",
    "ProgressDeadlineExceeded",
    "ProvisioningFailed",
    "QuotaExceeded",
    "ReconcileError",
    "ReconcileFailed",
    "RetriesExhausted",
    "RetryLimitReached",
    "Terminal",
    "Unrecoverable",
    "UpdateFailed",
    "ValidationFailed",
];

/// Conditions that say, under one name or another, that an object can be used.
const USABLE: [&str; 2] = ["Ready", "Available"];

const GOOD_PHASES: [&str; 12] = [
    "Active",
    "Available",
    "Bound",
    "Complete",
    "Completed",
    "Deployed",
    "Healthy",
    "Online",
    "Provisioned",
    "Ready",
    "Running",
    "Succeeded",
];
const BAD_PHASES: [&str; 7] = ["Broken", "Degraded", "Error", "Errored", "Failed", "Invalid", "Unhealthy"];

/// An object that is being deleted: what keeps it.
pub(super) fn deleting(view: &View<'_>) -> Verdict {
    let finalizers = view.at("/metadata/finalizers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let held: Vec<_> = finalizers.iter().filter_map(Value::as_str).collect();
    let mut message =
        if held.is_empty() { "it is being deleted".into() } else { format!("held by {}", held.join(", ")) };
    // A deletion that fails says so in the very conditions that tell of failures otherwise.
    if let Some(trouble) = view.conditions().find(|condition| condition.truth == Truth::False) {
        message = format!("{message}; {trouble}");
    }
    Verdict::new(Phase::Deleting, message)
}

/// A status that is about another generation of the object.
pub(super) fn stale(view: &View<'_>) -> Option<Verdict> {
    let waits = |seen: &dyn std::fmt::Display, now| {
        Some(Verdict::progressing(format!("its status is about generation {seen}, and it is at {now}")))
    };
    match (view.observed_generation(), view.generation()) {
        (Ok(Some(seen)), Some(now)) if seen != now => waits(&seen, now),
        (Err(seen), Some(now)) => waits(seen, now),
        _ => None,
    }
}

/// kstatus: a condition `Stalled` or `Reconciling` that is true decides.
fn abnormal(view: &View<'_>) -> Option<Verdict> {
    let stalled = view.condition("Stalled");
    if stalled.truth == Truth::True {
        return Some(Verdict::failing(stalled.to_string()));
    }
    let reconciling = view.condition("Reconciling");
    (reconciling.truth == Truth::True).then(|| Verdict::progressing(reconciling.to_string()))
}

fn by_condition(view: &View<'_>) -> Option<Verdict> {
    let said = USABLE.map(|type_| view.condition(type_)).into_iter().find(|seen| seen.truth != Truth::Absent)?;
    Some(match said.truth {
        Truth::True => Verdict::ready(),
        Truth::False if TERMINAL.contains(&said.reason()) => Verdict::failing(said.to_string()),
        _ => Verdict::progressing(said.to_string()),
    })
}

/// An object whose kind has no rule, and that has no condition that would say whether it can be used.
///
/// kstatus takes such an object for ready, which is wrong for every custom resource whose operator
/// has not looked at it yet. So it is ready when its kind has no status at all, or its status has
/// been seen, says nothing else, and had time to say it.
pub(super) fn without_a_rule(view: &View<'_>) -> Verdict {
    if !view.has_status() {
        return match view.facts().has_status {
            Some(false) => Verdict::ready(),
            _ if view.is_older_than_grace() => {
                Verdict::progressing("it still has no status; does anything look after it?")
            }
            _ => Verdict::progressing("it has no status yet"),
        };
    }
    let said = ["/status/phase", "/status/state"].map(|at| view.text(at)).into_iter().find(|said| !said.is_empty());
    let is_among = |all: &[&str], said: &str| all.iter().any(|one| one.eq_ignore_ascii_case(said));
    match said {
        Some(said) if is_among(&GOOD_PHASES, said) => Verdict::ready(),
        Some(said) if is_among(&BAD_PHASES, said) => Verdict::failing(said),
        Some(said) => Verdict::progressing(said),
        // Whether what is said under other names is good or bad, nobody can tell: only that it is current.
        None if view.conditions().any(|condition| condition.truth == Truth::Stale) => {
            Verdict::progressing("its conditions are about an older generation")
        }
        None if view.is_older_than_grace() => Verdict::ready(),
        None => Verdict::progressing("its status does not say yet whether it is ready"),
    }
}
