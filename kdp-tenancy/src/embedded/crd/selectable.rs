//! Fields of custom resources that field selectors may use.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::embedded::schema::path::Path;
use crate::embedded::status::{FieldError, FieldErrorKind};

/// Most selectable fields a version may have.
const MAX: usize = 8;

/// Adds the faults of `selectableFields`, whose paths must lead to scalars of `schema`.
pub(super) fn validate_selectable_fields(
    fields: &[&Value],
    schema: &Value,
    path: Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let mut seen = BTreeSet::new();
    for (index, field) in fields.iter().enumerate() {
        let field_path = path.index(index);
        let at = field_path.field("jsonPath").to_string();
        let json_path = field.get("jsonPath").and_then(Value::as_str).unwrap_or_default();
        if json_path.is_empty() {
            errors.push(FieldError::required(at, ""));
            continue;
        }
        let found = match resolve(json_path, schema) {
            Ok(found) => found,
            Err(why) => {
                errors.push(FieldError::invalid(at, json_path, format!("is an invalid path: {why}")));
                continue;
            }
        };
        if json_path.trim_start_matches('.').split('.').next() == Some("metadata") {
            errors.push(FieldError::invalid(at.clone(), json_path, "must not point to fields in metadata"));
        }
        if !matches!(found.get("type").and_then(Value::as_str), Some("string" | "boolean" | "integer")) {
            let detail = "must point to a field of type string, boolean or integer. Enum string fields and strings with \
                          formats are allowed.";
            errors.push(FieldError::invalid(at.clone(), json_path, detail));
        }
        if !seen.insert(json_path) {
            errors.push(FieldError::new(at, FieldErrorKind::Duplicate, json_path.into(), ""));
        }
    }
    if seen.len() > MAX {
        let detail = format!("must have at most {MAX} items");
        errors.push(FieldError::new(path.to_string(), FieldErrorKind::TooMany, seen.len().into(), detail));
    }
}

fn resolve<'a>(json_path: &str, schema: &'a Value) -> Result<&'a Value, &'static str> {
    let names = json_path.strip_prefix('.').ok_or("expected [ or . but got: other text")?;
    names.split('.').try_fold(schema, |schema, name| {
        if name.contains(['[', ']']) {
            return Err("array notation is not allowed");
        }
        schema.get("properties").and_then(|properties| properties.get(name)).ok_or("does not refer to a valid field")
    })
}
