//! Stores audiences: hidden during the import, then published at once.

use std::ops::Range;

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::messages::number;
use super::rows::{Bound, Line, for_values, json_list, json_of, lines, msisdn, packed, small, timestamp};
use super::script::Script;
use super::{Error, Work, rejected, sieves};
use crate::domain::{AudienceId, BatchId, Country, Fields, Msisdn, Recipient, Timestamp};
use crate::store::sieve::{may_hold, sieve};
use crate::store::{Audience, AudiencePart, FoundRecipient, KnownAs, NewAudience, RecipientPlace, Whom};

/// Recipients or messages removed in one transaction, which keeps transactions short.
pub(super) const REMOVED_AT_ONCE: u32 = 5_000;

pub(super) async fn begin(connection: &mut SqliteConnection, new: NewAudience) -> Work<AudienceId> {
    let (name, part_of) = match new.known_as {
        KnownAs::Nothing => (None, None),
        KnownAs::Name(name) => {
            check_name_is_free(connection, &name).await?;
            (Some(name), None)
        }
        KnownAs::PartOf(first) => {
            check_published(connection, first).await?;
            (None, Some(first.0))
        }
    };
    let row = sqlx::query(
        "INSERT INTO audience (name, part_of, source, columns, begun_at, touched_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
         RETURNING id",
    )
    .bind(name)
    .bind(part_of)
    .bind(&new.source)
    .bind(Fields::pack(new.columns.iter().map(String::as_str)).as_str())
    .bind(new.now.millis())
    .fetch_one(connection)
    .await?;
    Ok(AudienceId(small(&row, "id")?))
}

/// Fails unless the audience is published: nothing is added to an audience that is being removed.
async fn check_published(connection: &mut SqliteConnection, audience: AudienceId) -> Work<()> {
    let query = sqlx::query("SELECT 1 FROM audience WHERE id = ?1 AND ready = 1 AND name IS NOT NULL").bind(audience.0);
    query.fetch_optional(connection).await?.map(|_| ()).ok_or_else(|| gone(audience).into())
}

async fn check_name_is_free(connection: &mut SqliteConnection, name: &str) -> Work<()> {
    match named(connection, name).await? {
        None => Ok(()),
        Some(_) => Err(Error::NameTaken { name: name.to_owned() }.into()),
    }
}

pub(super) async fn add(
    connection: &mut SqliteConnection,
    audience: AudienceId,
    first: u32,
    recipients: Vec<Recipient>,
    now: Timestamp,
) -> Work<()> {
    let touched = sqlx::query("UPDATE audience SET touched_at = ?2 WHERE id = ?1 AND touched_at >= 0")
        .bind(audience.0)
        .bind(now.millis())
        .execute(&mut *connection)
        .await?
        .rows_affected();
    if touched == 0 {
        return Err(gone(audience).into());
    }
    if !recipients.is_empty() {
        sqlx::query("INSERT INTO sieve (audience, first, bits) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")
            .bind(audience.0)
            .bind(first)
            .bind(sieve(&recipients))
            .execute(&mut *connection)
            .await?;
    }
    insert(connection, audience, first, &recipients).await
}

/// Adds recipients to an audience that is already in use. Returns their numbers in it.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    audience: AudienceId,
    recipients: &[Recipient],
    now: Timestamp,
) -> Work<Range<u32>> {
    let more = u32::try_from(recipients.len()).unwrap_or(u32::MAX);
    let mut script = Script::default();
    script.statement(
        "UPDATE audience SET recipients = recipients + ?2, touched_at = ?3 WHERE id = ?1 AND touched_at >= 0
         RETURNING recipients, NULL AS first, NULL AS bits",
    );
    script.bind(audience.0).bind(more).bind(now.millis());
    sieves::last(&mut script, audience);
    let mut rows = script.rows(connection).await?.into_iter();
    let counted = rows.next().filter(|row| row.try_get::<Option<i64>, _>("recipients").is_ok_and(|n| n.is_some()));
    let until: u32 = small(&counted.ok_or_else(|| gone(audience))?, "recipients")?;
    let added = until - more..until;
    let last = rows.next().as_ref().map(sieves::read).transpose()?;
    let mut script = Script::default();
    // SQLite ends a text of JSON at a NUL.
    let has_nul = |of: &Recipient| of.client_message_id.as_deref().is_some_and(|id| id.contains('\0'));
    if recipients.len() < SMALL && !recipients.iter().any(has_nul) {
        insert_few(&mut script, audience, added.start, recipients)?;
    } else {
        insert(connection, audience, added.start, recipients).await?;
    }
    sieves::append(&mut script, audience, added.start, recipients, last);
    script.run(connection).await?;
    Ok(added)
}

