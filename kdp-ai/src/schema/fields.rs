//! The fields of a kind, one line each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::types;

/// Characters of a description that are shown in the list.
const DESCRIPTION_MAX: usize = 300;

/// One field of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Field {
    /// Path, such as `spec.users[].name`; `[]` stands for each item, `{}` for each value of a map.
    pub path: String,
    /// Type in words, such as `string`, `integer or string`, `list of object`, `map of string`.
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it must be given when the object it is in is given.
    pub required: bool,
    /// First paragraph of what it means.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Value the server sets when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The only values allowed.
    #[serde(default, rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<Value>,
    /// Limits and rules in words, such as `at least 1` or the message of a CEL rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
}

/// The fields a manifest may have besides its kind and metadata, parents before their children.
pub(crate) fn of_manifest(schema: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    for (name, property) in properties(schema) {
        if !["apiVersion", "kind", "metadata", "status"].contains(&name) {
            collect(name, property, is_required(schema, name), &mut fields);
        }
    }
    fields
}

fn collect(path: &str, schema: &Value, required: bool, fields: &mut Vec<Field>) {
    fields.push(Field {
        path: path.to_owned(),
        type_: type_in_words(schema),
        required,
        description: first_paragraph(schema),
        default: schema.get("default").cloned(),
        allowed: schema.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
        rules: rules(schema),
    });
    for (name, property) in properties(schema) {
        collect(&format!("{path}.{name}"), property, is_required(schema, name), fields);
    }
    let values = schema.get("additionalProperties");
    for (inside, suffix) in [(schema.get("items"), "[]"), (values, "{}")] {
        // Of an item or value only what is inside is worth lines of its own.
        let Some(inside) = inside.filter(|inside| inside.is_object()) else { continue };
        let mut below = Vec::new();
        collect(&format!("{path}{suffix}"), inside, false, &mut below);
        fields.extend(below.into_iter().skip(1));
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema.get("required").and_then(Value::as_array).is_some_and(|required| required.iter().any(|r| r == name))
}

fn first_paragraph(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    shorten(text.split("\n\n").next().unwrap_or_default(), DESCRIPTION_MAX)
}

/// The text in one line, cut at a word when it is longer than `max` characters.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= max {
        return line;
    }
    let cut: String = line.chars().take(max - 1).collect();
    let end = cut.rfind(' ').unwrap_or(cut.len());
    format!("{}…", &cut[..end])
}

fn type_in_words(schema: &Value) -> String {
    match types(schema).as_slice() {
        ["array"] => format!("list of {}", schema.get("items").map_or_else(|| "anything".into(), type_in_words)),
        ["object"] => match schema.get("additionalProperties") {
            Some(values) if values.is_object() => format!("map of {}", type_in_words(values)),
            Some(Value::Bool(true)) => "object with any fields".into(),
            _ => "object".into(),
        },
        [] => "anything".into(),
        several => several.join(" or "),
    }
}

/// What a value must fulfil, in words.
pub(crate) fn rules(schema: &Value) -> Vec<String> {
    let words = [
        ("minimum", "at least"),
        ("exclusiveMinimum", "more than"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "less than"),
        ("multipleOf", "a multiple of"),
        ("minLength", "characters at least"),
        ("maxLength", "characters at most"),
        ("minItems", "items at least"),
        ("maxItems", "items at most"),
        ("format", "format"),
        ("pattern", "matches"),
    ];
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let limits = words.iter().filter_map(|(keyword, words)| Some(format!("{words} {}", text(schema.get(keyword)?))));
    let validations = schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten();
    let cel = validations.filter_map(|rule| rule.get("message").or_else(|| rule.get("rule")).map(text));
    limits.chain(cel).collect()
}
