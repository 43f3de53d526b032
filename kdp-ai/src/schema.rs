//! Schemas of kinds: from what an API server publishes to plain JSON Schema.

pub(crate) mod check;
pub(crate) mod example;
pub(crate) mod fields;
mod openapi;
mod pattern;

use serde_json::{Map, Value, json};

use crate::KindRef;

pub(crate) use openapi::fetch;

/// Keywords that mean the same in Kubernetes' schemas and in JSON Schema.
const KEPT: [&str; 19] = [
    "title",
    "description",
    "type",
    "format",
    "enum",
    "default",
    "pattern",
    "minimum",
    "maximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "required",
    "x-kubernetes-validations",
];

/// JSON Schema (2020-12) of the manifest of a kind, from the kind's structural schema.
///
/// The status is left out, because nobody orders one; of the metadata only what an order needs is
/// described. Rules in CEL stay under `x-kubernetes-validations`.
pub(crate) fn of_manifest(structural: &Value, kind: &KindRef, is_namespaced: bool) -> Value {
    let mut schema = convert(structural);
    let Some(schema_map) = schema.as_object_mut() else { return schema };
    schema_map.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema_map.insert("type".into(), json!("object"));
    let properties = schema_map.entry("properties").or_insert_with(|| json!({}));
    if let Some(properties) = properties.as_object_mut() {
        properties.remove("status");
        properties.insert("apiVersion".into(), json!({"const": kind.api_version}));
        properties.insert("kind".into(), json!({"const": kind.kind}));
        properties.insert("metadata".into(), metadata(is_namespaced));
    }
    let required = schema_map.entry("required").or_insert_with(|| json!([]));
    if let Some(required) = required.as_array_mut() {
        required.retain(|name| name != "status");
        for name in ["apiVersion", "kind", "metadata"] {
            if !required.iter().any(|present| present == name) {
                required.push(json!(name));
            }
        }
    }
    schema
}

fn metadata(is_namespaced: bool) -> Value {
    let text_map = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let mut properties = json!({
        "name": {
            "type": "string", "description": "Name of the object.", "minLength": 1, "maxLength": 253,
            "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        },
        "labels": text_map,
        "annotations": text_map,
    });
    if is_namespaced {
        properties["namespace"] =
            json!({"type": "string", "description": "Namespace of the object.", "default": "default"});
    }
    json!({"type": "object", "required": ["name"], "properties": properties})
}

/// One structural schema, and all below it, in the words of JSON Schema.
fn convert(schema: &Value) -> Value {
    let Some(old) = schema.as_object() else { return schema.clone() };
    let flag = |name: &str| old.get(name) == Some(&Value::Bool(true));
    let mut new: Map<String, Value> =
        KEPT.iter().filter_map(|&key| Some((key.to_owned(), old.get(key)?.clone()))).collect();
    if let Some(example) = old.get("example") {
        new.insert("examples".into(), json!([example]));
    }
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if flag(exclusive)
            && let Some(limit) = new.remove(bound)
        {
            new.insert(exclusive.into(), limit);
        }
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        if let Some(branches) = old.get(key).and_then(Value::as_array) {
            new.insert(key.into(), branches.iter().map(convert).collect());
        }
    }
    if let Some(not) = old.get("not") {
        new.insert("not".into(), convert(not));
    }
    if flag("x-kubernetes-int-or-string") {
        // The union that usually stands beside it says the same.
        new.remove("anyOf");
        new.insert("type".into(), json!(["integer", "string"]));
    }
    if flag("nullable") {
        allow_null(&mut new);
    }
    if let Some(items) = old.get("items") {
        new.insert("items".into(), convert(items));
    }
    let is_open = flag("x-kubernetes-preserve-unknown-fields");
    if let Some(properties) = old.get("properties").and_then(Value::as_object) {
        let converted: Map<_, _> = properties.iter().map(|(name, schema)| (name.clone(), convert(schema))).collect();
        new.insert("properties".into(), converted.into());
        // Unknown fields are pruned or refused by the server; a value validation names no type.
        if !is_open && old.contains_key("type") {
            new.insert("additionalProperties".into(), json!(false));
        }
    }
    match old.get("additionalProperties") {
        Some(values) => drop(new.insert("additionalProperties".into(), convert(values))),
        None if is_open => drop(new.insert("additionalProperties".into(), json!(true))),
        None => {}
    }
    new.into()
}

fn allow_null(schema: &mut Map<String, Value>) {
    match schema.get_mut("type") {
        Some(Value::Array(types)) => types.push(json!("null")),
        Some(type_) => *type_ = json!([type_.clone(), "null"]),
        None => {}
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

/// The part of a manifest's schema that describes a field, such as `spec.users[0].name`.
pub(crate) fn at<'a>(schema: &'a Value, field: &str) -> Option<&'a Value> {
    let plain = field.trim_start_matches('.').replace('[', ".[");
    plain.split('.').filter(|step| !step.is_empty()).try_fold(schema, |schema, step| {
        if step.starts_with('[') {
            return schema.get("items").or_else(|| schema.get("additionalProperties"));
        }
        let property = schema.get("properties").and_then(|properties| properties.get(step));
        property.or_else(|| schema.get("additionalProperties").filter(|values| values.is_object()))
    })
}

/// The types a schema names, without `null`.
pub(crate) fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).filter(|t| *t != "null").collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
