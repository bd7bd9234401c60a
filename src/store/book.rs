//! The batches that are in play, as this process knows them: what never changes about them, read once, and where they
//! stand, refreshed whenever a decision is noted.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, Notify};

use super::expected::{Expected, Waiting};
use super::hushed::{BY_NAME, Hush, Hushed};
use super::refusals::Refusals;
use super::{Batch, Case, Change, Marked, Recall, Result, StepHold, Store, ToldBy};
use crate::domain::{
    AttemptId, BatchId, BatchState, Channel, Country, Hours, LaneId, Loaded, Member, MessageKey, Msisdn, Plan, Pool,
    Present, Queue, Span, State, StepIndex, Tag, Timestamp,
};
use crate::engine::{Event, Ruling, Standing};
use crate::planner::Timing;
use crate::store::{Attempt, Verdict};

/// Longest time between the moment at which a join reads its clock and its commit.
const JOIN_TAKES: Span = Span::from_secs(5);

/// One batch in play.
#[derive(Debug)]
pub struct Entry {
    pub id: BatchId,
    pub tag: Tag,
    pub name: Option<String>,
    /// As it is since it was changed last.
    pub plan: Plan,
    /// How often it had been changed by then.
    pub edition: u32,
    /// Until when messages can join it.
    open_until: Option<Timestamp>,
    /// The lanes of each step, as its pool has them.
    lanes: Vec<Vec<LaneId>>,
    course: Arc<Course>,
    hushed: Arc<Hushed>,
}

/// What is the same for every edition of a batch's plan: whoever still holds an entry with an earlier one hears of it.
#[derive(Debug, Default)]
struct Course {
    state: AtomicU8,
    /// Steps of which nothing leaves for the time being, a bit each.
    held: AtomicU8,
    /// The latest edition.
    edition: AtomicU32,
    /// When nothing that has never left may leave any more, as it says.
    ends_at: AtomicI64,
    /// Of each step, where it may not leave at all hours, as the latest edition says.
    timings: RwLock<Vec<Option<Arc<Timing>>>>,
    /// What the provider refused of each step lately.
    refusals: Refusals,
    /// What is to be taken back, by the refused step.
    recalls: RwLock<BTreeMap<StepIndex, Recall>>,
    /// Hand-overs since the process began, for the pace that people see.
    handed_over: AtomicU64,
    /// Messages that wait in a lane's hands, and about which a receipt has decided meanwhile.
    recalled: Marked<(MessageKey, StepIndex)>,
}

impl Entry {
    pub fn state(&self) -> BatchState {
        BatchState::from_code(self.course.state.load(Ordering::Acquire)).unwrap_or(BatchState::Paused)
    }

    /// Whether its plan has been changed since this was read.
    pub fn is_former(&self) -> bool {
        self.course.edition.load(Ordering::Acquire) != self.edition
    }

    /// Whether its end has come for a message that has never left.
    pub fn has_ended_for(&self, message: &Present, now: Timestamp) -> bool {
        message.first_left.is_none() && self.course.ends_at.load(Ordering::Acquire) <= now.millis()
    }

