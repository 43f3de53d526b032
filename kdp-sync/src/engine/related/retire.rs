//! Copies of related objects that are no longer the order's are taken away.

use serde_json::Value;

use super::{Locator, Pair, Related};
use crate::{
    api::Side,
    engine::{
        Command, Evidence, Facts, Stop,
        decide::Order,
        state::{Edit, Entry, State},
        teardown::{self, Removal},
    },
    object,
};

impl Related {
    /// The next step of removing copies whose original is gone, about to go, or no longer found
    /// from the order.
    pub(super) fn retire(
        &self,
        pairs: &[Pair],
        order: &Order<'_>,
        state: &State,
        facts: &Facts<'_>,
    ) -> Result<Option<Vec<Command>>, Stop> {
        if !self.cleanup {
            return Ok(None);
        }
        for entry in state.inventory().iter().filter(|entry| entry.identifier == self.identifier) {
            let original = facts.get(&entry.original(order.key), Evidence::Heard)?;
            if !is_going(self.origin, original.as_deref()) && !self.is_dropped(entry, pairs) {
                continue;
            }
            let is_copied_elsewhere = pairs.iter().any(|(from, _)| *from == entry.from);
            let removal = if is_copied_elsewhere {
                teardown::remove_copy(order.plan, entry, order.key, state, facts)?
            } else {
                teardown::remove(order.plan, entry, order.key, state, facts)?
            };
            if let Some(commands) = after(removal, entry, order, state, facts)? {
                return Ok(Some(commands));
            }
        }
        Ok(None)
    }

    /// Whether the order says that the copy is no longer wanted.
    ///
    /// That nothing at all is found says so only of labels: a field that is empty for a moment
    /// must not cost the tenant credentials.
    fn is_dropped(&self, entry: &Entry, pairs: &[Pair]) -> bool {
        let is_conclusive = !pairs.is_empty() || matches!(self.names, Locator::Selector { .. });
        is_conclusive && !pairs.iter().any(|(from, to)| (from, to) == (&entry.from, &entry.to))
    }
}

/// Whether an original is gone, or waits for its copies to go.
fn is_going(origin: Side, original: Option<&Value>) -> bool {
    original.is_none_or(|original| origin == Side::Kcp && object::is_deleting(original))
}

/// What is to be written after a step of a removal.
pub(super) fn after(
    removal: Removal,
    entry: &Entry,
    order: &Order<'_>,
    state: &State,
    facts: &Facts<'_>,
) -> Result<Option<Vec<Command>>, Stop> {
    match removal {
        Removal::Act(commands) => Ok(Some(commands)),
        Removal::Wait => Ok(None),
        // It stays known until nothing can arrive any more that somebody else has sent for it.
        Removal::Done
            if (!state.is_own() || facts.is_in_doubt(order.key)) && !facts.is_quiet(order.key, Some(entry)) =>
        {
            Ok(None)
        }
        Removal::Done => {
            let rest: Vec<_> = state.inventory().iter().filter(|other| *other != entry).cloned().collect();
            let mut edits = vec![Edit::inventory(&rest)];
            edits.extend(state.forget_related(&entry.original(order.key), entry));
            Ok(Some(vec![state.save(&edits)?]))
        }
    }
}
