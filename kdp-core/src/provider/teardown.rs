//! All that removing the real thing needs.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::OrderId;

/// All that removing the real thing needs, so that it works when the order, its inputs or the
/// sources it was made from are gone.
///
/// A provider writes one for each plan and each observation with the things it knows of, all in
/// epoch 0. What is *sealed* is the union of these over the order's life: whoever drives the
/// provider counts an epoch for each change of what is wanted, and marks with it what is wanted
/// then. What carries an older one is no longer wanted, and is removed by an apply *after* it has
/// made what is wanted now. So going back and forth between two wishes never removes anything
/// that is wanted, and a process that ends in between leaves nothing behind.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Teardown {
    /// The order it was made for.
    pub id: OrderId,
    /// Counts the changes of what is wanted; 0 in a record that was not sealed.
    #[serde(default)]
    pub epoch: u64,
    /// What exists or may exist, in the order it is to be removed.
    pub inventory: Vec<InventoryItem>,
    /// What else the provider needs to remove it: rendered inputs, a pointer to the engine's state,
    /// references to credentials. Opaque to everybody else and not shown in debug output. The whole
    /// record should stay below a few hundred KiB, and a reference to a secret is better than a secret.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

/// One real thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InventoryItem {
    /// What it is, such as `file` or `postgres-instance`.
    pub kind: String,
    /// Where it is, in the provider's own terms.
    pub id: String,
    /// The last epoch in which it was wanted; 0 in a record that was not sealed.
    #[serde(default)]
    pub epoch: u64,
}

impl InventoryItem {
    fn names_same(&self, other: &Self) -> bool {
        (&self.kind, &self.id) == (&other.kind, &other.id)
    }
}

impl Teardown {
    /// A record that names nothing yet.
    #[must_use]
    pub fn new(id: &OrderId) -> Self {
        Self { id: id.clone(), epoch: 0, inventory: Vec::new(), data: Value::Null }
    }

    /// The same with one more thing, to be removed after those that were added before.
    #[must_use]
    pub fn with_item(mut self, kind: impl Into<String>, id: impl Into<String>) -> Self {
        self.inventory.push(InventoryItem { kind: kind.into(), id: id.into(), epoch: 0 });
        self
    }

    /// The same with what else the provider needs.
    #[must_use]
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = data;
        self
    }

    /// Whether both are of one order and name the same things in the same order, whatever their epochs.
    #[must_use]
    pub fn names_same(&self, other: &Self) -> bool {
        let items = self.inventory.len() == other.inventory.len()
            && self.inventory.iter().zip(&other.inventory).all(|(one, two)| one.names_same(two));
        items && self.id == other.id
    }

    /// What is no longer wanted, in the order it is to be removed.
    pub fn stale(&self) -> impl Iterator<Item = &InventoryItem> {
        self.inventory.iter().filter(|item| item.epoch < self.epoch)
    }

    /// The record to seal before a plan with the record `self` is begun, on top of what was sealed.
    ///
    /// All that was sealed stays in it. When the same things are wanted as before it is the same
    /// record, so that sealing can be repeated.
    #[must_use]
    pub fn on_top_of(mut self, sealed: Option<&Self>) -> Self {
        let Some(sealed) = sealed else { return self.in_epoch(1) };
        let wanted = sealed.inventory.iter().filter(|item| item.epoch == sealed.epoch);
        let is_same = wanted.clone().count() == self.inventory.len()
            && wanted.zip(&self.inventory).all(|(one, two)| one.names_same(two));
        let epoch = if is_same { sealed.epoch } else { sealed.epoch + 1 };
        self = self.in_epoch(epoch);
        let is_wanted = |old: &&InventoryItem| self.inventory.iter().any(|item| item.names_same(old));
        let unwanted: Vec<_> = sealed.inventory.iter().filter(|old| !is_wanted(old)).cloned().collect();
        // In front, because nothing that is wanted now can depend on what is not.
        self.inventory.splice(0..0, unwanted);
        self
    }

    /// The sealed record after everything that is wanted was observed to be there.
    ///
    /// What is no longer wanted leaves the record once it is no longer observed, and what is
    /// observed joins it.
    #[must_use]
    pub fn settled(&self, observed: &Self) -> Self {
        let is_observed = |item: &&InventoryItem| observed.inventory.iter().any(|seen| seen.names_same(item));
        let kept: Vec<_> =
            self.inventory.iter().filter(|item| item.epoch == self.epoch || is_observed(item)).cloned().collect();
        let is_known = |seen: &&InventoryItem| kept.iter().any(|item| item.names_same(seen));
        let found: Vec<_> = observed.inventory.iter().filter(|seen| !is_known(seen)).cloned().collect();
        let found = found.into_iter().map(|item| InventoryItem { epoch: self.epoch, ..item });
        let data = if observed.data.is_null() { &self.data } else { &observed.data };
        let inventory = found.chain(kept).collect();
        Self { id: self.id.clone(), epoch: self.epoch, inventory, data: data.clone() }
    }

    fn in_epoch(mut self, epoch: u64) -> Self {
        self.epoch = epoch;
        self.inventory.iter_mut().for_each(|item| item.epoch = epoch);
        self
    }
}

impl fmt::Debug for Teardown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teardown")
            .field("id", &self.id)
            .field("epoch", &self.epoch)
            .field("inventory", &self.inventory)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
