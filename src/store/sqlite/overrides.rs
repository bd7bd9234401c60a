//! Stores overrides: settings that an operator or the provider changes while a server runs. Also stores the provider's
//! account events and the fill times of token buckets.

use sqlx::{Row, SqliteConnection};

use super::batches::bump;
use super::rows::{Bound, decoded, for_values, from_json, small, timestamp, to_json};
use super::script::Script;
use super::{Work, lanes, nodes};
use crate::base::domain::{OverridableSetting, Timestamp};
use crate::base::events::{Event, EventKind, Origin, Subject};
use crate::store::{AccountEvent, BucketOf, NotedBucket, Override, ProviderReport};

pub(super) async fn all(connection: &mut SqliteConnection) -> Work<Vec<Override>> {
    let rows = sqlx::query("SELECT * FROM setting_override ORDER BY setting, name").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(Override {
                setting: decoded(row, "setting", OverridableSetting::from_code)?,
                name: row.try_get("name")?,
                value: row.try_get("value")?,
                in_file: row.try_get("in_file")?,
                origin: from_json(row, "origin")?,
                since: timestamp(row, "since")?,
            })
        })
        .collect()
}

pub(super) async fn set(connection: &mut SqliteConnection, overridden: Override, now: Timestamp) -> Work<Option<u64>> {
    if store(connection, &overridden, now).await? { bump(connection).await.map(Some) } else { Ok(None) }
}

/// Stores an override unless an earlier one takes precedence. Returns whether it is stored.
///
/// The later of two overrides applies. But a provider's rate limit never replaces a rate that an operator has set.
async fn store(connection: &mut SqliteConnection, overridden: &Override, now: Timestamp) -> Work<bool> {
    let stored = sqlx::query(
        "INSERT INTO setting_override (setting, name, value, in_file, by_operator, origin, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO UPDATE SET value = excluded.value, in_file = excluded.in_file, by_operator = excluded.by_operator,
             origin = excluded.origin, since = excluded.since
         WHERE excluded.in_file <> in_file
             OR excluded.since >= since AND NOT (setting = ?8 AND by_operator = 1 AND excluded.by_operator = 0)",
    )
    .bind(overridden.setting.code())
    .bind(&overridden.name)
    .bind(&overridden.value)
    .bind(&overridden.in_file)
    .bind(overridden.origin.is_operator())
    .bind(to_json(&overridden.origin))
    .bind(overridden.since.millis())
    .bind(OverridableSetting::Rate.code())
    .execute(&mut *connection)
    .await?
    .rows_affected()
        > 0;
    let (setting, value) = (overridden.setting, overridden.value.clone());
    let kind = if stored {
        EventKind::SettingOverridden { setting, value, in_file: overridden.in_file.clone() }
    } else {
        EventKind::OverrideIgnored { setting, value }
    };
    let event = Event { at: now, subject: overridden.subject(), origin: overridden.origin.clone(), kind };
    nodes::record_event(connection, event).await?;
    Ok(stored)
}

pub(super) async fn clear(
    connection: &mut SqliteConnection,
    setting: OverridableSetting,
    name: String,
    origin: Origin,
    now: Timestamp,
) -> Work<Option<u64>> {
    let was = sqlx::query("DELETE FROM setting_override WHERE setting = ?1 AND name = ?2 RETURNING value")
        .bind(setting.code())
        .bind(&name)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(was) = was else { return Ok(None) };
    let was: String = was.try_get("value")?;
    let kind = EventKind::OverrideEnded { setting, value: was };
    nodes::record_event(connection, Event { at: now, subject: Subject::of_setting(setting, &name), origin, kind })
        .await?;
    bump(connection).await.map(Some)
}

