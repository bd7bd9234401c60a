//! The machine as a table: a fixed plan, every kind of present, every event.
//!
//! The snapshot next to this file is the specification. A line means "when this event occurs, the message becomes that,
//! by this rule". Events that change nothing follow the reason for it. A further list shows the events with a different
//! result once the batch is cancelled.
//!
//! The lists of events come from exhaustive matches. A new variant does not compile until it has its position, and with
//! it a line in the table.

mod page;
mod words;

use std::fmt::Write as _;

use self::words::{lines, present, time};
use super::story::{DAY, HOUR, MINUTE, Story, at, failed, plan_with, step_at};
use super::{Answer, AttemptReport, CallOff, Event, Ignored, Rule, Silence, Standing, StepObstacle};
use crate::base::domain::{
    Ending, Fault, Marks, OnRecipientLimit, Outcome, Plan, Present, SenderPart, Span, Status, Timestamp,
};

/// Lists all values of a type: `next` maps each value to the next one, beginning with `None`.
fn walk<T: Copy>(next: impl Fn(Option<T>) -> Option<T>) -> Vec<T> {
    std::iter::successors(next(None), |last| next(Some(*last))).collect()
}

pub(super) fn faults() -> Vec<Fault> {
    walk(|last| match last {
        None => Some(Fault::Recipient),
        Some(Fault::Recipient) => Some(Fault::RecipientLimit),
        Some(Fault::RecipientLimit) => Some(Fault::Sender(SenderPart::Lane)),
        Some(Fault::Sender(SenderPart::Lane)) => Some(Fault::Sender(SenderPart::Template)),
        Some(Fault::Sender(SenderPart::Template)) => Some(Fault::Sender(SenderPart::Step)),
        Some(Fault::Sender(SenderPart::Step)) => Some(Fault::OptedOut),
        Some(Fault::OptedOut) => Some(Fault::Temporary),
        Some(Fault::Temporary) => None,
    })
}

pub(super) fn answers(again: Timestamp) -> Vec<Answer> {
    let kinds = walk(|last| match last {
        None => Some(Answer::Accepted),
        Some(Answer::Accepted) => Some(Answer::Refused { fault: Fault::Recipient, again }),
        Some(Answer::Refused { .. }) => Some(Answer::Unclear { again }),
        Some(Answer::Unclear { .. }) => Some(Answer::Unavailable { again }),
        Some(Answer::Unavailable { .. }) => Some(Answer::Unknown),
        Some(Answer::Unknown) => Some(Answer::NotBegun),
        Some(Answer::NotBegun) => Some(Answer::Later { at: again }),
        Some(Answer::Later { .. }) => Some(Answer::CannotLeave(StepObstacle::CouldNotLeave)),
        Some(Answer::CannotLeave(StepObstacle::CouldNotLeave)) => {
            Some(Answer::CannotLeave(StepObstacle::OutsideWindow))
        }
        Some(Answer::CannotLeave(StepObstacle::OutsideWindow)) => {
            Some(Answer::CannotLeave(StepObstacle::MissingVariable))
        }
        Some(Answer::CannotLeave(StepObstacle::MissingVariable)) => Some(Answer::CannotLeave(StepObstacle::OptedOut)),
        Some(Answer::CannotLeave(StepObstacle::OptedOut)) => None,
    });
    let of_each_fault = |answer| match answer {
        Answer::Refused { .. } => faults().into_iter().map(|fault| Answer::Refused { fault, again }).collect(),
        other => vec![other],
    };
    kinds.into_iter().flat_map(of_each_fault).collect()
}

pub(super) fn reports(now: Timestamp) -> Vec<AttemptReport> {
    let kinds = walk(|last| match last {
        None => Some(AttemptReport::Reached(Status::Accepted)),
        Some(AttemptReport::Reached(_)) => Some(failed(Fault::Recipient, now)),
        Some(AttemptReport::Failed { .. }) => None,
    });
    let of_each = |report| match report {
        AttemptReport::Reached(_) => Status::ALL.iter().map(|status| AttemptReport::Reached(*status)).collect(),
        AttemptReport::Failed { .. } => faults().into_iter().map(|fault| failed(fault, now)).collect::<Vec<_>>(),
    };
    kinds.into_iter().flat_map(of_each).collect()
}

