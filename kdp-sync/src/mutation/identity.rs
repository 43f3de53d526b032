//! What no rewrite changes: the identity of an object.

use serde_json::{Map, Value};

/// Gives the rewritten object the kind and metadata of the original, apart from its own labels and
/// annotations.
///
/// Names, versions and owners say which object is meant; were they rewritten, a later write would
/// go to another object, or be refused as out of date.
pub(super) fn restore(mutated: &mut Value, original: Value) {
    let (Value::Object(mutated), Value::Object(mut original)) = (mutated, original) else { return };
    for field in ["apiVersion", "kind"] {
        put(mutated, field, original.remove(field));
    }
    let Some(mut metadata) = original.remove("metadata") else {
        mutated.remove("metadata");
        return;
    };
    if let Value::Object(metadata) = &mut metadata {
        for field in ["labels", "annotations"] {
            let rewritten = mutated.get_mut("metadata").and_then(|metadata| metadata.get_mut(field)).map(Value::take);
            put(metadata, field, rewritten);
        }
    }
    mutated.insert("metadata".into(), metadata);
}

fn put(map: &mut Map<String, Value>, field: &str, value: Option<Value>) {
    match value {
        Some(value) => map.insert(field.into(), value),
        None => map.remove(field),
    };
}
