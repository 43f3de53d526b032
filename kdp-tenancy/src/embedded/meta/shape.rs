//! The fields of `ObjectMeta` and their types.

use serde_json::{Map, Value};

use crate::embedded::schema::path::Path;
use crate::embedded::status::{Result, StatusError};

/// Type of a field.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Integer,
    Flag,
    Time,
    /// Anything; only `fieldsV1`, which has its own parser.
    Any,
    TextMap,
    Texts,
    Objects(&'static [(&'static str, Self)]),
}

const OBJECT_META: &[(&str, Shape)] = &[
    ("annotations", Shape::TextMap),
    ("creationTimestamp", Shape::Time),
    ("deletionGracePeriodSeconds", Shape::Integer),
    ("deletionTimestamp", Shape::Time),
    ("finalizers", Shape::Texts),
    ("generateName", Shape::Text),
    ("generation", Shape::Integer),
    ("labels", Shape::TextMap),
    ("managedFields", Shape::Objects(MANAGED_FIELDS)),
    ("name", Shape::Text),
    ("namespace", Shape::Text),
    ("ownerReferences", Shape::Objects(OWNER_REFERENCE)),
    ("resourceVersion", Shape::Text),
    ("selfLink", Shape::Text),
    ("uid", Shape::Text),
];

const OWNER_REFERENCE: &[(&str, Shape)] = &[
    ("apiVersion", Shape::Text),
    ("blockOwnerDeletion", Shape::Flag),
    ("controller", Shape::Flag),
    ("kind", Shape::Text),
    ("name", Shape::Text),
    ("uid", Shape::Text),
];

const MANAGED_FIELDS: &[(&str, Shape)] = &[
    ("apiVersion", Shape::Text),
    ("fieldsType", Shape::Text),
    ("fieldsV1", Shape::Any),
    ("manager", Shape::Text),
    ("operation", Shape::Text),
    ("subresource", Shape::Text),
    ("time", Shape::Time),
];

/// Brings `metadata` to the form it is stored in: drops unknown fields and returns their paths
/// below `metadata`, such as `metadata.foo`; drops fields that are null or empty, which mean the
/// same as absent ones.
///
/// Fields of the wrong type are left alone; [`check_types`] finds them.
#[must_use = "strict decoding reports the dropped fields"]
pub(crate) fn prune(metadata: &mut Value) -> Vec<String> {
    let mut dropped = Vec::new();
    if let Value::Object(fields) = metadata {
        prune_fields(OBJECT_META, fields, Path::root("metadata"), &mut dropped);
        fields.retain(|_, value| !is_empty(value));
    }
    dropped
}

fn prune_fields(
    shapes: &'static [(&'static str, Shape)],
    fields: &mut Map<String, Value>,
    path: Path<'_>,
    dropped: &mut Vec<String>,
) {
    fields.retain(|name, value| {
        let Some((_, shape)) = shapes.iter().find(|(known, _)| known == name) else {
            dropped.push(path.field(name).dotted());
            return false;
        };
        match (shape, &mut *value) {
            (Shape::Objects(shapes), Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    if let Value::Object(fields) = item {
                        let list = path.field(name);
                        prune_fields(shapes, fields, list.index(index), dropped);
                    }
                }
            }
            (Shape::TextMap, Value::Object(entries)) => {
                // A label of null reads as an empty one.
                entries.values_mut().filter(|value| value.is_null()).for_each(|value| *value = "".into());
            }
            _ => {}
        }
        !value.is_null()
    });
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Checks the types of all known fields.
///
/// # Errors
/// 400 `BadRequest` in the words of Go's JSON decoder.
pub(crate) fn check_types(metadata: &Value) -> Result<()> {
    match metadata {
        Value::Null => Ok(()),
        Value::Object(fields) => check_fields(OBJECT_META, fields, "ObjectMeta.metadata"),
        other => Err(mismatch(other, "ObjectMeta.metadata", "v1.ObjectMeta")),
    }
}

fn check_fields(shapes: &[(&str, Shape)], fields: &Map<String, Value>, path: &str) -> Result<()> {
    for (name, shape) in shapes {
        match fields.get(*name) {
            None | Some(Value::Null) => {}
            Some(value) => check_value(*shape, value, &format!("{path}.{name}"))?,
        }
    }
    Ok(())
}

fn check_value(shape: Shape, value: &Value, path: &str) -> Result<()> {
    match (shape, value) {
        (Shape::Any, _) | (Shape::Text, Value::String(_)) | (Shape::Flag, Value::Bool(_)) | (_, Value::Null) => Ok(()),
        (Shape::Integer, Value::Number(number)) if number.is_i64() => Ok(()),
        (Shape::Time, Value::String(text)) => match text.parse::<jiff::Timestamp>() {
            Ok(_) => Ok(()),
            Err(_) => Err(StatusError::bad_request(format!(
                "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?}"
            ))),
        },
        (Shape::TextMap, Value::Object(entries)) => {
            entries.values().try_for_each(|value| check_value(Shape::Text, value, path))
        }
        (Shape::Texts, Value::Array(items)) => items.iter().try_for_each(|item| check_value(Shape::Text, item, path)),
        (Shape::Objects(shapes), Value::Array(items)) => items.iter().try_for_each(|item| match item {
            Value::Object(fields) => check_fields(shapes, fields, path),
            Value::Null => Ok(()),
            other => Err(mismatch(other, path, "object")),
        }),
        (shape, other) => Err(mismatch(other, path, shape.go_type())),
    }
}

impl Shape {
    fn go_type(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Integer => "int64",
            Self::Flag => "bool",
            Self::Time => "time.Time",
            Self::Any => "v1.FieldsV1",
            Self::TextMap => "map[string]string",
            Self::Texts => "[]string",
            Self::Objects(_) => "[]object",
        }
    }
}

fn mismatch(value: &Value, path: &str, wanted: &str) -> StatusError {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    StatusError::bad_request(format!("json: cannot unmarshal {found} into Go struct field {path} of type {wanted}"))
}
