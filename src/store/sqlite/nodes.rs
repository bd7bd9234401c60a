//! Stores running servers with what they report, the gaps in which no receipt could come, and events.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::rows::{Bound, decoded, for_values, from_json, maybe_timestamp, small, timestamp, to_json};
use super::{Work, leases};
use crate::base::domain::{BatchId, DoubtCause, Portion, Span, Timestamp};
use crate::base::events::{Event, EventKind, Subject};
use crate::store::{
    Beat, Cursor, Direction, KeptGap, LaneStandstill, LaneState, LinkState, Node, NodeStart, RejectionReason, Started,
    Trouble, TurnedAway,
};

/// Registers a server and begins its epoch. Does nothing if the lease was acquired or renewed since `start.over`.
pub(super) async fn start(connection: &mut SqliteConnection, start: NodeStart) -> Work<Option<Started>> {
    let NodeStart { now, holder, over } = start;
    let Some(epoch) = leases::take(&mut *connection, &over, now).await? else { return Ok(None) };
    let row = sqlx::query("SELECT max(listening_until) AS until FROM node").fetch_one(&mut *connection).await?;
    let listened_until = maybe_timestamp(&row, "until")?;
    // Earlier nodes are no longer needed: the new row continues their watermark.
    sqlx::query("DELETE FROM node").execute(&mut *connection).await?;
    let row = sqlx::query(
        "INSERT INTO node (started_at, seen_at, noted_seq, listening_until, machine, pid, process_started)
         VALUES (?1, ?1, 0, coalesce(?2, ?1), ?3, ?4, ?5) RETURNING id",
    )
    .bind(now.millis())
    .bind(listened_until.map(Timestamp::millis))
    .bind(holder.machine)
    .bind(holder.pid)
    .bind(holder.started.cast_signed())
    .fetch_one(&mut *connection)
    .await?;
    let node = row.try_get("id")?;
    leases::assign(&mut *connection, node).await?;
    // The new server continues from the states of its predecessor's lanes.
    sqlx::query("UPDATE lane_state SET node = ?1, pace = 0, tier_spent = 0, free_at = NULL")
        .bind(node)
        .execute(connection)
        .await?;
    Ok(Some(Started { node, epoch, listened_until }))
}

pub(super) async fn beat(connection: &mut SqliteConnection, beat: Beat) -> Work<()> {
    leases::renew(&mut *connection, beat.node, beat.now).await?;
    sqlx::query("UPDATE node SET seen_at = ?2, noted_seq = ?3, listening_until = ?4 WHERE id = ?1")
        .bind(beat.node)
        .bind(beat.now.millis())
        .bind(beat.noted.cast_signed())
        .bind(beat.listening_until.millis())
        .execute(&mut *connection)
        .await?;
    for link in beat.links {
        // Two rows per address: a handful of statements.
        sqlx::query(KEEP_LINK)
            .bind(link.address)
            .bind(link.direction as i64)
            .bind(link.proven.millis())
            .bind(link.doubt.map(|(since, _)| since.millis()))
            .bind(link.doubt.map(|(_, cause)| cause as i64))
            .execute(&mut *connection)
            .await?;
    }
    for turned in beat.turned_away {
        // One row per reason: a handful of statements.
        sqlx::query(COUNT_TURNED_AWAY)
            .bind(turned.why as i64)
            .bind(turned.count.cast_signed())
            .bind(turned.since.millis())
            .bind(turned.latest.millis())
            .bind((turned.since - A_DAY).millis())
            .execute(&mut *connection)
            .await?;
    }
    for (batch, pace) in beat.pace {
        // One row per batch that is sending now: a handful of statements.
        sqlx::query("UPDATE batch SET pace = ?2, pace_at = ?3 WHERE id = ?1")
            .bind(batch.0)
            .bind(pace)
            .bind(beat.now.millis())
            .execute(&mut *connection)
            .await?;
    }
    record_lane_states(connection, beat.node, &beat.lanes).await
}

