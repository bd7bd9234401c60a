//! Limits, budgets, and rules that pause a campaign or hold a step by themselves.

use std::sync::Arc;

use serde_json::json;

use super::small::World;
use crate::base::clock::Clock;
use crate::base::domain::{BatchState, Count, MessageKey, Money, Span, Spent, StepIndex};
use crate::base::events::Origin;
use crate::campaigns::campaign::{Decided, Launched, Released, UsedUp, release_steps, reserved, resume, used_up};
use crate::rules::forecast::Stop;
use crate::store::{Cursor, StepHold};

const LANES: &str = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
    webhook_authorization = \"hook\"\n\
    [[lane]]\nname = \"viber\"\nchannel = \"Viber\"\nrate = \"1000/s\"\n\
    [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nrate = \"1000/s\"\nsource = \"ACME\"\n";

/// Creates a world with a price list. Returns it with the folder of the list.
async fn with_prices(list: &str) -> (World, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prices.csv");
    std::fs::write(&file, list).unwrap();
    let world = World::of(&format!("{LANES}[prices]\nfile = \"{}\"\n", file.display()), None).await;
    (world, folder)
}

fn numbers(singapore: u64, germany: u64) -> String {
    let numbers = (0..singapore).map(|n| 6_591_000_000 + n).chain((0..germany).map(|n| 4_915_112_000_000 + n));
    let numbers: Vec<String> = numbers.map(|number| format!("\"+{number}\"")).collect();
    format!("name = \"promo\"\nnumbers = [{}]\n", numbers.join(","))
}

impl World {
    async fn state(&self, launched: &Launched) -> (BatchState, String) {
        let batch = self.store.batch(launched.batch).await.unwrap().unwrap();
        (batch.state, batch.origin.and_then(|origin| origin.reason).unwrap_or_default())
    }

    async fn held(&self) -> Vec<StepHold> {
        self.store.step_holds().await.unwrap()
    }

    async fn count_of(&self, launched: &Launched, step: u8, count: Count) -> i64 {
        self.store.tallies(launched.batch).await.unwrap().get(StepIndex::new(step).unwrap(), count)
    }

    /// What is spent, and what is reserved.
    async fn sums(&self, launched: &Launched) -> [String; 2] {
        let spent: Spent = self.store.spent(launched.batch).await.unwrap().into_iter().map(|(_, spent)| spent).sum();
        [spent.spent, spent.reserved].map(|amount| amount.to_string())
    }

    async fn spent(&self, launched: &Launched) -> String {
        let spent = self.store.spent(launched.batch).await.unwrap();
        spent.into_iter().map(|(_, spent)| spent.all()).sum::<Money>().to_string()
    }

    fn sms(&self) -> usize {
        self.provider.sms.lock().len()
    }

    async fn resume_steps(&mut self, launched: &Launched) {
        let batch = self.store.batch(launched.batch).await.unwrap().unwrap();
        // No server notes it until it looks.
        let now = self.clock.now();
        self.store
            .release_steps(batch.id, StepIndex::all().collect(), Origin::operator("Ann", None), now)
            .await
            .unwrap();
        self.node.watch().await;
    }

    /// Posts a receipt with this state for these messages of the first step.
    async fn post_receipts(&mut self, launched: &Launched, of: std::ops::Range<u32>, state: &str) {
        self.receipt_of_step(launched, &of.collect::<Vec<_>>(), 0, state).await;
        self.node.keep_house().await.unwrap();
        self.node.watch().await;
    }
}

