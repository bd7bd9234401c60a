//! What is said of deadlines, of windows that close, and of steps that give way or end.

use super::words::{capital, channel, clock, next_or, spoken, spoken_status};
use crate::domain::{AfterGap, Ending, Plan, Present, Span, State, Status, StepIndex, Timestamp};
use crate::engine::REPEATED_FOR;
use crate::store::{Asked, Event};

/// Events that a sentence tells.
const MEANWHILE: usize = 5;
/// What is later than this is told.
const NOTICED: Span = Span::from_secs(2);

/// A decision, and what is known beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) at: Timestamp,
    pub(super) before: &'a Present,
    pub(super) after: &'a Present,
    pub(super) beside: &'a Beside,
}

/// What explains a decision and is no fact of the message's.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// Times in which no receipt could be taken.
    pub(super) gaps: Vec<(Timestamp, Timestamp)>,
    /// When the provider was asked about a hand-over last.
    pub(super) asked: Vec<Asked>,
    /// What happened to the campaign and its lanes.
    pub(super) events: Vec<Event>,
}

impl Beside {
    pub(super) fn asked_about(&self, step: StepIndex) -> Option<&Asked> {
        self.asked.iter().find(|asked| asked.step == step)
    }

    /// What happened to the campaign and to a lane of it while a step waited, and what stood in its way before.
    fn meanwhile(&self, lanes: &[&str], since: Timestamp, until: Timestamp, plan: &Plan) -> String {
        let lanes: Vec<String> = lanes.iter().map(|lane| Event::of_lane(lane, "")).collect();
        let is_of_one = |event: &Event| lanes.iter().any(|lane| event.subject.ends_with(lane));
        let concerns = |event: &&Event| is_of_one(event) || !event.subject.contains("lane ");
        let events: Vec<&Event> = self.events.iter().filter(concerns).collect();
        let stands = |place: usize, event: &Event| {
            let mut later = events.iter().skip(place + 1).filter(|later| later.subject == event.subject);
            ["held", "paused"].iter().any(|word| event.text.starts_with(word)) && !later.any(|later| later.at <= since)
        };
        let told = events
            .iter()
            .enumerate()
            .filter(|(place, event)| event.at <= until && (event.at > since || stands(*place, event)));
        let told = told.map(|(_, Event { at, subject, text })| format!("{subject}: {text} ({})", clock(*at, plan)));
        let told: Vec<String> = told.take(MEANWHILE).collect();
        if told.is_empty() {
            return " Pace or tier kept it: no event tells of a hold or a pause.".to_owned();
        }
        format!(" The events of that time: {}.", told.join("; "))
    }

    /// The last gap that made a deadline doubtful which was decided only at `decided`.
    pub(super) fn gap(&self, due: Timestamp, decided: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let doubtful = |(from, until): &&(Timestamp, Timestamp)| {
            *from <= due && *until <= decided && due <= *until + REPEATED_FOR + NOTICED
        };
        self.gaps.iter().filter(doubtful).max_by_key(|(_, until)| *until).copied()
    }
}

/// Whether another step follows at the deadline.
pub(super) fn gives_way(after: &Present, plan: &Plan) -> bool {
    let has_deadline = plan.step(after.step).is_some_and(|step| step.fallback_after.is_some());
    has_deadline && !after.marks.cut() && !after.marks.opted_out() && plan.after(after.step, after.marks).is_some()
}

/// What is waited for from here on, and until when.
pub(super) fn awaits(after: &Present, plan: &Plan) -> String {
    let State::Awaiting { due } = after.state else { return String::new() };
    if !gives_way(after, plan) {
        return awaits_only(after, plan);
    }
    let success = plan.step(after.step).map_or(Status::Delivered, |step| step.success);
    format!("{} follows at {} unless it is {} by then.", next_or(after, plan), clock(due, plan), spoken_status(success))
}

/// Until when news is waited for, whatever may follow.
fn awaits_only(after: &Present, plan: &Plan) -> String {
    let State::Awaiting { due } = after.state else { return String::new() };
    format!("Receipts are waited for until {}.", clock(due, plan))
}

