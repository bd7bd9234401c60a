//! One batch in play: its fixed properties, and its state, which the book refreshes with each decision.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering};

use parking_lot::RwLock;

use super::refusals::Refusals;
use super::suppressed::{Suppressed, Suppression};
use super::{Case, MarkedMessages};
use crate::base::domain::{
    AddressKey, AttemptId, BatchId, BatchState, Country, LaneId, Loaded, Member, MessageKey, Plan, Pool, Present,
    Queue, Span, State, StepIndex, Tag, Timestamp, settle,
};
use crate::rules::engine::{Event, Ruling, Standing};
use crate::rules::planner::Timing;
use crate::store::{Attempt, Change, Recall, ReportedBy, Verdict};

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
    pub(super) open_until: Option<Timestamp>,
    /// The lanes of each step, in the order of its pool.
    pub(super) lanes: Vec<Vec<LaneId>>,
    pub(super) course: Arc<Course>,
    pub(super) suppressed: Arc<Suppressed>,
    /// Whether a subscription wants changes of messages, of whatever batch.
    pub(super) observers: Arc<AtomicBool>,
}

/// The state that all editions of a batch's plan share, so that holders of an entry of an earlier edition see it too.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) state: AtomicU8,
    /// The held steps, a bit each.
    pub(super) held: AtomicU8,
    /// The latest edition.
    pub(super) edition: AtomicU32,
    /// Latest time for a first submission (the campaign's `end`), in the latest edition.
    pub(super) last_first_submission_at: AtomicI64,
    /// The hours of each step that has some, in the latest edition.
    pub(super) timings: RwLock<Vec<Option<Arc<Timing>>>>,
    /// The latest refusals of each step.
    pub(super) refusals: Refusals,
    /// The refusals to recall, by the refused step.
    pub(super) recalls: RwLock<BTreeMap<StepIndex, Recall>>,
    /// Submissions since the process began, for the rate that operators see.
    pub(super) submitted: AtomicU64,
    /// Claimed messages about which a receipt has decided meanwhile.
    pub(super) recalled: MarkedMessages<(MessageKey, StepIndex)>,
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

    /// Whether it consists of single messages, which have joined it one by one.
    pub const fn takes_single_messages(&self) -> bool {
        self.open_until.is_some()
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
    fn lane(&self, step: StepIndex, recipient: AddressKey, country: Country) -> Option<LaneId> {
        let (pool, lanes) = self.pool(step)?;
        let position = if pool.is_shared() { pool.lane_index(recipient, country) } else { 0 };
        lanes.get(position).copied()
    }

    /// The lane of a step's pool that has the message, if the message is at that step; else the lane that most likely had it.
    pub fn lane_of(&self, message: &Loaded, step: StepIndex) -> Option<&str> {
        let present = self.member(step, message.lane).filter(|_| message.present.step == step);
        let (pool, _) = self.pool(step)?;
        let own = || pool.members().get(pool.lane_index(message.address, message.country));
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
        let observed = if self.is_observed() { case.observed() } else { Vec::new() };
        let Case { message, now: after, ruling, notes, .. } = case;
        // The lane that submitted a step keeps it. A message that returns to a queue returns to its own lane's, even if
        // another lane had replaced that one.
        let stays = after.step == message.present.step && !matches!(after.state, State::Queued { .. });
        let lane = if stays { None } else { self.lane(after.step, message.address, message.country) };
        let settlements = settle(&self.plan, &message, &after);
        Change {
            key: message.key,
            address: message.address,
            version: message.version,
            before: message.present,
            after,
            lane_before: message.lane,
            lane: lane.unwrap_or(message.lane),
            steps: u8::try_from(self.plan.steps.len()).unwrap_or(StepIndex::COUNT_MAX),
            fact: None,
            ruling,
            notes,
            settlements,
            observed,
        }
    }

    /// Whether somebody is told about its messages: the client of the API whose calls they are, or a subscription.
    pub fn is_observed(&self) -> bool {
        self.plan.api.is_some() || self.observers.load(Ordering::Acquire)
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
    pub fn suppress(&self, recipients: &[AddressKey]) {
        self.suppressed.suppress(recipients.iter().copied());
    }

    /// Whether the recipient is known to have opted out after a message was claimed. `since` is the result of
    /// [`super::Book::latest_suppression`] before that claim.
    pub fn is_suppressed(&self, recipient: AddressKey, since: Suppression) -> bool {
        !self.plan.confirms_opt_out && self.suppressed.is_suppressed(recipient, since)
    }

    /// Counts a refused submission of a step, for a reason that is not about the recipient's number. Returns what to recall
    /// once so many were refused alike that it is the sender's fault.
    pub fn refused(
        &self,
        message: &Loaded,
        step: StepIndex,
        by: ReportedBy,
        code: u32,
        at: Timestamp,
    ) -> Option<Recall> {
        self.course.refusals.refused(step, by, code, message.key.n, at)
    }

    /// What to recall if refusals of a step with this code are the sender's fault by now.
    pub fn recall_if_senders_fault(&self, step: StepIndex, by: ReportedBy, code: u32) -> Option<Recall> {
        self.course.refusals.recall_if_senders_fault(step, by, code)
    }

    /// Resets the refusals of a step, because a submission was accepted or delivered.
    pub fn taken(&self, step: StepIndex, by: ReportedBy) {
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
