//! A provider that cannot be reached or cannot reach us, with every room run by hand: no fallback follows from that.

use std::sync::atomic::Ordering;

use super::small::{DetailsAnswer, World, numbers, recipient};
use crate::base::domain::{Outcome, Span, State, StepIndex};
use crate::campaigns::campaign::Launched;

const ALL: [&str; 2] = ["viber", "sms"];
const FAILED_TEMPORARILY: u32 = 11;
const FAULT_OF_THE_LANE: u32 = 42;

/// A route: Viber for this long, then SMS.
fn steps(recipients: u32, fallback_after: &str, lane: &str) -> String {
    format!(
        "{}\n[[step]]\nchannel = \"Viber\"\nlane = \"{lane}\"\nfallback_after = \"{fallback_after}\"\n\
         text = \"Hello\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n",
        numbers(0..recipients)
    )
}

async fn outcomes(world: &World, launched: &Launched, recipients: u32) -> Vec<Option<Outcome>> {
    let mut outcomes = Vec::new();
    for n in 0..recipients {
        outcomes.push(world.message(launched, n).await.outcome());
    }
    outcomes
}

#[tokio::test]
async fn an_outage_both_ways_makes_no_delivered_message_fall_back() {
    let mut world = World::begin().await;
    let launched = world.launch(100, "").await;
    world.send().await;
    world.seconds(800).await;
    // They are delivered at the moment of the cut: each of their webhooks is lost.
    (0..100).for_each(|n| world.set_details(&launched, n, DetailsAnswer::State("delivered")));
    world.set_cut(&ALL, true);
    world.seconds(150).await;
    for n in 0..100 {
        let present = world.message(&launched, n).await;
        assert!(
            matches!(present.state, State::Awaiting { .. }) && present.step == StepIndex::FIRST,
            "{n}: {present:?}"
        );
    }
    let links = world.store.links().await.unwrap();
    assert!(links.iter().any(|link| link.doubt.is_some()), "{links:?}");
    world.set_cut(&ALL, false);
    // The asker waits for a minute at most after its last failure.
    world.seconds(240).await;
    assert_eq!(outcomes(&world, &launched, 100).await, vec![Some(Outcome::Reached); 100]);
    world.send().await;
    assert_eq!(*world.provider.sms.lock(), []);
    world.check_query_rate();
    // The reads keep the proof recent: the doubt is little longer than the outage.
    let gaps = world.store.gaps().await.unwrap();
    let of_address: Vec<_> = gaps.iter().filter(|gap| gap.address.is_some()).collect();
    assert_eq!(of_address.len(), 1, "{gaps:?}");
    let length = of_address[0].until.since(of_address[0].from);
    assert!(length >= Span::from_secs(150) && length <= Span::from_secs(250), "{length}");
}

#[tokio::test]
async fn fallbacks_decided_before_the_failure_was_seen_return_to_awaiting() {
    let config = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
        [[lane]]\nname = \"viber\"\nchannel = \"Viber\"\nrate = \"1000/s\"\n\
        [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nrate = \"1/s\"\nburst = 1\nsource = \"ACME\"\n";
    let mut world = World::of(config, None).await;
    let launched = world.launch(5, "").await;
    world.send().await;
    // Two were sent twice, because their first try failed temporarily.
    for n in 3..5 {
        world.receipt_for(&launched, n, "undelivered", FAILED_TEMPORARILY).await;
    }
    world.seconds(60).await;
    world.send().await;
    assert_eq!(world.message(&launched, 3).await.tries, 1);
    (0..5).for_each(|n| world.set_details(&launched, n, DetailsAnswer::State("delivered")));
    world.set_cut(&ALL, true);
    // No request is made meanwhile, so nothing shows that the line is cut.
    world.idle(901).await;
    world.node.fire().await.unwrap();
    let second = StepIndex::new(1).unwrap();
    assert_eq!(world.message(&launched, 0).await.step, second, "silence counted as far as the server knew");
    // The first of these requests does not reach the provider.
    world.node.claim(1, true).await.unwrap();
    world.node.next(1).await.unwrap().await;
    world.node.record().await.unwrap();
    world.node.fire().await.unwrap();
    for n in 0..5 {
        let present = world.message(&launched, n).await;
        assert!(
            matches!(present.state, State::Awaiting { .. }) && present.step == StepIndex::FIRST,
            "{n}: {present:?}"
        );
    }
    // A proof within a second would dispel the suspicion.
    world.seconds(2).await;
    world.set_cut(&ALL, false);
    world.seconds(60).await;
    assert_eq!(outcomes(&world, &launched, 5).await, vec![Some(Outcome::Reached); 5]);
    world.send().await;
    assert_eq!(*world.provider.sms.lock(), []);
}

