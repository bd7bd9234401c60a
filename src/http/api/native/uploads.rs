//! `/uploads`: recipient files, sent in parts; and `/audiences`: their checks and imports.

use axum::Json as JsonAnswer;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::PREFIX;
use super::extract::{Call, Json, Path};
use super::problem::{Answer, Kind, Problem};
use super::recorded::About;
use crate::base::domain::{Span, object_name};
use crate::http::api::Shared;
use crate::http::api::door::UploadEnded;
use crate::recipients::audience::{self, CheckView, FileSettings, InvalidSetting};
use crate::recipients::uploads::{ImportRefused, ImportTarget, ReceiveError, UploadError, UploadId, UploadView};

const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
/// The media type of a part.
const PART: &str = "application/offset+octet-stream";

impl From<UploadError> for Problem {
    fn from(error: UploadError) -> Self {
        let kind = match &error {
            UploadError::Unknown(_) => Kind::NotFound,
            UploadError::Name(_) => return Self::new(Kind::Invalid, error).at("/name"),
            UploadError::TooLarge { .. } => Kind::TooLarge,
            UploadError::Importing(_) | UploadError::TooMany | UploadError::NoRoom { .. } => Kind::Conflict,
            UploadError::Disk(cause) if cause.kind() == std::io::ErrorKind::StorageFull => {
                let sentence =
                    "the disk of the uploads is full; what has arrived is stored: send the rest once there is room";
                return Self::new(Kind::Busy, sentence).retry_after(Span::from_secs(60));
            }
            UploadError::Disk(_) => return Self::failed(&error),
        };
        Self::new(kind, error)
    }
}

impl From<ReceiveError<axum::Error>> for Problem {
    fn from(error: ReceiveError<axum::Error>) -> Self {
        match error {
            ReceiveError::Upload(error) => error.into(),
            ReceiveError::WrongOffset { on_disk, .. } => {
                Self::new(Kind::Conflict, error).with_header(OFFSET, HeaderValue::from(on_disk))
            }
            ReceiveError::TooLong { .. } => Self::new(Kind::TooLarge, error),
            ReceiveError::Superseded => Self::new(Kind::Conflict, error),
            ReceiveError::Body(cause) => match ended(&cause) {
                Some(ended @ UploadEnded::TooSlow) => Self::new(Kind::TooSlow, ended),
                Some(ended @ UploadEnded::Stopping) => Self::new(Kind::Busy, ended).retry_after(Span::from_secs(5)),
                None => Self::new(
                    Kind::Incomplete,
                    "the part ended before it was complete; what has arrived is stored: send the rest of it",
                ),
            },
        }
    }
}

/// Why the door has ended the body, if it has. Each layer wraps the error of the body once more.
fn ended(error: &(dyn std::error::Error + 'static)) -> Option<UploadEnded> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref().copied())
}

impl From<ImportRefused> for Problem {
    fn from(error: ImportRefused) -> Self {
        match error {
            ImportRefused::Upload(error) => error.into(),
            ImportRefused::Store(error) => error.into(),
            ImportRefused::NameTaken(_) => Self::new(Kind::NameTaken, error),
            ImportRefused::UnknownAudience(_) => Self::new(Kind::NotFound, error),
            ImportRefused::Imported(_)
            | ImportRefused::Incomplete { .. }
            | ImportRefused::InUse(_)
            | ImportRefused::BeingCorrected(_) => Self::new(Kind::Conflict, error),
        }
    }
}

impl From<InvalidSetting> for Problem {
    fn from(invalid: InvalidSetting) -> Self {
        let pointer = format!("/options/{}", invalid.key);
        Self::new(Kind::Invalid, invalid).at(pointer)
    }
}

fn id(text: &str) -> Answer<UploadId> {
    text.parse().map_err(|error| Problem::new(Kind::NotFound, error))
}

/// The answer with an upload, and with its length so far in the headers.
fn shown(status: StatusCode, upload: UploadView) -> Response {
    let (offset, length) = (upload.offset, upload.length);
    let mut response = (status, JsonAnswer(upload)).into_response();
    response.headers_mut().insert(OFFSET, HeaderValue::from(offset));
    response.headers_mut().extend(length.map(|length| (LENGTH, HeaderValue::from(length))));
    response
}

/// The answer with an upload at its address.
fn at_its_place(status: StatusCode, upload: UploadView) -> Response {
    let place = HeaderValue::try_from(format!("{PREFIX}/uploads/{}", upload.id));
    let mut response = shown(status, upload);
    if let Ok(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// A file to upload.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "recipients.csv", "length": 2_000_000_000}))]
pub(super) struct NewUpload {
    /// Name of the file, without folders.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Bytes of the whole file, if they are known. They are reserved.
    #[serde(default)]
    length: Option<u64>,
}

/// The bytes of a part.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it describes a body that is read as it arrives")]
pub(super) struct Binary(Vec<u8>);

/// All uploads.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Uploads {
    items: Vec<UploadView>,
}

/// Begin the upload of a recipient file.
#[utoipa::path(post, path = "/uploads", operation_id = "begin_upload", tag = "audiences", request_body = NewUpload,
    responses((status = 201, description = "The upload, with no byte yet.", body = UploadView,
        headers(("Location" = String, description = "Address of the upload."))), (status = 409)))]
