//! Rules 1 to 5: deadlines, causes of failures, success, the last step, and time limits.

use crate::base::domain::{
    Count, Ending, Fault, OnRecipientLimit, OnUnknown, Outcome, SenderPart, SkipReason, Span, State, Status,
};
use crate::rules::engine::story::{DAY, HOUR, MINUTE, START, Story, at, plan_with, step_at};
use crate::rules::engine::{Answer, AttemptReport, Event, Ignored, Rule, Silence, StepObstacle};

const LANE: Fault = Fault::Sender(SenderPart::Lane);
const TEMPLATE: Fault = Fault::Sender(SenderPart::Template);

// Rule 1: the deadline.

#[test]
fn a_deadline_runs_from_acceptance() {
    let mut story = Story::usual();
    story.at(3 * MINUTE).claim().at(4 * MINUTE).answer(Answer::Accepted);
    assert!(story.awaits_until(19 * MINUTE));
}

#[test]
fn a_deadline_is_never_early() {
    let mut story = Story::usual();
    story.submit().at(15 * MINUTE).now = at(15 * MINUTE) - Span::from_millis(1);
    assert_eq!(story.ignores(Event::Due { silence: Silence::Trusted }), Ignored::NotYet);
    assert_eq!(story.at(15 * MINUTE).time_is_up(), Rule::FellBack(Ending::Deadline));
    assert!(story.is_queued(2));
}

#[test]
fn progress_below_success_does_not_move_the_deadline() {
    let mut story = Story::usual();
    story.submit().at(14 * MINUTE).receive(1, Status::Sent);
    assert!(story.awaits_until(15 * MINUTE));
}

#[test]
fn a_step_without_fallback_after_falls_back_only_on_failure() {
    let mut silent = Story::of(plan_with(|plan| plan.steps[0].fallback_after = None));
    silent.submit();
    let mut failing = silent.clone();
    assert!(silent.awaits_until(30 * DAY));
    silent.at(30 * DAY).time_is_up();
    assert_eq!(silent.outcome(), Some(Outcome::Silent));
    failing.at(29 * DAY).fail(1, Fault::Recipient);
    assert!(failing.is_queued(2));
}

// Rule 2: the cause of a failure.

#[test]
fn success_ends_the_message() {
    let mut story = Story::usual();
    story.submit().at(MINUTE).receive(1, Status::Delivered);
    assert_eq!(story.outcome(), Some(Outcome::Reached));
    assert_eq!(story.tallies().get(step_at(1), Count::ReachedBy), 1);
}

#[test]
fn a_status_above_the_success_status_is_success() {
    let mut story = Story::usual();
    story.submit().receive(1, Status::Read);
    assert_eq!(story.outcome(), Some(Outcome::Reached));
}

#[test]
fn acceptance_is_success_if_the_step_requires_no_more() {
    let mut story = Story::of(plan_with(|plan| plan.steps[0].success = Status::Accepted));
    assert_eq!(story.claim().answer(Answer::Accepted), Rule::Reached);
    assert_eq!(story.outcome(), Some(Outcome::Reached));
}

#[test]
fn an_unknown_submission_is_not_yet_accepted() {
    let mut story = Story::of(plan_with(|plan| plan.steps[0].success = Status::Accepted));
    story.claim().answer(Answer::Unknown);
    assert_eq!(story.outcome(), None);
    story.receive(1, Status::Accepted);
    assert_eq!(story.outcome(), Some(Outcome::Reached));
}

#[test]
fn an_undelivered_step_falls_back_at_once() {
    let mut story = Story::usual();
    story.submit().at(MINUTE).fail(1, Fault::Recipient);
    assert_eq!(story.message.state, State::Queued { not_before: at(MINUTE), gives_up: None });
    assert!(story.is_queued(2));
    assert_eq!(story.tallies().get(step_at(1), Count::FellUndelivered), 1);
}

#[test]
fn a_rejected_step_falls_back_at_once() {
    let mut story = Story::usual();
    story.claim().at(1).refuse(Fault::Recipient);
    assert!(story.is_queued(2));
    assert_eq!(story.tallies().get(step_at(1), Count::FellRejected), 1);
    assert_eq!(story.tallies().get(step_at(1), Count::HandedOver), 0);
}

