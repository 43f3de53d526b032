//! What goes wrong, and what tenants hear of it.

use kube::{
    ResourceExt,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};

use crate::support::{
    self, World, databases, databases_with_credentials, delete, dynamic, eventually, gone, object, patch, seen,
};

async fn told(world: &World, path: &str, reason: &str) -> String {
    let events = dynamic(world.workspace(path), Some("default"), "v1", "Event", "events");
    eventually("the tenant is told", async || {
        let list = events.list(&ListParams::default()).await.unwrap();
        let event = list.items.into_iter().find(|event| event.data["reason"] == reason)?;
        Some(event.data["message"].as_str().unwrap().to_owned())
    })
    .await
}

#[tokio::test]
async fn tenants_hear_which_related_resource_fails_but_nothing_of_the_service_cluster() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    let own = object(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db-credentials"}}));
    let secrets = support::secrets(world.workspace("root:a"), "default");
    secrets.create(&PostParams::default(), &own).await.unwrap();
    world.order("root:a", "db", json!({"size": 1})).await;
    let copy = world.copy("root:a", "db", |_| true).await;
    world.provide_secret(&copy, &format!("{}-credentials", copy.name_any()), "theirs").await;
    let message = told(&world, "root:a", "ReconcilingError").await;
    assert!(message.contains("the related resource \"credentials\""), "{message}");
    assert!(message.contains("not made for this order"), "{message}");
    assert!(!message.contains(&copy.name_any()), "{message}");
    agent.stop().await;
}

/// Installs a kind on the service cluster; everything is allowed in its objects.
pub(crate) async fn install(world: &World, plural: &str, kind: &str, scope: &str, subresources: Value) {
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.example.com")},
        "spec": {
            "group": "example.com", "scope": scope,
            "names": {
                "kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List"),
            },
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": subresources,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    });
    kdp_core::api::install_crd(&world.service(), &serde_json::from_value(definition).unwrap(), "test").await.unwrap();
}

fn only_the_schema(kind: &str) -> Value {
    json!({"resource": {"apiGroup": "example.com", "kind": kind}, "synchronization": {"enabled": false}})
}

#[tokio::test]
async fn a_status_that_cannot_be_written_is_told_once_and_holds_up_nothing() {
    let world = World::new().await;
    install(&world, "widgets", "Widget", "Namespaced", json!({})).await;
    world.publish("widgets", only_the_schema("Widget")).await;
    let mut spec = databases_with_credentials();
    let widget = json!({
        "identifier": "widget", "origin": "service", "group": "example.com", "version": "v1", "resource": "widgets",
        "syncStatus": true, "watch": {"byOwner": {}}, "cleanup": true,
        "object": {"template": {"template": "{{ .Object.metadata.name }}"}},
    });
    spec["related"].as_array_mut().unwrap().insert(0, widget);
    world.publish("databases", spec).await;
    let agent = world.agent().await;
    world.published("databases").await;
    world.bind("root:a", &["events", "namespaces", "secrets"]).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    let copy = world.copy("root:a", "db", |_| true).await;
    let widgets = |client, namespace: &str| dynamic(client, Some(namespace), "example.com/v1", "Widget", "widgets");
    let widget = object(json!({
        "apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": copy.name_any()},
        "spec": {"a": 1}, "status": {"phase": "Ready"},
    }));
    widgets(world.service(), &copy.namespace().unwrap()).create(&PostParams::default(), &widget).await.unwrap();
    let delivered = widgets(world.workspace("root:a"), "default");
    seen(&delivered, "db", |widget| widget.data["spec"]["a"] == 1).await;
    let message = told(&world, "root:a", "StatusSubresourceMissing").await;
    assert!(message.contains("\"widget\""), "{message}");
    // The next entry in the list is served, and so is the order.
    world.provide_secret(&copy, &format!("{}-credentials", copy.name_any()), "one").await;
    seen(&support::secrets(world.workspace("root:a"), "default"), "db-credentials", |_| true).await;
    patch(&world.orders("root:a"), "db", json!({"spec": {"size": 2}})).await;
    world.copy("root:a", "db", |copy| copy.data["spec"]["size"] == 2).await;
    let events = dynamic(world.workspace("root:a"), Some("default"), "v1", "Event", "events");
    let list = events.list(&ListParams::default()).await.unwrap();
    let count = |reason: &str| list.items.iter().filter(|event| event.data["reason"] == reason).count();
    assert_eq!((count("StatusSubresourceMissing"), count("ReconcilingError")), (1, 0));
    delete(&world.orders("root:a"), "db").await;
    gone(&world.orders("root:a"), "db").await;
    gone(&delivered, "db").await;
    agent.stop().await;
}

