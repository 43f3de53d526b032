use serde_json::from_value;

use super::*;

fn resources(list: Value) -> Vec<APIResource> {
    from_value(list).unwrap()
}

fn gadget(name: &str, kind: &str) -> Value {
    json!({"name": name, "singularName": "", "namespaced": true, "kind": kind, "verbs": ["get"], "shortNames": ["gd"]})
}

/// Gadgets in three versions, only one of them with a status.
fn offer(preferred: &str) -> Option<Offer> {
    let plain = resources(json!([gadget("gadgets", "Gadget"), gadget("others", "Other")]));
    let full = resources(json!([
        gadget("gadgets", "Gadget"),
        gadget("gadgets/status", "Gadget"),
        gadget("gadgets/scale", "Scale"),
    ]));
    let group = [("v1".to_owned(), full), ("v1beta1".to_owned(), plain.clone()), ("v1alpha1".to_owned(), plain)];
    let source = SourceResource { api_group: "example.com".into(), kind: "Gadget".into(), ..SourceResource::default() };
    Offer::find(&source, &group, preferred)
}

fn openapi() -> Value {
    let mut definitions = json!({
        "v1.Meta": {"type": "object", "properties": {}},
        "v1.Spec": {"description": "What is wanted.", "type": "object", "properties": {
            "size": {"type": "integer", "format": "int32", "description": "How large."},
            "at": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Time"},
            "limit": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.api.resource.Quantity", "description": "At most."},
            "parts": {
                "type": "array", "items": {"$ref": "#/definitions/v1.Part"},
                "x-kubernetes-patch-strategy": "merge,retainKeys", "x-kubernetes-patch-merge-key": "name",
            },
            "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            "extra": {"type": "object", "additionalProperties": {"type": "string"}},
            "any": {"type": "object"},
        }},
        "v1.Part": {"type": "object", "required": ["value"], "properties": {
            "name": {"type": "string"}, "value": {"type": "string"},
        }},
    });
    for version in ["v1", "v1beta1", "v1alpha1"] {
        definitions[format!("{version}.Gadget")] = json!({
            "type": "object",
            "properties": {
                "metadata": {"$ref": "#/definitions/v1.Meta"},
                "spec": {"$ref": "#/definitions/v1.Spec"},
            },
            "x-kubernetes-group-version-kind": [{"group": "example.com", "version": version, "kind": "Gadget"}],
        });
    }
    json!({"definitions": definitions})
}

#[expect(clippy::needless_pass_by_value, reason = "the tables read better")]
fn published(projection: Value) -> PublishedResourceSpec {
    from_value(json!({"resource": {"apiGroup": "example.com", "kind": "Gadget"}, "projection": projection})).unwrap()
}

#[test]
fn versions_are_sorted_and_the_preferred_one_is_stored() {
    let check = |preferred, stored| {
        let definition = offer(preferred).unwrap().definition(&published(json!({})), &openapi()).unwrap();
        let versions = definition["spec"]["versions"].as_array().unwrap().clone();
        let names: Vec<_> = versions.iter().map(|version| version["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["v1alpha1", "v1beta1", "v1"]);
        let is_stored: Vec<_> = versions.iter().filter(|version| version["storage"] == true).collect();
        assert_eq!((is_stored.len(), &is_stored[0]["name"]), (1, &json!(stored)));
        assert_eq!(versions[0]["subresources"], json!({}));
        // A scale subresource is of another kind, and so not seen by the existing agent either.
        assert_eq!(versions[2]["subresources"], json!({"status": {}}));
    };
    check("v1beta1", "v1beta1");
    check("v1", "v1");
    // The preferred version of the group need not have the kind.
    check("v2", "v1");
}

#[test]
fn names_are_completed() {
    let definition = offer("v1").unwrap().definition(&published(json!({})), &openapi()).unwrap();
    assert_eq!(definition["metadata"]["name"], "gadgets.example.com");
    let names = json!({"plural": "gadgets", "singular": "gadget", "kind": "Gadget", "listKind": "GadgetList", "shortNames": ["gd"]});
    assert_eq!(definition["spec"]["names"], names);
    assert_eq!(definition["spec"]["scope"], "Namespaced");
}

#[test]
fn schemas_are_resolved_and_structural() {
    let definition = offer("v1").unwrap().definition(&published(json!({})), &openapi()).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    assert_eq!(schema["properties"]["metadata"], json!({"type": "object"}));
    let expected = json!({
        "description": "What is wanted.",
        "type": "object",
        "properties": {
            "size": {"type": "integer", "format": "int32", "description": "How large."},
            "at": {"type": "string", "format": "date-time"},
            "limit": schema["properties"]["spec"]["properties"]["limit"],
            "parts": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name", "value"], "properties": {
                    "name": {"type": "string"}, "value": {"type": "string"},
                }},
            },
            "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            "extra": {"type": "object", "additionalProperties": {"type": "string"}},
            "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        },
    });
    assert_eq!(schema["properties"]["spec"], expected);
    let limit = &expected["properties"]["limit"];
    assert_eq!((&limit["description"], &limit["x-kubernetes-int-or-string"]), (&json!("At most."), &json!(true)));
}

#[test]
fn what_cannot_be_described_is_refused_with_its_version() {
    let definition = |openapi: &Value| offer("v1").unwrap().definition(&published(json!({})), openapi);
    let mut document = openapi();
    document["definitions"].as_object_mut().unwrap().remove("v1beta1.Gadget");
    let fault = definition(&document).unwrap_err();
    assert_eq!(fault.field, "spec.resource");
    assert!(fault.message.starts_with("Gadget in v1beta1: "), "{fault}");
    let mut document = openapi();
    document["definitions"]["v1.Part"]["properties"]["parts"] =
        json!({"type": "array", "items": {"$ref": "#/definitions/v1.Part"}});
    assert!(definition(&document).unwrap_err().message.contains("contains itself"));
    assert!(definition(&json!({})).is_err());
}

#[test]
fn kinds_of_protected_groups_need_another_group() {
    let check = |group: &str, projection: Value, is_refused| {
        let mut published = published(projection);
        published.resource.api_group = group.into();
        let result = offer("v1").unwrap().definition(&published, &openapi());
        let is_about_group = result.is_err_and(|fault| fault.field == "spec.projection.group");
        assert_eq!(is_about_group, is_refused, "{group}");
    };
    check("networking.k8s.io", json!({}), true);
    check("networking.k8s.io", json!({"kind": "Net"}), true);
    check("k8s.io", json!({}), true);
    check("a.kubernetes.io", json!({}), true);
    check("networking.k8s.io", json!({"group": "net.example.com"}), false);
    check("mek8s.io", json!({}), false);
    check("apps", json!({}), false);
}

#[test]
fn a_kind_that_nobody_serves_is_not_offered() {
    let source =
        SourceResource { api_group: "example.com".into(), kind: "Nothing".into(), ..SourceResource::default() };
    let group = [("v1".to_owned(), resources(json!([gadget("gadgets", "Gadget")])))];
    assert_eq!(Offer::find(&source, &group, "v1"), None);
    assert_eq!(Offer::find(&source, &[], ""), None);
}