async fn record_lane_states(connection: &mut SqliteConnection, node: i64, lanes: &[LaneState]) -> Work<()> {
    for_values(
        connection,
        "INSERT INTO lane_state (node, lane, pace, portion, tier_spent, trouble, since, until, why, in_flight,
                                 free_at, complaint, complained_at)",
        "ON CONFLICT DO UPDATE SET pace = excluded.pace, portion = excluded.portion,
             tier_spent = excluded.tier_spent, trouble = excluded.trouble, since = excluded.since,
             until = excluded.until, why = excluded.why, in_flight = excluded.in_flight, free_at = excluded.free_at,
             complaint = excluded.complaint, complained_at = excluded.complained_at",
        13,
        lanes,
        |query: Bound<'_>, state| {
            let standing = state.standing.as_ref();
            query
                .bind(node)
                .bind(state.lane.clone())
                .bind(state.pace)
                .bind(state.portion.sixteenths())
                .bind(state.tier_spent)
                .bind(standing.map(|standing| standing.trouble as i64))
                .bind(standing.map(|standing| standing.since.millis()))
                .bind(standing.map(|standing| standing.until.millis()))
                .bind(standing.map(|standing| standing.why.clone()))
                .bind(standing.map_or(0, |standing| standing.in_flight))
                .bind(state.free_at.map(Timestamp::millis))
                .bind(state.complaint.as_ref().map(|(_, complaint)| complaint.clone()))
                .bind(state.complaint.as_ref().map(|(at, _)| at.millis()))
        },
    )
    .await?;
    Ok(())
}

pub(super) async fn lane_states(connection: &mut SqliteConnection, since: Timestamp) -> Work<Vec<LaneState>> {
    let rows = sqlx::query(
        "SELECT lane_state.* FROM lane_state JOIN node ON node.id = lane_state.node
         WHERE node.stopped = 0 AND node.seen_at >= ?1 ORDER BY lane",
    )
    .bind(since.millis())
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let trouble: Option<i64> = row.try_get("trouble")?;
            let standing = match trouble.and_then(Trouble::from_code) {
                Some(trouble) => Some(LaneStandstill {
                    trouble,
                    since: timestamp(row, "since")?,
                    until: timestamp(row, "until")?,
                    why: row.try_get("why")?,
                    in_flight: small(row, "in_flight")?,
                }),
                None => None,
            };
            Ok(LaneState {
                lane: row.try_get("lane")?,
                pace: row.try_get("pace")?,
                portion: decoded(row, "portion", Portion::of_sixteenths)?,
                tier_spent: row.try_get("tier_spent")?,
                free_at: maybe_timestamp(row, "free_at")?,
                standing,
                complaint: maybe_timestamp(row, "complained_at")?.zip(row.try_get("complaint")?),
            })
        })
        .collect()
}

const KEEP_LINK: &str =
    "INSERT INTO link (address, direction, proven_at, doubt_since, cause) VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT DO UPDATE SET proven_at = excluded.proven_at, doubt_since = excluded.doubt_since,
     cause = excluded.cause";

/// The count of what was turned away for a reason restarts after a day without any.
const A_DAY: Span = Span::from_secs(86_400);
const COUNT_TURNED_AWAY: &str = "INSERT INTO rejected_webhook (why, n, since, latest) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT (why) DO UPDATE SET n = excluded.n + iif(latest < ?5, 0, n),
     since = iif(latest < ?5, excluded.since, since), latest = excluded.latest";

pub(super) async fn turned_away(connection: &mut SqliteConnection) -> Work<Vec<TurnedAway>> {
    let rows =
        sqlx::query("SELECT why, n, since, latest FROM rejected_webhook ORDER BY why").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(TurnedAway {
                why: decoded(row, "why", RejectionReason::from_code)?,
                count: small(row, "n")?,
                since: timestamp(row, "since")?,
                latest: timestamp(row, "latest")?,
            })
        })
        .collect()
}

pub(super) async fn stop(connection: &mut SqliteConnection, node: i64, listening_until: Timestamp) -> Work<()> {
    sqlx::query("UPDATE node SET stopped = 1, seen_at = ?2, listening_until = ?2 WHERE id = ?1")
        .bind(node)
        .bind(listening_until.millis())
        .execute(&mut *connection)
        .await?;
    leases::release(connection, node).await
}

