#![expect(clippy::needless_pass_by_value, reason = "tables of json! literals read best by value")]

mod strategic;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{json_patch, merge_patch};

fn check_json(current: Value, patch: Value, expected: Value) {
    assert_eq!(json_patch(&current, &patch).unwrap(), expected, "{patch}");
}

fn check_json_refused(patch: &Value, code: u16, reason: &str) {
    let error = json_patch(&json!({"a": [1], "b": {}}), patch).unwrap_err();
    assert_eq!((error.code(), error.reason()), (code, reason), "{error}");
}

#[test]
fn json_patch_applies_its_operations_in_order() {
    check_json(json!({"a": 1}), json!([]), json!({"a": 1}));
    check_json(json!({"a": 1}), json!([{"op": "add", "path": "/b", "value": [1]}]), json!({"a": 1, "b": [1]}));
    check_json(json!({"a": [1]}), json!([{"op": "add", "path": "/a/-", "value": 2}]), json!({"a": [1, 2]}));
    check_json(json!({"a": [1, 2]}), json!([{"op": "remove", "path": "/a/0"}]), json!({"a": [2]}));
    check_json(json!({"a/b": 1}), json!([{"op": "replace", "path": "/a~1b", "value": 2}]), json!({"a/b": 2}));
    check_json(json!({"a": 1}), json!([{"op": "move", "from": "/a", "path": "/b"}]), json!({"b": 1}));
    check_json(
        json!({"a": {"x": 1}}),
        json!([{"op": "test", "path": "/a/x", "value": 1}, {"op": "copy", "from": "/a", "path": "/b"}]),
        json!({"a": {"x": 1}, "b": {"x": 1}}),
    );
}

#[test]
fn what_is_no_json_patch_is_a_bad_request() {
    check_json_refused(&json!({}), 400, "BadRequest");
    check_json_refused(&json!(["add"]), 400, "BadRequest");
    check_json_refused(&json!([{"op": "add", "path": 1}]), 400, "BadRequest");
}

#[test]
fn a_json_patch_that_does_not_fit_the_object_is_invalid() {
    check_json_refused(&json!([{"op": "test", "path": "/a/0", "value": 2}]), 422, "Invalid");
    check_json_refused(&json!([{"op": "remove", "path": "/c"}]), 422, "Invalid");
    check_json_refused(&json!([{"op": "add", "path": "/c/d", "value": 1}]), 422, "Invalid");
    check_json_refused(&json!([{"op": "add", "path": "/a/7", "value": 1}]), 422, "Invalid");
    check_json_refused(&json!([{"op": "copy", "from": "/c", "path": "/d"}]), 422, "Invalid");
    check_json_refused(&json!([{"op": "dance", "path": "/a"}]), 422, "Invalid");
    check_json_refused(&json!([{"op": "replace", "path": "", "value": []}]), 422, "Invalid");
    let error = json_patch(&json!({}), &json!([{"op": "remove", "path": "/a"}])).unwrap_err();
    assert_eq!(error.to_string(), "the server rejected our request due to an error in our request");
}

#[test]
fn a_json_patch_has_at_most_ten_thousand_operations() {
    let operations = vec![json!({"op": "test", "path": "/a", "value": 1}); 10_001];
    let error = json_patch(&json!({"a": 1}), &Value::Array(operations.clone())).unwrap_err();
    assert_eq!((error.code(), error.reason()), (413, "RequestEntityTooLarge"));
    assert_eq!(
        error.to_string(),
        "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"
    );
    json_patch(&json!({"a": 1}), &json!(&operations[1..])).unwrap();
}

#[test]
fn copies_cannot_double_the_object_without_end() {
    let doubling = vec![json!({"op": "copy", "from": "/a", "path": "/a/-"}); 40];
    let error = json_patch(&json!({"a": ["x"]}), &Value::Array(doubling)).unwrap_err();
    assert_eq!(error.code(), 422);
}

