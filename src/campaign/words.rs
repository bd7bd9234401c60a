//! The engine's decisions in sentences.

use super::explain::FactLine;
use super::moment::moment_within;
use crate::domain::{
    Channel, Countries, Country, Ending, Plan, Present, SkipReason, Span, State, Status, StepIndex, Timestamp,
};
use crate::engine::{self, Ignored, Rule};
use crate::store::{Asked, Attempt, Batch, Receipt, Verdict};
use crate::wire::{self, codes};

/// Where a message stands, in a word.
pub const fn state(present: &Present) -> &'static str {
    match present.state {
        State::Queued { .. } => "queued",
        State::Sending { .. } => "sending",
        State::Awaiting { .. } => "awaiting",
        State::Done { .. } => "done",
    }
}

pub(super) fn channel(plan: &Plan, step: StepIndex) -> &'static str {
    plan.step(step).map_or("the step", |step| step.channel.as_str())
}

pub(super) fn launched(batch: &Batch, plan: &Plan) -> String {
    let route: Vec<&str> = plan.steps.iter().map(|step| step.channel.as_str()).collect();
    let name = batch.name.as_deref().unwrap_or("the batch");
    format!("Launched with {name}: {}.", route.join(", then "))
}

/// The steps that are left out for this message, each with the reason for it.
pub(super) fn passed_over(plan: &Plan, present: &Present, country: Option<Country>) -> Vec<String> {
    let from = country.map_or("of another country".to_owned(), |country| format!("of {country}"));
    let why = |countries: &Countries| match countries {
        Countries::AllBut(_) => "`skip_when` names that country",
        Countries::Only(_) | Countries::Everywhere => "`only` names others",
    };
    let left_out = plan.places().filter(|(index, _)| present.marks.passed_over(*index));
    left_out
        .map(|(index, step)| {
            format!("Step {index}, {}, is left out: the number is {from}, and {}.", step.channel, why(&step.countries))
        })
        .collect()
}

/// `how` somebody opted out, where that is known.
pub(super) fn skipped(reason: Option<SkipReason>, how: &str) -> String {
    match reason {
        Some(SkipReason::OptedOut) => format!("Not sent: the person has opted out{}.", in_brackets(how)),
        Some(SkipReason::Excluded) => "Not sent: the campaign excludes the number.".to_owned(),
        Some(SkipReason::MissingVariable) => "Not sent: a variable has neither value nor default.".to_owned(),
        Some(SkipReason::OutsideWindow) => "Not sent: the 24-hour window was closed.".to_owned(),
        Some(SkipReason::NoStep) => "Not sent: no step of the route is for the number's country.".to_owned(),
        None => "Not sent.".to_owned(),
    }
}

/// Why nobody waited any longer for a place.
pub(super) const TIER_SPENT: &str = "the portfolio had begun to talk to as many people that day as its tier allows";

/// A hand-over as a fact, without what was decided about it.
pub(super) fn attempt(attempt: &Attempt, plan: &Plan) -> FactLine {
    let on = channel(plan, attempt.step);
    let left = attempt.intent.map(|at| format!(", left at {}", clock(at, plan))).unwrap_or_default();
    let what = match attempt.verdict {
        Verdict::Accepted => accepted(attempt),
        Verdict::Unknown => broke(attempt),
        Verdict::Rejected => rejected(attempt),
        Verdict::MissingVariable => missing(attempt),
        Verdict::OutsideWindow => "it is free text, and no 24-hour window was open".to_owned(),
        Verdict::CouldNotLeave => "it could not leave".to_owned(),
        Verdict::TierSpent => format!("it could not leave: {TIER_SPENT}"),
    };
    FactLine { step: attempt.step.get() + 1, at: attempt.answered, text: format!("{on}{left}: {what}") }
}

pub(super) fn receipt_line(fact: &Receipt, plan: &Plan) -> FactLine {
    let channel = plan.step(fact.step).map(|step| step.channel);
    FactLine { step: fact.step.get() + 1, at: fact.received, text: receipt(fact, channel) }
}

/// That the provider was asked, as a fact.
pub(super) fn asked(asked: &Asked) -> FactLine {
    let times = if asked.tries > 1 { format!(" {} times", asked.tries) } else { String::new() };
    let knew = if asked.said { "it knew how far it had come" } else { "it could not tell" };
    FactLine { step: asked.step.get() + 1, at: asked.at, text: format!("the provider was asked{times}; {knew}") }
}

fn tries(attempt: &Attempt) -> String {
    match attempt.tries {
        0 => String::new(),
        1 => ", after being given back once".to_owned(),
        times => format!(", after being given back {times} times"),
    }
}

pub(super) fn accepted(attempt: &Attempt) -> String {
    let umid = attempt.umid.as_ref().map(|umid| format!(" as {}", umid.as_str())).unwrap_or_default();
    format!("the provider accepted it{umid}{}", tries(attempt))
}

