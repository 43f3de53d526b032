//! Types of workspaces, and the stages of a workspace's life.

use std::time::Duration;

use http::{Method, Request};
use kdp_core::{
    ControlPlane, Endpoint, Identity, LogicalClusterName,
    api::{
        core::LogicalCluster,
        tenancy::{Workspace, WorkspaceSpec, WorkspaceType, WorkspaceTypeReference},
    },
};
use kdp_tenancy::{Embedded, EmbeddedOptions};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::support::{dynamic, eventually, names, object, refusal, system, user, workspace};

const RBAC: &str = "rbac.authorization.k8s.io";

fn typed(name: &str, type_: &str, path: &str) -> Workspace {
    let path = (!path.is_empty()).then(|| path.to_owned());
    let type_ = Some(WorkspaceTypeReference { name: type_.into(), path });
    Workspace::new(name, WorkspaceSpec { type_, ..WorkspaceSpec::default() })
}

async fn create(client: Client, workspace: &Workspace) -> kube::Result<Workspace> {
    Api::all(client).create(&PostParams::default(), workspace).await
}

async fn make_type(client: Client, name: &str, spec: Value) -> kube::Result<WorkspaceType> {
    let type_ = json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "WorkspaceType", "metadata": {"name": name},
        "spec": spec});
    Api::all(client).create(&PostParams::default(), &serde_json::from_value(type_).unwrap()).await
}

/// Grants a user rights in the workspace at `path`.
async fn grant(control_plane: &Embedded, path: &str, who: &str, rules: Value) {
    let client = system(control_plane, path);
    let name = format!("{who}-{:08x}", rand::random::<u32>());
    let role =
        json!({"apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules});
    dynamic(client.clone(), "", RBAC, "v1", "ClusterRole", "clusterroles")
        .create(&PostParams::default(), &object(role))
        .await
        .unwrap();
    let binding = json!({"apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": who}]});
    dynamic(client, "", RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings")
        .create(&PostParams::default(), &object(binding))
        .await
        .unwrap();
}

fn everything() -> Value {
    json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}])
}

fn on_type(verb: &str, name: &str) -> Value {
    json!([{"apiGroups": ["tenancy.kcp.io"], "resources": ["workspacetypes"], "resourceNames": [name], "verbs": [verb]},
        {"nonResourceURLs": ["/"], "verbs": ["access"]}])
}

fn phase(workspace: &Workspace) -> String {
    workspace.status.as_ref().unwrap().phase.to_string()
}

fn cluster(workspace: &Workspace) -> LogicalClusterName {
    workspace.spec.cluster.as_deref().unwrap().parse().unwrap()
}

fn initializing(initializer: &str, workspace: Option<LogicalClusterName>) -> Endpoint {
    Endpoint::InitializingWorkspaces { initializer: initializer.into(), workspace }
}

fn terminating(terminator: &str, workspace: Option<LogicalClusterName>) -> Endpoint {
    Endpoint::TerminatingWorkspaces { terminator: terminator.into(), workspace }
}

fn as_user(control_plane: &Embedded, endpoint: &Endpoint, name: &str) -> Client {
    let identity = Identity { username: name.into(), ..Identity::default() };
    control_plane.client(endpoint, &identity).unwrap()
}

async fn code(client: &Client, method: &Method, path: &str, body: &str) -> u16 {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    match client.request_text(request.body(body.as_bytes().to_vec()).unwrap()).await {
        Ok(_) => 200,
        Err(kube::Error::Api(status)) => status.code,
        Err(other) => panic!("{method} {path}: {other}"),
    }
}

async fn release(client: Client, list: &str, left: &[&str]) -> kube::Result<LogicalCluster> {
    let patch = json!({"status": {list: left}});
    Api::all(client).patch_status("cluster", &PatchParams::default(), &Patch::Merge(&patch)).await
}

