//! Rules 6 and 7: what comes late, and what is unknown.

use crate::domain::{AfterGap, Count, Ending, Fault, OnUnknown, Outcome, SenderPart, Span, State, Status};
use crate::engine::story::{DAY, HOUR, MINUTE, Story, at, place, plan_with};
use crate::engine::{Answer, Decision, Event, Ignored, Obstacle, Report, Rule, Silence, counts};

// Rule 6: late truth.

#[test]
fn success_of_an_earlier_step_recalls_a_later_one_that_is_queued() {
    let mut story = Story::usual();
    story.falls_back_to(2).at(16 * MINUTE);
    assert_eq!(story.hear(1, Status::Delivered), Rule::Recalled);
    assert_eq!(story.outcome(), Some(Outcome::Reached));
    assert_eq!(story.tallies().get(place(1), Count::FellDeadline), 0, "nothing followed from the deadline");
    assert_eq!(story.ignores(Event::Claimed), Ignored::Ended);
}

#[test]
fn a_recall_forgets_only_the_step_that_had_not_left() {
    let mut story = Story::usual();
    story.falls_back_to(2).leave().at(16 * MINUTE).fail(2, Fault::Recipient);
    assert_eq!(story.hear(1, Status::Delivered), Rule::Recalled);
    let of = |number, count| story.tallies().get(place(number), count);
    assert_eq!((of(1, Count::FellDeadline), of(2, Count::HandedOver), of(2, Count::Undelivered)), (1, 1, 1));
    assert_eq!(of(2, Count::FellUndelivered), 0);
}

#[test]
fn a_later_step_that_goes_again_has_left_and_is_not_forgotten() {
    let mut story = Story::usual();
    story.falls_back_to(2).leave().at(16 * MINUTE).fail(2, Fault::Passing);
    assert_eq!(story.hear(1, Status::Delivered), Rule::ReachedEarlier);
    assert_eq!(story.tallies().get(place(2), Count::HandedOver), 1);
    assert_eq!(story.outcome(), Some(Outcome::Reached));
}

#[test]
fn if_the_later_step_has_left_both_are_kept_and_two_successes_are_delivered_twice() {
    let mut story = Story::usual();
    story.falls_back_to(2).leave().at(16 * MINUTE);
    assert_eq!(story.hear(1, Status::Delivered), Rule::ReachedEarlier);
    assert_eq!(story.tallies().get(place(1), Count::FellDeadline), 1, "the fallback has happened");
    assert_eq!(story.tallies().total(Count::DeliveredTwice), 0, "one success is not two");
    assert_eq!(story.hear(2, Status::Delivered), Rule::DeliveredTwice);
    assert_eq!(story.tallies().total(Count::DeliveredTwice), 1);
    assert_eq!(story.tallies().get(place(1), Count::ReachedBy), 1);
    assert_eq!(story.outcome(), Some(Outcome::Reached));
}

#[test]
fn an_earlier_success_after_the_later_one_is_delivered_twice() {
    let mut story = Story::usual();
    story.falls_back_to(2).leave().hear(2, Status::Delivered);
    assert_eq!(story.hear(1, Status::Delivered), Rule::DeliveredTwice);
    assert_eq!(story.hear(1, Status::Read), Rule::Progressed);
    let of = |number, count| story.tallies().get(place(number), count);
    assert_eq!((of(1, Count::ReachedBy), of(2, Count::ReachedBy), of(1, Count::FellDeadline)), (0, 1, 1));
}

#[test]
fn a_success_while_a_later_step_is_in_flight_waits_for_the_answer() {
    let mut sending = Story::usual();
    sending.falls_back_to(2).claim().hear(1, Status::Delivered);
    assert!(matches!(sending.message.state, State::Sending { .. }));
    for answer in [Answer::Accepted, Answer::Unknown] {
        let mut left = sending.clone();
        left.answer(answer);
        assert_eq!(left.outcome(), Some(Outcome::Reached));
        assert_eq!(left.tallies().get(place(2), Count::HandedOver), 1);
    }
    for answer in [Answer::NotBegun, Answer::Unavailable { again: at(HOUR) }] {
        let mut stayed = sending.clone();
        assert_eq!(stayed.answer(answer), Rule::Recalled);
        assert_eq!(stayed.tallies().get(place(1), Count::FellDeadline), 0);
    }
    assert_eq!(sending.refuse(Fault::Person), Rule::ReachedEarlier);
    assert_eq!(sending.outcome(), Some(Outcome::Reached), "a later refusal does not undo an arrival");
}

