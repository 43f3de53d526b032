//! What a provider has that no order asks for.
//!
//! This only reports. What is missing in a list may be missing for many reasons, and what is deleted
//! is gone; so a person decides.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// One thing that a provider has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryItem {
    /// How the provider names it.
    pub id: String,
    /// Uid of the order it was made for, as noted on it.
    pub order: Option<String>,
    /// When it was made.
    pub created: Timestamp,
}

/// The orders there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orders {
    /// Uids of those that live, and whether they are being deleted since some time.
    pub living: BTreeMap<String, Option<Timestamp>>,
    /// Whether these are all orders of the provider.
    pub coverage: Coverage,
}

/// Whether a list is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Everything is in it.
    Complete,
    /// A workspace did not answer, or somebody may not see everything.
    Partial,
}

/// Something that no order asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphan {
    /// How the provider names it.
    pub id: String,
    /// How old it is, in seconds.
    pub age_seconds: i64,
    /// Why it counts as one.
    pub reason: OrphanReason,
}

/// Why something counts as an orphan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum OrphanReason {
    /// It does not say which order it was made for.
    NoOrder,
    /// There is no such order.
    OrderGone {
        /// Uid of the order.
        order: String,
    },
    /// Its order is being deleted for longer than that should take.
    DeletionStuck {
        /// Uid of the order.
        order: String,
        /// Since when.
        since: Timestamp,
    },
    /// An older thing was made for the same order.
    Double {
        /// Uid of the order.
        order: String,
        /// The older one.
        of: String,
    },
}

impl fmt::Display for Orphan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.age_seconds / 3600;
        write!(f, "{} ({} days {} hours old): ", self.id, hours / 24, hours % 24)?;
        match &self.reason {
            OrphanReason::NoOrder => write!(f, "does not say which order it was made for"),
            OrphanReason::OrderGone { order } => write!(f, "order {order} does not exist"),
            OrphanReason::DeletionStuck { order, since } => write!(f, "order {order} is being deleted since {since}"),
            OrphanReason::Double { order, of } => write!(f, "order {order} has {of} already"),
        }
    }
}

/// What of `inventory` no order asks for, the oldest first.
///
/// What is younger than `grace` is left out, because its order may not be listed yet; so is an order
/// whose deletion has taken less than that. If the orders are not complete, nothing is reported for
/// the only reason that its order is not among them.
#[must_use]
pub fn orphans(inventory: &[InventoryItem], orders: &Orders, grace: SignedDuration, now: Timestamp) -> Vec<Orphan> {
    let mut oldest: BTreeMap<&str, (Timestamp, &str)> = BTreeMap::new();
    for item in inventory {
        if let Some(order) = item.order.as_deref() {
            let this = (item.created, item.id.as_str());
            oldest.entry(order).and_modify(|it| *it = this.min(*it)).or_insert(this);
        }
    }
    let reason = |item: &InventoryItem| {
        let Some(order) = &item.order else { return Some(OrphanReason::NoOrder) };
        let (order, first) = (order.clone(), oldest.get(order.as_str()).map(|(_, id)| *id));
        match orders.living.get(&order) {
            None if orders.coverage == Coverage::Complete => Some(OrphanReason::OrderGone { order }),
            None => None,
            Some(Some(since)) if now.duration_since(*since) > grace => {
                Some(OrphanReason::DeletionStuck { order, since: *since })
            }
            Some(_) => {
                let of = first.filter(|first| *first != item.id)?.to_owned();
                Some(OrphanReason::Double { order, of })
            }
        }
    };
    // The order of the list and doubled lines in it change nothing.
    let items: BTreeSet<(Timestamp, &str, Option<&str>)> =
        inventory.iter().map(|it| (it.created, it.id.as_str(), it.order.as_deref())).collect();
    let old = items.into_iter().filter(|(created, ..)| now.duration_since(*created) > grace);
    old.filter_map(|(created, id, order)| {
        let item = InventoryItem { id: id.into(), order: order.map(Into::into), created };
        let age_seconds = now.duration_since(created).as_secs();
        Some(Orphan { reason: reason(&item)?, id: item.id, age_seconds })
    })
    .collect()
}

#[cfg(test)]
mod tests;
