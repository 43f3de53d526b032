use serde_json::{Value, json};

use super::*;

#[test]
fn a_create_owns_what_it_applies_and_not_what_identifies_it() {
    let created = applied(None, json!({"replicas": 3, "ports": [{"port": 80}]}), "ci").unwrap();
    assert_eq!(created["spec"], json!({"replicas": 3, "ports": [{"port": 80}]}));
    assert_eq!(
        created["metadata"]["managedFields"],
        json!([{
            "manager": "ci",
            "operation": "Apply",
            "apiVersion": "example.com/v1",
            "time": "2023-11-14T22:13:20Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {
                "f:replicas": {},
                "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}},
            }},
        }])
    );
}

#[test]
fn each_sort_of_field_is_owned_in_its_own_way() {
    let check = |spec: Value, owned: Value| {
        assert_eq!(fields(&applied(None, spec, "m").unwrap(), "m"), json!({"f:spec": owned}));
    };
    check(json!({"size": "big"}), json!({"f:size": {}}));
    check(json!({"settings": {"a": "1"}}), json!({"f:settings": {"f:a": {}}}));
    check(json!({"settings": {}}), json!({"f:settings": {}}));
    check(json!({"selector": {"a": "1"}}), json!({"f:selector": {}}));
    check(json!({"args": ["a", "b"]}), json!({"f:args": {}}));
    check(json!({"zones": ["a", "b"]}), json!({"f:zones": {"v:\"a\"": {}, "v:\"b\"": {}}}));
    check(
        json!({"free": {"a": {"b": 1}, "l": [{"name": "x"}]}}),
        json!({"f:free": {"f:a": {".": {}, "f:b": {}}, "f:l": {}}}),
    );
}

#[test]
fn metadata_has_its_own_type_whatever_the_schema() {
    let mut config = config(json!({}));
    config["metadata"] = json!({
        "name": "x", "labels": {"a": "1"}, "annotations": {"b": "2"}, "finalizers": ["example.com/f"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "Secret", "name": "s", "uid": "u"}],
    });
    let created = apply(None, &config, &schema(), &manager("m"), false).unwrap();
    assert_eq!(
        fields(&created, "m"),
        json!({
            "f:metadata": {
                "f:labels": {"f:a": {}},
                "f:annotations": {"f:b": {}},
                "f:finalizers": {"v:\"example.com/f\"": {}},
                "f:ownerReferences": {"k:{\"uid\":\"u\"}": {}},
            },
            "f:spec": {},
        })
    );
}

#[test]
fn a_field_no_longer_applied_goes_if_nobody_else_has_it() {
    let check = |first: Value, second: Value, expected: Value| {
        let live = applied(None, first, "m").unwrap();
        assert_eq!(applied(Some(&live), second, "m").unwrap()["spec"], expected);
    };
    check(json!({"replicas": 3, "size": "big"}), json!({"size": "big"}), json!({"size": "big"}));
    check(json!({"size": "a", "settings": {"a": "1"}}), json!({"size": "a"}), json!({"size": "a"}));
    check(json!({"settings": {"a": "1", "b": "2"}}), json!({"settings": {"b": "2"}}), json!({"settings": {"b": "2"}}));
    check(json!({"zones": ["a", "b"]}), json!({"zones": ["b"]}), json!({"zones": ["b"]}));
    check(
        json!({"ports": [{"port": 80, "name": "x"}, {"port": 81}]}),
        json!({"ports": [{"port": 80}]}),
        json!({"ports": [{"port": 80}]}),
    );
    check(json!({"selector": {"a": "1", "b": "2"}}), json!({"selector": {"b": "2"}}), json!({"selector": {"b": "2"}}));
    check(json!({"free": {"a": {"b": 1, "c": 2}}}), json!({"free": {"a": {"c": 2}}}), json!({"free": {"a": {"c": 2}}}));
}

#[test]
fn a_field_no_longer_applied_stays_if_another_manager_has_it() {
    let live = applied(None, json!({"replicas": 3, "size": "big"}), "m").unwrap();
    let live = applied(Some(&live), json!({"replicas": 3}), "other").unwrap();
    let live = applied(Some(&live), json!({"size": "big"}), "m").unwrap();
    assert_eq!(live["spec"], json!({"replicas": 3, "size": "big"}));
    assert_eq!(fields(&live, "m"), json!({"f:spec": {"f:size": {}}}));
    assert_eq!(fields(&live, "other"), json!({"f:spec": {"f:replicas": {}}}));
}

