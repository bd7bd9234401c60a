//! Stores changes of observed messages, and makes deliveries of the rows of feeds.

use std::fmt::Write as _;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::facts::nonsense;
use super::rows::{address_key, decoded, maybe_small, small, step, timestamp};
use super::script::Script;
use super::{Work, addresses, deliveries, inbound, nodes};
use crate::base::domain::{
    BatchId, CampaignId, Fields, Marks, MessageKey, Outcome, Progress, SkipReason, Status, Tag, Umid, push_json_string,
};
use crate::store::{
    Addresses, CallIds, Change, Cursor, EventRow, FanOut, Feed, FeedRow, FeedState, Inbound, Observed, ObservedMessage,
    ObservedRecipient,
};

const REACHED: u8 = 0;
const FAILED: u8 = 1;
const ENDED: u8 = 2;

const WRITE: &str = "INSERT INTO outbox (at, batch, n, step, kind, value, skipped, code, detail, message)
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9
     FROM json_each(?1)";

/// Adds what the observers of these changes are told, in the order of the changes. Without observers it adds no statement.
pub(super) fn write(script: &mut Script, changes: &[&Change]) {
    let mut all = String::new();
    for change in changes.iter().filter(|change| !change.observed.is_empty()) {
        for observed in change.observations() {
            all.push(if all.is_empty() { '[' } else { ',' });
            append(&mut all, change.key, &observed);
        }
    }
    if !all.is_empty() {
        all.push(']');
        script.statement(WRITE).bind(all);
    }
}

fn append(all: &mut String, key: MessageKey, observed: &Observed) {
    let Observed { progress, at, code, detail, message } = observed;
    let (kind, step, value, skipped) = match *progress {
        Progress::Reached { step, status } => (REACHED, Some(step.get()), Some(status.code()), None),
        Progress::Failed { step } => (FAILED, Some(step.get()), None, None),
        Progress::Ended { outcome, skipped } => (ENDED, None, Some(outcome.code()), skipped.map(SkipReason::code)),
    };
    let number = |number: Option<u32>| number.map_or_else(|| "null".to_owned(), |number| number.to_string());
    let (step, value, skipped) =
        (number(step.map(u32::from)), number(value.map(u32::from)), number(skipped.map(u32::from)));
    let (batch, n, code) = (key.batch, key.n, number(*code));
    let _ = write!(all, "[{},{batch},{n},{step},{kind},{value},{skipped},{code},", at.millis());
    push_text(all, detail.as_deref());
    all.push(',');
    push_text(all, message.as_deref());
    all.push(']');
}

fn push_text(all: &mut String, text: Option<&str>) {
    match text {
        Some(text) => push_json_string(all, text),
        None => all.push_str("null"),
    }
}

/// The messages that a call of the API has skipped: nothing else will change them.
pub(super) const WRITE_SKIPPED: &str = "INSERT INTO outbox (at, batch, n, kind, value, skipped)
     SELECT at, batch, n, ?4, outcome, skipped FROM message
     WHERE batch = ?1 AND n >= ?2 AND n < ?3 AND state = 3 ORDER BY n";

/// Tells the observers of new messages which of them were skipped.
pub(super) fn write_skipped(script: &mut Script, batch: BatchId, (from, until): (u32, u32)) {
    script.statement(WRITE_SKIPPED).bind(batch.0).bind(from).bind(until).bind(ENDED);
}

/// A few look-ups by key.
pub(super) const FEEDS: &str =
    "SELECT feed.key AS feed, ifnull((SELECT position FROM feed_cursor c WHERE c.feed = feed.key), 0) AS position,
         ifnull(CASE feed.key WHEN 0 THEN (SELECT max(id) FROM event) WHEN 1 THEN (SELECT max(id) FROM inbound)
                ELSE (SELECT max(id) FROM outbox) END, 0) AS latest
     FROM json_each('[0, 1, 2]') feed";

