//! A workload specification of Score, version `score.dev/v1b1`.

use std::{collections::BTreeMap, sync::LazyLock};

use jsonschema::Validator;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ScoreFault, ScoreFaults};

/// Faults that are told at once.
const MOST: usize = 50;

/// A workload and what it needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workload {
    /// `score.dev/v1b1`.
    #[schemars(regex(pattern = r"^score\.dev/v1b1$"))]
    pub api_version: String,
    /// What it is called.
    pub metadata: Metadata,
    /// The ports it is reached by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServicePorts>,
    /// Its containers, at least one.
    #[schemars(extend("minProperties" = 1, "propertyNames" = name_schema()))]
    pub containers: BTreeMap<String, Container>,
    /// What it needs, by the names under which it refers to them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = name_schema()))]
    pub resources: BTreeMap<String, Resource>,
}

/// What a workload is called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// Its name.
    #[schemars(length(min = 2, max = 63), regex(pattern = r"^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$"))]
    pub name: String,
    /// Notes of others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = annotation_schema()))]
    pub annotations: BTreeMap<String, String>,
    /// Everything else.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// The ports of a workload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServicePorts {
    /// By their names.
    #[serde(default)]
    #[schemars(extend("propertyNames" = name_schema()))]
    pub ports: BTreeMap<String, ServicePort>,
}

/// A port of a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServicePort {
    /// The port that others use.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// `TCP` or `UDP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("enum" = ["TCP", "UDP"]))]
    pub protocol: Option<String>,
    /// The port of the container, if it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u16", range(min = 1, max = 65535))]
    pub target_port: Option<u16>,
}

/// A container of a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Container {
    /// Its image; `.` stands for the one that is built of the workload.
    #[schemars(length(min = 1))]
    pub image: String,
    /// Instead of its entry point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Instead of its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Environment variables, with placeholders.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// Files it finds, by their paths; with placeholders in their contents unless they say otherwise.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "files")]
    pub files: Value,
    /// Volumes it finds, by their paths.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "volumes")]
    pub volumes: Value,
    /// Containers that have to get somewhere first.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "any_map")]
    pub before: Value,
    /// What it uses.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "compute")]
    pub resources: Value,
    /// How to see that it lives.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "probe")]
    pub liveness_probe: Value,
    /// How to see that it can be used.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "probe")]
    pub readiness_probe: Value,
}

/// Something a workload needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// What it is, such as `postgres`.
    #[serde(rename = "type")]
    #[schemars(length(min = 2, max = 63), regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9-]{0,61}[A-Za-z0-9]$"))]
    pub type_: String,
    /// Which class of it; `default` is as good as none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "String",
        length(min = 2, max = 63),
        regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9-]{0,61}[A-Za-z0-9]$")
    )]
    pub class: Option<String>,
    /// Resources of one type and id are one, whichever workloads need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "String",
        length(min = 2, max = 63),
        regex(pattern = r"^[a-z0-9]+(?:-+[a-z0-9]+)*(?:\.[a-z0-9]+(?:-+[a-z0-9]+)*)*$")
    )]
    pub id: Option<String>,
    /// Notes of others.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "any_map")]
    pub metadata: Map<String, Value>,
    /// How it is to be, with placeholders.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "any_map")]
    pub params: Map<String, Value>,
}

impl Workload {
    /// Reads a specification as YAML or JSON.
    ///
    /// # Errors
    /// All that is wrong with it, by path.
    pub fn parse(text: &str) -> Result<Self, ScoreFaults> {
        let value: Value =
            serde_saphyr::from_str(text).map_err(|error| ScoreFault::new("", format!("it is no YAML: {error}")))?;
        Self::from_value(value)
    }

    /// Reads a specification.
    ///
    /// # Errors
    /// All that is wrong with it, by path.
    pub fn from_value(value: Value) -> Result<Self, ScoreFaults> {
        let faults: Vec<_> = VALIDATOR
            .iter_errors(&value)
            .take(MOST)
            .map(|error| ScoreFault::new(error.instance_path().to_string(), error.to_string()))
            .collect();
        if !faults.is_empty() {
            return Err(ScoreFaults(faults));
        }
        serde_json::from_value(value).map_err(|error| ScoreFault::new("", error.to_string()).into())
    }
}

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Workload>();
    jsonschema::validator_for(schema.as_value()).expect("derived schemas are schemas")
});

fn name_schema() -> Value {
    serde_json::json!({"minLength": 2, "maxLength": 63, "pattern": "^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$"})
}

fn annotation_schema() -> Value {
    let label = "[a-z0-9][a-z0-9-]{0,61}[a-z0-9]";
    let pattern = format!(r"^({label}(\.{label})*/)?[A-Za-z0-9][A-Za-z0-9._-]{{0,61}}[A-Za-z0-9]$");
    serde_json::json!({"minLength": 2, "maxLength": 316, "pattern": pattern})
}

fn any_map(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "object"})
}

fn files(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let properties = serde_json::json!({
        "mode": {"type": "string", "pattern": "^0?[0-7]{3}$"}, "source": {"type": "string", "minLength": 1},
        "content": {"type": "string"}, "binaryContent": {"type": "string"}, "noExpand": {"type": "boolean"},
    });
    let one_of = serde_json::json!([
        {"required": ["content"]}, {"required": ["binaryContent"]}, {"required": ["source"]},
    ]);
    at_targets(&properties, &serde_json::json!({"oneOf": one_of}))
}

fn volumes(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let properties = serde_json::json!({
        "source": {"type": "string"}, "path": {"type": "string"}, "readOnly": {"type": "boolean"},
    });
    at_targets(&properties, &serde_json::json!({"required": ["source"]}))
}

/// A map by path, or the older list of which each names its `target`.
fn at_targets(properties: &Value, more: &Value) -> schemars::Schema {
    let entry = |properties: &Value| {
        let mut entry = serde_json::json!({"type": "object", "additionalProperties": false, "properties": properties});
        if let (Some(entry), Some(more)) = (entry.as_object_mut(), more.as_object()) {
            entry.extend(more.clone());
        }
        entry
    };
    let mut listed = properties.clone();
    listed["target"] = serde_json::json!({"type": "string", "minLength": 1});
    schemars::json_schema!({"oneOf": [
        {"type": "object", "additionalProperties": entry(properties)},
        {"type": "array", "items": entry(&listed)},
    ]})
}

fn compute(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let amounts = serde_json::json!({
        "type": "object", "additionalProperties": false, "properties": {
            "memory": {
                "type": "string",
                "pattern": r"^(0\.\d+|[1-9]\d*(\.\d+)?)(K|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$",
            },
            "cpu": {"type": "string", "pattern": r"^\d+(?:m|\.\d+)?$"},
        },
    });
    schemars::json_schema!({
        "type": "object", "additionalProperties": false, "properties": {"limits": amounts, "requests": amounts},
    })
}

fn probe(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object", "additionalProperties": false,
        "anyOf": [{"required": ["httpGet"]}, {"required": ["exec"]}],
        "properties": {
            "httpGet": {
                "type": "object", "additionalProperties": false, "required": ["port", "path"], "properties": {
                    "host": {"type": "string", "minLength": 1}, "scheme": {"type": "string", "enum": ["HTTP", "HTTPS"]},
                    "path": {"type": "string"}, "port": {"type": "integer", "minimum": 1, "maximum": 65535},
                    "httpHeaders": {"type": "array"},
                },
            },
            "exec": {
                "type": "object", "additionalProperties": false, "required": ["command"],
                "properties": {"command": {"type": "array", "items": {"type": "string"}}},
            },
        },
    })
}
