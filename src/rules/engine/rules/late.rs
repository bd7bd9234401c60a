//! Rules 6 and 7: late receipts, and unknown submissions.

use crate::base::domain::{AfterGap, Count, Ending, Fault, OnUnknown, Outcome, SenderPart, Span, State, Status};
use crate::rules::engine::story::{DAY, HOUR, MINUTE, Story, at, plan_with, step_at};
use crate::rules::engine::{Answer, AttemptReport, Decision, Event, Ignored, Rule, Silence, StepObstacle, counts};

// Rule 6: late truth.

#[test]
fn success_of_an_earlier_step_recalls_a_later_one_that_is_queued() {
    let mut story = Story::usual();
    story.falls_back_to(2).at(16 * MINUTE);
    assert_eq!(story.receive(1, Status::Delivered), Rule::Recalled);
    assert_eq!(story.outcome(), Some(Outcome::Reached));
    assert_eq!(story.tallies().get(step_at(1), Count::FellDeadline), 0, "nothing followed from the deadline");
    assert_eq!(story.ignores(Event::Claimed), Ignored::Ended);
}

#[test]
fn a_recall_clears_only_the_step_that_was_not_submitted() {
    let mut story = Story::usual();
    story.falls_back_to(2).submit().at(16 * MINUTE).fail(2, Fault::Recipient);
    assert_eq!(story.receive(1, Status::Delivered), Rule::Recalled);
    let of = |number, count| story.tallies().get(step_at(number), count);
    assert_eq!((of(1, Count::FellDeadline), of(2, Count::HandedOver), of(2, Count::Undelivered)), (1, 1, 1));
    assert_eq!(of(2, Count::FellUndelivered), 0);
}

#[test]
fn a_recall_keeps_a_later_step_that_waits_for_its_retry() {
    let mut story = Story::usual();
    story.falls_back_to(2).submit().at(16 * MINUTE).fail(2, Fault::Temporary);
    assert_eq!(story.receive(1, Status::Delivered), Rule::ReachedEarlier);
    assert_eq!(story.tallies().get(step_at(2), Count::HandedOver), 1);
    assert_eq!(story.outcome(), Some(Outcome::Reached));
}

#[test]
fn success_of_two_submitted_steps_is_delivered_twice() {
    let mut story = Story::usual();
    story.falls_back_to(2).submit().at(16 * MINUTE);
    assert_eq!(story.receive(1, Status::Delivered), Rule::ReachedEarlier);
    assert_eq!(story.tallies().get(step_at(1), Count::FellDeadline), 1, "the fallback has happened");
    assert_eq!(story.tallies().total(Count::DeliveredTwice), 0, "one success is not two");
    assert_eq!(story.receive(2, Status::Delivered), Rule::DeliveredTwice);
    assert_eq!(story.tallies().total(Count::DeliveredTwice), 1);
    assert_eq!(story.tallies().get(step_at(1), Count::ReachedBy), 1);
    assert_eq!(story.outcome(), Some(Outcome::Reached));
}

#[test]
fn an_earlier_success_after_the_later_one_is_delivered_twice() {
    let mut story = Story::usual();
    story.falls_back_to(2).submit().receive(2, Status::Delivered);
    assert_eq!(story.receive(1, Status::Delivered), Rule::DeliveredTwice);
    assert_eq!(story.receive(1, Status::Read), Rule::Progressed);
    let of = |number, count| story.tallies().get(step_at(number), count);
    assert_eq!((of(1, Count::ReachedBy), of(2, Count::ReachedBy), of(1, Count::FellDeadline)), (0, 1, 1));
}

#[test]
fn a_success_while_a_later_step_is_in_flight_waits_for_the_answer() {
    let mut sending = Story::usual();
    sending.falls_back_to(2).claim().receive(1, Status::Delivered);
    assert!(matches!(sending.message.state, State::Sending { .. }));
    for answer in [Answer::Accepted, Answer::Unknown] {
        let mut left = sending.clone();
        left.answer(answer);
        assert_eq!(left.outcome(), Some(Outcome::Reached));
        assert_eq!(left.tallies().get(step_at(2), Count::HandedOver), 1);
    }
    for answer in [Answer::NotBegun, Answer::Unavailable { again: at(HOUR) }] {
        let mut stayed = sending.clone();
        assert_eq!(stayed.answer(answer), Rule::Recalled);
        assert_eq!(stayed.tallies().get(step_at(1), Count::FellDeadline), 0);
    }
    assert_eq!(sending.refuse(Fault::Recipient), Rule::ReachedEarlier);
    assert_eq!(sending.outcome(), Some(Outcome::Reached), "a later refusal does not undo an arrival");
}

