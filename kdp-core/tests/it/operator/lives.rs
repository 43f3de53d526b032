//! What an order goes through, seen from outside.

use kdp_core::{
    ErrorKind, Provider,
    provider::{
        ActionCall, ChangeAction, Lease, Phase, Run,
        operator::{
            Locator, ObjectTemplate, Offering, OutputRule, OutputsFrom, Placement, ReadinessExpressions, Source,
            Visibility,
        },
    },
};
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{Desk, SECRET, several, single};

fn run(lease: u64) -> Run {
    Run::new(Lease(lease)).with_holder("a test")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ordered_is_made_changed_and_removed() {
    let mut desk = Desk::new(several("things")).await;
    let spec = json!({"size": 1, "password": SECRET, "cache": true});
    let ready = desk.reach(spec, &run(1), Phase::Ready).await;
    assert_eq!(ready.outputs["username"].value, "app");
    assert!(ready.outputs["password"].sensitive && !ready.outputs["host"].sensitive);
    assert_eq!(ready.endpoints[0].address, format!("https://{}", ready.outputs["host"].value));
    let kinds: Vec<_> = desk.sealed.as_ref().unwrap().inventory.iter().map(|item| item.kind.clone()).collect();
    assert!(kinds.first().unwrap().contains("Cache") && kinds.last().unwrap().contains("Secret"), "{kinds:?}");

    let bucket = &desk.cluster.all("Bucket", "things").await[0];
    assert_eq!(bucket.data["spec"]["size"], json!(1));
    assert!(bucket.data["spec"]["note"].as_str().unwrap().starts_with("for order by input-"));

    let smaller = json!({"size": 5, "password": SECRET});
    let plan = desk.provider.plan(&desk.order(smaller.clone()), &run(1)).await.unwrap();
    let actions: Vec<_> = plan.changes.iter().map(|change| change.action).collect();
    assert!(actions.contains(&ChangeAction::Update) && actions.contains(&ChangeAction::Delete), "{}", plan.summary());
    desk.reach(smaller, &run(1), Phase::Ready).await;
    assert_eq!(desk.cluster.all("Bucket", "things").await[0].data["spec"]["size"], json!(5));
    assert_eq!(desk.cluster.all("Cache", "things").await.len(), 0);

    desk.remove(&run(1)).await;
    assert_eq!(desk.cluster.all("Bucket", "things").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_operator_has_not_seen_yet_is_not_ready() {
    let mut desk = Desk::new(single("things")).await;
    desk.reach(json!({"size": 1}), &run(1), Phase::Ready).await;
    desk.cluster.rest();
    let seen = desk.apply(json!({"size": 2}), &run(1)).await.unwrap();
    assert_eq!(seen.phase, Phase::Progressing, "{}", seen.message);
    assert_eq!(desk.observe().await.phase, Phase::Progressing);
    desk.cluster.work();
    desk.reach(json!({"size": 2}), &run(1), Phase::Ready).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offering_may_know_better_when_something_is_ready() {
    let readiness = ReadinessExpressions::ready_when("status.host.endsWith('.example.com') && spec.size > 1")
        .failed_when("spec.size == 7")
        .with_message("'it has the size ' + string(spec.size)");
    let bucket = ObjectTemplate::of_spec("main", "example.com/v1", "Bucket").with_readiness(readiness);
    let offering = Offering::new(Placement::Namespace("things".into())).with_object(bucket);
    let mut desk = Desk::new(offering).await;
    let small = desk.reach(json!({"size": 1}), &run(1), Phase::Progressing).await;
    assert!(small.message.contains("it has the size 1"), "{}", small.message);
    desk.reach(json!({"size": 2}), &run(1), Phase::Ready).await;
    desk.reach(json!({"size": 7}), &run(1), Phase::Failing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_not_ready_before_its_outputs_are_there() {
    let missing = OutputsFrom::new(Source::Secret(Locator::Owned { by: "main".into(), labels: Default::default() }))
        .with("token", OutputRule::key("token"));
    let optional = OutputsFrom::new(Source::Object("main".into()))
        .with("note", OutputRule::value("object.status.note").optional())
        .with("host", OutputRule::value("object.status.host").visible(Visibility::Sensitive));
    let offering = Offering::of_spec("example.com/v1", "Bucket", Placement::Namespace("things".into()));
    let mut desk = Desk::new(offering.clone().with_outputs(optional.clone()).with_outputs(missing)).await;
    let seen = desk.reach(json!({"size": 1}), &run(1), Phase::Progressing).await;
    assert!(seen.message.contains("token") || seen.phase == Phase::Progressing, "{}", seen.message);
    desk.remove(&run(1)).await;

    let mut desk = Desk::new(offering.with_outputs(optional)).await;
    let ready = desk.reach(json!({"size": 1}), &run(1), Phase::Ready).await;
    assert!(ready.outputs["host"].sensitive && !ready.outputs.contains_key("note"));
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_can_be_told_to_leave_an_order_alone() {
    let bucket = ObjectTemplate::of_spec("main", "example.com/v1", "Bucket").with_pause("example.com/paused", "true");
    let offering = Offering::new(Placement::Namespace("things".into())).with_object(bucket);
    let mut desk = Desk::new(offering).await;
    desk.reach(json!({"size": 1}), &run(1), Phase::Ready).await;
    let order = desk.order(json!({"size": 1}));
    let paused = |value: Option<&str>| {
        let (cluster, value) = (&desk.cluster, value.map(str::to_owned));
        async move {
            let bucket = &cluster.all("Bucket", "things").await[0];
            assert_eq!(bucket.annotations().get("example.com/paused"), value.as_ref());
        }
    };
    for _ in 0..2 {
        desk.provider.act(&order, &ActionCall::new("1", "pause"), &run(1)).await.unwrap();
        paused(Some("true")).await;
    }
    desk.provider.act(&order, &ActionCall::new("2", "resume"), &run(1)).await.unwrap();
    paused(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_changed_is_a_change_of_the_next_plan() {
    let mut desk = Desk::new(single("things")).await;
    desk.reach(json!({"size": 1}), &run(1), Phase::Ready).await;
    let name = desk.cluster.all("Bucket", "things").await[0].name_any();
    let patch = Patch::Merge(json!({"spec": {"size": 9}}));
    desk.cluster.api("Bucket", "things").patch(&name, &PatchParams::default(), &patch).await.unwrap();
    let plan = desk.provider.plan(&desk.order(json!({"size": 1})), &run(1)).await.unwrap();
    assert_eq!(plan.changes[0].action, ChangeAction::Update);
    assert_eq!(plan.changes[0].values[0].path, "spec.size");
    desk.reach(json!({"size": 1}), &run(1), Phase::Ready).await;
    assert_eq!(desk.cluster.all("Bucket", "things").await[0].data["spec"]["size"], json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_cluster_does_not_take_names_the_field() {
    let desk = Desk::new(single("things")).await;
    let error = desk.provider.plan(&desk.order(json!({"size": "x"})), &run(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.message().contains("size"), "{error}");
}
