//! What a decision is based on.

use std::{cell::RefCell, fmt, sync::Arc};

use kdp_core::LogicalClusterName;
use kube::core::Selector;
use serde_json::Value;

use super::{Stop, state::Entry};
use crate::object::{self, ResourceType};

/// An order: an object of a published kind in a tenant's workspace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct OrderKey {
    pub(crate) cluster: LogicalClusterName,
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

impl fmt::Display for OrderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let namespace = self.namespace.as_deref().unwrap_or_default();
        write!(f, "{}|{namespace}/{}", self.cluster, self.name)
    }
}

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    Service,
    Workspace(LogicalClusterName),
}

/// An object by everything that identifies it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectKey {
    pub(crate) place: Place,
    pub(crate) types: Arc<ResourceType>,
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

impl ObjectKey {
    /// What identifies an object of this kind that was read at a place.
    pub(crate) fn of(place: &Place, types: &Arc<ResourceType>, object: &Value) -> Self {
        Self {
            place: place.clone(),
            types: types.clone(),
            namespace: object::namespace(object).map(Into::into),
            name: object::name(object).to_owned(),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match &self.place {
            Place::Service => "service cluster",
            Place::Workspace(cluster) => cluster.as_str(),
        };
        let namespace = self.namespace.as_deref().unwrap_or_default();
        write!(f, "{} {namespace}/{} in {place}", self.types.kind, self.name)
    }
}

/// Objects of a kind by their labels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ListQuery {
    pub(crate) place: Place,
    pub(crate) types: Arc<ResourceType>,
    pub(crate) namespace: Option<String>,
    pub(crate) selector: Selector,
}

impl ListQuery {
    /// The objects of the copies' kind whose labels say that they are the copy of this order.
    pub(crate) fn of_copies(types: &Arc<ResourceType>, order: &OrderKey) -> Self {
        let labels = super::copy::identity(order).into_iter().map(|(key, value)| (key.to_owned(), value));
        Self { place: Place::Service, types: types.clone(), namespace: None, selector: labels.collect() }
    }
}

/// A question about the two sides; the answer is a list of objects, possibly empty.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Query {
    Object(ObjectKey),
    List(ListQuery),
    /// The objects on the service cluster whose labels say they are the copy of this order.
    Copies(OrderKey),
}

/// How well an answer must be founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// What was last heard is good enough: a stale answer leads to a write that is refused.
    Heard,
    /// It must have been read since this pass began: on a wrong "there is none", something would
    /// be forgotten forever.
    Seen,
}

/// Answers questions from what is known, without I/O.
pub(crate) trait World {
    /// The answer; none if it is not known, or not well enough.
    fn answer(&self, query: &Query, evidence: Evidence) -> Option<Vec<Arc<Value>>>;

    /// Who asks. No other process has the same, nor has this one after a restart.
    fn instance(&self) -> &str;

    /// Whether something was to be made for the order by whoever asks, and there was no answer.
    fn is_in_doubt(&self, order: &OrderKey) -> bool;

    /// Whether all that had been sent for a part of the order when this was first asked has arrived by
    /// now, or never will.
    fn is_quiet(&self, order: &OrderKey, part: &str) -> bool;
}

/// A world, and a record of what was asked: the answers a decision depends on.
pub(crate) struct Facts<'a> {
    world: &'a dyn World,
    asked: RefCell<Vec<Query>>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(world: &'a dyn World) -> Self {
        Self { world, asked: RefCell::default() }
    }

    /// Everything that was asked.
    pub(crate) fn into_asked(self) -> Vec<Query> {
        self.asked.into_inner()
    }

    pub(super) fn get(&self, key: &ObjectKey, evidence: Evidence) -> Result<Option<Arc<Value>>, Stop> {
        Ok(self.ask(Query::Object(key.clone()), evidence)?.into_iter().next())
    }

    pub(super) fn list(&self, query: ListQuery) -> Result<Vec<Arc<Value>>, Stop> {
        self.ask(Query::List(query), Evidence::Heard)
    }

    pub(super) fn copies(&self, order: &OrderKey, evidence: Evidence) -> Result<Vec<Arc<Value>>, Stop> {
        self.ask(Query::Copies(order.clone()), evidence)
    }

    pub(super) fn instance(&self) -> &str {
        self.world.instance()
    }

    pub(super) fn is_in_doubt(&self, order: &OrderKey) -> bool {
        self.world.is_in_doubt(order)
    }

    /// Whether what others have sent for the order, or for one of its related objects, has arrived.
    pub(super) fn is_quiet(&self, order: &OrderKey, entry: Option<&Entry>) -> bool {
        let part = entry.map(|entry| format!("{}|{}|{}", entry.identifier, entry.to.namespace, entry.to.name));
        self.world.is_quiet(order, part.as_deref().unwrap_or_default())
    }

    fn ask(&self, query: Query, evidence: Evidence) -> Result<Vec<Arc<Value>>, Stop> {
        let answer = self.world.answer(&query, evidence);
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&query) {
            asked.push(query.clone());
        }
        answer.ok_or(Stop::Look(query))
    }
}
