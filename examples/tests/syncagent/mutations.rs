//! What is rewritten on the way down and up: each kind of mutation in both directions.

use serde_json::{Value, json};

use super::{
    case::Case,
    object::{patch, patch_status},
    shared::{Shared, shared},
};

/// Sends `given` through mutations of the spec; the copy's spec has to become `expected`.
async fn down(shared: &'static Shared, name: &str, mutations: Value, given: Value, expected: Value) {
    let case = Case::new(shared, name).await;
    case.offer(json!({"mutation": {"spec": mutations}})).await;
    case.order("one", given.clone()).await;
    case.copy("one", |copy| copy.data["spec"] == expected).await;
    // The order itself stays as its owner wrote it.
    assert_eq!(case.orders().get("one").await.unwrap().data["spec"], given);
}

/// Sends `given` through mutations of the status; the order's status has to become `expected`.
async fn up(shared: &'static Shared, name: &str, mutations: Value, given: Value, expected: Value) {
    let case = Case::new(shared, name).await;
    case.offer(json!({"mutation": {"status": mutations}})).await;
    case.order("one", json!({})).await;
    let copy = case.copy("one", |_| true).await;
    patch_status(&case.beside(&copy), &copy.metadata.name.unwrap(), given).await;
    case.seen("one", |order| order.data["status"] == expected).await;
}

#[test]
fn a_field_of_the_spec_is_deleted_on_the_way_down() {
    shared(async |s| {
        down(s, "mdelete", json!([{"delete": {"path": "spec.a"}}]), json!({"a": 1, "b": 2}), json!({"b": 2})).await;
    });
}

#[test]
fn deleting_a_field_that_is_not_there_changes_nothing() {
    shared(async |s| {
        down(s, "mdeletenone", json!([{"delete": {"path": "spec.x.y"}}]), json!({"b": 2}), json!({"b": 2})).await;
    });
}

#[test]
fn a_field_of_the_spec_is_rewritten_by_regex_on_the_way_down() {
    shared(async |s| {
        let rewrite = json!([{"regex": {"path": "spec.a", "pattern": "^(\\w+)-(\\w+)$", "replacement": "$2.${1}"}}]);
        down(s, "mregex", rewrite, json!({"a": "left-right"}), json!({"a": "right.left"})).await;
    });
}

#[test]
fn a_regex_without_pattern_replaces_the_whole_value() {
    shared(async |s| {
        let rewrite = json!([{"regex": {"path": "spec.a", "replacement": "fixed"}}]);
        down(s, "mregexwhole", rewrite, json!({"a": "anything"}), json!({"a": "fixed"})).await;
    });
}

#[test]
fn a_field_of_the_spec_is_rendered_by_a_template_on_the_way_down() {
    shared(async |s| {
        let template = json!([{"template": {
            "path": "spec.a", "template": "{{ .Value.String | upper }}-{{ .LocalObject.metadata.name }}",
        }}]);
        down(s, "mtemplate", template, json!({"a": "x"}), json!({"a": "X-one"})).await;
    });
}

#[test]
fn what_a_template_renders_is_escaped_as_html() {
    shared(async |s| {
        let template = json!([{"template": {"path": "spec.a", "template": "{{ .Value.String }}"}}]);
        down(s, "mescape", template, json!({"a": "x&y"}), json!({"a": "x&amp;y"})).await;
    });
}

#[test]
fn a_field_of_the_spec_is_computed_by_cel_on_the_way_down() {
    shared(async |s| {
        let cel = json!([{"cel": {"path": "spec.a", "expression": "self.spec.b + '-' + value"}}]);
        down(s, "mcel", cel, json!({"a": "x", "b": "y"}), json!({"a": "y-x", "b": "y"})).await;
    });
}

#[test]
fn mutations_apply_one_after_the_other() {
    shared(async |s| {
        let mutations = json!([
            {"regex": {"path": "spec.a", "pattern": "a", "replacement": "b"}},
            {"regex": {"path": "spec.a", "pattern": "b", "replacement": "c"}},
            {"delete": {"path": "spec.z"}},
        ]);
        down(s, "morder", mutations, json!({"a": "aa", "z": 1}), json!({"a": "cc"})).await;
    });
}

#[test]
fn a_path_reaches_into_lists() {
    shared(async |s| {
        let rewrite = json!([{"regex": {"path": "spec.list.1.name", "pattern": "y", "replacement": "z"}}]);
        let given = json!({"list": [{"name": "x"}, {"name": "y"}]});
        down(s, "mlist", rewrite, given, json!({"list": [{"name": "x"}, {"name": "z"}]})).await;
    });
}

#[test]
fn a_field_of_the_status_is_deleted_on_the_way_up() {
    shared(async |s| {
        let mutations = json!([{"delete": {"path": "status.secret"}}]);
        up(s, "mupdelete", mutations, json!({"secret": 1, "phase": "x"}), json!({"phase": "x"})).await;
    });
}

#[test]
fn a_field_of_the_status_is_rewritten_by_regex_on_the_way_up() {
    shared(async |s| {
        let mutations = json!([{"regex": {"path": "status.phase", "pattern": "^In(.*)$", "replacement": "Out$1"}}]);
        up(s, "mupregex", mutations, json!({"phase": "Inside"}), json!({"phase": "Outside"})).await;
    });
}

#[test]
fn a_field_of_the_status_is_rendered_by_a_template_on_the_way_up() {
    shared(async |s| {
        let mutations = json!([{"template": {
            "path": "status.phase", "template": "{{ .RemoteObject.metadata.name }}:{{ .Value.String }}",
        }}]);
        up(s, "muptemplate", mutations, json!({"phase": "x"}), json!({"phase": "one:x"})).await;
    });
}

#[test]
fn a_field_of_the_status_is_computed_by_cel_on_the_way_up() {
    shared(async |s| {
        let mutations = json!([{"cel": {"path": "status.phase", "expression": "value == 'x' ? 'Ready' : 'Waiting'"}}]);
        up(s, "mupcel", mutations, json!({"phase": "x"}), json!({"phase": "Ready"})).await;
    });
}

#[test]
fn what_is_mutated_follows_later_edits() {
    shared(async |s| {
        let case = Case::new(s, "mlater").await;
        let mutation = json!([{"regex": {"path": "spec.a", "pattern": "^", "replacement": "x-"}}]);
        case.offer(json!({"mutation": {"spec": mutation}})).await;
        case.order("one", json!({"a": "1"})).await;
        case.copy("one", |copy| copy.data["spec"]["a"] == "x-1").await;
        patch(&case.orders(), "one", json!({"spec": {"a": "2"}})).await;
        case.copy("one", |copy| copy.data["spec"]["a"] == "x-2").await;
    });
}
