//! How far the reading of a file is.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::out::To;
use super::words;
use crate::audience::{OnProgress, Progress};

/// A bar on stderr; nothing where nobody could see it.
pub(super) fn bar(label: &str, quiet: bool) -> ProgressBar {
    let target = if quiet || !To::Stderr.is_terminal() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr_with_hz(10)
    };
    let bar = ProgressBar::with_draw_target(Some(0), target).with_prefix(label.to_owned());
    bar.set_style(style("{prefix}  {bar:32}  {percent:>3} %  {msg}"));
    bar
}

/// A sign of life for what has no length.
pub(super) fn spinner(text: &str, quiet: bool) -> ProgressBar {
    let target = if quiet || !To::Stderr.is_terminal() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr_with_hz(10)
    };
    let spinner = ProgressBar::with_draw_target(None, target).with_message(text.to_owned());
    spinner.set_style(style("{spinner} {msg}"));
    spinner.enable_steady_tick(std::time::Duration::from_millis(100));
    spinner
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("█▉▊▋▌▍▎▏ ")
}

/// Moves a bar as a file is read.
pub(super) fn follow(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.bytes_total);
    bar.set_position(progress.bytes_done);
    bar.set_message(words::of(progress.rows, "row", "rows"));
}

/// A bar for the audience room's own hook.
pub(super) fn on_progress(bar: &ProgressBar) -> OnProgress {
    let bar = bar.clone();
    Box::new(move |progress| follow(&bar, progress))
}
