use serde_json::json;

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "it is written where it is given")]
fn entry(manager: &str, operation: &str, fields: Value) -> Value {
    json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields})
}

fn handed(entries: &[Value]) -> Option<Value> {
    handed_over(&json!({"metadata": {"managedFields": entries}}))
}

#[test]
fn our_updates_become_applies_and_what_is_others_stays_theirs() {
    let others = entry("kubectl", "Update", json!({"f:spec": {"f:other": {}}}));
    let ours = entry(MANAGER, "Update", json!({"f:spec": {"f:size": {}}}));
    let applied = entry(MANAGER, "Apply", json!({"f:spec": {"f:size": {}}}));
    assert_eq!(handed(&[others.clone(), ours]), Some(json!([applied, others])));
}

#[test]
fn what_was_applied_before_is_kept() {
    let before = entry(MANAGER, "Apply", json!({"f:spec": {"f:a": {}}, "f:x": {}}));
    let ours = entry(MANAGER, "Update", json!({"f:spec": {"f:b": {}}}));
    let both = entry(MANAGER, "Apply", json!({"f:spec": {"f:a": {}, "f:b": {}}, "f:x": {}}));
    assert_eq!(handed(&[before, ours]), Some(json!([both])));
}

#[test]
fn where_there_is_nothing_to_hand_over_nothing_is_written() {
    let mut status = entry(MANAGER, "Update", json!({"f:status": {}}));
    status["subresource"] = json!("status");
    let applied = entry(MANAGER, "Apply", json!({}));
    assert_eq!(handed(&[]), None);
    assert_eq!(handed(&[status, applied]), None);
    assert_eq!(handed_over(&json!({})), None);
}