#[tokio::test]
async fn a_step_stops_at_its_message_limit_and_waits_for_an_operator() {
    let mut world = World::of(LANES, None).await;
    let text = format!("{}[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\nmax_messages = 7\n", numbers(20, 0));
    let launched = world.launch_of(&text).await;
    world.send().await;
    assert_eq!(world.sms(), 7);
    let [hold] = &world.held().await[..] else { panic!("one step is held") };
    assert!(
        hold.origin.hold_reason().contains("has sent 7 messages, and its max_messages is 7"),
        "{}",
        hold.origin.hold_reason()
    );
    assert_eq!(world.state(&launched).await.0, BatchState::Running);
    // A restart does not raise the limit, and neither does an operator who resumes without a new one.
    world.restart().await;
    world.send().await;
    world.resume_steps(&launched).await;
    world.send().await;
    assert_eq!((world.sms(), world.held().await.len()), (7, 1));
    assert_eq!(world.count_of(&launched, 0, Count::Queued).await, 13, "no message is lost");
}

#[tokio::test]
async fn a_message_limit_of_a_campaign_counts_all_steps_together() {
    let mut world = World::of(LANES, None).await;
    let steps = "[[step]]\nchannel = \"Viber\"\nfallback_after = \"15m\"\ntext = \"Hi\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
    let launched = world.launch_of(&format!("max_messages = 12\n{}{steps}", numbers(8, 0))).await;
    world.send().await;
    world.post_receipts(&launched, 0..8, "undelivered").await;
    world.send().await;
    assert_eq!((world.provider.taken.lock().len(), world.sms()), (8, 4));
    let (state, why) = world.state(&launched).await;
    assert_eq!(state, BatchState::Paused);
    assert!(why.contains("the campaign has sent 12 messages, and its max_messages is 12"), "{why}");
}

#[tokio::test]
async fn a_spent_limit_blocks_a_resume_until_it_is_raised() {
    let mut world = World::of(LANES, None).await;
    let step = "[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
    let whole = world.launch_of(&format!("max_messages = 3\n{}{step}", numbers(6, 0))).await;
    let of_step = format!("{}{step}max_messages = 2\n", numbers(6, 0).replace("promo", "other"));
    let of_step = world.launch_of(&of_step).await;
    world.send().await;
    assert_eq!(world.sms(), 5);
    let (store, clock) = (Arc::clone(&world.store), Arc::clone(&world.clock));
    let batch = async |launched: &Launched| store.batch(launched.batch).await.unwrap().unwrap();
    let kept = |step, limit: &str| UsedUp { step, by: Stop::MaxMessages, limit: limit.to_owned(), reserved: None };
    let refused =
        resume(store.as_ref(), clock.as_ref(), &batch(&whole).await, &Origin::operator("Ann", None)).await.unwrap();
    assert_eq!(refused, Decided::UsedUp(kept(None, "3")));
    let batch = batch(&of_step).await;
    let released =
        release_steps(store.as_ref(), clock.as_ref(), &batch, StepIndex::all(), &Origin::operator("Ann", None))
            .await
            .unwrap();
    assert_eq!(released, Released { noted: None, steps: Vec::new(), used_up: vec![kept(Some(StepIndex::FIRST), "2")] });
    assert_eq!(world.held().await.len(), 1);
    world.amend(&of_step, Some(0), json!({ "max_messages": 4 })).await.unwrap();
    assert_eq!(used_up(store.as_ref(), &batch).await.unwrap(), []);
}

#[tokio::test]
async fn a_budget_is_spent_once_it_pays_for_no_waiting_message() {
    let (mut world, _folder) = with_prices("channel,country,price\nSMS,SG,0.08\nSMS,MY,0.005\nSMS,,0\n").await;
    let step = "[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
    let launched = world.launch_of(&format!("budget = 0.30\n{}{step}", numbers(9, 0))).await;
    world.send().await;
    assert_eq!((world.sms(), world.state(&launched).await.0), (3, BatchState::Paused));
    let batch = world.store.batch(launched.batch).await.unwrap().unwrap();
    // The 0.06 that are left do not pay for a message to Singapore, however cheap other countries are.
    let used_up = used_up(world.store.as_ref(), &batch).await.unwrap();
    assert_eq!(used_up, [UsedUp { step: None, by: Stop::Budget, limit: "0.30".to_owned(), reserved: None }]);
}