pub(super) async fn feeds(connection: &mut SqliteConnection) -> Work<Vec<FeedState>> {
    let rows = sqlx::query(FEEDS).fetch_all(connection).await?;
    let state = |(row, feed): (&SqliteRow, Feed)| {
        let position = |column| Ok::<_, super::Fault>(Cursor::of_id(row.try_get(column)?));
        Ok(FeedState { feed, position: position("position")?, latest: position("latest")? })
    };
    rows.iter().zip(Feed::ALL).map(state).collect()
}

pub(super) const EVENTS: &str = "SELECT * FROM event WHERE id > ?1 ORDER BY id LIMIT ?2";

pub(super) async fn events(connection: &mut SqliteConnection, after: Cursor, limit: u32) -> Work<Vec<EventRow>> {
    let rows = sqlx::query(EVENTS).bind(after.id()).bind(limit).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((Cursor::of_id(row.try_get("id")?), nodes::event(row)?))).collect()
}

pub(super) const REPLIES: &str = "SELECT * FROM inbound WHERE id > ?1 ORDER BY id LIMIT ?2";

pub(super) async fn replies(
    connection: &mut SqliteConnection,
    after: Cursor,
    limit: u32,
) -> Work<Vec<FeedRow<Inbound>>> {
    let rows = sqlx::query(REPLIES).bind(after.id()).bind(limit).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((Cursor::of_id(row.try_get("id")?), inbound::message(row)?))).collect()
}

pub(super) const MESSAGES: &str =
    "SELECT outbox.*, batch.tag, batch.name, batch.edition, m.address, m.country, m.marks,
         r.client_message_id, r.fields, call.first AS call_first, head.tag AS call_tag, call.client_batch_id,
         (SELECT umid FROM attempt a WHERE a.batch = outbox.batch AND a.n = outbox.n AND a.step = outbox.step
          ORDER BY a.tries DESC LIMIT 1) AS umid
     FROM outbox JOIN batch ON batch.id = outbox.batch
     LEFT JOIN message m ON m.batch = outbox.batch AND m.n = outbox.n
     LEFT JOIN recipient r ON r.audience = m.audience AND r.n = m.recipient
     LEFT JOIN api_batch call ON call.batch = outbox.batch
     LEFT JOIN batch head ON head.id = call.first
     WHERE outbox.id > ?1 ORDER BY outbox.id LIMIT ?2";

pub(super) async fn messages(
    connection: &mut SqliteConnection,
    after: Cursor,
    limit: u32,
) -> Work<Vec<FeedRow<ObservedMessage>>> {
    let rows = sqlx::query(MESSAGES).bind(after.id()).bind(limit).fetch_all(&mut *connection).await?;
    // Purged messages have no rows any more.
    let keys = |row: &SqliteRow| row.try_get::<Option<i64>, _>("address").ok()??.try_into().ok();
    let users = addresses::users(connection, rows.iter().filter_map(keys)).await?;
    rows.iter().map(|row| Ok((Cursor::of_id(row.try_get("id")?), message(row, &users)?))).collect()
}

fn message(row: &SqliteRow, users: &Addresses) -> Work<ObservedMessage> {
    let (umid, marks): (Option<Vec<u8>>, Option<i64>) = (row.try_get("umid")?, row.try_get("marks")?);
    Ok(ObservedMessage {
        key: MessageKey { batch: BatchId(small(row, "batch")?), n: small(row, "n")? },
        observed: Observed {
            progress: progress(row)?,
            at: timestamp(row, "at")?,
            code: maybe_small(row, "code")?,
            detail: row.try_get("detail")?,
            message: row.try_get("message")?,
        },
        tag: Tag::from_random(row.try_get::<i64, _>("tag")?.cast_unsigned()),
        campaign: row.try_get("name")?,
        edition: small(row, "edition")?,
        recipient: recipient(row, users)?,
        was_submitted: marks.is_some_and(|marks| Marks::from_bits(marks).last_handed_over().is_some()),
        umid: umid.as_deref().and_then(Umid::from_bytes),
        call: call(row)?,
    })
}

