//! Implements [`Store`]: each verb runs the statements of its module.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::{
    Sqlite, asking, audiences, batches, drafts, editions, facts, inbound, joining, lanes, limits, nodes, opt_outs,
    overrides, reads, receipts, tiers, walk,
};
use crate::domain::{
    AudienceId, BatchId, BatchState, Channel, LaneId, Loaded, MessageKey, Money, Msisdn, OverridableSetting, Plan,
    Queue, Recipient, Span, StepIndex, Tallies, Timestamp,
};
use crate::events::{Event, Origin};
use crate::store::signal::JoinedQueues;
use crate::store::{
    Along, Amendment, Asked, Asking, Attempt, Audience, AudiencePart, Batch, Copied, Edition, Hold, Inbound, InboundOf,
    Joined, Joining, Lane, MessageFacts, NewAudience, NewBatch, NotedBucket, OptIn, OptOut, OptOutRecord, Override,
    PieceOfMessages, ProviderReport, Question, Receipt, ReportedStatus, Result, Scope, Sender, Signals, StepHold,
    Store, TierSlot, Turns, Walk, Whom,
};

#[async_trait::async_trait]
impl Store for Sqlite {
    async fn begin_audience(&self, new: NewAudience) -> Result<AudienceId> {
        self.write("begin an audience", move |c| Box::pin(audiences::begin(c, new))).await
    }

    async fn add_recipients(&self, audience: AudienceId, first: u32, recipients: Vec<Recipient>) -> Result<()> {
        let now = self.clock.now();
        self.write("add recipients", move |c| Box::pin(audiences::add(c, audience, first, recipients, now))).await
    }

    async fn publish_audience(&self, audience: AudienceId, recipients: u32, summary: String) -> Result<()> {
        self.write("publish an audience", move |c| Box::pin(audiences::publish(c, audience, recipients, summary))).await
    }

    async fn remove_audience(&self, audience: AudienceId) -> Result<()> {
        for part in self.write("hide an audience", move |c| Box::pin(audiences::hide(c, audience))).await? {
            while !self.write("remove an audience", move |c| Box::pin(audiences::remove_piece(c, part))).await? {}
        }
        Ok(())
    }

    async fn sweep_unpublished(&self, before: Timestamp) -> Result<u32> {
        self.sweep(before).await
    }

    async fn audiences(&self) -> Result<Vec<Audience>> {
        self.read("list audiences", move |c| Box::pin(audiences::all(c))).await
    }

    async fn audience_named(&self, name: &str) -> Result<Option<Audience>> {
        let name = name.to_owned();
        self.read("find an audience", move |c| Box::pin(async move { audiences::named(c, &name).await })).await
    }

    async fn parts_of(&self, batch: BatchId) -> Result<Vec<AudiencePart>> {
        self.read("read the parts of an audience", move |c| Box::pin(audiences::parts_of(c, batch))).await
    }

    async fn recipients(&self, audience: AudienceId, from: u32, limit: u32) -> Result<Vec<Recipient>> {
        self.read("read recipients", move |c| Box::pin(audiences::recipients(c, audience, from, limit))).await
    }

    async fn numbers(&self, audience: AudienceId, from: u32, limit: u32) -> Result<Vec<Msisdn>> {
        self.read("read numbers", move |c| Box::pin(audiences::numbers(c, audience, from, limit))).await
    }

    async fn find_recipient(&self, whom: Whom, within: Option<Vec<AudienceId>>) -> Result<Vec<(AudienceId, u32)>> {
        self.read("find a recipient", move |c| {
            Box::pin(async move { audiences::find_recipient(c, &whom, within).await })
        })
        .await
    }

    async fn begin_batch(&self, new: NewBatch) -> Result<BatchId> {
        self.write("begin a batch", move |c| Box::pin(batches::begin(c, new))).await
    }

