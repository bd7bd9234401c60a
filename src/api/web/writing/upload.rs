//! Uploads a recipient file for a campaign, and adds its audience once it is imported.

use axum::extract::State;
use axum::http::Request;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Opened;
use crate::api::Shared;
use crate::api::native::{Answer, Call, Path, Query};
use crate::api::web::admit::Session;
use crate::api::web::audiences::{Asked, begin, country_of, import_in_progress, import_of, receive};
use crate::api::web::form::Form;
use crate::api::web::frame::page;
use crate::pages::{WriteImport, WritingPage};
use crate::uploads::{ImportState, UploadId};

/// Takes a file of a form as it arrives, and begins its import.
pub(in crate::api::web) async fn upload(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Session(session): Session,
    call: Call,
    request: Request<axum::body::Body>,
) -> Answer<Response> {
    let mut opened = Opened::of(&shared, &call, &id).await?;
    let take = |name: &str, text: &str| match name {
        "version" => opened.ensure_version(text),
        "country" => {
            // Before the file has arrived.
            country_of(text)?;
            opened.document.keys.put("country", text);
            Ok(())
        }
        _ => Ok(()),
    };
    let (upload, file) = receive(&shared, &session, request, take).await?;
    begun(&shared, &call, opened, (upload, file)).await
}

/// Begins the import of what a script has uploaded.
pub(in crate::api::web) async fn import(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Response> {
    let mut opened = Opened::to_change(&shared, &call, &id, &form).await?;
    opened.document.keys.take(&form, "", &["country"]);
    begun(&shared, &call, opened, import_of(&shared, &form)?).await
}

/// Begins the import of an upload as an audience of its own.
async fn begun(
    shared: &Shared,
    call: &Call,
    mut opened: Opened,
    (upload, file): (UploadId, String),
) -> Answer<Response> {
    let country = country_of(&opened.document.keys.text("country"))?;
    opened.save(shared, call).await?;
    begin(shared, call, upload, &file, Asked { country, columns_of: None }).await?;
    Ok(Redirect::to(&format!("/new/{}/importing?upload={upload}", opened.sketch.id)).into_response())
}

#[derive(Debug, Deserialize)]
pub(in crate::api::web) struct ImportQuery {
    upload: String,
}

/// Shows the progress of an import, and leads on once it is done.
pub(in crate::api::web) async fn importing(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<ImportQuery>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let mut opened = Opened::of(&shared, &call, &id).await?;
    let (file, import) = import_in_progress(&shared, &query.upload)?;
    if import.state == ImportState::Done {
        // Only now is the name that of this file's audience.
        opened.document.add_audience(&import.audience);
        opened.save(&shared, &call).await?;
        return Ok(Redirect::to(&super::path(opened.sketch.id, WritingPage::Check)).into_response());
    }
    page(&WriteImport {
        writing: opened.writing(&session, WritingPage::Recipients),
        file,
        rows: import.rows,
        bytes_done: import.bytes_done,
        bytes_total: import.bytes_total,
        failed: import.problem,
    })
}
