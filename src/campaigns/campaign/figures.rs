//! Notes the figures of campaigns over time, for their charts.
//!
//! - Reads the counters, never the messages, and only of campaigns whose counters have changed.
//! - One read and one write for all campaigns: at most once a second, and ever less often the longer they last.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::base::config::Config;
use crate::base::domain::{BatchId, BatchState, Causes, Count, FaultReport, Outcome, Tallies, Timestamp};
use crate::campaigns::report::{Counts, distance, superfluous};
use crate::sending::book::Entry;
use crate::sending::throttle::with_overrides;
use crate::store::{BatchFigures, Result, Store};

/// Notes the figures of the campaigns in play.
#[derive(Debug, Default)]
pub(super) struct FigureNotes {
    known: HashMap<BatchId, Noted>,
    /// Campaigns with changes that are not noted yet.
    changed: HashSet<BatchId>,
    failure: FaultReport,
}

/// What is noted of a campaign.
#[derive(Debug)]
struct Noted {
    /// The times of its notes, oldest first.
    times: Vec<Timestamp>,
    last: Option<BatchFigures>,
}

impl Noted {
    async fn read(store: &dyn Store, batch: BatchId) -> Result<Self> {
        let figures = store.figures(batch).await?;
        Ok(Self { times: figures.iter().map(|noted| noted.at).collect(), last: figures.last().copied() })
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let (Some(first), Some(last)) = (self.times.first(), self.times.last()) else { return true };
        // Before the last note: the clock was set back.
        now < *last || now.since(*last) >= distance(now.since(*first))
    }

    /// Adds a note. Returns the times of the notes to forget.
    fn add(&mut self, figures: BatchFigures) -> Vec<Timestamp> {
        self.last = Some(figures);
        self.times.push(figures.at);
        self.times.sort_unstable();
        self.times.dedup();
        let forget = superfluous(&self.times, figures.at);
        self.times.retain(|at| !forget.contains(at));
        forget
    }
}

/// Whether messages of a campaign in this state may change. Batches of single messages have no chart.
fn has_course(entry: &Entry) -> bool {
    use BatchState::{Cancelled, Cancelling, Finished, Paused, Running};
    entry.name.is_some() && matches!(entry.state(), Running | Paused | Finished | Cancelling | Cancelled)
}

impl FigureNotes {
    /// Notes the figures of the campaigns that have changed; `touched` is `None` if that may be all. If it fails, the next
    /// round notes them.
    pub(super) async fn run_once(
        &mut self,
        store: &dyn Store,
        config: &Config,
        (in_play, touched): (&[Arc<Entry>], Option<&HashSet<BatchId>>),
        now: Timestamp,
    ) {
        self.take_changed(in_play, touched);
        let noted = self.note_due(store, config, in_play, now).await;
        self.succeeded(&noted);
    }

    /// Notes the last figures of a campaign whose messages have their outcomes, however long ago the ones before were noted.
    /// Returns whether they are noted.
    pub(super) async fn end(
        &mut self,
        store: &dyn Store,
        config: &Config,
        (entry, tallies): (&Entry, &Tallies),
        now: Timestamp,
    ) -> bool {
        if !has_course(entry) {
            return true;
        }
        let noted = self.note_end(store, config, (entry, tallies), now).await;
        self.succeeded(&noted)
    }

    /// Reports a failure when it begins.
    fn succeeded(&self, noted: &Result<()>) -> bool {
        match noted {
            Ok(()) => _ = self.failure.ends(),
            Err(error) if self.failure.begins() => {
                tracing::warn!(error = %Causes(error), "cannot note the figures of campaigns; retrying");
            }
            Err(_) => {}
        }
        noted.is_ok()
    }

