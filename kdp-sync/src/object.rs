//! Kubernetes objects as plain JSON: the few accessors everything here needs.

use std::{collections::BTreeMap, sync::LazyLock};

use kube::core::ApiResource;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A kind with all its names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ResourceType {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) plural: String,
}

impl ResourceType {
    pub(crate) fn core(kind: &str, plural: &str) -> Self {
        Self { group: String::new(), version: "v1".into(), kind: kind.into(), plural: plural.into() }
    }

    pub(crate) fn secrets() -> Self {
        Self::core("Secret", "secrets")
    }

    pub(crate) fn namespaces() -> Self {
        Self::core("Namespace", "namespaces")
    }

    pub(crate) fn logical_clusters() -> Self {
        Self {
            group: "core.kcp.io".into(),
            version: "v1alpha1".into(),
            kind: "LogicalCluster".into(),
            plural: "logicalclusters".into(),
        }
    }

    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The plural name with the group, as definitions are named.
    pub(crate) fn resource_name(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    pub(crate) fn api_resource(&self) -> ApiResource {
        ApiResource {
            group: self.group.clone(),
            version: self.version.clone(),
            api_version: self.api_version(),
            kind: self.kind.clone(),
            plural: self.plural.clone(),
        }
    }
}

static EMPTY: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

fn metadata(object: &Value) -> &Map<String, Value> {
    object.get("metadata").and_then(Value::as_object).unwrap_or(&EMPTY)
}

fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    metadata(object).get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Whether an object may be called that: by the Kubernetes rule for segments of paths, and no longer
/// than any name is.
pub(crate) fn can_be_name(text: &str) -> bool {
    let is_plain = |c: char| {
        c.is_ascii_graphic()
            && !matches!(c, '/' | '%' | '?' | '#' | '\\' | '<' | '>' | '"' | '{' | '}' | '|' | '^' | '`')
    };
    !matches!(text, "" | "." | "..") && text.len() <= 253 && text.chars().all(is_plain)
}

pub(crate) fn name(object: &Value) -> &str {
    text(object, "name").unwrap_or_default()
}

pub(crate) fn namespace(object: &Value) -> Option<&str> {
    text(object, "namespace")
}

pub(crate) fn uid(object: &Value) -> Option<&str> {
    text(object, "uid")
}

pub(crate) fn resource_version(object: &Value) -> Option<&str> {
    text(object, "resourceVersion")
}

pub(crate) fn generation(object: &Value) -> Option<i64> {
    metadata(object).get("generation").and_then(Value::as_i64)
}

pub(crate) fn is_deleting(object: &Value) -> bool {
    text(object, "deletionTimestamp").is_some()
}

pub(crate) fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    metadata(object).get("labels")?.get(key)?.as_str()
}

pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    metadata(object).get("annotations")?.get(key)?.as_str()
}

pub(crate) fn annotations(object: &Value) -> &Map<String, Value> {
    metadata(object).get("annotations").and_then(Value::as_object).unwrap_or(&EMPTY)
}

/// The labels, as selectors want them.
pub(crate) fn labels(object: &Value) -> BTreeMap<String, String> {
    let labels = metadata(object).get("labels").and_then(Value::as_object).unwrap_or(&EMPTY);
    labels.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    let finalizers = metadata(object).get("finalizers").and_then(Value::as_array);
    finalizers.into_iter().flatten().filter_map(Value::as_str).collect()
}

pub(crate) fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    finalizers(object).contains(&finalizer)
}

/// The map at a key, made if there is none.
pub(crate) fn child<'a>(object: &'a mut Value, key: &str) -> &'a mut Map<String, Value> {
    let map = as_map(object);
    as_map(map.entry(key).or_insert_with(|| Value::Object(Map::new())))
}

fn as_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("made an object above")
}

/// Sets a label or annotation.
pub(crate) fn set_metadata(object: &mut Value, map: &'static str, key: &str, value: &str) {
    let metadata = child(object, "metadata");
    let entry = metadata.entry(map).or_insert_with(|| Value::Object(Map::new()));
    as_map(entry).insert(key.into(), value.into());
}
