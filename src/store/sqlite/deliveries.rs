//! Stores the webhooks that Volley sends: those that wait, their results, and the alerts that are not over.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Work;
use super::rows::{Bound, decoded, for_values, from_json, maybe_small, maybe_timestamp, small, timestamp, to_json};
use crate::base::domain::{AlertKind, Span, Timestamp};
use crate::store::{
    AfterTrial, AlertKey, Delivery, DeliveryState, NewDelivery, OpenAlert, Receiver, ReceiverHealth, ReceiverKind,
    Replay, Trial, Tried,
};

/// Deliveries that are replayed or removed in one transaction.
const AT_ONCE: u32 = 2_000;

pub(super) async fn add(connection: &mut SqliteConnection, deliveries: &[NewDelivery], now: Timestamp) -> Work<()> {
    for_values(
        connection,
        "INSERT INTO delivery (receiver, event, type, order_key, url, body, created_at, next_at)",
        "",
        8,
        deliveries,
        |query: Bound<'_>, new| {
            query
                .bind(to_json(&new.receiver))
                .bind(new.event.clone())
                .bind(new.kind.clone())
                .bind(new.order_key.clone())
                .bind(new.url.clone())
                .bind(new.body.clone())
                .bind(now.millis())
                .bind(now.millis())
        },
    )
    .await?;
    Ok(())
}

/// Does the same for a few, and returns their numbers.
pub(super) async fn add_few(
    connection: &mut SqliteConnection,
    deliveries: Vec<NewDelivery>,
    now: Timestamp,
) -> Work<Vec<i64>> {
    let mut ids = Vec::with_capacity(deliveries.len());
    for new in deliveries {
        add(connection, std::slice::from_ref(&new), now).await?;
        ids.push(sqlx::query("SELECT last_insert_rowid() AS id").fetch_one(&mut *connection).await?.try_get("id")?);
    }
    Ok(ids)
}

/// Steps from one receiver to the next along the index, however many deliveries each has.
pub(super) const RECEIVERS: &str = "WITH RECURSIVE waiting (receiver) AS (
         SELECT min(receiver) FROM delivery INDEXED BY delivery_due WHERE state = 0 AND receiver > ?2 AND receiver < ?3
         UNION ALL
         SELECT (SELECT min(receiver) FROM delivery INDEXED BY delivery_due
                 WHERE state = 0 AND receiver > waiting.receiver AND receiver < ?3)
         FROM waiting WHERE waiting.receiver IS NOT NULL)
     SELECT receiver, (SELECT min(next_at) FROM delivery INDEXED BY delivery_due
                       WHERE state = 0 AND receiver = waiting.receiver) AS next_at
     FROM waiting WHERE receiver IS NOT NULL LIMIT ?1";

pub(super) async fn receivers(
    connection: &mut SqliteConnection,
    kind: ReceiverKind,
    after: Option<Receiver>,
    limit: u32,
) -> Work<Vec<(Receiver, Timestamp)>> {
    // The JSON of a receiver begins with its kind, and `;` follows `:`.
    let (first, end) = match kind {
        ReceiverKind::Subscription => ("{\"subscription\":", "{\"subscription\";"),
        ReceiverKind::Callback => ("{\"callback\":", "{\"callback\";"),
        ReceiverKind::Alert => ("{\"alert\":", "{\"alert\";"),
    };
    let after = after.as_ref().map_or_else(|| first.to_owned(), to_json);
    let rows = sqlx::query(RECEIVERS).bind(limit).bind(after).bind(end).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((from_json(row, "receiver")?, timestamp(row, "next_at")?))).collect()
}

pub(super) const DUE: &str = "SELECT * FROM delivery d INDEXED BY delivery_due
     WHERE d.state = 0 AND d.receiver = ?1 AND d.next_at <= ?2
         AND NOT EXISTS (SELECT 1 FROM delivery e INDEXED BY delivery_order
                         WHERE e.state = 0 AND e.receiver = ?1 AND e.order_key = d.order_key AND e.id < d.id)
     ORDER BY d.next_at, d.id LIMIT ?3";

