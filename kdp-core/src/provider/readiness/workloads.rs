//! Kinds that run containers.

use std::time::Duration;

use serde_json::Value;

use super::{Entry, Truth, Verdict, View};
use crate::provider::Phase;

pub(super) const PAUSED: &[Entry] = &[
    ("apps", "Deployment", spec_paused),
    ("batch", "Job", spec_suspended),
    ("argoproj.io", "Rollout", rollout_paused),
];

pub(super) const RULES: &[Entry] = &[
    ("apps", "Deployment", deployment),
    ("apps", "StatefulSet", stateful_set),
    ("apps", "DaemonSet", daemon_set),
    ("apps", "ReplicaSet", replica_set),
    ("", "Pod", pod),
    ("batch", "Job", job),
    ("argoproj.io", "Rollout", rollout),
];

/// With this deadline a Deployment does not keep track of its progress.
const NO_DEADLINE: i64 = i32::MAX as i64;
/// A scheduler that finds no node at once often finds one a moment later.
const SCHEDULING: Duration = Duration::from_secs(15);

pub(super) fn spec_paused(view: &View<'_>) -> Option<Verdict> {
    view.is_set("/spec/paused").then(|| Verdict::paused("spec.paused is true"))
}

pub(super) fn spec_suspended(view: &View<'_>) -> Option<Verdict> {
    view.is_set("/spec/suspend").then(|| Verdict::paused("spec.suspend is true"))
}

/// Counts that have to be reached, in the order a person wants to hear of them.
struct Counts<'a> {
    view: &'a View<'a>,
    short: Option<String>,
}

impl<'a> Counts<'a> {
    fn of(view: &'a View<'a>) -> Self {
        Self { view, short: None }
    }

    fn count(&self, field: &str) -> i64 {
        self.view.number(&format!("/status/{field}")).unwrap_or(0)
    }

    fn at_least(mut self, field: &str, wanted: i64) -> Self {
        let count = self.count(field);
        if count < wanted && self.short.is_none() {
            self.short = Some(format!("{field} is {count} of {wanted}"));
        }
        self
    }

    fn at_most(mut self, field: &str, wanted: i64) -> Self {
        let count = self.count(field);
        if count > wanted && self.short.is_none() {
            self.short = Some(format!("{field} is still {count}, more than {wanted}"));
        }
        self
    }

    fn and(mut self, holds: bool, otherwise: impl FnOnce() -> String) -> Self {
        if !holds && self.short.is_none() {
            self.short = Some(otherwise());
        }
        self
    }

    fn verdict(self) -> Verdict {
        self.short.map_or_else(Verdict::ready, Verdict::progressing)
    }
}

fn wanted(view: &View<'_>) -> i64 {
    view.number("/spec/replicas").unwrap_or(1)
}

/// Controllers of Kubernetes always say which generation they have seen.
fn unobserved(view: &View<'_>) -> Option<Verdict> {
    (!view.is_observed()).then(|| Verdict::progressing("its controller has not seen it yet"))
}

fn deployment(view: &View<'_>) -> Option<Verdict> {
    if let Some(verdict) = unobserved(view) {
        return Some(verdict);
    }
    let (progressing, available) = (view.condition("Progressing"), view.condition("Available"));
    if progressing.reason() == "ProgressDeadlineExceeded" {
        return Some(Verdict::failing(progressing.to_string()));
    }
    let wanted = wanted(view);
    let updated = view.number("/status/updatedReplicas").unwrap_or(0);
    let has_deadline = view.number("/spec/progressDeadlineSeconds").is_some_and(|seconds| seconds != NO_DEADLINE);
    let has_progressed = progressing.truth == Truth::True && progressing.reason() == "NewReplicaSetAvailable";
    let counts = Counts::of(view)
        .at_least("replicas", wanted)
        .at_least("updatedReplicas", wanted)
        .at_most("replicas", wanted)
        .at_least("availableReplicas", updated)
        .at_least("readyReplicas", wanted)
        .and(!has_deadline || has_progressed, || "its new replicas are not available yet".into())
        .and(available.truth == Truth::True, || "it is not available yet".into());
    Some(counts.verdict())
}

fn stateful_set(view: &View<'_>) -> Option<Verdict> {
    if view.text("/spec/updateStrategy/type") == "OnDelete" {
        return Some(Verdict::ready());
    }
    if let Some(verdict) = unobserved(view) {
        return Some(verdict);
    }
    let wanted = wanted(view);
    let counts =
        Counts::of(view).at_least("replicas", wanted).at_least("readyReplicas", wanted).at_most("replicas", wanted);
    let counts = match view.number("/spec/updateStrategy/rollingUpdate/partition") {
        Some(partition) => counts.at_least("updatedReplicas", wanted.saturating_sub(partition)),
        None => {
            let (current, update) = (view.text("/status/currentRevision"), view.text("/status/updateRevision"));
            counts.at_least("currentReplicas", wanted).and(current == update, || format!("{update} is rolled out"))
        }
    };
    Some(counts.verdict())
}

