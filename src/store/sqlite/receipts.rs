//! Receipts: found, kept and applied in sets.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::reads::load;
use super::messages::{number, record};
use super::rows::{
    Bound, Line, for_values, json_list, json_of, lines, loaded, message_line, timestamp, msisdn, small, step, decoded,
};
use super::script::Script;
use super::shapes::alike;
use super::{Error, Work};
use super::{aliases, inbound, naming, opt_outs};
use crate::domain::{AttemptId, BatchId, Loaded, MessageKey, Msisdn, StepIndex, Tag, Timestamp, Umid};
use crate::engine::Ruling;
use crate::store::{Found, Kept, Key, Nameless, Receipt, Stray, StrayCount, StrayKind, Taken};

pub(super) async fn find(connection: &mut SqliteConnection, keys: Vec<Key>) -> Work<Vec<Option<Found>>> {
    let mut found = vec![None; keys.len()];
    let mut targets: Vec<Option<(MessageKey, StepIndex)>> = vec![None; keys.len()];
    let (mut ids, mut umids, mut numbers, mut inbound) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (place, key) in keys.into_iter().enumerate() {
        match key {
            Key::Attempt(id) => ids.push((place, id)),
            Key::Umid(umid) => umids.push((place, umid)),
            Key::Inbound(umid) => inbound.push((place, umid)),
            Key::Number(nameless) => numbers.push((place, nameless)),
        }
    }
    by_id_and_umid(connection, &ids, &umids, &mut found).await?;
    by_number(connection, &numbers, &mut targets).await?;
    let by_number: Vec<bool> = targets.iter().map(Option::is_some).collect();
    inbound::on(connection, &inbound, &mut targets).await?;
    // Rare ones, whose attempts are found before their messages.
    let messages = load(connection, targets.iter().flatten().map(|(key, _)| *key)).await?;
    let messages: HashMap<MessageKey, _> = messages.into_iter().map(|message| (message.key, message)).collect();
    for ((found, target), by_number) in found.iter_mut().zip(targets).zip(by_number) {
        if let Some((key, step)) = target {
            *found = messages.get(&key).map(|message| Found { message: *message, step, by_number });
        }
    }
    Ok(found)
}

