//! Request bodies to JSON values, in one pass that also notes duplicate keys.

mod value;

#[cfg(test)]
mod tests;

use serde::de::DeserializeSeed;
use serde_json::Value;
use serde_saphyr::options::DuplicateKeyPolicy;

use self::value::{Faults, ValueSeed};
use super::schema::path::Path;
use super::status::StatusError;

/// Deepest nesting of objects and arrays a JSON body may have; every later walk recurses no deeper.
#[cfg(test)]
pub(crate) const MAX_DEPTH: usize = 128;

/// Deepest nesting of a YAML body; its parser takes more stack for each level.
pub(crate) const MAX_YAML_DEPTH: usize = 64;

/// A decoded body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decoded {
    /// The document; of a key given twice the last value holds.
    pub value: Value,
    /// One fault for each duplicate key, in the words of strict decoding: `duplicate field "spec.x"`.
    /// At most 100 are kept.
    pub duplicates: Vec<String>,
}

/// Decodes a JSON body.
///
/// Numbers take the form Kubernetes stores them in: `1.0` becomes `1`, and integers beyond 64 bits
/// signed become floating point.
///
/// # Errors
/// 400 `BadRequest` when the body is not UTF-8, not one JSON document, or nested deeper than
/// [`MAX_DEPTH`].
pub(crate) fn json(bytes: &[u8]) -> Result<Decoded, StatusError> {
    // serde_json's own recursion limit is MAX_DEPTH.
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let mut faults = Faults::default();
    let value = ValueSeed { path: Path::root(""), faults: &mut faults }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| bad_json(&error))?;
    Ok(Decoded { value, duplicates: faults.into_messages() })
}

/// Decodes a YAML body of one document; the rules of YAML 1.1 hold for booleans and octal numbers,
/// as in Kubernetes.
///
/// # Errors
/// 400 `BadRequest` when the body is not UTF-8, not one YAML document, nested deeper than
/// [`MAX_YAML_DEPTH`], or expands beyond what a body of its size may (anchors and aliases).
pub(crate) fn yaml(bytes: &[u8]) -> Result<Decoded, StatusError> {
    // Clients send JSON, which is YAML too, under YAML's media type: kubectl does for server-side
    // apply. The JSON parser is faster.
    if bytes.trim_ascii_start().starts_with(b"{")
        && let Ok(decoded) = json(bytes)
    {
        return Ok(decoded);
    }
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: MAX_YAML_DEPTH, flow_nesting_limit: MAX_YAML_DEPTH },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED_EVENTS },
    };
    let mut faults = Faults::default();
    let value = serde_saphyr::with_deserializer_from_slice_with_options(bytes, options, |deserializer| {
        ValueSeed { path: Path::root(""), faults: &mut faults }.deserialize(deserializer)
    })
    .map_err(|error| StatusError::bad_request(format!("error converting YAML to JSON: {error}")))?;
    Ok(Decoded { value, duplicates: faults.into_messages() })
}

/// What all aliases of a document may expand to, in nodes; a bomb of nested aliases stops here.
const MAX_REPLAYED_EVENTS: usize = 100_000;

fn bad_json(error: &serde_json::Error) -> StatusError {
    let fault = if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() };
    StatusError::bad_request(format!("couldn't get version/kind; json parse error: {fault}"))
}
