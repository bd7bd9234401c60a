//! A database of a realistic size: many submitted messages, of which no receipt has arrived yet. Set statements write
//! it, because the product would take minutes.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use sqlx::{Connection, SqliteConnection};

use super::Error;
use crate::base::clock::Clock;
use crate::base::domain::{
    AfterGap, AttemptId, AudienceId, BatchId, BatchState, Channel, LaneId, Marks, MessageId, MessageKey, Plan, Present,
    Span, State, Step, StepIndex, Tag, Tallies, Timestamp,
};
use crate::base::events::Origin;
use crate::rules::engine::{Answer, Event, Made, Met, Rule, Ruling, Standing, advance, begin};
use crate::store::{self, KnownAs, NewAudience, NewBatch, Sqlite, Store, Verdict};

/// Rows written in one transaction.
const PIECE: u32 = 100_000;
/// The first number; the others follow it.
const FIRST_NUMBER: u64 = 6_590_000_000;
const TAG: Tag = Tag::from_random(0x0ddba11);
/// The lane of the first step. No lane serves the second step, so its fallbacks stay queued.
pub(super) const LANE: &str = "bench";

/// A database that was filled.
#[derive(Debug, Clone, Copy)]
pub struct Stock {
    pub messages: u32,
}

/// The state of its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Laid {
    /// Accepted by the provider; their receipts are pending.
    HandedOver,
    /// Queued; none was submitted.
    Waiting,
}

impl Stock {
    /// The first batch of a new database.
    pub(super) const BATCH: BatchId = BatchId(1);
    pub(super) const FALLBACK_AFTER: Span = Span::from_secs(86_400);

    pub(super) fn plan() -> Plan {
        let step = |channel, lane| Step::of_text(channel, lane, "Your code is {{Code}}");
        let first = Step { fallback_after: Some(Self::FALLBACK_AFTER), ..step(Channel::WhatsApp, LANE) };
        Plan {
            columns: vec!["Name".to_owned(), "Code".to_owned()],
            after_gap: AfterGap::Wait,
            ..Plan::of_steps(vec![first, step(Channel::Sms, "unserved")])
        }
    }

    /// A plan with a single step on the lane, for queued messages.
    fn plan_of_queued() -> Plan {
        let columns = vec!["Name".to_owned(), "Code".to_owned()];
        Plan { columns, ..Plan::of_steps(vec![Step::of_text(Channel::Sms, LANE, "Your code is {{Code}}")]) }
    }

    /// Returns a message that the provider accepted at `now` and that awaits its deadline.
    pub(super) fn handed_over(plan: &Plan, now: Timestamp) -> Result<Present, Error> {
        let events = [Event::Claimed, Event::Answered { step: StepIndex::FIRST, answer: Answer::Accepted }];
        events.into_iter().try_fold(begin(plan, Marks::default(), now, None), |present, event| {
            let decision = advance(plan, Standing::Live, &present, event, now);
            decision.next().copied().ok_or_else(|| "the engine lets no message await its deadline".into())
        })
    }

    pub(super) fn msisdn(n: u32) -> u64 {
        FIRST_NUMBER + u64::from(n)
    }

    pub(super) fn message(n: u32) -> MessageId {
        MessageId { key: MessageKey { batch: Self::BATCH, n }, tag: TAG }
    }

    pub(super) fn attempt(n: u32) -> AttemptId {
        AttemptId { key: MessageKey { batch: Self::BATCH, n }, step: StepIndex::FIRST, tag: TAG }
    }

    /// Returns an umid like the provider's: random at the beginning, the time at the end.
    pub(super) fn umid(n: u32) -> uuid::Uuid {
        let mixed = (u64::from(n) * MIX) & MIXED;
        let time = TIME + u64::from(n / 10);
        uuid::Uuid::from_u128((u128::from(mixed) << 48) | u128::from(time))
    }
}

const MIX: u64 = 2_654_435_761;
const MIXED: u64 = (1 << 48) - 1;
const TIME: u64 = 0xb46d_0000_0000;

