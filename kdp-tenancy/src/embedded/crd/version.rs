//! One version of a definition; the same in CustomResourceDefinition and APIResourceSchema.

use serde_json::{Map, Value};

use super::selectable::validate_selectable_fields;
use super::{invalid_without_value, items, text};
use crate::embedded::schema::Schema;
use crate::embedded::schema::path::Path;
use crate::embedded::status::FieldError;

/// Adds the faults of `version`; `schema` is its OpenAPI schema, which stands at `schema_path`.
pub(super) fn validate(
    version: &Map<String, Value>,
    schema: Option<&Value>,
    schema_path: Path<'_>,
    path: Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    for flag in ["served", "storage", "deprecated"] {
        if let Some(value) = version.get(flag).filter(|value| !value.is_boolean() && !value.is_null()) {
            errors.push(FieldError::invalid(path.field(flag).to_string(), value.clone(), "must be a boolean"));
        }
    }
    validate_deprecation(version, path, errors);
    let subresources = version.get("subresources");
    match schema {
        Some(schema) if !schema.is_null() => {
            if subresources.and_then(|all| all.get("status")).is_some_and(|status| !status.is_null()) {
                validate_root_keywords(schema, schema_path, errors);
            }
            if let Err(faults) = Schema::structural(schema, &schema_path.to_string()) {
                errors.extend(faults);
            }
            let fields: Vec<&Value> = items(version, "selectableFields").collect();
            validate_selectable_fields(&fields, schema, path.field("selectableFields"), errors);
        }
        _ => errors.push(FieldError::required(schema_path.to_string(), "")),
    }
    if let Some(subresources) = subresources {
        validate_subresources(subresources, path.field("subresources"), errors);
    }
    let columns_path = path.field("additionalPrinterColumns");
    for (index, column) in items(version, "additionalPrinterColumns").enumerate() {
        validate_column(column, columns_path.index(index), errors);
    }
}

fn validate_deprecation(version: &Map<String, Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let Some(warning) = version.get("deprecationWarning").filter(|warning| !warning.is_null()) else { return };
    let mut fault = |detail: &str| {
        let field = path.field("deprecationWarning").to_string();
        errors.push(FieldError::invalid(field, warning.clone(), detail));
    };
    let Some(warning) = warning.as_str() else { return fault("must be a string") };
    if version.get("deprecated") != Some(&Value::Bool(true)) {
        return fault("can only be set for deprecated versions");
    }
    if warning.len() > 256 {
        fault("must be <= 256 characters long");
    }
    if warning.is_empty() {
        fault("must not be an empty string");
    }
    if let Some((index, _)) = warning.char_indices().find(|(_, c)| c.is_control()) {
        fault(&format!("must only contain printable UTF-8 characters; non-printable character found at index {index}"));
    }
}

/// With a status subresource the status is validated by itself, so that nothing at the root may
/// speak of spec and status together, except rules in CEL.
fn validate_root_keywords(schema: &Value, path: Path<'_>, errors: &mut Vec<FieldError>) {
    const FORBIDDEN: &[&str] = &[
        "enum",
        "maxProperties",
        "minProperties",
        "allOf",
        "oneOf",
        "anyOf",
        "not",
        "default",
        "x-kubernetes-map-type",
    ];
    let Some(fields) = schema.as_object() else { return };
    for keyword in FORBIDDEN.iter().filter(|keyword| fields.contains_key(**keyword)) {
        let detail = "is not allowed at the root of the schema if the status subresource is enabled";
        errors.push(FieldError::forbidden(path.field(keyword).to_string(), detail));
    }
}

fn validate_subresources(subresources: &Value, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let Some(scale) = subresources.get("scale").and_then(Value::as_object) else { return };
    let path = path.field("scale");
    for (name, roots) in [
        ("specReplicasPath", &[".spec."][..]),
        ("statusReplicasPath", &[".status."][..]),
        ("labelSelectorPath", &[".spec.", ".status."][..]),
    ] {
        let field = path.field(name);
        let json_path = text(scale, name);
        if json_path.is_empty() {
            if name != "labelSelectorPath" {
                errors.push(FieldError::required(field.to_string(), ""));
            }
        } else if !json_path.starts_with('.') {
            errors.push(FieldError::invalid(field.to_string(), json_path, NOT_A_PATH));
        } else if !roots.iter().any(|root| json_path.starts_with(root)) {
            let detail = match roots {
                [root] => format!("should be a json path under {}", root.trim_end_matches('.')),
                _ => "should be a json path under either .spec or .status".to_owned(),
            };
            errors.push(FieldError::invalid(field.to_string(), json_path, detail));
        }
    }
}

const NOT_A_PATH: &str = "must be a simple json path starting with .";

fn validate_column(column: &Value, path: Path<'_>, errors: &mut Vec<FieldError>) {
    const TYPES: &[&str] = &["boolean", "date", "integer", "number", "string"];
    const FORMATS: &[&str] = &["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
    let Some(column) = column.as_object() else {
        errors.push(invalid_without_value(path, "must be an object"));
        return;
    };
    if text(column, "name").is_empty() {
        errors.push(FieldError::required(path.field("name").to_string(), ""));
    }
    let one_of = |words: &[&str]| format!("must be one of {}", words.join(","));
    match text(column, "type") {
        "" => errors.push(FieldError::required(path.field("type").to_string(), one_of(TYPES))),
        known if TYPES.contains(&known) => {}
        other => errors.push(FieldError::invalid(path.field("type").to_string(), other, one_of(TYPES))),
    }
    let format = text(column, "format");
    if !format.is_empty() && !FORMATS.contains(&format) {
        errors.push(FieldError::invalid(path.field("format").to_string(), format, one_of(FORMATS)));
    }
    match text(column, "jsonPath") {
        "" => errors.push(FieldError::required(path.field("JSONPath").to_string(), "")),
        json_path if json_path.starts_with('.') => {}
        other => errors.push(FieldError::invalid(path.field("JSONPath").to_string(), other, NOT_A_PATH)),
    }
}
