//! Keeps the batches in play in memory: their fixed properties, and their states, refreshed with each decision.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering};

use parking_lot::RwLock;
use tokio::sync::{Mutex, Notify};

use super::expected::{Expected, Waiting};
use super::refusals::Refusals;
use super::suppressed::{LISTED_MAX, Suppressed, Suppression};
use super::{Batch, Case, Change, Marked, Recall, Result, StepHold, Store, ToldBy};
use crate::domain::{
    AttemptId, BatchId, BatchState, Channel, Country, Hours, LaneId, Loaded, Member, MessageKey, Msisdn, Plan, Pool,
    Present, Queue, Span, State, StepIndex, Tag, Timestamp,
};
use crate::engine::{Event, Ruling, Standing};
use crate::planner::Timing;
use crate::store::{Attempt, Verdict};

/// The longest time between a join's reading of the clock and its commit.
const JOIN_TAKES: Span = Span::from_secs(5);

/// One batch in play.
#[derive(Debug)]
pub struct Entry {
    pub id: BatchId,
    pub tag: Tag,
    pub name: Option<String>,
    /// The plan of this edition.
    pub plan: Plan,
    /// The number of changes of the plan before this edition.
    pub edition: u32,
    /// Until when messages may join it.
    open_until: Option<Timestamp>,
    /// The lanes of each step, in the order of its pool.
    lanes: Vec<Vec<LaneId>>,
    course: Arc<Course>,
    suppressed: Arc<Suppressed>,
}

/// The state that all editions of a batch's plan share, so that holders of an entry of an earlier edition see it too.
#[derive(Debug, Default)]
struct Course {
    state: AtomicU8,
    /// The held steps, a bit each.
    held: AtomicU8,
    /// The latest edition.
    edition: AtomicU32,
    /// Latest time for a first submission (the campaign's `end`), in the latest edition.
    last_first_submission_at: AtomicI64,
    /// The hours of each step that has some, in the latest edition.
    timings: RwLock<Vec<Option<Arc<Timing>>>>,
    /// The latest refusals of each step.
    refusals: Refusals,
    /// The refusals to recall, by the refused step.
    recalls: RwLock<BTreeMap<StepIndex, Recall>>,
    /// Submissions since the process began, for the rate that operators see.
    submitted: AtomicU64,
    /// Claimed messages about which a receipt has decided meanwhile.
    recalled: Marked<(MessageKey, StepIndex)>,
}

impl Entry {
    pub fn state(&self) -> BatchState {
        BatchState::from_code(self.course.state.load(Ordering::Acquire)).unwrap_or(BatchState::Paused)
    }

    /// Whether its plan has been changed since this entry was read.
    pub fn is_former(&self) -> bool {
        self.course.edition.load(Ordering::Acquire) != self.edition
    }

    /// Whether the message was never submitted and the batch's `end` has come.
    pub fn has_ended_for(&self, message: &Present, now: Timestamp) -> bool {
        message.first_submitted_at.is_none()
            && self.course.last_first_submission_at.load(Ordering::Acquire) <= now.millis()
    }

