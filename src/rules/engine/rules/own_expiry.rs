//! Rule 5 for a message with an expiry of its own, as a call of the API gives it.

use crate::base::domain::{Fault, Outcome, Span, Status};
use crate::rules::engine::story::{HOUR, MINUTE, Story, at, plan, plan_with};
use crate::rules::engine::{Event, Ignored, Rule};

#[test]
fn a_queued_message_ends_at_its_own_expiry_without_a_claim() {
    let mut story = Story::expiring(plan(), HOUR);
    assert_eq!(story.due_at(), Some(at(HOUR)), "its timer looks then");
    story.at(HOUR - 1).clone().claim();
    assert_eq!(story.at(HOUR).ignores(Event::Claimed), Ignored::Stale);
    assert_eq!(story.time_is_up(), Rule::Expired);
    assert_eq!(story.outcome(), Some(Outcome::Expired));
}

#[test]
fn the_earlier_of_plan_and_own_expiry_counts() {
    let with_ttl = || plan_with(|plan| plan.ttl = Some(Span::from_secs(20 * MINUTE)));
    let mut by_ttl = Story::expiring(with_ttl(), HOUR);
    assert_eq!(by_ttl.falls_back_to(2).due_at(), Some(at(20 * MINUTE)));
    let mut by_own = Story::expiring(with_ttl(), 18 * MINUTE);
    assert_eq!(by_own.falls_back_to(2).due_at(), Some(at(18 * MINUTE)));
    let mut by_end = Story::expiring(plan_with(|plan| plan.end = Some(at(MINUTE))), HOUR);
    by_end.at(MINUTE).time_is_up();
    assert_eq!(by_end.outcome(), Some(Outcome::Expired));
}

#[test]
fn an_expired_message_falls_back_no_more_and_a_late_success_counts() {
    let mut story = Story::expiring(plan(), 10 * MINUTE);
    assert_eq!(story.submit().at(15 * MINUTE).time_is_up(), Rule::Expired);
    assert_eq!(story.outcome(), Some(Outcome::Expired));
    assert_eq!(story.receive(1, Status::Delivered), Rule::Late);
    assert_eq!(story.outcome(), Some(Outcome::Reached));
    let mut failed = Story::expiring(plan(), 10 * MINUTE);
    failed.submit().at(11 * MINUTE).fail(1, Fault::Recipient);
    assert_eq!(failed.outcome(), Some(Outcome::Expired));
    let mut in_time = Story::expiring(plan(), 16 * MINUTE);
    assert!(in_time.falls_back_to(2).is_queued(2));
}

#[test]
fn a_retry_does_not_outlive_the_messages_own_expiry() {
    let mut story = Story::expiring(plan(), 10 * MINUTE);
    story.claim().refuse(Fault::Temporary);
    assert_eq!(story.due_at(), Some(at(10 * MINUTE)));
    story.at(5).submit().at(9 * MINUTE).fail(1, Fault::Temporary);
    assert_eq!(story.due_at(), Some(at(10 * MINUTE)));
    assert_eq!(story.at(10 * MINUTE).ignores(Event::Claimed), Ignored::Stale);
}

#[test]
fn a_message_put_off_beyond_its_own_expiry_expires() {
    let mut story = Story::expiring(plan_with(|plan| plan.steps[0].leave_within = Some(Span::from_secs(MINUTE))), HOUR);
    assert_eq!(story.due_at(), Some(at(MINUTE)));
    story.rule(Event::Postponed { until: at(2 * HOUR) });
    assert_eq!(story.due_at(), Some(at(HOUR)));
    story.at(HOUR).time_is_up();
    assert_eq!(story.outcome(), Some(Outcome::Expired));
}
