//! Whom to ask about next: the most valuable first, a page at a time, along the index of the timers.
//!
//! First those whose deadline was waived, because their receipts may be lost: they wait for nothing but the answer;
//! whose TTL or window ends first comes first. Then those of whom not a word was heard, shortly before their deadline
//! fires. Where there is time, those whose receipts may be lost and whose deadline is still to come, and behind them
//! those with no step to come. Then those who are known to have been sent it and no more, shortly before their deadline:
//! most of them have not got it, but a receipt that was lost on its way is a needless fallback. Last whoever is silent on
//! the last step.
//!
//! No index of its own: one over the message's row would be looked at by every change of every message, to serve an hour
//! a year. The counters say whether anybody is waived; where nobody is, nothing is walked over.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::quiet::Quiet;
use super::{Candidate, LOOK};
use crate::clock::Clock;
use crate::domain::{
    AfterGap, BatchId, Channel, Count, LaneId, Loaded, Marks, MessageKey, Present, Span, State, StepIndex, Timestamp,
};
use crate::store::{Book, Entry, Event, Heard, Result, Store};
use crate::timers::Gaps;

/// Rows of one look along the index.
const PAGE: u32 = 2_000;
/// Whom to ask about that are kept in mind.
const KEPT: usize = 256;
/// A page of whom to ask about grows old: somebody more urgent may have come.
const STALE: Span = Span::from_secs(600);
/// How long before its deadline somebody silent is asked about: late enough for the receipt to come by itself.
const BEFORE_DUE: Span = Span::from_secs(30);
/// Whoever was asked about just now is not asked about again before that deadline.
const NOT_AGAIN_WITHIN: Span = Span::from_secs(60);
/// How many of them at most: more cannot be asked about in that time, and those of the last minute were asked already.
const NEARLY_DUE: u32 = 100;
/// Walking over many rows for few is no more than this part of the time.
const WALK_PART: i64 = 20;

/// How long a channel takes at most, as a rule, to say the first word about an attempt.
const fn overdue_after(channel: Channel) -> Span {
    match channel {
        Channel::Sms => Span::from_secs(60),
        _ => Span::from_secs(20),
    }
}

/// What comes of looking for one attempt.
pub(super) enum Found {
    Candidate(Candidate),
    /// Another asker knows it.
    OfAnother,
    /// It waits for nothing any more, or cannot be asked about.
    Nothing,
}

/// A place along the index of what is due.
type Place = (Timestamp, u32);

#[derive(Debug)]
pub(super) struct Search {
    store: Arc<dyn Store>,
    book: Arc<Book>,
    gaps: Arc<Gaps>,
    clock: Arc<dyn Clock>,
    lanes: HashSet<LaneId>,
    /// The provider address that is asked.
    address: Option<usize>,
    quiet: Quiet,
    waived: Walk,
    /// Those who fall back, of whom nothing was heard, or no more than that it was sent; and those who do not.
    silent: NearlyDue,
    sent: NearlyDue,
    silent_to_the_end: NearlyDue,
    missed: VecDeque<Candidate>,
    /// Where the walk over those that a lost gap concerns has come to, and the walks that are over.
    missed_at: HashMap<(BatchId, Timestamp, bool), Place>,
    missed_over: HashSet<(BatchId, Timestamp, bool)>,
    /// Questions that are known to wait, for the event at their beginning and at their end.
    told: u64,
}

/// The walk over those whose deadline was waived.
#[derive(Debug, Default)]
struct Walk {
    found: VecDeque<Candidate>,
    since: Timestamp,
    /// Where it has come to in each batch.
    places: HashMap<BatchId, Place>,
    rests_until: Timestamp,
}

/// Those whose time is nearly up, and of whom no more was heard than this.
#[derive(Debug)]
struct NearlyDue {
    heard: Heard,
    /// Whether they stand at the last step of their route.
    is_last: bool,
    found: VecDeque<Candidate>,
    looked: Timestamp,
}

impl NearlyDue {
    const fn of(heard: Heard, is_last: bool) -> Self {
        Self { heard, is_last, found: VecDeque::new(), looked: Timestamp::from_millis(0) }
    }

