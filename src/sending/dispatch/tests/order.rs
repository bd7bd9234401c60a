//! The order of messages, the trial after an outage, and the last checks before a request is sent.

use std::sync::atomic::Ordering;

use super::*;
use crate::base::events::Origin;
use crate::sending::throttle::Admission;
use crate::store::Hold;

/// A batch whose messages wait for the second of two steps, because the first failed.
async fn fallbacks(desk: &Desk, name: &str, recipients: u32) -> BatchId {
    let step = || Step::of_text(Channel::Sms, "sms", "Hello");
    let stands = Present { step: StepIndex::new(1).unwrap(), ..Present::queued(desk.clock.now(), None) };
    desk.of_steps(Some(name), recipients, vec![step(), step()], &stands).await
}

#[tokio::test]
async fn fallback_steps_precede_first_steps_and_leave_them_a_tenth() {
    let desk = Desk::new("rate = \"1/s\"", "", 200, "").await;
    let first = desk.campaign("first", 50).await;
    let fallback = fallbacks(&desk, "fallback", 100).await;
    let claimed = served(&desk, 40).await;
    assert_eq!(claimed.len(), 40);
    assert_eq!(claimed[..9], [fallback; 9]);
    assert_eq!(claimed.iter().filter(|batch| **batch == first).count(), 4, "{claimed:?}");
}

#[tokio::test]
async fn three_kinds_of_messages_share_the_lane_by_priority() {
    let desk = Desk::new("rate = \"1/s\"", "", 200, "").await;
    let single = desk.batch(200, "Hello", None).await;
    let fallback = fallbacks(&desk, "fallback", 100).await;
    let first = desk.campaign("first", 50).await;
    let claimed = served(&desk, 40).await;
    let of = |meant: BatchId| claimed.iter().filter(|batch| **batch == meant).count();
    assert_eq!((of(single), of(fallback), of(first)), (36, 2, 2), "{claimed:?}");
}

#[tokio::test]
async fn a_queue_of_expired_messages_blocks_no_other_campaign() {
    let desk = Desk::new("rate = \"20/s\"", "", 200, "").await;
    let soon = Some(desk.clock.now() + Span::from_secs(1));
    for name in ["yesterday", "today"] {
        desk.named(Some(name), 5_000, "Hello", soon).await;
    }
    let live = desk.campaign("live", 4).await;
    desk.clock.advance(Span::from_secs(2));
    assert_eq!(served(&desk, 4).await, [live; 4]);
    // No queue is due before the timers have ended expired messages.
    let claimer = Claimer::new(Arc::clone(&desk.lane), Arc::clone(&desk.store), Arc::clone(&desk.turnstile));
    claims(&claimer).await;
    assert_eq!(desk.lane.queues.next_due(), Some(desk.clock.now() + Span::from_secs(1)));
}

/// Opens the circuit: three requests without an answer, so nothing is sent before a read succeeds.
fn opened(desk: &Desk) {
    let now = desk.clock.now();
    for _ in 0..3 {
        let Admission::Go(permit) = desk.lane.circuit.enter(now) else { panic!("{:?}", desk.lane.circuit) };
        permit.ended(End::Unanswered { reason: "503", retry_after: None }, now, &desk.lane.chance);
    }
}

#[tokio::test]
async fn after_an_outage_one_message_alone_is_tried_first() {
    let mut desk = Desk::new("rate = \"2000/s\"", TEN_AT_ONCE, 200, "").await;
    let batch = desk.batch(50, "Hello", None).await;
    desk.clock.advance(Span::from_secs(1));
    desk.turnstile.fill(desk.jobs(batch, 50).await);
    opened(&desk);
    desk.clock.advance(Span::from_secs(5));
    let first = desk.turnstile.next().now_or_never().flatten().unwrap();
    assert_eq!((first.jobs.len(), *desk.reads.lock()), (1, 1), "one message, because a batch might become unknown");
    assert!(desk.turnstile.next().now_or_never().is_none());
    drop(first);
    let second = desk.turnstile.next().now_or_never().flatten().unwrap();
    assert_eq!((second.jobs.len(), *desk.reads.lock()), (1, 1));
    {
        let waits = desk.turnstile.next();
        tokio::pin!(waits);
        assert!(waits.as_mut().now_or_never().is_none());
        second.permit.ended(End::Good, desk.clock.now(), &desk.lane.chance);
        assert_eq!(waits.now_or_never().flatten().unwrap().jobs.len(), 10, "the waiting worker is notified");
    }
    let two: Vec<_> = std::iter::from_fn(|| desk.turnstile.next().now_or_never().flatten()).collect();
    assert_eq!(two.len(), 2, "slow start");
    assert!(desk.all_settled().is_empty(), "no message was requeued");
}

