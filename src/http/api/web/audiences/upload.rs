//! Uploads a recipient file and imports it as an audience. A script sends large files in parts over `/v1/uploads` instead,
//! and then asks for their import here.

use axum::extract::multipart::Field;
use axum::extract::{FromRequest, Multipart, State};
use axum::http::Request;
use axum::response::{IntoResponse, Redirect, Response};

use super::imported_path;
use crate::base::domain::{Scope, SketchId, object_name};
use crate::http::access::SignedIn;
use crate::http::api::Shared;
use crate::http::api::door::Patience;
use crate::http::api::native::{Answer, Call, Kind, Path, Problem};
use crate::http::api::web::admit::Session;
use crate::http::api::web::form::Form;
use crate::http::api::web::frame::page;
use crate::http::pages::{CountryQuestion, FileFields, ImportPage, Part, Place, texts};
use crate::recipients::audience::{CorrectedRows, DefaultCountry, FileSettings, ImportRecord};
use crate::recipients::uploads::{ImportProgressView, ImportState, ImportTarget, UploadId, UploadView};

/// The longest fields before the file.
const FIELD_MAX: usize = 4_096;
/// Characters of the name of an audience that is made here.
const NAME_MAX: usize = 150;

/// How the numbers of a file are read, as a form says it.
#[derive(Debug, Default)]
pub(in crate::http::api::web) struct HowRead {
    pub(in crate::http::api::web) country: String,
    pub(in crate::http::api::web) lines: String,
    /// Whether the operator has answered that numbers may lack a country.
    is_answered: bool,
}

impl HowRead {
    pub(in crate::http::api::web) fn of(form: &Form) -> Self {
        let mut all = Self::default();
        form.fields().for_each(|(name, text)| all.put(name, text));
        all
    }

    /// How the file of an earlier import was read.
    pub(in crate::http::api::web) fn of_record(record: &ImportRecord) -> Self {
        let country = record.country.as_ref().map_or_else(String::new, ToString::to_string);
        Self { country, lines: if record.mobile_only { "mobile".to_owned() } else { String::new() }, is_answered: true }
    }

    /// Keeps a field of a form, if it is one of these; the fields of a second form on a page have longer names.
    fn put(&mut self, name: &str, text: &str) {
        match name.strip_prefix("file-").unwrap_or(name) {
            "country" => text.clone_into(&mut self.country),
            "lines" => text.clone_into(&mut self.lines),
            "answered" => self.is_answered = true,
            _ => {}
        }
    }

    /// Takes a field of a form, if it is one of these. Fails if it is invalid, before the file has arrived.
    pub(in crate::http::api::web) fn take(&mut self, name: &str, text: &str) -> Answer<()> {
        self.put(name, text);
        self.settings().map(drop)
    }

    /// Whether a file is stored only if all of its numbers have a country.
    fn asks(&self) -> bool {
        self.country.is_empty() && !self.is_answered
    }

    /// The same as settings of an import.
    pub(in crate::http::api::web) fn settings(&self) -> Answer<FileSettings> {
        let lines = Some(self.lines.clone()).filter(|lines| !lines.is_empty());
        let settings = FileSettings { country: country_of(&self.country)?, lines, ..FileSettings::default() };
        settings.options().map_err(|error| Problem::new(Kind::Invalid, error))?;
        Ok(settings)
    }
}

/// What a form says about its file.
#[derive(Debug, Default)]
struct Asked {
    how_read: HowRead,
    /// The audience whose rejected rows it corrects.
    corrects: Option<String>,
    /// The unfinished campaign that gets the audience.
    sketch: Option<SketchId>,
}

impl Asked {
    /// Begins the import, and leads to its progress.
    async fn begin(self, (shared, call): (&Shared, &Call), (upload, file): (UploadId, String)) -> Answer<Redirect> {
        begin((shared, call), (upload, &file), &self.how_read, self.corrects).await?;
        Ok(Redirect::to(&progress_path(upload, self.sketch)))
    }
}

