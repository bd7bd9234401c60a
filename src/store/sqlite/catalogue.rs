//! Stores the provider's templates.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Work;
use super::batches::bump;
use super::overrides;
use super::rows::{Bound, decoded, for_values, json_of, maybe_timestamp, timestamp};
use crate::base::domain::Timestamp;
use crate::store::{
    AccountEvent, FetchedTemplates, StoredTemplate, TemplateLimit, TemplatePlace, TemplateRequest, TemplateRequestKind,
};

pub(super) async fn replace(
    connection: &mut SqliteConnection,
    fetched: FetchedTemplates,
    events: Vec<AccountEvent>,
) -> Work<bool> {
    let FetchedTemplates { place: TemplatePlace { account_id, channel_id }, fetched_at, templates } = fetched;
    let is_newer = sqlx::query(
        "INSERT INTO catalogue (account_id, channel_id, fetched_at) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET fetched_at = excluded.fetched_at WHERE excluded.fetched_at >= fetched_at",
    )
    .bind(&account_id)
    .bind(&channel_id)
    .bind(fetched_at.millis())
    .execute(&mut *connection)
    .await?
    .rows_affected()
        > 0;
    if !is_newer {
        return Ok(false);
    }
    sqlx::query("DELETE FROM catalogue_template WHERE account_id = ?1 AND channel_id = ?2")
        .bind(&account_id)
        .bind(&channel_id)
        .execute(&mut *connection)
        .await?;
    for_values(
        connection,
        "INSERT OR REPLACE INTO catalogue_template
             (account_id, channel_id, name, language, category, status, components, updated_at, fetched_at)",
        "",
        9,
        &templates,
        |query: Bound<'_>, template| {
            query
                .bind(account_id.clone())
                .bind(channel_id.clone())
                .bind(template.name.clone())
                .bind(template.language.clone())
                .bind(template.category.clone())
                .bind(template.status.clone())
                .bind(template.components.clone())
                .bind(template.updated_at.map(Timestamp::millis))
                .bind(fetched_at.millis())
        },
    )
    .await?;
    overrides::take_business(connection, events).await?;
    // Campaigns that wait for an approval look again.
    bump(connection).await?;
    Ok(true)
}

/// The channels that were ever fetched, each with its templates in order of name and language.
pub(super) async fn templates(
    connection: &mut SqliteConnection,
    names: Option<Vec<String>>,
) -> Work<Vec<FetchedTemplates>> {
    let channels = sqlx::query("SELECT * FROM catalogue ORDER BY account_id, channel_id").fetch_all(&mut *connection);
    let mut fetched = channels.await?.iter().map(channel).collect::<Work<Vec<_>>>()?;
    let rows = match names {
        None => sqlx::query("SELECT * FROM catalogue_template ORDER BY name, language").fetch_all(connection).await?,
        Some(names) => {
            sqlx::query(
                "SELECT * FROM catalogue_template WHERE name IN (SELECT value FROM json_each(?1))
                 ORDER BY name, language",
            )
            .bind(json_of(&names, "names of templates")?)
            .fetch_all(connection)
            .await?
        }
    };
    for row in &rows {
        let (place, template) = (place(row)?, template(row)?);
        if let Some(channel) = fetched.iter_mut().find(|channel| channel.place == place) {
            channel.templates.push(template);
        }
    }
    Ok(fetched)
}

fn place(row: &SqliteRow) -> Work<TemplatePlace> {
    Ok(TemplatePlace { account_id: row.try_get("account_id")?, channel_id: row.try_get("channel_id")? })
}

fn channel(row: &SqliteRow) -> Work<FetchedTemplates> {
    Ok(FetchedTemplates { place: place(row)?, fetched_at: timestamp(row, "fetched_at")?, templates: Vec::new() })
}

fn template(row: &SqliteRow) -> Work<StoredTemplate> {
    Ok(StoredTemplate {
        name: row.try_get("name")?,
        language: row.try_get("language")?,
        category: row.try_get("category")?,
        status: row.try_get("status")?,
        components: row.try_get("components")?,
        updated_at: maybe_timestamp(row, "updated_at")?,
    })
}

pub(super) async fn begin_request(
    connection: &mut SqliteConnection,
    request: TemplateRequest,
    limit: Option<TemplateLimit>,
) -> Work<Option<i64>> {
    let TemplateRequest { place: TemplatePlace { account_id, channel_id }, name, language, kind, at } = request;
    let recorded = sqlx::query(
        "INSERT INTO template_request (account_id, channel_id, name, language, kind, at)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE ?7 IS NULL OR ?7 > (
             SELECT count(*) FROM template_request
             WHERE account_id = ?1 AND kind = ?5 AND at > ?8)
         RETURNING id",
    )
    .bind(account_id)
    .bind(channel_id)
    .bind(name)
    .bind(language)
    .bind(kind as i64)
    .bind(at.millis())
    .bind(limit.map(|limit| limit.at_most))
    .bind(limit.map(|limit| limit.since.millis()))
    .fetch_optional(connection)
    .await?;
    Ok(recorded.map(|row| row.try_get("id")).transpose()?)
}

pub(super) async fn forget_request(connection: &mut SqliteConnection, id: i64) -> Work<()> {
    sqlx::query("DELETE FROM template_request WHERE id = ?1").bind(id).execute(connection).await?;
    Ok(())
}

pub(super) async fn requests(
    connection: &mut SqliteConnection,
    account_id: String,
    since: Timestamp,
) -> Work<Vec<TemplateRequest>> {
    let rows = sqlx::query("SELECT * FROM template_request WHERE account_id = ?1 AND at >= ?2 ORDER BY at, id")
        .bind(account_id)
        .bind(since.millis())
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(TemplateRequest {
                place: place(row)?,
                name: row.try_get("name")?,
                language: row.try_get("language")?,
                kind: decoded(row, "kind", TemplateRequestKind::from_code)?,
                at: timestamp(row, "at")?,
            })
        })
        .collect()
}
