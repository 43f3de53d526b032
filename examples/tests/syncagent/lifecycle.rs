//! An order and its copy, from the first day on.

use kube::ResourceExt;
use serde_json::json;

use super::{
    case::Case,
    object::{api, delete, patch, patch_status},
    shared::{eventually, shared},
};

#[test]
fn a_copy_says_whose_it_is() {
    shared(async |s| {
        let case = Case::new(s, "lmarks").await;
        case.offer(json!({})).await;
        case.order("my-crontab", json!({"a": 1})).await;
        let copy = case.copy("my-crontab", |_| true).await;
        let (labels, annotations) = (copy.labels(), copy.annotations());
        assert_eq!(labels["syncagent.kcp.io/remote-object-cluster"], case.cluster("lmarks").await);
        assert_eq!(labels["syncagent.kcp.io/remote-object-name-hash"], "5e88753c0b240e5526631d00a18a26e78221e284");
        assert_eq!(labels["syncagent.kcp.io/remote-object-namespace-hash"], "7505d64a54e061b7acd54ccd58b49dc43500b635");
        assert_eq!(labels["syncagent.kcp.io/agent-name"], *case.agent);
        assert_eq!(annotations["syncagent.kcp.io/remote-object-name"], "my-crontab");
        assert_eq!(annotations["syncagent.kcp.io/remote-object-namespace"], "default");
        assert!(!annotations.contains_key("syncagent.kcp.io/remote-object-workspace-path"));
        let order = case.orders().get("my-crontab").await.unwrap();
        assert_eq!(order.finalizers(), ["syncagent.kcp.io/cleanup"]);
    });
}

#[test]
fn labels_and_annotations_of_the_order_go_down() {
    shared(async |s| {
        let case = Case::new(s, "lmetadata").await;
        case.offer(json!({})).await;
        case.order_with(json!({"metadata": {
            "name": "one", "labels": {"team": "a"}, "annotations": {"note": "b"},
        }}))
        .await;
        let copy = case.copy("one", |_| true).await;
        assert_eq!((&*copy.labels()["team"], &*copy.annotations()["note"]), ("a", "b"));
        patch(&case.orders(), "one", json!({"metadata": {"labels": {"team": "c"}, "annotations": {"note": null}}}))
            .await;
        case.copy("one", |copy| copy.labels()["team"] == "c" && !copy.annotations().contains_key("note")).await;
    });
}

#[test]
fn edits_of_the_spec_go_down() {
    shared(async |s| {
        let case = Case::new(s, "lspec").await;
        case.offer(json!({})).await;
        case.order("one", json!({"a": 1, "list": [1, 2], "gone": true})).await;
        case.copy("one", |copy| copy.data["spec"] == json!({"a": 1, "list": [1, 2], "gone": true})).await;
        patch(&case.orders(), "one", json!({"spec": {"a": 2, "list": [3], "gone": null, "new": {"x": "y"}}})).await;
        case.copy("one", |copy| copy.data["spec"] == json!({"a": 2, "list": [3], "new": {"x": "y"}})).await;
    });
}

#[test]
fn the_status_comes_up_and_never_goes_down() {
    shared(async |s| {
        let case = Case::new(s, "lstatus").await;
        case.offer(json!({})).await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        patch_status(&case.beside(&copy), &copy.name_any(), json!({"phase": "Ready"})).await;
        case.seen("one", |order| order.data["status"]["phase"] == "Ready").await;
        // What the tenant claims of the status is put right.
        patch_status(&case.orders(), "one", json!({"phase": "Mine"})).await;
        case.seen("one", |order| order.data["status"]["phase"] == "Ready").await;
        assert_eq!(case.copy("one", |_| true).await.data["status"]["phase"], "Ready");
    });
}

#[test]
fn fields_that_only_the_service_side_has_are_kept() {
    shared(async |s| {
        let case = Case::new(s, "lkept").await;
        case.offer(json!({})).await;
        case.order("one", json!({"a": 1})).await;
        let copy = case.copy("one", |_| true).await;
        let edit = json!({"metadata": {"labels": {"operator": "x"}}, "spec": {"defaulted": true}});
        patch(&case.beside(&copy), &copy.name_any(), edit).await;
        patch(&case.orders(), "one", json!({"spec": {"a": 2}})).await;
        case.copy("one", |copy| {
            copy.data["spec"] == json!({"a": 2, "defaulted": true}) && copy.labels().contains_key("operator")
        })
        .await;
    });
}

#[test]
fn a_service_side_edit_of_a_field_holds_until_the_tenant_edits_it() {
    shared(async |s| {
        let case = Case::new(s, "ltenantwins").await;
        case.offer(json!({})).await;
        case.order("one", json!({"a": 1, "b": 1})).await;
        let copy = case.copy("one", |_| true).await;
        patch(&case.beside(&copy), &copy.name_any(), json!({"spec": {"a": 100}})).await;
        patch(&case.orders(), "one", json!({"spec": {"b": 2}})).await;
        case.copy("one", |copy| copy.data["spec"] == json!({"a": 100, "b": 2})).await;
        patch(&case.orders(), "one", json!({"spec": {"a": 3}})).await;
        case.copy("one", |copy| copy.data["spec"] == json!({"a": 3, "b": 2})).await;
    });
}

