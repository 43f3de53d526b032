//! What a write must fulfil whatever its kind, and which fields it leaves alone.

use jiff::Timestamp;
use serde_json::Value;

use super::{Place, write::Part};
use crate::{
    embedded::{
        http::query::FieldValidation,
        kinds,
        meta::{self, NameRule},
        object::{metadata_mut, str_at},
        status::{FieldError, Result, StatusError},
        surface::Origin,
    },
    store::{Entry, Revision},
};

const CLAIM_LABEL_PREFIX: &str = "claimed.internal.apis.kcp.io/";

pub(crate) fn invalid(place: &Place, name: &str, errors: Vec<FieldError>) -> StatusError {
    let resource = &place.served.resource;
    StatusError::invalid(&resource.group, &resource.kind, name, errors)
}

pub(super) fn validate(place: &Place, name: &str, object: &Value, old: Option<&Value>) -> Result<()> {
    let mut errors = Vec::new();
    if let Some(old) = old {
        errors.extend(meta::validate_update(&object["metadata"], &old["metadata"]));
    }
    errors.extend(kinds::validate(place, object, old));
    errors.extend(place.served.schema.validate(object, old));
    if errors.is_empty() { Ok(()) } else { Err(invalid(place, name, errors)) }
}

/// What the schema of the version that was asked for says, when another one is stored.
pub(super) fn check_schema(place: &Place, name: &str, object: &Value, old: Option<&Value>) -> Result<()> {
    let errors = place.served.schema.validate(object, old);
    if errors.is_empty() { Ok(()) } else { Err(invalid(place, name, errors)) }
}

pub(super) fn modified(place: &Place, name: &str) -> StatusError {
    let message = "the object has been modified; please apply your changes to the latest version and try again";
    StatusError::conflict(place.reference(), name, message)
}

/// The object must be of the kind the URL is about.
pub(super) fn check_type(place: &Place, object: &Value) -> Result<()> {
    let resource = &place.served.resource;
    if !object.is_object() {
        return Err(StatusError::bad_request(format!(
            "cannot unmarshal the body into an object of kind {}",
            resource.kind
        )));
    }
    let (kind, api_version) = (str_at(object, &["kind"]), str_at(object, &["apiVersion"]));
    if kind.is_empty() {
        return Err(StatusError::bad_request("Object 'Kind' is missing in the body"));
    }
    if kind != resource.kind || api_version != place.api_version {
        return Err(StatusError::bad_request(format!(
            "the API version in the data ({api_version}, {kind}) does not match the expected API version ({}, {})",
            place.api_version, resource.kind
        )));
    }
    Ok(())
}

/// Drops what the schema does not know and says so, or refuses it.
pub(super) fn check_fields(
    place: &Place,
    object: &mut Value,
    duplicates: Vec<String>,
    validation: FieldValidation,
) -> Result<Vec<String>> {
    let mut faults = duplicates;
    meta::check_types(&object["metadata"])?;
    let mut unknown = meta::prune(&mut object["metadata"]);
    unknown.extend(place.served.schema.prune(object));
    faults.extend(unknown.iter().map(|field| format!("unknown field {field:?}")));
    match validation {
        FieldValidation::Strict if !faults.is_empty() => {
            let resource = &place.served.resource;
            Err(StatusError::bad_request(format!(
                "{} in version {:?} cannot be handled as a {}: strict decoding error: {}",
                resource.kind,
                resource.version,
                resource.kind,
                faults.join(", ")
            )))
        }
        FieldValidation::Ignore => Ok(Vec::new()),
        FieldValidation::Warn | FieldValidation::Strict => Ok(faults),
    }
}

/// What is written must be in the sight of whoever writes it.
pub(super) fn admit(place: &Place, name: &str, object: &mut Value) -> Result<()> {
    place.sight.admit(object).map_err(|reason| StatusError::forbidden(place.reference(), name, reason))
}

/// Drops the labels with which kcp marks claimed objects: here a claim is judged by its own selector, and
/// what a client says of itself is no consent.
pub(super) fn drop_claim_labels(object: &mut Value) {
    if let Some(labels) = object.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.retain(|key, _| !key.starts_with(CLAIM_LABEL_PREFIX));
    }
}

