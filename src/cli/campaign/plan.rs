//! `volley campaign plan`: shows what a campaign would send, before anything is sent.

use std::path::PathBuf;

use serde::Serialize;

use super::limits;
use super::rules::{self, LimitsShown, StepRules};
use crate::campaign::{Draft, FileError, LaunchError, LeftOut, Lint, Prepared, Warning};
use crate::cli::audience::{country_lines, small};
use crate::cli::out::{self, Paint, To};
use crate::cli::table::Table;
use crate::cli::words::{self, plural, shell};
use crate::cli::{CommandContext, Exit, progress};
use crate::clock::format_time;
use crate::domain::{Channel, Content, Country, Plan, Recipient, SmsEncoding, Step, StopRule, Timestamp};
use crate::forecast::{Cost, ForecastView, Shares};
use crate::template::{self, Line};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The campaign file, TOML or JSON.
    file: PathBuf,
    /// Print one JSON object: ok, recipients, countries, steps, warnings.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let Args { file, json } = args;
    let draft = Draft::load(&file)?;
    let store = context.store_for_reading().await?;
    let context = &context.with_overrides(store.as_ref()).await?;
    let launcher = context.launcher(store.as_ref());
    let spinner = progress::spinner("reading the recipients", json);
    let planned = launcher.plan(&draft).await;
    let finished_by = match &planned {
        Ok(prepared) => launcher.finished_by(prepared).await?,
        Err(_) => None,
    };
    spinner.finish_and_clear();
    store.close().await;
    match planned {
        Ok(prepared) if json => out::json(&PlanShown::new(&prepared, finished_by, context))?,
        Ok(prepared) => {
            let file = file.display().to_string();
            out::lines(lines(&prepared, finished_by, &file, To::Stdout.paint()))?;
        }
        Err(LaunchError::Problems(problems)) => {
            let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
            return Err(FileError::Problems { file: name, problems }.into());
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
pub(in crate::cli) struct WarningShown<'a> {
    code: &'static str,
    step: Option<u8>,
    sentence: &'a str,
}

impl<'a> WarningShown<'a> {
    pub(in crate::cli) fn new(warning: &'a Warning) -> Self {
        Self { code: warning.code.code(), step: warning.step.map(|step| step.get() + 1), sentence: &warning.sentence }
    }
}

#[derive(Serialize)]
struct StepShown<'a> {
    #[serde(flatten)]
    rules: StepRules<'a>,
    /// Recipients that the step applies to.
    recipients: u64,
    /// For free text on WhatsApp: recipients with an open 24-hour window.
    #[serde(skip_serializing_if = "Option::is_none")]
    open_windows: Option<u64>,
    previews: Vec<Preview>,
}

#[derive(Serialize)]
struct Preview {
    msisdn: String,
    lines: Vec<PreviewLine>,
}

#[derive(Serialize)]
struct PreviewLine {
    label: String,
    text: String,
}

#[derive(Serialize)]
struct PlanShown<'a> {
    ok: bool,
    name: Option<&'a str>,
    source: &'a str,
    recipients: u64,
    excluded: usize,
    exclude_unreadable: u64,
    invalid: u64,
    duplicates: u64,
    duplicates_across: u64,
    opted_out: u64,
    left_out: &'a [LeftOut],
    countries: std::collections::BTreeMap<String, u64>,
    starts_at: Option<String>,
    /// Set where some countries start later than others.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_country_starts_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    over: Option<String>,
    #[serde(flatten)]
    forecast: ForecastView,
    allowed_per_s: f64,
    /// The expected cost, if a price list is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Cost>,
    #[serde(flatten)]
    limits: LimitsShown,
    #[serde(skip_serializing_if = "Option::is_none")]
    pause_when: Option<StopRule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold_paid_when: Option<StopRule>,
    steps: Vec<StepShown<'a>>,
    warnings: Vec<WarningShown<'a>>,
}

