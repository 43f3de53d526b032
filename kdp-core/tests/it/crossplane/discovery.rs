//! What clusters offer, and clusters that do not know what is ordered.

use kdp_core::{
    ErrorKind, Provider,
    api::install_crd,
    provider::{
        Phase,
        crossplane::{CrossplaneOptions, Namespaces, Scope, Shape, Target, discover},
    },
};
use kube::api::{ApiResource, GroupVersionKind, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::{
    core::api,
    place::{Journey, Site, definition},
};

/// Has the cluster know definitions in this version of the API, and defines one.
async fn define(site: &Site, version: &str, kind: &str, scope: Value) {
    const GROUP: &str = "apiextensions.crossplane.io";
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let plural = "compositeresourcedefinitions";
    let mut crd = definition(GROUP, "CompositeResourceDefinition", plural, "Cluster", &open);
    crd["spec"]["versions"][0]["name"] = json!(version);
    install_crd(&site.client(), &serde_json::from_value(crd).unwrap(), "test").await.unwrap();
    let gvk = GroupVersionKind::gvk(GROUP, version, "CompositeResourceDefinition");
    let definitions = api(&site.client(), &ApiResource::from_gvk_with_plural(&gvk, plural), None);
    let name = format!("{}s.example.org", kind.to_lowercase());
    let parameters = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {}}}}});
    let object = json!({
        "apiVersion": format!("{GROUP}/{version}"), "kind": "CompositeResourceDefinition", "metadata": {"name": name},
        "spec": {
            "group": "example.org", "scope": scope, "names": {"kind": kind, "plural": format!("{}s", kind.to_lowercase())},
            "versions": [{"name": "v1", "served": true, "referenceable": true, "schema": {"openAPIV3Schema": parameters}}],
        },
    });
    definitions.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    let status = json!({"status": {"conditions": [{"type": "Established", "status": "True"}]}});
    definitions.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
}

#[tokio::test]
async fn definitions_are_found_in_either_version_of_the_api() {
    for (version, scope, expected) in
        [("v2", json!("Namespaced"), Scope::Namespaced), ("v1", Value::Null, Scope::LegacyCluster)]
    {
        let site = Site::new().await;
        assert_eq!(discover(&site.client()).await.unwrap_err().kind(), ErrorKind::NotFound);
        define(&site, version, "Queue", scope).await;
        let offerings = discover(&site.client()).await.unwrap();
        assert_eq!(offerings.len(), 1);
        assert_eq!((offerings[0].kind.as_str(), offerings[0].scope), ("Queue", expected));
        assert_eq!(offerings[0].schema["properties"], json!({"size": {}}));
    }
}

#[tokio::test]
async fn a_kind_that_the_cluster_does_not_know_is_unknown_and_never_gone() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let target = Target::new("example.org", "v1", "Nothing", "nothings", Shape::Namespaced);
    let journey = Journey::new(site.client(), CrossplaneOptions::new(target, Namespaces::Fixed(namespace)));
    let seen = journey.observe().await;
    assert_eq!(seen.phase, Phase::Unknown);
    assert!(seen.message.contains("does not know nothings"), "{}", seen.message);
    let error = journey.provider.plan(&journey.order(json!({})), &journey.run).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_composed_kind_that_is_no_longer_known_keeps_an_order_from_being_gone() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let mut journey = Journey::new(site.client(), super::place::options(Shape::Namespaced, &namespace));
    journey.reach(json!({"size": 1}), Phase::Ready).await;
    let sealed = journey.sealed.as_mut().unwrap();
    let composed = sealed.data["composed"].as_array_mut().unwrap();
    composed.push(json!({"apiVersion": "gone.example.org/v1", "kind": "Gone", "name": "x"}));
    let seen = journey.delete_until(Phase::Unknown, "whether it is gone cannot be told").await;
    assert!(seen.message.contains("Gone x"), "{}", seen.message);
}
