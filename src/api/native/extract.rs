//! Extractors whose rejections are problems: JSON bodies, queries, paths, and the call itself.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use memchr::memmem;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_path_to_error::Segment;

use super::problem::{Answer, Kind, Problem};
use crate::access::Caller;
use crate::campaign::DecidedBy;
use crate::config::Secret;
use crate::domain::Timestamp;
use crate::events::Origin;
use crate::store::AuditRequest;

/// The request itself, as the audit log records it.
#[derive(Debug, Clone)]
pub(in crate::api) struct Asked(pub(in crate::api) AuditRequest);

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        // As for a call: every operation is admitted first.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::new(Kind::Unauthorized, "no caller"))
    }
}

/// Who calls, and when.
#[derive(Debug, Clone)]
pub(in crate::api) struct Call {
    pub(in crate::api) caller: Arc<Caller>,
    pub(in crate::api) at: Timestamp,
}

impl Call {
    /// The caller, as recorded with its decisions.
    pub(in crate::api) fn origin(&self, reason: Option<&str>) -> Origin {
        self.caller.origin(reason.map(str::trim).filter(|reason| !reason.is_empty()))
    }

    /// The caller of a decision about a campaign.
    pub(in crate::api) fn decided_by(&self, reason: Option<&str>) -> DecidedBy {
        DecidedBy { origin: self.origin(reason), is_signed_in: self.caller.session.is_some(), confirms_restored: false }
    }
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        // Every operation is admitted before its extractors run, so only a route without a rule comes here without a call.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::new(Kind::Unauthorized, "no caller"))
    }
}

/// A JSON body.
#[derive(Debug)]
pub(in crate::api) struct Json<T>(pub(in crate::api) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Answer<Self> {
        ensure_json(&request)?;
        let bytes = bytes_of(request, state).await?;
        parse(&bytes).map(Self)
    }
}

/// A JSON body that may be missing; then it has its default value.
#[derive(Debug)]
pub(in crate::api) struct OptionalJson<T>(pub(in crate::api) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Answer<Self> {
        let named = request.headers().contains_key(header::CONTENT_TYPE).then(|| ensure_json(&request)).transpose();
        let bytes = bytes_of(request, state).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        match named? {
            Some(()) => parse(&bytes).map(Self),
            None => Err(wrong_media_type()),
        }
    }
}

/// Reads a secret of a body.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

/// The same for one that may be missing.
pub(super) fn secret_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}

async fn bytes_of(request: Request, state: &(impl Send + Sync)) -> Answer<Bytes> {
    let read = Bytes::from_request(request, state).await;
    read.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Kind::TooLarge, "the body is too large"),
        _ => Problem::new(Kind::InvalidJson, "the body ended before it was complete"),
    })
}

fn wrong_media_type() -> Problem {
    Problem::new(Kind::MediaType, "the body must be JSON; send `Content-Type: application/json`")
}

fn ensure_json(request: &Request) -> Answer<()> {
    let named = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = named.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(wrong_media_type()) }
}

/// Parses a JSON text. A problem names the place of the wrong value.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Answer<T> {
    refuse_nul(bytes)?;
    // The depth is bounded by the parser, at 128.
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        if error.inner().is_data() {
            Problem::new(Kind::Invalid, error.inner()).at(pointer(error.path()))
        } else {
            invalid_json(error.inner())
        }
    })?;
    deserializer.end().map_err(|error| invalid_json(&error))?;
    // A struct takes its members from an array too.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::new(Kind::Invalid, "the body is an array; send an object"));
    }
    Ok(parsed)
}

fn invalid_json(error: &serde_json::Error) -> Problem {
    Problem::new(Kind::InvalidJson, format_args!("the body is not valid JSON: {error}"))
}

/// The place of a value as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } | Segment::Enum { variant: key } => format!("{pointer}/{}", escaped(key)),
        Segment::Unknown => pointer,
    })
}

/// A key as a part of a JSON pointer.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Refuses U+0000 in any text: no name, number or text has one, and not every database can store it.
fn refuse_nul(bytes: &[u8]) -> Answer<()> {
    // JSON can write it only as an escape. A text with an escaped backslash may look like one.
    if memmem::find(bytes, br"\u0000").is_none() {
        return Ok(());
    }
    let Ok(value) = serde_json::from_slice(bytes) else { return Ok(()) };
    match nul_in(&value) {
        Some(at) => Err(Problem::new(Kind::Invalid, "a text contains the character U+0000; remove it").at(at)),
        None => Ok(()),
    }
}

