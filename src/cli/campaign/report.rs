//! `volley campaign report`: shows the outcomes of a campaign, and the results of its steps.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use clap::ValueEnum;

use super::find;
use crate::base::clock::format_time;
use crate::base::domain::{BatchState, Channel, Money, Outcome, SkipReason, Timestamp};
use crate::campaigns::report;
use crate::campaigns::report::{Breakdown, CodeReport, CountryReport, NotSubmitted, Report, ReportView, StepReport};
use crate::campaigns::status::Servers;
use crate::cli::out::{self, Paint, To};
use crate::cli::table::Table;
use crate::cli::watch::{fell_back, outcome_notes, took, warn_of_obstacles};
use crate::cli::words::{bar, count, count_or_dash, each, list, percent, plural, shell, span};
use crate::cli::{CommandContext, Exit, progress};
use crate::store::Batch;

const BAR: usize = 32;
/// Unknown messages that are listed.
const NAMED: usize = 5;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Name or id of the campaign, or `latest`.
    campaign: String,
    /// Break the report down by country, by provider code, or both. This reads all messages, which can take a while.
    #[arg(long, value_enum, value_delimiter = ',')]
    by: Vec<By>,
    /// Exit with code 3 if a recipient was not reached.
    #[arg(long)]
    strict: bool,
    /// Print one JSON object: id, name, state, audience, left_out, open, outcomes, delivered_twice, late, unknown, steps.
    #[arg(long)]
    json: bool,
}

/// What a report is broken down by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Country,
    Code,
    Both,
}

/// Whether a message has ended without reaching its recipient.
pub(in crate::cli) fn is_incomplete(report: &Report) -> bool {
    report.audience - report.open > report.outcome(Outcome::Reached)
}

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let batch = find(store.as_ref(), &args.campaign).await?;
    let report = Report::read(store.as_ref(), &batch).await?;
    let parts = match args.by[..] {
        [] => Breakdown::default(),
        _ => {
            let bar = progress::bar("report", args.json);
            let counted = report::breakdown(store.as_ref(), batch.id, |seen, all| {
                progress::over_messages(&bar, seen, all, "message", "messages");
            });
            let counted = counted.await;
            bar.finish_and_clear();
            counted?.unwrap_or_default()
        }
    };
    let is_by = |wanted: By| args.by.iter().any(|by| [wanted, By::Both].contains(by));
    let (countries, codes) = (is_by(By::Country), is_by(By::Code));
    if args.json {
        out::json(&ReportView {
            by_country: countries.then_some(&parts.countries),
            by_code: codes.then_some(&parts.codes),
            ..ReportView::new(&report, &batch)
        })?;
    } else {
        let paint = To::Stdout.paint();
        out::lines(lines(&report, &batch, context.now(), paint))?;
        if countries {
            out::lines(by_country(&parts.countries, paint))?;
        }
        if codes {
            out::lines(by_code(&parts.codes, paint))?;
        }
    }
    if !args.json && report.open > 0 && batch.state != BatchState::Draft {
        warn_of_obstacles(context, store.as_ref(), batch.id).await?;
        if Servers::look(store.as_ref(), context.now()).await?.missing().is_some() {
            out::talk("The figures do not change until a server is running.");
        }
    }
    Ok(if args.strict && is_incomplete(&report) { Exit::Incomplete } else { Exit::Done })
}

