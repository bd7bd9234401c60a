//! Four days of a campaign with a thousand recipients on a tier of 250, with every room run by hand.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::small::{World, numbers, recipient};
use crate::base::clock::Clock;
use crate::base::domain::{
    BatchState, Channel, Count, MessageKey, Msisdn, Outcome, OverridableSetting, Span, State, StepIndex, Timestamp,
};
use crate::base::events::Origin;
use crate::campaigns::campaign::{Draft, Launched, Lint};
use crate::rules::forecast::{Booking, Bottleneck, Forecast};
use crate::store::{Inbound, Override, WebhookGroup};

const CONFIG: &str = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
    webhook_authorization = \"hook\"\n\
    [[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\nrate = \"80/s\"\ntier = \"250\"\nportfolio = \"acme\"\nnumber = \"+15550783881\"\n\
    [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nrate = \"1000/s\"\nsource = \"ACME\"\n";
const RECIPIENTS: u32 = 1_000;
const HOUR: Span = Span::from_secs(3_600);
const DAY: Span = Span::from_secs(86_400);

async fn campaign(world: &World, of_first: &str, then: &str) -> Launched {
    world.launch_of(&text(0..RECIPIENTS, of_first, then)).await
}

fn text(recipients: std::ops::Range<u32>, of_first: &str, then: &str) -> String {
    format!(
        "{}\n[[step]]\nchannel = \"WhatsApp\"\n{of_first}\n[step.template]\nname = \"promo\"\n\
         language = \"en\"\ncategory = \"MARKETING\"\n{then}",
        numbers(recipients)
    )
}

impl World {
    pub(super) fn sent_count(&self) -> usize {
        self.provider.taken.lock().len() + self.provider.sms.lock().len()
    }

    /// Stores a message from a recipient, which opens a window of a day.
    async fn write_to_us(&self, recipient: Msisdn) {
        let now = self.clock.now();
        let inbound = Inbound {
            umid: recipient.to_string(),
            received: now,
            written_at: now,
            sub_account: "acme".to_owned(),
            channel: Some(Channel::WhatsApp),
            channel_id: String::new(),
            msisdn: Some(recipient),
            called: None,
            kind: "text".to_owned(),
            choice: None,
            keyword: None,
            language: None,
            window: Some(now + DAY),
            on: None,
            raw: "{}".to_owned(),
        };
        self.store.take(WebhookGroup { written: vec![inbound], ..WebhookGroup::default() }).await.unwrap();
    }

    /// Posts an event that changes the tier of the number.
    async fn change_tier(&mut self, event: &str, limit: &str) {
        let event = serde_json::json!({
            "eventId": format!("{event} {limit}"),
            "timestamp": self.clock.now().rfc3339(),
            "eventType": "phone_number_quality_update",
            "eventDetails": { "displayPhoneNumber": "15550783881", "meta": { "event": event, "currentLimit": limit } },
        });
        self.node.take(&[event.to_string().as_bytes()]).await[0].clone().unwrap();
    }

    /// Posts an event that announces the template's disabling in a day.
    async fn flag_template(&mut self) {
        let at = (self.clock.now() + DAY).rfc3339();
        let event = serde_json::json!({
            "eventId": "flagged",
            "timestamp": self.clock.now().rfc3339(),
            "eventType": "template_status_update",
            "eventDetails": { "templateName": "promo", "templateLanguage": "en",
                "meta": { "status": "FLAGGED", "disableInfo": { "disableDate": at } } },
        });
        self.node.take(&[event.to_string().as_bytes()]).await[0].clone().unwrap();
    }

    /// Returns the warnings of a plan for these recipients.
    async fn warned(&self, recipients: std::ops::Range<u32>) -> Vec<Lint> {
        let draft = Draft::parse("test.toml", &text(recipients, "", "")).unwrap();
        let prepared = self.launcher().plan(&draft).await.unwrap();
        prepared.warnings.iter().map(|warning| warning.code).collect()
    }

    /// Returns how many messages of a campaign were sent on WhatsApp.
    fn sent_of(&self, launched: &Launched) -> usize {
        self.provider.taken.lock().iter().filter(|(_, key)| key.batch == launched.batch).count()
    }

    /// Returns how many different recipients were sent a message on WhatsApp.
    fn recipient_count(&self) -> usize {
        self.provider.taken.lock().iter().map(|(_, key)| key.n).collect::<BTreeSet<_>>().len()
    }

    /// Lets an hour pass; everything that may be sent is sent at its beginning.
    async fn hour(&mut self) {
        let until = self.clock.now() + HOUR;
        // A slot is held for somewhat more than a day, so each day begins somewhat later.
        for wait in [0, 10, 10, 10] {
            self.clock.advance(Span::from_secs(wait * 60));
            let mut before = usize::MAX;
            while std::mem::replace(&mut before, self.sent_count()) != self.sent_count() {
                self.send().await;
            }
        }
        self.node.fire().await.unwrap();
        self.node.keep_house().await.unwrap();
        self.clock.advance(until.since(self.clock.now()));
    }

    async fn hours(&mut self, hours: u32) {
        for _ in 0..hours {
            self.hour().await;
        }
    }

