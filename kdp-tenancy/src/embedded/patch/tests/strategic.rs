use serde_json::{Value, json};

use crate::embedded::patch::strategic_merge_patch;

/// A pod template's sorts of lists and maps.
fn schema() -> Value {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let mut merging = texts.clone();
    merging["x-kubernetes-patch-strategy"] = json!("merge");
    let env = json!({
        "type": "array",
        "x-kubernetes-patch-strategy": "merge",
        "x-kubernetes-patch-merge-key": "name",
        "items": {"type": "object", "properties": {"name": {"type": "string"}, "value": {"type": "string"}}},
    });
    json!({"type": "object", "properties": {
        "args": texts,
        "tags": merging,
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "whole": {"type": "object", "x-kubernetes-patch-strategy": "replace"},
        "strategy": {"type": "object", "x-kubernetes-patch-strategy": "retainKeys"},
        "containers": {
            "type": "array",
            "x-kubernetes-patch-strategy": "merge",
            "x-kubernetes-patch-merge-key": "name",
            "items": {"type": "object", "properties": {"name": {"type": "string"}, "env": env}},
        },
        "nested": {"type": "array", "x-kubernetes-patch-strategy": "merge", "items": texts},
    }})
}

fn check(current: Value, patch: Value, expected: Value) {
    assert_eq!(strategic_merge_patch(&current, &patch, &schema()).unwrap(), expected, "{patch}");
}

fn check_refused(current: &Value, patch: &Value, code: u16, message: &str) {
    let error = strategic_merge_patch(current, patch, &schema()).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (code, message));
}

#[test]
fn maps_merge_and_null_deletes() {
    check(json!({"labels": {"a": "1"}}), json!({"labels": {"b": "2"}}), json!({"labels": {"a": "1", "b": "2"}}));
    check(json!({"labels": {"a": "1", "b": "2"}}), json!({"labels": {"a": null}}), json!({"labels": {"b": "2"}}));
    check(json!({"labels": {"a": "1"}}), json!({"labels": null}), json!({}));
    check(json!({}), json!({"labels": {"a": null, "b": "2"}}), json!({"labels": {"b": "2"}}));
    check(json!({"labels": "text"}), json!({"labels": {"a": "1"}}), json!({"labels": {"a": "1"}}));
}

#[test]
fn lists_are_replaced_unless_their_strategy_is_merge() {
    check(json!({"args": ["a", "b"]}), json!({"args": ["c"]}), json!({"args": ["c"]}));
    check(json!({"tags": ["a", "b"]}), json!({"tags": ["b", "c"]}), json!({"tags": ["a", "b", "c"]}));
    check(json!({"other": ["a"]}), json!({"other": ["b"]}), json!({"other": ["b"]}));
}

