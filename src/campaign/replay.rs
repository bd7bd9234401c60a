//! The engine, run once more over what is on disk about a message.
//!
//! Some of what happens leaves no fact: that a deadline passed, that a person's cancel or opt-out got to the message, a
//! try that the provider gave back. So a replay is a search: for an order of the facts, with such moments in between, in
//! which the engine makes of the beginning what the row says now. The order of their times is tried first and is nearly
//! always right. Where no order leads there, facts and row contradict each other.

use std::collections::HashSet;

use super::dated::{Dated, Fact, Life, STRAY, TURN, answer, facts};
use super::words;
use crate::domain::{Ending, Plan, Present, SkipReason, Span, State, StepIndex, Timestamp};
use crate::engine::{self, Decision, Event, Ignored, OnRecord, Report, Silence, Standing, advance};
use crate::store::{Attempt, Batch, Receipt, Verdict};

/// Moments that are tried for one message before it counts as not to be told.
pub(super) const PATIENCE: u32 = 200_000;
/// From so many on it is remembered which were tried: most messages need fewer than ten.
pub(super) const STRAIGHT: u32 = 64;
/// Facts of one message that can be told: four for each of as many tries as are counted.
const FACTS_MAX: usize = 1_024;

/// Which facts have been told, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Used([u64; FACTS_MAX / 64]);

impl Used {
    fn has(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    fn with(mut self, index: usize) -> Self {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
        self
    }
}

/// What happened at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) enum Moment<'a> {
    Claimed,
    Answered(&'a Attempt),
    /// Given back, once or more often: only the number of tries tells of it.
    GivenBack,
    Receipt(&'a Receipt),
    /// News of a try that another one had followed.
    OfAnEarlierTry(&'a Receipt),
    Due,
    /// A refusal turned out to be the sender's fault.
    Recalled,
    /// The campaign's end was moved.
    Changed,
    /// The batch was called off; the message learns of it later.
    Cancelled,
    CalledOff,
}

/// A moment with what the engine made of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) at: Timestamp,
    pub(super) before: Present,
    pub(super) moment: Moment<'a>,
    /// Nothing where the engine had nothing to decide.
    pub(super) decision: Option<Decision>,
}

/// A message's life, as far as it can be told.
#[derive(Debug)]
pub(super) struct Replay<'a> {
    pub(super) told: Vec<Told<'a>>,
    pub(super) end: Present,
    /// Whether it ends where the row says.
    pub(super) is_proven: bool,
}

/// A place in the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) now: Present,
    pub(super) used: Used,
    pub(super) cancelled: bool,
    /// Which of the plans holds.
    pub(super) plan: usize,
}