/// A deadline that fell into a time of which the receipts are lost.
pub(super) fn waived(told: &Told<'_>, plan: &Plan) -> String {
    let (before, after) = (told.before, told.after);
    let on = channel(plan, before.step);
    let when = match before.state {
        State::Awaiting { due } => {
            let gap = told.beside.gap(due, told.at).map(|gap| between(gap, plan));
            let gap = gap.unwrap_or_else(|| "receipts of that time may be missing".to_owned());
            format!("{on}'s deadline came at {}, but {gap}", clock(due, plan))
        }
        _ => format!("{on}'s deadline came in a time of which receipts may be missing"),
    };
    let then = match plan.after_gap {
        AfterGap::Ask if after.marks.unknown(before.step) => {
            "The provider id of this attempt is unknown, so the provider cannot be asked what became of it."
        }
        AfterGap::Ask => "The provider is asked what became of it.",
        AfterGap::Wait | AfterGap::FallBack => "The campaign says to wait then (`after_gap = \"wait\"`).",
    };
    let or = match plan.after_gap {
        AfterGap::Ask => String::new(),
        AfterGap::Wait | AfterGap::FallBack => format!(
            " `after_gap = \"ask\"` would have asked the provider, and \"fall_back\" gone on to {}.",
            next_or(before, plan)
        ),
    };
    format!(
        "{when}, and what the provider said meanwhile is lost. So the silence proves nothing, and the deadline does not count. \
         {then} {}{or}",
        awaits_only(after, plan)
    )
}

pub(super) fn between((from, until): (Timestamp, Timestamp), plan: &Plan) -> String {
    format!("receipts may be missing from {} until {}", clock(from, plan), clock(until, plan))
}

/// What is to be told of a deadline that passed unheeded at first, or was decided by an answer of the provider's.
fn held_up(told: &Told<'_>, plan: &Plan) -> String {
    let (State::Awaiting { due }, State::Queued { .. }) = (told.before.state, told.after.state) else {
        return String::new();
    };
    let asked = told.beside.asked_about(told.before.step).filter(|asked| asked.said && asked.at <= told.at + NOTICED);
    let asked =
        asked.map(|asked| format!("the provider was asked at {}, and knew of nothing better", clock(asked.at, plan)));
    let late = told.at.since(due);
    let gap = told.beside.gap(due, told.at).filter(|_| late >= NOTICED);
    match (gap, asked) {
        (Some(gap), asked) => {
            let then = match (asked, plan.after_gap) {
                (Some(asked), _) => format!("What was said meanwhile is lost, so {asked}."),
                (None, AfterGap::FallBack) if gap.1.since(gap.0) > REPEATED_FOR => {
                    "What was said meanwhile is lost, and the campaign says to go on then (`after_gap = \"fall_back\"`)."
                        .to_owned()
                }
                _ => format!("So it was held until {}, when the provider had had time to repeat them.", clock(told.at, plan)),
            };
            format!(" It was due at {}, but {}. {then}", clock(due, plan), between(gap, plan))
        }
        (None, Some(asked)) => format!(" {}.", capital(&asked)),
        (None, None) if late >= NOTICED => format!(
            " It was due at {}, and what held it up (a pause, or no server that ran) was over {} later.",
            clock(due, plan),
            spoken(late)
        ),
        (None, None) => String::new(),
    }
}

/// Whether the provider may still deliver a step that gives way.
fn overlaps(told: &Told<'_>, plan: &Plan) -> String {
    let Some(accepted) = told.before.accepted else { return String::new() };
    let Some(ttl) = plan.step(told.before.step).and_then(|rules| rules.delivers_for()) else { return String::new() };
    if told.at >= accepted + ttl {
        return format!(" The time that the provider had to deliver it, {}, was over by then.", spoken(ttl));
    }
    format!(" The provider may still deliver it until {}, so the person may get both.", clock(accepted + ttl, plan))
}

/// How far a step has come, with what would have been better.
fn best(before: &Present, step: StepIndex) -> String {
    match before.marks.status(step) {
        None | Some(Status::Accepted) => "nothing more had been heard of it".to_owned(),
        Some(best) => format!("its best status was {}", spoken_status(best)),
    }
}