/// Recipients that are inserted as one JSON text. More of them are inserted sooner as values, in a few statements.
const SMALL: usize = 128;

/// The same as `insert`, as one statement for any number.
fn insert_few(script: &mut Script, audience: AudienceId, first: u32, recipients: &[Recipient]) -> Work<()> {
    let rows: Vec<_> = (first..)
        .zip(recipients)
        .map(|(n, of)| (n, number(of.msisdn), of.country.as_str(), of.client_message_id.as_deref(), of.fields.as_str()))
        .collect();
    script.statement(
        "INSERT INTO recipient (audience, n, msisdn, country, client_message_id, fields)
         SELECT ?1, value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(?2)
         WHERE true ON CONFLICT DO NOTHING",
    );
    script.bind(audience.0).bind(json_of(&rows, "recipient.fields")?);
    Ok(())
}

async fn insert(
    connection: &mut SqliteConnection,
    audience: AudienceId,
    first: u32,
    recipients: &[Recipient],
) -> Work<()> {
    let numbered: Vec<(i64, &Recipient)> = (i64::from(first)..).zip(recipients).collect();
    for_values(
        connection,
        "INSERT INTO recipient (audience, n, msisdn, country, client_message_id, fields)",
        "ON CONFLICT DO NOTHING",
        6,
        &numbered,
        |query: Bound<'_>, (n, recipient)| {
            query
                .bind(audience.0)
                .bind(*n)
                .bind(number(recipient.msisdn))
                .bind(recipient.country.as_str().to_owned())
                .bind(recipient.client_message_id.as_deref().map(str::to_owned))
                .bind(recipient.fields.as_str().to_owned())
        },
    )
    .await?;
    Ok(())
}

pub(super) fn gone(audience: AudienceId) -> Error {
    Error::Gone { what: format!("audience {audience}") }
}

pub(super) async fn publish(
    connection: &mut SqliteConnection,
    audience: AudienceId,
    recipients: u32,
    summary: String,
) -> Work<()> {
    let row = sqlx::query("SELECT name, part_of FROM audience WHERE id = ?1 AND touched_at >= 0")
        .bind(audience.0)
        .fetch_optional(&mut *connection)
        .await?
        .ok_or_else(|| gone(audience))?;
    if let Some(name) = row.try_get::<Option<String>, _>("name")? {
        check_name_is_free(connection, &name).await?;
    }
    if let Some(first) = row.try_get::<Option<u32>, _>("part_of")? {
        check_published(connection, AudienceId(first)).await?;
    }
    sqlx::query("UPDATE audience SET ready = 1, recipients = ?2, summary = ?3 WHERE id = ?1")
        .bind(audience.0)
        .bind(recipients)
        .bind(summary)
        .execute(connection)
        .await?;
    Ok(())
}

/// Hides the audience and all its parts. Returns the audiences to remove. Fails if a batch uses one of them.
pub(super) async fn hide(connection: &mut SqliteConnection, audience: AudienceId) -> Work<Vec<AudienceId>> {
    let user = sqlx::query(
        "SELECT coalesce(batch.name, 'batch ' || batch.id) AS campaign,
                coalesce(first.name, audience.name, audience.source) AS audience
         FROM audience JOIN audience_use used ON used.audience = audience.id JOIN batch ON batch.id = used.batch
         LEFT JOIN audience first ON first.id = audience.part_of
         WHERE (audience.id = ?1 OR audience.part_of = ?1) AND batch.purged_at IS NULL LIMIT 1",
    )
    .bind(audience.0)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(row) = user {
        return Err(Error::InUse { audience: row.try_get("audience")?, campaign: row.try_get("campaign")? }.into());
    }
    let rows = sqlx::query("UPDATE audience SET ready = 0, touched_at = -1 WHERE id = ?1 OR part_of = ?1 RETURNING id")
        .bind(audience.0)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok(AudienceId(small(row, "id")?))).collect()
}

