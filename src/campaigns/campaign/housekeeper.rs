//! Moves a campaign on after its launch: starts, finishes and settles it.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::approval::Approval;
use super::confirmations::OptOutConfirmations;
use super::figures::FigureNotes;
use super::guards::Guards;
use super::opt_out_walk::OptOutWalk;
use super::repricing::Repricing;
use super::restored::restored_from;
use crate::base::clock::format_time;
use crate::base::config::Config;
use crate::base::domain::{BatchId, BatchState, Count, Loaded, OnMissed, Plan, Present, Span, Tallies, Timestamp};
use crate::base::events::{self, EventKind, Origin, Subject};
use crate::rules::engine::{CallOff, Event, Silence};
use crate::sending::book::{Book, Entry};
use crate::store::{Batch, Hints, Result, Signal, Store};

/// Messages swept in one transaction.
const PAGE: u32 = 2_000;
/// Transactions of one sweep in one round. More would delay the start or pause of other campaigns.
const PAGES: u32 = 10;

/// A start later than this counts as missed.
const PUNCTUAL: Span = Span::from_secs(60);
/// How late a campaign without `on_missed` still starts.
const STILL_WANTED: Span = Span::from_secs(3_600);

/// The state and the reason for a campaign that missed its start at `at`; `None` if it starts.
fn missed(plan: &Plan, at: Timestamp, now: Timestamp) -> Option<(BatchState, String)> {
    let late = now.since(at);
    let at = format_time(at, plan.time_zone);
    match plan.on_missed {
        Some(OnMissed::Skip) if late > PUNCTUAL => Some((
            BatchState::Cancelling,
            format!("its start at {at} was missed because no server was running, and on_missed = \"skip\""),
        )),
        None if late > STILL_WANTED => Some((
            BatchState::Paused,
            format!("its start at {at} was missed because no server was running; resume it to start now"),
        )),
        Some(OnMissed::Start | OnMissed::Skip) | None => None,
    }
}

/// Moves batches to the next state where no operator has to decide.
#[derive(Debug)]
pub struct Housekeeper {
    store: Arc<dyn Store>,
    book: Arc<Book>,
    config: Arc<Config>,
    opt_out_walk: OptOutWalk,
    repricing: Repricing,
    confirmations: Option<OptOutConfirmations>,
    guards: Guards,
    figures: FigureNotes,
    /// Tells which batches have changed, so that a hundred waiting batches are not counted again in each round.
    hints: Hints,
    seen: HashMap<BatchId, Seen>,
    /// The batches that a failed round has left, which the next round looks at; `None` means all.
    left: Option<HashSet<BatchId>>,
    /// Batches whose last figures could not be noted.
    unsettled: HashSet<BatchId>,
    /// Walks over batches that take longer than a round.
    walks: HashMap<BatchId, Walk>,
    /// The decision up to which the scheduled batches are known, and the earliest start among them.
    scheduled: (Option<u64>, Option<Timestamp>),
}

/// A walk over the messages of a batch.
#[derive(Debug, Clone, Copy, Default)]
struct Walk {
    /// The last message that it has visited.
    after: Option<u32>,
    /// How many messages it has changed.
    changed: u64,
    /// Whether it has visited all messages.
    is_over: bool,
}

/// A batch as it was in its latest look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    state: BatchState,
    edition: u32,
    /// Whether a message waited that had never been submitted.
    is_unsent: bool,
    /// Whether messages could still join it.
    is_open: bool,
}

impl Housekeeper {
    pub fn new(store: Arc<dyn Store>, book: Arc<Book>, config: Arc<Config>) -> Self {
        let hints = Hints::of(store.as_ref());
        let (opt_out_walk, guards) = (OptOutWalk::default(), Guards::default());
        let (seen, walks) = (HashMap::new(), HashMap::new());
        Self {
            store,
            book,
            config,
            opt_out_walk,
            repricing: Repricing::default(),
            confirmations: None,
            guards,
            figures: FigureNotes::default(),
            hints,
            left: Some(HashSet::new()),
            unsettled: HashSet::new(),
            seen,
            walks,
            scheduled: (None, None),
        }
    }

    /// Also confirms opt-outs to their recipients, if there are confirmations.
    #[must_use]
    pub fn confirming(self, confirmations: Option<OptOutConfirmations>) -> Self {
        Self { confirmations, ..self }
    }

