//! Sentences about deadlines, receipt windows that close, and steps that fall back or end.

use super::words::{Told, capital, channel, clock, next_or, spoken, spoken_status};
use crate::base::domain::{AfterGap, Ending, Plan, Present, Span, State, Status, Step, StepIndex, Timestamp};
use crate::base::events::{Event, EventKind, Subject};
use crate::rules::engine::REPEATED_FOR;
use crate::store::Query;

/// Events that one sentence lists, at most.
const MEANWHILE: usize = 5;
/// A delay longer than this is mentioned.
const NOTICED: Span = Span::from_secs(2);

/// A decision with its time, the message before and after it, and its context.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimedDecision<'a> {
    pub(super) at: Timestamp,
    pub(super) before: &'a Present,
    pub(super) after: &'a Present,
    pub(super) context: &'a Context,
    /// Whether the provider reported that its limit for the recipient is reached.
    pub(super) limited: bool,
}

/// What explains a decision and is not a fact of the message.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// Periods in which no receipt could be stored.
    pub(super) gaps: Vec<(Timestamp, Timestamp)>,
    /// The latest questions to the provider, one for each submission.
    pub(super) asked: Vec<Query>,
    /// Events of the campaign and of its lanes.
    pub(super) events: Vec<Event>,
}

impl Context {
    pub(super) fn asked_about(&self, step: StepIndex) -> Option<&Query> {
        self.asked.iter().find(|asked| asked.step == step)
    }

    /// Lists the events of the campaign, the step and its lanes while it waited, with a hold or pause from before that
    /// still applied.
    fn meanwhile(
        &self,
        step: StepIndex,
        lanes: &[&str],
        since: Timestamp,
        until: Timestamp,
        plan: &Told<'_>,
    ) -> String {
        let concerns = |event: &&Event| match &event.subject {
            Subject::Campaign { step: other, .. } => other.is_none_or(|other| other == step),
            subject => lanes.iter().any(|lane| subject.is_on_lane(lane)),
        };
        let events: Vec<&Event> = self.events.iter().filter(concerns).collect();
        let still_applies = |index: usize, event: &Event| {
            let mut later = events.iter().skip(index + 1).filter(|later| later.subject == event.subject);
            let is_hold = matches!(event.kind, EventKind::Held { .. } | EventKind::Paused);
            is_hold && !later.any(|later| later.at <= since)
        };
        let listed = events
            .iter()
            .enumerate()
            .filter(|(index, event)| event.at <= until && (event.at > since || still_applies(*index, event)));
        let listed = listed.map(|(_, event)| format!("{} ({})", event.sentence_in(plan.zone()), clock(event.at, plan)));
        let listed: Vec<String> = listed.take(MEANWHILE).collect();
        if listed.is_empty() {
            return " The rate or the tier delayed it: no event records a hold or a pause.".to_owned();
        }
        format!(" Events during that time: {}.", listed.join("; "))
    }

    /// The latest gap that put the deadline at `due` in doubt, where the deadline was decided at `decided`.
    pub(super) fn gap(&self, due: Timestamp, decided: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let doubtful = |(from, until): &&(Timestamp, Timestamp)| {
            *from <= due && *until <= decided && due <= *until + REPEATED_FOR + NOTICED
        };
        self.gaps.iter().filter(doubtful).max_by_key(|(_, until)| *until).copied()
    }
}

/// Whether the message falls back to another step at the deadline.
pub(super) fn falls_back(after: &Present, plan: &Plan) -> bool {
    has_fallback(after, plan) && expires_first(after).is_none()
}

/// The same, whether or not it expires before.
fn has_fallback(after: &Present, plan: &Plan) -> bool {
    let has_deadline = plan.step(after.step).is_some_and(|step| step.fallback_after.is_some());
    has_deadline && !after.marks.cut() && !after.marks.opted_out() && plan.after(after.step, after.marks).is_some()
}

/// The message's own expiry, if it comes before the message falls back.
fn expires_first(after: &Present) -> Option<Timestamp> {
    let State::Awaiting { due } = after.state else { return None };
    after.expires.filter(|expires| *expires <= due)
}

/// What the message waits for next, and until when.
pub(super) fn awaits(after: &Present, plan: &Told<'_>) -> String {
    let State::Awaiting { due } = after.state else { return String::new() };
    if !falls_back(after, plan) {
        let expires = expires_first(after).filter(|_| has_fallback(after, plan));
        let expires = expires.map(|at| format!(" No other step is submitted after its expiry, {}.", clock(at, plan)));
        return format!("{}{}", awaits_only(after, plan), expires.unwrap_or_default());
    }
    let success = plan.step(after.step).map_or(Status::Delivered, |step| step.success);
    let (next, due, success) = (next_or(after, plan), clock(due, plan), spoken_status(success));
    format!("Falls back to {next} at {due} unless it is {success} by then.")
}

