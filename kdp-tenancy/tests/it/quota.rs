//! Limits of workspaces, quotas of namespaces, and turns between tenants.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, future::join_all};
use k8s_openapi::api::core::v1::{ConfigMap, LimitRange, Namespace, ResourceQuota, Secret};
use kdp_core::{
    ControlPlaneExt,
    api::{
        limits::{WorkspaceLimits, WorkspaceLimitsSpec},
        tenancy::Workspace,
    },
};
use kdp_tenancy::{
    Embedded, EmbeddedOptions,
    store::{Change, MemoryStore, RangePage, RangeQuery, SharedStore, Transaction},
};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchParams},
    core::WatchEvent,
};
use serde_json::{Value, json};

use crate::support::{eventually, refusal, system, user, workspace};

/// What every workspace holds from its first moment: LogicalCluster, namespace, service account,
/// certificate authority, binding.
const FIRST_OBJECTS: u64 = 5;
/// ConfigMaps that every namespace holds from its first moment.
const FIRST_CONFIG_MAPS: usize = 1;

/// Creates the workspace `name` below `parent`, with the user `name` as its administrator.
async fn tenant(control_plane: &Embedded, parent: &str, name: &str) -> Client {
    workspace(control_plane, parent, name).await;
    let path = format!("{parent}:{name}");
    let bindings: Api<k8s_openapi::api::rbac::v1::ClusterRoleBinding> = Api::all(system(control_plane, &path));
    let admin = json!({"metadata": {"name": "tenant"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}]});
    bindings.create(&PostParams::default(), &serde_json::from_value(admin).unwrap()).await.unwrap();
    user(control_plane, &path, name)
}

/// Objects in a workspace that [`tenant`] made.
const TENANTS_OBJECTS: u64 = FIRST_OBJECTS + 1;

async fn limit(control_plane: &Embedded, parent: &str, name: &str, spec: WorkspaceLimitsSpec) {
    let api: Api<WorkspaceLimits> = Api::all(system(control_plane, parent));
    let limits = json!({"apiVersion": "tenancy.kdp.k8c.io/v1alpha1", "kind": "WorkspaceLimits",
        "metadata": {"name": name}, "spec": spec});
    api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(limits)).await.unwrap();
}

fn objects(objects: u64) -> WorkspaceLimitsSpec {
    WorkspaceLimitsSpec { objects: Some(objects), ..WorkspaceLimitsSpec::default() }
}

async fn usage(control_plane: &Embedded, parent: &str, name: &str) -> (u64, u64) {
    let api: Api<WorkspaceLimits> = Api::all(system(control_plane, parent));
    let status = api.get(name).await.unwrap().status.unwrap();
    (status.objects, status.bytes)
}

async fn create(client: &Client, name: &str) -> kube::Result<ConfigMap> {
    create_with(client, name, "").await
}

async fn create_with(client: &Client, name: &str, data: &str) -> kube::Result<ConfigMap> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let config_map = json!({"metadata": {"name": name}, "data": {"k": data}});
    api.create(&PostParams::default(), &serde_json::from_value(config_map).unwrap()).await
}

async fn delete(client: &Client, name: &str) {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    api.delete(name, &DeleteParams::default()).await.unwrap();
}

fn message<T: std::fmt::Debug>(result: kube::Result<T>) -> String {
    match result.unwrap_err() {
        kube::Error::Api(status) => status.message.clone(),
        other => panic!("not an answer of the server: {other}"),
    }
}

#[tokio::test]
async fn a_workspace_holds_no_more_objects_than_its_parent_says() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    limit(&control_plane, "root", "a", objects(TENANTS_OBJECTS + 2)).await;
    create(&client, "one").await.unwrap();
    create(&client, "two").await.unwrap();
    let refused = create(&client, "three").await;
    assert_eq!(
        message(refused),
        "configmaps \"three\" is forbidden: exceeded quota: workspacelimits, \
         requested: objects=1, used: objects=8, limited: objects=8"
    );
    assert_eq!(refusal(create(&client, "three").await), (403, "Forbidden".into()));
    // What is deleted is free at once.
    for _ in 0..20 {
        delete(&client, "one").await;
        create(&client, "one").await.unwrap();
    }
    assert_eq!(usage(&control_plane, "root", "a").await.0, 8);
}