/// Whether an audience is abandoned: an import that did not end, or one without a name that no campaign uses.
///
/// The second kind belongs to a campaign that was never launched; nothing leads to it any more.
macro_rules! abandoned {
    () => {
        "touched_at < ?1 AND (ready = 0 OR name IS NULL AND part_of IS NULL AND NOT EXISTS \
         (SELECT 1 FROM audience_use used WHERE used.audience = audience.id))"
    };
}

/// Marks the audience for removal if it has been abandoned since `before`. Returns whether it has.
pub(super) async fn abandon(connection: &mut SqliteConnection, audience: AudienceId, before: Timestamp) -> Work<bool> {
    let abandoned =
        sqlx::query(concat!("UPDATE audience SET ready = 0, touched_at = -1 WHERE id = ?2 AND ", abandoned!()))
            .bind(before.millis())
            .bind(audience.0)
            .execute(connection)
            .await?;
    Ok(abandoned.rows_affected() > 0)
}

/// Removes one piece of a hidden audience. Returns whether the audience is gone.
pub(super) async fn remove_piece(connection: &mut SqliteConnection, audience: AudienceId) -> Work<bool> {
    let removed = sqlx::query(
        "DELETE FROM recipient WHERE audience = ?1 AND n IN (SELECT n FROM recipient WHERE audience = ?1 LIMIT ?2)",
    )
    .bind(audience.0)
    .bind(REMOVED_AT_ONCE)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if removed >= u64::from(REMOVED_AT_ONCE) {
        return Ok(false);
    }
    if !rejected::remove_piece(&mut *connection, audience).await? {
        return Ok(false);
    }
    sqlx::query("DELETE FROM sieve WHERE audience = ?1").bind(audience.0).execute(&mut *connection).await?;
    sqlx::query("DELETE FROM audience WHERE id = ?1 AND ready = 0").bind(audience.0).execute(connection).await?;
    Ok(true)
}

pub(super) async fn unpublished(connection: &mut SqliteConnection, before: Timestamp) -> Work<Vec<AudienceId>> {
    let rows = sqlx::query(concat!("SELECT id FROM audience WHERE ", abandoned!()))
        .bind(before.millis())
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok(AudienceId(small(row, "id")?))).collect()
}

/// Selects the audiences with a name, each with the parts that were added to it.
macro_rules! published {
    ($where:literal) => {
        concat!(
            "SELECT part.*, first.name AS known_as, first.columns AS all_columns
             FROM audience first JOIN audience part ON part.id = first.id OR part.part_of = first.id
             WHERE first.ready = 1 AND first.name IS NOT NULL AND part.ready = 1",
            $where,
            " ORDER BY first.id, part.id"
        )
    };
}

pub(super) const NAMED: &str = published!(" AND first.name = ?1");

pub(super) async fn all(connection: &mut SqliteConnection) -> Work<Vec<Audience>> {
    gathered(&sqlx::query(published!("")).fetch_all(connection).await?)
}

pub(super) const PAGE: &str = "SELECT part.*, first.name AS known_as, first.columns AS all_columns
     FROM (SELECT id, name, columns FROM audience WHERE ready = 1 AND name IS NOT NULL AND name > ?1
           ORDER BY name LIMIT ?2) first
     CROSS JOIN audience part ON part.id = first.id OR part.part_of = first.id
     WHERE part.ready = 1 ORDER BY first.name, part.id";

pub(super) async fn page(connection: &mut SqliteConnection, after: Option<String>, limit: u32) -> Work<Vec<Audience>> {
    // No name is empty.
    let rows = sqlx::query(PAGE).bind(after.unwrap_or_default()).bind(limit);
    gathered(&rows.fetch_all(connection).await?)
}

pub(super) const LATEST: &str = "SELECT part.*, first.name AS known_as, first.columns AS all_columns
     FROM (SELECT id, name FROM audience INDEXED BY audience_latest
           WHERE ready = 1 AND name IS NOT NULL AND id < ?1 AND (?2 IS NULL OR instr(lower(name), lower(?2)) > 0)
           ORDER BY id DESC LIMIT ?3) candidate
     CROSS JOIN audience first ON first.id = candidate.id
     CROSS JOIN audience part ON part.id = first.id OR part.part_of = first.id
     WHERE part.ready = 1 ORDER BY first.id DESC, part.id";

