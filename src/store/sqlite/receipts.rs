//! Receipts: found, kept and applied in sets.

use std::collections::HashMap;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::messages::{load, number};
use super::rows::{Bound, for_values, json_list, maybe_moment, maybe_small, moment, msisdn, small, step};
use super::{Error, Work};
use crate::domain::{BatchId, Channel, LaneId, MessageKey, Msisdn, StepIndex, Tag, Umid};
use crate::store::{Attempt, Found, Key, Receipt, Stray, StrayKind, Verdict};

pub(super) async fn find(connection: &mut SqliteConnection, keys: Vec<Key>) -> Work<Vec<Option<Found>>> {
    let mut targets: Vec<Option<(MessageKey, StepIndex)>> = vec![None; keys.len()];
    let tags = tags(connection, &keys).await?;
    let mut umids = Vec::new();
    let mut numbers = Vec::new();
    for (place, key) in keys.into_iter().enumerate() {
        match key {
            // An id with another tag was made by another installation, or for a database that is gone.
            Key::Attempt(id) if tags.get(&id.key.batch) == Some(&id.tag) => targets[place] = Some((id.key, id.step)),
            Key::Attempt(_) => {}
            Key::Umid(umid) => umids.push((place, umid)),
            Key::Number(msisdn, channel) => numbers.push((place, msisdn, channel)),
        }
    }
    by_umid(connection, &umids, &mut targets).await?;
    for (place, msisdn, channel) in numbers {
        targets[place] = only_unknown(connection, msisdn, channel).await?;
    }
    let messages = load(connection, targets.iter().flatten().map(|(key, _)| *key)).await?;
    let messages: HashMap<MessageKey, _> = messages.into_iter().map(|message| (message.key, message)).collect();
    let found =
        |(key, step): (MessageKey, StepIndex)| messages.get(&key).map(|message| Found { message: *message, step });
    Ok(targets.into_iter().map(|target| target.and_then(found)).collect())
}

async fn tags(connection: &mut SqliteConnection, keys: &[Key]) -> Work<HashMap<BatchId, Tag>> {
    let mut batches: Vec<i64> = keys
        .iter()
        .filter_map(|key| match key {
            Key::Attempt(id) => Some(i64::from(id.key.batch.0)),
            Key::Umid(_) | Key::Number(..) => None,
        })
        .collect();
    batches.sort_unstable();
    batches.dedup();
    if batches.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query("SELECT id, tag FROM batch WHERE id IN (SELECT value FROM json_each(?1))")
        .bind(json_list(batches))
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok((BatchId(small(row, "id")?), Tag::from_random(row.try_get::<i64, _>("tag")?.cast_unsigned()))))
        .collect()
}

async fn by_umid(
    connection: &mut SqliteConnection,
    umids: &[(usize, Umid)],
    targets: &mut [Option<(MessageKey, StepIndex)>],
) -> Work<()> {
    if umids.is_empty() {
        return Ok(());
    }
    let bytes: HashMap<Vec<u8>, Vec<usize>> = umids.iter().fold(HashMap::new(), |mut places, (place, umid)| {
        places.entry(umid.to_bytes()).or_default().push(*place);
        places
    });
    // JSON carries no bytes, so they travel as hexadecimal digits.
    let mut list = String::from("[");
    for (place, umid) in bytes.keys().enumerate() {
        list.push_str(if place > 0 { ",\"" } else { "\"" });
        for byte in umid {
            use std::fmt::Write as _;
            let _ = write!(list, "{byte:02x}");
        }
        list.push('"');
    }
    list.push(']');
    let rows = sqlx::query(
        "SELECT batch, n, step, attempt.umid AS umid FROM json_each(?1)
         CROSS JOIN attempt INDEXED BY attempt_umid ON attempt.umid = unhex(json_each.value)",
    )
    .bind(list)
    .fetch_all(connection)
    .await?;
    for row in &rows {
        let umid: Vec<u8> = row.try_get("umid")?;
        let target = (key(row)?, step(row, "step")?);
        for place in bytes.get(&umid).into_iter().flatten() {
            targets[*place] = Some(target);
        }
    }
    Ok(())
}

fn key(row: &SqliteRow) -> Work<MessageKey> {
    Ok(MessageKey { batch: BatchId(small(row, "batch")?), n: small(row, "n")? })
}

/// The unknown attempt to a number on a channel, where there is exactly one.
async fn only_unknown(
    connection: &mut SqliteConnection,
    msisdn: Msisdn,
    channel: Channel,
) -> Work<Option<(MessageKey, StepIndex)>> {
    let rows =
        sqlx::query("SELECT batch, n, step FROM attempt INDEXED BY attempt_adoptable WHERE adoptable = ?1 LIMIT 20")
            .bind(number(msisdn))
            .fetch_all(&mut *connection)
            .await?;
    let mut only = None;
    for row in &rows {
        let (key, step) = (key(row)?, step(row, "step")?);
        let plan = super::batches::plan(connection, key.batch).await?;
        if plan.and_then(|plan| plan.step(step).map(|step| step.channel)) != Some(channel) {
            continue;
        }
        if only.replace((key, step)).is_some() {
            return Ok(None);
        }
    }
    Ok(only)
}

