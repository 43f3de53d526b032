//! The numbers for monitoring: as data for any exporter, and in the text format of Prometheus.
//!
//! A workspace is no label unless somebody asks for it: the number of series would grow with the number of tenants,
//! and who may read metrics would learn of all of them.

mod prometheus;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub use self::prometheus::{CONTENT_TYPE, prometheus};
use super::{
    facts::Facts,
    histogram::{Histogram, as_f64},
    journal::Journal,
    measures::{Measures, OTHER},
    report::Report,
    tally::{Place, Tally},
};

/// Upper bounds of the histograms, in seconds: from a second to a week.
const BOUNDS: [f64; 17] = [
    1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 43_200.0, 86_400.0,
    259_200.0, 604_800.0,
];

/// Which series there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetricsOptions {
    /// How many offerings of a service have series of their own; the others are `other`. 64 unless said otherwise.
    pub offerings: usize,
    /// How many workspaces have series of their own, of orders that live; none unless said otherwise.
    pub workspaces: usize,
}

impl Default for MetricsOptions {
    fn default() -> Self {
        Self { offerings: 64, workspaces: 0 }
    }
}

impl MetricsOptions {
    /// The same with series of up to so many workspaces. Whoever reads them learns the names of tenants.
    #[must_use]
    pub fn with_workspaces(mut self, workspaces: usize) -> Self {
        self.workspaces = workspaces;
        self
    }

    /// The same with series of up to so many offerings of each service.
    #[must_use]
    pub fn with_offerings(mut self, offerings: usize) -> Self {
        self.offerings = offerings;
        self
    }
}

/// One metric with all its series.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MeasureFamily {
    /// The name without the unit, such as `kdp_catalog_provision`.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// The unit, `seconds`, if it has one.
    pub unit: Option<&'static str>,
    /// The series; all of the same kind of value.
    pub series: Vec<MeasureSeries>,
}

/// One series of a metric.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MeasureSeries {
    /// Names of labels and their values.
    pub labels: Vec<(&'static str, String)>,
    /// How much it is now.
    pub value: MeasureValue,
}

/// How much something is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MeasureValue {
    /// What only grows, as long as nobody resets it.
    Counter(u64),
    /// What goes up and down.
    Gauge(f64),
    /// Durations in seconds.
    Histogram {
        /// Their sum.
        sum: f64,
        /// Their number.
        count: u64,
        /// Upper bounds, and how many are at most that; within [`RELATIVE_ERROR`](super::RELATIVE_ERROR) of the bound.
        buckets: Vec<(f64, u64)>,
    },
}

/// Takes metrics to where they are kept, such as a meter of OpenTelemetry.
///
/// A collector of OpenTelemetry reads what [`prometheus`] writes by its `prometheus` receiver, and nothing else is
/// needed; this is for those who push. All values are totals, so a meter takes them in observable instruments.
pub trait MeasureSink {
    /// Takes one metric with all its series. It comes again with later values.
    fn family(&mut self, family: &MeasureFamily);
}

/// Gives all metrics to a sink.
pub fn emit(families: &[MeasureFamily], sink: &mut impl MeasureSink) {
    families.iter().for_each(|family| sink.family(family));
}

type Count = (&'static str, &'static str, fn(&Tally) -> u64);
type Times = (&'static str, &'static str, fn(&Tally) -> &Histogram);
type State = (&'static str, &'static str, fn(&Measures) -> u64);

const COUNTS: [Count; 10] = [
    ("kdp_catalog_orders_created", "Orders created", |tally| tally.created),
    ("kdp_catalog_orders_deleted", "Orders that are gone", |tally| tally.deleted),
    ("kdp_catalog_provision_failures", "Orders in trouble before they were ready", |tally| tally.failed_provisions),
    ("kdp_catalog_changes", "Changes of orders that had been ready", |tally| tally.changes),
    ("kdp_catalog_change_failures", "Changes in trouble before they were ready", |tally| tally.failed_changes),
    ("kdp_catalog_deployments", "Changes that became ready", |tally| tally.deployments),
    ("kdp_catalog_incidents", "Troubles that began while nothing was changed", |tally| tally.incidents),
    ("kdp_catalog_retries", "Troubles entered again before the earlier one was over", |tally| tally.retries),
    ("kdp_catalog_drifts", "Real things found not to be as ordered", |tally| tally.drifts),
    ("kdp_catalog_untold_provisions", "Orders of which nobody saw when they were ready", |tally| {
        tally.untold_provisions
    }),
];

const TIMES: [Times; 4] = [
    ("kdp_catalog_provision", "From the creation of an order until it is first ready", |tally| &tally.provisioning),
    ("kdp_catalog_change", "From a change until it is ready", |tally| &tally.lead_time),
    ("kdp_catalog_restore", "From the beginning of a trouble until ready again", |tally| &tally.restore),
    ("kdp_catalog_teardown", "From the request to delete until the order is gone", |tally| &tally.teardown),
];