#[tokio::test]
async fn the_root_has_the_types_of_kcp_and_each_has_its_default_child() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let types: Api<WorkspaceType> = Api::all(system(&control_plane, "root"));
    let list = types.list(&ListParams::default()).await.unwrap();
    assert_eq!(names(&list.items), ["home", "organization", "root", "team", "universal"]);
    let status = list.items[4].status.as_ref().unwrap();
    assert_eq!(status.virtual_workspaces.len(), 2);
    assert!(status.virtual_workspaces[0].url.ends_with("/services/initializingworkspaces/root:universal"));
    let organization = workspace(&control_plane, "root", "a").await;
    let type_ = organization.spec.type_.clone().unwrap();
    assert_eq!((&*type_.name, type_.path.as_deref()), ("organization", Some("root")));
    assert_eq!(workspace(&control_plane, "root:a", "b").await.spec.type_.unwrap().name, "universal");
    let api: Api<LogicalCluster> = Api::all(system(&control_plane, "root:a"));
    assert_eq!(api.get("cluster").await.unwrap().annotations()["internal.tenancy.kcp.io/type"], "root:organization");
}

#[tokio::test]
async fn types_limit_what_stands_below_what() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for (parent, name, type_, allowed) in [
        ("root", "org", "organization", true),
        ("root", "u", "universal", true),
        ("root", "t", "team", false),
        ("root", "r", "root", false),
        ("root", "h", "home", false),
        ("root:org", "t", "team", true),
        ("root:org:t", "t", "team", true),
        ("root:org", "o", "organization", false),
        ("root:u", "t", "team", false),
    ] {
        let made = create(system(&control_plane, parent), &typed(name, type_, "")).await;
        if allowed {
            made.unwrap();
        } else {
            assert_eq!(refusal(made), (403, "Forbidden".into()), "{parent} {type_}");
        }
    }
    let mount = json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": "m"},
        "spec": {"mount": {"ref": {"apiVersion": "x/v1", "kind": "X", "name": "x"}}}});
    let path = "/apis/tenancy.kcp.io/v1alpha1/workspaces";
    assert_eq!(code(&system(&control_plane, "root"), &Method::POST, path, &mount.to_string()).await, 422);
}

#[tokio::test]
async fn a_type_gives_labels_and_is_found_from_below() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "a").await;
    workspace(&control_plane, "root:a", "b").await;
    let spec = json!({"additionalWorkspaceLabels": {"tier": "gold", "set": "no"}, "extend": {"with": [{"name": "universal"}]}});
    make_type(system(&control_plane, "root:a"), "gold", spec).await.unwrap();
    let mut asked = typed("c", "gold", "");
    asked.labels_mut().insert("set".into(), "yes".into());
    asked.labels_mut().insert("initializer.internal.kcp.io/forged".into(), "x".into());
    let made = create(system(&control_plane, "root:a:b"), &asked).await.unwrap();
    assert_eq!(made.spec.type_.clone().unwrap().path.as_deref(), Some("root:a"));
    assert_eq!((&*made.labels()["tier"], &*made.labels()["set"]), ("gold", "yes"));
    assert!(!made.labels().contains_key("initializer.internal.kcp.io/forged"));
    assert_eq!(phase(&made), "Ready");

    for (name, with) in [("one", "two"), ("two", "one"), ("lost", "missing")] {
        let spec = json!({"extend": {"with": [{"name": with}]}});
        make_type(system(&control_plane, "root:a"), name, spec).await.unwrap();
        assert_eq!(refusal(create(system(&control_plane, "root:a"), &typed("x", name, "")).await).0, 403, "{name}");
    }
    for (name, spec, expected) in [
        ("any", json!({}), 422),
        ("root", json!({}), 422),
        ("x", json!({"defaultChildWorkspaceType": {"name": "gold"}}), 422),
        ("x", json!({"limitAllowedParents": {"none": true, "types": [{"name": "a", "path": "root"}]}}), 422),
        ("x", json!({"limitAllowedChildren": {}}), 422),
    ] {
        assert_eq!(
            refusal(make_type(system(&control_plane, "root:a"), name, spec.clone()).await).0,
            expected,
            "{spec}"
        );
    }
}

