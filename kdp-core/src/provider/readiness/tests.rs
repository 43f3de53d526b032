//! Every kind of the table, with objects as its controller writes them.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::provider::Phase::{self, *};

mod kinds;
mod properties;

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn ago(seconds: i64) -> String {
    (now() - SignedDuration::from_secs(seconds)).to_string()
}

/// An object of this API version and kind with these fields, old enough for any grace.
fn object(api_version: &str, kind: &str, fields: Value) -> Value {
    let mut object = json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {"name": "it", "generation": 2, "creationTimestamp": ago(3600)},
    });
    merge(&mut object, fields);
    object
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

fn judge(object: &Value) -> Verdict {
    Rules::builtin().judge(object, &Facts::at(now()))
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "it is written where it is given")]
fn check(object: Value, phase: Phase, message: &str) {
    let verdict = judge(&object);
    assert!(
        verdict.phase == phase && verdict.message.contains(message),
        "instead of {phase} ({message:?}) it is {verdict:?}: {object}"
    );
}

/// Conditions as `type=status`, `type=status/reason` or `type=status/reason/message`.
fn conditions(all: &[&str]) -> Value {
    let conditions = all.iter().map(|text| {
        let (type_, rest) = text.split_once('=').unwrap();
        let mut parts = rest.splitn(3, '/');
        let mut condition = json!({"type": type_, "status": parts.next().unwrap()});
        for (field, part) in ["reason", "message"].into_iter().zip(parts) {
            condition[field] = part.into();
        }
        condition
    });
    json!({"status": {"conditions": conditions.collect::<Vec<_>>()}})
}

#[test]
fn an_object_that_is_being_deleted_tells_what_holds_it() {
    let mut gone = json!({"metadata": {"deletionTimestamp": ago(5), "finalizers": ["a.example.com/x", "b"]}});
    merge(&mut gone, conditions(&["Ready=True", "Synced=False/ReconcileError/no such account"]));
    check(
        object("example.com/v1", "Bucket", gone),
        Deleting,
        "held by a.example.com/x, b; not Synced: ReconcileError: no such account",
    );
    check(object("v1", "ConfigMap", json!({"metadata": {"deletionTimestamp": ago(5)}})), Deleting, "being deleted");
}

#[test]
fn a_status_about_another_generation_is_none() {
    for observed in [json!(1), json!(3), json!("1"), json!("65f8d9c6b"), json!([])] {
        let mut stale = conditions(&["Ready=True"]);
        stale["status"]["observedGeneration"] = observed.clone();
        check(object("example.com/v1", "Bucket", stale), Progressing, "its status is about generation");
    }
    for observed in [json!(2), json!("2")] {
        let mut current = conditions(&["Ready=True"]);
        current["status"]["observedGeneration"] = observed;
        check(object("example.com/v1", "Bucket", current), Ready, "");
    }
}

#[test]
fn a_condition_about_another_generation_is_none() {
    for (observed, phase) in [(1, Progressing), (2, Ready)] {
        let mut ready = conditions(&["Ready=True", "Synced=True"]);
        ready["status"]["conditions"][0]["observedGeneration"] = observed.into();
        ready["status"]["conditions"][1]["observedGeneration"] = 2.into();
        check(object("db.example.org/v1", "XDatabase", ready.clone()), phase, "");
        ready["status"]["conditions"].as_array_mut().unwrap().truncate(1);
        check(object("example.com/v1", "Bucket", ready), phase, "");
    }
}

#[test]
fn nothing_is_ready_before_somebody_has_looked_at_it() {
    let fresh = || object("example.com/v1", "Bucket", json!({"metadata": {"creationTimestamp": ago(1)}}));
    check(fresh(), Progressing, "no status yet");
    check(object("example.com/v1", "Bucket", json!({"status": {}})), Progressing, "does anything look after it?");
    let judge = |has_status| Rules::builtin().judge(&fresh(), &Facts::at(now()).with_has_status(Some(has_status)));
    assert_eq!(judge(true).phase, Progressing);
    assert_eq!(judge(false), Verdict::ready());
}

#[test]
fn a_status_that_says_nothing_of_readiness_is_believed_after_a_grace() {
    let status = json!({"status": {"replicas": 3}});
    check(object("example.com/v1", "Bucket", status.clone()), Ready, "");
    let mut young = object("example.com/v1", "Bucket", status);
    young["metadata"]["creationTimestamp"] = ago(10).into();
    check(young.clone(), Progressing, "does not say yet");
    let patient = Facts::at(now()).with_grace(Duration::from_secs(5));
    assert_eq!(Rules::builtin().judge(&young, &patient).phase, Ready);
    let mut stale = conditions(&["Configured=True"]);
    stale["status"]["conditions"][0]["observedGeneration"] = 1.into();
    check(object("example.com/v1", "Bucket", stale), Progressing, "older generation");
}

#[test]
fn conventions_decide_about_kinds_without_a_rule() {
    let with = |all: &[&str]| object("example.com/v1", "Bucket", conditions(all));
    check(with(&["Ready=True"]), Ready, "");
    check(with(&["Available=True"]), Ready, "");
    check(with(&["Ready=False/Creating/soon", "Available=True"]), Progressing, "not Ready: Creating: soon");
    check(with(&["Ready=Unknown"]), Progressing, "Ready is unknown");
    check(with(&["Ready=False/QuotaExceeded/no more than 3"]), Failing, "no more than 3");
    check(with(&["Ready=True", "Reconciling=True/Progressing"]), Progressing, "Reconciling: Progressing");
    check(with(&["Ready=True", "Stalled=True/NoPermission"]), Failing, "Stalled: NoPermission");
    let phase = |phase: &str| object("example.com/v1", "Bucket", json!({"status": {"phase": phase}}));
    check(phase("Active"), Ready, "");
    check(phase("ready"), Ready, "");
    check(phase("Failed"), Failing, "Failed");
    check(phase("Warming"), Progressing, "Warming");
}

#[test]
fn a_rule_in_front_decides_but_not_on_a_stale_status() {
    let rules = Rules::builtin().with_first(Kinds::new("example.com", "Bucket"), |_| Some(Verdict::ready()));
    let mut bucket = object("example.com/v1", "Bucket", conditions(&["Ready=False", "Stalled=True"]));
    let facts = Facts::at(now());
    assert_eq!(rules.judge(&bucket, &facts), Verdict::ready());
    bucket["status"]["observedGeneration"] = 1.into();
    assert_eq!(rules.judge(&bucket, &facts).phase, Progressing);
    bucket["kind"] = "Other".into();
    bucket["status"]["observedGeneration"] = 2.into();
    assert_eq!(rules.judge(&bucket, &facts).phase, Failing);
}
