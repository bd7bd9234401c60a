//! The watch: sees what people have decided, makes the rooms obey, and says so.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::note_gap;
use crate::clock::Clock;
use crate::dispatch::Lane;
use crate::domain::{BatchId, BatchState, Span, Timestamp};
use crate::engine::Gap;
use crate::store::{Beat, Book, Result, Store};
use crate::throttle::Holds;
use crate::timers::Gaps;

/// How often decisions are looked for: a command is obeyed within a quarter of a second.
const LOOK: Span = Span::from_millis(100);
/// How often the node says that it lives, even where nothing is decided.
const BEAT: Span = Span::from_secs(1);
/// A wall clock that moves away from ours by more has jumped, or the machine has slept.
const JUMP_MILLIS: i64 = 2_000;

pub(super) struct Watch {
    node: i64,
    store: Arc<dyn Store>,
    book: Arc<Book>,
    holds: Arc<Holds>,
    lanes: Vec<Arc<Lane>>,
    gaps: Arc<Gaps>,
    clock: Arc<dyn Clock>,
    noted: u64,
    beaten_at: Timestamp,
    drift: i64,
    /// What each batch in play had handed over at the last beat, and whether it was moving then.
    hand_overs: HashMap<BatchId, (u64, bool)>,
}

impl Watch {
    pub(super) fn new(
        node: i64,
        store: Arc<dyn Store>,
        book: Arc<Book>,
        holds: Arc<Holds>,
        lanes: Vec<Arc<Lane>>,
        gaps: Arc<Gaps>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (beaten_at, drift) = (clock.now(), clock.drift());
        Self { node, store, book, holds, lanes, gaps, clock, noted: 0, beaten_at, drift, hand_overs: HashMap::new() }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let clock = Arc::clone(&self.clock);
        while !stop.is_cancelled() {
            if let Err(error) = self.run_once().await {
                tracing::warn!(%error, "cannot look for decisions; trying again");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = clock.sleep(LOOK) => {}
            }
        }
    }

    async fn run_once(&mut self) -> Result<()> {
        let seq = self.store.seq().await?;
        let decided = seq != self.noted;
        if decided {
            self.obey().await?;
            // Only now: whoever waits for the note may rely on it that nothing leaves any more.
            self.noted = seq;
        }
        let now = self.clock.now();
        let slept = self.clock.drift();
        if (slept - self.drift).abs() > JUMP_MILLIS {
            self.drift = slept;
            note_gap(self.store.as_ref(), &self.gaps, Gap { from: self.beaten_at, until: now }).await?;
        }
        if decided || now.since(self.beaten_at) >= BEAT {
            self.beat(now).await?;
        }
        Ok(())
    }

    async fn obey(&self) -> Result<()> {
        let changed = self.book.refresh().await?;
        self.holds.replace(self.store.holds().await?);
        for lane in &self.lanes {
            for entry in changed.iter().filter(|entry| entry.state() == BatchState::Running) {
                lane.look_at(entry);
            }
            // A hold may have been lifted, on the lane or on one of its templates.
            lane.look_everywhere();
        }
        Ok(())
    }

    async fn beat(&mut self, now: Timestamp) -> Result<()> {
        let seconds = now.since(self.beaten_at).std().as_secs_f64();
        let mut pace = Vec::new();
        if seconds >= BEAT.std().as_secs_f64() {
            let mut hand_overs = HashMap::new();
            for entry in self.book.in_play() {
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
        self.store.beat(Beat { node: self.node, now, noted: self.noted, pace }).await
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pace for people: nobody hands over 2^52 messages in a second")]
fn per_second(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}
