use serde_json::json;

use super::*;

fn check(before: Value, after: Value, expected: &[&str]) {
    let wrap = |fields| json!({"type": "object", "properties": fields});
    let found: Vec<_> = changes(&wrap(before), &wrap(after), "spec").into_iter().map(|fault| fault.path).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_is_added_breaks_nothing_and_what_is_taken_away_does() {
    let text = json!({"type": "string"});
    check(json!({"a": text}), json!({"a": text, "b": text}), &[]);
    check(json!({"a": text, "b": text}), json!({"a": text}), &["spec.b"]);
    check(json!({"a": text}), json!({"a": {"type": "integer"}}), &["spec.a"]);
    check(json!({"a": {"type": "integer"}}), json!({"a": {"type": "integer", "minimum": 3}}), &["spec.a"]);
    check(json!({"a": {"type": "integer", "minimum": 3}}), json!({"a": {"type": "integer", "minimum": 1}}), &[]);
    check(
        json!({"a": {"type": "string", "enum": ["x", "y"]}}),
        json!({"a": {"type": "string", "enum": ["x"]}}),
        &["spec.a"],
    );
    check(
        json!({"a": {"type": "array", "items": text}}),
        json!({"a": {"type": "array", "items": {"type": "integer"}}}),
        &["spec.a[]"],
    );
}

#[test]
fn a_field_may_become_required_only_with_a_default() {
    let before = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let mut after = before.clone();
    after["required"] = json!(["a"]);
    assert_eq!(changes(&before, &after, "spec").len(), 1);
    after["properties"]["a"]["default"] = json!("x");
    assert!(changes(&before, &after, "spec").is_empty());
}