/// The JSON pointer to a text with U+0000. It is made once the text is found: to make one for each value would take the
/// product of their number and the length of a key above them.
fn nul_in(value: &Value) -> Option<String> {
    let below = |part: &str, at: String| format!("/{part}{at}");
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(values) => {
            let found = values.iter().enumerate().find_map(|(index, value)| Some((index, nul_in(value)?)));
            found.map(|(index, at)| below(&index.to_string(), at))
        }
        Value::Object(members) => members.iter().find_map(|(key, value)| {
            if key.contains('\0') { Some(String::new()) } else { nul_in(value).map(|at| below(&escaped(key), at)) }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The parameters of a query.
#[derive(Debug)]
pub(in crate::api) struct Query<T>(pub(in crate::api) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        if let Some((name, _)) = pairs.clone().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
            let name = name.replace('\0', "");
            let sentence = format!("the parameter \"{name}\" contains the character U+0000; remove it");
            return Err(Problem::new(Kind::InvalidParameter, sentence).of_parameter(&name));
        }
        serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs)).map(Self).map_err(|error| {
            let name = error.path().iter().find_map(|segment| match segment {
                Segment::Map { key } => Some(key.clone()),
                Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => None,
            });
            let cause = error.inner();
            match name {
                Some(name) => {
                    Problem::new(Kind::InvalidParameter, format_args!("parameter {name}: {cause}")).of_parameter(&name)
                }
                None => Problem::new(Kind::InvalidParameter, cause),
            }
        })
    }
}

/// The parameters of a path.
#[derive(Debug)]
pub(in crate::api) struct Path<T>(pub(in crate::api) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection| Problem::new(Kind::InvalidParameter, rejection.body_text()))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        #[serde(default)]
        steps: Vec<Inner>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        after: u32,
    }

    fn problem(text: &str) -> Value {
        serde_json::from_slice(&parse::<Outer>(text.as_bytes()).unwrap_err().render("r")).unwrap()
    }

    #[test]
    fn a_wrong_value_is_named_by_its_pointer() {
        let wrong = problem(r#"{"name":"x","steps":[{"after":1},{"after":"soon"}]}"#);
        assert_eq!((&wrong["status"], &wrong["errors"][0]["pointer"]), (&json!(422), &json!("/steps/1/after")));
        let unknown = problem(r#"{"name":"x","stepz":[]}"#);
        assert_eq!(unknown["status"], json!(422));
        assert!(unknown["detail"].as_str().unwrap().contains("unknown field `stepz`"), "{unknown}");
        let missing = problem("{}");
        assert!(missing["detail"].as_str().unwrap().contains("missing field `name`"), "{missing}");
    }

    #[test]
    fn what_is_no_json_is_refused_as_such() {
        for text in ["", "{", r#"{"name":"x"} x"#, "\u{feff}{}"] {
            let wrong = problem(text);
            assert_eq!((&wrong["status"], &wrong["code"]), (&json!(400), &json!("invalid_json")), "{wrong}");
        }
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        assert_eq!(parse::<Value>(deep.as_bytes()).unwrap_err().kind, Kind::InvalidJson);
        let wrong = parse::<Outer>(b"{\"name\":\"\xff\"}").unwrap_err();
        assert_eq!(wrong.kind, Kind::InvalidJson);
    }

    #[test]
    fn a_body_is_no_array_of_its_members() {
        let wrong = problem(r#" ["x"]"#);
        assert_eq!((&wrong["status"], &wrong["code"]), (&json!(422), &json!("invalid")), "{wrong}");
    }

    #[test]
    fn an_escaped_nul_is_refused_and_an_escaped_backslash_is_not() {
        let wrong = problem(r#"{"name":"a\u0000b"}"#);
        assert_eq!((&wrong["status"], &wrong["errors"][0]["pointer"]), (&json!(422), &json!("/name")));
        let wrong = problem(r#"{"name":"a","steps":[{"after":1},{"x/y":["\u0000"]}]}"#);
        assert_eq!(wrong["errors"][0]["pointer"], "/steps/1/x~1y/0");
        let parsed: Outer = parse(br#"{"name":"a\\u0000b"}"#).unwrap();
        assert_eq!(parsed.name, r"a\u0000b");
    }

    #[test]
    fn a_pointer_escapes_its_marks() {
        assert_eq!(escaped("a/b~c"), "a~1b~0c");
    }
}
