//! Tests every promise of a store against `dyn Store`, once for every kind of store.

mod addresses;
mod asking;
mod audiences;
mod batches;
mod catalogue;
mod changes;
mod claims;
mod counters;
mod deliveries;
mod drafts;
mod figures;
mod filled;
mod health;
mod hours;
mod inbound;
mod joining;
mod keys;
mod lanes;
mod leases;
mod limits;
mod nodes;
mod pages;
mod possible_stops;
mod receipts;
mod requests;
mod restores;
mod retention;
mod round_trip;
mod sessions;
mod settings;
mod shared_reports;
mod sketches;
mod tiers;
mod timers;
mod uploads;
mod walks;
mod wishes;

use std::ops::Deref;
use std::sync::Arc;

use super::{
    Alias, Attempt, Change, Claim, Claimed, ClaimedSet, Cursor, Epoch, Inbound, KnownAs, NamingLane, NewAudience,
    NewBatch, PieceOfMessages, Receipt, RecipientRow, Start, Store, Stray, Verdict, WebhookGroup,
};
use crate::base::clock::{Clock, ManualClock};
use crate::base::domain::{
    AddressKey, AudienceId, BatchId, BatchState, Channel, Country, Fields, LaneId, Loaded, MessageKey, Money, Msisdn,
    OptOutOf, Plan, Present, Queue, Recipient, Span, State, Status, Step, StepIndex, Tag, Tallies, Timestamp, Umid,
};
use crate::base::events::Origin;
use crate::rules::engine::Ruling;
use crate::rules::planner::{Referral, ReferralReason, Rest};

/// Runs each test once for every kind of store. Another database is one more name in the list, with the constructor of a
/// [`Desk`] on it.
macro_rules! for_every_store {
    ($($test:ident),+ $(,)?) => {
        for_every_store! { @kinds [in_memory, in_a_file] [$($test),+] }
    };
    (@kinds [$($kind:ident),+] $tests:tt) => {
        $(for_every_store! { @kind $kind $tests })+
    };
    (@kind $kind:ident [$($test:ident),+]) => {
        mod $kind {
            $(#[tokio::test] async fn $test() { super::$test(super::Desk::$kind().await).await; })+
        }
    };
}
use for_every_store;

/// A fresh store, with the set-up that most tests need.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    /// The folder of the store, dropped after it.
    _folder: Option<tempfile::TempDir>,
}

impl Deref for Desk {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &*self.store
    }
}

impl Desk {
    async fn in_memory() -> Self {
        Self::at("sqlite::memory:", None).await
    }