/// Fills a new database at `path` with `messages`. Submitted ones have been accepted since `now`, ten in each
/// millisecond.
pub async fn fill(path: &Path, messages: u32, laid: Laid, clock: Arc<dyn Clock>) -> Result<Stock, Error> {
    let now = clock.now();
    let has_left = laid == Laid::HandedOver;
    let store = store::open(&format!("sqlite://{}", path.display()), clock).await?;
    let plan = if has_left { Stock::plan() } else { Stock::plan_of_queued() };
    let (audience, lane) = publish(store.as_ref(), &plan, messages, now).await?;
    store.close().await;

    let present = if has_left { Stock::handed_over(&plan, now)? } else { begin(&plan, Marks::default(), now, None) };
    let rows = Rows { audience, lane, present, now };
    let mut connection = Sqlite::bare(path).await?;
    // A power failure would lose nothing of value here.
    run(&mut connection, "PRAGMA synchronous = OFF").await?;
    for first in (0..messages).step_by(PIECE as usize) {
        let piece = first..first.saturating_add(PIECE).min(messages);
        let mut transaction = connection.begin().await?;
        rows.write_recipients(&mut transaction, &piece).await?;
        rows.write_messages(&mut transaction, &piece).await?;
        if has_left {
            rows.write_attempts(&mut transaction, &piece).await?;
        }
        transaction.commit().await?;
    }
    write_counters(&mut connection, &plan, &present, messages).await?;
    run(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await?;
    connection.close().await?;
    Ok(Stock { messages })
}

/// Publishes the audience and the batch, still without rows.
async fn publish(store: &dyn Store, plan: &Plan, messages: u32, now: Timestamp) -> Result<(AudienceId, LaneId), Error> {
    let new =
        NewAudience { known_as: KnownAs::Nothing, source: "bench".to_owned(), columns: plan.columns.clone(), now };
    let audience = store.begin_audience(new).await?;
    store.publish_audience(audience, messages, "{}".to_owned()).await?;
    let lanes = store.lanes(plan.lanes()).await?;
    let lane = lanes.iter().find(|lane| lane.name == LANE).ok_or("the lane is not stored")?.id;
    let batch = NewBatch {
        tag: TAG,
        plan: plan.clone(),
        name: Some("bench".to_owned()),
        audience: "bench".to_owned(),
        audience_ids: vec![audience],
        starts_at: None,
        open_until: None,
        now,
    };
    if store.begin_batch(batch).await? != Stock::BATCH {
        return Err("the database is not new".into());
    }
    store.publish_batch(Stock::BATCH, BatchState::Running, Origin::SERVER, now).await?;
    Ok((audience, lane))
}

/// The first common table of every statement: the numbers of a piece.
const NUMBERS: &str = "WITH RECURSIVE piece (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM piece WHERE n + 1 < ?2)";

/// The rows of the messages, all in the same state.
struct Rows {
    audience: AudienceId,
    lane: LaneId,
    present: Present,
    now: Timestamp,
}

impl Rows {
    async fn write_recipients(&self, connection: &mut SqliteConnection, piece: &Range<u32>) -> Result<(), Error> {
        let recipients = format!(
            "{NUMBERS} INSERT INTO recipient (audience, n, address, country, fields)
             SELECT ?3, n, ?4 + n, 'SG', '[\"Name ' || n || '\",\"CODE' || n || '\"]' FROM piece"
        );
        sqlx::query(sqlx::AssertSqlSafe(recipients))
            .bind(piece.start)
            .bind(piece.end)
            .bind(self.audience.0)
            .bind(FIRST_NUMBER.cast_signed())
            .execute(connection)
            .await?;
        Ok(())
    }

    async fn write_messages(&self, connection: &mut SqliteConnection, piece: &Range<u32>) -> Result<(), Error> {
        let (state, version, due) = match self.present.state {
            State::Awaiting { due } => (2, 2, Some(due)),
            State::Queued { .. } => (0, 1, None),
            State::Sending { .. } | State::Done { .. } => return Err("a message is neither queued nor awaiting".into()),
        };
        let rows = format!(
            "{NUMBERS} INSERT INTO message (batch, n, audience, recipient, address, country, version, state, step, lane, not_before,
                                            due, first_submitted_at, accepted, marks)
             SELECT ?3, n, ?4, n, ?5 + n, 'SG', {version}, {state}, 0, ?6, ?7, ?8 + n / 10, ?9 + n / 10, ?10 + n / 10, ?11
             FROM piece"
        );
        sqlx::query(sqlx::AssertSqlSafe(rows))
            .bind(piece.start)
            .bind(piece.end)
            .bind(Stock::BATCH.0)
            .bind(self.audience.0)
            .bind(FIRST_NUMBER.cast_signed())
            .bind(self.lane.0)
            .bind(self.now.millis())
            .bind(due.map(Timestamp::millis))
            .bind(self.present.first_submitted_at.map(Timestamp::millis))
            .bind(self.present.accepted.map(Timestamp::millis))
            .bind(self.present.marks.bits())
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Writes the attempt of each message, which the provider accepted.
    async fn write_attempts(&self, connection: &mut SqliteConnection, piece: &Range<u32>) -> Result<(), Error> {
        let facts = format!(
            "{NUMBERS} INSERT INTO attempt (batch, n, step, lane, queued, intent, answered, verdict, tries, umid, ruling)
             SELECT ?3, n, 0, ?4, ?5, ?5 + n / 10, ?5 + n / 10, ?6, 0,
                    unhex(printf('%012x%020x', ?7 + n / 10, (n * ?8) & ?9)), ?10 FROM piece"
        );
        sqlx::query(sqlx::AssertSqlSafe(facts))
            .bind(piece.start)
            .bind(piece.end)
            .bind(Stock::BATCH.0)
            .bind(self.lane.0)
            .bind(self.now.millis())
            .bind(Verdict::Accepted as i64)
            .bind(TIME.cast_signed())
            .bind(MIX.cast_signed())
            .bind(MIXED.cast_signed())
            .bind(
                Ruling { version: 1, met: Met::Sending, made: Made::Moved(Rule::HandedOver), ..Ruling::default() }
                    .bits(),
            )
            .execute(connection)
            .await?;
        Ok(())
    }
}

async fn write_counters(
    connection: &mut SqliteConnection,
    plan: &Plan,
    present: &Present,
    messages: u32,
) -> Result<(), Error> {
    let mut worth = Tallies::default();
    worth.weigh(plan.steps.len(), present, messages.into());
    let mut counters = format!("UPDATE batch SET messages = {messages}; ");
    for (step, count, n) in worth.entries() {
        let batch = Stock::BATCH;
        let _ = write!(
            counters,
            "INSERT INTO tally (batch, step, count, writer, n) VALUES ({batch}, {}, {}, 0, {n}); ",
            step.get(),
            count.code()
        );
    }
    run(connection, &counters).await
}

/// Opens a new database in a folder of its own. Dropping the folder, which is returned first, deletes it.
pub(super) async fn scratch(clock: &Arc<dyn Clock>) -> Result<(tempfile::TempDir, Arc<dyn Store>), Error> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("bench.db").display());
    let store = store::open(&url, Arc::clone(clock)).await?;
    Ok((folder, store))
}

