//! Files and templates: sent on to the provider.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::answers::{Failed, Path};
use crate::http::accept::{Refusal, Relay, TemplateChange};
use crate::http::access::Caller;
use crate::http::api::Shared;
use crate::rules::wire::ErrorAnswer;

type By = Extension<Arc<Caller>>;
/// An account and one of its channels.
type OfChannel = Path<(String, String)>;

fn answer(shared: &Shared, relayed: Result<Relay, Refusal>) -> Response {
    let Relay { status, body, retry_after, location } = match relayed {
        Ok(relay) => relay,
        Err(refusal) => return Failed::from(refusal).answer(shared),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store,no-cache"));
    if let Some(again) = retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(again.millis() / 1_000));
    }
    if let Some(location) = location.and_then(|location| HeaderValue::from_str(&location).ok()) {
        headers.insert(header::LOCATION, location);
    }
    response
}

pub(super) async fn upload(
    State(shared): State<Shared>,
    Path(sub_account): Path<String>,
    Extension(caller): By,
    headers: HeaderMap,
    form: Bytes,
) -> Response {
    let kind = headers.get(header::CONTENT_TYPE).cloned();
    let Some(kind) = kind.filter(|kind| kind.as_bytes().starts_with(b"multipart/form-data")) else {
        return Failed::from(ErrorAnswer::MissingFile).answer(&shared);
    };
    answer(&shared, shared.0.desk.upload(&caller, &sub_account, kind, form).await)
}

/// The provider hosts the file, and asks for its token alone.
pub(super) async fn file(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    RawQuery(token): RawQuery,
) -> Response {
    match token.and_then(|token| shared.0.desk.address_of_file(&name, &token)) {
        Some(address) => Redirect::temporary(&address).into_response(),
        None => Failed::from(ErrorAnswer::MissingToken).answer(&shared),
    }
}

pub(super) async fn templates(
    State(shared): State<Shared>,
    Path((account, channel)): OfChannel,
    Extension(caller): By,
) -> Response {
    answer(&shared, shared.0.desk.templates(&caller, &account, &channel).await)
}

pub(super) async fn create_template(
    State(shared): State<Shared>,
    Path((account, channel)): OfChannel,
    Extension(caller): By,
    body: Bytes,
) -> Response {
    let change = TemplateChange::Create(body);
    answer(&shared, shared.0.desk.change_templates(&caller, (&account, &channel), change).await)
}

pub(super) async fn remove_template(
    State(shared): State<Shared>,
    Path((account, channel, name)): Path<(String, String, String)>,
    Extension(caller): By,
) -> Response {
    let change = TemplateChange::Remove(&name);
    answer(&shared, shared.0.desk.change_templates(&caller, (&account, &channel), change).await)
}
