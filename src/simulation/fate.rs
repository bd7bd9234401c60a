//! A store whose process dies between any two commits, and whose disk fails.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::base::domain::{
    Address, AddressKey, AudienceId, BatchId, BatchState, Channel, ChannelUser, LaneId, Loaded, MessageKey, Msisdn,
    OptOutOf, OverridableSetting, Plan, Queue, Reasons, Recipient, Span, Spent, StepIndex, Tallies, Timestamp,
    WishSubject,
};
use crate::base::events::{Event, Origin};
use crate::node::Processes;
use crate::store::{
    AccountEvent, Addresses, Alias, Amendment, Attempt, Audience, AudiencePart, Audiences, Batch, BatchFigures,
    BatchFilter, BatchPage, Batches, Beat, Call, Catalogues, Change, Claim, ClaimedSet, CodedFacts, Consent, Copied,
    Cursor, Dispatch, Edition, Epoch, Error, Events, FetchedTemplates, Figures, FoundAttempt, FoundRecipient,
    HighestStatus, Hold, Holder, Inbound, InboundOf, Joined, Joining, Kept, KeptGap, Key, LaneState, Lanes, Latest,
    Lease, LinkState, MessageFacts, Messages, NamingLane, NewAudience, NewBatch, NewCall, Node, NodeStart, Nodes,
    NotedBucket, OptIn, OptOut, Override, PieceOfMessages, ProviderReport, Queries, Query, QueryState, Question,
    QueueTimes, Receipt, Receipts, RecipientPlace, RejectedRow, Repetitions, Replies, ReplyCount, Restore, Result,
    Retention, Scope, Sender, Signals, Started, StepHold, Store, StoredLane, Stray, StrayCount, StrayKind,
    TemplateLimit, TemplateRequest, TierSlot, Tiers, TurnedAway, UnknownSlots, Unwritable, UploadedFile, Uploads, Walk,
    WebhookGroup, Whom, Wish,
};

/// Maximum number of store calls of one world. A world that needs more is in an endless loop.
const VERBS_MAX: u32 = 200_000;

/// What the processes of one world asked of the store.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    verbs: AtomicU32,
    changed: AtomicBool,
    opted: AtomicBool,
}

impl Traffic {
    fn count(&self) {
        assert!(self.verbs.fetch_add(1, Ordering::Relaxed) < VERBS_MAX, "it calls the store in an endless loop");
    }

    /// Returns whether messages may have changed since the last call, and forgets it.
    pub(super) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::Relaxed)
    }

    /// Returns whether a recipient may have been opted out since the last call, and forgets it.
    pub(super) fn take_opted(&self) -> bool {
        self.opted.swap(false, Ordering::Relaxed)
    }
}

/// When a process dies and whether its disk works. Each process has its own.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// Writes left until the process dies, counted from one; zero where no death is planned.
    writes_left: AtomicU32,
    /// Whether the last write is committed before the process dies.
    after_commit: AtomicBool,
    failing: AtomicBool,
    dead: CancellationToken,
}

impl Fate {
    /// Lets the process die at this write, counted from one.
    pub(super) fn die_at_write(&self, writes: u32, after_commit: bool) {
        self.after_commit.store(after_commit, Ordering::Relaxed);
        self.writes_left.store(writes, Ordering::Relaxed);
    }

    pub(super) fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Runs an act of the process; `None` if the process died during it.
    pub(super) async fn outlive<T>(&self, act: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.dead.cancelled() => None,
            done = act => Some(done),
        }
    }

    /// Counts a write. Returns whether the process dies at it.
    fn count_write(&self) -> bool {
        let left = self.writes_left.load(Ordering::Relaxed);
        if left > 0 {
            self.writes_left.store(left - 1, Ordering::Relaxed);
        }
        left == 1
    }

    async fn die(&self) -> ! {
        self.dead.cancel();
        std::future::pending().await
    }
}

/// Reports every earlier process as gone.
#[derive(Debug)]
pub(super) struct AllGone;

impl Processes for AllGone {
    fn own(&self) -> Holder {
        Holder { machine: String::new(), pid: 1, started: 0 }
    }

    fn is_gone(&self, _: &Holder) -> bool {
        true
    }
}

/// The store as a process with this fate sees it.
#[derive(Debug)]
pub(super) struct Mortal {
    pub(super) store: Arc<dyn Store>,
    pub(super) fate: Arc<Fate>,
    pub(super) traffic: Arc<Traffic>,
}