#[test]
fn marks_that_somebody_took_off_a_copy_come_again() {
    shared(async |s| {
        let case = Case::new(s, "lremark").await;
        case.offer(json!({})).await;
        case.order("one", json!({"a": 1})).await;
        let copy = case.copy("one", |_| true).await;
        let edit = json!({"metadata": {"labels": {"syncagent.kcp.io/agent-name": null}}});
        patch(&case.beside(&copy), &copy.name_any(), edit).await;
        patch(&case.orders(), "one", json!({"spec": {"a": 2}})).await;
        case.copy("one", |copy| {
            copy.data["spec"]["a"] == 2 && copy.labels().contains_key("syncagent.kcp.io/agent-name")
        })
        .await;
    });
}

#[test]
fn a_copy_deleted_by_hand_is_made_again() {
    shared(async |s| {
        let case = Case::new(s, "lagain").await;
        case.offer(json!({})).await;
        case.order("one", json!({"a": 1})).await;
        let copy = case.copy("one", |_| true).await;
        delete(&case.beside(&copy), &copy.name_any()).await;
        case.copy("one", |again| again.uid() != copy.uid() && again.data["spec"]["a"] == 1).await;
    });
}

#[test]
fn a_new_order_of_an_old_name_inherits_nothing() {
    shared(async |s| {
        let case = Case::new(s, "lreborn").await;
        case.offer(json!({})).await;
        case.order("one", json!({"a": 1, "b": 1})).await;
        let copy = case.copy("one", |_| true).await;
        delete(&case.orders(), "one").await;
        super::object::gone(&case.orders(), "one").await;
        case.order("one", json!({"a": 2})).await;
        let again = case.copy("one", |again| again.uid() != copy.uid()).await;
        assert_eq!(again.data["spec"], json!({"a": 2}));
    });
}

#[test]
fn orders_of_the_same_name_in_two_workspaces_have_a_copy_each() {
    shared(async |s| {
        let case = Case::new(s, "ltwo").await;
        case.offer(json!({})).await;
        s.site.create_workspace("ltwo2").await;
        case.bind("ltwo2", &super::case::CLAIMS).await;
        case.order("one", json!({"a": 1})).await;
        let order = case.typed(json!({"metadata": {"name": "one"}, "spec": {"a": 2}}));
        super::object::create(&case.orders_in("ltwo2", Some("default")), order).await;
        let first = case.copy("one", |copy| copy.data["spec"]["a"] == 1).await;
        let second = case.copy_of("ltwo2", "one", |copy| copy.data["spec"]["a"] == 2).await;
        assert_ne!(first.namespace(), second.namespace());
    });
}

#[test]
fn the_state_of_an_order_is_in_a_secret_of_the_known_name() {
    shared(async |s| {
        let case = Case::new(s, "lstate").await;
        case.offer(json!({})).await;
        case.order("one", json!({"a": 1})).await;
        case.copy("one", |_| true).await;
        let cluster = case.cluster("lstate").await;
        let secrets = super::object::secrets(case.service(), super::program::NAMESPACE);
        let state = eventually("there is a state", async || {
            let secrets = secrets.list(&Default::default()).await.unwrap();
            secrets.items.into_iter().find(|s| s.name_any().starts_with(&format!("obj-state-{cluster}-")))
        })
        .await;
        assert_eq!(state.labels()["syncagent.kcp.io/object-state"], "true");
        assert_eq!(state.name_any().len(), format!("obj-state-{cluster}-").len() + 20);
    });
}

#[test]
fn the_tenant_is_told_what_happens_in_events() {
    shared(async |s| {
        let case = Case::new(s, "levents").await;
        case.offer(json!({})).await;
        case.order("one", json!({"a": 1})).await;
        let copy = case.copy("one", |_| true).await;
        patch_status(&case.beside(&copy), &copy.name_any(), json!({"phase": "Ready"})).await;
        case.seen("one", |order| order.data["status"]["phase"] == "Ready").await;
        patch(&case.orders(), "one", json!({"spec": {"a": 2}})).await;
        case.copy("one", |copy| copy.data["spec"]["a"] == 2).await;
        let events = api(case.tenant(), Some("default"), "v1", "Event", "events");
        for reason in ["ObjectAccepted", "ObjectPlaced", "ObjectSynced", "ObjectStatusSynced"] {
            eventually(reason, async || {
                let events = events.list(&Default::default()).await.unwrap();
                events.iter().any(|e| e.data["reason"] == reason && e.data["type"] == "Normal").then_some(())
            })
            .await;
        }
    });
}
