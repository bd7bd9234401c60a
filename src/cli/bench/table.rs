//! Prints figures as a table: the medians of all runs.

use std::num::NonZeroU32;

use super::Machine;
use crate::base::domain::grouped;
use crate::bench::{Figures, Held, Run};
use crate::cli::out;

/// A column: its title, its number of decimals, and the source of its figures.
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

#[expect(clippy::cast_precision_loss, reason = "milliseconds for display")]
fn millis(millis: Option<i64>) -> Option<f64> {
    millis.map(|millis| millis as f64)
}

pub(super) const CPU: Column = median("cpu µs", 1, |run| Some(run.cpu_us));
pub(super) const P50: Column = median("p50 ms", 0, |run| millis(run.p50_ms));
pub(super) const P99: Column = median("p99 ms", 0, |run| millis(run.p99_ms));
pub(super) const READY: Column = median("ready ms", 0, |run| millis(run.ready_ms));
pub(super) const STOPPED: Column = median("stopped ms", 0, |run| millis(run.stopped_ms));
pub(super) const ANSWERED: Column = median("answered ms", 0, |run| millis(run.answered_ms));
pub(super) const IDLE: Column = median("idle ms/s", 1, |run| run.idle_ms_per_s);
pub(super) const EARLY: Column = worst("early ms", 2, |run| run.early_ms);
pub(super) const WORST: Column = worst("worst sec", 2, |run| run.worst_second_share);
pub(super) const PEAK: Column = median("peak MiB", 0, |run| Some(run.peak_mib));
pub(super) const SIZE: Column = median("page KiB", 0, |run| run.page_kib);
pub(super) const RECEIPTS: Column = median("receipts/s", 0, |run| run.receipts_per_s);

impl Column {
    fn figure(&self, figures: &Figures) -> Option<f64> {
        if self.worst {
            return figures.runs.iter().filter_map(self.of).max_by(f64::total_cmp);
        }
        figures.median(self.of)
    }

    fn cell(&self, figures: &Figures) -> Option<String> {
        let Self { digits, .. } = *self;
        self.figure(figures).map(|figure| if digits == 0 { rounded(figure) } else { format!("{figure:.digits$}") })
    }
}

/// Prints a table whose first column is the number of `what` per second.
pub(super) fn print(machine: &Machine, what: &str, columns: &[Column], all: &[Figures]) -> anyhow::Result<()> {
    out::data(machine)?;
    let has_targets = all.iter().any(|figures| !figures.targets.is_empty());
    let titles = columns.iter().map(|column| format!(" {:>11}", column.title)).collect::<String>();
    let target = if has_targets { "  target" } else { "" };
    out::data(format!("{:<40} {what:>12} {:>8}{titles}{target}", "", "ratio"))?;
    for figures in all {
        out::data(row(figures, columns))?;
    }
    Ok(())
}

/// Formats a row: the median of each figure.
fn row(figures: &Figures, columns: &[Column]) -> String {
    let dash = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
    let cells = columns.iter().map(|column| format!(" {:>11}", dash(column.cell(figures))));
    let target = target(figures).map_or_else(String::new, |target| format!("  {target}"));
    let [per_second, ratio] = first_cells(figures).map(dash);
    format!("{:<40} {per_second:>12} {ratio:>8}{}{target}", figures.name, cells.collect::<String>())
}

/// Prints the same as a section of Markdown.
pub(super) fn print_markdown(
    name: &str,
    runs: NonZeroU32,
    what: &str,
    columns: &[Column],
    all: &[Figures],
) -> anyhow::Result<()> {
    let mut title = name.to_owned();
    title.get_mut(..1).into_iter().for_each(str::make_ascii_uppercase);
    let runs = if runs.get() == 1 { "One run.".to_owned() } else { format!("Medians of {runs} runs.") };
    out::data(format!("\n## {title}\n\n{runs}\n"))?;
    markdown(what, columns, all).into_iter().try_for_each(out::data)
}

