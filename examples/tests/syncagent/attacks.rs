//! What tenants may write, and what must not come of it.

use kube::ResourceExt;
use serde_json::json;

use super::{
    case::{CLAIMS, Case},
    object::{create, create_secret, patch, secrets, value},
    related::{holds, secrets_beside, secrets_of_tenant},
    shared::{Shared, pause, shared},
};

/// A case with two tenants: the one of its name, and `<name>2`.
async fn two_tenants(shared: &'static Shared, name: &str, spec: serde_json::Value) -> (Case<'static>, String) {
    let case = Case::new(shared, name).await;
    case.offer(spec).await;
    let other = format!("{name}2");
    shared.site.create_workspace(&other).await;
    case.bind(&other, &CLAIMS).await;
    (case, other)
}

#[test]
fn forged_marks_do_not_reach_the_copy_of_another_tenant() {
    shared(async |s| {
        let (case, victim) = two_tenants(s, "aforged", json!({})).await;
        let victims = case.orders_in(&victim, Some("default"));
        create(&victims, case.typed(json!({"metadata": {"name": "one"}, "spec": {"a": "victim"}}))).await;
        let of_victim = case.copy_of(&victim, "one", |_| true).await;
        let (labels, annotations) = (of_victim.labels().clone(), of_victim.annotations().clone());
        case.order_with(json!({
            "metadata": {"name": "attack", "labels": labels, "annotations": annotations}, "spec": {"a": "attacker"},
        }))
        .await;
        let of_attacker = case.copy("attack", |_| true).await;
        assert_eq!(of_attacker.labels()["syncagent.kcp.io/remote-object-cluster"], case.cluster(&case.name).await);
        patch(&case.orders(), "attack", json!({"spec": {"a": "again"}})).await;
        case.copy("attack", |copy| copy.data["spec"]["a"] == "again").await;
        let now = case.beside(&of_victim).get(&of_victim.name_any()).await.unwrap();
        assert_eq!(now.data["spec"]["a"], "victim");
        assert_eq!(now.resource_version(), of_victim.resource_version());
    });
}

#[test]
fn a_colliding_name_takes_no_other_tenants_copy() {
    shared(async |s| {
        let naming = json!({"naming": {"name": "{{ .Object.metadata.name }}", "namespace": "acollide"}});
        let (case, second) = two_tenants(s, "acollide", naming).await;
        case.order("one", json!({"a": "first"})).await;
        let copy = case.copy("one", |_| true).await;
        let seconds = case.orders_in(&second, Some("default"));
        create(&seconds, case.typed(json!({"metadata": {"name": "one"}, "spec": {"a": "second"}}))).await;
        create(&seconds, case.typed(json!({"metadata": {"name": "two"}, "spec": {"a": "second"}}))).await;
        case.copy_of(&second, "two", |_| true).await;
        pause().await;
        let now = case.beside(&copy).get("one").await.unwrap();
        assert_eq!((&now.data["spec"]["a"], now.resource_version()), (&json!("first"), copy.resource_version()));
        // Nor does the end of the one that came too late.
        super::object::delete(&seconds, "one").await;
        super::object::gone(&seconds, "one").await;
        assert_eq!(case.beside(&copy).get("one").await.unwrap().uid(), copy.uid());
    });
}

#[test]
fn a_colliding_name_takes_no_object_of_the_service_owner() {
    shared(async |s| {
        let case = Case::new(s, "aowner").await;
        case.offer(json!({"naming": {"name": "{{ .Object.metadata.name }}", "namespace": "aowner"}})).await;
        super::object::create_namespace(case.service(), "aowner", json!({})).await;
        let own = json!({
            "apiVersion": format!("{}/v1", case.group), "kind": "Widget",
            "metadata": {"name": "precious"}, "spec": {"a": "owner"},
        });
        let made = create(&case.copies_in(Some("aowner")), own).await;
        case.order("precious", json!({"a": "tenant"})).await;
        case.order("other", json!({})).await;
        case.copy("other", |_| true).await;
        pause().await;
        let now = case.copies_in(Some("aowner")).get("precious").await.unwrap();
        assert_eq!((now.uid(), now.resource_version()), (made.uid(), made.resource_version()));
    });
}

