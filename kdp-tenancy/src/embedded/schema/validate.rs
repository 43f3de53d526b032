//! OpenAPI validation, in the words of the Kubernetes API server.

use std::collections::HashSet;

use serde_json::{Map, Number, Value};

use super::correlate::{self, OldItems};
use super::node::{Additional, Checks, Node, Type};
use super::path::Path;
use crate::embedded::status::{FieldError, FieldErrorKind};

/// Adds the faults of `value` to `errors`.
///
/// On update, faults of a value that is as it was in `old` are left out, so that an object stays
/// editable after its schema became stricter.
pub(super) fn validate(node: &Node, value: &Value, old: Option<&Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let before = errors.len();
    check_type(node, value, path, errors);
    if let Some(checks) = &node.checks {
        if !value.is_null() {
            check_branches(checks, value, old, path, errors);
            check_scalar(node, checks, value, path, errors);
        }
        if !checks.enum_.is_empty() && !checks.enum_.contains(value) {
            errors.push(not_supported(path, value, &checks.enum_));
        }
    }
    match value {
        Value::Array(items) => check_items(node, items, old, path, errors),
        Value::Object(fields) => check_fields(node, fields, old, path, errors),
        _ => {}
    }
    if errors.len() > before && old == Some(value) {
        errors.truncate(before);
    }
}

fn check_type(node: &Node, value: &Value, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let actual = type_name(value);
    let fits = match (node.type_, value) {
        (Type::Any, _) => true,
        (_, Value::Null) => node.nullable,
        (Type::Integer | Type::IntOrString, Value::Number(number)) => is_integral(number),
        (Type::IntOrString, Value::String(_)) => true,
        (Type::Number, Value::Number(_)) => true,
        (expected, _) => expected.name() == actual,
    };
    if fits {
        return;
    }
    // Where the schema has a format, a value that is neither text nor null is told the format it
    // lacks instead of the type.
    let format = node.checks.as_ref().and_then(|checks| checks.format);
    let (expected, actual) = match (format, value) {
        (Some(format), Value::Number(number)) => (format.name(), if is_integer(number) { "int64" } else { "float64" }),
        (Some(format), Value::Bool(_) | Value::Object(_)) => (format.name(), ""),
        _ => (node.type_.name(), actual),
    };
    errors.push(type_invalid(path, expected, actual));
}

fn check_scalar(node: &Node, checks: &Checks, value: &Value, path: Path<'_>, errors: &mut Vec<FieldError>) {
    match value {
        Value::String(text) => check_string(checks, text, path, errors),
        Value::Number(number) => check_number(node.type_, checks, number, path, errors),
        _ => {}
    }
}

fn check_string(checks: &Checks, text: &str, path: Path<'_>, errors: &mut Vec<FieldError>) {
    // Counting is worth skipping when not even the bytes are too many.
    let length = |limit: u64| if text.len() as u64 <= limit { text.len() as u64 } else { text.chars().count() as u64 };
    if let Some(max) = checks.max_length.filter(|max| length(*max) > *max) {
        errors.push(too_long(path, max));
    } else if let Some(min) = checks.min_length.filter(|min| (text.chars().count() as u64) < *min) {
        errors.push(invalid(path, text, &format!("should be at least {min} chars long")));
    } else if let Some(pattern) = checks.pattern.as_ref().filter(|pattern| !pattern.regex.is_match(text)) {
        errors.push(invalid(path, text, &format!("should match '{}'", pattern.source)));
    }
    if let Some(format) = checks.format.filter(|format| !format.matches(text)) {
        errors.push(type_invalid(path, format.name(), text));
    }
}

