//! The watch: reads the decisions of operators, applies them to the running node, and confirms them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::gaps::{DoubtMonitor, add_gap, record_gap};
use super::lease::record_renewal;
use super::notices::Notices;
use super::overrides::Overrides;
use crate::book::{Book, Entry};
use crate::clock::{Clock, Jumps};
use crate::dispatch::{Lane, LaneStatus, RequestsInFlight};
use crate::domain::{BatchId, BatchState, Causes, FaultReport, Span, Timestamp};
use crate::engine::Gap;
use crate::events::Event;
use crate::receipts::{SlotChange, Verifier};
use crate::store::{Beat, Error, LaneState, Latest, Result, Signal, Standing, Store, Trouble};
use crate::throttle::{Cause, Holds, Tenure};
use crate::timers::Gaps;

/// How often decisions are read: a command takes effect within a quarter of a second.
const LOOK: Span = Span::from_millis(100);
/// How often the node reports that it runs and renews its lease, even without decisions.
const BEAT: Span = Span::from_secs(1);
/// How long a decision waits for requests that were begun before it. A cancel answers within a second, which includes
/// reading and confirming it.
const BEGUN_WAITS: Span = Span::from_millis(700);
/// Events that may wait to be written; the rest is dropped, because no operator could read them all.
const EVENTS_MAX: usize = 1_000;

/// The parts of a watch.
pub(super) struct Parts {
    pub(super) node: i64,
    pub(super) store: Arc<dyn Store>,
    pub(super) tenure: Arc<Tenure>,
    pub(super) book: Arc<Book>,
    pub(super) holds: Arc<Holds>,
    pub(super) overrides: Overrides,
    pub(super) lanes: Vec<Arc<Lane>>,
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
    parts: Parts,
    /// The latest decision that is applied.
    applied: u64,
    /// The latest decision that is confirmed: no request that it stops is in flight any more.
    noted: u64,
    /// Decisions that are applied but not confirmed, in their order, with the requests that must end first.
    leaving: VecDeque<(u64, RequestsInFlight)>,
    /// Whether something was stopped whose requests may still be in flight.
    stopping: bool,
    beaten_at: Timestamp,
    jumps: Jumps,
    /// For each active batch, its submissions at the last beat and whether it was sending then.
    submissions: HashMap<BatchId, (u64, bool)>,
    unwritten: Vec<Missed>,
    notices: Notices,
    /// Events that are not written yet.
    events: Vec<Event>,
    /// The number of messages that each lane had sent at the last beat.
    sent: Vec<u64>,
    /// The recorded state of each lane, so that a thousand idle lanes are not written each second.
    written: HashMap<String, LaneState>,
    /// The status of the lanes, if it was just read.
    statuses: Option<Vec<LaneStatus>>,
    /// When changes of the lanes were last reported.
    reported_at: Option<Timestamp>,
    /// Whether a failure of the database has been reported.
    failure: FaultReport,
    doubts: DoubtMonitor,
}