#[test]
fn a_success_after_the_end_is_reached_and_counts_as_late() {
    let last = || {
        let mut story = Story::of(plan_with(|plan| plan.ttl = Some(Span::from_secs(DAY))));
        story.falls_back_to(3);
        story
    };
    let mut undelivered = last();
    undelivered.submit().fail(3, Fault::Recipient);
    let mut silent = last();
    silent.submit().at(3 * DAY).time_is_up();
    let mut unknown = last();
    unknown.claim().answer(Answer::Unknown);
    unknown.at(3 * DAY).time_is_up();
    let mut expired = last();
    expired.at(DAY).time_is_up();
    let ended = [
        (undelivered, Outcome::Undelivered, 3),
        (silent, Outcome::Silent, 3),
        (unknown, Outcome::Unknown, 3),
        (expired, Outcome::Expired, 1),
    ];
    for (mut story, outcome, number) in ended {
        assert_eq!(story.outcome(), Some(outcome));
        story.at(4 * DAY);
        assert_eq!(story.receive(number, Status::Delivered), Rule::Late);
        assert_eq!(story.outcome(), Some(Outcome::Reached));
        assert_eq!((story.tallies().total(Count::Late), story.tallies().done()), (1, 1));
    }
}

#[test]
fn an_arrival_after_a_failure_is_reached_for_any_success_status() {
    for success in [Status::Accepted, Status::Sent, Status::Delivered] {
        let mut story = Story::of(plan_with(|plan| plan.steps[2].success = success));
        // The answer is lost, so the failure is the first proof that the provider accepted it.
        story.falls_back_to(3).claim().answer(Answer::Unknown);
        story.fail(3, Fault::Recipient);
        assert_eq!(story.outcome(), Some(Outcome::Undelivered), "{success}");
        assert_eq!(story.receive(3, Status::Delivered), Rule::Late, "{success}");
        assert_eq!(story.outcome(), Some(Outcome::Reached), "{success}");
    }
}

#[test]
fn reached_never_changes_to_another_outcome() {
    let mut story = Story::usual();
    story.falls_back_to(2).submit().receive(2, Status::Delivered);
    for number in [1, 2] {
        for fault in [Fault::Recipient, Fault::OptedOut, Fault::Temporary, Fault::Sender(SenderPart::Lane)] {
            let report = crate::rules::engine::story::failed(fault, story.now);
            story.event(Event::Receipt { step: step_at(number), report });
            assert_eq!(story.outcome(), Some(Outcome::Reached));
        }
    }
}

#[test]
fn a_failure_after_the_fallback_is_counted_and_decides_nothing() {
    let mut story = Story::usual();
    story.falls_back_to(2).submit().at(20 * MINUTE);
    assert_eq!(story.fail(1, Fault::Recipient), Rule::Recorded);
    let of = |count| story.tallies().get(step_at(1), count);
    assert_eq!((of(Count::Undelivered), of(Count::FellDeadline), of(Count::FellUndelivered)), (1, 1, 0));
    assert!(story.awaits_until(25 * MINUTE));
}

// Rule 7: unknown is not failed.

#[test]
fn an_unknown_submission_counts_as_accepted_at_its_intent() {
    let mut story = Story::usual();
    story.claim().at(5 * MINUTE).answer(Answer::Unknown);
    assert!(story.awaits_until(15 * MINUTE));
    assert_eq!(story.message.first_submitted_at, Some(at(0)));
    assert_eq!(story.tallies().get(step_at(1), Count::HandedOver), 1);
}

#[test]
fn a_receipt_adopts_an_unknown_submission_and_keeps_its_deadline() {
    let mut story = Story::usual();
    story.claim().answer(Answer::Unknown);
    assert_eq!(story.tallies().total(Count::Unknown), 1);
    assert_eq!(story.at(MINUTE).receive(1, Status::Sent), Rule::Adopted);
    assert_eq!(story.tallies().total(Count::Unknown), 0);
    assert!(story.awaits_until(15 * MINUTE));
}

#[test]
fn an_unknown_submission_falls_back_and_stays_in_the_report() {
    let mut story = Story::usual();
    story.claim().answer(Answer::Unknown);
    story.at(15 * MINUTE).time_is_up();
    assert!(story.is_queued(2));
    story.submit().receive(2, Status::Delivered);
    assert_eq!(story.tallies().get(step_at(1), Count::Unknown), 1);
    assert_eq!(story.fail(1, Fault::Recipient), Rule::Adopted);
    assert_eq!(story.tallies().get(step_at(1), Count::Unknown), 0);
}

#[test]
fn an_unknown_last_step_ends_as_unknown_with_its_window() {
    let mut story = Story::usual();
    story.falls_back_to(3).claim().answer(Answer::Unknown);
    story.at(25 * MINUTE + 2 * DAY).time_is_up();
    assert_eq!(story.outcome(), Some(Outcome::Unknown));
}

