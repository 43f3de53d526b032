use kdp_core::testing::{FakeResponse, FakeServer};
use serde_json::{Value, json};

use super::*;

#[test]
fn the_wire_names_are_those_of_the_platform_it_is_compatible_with() {
    let spec = json!({
        "apiGroup": "databases.example.com",
        "catalogMetadata": {
            "title": "Databases", "description": "SQL", "documentationURL": "https://example.com", "category": "Data",
            "logo": {"configMap": {"name": "logos", "namespace": "default", "key": "db"}},
        },
        "kubeconfig": {"name": "agent", "namespace": "default"},
        "generateUI": true,
    });
    let parsed: ServiceSpec = serde_json::from_value(spec.clone()).unwrap();
    assert_eq!(serde_json::to_value(parsed).unwrap(), spec);
}

#[test]
fn only_the_group_is_required() {
    let spec: ServiceSpec = serde_json::from_value(json!({"apiGroup": "a.example.com"})).unwrap();
    assert_eq!(spec.catalog_metadata, CatalogMetadata::default());
}

#[test]
fn the_definition_is_cluster_scoped_structural_and_has_a_status() {
    let crd = serde_json::to_value(Service::crd()).unwrap();
    assert_eq!(crd["metadata"]["name"], "services.core.kdp.k8c.io");
    assert_eq!(crd["spec"]["scope"], "Cluster");
    let version = &crd["spec"]["versions"][0];
    assert_eq!(version["subresources"]["status"], json!({}));
    let schema = &version["schema"]["openAPIV3Schema"];
    assert_eq!(schema["properties"]["spec"]["required"], json!(["apiGroup"]));
    assert_structural(schema, "");
}

fn assert_structural(schema: &Value, at: &str) {
    assert!(schema.get("$ref").is_none(), "{at} has a reference");
    assert!(
        schema.get("type").is_some_and(Value::is_string)
            || schema.get("x-kubernetes-preserve-unknown-fields").is_some(),
        "{at} has no single type: {schema}"
    );
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        assert_structural(property, &format!("{at}.{name}"));
    }
    if let Some(items) = schema.get("items") {
        assert_structural(items, &format!("{at}[]"));
    }
}

#[tokio::test]
async fn installing_applies_the_definition_and_waits_until_it_is_established() {
    let crd = |established: &str| {
        let mut crd = serde_json::to_value(Service::crd()).unwrap();
        crd["metadata"]["resourceVersion"] = json!("1");
        crd["status"] = json!({
            "conditions": [{"type": "Established", "status": established}],
            "acceptedNames": {"kind": "Service", "plural": "services"}, "storedVersions": ["v1alpha1"],
        });
        crd
    };
    let server = FakeServer::new(move |request| match request.method.as_str() {
        "PATCH" => FakeResponse::ok(&crd("False")),
        _ if request.is_watch() => FakeResponse::events(&[("MODIFIED", crd("True"))]),
        _ => FakeResponse::list(&[crd("False")]),
    });
    install_service_crd(&server.client()).await.unwrap();
    let first = &server.requests()[0];
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/services.core.kdp.k8c.io";
    assert_eq!(first.line(), format!("PATCH {path}"));
    assert!(first.query.contains("fieldManager=kdp-catalog") && first.query.contains("force=true"), "{}", first.query);
}
