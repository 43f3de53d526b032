//! Related resources that a published resource has listed before, and no longer does.

use std::collections::BTreeSet;

use super::retire;
use crate::engine::{Batch, Facts, Part, Stop, decide::Order, plan::Plan, state::State, teardown};

/// The next step for each of them: what was copied for it is taken away, so that another entry may
/// deliver to the same place.
pub(in crate::engine) fn retire_all<'a>(
    order: &'a Order<'_>,
    state: &'a State,
    facts: &'a Facts<'_>,
    failed: &'a BTreeSet<Part>,
) -> impl Iterator<Item = (Part, Result<Option<Batch>, Stop>)> + 'a {
    let identifiers = identifiers(order.plan, state).into_iter().enumerate();
    identifiers
        .map(|(at, identifier)| (Part::Former(at), identifier))
        .filter(|(part, _)| !failed.contains(part))
        .map(move |(part, identifier)| (part, retire_one(&identifier, part, order, state, facts)))
}

fn retire_one(
    identifier: &str,
    part: Part,
    order: &Order<'_>,
    state: &State,
    facts: &Facts<'_>,
) -> Result<Option<Batch>, Stop> {
    for entry in state.inventory().iter().filter(|entry| entry.identifier == identifier && entry.cleanup) {
        let removal = teardown::remove(order.plan, entry, order.key, state, facts)?;
        if let Some(commands) = retire::after(removal, entry, order, state, facts)? {
            return Ok(Some(Batch { part, commands }));
        }
    }
    Ok(None)
}

/// The part of the work that a former entry is.
pub(in crate::engine) fn part(plan: &Plan, state: &State, identifier: &str) -> Part {
    // Whoever asks has the entry from the state.
    let at = identifiers(plan, state).iter().position(|former| former == identifier);
    Part::Former(at.unwrap_or_default())
}

/// The identifiers of all former entries that something is known of, sorted.
fn identifiers(plan: &Plan, state: &State) -> BTreeSet<String> {
    let is_former = |identifier: &String| !plan.related.iter().any(|related| related.identifier == *identifier);
    state.inventory().iter().map(|entry| entry.identifier.clone()).filter(is_former).collect()
}