#[test]
fn a_success_after_the_end_turns_it_into_reached_and_counts_as_late() {
    let last = || {
        let mut story = Story::of(plan_with(|plan| plan.ttl = Some(Span::from_secs(DAY))));
        story.falls_back_to(3);
        story
    };
    let mut undelivered = last();
    undelivered.leave().fail(3, Fault::Recipient);
    let mut silent = last();
    silent.leave().at(3 * DAY).time_is_up();
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
        assert_eq!(story.hear(number, Status::Delivered), Rule::Late);
        assert_eq!(story.outcome(), Some(Outcome::Reached));
        assert_eq!((story.tallies().total(Count::Late), story.tallies().done()), (1, 1));
    }
}

#[test]
fn what_failed_and_arrived_after_all_is_reached_however_little_was_asked_for() {
    for success in [Status::Accepted, Status::Sent, Status::Delivered] {
        let mut story = Story::of(plan_with(|plan| plan.steps[2].success = success));
        // The answer is lost, so that bad news tells first that it had been taken.
        story.falls_back_to(3).claim().answer(Answer::Unknown);
        story.fail(3, Fault::Recipient);
        assert_eq!(story.outcome(), Some(Outcome::Undelivered), "{success}");
        assert_eq!(story.hear(3, Status::Delivered), Rule::Late, "{success}");
        assert_eq!(story.outcome(), Some(Outcome::Reached), "{success}");
    }
}

#[test]
fn reached_never_goes_back() {
    let mut story = Story::usual();
    story.falls_back_to(2).leave().hear(2, Status::Delivered);
    for number in [1, 2] {
        for fault in [Fault::Recipient, Fault::Person, Fault::Passing, Fault::Sender(SenderPart::Lane)] {
            let report = crate::engine::story::failed(fault, story.now);
            story.event(Event::Receipt { step: place(number), report });
            assert_eq!(story.outcome(), Some(Outcome::Reached));
        }
    }
}

#[test]
fn a_late_failure_of_a_step_that_gave_way_is_counted_and_decides_nothing() {
    let mut story = Story::usual();
    story.falls_back_to(2).leave().at(20 * MINUTE);
    assert_eq!(story.fail(1, Fault::Recipient), Rule::Noted);
    let of = |count| story.tallies().get(place(1), count);
    assert_eq!((of(Count::Undelivered), of(Count::FellDeadline), of(Count::FellUndelivered)), (1, 1, 0));
    assert!(story.awaits_until(25 * MINUTE));
}

// Rule 7: unknown is not failed.

#[test]
fn an_unknown_hand_over_counts_as_accepted_at_its_intent() {
    let mut story = Story::usual();
    story.claim().at(5 * MINUTE).answer(Answer::Unknown);
    assert!(story.awaits_until(15 * MINUTE));
    assert_eq!(story.message.first_left, Some(at(0)));
    assert_eq!(story.tallies().get(place(1), Count::HandedOver), 1);
}

#[test]
fn a_receipt_adopts_an_unknown_hand_over_and_its_deadline_stays() {
    let mut story = Story::usual();
    story.claim().answer(Answer::Unknown);
    assert_eq!(story.tallies().total(Count::Unknown), 1);
    assert_eq!(story.at(MINUTE).hear(1, Status::Sent), Rule::Adopted);
    assert_eq!(story.tallies().total(Count::Unknown), 0);
    assert!(story.awaits_until(15 * MINUTE));
}

#[test]
fn an_unknown_hand_over_falls_back_as_ever_and_stays_in_the_report() {
    let mut story = Story::usual();
    story.claim().answer(Answer::Unknown);
    story.at(15 * MINUTE).time_is_up();
    assert!(story.is_queued(2));
    story.leave().hear(2, Status::Delivered);
    assert_eq!(story.tallies().get(place(1), Count::Unknown), 1);
    assert_eq!(story.fail(1, Fault::Recipient), Rule::Adopted);
    assert_eq!(story.tallies().get(place(1), Count::Unknown), 0);
}

