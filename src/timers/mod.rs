//! What is due now goes through the engine.
//!
//! In: rows whose due time has come, and the gaps in which receipts could not be kept. Out: messages moved on.
//! Promises: timers are rows: memory holds one page and one sleeper, and a restart re-arms them at once; due rows fire
//! in order, a page to a transaction; nothing fires early; a paused batch holds its deadlines until it is resumed;
//! silence decides nothing while nobody listened (rule 9).
//! May not: decide (the engine does), or keep anything in memory that is not also a row.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::domain::{BatchId, BatchState, Causes, Span, State, Timestamp};
use crate::engine::{self, Event, Gap, Silence, Standing, advance};
use crate::store::{Book, Entry, Loaded, Result, Signal, Store, Verdict};

/// Messages in one transaction.
const PAGE: u32 = 2_000;
/// How often every batch is looked at although nobody said so, in case a hint was lost.
const LOOK_ANYWAY: Span = Span::from_secs(5);
/// Rest after a failure of the store.
const AFTER_FAILURE: Span = Span::from_millis(500);

/// How long a deadline rests while nobody knows whether receipts can be kept.
const IN_DOUBT: Span = Span::from_secs(1);

/// Times in which nobody listened, as this node knows them.
#[derive(Debug)]
pub struct Gaps(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    ended: engine::Gaps,
    /// Up to when it is sure that receipts could be kept.
    sure_until: Timestamp,
    in_doubt: bool,
}

impl Gaps {
    pub fn new(now: Timestamp) -> Self {
        Self(Mutex::new(Inner { ended: engine::Gaps::default(), sure_until: now, in_doubt: false }))
    }

    /// Holds from now on what a gap has made doubtful. Returns until when; nothing where it is lost for good.
    pub fn add(&self, gap: Gap) -> Option<Timestamp> {
        self.lock().ended.add(gap)
    }

    /// Something could not be written, so receipts cannot be kept either. No deadline fires until it is known again
    /// that they can.
    pub fn doubt(&self) {
        self.lock().in_doubt = true;
    }

    /// Receipts that came since then could not be kept. Whoever wrote something meanwhile was luckier than they were.
    pub fn doubt_since(&self, since: Timestamp) {
        let mut inner = self.lock();
        inner.in_doubt = true;
        inner.sure_until = inner.sure_until.min(since);
    }

    /// Something has been written at `now`. Returns the gap that has ended by it, if there was one, and until when it
    /// holds deadlines.
    pub fn sure(&self, now: Timestamp) -> Option<(Gap, Option<Timestamp>)> {
        let mut inner = self.lock();
        let gap = Gap { from: std::mem::replace(&mut inner.sure_until, now), until: now };
        std::mem::take(&mut inner.in_doubt).then(|| (gap, inner.ended.add(gap)))
    }

    fn silence(&self, accepted: Timestamp, due: Timestamp, now: Timestamp) -> Silence {
        let inner = self.lock();
        if inner.in_doubt && due >= inner.sure_until {
            return Silence::Held { until: now + IN_DOUBT };
        }
        inner.ended.silence(accepted, due, now)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub fired: u64,
    pub next_due: Option<Timestamp>,
}

#[derive(Debug)]
pub struct Timers {
    store: Arc<dyn Store>,
    book: Arc<Book>,
    clock: Arc<dyn Clock>,
    gaps: Arc<Gaps>,
    /// When each batch is next worth a look; nothing is known of a batch that is not in here.
    next: HashMap<BatchId, Option<Timestamp>>,
}

impl Timers {
    pub fn new(store: Arc<dyn Store>, book: Arc<Book>, clock: Arc<dyn Clock>, gaps: Arc<Gaps>) -> Self {
        Self { store, book, clock, gaps, next: HashMap::new() }
    }

