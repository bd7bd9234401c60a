//! A campaign's life after its launch: begun, finished and settled by itself.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::guards::Guards;
use super::moment::moment;
use super::unwilling::Unwilling;
use crate::domain::{BatchId, BatchState, Count, Loaded, OnMissed, Plan, Present, Span, Timestamp, grouped};
use crate::engine::{CallOff, Event, Silence};
use crate::store::{self, Batch, Book, Entry, Hints, Result, Signal, Store};

/// Messages swept in one transaction, and transactions in one round: other campaigns are to begin, and to be paused, on
/// time.
const PAGE: u32 = 2_000;
const PAGES: u32 = 10;

/// A start that is made up for later than this was missed.
const PUNCTUAL: Span = Span::from_secs(60);
/// How late a start is made up for where nobody said whether it should be.
const STILL_WANTED: Span = Span::from_secs(3_600);

/// What becomes of a campaign that was to begin at `at`, where it does not simply begin, and why.
fn missed(plan: &Plan, at: Timestamp, now: Timestamp) -> Option<(BatchState, String)> {
    let late = now.since(at);
    let at = moment(at, plan.time_zone);
    match plan.on_missed {
        Some(OnMissed::Skip) if late > PUNCTUAL => Some((
            BatchState::Cancelling,
            format!("its start at {at} was missed, as no server ran, and on_missed = \"skip\""),
        )),
        None if late > STILL_WANTED => Some((
            BatchState::Paused,
            format!("its start at {at} was missed, as no server ran; resume it to begin now"),
        )),
        Some(OnMissed::Start | OnMissed::Skip) | None => None,
    }
}

/// Moves batches on that nobody has to decide about any more.
#[derive(Debug)]
pub struct Housekeeper {
    store: Arc<dyn Store>,
    book: Arc<Book>,
    unwilling: Unwilling,
    guards: Guards,
    /// Which batches have moved: a hundred that wait are not counted again and again.
    hints: Hints,
    seen: HashMap<BatchId, Seen>,
    /// Walks over batches that take longer than a round.
    walks: HashMap<BatchId, Walk>,
    /// The decision up to which it is known what is scheduled, and what of that begins first.
    scheduled: (Option<u64>, Option<Timestamp>),
}

/// A walk over the messages of a batch.
#[derive(Debug, Clone, Copy, Default)]
struct Walk {
    /// The last that it has come past.
    behind: Option<u32>,
    /// How many were changed by it.
    told: u64,
    /// It has come past everybody.
    is_over: bool,
}

/// A batch as it was when it was looked at last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    state: BatchState,
    edition: u32,
    /// Whether somebody waited who had never left.
    is_unsent: bool,
    /// Whether messages could still join it.
    is_open: bool,
}

impl Housekeeper {
    pub fn new(store: Arc<dyn Store>, book: Arc<Book>) -> Self {
        let hints = Hints::of(store.as_ref());
        let (unwilling, guards) = (Unwilling::default(), Guards::default());
        let (seen, walks) = (HashMap::new(), HashMap::new());
        Self { store, book, unwilling, guards, hints, seen, walks, scheduled: (None, None) }
    }

    /// When the first of the scheduled batches begins, as far as is known.
    pub const fn next_start(&self) -> Option<Timestamp> {
        self.scheduled.1
    }

    /// Looks at every batch that has moved or whose time has come, and ends what waits for people who have opted out.
    /// Returns how many batches moved on.
    pub async fn run_once(&mut self, now: Timestamp) -> Result<u32> {
        let seq = self.book.as_of();
        self.unwilling.run_once(self.store.as_ref(), &self.book, seq, now).await?;
        let mut moved = self.start_all(seq, now).await?;
        let touched = self.touched(now);
        let in_play = self.book.in_play();
        if touched.is_none() {
            // What is in play no more is forgotten now and then.
            self.seen.retain(|batch, _| in_play.iter().any(|entry| entry.id == *batch));
            self.walks.retain(|batch, _| self.seen.contains_key(batch));
        }
        for entry in in_play {
            let is_touched = touched.as_ref().is_none_or(|touched| touched.contains(&entry.id));
            if !is_touched && !self.is_due(&entry, now) {
                continue;
            }
            let seen =
                Seen { state: entry.state(), edition: entry.edition, is_unsent: false, is_open: entry.is_open(now) };
            let before = self.seen.insert(entry.id, seen);
            if before.is_some_and(|before| (before.state, before.edition) != (seen.state, seen.edition)) {
                // What everybody was being told is not so any more.
                self.walks.remove(&entry.id);
            }
            moved += match seen.state {
                BatchState::Running => self.go_on(&entry, seen, now).await?,
                BatchState::Finished => {
                    let tallies = self.store.tallies(entry.id).await?;
                    if tallies.is_settled() {
                        self.shift(entry.id, BatchState::Finished, BatchState::Settled, now).await?
                    } else if tallies.is_finished() {
                        0
                    } else {
                        // A receipt has put somebody back into a queue: there is something to hand over after all.
                        self.shift(entry.id, BatchState::Finished, BatchState::Running, now).await?
                    }
                }
                BatchState::Cancelling => self.sweep(&entry, now).await?,
                BatchState::Cancelled => {
                    let settled = self.store.tallies(entry.id).await?.is_settled();
                    if settled {
                        self.shift(entry.id, BatchState::Cancelled, BatchState::Cancelled, now).await?
                    } else {
                        0
                    }
                }
                BatchState::Paused => {
                    self.guards.rest(entry.id);
                    0
                }
                BatchState::Launching | BatchState::Draft | BatchState::Scheduled | BatchState::Settled => 0,
            };
        }
        Ok(moved)
    }