#[test]
fn on_a_last_step_it_ends_as_unknown_with_its_window() {
    let mut story = Story::usual();
    story.falls_back_to(3).claim().answer(Answer::Unknown);
    story.at(25 * MINUTE + 2 * DAY).time_is_up();
    assert_eq!(story.outcome(), Some(Outcome::Unknown));
}

#[test]
fn an_unknown_hand_over_is_not_sent_again_by_itself() {
    let mut story = Story::usual();
    story.claim().answer(Answer::Unknown);
    assert_eq!(story.ignores(Event::Claimed), Ignored::Stale);
}

#[test]
fn resend_sends_it_once_more_and_only_once() {
    let mut story = Story::of(plan_with(|plan| plan.on_unknown = OnUnknown::Resend));
    assert_eq!(story.claim().at(1).answer(Answer::Unknown), Rule::Resent);
    assert!(story.is_queued(1));
    assert_eq!(story.tallies().get(place(1), Count::Unknown), 1, "the first copy is as unknown as before");
    assert_eq!(story.at(2).claim().answer(Answer::Unknown), Rule::CountedAsHandedOver);
}

#[test]
fn nothing_is_resent_once_it_is_called_off() {
    let mut story = Story::of(plan_with(|plan| plan.on_unknown = OnUnknown::Resend));
    story.claim().opt_out();
    assert_eq!(story.answer(Answer::Unknown), Rule::CountedAsHandedOver);
}

#[test]
fn a_resend_that_a_receipt_makes_needless_is_taken_back() {
    let mut story = Story::of(plan_with(|plan| plan.on_unknown = OnUnknown::Resend));
    story.claim().answer(Answer::Unknown);
    assert_eq!(story.at(MINUTE).hear(1, Status::Sent), Rule::Adopted);
    assert!(story.awaits_until(15 * MINUTE));
}

/// Its first copy is unknown, and the second one is being handed over when somebody tells of one of them.
fn told_of_while_it_goes_again() -> Story {
    let mut story = Story::of(plan_with(|plan| plan.on_unknown = OnUnknown::Resend));
    story.claim().answer(Answer::Unknown);
    // It waited for longer than its deadline, and must not fall back in the moment in which it leaves.
    assert_eq!(story.at(HOUR).claim().hear(1, Status::Sent), Rule::Adopted);
    assert!(matches!(story.message.state, State::Sending { .. }), "which copy that was, the answer tells");
    story
}

#[test]
fn a_resend_that_is_leaving_waits_from_then_on_whichever_copy_a_receipt_is_of() {
    let mut story = told_of_while_it_goes_again();
    assert_eq!(story.answer(Answer::Accepted), Rule::HandedOver);
    assert!(story.awaits_until(HOUR + 15 * MINUTE));
    let mut story = told_of_while_it_goes_again();
    assert_eq!(story.answer(Answer::Unknown), Rule::CountedAsHandedOver);
    assert!(story.awaits_until(HOUR + 15 * MINUTE) && !story.message.marks.unknown(place(1)), "one is known to live");
}

#[test]
fn a_resend_of_which_nothing_comes_does_not_go_again_where_the_first_copy_is_known_to_live() {
    let again = at(HOUR + MINUTE);
    for answer in [
        Answer::NotBegun,
        Answer::Unavailable { again },
        Answer::Refused { fault: Fault::Passing, again },
        Answer::Refused { fault: Fault::Sender(SenderPart::Lane), again },
        Answer::CannotLeave(Obstacle::CouldNotLeave),
    ] {
        let mut story = told_of_while_it_goes_again();
        story.answer(answer);
        assert!(story.awaits_until(15 * MINUTE), "{answer:?}: {:?}", story.message);
    }
}

