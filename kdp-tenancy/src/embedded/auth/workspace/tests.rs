#![allow(clippy::needless_pass_by_value, reason = "tables of `json!` values read better without references")]

use kdp_core::{Identity, LogicalClusterName};
use serde_json::{Value, json};

use super::*;
use crate::embedded::auth::ResourceAttributes;

const SECRETS: Attributes<'static> = Attributes::Resource(ResourceAttributes {
    verb: "list",
    group: "",
    resource: "secrets",
    subresource: "",
    name: "",
    namespace: "default",
});

fn cluster(name: &str) -> LogicalClusterName {
    name.parse().unwrap()
}

fn user(name: &str, groups: &[&str]) -> Identity {
    let groups = groups.iter().chain(&["system:authenticated"]).map(|group| (*group).to_owned()).collect();
    Identity { username: name.into(), groups, ..Identity::default() }
}

fn service_account(home: Option<&str>) -> Identity {
    let mut identity = user("system:serviceaccount:default:robot", &["system:serviceaccounts"]);
    if let Some(home) = home {
        identity.extra.insert(scope::HOME.into(), vec![home.into()]);
    }
    identity
}

fn bind(role: &str, subject: Value) -> Value {
    json!({
        "kind": "ClusterRoleBinding",
        "metadata": { "name": format!("{role}-{}", subject["name"].as_str().unwrap()) },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
        "subjects": [subject],
    })
}

fn bind_user(role: &str, name: &str) -> Value {
    bind(role, json!({ "kind": "User", "name": name }))
}

fn policy() -> Policy {
    Policy::from_objects(&[
        bind_user("cluster-admin", "admin"),
        bind_user("view", "locked-out"),
        bind_user("system:kcp:workspace:access", "visitor"),
        bind("edit", json!({ "kind": "ServiceAccount", "name": "robot", "namespace": "default" })),
        json!({
            "kind": "ClusterRole",
            "metadata": { "name": "impersonator" },
            "rules": [{ "apiGroups": [""], "resources": ["users"], "resourceNames": ["bob"], "verbs": ["impersonate"] }],
        }),
        bind_user("impersonator", "visitor"),
    ])
}

fn impersonation(pairs: &[(&'static str, &str)]) -> Impersonation {
    let mut headers = http::HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().unwrap());
    }
    Impersonation::parse(&headers).unwrap().unwrap()
}

#[test]
fn who_is_not_let_in_gets_one_answer_whether_or_not_the_workspace_exists() {
    let (name, policy) = (cluster("abc"), policy());
    let expected = "secrets is forbidden: User \"mallory\" cannot list resource \"secrets\" in API group \"\" in the namespace \
         \"default\": access denied";
    for policy in [None, Some(&policy)] {
        let error = WorkspaceAuthorizer::new(&name, policy).authorize(&user("mallory", &[]), &SECRETS).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (403, expected));
    }
}

#[test]
fn a_role_is_worth_nothing_without_access_to_the_workspace() {
    let (name, policy) = (cluster("abc"), policy());
    let authorizer = WorkspaceAuthorizer::new(&name, Some(&policy));
    let get = |path| Attributes::Path { verb: "get", path };
    let check = |identity: Identity, attributes: Attributes<'_>, expected: bool| {
        let decision = authorizer.decide(&identity, &attributes);
        assert_eq!(decision.is_allowed(), expected, "{} {attributes:?}: {decision:?}", identity.username);
    };
    check(user("admin", &[]), SECRETS, true);
    check(user("admin", &[]), get("/version"), true);
    check(user("visitor", &[]), SECRETS, false);
    check(user("visitor", &[]), get("/version"), true);
    check(user("locked-out", &[]), get("/version"), false);
    check(user("anyone", &["system:masters"]), SECRETS, true);
    check(user("anyone", &["system:kcp:admin"]), SECRETS, true);
    check(Identity { username: "system:anonymous".into(), ..Identity::default() }, get("/version"), false);
}

#[test]
fn masters_pass_to_workspaces_that_do_not_exist() {
    let name = cluster("gone");
    assert!(WorkspaceAuthorizer::new(&name, None).decide(&Identity::system_masters(), &SECRETS).is_allowed());
}

#[test]
fn a_service_account_counts_in_its_own_workspace_only() {
    let (name, policy) = (cluster("abc"), policy());
    let authorizer = WorkspaceAuthorizer::new(&name, Some(&policy));
    let check = |home, expected| {
        assert_eq!(authorizer.decide(&service_account(home), &SECRETS).is_allowed(), expected, "{home:?}");
    };
    check(Some("abc"), true);
    check(Some("other"), false);
    check(None, false);
}

#[test]
fn a_foreign_service_account_can_be_granted_rights_by_its_full_name() {
    let name = cluster("abc");
    let policy = Policy::from_objects(&[bind_user("cluster-admin", "system:kcp:serviceaccount:home:default:robot")]);
    let authorizer = WorkspaceAuthorizer::new(&name, Some(&policy));
    assert!(authorizer.decide(&service_account(Some("home")), &SECRETS).is_allowed());
    assert!(!authorizer.decide(&service_account(Some("elsewhere")), &SECRETS).is_allowed());
}