    /// Whether messages may still join it; until then it is not finished, even if all its messages were submitted. A join
    /// that began before the close may commit shortly after it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.open_until.is_some_and(|until| now < until + JOIN_TAKES)
    }

    /// Whether it is cancelled, and no message of it may be sent any more.
    pub fn is_called_off(&self) -> bool {
        matches!(self.state(), BatchState::Cancelling | BatchState::Cancelled)
    }

    /// Whether a step is held, although the batch runs.
    pub fn is_held(&self, step: StepIndex) -> bool {
        self.course.held.load(Ordering::Acquire) & step.bit() != 0
    }

    /// Whether any step is held.
    pub fn holds_a_step(&self) -> bool {
        self.course.held.load(Ordering::Acquire) != 0
    }

    /// Whether its deadlines are held. A resume applies what a pause held.
    pub fn is_held_back(&self) -> bool {
        matches!(self.state(), BatchState::Draft | BatchState::Scheduled | BatchState::Paused)
    }

    pub fn attempt(&self, message: MessageKey, step: StepIndex) -> AttemptId {
        AttemptId { key: message, step, tag: self.tag }
    }

    /// The lanes of a step, with their pool.
    pub fn pool(&self, step: StepIndex) -> Option<(&Pool, &[LaneId])> {
        Some((&self.plan.step(step)?.lanes, self.lanes.get(step.index())?))
    }

    /// One of the lanes of a step, with its pool.
    pub fn member(&self, step: StepIndex, lane: LaneId) -> Option<(&Pool, &Member)> {
        let (pool, lanes) = self.pool(step)?;
        let position = lanes.iter().position(|id| *id == lane)?;
        Some((pool, pool.members().get(position)?))
    }

    /// The lane in whose queue a recipient waits for a step.
    fn lane(&self, step: StepIndex, recipient: Msisdn, country: Country) -> Option<LaneId> {
        let (pool, lanes) = self.pool(step)?;
        let position = if pool.is_shared() { pool.lane_index(recipient, country) } else { 0 };
        lanes.get(position).copied()
    }

    /// The lane of a step's pool that has the message, if the message is at that step; else the lane that most likely had it.
    pub fn lane_of(&self, message: &Loaded, step: StepIndex) -> Option<&str> {
        let present = self.member(step, message.lane).filter(|_| message.present.step == step);
        let (pool, _) = self.pool(step)?;
        let own = || pool.members().get(pool.lane_index(message.msisdn, message.country));
        present.map(|(_, member)| member).or_else(own).map(|member| member.lane.as_str())
    }

    /// The hours of a step; `None` if it may be sent at all hours.
    pub fn timing(&self, step: StepIndex) -> Option<Arc<Timing>> {
        self.course.timings.read().get(step.index())?.clone()
    }

    /// The queues that a lane serves: its own, and those of lanes that it may replace.
    pub fn queues_of(&self, lane: LaneId) -> impl Iterator<Item = Queue> + '_ {
        let at = move |step| self.pool(step).map(|(pool, lanes)| (step, pool, lanes));
        StepIndex::all().filter_map(at).flat_map(move |(step, pool, lanes)| {
            let members = pool.members().iter().zip(lanes);
            let own = members.clone().find(|(_, id)| **id == lane).map(|(member, _)| member);
            let serves = move |(other, id): &(&Member, &LaneId)| {
                own.is_some_and(|own| **id == lane || pool.may_replace(own, other))
            };
            members.filter(serves).map(move |(_, id)| Queue { batch: self.id, step, lane: *id })
        })
    }

    /// Opens a message of this batch for decisions.
    pub fn case(&self, message: &Loaded) -> Case {
        Case::new(*message, Standing::of(self.state()))
    }

    /// The change that an event makes to a message; `None` if it changes nothing.
    pub fn decide(&self, message: &Loaded, event: Event, now: Timestamp) -> Option<Change> {
        let mut case = self.case(message);
        let decision = case.apply_event(&self.plan, event, now);
        decision.next().map(|_| self.change(case))
    }

    /// The decisions about a message of this batch, ready for the store.
    pub fn change(&self, case: Case) -> Change {
        let Case { message, now: after, ruling, notes, .. } = case;
        // The lane that submitted a step keeps it. A message that returns to a queue returns to its own lane's, even if
        // another lane had replaced that one.
        let stays = after.step == message.present.step && !matches!(after.state, State::Queued { .. });
        let lane = if stays { None } else { self.lane(after.step, message.msisdn, message.country) };
        Change {
            key: message.key,
            msisdn: message.msisdn,
            version: message.version,
            before: message.present,
            after,
            lane: lane.unwrap_or(message.lane),
            steps: u8::try_from(self.plan.steps.len()).unwrap_or(StepIndex::COUNT_MAX),
            fact: None,
            ruling,
            notes,
            refund: None,
        }
    }

    /// The fact that the message's present step was not submitted, and why.
    pub fn not_submitted(&self, message: &Loaded, verdict: Verdict, now: Timestamp) -> Option<Attempt> {
        let State::Queued { not_before, .. } = message.present.state else { return None };
        Some(Attempt {
            step: message.present.step,
            lane: message.lane,
            queued: not_before,
            intent: None,
            answered: now,
            verdict,
            tries: message.present.tries,
            code: None,
            detail: None,
            umid: None,
            ruling: Ruling::default(),
        })
    }

    /// Keeps a message that was claimed for a step from being sent, because a receipt of an earlier try or step has decided
    /// about it. The message may meanwhile be claimed for a later step: that is another claim.
    pub fn recall(&self, message: MessageKey, step: StepIndex) {
        self.course.recalled.insert((message, step));
    }

    pub fn is_recalled(&self, message: MessageKey, step: StepIndex) -> bool {
        self.course.recalled.contains((message, step))
    }

    /// Ends the recall of a message that is no longer claimed.
    pub fn end_recall(&self, message: MessageKey, step: StepIndex) {
        self.course.recalled.remove((message, step));
    }

    /// Keeps claimed messages for these recipients from being sent, in every batch.
    pub fn suppress(&self, recipients: &[Msisdn]) {
        self.suppressed.suppress(recipients.iter().copied());
    }

    /// Whether the recipient is known to have opted out after a message was claimed. `since` is the result of
    /// [`Book::latest_suppression`] before that claim.
    pub fn is_suppressed(&self, recipient: Msisdn, since: Suppression) -> bool {
        self.suppressed.is_suppressed(recipient, since)
    }

    /// Counts a refused submission of a step, for a reason that is not about the recipient's number. Returns what to recall
    /// once so many were refused alike that it is the sender's fault.
    pub fn refused(&self, message: &Loaded, step: StepIndex, by: ToldBy, code: u32, at: Timestamp) -> Option<Recall> {
        self.course.refusals.refused(step, by, code, message.key.n, at)
    }

    /// What to recall if refusals of a step with this code are the sender's fault by now.
    pub fn recall_if_senders_fault(&self, step: StepIndex, by: ToldBy, code: u32) -> Option<Recall> {
        self.course.refusals.recall_if_senders_fault(step, by, code)
    }

    /// Resets the refusals of a step, because a submission was accepted or delivered.
    pub fn taken(&self, step: StepIndex, by: ToldBy) {
        self.course.refusals.taken(step, by);
    }

    /// The steps that are held because of refusals that had counted as their recipients' fault.
    pub fn recalls(&self) -> BTreeMap<StepIndex, Recall> {
        self.course.recalls.read().clone()
    }

    pub fn count_submissions(&self, count: u64) {
        self.course.submitted.fetch_add(count, Ordering::Relaxed);
    }

    pub fn submissions(&self) -> u64 {
        self.course.submitted.load(Ordering::Relaxed)
    }
}

