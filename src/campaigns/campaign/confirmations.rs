//! Confirms opt-outs by keyword to their recipients, if the configuration has a text for it.
//!
//! A confirmation is a single message on the channel of the STOP. It is queued in the transaction that forgets that it was
//! due, so an opt-out is confirmed at most once, whatever ends the process. It is free text, and the STOP has just opened
//! the window for it. A recipient who has opted in again meanwhile gets none.

use std::collections::HashSet;
use std::sync::Arc;

use super::launch::{LaunchError, Launcher};
use crate::base::clock::{Chance, Clock};
use crate::base::config::{Config, Lane};
use crate::base::domain::{
    Causes, Channel, ChannelUser, Fields, Language, Member, Msisdn, OptOutOf, Plan, Pool, Purpose, Recipient, Span,
    Step, Timestamp,
};
use crate::base::events::Origin;
use crate::recipients::audience::{self, Options, Source, SourceFilter};
use crate::rules::template::{self, Sending};
use crate::store::{Cursor, Inbound, Result, Store};

/// Confirmations looked at in one round.
const PAGE: u32 = 200;
// A confirmation later than 15 minutes after the reply would puzzle its recipient.
/// How old a reply may be when its confirmation is queued: a server may have been down.
const QUEUED_WITHIN: Span = Span::from_secs(10 * 60);
/// How long it may then wait to be sent.
const SENT_WITHIN: Span = Span::from_secs(5 * 60);
/// The column with the recipient's id on LINE.
const LINE_ID: &str = "LineId";

/// Queues the confirmations that are due.
#[derive(Debug)]
pub struct OptOutConfirmations {
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    chance: Arc<Chance>,
    /// The decision up to which none is due. Every opt-out is a decision.
    none_until: Option<u64>,
}

