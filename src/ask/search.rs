//! Finds the attempts to query next: the most valuable first, a page at a time, along the index of the timers.
//!
//! The order:
//! - Messages whose deadline was waived because their receipts may be lost: only the answer decides them. The earliest
//!   end of TTL or window comes first.
//! - Messages without any report, shortly before their deadline fires.
//! - If there is time, messages whose receipts may be lost and whose deadline is still to come, then those without a
//!   further step.
//! - Messages reported as sent and no more, shortly before their deadline. Most were not delivered, but a lost receipt
//!   would cause a needless fallback.
//! - Messages without a report on their last step.
//!
//! There is no own index: every change of every message would maintain it, for use during an hour a year. The counters
//! tell whether deadlines are waived; if none is, nothing is read.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::quiet::Quiet;
use super::{Candidate, SEARCH_INTERVAL};
use crate::book::{Book, Entry};
use crate::clock::Clock;
use crate::domain::{
    AfterGap, BatchId, Channel, Count, LaneId, Loaded, Marks, MessageKey, Present, Span, State, StepIndex, Timestamp,
};
use crate::events::{Event, EventKind, Subject};
use crate::store::{ReportedStatus, Result, Store};
use crate::timers::Gaps;

/// Rows of one read along the index.
const PAGE: u32 = 2_000;
/// Candidates kept in memory.
const KEPT: usize = 256;
/// How long a page of candidates is valid: a more urgent one may have come.
const STALE: Span = Span::from_secs(600);
/// How long before its deadline a message without a report is queried: late enough for the receipt to come by itself.
const BEFORE_DUE: Span = Span::from_secs(30);
/// A message that was queried within this time is not queried again before its deadline.
const REPEAT_AFTER: Span = Span::from_secs(60);
/// Most messages found that way. More cannot be queried in that time, and earlier ones were queried already.
const NEARLY_DUE: u32 = 100;
/// Reading many rows for few candidates takes no more than this part of the time.
const WALK_PART: i64 = 20;

/// How long a channel usually takes at most until the first report about an attempt.
const fn overdue_after(channel: Channel) -> Span {
    match channel {
        Channel::Sms => Span::from_secs(60),
        _ => Span::from_secs(20),
    }
}

/// The result of looking for one attempt.
pub(super) enum Found {
    Candidate(Candidate),
    /// Another asker's subaccount knows it.
    OfAnother,
    /// It no longer waits for a report, or cannot be queried.
    Nothing,
}

/// A position along the index of due times.
type Position = (Timestamp, u32);

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
    waived: Walk,
    /// Messages that fall back, without a report or only reported as sent; and messages on their last step.
    silent: NearlyDue,
    sent: NearlyDue,
    silent_on_last: NearlyDue,
    missed: VecDeque<Candidate>,
    /// The position of each walk over messages that a lost gap concerns, and the finished walks.
    missed_at: HashMap<(BatchId, Timestamp, bool), Position>,
    missed_over: HashSet<(BatchId, Timestamp, bool)>,
    /// The number of waiting queries that was reported last, for the events at the beginning and at the end.
    reported: u64,
}

/// The walk over messages whose deadline was waived.
#[derive(Debug, Default)]
struct Walk {
    found: VecDeque<Candidate>,
    since: Timestamp,
    /// Its position in each batch.
    positions: HashMap<BatchId, Position>,
    rests_until: Timestamp,
}

/// Messages that are nearly due, with no more than this report.
#[derive(Debug)]
struct NearlyDue {
    heard: ReportedStatus,
    /// Whether they are on the last step of their route.
    is_last: bool,
    found: VecDeque<Candidate>,
    searched_at: Timestamp,
}

impl NearlyDue {
    const fn of(heard: ReportedStatus, is_last: bool) -> Self {
        Self { heard, is_last, found: VecDeque::new(), searched_at: Timestamp::from_millis(0) }
    }

