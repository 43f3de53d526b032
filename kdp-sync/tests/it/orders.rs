//! Orders go down, status comes up, deletion cleans both sides.

use std::time::Duration;

use kdp_sync::wire;
use kube::{
    ResourceExt,
    api::{ListParams, PostParams},
};
use serde_json::json;

use crate::support::{
    self, EXPORT, World, databases, databases_with_credentials, delete, dynamic, eventually, gone, object, patch, seen,
};

#[tokio::test]
async fn an_order_gets_a_copy_and_its_status_comes_back() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    let copy = world.copy("root:a", "db", |_| true).await;
    assert_eq!(copy.data["spec"], json!({"size": 1}));
    assert_eq!(copy.namespace().unwrap(), world.cluster("root:a").await);
    assert_eq!(copy.labels()[wire::AGENT_NAME], "agent");

    let copies = databases(world.service(), copy.namespace().as_deref());
    let mut with_status = copy.clone();
    with_status.data["status"] = json!({"phase": "Ready"});
    copies.replace_status(&copy.name_any(), &PostParams::default(), &with_status).await.unwrap();
    let order = seen(&world.orders("root:a"), "db", |order| order.data["status"]["phase"] == "Ready").await;
    assert_eq!(order.finalizers(), [wire::FINALIZER]);
    agent.stop().await;
}

#[tokio::test]
async fn a_change_goes_down_and_what_was_changed_on_the_service_cluster_stays() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    let copy = world.copy("root:a", "db", |_| true).await;
    let copies = databases(world.service(), copy.namespace().as_deref());
    patch(&copies, &copy.name_any(), json!({"spec": {"tier": "gold"}, "metadata": {"labels": {"local": "yes"}}})).await;
    patch(&world.orders("root:a"), "db", json!({"spec": {"size": 2}})).await;
    let copy = world.copy("root:a", "db", |copy| copy.data["spec"]["size"] == 2).await;
    assert_eq!(copy.data["spec"]["tier"], "gold");
    assert_eq!(copy.labels()["local"], "yes");
    agent.stop().await;
}

#[tokio::test]
async fn a_copy_that_was_deleted_is_made_again() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    let first = world.copy("root:a", "db", |_| true).await;
    delete(&databases(world.service(), first.namespace().as_deref()), &first.name_any()).await;
    let second = world.copy("root:a", "db", |copy| copy.uid() != first.uid()).await;
    assert_eq!(second.data["spec"], json!({"size": 1}));
    agent.stop().await;
}

#[tokio::test]
async fn deleting_an_order_deletes_its_copy_and_all_that_is_remembered() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    let copy = world.copy("root:a", "db", |_| true).await;
    let copies = databases(world.service(), copy.namespace().as_deref());
    // An operator that takes its time.
    patch(&copies, &copy.name_any(), json!({"metadata": {"finalizers": ["example.com/slow"]}})).await;
    delete(&world.orders("root:a"), "db").await;
    seen(&copies, &copy.name_any(), |copy| copy.metadata.deletion_timestamp.is_some()).await;
    assert!(world.orders("root:a").get_opt("db").await.unwrap().is_some(), "the order waits for its copy");
    patch(&copies, &copy.name_any(), json!({"metadata": {"finalizers": null}})).await;
    gone(&world.orders("root:a"), "db").await;
    gone(&copies, &copy.name_any()).await;
    let states = support::secrets(world.service(), "kdp-sync");
    assert_eq!(states.list(&ListParams::default()).await.unwrap().items.len(), 0);
    agent.stop().await;
}

#[tokio::test]
async fn tenants_are_told_what_happens() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    let events = dynamic(world.workspace("root:a"), Some("default"), "v1", "Event", "events");
    eventually("the events are there", async || {
        let list = events.list(&ListParams::default()).await.unwrap();
        let has = |reason: &str| list.items.iter().any(|event| event.data["reason"] == reason);
        (has("ObjectAccepted") && has("ObjectPlaced")).then_some(())
    })
    .await;
    agent.stop().await;
}

#[tokio::test]
async fn equal_names_in_two_workspaces_stay_apart() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    for (path, size) in [("root:a", 1), ("root:b", 2)] {
        world.order(path, "db", json!({"size": size})).await;
    }
    for (path, size) in [("root:a", 1), ("root:b", 2)] {
        let copy = world.copy(path, "db", |_| true).await;
        assert_eq!(copy.data["spec"]["size"], size);
        assert_eq!(copy.namespace().unwrap(), world.cluster(path).await);
    }
    delete(&world.orders("root:a"), "db").await;
    gone(&world.orders("root:a"), "db").await;
    assert_eq!(world.copy("root:b", "db", |_| true).await.data["spec"]["size"], 2);
    agent.stop().await;
}

