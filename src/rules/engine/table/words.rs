//! The words of the table.

use std::fmt::Write as _;

use crate::base::domain::{
    Ending, Fault, Marks, Outcome, Present, Refused, SenderPart, SkipReason, State, StepIndex, Timestamp,
};
use crate::rules::engine::story::{START, Story, step_at};
use crate::rules::engine::{Answer, AttemptReport, CallOff, Decision, Event, Silence, Standing, StepObstacle};

/// The result of an event, in words: the next state, the rule and what changed; or why nothing changes.
fn result(before: &Present, decision: Decision) -> String {
    let (next, rule) = match decision {
        Decision::Moved { next, rule } => (next, rule),
        Decision::Ignored(why) => return format!("-  ignored: {why:?}"),
    };
    let same = next.state == before.state && next.step == before.step;
    let state = if same { "as it was".to_owned() } else { present_state(&next) };
    let line = format!("-> {state:<44} {:<24} {}", format!("{rule:?}"), changes(before, &next));
    line.trim_end().to_owned()
}

pub(super) fn lines(table: &mut String, story: &Story) {
    let mut cancelled = story.clone();
    cancelled.standing = Standing::Cancelled;
    let (mut live, mut off, mut ignored) = (Vec::new(), Vec::new(), Vec::new());
    for event in super::events(&story.message, story.now) {
        let name = event_name(event);
        let (decision, otherwise) = (story.decide(event), cancelled.decide(event));
        if decision != otherwise {
            off.push((result(&story.message, otherwise), name.clone()));
        }
        match decision {
            Decision::Moved { .. } => live.push((result(&story.message, decision), name)),
            Decision::Ignored(why) => ignored.push((format!("{why:?}"), name)),
        }
    }
    ignored.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (result, events) in alike(&live) {
        line(table, &events, result);
    }
    for (why, events) in alike(&ignored) {
        writeln!(table, "    ignored, {why}: {events}").unwrap();
    }
    if !off.is_empty() {
        writeln!(table, "  once cancelled").unwrap();
    }
    for (result, events) in alike(&off) {
        line(table, &events, result);
    }
}

fn line(table: &mut String, events: &str, result: &str) {
    let room = if events.len() > 46 { format!("{events}\n{:50}", "") } else { format!("{events:<46}") };
    writeln!(table, "    {room} {result}").unwrap();
}

/// Joins neighbours with the same result into one line. A common beginning of their names is printed once:
/// `SMS: sent, delivered`.
fn alike(results: &[(String, String)]) -> impl Iterator<Item = (&str, String)> {
    results.chunk_by(|one, other| one.0 == other.0).map(|of_one| {
        let mut text = String::new();
        let mut last = "";
        for (_, event) in of_one {
            let (head, tail) = event.split_once(": ").unwrap_or(("", event));
            match (text.is_empty(), head == last) {
                (true, _) => text.push_str(event),
                (false, true) => write!(text, ", {tail}").unwrap(),
                (false, false) => write!(text, "; {event}").unwrap(),
            }
            last = head;
        }
        (of_one[0].0.as_str(), text)
    })
}

pub(super) fn time(at: Timestamp) -> String {
    if at < START { format!("-{}", START.since(at)) } else { format!("+{}", at.since(START)) }
}

const CHANNELS: [&str; 3] = ["WhatsApp", "Viber", "SMS"];

fn channel(step: StepIndex) -> &'static str {
    CHANNELS[step.index()]
}

fn present_state(message: &Present) -> String {
    let step = channel(message.step);
    let until = |gives_up: Option<Timestamp>| gives_up.map_or(String::new(), |at| format!(" until {}", time(at)));
    match message.state {
        State::Queued { not_before, gives_up } => format!("{step} queued from {}{}", time(not_before), until(gives_up)),
        State::Sending { intent, gives_up, .. } => format!("{step} sending since {}{}", time(intent), until(gives_up)),
        State::Awaiting { due } => format!("{step} awaiting until {}", time(due)),
        State::Done { outcome, skipped, at } => {
            format!("{step} done, {} {}", outcome_name(outcome, skipped), time(at))
        }
    }
}

fn outcome_name(outcome: Outcome, skipped: Option<SkipReason>) -> String {
    skipped.map_or_else(|| outcome.to_string(), |reason| format!("{outcome}: {reason}"))
}

pub(super) fn present(message: &Present) -> String {
    let blank = Present {
        marks: Marks::default(),
        first_submitted_at: None,
        accepted: None,
        tries: 0,
        refused: Refused::Never,
        expires: None,
        ..*message
    };
    let known = changes(&blank, message);
    format!("{}{}{known}", present_state(message), if known.is_empty() { "" } else { "; " })
}

