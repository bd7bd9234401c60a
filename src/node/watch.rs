//! The watch: sees what people have decided, makes the rooms obey, and says so.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::dials::Dials;
use super::gaps::{Ear, keep_gap, note_gap};
use super::lease::renewed;
use super::notices::Notices;
use crate::clock::{Clock, Jumps};
use crate::dispatch::{Lane, LaneStatus, Leaving};
use crate::domain::{BatchId, BatchState, Causes, Span, Timestamp, Told};
use crate::engine::Gap;
use crate::receipts::{Door, PlaceNews};
use crate::store::{Beat, Book, Entry, Error, Event, LaneState, Latest, Result, Signal, Standing, Store, Trouble};
use crate::throttle::{Cause, Holds, Tenure};
use crate::timers::Gaps;

/// How often decisions are looked for: a command is obeyed within a quarter of a second.
const LOOK: Span = Span::from_millis(100);
/// How often the node says that it lives and renews its lease, even where nothing is decided.
const BEAT: Span = Span::from_secs(1);
/// How long requests that were begun before a decision are waited for. A cancel answers within a second, and has to be
/// seen and noted in it too.
const BEGUN_WAITS: Span = Span::from_millis(700);
/// Events that wait to be written; beyond them nobody could read them all anyway.
const EVENTS_MAX: usize = 1_000;

/// What a watch is made of.
pub(super) struct Parts {
    pub(super) node: i64,
    pub(super) store: Arc<dyn Store>,
    pub(super) tenure: Arc<Tenure>,
    pub(super) book: Arc<Book>,
    pub(super) holds: Arc<Holds>,
    pub(super) dials: Dials,
    pub(super) lanes: Vec<Arc<Lane>>,
    pub(super) gaps: Arc<Gaps>,
    pub(super) door: Arc<Door>,
    /// Gaps that others have found: they hold already, and are still to be written down.
    pub(super) missed: mpsc::Receiver<Missed>,
    /// What receipts tell about places in tiers.
    pub(super) places: mpsc::Receiver<PlaceNews>,
    /// Says that there is a decision to obey.
    pub(super) decided: Arc<Notify>,
    pub(super) clock: Arc<dyn Clock>,
}

/// A gap, and until when it holds deadlines, if anything can fill it.
pub(super) type Missed = (Gap, Option<Timestamp>);

pub(super) struct Watch {
    parts: Parts,
    /// The latest decision that the rooms obey.
    obeyed: u64,
    /// The latest of which nothing that it stops is on its way out any more.
    noted: u64,
    /// Decisions that are obeyed and not noted yet, in their order, with what has to be out before.
    leaving: VecDeque<(u64, Leaving)>,
    /// Whether something was stopped of which requests may still be on their way out.
    stopping: bool,
    beaten_at: Timestamp,
    jumps: Jumps,
    /// What each batch in play had handed over at the last beat, and whether it was moving then.
    hand_overs: HashMap<BatchId, (u64, bool)>,
    unwritten: Vec<Missed>,
    notices: Notices,
    /// What people should be able to read later and is not written yet.
    events: Vec<Event>,
    /// What each lane had let out at the last beat.
    let_out: Vec<u64>,
    /// How each lane goes, as it is written down: a thousand that rest are not written each second.
    written: HashMap<String, LaneState>,
    /// How the lanes go, where that was just looked at.
    statuses: Option<Vec<LaneStatus>>,
    /// When it was told last what has changed with the lanes.
    told_at: Option<Timestamp>,
    told: Told,
    ear: Ear,
}