pub(super) async fn latest(
    connection: &mut SqliteConnection,
    name: Option<String>,
    before: Option<AudienceId>,
    limit: u32,
) -> Work<Vec<Audience>> {
    let before = before.map_or(i64::MAX, |before| i64::from(before.0));
    gathered(&sqlx::query(LATEST).bind(before).bind(name).bind(limit).fetch_all(connection).await?)
}

pub(super) async fn named(connection: &mut SqliteConnection, name: &str) -> Work<Option<Audience>> {
    let rows = sqlx::query(NAMED).bind(name).fetch_all(connection).await?;
    Ok(gathered(&rows)?.pop())
}

pub(super) async fn parts_of(connection: &mut SqliteConnection, batch: BatchId) -> Work<Vec<AudiencePart>> {
    let rows = sqlx::query(
        "SELECT audience.* FROM batch, json_each(batch.audience_ids) used JOIN audience ON audience.id = used.value
         WHERE batch.id = ?1 ORDER BY used.key",
    );
    rows.bind(batch.0).fetch_all(connection).await?.iter().map(part).collect()
}

fn part(row: &SqliteRow) -> Work<AudiencePart> {
    Ok(AudiencePart {
        id: AudienceId(small(row, "id")?),
        source: row.try_get("source")?,
        recipients: small(row, "recipients")?,
        summary: row.try_get("summary")?,
        begun_at: timestamp(row, "begun_at")?,
    })
}

fn gathered(rows: &[SqliteRow]) -> Work<Vec<Audience>> {
    let mut all: Vec<Audience> = Vec::new();
    for row in rows {
        let name: String = row.try_get("known_as")?;
        let part = part(row)?;
        match all.last_mut().filter(|last| last.name == name) {
            Some(last) => last.parts.push(part),
            None => {
                let columns = Fields::from_packed(row.try_get("all_columns")?);
                let nonsense = |_| Error::InvalidRow { what: "columns".into(), place: "audience".into() };
                let columns = columns.unpack().map_err(nonsense)?;
                let columns = columns.into_iter().map(std::borrow::Cow::into_owned).collect();
                all.push(Audience { name, columns, parts: vec![part] });
            }
        }
    }
    Ok(all)
}

pub(super) async fn recipients(
    connection: &mut SqliteConnection,
    audience: AudienceId,
    from: u32,
    limit: u32,
) -> Work<Vec<Recipient>> {
    let rows = sqlx::query("SELECT * FROM recipient WHERE audience = ?1 AND n >= ?2 ORDER BY n LIMIT ?3")
        .bind(audience.0)
        .bind(from)
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(recipient).collect()
}

pub(super) const NUMBERS: &str =
    packed!("n || ' ' || msisdn", "recipient WHERE audience = ?1 AND n >= ?2 ORDER BY n LIMIT ?3");

pub(super) async fn numbers(
    connection: &mut SqliteConnection,
    audience: AudienceId,
    from: u32,
    limit: u32,
) -> Work<Vec<Msisdn>> {
    let lines = lines(connection, sqlx::query(NUMBERS).bind(audience.0).bind(from).bind(limit)).await?;
    let read = |line: &str| -> Work<(u32, Msisdn)> {
        let mut line = Line::of(line);
        Ok((line.small("n")?, line.small("msisdn")?))
    };
    let mut all = lines.lines().map(read).collect::<Work<Vec<_>>>()?;
    // SQLite does not guarantee that lines are joined in the order of their rows.
    all.sort_unstable_by_key(|(n, _)| *n);
    Ok(all.into_iter().map(|(_, msisdn)| msisdn).collect())
}

pub(super) fn recipient(row: &SqliteRow) -> Work<Recipient> {
    let country: String = row.try_get("country")?;
    Ok(Recipient {
        msisdn: msisdn(row, "msisdn")?,
        country: country.parse().unwrap_or(Country::WORLD),
        client_message_id: row.try_get::<Option<String>, _>("client_message_id")?.map(Into::into),
        fields: Fields::from_packed(row.try_get("fields")?),
    })
}

