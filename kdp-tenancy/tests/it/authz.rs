//! Authorization as kcp evaluates it: gates, limits, suspension, revocation.
#![allow(clippy::needless_pass_by_value, reason = "tables of `json!` values read better without references")]

mod limits;
mod roles;
mod suspension;
mod watches;

use http::{Method, Request};
use kdp_core::{ControlPlane, Endpoint, Identity};
use kdp_tenancy::Embedded;
use kube::Client;
use serde_json::{Value, json};

use crate::support::{system, user, workspace};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

/// Sends a request; the code of the answer, and its body or message.
async fn send(client: &Client, method: Method, path: &str, body: &Value) -> (u16, Value) {
    send_with(client, method, path, &[], body).await
}

async fn send_with(
    client: &Client,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> (u16, Value) {
    let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let mut request = Request::builder().method(method).uri(path).header("content-type", kind);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    match client.request_text(request.body(body).unwrap()).await {
        Ok(text) => (200, serde_json::from_str(&text).unwrap_or(Value::String(text))),
        Err(kube::Error::Api(status)) => (status.code, Value::String(status.message.clone())),
        Err(other) => panic!("{path}: {other}"),
    }
}

async fn get(client: &Client, path: &str) -> (u16, Value) {
    send(client, Method::GET, path, &Value::Null).await
}

/// Creates an object, which must work.
async fn create(client: &Client, path: &str, body: Value) -> Value {
    let (code, answer) = send(client, Method::POST, path, &body).await;
    assert_eq!(code, 200, "{path}: {answer}");
    answer
}

async fn patch(client: &Client, path: &str, body: Value) -> (u16, Value) {
    send(client, Method::PATCH, path, &body).await
}

fn role(name: &str, rules: Value) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules})
}

fn bind(role: &str, kind: &str, subject: &str) -> Value {
    let name = format!("{role}-{subject}").replace(':', "-");
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": subject}]})
}

/// Grants `rules` to a user in the workspace of `client`.
async fn grant(client: &Client, name: &str, subject: &str, rules: Value) {
    create(client, &format!("{RBAC}/clusterroles"), role(name, rules)).await;
    create(client, &format!("{RBAC}/clusterrolebindings"), bind(name, "User", subject)).await;
}

/// Makes a user administrator of the workspace of `client`.
async fn make_admin(client: &Client, subject: &str) {
    create(client, &format!("{RBAC}/clusterrolebindings"), bind("cluster-admin", "User", subject)).await;
}

fn member(control_plane: &Embedded, path: &str, name: &str, groups: &[&str]) -> Client {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    let identity = Identity { username: name.into(), groups, ..Identity::default() };
    control_plane.client(&Endpoint::Workspace(path.parse().unwrap()), &identity).unwrap()
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default", "labels": {"test": "authz"}}})
}

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const LOGICAL_CLUSTER: &str = "/apis/core.kcp.io/v1alpha1/logicalclusters/cluster";

#[tokio::test]
async fn a_workspace_admits_only_members_of_the_groups_it_requires() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "a").await;
    let client = system(&control_plane, "root:a");
    make_admin(&client, "alice").await;
    create(
        &client,
        "/api/v1/namespaces/default/serviceaccounts",
        json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "robot"}}),
    )
    .await;
    let required = json!({"metadata": {"annotations": {"authorization.kcp.io/required-groups": "org,dev;auditors"}}});
    assert_eq!(patch(&client, LOGICAL_CLUSTER, required).await.0, 200);
    for (groups, expected) in
        [(&[][..], 403), (&["org"], 403), (&["org", "dev"], 200), (&["auditors"], 200), (&["org,dev"], 403)]
    {
        let alice = member(&control_plane, "root:a", "alice", groups);
        assert_eq!(get(&alice, CONFIG_MAPS).await.0, expected, "{groups:?}");
        let (code, review) = send(
            &alice,
            Method::POST,
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            &json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": {"verb": "list", "resource": "configmaps"}}}),
        )
        .await;
        assert_eq!(code, expected, "{review}");
    }
    let lift = json!({"metadata": {"annotations": {"authorization.kcp.io/required-groups": null}}});
    let alice = member(&control_plane, "root:a", "alice", &["auditors"]);
    assert_eq!(patch(&alice, LOGICAL_CLUSTER, lift.clone()).await.0, 403, "a tenant cannot lift it");
    assert_eq!(patch(&client, LOGICAL_CLUSTER, lift).await.0, 200);
    assert_eq!(get(&user(&control_plane, "root:a", "alice"), CONFIG_MAPS).await.0, 200);
}

