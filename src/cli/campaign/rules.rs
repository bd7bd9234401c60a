//! What a campaign goes by, in words: when it begins and ends, what stops it, and the rules of its steps.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Serialize;

use super::limits;
use crate::campaign::{Cost, moment};
use crate::cli::words::{self, OWN_CLOCK, count, of};
use crate::domain::{Channel, Countries, Limits, Money, Plan, Step, StepIndex, StopRule, Stretch, Timestamp};

/// What may leave at most, for JSON.
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

/// Everything that a launched campaign goes by, for JSON.
#[derive(Serialize)]
pub(super) struct Rules<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
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
            at: plan.at.map(Timestamp::rfc3339),
            local_start: local_start(plan),
            over: plan.over.map(|over| over.to_string()),
            end: plan.end.map(Timestamp::rfc3339),
            time_zone: plan.time_zone.map(|zone| zone.to_string()),
            ttl: plan.ttl.map(|ttl| ttl.to_string()),
            limits: LimitsShown::from(&plan.limits),
            pause_when: plan.pause_when,
            hold_paid_when: plan.hold_paid_when,
            steps: plan.places().map(StepRules::of).collect(),
        }
    }
}

/// What the clock of each recipient shows at the beginning, where theirs decides.
pub(super) fn local_start(plan: &Plan) -> Option<String> {
    let since = plan.steps.first()?.hours.since?;
    Some(since.format("%Y-%m-%d %H:%M").to_string())
}

/// Lines of a plan, and of a campaign that has one: when it ends, and what stops it.
pub(super) fn of_campaign(plan: &Plan, cost: Option<&Cost>) -> Vec<String> {
    let currency = plan.currency.as_deref();
    let mut lines = Vec::new();
    lines.extend(plan.end.map(|end| format!("ends {}: no first message leaves later", moment(end, plan.time_zone))));
    lines.extend(plan.ttl.map(|ttl| format!("nobody is sent another step later than {ttl} after their first message")));
    lines.extend(cost.map(|cost| {
        let (first, at_most) = (cost.first.in_currency(currency), cost.at_most.in_currency(currency));
        if cost.first == cost.at_most {
            return format!("costs about {first}");
        }
        format!("costs about {first} for everybody's first message, and {at_most} if everybody goes through all steps")
    }));
    lines.extend(
        limits::limits(&plan.limits, currency).map(|limits| format!("hands over {limits}, and is paused then")),
    );
    lines.extend(plan.pause_when.map(|rule| format!("is paused when {rule} on a step")));
    lines.extend(
        plan.hold_paid_when
            .map(|rule| format!("holds the next step that costs something when {rule} on one before it")),
    );
    lines
}

/// `on lane promo-sg, until Delivered; after 15m without it the next step`.
pub(super) fn of_step((index, step): (StepIndex, &Step), plan: &Plan) -> String {
    let fall = match (!plan.ends_with(index), step.fallback_after) {
        (true, Some(after)) => format!("; after {after} without it, or on failure, the next step"),
        (true, None) => "; on failure the next step".to_owned(),
        (false, _) => format!("; receipts are waited for {}", step.receipt_window),
    };
    let hours = words::hours(&step.hours).map(|said| format!("; leaves {said}")).unwrap_or_default();
    let within = step.leave_within.map(|within| format!("; leaves within {within}, or not at all")).unwrap_or_default();
    let dropped = step.ttl.map(|ttl| format!("; the provider drops it after {ttl}")).unwrap_or_default();
    let most =
        limits::limits(&step.limits, plan.currency.as_deref()).map(|most| format!("; {most}")).unwrap_or_default();
    let lanes = if step.lanes.is_shared() { "lanes" } else { "lane" };
    format!("{lanes} {}, until {}{fall}{dropped}{hours}{within}{most}", step.lanes, step.success)
}

/// `only SG, MY`; nothing where it is for everybody.
pub(super) fn for_whom(countries: &Countries) -> Option<String> {
    let named: Vec<String> = countries.named().map(|country| country.to_string()).collect();
    match countries {
        Countries::Everywhere => None,
        Countries::Only(_) => Some(format!("only {}", named.join(", "))),
        Countries::AllBut(_) => Some(format!("not {}", named.join(", "))),
    }
}

/// `only SG, MY: for 800 of 1,000 people`.
pub(super) fn for_how_many(countries: &Countries, people: u64, recipients: u64) -> Option<String> {
    let who = for_whom(countries)?;
    Some(format!("{who}: for {} of {}", count(people), of(recipients, "person", "people")))
}

/// How the beginning of a campaign goes, in words; nothing where it is at once and at all hours.
pub(super) fn beginning(plan: &Plan) -> Option<String> {
    let hours = plan.steps.first().and_then(|step| words::hours(&step.hours));
    let mut said = Vec::new();
    // Whose clock it is, is said once.
    let is_said = hours.as_ref().is_some_and(|hours| hours.ends_with(OWN_CLOCK));
    said.extend(local_start(plan).map(|shown| if is_said { shown } else { format!("{shown} {OWN_CLOCK}") }));
    said.extend(plan.over.map(|over| format!("over {over}")));
    said.extend(hours);
    (!said.is_empty()).then(|| said.join(", "))
}
