//! The rejected rows of an audience, and the import of corrected ones.

use axum::extract::State;
use axum::http::Uri;
use axum::response::{Redirect, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use url::form_urlencoded;

use super::upload::{import_made, progress_path};
use super::{Done, country_field, country_of, framed, named};
use crate::api::Shared;
use crate::api::native::{Answer, Call, Kind, Path, Problem, Query};
use crate::api::web::admit::Session;
use crate::api::web::campaigns::{with_cursor, without_cursor};
use crate::api::web::form::Form;
use crate::api::web::frame::page;
use crate::audience::{
    FileSettings, ImportRecord, Reason, RejectTable, RejectedPlace, Rejection, file_of, rejected_row, rejected_rows,
};
use crate::domain::{Scope, SketchId};
use crate::pages::{Part, Place, RejectedPage, editable, is_mendable, mended_place, rejected_path};
use crate::store::Audience;

/// Rows of a page.
const SHOWN: usize = 50;

/// Which rejected rows are shown, and for which campaign.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct RejectedQuery {
    #[serde(deserialize_with = "super::super::form::known")]
    reason: Option<Reason>,
    #[serde(skip_serializing)]
    sketch: String,
    #[serde(skip_serializing)]
    cursor: String,
    #[serde(skip_serializing, deserialize_with = "super::super::form::known")]
    done: Option<Done>,
}

/// The record of the first import, whose settings those of corrected rows are.
fn first_record(audience: &Audience) -> Answer<ImportRecord> {
    let unreadable = |error| Problem::new(Kind::Conflict, error);
    audience.parts.first().map_or_else(|| Ok(ImportRecord::default()), ImportRecord::of).map_err(unreadable)
}

/// The index of the column with the numbers.
fn number_column(audience: &Audience, record: &ImportRecord) -> Option<usize> {
    let summary = record.summary.as_ref()?;
    audience.columns.iter().position(|column| *column == summary.number_column)
}

pub(super) async fn show(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<RejectedQuery>,
    session: Session,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    let audience = named(&shared, &name).await?;
    let cursors = shared.cursors("rejected-rows", &(audience.id().0, &query)).await?;
    let from = match query.cursor.as_str() {
        "" => None,
        cursor => Some(cursors.read::<RejectedPlace>(cursor)?),
    };
    let (rows, next) = rejected_rows(shared.store.as_ref(), &audience, query.reason, from, SHOWN).await?;
    let next = next.map(|next| cursors.write(&next)).transpose()?;
    let record = first_record(&audience)?;
    let sketch = match query.sketch.parse::<SketchId>() {
        Ok(id) if call.caller.check(Scope::Manage).is_ok() => shared.store.sketch(id).await?,
        _ => None,
    };
    page(&RejectedPage {
        frame: framed(&session, Place::Below(Part::Audiences), query.done),
        rejection: Rejection::of(&audience),
        reason: query.reason,
        number: number_column(&audience, &record),
        rows,
        is_later: from.is_some(),
        first: without_cursor(&uri),
        next: next.map(|next| with_cursor(&uri, &next)),
        cursor: query.cursor,
        country: country_field(record.country.map(|country| country.to_string()).unwrap_or_default()),
        sketch: sketch.map(|sketch| (sketch.id.to_string(), sketch.version)),
        columns: audience.columns,
        name: audience.name,
    })
}

/// The rejected rows as a file: the columns of the audience, and then line and reason.
pub(super) async fn csv(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<RejectedQuery>,
) -> Answer<Response> {
    let table = RejectTable::of(named(&shared, &name).await?, query.reason);
    let (header, store) = (table.header(), Arc::clone(&shared.store));
    let pages = stream::try_unfold((table, store), |(mut table, store)| async move {
        Ok(table.next(store.as_ref()).await?.map(|page| (page, (table, store))))
    });
    shared.0.native.csv(header, pages)
}

/// Imports the rows of a page whose numbers were corrected, as a further audience with the same columns.
pub(super) async fn mend(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let audience = named(&shared, &name).await?;
    let record = first_record(&audience)?;
    let country = country_of(form.get("country").unwrap_or_default())?;
    let without_number =
        || Problem::new(Kind::Conflict, "the column with the numbers of this audience is not recorded");
    let number = number_column(&audience, &record).ok_or_else(without_number)?;
    let rows = corrected(&shared, &audience, number, &form).await?;
    let sketch = form.get("sketch").and_then(|id| id.parse::<SketchId>().ok());
    if rows.is_empty() {
        return Ok(Redirect::to(&back(&audience.name, &form, sketch)));
    }
    let content = file_of(&audience.columns, &rows).map_err(|error| Problem::failed(&error))?;
    let settings = FileSettings {
        country,
        encoding: Some("UTF-8".to_owned()),
        delimiter: Some(",".to_owned()),
        lines: record.mobile_only.then(|| "mobile".to_owned()),
        ..FileSettings::default()
    };
    let upload = import_made(&shared, &call, content, settings, &audience.name).await?;
    Ok(Redirect::to(&progress_path(upload, sketch)))
}

/// The rows whose numbers the form changes, with the new numbers. On request, those that it leaves alone too.
async fn corrected(shared: &Shared, audience: &Audience, number: usize, form: &Form) -> Answer<Vec<Vec<String>>> {
    let takes_all = form.get("unchanged").is_some();
    let mut rows = Vec::new();
    let fields = form.fields().filter_map(|(field, text)| Some((mended_place(field)?, text)));
    for (place, text) in fields.take(SHOWN) {
        let Some(mut row) = rejected_row(shared.store.as_ref(), audience, place).await? else { continue };
        let text = editable(text);
        let Some(cell) = row.cells.get_mut(number).filter(|_| is_mendable(row.reason)) else { continue };
        if text != editable(cell) {
            *cell = text;
        } else if !takes_all {
            continue;
        }
        rows.push(row.cells);
    }
    Ok(rows)
}

/// The address of the page from which a form came.
fn back(name: &str, form: &Form, sketch: Option<SketchId>) -> String {
    let reason = form.get("reason").and_then(|word| Reason::ALL.iter().find(|reason| reason.as_str() == word).copied());
    let path = rejected_path(name, reason, sketch.map(|sketch| sketch.to_string()).as_deref());
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("done", "unchanged");
    if let Some(cursor) = form.entered("cursor") {
        query.append_pair("cursor", cursor);
    }
    format!("{path}{}{}", if path.contains('?') { '&' } else { '?' }, query.finish())
}