#[tokio::test]
async fn messages_stopped_during_a_read_of_the_provider_are_requeued_at_once() {
    let mut desk = Desk::new("rate = \"2000/s\"", "", 200, "").await;
    let batch = desk.batch(3, "Hello", None).await;
    desk.clock.advance(Span::from_secs(1));
    desk.turnstile.fill(desk.jobs(batch, 3).await);
    opened(&desk);
    desk.clock.advance(Span::from_secs(5));
    desk.answers_reads.store(false, Ordering::Relaxed);
    let waits = Arc::clone(&desk.turnstile);
    let waits = waits.next();
    tokio::pin!(waits);
    assert!(waits.as_mut().now_or_never().is_none());
    desk.store.move_batch(batch, vec![BatchState::Running], BatchState::Paused, None, START).await.unwrap();
    desk.book.refresh().await.unwrap();
    desk.clock.advance(Span::from_secs(1));
    assert!(waits.now_or_never().is_none());
    assert_eq!(answers(&desk.all_settled()), [Answer::NotBegun; 3]);
}

#[tokio::test]
async fn a_request_stopped_before_its_connection_is_ready_is_requeued() {
    for stop in ["pause", "cancel", "hold", "wait", "hours", "outage", "trial", "shutdown"] {
        let mut desk = Desk::new("rate = \"1000/s\"", "", 200, "").await;
        let gives_up = (stop == "wait").then_some(START + Span::from_secs(9));
        let batch = desk.of_step(Some("promo"), 1, at_hours("09:00-16:05"), gives_up).await;
        let shutdown = CancellationToken::new();
        desk.turnstile = Arc::new(Turnstile::new(Arc::clone(&desk.lane), desk.sender.clone(), shutdown.clone()));
        desk.clock.advance(Span::from_secs(1));
        let jobs = desk.jobs(batch, 1).await;
        desk.turnstile.fill(jobs);
        let request = desk.turnstile.next().now_or_never().flatten().unwrap();
        match stop {
            "pause" | "cancel" => {
                let to = if stop == "pause" { BatchState::Paused } else { BatchState::Cancelling };
                let from = vec![BatchState::Running];
                desk.store.move_batch(batch, from, to, None, desk.clock.now()).await.unwrap();
                desk.book.refresh().await.unwrap();
            }
            "hold" => {
                desk.holds.put(Hold::by_operator("sms", "", Origin::operator("Ann", None), desk.clock.now()), START);
            }
            "outage" => opened(&desk),
            // The circuit has opened meanwhile, and one message alone is to be tried.
            "trial" => {
                opened(&desk);
                desk.clock.advance(Span::from_secs(2));
                let Admission::Read(read) = desk.lane.circuit.enter(desk.clock.now()) else { panic!("no read is due") };
                read.answered();
            }
            "hours" => desk.clock.advance(Span::from_secs(300)),
            "shutdown" => shutdown.cancel(),
            _ => desk.clock.advance(Span::from_secs(10)),
        }
        desk.worker(&desk.turnstile).submit(request).await;
        assert_eq!(answers(&desk.all_settled()), [Answer::NotBegun], "{stop}");
        assert_eq!(*desk.requests.lock(), 0, "{stop}");
        // Its tokens are still there.
        assert!(desk.lane.pace.reserve(NonZeroU32::MIN, crate::base::domain::Portion::WHOLE).is_ok(), "{stop}");
    }
}
