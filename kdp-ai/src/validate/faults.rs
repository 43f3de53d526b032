//! From the server's refusal to faults with advice.

use std::sync::LazyLock;

use kube::core::Status;
use regex::Regex;
use serde_json::Value;

use super::Fault;
use crate::{
    KindRef,
    nearest::nearest,
    schema::{self, fields::rules},
};

/// Faults of a manifest that does not even say what it is.
pub(super) fn of_missing_identity(manifest: &Value) -> Vec<Fault> {
    if !manifest.is_object() {
        return vec![Fault {
            reason: "Invalid".into(),
            message: "a manifest is an object".into(),
            fix: Some("give one object with apiVersion, kind, metadata and spec; describe shows an example".into()),
            ..Fault::default()
        }];
    }
    let fields = [
        ("apiVersion", "/apiVersion", "set the group and version, such as databases.example.com/v1"),
        ("kind", "/kind", "set the kind, such as Database"),
        ("metadata.name", "/metadata/name", "name the order, so that it can be repeated and followed"),
    ];
    let is_missing = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).is_none_or(str::is_empty);
    let missing = fields.into_iter().filter(|(_, pointer, _)| is_missing(pointer));
    missing
        .map(|(field, _, fix)| Fault {
            field: field.into(),
            reason: "FieldValueRequired".into(),
            message: "a text is required here".into(),
            fix: Some(fix.into()),
        })
        .collect()
}

/// The fault of a kind that the workspace does not serve.
pub(super) fn of_unknown_kind(kind: &KindRef, near: &[KindRef]) -> Fault {
    let bind = "if a service of the catalog offers it, bind that service first";
    let fix = match near {
        [] => bind.to_owned(),
        near => {
            let near: Vec<_> = near.iter().map(|kind| format!("{} of {}", kind.kind, kind.api_version)).collect();
            format!("did you mean {}? otherwise, {bind}", near.join(", or "))
        }
    };
    let is_other_version = near.iter().any(|near| near.kind == kind.kind);
    Fault {
        field: if is_other_version { "apiVersion" } else { "kind" }.into(),
        reason: "UnknownKind".into(),
        message: format!("the workspace serves no {} of {}", kind.kind, kind.api_version),
        fix: Some(fix),
    }
}

/// What the server found wrong.
pub(super) fn of_status(status: &Status) -> Vec<Fault> {
    let causes = status.details.as_ref().map_or(&[][..], |details| &details.causes);
    if !causes.is_empty() {
        let of_cause = |cause: &kube::core::response::StatusCause| Fault {
            field: cause.field.trim_start_matches('.').to_owned(),
            reason: if cause.reason.is_empty() { status.reason.clone() } else { cause.reason.clone() },
            message: cause.message.clone(),
            fix: None,
        };
        return causes.iter().map(of_cause).collect();
    }
    let strict = of_strict_message(&status.message);
    if !strict.is_empty() {
        return strict;
    }
    let is_namespace =
        status.code == 404 && status.details.as_ref().is_some_and(|details| details.kind == "namespaces");
    vec![Fault {
        field: if is_namespace { "metadata.namespace".into() } else { String::new() },
        reason: status.reason.clone(),
        message: status.message.clone(),
        fix: None,
    }]
}

/// Strict field validation is the one refusal that names its fields in the message only.
fn of_strict_message(message: &str) -> Vec<Fault> {
    static FIELD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(unknown|duplicate) field "([^"]+)"|\.([^\s:,]+): field not declared in schema"#)
            .expect("the pattern is a constant that the tests run")
    });
    FIELD
        .captures_iter(message)
        .map(|found| {
            let group = |index| found.get(index).map(|part| part.as_str());
            let (field, reason, message) = match (group(1), group(2), group(3)) {
                (Some("duplicate"), Some(field), _) => (field, "DuplicateField", "it is given twice"),
                (_, Some(field), _) | (_, None, Some(field)) => (field, "UnknownField", "the kind has no such field"),
                _ => ("", "UnknownField", "the kind has no such field"),
            };
            Fault {
                field: field.trim_start_matches('.').to_owned(),
                reason: reason.into(),
                message: message.into(),
                fix: None,
            }
        })
        .collect()
}

/// Takes out of the fault of a Secret what the server repeats of the manifest.
pub(super) fn withhold_value(fault: &mut Fault) {
    let repeats = fault.reason.starts_with("FieldValue") || ["Invalid", "BadRequest"].contains(&fault.reason.as_str());
    if repeats && !fault.field.starts_with("metadata") {
        fault.message = "the server refuses the value; its words are withheld because they may repeat it".into();
    }
}

/// What to do about a fault, with the JSON Schema of the kind's manifests when it is known.
pub(super) fn fix(fault: &Fault, schema: Option<&Value>) -> Option<String> {
    let here = schema.and_then(|schema| schema::at(schema, &fault.field)).filter(|_| !fault.field.is_empty());
    let field = &fault.field;
    match fault.reason.as_str() {
        "UnknownField" => Some(fix_of_unknown_field(field, schema)),
        "DuplicateField" => Some(format!("give {field} once")),
        "FieldManagerConflict" => {
            Some("another writer owns this field: leave it out, or give it the value it has".into())
        }
        "FieldValueForbidden" => Some(format!("leave out {field}")),
        "Forbidden" => Some("ask for the right, or for room in the quota, that the message names".into()),
        "NotFound" if field == "metadata.namespace" => Some("create the namespace, or use one that exists".into()),
        "FieldValueRequired" => Some(format!("set {field}{}", here.map(expectation).unwrap_or_default())),
        reason if reason.starts_with("FieldValue") => {
            here.map(expectation).filter(|text| !text.is_empty()).map(|text| format!("change {field}{text}"))
        }
        _ => None,
    }
}

fn fix_of_unknown_field(field: &str, schema: Option<&Value>) -> String {
    let (parent, name) = field.rsplit_once('.').unwrap_or(("", field));
    let properties = schema.and_then(|schema| schema::at(schema, parent)).and_then(|parent| parent.get("properties"));
    let siblings: Vec<&str> =
        properties.and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    match nearest(name, siblings.iter().copied(), 2).as_slice() {
        [] if siblings.is_empty() => format!("leave out {field}"),
        [] => format!("leave out {field}; there are {}", siblings.join(", ")),
        near => format!("did you mean {}? otherwise leave out {field}", near.join(" or ")),
    }
}

/// What a field expects, as the end of a sentence.
fn expectation(schema: &Value) -> String {
    let mut parts = Vec::new();
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array) {
        let allowed: Vec<_> = allowed.iter().map(Value::to_string).collect();
        parts.push(format!("one of {}", allowed.join(", ")));
    } else if let types @ [_, ..] = schema::types(schema).as_slice() {
        parts.push(types.join(" or "));
    }
    parts.extend(rules(schema));
    if parts.is_empty() { String::new() } else { format!(" to: {}", parts.join("; ")) }
}