/// Ends an override of the quality guard, unless it was changed since it was read.
async fn end(connection: &mut SqliteConnection, known: Override, now: Timestamp) -> Work<()> {
    let ended = sqlx::query(
        "DELETE FROM setting_override WHERE setting = ?1 AND name = ?2 AND value = ?3 AND since = ?4 AND by_operator = 0",
    )
    .bind(known.setting.code())
    .bind(&known.name)
    .bind(&known.value)
    .bind(known.since.millis())
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if ended > 0 {
        let (subject, origin) = (known.subject(), Origin::rule("the quality is good again"));
        let kind = EventKind::OverrideEnded { setting: known.setting, value: known.value };
        nodes::record_event(connection, Event { at: now, subject, origin, kind }).await?;
    }
    Ok(())
}

const RECORD_BUCKET: &str = "INSERT INTO bucket (of_account, name, full_at) VALUES (?1, ?2, ?3)
     ON CONFLICT DO UPDATE SET full_at = max(full_at, excluded.full_at)";

/// Records when buckets are full again. Only slow lanes and accounts have any, so a group has a few at most.
pub(super) fn record_buckets(script: &mut Script, buckets: &[NotedBucket]) {
    for bucket in buckets {
        let (of_account, name) = match &bucket.of {
            BucketOf::Lane(name) => (0, name),
            BucketOf::Account(name) => (1, name),
        };
        script.statement(RECORD_BUCKET).bind(of_account).bind(name.clone()).bind(bucket.full_at.cast_signed());
    }
}

pub(super) async fn buckets(connection: &mut SqliteConnection) -> Work<Vec<NotedBucket>> {
    let rows = sqlx::query("SELECT * FROM bucket ORDER BY of_account, name").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let name = row.try_get("name")?;
            let of = if row.try_get("of_account")? { BucketOf::Account(name) } else { BucketOf::Lane(name) };
            Ok(NotedBucket { of, full_at: small(row, "full_at")? })
        })
        .collect()
}

/// Stores account events, each once, and applies the new ones. Returns how many are new. They are rare: some a day.
pub(super) async fn take_business(connection: &mut SqliteConnection, events: Vec<AccountEvent>) -> Work<u32> {
    let mut new = 0;
    for event in events {
        let kept = sqlx::query(
            "INSERT INTO account_event (id, received, happened_at, kind, raw) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
        )
        .bind(&event.id)
        .bind(event.received.millis())
        .bind(event.happened_at.millis())
        .bind(&event.kind)
        .bind(&event.raw)
        .execute(&mut *connection)
        .await?;
        if kept.rows_affected() > 0 {
            new += 1;
            apply(connection, event).await?;
        }
    }
    if new > 0 {
        bump(connection).await?;
    }
    Ok(new)
}

async fn apply(connection: &mut SqliteConnection, event: AccountEvent) -> Work<()> {
    let (at, happened_at) = (event.received, event.happened_at);
    for event in event.events {
        nodes::record_event(connection, event).await?;
    }
    for overridden in &event.overrides {
        store(connection, overridden, at).await?;
    }
    for ended in event.ended {
        end(connection, ended, at).await?;
    }
    for hold in &event.holds {
        // An event from before an operator's release does not hold again.
        lanes::add_hold(connection, hold, happened_at).await?;
    }
    for released in &event.releases {
        lanes::release_by_provider(connection, released, happened_at, at).await?;
    }
    for_values(
        connection,
        "INSERT INTO provider_report (about, what, value, at)",
        "ON CONFLICT DO UPDATE SET value = excluded.value, at = excluded.at WHERE excluded.at >= at",
        4,
        &event.reports,
        |query: Bound<'_>, report| {
            query
                .bind(to_json(&report.about))
                .bind(report.what.clone())
                .bind(report.value.clone())
                .bind(report.at.millis())
        },
    )
    .await?;
    Ok(())
}

pub(super) async fn provider_reports(connection: &mut SqliteConnection) -> Work<Vec<ProviderReport>> {
    let rows = sqlx::query("SELECT * FROM provider_report ORDER BY about, what").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(ProviderReport {
                about: from_json(row, "about")?,
                what: row.try_get("what")?,
                value: row.try_get("value")?,
                at: timestamp(row, "at")?,
            })
        })
        .collect()
}