pub(super) fn silences(until: Timestamp) -> Vec<Silence> {
    walk(|last| match last {
        None => Some(Silence::Trusted),
        Some(Silence::Trusted) => Some(Silence::Held { until }),
        Some(Silence::Held { .. }) => Some(Silence::Lost),
        Some(Silence::Lost) => Some(Silence::Filled),
        Some(Silence::Filled) => None,
    })
}

pub(super) fn call_offs() -> Vec<CallOff> {
    walk(|last| match last {
        None => Some(CallOff::Cancel),
        Some(CallOff::Cancel) => Some(CallOff::OptOut),
        Some(CallOff::OptOut) => None,
    })
}

/// Every event of `message` at `now`. One event represents all answers to a step that is not the present one, and one
/// all receipts for later steps.
fn events(message: &Present, now: Timestamp) -> Vec<Event> {
    let step = message.step;
    let kinds = walk(|last| match last {
        None => Some(Event::Claimed),
        Some(Event::Claimed) => Some(Event::Answered { step, answer: Answer::Accepted }),
        Some(Event::Answered { .. }) => Some(Event::Receipt { step, report: AttemptReport::Reached(Status::Sent) }),
        Some(Event::Receipt { .. }) => Some(Event::Due { silence: Silence::Trusted }),
        Some(Event::Due { .. }) => Some(Event::TierSpent { step }),
        Some(Event::TierSpent { .. }) => Some(Event::Postponed { until: now + Span::from_secs(HOUR) }),
        Some(Event::Postponed { .. }) => Some(Event::Doubted { silence: Silence::Trusted, tries: 0 }),
        Some(Event::Doubted { .. }) => Some(Event::RefusalRecalled { step, tries: 0 }),
        Some(Event::RefusalRecalled { .. }) => Some(Event::RefusedAlone { step }),
        Some(Event::RefusedAlone { .. }) => Some(Event::Released),
        Some(Event::Released) => Some(Event::CalledOff(CallOff::Cancel)),
        Some(Event::CalledOff(_)) => None,
    });
    let of_each = |event| match event {
        Event::Claimed => vec![Event::Claimed],
        Event::Answered { .. } => {
            answers(now + Span::from_secs(5)).into_iter().map(|answer| Event::Answered { step, answer }).collect()
        }
        Event::Receipt { .. } => (1..=3)
            .map(step_at)
            .take_while(|of| of.get() <= step.get() + 1)
            .flat_map(|step| reports(now).into_iter().map(move |report| Event::Receipt { step, report }))
            .collect(),
        Event::Due { .. } => {
            silences(now + Span::from_secs(92)).into_iter().map(|silence| Event::Due { silence }).collect()
        }
        Event::TierSpent { .. } | Event::Postponed { .. } | Event::RefusedAlone { .. } | Event::Released => vec![event],
        Event::RefusalRecalled { tries, .. } => {
            let before = (1..step.get() + 1).map(step_at);
            before.map(|step| Event::RefusalRecalled { step, tries }).collect()
        }
        Event::Doubted { tries, .. } => {
            silences(now + Span::from_secs(92)).into_iter().map(|silence| Event::Doubted { silence, tries }).collect()
        }
        Event::CalledOff(_) => call_offs().into_iter().map(Event::CalledOff).collect(),
    };
    kinds.into_iter().flat_map(of_each).collect()
}

/// WhatsApp → Viber (success is Read, `leave_within` 30 minutes) → SMS; a day's TTL, first submissions within eight
/// hours.
fn table_plan() -> Plan {
    plan_with(|plan| {
        plan.ttl = Some(Span::from_secs(DAY));
        plan.end = Some(at(8 * HOUR));
        plan.steps[1].success = Status::Read;
        plan.steps[1].leave_within = Some(Span::from_secs(30 * MINUTE));
    })
}

