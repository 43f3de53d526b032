//! What is remembered of an object, so that its removal can be told from its disappearance.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{desired::Place, target::Shape};
use crate::{
    Error, ErrorKind,
    provider::{OrderId, Teardown},
};

/// An object that Crossplane made for another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Composed {
    pub(super) api_version: String,
    pub(super) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

impl Composed {
    /// Such as `Bucket app-x7k2p`.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }
}

/// What is remembered of the object of an order besides its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// UID of the namespace that is the provider's home: tells the cluster from every other one, and
    /// from itself after it was set up anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cluster: Option<String>,
    /// UID of the object; none before it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) uid: Option<String>,
    /// All it was ever composed of that may still exist.
    #[serde(default)]
    pub(super) composed: BTreeSet<Composed>,
}

impl Memory {
    /// What was sealed; nothing when nothing was.
    ///
    /// `Invalid` when the record is none of this provider's.
    pub(super) fn sealed(sealed: Option<&Teardown>) -> Result<Self, Error> {
        let Some(sealed) = sealed.filter(|sealed| !sealed.data.is_null()) else { return Ok(Self::default()) };
        Self::deserialize(&sealed.data).map_err(|error| {
            let message = "data: the teardown record is none of this provider's";
            Error::new(ErrorKind::Invalid, "read", &sealed.id, message).with_source(error)
        })
    }

    /// The record to seal for an object at this place.
    pub(super) fn seal(&self, kind: String, place: &Place, id: &OrderId) -> Teardown {
        let data = serde_json::to_value(self).expect("names can be written as JSON");
        Teardown::new(id).with_item(kind, place.id()).with_data(data)
    }
}

/// The one place that a record names.
///
/// `Invalid` when it names something that this provider, with this target, has not made.
pub(super) fn sealed_place(sealed: &Teardown, kind: &str) -> Result<Option<Place>, Error> {
    let foreign = sealed.inventory.iter().find(|item| item.kind != kind);
    if let Some(item) = foreign {
        let message =
            format!("inventory: {} {} is not of the kind {kind} that this provider makes", item.kind, item.id);
        return Err(Error::new(ErrorKind::Invalid, "read", &sealed.id, message));
    }
    Ok(sealed.inventory.last().map(|item| Place::parse(&item.id)))
}

/// What the object of an order is composed of, by its own account.
pub(super) fn composed_by(object: &Value, shape: Shape) -> BTreeSet<Composed> {
    let fields = shape.machine_fields(object);
    let namespace = object["metadata"]["namespace"].as_str();
    let mut found: BTreeSet<_> = list(&fields["resourceRefs"], namespace).collect();
    if shape == Shape::Claim {
        // The composite resource of a claim is in no namespace.
        found.extend(reference(&fields["resourceRef"], None));
    }
    found
}

/// What a composed object is composed of itself, which generation of Crossplane it may be of.
pub(super) fn nested(object: &Value) -> BTreeSet<Composed> {
    let is_legacy = !object["spec"]["crossplane"].is_object();
    composed_by(object, if is_legacy { Shape::LegacyCluster } else { Shape::Cluster })
}

fn list<'a>(references: &'a Value, namespace: Option<&'a str>) -> impl Iterator<Item = Composed> + 'a {
    references.as_array().into_iter().flatten().filter_map(move |one| reference(one, namespace))
}

/// A reference without a namespace is to something in the namespace of its owner, or to something
/// that lives in none.
fn reference(reference: &Value, namespace: Option<&str>) -> Option<Composed> {
    let text = |name: &str| reference[name].as_str().filter(|text| !text.is_empty());
    Some(Composed {
        api_version: text("apiVersion")?.into(),
        kind: text("kind")?.into(),
        namespace: text("namespace").or(namespace).map(Into::into),
        name: text("name")?.into(),
    })
}

#[cfg(test)]
mod tests;