/// Until when the message waits for receipts, whether or not a step follows.
fn awaits_only(after: &Present, plan: &Told<'_>) -> String {
    let State::Awaiting { due } = after.state else { return String::new() };
    format!("It waits for receipts until {}.", clock(due, plan))
}

/// A deadline that fell into a gap whose receipts are lost.
pub(super) fn waived(decision: &TimedDecision<'_>, plan: &Told<'_>) -> String {
    let (before, after) = (decision.before, decision.after);
    let on = channel(plan, before.step);
    let when = match before.state {
        State::Awaiting { due } => {
            let gap = decision.context.gap(due, decision.at).map(|gap| between(gap, plan));
            let gap = gap.unwrap_or_else(|| "receipts may be missing from that time".to_owned());
            format!("{on}'s deadline came at {}, but {gap}", clock(due, plan))
        }
        _ => format!("{on}'s deadline came at a time from which receipts may be missing"),
    };
    let then = match plan.after_gap {
        AfterGap::Ask if after.marks.unknown(before.step) => {
            "The provider id of this attempt is unknown, so the provider cannot be asked for its status."
        }
        AfterGap::Ask => "The provider is asked for the status.",
        AfterGap::Wait | AfterGap::FallBack => "The campaign waits in this case (`after_gap = \"wait\"`).",
    };
    let or = match plan.after_gap {
        AfterGap::Ask => String::new(),
        AfterGap::Wait | AfterGap::FallBack => format!(
            " `after_gap = \"ask\"` would have asked the provider, and \"fall_back\" would have fallen back to {}.",
            next_or(before, plan)
        ),
    };
    format!(
        "{when}, and the provider does not repeat them. So silence proves nothing, and the deadline does not count. \
         {then} {}{or}",
        awaits_only(after, plan)
    )
}

pub(super) fn between((from, until): (Timestamp, Timestamp), plan: &Told<'_>) -> String {
    format!("receipts may be missing from {} until {}", clock(from, plan), clock(until, plan))
}

/// Why a deadline was decided late, or that the provider's answer decided it.
fn delayed(decision: &TimedDecision<'_>, plan: &Told<'_>) -> String {
    let (State::Awaiting { due }, State::Queued { .. }) = (decision.before.state, decision.after.state) else {
        return String::new();
    };
    let asked = decision.context.asked_about(decision.before.step);
    let asked = asked.filter(|asked| asked.is_answered && asked.at <= decision.at + NOTICED);
    let asked =
        asked.map(|asked| format!("the provider was asked at {}, and reported nothing better", clock(asked.at, plan)));
    let late = decision.at.since(due);
    let gap = decision.context.gap(due, decision.at).filter(|_| late >= NOTICED);
    match (gap, asked) {
        (Some(gap), asked) => {
            let then = match (asked, plan.after_gap) {
                (Some(asked), _) => format!("The provider does not repeat them, so {asked}."),
                (None, AfterGap::FallBack) if gap.1.since(gap.0) > REPEATED_FOR => {
                    "The provider does not repeat them, and the campaign falls back in this case (`after_gap = \
                     \"fall_back\"`)."
                        .to_owned()
                }
                _ => format!(
                    "So the deadline was held until {}, to give the provider time to repeat them.",
                    clock(decision.at, plan)
                ),
            };
            format!(" It was due at {}, but {}. {then}", clock(due, plan), between(gap, plan))
        }
        (None, Some(asked)) => format!(" {}.", capital(&asked)),
        (None, None) if late >= NOTICED => format!(
            " It was due at {}, but a pause, or a time without a server, delayed it by {}.",
            clock(due, plan),
            spoken(late)
        ),
        (None, None) => String::new(),
    }
}

/// Whether the provider may still deliver a step that falls back.
fn overlaps(decision: &TimedDecision<'_>, plan: &Told<'_>) -> String {
    let before = decision.before;
    let Some(accepted) = before.accepted else { return String::new() };
    let Some(ttl) = plan.step(before.step).and_then(|rules| rules.delivers_for()) else { return String::new() };
    if decision.at >= accepted + ttl {
        return format!(" The provider could deliver it for {}, and that time was over by then.", spoken(ttl));
    }
    format!(" The provider may still deliver it until {}, so the recipient may get both.", clock(accepted + ttl, plan))
}

