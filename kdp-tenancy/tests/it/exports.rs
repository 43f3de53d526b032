//! Exports, bindings, and the view a provider has of its consumers.

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kdp_core::{
    ControlPlane, Endpoint, Identity, LogicalClusterName,
    api::apis::{APIBinding, APIExport, APIExportEndpointSlice},
};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
};
use serde_json::{Value, json};

use crate::support::{dynamic, eventually, names, object, refusal, system, user, workspace};

fn schema(prefix: &str, group: &str) -> Value {
    json!({
        "apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIResourceSchema",
        "metadata": {"name": format!("{prefix}.widgets.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}}, "schema": {
                "type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                },
            }}],
        },
    })
}

/// Publishes `widgets` of `group` from the workspace at `path`, claiming Secrets.
pub(crate) async fn publish(control_plane: &Embedded, path: &str, group: &str) -> LogicalClusterName {
    let client = system(control_plane, path);
    let schemas = dynamic(client.clone(), "", "apis.kcp.io", "v1alpha1", "APIResourceSchema", "apiresourceschemas");
    schemas.create(&PostParams::default(), &object(schema("v1", group))).await.unwrap();
    let exports: Api<APIExport> = Api::all(client);
    let export = json!({"metadata": {"name": "widgets"}, "spec": {
        "resources": [{"name": "widgets", "group": group, "schema": format!("v1.widgets.{group}"), "storage": {"crd": {}}}],
        "permissionClaims": [{"group": "", "resource": "secrets", "verbs": ["*"]}],
    }});
    let export = exports.create(&PostParams::default(), &serde_json::from_value(export).unwrap()).await.unwrap();
    assert_eq!(export.status.as_ref().unwrap().identity_hash.len(), 64);
    export.annotations()["kcp.io/cluster"].parse().unwrap()
}

fn binding(path: &str, state: &str) -> APIBinding {
    serde_json::from_value(json!({"metadata": {"name": "widgets"}, "spec": {
        "reference": {"export": {"path": path, "name": "widgets"}},
        "permissionClaims": [{"group": "", "resource": "secrets", "verbs": ["*"], "selector": {"matchAll": true}, "state": state}],
    }}))
    .unwrap()
}

pub(crate) async fn bind(control_plane: &Embedded, consumer: &str, provider: &str, state: &str) -> APIBinding {
    let bindings: Api<APIBinding> = Api::all(system(control_plane, consumer));
    bindings.create(&PostParams::default(), &binding(provider, state)).await.unwrap()
}

pub(crate) fn widgets(client: Client, namespace: &str, group: &str) -> Api<DynamicObject> {
    dynamic(client, namespace, group, "v1", "Widget", "widgets")
}

pub(crate) fn widget(name: &str, group: &str) -> DynamicObject {
    object(
        json!({"apiVersion": format!("{group}/v1"), "kind": "Widget", "metadata": {"name": name, "namespace": "default"}, "spec": {"size": 1}}),
    )
}

fn provider_view(control_plane: &Embedded, cluster: &LogicalClusterName, consumer: Option<&str>) -> Client {
    let endpoint = Endpoint::ApiExport {
        cluster: cluster.clone(),
        export: "widgets".into(),
        consumer: consumer.map(|name| name.parse().unwrap()),
    };
    control_plane.client(&endpoint, &Identity::system_masters()).unwrap()
}

async fn groups(client: &Client) -> Vec<String> {
    client.list_api_groups().await.unwrap().groups.into_iter().map(|group| group.name).collect()
}

