//! Whether an applied configuration can be read with its type.

use std::collections::BTreeSet;

use serde_json::Value;

use super::path::PathElement;
use super::schema_types::{Kind, ListType, Type};
use super::view::element_of;

/// What keeps `value` from being merged as a `ty`, in structured-merge-diff's words.
///
/// Scalars are left to the validation of the merged object, which says more about them.
pub(super) fn faults(ty: Type<'_>, value: &Value) -> Vec<String> {
    if ty.is_deduced() {
        return Vec::new();
    }
    match (ty.kind(), value) {
        (Kind::Object | Kind::Any, Value::Object(map)) => {
            let mut found = Vec::new();
            for (name, value) in map {
                found.extend(field_faults(ty, name, value).into_iter().map(|fault| format!(".{name}{fault}")));
            }
            found
        }
        (Kind::Array | Kind::Any, Value::Array(list)) => list_faults(ty, list),
        (Kind::Object, value) if !value.is_null() => vec![format!(": expected map, got {value}")],
        (Kind::Array, value) if !value.is_null() => vec![format!(": expected list, got {value}")],
        _ => Vec::new(),
    }
}

fn field_faults(ty: Type<'_>, name: &str, value: &Value) -> Vec<String> {
    match ty.field(name).or_else(|| ty.entry()) {
        Some(ty) => faults(ty, value),
        None => vec![": field not declared in schema".into()],
    }
}

fn list_faults(ty: Type<'_>, list: &[Value]) -> Vec<String> {
    let list_type = ty.list_type();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (position, item) in (0..).zip(list) {
        let element = match list_type {
            ListType::Atomic => PathElement::Index(position),
            ListType::Set | ListType::Map(_) => match element_of(ty, &list_type, item) {
                Ok(element) => element,
                Err(fault) => {
                    found.push(format!(": element {position}: {fault}"));
                    return found;
                }
            },
        };
        if seen.contains(&element) {
            found.push(format!(": duplicate entries for key {element}"));
        }
        found.extend(faults(ty.items(), item).into_iter().map(|fault| format!("{element}{fault}")));
        seen.insert(element);
    }
    found
}