pub(super) fn broke(attempt: &Attempt) -> String {
    let why = attempt.detail.as_deref().unwrap_or("the answer never came");
    format!("nobody knows whether the provider took it ({why})")
}

pub(super) fn rejected(attempt: &Attempt) -> String {
    let code = attempt.code.map(|code| format!("{code}, ")).unwrap_or_default();
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
        return format!("{channel} reported {} with code {code}, {meaning}", receipt.state);
    }
    match receipt.detail.as_str() {
        Receipt::ANSWERED => format!("the person answered on {channel}, and so has read it"),
        "" => format!("{channel} reported {}", receipt.state),
        detail => format!("{channel} reported {} ({})", receipt.state, detail.replace('_', " ")),
    }
}

/// What a kept receipt says to the engine.
pub(super) fn report(receipt: &Receipt, channel: Option<Channel>) -> Option<engine::Report> {
    let status = wire::StatusBody {
        state: receipt.state.as_str().into(),
        detail: Some(receipt.detail.as_str().into()),
        error_code: (receipt.code != 0).then_some(i64::from(receipt.code)),
        ..wire::StatusBody::default()
    };
    match wire::Report::of(channel, &status) {
        wire::Report::Negative { code } => {
            Some(engine::Report::Failed { fault: codes::of_receipt(code).fault, again: receipt.received })
        }
        positive => positive.status().map(engine::Report::Reached),
    }
}

pub(super) const fn ignored(why: Ignored) -> &'static str {
    match why {
        Ignored::NothingNew => "that says nothing that was not known",
        Ignored::NotBegun => "the message has not got that far",
        Ignored::NotYet => "its time had not come",
        Ignored::Stale => "nobody waited for it any more",
        Ignored::Ended => "the message had ended, and that does not change how",
        Ignored::InFlight => "the hand-over under way settles it",
    }
}

/// What is later than this is told.
const NOTICED: Span = Span::from_secs(2);

/// A sentence begins with a capital letter.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default()
}

/// Where a message stands, for whoever compares two of them.
pub(super) fn stands(present: &Present, plan: &Plan) -> String {
    let on = channel(plan, present.step);
    let state = match present.state {
        State::Done { outcome, skipped: Some(reason), .. } => format!("{outcome}, {reason}"),
        State::Done { outcome, .. } => outcome.to_string(),
        _ => state(present).to_owned(),
    };
    format!("{state} at step {}, {on} ({:?})", present.step, present.marks)
}