/// Messages by our own ids, each with the tag of its batch, and by umids, each with its attempt's step. A key of the
/// first is the batch, shifted, and the number; umids are numbered on behind them.
pub(super) const BY_ID_AND_UMID: &str = concat!(
    "SELECT group_concat(line, char(10)) AS lines FROM (
     SELECT concat_ws(' ', asked.key, batch.tag, '', ",
    message_line!(),
    ") AS line FROM json_each(?1) asked
     CROSS JOIN message ON message.batch = ((asked.value >> 32) & 4294967295) AND message.n = (asked.value & 4294967295)
     CROSS JOIN batch ON batch.id = message.batch
     UNION ALL
     SELECT concat_ws(' ', ?3 + asked.key, '', attempt.step, ",
    message_line!(),
    ") AS line FROM json_each(?2) asked
     CROSS JOIN attempt INDEXED BY attempt_umid ON attempt.umid = unhex(asked.value)
     CROSS JOIN message ON message.batch = attempt.batch AND message.n = attempt.n)"
);

async fn by_id_and_umid(
    connection: &mut SqliteConnection,
    ids: &[(usize, AttemptId)],
    umids: &[(usize, Umid)],
    found: &mut [Option<Found>],
) -> Work<()> {
    if ids.is_empty() && umids.is_empty() {
        return Ok(());
    }
    let keys = ids.iter().map(|(_, id)| (i64::from(id.key.batch.0) << 32) | i64::from(id.key.n));
    let query = sqlx::query(BY_ID_AND_UMID)
        .bind(json_list(keys))
        .bind(hex_list(umids))
        .bind(i64::try_from(ids.len()).unwrap_or(i64::MAX));
    for line in lines(connection, query).await?.lines() {
        let mut line = Line::of(line);
        let place: usize = line.small("place")?;
        let (tag, step) = (line.maybe::<i64>("tag")?, line.maybe::<u8>("step")?);
        let message = loaded(&mut line)?;
        if let Some((target, id)) = ids.get(place) {
            // An id with another tag was made by another installation, or for a database that is gone.
            if tag.is_some_and(|tag| Tag::from_random(tag.cast_unsigned()) == id.tag) {
                found[*target] = Some(Found { message, step: id.step, by_number: false });
            }
        } else if let Some((target, _)) = umids.get(place - ids.len()) {
            let step = step.and_then(StepIndex::new);
            let step = step.ok_or_else(|| Error::Nonsense { what: line_of(&message), place: "attempt.step".into() })?;
            found[*target] = Some(Found { message, step, by_number: false });
        }
    }
    Ok(())
}

fn line_of(message: &Loaded) -> String {
    format!("message {} of batch {}", message.key.n, message.key.batch)
}

/// JSON carries no bytes, so umids travel as hexadecimal digits.
fn hex_list(umids: &[(usize, Umid)]) -> String {
    let mut list = String::from("[");
    for (place, (_, umid)) in umids.iter().enumerate() {
        list.push_str(if place > 0 { ",\"" } else { "\"" });
        push_hex(&mut list, &umid.to_bytes());
        list.push('"');
    }
    list.push(']');
    list
}

fn key(row: &SqliteRow) -> Work<MessageKey> {
    Ok(MessageKey { batch: BatchId(small(row, "batch")?), n: small(row, "n")? })
}

/// The plan says on which channel a step is. An attempt whose umid is known is found by that; one of which the receipt cannot
/// speak is not counted.
pub(super) const BY_NUMBER: &str = "SELECT asked.key AS place, batch, n, step
     FROM json_each(?1) asked
     CROSS JOIN attempt INDEXED BY attempt_adoptable ON adoptable = asked.value ->> 0
     JOIN lane ON lane.id = attempt.lane
     JOIN batch b ON b.id = attempt.batch JOIN plan ON plan.digest = b.plan
     WHERE umid IS NULL AND intent > asked.value ->> 2 AND intent < asked.value ->> 3
         AND lane.name NOT IN (SELECT value FROM json_each(?2, '$[' || (asked.value ->> 4) || ']'))
         AND plan.body ->> ('$.steps[' || step || '].channel') = asked.value ->> 1
     GROUP BY asked.key HAVING count(*) = 1";

/// The unknown attempts to numbers on channels, where the receipt may speak of exactly one.
async fn by_number(
    connection: &mut SqliteConnection,
    numbers: &[(usize, Nameless)],
    targets: &mut [Option<(MessageKey, StepIndex)>],
) -> Work<()> {
    if numbers.is_empty() {
        return Ok(());
    }
    // Nearly all have the same lanes in them.
    let mut excepted: Vec<&BTreeSet<String>> = Vec::new();
    let asked: Vec<(i64, &str, i64, i64, usize)> = numbers
        .iter()
        .map(|(_, Nameless { msisdn, channel, begun_after, begun_before, except })| {
            let except: &BTreeSet<String> = except;
            let is_known = |known: &&BTreeSet<String>| std::ptr::eq(*known, except) || *known == except;
            let set = excepted.iter().position(is_known).unwrap_or_else(|| {
                excepted.push(except);
                excepted.len() - 1
            });
            (number(*msisdn), channel.as_str(), begun_after.millis(), begun_before.millis(), set)
        })
        .collect();
    let query = sqlx::query(BY_NUMBER)
        .bind(json_of(&asked, "the numbers asked")?)
        .bind(json_of(&excepted, "the lanes of others")?);
    for row in &query.fetch_all(connection).await? {
        let place: usize = small(row, "place")?;
        if let Some((target, _)) = numbers.get(place) {
            targets[*target] = Some((key(row)?, step(row, "step")?));
        }
    }
    Ok(())
}

/// What receipts have in common that are kept together; the rest of each stands in a word of fixed width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Alike<'a> {
    batch: BatchId,
    step: StepIndex,
    state: &'a str,
    detail: &'a str,
    code: u32,
    tries: Option<u16>,
    ruling: Ruling,
}

/// The columns turn digits into numbers. Which try it speaks of may be better known when it is looked at again; where two
/// tries were told of in the same words, it is the later one that decides. And what decided nothing at first may do so
/// when it comes again: then it counts from there.
const KEEP: &str = "INSERT INTO receipt (batch, n, step, stamp, state, detail, code, received, tries, ruling)
     SELECT ?1, substr(value, 1, 10), ?3, substr(value, 11, 15), ?4, ?5, ?6, substr(value, 26, 15), ?7, ?8
     FROM json_each(?2) WHERE true
     ON CONFLICT DO UPDATE SET tries = iif(excluded.tries > coalesce(tries, -1), excluded.tries, tries),
         received = iif(?9, excluded.received, received), ruling = iif(?9, excluded.ruling, ruling)
     WHERE excluded.tries > coalesce(tries, -1) OR ?9";

