//! Fields of a PublishedResource, end to end.

use kube::{
    ResourceExt,
    api::{ListParams, PostParams},
};
use serde_json::json;

use crate::support::{
    self, World, databases, databases_with_credentials, delete, dynamic, eventually, gone, object, password, patch,
    seen,
};

#[tokio::test]
async fn a_projected_kind_is_what_tenants_see() {
    let mut spec = databases_with_credentials();
    spec["projection"] = json!({"group": "cloud.example.org", "kind": "Store", "versions": {"v1": "v1beta1"}});
    let (world, agent) = World::with_databases(spec).await;
    let stores = dynamic(world.workspace("root:a"), Some("default"), "cloud.example.org/v1beta1", "Store", "stores");
    let store = object(json!({
        "apiVersion": "cloud.example.org/v1beta1", "kind": "Store", "metadata": {"name": "db"}, "spec": {"size": 1},
    }));
    stores.create(&PostParams::default(), &store).await.unwrap();
    let copy = world.copy("root:a", "db", |_| true).await;
    assert_eq!(copy.types.as_ref().unwrap().kind, "Database");
    world.provide_secret(&copy, &format!("{}-credentials", copy.name_any()), "one").await;
    seen(&support::secrets(world.workspace("root:a"), "default"), "db-credentials", |_| true).await;
    delete(&stores, "db").await;
    gone(&stores, "db").await;
    agent.stop().await;
}

#[tokio::test]
async fn a_kind_can_be_in_namespaces_for_the_service_cluster_only() {
    let spec = json!({
        "resource": {"apiGroup": "example.com", "kind": "Database"},
        "projection": {"scope": "Cluster"},
        "related": [{
            "identifier": "credentials", "origin": "service", "kind": "Secret", "cleanup": true,
            "object": {
                "template": {"template": "{{ .Object.metadata.name }}-credentials"},
                "namespace": {"template": {"template": "{{ if eq .Side \"kcp\" }}default{{ else }}{{ .ClusterName }}{{ end }}"}},
            },
        }],
    });
    let (world, agent) = World::with_databases(spec).await;
    let orders = dynamic(world.workspace("root:a"), None, "example.com/v1", "Database", "databases");
    let order = object(json!({
        "apiVersion": "example.com/v1", "kind": "Database", "metadata": {"name": "db"}, "spec": {"size": 1},
    }));
    orders.create(&PostParams::default(), &order).await.unwrap();
    let copy = world.copy("root:a", "db", |_| true).await;
    assert_eq!(copy.namespace().unwrap(), world.cluster("root:a").await);
    world.provide_secret(&copy, &format!("{}-credentials", copy.name_any()), "one").await;
    let secrets = support::secrets(world.workspace("root:a"), "default");
    assert_eq!(password(&seen(&secrets, "db-credentials", |_| true).await), "one");
    delete(&orders, "db").await;
    gone(&orders, "db").await;
    gone(&secrets, "db-credentials").await;
    agent.stop().await;
}

#[tokio::test]
async fn mutations_rewrite_both_ways() {
    let mut spec = databases_with_credentials();
    spec["mutation"] = json!({
        "spec": [
            {"cel": {"path": "spec.size", "expression": "int(value) * 10"}},
            {"template": {"path": "spec.tier", "template": "{{ upper .Value.String }}"}},
        ],
        "status": [{"regex": {"path": "status.phase", "pattern": "^Internal", "replacement": ""}}],
    });
    let (world, agent) = World::with_databases(spec).await;
    world.order("root:a", "db", json!({"size": 1, "tier": "gold"})).await;
    let mut copy = world.copy("root:a", "db", |_| true).await;
    assert_eq!(copy.data["spec"], json!({"size": 10, "tier": "GOLD"}));
    copy.data["status"] = json!({"phase": "InternalReady"});
    let copies = databases(world.service(), copy.namespace().as_deref());
    copies.replace_status(&copy.name_any(), &PostParams::default(), &copy).await.unwrap();
    seen(&world.orders("root:a"), "db", |order| order.data["status"]["phase"] == "Ready").await;
    patch(&world.orders("root:a"), "db", json!({"spec": {"size": 2}})).await;
    world.copy("root:a", "db", |copy| copy.data["spec"]["size"] == 20).await;
    agent.stop().await;
}

#[tokio::test]
async fn an_order_is_served_from_when_its_namespace_matches_the_filter() {
    let mut spec = databases_with_credentials();
    spec["filter"] = json!({"namespace": {"matchLabels": {"stage": "production"}}});
    let (world, agent) = World::with_databases(spec).await;
    world.order("root:b", "db", json!({"size": 1})).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    let namespaces = dynamic(world.workspace("root:a"), None, "v1", "Namespace", "namespaces");
    patch(&namespaces, "default", json!({"metadata": {"labels": {"stage": "production"}}})).await;
    world.copy("root:a", "db", |_| true).await;
    assert_eq!(world.copies().list(&ListParams::default()).await.unwrap().items.len(), 1);
    // What was begun is finished, whatever the filter says by then.
    patch(&namespaces, "default", json!({"metadata": {"labels": {"stage": null}}})).await;
    delete(&world.orders("root:a"), "db").await;
    gone(&world.orders("root:a"), "db").await;
    eventually("the copy is gone", async || {
        world.copies().list(&ListParams::default()).await.unwrap().items.is_empty().then_some(())
    })
    .await;
    agent.stop().await;
}

#[tokio::test]
async fn workspace_paths_are_written_on_copies_if_asked_for() {
    let world = World::new().await;
    let mut spec = databases_with_credentials();
    spec["enableWorkspacePaths"] = true.into();
    spec["naming"] = json!({"namespace": "{{ replace \":\" \"-\" .ClusterPath }}"});
    world.publish("databases", spec).await;
    let agent = world.agent().await;
    world.published("databases").await;
    world.bind("root:a", &["events", "namespaces", "secrets", "core.kcp.io/logicalclusters"]).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    let copy = world.copy("root:a", "db", |_| true).await;
    assert_eq!(copy.annotations()[kdp_sync::wire::PATH_ANNOTATION], "root:a");
    assert_eq!(copy.namespace().unwrap(), "root-a");
    agent.stop().await;
}

#[tokio::test]
async fn objects_found_by_their_labels_come_up_together() {
    let mut spec = databases_with_credentials();
    spec["related"][0]["object"] = json!({"selector": {
        "matchLabels": {"database": "{{ .LocalObject.metadata.name }}"},
        "rewrite": {"template": {"template": "{{ .RemoteObject.metadata.name }}-{{ .RelatedObject.metadata.labels.role }}"}},
    }});
    let (world, agent) = World::with_databases(spec).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    let copy = world.copy("root:a", "db", |_| true).await;
    let originals = support::secrets(world.service(), &copy.namespace().unwrap());
    for role in ["reader", "writer"] {
        let secret = object(json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": role, "labels": {"database": copy.name_any(), "role": role}},
            "stringData": {"password": role},
        }));
        originals.create(&PostParams::default(), &secret).await.unwrap();
    }
    let secrets = support::secrets(world.workspace("root:a"), "default");
    for role in ["reader", "writer"] {
        assert_eq!(password(&seen(&secrets, &format!("db-{role}"), |_| true).await), role);
    }
    agent.stop().await;
}