#[tokio::test]
async fn a_limit_for_all_children_holds_for_each_and_what_is_below_them() {
    let control_plane = Embedded::in_memory().await.unwrap();
    limit(&control_plane, "root", "default", objects(TENANTS_OBJECTS + 1 + FIRST_OBJECTS + 1)).await;
    let a = tenant(&control_plane, "root", "a").await;
    let b = tenant(&control_plane, "root", "b").await;
    let workspaces: Api<Workspace> = Api::all(a.clone());
    workspaces.create(&PostParams::default(), &Workspace::new("below", Default::default())).await.unwrap();
    let below = user(&control_plane, "root:a:below", "a");
    create(&below, "one").await.unwrap();
    for client in [&a, &below] {
        assert_eq!(refusal(create(client, "two").await), (403, "Forbidden".into()));
    }
    // A workspace is more than one object, and takes room for all of them.
    let another = workspaces.create(&PostParams::default(), &Workspace::new("another", Default::default())).await;
    assert!(message(another).contains("requested: objects=6"));
    create(&b, "one").await.unwrap();
}

#[tokio::test]
async fn nobody_raises_their_own_limit() {
    let control_plane = Embedded::in_memory().await.unwrap();
    limit(&control_plane, "root", "default", objects(TENANTS_OBJECTS + 1)).await;
    let client = tenant(&control_plane, "root", "a").await;
    // It is about the children of `a`, whatever its name is.
    let own: Api<WorkspaceLimits> = Api::all(client.clone());
    own.create(&PostParams::default(), &WorkspaceLimits::new("a", objects(1000))).await.unwrap();
    assert_eq!(refusal(create(&client, "one").await).0, 403);
    let above: Api<WorkspaceLimits> = Api::all(user(&control_plane, "root", "a"));
    let merge = Patch::Merge(json!({"spec": {"objects": 1000}}));
    assert_eq!(refusal(above.patch("default", &PatchParams::default(), &merge).await).0, 403);
    let cluster: Api<kdp_core::api::core::LogicalCluster> = Api::all(client);
    let merge = Patch::Merge(json!({"metadata": {"annotations": {"core.kcp.io/max-total-objects": "1000"}}}));
    assert_eq!(refusal(cluster.patch("cluster", &PatchParams::default(), &merge).await).0, 403);
}

#[tokio::test]
async fn kcps_annotation_limits_the_objects_of_a_logical_cluster() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    let cluster: Api<kdp_core::api::core::LogicalCluster> = Api::all(system(&control_plane, "root:a"));
    let set = async |total: &str| {
        let merge = Patch::Merge(json!({"metadata": {"annotations": {"core.kcp.io/max-total-objects": total}}}));
        cluster.patch("cluster", &PatchParams::default(), &merge).await
    };
    assert_eq!(refusal(set("many").await).0, 422);
    set(&TENANTS_OBJECTS.to_string()).await.unwrap();
    assert_eq!(refusal(create(&client, "one").await).0, 403);
}

#[tokio::test]
async fn bytes_are_limited_and_an_object_that_shrinks_is_always_welcome() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    create_with(&client, "one", &"x".repeat(1000)).await.unwrap();
    limit(&control_plane, "root", "a", objects(100)).await;
    let (_, bytes) = usage(&control_plane, "root", "a").await;
    let tight = WorkspaceLimitsSpec { bytes: Some(bytes - 100), ..WorkspaceLimitsSpec::default() };
    limit(&control_plane, "root", "a", tight).await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let set = async |length: usize| {
        let merge = Patch::Merge(json!({"data": {"k": "x".repeat(length)}}));
        api.patch("one", &PatchParams::default(), &merge).await
    };
    assert!(message(set(2000).await).contains("exceeded quota: workspacelimits, requested: bytes="));
    set(990).await.unwrap();
    set(100).await.unwrap();
    set(500).await.unwrap();
    assert_eq!(refusal(set(2000).await).0, 403);
}

