//! The ordinary life of an order.

use std::time::Duration;

use kdp_core::runner::{ACTION, FINALIZER, PAUSE};
use kube::ResourceExt;
use serde_json::json;

use crate::{
    shelf::PASSWORD,
    site::{Site, condition, eventually, options},
};

#[tokio::test]
async fn an_order_is_made_delivered_changed_and_removed() {
    let site = Site::new().await;
    let runner = site.run(options().with_status_output("size"));
    let uid = site.order("app", json!({"size": 1})).await;
    let status = site.phase("app", "Ready").await;
    assert_eq!(status["size"], "1");
    assert_eq!(status["secretName"], "app-credentials");
    let ready = condition(&status, "Ready");
    assert!(ready.is_true() && ready.observed_generation == Some(1) && !ready.reason.is_empty(), "{ready:?}");

    let secret = site.secret("app-credentials").await.unwrap();
    assert_eq!(secret.data.as_ref().unwrap()["password"].0, PASSWORD.as_bytes());
    assert_eq!(secret.owner_references()[0].uid, uid);
    assert_eq!(site.things().get("app").await.unwrap().finalizers(), [FINALIZER]);
    assert_eq!(site.records().await.len(), 1);

    site.change("app", json!({"size": 2})).await;
    let status = site.phase("app", "Ready").await;
    assert_eq!((status["size"].as_str(), site.shelf.of(&uid)[0].size), (Some("2"), 2));

    site.delete("app").await;
    site.is_gone("app").await;
    assert!(site.shelf.of(&uid).is_empty());
    assert!(site.records().await.is_empty());
    assert!(site.secret("app-credentials").await.is_none());
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn a_steady_order_is_looked_at_without_being_written() {
    let site = Site::new().await;
    let runner = site.run(options());
    site.order("app", json!({"size": 1})).await;
    site.phase("app", "Ready").await;
    // The writes of the pass that made it ready may still be under way.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let version = site.things().get("app").await.unwrap().resource_version();
    let plans = site.shelf.world().plans;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(site.things().get("app").await.unwrap().resource_version(), version);
    assert_eq!(site.shelf.world().plans, plans, "it is observed, not planned");
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn an_impossible_order_waits_for_a_person_and_says_why() {
    let site = Site::new().await;
    let runner = site.run(options());
    site.order("app", json!({"size": 0})).await;
    let status = site.phase("app", "Blocked").await;
    let ready = condition(&status, "Ready");
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "Rejected"));
    assert!(ready.message.contains("shelf cannot plan it: size: must be positive"), "{}", ready.message);
    site.change("app", json!({"size": 1})).await;
    site.phase("app", "Ready").await;
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn a_paused_order_is_left_alone_and_not_failed() {
    let site = Site::new().await;
    let runner = site.run(options());
    let uid = site.order_with("app", json!({"size": 1}), json!({PAUSE: "true"})).await;
    let status = site.phase("app", "Paused").await;
    assert_eq!(condition(&status, "Ready").reason, "Paused");
    assert!(site.shelf.of(&uid).is_empty());
    site.annotate("app", PAUSE, "false").await;
    site.phase("app", "Ready").await;
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn somebody_elses_secret_is_left_alone() {
    let site = Site::new().await;
    let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> =
        kube::Api::namespaced(site.system(crate::site::PLACE), "default");
    let theirs = serde_json::from_value(json!({"metadata": {"name": "app-credentials"}, "stringData": {"a": "b"}}));
    secrets.create(&Default::default(), &theirs.unwrap()).await.unwrap();
    let runner = site.run(options());
    site.order("app", json!({"size": 1})).await;
    let status = site.phase("app", "Blocked").await;
    assert_eq!(condition(&status, "Ready").reason, "OutputsNotDelivered");
    site.delete("app").await;
    site.is_gone("app").await;
    assert!(site.secret("app-credentials").await.unwrap().data.unwrap().contains_key("a"));
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn an_action_is_done_once_and_tells_no_secret() {
    let site = Site::new().await;
    let runner = site.run(options());
    site.order("app", json!({"size": 1})).await;
    site.phase("app", "Ready").await;
    let outcome = async |id: &str| {
        let what = format!("the action {id} has an outcome");
        eventually(&what, async || {
            let status = site.things().get("app").await.unwrap().data["status"].clone();
            (status["action"]["id"] == id).then(|| status["action"].clone())
        })
        .await
    };
    site.annotate("app", ACTION, r#"{"id": "one", "name": "polish"}"#).await;
    let done = outcome("one").await;
    assert_eq!(done["state"], "Done");
    assert_eq!(done["outputs"], json!({"shine": "9"}));
    assert_eq!(done["message"], "it shines, and its password is (sensitive)");
    let secret = site.secret("app-one").await.unwrap();
    assert_eq!(secret.data.unwrap()["token"].0, b"a-secret-token");

    site.annotate("app", ACTION, r#"{"id": "two", "name": "paint"}"#).await;
    assert_eq!(outcome("two").await["state"], "Rejected");
    assert_eq!(site.shelf.world().acted, ["one"]);
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn events_tell_what_has_happened() {
    let site = Site::new().await;
    let runner = site.run(options());
    site.order("app", json!({"size": 1})).await;
    site.phase("app", "Ready").await;
    let told = eventually("it is told", async || {
        let events = site.events("app").await;
        events.iter().any(|event| event.starts_with("Ready")).then_some(events)
    })
    .await;
    assert!(told.contains(&"StepDone: thing: done, made it".to_owned()), "{told:?}");
    assert!(!told.iter().any(|event| event.contains(PASSWORD)));
    runner.stop().await.unwrap();
}