#[tokio::test]
async fn a_phase_that_is_not_in_use_lets_nobody_in_and_lifecycle_groups_count_in_no_other() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "a").await;
    let client = system(&control_plane, "root:a");
    make_admin(&client, "alice").await;
    let alice = user(&control_plane, "root:a", "alice");
    let initializer = member(&control_plane, "root:a", "init", &["system:kcp:initializer:root:x"]);
    assert_eq!((get(&alice, CONFIG_MAPS).await.0, get(&initializer, CONFIG_MAPS).await.0), (200, 403));
    for (status, alices, initializers) in
        [(json!({"phase": "Unavailable"}), 403, 403), (json!({"phase": "Ready"}), 200, 403)]
    {
        let (code, answer) = patch(&client, &format!("{LOGICAL_CLUSTER}/status"), json!({"status": status})).await;
        assert_eq!(code, 200, "{answer}");
        let seen = (get(&alice, CONFIG_MAPS).await.0, get(&initializer, CONFIG_MAPS).await.0);
        assert_eq!(seen, (alices, initializers), "{status}");
    }
}

#[tokio::test]
async fn impersonation_gains_nothing_beyond_the_workspace() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for name in ["a", "b"] {
        workspace(&control_plane, "root", name).await;
        make_admin(&system(&control_plane, &format!("root:{name}")), &format!("admin-{name}")).await;
    }
    let admin = user(&control_plane, "root:a", "admin-a");
    let elsewhere = user(&control_plane, "root:b", "admin-a");
    let scopes = "impersonate-extra-authentication.kcp.io%2fscopes";
    let warrant = "impersonate-extra-authorization.kcp.io%2fwarrant";
    for headers in [
        &[("impersonate-user", "x"), ("impersonate-group", "system:masters")][..],
        &[("impersonate-user", "x"), ("impersonate-group", "system:kcp:admin")],
        &[("impersonate-user", "x"), ("impersonate-group", "system:kcp:initializer:root:x")],
        &[("impersonate-user", "x"), ("impersonate-group", "system:kcp:terminator:root:x")],
        &[("impersonate-user", "x"), (scopes, "cluster:root")],
        &[("impersonate-user", "x"), (warrant, r#"{"user":"admin-b","groups":["system:masters"]}"#)],
        &[("impersonate-user", "x"), ("impersonate-extra-authentication.kcp.io%2fcluster-name", "root")],
    ] {
        let (code, answer) = send_with(&admin, Method::GET, CONFIG_MAPS, headers, &Value::Null).await;
        assert_eq!(code, 403, "{headers:?}: {answer}");
    }
    let as_admin_b = &[("impersonate-user", "admin-b")];
    assert_eq!(send_with(&elsewhere, Method::GET, CONFIG_MAPS, as_admin_b, &Value::Null).await.0, 403);
    let own = send_with(
        &admin,
        Method::GET,
        CONFIG_MAPS,
        &[("impersonate-user", "admin-a"), ("impersonate-uid", "7")],
        &Value::Null,
    )
    .await;
    assert_eq!(own.0, 200, "a name of this workspace, and any uid, may be taken here");
}

#[tokio::test]
async fn a_user_made_up_in_one_workspace_cannot_bind_what_its_namesake_may() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for name in ["provider", "consumer"] {
        workspace(&control_plane, "root", name).await;
    }
    let provider = system(&control_plane, "root:provider");
    limits::publish(&provider, json!({})).await;
    grant(
        &provider,
        "binder",
        "alice",
        json!([{"apiGroups": ["apis.kcp.io"], "resources": ["apiexports"],
        "resourceNames": ["widgets"], "verbs": ["bind"]}]),
    )
    .await;
    make_admin(&system(&control_plane, "root:consumer"), "mallory").await;
    make_admin(&system(&control_plane, "root:consumer"), "alice").await;
    let bindings = "/apis/apis.kcp.io/v1alpha2/apibindings";
    let mallory = user(&control_plane, "root:consumer", "mallory");
    let as_alice = &[("impersonate-user", "alice")];
    let binding = limits::binding();
    assert_eq!(send_with(&mallory, Method::POST, bindings, as_alice, &binding).await.0, 403);
    assert_eq!(send(&user(&control_plane, "root:consumer", "alice"), Method::POST, bindings, &binding).await.0, 200);
}

