//! What tenants try in order to reach what is not theirs.

use kdp_sync::wire;
use kube::{
    ResourceExt,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::support::{
    self, World, databases_with_credentials, delete, dynamic, eventually, gone, object, password, patch, seen,
};

fn sha1(text: &str) -> String {
    Sha1::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn the_labels_of_another_tenants_copy_on_an_order_do_nothing() {
    let (world, agent) = World::with_databases(databases_with_credentials()).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    let victim = world.copy("root:a", "db", |_| true).await;
    world.provide_secret(&victim, &format!("{}-credentials", victim.name_any()), "secret of a").await;
    seen(&support::secrets(world.workspace("root:a"), "default"), "db-credentials", |_| true).await;
    let cluster = world.cluster("root:a").await;
    let forged = object(json!({
        "apiVersion": "example.com/v1", "kind": "Database",
        "metadata": {
            "name": "forged",
            "labels": {
                wire::CLUSTER_LABEL: cluster, wire::NAME_HASH_LABEL: sha1("db"),
                wire::NAMESPACE_HASH_LABEL: sha1("default"), wire::AGENT_NAME: "agent",
            },
            "annotations": {
                wire::NAME_ANNOTATION: "db", wire::NAMESPACE_ANNOTATION: "default",
                wire::RELATED_OWNER: format!("{cluster}/databases.example.com/default/db/credentials"),
                "related-resources.syncagent.kcp.io/credentials.0": "{}",
            },
        },
        "spec": {"size": 100},
    }));
    world.orders("root:b").create(&PostParams::default(), &forged).await.unwrap();
    let copy = world.copy("root:b", "forged", |_| true).await;
    assert_eq!(copy.namespace().unwrap(), world.cluster("root:b").await);
    assert_eq!(copy.labels()[wire::CLUSTER_LABEL], world.cluster("root:b").await);
    assert_eq!(copy.labels()[wire::NAME_HASH_LABEL], sha1("forged"));
    assert!(!copy.annotations().contains_key(wire::RELATED_OWNER));
    // Nothing of the victim's moved, neither now nor when the forgery goes.
    let is_untouched = async || {
        let now = world.copy("root:a", "db", |_| true).await;
        assert_eq!((now.uid(), &now.data["spec"]), (victim.uid(), &json!({"size": 1})));
    };
    is_untouched().await;
    delete(&world.orders("root:b"), "forged").await;
    gone(&world.orders("root:b"), "forged").await;
    is_untouched().await;
    assert_eq!(
        support::secrets(world.workspace("root:b"), "default").list(&ListParams::default()).await.unwrap().items.len(),
        0
    );
    agent.stop().await;
}

/// Delivers the Secret that an order names, in the namespace that it names.
fn by_reference() -> Value {
    let mut spec = databases_with_credentials();
    spec["related"][0]["object"] = json!({
        "reference": {"path": "spec.secretName"},
        "namespace": {"reference": {"path": "spec.secretNamespace"}},
    });
    spec
}

#[tokio::test]
async fn an_order_that_names_a_foreign_namespace_gets_nothing_of_it() {
    let (world, agent) = World::with_databases(by_reference()).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    let victim = world.copy("root:a", "db", |_| true).await;
    world.provide_secret(&victim, "credentials", "secret of a").await;
    let state =
        support::secrets(world.service(), "kdp-sync").list(&ListParams::default()).await.unwrap().items[0].name_any();

    let events = dynamic(world.workspace("root:b"), Some("default"), "v1", "Event", "events");
    for (order, namespace, secret) in
        [("a", victim.namespace().unwrap(), "credentials".to_owned()), ("b", "kdp-sync".to_owned(), state)]
    {
        world.order("root:b", order, json!({"secretName": secret, "secretNamespace": namespace})).await;
        eventually("the order is refused its Secret", async || {
            let list = events.list(&ListParams::default()).await.unwrap();
            let refused = list.items.iter().any(|event| {
                event.data["reason"] == "ReconcilingError" && event.data["involvedObject"]["name"] == order
            });
            refused.then_some(())
        })
        .await;
    }
    let reached = dynamic(world.workspace("root:b"), None, "v1", "Secret", "secrets");
    assert_eq!(reached.list(&ListParams::default()).await.unwrap().items.len(), 0);
    // In its own namespace, the same published resource does deliver.
    let own = world.cluster("root:b").await;
    let copy = world.copy("root:b", "a", |_| true).await;
    world.provide_secret(&copy, "mine", "secret of b").await;
    patch(&world.orders("root:b"), "a", json!({"spec": {"secretName": "mine", "secretNamespace": own}})).await;
    let secret = seen(&support::secrets(world.workspace("root:b"), &own), "mine", |_| true).await;
    assert_eq!(password(&secret), "secret of b");
    agent.stop().await;
}

#[tokio::test]
async fn a_tenants_secret_cannot_be_sent_into_a_foreign_namespace() {
    let mut spec = by_reference();
    spec["related"][0]["origin"] = "kcp".into();
    let (world, agent) = World::with_databases(spec).await;
    world.order("root:a", "db", json!({"size": 1})).await;
    let victim = world.copy("root:a", "db", |_| true).await.namespace().unwrap();
    let namespaces = dynamic(world.workspace("root:b"), None, "v1", "Namespace", "namespaces");
    let namespace = object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": victim}}));
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    let planted = object(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "planted"}, "stringData": {"password": "bad"},
    }));
    support::secrets(world.workspace("root:b"), &victim).create(&PostParams::default(), &planted).await.unwrap();
    world.order("root:b", "db", json!({"secretName": "planted", "secretNamespace": victim})).await;
    let events = dynamic(world.workspace("root:b"), Some("default"), "v1", "Event", "events");
    eventually("the order is refused", async || {
        let list = events.list(&ListParams::default()).await.unwrap();
        list.items.iter().any(|event| event.data["reason"] == "ReconcilingError").then_some(())
    })
    .await;
    assert!(support::secrets(world.service(), &victim).get_opt("planted").await.unwrap().is_none());
    agent.stop().await;
}

