//! The rules of `ObjectMeta` beyond the types of its fields.

use serde_json::{Map, Value};

use super::names::{self, NameRule};
use super::text;
use crate::embedded::schema::path::Path;
use crate::embedded::status::{FieldError, FieldErrorKind};

/// Bytes all annotations of an object may have together, keys and values.
const MAX_ANNOTATIONS: usize = 256 * 1024;

/// Checks the metadata of an object about to be created, after a name was generated.
#[must_use]
pub(crate) fn validate(metadata: &Value, namespaced: bool, rule: NameRule) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let path = Path::root("metadata");
    let (name, generate_name, namespace) =
        (text(metadata, "name"), text(metadata, "generateName"), text(metadata, "namespace"));
    if !generate_name.is_empty() {
        let faults = rule.prefix_faults(generate_name);
        push_faults(faults, generate_name, path.field("generateName"), &mut errors);
    }
    if name.is_empty() {
        errors.push(FieldError::required("metadata.name", "name or generateName is required"));
    } else {
        push_faults(rule.faults(name), name, path.field("name"), &mut errors);
    }
    match (namespaced, namespace) {
        (true, "") => errors.push(FieldError::required("metadata.namespace", "")),
        (true, _) => push_faults(names::dns1123_label(namespace), namespace, path.field("namespace"), &mut errors),
        (false, "") => {}
        (false, _) => errors.push(FieldError::forbidden("metadata.namespace", "not allowed on this type")),
    }
    validate_common(metadata, path, &mut errors);
    errors
}

/// Checks the metadata of an object about to be updated, after [`keep_immutable`].
#[must_use]
pub(crate) fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let path = Path::root("metadata");
    if !text(old, "deletionTimestamp").is_empty() {
        let had: Vec<&str> = texts(old, "finalizers").collect();
        let mut added: Vec<&str> = texts(new, "finalizers").filter(|finalizer| !had.contains(finalizer)).collect();
        added.sort_unstable();
        added.dedup();
        if !added.is_empty() {
            let added: Vec<_> = added.iter().map(|finalizer| format!("{finalizer:?}")).collect();
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            );
            errors.push(FieldError::forbidden("metadata.finalizers", detail));
        }
    }
    let generation = |metadata: &Value| metadata.get("generation").and_then(Value::as_i64).unwrap_or_default();
    if generation(new) < generation(old) {
        errors.push(FieldError::invalid("metadata.generation", generation(new), "must not be decremented"));
    }
    for name in ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp"] {
        if text(new, name) != text(old, name) {
            errors.push(FieldError::invalid(path.field(name).to_string(), text(new, name), "field is immutable"));
        }
    }
    validate_common(new, path, &mut errors);
    errors
}

/// Gives `new` the fields a client cannot change from `old`: `creationTimestamp`, the deletion
/// fields and `generation`, and those it may leave out: `name`, `namespace` and `uid`.
///
/// A `uid` or name that differs is left for the caller, who answers with a conflict or
/// [`validate_update`]'s fault.
pub(crate) fn keep_immutable(new: &mut Value, old: &Value) {
    let Value::Object(fields) = new else { return };
    for name in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"] {
        match old.get(name) {
            Some(value) => fields.insert(name.to_owned(), value.clone()),
            None => fields.remove(name),
        };
    }
    for name in ["name", "namespace", "uid"] {
        let is_unset = fields.get(name).and_then(Value::as_str).is_none_or(str::is_empty);
        if let Some(value) = old.get(name).filter(|_| is_unset) {
            fields.insert(name.to_owned(), value.clone());
        }
    }
}

/// Checks the metadata of a resource embedded in another, which need not have a name yet.
pub(crate) fn validate_embedded(metadata: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Err(error) = super::check_types(metadata) {
        errors.push(FieldError::invalid(path, metadata.clone(), error.to_string()));
        return errors;
    }
    let path = Path::root(path);
    for (name, value) in [("generateName", text(metadata, "generateName")), ("name", text(metadata, "name"))] {
        let faults = match name {
            "name" => NameRule::PathSegment.faults(value),
            _ => NameRule::PathSegment.prefix_faults(value),
        };
        push_faults(faults, value, path.field(name), &mut errors);
    }
    let namespace = text(metadata, "namespace");
    if !namespace.is_empty() {
        push_faults(names::dns1123_label(namespace), namespace, path.field("namespace"), &mut errors);
    }
    validate_common(metadata, path, &mut errors);
    errors
}

