use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The conditions of one object as recorded: type, status, reason, message, and the generation it
/// was observed at, of an object in generation 2.
type Recorded<'a> = &'a [(&'a str, &'a str, &'a str, &'a str, Option<i64>)];

fn object(conditions: Recorded<'_>) -> Value {
    let condition = |(type_, status, reason, message, observed): &(&str, &str, &str, &str, Option<i64>)| {
        let mut condition = json!({
            "type": type_, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": "2026-11-25T09:00:00Z",
        });
        if let Some(observed) = observed {
            condition["observedGeneration"] = json!(observed);
        }
        condition
    };
    json!({
        "metadata": {"name": "app", "generation": 2},
        "status": {"conditions": conditions.iter().map(condition).collect::<Vec<_>>()},
    })
}

const SYNCED: (&str, &str, &str, &str, Option<i64>) = ("Synced", "True", "ReconcileSuccess", "", Some(2));
const READY: (&str, &str, &str, &str, Option<i64>) = ("Ready", "True", "Available", "", Some(2));

#[test]
fn conditions_are_read_together_and_against_the_generation() {
    let check = |what: &str, conditions: Recorded<'_>, phase, reason: &str, message: &str| {
        let verdict = judge(&object(conditions));
        assert_eq!((verdict.phase, verdict.reason.as_str()), (phase, reason), "{what}: {verdict:?}");
        assert!(verdict.message.contains(message), "{what}: {}", verdict.message);
    };
    let new = Some(2);
    check("new", &[], Phase::Progressing, "Pending", "not said yet");
    let creating = ("Ready", "False", "Creating", "Unready resources: a, b, and 3 more", new);
    check("creating", &[creating, SYNCED], Phase::Progressing, "Creating", "a, b, and 3 more");
    check("ready", &[READY, SYNCED], Phase::Ready, "Available", "");
    let broken = ("Ready", "False", "Unavailable", "the instance is stopped", new);
    check("broken but existing", &[broken, SYNCED], Phase::Failing, "Unavailable", "stopped");
    let error = ("Synced", "False", "ReconcileError", "cannot compose resources: boom", new);
    check("broken, and an error", &[broken, error], Phase::Failing, "ReconcileError", "boom");
    check("an error keeps Ready as it was", &[READY, error], Phase::Degraded, "ReconcileError", "boom");
    let earlier = ("Ready", "True", "Available", "", Some(1));
    check("an error after a change", &[earlier, error], Phase::Degraded, "ReconcileError", "boom");
    check("an error of something new", &[error], Phase::Failing, "ReconcileError", "boom");
    let paused = ("Synced", "False", "ReconcilePaused", "", new);
    check("paused", &[READY, paused], Phase::Paused, "ReconcilePaused", "paused");
    check("paused before the first try", &[paused], Phase::Paused, "ReconcilePaused", "paused");
    let waiting = ("Ready", "False", "Waiting", "Claim is waiting for composite resource to become Ready", new);
    check("a claim that waits", &[waiting, SYNCED], Phase::Progressing, "Waiting", "waiting for composite");

    check("Ready is stale", &[earlier, SYNCED], Phase::Progressing, "Stale", "Ready");
    let stale = ("Synced", "True", "ReconcileSuccess", "", Some(1));
    check("Synced is stale", &[READY, stale], Phase::Progressing, "Stale", "Synced");
    check("all is stale", &[earlier, stale], Phase::Progressing, "Stale", "");
    let custom = ("DatabaseReady", "True", "Available", "", Some(1));
    check("what a function said is stale", &[READY, SYNCED, custom], Phase::Progressing, "Stale", "DatabaseReady");
    let old_error = ("Synced", "False", "ReconcileError", "boom", Some(1));
    check("the error is stale", &[READY, old_error], Phase::Progressing, "Stale", "Synced");
    let (untold, untold_synced) =
        (("Ready", "True", "Available", "", None), ("Synced", "True", "ReconcileSuccess", "", None));
    check("older providers tell no generation", &[untold, untold_synced], Phase::Ready, "Available", "");

    let failed = ("LastAsyncOperation", "False", "AsyncUpdateFailure", "quota exceeded", new);
    check("an update failed", &[READY, SYNCED, failed], Phase::Degraded, "AsyncUpdateFailure", "quota");
    check("a creation failed", &[creating, SYNCED, failed], Phase::Failing, "AsyncUpdateFailure", "quota");
    let open = ("Responsive", "False", "WatchCircuitOpen", "Too many watch events from Bucket/a.", new);
    check("throttled", &[creating, SYNCED, open], Phase::Progressing, "WatchCircuitOpen", "throttled");
    check("throttled, and ready", &[READY, SYNCED, open], Phase::Ready, "Available", "");
    let fatal = ("DatabaseReady", "Unknown", "FatalError", "", new);
    check("a function failed", &[READY, error, fatal], Phase::Degraded, "ReconcileError", "boom");
    check("in sync, and nothing else", &[SYNCED], Phase::Progressing, "Pending", "ready");
    check("ready, and nothing else", &[READY], Phase::Progressing, "Pending", "in sync");
    let unknown = ("Ready", "Unknown", "", "", new);
    check("not known", &[unknown, SYNCED], Phase::Progressing, "NotReady", "");
}

