#![allow(clippy::needless_pass_by_value, reason = "tables of `json!` values read better without references")]

use kdp_core::Identity;
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use super::*;
use crate::embedded::auth::{Attributes, Decision, ResourceAttributes};

mod escalation;
mod properties;

fn user(name: &str, groups: &[&str]) -> Identity {
    Identity {
        username: name.into(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..Identity::default()
    }
}

/// `verb group/resource[/subresource][:name][@namespace]`, or `verb /path`.
fn attributes(text: &str) -> Attributes<'_> {
    let (verb, target) = text.split_once(' ').unwrap();
    if target.starts_with('/') && !target.starts_with("//") {
        return Attributes::Path { verb, path: target };
    }
    let (target, namespace) = target.split_once('@').unwrap_or((target, ""));
    let (target, name) = target.split_once(':').unwrap_or((target, ""));
    let (group, resource) = target.split_once('/').unwrap();
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let group = if group == "core" { "" } else { group };
    Attributes::Resource(ResourceAttributes { verb, group, resource, subresource, name, namespace })
}

fn cluster_role(name: &str, labels: Value, rules: Value) -> Value {
    json!({ "kind": "ClusterRole", "metadata": { "name": name, "labels": labels }, "rules": rules })
}

fn aggregated(name: &str, labels: Value, selects: Value) -> Value {
    json!({
        "kind": "ClusterRole",
        "metadata": { "name": name, "labels": labels },
        "aggregationRule": { "clusterRoleSelectors": [{ "matchLabels": selects }] },
        "rules": [{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }],
    })
}

fn bind(kind: &str, namespace: Option<&str>, role_kind: &str, role: &str, subjects: Value) -> Value {
    json!({
        "kind": kind,
        "metadata": { "name": format!("{role}-binding"), "namespace": namespace },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role },
        "subjects": subjects,
    })
}

fn bind_user(role: &str, name: &str) -> Value {
    bind("ClusterRoleBinding", None, "ClusterRole", role, json!([{ "kind": "User", "name": name }]))
}

#[test]
fn a_rule_allows_exactly_what_it_names() {
    let check = |rule: &Rule, asked: &str, expected: bool| {
        assert_eq!(rule.allows(&attributes(asked)), expected, "{rule} {asked}");
    };
    let pods = Rule::resources(&["get", "list"], &[""], &["pods", "pods/log", "*/scale"]);
    check(&pods, "get core/pods", true);
    check(&pods, "get core/pods:web@default", true);
    check(&pods, "watch core/pods", false);
    check(&pods, "get apps/pods", false);
    check(&pods, "get core/pods/log:web", true);
    check(&pods, "get core/pods/exec:web", false);
    check(&pods, "get core/anything/scale", true);
    check(&pods, "get core/scale", false);
    check(&pods, "get core/services", false);
    check(&pods, "get /pods", false);

    let named = Rule::resources(&["*"], &["*"], &["configmaps"]).with_names(&["a", "b"]);
    check(&named, "delete core/configmaps:a", true);
    check(&named, "get other.example.com/configmaps:b", true);
    check(&named, "get core/configmaps:c", false);
    check(&named, "list core/configmaps", false);
    check(&named, "create core/configmaps", false);

    let all = Rule::resources(&["*"], &["*"], &["*"]);
    check(&all, "escalate rbac.authorization.k8s.io/roles:x", true);
    check(&all, "get core/pods/log", true);
    check(&all, "get /version", false);

    let paths = Rule::paths(&["get"], &["/version", "/apis/*", "/logs*"]);
    check(&paths, "get /version", true);
    check(&paths, "get /version/", false);
    check(&paths, "get /apis", false);
    check(&paths, "get /apis/", true);
    check(&paths, "get /apis/apps/v1", true);
    check(&paths, "get /logs-of-yesterday", true);
    check(&paths, "post /version", false);
    check(&Rule::paths(&["*"], &["*"]), "get /", true);
    check(&Rule::paths(&["get"], &["/a*b"]), "get /axb", false);
}

#[test]
fn every_kind_of_subject_is_recognised() {
    let subjects = json!([
        { "kind": "User", "name": "alice" },
        { "kind": "Group", "name": "devs" },
        { "kind": "ServiceAccount", "name": "here" },
        { "kind": "ServiceAccount", "name": "there", "namespace": "other" },
        { "kind": "Planet", "name": "mars" },
    ]);
    let policy = Policy::from_objects(&[bind("RoleBinding", Some("team"), "ClusterRole", "view", subjects)]);
    let check = |identity: Identity, expected: bool| {
        let decision = policy.decide(&identity, &attributes("list core/configmaps@team"));
        assert_eq!(decision.is_allowed(), expected, "{identity:?}");
    };
    check(user("alice", &[]), true);
    check(user("bob", &["devs"]), true);
    check(user("devs", &[]), false);
    check(user("bob", &["alice"]), false);
    check(user("system:serviceaccount:team:here", &[]), true);
    check(user("system:serviceaccount:other:here", &[]), false);
    check(user("system:serviceaccount:other:there", &[]), true);
    check(user("system:serviceaccount:team:there", &[]), false);
    check(user("system:serviceaccount:team:here:extra", &[]), false);
    check(user("mars", &["mars"]), false);
    check(Identity::default(), false);
}

