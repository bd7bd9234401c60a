//! The table of `ARCHITECTURE.md`: the four states by what can happen, written by the machine and held against the page.

use std::fmt::Write as _;

use super::super::story::{HOUR, MINUTE, Story, failed, place, plan_with};
use super::super::{Answer, CallOff, Decision, Event, Obstacle, Report, Silence};
use crate::domain::{Fault, Present, SenderPart, Span, State, Status};

/// What happens, in the words of the page.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Claimed,
    Answer(Answer),
    /// News of the present step, or of the one before it.
    News(bool, Report),
    TierSpent,
    PutOff,
    /// The silence by which the step before gave way is in doubt.
    Doubted,
    /// The refusal by which the step before gave way is the sender's.
    RefusalRecalled,
    /// The time of the present step is up.
    Due(Silence),
    /// A gap has been filled that had waived a deadline.
    Filled,
    CalledOff(CallOff),
}

fn rows() -> Vec<(&'static str, Happens)> {
    use Happens::{Answer as Says, CalledOff, Claimed, Doubted, Due, Filled, News, PutOff, RefusalRecalled, TierSpent};
    let at = Story::usual().now;
    let refused = |fault| Says(Answer::Refused { fault, again: at });
    let bad = |present, fault| News(present, failed(fault, at));
    let good = |present, status| News(present, Report::Reached(status));
    vec![
        ("claimed to leave", Claimed),
        ("answer: accepted", Says(Answer::Accepted)),
        ("answer: nobody knows", Says(Answer::Unknown)),
        ("answer: no, because of this recipient", refused(Fault::Recipient)),
        ("answer: no, because of the sender", refused(Fault::Sender(SenderPart::Lane))),
        ("answer: no, the person wants no more", refused(Fault::Person)),
        ("answer: no, in passing", refused(Fault::Passing)),
        ("answer: unavailable", Says(Answer::Unavailable { again: at })),
        ("handed back unbegun", Says(Answer::NotBegun)),
        ("handed back until later", Says(Answer::Later { at })),
        ("it cannot leave: time", Says(Answer::CannotLeave(Obstacle::CouldNotLeave))),
        ("it cannot leave: window", Says(Answer::CannotLeave(Obstacle::OutsideWindow))),
        ("it cannot leave: variable", Says(Answer::CannotLeave(Obstacle::MissingVariable))),
        ("no place in the tier, and it does not wait", TierSpent),
        ("outside its hours", PutOff),
        ("receipt: sent", good(true, Status::Sent)),
        ("receipt: its success status", good(true, Status::Delivered)),
        ("receipt: failed, because of this recipient", bad(true, Fault::Recipient)),
        ("receipt: failed, because of the sender", bad(true, Fault::Sender(SenderPart::Template))),
        ("receipt: failed, the person wants no more", bad(true, Fault::Person)),
        ("receipt: failed in passing", bad(true, Fault::Passing)),
        ("receipt of an earlier step: its success status", good(false, Status::Delivered)),
        ("receipt of an earlier step: failed", bad(false, Fault::Recipient)),
        ("time is up, and silence is news", Due(Silence::Trusted)),
        ("time is up, the provider still repeats", Due(Silence::Held { until: at + Span::from_secs(7 * 86_400) })),
        ("time is up, receipts are lost", Due(Silence::Lost)),
        ("a gap is filled, the deadline was waived", Filled),
        ("the deadline of the step before is in doubt", Doubted),
        ("the step before was refused by the fault of the sender", RefusalRecalled),
        ("cancel", CalledOff(CallOff::Cancel)),
        ("opt-out", CalledOff(CallOff::OptOut)),
    ]
}

