//! Uniqueness in lists of type `set` and `map`.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::node::{ListType, Node};
use super::path::Path;
use crate::embedded::status::{FieldError, FieldErrorKind};

/// Adds a fault for the second occurrence of each item (set) or key (map).
pub(super) fn validate(node: &Node, value: &Value, path: Path<'_>, errors: &mut Vec<FieldError>) {
    if !node.below.unique_lists {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(shape) = node.properties.get(name) {
                    validate(shape, value, path.field(name), errors);
                } else if let Some(shape) = node.additional.schema() {
                    validate(shape, value, path.key(name), errors);
                }
            }
        }
        Value::Array(items) => {
            match &node.list {
                ListType::Atomic => {}
                ListType::Set => find_duplicates(items.iter().cloned(), path, errors),
                ListType::Map(keys) => check_map(keys, items, path, errors),
            }
            if let Some(shape) = node.items.as_deref() {
                for (index, item) in items.iter().enumerate() {
                    validate(shape, item, path.index(index), errors);
                }
            }
        }
        _ => {}
    }
}

fn check_map(keys: &[String], items: &[Value], path: Path<'_>, errors: &mut Vec<FieldError>) {
    if let Some((index, item)) = items.iter().enumerate().find(|(_, item)| !item.is_object() && !item.is_null()) {
        let detail = "must be an object for an array of list-type map";
        errors.push(FieldError::invalid(path.index(index).to_string(), item.clone(), detail));
        return;
    }
    let key_of = |item: &Value| -> Value {
        let fields = keys.iter().filter_map(|key| Some((key.clone(), item.get(key)?.clone())));
        Value::Object(fields.collect::<Map<_, _>>())
    };
    find_duplicates(items.iter().map(key_of), path, errors);
}

fn find_duplicates(items: impl Iterator<Item = Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let mut seen: HashMap<String, u32> = HashMap::new();
    for (index, item) in items.enumerate() {
        let times = seen.entry(item.to_string()).or_default();
        *times += 1;
        if *times == 2 {
            errors.push(FieldError::new(path.index(index).to_string(), FieldErrorKind::Duplicate, item, ""));
        }
    }
}
