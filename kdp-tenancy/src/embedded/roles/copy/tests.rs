#![allow(clippy::needless_pass_by_value, reason = "tables of `json!` values read better without references")]

use super::*;

fn cluster() -> LogicalClusterName {
    "parent".parse().unwrap()
}

fn role(annotations: Value) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "r", "uid": "1", "annotations": annotations, "labels": {"a": "b"}, "finalizers": ["f"]},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]})
}

#[test]
fn a_copy_is_marked_and_takes_nothing_along_that_belongs_to_its_place() {
    let source = role(json!({"kdp.k8c.io/sync-to-workspaces": "*", "kcp.io/cluster": "parent", "core.kcp.io/x": "y",
        "note": "kept", "notkcp.io/x": "kept"}));
    let copy = copy_of(&source, &cluster());
    assert_eq!(
        copy,
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "r", "labels": {"a": "b"},
                "annotations": {"kdp.k8c.io/synced-from": "parent", "note": "kept", "notkcp.io/x": "kept"}},
            "rules": source["rules"]})
    );
    assert_eq!(Mark::of_object(&source), Mark::Source);
    assert_eq!(Mark::of_object(&copy), Mark::CopyOf(cluster()));
}

#[test]
fn a_service_account_is_no_namesake_below() {
    let binding = json!({"kind": "ClusterRoleBinding", "metadata": {"name": "b"}, "roleRef": {"name": "r"}, "subjects": [
        {"kind": "ServiceAccount", "namespace": "default", "name": "robot"}, {"kind": "User", "name": "alice"}]});
    let subjects = &copy_of(&binding, &cluster())["subjects"];
    assert_eq!(subjects[0]["name"], "system:kcp:serviceaccount:parent:default:robot");
    assert_eq!((&subjects[0]["kind"], &subjects[1]), (&json!("User"), &binding["subjects"][1]));
}

#[test]
fn aggregated_rules_are_worked_out_where_the_copy_is() {
    let mut source = role(json!({}));
    source["aggregationRule"] = json!({"clusterRoleSelectors": []});
    let copy = copy_of(&source, &cluster());
    assert!(copy.get("rules").is_none());
    let mut present = copy.clone();
    present["rules"] = source["rules"].clone();
    assert_eq!(change(Some(copy), Some(&present)), Change::Nothing);
}

#[test]
fn what_is_there_is_made_what_should_be() {
    let wanted = copy_of(&role(json!({})), &cluster());
    let own = role(json!({}));
    let check = |wanted: Option<&Value>, present: Option<&Value>, expected: Change| {
        assert_eq!(change(wanted.cloned(), present), expected);
    };
    check(None, None, Change::Nothing);
    check(None, Some(&own), Change::Nothing);
    check(None, Some(&wanted), Change::Remove);
    check(Some(&wanted), None, Change::Create(wanted.clone()));
    check(Some(&wanted), Some(&wanted), Change::Nothing);
    let Change::Replace(replaced) = change(Some(wanted.clone()), Some(&own)) else { panic!("it is overwritten") };
    assert_eq!((&replaced["metadata"]["uid"], &replaced["rules"]), (&json!("1"), &wanted["rules"]));
    let mut going = own.clone();
    going["metadata"]["deletionTimestamp"] = "now".into();
    check(Some(&wanted), Some(&going), Change::Nothing);
}
