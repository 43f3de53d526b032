//! An agent's way through a real control plane: find, learn, check, order, follow.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{sync::Arc, time::Duration};

use kdp_ai::{Availability, Order, OrderPhase, SchemaSource, describe, discover, order, validate, wait_ready};
use kdp_catalog::{Catalog, ClaimPolicy, ServiceController, Unbound, WhenInUse, bind, install_service_crd, unbind};
use kdp_core::{
    ControlPlane, ControlPlaneExt, Endpoint, Identity, LogicalClusterName, Platform, RunningPlatform,
    workspace::ensure_workspace,
};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client,
    api::{DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
    core::ApiResource,
};
use serde_json::{Value, json};

const GROUP: &str = "widgets.example.com";

/// A provider that offers widgets, and the tenant alice.
struct World {
    control_plane: Embedded,
    catalog: Catalog,
    alice: Identity,
    tenant: Client,
    running: RunningPlatform,
}

impl World {
    async fn new() -> Self {
        let control_plane = Embedded::in_memory().await.unwrap();
        let system = Identity::system_masters();
        let provider = "root:provider".parse().unwrap();
        for path in ["root:provider", "root:team:alice"] {
            ensure_workspace(&control_plane, &path.parse().unwrap(), &system).await.unwrap();
        }
        let shared = Arc::new(control_plane.clone());
        let client = control_plane.system_client(&provider).unwrap();
        install_service_crd(&client).await.unwrap();
        let running = Platform::builder(shared.clone()).component(ServiceController::new([provider.clone()]));
        let running = running.start().await.unwrap();
        publish(&client).await;
        let alice = Identity { username: "alice".into(), ..Identity::default() };
        let home = "root:team:alice".parse().unwrap();
        let admin = control_plane.system_client(&home).unwrap();
        let rbac = "rbac.authorization.k8s.io/v1";
        create(
            &admin,
            rbac,
            "ClusterRoleBinding",
            json!({"metadata": {"name": "alice"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}]}),
        )
        .await;
        let tenant = control_plane.client(&Endpoint::Workspace(home), &alice).unwrap();
        let catalog = Catalog::new(shared, [provider]);
        let world = Self { control_plane, catalog, alice, tenant, running };
        let seen = async {
            while world.catalog.get(&world.alice, "widgets").await.unwrap().is_none_or(|entry| !entry.may_bind) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), seen).await.expect("the catalog shows the service");
        world
    }
}

fn api(client: &Client, api_version: &str, kind: &str) -> Api<DynamicObject> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    if kind == "Widget" {
        Api::namespaced_with(client.clone(), "default", &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    }
}

async fn create(client: &Client, api_version: &str, kind: &str, mut object: Value) {
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    api(client, api_version, kind).create(&PostParams::default(), &object).await.unwrap();
}