#[test]
fn copies_and_moves_cannot_nest_without_end() {
    let nesting = vec![json!({"op": "copy", "from": "/a", "path": "/a/x"}); 130];
    assert_eq!(json_patch(&json!({"a": {}}), &Value::Array(nesting)).unwrap_err().code(), 422);

    let wrap = [
        json!({"op": "add", "path": "/b", "value": {}}),
        json!({"op": "move", "from": "/a", "path": "/b/x"}),
        json!({"op": "move", "from": "/b", "path": "/a"}),
    ];
    let wraps = |times| Value::Array(wrap.iter().cycle().take(times * wrap.len()).cloned().collect());
    json_patch(&json!({"a": {}}), &wraps(100)).unwrap();
    assert_eq!(json_patch(&json!({"a": {}}), &wraps(200)).unwrap_err().code(), 422);
}

#[test]
fn many_moves_that_do_not_nest_are_fine() {
    let back_and_forth =
        [json!({"op": "move", "from": "/a", "path": "/b/c/d"}), json!({"op": "move", "from": "/b/c/d", "path": "/a"})];
    let patch = Value::Array(back_and_forth.iter().cycle().take(1_000).cloned().collect());
    let object = json!({"a": {"x": 1}, "b": {"c": {}}});
    assert_eq!(json_patch(&object, &patch).unwrap(), object);
}

#[test]
fn merge_patch_follows_rfc_7386() {
    let check = |current: Value, patch: Value, expected: Value| {
        assert_eq!(merge_patch(&current, &patch).unwrap(), expected, "{patch}");
    };
    check(json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"}));
    check(json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"}));
    check(json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"}));
    check(json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"}));
    check(json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]}));
    check(json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}}));
    check(json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]}));
    check(json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1}));
    check(json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}}));
}

#[test]
fn a_merge_patch_that_is_no_object_is_a_bad_request() {
    for patch in [json!([]), json!("x"), json!(null), json!(1)] {
        assert_eq!(merge_patch(&json!({}), &patch).unwrap_err().code(), 400);
    }
}

fn object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), any::<i32>().prop_map(Value::from), "[a-z]{0,3}".prop_map(Value::from)];
    let value = leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(any::<i32>(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..3).prop_map(|fields| json!(fields)),
        ]
    });
    prop::collection::btree_map("[a-c]", value, 0..4).prop_map(|fields| json!(fields))
}

/// The patch that turns `from` into `to`, which has no nulls.
fn difference(from: &Map<String, Value>, to: &Map<String, Value>) -> Value {
    let mut patch = Map::new();
    patch.extend(from.keys().filter(|key| !to.contains_key(*key)).map(|key| (key.clone(), Value::Null)));
    for (key, value) in to {
        match (from.get(key), value) {
            (Some(Value::Object(from)), Value::Object(to)) => _ = patch.insert(key.clone(), difference(from, to)),
            (Some(from), to) if from == to => {}
            _ => _ = patch.insert(key.clone(), value.clone()),
        }
    }
    Value::Object(patch)
}

proptest! {
    #[test]
    fn merge_patch_is_idempotent(current in object(), patch in object()) {
        let once = merge_patch(&current, &patch).unwrap();
        prop_assert_eq!(merge_patch(&once, &patch).unwrap(), once);
    }

    #[test]
    fn a_difference_applied_gives_the_other_object(from in object(), to in object()) {
        // Merge patches cannot set a null.
        let to = merge_patch(&json!({}), &to).unwrap();
        let patch = difference(from.as_object().unwrap(), to.as_object().unwrap());
        prop_assert_eq!(merge_patch(&from, &patch).unwrap(), to);
    }

    #[test]
    fn strategic_is_plain_merge_where_no_list_merges(current in object(), patch in object()) {
        let strategic = super::strategic_merge_patch(&current, &patch, &Value::Null).unwrap();
        prop_assert_eq!(strategic, merge_patch(&current, &patch).unwrap());
    }
}
