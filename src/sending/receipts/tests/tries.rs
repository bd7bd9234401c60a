//! Retried steps: which try a receipt is about, and what that means for the next try.

use super::*;
use crate::base::domain::{OnUnknown, OptOutOf};
use crate::rules::engine::Silence;

impl Desk {
    /// Fires the message's timer, as the node does.
    async fn run_timer(&self) {
        let (row, now) = (self.message().await, self.clock.now());
        let entry = self.book.get(self.key.batch).await.unwrap().unwrap();
        let event = Event::Due { silence: Silence::Trusted };
        let fact = entry.not_submitted(&row, Verdict::CouldNotLeave, now).unwrap();
        let change = entry.decide(&row, event, now).unwrap().told_by(fact);
        assert!(self.store.record(vec![change]).await.unwrap().is_empty());
    }

    /// Claims a second try, after the first one was accepted and then throttled.
    async fn second_try(&self) -> Loaded {
        let first = self.claim().await;
        self.answer(&first, "first").await;
        self.receive("first", "undelivered", Some(50)).await;
        self.wait(60);
        let second = self.claim().await;
        assert_eq!(second.present.tries, 1);
        second
    }

    /// The try of each receipt on disk, in the order of arrival.
    async fn tries_of_receipts(&self) -> Vec<Option<u16>> {
        self.store.receipts(self.key).await.unwrap().iter().map(|receipt| receipt.tries).collect()
    }
}

#[tokio::test]
async fn throttling_receipts_are_reported_and_other_failures_are_not() {
    let desk = Desk::new().await;
    let claimed = desk.claim().await;
    let begun = desk.clock.now();
    desk.answer(&claimed, "first").await;
    desk.wait(5);
    for _ in 0..2 {
        desk.receive("first", "undelivered", Some(50)).await;
    }
    let report = Throttled { lane: "vb".to_owned(), begun, reason: "throttled" };
    assert_eq!(*desk.throttled.lock(), [report]);
    desk.wait(60);
    let second = desk.claim().await;
    desk.answer(&second, "second").await;
    desk.receive("second", "undelivered", Some(40)).await;
    assert_eq!(desk.throttled.lock().len(), 1, "a temporary failure, but no throttling");
}

