//! Records whose orders are gone.

use std::collections::BTreeSet;

use kube::api::ListParams;

use super::{Runner, record::Records};
use crate::{
    Error, SharedControlPlane,
    provider::{InventoryItem, Lease, OrderId},
};

/// Orders, and records, that are read at a time.
pub(super) const PAGE: u32 = 500;

/// What was made for an order that is no longer there.
///
/// There is one after an order vanished although it had the finalizer, or while no runner worked: with
/// a control plane that was restored from a backup, or because its tenant took the finalizer away. The
/// runner does not remove it, since the order may come back with the next restore.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Orphan {
    /// The order that it was made for.
    pub order: OrderId,
    /// The Secret in the runner's home with the record, [`Teardown`](crate::provider::Teardown) included.
    pub record: String,
    /// What exists or may exist, in the order it is to be removed.
    pub inventory: Vec<InventoryItem>,
}

impl Runner {
    /// All that was made for orders that are no longer there, for whoever runs the platform. Changes
    /// nothing, and may be asked while the runner works elsewhere.
    ///
    /// # Errors
    /// As the servers of the orders and of the home answer. Orders that cannot be listed are not gone,
    /// so nothing is an orphan before all of them were.
    pub async fn orphans(&self, control_plane: SharedControlPlane) -> Result<Vec<Orphan>, Error> {
        let records = Records::new(&self.home, &self.name, Lease(u64::MAX));
        // The records first: an order that is placed meanwhile is none of theirs.
        let mut kept = Vec::new();
        records.each(PAGE, |record| kept.push(record.id)).await?;
        let orders = self.reach.clone().through(control_plane, self.kind.clone()).all()?;
        let mut there = BTreeSet::new();
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let failed = |e| Error::from_kube("list", format!("the orders of {}", self.name), e);
            let list = orders.list_metadata(&page).await.map_err(failed)?;
            there.extend(list.items.into_iter().filter_map(|order| order.metadata.uid));
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
        let mut orphans = Vec::new();
        for id in kept.into_iter().filter(|id| !there.contains(&id.uid)) {
            // One that was removed meanwhile in the ordinary way has no record any more.
            if let Some(kept) = records.load(&id).await? {
                let inventory = kept.record.sealed.map(|sealed| sealed.inventory).unwrap_or_default();
                orphans.push(Orphan { record: records.name(&id), order: id, inventory });
            }
        }
        Ok(orphans)
    }
}
