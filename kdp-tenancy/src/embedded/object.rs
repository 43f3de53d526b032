//! Objects as they are stored and sent.
//!
//! The store holds the JSON of an object without its beginning: a stored value follows
//! `{"metadata":{"resourceVersion":"<revision>`, and the revision of an entry is known only when
//! it is committed. So an object is serialized once, at the write, and every later read and watch
//! event is those bytes behind a short head.

use bytes::{BufMut, Bytes, BytesMut};
use kdp_core::{LogicalClusterName, api::CLUSTER_ANNOTATION};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::status::{Result, StatusError};
use crate::store::{Entry, Revision};

const HEAD: &[u8] = br#"{"metadata":{"resourceVersion":""#;
/// Longest decimal revision.
const REVISION_DIGITS: usize = 20;

/// The stored form of an object of `cluster`.
///
/// Whatever the object says of its resourceVersion and cluster is replaced by the truth.
pub(crate) fn encode(cluster: &LogicalClusterName, mut object: Value) -> Result<Bytes> {
    let fields = object.as_object_mut().ok_or_else(|| StatusError::internal("an object is not a JSON object"))?;
    let mut metadata = match fields.remove("metadata") {
        Some(Value::Object(metadata)) => metadata,
        _ => Map::new(),
    };
    metadata.remove("resourceVersion");
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.insert(CLUSTER_ANNOTATION.into(), cluster.as_str().into());
    }
    let mut tail = Vec::with_capacity(512);
    tail.extend_from_slice(b"\"");
    append_members(&mut tail, &metadata)?;
    tail.push(b'}');
    append_members(&mut tail, fields)?;
    tail.push(b'}');
    // Without the room it was grown with: it may stay in memory for years.
    Ok(tail.into_boxed_slice().into())
}

/// Appends `,"key":value` for each member.
fn append_members(out: &mut Vec<u8>, members: &Map<String, Value>) -> Result<()> {
    for (key, value) in members {
        out.push(b',');
        serde_json::to_writer(&mut *out, key).map_err(StatusError::internal)?;
        out.push(b':');
        serde_json::to_writer(&mut *out, value).map_err(StatusError::internal)?;
    }
    Ok(())
}

/// Appends the JSON of a stored object.
pub(crate) fn write_json(out: &mut BytesMut, entry: &Entry) {
    write_json_at(out, &entry.value, entry.modified);
}

/// Appends the JSON of a stored object, saying that it was last changed at `revision`.
pub(crate) fn write_json_at(out: &mut BytesMut, stored: &[u8], revision: Revision) {
    out.reserve(HEAD.len() + REVISION_DIGITS + stored.len());
    out.put_slice(HEAD);
    out.put_slice(revision.to_string().as_bytes());
    out.put_slice(stored);
}

/// The JSON of a stored object.
pub(crate) fn to_json(entry: &Entry) -> Bytes {
    let mut out = BytesMut::with_capacity(HEAD.len() + REVISION_DIGITS + entry.value.len());
    write_json(&mut out, entry);
    out.freeze()
}

/// The object an entry holds, as clients see it.
pub(crate) fn decode(entry: &Entry) -> Result<Value> {
    decode_at(&entry.value, entry.modified)
}

/// The object in `stored`, saying that it was last changed at `revision`.
pub(crate) fn decode_at(stored: &[u8], revision: Revision) -> Result<Value> {
    let mut json = BytesMut::new();
    write_json_at(&mut json, stored, revision);
    serde_json::from_slice(&json).map_err(|e| StatusError::internal(format_args!("a stored object is not JSON: {e}")))
}

/// The object an entry holds, without what [`encode`] adds.
pub(crate) fn decode_plain(entry: &Entry) -> Result<Value> {
    let mut object = decode(entry)?;
    strip_cluster_annotation(&mut object);
    Ok(object)
}

/// Removes the annotation that names the logical cluster, and with it an emptied annotation map.
pub(crate) fn strip_cluster_annotation(object: &mut Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) else { return };
    annotations.remove(CLUSTER_ANNOTATION);
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
}

/// The part of an object that selectors and deletion look at; parsing it skips the rest.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Header {
    #[serde(default)]
    pub(crate) metadata: HeaderMeta,
}

/// The metadata of a [`Header`].
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct HeaderMeta {
    pub(crate) name: String,
    pub(crate) labels: Map<String, Value>,
    pub(crate) deletion_timestamp: Option<String>,
}

/// The header of a stored object.
pub(crate) fn header(entry: &Entry) -> Result<Header> {
    serde_json::from_slice(&to_json(entry))
        .map_err(|e| StatusError::internal(format_args!("a stored object is not JSON: {e}")))
}

/// The string at `path` (such as `["spec", "cluster"]`); empty when there is none.
pub(crate) fn str_at<'a>(object: &'a Value, path: &[&str]) -> &'a str {
    let mut value = object;
    for key in path {
        match value.get(key) {
            Some(inner) => value = inner,
            None => return "",
        }
    }
    value.as_str().unwrap_or_default()
}

/// The metadata of an object, made if it has none.
pub(crate) fn metadata_mut(object: &mut Value) -> &mut Map<String, Value> {
    object_at(object, "metadata")
}

/// The member `key` of `object` as a map, made anew if it is anything else.
pub(crate) fn object_at<'a>(object: &'a mut Value, key: &str) -> &'a mut Map<String, Value> {
    if !object.is_object() {
        *object = json!({});
    }
    let inner = &mut object[key];
    if !inner.is_object() {
        *inner = json!({});
    }
    inner.as_object_mut().expect("it was just made an object")
}

/// The finalizers of an object.
pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Adds a finalizer to those that an object has.
pub(crate) fn add_finalizer(object: &mut Value, finalizer: &str) {
    let mut all: Vec<String> = finalizers(object).into_iter().map(Into::into).collect();
    if !all.iter().any(|one| one == finalizer) {
        all.push(finalizer.into());
        metadata_mut(object).insert("finalizers".into(), json!(all));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_comes_back_with_its_revision_and_its_cluster() {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "a", "resourceVersion": "forged", "annotations": {CLUSTER_ANNOTATION: "other", "x": "\"}"}},
            "data": {"k": "v"}});
        let stored = encode(&"abc".parse().unwrap(), object).unwrap();
        let back = decode_at(&stored, Revision(7)).unwrap();
        assert_eq!(
            back,
            json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "a", "resourceVersion": "7", "annotations": {CLUSTER_ANNOTATION: "abc", "x": "\"}"}},
                "data": {"k": "v"}})
        );
    }
}