/// Offers widgets: a Service, its schema, and the right of everybody to see and bind it.
async fn publish(provider: &Client) {
    let schema = format!("v1.widgets.{GROUP}");
    create(
        provider,
        "apis.kcp.io/v1alpha1",
        "APIResourceSchema",
        json!({"metadata": {"name": schema}, "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}}, "schema": {
                "type": "object", "required": ["spec"], "properties": {
                    "spec": {"type": "object", "required": ["size"], "properties": {
                        "size": {"type": "integer", "minimum": 1, "description": "How large it is."},
                        "color": {"type": "string", "enum": ["red", "blue"], "default": "blue"},
                    }},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                },
            }}],
        }}),
    )
    .await;
    create(
        provider,
        "core.kdp.k8c.io/v1alpha1",
        "Service",
        json!({"metadata": {"name": "widgets"}, "spec": {
            "apiGroup": GROUP, "catalogMetadata": {"title": "Widgets", "description": "Small things."},
        }}),
    )
    .await;
    let exports = api(provider, "apis.kcp.io/v1alpha2", "APIExport");
    let made = async {
        while exports.get_opt("widgets").await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), made).await.expect("the controller makes the export");
    let resources =
        json!({"spec": {"resources": [{"name": "widgets", "group": GROUP, "schema": schema, "storage": {"crd": {}}}]}});
    exports.patch("widgets", &PatchParams::default(), &Patch::Merge(&resources)).await.unwrap();
    create(
        provider,
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        json!({"metadata": {"name": "consumer"}, "rules": [
            {"nonResourceURLs": ["/"], "verbs": ["access"]},
            {"apiGroups": ["core.kdp.k8c.io"], "resources": ["services"], "verbs": ["get"]},
            {"apiGroups": ["apis.kcp.io"], "resources": ["apiexports"], "verbs": ["bind"]},
        ]}),
    )
    .await;
    create(
        provider,
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        json!({"metadata": {"name": "consumers"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "consumer"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}]}),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_finds_learns_checks_orders_and_follows() {
    let w = World::new().await;
    let found = discover(&w.tenant, &w.catalog, &w.alice, Some("widget")).await.unwrap();
    assert_eq!((found.len(), &*found[0].name, found[0].availability), (1, "widgets", Availability::Bindable));
    let before = describe(&w.tenant, &w.catalog, &w.alice, "widgets").await.unwrap();
    assert_eq!(before.kinds[0].source, SchemaSource::Provider);
    let refused = validate(&w.tenant, &before.kinds[0].example).await.unwrap();
    assert_eq!(refused.faults[0].reason, "UnknownKind", "{:?}", refused.faults);

    let entry = w.catalog.get(&w.alice, "widgets").await.unwrap().unwrap();
    bind(&w.tenant, &entry, ClaimPolicy::AcceptAll).await.unwrap();
    bind(&w.tenant, &entry, ClaimPolicy::AcceptAll).await.unwrap();
    let found = discover(&w.tenant, &w.catalog, &w.alice, None).await.unwrap();
    assert_eq!(found[0].availability, Availability::Bound);
    let bound = describe(&w.tenant, &w.catalog, &w.alice, "widgets").await.unwrap();
    let kind = &bound.kinds[0];
    assert_eq!((kind.source, &*kind.kind, kind.namespaced), (SchemaSource::Workspace, "Widget", true));
    let example = validate(&w.tenant, &kind.example).await.unwrap();
    assert!(example.faults.is_empty(), "the example is valid: {:?}", example.faults);

    let mut manifest = json!({"apiVersion": format!("{GROUP}/v1"), "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": "big", "weight": 1}});
    let widgets = api(&w.tenant, &format!("{GROUP}/v1"), "Widget");
    let Order::Refused(validation) = order(&w.tenant, &manifest).await.unwrap() else { panic!("it was not refused") };
    let fields: Vec<_> = validation.faults.iter().map(|fault| (&*fault.field, &*fault.reason)).collect();
    assert!(fields.iter().any(|(field, _)| *field == "spec.weight"), "{fields:?}");
    manifest["spec"] = json!({"size": 0});
    let Order::Refused(validation) = order(&w.tenant, &manifest).await.unwrap() else { panic!("it was not refused") };
    assert!(validation.faults.iter().any(|fault| fault.field == "spec.size"), "{:?}", validation.faults);
    assert!(widgets.get_opt("w").await.unwrap().is_none(), "a refused order leaves nothing behind");

    manifest["spec"] = json!({"size": 2});
    let Order::Placed(placed) = order(&w.tenant, &manifest).await.unwrap() else { panic!("it was refused") };
    let made = widgets.get("w").await.unwrap();
    assert_eq!(made.data["spec"], json!({"size": 2, "color": "blue"}));
    let mut steps = Vec::new();
    let follow =
        wait_ready(&w.tenant, &placed.order, Duration::from_secs(20), |progress| steps.push(format!("{progress:?}")));
    let (done, ()) = tokio::join!(follow, provide(&w));
    assert_eq!(done.unwrap().phase, OrderPhase::Ready);
    assert!(!steps.is_empty());

    assert!(matches!(unbind(&w.tenant, "widgets", WhenInUse::Refuse).await.unwrap(), Unbound::InUse { .. }));
    unbind(&w.tenant, "widgets", WhenInUse::DeleteObjects).await.unwrap();
    w.running.stop().await.unwrap();
}

/// Plays the provider: says through its own view of the export that the widget is ready.
async fn provide(w: &World) {
    let provider = w.control_plane.system_client(&"root:provider".parse().unwrap()).unwrap();
    let export = api(&provider, "apis.kcp.io/v1alpha2", "APIExport").get("widgets").await.unwrap();
    let name = |object: &DynamicObject| -> LogicalClusterName {
        object.metadata.annotations.as_ref().unwrap()["kcp.io/cluster"].parse().unwrap()
    };
    let consumer = name(&api(&w.tenant, &format!("{GROUP}/v1"), "Widget").get("w").await.unwrap());
    let endpoint = Endpoint::ApiExport { cluster: name(&export), export: "widgets".into(), consumer: Some(consumer) };
    let inside = w.control_plane.client(&endpoint, &Identity::system_masters()).unwrap();
    let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Made", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
    let widgets = api(&inside, &format!("{GROUP}/v1"), "Widget");
    widgets.patch_status("w", &PatchParams::default(), &Patch::Merge(&ready)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_rights_sees_no_service() {
    let w = World::new().await;
    let mallory = Identity { username: "mallory".into(), ..Identity::default() };
    assert!(w.catalog.list(&mallory).await.unwrap().is_empty());
    assert!(describe(&w.tenant, &w.catalog, &mallory, "widgets").await.is_err());
    w.running.stop().await.unwrap();
}
