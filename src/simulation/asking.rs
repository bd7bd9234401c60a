//! Queries for message details. Every room runs by hand on a database in memory, with a clock that only the test moves.
//! The provider answers what the test has set.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::small::{DetailsAnswer, World, key_of, numbers};
use super::world::START;
use crate::base::clock::{Clock, ManualClock};
use crate::base::domain::{BatchState, Channel, MessageKey, Outcome, Span, State, StepIndex};
use crate::base::events::EventKind;
use crate::campaigns::campaign::Launched;
use crate::practice::simulator::{Delivery, Model, Profile};
use crate::store::Cursor;

#[tokio::test]
async fn after_a_long_gap_only_recipients_not_reached_fall_back() {
    let mut world = World::begin().await;
    let launched = world.launch(30, "").await;
    world.send().await;
    world.down_for(Span::from_secs(3_600)).await;
    for n in 0..30 {
        let state = ["delivered", "undelivered", "sent"][usize::try_from(n % 3).unwrap()];
        world.set_details(&launched, n, DetailsAnswer::State(state));
    }
    world.node.fire().await.unwrap();
    assert_eq!(world.waived(&launched).await, 30);
    world.seconds(10).await;
    assert_eq!((world.asked().len(), world.waived(&launched).await), (10, 20));
    world.seconds(25).await;
    world.check_query_rate();
    let mut asked = world.asked();
    asked.sort_unstable();
    assert_eq!(asked, (0..30).collect::<Vec<_>>(), "each once");
    for n in 0..30 {
        let present = world.message(&launched, n).await;
        if n % 3 == 0 {
            assert_eq!(present.outcome(), Some(Outcome::Reached), "{n}");
        } else {
            assert_eq!(present.step, StepIndex::new(1).unwrap(), "{n}: {present:?}");
        }
    }
    world.send().await;
    let sms: std::collections::BTreeSet<u32> = world.provider.sms.lock().iter().map(|key| key.n).collect();
    assert_eq!(sms, (0..30).filter(|n| n % 3 != 0).collect());
    let texts: Vec<String> =
        world.store.events(Cursor::START, 20).await.unwrap().into_iter().map(|(_, event)| event.text()).collect();
    assert!(texts.iter().any(|text| text.contains("30 deadlines") && text.contains("one a second")), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("has asked the provider about every")), "{texts:?}");
}

/// A route: Viber for this long, then SMS.
fn steps(recipients: std::ops::Range<u32>, fallback_after: &str) -> String {
    format!(
        "{}\n[[step]]\nchannel = \"Viber\"\nfallback_after = \"{fallback_after}\"\ntext = \"Hello\"\n\
         [[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n",
        numbers(recipients)
    )
}

#[tokio::test]
async fn the_message_with_the_earliest_deadline_is_queried_first() {
    let mut world = World::begin().await;
    let later = world.launch_of(&format!("name = \"later\"\nttl = \"3h\"\n{}", steps(0..3, "20m"))).await;
    let sooner = world.launch_of(&format!("name = \"sooner\"\nttl = \"6h\"\n{}", steps(0..3, "15m"))).await;
    world.send().await;
    world.down_for(Span::from_secs(3_600)).await;
    for n in 0..3 {
        world.set_details(&later, n, DetailsAnswer::State("delivered"));
        world.set_details(&sooner, n, DetailsAnswer::State("delivered"));
    }
    world.seconds(6).await;
    let asked: Vec<_> = world.provider.asked.lock().iter().map(|(_, key)| key.batch).collect();
    assert_eq!(asked, [[sooner.batch; 3], [later.batch; 3]].concat());
}

#[tokio::test]
async fn a_doubt_that_lost_nothing_ends_the_queries_about_it() {
    let mut world = World::begin().await;
    let launched = world.launch_of(&format!("name = \"first\"\n{}", steps(0..200, "90s"))).await;
    let other = world.launch_of(&format!("name = \"other\"\n{}", steps(200..201, "90s"))).await;
    world.send().await;
    world.seconds(9).await;
    world.moves(&other, BatchState::Running, BatchState::Paused).await;
    // The server dies before it records that a webhook arrived.
    world.receipt(&other, 0, "sent").await;
    world.restart().await;
    // The provider knows nothing of the others.
    for n in 0..3 {
        world.set_details(&launched, n, DetailsAnswer::State("delivered"));
    }
    world.set_details(&other, 0, DetailsAnswer::State("sent"));
    world.seconds(110).await;
    assert_eq!(world.message(&launched, 199).await.step, StepIndex::FIRST, "three statuses had no webhook");
    for _ in 0..30 {
        if world.waived(&launched).await == 0 {
            world.seconds(1).await;
        }
    }
    world.moves(&other, BatchState::Paused, BatchState::Running).await;
    let is_confirmed = |world: &World| world.provider.asked.lock().iter().any(|(_, key)| key.batch == other.batch);
    for _ in 0..250 {
        if !is_confirmed(&world) {
            world.seconds(1).await;
        }
    }
    let waived = world.waived(&launched).await;
    assert!(waived > 100, "the provider knows nothing of them, which decides nothing: {waived}");
    // The first query about the other campaign confirms that a webhook came after all.
    world.seconds(4).await;
    assert_eq!(world.waived(&launched).await, 0);
    for n in 3..200 {
        assert_eq!(world.message(&launched, n).await.step, StepIndex::new(1).unwrap(), "{n}");
    }
}

