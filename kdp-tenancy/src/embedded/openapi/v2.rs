//! The document of OpenAPI 2.0.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::definitions::{definitions, reference};
use super::operations::{Operation, PRODUCES, Parameter, operations};
use crate::embedded::resource::ApiResource;

/// Keywords of a 2.0 schema that hold no schema themselves.
const KEYWORDS: &[&str] = &[
    "$ref",
    "default",
    "description",
    "enum",
    "example",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "readOnly",
    "required",
    "title",
    "type",
    "uniqueItems",
];

/// The one document of a surface.
pub(super) fn document(resources: &[&ApiResource]) -> Value {
    let (operations, definitions) = parts(resources);
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in &operations {
        paths.entry(&operation.path).or_default().insert(operation.method.into(), written(operation));
    }
    json!({
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "definitions": definitions,
    })
}

/// The operations, and the definitions in the form of 2.0.
pub(super) fn parts(resources: &[&ApiResource]) -> (Vec<Operation>, BTreeMap<String, Value>) {
    let operations: Vec<Operation> = resources.iter().flat_map(|resource| operations(resource)).collect();
    let definitions = definitions(resources, &operations);
    let definitions = definitions.into_iter().map(|(name, schema)| (name, definition(&schema))).collect();
    (operations, definitions)
}

fn written(operation: &Operation) -> Value {
    let mut parameters: Vec<Value> = operation.parameters.iter().map(parameter).collect();
    parameters.extend(operation.body.as_ref().map(
        |body| json!({"name": "body", "in": "body", "required": body.required, "schema": reference(&body.definition)}),
    ));
    json!({
        "operationId": operation.id,
        "description": operation.description,
        "tags": [operation.tag],
        "schemes": ["https"],
        "consumes": operation.body.as_ref().map_or(&["*/*"][..], |body| body.media_types),
        "produces": PRODUCES,
        "parameters": parameters,
        "responses": {
            "200": {"description": "OK", "schema": reference(&operation.response)},
            "401": {"description": "Unauthorized"},
        },
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": {
            "group": operation.kind.group,
            "version": operation.kind.version,
            "kind": operation.kind.kind,
        },
    })
}

fn parameter(parameter: &Parameter) -> Value {
    let mut written = json!({
        "name": parameter.name,
        "in": if parameter.in_path { "path" } else { "query" },
        "description": parameter.description,
        "type": parameter.type_,
    });
    if parameter.in_path {
        written["required"] = true.into();
    }
    written
}

/// A whole kind. One that takes unknown fields shows none: kubectl reads any list of properties as
/// complete, and would refuse the rest.
fn definition(schema: &Value) -> Value {
    let mut definition = schema_of(schema);
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        definition["type"] = "object".into();
    }
    definition
}

/// A schema with only what 2.0 can say and kubectl's parser can read.
///
/// The parser takes a schema without a type as any value, and cannot read a nullable type, a list
/// without `items`, or properties of an object that may have others.
fn schema_of(schema: &Value) -> Value {
    let Value::Object(fields) = schema else { return json!({}) };
    let mut written: Map<String, Value> = fields
        .iter()
        .filter(|(keyword, _)| KEYWORDS.contains(&keyword.as_str()) || keyword.starts_with("x-"))
        .map(|(keyword, value)| (keyword.clone(), value.clone()))
        .collect();
    let flag = |keyword: &str| fields.get(keyword) == Some(&Value::Bool(true));
    if flag("nullable") || flag("x-kubernetes-preserve-unknown-fields") {
        for keyword in ["type", "format", "required"] {
            written.remove(keyword);
        }
        return Value::Object(written);
    }
    if let Some(Value::Object(properties)) = fields.get("properties").filter(|properties| **properties != json!({})) {
        let property = |(name, schema): (&String, &Value)| (name.clone(), schema_of(schema));
        written.insert("properties".into(), properties.iter().map(property).collect());
        // A required field may be null only where the reader can be told so.
        if let Some(Value::Array(required)) = written.get_mut("required") {
            required.retain(|name| name.as_str().is_none_or(|name| properties[name]["nullable"] != true));
        }
    }
    match fields.get("additionalProperties") {
        Some(Value::Bool(allowed)) => written.insert("additionalProperties".into(), (*allowed).into()),
        Some(schema) => written.insert("additionalProperties".into(), schema_of(schema)),
        None => None,
    };
    match fields.get("items") {
        Some(items @ Value::Object(_)) => written.insert("items".into(), schema_of(items)),
        _ if fields.get("type").is_some_and(|type_| type_ == "array") => written.remove("type"),
        _ => None,
    };
    Value::Object(written)
}
