//! Copies of ClusterRoles and ClusterRoleBindings for the workspaces below.

#[cfg(test)]
mod tests;

use kdp_core::LogicalClusterName;
use serde_json::{Map, Value, json};

use crate::{
    embedded::object::{self, metadata_mut},
    store::Entry,
};

/// Has an object copied to every workspace below its own, while it is `*`.
const SYNC: &str = "kdp.k8c.io/sync-to-workspaces";
/// On a copy: the logical cluster it comes from.
const FROM: &str = "kdp.k8c.io/synced-from";
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What an object is to the copying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Nothing.
    None,
    /// It is to be copied.
    Source,
    /// It was made as a copy of one in this cluster.
    CopyOf(LogicalClusterName),
}

impl Mark {
    pub(super) fn of(entry: Option<&Entry>) -> Self {
        let mentions = |entry: &&Entry| {
            let text = std::str::from_utf8(&entry.value).unwrap_or_default();
            text.contains(SYNC) || text.contains(FROM)
        };
        let object = entry.filter(mentions).and_then(|entry| object::decode(entry).ok());
        object.map_or(Self::None, |object| Self::of_object(&object))
    }

    pub(super) fn of_object(object: &Value) -> Self {
        match annotation(object, FROM).and_then(|from| from.parse().ok()) {
            Some(from) => Self::CopyOf(from),
            None if is_synced(object) && object["metadata"]["deletionTimestamp"].is_null() => Self::Source,
            None => Self::None,
        }
    }
}

/// Whether an object asks to be copied to the workspaces below its own.
pub(crate) fn is_synced(object: &Value) -> bool {
    annotation(object, SYNC) == Some("*")
}

/// What must happen to the object of a name so that it is as it should be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    Nothing,
    Create(Value),
    Replace(Value),
    Remove,
}

/// Compares what is there with what should be.
pub(super) fn change(wanted: Option<Value>, present: Option<&Value>) -> Change {
    match (wanted, present) {
        (None, Some(present)) if matches!(Mark::of_object(present), Mark::CopyOf(_)) => Change::Remove,
        (None, _) => Change::Nothing,
        (Some(wanted), None) => Change::Create(wanted),
        (Some(_), Some(present)) if !present["metadata"]["deletionTimestamp"].is_null() => Change::Nothing,
        (Some(wanted), Some(present)) if is_same(&wanted, present) => Change::Nothing,
        (Some(mut wanted), Some(present)) => {
            for field in ["uid", "creationTimestamp"] {
                metadata_mut(&mut wanted).insert(field.into(), present["metadata"][field].clone());
            }
            Change::Replace(wanted)
        }
    }
}

/// Whether everything that a copy says is there already. The rules of an aggregated role are
/// worked out where it is, so they do not count.
fn is_same(wanted: &Value, present: &Value) -> bool {
    let fields = ["rules", "aggregationRule", "roleRef", "subjects"];
    let counted = |field: &str| field != "rules" || wanted["aggregationRule"].is_null();
    let none = Map::new();
    let map = |object: &Value, field: &str| object["metadata"][field].as_object().unwrap_or(&none).clone();
    fields.iter().filter(|field| counted(field)).all(|field| wanted[*field] == present[*field])
        && ["labels", "annotations"].iter().all(|field| map(wanted, field) == map(present, field))
}

/// The copy, for a workspace below, of an object in `cluster`.
///
/// A service account there is another one than its namesake below, so it is named in full.
pub(super) fn copy_of(source: &Value, cluster: &LogicalClusterName) -> Value {
    let metadata = &source["metadata"];
    let mut annotations = metadata["annotations"].as_object().cloned().unwrap_or_default();
    annotations.retain(|key, _| key != SYNC && key != APPLIED && !is_of_kcp(key));
    annotations.insert(FROM.into(), cluster.as_str().into());
    let mut copy = json!({
        "apiVersion": source["apiVersion"], "kind": source["kind"],
        "metadata": {"name": metadata["name"], "annotations": annotations},
    });
    if let Some(labels) = metadata["labels"].as_object() {
        copy["metadata"]["labels"] = labels.clone().into();
    }
    for field in ["aggregationRule", "roleRef"] {
        if !source[field].is_null() {
            copy[field] = source[field].clone();
        }
    }
    if source["aggregationRule"].is_null() && !source["rules"].is_null() {
        copy["rules"] = source["rules"].clone();
    }
    if let Some(subjects) = source["subjects"].as_array() {
        copy["subjects"] = subjects.iter().map(|subject| in_full(subject, cluster)).collect();
    }
    copy
}

fn in_full(subject: &Value, cluster: &LogicalClusterName) -> Value {
    if subject["kind"] != "ServiceAccount" {
        return subject.clone();
    }
    let [namespace, name] = ["namespace", "name"].map(|field| object::str_at(subject, &[field]));
    let name = format!("system:kcp:serviceaccount:{cluster}:{namespace}:{name}");
    json!({"apiGroup": super::GROUP, "kind": "User", "name": name})
}

fn is_of_kcp(key: &str) -> bool {
    let domain = key.split('/').next().unwrap_or(key);
    domain == "kcp.io" || domain.ends_with(".kcp.io")
}

fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][key].as_str()
}
