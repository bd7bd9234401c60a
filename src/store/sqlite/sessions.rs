//! Stores the sessions of operators.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::api_keys::{digest, recorded};
use super::operators::operator;
use super::rows::timestamp;
use super::{Error, Work};
use crate::base::domain::{Timestamp, Zone};
use crate::store::{AuditEntry, OperatorAccount, SecretDigest, Session};

pub(super) const FIND: &str =
    "SELECT * FROM session JOIN operator ON operator.name = session.operator WHERE secret = ?1";
pub(super) const END_ALL: &str = "DELETE FROM session WHERE operator = ?1";
pub(super) const FORGET: &str =
    "DELETE FROM session WHERE secret IN (SELECT secret FROM session WHERE used_at < ?1 LIMIT 500)";

pub(super) async fn begin(connection: &mut SqliteConnection, session: Session, entry: AuditEntry) -> Work<bool> {
    let begun = sqlx::query(
        "INSERT INTO session (secret, operator, zone, begun_at, used_at)
         SELECT ?1, name, ?3, ?4, ?5 FROM operator WHERE name = ?2 AND disabled_at IS NULL",
    )
    .bind(&session.secret.0[..])
    .bind(&session.operator)
    .bind(session.zone.map(|zone| zone.to_string()))
    .bind(session.begun_at.millis())
    .bind(session.used_at.millis())
    .execute(&mut *connection)
    .await?;
    recorded(connection, begun.rows_affected() > 0, entry).await
}

pub(super) async fn find(
    connection: &mut SqliteConnection,
    secret: SecretDigest,
) -> Work<Option<(Session, OperatorAccount)>> {
    let row = sqlx::query(FIND).bind(&secret.0[..]).fetch_optional(connection).await?;
    row.as_ref().map(|row| Ok((session(row)?, operator(row)?))).transpose()
}

pub(super) async fn record_use(connection: &mut SqliteConnection, secret: SecretDigest, at: Timestamp) -> Work<()> {
    let used = sqlx::query("UPDATE session SET used_at = ?2 WHERE secret = ?1 AND used_at < ?2");
    used.bind(&secret.0[..]).bind(at.millis()).execute(connection).await?;
    Ok(())
}

pub(super) async fn set_zone(connection: &mut SqliteConnection, secret: SecretDigest, zone: Zone) -> Work<()> {
    let set = sqlx::query("UPDATE session SET zone = ?2 WHERE secret = ?1");
    set.bind(&secret.0[..]).bind(zone.to_string()).execute(connection).await?;
    Ok(())
}

pub(super) async fn end(connection: &mut SqliteConnection, secret: SecretDigest, entry: AuditEntry) -> Work<bool> {
    let ended = sqlx::query("DELETE FROM session WHERE secret = ?1").bind(&secret.0[..]);
    let is_ended = ended.execute(&mut *connection).await?.rows_affected() > 0;
    recorded(connection, is_ended, entry).await
}

/// Ends the sessions of an operator, in the transaction that takes their ground away.
pub(super) async fn end_all(connection: &mut SqliteConnection, operator: &str) -> Work<()> {
    sqlx::query(END_ALL).bind(operator).execute(connection).await?;
    Ok(())
}

/// Removes some of the sessions that were last used before then; returns how many.
pub(super) async fn forget(connection: &mut SqliteConnection, before: Timestamp) -> Work<u64> {
    Ok(sqlx::query(FORGET).bind(before.millis()).execute(connection).await?.rows_affected())
}

fn session(row: &SqliteRow) -> Work<Session> {
    let zone: Option<String> = row.try_get("zone")?;
    let unknown = |zone: String| Error::InvalidRow { what: zone, place: "session.zone".to_owned() };
    Ok(Session {
        secret: digest(row, "secret")?,
        operator: row.try_get("operator")?,
        zone: zone.map(|zone| zone.parse().map_err(|_| unknown(zone))).transpose()?,
        begun_at: timestamp(row, "begun_at")?,
        used_at: timestamp(row, "used_at")?,
    })
}
