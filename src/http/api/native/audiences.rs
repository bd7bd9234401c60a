//! `/audiences`: imported recipient files.

use std::sync::Arc;

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;

use super::extract::{Path, Query};
use super::page::{Limit, Page};
use super::problem::{Answer, Kind, Problem};
use super::table::TableFormat;
use crate::http::api::Shared;
use crate::recipients::audience::{
    AudienceRows, AudienceView, ImportRecord, RecipientView, RemovedView, Summary, sample as sample_of,
};
use crate::store::{Audience, AudiencePart};

/// A page of audiences.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AudienceQuery {
    /// Number of audiences of a page.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Limit,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "super::page::cursor")]
    cursor: Option<String>,
}

/// Finds an audience by its name.
pub(super) async fn named(shared: &Shared, name: &str) -> Answer<Audience> {
    let unknown =
        || Problem::new(Kind::NotFound, format_args!("unknown audience \"{name}\"; see `volley audience list`"));
    shared.store.audience_named(name).await?.ok_or_else(unknown)
}

/// The summaries of the parts. One that cannot be read is missing, which is logged.
fn summaries(audience: &Audience) -> Vec<Option<Summary>> {
    let summary = |part: &AudiencePart| {
        let record = ImportRecord::of(part).inspect_err(|unreadable| tracing::warn!("{unreadable}"));
        record.unwrap_or_default().summary
    };
    audience.parts.iter().map(summary).collect()
}

/// List the audiences, in order of their names.
#[utoipa::path(get, path = "/audiences", operation_id = "list_audiences", tag = "audiences", params(AudienceQuery),
    responses((status = 200, description = "The audiences of the page.", body = Page<AudienceView<'static>>)))]
pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<AudienceQuery>,
    uri: Uri,
) -> Answer<Response> {
    let cursors = shared.cursors("audiences", &()).await?;
    let after = query.cursor.map(|cursor| cursors.read::<String>(&cursor)).transpose()?;
    let mut audiences = shared.store.audience_page(after, query.limit.rows()).await?;
    let next = query.limit.cut(&mut audiences).map(|last| cursors.write(&last.name)).transpose()?;
    let summaries: Vec<_> = audiences.iter().map(summaries).collect();
    let views = audiences.iter().zip(&summaries).map(|(audience, summaries)| AudienceView::new(audience, summaries));
    Ok(Page { items: views.collect(), next }.answer(&uri))
}

/// Get an audience: its files, with their counts, countries, columns and rejected rows.
#[utoipa::path(get, path = "/audiences/{audience}", operation_id = "get_audience", tag = "audiences",
    params(("audience" = String, Path, description = "Name of the audience.")),
    responses((status = 200, description = "The audience.", body = AudienceView<'static>), (status = 404)))]
pub(super) async fn get(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<Response> {
    let audience = named(&shared, &name).await?;
    Ok(JsonAnswer(AudienceView::new(&audience, &summaries(&audience))).into_response())
}

/// The number of recipients of a sample.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u32")]
pub(super) struct SampleSize(u32);

impl Default for SampleSize {
    fn default() -> Self {
        Self(10)
    }
}

impl TryFrom<u32> for SampleSize {
    type Error = &'static str;

    fn try_from(recipients: u32) -> Result<Self, &'static str> {
        if (1..=1_000).contains(&recipients) { Ok(Self(recipients)) } else { Err("a sample has 1 to 1,000 recipients") }
    }
}

/// How large a sample is.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SampleQuery {
    /// Number of recipients.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000, default = 10)]
    recipients: SampleSize,
}

/// Get some recipients, evenly chosen from the whole audience.
#[utoipa::path(get, path = "/audiences/{audience}/sample", operation_id = "sample_audience", tag = "audiences",
    params(("audience" = String, Path, description = "Name of the audience."), SampleQuery),
    responses((status = 200, description = "The recipients.", body = Vec<RecipientView<'static>>), (status = 404)))]
pub(super) async fn sample(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<SampleQuery>,
) -> Answer<Response> {
    let audience = named(&shared, &name).await?;
    let some = sample_of(shared.store.as_ref(), &audience, query.recipients.0).await?;
    let views: Vec<_> = some.iter().map(|recipient| RecipientView::new(recipient, &audience.columns)).collect();
    Ok(JsonAnswer(views).into_response())
}

/// The format of an export.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    #[serde(default)]
    #[param(inline)]
    format: TableFormat,
}

/// Export all recipients, as a file that can be imported.
///
/// The answer is sent as it is read. If it ends without its last chunk, it is not complete.
#[utoipa::path(get, path = "/audiences/{audience}/export", operation_id = "export_audience", tag = "audiences",
    params(("audience" = String, Path, description = "Name of the audience."), ExportQuery),
    responses((status = 200, description = "The recipients, with their numbers, countries and fields.",
        content((String = "text/csv"), (String = "application/x-ndjson"))), (status = 404)))]
pub(super) async fn export(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<ExportQuery>,
) -> Answer<Response> {
    let audience = named(&shared, &name).await?;
    let (header, rows, store) =
        (AudienceRows::header(&audience), AudienceRows::of(&audience), Arc::clone(&shared.store));
    let pages = stream::try_unfold((rows, store), |(mut rows, store)| async move {
        Ok(rows.next(store.as_ref()).await?.map(|page| (page, (rows, store))))
    });
    shared.0.native.tables.answer(query.format, header, pages)
}

/// Delete an audience that no campaign uses. Cannot be undone.
#[utoipa::path(delete, path = "/audiences/{audience}", operation_id = "delete_audience", tag = "audiences",
    params(("audience" = String, Path, description = "Name of the audience.")),
    responses((status = 200, description = "The audience was deleted.", body = RemovedView<'static>), (status = 404),
        (status = 409)))]
pub(super) async fn delete(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<Response> {
    let audience = named(&shared, &name).await?;
    shared.store.remove_audience(audience.id()).await?;
    Ok(JsonAnswer(RemovedView { name: &name, recipients: audience.recipients() }).into_response())
}
