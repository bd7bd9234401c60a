//! Extractors whose rejections are problems: JSON bodies, queries, paths, and the call itself.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_path_to_error::Segment;

use super::problem::{Answer, Kind, Problem};
use super::values::{self, Parameter, PathParameters, Wrong};
use crate::base::config::Secret;
use crate::base::domain::Timestamp;
use crate::base::events::Origin;
use crate::campaigns::campaign::DecidedBy;
use crate::http::access::Caller;
use crate::store::AuditRequest;

/// The request itself, as the audit log records it.
#[derive(Debug, Clone)]
pub(in crate::http::api) struct Asked(pub(in crate::http::api) AuditRequest);

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        // As for a call: every operation is admitted first.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::new(Kind::Unauthorized, "no caller"))
    }
}

/// Who calls, and when.
#[derive(Debug, Clone)]
pub(in crate::http::api) struct Call {
    pub(in crate::http::api) caller: Arc<Caller>,
    pub(in crate::http::api) at: Timestamp,
}

impl Call {
    /// The caller, as recorded with its decisions.
    pub(in crate::http::api) fn origin(&self, reason: Option<&str>) -> Origin {
        self.caller.origin(reason.map(str::trim).filter(|reason| !reason.is_empty()))
    }

    /// The caller of a decision about a campaign.
    pub(in crate::http::api) fn decided_by(&self, reason: Option<&str>) -> DecidedBy {
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
pub(in crate::http::api) struct Json<T>(pub(in crate::http::api) T);

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
pub(in crate::http::api) struct OptionalJson<T>(pub(in crate::http::api) T);

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
    let value = values::read(bytes)?;
    if let Some(at) = nul_in(&value) {
        return Err(Problem::new(Kind::Invalid, "a text contains the character U+0000; remove it").at(at));
    }
    // A struct takes its members from an array too.
    if value.is_array() {
        return Err(Problem::new(Kind::Invalid, "the body is an array; send an object"));
    }
    serde_path_to_error::deserialize(values::Json(&value)).map_err(|error| {
        let pointer = place(&error);
        Problem::new(Kind::Invalid, error.into_inner().sentence).at(pointer)
    })
}

/// The pointer to the value that an error is about, also if the value is missing.
fn place(error: &serde_path_to_error::Error<Wrong>) -> String {
    let at = pointer(error.path());
    match &error.inner().key {
        Some(key) if !at.ends_with(&format!("/{}", escaped(key))) => format!("{at}/{}", escaped(key)),
        _ => at,
    }
}

/// The place of a value as a JSON pointer (RFC 6901).
pub(super) fn pointer(path: &serde_path_to_error::Path) -> String {
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

/// The JSON pointer to a text with U+0000: no name, number or text has one, and not every database can store it.
///
/// It is made once the text is found: to make one for each value would take the product of their number and the length of a key
/// above them.
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
pub(in crate::http::api) struct Query<T>(pub(in crate::http::api) T);

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
        let pairs = pairs.map(|(name, value)| (Parameter(name.into_owned()), Parameter(value.into_owned())));
        serde_path_to_error::deserialize(MapDeserializer::new(pairs)).map(Self).map_err(|error| {
            let of_value = error.path().iter().find_map(|segment| match segment {
                Segment::Map { key } => Some(key.clone()),
                Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => None,
            });
            let Wrong { sentence, key } = error.into_inner();
            match of_value.or(key) {
                Some(name) => {
                    let sentence = format!("parameter {name}: {sentence}");
                    Problem::new(Kind::InvalidParameter, sentence).of_parameter(&name)
                }
                None => Problem::new(Kind::InvalidParameter, sentence),
            }
        })
    }
}

/// The parameters of a path.
#[derive(Debug)]
pub(in crate::http::api) struct Path<T>(pub(in crate::http::api) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let found = RawPathParams::from_request_parts(parts, state).await;
        let found =
            found.map_err(|_| Problem::new(Kind::InvalidParameter, "the path is not UTF-8 once it is decoded"))?;
        let (names, values): (Vec<_>, Vec<_>) =
            found.iter().map(|(name, value)| (name.to_owned(), Parameter(value.to_owned()))).unzip();
        serde_path_to_error::deserialize(PathParameters(values)).map(Self).map_err(|error| {
            let index = error.path().iter().find_map(|segment| match segment {
                Segment::Seq { index } => Some(*index),
                Segment::Map { .. } | Segment::Enum { .. } | Segment::Unknown => None,
            });
            let (name, sentence) = (names.get(index.unwrap_or(0)), error.into_inner().sentence);
            let problem = |name: &String| {
                Problem::new(Kind::InvalidParameter, format_args!("{name}: {sentence}")).of_parameter(name)
            };
            name.map_or_else(|| Problem::new(Kind::InvalidParameter, &sentence), problem)
        })
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
        assert_eq!(
            unknown["errors"][0],
            json!({"pointer": "/stepz", "detail": "there is no \"stepz\" here; did you mean \"steps\"?"})
        );
        let missing = problem(r#"{"steps":[{}]}"#);
        assert_eq!(missing["errors"][0], json!({"pointer": "/steps/0/after", "detail": "`after` is missing; add it"}));
        for (text, detail) in [
            (r#"{"name":5}"#, "5 is not a text"),
            (r#"{"name":null}"#, "null is not a text"),
            (r#"{"name":"x","steps":"no"}"#, "\"no\" is not a list"),
            (r#"{"name":"x","steps":[3]}"#, "3 is not an object"),
            (r#"{"name":"x","steps":[{"after":-1}]}"#, "-1 is not a whole number of at most 4,294,967,295"),
            (r#"{"name":"x","steps":[{"after":1.5}]}"#, "1.5 is not a whole number of at most 4,294,967,295"),
            ("5", "5 is not an object"),
        ] {
            assert_eq!(problem(text)["detail"], detail, "{text}");
        }
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
    fn a_key_given_twice_is_refused_where_it_is() {
        let twice = problem(r#"{"name":"a","steps":[{"after":1,"after":2}]}"#);
        let error = json!({"pointer": "/steps/0/after", "detail": "the key \"after\" is given twice; keep one"});
        assert_eq!((&twice["status"], &twice["errors"][0]), (&json!(422), &error));
    }

    #[test]
    fn json_within_json_opens_no_further_levels() {
        // Each level is a text, whose quotes are escaped so that it grows by little.
        let mut within = "1".to_owned();
        for _ in 0..300 {
            let escaped = within.replace('\\', "\\u005c").replace('"', "\\u0022");
            within =
                format!("{}{{\"$serde_json::private::RawValue\":\"{escaped}\"}}{}", "[".repeat(20), "]".repeat(20));
            if within.len() > 1 << 20 {
                break;
            }
        }
        let refused = parse::<Value>(format!("{{\"a\":{within}}}").as_bytes()).unwrap_err();
        assert_eq!(refused.kind, Kind::Invalid);
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