#[test]
fn a_reference_reaches_no_secret_that_was_there_already() {
    shared(async |s| {
        let case = Case::new(s, "aoverwrite").await;
        case.offer(json!({"related": [{
            "identifier": "c", "origin": "kcp", "kind": "Secret", "object": {"reference": {"path": "spec.secret"}},
        }]}))
        .await;
        case.order("first", json!({})).await;
        let copy = case.copy("first", |_| true).await;
        create_secret(&secrets_beside(&case, &copy), "operator", "precious", json!({})).await;
        create_secret(&secrets_of_tenant(&case), "operator", "forged", json!({})).await;
        create_secret(&secrets_of_tenant(&case), "fine", "fine", json!({})).await;
        case.order("attack", json!({"secret": "operator"})).await;
        case.order("good", json!({"secret": "fine"})).await;
        holds(&secrets_beside(&case, &copy), "fine", "fine").await;
        pause().await;
        let secret = secrets_beside(&case, &copy).get("operator").await.unwrap();
        assert_eq!(value(&secret), "precious");
    });
}

#[test]
fn the_agents_own_state_is_out_of_a_tenants_reach() {
    shared(async |s| {
        let case = Case::new(s, "astate").await;
        case.offer(json!({"related": [{
            "identifier": "c", "origin": "service", "kind": "Secret",
            "object": {
                "namespace": {"reference": {"path": "spec.namespace"}}, "reference": {"path": "spec.secret"},
            },
        }]}))
        .await;
        case.order("one", json!({})).await;
        case.copy("one", |_| true).await;
        let states = secrets(case.service(), super::program::NAMESPACE);
        let name = super::shared::eventually("there is a state", async || {
            let states = states.list(&Default::default()).await.unwrap();
            states.iter().map(ResourceExt::name_any).find(|name| name.starts_with("obj-state-"))
        })
        .await;
        case.order("attack", json!({"namespace": super::program::NAMESPACE, "secret": name})).await;
        case.copy("attack", |_| true).await;
        pause().await;
        let namespace = secrets(case.tenant(), super::program::NAMESPACE);
        assert!(namespace.get_opt(&name).await.unwrap().is_none());
    });
}

#[test]
fn templates_cannot_read_the_agents_environment() {
    shared(async |s| {
        let case = Case::new(s, "aenv").await;
        case.publish(json!({"naming": {"name": "{{ env \"HOME\" }}-{{ .Object.metadata.name }}"}})).await;
        assert!(case.refused("aenv").await.contains("spec.naming.name"));
    });
}

#[test]
fn text_of_an_order_is_no_template() {
    shared(async |s| {
        let case = Case::new(s, "ainject").await;
        case.offer(json!({
            "mutation": {"spec": [{"template": {"path": "spec.a", "template": "{{ .Value.String }}"}}]},
        }))
        .await;
        case.order("one", json!({"a": "{{ .LocalObject.metadata.uid }}"})).await;
        case.copy("one", |copy| copy.data["spec"]["a"] == "{{ .LocalObject.metadata.uid }}").await;
    });
}

#[test]
fn one_tenants_claimed_labels_do_not_travel() {
    shared(async |s| {
        let case = Case::new(s, "aclaimed").await;
        case.offer(json!({})).await;
        case.order_with(json!({"metadata": {"name": "one", "labels": {
            "claimed.internal.apis.kcp.io/forged": "x", "syncagent.kcp.io/object-state": "true",
        }}}))
        .await;
        let copy = case.copy("one", |_| true).await;
        assert!(!copy.labels().keys().any(|key| key.starts_with("claimed.internal.apis.kcp.io/")));
    });
}

#[test]
fn a_tenant_who_pauses_his_order_is_served_and_deleted_all_the_same() {
    shared(async |s| {
        let case = Case::new(s, "apaused").await;
        case.offer(json!({})).await;
        let metadata = json!({"name": "one", "annotations": {"sync.kdp.k8c.io/paused": "true"}});
        case.order_with(json!({"metadata": metadata, "spec": {"a": 1}})).await;
        let copy = case.copy("one", |copy| copy.data["spec"]["a"] == 1).await;
        assert!(!copy.annotations().contains_key("sync.kdp.k8c.io/paused"), "the mark does not travel");
        super::object::delete(&case.orders(), "one").await;
        super::object::gone(&case.orders(), "one").await;
        super::object::gone(&case.beside(&copy), &copy.name_any()).await;
    });
}
