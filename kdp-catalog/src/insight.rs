#![doc = include_str!("../docs/insight.md")]

mod collector;
mod error;
mod facts;
mod histogram;
mod journal;
mod measures;
mod metrics;
mod page;
mod record;
mod report;
mod snapshot;
mod source;
mod store;
mod tally;

pub use collector::{Insight, InsightCollector, InsightOptions};
pub use error::InsightError;
pub use facts::{Facts, WorkspaceFact};
pub use histogram::{Histogram, RELATIVE_ERROR};
pub use journal::{Event, Journal, JournalOptions, PAGES};
pub use measures::{Adoption, Delivery, Drift, Failures, Measures, Timing, Untold, VersionAge};
pub use metrics::{
    CONTENT_TYPE, MeasureFamily, MeasureSeries, MeasureSink, MeasureValue, MetricsOptions, emit, families, prometheus,
};
pub use record::Sighting;
pub use report::Report;
pub use snapshot::Snapshot;
pub use source::OrderSource;
pub use store::InsightHome;
pub use tally::{Place, Tally};
