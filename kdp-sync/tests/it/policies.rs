//! What is asked for by annotations, end to end.

use kdp_sync::{api::PublishedResource, wire};
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    failures::install,
    support::{World, databases, databases_with_credentials, delete, dynamic, eventually, gone, object, patch, seen},
};

async fn annotate(world: &World, annotations: Value) {
    let api: Api<PublishedResource> = Api::all(world.service());
    let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
    api.patch("databases", &PatchParams::default(), &patch).await.unwrap();
}

/// Databases whose copies have the names of their orders.
fn by_name() -> Value {
    let mut spec = databases_with_credentials();
    spec["naming"] = json!({"name": "{{ .Object.metadata.name }}"});
    spec
}

/// A database that somebody has made on the service cluster.
async fn existing(world: &World, namespace: &str, name: &str, annotations: Value) {
    let namespaces = dynamic(world.service(), None, "v1", "Namespace", "namespaces");
    let of = object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
    if namespaces.get_opt(namespace).await.unwrap().is_none() {
        namespaces.create(&PostParams::default(), &of).await.unwrap();
    }
    let database = object(json!({
        "apiVersion": "example.com/v1", "kind": "Database",
        "metadata": {"name": name, "annotations": annotations, "labels": {"team": "x"}},
        "spec": {"size": 5, "tier": "gold"},
    }));
    databases(world.service(), Some(namespace)).create(&PostParams::default(), &database).await.unwrap();
}

#[tokio::test]
async fn an_annotation_takes_effect_at_once_and_one_that_means_nothing_is_named() {
    let (world, agent) = World::with_databases(by_name()).await;
    annotate(&world, json!({wire::CONFLICT_POLICY: "steal"})).await;
    let api: Api<PublishedResource> = Api::all(world.service());
    eventually("the fault is shown", async || {
        let status = api.get("databases").await.unwrap().status.unwrap();
        status.conditions.iter().any(|c| !c.is_true() && c.message.contains(wire::CONFLICT_POLICY)).then_some(())
    })
    .await;
    let namespace = world.cluster("root:a").await;
    existing(&world, &namespace, "db", json!({})).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    let events = dynamic(world.workspace("root:a"), Some("default"), "v1", "Event", "events");
    eventually("the tenant is told what the matter is", async || {
        let list = events.list(&ListParams::default()).await.unwrap();
        let is_it = |text: &str| text.contains("the name of its copy on the service cluster is taken");
        list.items.iter().any(|event| event.data["message"].as_str().is_some_and(is_it)).then_some(())
    })
    .await;
    annotate(&world, json!({wire::CONFLICT_POLICY: "adopt"})).await;
    let copy = world.copy("root:a", "db", |copy| copy.data["spec"]["size"] == 1).await;
    assert_eq!((copy.name_any().as_str(), &copy.data["spec"]["tier"]), ("db", &json!("gold")));
    delete(&world.orders("root:a"), "db").await;
    gone(&databases(world.service(), Some(&namespace)), "db").await;
    agent.stop().await;
}

#[tokio::test]
async fn an_imported_object_gives_its_fields_to_the_order() {
    let (world, agent) = World::with_databases(by_name()).await;
    annotate(&world, json!({wire::CONFLICT_POLICY: "import"})).await;
    let namespace = world.cluster("root:a").await;
    existing(&world, &namespace, "db", json!({})).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    seen(&world.orders("root:a"), "db", |order| order.data["spec"] == json!({"size": 5, "tier": "gold"})).await;
    let copy = world.copy("root:a", "db", |_| true).await;
    assert_eq!(copy.data["spec"], json!({"size": 5, "tier": "gold"}));
    patch(&world.orders("root:a"), "db", json!({"spec": {"size": 6}})).await;
    world.copy("root:a", "db", |copy| copy.data["spec"] == json!({"size": 6, "tier": "gold"})).await;
    agent.stop().await;
}