#[test]
fn a_refusal_because_of_the_sender_consumes_no_step() {
    for fault in [LANE, TEMPLATE] {
        let mut at_once = Story::usual();
        at_once.claim().refuse(fault);
        let mut by_receipt = Story::usual();
        by_receipt.submit().fail(1, fault);
        for story in [at_once, by_receipt] {
            assert!(story.is_queued(1));
            assert_eq!(story.message.marks, crate::base::domain::Marks::default());
            assert_eq!((story.message.first_submitted_at, story.message.accepted), (None, None));
            assert_eq!(story.tallies().get(step_at(1), Count::NeverLeft), 1);
        }
    }
}

#[test]
fn after_a_senders_fault_the_deadline_runs_from_the_new_acceptance() {
    let mut story = Story::usual();
    story.submit().at(10 * MINUTE).fail(1, TEMPLATE);
    story.at(HOUR).submit();
    assert!(story.awaits_until(HOUR + 15 * MINUTE));
}

#[test]
fn a_senders_fault_keeps_the_position_in_the_queue() {
    let mut story = Story::usual();
    story.at(MINUTE).claim().refuse(LANE);
    assert_eq!(story.message.state, State::Queued { not_before: START, gives_up: None });
}

#[test]
fn repeated_faults_of_the_sender_cause_no_fallback() {
    let mut story = Story::usual();
    for hour in 0..48 {
        story.at(hour * HOUR).claim().refuse(if hour % 2 == 0 { LANE } else { TEMPLATE });
        assert!(story.is_queued(1));
    }
}

#[test]
fn a_reported_opt_out_ends_its_step_and_no_other() {
    let mut at_once = Story::usual();
    at_once.claim().refuse(Fault::OptedOut);
    let mut by_receipt = Story::usual();
    by_receipt.submit().fail(1, Fault::OptedOut);
    let mut after_the_deadline = Story::usual();
    after_the_deadline.falls_back_to(2).fail(1, Fault::OptedOut);
    for story in [at_once, by_receipt, after_the_deadline] {
        assert!(story.is_queued(2), "{:?}", story.message);
    }
}

#[test]
fn a_step_that_its_recipient_opted_out_of_gives_way_to_the_next() {
    let mut story = Story::usual();
    assert_eq!(story.claim().answer(Answer::CannotLeave(StepObstacle::OptedOut)), Rule::FellBack(Ending::OptedOut));
    assert!(story.is_queued(2), "{:?}", story.message);
    assert_eq!(story.message.marks.ending(step_at(1)), Ending::OptedOut);
    let of = |count| story.tallies().get(step_at(1), count);
    assert_eq!((of(Count::OptedOut), of(Count::EndedOptedOut), of(Count::HandedOver)), (1, 0, 0));
    for _ in 2..=3 {
        story.claim().answer(Answer::CannotLeave(StepObstacle::OptedOut));
    }
    let State::Done { outcome, skipped, .. } = story.message.state else { panic!("{:?}", story.message) };
    assert_eq!((outcome, skipped), (Outcome::Skipped, Some(SkipReason::OptedOut)));
    assert_eq!(story.tallies().get(step_at(3), Count::EndedOptedOut), 1);
}

#[test]
fn a_submitted_step_still_counts_if_its_recipient_opted_out_of_the_others() {
    let mut story = Story::usual();
    story.falls_back_to(2).claim().answer(Answer::CannotLeave(StepObstacle::OptedOut));
    story.claim().answer(Answer::CannotLeave(StepObstacle::OptedOut));
    assert!(matches!(story.message.state, State::Awaiting { .. }), "{:?}", story.message);
    story.receive(1, Status::Delivered);
    assert_eq!(story.outcome(), Some(Outcome::Reached));
}

#[test]
fn an_opt_out_before_the_second_try_of_a_step_leaves_the_first_one() {
    let mut story = Story::of(plan_with(|plan| plan.on_unknown = OnUnknown::Resend));
    story.claim().answer(Answer::Unknown);
    story.claim().answer(Answer::CannotLeave(StepObstacle::OptedOut));
    assert!(matches!(story.message.state, State::Awaiting { .. }), "{:?}", story.message);
    assert!(story.message.marks.unknown(step_at(1)));
}

#[test]
fn a_temporary_failure_retries_the_step_at_the_named_time() {
    let mut refused = Story::usual();
    refused.claim().refuse(Fault::Temporary);
    let mut unavailable = Story::usual();
    unavailable.claim().answer(Answer::Unavailable { again: at(5) });
    let mut by_receipt = Story::usual();
    by_receipt.submit().fail(1, Fault::Temporary);
    for story in [&mut refused, &mut unavailable, &mut by_receipt] {
        assert!(story.is_queued(1));
        assert_eq!(story.message.tries, 1);
        assert_eq!(story.ignores(Event::Claimed), Ignored::NotYet);
        story.at(5).submit();
    }
}

