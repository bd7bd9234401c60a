//! The batches in play, in memory: what the rooms of one process have to agree on between two looks at the store.
//!
//! In: batches, plans and holds of the store, after each decision; opt-outs and refusals as they arrive.
//! Out: the entry of a batch, with its plan and its present state ([`Book`], [`Entry`]); the decisions about one message,
//! collected until they are stored ([`Case`]); who must get nothing more although a message was claimed.
//! Promises: nothing in here is needed after a crash, because everything is read again. An entry's state is shared by all
//! who hold it. A look-up waits for no I/O.
//! May not: decide. The engine does.

mod case;
mod entry;
mod expected;
mod marked;
mod refusals;
mod suppressed;

pub use case::{Case, StepReport};
pub use entry::Entry;
pub use expected::WaitingReceipt;
pub use marked::MarkedMessages;
pub use refusals::{hold_for_refusal, hold_for_refusals_alike, hold_for_set_aside};
pub use suppressed::Suppression;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::RwLock;
use tokio::sync::{Mutex, Notify};

use self::entry::Course;
use self::expected::Expected;
use self::suppressed::{LISTED_MAX, Suppressed};
use crate::base::domain::{AddressKey, BatchId, BatchState, Channel, Hours, StepIndex, Timestamp};
use crate::rules::planner::Timing;
use crate::store::{Batch, Cursor, Recall, Result, StepHold, Store};

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
    /// Whether a subscription wants changes of messages.
    observers: Arc<AtomicBool>,
    /// Receipts that wait before they may adopt an attempt.
    expected: Expected,
    /// The latest decision when the states were read.
    as_of: AtomicU64,
    /// Locked by every change of the holds and states. Contains the latest opt-out that is known here; `None` before the
    /// first look, when nothing has been claimed.
    refreshing: Mutex<Option<Cursor>>,
    /// Notified when a step is held that has refusals to recall.
    recalls: Notify,
}

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
            observers: Arc::default(),
            expected: Expected::default(),
            as_of: AtomicU64::new(0),
            refreshing: Mutex::default(),
            recalls: Notify::new(),
        }
    }

    /// Adds receipts without our id that wait before they may adopt an attempt.
    pub fn expect(&self, waiting: impl Iterator<Item = WaitingReceipt>) {
        self.expected.add(waiting);
    }

    /// Records that all such receipts that arrived until then have been tried.
    pub fn tried_until(&self, came: Timestamp) {
        self.expected.tried_until(came);
    }

    /// Whether a receipt waits that arrived in time and may be about an unknown attempt of this lane.
    pub fn expects(&self, about: (AddressKey, Channel), lane: &str, in_time: impl Fn(Timestamp) -> bool) -> bool {
        self.expected.is_about(about, lane, in_time)
    }

    /// Keeps claimed messages for these recipients from being sent. Call it once their opt-outs are on disk.
    pub fn suppress(&self, recipients: impl IntoIterator<Item = AddressKey>) {
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

    /// Suppresses recipients whose opt-outs were recorded after `seen` by another process, such as a command. Returns the
    /// latest opt-out.
    async fn suppress_new_opt_outs(&self, seen: Option<Cursor>) -> Result<Cursor> {
        let Some(seen) = seen else { return self.store.last_stop().await };
        let stops = self.store.stops(seen, LISTED_MAX).await?;
        if stops.len() >= LISTED_MAX as usize {
            // The rest of a long list is not read.
            let last = self.store.last_stop().await?;
            self.suppressed.suppress_everybody();
            return Ok(last);
        }
        let last = stops.last().map_or(seen, |(last, _)| *last);
        if !stops.is_empty() {
            self.suppress(stops.into_iter().map(|(_, recipient)| recipient));
        }
        Ok(last)
    }

    /// Reads the state of every batch, and the opt-outs since the last look. Returns the batches that are new, or that have
    /// another state, other holds or another plan.
    pub async fn refresh(&self) -> Result<Vec<Arc<Entry>>> {
        let mut stops_seen = self.refreshing.lock().await;
        let as_of = self.store.seq().await?;
        self.observers.store(self.store.observes_messages().await?, Ordering::Release);
        *stops_seen = Some(self.suppress_new_opt_outs(*stops_seen).await?);
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
            let known = known.filter(|entry| entry.edition == batch.edition && entry.name == batch.name);
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
            observers: Arc::clone(&self.observers),
        })))
    }
}
