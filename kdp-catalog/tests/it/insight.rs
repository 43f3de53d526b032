//! What is measured of orders that are really made, changed, failed and deleted.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::ConfigMap;
use kdp_catalog::insight::{
    Insight, InsightCollector, InsightHome, InsightOptions, Measures, MetricsOptions, OrderSource, Report,
};
use kdp_core::{
    Component, ComponentContext, ControlPlaneExt, Endpoint, Identity, Platform, RunningPlatform, SharedControlPlane,
};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, GroupVersionKind, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    shop::{GROUP, Shop, offering, widgets},
    support::{access, eventually, user},
};

const NAME: &str = "insight";

fn control_plane(shop: &Shop) -> SharedControlPlane {
    Arc::new(shop.site.control_plane.clone())
}

async fn endpoint(shop: &Shop) -> Endpoint {
    let export = shop.site.entry().await.export;
    Endpoint::ApiExport { cluster: export.cluster, export: export.name, consumer: None }
}

fn source(endpoint: Endpoint, identity: Identity) -> OrderSource {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, "v1", "Widget"));
    OrderSource::new("widgets", kind, endpoint, identity).with_offerings(["standard"])
}

fn home(shop: &Shop) -> InsightHome {
    InsightHome::new(control_plane(shop).system_client(&"root:home".parse().unwrap()).unwrap(), "default")
}

/// A collector that keeps what it knows after `save_after`.
async fn collector(shop: &Shop, save_after: Duration) -> InsightCollector {
    let options = InsightOptions::default().with_save_after(save_after).with_look_every(Duration::from_millis(50));
    InsightCollector::new(NAME, home(shop))
        .with_options(options)
        .with_source(source(endpoint(shop).await, Identity::system_masters()))
        .with_platform_view()
}

/// One that runs, and keeps what it knows at once.
async fn collect(shop: &Shop) -> (Insight, RunningPlatform) {
    let collector = collector(shop, Duration::from_millis(20)).await;
    let insight = collector.insight();
    let running = Platform::builder(control_plane(shop)).component(collector).start().await.unwrap();
    (insight, running)
}

async fn change(shop: &Shop, path: &str, name: &str, spec: Value) {
    let patch = Patch::Merge(json!({"spec": spec}));
    widgets(shop.site.system(path)).patch(name, &PatchParams::default(), &patch).await.unwrap();
}

async fn kept(shop: &Shop) -> Vec<ConfigMap> {
    let api: Api<ConfigMap> = Api::namespaced(shop.site.system("root:home"), "default");
    let all = api.list(&ListParams::default()).await.unwrap().items;
    all.into_iter().filter(|it| it.metadata.name.as_ref().is_some_and(|name| name.starts_with(NAME))).collect()
}

/// What does not change by itself.
fn counted(mut report: Report) -> Report {
    report.made = jiff::Timestamp::UNIX_EPOCH;
    report
}

/// Two orders that are made, one that is refused until it is changed, a change that fails and is taken back, and one
/// that is deleted.
async fn live_through(shop: &Shop) {
    shop.offer(offering("standard", json!({"parameters": {"size": 1}}))).await;
    let select = json!({"catalog.kdp.k8c.io/offering": "standard"});
    shop.order("root:a", "one", json!({}), select).await;
    shop.order("root:a", "two", json!({}), json!({})).await;
    shop.order("root:b", "refused", json!({"size": 0}), json!({})).await;
    shop.phase("root:a", "one", "Ready").await;
    shop.phase("root:a", "two", "Ready").await;
    shop.phase("root:b", "refused", "Blocked").await;
}

fn adopted(measures: &Measures) -> [u64; 4] {
    let adoption = measures.adoption;
    [adoption.live, adoption.ready, adoption.created, adoption.deleted]
}

