//! The store's contract: its verbs. `contract.rs` tests each promise against every database.
//!
//! Unless a verb says otherwise:
//!
//! - A verb is one transaction. A verb that works "in pieces" is several short ones, and may be repeated after a crash.
//! - What a verb wrote is on disk when it returns. A verb that fails has changed nothing, except for finished pieces.
//! - Every verb may fail for the database's reasons: it is locked, full, read-only or closed (see [`super::Error`]).
//! - A read is cancel-safe. A write that is queued is completed, even if the caller stops waiting for the result.
//! - Pages are keyset pages: their cost depends on what they return, not on what comes before them.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::{
    Amendment, Asked, Asking, Attempt, Audience, AudiencePart, Batch, Copied, Edition, Hold, Inbound, InboundOf,
    Joined, Joining, Lane, MessageFacts, NewAudience, NewBatch, NotedBucket, OptIn, OptOut, OptOutRecord, Override,
    PieceOfMessages, ProviderReport, Question, Receipt, ReportedStatus, Result, Scope, Sender, StepHold, TierSlot,
    Turns, Walk, Whom,
};
use crate::domain::{
    AudienceId, BatchId, BatchState, Channel, LaneId, Loaded, MessageKey, Money, Msisdn, OverridableSetting, Plan,
    Queue, Recipient, Span, StepIndex, Tallies, Timestamp,
};
use crate::events::{Event, Origin};

/// What every room asks of a store; the parts of single rooms are in its supertraits.
#[async_trait::async_trait]
pub trait Store: super::Dispatch + super::Nodes + super::Receipts + super::Retention {
    // Audiences. They are hidden while they are imported. Once published, they never change.

    /// Begins an audience, hidden until it is published.
    async fn begin_audience(&self, new: NewAudience) -> Result<AudienceId>;
    /// Adds recipients to a hidden audience; the first of them gets the number `first`.
    ///
    /// - Repeating a call after a crash changes nothing.
    /// - Fails with [`super::Error::Gone`] if the audience was removed meanwhile.
    async fn add_recipients(&self, audience: AudienceId, first: u32, recipients: Vec<Recipient>) -> Result<()>;
    /// Makes the audience visible.
    ///
    /// - Fails with [`super::Error::NameTaken`] if another audience has its name.
    /// - Fails with [`super::Error::Gone`] if the audience was removed meanwhile.
    async fn publish_audience(&self, audience: AudienceId, recipients: u32, summary: String) -> Result<()>;
    /// Removes an audience with all its parts, in pieces.
    ///
    /// - The audience is hidden at once; its recipients follow.
    /// - Fails with [`super::Error::InUse`] if a batch uses one of its parts.
    async fn remove_audience(&self, audience: AudienceId) -> Result<()>;
    /// Removes unpublished audiences and batches that were last changed before `before`, in pieces.
    ///
    /// - Also removes audiences that were imported for a campaign that was never launched.
    /// - Returns how many audiences and batches it removed.
    async fn sweep_unpublished(&self, before: Timestamp) -> Result<u32>;
    /// Lists the audiences that have a name, in the order in which they were begun.
    async fn audiences(&self) -> Result<Vec<Audience>>;
    /// Finds a published audience by its name.
    async fn audience_named(&self, name: &str) -> Result<Option<Audience>>;
    /// Lists the audience parts of a batch, in the order of its messages.
    async fn parts_of(&self, batch: BatchId) -> Result<Vec<AudiencePart>>;
    /// Reads recipients in order, from number `from` on.
    async fn recipients(&self, audience: AudienceId, from: u32, limit: u32) -> Result<Vec<Recipient>>;
    /// Reads the phone numbers of these recipients alone, at a fraction of the cost.
    async fn numbers(&self, audience: AudienceId, from: u32, limit: u32) -> Result<Vec<Msisdn>>;

