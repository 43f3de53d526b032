//! What the tenant's binding allows, and what happens when it goes.

use kube::{ResourceExt, api::DeleteParams};
use serde_json::{Value, json};

use super::{
    case::Case,
    object::{create_secret, delete, gone},
    related::{holds, secrets_beside, secrets_of_tenant},
    shared::{pause, shared},
};

/// A template entry of Secrets that come up.
fn credentials() -> Value {
    json!({"related": [{
        "identifier": "c", "origin": "service", "kind": "Secret",
        "object": {"template": {"template": "{{ .Object.metadata.name }}-c"}},
    }]})
}

#[test]
fn orders_are_synced_without_a_claim_that_only_related_objects_need() {
    shared(async |s| {
        let case = Case::new(s, "brejected").await;
        case.publish(credentials()).await;
        case.published().await;
        case.bind(&case.name, &["events", "namespaces"]).await;
        case.order("one", json!({"a": 1})).await;
        let copy = case.copy("one", |copy| copy.data["spec"]["a"] == 1).await;
        create_secret(&secrets_beside(&case, &copy), &format!("{}-c", copy.name_any()), "x", json!({})).await;
        super::object::patch_status(&case.beside(&copy), &copy.name_any(), json!({"phase": "Ready"})).await;
        case.seen("one", |order| order.data["status"]["phase"] == "Ready").await;
        pause().await;
        assert!(secrets_of_tenant(&case).get_opt("one-c").await.unwrap().is_none(), "the claim is not accepted");
        delete(&case.orders(), "one").await;
        gone(&case.orders(), "one").await;
    });
}

#[test]
fn orders_are_synced_without_any_claim() {
    shared(async |s| {
        let case = Case::new(s, "bnoclaims").await;
        case.publish(json!({})).await;
        case.published().await;
        case.bind(&case.name, &[]).await;
        case.order("one", json!({"a": 1})).await;
        case.copy("one", |copy| copy.data["spec"]["a"] == 1).await;
    });
}

#[test]
fn a_claim_that_is_accepted_later_delivers_what_waited_for_it() {
    shared(async |s| {
        let case = Case::new(s, "blater").await;
        case.publish(credentials()).await;
        case.published().await;
        case.bind(&case.name, &["events", "namespaces"]).await;
        case.order("one", json!({})).await;
        let copy = case.copy("one", |_| true).await;
        create_secret(&secrets_beside(&case, &copy), &format!("{}-c", copy.name_any()), "x", json!({})).await;
        let accepted = |resource| {
            json!({
                "group": "", "resource": resource, "verbs": ["*"], "selector": {"matchAll": true}, "state": "Accepted",
            })
        };
        let claims: Vec<_> = ["events", "namespaces", "secrets"].map(accepted).into();
        let patch = kube::api::Patch::Merge(json!({"spec": {"permissionClaims": claims}}));
        case.bindings(&case.name).patch(&case.export, &Default::default(), &patch).await.unwrap();
        holds(&secrets_of_tenant(&case), "one-c", "x").await;
    });
}

#[test]
fn a_tenant_that_binds_late_is_served_like_the_first() {
    shared(async |s| {
        let case = Case::new(s, "blate").await;
        case.offer(json!({})).await;
        case.order("one", json!({})).await;
        case.copy("one", |_| true).await;
        s.site.create_workspace("blate2").await;
        case.bind("blate2", &super::case::CLAIMS).await;
        let order = case.typed(json!({"metadata": {"name": "two"}}));
        super::object::create(&case.orders_in("blate2", Some("default")), order).await;
        case.copy_of("blate2", "two", |_| true).await;
    });
}

#[test]
fn the_others_are_served_when_a_tenant_unbinds() {
    shared(async |s| {
        let case = Case::new(s, "bunbind").await;
        case.offer(json!({})).await;
        s.site.create_workspace("bunbind2").await;
        case.bind("bunbind2", &super::case::CLAIMS).await;
        let theirs = case.orders_in("bunbind2", Some("default"));
        super::object::create(&theirs, case.typed(json!({"metadata": {"name": "two"}}))).await;
        let copy = case.copy_of("bunbind2", "two", |_| true).await;
        case.bindings("bunbind2").delete(&case.export, &DeleteParams::default()).await.unwrap();
        // Unbinding deletes the orders; their copies go with them.
        gone(&case.beside(&copy), &copy.name_any()).await;
        super::shared::eventually("it is unbound", async || {
            case.bindings("bunbind2").get_opt(&case.export).await.unwrap().is_none().then_some(())
        })
        .await;
        case.order("one", json!({"a": 1})).await;
        case.copy("one", |copy| copy.data["spec"]["a"] == 1).await;
    });
}
