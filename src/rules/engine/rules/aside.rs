//! Rule 2 for refusals without a known code: another message tests the lane, and a message that alone is refused twice is
//! set aside.

use crate::base::domain::{Count, Outcome, Refused, Span, Status, StepIndex};
use crate::rules::engine::story::{DAY, HOUR, MINUTE, START, Story, at, plan, plan_with, step_at};
use crate::rules::engine::{Answer, Event, Ignored, Rule, Silence};

/// Another message was accepted after the first step was refused.
const ALONE: Event = Event::RefusedAlone { step: StepIndex::FIRST };

#[test]
fn a_refusal_without_a_known_code_moves_the_message_to_the_end() {
    let mut story = Story::usual();
    assert_eq!(story.claim().answer(Answer::Unclear { again: at(8) }), Rule::MovedToEnd);
    assert_eq!((story.message.not_before(), story.message.refused), (Some(at(8)), Refused::Once));
    assert_eq!(story.at(7).ignores(Event::Claimed), Ignored::NotYet);
    story.at(8).submit();
    assert_eq!(story.message.refused, Refused::Never, "its acceptance ends the doubt");
}

#[test]
fn a_refusal_that_is_recorded_late_moves_the_message_to_the_end_of_then() {
    let mut story = Story::usual();
    // The sender named a time, and the disk stalled until after it.
    assert_eq!(story.claim().at(30).answer(Answer::Unclear { again: at(8) }), Rule::MovedToEnd);
    assert_eq!(story.message.not_before(), Some(at(30)), "the audit knows only when it was recorded");
}

#[test]
fn only_a_refusal_after_another_acceptance_sets_a_message_aside() {
    let mut story = Story::usual();
    story.claim().answer(Answer::Unclear { again: START });
    story.claim().answer(Answer::Unclear { again: START });
    assert_eq!(story.message.refused, Refused::Once, "the sender may be the cause of both");
    assert_eq!(story.refused_alone(), Rule::RefusedAlone);
    assert_eq!(story.ignores(ALONE), Ignored::NothingNew, "one refusal is proven once");
    story.claim().answer(Answer::Unclear { again: START });
    assert_eq!(story.refused_alone(), Rule::SetAside);
    assert_eq!(story.ignores(Event::Claimed), Ignored::Stale);
    assert_eq!((story.tallies().total(Count::Queued), story.tallies().total(Count::SetAside)), (0, 1));
    assert!(story.tallies().is_finished() && !story.tallies().is_settled());
}

#[test]
fn no_fallback_follows_from_a_message_that_is_set_aside() {
    let mut story = Story::of(plan_with(|plan| plan.steps[0].leave_within = Some(Span::from_secs(HOUR))));
    assert_eq!(story.is_set_aside(0).due_at(), None);
    assert_eq!(story.at(DAY).ignores(Event::Due { silence: Silence::Trusted }), Ignored::NotYet);
    assert_eq!(story.rule(Event::Released), Rule::Released);
    assert_eq!(story.due_at(), Some(at(DAY + HOUR)), "its time for submission restarts");
    story.submit();
}

#[test]
fn ttl_end_and_cancel_end_a_message_that_is_set_aside() {
    let mut by_end = Story::of(plan_with(|plan| plan.end = Some(at(HOUR))));
    by_end.is_set_aside(0).at(HOUR).time_is_up();
    assert_eq!(by_end.outcome(), Some(Outcome::Expired));
    let mut by_ttl = Story::of(plan_with(|plan| plan.ttl = Some(Span::from_secs(HOUR))));
    assert_eq!(by_ttl.falls_back_to(2).is_set_aside(16 * MINUTE).due_at(), Some(at(HOUR)));
    assert_eq!(by_ttl.at(HOUR).time_is_up(), Rule::Expired);
    let mut by_own = Story::expiring(plan(), HOUR);
    assert_eq!(by_own.is_set_aside(0).due_at(), Some(at(HOUR)));
    let mut cancelled = Story::usual();
    assert_eq!(cancelled.is_set_aside(0).cancel(), Rule::CalledOffUnsent);
    assert_eq!(cancelled.outcome(), Some(Outcome::Cancelled));
}

#[test]
fn a_success_of_the_step_before_ends_a_message_that_is_set_aside() {
    let mut story = Story::usual();
    story.falls_back_to(2).is_set_aside(16 * MINUTE).receive(1, Status::Delivered);
    assert_eq!((story.outcome(), story.message.refused), (Some(Outcome::Reached), Refused::Never));
}

#[test]
fn a_proof_about_an_earlier_step_changes_nothing() {
    let mut story = Story::usual();
    story.falls_back_to(2).claim().answer(Answer::Unclear { again: START });
    assert_eq!(story.ignores(ALONE), Ignored::Stale);
    assert_eq!(story.rule(Event::RefusedAlone { step: step_at(2) }), Rule::RefusedAlone);
    story.claim();
    assert_eq!(story.ignores(Event::RefusedAlone { step: step_at(2) }), Ignored::InFlight);
}