/// Takes the file of a form as it arrives. `take` gets the fields before it, name and text of each, and at last `file`.
/// Returns the upload and the name of the file.
pub(in crate::http::api::web) async fn receive(
    shared: &Shared,
    session: &SignedIn,
    request: Request<axum::body::Body>,
    mut take: impl FnMut(&str, &str) -> Answer<()> + Send,
) -> Answer<(UploadId, String)> {
    let mut form = form_with_file(shared, request).await?;
    let mut is_own = false;
    while let Some(mut part) = form.next_field().await.map_err(broken)? {
        match part.name().unwrap_or_default().to_owned().as_str() {
            // The token comes first, so nothing of a foreign form is stored.
            "file" if !is_own => return Err(foreign()),
            "file" => {
                take("file", "")?;
                return received(shared, part).await;
            }
            "form_token" => is_own = session.form_token.matches(&short(&mut part).await?),
            name => take(name, &short(&mut part).await?)?,
        }
    }
    Err(no_file())
}

/// The parts of a form with a file, within the limits of an upload.
pub(in crate::http::api::web) async fn form_with_file(
    shared: &Shared,
    request: Request<axum::body::Body>,
) -> Answer<Multipart> {
    let extensions = request.extensions();
    let patience = extensions.get::<Patience>().cloned().zip(extensions.get::<Call>().cloned());
    let request = match patience {
        Some((patience, call)) => {
            let (parts, body) = request.into_parts();
            Request::from_parts(parts, patience.upload(&call.caller, body)?)
        }
        None => request,
    };
    let no_form = |_| Problem::new(Kind::Invalid, "this is no form with a file; go back and choose one");
    Multipart::from_request(request, shared).await.map_err(no_form)
}

/// Takes the file of a form as it arrives. Returns its upload and its name.
pub(in crate::http::api::web) async fn received(shared: &Shared, mut part: Field<'_>) -> Answer<(UploadId, String)> {
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

pub(in crate::http::api::web) fn foreign() -> Problem {
    Problem::new(Kind::Forbidden, "this form is from another session; open the page again")
}

pub(in crate::http::api::web) fn no_file() -> Problem {
    Problem::new(Kind::Invalid, "the form has no file; go back and choose one")
}

pub(in crate::http::api::web) fn broken(_: axum::extract::multipart::MultipartError) -> Problem {
    Problem::new(Kind::Incomplete, "the upload broke off; send the file again")
}

/// The text of a field before the file.
pub(in crate::http::api::web) async fn short(part: &mut Field<'_>) -> Answer<String> {
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
    let name: String = name.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect();
    if matches!(name.as_str(), "" | "." | "..") { "recipients".to_owned() } else { name }
}

pub(in crate::http::api::web) fn country_of(text: &str) -> Answer<Option<DefaultCountry>> {
    let known = Some(text.trim()).filter(|text| !text.is_empty()).map(str::parse).transpose();
    known.map_err(|error| Problem::new(Kind::Invalid, error).at("/country"))
}

/// Begins the import of an upload: as an audience of its own, under the name of the file, or into the one that it corrects.
pub(in crate::http::api::web) async fn begin(
    (shared, call): (&Shared, &Call),
    (upload, file): (UploadId, &str),
    how_read: &HowRead,
    corrects: Option<String>,
) -> Answer<()> {
    let target = match corrects {
        Some(audience) => ImportTarget::Correct { audience, rows: CorrectedRows::default() },
        None => {
            let name = free_name(shared, file.rsplit_once('.').map_or(file, |(stem, _)| stem)).await?;
            if how_read.asks() { ImportTarget::Asking(name) } else { ImportTarget::Named(name) }
        }
    };
    shared.0.native.imports().begin(upload, target, how_read.settings()?, &call.caller.name).await?;
    Ok(())
}

/// A name for an audience, with a number if it is taken.
async fn free_name(shared: &Shared, wanted: &str) -> Answer<String> {
    let stem = object_name(wanted).unwrap_or_else(|_| "recipients".to_owned());
    let mut name = stem.clone();
    for number in 2.. {
        // An import that is waiting has its name as well.
        let is_pending = shared.0.native.uploads().list().iter().any(|upload| {
            let is_open = |state| !matches!(state, ImportState::Failed | ImportState::Asks);
            upload.import.as_ref().is_some_and(|import| import.audience == name && is_open(import.state))
        });
        if !is_pending && shared.store.audience_named(&name).await?.is_none() {
            break;
        }
        name = format!("{stem} {number}");
    }
    Ok(name)
}

/// Stores corrected rows as an upload, and begins its import into their audience.
pub(super) async fn import_made(
    (shared, call): (&Shared, &Call),
    content: Vec<u8>,
    settings: FileSettings,
    (audience, rows): (&str, CorrectedRows),
) -> Answer<UploadId> {
    let uploads = shared.0.native.uploads();
    let short: String = audience.chars().take(NAME_MAX).collect();
    let file = file_name(&format!("{}.csv", texts().audiences.mended(&short).replace(['/', '\\'], "-")));
    let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let upload: UploadId = uploads.begin(&file, Some(length)).await?.id.parse().map_err(|_| unknown_upload())?;
    let body = futures_util::stream::iter([Ok::<_, axum::Error>(axum::body::Bytes::from(content))]);
    uploads.receive(upload, 0, None, body).await?;
    let target = ImportTarget::Correct { audience: audience.to_owned(), rows };
    shared.0.native.imports().begin(upload, target, settings, &call.caller.name).await?;
    Ok(upload)
}

/// The page with the progress of an import, for an unfinished campaign or not.
pub(super) fn progress_path(upload: UploadId, sketch: Option<SketchId>) -> String {
    match sketch {
        Some(sketch) => format!("/new/{sketch}/importing?upload={upload}"),
        None => format!("/uploads/{upload}"),
    }
}

/// Takes a file of a form as it arrives, and begins its import.
pub(super) async fn upload(
    State(shared): State<Shared>,
    Session(session): Session,
    call: Call,
    request: Request<axum::body::Body>,
) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let mut asked = Asked::default();
    let take = |name: &str, text: &str| {
        match name {
            "corrects" if !text.is_empty() => asked.corrects = Some(text.to_owned()),
            "sketch" => asked.sketch = text.parse::<SketchId>().ok(),
            name => asked.how_read.take(name, text)?,
        }
        Ok(())
    };
    let uploaded = receive(&shared, &session, request, take).await?;
    asked.begin((&shared, &call), uploaded).await
}

