//! `apiextensions.k8s.io/v1` CustomResourceDefinition.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    conversion, invalid_without_value, items, joined, text, validate_approval, validate_names, validate_scope, version,
};
use crate::embedded::meta::names;
use crate::embedded::schema::path::Path;
use crate::embedded::status::FieldError;

/// Checks a defaulted CustomResourceDefinition; `old` is what an update replaces.
///
/// Of the metadata only the name is checked, which spells out plural and group; the rest is the
/// same for all kinds ([`meta::validate`](crate::embedded::meta::validate)).
#[must_use]
pub(crate) fn validate(crd: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let empty = Map::new();
    let spec = crd.get("spec").and_then(Value::as_object).unwrap_or(&empty);
    let path = Path::root("spec");
    let group = text(spec, "group");
    let names = spec.get("names").and_then(Value::as_object).unwrap_or(&empty);

    validate_name(crd, group, text(names, "plural"), &mut errors);
    validate_group(group, path.field("group"), &mut errors);
    validate_scope(spec, path, &mut errors);
    validate_versions(spec, path, &mut errors);
    validate_names(names, path.field("names"), &mut errors);
    if let Some(value) = spec.get("preserveUnknownFields").filter(|value| **value == Value::Bool(true)) {
        let detail = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in \
                      spec.versions[*].schema instead";
        errors.push(FieldError::invalid("spec.preserveUnknownFields", value.clone(), detail));
    }
    if let Some(value) = spec.get("conversion") {
        conversion::validate(value, path.field("conversion"), &mut errors);
    }
    validate_stored_versions(crd, spec, &mut errors);
    validate_approval(&crd["metadata"], group, &mut errors);
    if let Some(old) = old {
        validate_immutable(crd, old, &mut errors);
    }
    errors
}

fn validate_name(crd: &Value, group: &str, plural: &str, errors: &mut Vec<FieldError>) {
    let name = crd.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    if name != format!("{plural}.{group}") {
        let detail = r#"must be spec.names.plural+"."+spec.group"#;
        errors.push(FieldError::invalid("metadata.name", name, detail));
    }
}

fn validate_group(group: &str, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let faults = names::dns1123_subdomain(group);
    if group.is_empty() {
        errors.push(FieldError::required(path.to_string(), ""));
    } else if let Some(detail) = joined(&faults) {
        errors.push(FieldError::invalid(path.to_string(), group, detail));
    } else if !group.contains('.') {
        errors.push(FieldError::invalid(path.to_string(), group, "should be a domain with at least one dot"));
    }
}

fn validate_versions(spec: &Map<String, Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let path = path.field("versions");
    let mut names_seen = BTreeSet::new();
    let mut is_unique = true;
    let mut storage = 0;
    for (index, value) in items(spec, "versions").enumerate() {
        let path = path.index(index);
        let Some(fields) = value.as_object() else {
            errors.push(invalid_without_value(path, "must be an object"));
            continue;
        };
        let name = text(fields, "name");
        is_unique &= names_seen.insert(name);
        storage += usize::from(fields.get("storage") == Some(&Value::Bool(true)));
        let faults = names::dns1035_label(name);
        let field = path.field("name").to_string();
        errors.extend(joined(&faults).map(|detail| FieldError::invalid(field, name, detail)));

        let schema = fields.get("schema").and_then(|schema| schema.get("openAPIV3Schema"));
        let schema_path = path.field("schema");
        version::validate(fields, schema, schema_path.field("openAPIV3Schema"), path, errors);
    }
    if !is_unique {
        errors.push(invalid_without_value(path, "must contain unique version names"));
    }
    if storage != 1 {
        errors.push(invalid_without_value(path, "must have exactly one version marked as storage version"));
    }
}

fn validate_stored_versions(crd: &Value, spec: &Map<String, Value>, errors: &mut Vec<FieldError>) {
    let path = Path::root("status.storedVersions");
    let stored: Vec<&str> = crd
        .pointer("/status/storedVersions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if stored.is_empty() {
        errors.push(FieldError::invalid(path.to_string(), stored, "must have at least one stored version"));
        return;
    }
    let name_of = |version: &Value| version.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let versions: BTreeSet<String> = items(spec, "versions").map(name_of).collect();
    for version in items(spec, "versions").filter(|version| version.get("storage") == Some(&Value::Bool(true))) {
        let name = name_of(version);
        if !stored.contains(&name.as_str()) {
            let detail = format!("must have the storage version {name}");
            errors.push(FieldError::invalid(path.to_string(), stored.clone(), detail));
        }
    }
    for (index, name) in stored.iter().enumerate().filter(|(_, name)| !versions.contains(**name)) {
        let detail = format!(
            "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions \
             until a storage migration ensures no data remains persisted in {name} and removes {name} from \
             status.storedVersions"
        );
        errors.push(FieldError::invalid(path.index(index).to_string(), *name, detail));
    }
}

/// Group and plural make the name; scope and kind are fixed once objects may exist.
fn validate_immutable(crd: &Value, old: &Value, errors: &mut Vec<FieldError>) {
    let conditions = old.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let is_established = conditions.into_iter().any(|condition| {
        condition.get("type") == Some(&"Established".into()) && condition.get("status") == Some(&"True".into())
    });
    let fields = [
        ("spec.scope", "/spec/scope", is_established),
        ("spec.names.kind", "/spec/names/kind", is_established),
        ("spec.group", "/spec/group", true),
        ("spec.names.plural", "/spec/names/plural", true),
    ];
    for (field, pointer, is_fixed) in fields {
        if is_fixed && crd.pointer(pointer) != old.pointer(pointer) {
            let value = crd.pointer(pointer).cloned().unwrap_or_default();
            errors.push(FieldError::invalid(field, value, "field is immutable"));
        }
    }
}