impl OptOutConfirmations {
    pub const fn new(config: Arc<Config>, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Self {
        Self { config, clock, chance, none_until: None }
    }

    /// Queues due confirmations, and forgets those that are too late or cannot be sent. `seq` is the latest decision.
    pub(super) async fn run_once(&mut self, store: &dyn Store, seq: u64, now: Timestamp) -> Result<()> {
        if self.none_until == Some(seq) {
            return Ok(());
        }
        let due = store.due_confirmations(PAGE).await?;
        let is_last = due.len() < PAGE as usize;
        let writers: Vec<Msisdn> = due.iter().filter_map(|(_, inbound)| inbound.msisdn).collect();
        let opted_out: HashSet<Msisdn> = store.opted_out(writers, OptOutOf::Marketing).await?.into_iter().collect();
        let mut groups: Vec<(Plan, Vec<Recipient>, Vec<Cursor>)> = Vec::new();
        let mut dropped = Vec::new();
        for (position, inbound) in due {
            let is_opted_out = inbound.msisdn.is_some_and(|writer| opted_out.contains(&writer));
            let message = if is_opted_out { self.message(&inbound, now).await } else { None };
            let Some((plan, recipient)) = message else {
                dropped.push(position);
                continue;
            };
            match groups.iter_mut().find(|(known, ..)| *known == plan) {
                Some((_, recipients, positions)) => {
                    recipients.push(recipient);
                    positions.push(position);
                }
                None => groups.push((plan, vec![recipient], vec![position])),
            }
        }
        for (plan, recipients, positions) in groups {
            let Self { config, clock, chance, .. } = self;
            let launcher = Launcher { store, clock: clock.as_ref(), chance, config, by: Origin::SERVER };
            match launcher.confirm(plan, recipients, positions.clone()).await {
                Ok(_) => {}
                Err(LaunchError::Store(error)) => return Err(error),
                Err(error) => {
                    tracing::warn!(error = %Causes(&error), "cannot confirm opt-outs");
                    dropped.extend(positions);
                }
            }
        }
        if !dropped.is_empty() {
            store.forget_confirmations(dropped).await?;
        }
        self.none_until = is_last.then_some(seq);
        Ok(())
    }

    /// The confirmation of a STOP; `None` if none is to be sent.
    async fn message(&self, inbound: &Inbound, now: Timestamp) -> Option<(Plan, Recipient)> {
        let confirmation = self.config.opt_out.confirm.as_ref()?;
        let (channel, msisdn) = (inbound.channel?, inbound.msisdn?);
        if now.since(inbound.received) > QUEUED_WITHIN {
            return None;
        }
        let lane = self.lane(channel, inbound)?;
        let (number, filter) = (Source::numbers(vec![msisdn.to_string()]), SourceFilter::default());
        let (_, summary) = audience::only_addresses(number, Options::default(), filter).await.ok()?;
        let country = *summary.countries.keys().next()?;
        let language = inbound.language.or_else(|| Language::of_country(country));
        let mut step = Step {
            purpose: Some(Purpose::Service),
            lanes: Pool::try_from(vec![Member { source: lane.source.clone(), ..Member::new(&lane.name) }]).ok()?,
            leave_within: Some(SENT_WITHIN),
            ..Step::of_text(channel, &lane.name, confirmation.text(language))
        };
        // Without this, the provider would refuse it, and a refusal of a content holds what sends it.
        let sending = Sending { channel, transliterates: step.transliterate, reachable: lane.provider.reachable() };
        if let Some(problem) = template::check(sending, &step.content).first() {
            tracing::warn!(lane = %lane.name, reason = %problem, "cannot confirm an opt-out");
            return None;
        }
        let (mut columns, mut fields) = (Vec::new(), Vec::new());
        if channel == Channel::Line {
            let ChannelUser { id, .. } = inbound.user()?;
            step.user_id = Some(format!("{{{{{LINE_ID}}}}}"));
            columns.push(LINE_ID.to_owned());
            fields.push(id);
        }
        let plan = Plan { columns, confirms_opt_out: true, ..Plan::of_steps(vec![step]) };
        let fields = Fields::pack(fields.iter().map(String::as_str));
        Some((plan, Recipient { address: Some(msisdn.into()), country, client_message_id: None, fields }))
    }

    /// The lane with the identity that the recipient wrote to, else one of its channel and subaccount.
    fn lane(&self, channel: Channel, inbound: &Inbound) -> Option<&Lane> {
        let of_account = |lane: &&Lane| {
            lane.channel == channel
                && (inbound.sub_account.is_empty() || lane.provider.sub_account == inbound.sub_account)
        };
        let lanes = || self.config.lanes.iter().filter(of_account);
        let is_same = |lane: &&Lane| lane.channel_id.as_deref() == Some(inbound.channel_id.as_str());
        lanes()
            .find(is_same)
            .or_else(|| lanes().find(|lane| lane.channel_id.is_none() || inbound.channel_id.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::clock::ManualClock;
    use crate::base::domain::{Count, Keyword};
    use crate::store::WebhookGroup;

    const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    struct Desk {
        store: Arc<dyn Store>,
        clock: Arc<ManualClock>,
        confirmations: OptOutConfirmations,
    }

    impl Desk {
        async fn new() -> Self {
            let text = "[provider]\nsub_account = \"acme\"\n[opt_out]\nconfirm = \"Bye\"\n\
                        [[lane]]\nname = \"vb\"\nchannel = \"Viber\"\n\
                        [[lane]]\nname = \"zl\"\nchannel = \"ZaloNotification\"\n";
            let none = std::iter::empty::<(&str, String)>();
            let read = Config::read(Some((Path::new("volley.toml"), text)), std::iter::empty(), none).unwrap();
            let clock = Arc::new(ManualClock::at(START));
            let shared = Arc::clone(&clock) as Arc<dyn Clock>;
            let store = crate::store::open("sqlite::memory:", Arc::clone(&shared)).await.unwrap();
            let confirmations = OptOutConfirmations::new(Arc::new(read.config), shared, Arc::new(Chance::seeded(1)));
            Self { store, clock, confirmations }
        }

        /// A message from a recipient on Viber, a second after the one before.
        async fn wrote(&self, umid: &str, n: u64, keyword: Keyword) {
            self.wrote_on(Channel::Viber, umid, n, keyword).await;
        }

        async fn wrote_on(&self, channel: Channel, umid: &str, n: u64, keyword: Keyword) {
            self.clock.advance(Span::from_secs(1));
            let now = self.clock.now();
            let inbound = Inbound {
                umid: umid.to_owned(),
                received: now,
                written_at: now,
                sub_account: "acme".to_owned(),
                channel: Some(channel),
                channel_id: String::new(),
                msisdn: Some((6_591_000_000 + n).try_into().unwrap()),
                called: None,
                kind: "text".to_owned(),
                choice: None,
                keyword: Some(keyword),
                language: None,
                window: None,
                on: None,
                raw: "{}".to_owned(),
            };
            let group = WebhookGroup { written: vec![inbound], confirms: true, ..WebhookGroup::default() };
            self.store.take(group).await.unwrap();
        }

        async fn run(&mut self) {
            let seq = self.store.seq().await.unwrap();
            self.confirmations.run_once(self.store.as_ref(), seq, self.clock.now()).await.unwrap();
            assert_eq!(self.store.due_confirmations(9).await.unwrap(), [], "none is due any more");
        }

        /// The number of messages of each batch, and how many of them are queued.
        async fn batches(&self) -> Vec<(u32, i64)> {
            let mut counts = Vec::new();
            for batch in self.store.batches(None).await.unwrap() {
                let tallies = self.store.tallies(batch.id).await.unwrap();
                counts.push((batch.messages, tallies.total(Count::Queued)));
            }
            counts
        }
    }

    #[tokio::test]
    async fn a_confirmation_is_queued_and_not_skipped() {
        let mut desk = Desk::new().await;
        desk.wrote("a", 1, Keyword::Stop).await;
        desk.wrote("b", 2, Keyword::Stop).await;
        desk.run().await;
        assert_eq!(desk.batches().await, [(2, 2)]);
    }

    #[tokio::test]
    async fn an_opt_out_on_a_channel_without_texts_is_not_confirmed() {
        let mut desk = Desk::new().await;
        desk.wrote_on(Channel::ZaloNotification, "a", 1, Keyword::Stop).await;
        desk.run().await;
        assert_eq!(desk.batches().await, []);
    }

    #[tokio::test]
    async fn an_opt_out_that_has_ended_is_not_confirmed() {
        let mut desk = Desk::new().await;
        desk.wrote("a", 1, Keyword::Stop).await;
        desk.wrote("b", 1, Keyword::Start).await;
        desk.wrote("c", 2, Keyword::Stop).await;
        desk.run().await;
        assert_eq!(desk.batches().await, [(1, 1)]);
    }

    #[tokio::test]
    async fn an_opt_out_is_not_confirmed_after_a_quarter_of_an_hour() {
        let mut desk = Desk::new().await;
        desk.wrote("a", 1, Keyword::Stop).await;
        desk.clock.advance(Span::from_secs(601));
        desk.run().await;
        assert_eq!(desk.batches().await, []);
        // One that is queued late waits for its lane no longer than that, either.
        desk.wrote("b", 2, Keyword::Stop).await;
        desk.clock.advance(Span::from_secs(600));
        desk.run().await;
        let batch = desk.store.batches(None).await.unwrap().remove(0).id;
        let plan = desk.store.plan(batch).await.unwrap().unwrap();
        assert!(plan.steps[0].leave_within.unwrap() <= Span::from_secs(300));
    }
}