/// The documented way to hand `replicas` over to an autoscaler.
#[test]
fn ownership_moves_to_a_controller_without_a_reset_of_the_value() {
    let live = applied(None, json!({"replicas": 3, "size": "big"}), "kubectl").unwrap();
    let live = updated(&live, json!({"replicas": 8, "size": "big"}), "autoscaler");
    assert_eq!(fields(&live, "kubectl"), json!({"f:spec": {"f:size": {}}}));
    let live = applied(Some(&live), json!({"size": "big"}), "kubectl").unwrap();
    assert_eq!(live["spec"]["replicas"], 8);
}

#[test]
fn items_of_others_survive_beside_the_applied_ones() {
    let live = applied(None, json!({"ports": [{"port": 80}], "zones": ["a"]}), "m").unwrap();
    let live = applied(Some(&live), json!({"ports": [{"port": 81}], "zones": ["b"]}), "other").unwrap();
    let live = applied(Some(&live), json!({"ports": [{"port": 82}], "zones": ["c"]}), "m").unwrap();
    assert_eq!(live["spec"], json!({"ports": [{"port": 81}, {"port": 82}], "zones": ["b", "c"]}));
}

#[test]
fn an_item_given_up_goes_with_what_a_controller_put_into_it() {
    let live = applied(None, json!({"size": "big", "ports": [{"port": 80}]}), "m").unwrap();
    let live = updated(&live, json!({"size": "big", "ports": [{"port": 80, "name": "web"}]}), "controller");
    let live = applied(Some(&live), json!({"size": "big"}), "m").unwrap();
    assert_eq!(live["spec"], json!({"size": "big", "ports": []}));
}

#[test]
fn merged_lists_follow_the_applied_order() {
    let check = |live: &[&str], config: &[&str], expected: &[&str]| {
        let live = created(json!({"zones": live}), "server");
        assert_eq!(applied(Some(&live), json!({"zones": config}), "m").unwrap()["spec"]["zones"], json!(expected));
    };
    check(&["a", "b", "c"], &["a", "c"], &["a", "b", "c"]);
    check(&["a", "b", "c"], &["c", "a"], &["b", "c", "a"]);
    check(&["a", "b"], &["b", "new", "a"], &["b", "new", "a"]);
    check(&["x", "a", "y"], &["new", "a"], &["x", "new", "a", "y"]);
    check(&[], &["b", "a"], &["b", "a"]);
}

