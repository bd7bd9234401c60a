//! Rules 8 to 10: cancels and opt-outs, silence that means nothing, steps that cannot be submitted.

use crate::base::domain::{
    AfterGap, Count, Ending, Fault, OnUnknown, Outcome, Plan, SenderPart, SkipReason, Span, State, Status,
};
use crate::rules::engine::story::{DAY, HOUR, MINUTE, Story, at, plan_with, step_at};
use crate::rules::engine::{Answer, AttemptReport, CallOff, Event, Ignored, Rule, Silence, Standing, StepObstacle};

// Rule 8: cancel. (Claims and timers handle a pause; the machine never sees it.)

#[test]
fn the_engine_submits_nothing_after_a_cancel() {
    let mut story = Story::usual();
    story.standing = Standing::Cancelled;
    assert_eq!(story.ignores(Event::Claimed), Ignored::Stale);
    let mut later = Story::usual();
    later.submit().standing = Standing::Cancelled;
    later.at(15 * MINUTE).time_is_up();
    later.fail(1, Fault::Recipient);
    assert_eq!(later.outcome(), Some(Outcome::Undelivered));
}

#[test]
fn messages_that_were_never_submitted_end_as_cancelled() {
    let mut queued = Story::usual();
    queued.cancel();
    let mut rejected = Story::usual();
    rejected.claim().refuse(Fault::Recipient);
    rejected.cancel();
    let mut undone = Story::usual();
    undone.submit().fail(1, Fault::Sender(SenderPart::Template));
    undone.cancel();
    for story in [queued, rejected, undone] {
        assert_eq!(story.outcome(), Some(Outcome::Cancelled));
    }
}

#[test]
fn a_fallback_that_is_stopped_unsent_counts_at_its_step() {
    for (stop, count) in [
        (Story::cancel as fn(&mut Story) -> Rule, Count::NotSubmittedCalledOff),
        (Story::opt_out, Count::NotSubmittedCalledOff),
        (|story| story.at(HOUR).time_is_up(), Count::NotSubmittedExpired),
    ] {
        let mut story = Story::of(plan_with(|plan| plan.ttl = Some(Span::from_secs(HOUR))));
        story.falls_back_to(2);
        assert_eq!(story.tallies().get(step_at(2), Count::ToSubmit), 1);
        stop(&mut story);
        let of_second = |count| story.tallies().get(step_at(2), count);
        assert_eq!([Count::EnteredByFallback, count, Count::ToSubmit].map(of_second), [1, 1, 0]);
    }
}

#[test]
fn a_last_step_that_could_not_be_submitted_is_no_fallback() {
    let ended = [
        (StepObstacle::CouldNotLeave, [Count::CouldNotLeave, Count::EndedCouldNotLeave]),
        (StepObstacle::OutsideWindow, [Count::OutsideWindow, Count::EndedOutsideWindow]),
        (StepObstacle::MissingVariable, [Count::MissingVariable, Count::EndedMissingVariable]),
        (StepObstacle::OptedOut, [Count::OptedOut, Count::EndedOptedOut]),
    ];
    for (obstacle, counts) in ended {
        let mut story = Story::usual();
        for number in 1..=3 {
            story.claim().answer(Answer::CannotLeave(obstacle));
            let counted = counts.map(|count| story.tallies().get(step_at(number), count));
            assert_eq!(counted, [1, i64::from(number == 3)], "{obstacle:?} at step {number}");
        }
    }
}