#[tokio::test]
async fn of_many_at_once_only_as_many_pass_as_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let control_plane = Embedded::open(dir.path()).await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    limit(&control_plane, "root", "a", objects(TENANTS_OBJECTS + 10)).await;
    let results = join_all((0..60).map(|i| {
        let client = client.clone();
        async move { create(&client, &format!("c-{i}")).await }
    }))
    .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 10);
    assert_eq!(usage(&control_plane, "root", "a").await.0, TENANTS_OBJECTS + 10);
}

#[tokio::test]
async fn writes_that_are_given_up_let_nobody_past_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let control_plane = Embedded::open(dir.path()).await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    limit(&control_plane, "root", "a", objects(TENANTS_OBJECTS + 5)).await;
    for i in 0..200u64 {
        let client = client.clone();
        let request = tokio::spawn(async move { create(&client, &format!("c-{i}")).await.is_ok() });
        tokio::time::sleep(Duration::from_micros(i * 20)).await;
        request.abort();
    }
    assert!(usage(&control_plane, "root", "a").await.0 <= TENANTS_OBJECTS + 5);
}

#[tokio::test]
async fn usage_is_the_same_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let control_plane = Embedded::open(dir.path()).await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    limit(&control_plane, "root", "a", objects(TENANTS_OBJECTS + 1)).await;
    tenant(&control_plane, "root:a", "b").await;
    create(&client, "one").await.unwrap_err();
    let before = usage(&control_plane, "root", "a").await;
    control_plane.close().await.unwrap();
    let control_plane = Embedded::open(dir.path()).await.unwrap();
    assert_eq!(usage(&control_plane, "root", "a").await, before);
    assert_eq!(refusal(create(&user(&control_plane, "root:a", "a"), "one").await).0, 403);
}

#[tokio::test]
async fn a_full_workspace_can_be_emptied_and_deleted() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    create(&client, "one").await.unwrap();
    // The system passes, and what it writes counts.
    limit(&control_plane, "root", "a", objects(1)).await;
    create(&system(&control_plane, "root:a"), "two").await.unwrap();
    assert_eq!(usage(&control_plane, "root", "a").await.0, TENANTS_OBJECTS + 2);
    delete(&client, "one").await;
    let namespaces: Api<Namespace> = Api::all(system(&control_plane, "root:a"));
    namespaces.create(&PostParams::default(), &named("n")).await.unwrap();
    let own: Api<Namespace> = Api::all(client);
    own.delete("n", &DeleteParams::default()).await.unwrap();
    eventually(async || own.get_opt("n").await.unwrap().is_none()).await;
    let workspaces: Api<Workspace> = Api::all(system(&control_plane, "root"));
    workspaces.delete("a", &DeleteParams::default()).await.unwrap();
    eventually(async || workspaces.get_opt("a").await.unwrap().is_none()).await;
    // The limit stays for a workspace that gets the name next; nothing is used any more.
    let api: Api<WorkspaceLimits> = Api::all(system(&control_plane, "root"));
    assert_eq!(api.get("a").await.unwrap().status, None);
}

fn named(name: &str) -> Namespace {
    serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()
}

#[tokio::test]
async fn a_tenant_sees_nothing_of_what_its_siblings_use() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "org").await;
    let a = tenant(&control_plane, "root:org", "a").await;
    let b = tenant(&control_plane, "root:org", "b").await;
    let victims = [7, 11].map(|n| (0..n).map(|i| format!("secret-{n}-{i}")).collect::<Vec<_>>());
    let mut messages = Vec::new();
    for names in &victims {
        for name in names {
            create(&b, name).await.unwrap();
        }
        let used = usage_of_org(&control_plane).await;
        limit(&control_plane, "root", "org", objects(used)).await;
        messages.push(message(create(&a, "one").await));
        // Watches and requests of others leave no trace either.
        limit(&control_plane, "root", "org", objects(1000)).await;
    }
    assert_eq!(messages[0], messages[1]);
    assert!(messages[0].ends_with("exceeded quota: workspacelimits of a workspace above, requested: objects=1"));
    // Neither the limits above nor what they show can be read.
    for path in ["root", "root:org"] {
        let limits: Api<WorkspaceLimits> = Api::all(user(&control_plane, path, "a"));
        assert_eq!(refusal(limits.list(&ListParams::default()).await).0, 403);
        assert_eq!(refusal(limits.get("org").await).0, 403);
    }
}