#[tokio::test]
async fn an_object_that_asks_for_it_gets_an_order() {
    let mut spec = by_name();
    spec["enableWorkspacePaths"] = true.into();
    let world = World::new().await;
    world.publish("databases", spec).await;
    let agent = world.agent().await;
    world.published("databases").await;
    for path in ["root:a", "root:b"] {
        world.bind(path, &["events", "namespaces", "secrets", "core.kcp.io/logicalclusters"]).await;
    }
    let cluster = world.cluster("root:a").await;
    existing(&world, "old", "by-name", json!({wire::IMPORT: format!("{cluster}|default/one")})).await;
    existing(&world, "old", "by-path", json!({wire::IMPORT: "root:b|default/two", "note": "x"})).await;
    for (path, name, from) in [("root:a", "one", "by-name"), ("root:b", "two", "by-path")] {
        let order = seen(&world.orders(path), name, |order| !order.finalizers().is_empty()).await;
        assert_eq!(order.data["spec"], json!({"size": 5, "tier": "gold"}));
        assert_eq!(order.labels()["team"], "x");
        assert!(!order.annotations().contains_key(wire::IMPORT));
        let copy = world.copy(path, name, |copy| !copy.annotations().contains_key(wire::IMPORT)).await;
        assert_eq!((copy.name_any().as_str(), copy.namespace().as_deref()), (from, Some("old")));
        assert_eq!((&copy.data["spec"], copy.metadata.generation), (&json!({"size": 5, "tier": "gold"}), Some(1)));
    }
    assert_eq!(world.copies().list(&ListParams::default()).await.unwrap().items.len(), 2);
    patch(&world.orders("root:a"), "one", json!({"spec": {"size": 6}})).await;
    world.copy("root:a", "one", |copy| copy.data["spec"]["size"] == 6).await;
    delete(&world.orders("root:b"), "two").await;
    gone(&databases(world.service(), Some("old")), "by-path").await;
    gone(&world.orders("root:b"), "two").await;
    agent.stop().await;
}

#[tokio::test]
async fn an_object_that_cannot_be_imported_says_so_and_stays() {
    let (world, agent) = World::with_databases(by_name()).await;
    let (bound, unbound) = (world.cluster("root:a").await, world.cluster("root:provider").await);
    world.order("root:a", "taken", json!({"size": 1})).await;
    let copy = world.copy("root:a", "taken", |_| true).await;
    existing(&world, "old", "unbound", json!({wire::IMPORT: format!("{unbound}|default/db")})).await;
    existing(&world, "old", "second", json!({wire::IMPORT: format!("{bound}|default/taken")})).await;
    let copies = databases(world.service(), Some("old"));
    let events = dynamic(world.service(), Some("old"), "v1", "Event", "events");
    for name in ["unbound", "second"] {
        eventually("the provider is told", async || {
            let list = events.list(&ListParams::default()).await.unwrap();
            list.items.iter().any(|event| event.data["involvedObject"]["name"] == name).then_some(())
        })
        .await;
        let object = copies.get(name).await.unwrap();
        assert!(object.labels().len() == 1 && object.finalizers().is_empty(), "{name}");
    }
    assert_eq!(world.copy("root:a", "taken", |_| true).await.uid(), copy.uid());
    let orders = databases(world.workspace("root:provider"), Some("default"));
    assert!(orders.get_opt("db").await.ok().flatten().is_none());
    // The order that has another copy is served as before.
    patch(&world.orders("root:a"), "taken", json!({"spec": {"size": 2}})).await;
    world.copy("root:a", "taken", |copy| copy.data["spec"]["size"] == 2).await;
    agent.stop().await;
}

#[tokio::test]
async fn an_order_whose_copy_is_paused_is_left_alone_until_it_is_not() {
    let (world, agent) = World::with_databases(by_name()).await;
    for name in ["paused", "other"] {
        world.order("root:a", name, json!({"size": 1})).await;
        world.copy("root:a", name, |_| true).await;
    }
    let orders = world.orders("root:a");
    let copy = world.copy("root:a", "paused", |_| true).await;
    let copies = databases(world.service(), copy.namespace().as_deref());
    let pause = |value: Value| json!({"metadata": {"annotations": {wire::PAUSED: value}}});
    patch(&copies, &copy.name_any(), pause("true".into())).await;
    for name in ["paused", "other"] {
        patch(&orders, name, json!({"spec": {"size": 2}})).await;
    }
    world.copy("root:a", "other", |copy| copy.data["spec"]["size"] == 2).await;
    assert_eq!(world.copy("root:a", "paused", |_| true).await.data["spec"]["size"], 1);
    delete(&orders, "paused").await;
    delete(&orders, "other").await;
    gone(&orders, "other").await;
    assert_eq!(world.copy("root:a", "paused", |_| true).await.data["spec"]["size"], 1);
    patch(&copies, &copy.name_any(), pause(Value::Null)).await;
    gone(&orders, "paused").await;
    agent.stop().await;
}