pub(super) async fn keep_gap(connection: &mut SqliteConnection, gap: KeptGap, forget: Timestamp) -> Work<()> {
    sqlx::query("DELETE FROM gap WHERE ends < ?1").bind(forget.millis()).execute(&mut *connection).await?;
    sqlx::query("INSERT INTO gap (begins, ends, address) VALUES (?1, ?2, ?3)")
        .bind(gap.from.millis())
        .bind(gap.until.millis())
        .bind(gap.address)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn gaps(connection: &mut SqliteConnection) -> Work<Vec<KeptGap>> {
    let rows = sqlx::query("SELECT begins, ends, address FROM gap ORDER BY ends, id").fetch_all(connection).await?;
    let gap = |row: &SqliteRow| {
        Ok(KeptGap {
            from: timestamp(row, "begins")?,
            until: timestamp(row, "ends")?,
            address: row.try_get("address")?,
        })
    };
    rows.iter().map(gap).collect()
}

pub(super) async fn links(connection: &mut SqliteConnection) -> Work<Vec<LinkState>> {
    let rows = sqlx::query("SELECT * FROM link ORDER BY address, direction").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let doubt = match maybe_timestamp(row, "doubt_since")? {
                Some(since) => Some((since, decoded(row, "cause", DoubtCause::from_code)?)),
                None => None,
            };
            Ok(LinkState {
                address: row.try_get("address")?,
                direction: decoded(row, "direction", Direction::from_code)?,
                proven: timestamp(row, "proven_at")?,
                doubt,
            })
        })
        .collect()
}

pub(super) async fn live(connection: &mut SqliteConnection, since: Timestamp) -> Work<Vec<Node>> {
    let rows = sqlx::query("SELECT id, seen_at, noted_seq FROM node WHERE stopped = 0 AND seen_at >= ?1 ORDER BY id")
        .bind(since.millis())
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Node { id: row.try_get("id")?, seen_at: timestamp(row, "seen_at")?, noted: small(row, "noted_seq")? })
        })
        .collect()
}

pub(super) async fn seq(connection: &mut SqliteConnection) -> Work<u64> {
    small(&sqlx::query("SELECT seq FROM control").fetch_one(connection).await?, "seq")
}

pub(super) async fn record_event(connection: &mut SqliteConnection, event: Event) -> Work<()> {
    let (batch, lane) = match &event.subject {
        Subject::Campaign { batch, .. } => (Some(batch.0), None),
        Subject::Lane { lane } | Subject::Template { lane: Some(lane), .. } => (None, Some(lane.clone())),
        _ => (None, None),
    };
    sqlx::query("INSERT INTO event (at, subject, origin, kind, batch, lane) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        .bind(event.at.millis())
        .bind(to_json(&event.subject))
        .bind(to_json(&event.origin))
        .bind(to_json(&event.kind))
        .bind(batch)
        .bind(lane)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn events(connection: &mut SqliteConnection, after: Cursor, limit: u32) -> Work<Vec<(Cursor, Event)>> {
    let rows = sqlx::query("SELECT * FROM (SELECT * FROM event WHERE id > ?1 ORDER BY id DESC LIMIT ?2) ORDER BY id")
        .bind(after.id())
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok((Cursor::of_id(row.try_get("id")?), event(row)?))).collect()
}

pub(super) const EVENTS_BEFORE: &str = "SELECT * FROM event WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
pub(super) const EVENTS_OF_BATCH_BEFORE: &str =
    "SELECT * FROM event WHERE batch = ?3 AND id < ?1 ORDER BY id DESC LIMIT ?2";

pub(super) async fn events_before(
    connection: &mut SqliteConnection,
    of: Option<BatchId>,
    before: Option<Cursor>,
    limit: u32,
) -> Work<Vec<(Cursor, Event)>> {
    let rows = sqlx::query(if of.is_some() { EVENTS_OF_BATCH_BEFORE } else { EVENTS_BEFORE })
        .bind(before.map_or(i64::MAX, Cursor::id))
        .bind(limit)
        .bind(of.map(|batch| batch.0))
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok((Cursor::of_id(row.try_get("id")?), event(row)?))).collect()
}

/// Two reads by index: each set has its own order of ids.
pub(super) async fn events_of(
    connection: &mut SqliteConnection,
    batch: BatchId,
    lanes: Vec<String>,
    limit: u32,
) -> Work<Vec<Event>> {
    let rows = sqlx::query(
        "SELECT * FROM (
             SELECT * FROM event WHERE id IN (SELECT id FROM event WHERE batch = ?1 ORDER BY id DESC LIMIT ?3)
                 OR id IN (SELECT id FROM event WHERE lane IN (SELECT value FROM json_each(?2)) ORDER BY id DESC LIMIT ?3)
             ORDER BY id DESC LIMIT ?3) ORDER BY id",
    )
    .bind(batch.0)
    .bind(to_json(&lanes))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(event).collect()
}

pub(super) fn event(row: &SqliteRow) -> Work<Event> {
    let kind: String = row.try_get("kind")?;
    Ok(Event {
        at: timestamp(row, "at")?,
        subject: from_json(row, "subject")?,
        origin: from_json(row, "origin")?,
        kind: EventKind::read(&kind),
    })
}