#[tokio::test]
async fn a_budget_counts_prices_by_country_and_parts_and_is_not_overdrawn() {
    let (mut world, _folder) = with_prices("channel,country,price,currency\nSMS,SG,0.04,EUR\nSMS,,0.10,EUR\n").await;
    // Each message has two parts: it costs 0.08 in Singapore and 0.20 in Germany.
    let step = format!("[[step]]\nchannel = \"SMS\"\ntext = \"{}\"\nbudget = \"1.30 EUR\"\n", "x".repeat(200));
    let launched = world.launch_of(&format!("{}{step}", numbers(10, 10))).await;
    world.send().await;
    // Ten times 0.08 and twice 0.20 are 1.20; a third message at 0.20 would exceed the budget.
    assert_eq!((world.sms(), world.spent(&launched).await.as_str()), (12, "1.20"));
    let [hold] = &world.held().await[..] else { panic!("one step is held") };
    assert!(
        hold.origin
            .hold_reason()
            .contains("the step has spent 1.20 EUR, and the next message would exceed its budget of 1.30 EUR"),
        "{}",
        hold.origin.hold_reason()
    );
}

#[tokio::test]
async fn a_message_that_is_not_submitted_costs_nothing() {
    let (mut world, _folder) = with_prices("channel,price\nSMS,0.10\n").await;
    world.provider.out.lock().insert("sms".to_owned());
    let text = format!("budget = 0.55\n{}[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n", numbers(9, 0));
    let launched = world.launch_of(&text).await;
    for _ in 0..5 {
        world.send().await;
    }
    assert_eq!((world.sms(), world.spent(&launched).await.as_str()), (0, "0.00"));
    world.provider.out.lock().clear();
    for _ in 0..200 {
        world.send().await;
    }
    assert_eq!((world.sms(), world.spent(&launched).await.as_str()), (5, "0.50"));
    let (state, why) = world.state(&launched).await;
    assert_eq!(state, BatchState::Paused);
    assert!(why.contains("the campaign has spent 0.50, and the next message would exceed its budget of 0.55"), "{why}");
}

#[tokio::test]
async fn messages_unknown_after_a_crash_stay_spent() {
    let (mut world, _folder) = with_prices("channel,price\nSMS,0.10\n").await;
    let text = format!("budget = \"0.30\"\n{}[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n", numbers(9, 0));
    let launched = world.launch_of(&text).await;
    world.node.watch().await;
    world.node.claim(1, true).await.unwrap();
    world.restart().await;
    world.send().await;
    assert_eq!((world.sms(), world.spent(&launched).await.as_str()), (0, "0.30"));
    assert_eq!(world.count_of(&launched, 0, Count::Unknown).await, 3);
}

#[tokio::test]
async fn a_budget_gives_back_what_is_not_delivered_and_pauses_when_nothing_is_reserved() {
    let (mut world, _folder) = with_prices("channel,price,charged\nViber,0.10,delivery\nSMS,0,\n").await;
    let steps = "[[step]]\nchannel = \"Viber\"\ntext = \"Hi\"\nfallback_after = \"15m\"\n[[step]]\nchannel = \"SMS\"\ntext = \
                 \"Hi\"\n";
    let launched = world.launch_of(&format!("budget = 0.30\n{}{steps}", numbers(9, 0))).await;
    let viber = async |world: &World| world.count_of(&launched, 0, Count::HandedOver).await;
    world.send().await;
    assert_eq!((viber(&world).await, world.sums(&launched).await), (3, ["0.00", "0.30"].map(str::to_owned)));
    assert_eq!(world.state(&launched).await.0, BatchState::Running, "it waits");
    let batch = world.store.batch(launched.batch).await.unwrap().unwrap();
    assert_eq!(used_up(world.store.as_ref(), &batch).await.unwrap(), []);
    let [waits] = &reserved(world.store.as_ref(), &batch).await.unwrap()[..] else { panic!("the budget is reserved") };
    assert_eq!(
        waits.what(),
        "the campaign waits: 0.30 of its budget of 0.30 are reserved for messages that may still arrive"
    );
    // Nothing is charged for the one that does not arrive, so another one is sent.
    world.post_receipts(&launched, 0..1, "delivered").await;
    world.post_receipts(&launched, 1..2, "undelivered").await;
    world.clock.advance(Span::from_secs(1));
    world.send().await;
    assert_eq!((viber(&world).await, world.sums(&launched).await), (4, ["0.10", "0.20"].map(str::to_owned)));
    world.post_receipts(&launched, 2..4, "delivered").await;
    world.clock.advance(Span::from_secs(1));
    world.send().await;
    assert_eq!((viber(&world).await, world.sums(&launched).await), (4, ["0.30", "0.00"].map(str::to_owned)));
    let (state, why) = world.state(&launched).await;
    assert_eq!((state, why.as_str()), (BatchState::Paused, "the campaign has spent 0.30; its budget is 0.30"));
    // It may not happen, but the provider delivers what it had reported as undelivered, and charges it.
    world.post_receipts(&launched, 1..2, "delivered").await;
    assert_eq!(world.sums(&launched).await, ["0.40", "0.00"].map(str::to_owned));
}

