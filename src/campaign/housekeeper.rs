//! Moves a campaign on after its launch: starts, finishes and settles it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::approval::Approval;
use super::confirmations::OptOutConfirmations;
use super::figures::FigureNotes;
use super::guards::Guards;
use super::opt_out_walk::OptOutWalk;
use super::repricing::Repricing;
use crate::book::{Book, Entry};
use crate::clock::format_time;
use crate::config::Config;
use crate::domain::{BatchId, BatchState, Count, Loaded, OnMissed, Plan, Present, Span, Timestamp};
use crate::engine::{CallOff, Event, Silence};
use crate::events::{self, EventKind, Origin, Subject};
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
                        self.shift(entry.id, BatchState::Finished, BatchState::Settled, now).await?
                    } else if tallies.is_finished() {
                        0
                    } else {
                        // A receipt has returned a message to its queue, so the campaign is not finished.
                        self.shift(entry.id, BatchState::Finished, BatchState::Running, now).await?
                    }
                }
                BatchState::Cancelling => self.sweep(entry, now).await?,
                BatchState::Cancelled => {
                    let settled = self.store.tallies(entry.id).await?.is_settled();
                    if settled {
                        self.shift(entry.id, BatchState::Cancelled, BatchState::Cancelled, now).await?
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
        self.figures.run_once(self.store.as_ref(), &self.config, changed, now).await?;
        Ok(moved)
    }

    /// The batches that have changed since the last look; `None` if all of them must be looked at.
    fn touched(&mut self, now: Timestamp) -> Option<HashSet<BatchId>> {
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

    /// Sweeps a cancelled batch. Messages that were never submitted are cancelled; for the others the current step
    /// becomes the last.
    async fn sweep(&mut self, entry: &Entry, now: Timestamp) -> Result<u32> {
        let mut tallies = self.store.tallies(entry.id).await?;
        let is_over = self.walks.get(&entry.id).is_some_and(|walk| walk.is_over);
        let is_open = [Count::Queued, Count::AwaitingOpen].into_iter().any(|count| tallies.total(count) > 0);
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
        let waits = is_unsent && tallies.total(Count::Queued) > 0 || self.walks.contains_key(&entry.id);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::{Draft, Launcher};
    use crate::clock::{Chance, Clock, ManualClock};
    use crate::domain::{Channel, Step};
    use crate::store::Cursor;

    #[test]
    fn a_missed_start_within_an_hour_starts_and_later_obeys_on_missed() {
        let at = Timestamp::from_millis(1_800_000_000_000);
        let plan = |on_missed| Plan { on_missed, ..Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", "Hi")]) };
        let becomes = |on_missed, late: i64| missed(&plan(on_missed), at, at + Span::from_secs(late)).map(|(to, _)| to);
        for (on_missed, late, expected) in [
            (None, 0, None),
            (None, 3_600, None),
            (None, 3_601, Some(BatchState::Paused)),
            (Some(OnMissed::Start), 86_400, None),
            (Some(OnMissed::Skip), 60, None),
            (Some(OnMissed::Skip), 61, Some(BatchState::Cancelling)),
        ] {
            assert_eq!(becomes(on_missed, late), expected, "{on_missed:?}, {late} s late");
        }
    }

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn config() -> Config {
        let text = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
                    [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nsource = \"ACME\"\n";
        let none = std::iter::empty::<(&str, String)>();
        let path = std::path::Path::new("volley.toml");
        Config::read(Some((path, text)), std::iter::empty(), none).unwrap().config
    }

    /// Launches a campaign file.
    async fn launched(store: &dyn Store, clock: &dyn Clock, text: &str) -> BatchId {
        let draft = Draft::parse("a.toml", text).unwrap();
        let config = config();
        let launcher = Launcher { store, clock, chance: &Chance::seeded(1), config: &config, by: Origin::SERVER };
        launcher.launch(&draft, |_| None).await.unwrap().0.batch
    }

    async fn housekeeper(store: &Arc<dyn Store>) -> Housekeeper {
        let book = Arc::new(Book::new(Arc::clone(store)));
        book.refresh().await.unwrap();
        Housekeeper::new(Arc::clone(store), book, Arc::new(config()))
    }

    /// The state of a campaign with a start in an hour, once a server looks this many seconds after the start.
    async fn begun(on_missed: &str, late: i64) -> (BatchState, Option<String>) {
        let clock = Arc::new(ManualClock::at(NOW));
        let store = crate::store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let at = NOW + Span::from_secs(3_600);
        let text = format!(
            "name = \"a\"\nnumbers = [\"+6590000001\"]\nat = \"{}\"\n{on_missed}\n[[step]]\nchannel = \"SMS\"\ntext = \
             \"Hi\"\n",
            at.rfc3339()
        );
        let batch = launched(store.as_ref(), clock.as_ref(), &text).await;
        clock.advance(Timestamp::from_millis(at.millis() + late * 1_000).since(NOW));
        housekeeper(&store).await.run_once(clock.now()).await.unwrap();
        let batch = store.batch(batch).await.unwrap().unwrap();
        (batch.state, batch.origin.and_then(|origin| origin.reason))
    }

    #[tokio::test]
    async fn a_start_missed_by_more_than_an_hour_waits_for_the_operator() {
        let (early, short, long) = (-1, 600, 3_700);
        assert_eq!(begun("", early).await.0, BatchState::Scheduled);
        assert_eq!(begun("", short).await, (BatchState::Running, None));
        let (state, why) = begun("", long).await;
        assert!(state == BatchState::Paused && why.as_ref().is_some_and(|why| why.contains("was missed")), "{why:?}");
        assert_eq!(begun("on_missed = \"start\"", long).await.0, BatchState::Running);
        assert_eq!(begun("on_missed = \"skip\"", 30).await.0, BatchState::Running);
        assert_eq!(begun("on_missed = \"skip\"", short).await.0, BatchState::Cancelling);
    }

    #[tokio::test]
    async fn figures_are_noted_when_they_change_and_survive_a_restart() {
        let clock = Arc::new(ManualClock::at(NOW));
        let store = crate::store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let text = "name = \"a\"\nnumbers = [\"+6590000001\"]\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
        let batch = launched(store.as_ref(), clock.as_ref(), text).await;
        let mut first = housekeeper(&store).await;
        for _ in 0..10 {
            first.run_once(clock.now()).await.unwrap();
            clock.advance(Span::from_secs(1));
        }
        assert_eq!(store.figures(batch).await.unwrap().len(), 1, "nothing has changed since");
        let (to, by) = (BatchState::Cancelling, Some(Origin::SERVER));
        store.move_batch(batch, vec![BatchState::Running], to, by, clock.now()).await.unwrap();
        for _ in 0..3 {
            housekeeper(&store).await.run_once(clock.now()).await.unwrap();
            clock.advance(Span::from_millis(200));
        }
        let noted = store.figures(batch).await.unwrap();
        let figures: Vec<_> = noted.iter().map(|noted| (noted.at.since(NOW), noted.open, noted.ended)).collect();
        assert_eq!(figures, [(Span::ZERO, 1, 0), (Span::from_secs(10), 0, 1)]);
        assert!(noted[0].allowed > 0, "the lane has a rate");
    }

    #[tokio::test]
    async fn an_end_reports_its_unsent_messages_once_across_rounds() {
        let clock = Arc::new(ManualClock::at(NOW));
        let store = crate::store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        // Exactly as many messages as one round visits.
        let numbers: Vec<_> =
            (0..PAGE as usize * PAGES as usize).map(|n| format!("\"+65{}\"", 91_000_000 + n)).collect();
        let end = (NOW + Span::from_secs(60)).rfc3339();
        let step = "[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
        let text = format!("name = \"a\"\nnumbers = [{}]\nend = \"{end}\"\n{step}", numbers.join(","));
        let batch = launched(store.as_ref(), clock.as_ref(), &text).await;
        let mut housekeeper = housekeeper(&store).await;
        clock.advance(Span::from_secs(60));
        while housekeeper.run_once(clock.now()).await.unwrap() == 0 {}
        assert_eq!(store.batch(batch).await.unwrap().unwrap().state, BatchState::Finished);
        let events = store.events(Cursor::START, 100).await.unwrap();
        let reported: Vec<_> =
            events.iter().map(|(_, event)| event.text()).filter(|text| text.contains("end has come")).collect();
        assert_eq!(reported, ["its end has come: 20,000 not sent by then, now expired"]);
    }
}