    /// The earliest known start of a scheduled batch.
    pub const fn next_start(&self) -> Option<Timestamp> {
        self.scheduled.1
    }

    /// Looks at every batch that has changed or is due, and ends the waiting messages of recipients who have opted out.
    /// Returns how many batches changed their state.
    pub async fn run_once(&mut self, now: Timestamp) -> Result<u32> {
        let seq = self.book.as_of();
        self.opt_out_walk.run_once(self.store.as_ref(), &self.book, seq, now).await?;
        if let Some(confirmations) = &mut self.confirmations {
            confirmations.run_once(self.store.as_ref(), seq, now).await?;
        }
        while self.store.end_reservations(now).await? {}
        self.repricing.run_once(self.store.as_ref(), &self.book, &self.config, seq, now).await?;
        let mut moved = self.start_all(seq, now).await?;
        let touched = self.touched(now);
        let in_play = self.book.in_play();
        if touched.is_none() {
            // Batches that are no longer active are forgotten now and then.
            self.seen.retain(|batch, _| in_play.iter().any(|entry| entry.id == *batch));
            self.walks.retain(|batch, _| self.seen.contains_key(batch));
        }
        for entry in &in_play {
            let is_touched = touched.as_ref().is_none_or(|touched| touched.contains(&entry.id));
            if !is_touched && !self.is_due(entry, now) {
                continue;
            }
            let seen =
                Seen { state: entry.state(), edition: entry.edition, is_unsent: false, is_open: entry.is_open(now) };
            let before = self.seen.insert(entry.id, seen);
            if before.is_some_and(|before| (before.state, before.edition) != (seen.state, seen.edition)) {
                // The event that the walk applies is out of date.
                self.walks.remove(&entry.id);
            }
            moved += match seen.state {
                BatchState::Running => self.go_on(entry, seen, now).await?,
                BatchState::Finished => {
                    let tallies = self.store.tallies(entry.id).await?;
                    if tallies.is_settled() {
                        self.settle(entry, BatchState::Settled, &tallies, now).await?
                    } else if tallies.is_finished() {
                        // Messages that are set aside end with the campaign.
                        let is_unsent = tallies.total(Count::NeverLeft) > 0;
                        self.seen.insert(entry.id, Seen { is_unsent, ..seen });
                        if is_unsent && entry.plan.end.is_some_and(|end| end <= now) {
                            self.expire(entry, now).await?;
                        }
                        0
                    } else {
                        self.send_on(entry.id, now).await?
                    }
                }
                BatchState::Cancelling => self.sweep(entry, now).await?,
                BatchState::Cancelled => {
                    let tallies = self.store.tallies(entry.id).await?;
                    if tallies.is_settled() {
                        self.settle(entry, BatchState::Cancelled, &tallies, now).await?
                    } else {
                        0
                    }
                }
                BatchState::Paused => {
                    self.guards.forget(entry.id);
                    0
                }
                BatchState::Launching | BatchState::Draft | BatchState::Scheduled | BatchState::Settled => 0,
            };
        }
        let changed = (&in_play[..], touched.as_ref());
        self.figures.run_once(self.store.as_ref(), &self.config, changed, now).await;
        self.left = Some(std::mem::take(&mut self.unsettled));
        Ok(moved)
    }

    /// The batches that have changed since the last round that succeeded; `None` if all of them must be looked at.
    fn touched(&mut self, now: Timestamp) -> Option<HashSet<BatchId>> {
        let (left, hinted) = (self.left.take(), self.hinted(now));
        self.left = left.zip(hinted).map(|(left, hinted)| &left | &hinted);
        self.left.clone()
    }

    /// The batches about which there are new hints; `None` if all of them must be looked at.
    fn hinted(&mut self, now: Timestamp) -> Option<HashSet<BatchId>> {
        let moved = |signal| match signal {
            Signal::Moved { batch } => Some(batch),
            Signal::Queued { .. } | Signal::Due { .. } => None,
        };
        Some(self.hints.take(now)?.into_iter().filter_map(moved).collect())
    }

    /// Whether a batch needs a look although none of its messages has changed.
    fn is_due(&self, entry: &Entry, now: Timestamp) -> bool {
        let Some(seen) = self.seen.get(&entry.id) else { return true };
        let is_another = (seen.state, seen.edition) != (entry.state(), entry.edition);
        let has_ended = seen.is_unsent && entry.plan.end.is_some_and(|end| end <= now);
        let has_closed = seen.is_open && !entry.is_open(now);
        let is_walked = self.walks.contains_key(&entry.id);
        is_another || has_ended || has_closed || is_walked || seen.state == BatchState::Cancelling
    }

