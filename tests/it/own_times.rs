//! Messages with a start and an expiry of their own, sent by a server.

use serde_json::Value;
use volley::base::clock::Clock;
use volley::base::domain::{
    Channel, Fields, MessageKey, Msisdn, Outcome, Plan, Present, Recipient, Span, Step, StepIndex, Timestamp,
};
use volley::campaigns::campaign::SingleMessage;
use volley::store::Joined;

use crate::support::by_hand::{ByHand, ProviderAnswer, is_awaiting};

/// Viber, then an SMS after a minute without a delivery.
fn plan() -> Plan {
    let fallback_after = Some(Span::from_secs(60));
    let viber = Step { fallback_after, ..Step::of_text(Channel::Viber, "viber", "Hello") };
    Plan::of_steps(vec![viber, Step::of_text(Channel::Sms, "sms", "Hello")])
}

fn number(n: u64) -> Msisdn {
    Msisdn::try_from(6_591_000_000 + n).unwrap()
}

fn single(n: u64, not_before: Option<Timestamp>, expires: Option<Timestamp>) -> SingleMessage {
    let fields = Fields::pack([""; 0]);
    let recipient =
        Recipient { address: Some(number(n).into()), country: "SG".parse().unwrap(), client_message_id: None, fields };
    SingleMessage { recipient, not_before, expires }
}

fn key(joined: &Joined, n: u32) -> MessageKey {
    joined.message_id(n).key
}

fn is_done(present: &Present) -> bool {
    present.outcome().is_some()
}

fn awaits_sms(present: &Present) -> bool {
    is_awaiting(present) && present.step > StepIndex::FIRST
}

/// The requests to a recipient: the channel of each, and the expiry that it names.
fn requests(world: &ByHand, n: u64) -> Vec<(String, Option<String>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let requests = world.requests();
    let to = requests.iter().filter(|request| request["user"]["msisdn"] == number(n).to_string());
    to.map(|request| (text(&request["channels"][0]["channel"]).unwrap(), text(&request["expiry"]))).collect()
}

async fn assert_story(world: &ByHand, key: MessageKey, parts: &[&str]) {
    let batch = world.store.batch(key.batch).await.unwrap().unwrap();
    let story = world.story_in(batch, key).await;
    assert!(story.proven, "{story:#?}");
    let told = story.lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n");
    assert!(parts.iter().all(|part| told.contains(part)), "{parts:?} in {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_expires_in_its_queue_ends_without_a_claim() {
    let world = ByHand::start("").await;
    let now = world.clock.now();
    let (starts, expires) = (now + Span::from_secs(3_600), now + Span::from_secs(1_800));
    let joined = world.join(plan(), vec![single(0, Some(starts), Some(expires))]).await;
    assert_story(&world, key(&joined, 0), &["It stops waiting at "]).await;
    world.advance_to(expires - Span::from_secs(5)).await;
    assert!(!is_done(&world.message(key(&joined, 0)).await.present));
    let ended = world.until(key(&joined, 0), "it has expired", is_done).await;
    assert_eq!((ended.outcome(), ended.expires), (Some(Outcome::Expired), Some(expires)));
    assert!(world.requests().is_empty());
    assert_story(&world, key(&joined, 0), &["The message's own expiry came at "]).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_own_expiry_decides_whether_a_message_falls_back() {
    let world = ByHand::start("").await;
    let now = world.clock.now();
    let (later, sooner) = (now + Span::from_secs(300), now + Span::from_secs(30));
    let messages = vec![single(0, None, Some(later)), single(1, None, Some(sooner)), single(2, None, None)];
    let joined = world.join(plan(), messages).await;
    for n in 0..3 {
        world.until(key(&joined, n), "the provider has accepted it", is_awaiting).await;
    }
    assert_story(&world, key(&joined, 1), &["No other step is submitted after its expiry, "]).await;
    world.advance_to(now + Span::from_secs(58)).await;
    for n in [0, 2] {
        world.until(key(&joined, n), "it has fallen back", awaits_sms).await;
    }
    let ended = world.until(key(&joined, 1), "it has expired", is_done).await;
    assert_eq!(ended.outcome(), Some(Outcome::Expired));
    let sent = |channel: &str, expiry: Option<Timestamp>| (channel.to_owned(), expiry.map(Timestamp::rfc3339));
    assert_eq!(requests(&world, 0), [sent("Viber", Some(later)), sent("SMS", Some(later))]);
    assert_eq!(requests(&world, 1), [sent("Viber", Some(sooner))]);
    assert_eq!(requests(&world, 2), [sent("Viber", None), sent("SMS", None)]);
    for n in 0..3 {
        assert_story(&world, key(&joined, n), &[]).await;
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_message_starts_after_those_that_joined_later() {
    let world = ByHand::start("").await;
    let starts = world.clock.now() + Span::from_secs(600);
    let scheduled = world.join(plan(), vec![single(0, Some(starts), None)]).await;
    let at_once = world.join(plan(), vec![single(1, None, None)]).await;
    assert_eq!(scheduled.batch, at_once.batch);
    world.until(key(&at_once, 0), "the provider has accepted it", is_awaiting).await;
    assert!(requests(&world, 0).is_empty());
    world.advance_to(starts - Span::from_secs(5)).await;
    assert!(requests(&world, 0).is_empty());
    let sent = world.until(key(&scheduled, 0), "the provider has accepted it", is_awaiting).await;
    assert!(sent.first_submitted_at >= Some(starts), "{sent:?}");
    assert_story(&world, key(&scheduled, 0), &["the provider accepted it"]).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expiry_that_the_provider_refuses_concerns_one_message() {
    let world = ByHand::start("").await;
    world.set_next_answer(ProviderAnswer::Refuses(400, 1_006));
    let expires = world.clock.now() + Span::from_secs(300);
    let refused = world.join(plan(), vec![single(0, None, Some(expires))]).await;
    world.until(key(&refused, 0), "it has fallen back", awaits_sms).await;
    assert!(world.store.holds().await.unwrap().is_empty() && world.store.step_holds().await.unwrap().is_empty());
    let next = world.join(plan(), vec![single(1, None, None)]).await;
    world.until(key(&next, 0), "the provider has accepted it", is_awaiting).await;
    assert_story(&world, key(&refused, 0), &["1006"]).await;
    world.stop().await;
}