pub(super) async fn keep(connection: &mut SqliteConnection, receipts: &[Receipt], strays: &[Stray]) -> Work<()> {
    for_values(
        connection,
        "INSERT INTO receipt (batch, n, step, stamp, state, detail, code, received)",
        "ON CONFLICT DO NOTHING",
        8,
        receipts,
        |query: Bound<'_>, receipt| {
            query
                .bind(receipt.key.batch.0)
                .bind(receipt.key.n)
                .bind(receipt.step.get())
                .bind(receipt.stamp.millis())
                .bind(receipt.state.clone())
                .bind(receipt.detail.clone())
                .bind(receipt.code)
                .bind(receipt.received.millis())
        },
    )
    .await?;
    for_values(
        connection,
        "INSERT INTO stray (kind, received, umid, raw)",
        "",
        4,
        strays,
        |query: Bound<'_>, stray| {
            query.bind(stray.kind as i64).bind(stray.received.millis()).bind(stray.umid.clone()).bind(stray.raw.clone())
        },
    )
    .await?;
    Ok(())
}

/// Learns the umids that receipts named, for attempts that have none; what is known is no longer to be adopted.
pub(super) async fn learn_umids(
    connection: &mut SqliteConnection,
    learned: &[(MessageKey, StepIndex, Umid)],
) -> Work<()> {
    for (key, step, umid) in learned {
        // One by one, because it is rare: only attempts whose answer was lost learn their umid this way.
        sqlx::query(
            "UPDATE attempt SET umid = coalesce(umid, ?4), adoptable = NULL WHERE batch = ?1 AND n = ?2 AND step = ?3",
        )
        .bind(key.batch.0)
        .bind(key.n)
        .bind(step.get())
        .bind(umid.to_bytes())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

pub(super) async fn strays(
    connection: &mut SqliteConnection,
    kind: StrayKind,
    after: i64,
    limit: u32,
) -> Work<Vec<(i64, Stray)>> {
    let rows = sqlx::query("SELECT * FROM stray WHERE kind = ?1 AND id > ?2 ORDER BY id LIMIT ?3")
        .bind(kind as i64)
        .bind(after)
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let stray = Stray {
                kind,
                received: moment(row, "received")?,
                umid: row.try_get("umid")?,
                raw: row.try_get("raw")?,
            };
            Ok((row.try_get("id")?, stray))
        })
        .collect()
}

pub(super) async fn forget_strays(connection: &mut SqliteConnection, ids: Vec<i64>) -> Work<()> {
    sqlx::query("DELETE FROM stray WHERE id IN (SELECT value FROM json_each(?1))")
        .bind(json_list(ids))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn attempts(connection: &mut SqliteConnection, message: MessageKey) -> Work<Vec<Attempt>> {
    let rows = sqlx::query("SELECT * FROM attempt WHERE batch = ?1 AND n = ?2 ORDER BY step")
        .bind(message.batch.0)
        .bind(message.n)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let verdict: i64 = row.try_get("verdict")?;
            Ok(Attempt {
                step: step(row, "step")?,
                lane: LaneId(small(row, "lane")?),
                queued: moment(row, "queued")?,
                intent: maybe_moment(row, "intent")?,
                answered: moment(row, "answered")?,
                verdict: Verdict::from_code(verdict)
                    .ok_or_else(|| Error::Nonsense { what: verdict.to_string(), place: "attempt.verdict".into() })?,
                tries: small(row, "tries")?,
                code: maybe_small(row, "code")?,
                detail: row.try_get("detail")?,
                umid: row.try_get::<Option<Vec<u8>>, _>("umid")?.and_then(|bytes| Umid::from_bytes(&bytes)),
            })
        })
        .collect()
}

pub(super) async fn receipts(connection: &mut SqliteConnection, message: MessageKey) -> Work<Vec<Receipt>> {
    let rows = sqlx::query("SELECT * FROM receipt WHERE batch = ?1 AND n = ?2 ORDER BY received, stamp, step")
        .bind(message.batch.0)
        .bind(message.n)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Receipt {
                key: key(row)?,
                step: step(row, "step")?,
                stamp: moment(row, "stamp")?,
                state: row.try_get("state")?,
                detail: row.try_get("detail")?,
                code: small(row, "code")?,
                received: moment(row, "received")?,
                umid: None,
            })
        })
        .collect()
}

pub(super) async fn unknown(
    connection: &mut SqliteConnection,
    batch: BatchId,
    limit: u32,
) -> Work<Vec<(MessageKey, Msisdn, StepIndex)>> {
    let rows = sqlx::query("SELECT batch, n, step, adoptable FROM attempt WHERE batch = ?1 AND adoptable IS NOT NULL ORDER BY n, step LIMIT ?2")
        .bind(batch.0)
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok((key(row)?, msisdn(row, "adoptable")?, step(row, "step")?))).collect()
}