    /// Finds a recipient's positions in these audiences, or in all.
    ///
    /// - Reads the filter of every piece, and then the few pieces that may contain the recipient.
    async fn find_recipient(&self, whom: Whom, within: Option<Vec<AudienceId>>) -> Result<Vec<(AudienceId, u32)>>;

    // Batches.

    /// Begins a batch, hidden until it is published.
    ///
    /// - From then on its audiences cannot be removed.
    /// - Fails with [`super::Error::NameTaken`] if another batch has its name.
    /// - Fails with [`super::Error::Gone`] if one of its audiences was removed.
    async fn begin_batch(&self, new: NewBatch) -> Result<BatchId>;
    /// Writes one piece of an audience as messages of a hidden batch; returns how many.
    ///
    /// - Repeating a call after a crash changes nothing.
    /// - Recipients who are excluded or have opted out become messages that are skipped.
    /// - Fails with [`super::Error::Gone`] if the batch was removed meanwhile.
    async fn write_messages(&self, spread: PieceOfMessages) -> Result<u32>;
    /// Makes a batch visible with all its messages: the one switch at the end of a launch.
    ///
    /// - Changes nothing if the batch is published already.
    /// - Fails with [`super::Error::NameTaken`] if another batch has its name.
    /// - Fails with [`super::Error::Gone`] if the batch was removed meanwhile.
    async fn publish_batch(&self, batch: BatchId, state: BatchState, origin: Origin, now: Timestamp) -> Result<()>;
    /// Adds messages to an open batch of their plan, running or paused; begins and runs one if there is none.
    ///
    /// - Recipients who have opted out are skipped.
    async fn join(&self, joining: Joining) -> Result<Joined>;
    /// Lists published batches in order of launch: all, or those in the given states.
    async fn batches(&self, states: Option<Vec<BatchState>>) -> Result<Vec<Batch>>;
    /// Finds a published batch by its id.
    async fn batch(&self, id: BatchId) -> Result<Option<Batch>>;
    /// Finds a published batch by its name.
    async fn batch_named(&self, name: &str) -> Result<Option<Batch>>;
    /// Gives a batch with a name another one, and notifies the nodes.
    ///
    /// - Returns the number of the decision. Also records an event.
    /// - Returns `None` and changes nothing if the batch is unknown or has no name.
    /// - Fails with [`super::Error::NameTaken`] if another batch has the new name.
    async fn rename_batch(&self, batch: BatchId, name: String, origin: Origin, now: Timestamp) -> Result<Option<u64>>;
    /// Removes a draft with its messages, in pieces.
    ///
    /// - The draft is hidden at once, and its name is free again; its messages follow. Also records an event.
    /// - Returns `false` and changes nothing if the batch is no draft.
    /// - Keeps the audiences, which the batch no longer uses.
    async fn remove_draft(&self, batch: BatchId, origin: Origin, now: Timestamp) -> Result<bool>;
    /// Reads the current plan of a batch.
    async fn plan(&self, batch: BatchId) -> Result<Option<Plan>>;
    /// Changes the plan of a batch that may still send, and notifies the nodes.
    ///
    /// - Returns the number of the decision.
    /// - Returns `None` and changes nothing if the batch has another edition by now, is over, or has reached its `end`.
    /// - Returns `None` too if the amendment moves the start of a batch that has started.
    async fn amend(&self, amendment: Amendment) -> Result<Option<u64>>;
    /// Lists the earlier plans of a batch, earliest first.
    async fn editions(&self, batch: BatchId) -> Result<Vec<Edition>>;
    /// Moves messages of a queue that may be sent only after `to` forward to `to`; returns how many.
    ///
    /// - Moves at most `limit` messages.
    /// - First messages get `leave_within` from the new time on, as their step says.
    async fn bring_forward(&self, queue: Queue, to: Timestamp, leave_within: Option<Span>, limit: u32) -> Result<u32>;
    /// Reads the counters of a batch; it counts no rows.
    async fn tallies(&self, batch: BatchId) -> Result<Tallies>;
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

    // Messages.

