//! Conditions on a step: who begins where, and what follows for whom.

use crate::domain::{Count, Countries, Ending, Fault, Marks, Outcome, Plan, SkipReason, Span, State, Status};
use crate::engine::story::{MINUTE, Story, at, failed, place, plan, plan_with};
use crate::engine::{Answer, Event, Ignored, Obstacle, Rule, Silence};

fn passing_over(plan: Plan, numbers: &[u8]) -> Story {
    let marks = numbers.iter().fold(Marks::default(), |marks, number| marks.with_passed_over(place(*number)));
    Story::passing_over(plan, marks)
}

fn skipped(story: &Story) -> Option<SkipReason> {
    match story.message.state {
        State::Done { skipped, .. } => skipped,
        State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => None,
    }
}

#[test]
fn the_plan_says_by_country_for_whom_a_step_is() {
    let [singapore, china, malaysia] = ["SG", "CN", "MY"].map(|code| code.parse().unwrap());
    let plan = plan_with(|plan| {
        plan.steps[0].countries = Countries::Only([singapore, malaysia].into());
        plan.steps[1].countries = Countries::AllBut([malaysia].into());
    });
    for (country, numbers) in [(Some(singapore), &[][..]), (Some(malaysia), &[2]), (Some(china), &[1]), (None, &[1])] {
        let marks = plan.marks_at_first(country);
        let passed_over: Vec<u8> = (1..=3).filter(|number| marks.passed_over(place(*number))).collect();
        assert_eq!(passed_over, numbers, "{country:?}");
    }
    assert_eq!(plan.named_countries().into_iter().collect::<Vec<_>>(), [malaysia, singapore]);
}

#[test]
fn a_message_begins_with_the_first_step_that_is_for_it() {
    let route = plan_with(|plan| plan.steps[1].leave_within = Some(Span::from_secs(MINUTE)));
    let mut story = passing_over(route, &[1]);
    assert!(story.is_queued(2));
    assert_eq!(story.due_at(), Some(at(MINUTE)));
    story.leave();
    assert!(story.awaits_until(10 * MINUTE));
    assert_eq!((story.tallies().get(place(1), Count::PassedOver), story.tallies().total(Count::PassedOver)), (1, 1));
}

#[test]
fn where_no_step_is_for_it_a_message_ends_before_it_begins() {
    let mut story = passing_over(plan(), &[1, 2, 3]);
    assert_eq!((story.outcome(), skipped(&story)), (Some(Outcome::Skipped), Some(SkipReason::NoStep)));
    assert_eq!(story.ignores(Event::Claimed), Ignored::Ended);
    assert_eq!(story.tallies().total(Count::SkippedNoStep), 1);
    assert!(story.tallies().is_settled());
}

#[test]
fn every_way_on_leads_past_a_step_that_is_not_for_it() {
    let deadline = |story: &mut Story| {
        story.leave().at(15 * MINUTE).time_is_up();
    };
    let undelivered = |story: &mut Story| {
        story.leave().fail(1, Fault::Recipient);
    };
    let rejected = |story: &mut Story| {
        story.claim().refuse(Fault::Recipient);
    };
    let nothing_to_say = |story: &mut Story| {
        story.claim().answer(Answer::CannotLeave(Obstacle::MissingVariable));
    };
    for goes_on in [&deadline as &dyn Fn(&mut Story), &undelivered, &rejected, &nothing_to_say] {
        let mut story = passing_over(plan(), &[2]);
        goes_on(&mut story);
        assert!(story.is_queued(3), "{:?}", story.message);
        assert_eq!(story.message.marks.ending(place(2)), Ending::Open);
    }
}

#[test]
fn the_last_step_that_is_for_it_has_no_deadline() {
    let mut story = passing_over(plan(), &[2, 3]);
    story.leave();
    assert!(story.awaits_until(30 * 24 * 60 * MINUTE));
    assert_eq!(story.tallies().total(Count::AwaitingLast), 1);
    assert_eq!(story.at(15 * MINUTE).ignores(Event::Due { silence: Silence::Trusted }), Ignored::NotYet);
    assert_eq!(story.fail(1, Fault::Recipient), Rule::Ended(Ending::Undelivered));
    assert_eq!(story.outcome(), Some(Outcome::Undelivered));
}

#[test]
fn a_late_success_recalls_to_the_step_before_that_was_for_it() {
    let mut story = passing_over(plan(), &[2]);
    story.falls_back_to(3);
    assert_eq!(story.hear(1, Status::Delivered), Rule::Recalled);
    assert_eq!((story.message.step, story.outcome()), (place(1), Some(Outcome::Reached)));
}

#[test]
fn a_receipt_for_a_step_that_is_not_for_it_is_about_nothing() {
    let mut story = passing_over(plan(), &[2]);
    story.falls_back_to(3).leave();
    for report in [crate::engine::Report::Reached(Status::Delivered), failed(Fault::Person, story.now)] {
        assert_eq!(story.ignores(Event::Receipt { step: place(2), report }), Ignored::NotBegun);
    }
}
