//! `apis.kcp.io/v1alpha1` APIResourceSchema.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::{
    conversion, invalid_without_value, items, joined, text, validate_approval, validate_names, validate_scope, version,
};
use crate::embedded::meta::names;
use crate::embedded::schema::not_supported;
use crate::embedded::schema::path::Path;
use crate::embedded::status::FieldError;

/// Groups of Kubernetes that have no dot.
const ONE_WORD_GROUPS: &[&str] = &["apps", "autoscaling", "batch", "extensions", "policy"];

static PREFIX: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("^[a-z]([-a-z0-9]*[a-z0-9])?$").expect("a constant that a test compiles"));
static VERSION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("^v[1-9][0-9]*([a-z]+[1-9][0-9]*)?$").expect("a constant that a test compiles"));

/// Checks an APIResourceSchema; `old` is what an update replaces, whose spec must stay as it is.
#[must_use]
pub(crate) fn validate_api_resource_schema(schema: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let empty = Map::new();
    let spec = schema.get("spec").and_then(Value::as_object).unwrap_or(&empty);
    let path = Path::root("spec");
    if old.is_some_and(|old| old.get("spec") != schema.get("spec")) {
        errors.push(invalid_without_value(path, "field is immutable"));
        return errors;
    }
    let group = text(spec, "group");
    let names = spec.get("names").and_then(Value::as_object).unwrap_or(&empty);

    validate_name(schema, group, text(names, "plural"), &mut errors);
    validate_group(group, path.field("group"), &mut errors);
    validate_scope(spec, path, &mut errors);
    validate_names(names, path.field("names"), &mut errors);
    validate_versions(spec, path, &mut errors);
    match text(spec, "nameValidation") {
        "" | "DNS1123Subdomain" | "PathSegmentName" => {}
        other => {
            let supported = &["DNS1123Subdomain", "PathSegmentName"];
            errors.push(not_supported(path.field("nameValidation"), other, supported));
        }
    }
    validate_approval(&schema["metadata"], group, &mut errors);
    errors
}

fn validate_name(schema: &Value, group: &str, plural: &str, errors: &mut Vec<FieldError>) {
    let name = schema.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let group = if group.is_empty() { "core" } else { group };
    let prefix = name.strip_suffix(&format!(".{plural}.{group}")).unwrap_or_default();
    if prefix.is_empty() {
        let detail = format!("must end in .{plural}.{group}");
        errors.push(FieldError::invalid("metadata.name", name, detail));
    } else if prefix.len() > 63 || !PREFIX.is_match(prefix) {
        let detail = format!("prefix {prefix:?} must match {} and have at most 63 characters", PREFIX.as_str());
        errors.push(FieldError::invalid("metadata.name", name, detail));
    }
}

/// The core group is empty, and a definition may be one of it.
fn validate_group(group: &str, path: Path<'_>, errors: &mut Vec<FieldError>) {
    if group.is_empty() || ONE_WORD_GROUPS.contains(&group) {
        return;
    }
    let faults = names::dns1123_subdomain(group);
    if let Some(detail) = joined(&faults) {
        errors.push(FieldError::invalid(path.to_string(), group, detail));
    } else if !group.contains('.') {
        errors.push(FieldError::invalid(path.to_string(), group, "should be a domain with at least one dot"));
    }
}

fn validate_versions(spec: &Map<String, Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let versions_path = path.field("versions");
    let mut seen = BTreeSet::new();
    let mut storage = 0;
    for (index, value) in items(spec, "versions").enumerate() {
        let path = versions_path.index(index);
        let Some(fields) = value.as_object() else {
            errors.push(invalid_without_value(path, "must be an object"));
            continue;
        };
        let name = text(fields, "name");
        if name.len() > 63 || !VERSION.is_match(name) {
            let detail = format!("must match {}", VERSION.as_str());
            errors.push(FieldError::invalid(path.field("name").to_string(), name, detail));
        }
        if !seen.insert(name) {
            errors.push(FieldError::invalid(path.field("name").to_string(), name, "must be unique"));
        }
        storage += usize::from(fields.get("storage") == Some(&Value::Bool(true)));
        version::validate(fields, fields.get("schema"), path.field("schema"), path, errors);
    }
    if storage != 1 {
        let detail = "must have exactly one version marked as storage version";
        errors.push(invalid_without_value(versions_path, detail));
    }
    let conversion_path = path.field("conversion");
    match spec.get("conversion").filter(|conversion| !conversion.is_null()) {
        Some(value) => conversion::validate(value, conversion_path, errors),
        None if seen.len() > 1 => {
            let detail = "must be set when there is more than one version";
            errors.push(FieldError::required(conversion_path.to_string(), detail));
        }
        None => {}
    }
}