/// The call of the API that sent the message with others, if one did.
fn call(row: &SqliteRow) -> Work<Option<CallIds>> {
    let (Some(first), Some(tag)) = (maybe_small(row, "call_first")?, row.try_get::<Option<i64>, _>("call_tag")?) else {
        return Ok(None);
    };
    let id = CampaignId { batch: BatchId(first), tag: Tag::from_random(tag.cast_unsigned()) };
    Ok(Some(CallIds { id, client_batch_id: row.try_get("client_batch_id")? }))
}

fn progress(row: &SqliteRow) -> Work<Progress> {
    let kind: u8 = small(row, "kind")?;
    match kind {
        REACHED => {
            Ok(Progress::Reached { step: step(row, "step")?, status: decoded(row, "value", Status::from_code)? })
        }
        FAILED => Ok(Progress::Failed { step: step(row, "step")? }),
        ENDED => {
            let skipped: Option<u8> = maybe_small(row, "skipped")?;
            let skipped = skipped.map(|code| SkipReason::from_code(code).ok_or_else(|| nonsense("outbox.skipped")));
            Ok(Progress::Ended { outcome: decoded(row, "value", Outcome::from_code)?, skipped: skipped.transpose()? })
        }
        _ => Err(nonsense("outbox.kind").into()),
    }
}

fn recipient(row: &SqliteRow, users: &Addresses) -> Work<Option<ObservedRecipient>> {
    // Purged messages have no rows any more, and erased recipients no address.
    if row.try_get::<Option<String>, _>("fields")?.is_none() {
        return Ok(None);
    }
    let Some(address) = users.of(address_key(row, "address")?) else { return Ok(None) };
    let country: String = row.try_get("country")?;
    Ok(Some(ObservedRecipient {
        address,
        country: country.parse().map_err(|_| nonsense("message.country"))?,
        client_message_id: row.try_get("client_message_id")?,
        fields: Fields::from_packed(row.try_get("fields")?),
    }))
}

const MOVE: &str = "INSERT INTO feed_cursor (feed, position) SELECT ?1, ?3 WHERE ?2 = 0 OR EXISTS (SELECT 1 FROM feed_cursor WHERE feed = ?1)
     ON CONFLICT DO UPDATE SET position = excluded.position WHERE position = ?2";

pub(super) async fn fan_out(connection: &mut SqliteConnection, fan_out: FanOut) -> Work<bool> {
    let FanOut { feed, from, until, deliveries, alerts, now } = fan_out;
    let moved = sqlx::query(MOVE)
        .bind(feed as i64)
        .bind(from.id())
        .bind(until.id())
        .execute(&mut *connection)
        .await?
        .rows_affected();
    if moved == 0 {
        return Ok(false);
    }
    if feed == Feed::Messages {
        sqlx::query("DELETE FROM outbox WHERE id <= ?1").bind(until.id()).execute(&mut *connection).await?;
    }
    deliveries::keep_alerts(connection, &alerts).await?;
    deliveries::add(connection, &deliveries, now).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{AddressKey, LaneId, Present, StepIndex, Timestamp};
    use crate::rules::engine::Ruling;

    fn change(told: &[Progress]) -> Change {
        let present = Present::queued(Timestamp::default(), None);
        let observed = |progress: &Progress| Observed {
            progress: *progress,
            at: Timestamp::default(),
            code: None,
            detail: None,
            message: None,
        };
        Change {
            key: MessageKey { batch: BatchId(1), n: 2 },
            address: AddressKey::ERASED,
            version: 0,
            before: present,
            after: present,
            lane_before: LaneId(1),
            lane: LaneId(1),
            steps: 1,
            fact: None,
            ruling: Ruling::default(),
            notes: Vec::new(),
            settlements: Vec::new(),
            observed: told.iter().map(observed).collect(),
        }
    }

    #[test]
    fn changes_that_nobody_observes_add_no_statement_and_others_share_one() {
        let failed = [Progress::Failed { step: StepIndex::FIRST }];
        let (unobserved, observed) = (change(&[]), change(&failed));
        let mut script = Script::default();
        write(&mut script, &[&unobserved, &unobserved]);
        assert_eq!(script.len(), 0);
        write(&mut script, &[&observed, &unobserved, &observed]);
        assert_eq!(script.len(), 1);
    }
}
