//! A step that goes again: of which try a receipt speaks, and what that means for the one that followed.

use super::*;
use crate::domain::OnUnknown;
use crate::engine::Silence;

impl Desk {
    /// What the message's timer does, as the node would.
    async fn time_is_up(&self) {
        let (row, now) = (self.message().await, self.clock.now());
        let entry = self.book.get(self.key.batch).await.unwrap().unwrap();
        let event = Event::Due { silence: Silence::Trusted };
        let fact = entry.could_not_leave(&row, Verdict::CouldNotLeave, now).unwrap();
        let change = entry.decide(&row, event, now).unwrap().told_by(fact);
        assert!(self.store.record(vec![change]).await.unwrap().is_empty());
    }

    /// The first try is accepted and throttled afterwards; the second one is under way.
    async fn second_try(&self) -> Loaded {
        let first = self.claim().await;
        self.answer(&first, "first").await;
        self.hear("first", "undelivered", Some(50)).await;
        self.wait(60);
        let second = self.claim().await;
        assert_eq!(second.present.tries, 1);
        second
    }

    /// Which try each receipt on disk speaks of, in the order in which they came.
    async fn told_of(&self) -> Vec<Option<u16>> {
        self.store.receipts(self.key).await.unwrap().iter().map(|receipt| receipt.tries).collect()
    }
}

#[tokio::test]
async fn a_receipt_that_says_too_fast_is_told_to_its_lane_once_and_any_other_is_not() {
    let desk = Desk::new().await;
    let claimed = desk.claim().await;
    let begun = desk.clock.now();
    desk.answer(&claimed, "first").await;
    desk.wait(5);
    for _ in 0..2 {
        desk.hear("first", "undelivered", Some(50)).await;
    }
    let news = TooFast { lane: "vb".to_owned(), begun, reason: "throttled" };
    assert_eq!(*desk.too_fast.lock().unwrap(), [news]);
    desk.wait(60);
    let second = desk.claim().await;
    desk.answer(&second, "second").await;
    desk.hear("second", "undelivered", Some(40)).await;
    assert_eq!(desk.too_fast.lock().unwrap().len(), 1, "in passing, and not for being fast");
}

