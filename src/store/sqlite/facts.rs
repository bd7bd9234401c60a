//! Reads attempts and receipts.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use sqlx::SqliteConnection;

use super::rows::{Bound, Line, json_list, lines, packed};
use super::{Error, Work};
use crate::base::domain::{BatchId, Charge, LaneId, MessageKey, Money, Reasons, Timestamp, Umid};
use crate::rules::engine::Ruling;
use crate::store::{Attempt, CodedFacts, Receipt, Verdict};

/// Separates the texts of a line. Neither files nor providers use this character.
pub(super) const PART: char = '\u{1f}';

macro_rules! attempts {
    ($where:literal) => {
        packed!(
            "concat_ws(' ', n, step, lane, queued, ifnull(intent, ''), answered, verdict, tries, ruling, ifnull(code, ''))
             || ' ' || ifnull(hex(umid), '') || char(31) || replace(ifnull(detail, ''), char(10), ' ')",
            concat!("attempt WHERE batch = ?1 AND ", $where)
        )
    };
}

macro_rules! receipts {
    ($where:literal) => {
        packed!(
            "concat_ws(' ', n, step, stamp, code, received, ruling, ifnull(tries, ''), ifnull(price, ''), ifnull(currency, ''),
                 ifnull(parts, ''), ifnull(category, ''))
             || ' ' || replace(state, char(10), ' ') || char(31) || replace(detail, char(10), ' ')",
            concat!("receipt WHERE batch = ?1 AND ", $where)
        )
    };
}

/// The facts of a range of messages.
pub(super) const ATTEMPTS: &str = attempts!("n BETWEEN ?2 AND ?3");
pub(super) const RECEIPTS: &str = receipts!("n BETWEEN ?2 AND ?3");
/// The facts of single messages.
pub(super) const ATTEMPTS_OF: &str = attempts!("n IN (SELECT value FROM json_each(?2))");
pub(super) const RECEIPTS_OF: &str = receipts!("n = ?2");
/// The facts of a range of messages with one code, or with any.
pub(super) const ATTEMPTS_CODED: &str = attempts!("n BETWEEN ?2 AND ?3 AND (?4 OR code IS ?5) AND verdict = ?6");
pub(super) const RECEIPTS_CODED: &str = receipts!("n BETWEEN ?2 AND ?3 AND (?4 OR code = ?5)");

pub(super) async fn attempts(connection: &mut SqliteConnection, messages: &[MessageKey]) -> Work<Vec<Vec<Attempt>>> {
    let mut by_batch: BTreeMap<BatchId, Vec<i64>> = BTreeMap::new();
    for key in messages {
        by_batch.entry(key.batch).or_default().push(i64::from(key.n));
    }
    let mut found: HashMap<MessageKey, Vec<Attempt>> = HashMap::with_capacity(messages.len());
    for (batch, ns) in by_batch {
        for (n, attempt) in attempts_in(connection, sqlx::query(ATTEMPTS_OF).bind(batch.0).bind(json_list(ns))).await? {
            found.entry(MessageKey { batch, n }).or_default().push(attempt);
        }
    }
    Ok(messages.iter().map(|key| found.get(key).cloned().unwrap_or_default()).collect())
}

pub(super) async fn receipts(connection: &mut SqliteConnection, message: MessageKey) -> Work<Vec<Receipt>> {
    let query = sqlx::query(RECEIPTS_OF).bind(message.batch.0).bind(message.n);
    receipts_in(connection, query, message.batch).await
}

pub(super) async fn coded(
    connection: &mut SqliteConnection,
    batch: BatchId,
    numbers: RangeInclusive<u32>,
    reasons: Reasons,
) -> Work<CodedFacts> {
    let (first, last) = numbers.into_inner();
    let (all, code) = match reasons {
        Reasons::All => (true, None),
        Reasons::WithoutCode => (false, None),
        Reasons::Of(code) => (false, Some(code)),
    };
    let attempts = sqlx::query(ATTEMPTS_CODED).bind(batch.0).bind(first).bind(last).bind(all).bind(code);
    let attempts = attempts_in(connection, attempts.bind(Verdict::Rejected as i64)).await?;
    // A receipt without a code has the code 0.
    let receipts = sqlx::query(RECEIPTS_CODED).bind(batch.0).bind(first).bind(last).bind(all).bind(code.unwrap_or(0));
    Ok(CodedFacts { attempts, receipts: receipts_in(connection, receipts, batch).await? })
}

