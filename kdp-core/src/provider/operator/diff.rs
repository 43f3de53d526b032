//! How two states of an object differ, as far as an order has a say in it.

use serde_json::Value;

use crate::provider::{Shown, ValueChange};

/// Fields that tell nothing about what was ordered.
const BOOKKEEPING: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

/// The values that change from `before` to `after`. Those below a `sensitive` path, such as
/// `spec.password`, are not shown.
pub(super) fn changes(before: &Value, after: &Value, sensitive: &[String]) -> Vec<ValueChange> {
    let mut found = Vec::new();
    let fields = |object: &Value| object.as_object().cloned().unwrap_or_default();
    let (before, after) = (fields(before), fields(after));
    for name in keys(&before, &after).filter(|name| !BOOKKEEPING.contains(&name.as_str())) {
        compare(before.get(name), after.get(name), name, sensitive, &mut found);
    }
    for part in ["labels", "annotations"] {
        let part_of =
            |object: &serde_json::Map<String, Value>| object.get("metadata").and_then(|m| m.get(part)).cloned();
        let (before, after) = (without_lease(part_of(&before)), without_lease(part_of(&after)));
        compare(before.as_ref(), after.as_ref(), &format!("metadata.{part}"), sensitive, &mut found);
    }
    found
}

/// Under which lease an object was written is nothing that is ordered.
fn without_lease(annotations: Option<Value>) -> Option<Value> {
    let mut annotations = annotations?;
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.remove(super::identity::LEASE);
    }
    Some(annotations)
}

fn keys<'a>(
    one: &'a serde_json::Map<String, Value>,
    two: &'a serde_json::Map<String, Value>,
) -> impl Iterator<Item = &'a String> {
    one.keys().chain(two.keys().filter(|name| !one.contains_key(*name)))
}

fn compare(
    before: Option<&Value>,
    after: Option<&Value>,
    path: &str,
    sensitive: &[String],
    found: &mut Vec<ValueChange>,
) {
    if before == after {
        return;
    }
    // What is above a sensitive field is looked into, so that only the field is hidden.
    if sensitive.iter().any(|hidden| is_at_or_below(path, hidden)) {
        found.push(ValueChange::sensitive(path));
        return;
    }
    match (before, after) {
        (Some(Value::Object(one)), Some(Value::Object(two))) => {
            for name in keys(one, two) {
                compare(one.get(name), two.get(name), &format!("{path}.{name}"), sensitive, found);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(two))) if one.len() == two.len() => {
            for (i, (one, two)) in one.iter().zip(two).enumerate() {
                compare(Some(one), Some(two), &format!("{path}[{i}]"), sensitive, found);
            }
        }
        _ if sensitive.iter().any(|hidden| is_at_or_below(hidden, path)) => found.push(ValueChange::sensitive(path)),
        _ => found.push(ValueChange::plain(path, shown(before), shown(after))),
    }
}

fn shown(value: Option<&Value>) -> Shown {
    value.map_or(Shown::Absent, |value| Shown::Value(value.clone()))
}

/// Whether `path` is `top` or something in it; items of lists count as what is in the list.
pub(super) fn is_at_or_below(path: &str, top: &str) -> bool {
    let without_indices = |path: &str| {
        let mut depth = 0;
        path.chars()
            .filter(|c| {
                depth += i32::from(*c == '[');
                let is_kept = depth == 0;
                depth -= i32::from(*c == ']');
                is_kept
            })
            .collect::<String>()
    };
    let (path, top) = (without_indices(path), without_indices(top));
    path.strip_prefix(&top).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The texts at or below sensitive paths, to be kept out of what others say about the object.
pub(super) fn secrets(object: &Value, sensitive: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(fields) = object.as_object() {
        fields.iter().for_each(|(name, value)| collect(value, name, sensitive, &mut found));
    }
    found
}

fn collect(value: &Value, path: &str, sensitive: &[String], found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| collect(value, &format!("{path}.{name}"), sensitive, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, path, sensitive, found)),
        Value::String(text) if sensitive.iter().any(|hidden| is_at_or_below(path, hidden)) => found.push(text.clone()),
        Value::Number(number) if sensitive.iter().any(|hidden| is_at_or_below(path, hidden)) => {
            found.push(number.to_string());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