impl Watch {
    pub(super) fn new(parts: Parts) -> Self {
        let (beaten_at, jumps) = (parts.clock.now(), Jumps::of(parts.clock.as_ref()));
        let (doubts, sent) = (DoubtMonitor::new(Arc::clone(&parts.gaps)), vec![0; parts.lanes.len()]);
        Self {
            parts,
            applied: 0,
            noted: 0,
            leaving: VecDeque::new(),
            stopping: false,
            beaten_at,
            jumps,
            submissions: HashMap::new(),
            unwritten: Vec::new(),
            notices: Notices::default(),
            events: Vec::new(),
            sent,
            written: HashMap::new(),
            statuses: None,
            reported_at: None,
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
                () = self.first_is_over() => {}
                () = self.parts.decided.notified() => {}
            }
        }
        if let Err(error) = self.write_holds().await {
            tracing::warn!(error = %Causes(&error), "cannot store the holds from the provider's last answers");
        }
    }

    async fn first_is_over(&self) {
        match self.leaving.front() {
            Some((_, leaving)) => leaving.over(self.parts.clock.as_ref()).await,
            None => std::future::pending().await,
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
                if !matches!(error, Error::Superseded) && self.failure.begins() {
                    tracing::error!(error = %Causes(&error), "the database cannot be read or written; retrying");
                }
                self.parts.gaps.doubt();
            }
        }
        // Changes are reported even if they cannot be written. Without a decision the report can wait for the next beat,
        // because reading the status of a thousand lanes costs more than the rest.
        let now = self.parts.clock.now();
        if applied != self.applied || self.reported_at.is_none_or(|at| now.since(at) >= BEAT) {
            self.reported_at = Some(now);
            self.report_changes();
        }
    }

    fn statuses(&self) -> Vec<LaneStatus> {
        self.parts.lanes.iter().map(|lane| lane.status()).collect()
    }

    /// Reports the changes of the lanes since the last look.
    fn report_changes(&mut self) {
        let statuses = self.statuses.take().unwrap_or_else(|| self.statuses());
        let events = self.notices.report(&statuses, &self.parts.holds.all(), self.parts.clock.now());
        let room = EVENTS_MAX.saturating_sub(self.events.len());
        self.events.extend(events.into_iter().take(room));
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
        let noted_before = self.noted;
        // Only now: a caller that waits for the confirmation relies on no earlier request being in flight.
        while let Some((seq, _)) = self.leaving.pop_front_if(|(_, leaving)| leaving.is_over(now)) {
            self.noted = seq;
        }
        let is_confirmed = self.noted != noted_before;
        if let Some(unpassed) = self.jumps.jumped(self.parts.clock.as_ref()) {
            // The time that this machine missed did pass for the provider, which may have given up repeating meanwhile.
            let gap = Gap { from: self.beaten_at - unpassed, until: now };
            add_gap(self.parts.store.as_ref(), &self.parts.gaps, gap).await?;
        }
        // Before the beat, which records that receipts were taken up to now.
        self.unwritten.extend(std::iter::from_fn(|| self.parts.missed.try_recv().ok()));
        while let Some((gap, filled)) = self.unwritten.first() {
            record_gap(self.parts.store.as_ref(), *gap, *filled).await?;
            self.unwritten.remove(0);
        }
        while let Some(event) = self.events.first() {
            self.parts.store.record_event(event.clone()).await?;
            self.events.remove(0);
        }
        self.doubts.look(self.parts.store.as_ref(), now).await?;
        if is_confirmed || now.since(self.beaten_at) >= BEAT {
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
        // A decision that stops nothing waits only for the decisions before it.
        let stopped: &[Arc<Lane>] = if self.stopping { &self.parts.lanes } else { &[] };
        self.leaving.push_back((seq, RequestsInFlight::of(stopped, self.parts.clock.now() + BEGUN_WAITS)));
        self.stopping = false;
        Ok(())
    }

    async fn beat(&mut self, now: Timestamp) -> Result<()> {
        let seconds = now.since(self.beaten_at).std().as_secs_f64();
        let (mut pace, mut lanes) = (Vec::new(), Vec::new());
        if seconds >= BEAT.std().as_secs_f64() {
            let mut submissions = HashMap::new();
            for entry in self.parts.book.in_play() {
                let total = entry.submissions();
                let (before, was_moving) = self.submissions.get(&entry.id).copied().unwrap_or((0, false));
                let is_moving = total != before;
                // A batch that stopped sending reports that once.
                if is_moving || was_moving {
                    pace.push((entry.id, per_second(total.saturating_sub(before), seconds)));
                }
                submissions.insert(entry.id, (total, is_moving));
            }
            self.submissions = submissions;
            let statuses = self.statuses();
            lanes = self.changed_lanes(&statuses, seconds);
            self.statuses = Some(statuses);
            self.beaten_at = now;
        }
        let beat = Beat {
            node: self.parts.node,
            now,
            noted: self.noted,
            pace,
            lanes,
            listening_until: self.parts.gaps.listening_until(now),
            links: self.doubts.changed_links(),
            turned_away: self.parts.verifier.take_counts(),
        };
        let (counts, lanes, links) = (beat.turned_away.clone(), beat.lanes.clone(), beat.links.clone());
        if let Err(error) = self.parts.store.beat(beat).await {
            self.parts.verifier.restore_counts(&counts);
            if matches!(error, Error::Superseded) {
                self.parts.tenure.end();
            }
            return Err(error);
        }
        record_renewal(&self.parts.tenure, &self.parts.lanes, now, self.parts.clock.as_ref());
        self.doubts.set_written(links);
        self.written.extend(lanes.into_iter().map(|state| (state.lane.clone(), state)));
        // The beat was written, so receipts can be stored again too.
        self.unwritten.extend(self.parts.gaps.sure(self.parts.clock.now()));
        Ok(())
    }
}

impl Watch {
    /// The lane states that are not recorded yet. `statuses` are those of all lanes, in their order.
    fn changed_lanes(&mut self, statuses: &[LaneStatus], seconds: f64) -> Vec<LaneState> {
        let lanes = statuses.iter().zip(&mut self.sent).map(|(status, before)| {
            let sent = status.submitted.saturating_sub(std::mem::replace(before, status.submitted));
            lane_state(status, per_second(sent, seconds))
        });
        lanes.filter(|state| self.written.get(&state.lane) != Some(state)).collect()
    }
}

fn lane_state(status: &LaneStatus, pace: f64) -> LaneState {
    let spent = status.tier.as_ref().filter(|tier| tier.is_spent());
    LaneState {
        lane: status.name.clone(),
        pace,
        portion: status.portion,
        tier_spent: spent.is_some(),
        free_at: spent.and_then(|tier| tier.free_at),
        complaint: status.complaint.clone(),
        standing: status.standstill.clone().map(|standstill| Standing {
            trouble: match standstill.cause {
                Cause::Throttled => Trouble::Throttled,
                Cause::Outage => Trouble::Outage,
            },
            since: standstill.since,
            until: standstill.until,
            why: standstill.reason,
            in_flight: standstill.in_flight,
        }),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pace is only shown, and stays far below 2^52 messages per second")]
fn per_second(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

#[cfg(test)]
mod tests;
