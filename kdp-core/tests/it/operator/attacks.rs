//! What tenants, and whoever else has a hand in the cluster, try.

use k8s_openapi::api::core::v1::Secret;
use kdp_core::{
    ErrorKind, Provider,
    provider::{
        Lease, Order, OrderId, Phase, Run,
        operator::{Locator, ObjectTemplate, Offering, OutputRule, OutputsFrom, Placement, Source},
    },
};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{Desk, SECRET, order_id, several, single};

fn run(lease: u64) -> Run {
    Run::new(Lease(lease))
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_in_an_order_are_only_text() {
    let mut desk = Desk::new(single("things")).await;
    for note in ["${order.id.uid}", "$${x}", "${", "{{ .Values }}", "' + objects.main.metadata.uid + '", "\u{0}ü\n"] {
        let spec = json!({"size": 1, "note": note});
        if desk.provider.plan(&desk.order(spec.clone()), &run(1)).await.is_err() {
            continue;
        }
        desk.reach(spec, &run(1), Phase::Ready).await;
        assert_eq!(desk.cluster.all("Bucket", "things").await[0].data["spec"]["note"], json!(note));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_has_no_say_in_what_its_objects_are_called_or_whose_they_are() {
    let mut desk = Desk::new(single("things")).await;
    let mut spec = json!({"size": 1});
    spec["metadata"] = json!({
        "name": "kube-root", "namespace": "kube-system", "finalizers": ["x/y"],
        "annotations": {"operator.kdp.k8c.io/uid": "victim"}, "ownerReferences": [{"uid": "x"}],
    });
    desk.reach(spec, &run(1), Phase::Ready).await;
    let bucket = &desk.cluster.all("Bucket", "things").await[0];
    assert_eq!(bucket.annotations()["operator.kdp.k8c.io/uid"], desk.id.uid);
    assert!(bucket.owner_references().is_empty() && bucket.finalizers() == ["example.com/operator"]);
    assert!(bucket.name_any().starts_with("main-"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_orders_is_never_adopted_changed_or_removed() {
    let mut desk = Desk::new(single("things")).await;
    let ready = desk.reach(json!({"size": 1}), &run(1), Phase::Ready).await;
    let name = desk.cluster.all("Bucket", "things").await[0].name_any();
    for (owner, phase) in [(Some("somebody-else"), Phase::Gone), (None, Phase::Unknown)] {
        let mark = json!({"metadata": {"annotations": {"operator.kdp.k8c.io/uid": owner}}});
        desk.cluster.api("Bucket", "things").patch(&name, &PatchParams::default(), &Patch::Merge(mark)).await.unwrap();
        let before = desk.cluster.all("Bucket", "things").await[0].clone();
        let seen = desk.observe().await;
        assert_eq!(seen.phase, phase, "{}", seen.message);
        assert!(seen.outputs.is_empty());
        drop(desk.apply(json!({"size": 7}), &run(1)).await);
        drop(desk.provider.delete(ready.teardown.as_ref().unwrap(), &run(1)).await);
        let after = desk.cluster.all("Bucket", "things").await[0].clone();
        assert_eq!(
            (after.resource_version(), after.data["spec"].clone()),
            (before.resource_version(), json!({"size": 1}))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_cannot_have_the_secret_of_another_one() {
    // An operator that repeats what an order says about the Secret.
    let credentials = OutputsFrom::new(Source::Secret(Locator::Name("objects.main.status.secretName".into())))
        .with("password", OutputRule::key("password"));
    let offering =
        Offering::of_spec("example.com/v1", "Bucket", Placement::Namespace("things".into())).with_outputs(credentials);
    let mut victim = Desk::new(offering).await;
    victim.reach(json!({"size": 1}), &run(1), Phase::Ready).await;
    let secret = format!("{}-credentials", victim.cluster.all("Bucket", "things").await[0].name_any());
    let foreign: Secret = serde_json::from_value(json!({
        "metadata": {"name": "platform-credentials"}, "stringData": {"password": SECRET},
    }))
    .unwrap();
    Api::namespaced(victim.cluster.client(), "things").create(&PostParams::default(), &foreign).await.unwrap();

    victim.id = order_id();
    victim.sealed = None;
    for name in [secret.as_str(), "platform-credentials", "../home/x", ""] {
        let seen = victim.reach(json!({"size": 1, "secretName": name}), &run(1), Phase::Progressing).await;
        assert!(!seen.outputs.contains_key("password"), "{name}");
        for _ in 0..20 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            let seen = victim.observe().await;
            assert!(seen.phase != Phase::Ready || name.is_empty(), "{name}: {}", seen.message);
            assert!(!seen.outputs.contains_key("password") || name.is_empty(), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_told_by_plans_messages_or_errors() {
    let mut desk = Desk::new(several("things")).await;
    let spec = json!({"size": 1, "password": SECRET});
    let (progress, mut heard) = kdp_core::provider::Progress::channel(100);
    let run = run(1).with_progress(progress);
    let plan = desk.provider.plan(&desk.order(spec.clone()), &run).await.unwrap();
    let ready = desk.reach(spec, &run, Phase::Ready).await;
    let changed =
        desk.provider.plan(&desk.order(json!({"size": 1, "password": "an0ther-secret"})), &run).await.unwrap();
    let wrong = desk.provider.plan(&desk.order(json!({"size": 0, "password": SECRET})), &run).await.unwrap_err();
    let mut told = format!("{plan:?} {ready:?} {changed:?} {wrong} {wrong:?} {}", ready.message);
    while let Ok(step) = heard.try_recv() {
        told += &step.to_string();
    }
    for secret in [SECRET, "an0ther-secret", &ready.outputs["password"].value] {
        assert!(!told.contains(secret), "{told}");
    }
    assert!(!changed.changes.is_empty(), "that a secret changes is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn workspaces_have_namespaces_that_no_other_one_leads_to() {
    let offering = Offering::of_spec("example.com/v1", "Bucket", Placement::PerWorkspace("tenant".into()));
    let desk = Desk::new(offering).await;
    let mut seen = std::collections::BTreeSet::new();
    for workspace in ["aaaa1111bbbb2222", "aaaa1111bbbb2223"] {
        let id = OrderId::new("same-uid", "team", "order").in_workspace(workspace.parse().unwrap());
        let order = Order::new(id, 1, json!({"size": 1}));
        let plan = desk.provider.plan(&order, &run(1)).await.unwrap();
        drop(desk.provider.apply(&order.with_sealed(Some(plan.teardown.clone())), &plan.hash(), &run(1)).await);
        seen.insert(plan.teardown.inventory[0].id.clone());
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_of_any_size_and_shape_are_answered() {
    let desk = Desk::new(single("things")).await;
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!({"metadata": deep});
    }
    for spec in [json!(null), json!([]), json!("x"), json!({"note": "x".repeat(2 << 20)}), deep] {
        if let Err(error) = desk.provider.plan(&desk.order(spec), &run(1)).await {
            assert_ne!(error.kind(), ErrorKind::Internal, "{error}");
        }
    }
}

#[tokio::test]
async fn offerings_that_cannot_work_are_refused_with_all_their_faults() {
    let desk = Desk::new(single("things")).await;
    let bad = Offering::new(Placement::Namespace("things".into()))
        .with_object(ObjectTemplate::new("Main", "v1", "").with_body(json!({"spec": "${order.", "status": {}})))
        .with_endpoint("main", "secrets.x");
    let made = kdp_core::provider::operator::OperatorProvider::new("bad", desk.cluster.client(), "home", &bad);
    let error = made.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    for part in ["Main", "spec", "endpoints.main"] {
        assert!(error.message().contains(part), "{part}: {error}");
    }
    let _: Value = serde_json::to_value(&bad).unwrap();
}