    async fn write_messages(&self, spread: PieceOfMessages) -> Result<u32> {
        self.write("create messages", move |c| Box::pin(batches::spread(c, spread))).await
    }

    async fn publish_batch(&self, batch: BatchId, state: BatchState, origin: Origin, now: Timestamp) -> Result<()> {
        self.write("publish a batch", move |c| Box::pin(batches::publish(c, batch, state, origin, now))).await
    }

    async fn join(&self, joining: Joining) -> Result<Joined> {
        let places = JoinedQueues::of(&joining);
        let joined = self.write("add messages to an open batch", move |c| Box::pin(joining::join(c, joining))).await?;
        self.signals.send(&places.signals_in(joined.batch));
        Ok(joined)
    }

    async fn batches(&self, states: Option<Vec<BatchState>>) -> Result<Vec<Batch>> {
        self.read("list batches", move |c| Box::pin(batches::all(c, states))).await
    }

    async fn batch(&self, id: BatchId) -> Result<Option<Batch>> {
        self.read("find a batch", move |c| Box::pin(batches::by_id(c, id))).await
    }

    async fn batch_named(&self, name: &str) -> Result<Option<Batch>> {
        let name = name.to_owned();
        self.read("find a campaign", move |c| Box::pin(async move { batches::named(c, &name).await })).await
    }

    async fn rename_batch(&self, batch: BatchId, name: String, origin: Origin, now: Timestamp) -> Result<Option<u64>> {
        self.write("rename a campaign", move |c| Box::pin(batches::rename(c, batch, name, origin, now))).await
    }

    async fn remove_draft(&self, batch: BatchId, origin: Origin, now: Timestamp) -> Result<bool> {
        if !self.write("hide a draft", move |c| Box::pin(drafts::hide(c, batch, origin, now))).await? {
            return Ok(false);
        }
        while !self.write("remove a draft", move |c| Box::pin(batches::remove_piece(c, batch))).await? {}
        Ok(true)
    }

    async fn plan(&self, batch: BatchId) -> Result<Option<Plan>> {
        self.read("read a plan", move |c| Box::pin(batches::plan(c, batch))).await
    }

    async fn amend(&self, amendment: Amendment) -> Result<Option<u64>> {
        self.write("change a plan", move |c| Box::pin(editions::amend(c, amendment))).await
    }

    async fn editions(&self, batch: BatchId) -> Result<Vec<Edition>> {
        self.read("read earlier plans", move |c| Box::pin(editions::editions(c, batch))).await
    }

    async fn bring_forward(&self, queue: Queue, to: Timestamp, within: Option<Span>, limit: u32) -> Result<u32> {
        self.write("bring messages forward", move |c| Box::pin(editions::bring_forward(c, queue, to, within, limit)))
            .await
    }

    async fn tallies(&self, batch: BatchId) -> Result<Tallies> {
        self.read("read counters", move |c| Box::pin(batches::tallies(c, batch))).await
    }

    async fn move_batch(
        &self,
        batch: BatchId,
        from: Vec<BatchState>,
        to: BatchState,
        origin: Option<Origin>,
        now: Timestamp,
    ) -> Result<Option<u64>> {
        self.write("change the state of a batch", move |c| Box::pin(batches::move_on(c, batch, from, to, origin, now)))
            .await
    }

    async fn load(&self, keys: Vec<MessageKey>) -> Result<Vec<Loaded>> {
        self.read("load messages", move |c| Box::pin(reads::load(c, keys))).await
    }

    async fn open_messages(&self, batch: BatchId, after: Option<u32>, limit: u32) -> Result<Vec<Loaded>> {
        self.read("read open messages", move |c| Box::pin(reads::open_messages(c, batch, after, limit))).await
    }

    async fn due(&self, batch: BatchId, until: Timestamp, after: Option<Along>, limit: u32) -> Result<Vec<Loaded>> {
        self.read("read due messages", move |c| Box::pin(reads::due(c, batch, until, after, limit))).await
    }

