//! Writes the engine's decisions as sentences.

use super::endings::{self, Decision};
use super::explain::FactLine;
use crate::book::Entry;
use crate::clock::format_time_short;
use crate::domain::{
    Channel, Countries, Country, Plan, Present, SkipReason, Span, State, Status, StepIndex, Timestamp,
};
use crate::engine::{Ignored, Rule};
use crate::store::{Asked, Attempt, Batch, Receipt, Verdict};
use crate::wire::codes;

pub(super) fn channel(plan: &Plan, step: StepIndex) -> &'static str {
    plan.step(step).map_or("the step", |step| step.channel.as_str())
}

pub(super) fn launched(batch: &Batch, plan: &Plan) -> String {
    let route: Vec<&str> = plan.steps.iter().map(|step| step.channel.as_str()).collect();
    let name = batch.name.as_ref().map(|name| format!(" with \"{name}\"")).unwrap_or_default();
    format!("Launched{name}: {}.", route.join(", then "))
}

/// The steps that this message skips, each with the reason.
pub(super) fn passed_over(plan: &Plan, present: &Present, country: Option<Country>) -> Vec<String> {
    let from = country.map_or("from another country".to_owned(), |country| format!("from {country}"));
    let why = |countries: &Countries| match countries {
        Countries::AllBut(_) => "`skip_when` names that country",
        Countries::Only(_) | Countries::Everywhere => "`only` names other countries",
    };
    let skipped = plan.indexed_steps().filter(|(index, _)| present.marks.passed_over(*index));
    skipped
        .map(|(index, step)| {
            format!("Step {index}, {}, is skipped: the number is {from}, and {}.", step.channel, why(&step.countries))
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
        Some(SkipReason::NoStep) => "Not sent: no step of the route is for the number's country.".to_owned(),
        None => "Not sent.".to_owned(),
    }
}

/// Why a message did not wait for a slot of the tier.
pub(super) const TIER_SPENT: &str = "the portfolio had reached its tier's limit of recipients per day";

/// A submission as a fact, without the decision that it led to.
pub(super) fn attempt(attempt: &Attempt, entry: &Entry) -> FactLine {
    let plan = &entry.plan;
    let by = entry.member(attempt.step, attempt.lane).filter(|(pool, _)| pool.is_shared());
    let by = by.map(|(_, member)| format!(" by lane {}", member.lane)).unwrap_or_default();
    let on = channel(plan, attempt.step);
    let submitted = attempt.intent.map(|at| format!(", submitted at {}", clock(at, plan))).unwrap_or_default();
    let what = match attempt.verdict {
        Verdict::Accepted => accepted(attempt),
        Verdict::Unknown => unknown(attempt),
        Verdict::Rejected => rejected(attempt),
        Verdict::MissingVariable => missing(attempt),
        Verdict::OutsideWindow => "it is free text, and no 24-hour window was open".to_owned(),
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
pub(super) fn asked(asked: &Asked) -> FactLine {
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

pub(super) fn missing(attempt: &Attempt) -> String {
    format!("the column {} is empty and has no default", attempt.detail.as_deref().unwrap_or("of a variable"))
}

pub(super) fn receipt(receipt: &Receipt, channel: Option<Channel>) -> String {
    let channel = channel.map_or("the provider", Channel::as_str);
    let code = i64::from(receipt.code);
    if code != 0 {
        let meaning = codes::of_receipt(Some(code)).meaning;
        return format!("{channel} reported {} (code {code}: {meaning})", receipt.state);
    }
    match receipt.detail.as_str() {
        Receipt::ANSWERED => format!("the recipient replied on {channel}, and so has read it"),
        "" => format!("{channel} reported {}", receipt.state),
        detail => format!("{channel} reported {} ({})", receipt.state, detail.replace('_', " ")),
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

/// Capitalizes the first letter of a sentence.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default()
}

/// The position of a message, in a form that compares two of them.
pub(super) fn position(present: &Present, plan: &Plan) -> String {
    let on = channel(plan, present.step);
    let state = match present.state {
        State::Done { outcome, skipped: Some(reason), .. } => format!("{outcome}, {reason}"),
        State::Done { outcome, .. } => outcome.to_string(),
        _ => present.state.name().to_owned(),
    };
    format!("{state} at step {}, {on} ({:?})", present.step, present.marks)
}

/// A decision as a sentence, and its rule in a few words.
pub(super) fn decision(decision: &Decision<'_>, rule: Rule, plan: &Plan, fact: &str) -> (String, &'static str) {
    let (before, after) = (decision.before, decision.after);
    let step = before.step;
    let on = channel(plan, step);
    match rule {
        Rule::Claimed => (format!("{on} was claimed for submission."), "claimed before it is submitted"),
        Rule::HandedOver => {
            let rule = if endings::falls_back(after, plan) {
                "1: the deadline runs from acceptance"
            } else {
                "4: the last step waits for its receipts"
            };
            (format!("Step {step}, {on}: {fact}. {}", endings::awaits(after, plan)), rule)
        }
        Rule::CountedAsHandedOver if fact.is_empty() => (
            format!(
                "The second copy of {on} could not be submitted in time. The first may have arrived, so its deadline \
                 decides. {}",
                endings::awaits(after, plan)
            ),
            "7: unknown is not failed",
        ),
        Rule::CountedAsHandedOver => (
            format!(
                "Step {step}, {on}: {fact}. It counts as submitted from the time of the try, and is not resent; a \
                 receipt would settle it. {}",
                endings::awaits(after, plan)
            ),
            "7: unknown is not failed",
        ),
        Rule::Resent => {
            let text = format!(
                "Step {step}, {on}: {fact}. The campaign resends it in this case (`on_unknown = \"resend\"`), so a \
                 second copy is queued."
            );
            (text, "7: on_unknown = resend")
        }
        Rule::HandedBack => (format!("Step {step}, {on}: returned to its queue before it was submitted."), "returned"),
        Rule::Postponed => {
            (format!("Step {step}, {on}: postponed, because it came up outside its hours."), "postponed")
        }
        Rule::TriedAgain => (
            format!("{}. This failure is temporary: {on} is retried, and no step is used up.", capital(fact)),
            "2: temporary failure, the same step again",
        ),
        Rule::KeptForSender(_) => (
            format!(
                "{}. The sender caused this, not the recipient: the message waits in its queue and does not fall back.",
                capital(fact)
            ),
            "2: caused by the sender",
        ),
        Rule::FellBack(ending) => endings::fell_back(decision, ending, plan, fact),
        Rule::Ended(ending) => (endings::ended(before, ending, plan, fact), "4: no further step"),
        Rule::Reached => {
            let no_more = match plan.after(step, before.marks) {
                Some(_) if !before.marks.cut() => ", and no further step is sent",
                _ => "",
            };
            let text = format!("{}. This is the success status of the step: done{no_more}.", capital(fact));
            (text, "2: success status reached")
        }
        Rule::Progressed => {
            (format!("{}.{}", capital(fact), still_open(before, after, plan)), "2: a receipt ranks upwards")
        }
        Rule::Noted => {
            (format!("{}; the step had already fallen back.", capital(fact)), "6: recorded, decides nothing")
        }
        Rule::TakenBack => (
            format!("{on} had not been submitted and was recalled: a receipt of the step before may be missing."),
            "9: silence counts only while receipts can arrive",
        ),
        Rule::RefusalRecalled => (
            format!("{on} had not been submitted and was recalled: the sender caused the refusal before it."),
            "2: caused by the sender",
        ),
        Rule::Recalled => (
            format!("{}. {on} had not been submitted yet and was recalled: done.", capital(fact)),
            "6: a late success recalls the queued step",
        ),
        Rule::ReachedEarlier => (
            format!(
                "{}. {on} had already been submitted and cannot be recalled; its receipts are recorded too.",
                capital(fact)
            ),
            "6: late success",
        ),
        Rule::DeliveredTwice => (format!("{}. It was delivered twice.", capital(fact)), "6: delivered twice"),
        Rule::Late => (
            format!("{}. The message had ended without success: it counts as reached, late.", capital(fact)),
            "6: late success",
        ),
        Rule::DeadlineHeld => (
            "The deadline was held: a receipt could still arrive.".to_owned(),
            "9: silence counts only while receipts can arrive",
        ),
        Rule::DeadlineWaived => (endings::waived(decision, plan), "9: silence counts only while receipts can arrive"),
        Rule::Rescheduled => ("The due time was reset.".to_owned(), "1: the deadline runs from acceptance"),
        Rule::WindowClosed => (endings::closed(before, plan), "4: the receipt window closed"),
        Rule::Expired => (endings::expired(before, plan), "5: no step is submitted after the TTL"),
        Rule::CalledOffUnsent | Rule::CalledOffPresentLast if after.marks.opted_out() && !before.marks.opted_out() => {
            (opted_out(after, fact), "2: opted out")
        }
        Rule::CalledOffUnsent => {
            ("The campaign was cancelled before anything was submitted.".to_owned(), "8: cancelled")
        }
        Rule::CalledOffPresentLast => cancelled(before, plan),
        Rule::Suppressed => (
            format!(
                "{}. The recipient has opted out: nothing more is sent to this number, on any channel.",
                capital(fact)
            ),
            "2: opted out",
        ),
        Rule::Adopted => (
            format!(
                "{}. This settles the unknown submission: it had taken place.{}",
                capital(fact),
                still_open(before, after, plan)
            ),
            "7: a receipt adopts the attempt",
        ),
    }
}

/// The cancel of a campaign: the submitted step is the last, and the first step that is not sent is named.
pub(super) fn cancelled(before: &Present, plan: &Plan) -> (String, &'static str) {
    let unsent = match before.state {
        State::Queued { .. } => Some(channel(plan, before.step)),
        _ => plan.after(before.step, before.marks).map(|next| channel(plan, next)),
    };
    let unsent = unsent.map(|unsent| format!(", and {unsent} is not sent")).unwrap_or_default();
    let text = format!("The campaign was cancelled: the submitted step is the last{unsent}.");
    (text, "8: the current step becomes the last")
}

fn still_open(before: &Present, after: &Present, plan: &Plan) -> String {
    if before.outcome().is_some() || after.outcome().is_some() {
        return String::new();
    }
    let success = plan.step(after.step).map_or(Status::Delivered, |step| step.success);
    format!(" {success} would complete it.")
}

fn opted_out(after: &Present, how: &str) -> String {
    if after.outcome().is_some() && after.first_submitted_at.is_none() {
        return skipped(Some(SkipReason::OptedOut), how);
    }
    let then = match after.outcome() {
        Some(_) => "nothing more is sent",
        None => "the submitted step is the last",
    };
    format!("The recipient had opted out by then{}: {then}.", in_brackets(how))
}

fn in_brackets(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" ({text})") }
}

pub(super) fn next_or(before: &Present, plan: &Plan) -> &'static str {
    plan.after(before.step, before.marks).map_or("it", |next| channel(plan, next))
}

/// A time within a sentence, on the clock of the plan's zone.
pub(super) fn clock(at: Timestamp, plan: &Plan) -> String {
    format_time_short(at, plan.time_zone)
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