#[tokio::test]
async fn orders_copies_and_related_objects_may_all_be_outside_of_namespaces() {
    let world = World::new().await;
    for (plural, kind) in [("zones", "Zone"), ("grants", "Grant")] {
        install(&world, plural, kind, "Cluster", json!({})).await;
    }
    world.publish("grants", only_the_schema("Grant")).await;
    let grant = json!({
        "identifier": "grant", "origin": "service", "group": "example.com", "version": "v1", "resource": "grants",
        "cleanup": true, "object": {"template": {"template": "{{ .Object.metadata.name }}-grant"}},
    });
    world
        .publish(
            "zones",
            json!({
                "resource": {"apiGroup": "example.com", "kind": "Zone"},
                "naming": {"name": "{{ .ClusterName }}-{{ .Object.metadata.name }}"},
                "related": [grant],
            }),
        )
        .await;
    let agent = world.agent().await;
    world.published("zones").await;
    for path in ["root:a", "root:b"] {
        world.bind(path, &["events", "namespaces"]).await;
    }
    let of = |client, kind: &str, plural: &str| dynamic(client, None, "example.com/v1", kind, plural);
    let zone = object(json!({"apiVersion": "example.com/v1", "kind": "Zone", "metadata": {"name": "z"}}));
    for path in ["root:a", "root:b"] {
        of(world.workspace(path), "Zone", "zones").create(&PostParams::default(), &zone).await.unwrap();
        let name = format!("{}-z", world.cluster(path).await);
        seen(&of(world.service(), "Zone", "zones"), &name, |_| true).await;
        let grant = object(json!({
            "apiVersion": "example.com/v1", "kind": "Grant",
            "metadata": {"name": format!("{name}-grant")}, "spec": {"for": path},
        }));
        of(world.service(), "Grant", "grants").create(&PostParams::default(), &grant).await.unwrap();
    }
    for path in ["root:a", "root:b"] {
        let delivered = of(world.workspace(path), "Grant", "grants");
        seen(&delivered, "z-grant", |grant| grant.data["spec"]["for"] == path).await;
        let zones = of(world.workspace(path), "Zone", "zones");
        let order = seen(&zones, "z", |zone| zone.annotations().keys().any(|key| key.contains("/grant."))).await;
        let listed = &order.annotations()["related-resources.syncagent.kcp.io/grant.0"];
        let listed: Value = serde_json::from_str(listed).unwrap();
        assert_eq!(listed, json!({"apiVersion": "example.com/v1", "kind": "Grant", "name": "z-grant"}));
    }
    let zones = of(world.workspace("root:a"), "Zone", "zones");
    delete(&zones, "z").await;
    gone(&zones, "z").await;
    gone(&of(world.workspace("root:a"), "Grant", "grants"), "z-grant").await;
    assert_eq!(of(world.service(), "Zone", "zones").list(&ListParams::default()).await.unwrap().items.len(), 1);
    agent.stop().await;
}

#[tokio::test]
async fn a_namespace_on_the_service_cluster_that_is_deleted_comes_again_with_its_copies() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    let first = world.copy("root:a", "db", |_| true).await;
    let namespace = first.namespace().unwrap();
    let copies = databases(world.service(), Some(&namespace));
    // An operator holds the namespace for a while.
    patch(&copies, &first.name_any(), json!({"metadata": {"finalizers": ["example.com/slow"]}})).await;
    delete(&dynamic(world.service(), None, "v1", "Namespace", "namespaces"), &namespace).await;
    seen(&copies, &first.name_any(), |copy| copy.metadata.deletion_timestamp.is_some()).await;
    patch(&copies, &first.name_any(), json!({"metadata": {"finalizers": null}})).await;
    let second = world.copy("root:a", "db", |copy| copy.uid() != first.uid()).await;
    assert_eq!(second.data["spec"], json!({"size": 1}));
    agent.stop().await;
}
