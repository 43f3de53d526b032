//! Copies that were made for another order of the same workspace, which no longer needs them.
//!
//! Orders may refer to the same object. The first one's copy serves them all, and follows its
//! original only as long as that order refers to it.

use serde_json::Value;

use crate::{
    engine::{
        Evidence, Facts, Stop,
        decide::{Order, is_wanted},
        ownership,
        state::{Entry, State},
    },
    object,
};

/// Whether the copy was made for another order, which is there to stay and has no use for it.
pub(super) fn is_abandoned(copy: &Value, entry: &Entry, order: &Order<'_>, facts: &Facts<'_>) -> Result<bool, Stop> {
    let Order { plan, key, path, .. } = *order;
    let Some((other, identifier)) = ownership::marked_for(plan, &key.cluster, copy) else { return Ok(false) };
    let Some(related) = plan.related.iter().find(|related| related.identifier == identifier) else {
        return Ok(false);
    };
    // Of one that is about to end, the copy is about to be removed.
    let alive = facts.get(&plan.order_object(&other), Evidence::Heard)?.filter(|order| !object::is_deleting(order));
    let Some(alive) = alive else { return Ok(false) };
    if !is_wanted(plan, &other, &alive, facts)? {
        // It may be another agent's, and needed.
        return Ok(false);
    }
    let state = State::load(plan, &other, object::uid(&alive), facts)?;
    let copies = ownership::copies(plan, &other, &state, facts, Evidence::Heard)?;
    let Some(copy) = copies.first() else { return Ok(false) };
    let other = Order { plan, key: &other, path, order: &alive, copy };
    match related.resolve(&other, facts) {
        Ok(pairs) => Ok(!pairs.iter().any(|(_, to)| *to == entry.to)),
        Err(look @ Stop::Look(_)) => Err(look),
        Err(_) => Ok(false),
    }
}