fn validate_common(metadata: &Value, path: Path<'_>, errors: &mut Vec<FieldError>) {
    if let Some(generation) = metadata.get("generation").and_then(Value::as_i64).filter(|generation| *generation < 0) {
        let field = path.field("generation").to_string();
        errors.push(FieldError::invalid(field, generation, "must be greater than or equal to 0"));
    }
    if let Some(labels) = object(metadata, "labels") {
        validate_labels(labels, path.field("labels"), errors);
    }
    if let Some(annotations) = object(metadata, "annotations") {
        validate_annotations(annotations, path.field("annotations"), errors);
    }
    if let Some(owners) = metadata.get("ownerReferences").and_then(Value::as_array) {
        validate_owners(owners, path.field("ownerReferences"), errors);
    }
    validate_finalizers(metadata, path.field("finalizers"), errors);
    if let Some(entries) = metadata.get("managedFields").and_then(Value::as_array) {
        validate_managed_fields(entries, path.field("managedFields"), errors);
    }
}

fn validate_labels(labels: &Map<String, Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    for (key, value) in labels {
        push_faults(names::qualified_name(key), key, path, errors);
        let value = value.as_str().unwrap_or_default();
        push_faults(names::label_value(value), value, path, errors);
    }
}

fn validate_annotations(annotations: &Map<String, Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let mut size = 0;
    for (key, value) in annotations {
        size += key.len() + value.as_str().map_or(0, str::len);
        push_faults(names::qualified_name(&key.to_lowercase()), key, path, errors);
    }
    if size > MAX_ANNOTATIONS {
        errors.push(FieldError {
            field: path.to_string(),
            kind: FieldErrorKind::TooLong,
            value: None,
            detail: format!("may not be more than {MAX_ANNOTATIONS} bytes"),
        });
    }
}

fn validate_owners(owners: &[Value], path: Path<'_>, errors: &mut Vec<FieldError>) {
    let mut controller: Option<String> = None;
    for (index, owner) in owners.iter().enumerate() {
        let owner_path = path.index(index);
        for name in ["apiVersion", "kind", "name", "uid"] {
            let field = owner_path.field(name);
            match text(owner, name) {
                "" => errors.push(FieldError::required(field.to_string(), "must not be empty")),
                version if name == "apiVersion" && !is_group_version(version) => {
                    let detail = "must be <group>/<version> or <version>";
                    errors.push(FieldError::invalid(field.to_string(), version, detail));
                }
                _ => {}
            }
        }
        if (text(owner, "apiVersion"), text(owner, "kind")) == ("v1", "Event") {
            let detail = "/v1, Kind=Event is disallowed from being an owner";
            errors.push(FieldError::invalid(owner_path.to_string(), owner.clone(), detail));
        }
        if owner.get("controller") == Some(&Value::Bool(true)) {
            let this = format!("{}/{}", text(owner, "kind"), text(owner, "name"));
            match &controller {
                None => controller = Some(this),
                Some(first) => {
                    let detail = format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} \
                         and {this}"
                    );
                    errors.push(FieldError::invalid(path.to_string(), owners.to_vec(), detail));
                }
            }
        }
    }
}

fn is_group_version(text: &str) -> bool {
    match text.split_once('/') {
        None => true,
        Some((_, version)) => !version.is_empty() && !version.contains('/'),
    }
}

fn validate_finalizers(metadata: &Value, path: Path<'_>, errors: &mut Vec<FieldError>) {
    let finalizers: Vec<&str> = texts(metadata, "finalizers").collect();
    for finalizer in &finalizers {
        push_faults(names::qualified_name(finalizer), finalizer, path, errors);
    }
    if ["orphan", "foregroundDeletion"].iter().all(|exclusive| finalizers.contains(exclusive)) {
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(FieldError::invalid(path.to_string(), finalizers, detail));
    }
}

fn validate_managed_fields(entries: &[Value], path: Path<'_>, errors: &mut Vec<FieldError>) {
    for (index, entry) in entries.iter().enumerate() {
        let entry_path = path.index(index);
        match text(entry, "operation") {
            "" => errors.push(FieldError::required(entry_path.field("operation").to_string(), "must not be empty")),
            "Apply" | "Update" => {}
            other => {
                let field = entry_path.field("operation").to_string();
                let detail = r#"supported values: "Apply", "Update""#;
                errors.push(FieldError::new(field, FieldErrorKind::NotSupported, other.into(), detail));
            }
        }
        let fields_type = text(entry, "fieldsType");
        if !matches!(fields_type, "" | "FieldsV1") {
            let field = entry_path.field("fieldsType").to_string();
            errors.push(FieldError::invalid(field, fields_type, "must be `FieldsV1`"));
        }
    }
}

fn push_faults(faults: Vec<String>, value: &str, path: Path<'_>, errors: &mut Vec<FieldError>) {
    errors.extend(faults.into_iter().map(|fault| FieldError::invalid(path.to_string(), value, fault)));
}

fn object<'a>(metadata: &'a Value, name: &str) -> Option<&'a Map<String, Value>> {
    metadata.get(name)?.as_object()
}

fn texts<'a>(metadata: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    metadata.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
