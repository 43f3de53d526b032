//! Orders that end by themselves.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use kdp_catalog::{
    ExpiryController, NOTICE,
    lifecycle::{EXPIRES_ANNOTATION, LEASE_ANNOTATION, PROTECTED_ANNOTATION, RENEWED_ANNOTATION, TTL_ANNOTATION},
};
use kdp_core::{Endpoint, Platform, RunningPlatform, SharedControlPlane};
use kube::{
    ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    shop::{Shop, kind, made, offering, widgets},
    support::eventually,
};

async fn expire(shop: &Shop) -> RunningPlatform {
    let control_plane: SharedControlPlane = Arc::new(shop.site.control_plane.clone());
    let export = shop.site.entry().await.export;
    let endpoint = Endpoint::ApiExport { cluster: export.cluster, export: export.name, consumer: None };
    let controller = ExpiryController::new(kind(), endpoint).with_interval(Duration::from_millis(100));
    Platform::builder(control_plane).component(controller).start().await.unwrap()
}

fn from_now(seconds: i64) -> String {
    Timestamp::now().saturating_add(SignedDuration::from_secs(seconds)).unwrap().to_string()
}

async fn names(shop: &Shop, path: &str) -> Vec<String> {
    let mut names: Vec<_> = widgets(shop.site.system(path))
        .list(&ListParams::default())
        .await
        .unwrap()
        .items
        .iter()
        .map(ResourceExt::name_any)
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_over_ends_and_everything_it_had_with_it() {
    let shop = Shop::open().await;
    shop.offer(offering("standard", json!({"parameters": {"size": 1}}))).await;
    let orders: [(&str, Value); 9] = [
        ("forever", json!({})),
        ("long", json!({TTL_ANNOTATION: "30d"})),
        ("over", json!({EXPIRES_ANNOTATION: from_now(-60)})),
        ("short", json!({TTL_ANNOTATION: "1s"})),
        ("soon", json!({EXPIRES_ANNOTATION: from_now(60), "catalog.kdp.k8c.io/warn-before": "1h"})),
        ("protected", json!({EXPIRES_ANNOTATION: from_now(-60), PROTECTED_ANNOTATION: "true"})),
        ("renewed", json!({LEASE_ANNOTATION: "1h", RENEWED_ANNOTATION: from_now(0)})),
        ("wrong", json!({TTL_ANNOTATION: "soon"})),
        ("unsure", json!({EXPIRES_ANNOTATION: from_now(-60), PROTECTED_ANNOTATION: "perhaps"})),
    ];
    for (name, annotations) in &orders {
        shop.order("root:a", name, json!({}), annotations.clone()).await;
        shop.phase("root:a", name, "Ready").await;
    }
    shop.order("root:b", "other", json!({}), json!({})).await;
    shop.phase("root:b", "other", "Ready").await;
    let _expiry = expire(&shop).await;
    let left = ["forever", "long", "protected", "renewed", "soon", "unsure", "wrong"];
    eventually(async || names(&shop, "root:a").await == left).await;
    assert_eq!(names(&shop, "root:b").await, ["other"]);
    assert_eq!(made(&shop.standard).len(), left.len() + 1);

    let api = widgets(shop.site.system("root:a"));
    let notice = async |name: &str| api.get(name).await.unwrap().annotations().get(NOTICE).cloned();
    for (name, part) in [
        ("soon", "will be deleted at"),
        ("protected", "it is protected"),
        ("wrong", "not a length of time"),
        ("unsure", "neither true nor false"),
    ] {
        eventually(async || notice(name).await.is_some_and(|notice| notice.contains(part))).await;
    }
    assert_eq!((notice("forever").await, notice("long").await), (None, None));

    // Whoever gives it more time is told nothing any more, and whoever takes its protection away loses it.
    let more = Patch::Merge(json!({"metadata": {"annotations": {EXPIRES_ANNOTATION: from_now(86_400 * 30)}}}));
    api.patch("soon", &PatchParams::default(), &more).await.unwrap();
    let bare = Patch::Merge(json!({"metadata": {"annotations": {PROTECTED_ANNOTATION: null}}}));
    api.patch("protected", &PatchParams::default(), &bare).await.unwrap();
    eventually(async || notice("soon").await.is_none()).await;
    eventually(async || !names(&shop, "root:a").await.contains(&"protected".to_owned())).await;
}
