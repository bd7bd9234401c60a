//! Reads messages: by key, in flight, open, due, queued.

use std::collections::{BTreeMap, HashMap};

use sqlx::SqliteConnection;

use super::Work;
use super::rows::{all_loaded, json_list, lines, maybe_timestamp, message_line, packed, small};
use crate::base::domain::{BatchId, Count, Loaded, MessageKey, Queue, Timestamp};
use crate::store::{Epoch, QueueTimes};

pub(super) const LOAD: &str =
    packed!(message_line!(), "message WHERE batch = ?1 AND n IN (SELECT value FROM json_each(?2))");

pub(super) async fn load(
    connection: &mut SqliteConnection,
    keys: impl IntoIterator<Item = MessageKey>,
) -> Work<Vec<Loaded>> {
    let keys: Vec<MessageKey> = keys.into_iter().collect();
    let mut by_batch: HashMap<BatchId, Vec<i64>> = HashMap::new();
    for key in &keys {
        by_batch.entry(key.batch).or_default().push(i64::from(key.n));
    }
    let mut found = HashMap::with_capacity(keys.len());
    for (batch, ns) in by_batch {
        let lines = lines(connection, sqlx::query(LOAD).bind(batch.0).bind(json_list(ns))).await?;
        found.extend(all_loaded(&lines)?.into_iter().map(|message| (message.key, message)));
    }
    Ok(keys.iter().filter_map(|key| found.get(key).copied()).collect())
}

/// Batches whose counters show messages in flight.
const SENDING_BATCHES: &str =
    "SELECT batch FROM tally WHERE count = ?1 GROUP BY batch HAVING sum(n) > 0 ORDER BY batch";

/// Reads the rest of a batch, once after a crash. An index would avoid that, but cost two writes per submission.
pub(super) const IN_FLIGHT: &str =
    packed!(message_line!(), "message WHERE batch = ?1 AND n > ?2 AND state = 1 AND epoch < ?4 ORDER BY n LIMIT ?3");

pub(super) async fn in_flight(
    connection: &mut SqliteConnection,
    epoch: Epoch,
    after: Option<MessageKey>,
    limit: u32,
) -> Work<Vec<Loaded>> {
    let query = sqlx::query(SENDING_BATCHES).bind(Count::Sending.code());
    let batches = query.fetch_all(&mut *connection).await?;
    let mut all = Vec::new();
    for row in batches {
        let batch = BatchId(small(&row, "batch")?);
        let above = match after {
            Some(after) if batch < after.batch => continue,
            Some(after) if batch == after.batch => i64::from(after.n),
            Some(_) | None => -1,
        };
        let room = i64::from(limit) - i64::try_from(all.len()).unwrap_or(i64::MAX);
        let query = sqlx::query(IN_FLIGHT).bind(batch.0).bind(above).bind(room.max(0));
        let query = query.bind(epoch.0.cast_signed());
        all.extend(all_loaded(&lines(connection, query).await?)?);
    }
    all.sort_unstable_by_key(|message| message.key);
    Ok(all)
}

const OPEN: &str =
    packed!(message_line!(), "message WHERE batch = ?1 AND n > ?2 AND state IN (0, 2) ORDER BY n LIMIT ?3");

pub(super) async fn open_messages(
    connection: &mut SqliteConnection,
    batch: BatchId,
    after: Option<u32>,
    limit: u32,
) -> Work<Vec<Loaded>> {
    let query = sqlx::query(OPEN).bind(batch.0).bind(after.map_or(-1, i64::from)).bind(limit);
    let mut all = all_loaded(&lines(connection, query).await?)?;
    all.sort_unstable_by_key(|message| message.key);
    Ok(all)
}

pub(super) const DUE: &str = packed!(
    message_line!(),
    "message INDEXED BY message_due
     WHERE batch = ?1 AND due <= ?2 AND (due, n) > (?4, ?5) AND due IS NOT NULL AND state IN (0, 2)
     ORDER BY due, n LIMIT ?3"
);

pub(super) async fn due(
    connection: &mut SqliteConnection,
    batch: BatchId,
    until: Timestamp,
    after: Option<(Timestamp, u32)>,
    limit: u32,
) -> Work<Vec<Loaded>> {
    let (due, n) = after.map_or((i64::MIN, -1), |(due, n)| (due.millis(), i64::from(n)));
    let query = sqlx::query(DUE).bind(batch.0).bind(until.millis()).bind(limit).bind(due).bind(n);
    let mut all = all_loaded(&lines(connection, query).await?)?;
    all.sort_unstable_by_key(|message| (message.present.timer(), message.key.n));
    Ok(all)
}

pub(super) const QUEUED_SINCE: &str = packed!(
    message_line!(),
    "message INDEXED BY message_queue
     WHERE lane = ?1 AND batch = ?2 AND step = ?3 AND state = 0 AND (not_before, n) > (?4, ?5)
     ORDER BY not_before, n LIMIT ?6"
);

pub(super) async fn queued_since(
    connection: &mut SqliteConnection,
    queue: Queue,
    since: Timestamp,
    after: Option<(Timestamp, u32)>,
    limit: u32,
) -> Work<Vec<Loaded>> {
    let (time, n) = after.map_or((since.millis(), -1), |(time, n)| (time.millis(), i64::from(n)));
    let query =
        sqlx::query(QUEUED_SINCE).bind(queue.lane.0).bind(queue.batch.0).bind(queue.step.get()).bind(time).bind(n);
    let mut all = all_loaded(&lines(connection, query.bind(limit)).await?)?;
    all.sort_unstable_by_key(|message| (message.present.not_before(), message.key.n));
    Ok(all)
}

pub(super) const NEXT_DUE: &str = "SELECT value AS batch, (SELECT min(due) FROM message INDEXED BY message_due
     WHERE batch = value AND due IS NOT NULL AND state IN (0, 2)) AS due FROM json_each(?1)";

pub(super) const QUEUE_TIMES: &str = "SELECT
     (SELECT min(not_before) FROM message INDEXED BY message_queue
          WHERE lane = ?1 AND batch = ?2 AND step = ?3 AND state = 0) AS first,
     (SELECT max(not_before) FROM message INDEXED BY message_queue
          WHERE lane = ?1 AND batch = ?2 AND step = ?3 AND state = 0) AS last";

pub(super) async fn queue_times(
    connection: &mut SqliteConnection,
    queues: Vec<Queue>,
) -> Work<BTreeMap<Queue, QueueTimes>> {
    let mut times = BTreeMap::new();
    for queue in queues {
        let query = sqlx::query(QUEUE_TIMES).bind(queue.lane.0).bind(queue.batch.0).bind(queue.step.get());
        let row = query.fetch_one(&mut *connection).await?;
        if let (Some(first), Some(last)) = (maybe_timestamp(&row, "first")?, maybe_timestamp(&row, "last")?) {
            times.insert(queue, QueueTimes { first, last });
        }
    }
    Ok(times)
}

pub(super) async fn next_due(
    connection: &mut SqliteConnection,
    batches: Vec<BatchId>,
) -> Work<BTreeMap<BatchId, Timestamp>> {
    let query = sqlx::query(NEXT_DUE).bind(json_list(batches.into_iter().map(|batch| batch.0.into())));
    let rows = query.fetch_all(connection).await?;
    let mut next = BTreeMap::new();
    for row in &rows {
        if let Some(due) = maybe_timestamp(row, "due")? {
            next.insert(BatchId(small(row, "batch")?), due);
        }
    }
    Ok(next)
}
