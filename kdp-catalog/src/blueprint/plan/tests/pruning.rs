//! What is removed, what is kept, and what is never made anew.

use serde_json::json;

use super::{Cluster, applied, removed, waiting};
use crate::blueprint::{
    Graph,
    fixtures::graph,
    plan::{InventoryEntry, deletion_waves},
};

fn chain() -> Graph {
    graph(
        r#"
schema: {apiVersion: v1alpha1, kind: App, spec: {on: boolean, name: string}}
resources:
  - {id: base, includeWhen: ["${schema.spec.on}"], template: {apiVersion: v1, kind: ConfigMap, metadata: {name: "${schema.spec.name}"}}}
  - {id: middle, template: {apiVersion: apps/v1, kind: Deployment, metadata: {name: "${base.metadata.name}-m"}}}
  - {id: top, template: {apiVersion: v1, kind: Service, metadata: {name: "${middle.metadata.name}-t"}}}
"#,
    )
}

#[test]
fn what_is_left_out_is_removed_from_the_top_down() {
    let graph = chain();
    let mut cluster = Cluster::new(&graph, &json!({"on": true, "name": "a"}));
    cluster.settle();
    assert_eq!(cluster.objects.len(), 3);
    cluster.instance["spec"]["on"] = false.into();
    assert_eq!(removed(&cluster.plan()), [["a-m-t"], ["a-m"], ["a"]]);
    cluster.reconcile();
    assert_eq!(cluster.names(), ["base/a", "middle/a-m"], "one wave at a time");
    cluster.settle();
    assert!(cluster.objects.is_empty() && cluster.inventory.is_empty());
}

#[test]
fn a_new_name_is_made_and_the_old_one_removed() {
    let graph = chain();
    let mut cluster = Cluster::new(&graph, &json!({"on": true, "name": "a"}));
    cluster.settle();
    cluster.instance["spec"]["name"] = "b".into();
    let plan = cluster.reconcile();
    assert_eq!(applied(&plan), ["b"]);
    assert!(plan.remove.is_empty(), "not before the new one is there");
    assert_eq!(waiting(&plan), ["base: ConfigMap b is not there", "middle: waits for base", "top: waits for middle"]);
    cluster.reconcile();
    assert!(cluster.reconcile().remove.is_empty(), "what was made with it is not replaced yet");
    assert_eq!(removed(&cluster.plan()), [["a-m-t"], ["a-m"], ["a"]]);
    cluster.settle();
    assert_eq!(cluster.names(), ["base/b", "middle/b-m", "top/b-m-t"]);
}

#[test]
fn what_waits_is_kept() {
    let graph = chain();
    let mut cluster = Cluster::new(&graph, &json!({"on": true, "name": "a"}));
    cluster.settle();
    cluster.instance["spec"] = json!({"on": true});
    let plan = cluster.plan();
    assert!(plan.apply.is_empty() && plan.remove.is_empty());
    assert_eq!(plan.inventory.len(), 3);
    cluster.instance["spec"] = json!({});
    assert!(cluster.plan().remove.is_empty());
}

#[test]
fn a_renamed_resource_keeps_its_object() {
    let old = graph(
        "schema: {apiVersion: v1, kind: App}\nresources: [{id: old, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}}]",
    );
    let mut cluster = Cluster::new(&old, &json!({}));
    cluster.settle();
    let new = graph(
        r#"
schema: {apiVersion: v1, kind: App}
resources:
  - {id: db, template: {apiVersion: db.example.com/v1, kind: Database, metadata: {name: db}}}
  - {id: fresh, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: x, labels: {host: "${db.status.endpoint}"}}}}
"#,
    );
    cluster.graph = &new;
    let plan = cluster.settle();
    assert!(waiting(&plan)[0].starts_with("fresh: cannot be told"), "{:?}", waiting(&plan));
    assert!(plan.remove.is_empty(), "fresh could become the object that old made");
    cluster.status("db", &json!({"endpoint": "h"}));
    let plan = cluster.settle();
    assert!(plan.remove.is_empty() && plan.is_ready);
    assert_eq!(cluster.names(), ["fresh/x", "db/db"]);
    assert_eq!(plan.inventory.len(), 2);
}

#[test]
fn what_becomes_somebody_elses_is_let_go() {
    let made = graph(
        "schema: {apiVersion: v1, kind: App}\nresources: [{id: x, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}}]",
    );
    let mut cluster = Cluster::new(&made, &json!({}));
    cluster.settle();
    let foreign = graph(
        "schema: {apiVersion: v1, kind: App}\nresources: [{id: x, externalRef: {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}}]",
    );
    cluster.graph = &foreign;
    let plan = cluster.plan();
    assert!(plan.remove.is_empty() && plan.inventory.is_empty() && plan.is_ready);
}

#[test]
fn what_is_being_deleted_is_not_made_before_it_is_gone() {
    let graph = chain();
    let mut cluster = Cluster::new(&graph, &json!({"on": true, "name": "a"}));
    cluster.settle();
    cluster.objects[0].1["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    let plan = cluster.plan();
    assert!(plan.apply.is_empty() && plan.remove.is_empty() && !plan.is_ready);
    assert_eq!(waiting(&plan)[0], "base: ConfigMap a is being deleted");
    cluster.objects.remove(0);
    assert_eq!(applied(&cluster.plan()), ["a"]);
}

#[test]
fn two_resources_cannot_make_the_same_object() {
    let graph = graph(
        r#"
schema: {apiVersion: v1, kind: App}
resources:
  - {id: a, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}}
  - {id: b, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: team-a}}}
"#,
    );
    let plan = Cluster::new(&graph, &json!({})).plan();
    assert_eq!(plan.apply.len(), 1);
    assert!(waiting(&plan)[1].contains("ConfigMap x is already made by a"), "{:?}", waiting(&plan));
}

#[test]
fn deletion_needs_the_inventory_only() {
    let entry = |id: &str, wave| InventoryEntry { id: id.into(), name: id.into(), wave, ..InventoryEntry::default() };
    let inventory = [
        entry("base", Some(0)),
        entry("gone", None),
        entry("top", Some(2)),
        entry("other", Some(2)),
        entry("middle", None),
    ];
    let ids = |waves: Vec<Vec<InventoryEntry>>| -> Vec<Vec<String>> {
        waves.into_iter().map(|wave| wave.into_iter().map(|entry| entry.id).collect()).collect()
    };
    assert_eq!(ids(deletion_waves(&inventory, None)), [vec!["other", "top"], vec!["base"], vec!["gone", "middle"]]);
    assert_eq!(
        ids(deletion_waves(&inventory, Some(&chain()))),
        [vec!["other", "top"], vec!["middle"], vec!["base"], vec!["gone"]]
    );
    let written = serde_json::to_value(&inventory[0]).unwrap();
    assert_eq!(written, json!({"id": "base", "apiVersion": "", "kind": "", "name": "base", "wave": 0}));
}