#[test]
fn what_is_being_deleted_says_what_holds_it() {
    let check = |conditions: Recorded<'_>, labels: Value, reason: &str, message: &str| {
        let mut object = object(conditions);
        object["metadata"]["deletionTimestamp"] = json!("2026-11-25T09:00:00Z");
        object["metadata"]["labels"] = labels;
        let verdict = judge(&object);
        assert_eq!((verdict.phase, verdict.reason.as_str()), (Phase::Deleting, reason));
        assert!(verdict.message.contains(message), "{}", verdict.message);
    };
    let deleting = ("Ready", "False", "Deleting", "", Some(2));
    check(&[deleting, SYNCED], json!({}), "Deleting", "being deleted");
    check(&[READY, SYNCED], json!({}), "Deleting", "being deleted");
    let error = ("Synced", "False", "ReconcileError", "cannot delete: access denied", Some(2));
    check(&[deleting, error], json!({}), "ReconcileError", "access denied");
    check(&[READY, SYNCED], json!({"crossplane.io/in-use": "true"}), "InUse", "Usage");
}

#[test]
fn a_creation_of_unknown_outcome_needs_a_person() {
    let check = |annotations: Value, phase| {
        let error = ("Synced", "False", "ReconcileError", "cannot determine creation result", Some(2));
        let mut object = object(&[("Ready", "False", "Creating", "", Some(2)), error]);
        object["metadata"]["annotations"] = annotations;
        let verdict = judge(&object);
        assert_eq!(verdict.phase, phase, "{:?}", object["metadata"]["annotations"]);
        let is_told = verdict.message.contains("remove the annotation crossplane.io/external-create-pending");
        assert_eq!(is_told, phase == Phase::Blocked);
    };
    let (pending, succeeded, failed) = (
        "crossplane.io/external-create-pending",
        "crossplane.io/external-create-succeeded",
        "crossplane.io/external-create-failed",
    );
    let (before, after) = ("2026-11-25T09:00:00Z", "2026-11-25T09:00:01Z");
    check(json!({pending: after}), Phase::Blocked);
    check(json!({pending: after, succeeded: before}), Phase::Blocked);
    check(json!({pending: after, succeeded: before, failed: before}), Phase::Blocked);
    check(json!({pending: before, succeeded: after}), Phase::Failing);
    check(json!({pending: before, failed: after, succeeded: "2020-01-01T00:00:00Z"}), Phase::Failing);
    check(json!({pending: "yesterday"}), Phase::Failing);
    check(json!({}), Phase::Failing);
}

#[test]
fn a_creation_under_way_is_not_ambiguous() {
    let mut object = object(&[("Ready", "False", "Creating", "", Some(2)), SYNCED]);
    object["metadata"]["annotations"] = json!({"crossplane.io/external-create-pending": "2026-11-25T09:00:00Z"});
    assert_eq!(judge(&object).phase, Phase::Progressing);
}

