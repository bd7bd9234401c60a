//! Checks that need the whole plan: its recipients, its prices, its forecast, what its steps do at WhatsApp's limits, and
//! whether it may wait as a draft.

use std::collections::BTreeMap;

use super::file::Draft;
use super::lint::{Lint, Warning, named};
use super::recipients::Recipients;
use super::route::NOTHING_FOLLOWS;
use crate::base::config::{DraftStep, Problem, Sentence};
use crate::base::domain::{
    Channel, Countries, Country, Crowd, OnRecipientLimit, OnTierSpent, Plan, Span, Step, StepIndex, Taker, UsMarketing,
    by_country, grouped,
};
use crate::rules::forecast::{Forecast, Shares, Stop};

/// Warns about first messages that expire at the campaign's end.
pub(super) fn too_soon(forecast: &Forecast, recipients: u64) -> Option<Warning> {
    let late = forecast.left_behind.iter().find(|left| left.by == Stop::End)?;
    let because = forecast.bottleneck.as_ref().map(|found| format!("; limited by {found}"));
    let number = format!("{} of {}", grouped(late.messages), grouped(recipients));
    let sentence = Sentence::new(format!("{number} first messages will not be sent by "))
        .marked_key("end")
        .text(format!(" as things stand, and expire then{}; write a later ", because.unwrap_or_default()))
        .marked_key("end");
    Some(Warning { code: Lint::EndTooSoon, step: None, sentence })
}

/// The key of a plan that a draft cannot have. `leave_within` and `over` fix times when the messages are written, and a
/// draft starts at an unknown time after that.
///
/// With a start time, `over` counts from it. `leave_within` stays refused: a draft that is started later than that would
/// fall back at once.
pub(super) fn counts_from_its_launch(plan: &Plan) -> Option<Problem> {
    let has_start = plan.at.is_some() || plan.steps.iter().any(|step| step.hours.since.is_some());
    if plan.over.is_some() && !has_start {
        let sentence =
            "counts from the start, but the start of a draft is unknown; add a start time (`at`), or remove it";
        return Some(Problem::new(None, "over", sentence));
    }
    let sentence = "counts from the launch, but the start of a draft is unknown; remove it, or launch with a start \
                    time (--at) instead of a draft";
    let short = plan.indexed_steps().find(|(_, step)| step.leave_within.is_some())?;
    Some(Problem::new(Some(short.0), "leave_within", sentence))
}

/// Refuses a route that applies to none of the recipients, because it would send nothing.
pub(super) fn has_recipients<T>(
    draft: &Draft,
    recipients: &Recipients,
    (plan, warnings): (Plan, T),
) -> Result<(Plan, T), Vec<Problem>> {
    let Shares { without_step, unknown, .. } = Shares::of(&plan, &recipients.crowd());
    if recipients.recipients == 0 || without_step.values().sum::<u64>() + unknown < recipients.recipients {
        return Ok((plan, warnings));
    }
    if unknown > 0 {
        let sentence = "none of its channels knows a recipient without a number, and no step applies to the others, so \
                        nothing would be sent; add a step on WhatsApp";
        return Err(vec![Problem::new(None, "step", sentence)]);
    }
    let from = named(&without_step).join(", ");
    if let Some(allowed) = &draft.allow_countries
        && without_step.keys().all(|country| !allowed.contains(country))
    {
        let sentence = format!(
            "names none of the recipients' countries, so nothing would be sent; they are from: \
                                {from}"
        );
        return Err(vec![Problem::new(None, "allow_countries", sentence)]);
    }
    let problem = |(index, step): (StepIndex, &Step)| {
        let is_left_out =
            |country: &Country| *country == Country::UNITED_STATES || !step.chosen_countries().contain(Some(*country));
        if step.withholds_us_marketing() && without_step.keys().all(is_left_out) {
            let sentence = "WhatsApp delivers no marketing to numbers of the United States, and no step applies to any \
                            recipient, so nothing would be sent; add a step of another channel";
            return Problem::new(Some(index), "us_marketing", sentence);
        }
        let key = if matches!(step.countries, Countries::AllBut(_)) { "skip_when" } else { "only" };
        let sentence = format!(
            "applies to none of the recipients, and neither does any other step, so nothing would be sent; they are \
             from: {from}"
        );
        Problem::new(Some(index), key, sentence)
    };
    Err(plan.indexed_steps().map(problem).collect())
}

/// Removes the rule for the United States from the steps if no recipient is from there.
pub(super) fn remove_idle_rules(plan: &mut Plan, recipients: &BTreeMap<Country, u64>) {
    if !recipients.contains_key(&Country::UNITED_STATES) {
        for step in plan.steps.iter_mut().filter(|step| step.withholds_us_marketing()) {
            step.send_us_marketing_again();
        }
    }
}

/// What is wrong with what a step does at the limits of WhatsApp, by key.
pub(super) fn wrong_at_limits(
    step: &DraftStep,
    is_last: bool,
    ttl: Option<Span>,
) -> impl Iterator<Item = (&'static str, String)> {
    let is_whatsapp = step.channel == Channel::WhatsApp;
    let tier = match step.on_tier_spent {
        OnTierSpent::FallBack if !is_whatsapp => Some("only WhatsApp has tiers; remove it".to_owned()),
        OnTierSpent::FallBack if is_last => Some(NOTHING_FOLLOWS.to_owned()),
        OnTierSpent::FallBack | OnTierSpent::Wait => None,
    };
    let rest = OnRecipientLimit::REST;
    let limit = match step.on_recipient_limit {
        OnRecipientLimit::Retry if !is_whatsapp => {
            Some("only WhatsApp limits how much one recipient gets; remove it".to_owned())
        }
        OnRecipientLimit::Retry if ttl.is_none_or(|ttl| ttl <= rest) || step.ttl.is_some_and(|ttl| ttl <= rest) => {
            Some(format!(
                "a message is sent again after {rest}, within the ttl of the campaign and of the step; set a longer ttl, such as 3d"
            ))
        }
        OnRecipientLimit::Retry | OnRecipientLimit::FallBack => None,
    };
    let has_template = is_whatsapp && step.content.template().is_some();
    let us_marketing = (step.us_marketing == UsMarketing::Send && !has_template)
        .then(|| "only templates of WhatsApp are not delivered in the United States; remove it".to_owned());
    let found = [("on_tier_spent", tier), ("on_recipient_limit", limit), ("us_marketing", us_marketing)];
    found.into_iter().filter_map(|(key, wrong)| Some((key, wrong?)))
}

/// Checks that every message under a budget has a price.
pub(super) fn priced(crowd: &Crowd, plan: &Plan) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for (index, step) in plan.indexed_steps() {
        if plan.limits.budget.is_none() && step.limits.budget.is_none() {
            continue;
        }
        let takers = step.takers();
        let is_unpriced = |taker: &Taker| takers.include(*taker) && step.prices.of(taker.country).is_none();
        let unpriced = by_country(crowd.iter().filter(|(taker, _)| is_unpriced(taker)));
        if !unpriced.is_empty() {
            let sentence = format!(
                "the price list has no price for {} in: {}; add a line for each, or one without a country for all \
                 others",
                step.channel,
                named(&unpriced).join(", ")
            );
            let owner = step.limits.budget.is_some().then_some(index);
            let problem = Problem::new(owner, "budget", sentence);
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}