    /// Loads messages by key, in the order of the keys; omits unknown ones.
    async fn load(&self, keys: Vec<MessageKey>) -> Result<Vec<Loaded>>;
    /// Lists messages of a batch that have no outcome and are not in flight, in order, after number `after`.
    async fn open_messages(&self, batch: BatchId, after: Option<u32>, limit: u32) -> Result<Vec<Loaded>>;

    // Timers.

    /// Lists messages of a batch that are due by `until`: earliest first, then by number.
    ///
    /// - `after` is the due time and the number of the last message of the previous page.
    async fn due(
        &self,
        batch: BatchId,
        until: Timestamp,
        after: Option<(Timestamp, u32)>,
        limit: u32,
    ) -> Result<Vec<Loaded>>;
    /// Lists messages of a queue that may be sent from `since` or later on: earliest first, then by number.
    ///
    /// - `after` is the time and the number of the last message of the previous page.
    async fn queued_since(
        &self,
        of: Queue,
        since: Timestamp,
        after: Option<(Timestamp, u32)>,
        limit: u32,
    ) -> Result<Vec<Loaded>>;
    /// Reads the next due time of each of these batches; omits batches in which no message is due.
    async fn next_due(&self, batches: Vec<BatchId>) -> Result<BTreeMap<BatchId, Timestamp>>;
    /// Reads from when on the messages of each of these queues may be sent; omits empty queues.
    async fn turns(&self, queues: Vec<Queue>) -> Result<BTreeMap<Queue, Turns>>;

    // Questions to the provider.

