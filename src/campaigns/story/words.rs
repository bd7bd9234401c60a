//! Writes facts as sentences, and the parts that sentences are made of.

use std::ops::Deref;

use super::explain::FactLine;
use crate::base::clock::format_time_short;
pub(super) use crate::base::domain::text::capital;
use crate::base::domain::{
    BatchState, Channel, Countries, Country, Plan, Present, SkipReason, Span, State, Status, Step, StepIndex,
    Timestamp, Zone,
};
use crate::rules::engine::Ignored;
use crate::rules::wire::codes;
use crate::sending::book::Entry;
use crate::store::{Attempt, Batch, Query, Receipt, Verdict};

/// A plan as sentences tell it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    plan: &'a Plan,
    /// The zone of the times in sentences.
    zone: Option<Zone>,
}

impl<'a> Told<'a> {
    /// With times in this zone, else in that of the campaign.
    pub(super) fn new(plan: &'a Plan, zone: Option<Zone>) -> Self {
        Self { plan, zone: zone.or(plan.time_zone) }
    }

    pub(super) const fn zone(self) -> Option<Zone> {
        self.zone
    }
}

impl Deref for Told<'_> {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        self.plan
    }
}

pub(super) fn channel(plan: &Plan, step: StepIndex) -> &'static str {
    plan.step(step).map_or("the step", |step| step.channel.as_str())
}

pub(super) fn launched(batch: &Batch, plan: &Plan) -> String {
    let route: Vec<&str> = plan.steps.iter().map(|step| step.channel.as_str()).collect();
    let name = batch.name.as_ref().map(|name| format!(" with \"{name}\"")).unwrap_or_default();
    let begun = if batch.state == BatchState::Draft { "Created as part of a draft" } else { "Launched" };
    format!("{begun}{name}: {}.", route.join(", then "))
}

/// The steps that this message skips, each with the reason.
pub(super) fn passed_over(
    plan: &Plan,
    present: &Present,
    (country, only_on): (Option<Country>, Option<Channel>),
) -> Vec<String> {
    let from = country.map_or("from another country".to_owned(), |country| format!("from {country}"));
    let because = |step: &Step| match step.countries {
        _ if step.withholds_us_marketing() && country == Some(Country::UNITED_STATES) => {
            "WhatsApp delivers no marketing there"
        }
        Countries::AllBut(_) => "`skip_when` names that country",
        Countries::Only(_) | Countries::Everywhere => "`only` names other countries",
    };
    let who = if only_on.is_none() { "the number" } else { "the recipient" };
    let skipped = plan.indexed_steps().filter(|(index, _)| present.marks.passed_over(*index));
    skipped
        .map(|(index, step)| match step.knows(only_on) {
            true => format!("Step {index}, {}, is skipped: {who} is {from}, and {}.", step.channel, because(step)),
            false => format!("Step {index}, {}, is skipped: the recipient has no number.", step.channel),
        })
        .collect()
}

/// Why a message was skipped; `how` names the recipient's opt-out where it is known.
pub(super) fn skipped(reason: Option<SkipReason>, how: &str) -> String {
    match reason {
        Some(SkipReason::OptedOut) => format!("Not sent: the recipient has opted out{}.", in_brackets(how)),
        Some(SkipReason::Excluded) => "Not sent: the campaign excludes the number.".to_owned(),
        Some(SkipReason::MissingVariable) => "Not sent: a variable has neither a value nor a default.".to_owned(),
        Some(SkipReason::OutsideWindow) => "Not sent: the 24-hour window was closed.".to_owned(),
        Some(SkipReason::NoStep) => "Not sent: no step of the route is for the recipient.".to_owned(),
        None => "Not sent.".to_owned(),
    }
}

/// Why a message did not wait for a slot of the tier.
pub(super) const TIER_SPENT: &str = "the portfolio had reached its tier's limit of recipients per day";

/// A submission as a fact, without the decision that it led to.
pub(super) fn attempt(attempt: &Attempt, entry: &Entry, plan: &Told<'_>) -> FactLine {
    let by = entry.member(attempt.step, attempt.lane).filter(|(pool, _)| pool.is_shared());
    let by = by.map(|(_, member)| format!(" by lane {}", member.lane)).unwrap_or_default();
    let on = channel(plan, attempt.step);
    let submitted = attempt.intent.map(|at| format!(", tried at {}", clock(at, plan))).unwrap_or_default();
    let what = match attempt.verdict {
        Verdict::Accepted => accepted(attempt),
        Verdict::Unknown => unknown(attempt),
        Verdict::Rejected => rejected(attempt),
        Verdict::Refused => refused(attempt),
        Verdict::MissingVariable => missing(attempt),
        Verdict::OutsideWindow => "it is free text, and no 24-hour window was open".to_owned(),
        Verdict::OptedOut => "the recipient had opted out of such messages".to_owned(),
        Verdict::CouldNotLeave => "it could not be submitted".to_owned(),
        Verdict::TierSpent => format!("it could not be submitted: {TIER_SPENT}"),
    };
    FactLine { step: attempt.step.get() + 1, at: attempt.answered, text: format!("{on}{by}{submitted}: {what}") }
}

