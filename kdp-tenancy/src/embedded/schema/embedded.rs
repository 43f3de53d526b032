//! What an embedded resource has to have besides its schema.

use serde_json::{Map, Value};

use super::node::Node;
use super::path::Path;
use crate::embedded::meta::{self, names};
use crate::embedded::status::FieldError;

/// Adds the faults of the type and metadata of every embedded resource in `value`.
pub(super) fn validate(node: &Node, value: &Value, path: Path<'_>, errors: &mut Vec<FieldError>) {
    if !node.below.embedded_resources {
        return;
    }
    match value {
        Value::Object(fields) => {
            if node.embedded_resource {
                check_resource(fields, path, errors);
            }
            for (name, value) in fields {
                if let Some(shape) = node.properties.get(name) {
                    validate(shape, value, path.field(name), errors);
                } else if let Some(shape) = node.additional.schema() {
                    validate(shape, value, path.key(name), errors);
                }
            }
        }
        Value::Array(items) => {
            if let Some(shape) = node.items.as_deref() {
                for (index, item) in items.iter().enumerate() {
                    validate(shape, item, path.index(index), errors);
                }
            }
        }
        _ => {}
    }
}

fn check_resource(fields: &Map<String, Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    for name in ["apiVersion", "kind"] {
        let field = path.field(name).to_string();
        match fields.get(name) {
            None => errors.push(FieldError::required(field, "")),
            Some(Value::String(text)) if text.is_empty() => {
                errors.push(FieldError::invalid(field, "", "must not be empty"));
            }
            Some(Value::String(text)) => {
                let faults = if name == "kind" { kind_faults(text) } else { api_version_faults(text) };
                errors.extend(faults.map(|detail| FieldError::invalid(field, text.as_str(), detail)));
            }
            Some(other) => errors.push(FieldError::invalid(field, other.clone(), "must be a string")),
        }
    }
    if let Some(metadata) = fields.get("metadata") {
        errors.extend(meta::validate_embedded(metadata, &path.field("metadata").to_string()));
    }
}

fn kind_faults(kind: &str) -> Option<String> {
    let faults = names::dns1035_label(&kind.to_lowercase());
    (!faults.is_empty()).then(|| format!("may have mixed case, but should otherwise match: {}", faults.join(",")))
}

fn api_version_faults(api_version: &str) -> Option<String> {
    let slashes = api_version.matches('/').count();
    (slashes > 1).then(|| format!("unexpected GroupVersion string: {api_version}"))
}
