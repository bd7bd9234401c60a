//! The watch: sees what people have decided, makes the rooms obey, and says so.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{keep_gap, note_gap};
use crate::clock::Clock;
use crate::dispatch::{self, Lane};
use crate::domain::{BatchId, BatchState, Causes, Span, Timestamp};
use crate::engine::Gap;
use crate::store::{Beat, Book, Entry, Result, Store};
use crate::throttle::Holds;
use crate::timers::Gaps;

/// How often decisions are looked for: a command is obeyed within a quarter of a second.
const LOOK: Span = Span::from_millis(100);
/// How often the node says that it lives, even where nothing is decided.
const BEAT: Span = Span::from_secs(1);
/// How long requests that were begun before a decision are waited for. A cancel answers within a second, and has to be
/// seen and noted in it too.
const BEGUN_WAITS: Span = Span::from_millis(700);
/// A wall clock that moves away from ours by more has jumped, or the machine has slept.
const JUMP_MILLIS: i64 = 2_000;

/// What a watch is made of.
pub(super) struct Parts {
    pub(super) node: i64,
    pub(super) store: Arc<dyn Store>,
    pub(super) book: Arc<Book>,
    pub(super) holds: Arc<Holds>,
    pub(super) lanes: Vec<Arc<Lane>>,
    pub(super) gaps: Arc<Gaps>,
    /// Gaps that others have found: they hold already, and are still to be written down.
    pub(super) missed: mpsc::Receiver<Missed>,
    pub(super) clock: Arc<dyn Clock>,
}

/// A gap, and until when it holds deadlines, if anything can fill it.
pub(super) type Missed = (Gap, Option<Timestamp>);

pub(super) struct Watch {
    parts: Parts,
    noted: u64,
    /// Whether something was stopped of which requests may still be on their way out.
    stopping: bool,
    beaten_at: Timestamp,
    drift: i64,
    /// What each batch in play had handed over at the last beat, and whether it was moving then.
    hand_overs: HashMap<BatchId, (u64, bool)>,
    unwritten: Vec<Missed>,
}

impl Watch {
    pub(super) fn new(parts: Parts) -> Self {
        let (beaten_at, drift) = (parts.clock.now(), parts.clock.drift());
        Self { parts, noted: 0, stopping: false, beaten_at, drift, hand_overs: HashMap::new(), unwritten: Vec::new() }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let clock = Arc::clone(&self.parts.clock);
        while !stop.is_cancelled() {
            self.look().await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = clock.sleep(LOOK) => {}
            }
        }
    }

    /// Looks once.
    pub(super) async fn look(&mut self) {
        if let Err(error) = self.run_once().await {
            tracing::warn!(error = %Causes(&error), "cannot look for decisions; trying again");
            self.parts.gaps.doubt();
        }
    }

    async fn run_once(&mut self) -> Result<()> {
        let seq = self.parts.store.seq().await?;
        let decided = seq != self.noted;
        if decided {
            self.obey().await?;
            // Only now: whoever waits for the note may rely on it that nothing leaves any more.
            self.noted = seq;
        }
        let now = self.parts.clock.now();
        let slept = self.parts.clock.drift();
        if (slept - self.drift).abs() > JUMP_MILLIS {
            self.drift = slept;
            note_gap(self.parts.store.as_ref(), &self.parts.gaps, Gap { from: self.beaten_at, until: now }).await?;
        }
        // Before the beat, which says that we have listened up to now.
        self.unwritten.extend(std::iter::from_fn(|| self.parts.missed.try_recv().ok()));
        while let Some((gap, filled)) = self.unwritten.first() {
            keep_gap(self.parts.store.as_ref(), *gap, *filled).await?;
            self.unwritten.remove(0);
        }
        if decided || now.since(self.beaten_at) >= BEAT {
            self.beat(now).await?;
        }
        Ok(())
    }

    async fn obey(&mut self) -> Result<()> {
        // A look that breaks off half-way may have stopped something that the next one finds stopped already.
        let unsure = std::mem::replace(&mut self.stopping, true);
        let changed = self.parts.book.refresh().await?;
        let held = self.parts.holds.replace(self.parts.store.holds().await?);
        let called_off = |entry: &Entry| {
            matches!(entry.state(), BatchState::Paused | BatchState::Cancelling | BatchState::Cancelled)
        };
        self.stopping = unsure || held || changed.iter().any(|entry| called_off(entry));
        for lane in &self.parts.lanes {
            for entry in changed.iter().filter(|entry| entry.state() == BatchState::Running) {
                lane.look_at(entry);
            }
            // A hold may have been lifted, on the lane or on one of its templates.
            lane.look_everywhere();
        }
        if self.stopping {
            // What has passed its turnstile before it could know still leaves.
            dispatch::until_out(&self.parts.lanes, self.parts.clock.as_ref(), BEGUN_WAITS).await;
            self.stopping = false;
        }
        Ok(())
    }

    async fn beat(&mut self, now: Timestamp) -> Result<()> {
        let seconds = now.since(self.beaten_at).std().as_secs_f64();
        let mut pace = Vec::new();
        if seconds >= BEAT.std().as_secs_f64() {
            let mut hand_overs = HashMap::new();
            for entry in self.parts.book.in_play() {
                let total = entry.hand_overs();
                let (before, was_moving) = self.hand_overs.get(&entry.id).copied().unwrap_or((0, false));
                let is_moving = total != before;
                // Whoever stands still says so once.
                if is_moving || was_moving {
                    pace.push((entry.id, per_second(total.saturating_sub(before), seconds)));
                }
                hand_overs.insert(entry.id, (total, is_moving));
            }
            self.hand_overs = hand_overs;
            self.beaten_at = now;
        }
        self.parts.store.beat(Beat { node: self.parts.node, now, noted: self.noted, pace }).await?;
        // What can be written now can be read again by whoever comes next, receipts too.
        self.unwritten.extend(self.parts.gaps.sure(self.parts.clock.now()));
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pace for people: nobody hands over 2^52 messages in a second")]
fn per_second(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}