    /// Lists messages to ask the provider about, earliest due first.
    ///
    /// - They are due after `from` and by `until`, and are at one of `steps`.
    /// - Exactly `heard` was reported about the attempt of their step.
    async fn silent(
        &self,
        batch: BatchId,
        steps: Vec<StepIndex>,
        heard: ReportedStatus,
        from: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Loaded>>;
    /// Reads the umids by which the provider can be asked about attempts, and earlier questions, in the order of `about`.
    async fn questions(&self, about: Vec<(MessageKey, StepIndex)>) -> Result<Vec<Question>>;
    /// Records questions to the provider, and whether it answers.
    async fn note_asked(&self, asked: Vec<Asked>, asking: Asking) -> Result<()>;
    /// Reads whether the provider answers, for every subaccount that was ever asked.
    async fn asking(&self) -> Result<Vec<Asking>>;

    // Facts, for explanations and audits.

    /// Reads the attempts of each message, in the order of their steps.
    async fn attempts(&self, messages: Vec<MessageKey>) -> Result<Vec<Vec<Attempt>>>;
    /// Reads the receipts of a message, in order of arrival.
    async fn receipts(&self, message: MessageKey) -> Result<Vec<Receipt>>;
    /// Reads a message with every fact about it and its recipient, as of one instant.
    async fn message_facts(&self, message: MessageKey) -> Result<Option<MessageFacts>>;
    /// Lists attempts of a batch whose result is unknown.
    async fn unknown(&self, batch: BatchId, limit: u32) -> Result<Vec<(MessageKey, Msisdn, StepIndex)>>;

    /// Copies everything that is stored about a batch, as of one instant; returns `None` for an unknown batch.
    ///
    /// - The pages are read from the copy. No transaction is open once this returns, so a slow reader never keeps the
    ///   database from folding its log.
    /// - A large copy goes into an unnamed file beside the database.
    /// - Fails with [`super::Error::NoRoom`], before it writes anything, if the disk has too little room.
    /// - Reports its progress to `copied`.
    async fn walk(&self, batch: BatchId, scope: Scope, copied: watch::Sender<Copied>) -> Result<Option<Walk>>;

    // Lanes, holds, tiers, opt-outs.

    /// Reads all lanes with their ids; gives an id to each new name among `lanes`.
    ///
    /// - Writes nothing if all of them are known.
    async fn lanes(&self, lanes: Vec<(String, Channel)>) -> Result<Vec<Lane>>;
    /// Lists the holds on lanes and templates.
    async fn holds(&self) -> Result<Vec<Hold>>;
    /// Holds a lane or a template, because of an operator or of the result of a request that began at `begun`.
    ///
    /// - Returns the number of the decision.
    /// - Adds no hold if an operator released the same lane or template after `begun`: the request does not know what was
    ///   corrected since.
    async fn hold(&self, hold: Hold, begun: Timestamp) -> Result<u64>;
    /// Releases a lane (`template` empty) or a template in every language; returns how many holds there were.
    async fn release(&self, lane: String, template: String, now: Timestamp, by: Origin) -> Result<u32>;
    /// Lists the steps that are held although their campaigns run.
    async fn step_holds(&self) -> Result<Vec<StepHold>>;
    /// Holds a step, because of a decision or of the result of a request that began at `begun`.
    ///
    /// - Returns the number of the decision.
    /// - Returns `None` if the step is already held by the same `by`, unless only this hold has refusals to recall.
    /// - Returns `None` if an operator released the step after `begun`, or released it from the same rule at any time.
    async fn hold_step(&self, hold: StepHold, begun: Timestamp) -> Result<Option<u64>>;
    /// Releases all steps of a batch, or one of them; returns `None` if none was held.
    async fn release_steps(
        &self,
        batch: BatchId,
        only: Option<StepIndex>,
        by: Origin,
        now: Timestamp,
    ) -> Result<Option<u64>>;
    /// Reads what a batch has spent on each of its steps that has prices.
    async fn spent(&self, batch: BatchId) -> Result<Vec<(StepIndex, Money)>>;
    /// Lists the settings that were changed while a server ran.
    async fn overrides(&self) -> Result<Vec<Override>>;
    /// Changes a setting.
    ///
    /// - Returns the number of the decision.
    /// - Returns `None` and changes only the events if a later change applies, or an operator's of a rate.
    async fn set_override(&self, overridden: Override, now: Timestamp) -> Result<Option<u64>>;
    /// Resets a setting to the value in the file.
    ///
    /// - Returns the number of the decision, or `None` if the file's value applied already.
    async fn end_override(
        &self,
        setting: OverridableSetting,
        name: String,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Option<u64>>;
    /// Reads the recorded state of token buckets.
    async fn buckets(&self) -> Result<Vec<NotedBucket>>;
    /// Reads the last report of the provider about each lane, portfolio and template.
    async fn provider_reports(&self) -> Result<Vec<ProviderReport>>;
    /// Stops counting the tier slots of all portfolios and lanes but these.
    async fn count_no_others(&self, portfolios: BTreeMap<String, Vec<LaneId>>) -> Result<()>;
    /// Counts the tier slots of portfolios on these lanes, in pieces, from `since` on.
    ///
    /// - Counts submissions of the past where slots were not counted: the portfolio was unlimited, or another's lane.
    /// - Counts some pieces from `from` on; returns where to continue, or `None` when all are counted.
    async fn count_tiers(
        &self,
        portfolios: BTreeMap<String, Vec<LaneId>>,
        since: Timestamp,
        from: Option<MessageKey>,
    ) -> Result<Option<MessageKey>>;
    /// Lists the slots in these portfolios that were taken after `since`, earliest first.
    async fn tier_slots(&self, portfolios: Vec<String>, since: Timestamp) -> Result<BTreeMap<String, Vec<TierSlot>>>;
    /// Counts the slots that were taken after `since`, for each portfolio that has any.
    async fn tiers_used(&self, since: Timestamp) -> Result<BTreeMap<String, u32>>;
    /// Deletes, in pieces, the slots that were taken at `before` or earlier and no longer count.
    async fn forget_slots(&self, before: Timestamp) -> Result<()>;
    /// Takes slots for recipients at these times, even if none is free.
    async fn take_slots(&self, portfolio: &str, recipients: Vec<(Msisdn, Timestamp)>) -> Result<()>;
    /// Records opt-outs; returns how many recipients had not opted out before.
    ///
    /// - An opt-out changes nothing if the recipient has opted in by a later message.
    async fn opt_out(&self, opt_outs: Vec<OptOut>) -> Result<u32>;
    /// Records opt-ins; returns how many recipients are opted in again.
    ///
    /// - A recipient's opt-in ends neither an operator's opt-out nor a later one.
    /// - An operator's opt-in ends every opt-out.
    async fn opt_in(&self, opt_ins: Vec<OptIn>) -> Result<u32>;
    /// Returns those of the recipients who have opted out.
    async fn opted_out(&self, recipients: Vec<Msisdn>) -> Result<Vec<Msisdn>>;
    /// Lists the numbers that have opted out, in order, after `after`.
    async fn opt_outs(&self, after: Option<Msisdn>, limit: u32) -> Result<Vec<Msisdn>>;
    /// Lists the opt-outs with their sources, in order of the number, after `after`.
    async fn opt_out_list(&self, after: Option<Msisdn>, limit: u32) -> Result<Vec<OptOut>>;
    /// Lists every opt-out and opt-in of a recipient, in the order in which they were recorded.
    async fn wishes(&self, recipient: Msisdn) -> Result<Vec<OptOutRecord>>;
    /// Reads the number of the latest opt-out of all recipients; 0 if there is none.
    async fn last_stop(&self) -> Result<i64>;
    /// Lists opt-outs after number `after`, in the order in which they were recorded.
    async fn stops(&self, after: i64, limit: u32) -> Result<Vec<(i64, Msisdn)>>;
    /// Lists messages without an outcome to recipients who have opted out.
    ///
    /// - Searches `span` messages from number `from` on.
    /// - Omits messages that are already marked as opted out.
    /// - Also returns the number to continue from, or `None` at the end of the batch.
    async fn unwilling(&self, batch: BatchId, from: u32, span: u32) -> Result<(Vec<Loaded>, Option<u32>)>;

    // Messages from recipients.

    /// Lists messages from recipients after number `after`, in order of arrival.
    async fn inbound(&self, of: InboundOf, after: i64, limit: u32) -> Result<Vec<(i64, Inbound)>>;
    /// Counts the messages of a batch that have a reply, by the step that was replied to.
    async fn replied(&self, batch: BatchId) -> Result<Vec<(StepIndex, u32)>>;
    /// Returns those of the recipients who have a 24-hour window open with a sender, each with its end.
    async fn open_windows(
        &self,
        recipients: Vec<Msisdn>,
        sender: Sender,
        now: Timestamp,
    ) -> Result<Vec<(Msisdn, Timestamp)>>;
    /// Lists all recipients with an open window, in order of the number, after `after`.
    async fn window_holders(
        &self,
        sender: Sender,
        now: Timestamp,
        after: Option<Msisdn>,
        limit: u32,
    ) -> Result<Vec<Msisdn>>;

    // Decisions and events.

    /// Reads the number of the latest decision, which rises with each decision of an operator or of the throttle.
    async fn seq(&self) -> Result<u64>;
    /// Records an event.
    async fn record_event(&self, event: Event) -> Result<()>;
    /// Lists the `limit` latest events after number `after`, latest last, each with its number.
    async fn events(&self, after: i64, limit: u32) -> Result<Vec<(i64, Event)>>;
    /// Lists the `limit` latest events of a batch, its steps, these lanes and their templates, latest last.
    async fn events_of(&self, batch: BatchId, lanes: Vec<String>, limit: u32) -> Result<Vec<Event>>;

    /// Returns the hints about what this process has committed.
    fn signals(&self) -> &super::Signals;
    /// Closes the store after the verbs that were called before; later calls fail.
    async fn close(&self);
    /// Completes once nothing can be written any more: the store was closed, or its writer has panicked.
    ///
    /// - From then on every verb that writes fails with [`super::Error::Closed`].
    async fn ended(&self);
}