pub(super) fn keep<'a>(script: &mut Script, receipts: impl IntoIterator<Item = &'a Receipt>) {
    let shapes = alike(receipts.into_iter().map(|receipt| {
        let Receipt { key, step, code, tries, .. } = *receipt;
        let (state, detail, ruling) = (receipt.state.as_str(), receipt.detail.as_str(), receipt.ruling);
        (Alike { batch: key.batch, step, state, detail, code, tries, ruling }, receipt)
    }));
    for (shape, receipts) in shapes {
        let mut words = String::with_capacity(receipts.len() * 43 + 2);
        words.push('[');
        for (place, receipt) in receipts.iter().enumerate() {
            let (n, stamp, received) = (receipt.key.n, receipt.stamp.millis(), receipt.received.millis());
            let comma = if place > 0 { "," } else { "" };
            let _ = write!(words, "{comma}\"{n:010}{stamp:015}{received:015}\"");
        }
        words.push(']');
        script
            .statement(KEEP)
            .bind(shape.batch.0)
            .bind(words)
            .bind(shape.step.get())
            .bind(shape.state.to_owned())
            .bind(shape.detail.to_owned())
            .bind(shape.code)
            .bind(shape.tries)
            .bind(shape.ruling.bits())
            .bind(shape.ruling.has_moved());
    }
}

/// Keeps what came together with what was decided about it.
pub(super) async fn take(connection: &mut SqliteConnection, taken: Taken) -> Work<Kept> {
    let Taken { receipts, changes, strays, aliases, opt_outs, written, naming } = taken;
    let named = if aliases.is_empty() { Vec::new() } else { aliases::learn(connection, aliases).await? };
    if !opt_outs.is_empty() {
        opt_outs::opt_out(connection, &opt_outs).await?;
    }
    let writers = if written.is_empty() { Vec::new() } else { inbound::take(connection, written).await? };
    if !naming.is_empty() {
        naming::keep(connection, naming).await?;
    }
    keep_strays(connection, &strays).await?;
    let stale = record(connection, &receipts, &changes, &[]).await?;
    // Last, because the changes may have told of the attempts.
    let learned: Vec<_> = receipts
        .into_iter()
        .filter(|receipt| receipt.umid.is_some() && !stale.contains(&receipt.key))
        .filter_map(|receipt| {
            let Receipt { key, step, umid, tries, .. } = receipt;
            Some(Learned { key, step, tries: [tries?; 2], umid })
        })
        .collect();
    learn(connection, &learned).await?;
    Ok(Kept { stale, named, writers })
}

pub(super) async fn keep_strays(connection: &mut SqliteConnection, strays: &[Stray]) -> Work<()> {
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

/// Something learned about tries of a step: that nobody waits for news of them any more, or what the provider calls one.
pub(super) struct Learned {
    pub(super) key: MessageKey,
    pub(super) step: StepIndex,
    /// The first and the last that it is about.
    pub(super) tries: [u16; 2],
    pub(super) umid: Option<Umid>,
}

/// What stands before and after the lessons.
pub(super) const LEARN: [&str; 2] = [
    "WITH lesson (batch, n, step, first, last, umid) AS (",
    ") UPDATE attempt SET umid = coalesce(attempt.umid, lesson.umid), adoptable = NULL FROM lesson \
     WHERE attempt.batch = lesson.batch AND attempt.n = lesson.n AND attempt.step = lesson.step \
     AND attempt.tries BETWEEN lesson.first AND lesson.last \
     AND (attempt.adoptable IS NOT NULL OR (attempt.umid IS NULL AND lesson.umid IS NOT NULL))",
];

/// What is known is no longer to be adopted. A umid is learned where there was none.
pub(super) async fn learn(connection: &mut SqliteConnection, lessons: &[Learned]) -> Work<()> {
    let [before, after] = LEARN;
    for_values(connection, before, after, 6, lessons, |query: Bound<'_>, lesson| {
        let [first, last] = lesson.tries;
        query
            .bind(lesson.key.batch.0)
            .bind(lesson.key.n)
            .bind(lesson.step.get())
            .bind(first)
            .bind(last)
            .bind(lesson.umid.as_ref().map(Umid::to_bytes))
    })
    .await?;
    Ok(())
}