    fn take(&mut self, now: Timestamp) -> Option<Candidate> {
        // What is due by now is decided without us.
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
            silent: NearlyDue::of(Heard::Nothing, false),
            sent: NearlyDue::of(Heard::Sent, false),
            silent_to_the_end: NearlyDue::of(Heard::Nothing, true),
            missed: VecDeque::new(),
            missed_at: HashMap::new(),
            missed_over: HashSet::new(),
            told: 0,
        }
    }

    /// Comes again first, where it still matters by then.
    pub(super) fn put_back(&mut self, candidate: Candidate) {
        self.waived.found.push_front(candidate);
    }

    pub(super) async fn next(&mut self, now: Timestamp) -> Result<Option<Candidate>> {
        self.quiet.listen(now);
        // Whoever was found some time ago may have been heard of since.
        while let Some(candidate) = self.candidate(now).await? {
            // Meanwhile a person may have paused it: then the next walk finds it once it goes on.
            if candidate.entry.is_held_back() {
                continue;
            }
            let message = self.store.load(vec![candidate.key]).await?.pop();
            let waits = message.filter(|message| asks_about(&message.present) == Some(candidate.step));
            if let Some(message) = waits {
                return Ok(Some(Candidate { known: message.present.marks, ..candidate }));
            }
        }
        Ok(None)
    }

    /// The attempt of a message that others wait for.
    pub(super) async fn about(&self, key: MessageKey, step: StepIndex) -> Result<Found> {
        let (Some(message), Some(entry)) = (self.store.load(vec![key]).await?.pop(), self.book.entry(key.batch)) else {
            return Ok(Found::Nothing);
        };
        if !self.is_ours(&message) {
            return Ok(Found::OfAnother);
        }
        if asks_about(&message.present) != Some(step) {
            return Ok(Found::Nothing);
        }
        let known = message.present.marks;
        let candidate = self.candidates(&entry, vec![message], |_| true).await?.pop();
        Ok(candidate
            .map_or(Found::Nothing, |candidate| Found::Candidate(Candidate { is_inquiry: true, known, ..candidate })))
    }

    /// Whether any message of an address waits for a deadline.
    pub(super) async fn is_any_pending(&self, address: usize) -> Result<bool> {
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
        self.nearly_due(|search| &mut search.silent_to_the_end, now).await
    }

    /// Batches whose messages may be asked about. What a pause holds back is held back from us too.
    fn in_play(&self) -> Vec<Arc<Entry>> {
        let mut entries = self.book.in_play();
        entries
            .retain(|entry| !entry.is_held_back() && entry.plan.places().any(|(step, _)| self.asks_for(entry, step)));
        entries
    }

    async fn walk_waived(&mut self, now: Timestamp) -> Result<()> {
        if now.since(self.waived.since) >= STALE {
            self.waived.since = now;
            self.waived.places.clear();
        }
        let (mut all, mut to_ask) = (Vec::new(), 0);
        for entry in self.in_play() {
            if entry.plan.after_gap != AfterGap::Ask || self.quiet.is_nobody_waived(entry.id) {
                continue;
            }
            let tallies = self.store.tallies(entry.id).await?;
            let steps = StepIndex::all().filter(|step| self.asks_for(&entry, *step));
            let waived: i64 = steps.map(|step| tallies.to_ask(step)).sum();
            if waived <= 0 {
                self.quiet.saw_nobody_waived(entry.id);
                self.waived.places.remove(&entry.id);
                continue;
            }
            to_ask += waived.unsigned_abs();
            all.extend(self.waived_of(&entry, now).await?);
        }
        self.tell(to_ask, now).await?;
        all.sort_by_key(|candidate| (candidate.due, candidate.key));
        if all.is_empty() {
            // From the front again, after a rest that keeps the walking cheap.
            self.waived.places.clear();
            let took = self.clock.now().since(now).millis();
            self.waived.rests_until = now + Span::from_millis(took * WALK_PART).max(LOOK);
        }
        self.waived.found = all.into();
        Ok(())
    }

    /// The next of a batch, behind where the walk over it has come to.
    async fn waived_of(&mut self, entry: &Arc<Entry>, now: Timestamp) -> Result<Vec<Candidate>> {
        let mut found = Vec::new();
        while found.len() < KEPT {
            let place = self.waived.places.get(&entry.id).copied();
            let page = self.store.due(entry.id, Timestamp::MAX, place, PAGE).await?;
            let is_last = u32::try_from(page.len()).unwrap_or(PAGE) < PAGE;
            // As many as are kept: the others are found again by the next walk.
            let is_waived = |message: &&Loaded| message.present.marks.waived() && self.is_ours(message);
            let waived: Vec<Loaded> = page.iter().filter(is_waived).take(KEPT).copied().collect();
            let is_full = waived.len() == KEPT;
            let end = if is_full { waived.last() } else { page.last() }.and_then(Loaded::timer_place);
            found.extend(self.candidates(entry, waived, |asked| asked.is_none_or(|asked| asked.again <= now)).await?);
            if let Some(end) = end {
                self.waived.places.insert(entry.id, end);
            }
            if is_last && !is_full {
                break;
            }
        }
        Ok(found)
    }

    /// The next of those whose time is nearly up, looked for anew from time to time.
    async fn nearly_due(
        &mut self,
        of: impl Fn(&mut Self) -> &mut NearlyDue,
        now: Timestamp,
    ) -> Result<Option<Candidate>> {
        let NearlyDue { heard, is_last, looked, .. } = *of(self);
        if now >= looked + LOOK {
            let found = self.look_for_nearly_due(heard, is_last, now).await?;
            *of(self) = NearlyDue { heard, is_last, found, looked: now };
        }
        Ok(of(self).take(now))
    }

    async fn look_for_nearly_due(
        &mut self,
        heard: Heard,
        is_last: bool,
        now: Timestamp,
    ) -> Result<VecDeque<Candidate>> {
        let until = now + BEFORE_DUE;
        let mut all = Vec::new();
        for entry in self.in_play() {
            // That a phone is off is no gap: whoever wants nobody asked about gaps wants it less here.
            if heard == Heard::Sent && entry.plan.after_gap != AfterGap::Ask {
                continue;
            }
            let steps = entry.plan.places().map(|(step, _)| step).filter(|step| self.asks_for(&entry, *step));
            let steps: Vec<StepIndex> = steps.filter(|step| entry.plan.ends_with(*step) == is_last).collect();
            if steps.is_empty() || self.first_due(entry.id, until).await? > until {
                continue;
            }
            let mut page = self.store.silent(entry.id, steps, heard, now, until, NEARLY_DUE).await?;
            page.retain(|message| {
                let channel =
                    asks_about(&message.present).and_then(|step| entry.plan.step(step)).map(|step| step.channel);
                let overdue = channel.zip(message.present.accepted);
                self.is_ours(message)
                    && overdue.is_some_and(|(channel, accepted)| accepted + overdue_after(channel) <= now)
            });
            all.extend(
                self.candidates(&entry, page, |asked| asked.is_none_or(|asked| asked.at + NOT_AGAIN_WITHIN <= now))
                    .await?,
            );
        }
        // Whoever shows no sign of having it may have none: only where not a word came a webhook is missing for sure.
        all.iter_mut().for_each(|candidate| candidate.is_overdue = heard == Heard::Nothing);
        all.sort_by_key(|candidate| (candidate.due, candidate.key));
        Ok(all.into())
    }

    /// When the first of a batch is due; looked for anew where that may be until then.
    async fn first_due(&mut self, batch: BatchId, until: Timestamp) -> Result<Timestamp> {
        match self.quiet.first_due(batch).filter(|first| *first > until) {
            Some(first) => Ok(first),
            None => {
                let first = self.store.next_due(vec![batch]).await?.remove(&batch);
                Ok(self.quiet.saw_first_due(batch, first))
            }
        }
    }

    /// Those whose receipts may be lost, although their time has not come: before it comes we have time.
    async fn walk_missed(&mut self, now: Timestamp) -> Result<()> {
        // What is due from now on was missed by every gap since its acceptance: the latest one says enough.
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
            let place = self.missed_at.get(&walk).copied().unwrap_or(begin);
            let page = self.store.due(entry.id, Timestamp::MAX, Some(place), PAGE).await?;
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

    /// Whether a step may go over a lane of the subaccount that is asked.
    fn asks_for(&self, entry: &Entry, step: StepIndex) -> bool {
        entry.pool(step).is_some_and(|(_, lanes)| lanes.iter().any(|lane| self.lanes.contains(lane)))
    }

    fn is_ours(&self, message: &Loaded) -> bool {
        self.lanes.contains(&message.lane)
    }

    /// Those of a page that can be asked about now.
    async fn candidates(
        &self,
        entry: &Arc<Entry>,
        page: Vec<Loaded>,
        may_ask: impl Fn(Option<&crate::store::Asked>) -> bool,
    ) -> Result<Vec<Candidate>> {
        let asked: Vec<(MessageKey, StepIndex)> =
            page.iter().filter_map(|message| Some((message.key, asks_about(&message.present)?))).collect();
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

    /// Says that asking begins, and that it is done.
    async fn tell(&mut self, to_ask: u64, now: Timestamp) -> Result<()> {
        let text = match (self.told, to_ask) {
            (0, 0) => return Ok(()),
            (0, to_ask) => format!(
                "{to_ask} deadlines fell into a time of which receipts may be missing; the provider is asked about \
                 them, one a second, which takes {}",
                super::takes(to_ask)
            ),
            (_, 0) => {
                "the provider has been asked about all deadlines in a time of which receipts may be missing".to_owned()
            }
            (_, to_ask) => {
                self.told = to_ask;
                return Ok(());
            }
        };
        self.store.note(Event { at: now, subject: "node".to_owned(), text }).await?;
        self.told = to_ask;
        Ok(())
    }
}

/// The step whose attempt is asked about, where the message waits for news of one. The umid of an attempt that nobody
/// knows of is not known either: where its step was tried before, what is on record is that of the earlier try.
fn asks_about(present: &Present) -> Option<StepIndex> {
    let is_heard_of = |marks: Marks, step| marks.reached_by().is_some() || marks.failed(step);
    let can_be_asked = |step| !is_heard_of(present.marks, step) && !present.marks.unknown(step);
    match present.state {
        State::Awaiting { .. } => present.marks.last_handed_over().filter(|step| can_be_asked(*step)),
        State::Queued { .. } | State::Sending { .. } | State::Done { .. } => None,
    }
}
