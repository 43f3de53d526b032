//! What a tenant may write into an order, and what comes of it.

use kdp_core::{
    ErrorKind, Provider,
    provider::{
        OrderId, Phase,
        crossplane::{Connection, SecretSource, Shape},
    },
};
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::{
    core::{api, buckets},
    place::{Journey, Site, options},
};

#[tokio::test]
async fn machine_fields_are_refused_before_anything_is_asked_or_made() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let fields = [
        "crossplane",
        "compositionRef",
        "compositionSelector",
        "compositionRevisionRef",
        "compositionUpdatePolicy",
        "resourceRef",
        "resourceRefs",
        "claimRef",
        "writeConnectionSecretToRef",
        "compositeDeletePolicy",
    ];
    for shape in [Shape::Namespaced, Shape::Claim] {
        let journey = Journey::new(site.client(), options(shape, &namespace));
        for field in fields {
            let order = journey.order(json!({"size": 1, field: {"name": "theirs", "namespace": "kube-system"}}));
            let error = journey.provider.plan(&order, &journey.run).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().contains(&format!("spec.{field}")), "{error}");
        }
        assert_eq!(journey.observe().await.phase, Phase::Gone);
    }
}

#[tokio::test]
async fn fields_that_the_schema_does_not_know_are_refused_and_named() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let journey = Journey::new(site.client(), options(Shape::Namespaced, &namespace));
    let order = journey.order(json!({"size": 1, "metadata": {"labels": {"a": "b"}}}));
    let error = journey.provider.plan(&order, &journey.run).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("spec.metadata"), "{error}");
}

#[tokio::test]
async fn naming_the_secret_of_another_order_yields_nothing_of_it() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let mut victim = Journey::new(site.client(), options(Shape::Namespaced, &namespace));
    let victims = victim.reach(json!({"size": 1}), Phase::Ready).await.outputs["password"].value.clone();
    let bucket = api(&site.client(), &buckets(), Some(&namespace)).get(&victim.name()).await.unwrap();
    let secret = bucket.data["status"]["secretName"].as_str().unwrap().to_owned();

    // A Composition that copies a parameter into the status lets the tenant choose the name.
    site.core.behaviour().names_secret = Some(secret);
    let by_path = Connection::new(SecretSource::Path("status.secretName".into())).with_required("password");
    let mut thief = Journey::new(site.client(), options(Shape::Namespaced, &namespace).with_connection(by_path));
    thief.apply(json!({"size": 1})).await.unwrap();
    let seen = thief.see(Phase::Progressing, "belongs to something else").await;
    assert!(seen.outputs.is_empty() && !format!("{seen:?}").contains(&victims));

    // Nor does a label that both may bear.
    let by_label = SecretSource::Label("crossplane.io/composite".into(), victim.name());
    let by_label = Connection::new(by_label).with_required("password");
    let mut thief = Journey::new(site.client(), options(Shape::Namespaced, &namespace).with_connection(by_label));
    thief.apply(json!({"size": 1})).await.unwrap();
    let seen = thief.see(Phase::Progressing, "waits for the connection details").await;
    assert!(seen.outputs.is_empty());
}

#[tokio::test]
async fn what_is_another_orders_is_neither_changed_nor_removed() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let mut victim = Journey::new(site.client(), options(Shape::Namespaced, &namespace));
    victim.reach(json!({"size": 1}), Phase::Ready).await;
    // Somebody gives the object of one order the label of another.
    let mut owner = Journey::new(site.client(), options(Shape::Namespaced, &namespace));
    owner.reach(json!({"size": 1}), Phase::Ready).await;
    let bucket = api(&site.client(), &buckets(), Some(&namespace));
    let label = |uid: &str| Patch::Merge(json!({"metadata": {"labels": {"orders.kdp.k8c.io/uid": uid}}}));
    bucket.patch(&owner.name(), &PatchParams::default(), &label("ffff")).await.unwrap();
    let error = owner.apply(json!({"size": 3})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
    // What it is composed of is still there, and still remembered: that is not nothing.
    assert_eq!(owner.observe().await.phase, Phase::Deleting);
    drop(owner.provider.delete(owner.sealed.as_ref().unwrap(), &owner.run).await);
    let there = bucket.get(&owner.name()).await.unwrap();
    assert!(there.metadata.deletion_timestamp.is_none());

    let error = owner.provider.import(&owner.order(json!({})), &victim.name(), &owner.run).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
}

#[tokio::test]
async fn an_object_that_does_not_say_whose_it_is_is_never_taken_for_nothing() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let mut journey = Journey::new(site.client(), options(Shape::Namespaced, &namespace));
    let squatter = json!({
        "apiVersion": buckets().api_version, "kind": "Bucket",
        "metadata": {"name": journey.name()}, "spec": {"size": 9},
    });
    let bucket = api(&site.client(), &buckets(), Some(&namespace));
    bucket.create(&PostParams::default(), &serde_json::from_value(squatter).unwrap()).await.unwrap();
    let seen = journey.observe().await;
    assert_eq!(seen.phase, Phase::Unknown);
    assert!(seen.message.contains("orders.kdp.k8c.io/uid"), "{}", seen.message);
    assert_eq!(journey.apply(json!({"size": 1})).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(bucket.get(&journey.name()).await.unwrap().data["spec"]["size"], 9);
}

#[tokio::test]
async fn an_identity_that_makes_no_name_reaches_nothing() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let journey = Journey::new(site.client(), options(Shape::Namespaced, &namespace));
    for uid in ["", "../secrets", "a,b=c", "A", "a/b"] {
        let id = OrderId::new(uid, "default", "app");
        assert_eq!(journey.provider.observe(&id, None).await.unwrap_err().kind(), ErrorKind::Invalid, "{uid:?}");
    }
}

#[tokio::test]
async fn an_order_that_is_no_object_is_refused() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let journey = Journey::new(site.client(), options(Shape::Namespaced, &namespace));
    for spec in [json!([]), json!("spec"), json!(1), Value::Bool(true)] {
        let error = journey.provider.plan(&journey.order(spec), &journey.run).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}
