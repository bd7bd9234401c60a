//! The watch: reads the decisions of operators, applies them to the running node, and confirms them.

mod confirmations;
mod pulse;
mod reports;

use std::sync::Arc;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::gaps::{DoubtMonitor, add_gap, record_gap};
use super::lease::record_renewal;
use super::overrides::Overrides;
use confirmations::Confirmations;
use pulse::Pulse;
use reports::Reports;

use crate::base::clock::{Clock, Jumps};
use crate::base::domain::{BatchState, Causes, FaultReport, Span, Timestamp};
use crate::rules::engine::Gap;
use crate::sending::book::{Book, Entry};
use crate::sending::dispatch::{LaneStatus, RunningLane};
use crate::sending::receipts::{SlotChange, Verifier};
use crate::sending::throttle::{Holds, Tenure};
use crate::sending::timers::Gaps;
use crate::store::{Beat, Latest, Result, Signal, Store};

/// How often decisions are read: a command takes effect within a quarter of a second.
const LOOK: Span = Span::from_millis(100);

/// The parts of a watch.
pub(super) struct WatchParts {
    pub(super) node: i64,
    pub(super) store: Arc<dyn Store>,
    pub(super) tenure: Arc<Tenure>,
    pub(super) book: Arc<Book>,
    pub(super) holds: Arc<Holds>,
    pub(super) overrides: Overrides,
    pub(super) lanes: Vec<Arc<RunningLane>>,
    pub(super) gaps: Arc<Gaps>,
    pub(super) verifier: Arc<Verifier>,
    /// Gaps found by other tasks. They already hold deadlines, and are still to be recorded.
    pub(super) missed: mpsc::Receiver<Missed>,
    /// Changes of tier slots that receipts report.
    pub(super) slot_changes: mpsc::Receiver<SlotChange>,
    /// Notified when there is a decision to apply.
    pub(super) decided: Arc<Notify>,
    pub(super) clock: Arc<dyn Clock>,
}

/// A gap, and until when it holds deadlines, if repeated receipts can fill it.
pub(super) type Missed = (Gap, Option<Timestamp>);

pub(super) struct Watch {
    parts: WatchParts,
    /// The latest decision that is applied.
    applied: u64,
    confirmations: Confirmations,
    /// Whether something was stopped whose requests may still be in flight.
    stopping: bool,
    pulse: Pulse,
    jumps: Jumps,
    unwritten: Vec<Missed>,
    reports: Reports,
    /// The status of the lanes, if it was just read.
    statuses: Option<Vec<LaneStatus>>,
    /// Whether a failure of the database has been reported.
    failure: FaultReport,
    doubts: DoubtMonitor,
}

impl Watch {
    pub(super) fn new(parts: WatchParts) -> Self {
        let (now, jumps) = (parts.clock.now(), Jumps::of(parts.clock.as_ref()));
        let (doubts, lanes) = (DoubtMonitor::new(Arc::clone(&parts.gaps)), parts.lanes.len());
        Self {
            parts,
            applied: 0,
            confirmations: Confirmations::default(),
            stopping: false,
            pulse: Pulse::new(now, lanes),
            jumps,
            unwritten: Vec::new(),
            reports: Reports::default(),
            statuses: None,
            failure: FaultReport::default(),
            doubts,
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let clock = Arc::clone(&self.parts.clock);
        while !stop.is_cancelled() {
            // Counted from the start of a look, so a change during it does not wait longer.
            let next = clock.now() + LOOK;
            self.look().await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = clock.sleep_until(next) => {}
                () = self.confirmations.next(clock.as_ref()) => {}
                () = self.parts.decided.notified() => {}
            }
        }
        if let Err(error) = self.write_holds().await {
            tracing::warn!(error = %Causes(&error), "cannot store the holds from the provider's last answers");
        }
    }

    /// Reads and applies decisions once, and reports changes.
    pub(super) async fn look(&mut self) {
        let applied = self.applied;
        match self.run_once().await {
            Ok(()) => {
                if self.failure.ends() {
                    tracing::warn!("the database can be read and written again");
                }
            }
            Err(error) => {
                if !self.parts.tenure.end_for(&error) && self.failure.begins() {
                    tracing::error!(error = %Causes(&error), "the database cannot be read or written; retrying");
                }
                self.parts.gaps.doubt();
            }
        }
        // Changes are reported even if they cannot be written. Without a decision the report can wait.
        let now = self.parts.clock.now();
        if applied != self.applied || self.reports.are_due(now) {
            let statuses = self.statuses.take().unwrap_or_else(|| self.statuses());
            self.reports.add(&statuses, &self.parts.holds, now);
        }
    }

    fn statuses(&self) -> Vec<LaneStatus> {
        self.parts.lanes.iter().map(|lane| lane.status()).collect()
    }

