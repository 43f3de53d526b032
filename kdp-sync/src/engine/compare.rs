//! How an order and its copy agree, apart from what is to be done about it.

use serde_json::Value;

use super::{
    Evidence, Facts, ObjectKey, OrderKey, Stop, copy,
    decide::{is_wanted, workspace_path},
    plan::Plan,
    primary::{Found, Subject},
    state::{self, State},
};
use crate::object;

/// How things are with an order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Standing {
    /// It is to have no copy, or not to be looked at: it is filtered out, new, or being deleted.
    Unconcerned,
    /// It has been accepted, and has no copy.
    Missing,
    /// It has a copy. Both are without what does not travel.
    Placed {
        copy: ObjectKey,
        /// What the order says.
        wanted: Value,
        /// What the copy is.
        found: Value,
    },
}

/// Compares an order with its copy.
pub(crate) fn compare(plan: &Plan, key: &OrderKey, facts: &Facts<'_>) -> Result<Standing, Stop> {
    let Some(order) = facts.get(&plan.order_object(key), Evidence::Heard)? else { return Ok(Standing::Unconcerned) };
    let is_accepted = object::has_finalizer(&order, &plan.finalizer);
    if !is_accepted || object::is_deleting(&order) || !is_wanted(plan, key, &order, facts)? {
        return Ok(Standing::Unconcerned);
    }
    let path = workspace_path(plan, key, facts)?;
    let state = State::load(plan, key, object::uid(&order), facts)?;
    let subject = Subject { plan, key, path: &path, order: &order, state: &state };
    let Found::Copy(copy_key, copy) = subject.find(facts)? else { return Ok(Standing::Missing) };
    let wanted = subject.mutated(&copy)?;
    Ok(Standing::Placed { copy: copy_key, wanted: copy::content(&wanted), found: copy::content(&copy) })
}

/// The Secret that holds what was last synced of an order.
pub(crate) fn state_key(plan: &Plan, order: &OrderKey) -> ObjectKey {
    state::secret_key(&plan.state_namespace, &plan.remote, order)
}
