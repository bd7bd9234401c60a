//! The figures of a run.

use serde::{Deserialize, Serialize};

use crate::base::clock::Clock;
use crate::base::domain::{Span, Timestamp, grouped};

/// The figures of one run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Run {
    pub messages: u64,
    pub took_ms: f64,
    /// Messages, rows, decisions or deadlines a second.
    pub rate_per_s: f64,
    /// Median and 99th percentile of a duration in milliseconds: from claim to record, from a deadline to the commit of
    /// its effect, or from a request to its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<i64>,
    /// Receipts on disk, and their rate from the first submission to the last receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_count: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipts_per_s: Option<f64>,
    /// Time from the start of the process until it had fired the first deadline, on disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_ms: Option<i64>,
    /// Processor time, in milliseconds a second, while nothing was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_ms_per_s: Option<f64>,
    /// Time until a cancelled campaign sent nothing more, and until the cancel was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_ms: Option<i64>,
    /// By how much the worst window exceeded rate and burst, as time at the rate; and the share of the allowed messages
    /// that the worst second sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst_second_share: Option<f64>,
    /// Size of a page with all that it loads, in KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_kib: Option<f64>,
    /// Processor time of the process for each message, in microseconds; the figure that a shared machine changes least.
    #[serde(default)]
    pub cpu_us: f64,
    /// The highest memory use of the process, in MiB.
    pub peak_mib: f64,
}

/// When a measurement began, and the processor time used before it.
#[derive(Debug, Clone, Copy)]
pub struct Begun {
    at: Timestamp,
    cpu_seconds: f64,
}

impl Begun {
    pub fn now(clock: &dyn Clock) -> Self {
        Self { at: clock.now(), cpu_seconds: cpu_seconds() }
    }
}

/// What the medians of some runs have to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// At least this ratio to the limit.
    Ratio(f64),
    PerSecond(u32),
    P99Ms(i64),
    ReadyMs(i64),
    AnsweredMs(i64),
    /// At most.
    PeakMib(f64),
    IdleMs(f64),
    PageKib(f64),
}

/// A target as text, and whether it was met.
#[derive(Debug, Clone, Serialize)]
pub struct Held {
    pub target: String,
    pub met: bool,
}

/// Several runs of the same benchmark.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    pub name: String,
    /// The targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Held>,
    pub runs: Vec<Run>,
    pub median_per_s: f64,
    /// The ratio to the limit of each run, and their median.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ratios: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub median_ratio: Option<f64>,
}

impl Run {
    #[expect(clippy::cast_precision_loss, reason = "figures for display")]
    pub fn since(begun: Begun, messages: u64, clock: &dyn Clock) -> Self {
        let seconds = clock.now().since(begun.at).std().as_secs_f64();
        let rate_per_s = messages as f64 / seconds.max(1e-9);
        let cpu_us = (cpu_seconds() - begun.cpu_seconds) * 1e6 / messages.max(1) as f64;
        Self { messages, took_ms: seconds * 1e3, rate_per_s, cpu_us, peak_mib: memory_peak(), ..Self::default() }
    }
}

impl Figures {
    pub fn new(name: &str, runs: Vec<Run>, limit: Option<&[Run]>) -> Self {
        let ratios: Vec<f64> = limit
            .unwrap_or_default()
            .iter()
            .zip(&runs)
            .map(|(limit, run)| run.rate_per_s / limit.rate_per_s.max(1e-9))
            .collect();
        Self {
            name: name.to_owned(),
            targets: Vec::new(),
            median_per_s: median(runs.iter().map(|run| run.rate_per_s)).unwrap_or(0.0),
            median_ratio: median(ratios.iter().copied()),
            ratios,
            runs,
        }
    }
}

impl Target {
    fn words(self) -> String {
        match self {
            Self::Ratio(least) => format!("ratio >= {least:.2}"),
            Self::PerSecond(least) => format!(">= {}/s", grouped(least)),
            Self::P99Ms(most) => format!("p99 < {most} ms"),
            Self::ReadyMs(most) => format!("ready < {} ms", grouped(most)),
            Self::AnsweredMs(most) => format!("answered < {} ms", grouped(most)),
            Self::PeakMib(most) => format!("peak <= {most:.0} MiB"),
            Self::IdleMs(most) => format!("idle <= {most:.0} ms/s"),
            Self::PageKib(most) => format!("page <= {most:.0} KiB"),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a benchmark")]
    fn is_met(self, figures: &Figures) -> bool {
        let below = |most: i64, figure: fn(&Run) -> Option<i64>| {
            figures.median(|run| Some(figure(run)? as f64)).is_some_and(|median| median < most as f64)
        };
        match self {
            Self::Ratio(least) => figures.median_ratio.is_some_and(|ratio| ratio >= least),
            Self::PerSecond(least) => figures.median_per_s >= f64::from(least),
            Self::P99Ms(most) => below(most, |run| run.p99_ms),
            Self::ReadyMs(most) => below(most, |run| run.ready_ms),
            Self::AnsweredMs(most) => below(most, |run| run.answered_ms),
            Self::PeakMib(most) => figures.median(|run| Some(run.peak_mib)).is_some_and(|median| median <= most),
            Self::IdleMs(most) => figures.median(|run| run.idle_ms_per_s).is_some_and(|median| median <= most),
            Self::PageKib(most) => figures.median(|run| run.page_kib).is_some_and(|median| median <= most),
        }
    }
}

impl Figures {
    pub fn held_against(mut self, target: Target) -> Self {
        self.targets.push(Held { target: target.words(), met: target.is_met(&self) });
        self
    }

    /// Returns the median of one figure over the runs that have it.
    pub fn median(&self, figure: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
        median(self.runs.iter().filter_map(figure))
    }
}

/// Returns the value that `percent` of all do not exceed; `None` for an empty slice.
pub(super) fn percentile(sorted: &[i64], percent: usize) -> Option<i64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((sorted.len() * percent / 100).min(last)).copied()
}

fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

/// Returns the processor time of the idle process, in milliseconds a second, measured over this span.
pub(super) async fn idle_ms(clock: &dyn Clock, span: Span) -> f64 {
    let before = cpu_seconds();
    clock.sleep(span).await;
    (cpu_seconds() - before) * 1_000.0 / span.std().as_secs_f64()
}

/// Returns the processor time of this process so far, including threads that have ended.
#[expect(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a figure for display; processor time is not clock time"
)]
pub(super) fn cpu_seconds() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// Returns the highest resident memory of this process in MiB; zero if the system does not report it.
#[expect(clippy::cast_precision_loss, reason = "a figure for display")]
pub(super) fn memory_peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) as f64 / 1024.0
}
