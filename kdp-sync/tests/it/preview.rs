//! What an agent would do, and what does not agree.

use std::sync::Arc;

use kdp_core::SharedControlPlane;
use kdp_sync::{
    Agent, AgentOptions, Inspector,
    preview::{Action, Preview},
};
use kube::{ResourceExt, api::DynamicObject};
use serde_json::json;

use crate::support::{EXPORT, World, databases_with_credentials, delete, dynamic, eventually, patch, secrets, seen};

fn inspector(world: &World) -> (Inspector, SharedControlPlane) {
    let options = AgentOptions::new("agent", "root:provider".parse().unwrap(), EXPORT).with_created_export();
    (Agent::new(world.service(), options).inspector(), Arc::new(world.control_plane.clone()))
}

async fn preview(world: &World) -> Preview {
    let (inspector, control_plane) = inspector(world);
    inspector.preview(&control_plane).await.unwrap()
}

/// Each change as its action, kind and name.
fn changes(preview: &Preview) -> Vec<(Action, &str, &str)> {
    preview.changes.iter().map(|change| (change.action, &*change.object.kind, &*change.object.name)).collect()
}

#[tokio::test]
async fn what_would_be_published_is_told_and_not_done() {
    let world = World::new().await;
    world.publish("databases", databases_with_credentials()).await;
    let preview = preview(&world).await;
    let kinds: Vec<_> = preview.changes.iter().map(|change| (change.action, &*change.object.kind)).collect();
    let expected =
        [(Action::Create, "APIResourceSchema"), (Action::Update, "PublishedResource"), (Action::Create, "APIExport")];
    assert_eq!(kinds, expected, "{preview}");
    assert_eq!(preview.problems, [], "{preview}");
    let exports = dynamic(world.workspace("root:provider"), None, "apis.kcp.io/v1alpha2", "APIExport", "apiexports");
    assert!(exports.get_opt(EXPORT).await.unwrap().is_none(), "nothing was written");
}

#[tokio::test]
async fn what_is_wrong_with_a_resource_is_among_the_problems() {
    let world = World::new().await;
    world.publish("queues", json!({"resource": {"apiGroup": "example.com", "kind": "Queue"}})).await;
    let preview = preview(&world).await;
    assert!(preview.is_empty(), "{preview}");
    assert!(preview.to_string().contains("! queues: cannot discover spec.resource: "), "{preview}");
}

#[tokio::test]
async fn nothing_is_left_to_do_once_an_agent_has_done_it() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    let copy = world.copy("root:a", "db", |_| true).await;
    world.provide_secret(&copy, &format!("{}-credentials", copy.name_any()), "hunter2").await;
    seen(&secrets(world.workspace("root:a"), "default"), &format!("{}-credentials", "db"), |_| true).await;
    let done = eventually("nothing is left to do", async || {
        let preview = preview(&world).await;
        preview.is_empty().then_some(preview)
    })
    .await;
    assert_eq!(done.problems, [], "{done}");
    agent.stop().await;
}

#[tokio::test]
async fn an_order_is_followed_to_its_end_and_secrets_stay_secret() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    agent.stop().await;
    world.order("root:a", "db", json!({"size": 1, "tier": "gold"})).await;
    let before = all(&world).await;
    let told = preview(&world).await;
    let copy = told.changes.iter().find(|change| change.object.kind == "Database" && change.action == Action::Create);
    let copy = copy.unwrap_or_else(|| panic!("{told}"));
    assert!(copy.fields.iter().any(|field| field.path == "spec.size" && field.after == Some(json!(1))), "{told}");
    let text = told.to_string();
    for part in ["+ create Namespace", "~ update Database default/db in workspace", "+ metadata.finalizers[0]: "] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    // What was last synced is remembered in a Secret.
    let state = told.changes.iter().find(|change| change.object.name.starts_with("obj-state-")).unwrap();
    assert!(state.fields.iter().any(|field| field.path.starts_with("data.")), "{told}");
    assert!(!serde_json::to_string(state).unwrap().contains("gold"), "{told}");
    assert_eq!(before, all(&world).await, "nothing was written");
}

#[tokio::test]
async fn a_deletion_is_told_for_everything_that_goes() {
    let (world, agent) =
        World::with_databases(json!({"resource": {"apiGroup": "example.com", "kind": "Database"}})).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    let copy = world.copy("root:a", "db", |_| true).await;
    eventually("the order is settled", async || preview(&world).await.is_empty().then_some(())).await;
    agent.stop().await;
    delete(&world.orders("root:a"), "db").await;
    let told = preview(&world).await;
    let changes = changes(&told);
    assert!(changes.contains(&(Action::Delete, "Database", &copy.name_any())), "{told}");
    assert!(world.copies().list(&Default::default()).await.unwrap().items.len() == 1, "nothing was written");
}

#[tokio::test]
async fn drift_is_what_the_order_says_otherwise() {
    let (world, agent) =
        World::with_databases(json!({"resource": {"apiGroup": "example.com", "kind": "Database"}})).await;
    for name in ["a", "b"] {
        world.order("root:a", name, json!({"size": 1})).await;
    }
    let copy = world.copy("root:a", "a", |_| true).await;
    let lost = world.copy("root:a", "b", |_| true).await;
    eventually("the orders are settled", async || preview(&world).await.is_empty().then_some(())).await;
    let (inspector, control_plane) = inspector(&world);
    let agreed = inspector.drift(&control_plane).await.unwrap();
    assert!(agreed.is_empty(), "{agreed}");
    agent.stop().await;

    let api = crate::support::databases(world.service(), copy.namespace().as_deref());
    patch(&api, &copy.name_any(), json!({"spec": {"size": 7, "tier": "gold"}})).await;
    delete(&api, &lost.name_any()).await;
    let orphan = crate::support::object(json!({
        "apiVersion": "example.com/v1", "kind": "Database",
        "metadata": {"name": "orphan", "labels": {"syncagent.kcp.io/agent-name": "agent"}}, "spec": {},
    }));
    api.create(&Default::default(), &orphan).await.unwrap();
    let drift = inspector.drift(&control_plane).await.unwrap();
    let [drifted] = &drift.drifted[..] else { panic!("{drift}") };
    let fields: Vec<_> = drifted.fields.iter().map(|field| (&*field.path, &field.before, &field.after)).collect();
    assert_eq!(fields, [("spec.size", &Some(json!(1)), &Some(json!(7)))], "{drift}");
    assert_eq!(drift.missing.len(), 1, "{drift}");
    assert_eq!(drift.orphans.iter().map(|orphan| &*orphan.name).collect::<Vec<_>>(), ["orphan"], "{drift}");
    assert_eq!(drift.leftovers, [], "{drift}");
}

/// Every order, copy and Secret.
async fn all(world: &World) -> Vec<DynamicObject> {
    let mut all = world.orders("root:a").list(&Default::default()).await.unwrap().items;
    all.extend(world.copies().list(&Default::default()).await.unwrap().items);
    let secrets = dynamic(world.service(), None, "v1", "Secret", "secrets");
    all.extend(secrets.list(&Default::default()).await.unwrap().items);
    all
}