/// The presents of the table. A story leads to each of them, so each of them can occur.
fn presents() -> Vec<(&'static str, Story)> {
    let mut presents = Vec::new();
    let mut add = |name, story: &dyn Fn(&mut Story)| {
        let mut result = Story::of(table_plan());
        story(&mut result);
        presents.push((name, result));
    };
    let minutes = |n: i64| n * MINUTE;
    add("queued, first step", &|_| {});
    add("queued, first step, at the end of the campaign", &|s| {
        s.at(8 * HOUR);
    });
    add("queued, first step, retry after a 429", &|s| {
        s.claim().refuse(Fault::Temporary);
        s.at(5);
    });
    add("queued, first step, retry after a temporary failure", &|s| {
        s.submit().at(minutes(5)).fail(1, Fault::Temporary);
        s.at(minutes(6));
    });
    add("queued, first step, resent after an unknown submission", &|s| {
        s.plan.on_unknown = crate::base::domain::OnUnknown::Resend;
        s.claim().at(10).answer(Answer::Unknown);
    });
    add("queued, first step, refused once without a known code", &|s| {
        s.claim().answer(Answer::Unclear { again: at(8) });
        s.at(8);
    });
    add("set aside, first step", &|s| {
        s.is_set_aside(8);
    });
    add("set aside, first step, at the end of the campaign", &|s| {
        s.is_set_aside(8).at(8 * HOUR);
    });
    add("set aside, second step", &|s| {
        s.falls_back_to(2).is_set_aside(minutes(16));
    });
    add("set aside, second step, when the TTL is up", &|s| {
        s.falls_back_to(2).is_set_aside(minutes(16)).at(DAY);
    });
    add("queued, second step, after the deadline", &|s| {
        s.falls_back_to(2).at(minutes(20));
    });
    add("queued, second step, after a rejection", &|s| {
        s.claim().refuse(Fault::Recipient);
        s.at(minutes(1));
    });
    add("queued, second step, its leave_within of 30 minutes is over", &|s| {
        s.falls_back_to(2).at(minutes(45));
    });
    add("queued, third step, after two deadlines", &|s| {
        s.falls_back_to(3).at(minutes(26));
    });
    add("queued, third step, when the TTL is up", &|s| {
        s.falls_back_to(3).at(DAY);
    });
    add("sending, first step", &|s| {
        s.claim().at(1);
    });
    add("sending, first step, opted out meanwhile", &|s| {
        s.claim().opt_out();
        s.at(1);
    });
    add("sending, second step", &|s| {
        s.falls_back_to(2).claim().at(minutes(16));
    });
    add("sending, second step, retry after a 429", &|s| {
        s.falls_back_to(2).claim().refuse(Fault::Temporary);
        s.at(minutes(16)).claim();
    });
    add("sending, second step, the first has succeeded meanwhile", &|s| {
        s.falls_back_to(2).claim().receive(1, Status::Delivered);
        s.at(minutes(16));
    });
    add("sending, third step", &|s| {
        s.falls_back_to(3).claim().at(minutes(26));
    });
    add("awaiting, first step", &|s| {
        s.submit().at(minutes(5));
    });
    add("awaiting, first step, at its deadline", &|s| {
        s.submit().at(minutes(15));
    });
    add("awaiting, first step, unknown", &|s| {
        s.claim().at(10).answer(Answer::Unknown);
        s.at(minutes(5));
    });
    add("awaiting, first step, deadline held", &|s| {
        s.submit().at(minutes(15)).due(Silence::Held { until: at(minutes(16)) });
        s.at(minutes(16));
    });
    add("awaiting, first step, deadline waived", &|s| {
        s.submit().at(minutes(15)).due(Silence::Lost);
        s.at(HOUR);
    });
    add("awaiting, first step, deadline waived and the TTL is up", &|s| {
        s.submit().at(minutes(15)).due(Silence::Lost);
        s.at(DAY);
    });
    add("awaiting, first step, cut by an opt-out", &|s| {
        s.submit().opt_out();
        s.at(minutes(20));
    });
    add("awaiting, second step, delivered but not read", &|s| {
        s.falls_back_to(2).submit().receive(2, Status::Delivered);
        s.at(minutes(20));
    });
    add("awaiting, third step", &|s| {
        s.falls_back_to(3).submit().at(minutes(30));
    });
    add("awaiting, third step, when its window closes", &|s| {
        s.falls_back_to(3).submit().at(minutes(25) + 2 * DAY);
    });
    add("awaiting, second step is the last, the third had no content", &|s| {
        s.falls_back_to(3).claim().answer(Answer::CannotLeave(StepObstacle::MissingVariable));
        s.at(minutes(30));
    });
    let mut add_expiring = |name, secs: i64, story: &dyn Fn(&mut Story)| {
        let mut result = Story::expiring(table_plan(), secs);
        story(&mut result);
        presents.push((name, result));
    };
    add_expiring("queued, first step, its own expiry is over", HOUR, &|s| {
        s.at(HOUR);
    });
    add_expiring("queued, second step, its own expiry in 10 minutes", minutes(25), &|s| {
        s.falls_back_to(2);
    });
    add_expiring("awaiting, first step, at its deadline after its own expiry", minutes(10), &|s| {
        s.submit().at(minutes(15));
    });
    let mut add_passing_over = |name, steps: &[u8], story: &dyn Fn(&mut Story)| {
        let passed_over = steps.iter().fold(Marks::default(), |marks, number| marks.with_passed_over(step_at(*number)));
        let mut result = Story::passing_over(table_plan(), passed_over);
        story(&mut result);
        presents.push((name, result));
    };
    add_passing_over("queued, second step, the first is passed over", &[1], &|_| {});
    add_passing_over("queued, third step, the second is passed over", &[2], &|s| {
        s.falls_back_to(3).at(minutes(16));
    });
    add_passing_over("awaiting, first step, the second is passed over", &[2], &|s| {
        s.submit().at(minutes(15));
    });
    add_passing_over("awaiting, second step, the third is passed over", &[3], &|s| {
        s.falls_back_to(2).submit().at(minutes(25));
    });
    add_passing_over("done, no step applies", &[1, 2, 3], &|_| {});
    presents.push(("awaiting, first step, it retries at the recipient's limit", retrying()));
    for outcome in Outcome::ALL {
        presents.push((done_name(*outcome), done(*outcome)));
    }
    presents
}

