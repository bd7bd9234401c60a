//! Finds the attempts of receipts, and stores and applies receipts in sets.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::aliases::LearnedNames;
use super::messages::{number, record};
use super::reads::load;
use super::rows::{
    Bound, Line, address_key, decoded, for_values, json_list, json_of, lines, loaded, message_line, small, step,
    timestamp,
};
use super::script::Script;
use super::shapes::alike;
use super::{Error, Work};
use super::{aliases, inbound, naming, opt_outs};
use crate::base::domain::{
    AddressKey, AttemptId, BatchId, Charge, Loaded, MessageKey, State, StepIndex, Tag, Timestamp, Umid,
};
use crate::rules::engine::{Made, Ruling};
use crate::store::flow::FlowCounts;
use crate::store::{Cursor, FoundAttempt, Kept, Key, Nameless, Receipt, Stray, StrayCount, StrayKind, WebhookGroup};

pub(super) async fn find(connection: &mut SqliteConnection, keys: Vec<Key>) -> Work<Vec<Option<FoundAttempt>>> {
    let mut found = vec![None; keys.len()];
    let mut targets: Vec<Option<(MessageKey, StepIndex)>> = vec![None; keys.len()];
    let (mut ids, mut umids, mut numbers, mut inbound) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (index, key) in keys.into_iter().enumerate() {
        match key {
            Key::Attempt { id, umid } => ids.push((index, id, umid)),
            Key::Umid(umid) => umids.push((index, umid)),
            Key::Inbound(umid) => inbound.push((index, umid)),
            Key::Number(nameless) => numbers.push((index, nameless)),
        }
    }
    by_id_and_umid(connection, &ids, &umids, &mut found).await?;
    by_number(connection, &numbers, &mut targets).await?;
    let by_number: Vec<bool> = targets.iter().map(Option::is_some).collect();
    inbound::on(connection, &inbound, &mut targets).await?;
    // Numbers and replies are rare; their attempts are found first, and their messages here.
    let messages = load(connection, targets.iter().flatten().map(|(key, _)| *key)).await?;
    let messages: HashMap<MessageKey, _> = messages.into_iter().map(|message| (message.key, message)).collect();
    for ((found, target), by_number) in found.iter_mut().zip(targets).zip(by_number) {
        if let Some((key, step)) = target {
            *found = messages.get(&key).map(|message| FoundAttempt { message: *message, step, by_number });
        }
    }
    Ok(found)
}

