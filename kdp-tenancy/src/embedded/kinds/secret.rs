//! Secrets and ConfigMaps.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::embedded::{
    object::object_at,
    status::{FieldError, FieldErrorKind},
};

const MAX_BYTES: usize = 1024 * 1024;

/// Moves `stringData` into `data` and fills in the type.
pub(super) fn complete(object: &mut Value) {
    let Some(fields) = object.as_object_mut() else { return };
    if let Some(Value::Object(strings)) = fields.remove("stringData") {
        let data = object_at(object, "data");
        for (key, value) in strings {
            if let Some(value) = value.as_str() {
                data.insert(key, STANDARD.encode(value).into());
            }
        }
    }
    if object["type"].as_str().unwrap_or_default().is_empty() {
        object["type"] = json!("Opaque");
    }
}

/// Keys, encoding, size, and what `immutable` and `type` forbid.
pub(super) fn validate(object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let secret = object["kind"] == "Secret";
    let mut size = 0;
    for field in ["data", "binaryData"] {
        for (key, value) in object[field].as_object().into_iter().flatten() {
            let path = format!("{field}[{key}]");
            if !is_key(key) {
                errors.push(FieldError::invalid(
                    &path,
                    key.as_str(),
                    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
                ));
            }
            let text = value.as_str().unwrap_or_default();
            size += text.len();
            if (secret || field == "binaryData") && STANDARD.decode(text).is_err() {
                errors.push(FieldError::invalid(path, "<redacted>", "must be base64"));
            }
        }
    }
    if size > MAX_BYTES {
        errors.push(FieldError::new(
            "data",
            FieldErrorKind::TooLong,
            Value::Null,
            "may not be more than 1048576 bytes",
        ));
    }
    let Some(old) = old else { return errors };
    if old["immutable"] == true {
        for field in ["data", "binaryData", "immutable"] {
            if object[field] != old[field] {
                errors.push(FieldError::forbidden(field, "field is immutable when `immutable` is set"));
            }
        }
    }
    if secret && object["type"] != old["type"] {
        errors.push(FieldError::invalid("type", object["type"].clone(), "field is immutable"));
    }
    errors
}

fn is_key(key: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !key.is_empty() && key.len() <= 253 && key != "." && !key.starts_with("..") && key.chars().all(plain)
}
