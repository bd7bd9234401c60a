//! Adds messages to open batches one by one.
//!
//! Each open batch has an audience of its own, which grows with it: the `n`th recipient has the `n`th message.

use sqlx::{Row, SqliteConnection};

use super::rows::{json_of, small, state};
use super::{Work, audiences, batches, client_ids, inbound, pieces};
use crate::base::domain::{AudienceId, BatchId, BatchState, Plan, Tag, Timestamp};
use crate::base::events::Origin;
use crate::store::{Call, Error, Joined, Joining, KnownAs, NewAudience, NewBatch, NewCall, OwnTimes, PieceOfMessages};

/// A batch that messages can join.
#[derive(Debug)]
struct Open {
    batch: BatchId,
    tag: Tag,
    audience: AudienceId,
}

pub(super) async fn join(connection: &mut SqliteConnection, mut joining: Joining) -> Work<Joined> {
    let sieved = client_ids::sieve(connection, &mut joining).await?;
    if let Some(known) = sieved.is_all_known(&joining) {
        return Ok(known);
    }
    let (heeds, is_observed) = (joining.plan.heeds(), joining.plan.api.is_some());
    let open = match joining.open_until {
        Some(_) => find(connection, &joining.plan, joining.now).await?,
        None => None,
    };
    let open = match open {
        Some(open) => open,
        None => begin(connection, &joining).await?,
    };
    let Open { batch, tag, audience } = open;
    let Joining { recipients, start, elsewhere, own_times, confirms, now, .. } = joining;
    // Of two servers that read the same due confirmations, one queues them.
    if !confirms.is_empty() && inbound::forget_confirmations(connection, &confirms).await? < confirms.len() as u64 {
        return Err(Error::Superseded.into());
    }
    let new = audiences::append(connection, audience, &recipients, now).await?;
    let (from, until) = (new.start, new.end);
    let (over, excluded, lacking, left_out, base) = (None, Vec::new(), Vec::new(), Vec::new(), 0);
    let spread = PieceOfMessages {
        batch,
        audience,
        from,
        until,
        base,
        over,
        start,
        elsewhere,
        users: Vec::new(),
        excluded,
        lacking,
        left_out,
        heeds,
        now,
    };
    pieces::spread_new(connection, spread, is_observed).await?;
    if !own_times.is_empty() {
        set_own_times(connection, batch, from, &own_times).await?;
    }
    sieved.note(connection, Joined { batch, tag, first: from, added: until - from, repeated: Vec::new() }, now).await
}

/// Begins the batches of a call of the API, with their messages. The first of them names the call.
pub(super) async fn begin_call(connection: &mut SqliteConnection, call: NewCall) -> Work<Vec<Joined>> {
    let mut begun: Vec<Joined> = Vec::with_capacity(call.parts.len());
    let mut first = None;
    for part in call.parts {
        let joined = join(connection, Joining { open_until: None, ..part }).await?;
        if joined.added == 0 {
            // All of its messages were accepted before, so it begins no batch.
            begun.push(joined);
            continue;
        }
        let first = *first.get_or_insert(joined.batch);
        sqlx::query("INSERT INTO api_batch (first, batch, client_batch_id) VALUES (?1, ?2, ?3)")
            .bind(first.0)
            .bind(joined.batch.0)
            .bind(&call.client_batch_id)
            .execute(&mut *connection)
            .await?;
        begun.push(joined);
    }
    Ok(begun)
}

/// Finds the call that a batch belongs to, if a call of the API began it.
pub(super) async fn call_of(connection: &mut SqliteConnection, batch: BatchId) -> Work<Option<Call>> {
    let rows = sqlx::query(
        "SELECT batch, client_batch_id FROM api_batch
         WHERE first = (SELECT first FROM api_batch WHERE batch = ?1) ORDER BY batch",
    )
    .bind(batch.0)
    .fetch_all(connection)
    .await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let client_batch_id = row.try_get("client_batch_id")?;
    let batches = rows.iter().map(|row| Ok(BatchId(small(row, "batch")?))).collect::<Work<_>>()?;
    Ok(Some(Call { batches, client_batch_id }))
}

/// Gives messages that have just joined times of their own. A message that is skipped needs none.
///
/// The set names the batch too: otherwise SQLite would read the whole batch first.
pub(super) const OWN_TIMES: &str = "UPDATE message
     SET not_before = own.value ->> 2, due = own.value ->> 3, expires = own.value ->> 4
     FROM json_each(?1) own
     WHERE message.batch = own.value ->> 0 AND message.n = own.value ->> 1 AND message.state = ?2";

async fn set_own_times(
    connection: &mut SqliteConnection,
    batch: BatchId,
    first: u32,
    own_times: &[OwnTimes],
) -> Work<()> {
    let row = |OwnTimes { index, not_before, gives_up, expires }: &OwnTimes| {
        let [gives_up, expires] = [gives_up, expires].map(|at| at.map(Timestamp::millis));
        (batch.0, first + index, not_before.millis(), gives_up, expires)
    };
    let rows: Vec<_> = own_times.iter().map(row).collect();
    let query = sqlx::query(OWN_TIMES).bind(json_of(&rows, "message.not_before")?).bind(state::QUEUED);
    query.execute(connection).await?;
    Ok(())
}

/// Finds the open batch of a plan.
///
/// - A batch that has ended or is being cancelled is no longer open.
/// - A batch created after `now` was opened by a server with another clock. It is skipped, because a message in it would
///   be older than its batch.
async fn find(connection: &mut SqliteConnection, plan: &Plan, now: Timestamp) -> Work<Option<Open>> {
    let row = sqlx::query(
        "SELECT id, tag, audience_ids->>0 AS audience FROM batch
         WHERE plan = ?1 AND open_until > ?2 AND created_at <= ?2 AND state IN (?3, ?4) ORDER BY open_until LIMIT 1",
    )
    .bind(batches::key_of(plan)?.0)
    .bind(now.millis())
    .bind(BatchState::Running.code())
    .bind(BatchState::Paused.code())
    .fetch_optional(connection)
    .await?;
    let open = |row: &sqlx::sqlite::SqliteRow| {
        let tag = Tag::from_random(row.try_get::<i64, _>("tag")?.cast_unsigned());
        Ok(Open { batch: BatchId(small(row, "id")?), tag, audience: AudienceId(small(row, "audience")?) })
    };
    row.as_ref().map(open).transpose()
}

async fn begin(connection: &mut SqliteConnection, joining: &Joining) -> Work<Open> {
    let (known_as, source, columns) = (KnownAs::Nothing, joining.audience.clone(), joining.plan.columns.clone());
    let now = joining.now;
    let audience = audiences::begin(connection, NewAudience { known_as, source, columns, now }).await?;
    audiences::publish(connection, audience, 0, "{}".to_owned()).await?;
    let new = NewBatch {
        tag: joining.tag,
        plan: joining.plan.clone(),
        name: None,
        audience: joining.audience.clone(),
        audience_ids: vec![audience],
        starts_at: None,
        open_until: joining.open_until,
        now,
    };
    let batch = batches::begin(connection, new).await?;
    batches::publish(connection, batch, BatchState::Running, Origin::SERVER, now).await?;
    Ok(Open { batch, tag: joining.tag, audience })
}
