use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{definitions::definition_name, v2, v3, v3_hash, v3_index};
use crate::embedded::builtin;
use crate::embedded::resource::ApiResource;

fn custom(schema: &Value) -> Vec<Arc<ApiResource>> {
    let crd = json!({"spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "databases", "kind": "Database"},
        "versions": [{
            "name": "v1", "served": true, "storage": true,
            "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".r"}},
            "schema": {"openAPIV3Schema": schema},
        }],
    }});
    ApiResource::from_crd(&crd).into_iter().map(Arc::new).collect()
}

fn database() -> Vec<Arc<ApiResource>> {
    custom(&json!({"type": "object", "properties": {"spec": {"type": "object"}}}))
}

/// Every builtin kind and a custom one.
fn surface() -> Vec<Arc<ApiResource>> {
    builtin::resources().iter().cloned().chain(database()).collect()
}

fn group_versions() -> BTreeSet<(String, String)> {
    surface().iter().map(|resource| (resource.group.clone(), resource.version.clone())).collect()
}

fn references(document: &Value, found: &mut BTreeSet<String>) {
    match document {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(Into::into));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let operation =
                move |(method, operation): (&String, &Value)| (path.clone(), method.clone(), operation.clone());
            item.as_object().unwrap().iter().map(operation).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn definitions_are_named_as_kubernetes_names_them() {
    let check = |group, kind, expected| assert_eq!(definition_name(group, "v1", kind), expected);
    check("", "ConfigMap", "io.k8s.api.core.v1.ConfigMap");
    check("rbac.authorization.k8s.io", "Role", "io.k8s.api.rbac.v1.Role");
    check(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
    );
    check("example.com", "Database", "com.example.v1.Database");
    check("gateway.networking.k8s.io", "Gateway", "io.k8s.networking.gateway.v1.Gateway");
}

#[test]
fn the_index_points_at_every_document_with_its_hash() {
    let index = v3_index(&surface(), "/clusters/root:a");
    assert_eq!(index["paths"].as_object().unwrap().len(), group_versions().len());
    let hash = v3_hash(&surface(), "example.com", "v1").unwrap();
    let url = format!("/clusters/root:a/openapi/v3/apis/example.com/v1?hash={hash}");
    assert_eq!(index["paths"]["apis/example.com/v1"]["serverRelativeURL"], url);
    assert!(index["paths"]["api/v1"]["serverRelativeURL"].as_str().unwrap().contains("/openapi/v3/api/v1?hash="));
    assert_eq!(v3_hash(&surface(), "example.com", "v2"), None);
}

#[test]
fn the_hash_follows_the_content_and_not_the_order() {
    let hash = |resources: &[Arc<ApiResource>]| v3_hash(resources, "", "v1");
    let mut reversed = surface();
    reversed.reverse();
    assert_eq!(hash(&surface()), hash(&reversed));
    let changed = custom(&json!({"type": "object", "properties": {"spec": {"type": "string"}}}));
    assert_ne!(v3_hash(&database(), "example.com", "v1"), v3_hash(&changed, "example.com", "v1"));
}

#[test]
fn every_reference_leads_to_a_definition() {
    let mut documents = vec![v2(&surface())];
    documents.extend(group_versions().iter().map(|(group, version)| v3(&surface(), group, version).unwrap()));
    for document in documents {
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}

#[test]
fn every_operation_has_an_identifier_of_its_own_and_declares_its_path_parameters() {
    let document = v2(&surface());
    let mut identifiers = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        assert!(identifiers.insert(operation["operationId"].to_string()), "{method} {path}");
        let parameters = operation["parameters"].as_array().unwrap();
        for name in ["namespace", "name"] {
            let declared = parameters.iter().any(|p| p["name"] == name && p["in"] == "path");
            assert_eq!(declared, path.contains(&format!("{{{name}}}")), "{method} {path}");
        }
    }
}

#[test]
fn a_patch_tells_that_dry_runs_and_field_validation_are_supported() {
    for document in [v2(&surface()), v3(&surface(), "", "v1").unwrap(), v3(&surface(), "example.com", "v1").unwrap()] {
        let patches: Vec<_> = operations(&document).into_iter().filter(|(_, method, _)| method == "patch").collect();
        assert!(!patches.is_empty());
        for (path, _, patch) in patches {
            assert!(patch["x-kubernetes-group-version-kind"]["kind"].is_string(), "{path}");
            for name in ["dryRun", "fieldManager", "fieldValidation", "force"] {
                let parameters = patch["parameters"].as_array().unwrap();
                assert!(parameters.iter().any(|p| p["name"] == name && p["in"] == "query"), "{path} {name}");
            }
        }
    }
}

#[test]
fn a_custom_resource_takes_no_strategic_merge_patch() {
    let document = v3(&surface(), "example.com", "v1").unwrap();
    let patch = &document["paths"]["/apis/example.com/v1/namespaces/{namespace}/databases/{name}"]["patch"];
    let media_types: Vec<&String> = patch["requestBody"]["content"].as_object().unwrap().keys().collect();
    assert_eq!(
        media_types,
        ["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"]
    );
}

#[test]
fn a_subresource_carries_the_kind_of_its_body() {
    let document = v3(&surface(), "example.com", "v1").unwrap();
    let path = "/apis/example.com/v1/namespaces/{namespace}/databases/{name}";
    let kind = |subresource: &str| &document["paths"][format!("{path}/{subresource}")]["get"]["x-kubernetes-group-version-kind"];
    assert_eq!(*kind("status"), json!({"group": "example.com", "version": "v1", "kind": "Database"}));
    assert_eq!(*kind("scale"), json!({"group": "autoscaling", "version": "v1", "kind": "Scale"}));
}

#[test]
fn a_kind_is_published_with_its_name_and_a_reference_to_its_metadata() {
    let schema = &v3(&surface(), "example.com", "v1").unwrap()["components"]["schemas"]["com.example.v1.Database"];
    let kind = json!([{"group": "example.com", "version": "v1", "kind": "Database"}]);
    assert_eq!(schema["x-kubernetes-group-version-kind"], kind);
    let reference = json!([{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}]);
    assert_eq!(schema["properties"]["metadata"]["allOf"], reference);

    let schema = &v2(&surface())["definitions"]["com.example.v1.Database"];
    assert_eq!(schema["x-kubernetes-group-version-kind"], kind);
    let reference = "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
    assert_eq!(schema["properties"]["metadata"]["$ref"], reference);
}

#[test]
fn v2_says_only_what_old_clients_can_read() {
    let check = |declared: Value, expected: Value| {
        let resources = custom(&json!({"type": "object", "properties": {"field": declared}}));
        assert_eq!(v2(&resources)["definitions"]["com.example.v1.Database"]["properties"]["field"], expected);
    };
    check(json!({"type": "string", "format": "byte"}), json!({"type": "string", "format": "byte"}));
    check(json!({"type": "string", "nullable": true}), json!({}));
    check(json!({"type": "array", "x-kubernetes-list-type": "set"}), json!({"x-kubernetes-list-type": "set"}));
    check(json!({"type": "object", "properties": {}}), json!({"type": "object"}));
    check(
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "x-kubernetes-preserve-unknown-fields": true}),
        json!({"x-kubernetes-preserve-unknown-fields": true}),
    );
    check(
        json!({"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true}),
        json!({"x-kubernetes-int-or-string": true}),
    );
    check(
        json!({
            "type": "object",
            "required": ["a", "b"],
            "properties": {"a": {"type": "string", "nullable": true}, "b": {"type": "boolean", "not": {}}},
            "oneOf": [{"required": ["a"]}],
        }),
        json!({"type": "object", "required": ["b"], "properties": {"a": {}, "b": {"type": "boolean"}}}),
    );
    check(
        json!({"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string", "nullable": true}}}),
        json!({"type": "object", "additionalProperties": {"type": "array", "items": {}}}),
    );
}

#[test]
fn v2_shows_no_properties_of_a_kind_that_takes_unknown_fields() {
    let resources = custom(&json!({
        "type": "object",
        "properties": {"spec": {"type": "object"}},
        "x-kubernetes-preserve-unknown-fields": true,
    }));
    let definition = &v2(&resources)["definitions"]["com.example.v1.Database"];
    assert_eq!(definition["type"], "object");
    assert_eq!(definition.get("properties"), None);
}
