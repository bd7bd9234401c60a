//! Draws a look at a campaign: a frame on a terminal, a line elsewhere.

use console::measure_text_width;

use super::took;
use crate::base::clock::format_time;
use crate::base::domain::BatchState;
use crate::campaigns::report::{FellBack, Report};
use crate::campaigns::status::{LaneRateView, Look, Obstacle};
use crate::cli::campaign::state;
use crate::cli::out::Paint;
use crate::cli::table::Table;
use crate::cli::words::{about, count, count_or_dash, percent, plural, rate, span};
use crate::rules::forecast::Forecast;

/// Begins a line about what keeps messages from being sent.
pub(in crate::cli) const DELAY: &str = "delay:";
/// The most columns of a bar.
const BAR_MAX: usize = 72;

/// The lines of the whole view on a terminal of `width` columns.
pub(super) fn frame(look: &Look, width: usize, paint: Paint) -> Vec<String> {
    let mut lines = vec![title(look, paint), bar(look, width, paint), legend(look, width, paint), String::new()];
    lines.extend(funnel(look, width, paint));
    lines.push(String::new());
    lines.push(progress(look));
    lines.extend(lane_rates(look).map(|rates| paint.dim(rates)));
    lines.extend(outcome_notes(&look.report).into_iter().map(|note| paint.dim(note)));
    lines.extend(look.waits().map(|sentence| format!("{} {sentence}", paint.so_so(DELAY))));
    for obstacle in &look.obstacles {
        lines.push(format!("{} {}", paint.so_so(DELAY), obstacle.what_since(look.at)));
        lines.push(format!("  {}", paint.dim(obstacle.what_to_do(&look.show.name, look.at))));
    }
    lines
}

fn title(look: &Look, paint: Paint) -> String {
    let state = match look.batch.state {
        state @ (BatchState::Running | BatchState::Finished | BatchState::Settled) => paint.good(state),
        state @ (BatchState::Paused | BatchState::Scheduled) => paint.so_so(state),
        state => paint.bad(state),
    };
    let begins = look.batch.starts_at.filter(|at| *at > look.at);
    let since = match (begins, took(&look.batch, look.at)) {
        (Some(at), _) => format!(" · starts {}, in {}", format_time(at, look.report.zone), about(at.since(look.at))),
        (None, Some(took)) => format!(" · {}", about(took)),
        (None, None) => String::new(),
    };
    let why = look.batch.why().map(|why| format!(" · {why}")).unwrap_or_default();
    let restored =
        look.batch.restored_from.map(|at| format!(" · from a backup of {}", format_time(at, look.report.zone)));
    let restored = restored.unwrap_or_default();
    format!("{}  {state}{}", paint.bold(&look.show.name), paint.dim(format!("{since}{why}{restored}")))
}

/// The bar of done, submitted and waiting messages.
fn bar(look: &Look, width: usize, paint: Paint) -> String {
    let columns = width.saturating_sub(12).clamp(10, BAR_MAX);
    let counts = look.show.counts;
    let whole = look.report.audience.max(1);
    let width_of = |number: i64| {
        let columns = i128::try_from(columns).unwrap_or(0);
        usize::try_from(i128::from(number) * columns / i128::from(whole))
            .unwrap_or(0)
            .min(columns.try_into().unwrap_or(0))
    };
    let done = width_of(counts.done);
    let submitted = width_of(counts.done + counts.to_come(look.batch.state)).max(done);
    format!(
        "{}{}{} {}",
        paint.good("█".repeat(done)),
        paint.so_so("▒".repeat(submitted - done)),
        paint.dim("░".repeat(columns - submitted)),
        percent(counts.done, look.report.audience),
    )
}

fn legend(look: &Look, width: usize, paint: Paint) -> String {
    let whole = legend_with(look, "submitted, receipts pending", paint);
    if measure_text_width(&whole) <= width { whole } else { legend_with(look, "submitted", paint) }
}

fn legend_with(look: &Look, submitted: &str, paint: Paint) -> String {
    let counts = look.show.counts;
    let done = format!("done, {} reached", count(reached(&look.report)));
    let parts = [
        (paint.good("█"), counts.done, done.as_str()),
        (paint.so_so("▒"), counts.to_come(look.batch.state), submitted),
        (paint.dim("░"), counts.to_hand_over(look.batch.state), "to submit"),
    ];
    let parts = parts.into_iter().map(|(sign, number, what)| format!("{sign} {} {what}", count(number)));
    parts.collect::<Vec<_>>().join("   ")
}

