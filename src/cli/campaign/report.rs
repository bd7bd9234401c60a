//! `volley campaign report`: what a person shows to a colleague.

use serde::Serialize;

use clap::ValueEnum;

use super::{find, why};
use crate::campaign::{self, Breakdown, CodeReport, CountryReport, Report, StepReport, moment};
use crate::cli::out::{self, Paint, To};
use crate::cli::table::Table;
use crate::cli::watch::{fell_back, outcome_notes, took};
use crate::cli::words::{bar, count, count_or_dash, each, list, of, percent, shell, span};
use crate::cli::{Exit, Ground, progress};
use crate::domain::{BatchState, Channel, Money, Outcome, Timestamp};
use crate::store::Batch;

const BAR: usize = 32;
/// Unknown messages that are named.
const NAMED: usize = 5;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Its name or its id.
    campaign: String,
    /// By country, by the provider's code, or both: counted over all messages, which takes a while where they are many.
    #[arg(long, value_enum, value_delimiter = ',')]
    by: Vec<By>,
    /// End with exit code 3 if somebody was not reached.
    #[arg(long)]
    strict: bool,
    /// As an object: id, name, state, audience, left_out, open, outcomes, delivered_twice, late, unknown, steps.
    #[arg(long)]
    json: bool,
}

/// What a report is parted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Country,
    Code,
}

/// The report in the parts that were asked for.
#[derive(Serialize)]
struct Parted<'a> {
    #[serde(flatten)]
    whole: ReportShown<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    countries: Option<&'a [CountryReport]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    codes: Option<&'a [CodeReport]>,
}

/// The report with when it was, for JSON.
#[derive(Serialize)]
pub(in crate::cli) struct ReportShown<'a> {
    #[serde(flatten)]
    report: &'a Report,
    started_at: Option<String>,
    finished_at: Option<String>,
    settled_at: Option<String>,
}

impl<'a> ReportShown<'a> {
    pub(in crate::cli) fn new(report: &'a Report, batch: &Batch) -> Self {
        let when = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
        Self {
            report,
            started_at: when(batch.started_at),
            finished_at: when(batch.finished_at),
            settled_at: when(batch.settled_at),
        }
    }
}

/// Whether somebody was not reached, of those whose message has ended.
pub(in crate::cli) fn is_incomplete(report: &Report) -> bool {
    report.audience - report.open > report.outcome(Outcome::Reached)
}

pub(super) async fn run(args: Args, ground: &Ground) -> anyhow::Result<Exit> {
    let store = ground.existing_store().await?;
    let batch = find(store.as_ref(), &args.campaign).await?;
    let report = Report::read(store.as_ref(), &batch).await?;
    let parts = match args.by[..] {
        [] => Breakdown::default(),
        _ => {
            let bar = progress::bar("report", args.json);
            let counted = campaign::breakdown(store.as_ref(), batch.id, |seen, all| {
                progress::over_messages(&bar, seen, all, "message", "messages");
            });
            let counted = counted.await;
            bar.finish_and_clear();
            counted?.unwrap_or_default()
        }
    };
    let (countries, codes) = (args.by.contains(&By::Country), args.by.contains(&By::Code));
    if args.json {
        out::json(&Parted {
            whole: ReportShown::new(&report, &batch),
            countries: countries.then_some(&parts.countries),
            codes: codes.then_some(&parts.codes),
        })?;
    } else {
        let paint = To::Stdout.paint();
        out::lines(lines(&report, &batch, ground.now(), paint))?;
        if countries {
            out::lines(by_country(&parts.countries, paint))?;
        }
        if codes {
            out::lines(by_code(&parts.codes, paint))?;
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
    lines.extend(beside(report, paint));
    lines.extend(saved(report, paint));
    let notes = outcome_notes(report);
    if !notes.is_empty() {
        lines.push(String::new());
        lines.extend(notes);
    }
    for unknown in report.unknown.iter().take(NAMED) {
        lines.push(paint.dim(format!("  {} to {}, step {}", unknown.message, unknown.msisdn, unknown.step)));
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
    // How nobody ended needs no column.
    let others: Vec<Outcome> = Outcome::ALL
        .iter()
        .copied()
        .filter(|outcome| *outcome != Outcome::Reached)
        .filter(|outcome| countries.iter().any(|country| number(country, *outcome) > 0))
        .collect();
    let heads = others.iter().map(|outcome| format!(">{outcome}"));
    let heads: Vec<String> =
        ["country", ">people", ">reached", ">of them"].map(str::to_owned).into_iter().chain(heads).collect();
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
        return vec![String::new(), "The provider has said no to nothing.".to_owned()];
    }
    let mut table = Table::new(&["", "", "said", ">code", "which means", "whose fault", ">messages", ">ended by it"]);
    for code in codes {
        table.row([
            paint.dim(code.step),
            code.channel.map(|channel| channel.to_string()).unwrap_or_default(),
            code.said.to_owned(),
            code.code.map_or("–".to_owned(), |code| code.to_string()),
            code.meaning.to_owned(),
            paint.dim(code.fault),
            count(code.messages),
            count_or_dash(code.ended),
        ]);
    }
    [vec![String::new()], table.lines(paint)].concat()
}

fn headline(report: &Report, batch: &Batch, paint: Paint) -> String {
    let why = why(batch).map(|why| format!(" · {why}")).unwrap_or_default();
    let state = match report.state {
        BatchState::Settled => paint.good("settled: every message has its outcome"),
        BatchState::Finished => paint.good("finished: nothing is left to hand over, last receipts may still come"),
        state => paint.so_so(state),
    };
    format!("{}  {state}{}", paint.bold(&report.name), paint.dim(why))
}

fn when(report: &Report, batch: &Batch, now: Timestamp) -> String {
    let mut said = vec![of(report.audience, "person", "people"), format!("from {}", batch.audience)];
    match (batch.started_at, batch.starts_at) {
        (Some(begun), _) => {
            said.push(format!("begun {}", moment(begun, report.zone)));
            said.extend(took(batch, now).map(|took| match report.state {
                BatchState::Settled => format!("took {}", span(took)),
                _ => format!("{} ago", span(took)),
            }));
        }
        (None, Some(at)) => said.push(format!("begins {}", moment(at, report.zone))),
        (None, None) => {}
    }
    if !report.left_out.is_empty() {
        let rows = report.left_out.values().sum::<u64>();
        said.push(format!("{} left out: {}", of(rows, "row", "rows"), each(&report.left_out)));
    }
    said.join(" · ")
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
            Outcome::Silent => "no word from the provider until the receipt window closed".to_owned(),
            Outcome::Unknown => "unknown whether the last submission happened".to_owned(),
            Outcome::Expired => "time ran out before the next step could leave".to_owned(),
            Outcome::Skipped => each(&report.skipped),
            Outcome::Reached | Outcome::Undelivered | Outcome::Cancelled => String::new(),
        };
        row(outcome.as_str(), number, note);
    }
    if report.open > 0 {
        row("open", report.open, String::new());
    }
    table.lines(paint)
}

