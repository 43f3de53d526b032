use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::{BlueprintDefinition, BlueprintDefinitionSpec, BlueprintPhase, ResourceGraph};

#[test]
fn a_definition_comes_back_as_it_was_written() {
    let written = json!({
        "apiVersion": "blueprints.kdp.k8c.io/v1alpha1",
        "kind": "BlueprintDefinition",
        "metadata": {"name": "web-app", "namespace": "default"},
        "spec": {
            "version": "1.2.0",
            "displayName": "Web application",
            "logoURL": "https://example.com/logo.svg",
            "published": true,
            "resourceGraph": {
                "schema": {
                    "apiVersion": "v1alpha1",
                    "kind": "WebApp",
                    "scope": "Cluster",
                    "metadata": {"labels": {"team": "platform"}},
                    "spec": {"name": "string | required=true"},
                    "types": {"Port": {"number": "integer"}},
                    "status": {"replicas": "${deployment.status.replicas}"},
                    "shortNames": ["wa"],
                    "additionalPrinterColumns": [{"name": "R", "type": "integer", "jsonPath": ".status.replicas"}],
                },
                "resources": [
                    {
                        "id": "config",
                        "externalRef": {
                            "apiVersion": "v1",
                            "kind": "ConfigMap",
                            "metadata": {"name": "platform", "namespace": "shared"},
                        },
                    },
                    {
                        "id": "deployment",
                        "forEach": [{"region": "${schema.spec.regions}"}],
                        "includeWhen": ["${schema.spec.on}"],
                        "readyWhen": ["${each.status.replicas > 0}"],
                        "template": {"apiVersion": "apps/v1", "kind": "Deployment", "anything": {"goes": [1, null]}},
                    },
                ],
            },
        },
    });
    let read: BlueprintDefinition = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), written);
}

#[test]
fn the_crd_keeps_templates_and_is_otherwise_strict() {
    let crd = serde_json::to_value(BlueprintDefinition::crd()).unwrap();
    assert_eq!(crd.pointer("/spec/scope"), Some(&json!("Namespaced")));
    let spec = crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap();
    let keeps =
        |path: &str| spec.pointer(path).unwrap().get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true));
    let graph = "/properties/resourceGraph/properties";
    assert!(keeps(&format!("{graph}/resources/items/properties/template")));
    assert!(keeps(&format!("{graph}/schema/properties/spec")));
    assert!(keeps(&format!("{graph}/schema/properties/types")));
    assert!(keeps(&format!("{graph}/schema/properties/status")));
    assert!(!keeps(&format!("{graph}/schema")));
    assert!(!keeps("/properties/resourceGraph"));
    assert!(spec.pointer("/x-kubernetes-validations/0/rule").is_some());
    assert_eq!(spec["required"], json!(["resourceGraph", "version"]));
}

#[test]
fn what_is_not_said_is_not_written() {
    let spec = BlueprintDefinitionSpec { version: "1.0.0".into(), ..BlueprintDefinitionSpec::default() };
    let written = serde_json::to_value(&spec).unwrap();
    let expected = json!({
        "version": "1.0.0",
        "resourceGraph": {"schema": {"apiVersion": "", "kind": ""}, "resources": []},
    });
    assert_eq!(written, expected);
    assert_eq!(serde_json::to_value(BlueprintPhase::Valid).unwrap(), Value::from("Valid"));
    assert!(serde_json::from_value::<ResourceGraph>(json!({"resources": []})).is_err());
}