fn check_number(type_: Type, checks: &Checks, number: &Number, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let float = number.as_f64().unwrap_or(f64::NAN);
    let fits_type = type_ != Type::Integer || float.abs() < 9_223_372_036_854_775_808.0;
    if let Some(format) = checks.format.filter(|format| !format.fits(float)) {
        let (name, format) = (type_.name(), format.name());
        let path = path.dotted();
        errors.push(FieldError::invalid(
            "",
            "",
            format!("Checked value must be of type {name} with format {format} in {path}"),
        ));
    } else if !fits_type {
        let path = path.dotted();
        errors.push(FieldError::invalid(
            "",
            "",
            format!("Checked value must be of type integer (default format) in {path}"),
        ));
    }
    if let Some(factor) = checks.multiple_of.filter(|factor| !is_multiple(number, *factor)) {
        errors.push(invalid(path, number.clone(), &format!("should be a multiple of {factor}")));
    }
    if let Some(min) = checks.minimum {
        let order = compare(number, min);
        if order.is_some_and(|order| order.is_lt() || checks.exclusive_minimum && order.is_eq()) {
            let words = if checks.exclusive_minimum { "greater than" } else { "greater than or equal to" };
            errors.push(invalid(path, number.clone(), &format!("should be {words} {min}")));
        }
    }
    if let Some(max) = checks.maximum {
        let order = compare(number, max);
        if order.is_some_and(|order| order.is_gt() || checks.exclusive_maximum && order.is_eq()) {
            let words = if checks.exclusive_maximum { "less than" } else { "less than or equal to" };
            errors.push(invalid(path, number.clone(), &format!("should be {words} {max}")));
        }
    }
}

fn check_items(node: &Node, items: &[Value], old: Option<&Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    if let Some(shape) = node.items.as_deref() {
        let old_items = OldItems::new(node, old);
        for (index, item) in items.iter().enumerate() {
            validate(shape, item, old_items.find(index, item), path.index(index), errors);
        }
    }
    let Some(checks) = &node.checks else { return };
    let count = items.len() as u64;
    if let Some(min) = checks.min_items.filter(|min| count < *min) {
        errors.push(invalid(path, count, &format!("should have at least {min} items")));
    }
    if let Some(max) = checks.max_items.filter(|max| count > *max) {
        errors.push(too_many(path, count, max));
    }
    if checks.unique_items {
        let mut seen = HashSet::new();
        if !items.iter().all(|item| seen.insert(item.to_string())) {
            errors.push(invalid(path, "", "shouldn't contain duplicates"));
        }
    }
}

fn check_fields(
    node: &Node,
    fields: &Map<String, Value>,
    old: Option<&Value>,
    path: Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let count = fields.len() as u64;
    let limits = node.checks.as_ref();
    if let Some(min) = limits.and_then(|checks| checks.min_properties).filter(|min| count < *min) {
        errors.push(invalid(path, count, &format!("should have at least {min} properties")));
    }
    if let Some(max) = limits.and_then(|checks| checks.max_properties).filter(|max| count > *max) {
        errors.push(too_many(path, count, max));
    }
    for (name, value) in fields {
        let old_value = || correlate::field(node, old, name);
        match (node.properties.get(name), &node.additional) {
            (Some(shape), _) => validate(shape, value, old_value(), path.field(name), errors),
            (None, Additional::Schema(shape)) => validate(shape, value, old_value(), path.key(name), errors),
            (None, Additional::None) => {
                let text = path.dotted();
                let detail = format!("{text}.{name} in body is a forbidden property");
                errors.push(FieldError::invalid(text, name.as_str(), detail));
            }
            (None, Additional::Any | Additional::Unset) => {}
        }
    }
    for name in limits.map_or(&[][..], |checks| &checks.required) {
        if !fields.contains_key(name) {
            errors.push(FieldError::required(path.field(name).dotted(), ""));
        }
    }
}