impl Mortal {
    async fn reads<T>(&self, read: impl Future<Output = Result<T>>) -> Result<T> {
        self.traffic.count();
        self.check()?;
        read.await
    }

    async fn writes<T>(&self, write: impl Future<Output = Result<T>>) -> Result<T> {
        self.traffic.count();
        self.check()?;
        if !self.fate.count_write() {
            return write.await;
        }
        if self.fate.after_commit.load(Ordering::Relaxed) {
            // The write is committed, and the process never learns of it.
            let _ = write.await;
        }
        self.fate.die().await
    }

    /// Runs a write that changes messages. The change is noted first: the store completes a verb even when its caller
    /// no longer waits.
    async fn changes<T>(&self, write: impl Future<Output = Result<T>>) -> Result<T> {
        self.traffic.changed.store(true, Ordering::Relaxed);
        self.writes(write).await
    }

    async fn opts<T>(&self, write: impl Future<Output = Result<T>>) -> Result<T> {
        self.traffic.opted.store(true, Ordering::Relaxed);
        self.writes(write).await
    }

    async fn takes<T>(&self, write: impl Future<Output = Result<T>>) -> Result<T> {
        self.traffic.opted.store(true, Ordering::Relaxed);
        self.changes(write).await
    }

    fn check(&self) -> Result<()> {
        if self.fate.is_failing() {
            return Err(Error::Commit { reason: "the disk is full".to_owned() });
        }
        Ok(())
    }
}

/// Forwards each verb to the store below, as a read or a write.
macro_rules! through {
    ($contract:ident { $($kind:ident $verb:ident($($argument:ident: $type:ty),*) -> $answer:ty;)* }) => {
        #[async_trait::async_trait]
        impl $contract for Mortal {
            $(
                async fn $verb(&self, $($argument: $type),*) -> Result<$answer> {
                    self.$kind(self.store.$verb($($argument),*)).await
                }
            )*
        }
    };
}

mod api;

through! {
    Nodes {
        reads lease() -> Lease;
        reads latest() -> Latest;
        writes start_node(start: NodeStart) -> Option<Started>;
        reads renew(node: i64, now: Timestamp) -> ();
        writes beat(beat: Beat) -> ();
        writes stop_node(node: i64, listening_until: Timestamp) -> ();
        reads turned_away() -> Vec<TurnedAway>;
        writes keep_gap(gap: KeptGap, forget: Timestamp) -> ();
        reads gaps() -> Vec<KeptGap>;
        reads links() -> Vec<LinkState>;
        reads nodes(since: Timestamp) -> Vec<Node>;
        reads unwritable(since: Timestamp) -> Option<Unwritable>;
        reads lane_states(since: Timestamp) -> Vec<LaneState>;
    }
}

through! {
    Dispatch {
        changes claim(claim: Claim) -> ClaimedSet;
        changes record_noting(changes: Vec<Change>, buckets: Vec<NotedBucket>) -> Vec<MessageKey>;
        reads in_flight(epoch: Epoch, after: Option<MessageKey>, limit: u32) -> Vec<Loaded>;
        writes give_back_places(portfolio: &str, recipients: Vec<(AddressKey, Timestamp)>) -> ();
    }
}

through! {
    Catalogues {
        writes replace_templates(fetched: FetchedTemplates, events: Vec<AccountEvent>) -> bool;
        reads templates(names: Option<Vec<String>>) -> Vec<FetchedTemplates>;
        writes begin_template_request(request: TemplateRequest, limit: Option<TemplateLimit>) -> Option<i64>;
        writes forget_template_request(id: i64) -> ();
        reads template_requests(account_id: String, since: Timestamp) -> Vec<TemplateRequest>;
    }
}

through! {
    Retention {
        writes begin_purge(batch: BatchId, now: Timestamp) -> bool;
        changes purge_piece(batch: BatchId) -> u32;
        writes forget_texts(before: Timestamp) -> ();
        writes forget_channel_users() -> ();
        changes erase(addresses: Vec<Address>, rows: Vec<(AudienceId, u32)>, messages: Vec<MessageKey>, known: Vec<(BatchId, u32)>) -> bool;
        writes compact() -> ();
        reads back_up(into: &Path) -> u64;
        reads copied_at() -> Option<Timestamp>;
        writes mark_restored(restore: Restore) -> ();
        reads last_restore() -> Option<Restore>;
        writes accept_copy() -> ();
    }
}