async fn usage_of_org(control_plane: &Embedded) -> u64 {
    limit(control_plane, "root", "org", objects(1000)).await;
    usage(control_plane, "root", "org").await.0
}

#[tokio::test]
async fn limits_that_are_read_show_what_is_used_by_their_own_child_only() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let a = tenant(&control_plane, "root", "a").await;
    tenant(&control_plane, "root", "b").await;
    tenant(&control_plane, "root:a", "below").await;
    create(&a, "one").await.unwrap();
    limit(&control_plane, "root", "default", objects(100)).await;
    limit(&control_plane, "root", "b", objects(100)).await;
    let own: Api<WorkspaceLimits> = Api::all(a);
    own.create(&PostParams::default(), &WorkspaceLimits::new("below", objects(50))).await.unwrap();
    // A name that is a workspace elsewhere is none here.
    own.create(&PostParams::default(), &WorkspaceLimits::new("b", objects(50))).await.unwrap();
    let listed = own.list(&ListParams::default()).await.unwrap().items;
    let shown: Vec<_> = listed.iter().map(|limits| limits.status.map(|status| status.objects)).collect();
    assert_eq!(shown, [None, Some(TENANTS_OBJECTS)]);
    assert_eq!(usage(&control_plane, "root", "b").await.0, TENANTS_OBJECTS);
}

#[tokio::test]
async fn requests_beyond_the_rate_are_told_when_to_come_back() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    let other = tenant(&control_plane, "root", "b").await;
    let slow = WorkspaceLimitsSpec { requests_per_second: Some(1), burst: Some(3), ..WorkspaceLimitsSpec::default() };
    limit(&control_plane, "root", "a", slow).await;
    let list = async |client: &Client| {
        Api::<ConfigMap>::namespaced(client.clone(), "default").list(&ListParams::default()).await
    };
    for _ in 0..3 {
        list(&client).await.unwrap();
    }
    match list(&client).await.unwrap_err() {
        kube::Error::Api(status) => {
            assert_eq!((status.code, &*status.reason), (429, "TooManyRequests"));
            assert_eq!(status.details.as_ref().unwrap().retry_after_seconds, 1);
        }
        other => panic!("not an answer of the server: {other}"),
    }
    for _ in 0..20 {
        list(&other).await.unwrap();
        list(&system(&control_plane, "root:a")).await.unwrap();
    }
}

#[tokio::test]
async fn a_tenant_gains_nothing_by_splitting_its_requests_over_workspaces_below() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    let workspaces: Api<Workspace> = Api::all(client.clone());
    workspaces.create(&PostParams::default(), &Workspace::new("below", Default::default())).await.unwrap();
    // Whatever the tenant says of its own children: what is above them holds too.
    let generous = WorkspaceLimitsSpec { requests_per_second: Some(1000), ..WorkspaceLimitsSpec::default() };
    let own: Api<WorkspaceLimits> = Api::all(client.clone());
    own.create(&PostParams::default(), &WorkspaceLimits::new("default", generous)).await.unwrap();
    let slow = WorkspaceLimitsSpec { requests_per_second: Some(1), burst: Some(4), ..WorkspaceLimitsSpec::default() };
    limit(&control_plane, "root", "a", slow).await;
    let below = user(&control_plane, "root:a:below", "a");
    for i in 0..2 {
        create(&client, &format!("c-{i}")).await.unwrap();
        create(&below, &format!("c-{i}")).await.unwrap();
    }
    for client in [&client, &below] {
        let refused = create(client, "one").await;
        assert_eq!(refusal(refused), (429, "TooManyRequests".into()));
    }
}