#[tokio::test]
async fn who_creates_a_workspace_needs_the_right_to_and_to_use_the_type() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let root = user(&control_plane, "root", "alice");
    for (plural, seen) in [("workspacetypes", 200), ("workspaces", 403)] {
        let path = format!("/apis/tenancy.kcp.io/v1alpha1/{plural}");
        assert_eq!(code(&root, &Method::GET, &path, "").await, seen, "{plural}");
    }
    assert_eq!(code(&root, &Method::GET, "/api/v1/secrets", "").await, 403);
    assert_eq!(refusal(create(root.clone(), &Workspace::new("a", WorkspaceSpec::default())).await).0, 403);
    grant(
        &control_plane,
        "root",
        "alice",
        json!([{"apiGroups": ["tenancy.kcp.io"], "resources": ["workspaces"], "verbs": ["create"]}]),
    )
    .await;
    let made = create(root.clone(), &Workspace::new("a", WorkspaceSpec::default())).await.unwrap();
    let owner: Value = serde_json::from_str(&made.annotations()["experimental.tenancy.kcp.io/owner"]).unwrap();
    assert_eq!(owner["username"], "alice");

    make_type(system(&control_plane, "root"), "special", json!({})).await.unwrap();
    assert_eq!(refusal(create(root.clone(), &typed("b", "special", "")).await).0, 403);
    // The right to use a type is not the right to use what it extends.
    let spec = json!({"extend": {"with": [{"name": "special", "path": "root"}]}});
    make_type(system(&control_plane, "root"), "derived", spec).await.unwrap();
    grant(&control_plane, "root", "alice", on_type("use", "derived")).await;
    assert_eq!(refusal(create(root.clone(), &typed("b", "derived", "")).await).0, 403);
    grant(&control_plane, "root", "alice", on_type("use", "special")).await;
    create(root, &typed("b", "derived", "")).await.unwrap();
}

#[tokio::test]
async fn a_type_of_another_tenant_looks_like_one_that_does_not_exist() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for name in ["victim", "attacker"] {
        workspace(&control_plane, "root", name).await;
        grant(&control_plane, &format!("root:{name}"), name, everything()).await;
    }
    let theirs = user(&control_plane, "root:victim", "victim");
    make_type(theirs, "secret", json!({"limitAllowedParents": {"none": true}})).await.unwrap();
    let home = user(&control_plane, "root:attacker", "attacker");
    let mut messages = Vec::new();
    for (path, type_) in [("root:victim", "secret"), ("root:victim", "absent"), ("root:absent", "secret")] {
        let refused = create(home.clone(), &typed("x", type_, path)).await.unwrap_err();
        let kube::Error::Api(status) = refused else { panic!("{refused}") };
        assert_eq!(status.code, 403);
        messages.push(status.message.replace(path, "PATH").replace(type_, "TYPE"));
    }
    assert!(messages.iter().all(|message| *message == messages[0]), "{messages:?}");
    // Extending it, or binding what its workspace exports, gives no more.
    make_type(home.clone(), "thief", json!({"extend": {"with": [{"name": "secret", "path": "root:victim"}]}}))
        .await
        .unwrap();
    assert_eq!(refusal(create(home.clone(), &typed("x", "thief", "")).await).0, 403);
    for path in ["root:victim", "root:absent"] {
        let spec = json!({"defaultAPIBindings": [{"path": path, "export": "databases"}]});
        assert_eq!(refusal(make_type(home.clone(), "binder", spec).await).0, 403, "{path}");
    }
    for endpoint in [
        initializing("root:universal", None),
        initializing("system:apibindings", None),
        initializing(&format!("{}:secret", victim_cluster(&control_plane).await), None),
        terminating("root:universal", None),
    ] {
        let client = as_user(&control_plane, &endpoint, "attacker");
        for path in ["/apis/core.kcp.io/v1alpha1/logicalclusters", "/apis", "/api/v1/secrets"] {
            assert_eq!(code(&client, &Method::GET, path, "").await, 403, "{endpoint}{path}");
        }
    }
}