through! {
    Receipts {
        takes take(taken: WebhookGroup) -> Kept;
        reads find(keys: Vec<Key>) -> Vec<Option<FoundAttempt>>;
        reads naming_lanes() -> Vec<NamingLane>;
        reads strays(kind: StrayKind, since: Timestamp, after: Cursor, limit: u32) -> Vec<(Cursor, Stray)>;
        writes forget_strays(strays: Vec<Cursor>) -> ();
        writes forget_old_strays(before: Timestamp) -> ();
        reads stray_counts() -> Vec<StrayCount>;
        writes take_business(events: Vec<AccountEvent>) -> u32;
    }
}

through! {
    Audiences {
        writes begin_audience(new: NewAudience) -> AudienceId;
        writes add_recipients(audience: AudienceId, first: u32, recipients: Vec<Recipient>) -> ();
        writes add_rejected(audience: AudienceId, first: u32, rows: Vec<RejectedRow>) -> ();
        writes publish_audience(audience: AudienceId, recipients: u32, summary: String) -> ();
        writes remove_audience(audience: AudienceId) -> ();
        writes sweep_unpublished(before: Timestamp) -> u32;
        reads audiences() -> Vec<Audience>;
        reads audience_page(after: Option<String>, limit: u32) -> Vec<Audience>;
        reads latest_audiences(name: Option<String>, before: Option<AudienceId>, limit: u32) -> Vec<Audience>;
        writes remove_rejected(audience: AudienceId, numbers: Vec<u32>) -> ();
        reads rejected_rows(audience: AudienceId, reason: Option<String>, from: u32, limit: u32) -> Vec<(u32, RejectedRow)>;
        reads rejected_with(id: String) -> Vec<(AudienceId, u32)>;
        reads count_rejected(recipient: Msisdn) -> usize;
        reads audience_named(name: &str) -> Option<Audience>;
        reads parts_of(batch: BatchId) -> Vec<AudiencePart>;
        reads recipients(audience: AudienceId, from: u32, limit: u32) -> Vec<Recipient>;
        reads address_keys(audience: AudienceId, from: u32, limit: u32) -> Vec<AddressKey>;
        reads find_recipient(whom: Whom, within: Option<Vec<AudienceId>>) -> Vec<(AudienceId, u32)>;
        reads find_recipient_from(whom: Whom, from: Option<RecipientPlace>) -> FoundRecipient;
    }
}

through! {
    Batches {
        writes begin_batch(new: NewBatch) -> BatchId;
        writes begin_call(call: NewCall) -> Vec<Joined>;
        reads call_of(batch: BatchId) -> Option<Call>;
        writes write_messages(spread: PieceOfMessages) -> u32;
        writes publish_batch(batch: BatchId, state: BatchState, origin: Origin, now: Timestamp) -> ();
        changes join(joining: Joining) -> Joined;
        reads batches(states: Option<Vec<BatchState>>) -> Vec<Batch>;
        reads batch_page(filter: BatchFilter, before: Option<BatchId>, limit: u32) -> BatchPage;
        reads campaigns_between(from: Timestamp, until: Timestamp, limit: u32) -> Vec<Batch>;
        reads batches_of_audience(audience: AudienceId, before: Option<BatchId>, limit: u32) -> Vec<(Batch, u32)>;
        reads test_batches() -> BTreeSet<BatchId>;
        reads batch(id: BatchId) -> Option<Batch>;
        reads batch_named(name: &str) -> Option<Batch>;
        writes note_repetition(batch: BatchId, of: BatchId) -> ();
        reads repetitions(of: BatchId, limit: u32) -> Repetitions;
        writes rename_batch(batch: BatchId, name: String, origin: Origin, now: Timestamp) -> Option<u64>;
        writes remove_draft(batch: BatchId, origin: Origin, now: Timestamp) -> bool;
        reads plans(batches: Vec<BatchId>) -> BTreeMap<BatchId, Plan>;
        reads plan(batch: BatchId) -> Option<Plan>;
        writes amend(amendment: Amendment) -> Option<u64>;
        writes correct(amendment: Amendment, is_draft_again: bool) -> Option<u64>;
        reads editions(batch: BatchId) -> Vec<Edition>;
        changes bring_forward(queue: Queue, to: Timestamp, within: Option<Span>, limit: u32) -> u32;
        reads tallies(batch: BatchId) -> Tallies;
        reads tallies_of(batches: Vec<BatchId>) -> BTreeMap<BatchId, Tallies>;
        writes move_batch(
            batch: BatchId,
            from: Vec<BatchState>,
            to: BatchState,
            origin: Option<Origin>,
            now: Timestamp
        ) -> Option<u64>;
        writes start_draft(batch: BatchId, edition: u32, to: BatchState, origin: Origin, now: Timestamp) -> Option<u64>;
        writes refuse_draft(batch: BatchId, edition: u32, origin: Origin, now: Timestamp) -> Option<u64>;
        writes end_reservations(now: Timestamp) -> bool;
        reads spent(batch: BatchId) -> Vec<(StepIndex, Spent)>;
        reads step_holds() -> Vec<StepHold>;
        writes hold_step(hold: StepHold, begun: Timestamp) -> Option<u64>;
        writes release_steps(batch: BatchId, steps: Vec<StepIndex>, by: Origin, now: Timestamp) -> Option<u64>;
    }
}