/// The counts of each step. The reasons for fallbacks follow the numbers, or go below them on a narrow terminal.
fn funnel(look: &Look, width: usize, paint: Paint) -> Vec<String> {
    let mut lines = funnel_table(look, true, paint);
    if lines.iter().any(|line| measure_text_width(line) > width) {
        lines = funnel_table(look, false, paint);
    }
    let reasons: Vec<String> = look.report.steps.iter().map(|step| fell_back(&step.fell_back)).collect();
    let fits = |(line, reason): (&String, &String)| measure_text_width(line) + 2 + measure_text_width(reason) < width;
    // The first line is the header.
    if lines.iter().skip(1).zip(&reasons).all(fits) {
        for (line, reason) in lines.iter_mut().skip(1).zip(&reasons).filter(|(_, reason)| !reason.is_empty()) {
            line.push_str("  ");
            line.push_str(&paint.dim(reason));
        }
        return lines;
    }
    let mut apart = lines.drain(..1).collect::<Vec<_>>();
    for (line, reason) in lines.into_iter().zip(reasons) {
        apart.push(line);
        if !reason.is_empty() {
            apart.push(paint.dim(format!("   fell back: {reason}")));
        }
    }
    apart
}

/// The table of steps; on a narrow terminal without the columns `sent` and `read`.
fn funnel_table(look: &Look, whole: bool, paint: Paint) -> Vec<String> {
    let all = [
        ("", true),
        ("", true),
        (">submitted", true),
        (">sent", whole),
        (">delivered", true),
        (">read", whole),
        (">undelivered", true),
        (">fell back", true),
    ];
    let shown = |cells: [String; 8]| all.iter().zip(cells).filter(|((_, shown), _)| *shown).map(|(_, cell)| cell);
    let names: Vec<&str> = all.iter().filter(|(_, shown)| *shown).map(|(name, _)| *name).collect();
    let mut table = Table::new(&names);
    for step in &look.report.steps {
        table.row(shown([
            paint.dim(step.step),
            step.channel.to_string(),
            count_or_dash(step.handed_over),
            count_or_dash(step.sent),
            paint.good(count_or_dash(step.delivered)),
            count_or_dash(step.read),
            count_or_dash(step.undelivered),
            paint.so_so(count_or_dash(step.fell_back.total())),
        ]));
    }
    table.lines(paint)
}

/// Why messages fell back: `365 not in time · 247 undelivered`.
pub(in crate::cli) fn fell_back(fell: &FellBack) -> String {
    let parts = [
        (fell.deadline, "not in time"),
        (fell.undelivered, "undelivered"),
        (fell.rejected, "rejected"),
        (fell.could_not_leave, "could not be submitted"),
        (fell.outside_window, "outside window"),
        (fell.opted_out, "opted out of it"),
        (fell.missing_variable, "missing variable"),
    ];
    let parts = parts.into_iter().filter(|(number, _)| *number != 0);
    parts.map(|(number, why)| format!("{} {why}", count(number))).collect::<Vec<_>>().join(" · ")
}

/// `the remaining messages will be sent by 2026-12-01 14:30 (in 2 h); limited by the tier of portfolio acme`.
pub(in crate::cli) fn forecast_sentence(forecast: &Forecast, look: &Look) -> String {
    let (at, left) = (format_time(forecast.done_at, look.report.zone), about(forecast.done_at.since(look.at)));
    let what = match (look.is_held, &forecast.left_behind[..]) {
        (true, []) => "without the hold the remaining messages would be sent by",
        (true, [_, ..]) => "without the hold all messages that can be sent would be sent by",
        (false, []) => "the remaining messages will be sent by",
        (false, [_, ..]) => "all messages that can be sent will be sent by",
    };
    format!("{what} {at} (in {left}){}", forecast.limited_by())
}

/// `worst case (every message falls back at every step): the last message is submitted by 2026-12-01 14:30`; `None` if
/// it is not known.
pub(in crate::cli) fn worst_case(look: &Look) -> Option<String> {
    let by = format_time(look.finished_by.filter(|_| !look.is_held)?, look.report.zone);
    Some(format!("{}: the last message is submitted by {by}", worst_case_of(look.has_limits)))
}

/// What the worst case assumes.
pub(in crate::cli) const fn worst_case_of(has_limits: bool) -> &'static str {
    if has_limits {
        "worst case (every message falls back at every step; limits and budgets left out)"
    } else {
        "worst case (every message falls back at every step)"
    }
}

/// `promo-sg 44.5/s of 80/s · viber 3/s of 20/s`, as the server measures its lanes; else the campaign's own rate.
pub(in crate::cli) fn rates(look: &Look) -> String {
    lane_rates(look).unwrap_or_else(|| format!("{} of {}", rate(look.show.rate.now), rate(look.show.rate.allowed)))
}

/// `None` if it has one lane, or no server reports its lanes.
fn lane_rates(look: &Look) -> Option<String> {
    let is_sending = look.batch.state == BatchState::Running;
    let lanes = look.lanes.iter().filter(|_| is_sending && look.lanes.len() > 1);
    let rates = lanes.filter_map(|LaneRateView { lane, rate_per_s, allowed_per_s }| {
        Some(format!("{lane} {} of {}", rate((*rate_per_s)?), rate(*allowed_per_s)))
    });
    let rates: Vec<String> = rates.collect();
    (!rates.is_empty()).then(|| rates.join(" · "))
}

