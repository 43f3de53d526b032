//! How a kind looks to tenants: each field of the projection.

use kdp_core::api::apis::APIResourceSchema;
use serde_json::{Value, json};

use super::{
    case::{Case, version},
    object::{api, create},
    shared::shared,
};

/// Publishes the kind of a case with a projection; returns the schema's spec.
async fn projected(case: &Case<'_>, projection: Value) -> Value {
    case.publish(json!({"projection": projection})).await;
    spec_of(&case.published().await)
}

fn spec_of(schema: &APIResourceSchema) -> Value {
    serde_json::to_value(&schema.spec).unwrap()
}

#[test]
fn a_kind_without_projection_keeps_all_its_names() {
    shared(async |s| {
        let case = Case::new(s, "plain").await;
        let spec = projected(&case, json!(null)).await;
        assert_eq!(spec["group"], "plain.example.com");
        assert_eq!(spec["scope"], "Namespaced");
        assert_eq!(
            spec["names"],
            json!({
                "kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList",
                "shortNames": ["wi"], "categories": ["things"],
            })
        );
    });
}

#[test]
fn the_group_is_projected_and_orders_of_it_are_synced() {
    shared(async |s| {
        let case = Case::new(s, "pgroup").await.offered_as("other.pgroup.io/v1", "Widget", "widgets");
        case.offer(json!({"projection": {"group": "other.pgroup.io"}})).await;
        case.order("one", json!({"a": 1})).await;
        case.copy("one", |copy| copy.data["spec"]["a"] == 1).await;
    });
}

#[test]
fn the_kind_is_projected_and_its_other_names_follow() {
    shared(async |s| {
        let case = Case::new(s, "pkind").await.offered_as("pkind.example.com/v1", "Gadget", "gadgets");
        case.offer(json!({"projection": {"kind": "Gadget"}})).await;
        let names = spec_of(&case.published().await)["names"].clone();
        assert_eq!(
            (&names["kind"], &names["plural"], &names["singular"], &names["listKind"]),
            (&json!("Gadget"), &json!("gadgets"), &json!("gadget"), &json!("GadgetList"))
        );
        case.order("one", json!({"a": 1})).await;
        case.copy("one", |copy| copy.data["spec"]["a"] == 1).await;
    });
}

#[test]
fn the_plural_wins_over_the_one_made_of_the_kind() {
    shared(async |s| {
        let case = Case::new(s, "pplural").await.offered_as("pplural.example.com/v1", "Mouse", "mice");
        case.offer(json!({"projection": {"kind": "Mouse", "plural": "mice"}})).await;
        let schema = case.published().await;
        assert!(schema.metadata.name.unwrap().ends_with(".mice.pplural.example.com"));
        case.order("one", json!({})).await;
        case.copy("one", |_| true).await;
    });
}

#[test]
fn short_names_and_categories_are_replaced() {
    shared(async |s| {
        let case = Case::new(s, "pshort").await;
        let spec = projected(&case, json!({"shortNames": ["x", "y"], "categories": ["z"]})).await;
        assert_eq!(spec["names"]["shortNames"], json!(["x", "y"]));
        assert_eq!(spec["names"]["categories"], json!(["z"]));
    });
}

#[test]
fn empty_lists_of_names_clear_them() {
    shared(async |s| {
        let case = Case::new(s, "pclear").await;
        let spec = projected(&case, json!({"shortNames": [], "categories": []})).await;
        assert!(spec["names"]["shortNames"].as_array().is_none_or(Vec::is_empty));
        assert!(spec["names"]["categories"].as_array().is_none_or(Vec::is_empty));
    });
}

#[test]
fn a_version_gets_another_name() {
    shared(async |s| {
        let case = Case::new(s, "pversion").await.offered_as("pversion.example.com/v7", "Widget", "widgets");
        case.offer(json!({"projection": {"versions": {"v1": "v7"}}})).await;
        case.order("one", json!({"a": 1})).await;
        case.copy("one", |copy| copy.data["spec"]["a"] == 1).await;
    });
}

#[test]
fn the_deprecated_version_field_renames_the_only_version() {
    shared(async |s| {
        let case = Case::new(s, "pversionold").await;
        let spec = projected(&case, json!({"version": "v3"})).await;
        assert_eq!(spec["versions"][0]["name"], "v3");
    });
}

#[test]
fn renamed_versions_are_sorted_anew() {
    shared(async |s| {
        let case = Case::with_definition(s, "psort", |definition| {
            definition["spec"]["versions"] = json!([version("v1", true), version("v2", false)]);
        })
        .await;
        let spec = projected(&case, json!({"versions": {"v1": "v2beta1", "v2": "v1alpha1"}})).await;
        let names: Vec<_> = spec["versions"].as_array().unwrap().iter().map(|v| v["name"].clone()).collect();
        assert_eq!(names.len(), 2);
        assert!(names.contains(&json!("v2beta1")) && names.contains(&json!("v1alpha1")));
        let stored = spec["versions"].as_array().unwrap().iter().find(|v| v["storage"] == true).unwrap();
        assert_eq!(stored["name"], "v2beta1");
    });
}

#[test]
fn a_namespaced_kind_is_offered_cluster_scoped() {
    shared(async |s| {
        let case = Case::new(s, "pcluster").await;
        case.offer(json!({
            "projection": {"scope": "Cluster"},
            "naming": {"name": "{{ .Object.metadata.name }}", "namespace": "pcluster"},
        }))
        .await;
        let orders = case.orders_in("pcluster", None);
        create(&orders, case.typed(json!({"metadata": {"name": "one"}, "spec": {"a": 1}}))).await;
        let copy = case.copy("one", |copy| copy.data["spec"]["a"] == 1).await;
        assert_eq!(copy.metadata.namespace.as_deref(), Some("pcluster"));
        assert!(!copy.metadata.annotations.unwrap().contains_key("syncagent.kcp.io/remote-object-namespace"));
    });
}

#[test]
fn a_cluster_scoped_kind_is_offered_namespaced() {
    shared(async |s| {
        let case = Case::with_definition(s, "pnamespaced", |definition| {
            definition["spec"]["scope"] = "Cluster".into();
        })
        .await;
        case.offer(json!({"projection": {"scope": "Namespaced"}})).await;
        case.order("one", json!({"a": 1})).await;
        let copy = case.copy("one", |copy| copy.data["spec"]["a"] == 1).await;
        assert_eq!(copy.metadata.namespace, None);
    });
}

#[test]
fn a_cluster_scoped_kind_is_synced_as_one() {
    shared(async |s| {
        let case = Case::with_definition(s, "clusterscoped", |definition| {
            definition["spec"]["scope"] = "Cluster".into();
        })
        .await;
        case.offer(json!({})).await;
        let api_version = format!("{}/v1", case.group);
        let orders = api(case.tenant(), None, &api_version, "Widget", "widgets");
        create(&orders, case.typed(json!({"metadata": {"name": "one"}, "spec": {"a": 1}}))).await;
        case.copy("one", |copy| copy.data["spec"]["a"] == 1).await;
    });
}