pub(in crate::cli) fn lines(report: &Report, batch: &Batch, now: Timestamp, paint: Paint) -> Vec<String> {
    let mut lines = vec![headline(report, batch, paint), paint.dim(when(report, batch, now)), String::new()];
    lines.extend(outcomes(report, paint));
    lines.push(String::new());
    lines.extend(funnel(report, paint));
    lines.extend(cost(report));
    lines.extend(unsent(report, paint));
    lines.extend(fallbacks(report, paint));
    let notes = outcome_notes(report);
    if !notes.is_empty() {
        lines.push(String::new());
        lines.extend(notes);
    }
    for unknown in report.unknown.iter().take(NAMED) {
        lines.push(paint.dim(format!("  {} to {}, step {}", unknown.message, unknown.address, unknown.step)));
    }
    let named = report.unknown.len().min(NAMED) as u64;
    let more = i128::from(report.unknown_count) - i128::from(named);
    if named > 0 && more > 0 {
        let all = format!("volley message list {} --unknown", shell(&report.name));
        lines.push(paint.dim(format!("  and {} more: {all}", count(more))));
    }
    lines
}

fn by_country(countries: &[CountryReport], paint: Paint) -> Vec<String> {
    let number =
        |country: &CountryReport, outcome: Outcome| country.outcomes.0.get(outcome.as_str()).copied().unwrap_or(0);
    // An outcome that no message has gets no column.
    let others: Vec<Outcome> = Outcome::ALL
        .iter()
        .copied()
        .filter(|outcome| *outcome != Outcome::Reached)
        .filter(|outcome| countries.iter().any(|country| number(country, *outcome) > 0))
        .collect();
    let heads = others.iter().map(|outcome| format!(">{outcome}"));
    let heads: Vec<String> =
        ["country", ">recipients", ">reached", ">share"].map(str::to_owned).into_iter().chain(heads).collect();
    let open = countries.iter().any(|country| country.open > 0);
    let heads: Vec<&str> = heads.iter().map(String::as_str).chain(open.then_some(">open")).collect();
    let mut table = Table::new(&heads);
    for country in countries {
        let reached = number(country, Outcome::Reached);
        let name = country.country.map_or("?".to_owned(), |country| country.to_string());
        let mut cells =
            vec![name, count(country.audience), paint.good(count_or_dash(reached)), percent(reached, country.audience)];
        cells.extend(others.iter().map(|outcome| count_or_dash(number(country, *outcome))));
        cells.extend(open.then(|| count_or_dash(country.open)));
        table.row(cells);
    }
    [vec![String::new()], table.lines(paint)].concat()
}

fn by_code(codes: &[CodeReport], paint: Paint) -> Vec<String> {
    if codes.is_empty() {
        return vec![String::new(), "The provider reported no errors.".to_owned()];
    }
    let mut table = Table::new(&["", "", "result", "?>code", "meaning", "?cause", ">messages", ">ended the step"]);
    for code in codes {
        table.row([
            paint.dim(code.step),
            code.channel.map(|channel| channel.to_string()).unwrap_or_default(),
            code.result.to_owned(),
            code.code.map_or("none".to_owned(), |code| code.to_string()),
            code.meaning.to_owned(),
            paint.dim(code.cause),
            count(code.messages),
            count_or_dash(code.ended),
        ]);
    }
    let legend =
        "ended the step: messages whose step ended because of it; for the others, the step was retried or already over";
    [vec![String::new()], table.lines(paint), vec![String::new(), paint.dim(legend)]].concat()
}

fn headline(report: &Report, batch: &Batch, paint: Paint) -> String {
    let state = match (report.state, batch.why()) {
        (BatchState::Settled, _) => paint.good("settled: every message has its outcome"),
        (BatchState::Finished, _) => paint.good("finished: nothing is left to submit; last receipts may still come"),
        // A reason such as "cancelled by ann: wrong text" names the state.
        (state, Some(why)) if why.starts_with(&state.to_string()) => paint.so_so(why),
        (state, Some(why)) => format!("{}{}", paint.so_so(state), paint.dim(format!(" · {why}"))),
        (state, None) => paint.so_so(state),
    };
    format!("{}  {state}", paint.bold(&report.name))
}