#[tokio::test]
async fn large_objects_and_lists_come_whole() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    create_with(&client, "large", &"x".repeat(900_000)).await.unwrap();
    for i in 0..200 {
        create_with(&client, &format!("c-{i}"), &"y".repeat(2_000)).await.unwrap();
    }
    let list = async |accept: &str| -> Value {
        let request = http::Request::get("/api/v1/namespaces/default/configmaps").header("accept", accept);
        client.request(request.body(Vec::new()).unwrap()).await.unwrap()
    };
    let whole = list("application/json").await;
    assert_eq!(whole["items"].as_array().unwrap().len(), 201 + FIRST_CONFIG_MAPS);
    assert_eq!(whole["items"][201]["data"]["k"].as_str().unwrap().len(), 900_000);
    let table = list("application/json;as=Table;g=meta.k8s.io;v=v1").await;
    assert_eq!(table["rows"].as_array().unwrap().len(), 201 + FIRST_CONFIG_MAPS);
}

#[tokio::test]
async fn strangers_use_up_nothing_of_a_workspace() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    let slow = WorkspaceLimitsSpec {
        requests_per_second: Some(1),
        burst: Some(2),
        watches: Some(1),
        concurrency: Some(1),
        ..WorkspaceLimitsSpec::default()
    };
    limit(&control_plane, "root", "a", slow).await;
    let api = |client: Client| Api::<ConfigMap>::namespaced(client, "default");
    for path in ["root:a", "root:nowhere"] {
        let stranger = user(&control_plane, path, "mallory");
        for _ in 0..50 {
            assert_eq!(refusal(api(stranger.clone()).list(&ListParams::default()).await).0, 403);
            assert!(api(stranger.clone()).watch(&WatchParams::default(), "0").await.is_err());
        }
    }
    api(client.clone()).list(&ListParams::default()).await.unwrap();
    let _watch = api(client).watch(&WatchParams::default(), "0").await.unwrap();
}

#[tokio::test]
async fn only_so_many_watches_are_open_at_once() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    let two = WorkspaceLimitsSpec { watches: Some(2), concurrency: Some(1), ..WorkspaceLimitsSpec::default() };
    limit(&control_plane, "root", "a", two).await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let open = async || api.watch(&WatchParams::default(), "0").await.map(StreamExt::boxed);
    let mut first = open().await.unwrap();
    let second = open().await.unwrap();
    assert_eq!(refusal(open().await.map(|_| ())), (429, "TooManyRequests".into()));
    // Open watches hold no place: other requests go on, and events come.
    create(&client, "one").await.unwrap();
    assert!(matches!(first.next().await.unwrap().unwrap(), WatchEvent::Added(_)));
    drop(second);
    eventually(async || open().await.is_ok()).await;
}

async fn quota(client: &Client, hard: Value) -> kube::Result<ResourceQuota> {
    let api: Api<ResourceQuota> = Api::namespaced(client.clone(), "default");
    let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": hard}});
    api.create(&PostParams::default(), &serde_json::from_value(quota).unwrap()).await
}

async fn used(client: &Client, name: &str) -> Option<String> {
    let api: Api<ResourceQuota> = Api::namespaced(client.clone(), "default");
    let status = api.get("q").await.unwrap().status?;
    status.used?.get(name).map(|quantity| quantity.0.clone())
}

