//! Reports as files: the tables as CSV, and all recipients as a workbook.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::stream;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::sync::OwnedSemaphorePermit;

use super::report::{currency, ensure_kept};
use crate::base::domain::text::grouped;
use crate::base::domain::{BatchId, Outcome, Span};
use crate::campaigns::report::{Breakdown, ExportColumns, ExportRows, Report, Sheets, WriteError};
use crate::http::api::Shared;
use crate::http::api::door::Patience;
use crate::http::api::native::{Answer, Call, Kind, Path, Problem, Query, found};
use crate::http::api::web::admit::Session;
use crate::http::api::web::download;
use crate::http::pages::{campaign_path, outcomes_besides_reached, texts};

/// Recipients of a workbook. Programs open no larger sheet, and writing one takes some minutes.
const WORKBOOK_MAX: u32 = 1_000_000;
/// Bytes of the file that are sent at a time.
const CHUNK: usize = 64 << 10;

/// Which table of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TableName {
    Outcomes,
    Steps,
    Countries,
    Codes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TableQuery {
    #[serde(deserialize_with = "crate::http::api::web::form::known")]
    table: Option<TableName>,
}

type Rows = Vec<Vec<String>>;

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// A table of the report as CSV. Those by country and code are there once they are counted.
pub(super) async fn csv(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    Query(query): Query<TableQuery>,
    call: Call,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?;
    let table = query.table.ok_or_else(|| Problem::new(Kind::NotFound, "unknown table"))?;
    let (name, rows) = match table {
        TableName::Outcomes => ("outcomes", outcomes(&Report::read(shared.store.as_ref(), &batch).await?)),
        TableName::Steps => ("steps", steps(&Report::read(shared.store.as_ref(), &batch).await?)),
        TableName::Countries | TableName::Codes => {
            let Some(counted) = shared.0.countings.counted(batch.id) else {
                let path = campaign_path(&batch.public_id().to_string());
                return Ok(Redirect::to(&format!("{path}/report/tables")).into_response());
            };
            match table {
                TableName::Countries => {
                    ("countries", countries(&counted.tables, currency(&shared, &batch).await?.as_deref()))
                }
                _ => ("codes", codes(&counted.tables)),
            }
        }
    };
    download::csv(Some(&batch.display_name()), &format!("{name}.csv"), &rows)
}

/// All recipients with their messages, read as the browser takes them. Its columns are those of `volley campaign export`.
pub(super) async fn messages(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?;
    ensure_kept(&batch)?;
    let plan = shared.store.plan(batch.id).await?.ok_or_else(no_plan)?;
    let columns = ExportColumns::of(&plan, batch.tag, session.0.zone);
    let (header, store, id) = (columns.names().map(str::to_owned).collect(), Arc::clone(&shared.store), batch.id);
    let pages = stream::try_unfold((None, columns, store), move |(rows, columns, store)| async move {
        let rows = match rows {
            Some(rows) => Some(rows),
            None => ExportRows::copy(store.as_ref(), id, columns.clone(), |_, _| ()).await?,
        };
        // A campaign that was deleted meanwhile has no rows.
        let Some(mut rows) = rows else { return Ok(None) };
        let page = rows.next(store.as_ref()).await?;
        Ok(page.map(|page| (page, (Some(rows), columns, store))))
    });
    download::table(&shared, Some(&batch.display_name()), "messages.csv", header, pages)
}

fn no_plan() -> Problem {
    Problem::new(Kind::Conflict, "the plan of the campaign is no longer stored")
}

fn outcomes(report: &Report) -> Rows {
    let t = texts();
    let mut rows = vec![row(&[t.outcome, t.recipients])];
    rows.extend(
        Outcome::ALL.iter().map(|outcome| row(&[t.outcome_name(*outcome), &report.outcome(*outcome).to_string()])),
    );
    rows.push(row(&[t.open, &report.open.to_string()]));
    rows
}

fn steps(report: &Report) -> Rows {
    let t = texts();
    let mut rows = vec![row(&[
        t.step,
        t.channel,
        t.lanes,
        t.submitted,
        t.sent,
        t.delivered,
        t.read,
        t.undelivered,
        t.rejected,
        t.fell_back,
        t.reached,
        t.replied,
        t.spent,
        t.reserved,
        t.results.currency,
    ])];
    rows.extend(report.steps.iter().map(|step| {
        let numbers = [
            step.handed_over,
            step.sent,
            step.delivered,
            step.read,
            step.undelivered,
            step.rejected,
            step.fell_back.total(),
            step.reached,
            step.replied,
        ];
        let mut cells = vec![step.step.to_string(), step.channel.to_string(), step.lanes.join(" ")];
        cells.extend(numbers.map(|number| number.to_string()));
        cells.extend([step.spent, step.reserved].map(|amount| amount.map(|it| it.to_string()).unwrap_or_default()));
        cells.push(report.currency.clone().unwrap_or_default());
        cells
    }));
    rows
}