#[tokio::test]
async fn bad_news_of_a_second_try_that_overtakes_its_answer_waits_for_it() {
    let mut desk = Desk::new().await;
    let second = desk.second_try().await;
    desk.hear("second", "undelivered", Some(2_008)).await;
    assert!(matches!(desk.message().await.present.state, State::Sending { .. }));
    assert_eq!(desk.strays().await, 1);
    // As long as the answer is not there, it stays and is not multiplied.
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
async fn what_the_provider_repeats_of_a_try_that_came_to_nothing_is_no_news_once_its_time_is_up() {
    let mut plan = plan();
    plan.steps.truncate(1);
    plan.steps[0].leave_within = Some(Span::from_secs(30));
    let desk = Desk::of(plan).await;
    let first = desk.claim().await;
    desk.answer(&first, "first").await;
    desk.hear("first", "sent", None).await;
    // For want of credit: it was never meant to be refused, and waits to go again.
    desk.hear("first", "undelivered", Some(42)).await;
    assert!(matches!(desk.message().await.present.state, State::Queued { .. }));
    desk.wait(31);
    desk.time_is_up().await;
    let ended = desk.message().await.present;
    assert_eq!(ended.outcome(), Some(Outcome::Expired));
    desk.hear("first", "sent", None).await;
    desk.hear("first", "undelivered", Some(42)).await;
    assert_eq!(desk.message().await.present, ended);
}

#[tokio::test]
async fn bad_news_behind_good_news_that_overtook_the_answer_waits_as_well() {
    let mut desk = Desk::new().await;
    let second = desk.second_try().await;
    desk.hear("second", "sent", None).await;
    desk.hear("second", "undelivered", Some(2_008)).await;
    assert_eq!((desk.strays().await, desk.message().await.present.step), (1, StepIndex::FIRST));
    desk.answer(&second, "second").await;
    desk.applier.retry_strays().await.unwrap();
    assert_eq!((desk.strays().await, desk.message().await.present.step), (0, StepIndex::new(1).unwrap()));
}

#[tokio::test]
async fn bad_news_of_an_earlier_try_decides_nothing_about_the_next() {
    let desk = Desk::new().await;
    let second = desk.second_try().await;
    // Another code for the try that has failed already, before and after the second one is answered.
    desk.hear("first", "undelivered", Some(2_008)).await;
    assert!(matches!(desk.message().await.present.state, State::Sending { .. }));
    desk.answer(&second, "second").await;
    desk.hear("first", "undelivered", Some(7)).await;
    let message = desk.message().await;
    assert!(matches!(message.present.state, State::Awaiting { .. }), "{message:?}");
    assert_eq!((message.present.step, desk.strays().await), (StepIndex::FIRST, 0));
}

#[tokio::test]
async fn whoever_wants_no_more_has_said_so_whichever_try_it_was_said_of() {
    let desk = Desk::new().await;
    let second = desk.second_try().await;
    desk.answer(&second, "second").await;
    desk.hear("first", "undelivered", Some(1_051)).await;
    let message = desk.message().await;
    assert!(matches!(message.present.state, State::Awaiting { .. }), "the second try is under way: {message:?}");
    assert_eq!(desk.store.opted_out(vec![message.msisdn]).await.unwrap(), [message.msisdn]);
}

#[tokio::test]
async fn what_was_said_before_a_hand_over_came_to_nothing_says_nothing_of_the_next_one() {
    const MAY_NOT_SEND: Option<i64> = Some(2_010);
    let desk = Desk::new().await;
    desk.answer(&desk.claim().await, "first").await;
    desk.hear("first", "undelivered", MAY_NOT_SEND).await;
    desk.wait(60);
    desk.hear("first", "queued", None).await;
    assert!(matches!(desk.message().await.present.state, State::Queued { .. }), "it still waits to go again");
    let claimed = desk.claim().await;
    desk.hear("first", "sent", None).await;
    assert!(matches!(desk.message().await.present.state, State::Sending { .. }), "of this try nothing is known yet");
    desk.answer(&claimed, "second").await;
    desk.hear("first", "delivered", None).await;
    assert_eq!(desk.message().await.present.outcome(), Some(Outcome::Reached), "whichever of them it was, it arrived");
}

#[tokio::test]
async fn what_carries_only_the_umid_of_an_earlier_try_is_ours() {
    let desk = Desk::new().await;
    let second = desk.second_try().await;
    desk.answer(&second, "second").await;
    desk.wait(1);
    desk.hear_of(None, "first", "undelivered", Some(7)).await;
    assert!(matches!(desk.message().await.present.state, State::Awaiting { .. }));
    desk.wait(1);
    desk.hear_of(None, "first", "delivered", None).await;
    let message = desk.message().await.present;
    assert_eq!((message.outcome(), desk.strays().await), (Some(Outcome::Reached), 0), "{message:?}");
    assert_eq!(desk.told_of().await, [Some(0), Some(0), None], "what has arrived has, whichever try it was");
    let umids: Vec<_> =
        desk.store.attempts(vec![desk.key]).await.unwrap().concat().into_iter().map(|fact| fact.umid).collect();
    assert_eq!(umids, ["first", "second"].map(|umid| Some(Umid::new(umid))));
}

#[tokio::test]
async fn bad_news_of_an_earlier_try_of_an_earlier_step_is_not_of_its_last() {
    let desk = Desk::new().await;
    let second = desk.second_try().await;
    desk.answer(&second, "second").await;
    let before = desk.message().await;
    let entry = desk.book.get(desk.key.batch).await.unwrap().unwrap();
    desk.wait(1_000);
    let event = Event::Due { silence: Silence::Trusted };
    let change = entry.decide(&before, event, desk.clock.now()).unwrap();
    assert!(desk.store.record(vec![change]).await.unwrap().is_empty());
    desk.hear("first", "undelivered", Some(7)).await;
    assert!(!desk.message().await.present.marks.failed(StepIndex::FIRST), "the second try is still to be told of");
    desk.wait(1);
    desk.hear("second", "undelivered", Some(7)).await;
    assert!(desk.message().await.present.marks.failed(StepIndex::FIRST));
    assert_eq!(desk.told_of().await, [Some(0), Some(0), Some(1)]);
}

/// Nobody knows of the first copy, and the route says to send again.
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
async fn a_first_copy_that_makes_the_second_needless_decides_as_any_other() {
    let desk = unknown_and_resent().await;
    desk.hear("first", "sent", None).await;
    assert!(matches!(desk.message().await.present.state, State::Awaiting { .. }));
    assert_eq!(desk.umids().await, [Some(Umid::new("first"))]);
    desk.hear("first", "undelivered", Some(2_008)).await;
    assert_eq!((desk.message().await.present.step, desk.strays().await), (StepIndex::new(1).unwrap(), 0));
}

/// The first copy has left and failed while the second one is being handed over.
async fn first_copy_failed_meanwhile() -> (Desk, Loaded) {
    let desk = unknown_and_resent().await;
    let second = desk.claim().await;
    desk.hear("first", "sent", None).await;
    assert!(matches!(desk.message().await.present.state, State::Sending { .. }), "the second one may be leaving");
    desk.hear("first", "undelivered", Some(2_008)).await;
    assert_eq!(desk.strays().await, 1, "which waits for the second one's answer");
    (desk, second)
}

#[tokio::test]
async fn where_nothing_comes_of_a_second_copy_the_first_one_decides() {
    let (mut desk, second) = first_copy_failed_meanwhile().await;
    desk.settle(&second, Answer::NotBegun, None).await;
    assert!(matches!(desk.message().await.present.state, State::Awaiting { .. }), "nothing has to go again");
    desk.applier.retry_strays().await.unwrap();
    assert_eq!((desk.message().await.present.step, desk.strays().await), (StepIndex::new(1).unwrap(), 0));
}

#[tokio::test]
async fn where_the_second_copy_was_taken_too_the_first_ones_failure_decides_nothing() {
    let (mut desk, second) = first_copy_failed_meanwhile().await;
    desk.answer(&second, "second").await;
    desk.applier.retry_strays().await.unwrap();
    let message = desk.message().await.present;
    assert!(matches!(message.state, State::Awaiting { .. }) && message.step == StepIndex::FIRST, "{message:?}");
    assert_eq!(desk.umids().await, ["first", "second"].map(|umid| Some(Umid::new(umid))));
    desk.hear("second", "undelivered", Some(2_008)).await;
    assert_eq!(desk.message().await.present.step, StepIndex::new(1).unwrap());
}

#[tokio::test]
async fn what_was_given_back_and_taken_all_the_same_decides_too() {
    let desk = Desk::new().await;
    let first = desk.claim().await;
    desk.settle(&first, Answer::Unavailable { again: desk.clock.now() }, None).await;
    desk.hear("first", "sent", None).await;
    assert!(matches!(desk.message().await.present.state, State::Awaiting { .. }));
    desk.hear("first", "undelivered", Some(1_051)).await;
    let message = desk.message().await;
    assert_eq!(message.present.outcome(), Some(Outcome::Skipped), "{message:?}");
    assert_eq!(desk.store.opted_out(vec![message.msisdn]).await.unwrap(), [message.msisdn]);
}

/// No connection took the first try, and a crash may come between the receipt and the answer of the second.
#[tokio::test]
async fn a_receipt_that_overtakes_the_answer_of_a_second_try_leaves_its_fact() {
    let desk = Desk::new().await;
    let first = desk.claim().await;
    desk.settle(&first, Answer::Unavailable { again: desk.clock.now() }, None).await;
    let second = desk.claim().await;
    assert_eq!(second.present.tries, 1);
    desk.hear("second", "sent", None).await;
    assert_eq!(desk.store.attempts(vec![desk.key]).await.unwrap().concat().len(), 0, "its claim stands");
    desk.hear("second", "delivered", None).await;
    let facts = desk.store.attempts(vec![desk.key]).await.unwrap().concat();
    let told = |fact: &Attempt| (fact.tries, fact.verdict, fact.umid.clone());
    assert_eq!(facts.iter().map(told).collect::<Vec<_>>(), [(1, Verdict::Accepted, Some(Umid::new("second")))]);
    desk.answer(&second, "second").await;
    assert_eq!(desk.store.attempts(vec![desk.key]).await.unwrap().concat().len(), 1, "the answer completes it");
}

#[tokio::test]
async fn what_the_sender_has_undone_before_its_answer_leaves_its_fact_behind() {
    let desk = Desk::new().await;
    desk.claim().await;
    desk.hear("first", "undelivered", Some(2_010)).await;
    assert_eq!(desk.umids().await, [Some(Umid::new("first"))]);
    // Out of order: it says nothing of the one that is to come.
    desk.hear("first", "sent", None).await;
    assert!(matches!(desk.message().await.present.state, State::Queued { .. }));
}

#[tokio::test]
async fn two_tries_that_fail_in_the_same_words_are_told_as_the_later_one() {
    let desk = unknown_and_resent().await;
    let second = desk.claim().await;
    desk.answer(&second, "second").await;
    desk.hear("first", "undelivered", Some(2_008)).await;
    desk.hear("second", "undelivered", Some(2_008)).await;
    assert_eq!((desk.message().await.present.step, desk.told_of().await), (StepIndex::new(1).unwrap(), vec![Some(1)]));
}
