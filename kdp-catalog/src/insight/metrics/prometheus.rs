//! The text format of Prometheus.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, text},
    metrics::{MetricType, exemplar::Exemplar},
    registry::{Registry, Unit},
};

use super::{MeasureFamily, MeasureValue};

/// The content type of what [`prometheus`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;

/// These metrics as text of the type [`CONTENT_TYPE`].
#[must_use]
pub fn prometheus(families: Vec<MeasureFamily>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Families(families)));
    let mut text = String::new();
    text::encode(&mut text, &registry).expect("a string takes everything that is written to it");
    text
}

#[derive(Debug)]
struct Families(Vec<MeasureFamily>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for family in &self.0 {
            let Some(first) = family.series.first() else { continue };
            let unit = family.unit.map(|unit| Unit::Other(unit.to_owned()));
            let mut metric =
                encoder.encode_descriptor(family.name, family.help, unit.as_ref(), type_of(&first.value))?;
            for series in &family.series {
                encode(metric.encode_family(&series.labels)?, &series.value)?;
            }
        }
        Ok(())
    }
}

fn type_of(value: &MeasureValue) -> MetricType {
    match value {
        MeasureValue::Counter(_) => MetricType::Counter,
        MeasureValue::Gauge(_) => MetricType::Gauge,
        MeasureValue::Histogram { .. } => MetricType::Histogram,
    }
}

fn encode(mut encoder: MetricEncoder<'_>, value: &MeasureValue) -> Result<(), fmt::Error> {
    match value {
        MeasureValue::Counter(count) => encoder.encode_counter(count, None::<&Exemplar<Labels, u64>>),
        MeasureValue::Gauge(value) => encoder.encode_gauge(value),
        MeasureValue::Histogram { sum, count, buckets } => {
            // The last bucket takes what the others do not.
            let mut below = 0;
            let mut counts: Vec<_> = buckets
                .iter()
                .map(|(bound, up_to)| (*bound, up_to.saturating_sub(std::mem::replace(&mut below, *up_to))))
                .collect();
            counts.push((f64::INFINITY, count.saturating_sub(below)));
            encoder.encode_histogram::<Labels>(*sum, *count, &counts, None)
        }
    }
}