    /// Starts the scheduled batches that are due.
    async fn start_all(&mut self, seq: u64, now: Timestamp) -> Result<u32> {
        let (known, first) = self.scheduled;
        if known == Some(seq) && first.is_none_or(|at| at > now) {
            return Ok(0);
        }
        let scheduled = self.store.batches(Some(vec![BatchState::Scheduled])).await?;
        let (ready, later): (Vec<_>, Vec<_>) =
            scheduled.into_iter().partition(|batch| batch.starts_at.is_none_or(|at| at <= now));
        let mut started = 0;
        let mut ends = Vec::new();
        for batch in ready {
            let entry = self.book.get(batch.id).await?;
            match self.start(&batch, entry.as_deref(), now).await? {
                Some(moved) => started += moved,
                // It waits for an approval, at most until its end.
                None => ends.extend(entry.and_then(|entry| entry.plan.end)),
            }
        }
        // The next round sees later decisions.
        self.scheduled = (Some(seq), later.iter().filter_map(|batch| batch.starts_at).chain(ends).min());
        Ok(started)
    }

    /// Starts a batch that is due, or handles a start that was missed while no server was running. Returns `None` if it waits
    /// for the approval of its templates.
    async fn start(&self, batch: &Batch, entry: Option<&Entry>, now: Timestamp) -> Result<Option<u32>> {
        let becomes = match entry {
            Some(entry) if entry.plan.when.is_some() => {
                match Approval::of(&entry.plan, self.store.as_ref(), &self.config).await? {
                    Approval::Ready => None,
                    // At its end it starts, so that its messages expire.
                    Approval::Pending(_) if entry.plan.end.is_some_and(|end| end <= now) => None,
                    Approval::Pending(_) => return Ok(None),
                    Approval::Lost(template) => {
                        let why = format!("it waits for the approval of {template}; launch it with another template");
                        Some((BatchState::Paused, why))
                    }
                }
            }
            Some(entry) => batch.starts_at.and_then(|at| missed(&entry.plan, at, now)),
            None => None,
        };
        let (to, origin) = becomes.map_or((BatchState::Running, Origin::SERVER), |(to, why)| (to, Origin::rule(why)));
        let moved = self.store.move_batch(batch.id, vec![BatchState::Scheduled], to, Some(origin), now).await?;
        Ok(Some(u32::from(moved.is_some())))
    }

    /// Moves a batch on by itself. A cancelled batch keeps who cancelled it.
    async fn shift(&self, batch: BatchId, from: BatchState, to: BatchState, now: Timestamp) -> Result<u32> {
        let origin = (to != BatchState::Cancelled).then_some(Origin::SERVER);
        Ok(u32::from(self.store.move_batch(batch, vec![from], to, origin, now).await?.is_some()))
    }

    /// Moves a finished batch on: a receipt has returned a message to its queue. A restored one is paused instead, because the
    /// message may have been sent again since the backup.
    async fn send_on(&self, batch: BatchId, now: Timestamp) -> Result<u32> {
        let Some(copied_at) = self.store.batch(batch).await?.and_then(|batch| batch.restored_from) else {
            return self.shift(batch, BatchState::Finished, BatchState::Running, now).await;
        };
        let (from, origin) = (vec![BatchState::Finished], Origin::rule(restored_from(copied_at)));
        Ok(u32::from(self.store.move_batch(batch, from, BatchState::Paused, Some(origin), now).await?.is_some()))
    }

    /// Ends a batch whose messages have their outcomes. Its last figures are noted before, because afterwards it is no longer
    /// in play.
    async fn settle(&mut self, entry: &Entry, to: BatchState, tallies: &Tallies, now: Timestamp) -> Result<u32> {
        if !self.figures.end(self.store.as_ref(), &self.config, (entry, tallies), now).await {
            self.unsettled.insert(entry.id);
            return Ok(0);
        }
        self.shift(entry.id, entry.state(), to, now).await
    }

