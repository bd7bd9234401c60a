//! `volley campaign plan`: shows what a campaign would send, before anything is sent.

use std::path::{Path, PathBuf};

use super::bookings;
use super::launch::in_file;
use super::media;
use crate::base::clock::format_time;
use crate::base::domain::text::visible;
use crate::base::domain::{Money, Step, StepIndex, Timestamp, grouped};
use crate::campaigns::campaign::{Lint, PlanView, Prepared, Previews, RejectedRows, Transliterated, message, rules};
use crate::cli::audience::{country_lines, small};
use crate::cli::out::{self, Paint, To};
use crate::cli::table::Table;
use crate::cli::watch::worst_case_of;
use crate::cli::words::{self, plural, shell};
use crate::cli::{CommandContext, Exit, preview, progress};
use crate::provider::media::At;
use crate::recipients::audience::{DefaultCountry, Example};
use crate::rules::forecast::{CountryCost, Shares};
use crate::rules::template::preview::PreviewLine;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The campaign file, TOML or JSON.
    file: PathBuf,
    #[command(flatten)]
    preview: preview::PreviewArgs,
    /// Do not request the web addresses of media.
    #[arg(long)]
    offline: bool,
    /// Print one JSON object: ok, recipients, countries, steps, preview, warnings.
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(in crate::cli) fn file(&self) -> &Path {
        &self.file
    }

    /// The page that it writes.
    pub(in crate::cli) fn page(&self) -> Option<&Path> {
        self.preview.shared.html.as_deref()
    }
}

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let Args { file, preview, offline, json } = args;
    let mut draft = context.campaign_file(&file)?;
    let store = context.store_for_reading().await?;
    let context = &context.with_overrides(store.as_ref()).await?;
    let reviewed =
        media::review(context, store.as_ref(), media::of(&mut draft), (At::Plan, !offline && context.may_request()))
            .await;
    let (context, notes) = &reviewed.map_err(|error| in_file(error, &file))?;
    let launcher = context.launcher(store.as_ref());
    let spinner = progress::spinner("reading the recipients", json);
    let mut planned = match preview.is_wanted() {
        true => {
            let bar = spinner.clone();
            let looked_at = move |number: u64| {
                bar.set_message(format!("looking at messages · {}", plural(number, "recipient", "recipients")));
            };
            launcher.plan_with_preview(&draft, preview.request(context), looked_at).await
        }
        false => launcher.plan(&draft).await,
    };
    if let Ok(prepared) = &mut planned {
        prepared.warnings.extend_from_slice(notes);
    }
    let finished_by = match &planned {
        Ok(prepared) => launcher.finished_by(prepared).await?,
        Err(_) => None,
    };
    spinner.finish_and_clear();
    store.close().await;
    let prepared = planned.map_err(|error| in_file(error, &file))?;
    let previews = prepared.recipients.previews.as_ref();
    previews.map_or(Ok(()), preview::ensure_known)?;
    let title = prepared.name.clone().unwrap_or_else(|| file.display().to_string());
    if json {
        out::json(&PlanView::new(&prepared, finished_by, &context.config))?;
    } else {
        out::lines(lines(&prepared, finished_by, &title, To::Stdout.paint()))?;
    }
    if let (Some(previews), Some(html)) = (previews, &preview.shared.html) {
        preview::write(&page(&prepared, previews, &title, context.now()), (context, html))?;
    }
    Ok(Exit::Done)
}

const UNCHECKED: &str =
    "the templates are not checked, because the provider's list was never fetched: volley template pull";

/// The previews as a page.
fn page<'a>(prepared: &Prepared, previews: &'a Previews, title: &'a str, now: Timestamp) -> preview::Page<'a> {
    let recipients = plural(previews.recipients, "recipient", "recipients");
    let facts =
        vec![format!("{recipients} from {}. Random choice: --seed {}.", prepared.recipients.label, previews.seed)];
    let mut page = preview::Page::new(title, facts, format_time(now, prepared.plan.time_zone));
    for (step, previewed) in prepared.plan.steps.iter().zip(&previews.steps) {
        page.add_step(previewed, step.channel);
    }
    page
}

/// When all first messages will be sent, and what limits that.
fn sent_by(prepared: &Prepared) -> String {
    let Some(forecast) = &prepared.forecast else {
        return "with the present settings, not all first messages will be sent within years".to_owned();
    };
    let what = match (prepared.starts_held(), &forecast.left_behind[..]) {
        (false, []) => "all first messages will be sent by",
        (false, [_, ..]) => "the first messages within the limits will be sent by",
        (true, []) => "without the hold all first messages would be sent by",
        (true, [_, ..]) => "without the hold the first messages within the limits would be sent by",
    };
    let takes = words::about(forecast.done_at.since(prepared.beginnings.first));
    if prepared.plan.when.is_some() {
        return format!("all first messages will be sent within {takes} of the start{}", forecast.limited_by());
    }
    let by = format_time(forecast.done_at, prepared.plan.time_zone);
    format!("{what} {by}, after {takes}{}", forecast.limited_by())
}

