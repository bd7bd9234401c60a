//! Passes due messages to the engine.
//!
//! In: due rows, the gaps in which receipts could not be stored, and the doubts about a provider address. Out: the
//! engine's changes; fallbacks of a doubt taken back, and fallbacks recalled whose refusals were the sender's fault.
//!
//! Promises:
//! - Timers are rows: memory holds a few pages and one sleeper, and a restart re-arms them at once.
//! - Due rows fire in order, page by page, and never early.
//! - A paused batch holds its deadlines until it is resumed.
//! - Silence decides nothing while receipts may be missing (rule 9).
//!
//! May not: decide (the engine does), or keep state in memory that is not also a row.

mod address;
mod gaps;
mod inquiry;
mod link;
mod queues;
mod recall;
mod release;
mod take_back;

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt, TryStreamExt};
use tokio_util::sync::CancellationToken;

use crate::base::clock::{Clock, Jumps};
use crate::base::domain::{
    AfterGap, BatchId, Causes, Ending, FaultReport, Histogram, Loaded, MessageKey, Present, Span, State, StepIndex,
    Timestamp,
};
use crate::rules::engine::{Decision, Event, Rule, Silence};
use crate::sending::book::{Book, Entry};
use crate::store::{Result, Signal, Store, Verdict};

pub use gaps::{Doubt, EndedDoubt, Gaps, ON_ITS_WAY};
use inquiry::Due;
pub use link::Addresses;
use recall::Recalls;

/// Messages in one transaction.
pub const PAGE: u32 = 2_000;
/// Pages that wait for their commit while another is read, so that the writer never waits for the reader.
const PAGES_AHEAD: usize = 2;
/// Pages of one batch before the other batches have their turn, so that their deadlines are not late.
const PAGES_PER_TURN: usize = 10;
/// Interval at which every batch is checked, in case a signal was lost.
const RECHECK: Span = Span::from_secs(5);
/// Rest while receipts that have arrived are to be applied first.
const WHILE_APPLYING: Span = Span::from_millis(5);
/// Rest of a deadline while a receipt is stored that may belong to its attempt.
const WHILE_EXPECTED: Span = Span::from_secs(1);
/// Bounds of the lateness of deadlines, in milliseconds.
const LATENESS_MS: &[u64] = &[10, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 60_000, 600_000];
/// Rest after a failure of the store.
const AFTER_FAILURE: Span = Span::from_millis(500);

/// The result of one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerRound {
    pub fired: u64,
    pub next_due: Option<Timestamp>,
}

#[derive(Debug)]
pub struct Timers {
    store: Arc<dyn Store>,
    book: Arc<Book>,
    clock: Arc<dyn Clock>,
    gaps: Arc<Gaps>,
    /// The next due time of each batch; a batch that is not in it has to be read.
    next: HashMap<BatchId, Option<Timestamp>>,
    recalls: Recalls,
    /// How late deadlines were applied, in milliseconds.
    lateness: Arc<Histogram>,
}

impl Timers {
    pub fn new(store: Arc<dyn Store>, book: Arc<Book>, clock: Arc<dyn Clock>, gaps: Arc<Gaps>) -> Self {
        let lateness = Arc::new(Histogram::new(LATENESS_MS));
        Self { store, book, clock, gaps, next: HashMap::new(), recalls: Recalls::default(), lateness }
    }

    /// How late deadlines were applied, in milliseconds, for those who do not run it.
    pub const fn lateness(&self) -> &Arc<Histogram> {
        &self.lateness
    }