    /// The batches that have moved since the last look; nothing where all of them are to be looked at.
    fn touched(&mut self, now: Timestamp) -> Option<HashSet<BatchId>> {
        let moved = |signal| match signal {
            Signal::Moved { batch } => Some(batch),
            Signal::Queued { .. } | Signal::Due { .. } => None,
        };
        Some(self.hints.take(now)?.into_iter().filter_map(moved).collect())
    }

    /// Whether a batch is worth a look although nothing of it has moved.
    fn is_due(&self, entry: &Entry, now: Timestamp) -> bool {
        let Some(seen) = self.seen.get(&entry.id) else { return true };
        let is_another = (seen.state, seen.edition) != (entry.state(), entry.edition);
        let has_ended = seen.is_unsent && entry.plan.end.is_some_and(|end| end <= now);
        let has_closed = seen.is_open && !entry.is_open(now);
        let is_walked = self.walks.contains_key(&entry.id);
        is_another || has_ended || has_closed || is_walked || seen.state == BatchState::Cancelling
    }

    /// Starts what is scheduled and whose time has come.
    async fn start_all(&mut self, seq: u64, now: Timestamp) -> Result<u32> {
        let (known, first) = self.scheduled;
        if known == Some(seq) && first.is_none_or(|at| at > now) {
            return Ok(0);
        }
        let scheduled = self.store.batches(Some(vec![BatchState::Scheduled])).await?;
        let (ready, later): (Vec<_>, Vec<_>) =
            scheduled.into_iter().partition(|batch| batch.starts_at.is_none_or(|at| at <= now));
        let mut started = 0;
        for batch in ready {
            started += self.start(&batch, now).await?;
        }
        // Whatever is decided from here on is looked at with the next round.
        self.scheduled = (Some(seq), later.iter().filter_map(|batch| batch.starts_at).min());
        Ok(started)
    }

    /// Its time has come, or did while no server ran.
    async fn start(&self, batch: &Batch, now: Timestamp) -> Result<u32> {
        let entry = self.book.get(batch.id).await?;
        let missed = entry.zip(batch.starts_at).and_then(|(entry, at)| missed(&entry.plan, at, now));
        let (to, why) = missed.map_or((BatchState::Running, None), |(to, why)| (to, Some(why)));
        let moved = self.store.move_batch(batch.id, vec![BatchState::Scheduled], to, why, now).await?;
        Ok(u32::from(moved.is_some()))
    }

    async fn shift(&self, batch: BatchId, from: BatchState, to: BatchState, now: Timestamp) -> Result<u32> {
        Ok(u32::from(self.store.move_batch(batch, vec![from], to, None, now).await?.is_some()))
    }