pub(super) async fn begin(State(shared): State<Shared>, Json(new): Json<NewUpload>) -> Answer<Response> {
    let upload = shared.0.native.uploads.begin(&new.name, new.length).await?;
    Ok(at_its_place(StatusCode::CREATED, upload))
}

/// List the uploads, latest first. There are never many.
#[utoipa::path(get, path = "/uploads", operation_id = "list_uploads", tag = "audiences",
    responses((status = 200, description = "All uploads.", body = Uploads)))]
pub(super) async fn list(State(shared): State<Shared>) -> JsonAnswer<Uploads> {
    JsonAnswer(Uploads { items: shared.0.native.uploads.list() })
}

/// Get an upload: how many bytes have arrived, and the progress of its import. HEAD answers with the headers alone.
#[utoipa::path(get, path = "/uploads/{upload}", operation_id = "get_upload", tag = "audiences",
    params(("upload" = String, Path, description = "Id of the upload.")),
    responses((status = 200, description = "The upload.", body = UploadView,
        headers(("Upload-Offset" = u64, description = "Bytes that have arrived."),
            ("Upload-Length" = u64, description = "Bytes of the whole file, if they were declared."))), (status = 404)))]
pub(super) async fn get(State(shared): State<Shared>, Path(upload): Path<String>) -> Answer<Response> {
    Ok(shown(StatusCode::OK, shared.0.native.uploads.get(id(&upload)?)?))
}

/// Send the next part of a file, of any length, from `Upload-Offset` on.
///
/// What has arrived when a part breaks off is stored: ask for the offset, and send the rest. A part that is sent while
/// another one is in progress takes its place.
#[utoipa::path(patch, path = "/uploads/{upload}", operation_id = "send_part", tag = "audiences",
    params(("upload" = String, Path, description = "Id of the upload."),
        ("Upload-Offset" = u64, Header, description = "Where the part begins: the bytes that have arrived.")),
    request_body(content = Binary, content_type = "application/offset+octet-stream"),
    responses((status = 204, description = "The part is on disk.",
        headers(("Upload-Offset" = u64, description = "Bytes that have arrived."))), (status = 404), (status = 408),
        (status = 409)))]
pub(super) async fn send(
    State(shared): State<Shared>,
    Path(upload): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let named = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !named.trim().eq_ignore_ascii_case(PART) {
        let sentence = format!("a part of an upload has the media type {PART}; send it as `Content-Type`");
        return Err(Problem::new(Kind::MediaType, sentence));
    }
    let number = |name: &HeaderName| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let offset = number(&OFFSET).ok_or_else(|| {
        let sentence = "a part needs the header Upload-Offset with the number of bytes that have arrived";
        Problem::new(Kind::InvalidParameter, sentence).of_parameter("Upload-Offset")
    })?;
    let declared = number(&header::CONTENT_LENGTH);
    let on_disk = shared.0.native.uploads.receive(id(&upload)?, offset, declared, body.into_data_stream()).await?;
    Ok((StatusCode::NO_CONTENT, [(OFFSET, HeaderValue::from(on_disk))]).into_response())
}

