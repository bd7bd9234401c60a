//! Stores the audit log, to which entries are only added.

use std::net::IpAddr;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Work;
use super::facts::nonsense;
use super::rows::{Bound, decoded, for_values, maybe_small, timestamp};
use crate::base::domain::{AuditAction, Timestamp};
use crate::store::{AuditActor, AuditEntry, AuditFilter, AuditRequest, AuditWho, Cursor};

/// Entries deleted in one transaction.
const PIECE: u32 = 2_000;

mod actor {
    pub(super) const COMMAND: i64 = 0;
    pub(super) const CALLER: i64 = 1;
    pub(super) const SETUP_TOKEN: i64 = 2;
    pub(super) const UNPROVEN: i64 = 3;
}

pub(super) async fn record(connection: &mut SqliteConnection, entries: &[AuditEntry]) -> Work<()> {
    for_values(
        connection,
        "INSERT INTO audit_entry (at, action, actor, caller, name, object, peer, request, method, path, http_status)",
        "",
        11,
        entries,
        |query: Bound<'_>, entry| {
            let (actor, caller, name) = match &entry.actor {
                AuditActor::Command { name } => (actor::COMMAND, None, name.clone()),
                AuditActor::Caller { id, name } => (actor::CALLER, Some(id.clone()), name.clone()),
                AuditActor::SetupToken => (actor::SETUP_TOKEN, None, String::new()),
                AuditActor::Unproven { operator } => (actor::UNPROVEN, None, operator.clone().unwrap_or_default()),
            };
            let request = entry.request.as_ref();
            query
                .bind(entry.at.millis())
                .bind(entry.action.code())
                .bind(actor)
                .bind(caller)
                .bind(name)
                .bind(entry.object.clone())
                .bind(request.map(|request| request.peer.to_string()))
                .bind(request.map(|request| request.id.clone()))
                .bind(request.map(|request| request.method.clone()))
                .bind(request.map(|request| request.path.clone()))
                .bind(entry.http_status)
        },
    )
    .await?;
    Ok(())
}

pub(super) const LIST: &str =
    "SELECT * FROM (SELECT * FROM audit_entry WHERE id > ?1 ORDER BY id DESC LIMIT ?2) ORDER BY id";

pub(super) async fn list(
    connection: &mut SqliteConnection,
    after: Cursor,
    limit: u32,
) -> Work<Vec<(Cursor, AuditEntry)>> {
    positioned(&sqlx::query(LIST).bind(after.id()).bind(limit).fetch_all(connection).await?)
}

pub(super) const LIST_BEFORE: &str = "SELECT * FROM audit_entry WHERE id < ?1 ORDER BY id DESC LIMIT ?2";

pub(super) const BY_ACTION: &str = "SELECT * FROM audit_entry INDEXED BY audit_entry_action
     WHERE id < ?1 AND action = ?4 ORDER BY id DESC LIMIT ?2";
pub(super) const BY_NAME: &str = "SELECT * FROM audit_entry INDEXED BY audit_entry_name
     WHERE id < ?1 AND name = ?3 COLLATE NOCASE ORDER BY id DESC LIMIT ?2";
pub(super) const BY_NAME_AND_ACTION: &str = "SELECT * FROM audit_entry INDEXED BY audit_entry_name_action
     WHERE id < ?1 AND name = ?3 COLLATE NOCASE AND action = ?4 ORDER BY id DESC LIMIT ?2";
pub(super) const BY_CALLER: &str = "SELECT * FROM audit_entry INDEXED BY audit_entry_caller
     WHERE id < ?1 AND caller = ?3 ORDER BY id DESC LIMIT ?2";
pub(super) const BY_CALLER_AND_ACTION: &str = "SELECT * FROM audit_entry INDEXED BY audit_entry_caller_action
     WHERE id < ?1 AND caller = ?3 AND action = ?4 ORDER BY id DESC LIMIT ?2";

pub(super) async fn list_before(
    connection: &mut SqliteConnection,
    AuditFilter { who, action }: AuditFilter,
    before: Option<Cursor>,
    limit: u32,
) -> Work<Vec<(Cursor, AuditEntry)>> {
    let text = match (&who, action) {
        (None, None) => LIST_BEFORE,
        (None, Some(_)) => BY_ACTION,
        (Some(AuditWho::Name(_)), None) => BY_NAME,
        (Some(AuditWho::Name(_)), Some(_)) => BY_NAME_AND_ACTION,
        (Some(AuditWho::Caller(_)), None) => BY_CALLER,
        (Some(AuditWho::Caller(_)), Some(_)) => BY_CALLER_AND_ACTION,
    };
    let mut query = sqlx::query(text).bind(before.map_or(i64::MAX, Cursor::id)).bind(limit);
    if who.is_some() || action.is_some() {
        query = query.bind(who.map(AuditWho::into_text));
    }
    if let Some(action) = action {
        query = query.bind(action.code());
    }
    positioned(&query.fetch_all(connection).await?)
}

fn positioned(rows: &[SqliteRow]) -> Work<Vec<(Cursor, AuditEntry)>> {
    rows.iter().map(|row| Ok((Cursor::of_id(row.try_get("id")?), entry(row)?))).collect()
}

fn entry(row: &SqliteRow) -> Work<AuditEntry> {
    let name: String = row.try_get("name")?;
    let actor = match row.try_get::<i64, _>("actor")? {
        actor::COMMAND => AuditActor::Command { name },
        actor::CALLER => AuditActor::Caller { id: row.try_get("caller")?, name },
        actor::SETUP_TOKEN => AuditActor::SetupToken,
        actor::UNPROVEN => AuditActor::Unproven { operator: Some(name).filter(|name| !name.is_empty()) },
        _ => return Err(nonsense("audit_entry.actor").into()),
    };
    let request = match address(row, "peer")? {
        Some(peer) => Some(AuditRequest {
            id: row.try_get("request")?,
            peer,
            method: row.try_get("method")?,
            path: row.try_get("path")?,
        }),
        None => None,
    };
    Ok(AuditEntry {
        at: timestamp(row, "at")?,
        actor,
        request,
        action: decoded(row, "action", AuditAction::from_code)?,
        object: row.try_get("object")?,
        http_status: maybe_small(row, "http_status")?,
    })
}

/// Reads an IP address that may be missing.
pub(super) fn address(row: &SqliteRow, column: &'static str) -> Work<Option<IpAddr>> {
    let text: Option<String> = row.try_get(column)?;
    Ok(text.map(|text| text.parse().map_err(|_| nonsense(column))).transpose()?)
}

/// The trigger `audit_entry_is_kept` refuses to delete others than these.
pub(super) const FORGET: &str = "DELETE FROM audit_entry WHERE id IN (SELECT id FROM audit_entry
     WHERE at < ?1 AND at <= (SELECT max(at) FROM audit_entry) - 2592000000 ORDER BY at LIMIT ?2)";

pub(super) async fn forget(connection: &mut SqliteConnection, before: Timestamp) -> Work<u64> {
    Ok(sqlx::query(FORGET).bind(before.millis()).bind(PIECE).execute(connection).await?.rows_affected())
}