#[test]
fn an_unknown_submission_is_not_resent_by_default() {
    let mut story = Story::usual();
    story.claim().answer(Answer::Unknown);
    assert_eq!(story.ignores(Event::Claimed), Ignored::Stale);
}

#[test]
fn an_unknown_submission_is_resent_only_once() {
    let mut story = Story::of(plan_with(|plan| plan.on_unknown = OnUnknown::Resend));
    assert_eq!(story.claim().at(1).answer(Answer::Unknown), Rule::Resent);
    assert!(story.is_queued(1));
    assert_eq!(story.tallies().get(step_at(1), Count::Unknown), 1, "the first copy is still unknown");
    assert_eq!(story.at(2).claim().answer(Answer::Unknown), Rule::CountedAsHandedOver);
}

#[test]
fn an_unknown_submission_is_not_resent_after_an_opt_out() {
    let mut story = Story::of(plan_with(|plan| plan.on_unknown = OnUnknown::Resend));
    story.claim().opt_out();
    assert_eq!(story.answer(Answer::Unknown), Rule::CountedAsHandedOver);
}

#[test]
fn a_receipt_takes_back_a_queued_resend() {
    let mut story = Story::of(plan_with(|plan| plan.on_unknown = OnUnknown::Resend));
    story.claim().answer(Answer::Unknown);
    assert_eq!(story.at(MINUTE).receive(1, Status::Sent), Rule::Adopted);
    assert!(story.awaits_until(15 * MINUTE));
}

/// The first copy is unknown, and the resend is in flight when a receipt for one of the two arrives.
fn receipt_during_a_resend() -> Story {
    let mut story = Story::of(plan_with(|plan| plan.on_unknown = OnUnknown::Resend));
    story.claim().answer(Answer::Unknown);
    // It waited longer than its deadline, and must not fall back while it is being submitted.
    assert_eq!(story.at(HOUR).claim().receive(1, Status::Sent), Rule::Adopted);
    assert!(matches!(story.message.state, State::Sending { .. }), "the answer shows which copy the receipt was about");
    story
}

#[test]
fn a_resend_in_flight_restarts_the_deadline_despite_a_receipt() {
    let mut story = receipt_during_a_resend();
    assert_eq!(story.answer(Answer::Accepted), Rule::HandedOver);
    assert!(story.awaits_until(HOUR + 15 * MINUTE));
    let mut story = receipt_during_a_resend();
    assert_eq!(story.answer(Answer::Unknown), Rule::CountedAsHandedOver);
    assert!(
        story.awaits_until(HOUR + 15 * MINUTE) && !story.message.marks.unknown(step_at(1)),
        "one copy is known to be on its way"
    );
}

#[test]
fn a_failed_resend_is_not_retried_if_the_first_copy_is_known() {
    let again = at(HOUR + MINUTE);
    for answer in [
        Answer::NotBegun,
        Answer::Unavailable { again },
        Answer::Refused { fault: Fault::Temporary, again },
        Answer::Refused { fault: Fault::Sender(SenderPart::Lane), again },
        Answer::CannotLeave(StepObstacle::CouldNotLeave),
    ] {
        let mut story = receipt_during_a_resend();
        story.answer(answer);
        assert!(story.awaits_until(15 * MINUTE), "{answer:?}: {:?}", story.message);
    }
}

#[test]
fn a_status_of_an_earlier_try_may_count_and_a_failure_never_does() {
    let plan = plan_with(|plan| plan.on_unknown = OnUnknown::Resend);
    let success = plan.steps[0].success;
    let (accepted, delivered) = (AttemptReport::Reached(Status::Accepted), AttemptReport::Reached(success));
    let bad = AttemptReport::Failed { fault: Fault::Recipient, again: at(0) };
    let count = |story: &Story, reported, latest| {
        [accepted, delivered, bad].map(|report| counts(&story.message, step_at(1), [reported, latest], report, success))
    };
    let mut story = Story::of(plan.clone());
    story.submit().at(1).fail(1, Fault::Sender(SenderPart::Lane));
    assert!(!counts(&story.message, step_at(1), [0, 0], accepted, success), "undone, and queued for its retry");
    story.claim();
    assert_eq!(count(&story, 0, 1), [false, true, false], "the next try is in flight");
    story.answer(Answer::Accepted);
    assert_eq!((count(&story, 0, 1), count(&story, 1, 1)), ([true, true, false], [true; 3]));

    let mut story = Story::of(plan);
    story.claim().answer(Answer::Unknown);
    assert_eq!(count(&story, 0, 0), [true; 3], "then no resend is needed");
}

