//! Uploads a recipient file, and imports it. A script sends large files in parts over `/v1/uploads` instead, and then asks
//! for their import here.

use axum::extract::multipart::Field;
use axum::extract::{FromRequest, Multipart, State};
use axum::http::Request;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Opened;
use crate::api::Shared;
use crate::api::door::Patience;
use crate::api::native::{Answer, Call, Kind, Path, Problem, Query};
use crate::api::web::admit::Session;
use crate::api::web::form::Form;
use crate::api::web::frame::page;
use crate::audience::FileSettings;
use crate::domain::{Country, object_name};
use crate::pages::{WriteImport, WritingPage};
use crate::uploads::{ImportState, ImportTarget, UploadId, UploadView};

/// The longest fields before the file.
const FIELD_MAX: usize = 4_096;

/// Takes a file of a form as it arrives, and begins its import.
pub(in crate::api::web) async fn upload(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Session(session): Session,
    call: Call,
    request: Request<axum::body::Body>,
) -> Answer<Response> {
    let mut opened = Opened::of(&shared, &call, &id).await?;
    let mut form = form_with_file(&shared, request).await?;
    let mut is_own = false;
    while let Some(mut part) = form.next_field().await.map_err(broken)? {
        match part.name().unwrap_or_default() {
            "file" => {
                // The token comes first, so nothing of a foreign form is stored.
                if !is_own {
                    return Err(foreign());
                }
                let (begun, name) = received(&shared, part).await?;
                return begin(&shared, &call, &mut opened, begun, &name).await;
            }
            name @ ("form_token" | "version" | "country") => {
                let (name, text) = (name.to_owned(), short(&mut part).await?);
                match name.as_str() {
                    "form_token" => is_own = session.form_token.matches(&text),
                    "version" => opened.ensure_version(&text)?,
                    _ => {
                        // Before the file has arrived.
                        country_of(&text)?;
                        opened.document.keys.put("country", &text);
                    }
                }
            }
            _ => {}
        }
    }
    Err(no_file())
}

/// The parts of a form with a file, within the limits of an upload.
pub(in crate::api::web) async fn form_with_file(
    shared: &Shared,
    request: Request<axum::body::Body>,
) -> Answer<Multipart> {
    let patience = request.extensions().get::<Patience>().cloned();
    let request = match patience {
        Some(patience) => {
            let (parts, body) = request.into_parts();
            Request::from_parts(parts, patience.upload(body)?)
        }
        None => request,
    };
    let no_form = |_| Problem::new(Kind::Invalid, "this is no form with a file; go back and choose one");
    Multipart::from_request(request, shared).await.map_err(no_form)
}

/// Takes the file of a form as it arrives. Returns its upload and its name.
pub(in crate::api::web) async fn received(shared: &Shared, mut part: Field<'_>) -> Answer<(UploadId, String)> {
    let name = file_name(part.file_name().unwrap_or_default());
    let uploads = shared.0.native.uploads();
    let begun: UploadId = uploads.begin(&name, None).await?.id.parse().map_err(|_| unknown_upload())?;
    let chunks = futures_util::stream::poll_fn(move |cx| {
        futures_util::Stream::poll_next(std::pin::Pin::new(&mut part), cx)
            .map(|next| next.map(|chunk| chunk.map_err(axum::Error::new)))
    });
    uploads.receive(begun, 0, None, chunks).await?;
    Ok((begun, name))
}

pub(in crate::api::web) fn foreign() -> Problem {
    Problem::new(Kind::Forbidden, "this form is from another session; open the page again")
}

pub(in crate::api::web) fn no_file() -> Problem {
    Problem::new(Kind::Invalid, "the form has no file; go back and choose one")
}

pub(in crate::api::web) fn broken(_: axum::extract::multipart::MultipartError) -> Problem {
    Problem::new(Kind::Incomplete, "the upload broke off; send the file again")
}

/// The text of a field before the file.
pub(in crate::api::web) async fn short(part: &mut Field<'_>) -> Answer<String> {
    let mut text = Vec::new();
    while let Some(chunk) = part.chunk().await.map_err(|_| Problem::new(Kind::Incomplete, "the form broke off"))? {
        text.extend_from_slice(&chunk);
        if text.len() > FIELD_MAX {
            return Err(Problem::new(Kind::TooLarge, "a field of the form is too long"));
        }
    }
    Ok(String::from_utf8_lossy(&text).trim().to_owned())
}

fn unknown_upload() -> Problem {
    Problem::new(Kind::NotFound, "this upload is gone; upload the file again")
}

/// The name of a file without its folders, which some browsers send.
fn file_name(sent: &str) -> String {
    let name = sent.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    if name.is_empty() { "recipients".to_owned() } else { name.chars().filter(|c| !c.is_control()).take(150).collect() }
}

/// Begins the import of an upload as an audience of its own.
async fn begin(shared: &Shared, call: &Call, opened: &mut Opened, id: UploadId, file: &str) -> Answer<Response> {
    let country = country_of(&opened.document.keys.text("country"))?;
    let name = free_name(shared, file).await?;
    let settings = FileSettings { country, ..FileSettings::default() };
    opened.save(shared, call).await?;
    shared.0.native.imports().begin(id, ImportTarget::Named(name), settings, &call.caller.name).await?;
    Ok(Redirect::to(&format!("/new/{}/importing?upload={id}", opened.sketch.id)).into_response())
}

fn country_of(text: &str) -> Answer<Option<Country>> {
    let known = Some(text).filter(|text| !text.is_empty()).map(str::parse).transpose();
    known.map_err(|error| Problem::new(Kind::Invalid, error))
}

/// The name of the file without its ending, with a number if that is taken.
async fn free_name(shared: &Shared, file: &str) -> Answer<String> {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let stem = object_name(stem).unwrap_or_else(|_| "recipients".to_owned());
    let mut name = stem.clone();
    for number in 2.. {
        // An import that is waiting has its name as well.
        let is_pending = shared.0.native.uploads().list().iter().any(|upload| {
            upload.import.as_ref().is_some_and(|import| import.audience == name && import.state != ImportState::Failed)
        });
        if !is_pending && shared.store.audience_named(&name).await?.is_none() {
            break;
        }
        name = format!("{stem} {number}");
    }
    Ok(name)
}

/// Begins the import of what a script has uploaded.
pub(in crate::api::web) async fn import(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Response> {
    let mut opened = Opened::to_change(&shared, &call, &id, &form).await?;
    let upload: UploadId = form.get("upload").unwrap_or_default().parse().map_err(|_| unknown_upload())?;
    opened.document.keys.take(&form, "", &["country"]);
    let file = shared.0.native.uploads().get(upload)?.name;
    begin(&shared, &call, &mut opened, upload, &file).await
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
    let upload: UploadId = query.upload.parse().map_err(|_| unknown_upload())?;
    let UploadView { name, import, .. } = shared.0.native.uploads().get(upload)?;
    let import = import.ok_or_else(unknown_upload)?;
    if import.state == ImportState::Done {
        // Only now is the name that of this file's audience.
        opened.document.keys.put_all("audience", std::iter::once(import.audience.as_str()));
        opened.save(&shared, &call).await?;
        return Ok(Redirect::to(&super::path(opened.sketch.id, WritingPage::Check)).into_response());
    }
    page(&WriteImport {
        writing: opened.writing(&session, WritingPage::Recipients),
        file: name,
        rows: import.rows,
        bytes_done: import.bytes_done,
        bytes_total: import.bytes_total,
        failed: import.problem,
    })
}
