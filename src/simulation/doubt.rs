//! A provider that cannot be reached or cannot reach us, with every room by hand: nobody falls back for that.

use std::sync::atomic::Ordering;

use super::small::{Says, World, numbers, recipient};
use crate::campaign::Launched;
use crate::domain::{Outcome, Span, State, StepIndex};

const ALL: [&str; 2] = ["viber", "sms"];
const FAILED_IN_PASSING: u32 = 11;
const FAULT_OF_THE_LANE: u32 = 42;

/// Viber for so long, then SMS.
fn steps(people: u32, fallback_after: &str, lane: &str) -> String {
    format!(
        "{}\n[[step]]\nchannel = \"Viber\"\nlane = \"{lane}\"\nfallback_after = \"{fallback_after}\"\n\
         text = \"Hello\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n",
        numbers(0..people)
    )
}

async fn outcomes(world: &World, launched: &Launched, people: u32) -> Vec<Option<Outcome>> {
    let mut outcomes = Vec::new();
    for n in 0..people {
        outcomes.push(world.message(launched, n).await.outcome());
    }
    outcomes
}

#[tokio::test]
async fn an_outage_both_ways_past_the_last_repeat_makes_no_delivered_message_fall_back() {
    let mut world = World::begin().await;
    let launched = world.launch(100, "").await;
    world.send().await;
    world.seconds(800).await;
    // Delivered in the moment in which the line is cut: each of its webhooks finds nobody.
    (0..100).for_each(|n| world.says(&launched, n, Says::State("delivered")));
    world.cuts(&ALL, true);
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
    world.cuts(&ALL, false);
    // The asker rests for a minute at most after its last failure.
    world.seconds(240).await;
    assert_eq!(outcomes(&world, &launched, 100).await, vec![Some(Outcome::Reached); 100]);
    world.send().await;
    assert_eq!(*world.provider.sms.lock().unwrap(), []);
    world.never_more_than_one_a_second();
    // The reads kept the proof fresh: the doubt is little longer than the outage.
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
    // Two have left twice, because the first try failed in passing.
    for n in 3..5 {
        world.receipt_for(&launched, n, "undelivered", FAILED_IN_PASSING).await;
    }
    world.seconds(60).await;
    world.send().await;
    assert_eq!(world.message(&launched, 3).await.tries, 1);
    (0..5).for_each(|n| world.says(&launched, n, Says::State("delivered")));
    world.cuts(&ALL, true);
    // No request is made meanwhile, so nothing tells that the line is cut.
    world.idles(901).await;
    world.node.fire().await.unwrap();
    let second = StepIndex::new(1).unwrap();
    assert_eq!(world.message(&launched, 0).await.step, second, "silence was news as far as anybody knew");
    // The first of them finds nobody at the provider.
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
    world.cuts(&ALL, false);
    world.seconds(60).await;
    assert_eq!(outcomes(&world, &launched, 5).await, vec![Some(Outcome::Reached); 5]);
    world.send().await;
    assert_eq!(*world.provider.sms.lock().unwrap(), []);
}

#[tokio::test]
async fn a_fallback_that_was_submitted_stands_also_where_it_waits_to_go_again() {
    let config = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
        [[lane]]\nname = \"viber\"\nchannel = \"Viber\"\nrate = \"1000/s\"\n\
        [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nbase_url = \"http://127.0.0.1:2\"\nrate = \"9/s\"\nsource = \"ACME\"\n";
    let mut world = World::of(config, None).await;
    let launched = world.launch(1, "name = \"first\"").await;
    world.send().await;
    // No request goes to Viber's address meanwhile, so nothing proves the way there when the deadline comes.
    world.idles(901).await;
    world.node.fire().await.unwrap();
    world.send().await;
    assert_eq!(world.provider.sms.lock().unwrap().len(), 1);
    world.receipt_for(&launched, 0, "undelivered", FAULT_OF_THE_LANE).await;
    let waits = world.message(&launched, 0).await;
    assert!(matches!(waits.state, State::Queued { .. }) && waits.tries == 1, "{waits:?}");
    // The first request since then does not get there.
    world.cuts(&["viber"], true);
    world.launch(1, "name = \"second\"").await;
    world.node.watch().await;
    world.node.claim(0, true).await.unwrap();
    world.node.next(0).await.unwrap().await;
    world.node.record().await.unwrap();
    world.node.fire().await.unwrap();
    assert_eq!(world.message(&launched, 0).await, waits);
}

#[tokio::test]
async fn where_only_webhooks_are_lost_three_are_asked_about_before_sixty_fall_back() {
    let mut world = World::begin().await;
    let launched = world.launch_of(&steps(60, "20s", "viber")).await;
    world.send().await;
    (0..60).for_each(|n| world.says(&launched, n, Says::State("delivered")));
    world.seconds(30).await;
    assert!(!world.asked().is_empty(), "before anybody falls back");
    world.seconds(300).await;
    assert_eq!(outcomes(&world, &launched, 60).await, vec![Some(Outcome::Reached); 60]);
    world.send().await;
    assert_eq!(*world.provider.sms.lock().unwrap(), []);
}

#[tokio::test]
async fn where_three_answers_confirm_the_silence_all_sixty_fall_back_soon() {
    let mut world = World::begin().await;
    let launched = world.launch_of(&steps(60, "20s", "viber")).await;
    world.send().await;
    (0..60).for_each(|n| world.says(&launched, n, Says::State("queued")));
    world.seconds(40).await;
    for n in 0..60 {
        assert_eq!(world.message(&launched, n).await.step, StepIndex::new(1).unwrap(), "{n}");
    }
}

