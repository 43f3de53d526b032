//! Objects and their copies: what travels, how a copy is marked, and whose it is.

use std::collections::BTreeMap;

use kdp_core::api::CLUSTER_ANNOTATION;
use serde_json::{Map, Value, json};

use super::{Command, ObjectKey, OrderKey, Stop, merge, remember};
use crate::{hash, object, wire};

/// What an agent writes into the metadata of a copy.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    pub(super) labels: BTreeMap<&'static str, String>,
    pub(super) annotations: BTreeMap<&'static str, String>,
    /// The number of the content that the copy is made from.
    revision: u64,
}

impl Marks {
    /// The marks of the copy of an order.
    pub(super) fn of_order(order: &OrderKey, path: &str, agent: &str) -> Self {
        let mut labels = identity(order);
        labels.insert(wire::AGENT_NAME, agent.to_owned());
        let mut annotations = BTreeMap::from([(wire::NAME_ANNOTATION, order.name.clone())]);
        annotations.extend(order.namespace.clone().map(|namespace| (wire::NAMESPACE_ANNOTATION, namespace)));
        if !path.is_empty() {
            annotations.insert(wire::PATH_ANNOTATION, path.to_owned());
        }
        Self { labels, annotations, revision: 0 }
    }

    /// The mark of the copy of a related object.
    pub(super) fn of_related(owner: &str) -> Self {
        Self { annotations: [(wire::RELATED_OWNER, owner.to_owned())].into(), ..Self::default() }
    }

    /// The same on a copy that is made from the content with this number.
    pub(super) fn with_revision(self, revision: u64) -> Self {
        Self { revision, ..self }
    }

    fn write_all(&self, object: &mut Value) {
        self.write(object);
        if self.revision != 0 {
            object::set_metadata(object, "annotations", wire::REVISION, &self.revision.to_string());
        }
    }

    /// All but the revision, which goes with the content.
    fn write(&self, object: &mut Value) {
        for (key, value) in &self.labels {
            object::set_metadata(object, "labels", key, value);
        }
        for (key, value) in &self.annotations {
            object::set_metadata(object, "annotations", key, value);
        }
    }
}

/// The number of the content that a copy was made from. The existing agent writes none.
pub(super) fn revision(copy: &Value) -> u64 {
    /// More than there ever are: what somebody has made up is none that is known.
    const UNKNOWN: u64 = u64::MAX >> 1;
    object::annotation(copy, wire::REVISION).map_or(0, |number| number.parse().unwrap_or(UNKNOWN).min(UNKNOWN))
}

/// The labels by which the copy of an order is found.
pub(crate) fn identity(order: &OrderKey) -> BTreeMap<&'static str, String> {
    let mut labels = BTreeMap::from([
        (wire::CLUSTER_LABEL, order.cluster.to_string()),
        (wire::NAME_HASH_LABEL, hash::sha1(&order.name)),
    ]);
    labels.extend(order.namespace.as_ref().map(|namespace| (wire::NAMESPACE_HASH_LABEL, hash::sha1(namespace))));
    labels
}

/// The order that an object on the service cluster says it is the copy of.
pub(crate) fn order_of(copy: &Value) -> Option<OrderKey> {
    Some(OrderKey {
        cluster: object::label(copy, wire::CLUSTER_LABEL)?.parse().ok()?,
        namespace: object::annotation(copy, wire::NAMESPACE_ANNOTATION).map(Into::into),
        name: object::annotation(copy, wire::NAME_ANNOTATION)?.into(),
    })
}

/// Whether an object carries the identity of this order, and no other.
pub(super) fn belongs_to(copy: &Value, order: &OrderKey) -> bool {
    let identity = identity(order);
    wire::IDENTITY_LABELS.iter().all(|key| object::label(copy, key) == identity.get(key).map(String::as_str))
}

/// The part of an object that travels: no status, nothing the API server or an agent wrote.
pub(super) fn strip(source: &Value) -> Value {
    let mut stripped = Map::new();
    for (key, value) in source.as_object().into_iter().flatten() {
        if key != "metadata" && !is_subresource(key) {
            stripped.insert(key.clone(), value.clone());
        }
    }
    let mut metadata = Map::new();
    for key in ["name", "namespace", "labels", "annotations"] {
        let Some(value) = source["metadata"].get(key) else { continue };
        let mut value = value.clone();
        if let Some(map) = value.as_object_mut() {
            map.retain(|key, _| travels(key));
            if map.is_empty() {
                continue;
            }
        }
        metadata.insert(key.into(), value);
    }
    stripped.insert("metadata".into(), Value::Object(metadata));
    Value::Object(stripped)
}

fn is_subresource(key: &str) -> bool {
    matches!(key, "status" | "scale")
}

fn travels(key: &str) -> bool {
    !key.starts_with(wire::SYNC_PREFIX)
        && !key.starts_with(wire::POLICY_PREFIX)
        && !key.starts_with(wire::RELATED_PREFIX)
        && !key.starts_with(wire::CLAIMED_PREFIX)
        && key != CLUSTER_ANNOTATION
        && key != wire::LAST_APPLIED
}