#[test]
fn aspects_leave_the_order_its_own_conditions_and_are_bounded() {
    let long = "x".repeat(5000);
    let names: Vec<_> = (0..40).map(|number| format!("Custom{number}")).collect();
    let mut conditions = vec![READY, SYNCED, ("Drifted", "True", "", "", None)];
    conditions.extend(names.iter().map(|name| (name.as_str(), "Perhaps", "", long.as_str(), None)));
    let aspects = aspects(&object(&conditions));
    assert_eq!(aspects[0].type_, "Synced");
    assert!(aspects.iter().all(|aspect| !RESERVED.contains(&aspect.type_.as_str())));
    assert_eq!((aspects.len(), aspects[1].status.as_str()), (MOST_CONDITIONS, "Unknown"));
    assert_eq!(aspects[1].message.chars().count(), LONGEST_MESSAGE + 1);
}

#[test]
fn what_moves_is_looked_at_often_and_what_stands_still_ever_less() {
    let now = "2026-11-25T09:10:00Z".parse().unwrap();
    let check = |created: &str, changed: &str, expected: u64| {
        let object = json!({
            "metadata": {"creationTimestamp": created},
            "status": {"conditions": [{"lastTransitionTime": changed}, {"lastTransitionTime": 1}]},
        });
        assert_eq!(next_look(&object, now), Duration::from_millis(expected), "{created} {changed}");
    };
    check("2026-11-25T09:09:59Z", "", 250);
    check("2026-11-25T09:00:00Z", "2026-11-25T09:09:56Z", 500);
    check("2026-11-25T09:09:20Z", "yesterday", 5_000);
    check("2026-11-20T09:09:20Z", "2026-11-25T08:00:00Z", 10_000);
    // Clocks differ.
    check("2026-11-25T09:20:00Z", "", 250);
    check("", "", 250);
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn some_condition() -> impl Strategy<Value = Value> {
    let types = prop::sample::select(vec!["Ready", "Synced", "Responsive", "LastAsyncOperation", "Custom"]);
    let statuses = prop::sample::select(vec!["True", "True", "False", "Unknown"]);
    let reasons = prop::sample::select(vec!["Available", "ReconcilePaused", "ReconcileError", "Creating", ""]);
    let observed = prop_oneof![(0..5i64).prop_map(Value::from), Just(Value::Null), json()];
    (types, statuses, reasons, observed).prop_map(|(type_, status, reason, observed)| {
        json!({"type": type_, "status": status, "reason": reason, "observedGeneration": observed})
    })
}

proptest! {
    #[test]
    fn no_object_whatever_makes_it_panic(metadata in json(), status in json(), conditions in json(), whole in json()) {
        judge(&whole);
        aspects(&whole);
        judge(&json!({"metadata": metadata, "status": status}));
        judge(&json!({"metadata": metadata, "status": {"conditions": conditions}}));
        aspects(&json!({"metadata": metadata, "status": {"conditions": [conditions]}}));
    }

    #[test]
    fn nothing_is_ready_on_stale_evidence(
        generation in prop_oneof![(0..5i64).prop_map(Value::from), json()],
        conditions in prop::collection::vec(some_condition(), 0..5),
    ) {
        let object = json!({"metadata": {"generation": generation}, "status": {"conditions": conditions}});
        let is_current = |condition: &Value| match &condition["observedGeneration"] {
            Value::Null => true,
            observed => match (observed.as_i64(), generation.as_i64()) {
                (Some(observed), Some(generation)) => observed >= generation,
                _ => false,
            },
        };
        if judge(&object).phase == Phase::Ready {
            prop_assert!(conditions.iter().all(is_current));
            for type_ in ["Ready", "Synced"] {
                let holds = |condition: &Value| condition["type"] == type_ && condition["status"] == "True";
                prop_assert!(conditions.iter().any(holds));
            }
        }
    }
}