fn countries(counted: &Breakdown, currency: Option<&str>) -> Rows {
    let others = outcomes_besides_reached(counted);
    let t = texts();
    let mut head = row(&[t.country, t.recipients, t.reached]);
    head.extend(others.iter().map(|outcome| t.outcome_name(*outcome).to_owned()));
    head.extend(row(&[t.open, t.spent, t.results.currency]));
    let mut rows = vec![head];
    rows.extend(counted.countries.iter().map(|country| {
        let mut cells = vec![
            country.country.map(|code| code.to_string()).unwrap_or_default(),
            country.audience.to_string(),
            country.outcome(Outcome::Reached).to_string(),
        ];
        cells.extend(others.iter().map(|outcome| country.outcome(*outcome).to_string()));
        let spent = country.spent();
        cells.push(country.open.to_string());
        cells.push(spent.map(|spent| spent.to_string()).unwrap_or_default());
        cells.push(spent.and(currency).unwrap_or_default().to_owned());
        cells
    }));
    rows
}

fn codes(counted: &Breakdown) -> Rows {
    let (t, own) = (texts(), texts().results);
    let mut rows = vec![row(&[
        t.step,
        t.channel,
        own.reported,
        own.code,
        own.code_means,
        own.cause,
        own.what_to_do,
        own.messages,
        own.ended,
    ])];
    rows.extend(counted.codes.iter().map(|code| {
        vec![
            code.step.to_string(),
            code.channel.map(|channel| channel.to_string()).unwrap_or_default(),
            own.where_from(code.result).to_owned(),
            code.code.map(|code| code.to_string()).unwrap_or_default(),
            code.meaning.to_owned(),
            code.advice.cause.to_owned(),
            code.advice.what_to_do.to_owned(),
            code.messages.to_string(),
            code.ended.to_string(),
        ]
    }));
    rows
}

/// All recipients as a workbook. It is written to a temporary file, row by row, and then sent.
pub(super) async fn xlsx(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    session: Session,
    call: Call,
    patience: Option<Extension<Patience>>,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?;
    ensure_kept(&batch)?;
    if batch.messages > WORKBOOK_MAX {
        let (recipients, most) = (grouped(batch.messages), grouped(WORKBOOK_MAX));
        let sentence =
            format!("{recipients} recipients are too many for a workbook of {most}; download the CSV instead");
        return Err(Problem::new(Kind::Conflict, sentence));
    }
    let busy = || {
        let sentence = "another workbook is being written; try again when it is done, or download the CSV";
        Problem::new(Kind::Busy, sentence).retry_after(Span::from_secs(5))
    };
    let permit = shared.0.countings.workbook().ok_or_else(busy)?;
    // A request that did not come through the door, as in tests, has no limits there.
    let _work = patience.as_ref().map(|Extension(patience)| patience.work(&call.caller)).transpose()?;
    let plan = shared.store.plan(batch.id).await?.ok_or_else(no_plan)?;
    let columns = ExportColumns::of(&plan, batch.tag, session.0.zone);
    let folder = tempfile::tempdir().map_err(|error| Problem::failed(&error))?;
    let file = folder.path().join("recipients.xlsx");
    write(&shared, batch.id, columns, &file).await?;
    let file = File::open(&file).await.map_err(|error| Problem::failed(&error))?;
    let length = file.metadata().await.map_err(|error| Problem::failed(&error))?.len();
    let media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_LENGTH, HeaderValue::from(length)),
        (header::CONTENT_DISPOSITION, download::attachment(Some(&batch.display_name()), "messages.xlsx")),
    ];
    let answer = (headers, body_of(file, folder, permit)).into_response();
    match patience {
        Some(Extension(patience)) => Ok(patience.download(&call.caller, answer)?),
        None => Ok(answer),
    }
}

/// Writes the rows. Compressing them takes long, so threads for such work do it, page by page.
async fn write(shared: &Shared, batch: BatchId, columns: ExportColumns, file: &std::path::Path) -> Answer<()> {
    let header: Vec<String> = columns.names().map(str::to_owned).collect();
    let path = file.to_owned();
    let mut sheets = blocking(move || Sheets::create(&path, header)).await?;
    let rows = ExportRows::copy(shared.store.as_ref(), batch, columns, |_, _| ()).await?;
    if let Some(mut rows) = rows {
        while let Some(page) = rows.next(shared.store.as_ref()).await? {
            sheets = blocking(move || {
                page.iter().try_for_each(|cells| sheets.row(cells))?;
                Ok(sheets)
            })
            .await?;
        }
    }
    blocking(move || sheets.finish()).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, WriteError> + Send + 'static) -> Answer<T> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| Problem::failed(&error))?;
    done.map_err(|error| Problem::failed(&error))
}

/// The file as a body. Its folder and its permit live as long.
fn body_of(file: File, folder: TempDir, permit: OwnedSemaphorePermit) -> Body {
    let begin = (file, folder, permit);
    Body::from_stream(stream::try_unfold(begin, |(mut file, folder, permit)| async move {
        let mut chunk = vec![0; CHUNK];
        let length = file.read(&mut chunk).await?;
        chunk.truncate(length);
        Ok::<_, std::io::Error>((length > 0).then(|| (Bytes::from(chunk), (file, folder, permit))))
    }))
}
