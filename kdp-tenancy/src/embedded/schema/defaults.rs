//! Defaulting, and dropping the nulls a schema does not allow.

use serde_json::Value;

use super::node::Node;

/// Drops nulls that are neither nullable nor defaulted.
///
/// A client that means "unset" often writes null; keeping it would fail validation.
pub(super) fn drop_nulls(node: &Node, value: &mut Value) {
    match value {
        Value::Object(fields) => fields.retain(|name, value| match node.field(name) {
            Some(shape) if value.is_null() => shape.nullable || shape.default.is_some(),
            Some(shape) => {
                drop_nulls(shape, value);
                true
            }
            None => true,
        }),
        Value::Array(items) => {
            if let Some(shape) = node.items.as_deref() {
                for item in items {
                    drop_nulls(shape, item);
                }
            }
        }
        _ => {}
    }
}

/// Fills in defaults, in what is there already and in the defaults themselves.
pub(super) fn apply(node: &Node, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, shape) in &node.properties {
                if let Some(default) = &shape.default
                    && fields.get(name).is_none_or(|value| value.is_null() && !shape.nullable)
                {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in fields {
                if let Some(shape) = node.field(name) {
                    replace_null(shape, value);
                    apply(shape, value);
                }
            }
        }
        Value::Array(items) => {
            if let Some(shape) = node.items.as_deref() {
                for item in items {
                    replace_null(shape, item);
                    apply(shape, item);
                }
            }
        }
        _ => {}
    }
}

fn replace_null(shape: &Node, value: &mut Value) {
    if let Some(default) = &shape.default
        && value.is_null()
        && !shape.nullable
    {
        *value = default.clone();
    }
}