async fn victim_cluster(control_plane: &Embedded) -> LogicalClusterName {
    let api: Api<Workspace> = Api::all(system(control_plane, "root"));
    cluster(&api.get("victim").await.unwrap())
}

/// A control plane whose root has a type `staged` with an initializer and a terminator, and a workspace of it.
async fn staged(permissions: &Value) -> (Embedded, Workspace) {
    let control_plane = Embedded::in_memory().await.unwrap();
    let spec = json!({"initializer": true, "terminator": true, "initializerPermissions": permissions,
        "terminatorPermissions": permissions});
    make_type(system(&control_plane, "root"), "staged", spec).await.unwrap();
    let rules = json!([{"apiGroups": ["tenancy.kcp.io"], "resources": ["workspaces"], "verbs": ["*"]}]);
    grant(&control_plane, "root", "alice", rules).await;
    grant(&control_plane, "root", "alice", on_type("use", "staged")).await;
    grant(&control_plane, "root", "carol", on_type("initialize", "staged")).await;
    grant(&control_plane, "root", "carol", on_type("terminate", "staged")).await;
    let made = create(user(&control_plane, "root", "alice"), &typed("w", "staged", "")).await.unwrap();
    (control_plane, made)
}

#[tokio::test]
async fn a_workspace_is_ready_when_its_initializers_are_done() {
    let (control_plane, made) = staged(&json!([])).await;
    assert_eq!(phase(&made), "Initializing");
    assert_eq!(made.status.as_ref().unwrap().initializers, ["root:staged"]);
    let all = as_user(&control_plane, &initializing("root:staged", None), "carol");
    let waiting: Api<LogicalCluster> = Api::all(all.clone());
    assert_eq!(waiting.list(&ListParams::default()).await.unwrap().items.len(), 1);
    for selector in ["a,b", "a in (b", "tenancy.kcp.io/phase=Ready", "x=y"] {
        let listed = waiting.list(&ListParams::default().labels(selector)).await;
        assert!(listed.is_err() || listed.unwrap().items.is_empty(), "{selector}");
    }
    assert_eq!(code(&all, &Method::GET, "/api/v1/secrets", "").await, 404);
    assert_eq!(code(&all, &Method::DELETE, "/apis/core.kcp.io/v1alpha1/logicalclusters", "").await, 405);

    // One workspace: as its creator, and only while it waits.
    let inside = as_user(&control_plane, &initializing("root:staged", Some(cluster(&made))), "carol");
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}});
    let maps = "/api/v1/namespaces/default/configmaps";
    assert_eq!(code(&inside, &Method::POST, maps, &config.to_string()).await, 200);
    let forged = json!({"status": {"phase": "Ready"}});
    let api: Api<LogicalCluster> = Api::all(inside.clone());
    assert_eq!(refusal(api.patch_status("cluster", &PatchParams::default(), &Patch::Merge(&forged)).await).0, 422);
    assert_eq!(refusal(release(inside.clone(), "initializers", &["root:staged", "root:other"]).await).0, 422);
    assert_eq!(refusal(api.delete("cluster", &DeleteParams::default()).await).0, 405);
    assert_eq!(api.get("cluster").await.unwrap().status.unwrap().phase.to_string(), "Initializing");
    let done = release(inside.clone(), "initializers", &[]).await.unwrap();
    assert_eq!(done.status.unwrap().phase.to_string(), "Ready");
    let workspaces: Api<Workspace> = Api::all(system(&control_plane, "root"));
    assert_eq!(phase(&workspaces.get("w").await.unwrap()), "Ready");
    assert!(waiting.list(&ListParams::default()).await.unwrap().items.is_empty());
    assert_eq!(code(&inside, &Method::GET, maps, "").await, 403);
    assert_eq!(refusal(api.get("cluster").await).0, 404);
}

