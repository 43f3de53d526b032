//! The object that an order becomes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    options::{CrossplaneOptions, GarbageCollection, Pin},
    target::{MACHINE_FIELDS, Shape},
};
use crate::{
    Error, ErrorKind,
    provider::{Lease, Order, OrderId},
};

/// Label with the UID of the order that an object belongs to.
pub(super) const ORDER_LABEL: &str = "orders.kdp.k8c.io/uid";
/// Annotation with the order that an object belongs to, for people.
const ORDER: &str = "orders.kdp.k8c.io/order";
/// Annotation with the lease it was last written under.
pub(super) const LEASE: &str = "orders.kdp.k8c.io/lease";
/// Keeps an object until this provider has removed what it is composed of.
pub(super) const FINALIZER: &str = "orders.kdp.k8c.io/composed";
/// With the prefix, and what Crossplane appends to names, a name still fits into a label.
const LONGEST_UID: usize = 46;

/// Where the object of an order is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// None for objects that live in no namespace.
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

impl Place {
    /// As it stands in an inventory.
    pub(super) fn id(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }

    /// Reads what [`id`](Self::id) wrote.
    pub(super) fn parse(id: &str) -> Self {
        match id.split_once('/') {
            Some((namespace, name)) => Self { namespace: Some(namespace.into()), name: name.into() },
            None => Self { namespace: None, name: id.into() },
        }
    }
}

/// Refuses a UID that makes no name: the name of the object follows from it, and so does the label
/// by which it is found again.
pub(super) fn check_uid(id: &OrderId) -> Result<(), Error> {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_edge = |byte: Option<&u8>| byte.is_some_and(|byte| *byte != b'-');
    let uid = id.uid.as_bytes();
    if uid.len() <= LONGEST_UID && uid.iter().all(|byte| is_inner(*byte)) && is_edge(uid.first()) && is_edge(uid.last())
    {
        return Ok(());
    }
    let message = format!("uid: must be up to {LONGEST_UID} lower case letters, digits and dashes");
    Err(Error::new(ErrorKind::Invalid, "name", id, message))
}

/// Where the object of an order is, unless it was taken over.
pub(super) fn place(options: &CrossplaneOptions, id: &OrderId) -> Result<Place, Error> {
    check_uid(id)?;
    let namespace = options.namespaces.of(id)?;
    let namespace = options.target.shape.is_namespaced().then_some(namespace);
    Ok(Place { namespace, name: format!("kdp-{}", id.uid) })
}

/// The parameters of an order.
///
/// `Invalid` when they are no object, or set a field that is Crossplane's: with those a tenant could
/// choose the Composition, take over objects of others, or have Secrets written where it likes.
pub(super) fn parameters(order: &Order) -> Result<Map<String, Value>, Error> {
    let invalid = |message: String| Error::new(ErrorKind::Invalid, "plan", &order.id, message);
    let spec = match &order.spec {
        Value::Object(spec) => spec,
        Value::Null => return Ok(Map::new()),
        _ => return Err(invalid("spec: must be an object".into())),
    };
    match MACHINE_FIELDS.into_iter().find(|field| spec.contains_key(*field)) {
        Some(field) => Err(invalid(format!("spec.{field}: is for the platform to set, remove it"))),
        None => Ok(spec.clone()),
    }
}

