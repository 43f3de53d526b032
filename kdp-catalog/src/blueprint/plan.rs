//! What is to be done for one instance now.
//!
//! [`Graph::plan`] looks at an instance, at what is observed of its resources, and at the inventory of what
//! was ever made for it. Its answer depends on nothing else, so that one may ask again at any time:
//!
//! 1. Keep [`Plan::inventory`] with the instance, then apply [`Plan::apply`] and fetch [`Plan::read`].
//! 2. Observe, and plan again, until [`Plan::is_ready`].
//! 3. Remove [`Plan::remove`], one wave after the other; an object leaves the inventory once it is gone.
//!
//! When the instance is deleted, [`deletion_waves`] needs the inventory only.

mod deletion;
mod desired;
mod identity;
mod walk;

use std::{collections::HashMap, fmt};

use serde_json::Value;

pub use self::{deletion::deletion_waves, identity::InventoryEntry};
use super::{fault::Fault, graph::Graph};

/// What a plan is made from.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    instance: &'a Value,
    observed: &'a Observed,
    inventory: &'a [InventoryEntry],
    is_healthy: &'a dyn Fn(&Value) -> bool,
}

impl<'a> Situation<'a> {
    /// An instance, as the API server has it with all defaults, and what is observed of its resources.
    #[must_use]
    pub fn new(instance: &'a Value, observed: &'a Observed) -> Self {
        Self { instance, observed, inventory: &[], is_healthy: &|_| true }
    }

    /// What was made for the instance before.
    #[must_use]
    pub fn with_inventory(mut self, inventory: &'a [InventoryEntry]) -> Self {
        self.inventory = inventory;
        self
    }

    /// Judges objects whose resource has no `readyWhen`.
    ///
    /// What depends on them only waits until they exist, as with kro: a volume claim may be healthy only after
    /// the pod that needs it. But the instance is not ready before they are healthy. Without a judge all are.
    #[must_use]
    pub fn with_health(mut self, is_healthy: &'a dyn Fn(&Value) -> bool) -> Self {
        self.is_healthy = is_healthy;
        self
    }
}

impl fmt::Debug for Situation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Situation")
            .field("instance", &self.instance)
            .field("observed", &self.observed)
            .field("inventory", &self.inventory)
            .finish_non_exhaustive()
    }
}

/// The objects that were seen, by the id of their resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed(HashMap<String, Vec<Value>>);

impl Observed {
    /// Nothing was seen.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more object of a resource was seen.
    #[must_use]
    pub fn with(mut self, id: impl Into<String>, object: Value) -> Self {
        self.0.entry(id.into()).or_default().push(object);
        self
    }

    /// These are all objects a selector found, also if there is none.
    #[must_use]
    pub fn with_all(mut self, id: impl Into<String>, objects: impl IntoIterator<Item = Value>) -> Self {
        self.0.entry(id.into()).or_default().extend(objects);
        self
    }

    fn of(&self, id: &str) -> Option<&[Value]> {
        self.0.get(id).map(Vec::as_slice)
    }
}

/// What is to be done for an instance now, and what is known of it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// Objects that are to be as they are here, in the order in which to apply them.
    pub apply: Vec<Desired>,
    /// Somebody else's objects that are to be observed.
    pub read: Vec<ExternalRead>,
    /// Resources that are not ready, and why, in order.
    pub waiting: Vec<Waiting>,
    /// Resources that are left out by `includeWhen`, their own or that of what they depend on, in order.
    pub skipped: Vec<String>,
    /// Resources that are ready, in order.
    pub ready: Vec<String>,
    /// What is to be removed, because the definition or the instance no longer asks for it. What replaces it is
    /// there. A wave may only begin when those before it are gone.
    pub remove: Vec<Vec<InventoryEntry>>,
    /// What is to be remembered before anything is applied: all that is or may be there.
    pub inventory: Vec<InventoryEntry>,
    /// The fields of `schema.status` that can be told.
    pub status: Value,
    /// Whether all resources are ready or left out.
    pub is_ready: bool,
}

/// An object as it is to be.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Desired {
    /// Its resource.
    pub id: String,
    /// Its place in a collection.
    pub position: usize,
    /// The object, with all values written in. It has a namespace only if the template says one.
    pub object: Value,
}

/// Somebody else's objects that a resource refers to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExternalRead {
    /// The resource.
    pub id: String,
    /// API version of the objects.
    pub api_version: String,
    /// Their kind.
    pub kind: String,
    /// Their namespace. Without one, an object with a name is in the instance's, and selectors look in all.
    pub namespace: Option<String>,
    /// Which they are.
    pub which: Which,
}

/// Which objects are meant.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Which {
    /// The one with this name.
    Named(String),
    /// All with the labels of this selector.
    Selected(Value),
}

/// A resource that is not ready.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Waiting {
    /// The resource.
    pub id: String,
    /// What it waits for.
    pub reason: WaitReason,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id, self.reason)
    }
}

/// What a resource waits for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitReason {
    /// Resources that it depends on are not ready.
    #[error("waits for {}", .0.join(", "))]
    Dependencies(Vec<String>),
    /// A value cannot be told, usually because something has not written its status yet.
    #[error("cannot be told yet: {0}")]
    Unresolved(Fault),
    /// It, or one of its objects, has not been seen.
    #[error("{0} is not there")]
    Absent(String),
    /// It, or one of its objects, is being deleted, and will be made again once it is gone.
    #[error("{0} is being deleted")]
    Terminating(String),
    /// A condition of `readyWhen` does not hold.
    #[error("does not hold for {object}: {condition}")]
    NotReady {
        /// The object.
        object: String,
        /// The condition, or what is asked of all objects that have conditions.
        condition: String,
    },
    /// It is there but not healthy.
    #[error("{0} is not healthy")]
    Unhealthy(String),
}

impl Graph {
    /// What is to be done for an instance now.
    #[must_use]
    pub fn plan(&self, situation: &Situation<'_>) -> Plan {
        walk::plan(self, situation)
    }
}

#[cfg(test)]
mod tests;