#[tokio::test]
async fn an_unanswered_query_is_repeated_with_growing_pauses_across_restarts() {
    let mut world = World::begin().await;
    let launched = world.launch(1, "").await;
    world.send().await;
    world.down_for(Span::from_secs(3_600)).await;
    world.seconds(50).await;
    assert_eq!(world.asked().len(), 1);
    world.seconds(20).await;
    assert_eq!(world.asked().len(), 2, "after a minute");
    world.down_for(Span::from_secs(10)).await;
    world.seconds(240).await;
    assert_eq!(world.asked().len(), 2, "the next server knows of it");
    world.seconds(70).await;
    assert_eq!(world.asked().len(), 3, "after five more");
    // No fallback follows from it; the receipt window or the TTL decides.
    let present = world.message(&launched, 0).await;
    assert!(matches!(present.state, State::Awaiting { .. }) && present.step == StepIndex::FIRST, "{present:?}");
}

#[tokio::test]
async fn a_throttling_or_failing_provider_loses_no_query() {
    let mut world = World::begin().await;
    let launched = world.launch(1, "").await;
    world.send().await;
    world.down_for(Span::from_secs(3_600)).await;
    let quota = r#"{"code":429,"message":"Quota exceeded. Please try again in 20 second(s)."}"#;
    world.set_details(&launched, 0, DetailsAnswer::Status(429, quota));
    world.seconds(15).await;
    assert_eq!(world.asked().len(), 1, "no query before the time it names");
    world.set_details(&launched, 0, DetailsAnswer::Status(500, r#"{"code":2000}"#));
    world.seconds(6).await;
    assert_eq!(world.asked().len(), 2);
    let trouble = world.store.query_states().await.unwrap()[0].trouble.clone();
    assert_eq!(trouble.as_deref(), Some("HTTP status 500"));
    world.set_details(&launched, 0, DetailsAnswer::State("delivered"));
    world.seconds(10).await;
    assert_eq!(world.message(&launched, 0).await.outcome(), Some(Outcome::Reached));
    assert_eq!(world.store.query_states().await.unwrap()[0].trouble, None);
}

#[tokio::test]
async fn a_query_throttled_for_hours_is_retried_in_minutes_and_shown() {
    let mut world = World::begin().await;
    let launched = world.launch(1, "").await;
    world.send().await;
    world.down_for(Span::from_secs(3_600)).await;
    world.set_details(
        &launched,
        0,
        DetailsAnswer::Status(429, r#"{"code":429,"message":"Please try again in 86400 second(s)."}"#),
    );
    world.seconds(2).await;
    let trouble = world.store.query_states().await.unwrap()[0].trouble.clone();
    assert!(trouble.as_ref().is_some_and(|trouble| trouble.contains("throttles")), "{trouble:?}");
    world.set_details(&launched, 0, DetailsAnswer::State("delivered"));
    world.seconds(240).await;
    assert_eq!(world.message(&launched, 0).await.outcome(), Some(Outcome::Reached));
    assert_eq!(world.store.query_states().await.unwrap()[0].trouble, None);
}

#[tokio::test]
async fn an_unknown_second_try_is_not_decided_by_what_is_known_of_the_first() {
    let mut world = World::begin().await;
    let launched = world.launch(1, "").await;
    world.send().await;
    let key = MessageKey { batch: launched.batch, n: 0 };
    let umid = world.store.attempts(vec![key]).await.unwrap().concat()[0].umid.clone().unwrap();
    let throttled = format!(
        r#"{{"eventType":"outbound_message_status_changed","payload":{{"umid":"{}","subAccountId":"acme",
        "channel":"viber","status":{{"state":"undelivered","errorCode":50}}}}}}"#,
        umid.as_str()
    );
    world.node.take(&[throttled.as_bytes()]).await[0].clone().unwrap();
    world.provider.breaks.store(true, Ordering::Relaxed);
    world.clock.advance(Span::from_secs(10));
    world.send().await;
    world.provider.breaks.store(false, Ordering::Relaxed);
    assert!(world.message(&launched, 0).await.marks.unknown(StepIndex::FIRST));
    world.set_details(&launched, 0, DetailsAnswer::State("undelivered"));
    world.down_for(Span::from_secs(3_600)).await;
    world.node.retry_strays().await.unwrap();
    world.seconds(30).await;
    let present = world.message(&launched, 0).await;
    assert_eq!((world.asked(), world.waived(&launched).await), (Vec::new(), 1));
    // No output announces a query.
    assert_eq!(world.store.tallies(launched.batch).await.unwrap().to_ask(StepIndex::FIRST), 0);
    let events = world.store.events(Cursor::START, 50).await.unwrap();
    assert!(!events.iter().any(|(_, event)| matches!(event.kind, EventKind::AskingBegan { .. })), "{events:?}");
    assert!(matches!(present.state, State::Awaiting { .. }) && present.step == StepIndex::FIRST, "{present:?}");
}

