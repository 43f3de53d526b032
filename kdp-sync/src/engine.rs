//! What is to be done about one order: decisions without I/O.
//!
//! [`decide`] looks at the facts it is given and answers with the next step: look at something
//! first, do these writes, or nothing. It keeps nothing between calls, so the driver may stop
//! after any single write and ask again, in this process or another, and arrives at the same end.

mod claims;
mod compare;
mod copy;
mod decide;
mod ending;
mod facts;
mod handback;
mod history;
mod import;
mod merge;
mod ownership;
mod plan;
mod policies;
mod primary;
mod related;
mod remember;
mod state;
mod status;
mod teardown;

pub(crate) use compare::{Standing, compare, state_key};
pub(crate) use copy::{identity, order_of};
pub(crate) use decide::decide;
pub(crate) use facts::{Evidence, Facts, ListQuery, ObjectKey, OrderKey, Place, Query, World};
pub(crate) use handback::Claimed;
pub(crate) use import::{Wanted, import, wanted};
pub(crate) use merge::apply as apply_merge_patch;
pub(crate) use plan::{FoundKind, Kinds, Plan, PlanOptions, RelatedType, UnknownKind, needed_kinds, needed_kinds_of};
pub(crate) use policies::Policies;
pub(crate) use primary::NAME_TAKEN;
pub(crate) use state::{STATE_PREFIX, order_of_state};

use serde_json::Value;

/// What to do next about an order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Next {
    /// Read this from the source, then ask again. If it cannot be read, only this part fails.
    Look(Part, Query),
    /// Write these, in this order, then ask again.
    Act(Batch),
    /// Nothing, until something changes; or until the time comes to try again what failed.
    Settled(Vec<Problem>),
}

/// Writes that belong together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Batch {
    pub(crate) part: Part,
    pub(crate) commands: Vec<Command>,
}

/// A part of the work on an order that can fail by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Part {
    /// The order and its copy.
    Primary,
    /// Making an object on the service cluster the copy of an order.
    Import,
    /// The order's status.
    Status,
    /// The status of the related resource at this place in the list.
    RelatedStatus(usize),
    /// A related resource that the published resource no longer lists; numbered by identifier.
    Former(usize),
    /// The related resource at this place in the list.
    Related(usize),
}

/// One write. Each may be repeated.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    /// Makes a namespace if there is none.
    EnsureNamespace {
        place: Place,
        name: String,
    },
    Create {
        key: ObjectKey,
        object: Value,
    },
    /// A merge patch.
    Patch {
        key: ObjectKey,
        patch: Value,
    },
    /// Replaces what was read, and only that.
    Replace {
        key: ObjectKey,
        object: Value,
    },
    /// Replaces the status of what was read, and only that.
    ReplaceStatus {
        key: ObjectKey,
        object: Value,
    },
    /// Deletes the object with this UID, in this version if one is given.
    Delete {
        key: ObjectKey,
        uid: Option<String>,
        version: Option<String>,
        propagation: Propagation,
    },
    /// Tells the tenant, through an Event on the order.
    Tell {
        reason: &'static str,
        note: String,
    },
}

/// What happens to the dependents of a deleted object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Propagation {
    #[default]
    Background,
    Foreground,
    Orphan,
}

/// Why a part of an order is not in the wanted state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) part: Part,
    /// For the provider; it may name what tenants must not hear of.
    pub(crate) message: String,
    /// For the tenant, when there is something that may be said.
    pub(crate) advice: Option<&'static str>,
}

/// Why a decision could not be made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stop {
    /// This must be read first.
    Look(Query),
    /// The inputs do not allow it.
    Failed(String),
    /// The inputs do not allow it, for a reason that the tenant may know.
    Refused(&'static str),
}

impl Stop {
    /// The next step of whoever works on `part`.
    fn of(self, part: Part) -> Next {
        let (message, advice) = match self {
            Self::Look(query) => return Next::Look(part, query),
            Self::Failed(message) => (message, None),
            Self::Refused(advice) => (advice.to_owned(), Some(advice)),
        };
        Next::Settled(vec![Problem { part, message, advice }])
    }
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

#[cfg(test)]
mod tests;