const STATES: [State; 5] = [
    ("kdp_catalog_live_orders", "Orders that live", |it| it.adoption.live),
    ("kdp_catalog_ready_orders", "Orders that are ready", |it| it.adoption.ready),
    ("kdp_catalog_troubled_orders", "Orders in trouble", |it| it.failures.now),
    ("kdp_catalog_drifted_orders", "Orders whose real thing is not as ordered", |it| it.drift.now),
    ("kdp_catalog_stuck_orders", "Orders being deleted for more than an hour", |it| it.stuck_deletions),
];

/// The metrics of what a journal knows.
///
/// Counters and histograms count since the journal began, also what it no longer keeps day by day.
#[must_use]
pub fn families(journal: &Journal, facts: &Facts, options: MetricsOptions, now: Timestamp) -> Vec<MeasureFamily> {
    let ever = bounded(journal.ever(), options.offerings);
    let report = Report::new(journal, facts, 1, now);
    let mut families = Vec::new();
    let mut add = |name, help, unit, series: Vec<MeasureSeries>| {
        if !series.is_empty() {
            families.push(MeasureFamily { name, help, unit, series });
        }
    };
    for (name, help, count) in COUNTS {
        let series = ever.iter().map(|(place, tally)| series(place, MeasureValue::Counter(count(tally))));
        add(name, help, None, series.collect());
    }
    for (name, help, times) in TIMES {
        let series = ever.iter().map(|(place, tally)| series(place, histogram(times(tally))));
        add(name, help, Some("seconds"), series.collect());
    }
    // The same places as above, so that rates can be made of them.
    let known: BTreeSet<&Place> = ever.keys().collect();
    for (name, help, state) in STATES {
        let mut sums: BTreeMap<Place, u64> = BTreeMap::new();
        for (service, offerings) in &report.offerings {
            for (offering, measures) in offerings {
                let place = Place::new(service, offering, "");
                let place = if known.contains(&place) { place } else { Place::new(service, OTHER, "") };
                *sums.entry(place).or_default() += state(measures);
            }
        }
        let series = sums.iter().map(|(place, sum)| series(place, MeasureValue::Gauge(as_f64(*sum))));
        add(name, help, None, series.collect());
    }
    let by_service = |value: fn(&Measures) -> Option<u64>| {
        let values = report.services.iter().filter_map(|(service, it)| Some((service, value(it)?)));
        values.map(|(service, value)| of_service(service, value)).collect::<Vec<_>>()
    };
    add("kdp_catalog_workspaces", "Workspaces with an order", None, by_service(|it| Some(it.adoption.workspaces)));
    add("kdp_catalog_binders", "Workspaces that have bound the service", None, by_service(|it| it.adoption.binders));
    add("kdp_catalog_orphans", "Real things that no order asks for", None, by_service(|it| it.orphans));
    let mut workspaces: Vec<_> = report.workspaces.iter().filter(|(_, it)| it.adoption.live > 0).collect();
    workspaces.sort_by_key(|(path, it)| (std::cmp::Reverse(it.adoption.live), *path));
    workspaces.truncate(options.workspaces);
    let of_workspace = |(path, it): (&String, &Measures)| MeasureSeries {
        labels: vec![("workspace", path.clone())],
        value: MeasureValue::Gauge(as_f64(it.adoption.live)),
    };
    let series = workspaces.into_iter().map(of_workspace).collect();
    add("kdp_catalog_workspace_orders", "Orders that live in a workspace", None, series);
    families
}

/// The same with no more offerings of a service than there is room for. The first of those with most orders have it.
fn bounded(ever: BTreeMap<Place, Tally>, room: usize) -> BTreeMap<Place, Tally> {
    let mut ranked: Vec<_> = ever.into_iter().collect();
    ranked.sort_by(|(a, one), (b, other)| other.created.cmp(&one.created).then_with(|| a.cmp(b)));
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut bounded: BTreeMap<Place, Tally> = BTreeMap::new();
    for (place, tally) in ranked {
        let taken = taken.entry(place.service.clone()).or_default();
        // What selects no offering is always told.
        let has_room = place.offering.is_empty() || *taken < room;
        *taken += usize::from(has_room && !place.offering.is_empty());
        let place = if has_room { place } else { Place::new(place.service, OTHER, "") };
        bounded.entry(place).or_default().merge(&tally);
    }
    bounded
}

fn series(place: &Place, value: MeasureValue) -> MeasureSeries {
    MeasureSeries { labels: vec![("service", place.service.clone()), ("offering", place.offering.clone())], value }
}

fn of_service(service: &str, value: u64) -> MeasureSeries {
    MeasureSeries { labels: vec![("service", service.to_owned())], value: MeasureValue::Gauge(as_f64(value)) }
}

fn histogram(histogram: &Histogram) -> MeasureValue {
    let buckets = BOUNDS.iter().map(|bound| (*bound, histogram.count_up_to(*bound)));
    MeasureValue::Histogram { sum: histogram.sum_seconds(), count: histogram.count(), buckets: buckets.collect() }
}