fn when(report: &Report, batch: &Batch, now: Timestamp) -> String {
    let mut parts = vec![plural(report.audience, "recipient", "recipients"), format!("from {}", batch.audience)];
    match (batch.started_at, batch.starts_at) {
        (Some(begun), _) => {
            parts.push(format!("started {}", format_time(begun, report.zone)));
            parts.extend(took(batch, now).map(|took| match report.state {
                BatchState::Settled => format!("took {}", span(took)),
                _ => format!("{} ago", span(took)),
            }));
        }
        (None, Some(at)) => {
            let at = format_time(at, report.zone);
            parts.push(match report.state {
                BatchState::Draft => format!("to start at {at}, once `volley campaign start` is run"),
                state if state.is_cancelled() => format!("was to start {at}"),
                _ => format!("starts {at}"),
            });
        }
        (None, None) => {}
    }
    if !report.left_out.is_empty() {
        let rows = report.left_out.values().sum::<u64>();
        let corrected = match report.corrected {
            0 => String::new(),
            corrected => format!("; {} of them were corrected and imported", count(corrected)),
        };
        parts.push(format!("{} left out: {}{corrected}", plural(rows, "row", "rows"), each(&report.left_out)));
    }
    parts.join(" · ")
}

fn outcomes(report: &Report, paint: Paint) -> Vec<String> {
    let whole = report.audience;
    let mut table = Table::new(&["", ">", ">", ""]);
    let mut row = |what: &str, number: i64, note: String| {
        let drawn = bar(number, whole, BAR);
        let drawn = match what {
            "reached" => paint.good(drawn),
            "open" => paint.dim(drawn),
            _ => paint.bad(drawn),
        };
        let drawn = if note.is_empty() { drawn } else { format!("{drawn} {}", paint.dim(note)) };
        table.row([what.to_owned(), count(number), percent(number, whole), drawn]);
    };
    for outcome in Outcome::ALL {
        let number = report.outcome(*outcome);
        if number == 0 && *outcome != Outcome::Reached {
            continue;
        }
        let note = match outcome {
            Outcome::Silent => "no final receipt before the receipt window closed".to_owned(),
            Outcome::Unknown => "unknown whether the last submission happened".to_owned(),
            Outcome::Expired => "time ran out before the next step could be submitted".to_owned(),
            Outcome::Skipped => each(&report.skipped),
            Outcome::Reached | Outcome::Undelivered | Outcome::Cancelled => String::new(),
        };
        row(outcome.as_str(), number, note);
    }
    if report.open > 0 {
        let note = if report.state.is_cancelled() {
            "submitted, or being submitted, before the cancel; receipts may still come"
        } else {
            ""
        };
        row("open", report.open, note.to_owned());
    }
    table.lines(paint)
}

fn funnel(report: &Report, paint: Paint) -> Vec<String> {
    let entered = |step: &StepReport| step.course.map_or(step.handed_over, |course| course.entered.total());
    let mut table = Table::new(&[
        "",
        "",
        ">entered",
        "?>submitted",
        "?>sent",
        ">delivered",
        "?>read",
        "?>undelivered",
        "?>rejected",
        ">reached",
        ">of all",
    ]);
    for step in &report.steps {
        table.row([
            paint.dim(step.step),
            step.channel.to_string(),
            count_or_dash(entered(step)),
            count_or_dash(step.handed_over),
            count_or_dash(step.sent),
            count_or_dash(step.delivered),
            count_or_dash(step.read),
            count_or_dash(step.undelivered),
            count_or_dash(step.rejected),
            paint.good(count_or_dash(step.reached)),
            percent(step.reached, report.audience),
        ]);
    }
    let mut lines = table.lines(paint);
    let replied = report.steps.iter().filter(|step| step.replied > 0);
    let replied: Vec<String> = replied
        .map(|step| format!("{} on {}", plural(step.replied, "recipient", "recipients"), step.channel))
        .collect();
    if !replied.is_empty() {
        lines.push(format!(
            "replied: {} {}",
            list(&replied),
            paint.dim(format!("(volley reply list --campaign {})", shell(&report.name)))
        ));
    }
    lines.extend(replies(report, paint));
    let passed_over: Vec<String> = report
        .steps
        .iter()
        .filter(|step| step.passed_over > 0)
        .map(|step| format!("{} for {}", step.channel, plural(step.passed_over, "recipient", "recipients")))
        .collect();
    if !passed_over.is_empty() {
        lines.push(paint.dim(format!("skipped by conditions of the route: {}", list(&passed_over))));
    }
    lines
}

