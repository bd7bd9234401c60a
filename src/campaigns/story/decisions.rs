//! Writes the engine's decisions as sentences.

use super::endings::{self, TimedDecision};
use super::words::{Told, capital, channel, in_brackets, skipped, spoken_status};
use crate::base::domain::{Outcome, Present, SkipReason, State, Status};
use crate::rules::engine::Rule;

/// A decision as a sentence, and its rule in a few words.
type Sentence = (String, &'static str);

const ACCEPTANCE: &str = "1: the deadline runs from acceptance";
const SENDER: &str = "2: caused by the sender";
const UNCLEAR: &str = "2: refused without a known code";
const OPTED_OUT: &str = "2: opted out";
const LATE_SUCCESS: &str = "6: late success";
const UNKNOWN: &str = "7: unknown is not failed";
const SILENCE: &str = "9: silence counts only while receipts can arrive";

/// Writes a decision that `fact` led to.
pub(super) fn decision(decision: &TimedDecision<'_>, rule: Rule, plan: &Told<'_>, fact: &str) -> Sentence {
    let (before, after) = (decision.before, decision.after);
    let (step, on, start) = (before.step, channel(plan, before.step), capital(fact));
    let by = |rule: &'static str, text: String| (text, rule);
    match rule {
        Rule::Claimed => by("claimed before it is submitted", format!("{on} was claimed for submission.")),
        Rule::HandedOver => submitted(decision, plan, fact),
        Rule::CountedAsHandedOver => by(UNKNOWN, counted_as_submitted(decision, plan, fact)),
        Rule::Resent => by("7: on_unknown = resend", resent(before, plan, fact)),
        Rule::HandedBack => {
            by("returned", format!("Step {step}, {on}: returned to its queue before it was submitted."))
        }
        Rule::Postponed => {
            by("postponed", format!("Step {step}, {on}: postponed, because it came up outside its hours."))
        }
        Rule::TriedAgain => by(
            "2: temporary failure, the same step again",
            format!("{start}. This failure is temporary: {on} is retried, and no step is used up."),
        ),
        Rule::WaitsForRecipient => by(
            "2: the recipient's limit, the same step a day later",
            format!(
                "{start}. The provider limits how much this recipient gets: {on} is sent again a day later, as \
                 `on_recipient_limit = \"retry\"` says."
            ),
        ),
        Rule::KeptForSender(_) => by(SENDER, kept_for_sender(&start)),
        Rule::MovedToEnd => by(UNCLEAR, moved_to_end(&start)),
        Rule::RefusedAlone => by(UNCLEAR, refused_alone()),
        Rule::SetAside => by(UNCLEAR, set_aside(on)),
        Rule::Released => by("released", format!("An operator returned {on} to its queue.")),
        Rule::FellBack(ending) => endings::fell_back(decision, ending, plan, fact),
        Rule::Ended(ending) => by("4: no further step", endings::ended(before, ending, plan, fact)),
        Rule::Reached => by("success status reached", reached(before, plan, &start)),
        Rule::Progressed => {
            by("no decision: a status is reported", format!("{start}.{}", still_open(before, after, plan)))
        }
        Rule::Recorded => by("6: recorded, decides nothing", format!("{start}; the step had already fallen back.")),
        Rule::TakenBack => by(SILENCE, recalled(on, "a receipt of the step before may be missing")),
        Rule::RefusalRecalled => by(SENDER, recalled(on, "the sender caused the refusal before it")),
        Rule::Recalled => by(
            "6: late success, the queued step is not sent",
            format!("{start}. {on} was still queued and is no longer needed, so it is not sent: done."),
        ),
        Rule::ReachedEarlier => by(LATE_SUCCESS, reached_earlier(on, &start)),
        Rule::DeliveredTwice => by("6: delivered twice", format!("{start}. It was delivered twice.")),
        Rule::Late => {
            by(LATE_SUCCESS, format!("{start}. The message had ended without success: it counts as reached, late."))
        }
        Rule::DeadlineHeld => by(SILENCE, "The deadline was held: a receipt could still arrive.".to_owned()),
        Rule::DeadlineWaived => by(SILENCE, endings::waived(decision, plan)),
        Rule::Rescheduled => by(ACCEPTANCE, "The due time was reset.".to_owned()),
        Rule::WindowClosed => by("4: the receipt window closed", endings::closed(before, plan)),
        Rule::Expired => by("5: no step is submitted after the TTL", endings::expired(before, plan)),
        Rule::CalledOffUnsent | Rule::CalledOffPresentLast if after.marks.opted_out() && !before.marks.opted_out() => {
            by(OPTED_OUT, opted_out(after, fact))
        }
        Rule::CalledOffUnsent if plan.confirms_opt_out => by(
            OPTED_OUT,
            "The recipient opted in again before the confirmation was submitted, or it was cancelled.".to_owned(),
        ),
        Rule::CalledOffUnsent => {
            by("8: cancelled", "The campaign was cancelled before anything was submitted.".to_owned())
        }
        Rule::CalledOffPresentLast if after.outcome() == Some(Outcome::Cancelled) => {
            by("8: cancelled", "The campaign was cancelled before anything was submitted.".to_owned())
        }
        Rule::CalledOffPresentLast => cancelled(before, plan),
        Rule::Suppressed => by(OPTED_OUT, suppressed(&start)),
        Rule::Adopted => by("7: a receipt adopts the attempt", adopted(before, after, plan, &start)),
    }
}

fn submitted(decision: &TimedDecision<'_>, plan: &Told<'_>, fact: &str) -> Sentence {
    let (step, after) = (decision.before.step, decision.after);
    let rule = if endings::falls_back(after, plan) { ACCEPTANCE } else { "4: the last step waits for its receipts" };
    (format!("Step {step}, {}: {fact}. {}", channel(plan, step), endings::awaits(after, plan)), rule)
}

fn counted_as_submitted(decision: &TimedDecision<'_>, plan: &Told<'_>, fact: &str) -> String {
    let (step, awaits) = (decision.before.step, endings::awaits(decision.after, plan));
    let on = channel(plan, step);
    if fact.is_empty() {
        return format!(
            "The second copy of {on} could not be submitted in time. The first may have arrived, so its deadline decides. \
             {awaits}"
        );
    }
    format!(
        "Step {step}, {on}: {fact}. It counts as submitted at the time of the try and is not resent. A receipt would prove \
         that it was submitted. {awaits}"
    )
}

fn resent(before: &Present, plan: &Told<'_>, fact: &str) -> String {
    let on = channel(plan, before.step);
    format!(
        "Step {}, {on}: {fact}. The campaign resends it in this case (`on_unknown = \"resend\"`), so a second copy is \
         queued.",
        before.step
    )
}

fn kept_for_sender(start: &str) -> String {
    format!(
        "{start}. The sender caused this, not the recipient: the message waits in its queue and does not fall back."
    )
}

fn moved_to_end(start: &str) -> String {
    format!(
        "{start}. The message or the sender may be the cause: another message tests the lane, and this one moves to the end of \
         its queue."
    )
}

fn refused_alone() -> String {
    "The lane's other messages are accepted: only this one was refused. It is sent once more.".to_owned()
}

fn set_aside(on: &str) -> String {
    format!(
        "It was refused again while other messages are accepted: {on} is set aside and not sent until an operator releases it. \
         It does not fall back."
    )
}

fn recalled(on: &str, because: &str) -> String {
    format!("{on} was still queued and is not sent for now, because {because}.")
}

fn reached(before: &Present, plan: &Told<'_>, start: &str) -> String {
    let no_more = match plan.after(before.step, before.marks) {
        Some(_) if !before.marks.cut() => ", and no further step is sent",
        _ => "",
    };
    format!("{start}. This is the success status of the step: done{no_more}.")
}

fn reached_earlier(on: &str, start: &str) -> String {
    format!("{start}. {on} had already been submitted and cannot be recalled; its receipts are recorded too.")
}

fn suppressed(start: &str) -> String {
    format!("{start}. The recipient has opted out: nothing more is sent to this number, on any channel.")
}

fn adopted(before: &Present, after: &Present, plan: &Told<'_>, start: &str) -> String {
    let open = still_open(before, after, plan);
    format!("{start}. This settles the unknown submission: it had taken place.{open}")
}

/// The cancel of a campaign: the submitted step is the last, and the first step that is not sent is named.
pub(super) fn cancelled(before: &Present, plan: &Told<'_>) -> Sentence {
    const CURRENT_IS_LAST: &str = "8: the current step becomes the last";
    if matches!(before.state, State::Sending { .. }) && before.first_submitted_at.is_none() {
        let on = channel(plan, before.step);
        let text = format!("The campaign was cancelled while {on} was being submitted: no step follows it.");
        return (text, CURRENT_IS_LAST);
    }
    let unsent = match before.state {
        State::Queued { .. } => Some(channel(plan, before.step)),
        _ => plan.after(before.step, before.marks).map(|next| channel(plan, next)),
    };
    let unsent = unsent.map(|unsent| format!(", and {unsent} is not sent")).unwrap_or_default();
    let text = format!("The campaign was cancelled: the submitted step is the last{unsent}.");
    (text, CURRENT_IS_LAST)
}

fn still_open(before: &Present, after: &Present, plan: &Told<'_>) -> String {
    if before.outcome().is_some() || after.outcome().is_some() {
        return String::new();
    }
    let success = plan.step(after.step).map_or(Status::Delivered, |step| step.success);
    format!(" Waiting for {}.", spoken_status(success))
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
