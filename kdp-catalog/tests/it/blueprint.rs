//! What blueprints say, to an API server.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kdp_catalog::blueprint::{
    BlueprintDefinition, Graph, Observed, Situation,
    definition::{BlueprintDefinitionStatus, BlueprintPhase},
};
use kdp_core::{ControlPlaneExt, api::install_crd};
use kdp_tenancy::Embedded;
use kube::{
    Api, Client, CustomResourceExt,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};

/// A note that is copied for each reader.
const NOTES: &str = r#"
schema:
  apiVersion: v1alpha1
  kind: Note
  group: notes.example.com
  spec:
    title: string | required=true immutable=true minLength=3
    readers: "[]Reader | minItems=1"
    tags: "[]string | uniqueItems=true default=[\"a\"]"
    style:
      colour: string | enum="red,blue" default="blue" required=true
      size: integer | minimum=1 maximum=9 default=3
    extra: object
    labels: "map[string]string"
  types:
    Reader:
      name: string | required=true
      copies: integer | default=1
  status:
    copies: ${size(copies)}
    first: ${copies[0].metadata.name}
    summary: "${schema.spec.title}: ${string(size(copies))}"
    labels: ${copies[0].metadata.labels}
resources:
  - id: copies
    forEach: [{reader: "${schema.spec.readers}"}]
    template:
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: "${schema.metadata.name}-${reader.name}", labels: {reader: "${reader.name}"}}
      data: {text: "${schema.spec.title}", colour: "${schema.spec.style.colour}", copies: "${string(reader.copies)}"}
"#;

async fn client() -> (Embedded, Client) {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = control_plane.system_client(&"root".parse().unwrap()).unwrap();
    (control_plane, client)
}

fn notes() -> (Value, Graph) {
    let definition: Value = serde_saphyr::from_str(NOTES).unwrap();
    let config_map = json!({"type": "object", "properties": {
        "data": {"type": "object", "additionalProperties": {"type": "string"}},
    }});
    let graph = Graph::compile(&serde_json::from_value(definition.clone()).unwrap(), |_, kind| {
        (kind == "ConfigMap").then(|| config_map.clone())
    });
    (definition, graph.unwrap())
}

/// The kind of the instances.
fn crd(graph: &Graph) -> CustomResourceDefinition {
    let version = json!({
        "name": "v1alpha1", "served": true, "storage": true, "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": graph.instance_schema()},
    });
    serde_json::from_value(json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "notes.notes.example.com"},
        "spec": {
            "group": "notes.example.com",
            "names": {"plural": "notes", "singular": "note", "kind": "Note", "listKind": "NoteList"},
            "scope": "Namespaced",
            "versions": [version],
        },
    }))
    .unwrap()
}

#[tokio::test]
async fn a_definition_is_kept_as_it_was_written() {
    let (_control_plane, client) = client().await;
    install_crd(&client, &BlueprintDefinition::crd(), "test").await.unwrap();
    let blueprints: Api<BlueprintDefinition> = Api::namespaced(client, "default");
    let (graph, _) = notes();
    let written = json!({
        "metadata": {"name": "notes"},
        "spec": {"version": "1.0.0", "published": true, "resourceGraph": graph},
    });
    let create = |written: &Value| serde_json::from_value::<BlueprintDefinition>(written.clone()).unwrap();
    blueprints.create(&PostParams::default(), &create(&written)).await.unwrap();
    let read = blueprints.get("notes").await.unwrap();
    assert_eq!(serde_json::to_value(&read.spec.resource_graph).unwrap(), graph);

    let status = BlueprintDefinitionStatus { phase: Some(BlueprintPhase::Published), ..Default::default() };
    let status = Patch::Merge(json!({"status": status}));
    let read = blueprints.patch_status("notes", &PatchParams::default(), &status).await.unwrap();
    assert_eq!(read.status.unwrap().phase, Some(BlueprintPhase::Published));

    let other_version = Patch::Merge(json!({"spec": {"version": "1.0.1"}}));
    let refused = blueprints.patch("notes", &PatchParams::default(), &other_version).await.unwrap_err();
    assert!(refused.to_string().contains("immutable"), "{refused}");
    let mut odd = written;
    odd["metadata"]["name"] = "odd".into();
    odd["spec"]["version"] = "one".into();
    assert!(blueprints.create(&PostParams::default(), &create(&odd)).await.is_err());
}

#[tokio::test]
async fn instances_are_served_defaulted_checked_and_planned() {
    let (_control_plane, client) = client().await;
    let (_, graph) = notes();
    install_crd(&client, &crd(&graph), "test").await.unwrap();
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("notes.example.com", "v1alpha1", "Note"));
    let notes: Api<DynamicObject> = Api::namespaced_with(client, "default", &kind);
    let note = |spec: Value| -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "notes.example.com/v1alpha1", "kind": "Note", "metadata": {"name": "n"}, "spec": spec,
        }))
        .unwrap()
    };
    for (spec, fault) in [
        (json!({}), "title"),
        (json!({"title": "ab"}), "title"),
        (json!({"title": "abc", "readers": []}), "readers"),
        (json!({"title": "abc", "readers": [{}]}), "name"),
        (json!({"title": "abc", "style": {"colour": "green"}}), "colour"),
        (json!({"title": "abc", "style": {"size": 10}}), "size"),
        (json!({"title": "abc", "tags": ["x", "x"]}), "tags"),
    ] {
        let refused = notes.create(&PostParams::default(), &note(spec)).await.unwrap_err().to_string();
        assert!(refused.contains(fault), "{refused}");
    }
    let spec = json!({"title": "abc", "readers": [{"name": "eve"}], "extra": {"any": [1]}, "labels": {"a": "b"}});
    let created = notes.create(&PostParams::default(), &note(spec)).await.unwrap();
    let created = serde_json::to_value(created).unwrap();
    assert_eq!(created["spec"]["style"], json!({"colour": "blue", "size": 3}));
    assert_eq!(created["spec"]["readers"], json!([{"name": "eve", "copies": 1}]));
    assert_eq!(created["spec"]["extra"], json!({"any": [1]}));
    assert_eq!(created["spec"]["tags"], json!(["a"]));
    let other_title = Patch::Merge(json!({"spec": {"title": "other"}}));
    let refused = notes.patch("n", &PatchParams::default(), &other_title).await.unwrap_err().to_string();
    assert!(refused.contains("immutable"), "{refused}");

    let plan = graph.plan(&Situation::new(&created, &Observed::new()));
    assert_eq!(plan.apply[0].object["data"], json!({"text": "abc", "colour": "blue", "copies": "1"}));
    let mut copy = plan.apply[0].object.clone();
    copy["metadata"]["namespace"] = "default".into();
    let observed = Observed::new().with("copies", copy);
    let plan = graph.plan(&Situation::new(&created, &observed).with_inventory(&plan.inventory));
    assert!(plan.is_ready, "{:?}", plan.waiting);
    let status = Patch::Merge(json!({"status": plan.status}));
    let written = notes.patch_status("n", &PatchParams::default(), &status).await.unwrap();
    let expected = json!({"copies": 1, "first": "n-eve", "summary": "abc: 1", "labels": {"reader": "eve"}});
    assert_eq!(serde_json::to_value(written).unwrap()["status"], expected);
}
