//! Stores overrides: settings that an operator or the provider changes while a server runs. Also stores the provider's
//! account events and the fill times of token buckets.

use sqlx::{Row, SqliteConnection};

use super::batches::bump;
use super::rows::{Bound, decoded, for_values, from_json, small, timestamp, to_json};
use super::script::Script;
use super::{Work, lanes, nodes};
use crate::domain::{Knob, Timestamp};
use crate::events::{Event, EventKind, Origin, Subject};
use crate::store::{BucketOf, BusinessEvent, Dial, NotedBucket, Said};

pub(super) async fn all(connection: &mut SqliteConnection) -> Work<Vec<Dial>> {
    let rows = sqlx::query("SELECT * FROM dial ORDER BY what, name").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(Dial {
                knob: decoded(row, "what", Knob::from_code)?,
                name: row.try_get("name")?,
                value: row.try_get("value")?,
                in_file: row.try_get("in_file")?,
                origin: from_json(row, "origin")?,
                since: timestamp(row, "since")?,
            })
        })
        .collect()
}

pub(super) async fn set(connection: &mut SqliteConnection, dial: Dial, now: Timestamp) -> Work<Option<u64>> {
    if store(connection, &dial, now).await? { bump(connection).await.map(Some) } else { Ok(None) }
}

/// Stores an override unless an earlier one takes precedence. Returns whether it is stored.
///
/// The later of two overrides applies. But a provider's rate limit never replaces a rate that an operator has set.
async fn store(connection: &mut SqliteConnection, dial: &Dial, now: Timestamp) -> Work<bool> {
    let stored = sqlx::query(
        "INSERT INTO dial (what, name, value, in_file, by_person, origin, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO UPDATE SET value = excluded.value, in_file = excluded.in_file, by_person = excluded.by_person,
             origin = excluded.origin, since = excluded.since
         WHERE excluded.in_file <> in_file
             OR excluded.since >= since AND NOT (what = ?8 AND by_person = 1 AND excluded.by_person = 0)",
    )
    .bind(dial.knob.code())
    .bind(&dial.name)
    .bind(&dial.value)
    .bind(&dial.in_file)
    .bind(dial.origin.is_operator())
    .bind(to_json(&dial.origin))
    .bind(dial.since.millis())
    .bind(Knob::Rate.code())
    .execute(&mut *connection)
    .await?
    .rows_affected()
        > 0;
    let (setting, value) = (dial.knob, dial.value.clone());
    let kind = if stored {
        EventKind::SettingOverridden { setting, value, in_file: dial.in_file.clone() }
    } else {
        EventKind::OverrideIgnored { setting, value }
    };
    let event = Event { at: now, subject: dial.subject(), origin: dial.origin.clone(), kind };
    nodes::record_event(connection, event).await?;
    Ok(stored)
}

pub(super) async fn clear(
    connection: &mut SqliteConnection,
    knob: Knob,
    name: String,
    origin: Origin,
    now: Timestamp,
) -> Work<Option<u64>> {
    let was = sqlx::query("DELETE FROM dial WHERE what = ?1 AND name = ?2 RETURNING value")
        .bind(knob.code())
        .bind(&name)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(was) = was else { return Ok(None) };
    let was: String = was.try_get("value")?;
    let kind = EventKind::OverrideEnded { setting: knob, value: was };
    nodes::record_event(connection, Event { at: now, subject: Subject::of_setting(knob, &name), origin, kind }).await?;
    bump(connection).await.map(Some)
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
pub(super) async fn take_business(connection: &mut SqliteConnection, events: Vec<BusinessEvent>) -> Work<u32> {
    let mut new = 0;
    for event in events {
        let kept = sqlx::query(
            "INSERT INTO business_event (id, received, said, kind, raw) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
        )
        .bind(&event.id)
        .bind(event.received.millis())
        .bind(event.said.millis())
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

async fn apply(connection: &mut SqliteConnection, event: BusinessEvent) -> Work<()> {
    let (at, said) = (event.received, event.said);
    for event in event.told {
        nodes::record_event(connection, event).await?;
    }
    for dial in &event.dials {
        store(connection, dial, at).await?;
    }
    for hold in &event.holds {
        // An event from before an operator's release does not hold again.
        lanes::add_hold(connection, hold, said).await?;
    }
    for lift in &event.lifts {
        lanes::release_by_provider(connection, lift, said, at).await?;
    }
    for_values(
        connection,
        "INSERT INTO said (about, what, value, at)",
        "ON CONFLICT DO UPDATE SET value = excluded.value, at = excluded.at WHERE excluded.at >= at",
        4,
        &event.says,
        |query: Bound<'_>, said| {
            query.bind(to_json(&said.about)).bind(said.what.clone()).bind(said.value.clone()).bind(said.at.millis())
        },
    )
    .await?;
    Ok(())
}

pub(super) async fn said(connection: &mut SqliteConnection) -> Work<Vec<Said>> {
    let rows = sqlx::query("SELECT * FROM said ORDER BY about, what").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(Said {
                about: from_json(row, "about")?,
                what: row.try_get("what")?,
                value: row.try_get("value")?,
                at: timestamp(row, "at")?,
            })
        })
        .collect()
}
