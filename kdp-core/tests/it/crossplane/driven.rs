//! Orders of a workspace that a runner has Crossplane make on another cluster.

use kdp_core::{
    Identity, SharedControlPlane,
    provider::crossplane::{CrossplaneProvider, Shape},
    runner::{ACTION, Home, Reach, Runner},
    workspace::WorkspacePath,
};
use kube::{ResourceExt, api::ListParams};
use serde_json::json;

use super::{
    core::{api, buckets, volumes},
    place,
};
use crate::site::{HOME, PLACE, Site, condition, eventually, kind, options, start};

#[tokio::test]
async fn an_order_is_made_by_crossplane_delivered_explained_acted_on_and_removed() {
    let (orders, crossplane) = (Site::new().await, place::Site::new().await);
    let namespace = crossplane.namespace().await;
    let provider =
        CrossplaneProvider::new(crossplane.client(), "default", place::options(Shape::Namespaced, &namespace));
    let path = |path: &str| path.parse::<WorkspacePath>().unwrap();
    let reach = Reach::endpoint(path(PLACE).into(), Identity::system_masters());
    let home = Home::new(orders.system(HOME), "default");
    let runner = Runner::new("buckets", provider, kind(), reach, home).with_options(options());
    let control_plane: SharedControlPlane = orders.shared();
    let runner = start(runner, control_plane);

    crossplane.core.behaviour().cloud_error = Some("create failed: AccessDenied");
    let uid = orders.order("app", json!({"size": 1})).await;
    let told = eventually("the order says what the cloud says", async || {
        let status = orders.things().get("app").await.unwrap().data["status"].clone();
        status["message"].as_str().is_some_and(|message| message.contains("AccessDenied")).then_some(status)
    })
    .await;
    assert_eq!(condition(&told, "ComposedReady").reason, "ReconcileError");

    crossplane.core.behaviour().cloud_error = None;
    let status = orders.phase("app", "Ready").await;
    assert!(condition(&status, "ComposedReady").is_true() && condition(&status, "Synced").is_true());
    let secret = orders.secret("app-credentials").await.unwrap();
    assert_eq!(secret.data.unwrap()["host"].0, b"db.example.org");

    orders.annotate("app", ACTION, &json!({"id": "1", "name": "reconcile"}).to_string()).await;
    eventually("the action is done", async || {
        (orders.things().get("app").await.unwrap().data["status"]["action"]["state"] == "Done").then_some(())
    })
    .await;

    orders.change("app", json!({"size": 3})).await;
    let bucket = api(&crossplane.client(), &buckets(), Some(&namespace));
    eventually("the change is made", async || {
        (bucket.get(&format!("kdp-{uid}")).await.unwrap().data["spec"]["size"] == 3).then_some(())
    })
    .await;
    orders.phase("app", "Ready").await;
    orders.delete("app").await;
    orders.is_gone("app").await;
    let left = bucket.list(&ListParams::default()).await.unwrap().items;
    assert!(left.is_empty(), "{:?}", left.iter().map(ResourceExt::name_any).collect::<Vec<_>>());
    let volumes = api(&crossplane.client(), &volumes(), Some(&namespace));
    assert!(volumes.list(&ListParams::default()).await.unwrap().items.is_empty());
    runner.stop().await.unwrap();
}