/// The upload of a form that a script sends after the file.
pub(in crate::http::api::web) fn import_of(shared: &Shared, form: &Form) -> Answer<(UploadId, String)> {
    let upload: UploadId = form.get("upload").unwrap_or_default().parse().map_err(|_| unknown_upload())?;
    Ok((upload, shared.0.native.uploads().get(upload)?.name))
}

/// Begins the import of what a script has uploaded.
pub(super) async fn import(State(shared): State<Shared>, call: Call, form: Form) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let asked = Asked {
        how_read: HowRead::of(&form),
        corrects: form.entered("corrects").map(str::to_owned),
        sketch: form.get("sketch").and_then(|id| id.parse().ok()),
    };
    asked.begin((&shared, &call), import_of(&shared, &form)?).await
}

/// An upload whose import was begun: the name of its file, and the import.
pub(in crate::http::api::web) fn import_in_progress(
    shared: &Shared,
    upload: &str,
) -> Answer<(String, ImportProgressView)> {
    let upload: UploadId = upload.parse().map_err(|_| unknown_upload())?;
    let UploadView { name, import, .. } = shared.0.native.uploads().get(upload)?;
    Ok((name, import.ok_or_else(unknown_upload)?))
}

/// Shows the progress of an import, and leads to the audience once it is done.
pub(super) async fn importing(
    State(shared): State<Shared>,
    Path(upload): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let (file, import) = import_in_progress(&shared, &upload)?;
    if import.state == ImportState::Done {
        return Ok(Redirect::to(&imported_path(&import.audience)).into_response());
    }
    page(&ImportPage {
        frame: session.frame(Place::Below(Part::Audiences)),
        file,
        rows: import.rows,
        bytes_done: import.bytes_done,
        bytes_total: import.bytes_total,
        question: country_question(&shared, &upload, &import)?,
        failed: import.problem,
    })
}

/// Which country the numbers of a file have, if that is asked before it is stored.
pub(in crate::http::api::web) fn country_question(
    shared: &Shared,
    upload: &str,
    import: &ImportProgressView,
) -> Answer<Option<CountryQuestion>> {
    let Some(without_country) = import.without_country else { return Ok(None) };
    let id: UploadId = upload.parse().map_err(|_| unknown_upload())?;
    let lines = shared.0.native.uploads().settings(id)?.and_then(|settings| settings.lines).unwrap_or_default();
    let fields = FileFields::new("", &lines);
    Ok(Some(CountryQuestion { upload: upload.to_owned(), without_country, rows: import.rows, fields }))
}
