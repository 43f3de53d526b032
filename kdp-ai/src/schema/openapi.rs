//! Reads the schema of a kind out of an API server's OpenAPI v3 document.

use kdp_core::{Error, ErrorKind};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

use crate::KindRef;

const REFERENCE: &str = "#/components/schemas/";

/// The structural schema of a kind as the workspace publishes it.
///
/// # Errors
/// `NotFound` when the workspace publishes no document of that group and version, or none with the kind.
pub(crate) async fn fetch(client: &kube::Client, kind: &KindRef) -> Result<Value, Error> {
    let gvk = kind.group_version_kind();
    let subject = format!("{} {}", kind.api_version, kind.kind);
    let path = match gvk.group.as_str() {
        "" => format!("/openapi/v3/api/{}", gvk.version),
        group => format!("/openapi/v3/apis/{group}/{}", gvk.version),
    };
    let request = http::Request::get(path).header(http::header::ACCEPT, "application/json").body(Vec::new()).map_err(
        |error| Error::new(ErrorKind::Invalid, "read schema of", &subject, "it is no kind").with_source(error),
    )?;
    let document: Value =
        client.request(request).await.map_err(|error| Error::from_kube("read schema of", &subject, error))?;
    from_openapi(&document, &gvk).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "read schema of", &subject, "the workspace publishes no schema of it")
    })
}

/// The schema of a kind in an OpenAPI v3 document, with everything it refers to written out.
pub(super) fn from_openapi(document: &Value, gvk: &GroupVersionKind) -> Option<Value> {
    let schemas = document.pointer("/components/schemas")?;
    let wanted = json!({"group": gvk.group, "version": gvk.version, "kind": gvk.kind});
    let is_wanted = |schema: &&Value| {
        let kinds = schema.get("x-kubernetes-group-version-kind").and_then(Value::as_array);
        kinds.is_some_and(|kinds| kinds.contains(&wanted))
    };
    let schema = schemas.as_object()?.values().find(is_wanted)?;
    Some(inline(schema, schemas, &mut Vec::new()))
}

/// `open` holds the references being written out, outermost first.
fn inline<'a>(schema: &'a Value, schemas: &'a Value, open: &mut Vec<&'a str>) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(|item| inline(item, schemas, open)).collect(),
        Value::Object(map) => {
            if let Some(name) = map.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix(REFERENCE)) {
                let Some(target) = schemas.get(name).filter(|_| !open.contains(&name)) else {
                    // A schema within itself has no end when written out; it stays open there.
                    return json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
                };
                open.push(name);
                let target = inline(target, schemas, open);
                open.pop();
                return target;
            }
            let mut inlined: serde_json::Map<_, _> =
                map.iter().map(|(key, value)| (key.clone(), inline(value, schemas, open))).collect();
            // OpenAPI 3.0 allows nothing beside a reference, so one with a default or description
            // is written as a union of a single part.
            if let Some(Value::Array(parts)) = inlined.get("allOf")
                && let [Value::Object(part)] = parts.as_slice()
            {
                let part = part.clone();
                inlined.remove("allOf");
                for (key, value) in part {
                    inlined.entry(key).or_insert(value);
                }
            }
            inlined.into()
        }
        other => other.clone(),
    }
}
