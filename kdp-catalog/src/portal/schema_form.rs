//! Forms for portals, out of the schemas of Kubernetes.
//!
//! A schema of OpenAPI v3, as CRDs have it, becomes a JSON Schema of draft 7 with the `ui:` hints of
//! Backstage's forms. Only keywords on a list are taken over, so nothing of a provider's can be a
//! hint, a reference or an extension. The junctors `allOf`, `anyOf`, `oneOf` and `not` are left out:
//! a structural schema says everything about shape outside them, forms show them badly, and the API
//! server checks them anyway, as it does CEL rules. Patterns that a browser could not compile are left
//! out too; how long one takes there is the provider's doing, since browsers match by backtracking.

use serde_json::{Map, Value, json};

mod pattern;

/// How deep a form goes; what is deeper is an object of anything.
const DEPTH_MAX: usize = 24;

/// Fields of every object that a form has no say in.
const NOT_ORDERED: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

/// Formats that mean the same in Kubernetes and in portals, and the type they are of.
const FORMATS: [(&str, &str); 14] = [
    ("byte", "string"),
    ("date", "string"),
    ("date-time", "string"),
    ("double", "number"),
    ("email", "string"),
    ("float", "number"),
    ("hostname", "string"),
    ("int32", "integer"),
    ("int64", "integer"),
    ("ipv4", "string"),
    ("ipv6", "string"),
    ("password", "string"),
    ("uri", "string"),
    ("uuid", "string"),
];

/// The form for what can be ordered of a kind: an object of its fields without metadata and status.
#[must_use]
pub fn order_form(openapi: &Value) -> Value {
    let mut schema = if openapi.is_object() { openapi.clone() } else { json!({}) };
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.retain(|name, _| !NOT_ORDERED.contains(&name.as_str()));
    }
    if let Some(root) = schema.as_object_mut() {
        // These describe the kind, and its page says that already.
        for keyword in ["title", "description", "nullable", "x-kubernetes-embedded-resource"] {
            root.remove(keyword);
        }
        root.insert("type".into(), "object".into());
    }
    match form(&schema) {
        Value::Object(form) if form.contains_key("properties") || form.contains_key("additionalProperties") => {
            Value::Object(form)
        }
        _ => json!({"type": "object", "properties": {}}),
    }
}

/// The form for a schema of OpenAPI v3.
#[must_use]
pub fn form(openapi: &Value) -> Value {
    Value::Object(convert(openapi, 0))
}

fn convert(openapi: &Value, depth: usize) -> Map<String, Value> {
    let Some(schema) = openapi.as_object().filter(|_| depth < DEPTH_MAX) else {
        return anything();
    };
    let mut form = Map::new();
    for keyword in ["title", "description"] {
        if let Some(text) = schema.get(keyword).and_then(Value::as_str).map(super::names::readable)
            && !text.is_empty()
        {
            form.insert(keyword.into(), text.into());
        }
    }
    if let Some(default) = schema.get("default").filter(|default| is_plain(default)) {
        form.insert("default".into(), default.clone());
    }
    if is_true(schema, "x-kubernetes-int-or-string") || schema.get("format") == Some(&json!("int-or-string")) {
        form.insert("anyOf".into(), number_or_text(schema));
        return form;
    }
    let nullable = is_true(schema, "nullable");
    insert_enum(schema, nullable, &mut form);
    let Some(type_) = type_of(schema) else {
        return if form.contains_key("enum") { form } else { merged(form, anything()) };
    };
    let types = if nullable { json!([type_, "null"]) } else { json!(type_) };
    form.insert("type".into(), types);
    match type_ {
        "string" => convert_string(schema, &mut form),
        "integer" | "number" => convert_number(schema, type_, &mut form),
        "array" => convert_array(schema, &mut form, depth),
        "object" => convert_object(schema, &mut form, depth),
        _ => {}
    }
    form
}

fn anything() -> Map<String, Value> {
    Map::from_iter([("type".into(), "object".into()), ("additionalProperties".into(), true.into())])
}

fn merged(mut form: Map<String, Value>, more: Map<String, Value>) -> Map<String, Value> {
    form.extend(more);
    form
}

/// The type a schema states or shows by what it says.
fn type_of(schema: &Map<String, Value>) -> Option<&'static str> {
    const TYPES: [&str; 6] = ["string", "integer", "number", "boolean", "array", "object"];
    let stated = schema.get("type").and_then(Value::as_str);
    let is_object = ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"]
        .iter()
        .any(|keyword| is_true(schema, keyword));
    let shown = match () {
        () if is_object || schema.contains_key("properties") || schema.contains_key("additionalProperties") => "object",
        () if schema.contains_key("items") => "array",
        () => "",
    };
    TYPES.into_iter().find(|&type_| stated.unwrap_or(shown) == type_)
}

/// The branches of a field that takes a number or a text.
fn number_or_text(schema: &Map<String, Value>) -> Value {
    let mut number = Map::from_iter([("type".into(), "integer".into()), ("title".into(), "Number".into())]);
    convert_bounds(schema, &mut number);
    let mut text = Map::from_iter([("type".into(), "string".into()), ("title".into(), "Text".into())]);
    copy_lengths(schema, ["minLength", "maxLength"], &mut text);
    insert_pattern(schema, &mut text);
    let mut branches = vec![Value::Object(number), Value::Object(text)];
    if is_true(schema, "nullable") {
        branches.push(json!({"type": "null", "title": "Nothing"}));
    }
    Value::Array(branches)
}