#[test]
fn retries_stay_within_the_deadline_of_the_first_try() {
    let mut story = Story::usual();
    story.submit();
    for minute in [4, 8, 12] {
        story.at(minute * MINUTE).fail(1, Fault::Temporary);
        assert_eq!(story.due_at(), Some(at(15 * MINUTE)));
        story.at(minute * MINUTE + 5).submit();
        assert!(story.awaits_until(15 * MINUTE));
    }
    story.at(15 * MINUTE).time_is_up();
    assert!(story.is_queued(2));
}

#[test]
fn retries_end_with_the_ttl_of_the_step_from_its_first_submission() {
    let mut story = Story::of(plan_with(|plan| plan.steps[0].ttl = Some(Span::from_secs(10 * MINUTE))));
    story.at(HOUR).submit();
    for minute in [4, 8] {
        story.at(HOUR + minute * MINUTE).fail(1, Fault::Temporary);
        assert_eq!(story.due_at(), Some(at(HOUR + 10 * MINUTE)));
        story.at(HOUR + minute * MINUTE + 5).submit();
    }
    // Receipts for what was submitted may arrive until the deadline; only no further try follows.
    assert!(story.awaits_until(HOUR + 15 * MINUTE));
    assert_eq!(story.at(HOUR + 10 * MINUTE).fail(1, Fault::Temporary), Rule::FellBack(Ending::Undelivered));
    assert!(story.is_queued(2));
    // The next step's time is its own.
    assert_eq!(story.due_at(), None);
}

#[test]
fn a_recipient_at_the_providers_limit_gets_the_next_step_or_the_same_a_day_later() {
    let mut falls_back = Story::usual();
    assert_eq!(falls_back.submit().fail(1, Fault::RecipientLimit), Rule::FellBack(Ending::Undelivered));
    let retries = || {
        Story::of(plan_with(|plan| {
            plan.ttl = Some(Span::from_secs(2 * DAY + HOUR));
            plan.steps[0].on_recipient_limit = OnRecipientLimit::Retry;
        }))
    };
    let mut story = retries();
    assert_eq!(story.submit().at(MINUTE).fail(1, Fault::RecipientLimit), Rule::WaitsForRecipient);
    assert!(story.is_queued(1));
    assert_eq!(story.at(DAY).ignores(Event::Claimed), Ignored::NotYet);
    // Its deadline of a quarter of an hour runs from the later submission.
    story.at(DAY + MINUTE).submit();
    assert!(story.awaits_until(DAY + 16 * MINUTE));
    assert_eq!(story.at(DAY + 2 * MINUTE).fail(1, Fault::RecipientLimit), Rule::WaitsForRecipient);
    // On the third day there is no time for another day of waiting, but for the next step.
    story.at(2 * DAY + 2 * MINUTE).submit();
    let last = story.at(2 * DAY + 3 * MINUTE).fail(1, Fault::RecipientLimit);
    assert_eq!(last, Rule::FellBack(Ending::Undelivered));
    assert!(story.is_queued(2));

    // News of an earlier step, or of the try that failed, does not start the clock of the later submission.
    let mut second = Story::of(plan_with(|plan| {
        plan.ttl = Some(Span::from_secs(3 * DAY));
        plan.steps[0].success = Status::Read;
        plan.steps[1].on_recipient_limit = OnRecipientLimit::Retry;
    }));
    second.falls_back_to(2).submit();
    let begun = second.now;
    second.fail(2, Fault::RecipientLimit);
    second.at(HOUR).receive(1, Status::Delivered);
    second.receive(2, Status::Sent);
    second.now = begun + OnRecipientLimit::REST;
    second.submit();
    assert_eq!(second.due_at(), Some(second.now + second.plan.steps[1].fallback_after.unwrap()));

    let mut arrives = retries();
    arrives.submit().fail(1, Fault::RecipientLimit);
    assert_eq!(arrives.at(HOUR).receive(1, Status::Delivered), Rule::Reached);
    let mut cancelled = retries();
    cancelled.submit().cancel();
    assert_eq!(cancelled.fail(1, Fault::RecipientLimit), Rule::Ended(Ending::Undelivered));
}

#[test]
fn a_temporary_failure_without_time_for_a_retry_falls_back() {
    let mut queued = Story::usual();
    queued.submit().at(14 * MINUTE).fail(1, Fault::Temporary);
    queued.at(15 * MINUTE).time_is_up();
    let mut held = Story::usual();
    held.submit().at(15 * MINUTE).due(Silence::Held { until: at(16 * MINUTE) });
    held.fail(1, Fault::Temporary);
    for story in [queued, held] {
        assert!(story.is_queued(2));
        assert_eq!(story.tallies().get(step_at(1), Count::FellUndelivered), 1);
    }
}

