//! What the counts say: the numbers by which a platform is measured.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    histogram::{Histogram, as_f64},
    record::Record,
    tally::Tally,
};

/// How many versions are told apart in one measure; tenants write versions. The others are one.
const VERSIONS: usize = 32;
/// What the others are called.
pub(super) const OTHER: &str = "other";
/// How long a deletion may take before the order counts as stuck.
const LONGEST_DELETION_SECONDS: i64 = 3600;

/// How the orders that live stand. Sums of standings of different orders are standings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Standing {
    live: u64,
    ready: u64,
    troubled: u64,
    drifted: u64,
    stuck: u64,
    workspaces: BTreeSet<String>,
    binders: BTreeSet<String>,
    versions: BTreeMap<String, AtVersion>,
    orphans: u64,
    /// From the beginning of a workspace to its first order that was ready.
    first_orders: Histogram,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct AtVersion {
    orders: u64,
    since: Timestamp,
}

impl Standing {
    pub(super) fn of(record: &Record, now: Timestamp) -> Self {
        let one = u64::from;
        let at = AtVersion { orders: 1, since: record.version_since };
        let is_stuck = |since: Timestamp| now.duration_since(since).as_secs() > LONGEST_DELETION_SECONDS;
        Self {
            live: 1,
            ready: one(record.is_ready),
            troubled: one(record.trouble.is_some()),
            drifted: one(record.is_drifted),
            stuck: one(record.deleting.is_some_and(is_stuck)),
            workspaces: BTreeSet::from([record.place.workspace.clone()]),
            versions: record.version.iter().map(|version| (version.clone(), at)).collect(),
            ..Self::default()
        }
    }

    pub(super) fn bound(workspace: &str) -> Self {
        Self { binders: BTreeSet::from([workspace.to_owned()]), ..Self::default() }
    }

    pub(super) fn first_order(since: Timestamp, ready: Timestamp) -> Self {
        let mut standing = Self::default();
        standing.first_orders.add_between(since, ready);
        standing
    }

    pub(super) fn orphans(count: u64) -> Self {
        Self { orphans: count, ..Self::default() }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.live, other.live),
            (&mut self.ready, other.ready),
            (&mut self.troubled, other.troubled),
            (&mut self.drifted, other.drifted),
            (&mut self.stuck, other.stuck),
            (&mut self.orphans, other.orphans),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.workspaces.extend(other.workspaces.iter().cloned());
        self.binders.extend(other.binders.iter().cloned());
        self.first_orders.merge(&other.first_orders);
        for (version, more) in &other.versions {
            let sum = self.versions.entry(version.clone()).or_insert(AtVersion { orders: 0, since: more.since });
            sum.orders = sum.orders.saturating_add(more.orders);
            sum.since = sum.since.min(more.since);
        }
    }
}

/// How long something takes, in seconds.
///
/// `p50` and `p95` are within one percent of the true ones; see [`RELATIVE_ERROR`](super::RELATIVE_ERROR).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Timing {
    /// How many were measured.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: Option<f64>,
    /// 95 of 100 took no longer.
    pub p95: Option<f64>,
    /// None took longer.
    pub max: Option<f64>,
}

impl From<&Histogram> for Timing {
    fn from(histogram: &Histogram) -> Self {
        Self {
            count: histogram.count(),
            p50: histogram.quantile(0.5),
            p95: histogram.quantile(0.95),
            max: histogram.max_seconds(),
        }
    }
}

/// How a service, a workspace or all of them do. A rate is none when there is nothing that it is a part of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Measures {
    /// From the creation of an order until it is first ready.
    pub provisioning: Timing,
    /// How many of these times were read from timestamps afterwards; each is at most so long.
    pub provisioning_rebuilt: u64,
    /// From the beginning of a workspace until its first order is ready, among the workspaces that have live records.
    pub first_order: Timing,
    /// From the request to delete until the order is gone.
    pub teardown: Timing,
    /// Who uses it.
    pub adoption: Adoption,
    /// What goes wrong.
    pub failures: Failures,
    /// What is no longer as ordered.
    pub drift: Drift,
    /// What the orders are at, by version.
    pub versions: BTreeMap<String, VersionAge>,
    /// Real things that no order asks for, as those who looked for them have told; none when nobody has.
    pub orphans: Option<u64>,
    /// Orders that have been being deleted for more than an hour.
    pub stuck_deletions: u64,
    /// The measures of DORA, of the changes that are ordered.
    pub delivery: Delivery,
    /// What cannot be told.
    pub untold: Untold,
}

/// Who uses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Adoption {
    /// Orders that live now.
    pub live: u64,
    /// Those of them that are ready.
    pub ready: u64,
    /// Orders created in the time of the report.
    pub created: u64,
    /// Orders gone in the time of the report.
    pub deleted: u64,
    /// Workspaces with at least one order.
    pub workspaces: u64,
    /// Workspaces that have bound it; none when nobody has looked.
    pub binders: Option<u64>,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Failures {
    /// Orders in trouble now.
    pub now: u64,
    /// Troubles in the time of the report: of provisions, of changes and of what was ready.
    pub count: u64,
    /// Troubles entered again before the earlier one was over.
    pub retries: u64,
    /// Which part of the orders created were in trouble before they were ready.
    pub provision_rate: Option<f64>,
    /// Retries for each trouble.
    pub retry_rate: Option<f64>,
}