/// The fields of Crossplane's that the platform sets.
pub(super) fn machine_fields(options: &CrossplaneOptions, place: &Place, id: &OrderId) -> Result<Value, Error> {
    let shape = options.target.shape;
    let mut fields = Map::new();
    if let Some(composition) = &options.composition {
        fields.insert("compositionRef".into(), json!({"name": composition}));
    }
    match &options.pin {
        Some(Pin::Revision(revision)) => {
            fields.insert("compositionUpdatePolicy".into(), json!("Manual"));
            fields.insert("compositionRevisionRef".into(), json!({"name": revision}));
        }
        Some(Pin::Labels(labels)) => {
            // A manual policy would stay on the revision that was the newest at first.
            fields.insert("compositionUpdatePolicy".into(), json!("Automatic"));
            fields.insert("compositionRevisionSelector".into(), json!({"matchLabels": labels}));
        }
        None => {}
    }
    if shape == Shape::Claim {
        // Otherwise the claim is gone while its composite resource is still there.
        fields.insert("compositeDeletePolicy".into(), json!("Foreground"));
    }
    if shape.is_legacy() && options.connection.as_ref().is_some_and(|connection| connection.is_native()) {
        let name = format!("{}-connection", place.name);
        let reference = match shape {
            Shape::Claim => json!({"name": name}),
            _ => json!({"name": name, "namespace": options.namespaces.of(id)?}),
        };
        fields.insert("writeConnectionSecretToRef".into(), reference);
    }
    Ok(Value::Object(fields))
}

/// The whole object, as this provider applies it.
pub(super) fn object(options: &CrossplaneOptions, order: &Order, place: &Place, lease: Lease) -> Result<Value, Error> {
    let resource = &options.target.resource;
    let mut object = ownership(options, &order.id, place, lease);
    let machine = machine_fields(options, place, &order.id)?;
    let mut spec = parameters(order)?;
    match machine {
        Value::Object(fields) if options.target.shape.is_legacy() => spec.extend(fields),
        Value::Object(fields) if fields.is_empty() => {}
        fields => {
            spec.insert("crossplane".into(), fields);
        }
    }
    object["apiVersion"] = json!(resource.api_version);
    object["kind"] = json!(resource.kind);
    object["spec"] = Value::Object(spec);
    if options.collection == GarbageCollection::ByProvider {
        object["metadata"]["finalizers"] = json!([FINALIZER]);
    }
    Ok(object)
}

/// Leaves to others how a claim that they made is deleted. It is told all the same when its composite
/// resource is gone, because that is remembered.
pub(super) fn concede(desired: &mut Value, there: &Value) {
    let policy = &there["spec"]["compositeDeletePolicy"];
    if let Some(spec) = desired["spec"].as_object_mut().filter(|_| policy.is_string())
        && spec.get("compositeDeletePolicy").is_some_and(|wanted| wanted != policy)
    {
        spec.remove("compositeDeletePolicy");
    }
}

/// What says whose an object is: all that an import writes.
pub(super) fn ownership(options: &CrossplaneOptions, id: &OrderId, place: &Place, lease: Lease) -> Value {
    let resource = &options.target.resource;
    let mut metadata = json!({
        "name": place.name,
        "labels": {ORDER_LABEL: id.uid},
        "annotations": BTreeMap::from([(ORDER, id.to_string()), (LEASE, lease.0.to_string())]),
    });
    if let Some(namespace) = &place.namespace {
        metadata["namespace"] = json!(namespace);
    }
    json!({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata})
}

/// Whose an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Ours,
    /// Another order's, or another object under a name that was ours.
    Foreign,
    /// It bears the name, and nothing else says whose it is.
    Unclear,
}

/// Whether an object is that of an order; `known` is the UID that the order's object had when it was last seen.
pub(super) fn whose(object: &Value, id: &OrderId, known: Option<&str>) -> Whose {
    let metadata = &object["metadata"];
    match (metadata["labels"][ORDER_LABEL].as_str(), known) {
        (Some(uid), _) if uid == id.uid => Whose::Ours,
        (Some(_), _) => Whose::Foreign,
        (None, Some(known)) if metadata["uid"] == known => Whose::Ours,
        (None, Some(_)) => Whose::Foreign,
        (None, None) => Whose::Unclear,
    }
}

/// The lease an object was last written under; 0 when it does not say.
pub(super) fn lease_of(object: &Value) -> Lease {
    let annotation = object["metadata"]["annotations"][LEASE].as_str();
    Lease(annotation.and_then(|lease| lease.parse().ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests;