/// The second step of three in each state; done is undelivered on the third. `late` is when the time of each is up.
fn states(happens: Happens) -> [Story; 4] {
    let late = matches!(happens, Happens::Due(_));
    let plan = || plan_with(|plan| plan.steps[1].leave_within = Some(Span::from_secs(30 * MINUTE)));
    let told = |tell: &dyn Fn(&mut Story)| {
        let mut story = Story::of(plan());
        tell(&mut story);
        story
    };
    let at = |early: i64, up: i64| if late { up * MINUTE } else { early * MINUTE };
    [
        told(&|story| {
            if matches!(happens, Happens::RefusalRecalled) {
                story.leave().fail(1, Fault::Recipient);
            } else {
                story.falls_back_to(2).at(at(20, 45));
            }
        }),
        told(&|story| {
            story.falls_back_to(2).claim().at(at(16, 45));
        }),
        told(&|story| {
            story.falls_back_to(2).leave().at(at(20, 25));
            if matches!(happens, Happens::Filled) {
                story.at(25 * MINUTE).due(Silence::Lost);
                story.at(HOUR);
            }
        }),
        told(&|story| {
            story.falls_back_to(3).leave().at(30 * MINUTE).fail(3, Fault::Recipient);
            story.at(HOUR);
        }),
    ]
}

fn event(happens: Happens, message: &Present) -> Event {
    let step = message.step;
    match happens {
        Happens::Claimed => Event::Claimed,
        Happens::Answer(answer) => Event::Answered { step, answer },
        Happens::News(true, report) => Event::Receipt { step, report },
        Happens::News(false, report) => Event::Receipt { step: place(step.get()), report },
        Happens::TierSpent => Event::TierSpent { step },
        Happens::PutOff => Event::PutOff { until: Story::usual().now + Span::from_secs(7 * 86_400) },
        Happens::Due(silence) => Event::Due { silence },
        Happens::Filled => Event::Due { silence: Silence::Filled },
        Happens::Doubted => Event::Doubted { silence: Silence::Lost, tries: 0 },
        Happens::RefusalRecalled => Event::RefusalRecalled { step: place(1), tries: 0 },
        Happens::CalledOff(why) => Event::CalledOff(why),
    }
}

fn cell(story: &Story, happens: Happens) -> String {
    let before = &story.message;
    let Decision::Moved { next, rule } = story.decide(event(happens, before)) else { return String::new() };
    let becomes = match next.state {
        _ if next.state == before.state && next.step == before.step => "stays".to_owned(),
        State::Queued { .. } if next.step > before.step => "**next step** queued".to_owned(),
        State::Queued { .. } => "queued".to_owned(),
        State::Sending { .. } => "sending".to_owned(),
        State::Awaiting { .. } if matches!(before.state, State::Awaiting { .. }) => "awaits until later".to_owned(),
        State::Awaiting { .. } => "awaiting".to_owned(),
        State::Done { outcome, .. } => format!("done: {outcome}"),
    };
    format!("{becomes}, `{rule:?}`")
}

fn table() -> String {
    let mut table =
        String::from("| what happens | queued | sending | awaiting | done |\n| --- | --- | --- | --- | --- |\n");
    for (name, happens) in rows() {
        let cells = states(happens).map(|story| cell(&story, happens));
        writeln!(table, "| {name} | {} |", cells.join(" | ")).unwrap();
    }
    table.replace("|  |", "| |").replace("|  |", "| |")
}

#[test]
fn the_table_of_the_page_is_what_the_machine_does() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md"));
    let table = table();
    assert!(page.contains(&table), "ARCHITECTURE.md has another table of states than this one:\n\n{table}");
}

/// A table that never says something could not be wrong about it.
#[test]
fn every_state_has_an_arrow_and_every_row_but_none_is_empty() {
    for (name, happens) in rows() {
        assert!(states(happens).iter().any(|story| !cell(story, happens).is_empty()), "{name} does nothing");
    }
    for place in 0..4 {
        let moved = rows().into_iter().filter(|(_, happens)| !cell(&states(*happens)[place], *happens).is_empty());
        assert!(moved.count() > 0, "nothing moves what stands in column {place}");
    }
}
