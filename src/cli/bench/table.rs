//! Figures as a table: the medians of all runs.

use super::{DURABILITY, Machine};
use crate::bench::{Figures, Run};
use crate::cli::out;

/// A column: its title, how many digits it has behind the point, and where its figures come from.
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) digits: usize,
    pub(super) of: fn(&Run) -> Option<f64>,
    /// Whether the worst of all runs is shown instead of their median.
    pub(super) worst: bool,
}

const fn median(title: &'static str, digits: usize, of: fn(&Run) -> Option<f64>) -> Column {
    Column { title, digits, of, worst: false }
}

const fn worst(title: &'static str, digits: usize, of: fn(&Run) -> Option<f64>) -> Column {
    Column { title, digits, of, worst: true }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds for people")]
fn millis(millis: Option<i64>) -> Option<f64> {
    millis.map(|millis| millis as f64)
}

pub(super) const CPU: Column = median("cpu µs", 1, |run| Some(run.cpu_us));
pub(super) const P50: Column = median("p50 ms", 0, |run| millis(run.p50_ms));
pub(super) const P99: Column = median("p99 ms", 0, |run| millis(run.p99_ms));
pub(super) const READY: Column = median("ready ms", 0, |run| millis(run.ready_ms));
pub(super) const STOPPED: Column = median("stopped ms", 0, |run| millis(run.stopped_ms));
pub(super) const ANSWERED: Column = median("answered ms", 0, |run| millis(run.answered_ms));
pub(super) const IDLE: Column = median("idle ms/s", 1, |run| run.idle_ms);
pub(super) const EARLY: Column = worst("early ms", 2, |run| run.early_ms);
pub(super) const WORST: Column = worst("worst sec", 2, |run| run.worst_second);
pub(super) const PEAK: Column = median("peak MiB", 0, |run| Some(run.peak_mib));
pub(super) const RECEIPTS: Column = median("receipts/s", 0, |run| run.receipts_per_second);

impl Column {
    fn figure(&self, figures: &Figures) -> Option<f64> {
        if self.worst {
            return figures.runs.iter().filter_map(self.of).max_by(f64::total_cmp);
        }
        figures.median(self.of)
    }
}

/// Prints a table whose first figure is so many of `what` a second.
pub(super) fn print(machine: &Machine, what: &str, columns: &[Column], all: &[Figures]) -> anyhow::Result<()> {
    let Machine { cores, cpu, memory_mib } = machine;
    out::data(format!("{cores} cores, {cpu}, {memory_mib} MiB; {DURABILITY}"))?;
    let has_targets = all.iter().any(|figures| figures.target.is_some());
    let titles = columns.iter().map(|column| format!(" {:>10}", column.title)).collect::<String>();
    let target = if has_targets { "  target" } else { "" };
    out::data(format!("{:<40} {what:>12} {:>8}{titles}{target}", "", "ratio"))?;
    for figures in all {
        out::data(row(figures, columns))?;
    }
    Ok(())
}

/// The medians of some runs, each figure's own.
fn row(figures: &Figures, columns: &[Column]) -> String {
    let told = |figure: Option<f64>, digits| figure.map_or_else(|| "-".to_owned(), |f| format!("{f:.digits$}"));
    let cells = columns.iter().map(|column| format!(" {:>10}", told(column.figure(figures), column.digits)));
    let met = match figures.met {
        Some(true) => "  met",
        Some(false) => "  MISSED",
        None => "",
    };
    let target = figures.target.as_ref().map_or_else(String::new, |target| format!("  {target}{met}"));
    format!(
        "{:<40} {:>12.0} {:>8}{}{target}",
        figures.name,
        figures.median_per_second,
        told(figures.median_ratio, 2),
        cells.collect::<String>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Target;

    #[test]
    fn every_figure_of_the_table_is_the_median_of_its_runs() {
        let run = |per_second, cpu_us, p50_ms, p99_ms, peak_mib| Run {
            per_second,
            cpu_us,
            p50_ms: Some(p50_ms),
            p99_ms: Some(p99_ms),
            peak_mib,
            receipts_per_second: Some(per_second * 3.0),
            ..Run::default()
        };
        // The last run is an outlier in everything.
        let runs = vec![run(100.0, 10.0, 1, 5, 40.0), run(200.0, 20.0, 2, 6, 50.0), run(900.0, 90.0, 9, 99, 900.0)];
        let limits = vec![run(200.0, 1.0, 1, 1, 1.0); 3];
        let columns = [CPU, P50, P99, PEAK, RECEIPTS];
        let figures = Figures::new("volley", runs, Some(&limits)).held_against(Target::Ratio(1.0));
        let row_of = row(&figures, &columns);
        let cells: Vec<&str> = row_of.split_whitespace().collect();
        assert_eq!(cells, ["volley", "200", "1.00", "20.0", "2", "6", "50", "600", "ratio", ">=", "1.00", "met"]);
        let missed = figures.held_against(Target::P99Ms(6));
        assert!(row(&missed, &columns).ends_with("p99 < 6 ms  MISSED"));
    }
}