#[test]
fn a_binding_in_a_namespace_counts_in_that_namespace_only() {
    let policy = Policy::from_objects(&[
        json!({
            "kind": "Role",
            "metadata": { "name": "reader", "namespace": "a" },
            "rules": [{ "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"] }],
        }),
        bind("RoleBinding", Some("a"), "Role", "reader", json!([{ "kind": "User", "name": "u" }])),
        bind("RoleBinding", Some("b"), "ClusterRole", "cluster-admin", json!([{ "kind": "User", "name": "u" }])),
    ]);
    let check = |asked: &str, expected: bool| {
        assert_eq!(policy.decide(&user("u", &[]), &attributes(asked)).is_allowed(), expected, "{asked}");
    };
    check("get core/secrets:x@a", true);
    check("list core/secrets@a", false);
    check("get core/secrets:x@b", true);
    check("get core/secrets:x@c", false);
    check("list core/secrets", false);
    check("get /version", false);
    check("access /", false);
}

#[test]
fn the_reason_says_which_binding_allowed_it() {
    let policy = Policy::from_objects(&[
        bind_user("view", "alice"),
        bind("RoleBinding", Some("ns"), "ClusterRole", "edit", json!([{ "kind": "ServiceAccount", "name": "sa" }])),
        bind_user("no-such-role", "bob"),
    ]);
    let check = |name: &str, asked: &str, expected: Decision| {
        assert_eq!(policy.decide(&user(name, &[]), &attributes(asked)), expected);
    };
    let allow = |text: &str| Decision::Allow(text.into());
    check(
        "alice",
        "get core/configmaps",
        allow("RBAC: allowed by ClusterRoleBinding \"view-binding\" of ClusterRole \"view\" to User \"alice\""),
    );
    check(
        "system:serviceaccount:ns:sa",
        "get core/secrets@ns",
        allow("RBAC: allowed by RoleBinding \"edit-binding/ns\" of ClusterRole \"edit\" to ServiceAccount \"sa/ns\""),
    );
    check("carol", "get core/secrets", Decision::NoOpinion(String::new()));
    check(
        "bob",
        "get core/secrets",
        Decision::NoOpinion("RBAC: clusterrole.rbac.authorization.k8s.io \"no-such-role\" not found".into()),
    );
}

#[test]
fn aggregated_roles_take_in_labelled_roles_and_nothing_of_their_own() {
    let to_view = json!({ "rbac.authorization.k8s.io/aggregate-to-view": "true" });
    let databases = json!([{ "apiGroups": ["example.com"], "resources": ["databases"], "verbs": ["get"] }]);
    let policy = Policy::from_objects(&[
        cluster_role("databases-view", to_view, databases),
        aggregated("outer", json!({ "ring": "a" }), json!({ "ring": "b" })),
        aggregated("inner", json!({ "ring": "b" }), json!({ "ring": "a" })),
        cluster_role(
            "leaf",
            json!({ "ring": "b" }),
            json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] }]),
        ),
        bind_user("view", "viewer"),
        bind_user("edit", "editor"),
        bind_user("admin", "admin"),
        bind_user("outer", "circle"),
    ]);
    let check = |name: &str, asked: &str, expected: bool| {
        assert_eq!(policy.decide(&user(name, &[]), &attributes(asked)).is_allowed(), expected, "{name} {asked}");
    };
    for name in ["viewer", "editor", "admin"] {
        check(name, "get example.com/databases:x", true);
        check(name, "list core/configmaps", true);
        check(name, "delete example.com/databases:x", false);
    }
    check("viewer", "get core/secrets:x", false);
    check("viewer", "create core/configmaps", false);
    check("editor", "get core/secrets:x", true);
    check("editor", "create rbac.authorization.k8s.io/roles", false);
    check("admin", "create rbac.authorization.k8s.io/roles", true);
    check("circle", "get core/pods:x", true);
    check("circle", "get core/secrets:x", false);
}

#[test]
fn a_stored_role_cannot_stand_in_for_one_that_every_workspace_has() {
    let everything = json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }]);
    let policy = Policy::from_objects(&[
        cluster_role("system:discovery", json!({}), everything.clone()),
        cluster_role("view", json!({}), everything),
        bind_user("view", "viewer"),
    ]);
    assert!(!policy.decide(&user("viewer", &["system:authenticated"]), &attributes("get core/secrets:x")).is_allowed());
}

#[test]
fn objects_that_cannot_be_parsed_grant_nothing_and_spoil_nothing() {
    let policy = Policy::from_objects(&[
        json!({ "kind": "ClusterRoleBinding", "metadata": { "name": "x" }, "roleRef": 7, "subjects": "all" }),
        json!({ "kind": "ClusterRole", "metadata": { "name": "y" }, "rules": { "verbs": ["*"] } }),
        json!({ "kind": "ConfigMap", "metadata": { "name": "z" } }),
        json!(null),
        cluster_role("empty", json!(null), json!(null)),
        bind_user("view", "viewer"),
    ]);
    assert!(policy.decide(&user("viewer", &[]), &attributes("get core/configmaps:x")).is_allowed());
}

#[test]
fn the_built_in_objects_are_well_formed() {
    let mut policy = Policy::default();
    for object in bootstrap::bootstrap_objects() {
        policy.insert(object).unwrap();
    }
    assert!(bootstrap::is_bootstrap("ClusterRole", "view"));
    assert!(!bootstrap::is_bootstrap("ClusterRoleBinding", "view"));
    assert!(!bootstrap::is_bootstrap("ClusterRole", "databases-view"));
}

#[test]
fn rules_for_an_identity_are_those_of_its_bindings() {
    let policy = Policy::from_objects(&[
        bind_user("system:kcp:workspace:access", "u"),
        bind("RoleBinding", Some("a"), "Role", "gone", json!([{ "kind": "User", "name": "u" }])),
    ]);
    let (rules, problems) = policy.rules_for(&user("u", &[]), "a");
    assert_eq!(rules, [Rule::paths(&["access"], &["/"])]);
    assert_eq!(problems, ["role.rbac.authorization.k8s.io \"gone\" not found"]);
    assert_eq!(policy.rules_for(&user("u", &[]), "").1, Vec::<String>::new());
}
