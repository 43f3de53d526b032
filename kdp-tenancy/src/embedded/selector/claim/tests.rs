#![expect(clippy::needless_pass_by_value, reason = "tables of json! literals read best by value")]

use serde_json::json;

use super::*;

fn stamped(selector: Value, labels: Value) -> Result<Value, String> {
    let mut labels = labels.as_object().unwrap().clone();
    ClaimSelector::parse(&selector).unwrap().stamp(&mut labels).map(|()| labels.into())
}

#[test]
fn a_selector_says_exactly_one_thing() {
    for broken in [
        json!({}),
        json!(null),
        json!({"matchAll": false, "matchLabels": {}}),
        json!({"matchAll": true, "matchLabels": {"a": "b"}}),
        json!({"matchAll": true, "matchExpressions": [{"key": "a", "operator": "Exists"}]}),
        json!({"matchLabels": {"a b": "c"}}),
        json!({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}),
        json!({"matchExpressions": [{"key": "a", "operator": "In"}]}),
    ] {
        assert!(ClaimSelector::parse(&broken).is_err(), "{broken}");
    }
}

#[test]
fn labels_and_expressions_must_hold_together() {
    let selector = json!({"matchLabels": {"a": "1"}, "matchExpressions": [
        {"key": "b", "operator": "NotIn", "values": ["x"]}, {"key": "c", "operator": "DoesNotExist"},
    ]});
    let selector = ClaimSelector::parse(&selector).unwrap();
    for (labels, expected) in [
        (json!({"a": "1"}), true),
        (json!({"a": "1", "b": "y"}), true),
        (json!({"a": "1", "b": "x"}), false),
        (json!({"a": "1", "c": ""}), false),
        (json!({"a": "2"}), false),
        (json!({}), false),
    ] {
        assert_eq!(selector.matches(labels.as_object().unwrap()), expected, "{labels}");
    }
}

#[test]
fn what_is_written_gets_the_labels_and_never_loses_them() {
    let labels = json!({"matchLabels": {"a": "1"}});
    assert_eq!(stamped(labels.clone(), json!({"x": "y"})), Ok(json!({"a": "1", "x": "y"})));
    assert_eq!(stamped(labels, json!({"a": "2"})), Err("protected label a must have value 1".into()));
    let expression = json!({"matchExpressions": [{"key": "a", "operator": "Exists"}]});
    assert_eq!(stamped(expression.clone(), json!({})), Err("object does not match required labels".into()));
    assert_eq!(stamped(expression, json!({"a": ""})), Ok(json!({"a": ""})));
    assert_eq!(stamped(json!({"matchAll": true}), json!({})), Ok(json!({})));
}
