//! Claims, and the answers that still apply to them.

use std::collections::HashMap;

use super::*;
use crate::base::domain::{Charged, Limits, Outcome, Prices, Tariff};
use crate::sending::dispatch::claimer::{InPlay, jobs_of};
use crate::sending::dispatch::recorder::record;
use crate::store::{Change, run_sql};

#[tokio::test]
async fn an_answer_to_an_earlier_claim_does_not_change_the_present_one() {
    let desk = Desk::new("rate = \"10/s\"", "", 200, "").await;
    let batch = desk.batch(1, "Hello", None).await;
    let of = |jobs: &[Job]| Job {
        entry: Arc::clone(&jobs[0].entry),
        claimed: jobs[0].claimed.clone(),
        suppression: jobs[0].suppression,
    };
    let not_begun = |job| Settled::new(job, &desk.lane, Answer::NotBegun, None);
    let first = desk.jobs(batch, 1).await;
    desk.recorded(vec![not_begun(of(&first))]).await;
    desk.clock.advance(Span::from_millis(100));
    desk.jobs(batch, 1).await;
    let claimed = desk.store.load(vec![MessageKey { batch, n: 0 }]).await.unwrap().remove(0).present;
    assert!(matches!(claimed.state, State::Sending { .. }), "{claimed:?}");
    // The commit succeeded and its answer was lost, so the result is recorded again.
    desk.recorded(vec![not_begun(of(&first))]).await;
    let row = desk.store.load(vec![MessageKey { batch, n: 0 }]).await.unwrap().remove(0).present;
    assert_eq!(row.state, claimed.state);
}

#[tokio::test]
async fn the_price_of_an_unsent_message_is_refunded_once() {
    let desk = Desk::new("rate = \"10/s\"", "", 200, "").await;
    let tariff = Tariff { price: "0.10".parse().unwrap(), charged: Charged::Submission, allowance: None };
    let prices = Prices { others: Some(tariff), ..Prices::default() };
    let step = Step { prices, ..Step::of_text(Channel::Sms, "sms", "Hello") };
    let batch = desk.of_step(None, 2, step, None).await;
    let entry = desk.book.get(batch).await.unwrap().unwrap();
    let queue = Queue { batch, step: StepIndex::FIRST, lane: desk.lane.id };
    let caps = HashMap::from([((batch, StepIndex::FIRST), desk.lane.compiled.cap(&entry, StepIndex::FIRST).unwrap())]);
    let claim = Claim { caps, ..Claim::of(desk.lane.id, vec![queue], 2, desk.clock.now()) };
    let claimed = desk.store.claim(claim).await.unwrap().messages;
    let spent = || async { desk.store.spent(batch).await.unwrap()[0].1.spent.to_string() };
    assert_eq!(spent().await, "0.20");
    let settled = |n: usize| {
        let job =
            Job { entry: Arc::clone(&entry), claimed: claimed[n].clone(), suppression: desk.book.latest_suppression() };
        Settled::new(job, &desk.lane, Answer::NotBegun, None)
    };
    // The commit succeeded and its answer was lost, so the result is recorded again.
    for is_repeat in [false, true] {
        record(desk.store.as_ref(), &[settled(0)], is_repeat, desk.clock.now()).await.unwrap();
        assert_eq!(spent().await, "0.10");
    }
    // A receipt was faster; it does not refund the price.
    let row = desk.store.load(vec![claimed[1].message.key]).await.unwrap().remove(0);
    let ended = State::Done { outcome: Outcome::Undelivered, skipped: None, at: desk.clock.now() };
    desk.store
        .record(vec![Change { after: Present { state: ended, ..row.present }, ..entry.change(entry.case(&row)) }])
        .await
        .unwrap();
    record(desk.store.as_ref(), &[settled(1)], false, desk.clock.now()).await.unwrap();
    assert_eq!(spent().await, "0.00");
}

#[tokio::test]
async fn a_claimed_message_of_a_batch_that_is_not_in_play_is_an_error() {
    let desk = Desk::new("rate = \"10/s\"", "", 200, "").await;
    let batch = desk.batch(1, "Hello", None).await;
    let job = desk.jobs(batch, 1).await.remove(0);
    let jobs = |in_play| jobs_of(vec![job.claimed.clone()], &in_play, job.suppression);
    assert_eq!(jobs(InPlay::from([(batch, Arc::clone(&job.entry))])).unwrap().len(), 1);
    let error = jobs(InPlay::new()).unwrap_err().to_string();
    assert!(error.contains(&format!("batch {}", batch.0)), "{error}");
}

/// The disk is full between the claim and its decision. Without a retry, the queue would never be checked again.
#[tokio::test]
async fn a_decision_that_cannot_be_written_is_made_again_by_the_next_claim() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("volley.db").display());
    let desk = Desk::at(&url, Channel::Sms, "rate = \"10/s\"", "", (200, "")).await;
    let limits = Limits { messages: Some(1), budget: None };
    let step = Step { limits, ..Step::of_text(Channel::Sms, "sms", "Hello") };
    desk.of_step(Some("limited"), 3, step, None).await;
    let full = "CREATE TRIGGER full BEFORE INSERT ON step_hold BEGIN SELECT RAISE(ABORT, 'no room'); END";
    run_sql(&url, full).await;
    let claimer = Claimer::new(Arc::clone(&desk.lane), Arc::clone(&desk.store), Arc::clone(&desk.turnstile));
    desk.lane.schedule_all();
    claims(&claimer).await;
    desk.clock.advance(Span::from_secs(1));
    let first = desk.turnstile.next().now_or_never().flatten().unwrap().jobs.remove(0);
    desk.recorded(vec![Settled::new(first, &desk.lane, Answer::Accepted, None)]).await;
    let failed = claimer.run_once().await.unwrap_err();
    assert!(failed.to_string().contains("hold a step"), "{failed}");
    assert_eq!(desk.lane.queues.next_due(), Some(desk.clock.now()));
    run_sql(&url, "DROP TRIGGER full").await;
    claims(&claimer).await;
    assert_eq!(desk.store.step_holds().await.unwrap().len(), 1);
}
