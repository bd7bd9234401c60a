//! The frame around every answer: request ids, problems, panics and headers.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Instrument;

use super::masked::shown_path;
use super::problem::{Kind, MEDIA_TYPE, Problem};
use crate::base::clock::Chance;

pub(in crate::http::api) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest request id that is taken from a caller.
const ID_MAX: usize = 128;

/// The id of a request: the caller's, or one of ours.
#[derive(Debug, Clone)]
pub(in crate::http::api) struct RequestId(Arc<str>);

impl RequestId {
    pub(in crate::http::api) fn of(headers: &HeaderMap, chance: &Chance) -> Self {
        let named = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        // An id goes into logs and into headers, so it is one plain word.
        let is_plain = |id: &&str| {
            (1..=ID_MAX).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        };
        match named.filter(is_plain) {
            Some(id) => Self(id.into()),
            None => Self(format!("req_{:016x}{:016x}", chance.bits(), chance.bits()).into()),
        }
    }

    pub(in crate::http::api) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes the body of a problem into its answer.
pub(in crate::http::api) fn render_problem(response: &mut Response, id: &RequestId) {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        *response.body_mut() = Body::from(problem.render(id.as_str()));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    }
}

/// The answer to a request whose handler has panicked. The panic itself is in the log of the server.
pub(in crate::http::api) fn panicked() -> Problem {
    Problem::new(Kind::Failed, "the server failed while it carried out the request; its log says why")
}

/// Gives a request its id, and its answer what all answers have.
pub(super) async fn frame(State(chance): State<Arc<Chance>>, request: Request, next: Next) -> Response {
    framed(&chance, request, next, render_problem).await
}

/// The same for every kind of answer: `render` writes the body of a problem.
pub(in crate::http::api) async fn framed(
    chance: &Chance,
    mut request: Request,
    next: Next,
    render: impl FnOnce(&mut Response, &RequestId),
) -> Response {
    let id = RequestId::of(request.headers(), chance);
    request.extensions_mut().insert(id.clone());
    let span =
        tracing::info_span!("request", %id, method = %request.method(), path = %shown_path(request.uri().path()));
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span).await;
    let mut response = answered.unwrap_or_else(|_| panicked().into_response());
    render(&mut response, &id);
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

pub(super) async fn no_such_path(uri: Uri) -> Problem {
    let path = uri.path();
    Problem::new(Kind::NoPath, format_args!("the API has no path /v1{path}; /docs lists its operations"))
}

pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let path = uri.path();
    Problem::new(
        Kind::MethodNotAllowed,
        format_args!("/v1{path} has no method {method}; the header Allow names its methods"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_well_formed_request_id_is_kept_and_another_is_replaced() {
        let chance = Chance::seeded(1);
        let id = |named: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_bytes(named.as_bytes()).unwrap());
            RequestId::of(&headers, &chance).to_string()
        };
        assert_eq!(id("job-7.a_B"), "job-7.a_B");
        let long = "x".repeat(ID_MAX + 1);
        for bad in ["", "a b", "a\"b", "é", &long] {
            let made = id(bad);
            assert!(made.starts_with("req_") && made.len() == 36, "{bad} became {made}");
        }
        assert_ne!(id(""), id(""));
    }
}
