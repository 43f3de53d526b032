use prost::Message;
use serde_json::{Value, json};

use super::messages::{Document, additional_properties, non_body_parameter, parameter};
use super::{document, schema};
use crate::embedded::builtin;
use crate::embedded::openapi::v2;
use crate::embedded::resource::ApiResource;

fn builtin() -> Vec<&'static ApiResource> {
    builtin::resources().iter().map(AsRef::as_ref).collect()
}

#[test]
fn the_document_has_the_paths_and_definitions_of_the_json_document() {
    let json = v2::document(&builtin());
    let decoded = Document::decode(&*document(&builtin())).unwrap();
    assert_eq!(decoded.swagger, "2.0");

    let definitions: Vec<_> = decoded.definitions.unwrap().additional_properties;
    let names: Vec<&String> = definitions.iter().map(|named| &named.name).collect();
    assert_eq!(names, json["definitions"].as_object().unwrap().keys().collect::<Vec<_>>());

    let paths = decoded.paths.unwrap().path;
    let names: Vec<&String> = paths.iter().map(|named| &named.name).collect();
    assert_eq!(names, json["paths"].as_object().unwrap().keys().collect::<Vec<_>>());
}

#[test]
fn a_patch_names_its_kind_and_its_parameters() {
    let decoded = Document::decode(&*document(&builtin())).unwrap();
    let path = "/api/v1/namespaces/{namespace}/configmaps/{name}";
    let item = decoded.paths.unwrap().path.into_iter().find(|named| named.name == path).unwrap().value.unwrap();
    let patch = item.patch.unwrap();

    let kind = &patch.vendor_extension[1];
    let value: Value = serde_json::from_str(&kind.value.as_ref().unwrap().yaml).unwrap();
    assert_eq!(kind.name, "x-kubernetes-group-version-kind");
    assert_eq!(value, json!({"group": "", "version": "v1", "kind": "ConfigMap"}));

    let query: Vec<String> = patch
        .parameters
        .into_iter()
        .filter_map(|item| match item.parameter?.oneof? {
            parameter::Oneof::NonBody(plain) => match plain.oneof? {
                non_body_parameter::Oneof::Query(query) => Some(query.name),
                non_body_parameter::Oneof::Path(_) => None,
            },
            parameter::Oneof::Body(_) => None,
        })
        .collect();
    assert_eq!(query, ["pretty", "dryRun", "fieldManager", "fieldValidation", "force"]);
}

#[test]
fn a_schema_keeps_every_keyword() {
    let written = schema(&json!({
        "type": "object",
        "description": "d",
        "required": ["a"],
        "properties": {
            "a": {"type": "array", "items": {"$ref": "#/definitions/x"}, "maxItems": 3, "x-kubernetes-list-type": "set"},
            "b": {"type": "string", "enum": ["x", "y"], "default": "x", "pattern": "^.$", "minLength": 1},
            "c": {"type": "number", "minimum": 0.5, "exclusiveMinimum": true},
        },
        "additionalProperties": {"type": "integer", "format": "int32"},
    }));
    let properties = written.properties.unwrap().additional_properties;
    let [a, b, c] = [0, 1, 2].map(|index| properties[index].value.clone().unwrap());
    assert_eq!(written.type_.unwrap().value, ["object"]);
    assert_eq!(written.required, ["a"]);
    assert_eq!(a.items.unwrap().schema[0].ref_, "#/definitions/x");
    assert_eq!(a.max_items, 3);
    assert_eq!(a.vendor_extension[0].value.as_ref().unwrap().yaml, "\"set\"");
    assert_eq!(b.enum_.iter().map(|any| any.yaml.as_str()).collect::<Vec<_>>(), ["\"x\"", "\"y\""]);
    assert_eq!(b.default.unwrap().yaml, "\"x\"");
    assert_eq!((b.pattern.as_str(), b.min_length), ("^.$", 1));
    assert_eq!((c.minimum, c.exclusive_minimum), (0.5, true));
    match written.additional_properties.unwrap().oneof.unwrap() {
        additional_properties::Oneof::Schema(schema) => assert_eq!(schema.format, "int32"),
        additional_properties::Oneof::Boolean(_) => panic!("a schema was written"),
    }
}

#[test]
fn the_bytes_are_those_of_the_wire_format() {
    let bytes = schema(&json!({"type": "string", "description": "d", "additionalProperties": false})).encode_to_vec();
    // description = 4, additional_properties = 21 with an explicit false, type = 22
    assert_eq!(bytes, b"\x22\x01d\xaa\x01\x02\x10\x00\xb2\x01\x08\x0a\x06string");
}