/// Finds messages by our own ids (`?1`), each with the tag of its batch, and by umids (`?2`), each with its attempt's step.
///
/// - A key of the first kind is a text of fixed width (see [`push_named`]). Its line says whether all tries have other umids.
/// - The indices of the umids follow those of the ids.
pub(super) const BY_ID_AND_UMID: &str = concat!(
    "SELECT group_concat(line, char(10)) AS lines FROM (
     SELECT concat_ws(' ', asked.key, batch.tag, ifnull(iif(length(asked.value) > 23,
         (SELECT min(umid IS NOT NULL AND umid <> unhex(substr(asked.value, 24))) FROM attempt
          WHERE attempt.batch = message.batch AND attempt.n = message.n AND step = substr(asked.value, 21, 3)), NULL), ''), ",
    message_line!(),
    ") AS line FROM json_each(?1) asked
     CROSS JOIN message ON message.batch = substr(asked.value, 1, 10) AND message.n = substr(asked.value, 11, 10)
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
    ids: &[(usize, AttemptId, Option<Umid>)],
    umids: &[(usize, Umid)],
    found: &mut [Option<FoundAttempt>],
) -> Work<()> {
    if ids.is_empty() && umids.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(BY_ID_AND_UMID)
        .bind(text_list(ids, |text, (_, id, umid)| push_named(text, id, umid.as_ref())))
        .bind(text_list(umids, |text, (_, umid)| push_hex(text, &umid.to_bytes())))
        .bind(i64::try_from(ids.len()).unwrap_or(i64::MAX));
    for line in lines(connection, query).await?.lines() {
        let mut line = Line::of(line);
        let index: usize = line.small("index")?;
        let (tag, code) = (line.maybe::<i64>("tag")?, line.maybe::<u8>("step")?);
        let message = loaded(&mut line)?;
        if let Some((target, id, _)) = ids.get(index) {
            // An id with another tag comes from another installation, or from an earlier database of this one.
            let is_ours = tag.is_some_and(|tag| Tag::from_random(tag.cast_unsigned()) == id.tag);
            if is_ours && (code != Some(ALL_OTHERS) || may_be_submitted(&message, id.step)) {
                found[*target] = Some(FoundAttempt { message, step: id.step, by_number: false });
            }
        } else if let Some((target, _)) = umids.get(index - ids.len()) {
            let step = code.and_then(StepIndex::new);
            let step =
                step.ok_or_else(|| Error::InvalidRow { what: described(&message), place: "attempt.step".into() })?;
            found[*target] = Some(FoundAttempt { message, step, by_number: false });
        }
    }
    Ok(())
}

fn described(message: &Loaded) -> String {
    format!("message {} of batch {}", message.key.n, message.key.batch)
}

/// In the line of an id: every try of its attempt has another umid.
const ALL_OTHERS: u8 = 1;

/// Whether the step waits for a submission or its answer, so a try without a umid is still to come.
fn may_be_submitted(message: &Loaded, step: StepIndex) -> bool {
    message.present.step == step && matches!(message.present.state, State::Queued { .. } | State::Sending { .. })
}

/// A JSON array of texts that need no escapes. JSON has no bytes, so umids are hexadecimal.
fn text_list<T>(items: &[T], push: impl Fn(&mut String, &T)) -> String {
    let mut list = String::from("[");
    for (index, item) in items.iter().enumerate() {
        list.push_str(if index > 0 { ",\"" } else { "\"" });
        push(&mut list, item);
        list.push('"');
    }
    list.push(']');
    list
}

/// An id of ours as 10 digits of its batch, 10 of its number and 3 of its step; then the umid, if there is one.
fn push_named(text: &mut String, id: &AttemptId, umid: Option<&Umid>) {
    let _ = write!(text, "{:010}{:010}{:03}", id.key.batch.0, id.key.n, id.step.get());
    if let Some(umid) = umid {
        push_hex(text, &umid.to_bytes());
    }
}

fn key(row: &SqliteRow) -> Work<MessageKey> {
    Ok(MessageKey { batch: BatchId(small(row, "batch")?), n: small(row, "n")? })
}

/// Finds the only unknown attempt to a number on a channel that a receipt may belong to.
///
/// - The plan tells the channel of the attempt's step.
/// - Attempts with a umid are left out, because receipts find them by that.
/// - Attempts that the receipt cannot belong to, by time or lane, are not counted.
pub(super) const BY_NUMBER: &str = "SELECT asked.key AS index_of, batch, n, step
     FROM json_each(?1) asked
     CROSS JOIN attempt INDEXED BY attempt_adoptable ON adoptable IN (asked.value ->> 0, asked.value ->> 5)
     JOIN lane ON lane.id = attempt.lane
     JOIN batch b ON b.id = attempt.batch JOIN plan ON plan.digest = b.plan
     WHERE umid IS NULL AND intent > asked.value ->> 2 AND intent < asked.value ->> 3
         AND lane.name NOT IN (SELECT value FROM json_each(?2, '$[' || (asked.value ->> 4) || ']'))
         AND plan.body ->> ('$.steps[' || step || '].channel') = asked.value ->> 1
     GROUP BY asked.key HAVING count(*) = 1";

/// A number as it is asked for: with its channel, the times between which the attempt began, the index of the excepted
/// lanes, and the number's other spelling.
type Asked<'a> = (i64, &'a str, i64, i64, usize, Option<i64>);

/// Finds the unknown attempts of receipts that carry only a number, if exactly one is possible.
async fn by_number(
    connection: &mut SqliteConnection,
    numbers: &[(usize, Nameless)],
    targets: &mut [Option<(MessageKey, StepIndex)>],
) -> Work<()> {
    if numbers.is_empty() {
        return Ok(());
    }
    // Nearly all keys have the same set of lanes, so each set is bound once.
    let mut excepted: Vec<&BTreeSet<String>> = Vec::new();
    let asked: Vec<Asked<'_>> = numbers
        .iter()
        .map(|(_, Nameless { msisdn, channel, begun_after, begun_before, except })| {
            let except: &BTreeSet<String> = except;
            let is_known = |known: &&BTreeSet<String>| std::ptr::eq(*known, except) || *known == except;
            let set = excepted.iter().position(is_known).unwrap_or_else(|| {
                excepted.push(except);
                excepted.len() - 1
            });
            let other = msisdn.other_spelling().map(number);
            (number(*msisdn), channel.as_str(), begun_after.millis(), begun_before.millis(), set, other)
        })
        .collect();
    let query =
        sqlx::query(BY_NUMBER).bind(json_of(&asked, "attempt.adoptable")?).bind(json_of(&excepted, "naming_lane")?);
    for row in &query.fetch_all(connection).await? {
        let index: usize = small(row, "index_of")?;
        if let Some((target, _)) = numbers.get(index) {
            targets[*target] = Some((key(row)?, step(row, "step")?));
        }
    }
    Ok(())
}

