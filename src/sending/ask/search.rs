//! Finds the attempts to query next: the most valuable first, a page at a time, along the index of the timers.
//!
//! The order:
//! - Messages whose deadline was waived because their receipts may be lost: only the answer decides them. The earliest
//!   deadline comes first.
//! - Messages without any report, shortly before their deadline fires.
//! - If there is time, messages whose receipts may be lost and whose deadline is still to come, then those without a
//!   further step.
//! - Messages reported as sent and no more, shortly before their deadline. Most were not delivered, but a lost receipt
//!   would cause a needless fallback.
//! - Messages without a report on their last step.
//!
//! The search has no index of its own. Each change of a message would have to update it, and it would be used about one
//! hour a year. The counters tell whether deadlines are waived; if none is, nothing is read.

mod missed;
mod nearly_due;
mod waived;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::Candidate;
use super::quiet::Quiet;
use crate::base::clock::Clock;
use crate::base::domain::{BatchId, Count, LaneId, Loaded, Marks, MessageKey, Present, State, StepIndex, Timestamp};
use crate::sending::book::{Book, Entry};
use crate::sending::timers::Gaps;
use crate::store::{HighestStatus, Result, Store};
use nearly_due::NearlyDue;
use waived::WaivedWalk;

/// Rows of one read along the index.
const PAGE: u32 = 2_000;
/// The most candidates that a walk keeps in memory.
const KEPT: usize = 256;
/// The result of looking for one attempt.
pub(super) enum Found {
    Candidate(Candidate),
    /// It was sent with another subaccount, whose asker must query it.
    OfAnother,
    /// It no longer waits for a report, or cannot be queried.
    Nothing,
}

/// A position along the index of due times.
type Position = (Timestamp, u32);

/// A walk over the messages of a batch whose receipts may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct MissedWalk {
    batch: BatchId,
    /// The end of the lost gap.
    until: Timestamp,
    /// Whether it looks at messages on their last step, and not at those that fall back.
    is_last: bool,
}

#[derive(Debug)]
pub(super) struct Search {
    store: Arc<dyn Store>,
    book: Arc<Book>,
    gaps: Arc<Gaps>,
    clock: Arc<dyn Clock>,
    lanes: HashSet<LaneId>,
    /// The provider address that is queried.
    address: Option<usize>,
    quiet: Quiet,
    waived: WaivedWalk,
    /// Messages without any report that fall back soon.
    silent: NearlyDue,
    /// Messages only reported as sent that fall back soon.
    sent: NearlyDue,
    /// Messages without any report on their last step.
    silent_on_last: NearlyDue,
    missed: VecDeque<Candidate>,
    /// The position of each walk that has begun and is not finished.
    missed_at: HashMap<MissedWalk, Position>,
    missed_over: HashSet<MissedWalk>,
    /// The number of waiting queries that was reported last, for the events at the beginning and at the end.
    reported: u64,
}

impl Search {
    pub(super) fn new(
        store: Arc<dyn Store>,
        book: Arc<Book>,
        gaps: Arc<Gaps>,
        clock: Arc<dyn Clock>,
        (lanes, address): (HashSet<LaneId>, Option<usize>),
    ) -> Self {
        Self {
            quiet: Quiet::of(store.as_ref()),
            store,
            book,
            gaps,
            clock,
            lanes,
            address,
            waived: WaivedWalk::default(),
            silent: NearlyDue::of(HighestStatus::Nothing, false),
            sent: NearlyDue::of(HighestStatus::Sent, false),
            silent_on_last: NearlyDue::of(HighestStatus::Nothing, true),
            missed: VecDeque::new(),
            missed_at: HashMap::new(),
            missed_over: HashSet::new(),
            reported: 0,
        }
    }

    /// Puts a candidate back at the front. [`Search::next`] drops it if it no longer waits for a report.
    pub(super) fn requeue(&mut self, candidate: Candidate) {
        self.waived.found.push_front(candidate);
    }

    pub(super) async fn next(&mut self, now: Timestamp) -> Result<Option<Candidate>> {
        self.quiet.apply_signals(now);
        // A candidate that was found some time ago may have a report since.
        while let Some(candidate) = self.candidate(now).await? {
            // An operator may have paused it meanwhile. Then the next walk finds it after a resume.
            if candidate.entry.is_held_back() {
                continue;
            }
            let message = self.store.load(vec![candidate.key]).await?.pop();
            let waits = message.filter(|message| queryable_step(&message.present) == Some(candidate.step));
            if let Some(message) = waits {
                return Ok(Some(Candidate { known: message.present.marks, ..candidate }));
            }
        }
        Ok(None)
    }