impl<'a> PlanShown<'a> {
    fn new(prepared: &'a Prepared, finished_by: Option<Timestamp>, context: &CommandContext) -> Self {
        let Prepared { name, recipients, plan, schedule, beginnings, warnings, windows, .. } = prepared;
        let foreseen = prepared.forecast.as_ref().filter(|_| !starts_held(prepared));
        let shares = Shares::of(plan, &recipients.countries);
        let steps = plan.indexed_steps().map(|(index, step)| StepShown {
            rules: StepRules::of((index, step)),
            recipients: shares.at(index).recipients,
            open_windows: windows.get(&index).copied(),
            previews: recipients
                .first
                .iter()
                .filter(|recipient| step.countries.contain(Some(recipient.country)))
                .map(|recipient| Preview {
                    msisdn: recipient.msisdn.to_string(),
                    lines: preview(step, plan, recipient)
                        .into_iter()
                        .map(|Line { label, text }| PreviewLine { label, text })
                        .collect(),
                })
                .collect(),
        });
        Self {
            ok: true,
            name: name.as_deref(),
            source: &recipients.label,
            recipients: recipients.recipients,
            excluded: recipients.excluded.numbers.len(),
            exclude_unreadable: recipients.excluded.unreadable(),
            invalid: recipients.invalid,
            duplicates: recipients.duplicates,
            duplicates_across: recipients.across,
            opted_out: recipients.opted_out,
            left_out: &recipients.left_out,
            countries: recipients.countries.iter().map(|(country, number)| (country.to_string(), *number)).collect(),
            starts_at: (prepared.waits() || schedule.at.is_some()).then(|| beginnings.first.rfc3339()),
            last_country_starts_at: (beginnings.last > beginnings.first).then(|| beginnings.last.rfc3339()),
            over: plan.over.map(|over| over.to_string()),
            forecast: ForecastView::new(foreseen, finished_by),
            allowed_per_s: context.allowed(plan),
            cost: Cost::of(plan, &recipients.countries),
            limits: LimitsShown::from(&plan.limits),
            pause_when: plan.pause_when,
            hold_paid_when: plan.hold_paid_when,
            steps: steps.collect(),
            warnings: warnings.iter().map(WarningShown::new).collect(),
        }
    }
}

/// The message that one recipient would read. The plan has been checked, so rendering it does not fail.
fn preview(step: &Step, plan: &Plan, recipient: &Recipient) -> Vec<Line> {
    let fields = recipient.fields.unpack().unwrap_or_default();
    let mut lines = template::preview(&step.content, &plan.columns, &fields).unwrap_or_default();
    let Recipient { msisdn, country, .. } = recipient;
    let lane = step.lanes.members().get(step.lanes.lane_index(*msisdn, *country));
    if let Some(source) = lane.and_then(|member| step.source(&member.lane, *country)) {
        lines.push(Line { label: "source".to_owned(), text: source.to_owned() });
    }
    let encoding = match &step.content {
        Content::Text { encoding, .. } if step.channel == Channel::Sms => *encoding,
        Content::Text { .. } | Content::Template(_) => return lines,
    };
    // The length gets its own line, so the label stays short.
    let measured = |line: Line| match line.label.as_str() {
        "text" => {
            let length = template::segments(&line.text, encoding.unwrap_or(SmsEncoding::Auto)).to_string();
            vec![line, Line { label: "length".to_owned(), text: length }]
        }
        _ => vec![line],
    };
    lines.into_iter().flat_map(measured).collect()
}

/// Whether the first step of any recipient waits until a hold is released.
fn starts_held(prepared: &Prepared) -> bool {
    let shares = Shares::of(&prepared.plan, &prepared.recipients.countries);
    let mut held = prepared.warnings.iter().filter(|warning| warning.code == Lint::Held);
    held.any(|warning| warning.step.is_some_and(|step| shares.at(step).beginning > 0))
}

/// When all first messages will be sent, and what limits that.
fn sent_by(prepared: &Prepared) -> String {
    let Some(forecast) = &prepared.forecast else {
        return "with the present settings, not all first messages will be sent within years".to_owned();
    };
    let what = match (starts_held(prepared), &forecast.left_behind[..]) {
        (false, []) => "all first messages will be sent by",
        (false, [_, ..]) => "the first messages that may be sent will be sent by",
        (true, []) => "without the hold all first messages would be sent by",
        (true, [_, ..]) => "without the hold the first messages that may be sent would be sent by",
    };
    let takes = words::about(forecast.done_at.since(prepared.beginnings.first));
    let by = format_time(forecast.done_at, prepared.plan.time_zone);
    format!("{what} {by}, after {takes}{}", limits::limited_by(forecast))
}

