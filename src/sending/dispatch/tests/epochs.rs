//! One epoch sends: the behaviour of a server that another has superseded.

use super::*;
use crate::base::domain::Umid;
use crate::sending::dispatch::{in_flight, recover};
use crate::sending::throttle::TenureEnd;
use crate::store::{Error, started};

fn umid() -> Umid {
    Umid::new("5f1d3c2e-0000-4000-8000-000000000007")
}

#[tokio::test]
async fn a_claim_of_a_superseded_server_takes_nothing_and_ends_its_sending() {
    let desk = Desk::new("rate = \"10/s\"", "", 200, "").await;
    let batch = desk.batch(1, "Hello", None).await;
    desk.lane.schedule_all();
    started(desk.store.as_ref(), START).await;
    let claimer = Claimer::new(Arc::clone(&desk.lane), Arc::clone(&desk.store), Arc::clone(&desk.turnstile));
    assert!(matches!(claimer.run_once().await, Err(Error::Superseded)));
    assert!(!desk.lane.tenure.is_current(START));
    let row = desk.store.load(vec![MessageKey { batch, n: 0 }]).await.unwrap().remove(0);
    assert_eq!((row.version, row.present.state), (0, State::Queued { not_before: START, gives_up: None }));
}

#[tokio::test]
async fn waiting_messages_of_a_superseded_server_are_not_sent_nor_requeued() {
    let mut desk = Desk::new("rate = \"10/s\"", "", 200, "").await;
    let batch = desk.batch(3, "Hello", None).await;
    let stop = CancellationToken::new();
    let turnstile = Arc::new(Turnstile::new(Arc::clone(&desk.lane), desk.sender.clone(), stop.clone()));
    turnstile.fill(desk.jobs(batch, 3).await);
    desk.clock.advance(Span::from_secs(1));
    assert_eq!(turnstile.next().now_or_never().flatten().map(|request| request.jobs.len()), Some(1));
    desk.lane.tenure.end(TenureEnd::Superseded);
    desk.clock.advance(Span::from_secs(1));
    assert!(turnstile.next().now_or_never().is_none(), "it waits for the end");
    stop.cancel();
    turnstile.close();
    assert!(turnstile.next().await.is_none());
    assert!(desk.all_settled().is_empty(), "they belong to the next epoch");
}

#[tokio::test]
async fn a_request_waiting_for_a_connection_at_the_end_of_its_epoch_is_not_sent() {
    let desk = Desk::new("rate = \"1000/s\"", "", 200, "").await;
    let batch = desk.batch(1, "Hello", None).await;
    desk.clock.advance(Span::from_secs(1));
    desk.turnstile.fill(desk.jobs(batch, 1).await);
    let request = desk.turnstile.next().now_or_never().flatten().unwrap();
    desk.lane.tenure.end(TenureEnd::Superseded);
    desk.worker(&desk.turnstile).submit(request).await;
    assert_eq!(*desk.requests.lock(), 0);
}

#[tokio::test]
async fn an_answer_after_the_next_epoch_counted_it_adds_only_the_umid() {
    let desk = Desk::new("rate = \"10/s\"", "", 200, "").await;
    let batch = desk.batch(2, "Hello", None).await;
    let jobs = desk.jobs(batch, 2).await;
    let epoch = started(desk.store.as_ref(), START).await.epoch;
    let in_flight = in_flight(desk.store.as_ref(), epoch).await.unwrap();
    recover(desk.store.as_ref(), &desk.book, &in_flight, START).await.unwrap();
    let keys = vec![MessageKey { batch, n: 0 }, MessageKey { batch, n: 1 }];
    let rows = async || -> Vec<_> {
        desk.store.load(keys.clone()).await.unwrap().into_iter().map(|message| message.present).collect()
    };
    let counted = rows().await;
    assert!(counted.iter().all(|present| present.marks.unknown(StepIndex::FIRST)), "{counted:?}");

    desk.clock.advance(Span::from_secs(1));
    let again = desk.clock.now();
    let settled = jobs.into_iter().map(|job| match job.claimed.message.key.n {
        0 => {
            let details = Details { umid: Some(umid()), ..Details::default() };
            Settled::new(job, &desk.lane, Answer::Accepted, Some((Verdict::Accepted, details)))
        }
        // It was not accepted, and is not retried: the next epoch that counted it cannot know that.
        _ => Settled::new(job, &desk.lane, Answer::Unavailable { again }, None),
    });
    desk.recorded(settled.collect()).await;
    assert_eq!(rows().await, counted);
    let facts = desk.store.attempts(keys.clone()).await.unwrap().concat();
    let facts: Vec<_> = facts.iter().map(|fact| (fact.verdict, fact.umid.clone())).collect();
    assert_eq!(facts, [(Verdict::Unknown, Some(umid())), (Verdict::Unknown, None)]);
}
