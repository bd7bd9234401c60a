//! Describes the rules of a campaign: its start and end, what pauses it, and the rules of its steps.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Serialize;

use super::limits;
use crate::cli::words::{self, OWN_CLOCK, count, plural};
use crate::clock::format_time;
use crate::domain::{Channel, Countries, Limits, Money, Plan, Step, StepIndex, StopRule, Stretch, Timestamp};
use crate::forecast::Cost;

/// Limits of a campaign or a step, for JSON.
#[derive(Serialize)]
pub(super) struct LimitsShown {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_messages: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<Money>,
}

impl From<&Limits> for LimitsShown {
    fn from(limits: &Limits) -> Self {
        Self { max_messages: limits.messages, budget: limits.budget }
    }
}

/// The rules of a step, for JSON.
#[derive(Serialize)]
pub(super) struct StepRules<'a> {
    step: u8,
    channel: Channel,
    lanes: Vec<&'a str>,
    fallback_after: Option<String>,
    receipt_window: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leave_within: Option<String>,
    success_status: String,
    #[serde(flatten)]
    limits: LimitsShown,
    #[serde(skip_serializing_if = "Countries::is_everywhere")]
    countries: &'a Countries,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    send_window: &'a [Stretch],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    quiet_hours: &'a [Stretch],
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    holidays: &'a BTreeSet<NaiveDate>,
}

impl<'a> StepRules<'a> {
    pub(super) fn of((index, step): (StepIndex, &'a Step)) -> Self {
        Self {
            step: index.get() + 1,
            channel: step.channel,
            lanes: step.lanes.names().collect(),
            fallback_after: step.fallback_after.map(|after| after.to_string()),
            receipt_window: step.receipt_window.to_string(),
            ttl: step.ttl.map(|ttl| ttl.to_string()),
            leave_within: step.leave_within.map(|within| within.to_string()),
            success_status: step.success.to_string(),
            limits: LimitsShown::from(&step.limits),
            countries: &step.countries,
            send_window: &step.hours.windows,
            quiet_hours: &step.hours.quiet,
            holidays: &step.hours.holidays,
        }
    }
}

/// All rules of a launched campaign, for JSON.
#[derive(Serialize)]
pub(super) struct Rules<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    over: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<String>,
    #[serde(flatten)]
    limits: LimitsShown,
    #[serde(skip_serializing_if = "Option::is_none")]
    pause_when: Option<StopRule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold_paid_when: Option<StopRule>,
    steps: Vec<StepRules<'a>>,
}

impl<'a> Rules<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        Self {
            starts_at: plan.at.map(Timestamp::rfc3339),
            local_start: local_start(plan),
            over: plan.over.map(|over| over.to_string()),
            end: plan.end.map(Timestamp::rfc3339),
            time_zone: plan.time_zone.map(|zone| zone.to_string()),
            ttl: plan.ttl.map(|ttl| ttl.to_string()),
            limits: LimitsShown::from(&plan.limits),
            pause_when: plan.pause_when,
            hold_paid_when: plan.hold_paid_when,
            steps: plan.indexed_steps().map(StepRules::of).collect(),
        }
    }
}

/// The local start time, if the campaign starts by each recipient's own clock.
pub(super) fn local_start(plan: &Plan) -> Option<String> {
    let since = plan.steps.first()?.hours.since?;
    Some(since.format("%Y-%m-%d %H:%M").to_string())
}

/// Lines about the end of a plan, its cost, its limits, and the rules that pause it.
pub(super) fn of_campaign(plan: &Plan, cost: Option<&Cost>) -> Vec<String> {
    let currency = plan.currency.as_deref();
    let mut lines = Vec::new();
    lines.extend(
        plan.end.map(|end| format!("ends {}: no first message is sent later", format_time(end, plan.time_zone))),
    );
    lines.extend(plan.ttl.map(|ttl| format!("no fallback later than {ttl} after the first message")));
    lines.extend(cost.map(|cost| {
        let (first, at_most) = (cost.first.in_currency(currency), cost.at_most.in_currency(currency));
        if cost.first == cost.at_most {
            return format!("costs about {first}");
        }
        format!("costs about {first} for all first messages, and {at_most} if every message falls back at every step")
    }));
    lines.extend(limits::limits(&plan.limits, currency).map(|limits| format!("limited to {limits}, then pauses")));
    lines.extend(plan.pause_when.map(|rule| format!("pauses when {rule} on a step")));
    lines.extend(plan.hold_paid_when.map(|rule| format!("holds the next paid step when {rule} on an earlier step")));
    lines
}

/// `lane promo-sg, until Delivered; falls back after 15m, or on failure`.
pub(super) fn of_step((index, step): (StepIndex, &Step), plan: &Plan) -> String {
    let fallback = match (!plan.ends_with(index), step.fallback_after) {
        (true, Some(after)) => format!("; falls back after {after}, or on failure"),
        (true, None) => "; falls back on failure".to_owned(),
        (false, _) => format!("; waits {} for receipts", step.receipt_window),
    };
    let hours = words::hours(&step.hours).map(|hours| format!("; {hours}")).unwrap_or_default();
    let within = step.leave_within.map(|within| format!("; sent within {within} or not at all")).unwrap_or_default();
    let dropped = step.ttl.map(|ttl| format!("; the provider drops it after {ttl}")).unwrap_or_default();
    let most =
        limits::limits(&step.limits, plan.currency.as_deref()).map(|most| format!("; {most}")).unwrap_or_default();
    let lanes = if step.lanes.is_shared() { "lanes" } else { "lane" };
    format!("{lanes} {}, until {}{fallback}{dropped}{hours}{within}{most}", step.lanes, step.success)
}

/// `only SG, MY`; `None` if the step is for all countries.
pub(super) fn country_limit(countries: &Countries) -> Option<String> {
    let named: Vec<String> = countries.named().map(|country| country.to_string()).collect();
    match countries {
        Countries::Everywhere => None,
        Countries::Only(_) => Some(format!("only {}", named.join(", "))),
        Countries::AllBut(_) => Some(format!("not {}", named.join(", "))),
    }
}

/// `only SG, MY: 800 of 1,000 recipients`.
pub(super) fn country_share(countries: &Countries, matching: u64, all: u64) -> Option<String> {
    let limit = country_limit(countries)?;
    Some(format!("{limit}: {} of {}", count(matching), plural(all, "recipient", "recipients")))
}

/// The start of a campaign and its hours, in words; `None` if it starts at once and sends at all hours.
pub(super) fn beginning(plan: &Plan) -> Option<String> {
    let hours = plan.steps.first().and_then(|step| words::hours(&step.hours));
    let mut parts = Vec::new();
    // The clock is named once.
    let names_clock = hours.as_ref().is_some_and(|hours| hours.ends_with(OWN_CLOCK));
    parts.extend(local_start(plan).map(|start| if names_clock { start } else { format!("{start} {OWN_CLOCK}") }));
    parts.extend(plan.over.map(|over| format!("over {over}")));
    parts.extend(hours);
    (!parts.is_empty()).then(|| parts.join(", "))
}