    /// The rows of a cancelled batch follow: those that never left are cancelled, for the others the present step
    /// becomes the last.
    async fn sweep(&mut self, entry: &Entry, now: Timestamp) -> Result<u32> {
        let mut tallies = self.store.tallies(entry.id).await?;
        let is_over = self.walks.get(&entry.id).is_some_and(|walk| walk.is_over);
        let is_open = [Count::Queued, Count::AwaitingOpen].into_iter().any(|count| tallies.total(count) > 0);
        // What is on its way is only waited for: to go past all who are done again would say nothing about it.
        if !is_over || is_open {
            if is_over {
                self.walks.remove(&entry.id);
            }
            let called_off = |_: &Present| Some(Event::CalledOff(CallOff::Cancel));
            if !self.tell_all(entry, called_off, now).await?.is_over {
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

    /// One that runs ends what its end has come for, and is finished once nothing is left to hand over.
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

    /// The rows follow an end that has come: whoever has not left by then has expired. Who comes back to a queue
    /// meanwhile is seen by the next round, because it is counted. Returns whether it has come past everybody.
    async fn expire(&mut self, entry: &Entry, now: Timestamp) -> Result<bool> {
        // It may have been moved a moment ago.
        if self.store.batch(entry.id).await?.is_none_or(|batch| batch.edition != entry.edition) {
            return Ok(false);
        }
        let due = Event::Due { silence: Silence::Trusted };
        let unsent = |message: &Present| message.first_left.is_none().then_some(due);
        let walk = self.tell_all(entry, unsent, now).await?;
        if !walk.is_over {
            return Ok(false);
        }
        if walk.told > 0 {
            let subject = store::Event::of_campaign(entry.id, entry.name.as_deref());
            let text = format!("its end has come: {} had not left by then, and have expired", grouped(walk.told));
            self.store.note(store::Event { at: now, subject, text }).await?;
        }
        self.walks.remove(&entry.id);
        Ok(true)
    }

    /// Tells everybody who has no outcome and is not in flight, a good many in each round. Returns how far it has come.
    async fn tell_all(
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
            let open = self.store.open_messages(entry.id, walk.behind, PAGE).await?;
            let change = |message: &Loaded| entry.decide(message, event(&message.present)?, now);
            let changes: Vec<_> = open.iter().filter_map(change).collect();
            let meant = changes.len();
            // Who was faster has moved its message on; the next round finds what is then left.
            let changed = meant - self.store.record(changes).await?.len();
            let behind = open.last().map(|last| last.key.n).or(walk.behind);
            let told = walk.told + u64::try_from(changed).unwrap_or(u64::MAX);
            let is_over = u32::try_from(open.len()).is_ok_and(|seen| seen < PAGE);
            walk = Walk { behind, told, is_over };
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
    use crate::config::Config;
    use crate::domain::{Channel, Step};

    #[test]
    fn a_missed_start_is_made_up_for_within_an_hour_and_otherwise_as_the_campaign_says() {
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

    /// What a campaign file launches.
    async fn launched(store: &dyn Store, clock: &dyn Clock, text: &str) -> BatchId {
        let draft = Draft::parse("a.toml", text).unwrap();
        let text = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
                    [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nsource = \"ACME\"\n";
        let none = std::iter::empty::<(&str, String)>();
        let path = std::path::Path::new("volley.toml");
        let config = Config::read(Some((path, text)), std::iter::empty(), none).unwrap().config;
        let launcher = Launcher { store, clock, chance: &Chance::seeded(1), config: &config };
        launcher.launch(&draft, |_| None).await.unwrap().0.batch
    }

    async fn housekeeper(store: &Arc<dyn Store>) -> Housekeeper {
        let book = Arc::new(Book::new(Arc::clone(store)));
        book.refresh().await.unwrap();
        Housekeeper::new(Arc::clone(store), book)
    }

    /// A campaign that was to begin an hour from now, as it stands once a server looks so many seconds later.
    async fn begun(on_missed: &str, late: i64) -> (BatchState, Option<String>) {
        let clock = Arc::new(ManualClock::at(NOW));
        let store = store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let at = NOW + Span::from_secs(3_600);
        let text = format!(
            "name = \"a\"\nnumbers = [\"+6590000001\"]\nat = \"{}\"\n{on_missed}\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n",
            at.rfc3339()
        );
        let batch = launched(store.as_ref(), clock.as_ref(), &text).await;
        clock.advance(Timestamp::from_millis(at.millis() + late * 1_000).since(NOW));
        housekeeper(&store).await.run_once(clock.now()).await.unwrap();
        let batch = store.batch(batch).await.unwrap().unwrap();
        (batch.state, batch.why)
    }

    #[tokio::test]
    async fn a_start_that_was_slept_through_begins_within_an_hour_and_later_waits_for_a_person() {
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
    async fn an_end_tells_once_how_many_had_not_left_also_where_they_are_more_than_a_round() {
        let clock = Arc::new(ManualClock::at(NOW));
        let store = store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        // As many as a round goes through, to the last.
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
        let events = store.events(0, 100).await.unwrap();
        let told: Vec<_> =
            events.iter().map(|(_, event)| &event.text).filter(|text| text.contains("end has come")).collect();
        assert_eq!(told, ["its end has come: 20,000 had not left by then, and have expired"]);
    }
}