#[tokio::test]
async fn an_initializer_with_permissions_acts_as_itself_and_within_them() {
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "list"]}]);
    let (control_plane, made) = staged(&rules).await;
    let inside = as_user(&control_plane, &initializing("root:staged", Some(cluster(&made))), "carol");
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}});
    let maps = "/api/v1/namespaces/default/configmaps";
    assert_eq!(code(&inside, &Method::POST, maps, &config.to_string()).await, 200);
    assert_eq!(code(&inside, &Method::GET, maps, "").await, 200);
    for (method, path) in [
        (Method::DELETE, format!("{maps}/made")),
        (Method::GET, "/api/v1/secrets".into()),
        (Method::GET, "/apis".into()),
        (Method::GET, format!("/apis/{RBAC}/v1/clusterroles")),
    ] {
        assert_eq!(code(&inside, &method, &path, "").await, 403, "{method} {path}");
    }
    // The group of an initializer opens nothing when somebody brings it along.
    let forged = Identity {
        username: "mallory".into(),
        groups: vec!["system:kcp:initializer:root:staged".into()],
        ..Identity::default()
    };
    let client = control_plane.client(&Endpoint::Workspace(cluster(&made).path()), &forged).unwrap();
    assert_eq!(refusal(release(client, "initializers", &[]).await).0, 403);
}

#[tokio::test]
async fn what_waits_is_watched_until_it_does_not() {
    use futures::{StreamExt, TryStreamExt};
    use kube::api::{WatchEvent, WatchParams};
    let (control_plane, made) = staged(&json!([])).await;
    let all: Api<LogicalCluster> = Api::all(as_user(&control_plane, &initializing("root:staged", None), "carol"));
    let mut events = all.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    let first = events.try_next().await.unwrap().unwrap();
    assert!(matches!(first, WatchEvent::Added(_)), "{first:?}");
    workspace(&control_plane, "root", "unrelated").await;
    let inside = as_user(&control_plane, &initializing("root:staged", Some(cluster(&made))), "carol");
    release(inside, "initializers", &[]).await.unwrap();
    let next = tokio::time::timeout(Duration::from_secs(10), events.try_next()).await.unwrap().unwrap().unwrap();
    assert!(matches!(next, WatchEvent::Deleted(_)), "{next:?}");
}

#[tokio::test]
async fn terminators_finish_before_the_content_is_deleted() {
    let (control_plane, made) = staged(&json!([])).await;
    let at = |endpoint: Endpoint| as_user(&control_plane, &endpoint, "carol");
    release(at(initializing("root:staged", Some(cluster(&made)))), "initializers", &[]).await.unwrap();
    let inside = at(terminating("root:staged", Some(cluster(&made))));
    assert_eq!(refusal(release(inside.clone(), "terminators", &[]).await).0, 404);
    let workspaces: Api<Workspace> = Api::all(system(&control_plane, "root"));
    workspaces.delete("w", &DeleteParams::default()).await.unwrap();
    let waiting: Api<LogicalCluster> = Api::all(at(terminating("root:staged", None)));
    eventually(async || waiting.list(&ListParams::default()).await.unwrap().items.len() == 1).await;
    assert_eq!(phase(&workspaces.get("w").await.unwrap()), "Terminating");
    assert_eq!(code(&inside, &Method::GET, "/api/v1/namespaces/default", "").await, 200);
    release(inside, "terminators", &[]).await.unwrap();
    eventually(async || workspaces.get_opt("w").await.unwrap().is_none()).await;
    assert!(waiting.list(&ListParams::default()).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn default_bindings_are_made_before_the_workspace_is_ready() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "provider").await;
    let spec = json!({"defaultAPIBindings": [{"path": "root:provider", "export": "things"}]});
    make_type(system(&control_plane, "root"), "equipped", spec).await.unwrap();
    let made = create(system(&control_plane, "root"), &typed("w", "equipped", "")).await.unwrap();
    assert_eq!(made.status.unwrap().initializers, ["system:apibindings"]);
    // The export comes later than the workspace.
    let workspaces: Api<Workspace> = Api::all(system(&control_plane, "root"));
    let reason = async || {
        let status = workspaces.get("w").await.unwrap().status.unwrap();
        let condition = status.conditions.into_iter().find(|c| c.type_ == "APIBindingsInitialized");
        condition.map(|c| c.reason).unwrap_or_default()
    };
    eventually(async || reason().await == "APIBindingErrors").await;
    let provider = system(&control_plane, "root:provider");
    let export = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": "things"},
        "spec": {"permissionClaims": [{"group": "", "resource": "configmaps", "verbs": ["get"]}]}});
    dynamic(provider, "", "apis.kcp.io", "v1alpha2", "APIExport", "apiexports")
        .create(&PostParams::default(), &object(export))
        .await
        .unwrap();
    eventually(async || phase(&workspaces.get("w").await.unwrap()) == "Ready").await;
    let bindings =
        dynamic(system(&control_plane, "root:w"), "", "apis.kcp.io", "v1alpha2", "APIBinding", "apibindings");
    let bound = bindings.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(bound.len(), 1);
    assert!(bound[0].name_any().starts_with("things-"), "{}", bound[0].name_any());
    assert_eq!(bound[0].data["spec"]["permissionClaims"][0]["state"], "Accepted");
    assert_eq!(bound[0].annotations()["experimental.tenancy.kcp.io/default-api-binding-lifecycle"], "InitializeOnly");
}