pub(super) fn receipt_line(fact: &Receipt, plan: &Plan) -> FactLine {
    let channel = plan.step(fact.step).map(|step| step.channel);
    FactLine { step: fact.step.get() + 1, at: fact.received, text: receipt(fact, channel) }
}

/// A question to the provider, as a fact.
pub(super) fn asked(asked: &Query) -> FactLine {
    let times = if asked.tries > 1 { format!(" {} times", asked.tries) } else { String::new() };
    let knew = if asked.is_answered { "it knew the status" } else { "it did not know the status" };
    FactLine { step: asked.step.get() + 1, at: asked.at, text: format!("the provider was asked{times}; {knew}") }
}

fn tries(attempt: &Attempt) -> String {
    match attempt.tries {
        0 => String::new(),
        1 => ", on the second try".to_owned(),
        2 => ", on the third try".to_owned(),
        times => format!(", after {times} failed tries"),
    }
}

pub(super) fn accepted(attempt: &Attempt) -> String {
    let umid = attempt.umid.as_ref().map(|umid| format!(" as {}", umid.as_str())).unwrap_or_default();
    format!("the provider accepted it{umid}{}", tries(attempt))
}

pub(super) fn unknown(attempt: &Attempt) -> String {
    let why = attempt.detail.as_deref().unwrap_or("no answer came");
    format!("it is unknown whether the provider accepted it ({why})")
}

pub(super) fn rejected(attempt: &Attempt) -> String {
    let code = attempt.code.map(|code| format!("code {code}: ")).unwrap_or_default();
    format!("the provider rejected it ({code}{})", attempt.detail.as_deref().unwrap_or("without a reason"))
}

/// A refusal without a known code. The code is that of the answer, or its HTTP status.
pub(super) fn refused(attempt: &Attempt) -> String {
    let detail = attempt.detail.as_deref().unwrap_or("without a reason");
    format!("the provider refused it without a known code ({detail})")
}

pub(super) fn missing(attempt: &Attempt) -> String {
    format!("{} has neither a value nor a default", attempt.detail.as_deref().unwrap_or("a variable"))
}

pub(super) fn receipt(receipt: &Receipt, channel: Option<Channel>) -> String {
    let on = channel.map(|channel| format!(" on {channel}")).unwrap_or_default();
    let code = i64::from(receipt.code);
    if code != 0 {
        let meaning = codes::of_receipt(Some(code)).meaning;
        return format!("the provider reported {}{on} (code {code}: {meaning})", receipt.state);
    }
    match receipt.detail.as_str() {
        Receipt::ANSWERED => format!("the recipient replied{on}, and so has read it"),
        "" => format!("the provider reported {}{on}", receipt.state),
        detail => format!("the provider reported {}{on} ({})", receipt.state, detail.replace('_', " ")),
    }
}

/// A receipt that is the provider's answer to a question from Volley.
pub(super) fn answer_when_asked(fact: &Receipt, channel: Option<Channel>) -> String {
    format!("the provider was asked for the status: {}", receipt(fact, channel))
}

pub(super) const fn ignored(why: Ignored) -> &'static str {
    match why {
        Ignored::NothingNew => "this adds nothing new",
        Ignored::NotBegun => "the message has not reached that step",
        Ignored::NotYet => "it was not due yet",
        Ignored::Stale => "the message no longer waited for it",
        Ignored::Ended => "the message had already ended, and this does not change its outcome",
        Ignored::InFlight => "the submission in flight decides it",
    }
}

/// The position of a message, in a form that compares two of them.
pub(super) fn position(present: &Present, plan: &Plan) -> String {
    let on = channel(plan, present.step);
    let state = match present.state {
        State::Done { outcome, skipped: Some(reason), .. } => format!("{outcome}, {reason}"),
        State::Done { outcome, .. } => outcome.to_string(),
        _ => present.state_name().to_owned(),
    };
    format!("{state} at step {}, {on} ({:?})", present.step, present.marks)
}

pub(super) fn in_brackets(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" ({text})") }
}

pub(super) fn next_or(before: &Present, plan: &Plan) -> &'static str {
    plan.after(before.step, before.marks).map_or("it", |next| channel(plan, next))
}

/// A time within a sentence.
pub(super) fn clock(at: Timestamp, plan: &Told<'_>) -> String {
    format_time_short(at, plan.zone)
}

/// A status within a sentence.
pub(super) fn spoken_status(status: Status) -> String {
    status.as_str().to_lowercase()
}

/// A duration in words: `15 minutes`, `1 hour and 30 seconds`. Fractions of a second are dropped.
pub(super) fn spoken(span: Span) -> String {
    let mut left = span.millis() / 1_000;
    let units = [("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)];
    let parts = units.into_iter().filter_map(|(unit, seconds)| {
        let count = left / seconds;
        left %= seconds;
        let s = if count == 1 { "" } else { "s" };
        (count > 0).then(|| format!("{count} {unit}{s}"))
    });
    let mut parts: Vec<String> = parts.collect();
    match (parts.pop(), parts.is_empty()) {
        (None, _) => span.to_string(),
        (Some(last), true) => last,
        (Some(last), false) => format!("{} and {last}", parts.join(", ")),
    }
}