/// Delete an upload. An audience that was imported from it stays.
#[utoipa::path(delete, path = "/uploads/{upload}", operation_id = "delete_upload", tag = "audiences",
    params(("upload" = String, Path, description = "Id of the upload.")),
    responses((status = 204, description = "The upload was deleted."), (status = 404), (status = 409)))]
pub(super) async fn delete(State(shared): State<Shared>, Path(upload): Path<String>) -> Answer<Response> {
    shared.0.native.uploads.remove(id(&upload)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// An upload to check.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"upload": "upl_01890a5d5c7d7a10b7c4d3a1f0e2b3c4", "options": {"country": "SG"}}))]
pub(super) struct FileCheck {
    /// Id of the upload.
    upload: String,
    /// What the client states about the file.
    #[serde(default)]
    options: FileSettings,
}

/// Check an upload: count valid and rejected rows, with reasons. Nothing is stored.
#[utoipa::path(post, path = "/audiences/check", operation_id = "check_audience", tag = "audiences",
    request_body = FileCheck,
    responses((status = 200, description = "The counts.", body = CheckView<'static>), (status = 404), (status = 409)))]
pub(super) async fn check(State(shared): State<Shared>, Json(body): Json<FileCheck>) -> Answer<Response> {
    let options = body.options.options()?;
    let read = shared.0.native.imports.check(id(&body.upload)?, options).await?;
    let (summary, took) = read.map_err(|error| match error {
        audience::Error::Internal { .. } | audience::Error::Spool { .. } => Problem::failed(&error),
        error => Problem::new(Kind::Invalid, error),
    })?;
    Ok(JsonAnswer(CheckView::new(&summary, took)).into_response())
}

/// An upload to import.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"upload": "upl_01890a5d5c7d7a10b7c4d3a1f0e2b3c4", "name": "members"}))]
pub(super) struct NewImport {
    /// Id of the upload.
    upload: String,
    /// Name of the new audience, for campaigns.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Add new recipients to this audience, instead. Campaigns launched before do not include them.
    #[serde(default)]
    append: Option<String>,
    /// What the client states about the file.
    #[serde(default)]
    options: FileSettings,
}

impl NewImport {
    fn target(&self) -> Answer<ImportTarget> {
        match (&self.name, &self.append) {
            (Some(name), None) => {
                let name = object_name(name).map_err(|error| Problem::new(Kind::Invalid, error).at("/name"))?;
                Ok(ImportTarget::Named(name))
            }
            (None, Some(name)) => Ok(ImportTarget::AddTo(name.clone())),
            _ => Err(Problem::new(Kind::Invalid, "give either the `name` of a new audience, or `append`").at("/name")),
        }
    }
}

/// Import an upload as a named audience, or add its recipients to one.
///
/// The import continues after the answer, also after a restart of the server. The upload shows its progress and its result.
#[utoipa::path(post, path = "/audiences", operation_id = "import_audience", tag = "audiences", request_body = NewImport,
    responses((status = 202, description = "The upload with its import.", body = UploadView,
        headers(("Location" = String, description = "Address of the upload."))), (status = 404), (status = 409)))]
pub(super) async fn import(State(shared): State<Shared>, call: Call, Json(body): Json<NewImport>) -> Answer<Response> {
    let about = About(body.name.clone().or_else(|| body.append.clone()).unwrap_or_default());
    let (id, target) = (id(&body.upload)?, body.target()?);
    // Fail before the import, not in its middle.
    body.options.options()?;
    let upload = shared.0.native.imports.begin(id, target, body.options, &call.caller.name).await?;
    let mut answer = at_its_place(StatusCode::ACCEPTED, upload);
    answer.extensions_mut().insert(about);
    Ok(answer)
}