/// The best status that a step has reached.
fn best(before: &Present, step: StepIndex) -> String {
    match before.marks.status(step) {
        None | Some(Status::Accepted) => "no further status had been reported".to_owned(),
        Some(best) => format!("its best status was {}", spoken_status(best)),
    }
}

pub(super) fn fell_back(
    decision: &TimedDecision<'_>,
    ending: Ending,
    plan: &Told<'_>,
    fact: &str,
) -> (String, &'static str) {
    let before = decision.before;
    let (on, rules) = (channel(plan, before.step), plan.step(before.step));
    let (why, rule) = match ending {
        Ending::Deadline => {
            let patience = spoken(rules.and_then(|rules| rules.fallback_after).unwrap_or(Span::ZERO));
            let success = spoken_status(rules.map_or(Status::Delivered, |rules| rules.success));
            let is_unknown = before.marks.unknown(before.step);
            let since = if is_unknown { "after it may have been submitted" } else { "of its acceptance" };
            let last = match before.marks.status(before.step) {
                None if is_unknown => "none".to_owned(),
                None => spoken_status(Status::Accepted),
                Some(last) => spoken_status(last),
            };
            let (late, both) = (delayed(decision, plan), overlaps(decision, plan));
            let why = format!("{on} was not {success} within {patience} {since} (last status: {last}).{late}{both}");
            (why, "1: the deadline passed")
        }
        Ending::Undelivered if fact.is_empty() => (not_again(on), "2: failed, and not sent again in time"),
        Ending::Undelivered if decision.limited => {
            let retries = rules.is_some_and(Step::retries_at_limit);
            let because = if retries {
                format!("no time is left to send {on} again a day later")
            } else {
                format!("{on} ends without waiting any longer")
            };
            let why = format!("{}. The provider limits how much this recipient gets, and {because}.", capital(fact));
            (why, "2: the recipient's limit at the provider")
        }
        Ending::Undelivered => {
            let why = format!(
                "{}. It concerns this recipient alone, so {on} ends without waiting any longer.",
                capital(fact)
            );
            (why, "2: failed for this recipient")
        }
        Ending::Rejected => {
            let why =
                format!("Step {}, {on}: {fact}. It concerns this recipient alone, so {on} ends at once.", before.step);
            (why, "2: rejected for this recipient")
        }
        Ending::CouldNotLeave if !fact.is_empty() => (
            format!("{on} could not be submitted: {fact}. `on_tier_spent = \"wait\"` would have let it wait."),
            "10: a step that cannot be submitted",
        ),
        Ending::CouldNotLeave => {
            let within = rules.and_then(|rules| rules.leave_within);
            let within =
                within.map_or("its time".to_owned(), |within| format!("its `leave_within` of {}", spoken(within)));
            let meanwhile = match before.state {
                State::Queued { not_before, .. } => {
                    let lanes: Vec<&str> = rules.iter().flat_map(|rules| rules.lanes.names()).collect();
                    decision.context.meanwhile(before.step, &lanes, not_before, decision.at, plan)
                }
                State::Sending { .. } | State::Awaiting { .. } | State::Done { .. } => String::new(),
            };
            let why = format!(
                "{on} could not be submitted within {within}; a longer time would have let it wait.{meanwhile}"
            );
            (why, "10: a step that cannot be submitted")
        }
        Ending::OutsideWindow => (
            format!(
                "{on} is free text, which may be sent only within 24 hours of the recipient's last message, and that \
                 window was closed; a template could have been sent."
            ),
            "10: outside window",
        ),
        Ending::MissingVariable => (
            format!("{on} could not be rendered: {fact}. A default, {{{{column|default}}}}, would have filled it."),
            "10: missing variable",
        ),
        Ending::OptedOut => (
            format!("{on} was not submitted: the recipient has opted out of such messages there."),
            "2: opted out of the step",
        ),
        Ending::Open | Ending::Success => (String::new(), "1: fell back"),
    };
    let next = decision.after.step;
    (format!("{why} Fell back to step {next}, {}.", channel(plan, next)), rule)
}