    async fn in_a_file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("volley.db").display());
        Self::at(&url, Some(folder)).await
    }

    pub(crate) async fn at(url: &str, folder: Option<tempfile::TempDir>) -> Self {
        let clock = Arc::new(ManualClock::at(at(0)));
        let store = super::open(url, Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        Self { store, clock, _folder: folder }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn take_receipts(
        &self,
        receipts: Vec<Receipt>,
        strays: Vec<Stray>,
        changes: Vec<Change>,
    ) -> super::Result<Vec<MessageKey>> {
        Ok(self.take(WebhookGroup { receipts, strays, changes, ..WebhookGroup::default() }).await?.stale)
    }

    async fn take_inbound(&self, written: Vec<Inbound>) -> super::Result<Vec<Vec<AddressKey>>> {
        Ok(self.take(WebhookGroup { written, ..WebhookGroup::default() }).await?.writers)
    }

    /// The same in an installation that confirms opt-outs.
    async fn take_confirming(&self, written: Vec<Inbound>) -> super::Result<()> {
        self.take(WebhookGroup { written, confirms: true, ..WebhookGroup::default() }).await.map(drop)
    }

    async fn learn_aliases(&self, aliases: Vec<Alias>) -> super::Result<Vec<AddressKey>> {
        Ok(self.take(WebhookGroup { aliases, ..WebhookGroup::default() }).await?.named)
    }

    async fn keep_naming_lanes(&self, naming: Vec<NamingLane>) -> super::Result<()> {
        self.take(WebhookGroup { naming, ..WebhookGroup::default() }).await.map(drop)
    }

    async fn lane(&self, name: &str, channel: Channel) -> LaneId {
        let lanes = self.lanes(vec![(name.to_owned(), channel)]).await.unwrap();
        lanes.into_iter().find(|lane| lane.name == name).unwrap().id
    }

    async fn begin(&self, name: Option<&str>) -> AudienceId {
        self.begin_audience(NewAudience {
            known_as: name.map_or(KnownAs::Nothing, |name| KnownAs::Name(name.to_owned())),
            source: "people.csv".to_owned(),
            columns: vec!["name".to_owned(), "code".to_owned()],
            now: self.now(),
        })
        .await
        .unwrap()
    }

    /// A published audience of this size.
    async fn audience(&self, name: Option<&str>, size: u32) -> AudienceId {
        let audience = self.begin(name).await;
        self.add_recipients(audience, 0, recipients(0..size)).await.unwrap();
        self.publish_audience(audience, size, "{}".to_owned()).await.unwrap();
        audience
    }

    async fn begin_batch_of(&self, name: Option<&str>, audience: AudienceId) -> BatchId {
        self.begin_batch_of_all(name, vec![audience]).await
    }

    async fn begin_batch_of_all(&self, name: Option<&str>, audience_ids: Vec<AudienceId>) -> BatchId {
        self.begin_batch(NewBatch {
            tag: tag(),
            plan: plan(),
            name: name.map(str::to_owned),
            audience: "people".to_owned(),
            audience_ids,
            starts_at: None,
            open_until: None,
            now: self.now(),
        })
        .await
        .unwrap()
    }

    async fn spread_of(&self, batch: BatchId, audience: AudienceId, until: u32) -> PieceOfMessages {
        let lane = self.lane("wa", Channel::WhatsApp).await;
        PieceOfMessages {
            batch,
            audience,
            from: 0,
            until,
            base: 0,
            over: None,
            start: Start::of(&Present::queued(self.now(), None), vec![lane]),
            elsewhere: Vec::new(),
            users: Vec::new(),
            excluded: Vec::new(),
            lacking: Vec::new(),
            left_out: Vec::new(),
            heeds: Some(OptOutOf::Marketing),
            now: self.now(),
        }
    }

    /// A running batch of this size, with all messages in the queue of their first step.
    async fn batch_of(&self, messages: u32) -> BatchId {
        let audience = self.audience(None, messages).await;
        let batch = self.begin_batch_of(None, audience).await;
        let spread = self.spread_of(batch, audience, messages).await;
        assert_eq!(self.write_messages(spread).await.unwrap(), messages);
        self.publish_batch(batch, BatchState::Running, Origin::SERVER, self.now()).await.unwrap();
        batch
    }

    async fn claim_of(&self, batch: BatchId, limit: u32) -> Claim {
        let lane = self.lane("wa", Channel::WhatsApp).await;
        Claim::of(lane, vec![Queue { batch, step: StepIndex::FIRST, lane }], limit, self.now())
    }

    async fn claimed(&self, batch: BatchId, limit: u32) -> ClaimedSet {
        let claim = self.claim_of(batch, limit).await;
        self.claim(claim).await.unwrap()
    }

    async fn one(&self, batch: BatchId, n: u32) -> Loaded {
        self.load(vec![MessageKey { batch, n }]).await.unwrap().into_iter().next().unwrap()
    }

    /// All messages of a batch, in any state.
    async fn all(&self, batch: BatchId, messages: u32) -> Vec<Loaded> {
        self.load((0..messages).map(|n| MessageKey { batch, n }).collect()).await.unwrap()
    }

    /// Checks that the counters equal the sum over all messages.
    async fn counters_equal_rows(&self, batch: BatchId, messages: u32) {
        let mut counted = Tallies::default();
        let all = self.all(batch, messages).await;
        for message in &all {
            counted.weigh(usize::from(STEPS), &message.present, 1);
        }
        let kept = self.tallies(batch).await.unwrap();
        let (kept, counted): (Vec<_>, Vec<_>) = (kept.entries().collect(), counted.entries().collect());
        assert_eq!(kept, counted);
    }
}

const STEPS: u8 = 3;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + seconds * 1_000)
}

fn tag() -> Tag {
    Tag::from_random(0x1234_5678_9abc)
}

fn step(index: u8) -> StepIndex {
    StepIndex::new(index).unwrap()
}

fn msisdn(n: u32) -> Msisdn {
    Msisdn::try_from(6_591_000_000_u64 + u64::from(n)).unwrap()
}

fn address_key(n: u32) -> AddressKey {
    msisdn(n).into()
}

fn recipients(numbers: std::ops::Range<u32>) -> Vec<Recipient> {
    numbers
        .map(|n| Recipient {
            address: Some(msisdn(n).into()),
            country: "SG".parse::<Country>().unwrap(),
            client_message_id: n.is_multiple_of(2).then(|| format!("theirs-{n}").into()),
            fields: Fields::pack([format!("Ann {n}").as_str(), "\"quoted\""]),
        })
        .collect()
}

/// What only the rows of [`recipients`] have.
fn rows(numbers: std::ops::Range<u32>) -> Vec<RecipientRow> {
    let row = |Recipient { client_message_id, fields, .. }| RecipientRow { client_message_id, fields };
    recipients(numbers).into_iter().map(row).collect()
}

