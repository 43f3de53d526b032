//! What becomes of a Service.

use kdp_catalog::{ClaimPolicy, WhenInUse, bind, unbind};
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use crate::support::{SERVICE, Site, eventually};

#[tokio::test]
async fn a_service_gets_an_export_and_turns_ready() {
    let site = Site::start().await;
    site.describe_service().await;
    let export = site.exports().get(SERVICE).await.unwrap();
    assert!(export.spec.resources.is_empty());
    let offered = site.condition("ResourcesOffered").await.unwrap();
    assert_eq!((&*offered.status, &*offered.reason), ("False", "NothingPublished"));
    site.publish_widgets().await;
    eventually(async || site.condition("ResourcesOffered").await.is_some_and(|offered| offered.is_true())).await;
}

#[tokio::test]
async fn an_export_that_disappears_is_made_again() {
    let site = Site::start().await;
    site.describe_service().await;
    let first = site.exports().get(SERVICE).await.unwrap();
    site.exports().delete(SERVICE, &DeleteParams::default()).await.unwrap();
    let is_new = async || {
        let export = site.exports().get_opt(SERVICE).await.unwrap();
        export.is_some_and(|export| export.metadata.uid != first.metadata.uid)
    };
    eventually(is_new).await;
}

#[tokio::test]
async fn a_deleted_service_is_held_by_whoever_binds_it_and_then_goes_with_its_export() {
    let site = Site::start().await;
    site.offer().await;
    let entry = site.entry().await;
    bind(&site.system("root:a"), &entry, ClaimPolicy::AcceptAll).await.unwrap();
    site.services().delete(SERVICE, &DeleteParams::default()).await.unwrap();
    eventually(async || site.condition("ExportDeleted").await.is_some()).await;
    let held = site.condition("ExportDeleted").await.unwrap();
    assert_eq!((&*held.status, &*held.reason), ("False", "StillBound"));
    assert!(held.message.contains("w.example.com in root:a"), "{}", held.message);
    assert!(site.exports().get_opt(SERVICE).await.unwrap().is_some());
    assert!(!site.entry().await.may_bind, "what is going away is no longer offered");

    unbind(&site.system("root:a"), SERVICE, WhenInUse::Refuse).await.unwrap();
    eventually(async || site.services().get_opt(SERVICE).await.unwrap().is_none()).await;
    assert!(site.exports().get_opt(SERVICE).await.unwrap().is_none());
}

#[tokio::test]
async fn an_export_of_somebody_else_is_adopted_and_outlives_the_service() {
    let site = Site::start().await;
    let export = serde_json::from_value(json!({"metadata": {"name": SERVICE}, "spec": {}})).unwrap();
    let export = site.exports().create(&PostParams::default(), &export).await.unwrap();
    site.describe_service().await;
    site.services().delete(SERVICE, &DeleteParams::default()).await.unwrap();
    eventually(async || site.services().get_opt(SERVICE).await.unwrap().is_none()).await;
    assert_eq!(site.exports().get(SERVICE).await.unwrap().metadata.uid, export.metadata.uid);
}
