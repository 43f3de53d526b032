//! Schemas of Kubernetes' types, by the names under which Kubernetes publishes them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, ListMeta, ObjectMeta, Status};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::overlay;

/// Path of a definition in the `$ref`s of this module.
const PREFIX: &str = "#/definitions/";

/// Name of the definition of a PATCH body, which no Rust type stands for.
const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";

type Definitions = BTreeMap<String, Value>;

/// Definitions that documents refer to beside the kinds they serve, with `$ref`s of the form
/// `#/definitions/NAME`.
pub(in crate::embedded) fn shared_definitions() -> &'static Definitions {
    static SHARED: LazyLock<Definitions> = LazyLock::new(|| {
        let mut generator = generator();
        generator.subschema_for::<ObjectMeta>();
        generator.subschema_for::<ListMeta>();
        generator.subschema_for::<Status>();
        generator.subschema_for::<DeleteOptions>();
        generator.subschema_for::<Scale>();
        generator.subschema_for::<TokenRequest>();
        let mut definitions = finish(generator);
        let patch = "The body of a PATCH request, in the form its media type says.";
        definitions.insert(PATCH.into(), json!({"type": "object", "description": patch}));
        definitions
    });
    &SHARED
}

/// Schema of a whole object of kind `T`, every `$ref` inlined.
pub(super) fn object<T: JsonSchema>() -> Value {
    let mut generator = generator();
    generator.subschema_for::<T>();
    let definitions = finish(generator);
    let mut schema = inlined(&definitions, &T::schema_name());
    schema["properties"]["metadata"] = object_meta().clone();
    schema
}

/// Schema of `apiVersion` or `kind`, which is the same in every kind.
pub(super) fn type_meta(field: &str) -> Value {
    shared_definitions()[&*Scale::schema_name()]["properties"][field].clone()
}

/// `ObjectMeta`, inlined and without descriptions.
pub(super) fn object_meta() -> &'static Value {
    static OBJECT_META: LazyLock<Value> = LazyLock::new(|| {
        let mut schema = inlined(shared_definitions(), &ObjectMeta::schema_name());
        strip_descriptions(&mut schema);
        schema
    });
    &OBJECT_META
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft07().with(|settings| settings.transforms.clear()).into_generator()
}

fn finish(mut generator: SchemaGenerator) -> Definitions {
    let mut definitions: Definitions = generator.take_definitions(false).into_iter().collect();
    overlay::apply(&mut definitions);
    definitions
}

fn inlined(definitions: &Definitions, name: &str) -> Value {
    inline_named(definitions, name, &mut Vec::new())
}

/// A type that contains itself ends in an object of unknown fields where it recurs.
fn inline_named<'d>(definitions: &'d Definitions, name: &'d str, within: &mut Vec<&'d str>) -> Value {
    match definitions.get(name) {
        Some(schema) if !within.contains(&name) => {
            within.push(name);
            let schema = inline(definitions, schema, within);
            within.pop();
            schema
        }
        _ => json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
    }
}

fn inline<'d>(definitions: &'d Definitions, schema: &'d Value, within: &mut Vec<&'d str>) -> Value {
    match schema {
        Value::Object(fields) => {
            let target = fields.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix(PREFIX));
            let mut inlined: Map<String, Value> = match target.map(|name| inline_named(definitions, name, within)) {
                Some(Value::Object(schema)) => schema,
                _ => Map::new(),
            };
            // What stands beside the reference is more specific than what it refers to.
            for (key, value) in fields.iter().filter(|(key, _)| *key != "$ref") {
                inlined.insert(key.clone(), inline(definitions, value, within));
            }
            Value::Object(inlined)
        }
        Value::Array(items) => items.iter().map(|item| inline(definitions, item, within)).collect(),
        scalar => scalar.clone(),
    }
}

/// Removes the keyword `description` everywhere, but not a property of that name.
fn strip_descriptions(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    fields.remove("description");
    for (keyword, value) in fields {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(properties)) => properties.values_mut().for_each(strip_descriptions),
            ("items" | "additionalProperties", schema) => strip_descriptions(schema),
            _ => {}
        }
    }
}
