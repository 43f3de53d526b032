#![expect(clippy::needless_pass_by_value, reason = "tables of json! literals read best by value")]

mod applying;
mod conflicts;
mod field_sets;
mod migrating;
mod properties;
mod updating;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Manager, apply, is_unchanged, track_update};
use crate::embedded::status::StatusError;

/// A kind with one field of every sort of merging.
fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": {
                "type": "object",
                "properties": {
                    "replicas": {"type": "integer"},
                    "size": {"type": "string"},
                    "settings": {"type": "object", "additionalProperties": {"type": "string"}},
                    "selector": {
                        "type": "object",
                        "x-kubernetes-map-type": "atomic",
                        "additionalProperties": {"type": "string"},
                    },
                    "args": {"type": "array", "items": {"type": "string"}},
                    "zones": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                    "ports": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["port", "protocol"],
                        "items": {
                            "type": "object",
                            "properties": {
                                "port": {"type": "integer"},
                                "protocol": {"type": "string", "default": "TCP"},
                                "name": {"type": "string"},
                            },
                        },
                    },
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                },
            },
            "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
        },
    })
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn manager(name: &str) -> Manager<'_> {
    Manager { name, api_version: "example.com/v1", subresource: None, reset: &[], time: at(0) }
}

/// A configuration with this spec.
fn config(spec: Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": spec})
}

fn applied(live: Option<&Value>, spec: Value, name: &str) -> Result<Value, StatusError> {
    apply(live, &config(spec), &schema(), &manager(name), false)
}

fn forced(live: &Value, spec: Value, name: &str) -> Value {
    apply(Some(live), &config(spec), &schema(), &manager(name), true).unwrap()
}

fn created(spec: Value, name: &str) -> Value {
    let mut new = config(spec);
    track_update(None, &mut new, &schema(), &manager(name));
    new
}

/// What `old` becomes when `name` gives it this spec by an update.
fn updated(old: &Value, spec: Value, name: &str) -> Value {
    let mut new = old.clone();
    new["spec"] = spec;
    track_update(Some(old), &mut new, &schema(), &manager(name));
    new
}

/// `(manager, operation, fields)` of every entry.
fn owners(object: &Value) -> Vec<(String, String, Value)> {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    entries
        .iter()
        .map(|entry| (text(&entry["manager"]), text(&entry["operation"]), entry["fieldsV1"].clone()))
        .collect()
}

/// The fields one manager has, whatever the operation.
fn fields(object: &Value, name: &str) -> Value {
    owners(object).into_iter().find(|(manager, ..)| manager == name).map_or(Value::Null, |(.., fields)| fields)
}
