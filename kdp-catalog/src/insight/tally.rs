//! What has happened to orders, counted.

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;

/// Whose orders something is counted for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Place {
    /// The service; empty when the kind belongs to none that is known.
    #[serde(default)]
    pub service: String,
    /// The offering that the order selects; empty when it selects none.
    #[serde(default)]
    pub offering: String,
    /// The workspace of the order.
    #[serde(default)]
    pub workspace: String,
}

impl Place {
    /// The orders of one workspace of an offering of a service.
    #[must_use]
    pub fn new(service: impl Into<String>, offering: impl Into<String>, workspace: impl Into<String>) -> Self {
        Self { service: service.into(), offering: offering.into(), workspace: workspace.into() }
    }
}

/// What has happened to some orders in some time. Sums of tallies are tallies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Tally {
    /// Orders created.
    #[serde(skip_serializing_if = "is_zero")]
    pub created: u64,
    /// Orders that are gone.
    #[serde(skip_serializing_if = "is_zero")]
    pub deleted: u64,
    /// Orders whose first `Ready` was read from timestamps afterwards: it may have come earlier, and gone again.
    #[serde(skip_serializing_if = "is_zero")]
    pub rebuilt: u64,
    /// Orders that were in trouble before they were first ready; counted where they were created.
    #[serde(skip_serializing_if = "is_zero")]
    pub failed_provisions: u64,
    /// Changed generations that were seen before they were ready, of orders that had been ready.
    #[serde(skip_serializing_if = "is_zero")]
    pub changes: u64,
    /// Those of them that were in trouble before they were ready; counted where they were seen.
    #[serde(skip_serializing_if = "is_zero")]
    pub failed_changes: u64,
    /// Those of them that were changed again, or deleted, before they were ready.
    #[serde(skip_serializing_if = "is_zero")]
    pub superseded: u64,
    /// Those of them that became ready.
    #[serde(skip_serializing_if = "is_zero")]
    pub deployments: u64,
    /// Troubles that began while nothing was being changed.
    #[serde(skip_serializing_if = "is_zero")]
    pub incidents: u64,
    /// Troubles entered again before the earlier one was over.
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: u64,
    /// How often the real thing was found not to be as ordered.
    #[serde(skip_serializing_if = "is_zero")]
    pub drifts: u64,
    /// Orders of which it cannot be told when they were first ready.
    #[serde(skip_serializing_if = "is_zero")]
    pub untold_provisions: u64,
    /// Changes that passed unseen.
    #[serde(skip_serializing_if = "is_zero")]
    pub untold_changes: u64,
    /// Changes that became ready, and nobody saw when they were made.
    #[serde(skip_serializing_if = "is_zero")]
    pub untold_lead_times: u64,
    /// From creation to first `Ready`.
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub provisioning: Histogram,
    /// From a change until it is ready.
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub lead_time: Histogram,
    /// From the beginning of a trouble until `Ready`.
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub restore: Histogram,
    /// From the request to delete until it is gone.
    #[serde(skip_serializing_if = "Histogram::is_empty")]
    pub teardown: Histogram,
}

impl Tally {
    /// Counts all that the other has counted.
    pub fn merge(&mut self, other: &Self) {
        let Self {
            created,
            deleted,
            rebuilt,
            failed_provisions,
            changes,
            failed_changes,
            superseded,
            deployments,
            incidents,
            retries,
            drifts,
            untold_provisions,
            untold_changes,
            untold_lead_times,
            provisioning,
            lead_time,
            restore,
            teardown,
        } = self;
        for (sum, more) in [
            (created, other.created),
            (deleted, other.deleted),
            (rebuilt, other.rebuilt),
            (failed_provisions, other.failed_provisions),
            (changes, other.changes),
            (failed_changes, other.failed_changes),
            (superseded, other.superseded),
            (deployments, other.deployments),
            (incidents, other.incidents),
            (retries, other.retries),
            (drifts, other.drifts),
            (untold_provisions, other.untold_provisions),
            (untold_changes, other.untold_changes),
            (untold_lead_times, other.untold_lead_times),
        ] {
            *sum = sum.saturating_add(more);
        }
        provisioning.merge(&other.provisioning);
        lead_time.merge(&other.lead_time);
        restore.merge(&other.restore);
        teardown.merge(&other.teardown);
    }

    /// All troubles.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failed_provisions.saturating_add(self.failed_changes).saturating_add(self.incidents)
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