#[test]
fn a_repeated_failure_of_an_earlier_try_does_not_send_twice() {
    let mut story = Story::usual();
    story.submit().at(MINUTE).fail(1, Fault::Temporary);
    let again =
        Event::Receipt { step: step_at(1), report: crate::rules::engine::story::failed(Fault::Temporary, story.now) };
    assert_eq!(story.ignores(again), Ignored::NothingNew);
    assert_eq!(story.at(2 * MINUTE).claim().ignores(again), Ignored::InFlight);
}

#[test]
fn receipts_only_raise_the_status() {
    let mut story = Story::of(plan_with(|plan| plan.steps[0].success = Status::Read));
    story.submit().receive(1, Status::Delivered);
    for lower in [Status::Accepted, Status::Sent, Status::Delivered] {
        let event = Event::Receipt { step: step_at(1), report: AttemptReport::Reached(lower) };
        assert_eq!(story.ignores(event), Ignored::NothingNew);
    }
    let bad_news =
        Event::Receipt { step: step_at(1), report: crate::rules::engine::story::failed(Fault::Recipient, story.now) };
    assert_eq!(story.ignores(bad_news), Ignored::NothingNew);
}

#[test]
fn a_receipt_that_overtakes_the_answer_counts_and_the_answer_does_not() {
    let answer = Event::Answered { step: step_at(1), answer: Answer::Accepted };
    let mut sent = Story::usual();
    sent.claim().at(1).receive(1, Status::Sent);
    assert!(sent.awaits_until(15 * MINUTE + 1));
    let mut delivered = Story::usual();
    delivered.claim().at(1).receive(1, Status::Delivered);
    assert_eq!(delivered.outcome(), Some(Outcome::Reached));
    let mut failed = Story::usual();
    failed.claim().at(1).fail(1, Fault::Recipient);
    assert!(failed.is_queued(2));
    for story in [&mut sent, &mut delivered, &mut failed] {
        assert_eq!(story.at(2).ignores(answer), Ignored::Stale);
        assert_eq!(story.tallies().get(step_at(1), Count::HandedOver), 1);
    }
}

// Rule 4: the last step.

#[test]
fn the_last_step_has_no_deadline() {
    let mut story = Story::of(plan_with(|plan| plan.steps[2].fallback_after = Some(Span::from_secs(60))));
    story.falls_back_to(3).submit();
    assert!(story.awaits_until(25 * MINUTE + 2 * DAY));
}

#[test]
fn the_last_step_ends_at_success_at_failure_or_with_its_window() {
    let mut last = Story::usual();
    last.falls_back_to(3).submit();
    let mut reached = last.clone();
    reached.receive(3, Status::Delivered);
    assert_eq!(reached.outcome(), Some(Outcome::Reached));
    let mut undelivered = last.clone();
    undelivered.fail(3, Fault::Recipient);
    assert_eq!(undelivered.outcome(), Some(Outcome::Undelivered));
    last.at(25 * MINUTE + 2 * DAY).time_is_up();
    assert_eq!(last.outcome(), Some(Outcome::Silent));
}

#[test]
fn a_last_step_that_is_rejected_is_undelivered() {
    let mut story = Story::usual();
    story.falls_back_to(3).claim().refuse(Fault::Recipient);
    assert_eq!(story.outcome(), Some(Outcome::Undelivered));
    assert_eq!(story.tallies().get(step_at(3), Count::FellRejected), 0, "nothing was left to fall back to");
}

#[test]
fn the_receipt_window_runs_from_acceptance() {
    let mut story = Story::of(plan_with(|plan| {
        plan.steps.truncate(1);
        plan.steps[0].receipt_window = Span::from_secs(HOUR);
    }));
    story.at(MINUTE).claim().at(2 * MINUTE).answer(Answer::Accepted);
    assert!(story.awaits_until(HOUR + 2 * MINUTE));
}

// Rule 5: TTL and end.

#[test]
fn the_ttl_runs_from_the_first_submission() {
    let mut story = Story::of(plan_with(|plan| plan.ttl = Some(Span::from_secs(20 * MINUTE))));
    story.at(HOUR).falls_back_to(2);
    assert_eq!(story.due_at(), Some(at(HOUR + 20 * MINUTE)));
}

