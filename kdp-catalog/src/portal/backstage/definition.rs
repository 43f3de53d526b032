//! The OpenAPI document of one kind.

use serde_json::{Map, Value, json};

use crate::portal::site::{KindInput, ServiceInput, Site};

/// What the Kubernetes API offers for the kind, as a document that Backstage's viewer understands.
pub(super) fn definition(site: &Site, service: &ServiceInput, kind: &KindInput) -> String {
    let root = if kind.group.is_empty() { "api" } else { "apis" };
    let scope = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
    let all = format!("/clusters/{{workspace}}/{root}/{}{scope}/{}", kind.api_version(), kind.plural);
    let one = format!("{all}/{{name}}");

    let mut of_all = vec![parameter("workspace", "Path of the workspace, such as root:acme.")];
    if kind.namespaced {
        of_all.push(parameter("namespace", "Namespace in the workspace."));
    }
    let mut of_one = of_all.clone();
    of_one.push(parameter("name", "Name of the object."));

    let object = json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{}", kind.kind)}}});
    let operation = |verb: &str, body: &Value| {
        let mut operation = json!({
            "operationId": format!("{verb}{}", kind.kind),
            "responses": {"200": {"description": "OK", "content": object}},
        });
        if !body.is_null() {
            operation["requestBody"] = json!({"required": true, "content": body});
        }
        operation
    };
    let patch = json!({"application/apply-patch+yaml": object["application/json"]});
    let mut paths = Map::new();
    paths.insert(all, json!({"parameters": of_all, "post": operation("create", &object)}));
    paths.insert(
        one,
        json!({
            "parameters": of_one,
            "get": operation("read", &Value::Null),
            "patch": operation("apply", &patch),
            "delete": operation("delete", &Value::Null),
        }),
    );
    let schema = if kind.schema.is_object() { kind.schema.clone() } else { json!({"type": "object"}) };
    let document = json!({
        "openapi": "3.0.3",
        "info": {"title": format!("{} of {}", kind.kind, service.title()), "version": kind.version},
        "servers": [{"url": site.base_url()}],
        "paths": paths,
        "components": {
            "schemas": {&kind.kind: schema},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    });
    format!("{document:#}\n")
}

fn parameter(name: &str, description: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "description": description, "schema": {"type": "string"}})
}