#[tokio::test]
async fn a_delivery_after_the_fallback_stays_within_the_budget() {
    let (mut world, _folder) = with_prices("channel,price,charged\nViber,0.10,delivery\nSMS,0,\n").await;
    let steps = "[[step]]\nchannel = \"Viber\"\ntext = \"Hi\"\nfallback_after = \"15m\"\nreceipt_window = \"1h\"\n[[step]]\nchannel = \
                 \"SMS\"\ntext = \"Hi\"\n";
    let launched = world.launch_of(&format!("budget = 0.35\n{}{steps}", numbers(9, 0))).await;
    let viber = async |world: &World| world.count_of(&launched, 0, Count::HandedOver).await;
    world.send().await;
    world.clock.advance(Span::from_secs(901));
    world.node.fire().await.unwrap();
    world.send().await;
    assert_eq!((viber(&world).await, world.sms()), (3, 3), "the others wait: each of the three may yet be delivered");
    assert_eq!(world.sums(&launched).await, ["0.00", "0.30"]);
    world.post_receipts(&launched, 0..1, "delivered").await;
    assert_eq!(world.sums(&launched).await, ["0.10", "0.20"]);
    // Two have not been delivered within their window.
    world.clock.advance(Span::from_secs(3_600));
    world.node.keep_house().await.unwrap();
    assert_eq!(world.sums(&launched).await, ["0.10", "0.00"]);
    world.send().await;
    assert_eq!((viber(&world).await, world.sums(&launched).await), (5, ["0.10", "0.20"].map(str::to_owned)));
}

#[tokio::test]
async fn pause_when_pauses_on_too_many_undelivered_and_a_resume_resets_it() {
    let mut world = World::of(LANES, None).await;
    let head = "pause_when = \"undelivered > 20% of the last 50\"\n";
    let steps = "[[step]]\nchannel = \"Viber\"\ntext = \"Hi\"\nfallback_after = \"15m\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
    let launched = world.launch_of(&format!("{head}{}{steps}", numbers(200, 0))).await;
    world.send().await;
    world.node.keep_house().await.unwrap();
    world.post_receipts(&launched, 0..40, "delivered").await;
    world.post_receipts(&launched, 40..50, "undelivered").await;
    assert_eq!(world.state(&launched).await.0, BatchState::Running, "a fifth is not more than a fifth");
    world.post_receipts(&launched, 50..51, "undelivered").await;
    let (state, why) = world.state(&launched).await;
    assert_eq!(state, BatchState::Paused);
    assert!(
        why.contains("11 of 51 recent messages on step 1 (Viber) failed: undelivered or rejected (pause_when)"),
        "{why}"
    );
    world.node.keep_house().await.unwrap();
    world.moves(&launched, BatchState::Paused, BatchState::Running).await;
    world.node.keep_house().await.unwrap();
    world.post_receipts(&launched, 51..60, "undelivered").await;
    world.post_receipts(&launched, 60..100, "delivered").await;
    assert_eq!(world.state(&launched).await.0, BatchState::Running);
    world.post_receipts(&launched, 100..150, "undelivered").await;
    assert_eq!(world.state(&launched).await.0, BatchState::Paused);
}

