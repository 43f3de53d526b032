//! What a tenant writes into his order to get what is not his.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kdp_core::{
    ErrorKind,
    provider::OrderId,
    runner::{ACTION, APPROVE, Approval, DriftPolicy, FINALIZER, Home, HomeApprovals, IMPORT, Imports},
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    shelf::Thing,
    site::{HOME, PLACE, Site, condition, eventually, options, thing},
};

/// Long enough for a runner to do what it must not.
const WHILE: Duration = Duration::from_millis(200);

fn approvals(site: &Site) -> HomeApprovals {
    HomeApprovals::new(&Home::new(site.system(HOME), "default"), "things")
}

async fn approvals_left(site: &Site) -> usize {
    let approvals = Api::<ConfigMap>::namespaced(site.system(HOME), "default");
    let list = approvals.list(&ListParams::default()).await.unwrap();
    list.items.iter().filter(|approval| approval.name_any().starts_with("things-approves-")).count()
}

async fn action(site: &Site, id: &str) -> Value {
    eventually(&format!("the action {id:?} has an outcome"), async || {
        let status = site.things().get("app").await.unwrap().data["status"].clone();
        (status["action"]["id"] == id).then(|| status["action"].clone())
    })
    .await
}

#[tokio::test]
async fn who_orders_does_not_approve_where_the_platform_does() {
    let site = Site::new().await;
    let platform = options().with_approval(Approval::Changes).with_approver(approvals(&site));
    let runner = site.run(platform);
    let uid = site.order("app", json!({"size": 1})).await;
    let status = site.phase("app", "Blocked").await;
    let hash = status["plan"]["hash"].as_str().unwrap().to_owned();
    assert!(condition(&status, "Ready").message.contains("until the platform approves"), "{status}");

    // All that the annotation, the status and a name of the tenant's own can say.
    let name = format!("things-approves-{hash}");
    let forged: ConfigMap = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    let theirs = Api::<ConfigMap>::namespaced(site.system(PLACE), "default");
    theirs.create(&PostParams::default(), &forged).await.unwrap();
    let lie = json!({"status": {"phase": "Ready", "plan": null, "conditions": [
        {"type": "Approved", "status": "True", "reason": "Approved", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"},
    ]}});
    site.things().patch_status("app", &PatchParams::default(), &Patch::Merge(lie)).await.unwrap();
    site.annotate("app", APPROVE, &hash).await;
    tokio::time::sleep(WHILE).await;
    assert!(site.shelf.of(&uid).is_empty());

    approvals(&site).approve(&hash).await.unwrap();
    // The annotation is no approval, but has it looked at now.
    site.annotate("app", APPROVE, "look").await;
    site.phase("app", "Ready").await;
    assert_eq!(site.shelf.of(&uid).len(), 1);
    eventually("it is used up", async || (approvals_left(&site).await == 0).then_some(())).await;
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn an_approval_counts_once() {
    for by_platform in [false, true] {
        let site = Site::new().await;
        let mut once =
            options().with_approval(Approval::Destructive).with_drift(Duration::from_millis(20), DriftPolicy::Repair);
        if by_platform {
            once = once.with_approver(approvals(&site));
        }
        let runner = site.run(once);
        let uid = site.order("app", json!({"size": 1, "colour": "red"})).await;
        site.phase("app", "Ready").await;
        site.change("app", json!({"colour": "blue"})).await;
        let status = site.phase("app", "Blocked").await;
        let hash = status["plan"]["hash"].as_str().unwrap().to_owned();
        let approve = async || {
            if by_platform {
                approvals(&site).approve(&hash).await.unwrap();
                site.annotate("app", APPROVE, &rand::random::<u64>().to_string()).await;
            } else {
                site.annotate("app", APPROVE, &hash).await;
            }
        };
        approve().await;
        site.phase("app", "Ready").await;
        assert_eq!(site.shelf.of(&uid)[0].colour, "blue");

        site.shelf.world().things.values_mut().for_each(|thing| thing.colour = "red".into());
        eventually("it waits", async || {
            let status = site.things().get("app").await.unwrap().data["status"].clone();
            (status["plan"]["hash"] == hash.as_str()).then_some(())
        })
        .await;
        assert_eq!(site.shelf.of(&uid)[0].colour, "red", "what was approved once is done again");
        site.annotate("app", APPROVE, "nothing").await;
        tokio::time::sleep(WHILE).await;
        assert_eq!(site.shelf.of(&uid)[0].colour, "red");
        approve().await;
        eventually("it is as ordered", async || (site.shelf.of(&uid)[0].colour == "blue").then_some(())).await;
        runner.stop().await.unwrap();
    }
}

#[tokio::test]
async fn an_action_by_which_something_is_lost_waits_where_the_platform_approves() {
    let site = Site::new().await;
    let runner = site.run(options().with_approval(Approval::Destructive).with_approver(approvals(&site)));
    site.order("app", json!({"size": 1})).await;
    site.phase("app", "Ready").await;
    site.annotate("app", ACTION, r#"{"id": "one", "name": "scratch"}"#).await;
    let waiting = action(&site, "one").await;
    assert_eq!(waiting["state"], "ApprovalNeeded");
    assert!(site.shelf.world().acted.is_empty());
    let hash = waiting["message"].as_str().unwrap().rsplit(' ').next().unwrap().to_owned();
    site.annotate("app", APPROVE, &hash).await;
    tokio::time::sleep(WHILE).await;
    assert!(site.shelf.world().acted.is_empty());
    approvals(&site).approve(&hash).await.unwrap();
    eventually("it is done", async || (site.shelf.world().acted == ["one"]).then_some(())).await;
    eventually("it is used up", async || (approvals_left(&site).await == 0).then_some(())).await;
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn taking_over_what_exists_waits_where_the_platform_approves() {
    let site = Site::new().await;
    let free = Thing { order: String::new(), size: 4, colour: "red".into() };
    site.shelf.world().things.insert(100, free);
    let approved = options().with_imports(Imports::Approved).with_next_look(Duration::from_millis(20));
    let runner = site.run(approved.with_approver(approvals(&site)));
    let uid = site.order_with("app", json!({"size": 4}), json!({IMPORT: "100"})).await;
    let message = condition(&site.phase("app", "Blocked").await, "Ready").message;
    let hash = message.split(' ').map(|word| word.trim_end_matches(';')).find(|word| word.len() == 64).unwrap();
    site.annotate("app", APPROVE, hash).await;
    tokio::time::sleep(WHILE).await;
    assert!(site.shelf.of(&uid).is_empty());
    approvals(&site).approve(hash).await.unwrap();
    site.phase("app", "Ready").await;
    assert_eq!((site.shelf.of(&uid).len(), site.shelf.world().made), (1, 0));
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn an_id_of_an_action_leads_to_no_other_object() {
    let site = Site::new().await;
    let runner = site.run(options());
    site.order("app", json!({"size": 1})).await;
    site.phase("app", "Ready").await;
    let before = site.secret("app-credentials").await;
    for id in ["../../../../secrets/other", "credentials", "a?x=y", "", "UPPER", "-a", "a/status", &"a".repeat(64)] {
        site.annotate("app", ACTION, &json!({"id": id, "name": "polish"}).to_string()).await;
        let invalid = eventually(&format!("{id:?} is judged"), async || {
            let action = site.things().get("app").await.unwrap().data["status"]["action"].clone();
            (action["state"] == "Invalid").then_some(action)
        })
        .await;
        assert!(invalid["message"].as_str().unwrap().contains("must"), "{invalid}");
        site.annotate("app", ACTION, r#"{"id": "good", "name": "paint"}"#).await;
        action(&site, "good").await;
        site.annotate("app", ACTION, r#"{"id": "other", "name": "paint"}"#).await;
        action(&site, "other").await;
    }
    assert!(site.shelf.world().acted.is_empty());
    assert_eq!(site.secret("app-credentials").await, before);
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn an_order_without_the_finalizer_leaves_nothing_behind() {
    let site = Site::new().await;
    let runner = site.run(options());
    let strip = async |finalizers: Value| {
        let patch = Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
        site.things().patch("app", &PatchParams::default(), &patch).await.unwrap();
    };
    // With its tenant's own finalizer in the place of ours.
    let uid = site.order("app", json!({"size": 1})).await;
    site.phase("app", "Ready").await;
    strip(json!(["example.com/mine"])).await;
    eventually("the finalizer is back", async || {
        let held = site.things().get("app").await.unwrap();
        held.finalizers().iter().any(|finalizer| finalizer == FINALIZER).then_some(())
    })
    .await;
    site.shelf.world().cut_off = true;
    site.delete("app").await;
    strip(json!(["example.com/mine"])).await;
    tokio::time::sleep(WHILE).await;
    site.shelf.world().cut_off = false;
    eventually("it is removed", async || site.shelf.of(&uid).is_empty().then_some(())).await;
    eventually("the record is removed", async || site.records().await.is_empty().then_some(())).await;
    strip(json!([])).await;
    site.is_gone("app").await;

    // Gone at once, and another one of its name there.
    for _ in 0..10 {
        let uid = site.order("app", json!({"size": 1})).await;
        site.phase("app", "Ready").await;
        site.shelf.world().cut_off = true;
        site.delete("app").await;
        strip(json!([])).await;
        let next = site.order("app", json!({"size": 2})).await;
        site.shelf.world().cut_off = false;
        eventually("it is removed", async || site.shelf.of(&uid).is_empty().then_some(())).await;
        site.phase("app", "Ready").await;
        assert_eq!(site.shelf.of(&next).len(), 1, "what another order of its name has stays");
        site.delete("app").await;
        site.is_gone("app").await;
    }
    eventually("no record is left", async || site.records().await.is_empty().then_some(())).await;
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn what_vanished_while_nobody_worked_is_kept_and_listed() {
    let site = Site::new().await;
    let runner = site.run(options());
    let [uid, there] = [site.order("app", json!({"size": 1})).await, site.order("other", json!({"size": 1})).await];
    site.phase("app", "Ready").await;
    site.phase("other", "Ready").await;
    runner.stop().await.unwrap();
    let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    site.things().patch("app", &PatchParams::default(), &patch).await.unwrap();
    site.delete("app").await;

    let runner = site.run(options());
    let orphans = site.runner_through(&site.shared(), options()).orphans(site.shared()).await.unwrap();
    let [orphan] = &orphans[..] else { panic!("{orphans:?}") };
    assert_eq!((&orphan.order.uid, orphan.inventory[0].kind.as_str()), (&uid, "thing"));
    assert!(site.records().await.iter().any(|record| record.name_any() == orphan.record));
    assert_eq!([site.shelf.of(&uid).len(), site.shelf.of(&there).len()], [1, 1]);
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn a_provider_that_answers_for_another_order_is_not_believed() {
    let site = Site::new().await;
    let runner = site.run(options());
    let victim = site.order("victim", json!({"size": 1})).await;
    site.phase("victim", "Ready").await;
    site.shelf.world().answers_for = Some(OrderId::new(&victim, "default", "victim"));
    site.order("app", json!({"size": 1})).await;
    let status = site.phase("app", "Failing").await;
    assert!(condition(&status, "Ready").message.contains("another order"), "{status}");
    site.delete("app").await;
    tokio::time::sleep(WHILE).await;
    assert_eq!(site.shelf.of(&victim).len(), 1);
    site.shelf.world().answers_for = None;
    site.is_gone("app").await;
    assert_eq!(site.shelf.of(&victim).len(), 1);
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_said_of_an_order_is_never_too_long_to_be_said() {
    let site = Site::new().await;
    let runner = site.run(options());
    let long: &'static str = "ä".repeat(1 << 20).leak();
    site.shelf.world().refusal = Some((ErrorKind::Invalid, long));
    site.order("app", json!({"size": 1})).await;
    let status = site.phase("app", "Blocked").await;
    assert!(status["message"].as_str().unwrap().len() < 5 << 10);
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn no_duration_is_too_long_for_a_runner() {
    let site = Site::new().await;
    let never = options().with_drift(Duration::MAX, DriftPolicy::Repair).with_next_look(Duration::MAX);
    let runner = site.run(never.with_deadlines(kdp_core::runner::Deadlines::default().with_operations(Duration::MAX)));
    site.shelf.world().next_look = Some(Duration::MAX);
    site.order("app", json!({"size": 1})).await;
    site.phase("app", "Ready").await;
    site.change("app", json!({"size": 2})).await;
    site.phase("app", "Ready").await;
    runner.stop().await.unwrap();
}

#[tokio::test]
async fn a_foreign_order_cannot_be_claimed_by_its_uid() {
    let site = Site::new().await;
    let runner = site.run(options());
    let victim = site.order("victim", json!({"size": 1})).await;
    site.phase("victim", "Ready").await;
    let mut forged = thing("app", &json!({"size": 1}), &json!({}));
    forged.metadata.uid = Some(victim.clone());
    let created = site.things().create(&PostParams::default(), &forged).await.unwrap();
    assert_ne!(created.uid().as_ref(), Some(&victim));
    site.phase("app", "Ready").await;
    site.things().delete("app", &DeleteParams::default()).await.unwrap();
    site.is_gone("app").await;
    assert_eq!(site.shelf.of(&victim).len(), 1);
    runner.stop().await.unwrap();
}
