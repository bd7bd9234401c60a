//! Tests that the cost of one transaction has a bound: while it runs, no other verb can write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{TempDatabase, now};
use crate::base::domain::{BatchId, BatchState, LaneId, Queue, Span, StepIndex};
use crate::rules::planner::Rest;
use crate::store::sqlite::{claim, receipts, walk};
use crate::store::{Claim, Receipts, Scope, Stray, StrayKind, WebhookGroup};

const QUEUE: Queue = Queue { batch: BatchId(1), step: StepIndex::FIRST, lane: LaneId(1) };

/// Fills one queue with this many messages.
async fn queued(db: &TempDatabase, messages: u32, state: BatchState, ends_at: &str, due: &str) -> SqliteConnection {
    let _schema = db.open().await.unwrap();
    let options = SqliteConnectOptions::new().filename(db.path()).foreign_keys(false);
    let mut connection = options.connect().await.unwrap();
    let rows = format!(
        "INSERT INTO batch (id, tag, plan, state, ends_at, audience, audience_ids, created_at, touched_at)
         VALUES (1, 1, x'00', {}, {ends_at}, 'all', '[1]', 0, 0);
         WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < {messages})
         INSERT INTO message (batch, n, audience, recipient, address, country, state, step, lane, not_before, due)
         SELECT 1, n, 1, n, 6590000000 + n, 'SG', 0, 0, 1, 0, {due} FROM number",
        state.code()
    );
    sqlx::raw_sql(AssertSqlSafe(rows)).execute(&mut connection).await.unwrap();
    connection
}

/// Returns how many hundreds of its steps SQLite takes for a claim that finds no message.
async fn effort(messages: u32, state: BatchState, ends_at: &str, due: &str) -> u64 {
    let db = TempDatabase::new();
    let mut connection = queued(&db, messages, state, ends_at, due).await;
    let steps = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&steps);
    connection.lock_handle().await.unwrap().set_progress_handler(100, move || {
        counter.fetch_add(1, Ordering::Relaxed);
        true
    });
    let set = claim::claim(&mut connection, Claim::of(QUEUE.lane, vec![QUEUE], 50, now())).await.ok().unwrap();
    assert!(set.messages.is_empty());
    assert_eq!(set.rests, [(QUEUE, Rest::Stuck)], "the queue is checked again later");
    steps.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_claim_of_a_stopped_batch_reads_none_of_its_messages() {
    for state in [BatchState::Cancelling, BatchState::Paused] {
        let steps = effort(20_000, state, "NULL", "NULL").await;
        assert!(steps < 20, "{steps} hundred steps for {state}");
    }
}

#[tokio::test]
async fn a_claim_reads_few_expired_messages_however_many_there_are() {
    let past = (now() - Span::from_secs(1)).millis().to_string();
    for (ends_at, due) in [("NULL", past.as_str()), (past.as_str(), "NULL")] {
        let (fewer, more) = (
            effort(10_000, BatchState::Running, ends_at, due).await,
            effort(40_000, BatchState::Running, ends_at, due).await,
        );
        assert!(more < fewer + fewer / 10, "{fewer} hundred steps past 10,000, {more} past 40,000");
    }
}

#[tokio::test]
async fn a_piece_of_old_strays_is_bounded_by_their_bytes() {
    let db = TempDatabase::new();
    let store = db.open().await.unwrap();
    let stray = |raw: usize| Stray { kind: StrayKind::Unreadable, received: now(), umid: None, raw: "x".repeat(raw) };
    let strays = vec![stray(9 << 20), stray(1 << 20), stray(1 << 20), stray(1 << 20), stray(1 << 20), stray(1)];
    store.take(WebhookGroup { strays, ..WebhookGroup::default() }).await.unwrap();
    let mut pieces = Vec::new();
    loop {
        let before = now() + Span::from_secs(1);
        let piece = store.write("forget", move |c| Box::pin(receipts::forget_old_strays(c, before))).await.unwrap();
        if piece == 0 {
            break;
        }
        pieces.push(piece);
    }
    assert_eq!(pieces, [1, 4, 1], "the longest alone, then at most 4 MiB at once");
}

#[tokio::test]
async fn the_length_of_a_copy_is_known_before_it_is_made() {
    let (db, messages) = (TempDatabase::new(), 20_000);
    let mut connection = queued(&db, messages, BatchState::Running, "NULL", "NULL").await;
    let estimate = walk::length(&mut connection, QUEUE.batch, messages, Scope::Facts).await.ok().unwrap();
    let (mut after, mut copied) = (-1, 0);
    while let Some(page) = walk::texts(&mut connection, QUEUE.batch, after, 2_000, Scope::Facts).await.ok().unwrap() {
        after = i64::from(page.range.1);
        copied += page.bytes();
    }
    assert!(copied > 0 && (copied..copied * 5 / 4).contains(&estimate), "{estimate} estimated, {copied} copied");
}