fn convert_string(schema: &Map<String, Value>, form: &mut Map<String, Value>) {
    copy_lengths(schema, ["minLength", "maxLength"], form);
    insert_pattern(schema, form);
    insert_format(schema, "string", form);
    let is_long = form.get("maxLength").and_then(Value::as_u64).is_some_and(|length| length > 255);
    if form.get("format") == Some(&json!("password")) {
        form.insert("ui:widget".into(), "password".into());
        form.insert("ui:backstage".into(), json!({"review": {"show": false}}));
    } else if is_long && !form.contains_key("enum") && !form.contains_key("format") {
        form.insert("ui:widget".into(), "textarea".into());
    }
}

fn convert_number(schema: &Map<String, Value>, type_: &str, form: &mut Map<String, Value>) {
    convert_bounds(schema, form);
    insert_format(schema, type_, form);
    if !form.contains_key("enum") {
        form.insert("ui:widget".into(), "updown".into());
    }
}

fn convert_bounds(schema: &Map<String, Value>, form: &mut Map<String, Value>) {
    for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        let value = schema.get(bound).filter(|value| value.is_number());
        match (schema.get(exclusive), value) {
            // In OpenAPI v3.0 the exclusive bound is a flag; in JSON Schema it is a number.
            (Some(Value::Bool(true)), Some(value)) => drop(form.insert(exclusive.into(), value.clone())),
            (Some(number @ Value::Number(_)), _) => drop(form.insert(exclusive.into(), number.clone())),
            (_, Some(value)) => drop(form.insert(bound.into(), value.clone())),
            _ => {}
        }
    }
    if let Some(step) = schema.get("multipleOf").filter(|step| step.as_f64().is_some_and(|step| step > 0.0)) {
        form.insert("multipleOf".into(), step.clone());
    }
}

fn convert_array(schema: &Map<String, Value>, form: &mut Map<String, Value>, depth: usize) {
    copy_lengths(schema, ["minItems", "maxItems"], form);
    let is_set = schema.get("x-kubernetes-list-type") == Some(&json!("set"));
    if is_set || is_true(schema, "uniqueItems") {
        form.insert("uniqueItems".into(), true.into());
    }
    let items = schema.get("items").map_or_else(anything, |items| convert(items, depth + 1));
    form.insert("items".into(), Value::Object(items));
}

fn convert_object(schema: &Map<String, Value>, form: &mut Map<String, Value>, depth: usize) {
    copy_lengths(schema, ["minProperties", "maxProperties"], form);
    let is_open = ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"]
        .iter()
        .any(|keyword| is_true(schema, keyword));
    match schema.get("additionalProperties") {
        _ if is_open => drop(form.insert("additionalProperties".into(), true.into())),
        Some(Value::Bool(open)) => drop(form.insert("additionalProperties".into(), (*open).into())),
        Some(values @ Value::Object(_)) => {
            form.insert("additionalProperties".into(), Value::Object(convert(values, depth + 1)));
        }
        _ => {}
    }
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    let properties: Map<String, Value> = properties
        .iter()
        .filter(|(name, _)| is_field_name(name))
        .map(|(name, property)| (name.clone(), Value::Object(convert(property, depth + 1))))
        .collect();
    let required: Vec<&str> = {
        let stated = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let mut names: Vec<_> =
            stated.filter_map(Value::as_str).filter(|name| properties.contains_key(*name)).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    if properties.len() > 1 {
        let optional = properties.keys().map(String::as_str).filter(|name| !required.contains(name));
        let order: Vec<&str> = required.iter().copied().chain(optional).chain(["*"]).collect();
        form.insert("ui:order".into(), json!(order));
    }
    if !required.is_empty() {
        form.insert("required".into(), json!(required));
    }
    form.insert("properties".into(), Value::Object(properties));
}

fn insert_enum(schema: &Map<String, Value>, nullable: bool, form: &mut Map<String, Value>) {
    let mut values: Vec<Value> = Vec::new();
    for value in schema.get("enum").and_then(Value::as_array).into_iter().flatten() {
        if is_plain(value) && !values.contains(value) {
            values.push(value.clone());
        }
    }
    if values.is_empty() {
        return;
    }
    if nullable && !values.contains(&Value::Null) {
        values.push(Value::Null);
    }
    form.insert("enum".into(), Value::Array(values));
}

fn insert_format(schema: &Map<String, Value>, type_: &str, form: &mut Map<String, Value>) {
    let stated = schema.get("format").and_then(Value::as_str);
    let known = FORMATS.iter().find(|(format, of)| stated == Some(format) && *of == type_);
    if let Some((format, _)) = known {
        form.insert("format".into(), (*format).into());
    }
}

fn insert_pattern(schema: &Map<String, Value>, form: &mut Map<String, Value>) {
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str).filter(|pattern| pattern::is_portable(pattern))
    {
        form.insert("pattern".into(), pattern.into());
    }
}

fn copy_lengths<const N: usize>(schema: &Map<String, Value>, keywords: [&str; N], form: &mut Map<String, Value>) {
    for keyword in keywords {
        if let Some(length) = schema.get(keyword).and_then(Value::as_u64) {
            form.insert(keyword.into(), length.into());
        }
    }
}

fn is_true(schema: &Map<String, Value>, keyword: &str) -> bool {
    schema.get(keyword) == Some(&Value::Bool(true))
}

/// Whether a field may have this name in a form: `ui:` is for hints, `$` for references.
fn is_field_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with("ui:") && !name.starts_with('$') && name != "__proto__"
}

/// Whether a value has no key that makes Backstage read a file or fetch an address in its place.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.iter().all(|(key, value)| is_field_name(key) && is_plain(value)),
        Value::Array(values) => values.iter().all(is_plain),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
