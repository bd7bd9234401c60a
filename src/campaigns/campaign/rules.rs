//! Describes the rules of a campaign: its start and end, what pauses it, and the rules of its steps.

use std::cmp::Reverse;

use super::views::local_start;
use crate::base::clock::format_time;
use crate::base::domain::text::{self, OWN_CLOCK, grouped, plural};
use crate::base::domain::{
    Countries, Crowd, Limits, Plan, RecipientRules, Step, StepIndex, Taker, Timestamp, local, zones_of,
};

/// What a plan was to cost when it was launched.
pub fn cost(plan: &Plan) -> Option<String> {
    let (currency, cost) = (plan.currency.as_deref(), plan.cost.as_ref()?);
    let (first, at_most) = (cost.first.rounded(currency), cost.at_most.rounded(currency));
    Some(match first == at_most {
        true => format!("costs {first}"),
        false => format!("costs {first} for all first messages, at most {at_most}"),
    })
}

/// The most characters of a filter in a line.
const SHOWN_CHARS: usize = 1_000;
/// The most names of excluded audiences, files and numbers in a line.
const SHOWN_EXCLUDED: usize = 10;

/// Whom of its audiences a plan is for.
pub fn of_recipients(plan: &Plan) -> Vec<String> {
    let Some(RecipientRules { filter, exclude, allow_countries, .. }) = &plan.recipients else { return Vec::new() };
    let mut lines = Vec::new();
    let cut = |text: &str| match text.char_indices().nth(SHOWN_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    };
    lines.extend(filter.as_ref().map(|filter| format!("only recipients who meet the filter: {}", cut(filter))));
    let countries: Vec<String> = allow_countries.iter().flatten().map(ToString::to_string).collect();
    lines.extend((!countries.is_empty()).then(|| format!("only numbers of {}", text::list(&countries))));
    let more = exclude.len().saturating_sub(SHOWN_EXCLUDED);
    let mut excluded: Vec<String> = exclude.iter().take(SHOWN_EXCLUDED).cloned().collect();
    excluded.extend((more > 0).then(|| format!("{} more", grouped(more as u64))));
    lines.extend((!excluded.is_empty()).then(|| format!("leaves out {}", text::list(&excluded))));
    lines
}

/// When a plan begins, apart from a fixed time. What its start waited for is over once it `has_begun`.
pub fn of_start(plan: &Plan, has_begun: bool) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(local_start(plan).map(|shown| format!("starts at {shown} by each recipient's own clock")));
    lines.extend(plan.when.filter(|_| !has_begun).map(|_| "starts once its templates are approved".to_owned()));
    lines.extend(plan.over.map(|over| format!("its first messages are spread over {over}{}", of_send_hours(plan))));
    lines
}

/// Countries whose start is shown: those with the most recipients.
const SHOWN_COUNTRIES: usize = 5;

