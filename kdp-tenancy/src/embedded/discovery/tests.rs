use std::sync::Arc;

use serde_json::{Value, json};

use super::priority::Priority;
use super::{AggregatedVersion, Root, aggregated, api_group, api_groups, api_resources, api_versions, etag};
use crate::embedded::builtin;
use crate::embedded::resource::ApiResource;

fn custom(group: &str, versions: &[&str]) -> Vec<Arc<ApiResource>> {
    let versions: Vec<Value> = versions
        .iter()
        .map(|name| json!({"name": name, "served": true, "storage": *name == versions[0], "subresources": {"status": {}, "scale": {}}}))
        .collect();
    let crd = json!({"spec": {
        "group": group,
        "scope": "Namespaced",
        "names": {"plural": "databases", "singular": "database", "kind": "Database", "shortNames": ["db"], "categories": ["all"]},
        "versions": versions,
    }});
    ApiResource::from_crd(&crd).into_iter().map(Arc::new).collect()
}

fn names(groups: &Value) -> Vec<&str> {
    groups.as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap()).collect()
}

#[test]
fn versions_are_preferred_by_stability_then_number_then_name() {
    let expected = [
        "v10",
        "v2",
        "v1",
        "v11beta2",
        "v10beta3",
        "v3beta1",
        "v2beta1",
        "v12alpha1",
        "v11alpha2",
        "bar",
        "foo1",
        "v1gamma",
    ];
    let mut sorted = expected;
    sorted.reverse();
    sorted.sort_by_key(|version| std::cmp::Reverse(Priority::of(version)));
    assert_eq!(sorted, expected);
}

#[test]
fn the_core_group_is_below_api_and_all_others_below_apis() {
    let versions = json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []});
    assert_eq!(api_versions(builtin::resources()), versions);
    let groups = api_groups(builtin::resources());
    assert_eq!(
        names(&groups["groups"]),
        [
            "apiextensions.k8s.io",
            "authentication.k8s.io",
            "authorization.k8s.io",
            "coordination.k8s.io",
            "rbac.authorization.k8s.io",
            "apis.kcp.io",
            "core.kcp.io",
            "tenancy.kcp.io",
            "tenancy.kdp.k8c.io",
        ]
    );
}

#[test]
fn kubernetes_own_groups_come_before_custom_ones() {
    let mut resources = custom("a.example.com", &["v1"]);
    resources.extend(builtin::resources().iter().cloned());
    let groups = api_groups(&resources);
    assert_eq!(names(&groups["groups"])[5], "a.example.com");
}

#[test]
fn a_group_names_its_preferred_version() {
    assert_eq!(
        api_group(&custom("example.com", &["v1beta1", "v1"]), "example.com"),
        Some(json!({
            "kind": "APIGroup",
            "apiVersion": "v1",
            "name": "example.com",
            "versions": [
                {"groupVersion": "example.com/v1", "version": "v1"},
                {"groupVersion": "example.com/v1beta1", "version": "v1beta1"},
            ],
            "preferredVersion": {"groupVersion": "example.com/v1", "version": "v1"},
        }))
    );
    assert_eq!(api_group(&custom("example.com", &["v1"]), "example.org"), None);
}

#[test]
fn a_version_lists_its_resources_and_subresources() {
    assert_eq!(
        api_resources(&custom("example.com", &["v1"]), "example.com", "v1"),
        Some(json!({
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": "example.com/v1",
            "resources": [
                {
                    "name": "databases",
                    "singularName": "database",
                    "namespaced": true,
                    "kind": "Database",
                    "verbs": ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"],
                    "shortNames": ["db"],
                    "categories": ["all"],
                },
                {
                    "name": "databases/status",
                    "singularName": "",
                    "namespaced": true,
                    "kind": "Database",
                    "verbs": ["get", "patch", "update"],
                },
                {
                    "name": "databases/scale",
                    "singularName": "",
                    "namespaced": true,
                    "group": "autoscaling",
                    "version": "v1",
                    "kind": "Scale",
                    "verbs": ["get", "patch", "update"],
                },
            ],
        }))
    );
    assert_eq!(api_resources(builtin::resources(), "", "v2"), None);
    assert_eq!(api_resources(builtin::resources(), "", "v1").unwrap()["groupVersion"], "v1");
}

#[test]
fn aggregated_discovery_says_the_same_in_one_document() {
    let resources = custom("example.com", &["v1"]);
    let kind = json!({"group": "example.com", "version": "v1", "kind": "Database"});
    let scale = json!({"group": "autoscaling", "version": "v1", "kind": "Scale"});
    assert_eq!(
        aggregated(&resources, Root::Groups, AggregatedVersion::V2),
        json!({
            "kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {},
            "items": [{
                "metadata": {"name": "example.com", "creationTimestamp": null},
                "versions": [{
                    "version": "v1",
                    "freshness": "Current",
                    "resources": [{
                        "resource": "databases",
                        "responseKind": kind,
                        "scope": "Namespaced",
                        "singularResource": "database",
                        "verbs": ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"],
                        "shortNames": ["db"],
                        "categories": ["all"],
                        "subresources": [
                            {"subresource": "status", "responseKind": kind, "verbs": ["get", "patch", "update"]},
                            {"subresource": "scale", "responseKind": scale, "verbs": ["get", "patch", "update"]},
                        ],
                    }],
                }],
            }],
        })
    );
    let core = aggregated(builtin::resources(), Root::Core, AggregatedVersion::V2Beta1);
    assert_eq!(core["apiVersion"], "apidiscovery.k8s.io/v2beta1");
    assert_eq!(core["items"][0]["metadata"]["name"], "");
    assert_eq!(aggregated(&resources, Root::Core, AggregatedVersion::V2)["items"], json!([]));
}

#[test]
fn documents_do_not_depend_on_the_order_of_the_resources() {
    let mut reversed = builtin::resources().to_vec();
    reversed.reverse();
    for root in [Root::Core, Root::Groups] {
        let document = |resources: &[Arc<ApiResource>]| aggregated(resources, root, AggregatedVersion::V2);
        assert_eq!(document(builtin::resources()), document(&reversed));
    }
}

#[test]
fn an_entity_tag_is_a_quoted_digest() {
    assert_eq!(etag(b"abc"), "\"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD\"");
}
