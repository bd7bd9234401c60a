//! Rules 8 to 10: what is called off, when silence means nothing, what cannot leave.

use crate::domain::{
    AfterGap, Count, Ending, Fault, OnUnknown, Outcome, Plan, SenderPart, SkipReason, Span, State, Status,
};
use crate::engine::story::{DAY, HOUR, MINUTE, Story, at, place, plan_with};
use crate::engine::{Answer, CallOff, Event, Ignored, Obstacle, Report, Rule, Silence, Standing};

// Rule 8: cancel. (Pause is the claims' and the timers' business: neither comes to the machine.)

#[test]
fn after_a_cancel_nothing_leaves() {
    let mut story = Story::usual();
    story.standing = Standing::Cancelled;
    assert_eq!(story.ignores(Event::Claimed), Ignored::Stale);
    let mut later = Story::usual();
    later.leave().standing = Standing::Cancelled;
    later.at(15 * MINUTE).time_is_up();
    later.fail(1, Fault::Recipient);
    assert_eq!(later.outcome(), Some(Outcome::Undelivered));
}

#[test]
fn cancelled_is_the_outcome_of_those_never_handed_over() {
    let mut queued = Story::usual();
    queued.cancel();
    let mut rejected = Story::usual();
    rejected.claim().refuse(Fault::Recipient);
    rejected.cancel();
    let mut undone = Story::usual();
    undone.leave().fail(1, Fault::Sender(SenderPart::Template));
    undone.cancel();
    for story in [queued, rejected, undone] {
        assert_eq!(story.outcome(), Some(Outcome::Cancelled));
    }
}

#[test]
fn claimed_but_not_begun_goes_back_and_is_cancelled() {
    let answers = [
        Answer::NotBegun,
        Answer::Unavailable { again: at(5) },
        Answer::CannotLeave(Obstacle::MissingVariable),
        Answer::Refused { fault: Fault::Sender(SenderPart::Lane), again: at(5) },
    ];
    for answer in answers {
        let mut story = Story::usual();
        story.claim().standing = Standing::Cancelled;
        story.answer(answer);
        assert_eq!(story.outcome(), Some(Outcome::Cancelled));
    }
}

#[test]
fn for_the_others_the_present_step_becomes_the_last() {
    let mut awaiting = Story::usual();
    awaiting.leave().cancel();
    let mut sending = Story::usual();
    sending.claim().cancel();
    sending.answer(Answer::Accepted);
    let mut queued = Story::usual();
    queued.falls_back_to(2).cancel();
    for mut story in [awaiting, sending, queued] {
        assert!(story.awaits_until(30 * DAY));
        assert_eq!(story.tallies().total(Count::AwaitingLast), 1);
        story.hear(1, Status::Delivered);
        assert_eq!(story.outcome(), Some(Outcome::Reached));
    }
}

#[test]
fn what_comes_back_after_a_cancel_does_not_go_again() {
    for fault in [Fault::Passing, Fault::Sender(SenderPart::Lane), Fault::Recipient] {
        let mut story = Story::usual();
        story.leave().cancel();
        story.fail(1, fault);
        assert_eq!(story.outcome(), Some(Outcome::Undelivered));
    }
}

#[test]
fn an_opt_out_holds_also_for_a_message_that_is_in_flight() {
    let mut story = Story::usual();
    story.claim().opt_out();
    story.answer(Answer::NotBegun);
    let State::Done { outcome, skipped, .. } = story.message.state else { panic!("{:?}", story.message) };
    assert_eq!((outcome, skipped), (Outcome::Skipped, Some(SkipReason::OptedOut)));
}

#[test]
fn an_opt_out_lets_what_has_left_arrive_and_sends_nothing_more() {
    let mut story = Story::usual();
    story.leave().opt_out();
    assert_eq!(story.at(15 * MINUTE).ignores(Event::Due { silence: Silence::Trusted }), Ignored::NotYet);
    assert_eq!(story.ignores(Event::CalledOff(CallOff::OptOut)), Ignored::NothingNew);
    story.fail(1, Fault::Recipient);
    assert_eq!(story.outcome(), Some(Outcome::Undelivered));
}

// Rule 9: silence is only news while we listen.

#[test]
fn a_deadline_is_held_while_the_provider_repeats() {
    let mut story = Story::usual();
    let held = Silence::Held { until: at(16 * MINUTE) };
    story.leave().at(15 * MINUTE);
    assert_eq!(story.due(held), Rule::DeadlineHeld);
    assert_eq!(story.ignores(Event::Due { silence: held }), Ignored::NotYet);
    story.at(16 * MINUTE).time_is_up();
    assert!(story.is_queued(2));
}

#[test]
fn a_receipt_window_does_not_close_on_a_silence_that_is_no_news() {
    let mut story = Story::usual();
    story.falls_back_to(3).leave().at(25 * MINUTE + 2 * DAY);
    assert_eq!(story.due(Silence::Held { until: at(3 * DAY) }), Rule::DeadlineHeld);
    story.hear(3, Status::Delivered);
    assert!(!story.message.marks.late());
}