/// Runs statements without values.
pub(super) async fn run(connection: &mut SqliteConnection, text: &str) -> Result<(), Error> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned())).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use crate::base::domain::Umid;
    use crate::store::Key;

    #[tokio::test]
    async fn a_queued_stock_equals_the_products_messages() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stock.db");
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000))) as Arc<dyn Clock>;
        fill(&path, 25, Laid::Waiting, Arc::clone(&clock)).await.unwrap();
        let store = store::open(&format!("sqlite://{}", path.display()), Arc::clone(&clock)).await.unwrap();
        let keys = (0..30).map(|n| MessageKey { batch: Stock::BATCH, n }).collect();
        let (waiting, mut counted) =
            (begin(&Stock::plan_of_queued(), Marks::default(), clock.now(), None), Tallies::default());
        let messages = store.load(keys).await.unwrap();
        assert!(messages.iter().all(|message| message.present == waiting && message.version == 1), "{:?}", messages[0]);
        messages.iter().for_each(|message| counted.weigh(1, &message.present, 1));
        assert_eq!((messages.len(), store.tallies(Stock::BATCH).await.unwrap()), (25, counted));
    }

    #[tokio::test]
    async fn a_submitted_stock_equals_the_products_messages() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stock.db");
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000))) as Arc<dyn Clock>;
        fill(&path, 25, Laid::HandedOver, Arc::clone(&clock)).await.unwrap();
        let store = store::open(&format!("sqlite://{}", path.display()), Arc::clone(&clock)).await.unwrap();
        let deadline = clock.now() + Stock::FALLBACK_AFTER;
        assert_eq!(store.next_due(vec![Stock::BATCH]).await.unwrap().remove(&Stock::BATCH), Some(deadline));
        let due = store.due(Stock::BATCH, deadline + Span::from_millis(2), None, 100).await.unwrap();
        assert_eq!(due.len(), 25);
        let mut counted = Tallies::default();
        for (n, message) in due.iter().enumerate() {
            let accepted = clock.now() + Span::from_millis(i64::try_from(n / 10).unwrap());
            assert_eq!(message.present, Stock::handed_over(&Stock::plan(), accepted).unwrap(), "message {n}");
            assert_eq!(message.address.number().unwrap().get(), Stock::msisdn(message.key.n));
            counted.weigh(2, &message.present, 1);
        }
        assert_eq!(store.tallies(Stock::BATCH).await.unwrap(), counted);
        let umid = Umid::new(&Stock::umid(24).hyphenated().to_string());
        let found = store
            .find(vec![Key::Umid(umid.clone()), Key::Attempt { id: Stock::attempt(24), umid: Some(umid.clone()) }])
            .await
            .unwrap();
        let found: Vec<_> = found.into_iter().flatten().map(|found| found.message.key.n).collect();
        assert_eq!(found, [24, 24]);
        let attempts = store.attempts(vec![due[24].key]).await.unwrap().concat();
        assert_eq!(attempts[0].umid, Some(umid));
        assert_eq!(store.recipients(AudienceId(1), 24, 10).await.unwrap().len(), 1);
    }
}
