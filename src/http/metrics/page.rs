//! Writes metrics in the text format of OpenMetrics, which Prometheus reads.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::registry::Registry;

use super::table::{ALL, Kind, Metric};
use crate::base::domain::HistogramFigures;

pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What every name begins with.
pub(super) const PREFIX: &str = "volley";

type Labels = Vec<(&'static str, String)>;

/// A value of a metric.
#[derive(Debug)]
enum Value {
    Number(f64),
    Histogram { figures: HistogramFigures, per_unit: f64 },
}

/// All metrics with their values at one moment.
#[derive(Debug)]
pub(super) struct Page(Vec<(&'static Metric, Vec<(Labels, Value)>)>);

impl Page {
    /// A page on which no metric has a value yet.
    pub(super) fn new() -> Self {
        Self(ALL.iter().map(|metric| (*metric, Vec::new())).collect())
    }

    /// Adds a value of a metric. `labels` are the values of its labels, in their order.
    #[expect(clippy::cast_precision_loss, reason = "metrics are floating-point numbers")]
    pub(super) fn count<const N: usize>(&mut self, metric: &'static Metric, labels: [&str; N], value: u64) {
        self.number(metric, labels, value as f64);
    }

    pub(super) fn number<const N: usize>(&mut self, metric: &'static Metric, labels: [&str; N], value: f64) {
        self.add(metric, labels, Value::Number(value));
    }

    /// Adds a histogram whose values are counted in a unit of which `per_unit` make one of the metric's.
    pub(super) fn histogram<const N: usize>(
        &mut self,
        metric: &'static Metric,
        labels: [&str; N],
        figures: HistogramFigures,
        per_unit: f64,
    ) {
        self.add(metric, labels, Value::Histogram { figures, per_unit });
    }

    fn add<const N: usize>(&mut self, metric: &'static Metric, labels: [&str; N], value: Value) {
        debug_assert_eq!(metric.labels.len(), N, "{}", metric.name);
        let labels = metric.labels.iter().copied().zip(labels.map(str::to_owned)).collect();
        if let Some((_, values)) = self.0.iter_mut().find(|(known, _)| std::ptr::eq(*known, metric)) {
            values.push((labels, value));
        }
    }

    pub(super) fn into_text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (metric, values) in &self.0 {
            let unit = metric.unit.as_ref();
            let mut family = encoder.encode_descriptor(metric.name, metric.help, unit, metric.kind.as_type())?;
            for (labels, value) in values {
                if labels.is_empty() {
                    write(&mut family, metric.kind, value)?;
                } else {
                    write(&mut family.encode_family(labels)?, metric.kind, value)?;
                }
            }
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floating-point numbers")]
fn write(encoder: &mut MetricEncoder<'_>, kind: Kind, value: &Value) -> Result<(), fmt::Error> {
    match value {
        Value::Number(number) if kind == Kind::Counter => encoder.encode_counter::<NoLabelSet, _, f64>(number, None),
        Value::Number(number) => encoder.encode_gauge(number),
        Value::Histogram { figures, per_unit } => {
            let buckets = figures.buckets.iter().map(|(bound, count)| (*bound as f64 / per_unit, *count));
            let buckets: Vec<(f64, u64)> = buckets.chain([(f64::INFINITY, figures.above)]).collect();
            encoder.encode_histogram::<NoLabelSet>(figures.sum as f64 / per_unit, figures.count(), &buckets, None)
        }
    }
}
