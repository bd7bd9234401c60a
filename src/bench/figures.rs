//! What a run measured.

use serde::{Deserialize, Serialize};

/// The figures of one run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Run {
    pub messages: u64,
    pub seconds: f64,
    pub per_second: f64,
    /// From claim to record, in milliseconds; for the product alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<i64>,
    /// Receipts that were on disk, and how many a second from the first hand-over to the last receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipts: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipts_per_second: Option<f64>,
    /// The most memory that the process ever had, in MiB.
    pub peak_mib: f64,
}

/// Several runs of the same thing.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    pub name: String,
    pub runs: Vec<Run>,
    pub median_per_second: f64,
    /// Against the limit, run by run, and their median.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ratios: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub median_ratio: Option<f64>,
}

impl Run {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn new(messages: u64, seconds: f64) -> Self {
        let per_second = messages as f64 / seconds.max(1e-9);
        Self { messages, seconds, per_second, peak_mib: memory_peak(), ..Self::default() }
    }
}

impl Figures {
    pub fn new(name: &str, runs: Vec<Run>, limit: Option<&[Run]>) -> Self {
        let ratios: Vec<f64> = limit
            .unwrap_or_default()
            .iter()
            .zip(&runs)
            .map(|(limit, run)| run.per_second / limit.per_second.max(1e-9))
            .collect();
        Self {
            name: name.to_owned(),
            median_per_second: median(runs.iter().map(|run| run.per_second)).unwrap_or(0.0),
            median_ratio: median(ratios.iter().copied()),
            ratios,
            runs,
        }
    }
}

fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

/// The most memory that this process has had resident, in MiB; nought where the system does not say.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub fn memory_peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) as f64 / 1024.0
}