/// Reads attempts, ordered by message, step and try.
pub(super) async fn attempts_in(connection: &mut SqliteConnection, query: Bound<'_>) -> Work<Vec<(u32, Attempt)>> {
    attempts_of(&lines(connection, query).await?)
}

pub(super) fn attempts_of(text: &str) -> Work<Vec<(u32, Attempt)>> {
    let mut attempts = text.lines().map(attempt).collect::<Work<Vec<_>>>()?;
    // SQLite does not guarantee that lines are joined in the order of their rows.
    attempts.sort_unstable_by_key(|(n, attempt)| (*n, attempt.step, attempt.tries));
    Ok(attempts)
}

/// Reads receipts, ordered by message and arrival.
pub(super) async fn receipts_in(
    connection: &mut SqliteConnection,
    query: Bound<'_>,
    batch: BatchId,
) -> Work<Vec<Receipt>> {
    receipts_of(&lines(connection, query).await?, batch)
}

pub(super) fn receipts_of(text: &str, batch: BatchId) -> Work<Vec<Receipt>> {
    let mut receipts = text.lines().map(|line| receipt(line, batch)).collect::<Work<Vec<_>>>()?;
    receipts.sort_by_key(|receipt| (receipt.key.n, receipt.received, receipt.stamp, receipt.step));
    Ok(receipts)
}

pub(super) fn nonsense(place: &str) -> Error {
    Error::InvalidRow { what: "an invalid value".to_owned(), place: place.to_owned() }
}

fn attempt(line: &str) -> Work<(u32, Attempt)> {
    let mut line = Line::of(line);
    let n = line.small("n")?;
    let step = line.step("step")?;
    let lane = LaneId(line.small("lane")?);
    let queued = Timestamp::from_millis(line.small("queued")?);
    let intent = line.timestamp("intent")?;
    let answered = Timestamp::from_millis(line.small("answered")?);
    let verdict = Verdict::from_code(line.small("verdict")?).ok_or_else(|| nonsense("attempt.verdict"))?;
    let (tries, ruling, code) = (line.small("tries")?, ruling(&mut line)?, line.maybe("code")?);
    let (umid, detail) = line.rest().and_then(|rest| rest.split_once(PART)).unwrap_or_default();
    let umid = bytes(umid).filter(|umid| !umid.is_empty()).and_then(|umid| Umid::from_bytes(&umid));
    let detail = Some(detail.to_owned()).filter(|detail| !detail.is_empty());
    Ok((n, Attempt { step, lane, queued, intent, answered, verdict, tries, code, detail, umid, ruling }))
}

fn receipt(line: &str, batch: BatchId) -> Work<Receipt> {
    let mut line = Line::of(line);
    let key = MessageKey { batch, n: line.small("n")? };
    let step = line.step("step")?;
    let stamp = Timestamp::from_millis(line.small("stamp")?);
    let code = line.small("code")?;
    let received = Timestamp::from_millis(line.small("received")?);
    let (ruling, tries) = (ruling(&mut line)?, line.maybe("tries")?);
    let charge = charge(&mut line)?;
    let (state, detail) = line.rest().and_then(|rest| rest.split_once(PART)).unwrap_or_default();
    let (state, detail) = (state.to_owned(), detail.to_owned());
    Ok(Receipt { key, step, stamp, state, detail, code, received, tries, umid: None, charge, ruling })
}

fn charge(line: &mut Line<'_>) -> Work<Option<Box<Charge>>> {
    let word = |text: &str| Some(text).filter(|text| !text.is_empty()).map(Box::from);
    let price = line.maybe("price")?.map(Money::from_millionths);
    let currency = word(line.text("currency")?);
    let charge = Charge { price, currency, parts: line.maybe("parts")?, category: word(line.text("category")?) };
    Ok((charge != Charge::default()).then(|| Box::new(charge)))
}

fn ruling(line: &mut Line<'_>) -> Work<Ruling> {
    Ok(Ruling::from_bits(line.small("ruling")?).ok_or_else(|| nonsense("ruling"))?)
}

pub(super) fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    hex.as_bytes().chunks(2).map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}
