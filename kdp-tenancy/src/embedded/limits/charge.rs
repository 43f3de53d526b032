//! Writes hold room for what they add, from before the commit until the index has counted it.

use std::{sync::Arc, time::Instant};

use kdp_core::api::limits::{GROUP, WorkspaceLimitsStatus};

use super::{
    Limits,
    ledger::{Lineage, Usage},
};
use crate::{
    embedded::{
        key::ParsedKey,
        object,
        registry::{Extra, Place, Registry},
        status::{Result, StatusError},
    },
    store::{Change, Entry, Revision},
};

/// Room that a write holds.
#[derive(Debug)]
#[must_use]
pub(crate) struct Reservation {
    limits: Arc<Limits>,
    held: Option<(Lineage, Usage)>,
}

impl Reservation {
    pub(super) fn new(limits: Arc<Limits>, lineage: Lineage, usage: Usage) -> Self {
        Self { limits, held: Some((lineage, usage)) }
    }

    /// Says what became of the write: the revision at which it was made, or that it was not.
    pub(crate) fn settle(mut self, outcome: Option<Revision>) {
        let Some((lineage, usage)) = self.held.take() else { return };
        let ledger = &mut self.limits.book.lock().ledger;
        match outcome {
            Some(revision) => ledger.release_at(revision, lineage, usage),
            None => ledger.release(&lineage, usage),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some((lineage, usage)) = self.held.take() {
            self.limits.book.lock().ledger.release_later(Instant::now(), lineage, usage);
        }
    }
}

impl Registry {
    /// Holds room for what the changes of a write add to its workspace. Two writes never hold the
    /// same last place; with several replicas, each of them may give it away once before it sees
    /// what the others have written.
    ///
    /// # Errors
    /// 403 when there is no room.
    pub(crate) async fn reserve(&self, place: &Place, name: &str, extra: &Extra) -> Result<Option<Reservation>> {
        let limits = &self.index.limits;
        if !extra.is_charged || !limits.are_set() {
            return Ok(None);
        }
        let wanted = self.growth(extra).await?;
        let reserved = match limits.reserve(&place.cluster, wanted) {
            Ok(reserved) => Ok(reserved),
            Err(_) => {
                // What was deleted a moment ago may not be counted yet.
                self.index.seen(self.store.revision()).await;
                limits.reserve(&place.cluster, wanted)
            }
        };
        reserved.map(Some).map_err(|exceeded| StatusError::forbidden(place.reference(), name, exceeded.0))
    }

    /// What the changes add. The content of a new workspace counts for the one it is made in, and
    /// shared copies of schemas for nobody.
    async fn growth(&self, extra: &Extra) -> Result<Usage> {
        let (mut objects, mut gained, mut lost) = (0, 0, 0);
        for change in &extra.changes {
            let Change::Put(key, value) = change else { continue };
            if ParsedKey::parse(key).is_none_or(|key| key.cluster.starts_with("system:")) {
                continue;
            }
            gained += value.len() as u64;
            match self.store.get(key).await? {
                Some(before) => lost += before.value.len() as u64,
                None => objects += 1,
            }
        }
        Ok(Usage { objects, bytes: gained.saturating_sub(lost) })
    }

    /// Completes WorkspaceLimits that are read with what their workspaces use.
    pub(crate) fn show_usage(&self, place: &Place, entries: &mut [Entry]) -> Result<()> {
        if !place.is(GROUP, "workspacelimits") {
            return Ok(());
        }
        for entry in entries {
            let Some(key) = ParsedKey::parse(&entry.key) else { continue };
            let Ok(parent) = key.cluster.parse() else { continue };
            let Some(child) = self.index.child(&parent, key.name) else { continue };
            let Usage { objects, bytes } = self.index.limits.usage(&child);
            let mut shown = object::decode(entry)?;
            let status = serde_json::to_value(WorkspaceLimitsStatus { objects, bytes });
            shown["status"] = status.map_err(StatusError::internal)?;
            entry.value = object::encode(&parent, shown)?;
        }
        Ok(())
    }
}