pub(super) fn ended(before: &Present, ending: Ending, plan: &Told<'_>, fact: &str) -> String {
    let on = channel(plan, before.step);
    let undelivered = if before.marks.cut() {
        format!("No step may follow {on}, so the message is undelivered.")
    } else {
        format!("{on} was the last step, so the message is undelivered.")
    };
    match ending {
        Ending::Rejected => format!("Step {}, {on}: {fact}. {undelivered}", before.step),
        Ending::Undelivered if fact.is_empty() => {
            format!("{} {undelivered}", not_again(on))
        }
        Ending::Undelivered => format!("{}. {undelivered}", capital(fact)),
        Ending::CouldNotLeave => format!("{on} could not be submitted in time, and was the last step: expired."),
        Ending::OutsideWindow => format!("{on} is free text outside the 24-hour window, and was the last step."),
        Ending::MissingVariable => format!("{on} could not be rendered: {fact}. It was the last step."),
        Ending::OptedOut => {
            format!("{on} was not submitted: the recipient has opted out of such messages there. It was the last step.")
        }
        Ending::Open | Ending::Success | Ending::Deadline => format!("{on} was the last step."),
    }
}

pub(super) fn closed(before: &Present, plan: &Told<'_>) -> String {
    let last = before.marks.last_handed_over().unwrap_or(before.step);
    let rules = plan.step(last);
    let window = spoken(rules.map_or(Span::ZERO, |rules| rules.receipt_window));
    let on = channel(plan, last);
    if before.marks.unknown(last) {
        return format!(
            "No receipt came within {window} after {on} may have been submitted, so the outcome is unknown. A later \
             receipt would still change it."
        );
    }
    let (best, success) = (best(before, last), spoken_status(rules.map_or(Status::Delivered, |rules| rules.success)));
    format!(
        "{on} was not {success} within {window} of its acceptance ({best}), and did not fail either: no receipt decides \
         it, so the outcome is silent (no receipt). If it is {success} later, the message counts as reached, late."
    )
}

/// A step failed, was to be sent again, and its time ran out before that.
fn not_again(on: &str) -> String {
    format!("{on} had failed, and could not be sent again in time.")
}

/// A message whose time ran out before its step could be submitted.
pub(super) fn expired(before: &Present, plan: &Told<'_>) -> String {
    let unsent = match before.state {
        State::Queued { .. } | State::Sending { .. } => channel(plan, before.step),
        State::Awaiting { .. } | State::Done { .. } => next_or(before, plan),
    };
    let planned = match before.first_submitted_at {
        Some(first) => plan.ttl.map(|ttl| first + ttl),
        None => plan.end,
    };
    if let Some(own) = before.expires.filter(|own| planned.is_none_or(|planned| *own <= planned)) {
        return format!(
            "The message's own expiry came at {}, and {unsent} had not been submitted by then: expired. A later expiry \
             would have allowed it.",
            clock(own, plan)
        );
    }
    match (before.first_submitted_at, plan.ttl, plan.end) {
        (Some(first), Some(ttl), _) => format!(
            "The message's `ttl` ended at {}, {} after its first submission, and {unsent} had not been submitted by \
             then: expired. A longer `ttl` would have allowed it.",
            clock(first + ttl, plan),
            spoken(ttl)
        ),
        (None, _, Some(end)) => format!(
            "The campaign's `end` came at {}, and {unsent} had not been submitted by then: expired. A later `end` \
             would have allowed it.",
            clock(end, plan)
        ),
        _ => format!("Its time ran out before {unsent} could be submitted: expired."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{BatchId, Channel, Step};
    use crate::base::events::Origin;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn event(second: i64, subject: Subject, kind: EventKind) -> Event {
        Event { at: at(second), subject, origin: Origin::operator("Ann", None), kind }
    }

    /// "Plane tickets" contains "lane ", and is no lane.
    #[test]
    fn a_step_that_waited_lists_the_pauses_of_its_campaign_and_its_own_holds() {
        let second = StepIndex::new(1).unwrap();
        let of_step = |step| Subject::step(BatchId(1), Some("Plane tickets"), step);
        let held = || EventKind::Held { code: None };
        let events = vec![
            event(1, Subject::lane("other"), held()),
            event(2, of_step(second), held()),
            event(3, of_step(StepIndex::FIRST), held()),
            event(4, Subject::lane("sms"), held()),
            event(5, Subject::lane("sms"), EventKind::Released),
            event(12, Subject::campaign(BatchId(1), Some("Plane tickets")), EventKind::Paused),
        ];
        let context = Context { events, ..Context::default() };
        let steps = vec![Step::of_text(Channel::Sms, "sms", "Hello"); 2];
        let plan = Plan::of_steps(steps);
        let text = context.meanwhile(second, &["sms"], at(10), at(20), &Told::new(&plan, None));
        let listed: Vec<&str> = text.split("; ").collect();
        assert_eq!(listed.len(), 2, "{text}");
        assert!(listed[0].contains("campaign Plane tickets, step 2: paused by Ann"), "{text}");
        assert!(listed[1].contains("campaign Plane tickets: paused by Ann"), "{text}");
    }
}
