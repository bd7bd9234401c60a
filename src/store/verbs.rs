//! The contract: everything that can be asked of a store. `contract.rs` holds whoever answers it.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::{
    Amendment, Asked, Asking, Attempt, Audience, AudiencePart, Batch, Copied, Dial, Edition, Event, Heard, Hold,
    Inbound, InboundOf, Joined, Joining, Lane, NewAudience, NewBatch, NotedBucket, OptIn, OptOut, Question, Receipt,
    Result, Said, Scope, Sender, Spread, StepHold, TierPlace, Turns, Walk, Whole, Whom, Wish,
};
use crate::domain::{
    AudienceId, BatchId, BatchState, Channel, Knob, LaneId, Loaded, MessageKey, Money, Msisdn, Plan, Queue, Recipient,
    Span, StepIndex, Tallies, Timestamp,
};

#[async_trait::async_trait]
pub trait Store: super::Dispatch + super::Nodes + super::Receipts + super::Retention {
    // Audiences: hidden while they grow, then visible at once and for ever the same.

    async fn begin_audience(&self, new: NewAudience) -> Result<AudienceId>;
    /// Adds recipients behind the `first`th. Repeating it after a crash changes nothing.
    async fn add_recipients(&self, audience: AudienceId, first: u32, recipients: Vec<Recipient>) -> Result<()>;
    /// Makes the audience visible. Fails where its name is taken, and, like every verb about something that grows,
    /// where it was removed meanwhile.
    async fn publish_audience(&self, audience: AudienceId, recipients: u32, summary: String) -> Result<()>;
    /// Removes an audience with what was added to it, in pieces. Fails where a batch uses any of it.
    async fn remove_audience(&self, audience: AudienceId) -> Result<()>;
    /// Removes what was begun, not published, and last touched before `before`; and people whom a campaign brought along
    /// that was then never launched.
    async fn sweep_unpublished(&self, before: Timestamp) -> Result<u32>;
    /// Those with a name, in the order in which they were begun.
    async fn audiences(&self) -> Result<Vec<Audience>>;
    async fn audience_named(&self, name: &str) -> Result<Option<Audience>>;
    /// What a batch's people came from, in the order in which they were laid out.
    async fn parts_of(&self, batch: BatchId) -> Result<Vec<AudiencePart>>;
    /// The recipients behind the `from`th, in order.
    async fn recipients(&self, audience: AudienceId, from: u32, limit: u32) -> Result<Vec<Recipient>>;
    /// Their numbers alone, which costs a fraction of it.
    async fn numbers(&self, audience: AudienceId, from: u32, limit: u32) -> Result<Vec<Msisdn>>;

    /// Where somebody stands in these audiences, or in any.
    async fn places_of(&self, whom: Whom, within: Option<Vec<AudienceId>>) -> Result<Vec<(AudienceId, u32)>>;

    // Batches.

