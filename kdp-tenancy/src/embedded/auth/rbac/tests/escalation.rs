use super::*;

fn policy() -> Policy {
    Policy::from_objects(&[
        bind_user("cluster-admin", "admin"),
        bind("RoleBinding", Some("team"), "ClusterRole", "admin", json!([{ "kind": "User", "name": "lead" }])),
        cluster_role(
            "role-writer",
            json!({}),
            json!([
                { "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["*"], "verbs": ["create", "update"] },
                { "apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"] },
            ]),
        ),
        bind_user("role-writer", "writer"),
        cluster_role(
            "trusted",
            json!({}),
            json!([
                {
                    "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"],
                    "resourceNames": ["special"], "verbs": ["escalate"],
                },
                {
                    "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"],
                    "resourceNames": ["cluster-admin"], "verbs": ["bind"],
                },
            ]),
        ),
        bind_user("trusted", "trusted"),
    ])
}

fn role(kind: &str, name: &str, namespace: Option<&str>, rules: Value) -> Value {
    json!({ "kind": kind, "metadata": { "name": name, "namespace": namespace.unwrap_or_default() }, "rules": rules })
}

fn check_role(identity: &Identity, role: &Value, expected: Result<(), &str>) {
    let outcome = policy().check_role(identity, role).map_err(|error| error.to_string());
    assert_eq!(outcome, expected.map_err(str::to_owned), "{role}");
}

fn check_binding(identity: &Identity, binding: &Value, expected: Result<(), u16>) {
    let outcome = policy().check_binding(identity, binding).map_err(|error| error.code());
    assert_eq!(outcome, expected, "{binding}");
}

#[test]
fn a_role_may_hold_no_more_than_its_writer() {
    let pods = json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] }]);
    let secrets = json!([{ "apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["list", "get"] }]);
    check_role(&user("writer", &[]), &role("ClusterRole", "r", None, pods), Ok(()));
    check_role(
        &user("writer", &["a", "b"]),
        &role("ClusterRole", "r", None, secrets.clone()),
        Err("clusterroles.rbac.authorization.k8s.io \"r\" is forbidden: user \"writer\" (groups=[\"a\" \"b\"]) is \
             attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"secrets\"], \
             Verbs:[\"get\" \"list\"]}"),
    );
    check_role(&user("admin", &[]), &role("ClusterRole", "r", None, secrets.clone()), Ok(()));
    check_role(&user("anybody", &["system:masters"]), &role("ClusterRole", "r", None, secrets), Ok(()));
}

#[test]
fn the_verb_escalate_lifts_the_bound_for_the_role_it_names() {
    let everything = json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }]);
    check_role(&user("trusted", &[]), &role("ClusterRole", "special", None, everything.clone()), Ok(()));
    assert!(policy().check_role(&user("trusted", &[]), &role("ClusterRole", "other", None, everything)).is_err());
}

#[test]
fn rights_in_a_namespace_do_not_reach_beyond_it() {
    let secrets = json!([{ "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"] }]);
    let lead = user("lead", &[]);
    check_role(&lead, &role("Role", "r", Some("team"), secrets.clone()), Ok(()));
    assert!(policy().check_role(&lead, &role("Role", "r", Some("elsewhere"), secrets.clone())).is_err());
    // A namespace written into an object at the cluster scope must not count.
    assert!(policy().check_role(&lead, &role("ClusterRole", "r", Some("team"), secrets)).is_err());
    let subjects = json!([{ "kind": "User", "name": "x" }]);
    check_binding(&lead, &bind("RoleBinding", Some("team"), "ClusterRole", "edit", subjects.clone()), Ok(()));
    check_binding(&lead, &bind("RoleBinding", Some("other"), "ClusterRole", "edit", subjects.clone()), Err(403));
    check_binding(&lead, &bind("ClusterRoleBinding", Some("team"), "ClusterRole", "edit", subjects), Err(403));
}

#[test]
fn an_aggregating_role_needs_every_right() {
    let role = aggregated("r", json!({}), json!({ "x": "y" }));
    let mut empty = role.clone();
    empty["rules"] = json!([]);
    check_role(
        &user("writer", &[]),
        &empty,
        Err(
            "clusterroles.rbac.authorization.k8s.io \"r\" is forbidden: must have cluster-admin privileges to use the \
             aggregationRule",
        ),
    );
    check_role(&user("admin", &[]), &role, Ok(()));
}

#[test]
fn a_binding_may_give_no_more_than_its_writer_has() {
    let bind = |role_kind: &str, role: &str| {
        bind("ClusterRoleBinding", None, role_kind, role, json!([{ "kind": "User", "name": "x" }]))
    };
    check_binding(&user("writer", &[]), &bind("ClusterRole", "role-writer"), Ok(()));
    check_binding(&user("writer", &[]), &bind("ClusterRole", "cluster-admin"), Err(403));
    check_binding(&user("writer", &[]), &bind("ClusterRole", "no-such-role"), Err(404));
    check_binding(&user("writer", &[]), &bind("Role", "role-writer"), Err(404));
    check_binding(&user("trusted", &[]), &bind("ClusterRole", "cluster-admin"), Ok(()));
    check_binding(&user("trusted", &[]), &bind("ClusterRole", "edit"), Err(403));
    check_binding(&user("admin", &[]), &bind("ClusterRole", "cluster-admin"), Ok(()));
}

#[test]
fn objects_of_another_kind_are_refused() {
    for object in [json!({ "kind": "Secret", "metadata": {} }), json!({ "kind": "Role", "metadata": {} }), json!(1)] {
        assert_eq!(policy().check_role(&user("writer", &[]), &object).unwrap_err().code(), 400, "{object}");
        assert_eq!(policy().check_binding(&user("writer", &[]), &object).unwrap_err().code(), 400, "{object}");
    }
}