/// What is no longer as ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Drift {
    /// Orders whose real thing is not as ordered now.
    pub now: u64,
    /// How often that was found in the time of the report.
    pub found: u64,
    /// Which part of the orders that live it concerns now.
    pub rate: Option<f64>,
}

/// How old a version in use is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct VersionAge {
    /// How many orders are at it.
    pub orders: u64,
    /// For how long the first of them has been, in seconds.
    pub longest_seconds: f64,
    /// How long ago it was released, in seconds, if that is known.
    pub released_seconds: Option<f64>,
}

/// The measures of DORA, of the changes that are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Delivery {
    /// Changes that became ready.
    pub deployments: u64,
    /// The same for each day of the report.
    pub deployments_per_day: f64,
    /// From a change until it is ready, of what had been ready before.
    pub lead_time: Timing,
    /// Which part of the changes was in trouble before it was ready.
    pub change_failure_rate: Option<f64>,
    /// From the beginning of a trouble until ready again.
    pub time_to_restore: Timing,
}

/// What cannot be told, because nobody looked at the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Untold {
    /// Orders of which it is not known when they were first ready.
    pub provisions: u64,
    /// Changes that nobody saw.
    pub changes: u64,
    /// Changes that became ready, of which nobody saw when they were made.
    pub lead_times: u64,
}

/// Counts and standings of the same orders.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Slice {
    pub(super) tally: Tally,
    pub(super) standing: Standing,
}

/// What a slice is measured with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale<'a> {
    pub(super) now: Timestamp,
    pub(super) days: u16,
    /// When versions were released.
    pub(super) releases: &'a BTreeMap<String, Timestamp>,
    pub(super) has_binders: bool,
    pub(super) has_orphans: bool,
}

impl Slice {
    pub(super) fn measures(&self, scale: Scale<'_>) -> Measures {
        let Self { tally, standing } = self;
        let failures = tally.failures();
        Measures {
            provisioning: Timing::from(&tally.provisioning),
            provisioning_rebuilt: tally.rebuilt,
            first_order: Timing::from(&standing.first_orders),
            teardown: Timing::from(&tally.teardown),
            adoption: Adoption {
                live: standing.live,
                ready: standing.ready,
                created: tally.created,
                deleted: tally.deleted,
                workspaces: count(&standing.workspaces),
                binders: scale.has_binders.then(|| count(&standing.binders)),
            },
            failures: Failures {
                now: standing.troubled,
                count: failures,
                retries: tally.retries,
                provision_rate: rate(tally.failed_provisions, tally.created),
                retry_rate: rate(tally.retries, failures),
            },
            drift: Drift { now: standing.drifted, found: tally.drifts, rate: rate(standing.drifted, standing.live) },
            versions: versions(&standing.versions, scale),
            orphans: scale.has_orphans.then_some(standing.orphans),
            stuck_deletions: standing.stuck,
            delivery: Delivery {
                deployments: tally.deployments,
                deployments_per_day: as_f64(tally.deployments) / f64::from(scale.days.max(1)),
                lead_time: Timing::from(&tally.lead_time),
                change_failure_rate: rate(tally.failed_changes, tally.changes),
                time_to_restore: Timing::from(&tally.restore),
            },
            untold: Untold {
                provisions: tally.untold_provisions,
                changes: tally.untold_changes,
                lead_times: tally.untold_lead_times,
            },
        }
    }
}

/// The versions that most orders are at, and the others as one.
fn versions(versions: &BTreeMap<String, AtVersion>, scale: Scale<'_>) -> BTreeMap<String, VersionAge> {
    let ago = |at: Timestamp| scale.now.duration_since(at).as_secs_f64().max(0.0);
    let mut by_orders: Vec<_> = versions.iter().collect();
    by_orders.sort_by_key(|(version, at)| (std::cmp::Reverse(at.orders), *version));
    let mut ages: BTreeMap<String, VersionAge> = BTreeMap::new();
    for (rank, (version, at)) in by_orders.into_iter().enumerate() {
        let is_told = rank < VERSIONS;
        let age = ages.entry(if is_told { version.clone() } else { OTHER.to_owned() }).or_default();
        age.orders = age.orders.saturating_add(at.orders);
        age.longest_seconds = age.longest_seconds.max(ago(at.since));
        if is_told {
            age.released_seconds = scale.releases.get(version).map(|released| ago(*released));
        }
    }
    ages
}

fn count(names: &BTreeSet<String>) -> u64 {
    u64::try_from(names.len()).unwrap_or(u64::MAX)
}

fn rate(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| as_f64(part) / as_f64(whole))
}

#[cfg(test)]
mod tests;