#[tokio::test]
async fn a_quota_counts_what_is_there_and_refuses_what_is_too_much() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    create(&client, "before").await.unwrap();
    quota(&client, json!({"count/configmaps": "4", "secrets": "1", "cpu": "2"})).await.unwrap();
    eventually(async || used(&client, "count/configmaps").await.as_deref() == Some("2")).await;
    assert_eq!(used(&client, "cpu").await.as_deref(), Some("0"));
    create(&client, "one").await.unwrap();
    create(&client, "two").await.unwrap();
    assert_eq!(used(&client, "count/configmaps").await.as_deref(), Some("4"));
    assert_eq!(
        message(create(&client, "three").await),
        "configmaps \"three\" is forbidden: exceeded quota: q, \
         requested: count/configmaps=1, used: count/configmaps=4, limited: count/configmaps=4"
    );
    // The other resource, the other namespace and updates are not concerned.
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "default");
    let secret: Secret = serde_json::from_value(json!({"metadata": {"name": "s"}})).unwrap();
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.create(&PostParams::default(), &named("other")).await.unwrap();
    let elsewhere: Api<ConfigMap> = Api::namespaced(client.clone(), "other");
    let config_map: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "c"}})).unwrap();
    elsewhere.create(&PostParams::default(), &config_map).await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    api.patch("one", &PatchParams::default(), &Patch::Merge(json!({"data": {"a": "b"}}))).await.unwrap();
    // What is deleted is free at once, and the status follows.
    delete(&client, "one").await;
    create(&client, "three").await.unwrap();
    delete(&client, "two").await;
    delete(&client, "three").await;
    eventually(async || used(&client, "count/configmaps").await.as_deref() == Some("2")).await;
}

#[tokio::test]
async fn a_quota_counts_custom_resources_by_their_group() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    quota(&client, json!({"count/leases.coordination.k8s.io": "1", "count/configmaps.example.com": "0"}))
        .await
        .unwrap();
    let leases: Api<k8s_openapi::api::coordination::v1::Lease> = Api::namespaced(client.clone(), "default");
    let lease = |name: &str| serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    leases.create(&PostParams::default(), &lease("one")).await.unwrap();
    assert_eq!(refusal(leases.create(&PostParams::default(), &lease("two")).await).0, 403);
    create(&client, "one").await.unwrap();
}

#[tokio::test]
async fn of_many_creates_at_once_a_quota_lets_as_many_pass_as_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let control_plane = Embedded::open(dir.path()).await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    quota(&client, json!({"configmaps": "30"})).await.unwrap();
    let results = join_all((0..40).map(|i| {
        let client = client.clone();
        async move { create(&client, &format!("c-{i}")).await }
    }))
    .await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let there = api.list(&ListParams::default()).await.unwrap().items.len();
    let made = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!((there, made + FIRST_CONFIG_MAPS), (30, 30));
    assert!(results.into_iter().filter(Result::is_err).all(|result| refusal(result).0 == 403));
    assert_eq!(used(&client, "configmaps").await.as_deref(), Some("30"));
}

#[tokio::test]
async fn what_makes_no_sense_in_a_quota_is_refused() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    for hard in [json!({"secrets": "-1"}), json!({"count/secrets": "500m"}), json!({"cpu": "much"})] {
        assert_eq!(refusal(quota(&client, hard).await).0, 422);
    }
    let api: Api<ResourceQuota> = Api::namespaced(client.clone(), "default");
    let scoped = |hard: Value| {
        let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": hard, "scopes": ["BestEffort"]}});
        serde_json::from_value(quota).unwrap()
    };
    let refused = api.create(&PostParams::default(), &scoped(json!({"secrets": "1"}))).await;
    assert!(message(refused).contains("unsupported scope applied to resource"));
    // It is about pods, of which there are none.
    api.create(&PostParams::default(), &scoped(json!({"pods": "0"}))).await.unwrap();
    create(&client, "one").await.unwrap();
    let own = Patch::Merge(json!({"status": {"used": {"pods": "7"}}}));
    assert_eq!(refusal(api.patch_status("q", &PatchParams::default(), &own).await).0, 403);
    let ranges: Api<LimitRange> = Api::namespaced(client, "default");
    let range = json!({"metadata": {"name": "r"},
        "spec": {"limits": [{"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "500m"}}]}});
    let refused = ranges.create(&PostParams::default(), &serde_json::from_value(range).unwrap()).await;
    assert_eq!(refusal(refused).0, 422);
}

#[tokio::test]
async fn a_namespace_with_a_full_quota_can_be_deleted() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.create(&PostParams::default(), &named("n")).await.unwrap();
    let quotas: Api<ResourceQuota> = Api::namespaced(client.clone(), "n");
    let full = json!({"metadata": {"name": "q"}, "spec": {"hard": {"configmaps": "2", "resourcequotas": "1"}}});
    quotas.create(&PostParams::default(), &serde_json::from_value(full).unwrap()).await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "n");
    let config_map: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "c"}})).unwrap();
    api.create(&PostParams::default(), &config_map).await.unwrap();
    namespaces.delete("n", &DeleteParams::default()).await.unwrap();
    eventually(async || namespaces.get_opt("n").await.unwrap().is_none()).await;
}