#[tokio::test]
async fn a_paused_campaign_causes_no_queries() {
    let mut world = World::begin().await;
    let launched = world.launch(3, "").await;
    world.send().await;
    world.down_for(Span::from_secs(3_600)).await;
    for n in 0..3 {
        world.set_details(&launched, n, DetailsAnswer::State("undelivered"));
    }
    world.node.fire().await.unwrap();
    world.seconds(1).await;
    assert_eq!(world.asked(), [0]);
    world.moves(&launched, BatchState::Running, BatchState::Paused).await;
    world.seconds(10).await;
    assert_eq!((world.asked(), world.waived(&launched).await), (vec![0], 2));
    world.moves(&launched, BatchState::Paused, BatchState::Running).await;
    world.seconds(10).await;
    assert_eq!((world.asked(), world.waived(&launched).await), (vec![0, 1, 2], 0));
}

#[tokio::test]
async fn a_clock_set_back_between_servers_causes_queries_for_open_messages() {
    let mut world = World::begin().await;
    let launched = world.launch(1, "").await;
    world.send().await;
    world.node.watch().await;
    world.set_details(&launched, 0, DetailsAnswer::State("delivered"));
    let listened_until = world.clock.now();
    world.clock = Arc::new(ManualClock::at(listened_until - Span::from_secs(600)));
    world.restart().await;
    let gaps = world.store.gaps().await.unwrap();
    assert!(matches!(&gaps[..], [gap] if gap.from > gap.until), "{gaps:?}");
    world.seconds(10).await;
    assert_eq!(world.message(&launched, 0).await.outcome(), Some(Outcome::Reached));
    let texts: Vec<String> =
        world.store.events(Cursor::START, 9).await.unwrap().into_iter().map(|(_, event)| event.text()).collect();
    assert!(texts.iter().any(|text| text.contains("the clock was set back")), "{texts:?}");
}

/// Checks the messages in the minute in which their deadlines fire.
async fn only_the_second_falls_back_and_both_were_asked_about(world: &mut World, launched: &Launched) {
    world.seconds(60).await;
    assert_eq!(world.message(launched, 0).await.outcome(), Some(Outcome::Reached));
    assert_eq!(world.message(launched, 1).await.step, StepIndex::new(1).unwrap(), "at its deadline, and not later");
    let mut asked = world.asked();
    asked.sort_unstable();
    assert_eq!(asked, [0, 1], "each once");
}

#[tokio::test]
async fn a_silent_attempt_is_queried_before_its_deadline_fires() {
    let mut world = World::begin().await;
    let launched = world.launch(2, "").await;
    world.send().await;
    world.set_details(&launched, 0, DetailsAnswer::State("delivered"));
    world.set_details(&launched, 1, DetailsAnswer::State("queued"));
    world.seconds(840).await;
    assert_eq!(world.asked(), [0; 0], "its receipt may still come by itself");
    only_the_second_falls_back_and_both_were_asked_about(&mut world, &launched).await;
}

#[tokio::test]
async fn attempts_reported_as_sent_are_also_queried_when_there_is_time() {
    let mut world = World::begin().await;
    let launched = world.launch(3, "").await;
    world.send().await;
    for n in 0..3 {
        world.receipt(&launched, n, "sent").await;
    }
    // One receipt was lost on its way; another arrives in time.
    world.set_details(&launched, 0, DetailsAnswer::State("delivered"));
    world.set_details(&launched, 1, DetailsAnswer::State("sent"));
    world.seconds(840).await;
    world.receipt(&launched, 2, "delivered").await;
    assert_eq!(world.asked(), [0; 0]);
    only_the_second_falls_back_and_both_were_asked_about(&mut world, &launched).await;
}

