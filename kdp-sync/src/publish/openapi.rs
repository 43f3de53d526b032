//! Schemas of kinds out of an OpenAPI document in version 2.
//!
//! The result is as the existing agent makes it, since names of published schemas are digests:
//! types, formats, descriptions, required fields and how lists merge; no limits on values.

use serde_json::{Map, Value, json};

const DEFINITIONS: &str = "#/definitions/";

/// Why there is no schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OpenApiError {
    #[error("the server's OpenAPI document does not describe it")]
    Undescribed,
    #[error("its schema contains itself, by {0}, which custom resources cannot express")]
    Recursive(String),
    #[error("its schema is nested too deeply")]
    TooDeep,
}

/// How deep schemas may be nested; the deepest of Kubernetes' own has less than 20 levels.
const DEEPEST: usize = 64;

/// The structural schema of a kind.
pub(super) fn schema(document: &Value, group: &str, version: &str, kind: &str) -> Result<Value, OpenApiError> {
    let wanted = json!({"group": group, "version": version, "kind": kind});
    let is_it = |schema: &&Value| {
        schema["x-kubernetes-group-version-kind"].as_array().is_some_and(|kinds| kinds.contains(&wanted))
    };
    let definitions = document["definitions"].as_object().ok_or(OpenApiError::Undescribed)?;
    let root = definitions.values().find(is_it).ok_or(OpenApiError::Undescribed)?;
    let mut converter = Converter { definitions, inside: Vec::new(), depth: 0 };
    let mut schema = converter.convert(root, "")?;
    // The API server knows metadata better than any schema.
    if let Some(metadata) = schema["properties"].get_mut("metadata") {
        *metadata = json!({"type": "object"});
    }
    Ok(schema)
}

struct Converter<'a> {
    definitions: &'a Map<String, Value>,
    /// The definitions being converted, from the outside in.
    inside: Vec<&'a str>,
    depth: usize,
}

impl<'a> Converter<'a> {
    /// The schema with all references resolved; `description` is of the place where it is used.
    fn convert(&mut self, schema: &'a Value, description: &str) -> Result<Value, OpenApiError> {
        if self.depth == DEEPEST {
            return Err(OpenApiError::TooDeep);
        }
        self.depth += 1;
        let description = if description.is_empty() { described(schema) } else { description };
        let mut converted = match (schema["$ref"].as_str(), schema["type"].as_str()) {
            (Some(reference), _) => self.reference(reference, description)?,
            (None, Some("array")) => self.list(schema)?,
            (None, Some("object") | None) if schema["properties"].is_object() => self.object(schema)?,
            (None, Some("object")) if schema["additionalProperties"].is_object() => {
                let values = &schema["additionalProperties"];
                json!({"type": "object", "additionalProperties": self.convert(values, "")?})
            }
            (None, Some("object")) => json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
            (None, None) => json!({"x-kubernetes-preserve-unknown-fields": true}),
            (None, Some(primitive)) => {
                let mut converted = json!({"type": primitive});
                if let Some(format) = schema["format"].as_str() {
                    converted["format"] = format.into();
                }
                converted
            }
        };
        self.depth -= 1;
        if !description.is_empty() {
            converted["description"] = description.into();
        }
        Ok(converted)
    }

    fn reference(&mut self, reference: &'a str, description: &str) -> Result<Value, OpenApiError> {
        let name = reference.strip_prefix(DEFINITIONS).unwrap_or(reference);
        if let Some(known) = known(name) {
            return Ok(known);
        }
        if self.inside.contains(&name) {
            return Err(OpenApiError::Recursive(name.into()));
        }
        let target = self.definitions.get(name).ok_or(OpenApiError::Undescribed)?;
        self.inside.push(name);
        let converted = self.convert(target, description);
        self.inside.pop();
        let mut converted = converted?;
        if let Some(properties) = converted["properties"].as_object_mut().filter(|_| has_tcp_ports(name))
            && let Some(protocol) = properties.get_mut("protocol")
        {
            protocol["default"] = "TCP".into();
        }
        Ok(converted)
    }

