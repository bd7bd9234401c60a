//! Stores the requests of the API that are carried out once, and the server's own secrets.

use sqlx::{Row, SqliteConnection};

use super::Work;
use super::facts::nonsense;
use super::rows::timestamp;
use crate::base::domain::{Span, Timestamp};
use crate::store::{Begun, NewRequest, RequestKey, StoredAnswer};

/// How much longer a request without an answer is kept.
const UNANSWERED_FOR: Span = Span::from_secs(90 * 86_400);
/// Requests forgotten in one transaction.
const PIECE: u32 = 1_000;

pub(super) async fn begin(connection: &mut SqliteConnection, new: NewRequest) -> Work<Begun> {
    let begun = sqlx::query(
        "INSERT INTO idempotent (caller, key, digest, run, begun_at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
    )
    .bind(&new.of.caller)
    .bind(&new.of.key)
    .bind(&new.digest[..])
    .bind(new.run.cast_signed())
    .bind(new.now.millis())
    .execute(&mut *connection)
    .await?;
    if begun.rows_affected() == 1 {
        return Ok(Begun::New);
    }
    let row = sqlx::query(
        "SELECT digest, run, begun_at, status, headers, body FROM idempotent WHERE caller = ?1 AND key = ?2",
    )
    .bind(&new.of.caller)
    .bind(&new.of.key)
    .fetch_one(connection)
    .await?;
    if row.try_get::<Vec<u8>, _>("digest")? != new.digest {
        return Ok(Begun::Other);
    }
    if let Some(status) = row.try_get::<Option<u16>, _>("status")? {
        let headers: String = row.try_get("headers")?;
        let headers = serde_json::from_str(&headers).map_err(|_| nonsense("idempotent.headers"))?;
        return Ok(Begun::Finished(StoredAnswer { status, headers, body: row.try_get("body")? }));
    }
    if row.try_get::<i64, _>("run")? == new.run.cast_signed() {
        return Ok(Begun::InProgress);
    }
    Ok(Begun::Interrupted { begun_at: timestamp(&row, "begun_at")? })
}

/// Stores an answer. It is kept from now on: a request may take longer than its answer is kept.
pub(super) async fn finish(
    connection: &mut SqliteConnection,
    of: &RequestKey,
    answer: &StoredAnswer,
    now: Timestamp,
) -> Work<()> {
    let headers = serde_json::to_string(&answer.headers).map_err(|_| nonsense("idempotent.headers"))?;
    sqlx::query(
        "UPDATE idempotent SET status = ?3, headers = ?4, body = ?5, begun_at = ?6
         WHERE caller = ?1 AND key = ?2 AND status IS NULL",
    )
    .bind(&of.caller)
    .bind(&of.key)
    .bind(answer.status)
    .bind(headers)
    .bind(&answer.body)
    .bind(now.millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that nothing is known of the result of a request. No start of the server has the number 0.
pub(super) async fn interrupt(connection: &mut SqliteConnection, of: &RequestKey) -> Work<()> {
    sqlx::query("UPDATE idempotent SET run = 0 WHERE caller = ?1 AND key = ?2 AND status IS NULL")
        .bind(&of.caller)
        .bind(&of.key)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn forget(connection: &mut SqliteConnection, of: &RequestKey) -> Work<()> {
    sqlx::query("DELETE FROM idempotent WHERE caller = ?1 AND key = ?2 AND status IS NULL")
        .bind(&of.caller)
        .bind(&of.key)
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets one piece of the old requests. Returns whether there may be more.
///
/// A request without an answer may still be carried out, and would be carried out again if it were forgotten. It is kept for
/// longer than any request takes.
pub(super) async fn forget_old(connection: &mut SqliteConnection, before: Timestamp) -> Work<bool> {
    let gone = sqlx::query(
        "DELETE FROM idempotent WHERE id IN (SELECT id FROM idempotent WHERE begun_at < ?1
             AND (status IS NOT NULL OR begun_at < ?3) ORDER BY begun_at LIMIT ?2)",
    )
    .bind(before.millis())
    .bind(PIECE)
    .bind((before - UNANSWERED_FOR).millis())
    .execute(&mut *connection)
    .await?;
    let ids = sqlx::query(
        "DELETE FROM api_client_id WHERE (sub_account, client_id) IN
         (SELECT sub_account, client_id FROM api_client_id WHERE accepted_at < ?1 ORDER BY accepted_at LIMIT ?2)",
    )
    .bind(before.millis())
    .bind(PIECE)
    .execute(connection)
    .await?;
    Ok(gone.rows_affected().max(ids.rows_affected()) == u64::from(PIECE))
}

pub(super) async fn own_secret(
    connection: &mut SqliteConnection,
    purpose: &'static str,
    new: [u8; 32],
) -> Work<[u8; 32]> {
    sqlx::query("INSERT INTO own_secret (purpose, secret) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
        .bind(purpose)
        .bind(&new[..])
        .execute(&mut *connection)
        .await?;
    let secret: Vec<u8> = sqlx::query_scalar("SELECT secret FROM own_secret WHERE purpose = ?1")
        .bind(purpose)
        .fetch_one(connection)
        .await?;
    secret.try_into().map_err(|_| nonsense("own_secret.secret").into())
}