pub(super) fn settle_namespace(place: &Place, object: &mut Value) -> Result<()> {
    let metadata = metadata_mut(object);
    let said = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default().to_owned();
    match &place.namespace {
        Some(namespace) if said.is_empty() || said == *namespace => {
            metadata.insert("namespace".into(), namespace.as_str().into());
        }
        Some(_) => {
            return Err(StatusError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        None => {
            metadata.remove("namespace");
        }
    }
    Ok(())
}

pub(super) fn settle_name(url_name: Option<&str>, object: &mut Value) -> Result<()> {
    let Some(name) = url_name else { return Ok(()) };
    let metadata = metadata_mut(object);
    let said = metadata.get("name").and_then(Value::as_str).unwrap_or_default();
    if !said.is_empty() && said != name {
        return Err(StatusError::bad_request(format!(
            "the name of the object ({said}) does not match the name on the URL ({name})"
        )));
    }
    metadata.insert("name".into(), name.into());
    Ok(())
}

/// The revision the object says it was read at.
pub(super) fn revision_of(object: &Value) -> Result<Option<Revision>> {
    match str_at(object, &["metadata", "resourceVersion"]) {
        "" | "0" => Ok(None),
        text => text.parse().map(|revision| Some(Revision(revision))).map_err(|_| {
            StatusError::bad_request(format!("invalid metadata.resourceVersion {text:?}: must be what the server said"))
        }),
    }
}

pub(super) fn check_same_object(place: &Place, name: &str, old: &Entry, before: &Value, new: &Value) -> Result<()> {
    if revision_of(new)?.is_some_and(|revision| revision != old.modified) {
        return Err(modified(place, name));
    }
    let (said, uid) = (str_at(new, &["metadata", "uid"]), str_at(before, &["metadata", "uid"]));
    if !said.is_empty() && said != uid {
        let message = format!("Precondition failed: UID in precondition: {said}, UID in object meta: {uid}");
        return Err(StatusError::conflict(place.reference(), name, message));
    }
    Ok(())
}

/// A write of the status changes nothing else, and a write of the rest leaves the status alone.
pub(super) fn keep_other_part(place: &Place, part: Part, before: &Value, new: &mut Value) {
    let keep = |new: &mut Value, key: &str| match before.get(key) {
        Some(value) => new[key] = value.clone(),
        None => {
            new.as_object_mut().map(|fields| fields.remove(key));
        }
    };
    match part {
        Part::Main => {
            if place.served.resource.subresource("status").is_some() {
                keep(new, "status");
            }
            if place.is("", "namespaces") {
                keep(new, "spec");
            }
        }
        Part::Status => {
            let status = new.get("status").cloned();
            let managed = new["metadata"].get("managedFields").cloned();
            *new = before.clone();
            match status {
                Some(status) => new["status"] = status,
                None => {
                    new.as_object_mut().map(|fields| fields.remove("status"));
                }
            }
            if let Some(managed) = managed {
                metadata_mut(new).insert("managedFields".into(), managed);
            }
        }
        Part::Finalize => {
            let finalizers = new["spec"]["finalizers"].clone();
            *new = before.clone();
            new["spec"]["finalizers"] = finalizers;
        }
    }
}

/// Only kinds with a desired state count their generations.
pub(super) fn has_generation(place: &Place) -> bool {
    place.served.origin != Origin::Builtin
        || place.served.resource.group.ends_with(".kcp.io")
        || place.is("apiextensions.k8s.io", "customresourcedefinitions")
}

pub(super) fn bump_generation(place: &Place, before: &Value, new: &mut Value) {
    if !has_generation(place) {
        return;
    }
    let has_status = place.served.resource.subresource("status").is_some();
    let desired = |object: &Value| -> Value {
        let mut desired = object.clone();
        if let Some(fields) = desired.as_object_mut() {
            fields.remove("metadata");
            if has_status {
                fields.remove("status");
            }
        }
        desired
    };
    let changed = desired(before) != desired(new);
    let deleted = before["metadata"]["deletionTimestamp"].is_null() && !new["metadata"]["deletionTimestamp"].is_null();
    if changed || deleted {
        let generation = before["metadata"]["generation"].as_i64().unwrap_or(1) + 1;
        metadata_mut(new).insert("generation".into(), generation.into());
    }
}

pub(super) fn name_rule(place: &Place) -> NameRule {
    match (&*place.served.resource.group, &*place.served.resource.plural) {
        ("", "namespaces") | ("tenancy.kcp.io", "workspaces" | "workspacetypes") => NameRule::Label,
        ("rbac.authorization.k8s.io", _) => NameRule::PathSegment,
        _ => NameRule::Subdomain,
    }
}

/// A point in time as objects carry it, with second precision.
pub(crate) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