#[tokio::test]
async fn the_default_of_the_control_plane_holds_for_every_workspace_but_the_root() {
    let options = EmbeddedOptions::new().with_limits(objects(TENANTS_OBJECTS + 1));
    let control_plane = Embedded::in_memory_with(options).await.unwrap();
    let client = tenant(&control_plane, "root", "a").await;
    create(&client, "one").await.unwrap();
    assert_eq!(refusal(create(&client, "two").await).0, 403);
    limit(&control_plane, "root", "a", objects(TENANTS_OBJECTS + 2)).await;
    create(&client, "two").await.unwrap();
    let root = control_plane.system_client(&kdp_core::WorkspacePath::root()).unwrap();
    for i in 0..2 * TENANTS_OBJECTS {
        create(&root, &format!("c-{i}")).await.unwrap();
    }
}

#[tokio::test]
async fn the_default_of_the_control_plane_holds_for_homes_too() {
    let options = EmbeddedOptions::new().with_home_workspaces().with_limits(objects(FIRST_OBJECTS + 1));
    let control_plane = Embedded::in_memory_with(options).await.unwrap();
    let home = http::Request::get("/apis/tenancy.kcp.io/v1alpha1/workspaces/~").body(Vec::new()).unwrap();
    user(&control_plane, "root", "alice").request_text(home).await.unwrap();
    let alice = user(&control_plane, "user:alice", "alice");
    create(&alice, "one").await.unwrap();
    assert_eq!(refusal(create(&alice, "two").await).0, 403);
    // What the root says of all its children it says of homes.
    limit(&control_plane, "root", "default", objects(FIRST_OBJECTS + 2)).await;
    create(&alice, "two").await.unwrap();
    assert_eq!(refusal(create(&alice, "three").await).0, 403);
}

#[tokio::test]
async fn a_quota_of_more_objects_than_are_counted_at_once_holds() {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let pki = kdp_tenancy::embedded::pki::Pki::ephemeral().unwrap();
    let control_plane = Embedded::start(store.clone(), pki, EmbeddedOptions::new()).await.unwrap();
    let cluster = workspace(&control_plane, "root", "a").await.spec.cluster.unwrap();
    let client = system(&control_plane, "root:a");
    create(&client, "seed").await.unwrap();
    let key = format!("{cluster}/-/configmaps/default/");
    let seeds = store.range(RangeQuery::prefix(key.clone())).await.unwrap().entries;
    let seed = seeds.iter().find(|entry| entry.key.ends_with("/seed")).unwrap();
    let text = std::str::from_utf8(&seed.value).unwrap();
    let wanted = RangePage::COUNTED + 2;
    let names: Vec<_> = (seeds.len()..wanted).map(|i| format!("seed-{i}")).collect();
    for names in names.chunks(1000) {
        let put =
            |name: &String| Change::Put(format!("{key}{name}"), text.replace("\"seed\"", &format!("{name:?}")).into());
        let changes = names.iter().map(put).collect();
        store.commit(Transaction { conditions: Vec::new(), changes }).await.unwrap();
    }
    quota(&client, json!({"count/configmaps": wanted.to_string()})).await.unwrap();
    assert_eq!(refusal(create(&client, "one-more").await).0, 403);
    eventually(async || used(&client, "count/configmaps").await == Some(wanted.to_string())).await;
}