/// A decision as a sentence, and its rule in a few words.
pub(super) fn decision(
    before: &Present,
    after: &Present,
    rule: Rule,
    plan: &Plan,
    fact: &str,
) -> (String, &'static str) {
    let step = before.step;
    let on = channel(plan, step);
    match rule {
        Rule::Claimed => (format!("{on} was claimed to leave."), "claimed before it leaves"),
        Rule::HandedOver => {
            (format!("Step {step}, {on}: {fact}. {}", awaits(after, plan)), "1: the deadline runs from acceptance")
        }
        Rule::CountedAsHandedOver if fact.is_empty() => (
            format!(
                "The second copy of {on} could not leave in its time. The first may have arrived, so its own time decides. {}",
                awaits(after, plan)
            ),
            "7: unknown is not failed",
        ),
        Rule::CountedAsHandedOver => (
            format!(
                "Step {step}, {on}: {fact}. It counts as handed over, from when it was to leave, and is not sent again; a \
                 receipt would settle it. {}",
                awaits(after, plan)
            ),
            "7: unknown is not failed",
        ),
        Rule::Resent => {
            let text =
                format!("Step {step}, {on}: {fact}. The route says to send it again, once: a second copy is queued.");
            (text, "7: on_unknown = resend")
        }
        Rule::HandedBack => (format!("Step {step}, {on}: handed back before it left."), "handed back"),
        Rule::TriedAgain => {
            let text = format!(
                "{}. That passes, and is nobody's fault: {on} goes again, and no step is used up.",
                capital(fact)
            );
            (text, "2: in passing, the same step again")
        }
        Rule::KeptForSender(_) => (
            format!(
                "{}. That is the sender's fault and not this person's: the message keeps its place and does not fall back.",
                capital(fact)
            ),
            "2: whose fault",
        ),
        Rule::GaveWay(ending) => gave_way(before, after, ending, plan, fact),
        Rule::Ended(ending) => (ended(before, ending, plan, fact), "4: no further step"),
        Rule::Reached => {
            let text =
                format!("{}. That is what the step was to reach: done, and no further step leaves.", capital(fact));
            (text, "2: success status reached")
        }
        Rule::Progressed => {
            (format!("{}.{}", capital(fact), still_open(before, after, plan)), "2: a receipt ranks upwards")
        }
        Rule::Noted => (format!("{}; the step had given way already.", capital(fact)), "6: kept, decides nothing"),
        Rule::Recalled => (
            format!("{}. {on} had not left yet and was taken back: done.", capital(fact)),
            "6: late truth recalls what is queued",
        ),
        Rule::ReachedEarlier => (format!("{}. {on} had left already; both are kept.", capital(fact)), "6: late truth"),
        Rule::DeliveredTwice => (format!("{}. The person has got it twice.", capital(fact)), "6: delivered twice"),
        Rule::Late => (
            format!("{}. The message had ended without success: it counts as reached, late.", capital(fact)),
            "6: late truth",
        ),
        Rule::DeadlineHeld => (
            "The deadline was held: receipts could not be taken for a while.".to_owned(),
            "9: silence is only news while we listen",
        ),
        Rule::DeadlineWaived => (
            format!(
                "{on}'s deadline was waived: it fell into a time in which nobody listened, and what the provider said then is \
                 lost. {} `after_gap = \"fall_back\"` would have gone on to {}.",
                awaits_only(after, plan),
                next_or(before, plan)
            ),
            "9: silence is only news while we listen",
        ),
        Rule::Rescheduled => ("The due time was set anew.".to_owned(), "1: the deadline runs from acceptance"),
        Rule::WindowClosed => (closed(before, plan), "4: the receipt window closed"),
        Rule::Expired => (expired(before, plan), "5: no step leaves after the TTL"),
        Rule::CalledOffUnsent | Rule::CalledOffPresentLast if after.marks.opted_out() && !before.marks.opted_out() => {
            (opted_out(after, fact), "2: the person's wish")
        }
        Rule::CalledOffUnsent => ("The campaign was cancelled before anything had left.".to_owned(), "8: cancelled"),
        Rule::CalledOffPresentLast => (
            "The campaign was cancelled: what has been handed over is the last.".to_owned(),
            "8: the present step becomes the last",
        ),
        Rule::Suppressed => (
            format!("{}. The person wants no more: nothing goes out on any channel.", capital(fact)),
            "2: the person's wish",
        ),
        Rule::Adopted => (
            format!("{}. That settles what nobody knew: it had been handed over.", capital(fact)),
            "7: a receipt adopts the attempt",
        ),
    }
}

/// Its time was up before the step whose turn it was could leave.
fn expired(before: &Present, plan: &Plan) -> String {
    let unsent = match before.state {
        State::Queued { .. } | State::Sending { .. } => channel(plan, before.step),
        State::Awaiting { .. } | State::Done { .. } => next_or(before, plan),
    };
    match (before.first_left, plan.ttl, plan.end) {
        (Some(first), Some(ttl), _) => format!(
            "The message's time was up at {}, {ttl} after it first left, and {unsent} had not left by then: expired. A longer \
             `ttl` would have let it.",
            clock(first + ttl, plan)
        ),
        (None, _, Some(end)) => {
            format!("The campaign's end had come at {}, and {unsent} had not left by then: expired.", clock(end, plan))
        }
        _ => format!("Its time was up before {unsent} could leave: expired."),
    }
}

fn opted_out(after: &Present, how: &str) -> String {
    if after.outcome().is_some() && after.first_left.is_none() {
        return skipped(Some(SkipReason::OptedOut), how);
    }
    let then = match after.outcome() {
        Some(_) => "nothing more goes out",
        None => "what has been handed over is the last",
    };
    format!("The person had opted out by then{}: {then}.", in_brackets(how))
}

fn in_brackets(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" ({text})") }
}

fn next_or(before: &Present, plan: &Plan) -> &'static str {
    plan.after(before.step, before.marks).map_or("it", |next| channel(plan, next))
}

fn next_step(before: &Present, after: &Present, plan: &Plan) -> String {
    if after.step > before.step {
        format!("step {}, {}", after.step, channel(plan, after.step))
    } else {
        "nothing".to_owned()
    }
}

fn awaits(after: &Present, plan: &Plan) -> String {
    let State::Awaiting { due } = after.state else { return String::new() };
    let success = plan.step(after.step).map_or(Status::Delivered, |step| step.success);
    let gives_way = plan.step(after.step).is_some_and(|step| step.fallback_after.is_some());
    match plan.after(after.step, after.marks).filter(|_| gives_way) {
        Some(next) => {
            format!("{} follows at {} unless it is {success} by then.", channel(plan, next), clock(due, plan))
        }
        None => awaits_only(after, plan),
    }
}

/// Until when news is waited for, whatever may follow.
fn awaits_only(after: &Present, plan: &Plan) -> String {
    let State::Awaiting { due } = after.state else { return String::new() };
    format!("Receipts are waited for until {}.", clock(due, plan))
}

