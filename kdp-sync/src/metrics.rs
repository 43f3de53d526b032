//! What an agent counts, in the text format of Prometheus.
//!
//! Everything is counted for each PublishedResource, never for each tenant: the number of series
//! does not grow with the number of workspaces, and who may read metrics learns of no workspace.

mod resource;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use prometheus_client::{
    encoding::text,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

pub(crate) use self::resource::{PassOutcome, ResourceMetrics, Verb};
use crate::{api::Side, object::ResourceType};

/// The content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the lag histogram: 1 ms, doubled up to about two minutes.
const LAG_BUCKETS: u16 = 18;

type Labels = Vec<(&'static str, String)>;
type NewHistogram = fn() -> Histogram;

/// What an agent counts. Cloning it is cheap, and all clones are one.
///
/// | name | labels | |
/// |---|---|---|
/// | `sync_agent_published_resource` | | PublishedResources that are this agent's, as the existing agent counts them |
/// | `kdp_sync_orders` | `resource` | orders known |
/// | `kdp_sync_copies` | `resource` | copies known on the service cluster |
/// | `kdp_sync_passes_total` | `resource`, `outcome` | passes over an order, by how they ended |
/// | `kdp_sync_errors_total` | `resource`, `kind` | what went wrong in passes, by what can be done about it |
/// | `kdp_sync_writes_total` | `resource`, `side`, `verb` | writes that an API server accepted |
/// | `kdp_sync_conflicts_total` | `resource` | how often the name of a copy was found taken |
/// | `kdp_sync_queue_depth` | `resource` | orders that wait for their turn |
/// | `kdp_sync_paused_orders` | `resource` | orders left alone because somebody paused them |
/// | `kdp_sync_drifted_copies` | `resource` | copies found to differ from their orders, when drift was last looked for |
/// | `kdp_sync_lag_seconds` | `resource` | from hearing of a change of an order until it is settled |
/// | `kdp_sync_watch_restarts_total` | `side`, `kind` | watches that had to be begun anew |
///
/// ```
/// let metrics = kdp_sync::Metrics::new();
/// assert!(metrics.encode().contains("sync_agent_published_resource 0"));
/// ```
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    published_resources: Gauge,
    watch_restarts: Family<Labels, Counter>,
    families: Families,
    /// The names of the resources that have series.
    resources: Mutex<Vec<ResourceMetrics>>,
}

/// One family for each thing that is counted by PublishedResource.
#[derive(Clone)]
struct Families {
    orders: Family<Labels, Gauge>,
    copies: Family<Labels, Gauge>,
    queue: Family<Labels, Gauge>,
    paused: Family<Labels, Gauge>,
    drifted: Family<Labels, Gauge>,
    passes: Family<Labels, Counter>,
    errors: Family<Labels, Counter>,
    writes: Family<Labels, Counter>,
    conflicts: Family<Labels, Counter>,
    lag: Family<Labels, Histogram, NewHistogram>,
}

impl Metrics {
    /// Metrics in which nothing was counted yet.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let published_resources = Gauge::default();
        registry.register(
            "sync_agent_published_resource",
            "PublishedResources that this agent publishes",
            published_resources.clone(),
        );
        let ours = registry.sub_registry_with_prefix("kdp_sync");
        let watch_restarts = Family::default();
        ours.register("watch_restarts", "Watches that had to be begun anew", watch_restarts.clone());
        let families = Families::register(ours);
        Self(Arc::new(Inner { registry, published_resources, watch_restarts, families, resources: Mutex::default() }))
    }

    /// Everything counted so far, as text of the type [`CONTENT_TYPE`].
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.0.registry).expect("a string takes everything that is written to it");
        text
    }

    /// How many PublishedResources are this agent's.
    pub(crate) fn set_published_resources(&self, count: usize) {
        self.0.published_resources.set(gauge(count));
    }

    /// Counts how often a watch of a kind has to be begun anew.
    pub(crate) fn watch_restarts(&self, side: Side, types: &ResourceType) -> Counter {
        let labels = vec![("side", side.name().to_owned()), ("kind", types.resource_name())];
        self.0.watch_restarts.get_or_create_owned(&labels)
    }

    /// What is counted of one PublishedResource. To be kept by whoever counts: asking is not free.
    pub(crate) fn resource(&self, name: &str) -> ResourceMetrics {
        let mut resources = self.0.resources.lock();
        if let Some(known) = resources.iter().find(|known| known.name() == name) {
            return known.clone();
        }
        let new = ResourceMetrics::new(name, &self.0.families);
        resources.push(new.clone());
        new
    }

    /// Forgets a PublishedResource that is gone.
    pub(crate) fn forget(&self, name: &str) {
        let mut resources = self.0.resources.lock();
        if let Some(at) = resources.iter().position(|known| known.name() == name) {
            resources.swap_remove(at).remove_from(&self.0.families);
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("resources", &self.0.resources.lock().len()).finish_non_exhaustive()
    }
}

impl Families {
    fn register(registry: &mut Registry) -> Self {
        let lag: NewHistogram = || Histogram::new(exponential_buckets(0.001, 2.0, LAG_BUCKETS));
        let families = Self {
            orders: Family::default(),
            copies: Family::default(),
            queue: Family::default(),
            paused: Family::default(),
            drifted: Family::default(),
            passes: Family::default(),
            errors: Family::default(),
            writes: Family::default(),
            conflicts: Family::default(),
            lag: Family::new_with_constructor(lag),
        };
        let gauges = [
            ("orders", "Orders known", &families.orders),
            ("copies", "Copies known on the service cluster", &families.copies),
            ("queue_depth", "Orders that wait for their turn", &families.queue),
            ("paused_orders", "Orders left alone because somebody paused them", &families.paused),
            ("drifted_copies", "Copies found to differ from their orders", &families.drifted),
        ];
        for (name, help, family) in gauges {
            registry.register(name, help, family.clone());
        }
        let counters = [
            ("passes", "Passes over an order", &families.passes),
            ("errors", "What went wrong in passes", &families.errors),
            ("writes", "Writes that an API server accepted", &families.writes),
            ("conflicts", "How often the name of a copy was found taken", &families.conflicts),
        ];
        for (name, help, family) in counters {
            registry.register(name, help, family.clone());
        }
        let help = "From hearing of a change of an order until it is settled";
        registry.register_with_unit("lag", help, Unit::Seconds, families.lag.clone());
        families
    }
}

/// A count as a gauge takes it; no count comes near the bound.
fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