/// What the clocks of the recipients show when the first messages to their country are sent, if the campaign starts at `start`:
/// `SG 2026-12-01 16:00`, or the first and the last of a country with several clocks.
pub fn on_their_clocks(plan: &Plan, crowd: &Crowd, start: Timestamp) -> Vec<String> {
    let mut largest: Vec<(&Taker, &u64)> = crowd.iter().collect();
    largest.sort_by_key(|(taker, recipients)| (Reverse(**recipients), **taker));
    let shown = |taker: Taker| {
        let (country, first) = (taker.country, plan.first(plan.marks_of(taker))?);
        let hours = &plan.step(first)?.hours;
        let zones = zones_of(country).into_iter();
        let mut times: Vec<_> = zones.filter_map(|zone| Some(local(hours.open_from(start, zone)?, zone))).collect();
        times.sort();
        let (first, last) = (times.first()?, times.last()?);
        let later = match (first == last, first.date() == last.date()) {
            (true, _) => String::new(),
            (false, true) => last.format(" to %H:%M").to_string(),
            (false, false) => last.format(" to %Y-%m-%d %H:%M").to_string(),
        };
        Some(format!("{country} {}{later}", first.format("%Y-%m-%d %H:%M")))
    };
    let mut lines: Vec<String> = Vec::new();
    for line in largest.into_iter().filter_map(|(taker, _)| shown(*taker)) {
        // Those without a number mostly start with the others of their country.
        if lines.len() < SHOWN_COUNTRIES && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// Lines about the end of a plan, its limits, and the rules that pause it.
pub fn of_campaign(plan: &Plan) -> Vec<String> {
    let currency = plan.currency.as_deref();
    let mut lines = Vec::new();
    lines.extend(
        plan.end.map(|end| format!("ends {}: no first message is sent later", format_time(end, plan.time_zone))),
    );
    lines.extend(plan.ttl.map(|ttl| format!("no fallback later than {ttl} after a recipient's first message")));
    lines.extend(limits(&plan.limits, currency).map(|limits| format!("pauses after {limits}")));
    lines.extend(plan.pause_when.map(|rule| format!("pauses when {rule} on a step")));
    lines.extend(plan.hold_paid_when.map(|rule| format!("holds the next paid step when {rule} on an earlier step")));
    lines
}

/// The present rules of a launched campaign and of its steps, and how often they were changed (`edition`). What its start
/// waited for is over once it `has_begun`.
pub fn of_launched(plan: &Plan, edition: u32, has_begun: bool) -> Vec<String> {
    let mut lines = Vec::new();
    if edition > 0 {
        lines.push(format!("changed {}; see volley events", plural(edition, "time", "times")));
    }
    lines.extend(of_start(plan, has_begun));
    lines.extend(of_recipients(plan));
    lines.extend(cost(plan));
    lines.extend(of_campaign(plan));
    for (index, step) in plan.indexed_steps() {
        let countries = country_limit(&step.countries).map(|limit| format!("; {limit}")).unwrap_or_default();
        lines.push(format!("step {index}, {}: {}{countries}", step.channel, of_step((index, step), plan)));
    }
    lines
}

/// Only the hours in which a first step may be sent count for a spread start.
pub fn of_send_hours(plan: &Plan) -> &'static str {
    let first = plan.steps.first().map(|step| &step.hours);
    let is_limited =
        first.is_some_and(|hours| !hours.quiet.is_empty() || !hours.windows.is_empty() || !hours.holidays.is_empty());
    if is_limited { " of its send hours" } else { "" }
}

/// `lane promo-sg; success: Delivered; falls back after 15m, or on failure`.
pub fn of_step((index, step): (StepIndex, &Step), plan: &Plan) -> String {
    let ending = match (!plan.ends_with(index), step.fallback_after) {
        (true, Some(after)) => format!("falls back after {after}, or on failure"),
        (true, None) => "falls back on failure".to_owned(),
        (false, _) => format!("waits {} for receipts (receipt_window)", step.receipt_window),
    };
    let lanes = if step.lanes.is_shared() { "lanes" } else { "lane" };
    let mut parts = vec![format!("{lanes} {}", step.lanes), format!("success: {}", step.success), ending];
    parts.extend(limits_of_step((index, step), plan));
    parts.join("; ")
}

/// What else limits the messages of a step: its times, its hours, its number and its budget.
pub fn limits_of_step((index, step): (StepIndex, &Step), plan: &Plan) -> Vec<String> {
    let not_sent = if plan.ends_with(index) { "expires" } else { "falls back" };
    let limits = limits(&step.limits, plan.currency.as_deref());
    [
        step.ttl.map(|ttl| format!("the provider drops the message after {ttl}")),
        text::hours(&step.hours),
        step.leave_within.map(|within| format!("{not_sent} if not sent within {within}")),
        limits.map(|limits| format!("held after {limits}")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `500 messages or 20.00 EUR, whichever comes first`; `None` without limits.
fn limits(limits: &Limits, currency: Option<&str>) -> Option<String> {
    let messages = limits.messages.map(|messages| plural(messages, "message", "messages"));
    let budget = limits.budget.map(|budget| budget.in_currency(currency));
    match (messages, budget) {
        (Some(messages), Some(budget)) => Some(format!("{messages} or {budget}, whichever comes first")),
        (messages, budget) => messages.or(budget),
    }
}

/// `only SG, MY`; `None` if the step is for all countries.
pub fn country_limit(countries: &Countries) -> Option<String> {
    let named: Vec<String> = countries.named().map(|country| country.to_string()).collect();
    match countries {
        Countries::Everywhere => None,
        Countries::Only(none) if none.is_empty() => Some("no country".to_owned()),
        Countries::Only(_) => Some(format!("only {}", named.join(", "))),
        Countries::AllBut(_) => Some(format!("not {}", named.join(", "))),
    }
}

/// `only SG, MY: 800 of 1,000 recipients`.
pub fn country_share(countries: &Countries, matching: u64, all: u64) -> Option<String> {
    let limit = country_limit(countries)?;
    Some(format!("{limit}: {} of {}", grouped(matching), plural(all, "recipient", "recipients")))
}

/// The start by the recipients' own clocks, the spread, and the hours of the first step; `None` without any of them.
pub fn beginning(plan: &Plan) -> Option<String> {
    let hours = plan.steps.first().and_then(|step| text::hours(&step.hours));
    let mut parts = Vec::new();
    // If the hours already name the recipients' clock, the start does not repeat it.
    let names_clock = hours.as_ref().is_some_and(|hours| hours.ends_with(OWN_CLOCK));
    parts.extend(local_start(plan).map(|start| if names_clock { start } else { format!("{start} {OWN_CLOCK}") }));
    parts.extend(plan.over.map(|over| format!("over {over}")));
    parts.extend(hours);
    (!parts.is_empty()).then(|| parts.join(", "))
}