    async fn post_receipt(&mut self, launched: &Launched, n: u32, state: &str) {
        let key = MessageKey { batch: launched.batch, n };
        let umid = self.store.attempts(vec![key]).await.unwrap().concat()[0].umid.clone().unwrap();
        let code = (state == "undelivered").then_some(2_008);
        let event = serde_json::json!({ "eventType": "outbound_message_status_changed", "payload": {
            "umid": umid.as_str(), "subAccountId": "acme", "channel": "whatsapp",
            "status": { "state": state, "errorCode": code }
        } });
        self.node.take(&[event.to_string().as_bytes()]).await[0].clone().unwrap();
    }

    /// Checks that the provider never sees more recipients in a rolling day than the tier allows.
    fn check_tier(&self, tier: usize) {
        let taken = self.provider.taken.lock();
        for (index, (at, _)) in taken.iter().enumerate() {
            let day = taken[..=index].iter().filter(|(before, _)| *before + DAY > *at);
            let recipients: BTreeSet<MessageKey> = day.map(|(_, key)| *key).collect();
            assert!(recipients.len() <= tier, "{} recipients in the day before {}", recipients.len(), at.rfc3339());
        }
    }

    fn free_at(&self) -> Option<Timestamp> {
        self.node.lanes()[0].tier.as_ref().and_then(|tier| tier.free_at)
    }
}

#[tokio::test]
async fn a_tier_of_250_sends_to_1000_recipients_in_four_days() {
    let mut world = World::of(CONFIG, None).await;
    let begun = world.clock.now();
    let launched = campaign(&world, "", "").await;
    for day in 1..=4 {
        world.hour().await;
        assert_eq!(world.recipient_count(), day * 250, "in the first hour of day {day}");
        // It reports until when it waits, and nothing is sent before.
        let free_at = world.free_at().unwrap();
        let next = begun + Span::from_millis(DAY.millis() * i64::try_from(day).unwrap());
        assert!(free_at >= next && free_at.since(next) < HOUR, "day {day}: {}", free_at.rfc3339());
        world.hours(11).await;
        // In the middle of the day another server takes over, which knows what the first one did.
        world.down_for(HOUR).await;
        world.hours(11).await;
        assert_eq!(world.recipient_count(), day * 250, "for the rest of day {day}");
    }
    world.check_tier(250);
    for n in 0..RECIPIENTS {
        assert!(matches!(world.message(&launched, n).await.state, State::Awaiting { .. }), "{n}");
    }
}

#[tokio::test]
async fn a_forecast_counts_the_tier_its_used_slots_and_other_campaigns() {
    let mut world = World::of(CONFIG, None).await;
    let tier = || Some(Bottleneck::Tier { portfolio: "acme".to_owned() });
    let days = |forecast: &Forecast, since: Timestamp| forecast.done_at.since(since).millis() / DAY.millis();
    let begun = world.clock.now();
    let alone = world.forecast_of(&text(0..RECIPIENTS, "", "")).await;
    assert_eq!((days(&alone, begun), alone.bottleneck), (3, tier()));
    let booked = |booking: &Booking| booking.days.iter().map(|day| (day.recipients, day.others)).collect::<Vec<_>>();
    assert_eq!(booked(&alone.bookings[0]), [(250, 0); 4]);
    let launched = campaign(&world, "", "").await;
    world.hour().await;
    // The forecast of a running campaign covers the messages that are still to be sent.
    let (batch, plan) =
        (world.store.batch(launched.batch).await.unwrap(), world.store.plan(launched.batch).await.unwrap());
    let (tallies, now) = (world.store.tallies(launched.batch).await.unwrap(), world.clock.now());
    let rest = world.launcher().forecast_of(&batch.unwrap(), &plan.unwrap(), &tallies, now).await.unwrap().unwrap();
    assert_eq!((days(&rest, begun), rest.bottleneck), (3, tier()));
    assert_eq!(booked(&rest.bookings[0]), [(250, 0); 3]);
    // The other campaigns get half of the slots of days two and three.
    let beside = world.forecast_of(&text(RECIPIENTS..RECIPIENTS + 250, "", "")).await;
    assert_eq!(booked(&beside.bookings[0]), [(125, 125); 2]);
    assert_eq!((days(&beside, begun), beside.bottleneck), (2, tier()));
}

#[tokio::test]
async fn a_campaign_that_outlasts_its_flagged_template_gets_a_warning() {
    let mut world = World::of(CONFIG, None).await;
    assert!(!world.warned(0..RECIPIENTS).await.contains(&Lint::TemplateFlagged));
    world.flag_template().await;
    assert!(world.warned(0..RECIPIENTS).await.contains(&Lint::TemplateFlagged), "day four is later than tomorrow");
    assert!(!world.warned(0..250).await.contains(&Lint::TemplateFlagged), "a campaign that ends today gets no warning");
    let launched = campaign(&world, "", "").await;
    let [(batch, flagged, sentence)] = &world.launcher().flagged_everywhere().await.unwrap()[..] else { panic!("one") };
    assert_eq!((batch.id, flagged.step, flagged.template.as_str()), (launched.batch, StepIndex::FIRST, "promo"));
    assert!(sentence.contains("has flagged template promo (en)"), "{sentence}");
}