    async fn queued_since(&self, of: Queue, since: Timestamp, after: Option<Along>, limit: u32) -> Result<Vec<Loaded>> {
        self.read("read queued messages", move |c| Box::pin(reads::queued_since(c, of, since, after, limit))).await
    }

    async fn next_due(&self, batches: Vec<BatchId>) -> Result<BTreeMap<BatchId, Timestamp>> {
        self.read("read the next due times", move |c| Box::pin(reads::next_due(c, batches))).await
    }

    async fn turns(&self, queues: Vec<Queue>) -> Result<BTreeMap<Queue, Turns>> {
        self.read("read the times of queues", move |c| Box::pin(reads::turns(c, queues))).await
    }

    async fn silent(
        &self,
        batch: BatchId,
        steps: Vec<StepIndex>,
        heard: ReportedStatus,
        from: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Loaded>> {
        self.read("read messages without receipts", move |c| {
            Box::pin(asking::silent(c, batch, steps, heard, (from, until), limit))
        })
        .await
    }

    async fn questions(&self, about: Vec<(MessageKey, StepIndex)>) -> Result<Vec<Question>> {
        self.read("read what to ask the provider", move |c| Box::pin(async move { asking::questions(c, &about).await }))
            .await
    }

    async fn note_asked(&self, asked: Vec<Asked>, asking: Asking) -> Result<()> {
        self.write("record what was asked", move |c| {
            Box::pin(async move { asking::note_asked(c, &asked, asking).await })
        })
        .await
    }

    async fn asking(&self) -> Result<Vec<Asking>> {
        self.read("read the state of asking the provider", move |c| Box::pin(asking::asking(c))).await
    }

    async fn attempts(&self, messages: Vec<MessageKey>) -> Result<Vec<Vec<Attempt>>> {
        self.read("read attempts", move |c| Box::pin(async move { facts::attempts(c, &messages).await })).await
    }

    async fn receipts(&self, message: MessageKey) -> Result<Vec<Receipt>> {
        self.read("read receipts", move |c| Box::pin(facts::receipts(c, message))).await
    }

    async fn message_facts(&self, message: MessageKey) -> Result<Option<MessageFacts>> {
        self.read_snapshot("read a message", move |c| Box::pin(walk::one(c, message))).await
    }

    async fn unknown(&self, batch: BatchId, limit: u32) -> Result<Vec<(MessageKey, Msisdn, StepIndex)>> {
        self.read("list unknown attempts", move |c| Box::pin(receipts::unknown(c, batch, limit))).await
    }

    async fn walk(&self, batch: BatchId, scope: Scope, copied: watch::Sender<Copied>) -> Result<Option<Walk>> {
        let spool = self.spool();
        let copy =
            self.read_snapshot("copy a batch", move |c| Box::pin(walk::copy(c, batch, scope, spool, copied))).await?;
        match copy {
            Some(copy) => Ok(Some(copy.opened().await?)),
            None => Ok(None),
        }
    }

    async fn lanes(&self, lanes: Vec<(String, Channel)>) -> Result<Vec<Lane>> {
        let known = self.read("read the lanes", move |c| Box::pin(lanes::known(c))).await?;
        let is_known = |(name, channel): &(String, Channel)| {
            known.iter().any(|lane| lane.name == *name && lane.channel == *channel)
        };
        if lanes.iter().all(is_known) {
            return Ok(known);
        }
        self.write("register lanes", move |c| Box::pin(lanes::lanes(c, lanes))).await
    }

    async fn holds(&self) -> Result<Vec<Hold>> {
        self.read("read holds", move |c| Box::pin(lanes::holds(c))).await
    }

    async fn hold(&self, hold: Hold, begun: Timestamp) -> Result<u64> {
        self.write("hold a lane or a template", move |c| Box::pin(lanes::hold(c, hold, begun))).await
    }

    async fn release(&self, lane: String, template: String, now: Timestamp, by: Origin) -> Result<u32> {
        self.write("release a hold", move |c| Box::pin(lanes::release(c, lane, template, now, by))).await
    }

    async fn step_holds(&self) -> Result<Vec<StepHold>> {
        self.read("read held steps", move |c| Box::pin(limits::step_holds(c))).await
    }

    async fn hold_step(&self, hold: StepHold, begun: Timestamp) -> Result<Option<u64>> {
        self.write("hold a step", move |c| Box::pin(limits::hold_step(c, hold, begun))).await
    }

    async fn release_steps(
        &self,
        batch: BatchId,
        only: Option<StepIndex>,
        by: Origin,
        now: Timestamp,
    ) -> Result<Option<u64>> {
        let release = "release a step";
        self.write(release, move |c| Box::pin(limits::release_steps(c, batch, only, by, now))).await
    }

    async fn spent(&self, batch: BatchId) -> Result<Vec<(StepIndex, Money)>> {
        self.read("read the amount spent", move |c| Box::pin(limits::spent(c, batch))).await
    }

    async fn overrides(&self) -> Result<Vec<Override>> {
        self.read("read changed settings", move |c| Box::pin(overrides::all(c))).await
    }

    async fn set_override(&self, overridden: Override, now: Timestamp) -> Result<Option<u64>> {
        self.write("change a setting", move |c| Box::pin(overrides::set(c, overridden, now))).await
    }

    async fn end_override(
        &self,
        setting: OverridableSetting,
        name: String,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Option<u64>> {
        self.write("reset a setting", move |c| Box::pin(overrides::clear(c, setting, name, origin, now))).await
    }

    async fn buckets(&self) -> Result<Vec<NotedBucket>> {
        self.read("read the token buckets", move |c| Box::pin(overrides::buckets(c))).await
    }

    async fn provider_reports(&self) -> Result<Vec<ProviderReport>> {
        self.read("read the provider's reports", move |c| Box::pin(overrides::provider_reports(c))).await
    }

    async fn count_no_others(&self, portfolios: BTreeMap<String, Vec<LaneId>>) -> Result<()> {
        self.stop_counting_others(portfolios).await
    }

    async fn count_tiers(
        &self,
        portfolios: BTreeMap<String, Vec<LaneId>>,
        since: Timestamp,
        from: Option<MessageKey>,
    ) -> Result<Option<MessageKey>> {
        self.recount_tiers(portfolios, since, from).await
    }

    async fn take_slots(&self, portfolio: &str, recipients: Vec<(Msisdn, Timestamp)>) -> Result<()> {
        let (verb, portfolio) = ("take slots of a tier", portfolio.to_owned());
        self.write(verb, move |c| Box::pin(async move { tiers::take_slots(c, &portfolio, &recipients).await })).await
    }

    async fn tier_slots(&self, portfolios: Vec<String>, since: Timestamp) -> Result<BTreeMap<String, Vec<TierSlot>>> {
        self.read("read the slots of tiers", move |c| {
            Box::pin(async move { tiers::slots(c, &portfolios, since).await })
        })
        .await
    }

    async fn tiers_used(&self, since: Timestamp) -> Result<BTreeMap<String, u32>> {
        self.read("count the recipients of tiers", move |c| Box::pin(tiers::used(c, since))).await
    }

    async fn forget_slots(&self, before: Timestamp) -> Result<()> {
        let mut after = Some(tiers::START);
        while let Some(from) = after {
            after = self.write("delete old slots of a tier", move |c| Box::pin(tiers::forget(c, from, before))).await?;
        }
        Ok(())
    }

    async fn opt_out(&self, opt_outs: Vec<OptOut>) -> Result<u32> {
        self.write("record opt-outs", move |c| Box::pin(async move { opt_outs::opt_out(c, &opt_outs).await })).await
    }

    async fn opt_in(&self, opt_ins: Vec<OptIn>) -> Result<u32> {
        self.write("remove opt-outs", move |c| Box::pin(async move { opt_outs::opt_in(c, &opt_ins).await })).await
    }

    async fn opted_out(&self, recipients: Vec<Msisdn>) -> Result<Vec<Msisdn>> {
        self.read("look up opt-outs", move |c| Box::pin(async move { opt_outs::opted_out(c, &recipients).await })).await
    }

    async fn opt_outs(&self, after: Option<Msisdn>, limit: u32) -> Result<Vec<Msisdn>> {
        self.read("list opt-outs", move |c| Box::pin(opt_outs::opt_outs(c, after, limit))).await
    }

    async fn opt_out_list(&self, after: Option<Msisdn>, limit: u32) -> Result<Vec<OptOut>> {
        self.read("list opt-outs", move |c| Box::pin(opt_outs::list(c, after, limit))).await
    }

    async fn wishes(&self, recipient: Msisdn) -> Result<Vec<OptOutRecord>> {
        self.read("read the opt-out history", move |c| Box::pin(opt_outs::history(c, recipient))).await
    }

    async fn last_stop(&self) -> Result<i64> {
        self.read("read new opt-outs", move |c| Box::pin(opt_outs::last_stop(c))).await
    }

    async fn stops(&self, after: i64, limit: u32) -> Result<Vec<(i64, Msisdn)>> {
        self.read("read new opt-outs", move |c| Box::pin(opt_outs::stops(c, after, limit))).await
    }

    async fn unwilling(&self, batch: BatchId, from: u32, span: u32) -> Result<(Vec<Loaded>, Option<u32>)> {
        let verb = "find messages to opted-out recipients";
        self.read(verb, move |c| Box::pin(opt_outs::unwilling(c, batch, from, span))).await
    }

    async fn inbound(&self, of: InboundOf, after: i64, limit: u32) -> Result<Vec<(i64, Inbound)>> {
        self.read("read inbound messages", move |c| Box::pin(inbound::list(c, of, after, limit))).await
    }

    async fn replied(&self, batch: BatchId) -> Result<Vec<(StepIndex, u32)>> {
        self.read("count replies", move |c| Box::pin(inbound::replied(c, batch))).await
    }

    async fn open_windows(
        &self,
        recipients: Vec<Msisdn>,
        sender: Sender,
        now: Timestamp,
    ) -> Result<Vec<(Msisdn, Timestamp)>> {
        let verb = "read open windows";
        self.read(verb, move |c| Box::pin(async move { inbound::windows(c, &recipients, &sender, now).await })).await
    }

    async fn window_holders(
        &self,
        sender: Sender,
        now: Timestamp,
        after: Option<Msisdn>,
        limit: u32,
    ) -> Result<Vec<Msisdn>> {
        let verb = "list open windows";
        self.read(verb, move |c| Box::pin(async move { inbound::holders(c, &sender, now, after, limit).await })).await
    }

    async fn seq(&self) -> Result<u64> {
        self.read("read the latest decision", move |c| Box::pin(nodes::seq(c))).await
    }

    async fn record_event(&self, event: Event) -> Result<()> {
        self.write("record an event", move |c| Box::pin(nodes::record_event(c, event))).await
    }

    async fn events(&self, after: i64, limit: u32) -> Result<Vec<(i64, Event)>> {
        self.read("read events", move |c| Box::pin(nodes::events(c, after, limit))).await
    }

    async fn events_of(&self, batch: BatchId, lanes: Vec<String>, limit: u32) -> Result<Vec<Event>> {
        self.read("read the events of a campaign", move |c| Box::pin(nodes::events_of(c, batch, lanes, limit))).await
    }

    fn signals(&self) -> &Signals {
        &self.signals
    }

    async fn close(&self) {
        self.shut().await;
    }

    async fn ended(&self) {
        self.writer.ended().await;
    }
}