/// Whether there is a server that can send and record it. Without one, no time can be promised.
pub(in crate::cli) const fn can_send(look: &Look) -> bool {
    look.server && !look.is_unwritable
}

/// The rate, the forecast and the next deadline.
fn progress(look: &Look) -> String {
    let waiting = look.show.counts.to_hand_over(look.batch.state);
    let mut parts = Vec::new();
    if waiting > 0 || look.show.rate.now > 0.0 {
        parts.push(format!("{} now, {} allowed", rate(look.show.rate.now), rate(look.show.rate.allowed)));
    }
    let is_sending = can_send(look) && look.batch.state == BatchState::Running;
    if let Some(forecast) = look.forecast.as_ref().filter(|_| is_sending) {
        parts.push(forecast_sentence(forecast, look));
        parts.extend(worst_case(look));
    }
    if let Some(due) = look.next_due.filter(|due| *due > look.at && waiting == 0 && is_sending) {
        parts.push(format!("next deadline in {}", about(due.since(look.at))));
    }
    if parts.is_empty() {
        parts.push(match look.batch.state {
            BatchState::Settled => {
                format!("{} of {} reached", count(reached(&look.report)), count(look.report.audience))
            }
            BatchState::Finished => "nothing is left to submit; last receipts may still come".to_owned(),
            _ => String::new(),
        });
    }
    parts.extend(settled_by(look));
    parts.retain(|part| !part.is_empty());
    parts.join(" · ")
}

/// `all outcomes are known by 2026-12-03 14:30 (in 2 days) at the latest, when no more receipts are awaited`.
pub(in crate::cli) fn settled_by(look: &Look) -> Option<String> {
    let at = look.settled_by.filter(|at| *at > look.at)?;
    let (at, left) = (format_time(at, look.report.zone), about(at.since(look.at)));
    Some(format!("all outcomes are known by {at} (in {left}) at the latest, when no more receipts are awaited"))
}

fn reached(report: &Report) -> i64 {
    report.outcome(crate::base::domain::Outcome::Reached)
}

/// Sentences about unknown, doubled and late messages.
pub(in crate::cli) fn outcome_notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    if report.set_aside > 0 {
        let what = plural(report.set_aside, "message is set aside", "messages are set aside");
        notes.push(format!("{what}: the provider refuses them while it accepts others; release or cancel each"));
    }
    if report.unknown_count > 0 {
        let what = plural(report.unknown_count, "submission is unknown", "submissions are unknown");
        notes.push(format!("{what}: the request failed on the way, and the message may have arrived"));
    }
    if report.delivered_twice > 0 {
        let what = plural(report.delivered_twice, "message was delivered twice", "messages were delivered twice");
        notes.push(format!("{what}: an earlier step succeeded after a later one had been submitted"));
    }
    if report.late > 0 {
        let what = plural(report.late, "recipient was reached late", "recipients were reached late");
        notes.push(format!("{what}: the receipt came after the message had ended"));
    }
    notes
}

/// One line for logs and pipes.
pub(super) fn line(look: &Look) -> String {
    let counts = look.show.counts;
    let mut parts = vec![
        state(&look.batch, look.report.zone),
        format!(
            "{} of {} done, {} reached",
            count(counts.done),
            count(look.report.audience),
            count(reached(&look.report))
        ),
    ];
    let waiting = counts.to_hand_over(look.batch.state);
    if waiting > 0 {
        parts.push(format!("{} to submit", count(waiting)));
        parts.extend((look.batch.state == BatchState::Running).then(|| rates(look)));
    }
    for step in look.report.steps.iter().filter(|step| step.handed_over > 0) {
        parts.push(format!(
            "{} {} submitted, {} delivered",
            step.channel,
            count(step.handed_over),
            count(step.delivered)
        ));
    }
    if has_unknown_or_doubles(&look.report) {
        parts.push(format!(
            "{} unknown, {} delivered twice",
            count(look.report.unknown_count),
            count(look.report.delivered_twice)
        ));
    }
    // Until then the forecast changes from look to look.
    let has_end = look.batch.state == BatchState::Finished || look.batch.state.is_cancelled();
    parts.extend(
        look.settled_by
            .filter(|_| has_end)
            .map(|by| format!("all outcomes are known by {} at the latest", format_time(by, look.report.zone))),
    );
    parts.extend(look.waits());
    for obstacle in look.obstacles.iter().filter(|obstacle| !matches!(obstacle, Obstacle::NoServer)) {
        parts.push(format!("{} ({})", obstacle.what(), obstacle.what_to_do(&look.show.name, look.at)));
    }
    if look.batch.state == BatchState::Settled
        && let Some(took) = took(&look.batch, look.at)
    {
        parts.push(span(took));
    }
    parts.join(" · ")
}

const fn has_unknown_or_doubles(report: &Report) -> bool {
    report.unknown_count > 0 || report.delivered_twice > 0
}