through! {
    Messages {
        reads load(keys: Vec<MessageKey>) -> Vec<Loaded>;
        reads open_messages(batch: BatchId, after: Option<u32>, limit: u32) -> Vec<Loaded>;
        reads due(batch: BatchId, until: Timestamp, after: Option<(Timestamp, u32)>, limit: u32) -> Vec<Loaded>;
        reads queued_since(of: Queue, since: Timestamp, after: Option<(Timestamp, u32)>, limit: u32) -> Vec<Loaded>;
        reads next_due(batches: Vec<BatchId>) -> BTreeMap<BatchId, Timestamp>;
        reads queue_times(queues: Vec<Queue>) -> BTreeMap<Queue, QueueTimes>;
        reads attempts(messages: Vec<MessageKey>) -> Vec<Vec<Attempt>>;
        reads receipts(message: MessageKey) -> Vec<Receipt>;
        reads coded_facts(batch: BatchId, numbers: RangeInclusive<u32>, of: Reasons) -> CodedFacts;
        reads message_facts(message: MessageKey) -> Option<MessageFacts>;
        reads unknown(batch: BatchId, limit: u32) -> Vec<(MessageKey, AddressKey, StepIndex)>;
        reads walk(batch: BatchId, scope: Scope, copied: watch::Sender<Copied>) -> Option<Walk>;
    }
}

through! {
    Queries {
        reads silent(
            batch: BatchId,
            steps: Vec<StepIndex>,
            reported: HighestStatus,
            from: Timestamp,
            until: Timestamp,
            limit: u32
        ) -> Vec<Loaded>;
        reads questions(about: Vec<(MessageKey, StepIndex)>) -> Vec<Question>;
        writes record_queries(asked: Vec<Query>, state: QueryState) -> ();
        reads query_states() -> Vec<QueryState>;
    }
}

through! {
    Lanes {
        reads lanes(lanes: Vec<(String, Channel)>) -> Vec<StoredLane>;
        reads holds() -> Vec<Hold>;
        writes hold(hold: Hold, begun: Timestamp) -> u64;
        writes release(lane: String, template: String, now: Timestamp, by: Origin) -> u32;
        reads overrides() -> Vec<Override>;
        writes set_override(overridden: Override, now: Timestamp) -> Option<u64>;
        writes end_override(setting: OverridableSetting, name: String, origin: Origin, now: Timestamp) -> Option<u64>;
        reads buckets() -> Vec<NotedBucket>;
        reads provider_reports() -> Vec<ProviderReport>;
    }
}

through! {
    Tiers {
        writes count_no_others(portfolios: BTreeMap<String, Vec<LaneId>>) -> ();
        writes count_tiers(portfolios: BTreeMap<String, Vec<LaneId>>, since: Timestamp, from: Option<MessageKey>)
            -> Option<MessageKey>;
        reads tier_slots(portfolios: Vec<String>, since: Timestamp) -> BTreeMap<String, Vec<TierSlot>>;
        reads tiers_used(since: Timestamp) -> BTreeMap<String, u32>;
        writes note_unknown_slots(portfolio: &str, slots: UnknownSlots, origin: Origin, now: Timestamp) -> u64;
        reads unknown_slots(since: Timestamp) -> BTreeMap<String, UnknownSlots>;
        writes forget_slots(before: Timestamp) -> ();
        writes take_slots(portfolio: &str, recipients: Vec<(AddressKey, Timestamp)>) -> ();
    }
}