#[tokio::test]
async fn a_status_that_a_webhook_had_told_before_a_crash_proves_that_webhooks_come() {
    let mut world = World::begin().await;
    let launched = world.launch_of(&steps(25, "35s", "viber")).await;
    world.send().await;
    world.seconds(10).await;
    for n in 0..25 {
        world.receipt(&launched, n, "sent").await;
        world.says(&launched, n, Says::State("sent"));
    }
    // The server dies before it writes down that any came.
    world.start_again().await;
    world.seconds(26).await;
    for n in 0..25 {
        assert_eq!(world.message(&launched, n).await.step, StepIndex::new(1).unwrap(), "{n} needs no question");
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
    world.cuts(&ALL, true);
    world.seconds(80).await;
    assert_eq!(world.message(&near, 0).await.step, StepIndex::FIRST);
    assert_eq!(world.message(&far, 0).await.step, StepIndex::new(1).unwrap(), "its provider is there");
}

#[tokio::test]
async fn a_crash_while_a_message_is_sent_past_its_deadline_makes_it_not_fall_back() {
    let mut world = World::begin().await;
    let launched = world.launch(1, "").await;
    world.node.watch().await;
    world.node.claim(0, true).await.unwrap();
    world.clock.advance(Span::from_secs(901));
    // The provider takes it, and the server dies before it has written that down.
    world.node.next(0).await.unwrap().await;
    world.down_for(Span::from_secs(3_600)).await;
    a_minute_passes(&mut world).await;
    let present = world.message(&launched, 0).await;
    assert!(matches!(present.state, State::Awaiting { .. }) && present.step == StepIndex::FIRST, "{present:?}");
}

/// A campaign whose first messages have left, and got no answer.
async fn unanswered(text: &str) -> (World, Launched) {
    let mut world = World::begin().await;
    world.provider.breaks.store(true, Ordering::Relaxed);
    let launched = world.launch_of(text).await;
    world.send().await;
    world.provider.breaks.store(false, Ordering::Relaxed);
    (world, launched)
}

/// The first recipient's message arrived, and a receipt without our id tells so: it has to wait until it can be of no request
/// that is under way.
async fn hear_nameless(world: &mut World) {
    let told = serde_json::json!({ "eventType": "outbound_message_status_changed", "payload": {
        "umid": "theirs", "subAccountId": "acme", "channel": "viber",
        "user": { "msisdn": recipient(0).to_string() }, "status": { "state": "delivered" }
    } });
    world.node.take(&[told.to_string().as_bytes()]).await[0].clone().unwrap();
}

#[tokio::test]
async fn a_deadline_that_is_held_waits_also_for_receipts_that_come_meanwhile() {
    let (mut world, launched) = unanswered(&steps(1, "60s", "viber")).await;
    world.seconds(54).await;
    // Its deadline passes meanwhile, and is held until half a minute of repeats is over.
    world.down_for(Span::from_secs(15)).await;
    world.seconds(25).await;
    hear_nameless(&mut world).await;
    comes_to_be_reached(&mut world, &launched).await;
}

#[tokio::test]
async fn a_deadline_waits_for_a_receipt_that_may_adopt_its_attempt() {
    for (arrives, sms) in [(true, 0), (false, 1)] {
        let (mut world, launched) = unanswered(&steps(1, "60s", "viber")).await;
        world.seconds(50).await;
        if arrives {
            hear_nameless(&mut world).await;
        }
        a_minute_passes(&mut world).await;
        assert_eq!(world.provider.sms.lock().unwrap().len(), sms);
        assert_eq!(world.message(&launched, 0).await.outcome(), arrives.then_some(Outcome::Reached));
    }
}

#[tokio::test]
async fn after_a_restart_a_deadline_waits_until_the_receipts_that_wait_have_been_gone_through() {
    let (mut world, launched) = unanswered(&steps(1, "60s", "viber")).await;
    world.seconds(55).await;
    hear_nameless(&mut world).await;
    world.seconds(10).await;
    world.start_again().await;
    world.seconds(3).await;
    comes_to_be_reached(&mut world, &launched).await;
}

#[tokio::test]
async fn a_deadline_waits_for_a_receipt_that_may_adopt_also_where_earlier_ones_are_lost() {
    let route = format!("after_gap = \"fall_back\"\n{}", steps(1, "300s", "viber"));
    let (mut world, launched) = unanswered(&route).await;
    world.down_for(Span::from_secs(200)).await;
    world.seconds(90).await;
    hear_nameless(&mut world).await;
    comes_to_be_reached(&mut world, &launched).await;
}

/// The first recipient of a launch, without an SMS.
async fn comes_to_be_reached(world: &mut World, launched: &Launched) {
    a_minute_passes(world).await;
    assert_eq!(*world.provider.sms.lock().unwrap(), []);
    assert_eq!(world.message(launched, 0).await.outcome(), Some(Outcome::Reached));
}

/// Strays are tried and queues are sent each second.
async fn a_minute_passes(world: &mut World) {
    for _ in 0..60 {
        world.seconds(1).await;
        world.node.retry_strays().await.unwrap();
        world.send().await;
    }
}