#[tokio::test]
async fn a_submitted_fallback_is_not_recalled_while_it_waits_for_a_retry() {
    let config = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
        [[lane]]\nname = \"viber\"\nchannel = \"Viber\"\nrate = \"1000/s\"\n\
        [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nbase_url = \"http://127.0.0.1:2\"\nrate = \"9/s\"\nsource = \"ACME\"\n";
    let mut world = World::of(config, None).await;
    let launched = world.launch(1, "name = \"first\"").await;
    world.send().await;
    // No request goes to Viber's address meanwhile, so nothing proves at the deadline that it can be reached.
    world.idle(901).await;
    world.node.fire().await.unwrap();
    world.send().await;
    assert_eq!(world.provider.sms.lock().len(), 1);
    world.receipt_for(&launched, 0, "undelivered", FAULT_OF_THE_LANE).await;
    let waits = world.message(&launched, 0).await;
    assert!(matches!(waits.state, State::Queued { .. }) && waits.tries == 1, "{waits:?}");
    // The first request since then does not reach the provider.
    world.set_cut(&["viber"], true);
    world.launch(1, "name = \"second\"").await;
    world.node.watch().await;
    world.node.claim(0, true).await.unwrap();
    world.node.next(0).await.unwrap().await;
    world.node.record().await.unwrap();
    world.node.fire().await.unwrap();
    assert_eq!(world.message(&launched, 0).await, waits);
}

#[tokio::test]
async fn lost_webhooks_cause_three_queries_before_sixty_fallbacks() {
    let mut world = World::begin().await;
    let launched = world.launch_of(&steps(60, "20s", "viber")).await;
    world.send().await;
    (0..60).for_each(|n| world.set_details(&launched, n, DetailsAnswer::State("delivered")));
    world.seconds(30).await;
    assert!(!world.asked().is_empty(), "before any fallback");
    world.seconds(300).await;
    assert_eq!(outcomes(&world, &launched, 60).await, vec![Some(Outcome::Reached); 60]);
    world.send().await;
    assert_eq!(*world.provider.sms.lock(), []);
}

#[tokio::test]
async fn three_answers_that_confirm_silence_release_all_sixty_fallbacks() {
    let mut world = World::begin().await;
    let launched = world.launch_of(&steps(60, "20s", "viber")).await;
    world.send().await;
    (0..60).for_each(|n| world.set_details(&launched, n, DetailsAnswer::State("queued")));
    world.seconds(40).await;
    for n in 0..60 {
        assert_eq!(world.message(&launched, n).await.step, StepIndex::new(1).unwrap(), "{n}");
    }
}

#[tokio::test]
async fn a_status_from_a_webhook_before_a_crash_proves_that_webhooks_arrive() {
    let mut world = World::begin().await;
    let launched = world.launch_of(&steps(25, "35s", "viber")).await;
    world.send().await;
    world.seconds(10).await;
    for n in 0..25 {
        world.receipt(&launched, n, "sent").await;
        world.set_details(&launched, n, DetailsAnswer::State("sent"));
    }
    // The server dies before it records that any webhook arrived.
    world.restart().await;
    world.seconds(26).await;
    for n in 0..25 {
        assert_eq!(world.message(&launched, n).await.step, StepIndex::new(1).unwrap(), "{n} needs no query");
    }
}

#[tokio::test]
async fn an_address_that_fails_holds_its_own_deadlines_and_no_others() {
    let config = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
        webhook_authorization = \"hook\"\n\
        [[lane]]\nname = \"viber\"\nchannel = \"Viber\"\nrate = \"1000/s\"\n\
        [[lane]]\nname = \"far\"\nchannel = \"Viber\"\nrate = \"1000/s\"\nbase_url = \"http://127.0.0.1:2\"\n\
        [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nrate = \"1000/s\"\nsource = \"ACME\"\n";
    let mut world = World::of(config, None).await;
    let near = world.launch_of(&steps(2, "60s", "viber")).await;
    let far = world.launch_of(&steps(2, "60s", "far")).await;
    world.send().await;
    world.set_cut(&ALL, true);
    world.seconds(80).await;
    assert_eq!(world.message(&near, 0).await.step, StepIndex::FIRST);
    assert_eq!(world.message(&far, 0).await.step, StepIndex::new(1).unwrap(), "its provider can be reached");
}

