//! The action that orders one of a kind.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Action, Invocation, ORDER, Trigger, UserInputs, WORKSPACE};
use crate::portal::{
    names, schema_form,
    site::{KindInput, ServiceInput},
};

/// Formats of a form that Port knows, and what it calls them.
const FORMATS: [(&str, &str); 5] =
    [("date-time", "date-time"), ("email", "email"), ("ipv4", "ipv4"), ("ipv6", "ipv6"), ("uri", "url")];

/// Limits of a form that Port knows.
const LIMITS: [&str; 7] = ["pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"];

/// One field that is asked for: a field of the manifest, or of an object in it.
struct Field<'a> {
    path: Vec<&'a str>,
    form: &'a Value,
    is_required: bool,
}

pub(super) fn order(name: &str, service: &ServiceInput, kind: &KindInput, invocation: &Invocation) -> Action {
    let form = schema_form::order_form(&kind.schema);
    let fields = fields(&form);
    // Names of inputs have neither dots nor upper case in them, so two fields may want the same.
    let inputs: BTreeMap<String, String> =
        names::assign(fields.iter().map(|field| (field.path.join("\n"), field.path.join("_").replace('.', "_"))));

    let mut asked = place(kind);
    let mut manifest = json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind,
        "metadata": {"name": "{{ .inputs.name }}"},
    });
    if kind.namespaced {
        manifest["metadata"]["namespace"] = "{{ .inputs.namespace }}".into();
    }
    for field in &fields {
        let Some(input) = inputs.get(&field.path.join("\n")).map(|name| format!("order_{name}")) else {
            continue;
        };
        asked.properties.insert(input.clone(), question(field));
        if field.is_required {
            asked.required.push(input.clone());
        }
        put(&mut manifest, &field.path, format!("{{{{ .inputs[\"{input}\"] }}}}").into());
        asked.order.push(input);
    }
    let description = kind.schema.get("description").and_then(Value::as_str).unwrap_or_default();
    Action {
        identifier: format!("order_{name}"),
        title: format!("Order {} ({}) of {}", kind.kind, kind.version, service.title()),
        icon: "Package",
        description: names::readable(description),
        trigger: Trigger {
            type_: "self-service",
            operation: "CREATE",
            blueprint_identifier: ORDER,
            user_inputs: asked,
        },
        invocation_method: invocation_method(invocation, kind, &manifest),
        required_approval: false,
    }
}

/// Where the order goes and what it is called.
fn place(kind: &KindInput) -> UserInputs {
    let label = |title: &str| {
        json!({"type": "string", "title": title, "minLength": 1, "maxLength": names::NAME_MAX,
               "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"})
    };
    let mut asked = UserInputs::default();
    let mut ask = |name: &str, question: Value| {
        asked.properties.insert(name.into(), question);
        asked.required.push(name.into());
        asked.order.push(name.into());
    };
    ask("workspace", json!({"type": "string", "format": "entity", "blueprint": WORKSPACE, "title": "Workspace"}));
    if kind.namespaced {
        let mut namespace = label("Namespace");
        namespace["default"] = "default".into();
        ask("namespace", namespace);
    }
    ask("name", label("Name"));
    asked
}

/// The fields of a form, and instead of an object with fields those; required ones first.
fn fields(form: &Value) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    for (name, inner) in properties(form) {
        let is_required = requires(form, name);
        if properties(inner).next().is_none() {
            fields.push(Field { path: vec![name], form: inner, is_required });
        }
        for (field, deeper) in properties(inner) {
            // Whoever orders fills the object, so what it requires is required.
            fields.push(Field { path: vec![name, field], form: deeper, is_required: requires(inner, field) });
        }
    }
    fields.sort_by(|a, b| b.is_required.cmp(&a.is_required).then_with(|| a.path.cmp(&b.path)));
    fields
}

fn properties(form: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let properties = form.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties.map(|(name, form)| (name.as_str(), form))
}

fn requires(form: &Value, field: &str) -> bool {
    form.get("required").and_then(Value::as_array).is_some_and(|required| required.iter().any(|name| name == field))
}

/// The question for a field, in the part of JSON Schema that Port knows.
fn question(field: &Field<'_>) -> Value {
    let form = field.form;
    let type_ = type_of(form);
    let mut question = Map::new();
    question.insert("type".into(), type_.into());
    let title = form.get("title").and_then(Value::as_str);
    question.insert("title".into(), title.map_or_else(|| names::readable(&field.path.join(".")), str::to_owned).into());
    for keyword in LIMITS.into_iter().chain(["description"]) {
        if let Some(value) = form.get(keyword) {
            question.insert(keyword.into(), value.clone());
        }
    }
    if let Some(default) = form.get("default").filter(|default| is_of(default, type_)) {
        question.insert("default".into(), default.clone());
    }
    let choices = form.get("enum").and_then(Value::as_array).into_iter().flatten();
    let choices: Vec<&Value> = choices.filter(|choice| is_of(choice, type_)).collect();
    if matches!(type_, "string" | "number") && !choices.is_empty() {
        question.insert("enum".into(), json!(choices));
    }
    match form.get("format").and_then(Value::as_str) {
        // Port keeps what people type unless it is to be encrypted for whoever is called.
        Some("password") => drop(question.insert("encryption".into(), "aes256-gcm".into())),
        Some(format) => {
            if let Some((_, known)) = FORMATS.iter().find(|(name, _)| *name == format) {
                question.insert("format".into(), (*known).into());
            }
        }
        None => {}
    }
    if type_ == "array" {
        question.insert("items".into(), json!({"type": form.get("items").map_or("object", type_of)}));
    }
    Value::Object(question)
}

/// What Port calls the type of a form; a number or a text is a text.
fn type_of(form: &Value) -> &'static str {
    let stated = match form.get("type") {
        Some(Value::Array(types)) => types.first().and_then(Value::as_str),
        Some(stated) => stated.as_str(),
        None => None,
    };
    match stated {
        Some("integer" | "number") => "number",
        Some("boolean") => "boolean",
        Some("array") => "array",
        Some("object") => "object",
        _ => "string",
    }
}

fn is_of(value: &Value, type_: &str) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) => type_ == "boolean",
        Value::Number(_) => type_ == "number",
        Value::String(_) => type_ == "string",
        Value::Array(_) => type_ == "array",
        Value::Object(_) => type_ == "object",
    }
}

fn put(manifest: &mut Value, path: &[&str], value: Value) {
    if let [first, rest @ ..] = path
        && let Some(fields) = manifest.as_object_mut()
    {
        if rest.is_empty() {
            fields.insert((*first).to_owned(), value);
        } else {
            put(fields.entry(*first).or_insert_with(|| json!({})), rest, value);
        }
    }
}

fn invocation_method(invocation: &Invocation, kind: &KindInput, manifest: &Value) -> Value {
    let order = json!({
        "workspace": "{{ .inputs.workspace.identifier }}",
        "plural": kind.plural,
        "manifest": manifest,
        "run": "{{ .run.id }}",
        "user": "{{ .trigger.by.user.email }}",
    });
    match invocation {
        Invocation::Webhook { url, by_agent } => json!({
            "type": "WEBHOOK", "url": url, "agent": by_agent, "synchronized": false, "method": "POST",
            "headers": {"RUN_ID": "{{ .run.id }}"}, "body": order,
        }),
        Invocation::Kafka => json!({"type": "KAFKA", "payload": order}),
    }
}