#[test]
fn a_resend_that_cannot_be_sent_waits_for_the_first_copy() {
    let mut story = Story::of(plan_with(|plan| {
        plan.on_unknown = OnUnknown::Resend;
        plan.steps.truncate(1);
        plan.ttl = Some(Span::from_secs(HOUR));
    }));
    story.claim().answer(Answer::Unknown);
    assert_eq!(story.at(HOUR).time_is_up(), Rule::CountedAsHandedOver);
    story.at(30 * DAY).time_is_up();
    assert_eq!(story.outcome(), Some(Outcome::Unknown));
}

// Cases that the simulation hardly ever meets: events that arrive after the message has moved on.

#[test]
fn a_queued_retry_ignores_a_filled_gap_until_its_time_is_over() {
    let mut story = Story::usual();
    story.submit().at(1).fail(1, Fault::Temporary);
    assert_eq!(story.ignores(Event::Due { silence: Silence::Filled }), Ignored::NotYet);
    assert_eq!(story.at(15 * MINUTE).due(Silence::Filled), Rule::FellBack(Ending::Undelivered));
    assert!(story.is_queued(2));
}

#[test]
fn an_answer_to_an_ended_step_does_not_change_the_next_step() {
    let mut story = Story::usual();
    // The failure arrived before the answer to its request.
    story.claim().fail(1, Fault::Recipient);
    story.at(1).claim();
    for answer in [Answer::Accepted, Answer::Unknown, Answer::NotBegun] {
        assert_eq!(story.ignores(Event::Answered { step: step_at(1), answer }), Ignored::Stale);
    }
    assert_eq!(story.answer(Answer::Accepted), Rule::HandedOver);
    assert_eq!(story.message.step, step_at(2));
}

#[test]
fn a_senders_fault_on_an_earlier_step_does_not_stop_the_next() {
    for part in [SenderPart::Template, SenderPart::Step, SenderPart::Lane] {
        let mut story = Story::usual();
        story.falls_back_to(2).claim();
        assert_eq!(story.fail(1, Fault::Sender(part)), Rule::Recorded, "{part:?}");
        assert!(matches!(story.message.state, State::Sending { .. }), "{part:?}");
        assert_eq!(story.answer(Answer::Accepted), Rule::HandedOver, "{part:?}");
        assert!(story.message.marks.failed(step_at(1)), "{part:?}");
    }
}

#[test]
fn a_status_of_an_earlier_step_leaves_a_request_in_flight() {
    let mut story = Story::usual();
    story.claim().answer(Answer::Unknown);
    story.at(15 * MINUTE).time_is_up();
    story.claim();
    for (status, rule) in [(Status::Accepted, Rule::Adopted), (Status::Read, Rule::ReachedEarlier)] {
        assert_eq!(story.receive(1, status), rule);
        assert_eq!(story.message.step, step_at(2));
        assert!(matches!(story.message.state, State::Sending { .. }), "its answer still counts");
    }
    story.answer(Answer::Accepted);
    assert_eq!(story.outcome(), Some(Outcome::Reached));
}

#[test]
fn a_fallback_in_doubt_returns_to_awaiting_until_it_is_claimed() {
    let mut story = Story::usual();
    story.falls_back_to(2);
    let doubted = |silence| Event::Doubted { silence, tries: 0 };
    for certain in [Silence::Trusted, Silence::Filled, Silence::Held { until: story.now }] {
        assert_eq!(story.ignores(doubted(certain)), Ignored::NothingNew);
    }
    let mut claimed = story.clone();
    assert_eq!(claimed.claim().ignores(doubted(Silence::Lost)), Ignored::InFlight);
    let Decision::Moved { next, rule } = story.decide(Event::Doubted { silence: Silence::Lost, tries: 3 }) else {
        panic!("it stays queued")
    };
    assert_eq!((rule, next.step, next.tries), (Rule::TakenBack, step_at(1), 3));
    assert_eq!((next.state, next.marks.ending(step_at(1))), (State::Awaiting { due: at(15 * MINUTE) }, Ending::Open));
    // The deadline is checked again, as if it had not fired.
    story.event(doubted(Silence::Lost));
    story.time_is_up();
    assert!(story.is_queued(2));
}

#[test]
fn a_fallback_not_caused_by_silence_is_not_taken_back() {
    let doubted = Event::Doubted { silence: Silence::Lost, tries: 0 };
    let mut undelivered = Story::usual();
    undelivered.submit().fail(1, Fault::Recipient);
    assert_eq!(undelivered.ignores(doubted), Ignored::Stale);
    let mut failed_since = Story::usual();
    failed_since.falls_back_to(2).fail(1, Fault::Recipient);
    assert_eq!(failed_since.ignores(doubted), Ignored::Stale);
    let mut falls_back_anyway = Story::of(plan_with(|plan| plan.after_gap = AfterGap::FallBack));
    falls_back_anyway.falls_back_to(2);
    assert_eq!(falls_back_anyway.ignores(doubted), Ignored::NothingNew);
}