    fn take(&mut self, now: Timestamp) -> Option<Candidate> {
        // A message that is due by now is decided without a query.
        self.found.retain(|candidate| candidate.due > now);
        self.found.pop_front()
    }
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
            waived: Walk::default(),
            silent: NearlyDue::of(ReportedStatus::Nothing, false),
            sent: NearlyDue::of(ReportedStatus::Sent, false),
            silent_on_last: NearlyDue::of(ReportedStatus::Nothing, true),
            missed: VecDeque::new(),
            missed_at: HashMap::new(),
            missed_over: HashSet::new(),
            reported: 0,
        }
    }

    /// Queues a candidate again first, if it still matters by then.
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

    /// Whether any message of an address waits for a deadline.
    pub(super) async fn has_pending(&self, address: usize) -> Result<bool> {
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
        if self.waived.found.is_empty() && now >= self.waived.rests_until {
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

    async fn walk_waived(&mut self, now: Timestamp) -> Result<()> {
        if now.since(self.waived.since) >= STALE {
            self.waived.since = now;
            self.waived.positions.clear();
        }
        let (mut all, mut to_ask) = (Vec::new(), 0);
        for entry in self.in_play() {
            if entry.plan.after_gap != AfterGap::Ask || self.quiet.has_none_waived(entry.id) {
                continue;
            }
            let tallies = self.store.tallies(entry.id).await?;
            let steps = StepIndex::all().filter(|step| self.asks_for(&entry, *step));
            let waived: i64 = steps.map(|step| tallies.to_ask(step)).sum();
            if waived <= 0 {
                self.quiet.note_none_waived(entry.id);
                self.waived.positions.remove(&entry.id);
                continue;
            }
            to_ask += waived.unsigned_abs();
            all.extend(self.waived_of(&entry, now).await?);
        }
        self.report_progress(to_ask, now).await?;
        all.sort_by_key(|candidate| (candidate.due, candidate.key));
        if all.is_empty() {
            // Starts again from the front, after a rest that keeps the walks cheap.
            self.waived.positions.clear();
            let took = self.clock.now().since(now).millis();
            self.waived.rests_until = now + Span::from_millis(took * WALK_PART).max(SEARCH_INTERVAL);
        }
        self.waived.found = all.into();
        Ok(())
    }

    /// The next candidates of a batch, after the present position of the walk.
    async fn waived_of(&mut self, entry: &Arc<Entry>, now: Timestamp) -> Result<Vec<Candidate>> {
        let mut found = Vec::new();
        while found.len() < KEPT {
            let position = self.waived.positions.get(&entry.id).copied();
            let page = self.store.due(entry.id, Timestamp::MAX, position, PAGE).await?;
            let is_last = u32::try_from(page.len()).unwrap_or(PAGE) < PAGE;
            // As many as are kept; the next walk finds the others.
            let is_waived = |message: &&Loaded| message.present.marks.waived() && self.is_ours(message);
            let waived: Vec<Loaded> = page.iter().filter(is_waived).take(KEPT).copied().collect();
            let is_full = waived.len() == KEPT;
            let end = if is_full { waived.last() } else { page.last() }.and_then(Loaded::timer_place);
            found.extend(self.candidates(entry, waived, |asked| asked.is_none_or(|asked| asked.again <= now)).await?);
            if let Some(end) = end {
                self.waived.positions.insert(entry.id, end);
            }
            if is_last && !is_full {
                break;
            }
        }
        Ok(found)
    }

    /// The next candidate that is nearly due. The search is repeated from time to time.
    async fn nearly_due(
        &mut self,
        of: impl Fn(&mut Self) -> &mut NearlyDue,
        now: Timestamp,
    ) -> Result<Option<Candidate>> {
        let NearlyDue { heard, is_last, searched_at, .. } = *of(self);
        if now >= searched_at + SEARCH_INTERVAL {
            let found = self.search_nearly_due(heard, is_last, now).await?;
            *of(self) = NearlyDue { heard, is_last, found, searched_at: now };
        }
        Ok(of(self).take(now))
    }

    async fn search_nearly_due(
        &mut self,
        heard: ReportedStatus,
        is_last: bool,
        now: Timestamp,
    ) -> Result<VecDeque<Candidate>> {
        let until = now + BEFORE_DUE;
        let mut all = Vec::new();
        for entry in self.in_play() {
            // A phone that is off is not a gap: a plan that does not query after gaps does not query here.
            if heard == ReportedStatus::Sent && entry.plan.after_gap != AfterGap::Ask {
                continue;
            }
            let steps = entry.plan.indexed_steps().map(|(step, _)| step).filter(|step| self.asks_for(&entry, *step));
            let steps: Vec<StepIndex> = steps.filter(|step| entry.plan.ends_with(*step) == is_last).collect();
            if steps.is_empty() || self.first_due(entry.id, until).await? > until {
                continue;
            }
            let mut page = self.store.silent(entry.id, steps, heard, now, until, NEARLY_DUE).await?;
            page.retain(|message| {
                let channel =
                    queryable_step(&message.present).and_then(|step| entry.plan.step(step)).map(|step| step.channel);
                let overdue = channel.zip(message.present.accepted);
                self.is_ours(message)
                    && overdue.is_some_and(|(channel, accepted)| accepted + overdue_after(channel) <= now)
            });
            all.extend(
                self.candidates(&entry, page, |asked| asked.is_none_or(|asked| asked.at + REPEAT_AFTER <= now)).await?,
            );
        }
        // A message reported as sent may not be delivered yet. Only a message without any report proves that a webhook
        // is missing.
        all.iter_mut().for_each(|candidate| candidate.is_overdue = heard == ReportedStatus::Nothing);
        all.sort_by_key(|candidate| (candidate.due, candidate.key));
        Ok(all.into())
    }

    /// The first due time of a batch, read again if it may be before `until`.
    async fn first_due(&mut self, batch: BatchId, until: Timestamp) -> Result<Timestamp> {
        match self.quiet.first_due(batch).filter(|first| *first > until) {
            Some(first) => Ok(first),
            None => {
                let first = self.store.next_due(vec![batch]).await?.remove(&batch);
                Ok(self.quiet.note_first_due(batch, first))
            }
        }
    }

    /// Finds messages whose receipts may be lost and whose deadline is still to come, while there is time before it.
    async fn walk_missed(&mut self, now: Timestamp) -> Result<()> {
        // A message that is due from now on is concerned by every lost gap since its acceptance, so the latest one is
        // enough.
        let lost = self.address.map(|address| self.gaps.lost(address)).unwrap_or_default();
        let Some(lost_until) = lost.into_iter().map(|gap| gap.end()).max() else { return Ok(()) };
        for is_last in [false, true] {
            for entry in self.in_play() {
                let walk = (entry.id, lost_until, is_last);
                if entry.plan.after_gap == AfterGap::Ask && !self.missed_over.contains(&walk) {
                    self.walk_lost(&entry, walk, now).await?;
                }
                if !self.missed.is_empty() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn walk_lost(&mut self, entry: &Arc<Entry>, walk: (BatchId, Timestamp, bool), now: Timestamp) -> Result<()> {
        let ((_, lost_until, is_last), begin) = (walk, (now, 0));
        while self.missed.is_empty() {
            let position = self.missed_at.get(&walk).copied().unwrap_or(begin);
            let page = self.store.due(entry.id, Timestamp::MAX, Some(position), PAGE).await?;
            let is_end = u32::try_from(page.len()).unwrap_or(PAGE) < PAGE;
            let concerned: Vec<Loaded> = page
                .iter()
                .filter(|message| {
                    let Present { accepted, marks, step, .. } = message.present;
                    let no_step_to_come = marks.cut() || entry.plan.after(step, marks).is_none();
                    no_step_to_come == is_last
                        && !marks.waived()
                        && accepted.is_some_and(|accepted| accepted < lost_until)
                        && self.is_ours(message)
                })
                .take(KEPT)
                .copied()
                .collect();
            let is_full = concerned.len() == KEPT;
            let end = if is_full { concerned.last() } else { page.last() }.and_then(Loaded::timer_place);
            let found =
                self.candidates(entry, concerned, |asked| asked.is_none_or(|asked| asked.at < lost_until)).await?;
            self.missed = found.into();
            if let Some(end) = end {
                self.missed_at.insert(walk, end);
            }
            if is_end && !is_full {
                self.missed_at.remove(&walk);
                self.missed_over.insert(walk);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether a step may use a lane of the queried subaccount.
    fn asks_for(&self, entry: &Entry, step: StepIndex) -> bool {
        entry.pool(step).is_some_and(|(_, lanes)| lanes.iter().any(|lane| self.lanes.contains(lane)))
    }

    fn is_ours(&self, message: &Loaded) -> bool {
        self.lanes.contains(&message.lane)
    }

    /// The messages of a page that can be queried now.
    async fn candidates(
        &self,
        entry: &Arc<Entry>,
        page: Vec<Loaded>,
        may_ask: impl Fn(Option<&crate::store::Asked>) -> bool,
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

    /// Records an event when the queries begin and when they are done.
    async fn report_progress(&mut self, to_ask: u64, now: Timestamp) -> Result<()> {
        let kind = match (self.reported, to_ask) {
            (0, 0) => return Ok(()),
            (0, deadlines) => EventKind::AskingBegan { deadlines, takes: super::takes(deadlines) },
            (_, 0) => EventKind::AskingDone,
            (_, to_ask) => {
                self.reported = to_ask;
                return Ok(());
            }
        };
        self.store.record_event(Event::by_server(now, Subject::Server, kind)).await?;
        self.reported = to_ask;
        Ok(())
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