fn lines(prepared: &Prepared, finished_by: Option<Timestamp>, title: &str, paint: Paint) -> Vec<String> {
    let Prepared { recipients, plan, forecast, country, .. } = prepared;
    let mut lines = vec![format!(
        "{}  {}",
        paint.bold(title),
        paint.dim(format!("{} from {}", plural(recipients.recipients, "recipient", "recipients"), recipients.label))
    )];
    let dim = |line: String| format!("  {}", paint.dim(line));
    lines.extend(left_out(prepared).map(dim));
    lines.extend(excluded(prepared).map(dim));
    lines.extend(prepared.templates.is_unchecked.then(|| dim(UNCHECKED.to_owned())));
    lines.push(dim(starts(prepared)));
    lines.push(dim(sent_by(prepared)));
    // Before an approval, no time of the end is known.
    if let Some(at) = finished_by.filter(|_| plan.when.is_none()) {
        let by = format_time(at, plan.time_zone);
        let unheld = if prepared.starts_held() { " without the hold" } else { "" };
        lines.push(dim(format!("{}{unheld}: the last message is submitted by {by}", worst_case_of(plan.has_limits()))));
    }
    let booked = forecast.as_ref().map(|forecast| &forecast.bookings[..]).unwrap_or_default();
    lines.extend(bookings::lines(booked, paint).into_iter().map(|line| format!("  {line}")));
    lines.extend(rules::cost(plan).into_iter().chain(rules::of_campaign(plan)).map(dim));
    let countries = recipients.countries.iter().map(|(country, number)| (country.to_string(), *number)).collect();
    lines.extend(country_lines(countries, paint));
    let shares = Shares::of(plan, &recipients.crowd());
    for (index, step) in plan.indexed_steps() {
        lines.push(String::new());
        lines.extend(step_lines(prepared, (index, step), shares.at(index).recipients, paint));
        let previews = recipients.previews.as_ref();
        let previewed = previews.and_then(|previews| Some((previews.steps.get(index.index())?, previews)));
        lines.extend(match previewed {
            Some((step, previews)) => preview::step_lines(step, previews, paint),
            None => first_messages(prepared, (index, step), paint),
        });
    }
    lines.push(String::new());
    for source in &recipients.left_out {
        lines.extend(rejected(source, *country, paint));
    }
    lines.extend(warning_lines(prepared, paint));
    lines
}

/// When the campaign starts.
fn starts(prepared: &Prepared) -> String {
    let Prepared { plan, schedule, beginnings, .. } = prepared;
    let mut when = match schedule.since {
        Some(since) => format!("starts at {} by each recipient's own clock", since.format("%Y-%m-%d %H:%M")),
        None if plan.when.is_some() && !prepared.waits() => "starts".to_owned(),
        None if prepared.waits() => format!("starts {}", format_time(beginnings.first, plan.time_zone)),
        None => "starts at once".to_owned(),
    };
    if schedule.since.is_some() {
        when += &format!(", first at {}", format_time(beginnings.first, plan.time_zone));
    }
    if plan.when.is_some() {
        when += " once its templates are approved";
    }
    if beginnings.last > beginnings.first {
        when += &format!(", in the last country at {}", format_time(beginnings.last, plan.time_zone));
    }
    if let Some(over) = plan.over {
        when += &format!(", spread over {over}{}", rules::of_send_hours(plan));
    }
    when
}

/// A step: its rules, and how many recipients it applies to.
fn step_lines(prepared: &Prepared, (index, step): (StepIndex, &Step), matching: u64, paint: Paint) -> Vec<String> {
    let Prepared { recipients, plan, .. } = prepared;
    let rules_of_step = paint.dim(rules::of_step((index, step), plan));
    let mut lines = vec![format!("Step {index}: {}  {rules_of_step}", paint.bold(step.channel))];
    let share = rules::country_share(&step.countries, matching, recipients.recipients);
    lines.extend(share.map(|share| format!("  {}", paint.dim(share))));
    let transliterated = recipients.transliterated.get(&index).map(Transliterated::sentence);
    lines.extend(transliterated.map(|changed| format!("  {}", paint.dim(changed))));
    lines.extend(cost_lines(prepared, (index, step), paint));
    lines
}

