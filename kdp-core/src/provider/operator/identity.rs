//! Whose an object is, and what the objects of an order are called.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::provider::{Lease, OrderId};

/// The field manager of everything that is written.
pub(super) const MANAGER: &str = "kdp-operator";
/// Label: a digest of the order's UID, to look for by.
pub(super) const ORDER_LABEL: &str = "operator.kdp.k8c.io/order";
/// Annotation: the UID of the order, which decides whose an object is.
pub(super) const UID: &str = "operator.kdp.k8c.io/uid";
/// Annotation: which object of its offering it is.
pub(super) const OBJECT: &str = "operator.kdp.k8c.io/object";
/// Annotation: the lease it was last written under.
pub(super) const LEASE: &str = "operator.kdp.k8c.io/lease";
/// Annotation, for people: where the order is.
const ORDER: &str = "operator.kdp.k8c.io/order-name";
/// Annotation: the workspace that a namespace is for.
pub(super) const WORKSPACE: &str = "operator.kdp.k8c.io/workspace";
/// What annotations and labels of an offering may not begin with.
pub(super) const RESERVED: &str = "operator.kdp.k8c.io/";

/// Whose an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// This order's.
    Ours,
    /// Another order's.
    Others,
    /// No order's.
    Nobodys,
}

pub(super) fn whose(object: &Value, id: &OrderId) -> Whose {
    match annotation(object, UID) {
        Some(uid) if uid == id.uid => Whose::Ours,
        Some(_) => Whose::Others,
        None => Whose::Nobodys,
    }
}

/// The lease an object was last written under.
pub(super) fn lease_of(object: &Value) -> Lease {
    // What nobody wrote, or somebody spoilt, is older than anything, and written anew.
    Lease(annotation(object, LEASE).and_then(|lease| lease.parse().ok()).unwrap_or(0))
}

pub(super) fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(name)?.as_str()
}

/// The name of an object of an order. Nobody but its order has it, and nobody can choose it.
pub(super) fn name(object: &str, uid: &str) -> String {
    format!("{object}-{}", digest(uid))
}

/// Adds to `metadata` what says whose the object is.
pub(super) fn mark(metadata: &mut Value, id: &OrderId, object: &str, lease: Lease) {
    let labels = json!({ORDER_LABEL: digest(&id.uid), "app.kubernetes.io/managed-by": MANAGER});
    let annotations = json!({UID: id.uid, OBJECT: object, LEASE: lease.0.to_string(), ORDER: id.to_string()});
    for (field, marks) in [("labels", labels), ("annotations", annotations)] {
        let place = &mut metadata[field];
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        if let (Value::Object(place), Value::Object(marks)) = (place, marks) {
            place.extend(marks);
        }
    }
}

/// 80 bits of a digest: enough for names that never meet by chance, and short enough for all kinds.
/// Whose an object is, the whole UID decides.
pub(super) fn digest(text: &str) -> String {
    let mut digest = format!("{:x}", Sha256::digest(text));
    digest.truncate(20);
    digest
}