#[tokio::test]
async fn a_tenant_forges_no_stage_of_its_own_workspace() {
    let (control_plane, made) = staged(&json!([])).await;
    let inside = user(&control_plane, "root:w", "alice");
    let logical_cluster: Api<LogicalCluster> = Api::all(inside.clone());
    let workspaces: Api<Workspace> = Api::all(user(&control_plane, "root", "alice"));
    let params = PatchParams::default();
    for patch in [
        json!({"status": {"initializers": [], "phase": "Ready"}}),
        json!({"metadata": {"labels": {"tenancy.kcp.io/phase": "Ready"}}}),
        json!({"metadata": {"annotations": {"internal.tenancy.kcp.io/type": "root:universal"}}}),
        json!({"spec": {"initializers": [], "createdBy": {"username": "kdp:system", "groups": ["system:masters"]}}}),
    ] {
        assert_eq!(refusal(logical_cluster.patch("cluster", &params, &Patch::Merge(&patch)).await).0, 403, "{patch}");
        let status = logical_cluster.patch_status("cluster", &params, &Patch::Merge(&patch)).await;
        assert_eq!(refusal(status).0, 403, "{patch}");
    }
    let ready = json!({"status": {"phase": "Ready", "initializers": []}});
    grant(
        &control_plane,
        "root",
        "alice",
        json!([{"apiGroups": ["tenancy.kcp.io"], "resources": ["workspaces/status"], "verbs": ["*"]}]),
    )
    .await;
    assert_eq!(refusal(workspaces.patch_status("w", &params, &Patch::Merge(&ready)).await).0, 403);
    let marks = json!({"metadata": {
        "labels": {"tenancy.kcp.io/phase": "Ready", "own": "x"},
        "annotations": {"experimental.tenancy.kcp.io/owner": "{}", "authorization.kcp.io/required-groups": "x"},
    }});
    let patched = workspaces.patch("w", &params, &Patch::Merge(&marks)).await.unwrap();
    assert_eq!((&*patched.labels()["tenancy.kcp.io/phase"], &*patched.labels()["own"]), ("Initializing", "x"));
    let before = made.annotations();
    let owner = "experimental.tenancy.kcp.io/owner";
    assert_eq!(patched.annotations()[owner], before[owner]);
    assert!(!patched.annotations().contains_key("authorization.kcp.io/required-groups"));
    let other = json!({"spec": {"type": null}});
    assert_eq!(refusal(workspaces.patch("w", &params, &Patch::Merge(&other)).await).0, 422);
}

