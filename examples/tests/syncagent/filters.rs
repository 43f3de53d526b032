//! Which orders an agent serves.

use kube::ResourceExt;
use serde_json::{Value, json};

use super::{
    case::Case,
    object::{create, create_namespace, delete, gone, namespaces, patch},
    shared::{Shared, shared},
};

async fn filtered(shared: &'static Shared, name: &str, filter: Value) -> Case<'static> {
    let case = Case::new(shared, name).await;
    case.offer(json!({"filter": filter})).await;
    case
}

fn labelled(name: &str, labels: Value) -> Value {
    json!({"metadata": {"name": name, "labels": labels}, "spec": {}})
}

/// The names of the orders that have a copy.
async fn copied(case: &Case<'_>) -> Vec<String> {
    let copies = case.copies().list(&Default::default()).await.unwrap();
    let mut names: Vec<_> =
        copies.iter().map(|copy| copy.annotations()["syncagent.kcp.io/remote-object-name"].clone()).collect();
    names.sort();
    names
}

#[test]
fn orders_are_chosen_by_their_labels() {
    shared(async |s| {
        let case = filtered(s, "flabels", json!({"resource": {"matchLabels": {"sync": "yes"}}})).await;
        case.order_with(labelled("without", json!({}))).await;
        case.order_with(labelled("wrong", json!({"sync": "no"}))).await;
        case.order_with(labelled("right", json!({"sync": "yes"}))).await;
        case.copy("right", |_| true).await;
        super::shared::pause().await;
        assert_eq!(copied(&case).await, ["right"]);
        let without = case.orders().get("without").await.unwrap();
        assert!(without.finalizers().is_empty(), "an order that is not served is not touched");
    });
}

#[test]
fn orders_are_chosen_by_expressions_on_their_labels() {
    shared(async |s| {
        let expressions = json!([
            {"key": "tier", "operator": "In", "values": ["gold", "silver"]},
            {"key": "legacy", "operator": "DoesNotExist"},
        ]);
        let case = filtered(s, "fexpressions", json!({"resource": {"matchExpressions": expressions}})).await;
        case.order_with(labelled("bronze", json!({"tier": "bronze"}))).await;
        case.order_with(labelled("old", json!({"tier": "gold", "legacy": "1"}))).await;
        case.order_with(labelled("gold", json!({"tier": "gold"}))).await;
        case.order_with(labelled("silver", json!({"tier": "silver"}))).await;
        case.copy("gold", |_| true).await;
        case.copy("silver", |_| true).await;
        super::shared::pause().await;
        assert_eq!(copied(&case).await, ["gold", "silver"]);
    });
}

#[test]
fn orders_are_chosen_by_the_labels_of_their_namespace() {
    shared(async |s| {
        let case = filtered(s, "fnamespace", json!({"namespace": {"matchLabels": {"sync": "yes"}}})).await;
        create_namespace(case.tenant(), "in", json!({"sync": "yes"})).await;
        create_namespace(case.tenant(), "out", json!({})).await;
        for namespace in ["out", "in"] {
            let orders = case.orders_in("fnamespace", Some(namespace));
            create(&orders, case.typed(labelled(&format!("order-{namespace}"), json!({})))).await;
        }
        case.copy("order-in", |_| true).await;
        super::shared::pause().await;
        assert_eq!(copied(&case).await, ["order-in"]);
    });
}

#[test]
fn a_namespace_that_comes_to_match_brings_its_orders() {
    shared(async |s| {
        let case = filtered(s, "fnamespacelater", json!({"namespace": {"matchLabels": {"sync": "yes"}}})).await;
        case.order("one", json!({})).await;
        super::shared::pause().await;
        assert_eq!(copied(&case).await, [""; 0]);
        patch(&namespaces(case.tenant()), "default", json!({"metadata": {"labels": {"sync": "yes"}}})).await;
        case.copy("one", |_| true).await;
    });
}

#[test]
fn a_namespace_filter_of_a_kind_without_namespaces_is_refused() {
    shared(async |s| {
        let case = Case::with_definition(s, "fnamespacecluster", |definition| {
            definition["spec"]["scope"] = "Cluster".into();
        })
        .await;
        case.publish(json!({"filter": {"namespace": {"matchLabels": {"sync": "yes"}}}})).await;
        assert!(case.refused("fnamespacecluster").await.contains("spec.filter.namespace"));
    });
}

#[test]
fn an_order_that_comes_to_match_is_served() {
    shared(async |s| {
        let case = filtered(s, "flater", json!({"resource": {"matchLabels": {"sync": "yes"}}})).await;
        case.order_with(labelled("one", json!({}))).await;
        super::shared::pause().await;
        assert_eq!(copied(&case).await, [""; 0]);
        patch(&case.orders(), "one", json!({"metadata": {"labels": {"sync": "yes"}}})).await;
        case.copy("one", |_| true).await;
    });
}

#[test]
fn an_order_that_no_longer_matches_is_left_as_it_is_and_can_still_be_deleted() {
    shared(async |s| {
        let case = filtered(s, "fnolonger", json!({"resource": {"matchLabels": {"sync": "yes"}}})).await;
        case.order_with(labelled("one", json!({"sync": "yes"}))).await;
        let copy = case.copy("one", |_| true).await;
        patch(&case.orders(), "one", json!({"metadata": {"labels": {"sync": "no"}}, "spec": {"a": 1}})).await;
        case.order_with(labelled("two", json!({"sync": "yes"}))).await;
        case.copy("two", |_| true).await;
        super::shared::pause().await;
        assert!(case.beside(&copy).get(&copy.name_any()).await.unwrap().data["spec"]["a"].is_null());
        delete(&case.orders(), "one").await;
        gone(&case.orders(), "one").await;
        gone(&case.beside(&copy), &copy.name_any()).await;
    });
}