#[test]
fn after_the_ttl_an_unsent_message_expires() {
    let mut story = Story::of(plan_with(|plan| plan.ttl = Some(Span::from_secs(20 * MINUTE))));
    story.falls_back_to(2).at(20 * MINUTE);
    assert_eq!(story.ignores(Event::Claimed), Ignored::Stale);
    assert_eq!(story.time_is_up(), Rule::Expired);
    assert_eq!(story.outcome(), Some(Outcome::Expired));
}

#[test]
fn a_deadline_after_the_ttl_causes_no_fallback() {
    let mut story = Story::of(plan_with(|plan| plan.ttl = Some(Span::from_secs(10 * MINUTE))));
    story.submit().at(15 * MINUTE).time_is_up();
    assert_eq!(story.outcome(), Some(Outcome::Expired));
}

#[test]
fn the_end_of_the_campaign_is_the_latest_first_submission() {
    let mut unsent = Story::of(plan_with(|plan| plan.end = Some(at(HOUR))));
    let mut in_time = unsent.clone();
    assert_eq!(unsent.due_at(), None, "no row stores the end, because it may change");
    unsent.at(HOUR);
    assert_eq!(unsent.ignores(Event::Claimed), Ignored::Stale);
    unsent.time_is_up();
    assert_eq!(unsent.outcome(), Some(Outcome::Expired));
    in_time.at(HOUR - 1).submit().at(HOUR + 15 * MINUTE).time_is_up();
    assert!(in_time.is_queued(2), "the end says nothing about later steps");
}

#[test]
fn the_end_also_limits_a_second_step_if_the_first_was_not_sent() {
    let mut story = Story::of(plan_with(|plan| plan.end = Some(at(HOUR))));
    story.at(HOUR - 1).claim().refuse(Fault::Recipient);
    story.at(HOUR).time_is_up();
    assert_eq!(story.outcome(), Some(Outcome::Expired));
}

#[test]
fn a_retry_does_not_outlive_the_ttl() {
    let mut story = Story::of(plan_with(|plan| plan.ttl = Some(Span::from_secs(10 * MINUTE))));
    story.submit().at(9 * MINUTE).fail(1, Fault::Temporary);
    assert_eq!(story.at(10 * MINUTE).ignores(Event::Claimed), Ignored::Stale);
    story.time_is_up();
    assert_eq!(story.outcome(), Some(Outcome::Expired));
}

// Rule 2: a refusal that the sender turns out to have caused.

#[test]
fn a_recalled_refusal_returns_its_fallback_to_the_queue() {
    let mut story = Story::usual();
    story.claim().answer(Answer::Refused { fault: Fault::Recipient, again: at(0) });
    assert!(story.is_queued(2));
    story.at(MINUTE).event(Event::RefusalRecalled { step: step_at(1), tries: 0 });
    assert!(story.is_queued(1));
    assert_eq!((story.message.tries, story.message.first_submitted_at), (1, None));
    let of = |count| story.tallies().get(step_at(1), count);
    assert_eq!((of(Count::Queued), of(Count::FellRejected), of(Count::Rejected)), (1, 0, 0));
    story.submit().receive(1, Status::Delivered);
    assert_eq!(story.outcome(), Some(Outcome::Reached));
}

#[test]
fn a_recalled_receipt_undoes_its_submission() {
    let mut story = Story::usual();
    story.submit().fail(1, Fault::Recipient);
    assert!(story.is_queued(2));
    story.event(Event::RefusalRecalled { step: step_at(1), tries: 0 });
    assert!(story.is_queued(1));
    assert_eq!((story.message.first_submitted_at, story.message.accepted), (None, None));
    let of = |count| story.tallies().get(step_at(1), count);
    assert_eq!((of(Count::HandedOver), of(Count::FellUndelivered), of(Count::Undelivered)), (0, 0, 0));
}

#[test]
fn a_refusal_is_recalled_only_for_its_step_and_before_the_claim() {
    let recall = |number| Event::RefusalRecalled { step: step_at(number), tries: 0 };
    let mut story = Story::usual();
    story.claim().answer(Answer::Refused { fault: Fault::Recipient, again: at(0) });
    assert_eq!(story.ignores(recall(2)), Ignored::Stale);
    story.claim();
    assert_eq!(story.ignores(recall(1)), Ignored::InFlight);
    story.answer(Answer::Accepted);
    assert_eq!(story.ignores(recall(1)), Ignored::Stale);
    let mut by_deadline = Story::usual();
    by_deadline.falls_back_to(2);
    assert_eq!(by_deadline.ignores(recall(1)), Ignored::Stale);
}
