//! The schema of a status, inferred from the CEL that computes it.

use serde_json::{Map, Value, json};

use super::{
    Template,
    infer::{Variables, infer},
    types::{Type, resolved},
};

/// How deep the schemas of kinds are copied; below that, anything is kept.
const MAX_DEPTH: usize = 12;

/// The schema of what a template renders.
pub(super) fn of(template: &Template, variables: &Variables<'_, '_>) -> Value {
    match template {
        Template::Plain(value) => of_value(value),
        Template::Cel(expression) => of_type(&infer(expression.syntax(), variables, &mut Vec::new()), 0),
        Template::Text(_) => json!({"type": "string"}),
        Template::Object(fields) => {
            let properties: Map<_, _> =
                fields.iter().map(|(name, field)| (name.clone(), of(field, variables))).collect();
            json!({"type": "object", "properties": properties})
        }
        Template::List(items) => {
            let schemas: Vec<_> = items.iter().map(|item| of(item, variables)).collect();
            list_of(schemas)
        }
    }
}

fn of_value(value: &Value) -> Value {
    match value {
        Value::Null => anything(),
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Number(number) => json!({"type": if number.is_f64() { "number" } else { "integer" }}),
        Value::String(_) => json!({"type": "string"}),
        Value::Array(items) => list_of(items.iter().map(of_value).collect()),
        Value::Object(fields) => {
            let properties: Map<_, _> = fields.iter().map(|(name, field)| (name.clone(), of_value(field))).collect();
            json!({"type": "object", "properties": properties})
        }
    }
}

/// The schema of a list whose elements have these schemas.
fn list_of(mut schemas: Vec<Value>) -> Value {
    schemas.dedup();
    match <[Value; 1]>::try_from(schemas) {
        Ok([items]) => json!({"type": "array", "items": items}),
        Err(_) => json!({"type": "array", "items": anything()}),
    }
}

fn of_type(type_: &Type<'_>, depth: usize) -> Value {
    match type_ {
        Type::Nothing | Type::Any | Type::Null => anything(),
        Type::Bool => json!({"type": "boolean"}),
        Type::Int => json!({"type": "integer"}),
        Type::Double => json!({"type": "number"}),
        Type::String => json!({"type": "string"}),
        Type::List(items) => json!({"type": "array", "items": of_type(items, depth + 1)}),
        Type::Map(values) => json!({"type": "object", "additionalProperties": of_type(values, depth + 1)}),
        Type::Object(schema) => shape(schema, depth),
        Type::Optional(value) => of_type(value, depth),
    }
}

/// The shape of a schema without its rules: what another object has is not to be refused here.
fn shape(schema: &Value, depth: usize) -> Value {
    let schema = resolved(schema);
    let Some(type_) = schema.get("type").and_then(Value::as_str).filter(|_| depth < MAX_DEPTH) else {
        return anything();
    };
    let mut shape = json!({"type": type_});
    for (key, inner) in [("items", schema.get("items")), ("additionalProperties", schema.get("additionalProperties"))] {
        if let Some(inner @ Value::Object(_)) = inner {
            shape[key] = self::shape(inner, depth + 1);
        }
    }
    if type_ == "array" && shape.get("items").is_none() {
        shape["items"] = anything();
    }
    if let Some(Value::Object(properties)) = schema.get("properties") {
        let properties: Map<_, _> =
            properties.iter().map(|(name, field)| (name.clone(), self::shape(field, depth + 1))).collect();
        shape["properties"] = properties.into();
    } else if type_ == "object" && shape.get("additionalProperties").is_none() {
        shape["x-kubernetes-preserve-unknown-fields"] = true.into();
    }
    if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true)) {
        shape["x-kubernetes-preserve-unknown-fields"] = true.into();
    }
    shape
}

fn anything() -> Value {
    json!({"x-kubernetes-preserve-unknown-fields": true})
}