#[tokio::test]
async fn a_failure_of_a_second_try_that_overtakes_its_answer_waits() {
    let mut desk = Desk::new().await;
    let second = desk.second_try().await;
    desk.receive("second", "undelivered", Some(2_008)).await;
    assert!(matches!(desk.message().await.present.state, State::Sending { .. }));
    assert_eq!(desk.strays().await, 1);
    // Until the answer is recorded, the stray stays and is not duplicated.
    desk.applier.retry_strays().await.unwrap();
    desk.applier.retry_strays().await.unwrap();
    assert_eq!((desk.strays().await, desk.message().await.present.step), (1, StepIndex::FIRST));
    desk.answer(&second, "second").await;
    desk.wait(1);
    desk.applier.retry_strays().await.unwrap();
    let message = desk.message().await;
    assert_eq!((message.present.step, desk.strays().await), (StepIndex::new(1).unwrap(), 0), "{message:?}");
    assert_eq!(desk.store.receipts(desk.key).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_repeated_receipt_of_a_refused_try_does_not_change_an_expired_message() {
    let mut plan = plan();
    plan.steps.truncate(1);
    plan.steps[0].leave_within = Some(Span::from_secs(30));
    let desk = Desk::of(plan).await;
    let first = desk.claim().await;
    desk.answer(&first, "first").await;
    desk.receive("first", "sent", None).await;
    // No credit is the sender's fault, so the message waits to be resent.
    desk.receive("first", "undelivered", Some(42)).await;
    assert!(matches!(desk.message().await.present.state, State::Queued { .. }));
    desk.wait(31);
    desk.run_timer().await;
    let ended = desk.message().await.present;
    assert_eq!(ended.outcome(), Some(Outcome::Expired));
    desk.receive("first", "sent", None).await;
    desk.receive("first", "undelivered", Some(42)).await;
    assert_eq!(desk.message().await.present, ended);
}

#[tokio::test]
async fn a_failure_after_a_success_that_overtook_the_answer_waits() {
    let mut desk = Desk::new().await;
    let second = desk.second_try().await;
    desk.receive("second", "sent", None).await;
    desk.receive("second", "undelivered", Some(2_008)).await;
    assert_eq!((desk.strays().await, desk.message().await.present.step), (1, StepIndex::FIRST));
    desk.answer(&second, "second").await;
    desk.applier.retry_strays().await.unwrap();
    assert_eq!((desk.strays().await, desk.message().await.present.step), (0, StepIndex::new(1).unwrap()));
}

#[tokio::test]
async fn a_failure_of_an_earlier_try_decides_nothing_about_the_next() {
    let desk = Desk::new().await;
    let second = desk.second_try().await;
    // Another code for the try that has failed already, before and after the second one is answered.
    desk.receive("first", "undelivered", Some(2_008)).await;
    assert!(matches!(desk.message().await.present.state, State::Sending { .. }));
    desk.answer(&second, "second").await;
    desk.receive("first", "undelivered", Some(7)).await;
    let message = desk.message().await;
    assert!(matches!(message.present.state, State::Awaiting { .. }), "{message:?}");
    assert_eq!((message.present.step, desk.strays().await), (StepIndex::FIRST, 0));
}

#[tokio::test]
async fn an_opt_out_counts_whichever_try_it_was_reported_for() {
    let desk = Desk::new().await;
    let second = desk.second_try().await;
    desk.answer(&second, "second").await;
    desk.receive("first", "undelivered", Some(1_051)).await;
    let message = desk.message().await;
    assert!(matches!(message.present.state, State::Awaiting { .. }), "the second try is in flight: {message:?}");
    assert_eq!(desk.opted_out_of().await, [OptOutOf::Marketing]);
}

#[tokio::test]
async fn receipts_of_a_refused_submission_say_nothing_about_the_next() {
    const MAY_NOT_SEND: Option<i64> = Some(2_010);
    let desk = Desk::new().await;
    desk.answer(&desk.claim().await, "first").await;
    desk.receive("first", "undelivered", MAY_NOT_SEND).await;
    desk.wait(60);
    desk.receive("first", "queued", None).await;
    assert!(matches!(desk.message().await.present.state, State::Queued { .. }), "it still waits to be resent");
    let claimed = desk.claim().await;
    desk.receive("first", "sent", None).await;
    assert!(matches!(desk.message().await.present.state, State::Sending { .. }), "nothing is known about this try yet");
    desk.answer(&claimed, "second").await;
    desk.receive("first", "delivered", None).await;
    assert_eq!(desk.message().await.present.outcome(), Some(Outcome::Reached), "it arrived, whichever try it was");
}

#[tokio::test]
async fn a_receipt_with_only_the_umid_of_an_earlier_try_is_ours() {
    let desk = Desk::new().await;
    let second = desk.second_try().await;
    desk.answer(&second, "second").await;
    desk.wait(1);
    desk.receive_as(None, "first", "undelivered", Some(7)).await;
    assert!(matches!(desk.message().await.present.state, State::Awaiting { .. }));
    desk.wait(1);
    desk.receive_as(None, "first", "delivered", None).await;
    let message = desk.message().await.present;
    assert_eq!((message.outcome(), desk.strays().await), (Some(Outcome::Reached), 0), "{message:?}");
    assert_eq!(desk.tries_of_receipts().await, [Some(0), Some(0), None], "for a delivery the try makes no difference");
    let umids: Vec<_> =
        desk.store.attempts(vec![desk.key]).await.unwrap().concat().into_iter().map(|fact| fact.umid).collect();
    assert_eq!(umids, ["first", "second"].map(|umid| Some(Umid::new(umid))));
}

#[tokio::test]
async fn a_failure_of_an_earlier_try_of_an_earlier_step_is_not_its_last() {
    let desk = Desk::new().await;
    let second = desk.second_try().await;
    desk.answer(&second, "second").await;
    let before = desk.message().await;
    let entry = desk.book.get(desk.key.batch).await.unwrap().unwrap();
    desk.wait(1_000);
    let event = Event::Due { silence: Silence::Trusted };
    let change = entry.decide(&before, event, desk.clock.now()).unwrap();
    assert!(desk.store.record(vec![change]).await.unwrap().is_empty());
    desk.receive("first", "undelivered", Some(7)).await;
    assert!(!desk.message().await.present.marks.failed(StepIndex::FIRST), "the second try has no receipt yet");
    desk.wait(1);
    desk.receive("second", "undelivered", Some(7)).await;
    assert!(desk.message().await.present.marks.failed(StepIndex::FIRST));
    assert_eq!(desk.tries_of_receipts().await, [Some(0), Some(0), Some(1)]);
}

/// A server on another copy of the database submitted it under the same id, before this copy was restored.
#[tokio::test]
async fn a_receipt_with_our_id_and_a_foreign_umid_is_a_stray() {
    let mut desk = Desk::new().await;
    desk.answer(&desk.claim().await, "ours").await;
    for (state, code) in [("undelivered", Some(2_008)), ("delivered", None)] {
        desk.receive("another", state, code).await;
        desk.wait(1);
    }
    for _ in 0..2 {
        desk.applier.retry_strays().await.unwrap();
    }
    let message = desk.message().await.present;
    assert!(matches!(message.state, State::Awaiting { .. }) && message.step == StepIndex::FIRST, "{message:?}");
    assert_eq!((desk.strays().await, desk.tries_of_receipts().await.len()), (2, 0));
    desk.receive("ours", "delivered", None).await;
    assert_eq!(desk.message().await.present.outcome(), Some(Outcome::Reached));
    desk.wait(1);
    desk.receive("another", "read", None).await;
    assert_eq!((desk.strays().await, desk.tries_of_receipts().await.len()), (3, 1));
}

/// The first copy is unknown, and the route says to resend.
async fn unknown_and_resent() -> Desk {
    let desk = Desk::of(Plan { on_unknown: OnUnknown::Resend, ..plan() }).await;
    let first = desk.claim().await;
    desk.settle(&first, Answer::Unknown, Some((Verdict::Unknown, None))).await;
    desk.wait(1);
    desk
}

impl Desk {
    async fn umids(&self) -> Vec<Option<Umid>> {
        self.store.attempts(vec![self.key]).await.unwrap().concat().into_iter().map(|fact| fact.umid).collect()
    }
}

#[tokio::test]
async fn a_receipt_of_the_first_copy_that_cancels_a_resend_decides() {
    let desk = unknown_and_resent().await;
    desk.receive("first", "sent", None).await;
    assert!(matches!(desk.message().await.present.state, State::Awaiting { .. }));
    assert_eq!(desk.umids().await, [Some(Umid::new("first"))]);
    desk.receive("first", "undelivered", Some(2_008)).await;
    assert_eq!((desk.message().await.present.step, desk.strays().await), (StepIndex::new(1).unwrap(), 0));
}

/// The first copy was sent and failed while the second one is being submitted.
async fn first_copy_failed_meanwhile() -> (Desk, Loaded) {
    let desk = unknown_and_resent().await;
    let second = desk.claim().await;
    desk.receive("first", "sent", None).await;
    assert!(matches!(desk.message().await.present.state, State::Sending { .. }), "the second one may be in flight");
    desk.receive("first", "undelivered", Some(2_008)).await;
    assert_eq!(desk.strays().await, 1, "the failure waits for the second one's answer");
    (desk, second)
}

#[tokio::test]
async fn the_first_copy_decides_if_the_second_was_not_submitted() {
    let (mut desk, second) = first_copy_failed_meanwhile().await;
    desk.settle(&second, Answer::NotBegun, None).await;
    assert!(matches!(desk.message().await.present.state, State::Awaiting { .. }), "nothing has to be resent");
    desk.applier.retry_strays().await.unwrap();
    assert_eq!((desk.message().await.present.step, desk.strays().await), (StepIndex::new(1).unwrap(), 0));
}

#[tokio::test]
async fn a_failure_of_the_first_copy_is_ignored_if_the_second_was_accepted() {
    let (mut desk, second) = first_copy_failed_meanwhile().await;
    desk.answer(&second, "second").await;
    desk.applier.retry_strays().await.unwrap();
    let message = desk.message().await.present;
    assert!(matches!(message.state, State::Awaiting { .. }) && message.step == StepIndex::FIRST, "{message:?}");
    assert_eq!(desk.umids().await, ["first", "second"].map(|umid| Some(Umid::new(umid))));
    desk.receive("second", "undelivered", Some(2_008)).await;
    assert_eq!(desk.message().await.present.step, StepIndex::new(1).unwrap());
}

#[tokio::test]
async fn a_try_that_was_returned_and_yet_submitted_decides() {
    let desk = Desk::new().await;
    let first = desk.claim().await;
    desk.settle(&first, Answer::Unavailable { again: desk.clock.now() }, None).await;
    desk.receive("first", "sent", None).await;
    assert!(matches!(desk.message().await.present.state, State::Awaiting { .. }));
    desk.receive("first", "undelivered", Some(1_051)).await;
    let message = desk.message().await;
    assert_eq!(message.present.step, StepIndex::new(1).unwrap(), "the next step is of another channel: {message:?}");
    assert_eq!(desk.opted_out_of().await, [OptOutOf::Marketing]);
}

/// The first try was never submitted, and a crash may come between the receipt and the answer of the second.
#[tokio::test]
async fn a_receipt_that_overtakes_the_answer_of_a_second_try_leaves_its_fact() {
    let desk = Desk::new().await;
    let first = desk.claim().await;
    desk.settle(&first, Answer::Unavailable { again: desk.clock.now() }, None).await;
    let second = desk.claim().await;
    assert_eq!(second.present.tries, 1);
    desk.receive("second", "sent", None).await;
    assert_eq!(desk.store.attempts(vec![desk.key]).await.unwrap().concat().len(), 0, "it is still claimed");
    desk.receive("second", "delivered", None).await;
    let facts = desk.store.attempts(vec![desk.key]).await.unwrap().concat();
    let shown = |fact: &Attempt| (fact.tries, fact.verdict, fact.umid.clone());
    assert_eq!(facts.iter().map(shown).collect::<Vec<_>>(), [(1, Verdict::Accepted, Some(Umid::new("second")))]);
    desk.answer(&second, "second").await;
    assert_eq!(desk.store.attempts(vec![desk.key]).await.unwrap().concat().len(), 1, "the answer completes it");
}

#[tokio::test]
async fn a_submission_undone_by_a_refusal_before_its_answer_keeps_its_fact() {
    let desk = Desk::new().await;
    desk.claim().await;
    desk.receive("first", "undelivered", Some(2_010)).await;
    assert_eq!(desk.umids().await, [Some(Umid::new("first"))]);
    // Out of order: it says nothing about the next submission.
    desk.receive("first", "sent", None).await;
    assert!(matches!(desk.message().await.present.state, State::Queued { .. }));
}

#[tokio::test]
async fn a_second_equal_failure_counts_for_the_later_try() {
    let desk = unknown_and_resent().await;
    let second = desk.claim().await;
    desk.answer(&second, "second").await;
    desk.receive("first", "undelivered", Some(2_008)).await;
    desk.receive("second", "undelivered", Some(2_008)).await;
    assert_eq!(
        (desk.message().await.present.step, desk.tries_of_receipts().await),
        (StepIndex::new(1).unwrap(), vec![Some(1)])
    );
}

#[tokio::test]
async fn a_receipt_that_overtakes_the_second_answer_does_not_take_the_name_of_the_first_copy() {
    let desk = unknown_and_resent().await;
    let second = desk.claim().await;
    desk.receive("second", "queued", None).await;
    desk.answer(&second, "second").await;
    assert_eq!(desk.umids().await, [None, Some(Umid::new("second"))]);
    desk.receive("first", "delivered", None).await;
    let message = desk.message().await;
    assert_eq!(message.present.outcome(), Some(Outcome::Reached), "the first copy was delivered: {message:?}");
    assert_eq!(desk.strays().await, 0);
}

#[tokio::test]
async fn two_answered_tries_keep_the_same_name_if_the_provider_gives_it() {
    let desk = Desk::new().await;
    let second = desk.second_try().await;
    desk.answer(&second, "first").await;
    assert_eq!(desk.umids().await, [Some(Umid::new("first")), Some(Umid::new("first"))]);
}