/// What the first recipients of a step get.
fn first_messages(prepared: &Prepared, (index, step): (StepIndex, &Step), paint: Paint) -> Vec<String> {
    let Prepared { recipients, plan, templates, .. } = prepared;
    let approved = templates.approved(index);
    let mut lines = Vec::new();
    let takers = step.takers();
    for recipient in recipients.first.iter().filter(|recipient| takers.include(*recipient)) {
        lines.extend(recipient.address.as_ref().map(|address| format!("  to {address}")));
        let mut table = Table::new(&["", ""]);
        let message = message(step, plan.names(), approved.as_ref(), recipient).map(|bubble| bubble.lines());
        for PreviewLine { label, text } in message.unwrap_or_default() {
            for (row, part) in visible(&text).lines().enumerate() {
                let label = if row == 0 { label.clone() } else { String::new() };
                table.row([paint.dim(label), part.to_owned()]);
            }
        }
        lines.extend(table.lines(paint).into_iter().map(|line| format!("    {line}")));
    }
    lines
}

/// How many countries of a step are listed with their cost.
const COUNTRIES_SHOWN: usize = 10;

/// What a step costs in each country, the highest first.
fn cost_lines(prepared: &Prepared, step: (StepIndex, &Step), paint: Paint) -> Vec<String> {
    let (plan, costs) = (&prepared.plan, CountryCost::of_step(step, &prepared.bill));
    if costs.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&["country", ">messages", ">parts", ">price", ">cost"]);
    for of in costs.iter().take(COUNTRIES_SHOWN) {
        table.row([
            of.country.to_string(),
            grouped(of.messages),
            grouped(of.billed_parts),
            of.price.to_string(),
            of.sum.rounded(plan.currency.as_deref()),
        ]);
    }
    if costs.len() > COUNTRIES_SHOWN {
        let rest = &costs[COUNTRIES_SHOWN..];
        let messages: u64 = rest.iter().map(|of| of.messages).sum();
        let parts: u64 = rest.iter().map(|of| of.billed_parts).sum();
        let cost: Money = rest.iter().map(|of| of.sum).sum();
        let others = plural(rest.len() as u64, "other", "others");
        let cells = [others, grouped(messages), grouped(parts), String::new(), cost.rounded(plan.currency.as_deref())];
        table.row(cells);
    }
    table.lines(paint).into_iter().map(|line| format!("  {line}")).collect()
}

/// The number of warnings, and each of them.
fn warning_lines(prepared: &Prepared, paint: Paint) -> Vec<String> {
    let warnings = &prepared.warnings;
    let headline = match warnings.len() {
        0 if prepared.recipients.left_out.is_empty() => paint.good("No problems found."),
        0 => paint.good("No other problems found."),
        number => format!(
            "{} {}",
            plural(small(number as u64), "warning", "warnings"),
            paint.dim(match warnings.iter().any(|warning| warning.code == Lint::NameTaken) {
                true => "(the taken name prevents the launch)",
                false if warnings.len() == 1 => "(it does not prevent the launch)",
                false => "(none of them prevents the launch)",
            })
        ),
    };
    let each = warnings.iter().map(|warning| format!("  {} {warning}", paint.so_so("•")));
    std::iter::once(headline).chain(each).collect()
}

/// Counts the rows and numbers that get no message.
fn left_out(prepared: &Prepared) -> Option<String> {
    let recipients = &prepared.recipients;
    let parts: Vec<String> = [
        (recipients.invalid, ("invalid", "invalid")),
        (recipients.duplicates, ("duplicate", "duplicates")),
        (recipients.across, ("duplicate across sources", "duplicates across sources")),
        (recipients.opted_out, ("opted out", "opted out")),
        (recipients.not_selected, ("not selected by `where`", "not selected by `where`")),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, (one, several))| plural(number, one, several))
    .collect();
    (!parts.is_empty()).then(|| format!("left out: {}", words::list(&parts)))
}

/// The numbers of `exclude`. Which of them are recipients is found at the launch.
fn excluded(prepared: &Prepared) -> Option<String> {
    let numbers = prepared.recipients.excluded.recipients.len() as u64;
    let numbers = (numbers > 0).then(|| plural(numbers, "number", "numbers"))?;
    Some(format!("exclude has {numbers}: no message is sent to them, but recipients, countries and cost include them"))
}

/// Why rows of a source get no message, and how to list them.
fn rejected(left_out: &RejectedRows, country: Option<DefaultCountry>, paint: Paint) -> Vec<String> {
    let (row, details) = match &left_out.file {
        Some(file) => {
            let country = country.map(|country| format!(" --country {country}")).unwrap_or_default();
            let check =
                format!("to list each with its line: volley audience check {}", shell(&file.display().to_string()));
            (plural(left_out.total(), "row", "rows"), format!("{check}{country}"))
        }
        None => {
            let named = |it: &Example| format!("\"{}\": {}", it.value, it.reason.in_file(it.readings));
            let named: Vec<String> = left_out.examples.iter().map(named).collect();
            (plural(left_out.total(), "number", "numbers"), named.join("; "))
        }
    };
    vec![
        format!("{} {row} of {} left out: {}", paint.so_so("•"), left_out.source, words::each(&left_out.reasons)),
        paint.dim(format!("  {details}")),
    ]
}
