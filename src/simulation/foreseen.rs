//! When a campaign will be done, and which of its messages will never be sent. The launcher forecasts it on a store
//! with other campaigns.

use std::sync::Arc;

use super::small::{World, numbers};
use crate::base::clock::Clock;
use crate::base::domain::{Count, MessageKey, Present, Span, State, StepIndex, Timestamp};
use crate::base::events::Origin;
use crate::campaigns::campaign::{Draft, Lint};
use crate::rules::forecast::{Bottleneck, Forecast, NotSent, Stop};
use crate::sending::book::Book;
use crate::store::{Change, Hold, StepHeldBy, StepHold};

const CONFIG: &str = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
    webhook_authorization = \"hook\"\n\
    [[lane]]\nname = \"a\"\nchannel = \"SMS\"\nrate = \"1/s\"\nburst = 1\nsource = \"ACME\"\n\
    [[lane]]\nname = \"viber\"\nchannel = \"Viber\"\nrate = \"10/s\"\n\
    [[lane]]\nname = \"b\"\nchannel = \"SMS\"\nrate = \"1/s\"\nburst = 1\nsource = \"ACME\"\n";
/// The clock starts at 16:00 in Singapore.
const BEGINS: &str = "2027-01-15T08:00:00Z";

/// A campaign for this many recipients, with extra keys for its step.
fn text(recipients: u32, head: &str, step: &str) -> String {
    format!("{}\n{head}\n[[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n{step}\n", numbers(0..recipients))
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn after(forecast: &Forecast) -> Span {
    forecast.done_at.since(at(BEGINS))
}

impl World {
    async fn warnings(&self, text: &str) -> Vec<(Lint, String)> {
        let prepared = self.launcher().plan(&Draft::parse("test.toml", text).unwrap()).await.unwrap();
        prepared.warnings.into_iter().map(|warning| (warning.code, warning.sentence.to_string())).collect()
    }

    async fn pauses_lane(&self, lane: &str) {
        let now = self.clock.now();
        self.store.hold(Hold::by_operator(lane, "", Origin::operator("ann", None), now), now).await.unwrap();
    }
}

#[tokio::test]
async fn a_plan_warns_of_messages_that_will_not_be_sent_by_the_end() {
    let world = World::of(CONFIG, None).await;
    let until = |end: &str| text(600, &format!("end = \"2027-01-15T{end}Z\""), "lane = \"a\"");
    let forecast = world.forecast_of(&until("08:05:00")).await;
    assert_eq!(after(&forecast), Span::from_secs(300));
    assert_eq!(forecast.left_behind, [NotSent { messages: 300, by: Stop::End }]);
    let warnings = world.warnings(&until("08:05:00")).await;
    let sentence = "300 of 600 first messages will not be sent by `end` as things stand, and expire then; limited by the \
                    rate of lane a; write a later `end`";
    assert_eq!(warnings, [(Lint::EndTooSoon, sentence.to_owned())]);
    assert_eq!(world.warnings(&until("08:10:01")).await, []);
}

#[tokio::test]
async fn a_forecast_ends_at_the_limit_and_counts_what_is_used_of_it() {
    let mut world = World::of(CONFIG, None).await;
    let forecast = world.forecast_of(&text(600, "", "lane = \"a\"\nmax_messages = 60")).await;
    assert_eq!(after(&forecast), Span::from_secs(60));
    assert_eq!(forecast.left_behind, [NotSent { messages: 540, by: Stop::MaxMessages }]);
    let launched = world.launch_of(&text(600, "max_messages = 60", "lane = \"a\"")).await;
    for _ in 0..20 {
        world.clock.advance(Span::from_secs(1));
        world.send().await;
    }
    let (batch, plan) =
        (world.store.batch(launched.batch).await.unwrap(), world.store.plan(launched.batch).await.unwrap());
    let (tallies, now) = (world.store.tallies(launched.batch).await.unwrap(), world.clock.now());
    let rest = world.launcher().forecast_of(&batch.unwrap(), &plan.unwrap(), &tallies, now).await.unwrap().unwrap();
    assert_eq!(rest.left_behind, [NotSent { messages: 540, by: Stop::MaxMessages }]);
    let used = tallies.total(Count::HandedOver) + tallies.total(Count::Sending);
    assert!((15..=25).contains(&used), "{used}");
    assert_eq!(rest.done_at.since(now), Span::from_secs(60 - used));
}

#[tokio::test]
async fn campaigns_that_may_not_send_yet_do_not_delay_a_forecast() {
    let world = World::of(CONFIG, None).await;
    let by_clock = "at = \"2027-01-15T16:30\"\ntime_zone = \"recipient\"";
    // They begin in half an hour, at their local time, and take ten minutes.
    world.launch_of(&text(600, by_clock, "lane = \"a\"")).await;
    let quick = world.forecast_of(&text(300, "name = \"quick\"", "lane = \"a\"")).await;
    assert_eq!((after(&quick), quick.bottleneck), (Span::from_secs(300), Some(Bottleneck::Rate { lane: "a".into() })));
    // From then on it gets half of the lane.
    let long = world.forecast_of(&text(2_400, "", "lane = \"a\"")).await;
    assert_eq!(after(&long), Span::from_secs(3_000));
    // In London the same hour comes eight hours later.
    let far = text(1, by_clock, "lane = \"b\"").replace("numbers = [", "numbers = [\"+447911123456\",");
    let waits = world.forecast_of(&far).await;
    assert_eq!(after(&waits), Span::from_secs(8 * 3_600 + 1_801));
    assert_eq!(waits.bottleneck, Some(Bottleneck::Clocks));
}

#[tokio::test]
async fn closed_or_held_campaigns_do_not_delay_a_forecast() {
    let world = World::of(CONFIG, None).await;
    // After 17:00 in Singapore it may send nothing more, and no row shows that.
    let begun = world.launch_of(&text(6_000, "", "lane = \"a\"\nsend_window = \"09:00-17:00 Asia/Singapore\"")).await;
    world.clock.advance(Span::from_secs(2 * 3_600));
    let free = world.forecast_of(&text(300, "name = \"free\"", "lane = \"a\"")).await;
    assert_eq!(free.done_at.since(world.clock.now()), Span::from_secs(300));
    let by = StepHeldBy::Operator;
    let held = world.launch_of(&text(6_000, "name = \"held\"", "lane = \"b\"")).await;
    let slow = world.forecast_of(&text(300, "name = \"slow\"", "lane = \"b\"")).await;
    assert_eq!(slow.bottleneck, Some(Bottleneck::Others { lane: "b".to_owned() }));
    let (step, since) = (StepIndex::FIRST, world.clock.now());
    let hold = StepHold { batch: held.batch, step, by, origin: Origin::operator("ann", None), since, recall: None };
    world.store.hold_step(hold, since).await.unwrap();
    let free = world.forecast_of(&text(300, "name = \"free\"", "lane = \"b\"")).await;
    assert_eq!(free.done_at.since(world.clock.now()), Span::from_secs(300));
    world
        .store
        .release_steps(held.batch, StepIndex::all().collect(), Origin::operator("ann", None), since)
        .await
        .unwrap();
    // One of the messages is put off until tomorrow; the others wait now.
    let message = world.store.load(vec![MessageKey { batch: held.batch, n: 0 }]).await.unwrap().remove(0);
    let state = State::Queued { not_before: since + Span::from_secs(86_400), gives_up: None };
    let entry = Book::new(Arc::clone(&world.store)).get(held.batch).await.unwrap().unwrap();
    let change = Change { after: Present { state, ..message.present }, ..entry.change(entry.case(&message)) };
    world.store.record(vec![change]).await.unwrap();
    let slow = world.forecast_of(&text(300, "name = \"slow\"", "lane = \"b\"")).await;
    assert_eq!(slow.done_at.since(since), Span::from_secs(600));
    assert_eq!(begun.messages, 6_000);
}

#[tokio::test]
async fn a_forecast_puts_fallbacks_after_the_end_of_first_messages() {
    let mut world = World::of(CONFIG, None).await;
    let viber = "[[step]]\nchannel = \"Viber\"\ntext = \"Hello\"\nfallback_after = \"1m\"\n[[step]]";
    let text = text(60, "end = \"2027-01-15T08:02:00Z\"", "lane = \"b\"").replace("[[step]]", viber);
    let launched = world.launch_of(&text).await;
    world.pauses_lane("b").await;
    while world.clock.now() < at("2027-01-15T08:02:30Z") {
        world.node.fire().await.unwrap();
        world.send().await;
    }
    let (batch, plan) =
        (world.store.batch(launched.batch).await.unwrap(), world.store.plan(launched.batch).await.unwrap());
    let (tallies, now) = (world.store.tallies(launched.batch).await.unwrap(), world.clock.now());
    let waiting = tallies.get(StepIndex::all().nth(1).unwrap(), Count::Queued);
    assert!(waiting > 30, "{waiting}");
    let rest = world.launcher().forecast_of(&batch.unwrap(), &plan.unwrap(), &tallies, now).await.unwrap().unwrap();
    assert_eq!((rest.done_at.since(now), rest.left_behind), (Span::from_secs(waiting), Vec::new()));
}

#[tokio::test]
async fn the_worst_case_finish_assumes_that_every_recipient_takes_every_step() {
    let mut world = World::of(CONFIG, None).await;
    let viber = "[[step]]\nchannel = \"Viber\"\ntext = \"Hello\"\nfallback_after = \"1m\"\n[[step]]";
    let text = |recipients, head: &str| text(recipients, head, "lane = \"b\"").replace("[[step]]", viber);
    let seconds = async |text: &str| {
        let prepared = world.launcher().plan(&Draft::parse("test.toml", text).unwrap()).await.unwrap();
        let finished_by = world.launcher().finished_by(&prepared).await.unwrap();
        finished_by.map(|by| by.since(at(BEGINS)).millis() / 1_000)
    };
    // The first recipients reach the SMS step a minute after Viber, at ten a second. SMS, at one a second, is the
    // limit.
    assert_eq!(seconds(&text(600, "")).await, Some(660));
    assert_eq!(seconds(&text(600, "ttl = \"5m\"")).await, Some(360));
    // A campaign with one step has no later step, so no worst case.
    assert_eq!(
        seconds("numbers = [\"+6591234567\"]\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\nlane = \"b\"").await,
        None
    );
    let launched = world.launch_of(&text(600, "")).await;
    for _ in 0..30 {
        world.clock.advance(Span::from_secs(1));
        world.send().await;
    }
    let (batch, plan) = (
        world.store.batch(launched.batch).await.unwrap().unwrap(),
        world.store.plan(launched.batch).await.unwrap().unwrap(),
    );
    let (tallies, now) = (world.store.tallies(launched.batch).await.unwrap(), world.clock.now());
    let rest = world.launcher().forecast_of(&batch, &plan, &tallies, now).await.unwrap().unwrap();
    let by = world.launcher().finished_by_of(&batch, &plan, &tallies, (&rest, now)).await.unwrap().unwrap();
    assert_eq!(by.since(now), Span::from_secs(600), "no recipient has reached the second step, and all may");
}

#[tokio::test]
async fn a_forecast_moves_recipients_of_a_held_lane_to_its_pool() {
    let world = World::of(CONFIG, None).await;
    let both = world.forecast_of(&text(600, "", "lanes = [\"a\", \"b\"]")).await;
    assert!((290..=320).contains(&(after(&both).millis() / 1_000)), "{}", after(&both));
    world.pauses_lane("a").await;
    assert_eq!(after(&world.forecast_of(&text(600, "", "lanes = [\"a\", \"b\"]")).await), Span::from_secs(600));
}

#[tokio::test]
async fn a_plan_warns_of_a_paused_lane_unless_its_pool_replaces_it() {
    let world = World::of(CONFIG, None).await;
    world.pauses_lane("a").await;
    let held = "lane a is paused by ann; messages on it wait until it is released";
    assert_eq!(world.warnings(&text(2, "", "lane = \"a\"")).await, [(Lint::Held, held.to_owned())]);
    assert_eq!(world.warnings(&text(2, "", "lane = \"b\"")).await, []);
    assert_eq!(world.warnings(&text(2, "", "lanes = [\"a\", \"b\"]")).await, []);
    world.pauses_lane("b").await;
    assert_eq!(world.warnings(&text(2, "", "lanes = [\"a\", \"b\"]")).await.len(), 2);
}