#[tokio::test]
async fn a_bound_kind_appears_in_the_binding_workspace_and_only_there() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for name in ["provider", "a", "b"] {
        workspace(&control_plane, "root", name).await;
    }
    publish(&control_plane, "root:provider", "w.example.com").await;
    let slices: Api<APIExportEndpointSlice> = Api::all(system(&control_plane, "root:provider"));
    assert!(
        slices.get("widgets").await.unwrap().status.unwrap().endpoints.is_empty(),
        "no URL before the first binding"
    );
    let bound = bind(&control_plane, "root:a", "root:provider", "Accepted").await;
    let status = bound.status.unwrap();
    assert_eq!((&*status.phase, status.bound_resources.len()), ("Bound", 1));
    for (path, expected) in [("root:a", true), ("root:b", false), ("root:provider", false), ("root", false)] {
        let found = groups(&system(&control_plane, path)).await.contains(&"w.example.com".to_owned());
        assert_eq!(found, expected, "{path}");
    }
    let a = widgets(system(&control_plane, "root:a"), "default", "w.example.com");
    a.create(&PostParams::default(), &widget("x", "w.example.com")).await.unwrap();
    let b = widgets(system(&control_plane, "root:b"), "default", "w.example.com");
    assert_eq!(refusal(b.get("x").await).0, 404);
    eventually(async || slices.get("widgets").await.unwrap().status.unwrap().endpoints.len() == 1).await;
}

#[tokio::test]
async fn unbinding_deletes_the_objects_and_the_kind() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for name in ["provider", "a"] {
        workspace(&control_plane, "root", name).await;
    }
    let cluster = publish(&control_plane, "root:provider", "w.example.com").await;
    bind(&control_plane, "root:a", "root:provider", "Accepted").await;
    let api = widgets(system(&control_plane, "root:a"), "default", "w.example.com");
    let made = api.create(&PostParams::default(), &widget("x", "w.example.com")).await.unwrap();
    let seen = widgets(provider_view(&control_plane, &cluster, None), "", "w.example.com");
    let watch = WatchParams::default().timeout(10);
    let mut events = seen.watch(&watch, &made.resource_version().unwrap()).await.unwrap().boxed();
    let bindings: Api<APIBinding> = Api::all(system(&control_plane, "root:a"));
    bindings.delete("widgets", &DeleteParams::default()).await.unwrap();
    assert!(matches!(events.next().await, Some(Ok(WatchEvent::Deleted(gone))) if gone.name_any() == "x"));
    eventually(async || bindings.get_opt("widgets").await.unwrap().is_none()).await;
    assert_eq!(refusal(api.get("x").await).0, 404);
    assert!(!groups(&system(&control_plane, "root:a")).await.contains(&"w.example.com".to_owned()));
}

