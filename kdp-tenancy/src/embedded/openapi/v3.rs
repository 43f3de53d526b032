//! A document of OpenAPI 3.0.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::definitions::{PREFIX, definitions, reference};
use super::operations::{Body, Operation, PRODUCES, Parameter, operations};
use crate::embedded::resource::ApiResource;

const SCHEMAS: &str = "#/components/schemas/";

/// The document of `resources`, normally those of one group version.
pub(super) fn document(resources: &[&ApiResource]) -> Value {
    let operations: Vec<Operation> = resources.iter().flat_map(|resource| operations(resource)).collect();
    let schemas: BTreeMap<String, Value> = definitions(resources, &operations)
        .into_iter()
        .map(|(name, mut schema)| {
            retarget(&mut schema);
            (name, schema)
        })
        .collect();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in &operations {
        paths.entry(&operation.path).or_default().insert(operation.method.into(), written(operation));
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn written(operation: &Operation) -> Value {
    let parameters: Vec<Value> = operation.parameters.iter().map(parameter).collect();
    let mut written = json!({
        "operationId": operation.id,
        "description": operation.description,
        "tags": [operation.tag],
        "parameters": parameters,
        "responses": {
            "200": {"description": "OK", "content": content(&operation.response, PRODUCES)},
            "401": {"description": "Unauthorized"},
        },
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": {
            "group": operation.kind.group,
            "version": operation.kind.version,
            "kind": operation.kind.kind,
        },
    });
    if let Some(Body { definition, media_types, required }) = &operation.body {
        written["requestBody"] = json!({"content": content(definition, media_types), "required": required});
    }
    written
}

fn parameter(parameter: &Parameter) -> Value {
    let mut written = json!({
        "name": parameter.name,
        "in": if parameter.in_path { "path" } else { "query" },
        "description": parameter.description,
        "schema": {"type": parameter.type_},
    });
    if parameter.in_path {
        written["required"] = true.into();
    }
    written
}

fn content(definition: &str, media_types: &[&str]) -> Value {
    let mut schema = reference(definition);
    retarget(&mut schema);
    media_types.iter().map(|&media_type| (media_type.to_owned(), json!({"schema": schema}))).collect()
}

/// Points `$ref`s at the components of this document.
///
/// In 3.0 whatever stands beside a `$ref` is ignored, so a reference with a description becomes
/// the only member of an `allOf`.
fn retarget(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(retarget);
            let target = fields.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix(PREFIX));
            let Some(target) = target.map(|name| format!("{SCHEMAS}{name}")) else { return };
            if fields.len() == 1 {
                fields.insert("$ref".into(), target.into());
            } else {
                fields.remove("$ref");
                fields.insert("allOf".into(), json!([{"$ref": target}]));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(retarget),
        _ => {}
    }
}