/// Along the index from its first row to the last: by the id alone, every look would sort all strays of the kind.
pub(super) const STRAYS: &str = "SELECT * FROM stray INDEXED BY stray_kind
     WHERE kind = ?1 AND (received, id) > (?2, ?3) ORDER BY received, id LIMIT ?4";

pub(super) async fn strays(
    connection: &mut SqliteConnection,
    kind: StrayKind,
    after: Option<(Timestamp, i64)>,
    limit: u32,
) -> Work<Vec<(i64, Stray)>> {
    let (received, id) = after.map_or((i64::MIN, 0), |(received, id)| (received.millis(), id));
    let query = sqlx::query(STRAYS).bind(kind as i64).bind(received).bind(id).bind(limit);
    let rows = query.fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let stray = Stray {
                kind,
                received: timestamp(row, "received")?,
                umid: row.try_get("umid")?,
                raw: row.try_get("raw")?,
            };
            Ok((row.try_get("id")?, stray))
        })
        .collect()
}

pub(super) async fn forget_strays(connection: &mut SqliteConnection, ids: Vec<i64>) -> Work<()> {
    sqlx::query(FORGET).bind(json_list(ids)).execute(connection).await?;
    Ok(())
}

pub(super) const FORGET: &str = "DELETE FROM stray WHERE id IN (SELECT value FROM json_each(?1))";

/// Strays that are forgotten in one transaction, and bytes of them: what could not be read is kept whole, and to free a
/// long row takes as long as it has pages.
const PIECE: i64 = 2_000;
const PIECE_BYTES: i64 = 4 << 20;
pub(super) const OLD: &str = "SELECT id, octet_length(raw) AS bytes FROM stray INDEXED BY stray_kind
     WHERE kind IN (0, 1, 2, 3) AND received < ?1 LIMIT ?2";

/// Forgets one piece of those that came before `before`. Returns how many there were; none is the end.
pub(super) async fn forget_old_strays(connection: &mut SqliteConnection, before: Timestamp) -> Work<usize> {
    let query = sqlx::query(OLD).bind(before.millis()).bind(PIECE);
    let (mut ids, mut bytes) = (Vec::new(), 0_i64);
    for row in &query.fetch_all(&mut *connection).await? {
        bytes = bytes.saturating_add(row.try_get("bytes")?);
        // However long it is, the first goes, or nothing ever would.
        if bytes > PIECE_BYTES && !ids.is_empty() {
            break;
        }
        ids.push(row.try_get("id")?);
    }
    let forgotten = ids.len();
    if forgotten > 0 {
        forget_strays(connection, ids).await?;
    }
    Ok(forgotten)
}

pub(super) async fn stray_counts(connection: &mut SqliteConnection) -> Work<Vec<StrayCount>> {
    let rows = sqlx::query(
        "SELECT kind, count(*) AS n, min(received) AS earliest, max(received) AS latest
         FROM stray INDEXED BY stray_kind WHERE kind IN (0, 1, 2, 3) GROUP BY kind ORDER BY kind",
    )
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(StrayCount {
                kind: decoded(row, "kind", StrayKind::from_code)?,
                count: small(row, "n")?,
                earliest: timestamp(row, "earliest")?,
                latest: timestamp(row, "latest")?,
            })
        })
        .collect()
}

pub(super) const UNKNOWN: &str = "SELECT batch, n, step, adoptable FROM attempt INDEXED BY attempt_adoptable
     WHERE batch = ?1 AND adoptable IS NOT NULL ORDER BY n, step LIMIT ?2";

pub(super) async fn unknown(
    connection: &mut SqliteConnection,
    batch: BatchId,
    limit: u32,
) -> Work<Vec<(MessageKey, Msisdn, StepIndex)>> {
    let rows = sqlx::query(UNKNOWN).bind(batch.0).bind(limit).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((key(row)?, msisdn(row, "adoptable")?, step(row, "step")?))).collect()
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 0xf)]));
    }
}
