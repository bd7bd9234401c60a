//! Stores keys of the API, and the setup token.

use std::num::NonZeroU32;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::audit::{self, address};
use super::facts::nonsense;
use super::rows::{decoded, maybe_json, maybe_small, maybe_timestamp, timestamp, to_json};
use super::{Error, Work};
use crate::base::domain::{KeyId, Purpose, Scope, Scopes, Timestamp};
use crate::store::{ApiKey, AuditEntry, KeyLimits, LastUse, SecretDigest, SetupToken};

pub(super) const FIND: &str = "SELECT * FROM api_key WHERE id = ?1";
pub(super) const NAMED: &str = "SELECT * FROM api_key WHERE name = ?1 AND revoked_at IS NULL";
pub(super) const LIST: &str = "SELECT * FROM api_key WHERE id > ?1 ORDER BY id LIMIT ?2";

pub(super) async fn find(connection: &mut SqliteConnection, id: KeyId) -> Work<Option<ApiKey>> {
    let row = sqlx::query(FIND).bind(number(id)).fetch_optional(connection).await?;
    row.as_ref().map(key).transpose()
}

pub(super) async fn named(connection: &mut SqliteConnection, name: String) -> Work<Option<ApiKey>> {
    let row = sqlx::query(NAMED).bind(name).fetch_optional(connection).await?;
    row.as_ref().map(key).transpose()
}

pub(super) async fn list(connection: &mut SqliteConnection, after: Option<KeyId>, limit: u32) -> Work<Vec<ApiKey>> {
    let rows = match after {
        Some(after) => sqlx::query(LIST).bind(number(after)).bind(limit).fetch_all(connection).await?,
        None => sqlx::query("SELECT * FROM api_key ORDER BY id LIMIT ?1").bind(limit).fetch_all(connection).await?,
    };
    rows.iter().map(key).collect()
}

pub(super) async fn create(
    connection: &mut SqliteConnection,
    key: ApiKey,
    setup: Option<SecretDigest>,
    entry: AuditEntry,
) -> Work<bool> {
    if named(&mut *connection, key.name.clone()).await?.is_some() {
        return Err(Error::NameTaken { name: key.name }.into());
    }
    if !uses_setup(&mut *connection, setup).await? {
        return Ok(false);
    }
    let KeyLimits { sub_accounts, lanes, addresses, requests_per_s, expires_at, purpose } = &key.limits;
    sqlx::query(
        "INSERT INTO api_key (id, name, scopes, secret, sub_accounts, lanes, addresses, requests_per_s, created_at,
                              created_by, expires_at, purpose)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )
    .bind(number(key.id))
    .bind(&key.name)
    .bind(key.scopes.bits())
    .bind(&key.secret.0[..])
    .bind(json(sub_accounts))
    .bind(json(lanes))
    .bind(json(addresses))
    .bind(requests_per_s.map(NonZeroU32::get))
    .bind(key.created_at.millis())
    .bind(&key.created_by)
    .bind(expires_at.map(Timestamp::millis))
    .bind(purpose.map(Purpose::code))
    .execute(&mut *connection)
    .await?;
    end_setup(&mut *connection, key.scopes).await?;
    audit::record(connection, &[entry]).await?;
    Ok(true)
}

pub(super) async fn rotate(
    connection: &mut SqliteConnection,
    id: KeyId,
    secret: SecretDigest,
    former_until: Option<Timestamp>,
    entry: AuditEntry,
) -> Work<bool> {
    let rotated = sqlx::query(
        "UPDATE api_key SET former = iif(?3 IS NULL, NULL, secret), former_until = ?3, secret = ?2
         WHERE id = ?1 AND revoked_at IS NULL",
    );
    let rotated = rotated.bind(number(id)).bind(&secret.0[..]).bind(former_until.map(Timestamp::millis));
    let is_rotated = rotated.execute(&mut *connection).await?.rows_affected() > 0;
    recorded(connection, is_rotated, entry).await
}

pub(super) async fn revoke(
    connection: &mut SqliteConnection,
    id: KeyId,
    now: Timestamp,
    entry: AuditEntry,
) -> Work<bool> {
    let revoked = sqlx::query("UPDATE api_key SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL");
    let revoked = revoked.bind(number(id)).bind(now.millis()).execute(&mut *connection).await?;
    recorded(connection, revoked.rows_affected() > 0, entry).await
}

/// Records a change if it was made.
pub(super) async fn recorded(connection: &mut SqliteConnection, is_changed: bool, entry: AuditEntry) -> Work<bool> {
    if is_changed {
        audit::record(connection, &[entry]).await?;
    }
    Ok(is_changed)
}