/// The values that receipts of one statement have in common. The others of each are in a text of fixed width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Alike<'a> {
    batch: BatchId,
    step: StepIndex,
    state: &'a str,
    detail: &'a str,
    code: u32,
    tries: Option<u16>,
    ruling: Ruling,
    charge: Option<&'a Charge>,
}

/// Stores receipts. The column types turn the digits into numbers. A receipt that is already stored changes only if:
///
/// - it now names a later try: the try may become known later, and of two tries with equal receipts the later one counts;
/// - its ruling now changes the message, which the first one may not have done: then it counts as received now. The same if
///   it first was about a superseded try, and now names a later one;
/// - it now says what the message cost: the details of a message may say less than its receipt, or the other way round.
const KEEP: &str = "INSERT INTO receipt (batch, n, step, stamp, state, detail, code, received, tries, ruling,
         price, currency, parts, category)
     SELECT ?1, substr(value, 1, 10), ?3, substr(value, 11, 15), ?4, ?5, ?6, substr(value, 26, 15), ?7, ?8,
         ?11, ?12, ?13, ?14
     FROM json_each(?2) WHERE true
     ON CONFLICT DO UPDATE SET tries = iif(excluded.tries > coalesce(tries, -1), excluded.tries, tries),
         received = iif(?9 OR ruling & 255 = ?10 AND excluded.tries > coalesce(tries, -1), excluded.received, received),
         ruling = iif(?9 OR ruling & 255 = ?10 AND excluded.tries > coalesce(tries, -1), excluded.ruling, ruling),
         price = coalesce(price, excluded.price),
         currency = iif(price IS NULL OR price IS excluded.price, coalesce(excluded.currency, currency), currency),
         parts = coalesce(parts, excluded.parts), category = coalesce(category, excluded.category)
     WHERE excluded.tries > coalesce(tries, -1) OR ?9
         OR (price, parts, category) IS NOT (coalesce(price, ?11), coalesce(parts, ?13), coalesce(category, ?14))
         OR currency IS NULL AND ?12 IS NOT NULL AND coalesce(price, ?11) IS ?11";

pub(super) fn keep<'a>(script: &mut Script, receipts: impl IntoIterator<Item = &'a Receipt>) {
    let shapes = alike(receipts.into_iter().map(|receipt| {
        let Receipt { key, step, code, tries, .. } = *receipt;
        let (state, detail, ruling) = (receipt.state.as_str(), receipt.detail.as_str(), receipt.ruling);
        let charge = receipt.charge.as_deref();
        (Alike { batch: key.batch, step, state, detail, code, tries, ruling, charge }, receipt)
    }));
    for (shape, receipts) in shapes {
        let mut texts = String::with_capacity(receipts.len() * 43 + 2);
        texts.push('[');
        for (index, receipt) in receipts.iter().enumerate() {
            let (n, stamp, received) = (receipt.key.n, receipt.stamp.millis(), receipt.received.millis());
            let comma = if index > 0 { "," } else { "" };
            let _ = write!(texts, "{comma}\"{n:010}{stamp:015}{received:015}\"");
        }
        texts.push(']');
        script
            .statement(KEEP)
            .bind(shape.batch.0)
            .bind(texts)
            .bind(shape.step.get())
            .bind(shape.state.to_owned())
            .bind(shape.detail.to_owned())
            .bind(shape.code)
            .bind(shape.tries)
            .bind(shape.ruling.bits())
            .bind(shape.ruling.has_moved())
            .bind(Made::Superseded.code())
            .bind(shape.charge.and_then(|charge| charge.price).map(|price| price.millionths().cast_signed()))
            .bind(shape.charge.and_then(|charge| charge.currency.clone()).map(String::from))
            .bind(shape.charge.and_then(|charge| charge.parts))
            .bind(shape.charge.and_then(|charge| charge.category.clone()).map(String::from));
    }
}