/// The kinds of replies, and below them the chosen buttons and list rows.
fn replies(report: &Report, paint: Paint) -> Vec<String> {
    let chosen = report.reply_counts.iter().filter_map(|reply| Some((reply, reply.choice.as_deref()?)));
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for reply in report.reply_counts.iter().filter(|reply| reply.choice.is_none()) {
        *kinds.entry(reply_kind(&reply.kind)).or_default() += u64::from(reply.count);
    }
    let mut choices: BTreeMap<&str, u64> = BTreeMap::new();
    for (reply, choice) in chosen {
        *choices.entry(choice).or_default() += u64::from(reply.count);
    }
    let by_count = |counted: BTreeMap<&str, u64>| {
        let mut counted: Vec<_> = counted.into_iter().map(|(what, number)| (what.to_owned(), number)).collect();
        counted.sort_by_key(|(_, number)| Reverse(*number));
        counted
    };
    let (kinds, choices) = (by_count(kinds), by_count(choices));
    let mut lines = Vec::new();
    if !choices.is_empty() {
        let named = choices.iter().take(NAMED).map(|(choice, number)| format!("{} \"{choice}\"", count(*number)));
        let more = choices.len().saturating_sub(NAMED);
        let more = (more > 0).then(|| plural(more as u64, "more choice", "more choices"));
        let named: Vec<String> = named.chain(more).collect();
        lines.push(format!("  chose: {}", named.join(" · ")));
    }
    if !kinds.is_empty() {
        let named: Vec<String> = kinds.iter().map(|(kind, number)| format!("{} {kind}", count(*number))).collect();
        lines.push(paint.dim(format!("  other replies: {}", named.join(" · "))));
    }
    lines
}

/// The provider's word for a kind of message, for operators.
fn reply_kind(kind: &str) -> &str {
    match kind {
        "nfmreply" | "nfm_reply" => "completed form",
        "callpermissionreply" | "call_permission_reply" => "call permission",
        "button_reply" | "buttons" => "button",
        "list_reply" => "list row",
        other => other,
    }
}

/// The cost of the submitted messages, by the prices at launch.
fn cost(report: &Report) -> Option<String> {
    let spent: Vec<(Channel, Money)> =
        report.steps.iter().filter_map(|step| Some((step.channel, step.spent?))).collect();
    let whole: Money = spent.iter().map(|(_, spent)| *spent).sum();
    let parts: Vec<String> =
        spent.iter().map(|(channel, spent)| format!("{} {channel}", spent.rounded(None))).collect();
    let has_parts = parts.len() > 1 && !whole.is_zero();
    let parts = if has_parts { format!(" ({})", parts.join(" · ")) } else { String::new() };
    let whole = whole.rounded(report.currency.as_deref());
    let reserved = report.reserved_words().map(|words| format!("; {words}")).unwrap_or_default();
    (!spent.is_empty()).then(|| format!("cost: {whole}{parts}{reserved}"))
}

