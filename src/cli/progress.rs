//! Progress bars and spinners.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::callers::printer;
use super::out::To;
use super::words;
use crate::base::domain::Span;
use crate::campaigns::report;
use crate::recipients::audience::{OnProgress, ReadingProgress};

/// A progress bar on stderr; hidden without a terminal.
pub(super) fn bar(label: &str, quiet: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), target(quiet)).with_prefix(label.to_owned());
    bar.set_style(style("{prefix}  {bar:32}  {percent:>3} %  {msg}"));
    bar
}

/// A spinner on stderr for an operation of unknown length; hidden without a terminal.
pub(super) fn spinner(text: &str, quiet: bool) -> ProgressBar {
    let spinner = ProgressBar::with_draw_target(None, target(quiet)).with_message(text.to_owned());
    spinner.set_style(style("{spinner} {msg}"));
    spinner.enable_steady_tick(std::time::Duration::from_millis(100));
    spinner
}

/// A bar is drawn on the terminal of this process alone, not on that of a caller.
fn target(quiet: bool) -> ProgressDrawTarget {
    if quiet || printer().is_some() || !To::Stderr.is_terminal() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr_with_hz(10)
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("█▉▊▋▌▍▎▏ ")
}

/// Updates a bar while a file is read: rows, bytes, rate and time left.
pub(super) fn follow(bar: &ProgressBar, progress: ReadingProgress) {
    bar.set_length(progress.bytes_total);
    bar.set_position(progress.bytes_done);
    bar.set_message(so_far(progress, bar.elapsed().as_secs_f64()));
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "rounded figures for display")]
fn so_far(progress: ReadingProgress, seconds: f64) -> String {
    let ReadingProgress { bytes_done, bytes_total, rows } = progress;
    let mut parts = vec![
        words::plural(rows, "row", "rows"),
        format!("{:.1} of {:.1} MB", bytes_done as f64 / 1e6, bytes_total as f64 / 1e6),
    ];
    // The rate is not known in the first half second.
    if seconds >= 0.5 && bytes_done > 0 {
        let left = seconds * (bytes_total.saturating_sub(bytes_done)) as f64 / bytes_done as f64;
        parts.push(words::rate(rows as f64 / seconds));
        parts.push(format!("{} left", words::about(Span::from_millis((left * 1_000.0) as i64))));
    }
    parts.join(" · ")
}

/// Updates a bar for an operation on all messages of a campaign, which copies them first.
pub(super) fn over_messages(bar: &ProgressBar, progress: report::CopyProgress, all: u64, one: &str, many: &str) {
    let (done, text) = match progress {
        report::CopyProgress::Copied(done) => (done, format!("{} copied", words::plural(done, "message", "messages"))),
        report::CopyProgress::Seen(done) => (done, words::plural(done, one, many)),
    };
    bar.set_length(all);
    bar.set_position(done);
    bar.set_message(text);
}

/// Returns a callback for the audience room that updates the bar.
pub(super) fn on_progress(bar: &ProgressBar) -> OnProgress {
    let bar = bar.clone();
    Box::new(move |progress| follow(&bar, progress))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_shows_rows_bytes_rate_and_time_left() {
        let progress = ReadingProgress { bytes_done: 30_000_000, bytes_total: 90_000_000, rows: 600_000 };
        assert_eq!(so_far(progress, 0.1), "600,000 rows · 30.0 of 90.0 MB");
        assert_eq!(so_far(progress, 2.0), "600,000 rows · 30.0 of 90.0 MB · 300,000/s · 4 s left");
    }
}
