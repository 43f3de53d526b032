use serde_json::json;

use super::*;

fn causes(error: &StatusError) -> Vec<(String, String)> {
    let causes = error.status().details.clone().unwrap().causes.unwrap();
    assert!(causes.iter().all(|cause| cause.reason.as_deref() == Some("FieldManagerConflict")));
    causes.into_iter().map(|cause| (cause.message.unwrap(), cause.field.unwrap())).collect()
}

#[test]
fn one_conflict_is_told_in_one_line() {
    let live = created(json!({"size": "big"}), "kubectl-client-side-apply");
    let error = applied(Some(&live), json!({"size": "small"}), "m").unwrap_err();
    assert_eq!((error.code(), error.reason()), (409, "Conflict"));
    assert_eq!(
        error.to_string(),
        "Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using example.com/v1: .spec.size"
    );
    let cause = "conflict with \"kubectl-client-side-apply\" using example.com/v1";
    assert_eq!(causes(&error), [(cause.into(), ".spec.size".into())]);
}

#[test]
fn several_conflicts_are_listed_by_manager() {
    let live = applied(None, json!({"size": "big", "zones": ["a"]}), "b").unwrap();
    let live = updated(&live, json!({"size": "big", "zones": ["a"], "replicas": 1, "args": ["x"]}), "a");
    let error = applied(Some(&live), json!({"size": "small", "replicas": 2, "args": []}), "m").unwrap_err();
    assert_eq!(
        error.to_string(),
        "Apply failed with 3 conflicts: conflicts with \"a\" using example.com/v1:\n- .spec.args\n- .spec.replicas\n\
         conflicts with \"b\":\n- .spec.size"
    );
    assert_eq!(causes(&error).len(), 3);
}

#[test]
fn the_subresource_of_an_owner_is_named() {
    let mut old = created(json!({"replicas": 1}), "user");
    let scale = Manager { subresource: Some("scale"), ..manager("autoscaler") };
    let mut new = old.clone();
    new["spec"]["replicas"] = json!(5);
    track_update(Some(&old), &mut new, &schema(), &scale);
    old = new;
    let error = applied(Some(&old), json!({"replicas": 1}), "user").unwrap_err();
    assert_eq!(
        error.to_string(),
        "Apply failed with 1 conflict: conflict with \"autoscaler\" with subresource \"scale\" using example.com/v1: \
         .spec.replicas"
    );
}

#[test]
fn the_same_value_is_shared_and_no_conflict() {
    let live = applied(None, json!({"size": "big"}), "a").unwrap();
    let live = applied(Some(&live), json!({"size": "big"}), "b").unwrap();
    let owned = json!({"f:spec": {"f:size": {}}});
    assert_eq!((fields(&live, "a"), fields(&live, "b")), (owned.clone(), owned));
    // Then neither may change it alone.
    applied(Some(&live), json!({"size": "small"}), "a").unwrap_err();
}

#[test]
fn force_takes_the_field_from_the_others() {
    let live = applied(None, json!({"size": "big", "replicas": 1}), "a").unwrap();
    let live = forced(&live, json!({"size": "small"}), "b");
    assert_eq!(live["spec"], json!({"size": "small", "replicas": 1}));
    assert_eq!(fields(&live, "a"), json!({"f:spec": {"f:replicas": {}}}));
    assert_eq!(fields(&live, "b"), json!({"f:spec": {"f:size": {}}}));
}

#[test]
fn an_owner_left_with_nothing_is_no_longer_listed() {
    let live = applied(None, json!({"size": "big"}), "a").unwrap();
    let live = forced(&live, json!({"size": "small"}), "b");
    assert_eq!(owners(&live).len(), 1);
}

#[test]
fn atomic_values_conflict_as_a_whole_and_granular_ones_by_entry() {
    let check = |first: Value, second: Value, conflict: Option<&str>| {
        let live = applied(None, first, "a").unwrap();
        let outcome = applied(Some(&live), second, "b");
        let path = outcome.err().map(|error| causes(&error).remove(0).1);
        assert_eq!(path.as_deref(), conflict);
    };
    check(json!({"settings": {"a": "1"}}), json!({"settings": {"b": "1"}}), None);
    check(json!({"settings": {"a": "1"}}), json!({"settings": {"a": "2"}}), Some(".spec.settings.a"));
    check(json!({"selector": {"a": "1"}}), json!({"selector": {"b": "1"}}), Some(".spec.selector"));
    check(json!({"args": ["a"]}), json!({"args": ["b"]}), Some(".spec.args"));
    check(json!({"zones": ["a"]}), json!({"zones": ["b"]}), None);
    check(json!({"ports": [{"port": 80}]}), json!({"ports": [{"port": 81}]}), None);
    check(
        json!({"ports": [{"port": 80, "name": "a"}]}),
        json!({"ports": [{"port": 80, "name": "b"}]}),
        Some(r#".spec.ports[port=80,protocol="TCP"].name"#),
    );
    check(json!({"free": {"a": 1}}), json!({"free": {"a": {"b": 1}}}), Some(".spec.free.a"));
}