    fn object(&mut self, schema: &'a Value) -> Result<Value, OpenApiError> {
        let mut properties = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            properties.insert(name.clone(), self.convert(property, "")?);
        }
        let mut converted = json!({"type": "object", "properties": properties});
        if schema["required"].is_array() {
            converted["required"] = schema["required"].clone();
        }
        Ok(converted)
    }

    fn list(&mut self, schema: &'a Value) -> Result<Value, OpenApiError> {
        let mut items = self.convert(&schema["items"], "")?;
        let mut converted = json!({"type": "array"});
        let strategy = schema["x-kubernetes-patch-strategy"].as_str().unwrap_or_default();
        let merge_key = &schema["x-kubernetes-patch-merge-key"];
        let list_type = match schema["x-kubernetes-list-type"].as_str() {
            Some(given) => given,
            None if strategy.split(',').any(|part| part == "merge") => {
                if items["properties"].is_object() {
                    "map"
                } else {
                    "set"
                }
            }
            None if !strategy.is_empty() => "atomic",
            None if merge_key.is_string() => "map",
            None => "",
        };
        if !list_type.is_empty() {
            converted["x-kubernetes-list-type"] = list_type.into();
        }
        let keys = match &schema["x-kubernetes-list-map-keys"] {
            Value::Array(keys) => keys.clone(),
            _ if merge_key.is_string() => vec![merge_key.clone()],
            _ => Vec::new(),
        };
        if !keys.is_empty() {
            require(&mut items, &keys);
            converted["x-kubernetes-list-map-keys"] = keys.into();
        }
        converted["items"] = items;
        Ok(converted)
    }
}

/// Makes keys of a map-like list required, as they must be unless they have a default.
fn require(items: &mut Value, keys: &[Value]) {
    let Some(properties) = items["properties"].as_object() else { return };
    let has_default = |name: &str| properties.get(name).is_some_and(|property| !property["default"].is_null());
    let required = items["required"].as_array().into_iter().flatten().chain(keys).filter_map(Value::as_str);
    let mut required: Vec<_> = required.filter(|name| !has_default(name)).map(str::to_owned).collect();
    required.sort_unstable();
    required.dedup();
    items["required"] = required.into();
}

fn described(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

/// Whether ports of this kind use TCP unless they say otherwise, which only Kubernetes' code tells.
fn has_tcp_ports(name: &str) -> bool {
    matches!(name, "io.k8s.api.core.v1.ContainerPort" | "io.k8s.api.core.v1.ServicePort")
}

/// The schemas of types that write themselves as something else than their fields.
fn known(name: &str) -> Option<Value> {
    const QUANTITY: &str = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$";
    let int_or_string =
        || json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]});
    Some(match name.strip_prefix("io.k8s.")? {
        "api.core.v1.Protocol" => json!({"type": "string", "default": "TCP"}),
        "apimachinery.pkg.apis.meta.v1.ObjectMeta" => {
            json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
        }
        "apimachinery.pkg.apis.meta.v1.Time" | "apimachinery.pkg.apis.meta.v1.MicroTime" => {
            json!({"type": "string", "format": "date-time"})
        }
        "apimachinery.pkg.apis.meta.v1.Duration" => json!({"type": "string"}),
        "apimachinery.pkg.apis.meta.v1.Fields" => json!({"type": "object", "additionalProperties": true}),
        "apimachinery.pkg.api.resource.Quantity" => {
            let mut quantity = int_or_string();
            quantity["pattern"] = QUANTITY.into();
            quantity
        }
        "apimachinery.pkg.util.intstr.IntOrString" => int_or_string(),
        "apimachinery.pkg.runtime.RawExtension" | "apimachinery.pkg.apis.meta.v1.unstructured.Unstructured" => {
            json!({"type": "object"})
        }
        "apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON"
        | "apiextensions-apiserver.pkg.apis.apiextensions.v1beta1.JSON"
        | "apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps" => {
            json!({"x-kubernetes-preserve-unknown-fields": true})
        }
        _ => return None,
    })
}
