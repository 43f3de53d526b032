//! Nothing is made for an order that has ended, whoever does not know yet that it has.
//!
//! An agent that is about to make something notes that first, then looks whether the order is still
//! there, and then makes it. Whoever ends the order knows of every such note, because it can end
//! only on top of all of them; and where there was somebody else's, it is remembered for a while
//! what may still arrive.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Batch, Command, Evidence, Facts, Next, OrderKey, Part, Propagation, Stop,
    decide::act,
    ownership::{self, is_own_related},
    plan::Plan,
    primary::key_of_copy,
    state::{Edit, State},
    teardown::{self, Removal},
};
use crate::object;

/// Whether something may be made for an order.
pub(super) enum Leave {
    Granted,
    /// This has to be noted first.
    After(Command),
    /// The order is about to end, or has ended.
    Denied,
}

/// Whether something may be made for the order, of which this is to be noted.
pub(super) fn leave(
    plan: &Plan,
    key: &OrderKey,
    order: &Value,
    note: &[Edit],
    state: &State,
    facts: &Facts<'_>,
) -> Result<Leave, Stop> {
    if !note.is_empty() || !state.is_noted() {
        return state.save(note).map(Leave::After);
    }
    let Some(now) = facts.get(&plan.order_object(key), Evidence::Seen)? else { return Ok(Leave::Denied) };
    let is_alive = object::uid(&now) == object::uid(order) && !object::is_deleting(&now);
    let is_held = object::has_finalizer(&now, &plan.finalizer);
    Ok(if is_alive && is_held { Leave::Granted } else { Leave::Denied })
}

/// Forgets an order that is not there, once nothing is left of it.
///
/// Of one that has vanished without this agent, nothing that was made is removed: who knows why it
/// is not there. Of one that has ended, everything is.
pub(super) fn forget(plan: &Plan, key: &OrderKey, facts: &Facts<'_>, failed: &BTreeSet<Part>) -> Result<Next, Stop> {
    let nothing = Ok(Next::Settled(Vec::new()));
    let state = State::load(plan, key, None, facts)?;
    if !state.exists() || plan.policies.is_paused || facts.get(&plan.order_object(key), Evidence::Seen)?.is_some() {
        return nothing;
    }
    // Asked at once, so that it is waited for from now on.
    let is_quiet = !state.is_ended() || facts.is_quiet(key, None);
    let mut is_left = false;
    for entry in state.inventory() {
        let part = teardown::part_of(plan, &state, &entry.identifier);
        if failed.contains(&part) {
            is_left = true;
            continue;
        }
        let removal = if state.is_ended() {
            teardown::remove(plan, entry, key, &state, facts)
        } else {
            let copy = facts.get(&entry.copy(key), Evidence::Seen)?;
            if copy.is_some_and(|copy| is_own_related(plan, &copy, key, entry, &state)) {
                is_left = true;
                continue;
            }
            teardown::let_go(plan, entry, key, &state, facts)
        };
        match removal {
            Ok(Removal::Act(commands)) => return Ok(Next::Act(Batch { part, commands })),
            Ok(Removal::Wait) => is_left = true,
            Ok(Removal::Done) => {}
            Err(stop) => return Ok(stop.of(part)),
        }
    }
    for copy in ownership::copies(plan, key, &state, facts, Evidence::Seen)? {
        if state.is_ended() && !object::is_deleting(&copy) {
            return Ok(act(vec![teardown::delete(key_of_copy(plan, &copy), &copy, Propagation::Background)]));
        }
        is_left = true;
    }
    if is_left || !is_quiet {
        return nothing;
    }
    state.delete().map_or(nothing, |command| Ok(act(vec![command])))
}