#[tokio::test]
async fn a_provider_sees_its_objects_in_all_consumers_and_nothing_else() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for name in ["provider", "other", "a", "b", "c"] {
        workspace(&control_plane, "root", name).await;
    }
    let cluster = publish(&control_plane, "root:provider", "w.example.com").await;
    // Another export of the very same group and resource: its objects are another provider's.
    publish(&control_plane, "root:other", "w.example.com").await;
    bind(&control_plane, "root:a", "root:provider", "Accepted").await;
    bind(&control_plane, "root:b", "root:provider", "Rejected").await;
    bind(&control_plane, "root:c", "root:other", "Accepted").await;
    let wildcard = provider_view(&control_plane, &cluster, None);
    let all = widgets(wildcard.clone(), "", "w.example.com");
    let mut events = all.watch(&WatchParams::default().timeout(10), "0").await.unwrap().boxed();
    for path in ["root:c", "root:a", "root:b"] {
        let api = widgets(system(&control_plane, path), "default", "w.example.com");
        api.create(&PostParams::default(), &widget(&path.replace(':', "-"), "w.example.com")).await.unwrap();
    }
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let WatchEvent::Added(added) = events.next().await.unwrap().unwrap() else { panic!("not an addition") };
        seen.push(added.name_any());
    }
    assert_eq!(seen, ["root-a", "root-b"], "an object of another export with the same names is never seen");
    let list = all.list(&Default::default()).await.unwrap();
    let mut listed = names(&list.items);
    listed.sort();
    assert_eq!(listed, ["root-a", "root-b"]);

    let of =
        |path: &str| list.items.iter().find(|o| o.name_any() == path).unwrap().annotations()["kcp.io/cluster"].clone();
    let (a, b) = (of("root-a"), of("root-b"));
    let secret: Secret = serde_json::from_value(json!({"metadata": {"name": "s"}, "stringData": {"k": "v"}})).unwrap();
    let secrets_of = |cluster_name: &str| {
        Api::<Secret>::namespaced(provider_view(&control_plane, &cluster, Some(cluster_name)), "default")
    };
    secrets_of(&a).create(&PostParams::default(), &secret).await.unwrap();
    assert_eq!(refusal(secrets_of(&b).create(&PostParams::default(), &secret).await).0, 403, "the claim was rejected");
    let config_maps: Api<ConfigMap> = Api::namespaced(provider_view(&control_plane, &cluster, Some(&a)), "default");
    assert_eq!(refusal(config_maps.list(&Default::default()).await).0, 404, "nothing was claimed");
    let c: LogicalClusterName = system_cluster(&control_plane, "root:c").await;
    let foreign = widgets(provider_view(&control_plane, &cluster, Some(c.as_str())), "default", "w.example.com");
    assert_eq!(refusal(foreign.list(&Default::default()).await).0, 404);

    let status = json!({"status": {"ready": true}});
    let inside = widgets(provider_view(&control_plane, &cluster, Some(&a)), "default", "w.example.com");
    inside.patch_status("root-a", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    let own = widgets(system(&control_plane, "root:a"), "default", "w.example.com").get("root-a").await.unwrap();
    assert_eq!(own.data["status"], json!({"ready": true}));

    let bindings: Api<APIBinding> = Api::all(wildcard);
    let mut clusters: Vec<_> = bindings
        .list(&Default::default())
        .await
        .unwrap()
        .iter()
        .map(|b| b.annotations()["kcp.io/cluster"].clone())
        .collect();
    clusters.sort();
    let mut expected = vec![a, b];
    expected.sort();
    assert_eq!(clusters, expected);
}

async fn system_cluster(control_plane: &Embedded, path: &str) -> LogicalClusterName {
    let api: Api<ConfigMap> = Api::namespaced(system(control_plane, path), "default");
    let probe = serde_json::from_value(json!({"metadata": {"name": "probe"}})).unwrap();
    let made = api.create(&PostParams::default(), &probe).await.unwrap();
    made.annotations()["kcp.io/cluster"].parse().unwrap()
}

#[tokio::test]
async fn binding_needs_the_right_and_a_missing_export_looks_like_a_forbidden_one() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for name in ["provider", "a"] {
        workspace(&control_plane, "root", name).await;
    }
    publish(&control_plane, "root:provider", "w.example.com").await;
    grant(
        &control_plane,
        "root:a",
        "alice",
        json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}]),
    )
    .await;
    let bindings: Api<APIBinding> = Api::all(user(&control_plane, "root:a", "alice"));
    let refused = |path: &'static str| {
        let bindings = bindings.clone();
        async move {
            let error = bindings.create(&PostParams::default(), &binding(path, "Accepted")).await.unwrap_err();
            error.to_string().replace(path, "PATH")
        }
    };
    let (forbidden, missing) = (refused("root:provider").await, refused("root:missing").await);
    assert!(forbidden.contains("no permission to bind"), "{forbidden}");
    assert_eq!(forbidden, missing);
    grant(
        &control_plane,
        "root:provider",
        "alice",
        json!([{"apiGroups": ["apis.kcp.io"], "resources": ["apiexports"], "verbs": ["bind"]}]),
    )
    .await;
    let bound = bindings.create(&PostParams::default(), &binding("root:provider", "Accepted")).await.unwrap();
    assert_eq!(bound.status.unwrap().phase, "Bound");
}