#[tokio::test]
async fn a_secret_that_one_tenant_hands_down_is_never_delivered_to_another() {
    let mut spec = databases_with_credentials();
    spec["naming"] = json!({"namespace": "shared", "name": "{{ .ClusterName }}-{{ .Object.metadata.name }}"});
    spec["related"] = json!([
        {"identifier": "given", "origin": "kcp", "kind": "Secret", "object": {
            "selector": {
                "matchLabels": {"give": "yes"},
                "rewrite": {"template": {"template": "{{ .ClusterName }}-{{ .Value }}"}},
            },
        }},
        {"identifier": "got", "origin": "service", "kind": "Secret", "object": {
            "selector": {
                "matchLabels": {"tenant": "{{ .ClusterName }}"},
                "rewrite": {"template": {"template": "{{ .Value }}"}},
            },
        }},
    ]);
    let (world, agent) = World::with_databases(spec).await;
    let victim = world.cluster("root:a").await;
    let planted = object(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "planted", "labels": {"give": "yes", "tenant": victim}},
        "stringData": {"password": "of the attacker"},
    }));
    support::secrets(world.workspace("root:b"), "default").create(&PostParams::default(), &planted).await.unwrap();
    world.order("root:b", "db", json!({"size": 1})).await;
    let handed_down = format!("{}-planted", world.cluster("root:b").await);
    seen(&support::secrets(world.service(), "shared"), &handed_down, |_| true).await;

    world.order("root:a", "db", json!({"size": 1})).await;
    let copy = world.copy("root:a", "db", |_| true).await;
    let real = object(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "real", "labels": {"tenant": victim}},
        "stringData": {"password": "of the operator"},
    }));
    support::secrets(world.service(), &copy.namespace().unwrap()).create(&PostParams::default(), &real).await.unwrap();
    let delivered = support::secrets(world.workspace("root:a"), "default");
    assert_eq!(password(&seen(&delivered, "real", |_| true).await), "of the operator");
    assert!(delivered.get_opt(&handed_down).await.unwrap().is_none());
    agent.stop().await;
}

#[tokio::test]
async fn a_secret_that_would_be_filled_with_a_token_of_the_service_cluster_stays_where_it_is() {
    let mut spec = databases_with_credentials();
    spec["related"] = json!([
        {"identifier": "given", "origin": "kcp", "kind": "Secret", "object": {"reference": {"path": "spec.secretName"}}},
    ]);
    let (world, agent) = World::with_databases(spec).await;
    let secrets = support::secrets(world.workspace("root:b"), "default");
    for (name, type_) in [("token", "kubernetes.io/service-account-token"), ("plain", "Opaque")] {
        let secret = object(json!({
            "apiVersion": "v1", "kind": "Secret", "type": type_,
            "metadata": {"name": name, "annotations": {"kubernetes.io/service-account.name": "default"}},
        }));
        secrets.create(&PostParams::default(), &secret).await.unwrap();
        world.order("root:b", name, json!({"secretName": name})).await;
    }
    let namespace = world.copy("root:b", "token", |_| true).await.namespace().unwrap();
    let handed_down = support::secrets(world.service(), &namespace);
    seen(&handed_down, "plain", |_| true).await;
    let events = dynamic(world.workspace("root:b"), Some("default"), "v1", "Event", "events");
    eventually("the tenant is told", async || {
        let list = events.list(&ListParams::default()).await.unwrap();
        list.items.iter().any(|event| event.data.to_string().contains("a Secret of this type")).then_some(())
    })
    .await;
    assert!(handed_down.get_opt("token").await.unwrap().is_none());
    agent.stop().await;
}