    async fn begin_batch(&self, new: NewBatch) -> Result<BatchId>;
    /// Lays out one piece of an audience as messages. Returns how many.
    async fn spread(&self, spread: Spread) -> Result<u32>;
    /// The one switch at the end of a launch. Fails where the name is taken; a batch that is published already stays
    /// as it is.
    async fn publish_batch(&self, batch: BatchId, state: BatchState, now: Timestamp) -> Result<()>;
    /// Adds messages to a batch of their plan that is open and runs or is paused. Where there is none, one begins and runs.
    /// Who has opted out is skipped. Everything is on disk when this returns, and nothing of it where it fails.
    async fn join(&self, joining: Joining) -> Result<Joined>;
    /// Every published batch, or those in the states named, in order of launch.
    async fn batches(&self, states: Option<Vec<BatchState>>) -> Result<Vec<Batch>>;
    async fn batch(&self, id: BatchId) -> Result<Option<Batch>>;
    async fn batch_named(&self, name: &str) -> Result<Option<Batch>>;
    async fn plan(&self, batch: BatchId) -> Result<Option<Plan>>;
    /// Changes the plan of a batch of that edition, of which something may still be to leave, and makes the nodes look.
    /// Returns the number of the decision, or nothing where it is of another edition by now, is over or has ended.
    async fn amend(&self, amendment: Amendment) -> Result<Option<u64>>;
    /// What its plan was before, earliest first.
    async fn editions(&self, batch: BatchId) -> Result<Vec<Edition>>;
    /// Lets messages of a queue that are put off to later than that have their turn then, and whoever is to begin as long
    /// to leave from then on as the step says: so many of them at most. Returns how many there were.
    async fn bring_forward(&self, queue: Queue, to: Timestamp, leave_within: Option<Span>, limit: u32) -> Result<u32>;
    async fn tallies(&self, batch: BatchId) -> Result<Tallies>;
    /// Moves a batch on if it is in one of the states `from`, and makes the nodes look. Returns the sequence number
    /// that a node has noted once it obeys, or nothing where the batch was in none of them.
    async fn move_batch(
        &self,
        batch: BatchId,
        from: Vec<BatchState>,
        to: BatchState,
        why: Option<String>,
        now: Timestamp,
    ) -> Result<Option<u64>>;

    // Messages.

    /// Messages by key, in the order of the keys; unknown ones are left out.
    async fn load(&self, keys: Vec<MessageKey>) -> Result<Vec<Loaded>>;
    /// Messages of a batch behind `after` that have no outcome and are not in flight, in order.
    async fn open_messages(&self, batch: BatchId, after: Option<u32>, limit: u32) -> Result<Vec<Loaded>>;

    // Timers.

    /// Messages of a batch that are due until `until`, earliest first, and of one time in their order: those behind `after`
    /// (the due time and the number of the last one of the page before).
    async fn due(
        &self,
        batch: BatchId,
        until: Timestamp,
        after: Option<(Timestamp, u32)>,
        limit: u32,
    ) -> Result<Vec<Loaded>>;
    /// Messages of a queue that have their turn at `since` or later, in that order: those after `after` (the turn and the
    /// number of the last one of the page before).
    async fn queued_since(
        &self,
        of: Queue,
        since: Timestamp,
        after: Option<(Timestamp, u32)>,
        limit: u32,
    ) -> Result<Vec<Loaded>>;
    /// When the next message of each of these batches is due, where any is.
    async fn next_due(&self, batches: Vec<BatchId>) -> Result<BTreeMap<BatchId, Timestamp>>;
    /// When those in each of these queues have their turn, of the queues that anybody is in.
    async fn turns(&self, queues: Vec<Queue>) -> Result<BTreeMap<Queue, Turns>>;

    // Asking the provider.

