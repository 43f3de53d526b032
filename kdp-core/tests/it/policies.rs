//! Approval, drift, failed creations, imports, deadlines.

use std::time::Duration;

use kdp_core::{
    ErrorKind,
    provider::Operation,
    runner::{APPROVE, Approval, Deadlines, DriftPolicy, FailedCreations, IMPORT, Imports, RETRY},
};
use serde_json::json;

use crate::{
    shelf::Thing,
    site::{Site, condition, eventually, options},
};

fn hasty() -> Deadlines {
    Deadlines::default().with_order(Duration::from_millis(200)).with_grace(Duration::from_millis(50))
}

#[tokio::test]
async fn what_is_destructive_waits_until_its_hash_is_approved() {
    let site = Site::new().await;
    let runner = site.run(options().with_approval(Approval::Destructive));
    let uid = site.order("app", json!({"size": 1, "colour": "red"})).await;
    site.phase("app", "Ready").await;
    site.change("app", json!({"size": 2})).await;
    site.phase("app", "Ready").await;

    site.change("app", json!({"colour": "blue"})).await;
    let status = site.phase("app", "Blocked").await;
    let hash = status["plan"]["hash"].as_str().unwrap().to_owned();
    let ready = condition(&status, "Ready");
    assert_eq!(ready.reason, "ApprovalNeeded");
    assert!(ready.message.contains("1 to replace") && ready.message.contains(&hash), "{}", ready.message);
    assert_eq!(condition(&status, "Approved").status, "False");
    site.annotate("app", APPROVE, "another hash").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(site.shelf.of(&uid)[0].colour, "red");

    site.annotate("app", APPROVE, &hash).await;
    let status = site.phase("app", "Ready").await;
    assert_eq!(site.shelf.of(&uid)[0].colour, "blue");
    assert!(status["plan"].is_null() && condition(&status, "Approved").is_true());
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn an_approval_is_void_when_the_order_changes_after_it() {
    let site = Site::new().await;
    let runner = site.run(options().with_approval(Approval::Changes));
    let uid = site.order("app", json!({"size": 1})).await;
    let status = site.phase("app", "Blocked").await;
    let hash = status["plan"]["hash"].as_str().unwrap().to_owned();
    site.change("app", json!({"size": 1000})).await;
    site.annotate("app", APPROVE, &hash).await;
    let status = site.phase("app", "Blocked").await;
    assert_ne!(status["plan"]["hash"], hash);
    assert!(site.shelf.of(&uid).is_empty());
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn drift_is_repaired_or_reported_as_the_policy_says() {
    for policy in [DriftPolicy::Repair, DriftPolicy::Report] {
        let site = Site::new().await;
        let runner = site.run(options().with_drift(Duration::from_millis(50), policy));
        let uid = site.order("app", json!({"size": 1})).await;
        site.phase("app", "Ready").await;
        site.shelf.world().things.values_mut().for_each(|thing| thing.size = 9);
        if policy == DriftPolicy::Report {
            let status = eventually("drift is reported", async || {
                let status = site.phase("app", "Ready").await;
                condition(&status, "Drifted").is_true().then_some(status)
            })
            .await;
            assert_eq!(condition(&status, "Drifted").message, "1 to update");
            assert_eq!(site.shelf.of(&uid)[0].size, 9);
            site.annotate("app", APPROVE, status["plan"]["hash"].as_str().unwrap()).await;
        }
        eventually("it is as ordered", async || (site.shelf.of(&uid)[0].size == 1).then_some(())).await;
        runner.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_creation_that_is_never_ready_is_removed_and_given_up_until_somebody_asks() {
    let site = Site::new().await;
    site.shelf.world().never_ready = true;
    let failing = options().with_deadlines(hasty()).with_failed_creations(FailedCreations::Remove, 2);
    let runner = site.run(failing);
    let uid = site.order("app", json!({"size": 1})).await;
    let status = site.phase("app", "Blocked").await;
    assert_eq!(condition(&status, "Ready").reason, "GivenUp");
    assert!(site.shelf.of(&uid).is_empty());
    assert_eq!(site.shelf.world().made, 2);

    site.shelf.world().never_ready = false;
    site.annotate("app", RETRY, "2").await;
    site.phase("app", "Ready").await;
    assert_eq!(site.shelf.world().doubles, 0);
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn a_creation_that_is_never_ready_can_be_held_for_inspection() {
    let site = Site::new().await;
    site.shelf.world().never_ready = true;
    let runner = site.run(options().with_deadlines(hasty()).with_failed_creations(FailedCreations::Hold, 3));
    let uid = site.order("app", json!({"size": 1})).await;
    let status = site.phase("app", "Blocked").await;
    let ready = condition(&status, "Ready");
    assert_eq!(ready.reason, "HeldForInspection");
    assert!(ready.message.contains(&format!("{RETRY}=0")), "{}", ready.message);
    assert_eq!(site.shelf.of(&uid).len(), 1);

    site.shelf.world().never_ready = false;
    site.annotate("app", RETRY, "0").await;
    site.phase("app", "Ready").await;
    assert_eq!(site.shelf.doubles_and_made(), (0, 2));
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn what_was_ready_once_is_never_removed_because_it_fails() {
    let site = Site::new().await;
    let runner = site.run(options().with_deadlines(hasty()));
    let uid = site.order("app", json!({"size": 1})).await;
    site.phase("app", "Ready").await;
    site.shelf.world().never_ready = true;
    site.change("app", json!({"size": 2})).await;
    let status = eventually("it is overdue", async || {
        let status = site.phase("app", "Failing").await;
        (condition(&status, "Ready").reason == "DeadlineExceeded").then_some(status)
    })
    .await;
    assert!(condition(&status, "Ready").message.contains("next look"));
    assert_eq!(site.shelf.of(&uid).len(), 1);
    assert_eq!(site.shelf.world().deletes, 0);
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_seen_is_neither_made_again_nor_let_go() {
    let site = Site::new().await;
    let runner = site.run(options().with_deadlines(hasty()));
    let uid = site.order("app", json!({"size": 1})).await;
    site.phase("app", "Ready").await;
    site.shelf.world().cut_off = true;
    site.phase("app", "Unknown").await;
    site.delete("app").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(site.things().get_opt("app").await.unwrap().is_some());
    assert_eq!(site.shelf.of(&uid).len(), 1);
    site.shelf.world().cut_off = false;
    site.is_gone("app").await;
    assert_eq!(site.shelf.of(&uid).len(), 0);
    assert_eq!(site.shelf.doubles_and_made(), (0, 1));
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn an_operation_that_never_ends_is_told_to_stop_and_then_dropped() {
    let site = Site::new().await;
    site.shelf.world().hanging = Some(Operation::Apply);
    let deadlines =
        Deadlines::default().with_operations(Duration::from_millis(100)).with_grace(Duration::from_millis(50));
    let runner = site.run(options().with_deadlines(deadlines));
    site.order("app", json!({"size": 1})).await;
    let status = site.phase("app", "Failing").await;
    assert!(condition(&status, "Ready").message.contains("did not end within 100ms"));
    assert!(site.shelf.world().was_told_to_stop);
    site.shelf.world().hanging = None;
    site.phase("app", "Ready").await;
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn an_operation_under_way_is_told_to_stop_when_the_runner_is() {
    let site = Site::new().await;
    site.shelf.world().hanging = Some(Operation::Apply);
    let runner = site.run(options());
    site.order("app", json!({"size": 1})).await;
    eventually("it is under way", async || (site.shelf.world().most_at_once > 0).then_some(())).await;
    runner.stop().await.unwrap();
    assert!(site.shelf.world().was_told_to_stop);
}

#[tokio::test]
async fn a_refusal_waits_for_a_person_and_a_failure_is_tried_again() {
    let site = Site::new().await;
    let runner = site.run(options());
    for (name, kind, phase) in [
        ("a", ErrorKind::Forbidden, "Blocked"),
        ("b", ErrorKind::Unavailable, "Failing"),
        ("c", ErrorKind::Internal, "Failing"),
    ] {
        site.shelf.world().refusal = Some((kind, "the cloud says no"));
        site.order(name, json!({"size": 1})).await;
        let status = site.phase(name, phase).await;
        assert!(condition(&status, "Ready").message.contains("the cloud says no"), "{status}");
        site.shelf.world().refusal = None;
        if phase == "Failing" {
            site.phase(name, "Ready").await;
        }
    }
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn what_exists_is_taken_over_where_that_is_allowed_and_nobody_has_it() {
    let site = Site::new().await;
    let free = Thing { order: String::new(), size: 4, colour: "red".into() };
    let taken = Thing { order: "somebody".into(), ..free.clone() };
    site.shelf.world().things.extend([(100, free), (101, taken)]);
    let refusing = site.run(options());
    let uid = site.order_with("app", json!({"size": 4}), json!({IMPORT: "100"})).await;
    let status = site.phase("app", "Blocked").await;
    assert_eq!(condition(&status, "Ready").reason, "ImportRefused");
    refusing.stop().await.unwrap();

    let runner = site.run(options().with_imports(Imports::Allowed));
    site.phase("app", "Ready").await;
    assert_eq!(site.shelf.of(&uid).len(), 1);
    assert_eq!(site.shelf.doubles_and_made(), (0, 0));
    site.order_with("thief", json!({"size": 4}), json!({IMPORT: "101"})).await;
    let status = site.phase("thief", "Blocked").await;
    assert!(condition(&status, "Ready").message.contains("another order's"));
    assert_eq!(site.shelf.of("somebody").len(), 1);
    site.delete("app").await;
    site.is_gone("app").await;
    assert!(site.shelf.of(&uid).is_empty());
    runner.stop().await.unwrap();
}
