//! Which versions of a kind are published.

use serde_json::{Value, json};

use super::{
    case::{Case, version},
    shared::shared,
};

/// A case whose kind has the versions v1alpha1, v1 (stored) and v2.
async fn three_versions(shared: &'static super::shared::Shared, name: &str) -> Case<'static> {
    Case::with_definition(shared, name, |definition| {
        definition["spec"]["versions"] = json!([version("v1alpha1", false), version("v1", true), version("v2", false)]);
    })
    .await
}

/// The published versions as (name, whether it is stored).
async fn published(case: &Case<'_>) -> Vec<(String, bool)> {
    let schema = serde_json::to_value(case.published().await).unwrap();
    let versions = schema["spec"]["versions"].as_array().unwrap();
    let mut versions: Vec<_> =
        versions.iter().map(|v| (v["name"].as_str().unwrap().to_owned(), v["storage"] == true)).collect();
    versions.sort();
    versions
}

fn versions(expected: &[(&str, bool)]) -> Vec<(String, bool)> {
    expected.iter().map(|&(name, storage)| (name.to_owned(), storage)).collect()
}

#[test]
fn all_versions_are_published_when_none_is_chosen() {
    shared(async |s| {
        let case = three_versions(s, "vall").await;
        case.publish(json!({})).await;
        assert_eq!(published(&case).await, versions(&[("v1", true), ("v1alpha1", false), ("v2", false)]));
        let schema: Value = serde_json::to_value(case.published().await).unwrap();
        assert_eq!(schema["spec"]["conversion"]["strategy"], "None");
    });
}

#[test]
fn only_chosen_versions_are_published() {
    shared(async |s| {
        let case = three_versions(s, "vsome").await;
        let resource = json!({"apiGroup": case.group, "kind": "Widget", "versions": ["v2", "v1"]});
        case.publish(json!({"resource": resource})).await;
        assert_eq!(published(&case).await, versions(&[("v1", true), ("v2", false)]));
    });
}

#[test]
fn the_deprecated_version_field_chooses_one() {
    shared(async |s| {
        let case = three_versions(s, "vone").await;
        let resource = json!({"apiGroup": case.group, "kind": "Widget", "version": "v1"});
        case.publish(json!({"resource": resource})).await;
        assert_eq!(published(&case).await, versions(&[("v1", true)]));
    });
}

#[test]
fn without_the_stored_version_the_last_served_one_is_stored() {
    shared(async |s| {
        let case = three_versions(s, "vlast").await;
        let resource = json!({"apiGroup": case.group, "kind": "Widget", "versions": ["v1alpha1", "v2"]});
        case.publish(json!({"resource": resource})).await;
        assert_eq!(published(&case).await, versions(&[("v1alpha1", false), ("v2", true)]));
    });
}

#[test]
fn a_version_that_the_kind_does_not_have_is_refused() {
    shared(async |s| {
        let case = three_versions(s, "vnone").await;
        let resource = json!({"apiGroup": case.group, "kind": "Widget", "versions": ["v9"]});
        case.publish(json!({"resource": resource})).await;
        assert!(case.refused("vnone").await.contains("spec.resource.versions"));
    });
}
