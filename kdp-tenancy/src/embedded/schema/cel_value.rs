//! JSON values as CEL rules see them.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kube_cel::cel::objects::{Key, Map as CelMap};
use kube_cel::cel::{Context, Program, Value as CelValue};
use serde_json::{Map, Number, Value};

use super::expression::Fields;
use super::node::{Node, Type};
use super::prune::Place;

/// Converts what rules read of `value`, whose shape is `node`.
///
/// Field names are escaped as in Kubernetes, keys of maps are not. Of a resource's metadata rules
/// see only the name. `largest` grows to the length of the longest list, map or text met.
pub(super) fn convert(node: &Node, value: &Value, place: Place, fields: &Fields, largest: &mut Largest) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(value) => CelValue::Bool(*value),
        Value::Number(number) => convert_number(number, node.type_),
        Value::String(text) => {
            largest.text = largest.text.max(text.len());
            convert_text(text, node)
        }
        Value::Array(items) => {
            largest.collection = largest.collection.max(items.len());
            let shape = node.items.as_deref().unwrap_or(&UNKNOWN);
            let items = items.iter().map(|item| convert(shape, item, Place::Inside, &Fields::All, largest));
            CelValue::List(Arc::new(items.collect()))
        }
        Value::Object(object) => {
            largest.collection = largest.collection.max(object.len());
            convert_fields(node, object, place, fields, largest)
        }
    }
}

/// Sizes that bound what a rule can iterate over.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Largest {
    /// Longest list or map.
    pub(crate) collection: usize,
    /// Longest text, in bytes.
    pub(crate) text: usize,
}

fn convert_fields(
    node: &Node,
    object: &Map<String, Value>,
    place: Place,
    fields: &Fields,
    largest: &mut Largest,
) -> CelValue {
    let is_resource = place == Place::Root || node.embedded_resource;
    let mut map = HashMap::new();
    for (name, value) in object {
        let shape = node.field(name).unwrap_or(&UNKNOWN);
        let is_entry = !node.properties.contains_key(name) && node.additional.schema().is_some();
        let escaped = if is_entry { Some(name.clone()) } else { escape(name) };
        let Some(name) = escaped.filter(|name| fields.contains(name)) else { continue };
        let converted = if is_resource && name == "metadata" {
            convert_metadata(value)
        } else {
            convert(shape, value, Place::Inside, &Fields::All, largest)
        };
        map.insert(key(name), converted);
    }
    CelValue::Map(CelMap { map: Arc::new(map) })
}

fn convert_metadata(metadata: &Value) -> CelValue {
    let names = ["name", "generateName"].into_iter().filter_map(|name| {
        let text = metadata.get(name)?.as_str()?;
        Some((key(name.to_owned()), CelValue::String(Arc::new(text.to_owned()))))
    });
    CelValue::Map(CelMap { map: Arc::new(names.collect()) })
}

fn convert_number(number: &Number, type_: Type) -> CelValue {
    match number.as_i64() {
        Some(integer) if type_ != Type::Number => CelValue::Int(integer),
        _ => CelValue::Float(number.as_f64().unwrap_or(f64::NAN)),
    }
}

fn convert_text(text: &str, node: &Node) -> CelValue {
    let format = node.checks.as_ref().and_then(|checks| checks.format).map(|format| format.name());
    let typed = match format {
        Some("byte") => BASE64_STANDARD.decode(text).ok().map(|bytes| CelValue::Bytes(Arc::new(bytes))),
        Some("date-time" | "datetime") => time(|times| &times.timestamp, text),
        Some("date") => time(|times| &times.timestamp, &format!("{text}T00:00:00Z")),
        Some("duration") => time(|times| &times.duration, text),
        _ => None,
    };
    // Text that does not have its format was refused by the format check, unless it is an old
    // value from before the schema asked for the format; rules then see it as text.
    typed.unwrap_or_else(|| CelValue::String(Arc::new(text.to_owned())))
}

/// CEL's own conversions, so that the time library behind its times stays its affair.
struct Times {
    standard: Context<'static>,
    timestamp: Program,
    duration: Program,
}

thread_local! {
    static TIMES: Times = Times {
        standard: Context::default(),
        timestamp: Program::compile("timestamp(self)").expect("a constant that a test compiles"),
        duration: Program::compile("duration(self)").expect("a constant that a test compiles"),
    };
}

fn time(program: fn(&Times) -> &Program, text: &str) -> Option<CelValue> {
    TIMES.with(|times| {
        let mut scope = times.standard.new_inner_scope();
        scope.add_variable_from_value("self", text);
        program(times).execute(&scope).ok()
    })
}

fn key(name: String) -> Key {
    Key::String(Arc::new(name))
}

/// The shape of what the schema does not describe.
static UNKNOWN: Node = Node::unknown();

/// A field name as CEL can write it; `None` when it cannot.
fn escape(name: &str) -> Option<String> {
    const RESERVED: &[&str] = &[
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ];
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if RESERVED.contains(&name) {
        return Some(format!("__{name}__"));
    }
    let mut escaped = String::with_capacity(name.len());
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '_' if rest.next_if_eq(&'_').is_some() => escaped.push_str("__underscores__"),
            '.' => escaped.push_str("__dot__"),
            '-' => escaped.push_str("__dash__"),
            '/' => escaped.push_str("__slash__"),
            '_' | 'a'..='z' | 'A'..='Z' | '0'..='9' => escaped.push(c),
            _ => return None,
        }
    }
    Some(escaped)
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn field_names_are_escaped_as_in_kubernetes() {
        for (name, escaped) in [
            ("plain", Some("plain")),
            ("snake_case", Some("snake_case")),
            ("a__b", Some("a__underscores__b")),
            ("x-y.z/w", Some("x__dash__y__dot__z__slash__w")),
            ("namespace", Some("__namespace__")),
            ("1st", None),
            ("ü", None),
        ] {
            assert_eq!(escape(name).as_deref(), escaped, "{name}");
        }
    }
}
