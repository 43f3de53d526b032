//! What to remove, and what must be gone before.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::identity::InventoryEntry;
use crate::blueprint::graph::Graph;

/// The objects of an inventory in the order of their deletion: each wave is to be gone before the next begins.
///
/// Nothing is evaluated. Entries know when they were made; for those that do not, a graph tells, if there is
/// one that knows their resource. The rest comes last.
#[must_use]
pub fn deletion_waves(inventory: &[InventoryEntry], graph: Option<&Graph>) -> Vec<Vec<InventoryEntry>> {
    // Waves in descending order, and none after all others.
    let mut waves: BTreeMap<Reverse<Option<u32>>, BTreeSet<&InventoryEntry>> = BTreeMap::new();
    for entry in inventory {
        let wave = entry.wave.or_else(|| graph?.wave(&entry.id));
        waves.entry(Reverse(wave)).or_default().insert(entry);
    }
    waves.into_values().map(|wave| wave.into_iter().cloned().collect()).collect()
}