    fn take_changed(&mut self, in_play: &[Arc<Entry>], touched: Option<&HashSet<BatchId>>) {
        if touched.is_none() {
            let is_in_play = |batch: &BatchId| in_play.iter().any(|entry| entry.id == *batch);
            self.known.retain(|batch, _| is_in_play(batch));
            self.changed.retain(is_in_play);
        }
        let with_course = in_play.iter().filter(|entry| has_course(entry));
        let is_touched = |entry: &&Arc<Entry>| touched.is_none_or(|touched| touched.contains(&entry.id));
        self.changed.extend(with_course.filter(is_touched).map(|entry| entry.id));
    }

    async fn note_due(
        &mut self,
        store: &dyn Store,
        config: &Config,
        in_play: &[Arc<Entry>],
        now: Timestamp,
    ) -> Result<()> {
        let mut due = Vec::new();
        let is_changed = |entry: &&Arc<Entry>| self.changed.contains(&entry.id);
        let changed: Vec<&Arc<Entry>> = in_play.iter().filter(is_changed).collect();
        for entry in changed {
            if self.known(store, entry.id).await?.is_due(now) {
                due.push(entry);
            }
        }
        if due.is_empty() {
            return Ok(());
        }
        let tallies = store.tallies_of(due.iter().map(|entry| entry.id).collect()).await?;
        let turned = with_overrides(config, &store.overrides().await?);
        let present = due.iter().filter_map(|entry| Some(figures(entry, tallies.get(&entry.id)?, &turned, now)));
        let present: BTreeMap<BatchId, BatchFigures> = present.map(|figures| (figures.batch, figures)).collect();
        self.note(store, present).await
    }

    async fn note_end(
        &mut self,
        store: &dyn Store,
        config: &Config,
        (entry, tallies): (&Entry, &Tallies),
        now: Timestamp,
    ) -> Result<()> {
        let turned = with_overrides(config, &store.overrides().await?);
        self.known(store, entry.id).await?;
        let last = figures(entry, tallies, &turned, now);
        self.note(store, BTreeMap::from([(entry.id, last)])).await
    }

    async fn known(&mut self, store: &dyn Store, batch: BatchId) -> Result<&mut Noted> {
        use std::collections::hash_map::Entry::{Occupied, Vacant};
        Ok(match self.known.entry(batch) {
            Occupied(known) => known.into_mut(),
            Vacant(unknown) => unknown.insert(Noted::read(store, batch).await?),
        })
    }

    /// Notes the figures that differ from the last ones.
    async fn note(&mut self, store: &dyn Store, present: BTreeMap<BatchId, BatchFigures>) -> Result<()> {
        let (mut noted, mut forget) = (Vec::new(), Vec::new());
        for (batch, figures) in &present {
            let Some(known) = self.known.get_mut(batch) else { continue };
            if known.last.is_none_or(|last| last.moved_to(figures.at) != *figures || last.at > figures.at) {
                forget.extend(known.add(*figures).into_iter().map(|at| (*batch, at)));
                noted.push(*figures);
            }
        }
        if !noted.is_empty()
            && let Err(error) = store.note_figures(noted, forget).await
        {
            // What is stored is read again before the next note.
            self.known.retain(|batch, _| !present.contains_key(batch));
            return Err(error);
        }
        self.changed.retain(|batch| !present.contains_key(batch));
        Ok(())
    }
}

fn figures(entry: &Entry, tallies: &Tallies, config: &Config, now: Timestamp) -> BatchFigures {
    let counts = Counts::of(entry.state(), tallies);
    let reached = tallies.outcome(Outcome::Reached);
    BatchFigures {
        batch: entry.id,
        at: now,
        submitted: tallies.total(Count::HandedOver),
        reached,
        ended: counts.done - reached,
        open: counts.queued + counts.set_aside + counts.sending + counts.awaiting,
        fell_back: tallies.total(Count::EnteredByFallback),
        allowed: thousandths(config.allowed_per_s(&entry.plan)),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates, and no rate comes near the limit")]
fn thousandths(each_second: f64) -> i64 {
    (each_second * 1_000.0) as i64
}
