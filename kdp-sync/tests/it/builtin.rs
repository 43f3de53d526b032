//! Kinds that no CustomResourceDefinition of the service cluster defines.

use kdp_core::api::apis::APIResourceSchema;
use kdp_sync::api::PublishedResource;
use kube::{Api, ResourceExt, api::PostParams};
use serde_json::{Value, json};

use crate::support::{World, dynamic, eventually, object, patch, seen};

#[tokio::test]
async fn a_builtin_kind_is_offered_in_another_group_and_synced() {
    let world = World::new().await;
    let projection = json!({"group": "configs.example.com", "kind": "Config", "shortNames": null});
    world
        .publish("configs", json!({"resource": {"apiGroup": "", "kind": "ConfigMap"}, "projection": projection}))
        .await;
    let agent = world.agent().await;
    let name = world.published("configs").await.status.unwrap().resource_schema_name;
    assert!(name.ends_with(".configs.configs.example.com"), "{name}");
    let schemas: Api<APIResourceSchema> = Api::all(world.workspace("root:provider"));
    let schema = schemas.get(&name).await.unwrap();
    let names = &schema.spec.names;
    assert_eq!((names.kind.as_str(), names.plural.as_str()), ("Config", "configs"));
    assert_eq!(schema.spec.versions[0].name, "v1");
    assert_eq!(schema.spec.versions[0].schema["properties"]["data"]["additionalProperties"]["type"], "string");

    world.bind("root:a", &["events"]).await;
    let orders = dynamic(world.workspace("root:a"), Some("default"), "configs.example.com/v1", "Config", "configs");
    let order = json!({
        "apiVersion": "configs.example.com/v1", "kind": "Config", "metadata": {"name": "mine"}, "data": {"a": "1"},
    });
    orders.create(&PostParams::default(), &object(order)).await.unwrap();
    let cluster = world.cluster("root:a").await;
    let copies = dynamic(world.service(), Some(&cluster), "v1", "ConfigMap", "configmaps");
    let has = |value: &'static str| {
        let copies = &copies;
        async move || {
            let all = copies.list(&Default::default()).await.unwrap();
            all.items.into_iter().find(|copy| copy.data["data"]["a"] == value)
        }
    };
    eventually("there is a copy", has("1")).await;
    patch(&orders, "mine", json!({"data": {"a": "2"}})).await;
    eventually("the copy is changed", has("2")).await;
    agent.stop().await;
}

#[tokio::test]
async fn an_aggregated_kind_is_offered_and_synced_in_both_directions() {
    let world = World::new().await;
    serve_gadgets(&world).await;
    let resource = json!({"apiGroup": "gadgets.example.com", "kind": "Gadget"});
    world.publish("gadgets", json!({"resource": resource})).await;
    let agent = world.agent().await;
    world.published("gadgets").await;
    world.bind("root:a", &["events"]).await;
    let gadgets = |client, namespace| dynamic(client, namespace, "gadgets.example.com/v1", "Gadget", "gadgets");
    let orders = gadgets(world.workspace("root:a"), Some("default"));
    let order = json!({
        "apiVersion": "gadgets.example.com/v1", "kind": "Gadget", "metadata": {"name": "mine"}, "spec": {"size": 1},
    });
    orders.create(&PostParams::default(), &object(order)).await.unwrap();
    let all = gadgets(world.service(), None);
    let mut copy =
        eventually("there is a copy", async || all.list(&Default::default()).await.unwrap().items.pop()).await;
    let copies = gadgets(world.service(), copy.namespace().as_deref());
    copy.data["status"] = json!({"phase": "Up"});
    copies.replace_status(&copy.name_any(), &PostParams::default(), &copy).await.unwrap();
    seen(&orders, "mine", |order| order.data["status"]["phase"] == "Up").await;
    agent.stop().await;
}

/// Serves a kind in the service cluster that has no CustomResourceDefinition there.
async fn serve_gadgets(world: &World) {
    let schema = json!({
        "apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIResourceSchema",
        "metadata": {"name": "v1.gadgets.gadgets.example.com"},
        "spec": {
            "group": "gadgets.example.com", "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget", "listKind": "GadgetList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
                    "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
                }},
            }],
        },
    });
    let export = json!({
        "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": "gadgets"},
        "spec": {"resources": [{
            "name": "gadgets", "group": "gadgets.example.com", "schema": "v1.gadgets.gadgets.example.com",
            "storage": {"crd": {}},
        }]},
    });
    let binding = json!({
        "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": "gadgets"},
        "spec": {"reference": {"export": {"path": "root", "name": "gadgets"}}},
    });
    for (version, kind, plural, value) in [
        ("v1alpha1", "APIResourceSchema", "apiresourceschemas", schema),
        ("v1alpha2", "APIExport", "apiexports", export),
        ("v1alpha2", "APIBinding", "apibindings", binding),
    ] {
        let api = dynamic(world.service(), None, &format!("apis.kcp.io/{version}"), kind, plural);
        api.create(&PostParams::default(), &object(value)).await.unwrap();
    }
    let bindings = dynamic(world.service(), None, "apis.kcp.io/v1alpha2", "APIBinding", "apibindings");
    seen(&bindings, "gadgets", |binding| binding.data["status"]["phase"] == "Bound").await;
}

#[tokio::test]
async fn what_cannot_be_offered_says_which_field_is_at_fault_and_harms_nobody_else() {
    let world = World::new().await;
    let resource = |group: &str, kind: &str| json!({"resource": {"apiGroup": group, "kind": kind}});
    world.publish("core", resource("", "ConfigMap")).await;
    world.publish("protected", resource("coordination.k8s.io", "Lease")).await;
    world.publish("missing", resource("nobody.example.com", "Nothing")).await;
    world.publish("databases", resource("example.com", "Database")).await;
    let agent = world.agent().await;
    world.published("databases").await;
    let resources: Api<PublishedResource> = Api::all(world.service());
    for (name, field) in
        [("core", "spec.projection.group: "), ("protected", "spec.projection.group: "), ("missing", "spec.resource: ")]
    {
        let message = eventually("the fault is shown", async || {
            let status = resources.get(name).await.unwrap().status?;
            let condition = status.conditions.into_iter().next()?;
            (!condition.is_true()).then_some(condition.message)
        })
        .await;
        assert!(message.contains(field), "{name}: {message}");
    }
    agent.stop().await;
}

#[tokio::test]
async fn a_schema_that_the_control_plane_refuses_is_shown_and_harms_nobody_else() {
    let world = World::new().await;
    let spec = |projection: Value| json!({"resource": {"apiGroup": "example.com", "kind": "Database"}, "projection": projection});
    // The control plane wants versions to look like versions.
    world.publish("bad", spec(json!({"group": "bad.example.com", "versions": {"v1": "latest"}}))).await;
    world.publish("good", spec(json!({}))).await;
    let agent = world.agent().await;
    world.published("good").await;
    let resources: Api<PublishedResource> = Api::all(world.service());
    let message = eventually("the fault is shown", async || {
        let condition = resources.get("bad").await.unwrap().status?.conditions.into_iter().next()?;
        (!condition.is_true()).then_some(condition.message)
    })
    .await;
    assert!(message.starts_with("spec."), "{message}");
    agent.stop().await;
}