#[tokio::test]
async fn a_tenant_cannot_keep_his_copy_from_being_deleted() {
    let (world, agent) = World::with_databases(by_name()).await;
    annotate(&world, json!({wire::TENANT_PAUSE: "allowed"})).await;
    let orders = world.orders("root:a");
    for name in ["paused", "other"] {
        world.order("root:a", name, json!({"size": 1})).await;
        world.copy("root:a", name, |_| true).await;
    }
    patch(&orders, "paused", json!({"metadata": {"annotations": {wire::PAUSED: "true"}}, "spec": {"size": 2}})).await;
    patch(&orders, "other", json!({"spec": {"size": 2}})).await;
    world.copy("root:a", "other", |copy| copy.data["spec"]["size"] == 2).await;
    delete(&orders, "paused").await;
    gone(&orders, "paused").await;
    agent.stop().await;
}

#[tokio::test]
async fn an_order_tells_generations_of_its_own() {
    let world = World::new().await;
    install(&world, "engines", "Engine", "Namespaced", json!({"status": {}})).await;
    world.publish("databases", json!({"resource": {"apiGroup": "example.com", "kind": "Engine"}})).await;
    annotate(&world, json!({wire::OBSERVED_GENERATION: "translate", wire::TENANT_PAUSE: "allowed"})).await;
    let agent = world.agent().await;
    world.published("databases").await;
    world.bind("root:a", &["events", "namespaces"]).await;
    let engines = |client, namespace| dynamic(client, namespace, "example.com/v1", "Engine", "engines");
    let orders = engines(world.workspace("root:a"), Some("default"));
    let order = json!({"apiVersion": "example.com/v1", "kind": "Engine", "metadata": {"name": "e"}, "spec": {"a": 1}});
    orders.create(&PostParams::default(), &object(order)).await.unwrap();
    let all = engines(world.service(), None);
    let copy = async |size: u64| {
        eventually("the copy is up to date", async || {
            let copies = all.list(&ListParams::default()).await.unwrap().items;
            copies.into_iter().find(|copy| copy.data["spec"]["a"] == size)
        })
        .await
    };
    copy(1).await;
    // A pause, so that the copy does not see each of the order's generations.
    patch(&orders, "e", json!({"metadata": {"annotations": {wire::PAUSED: "true"}}})).await;
    for size in [2, 3, 4] {
        patch(&orders, "e", json!({"spec": {"a": size}})).await;
    }
    patch(&orders, "e", json!({"metadata": {"annotations": {wire::PAUSED: null}}})).await;
    let mut observed = copy(4).await;
    let copies = engines(world.service(), observed.namespace().as_deref());
    let generation = observed.metadata.generation.unwrap();
    observed.data["status"] = json!({"observedGeneration": generation});
    copies.replace_status(&observed.name_any(), &PostParams::default(), &observed).await.unwrap();
    let order = seen(&orders, "e", |order| order.data["status"]["observedGeneration"] == 4).await;
    assert!(order.metadata.generation == Some(4) && generation < 4);
    // What has not seen the next change does not say that it has.
    patch(&orders, "e", json!({"spec": {"a": 5}})).await;
    let mut stale = copy(5).await;
    stale.data["status"] = json!({"observedGeneration": generation, "phase": "Busy"});
    copies.replace_status(&stale.name_any(), &PostParams::default(), &stale).await.unwrap();
    let order = seen(&orders, "e", |order| order.data["status"]["phase"] == "Busy").await;
    assert_eq!((order.metadata.generation, &order.data["status"]["observedGeneration"]), (Some(5), &json!(4)));
    agent.stop().await;
}
