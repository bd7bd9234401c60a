//! Uploads a recipient file for a campaign, and adds its audience once it is imported.

use axum::extract::State;
use axum::http::Request;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{FROM_REVIEW, Opened, Way, is_from_review, recipients};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Kind, Path, Query};
use crate::http::api::web::admit::Session;
use crate::http::api::web::audiences::{HowRead, begin, country_question, import_in_progress, import_of, receive};
use crate::http::api::web::form::Form;
use crate::http::api::web::frame::page;
use crate::http::pages::{WriteImport, WritingPage};
use crate::recipients::uploads::{ImportState, UploadId};

/// Takes a file of a form as it arrives, and begins its import.
pub(in crate::http::api::web) async fn upload(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
    request: Request<axum::body::Body>,
) -> Answer<Response> {
    let opened = Opened::of(&shared, &call, &id).await?;
    let (mut version, mut how_read, mut from_review) = (String::new(), HowRead::default(), false);
    let take = |name: &str, text: &str| match name {
        "version" => {
            text.clone_into(&mut version);
            Ok(())
        }
        "from" => {
            from_review = is_from_review(Some(text));
            Ok(())
        }
        // Before the file has arrived.
        "file" => opened.ensure_version(&version),
        name => how_read.take(name, text),
    };
    let received = receive(&shared, &session.0, request, take).await;
    let opened = Opened { is_from_review: from_review, ..opened };
    match received {
        Ok(uploaded) => begun((&shared, &session, &call), opened, &how_read, uploaded).await,
        Err(problem) if problem.kind == Kind::Changed => {
            late((&shared, &session, &call), &opened, &how_read, None).await
        }
        Err(problem) => Err(problem),
    }
}

/// Begins the import of what a script has uploaded.
pub(in crate::http::api::web) async fn import(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    let opened = Opened::sent(&shared, &call, &id, &form).await?;
    let (how_read, uploaded) = (HowRead::of(&form), import_of(&shared, &form)?);
    if opened.ensure_version(form.get("version").unwrap_or_default()).is_err() {
        return late((&shared, &session, &call), &opened, &how_read, Some(uploaded)).await;
    }
    begun((&shared, &session, &call), opened, &how_read, uploaded).await
}

/// Begins the import of an upload as an audience of its own.
async fn begun(
    (shared, session, call): (&Shared, &Session, &Call),
    mut opened: Opened,
    how_read: &HowRead,
    (upload, file): (UploadId, String),
) -> Answer<Response> {
    how_read.settings()?;
    opened.document.keys.put("country", &how_read.country);
    match opened.save(shared, call).await {
        Ok(()) => {}
        Err(problem) if problem.kind == Kind::Changed => {
            return late((shared, session, call), &opened, how_read, Some((upload, file))).await;
        }
        Err(problem) => return Err(problem),
    }
    begin((shared, call), (upload, &file), how_read, None).await?;
    let back = if opened.is_from_review { format!("&{FROM_REVIEW}") } else { String::new() };
    Ok(Redirect::to(&format!("/new/{}/importing?upload={upload}{back}", opened.sketch.id)).into_response())
}

/// The page of an upload that came too late, with what was entered, and the file if it has arrived.
async fn late(
    (shared, session, call): (&Shared, &Session, &Call),
    before: &Opened,
    how_read: &HowRead,
    uploaded: Option<(UploadId, String)>,
) -> Answer<Response> {
    let is_from_review = before.is_from_review;
    let mut opened = Opened { is_from_review, ..Opened::of(shared, call, &before.sketch.id.to_string()).await? };
    opened.document.keys.put("country", &how_read.country);
    recipients::late(shared, session, &opened, (Some(&how_read.lines), uploaded)).await
}

#[derive(Debug, Deserialize)]
pub(in crate::http::api::web) struct ImportQuery {
    upload: String,
}

/// Shows the progress of an import, and leads on once it is done.
pub(in crate::http::api::web) async fn importing(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<ImportQuery>,
    Query(way): Query<Way>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let opened = Opened::by(&shared, &call, &id, &way).await?;
    let (file, import) = import_in_progress(&shared, &query.upload)?;
    if import.state == ImportState::Done {
        // Only now is the name that of this file's audience.
        add(&shared, &call, &id, (&query.upload, &import.audience)).await?;
        return Ok(Redirect::to(&opened.again(WritingPage::Check)).into_response());
    }
    page(&WriteImport {
        writing: opened.writing(&session, WritingPage::Recipients),
        file,
        rows: import.rows,
        bytes_done: import.bytes_done,
        bytes_total: import.bytes_total,
        question: country_question(&shared, &query.upload, &import)?,
        failed: import.problem,
    })
}

/// Adds the audience of an upload. A change of another operator meanwhile is no matter.
async fn add(shared: &Shared, call: &Call, id: &str, (upload, audience): (&str, &str)) -> Answer<()> {
    loop {
        let mut opened = Opened::of(shared, call, id).await?;
        opened.document.add_upload(upload, audience);
        match opened.save(shared, call).await {
            Err(problem) if problem.kind == Kind::Changed => {}
            done => return done,
        }
    }
}
