//! The state table of `ARCHITECTURE.md`: the four states by event, and a queued message that is set aside. The machine generates it, and a test compares it
//! with the document.

use std::fmt::Write as _;

use super::super::story::{HOUR, MINUTE, Story, failed, plan_with, step_at};
use super::super::{Answer, AttemptReport, CallOff, Decision, Event, Silence, StepObstacle};
use crate::base::domain::{Fault, Present, SenderPart, Span, State, Status};

/// The events, in the words of the document.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Claimed,
    Answer(Answer),
    /// A receipt for the present step, or for the one before it.
    News(bool, AttemptReport),
    TierSpent,
    Postponed,
    /// The silence by which the step before fell back is in doubt.
    Doubted,
    /// The sender caused the refusal by which the step before fell back.
    RefusalRecalled,
    /// Another message was accepted after this one was refused without a known code.
    RefusedAlone,
    Released,
    /// The time of the present step is up.
    Due(Silence),
    /// A gap that waived a deadline has been filled.
    Filled,
    CalledOff(CallOff),
}

fn rows() -> Vec<(&'static str, Happens)> {
    use Happens::{
        Answer as Says, CalledOff, Claimed, Doubted, Due, Filled, News, Postponed, RefusalRecalled, RefusedAlone,
        Released, TierSpent,
    };
    let at = Story::usual().now;
    let refused = |fault| Says(Answer::Refused { fault, again: at });
    let bad = |present, fault| News(present, failed(fault, at));
    let good = |present, status| News(present, AttemptReport::Reached(status));
    vec![
        ("claimed", Claimed),
        ("answer: accepted", Says(Answer::Accepted)),
        ("answer: unknown", Says(Answer::Unknown)),
        ("answer: refused because of this recipient", refused(Fault::Recipient)),
        ("answer: refused because of the sender", refused(Fault::Sender(SenderPart::Lane))),
        ("answer: refused because the recipient opted out", refused(Fault::OptedOut)),
        ("answer: refused temporarily", refused(Fault::Temporary)),
        ("answer: refused without a known code", Says(Answer::Unclear { again: at })),
        ("answer: unavailable", Says(Answer::Unavailable { again: at })),
        ("claim handed back before a request", Says(Answer::NotBegun)),
        ("claim handed back until later", Says(Answer::Later { at })),
        ("cannot be submitted: its time is over", Says(Answer::CannotLeave(StepObstacle::CouldNotLeave))),
        ("cannot be submitted: outside the window", Says(Answer::CannotLeave(StepObstacle::OutsideWindow))),
        ("cannot be submitted: missing variable", Says(Answer::CannotLeave(StepObstacle::MissingVariable))),
        ("cannot be submitted: opted out of the step", Says(Answer::CannotLeave(StepObstacle::OptedOut))),
        ("no free slot in the tier, and the step does not wait", TierSpent),
        ("outside its send hours", Postponed),
        ("receipt: sent", good(true, Status::Sent)),
        ("receipt: its success status", good(true, Status::Delivered)),
        ("receipt: failed because of this recipient", bad(true, Fault::Recipient)),
        ("receipt: failed because of the recipient's limit", bad(true, Fault::RecipientLimit)),
        ("receipt: failed because of the sender", bad(true, Fault::Sender(SenderPart::Template))),
        ("receipt: failed because the recipient opted out", bad(true, Fault::OptedOut)),
        ("receipt: failed temporarily", bad(true, Fault::Temporary)),
        ("receipt of an earlier step: its success status", good(false, Status::Delivered)),
        ("receipt of an earlier step: failed", bad(false, Fault::Recipient)),
        ("time is up, no receipt was missed", Due(Silence::Trusted)),
        (
            "time is up, the provider still repeats receipts",
            Due(Silence::Held { until: at + Span::from_secs(7 * 86_400) }),
        ),
        ("time is up, receipts are lost", Due(Silence::Lost)),
        ("a gap is filled, the deadline was waived", Filled),
        ("the deadline of the step before is in doubt", Doubted),
        ("the step before was refused because of the sender", RefusalRecalled),
        ("another message was accepted after its refusals without a known code", RefusedAlone),
        ("released by an operator", Released),
        ("cancel", CalledOff(CallOff::Cancel)),
        ("opt-out", CalledOff(CallOff::OptOut)),
    ]
}