impl Watch {
    pub(super) fn new(parts: Parts) -> Self {
        let (beaten_at, jumps) = (parts.clock.now(), Jumps::of(parts.clock.as_ref()));
        let (ear, let_out) = (Ear::new(Arc::clone(&parts.gaps)), vec![0; parts.lanes.len()]);
        Self {
            parts,
            obeyed: 0,
            noted: 0,
            leaving: VecDeque::new(),
            stopping: false,
            beaten_at,
            jumps,
            hand_overs: HashMap::new(),
            unwritten: Vec::new(),
            notices: Notices::default(),
            events: Vec::new(),
            let_out,
            written: HashMap::new(),
            statuses: None,
            told_at: None,
            told: Told::default(),
            ear,
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let clock = Arc::clone(&self.parts.clock);
        while !stop.is_cancelled() {
            // From its beginning on: what changed while it looked is not to wait for longer.
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
            tracing::warn!(error = %Causes(&error), "cannot keep what the provider's last answers have held");
        }
    }

    async fn first_is_over(&self) {
        match self.leaving.front() {
            Some((_, leaving)) => leaving.over(self.parts.clock.as_ref()).await,
            None => std::future::pending().await,
        }
    }

    /// Looks once.
    pub(super) async fn look(&mut self) {
        let obeyed = self.obeyed;
        match self.run_once().await {
            Ok(()) => {
                if self.told.ends() {
                    tracing::warn!("the database can be read and written again");
                }
            }
            Err(error) => {
                if !matches!(error, Error::Superseded) && self.told.begins() {
                    tracing::error!(error = %Causes(&error), "the database cannot be read or written; trying again");
                }
                self.parts.gaps.doubt();
            }
        }
        // What has happened is told also where it cannot be written. What nobody has decided can wait for a moment: to look
        // at a thousand lanes costs more than all else.
        let now = self.parts.clock.now();
        if obeyed != self.obeyed || self.told_at.is_none_or(|at| now.since(at) >= BEAT) {
            self.told_at = Some(now);
            self.tell();
        }
    }

    fn statuses(&self) -> Vec<LaneStatus> {
        self.parts.lanes.iter().map(|lane| lane.status()).collect()
    }

    /// Tells what has changed with the lanes since the last look.
    fn tell(&mut self) {
        let statuses = self.statuses.take().unwrap_or_else(|| self.statuses());
        let events = self.notices.tell(&statuses, &self.parts.holds.all(), self.parts.clock.now());
        let room = EVENTS_MAX.saturating_sub(self.events.len());
        self.events.extend(events.into_iter().take(room));
    }

    async fn run_once(&mut self) -> Result<()> {
        self.write_holds().await?;
        let begun = self.parts.clock.now();
        let Latest { seq, epoch } = self.parts.store.latest().await?;
        self.parts.tenure.look(epoch, begun);
        if seq != self.obeyed {
            self.obey(seq).await?;
            self.obeyed = seq;
        }
        let now = self.parts.clock.now();
        let places: Vec<_> = std::iter::from_fn(|| self.parts.places.try_recv().ok()).collect();
        self.parts.dials.settle(self.parts.store.as_ref(), places, now).await?;
        let noted_before = self.noted;
        // Only now: whoever waits for the note may rely on it that nothing of what was begun before is on its way out.
        while let Some((seq, _)) = self.leaving.pop_front_if(|(_, leaving)| leaving.is_over(now)) {
            self.noted = seq;
        }
        let has_news = self.noted != noted_before;
        if let Some(unpassed) = self.jumps.jumped(self.parts.clock.as_ref()) {
            // What did not pass here passed for the provider, who has repeated and given up meanwhile.
            let gap = Gap { from: self.beaten_at - unpassed, until: now };
            note_gap(self.parts.store.as_ref(), &self.parts.gaps, gap).await?;
        }
        // Before the beat, which says that we have listened up to now.
        self.unwritten.extend(std::iter::from_fn(|| self.parts.missed.try_recv().ok()));
        while let Some((gap, filled)) = self.unwritten.first() {
            keep_gap(self.parts.store.as_ref(), *gap, *filled).await?;
            self.unwritten.remove(0);
        }
        while let Some(event) = self.events.first() {
            self.parts.store.note(event.clone()).await?;
            self.events.remove(0);
        }
        self.ear.look(self.parts.store.as_ref(), now).await?;
        if has_news || now.since(self.beaten_at) >= BEAT {
            self.beat(now).await?;
        }
        // At last, since it may take a while.
        self.parts.dials.count(self.parts.store.as_ref(), now).await
    }

    /// Writes down what this node holds because of the provider's answers, until it is written.
    async fn write_holds(&self) -> Result<()> {
        for (hold, begun) in self.parts.holds.unwritten() {
            let seq = self.parts.store.hold(hold.clone(), begun).await?;
            self.parts.holds.written(&hold, seq);
        }
        Ok(())
    }

    /// Makes the rooms obey everything up to this decision. Requests that were begun before are not waited for here: the
    /// next decision has to be obeyed meanwhile.
    async fn obey(&mut self, seq: u64) -> Result<()> {
        // A look that breaks off half-way may have stopped something that the next one finds stopped already.
        let unsure = std::mem::replace(&mut self.stopping, true);
        let changed = self.parts.book.refresh().await?;
        let held = self.parts.holds.replace(self.parts.store.holds().await?, seq, self.parts.clock.now());
        let called_off = |entry: &Entry| {
            let state = entry.state();
            matches!(state, BatchState::Paused | BatchState::Cancelling | BatchState::Cancelled) || entry.holds_a_step()
        };
        self.parts.dials.obey(self.parts.store.as_ref()).await?;
        // Who has opted out lately is waited for as a cancel is: what was begun for them before goes out first.
        let hushing = self.parts.book.is_hushing();
        self.stopping = unsure || held || hushing || changed.iter().any(|entry| called_off(entry));
        for lane in &self.parts.lanes {
            for entry in changed.iter().filter(|entry| entry.state() == BatchState::Running) {
                lane.look_at(entry);
            }
            // A hold may have been lifted, on the lane or on one of its templates.
            lane.look_everywhere();
        }
        // What a pause has held back may have come due meanwhile.
        let go_on = changed.iter().filter(|entry| !entry.is_held_back());
        let at = self.parts.clock.now();
        let hints: Vec<_> = go_on.map(|entry| Signal::Due { batch: entry.id, at }).collect();
        self.parts.store.signals().tell(&hints);
        // What stops nothing has nothing to wait for, but for those before it.
        let stopped: &[Arc<Lane>] = if self.stopping { &self.parts.lanes } else { &[] };
        self.leaving.push_back((seq, Leaving::of(stopped, self.parts.clock.now() + BEGUN_WAITS)));
        self.stopping = false;
        Ok(())
    }

    async fn beat(&mut self, now: Timestamp) -> Result<()> {
        let seconds = now.since(self.beaten_at).std().as_secs_f64();
        let (mut pace, mut lanes) = (Vec::new(), Vec::new());
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
            links: self.ear.changed_links(),
            turned_away: self.parts.door.take_counts(),
        };
        let (counts, lanes, links) = (beat.turned_away.clone(), beat.lanes.clone(), beat.links.clone());
        if let Err(error) = self.parts.store.beat(beat).await {
            self.parts.door.put_back(&counts);
            if matches!(error, Error::Superseded) {
                self.parts.tenure.end();
            }
            return Err(error);
        }
        renewed(&self.parts.tenure, &self.parts.lanes, now, self.parts.clock.as_ref());
        self.ear.written(links);
        self.written.extend(lanes.into_iter().map(|state| (state.lane.clone(), state)));
        // What can be written now can be read again by whoever comes next, receipts too.
        self.unwritten.extend(self.parts.gaps.sure(self.parts.clock.now()));
        Ok(())
    }
}

impl Watch {
    /// How each lane goes of which that is not written yet. `statuses` are those of all lanes, in their order.
    fn changed_lanes(&mut self, statuses: &[LaneStatus], seconds: f64) -> Vec<LaneState> {
        let lanes = statuses.iter().zip(&mut self.let_out).map(|(status, before)| {
            let let_out = status.let_out.saturating_sub(std::mem::replace(before, status.let_out));
            lane_state(status, per_second(let_out, seconds))
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

#[expect(clippy::cast_precision_loss, reason = "a pace for people: nobody hands over 2^52 messages in a second")]
fn per_second(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

#[cfg(test)]
mod tests;