pub(super) async fn due(
    connection: &mut SqliteConnection,
    receiver: Receiver,
    now: Timestamp,
    limit: u32,
) -> Work<Vec<Delivery>> {
    let query = sqlx::query(DUE).bind(to_json(&receiver)).bind(now.millis()).bind(limit);
    query.fetch_all(connection).await?.iter().map(delivery).collect()
}

fn delivery(row: &SqliteRow) -> Work<Delivery> {
    let latest = match maybe_timestamp(row, "tried_at")? {
        Some(at) => Some(Trial {
            at,
            took: Span::from_millis(row.try_get::<Option<i64>, _>("took_ms")?.unwrap_or_default()),
            status: maybe_small(row, "status")?,
            error: row.try_get("error")?,
            answer: row.try_get("answer")?,
        }),
        None => None,
    };
    Ok(Delivery {
        id: row.try_get("id")?,
        what: NewDelivery {
            receiver: from_json(row, "receiver")?,
            event: row.try_get("event")?,
            kind: row.try_get("type")?,
            order_key: row.try_get("order_key")?,
            url: row.try_get("url")?,
            body: row.try_get("body")?,
        },
        created_at: timestamp(row, "created_at")?,
        state: decoded(row, "state", DeliveryState::from_code)?,
        next_at: timestamp(row, "next_at")?,
        tries: small(row, "tries")?,
        begun_at: maybe_timestamp(row, "begun_at")?,
        latest,
    })
}

const RECORD: &str = "UPDATE delivery SET state = ?2, next_at = coalesce(?3, next_at), tries = tries + 1,
         begun_at = coalesce(begun_at, ?4), tried_at = ?4, took_ms = ?5, status = ?6, error = ?7, answer = ?8
     WHERE id = ?1 AND state = 0";

/// Deliveries about the same wait with it: if they stayed due, each look would read all of them.
pub(super) const POSTPONE: &str = "UPDATE delivery INDEXED BY delivery_order SET next_at = ?3
     WHERE state = 0 AND receiver = ?1 AND order_key = ?2 AND next_at < ?3";

const COUNT: &str = "INSERT INTO receiver_health (receiver, delivered, given_up, succeeded_at, failing_since)
     VALUES (?1, ?2, ?3, iif(?5, ?4, NULL), iif(?5, NULL, ?4))
     ON CONFLICT DO UPDATE SET delivered = delivered + excluded.delivered, given_up = given_up + excluded.given_up,
         succeeded_at = coalesce(excluded.succeeded_at, succeeded_at),
         failing_since = iif(?5, NULL, coalesce(failing_since, ?4))";