#[tokio::test]
async fn an_open_window_needs_no_slot_and_an_undelivered_message_frees_one() {
    let mut world = World::of(CONFIG, None).await;
    let launched = campaign(&world, "", "").await;
    for n in 0..5 {
        world.write_to_us(recipient(n)).await;
    }
    world.hour().await;
    assert_eq!(world.recipient_count(), 255);
    for n in 5..15 {
        world.post_receipt(&launched, n, "undelivered").await;
    }
    world.hour().await;
    assert_eq!(world.recipient_count(), 265);
    assert_eq!(world.message(&launched, 5).await.outcome(), Some(Outcome::Undelivered));
}

#[tokio::test]
async fn on_tier_spent_fall_back_uses_the_next_step_on_day_one() {
    let mut world = World::of(CONFIG, None).await;
    let steps = "[[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n";
    campaign(&world, "on_tier_spent = \"fall_back\"\nfallback_after = \"30d\"", steps).await;
    world.hour().await;
    assert_eq!((world.recipient_count(), world.provider.sms.lock().len()), (250, 750));
}

#[tokio::test]
async fn a_raised_tier_sends_the_rest_at_once_and_a_lowered_one_holds_it() {
    let mut world = World::of(CONFIG, None).await;
    let launched = campaign(&world, "", "").await;
    world.hour().await;
    world.change_tier("UPGRADE", "TIER_2K").await;
    world.hours(2).await;
    assert_eq!(world.recipient_count(), 1_000);
    // The tier is below its use: a new recipient waits until that many slots have become free.
    world.change_tier("DOWNGRADE", "TIER_250").await;
    let second = campaign(&world, "", "").await;
    world.hours(3).await;
    // All recipients of the first day already hold a slot.
    assert_eq!((world.recipient_count(), world.sent_of(&second)), (1_000, 1_000));
    assert_eq!(world.message(&launched, 999).await.step, StepIndex::FIRST);
    // So a plan for them books no day, and a plan for others foresees that they wait.
    let foreseen = world.forecast_of(&text(0..RECIPIENTS, "", "")).await;
    assert!(foreseen.bookings[0].days.is_empty(), "{foreseen:?}");
    assert!(!world.warned(0..RECIPIENTS).await.contains(&Lint::SmallTier));
    assert!(world.warned(RECIPIENTS..2 * RECIPIENTS).await.contains(&Lint::SmallTier));
    let newcomers = world.launch_of(&text(RECIPIENTS..RECIPIENTS + 100, "", "")).await;
    world.hours(15).await;
    assert_eq!(world.sent_of(&newcomers), 0, "a thousand hold slots, and the tier has 250");
    world.hours(30).await;
    assert_eq!(world.sent_of(&newcomers), 100);
}

#[tokio::test]
async fn recipients_with_unknown_attempts_keep_their_slots() {
    let mut world = World::of(CONFIG, None).await;
    let launched = campaign(&world, "", "").await;
    world.provider.breaks.store(true, Ordering::Relaxed);
    world.hour().await;
    world.provider.breaks.store(false, Ordering::Relaxed);
    let unknown = world.store.tallies(launched.batch).await.unwrap().total(Count::Unknown);
    assert!(unknown > 0);
    world.hours(6).await;
    assert_eq!(world.recipient_count(), 250, "{unknown} of them are unknown");
}

async fn set_tier(world: &mut World, tier: &str) {
    let (name, now) = ("acme".to_owned(), world.clock.now());
    let (value, in_file) = (tier.to_owned(), "unlimited".to_owned());
    let overridden = Override {
        setting: OverridableSetting::Tier,
        name,
        value,
        in_file,
        origin: Origin::operator("Ann", None),
        since: now,
    };
    world.store.set_override(overridden, now).await.unwrap();
    world.node.watch().await;
    world.clock.advance(Span::from_secs(1));
}

#[tokio::test]
async fn a_slot_count_restarts_if_the_portfolio_was_unlimited_meanwhile() {
    let mut world = World::of(&CONFIG.replace("tier = \"250\"", "tier = \"unlimited\""), None).await;
    // More campaigns than one look counts; the first of them waits.
    let named = |n: u32| format!("name = \"{n}\"\n{}", text(n..n + 1, "", ""));
    let first = world.launch_of(&named(0)).await;
    for n in 1..30 {
        world.launch_of(&named(n)).await;
    }
    world.moves(&first, BatchState::Running, BatchState::Paused).await;
    world.send().await;
    set_tier(&mut world, "250").await;
    set_tier(&mut world, "unlimited").await;
    world.moves(&first, BatchState::Paused, BatchState::Running).await;
    world.send().await;
    assert_eq!(world.sent_count(), 30);
    set_tier(&mut world, "250").await;
    for _ in 0..9 {
        world.node.watch().await;
    }
    assert_eq!(world.store.tiers_used(world.clock.now() - DAY).await.unwrap()["acme"], 30);
}
