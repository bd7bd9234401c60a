//! The rejected rows of an audience, and the import of corrected ones.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::upload::progress_path;
use super::{Done, HowRead, framed, named};
use crate::base::domain::{Scope, SketchId};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Kind, Path, Problem, Query};
use crate::http::api::web::admit::Session;
use crate::http::api::web::form::Form;
use crate::http::api::web::frame::page;
use crate::http::pages::{FileFields, Part, Place, RejectedPage, editable, is_mendable, mended_place, rejected_path};
use crate::recipients::audience::{
    CorrectedRows, FileSettings, ImportRecord, ListedReject, Reason, RejectTable, RejectedPlace, Rejection, file_of,
    rejected_row, rejected_rows,
};
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

impl RejectedQuery {
    /// The page from which a form came.
    fn of(form: &Form) -> Self {
        let text = |name: &str| form.entered(name).unwrap_or_default().to_owned();
        let reason = Reason::ALL.iter().find(|reason| Some(reason.as_str()) == form.entered("reason")).copied();
        Self { reason, sketch: text("sketch"), cursor: text("cursor"), done: None }
    }
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
) -> Answer<Response> {
    let audience = named(&shared, &name).await?;
    let shown = shown(&shared, &session, &call, audience, query).await?;
    page(&shown)
}

/// The page of rejected rows.
async fn shown(
    shared: &Shared,
    session: &Session,
    call: &Call,
    audience: Audience,
    query: RejectedQuery,
) -> Answer<RejectedPage> {
    let cursors = shared.cursors("rejected-rows", &(audience.id().0, &query)).await?;
    let from = cursors.position::<RejectedPlace>(&query.cursor)?;
    let (rows, next) = rejected_rows(shared.store.as_ref(), &audience, query.reason, from, SHOWN).await?;
    let next = next.map(|next| cursors.write(&next)).transpose()?;
    let record = first_record(&audience)?;
    let HowRead { country, lines, .. } = HowRead::of_record(&record);
    let sketch = match query.sketch.parse::<SketchId>() {
        Ok(id) if call.caller.check(Scope::Manage).is_ok() => shared.store.sketch(id).await?,
        _ => None,
    };
    let sketch = sketch.map(|sketch| sketch.id.to_string());
    let first = rejected_path(&audience.name, query.reason, sketch.as_deref());
    Ok(RejectedPage {
        frame: framed(session, Place::Below(Part::Audiences), query.done),
        rejection: Rejection::of(&audience),
        reason: query.reason,
        number: number_column(&audience, &record),
        rows,
        is_later: from.is_some(),
        next: next.map(|next| with_query(&first, &[("cursor", &next)])),
        first,
        cursor: query.cursor,
        file: FileFields::new(&country, &lines),
        corrected_file: FileFields::of_second_form(&country, &lines),
        sketch,
        columns: audience.columns,
        name: audience.name,
    })
}

/// An address with more parameters.
fn with_query(path: &str, more: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(more).finish();
    format!("{path}{}{query}", if path.contains('?') { '&' } else { '?' })
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
    crate::http::api::web::download::table(&shared, Some(&name), "rejected.csv", header, pages)
}

/// Imports rows whose numbers were corrected into their audience: those of a page, or all of a reason.
pub(super) async fn mend(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let audience = named(&shared, &name).await?;
    let record = first_record(&audience)?;
    let settings = HowRead::of(&form).settings()?;
    let without_number =
        || Problem::new(Kind::Conflict, "the column with the numbers of this audience is not recorded");
    let number = number_column(&audience, &record).ok_or_else(without_number)?;
    let (cells, rows) = corrected(&shared, &audience, number, &form).await?;
    if cells.is_empty() {
        let RejectedQuery { reason, sketch, cursor, .. } = RejectedQuery::of(&form);
        let path = rejected_path(&audience.name, reason, Some(sketch.as_str()).filter(|sketch| !sketch.is_empty()));
        let back = with_query(&path, &[("done", "unchanged"), ("cursor", &cursor)]);
        return Ok(Redirect::to(&back).into_response());
    }
    let content = file_of(&audience.columns, &cells).map_err(|error| Problem::failed(&error))?;
    let settings = FileSettings { encoding: Some("UTF-8".to_owned()), delimiter: Some(",".to_owned()), ..settings };
    let upload = shared.0.corrections.import((&shared, &call), &audience, (content, rows), settings).await?;
    let sketch = form.get("sketch").and_then(|id| id.parse::<SketchId>().ok());
    Ok(Redirect::to(&progress_path(upload, sketch)).into_response())
}

/// Bytes of the rows that are corrected at once. More of them are corrected in their file.
const CORRECTED_BYTES: usize = 64 << 20;
/// Rows that are read at once, if all of a reason are corrected.
const READ_AT_ONCE: usize = 2_000;

/// The rows whose numbers the form changes, with the new numbers. On request, those that it leaves alone too: of its page, or all of
/// its reason.
async fn corrected(
    shared: &Shared,
    audience: &Audience,
    number: usize,
    form: &Form,
) -> Answer<(Vec<Vec<String>>, CorrectedRows)> {
    let (is_all, takes_unchanged) = (form.get("all").is_some(), form.get("unchanged").is_some());
    let entered: Vec<(RejectedPlace, &str)> =
        form.fields().filter_map(|(field, text)| Some((mended_place(field)?, text))).take(SHOWN).collect();
    let mut chosen = Chosen::default();
    if is_all {
        let (reason, mut from) = (RejectedQuery::of(form).reason, None);
        loop {
            let (rows, next) = rejected_rows(shared.store.as_ref(), audience, reason, from, READ_AT_ONCE).await?;
            for row in rows {
                let text = entered.iter().find(|(place, _)| *place == row.place).map(|(_, text)| *text);
                chosen.take(row, number, text, true)?;
            }
            let Some(next) = next else { break };
            from = Some(next);
        }
    } else {
        for (place, text) in entered {
            if let Some(row) = rejected_row(shared.store.as_ref(), audience, place).await? {
                chosen.take(row, number, Some(text), takes_unchanged)?;
            }
        }
    }
    Ok((chosen.cells, chosen.rows))
}

/// The rows that are corrected.
#[derive(Default)]
struct Chosen {
    cells: Vec<Vec<String>>,
    rows: CorrectedRows,
    bytes: usize,
}

impl Chosen {
    /// Adds a row with the number that was entered for it, if it differs or does not have to.
    fn take(&mut self, mut row: ListedReject, number: usize, text: Option<&str>, may_be_same: bool) -> Answer<()> {
        if !is_mendable(&row) {
            return Ok(());
        }
        let Some(cell) = row.cells.get_mut(number) else { return Ok(()) };
        match text.map(editable).filter(|text| *text != editable(cell)) {
            Some(text) => *cell = text,
            None if may_be_same => {}
            None => return Ok(()),
        }
        self.bytes += row.cells.iter().map(String::len).sum::<usize>();
        if self.bytes > CORRECTED_BYTES {
            let sentence = "these rows have more than 64 MiB; download them, correct them in the file, and upload it";
            return Err(Problem::new(Kind::TooLarge, sentence));
        }
        self.rows.add(&row);
        self.cells.push(row.cells);
        Ok(())
    }
}
