//! Who leaves first, and who tries first whether a provider is there again.

use super::*;
use crate::throttle::{Cause, Complaint};

/// Waits for the second of two steps: the first has not reached them.
async fn fallbacks(desk: &Desk, name: &str, people: u32) -> BatchId {
    let step = || Step::of_text(Channel::Sms, "sms", "Hello");
    let stands = Present { step: StepIndex::new(1).unwrap(), ..Present::queued(desk.clock.now(), None) };
    desk.of_steps(Some(name), people, vec![step(), step()], &stands).await
}

#[tokio::test]
async fn fallback_steps_go_before_first_steps_and_leave_them_a_tenth_of_the_lane() {
    let desk = Desk::new("rate = \"1/s\"", "", 200, "").await;
    let first = desk.campaign("first", 50).await;
    let fallback = fallbacks(&desk, "fallback", 100).await;
    let claimed = served(&desk, 40).await;
    assert_eq!(claimed.len(), 40);
    assert_eq!(claimed[..9], [fallback; 9]);
    assert_eq!(claimed.iter().filter(|batch| **batch == first).count(), 4, "{claimed:?}");
}

#[tokio::test]
async fn where_three_wait_each_of_the_later_ones_has_its_turn() {
    let desk = Desk::new("rate = \"1/s\"", "", 200, "").await;
    let single = desk.batch(200, "Hello", None).await;
    let fallback = fallbacks(&desk, "fallback", 100).await;
    let first = desk.campaign("first", 50).await;
    let claimed = served(&desk, 40).await;
    let of = |meant: BatchId| claimed.iter().filter(|batch| **batch == meant).count();
    assert_eq!((of(single), of(fallback), of(first)), (36, 2, 2), "{claimed:?}");
}

#[tokio::test]
async fn a_queue_full_of_those_whose_time_is_over_keeps_no_other_campaign_waiting() {
    let desk = Desk::new("rate = \"20/s\"", "", 200, "").await;
    let soon = Some(desk.clock.now() + Span::from_secs(1));
    for name in ["yesterday", "today"] {
        desk.named(Some(name), 5_000, "Hello", soon).await;
    }
    let live = desk.campaign("live", 4).await;
    desk.clock.advance(Span::from_secs(2));
    assert_eq!(served(&desk, 4).await, [live; 4]);
    // Nothing is worth a look before the timers have ended somebody.
    let claimer = Claimer::new(Arc::clone(&desk.lane), Arc::clone(&desk.store), Arc::clone(&desk.turnstile));
    claims(&claimer).await;
    assert_eq!(desk.lane.queues.next_look(), Some(desk.clock.now() + Span::from_secs(1)));
}

#[tokio::test]
async fn after_an_outage_a_single_message_tries_and_the_others_wait_for_its_answer() {
    let mut desk = Desk::new("rate = \"2000/s\"", TEN_AT_ONCE, 200, "").await;
    let batch = desk.batch(30, "Hello", None).await;
    desk.clock.advance(Span::from_secs(1));
    desk.turnstile.fill(desk.jobs(batch, 30).await);
    let complaint =
        |begun| Complaint { cause: Cause::Outage, begun, retry_after: Some(Span::from_secs(5)), reason: "503" };
    let press = || {
        let now = desk.clock.now();
        desk.lane.brake.press(complaint(now), now, &desk.lane.chance);
        desk.clock.advance(Span::from_secs(5));
    };
    press();
    let first = desk.turnstile.next().now_or_never().flatten().unwrap();
    assert_eq!(first.jobs.len(), 1, "not a whole batch, which might become unknown");
    assert!(desk.turnstile.next().now_or_never().is_none());
    press();
    drop(first);
    let second = desk.turnstile.next().now_or_never().flatten().unwrap();
    assert_eq!(second.jobs.len(), 1);
    {
        let waits = desk.turnstile.next();
        tokio::pin!(waits);
        assert!(waits.as_mut().now_or_never().is_none());
        desk.lane.brake.release(desk.clock.now());
        assert_eq!(waits.now_or_never().flatten().unwrap().jobs.len(), 10, "whoever waited is told");
    }
    drop(second);
    assert_eq!(desk.turnstile.next().now_or_never().flatten().unwrap().jobs.len(), 10);
    assert!(desk.all_settled().is_empty(), "nobody has lost their place");
}
