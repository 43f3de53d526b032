use kube::api::{ApiResource, GroupVersionKind};

use super::*;
use crate::{
    condition::find_condition,
    provider::{Change, ChangeAction, Order, OrderId, Output, Teardown},
};

fn object(status: &Value) -> DynamicObject {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("example.com", "v1", "Thing"));
    let mut object = DynamicObject::new("app", &kind);
    object.metadata.generation = Some(3);
    object.data = json!({"status": status});
    object
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn ready(fields: &Map<String, Value>) -> Condition {
    let conditions: Vec<Condition> = serde_json::from_value(fields["conditions"].clone()).unwrap();
    find_condition(&conditions, "Ready").unwrap().clone()
}

fn fields(object: &DynamicObject, report: &Report, now: Timestamp) -> Map<String, Value> {
    status(object, report, &["endpoint".into()], &Redactor::new(), now)
}

#[test]
fn every_phase_is_summed_up_by_ready() {
    let check = |observation: Observation, expected: &str| {
        let fields = fields(&object(&Value::Null), &Report::new(observation.clone()), at(0));
        let ready = ready(&fields);
        assert_eq!(ready.status, expected, "{}", observation.phase);
        assert_eq!((ready.observed_generation, ready.reason.is_empty()), (Some(3), false));
    };
    check(Observation::new(Phase::Ready), "True");
    check(Observation::new(Phase::Ready).with_generation(3), "True");
    check(Observation::new(Phase::Ready).with_generation(2), "False");
    check(Observation::new(Phase::Unknown), "Unknown");
    for phase in [Phase::Progressing, Phase::Degraded, Phase::Paused, Phase::Failing, Phase::Blocked, Phase::Deleting] {
        check(Observation::new(phase), "False");
    }
}

#[test]
fn an_equal_observation_later_changes_nothing() {
    let report = Report::new(Observation::new(Phase::Ready).with_output("endpoint", Output::plain("host:1")));
    let first = fields(&object(&Value::Null), &report, at(0));
    assert_eq!(first["endpoint"], "host:1");
    let there = object(&Value::Object(first.clone()));
    assert_eq!(fields(&there, &report, at(60)), first);
}

#[test]
fn whatever_is_not_ready_says_what_happens_next() {
    let check = |report: Report, expected: &str| {
        let fields = fields(&object(&Value::Null), &report, at(0));
        assert_eq!(fields["message"], expected);
    };
    let failing = || Report::of(Phase::Failing, "shelf cannot apply it: no room");
    check(failing().next(Duration::from_secs(2)), "shelf cannot apply it: no room; next look in 2 s");
    check(failing().next(Duration::from_secs(61)), "shelf cannot apply it: no room; next look in 2 min");
    check(failing(), "shelf cannot apply it: no room; nothing happens until the order changes");
    check(Report::of(Phase::Progressing, "").next(Duration::from_millis(3)), "next look in a second");
    check(Report::of(Phase::Ready, "").next(Duration::from_secs(30)), "");
}

#[test]
fn secrets_are_in_no_field() {
    let mut condition = Condition::fails("Synced", "Failed", "cannot log in with hunter22");
    condition.severity = "Error".into();
    let observation = Observation::new(Phase::Degraded)
        .with_message("user app with hunter22 is locked")
        .with_condition(condition)
        .with_output("endpoint", Output::sensitive("hunter22"));
    let redactor = Redactor::new().with_outputs_of(&observation);
    let fields = status(&object(&Value::Null), &Report::new(observation), &["endpoint".into()], &redactor, at(0));
    assert!(!serde_json::to_string(&fields).unwrap().contains("hunter22"), "{fields:?}");
    assert!(!fields.contains_key("endpoint"));
}

#[test]
fn a_plan_is_shown_for_as_long_as_it_waits() {
    let order = Order::new(OrderId::new("u", "", "app"), 3, Value::Null);
    let plan = Plan::new(&order, vec![Change::new(ChangeAction::Replace, "disk")], Teardown::new(&order.id));
    let mut report = Report::of(Phase::Blocked, "waits");
    report.pending = Some(Pending::Approval(plan.clone()));
    let waiting = fields(&object(&Value::Null), &report, at(0));
    assert_eq!(waiting["plan"]["hash"], plan.hash().0);
    assert_eq!(waiting["plan"]["changes"][0]["subject"], "disk");

    let there = object(&Value::Object(waiting));
    let done = fields(&there, &Report::of(Phase::Ready, ""), at(60));
    assert!(done["plan"].is_null(), "a merge patch removes it");
    let conditions: Vec<Condition> = serde_json::from_value(done["conditions"].clone()).unwrap();
    assert!(find_condition(&conditions, "Approved").unwrap().is_true());
}