async fn grant(control_plane: &Embedded, path: &str, user: &str, rules: Value) {
    let client = system(control_plane, path);
    let group = "rbac.authorization.k8s.io";
    let roles = dynamic(client.clone(), "", group, "v1", "ClusterRole", "clusterroles");
    let role = json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": "granted"}, "rules": rules});
    roles.create(&PostParams::default(), &object(role)).await.unwrap();
    let bindings = dynamic(client, "", group, "v1", "ClusterRoleBinding", "clusterrolebindings");
    let binding = json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "granted"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "granted"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}]});
    bindings.create(&PostParams::default(), &object(binding)).await.unwrap();
}

#[tokio::test]
async fn a_binding_waits_for_its_export_and_follows_it() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for name in ["provider", "a"] {
        workspace(&control_plane, "root", name).await;
    }
    let waiting = bind(&control_plane, "root:a", "root:provider", "Accepted").await;
    assert_eq!(waiting.status.unwrap().phase, "Binding");
    publish(&control_plane, "root:provider", "w.example.com").await;
    let bindings: Api<APIBinding> = Api::all(system(&control_plane, "root:a"));
    eventually(async || bindings.get("widgets").await.unwrap().status.unwrap().phase == "Bound").await;
}

#[tokio::test]
async fn a_name_that_is_taken_is_not_bound_over() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for name in ["provider", "a"] {
        workspace(&control_plane, "root", name).await;
    }
    publish(&control_plane, "root:provider", "example.com").await;
    let crds = dynamic(
        system(&control_plane, "root:a"),
        "",
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
    );
    crds.create(&PostParams::default(), &object(crate::crud::widget_crd())).await.unwrap();
    let status = bind(&control_plane, "root:a", "root:provider", "Accepted").await.status.unwrap();
    assert_eq!(status.phase, "Binding");
    assert!(status.conditions.iter().any(|condition| condition.reason == "NamingConflicts"), "{:?}", status.conditions);
}

#[tokio::test]
async fn a_binding_stays_with_the_export_it_was_made_for() {
    let control_plane = Embedded::in_memory().await.unwrap();
    for name in ["provider", "other", "a"] {
        workspace(&control_plane, "root", name).await;
    }
    publish(&control_plane, "root:provider", "w.example.com").await;
    publish(&control_plane, "root:other", "w.example.com").await;
    bind(&control_plane, "root:a", "root:provider", "Accepted").await;
    let bindings: Api<APIBinding> = Api::all(system(&control_plane, "root:a"));
    let elsewhere = json!({"spec": {"reference": {"export": {"path": "root:other"}}}});
    assert_eq!(refusal(bindings.patch("widgets", &PatchParams::default(), &Patch::Merge(&elsewhere)).await).0, 422);
    let mut again = binding("root:provider", "Accepted");
    again.metadata.name = Some("again".into());
    let again = bindings.create(&PostParams::default(), &again).await.unwrap();
    assert_eq!(again.status.unwrap().phase, "Binding", "an export is bound once in a workspace");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_definition_and_a_binding_made_at_once_one_gets_the_names() {
    let control_plane = Embedded::in_memory().await.unwrap();
    workspace(&control_plane, "root", "provider").await;
    publish(&control_plane, "root:provider", "example.com").await;
    for i in 0..20 {
        let path = format!("root:c{i}");
        workspace(&control_plane, "root", &format!("c{i}")).await;
        let kind = "CustomResourceDefinition";
        let client = system(&control_plane, &path);
        let crds = dynamic(client, "", "apiextensions.k8s.io", "v1", kind, "customresourcedefinitions");
        let define = async { crds.create(&PostParams::default(), &object(crate::crud::widget_crd())).await.unwrap() };
        let (crd, binding) = tokio::join!(define, bind(&control_plane, &path, "root:provider", "Accepted"));
        let conditions = crd.data["status"]["conditions"].as_array().unwrap();
        let established = conditions.iter().any(|c| c["type"] == "Established" && c["status"] == "True");
        let bound = binding.status.unwrap().phase == "Bound";
        assert!(established != bound, "established: {established}, bound: {bound}");
    }
}