#[tokio::test]
async fn an_object_that_has_the_name_of_a_copy_by_chance_is_left_alone() {
    let mut spec = databases_with_credentials();
    spec["naming"] = json!({"name": "{{ .Object.metadata.name }}", "namespace": "{{ .ClusterName }}"});
    let (world, agent) = World::with_databases(spec).await;
    let namespace = world.cluster("root:a").await;
    let namespaces = dynamic(world.service(), None, "v1", "Namespace", "namespaces");
    let of = |name: &str| object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    namespaces.create(&PostParams::default(), &of(&namespace)).await.unwrap();
    let copies = databases(world.service(), Some(&namespace));
    let foreign = object(json!({
        "apiVersion": "example.com/v1", "kind": "Database", "metadata": {"name": "db"}, "spec": {"size": 100},
    }));
    let foreign = copies.create(&PostParams::default(), &foreign).await.unwrap();
    world.order("root:a", "db", json!({"size": 1})).await;
    let events = dynamic(world.workspace("root:a"), Some("default"), "v1", "Event", "events");
    eventually("the tenant is told", async || {
        let list = events.list(&ListParams::default()).await.unwrap();
        list.items.iter().any(|event| event.data["reason"] == "ReconcilingError").then_some(())
    })
    .await;
    assert_eq!(copies.get("db").await.unwrap().resource_version(), foreign.resource_version());
    delete(&world.orders("root:a"), "db").await;
    gone(&world.orders("root:a"), "db").await;
    assert_eq!(copies.get("db").await.unwrap().resource_version(), foreign.resource_version());

    // Once the name is free, the next order gets it at once.
    world.order("root:a", "db", json!({"size": 1})).await;
    delete(&copies, "db").await;
    assert_eq!(world.copy("root:a", "db", |_| true).await.name_any(), "db");
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_that_was_killed_anywhere_is_continued_by_the_next() {
    let world = World::new().await;
    world.publish("databases", databases_with_credentials()).await;
    world.agent().await.stop().await;
    for path in ["root:a", "root:b"] {
        world.bind(path, &["events", "namespaces", "secrets"]).await;
    }
    const ORDERS: i64 = 20;
    const PAUSES: [u64; 8] = [5, 10, 15, 20, 30, 40, 60, 80];
    for number in 0..ORDERS {
        world.order("root:a", &format!("db-{number}"), json!({"size": number})).await;
    }
    for pause in PAUSES {
        world.run_and_kill_agent(Duration::from_millis(pause)).await;
    }
    for number in 0..ORDERS / 2 {
        delete(&world.orders("root:a"), &format!("db-{number}")).await;
    }
    for number in ORDERS / 2..ORDERS {
        patch(&world.orders("root:a"), &format!("db-{number}"), json!({"spec": {"size": number + 100}})).await;
    }
    for pause in PAUSES {
        world.run_and_kill_agent(Duration::from_millis(pause)).await;
    }
    let agent = world.agent().await;
    for number in ORDERS / 2..ORDERS {
        let name = format!("db-{number}");
        world.copy("root:a", &name, |copy| copy.data["spec"]["size"] == number + 100).await;
    }
    eventually("what was deleted is gone on both sides", async || {
        let orders = world.orders("root:a").list(&ListParams::default()).await.unwrap().items.len();
        let copies = world.copies().list(&ListParams::default()).await.unwrap().items.len();
        ((orders, copies) == (10, 10)).then_some(())
    })
    .await;
    agent.stop().await;
}

#[tokio::test]
async fn a_workspace_that_gives_up_its_binding_is_cleaned_up() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    for path in ["root:a", "root:b"] {
        world.order(path, "db", json!({"size": 1})).await;
        let copy = world.copy(path, "db", |_| true).await;
        world.provide_secret(&copy, &format!("{}-credentials", copy.name_any()), path).await;
        seen(&support::secrets(world.workspace(path), "default"), "db-credentials", |_| true).await;
    }
    let bindings = dynamic(world.workspace("root:a"), None, "apis.kcp.io/v1alpha2", "APIBinding", "apibindings");
    delete(&bindings, EXPORT).await;
    gone(&bindings, EXPORT).await;
    eventually("only the other tenant's copy is left", async || {
        (world.copies().list(&ListParams::default()).await.unwrap().items.len() == 1).then_some(())
    })
    .await;
    gone(&support::secrets(world.workspace("root:a"), "default"), "db-credentials").await;
    assert_eq!(world.copy("root:b", "db", |_| true).await.data["spec"]["size"], 1);
    agent.stop().await;
}

#[test]
fn an_order_that_ended_in_a_workspace_that_is_empty_now_is_forgotten_by_the_next_agent() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (world, agent) = World::with_databases(databases_with_credentials()).await;
        world.order("root:b", "db", json!({"size": 1})).await;
        world.copy("root:b", "db", |_| true).await;
        agent.stop().await;
        // Another process has worked on it, so it is remembered for a while.
        let agent = world.agent().await;
        patch(&world.orders("root:b"), "db", json!({"spec": {"size": 2}})).await;
        world.copy("root:b", "db", |copy| copy.data["spec"]["size"] == 2).await;
        delete(&world.orders("root:b"), "db").await;
        gone(&world.orders("root:b"), "db").await;
        agent.stop().await;
        let agent = world.agent().await;
        let states = support::secrets(world.service(), "kdp-sync");
        let count = async || states.list(&ListParams::default()).await.unwrap().items.len();
        assert_eq!(count().await, 1);
        tokio::time::sleep(Duration::from_secs(130)).await;
        assert_eq!(count().await, 0);
        agent.stop().await;
    });
}
