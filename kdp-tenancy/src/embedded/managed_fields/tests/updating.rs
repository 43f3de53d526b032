use serde_json::json;

use super::*;

#[test]
fn a_create_owns_all_it_says() {
    let created = created(json!({"replicas": 3, "settings": {"a": "1"}, "ports": [{"port": 80}]}), "kubectl-create");
    assert_eq!(
        owners(&created),
        [(
            "kubectl-create".into(),
            "Update".into(),
            json!({"f:spec": {
                ".": {},
                "f:replicas": {},
                "f:settings": {".": {}, "f:a": {}},
                "f:ports": {".": {}, "k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}},
            }})
        )]
    );
}

#[test]
fn an_update_owns_what_it_changes_and_takes_it_from_the_others() {
    let old = created(json!({"replicas": 3, "size": "big"}), "a");
    let new = updated(&old, json!({"replicas": 4, "size": "big", "zones": ["x"]}), "b");
    assert_eq!(fields(&new, "a"), json!({"f:spec": {".": {}, "f:size": {}}}));
    assert_eq!(fields(&new, "b"), json!({"f:spec": {"f:replicas": {}, "f:zones": {".": {}, "v:\"x\"": {}}}}));
}

#[test]
fn a_removed_field_is_nobodys() {
    let old = created(json!({"replicas": 3, "size": "big"}), "a");
    let new = updated(&old, json!({"size": "big"}), "b");
    assert_eq!(owners(&new), [("a".into(), "Update".into(), json!({"f:spec": {".": {}, "f:size": {}}}))]);
}

#[test]
fn an_update_that_changes_nothing_leaves_owners_and_times() {
    let old = created(json!({"replicas": 3}), "a");
    let mut new = old.clone();
    track_update(Some(&old), &mut new, &schema(), &Manager { time: at(60), ..manager("a") });
    assert_eq!(new, old);
}

#[test]
fn the_time_is_that_of_the_last_change_by_the_manager() {
    let old = created(json!({"replicas": 3}), "a");
    let mut new = old.clone();
    new["spec"]["replicas"] = json!(4);
    track_update(Some(&old), &mut new, &schema(), &Manager { time: at(60), ..manager("a") });
    assert_eq!(new["metadata"]["managedFields"][0]["time"], "2023-11-14T22:14:20Z");
}

#[test]
fn one_manager_has_an_entry_for_each_operation_version_and_subresource() {
    let live = applied(None, json!({"size": "big"}), "m").unwrap();
    let live = updated(&live, json!({"size": "big", "replicas": 1}), "m");
    let mut new = live.clone();
    new["spec"]["zones"] = json!(["a"]);
    track_update(Some(&live), &mut new, &schema(), &Manager { api_version: "example.com/v2", ..manager("m") });
    let live = new;
    let mut new = live.clone();
    new["status"] = json!({"phase": "Ready"});
    let status = Manager { subresource: Some("status"), reset: &["metadata", "spec"], ..manager("m") };
    track_update(Some(&live), &mut new, &schema(), &status);
    let entries = new["metadata"]["managedFields"].as_array().unwrap();
    let ids = entries.iter().map(|entry| json!([entry["operation"], entry["apiVersion"], entry["subresource"]]));
    let ids: Vec<_> = ids.collect();
    assert_eq!(
        ids,
        [
            json!(["Apply", "example.com/v1", null]),
            json!(["Update", "example.com/v1", null]),
            json!(["Update", "example.com/v1", "status"]),
            json!(["Update", "example.com/v2", null]),
        ]
    );
}

#[test]
fn an_unnamed_manager_is_unknown() {
    assert_eq!(owners(&created(json!({}), ""))[0].0, "unknown");
}

#[test]
fn what_the_endpoint_cannot_write_does_not_change_hands() {
    let mut new = config(json!({"size": "big"}));
    new["status"] = json!({"phase": "Ready"});
    track_update(None, &mut new, &schema(), &Manager { reset: &["status"], ..manager("m") });
    assert_eq!(fields(&new, "m"), json!({"f:spec": {".": {}, "f:size": {}}}));
}

#[test]
fn an_empty_list_of_managed_fields_ends_the_tracking_until_the_next_apply() {
    for cleared in [json!([]), json!([{}])] {
        let old = created(json!({"size": "big"}), "a");
        let mut new = old.clone();
        new["metadata"]["managedFields"] = cleared;
        track_update(Some(&old), &mut new, &schema(), &manager("a"));
        assert_eq!(new["metadata"].get("managedFields"), None);

        let again = updated(&new, json!({"size": "small"}), "a");
        assert_eq!(again["metadata"].get("managedFields"), None);

        let applied = applied(Some(&again), json!({"size": "small"}), "m").unwrap();
        assert_eq!(owners(&applied).len(), 2);
    }
}

#[test]
fn a_request_may_state_who_owns_what_but_not_through_a_subresource() {
    let old = created(json!({"size": "big"}), "a");
    let mut new = old.clone();
    new["metadata"]["managedFields"][0]["manager"] = json!("renamed");
    let stated = new.clone();
    track_update(Some(&old), &mut new, &schema(), &manager("a"));
    assert_eq!(owners(&new)[0].0, "renamed");

    let mut new = stated;
    track_update(Some(&old), &mut new, &schema(), &Manager { subresource: Some("status"), ..manager("a") });
    assert_eq!(owners(&new)[0].0, "a");
}

#[test]
fn missing_or_malformed_managed_fields_do_not_lose_the_stored_ones() {
    let old = created(json!({"size": "big"}), "a");
    let check = |sent: Value| {
        let mut new = old.clone();
        new["metadata"]["managedFields"] = sent;
        track_update(Some(&old), &mut new, &schema(), &manager("b"));
        assert_eq!(new, old);
    };
    check(Value::Null);
    check(json!("x"));
    check(json!([{"manager": "b", "operation": "Dance", "apiVersion": "v1", "fieldsType": "FieldsV1"}]));
    check(json!([{"manager": "b", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV2"}]));
}

#[test]
fn the_oldest_of_too_many_updaters_are_merged() {
    let mut live = created(json!({"settings": {}}), "creator");
    for second in 1..=11_i64 {
        let mut new = live.clone();
        let name = format!("m{second:02}");
        new["spec"]["settings"][&name] = json!("x");
        track_update(Some(&live), &mut new, &schema(), &Manager { time: at(second), ..manager(&name) });
        live = new;
    }
    let names: Vec<_> = owners(&live).into_iter().map(|(name, ..)| name).collect();
    let expected = ["ancient-changes", "m03", "m04", "m05", "m06", "m07", "m08", "m09", "m10", "m11"];
    assert_eq!(names, expected);
    assert_eq!(
        fields(&live, "ancient-changes"),
        json!({"f:spec": {".": {}, "f:settings": {".": {}, "f:m01": {}, "f:m02": {}}}})
    );
    assert_eq!(live["metadata"]["managedFields"][0]["time"], "2023-11-14T22:13:22Z");
}

#[test]
fn stored_duplicates_are_owned_together() {
    let old = created(json!({"zones": ["a", "a"]}), "a");
    assert_eq!(fields(&old, "a"), json!({"f:spec": {".": {}, "f:zones": {".": {}, "v:\"a\"": {}}}}));
    let new = updated(&old, json!({"zones": ["a"]}), "b");
    assert_eq!(fields(&new, "b"), json!({"f:spec": {"f:zones": {"v:\"a\"": {}}}}));
    let live = applied(Some(&old), json!({"zones": ["b"]}), "m").unwrap();
    assert_eq!(live["spec"]["zones"], json!(["a", "a", "b"]));
}

#[test]
fn values_that_do_not_fit_the_schema_are_owned_as_they_are() {
    let old = created(json!({"settings": "text", "ports": [80]}), "a");
    assert_eq!(fields(&old, "a"), json!({"f:spec": {".": {}, "f:settings": {}, "f:ports": {}}}));
    let new = updated(&old, json!({"settings": {"a": "1"}, "ports": [{"port": 80}]}), "b");
    assert_eq!(fields(&new, "a"), json!({"f:spec": {}}));
}

#[test]
fn saying_a_field_that_is_not_kept_again_changes_only_the_time() {
    // As `stringData` of a Secret, which becomes `data` after ownership was settled.
    let say = |old: Option<&Value>, size: &str, second: i64| {
        let mut new = old.cloned().unwrap_or_else(|| config(json!({"replicas": 3})));
        new["spec"]["size"] = json!(size);
        track_update(old, &mut new, &schema(), &Manager { time: at(second), ..manager("a") });
        let said = new["spec"].as_object_mut().unwrap().remove("size").unwrap();
        new["spec"]["free"] = said;
        new
    };
    let old = say(None, "big", 0);
    let same = say(Some(&old), "big", 60);
    assert_ne!(same, old);
    assert!(is_unchanged(&old, &same));
    assert!(!is_unchanged(&old, &say(Some(&old), "small", 60)));
}

#[test]
fn another_owner_of_the_same_object_is_a_change() {
    let old = created(json!({"replicas": 3}), "a");
    let live = applied(Some(&old), json!({"replicas": 3}), "b").unwrap();
    assert_eq!(live["spec"], old["spec"]);
    assert!(!is_unchanged(&old, &live));
    let mut labelled = old.clone();
    labelled["metadata"]["labels"] = json!({"a": "b"});
    assert!(!is_unchanged(&old, &labelled));
}
