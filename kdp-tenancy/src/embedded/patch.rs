//! The three patch formats that say what to change: JSON patch, JSON merge patch, strategic merge
//! patch. (Server-side apply says what is wanted; see [`super::managed_fields`].)
//!
//! All are pure: the patched object comes out, or an error and nothing has happened.

mod json;
mod strategic;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::managed_fields::schema_types::Type;
use super::status::StatusError;

pub(crate) use self::json::json_patch;

/// Applies a JSON merge patch (RFC 7386): maps merge, null deletes, everything else replaces.
///
/// # Errors
/// 400 when `patch` is not an object.
pub(crate) fn merge_patch(current: &Value, patch: &Value) -> Result<Value, StatusError> {
    if !patch.is_object() {
        return Err(not_an_object(patch));
    }
    let mut patched = current.clone();
    json_patch::merge(&mut patched, patch);
    Ok(patched)
}

/// Applies a strategic merge patch: a merge patch that merges those lists whose `schema` has
/// `x-kubernetes-patch-strategy: merge`, matching their items by `x-kubernetes-patch-merge-key`.
///
/// Understands the directives `$patch: replace` and `$patch: delete`, `$retainKeys`,
/// `$deleteFromPrimitiveList/<field>` and `$setElementOrder/<field>`.
///
/// # Errors
/// 400 when `patch` is not an object, or a directive or a list item is malformed; 422 when it merges
/// lists of lists.
pub(crate) fn strategic_merge_patch(current: &Value, patch: &Value, schema: &Value) -> Result<Value, StatusError> {
    let (Value::Object(current), Value::Object(patch)) = (current, patch) else {
        return Err(not_an_object(patch));
    };
    strategic::merge_maps(Type::root(schema), current.clone(), patch).map(Value::Object)
}

fn not_an_object(patch: &Value) -> StatusError {
    let found = match patch {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    StatusError::bad_request(format!(
        "error decoding patch: json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
    ))
}

/// 422: the patch is well-formed and cannot be applied to this object. Kubernetes tells no more.
fn unprocessable() -> StatusError {
    StatusError::new(422, "Invalid", "the server rejected our request due to an error in our request")
}
