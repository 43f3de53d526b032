//! What is to be done about a run that ended without a word.
//!
//! The engine writes its state at its end and every now and then. What it made in between is known only
//! from what it said, which a killed engine leaves behind.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    stored::Stored,
    stream::{Journal, Work},
};
use crate::provider::StepState;

/// One step that brings the state and what was made together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Repair {
    /// The state does not know this thing, which was made.
    Import { address: String, id: String },
    /// The state still has this thing, which was removed or replaced.
    Forget { address: String },
}

/// What to do after a run with this journal, and the addresses where something may have been made of which
/// nobody knows.
pub(super) fn decide(journal: &Journal, state: &Stored) -> (Vec<Repair>, BTreeSet<String>) {
    let mut fates = BTreeMap::<&str, Fate<'_>>::new();
    for work in &journal.0 {
        fates.entry(&work.address).or_default().learn(work);
    }
    let (mut repairs, mut doubts) = (Vec::new(), BTreeSet::new());
    for (address, fate) in fates {
        let known = state.ids(address);
        if fate.is_open {
            doubts.insert(address.to_owned());
        }
        let is_removed = |id: &&str| fate.removed.contains(*id);
        match fate.made.last() {
            Some(made) if !known.contains(made) => {
                if !known.is_empty() {
                    repairs.push(Repair::Forget { address: address.into() });
                }
                repairs.push(Repair::Import { address: address.into(), id: (*made).into() });
            }
            // A thing that was not said to be gone is looked for by the engine itself.
            None if !known.is_empty() && known.iter().all(is_removed) => {
                repairs.push(Repair::Forget { address: address.into() });
            }
            _ => {}
        }
    }
    (repairs, doubts)
}

/// What became of the thing at one address.
#[derive(Default)]
struct Fate<'a> {
    /// Made and not removed since, by id.
    made: Vec<&'a str>,
    removed: BTreeSet<&'a str>,
    /// The removal under way.
    removing: Option<&'a str>,
    /// A creation has begun and no end was told.
    is_open: bool,
}

impl<'a> Fate<'a> {
    fn learn(&mut self, work: &'a Work) {
        let id = work.id.as_deref();
        match (work.state, work.is_deletion) {
            (StepState::Started, true) => self.removing = id,
            (StepState::Done, true) => {
                let begun = self.removing.take();
                if let Some(id) = id.or(begun) {
                    self.made.retain(|made| *made != id);
                    self.removed.insert(id);
                }
            }
            // An update tells the id at its start: that thing is known.
            (StepState::Started, false) => self.is_open = id.is_none(),
            (StepState::Done, false) => {
                self.is_open = false;
                self.made.extend(id);
            }
            // The engine writes down what it made before it failed, as tainted.
            (StepState::Failed, false) => self.is_open = false,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
