//! Implements [`Batches`]: each verb runs the statements of its module.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Sqlite, batches, drafts, editions, joining, limits, pieces, reservations};
use crate::base::domain::{AudienceId, BatchId, BatchState, Plan, Queue, Span, Spent, StepIndex, Tallies, Timestamp};
use crate::base::events::Origin;
use crate::store::signal::JoinedQueues;
use crate::store::{
    Amendment, Batch, BatchFilter, BatchPage, Batches, Call, Edition, Joined, Joining, NewBatch, NewCall,
    PieceOfMessages, Repetitions, Result, StepHold,
};

#[async_trait::async_trait]
impl Batches for Sqlite {
    async fn begin_batch(&self, new: NewBatch) -> Result<BatchId> {
        self.write("begin a batch", move |c| Box::pin(batches::begin(c, new))).await
    }

    async fn write_messages(&self, spread: PieceOfMessages) -> Result<u32> {
        self.write("create messages", move |c| Box::pin(pieces::spread(c, spread))).await
    }

    async fn publish_batch(&self, batch: BatchId, state: BatchState, origin: Origin, now: Timestamp) -> Result<()> {
        self.write("publish a batch", move |c| Box::pin(batches::publish(c, batch, state, origin, now))).await
    }

    async fn join(&self, joining: Joining) -> Result<Joined> {
        let queues = JoinedQueues::of(&joining);
        let joined = self.write("add messages to an open batch", move |c| Box::pin(joining::join(c, joining))).await?;
        self.signals.send(&queues.signals_in(joined.batch));
        Ok(joined)
    }

    async fn begin_call(&self, call: NewCall) -> Result<Vec<Joined>> {
        let queues: Vec<JoinedQueues> = call.parts.iter().map(JoinedQueues::of).collect();
        let begun = self.write("begin the batches of a call", move |c| Box::pin(joining::begin_call(c, call))).await?;
        for (queues, joined) in queues.iter().zip(&begun) {
            self.signals.send(&queues.signals_in(joined.batch));
        }
        Ok(begun)
    }

    async fn call_of(&self, batch: BatchId) -> Result<Option<Call>> {
        self.read("find the call of a batch", move |c| Box::pin(joining::call_of(c, batch))).await
    }

    async fn batches(&self, states: Option<Vec<BatchState>>) -> Result<Vec<Batch>> {
        self.read("list batches", move |c| Box::pin(batches::all(c, states))).await
    }

    async fn batch_page(&self, filter: BatchFilter, before: Option<BatchId>, limit: u32) -> Result<BatchPage> {
        self.read("list batches", move |c| Box::pin(batches::page(c, filter, before, limit))).await
    }

    async fn campaigns_between(&self, from: Timestamp, until: Timestamp, limit: u32) -> Result<Vec<Batch>> {
        self.read("list campaigns by time", move |c| Box::pin(batches::between(c, from, until, limit))).await
    }

    async fn batches_of_audience(
        &self,
        audience: AudienceId,
        before: Option<BatchId>,
        limit: u32,
    ) -> Result<Vec<(Batch, u32)>> {
        self.read("list batches", move |c| Box::pin(batches::of_audience(c, audience, before, limit))).await
    }

    async fn test_batches(&self) -> Result<BTreeSet<BatchId>> {
        self.read("list test sends", move |c| Box::pin(batches::tests(c))).await
    }

    async fn batch(&self, id: BatchId) -> Result<Option<Batch>> {
        self.read("find a batch", move |c| Box::pin(batches::by_id(c, id))).await
    }

    async fn batch_named(&self, name: &str) -> Result<Option<Batch>> {
        let name = name.to_owned();
        self.read("find a campaign", move |c| Box::pin(async move { batches::named(c, &name).await })).await
    }

    async fn note_repetition(&self, batch: BatchId, of: BatchId) -> Result<()> {
        self.write("note a repetition", move |c| Box::pin(batches::note_repetition(c, batch, of))).await
    }

    async fn repetitions(&self, of: BatchId, limit: u32) -> Result<Repetitions> {
        self.read("list the repetitions of a campaign", move |c| Box::pin(batches::repetitions(c, of, limit))).await
    }

    async fn rename_batch(&self, batch: BatchId, name: String, origin: Origin, now: Timestamp) -> Result<Option<u64>> {
        self.write("rename a campaign", move |c| Box::pin(batches::rename(c, batch, name, origin, now))).await
    }

    async fn remove_draft(&self, batch: BatchId, origin: Origin, now: Timestamp) -> Result<bool> {
        if !self.write("hide a draft", move |c| Box::pin(drafts::hide(c, batch, origin, now))).await? {
            return Ok(false);
        }
        while !self.write("remove a draft", move |c| Box::pin(pieces::remove(c, batch))).await? {}
        Ok(true)
    }

    async fn plans(&self, batches: Vec<BatchId>) -> Result<BTreeMap<BatchId, Plan>> {
        self.read("read plans", move |c| Box::pin(batches::plans(c, batches))).await
    }

    async fn plan(&self, batch: BatchId) -> Result<Option<Plan>> {
        self.read("read a plan", move |c| Box::pin(batches::plan(c, batch))).await
    }

    async fn amend(&self, amendment: Amendment) -> Result<Option<u64>> {
        self.write("change a plan", move |c| Box::pin(editions::amend(c, amendment))).await
    }

    async fn correct(&self, amendment: Amendment, is_draft_again: bool) -> Result<Option<u64>> {
        self.write("correct a batch", move |c| Box::pin(editions::correct(c, amendment, is_draft_again))).await
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

    async fn tallies_of(&self, batches: Vec<BatchId>) -> Result<BTreeMap<BatchId, Tallies>> {
        self.read("read the counters of batches", move |c| Box::pin(batches::tallies_of(c, batches))).await
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

    async fn start_draft(
        &self,
        batch: BatchId,
        edition: u32,
        to: BatchState,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Option<u64>> {
        self.write("start a draft", move |c| Box::pin(drafts::start(c, (batch, edition), to, origin, now))).await
    }

    async fn refuse_draft(&self, batch: BatchId, edition: u32, origin: Origin, now: Timestamp) -> Result<Option<u64>> {
        self.write("refuse a draft", move |c| Box::pin(drafts::refuse(c, (batch, edition), origin, now))).await
    }

    async fn end_reservations(&self, now: Timestamp) -> Result<bool> {
        self.write("end reservations", move |c| Box::pin(reservations::end_over(c, now))).await
    }

    async fn spent(&self, batch: BatchId) -> Result<Vec<(StepIndex, Spent)>> {
        self.read("read the amount spent", move |c| Box::pin(limits::spent(c, batch))).await
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
        steps: Vec<StepIndex>,
        by: Origin,
        now: Timestamp,
    ) -> Result<Option<u64>> {
        let release = "release a step";
        self.write(release, move |c| Box::pin(limits::release_steps(c, batch, steps, by, now))).await
    }
}