#[test]
fn a_claim_handed_back_after_a_cancel_ends_as_cancelled() {
    let answers = [
        Answer::NotBegun,
        Answer::Unavailable { again: at(5) },
        Answer::CannotLeave(StepObstacle::MissingVariable),
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
fn after_a_cancel_the_submitted_step_is_the_last() {
    let mut awaiting = Story::usual();
    awaiting.submit().cancel();
    let mut sending = Story::usual();
    sending.claim().cancel();
    sending.answer(Answer::Accepted);
    let mut queued = Story::usual();
    queued.falls_back_to(2).cancel();
    for mut story in [awaiting, sending, queued] {
        assert!(story.awaits_until(30 * DAY));
        assert_eq!(story.tallies().total(Count::AwaitingLast), 1);
        story.receive(1, Status::Delivered);
        assert_eq!(story.outcome(), Some(Outcome::Reached));
    }
}

#[test]
fn a_failure_after_a_cancel_is_not_retried() {
    for fault in [Fault::Temporary, Fault::Sender(SenderPart::Lane), Fault::Recipient] {
        let mut story = Story::usual();
        story.submit().cancel();
        story.fail(1, fault);
        assert_eq!(story.outcome(), Some(Outcome::Undelivered));
    }
}

#[test]
fn an_opt_out_applies_to_a_message_in_flight() {
    let mut story = Story::usual();
    story.claim().opt_out();
    story.answer(Answer::NotBegun);
    let State::Done { outcome, skipped, .. } = story.message.state else { panic!("{:?}", story.message) };
    assert_eq!((outcome, skipped), (Outcome::Skipped, Some(SkipReason::OptedOut)));
}

#[test]
fn an_opt_out_keeps_the_submitted_step_and_sends_no_other() {
    let mut story = Story::usual();
    story.submit().opt_out();
    assert_eq!(story.at(15 * MINUTE).ignores(Event::Due { silence: Silence::Trusted }), Ignored::NotYet);
    assert_eq!(story.ignores(Event::CalledOff(CallOff::OptOut)), Ignored::NothingNew);
    story.fail(1, Fault::Recipient);
    assert_eq!(story.outcome(), Some(Outcome::Undelivered));
}

// Rule 9: silence means something only while receipts can be stored.

#[test]
fn a_deadline_is_held_while_the_provider_repeats() {
    let mut story = Story::usual();
    let held = Silence::Held { until: at(16 * MINUTE) };
    story.submit().at(15 * MINUTE);
    assert_eq!(story.due(held), Rule::DeadlineHeld);
    assert_eq!(story.ignores(Event::Due { silence: held }), Ignored::NotYet);
    story.at(16 * MINUTE).time_is_up();
    assert!(story.is_queued(2));
}

#[test]
fn a_receipt_window_does_not_close_while_receipts_are_repeated() {
    let mut story = Story::usual();
    story.falls_back_to(3).submit().at(25 * MINUTE + 2 * DAY);
    assert_eq!(story.due(Silence::Held { until: at(3 * DAY) }), Rule::DeadlineHeld);
    story.receive(3, Status::Delivered);
    assert!(!story.message.marks.late());
}

#[test]
fn a_reported_failure_does_not_wait_for_the_gap() {
    let mut story = Story::usual();
    story.submit().at(15 * MINUTE).due(Silence::Lost);
    story.fail(1, Fault::Recipient);
    assert!(story.is_queued(2));
    assert!(!story.message.marks.waived());
}

#[test]
fn after_a_gap_that_lost_receipts_ask_and_wait_do_not_fall_back() {
    for after_gap in [AfterGap::Ask, AfterGap::Wait] {
        let mut story = Story::of(plan_with(|plan| plan.after_gap = after_gap));
        story.submit().at(15 * MINUTE);
        assert_eq!(story.due(Silence::Lost), Rule::DeadlineWaived);
        assert!(story.awaits_until(30 * DAY));
        story.at(30 * DAY).time_is_up();
        assert_eq!(story.outcome(), Some(Outcome::Silent));
    }
}

#[test]
fn a_waived_deadline_waits_for_the_ttl_if_that_is_sooner() {
    let mut story = Story::of(plan_with(|plan| plan.ttl = Some(Span::from_secs(DAY))));
    story.submit().at(15 * MINUTE).due(Silence::Lost);
    assert!(story.awaits_until(DAY));
    story.at(DAY).time_is_up();
    assert_eq!(story.outcome(), Some(Outcome::Expired));
}

#[test]
fn a_filled_gap_ends_the_waiver() {
    let mut story = Story::usual();
    story.submit().at(15 * MINUTE).due(Silence::Lost);
    story.at(20 * MINUTE);
    assert_eq!(story.due(Silence::Filled), Rule::FellBack(Ending::Deadline));
    story.submit().at(30 * MINUTE).time_is_up();
    assert!(story.is_queued(3), "a waiver is for one step");
}

#[test]
fn after_gap_fall_back_trusts_the_silence() {
    let mut story = Story::of(plan_with(|plan| plan.after_gap = AfterGap::FallBack));
    story.submit().at(15 * MINUTE).due(Silence::Lost);
    assert!(story.is_queued(2));
}

// Rule 10: a step that cannot be submitted.

#[test]
fn waiting_consumes_no_try() {
    let mut story = Story::usual();
    story.at(40 * DAY);
    assert_eq!(story.ignores(Event::Due { silence: Silence::Trusted }), Ignored::NotYet);
    story.claim();
    assert_eq!(story.message.tries, 0);
}

#[test]
fn leave_within_limits_the_wait() {
    let mut story = Story::of(plan_with(|plan| plan.steps[0].leave_within = Some(Span::from_secs(HOUR))));
    assert_eq!(story.due_at(), Some(at(HOUR)));
    story.at(HOUR);
    assert_eq!(story.ignores(Event::Claimed), Ignored::Stale);
    assert_eq!(story.time_is_up(), Rule::FellBack(Ending::CouldNotLeave));
    assert_eq!(story.tallies().get(step_at(1), Count::CouldNotLeave), 1);
    assert_eq!(story.due_at(), None, "the next step has its own");
}

#[test]
fn leave_within_of_a_later_step_runs_from_when_it_was_queued() {
    let mut story = Story::of(plan_with(|plan| plan.steps[1].leave_within = Some(Span::from_secs(MINUTE))));
    story.falls_back_to(2);
    assert_eq!(story.due_at(), Some(at(16 * MINUTE)));
}

#[test]
fn a_spent_tier_falls_back_at_once() {
    let mut story = Story::usual();
    let spent = Event::TierSpent { step: step_at(1) };
    assert_eq!(story.rule(spent), Rule::FellBack(Ending::CouldNotLeave));
    assert!(story.is_queued(2));
    assert_eq!(story.tallies().get(step_at(1), Count::CouldNotLeave), 1);
    assert_eq!(story.ignores(spent), Ignored::Stale, "it was the first step's tier");
}

#[test]
fn a_message_outside_its_hours_waits_for_the_next_opening() {
    let mut story = Story::usual();
    let until = at(HOUR);
    let put_off = Event::Postponed { until };
    assert_eq!(story.rule(put_off), Rule::Postponed);
    assert_eq!(story.ignores(put_off), Ignored::NothingNew);
    assert_eq!(story.ignores(Event::Claimed), Ignored::NotYet);
    story.at(HOUR).claim();
    assert!(matches!(story.message.state, State::Sending { .. }));
    assert_eq!(story.ignores(put_off), Ignored::InFlight);
}

#[test]
fn leave_within_of_a_postponed_first_step_starts_at_the_opening() {
    let with_leave_within =
        |plan: &mut Plan| plan.steps.iter_mut().for_each(|step| step.leave_within = Some(Span::from_secs(MINUTE)));
    let mut story = Story::of(plan_with(with_leave_within));
    assert_eq!(story.due_at(), Some(at(MINUTE)));
    story.rule(Event::Postponed { until: at(HOUR) });
    assert_eq!(story.due_at(), Some(at(HOUR + MINUTE)));
    // A later step has waited since it was queued.
    let mut later = Story::of(plan_with(with_leave_within));
    later.falls_back_to(2);
    later.rule(Event::Postponed { until: at(HOUR) });
    assert_eq!(later.due_at(), Some(at(16 * MINUTE)));
}

#[test]
fn hours_do_not_postpone_a_cancelled_or_late_message() {
    let put_off = Event::Postponed { until: at(HOUR) };
    let mut cancelled = Story::usual();
    cancelled.standing = Standing::Cancelled;
    assert_eq!(cancelled.rule(put_off), Rule::CalledOffPresentLast);
    let mut late = Story::of(plan_with(|plan| plan.steps[0].leave_within = Some(Span::from_secs(MINUTE))));
    assert_eq!(late.at(MINUTE).ignores(put_off), Ignored::Stale);
}

#[test]
fn a_message_without_a_later_step_waits_for_the_tier() {
    let mut story = Story::of(plan_with(|plan| plan.steps.truncate(1)));
    assert_eq!(story.ignores(Event::TierSpent { step: step_at(1) }), Ignored::NotYet);
}

#[test]
fn a_spent_tier_does_not_end_a_submission_or_its_resend() {
    let spent = Event::TierSpent { step: step_at(1) };
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
fn text_outside_the_window_is_not_submitted_and_falls_back() {
    let mut story = Story::usual();
    story.claim().answer(Answer::CannotLeave(StepObstacle::OutsideWindow));
    assert!(story.is_queued(2));
    let of = |count| story.tallies().get(step_at(1), count);
    assert_eq!((of(Count::OutsideWindow), of(Count::HandedOver)), (1, 0));
}

#[test]
fn a_last_step_that_is_not_sent_in_time_expires() {
    let mut story = Story::of(plan_with(|plan| plan.steps[2].leave_within = Some(Span::from_secs(MINUTE))));
    story.falls_back_to(3).at(26 * MINUTE).time_is_up();
    assert_eq!(story.outcome(), Some(Outcome::Expired));
}

#[test]
fn without_content_the_last_submitted_step_is_the_last() {
    for obstacle in [StepObstacle::OutsideWindow, StepObstacle::MissingVariable] {
        let mut story = Story::usual();
        story.falls_back_to(3).claim().answer(Answer::CannotLeave(obstacle));
        assert!(story.awaits_until(15 * MINUTE + 7 * DAY), "Viber's window");
        assert_eq!(story.tallies().total(Count::AwaitingLast), 1);
        let mut failed = story.clone();
        failed.fail(2, Fault::Recipient);
        assert_eq!(failed.outcome(), Some(Outcome::Undelivered));
        story.receive(2, Status::Delivered);
        assert_eq!(story.outcome(), Some(Outcome::Reached));
    }
}

#[test]
fn a_failed_step_is_not_awaited() {
    let mut story = Story::usual();
    story.falls_back_to(3).fail(2, Fault::Recipient);
    story.claim().answer(Answer::CannotLeave(StepObstacle::MissingVariable));
    assert_eq!(story.outcome(), Some(Outcome::Undelivered));
}

#[test]
fn a_message_that_no_step_can_send_is_skipped_with_the_reason() {
    let reasons = [
        (StepObstacle::MissingVariable, SkipReason::MissingVariable),
        (StepObstacle::OutsideWindow, SkipReason::OutsideWindow),
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
fn a_receipt_for_a_step_never_submitted_is_ignored() {
    let mut story = Story::usual();
    for number in [1, 2, 3] {
        let event = Event::Receipt { step: step_at(number), report: AttemptReport::Reached(Status::Delivered) };
        assert_eq!(story.ignores(event), Ignored::NotBegun);
    }
    story.falls_back_to(2);
    let event = Event::Receipt { step: step_at(2), report: AttemptReport::Reached(Status::Delivered) };
    assert_eq!(story.ignores(event), Ignored::NotBegun);
}
