mod defaults_and_pruning;
mod formats;
mod properties;
mod ratcheting;
mod rules;
mod structural;
mod validation;

use serde_json::{Value, json};

use super::Schema;
use crate::embedded::status::FieldError;

fn lines(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// A schema of an object whose `spec` has these properties.
fn with_spec(properties: &Value) -> Value {
    json!({"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}})
}

fn structural(schema: &Value) -> Schema {
    Schema::structural(schema, "schema").unwrap_or_else(|errors| panic!("{:#?}", lines(&errors)))
}

/// A small definition as service owners write them.
fn database() -> Value {
    json!({
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": {
                "type": "object",
                "required": ["engine"],
                "properties": {
                    "engine": {"type": "string", "enum": ["postgres", "sqlite"]},
                    "version": {"type": "string", "pattern": "^\\d+(\\.\\d+)*$", "default": "17"},
                    "replicas": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 5, "default": 1},
                    "storage": {"x-kubernetes-int-or-string": true,
                                "anyOf": [{"type": "integer"}, {"type": "string"}]},
                    "backup": {
                        "type": "object",
                        "default": {},
                        "properties": {
                            "enabled": {"type": "boolean", "default": false},
                            "schedule": {"type": "string", "nullable": true},
                        },
                    },
                    "users": {
                        "type": "array",
                        "maxItems": 3,
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["name"],
                        "items": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {
                                "name": {"type": "string", "minLength": 1, "maxLength": 8},
                                "role": {"type": "string", "default": "reader"},
                            },
                        },
                    },
                    "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                    "parameters": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 2},
                    "extra": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                              "properties": {"known": {"type": "object", "properties": {"a": {"type": "string"}}}}},
                    "template": {"type": "object", "x-kubernetes-embedded-resource": true,
                                 "x-kubernetes-preserve-unknown-fields": true},
                },
            },
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        },
    })
}