fn still_open(before: &Present, after: &Present, plan: &Plan) -> String {
    if matches!(before.state, State::Done { .. }) {
        return String::new();
    }
    let success = plan.step(after.step).map_or(Status::Delivered, |step| step.success);
    format!(" {success} would end it.")
}

/// What is to be told of a deadline that passed unheeded.
fn held_up(before: &Present, after: &Present, plan: &Plan) -> String {
    let (State::Awaiting { due }, State::Queued { not_before, .. }) = (before.state, after.state) else {
        return String::new();
    };
    match not_before.since(due) {
        late if late < NOTICED => String::new(),
        late => format!(
            " It was due at {}, and what held it up (nobody listened, a pause, or no server) was over {late} later.",
            clock(due, plan)
        ),
    }
}

fn gave_way(before: &Present, after: &Present, ending: Ending, plan: &Plan, fact: &str) -> (String, &'static str) {
    let (on, rules) = (channel(plan, before.step), plan.step(before.step));
    let next = next_step(before, after, plan);
    let (why, rule) = match ending {
        Ending::Deadline => {
            let patience = rules.and_then(|rules| rules.fallback_after).unwrap_or(Span::ZERO);
            let success = rules.map_or(Status::Delivered, |rules| rules.success);
            let best = before.marks.status(before.step);
            let best = best.map_or("nothing was known of it".to_owned(), |best| format!("its best status was {best}"));
            let left = if before.marks.unknown(before.step) { "may have left" } else { "was accepted" };
            let late = held_up(before, after, plan);
            let why = format!("{patience} after {on} {left} {best}; {success} would have ended it.{late}");
            (why, "1: the deadline passed")
        }
        Ending::Undelivered if fact.is_empty() => (
            format!("{on} had failed in passing, and its time to go again is up."),
            "2: failed in passing, for too long",
        ),
        Ending::Undelivered => {
            let why =
                format!("{}. That is about this recipient, so {on} is over without waiting any longer.", capital(fact));
            (why, "2: failed because of this recipient")
        }
        Ending::Rejected => {
            let why =
                format!("Step {}, {on}: {fact}. That is about this recipient, so {on} is over at once.", before.step);
            (why, "2: rejected because of this recipient")
        }
        Ending::CouldNotLeave if !fact.is_empty() => (
            format!("{on} could not leave: {fact}. `on_tier_spent = \"wait\"` would have let it wait."),
            "10: a step that cannot leave",
        ),
        Ending::CouldNotLeave => {
            let within = rules.and_then(|rules| rules.leave_within);
            let within = within.map_or("its time".to_owned(), |within| format!("{within}, its `leave_within`"));
            (
                format!("{on} could not leave within {within}: pace, tier, a hold or a pause kept it."),
                "10: a step that cannot leave",
            )
        }
        Ending::OutsideWindow => (
            format!(
                "{on} is free text, which may leave only while the person's 24-hour window is open, and it was closed; a \
                 template could have left."
            ),
            "10: outside window",
        ),
        Ending::MissingVariable => (
            format!("{on} could not be written: {fact}. A default, {{{{column|default}}}}, would have filled it."),
            "10: missing variable",
        ),
        Ending::Open | Ending::Success => (String::new(), "1: gave way"),
    };
    (format!("{why} Now {next}."), rule)
}

fn ended(before: &Present, ending: Ending, plan: &Plan, fact: &str) -> String {
    let on = channel(plan, before.step);
    match ending {
        Ending::Undelivered | Ending::Rejected => format!("{}. {on} was the last step: undelivered.", capital(fact)),
        Ending::CouldNotLeave => format!("{on} could not leave within its time, and was the last step: expired."),
        Ending::OutsideWindow => format!("{on} is free text outside the 24-hour window, and was the last step."),
        Ending::MissingVariable => format!("{on} could not be written: {fact}. It was the last step."),
        Ending::Open | Ending::Success | Ending::Deadline => format!("{on} was the last step."),
    }
}

fn closed(before: &Present, plan: &Plan) -> String {
    let last = before.marks.last_handed_over().unwrap_or(before.step);
    let window = plan.step(last).map_or(Span::ZERO, |rules| rules.receipt_window);
    let on = channel(plan, last);
    if before.marks.unknown(last) {
        format!("{window} after {on} may have left nobody knows yet whether it arrived: unknown.")
    } else {
        let success = plan.step(last).map_or(Status::Delivered, |step| step.success);
        format!(
            "{window} after {on} was accepted it had still not succeeded, and nothing more is expected: silent. {success} by \
             then would have reached the person, and still would, late."
        )
    }
}

/// A moment in a sentence, on the clock on which the story is told.
pub(super) fn clock(at: Timestamp, plan: &Plan) -> String {
    moment_within(at, plan.time_zone)
}