#[test]
fn impersonation_needs_the_right_to_it() {
    let (name, policy) = (cluster("abc"), policy());
    let authorizer = WorkspaceAuthorizer::new(&name, Some(&policy));
    let check = |requestor: &str, pairs: &[(&'static str, &str)], expected: Result<&str, &str>| {
        let outcome = authorizer.impersonate(&user(requestor, &[]), impersonation(pairs));
        let outcome = outcome.map(|identity| identity.username).map_err(|error| error.to_string());
        assert_eq!(outcome, expected.map(str::to_owned).map_err(str::to_owned), "{requestor} {pairs:?}");
    };
    check("admin", &[("impersonate-user", "bob"), ("impersonate-group", "devs")], Ok("bob"));
    check("visitor", &[("impersonate-user", "bob")], Ok("bob"));
    check(
        "visitor",
        &[("impersonate-user", "alice")],
        Err("users \"alice\" is forbidden: User \"visitor\" cannot impersonate resource \"users\" in API group \"\" \
             at the cluster scope"),
    );
    check(
        "visitor",
        &[("impersonate-user", "bob"), ("impersonate-group", "devs")],
        Err("groups \"devs\" is forbidden: User \"visitor\" cannot impersonate resource \"groups\" in API group \"\" \
             at the cluster scope"),
    );
    check(
        "mallory",
        &[("impersonate-user", "bob")],
        Err("users \"bob\" is forbidden: User \"mallory\" cannot impersonate resource \"users\" in API group \"\" at \
             the cluster scope: access denied"),
    );
}

#[test]
fn nobody_gains_power_beyond_the_workspace_by_impersonation() {
    let (name, policy) = (cluster("abc"), policy());
    let authorizer = WorkspaceAuthorizer::new(&name, Some(&policy));
    let refused = |pairs: &[(&'static str, &str)]| {
        let error = authorizer.impersonate(&user("admin", &[]), impersonation(pairs)).unwrap_err();
        assert_eq!(error.code(), 403, "{pairs:?}");
    };
    refused(&[("impersonate-user", "bob"), ("impersonate-group", "system:masters")]);
    refused(&[("impersonate-user", "bob"), ("impersonate-group", "system:kcp:admin")]);
    refused(&[("impersonate-user", "bob"), ("impersonate-group", "system:kcp:logical-cluster-admin")]);
    refused(&[("impersonate-user", "bob"), ("impersonate-extra-authentication.kcp.io%2fscopes", "cluster:root")]);
    refused(&[("impersonate-user", "bob"), ("impersonate-extra-authorization.kcp.io%2fwarrant", "{}")]);

    let master = user("root", &["system:masters"]);
    let pairs = [("impersonate-user", "bob"), ("impersonate-group", "system:masters")];
    assert!(authorizer.impersonate(&master, impersonation(&pairs)).is_ok());
}

#[test]
fn an_impersonated_user_has_no_rights_in_other_workspaces() {
    let (here, there) = (cluster("abc"), cluster("xyz"));
    let (policy, other) = (policy(), Policy::from_objects(&[bind_user("cluster-admin", "bob")]));
    let bob = WorkspaceAuthorizer::new(&here, Some(&policy))
        .impersonate(&user("admin", &[]), impersonation(&[("impersonate-user", "bob")]))
        .unwrap();
    assert!(!WorkspaceAuthorizer::new(&there, Some(&other)).decide(&bob, &SECRETS).is_allowed());
    assert!(WorkspaceAuthorizer::new(&there, Some(&other)).decide(&user("bob", &[]), &SECRETS).is_allowed());
}

#[test]
fn in_a_suspended_workspace_masters_only_look_and_strangers_learn_nothing() {
    let (name, policy) = (cluster("abc"), policy());
    let object =
        json!({"metadata": {"annotations": {"core.kcp.io/inactive": "true"}}, "status": {"phase": "Inactive"}});
    let gate = Gate::read(object.to_string().as_bytes());
    let authorizer = WorkspaceAuthorizer::new(&name, Some(&policy)).with_gate(gate.as_ref());
    let reason = |identity: &Identity| match authorizer.decide(identity, &SECRETS) {
        Decision::NoOpinion(reason) => reason,
        Decision::Allow(reason) => panic!("allowed: {reason}"),
    };
    assert!(authorizer.decide(&Identity::system_masters(), &SECRETS).is_allowed());
    for verb in ["watch", "create", "delete"] {
        let attributes = ResourceAttributes { verb, resource: "secrets", ..ResourceAttributes::default() };
        assert!(
            !authorizer.decide(&Identity::system_masters(), &Attributes::Resource(attributes)).is_allowed(),
            "{verb}"
        );
    }
    assert_eq!(reason(&user("admin", &[])), "the logical cluster is marked inactive");
    assert_eq!(reason(&user("mallory", &[])), "access denied");
}

#[test]
fn who_is_not_let_in_has_no_rules() {
    let (name, policy) = (cluster("abc"), policy());
    let authorizer = WorkspaceAuthorizer::new(&name, Some(&policy));
    assert!(authorizer.rules_for(&user("locked-out", &[]), "default").0.is_empty());
    assert!(!authorizer.rules_for(&user("visitor", &[]), "default").0.is_empty());
}