    /// Fires until `stop`, sleeping until the next due row in between.
    pub async fn run(mut self, stop: CancellationToken) {
        use tokio::sync::broadcast::error::RecvError;
        let clock = Arc::clone(&self.clock);
        let mut signals = self.store.signals().subscribe();
        let mut look_anyway = clock.now();
        while !stop.is_cancelled() {
            if clock.now() >= look_anyway {
                self.next.clear();
                look_anyway = clock.now() + LOOK_ANYWAY;
            }
            let sleep = match self.run_once(clock.now()).await {
                Ok(progress) => progress.next_due.unwrap_or(look_anyway).min(look_anyway),
                Err(error) => {
                    tracing::warn!(error = %Causes(&error), "cannot look at what is due; trying again");
                    self.gaps.doubt();
                    self.next.clear();
                    clock.now() + AFTER_FAILURE
                }
            };
            // Hints are taken in until there is something to do: they only ever bring the next look forward.
            let mut wake = sleep;
            while clock.now() < wake && !stop.is_cancelled() {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = clock.sleep_until(wake) => {}
                    signal = signals.recv() => match signal {
                        Ok(Signal::Due { batch, at }) => {
                            self.expect(batch, at);
                            wake = wake.min(at);
                        }
                        Ok(Signal::Queued { .. }) => {}
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

    /// As if every hint had been lost.
    #[cfg(test)]
    pub(crate) fn look_anyway(&mut self) {
        self.next.clear();
    }

    fn expect(&mut self, batch: BatchId, at: Timestamp) {
        if let Some(next) = self.next.get_mut(&batch) {
            *next = Some(next.map_or(at, |known| known.min(at)));
        }
    }

    /// Fires everything that is due, a page at a time.
    pub async fn run_once(&mut self, now: Timestamp) -> Result<Progress> {
        let mut fired = 0;
        let mut next_due: Option<Timestamp> = None;
        for entry in self.book.in_play() {
            if matches!(entry.state(), BatchState::Paused | BatchState::Scheduled | BatchState::Draft) {
                // What a pause holds back, resuming applies.
                self.next.remove(&entry.id);
                continue;
            }
            let known = self.next.get(&entry.id).copied();
            if known.is_none_or(|next| next.is_some_and(|at| at <= now)) {
                fired += self.fire(&entry, now).await?;
                let next = self.store.next_due(entry.id).await?;
                self.next.insert(entry.id, next);
            }
            if let Some(at) = self.next.get(&entry.id).copied().flatten() {
                next_due = Some(next_due.map_or(at, |known| known.min(at)));
            }
        }
        Ok(Progress { fired, next_due })
    }

    async fn fire(&self, entry: &Entry, now: Timestamp) -> Result<u64> {
        let mut fired = 0;
        loop {
            let due = self.store.due(entry.id, now, PAGE).await?;
            let changes: Vec<_> = due.iter().filter_map(|message| self.decide(entry, message, now)).collect();
            if changes.is_empty() {
                return Ok(fired);
            }
            fired += u64::try_from(changes.len()).unwrap_or(u64::MAX);
            // Whoever was faster has moved its message on; what is still due then comes with the next page.
            self.store.record(changes).await?;
            if u32::try_from(due.len()).unwrap_or(u32::MAX) < PAGE {
                return Ok(fired);
            }
        }
    }

    fn decide(&self, entry: &Entry, message: &Loaded, now: Timestamp) -> Option<crate::store::Change> {
        let present = &message.present;
        let silence = match (present.state, present.accepted) {
            (State::Awaiting { due }, Some(accepted)) => self.gaps.silence(accepted, due, now),
            _ => Silence::Trusted,
        };
        let standing = Standing::of(entry.state());
        let decision = advance(&entry.plan, standing, present, Event::Due { silence }, now);
        let after = *decision.next()?;
        let fact = (after.step != present.step && !present.marks.handed_over(present.step))
            .then(|| entry.could_not_leave(message, Verdict::CouldNotLeave, now))
            .flatten();
        Some(entry.change(message, after, fact))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    #[test]
    fn while_nothing_can_be_written_no_deadline_fires_and_then_its_repeats_are_waited_for() {
        let gaps = Gaps::new(second(90));
        assert_eq!(gaps.sure(second(100)), None);
        assert_eq!(gaps.silence(second(50), second(103), second(105)), Silence::Trusted);
        gaps.doubt();
        assert!(matches!(gaps.silence(second(50), second(103), second(105)), Silence::Held { .. }));
        assert_eq!(gaps.silence(second(50), second(99), second(105)), Silence::Trusted, "due while we listened");
        let (gap, filled) = gaps.sure(second(110)).unwrap();
        assert_eq!((gap.from, gap.until), (second(100), second(110)));
        let filled = filled.unwrap();
        assert_eq!(gaps.silence(second(50), second(103), second(111)), Silence::Held { until: filled });
        assert_eq!(gaps.silence(second(50), second(103), filled), Silence::Trusted);
        assert_eq!(gaps.sure(second(120)), None);
    }

    #[test]
    fn receipts_that_were_not_kept_are_doubtful_from_when_they_came() {
        let gaps = Gaps::new(second(90));
        gaps.sure(second(100));
        // They waited for ten seconds while others could still write.
        gaps.doubt_since(second(95));
        assert!(matches!(gaps.silence(second(50), second(96), second(105)), Silence::Held { .. }));
        assert_eq!(gaps.silence(second(50), second(94), second(105)), Silence::Trusted);
        let (gap, _) = gaps.sure(second(106)).unwrap();
        assert_eq!((gap.from, gap.until), (second(95), second(106)));
    }
}
