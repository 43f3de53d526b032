//! The named schemas of a document, with `$ref`s in the form of v2.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::operations::Operation;
use crate::embedded::builtin;
use crate::embedded::resource::ApiResource;

/// Path of a definition in a `$ref` of v2.
pub(super) const PREFIX: &str = "#/definitions/";

pub(super) const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
pub(super) const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
pub(super) const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// Name of a kind's definition: `io.k8s.api.core.v1.ConfigMap`, or `com.example.v1.Database`.
#[must_use]
pub(crate) fn definition_name(group: &str, version: &str, kind: &str) -> String {
    let package = match group {
        "" => "io.k8s.api.core".into(),
        "apiextensions.k8s.io" => "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions".into(),
        "authentication.k8s.io" => "io.k8s.api.authentication".into(),
        "authorization.k8s.io" => "io.k8s.api.authorization".into(),
        "autoscaling" => "io.k8s.api.autoscaling".into(),
        "coordination.k8s.io" => "io.k8s.api.coordination".into(),
        "rbac.authorization.k8s.io" => "io.k8s.api.rbac".into(),
        group => group.rsplit('.').collect::<Vec<_>>().join("."),
    };
    format!("{package}.{version}.{kind}")
}

/// Every definition that `resources` and `operations` need, by name.
pub(super) fn definitions(resources: &[&ApiResource], operations: &[Operation]) -> BTreeMap<String, Value> {
    let mut definitions = BTreeMap::new();
    for resource in resources {
        let name = |kind| definition_name(&resource.group, &resource.version, kind);
        definitions.insert(name(&resource.kind), object(resource));
        if resource.serves("list") {
            definitions.insert(name(&resource.list_kind), list(resource));
        }
    }
    let mut wanted: BTreeSet<String> = operations.iter().flat_map(Operation::definitions).map(Into::into).collect();
    definitions.values().for_each(|schema| collect_references(schema, &mut wanted));
    let shared = builtin::shared_definitions();
    while let Some(name) = wanted.pop_first() {
        if let (false, Some(schema)) = (definitions.contains_key(&name), shared.get(&name)) {
            collect_references(schema, &mut wanted);
            definitions.insert(name, schema.clone());
        }
    }
    definitions
}

/// `{"$ref": …}` to a definition.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("{PREFIX}{name}")})
}

fn object(resource: &ApiResource) -> Value {
    let mut schema = resource.schema.clone();
    if schema["properties"].is_object() {
        schema["properties"]["metadata"] = described(OBJECT_META, "Standard object's metadata.");
    }
    schema["x-kubernetes-group-version-kind"] = group_version_kind(resource, &resource.kind);
    schema
}

fn list(resource: &ApiResource) -> Value {
    json!({
        "description": format!("{} is a list of {}.", resource.list_kind, resource.kind),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": builtin::type_meta_schema("apiVersion"),
            "kind": builtin::type_meta_schema("kind"),
            "metadata": described(LIST_META, "Standard list metadata."),
            "items": {
                "description": format!("List of {}.", resource.plural),
                "type": "array",
                "items": reference(&definition_name(&resource.group, &resource.version, &resource.kind)),
            },
        },
        "x-kubernetes-group-version-kind": group_version_kind(resource, &resource.list_kind),
    })
}

fn described(definition: &str, description: &str) -> Value {
    let mut reference = reference(definition);
    reference["description"] = description.into();
    reference
}

fn group_version_kind(resource: &ApiResource, kind: &str) -> Value {
    json!([{"group": resource.group, "version": resource.version, "kind": kind}])
}

fn collect_references(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            let path = fields.get("$ref").and_then(Value::as_str);
            names.extend(path.and_then(|path| path.strip_prefix(PREFIX)).map(Into::into));
            fields.values().for_each(|value| collect_references(value, names));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, names)),
        _ => {}
    }
}