fn retrying() -> Story {
    let mut result = Story::of(plan_with(|plan| {
        plan.ttl = Some(Span::from_secs(2 * DAY));
        plan.steps[0].on_recipient_limit = OnRecipientLimit::Retry;
    }));
    result.submit().at(5 * MINUTE);
    result
}

const fn done_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Reached => "done, reached by the second step",
        Outcome::Undelivered => "done, undelivered",
        Outcome::Silent => "done, silent",
        Outcome::Unknown => "done, unknown",
        Outcome::Expired => "done, expired before the third step was submitted",
        Outcome::Cancelled => "done, cancelled before the second step was submitted",
        Outcome::Skipped => "done, opted out",
    }
}

fn done(outcome: Outcome) -> Story {
    let mut result = Story::of(table_plan());
    match outcome {
        Outcome::Reached => {
            result.falls_back_to(2).submit().at(20 * MINUTE).receive(2, Status::Read);
        }
        Outcome::Undelivered => {
            result.falls_back_to(3).submit().at(30 * MINUTE).fail(3, Fault::Recipient);
        }
        Outcome::Silent => {
            result.falls_back_to(3).submit().at(3 * DAY).time_is_up();
        }
        Outcome::Unknown => {
            result.falls_back_to(3).claim().answer(Answer::Unknown);
            result.at(3 * DAY).time_is_up();
        }
        Outcome::Expired => {
            result.falls_back_to(3).at(DAY).time_is_up();
        }
        Outcome::Cancelled => {
            result.claim().refuse(Fault::Recipient);
            result.at(MINUTE).cancel();
            result.standing = Standing::Live;
        }
        Outcome::Skipped => {
            for _ in 1..=3 {
                result.claim().answer(Answer::CannotLeave(StepObstacle::OptedOut));
            }
        }
    }
    assert_eq!(result.outcome(), Some(outcome));
    result.now = result.now + Span::from_secs(MINUTE);
    result
}

#[test]
fn the_state_table_matches_the_snapshot() {
    let mut table = String::new();
    for (name, story) in presents() {
        writeln!(table, "\n{name}, at {}", time(story.now)).unwrap();
        writeln!(table, "  {}", present(&story.message)).unwrap();
        lines(&mut table, &story);
    }
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("state_table", table);
    });
}

