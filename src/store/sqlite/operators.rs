//! Stores operators with the hashes of their passwords.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::api_keys::{end_setup, recorded, uses_setup};
use super::rows::{decoded, maybe_timestamp, timestamp};
use super::{Error, Work, audit, sessions, shared_reports};
use crate::base::domain::{Scope, Scopes, Timestamp};
use crate::store::{AuditEntry, OperatorAccount, PasswordHash, ScopesSet, SecretDigest};

pub(super) const FIND: &str = "SELECT * FROM operator WHERE name = ?1";
pub(super) const LIST: &str = "SELECT * FROM operator WHERE name > ?1 ORDER BY name LIMIT ?2";

pub(super) async fn find(connection: &mut SqliteConnection, name: String) -> Work<Option<OperatorAccount>> {
    let row = sqlx::query(FIND).bind(name).fetch_optional(connection).await?;
    row.as_ref().map(operator).transpose()
}

pub(super) async fn list(
    connection: &mut SqliteConnection,
    after: Option<String>,
    limit: u32,
) -> Work<Vec<OperatorAccount>> {
    // No operator has an empty name.
    let rows = sqlx::query(LIST).bind(after.unwrap_or_default()).bind(limit).fetch_all(connection).await?;
    rows.iter().map(operator).collect()
}

pub(super) async fn create(
    connection: &mut SqliteConnection,
    operator: OperatorAccount,
    setup: Option<SecretDigest>,
    entry: AuditEntry,
) -> Work<bool> {
    if find(&mut *connection, operator.name.clone()).await?.is_some() {
        return Err(Error::NameTaken { name: operator.name }.into());
    }
    if !uses_setup(&mut *connection, setup).await? {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO operator (name, scopes, password, created_at, created_by, password_set_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(&operator.name)
    .bind(operator.scopes.bits())
    .bind(&operator.password.0)
    .bind(operator.created_at.millis())
    .bind(&operator.created_by)
    .bind(operator.password_set_at.millis())
    .execute(&mut *connection)
    .await?;
    end_setup(&mut *connection, operator.scopes).await?;
    audit::record(connection, &[entry]).await?;
    Ok(true)
}

pub(super) async fn set_password(
    connection: &mut SqliteConnection,
    name: String,
    password: PasswordHash,
    entry: AuditEntry,
) -> Work<bool> {
    let set = sqlx::query("UPDATE operator SET password = ?2, password_set_at = ?3 WHERE name = ?1");
    let set = set.bind(&name).bind(password.0).bind(entry.at.millis()).execute(&mut *connection).await?;
    sessions::end_all(&mut *connection, &name).await?;
    recorded(connection, set.rows_affected() > 0, entry).await
}

pub(super) async fn set_scopes(
    connection: &mut SqliteConnection,
    name: String,
    scopes: Scopes,
    entry: AuditEntry,
) -> Work<ScopesSet> {
    let Some(operator) = find(&mut *connection, name.clone()).await? else { return Ok(ScopesSet::Unchanged) };
    if operator.scopes == scopes {
        return Ok(ScopesSet::Unchanged);
    }
    let takes_admin = operator.scopes.contain(Scope::Admin) && !scopes.contain(Scope::Admin);
    if takes_admin && !has_other_admin(&mut *connection, &name).await? {
        return Ok(ScopesSet::NoAdminLeft);
    }
    let set = sqlx::query("UPDATE operator SET scopes = ?2 WHERE name = ?1");
    set.bind(&name).bind(scopes.bits()).execute(&mut *connection).await?;
    end_setup(&mut *connection, scopes).await?;
    audit::record(connection, &[entry]).await?;
    Ok(ScopesSet::Set)
}

/// Whether an operator with another name has the scope `admin` and can sign in.
async fn has_other_admin(connection: &mut SqliteConnection, name: &str) -> Work<bool> {
    let others = sqlx::query("SELECT scopes FROM operator WHERE name <> ?1 AND disabled_at IS NULL");
    let others = others.bind(name).fetch_all(connection).await?;
    let scopes: Vec<Scopes> =
        others.iter().map(|row| decoded(row, "scopes", Scopes::from_bits)).collect::<Work<_>>()?;
    Ok(scopes.iter().any(|scopes| scopes.contain(Scope::Admin)))
}

pub(super) async fn set_disabled(
    connection: &mut SqliteConnection,
    name: String,
    since: Option<Timestamp>,
    entry: AuditEntry,
) -> Work<bool> {
    let set =
        sqlx::query("UPDATE operator SET disabled_at = ?2 WHERE name = ?1 AND (disabled_at IS NULL) <> (?2 IS NULL)");
    let set = set.bind(&name).bind(since.map(Timestamp::millis)).execute(&mut *connection).await?;
    if since.is_some() {
        sessions::end_all(&mut *connection, &name).await?;
        shared_reports::end_all(&mut *connection, &name).await?;
    }
    recorded(connection, set.rows_affected() > 0, entry).await
}

pub(super) fn operator(row: &SqliteRow) -> Work<OperatorAccount> {
    Ok(OperatorAccount {
        name: row.try_get("name")?,
        scopes: decoded(row, "scopes", Scopes::from_bits)?,
        password: PasswordHash(row.try_get("password")?),
        password_set_at: timestamp(row, "password_set_at")?,
        created_at: timestamp(row, "created_at")?,
        created_by: row.try_get("created_by")?,
        disabled_at: maybe_timestamp(row, "disabled_at")?,
    })
}
