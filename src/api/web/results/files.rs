//! Reports as files: the tables as CSV, and all recipients as a workbook.

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::stream;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::sync::OwnedSemaphorePermit;

use super::report::{currency, ensure_kept};
use crate::api::Shared;
use crate::api::door::Patience;
use crate::api::native::{Answer, CSV, Call, Kind, Path, Problem, Query, found};
use crate::api::web::admit::Session;
use crate::domain::text::grouped;
use crate::domain::{BatchId, Outcome, Span};
use crate::pages::{campaign_path, outcomes_besides_reached};
use crate::report::{Breakdown, ExportColumns, ExportRows, Report, Sheets, WriteError, csv_text};
use crate::store::Batch;

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
    #[serde(deserialize_with = "crate::api::web::form::known")]
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
    let text = csv_text(&rows).map_err(|error| Problem::failed(&error))?;
    let media_type = (header::CONTENT_TYPE, CSV.to_owned());
    Ok(([media_type, attachment(&batch, &format!("{name}.csv"))], text).into_response())
}

/// The name under which a browser stores the file: the id of the campaign, because a name may have any characters.
fn attachment(batch: &Batch, name: &str) -> (HeaderName, String) {
    (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}-{name}\"", batch.public_id()))
}

fn outcomes(report: &Report) -> Rows {
    let mut rows = vec![row(&["outcome", "recipients"])];
    rows.extend(Outcome::ALL.iter().map(|outcome| row(&[outcome.as_str(), &report.outcome(*outcome).to_string()])));
    rows.push(row(&["open", &report.open.to_string()]));
    rows
}

fn steps(report: &Report) -> Rows {
    let mut rows = vec![row(&[
        "step",
        "channel",
        "lanes",
        "submitted",
        "sent",
        "delivered",
        "read",
        "undelivered",
        "rejected",
        "fell_back",
        "reached",
        "replied",
        "cost",
        "currency",
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
        cells.push(step.spent.map(|spent| spent.to_string()).unwrap_or_default());
        cells.push(report.currency.clone().unwrap_or_default());
        cells
    }));
    rows
}

fn countries(counted: &Breakdown, currency: Option<&str>) -> Rows {
    let others = outcomes_besides_reached(counted);
    let mut head = row(&["country", "recipients", "reached"]);
    head.extend(others.iter().map(ToString::to_string));
    head.extend(row(&["open", "cost", "currency"]));
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
    let mut rows = vec![row(&["step", "channel", "result", "code", "meaning", "cause", "what_to_do", "messages", "ended_the_step"])];
    rows.extend(counted.codes.iter().map(|code| {
        vec![
            code.step.to_string(),
            code.channel.map(|channel| channel.to_string()).unwrap_or_default(),
            code.result.to_owned(),
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
    let _work = patience.as_ref().map(|Extension(patience)| patience.work()).transpose()?;
    let gone = || Problem::new(Kind::Conflict, "the plan of the campaign is no longer stored");
    let plan = shared.store.plan(batch.id).await?.ok_or_else(gone)?;
    let columns = ExportColumns::of(&plan, batch.tag, session.0.zone);
    let folder = tempfile::tempdir().map_err(|error| Problem::failed(&error))?;
    let file = folder.path().join("recipients.xlsx");
    write(&shared, batch.id, columns, &file).await?;
    let file = File::open(&file).await.map_err(|error| Problem::failed(&error))?;
    let length = file.metadata().await.map_err(|error| Problem::failed(&error))?.len();
    let media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        attachment(&batch, "recipients.xlsx"),
    ];
    let answer = (headers, body_of(file, folder, permit)).into_response();
    match patience {
        Some(Extension(patience)) => Ok(patience.stream(answer)?),
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
        while let Some(page) = rows.next().await? {
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
