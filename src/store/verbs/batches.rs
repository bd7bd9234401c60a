use std::collections::{BTreeMap, BTreeSet};

use crate::base::domain::{AudienceId, BatchId, BatchState, Plan, Queue, Span, Spent, StepIndex, Tallies, Timestamp};
use crate::base::events::Origin;
use crate::store::{
    Amendment, Batch, BatchFilter, BatchPage, Call, Edition, Joined, Joining, NewBatch, NewCall, PieceOfMessages,
    Repetitions, Result, StepHold,
};

/// Batches: from a launch to their end, with the holds on their steps.
#[async_trait::async_trait]
pub trait Batches: Send + Sync + std::fmt::Debug {
    /// Begins a batch, hidden until it is published.
    ///
    /// - From then on its audiences cannot be removed.
    /// - Fails with [`crate::store::Error::NameTaken`] if another batch has its name.
    /// - Fails with [`crate::store::Error::Gone`] if one of its audiences was removed.
    async fn begin_batch(&self, new: NewBatch) -> Result<BatchId>;
    /// Writes one piece of an audience as messages of a hidden batch; returns how many.
    ///
    /// - Repeating a call after a crash changes nothing.
    /// - Recipients who are excluded or have opted out become messages that are skipped.
    /// - Fails with [`crate::store::Error::Gone`] if the batch was removed meanwhile.
    async fn write_messages(&self, spread: PieceOfMessages) -> Result<u32>;
    /// Makes a batch visible with all its messages: the one switch at the end of a launch.
    ///
    /// - Changes nothing if the batch is published already.
    /// - Fails with [`crate::store::Error::NameTaken`] if another batch has its name.
    /// - Fails with [`crate::store::Error::Gone`] if the batch was removed meanwhile.
    async fn publish_batch(&self, batch: BatchId, state: BatchState, origin: Origin, now: Timestamp) -> Result<()>;
    /// Adds messages to an open batch of their plan, running or paused; begins and runs one if there is none.
    ///
    /// - Recipients who have opted out are skipped.
    /// - Fails with [`crate::store::Error::Superseded`], and adds nothing, if one of the confirmations is due no more:
    ///   another server has queued it.
    async fn join(&self, joining: Joining) -> Result<Joined>;
    /// Begins the batches of one call of the API with their messages, running at once; no other messages join them.
    ///
    /// - Returns them in the order of the parts.
    async fn begin_call(&self, call: NewCall) -> Result<Vec<Joined>>;
    /// Finds the call that a batch belongs to, if a call of the API began it.
    async fn call_of(&self, batch: BatchId) -> Result<Option<Call>>;
    /// Notes which batch a hidden batch sends again.
    async fn note_repetition(&self, batch: BatchId, of: BatchId) -> Result<()>;
    /// Finds the published batch that a batch sends again, and lists those that send it again, latest first.
    async fn repetitions(&self, of: BatchId, limit: u32) -> Result<Repetitions>;
    /// Lists published batches in order of launch: all, or those in the given states.
    async fn batches(&self, states: Option<Vec<BatchState>>) -> Result<Vec<Batch>>;
    /// Lists published batches that were begun before `before`, latest first.
    ///
    /// - Looks at a few thousand batches at most, so a page may have fewer than `limit` although another follows.
    async fn batch_page(&self, filter: BatchFilter, before: Option<BatchId>, limit: u32) -> Result<BatchPage>;
    /// Lists campaigns without test sends, by start: those that were sent at some time from `from` on and before `until`,
    /// and those that are to start then.
    ///
    /// - Of more than `limit` that were sent, and of more than `limit` that are to start, the latest are listed.
    async fn campaigns_between(&self, from: Timestamp, until: Timestamp, limit: u32) -> Result<Vec<Batch>>;
    /// Lists published batches that use an audience and were begun before `before`, latest first, each with the number of
    /// the audience's first message in it. Omits batches whose messages were purged.
    async fn batches_of_audience(
        &self,
        audience: AudienceId,
        before: Option<BatchId>,
        limit: u32,
    ) -> Result<Vec<(Batch, u32)>>;
    /// Lists the batches that are test sends.
    async fn test_batches(&self) -> Result<BTreeSet<BatchId>>;
    /// Finds a published batch by its id.
    async fn batch(&self, id: BatchId) -> Result<Option<Batch>>;
    /// Finds a published batch by its name.
    async fn batch_named(&self, name: &str) -> Result<Option<Batch>>;
    /// Gives a batch with a name another one, and notifies the nodes.
    ///
    /// - Returns the number of the decision. Also records an event.
    /// - Returns `None` and changes nothing if the batch is unknown or has no name.
    /// - Fails with [`crate::store::Error::NameTaken`] if another batch has the new name.
    async fn rename_batch(&self, batch: BatchId, name: String, origin: Origin, now: Timestamp) -> Result<Option<u64>>;
    /// Removes a draft with its messages, in pieces.
    ///
    /// - The draft is hidden at once, and its name is free again; its messages follow. Also records an event.
    /// - Returns `false` and changes nothing if the batch is no draft.
    /// - Keeps the audiences, which the batch no longer uses.
    async fn remove_draft(&self, batch: BatchId, origin: Origin, now: Timestamp) -> Result<bool>;
    /// Reads the current plans of batches; those of unknown batches are missing.
    async fn plans(&self, batches: Vec<BatchId>) -> Result<BTreeMap<BatchId, Plan>>;
    /// Reads the current plan of a batch.
    async fn plan(&self, batch: BatchId) -> Result<Option<Plan>>;
    /// Changes the plan of a batch that may still send, and notifies the nodes.
    ///
    /// - Returns the number of the decision.
    /// - Returns `None` and changes nothing if the batch has another edition by now, is over, or has reached its `end`.
    /// - Returns `None` too if the amendment moves the start of a batch that has started.
    async fn amend(&self, amendment: Amendment) -> Result<Option<u64>>;
    /// Changes what a batch sends, if nothing of it has been claimed. With `is_draft_again`, it is a draft until an operator starts
    /// it again.
    ///
    /// - Returns the number of the decision.
    /// - Returns `None` and changes nothing if something of the batch has been claimed, or may have been before it was restored; if it has
    ///   another edition by now; or if it is over.
    async fn correct(&self, amendment: Amendment, is_draft_again: bool) -> Result<Option<u64>>;
    /// Lists the earlier plans of a batch, earliest first.
    async fn editions(&self, batch: BatchId) -> Result<Vec<Edition>>;
    /// Moves messages of a queue that may be sent only after `to` forward to `to`; returns how many.
    ///
    /// - Moves at most `limit` messages.
    /// - First messages get `leave_within` from the new time on, as their step says.
    async fn bring_forward(&self, queue: Queue, to: Timestamp, leave_within: Option<Span>, limit: u32) -> Result<u32>;
    /// Reads the counters of a batch; it counts no rows.
    async fn tallies(&self, batch: BatchId) -> Result<Tallies>;
    /// Reads the counters of batches; those of batches without messages are missing.
    async fn tallies_of(&self, batches: Vec<BatchId>) -> Result<BTreeMap<BatchId, Tallies>>;
    /// Moves a batch into another state if it is in one of the states `from`, and notifies the nodes.
    ///
    /// - Returns the number of the decision: a node that has noted it obeys it. Also records an event.
    /// - Returns `None` and changes nothing if the batch is in another state.
    async fn move_batch(
        &self,
        batch: BatchId,
        from: Vec<BatchState>,
        to: BatchState,
        origin: Option<Origin>,
        now: Timestamp,
    ) -> Result<Option<u64>>;
    /// Starts a draft whose plan is still this edition: moves it into the state `to`, as [`move_batch`](Self::move_batch) does.
    ///
    /// - Returns `None` and changes nothing if the batch is no draft, or has another edition by now.
    async fn start_draft(
        &self,
        batch: BatchId,
        edition: u32,
        to: BatchState,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Option<u64>>;
    /// Records that an operator refused to start a draft whose plan is still this edition. It stays a draft.
    ///
    /// - Returns the number of the decision.
    /// - Returns `None` and changes nothing if the batch is no draft, or has another edition by now.
    async fn refuse_draft(&self, batch: BatchId, edition: u32, origin: Origin, now: Timestamp) -> Result<Option<u64>>;
    /// Ends what is reserved for steps whose receipt window is over, unless they are the present ones of their messages. Returns
    /// whether more may be left.
    async fn end_reservations(&self, now: Timestamp) -> Result<bool>;
    /// Reads what a batch has spent and reserved on each of its steps that has prices.
    async fn spent(&self, batch: BatchId) -> Result<Vec<(StepIndex, Spent)>>;
    /// Lists the steps that are held although their campaigns run.
    async fn step_holds(&self) -> Result<Vec<StepHold>>;
    /// Holds a step, because of a decision or of the result of a request that began at `begun`.
    ///
    /// - Returns the number of the decision.
    /// - Returns `None` if the step is already held by the same `by`, unless only this hold has refusals to recall.
    /// - Returns `None` if an operator released the step after `begun`, or released it from the same rule at any time.
    async fn hold_step(&self, hold: StepHold, begun: Timestamp) -> Result<Option<u64>>;
    /// Releases steps of a batch; returns `None` if none of them was held.
    async fn release_steps(
        &self,
        batch: BatchId,
        steps: Vec<StepIndex>,
        by: Origin,
        now: Timestamp,
    ) -> Result<Option<u64>>;
}