#[test]
fn a_failure_that_is_said_does_not_wait_for_the_gap() {
    let mut story = Story::usual();
    story.leave().at(15 * MINUTE).due(Silence::Lost);
    story.fail(1, Fault::Recipient);
    assert!(story.is_queued(2));
    assert!(!story.message.marks.waived());
}

#[test]
fn after_a_gap_that_lost_receipts_ask_and_wait_do_not_fall_back() {
    for after_gap in [AfterGap::Ask, AfterGap::Wait] {
        let mut story = Story::of(plan_with(|plan| plan.after_gap = after_gap));
        story.leave().at(15 * MINUTE);
        assert_eq!(story.due(Silence::Lost), Rule::DeadlineWaived);
        assert!(story.awaits_until(30 * DAY));
        story.at(30 * DAY).time_is_up();
        assert_eq!(story.outcome(), Some(Outcome::Silent));
    }
}

#[test]
fn what_cannot_be_asked_waits_for_the_ttl_where_that_is_sooner() {
    let mut story = Story::of(plan_with(|plan| plan.ttl = Some(Span::from_secs(DAY))));
    story.leave().at(15 * MINUTE).due(Silence::Lost);
    assert!(story.awaits_until(DAY));
    story.at(DAY).time_is_up();
    assert_eq!(story.outcome(), Some(Outcome::Expired));
}

#[test]
fn a_gap_that_asking_has_filled_lifts_the_waiver() {
    let mut story = Story::usual();
    story.leave().at(15 * MINUTE).due(Silence::Lost);
    story.at(20 * MINUTE);
    assert_eq!(story.due(Silence::Filled), Rule::GaveWay(Ending::Deadline));
    story.leave().at(30 * MINUTE).time_is_up();
    assert!(story.is_queued(3), "a waiver is for one step");
}

#[test]
fn fall_back_takes_the_silence_for_news() {
    let mut story = Story::of(plan_with(|plan| plan.after_gap = AfterGap::FallBack));
    story.leave().at(15 * MINUTE).due(Silence::Lost);
    assert!(story.is_queued(2));
}

// Rule 10: a step that cannot leave.

#[test]
fn waiting_consumes_nothing() {
    let mut story = Story::usual();
    story.at(40 * DAY);
    assert_eq!(story.ignores(Event::Due { silence: Silence::Trusted }), Ignored::NotYet);
    story.claim();
    assert_eq!(story.message.tries, 0);
}

#[test]
fn leave_within_bounds_the_waiting() {
    let mut story = Story::of(plan_with(|plan| plan.steps[0].leave_within = Some(Span::from_secs(HOUR))));
    assert_eq!(story.due_at(), Some(at(HOUR)));
    story.at(HOUR);
    assert_eq!(story.ignores(Event::Claimed), Ignored::Stale);
    assert_eq!(story.time_is_up(), Rule::GaveWay(Ending::CouldNotLeave));
    assert_eq!(story.tallies().get(place(1), Count::CouldNotLeave), 1);
    assert_eq!(story.due_at(), None, "the next step has its own");
}

#[test]
fn leave_within_of_a_later_step_runs_from_when_it_was_queued() {
    let mut story = Story::of(plan_with(|plan| plan.steps[1].leave_within = Some(Span::from_secs(MINUTE))));
    story.falls_back_to(2);
    assert_eq!(story.due_at(), Some(at(16 * MINUTE)));
}

#[test]
fn a_spent_tier_that_falls_back_gives_way_at_once() {
    let mut story = Story::usual();
    let spent = Event::TierSpent { step: place(1) };
    assert_eq!(story.rule(spent), Rule::GaveWay(Ending::CouldNotLeave));
    assert!(story.is_queued(2));
    assert_eq!(story.tallies().get(place(1), Count::CouldNotLeave), 1);
    assert_eq!(story.ignores(spent), Ignored::Stale, "it was the first step's tier");
}

#[test]
fn whoever_may_not_leave_at_this_hour_waits_for_the_next_and_loses_nothing() {
    let mut story = Story::usual();
    let until = at(HOUR);
    let put_off = Event::PutOff { until };
    assert_eq!(story.rule(put_off), Rule::PutOff);
    assert_eq!(story.ignores(put_off), Ignored::NothingNew);
    assert_eq!(story.ignores(Event::Claimed), Ignored::NotYet);
    story.at(HOUR).claim();
    assert!(matches!(story.message.state, State::Sending { .. }));
    assert_eq!(story.ignores(put_off), Ignored::InFlight);
}

#[test]
fn whoever_is_put_off_before_the_first_step_has_as_long_to_leave_as_everybody() {
    let impatient =
        |plan: &mut Plan| plan.steps.iter_mut().for_each(|step| step.leave_within = Some(Span::from_secs(MINUTE)));
    let mut story = Story::of(plan_with(impatient));
    assert_eq!(story.due_at(), Some(at(MINUTE)));
    story.rule(Event::PutOff { until: at(HOUR) });
    assert_eq!(story.due_at(), Some(at(HOUR + MINUTE)));
    // A later step has waited since it was queued.
    let mut later = Story::of(plan_with(impatient));
    later.falls_back_to(2);
    later.rule(Event::PutOff { until: at(HOUR) });
    assert_eq!(later.due_at(), Some(at(16 * MINUTE)));
}