fn lines(prepared: &Prepared, finished_by: Option<Timestamp>, file: &str, paint: Paint) -> Vec<String> {
    let Prepared { name, recipients, plan, schedule, beginnings, forecast, warnings, country, .. } = prepared;
    let title = name.clone().unwrap_or_else(|| file.to_owned());
    let mut lines = vec![format!(
        "{}  {}",
        paint.bold(title),
        paint.dim(format!("{} from {}", plural(recipients.recipients, "recipient", "recipients"), recipients.label))
    )];
    lines.extend(left_out(prepared).map(|line| format!("  {}", paint.dim(line))));
    let mut when = match schedule.since {
        Some(since) => format!("starts at {} by each recipient's own clock", since.format("%Y-%m-%d %H:%M")),
        None if prepared.waits() => format!("starts {}", format_time(beginnings.first, plan.time_zone)),
        None => "starts at once".to_owned(),
    };
    if schedule.since.is_some() {
        when += &format!(", first at {}", format_time(beginnings.first, plan.time_zone));
    }
    if beginnings.last > beginnings.first {
        when += &format!(", in the last country at {}", format_time(beginnings.last, plan.time_zone));
    }
    if let Some(over) = plan.over {
        when += &format!(", spread over {over}");
    }
    let shares = Shares::of(plan, &recipients.countries);
    lines.push(format!("  {}", paint.dim(when)));
    lines.push(format!("  {}", paint.dim(sent_by(prepared))));
    if let Some(at) = finished_by {
        let by = format_time(at, plan.time_zone);
        let unheld = if starts_held(prepared) { " without the hold" } else { "" };
        lines.push(format!(
            "  {}",
            paint.dim(format!("worst case (every message falls back at every step){unheld}: by {by}"))
        ));
    }
    let bookings = forecast.as_ref().map(|forecast| &forecast.bookings[..]).unwrap_or_default();
    lines.extend(limits::bookings(bookings, paint).into_iter().map(|line| format!("  {line}")));
    let cost = Cost::of(plan, &recipients.countries);
    lines.extend(rules::of_campaign(plan, cost.as_ref()).into_iter().map(|line| format!("  {}", paint.dim(line))));
    let countries = recipients.countries.iter().map(|(country, number)| (country.to_string(), *number)).collect();
    lines.extend(country_lines(countries, paint));
    for (index, step) in plan.indexed_steps() {
        lines.push(String::new());
        lines.push(format!(
            "Step {index}: {}  {}",
            paint.bold(step.channel),
            paint.dim(rules::of_step((index, step), plan))
        ));
        let share = rules::country_share(&step.countries, shares.at(index).recipients, recipients.recipients);
        lines.extend(share.map(|share| format!("  {}", paint.dim(share))));
        for recipient in recipients.first.iter().filter(|recipient| step.countries.contain(Some(recipient.country))) {
            lines.push(format!("  to {}", recipient.msisdn));
            let mut table = Table::new(&["", ""]);
            for Line { label, text } in preview(step, plan, recipient) {
                for (row, part) in text.lines().enumerate() {
                    let label = if row == 0 { label.clone() } else { String::new() };
                    table.row([paint.dim(label), part.to_owned()]);
                }
            }
            lines.extend(table.lines(paint).into_iter().map(|line| format!("    {line}")));
        }
    }
    lines.push(String::new());
    for source in &recipients.left_out {
        lines.extend(rejected(source, *country, paint));
    }
    match warnings.len() {
        0 if recipients.left_out.is_empty() => lines.push(paint.good("No problems found.")),
        0 => lines.push(paint.good("No other problems found.")),
        number => {
            lines.push(format!(
                "{} {}",
                plural(small(number as u64), "warning", "warnings"),
                paint.dim("(none of them prevents the launch)")
            ));
        }
    }
    lines.extend(warnings.iter().map(|warning| format!("  {} {warning}", paint.so_so("•"))));
    lines
}

/// Counts the rows and numbers that get no message.
fn left_out(prepared: &Prepared) -> Option<String> {
    let recipients = &prepared.recipients;
    let parts: Vec<String> = [
        (recipients.invalid, ("invalid", "invalid")),
        (recipients.duplicates, ("duplicate", "duplicates")),
        (recipients.across, ("duplicate across sources", "duplicates across sources")),
        (recipients.opted_out, ("opted out", "opted out")),
        (recipients.excluded.numbers.len() as u64, ("excluded by the campaign", "excluded by the campaign")),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, (one, several))| plural(number, one, several))
    .collect();
    (!parts.is_empty()).then(|| format!("left out: {}", words::list(&parts)))
}

/// Why rows of a source get no message, and how to list them.
fn rejected(left_out: &LeftOut, country: Option<Country>, paint: Paint) -> Vec<String> {
    let (row, details) = match &left_out.file {
        Some(file) => {
            let country = country.map(|country| format!(" --country {country}")).unwrap_or_default();
            let check =
                format!("to list each with its line: volley audience check {}", shell(&file.display().to_string()));
            (plural(left_out.total(), "row", "rows"), format!("{check}{country}"))
        }
        None => {
            let named: Vec<String> =
                left_out.examples.iter().map(|example| format!("\"{}\": {}", example.value, example.reason)).collect();
            (plural(left_out.total(), "number", "numbers"), named.join("; "))
        }
    };
    vec![
        format!("{} {row} of {} left out: {}", paint.so_so("•"), left_out.source, words::each(&left_out.reasons)),
        paint.dim(format!("  {details}")),
    ]
}