#[tokio::test]
async fn everybody_has_a_home_and_nobody_elses() {
    let control_plane = Embedded::in_memory_with(EmbeddedOptions::new().with_home_workspaces()).await.unwrap();
    let home = "/apis/tenancy.kcp.io/v1alpha1/workspaces/~";
    let alice = user(&control_plane, "root", "alice");
    // Nothing is there before alice comes, and others cannot make it for her.
    assert_eq!(code(&user(&control_plane, "user:alice", "alice"), &Method::GET, "/api", "").await, 403);
    let masters = system(&control_plane, "root");
    let as_alice = Request::get(home).header("impersonate-user", "alice").body(Vec::new()).unwrap();
    assert!(masters.request_text(as_alice).await.is_err());
    let text = alice.request_text(Request::get(home).body(Vec::new()).unwrap()).await.unwrap();
    let made: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&made["spec"]["cluster"], &made["status"]["phase"]), (&json!("v1u4alow0iv9"), &json!("Ready")));
    assert_eq!(code(&alice, &Method::GET, home, "").await, 200);
    let inside = user(&control_plane, "v1u4alow0iv9", "alice");
    create(inside.clone(), &Workspace::new("project", WorkspaceSpec::default())).await.unwrap();
    let logical_cluster: Api<LogicalCluster> = Api::all(inside);
    assert_eq!(logical_cluster.get("cluster").await.unwrap().annotations()["kcp.io/path"], "user:alice");

    for (path, name, expected) in [
        ("user:alice", "alice", 200),
        ("user:alice:project", "alice", 200),
        ("user:alice", "mallory", 403),
        ("user:alice:project", "mallory", 403),
        ("v1u4alow0iv9", "mallory", 403),
        ("user:bob", "mallory", 403),
        ("root:user:alice", "alice", 403),
    ] {
        assert_eq!(
            code(&user(&control_plane, path, name), &Method::GET, "/api/v1/configmaps", "").await,
            expected,
            "{path} {name}"
        );
    }
    for name in ["system:anonymous", "system:serviceaccount:default:robot", "system:node"] {
        assert_eq!(code(&user(&control_plane, "root", name), &Method::GET, home, "").await, 403, "{name}");
    }
    let without = Embedded::in_memory().await.unwrap();
    assert_eq!(code(&user(&without, "root", "alice"), &Method::GET, home, "").await, 404);
}

#[tokio::test]
async fn required_groups_go_from_a_workspace_to_those_in_it() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let key = "authorization.kcp.io/required-groups";
    let mut asked = Workspace::new("a", WorkspaceSpec::default());
    asked.annotations_mut().insert(key.into(), "staff".into());
    create(system(&control_plane, "root"), &asked).await.unwrap();
    let mut below = Workspace::new("b", WorkspaceSpec::default());
    let rules = everything();
    grant(&control_plane, "root:a", "alice", rules).await;
    below.annotations_mut().insert(key.into(), "anybody".into());
    let identity = Identity { username: "alice".into(), groups: vec!["staff".into()], ..Identity::default() };
    let client = control_plane.client(&Endpoint::Workspace("root:a".parse().unwrap()), &identity).unwrap();
    let made = create(client, &below).await.unwrap();
    assert_eq!(made.annotations()[key], "staff");
    let api: Api<LogicalCluster> = Api::all(system(&control_plane, "root:a:b"));
    assert_eq!(api.get("cluster").await.unwrap().annotations()[key], "staff");
}