    /// The attempt of a message for whose answer others wait.
    pub(super) async fn about(&self, key: MessageKey, step: StepIndex) -> Result<Found> {
        let (Some(message), Some(entry)) = (self.store.load(vec![key]).await?.pop(), self.book.entry(key.batch)) else {
            return Ok(Found::Nothing);
        };
        if !self.is_ours(&message) {
            return Ok(Found::OfAnother);
        }
        if queryable_step(&message.present) != Some(step) {
            return Ok(Found::Nothing);
        }
        let known = message.present.marks;
        let candidate = self.candidates(&entry, vec![message], |_| true).await?.pop();
        Ok(candidate
            .map_or(Found::Nothing, |candidate| Found::Candidate(Candidate { is_inquiry: true, known, ..candidate })))
    }

    /// Whether any message waits for a deadline on a step that may use a lane of the address.
    pub(super) async fn may_have_deadlines(&self, address: usize) -> Result<bool> {
        for entry in self.book.in_play() {
            let is_of = |lane: &LaneId| self.gaps.address_of(*lane) == Some(address);
            let of_address = |step: &StepIndex| entry.pool(*step).is_some_and(|(_, lanes)| lanes.iter().any(is_of));
            let falls_back =
                |step: &StepIndex| entry.plan.step(*step).is_some_and(|step| step.fallback_after.is_some());
            let steps: Vec<StepIndex> = StepIndex::all().filter(of_address).filter(falls_back).collect();
            if steps.is_empty() {
                continue;
            }
            let tallies = self.store.tallies(entry.id).await?;
            if steps.into_iter().any(|step| tallies.get(step, Count::AwaitingOpen) > 0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn candidate(&mut self, now: Timestamp) -> Result<Option<Candidate>> {
        if self.waived.is_due(now) {
            self.walk_waived(now).await?;
        }
        if let Some(candidate) = self.waived.found.pop_front() {
            return Ok(Some(candidate));
        }
        if let Some(candidate) = self.nearly_due(|search| &mut search.silent, now).await? {
            return Ok(Some(candidate));
        }
        if self.missed.is_empty() {
            self.walk_missed(now).await?;
        }
        if let Some(candidate) = self.missed.pop_front() {
            return Ok(Some(candidate));
        }
        if let Some(candidate) = self.nearly_due(|search| &mut search.sent, now).await? {
            return Ok(Some(candidate));
        }
        self.nearly_due(|search| &mut search.silent_on_last, now).await
    }

    /// Batches whose messages may be queried. Paused batches are not among them.
    fn in_play(&self) -> Vec<Arc<Entry>> {
        let mut entries = self.book.in_play();
        entries.retain(|entry| {
            !entry.is_held_back() && entry.plan.indexed_steps().any(|(step, _)| self.asks_for(entry, step))
        });
        entries
    }

    /// Whether a step may use a lane of the queried subaccount.
    fn asks_for(&self, entry: &Entry, step: StepIndex) -> bool {
        entry.pool(step).is_some_and(|(_, lanes)| lanes.iter().any(|lane| self.lanes.contains(lane)))
    }

    fn is_ours(&self, message: &Loaded) -> bool {
        self.lanes.contains(&message.lane)
    }

    /// The messages of a page that can be queried now. `may_ask` gets the earlier query of each, if there is one. The caller
    /// sets `known`, `is_overdue` and `is_inquiry`.
    async fn candidates(
        &self,
        entry: &Arc<Entry>,
        page: Vec<Loaded>,
        may_ask: impl Fn(Option<&crate::store::Query>) -> bool,
    ) -> Result<Vec<Candidate>> {
        let asked: Vec<(MessageKey, StepIndex)> =
            page.iter().filter_map(|message| Some((message.key, queryable_step(&message.present)?))).collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let dues: HashMap<MessageKey, Timestamp> =
            page.iter().filter_map(|message| Some((message.key, message.present.timer()?))).collect();
        let questions = self.store.questions(asked).await?;
        let found = questions.into_iter().filter(|question| may_ask(question.asked.as_ref())).filter_map(|question| {
            Some(Candidate {
                entry: Arc::clone(entry),
                key: question.key,
                step: question.step,
                umid: question.umid?,
                tries: question.asked.map_or(0, |asked| asked.tries),
                due: *dues.get(&question.key)?,
                is_overdue: false,
                is_inquiry: false,
                known: Marks::default(),
            })
        });
        let mut found: Vec<Candidate> = found.collect();
        found.sort_by_key(|candidate| (candidate.due, candidate.key));
        Ok(found)
    }
}

/// The step whose attempt can be queried, if the message waits for a report about it.
///
/// An unknown attempt has no known umid. If its step was tried before, the recorded umid is that of the earlier try.
fn queryable_step(present: &Present) -> Option<StepIndex> {
    let has_report = |marks: Marks, step| marks.reached_by().is_some() || marks.failed(step);
    let can_be_asked = |step| !has_report(present.marks, step) && !present.marks.unknown(step);
    match present.state {
        State::Awaiting { .. } => present.marks.last_handed_over().filter(|step| can_be_asked(*step)),
        State::Queued { .. } | State::Sending { .. } | State::Done { .. } => None,
    }
}