fn markdown(what: &str, columns: &[Column], all: &[Figures]) -> Vec<String> {
    // Skip columns without figures.
    let columns: Vec<&Column> =
        columns.iter().filter(|column| all.iter().any(|figures| column.cell(figures).is_some())).collect();
    let titles = columns.iter().map(|column| format!(" {} |", column.title)).collect::<String>();
    let head = format!("| | {what} | ratio |{titles} target |");
    let rule = format!("| --- | ---: | ---: |{} --- |", " ---: |".repeat(columns.len()));
    let rows = all.iter().map(|figures| {
        let cells = columns.iter().map(|column| column.cell(figures));
        let cells = first_cells(figures).into_iter().chain(cells).chain([target(figures)]);
        let cells = cells.map(|cell| cell.map_or_else(|| " |".to_owned(), |cell| format!(" {cell} |")));
        format!("| {} |{}", figures.name, cells.collect::<String>())
    });
    [head, rule].into_iter().chain(rows).collect()
}

/// The median rate per second, and its ratio to the limit. Rounds the ratio down, so that a missed target never looks met.
fn first_cells(figures: &Figures) -> [Option<String>; 2] {
    let per_second = (figures.median_per_s > 0.0).then(|| rounded(figures.median_per_s));
    let floor = |ratio: f64| (ratio * 100.0 + 1e-9).floor() / 100.0;
    [per_second, figures.median_ratio.map(|ratio| format!("{:.2}", floor(ratio)))]
}

fn target(figures: &Figures) -> Option<String> {
    let line = |held: &Held| format!("{}: {}", held.target, if held.met { "met" } else { "missed" });
    let all: Vec<String> = figures.targets.iter().map(line).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// Rounds to four digits: the next run would not confirm more.
#[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates")]
fn rounded(figure: f64) -> String {
    let mut unit = 1.0;
    while figure / unit >= 10_000.0 {
        unit *= 10.0;
    }
    grouped(((figure / unit).round() * unit) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Target;

    #[test]
    fn table_cells_are_medians_of_the_runs() {
        let run = |per_second, cpu_us, p50_ms, p99_ms, peak_mib| Run {
            rate_per_s: per_second,
            cpu_us,
            p50_ms: Some(p50_ms),
            p99_ms: Some(p99_ms),
            peak_mib,
            receipts_per_s: Some(per_second * 3.0),
            ..Run::default()
        };
        // The last run is an outlier in everything.
        let runs = vec![run(100.0, 10.0, 1, 5, 40.0), run(200.0, 20.0, 2, 6, 50.0), run(900.0, 90.0, 9, 99, 900.0)];
        let limits = vec![run(200.0, 1.0, 1, 1, 1.0); 3];
        let columns = [CPU, P50, P99, PEAK, RECEIPTS];
        let figures = Figures::new("volley", runs, Some(&limits)).held_against(Target::Ratio(1.0));
        let row_of = row(&figures, &columns);
        let cells: Vec<&str> = row_of.split_whitespace().collect();
        assert_eq!(cells, ["volley", "200", "1.00", "20.0", "2", "6", "50", "600", "ratio", ">=", "1.00:", "met"]);
        let missed = figures.held_against(Target::P99Ms(6));
        assert!(row(&missed, &columns).ends_with("ratio >= 1.00: met; p99 < 6 ms: missed"));
        let just = Figures::new("volley", vec![run(79.9, 1.0, 1, 1, 1.0)], Some(&[run(100.0, 1.0, 1, 1, 1.0)]));
        assert_eq!(first_cells(&just)[1].as_deref(), Some("0.79"));
    }
    #[test]
    fn a_markdown_table_skips_columns_without_figures() {
        let run = |per_second, cpu_us| Run { rate_per_s: per_second, cpu_us, ..Run::default() };
        let limits = vec![run(1_234_567.0, 0.0)];
        let all = [
            Figures::new("limit", limits.clone(), None),
            Figures::new("volley", vec![run(987.6, 12.34)], Some(&limits)).held_against(Target::Ratio(0.5)),
        ];
        let expected = [
            "| | messages/s | ratio | cpu µs | target |",
            "| --- | ---: | ---: | ---: | --- |",
            "| limit | 1,235,000 | | 0.0 | |",
            "| volley | 988 | 0.00 | 12.3 | ratio >= 0.50: missed |",
        ];
        assert_eq!(markdown("messages/s", &[CPU, P50], &all), expected);
    }
}