pub(super) async fn record(connection: &mut SqliteConnection, tries: Vec<Tried>) -> Work<()> {
    for Tried { id, receiver, order_key, trial, then } in tries {
        let (state, next_at) = match then {
            AfterTrial::Delivered => (DeliveryState::Delivered, None),
            AfterTrial::Retry(at) => (DeliveryState::Waiting, Some(at.millis())),
            AfterTrial::GiveUp => (DeliveryState::GivenUp, None),
        };
        let recorded = sqlx::query(RECORD)
            .bind(id)
            .bind(state as i64)
            .bind(next_at)
            .bind(trial.at.millis())
            .bind(trial.took.millis())
            .bind(trial.status)
            .bind(trial.error)
            .bind(trial.answer)
            .execute(&mut *connection)
            .await?
            .rows_affected();
        let receiver = to_json(&receiver);
        if let Some(at) = next_at {
            let query = sqlx::query(POSTPONE).bind(&receiver).bind(order_key).bind(at);
            query.execute(&mut *connection).await?;
        }
        sqlx::query(COUNT)
            .bind(receiver)
            .bind(i64::from(recorded > 0 && state == DeliveryState::Delivered))
            .bind(i64::from(recorded > 0 && state == DeliveryState::GivenUp))
            .bind(trial.at.millis())
            .bind(state == DeliveryState::Delivered)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) const HEALTH: &str =
    "SELECT h.* FROM json_each(?1) named CROSS JOIN receiver_health h ON h.receiver = named.value";

pub(super) async fn health(connection: &mut SqliteConnection, receivers: Vec<Receiver>) -> Work<Vec<ReceiverHealth>> {
    let names: Vec<String> = receivers.iter().map(to_json).collect();
    let rows = sqlx::query(HEALTH).bind(to_json(&names)).fetch_all(connection).await?;
    let health = |row: &SqliteRow| {
        Ok(ReceiverHealth {
            receiver: from_json(row, "receiver")?,
            delivered: small(row, "delivered")?,
            given_up: small(row, "given_up")?,
            succeeded_at: maybe_timestamp(row, "succeeded_at")?,
            failing_since: maybe_timestamp(row, "failing_since")?,
        })
    };
    rows.iter().map(health).collect()
}

pub(super) const LOG: &str =
    "SELECT * FROM delivery INDEXED BY delivery_receiver WHERE receiver = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";

pub(super) const FAILED: &str = "SELECT * FROM delivery INDEXED BY delivery_failed
     WHERE (state = 2 OR (state = 0 AND tries > 0)) AND receiver = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";

/// The deliveries of a statement, [`LOG`] or [`FAILED`].
pub(super) async fn list(
    connection: &mut SqliteConnection,
    statement: &'static str,
    receiver: Receiver,
    before: Option<i64>,
    limit: u32,
) -> Work<Vec<Delivery>> {
    let query = sqlx::query(statement).bind(to_json(&receiver)).bind(before.unwrap_or(i64::MAX)).bind(limit);
    query.fetch_all(connection).await?.iter().map(delivery).collect()
}

pub(super) async fn one(connection: &mut SqliteConnection, id: i64) -> Work<Option<Delivery>> {
    let row = sqlx::query("SELECT * FROM delivery WHERE id = ?1").bind(id).fetch_optional(connection).await?;
    row.as_ref().map(delivery).transpose()
}

/// Where a replay continues: after this delivery.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replayed {
    pub(super) count: u64,
    pub(super) last: Option<i64>,
}

/// A delivery that is sent once more is a new one, as far as its tries are concerned.
pub(super) const REPLAY: &str = "UPDATE delivery SET state = 0, next_at = ?2, tries = 0, begun_at = NULL
     WHERE state <> 0 AND id IN (SELECT value FROM json_each(?1))";

pub(super) const IN_TIME: &str = "SELECT id FROM delivery INDEXED BY delivery_receiver
     WHERE receiver = ?1 AND id > ?2 AND created_at >= ?3 AND created_at < ?4 ORDER BY id LIMIT ?5";

pub(super) async fn replay(
    connection: &mut SqliteConnection,
    receiver: Receiver,
    what: Replay,
    after: i64,
    now: Timestamp,
) -> Work<Replayed> {
    let receiver = to_json(&receiver);
    let rows = match what {
        Replay::One(id) if after < id => {
            let query = sqlx::query("SELECT id FROM delivery WHERE receiver = ?1 AND id = ?2").bind(receiver).bind(id);
            query.fetch_all(&mut *connection).await?
        }
        Replay::One(_) => Vec::new(),
        Replay::Between { from, until } => {
            let query = sqlx::query(IN_TIME).bind(receiver).bind(after).bind(from.millis()).bind(until.millis());
            query.bind(AT_ONCE).fetch_all(&mut *connection).await?
        }
    };
    let ids = rows.iter().map(|row| Ok(row.try_get::<i64, _>("id")?)).collect::<Work<Vec<_>>>()?;
    let again = sqlx::query(REPLAY).bind(super::rows::json_list(ids.iter().copied())).bind(now.millis());
    Ok(Replayed { count: again.execute(connection).await?.rows_affected(), last: ids.last().copied() })
}

/// Webhooks that wait for a repeat are tried at once.
pub(super) const BEGIN_AGAIN: &str = "UPDATE delivery INDEXED BY delivery_due SET next_at = ?2, tries = 0
     WHERE state = 0 AND receiver = ?1 AND next_at > ?2";

/// Lets the webhooks that wait for a receiver be tried again, from now on.
pub(super) async fn begin_again(connection: &mut SqliteConnection, receiver: &Receiver, now: Timestamp) -> Work<()> {
    let receiver = to_json(receiver);
    sqlx::query(BEGIN_AGAIN).bind(&receiver).bind(now.millis()).execute(&mut *connection).await?;
    let query = sqlx::query("UPDATE receiver_health SET failing_since = NULL WHERE receiver = ?1").bind(receiver);
    query.execute(connection).await?;
    Ok(())
}