#[tokio::test(flavor = "multi_thread")]
async fn lives_are_measured_and_a_restart_tells_the_same() {
    let shop = Shop::open().await;
    let (insight, running) = collect(&shop).await;
    live_through(&shop).await;
    let total = || insight.snapshot().total;
    eventually(async || total().failures.now == 1 && total().adoption.ready == 2).await;

    // It becomes what it should have been; that is no change of anything that was ready.
    change(&shop, "root:b", "refused", json!({"size": 3})).await;
    eventually(async || total().adoption.ready == 3).await;
    assert_eq!((total().delivery.deployments, total().failures.provision_rate), (0, Some(1.0 / 3.0)));

    // Somebody who labels what is kept does not keep the collector from keeping more.
    eventually(async || !kept(&shop).await.is_empty()).await;
    let api: Api<ConfigMap> = Api::namespaced(shop.site.system("root:home"), "default");
    for page in kept(&shop).await {
        let patch = Patch::Merge(json!({"metadata": {"labels": {"backup": "yes"}}}));
        api.patch(page.metadata.name.as_deref().unwrap(), &PatchParams::default(), &patch).await.unwrap();
    }

    // A change that cannot be made, and one that can.
    change(&shop, "root:a", "one", json!({"size": 0})).await;
    eventually(async || total().failures.now == 1).await;
    change(&shop, "root:a", "one", json!({"size": 7})).await;
    eventually(async || total().delivery.deployments == 1).await;
    shop.delete("root:a", "two").await;
    eventually(async || total().adoption.deleted == 1).await;
    eventually(async || total().adoption.binders == Some(2) && total().first_order.count == 2).await;

    let report = insight.snapshot();
    let total = &report.total;
    assert_eq!(adopted(total), [2, 2, 3, 1]);
    assert_eq!((total.provisioning.count, total.provisioning_rebuilt), (3, 0));
    assert!(total.provisioning.max.unwrap() < 30.0, "{total:?}");
    assert_eq!(total.failures.count, 2);
    assert_eq!(total.delivery.change_failure_rate, Some(0.5));
    assert_eq!((total.delivery.lead_time.count, total.delivery.time_to_restore.count), (1, 2));
    assert_eq!(total.untold, Default::default());
    assert_eq!(report.services.keys().collect::<Vec<_>>(), ["widgets"]);
    assert_eq!(adopted(&report.offerings["widgets"]["standard"]), [1, 1, 1, 0]);
    assert_eq!(adopted(&report.workspaces["root:a"]), [1, 1, 2, 1]);
    assert_eq!(adopted(&report.workspaces["root:b"]), [1, 1, 1, 0]);
    assert_eq!(report.workspaces["root:b"].failures.provision_rate, Some(1.0));
    let metrics = insight.metrics(MetricsOptions::default());
    assert!(
        metrics.contains("kdp_catalog_deployments_total{service=\"widgets\",offering=\"standard\"} 1"),
        "{metrics}"
    );
    assert!(!metrics.contains("root:"), "{metrics}");

    running.stop().await.unwrap();
    assert!(!kept(&shop).await.is_empty());
    let (again, _running) = collect(&shop).await;
    eventually(async || again.snapshot().total.adoption.binders == Some(2)).await;
    assert_eq!(counted(again.snapshot()), counted(report));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_killed_before_anything_is_kept_tells_what_timestamps_tell() {
    let shop = Shop::open().await;
    let doomed = collector(&shop, Duration::from_secs(3600)).await;
    let insight = doomed.insight();
    let (context, _ready) = ComponentContext::new(control_plane(&shop), CancellationToken::new());
    let doomed = tokio::spawn(Box::new(doomed).run(context));
    live_through(&shop).await;
    change(&shop, "root:a", "two", json!({"size": 5})).await;
    eventually(async || insight.snapshot().total.delivery.deployments == 1).await;
    assert!(kept(&shop).await.is_empty());
    doomed.abort();
    assert!(doomed.await.unwrap_err().is_cancelled());

    let (again, _running) = collect(&shop).await;
    let total = again.snapshot().total;
    assert_eq!(adopted(&total), [3, 2, 3, 0]);
    // One was never changed. Of the changed and of the refused one it is not known since when they are ready, if ever.
    assert_eq!((total.provisioning.count, total.provisioning_rebuilt), (1, 1));
    assert_eq!((total.untold.provisions, total.untold.changes), (2, 1));
    assert_eq!((total.failures.now, total.delivery.deployments), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_collector_that_began_last_keeps_the_journal_and_a_damaged_page_is_set_aside() {
    let shop = Shop::open().await;
    let (first, superseded) = collect(&shop).await;
    live_through(&shop).await;
    eventually(async || !kept(&shop).await.is_empty()).await;
    let (second, running) = collect(&shop).await;
    change(&shop, "root:b", "refused", json!({"size": 3})).await;
    for insight in [&first, &second] {
        eventually(async || insight.snapshot().total.adoption.ready == 3).await;
    }
    running.stop().await.unwrap();
    // It would take a damaged page for an edit, and mend it.
    drop(superseded.stop().await);

    let api: Api<ConfigMap> = Api::namespaced(shop.site.system("root:home"), "default");
    let pages = kept(&shop).await;
    for page in &pages {
        let name = page.metadata.name.as_deref().unwrap();
        let patch = Patch::Merge(json!({"data": {"page.json": "{\"living\": 7}"}}));
        api.patch(name, &PatchParams::default(), &patch).await.unwrap();
    }
    let (third, running) = collect(&shop).await;
    assert_eq!(adopted(&third.snapshot().total), [3, 3, 3, 0]);
    running.stop().await.unwrap();
    // Pages that are new since were never damaged.
    let names: Vec<_> = pages.iter().map(ResourceExt::name_any).collect();
    for page in kept(&shop).await.into_iter().filter(|page| names.contains(&page.name_any())) {
        assert_eq!(page.data.unwrap()["damaged.json"], "{\"living\": 7}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_collects_its_own_workspace_and_nothing_of_others() {
    let shop = Shop::open().await;
    live_through(&shop).await;
    let rules = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, access()]);
    shop.site.grant("root:a", "alice", rules).await;
    let collector = |endpoint: Endpoint| {
        let options = InsightOptions::default().with_look_every(Duration::from_millis(50));
        InsightCollector::new("alice", home(&shop)).with_options(options).with_source(source(endpoint, user("alice")))
    };
    let own = collector(Endpoint::Workspace("root:a".parse().unwrap()));
    let insight = own.insight();
    let _own = Platform::builder(control_plane(&shop)).component(own).start().await.unwrap();
    let report = insight.snapshot();
    assert_eq!((adopted(&report.total), report.workspaces.len()), ([2, 2, 2, 0], 1));

    // Neither everything that the provider sees, nor the other's workspace.
    let elsewhere = [endpoint(&shop).await, Endpoint::AllWorkspaces, Endpoint::Workspace("root:b".parse().unwrap())];
    for (number, endpoint) in elsewhere.into_iter().enumerate() {
        let other = collector(endpoint);
        let insight = other.insight();
        let starting = Platform::builder(control_plane(&shop)).component(other).start();
        let started = tokio::time::timeout(Duration::from_millis(500), starting).await;
        assert!(started.is_err(), "{number}: it was ready");
        assert_eq!(insight.snapshot().total.adoption, Default::default(), "{number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_learns_who_has_bound_its_export_from_the_export_alone() {
    let shop = Shop::open().await;
    shop.offer(offering("standard", json!({"parameters": {"size": 1}}))).await;
    let options = InsightOptions::default().with_look_every(Duration::from_millis(50));
    let collector = InsightCollector::new(NAME, home(&shop))
        .with_options(options)
        .with_source(source(endpoint(&shop).await, Identity::system_masters()));
    let insight = collector.insight();
    let _running = Platform::builder(control_plane(&shop)).component(collector).start().await.unwrap();
    eventually(async || insight.snapshot().total.adoption.binders == Some(2)).await;
    // Paths of workspaces are the platform's to tell.
    assert!(insight.snapshot().workspaces.keys().all(|name| !name.contains("root:")));
}