/// Searches the pieces whose sieve may contain the recipient.
pub(super) async fn find_recipient(
    connection: &mut SqliteConnection,
    whom: &Whom,
    within: Option<Vec<AudienceId>>,
) -> Work<Vec<(AudienceId, u32)>> {
    let mut pieces = Vec::new();
    let query = match within {
        Some(audiences) => sqlx::query(SIEVES_WITHIN).bind(json_list(audiences.iter().map(|id| i64::from(id.0)))),
        None => sqlx::query(SIEVES),
    };
    let mut rows = query.fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        if may_hold(row.try_get("bits")?, whom) {
            pieces.push((AudienceId(small(&row, "audience")?), small::<u32>(&row, "first")?));
        }
    }
    drop(rows);
    let mut found = Vec::new();
    for (audience, first) in pieces {
        found.extend(in_piece(&mut *connection, whom, audience, first).await?.into_iter().map(|n| (audience, n)));
    }
    Ok(found)
}

/// The numbers of a recipient in the piece that begins with number `first`.
async fn in_piece(connection: &mut SqliteConnection, whom: &Whom, audience: AudienceId, first: u32) -> Work<Vec<u32>> {
    let query = match whom {
        Whom::Number(msisdn) => {
            let other = msisdn.other_spelling().unwrap_or(*msisdn);
            let query = sqlx::query(IN_PIECE_BY_NUMBER).bind(audience.0).bind(first);
            query.bind(number(*msisdn)).bind(number(other))
        }
        Whom::ClientId(id) => sqlx::query(IN_PIECE_BY_ID).bind(audience.0).bind(first).bind(id.clone()),
    };
    query.fetch_all(connection).await?.iter().map(|row| small(row, "n")).collect()
}

/// Sieves that one bounded search reads: those of four million imported recipients, in a few milliseconds.
const SIEVES_READ: u32 = 1_000;
/// Pieces that one bounded search reads, each in about half a millisecond.
const PIECES_READ: usize = 16;

pub(super) const SIEVES_FROM: &str = "SELECT audience, first, bits FROM sieve WHERE (audience, first) <= (?1, ?2)
     ORDER BY audience DESC, first DESC LIMIT ?3";

/// Searches the latest pieces whose sieve may contain the recipient, up to the bounds of one search.
pub(super) async fn find_recipient_from(
    connection: &mut SqliteConnection,
    whom: &Whom,
    from: Option<RecipientPlace>,
) -> Work<FoundRecipient> {
    let from = from.unwrap_or(RecipientPlace { audience: AudienceId(u32::MAX), n: u32::MAX });
    let (mut pieces, mut read, mut seen, mut next) = (Vec::new(), 0, from, None);
    let mut rows =
        sqlx::query(SIEVES_FROM).bind(from.audience.0).bind(from.n).bind(SIEVES_READ + 1).fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        let piece = RecipientPlace { audience: AudienceId(small(&row, "audience")?), n: small(&row, "first")? };
        if read == SIEVES_READ || pieces.len() == PIECES_READ {
            // The last number of this piece: the next one begins the piece that was seen before it, or is `from`.
            let last = if piece.audience == seen.audience { seen.n } else { u32::MAX };
            next = Some(RecipientPlace { n: last, ..piece });
            break;
        }
        read += 1;
        seen = RecipientPlace { n: piece.n.saturating_sub(1), ..piece };
        if may_hold(row.try_get("bits")?, whom) {
            pieces.push(piece);
        }
    }
    drop(rows);
    let mut places = Vec::new();
    for RecipientPlace { audience, n: first } in pieces {
        let numbers = in_piece(&mut *connection, whom, audience, first).await?.into_iter().rev();
        places.extend(numbers.map(|n| RecipientPlace { audience, n }).filter(|place| *place <= from));
    }
    Ok(FoundRecipient { places, next })
}

const SIEVES: &str = "SELECT audience, first, bits FROM sieve ORDER BY audience, first";
pub(super) const SIEVES_WITHIN: &str = "SELECT audience, first, bits FROM sieve
     WHERE audience IN (SELECT value FROM json_each(?1)) ORDER BY audience, first";

macro_rules! in_piece {
    ($condition:literal) => {
        concat!(
            "SELECT n FROM recipient WHERE audience = ?1 AND n >= ?2 AND n < coalesce(
                 (SELECT first FROM sieve WHERE audience = ?1 AND first > ?2 ORDER BY first LIMIT 1), 4294967296)
             AND ",
            $condition,
            " ORDER BY n"
        )
    };
}
pub(super) const IN_PIECE_BY_NUMBER: &str = in_piece!("msisdn IN (?3, ?4)");
pub(super) const IN_PIECE_BY_ID: &str = in_piece!("client_message_id = ?3");