#[tokio::test]
async fn a_warrant_counts_only_from_the_control_plane_itself() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "a").await;
    make_admin(&system(&control_plane, "root:a"), "admin").await;
    let mut bob = Identity { username: "bob".into(), ..Identity::default() };
    let at = Endpoint::Workspace("root:a".parse().unwrap());
    assert_eq!(get(&control_plane.client(&at, &bob).unwrap(), CONFIG_MAPS).await.0, 403);
    bob.extra.insert("authorization.kcp.io/warrant".into(), vec![json!({"user": "admin"}).to_string()]);
    assert_eq!(get(&control_plane.client(&at, &bob).unwrap(), CONFIG_MAPS).await.0, 200);
    assert!(control_plane.kubeconfig(&at, &bob).is_err(), "a certificate cannot carry one");
}

#[tokio::test]
async fn reviews_answer_as_the_request_itself_would_be_answered() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "a").await;
    let client = system(&control_plane, "root:a");
    make_admin(&client, "admin").await;
    create(&client, &format!("{RBAC}/clusterrolebindings"), bind("view", "User", "outside")).await;
    let robots = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "robots", "namespace": "default"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": "default"}]});
    create(&client, &format!("{RBAC}/namespaces/default/rolebindings"), robots).await;
    for (name, expected) in
        [("admin", true), ("outside", false), ("nobody", false), ("system:serviceaccount:default:robot", true)]
    {
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {"user": name,
            "resourceAttributes": {"verb": "list", "resource": "configmaps", "namespace": "default"}}});
        let answer = create(&client, "/apis/authorization.k8s.io/v1/subjectaccessreviews", review).await;
        assert_eq!(answer["status"]["allowed"], expected, "{name}");
        let as_name = &[("impersonate-user", name)];
        let (code, _) = send_with(&client, Method::GET, CONFIG_MAPS, as_name, &Value::Null).await;
        assert_eq!(code == 200, expected, "{name}");
    }
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": "default"}});
    let mut robot = Identity { username: "system:serviceaccount:default:robot".into(), ..Identity::default() };
    robot.extra.insert("authentication.kcp.io/cluster-name".into(), vec!["elsewhere".into()]);
    let at = Endpoint::Workspace("root:a".parse().unwrap());
    let foreign = control_plane.client(&at, &robot).unwrap();
    let rules = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    assert_eq!(send(&foreign, Method::POST, rules, &review).await.0, 403, "a robot of another workspace");
}

#[tokio::test]
async fn nobody_but_the_system_writes_what_bindings_and_exports_rest_on() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "a").await;
    let client = system(&control_plane, "root:a");
    make_admin(&client, "admin").await;
    limits::publish(&client, json!({})).await;
    workspace(&control_plane, "root:a", "child").await;
    let admin = user(&control_plane, "root:a", "admin");
    for (path, status) in [
        ("/apis/apis.kcp.io/v1alpha2/apiexports/widgets", json!({"identityHash": "0"})),
        ("/apis/tenancy.kcp.io/v1alpha1/workspaces/child", json!({"phase": "Ready"})),
    ] {
        assert_eq!(patch(&admin, &format!("{path}/status"), json!({"status": status})).await.0, 403, "{path}");
        assert_eq!(get(&admin, path).await.0, 200, "{path}");
    }
}