#[test]
fn items_merge_by_their_key() {
    check(
        json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}),
        json!({"containers": [{"name": "b", "image": "2", "tty": true}]}),
        json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2", "tty": true}]}),
    );
    check(
        json!({"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}]}),
        json!({"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}]}]}),
        json!({"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}]}]}),
    );
}

#[test]
fn metadata_lists_merge_whatever_the_schema() {
    check(
        json!({"metadata": {"finalizers": ["a"], "ownerReferences": [{"uid": "1", "name": "x"}]}}),
        json!({"metadata": {"finalizers": ["b"], "ownerReferences": [{"uid": "1", "controller": true}]}}),
        json!({"metadata": {"finalizers": ["b", "a"], "ownerReferences": [{"uid": "1", "name": "x", "controller": true}]}}),
    );
}

#[test]
fn patch_delete_removes_an_item_or_empties_a_map() {
    check(
        json!({"containers": [{"name": "a"}, {"name": "b"}]}),
        json!({"containers": [{"name": "a", "$patch": "delete"}]}),
        json!({"containers": [{"name": "b"}]}),
    );
    check(
        json!({"containers": [{"name": "a"}]}),
        json!({"containers": [{"name": "x", "$patch": "delete"}, {"name": "b"}]}),
        json!({"containers": [{"name": "b"}, {"name": "a"}]}),
    );
    check(json!({"labels": {"a": "1"}}), json!({"labels": {"$patch": "delete"}}), json!({"labels": {}}));
    check(json!({}), json!({"containers": [{"name": "a", "$patch": "delete"}]}), json!({"containers": []}));
}

#[test]
fn patch_replace_replaces_a_map_or_a_list() {
    check(
        json!({"labels": {"a": "1", "b": "2"}}),
        json!({"labels": {"$patch": "replace", "c": "3"}}),
        json!({"labels": {"c": "3"}}),
    );
    check(
        json!({"containers": [{"name": "a"}, {"name": "b"}]}),
        json!({"containers": [{"name": "c"}, {"$patch": "replace"}]}),
        json!({"containers": [{"name": "c"}]}),
    );
    check(json!({"whole": {"a": 1}}), json!({"whole": {"b": 2}}), json!({"whole": {"b": 2}}));
}

#[test]
fn retain_keys_drops_all_others() {
    check(
        json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}),
        json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}),
        json!({"strategy": {"type": "Recreate"}}),
    );
    let message = "invalid patch format of retainKeys";
    check_refused(&json!({"strategy": {}}), &json!({"strategy": {"$retainKeys": ["a"], "b": 1}}), 400, message);
    check_refused(&json!({"strategy": {}}), &json!({"strategy": {"$retainKeys": "a"}}), 400, message);
}

#[test]
fn delete_from_primitive_list_takes_values_out() {
    check(
        json!({"tags": ["a", "b", "c"]}),
        json!({"$deleteFromPrimitiveList/tags": ["a", "x"]}),
        json!({"tags": ["b", "c"]}),
    );
    check(
        json!({"tags": ["a", "b"]}),
        json!({"$deleteFromPrimitiveList/tags": ["a"], "$setElementOrder/tags": ["c", "b"], "tags": ["c"]}),
        json!({"tags": ["c", "b"]}),
    );
    check(json!({}), json!({"$deleteFromPrimitiveList/tags": ["a"]}), json!({}));
}

#[test]
fn set_element_order_puts_items_in_the_stated_order() {
    check(
        json!({"tags": ["a", "b", "c"]}),
        json!({"$setElementOrder/tags": ["c", "b", "a"]}),
        json!({"tags": ["c", "b", "a"]}),
    );
    check(
        json!({"containers": [{"name": "a"}, {"name": "b"}]}),
        json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}], "containers": [{"name": "c"}]}),
        json!({"containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}]}),
    );
    check(
        json!({"containers": [{"name": "server"}, {"name": "a"}, {"name": "b"}]}),
        json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
        json!({"containers": [{"name": "server"}, {"name": "b"}, {"name": "a"}]}),
    );
    check(json!({}), json!({"$setElementOrder/tags": ["a"], "tags": ["a"]}), json!({"tags": ["a"]}));
    check(json!({}), json!({"$setElementOrder/tags": ["a"]}), json!({}));
    check_refused(
        &json!({"tags": []}),
        &json!({"$setElementOrder/tags": ["a", "b"], "tags": ["b", "a"]}),
        400,
        "the order in patch list doesn't match $setElementOrder list",
    );
}

/// What kubectl sends to change one variable and remove another.
#[test]
fn directives_work_together_in_nested_lists() {
    check(
        json!({"containers": [{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "1"}]}]}),
        json!({
            "$setElementOrder/containers": [{"name": "a"}],
            "containers": [{
                "name": "a",
                "$setElementOrder/env": [{"name": "Z"}, {"name": "X"}],
                "env": [{"name": "Z", "value": "3"}, {"name": "X", "value": "2"}, {"name": "Y", "$patch": "delete"}],
            }],
        }),
        json!({"containers": [{"name": "a", "image": "1", "env": [{"name": "Z", "value": "3"}, {"name": "X", "value": "2"}]}]}),
    );
}

#[test]
fn no_directive_ends_up_in_an_object() {
    check(
        json!({}),
        json!({
            "strategy": {"$retainKeys": ["type"], "type": "Recreate"},
            "containers": [{"name": "a", "$setElementOrder/env": [{"name": "X"}], "env": [{"name": "X"}]}],
            "labels": {"$patch": "replace", "a": "1"},
        }),
        json!({
            "strategy": {"type": "Recreate"},
            "containers": [{"name": "a", "env": [{"name": "X"}]}],
            "labels": {"a": "1"},
        }),
    );
}

#[test]
fn malformed_patches_are_refused() {
    let current = json!({"labels": {}, "containers": [{"name": "a"}], "tags": ["a"], "nested": [["a"]]});
    let check = |patch: Value, code, message: &str| check_refused(&current, &patch, code, message);
    check(json!({"labels": {"$patch": "merge"}}), 400, "unknown patch type: \"merge\"");
    check(json!({"containers": [{"name": "a", "$patch": 1}]}), 400, "unknown patch type: 1");
    check(
        json!({"containers": [{"image": "x"}]}),
        400,
        "map: {\"image\":\"x\"} does not contain declared merge key: name",
    );
    check(json!({"tags": [{"name": "x"}]}), 400, "list element types are not identical");
    check(json!({"$setElementOrder": []}), 400, "invalid patch format of $setElementOrder list");
    check(json!({"$deleteFromPrimitiveList/tags": "a"}), 400, "expected a list, but received \"a\"");
    check(json!({"nested": [["b"]]}), 422, "the server rejected our request due to an error in our request");
    check(
        json!([]),
        400,
        "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
    );
}