#[test]
fn news_of_an_earlier_try_counts_where_it_is_good_and_decides_nothing_where_it_is_bad() {
    let plan = plan_with(|plan| plan.on_unknown = OnUnknown::Resend);
    let success = plan.steps[0].success;
    let (accepted, delivered) = (Report::Reached(Status::Accepted), Report::Reached(success));
    let bad = Report::Failed { fault: Fault::Recipient, again: at(0) };
    let count = |story: &Story, told, latest| {
        [accepted, delivered, bad].map(|report| counts(&story.message, place(1), [told, latest], report, success))
    };
    let mut story = Story::of(plan.clone());
    story.leave().at(1).fail(1, Fault::Sender(SenderPart::Lane));
    assert!(!counts(&story.message, place(1), [0, 0], accepted, success), "undone, and waits to go again");
    story.claim();
    assert_eq!(count(&story, 0, 1), [false, true, false], "the next one is on its way");
    story.answer(Answer::Accepted);
    assert_eq!((count(&story, 0, 1), count(&story, 1, 1)), ([true, true, false], [true; 3]));

    let mut story = Story::of(plan);
    story.claim().answer(Answer::Unknown);
    assert_eq!(count(&story, 0, 0), [true; 3], "then it need not go again");
}

#[test]
fn a_resend_that_cannot_leave_falls_back_on_the_first_copy() {
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

// What storms hardly ever meet: news that come while the message has gone on.

#[test]
fn what_goes_again_heeds_an_answer_about_its_silence_only_once_its_time_is_up() {
    let mut story = Story::usual();
    story.leave().at(1).fail(1, Fault::Passing);
    assert_eq!(story.ignores(Event::Due { silence: Silence::Filled }), Ignored::NotYet);
    assert_eq!(story.at(15 * MINUTE).due(Silence::Filled), Rule::GaveWay(Ending::Undelivered));
    assert!(story.is_queued(2));
}

#[test]
fn the_answer_of_a_step_that_a_receipt_has_ended_says_nothing_of_the_one_that_leaves() {
    let mut story = Story::usual();
    // Bad news came before the answer to the request that it is about.
    story.claim().fail(1, Fault::Recipient);
    story.at(1).claim();
    for answer in [Answer::Accepted, Answer::Unknown, Answer::NotBegun] {
        assert_eq!(story.ignores(Event::Answered { step: place(1), answer }), Ignored::Stale);
    }
    assert_eq!(story.answer(Answer::Accepted), Rule::HandedOver);
    assert_eq!(story.message.step, place(2));
}

#[test]
fn what_is_wrong_at_the_sender_on_an_earlier_step_does_not_stop_the_one_that_leaves() {
    for part in [SenderPart::Template, SenderPart::Step, SenderPart::Lane] {
        let mut story = Story::usual();
        story.falls_back_to(2).claim();
        assert_eq!(story.fail(1, Fault::Sender(part)), Rule::Noted, "{part:?}");
        assert!(matches!(story.message.state, State::Sending { .. }), "{part:?}");
        assert_eq!(story.answer(Answer::Accepted), Rule::HandedOver, "{part:?}");
        assert!(story.message.marks.failed(place(1)), "{part:?}");
    }
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
    assert_eq!((rule, next.step, next.tries), (Rule::TakenBack, place(1), 3));
    assert_eq!((next.state, next.marks.ending(place(1))), (State::Awaiting { due: at(15 * MINUTE) }, Ending::Open));
    // Its deadline decides anew, as if it had not fired.
    story.event(doubted(Silence::Lost));
    story.time_is_up();
    assert!(story.is_queued(2));
}

#[test]
fn a_fallback_for_another_reason_than_silence_is_not_taken_back() {
    let doubted = Event::Doubted { silence: Silence::Lost, tries: 0 };
    let mut undelivered = Story::usual();
    undelivered.leave().fail(1, Fault::Recipient);
    assert_eq!(undelivered.ignores(doubted), Ignored::Stale);
    let mut told_since = Story::usual();
    told_since.falls_back_to(2).fail(1, Fault::Recipient);
    assert_eq!(told_since.ignores(doubted), Ignored::Stale);
    let mut falls_back_anyway = Story::of(plan_with(|plan| plan.after_gap = AfterGap::FallBack));
    falls_back_anyway.falls_back_to(2);
    assert_eq!(falls_back_anyway.ignores(doubted), Ignored::NothingNew);
}