pub(super) struct Search<'a> {
    pub(super) life: Life<'a>,
    /// At least one, each with when it began to hold.
    pub(super) plans: Vec<(Timestamp, &'a Plan)>,
    begins_apart: bool,
    facts: Vec<Dated<'a>>,
    patience: u32,
    tried: u32,
    seen: HashSet<Place>,
    told: Vec<Told<'a>>,
    /// The most that could be told, should nothing lead to the row, with where it ends.
    best: (Vec<Told<'a>>, Present),
    end: Present,
}

/// From when its messages waited to leave.
pub(super) fn begun_at(batch: &Batch) -> Timestamp {
    batch.starts_at.filter(|at| *at > batch.created_at).unwrap_or(batch.created_at)
}

/// Whether the launch left somebody out whom it had a message for: the campaign excludes them, or they had opted out.
fn is_left_out(row: &Present, begun: &Present) -> bool {
    match row.state {
        State::Done { skipped: Some(SkipReason::Excluded), .. } => true,
        // Whoever opts out later is marked, and what suppresses a step ends it.
        State::Done { skipped: Some(SkipReason::OptedOut), .. } => row.marks == begun.marks,
        _ => false,
    }
}

/// Tells a message's life; gives up after so many moments.
pub(super) fn replay(life: Life<'_>, patience: u32) -> Replay<'_> {
    let start = begun_at(life.batch);
    let mut begun = engine::begin(life.plan, life.row.marks, start);
    if is_left_out(life.row, &begun) {
        // Who is left out at the launch is skipped from the beginning; of that there is no other fact than the row.
        begun = Present { state: life.row.state, ..begun };
    }
    let facts = facts(&life);
    let (seen, told, best) = (HashSet::new(), Vec::with_capacity(facts.len() + 2), (Vec::new(), begun));
    let plans = life.plans();
    let begins_apart = life.editions.iter().map(|edition| &edition.plan).chain([life.plan]).any(Plan::begins_apart);
    let mut search = Search { life, plans, begins_apart, facts, patience, tried: 0, seen, told, best, end: begun };
    let place = Place { now: begun, used: Used::default(), cancelled: false, plan: 0 };
    let is_proven = search.facts.len() <= FACTS_MAX && search.leads(place, start);
    let (told, end) = if is_proven { (search.told, search.end) } else { search.best };
    Replay { told, end, is_proven }
}

/// The present of a message that is claimed out of its queue at `intent`.
pub(super) fn sending(now: &Present, intent: Timestamp, tries: u16) -> Present {
    let State::Queued { not_before, gives_up } = now.state else { return *now };
    Present { state: State::Sending { intent, not_before, gives_up }, tries: now.tries.max(tries), ..*now }
}

impl<'a> Search<'a> {
    /// Whether some order from here on ends where the row says.
    fn leads(&mut self, place: Place, at: Timestamp) -> bool {
        if self.told.len() > self.best.0.len() {
            self.best = (self.told.clone(), place.now);
        }
        let next = self.unused(&place).map(|dated| dated.at).min();
        if next.is_none() && self.is_the_row(&place) {
            self.end = place.now;
            return true;
        }
        self.tried += 1;
        if self.tried <= self.patience && self.recall(place, at) {
            return true;
        }
        if self.tried > self.patience
            || self.has_passed_by(&place)
            || (self.tried > STRAIGHT && (self.contradicts(&place) || !self.seen.insert(place)))
        {
            return false;
        }
        let horizon = self.unused(&place).map(|dated| dated.until).min().unwrap_or(Timestamp::MAX);
        let next = next.unwrap_or(Timestamp::MAX);
        // A cancel is known before what comes after it.
        let cancel = self.life.batch.cancelled_at.filter(|cancel| !place.cancelled && *cancel <= horizon);
        let was_cut = self.life.row.marks.cut();
        if was_cut && cancel.is_some_and(|cancel| cancel <= next) && self.cancel(place, at) {
            return true;
        }
        let change = self.plans.get(place.plan + 1).map(|(since, _)| *since).filter(|since| *since <= horizon);
        if change.is_some_and(|since| since <= next) && self.change(place, at) {
            return true;
        }
        (self.must_be_due_by(&place, next) && self.due(place, at, horizon))
            || self.fact(place, at, horizon, false)
            || self.due(place, at, horizon)
            || self.without_a_fact(place, at, horizon)
            || (cancel.is_some_and(|cancel| !was_cut || cancel > next) && self.cancel(place, at))
            || (change.is_some_and(|since| since > next) && self.change(place, at))
            || self.fact(place, at, horizon, true)
    }

    pub(super) fn unused(&self, place: &Place) -> impl Iterator<Item = &Dated<'a>> {
        let used = place.used;
        self.facts.iter().enumerate().filter(move |(index, _)| !used.has(*index)).map(|(_, dated)| dated)
    }

    pub(super) fn used_attempts(&self, place: &Place) -> impl Iterator<Item = &'a Attempt> {
        let used = place.used;
        self.facts.iter().enumerate().filter(move |(index, _)| used.has(*index)).filter_map(|(_, dated)| {
            match dated.fact {
                Fact::Answered(attempt) => Some(attempt),
                Fact::Left(..) | Fact::Receipt(_) => None,
            }
        })
    }

    pub(super) fn unused_attempts(&self, place: &Place) -> impl Iterator<Item = &'a Attempt> {
        self.unused(place).filter_map(|dated| match dated.fact {
            Fact::Answered(attempt) => Some(attempt),
            Fact::Left(..) | Fact::Receipt(_) => None,
        })
    }

    /// Whether a fact of an earlier step is left that nothing can take in any more.
    fn has_passed_by(&self, place: &Place) -> bool {
        let marks = place.now.marks;
        self.unused_attempts(place).any(|attempt| {
            attempt.step < place.now.step && !(marks.handed_over(attempt.step) && attempt.verdict.was_begun())
        })
    }

    /// Whether a step has given way for another reason than the row says: of that nothing is ever taken back.
    fn contradicts(&self, place: &Place) -> bool {
        StepIndex::all().take(self.life.plan.steps.len()).any(|step| {
            let (told, row) = (place.now.marks.ending(step), self.life.row.marks.ending(step));
            !matches!(told, Ending::Open | Ending::Success) && told != row
        })
    }

    fn is_the_row(&self, place: &Place) -> bool {
        let (told, row) = (&place.now, self.life.row);
        let stands = match (told.state, row.state) {
            (State::Queued { .. }, State::Queued { .. }) | (State::Sending { .. }, State::Sending { .. }) => true,
            // What was held, or came in a group, is due later; nothing is earlier.
            (State::Awaiting { due }, State::Awaiting { due: kept }) => kept >= due,
            (State::Done { outcome, skipped, at }, State::Done { outcome: kept, skipped: why, at: kept_at }) => {
                let never_left = row.first_left.is_none();
                (outcome, skipped) == (kept, why) && (never_left || at <= kept_at + TURN)
            }
            _ => false,
        };
        // A receipt that proves a hand-over counts from when it was applied, which is somewhat after it came, and however
        // long after the answer that the disk had to wait for.
        let proven_by = |since: Timestamp| {
            let of_it = |receipt: &&Receipt| Some(receipt.step) == row.marks.last_handed_over();
            let receipts = self.life.receipts.iter().filter(of_it);
            receipts.map(|receipt| receipt.received).any(|at| at <= since && since.since(at) <= STRAY)
        };
        let since = |told: Option<Timestamp>, row: Option<Timestamp>| match (told, row) {
            (None, None) => true,
            (Some(told), Some(row)) => told <= row && (row.since(told) <= STRAY || proven_by(row)),
            (None, Some(_)) | (Some(_), None) => false,
        };
        stands
            && (told.step, told.marks) == (row.step, row.marks)
            && since(told.first_left, row.first_left)
            && since(told.accepted, row.accepted)
    }

    fn standing(place: &Place) -> Standing {
        if place.cancelled { Standing::Cancelled } else { Standing::Live }
    }

    pub(super) fn advance(&self, place: &Place, before: &Present, event: Event, at: Timestamp) -> Decision {
        let plan = self.plans.get(place.plan).map_or(self.life.plan, |(_, plan)| plan);
        advance(plan, Self::standing(place), before, event, at)
    }

    /// Tells a moment, and goes on from what the engine makes of it.
    pub(super) fn tell(&mut self, place: Place, at: Timestamp, told: Told<'a>) -> bool {
        let now = told.decision.and_then(|decision| decision.next().copied()).unwrap_or(place.now);
        let length = self.told.len();
        self.told.push(told);
        let leads = self.leads(Place { now, ..place }, at);
        if !leads {
            self.told.truncate(length);
        }
        leads
    }

    /// The same, of an event that has to move the message.
    pub(super) fn moves(
        &mut self,
        place: Place,
        at: Timestamp,
        before: Present,
        event: Event,
        moment: Moment<'a>,
    ) -> bool {
        let decision = self.advance(&place, &before, event, at);
        let moved = matches!(decision, Decision::Moved { .. });
        moved && self.tell(place, at, Told { at, before, moment, decision: Some(decision) })
    }

    /// One of the facts that may come next, earliest first; or only receipts of a step that has not begun, which is
    /// what they nearly never are.
    fn fact(&mut self, place: Place, at: Timestamp, horizon: Timestamp, not_begun: bool) -> bool {
        (0..self.facts.len()).any(|index| {
            let Some(dated) = self.facts.get(index).copied().filter(|dated| dated.at <= horizon) else { return false };
            if place.used.has(index) {
                return false;
            }
            let place = Place { used: place.used.with(index), ..place };
            match dated.fact {
                Fact::Receipt(receipt) => {
                    // What waited for the answer took effect later, and a later step may say when.
                    let at = at.max(dated.at);
                    let mut moments = self.gave_way_by(&place);
                    moments.retain(|moment| *moment > at && *moment <= dated.until);
                    moments.insert(0, at);
                    moments.into_iter().any(|at| self.receipt(place, at, receipt, not_begun))
                }
                Fact::Left(..) | Fact::Answered(_) if not_begun => false,
                Fact::Left(step, tries) => self.left(place, at, dated.at, step, tries),
                Fact::Answered(attempt) => self.answered(place, at, attempt),
            }
        })
    }

    fn left(&mut self, place: Place, at: Timestamp, intent: Timestamp, step: StepIndex, tries: u16) -> bool {
        let State::Queued { not_before, gives_up } = place.now.state else { return false };
        if place.now.step != step {
            return false;
        }
        // Where it stood in its queue changes with every try that the provider gives back.
        let state = State::Queued { not_before: not_before.min(intent), gives_up };
        let before = Present { state, tries: place.now.tries.max(tries), ..place.now };
        // Where not everybody begins at once, each has their own time to leave, counted from a moment that no fact names.
        let begins_apart = place.now.first_left.is_none() && self.begins_apart;
        let free = State::Queued { not_before: not_before.min(intent), gives_up: None };
        let claimed = if begins_apart { Present { state: free, ..before } } else { before };
        let decision = self.advance(&place, &claimed, Event::Claimed, intent);
        let Decision::Moved { mut next, rule } = decision else { return false };
        if let State::Sending { gives_up: kept, .. } = &mut next.state {
            *kept = gives_up;
        }
        let decision = Some(Decision::Moved { next, rule });
        self.tell(place, at.max(intent), Told { at: intent, before, moment: Moment::Claimed, decision })
    }

    fn answered(&mut self, place: Place, at: Timestamp, attempt: &'a Attempt) -> bool {
        let (step, when, now) = (attempt.step, attempt.answered, place.now);
        let moment = Moment::Answered(attempt);
        let at = at.max(when);
        let is_here = now.step == step;
        let was_claimed = !matches!(attempt.verdict, Verdict::CouldNotLeave | Verdict::TierSpent);
        let before = match now.state {
            State::Sending { .. } if is_here => now,
            State::Queued { .. } if is_here && !was_claimed => {
                let event = match attempt.verdict {
                    Verdict::TierSpent => Event::TierSpent { step },
                    _ => Event::Due { silence: Silence::Trusted },
                };
                let decision = self.advance(&place, &now, event, when);
                let moved = matches!(decision, Decision::Moved { .. });
                return moved && self.tell(place, at, Told { at: when, before: now, moment, decision: Some(decision) });
            }
            // Nothing was meant to go out of what has no intent; it was claimed all the same.
            State::Queued { .. } if is_here && attempt.intent.is_none() => sending(&now, when, attempt.tries),
            _ => {
                // A receipt had proven the hand-over before its answer came, or undone it.
                let is_over = is_here && now.tries > attempt.tries;
                let proven = (now.marks.handed_over(step) || is_over) && attempt.verdict.was_begun();
                return proven && self.tell(place, at, Told { at: when, before: now, moment, decision: None });
            }
        };
        let event = Event::Answered { step, answer: answer(attempt) };
        let decision = self.advance(&place, &before, event, when);
        if self.tell(place, at, Told { at: when, before, moment, decision: Some(decision) }) {
            return true;
        }
        // The person's wish may have got to it while it was claimed.
        if !self.life.row.marks.opted_out() || before.marks.opted_out() {
            return false;
        }
        let before = Present { marks: before.marks.with_cut().with_opted_out(), ..before };
        self.moves(place, at, before, event, moment)
    }

    fn receipt(&mut self, place: Place, at: Timestamp, receipt: &'a Receipt, not_begun: bool) -> bool {
        let (step, now) = (receipt.step, place.now);
        let moment = Moment::Receipt(receipt);
        let Some(report) = words::report(receipt, self.life.plan.step(step)) else {
            return !not_begun && self.tell(place, at, Told { at, before: now, moment, decision: None });
        };
        if !self.counts(&place, receipt, report) {
            let moment = Moment::OfAnEarlierTry(receipt);
            return !not_begun && self.tell(place, at, Told { at, before: now, moment, decision: None });
        }
        let event = Event::Receipt { step, report };
        let decision = self.advance(&place, &now, event, at);
        if not_begun != matches!(decision, Decision::Ignored(Ignored::NotBegun)) {
            return false;
        }
        if self.may_be(&decision, receipt)
            && self.tell(place, at, Told { at, before: now, moment, decision: Some(decision) })
        {
            return true;
        }
        if self.was_the_senders(&place, receipt, report, at) {
            return true;
        }
        if let Some(decision) = self.met_a_claim(&place, event, at)
            && self.tell(place, at, Told { at, before: now, moment, decision: Some(decision) })
        {
            return true;
        }
        self.claimed_in_vain(&place, at).is_some_and(|claimed| self.moves(place, at, claimed, event, moment))
    }

    /// Whether news of a try still counts: as it did when they came, by the tries that were on record then.
    fn counts(&self, place: &Place, receipt: &Receipt, report: Report) -> bool {
        let (step, now) = (receipt.step, &place.now);
        let Some((told, rules)) = receipt.tries.zip(self.life.plan.step(step)) else { return true };
        let of_step = self.used_attempts(place).filter(|attempt| attempt.step == step);
        let on_record = OnRecord::of(of_step.map(|attempt| (attempt.tries, attempt.verdict.was_begun())));
        let latest = on_record.latest(now, step);
        engine::counts(now, step, [told, latest], report, rules.success)
    }

    /// Whether a receipt can have come when the message stood where that is decided. One of a step that has not begun came
    /// before its claim, and one of a hand-over that is under way before its answer: not in another order of the facts.
    fn may_be(&self, decision: &Decision, receipt: &Receipt) -> bool {
        let mut of_step = self.life.attempts.iter().filter(|attempt| attempt.step == receipt.step);
        match decision {
            Decision::Ignored(Ignored::NotBegun) => {
                of_step.all(|attempt| attempt.intent.is_some_and(|intent| receipt.received < intent))
            }
            Decision::Ignored(Ignored::InFlight) => of_step.any(|attempt| receipt.received <= attempt.answered),
            Decision::Ignored(_) | Decision::Moved { .. } => true,
        }
    }

    /// How often a step was given back in all, as far as is known.
    pub(super) fn most_tries(&self, step: StepIndex) -> u16 {
        let row = if self.life.row.step == step { self.life.row.tries } else { 0 };
        let of_step = self.life.attempts.iter().filter(|attempt| attempt.step == step);
        of_step.map(|attempt| attempt.tries).max().unwrap_or(0).max(row)
    }

    /// Since when the message has waited for a later step, as the row says.
    pub(super) fn row_waits_since(&self) -> Option<Timestamp> {
        match self.life.row.state {
            State::Queued { not_before, .. } | State::Sending { not_before, .. } => Some(not_before),
            State::Awaiting { .. } | State::Done { .. } => None,
        }
    }

    /// Moments at which the present step had given way, as later ones tell.
    pub(super) fn gave_way_by(&self, place: &Place) -> Vec<Timestamp> {
        let step = place.now.step;
        let later = self.unused_attempts(place).filter(|attempt| attempt.step > step);
        let mut moments: Vec<Timestamp> = later.map(|attempt| attempt.queued).collect();
        // A later step of which only receipts tell cannot have been queued after them.
        moments.extend(self.unused(place).filter_map(|dated| match dated.fact {
            Fact::Receipt(receipt) if receipt.step > step => Some(dated.at),
            _ => None,
        }));
        if self.life.row.step > step {
            moments.extend(self.row_waits_since());
        }
        moments
    }

    /// The time of the present step is up, at one of the moments that are known to be after that.
    fn due(&mut self, place: Place, at: Timestamp, horizon: Timestamp) -> bool {
        let Some(due) = self.time_is_up(&place) else { return false };
        let mut moments = self.gave_way_by(&place);
        moments.sort_unstable();
        let earliest = due.max(at);
        moments.push(earliest);
        // Of what ended and was reached later the row says only when that was.
        if let State::Done { at: ended, .. } = self.life.row.state
            && !self.life.row.marks.late()
        {
            // What gives way does so early, and what ends does so when the row says.
            let goes_on = !place.cancelled && self.life.plan.after(place.now.step, place.now.marks).is_some();
            moments.insert(moments.len() - usize::from(!goes_on), ended);
        }
        // Where nobody listened for long, a step's time may be looked at only when the message's is up too, or the time in
        // which receipts are waited for: then it ends.
        let ends_here = self.life.row.marks.late() && self.life.row.step == place.now.step;
        let whole = place.now.first_left.zip(self.life.plan.ttl).map(|(left, ttl)| left + ttl);
        let window = self.life.plan.step(place.now.step).zip(place.now.accepted);
        let window = window.map(|(step, accepted)| accepted + step.receipt_window);
        moments.extend(whole.into_iter().chain(window).filter(|end| ends_here && *end > earliest));
        moments.retain(|moment| *moment >= earliest && *moment <= horizon);
        moments.dedup();
        let waives = self.life.row.marks.waived() && !place.now.marks.waived();
        // A second copy whose time to leave is up leaves the first to be waited for, be it only because the provider may still
        // repeat something; and then a cancel may come before its deadline is looked at again.
        let waits = matches!(place.now.state, State::Queued { .. }) && place.now.marks.unknown(place.now.step);
        moments.into_iter().any(|moment| {
            let held = Silence::Held { until: moment + Span::from_millis(1) };
            let silences = [(Silence::Lost, waives), (Silence::Trusted, true), (held, waits)];
            silences
                .into_iter()
                .filter(|(_, may_be)| *may_be)
                .any(|(silence, _)| self.moves(place, moment, place.now, Event::Due { silence }, Moment::Due))
        })
    }
}
