//! Stores lanes, and the holds that keep them from sending.

use std::collections::BTreeSet;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Work;
use super::batches::bump;
use super::rows::{Bound, decoded, for_values, from_json, maybe_small, small, timestamp, to_json};
use crate::base::domain::{Channel, LaneId, Timestamp};
use crate::base::events::{Event, EventKind, Origin, Subject};
use crate::store::{HeldBy, Hold, Release, ReleasedBy, StoredLane};

pub(super) async fn lanes(connection: &mut SqliteConnection, lanes: Vec<(String, Channel)>) -> Work<Vec<StoredLane>> {
    for_values(
        connection,
        "INSERT INTO lane (name, channel)",
        "ON CONFLICT DO UPDATE SET channel = excluded.channel",
        2,
        &lanes,
        |query: Bound<'_>, (name, channel)| query.bind(name.clone()).bind(channel.code()),
    )
    .await?;
    known(connection).await
}

pub(super) async fn known(connection: &mut SqliteConnection) -> Work<Vec<StoredLane>> {
    let rows = sqlx::query("SELECT * FROM lane ORDER BY id").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(StoredLane {
                id: LaneId(small(row, "id")?),
                name: row.try_get("name")?,
                channel: decoded(row, "channel", Channel::from_code)?,
            })
        })
        .collect()
}

pub(super) async fn holds(connection: &mut SqliteConnection) -> Work<Vec<Hold>> {
    let rows = sqlx::query("SELECT * FROM hold ORDER BY lane, template, language, since").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(Hold {
                lane: row.try_get("lane")?,
                template: row.try_get("template")?,
                language: row.try_get("language")?,
                by: decoded(row, "held_by", HeldBy::from_code)?,
                code: maybe_small(row, "code")?,
                origin: from_json(row, "origin")?,
                since: timestamp(row, "since")?,
            })
        })
        .collect()
}

pub(super) async fn hold(connection: &mut SqliteConnection, hold: Hold, begun: Timestamp) -> Work<u64> {
    add_hold(connection, &hold, begun).await?;
    bump(connection).await
}

/// The part of a hold's key that tells who holds: the provider, an operator or the quality guard. Each has a hold of its own,
/// and releases of one leave those of the others.
const fn holder(by: HeldBy) -> i64 {
    match by {
        HeldBy::Answer | HeldBy::Receipt | HeldBy::Event => 0,
        HeldBy::Operator => 1,
        HeldBy::Quality => 2,
    }
}

/// Adds a hold, unless it was released after `begun`.
///
/// - The first reason stays, because it tells when the hold began.
/// - A release with a time in the future comes from another clock and prevents no hold.
/// - The guard's holds are prevented by an operator's release only, which is always of all languages: the provider's release
///   says nothing about the quality.
pub(super) async fn add_hold(connection: &mut SqliteConnection, hold: &Hold, begun: Timestamp) -> Work<()> {
    sqlx::query(
        "UPDATE hold SET begun = max(begun, ?5) WHERE lane = ?1 AND template = ?2 AND language = ?3 AND by_operator = ?4",
    )
    .bind(&hold.lane)
    .bind(&hold.template)
    .bind(&hold.language)
    .bind(holder(hold.by))
    .bind(begun.millis())
    .execute(&mut *connection)
    .await?;
    let released_in = if hold.by == HeldBy::Quality { "" } else { hold.language.as_str() };
    let added = sqlx::query(
        "INSERT INTO hold (lane, template, language, by_operator, held_by, code, origin, since, begun)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE NOT EXISTS (
             SELECT 1 FROM hold_release WHERE lane = ?1 AND template = ?2 AND language IN (?10, '') AND at > ?9 AND at <= ?8)
         ON CONFLICT DO NOTHING",
    )
    .bind(&hold.lane)
    .bind(&hold.template)
    .bind(&hold.language)
    .bind(holder(hold.by))
    .bind(hold.by as i64)
    .bind(hold.code)
    .bind(to_json(&hold.origin))
    .bind(hold.since.millis())
    .bind(begun.millis())
    .bind(released_in)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if added > 0 {
        super::nodes::record_event(connection, hold.event()).await?;
    }
    Ok(())
}

/// Removes the provider's holds on a template that it allows again, or the hold of the quality guard.
///
/// - A hold that a later event has confirmed stays.
/// - A release by the provider also keeps its earlier events from holding again. The guard judges events in the order of
///   their times by itself.
/// - Records no event while another hold on the same subject remains.
pub(super) async fn release_by_provider(
    connection: &mut SqliteConnection,
    release: &Release,
    reported_at: Timestamp,
    now: Timestamp,
) -> Work<()> {
    let Release { lane, template, language, because } = release;
    let of = match because {
        ReleasedBy::Status => HeldBy::Event,
        ReleasedBy::Quality => HeldBy::Quality,
    };
    let released = sqlx::query(
        "DELETE FROM hold WHERE lane = ?1 AND template = ?2 AND language IN (?3, '') AND by_operator = ?4
             AND NOT (held_by = ?5 AND begun > ?6) RETURNING language",
    )
    .bind(lane)
    .bind(template)
    .bind(language)
    .bind(holder(of))
    .bind(HeldBy::Event as i64)
    .bind(reported_at.millis())
    .fetch_all(&mut *connection)
    .await?;
    let origin = match because {
        ReleasedBy::Status => {
            record_release(connection, lane, template, language, reported_at).await?;
            Origin::provider("it may be sent again")
        }
        ReleasedBy::Quality => Origin::rule("the quality is good again"),
    };
    record_releases(connection, lane, template, &released, &origin, now).await
}

/// Records an event for each language whose last hold is removed, given the removed holds.
///
/// Each hold was recorded in its own language, so each one ends in its own language too.
async fn record_releases(
    connection: &mut SqliteConnection,
    lane: &str,
    template: &str,
    removed: &[SqliteRow],
    origin: &Origin,
    now: Timestamp,
) -> Work<()> {
    let languages = removed.iter().map(|row| row.try_get("language")).collect::<Result<BTreeSet<String>, _>>()?;
    for language in languages {
        let others = sqlx::query("SELECT 1 FROM hold WHERE lane = ?1 AND template = ?2 AND language = ?3 LIMIT 1");
        let others = others.bind(lane).bind(template).bind(&language).fetch_optional(&mut *connection).await?;
        if others.is_none() {
            let (subject, origin) = (Subject::held(lane, template, &language), origin.clone());
            super::nodes::record_event(connection, Event { at: now, subject, origin, kind: EventKind::Released })
                .await?;
        }
    }
    Ok(())
}

async fn record_release(
    connection: &mut SqliteConnection,
    lane: &str,
    template: &str,
    language: &str,
    at: Timestamp,
) -> Work<()> {
    sqlx::query(
        "INSERT INTO hold_release (lane, template, language, at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET at = max(at, excluded.at)",
    )
    .bind(lane)
    .bind(template)
    .bind(language)
    .bind(at.millis())
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn release(
    connection: &mut SqliteConnection,
    lane: String,
    template: String,
    now: Timestamp,
    origin: Origin,
) -> Work<u32> {
    let released = sqlx::query("DELETE FROM hold WHERE lane = ?1 AND template = ?2 RETURNING language")
        .bind(&lane)
        .bind(&template)
        .fetch_all(&mut *connection)
        .await?;
    if !released.is_empty() {
        record_release(connection, &lane, &template, "", now).await?;
        record_releases(connection, &lane, &template, &released, &origin, now).await?;
        bump(connection).await?;
    }
    Ok(u32::try_from(released.len()).unwrap_or(u32::MAX))
}