#[tokio::test]
async fn missing_webhooks_cause_no_fallback_though_few_queries_fit_in_time() {
    let mut world = World::begin().await;
    let launched = world.launch(60, "").await;
    world.send().await;
    (0..60).for_each(|n| world.set_details(&launched, n, DetailsAnswer::State("delivered")));
    world.seconds(1_000).await;
    for n in 0..60 {
        assert_eq!(world.message(&launched, n).await.outcome(), Some(Outcome::Reached), "{n}");
    }
    assert_eq!(*world.provider.sms.lock(), []);
    let events = world.store.events(Cursor::START, 20).await.unwrap();
    assert!(events.iter().any(|(_, event)| event.text().contains("its webhooks do not arrive")), "{events:?}");
}

/// Details name the latest status alone, so a recipient who reads hides that the webhook of the delivery is missing.
#[tokio::test]
async fn recipients_who_read_just_now_do_not_hide_that_webhooks_are_missing() {
    let mut world = World::begin().await;
    // Half of them can be queried in time, and the others are few enough to fall back without a query.
    let launched = world.launch(45, "").await;
    world.send().await;
    for n in 0..45 {
        let answer = if n % 3 == 2 { DetailsAnswer::ReadNow } else { DetailsAnswer::State("delivered") };
        world.set_details(&launched, n, answer);
    }
    world.seconds(1_000).await;
    for n in 0..45 {
        assert_eq!(world.message(&launched, n).await.outcome(), Some(Outcome::Reached), "{n}");
    }
    assert_eq!(*world.provider.sms.lock(), []);
}

#[tokio::test]
async fn an_attempt_queried_early_is_decided_at_its_deadline() {
    let mut world = World::begin().await;
    let launched = world.launch(2, "").await;
    world.send().await;
    world.down_for(Span::from_secs(300)).await;
    world.set_details(&launched, 0, DetailsAnswer::State("read"));
    world.set_details(&launched, 1, DetailsAnswer::State("sent"));
    world.seconds(10).await;
    assert_eq!(world.message(&launched, 0).await.outcome(), Some(Outcome::Reached));
    assert_eq!(world.asked().len(), 2);
    world.seconds(620).await;
    // The query replaced what was lost in the gap, so silence counts. One more query follows shortly before the
    // deadline.
    assert_eq!(world.message(&launched, 1).await.step, StepIndex::new(1).unwrap());
    assert_eq!((world.asked().len(), world.waived(&launched).await), (3, 0));
}

#[tokio::test]
async fn an_hour_of_downtime_causes_no_fallback_after_delivery() {
    let mut profile = Profile::default();
    let viber = profile.channels.get_mut(&Channel::Viber).unwrap();
    *viber = Delivery {
        reject: 0.0,
        undelivered: 0.2,
        undelivered_codes: vec![2_008],
        silent: 0.1,
        delivered: 0.6,
        ..viber.clone()
    };
    let mut world = World::beside(Some(Model::new(profile, 11, START))).await;
    let launched = world.launch(60, "").await;
    world.send().await;
    world.down_for(Span::from_secs(3_600)).await;
    world.seconds(70).await;
    world.send().await;
    let mut fell_back = std::collections::BTreeSet::new();
    let mut kinds = std::collections::BTreeMap::<_, u32>::new();
    {
        let model = world.provider.model.as_ref().unwrap().lock();
        assert_eq!(model.seen().throttled, 0, "never more than one query a second");
        assert_eq!(model.seen().questions, 60, "one for each");
        let messages = (0..model.message_count()).filter_map(|n| model.message(n));
        for message in messages.filter(|message| message.steps[0].channel == Channel::Viber) {
            let key = key_of(message.client_message_id.as_deref().unwrap());
            *kinds.entry(message.steps[0].state).or_default() += 1;
            if message.steps[0].delivered_at.is_none() {
                fell_back.insert(key.n);
            }
        }
    }
    assert!(kinds.len() >= 4, "every kind of message occurs: {kinds:?}");
    for n in 0..60 {
        let present = world.message(&launched, n).await;
        assert_eq!(present.outcome() == Some(Outcome::Reached), !fell_back.contains(&n), "{n}: {present:?}");
    }
    let sms: std::collections::BTreeSet<u32> = world.provider.sms.lock().iter().map(|key| key.n).collect();
    assert_eq!(sms, fell_back);
}