/// Lists the facts that became known, or were undone.
fn changes(before: &Present, after: &Present) -> String {
    let mut parts = Vec::new();
    for number in 1..=3 {
        let step = step_at(number);
        let (was, is) = (step_words(before.marks, step), step_words(after.marks, step));
        if was != is {
            let is = if is.is_empty() { "as if never submitted".to_owned() } else { is };
            parts.push(format!("{}: {is}", channel(step)));
        }
    }
    for (word, of) in FLAGS {
        match (of(before.marks), of(after.marks)) {
            (false, true) => parts.push((*word).to_owned()),
            (true, false) => parts.push(format!("no longer {word}")),
            (false, false) | (true, true) => {}
        }
    }
    if let (None, Some(by)) = (before.marks.reached_by(), after.marks.reached_by()) {
        parts.push(format!("reached by {}", channel(by)));
    }
    for (word, was, is) in [
        ("first submitted", before.first_submitted_at, after.first_submitted_at),
        ("runs from", before.accepted, after.accepted),
        ("expires", before.expires, after.expires),
    ] {
        if was != is {
            parts.push(format!("{word} {}", is.map_or("nothing".to_owned(), time)));
        }
    }
    if before.refused != after.refused {
        parts.push(format!("refused {}", after.refused));
    }
    if before.step == after.step && after.tries > before.tries {
        parts.push(format!("tries {}", after.tries));
    }
    parts.join(", ")
}

type Flag = (&'static str, fn(Marks) -> bool);

const FLAGS: &[Flag] = &[
    ("delivered twice", |marks| marks.delivered_twice()),
    ("late", |marks| marks.late()),
    ("cut", |marks| marks.cut()),
    ("waived", |marks| marks.waived()),
    ("opted out", |marks| marks.opted_out()),
];

fn step_words(marks: Marks, step: StepIndex) -> String {
    if marks.passed_over(step) {
        return "passed over".to_owned();
    }
    let status = marks.status(step).map(|status| status.to_string().to_lowercase());
    let ending = match marks.ending(step) {
        Ending::Open => None,
        Ending::Success => Some("success"),
        Ending::Deadline => Some("fell back at its deadline"),
        Ending::Undelivered => Some("fell back undelivered"),
        Ending::Rejected => Some("rejected"),
        Ending::CouldNotLeave => Some("could not leave"),
        Ending::OutsideWindow => Some("outside window"),
        Ending::MissingVariable => Some("missing variable"),
        Ending::OptedOut => Some("opted out of"),
    };
    let words = [
        status,
        marks.failed(step).then(|| "failed".to_owned()),
        marks.unknown(step).then(|| "unknown".to_owned()),
        (marks.status(step).is_some() && !marks.handed_over(step)).then(|| "never submitted".to_owned()),
        ending.map(str::to_owned),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn event_name(event: Event) -> String {
    match event {
        Event::Claimed => "claimed".to_owned(),
        Event::Answered { answer, .. } => format!("answer: {}", answer_name(answer)),
        Event::Receipt { step, report: AttemptReport::Reached(status) } => {
            format!("{}: {}", channel(step), status.to_string().to_lowercase())
        }
        Event::Receipt { step, report: AttemptReport::Failed { fault, .. } } => {
            format!("{} failed: {}", channel(step), fault_name(fault))
        }
        Event::Due { silence: Silence::Trusted } => "due: silence trusted".to_owned(),
        Event::Due { silence: Silence::Held { .. } } => "due: silence held 92s".to_owned(),
        Event::Due { silence: Silence::Lost } => "due: receipts lost".to_owned(),
        Event::Due { silence: Silence::Filled } => "due: gap filled".to_owned(),
        Event::TierSpent { .. } => "tier spent".to_owned(),
        Event::Postponed { .. } => "put off".to_owned(),
        Event::Doubted { silence: Silence::Trusted, .. } => "fallback doubted: silence trusted".to_owned(),
        Event::Doubted { silence: Silence::Held { .. }, .. } => "fallback doubted: silence held".to_owned(),
        Event::Doubted { silence: Silence::Lost, .. } => "fallback doubted: receipts lost".to_owned(),
        Event::Doubted { silence: Silence::Filled, .. } => "fallback doubted: gap filled".to_owned(),
        Event::RefusalRecalled { step, .. } => format!("refusal of {} recalled", channel(step)),
        Event::RefusedAlone { .. } => "another message was accepted after its refusal".to_owned(),
        Event::Released => "released".to_owned(),
        Event::CalledOff(CallOff::Cancel) => "called off: cancel".to_owned(),
        Event::CalledOff(CallOff::OptOut) => "called off: opt-out".to_owned(),
    }
}

fn answer_name(answer: Answer) -> String {
    match answer {
        Answer::Accepted => "accepted".to_owned(),
        Answer::Refused { fault, .. } => format!("refused by {}", fault_name(fault)),
        Answer::Unclear { .. } => "refused without a known code".to_owned(),
        Answer::Unavailable { .. } => "unavailable".to_owned(),
        Answer::Unknown => "unknown".to_owned(),
        Answer::NotBegun => "not begun".to_owned(),
        Answer::Later { .. } => "later".to_owned(),
        Answer::CannotLeave(StepObstacle::CouldNotLeave) => "could not leave".to_owned(),
        Answer::CannotLeave(StepObstacle::OutsideWindow) => "outside window".to_owned(),
        Answer::CannotLeave(StepObstacle::MissingVariable) => "missing variable".to_owned(),
        Answer::CannotLeave(StepObstacle::OptedOut) => "opted out of the step".to_owned(),
    }
}

const fn fault_name(fault: Fault) -> &'static str {
    match fault {
        Fault::Recipient => "recipient",
        Fault::RecipientLimit => "recipient limit",
        Fault::Sender(SenderPart::Lane) => "lane",
        Fault::Sender(SenderPart::Template) => "template",
        Fault::Sender(SenderPart::Step) => "step",
        Fault::OptedOut => "opt-out",
        Fault::Temporary => "temporary",
    }
}
