use serde_json::{Value, json};

use super::*;

fn schema() -> Value {
    serde_json::to_value(crd()).unwrap()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

fn walk(value: &Value, visit: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                visit(key, value);
                walk(value, visit);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

#[test]
fn the_definition_is_the_existing_agents() {
    let crd = serde_json::to_value(crd()).unwrap();
    assert_eq!(crd["metadata"]["name"], "publishedresources.syncagent.kcp.io");
    assert_eq!(crd["spec"]["scope"], "Cluster");
    assert_eq!(crd["spec"]["versions"][0]["name"], "v1alpha1");
    assert_eq!(crd["spec"]["versions"][0]["subresources"], json!({"status": {}}));
    assert_eq!(schema()["required"], json!(["spec"]));
}

#[test]
fn the_schema_sets_no_defaults_and_is_structural() {
    walk(&schema(), &mut |key, value| {
        assert!(key != "default" && key != "$ref", "{key}: {value}");
        if key == "enum" {
            assert!(!value.as_array().unwrap().contains(&Value::Null), "{value}");
        }
    });
}

#[test]
fn required_fields_are_those_of_the_contract() {
    let spec = &schema()["properties"]["spec"];
    assert_eq!(spec["required"], json!(["resource"]));
    let properties = &spec["properties"];
    assert_eq!(properties["resource"]["required"], json!(["apiGroup", "kind"]));
    let related = &properties["related"]["items"];
    assert_eq!(related["required"], json!(["identifier", "object", "origin"]));
    assert_eq!(related["properties"]["origin"]["enum"], json!(["kcp", "service"]));
    assert_eq!(related["properties"]["kind"]["enum"], json!(["ConfigMap", "Secret"]));
    assert_eq!(related["properties"]["object"]["properties"]["selector"]["required"], json!(["rewrite"]));
    assert_eq!(properties["projection"]["properties"]["scope"]["enum"], json!(["Cluster", "Namespaced"]));
    assert_eq!(properties["filter"]["properties"]["resource"]["x-kubernetes-map-type"], "atomic");
    assert_eq!(properties["synchronization"]["required"], json!(["enabled"]));
    let optional = ["filter", "naming", "projection", "mutation"].map(|field| &properties[field]);
    for field in optional.into_iter().chain([&related["properties"]["watch"], &related["properties"]["projection"]]) {
        assert_eq!(field["required"], Value::Null, "{field}");
    }
}

#[test]
fn the_rules_on_related_resources_hold() {
    let schema = schema();
    let check = |related: Value, expected: bool| {
        let object = json!({"spec": {"resource": {"apiGroup": "", "kind": "A"}, "related": [related]}});
        let result = kube_cel::validate(&schema, &object, None);
        assert_eq!(result.is_ok(), expected, "{object}: {result:?}");
    };
    let with = |extra: Value| {
        let mut related = json!({"identifier": "a", "origin": "service", "object": {"template": {"template": "a"}}});
        related.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        related
    };
    check(with(json!({"kind": "Secret"})), true);
    check(with(json!({"version": "v1", "resource": "secrets"})), true);
    check(with(json!({"group": "a.b", "version": "v1", "resource": "things", "identityHash": "x"})), true);
    check(with(json!({})), false);
    check(with(json!({"kind": "Secret", "version": "v1", "resource": "secrets"})), false);
    check(with(json!({"version": "v1"})), false);
    check(with(json!({"kind": "Secret", "group": "a.b"})), false);
    check(with(json!({"version": "v1", "resource": "secrets", "identityHash": "x"})), false);
    check(with(json!({"kind": "Secret", "syncStatus": true})), false);
    check(with(json!({"kind": "Secret", "syncStatus": true, "watch": {"byOwner": {}}})), true);
    check(with(json!({"kind": "Secret", "watch": {}})), false);
    check(with(json!({"kind": "Secret", "watch": {"byOwner": {}, "bySelector": {}}})), false);
}

#[test]
fn an_empty_list_differs_from_an_absent_one() {
    let parse = |value: Value| serde_json::from_value::<ResourceProjection>(value).unwrap().short_names;
    assert_eq!(parse(json!({})), None);
    assert_eq!(parse(json!({"shortNames": null})), None);
    assert_eq!(parse(json!({"shortNames": []})), Some(Vec::new()));
}