#[test]
fn a_key_that_has_a_default_may_be_left_out() {
    let live = created(json!({"ports": [{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]}), "m");
    let live = applied(Some(&live), json!({"ports": [{"port": 53, "name": "dns"}]}), "ci").unwrap();
    assert_eq!(
        live["spec"]["ports"],
        json!([{"port": 53, "protocol": "TCP", "name": "dns"}, {"port": 53, "protocol": "UDP"}])
    );
}

#[test]
fn an_apply_that_changes_nothing_returns_the_live_object() {
    let spec = json!({"replicas": 3, "zones": ["a"], "ports": [{"port": 80}], "free": {"a": 1}});
    let live = applied(None, spec.clone(), "m").unwrap();
    let later = Manager { time: at(60), ..manager("m") };
    assert_eq!(apply(Some(&live), &config(spec), &schema(), &later, false).unwrap(), live);
}

#[test]
fn the_time_changes_only_for_the_applier_and_only_with_its_share_or_the_object() {
    let live = applied(None, json!({"replicas": 3}), "a").unwrap();
    let later = Manager { time: at(60), ..manager("b") };
    let live = apply(Some(&live), &config(json!({"replicas": 3})), &schema(), &later, false).unwrap();
    let times: Vec<_> =
        live["metadata"]["managedFields"].as_array().unwrap().iter().map(|entry| &entry["time"]).collect();
    assert_eq!(times, ["2023-11-14T22:13:20Z", "2023-11-14T22:14:20Z"]);
}

#[test]
fn an_object_without_owners_belongs_to_whoever_was_before_the_first_apply() {
    let live = config(json!({"replicas": 3, "size": "big"}));
    let applied = applied(Some(&live), json!({"size": "big"}), "m").unwrap();
    assert_eq!(
        owners(&applied),
        [
            ("m".into(), "Apply".into(), json!({"f:spec": {"f:size": {}}})),
            (
                "before-first-apply".into(),
                "Update".into(),
                json!({"f:spec": {".": {}, "f:replicas": {}, "f:size": {}}})
            ),
        ]
    );
}

#[test]
fn what_the_endpoint_cannot_write_is_neither_applied_nor_owned() {
    let main = Manager { reset: &["status"], ..manager("m") };
    let mut with_status = config(json!({"size": "big"}));
    with_status["status"] = json!({"phase": "Ready"});
    let live = apply(None, &with_status, &schema(), &main, false).unwrap();
    assert_eq!(live.get("status"), None);

    let status = Manager { subresource: Some("status"), reset: &["metadata", "spec"], ..manager("m") };
    with_status["spec"]["size"] = json!("small");
    let live = apply(Some(&live), &with_status, &schema(), &status, false).unwrap();
    assert_eq!((&live["spec"]["size"], &live["status"]), (&json!("big"), &json!({"phase": "Ready"})));
    let entries: Vec<_> = owners(&live).into_iter().map(|(.., fields)| fields).collect();
    assert_eq!(entries, [json!({"f:spec": {"f:size": {}}}), json!({"f:status": {"f:phase": {}}})]);
}

#[test]
fn a_creation_timestamp_of_null_asks_for_nothing() {
    let mut live = applied(None, json!({"size": "big"}), "m").unwrap();
    live["metadata"]["creationTimestamp"] = json!("2023-11-14T22:13:20Z");
    let mut config = config(json!({"size": "big"}));
    config["metadata"]["creationTimestamp"] = Value::Null;
    assert_eq!(apply(Some(&live), &config, &schema(), &manager("m"), false).unwrap(), live);
}

#[test]
fn ownership_inside_what_became_atomic_is_ownership_of_the_whole() {
    let live = applied(None, json!({"settings": {"a": "1"}}), "m").unwrap();
    let mut schema = schema();
    schema["properties"]["spec"]["properties"]["settings"]["x-kubernetes-map-type"] = json!("atomic");
    let live = apply(Some(&live), &config(json!({"settings": {"b": "2"}})), &schema, &manager("m"), false).unwrap();
    assert_eq!(live["spec"]["settings"], json!({"b": "2"}));
    assert_eq!(fields(&live, "m"), json!({"f:spec": {"f:settings": {}}}));
}

#[test]
fn builtin_schemas_may_say_merge_by_patch_strategy() {
    let schema = json!({"type": "object", "properties": {"subjects": {
        "type": "array",
        "x-kubernetes-patch-strategy": "merge",
        "x-kubernetes-patch-merge-key": "name",
        "items": {"type": "object", "properties": {"name": {"type": "string"}}},
    }}});
    let config = json!({
        "apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}, "subjects": [{"name": "a"}],
    });
    let created = apply(None, &config, &schema, &manager("m"), false).unwrap();
    assert_eq!(fields(&created, "m"), json!({"f:subjects": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}}}}));
}

#[test]
fn a_configuration_that_does_not_fit_is_refused_with_the_place() {
    let check = |spec: Value, expected: &str| {
        let error = applied(None, spec, "m").unwrap_err();
        let prefix = "failed to create typed patch object (/x; example.com/v1, Kind=Thing): ";
        assert_eq!((error.code(), error.to_string()), (400, format!("{prefix}{expected}")));
    };
    check(json!({"nope": 1}), ".spec.nope: field not declared in schema");
    check(json!({"ports": {}}), ".spec.ports: expected list, got {}");
    check(json!({"settings": "x"}), ".spec.settings: expected map, got \"x\"");
    check(json!({"zones": ["a", "a"]}), ".spec.zones: duplicate entries for key [=\"a\"]");
    check(
        json!({"ports": [{"port": 1, "x": 1}]}),
        ".spec.ports[port=1,protocol=\"TCP\"].x: field not declared in schema",
    );
    check(
        json!({"nope": 1, "zones": [null]}),
        "errors:\n  .spec.nope: field not declared in schema\n  \
         .spec.zones: element 0: associative list without keys has an element that's an explicit null",
    );
}

#[test]
fn a_configuration_that_is_not_for_this_object_is_refused() {
    let live = applied(None, json!({}), "m").unwrap();
    let check = |change: &dyn Fn(&mut Value), expected: &str| {
        let mut config = config(json!({}));
        change(&mut config);
        let error = apply(Some(&live), &config, &schema(), &manager("m"), false).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (400, expected));
    };
    check(&|config| config["metadata"]["managedFields"] = json!([]), "metadata.managedFields must be nil");
    check(&|config| config["apiVersion"] = json!("v2"), "invalid object type: /v2, Kind=Thing");
    check(&|config| config["kind"] = json!("Other"), "invalid object type: example.com/v1, Kind=Other");
}