/// Every batch that may still change.
#[derive(Debug)]
pub struct Book {
    store: Arc<dyn Store>,
    /// In order, so that every pass visits them in the same order.
    entries: RwLock<BTreeMap<BatchId, Arc<Entry>>>,
    /// Settled batches that may still get late receipts.
    settled: RwLock<HashMap<BatchId, Arc<Entry>>>,
    /// Recipients who have opted out after messages for them may have been claimed. A claim reads earlier opt-outs itself.
    suppressed: Arc<Suppressed>,
    /// Receipts that wait before they may adopt an attempt.
    expected: Expected,
    /// The number of the latest opt-out that is known here.
    stops_seen: AtomicI64,
    /// The latest decision when the states were read.
    as_of: AtomicU64,
    /// Locked by every change of the holds and states.
    refreshing: Mutex<()>,
    /// Notified when a step is held that has refusals to recall.
    recalls: Notify,
}

/// The value before the first look: nothing has been claimed by then.
const NO_STOP_SEEN: i64 = -1;

/// Settled batches that stay in memory. Recipients read messages for days, but not of hundreds of campaigns at once.
const SETTLED_MAX: usize = 256;

impl Book {
    /// States in which the messages of a batch may still change. A settled batch changes only by a late receipt.
    pub const IN_PLAY: [BatchState; 6] = [
        BatchState::Scheduled,
        BatchState::Running,
        BatchState::Paused,
        BatchState::Cancelling,
        BatchState::Cancelled,
        BatchState::Finished,
    ];

    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            entries: RwLock::default(),
            settled: RwLock::default(),
            suppressed: Arc::default(),
            expected: Expected::default(),
            stops_seen: AtomicI64::new(NO_STOP_SEEN),
            as_of: AtomicU64::new(0),
            refreshing: Mutex::new(()),
            recalls: Notify::new(),
        }
    }

    /// Adds receipts without our id that wait before they may adopt an attempt.
    pub fn expect(&self, waiting: impl Iterator<Item = Waiting>) {
        self.expected.add(waiting);
    }

    /// Records that all such receipts that arrived until then have been tried.
    pub fn tried_until(&self, came: Timestamp) {
        self.expected.tried_until(came);
    }

    /// Whether a receipt waits that arrived in time and may be about an unknown attempt of this lane.
    pub fn expects(&self, about: (Msisdn, Channel), lane: &str, in_time: impl Fn(Timestamp) -> bool) -> bool {
        self.expected.is_about(about, lane, in_time)
    }

    /// Keeps claimed messages for these recipients from being sent. Call it once their opt-outs are on disk.
    pub fn suppress(&self, recipients: impl IntoIterator<Item = Msisdn>) {
        self.suppressed.suppress(recipients);
    }

    /// Whether any recipient is suppressed.
    pub fn has_suppressions(&self) -> bool {
        !self.suppressed.is_empty()
    }

    /// The latest suppression.
    pub fn latest_suppression(&self) -> Suppression {
        self.suppressed.latest()
    }

    /// Ends the suppressions up to this one. Call it once every message that was claimed before them for their recipients
    /// is marked as opted out, or no longer claimed.
    pub fn end_suppressions(&self, until: Suppression) {
        self.suppressed.end(until);
    }

    /// Suppresses recipients whose opt-outs were recorded by another process, such as a command.
    async fn suppress_new_opt_outs(&self) -> Result<()> {
        let mut seen = self.stops_seen.load(Ordering::Acquire);
        if seen == NO_STOP_SEEN {
            seen = self.store.last_stop().await?;
        } else {
            let stops = self.store.stops(seen, LISTED_MAX).await?;
            if stops.len() >= LISTED_MAX as usize {
                // The rest of a long list is not read.
                seen = self.store.last_stop().await?;
                self.suppressed.suppress_everybody();
            } else if let Some((last, _)) = stops.last() {
                seen = *last;
                self.suppress(stops.into_iter().map(|(_, recipient)| recipient));
            }
        }
        self.stops_seen.store(seen, Ordering::Release);
        Ok(())
    }

    /// Reads the state of every batch, and the opt-outs since the last look. Returns the batches that are new, or that have
    /// another state, other holds or another plan.
    pub async fn refresh(&self) -> Result<Vec<Arc<Entry>>> {
        let _one_at_a_time = self.refreshing.lock().await;
        let as_of = self.store.seq().await?;
        self.suppress_new_opt_outs().await?;
        let mut held: HashMap<BatchId, (u8, BTreeMap<StepIndex, Recall>)> = HashMap::new();
        for hold in self.store.step_holds().await? {
            let (steps, recalls) = held.entry(hold.batch).or_default();
            *steps |= hold.step.bit();
            recalls.extend(hold.recall.map(|recall| (hold.step, recall)));
        }
        let batches = self.store.batches(Some(Self::IN_PLAY.to_vec())).await?;
        let mut changed = Vec::new();
        let mut kept = BTreeMap::new();
        // A cancelled batch keeps that state. It is settled once its last message has an outcome.
        for batch in batches.into_iter().filter(|batch| batch.settled_at.is_none()) {
            let known = self.entry(batch.id);
            let ((held, recalls), state) = (held.remove(&batch.id).unwrap_or_default(), batch.state.code());
            let course = known.as_ref().map(|entry| Arc::clone(&entry.course));
            let known = known.filter(|entry| entry.edition == batch.edition);
            let is_new = known.is_none();
            let entry = match known {
                Some(entry) => entry,
                None => {
                    let Some(entry) = self.read(batch, course.unwrap_or_default()).await? else { continue };
                    entry
                }
            };
            let has_moved = entry.course.state.swap(state, Ordering::AcqRel) != state;
            let holds_changed = entry.course.held.swap(held, Ordering::AcqRel) != held;
            *entry.course.recalls.write() = recalls;
            if is_new || has_moved || holds_changed {
                changed.push(Arc::clone(&entry));
            }
            kept.insert(entry.id, entry);
        }
        *self.entries.write() = kept;
        self.as_of.store(as_of, Ordering::Release);
        Ok(changed)
    }

    /// Holds a step because of a request that began at `begun`: on disk, and then at once for all lanes of this process.
    pub async fn hold_step(&self, hold: StepHold, begun: Timestamp) -> Result<Option<u64>> {
        let (batch, step, recall) = (hold.batch, hold.step, hold.recall);
        let _not_while_refreshing = self.refreshing.lock().await;
        let seq = self.store.hold_step(hold, begun).await?;
        if let Some(entry) = self.entry(batch).filter(|_| seq.is_some()) {
            entry.course.held.fetch_or(step.bit(), Ordering::AcqRel);
            if let Some(recall) = recall {
                entry.course.recalls.write().insert(step, recall);
                self.recalls.notify_one();
            }
        }
        Ok(seq)
    }

    /// Waits until a step is held that has refusals to recall.
    pub async fn recalls(&self) {
        self.recalls.notified().await;
    }

    /// The latest decision that is known here.
    pub fn as_of(&self) -> u64 {
        self.as_of.load(Ordering::Acquire)
    }

    /// A batch, also a settled one, because a late receipt may still lead to it.
    pub async fn get(&self, batch: BatchId) -> Result<Option<Arc<Entry>>> {
        if let Some(entry) = self.entry(batch) {
            return Ok(Some(entry));
        }
        let settled = self.settled.read().get(&batch).cloned();
        if settled.is_some() {
            return Ok(settled);
        }
        let Some(batch) = self.store.batch(batch).await? else { return Ok(None) };
        let is_settled = batch.settled_at.is_some();
        let entry = self.read(batch, Arc::default()).await?;
        if let Some(entry) = entry.as_ref().filter(|_| is_settled) {
            let mut settled = self.settled.write();
            if settled.len() >= SETTLED_MAX {
                settled.clear();
            }
            settled.insert(entry.id, Arc::clone(entry));
        }
        Ok(entry)
    }

    pub fn in_play(&self) -> Vec<Arc<Entry>> {
        self.entries.read().values().cloned().collect()
    }

    /// A batch that is in play.
    pub fn entry(&self, batch: BatchId) -> Option<Arc<Entry>> {
        self.entries.read().get(&batch).cloned()
    }

    async fn read(&self, batch: Batch, course: Arc<Course>) -> Result<Option<Arc<Entry>>> {
        let Some(plan) = self.store.plan(batch.id).await? else { return Ok(None) };
        let numbered = self.store.lanes(plan.lanes()).await?;
        let number = |name: &str| numbered.iter().find(|lane| lane.name == name).map(|lane| lane.id);
        let lanes = plan.steps.iter().map(|step| step.lanes.names().filter_map(number).collect()).collect();
        let launched = batch.created_at;
        let timing = |hours: &Hours| (!hours.are_all()).then(|| Arc::new(Timing { hours: hours.clone(), launched }));
        let timings = plan.steps.iter().map(|step| timing(&step.hours)).collect();
        *course.timings.write() = timings;
        course.state.store(batch.state.code(), Ordering::Release);
        course.edition.store(batch.edition, Ordering::Release);
        course.last_first_submission_at.store(plan.end.unwrap_or(Timestamp::MAX).millis(), Ordering::Release);
        Ok(Some(Arc::new(Entry {
            id: batch.id,
            tag: batch.tag,
            name: batch.name,
            plan,
            edition: batch.edition,
            open_until: batch.open_until,
            lanes,
            course,
            suppressed: Arc::clone(&self.suppressed),
        })))
    }
}
