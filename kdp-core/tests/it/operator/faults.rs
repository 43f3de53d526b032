//! A cluster that is away, refuses or is slow.

use std::sync::atomic::Ordering;

use kdp_core::{
    ErrorKind, Provider,
    provider::{Lease, Phase, Run},
};
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Desk, several, single};

fn run(lease: u64) -> Run {
    Run::new(Lease(lease))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_refuses_is_no_evidence_of_anything() {
    let mut desk = Desk::new(several("things")).await;
    let spec = json!({"size": 1, "password": "secret-enough"});
    let ready = desk.reach(spec.clone(), &run(1), Phase::Ready).await;
    for code in [401, 403, 404, 429, 500, 503] {
        desk.switches.refuse.store(code, Ordering::SeqCst);
        let seen = desk.provider.observe(&desk.id, desk.sealed.as_ref()).await;
        let deleted = desk.provider.delete(desk.sealed.as_ref().unwrap(), &run(1)).await;
        desk.switches.refuse.store(0, Ordering::SeqCst);
        for outcome in [seen, deleted].into_iter().flatten() {
            assert!(
                !matches!(outcome.phase, Phase::Gone | Phase::Ready),
                "{code}: {} {}",
                outcome.phase,
                outcome.message
            );
        }
        assert_eq!(desk.observe().await.outputs, ready.outputs, "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_write_of_a_process_that_lost_its_turn_is_refused() {
    let mut desk = Desk::new(single("things")).await;
    desk.reach(json!({"size": 1}), &run(1), Phase::Ready).await;
    let order = desk.order(json!({"size": 2}));
    let plan = desk.provider.plan(&order, &run(1)).await.unwrap();
    // The write is on its way when the other process takes over.
    let gate = CancellationToken::new();
    *desk.switches.gate.lock().unwrap() = Some(("PATCH".into(), gate.clone()));
    let late = desk.cluster.provider("buckets", &desk.switches, &single("things"));
    let (hash, late_run) = (plan.hash(), run(1));
    let writing = tokio::spawn(async move { late.apply(&order, &hash, &late_run).await });
    desk.switches.arrived.notified().await;
    *desk.switches.gate.lock().unwrap() = None;
    desk.reach(json!({"size": 3}), &run(2), Phase::Ready).await;
    gate.cancel();
    let outcome = writing.await.unwrap();
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Stale);
    assert_eq!(desk.cluster.all("Bucket", "things").await[0].data["spec"]["size"], json!(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_cluster_at_the_same_address_is_not_taken_for_the_one_it_was() {
    let mut desk = Desk::new(single("things")).await;
    desk.reach(json!({"size": 1}), &run(1), Phase::Ready).await;
    let other = Desk::new(single("things")).await;
    let seen = other.provider.observe(&desk.id, desk.sealed.as_ref()).await.unwrap();
    assert_eq!(seen.phase, Phase::Unknown, "{}", seen.message);
    let deleted = other.provider.delete(desk.sealed.as_ref().unwrap(), &run(1)).await;
    assert!(deleted.is_err() || deleted.unwrap().phase != Phase::Gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_operator_changes_meanwhile_is_taken_over_nevertheless() {
    let desk = Desk::new(single("things")).await;
    desk.cluster.rest();
    let bucket =
        json!({"apiVersion": "example.com/v1", "kind": "Bucket", "metadata": {"name": "legacy"}, "spec": {"size": 1}});
    desk.cluster.make("Bucket", "things", bucket).await;
    let gate = CancellationToken::new();
    *desk.switches.gate.lock().unwrap() = Some(("PATCH".into(), gate.clone()));
    let provider = desk.cluster.provider("buckets", &desk.switches, &single("things"));
    let order = desk.order(json!({"size": 1}));
    let importing = tokio::spawn(async move { provider.import(&order, "legacy", &run(1)).await });
    desk.switches.arrived.notified().await;
    *desk.switches.gate.lock().unwrap() = None;
    let change = Patch::Merge(json!({"metadata": {"labels": {"changed": "meanwhile"}}}));
    desk.cluster.api("Bucket", "things").patch("legacy", &PatchParams::default(), &change).await.unwrap();
    gate.cancel();
    let taken = importing.await.unwrap().unwrap();
    assert_ne!(taken.phase, Phase::Gone);
    let bucket = &desk.cluster.all("Bucket", "things").await[0];
    assert_eq!(
        (bucket.annotations()["operator.kdp.k8c.io/uid"].as_str(), bucket.labels()["changed"].as_str()),
        (desk.id.uid.as_str(), "meanwhile")
    );
}