    /// Fires due messages until `stop`, and sleeps until the next one.
    pub async fn run(mut self, stop: CancellationToken) {
        use tokio::sync::broadcast::error::RecvError;
        let clock = Arc::clone(&self.clock);
        let mut signals = self.store.signals().subscribe();
        let mut recheck = clock.now();
        let (failing, mut jumps) = (FaultReport::default(), Jumps::of(clock.as_ref()));
        while !stop.is_cancelled() {
            // A suspended process received nothing meanwhile, and stores only now what arrived.
            if jumps.jumped(clock.as_ref()).is_some() {
                self.gaps.doubt();
            }
            if clock.now() >= recheck {
                self.next.clear();
                recheck = clock.now() + RECHECK;
            }
            let sleep = match self.run_once(clock.now()).await {
                Ok(progress) => {
                    failing.ends();
                    progress.next_due.unwrap_or(recheck).min(recheck)
                }
                Err(error) => {
                    if failing.begins() {
                        tracing::warn!(error = %Causes(&error), "cannot read due messages; retrying");
                    }
                    self.gaps.doubt();
                    self.next.clear();
                    clock.now() + AFTER_FAILURE
                }
            };
            // Signals are applied until a message is due: they only ever make the next round earlier.
            let mut wake = sleep;
            while clock.now() < wake && !stop.is_cancelled() {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = clock.sleep_until(wake) => {}
                    () = self.gaps.doubted() => wake = clock.now(),
                    () = self.book.recalls() => wake = clock.now(),
                    signal = signals.recv() => match signal {
                        Ok(Signal::Due { batch, at }) => {
                            self.expect(batch, at);
                            wake = wake.min(at);
                        }
                        Ok(Signal::Queued { .. } | Signal::Moved { .. }) => {}
                        Err(RecvError::Lagged(_)) => {
                            self.next.clear();
                            wake = clock.now();
                        }
                        Err(RecvError::Closed) => return,
                    },
                }
            }
        }
    }

    /// Forgets all due times, as if every signal had been lost.
    #[cfg(test)]
    pub(crate) fn look_anyway(&mut self) {
        self.next.clear();
    }

    fn expect(&mut self, batch: BatchId, at: Timestamp) {
        if let Some(next) = self.next.get_mut(&batch) {
            *next = Some(next.map_or(at, |known| known.min(at)));
        }
    }

    /// Fires due messages, a page at a time. A large batch fires a limited number of pages in one round.
    pub async fn run_once(&mut self, now: Timestamp) -> Result<TimerRound> {
        self.take_back(now).await?;
        let (recalled, released) = (self.recall(now).await?, self.release(now).await?);
        let mut next_due = recalled.into_iter().chain(released).min();
        let mut fired = 0;
        let until = self.gaps.applied_until(now);
        // A resume applies the deadlines that a pause holds.
        let (held_back, in_play): (Vec<_>, Vec<_>) =
            self.book.in_play().into_iter().partition(|entry| entry.is_held_back());
        for entry in held_back {
            self.next.remove(&entry.id);
        }
        let unknown = in_play.iter().map(|entry| entry.id).filter(|batch| !self.next.contains_key(batch));
        self.read_next_due(unknown.collect()).await?;
        let is_due =
            |entry: &&Arc<Entry>| self.next.get(&entry.id).is_some_and(|next| next.is_some_and(|at| at <= until));
        let due: Vec<_> = in_play.iter().filter(is_due).collect();
        for entry in &due {
            fired += self.fire(entry, until, now).await?;
        }
        self.read_next_due(due.into_iter().map(|entry| entry.id).collect()).await?;
        for entry in in_play {
            if let Some(at) = self.next.get(&entry.id).copied().flatten() {
                let at = if at <= now && until < now { now + WHILE_APPLYING } else { at };
                next_due = Some(next_due.map_or(at, |known| known.min(at)));
            }
        }
        Ok(TimerRound { fired, next_due })
    }

    /// Reads the next due times of these batches.
    async fn read_next_due(&mut self, batches: Vec<BatchId>) -> Result<()> {
        if batches.is_empty() {
            return Ok(());
        }
        let next = self.store.next_due(batches.clone()).await?;
        self.next.extend(batches.into_iter().map(|batch| (batch, next.get(&batch).copied())));
        Ok(())
    }

    /// Fires a batch page by page, in order; the next page is read while others are decided and written.
    ///
    /// If another change was faster, the message is decided again in the next round if it is still due.
    async fn fire(&self, entry: &Entry, until: Timestamp, now: Timestamp) -> Result<u64> {
        let (mut fired, mut writes) = (0, FuturesUnordered::new());
        let walk = async {
            let mut after = None;
            for _ in 0..PAGES_PER_TURN {
                let mut read = self.store.due(entry.id, until, after, PAGE);
                let page = loop {
                    tokio::select! {
                        biased;
                        page = &mut read => break page?,
                        Some(written) = writes.next() => fired += written?,
                    }
                };
                let Some(last) = page.last() else { return Ok(()) };
                after = last.timer_position();
                writes.push(self.write(entry, page, now));
                while writes.len() > PAGES_AHEAD {
                    fired += writes.try_next().await?.unwrap_or_default();
                }
            }
            Ok(())
        };
        let walked: Result<()> = walk.await;
        // Writes that have begun are completed also after a failure, and their lanes are notified.
        let mut rest = walked.map(|()| fired);
        while let Some(written) = writes.next().await {
            rest = rest.and_then(|fired| written.map(|more| fired + more));
        }
        rest
    }

    async fn write(&self, entry: &Entry, due: Vec<Loaded>, now: Timestamp) -> Result<u64> {
        let counted = self.counted_as_unknown(&due).await?;
        let silence = |message: &Loaded| self.silence(entry, message, counted.get(&message.key).copied(), now);
        let mut silences: Vec<Silence> = due.iter().map(silence).collect();
        self.apply_answers(entry, &due, &mut silences).await?;
        self.hold_for_inquiry(entry, &due, &mut silences, now);
        let decided =
            due.iter().zip(silences).filter_map(|(message, silence)| self.decide(entry, message, silence, now));
        let changes: Vec<_> = decided.collect();
        if changes.is_empty() {
            return Ok(0);
        }
        let count = u64::try_from(changes.len()).unwrap_or(u64::MAX);
        self.store.record(changes).await.map(|_| count)
    }

    /// When unknown attempts were counted as unknown.
    ///
    /// Until then each was being sent and may have been accepted. After a crash, the deadline of some has passed before
    /// that.
    async fn counted_as_unknown(&self, due: &[Loaded]) -> Result<HashMap<MessageKey, Timestamp>> {
        let unknown = due.iter().filter(|message| message.present.marks.unknown(message.present.step));
        let unknown: Vec<(MessageKey, StepIndex)> =
            unknown.map(|message| (message.key, message.present.step)).collect();
        if unknown.is_empty() {
            return Ok(HashMap::new());
        }
        let attempts = self.store.attempts(unknown.iter().map(|(key, _)| *key).collect()).await?;
        let counted = unknown.into_iter().zip(attempts).filter_map(|((key, step), attempts)| {
            let of_step = attempts.iter().filter(|attempt| attempt.step == step);
            Some((key, of_step.map(|attempt| attempt.answered).max()?))
        });
        Ok(counted.collect())
    }

    fn silence(&self, entry: &Entry, message: &Loaded, counted: Option<Timestamp>, now: Timestamp) -> Silence {
        let Some((accepted, due)) = waits_since(entry, message) else { return Silence::Trusted };
        let due = counted.map_or(due, |counted| counted.max(due));
        let worth = |at| self.gaps.silence(message.lane, entry.plan.after_gap, (accepted, due), at);
        let silence = worth(now);
        // Receipts that arrived while silence did not count may belong to it. They are applied once they can belong to
        // no other attempt.
        let in_time = |came| came <= due || matches!(worth(came), Silence::Held { .. });
        let is_expected = || {
            let step = entry.plan.step(message.present.step)?;
            let (_, member) = entry.member(message.present.step, message.lane)?;
            Some(self.book.expects((message.address, step.channel), &member.lane, in_time))
        };
        match silence {
            Silence::Trusted | Silence::Lost if counted.is_some() && is_expected() == Some(true) => {
                Silence::Held { until: now + WHILE_EXPECTED }
            }
            silence => silence,
        }
    }

    /// Replaces a lost silence by the provider's answer, if the attempt was queried since.
    async fn apply_answers(&self, entry: &Entry, due: &[Loaded], silences: &mut [Silence]) -> Result<()> {
        let mut lost = Vec::new();
        for (index, message) in due.iter().enumerate().filter(|(index, _)| silences[*index] == Silence::Lost) {
            if let (State::Awaiting { due }, Some(accepted)) = (message.present.state, message.present.accepted) {
                lost.push((index, accepted, due));
            }
        }
        if lost.is_empty() || entry.plan.after_gap != AfterGap::Ask {
            return Ok(());
        }
        let about = lost.iter().map(|(index, ..)| (due[*index].key, due[*index].present.step)).collect();
        for ((index, accepted, at), question) in lost.into_iter().zip(self.store.questions(about).await?) {
            let lane = due[index].lane;
            if question
                .asked
                .is_some_and(|asked| asked.is_answered && self.gaps.is_filled(lane, accepted, at, asked.at))
            {
                silences[index] = Silence::Filled;
            }
        }
        Ok(())
    }

    /// Holds fallbacks that come at once without a recent webhook, until some of them are queried, however recent they
    /// are.
    fn hold_for_inquiry(&self, entry: &Entry, due: &[Loaded], silences: &mut [Silence], now: Timestamp) {
        let mut by_address: HashMap<usize, (Vec<usize>, Vec<Due>)> = HashMap::new();
        for (index, message) in due.iter().enumerate().filter(|(index, _)| silences[*index] == Silence::Trusted) {
            let Present { step, marks, .. } = message.present;
            let falls_back = || {
                let event = Event::Due { silence: Silence::Trusted };
                let decision = entry.case(message).decide(&entry.plan, event, now);
                matches!(decision, Decision::Moved { rule: Rule::FellBack(Ending::Deadline), .. })
            };
            if let (Some(address), State::Awaiting { .. }, Some(accepted)) =
                (self.gaps.address_of(message.lane), message.present.state, message.present.accepted)
                && falls_back()
            {
                let (indexes, due) = by_address.entry(address).or_default();
                indexes.push(index);
                due.push(Due { key: message.key, step, accepted, can_be_asked: !marks.unknown(step) });
            }
        }
        for (address, (indexes, due)) in by_address {
            if let Some(held) = self.gaps.hold_for_inquiry(address, &due, now) {
                indexes.into_iter().for_each(|index| silences[index] = held);
            }
        }
    }

    fn decide(
        &self,
        entry: &Entry,
        message: &Loaded,
        silence: Silence,
        now: Timestamp,
    ) -> Option<crate::store::Change> {
        let change = entry.decide(message, Event::Due { silence }, now)?;
        if let State::Awaiting { due } = message.present.state {
            self.lateness.add(now.since(due).millis().unsigned_abs());
        }
        let goes_on = change.after.step != change.before.step;
        Some(change.told_by(entry.not_submitted(message, Verdict::CouldNotLeave, now).filter(|_| goes_on)))
    }
}

/// When the attempt that a message waits for was accepted, and when its silence was to decide.
///
/// A held deadline keeps its own time. The receipts that a later gap loses came too late for it, and otherwise an
/// unstable connection would hold it for ever.
fn waits_since(entry: &Entry, message: &Loaded) -> Option<(Timestamp, Timestamp)> {
    let Present { state, step, accepted, marks, .. } = message.present;
    let accepted = accepted?;
    let due = match state {
        State::Awaiting { due } if marks.waived() => due,
        State::Awaiting { due } => {
            let deadline = entry.plan.step(step).and_then(|step| step.fallback_after).map(|after| accepted + after);
            let goes_on = !marks.cut() && entry.plan.after(step, marks).is_some();
            deadline.filter(|_| goes_on).map_or(due, |deadline| deadline.min(due))
        }
        // The second copy could not be submitted, so the deadline of the first one decides, which may have no report.
        State::Queued { gives_up: Some(at), .. } if marks.unknown(step) => at,
        State::Queued { .. } | State::Sending { .. } | State::Done { .. } => return None,
    };
    Some((accepted, due))
}
