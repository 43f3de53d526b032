//! Finalizers by which orders hold the tenant's objects that they have copied.
//!
//! Several orders, and several agents, may need the same object. Each has a finalizer of its own
//! there, so that the end of one lets go of nothing that another one needs, and nobody puts back
//! what somebody else has taken away.

use serde_json::Value;

use super::{
    Command, ObjectKey, OrderKey,
    ownership::{owner_mark, set_finalizers},
    plan::Plan,
    state::State,
};
use crate::{hash, object, wire};

/// The finalizer of one entry of one order.
pub(super) fn finalizer(plan: &Plan, order: &OrderKey, identifier: &str) -> String {
    format!("{}{}", wire::CLAIM_PREFIX, hash::sha1(owner_mark(plan, order, identifier)))
}

/// Holds the original; none if it is held.
///
/// The existing agent's finalizer is good enough where that agent has copied the object for this
/// order.
pub(super) fn take(claim: &str, from: &ObjectKey, original: &Value, state: &State) -> Option<Command> {
    if object::has_finalizer(original, claim) || is_held_as_before(from, original, state) {
        return None;
    }
    let mut finalizers = object::finalizers(original);
    finalizers.push(claim);
    Some(set_finalizers(from.clone(), original, &finalizers))
}

/// Lets go of the original; none if it is not held.
pub(super) fn release(claim: &str, from: &ObjectKey, original: &Value, state: &State) -> Option<Command> {
    let was_held_before = is_held_as_before(from, original, state);
    let before = object::finalizers(original);
    let mut finalizers = before.clone();
    finalizers.retain(|held| *held != claim && !(was_held_before && *held == wire::FINALIZER));
    (finalizers.len() < before.len()).then(|| set_finalizers(from.clone(), original, &finalizers))
}

fn is_held_as_before(from: &ObjectKey, original: &Value, state: &State) -> bool {
    object::has_finalizer(original, wire::FINALIZER) && state.has_legacy_related(from)
}
