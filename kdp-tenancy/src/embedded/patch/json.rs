//! JSON patch (RFC 6902), kept from growing an object out of bounds.

use json_patch::{Patch, PatchOperation, patch};
use serde_json::Value;

use super::unprocessable;
use crate::embedded::status::{FieldError, StatusError};

const MAX_OPERATIONS: usize = 10_000;
/// Bytes that all `copy` operations of a patch may copy together. Each can double the object.
const MAX_COPIED_BYTES: usize = 3 * 1024 * 1024;
/// Depth to which `copy` and `move` may nest. Deeper JSON is refused when it is read again.
const MAX_DEPTH: usize = 120;

/// Applies a JSON patch.
///
/// # Errors
/// 400 when `patch` is not a list of operations; 413 when it has more than 10,000; 422 when an
/// operation is unknown, its path is missing, a `test` fails, or the result is no longer an object
/// of sensible size.
pub(crate) fn json_patch(current: &Value, patch: &Value) -> Result<Value, StatusError> {
    let operations = patch.as_array().ok_or_else(|| malformed("expected a list of operations"))?;
    if operations.len() > MAX_OPERATIONS {
        return Err(StatusError::new(
            413,
            "RequestEntityTooLarge",
            format!(
                "Request entity too large: The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}",
                operations.len()
            ),
        ));
    }
    let is_text = |operation: &Value, name| operation.get(name).is_none_or(Value::is_string);
    let is_operation = |operation: &Value| {
        operation.is_object() && ["op", "path", "from"].into_iter().all(|name| is_text(operation, name))
    };
    if !operations.iter().all(is_operation) {
        return Err(malformed("expected operations with an op and a path"));
    }
    let operations: Patch = serde_json::from_value(patch.clone()).map_err(|_| unprocessable())?;

    let mut patched = current.clone();
    let mut bounds = Bounds { copied: 0, depth: depth(current) };
    for operation in &operations.0 {
        bounds.admit(&patched, operation)?;
        self::patch(&mut patched, std::slice::from_ref(operation)).map_err(|_| unprocessable())?;
    }
    if !patched.is_object() {
        let error = FieldError::invalid("patch", patched.to_string(), "the result is not an object");
        return Err(StatusError::invalid("", "", "", vec![error]));
    }
    Ok(patched)
}

/// What the operations so far may have made of the object.
struct Bounds {
    copied: usize,
    /// At least the depth of the object.
    depth: usize,
}

impl Bounds {
    /// Lets `operation` on `object` pass if the result stays in bounds.
    fn admit(&mut self, object: &Value, operation: &PatchOperation) -> Result<(), StatusError> {
        let (path, grafted) = match operation {
            PatchOperation::Add(add) => (&add.path, depth(&add.value)),
            PatchOperation::Replace(replace) => (&replace.path, depth(&replace.value)),
            PatchOperation::Copy(copy) => {
                let Ok(value) = copy.from.resolve(object) else { return Err(unprocessable()) };
                self.copied += encoded_length(value);
                if self.copied > MAX_COPIED_BYTES {
                    return Err(unprocessable());
                }
                (&copy.path, depth(value))
            }
            PatchOperation::Move(moved) => (&moved.path, self.depth),
            PatchOperation::Remove(_) | PatchOperation::Test(_) => return Ok(()),
        };
        let steps = path.count();
        self.depth = self.depth.max(steps + grafted);
        if self.depth > MAX_DEPTH {
            // For moves the bound is coarse; measuring each time would cost a walk per operation.
            let moved = match operation {
                PatchOperation::Move(moved) => moved.from.resolve(object).map_or(0, depth),
                _ => grafted,
            };
            self.depth = depth(object).max(steps + moved);
        }
        if self.depth > MAX_DEPTH { Err(unprocessable()) } else { Ok(()) }
    }
}

fn malformed(why: &str) -> StatusError {
    StatusError::bad_request(format!("error decoding patch: {why}"))
}

/// Containers within containers; 0 for a scalar.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Bytes of the compact encoding, escapes not counted.
fn encoded_length(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 4,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| encoded_length(item) + 1).sum::<usize>(),
        Value::Object(fields) => {
            2 + fields.iter().map(|(name, value)| name.len() + 4 + encoded_length(value)).sum::<usize>()
        }
    }
}