/// The table contains every state, outcome, ending, rule and reason to ignore.
#[test]
fn the_state_table_contains_every_rule_and_reason() {
    let mut decisions = String::new();
    for (_, story) in presents() {
        for event in events(&story.message, story.now) {
            let mut cancelled = story.clone();
            cancelled.standing = Standing::Cancelled;
            writeln!(decisions, "{:?} {:?}", story.decide(event), cancelled.decide(event)).unwrap();
        }
    }
    let resent = "Resent"; // The usual plan does not resend; `rules` tests that.
    for word in
        rules().into_iter().map(|rule| format!("{rule:?}")).chain(ignored().into_iter().map(|why| format!("{why:?}")))
    {
        assert!(decisions.contains(&word) || word == resent, "no line of the table says {word}");
    }
}

pub(super) fn rules() -> Vec<Rule> {
    let ending = Ending::Deadline;
    walk(|last| match last {
        None => Some(Rule::Claimed),
        Some(Rule::Claimed) => Some(Rule::HandedOver),
        Some(Rule::HandedOver) => Some(Rule::CountedAsHandedOver),
        Some(Rule::CountedAsHandedOver) => Some(Rule::Resent),
        Some(Rule::Resent) => Some(Rule::HandedBack),
        Some(Rule::HandedBack) => Some(Rule::Postponed),
        Some(Rule::Postponed) => Some(Rule::TriedAgain),
        Some(Rule::TriedAgain) => Some(Rule::WaitsForRecipient),
        Some(Rule::WaitsForRecipient) => Some(Rule::KeptForSender(SenderPart::Lane)),
        Some(Rule::KeptForSender(_)) => Some(Rule::FellBack(ending)),
        Some(Rule::FellBack(_)) => Some(Rule::Ended(Ending::Undelivered)),
        Some(Rule::Ended(_)) => Some(Rule::Reached),
        Some(Rule::Reached) => Some(Rule::Progressed),
        Some(Rule::Progressed) => Some(Rule::Recorded),
        Some(Rule::Recorded) => Some(Rule::TakenBack),
        Some(Rule::TakenBack) => Some(Rule::RefusalRecalled),
        Some(Rule::RefusalRecalled) => Some(Rule::MovedToEnd),
        Some(Rule::MovedToEnd) => Some(Rule::RefusedAlone),
        Some(Rule::RefusedAlone) => Some(Rule::SetAside),
        Some(Rule::SetAside) => Some(Rule::Released),
        Some(Rule::Released) => Some(Rule::Recalled),
        Some(Rule::Recalled) => Some(Rule::ReachedEarlier),
        Some(Rule::ReachedEarlier) => Some(Rule::DeliveredTwice),
        Some(Rule::DeliveredTwice) => Some(Rule::Late),
        Some(Rule::Late) => Some(Rule::DeadlineHeld),
        Some(Rule::DeadlineHeld) => Some(Rule::DeadlineWaived),
        Some(Rule::DeadlineWaived) => Some(Rule::Rescheduled),
        Some(Rule::Rescheduled) => Some(Rule::WindowClosed),
        Some(Rule::WindowClosed) => Some(Rule::Expired),
        Some(Rule::Expired) => Some(Rule::CalledOffUnsent),
        Some(Rule::CalledOffUnsent) => Some(Rule::CalledOffPresentLast),
        Some(Rule::CalledOffPresentLast) => Some(Rule::Adopted),
        // Nothing makes it any more.
        Some(Rule::Adopted | Rule::Suppressed) => None,
    })
}

fn ignored() -> Vec<Ignored> {
    walk(|last| match last {
        None => Some(Ignored::NothingNew),
        Some(Ignored::NothingNew) => Some(Ignored::NotBegun),
        Some(Ignored::NotBegun) => Some(Ignored::NotYet),
        Some(Ignored::NotYet) => Some(Ignored::Stale),
        Some(Ignored::Stale) => Some(Ignored::Ended),
        Some(Ignored::Ended) => Some(Ignored::InFlight),
        Some(Ignored::InFlight) => None,
    })
}