fn daemon_set(view: &View<'_>) -> Option<Verdict> {
    if let Some(verdict) = unobserved(view) {
        return Some(verdict);
    }
    let Some(wanted) = view.number("/status/desiredNumberScheduled") else {
        return Some(Verdict::progressing("it is not known yet how many are wanted"));
    };
    let fields = ["currentNumberScheduled", "updatedNumberScheduled", "numberAvailable", "numberReady"];
    Some(fields.into_iter().fold(Counts::of(view), |counts, field| counts.at_least(field, wanted)).verdict())
}

fn replica_set(view: &View<'_>) -> Option<Verdict> {
    let failure = view.condition("ReplicaFailure");
    if failure.truth == Truth::True {
        return Some(Verdict::progressing(failure.to_string()));
    }
    if let Some(verdict) = unobserved(view) {
        return Some(verdict);
    }
    let wanted = wanted(view);
    let fields = ["fullyLabeledReplicas", "availableReplicas", "readyReplicas"];
    let counts = fields.into_iter().fold(Counts::of(view), |counts, field| counts.at_least(field, wanted));
    Some(counts.at_most("replicas", wanted).verdict())
}

fn pod(view: &View<'_>) -> Option<Verdict> {
    Some(match view.text("/status/phase") {
        "Succeeded" => Verdict::ready(),
        // kstatus takes a Pod that has failed for as good as one that has succeeded.
        "Failed" => Verdict::failing(or(view.text("/status/message"), view.text("/status/reason"), "it has failed")),
        phase => match broken_container(view).or_else(|| unschedulable(view)) {
            Some(why) => Verdict::failing(why),
            None if phase == "Running" && view.truth("Ready") == Truth::True => Verdict::ready(),
            None if phase == "Running" => Verdict::progressing("not all of its containers are ready"),
            None => Verdict::progressing(or(phase, "", "Pending")),
        },
    })
}

/// A container that cannot be started, or does not keep running.
fn broken_container(view: &View<'_>) -> Option<String> {
    let lists = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let containers = lists.into_iter().filter_map(|at| view.at(at)?.as_array()).flatten();
    containers.into_iter().find_map(|container| {
        let waiting = container.pointer("/state/waiting")?;
        let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let reason = text(waiting, "reason");
        let is_bad = reason.starts_with("Err") || reason.ends_with("Error") || reason.ends_with("BackOff");
        is_bad.then(|| format!("container {}: {reason}: {}", text(container, "name"), text(waiting, "message")))
    })
}

fn unschedulable(view: &View<'_>) -> Option<String> {
    let scheduled = view.condition("PodScheduled");
    let is_unschedulable = scheduled.truth == Truth::False && scheduled.reason() == "Unschedulable";
    let is_lasting = scheduled.since().is_some_and(|since| view.is_past(since, SCHEDULING));
    (is_unschedulable && is_lasting).then(|| scheduled.to_string())
}

fn job(view: &View<'_>) -> Option<Verdict> {
    let (complete, failed) = (view.condition("Complete"), view.condition("Failed"));
    Some(if failed.truth == Truth::True {
        Verdict::failing(failed.to_string())
    } else if complete.truth == Truth::True {
        Verdict::ready()
    } else if view.at("/status/startTime").is_none() {
        Verdict::progressing("it has not started")
    } else {
        // kstatus takes a job that has started for done; who orders a job wants it done.
        let (done, of) = (view.number("/status/succeeded").unwrap_or(0), view.number("/spec/completions").unwrap_or(1));
        Verdict::progressing(format!("{done} of {of} are complete"))
    })
}

fn rollout_paused(view: &View<'_>) -> Option<Verdict> {
    let is_paused = view.is_set("/spec/paused") || view.text("/status/phase") == "Paused";
    let message = || Verdict::paused(or(view.text("/status/message"), "", "its rollout is paused"));
    is_paused.then(message)
}

fn rollout(view: &View<'_>) -> Option<Verdict> {
    if view.text("/status/phase") == "Degraded" {
        return Some(Verdict::new(Phase::Failing, or(view.text("/status/message"), "", "Degraded")));
    }
    if let Some(verdict) = unobserved(view) {
        return Some(verdict);
    }
    let wanted = wanted(view);
    Some(Counts::of(view).at_least("updatedReplicas", wanted).at_least("availableReplicas", wanted).verdict())
}

/// The first of them that says anything.
pub(super) fn or<'a>(one: &'a str, two: &'a str, three: &'a str) -> &'a str {
    [one, two].into_iter().find(|text| !text.is_empty()).unwrap_or(three)
}
