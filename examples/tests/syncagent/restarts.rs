//! Agents that are stopped, killed and started again.

use std::time::Duration;

use kube::{ResourceExt, api::DynamicObject};
use serde_json::json;

use super::{
    case::Case,
    object::{create_secret, delete, gone, patch},
    program::{Program, flags},
    related::{holds, secrets_beside, secrets_of_tenant},
    shared::{Shared, pause, shared},
};

/// A case with an agent of its own.
async fn own_agent(shared: &'static Shared, name: &'static str, spec: serde_json::Value) -> (Case<'static>, Program) {
    shared.site.create_export(name).await;
    let agent = start(shared, name);
    let case = Case::on(&shared.site, name, name, name, |_| {}).await;
    case.offer(spec).await;
    (case, agent)
}

fn start(shared: &Shared, name: &str) -> Program {
    let selector = format!("--published-resource-selector=agent={name}");
    Program::start(&shared.site, name, &flags(&shared.site, name, name, &[&selector]))
}

/// Name, uid and version of each object.
fn versions(objects: impl IntoIterator<Item = DynamicObject>) -> Vec<(String, Option<String>, Option<String>)> {
    let mut versions: Vec<_> =
        objects.into_iter().map(|object| (object.name_any(), object.uid(), object.resource_version())).collect();
    versions.sort();
    versions
}

#[test]
fn an_agent_that_starts_again_changes_nothing() {
    shared(async |s| {
        let (case, agent) = own_agent(
            s,
            "restartnothing",
            json!({"related": [{
                "identifier": "c", "origin": "service", "kind": "Secret",
                "object": {"template": {"template": "{{ .Object.metadata.name }}-c"}},
            }]}),
        )
        .await;
        for number in 0..5 {
            case.order(&format!("order-{number}"), json!({"a": number})).await;
        }
        for number in 0..5 {
            case.copy(&format!("order-{number}"), |_| true).await;
        }
        let copy = case.copy("order-0", |_| true).await;
        create_secret(&secrets_beside(&case, &copy), &format!("{}-c", copy.name_any()), "x", json!({})).await;
        holds(&secrets_of_tenant(&case), "order-0-c", "x").await;
        pause().await;
        assert!(agent.terminate().await.success());
        let everything = async || {
            let mut all = versions(case.orders().list(&Default::default()).await.unwrap());
            all.extend(versions(case.copies().list(&Default::default()).await.unwrap()));
            all.extend(versions(secrets_of_tenant(&case).list(&Default::default()).await.unwrap()));
            all.extend(versions(secrets_beside(&case, &copy).list(&Default::default()).await.unwrap()));
            all
        };
        let before = everything().await;
        let agent = start(s, "restartnothing");
        // Another order shows that it works.
        case.order("zz-last", json!({})).await;
        case.copy("zz-last", |_| true).await;
        pause().await;
        let after = everything().await;
        let after: Vec<_> = after.into_iter().filter(|version| before.iter().any(|b| b.0 == version.0)).collect();
        assert_eq!(after, before);
        agent.terminate().await;
    });
}

#[test]
fn what_happened_while_no_agent_ran_is_caught_up_with() {
    shared(async |s| {
        let (case, agent) = own_agent(s, "restartcatchup", json!({})).await;
        for name in ["edited", "deleted", "status"] {
            case.order(name, json!({"a": 1})).await;
            case.copy(name, |_| true).await;
        }
        pause().await;
        agent.terminate().await;
        patch(&case.orders(), "edited", json!({"spec": {"a": 2}})).await;
        delete(&case.orders(), "deleted").await;
        case.order("new", json!({"a": 3})).await;
        let copy = case.copy("status", |_| true).await;
        super::object::patch_status(&case.beside(&copy), &copy.name_any(), json!({"phase": "Ready"})).await;
        let kept = case.copy("edited", |_| true).await;
        patch(&case.beside(&kept), &kept.name_any(), json!({"spec": {"operator": true}})).await;
        let agent = start(s, "restartcatchup");
        case.copy("edited", |copy| copy.data["spec"] == json!({"a": 2, "operator": true})).await;
        case.copy("new", |copy| copy.data["spec"]["a"] == 3).await;
        gone(&case.orders(), "deleted").await;
        case.seen("status", |order| order.data["status"]["phase"] == "Ready").await;
        agent.terminate().await;
    });
}

#[test]
fn killed_at_any_moment_it_finishes_the_next_time() {
    shared(async |s| {
        let (case, agent) = own_agent(s, "restartkill", json!({})).await;
        agent.kill().await;
        for round in 0..8_u64 {
            for number in 0..3 {
                case.order(&format!("order-{round}-{number}"), json!({"a": round})).await;
            }
            if round > 0 {
                delete(&case.orders(), &format!("order-{}-0", round - 1)).await;
                patch(&case.orders(), &format!("order-{}-1", round - 1), json!({"spec": {"b": round}})).await;
            }
            let agent = start(s, "restartkill");
            // From the first requests to the middle of the work.
            tokio::time::sleep(Duration::from_millis(60 + 45 * round)).await;
            agent.kill().await;
        }
        let agent = start(s, "restartkill");
        for round in 0..7 {
            gone(&case.orders(), &format!("order-{round}-0")).await;
            case.copy(&format!("order-{round}-1"), |copy| copy.data["spec"] == json!({"a": round, "b": round + 1}))
                .await;
            case.copy(&format!("order-{round}-2"), |copy| copy.data["spec"] == json!({"a": round})).await;
        }
        pause().await;
        assert_eq!(case.copies().list(&Default::default()).await.unwrap().items.len(), 7 * 2 + 3);
        agent.terminate().await;
    });
}
