//! API servers without a garbage collector, where what something is composed of outlives it.

use kdp_core::provider::{
    Phase,
    crossplane::{GarbageCollection, Shape},
};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

use super::{
    core::{api, buckets, disks, value, volumes},
    place::{Journey, Site, options},
};

#[tokio::test]
async fn what_is_left_is_named_and_nothing_counts_as_gone() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let mut journey = Journey::new(site.client(), options(Shape::Namespaced, &namespace));
    journey.reach(json!({"size": 1}), Phase::Ready).await;
    site.core.behaviour().is_bare = true;
    journey.delete_until(Phase::Deleting, "garbage collector").await;
    let seen = journey.observe().await;
    assert_eq!(seen.phase, Phase::Deleting);
    assert!(seen.message.contains(&format!("Volume {}-", journey.name())), "{}", seen.message);

    let volumes = api(&site.client(), &volumes(), Some(&namespace));
    let secrets = api(
        &site.client(),
        &kube::api::ApiResource::erase::<k8s_openapi::api::core::v1::Secret>(&()),
        Some(&namespace),
    );
    for things in [volumes, secrets] {
        for thing in things.list(&ListParams::default()).await.unwrap().items {
            things.delete(&thing.metadata.name.unwrap(), &DeleteParams::default()).await.unwrap();
        }
    }
    journey.delete_until(Phase::Gone, "").await;
}

#[tokio::test]
async fn what_it_was_composed_of_is_removed_by_the_provider_that_is_told_to() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    site.core.behaviour().is_bare = true;
    for shape in [Shape::Namespaced, Shape::Claim] {
        let options = options(shape, &namespace).with_garbage_collection(GarbageCollection::ByProvider);
        let mut journey = Journey::new(site.client(), options);
        journey.reach(json!({"size": 1}), Phase::Ready).await;
        journey.delete_until(Phase::Gone, "").await;
        let left =
            async |kind| api(&site.client(), &kind, None).list(&ListParams::default()).await.unwrap().items.len();
        assert_eq!((left(volumes()).await, left(disks()).await), (0, 0), "{shape:?}");
    }
}

#[tokio::test]
async fn what_was_composed_after_the_last_record_is_removed_as_well() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    site.core.behaviour().is_bare = true;
    let options = options(Shape::Namespaced, &namespace).with_garbage_collection(GarbageCollection::ByProvider);
    let mut journey = Journey::new(site.client(), options);
    journey.apply(json!({"size": 1})).await.unwrap();
    let before = journey.sealed.clone();
    journey.reach(json!({"size": 1}), Phase::Ready).await;
    journey.sealed = before;
    journey.delete_until(Phase::Gone, "").await;
    assert!(api(&site.client(), &volumes(), None).list(&ListParams::default()).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn something_else_under_a_remembered_name_is_neither_waited_for_nor_removed() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let options = options(Shape::Namespaced, &namespace).with_garbage_collection(GarbageCollection::ByProvider);
    let mut journey = Journey::new(site.client(), options);
    journey.reach(json!({"size": 1}), Phase::Ready).await;
    let volumes = api(&site.client(), &volumes(), Some(&namespace));
    let volume = volumes.list(&ListParams::default()).await.unwrap().items.remove(0);
    let name = volume.metadata.name.unwrap();
    let orphan = Patch::Merge(json!({"metadata": {"ownerReferences": []}}));
    volumes.patch(&name, &PatchParams::default(), &orphan).await.unwrap();
    journey.delete_until(Phase::Gone, "").await;
    assert!(volumes.get_opt(&name).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_protected_by_a_usage_waits_for_a_person() {
    let site = Site::new().await;
    let namespace = site.namespace().await;
    let mut journey = Journey::new(site.client(), options(Shape::Namespaced, &namespace));
    journey.reach(json!({"size": 1}), Phase::Ready).await;
    let volumes = api(&site.client(), &volumes(), Some(&namespace));
    let name = volumes.list(&ListParams::default()).await.unwrap().items.remove(0).metadata.name.unwrap();
    let protect = |value| Patch::Merge(json!({"metadata": {"labels": {"crossplane.io/in-use": value}}}));
    volumes.patch(&name, &PatchParams::default(), &protect(json!("true"))).await.unwrap();
    site.core.behaviour().is_bare = true;
    journey.delete_until(Phase::Blocked, "remove the Usage first").await;
    let bucket = api(&site.client(), &buckets(), Some(&namespace)).get_opt(&journey.name()).await.unwrap();
    assert!(bucket.map(value).is_none_or(|bucket| !bucket["metadata"]["deletionTimestamp"].is_null()));
}
