use serde_json::json;

use super::*;

fn composed(kind: &str, name: &str) -> Composed {
    Composed { api_version: "e/v1".into(), kind: kind.into(), namespace: None, name: name.into() }
}

fn managed(resource: &str, synced: (&str, &str, &str), ready: &str) -> Value {
    json!({
        "metadata": {"generation": 1, "annotations": {RESOURCE_NAME: resource}},
        "status": {"conditions": [
            {"type": "Synced", "status": synced.0, "reason": synced.1, "message": synced.2},
            {"type": "Ready", "status": ready, "reason": if ready == "True" { "Available" } else { "Creating" }},
        ]},
    })
}

const WELL: (&str, &str, &str) = ("True", "ReconcileSuccess", "");

#[test]
fn the_lowest_object_says_what_the_cloud_says() {
    let refused = managed("bucket", ("False", "ReconcileError", "create failed: AccessDenied"), "False");
    let bucket = Node::of(&composed("Bucket", "app-x1"), &refused);
    let well = Node::of(&composed("Policy", "app-x2"), &managed("policy", WELL, "True"));
    let inner = managed("storage", WELL, "False");
    let storage = Node { below: vec![bucket, well], ..Node::of(&composed("XStorage", "app-x"), &inner) };
    let found = causes(&[storage]);
    assert_eq!(
        told(&found),
        "storage (XStorage app-x) → bucket (Bucket app-x1): ReconcileError: create failed: AccessDenied"
    );
    let condition = condition(&found);
    assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "ReconcileError"));
}

#[test]
fn what_needs_a_person_comes_first_and_the_rest_is_counted() {
    let node = |name: &str, phase| Node::blank(&composed("Bucket", name), phase, "Reason", "");
    let mut nodes: Vec<_> = (0..6).map(|number| node(&format!("p{number}"), Phase::Progressing)).collect();
    nodes.push(node("failing", Phase::Failing));
    nodes.push(node("blocked", Phase::Blocked));
    let told = told(&causes(&nodes));
    assert!(told.starts_with("Bucket blocked: Reason; Bucket failing: Reason; "), "{told}");
    assert!(told.ends_with("; and 4 more"), "{told}");
}

#[test]
fn what_has_no_conditions_of_crossplanes_is_judged_by_its_own_ready_alone() {
    let check = |status: Value, expected| {
        let node = Node::of(&composed("Deployment", "d"), &json!({"metadata": {}, "status": status}));
        assert_eq!(node.verdict.phase, expected);
    };
    check(json!({}), Phase::Ready);
    check(json!({"conditions": [{"type": "Available", "status": "False"}]}), Phase::Ready);
    check(json!({"conditions": [{"type": "Ready", "status": "True"}]}), Phase::Ready);
    check(json!({"conditions": [{"type": "Ready", "status": "False"}]}), Phase::Progressing);
}

#[test]
fn without_causes_everything_is_composed() {
    assert!(condition(&[]).is_true());
    assert_eq!(told(&[]), "");
}
