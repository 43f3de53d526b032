//! Definitions of kinds: CustomResourceDefinition, and kcp's APIResourceSchema.

mod api_resource_schema;
mod conversion;
mod definition;
mod selectable;
mod version;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

pub(crate) use self::api_resource_schema::validate_api_resource_schema;
pub(crate) use self::definition::validate;
use super::meta::names;
use super::schema::not_supported;
use super::schema::path::Path;
use super::status::{FieldError, FieldErrorKind};

/// Fills in what the author of a CustomResourceDefinition may leave out.
pub(crate) fn default(crd: &mut Value) {
    let Some(spec) = crd.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut) {
        let kind = text(names, "kind").to_owned();
        if text(names, "singular").is_empty() && !kind.is_empty() {
            names.insert("singular".into(), kind.to_lowercase().into());
        }
        if text(names, "listKind").is_empty() && !kind.is_empty() {
            names.insert("listKind".into(), format!("{kind}List").into());
        }
    }
    if spec.get("conversion").is_none_or(Value::is_null) {
        spec.insert("conversion".into(), json!({ "strategy": "None" }));
    }
    let service =
        spec.get_mut("conversion").and_then(|conversion| conversion.pointer_mut("/webhook/clientConfig/service"));
    if let Some(service) = service.and_then(Value::as_object_mut) {
        service.entry("port").or_insert_with(|| 443.into());
    }
    let mut storage = None;
    for version in spec.get_mut("versions").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(version) = version.as_object_mut() else { continue };
        for flag in ["served", "storage"] {
            version.entry(flag).or_insert_with(|| false.into());
        }
        if storage.is_none() && version.get("storage") == Some(&Value::Bool(true)) {
            storage = version.get("name").cloned();
        }
    }
    let stored = crd.pointer("/status/storedVersions").and_then(Value::as_array);
    if stored.is_none_or(Vec::is_empty)
        && let Some(storage) = storage
        && let Some(fields) = crd.as_object_mut()
    {
        let status = fields.entry("status").or_insert_with(|| json!({}));
        if let Value::Object(status) = status {
            status.insert("storedVersions".into(), json!([storage]));
        }
    }
}

/// Checks `names` of a definition: required ones, their form, and that kind and list kind differ.
fn validate_names(names: &Map<String, Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    for name in ["plural", "singular", "kind", "listKind"] {
        let field = path.field(name).to_string();
        let value = text(names, name);
        if value.is_empty() {
            errors.push(FieldError::required(field, ""));
        } else if name == "plural" || name == "singular" {
            let faults = names::dns1035_label(value);
            errors.extend(joined(&faults).map(|detail| FieldError::invalid(field, value, detail)));
        } else {
            let faults = names::dns1035_label(&value.to_lowercase());
            let detail =
                joined(&faults).map(|faults| format!("may have mixed case, but should otherwise match: {faults}"));
            errors.extend(detail.map(|detail| FieldError::invalid(field, value, detail)));
        }
    }
    let (kind, list_kind) = (text(names, "kind"), text(names, "listKind"));
    if !kind.is_empty() && kind == list_kind {
        let field = path.field("listKind").to_string();
        errors.push(FieldError::invalid(field, list_kind, "kind and listKind may not be the same"));
    }
    for list in ["shortNames", "categories"] {
        let list_path = path.field(list);
        for (index, value) in items(names, list).enumerate() {
            let field = list_path.index(index).to_string();
            match value.as_str() {
                Some(value) => {
                    let faults = names::dns1035_label(value);
                    errors.extend(joined(&faults).map(|detail| FieldError::invalid(field, value, detail)));
                }
                None => errors.push(FieldError::invalid(field, value.clone(), "must be a string")),
            }
        }
    }
}

fn validate_scope(spec: &Map<String, Value>, path: Path<'_>, errors: &mut Vec<FieldError>) {
    match text(spec, "scope") {
        "" => errors.push(FieldError::required(path.field("scope").to_string(), "")),
        "Cluster" | "Namespaced" => {}
        other => errors.push(not_supported(path.field("scope"), other, &["Cluster", "Namespaced"])),
    }
}

/// Groups of the Kubernetes project are protected: a definition in one says who approved it.
fn validate_approval(metadata: &Value, group: &str, errors: &mut Vec<FieldError>) {
    const ANNOTATION: &str = "api-approved.kubernetes.io";
    let in_group = |suffix: &str| group.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if !in_group("k8s.io") && !in_group("kubernetes.io") {
        return;
    }
    let field = format!("metadata.annotations[{ANNOTATION}]");
    let approval = metadata.get("annotations").and_then(|all| all.get(ANNOTATION)).and_then(Value::as_str);
    let see = "see https://github.com/kubernetes/enhancements/pull/1111";
    match approval.unwrap_or_default() {
        "" => {
            let detail = format!("protected groups must have approval annotation {ANNOTATION:?}, {see}");
            errors.push(FieldError::required(field, detail));
        }
        text if text.starts_with("unapproved") || url::Url::parse(text).is_ok() => {}
        other => {
            let detail = format!(
                "protected groups must have approval annotation {ANNOTATION:?} with either a URL or a reason starting \
                 with \"unapproved\", {see}"
            );
            errors.push(FieldError::invalid(field, other, detail));
        }
    }
}

/// A fault whose value is too long to repeat.
fn invalid_without_value(path: Path<'_>, detail: impl Into<String>) -> FieldError {
    FieldError { field: path.to_string(), kind: FieldErrorKind::Invalid, value: None, detail: detail.into() }
}

fn joined(faults: &[String]) -> Option<String> {
    (!faults.is_empty()).then(|| faults.join(","))
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(fields: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Value> {
    fields.get(name).and_then(Value::as_array).into_iter().flatten()
}
