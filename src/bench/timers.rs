//! Deadlines, each benchmark on a [`Stock`] of its own. They show how many a second fire when many are due at once, and
//! how late deadlines fire that come one after another. They also show what a server's start costs when many are
//! pending.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use sqlx::{Connection, Row};
use tokio_util::sync::CancellationToken;

use super::dispatch::{Load, config};
use super::figures::{idle_ms, memory_peak, percentile};
use super::stock::run;
use super::{Begun, Error, Run, Stock};
use crate::base::clock::{Chance, Clock};
use crate::base::domain::{Count, Ending, LaneId, Span, StepIndex, Timestamp};
use crate::node::{Node, NodeParts, Os};
use crate::rules::engine::{Event, Silence, Standing, advance};
use crate::sending::book::Book;
use crate::sending::timers::{Addresses, Gaps, PAGE, Timers};
use crate::store::{self, Signal, Sqlite, Store};

/// How long an idle server is measured.
const IDLE: Span = Span::from_secs(3);
/// Time from the preparation to the first deadline of a steady run.
const LEAD: Span = Span::from_secs(2);

fn url(database: &Path) -> String {
    format!("sqlite://{}", database.display())
}

/// Makes the first `count` messages due from `first` on, `per_second` in each second.
async fn set_due(database: &Path, count: u32, first: Timestamp, per_second: u32) -> Result<(), Error> {
    let mut connection = Sqlite::bare(database).await?;
    sqlx::query(
        "UPDATE message SET due = ?3 + n * 1000 / ?4, accepted = ?3 + n * 1000 / ?4 - ?5,
                first_submitted_at = ?3 + n * 1000 / ?4 - ?5
         WHERE batch = ?1 AND n < ?2",
    )
    .bind(Stock::BATCH.0)
    .bind(count)
    .bind(first.millis())
    .bind(per_second)
    .bind(Stock::FALLBACK_AFTER.millis())
    .execute(&mut connection)
    .await?;
    run(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await?;
    connection.close().await?;
    Ok(())
}

/// How many overdue deadlines fall in one second; this gives them an order.
const BURST_SPREAD: u32 = 10_000;

/// Makes the first `count` messages overdue, the last of them by a second.
async fn set_overdue(database: &Path, count: u32, clock: &dyn Clock) -> Result<(), Error> {
    let first = clock.now() - Span::from_secs(i64::from(count / BURST_SPREAD) + 1);
    set_due(database, count, first, BURST_SPREAD).await
}

/// The limit of a burst: changes the same columns of the same rows, with one update and one commit for each page. It
/// reads and decides nothing.
pub async fn bulk_update(database: &Path, count: u32, clock: &dyn Clock) -> Result<Run, Error> {
    let now = clock.now();
    set_overdue(database, count, clock).await?;
    let plan = Stock::plan();
    let waiting = Stock::handed_over(&plan, now)?;
    let due = Event::Due { silence: Silence::Trusted };
    let decision = advance(&plan, Standing::Live, &waiting, due, now + Stock::FALLBACK_AFTER);
    let after = *decision.next().ok_or("the engine ignores the deadline")?;
    if after.marks.ending(StepIndex::FIRST) != Ending::Deadline {
        return Err("the deadline did not cause a fallback".into());
    }
    let lane = LaneId(2);
    let mut connection = Sqlite::bare(database).await?;
    let begun = Begun::now(clock);
    let mut written = 0;
    for first in (0..count).step_by(PAGE as usize) {
        run(&mut connection, "BEGIN IMMEDIATE").await?;
        written += sqlx::query(
            "UPDATE message SET version = version + 1, state = 0, step = ?4, lane = ?5, not_before = ?6, at = NULL,
                    due = NULL, outcome = NULL, skipped = NULL, tries = ?7, marks = ?8
             WHERE batch = ?1 AND n BETWEEN ?2 AND ?3",
        )
        .bind(Stock::BATCH.0)
        .bind(first)
        .bind(first.saturating_add(PAGE).min(count) - 1)
        .bind(after.step.get())
        .bind(lane.0)
        .bind(now.millis())
        .bind(after.tries)
        .bind(after.marks.bits())
        .execute(&mut connection)
        .await?
        .rows_affected();
        run(&mut connection, "COMMIT").await?;
    }
    let measured = Run::since(begun, written, clock);
    connection.close().await?;
    Ok(measured)
}

/// A burst: `count` deadlines that are due when the timers first look.
pub async fn burst(database: &Path, count: u32, clock: Arc<dyn Clock>) -> Result<Run, Error> {
    set_overdue(database, count, clock.as_ref()).await?;
    let store = store::open(&url(database), Arc::clone(&clock)).await?;
    let mut timers = timers(&store, &clock, Arc::new(Gaps::new(clock.now(), Addresses::default()))).await?;
    let begun = Begun::now(clock.as_ref());
    let mut fired = 0;
    loop {
        let progress = timers.run_once(clock.now()).await?;
        fired += progress.fired;
        if progress.next_due.is_none_or(|at| at > clock.now()) {
            break;
        }
    }
    let measured = Run::since(begun, fired, clock.as_ref());
    wait_until_queued(store.as_ref(), count, clock.as_ref()).await?;
    store.close().await;
    Ok(measured)
}

async fn timers(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>, gaps: Arc<Gaps>) -> Result<Timers, Error> {
    let book = Arc::new(Book::new(Arc::clone(store)));
    book.refresh().await?;
    Ok(Timers::new(Arc::clone(store), book, Arc::clone(clock), gaps))
}

async fn wait_until_queued(store: &dyn Store, count: u32, clock: &dyn Clock) -> Result<(), Error> {
    let patience = clock.now() + Span::from_secs(60);
    while store.tallies(Stock::BATCH).await?.total(Count::Queued) < i64::from(count) {
        if clock.now() > patience {
            return Err("deadlines were missed".into());
        }
        clock.sleep(Span::from_millis(20)).await;
    }
    Ok(())
}

/// Fires `per_second` deadlines one after another for `seconds`. Each is late by the time from its deadline to the
/// commit of its effect.
pub async fn steady(database: &Path, per_second: u32, seconds: u32, clock: Arc<dyn Clock>) -> Result<Run, Error> {
    let count = per_second.saturating_mul(seconds);
    let first = clock.now() + LEAD;
    set_due(database, count, first, per_second).await?;
    let store = store::open(&url(database), Arc::clone(&clock)).await?;
    let timers = timers(&store, &clock, Arc::new(Gaps::new(clock.now(), Addresses::default()))).await?;
    let mut signals = store.signals().subscribe();
    let stop = CancellationToken::new();
    let begun = Begun::now(clock.as_ref());
    let firing = tokio::spawn(timers.run(stop.clone()));
    // All decisions of one look have the same time, and their signal follows the commit.
    let mut committed: HashMap<i64, Timestamp> = HashMap::new();
    let mut queued = std::pin::pin!(wait_until_queued(store.as_ref(), count, clock.as_ref()));
    loop {
        tokio::select! {
            biased;
            signal = signals.recv() => if let Signal::Queued { at, .. } = signal? {
                committed.insert(at.millis(), clock.now());
            },
            done = &mut queued => break done?,
        }
    }
    let mut measured = Run::since(begun, count.into(), clock.as_ref());
    stop.cancel();
    firing.await?;
    store.close().await;
    let mut connection = Sqlite::bare(database).await?;
    let rows = sqlx::query("SELECT n, not_before FROM message WHERE batch = ?1 AND n < ?2")
        .bind(Stock::BATCH.0)
        .bind(count)
        .fetch_all(&mut connection)
        .await?;
    connection.close().await?;
    let mut late = Vec::with_capacity(rows.len());
    for row in &rows {
        let due = first + Span::from_millis(row.try_get::<i64, _>("n")? * 1_000 / i64::from(per_second));
        let decided: i64 = row.try_get("not_before")?;
        if decided < due.millis() {
            return Err("a deadline fired early".into());
        }
        let at = committed.get(&decided).ok_or("a deadline fired without a signal")?;
        late.push(at.since(due).millis());
    }
    late.sort_unstable();
    (measured.p50_ms, measured.p99_ms) = (percentile(&late, 50), percentile(&late, 99));
    Ok(measured)
}

/// Measures a server's start with all of the stock pending and `count` of it due: the time from `spawned`, when its
/// process was started, until the first deadline fired. Then measures the process while nothing is due.
pub async fn start(
    database: &Path,
    count: u32,
    spawned: Timestamp,
    clock: Arc<dyn Clock>,
    chance: Arc<Chance>,
) -> Result<Run, Error> {
    let store = store::open(&url(database), Arc::clone(&clock)).await?;
    let mut signals = store.signals().subscribe();
    let load = Load { messages: 0, connections: ONE, batch: ONE, receipts: 0, with_rules: false, viewers: 0 };
    let config = Arc::new(config(&load, "http://127.0.0.1:9")?);
    let begun = Begun::now(clock.as_ref());
    let processes = Arc::new(Os);
    let parts = NodeParts { config, store: Arc::clone(&store), clock: Arc::clone(&clock), chance, processes };
    let node = Node::start(parts).await?;
    while !matches!(signals.recv().await?, Signal::Queued { .. }) {}
    let ready = clock.now().since(spawned);
    wait_until_queued(store.as_ref(), count, clock.as_ref()).await?;
    let mut measured = Run::since(begun, count.into(), clock.as_ref());
    measured.idle_ms_per_s = Some(idle_ms(clock.as_ref(), IDLE).await);
    measured.ready_ms = Some(ready.millis());
    measured.peak_mib = memory_peak();
    node.stop().await?;
    store.close().await;
    Ok(measured)
}

const ONE: std::num::NonZeroU32 = std::num::NonZeroU32::MIN;

/// Prepares [`start`]: makes `count` deadlines overdue.
pub async fn prepare_start(database: &Path, count: u32, clock: &dyn Clock) -> Result<(), Error> {
    set_overdue(database, count, clock).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use crate::base::domain::MessageKey;
    use crate::bench::{Laid, fill};

    /// Returns a filled database and its clock. Dropping the folder, which is returned first, deletes it.
    async fn stock(messages: u32) -> (tempfile::TempDir, Arc<ManualClock>, Arc<dyn Clock>, Arc<dyn Store>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("timers.db");
        let manual = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let clock = Arc::clone(&manual) as Arc<dyn Clock>;
        fill(&path, messages, Laid::HandedOver, Arc::clone(&clock)).await.unwrap();
        let store = store::open(&url(&path), Arc::clone(&clock)).await.unwrap();
        (folder, manual, clock, store)
    }

    #[tokio::test]
    async fn each_deadline_fires_once_and_none_early() {
        let (_folder, manual, clock, store) = stock(7_000).await;
        let mut timers = timers(&store, &clock, Arc::new(Gaps::new(clock.now(), Addresses::default()))).await.unwrap();
        assert_eq!(timers.run_once(clock.now()).await.unwrap().fired, 0);

        // Ten are due in each millisecond; pages end in the middle of one.
        manual.advance(Stock::FALLBACK_AFTER);
        manual.advance(Span::from_millis(500));
        let progress = timers.run_once(clock.now()).await.unwrap();
        assert_eq!((progress.fired, progress.next_due), (5_010, Some(clock.now() + Span::from_millis(1))));
        let versions = |range: std::ops::Range<u32>| {
            let keys = range.map(|n| MessageKey { batch: Stock::BATCH, n }).collect();
            let store = Arc::clone(&store);
            async move {
                let messages = store.load(keys).await.unwrap();
                let mut versions: Vec<u32> = messages.iter().map(|message| message.version).collect();
                versions.dedup();
                versions
            }
        };
        assert_eq!((versions(0..5_010).await, versions(5_010..7_000).await), (vec![3], vec![2]));

        // After a sleep the timers find the rest overdue, and miss none.
        manual.advance(Span::from_secs(86_400));
        let progress = timers.run_once(clock.now()).await.unwrap();
        assert_eq!((progress.fired, progress.next_due), (1_990, None));
        assert_eq!(versions(0..7_000).await, [3]);
        assert_eq!(store.tallies(Stock::BATCH).await.unwrap().total(Count::Queued), 7_000);
    }

    #[tokio::test]
    async fn one_look_fires_a_limited_number_of_a_batchs_deadlines() {
        let (_folder, manual, clock, store) = stock(25_000).await;
        let mut timers = timers(&store, &clock, Arc::new(Gaps::new(clock.now(), Addresses::default()))).await.unwrap();
        manual.advance(Stock::FALLBACK_AFTER);
        manual.advance(Span::from_secs(86_400));
        let first = timers.run_once(clock.now()).await.unwrap();
        assert!(first.fired == 20_000 && first.next_due.is_some_and(|at| at < clock.now()), "{first:?}");
        let rest = timers.run_once(clock.now()).await.unwrap();
        assert_eq!((rest.fired, rest.next_due), (5_000, None));
    }

    #[tokio::test]
    async fn no_deadline_fires_before_an_earlier_receipt_that_is_waiting() {
        let (_folder, manual, clock, store) = stock(7_000).await;
        let gaps = Arc::new(Gaps::new(clock.now(), Addresses::default()));
        let mut timers = timers(&store, &clock, Arc::clone(&gaps)).await.unwrap();

        manual.advance(Stock::FALLBACK_AFTER);
        let came = clock.now() + Span::from_millis(100);
        gaps.behind(Some(came));
        // The disk stalls. Ten are due in each millisecond; those of a hundred milliseconds were due before the receipt
        // arrived.
        manual.advance(Span::from_secs(5));
        assert_eq!(timers.run_once(clock.now()).await.unwrap().fired, 1_000);
        assert_eq!(timers.run_once(clock.now()).await.unwrap().fired, 0);
        gaps.behind(None);
        assert_eq!(timers.run_once(clock.now()).await.unwrap().fired, 6_000);
    }
}