    async fn run_once(&mut self) -> Result<()> {
        self.write_holds().await?;
        let begun = self.parts.clock.now();
        let Latest { seq, epoch } = self.parts.store.latest().await?;
        self.parts.tenure.look(epoch, begun);
        if seq != self.applied {
            self.apply(seq).await?;
            self.applied = seq;
        }
        let now = self.parts.clock.now();
        let slot_changes: Vec<_> = std::iter::from_fn(|| self.parts.slot_changes.try_recv().ok()).collect();
        self.parts.overrides.apply_slot_changes(self.parts.store.as_ref(), slot_changes, now).await?;
        // Only now: a caller that waits for the confirmation relies on no earlier request being in flight.
        let is_confirmed = self.confirmations.confirm(now);
        if let Some(unpassed) = self.jumps.jumped(self.parts.clock.as_ref()) {
            // The time that this machine missed did pass for the provider, which may have given up repeating meanwhile.
            let gap = Gap { from: self.pulse.beaten_at - unpassed, until: now };
            add_gap(self.parts.store.as_ref(), &self.parts.gaps, gap).await?;
        }
        // Before the beat, which records that receipts were taken up to now.
        self.unwritten.extend(std::iter::from_fn(|| self.parts.missed.try_recv().ok()));
        while let Some((gap, filled)) = self.unwritten.first() {
            record_gap(self.parts.store.as_ref(), *gap, *filled).await?;
            self.unwritten.remove(0);
        }
        self.reports.write(self.parts.store.as_ref()).await?;
        self.doubts.look(self.parts.store.as_ref(), now).await?;
        // A look that only reads does not prove that the database can be written again.
        if is_confirmed || self.pulse.is_due(now) || self.failure.lasts() {
            self.beat(now).await?;
        }
        // Last, because it may take long.
        self.parts.overrides.count_uncounted(self.parts.store.as_ref(), now).await
    }

    /// Records the holds that the provider's answers caused on this node.
    async fn write_holds(&self) -> Result<()> {
        for (hold, begun) in self.parts.holds.unwritten() {
            let seq = self.parts.store.hold(hold.clone(), begun).await?;
            self.parts.holds.written(&hold, seq);
        }
        Ok(())
    }

    /// Applies all decisions up to this one. It does not wait for requests that were begun before, because the next
    /// decision must be applied meanwhile.
    async fn apply(&mut self, seq: u64) -> Result<()> {
        // A look that failed half-way may have stopped something that this one finds already stopped.
        let unsure = std::mem::replace(&mut self.stopping, true);
        let changed = self.parts.book.refresh().await?;
        let held = self.parts.holds.replace(self.parts.store.holds().await?, seq, self.parts.clock.now());
        let called_off = |entry: &Entry| {
            let state = entry.state();
            matches!(state, BatchState::Paused | BatchState::Cancelling | BatchState::Cancelled) || entry.holds_a_step()
        };
        self.parts.overrides.apply_unknown_slots(self.parts.store.as_ref(), self.parts.clock.now()).await?;
        self.parts.overrides.apply(self.parts.store.as_ref()).await?;
        // An opt-out is confirmed like a cancel: requests that were begun for the recipient before end first.
        let suppressing = self.parts.book.has_suppressions();
        self.stopping = unsure || held || suppressing || changed.iter().any(|entry| called_off(entry));
        for lane in &self.parts.lanes {
            for entry in changed.iter().filter(|entry| entry.state() == BatchState::Running) {
                lane.schedule(entry);
            }
            // A hold on the lane or on one of its templates may have been released.
            lane.schedule_all();
        }
        // Deadlines may have come due during a pause.
        let resumed = changed.iter().filter(|entry| !entry.is_held_back());
        let at = self.parts.clock.now();
        let hints: Vec<_> = resumed.map(|entry| Signal::Due { batch: entry.id, at }).collect();
        self.parts.store.signals().send(&hints);
        let stopped: &[Arc<RunningLane>] = if self.stopping { &self.parts.lanes } else { &[] };
        self.confirmations.add(seq, stopped, self.parts.clock.now());
        self.stopping = false;
        Ok(())
    }

    async fn beat(&mut self, now: Timestamp) -> Result<()> {
        let (mut pace, mut lanes) = (Vec::new(), Vec::new());
        if self.pulse.is_due(now) {
            let statuses = self.statuses();
            (pace, lanes) = self.pulse.measure(&self.parts.book, &statuses, now);
            self.statuses = Some(statuses);
        }
        let beat = Beat {
            node: self.parts.node,
            now,
            noted: self.confirmations.confirmed,
            pace,
            lanes,
            listening_until: self.parts.gaps.listening_until(now),
            links: self.doubts.changed_links(now),
            turned_away: self.parts.verifier.take_counts(),
        };
        let (counts, lanes, links) = (beat.turned_away.clone(), beat.lanes.clone(), beat.links.clone());
        if let Err(error) = self.parts.store.beat(beat).await {
            self.parts.verifier.add_counts(&counts);
            return Err(error);
        }
        record_renewal(&self.parts.tenure, &self.parts.lanes, now, self.parts.clock.as_ref());
        self.doubts.set_written(links);
        self.pulse.set_written(lanes);
        // The beat was written, so receipts can be stored again too.
        self.unwritten.extend(self.parts.gaps.sure(self.parts.clock.now()));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