    /// Messages of a batch that are due later than `from` and until `until`, stand at one of `steps`, and of whose step
    /// just `heard` was heard, earliest first.
    async fn silent(
        &self,
        batch: BatchId,
        steps: Vec<StepIndex>,
        heard: Heard,
        from: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Loaded>>;
    /// What attempts can be asked about by, and what was asked before; in the order of `about`.
    async fn questions(&self, about: Vec<(MessageKey, StepIndex)>) -> Result<Vec<Question>>;
    /// Notes what was asked, and how the asking goes.
    async fn note_asked(&self, asked: Vec<Asked>, asking: Asking) -> Result<()>;
    /// How the asking goes, of every subaccount that was ever asked.
    async fn asking(&self) -> Result<Vec<Asking>>;

    // Facts, for whoever asks why.

    /// The tries of each message, in the order of their steps.
    async fn attempts(&self, messages: Vec<MessageKey>) -> Result<Vec<Vec<Attempt>>>;
    async fn receipts(&self, message: MessageKey) -> Result<Vec<Receipt>>;
    /// A message with all that is known of it and of its recipient.
    async fn whole(&self, message: MessageKey) -> Result<Option<Whole>>;
    /// Attempts of a batch of which nobody knows whether they happened.
    async fn unknown(&self, batch: BatchId, limit: u32) -> Result<Vec<(MessageKey, Msisdn, StepIndex)>>;

    /// Copies everything that is kept of a batch, as it all stands at one moment; nothing where there is no such batch.
    ///
    /// - The pages are read from the copy: no transaction is open once this returns, so no reader keeps the log of the
    ///   database from being folded.
    /// - A large copy goes into an unnamed file beside the database. Fails with [`super::Error::NoRoom`] before it
    ///   writes anything where the disk has too little room.
    /// - `copied` is told how far it is.
    async fn walk(&self, batch: BatchId, scope: Scope, copied: watch::Sender<Copied>) -> Result<Option<Walk>>;

    // Lanes, holds, tiers, opt-outs.

    /// The lanes' numbers; new names get one.
    async fn lanes(&self, lanes: Vec<(String, Channel)>) -> Result<Vec<Lane>>;
    async fn holds(&self) -> Result<Vec<Hold>>;
    /// Holds, because of a person or of what came of a request that was begun at `begun`. What was begun before a hold
    /// on the same was lifted puts none: it knows nothing of what a person has put right since.
    async fn hold(&self, hold: Hold, begun: Timestamp) -> Result<u64>;
    /// Lifts every hold on a lane (`template` empty) or on a template, in whatever language. Returns how many there were.
    async fn release(&self, lane: String, template: String, now: Timestamp, by: String) -> Result<u32>;
    /// Steps of which nothing leaves for the time being.
    async fn step_holds(&self) -> Result<Vec<StepHold>>;
    /// Holds a step, because of a decision or of what came of a request that was begun at `begun`. Returns the number of the
    /// decision. Returns nothing where the step is held so already, where an operator has released it in spite of a rule, or
    /// where one has released it after `begun`.
    async fn hold_step(&self, hold: StepHold, begun: Timestamp) -> Result<Option<u64>>;
    /// Lifts whatever holds a batch's steps, or one of them. Nothing where there was nothing.
    async fn release_steps(
        &self,
        batch: BatchId,
        only: Option<StepIndex>,
        by: String,
        now: Timestamp,
    ) -> Result<Option<u64>>;
    /// What a batch has spent on its steps, where it has prices.
    async fn spent(&self, batch: BatchId) -> Result<Vec<(StepIndex, Money)>>;
    /// What was changed of the configuration while it ran.
    async fn dials(&self) -> Result<Vec<Dial>>;
    /// Changes something, unless it was changed by a later word. Returns the number of the decision, if it is one.
    async fn turn(&self, dial: Dial, now: Timestamp) -> Result<Option<u64>>;
    /// What the file says counts again. Returns the number of the decision, where it did not.
    async fn turn_back(&self, knob: Knob, name: String, why: String, now: Timestamp) -> Result<Option<u64>>;
    /// What was noted of buckets.
    async fn buckets(&self) -> Result<Vec<NotedBucket>>;
    /// What the provider said last of lanes, portfolios and templates.
    async fn said(&self) -> Result<Vec<Said>>;
    /// Nobody counts the people of other portfolios than these any more, or on other lanes of theirs.
    async fn count_no_others(&self, portfolios: BTreeMap<String, Vec<LaneId>>) -> Result<()>;
    /// Sees to it that the people of portfolios are counted on these lanes, and have been since `since`: where they were
    /// not, because the portfolio was unlimited or the lane another's, by what was handed over. Some pieces of that, from
    /// one on; returns the next, or nothing once all of it is done.
    async fn count_tiers(
        &self,
        portfolios: BTreeMap<String, Vec<LaneId>>,
        since: Timestamp,
        from: Option<MessageKey>,
    ) -> Result<Option<MessageKey>>;
    /// People who have a place in these portfolios that was taken later than `since`, earliest first.
    async fn tier_places(&self, portfolios: Vec<String>, since: Timestamp) -> Result<BTreeMap<String, Vec<TierPlace>>>;
    /// How many they are in each portfolio that has any.
    async fn tiers_used(&self, since: Timestamp) -> Result<BTreeMap<String, u32>>;
    /// Forgets, in pieces, the places that were taken at `before` or earlier: nobody counts them any more.
    async fn forget_places(&self, before: Timestamp) -> Result<()>;
    /// Takes places for people at these times, whether or not there are any.
    async fn take_places(&self, portfolio: &str, people: Vec<(Msisdn, Timestamp)>) -> Result<()>;
    /// Keeps that people want nothing more. Returns of how many that was news. Whoever has said later by their own word
    /// that they want messages again is not put out by an older one.
    async fn opt_out(&self, people: Vec<OptOut>) -> Result<u32>;
    /// Lets people back; returns how many. A person's own word ends neither what an operator has put there nor a later
    /// word, an operator's ends everything.
    async fn opt_in(&self, people: Vec<OptIn>) -> Result<u32>;
    /// Those of the people who have opted out.
    async fn opted_out(&self, people: Vec<Msisdn>) -> Result<Vec<Msisdn>>;
    /// Everybody who has opted out, behind `after`, in order of the number.
    async fn opt_outs(&self, after: Option<Msisdn>, limit: u32) -> Result<Vec<Msisdn>>;
    /// The same, with why.
    async fn opt_out_list(&self, after: Option<Msisdn>, limit: u32) -> Result<Vec<OptOut>>;
    /// Everything that a person has wished, in the order in which it was kept.
    async fn wishes(&self, person: Msisdn) -> Result<Vec<Wish>>;
    /// The latest wish of all to be left alone, or none.
    async fn last_stop(&self) -> Result<i64>;
    /// Who wished so behind `after`, in the order in which that was kept.
    async fn stops(&self, after: i64, limit: u32) -> Result<Vec<(i64, Msisdn)>>;
    /// Of the messages from the `from`th on, `span` of them, those without an outcome to people who have opted out, unless
    /// they say so already; and where to go on.
    async fn unwilling(&self, batch: BatchId, from: u32, span: u32) -> Result<(Vec<Loaded>, Option<u32>)>;

    // What people write.

    /// What was written, behind `after`, in the order in which it came.
    async fn inbound(&self, of: InboundOf, after: i64, limit: u32) -> Result<Vec<(i64, Inbound)>>;
    /// Messages of a batch that people have answered, by the step that they answered.
    async fn replied(&self, batch: BatchId) -> Result<Vec<(StepIndex, u32)>>;
    /// Those of the people who have a 24-hour window open with a sender, with the end of it.
    async fn open_windows(
        &self,
        people: Vec<Msisdn>,
        sender: Sender,
        now: Timestamp,
    ) -> Result<Vec<(Msisdn, Timestamp)>>;
    /// Everybody who has one, behind `after`, in order of the number.
    async fn window_holders(
        &self,
        sender: Sender,
        now: Timestamp,
        after: Option<Msisdn>,
        limit: u32,
    ) -> Result<Vec<Msisdn>>;

    // Decisions and what is told about them.

    /// Rises with every decision of a person or of the throttle.
    async fn seq(&self) -> Result<u64>;
    async fn note(&self, event: Event) -> Result<()>;
    /// The latest events behind `after`, latest last, each with its number.
    async fn events(&self, after: i64, limit: u32) -> Result<Vec<(i64, Event)>>;

    /// Hints about what this process has committed.
    fn signals(&self) -> &super::Signals;
    /// Ends all work, after what was asked; nothing may be asked afterwards.
    async fn close(&self);
    /// Ends once nothing can be written any more: it was closed, or something in it has panicked. From then on every
    /// verb that writes fails for good.
    async fn ended(&self);
}
