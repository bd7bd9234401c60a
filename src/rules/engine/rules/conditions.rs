//! Conditions on a step: where a message begins, and which step follows.

use crate::base::domain::{Count, Countries, Ending, Fault, Marks, Outcome, Plan, SkipReason, Span, State, Status};
use crate::rules::engine::story::{MINUTE, Story, at, failed, plan, plan_with, step_at};
use crate::rules::engine::{Answer, Event, Ignored, Rule, Silence, StepObstacle};

fn passing_over(plan: Plan, numbers: &[u8]) -> Story {
    let marks = numbers.iter().fold(Marks::default(), |marks, number| marks.with_passed_over(step_at(*number)));
    Story::passing_over(plan, marks)
}

fn skipped(story: &Story) -> Option<SkipReason> {
    match story.message.state {
        State::Done { skipped, .. } => skipped,
        State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => None,
    }
}

#[test]
fn the_plan_decides_by_country_which_steps_apply() {
    let [singapore, china, malaysia] = ["SG", "CN", "MY"].map(|code| code.parse().unwrap());
    let plan = plan_with(|plan| {
        plan.steps[0].countries = Countries::Only([singapore, malaysia].into());
        plan.steps[1].countries = Countries::AllBut([malaysia].into());
    });
    for (country, numbers) in [(Some(singapore), &[][..]), (Some(malaysia), &[2]), (Some(china), &[1]), (None, &[1])] {
        let marks = plan.marks_at_first(country, None);
        let passed_over: Vec<u8> = (1..=3).filter(|number| marks.passed_over(step_at(*number))).collect();
        assert_eq!(passed_over, numbers, "{country:?}");
    }
    assert_eq!(plan.named_countries().into_iter().collect::<Vec<_>>(), [malaysia, singapore]);
}

#[test]
fn a_message_begins_with_the_first_step_that_applies() {
    let route = plan_with(|plan| plan.steps[1].leave_within = Some(Span::from_secs(MINUTE)));
    let mut story = passing_over(route, &[1]);
    assert!(story.is_queued(2));
    assert_eq!(story.due_at(), Some(at(MINUTE)));
    story.submit();
    assert!(story.awaits_until(10 * MINUTE));
    assert_eq!((story.tallies().get(step_at(1), Count::PassedOver), story.tallies().total(Count::PassedOver)), (1, 1));
}

#[test]
fn a_message_without_an_applicable_step_is_skipped() {
    let mut story = passing_over(plan(), &[1, 2, 3]);
    assert_eq!((story.outcome(), skipped(&story)), (Some(Outcome::Skipped), Some(SkipReason::NoStep)));
    assert_eq!(story.ignores(Event::Claimed), Ignored::Ended);
    assert_eq!(story.tallies().total(Count::SkippedNoStep), 1);
    assert_eq!(story.tallies().total(Count::NeverEntered), 1);
    assert!(story.tallies().is_settled());
}

#[test]
fn every_fallback_skips_a_step_that_does_not_apply() {
    let deadline = |story: &mut Story| {
        story.submit().at(15 * MINUTE).time_is_up();
    };
    let undelivered = |story: &mut Story| {
        story.submit().fail(1, Fault::Recipient);
    };
    let rejected = |story: &mut Story| {
        story.claim().refuse(Fault::Recipient);
    };
    let no_content = |story: &mut Story| {
        story.claim().answer(Answer::CannotLeave(StepObstacle::MissingVariable));
    };
    for falls_back in [&deadline as &dyn Fn(&mut Story), &undelivered, &rejected, &no_content] {
        let mut story = passing_over(plan(), &[2]);
        falls_back(&mut story);
        assert!(story.is_queued(3), "{:?}", story.message);
        assert_eq!(story.message.marks.ending(step_at(2)), Ending::Open);
    }
}

#[test]
fn the_last_step_that_applies_has_no_deadline() {
    let mut story = passing_over(plan(), &[2, 3]);
    story.submit();
    assert!(story.awaits_until(30 * 24 * 60 * MINUTE));
    assert_eq!(story.tallies().total(Count::AwaitingLast), 1);
    assert_eq!(story.at(15 * MINUTE).ignores(Event::Due { silence: Silence::Trusted }), Ignored::NotYet);
    assert_eq!(story.fail(1, Fault::Recipient), Rule::Ended(Ending::Undelivered));
    assert_eq!(story.outcome(), Some(Outcome::Undelivered));
}

#[test]
fn a_recall_returns_to_the_last_step_that_applied() {
    let mut story = passing_over(plan(), &[2]);
    story.falls_back_to(3);
    assert_eq!(story.receive(1, Status::Delivered), Rule::Recalled);
    assert_eq!((story.message.step, story.outcome()), (step_at(1), Some(Outcome::Reached)));
}

#[test]
fn a_receipt_for_a_step_that_does_not_apply_is_ignored() {
    let mut story = passing_over(plan(), &[2]);
    story.falls_back_to(3).submit();
    for report in [crate::rules::engine::AttemptReport::Reached(Status::Delivered), failed(Fault::OptedOut, story.now)]
    {
        assert_eq!(story.ignores(Event::Receipt { step: step_at(2), report }), Ignored::NotBegun);
    }
}