/// Stores what the provider posted together, and applies what was decided about it.
pub(super) async fn take(connection: &mut SqliteConnection, taken: WebhookGroup) -> Work<(Kept, FlowCounts)> {
    let WebhookGroup {
        receipts,
        changes,
        strays,
        aliases,
        opt_outs,
        written,
        stops,
        confirms,
        possible_stops,
        naming,
        buckets,
    } = taken;
    let names =
        if aliases.is_empty() { LearnedNames::default() } else { aliases::learn_reported(connection, aliases).await? };
    if !opt_outs.is_empty() {
        opt_outs::opt_out(connection, &opt_outs).await?;
    }
    let inbound::Written { writers, is_first_possible_stop } =
        inbound::take(connection, written, (stops, confirms), &possible_stops).await?;
    if !naming.is_empty() {
        naming::keep(connection, naming).await?;
    }
    keep_strays(connection, &strays).await?;
    let stale = record(connection, &receipts, &changes, &buckets).await?;
    let flows = FlowCounts::of(&changes, &stale);
    // Last, because the changes may have stored the attempts.
    let learned: Vec<_> = receipts
        .into_iter()
        .filter(|receipt| receipt.umid.is_some() && !stale.contains(&receipt.key))
        .filter_map(|receipt| {
            let Receipt { key, step, umid, tries, .. } = receipt;
            Some(Learned { key, step, tries: [tries?; 2], umid })
        })
        .collect();
    learn(connection, &learned).await?;
    Ok((
        Kept {
            stale,
            named: names.opted_out.into_iter().map(AddressKey::from).collect(),
            taken_names: names.taken,
            writers,
            is_first_possible_stop,
        },
        flows,
    ))
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

/// Something learned about tries of a step: that they cannot be adopted any more, or the provider's id of one.
pub(super) struct Learned {
    pub(super) key: MessageKey,
    pub(super) step: StepIndex,
    /// The first and the last of the tries.
    pub(super) tries: [u16; 2],
    pub(super) umid: Option<Umid>,
}

/// The statement before and after the values.
pub(super) const LEARN: [&str; 2] = [
    "WITH lesson (batch, n, step, first, last, umid) AS (",
    ") UPDATE attempt SET umid = coalesce(attempt.umid, lesson.umid), adoptable = NULL FROM lesson \
     WHERE attempt.batch = lesson.batch AND attempt.n = lesson.n AND attempt.step = lesson.step \
     AND attempt.tries BETWEEN lesson.first AND lesson.last \
     AND (attempt.adoptable IS NOT NULL OR (attempt.umid IS NULL AND lesson.umid IS NOT NULL))",
];

/// Marks tries as no longer adoptable, and stores umids for tries without one.
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

/// Ordered along the index: ordered by id alone, each page would sort all strays of the kind.
pub(super) const STRAYS: &str = "SELECT * FROM stray INDEXED BY stray_kind
     WHERE kind = ?1 AND (received, id) > (?2, ?3) ORDER BY received, id LIMIT ?4";

pub(super) async fn strays(
    connection: &mut SqliteConnection,
    kind: StrayKind,
    since: Timestamp,
    after: Cursor,
    limit: u32,
) -> Work<Vec<(Cursor, Stray)>> {
    let Cursor(received, id) = after.max(Cursor(since.millis(), 0));
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
            Ok((Cursor(stray.received.millis(), row.try_get("id")?), stray))
        })
        .collect()
}

pub(super) async fn forget_strays(connection: &mut SqliteConnection, strays: Vec<Cursor>) -> Work<()> {
    forget(connection, strays.into_iter().map(|Cursor(_, id)| id)).await
}

async fn forget(connection: &mut SqliteConnection, ids: impl IntoIterator<Item = i64>) -> Work<()> {
    sqlx::query(FORGET).bind(json_list(ids)).execute(connection).await?;
    Ok(())
}

pub(super) const FORGET: &str = "DELETE FROM stray WHERE id IN (SELECT value FROM json_each(?1))";

/// Strays that are deleted in one transaction, by number and by bytes. Unreadable webhooks are stored whole, and deleting
/// a long row takes time for each of its pages.
const PIECE: i64 = 2_000;
const PIECE_BYTES: i64 = 4 << 20;
pub(super) const OLD: &str = "SELECT id, octet_length(raw) AS bytes FROM stray INDEXED BY stray_kind
     WHERE kind IN (0, 1, 2, 3) AND received < ?1 LIMIT ?2";

/// Deletes one piece of the strays that came before `before`. Returns how many; zero at the end.
pub(super) async fn forget_old_strays(connection: &mut SqliteConnection, before: Timestamp) -> Work<usize> {
    let query = sqlx::query(OLD).bind(before.millis()).bind(PIECE);
    let (mut ids, mut bytes) = (Vec::new(), 0_i64);
    for row in &query.fetch_all(&mut *connection).await? {
        bytes = bytes.saturating_add(row.try_get("bytes")?);
        // The first is deleted however long it is: otherwise it would stay for ever.
        if bytes > PIECE_BYTES && !ids.is_empty() {
            break;
        }
        ids.push(row.try_get::<i64, _>("id")?);
    }
    let deleted = ids.len();
    if deleted > 0 {
        forget(connection, ids).await?;
    }
    Ok(deleted)
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
) -> Work<Vec<(MessageKey, AddressKey, StepIndex)>> {
    let rows = sqlx::query(UNKNOWN).bind(batch.0).bind(limit).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((key(row)?, address_key(row, "adoptable")?, step(row, "step")?))).collect()
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 0xf)]));
    }
}