    /// Whether messages can still join it, so that it is not finished although all its messages were submitted. A join that
    /// began before the close may commit a moment after it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.open_until.is_some_and(|until| now < until + JOIN_TAKES)
    }

    /// Whether nothing of it may leave ever again.
    pub fn is_called_off(&self) -> bool {
        matches!(self.state(), BatchState::Cancelling | BatchState::Cancelled)
    }

    /// Whether nothing of a step leaves for the time being, although the batch runs.
    pub fn is_held(&self, step: StepIndex) -> bool {
        self.course.held.load(Ordering::Acquire) & step.bit() != 0
    }

    /// Whether that is so of any step.
    pub fn holds_a_step(&self) -> bool {
        self.course.held.load(Ordering::Acquire) != 0
    }

    /// Whether its deadlines decide nothing for the time being: what a pause holds back, resuming applies.
    pub fn is_held_back(&self) -> bool {
        matches!(self.state(), BatchState::Draft | BatchState::Scheduled | BatchState::Paused)
    }

    pub fn attempt(&self, message: MessageKey, step: StepIndex) -> AttemptId {
        AttemptId { key: message, step, tag: self.tag }
    }

    /// The lanes of a step, with the pool that they make.
    pub fn pool(&self, step: StepIndex) -> Option<(&Pool, &[LaneId])> {
        Some((&self.plan.step(step)?.lanes, self.lanes.get(step.index())?))
    }

    /// One of the lanes of a step, with its pool.
    pub fn member(&self, step: StepIndex, lane: LaneId) -> Option<(&Pool, &Member)> {
        let (pool, lanes) = self.pool(step)?;
        let place = lanes.iter().position(|id| *id == lane)?;
        Some((pool, pool.members().get(place)?))
    }

    /// In whose queue somebody waits for a step.
    fn lane(&self, step: StepIndex, person: Msisdn, country: Country) -> Option<LaneId> {
        let (pool, lanes) = self.pool(step)?;
        let place = if pool.is_shared() { pool.place(person, country) } else { 0 };
        lanes.get(place).copied()
    }

    /// Which lane of a step's pool is somebody's: the one that has it where the message stands at that step, else the one
    /// that most likely had it.
    pub fn lane_of(&self, message: &Loaded, step: StepIndex) -> Option<&str> {
        let present = self.member(step, message.lane).filter(|_| message.present.step == step);
        let (pool, _) = self.pool(step)?;
        let own = || pool.members().get(pool.place(message.msisdn, message.country));
        present.map(|(_, member)| member).or_else(own).map(|member| member.lane.as_str())
    }

    /// When a step may leave, where that is not at all hours.
    pub fn timing(&self, step: StepIndex) -> Option<Arc<Timing>> {
        self.course.timings.read().unwrap_or_else(PoisonError::into_inner).get(step.index())?.clone()
    }

    /// The queues that a lane serves: its own, and those of lanes that it may have to stand in for.
    pub fn queues_of(&self, lane: LaneId) -> impl Iterator<Item = Queue> + '_ {
        let at = move |step| self.pool(step).map(|(pool, lanes)| (step, pool, lanes));
        StepIndex::all().filter_map(at).flat_map(move |(step, pool, lanes)| {
            let members = pool.members().iter().zip(lanes);
            let own = members.clone().find(|(_, id)| **id == lane).map(|(member, _)| member);
            let serves = move |(other, id): &(&Member, &LaneId)| {
                own.is_some_and(|own| **id == lane || pool.stands_in(own, other))
            };
            members.filter(serves).map(move |(_, id)| Queue { batch: self.id, step, lane: *id })
        })
    }

    /// Opens a message of this batch to decisions.
    pub fn case(&self, message: &Loaded) -> Case {
        Case::new(*message, Standing::of(self.state()))
    }

    /// What an event makes of a message. Nothing where it changes nothing.
    pub fn decide(&self, message: &Loaded, event: Event, now: Timestamp) -> Option<Change> {
        let mut case = self.case(message);
        let decision = case.tell(&self.plan, event, now);
        decision.next().map(|_| self.change(case))
    }

    /// What was decided about a message of this batch, ready for the store.
    pub fn change(&self, case: Case) -> Change {
        let Case { message, now: after, ruling, notes, .. } = case;
        // Who has handed a step over keeps it. Whoever goes back to a queue goes back to their own lane's, also where
        // another had stood in for it.
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

    /// The fact that the message's present step never left, and why.
    pub fn could_not_leave(&self, message: &Loaded, verdict: Verdict, now: Timestamp) -> Option<Attempt> {
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

    /// A message that was claimed for a step and has not left stays: a receipt of an earlier try or step has decided
    /// about it. It may go on meanwhile, and be claimed for a later step: that is another claim.
    pub fn recall(&self, message: MessageKey, step: StepIndex) {
        self.course.recalled.insert((message, step));
    }

    pub fn is_recalled(&self, message: MessageKey, step: StepIndex) -> bool {
        self.course.recalled.contains((message, step))
    }

    /// It is out of everybody's hands, and may be claimed anew.
    pub fn is_back(&self, message: MessageKey, step: StepIndex) {
        self.course.recalled.remove((message, step));
    }

    /// Nothing that waits in a lane's hands for these people leaves any more, of whatever batch.
    pub fn hush(&self, people: &[Msisdn]) {
        self.hushed.hush(people.iter().copied());
    }

    /// Whether the person has opted out after a message was claimed, as far as is known here. `since` is what
    /// [`Book::latest_hush`] said before that claim.
    pub fn is_hushed(&self, person: Msisdn, since: Hush) -> bool {
        self.hushed.is_hushed(person, since)
    }

    /// A submission of a step was refused, for a reason that is not about the recipient's number. Returns what to recall
    /// where so many were refused alike that it is the sender's fault.
    pub fn refused(&self, message: &Loaded, step: StepIndex, by: ToldBy, code: u32, at: Timestamp) -> Option<Recall> {
        self.course.refusals.refused(step, by, code, message.key.n, at)
    }

    /// What to recall, where refusals of a step with this code are the sender's fault by now.
    pub fn are_senders(&self, step: StepIndex, by: ToldBy, code: u32) -> Option<Recall> {
        self.course.refusals.are_senders(step, by, code)
    }

    /// A submission of a step was taken, or arrived.
    pub fn taken(&self, step: StepIndex, by: ToldBy) {
        self.course.refusals.taken(step, by);
    }

    /// The steps that are held because of refusals that had been taken for their recipients' fault.
    pub fn recalls(&self) -> BTreeMap<StepIndex, Recall> {
        self.course.recalls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn count_hand_overs(&self, count: u64) {
        self.course.handed_over.fetch_add(count, Ordering::Relaxed);
    }

    pub fn hand_overs(&self) -> u64 {
        self.course.handed_over.load(Ordering::Relaxed)
    }
}

/// Every batch that may still change.
#[derive(Debug)]
pub struct Book {
    store: Arc<dyn Store>,
    /// In order, so that whoever goes through them does so alike each time.
    entries: RwLock<BTreeMap<BatchId, Arc<Entry>>>,
    /// Batches that are settled, and that late receipts still lead to.
    settled: RwLock<HashMap<BatchId, Arc<Entry>>>,
    /// People who have opted out after something for them may have been claimed. A claim sees for itself who had before.
    hushed: Arc<Hushed>,
    /// Whom receipts are about that wait before they may adopt an attempt.
    expected: Expected,
    /// The latest wish to be left alone that is known here, once any is.
    stops_seen: AtomicI64,
    /// The latest decision when everything here was read.
    as_of: AtomicU64,
    /// Whoever changes what is held here has this.
    refreshing: Mutex<()>,
    /// That a step is held, and something of it is to be taken back.
    recalls: Notify,
}

/// Before the first look: nothing has been claimed by then.
const NO_STOP_SEEN: i64 = -1;

/// Settled batches that are kept in mind. People read messages for days, but not those of hundreds of campaigns at once.
const SETTLED_MAX: usize = 256;

impl Book {
    /// States in which something may still happen to a batch's messages. A settled one changes only by a late receipt.
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
            hushed: Arc::default(),
            expected: Expected::default(),
            stops_seen: AtomicI64::new(NO_STOP_SEEN),
            as_of: AtomicU64::new(0),
            refreshing: Mutex::new(()),
            recalls: Notify::new(),
        }
    }

    /// Receipts without our id have come that wait before they may adopt an attempt.
    pub fn expect(&self, waiting: impl Iterator<Item = Waiting>) {
        self.expected.put(waiting);
    }

    /// All such receipts that came until then have been tried.
    pub fn tried_until(&self, came: Timestamp) {
        self.expected.tried_until(came);
    }

    /// Whether a receipt that came in time waits, which may speak of an unknown attempt of this lane.
    pub fn expects(&self, about: (Msisdn, Channel), lane: &str, in_time: impl Fn(Timestamp) -> bool) -> bool {
        self.expected.is_about(about, lane, in_time)
    }

    /// Nothing that waits in a lane's hands for these people leaves any more. To be said once their wish is on disk.
    pub fn hush(&self, people: impl IntoIterator<Item = Msisdn>) {
        self.hushed.hush(people);
    }

    /// Whether anybody is hushed at all.
    pub fn is_hushing(&self) -> bool {
        !self.hushed.is_empty()
    }

    /// Which hush was the last by now.
    pub fn latest_hush(&self) -> Hush {
        self.hushed.latest()
    }

    /// Every message that was claimed before that hush, for somebody whom it or an earlier one is about, is marked or gone:
    /// see [`Entry::recall`].
    pub fn unhush(&self, until: Hush) {
        self.hushed.lift(until);
    }

    /// Hushes those whose wish somebody else has kept, a command for example.
    async fn look_for_stops(&self) -> Result<()> {
        let mut seen = self.stops_seen.load(Ordering::Acquire);
        if seen == NO_STOP_SEEN {
            seen = self.store.last_stop().await?;
        } else {
            let stops = self.store.stops(seen, BY_NAME).await?;
            if stops.len() >= BY_NAME as usize {
                // Of a long list the rest is not even read.
                seen = self.store.last_stop().await?;
                self.hushed.hush_everybody();
            } else if let Some((last, _)) = stops.last() {
                seen = *last;
                self.hush(stops.into_iter().map(|(_, person)| person));
            }
        }
        self.stops_seen.store(seen, Ordering::Release);
        Ok(())
    }

    /// Reads where every batch stands now, and who has opted out since the last look. Returns those batches that are new,
    /// stand elsewhere than before or have another plan.
    pub async fn refresh(&self) -> Result<Vec<Arc<Entry>>> {
        let _one_at_a_time = self.refreshing.lock().await;
        let as_of = self.store.seq().await?;
        self.look_for_stops().await?;
        let mut held: HashMap<BatchId, (u8, BTreeMap<StepIndex, Recall>)> = HashMap::new();
        for hold in self.store.step_holds().await? {
            let (steps, recalls) = held.entry(hold.batch).or_default();
            *steps |= hold.step.bit();
            recalls.extend(hold.recall.map(|recall| (hold.step, recall)));
        }
        let batches = self.store.batches(Some(Self::IN_PLAY.to_vec())).await?;
        let mut changed = Vec::new();
        let mut kept = BTreeMap::new();
        // A cancelled batch stays so; once its last message has an outcome it is as settled as any.
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
            let stood = entry.course.state.swap(state, Ordering::AcqRel) != state;
            let held = entry.course.held.swap(held, Ordering::AcqRel) != held;
            *entry.course.recalls.write().unwrap_or_else(PoisonError::into_inner) = recalls;
            if is_new || stood || held {
                changed.push(Arc::clone(&entry));
            }
            kept.insert(entry.id, entry);
        }
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = kept;
        self.as_of.store(as_of, Ordering::Release);
        Ok(changed)
    }

    /// Holds a step because of a request that was begun at `begun`: on disk, and then at once for everything that this
    /// process sends.
    pub async fn hold_step(&self, hold: StepHold, begun: Timestamp) -> Result<Option<u64>> {
        let (batch, step, recall) = (hold.batch, hold.step, hold.recall);
        let _not_while_refreshing = self.refreshing.lock().await;
        let seq = self.store.hold_step(hold, begun).await?;
        if let Some(entry) = self.entry(batch).filter(|_| seq.is_some()) {
            entry.course.held.fetch_or(step.bit(), Ordering::AcqRel);
            if let Some(recall) = recall {
                entry.course.recalls.write().unwrap_or_else(PoisonError::into_inner).insert(step, recall);
                self.recalls.notify_one();
            }
        }
        Ok(seq)
    }

    /// Waits until something is to be taken back that was not before.
    pub async fn recalls(&self) {
        self.recalls.notified().await;
    }

    /// The latest decision that is known here.
    pub fn as_of(&self) -> u64 {
        self.as_of.load(Ordering::Acquire)
    }

    /// A batch, also one that is settled: a late receipt may still lead to it.
    pub async fn get(&self, batch: BatchId) -> Result<Option<Arc<Entry>>> {
        if let Some(entry) = self.entry(batch) {
            return Ok(Some(entry));
        }
        let settled = self.settled.read().unwrap_or_else(PoisonError::into_inner).get(&batch).cloned();
        if settled.is_some() {
            return Ok(settled);
        }
        let Some(batch) = self.store.batch(batch).await? else { return Ok(None) };
        let is_settled = batch.settled_at.is_some();
        let entry = self.read(batch, Arc::default()).await?;
        if let Some(entry) = entry.as_ref().filter(|_| is_settled) {
            let mut settled = self.settled.write().unwrap_or_else(PoisonError::into_inner);
            if settled.len() >= SETTLED_MAX {
                settled.clear();
            }
            settled.insert(entry.id, Arc::clone(entry));
        }
        Ok(entry)
    }

    pub fn in_play(&self) -> Vec<Arc<Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// A batch that is in play.
    pub fn entry(&self, batch: BatchId) -> Option<Arc<Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(&batch).cloned()
    }

    async fn read(&self, batch: Batch, course: Arc<Course>) -> Result<Option<Arc<Entry>>> {
        let Some(plan) = self.store.plan(batch.id).await? else { return Ok(None) };
        let numbered = self.store.lanes(plan.lanes()).await?;
        let number = |name: &str| numbered.iter().find(|lane| lane.name == name).map(|lane| lane.id);
        let lanes = plan.steps.iter().map(|step| step.lanes.names().filter_map(number).collect()).collect();
        let launched = batch.created_at;
        let timing = |hours: &Hours| (!hours.are_all()).then(|| Arc::new(Timing { hours: hours.clone(), launched }));
        let timings = plan.steps.iter().map(|step| timing(&step.hours)).collect();
        *course.timings.write().unwrap_or_else(PoisonError::into_inner) = timings;
        course.state.store(batch.state.code(), Ordering::Release);
        course.edition.store(batch.edition, Ordering::Release);
        course.ends_at.store(plan.end.unwrap_or(Timestamp::MAX).millis(), Ordering::Release);
        Ok(Some(Arc::new(Entry {
            id: batch.id,
            tag: batch.tag,
            name: batch.name,
            plan,
            edition: batch.edition,
            open_until: batch.open_until,
            lanes,
            course,
            hushed: Arc::clone(&self.hushed),
        })))
    }
}