pub(super) fn gave_way(told: &Told<'_>, ending: Ending, plan: &Plan, fact: &str) -> (String, &'static str) {
    let before = told.before;
    let (on, rules) = (channel(plan, before.step), plan.step(before.step));
    let (why, rule) = match ending {
        Ending::Deadline => {
            let patience = spoken(rules.and_then(|rules| rules.fallback_after).unwrap_or(Span::ZERO));
            let success = spoken_status(rules.map_or(Status::Delivered, |rules| rules.success));
            let left = if before.marks.unknown(before.step) { "may have left" } else { "was accepted" };
            let best = best(before, before.step);
            let (late, both) = (held_up(told, plan), overlaps(told, plan));
            let why = format!("{patience} after {on} {left}, {best}; {success} would have ended it.{late}{both}");
            (why, "1: the deadline passed")
        }
        Ending::Undelivered if fact.is_empty() => (
            format!("{on} had failed in passing, and could not go again in time."),
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
            let within =
                within.map_or("its time".to_owned(), |within| format!("{}, its `leave_within`", spoken(within)));
            let meanwhile = match before.state {
                State::Queued { not_before, .. } => {
                    let lanes: Vec<&str> = rules.iter().flat_map(|rules| rules.lanes.names()).collect();
                    told.beside.meanwhile(&lanes, not_before, told.at, plan)
                }
                State::Sending { .. } | State::Awaiting { .. } | State::Done { .. } => String::new(),
            };
            let why = format!("{on} could not leave within {within}; a longer time would have let it wait.{meanwhile}");
            (why, "10: a step that cannot leave")
        }
        Ending::OutsideWindow => (
            format!(
                "{on} is free text, which may leave only within 24 hours of the person's last message, and that window was \
                 closed; a template could have left."
            ),
            "10: outside window",
        ),
        Ending::MissingVariable => (
            format!("{on} could not be written: {fact}. A default, {{{{column|default}}}}, would have filled it."),
            "10: missing variable",
        ),
        Ending::Open | Ending::Success => (String::new(), "1: gave way"),
    };
    let next = told.after.step;
    (format!("{why} Now step {next}, {}, has its turn.", channel(plan, next)), rule)
}

pub(super) fn ended(before: &Present, ending: Ending, plan: &Plan, fact: &str) -> String {
    let on = channel(plan, before.step);
    let undelivered = if before.marks.cut() {
        format!("Nothing may follow {on} any more, so the message is undelivered.")
    } else {
        format!("{on} was the last step, so the message is undelivered.")
    };
    match ending {
        Ending::Rejected => format!("Step {}, {on}: {fact}. {undelivered}", before.step),
        Ending::Undelivered if fact.is_empty() => {
            format!("{on} had failed in passing, and could not go again in time. {undelivered}")
        }
        Ending::Undelivered => format!("{}. {undelivered}", capital(fact)),
        Ending::CouldNotLeave => format!("{on} could not leave within its time, and was the last step: expired."),
        Ending::OutsideWindow => format!("{on} is free text outside the 24-hour window, and was the last step."),
        Ending::MissingVariable => format!("{on} could not be written: {fact}. It was the last step."),
        Ending::Open | Ending::Success | Ending::Deadline => format!("{on} was the last step."),
    }
}

pub(super) fn closed(before: &Present, plan: &Plan) -> String {
    let last = before.marks.last_handed_over().unwrap_or(before.step);
    let rules = plan.step(last);
    let window = spoken(rules.map_or(Span::ZERO, |rules| rules.receipt_window));
    let on = channel(plan, last);
    if before.marks.unknown(last) {
        return format!(
            "{window} after {on} may have been submitted, it is unknown whether it arrived, and no receipt is expected any more: unknown. \
             One that still comes would settle it."
        );
    }
    let (best, success) = (best(before, last), spoken_status(rules.map_or(Status::Delivered, |rules| rules.success)));
    format!(
        "{window} after {on} was accepted, {best}, and no receipt is expected any more: silent. Had it been {success} by then it \
         would count as reached; should that still come, it counts as late."
    )
}

/// Its time was up before the step whose turn it was could leave.
pub(super) fn expired(before: &Present, plan: &Plan) -> String {
    let unsent = match before.state {
        State::Queued { .. } | State::Sending { .. } => channel(plan, before.step),
        State::Awaiting { .. } | State::Done { .. } => next_or(before, plan),
    };
    match (before.first_left, plan.ttl, plan.end) {
        (Some(first), Some(ttl), _) => format!(
            "The message's time was up at {}, {} after it first left, and {unsent} had not left by then: expired. A longer \
             `ttl` would have let it.",
            clock(first + ttl, plan),
            spoken(ttl)
        ),
        (None, _, Some(end)) => format!(
            "The campaign's `end` had come at {}, and {unsent} had not left by then: expired. A later `end` would have let it.",
            clock(end, plan)
        ),
        _ => format!("Its time was up before {unsent} could leave: expired."),
    }
}