/// The second step of three in each state; `done` is undelivered on the third step. For `Due` events, the time of each
/// has come.
fn states(happens: Happens) -> [Story; 5] {
    let late = matches!(happens, Happens::Due(_));
    let plan = || plan_with(|plan| plan.steps[1].leave_within = Some(Span::from_secs(30 * MINUTE)));
    let story = |steps: &dyn Fn(&mut Story)| {
        let mut story = Story::of(plan());
        steps(&mut story);
        story
    };
    let at = |early: i64, up: i64| if late { up * MINUTE } else { early * MINUTE };
    [
        story(&|story| match happens {
            Happens::RefusalRecalled => {
                story.submit().fail(1, Fault::Recipient);
            }
            Happens::RefusedAlone => {
                story.falls_back_to(2).claim().answer(Answer::Unclear { again: Story::usual().now });
            }
            _ => {
                story.falls_back_to(2).at(at(20, 45));
            }
        }),
        story(&|story| {
            if matches!(happens, Happens::RefusalRecalled) {
                story.submit().fail(1, Fault::Recipient);
            } else {
                story.falls_back_to(2);
            }
            story.is_set_aside(15 * MINUTE).at(at(20, 45));
        }),
        story(&|story| {
            story.falls_back_to(2).claim().at(at(16, 45));
        }),
        story(&|story| {
            story.falls_back_to(2).submit().at(at(20, 25));
            if matches!(happens, Happens::Filled) {
                story.at(25 * MINUTE).due(Silence::Lost);
                story.at(HOUR);
            }
        }),
        story(&|story| {
            story.falls_back_to(3).submit().at(30 * MINUTE).fail(3, Fault::Recipient);
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
        Happens::News(false, report) => Event::Receipt { step: step_at(step.get()), report },
        Happens::TierSpent => Event::TierSpent { step },
        Happens::Postponed => Event::Postponed { until: Story::usual().now + Span::from_secs(7 * 86_400) },
        Happens::Due(silence) => Event::Due { silence },
        Happens::Filled => Event::Due { silence: Silence::Filled },
        Happens::Doubted => Event::Doubted { silence: Silence::Lost, tries: 0 },
        Happens::RefusalRecalled => Event::RefusalRecalled { step: step_at(1), tries: 0 },
        Happens::RefusedAlone => Event::RefusedAlone { step },
        Happens::Released => Event::Released,
        Happens::CalledOff(why) => Event::CalledOff(why),
    }
}

fn cell(story: &Story, happens: Happens) -> String {
    let before = &story.message;
    let Decision::Moved { next, rule } = story.decide(event(happens, before)) else { return String::new() };
    let becomes = match next.state {
        _ if next.is_set_aside() && !before.is_set_aside() => "set aside".to_owned(),
        State::Queued { .. } if before.is_set_aside() && !next.is_set_aside() && next.step == before.step => {
            "queued".to_owned()
        }
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
    let mut table = String::from(
        "| what happens | queued | set aside | sending | awaiting | done |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for (name, happens) in rows() {
        let cells = states(happens).map(|story| cell(&story, happens));
        writeln!(table, "| {name} | {} |", cells.join(" | ")).unwrap();
    }
    table.replace("|  |", "| |").replace("|  |", "| |")
}

#[test]
fn the_table_in_architecture_md_matches_the_machine() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md"));
    let table = table();
    assert!(page.contains(&table), "the state table in ARCHITECTURE.md differs from this one:\n\n{table}");
}

/// A table without changes could not be wrong.
#[test]
fn every_row_and_every_state_of_the_table_has_a_change() {
    for (name, happens) in rows() {
        assert!(states(happens).iter().any(|story| !cell(story, happens).is_empty()), "{name} changes nothing");
    }
    for column in 0..5 {
        let moved = rows().into_iter().filter(|(_, happens)| !cell(&states(*happens)[column], *happens).is_empty());
        assert!(moved.count() > 0, "no event changes column {column}");
    }
}
