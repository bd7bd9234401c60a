//! Stores audiences: hidden during the import, then published at once.

use std::ops::Range;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::rows::{Bound, Line, address_key, for_values, json_of, lines, packed, small, timestamp};
use super::script::Script;
use super::{Error, Work, addresses, rejected, sieves};
use crate::base::domain::{Address, AddressKey, AudienceId, BatchId, Country, Fields, Recipient, Timestamp};
use crate::store::sieve::{self, Filtered};
use crate::store::{Audience, AudiencePart, KnownAs, NewAudience};

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
    let recipients = keyed(connection, &recipients).await?;
    if !recipients.is_empty() {
        sqlx::query("INSERT INTO sieve (audience, first, bits) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")
            .bind(audience.0)
            .bind(first)
            .bind(sieve::of(recipients.iter().map(filtered)))
            .execute(&mut *connection)
            .await?;
    }
    insert(connection, audience, first, &recipients).await
}

/// A recipient, with the key of the address.
type Keyed<'a> = (AddressKey, &'a Recipient);

async fn keyed<'a>(connection: &mut SqliteConnection, recipients: &'a [Recipient]) -> Work<Vec<Keyed<'a>>> {
    let known = recipients.iter().filter_map(|recipient| recipient.address.as_ref());
    let mut keys = addresses::keys(connection, known).await?.into_iter();
    let key = |of: &Recipient| of.address.as_ref().and_then(|_| keys.next()).unwrap_or(AddressKey::ERASED);
    let keys: Vec<AddressKey> = recipients.iter().map(key).collect();
    Ok(keys.into_iter().zip(recipients).collect())
}

fn filtered<'a>((key, recipient): &Keyed<'a>) -> Filtered<'a> {
    (*key, recipient.client_message_id.as_deref())
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
    let recipients = keyed(connection, recipients).await?;
    let mut script = Script::default();
    // SQLite ends a text of JSON at a NUL.
    let has_nul = |(_, of): &Keyed<'_>| of.client_message_id.as_deref().is_some_and(|id| id.contains('\0'));
    if recipients.len() < SMALL && !recipients.iter().any(has_nul) {
        insert_few(&mut script, audience, added.start, &recipients)?;
    } else {
        insert(connection, audience, added.start, &recipients).await?;
    }
    let filtered: Vec<Filtered<'_>> = recipients.iter().map(filtered).collect();
    sieves::append(&mut script, audience, added.start, &filtered, last);
    script.run(connection).await?;
    Ok(added)
}

/// Recipients that are inserted as one JSON text. More of them are inserted sooner as values, in a few statements.
const SMALL: usize = 128;

/// The same as `insert`, as one statement for any number.
fn insert_few(script: &mut Script, audience: AudienceId, first: u32, recipients: &[Keyed<'_>]) -> Work<()> {
    let rows: Vec<_> = (first..)
        .zip(recipients)
        .map(|(n, (key, of))| (n, key.get(), of.country.as_str(), of.client_message_id.as_deref(), of.fields.as_str()))
        .collect();
    script.statement(
        "INSERT INTO recipient (audience, n, address, country, client_message_id, fields)
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
    recipients: &[Keyed<'_>],
) -> Work<()> {
    let numbered: Vec<(i64, &Keyed<'_>)> = (i64::from(first)..).zip(recipients).collect();
    for_values(
        connection,
        "INSERT INTO recipient (audience, n, address, country, client_message_id, fields)",
        "ON CONFLICT DO NOTHING",
        6,
        &numbered,
        |query: Bound<'_>, (n, (key, recipient))| {
            query
                .bind(audience.0)
                .bind(*n)
                .bind(key.get())
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
        .fetch_all(&mut *connection)
        .await?;
    of_rows(connection, &rows).await
}

pub(super) const KEYS: &str =
    packed!("n || ' ' || address", "recipient WHERE audience = ?1 AND n >= ?2 ORDER BY n LIMIT ?3");

pub(super) async fn keys(
    connection: &mut SqliteConnection,
    audience: AudienceId,
    from: u32,
    limit: u32,
) -> Work<Vec<AddressKey>> {
    let lines = lines(connection, sqlx::query(KEYS).bind(audience.0).bind(from).bind(limit)).await?;
    let read = |line: &str| -> Work<(u32, AddressKey)> {
        let mut line = Line::of(line);
        Ok((line.small("n")?, line.address("address")?))
    };
    let mut all = lines.lines().map(read).collect::<Work<Vec<_>>>()?;
    // SQLite does not guarantee that lines are joined in the order of their rows.
    all.sort_unstable_by_key(|(n, _)| *n);
    Ok(all.into_iter().map(|(_, key)| key).collect())
}

/// Reads recipients from their rows.
async fn of_rows(connection: &mut SqliteConnection, rows: &[SqliteRow]) -> Work<Vec<Recipient>> {
    let keys: Vec<AddressKey> = rows.iter().map(|row| address_key(row, "address")).collect::<Work<_>>()?;
    let users = addresses::users(connection, keys.iter().copied()).await?;
    keys.iter().zip(rows).map(|(key, row)| recipient(row, users.of(*key))).collect()
}

fn recipient(row: &SqliteRow, address: Option<Address>) -> Work<Recipient> {
    let country: String = row.try_get("country")?;
    Ok(Recipient {
        address,
        country: country.parse().unwrap_or(Country::WORLD),
        client_message_id: row.try_get::<Option<String>, _>("client_message_id")?.map(Into::into),
        fields: Fields::from_packed(row.try_get("fields")?),
    })
}