fn funnel(report: &Report, paint: Paint) -> Vec<String> {
    let mut table = Table::new(&[
        "",
        "",
        ">handed over",
        ">sent",
        ">delivered",
        ">read",
        ">undelivered",
        ">rejected",
        ">reached by it",
        ">of all",
    ]);
    for step in &report.steps {
        table.row([
            paint.dim(step.step),
            step.channel.to_string(),
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
    let answered = report.steps.iter().filter(|step| step.replied > 0);
    let answered: Vec<String> =
        answered.map(|step| format!("{} on {}", of(step.replied, "person", "people"), step.channel)).collect();
    if !answered.is_empty() {
        lines.push(format!(
            "answered: {} {}",
            list(&answered),
            paint.dim(format!("(volley reply list --campaign {})", shell(&report.name)))
        ));
    }
    let passed_over: Vec<String> = report
        .steps
        .iter()
        .filter(|step| step.passed_over > 0)
        .map(|step| format!("{} not for {}", step.channel, of(step.passed_over, "person", "people")))
        .collect();
    if !passed_over.is_empty() {
        lines.push(paint.dim(format!("by the conditions of the route: {}", list(&passed_over))));
    }
    lines
}

/// What was spent, by the prices of the launch.
fn cost(report: &Report) -> Option<String> {
    let spent: Vec<(Channel, Money)> =
        report.steps.iter().filter_map(|step| Some((step.channel, step.spent?))).collect();
    let whole: Money = spent.iter().map(|(_, spent)| *spent).sum();
    let whole = whole.in_currency(report.currency.as_deref());
    let parts: Vec<String> =
        spent.iter().map(|(channel, spent)| format!("{} on {channel}", spent.in_currency(None))).collect();
    let parts = if parts.len() > 1 { format!(": {}", list(&parts)) } else { String::new() };
    (!spent.is_empty()).then(|| format!("cost: {whole}{parts}"))
}

/// What else became of steps: queued in vain, because the one before had arrived after all; or ended without falling back.
fn beside(report: &Report, paint: Paint) -> impl Iterator<Item = String> {
    let of_steps = |what: &str, figure: fn(&StepReport) -> i64| {
        let steps = report.steps.iter().filter(|step| figure(step) > 0);
        let steps: Vec<String> = steps.map(|step| format!("{} {}", count(figure(step)), step.channel)).collect();
        (!steps.is_empty()).then(|| paint.dim(format!("{what}: {}", list(&steps))))
    };
    let lines = [
        of_steps("taken back before it left, since an earlier step had arrived", |step| step.recalled),
        of_steps("whose time ran out on it", |step| step.expired),
        of_steps("called off while they waited for it", |step| step.cancelled),
        of_steps("of which it is unknown whether they happened", |step| step.unknown),
    ];
    lines.into_iter().flatten()
}

/// Who would have got nothing, had the first channel been the only one.
fn saved(report: &Report, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    if report.steps.iter().any(|step| step.passed_over > 0) {
        // A step may be the first for some and a fallback for others, and the counters do not tell those apart.
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
            let people = of(total, "person was saved by a fallback", "people were saved by a fallback");
            lines.extend([String::new(), paint.bold(format!("{people}, {} of all", percent(total, report.audience)))]);
        }
        lines.push(format!(
            "  {} by {}, of {} whom {} had not reached {}",
            count(step.reached),
            step.channel,
            count(came),
            before.channel,
            paint.dim(format!("({})", fell_back(&before.fell_back))),
        ));
    }
    lines
}