pub(super) const GIVE_UP: &str = "UPDATE delivery SET state = ?2, error = ?3 WHERE id IN
     (SELECT id FROM delivery INDEXED BY delivery_due WHERE state = 0 AND receiver = ?1 LIMIT ?4)";

/// Gives up one piece of the webhooks that wait for a removed subscription. Returns how many.
pub(super) async fn give_up(connection: &mut SqliteConnection, receiver: Receiver) -> Work<u64> {
    let query = sqlx::query(GIVE_UP).bind(to_json(&receiver)).bind(DeliveryState::GivenUp as i64);
    let query = query.bind("the subscription was removed").bind(AT_ONCE);
    Ok(query.execute(connection).await?.rows_affected())
}

pub(super) const FORGET: &str = "DELETE FROM delivery WHERE id IN
     (SELECT id FROM delivery INDEXED BY delivery_created WHERE created_at < ?1 LIMIT ?2)";

/// Removes one piece of the deliveries from before a time. Returns how many.
pub(super) async fn forget(connection: &mut SqliteConnection, before: Timestamp) -> Work<u64> {
    let query = sqlx::query(FORGET).bind(before.millis()).bind(AT_ONCE);
    let forgotten = query.execute(&mut *connection).await?.rows_affected();
    if forgotten == 0 {
        // Clients may name any number of servers, each of which would leave a row.
        sqlx::query(FORGET_HEALTH).bind(before.millis()).execute(connection).await?;
    }
    Ok(forgotten)
}

const FORGET_HEALTH: &str = "DELETE FROM receiver_health
     WHERE receiver ->> '$.callback' IS NOT NULL AND max(ifnull(succeeded_at, 0), ifnull(failing_since, 0)) < ?1";

pub(super) async fn keep_alerts(connection: &mut SqliteConnection, alerts: &[OpenAlert]) -> Work<()> {
    for OpenAlert { key, began_at, ended_at, event, text } in alerts {
        sqlx::query(
            "INSERT INTO alert (name, kind, subject, detail, began_at, ended_at, event, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET began_at = excluded.began_at, ended_at = excluded.ended_at, event = excluded.event,
                 text = excluded.text",
        )
        .bind(&key.name)
        .bind(key.kind.code())
        .bind(to_json(&key.subject))
        .bind(&key.detail)
        .bind(began_at.millis())
        .bind(ended_at.map(Timestamp::millis))
        .bind(event)
        .bind(text)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

pub(super) async fn alerts(connection: &mut SqliteConnection) -> Work<Vec<OpenAlert>> {
    let rows = sqlx::query("SELECT * FROM alert ORDER BY name, kind, subject").fetch_all(connection).await?;
    let alert = |row: &SqliteRow| {
        Ok(OpenAlert {
            key: AlertKey {
                name: row.try_get("name")?,
                kind: decoded(row, "kind", AlertKind::from_code)?,
                subject: from_json(row, "subject")?,
                detail: row.try_get("detail")?,
            },
            began_at: timestamp(row, "began_at")?,
            ended_at: maybe_timestamp(row, "ended_at")?,
            event: row.try_get("event")?,
            text: row.try_get("text")?,
        })
    };
    rows.iter().map(alert).collect()
}

const END: &str = "DELETE FROM alert WHERE name = ?1 AND kind = ?2 AND subject = ?3 AND detail = ?4 AND ended_at <= ?5";

pub(super) async fn end_alerts(
    connection: &mut SqliteConnection,
    ended: Vec<(AlertKey, NewDelivery)>,
    before: Timestamp,
    now: Timestamp,
) -> Work<()> {
    for (key, delivery) in ended {
        let removed = sqlx::query(END)
            .bind(key.name)
            .bind(key.kind.code())
            .bind(to_json(&key.subject))
            .bind(key.detail)
            .bind(before.millis())
            .execute(&mut *connection)
            .await?;
        if removed.rows_affected() > 0 {
            add(connection, &[delivery], now).await?;
        }
    }
    Ok(())
}