#[test]
fn hours_put_nothing_off_that_is_called_off_or_out_of_time() {
    let put_off = Event::PutOff { until: at(HOUR) };
    let mut cancelled = Story::usual();
    cancelled.standing = Standing::Cancelled;
    assert_eq!(cancelled.rule(put_off), Rule::CalledOffPresentLast);
    let mut late = Story::of(plan_with(|plan| plan.steps[0].leave_within = Some(Span::from_secs(MINUTE))));
    assert_eq!(late.at(MINUTE).ignores(put_off), Ignored::Stale);
}

#[test]
fn whoever_has_no_step_to_go_on_to_waits_for_the_tier() {
    let mut story = Story::of(plan_with(|plan| plan.steps.truncate(1)));
    assert_eq!(story.ignores(Event::TierSpent { step: place(1) }), Ignored::NotYet);
}

#[test]
fn a_spent_tier_takes_nobody_out_of_a_hand_over_and_ends_no_second_try() {
    let spent = Event::TierSpent { step: place(1) };
    let mut story = Story::usual();
    assert_eq!(story.claim().ignores(spent), Ignored::InFlight);
    story.answer(Answer::Accepted);
    assert_eq!(story.ignores(spent), Ignored::Stale);
    // Its first copy may be on its way, so its deadline decides.
    let mut twice = Story::of(plan_with(|plan| plan.on_unknown = OnUnknown::Resend));
    twice.claim().answer(Answer::Unknown);
    assert_eq!(twice.rule(spent), Rule::CountedAsHandedOver);
    assert!(twice.awaits_until(15 * MINUTE));
}

#[test]
fn text_outside_the_window_is_not_handed_over_and_the_next_step_follows() {
    let mut story = Story::usual();
    story.claim().answer(Answer::CannotLeave(Obstacle::OutsideWindow));
    assert!(story.is_queued(2));
    let of = |count| story.tallies().get(place(1), count);
    assert_eq!((of(Count::OutsideWindow), of(Count::HandedOver)), (1, 0));
}

#[test]
fn a_last_step_that_runs_out_of_time_to_leave_is_expired() {
    let mut story = Story::of(plan_with(|plan| plan.steps[2].leave_within = Some(Span::from_secs(MINUTE))));
    story.falls_back_to(3).at(26 * MINUTE).time_is_up();
    assert_eq!(story.outcome(), Some(Outcome::Expired));
}

#[test]
fn where_nothing_is_left_to_say_the_step_handed_over_last_is_the_last() {
    for obstacle in [Obstacle::OutsideWindow, Obstacle::MissingVariable] {
        let mut story = Story::usual();
        story.falls_back_to(3).claim().answer(Answer::CannotLeave(obstacle));
        assert!(story.awaits_until(15 * MINUTE + 7 * DAY), "Viber's window");
        assert_eq!(story.tallies().total(Count::AwaitingLast), 1);
        let mut failed = story.clone();
        failed.fail(2, Fault::Recipient);
        assert_eq!(failed.outcome(), Some(Outcome::Undelivered));
        story.hear(2, Status::Delivered);
        assert_eq!(story.outcome(), Some(Outcome::Reached));
    }
}

#[test]
fn what_is_known_to_have_failed_is_not_waited_for() {
    let mut story = Story::usual();
    story.falls_back_to(3).fail(2, Fault::Recipient);
    story.claim().answer(Answer::CannotLeave(Obstacle::MissingVariable));
    assert_eq!(story.outcome(), Some(Outcome::Undelivered));
}

#[test]
fn who_could_be_handed_nothing_at_all_is_skipped_with_the_reason() {
    let reasons = [
        (Obstacle::MissingVariable, SkipReason::MissingVariable),
        (Obstacle::OutsideWindow, SkipReason::OutsideWindow),
    ];
    for (obstacle, reason) in reasons {
        let mut story = Story::usual();
        for _ in 0..3 {
            story.claim().answer(Answer::CannotLeave(obstacle));
        }
        let State::Done { outcome, skipped, .. } = story.message.state else { panic!("{:?}", story.message) };
        assert_eq!((outcome, skipped), (Outcome::Skipped, Some(reason)));
    }
}

#[test]
fn a_receipt_for_a_step_that_never_left_says_nothing() {
    let mut story = Story::usual();
    for number in [1, 2, 3] {
        let event = Event::Receipt { step: place(number), report: Report::Reached(Status::Delivered) };
        assert_eq!(story.ignores(event), Ignored::NotBegun);
    }
    story.falls_back_to(2);
    let event = Event::Receipt { step: place(2), report: Report::Reached(Status::Delivered) };
    assert_eq!(story.ignores(event), Ignored::NotBegun);
}