fn plan() -> Plan {
    let step = |channel: Channel, lane: &str| Step {
        fallback_after: Some(Span::from_secs(900)),
        ..Step::of_text(channel, lane, "Hi {{name}}")
    };
    Plan {
        columns: vec!["name".to_owned(), "code".to_owned()],
        ..Plan::of_steps(vec![step(Channel::WhatsApp, "wa"), step(Channel::Viber, "vb"), step(Channel::Sms, "sms")])
    }
}

fn umid(n: u32) -> Umid {
    Umid::new(&uuid::Uuid::from_u128(0x5f1d_3c2e << 96 | u128::from(n)).to_string())
}

fn change(message: &Loaded, after: Present) -> Change {
    Change {
        key: message.key,
        address: message.address,
        version: message.version,
        before: message.present,
        after,
        lane_before: message.lane,
        lane: message.lane,
        steps: STEPS,
        fact: None,
        ruling: Ruling::default(),
        notes: Vec::new(),
        settlements: Vec::new(),
        observed: Vec::new(),
    }
}

/// The message was submitted and accepted.
fn accepted(message: &Loaded, now: Timestamp) -> Change {
    let step = message.present.step;
    let after = Present {
        state: State::Awaiting { due: now + Span::from_secs(900) },
        marks: message.present.marks.with_handed_over(step).with_status(step, Status::Accepted),
        first_submitted_at: message.present.first_submitted_at.or(Some(now)),
        accepted: Some(now),
        ..message.present
    };
    let fact = attempt(message, now, Verdict::Accepted, Some(umid(message.key.n)));
    Change { fact: Some(fact), ..change(message, after) }
}

/// The message was submitted with an unknown result.
fn unknown(message: &Loaded, now: Timestamp) -> Change {
    let step = message.present.step;
    let accepted = accepted(message, now);
    let marks = message.present.marks.with_handed_over(step).with_unknown(step, true);
    let fact = attempt(message, now, Verdict::Unknown, None);
    Change { after: Present { marks, ..accepted.after }, fact: Some(fact), ..accepted }
}

fn attempt(message: &Loaded, now: Timestamp, verdict: Verdict, umid: Option<Umid>) -> Attempt {
    Attempt {
        step: message.present.step,
        lane: message.lane,
        queued: at(0),
        intent: Some(now),
        answered: now,
        verdict,
        tries: message.present.tries,
        code: Some(21),
        detail: Some("a detail".to_owned()),
        umid,
        ruling: Ruling::default(),
    }
}

/// A text from recipient `n` that is neither an opt-out nor an opt-in.
fn text(umid: String, n: u32, second: i64) -> Inbound {
    Inbound {
        umid,
        received: at(second),
        written_at: at(second),
        sub_account: "acme".to_owned(),
        channel: Some(Channel::WhatsApp),
        channel_id: String::new(),
        msisdn: Some(msisdn(n)),
        called: None,
        kind: "text".to_owned(),
        choice: None,
        keyword: None,
        language: None,
        window: None,
        on: None,
        raw: "{}".to_owned(),
    }
}

/// The queues without a message that may be sent now, each with the time of its next message.
fn drained(set: &ClaimedSet) -> Vec<(Queue, Option<Timestamp>)> {
    let drained = |(queue, rest): &(Queue, Rest)| match rest {
        Rest::Drained { next } => Some((*queue, *next)),
        Rest::More | Rest::ForSlot | Rest::Stuck | Rest::Capped(_) => None,
    };
    set.rests.iter().filter_map(drained).collect()
}

/// The queues whose part in the claim ended like this.
fn ended(set: &ClaimedSet, like: Rest) -> Vec<Queue> {
    set.rests.iter().filter(|(_, rest)| *rest == like).map(|(queue, _)| *queue).collect()
}

/// The messages outside their hours, each with its next opening.
fn closed(set: &ClaimedSet) -> Vec<(Loaded, Timestamp)> {
    let closed = |Referral { message, reason }: &Referral| match reason {
        ReferralReason::Closed { until } => Some((*message, *until)),
        ReferralReason::TierSpent => None,
    };
    set.referred.iter().filter_map(closed).collect()
}

/// The messages that fall back because no slot is free.
fn without_place(set: &ClaimedSet) -> Vec<Loaded> {
    set.referred
        .iter()
        .filter(|referral| referral.reason == ReferralReason::TierSpent)
        .map(|referral| referral.message)
        .collect()
}

fn messages(set: &ClaimedSet) -> Vec<Loaded> {
    set.messages.iter().map(|claimed: &Claimed| claimed.message).collect()
}

/// A queue of the lane that claims.
fn queue(claim: &Claim, batch: BatchId, index: u8) -> Queue {
    Queue { batch, step: step(index), lane: claim.lane }
}

fn numbers(messages: &[Loaded]) -> Vec<u32> {
    messages.iter().map(|message| message.key.n).collect()
}