/// Counts steps that were not submitted, and steps for which that is unknown.
fn unsent(report: &Report, paint: Paint) -> impl Iterator<Item = String> {
    let of_steps = |what: &str, figure: fn(&StepReport) -> i64| {
        let steps = report.steps.iter().filter(|step| figure(step) > 0);
        let steps: Vec<String> = steps.map(|step| format!("{} {}", count(figure(step)), step.channel)).collect();
        (!steps.is_empty()).then(|| paint.dim(format!("{what}: {}", list(&steps))))
    };
    let not_submitted = report.steps.iter().filter_map(|step| {
        let why = step.course?.not_submitted;
        (why.total() > 0).then(|| format!("{} {} ({})", count(why.total()), step.channel, reasons(&why, report)))
    });
    let not_submitted: Vec<String> = not_submitted.collect();
    let to_submit = match report.state.is_cancelled() {
        true => "was being submitted at the cancel",
        false if report.set_aside > 0 => "to submit, or set aside",
        false => "to submit",
    };
    let lines = [
        of_steps(to_submit, |step| step.course.map_or(0, |course| course.to_submit)),
        (!not_submitted.is_empty()).then(|| paint.dim(format!("not submitted: {}", list(&not_submitted)))),
        of_steps("not needed, because an earlier step arrived before they were submitted", |step| step.recalled),
        // A campaign of a version that did not count why messages were not submitted.
        of_steps("expired before submission", |step| if step.course.is_none() { step.expired } else { 0 }),
        of_steps("cancelled before submission", |step| if step.course.is_none() { step.cancelled } else { 0 }),
        of_steps("unknown whether submitted", |step| step.unknown_count),
    ];
    lines.into_iter().flatten()
}

/// Why messages were not submitted on a step: `8 rejected · 3 expired`.
fn reasons(why: &NotSubmitted, report: &Report) -> String {
    // These are counted together on each step, so the words name only the ones that are possible.
    let has = |outcome: Outcome| report.outcomes.0.get(outcome.as_str()).is_some_and(|count| *count > 0);
    let called_off = [
        (report.state.is_cancelled() || has(Outcome::Cancelled), "cancelled"),
        (report.skipped.contains_key(&SkipReason::OptedOut.to_string()), "opted out"),
        (report.skipped.contains_key(&SkipReason::Excluded.to_string()), "excluded"),
        (report.skipped.contains_key(&SkipReason::MissingVariable.to_string()), "without a value"),
    ];
    let called_off: Vec<&str> = called_off.into_iter().filter(|(may_be, _)| *may_be).map(|(_, what)| what).collect();
    let called_off = if called_off.is_empty() { "stopped".to_owned() } else { called_off.join(" or ") };
    let parts = [
        (why.rejected, "rejected"),
        (why.could_not_leave, "waited too long"),
        (why.outside_window, "outside window"),
        (why.opted_out, "opted out of it"),
        (why.missing_variable, "missing variable"),
        (why.expired, "expired"),
        (why.called_off, called_off.as_str()),
    ];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    parts.map(|(number, why)| format!("{} {why}", count(number))).collect::<Vec<_>>().join(" · ")
}

/// The recipients that a fallback reached, for each pair of steps.
fn fallbacks(report: &Report, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    if report.steps.iter().any(|step| step.passed_over > 0) {
        // A step may be the first for one recipient and a fallback for another; the counters do not separate these.
        return lines;
    }
    let total: i64 = report.steps.iter().skip(1).map(|step| step.reached).sum();
    for pair in report.steps.windows(2) {
        let [before, step] = pair else { continue };
        let came = before.fell_back.total();
        if came == 0 {
            continue;
        }
        if lines.is_empty() {
            let reached = plural(total, "recipient was reached by a fallback", "recipients were reached by a fallback");
            lines.extend([String::new(), paint.bold(format!("{reached}, {} of all", percent(total, report.audience)))]);
        }
        let waiting = step.course.map_or(0, |course| course.to_submit);
        let waiting = (waiting > 0).then(|| format!("; {} not submitted yet", count(waiting)));
        lines.push(format!(
            "  {} by {}, of {} that fell back from {} {}{}",
            count(step.reached),
            step.channel,
            count(came),
            before.channel,
            paint.dim(format!("({})", fell_back(&before.fell_back))),
            waiting.unwrap_or_default(),
        ));
    }
    lines
}