pub(super) async fn record_uses(connection: &mut SqliteConnection, uses: Vec<(KeyId, LastUse)>) -> Work<()> {
    // One row per key that was used in the last minute: a handful of statements.
    for (id, used) in uses {
        sqlx::query(
            "UPDATE api_key SET last_used_at = ?2, last_used_from = ?3
             WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)",
        )
        .bind(number(id))
        .bind(used.at.millis())
        .bind(used.from.to_string())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

pub(super) async fn offer_setup(connection: &mut SqliteConnection, token: SetupToken, now: Timestamp) -> Work<bool> {
    let offered = sqlx::query(
        "INSERT INTO setup_token (id, secret, expires_at)
         SELECT 1, ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM api_key) AND NOT EXISTS (SELECT 1 FROM operator)
         ON CONFLICT DO UPDATE SET secret = excluded.secret, expires_at = excluded.expires_at WHERE expires_at <= ?3",
    );
    let offered = offered.bind(&token.secret.0[..]).bind(token.expires_at.millis()).bind(now.millis());
    Ok(offered.execute(connection).await?.rows_affected() > 0)
}

pub(super) async fn setup_token(connection: &mut SqliteConnection) -> Work<Option<SetupToken>> {
    let row = sqlx::query("SELECT secret, expires_at FROM setup_token").fetch_optional(connection).await?;
    let token =
        |row: &SqliteRow| Ok(SetupToken { secret: digest(row, "secret")?, expires_at: timestamp(row, "expires_at")? });
    row.as_ref().map(token).transpose()
}

/// Removes the setup token that creates something; `false` if it is not stored. Without one, there is nothing to remove.
pub(super) async fn uses_setup(connection: &mut SqliteConnection, setup: Option<SecretDigest>) -> Work<bool> {
    let Some(setup) = setup else { return Ok(true) };
    let used = sqlx::query("DELETE FROM setup_token WHERE secret = ?1").bind(&setup.0[..]);
    Ok(used.execute(connection).await?.rows_affected() > 0)
}

/// Removes the setup token if there is an admin from now on.
pub(super) async fn end_setup(connection: &mut SqliteConnection, scopes: Scopes) -> Work<()> {
    if scopes.contain(Scope::Admin) {
        sqlx::query("DELETE FROM setup_token").execute(connection).await?;
    }
    Ok(())
}

fn number(id: KeyId) -> i64 {
    id.get().cast_signed()
}

fn json<T: Serialize>(list: &Option<T>) -> Option<String> {
    list.as_ref().map(to_json)
}

pub(super) fn digest(row: &SqliteRow, column: &'static str) -> Work<SecretDigest> {
    let digest: Vec<u8> = row.try_get(column)?;
    Ok(SecretDigest(digest.try_into().map_err(|_| nonsense(column))?))
}

fn key(row: &SqliteRow) -> Work<ApiKey> {
    fn list<T: DeserializeOwned>(row: &SqliteRow, column: &'static str) -> Work<Option<Vec<T>>> {
        maybe_json(row, column)
    }
    let former = match maybe_timestamp(row, "former_until")? {
        Some(until) => Some((digest(row, "former")?, until)),
        None => None,
    };
    let last_use = match (maybe_timestamp(row, "last_used_at")?, address(row, "last_used_from")?) {
        (Some(at), Some(from)) => Some(LastUse { at, from }),
        _ => None,
    };
    let requests_per_s: Option<u32> = maybe_small(row, "requests_per_s")?;
    Ok(ApiKey {
        id: KeyId::new(row.try_get::<i64, _>("id")?.cast_unsigned()),
        name: row.try_get("name")?,
        scopes: decoded(row, "scopes", Scopes::from_bits)?,
        limits: KeyLimits {
            sub_accounts: list(row, "sub_accounts")?,
            lanes: list(row, "lanes")?,
            addresses: list(row, "addresses")?,
            requests_per_s: requests_per_s
                .map(|limit| limit.try_into().map_err(|_| nonsense("api_key.requests_per_s")))
                .transpose()?,
            expires_at: maybe_timestamp(row, "expires_at")?,
            purpose: maybe_small::<u8>(row, "purpose")?
                .map(|code| Purpose::from_code(code).ok_or_else(|| nonsense("api_key.purpose")))
                .transpose()?,
        },
        secret: digest(row, "secret")?,
        former,
        created_at: timestamp(row, "created_at")?,
        created_by: row.try_get("created_by")?,
        revoked_at: maybe_timestamp(row, "revoked_at")?,
        last_use,
    })
}