#[tokio::test]
async fn a_crash_during_a_send_past_its_deadline_causes_no_fallback() {
    let mut world = World::begin().await;
    let launched = world.launch(1, "").await;
    world.node.watch().await;
    world.node.claim(0, true).await.unwrap();
    world.clock.advance(Span::from_secs(901));
    // The provider accepts it, and the server dies before it records that.
    world.node.next(0).await.unwrap().await;
    world.down_for(Span::from_secs(3_600)).await;
    a_minute_passes(&mut world).await;
    let present = world.message(&launched, 0).await;
    assert!(matches!(present.state, State::Awaiting { .. }) && present.step == StepIndex::FIRST, "{present:?}");
}

/// Launches a campaign whose first messages were sent and got no answer.
async fn unanswered(text: &str) -> (World, Launched) {
    let mut world = World::begin().await;
    world.provider.breaks.store(true, Ordering::Relaxed);
    let launched = world.launch_of(text).await;
    world.send().await;
    world.provider.breaks.store(false, Ordering::Relaxed);
    (world, launched)
}

/// Posts a receipt without our id: the first recipient's message was delivered. The receipt has to wait until it cannot
/// belong to a request in flight.
async fn post_nameless_receipt(world: &mut World) {
    let event = serde_json::json!({ "eventType": "outbound_message_status_changed", "payload": {
        "umid": "theirs", "subAccountId": "acme", "channel": "viber",
        "user": { "msisdn": recipient(0).to_string() }, "status": { "state": "delivered" }
    } });
    world.node.take(&[event.to_string().as_bytes()]).await[0].clone().unwrap();
}

#[tokio::test]
async fn a_held_deadline_also_waits_for_receipts_that_arrive_meanwhile() {
    let (mut world, launched) = unanswered(&steps(1, "60s", "viber")).await;
    world.seconds(54).await;
    // Its deadline passes meanwhile, and is held until half a minute of repeats is over.
    world.down_for(Span::from_secs(15)).await;
    world.seconds(25).await;
    post_nameless_receipt(&mut world).await;
    check_reached(&mut world, &launched).await;
}

#[tokio::test]
async fn a_deadline_waits_for_a_receipt_that_may_adopt_its_attempt() {
    for (arrives, sms) in [(true, 0), (false, 1)] {
        let (mut world, launched) = unanswered(&steps(1, "60s", "viber")).await;
        world.seconds(50).await;
        if arrives {
            post_nameless_receipt(&mut world).await;
        }
        a_minute_passes(&mut world).await;
        assert_eq!(world.provider.sms.lock().len(), sms);
        assert_eq!(world.message(&launched, 0).await.outcome(), arrives.then_some(Outcome::Reached));
    }
}

#[tokio::test]
async fn after_a_restart_a_deadline_waits_for_stray_receipts_to_be_retried() {
    let (mut world, launched) = unanswered(&steps(1, "60s", "viber")).await;
    world.seconds(55).await;
    post_nameless_receipt(&mut world).await;
    world.seconds(10).await;
    world.restart().await;
    world.seconds(3).await;
    check_reached(&mut world, &launched).await;
}

#[tokio::test]
async fn a_deadline_waits_for_an_adopting_receipt_after_a_long_gap() {
    let route = format!("after_gap = \"fall_back\"\n{}", steps(1, "300s", "viber"));
    let (mut world, launched) = unanswered(&route).await;
    world.down_for(Span::from_secs(200)).await;
    world.seconds(90).await;
    post_nameless_receipt(&mut world).await;
    check_reached(&mut world, &launched).await;
}

/// Checks that the first recipient of a launch becomes reached, without an SMS.
async fn check_reached(world: &mut World, launched: &Launched) {
    a_minute_passes(world).await;
    assert_eq!(*world.provider.sms.lock(), []);
    assert_eq!(world.message(launched, 0).await.outcome(), Some(Outcome::Reached));
}

/// Lets a minute pass. Stray receipts are retried and queues are sent every second.
async fn a_minute_passes(world: &mut World) {
    for _ in 0..60 {
        world.seconds(1).await;
        world.node.retry_strays().await.unwrap();
        world.send().await;
    }
}
