//! What an agent would do, and what does not agree, without a write to anything.
//!
//! The engine decides without I/O, so its decisions can be carried out in memory: a snapshot of
//! both sides takes the place of the API servers, and at the end it is compared with what it was.

mod diff;
mod drift;
mod rehearsal;
mod snapshot;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;

use serde::Serialize;
use serde_json::Value;

pub use self::drift::{Drift, Drifted};
pub(crate) use self::rehearsal::{Source, rehearse};
pub(crate) use self::{
    diff::changes,
    drift::{is_state, survey},
    snapshot::Snapshot,
};
use crate::{
    api::Side,
    engine::{ObjectKey, OrderKey, Place},
};

/// What an agent would write, and what keeps it from more.
///
/// What API servers do by themselves is not foreseen: defaults, admission, and what operators do
/// with new objects. Nor are Events, and conditions of PublishedResources.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Preview {
    /// The writes, one for each object.
    pub changes: Vec<Change>,
    /// What stands in the way.
    pub problems: Vec<Problem>,
}

/// What would be done to one object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Change {
    /// Because of what.
    pub cause: Cause,
    /// What would be done.
    pub action: Action,
    /// To which object.
    pub object: ObjectName,
    /// The fields that would be different; those of a Secret are not told, only their sizes. None
    /// when the object is deleted.
    pub fields: Vec<FieldChange>,
}

/// A reason to write.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Cause {
    /// Name of the PublishedResource; none when it is all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_resource: Option<String>,
    /// The order, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderName>,
}

/// An order by its workspace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct OrderName {
    /// Logical cluster of the workspace.
    pub workspace: String,
    /// Its namespace, if it is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// An object on one of the sides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ObjectName {
    /// Where it is.
    pub side: Side,
    /// Logical cluster, or path, of its workspace; none on the service cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// API group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Its namespace, if it is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// What would be done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Action {
    /// It would be made.
    Create,
    /// It would be changed.
    Update,
    /// It would be deleted.
    Delete,
}

/// A field before and after.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FieldChange {
    /// Path of the field, such as `spec.ports[0]` or `metadata.labels["example.com/tier"]`.
    pub path: String,
    /// What it is; none when there is no such field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it would be; none when it would be removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// Something that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Problem {
    /// Of what.
    pub cause: Cause,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
}

impl Preview {
    /// Whether nothing would be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl Cause {
    pub(crate) fn of_resource(name: &str) -> Self {
        Self { published_resource: Some(name.to_owned()), order: None }
    }

    pub(crate) fn of_order(resource: &str, order: &OrderKey) -> Self {
        Self { published_resource: Some(resource.to_owned()), order: Some(order.into()) }
    }

    pub(crate) fn of_all() -> Self {
        Self { published_resource: None, order: None }
    }
}

impl From<&OrderKey> for OrderName {
    fn from(order: &OrderKey) -> Self {
        let OrderKey { cluster, namespace, name } = order;
        Self { workspace: cluster.to_string(), namespace: namespace.clone(), name: name.clone() }
    }
}

impl From<&ObjectKey> for ObjectName {
    fn from(key: &ObjectKey) -> Self {
        let (side, workspace) = match &key.place {
            Place::Service => (Side::Service, None),
            Place::Workspace(cluster) => (Side::Kcp, Some(cluster.to_string())),
        };
        Self {
            side,
            workspace,
            api_version: key.types.api_version(),
            kind: key.types.kind.clone(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        }
    }
}

impl fmt::Display for Preview {
    /// Every change with its fields, `+` for what would be and `-` for what is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::preview(f, self)
    }
}