/// The copy of a stripped object, as it is first created.
pub(super) fn new_copy(source: &Value, key: &ObjectKey, marks: &Marks) -> Value {
    let mut copy = source.clone();
    copy["apiVersion"] = key.types.api_version().into();
    copy["kind"] = key.types.kind.clone().into();
    let metadata = object::child(&mut copy, "metadata");
    metadata.insert("name".into(), key.name.clone().into());
    match &key.namespace {
        Some(namespace) => metadata.insert("namespace".into(), namespace.clone().into()),
        None => metadata.remove("namespace"),
    };
    marks.write_all(&mut copy);
    copy
}

/// The write that brings a copy up to date with a stripped source; none if it is.
///
/// Only what changed at the source since the copy was made is changed in the copy, so what was
/// changed on the copy's side stays. The base is as it is [remembered](remember). If it is not
/// known, the copy's side loses.
pub(super) fn update(
    source: &Value,
    base: Option<&Value>,
    key: &ObjectKey,
    copy: &Value,
    marks: &Marks,
) -> Option<Command> {
    let mut updated = copy.clone();
    let Some(base) = base else {
        overwrite(&mut updated, source);
        marks.write(&mut updated);
        if updated == *copy {
            return None;
        }
        marks.write_all(&mut updated);
        return Some(Command::Replace { key: key.clone(), object: updated });
    };
    let change = remember::changes(&content(base), &content(source));
    if let Some(change) = &change {
        merge::apply(&mut updated, change);
    }
    marks.write(&mut updated);
    if updated == *copy {
        return None;
    }
    if change.is_some() {
        marks.write_all(&mut updated);
    }
    let mut patch = change.unwrap_or_else(|| json!({}));
    let mut patched = copy.clone();
    merge::apply(&mut patched, &patch);
    if let Some(marked) = merge::diff(&patched, &updated) {
        merge::join(&mut patch, &marked);
    }
    // Decided on this version of the copy: an agent that does not know of a later write, its
    // successor's perhaps, must not undo it.
    if let Some(version) = object::resource_version(copy) {
        patch["metadata"]["resourceVersion"] = version.into();
    }
    Some(Command::Patch { key: key.clone(), patch })
}

fn overwrite(copy: &mut Value, source: &Value) {
    for (field, value) in source.as_object().into_iter().flatten() {
        if !matches!(field.as_str(), "apiVersion" | "kind" | "metadata") {
            copy[field] = value.clone();
        }
    }
    for map in ["labels", "annotations"] {
        for (key, value) in source["metadata"][map].as_object().into_iter().flatten() {
            object::set_metadata(copy, map, key, value.as_str().unwrap_or_default());
        }
    }
}

/// Whether an agent has put the object on the service cluster.
pub(super) fn is_made_by_an_agent(object: &Value) -> bool {
    object::annotation(object, wire::RELATED_OWNER).is_some()
        || wire::IDENTITY_LABELS.iter().any(|label| object::label(object, label).is_some())
}

/// Refuses Secrets that controllers of the service cluster would fill with credentials of theirs.
pub(super) fn check_type(key: &ObjectKey, object: &Value) -> Result<(), Stop> {
    let is_secret = key.types.group.is_empty() && key.types.plural == "secrets";
    let type_ = object["type"].as_str().unwrap_or_default();
    if is_secret && ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"].contains(&type_) {
        return Err(Stop::Refused("a Secret of this type is not brought to the service cluster"));
    }
    Ok(())
}

/// What is compared: neither the kind, which differs between the sides, nor the name.
pub(super) fn content(object: &Value) -> Value {
    let mut content = strip(object);
    if let Some(map) = content.as_object_mut() {
        map.remove("apiVersion");
        map.remove("kind");
    }
    let metadata = object::child(&mut content, "metadata");
    metadata.remove("name");
    metadata.remove("namespace");
    // Without the last key that travels, the map is still there: a patch that removed it as a whole
    // would take along what others have put into the copy's.
    for map in ["labels", "annotations"] {
        metadata.entry(map).or_insert_with(|| json!({}));
    }
    content
}

/// Whether a stripped object has the content that is remembered.
pub(super) fn same_content(remembered: &Value, now: &Value) -> bool {
    remember::is_same(&content(remembered), &content(now))
}

/// The patch that makes an existing object the copy of an order, and otherwise leaves it as it is.
pub(super) fn link(key: &ObjectKey, object: &Value, marks: &Marks) -> Command {
    let mut marked = json!({});
    marks.write_all(&mut marked);
    if object::annotation(object, wire::IMPORT).is_some() {
        marked["metadata"]["annotations"][wire::IMPORT] = Value::Null;
    }
    if let Some(version) = object::resource_version(object) {
        marked["metadata"]["resourceVersion"] = version.into();
    }
    Command::Patch { key: key.clone(), patch: marked }
}
