//! Who manages which fields of an object that was created.
//!
//! Creating by server-side apply would overwrite an object that somebody else has made a moment
//! before, so objects are created by POST. Their fields then belong to our manager's *updates*; to
//! have its *applies* remove fields that are no longer wanted, they are handed over at once.

use serde_json::{Map, Value};

use super::identity::MANAGER;

/// The managed fields with those of our updates handed over to our applies; none when there is
/// nothing to hand over.
pub(super) fn handed_over(object: &Value) -> Option<Value> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let is_ours = |entry: &Value, operation: &str| {
        let has = |field: &str, wanted: &str| entry.get(field).and_then(Value::as_str) == Some(wanted);
        has("manager", MANAGER) && has("operation", operation) && entry.get("subresource").is_none_or(Value::is_null)
    };
    let updated = entries.iter().find(|entry| is_ours(entry, "Update"))?;
    let mut applied = updated.clone();
    applied["operation"] = "Apply".into();
    if let Some(before) = entries.iter().find(|entry| is_ours(entry, "Apply")) {
        join(&mut applied["fieldsV1"], before.get("fieldsV1"));
    }
    let others = entries.iter().filter(|entry| !is_ours(entry, "Update") && !is_ours(entry, "Apply"));
    Some(std::iter::once(applied).chain(others.cloned()).collect())
}

/// Adds one set of fields to another.
fn join(fields: &mut Value, others: Option<&Value>) {
    let Some(Value::Object(others)) = others else { return };
    if !fields.is_object() {
        *fields = Value::Object(Map::new());
    }
    for (name, below) in others {
        join(&mut fields[name.as_str()], Some(below));
    }
}

#[cfg(test)]
mod tests;
