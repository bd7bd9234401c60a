//! The frame around every page: headers, request ids, and problems as pages.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};

use crate::base::clock::Chance;
use crate::http::api::native::{Answer, Kind, Problem, RequestId, SHARED_REPORTS, framed, render_as_json};
use crate::http::pages::{Page, TroublePage};

/// A page loads its own style, icon and script, and asks only its own server. No other page may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";

/// A page as an answer.
pub(super) fn page(page: &impl Page) -> Answer<Response> {
    Ok(Html(page.html().map_err(|error| Problem::failed(&error))?).into_response())
}

/// A page that says what is wrong with what was sent.
pub(super) fn refused(shown: &impl Page) -> Answer<Response> {
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page(shown)?).into_response())
}

/// The answer to a change that came too late: the page as it is now.
pub(super) fn too_late(mut shown: Response) -> Response {
    *shown.status_mut() = StatusCode::PRECONDITION_FAILED;
    shown
}

/// Gives a request its id, and its answer what all pages have.
pub(super) async fn frame(State(chance): State<Arc<Chance>>, request: Request, next: Next) -> Response {
    // The address of a shared report is a secret, so no other server hears it.
    let is_secret = request.uri().path().starts_with(SHARED_REPORTS);
    let referrer = if is_secret { "no-referrer" } else { "same-origin" };
    let mut response = framed(&chance, request, next, render_problem).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static(referrer));
    response
}

/// Writes a problem into its answer, as a page.
fn render_problem(response: &mut Response, id: &RequestId) {
    if response.extensions_mut().remove::<ToProgram>().is_some() {
        return render_as_json(response, id);
    }
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let status = response.status().as_u16();
        let page = TroublePage { status, sentence: problem.sentence(), request_id: id.as_str() };
        *response.body_mut() = Body::from(page.html().unwrap_or_default());
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(HTML));
    }
}

/// The answer to a program at an address that is no page: a mistyped address of an API, for example.
#[derive(Debug, Clone, Copy)]
struct ToProgram;

pub(super) async fn no_such_page(headers: HeaderMap) -> Response {
    unknown(&headers, Problem::new(Kind::NotFound, "unknown page"))
}

pub(super) async fn no_such_method(headers: HeaderMap) -> Response {
    let sentence = "this page cannot be asked for in this way; use its links and buttons";
    unknown(&headers, Problem::new(Kind::MethodNotAllowed, sentence))
}

/// Browsers name HTML among what they take, programs do not.
fn unknown(headers: &HeaderMap, problem: Problem) -> Response {
    let takes =
        |value: &HeaderValue| value.to_str().is_ok_and(|value| value.to_ascii_lowercase().contains("text/html"));
    let mut response = problem.into_response();
    if !headers.get_all(header::ACCEPT).iter().any(takes) {
        response.extensions_mut().insert(ToProgram);
    }
    response
}