    /// Sweeps a cancelled batch. Messages that were never submitted are cancelled; for the others the current step
    /// becomes the last.
    async fn sweep(&mut self, entry: &Entry, now: Timestamp) -> Result<u32> {
        let mut tallies = self.store.tallies(entry.id).await?;
        let is_over = self.walks.get(&entry.id).is_some_and(|walk| walk.is_over);
        let open = [Count::Queued, Count::SetAside, Count::AwaitingOpen];
        let is_open = open.into_iter().any(|count| tallies.total(count) > 0);
        // Messages in flight are only waited for, because another walk over finished messages would find nothing new.
        if !is_over || is_open {
            if is_over {
                self.walks.remove(&entry.id);
            }
            let called_off = |_: &Present| Some(Event::CalledOff(CallOff::Cancel));
            if !self.apply_to_all(entry, called_off, now).await?.is_over {
                return Ok(0);
            }
            tallies = self.store.tallies(entry.id).await?;
        }
        if !tallies.is_finished() {
            return Ok(0);
        }
        self.walks.remove(&entry.id);
        self.shift(entry.id, BatchState::Cancelling, BatchState::Cancelled, now).await
    }

    /// Moves a running batch on: expires messages at its end, and finishes it once nothing is left to submit.
    async fn go_on(&mut self, entry: &Entry, seen: Seen, now: Timestamp) -> Result<u32> {
        let mut tallies = self.store.tallies(entry.id).await?;
        let is_unsent = tallies.total(Count::NeverLeft) > 0;
        self.seen.insert(entry.id, Seen { is_unsent, ..seen });
        let is_queued = [Count::Queued, Count::SetAside].into_iter().any(|count| tallies.total(count) > 0);
        let waits = is_unsent && is_queued || self.walks.contains_key(&entry.id);
        if waits && entry.plan.end.is_some_and(|end| end <= now) {
            if !self.expire(entry, now).await? {
                return Ok(0);
            }
            tallies = self.store.tallies(entry.id).await?;
        }
        if tallies.is_finished() && !seen.is_open {
            return self.shift(entry.id, BatchState::Running, BatchState::Finished, now).await;
        }
        Ok(u32::from(self.guards.look(self.store.as_ref(), entry, &tallies, now).await?))
    }

    /// Sweeps a batch whose end has come: messages that were never submitted expire. A message that returns to a queue
    /// meanwhile is counted, so the next round sees it. Returns whether the walk has visited all messages.
    async fn expire(&mut self, entry: &Entry, now: Timestamp) -> Result<bool> {
        // A change of the plan may have moved the end a moment ago.
        if self.store.batch(entry.id).await?.is_none_or(|batch| batch.edition != entry.edition) {
            return Ok(false);
        }
        let due = Event::Due { silence: Silence::Trusted };
        let unsent = |message: &Present| message.first_submitted_at.is_none().then_some(due);
        let walk = self.apply_to_all(entry, unsent, now).await?;
        if !walk.is_over {
            return Ok(false);
        }
        if walk.changed > 0 {
            let subject = Subject::campaign(entry.id, entry.name.as_deref());
            let kind = EventKind::Expired { messages: walk.changed };
            self.store.record_event(events::Event::by_server(now, subject, kind)).await?;
        }
        self.walks.remove(&entry.id);
        Ok(true)
    }

    /// Applies an event to all open messages that are not in flight, a limited number in each round. Returns the
    /// progress.
    async fn apply_to_all(
        &mut self,
        entry: &Entry,
        event: impl Fn(&Present) -> Option<Event>,
        now: Timestamp,
    ) -> Result<Walk> {
        let mut walk = self.walks.get(&entry.id).copied().unwrap_or_default();
        for _ in 0..PAGES {
            if walk.is_over {
                break;
            }
            let open = self.store.open_messages(entry.id, walk.after, PAGE).await?;
            let change = |message: &Loaded| entry.decide(message, event(&message.present)?, now);
            let changes: Vec<_> = open.iter().filter_map(change).collect();
            let attempted = changes.len();
            // Another writer may have changed a message first; the next round sees the rest.
            let recorded = attempted - self.store.record(changes).await?.len();
            let after = open.last().map(|last| last.key.n).or(walk.after);
            let changed = walk.changed + u64::try_from(recorded).unwrap_or(u64::MAX);
            let is_over = u32::try_from(open.len()).is_ok_and(|seen| seen < PAGE);
            walk = Walk { after, changed, is_over };
            self.walks.insert(entry.id, walk);
        }
        Ok(walk)
    }
}