/// `anyOf`, `oneOf`, `allOf` and `not`. Of branches that all fail, the one with the fewest faults
/// explains most, so its faults are added to the verdict.
fn check_branches(checks: &Checks, value: &Value, old: Option<&Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let faults = |node: &Node| {
        let mut faults = Vec::new();
        validate(node, value, old, path, &mut faults);
        faults
    };
    // The verdict on a group of branches names its subject in the text, not as the field.
    let verdict = |words: String| FieldError::invalid("", "", format!("{:?} must {words}", path.dotted()));

    if !checks.any_of.is_empty() {
        let results: Vec<_> = checks.any_of.iter().map(faults).collect();
        if results.iter().all(|faults| !faults.is_empty()) {
            errors.push(verdict("validate at least one schema (anyOf)".into()));
            errors.extend(fewest(results));
        }
    }
    if !checks.one_of.is_empty() {
        let results: Vec<_> = checks.one_of.iter().map(faults).collect();
        match results.iter().filter(|faults| faults.is_empty()).count() {
            0 => {
                errors.push(verdict("validate one and only one schema (oneOf). Found none valid".into()));
                errors.extend(fewest(results));
            }
            1 => {}
            valid => errors
                .push(verdict(format!("validate one and only one schema (oneOf). Found {valid} valid alternatives"))),
        }
    }
    if !checks.all_of.is_empty() {
        let results: Vec<_> = checks.all_of.iter().map(faults).collect();
        if results.iter().any(|faults| !faults.is_empty()) {
            let none = results.iter().all(|faults| !faults.is_empty());
            errors.extend(results.into_iter().flatten());
            let words = if none { ". None validated" } else { "" };
            errors.push(verdict(format!("validate all the schemas (allOf){words}")));
        }
    }
    if checks.not.as_ref().is_some_and(|not| faults(not).is_empty()) {
        errors.push(verdict("not validate the schema (not)".into()));
    }
}

fn fewest(results: Vec<Vec<FieldError>>) -> Vec<FieldError> {
    results.into_iter().min_by_key(Vec::len).unwrap_or_default()
}

fn is_integer(number: &Number) -> bool {
    number.is_i64() || number.is_u64()
}

fn is_integral(number: &Number) -> bool {
    is_integer(number) || number.as_f64().is_some_and(|float| float.fract() == 0.0)
}

/// Orders `number` and `bound`; as integers when both are, since floats are exact only to 2^53.
fn compare(number: &Number, bound: f64) -> Option<std::cmp::Ordering> {
    match number.as_i64() {
        Some(integer) if bound.fract() == 0.0 && bound.abs() < 9_223_372_036_854_775_808.0 => {
            Some(integer.cmp(&(bound as i64)))
        }
        _ => number.as_f64()?.partial_cmp(&bound),
    }
}

fn is_multiple(number: &Number, factor: f64) -> bool {
    if factor <= 0.0 {
        return false;
    }
    match number.as_i64() {
        Some(integer) if factor.fract() == 0.0 && factor < 9_223_372_036_854_775_808.0 => {
            integer % (factor as i64) == 0
        }
        _ => {
            let float = number.as_f64().unwrap_or(f64::NAN);
            let quotient = if factor < 1.0 { 1.0 / factor * float } else { float / factor };
            // 0.3 / 0.1 is not 3 in floating point; what is as near as rounding errors go counts.
            (quotient - quotient.round()).abs() <= 1e-9 * quotient.abs().max(1.0)
        }
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if is_integer(number) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn invalid(path: Path<'_>, value: impl Into<Value>, words: &str) -> FieldError {
    let path = path.dotted();
    let detail = format!("{path} in body {words}");
    FieldError::invalid(path, value, detail)
}

fn type_invalid(path: Path<'_>, expected: &str, actual: &str) -> FieldError {
    let path = path.dotted();
    let detail = format!("{path} in body must be of type {expected}: {actual:?}");
    FieldError::new(path, FieldErrorKind::TypeInvalid, actual.into(), detail)
}

fn not_supported(path: Path<'_>, value: &Value, supported: &[Value]) -> FieldError {
    let quoted = |value: &Value| match value {
        Value::String(text) => format!("{text:?}"),
        other => format!("{:?}", other.to_string()),
    };
    let list: Vec<_> = supported.iter().map(quoted).collect();
    let detail = format!("supported values: {}", list.join(", "));
    FieldError::new(path.dotted(), FieldErrorKind::NotSupported, value.clone(), detail)
}

/// Kubernetes leaves the value out, and says bytes although it counts characters.
fn too_long(path: Path<'_>, max: u64) -> FieldError {
    let unit = if max == 1 { "byte" } else { "bytes" };
    FieldError {
        field: path.dotted(),
        kind: FieldErrorKind::TooLong,
        value: None,
        detail: format!("may not be more than {max} {unit}"),
    }
}

fn too_many(path: Path<'_>, count: u64, max: u64) -> FieldError {
    let unit = if max == 1 { "item" } else { "items" };
    FieldError::new(path.dotted(), FieldErrorKind::TooMany, count.into(), format!("must have at most {max} {unit}"))
}
