//! How copies are called.

use kube::ResourceExt;
use serde_json::json;

use super::{
    case::Case,
    object::{create, create_namespace, patch},
    shared::{pause, shared},
};

/// Name and namespace of the copy of the order `my-order` in `default`, and its cluster.
async fn named(case: &Case<'_>, naming: serde_json::Value) -> (String, String, String) {
    case.offer(json!({"naming": naming})).await;
    case.order("my-order", json!({})).await;
    let copy = case.copy("my-order", |_| true).await;
    (copy.name_any(), copy.namespace().unwrap_or_default(), case.cluster(&case.name).await)
}

#[test]
fn by_default_a_copy_is_named_by_hashes_in_a_namespace_of_its_cluster() {
    shared(async |s| {
        let case = Case::new(s, "ndefault").await;
        case.offer(json!({})).await;
        create_namespace(case.tenant(), "objnamespace", json!({})).await;
        let orders = case.orders_in("ndefault", Some("objnamespace"));
        create(&orders, case.typed(json!({"metadata": {"name": "objname"}}))).await;
        let copy = case.copy("objname", |_| true).await;
        assert_eq!(copy.name_any(), "2928c2aa0e510f017f07-73d08a1ba188f1340dae");
        assert_eq!(copy.namespace(), Some(case.cluster("ndefault").await));
    });
}

#[test]
fn a_template_names_the_copy() {
    shared(async |s| {
        let case = Case::new(s, "ntemplate").await;
        let naming = json!({
            "name": "{{ .Object.metadata.namespace }}-{{ .Object.metadata.name | sha3short }}",
            "namespace": "ns-{{ .ClusterName }}",
        });
        let (name, namespace, cluster) = named(&case, naming).await;
        assert!(name.starts_with("default-") && name.len() == "default-".len() + 20, "{name}");
        assert_eq!(namespace, format!("ns-{cluster}"));
    });
}

#[test]
fn a_template_may_read_the_order() {
    shared(async |s| {
        let case = Case::new(s, "nread").await;
        case.offer(
            json!({"naming": {"name": "{{ .Object.spec.region | upper | lower }}-{{ .Object.metadata.name }}"}}),
        )
        .await;
        case.order("one", json!({"region": "EU"})).await;
        assert_eq!(case.copy("one", |_| true).await.name_any(), "eu-one");
    });
}

#[test]
fn legacy_placeholders_name_the_copy() {
    shared(async |s| {
        let case = Case::new(s, "nlegacy").await;
        let naming =
            json!({"name": "$remoteNamespace-$remoteName-$remoteNameHash", "namespace": "$remoteClusterName-x"});
        let (name, namespace, cluster) = named(&case, naming).await;
        assert!(name.starts_with("default-my-order-") && name.len() == "default-my-order-".len() + 20, "{name}");
        assert_eq!(namespace, format!("{cluster}-x"));
    });
}

#[test]
fn legacy_hashes_are_the_start_of_sha_1() {
    shared(async |s| {
        let case = Case::new(s, "nlegacyhash").await;
        case.offer(json!({"naming": {"name": "$remoteNamespaceHash-$remoteNameHash", "namespace": "nlegacyhash"}}))
            .await;
        case.order("my-crontab", json!({})).await;
        let copy = case.copy("my-crontab", |_| true).await;
        assert_eq!(copy.name_any(), "7505d64a54e061b7acd5-5e88753c0b240e552663");
    });
}

#[test]
fn a_workspace_path_is_given_to_templates_and_to_the_copy() {
    shared(async |s| {
        let case = Case::new(s, "npath").await;
        case.offer(json!({
            "enableWorkspacePaths": true,
            "naming": {"name": "{{ .ClusterPath | replace \":\" \"-\" }}-{{ .Object.metadata.name }}"},
        }))
        .await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        assert_eq!(copy.name_any(), "root-npath-one");
        assert_eq!(copy.annotations()["syncagent.kcp.io/remote-object-workspace-path"], "root:npath");
    });
}

#[test]
fn another_naming_moves_no_copy_that_is_there() {
    shared(async |s| {
        let case = Case::new(s, "nmove").await;
        case.offer(json!({"naming": {"name": "old-{{ .Object.metadata.name }}"}})).await;
        case.order("one", json!({"a": 1})).await;
        case.copy("one", |copy| copy.name_any() == "old-one").await;
        case.edit(json!({"naming": {"name": "new-{{ .Object.metadata.name }}"}})).await;
        case.order("two", json!({})).await;
        // The order may still have met the old naming; another one will not.
        pause().await;
        case.order("three", json!({})).await;
        case.copy("three", |copy| copy.name_any() == "new-three").await;
        patch(&case.orders(), "one", json!({"spec": {"a": 2}})).await;
        case.copy("one", |copy| copy.name_any() == "old-one" && copy.data["spec"]["a"] == 2).await;
        assert_eq!(case.copies().list(&Default::default()).await.unwrap().items.len(), 3);
    });
}

#[test]
fn a_name_that_cannot_be_one_makes_no_copy_and_is_said_in_an_event() {
    shared(async |s| {
        let case = Case::new(s, "ninvalid").await;
        case.offer(json!({"naming": {"name": "{{ .Object.spec.name }}", "namespace": "ninvalid"}})).await;
        case.order("bad", json!({"name": "Not A Name/../x"})).await;
        case.order("good", json!({"name": "good"})).await;
        case.copy("good", |_| true).await;
        let events = super::object::api(case.tenant(), Some("default"), "v1", "Event", "events");
        super::shared::eventually("the tenant is warned", async || {
            let events = events.list(&Default::default()).await.unwrap();
            events
                .iter()
                .any(|e| e.data["involvedObject"]["name"] == "bad" && e.data["type"] == "Warning")
                .then_some(())
        })
        .await;
        assert_eq!(case.copies().list(&Default::default()).await.unwrap().items.len(), 1);
    });
}
