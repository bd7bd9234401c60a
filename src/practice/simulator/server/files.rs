//! The provider's media hosting over HTTP: uploads as `multipart/form-data`, and downloads by token.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Response, header};
use axum::routing::{get, post};
use serde::Deserialize;

use super::cut::Cut;
use super::{Shared, answered, response};
use crate::practice::simulator::model::{LARGEST_FILE, Upload, Uploaded};

/// Room for the lines around the file.
const AROUND: usize = 64 * 1024;

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/v1/subaccounts/{sub}/files", post(upload).layer(DefaultBodyLimit::max(LARGEST_FILE + AROUND)))
        .route("/files/{name}", get(download))
}

async fn upload(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    Path(sub_account): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response<Body> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let boundary = text(header::CONTENT_TYPE).and_then(boundary);
    // The body may be large, so it is read before the model is locked.
    let uploaded = match &body {
        Ok(body) => boundary.and_then(|boundary| file_of(body, boundary)).map_or(Uploaded::Nothing, Uploaded::File),
        Err(_) => Uploaded::TooLarge,
    };
    let now = shared.now();
    let (reply, location) = shared.model().upload(&sub_account, text(header::AUTHORIZATION), &uploaded, now);
    let mut response = answered(&shared, &cut, reply).await;
    if let Some(location) = location.and_then(|location| HeaderValue::try_from(location).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store,no-cache"));
    }
    response
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
}

async fn download(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Query(Token { token }): Query<Token>,
) -> Response<Body> {
    let found = shared.model().file(&name, token.as_deref(), shared.now());
    let file = match found {
        Ok(file) => file,
        Err(refusal) => return response(refusal),
    };
    let mut response = Response::new(Body::from(file.content.to_vec()));
    if let Ok(content_type) = HeaderValue::try_from(file.content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    response
}

/// The boundary of a `multipart/form-data`.
fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let named = parameters.split(';').filter_map(|parameter| parameter.trim().split_once('='));
    let (_, boundary) = named.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    Some(boundary.trim_matches('"')).filter(|boundary| !boundary.is_empty())
}

/// The part `file` of the body.
fn file_of<'b>(body: &'b [u8], boundary: &str) -> Option<Upload<'b>> {
    let delimiter = format!("\r\n--{boundary}");
    // The first delimiter has no line before it.
    let mut rest = body.strip_prefix(&delimiter.as_bytes()[2..])?;
    loop {
        let part = rest.strip_prefix(b"\r\n")?;
        let end = find(part, delimiter.as_bytes())?;
        let (head, content) = part[..end].split_at(find(&part[..end], b"\r\n\r\n")?);
        let head = std::str::from_utf8(head).ok()?;
        if parameter(head, "name") == Some("file") {
            let name = parameter(head, "filename").unwrap_or_default();
            return Some(Upload { name, content_type: content_type(head), content: &content[4..] });
        }
        rest = &part[end + delimiter.len()..];
    }
}

fn find(text: &[u8], sought: &[u8]) -> Option<usize> {
    let first = *sought.first()?;
    let mut from = 0;
    while let Some(at) = text.get(from..)?.iter().position(|byte| *byte == first) {
        if text[from + at..].starts_with(sought) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// A parameter of the part's `Content-Disposition`.
fn parameter<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let line =
        head.lines().find(|line| line.get(..20).is_some_and(|it| it.eq_ignore_ascii_case("content-disposition:")))?;
    let named = line.split(';').filter_map(|parameter| parameter.trim().split_once('='));
    named.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim_matches('"'))
}

fn content_type(head: &str) -> &str {
    let line =
        head.lines().find_map(|line| line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case("content-type")));
    line.map_or("application/octet-stream", |(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_form_is_found_among_its_parts() {
        let body = b"--b-1\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--b-1\r\n\
            content-disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\
            \x89PNG\r\n--b-\r\n--b-1--\r\n";
        let file = file_of(body, boundary("multipart/form-data; boundary=\"b-1\"").unwrap()).unwrap();
        assert_eq!((file.name, file.content_type, file.content), ("a.png", "image/png", &b"\x89PNG\r\n--b-"[..]));
        assert!(file_of(b"--b-1\r\n\r\n", "b-1").is_none());
        assert!(file_of(b"--b-1--\r\n", "b-1").is_none());
        assert_eq!(boundary("application/json"), None);
    }
}