#[tokio::test]
async fn what_is_under_way_goes_on_after_a_restart_and_the_root_keeps_its_changes() {
    let directory = tempfile::tempdir().unwrap();
    let control_plane = Embedded::open(directory.path()).await.unwrap();
    let spec = json!({"initializer": true, "defaultAPIBindings": [{"path": "root", "export": "things"}]});
    make_type(system(&control_plane, "root"), "equipped", spec).await.unwrap();
    create(system(&control_plane, "root"), &typed("w", "equipped", "")).await.unwrap();
    let bindings = |control_plane: &Embedded| {
        dynamic(system(control_plane, "root"), "", RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings")
    };
    let reader = "kdp:authenticated:workspacetypes:reader";
    bindings(&control_plane).delete(reader, &DeleteParams::default()).await.unwrap();
    control_plane.close().await.unwrap();
    drop(control_plane);

    let control_plane = Embedded::open(directory.path()).await.unwrap();
    assert!(bindings(&control_plane).get_opt(reader).await.unwrap().is_none());
    let all = control_plane.client(&initializing("root:equipped", None), &Identity::system_masters()).unwrap();
    assert_eq!(Api::<LogicalCluster>::all(all).list(&ListParams::default()).await.unwrap().items.len(), 1);
    let export = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": "things"}});
    dynamic(system(&control_plane, "root"), "", "apis.kcp.io", "v1alpha2", "APIExport", "apiexports")
        .create(&PostParams::default(), &object(export))
        .await
        .unwrap();
    let workspaces: Api<Workspace> = Api::all(system(&control_plane, "root"));
    eventually(async || workspaces.get("w").await.unwrap().status.unwrap().initializers == ["root:equipped"]).await;
    assert_eq!(phase(&workspaces.get("w").await.unwrap()), "Initializing");
}

#[tokio::test]
async fn whoever_acts_for_a_creator_stays_in_the_workspace_that_waits() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for name in ["victim", "attacker"] {
        workspace(&control_plane, "root", name).await;
        grant(&control_plane, &format!("root:{name}"), name, everything()).await;
    }
    make_type(
        user(&control_plane, "root:attacker", "attacker"),
        "trap",
        json!({"initializer": true, "extend": {"with": [{"name": "universal"}]}}),
    )
    .await
    .unwrap();
    let export = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": "private"}});
    dynamic(user(&control_plane, "root:victim", "victim"), "", "apis.kcp.io", "v1alpha2", "APIExport", "apiexports")
        .create(&PostParams::default(), &object(export))
        .await
        .unwrap();
    // Even the platform itself falls into the trap, and the attacker acts as it, but only there.
    let made = create(system(&control_plane, "root:attacker"), &typed("x", "trap", "")).await.unwrap();
    let attacker: Api<Workspace> = Api::all(system(&control_plane, "root"));
    let home = cluster(&attacker.get("attacker").await.unwrap());
    let inside = as_user(&control_plane, &initializing(&format!("{home}:trap"), Some(cluster(&made))), "attacker");
    assert_eq!(code(&inside, &Method::GET, "/api/v1/secrets", "").await, 200);
    let binding = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": "b"},
        "spec": {"reference": {"export": {"path": "root:victim", "name": "private"}}}});
    let bindings = "/apis/apis.kcp.io/v1alpha2/apibindings";
    assert_eq!(code(&inside, &Method::POST, bindings, &binding.to_string()).await, 403);
    let owned = json!({"spec": {"cluster": cluster(&attacker.get("victim").await.unwrap()).as_str()}});
    let stolen = json!({"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": "y"},
        "spec": owned["spec"]});
    assert_eq!(
        code(&inside, &Method::POST, "/apis/tenancy.kcp.io/v1alpha1/workspaces", &stolen.to_string()).await,
        422
    );
    let elsewhere = as_user(
        &control_plane,
        &initializing(&format!("{home}:trap"), Some(cluster(&attacker.get("victim").await.unwrap()))),
        "attacker",
    );
    for path in ["/api/v1/secrets", "/apis", "/version"] {
        assert_eq!(code(&elsewhere, &Method::GET, path, "").await, 403, "{path}");
    }
    let cluster_path = "/apis/core.kcp.io/v1alpha1/logicalclusters/cluster";
    let absent =
        as_user(&control_plane, &initializing(&format!("{home}:trap"), Some("absent".parse().unwrap())), "attacker");
    assert_eq!(
        code(&elsewhere, &Method::GET, cluster_path, "").await,
        code(&absent, &Method::GET, cluster_path, "").await
    );
}