#[tokio::test]
async fn hold_paid_when_holds_the_next_step_that_costs_money() {
    let (mut world, _folder) = with_prices("channel,price\nSMS,0.10\nViber,0\n").await;
    let head = "hold_paid_when = \"undelivered > 50% of the last 20\"\n";
    let steps = "[[step]]\nchannel = \"Viber\"\ntext = \"Hi\"\nfallback_after = \"15m\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
    let launched = world.launch_of(&format!("{head}{}{steps}", numbers(60, 0))).await;
    world.send().await;
    world.node.keep_house().await.unwrap();
    world.post_receipts(&launched, 0..20, "undelivered").await;
    world.send().await;
    assert_eq!(world.sms(), 0, "no paid message is sent while the fault may be ours");
    let [hold] = &world.held().await[..] else { panic!("one step is held") };
    assert_eq!(hold.step.get(), 1);
    assert!(
        hold.origin.hold_reason().contains(
            "20 of 20 recent messages on step 1 (Viber) failed: undelivered or rejected; this step costs money"
        ),
        "{}",
        hold.origin.hold_reason()
    );
    // Meanwhile the first step continues. The rule does not undo the operator's decision.
    world.restart().await;
    world.resume_steps(&launched).await;
    world.send().await;
    assert_eq!(world.sms(), 20);
    world.node.keep_house().await.unwrap();
    world.post_receipts(&launched, 20..45, "undelivered").await;
    world.send().await;
    assert_eq!((world.sms(), world.held().await.len()), (45, 0));
    let events = world.store.events(Cursor::START, 100).await.unwrap();
    let texts: Vec<String> = events.iter().map(|(_, event)| event.sentence()).collect();
    assert!(texts.iter().any(|text| text.contains(", step 2: held: 20 of 20 recent")), "{texts:?}");
    assert!(texts.iter().any(|text| text.ends_with(", step 2: resumed by Ann")), "{texts:?}");
    let batch = world.store.batch(launched.batch).await.unwrap().unwrap();
    let again = release_steps(
        world.store.as_ref(),
        world.clock.as_ref(),
        &batch,
        StepIndex::all(),
        &Origin::operator("Ann", None),
    )
    .await
    .unwrap();
    assert_eq!((again.noted, again.used_up), (None, Vec::new()), "no step is held");
}

#[tokio::test]
async fn a_step_paused_by_an_operator_sends_nothing_while_others_continue() {
    let mut world = World::of(LANES, None).await;
    let steps = "[[step]]\nchannel = \"Viber\"\ntext = \"Hi\"\nfallback_after = \"15m\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
    let launched = world.launch_of(&format!("{}{steps}", numbers(5, 0))).await;
    let (batch, now) = (launched.batch, world.clock.now());
    let (step, by) = (StepIndex::new(1).unwrap(), crate::store::StepHeldBy::Operator);
    let hold = StepHold { batch, step, by, origin: Origin::operator("Ann", None), since: now, recall: None };
    world.store.hold_step(hold.clone(), now).await.unwrap().unwrap();
    assert_eq!(world.store.hold_step(hold, now).await.unwrap(), None, "the step is already held");
    world.node.watch().await;
    world.send().await;
    world.post_receipts(&launched, 0..5, "undelivered").await;
    world.send().await;
    assert_eq!((world.provider.taken.lock().len(), world.sms()), (5, 0));
    world.resume_steps(&launched).await;
    world.send().await;
    assert_eq!(world.sms(), 5);
    let key = MessageKey { batch, n: 0 };
    assert_eq!(world.store.attempts(vec![key]).await.unwrap()[0].len(), 2);
}