through! {
    Uploads {
        reads uploaded_files(base_url: String, sub_account: String, digests: Vec<[u8; 32]>) -> Vec<UploadedFile>;
        writes record_uploads(files: Vec<UploadedFile>) -> ();
    }
}

through! {
    Consent {
        opts opt_out(recipients: Vec<OptOut>) -> u32;
        writes opt_in(recipients: Vec<OptIn>) -> u32;
        reads opted_out(recipients: Vec<Msisdn>, of: OptOutOf) -> Vec<Msisdn>;
        reads opted_out_numbers(after: Option<Msisdn>, limit: u32, of: OptOutOf) -> Vec<Msisdn>;
        reads opted_out_users(of: OptOutOf) -> Vec<ChannelUser>;
        reads opt_outs(after: Cursor, limit: u32) -> Vec<(Cursor, OptOut)>;
        reads opt_outs_of(address: Address) -> Vec<OptOut>;
        reads reported_opt_outs(after: Cursor, limit: u32) -> (Vec<OptOut>, Option<Cursor>);
        opts narrow_opt_outs(piece: (Cursor, u32), to: WishSubject, at: Timestamp, how: String) -> (u32, Option<Cursor>);
        reads claimed_despite_opt_outs(batch: BatchId, from: u32, span: u32) -> Vec<Loaded>;
        reads wishes(address: Address) -> Vec<Wish>;
        reads other_addresses(address: Address) -> Vec<Address>;
        opts learn_users(aliases: Vec<Alias>) -> Vec<Msisdn>;
        reads numbers_called_by_others() -> Vec<(Msisdn, Msisdn)>;
        reads stand_ins() -> Vec<Msisdn>;
        reads last_stop() -> Cursor;
        reads stops(after: Cursor, limit: u32) -> Vec<(Cursor, AddressKey)>;
        reads channel_users(keys: Vec<AddressKey>) -> Addresses;
        reads opted_out_messages(batch: BatchId, of: OptOutOf, from: u32, span: u32) -> (Vec<Loaded>, Option<u32>);
    }
}

through! {
    Replies {
        reads inbound(of: InboundOf, after: Cursor, limit: u32) -> Vec<(Cursor, Inbound)>;
        reads inbound_before(of: InboundOf, before: Option<Cursor>, limit: u32) -> Vec<(Cursor, Inbound)>;
        reads replied(batch: BatchId) -> Vec<(StepIndex, u32)>;
        reads reply_counts(batch: BatchId, limit: u32) -> Vec<ReplyCount>;
        reads due_confirmations(limit: u32) -> Vec<(Cursor, Inbound)>;
        writes forget_confirmations(of: Vec<Cursor>) -> ();
        reads possible_stop(umid: String) -> Option<Inbound>;
        writes decide_possible_stop(umid: String) -> bool;
        reads closed_windows(recipients: Vec<AddressKey>, sender: Sender, now: Timestamp) -> Vec<AddressKey>;
        reads open_windows(recipients: Vec<AddressKey>, sender: Sender, now: Timestamp) -> Vec<(AddressKey, Timestamp)>;
        reads window_holders(sender: Sender, now: Timestamp, after: Option<Msisdn>, limit: u32) -> Vec<Msisdn>;
    }
}

through! {
    Figures {
        writes note_figures(figures: Vec<BatchFigures>, forget: Vec<(BatchId, Timestamp)>) -> ();
        reads figures(batch: BatchId) -> Vec<BatchFigures>;
    }
}

through! {
    Events {
        reads seq() -> u64;
        writes record_event(event: Event) -> ();
        reads events(after: Cursor, limit: u32) -> Vec<(Cursor, Event)>;
        reads events_before(of: Option<BatchId>, before: Option<Cursor>, limit: u32) -> Vec<(Cursor, Event)>;
        reads events_of(batch: BatchId, lanes: Vec<String>, limit: u32) -> Vec<Event>;
    }
}

#[async_trait::async_trait]
impl Store for Mortal {
    fn signals(&self) -> &Signals {
        self.store.signals()
    }

    async fn ended(&self) {
        self.store.ended().await;
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
