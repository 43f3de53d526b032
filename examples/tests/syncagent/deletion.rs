//! The end of an order, in every order of events.

use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use super::{
    case::Case,
    object::{delete, gone, patch, seen},
    shared::{Shared, eventually, pause, shared},
};

async fn offered(shared: &'static Shared, name: &str) -> Case<'static> {
    let case = Case::new(shared, name).await;
    case.offer(json!({})).await;
    case
}

#[test]
fn an_order_takes_its_copy_along() {
    shared(async |s| {
        let case = offered(s, "dplain").await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        delete(&case.orders(), "one").await;
        gone(&case.beside(&copy), &copy.name_any()).await;
        gone(&case.orders(), "one").await;
    });
}

#[test]
fn an_order_stays_until_its_copy_is_gone() {
    shared(async |s| {
        let case = offered(s, "dwaits").await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        let copies = case.beside(&copy);
        patch(&copies, &copy.name_any(), json!({"metadata": {"finalizers": ["example.com/operator"]}})).await;
        delete(&case.orders(), "one").await;
        seen(&copies, &copy.name_any(), |copy| copy.metadata.deletion_timestamp.is_some()).await;
        pause().await;
        let order = case.orders().get("one").await.unwrap();
        assert_eq!(order.finalizers(), ["syncagent.kcp.io/cleanup"]);
        let free = Patch::Json::<()>(
            serde_json::from_value(json!([{"op": "remove", "path": "/metadata/finalizers"}])).unwrap(),
        );
        copies.patch(&copy.name_any(), &PatchParams::default(), &free).await.unwrap();
        gone(&case.orders(), "one").await;
    });
}

#[test]
fn an_order_whose_copy_is_gone_already_can_go() {
    shared(async |s| {
        let case = offered(s, "dgone").await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        // The order is being deleted when its copy goes, so that none is made again.
        patch(
            &case.orders(),
            "one",
            json!({"metadata": {"finalizers": ["syncagent.kcp.io/cleanup", "example.com/x"]}}),
        )
        .await;
        delete(&case.orders(), "one").await;
        gone(&case.beside(&copy), &copy.name_any()).await;
        let order = seen(&case.orders(), "one", |order| order.finalizers() == ["example.com/x"]).await;
        assert!(order.metadata.deletion_timestamp.is_some());
        patch(&case.orders(), "one", json!({"metadata": {"finalizers": null}})).await;
        gone(&case.orders(), "one").await;
    });
}

#[test]
fn a_copy_deleted_by_hand_while_its_order_is_deleted_is_not_made_again() {
    shared(async |s| {
        let case = offered(s, "dboth").await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        let (orders, copies) = (case.orders(), case.beside(&copy));
        let (name, params) = (copy.name_any(), DeleteParams::default());
        let (deleted, _) = tokio::join!(orders.delete("one", &params), copies.delete(&name, &params));
        deleted.unwrap();
        gone(&case.orders(), "one").await;
        eventually("there is no copy", async || {
            case.copies().list(&Default::default()).await.unwrap().items.is_empty().then_some(())
        })
        .await;
    });
}

#[test]
fn an_edit_before_the_deletion_does_not_stop_it() {
    shared(async |s| {
        let case = offered(s, "dedit").await;
        case.order("one", json!({})).await;
        case.copy("one", |_| true).await;
        patch(&case.orders(), "one", json!({"spec": {"a": 1}})).await;
        delete(&case.orders(), "one").await;
        gone(&case.orders(), "one").await;
        assert!(case.copies().list(&Default::default()).await.unwrap().items.is_empty());
    });
}

#[test]
fn an_orphaned_dependent_stays_when_the_order_asks_for_it() {
    shared(async |s| {
        let case = offered(s, "dorphan").await;
        case.order_with(json!({"metadata": {
            "name": "one", "annotations": {"syncagent.kcp.io/deletion-propagation-policy": "orphan"},
        }}))
        .await;
        let copy = case.copy("one", |_| true).await;
        assert!(!copy.annotations().contains_key("syncagent.kcp.io/deletion-propagation-policy"));
        delete(&case.orders(), "one").await;
        gone(&case.orders(), "one").await;
        gone(&case.beside(&copy), &copy.name_any()).await;
    });
}

#[test]
fn each_propagation_policy_deletes_and_an_unknown_one_does_too() {
    shared(async |s| {
        let case = offered(s, "dpolicies").await;
        for policy in ["background", "foreground", "whatever"] {
            case.order_with(json!({"metadata": {
                "name": policy, "annotations": {"syncagent.kcp.io/deletion-propagation-policy": policy},
            }}))
            .await;
            let copy = case.copy(policy, |_| true).await;
            delete(&case.orders(), policy).await;
            // No garbage collector runs here, so what is deleted in the foreground waits for it.
            let copies = case.beside(&copy);
            eventually(&format!("the copy is deleted, {policy}"), async || {
                let copy = copies.get_opt(&copy.name_any()).await.unwrap();
                copy.is_none_or(|copy| copy.metadata.deletion_timestamp.is_some()).then_some(())
            })
            .await;
            if policy == "foreground" && copies.get_opt(&copy.name_any()).await.unwrap().is_some() {
                patch(&copies, &copy.name_any(), json!({"metadata": {"finalizers": null}})).await;
            }
            gone(&case.orders(), policy).await;
        }
    });
}

#[test]
fn the_state_of_an_order_that_is_gone_goes_too() {
    shared(async |s| {
        let case = offered(s, "dstate").await;
        case.order("one", json!({})).await;
        case.copy("one", |_| true).await;
        let prefix = format!("obj-state-{}-", case.cluster("dstate").await);
        let secrets = super::object::secrets(case.service(), super::program::NAMESPACE);
        let states = async || {
            let secrets = secrets.list(&Default::default()).await.unwrap();
            secrets.iter().filter(|s| s.name_any().starts_with(&prefix)).count()
        };
        eventually("there is a state", async || (states().await == 1).then_some(())).await;
        delete(&case.orders(), "one").await;
        gone(&case.orders(), "one").await;
        eventually("there is no state", async || (states().await == 0).then_some(())).await;
    });
}
