//! Problems: what an operation answers if it cannot do what it was asked (RFC 9457).
//!
//! An operation returns a [`Problem`]. The frame renders it, because only the frame knows the request id.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use crate::base::domain::Span;

/// The media type of a problem.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// Declares the kinds of problems: `Variant = status, "code", "title", "what it means, and what to do";`.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $status:ident, $code:literal, $title:literal, $meaning:literal;)+) => {
        /// A kind of problem. Its code is stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::http::api) enum Kind { $($(#[$doc])* $kind,)+ }

        impl Kind {
            pub(super) const ALL: &'static [Self] = &[$(Self::$kind,)+];

            pub(super) const fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status,)+ }
            }

            pub(super) const fn code(self) -> &'static str {
                match self { $(Self::$kind => $code,)+ }
            }

            pub(super) const fn title(self) -> &'static str {
                match self { $(Self::$kind => $title,)+ }
            }

            /// What it means, and what to do: the text of its page.
            pub(super) const fn meaning(self) -> &'static str {
                match self { $(Self::$kind => $meaning,)+ }
            }

            /// The address of its page, on every server.
            pub(super) const fn address(self) -> &'static str {
                match self { $(Self::$kind => concat!("/docs/problems/", $code),)+ }
            }
        }
    };
}

kinds! {
    InvalidJson = BAD_REQUEST, "invalid_json", "The body is not valid JSON",
        "The body is not valid JSON. The detail says where it breaks off. Nothing was done: correct the body, and send it again.";
    InvalidParameter = BAD_REQUEST, "invalid_parameter", "A parameter of the request is invalid",
        "A parameter of the path or the query, or a header, has a value that the operation does not take. `errors` names it. Nothing was done.";
    InvalidCursor = BAD_REQUEST, "invalid_cursor", "The cursor is not one of this list",
        "A cursor is good for the list and the filters that it came with. Begin the list again without a cursor, or send the filters of the first page.";
    Unauthorized = UNAUTHORIZED, "unauthorized", "The API key is missing or invalid",
        "The request has no API key, or one that is unknown, revoked or expired. Send it as `Authorization: Bearer vk_…`. `volley key list` shows the keys.";
    Forbidden = FORBIDDEN, "forbidden", "The API key does not permit this",
        "The key lacks the scope that the operation needs, or it is limited to other lanes or subaccounts. The detail says which. `volley key create` makes another key.";
    Incomplete = BAD_REQUEST, "incomplete", "The body ended before it was complete",
        "The connection ended before the whole body arrived. Nothing was done: send it again.";
    TooSlow = REQUEST_TIMEOUT, "too_slow", "The body was sent too slowly",
        "The body arrived too slowly, so the server gave up waiting. Nothing was done: send it again, over a better connection.";
    NotFound = NOT_FOUND, "not_found", "The object does not exist",
        "The object of the path does not exist, or the key may not see it. The detail names it.";
    NoPath = NOT_FOUND, "no_such_path", "The API has no such path",
        "The API has no operation at this path. See the reference under `/docs`.";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "The path does not have this method",
        "The path exists, but not with this method. The header `Allow` names those that it has.";
    Conflict = CONFLICT, "conflict", "The state of the object does not permit this",
        "The object is in a state in which this cannot be done, such as a campaign that is over. The detail says why. Nothing was done.";
    Restored = CONFLICT, "restored", "What a restored backup does not know needs a confirmation",
        "The database was restored from a backup, so it does not know what was sent since. Look at the detail, then send `confirm_restored` if the messages may go out.";
    NameTaken = CONFLICT, "name_taken", "The name is taken",
        "Another object has this name. Choose another one, or use the object that is there.";
    RequestInProgress = CONFLICT, "request_in_progress", "A request with this idempotency key is in progress",
        "A request with the same `Idempotency-Key` is still being carried out. Wait for `Retry-After` seconds, then send the same request again: it answers as the first one does.";
    RequestInterrupted = CONFLICT, "request_interrupted", "A request with this idempotency key was interrupted",
        "A request with the same `Idempotency-Key` was begun, and the server was stopped before it ended. Look whether its object exists; if not, send the request with a new key.";
    Changed = PRECONDITION_FAILED, "changed_meanwhile", "The object was changed meanwhile",
        "The object was changed after it was read: the header `If-Match` names an older version. Read it again, decide again, and send the new `ETag`.";
    TooLarge = PAYLOAD_TOO_LARGE, "too_large", "The body is too large",
        "The body is larger than the operation takes. The detail says how large it may be. Send less at once, or upload it as a file.";
    MediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The media type of the body is another one",
        "The header `Content-Type` is not the one that the operation takes. The detail names it.";
    Invalid = UNPROCESSABLE_ENTITY, "invalid", "The body has invalid values",
        "The body is JSON, but some of its values cannot be used. Each of `errors` points at a value and says what to write instead. Nothing was done.";
    KeyReused = UNPROCESSABLE_ENTITY, "idempotency_key_reused", "The idempotency key belongs to another request",
        "The `Idempotency-Key` was used for a request with another body. Send the same body again, or another key.";
    NoPrecondition = PRECONDITION_REQUIRED, "if_match_required", "The header If-Match is required",
        "The operation changes an object that somebody else may change too. Read the object, and send its `ETag` as `If-Match`, or `*` to change it in any case.";
    TooManyRequests = TOO_MANY_REQUESTS, "too_many_requests", "The caller sends too many requests",
        "The caller has used up its rate. Wait for `Retry-After` seconds. The headers `RateLimit` and `RateLimit-Policy` say what is left.";
    Failed = INTERNAL_SERVER_ERROR, "failed", "The server failed",
        "Something in the server went wrong, which the caller cannot mend. Its log has the cause, with the id that `instance` names. Send the request again later; with an `Idempotency-Key`, nothing is done twice.";
    Busy = SERVICE_UNAVAILABLE, "busy", "The server cannot do this now",
        "The server cannot do this now, because it is stopping, it cannot write its database, or too many long operations run. Nothing was done: wait for `Retry-After` seconds, then send it again.";
}

/// A problem with one field of the body, or with one parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(in crate::http::api) struct FieldProblem {
    /// JSON pointer to the value in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/step/0/fallback_after")]
    pub(in crate::http::api) pointer: Option<String>,
    /// Name of the parameter of the path or the query, or of the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http::api) parameter: Option<String>,
    #[schema(example = "step 1, fallback_after: must be at least 1s")]
    pub(in crate::http::api) detail: String,
}

/// Why an operation did not do what it was asked.
#[derive(Debug, Clone)]
pub(in crate::http::api) struct Problem {
    pub(in crate::http::api) kind: Kind,
    detail: String,
    errors: Vec<FieldProblem>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

pub(in crate::http::api) type Answer<T> = Result<T, Problem>;

impl Problem {
    /// A problem with the sentence that a command would print.
    #[expect(clippy::needless_pass_by_value, reason = "most callers pass `format_args!`")]
    pub(in crate::http::api) fn new(kind: Kind, detail: impl ToString) -> Self {
        Self { kind, detail: detail.to_string(), errors: Vec::new(), headers: Vec::new() }
    }

    /// A failure that the caller cannot correct. The cause goes into the log, and not to the caller.
    pub(in crate::http::api) fn failed(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %crate::base::domain::Causes(error), "a request of the API has failed");
        Self::new(Kind::Failed, error)
    }

    #[must_use]
    pub(in crate::http::api) fn with_errors(self, errors: Vec<FieldProblem>) -> Self {
        Self { errors, ..self }
    }

    /// A problem with the value at `pointer` of the body.
    #[must_use]
    pub(in crate::http::api) fn at(mut self, pointer: impl Into<String>) -> Self {
        let detail = self.detail.clone();
        self.errors.push(FieldProblem { pointer: Some(pointer.into()), parameter: None, detail });
        self
    }

    /// Shortens each pointer to the innermost value that the body has: the object that lacks a key, if the key is missing.
    #[must_use]
    pub(in crate::http::api) fn pointing_into(mut self, body: &Value) -> Self {
        for error in &mut self.errors {
            if let Some(pointer) = &mut error.pointer {
                while body.pointer(pointer).is_none() {
                    pointer.truncate(pointer.rfind('/').unwrap_or(0));
                }
            }
        }
        self
    }

    /// A problem with a parameter of the path, the query or a header.
    #[must_use]
    pub(in crate::http::api) fn of_parameter(mut self, name: &str) -> Self {
        let detail = self.detail.clone();
        self.errors.push(FieldProblem { pointer: None, parameter: Some(name.to_owned()), detail });
        self
    }

    /// The caller may repeat the request after this time.
    #[must_use]
    pub(in crate::http::api) fn retry_after(self, after: Span) -> Self {
        let seconds = after.millis().max(1).unsigned_abs().div_ceil(1_000);
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    #[must_use]
    pub(in crate::http::api) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// What is wrong, and what to do: the sentence that a command would print.
    pub(in crate::http::api) fn sentence(&self) -> &str {
        &self.detail
    }

    /// The answer to the request with this id.
    pub(super) fn render(&self, request_id: &str) -> Vec<u8> {
        let body = ProblemBody {
            r#type: self.kind.address(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            code: self.kind.code(),
            detail: &self.detail,
            instance: request_id,
            errors: &self.errors,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

/// A problem as its receiver reads it (RFC 9457).
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "/docs/problems/not_found",
    "title": "The object does not exist",
    "status": 404,
    "code": "not_found",
    "detail": "unknown campaign \"Promo\"; see `volley campaign list`",
    "instance": "req_01890a5d5c7d7a10b7c4d3a1f0e2b3c4"
}))]
pub(super) struct ProblemBody<'a> {
    /// Address of the page of the kind of problem, relative to the server.
    r#type: &'a str,
    /// The kind of problem in words.
    title: &'a str,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// Stable code of the kind of problem.
    code: &'a str,
    /// What is wrong, and what to do: the sentence that the command would print.
    detail: &'a str,
    /// Id of the request.
    instance: &'a str,
    /// The fields that are wrong, if the problem is about fields.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldProblem],
}

impl IntoResponse for Problem {
    /// The answer without its body, which the frame renders.
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        response.headers_mut().extend(self.headers.clone());
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_kind_has_its_own_code() {
        let codes: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), Kind::ALL.len());
        assert!(Kind::ALL.iter().all(|kind| kind.status().is_client_error() || kind.status().is_server_error()));
    }

    #[test]
    fn a_problem_has_the_members_of_rfc_9457() {
        let problem = Problem::new(Kind::Invalid, "name: is empty").at("/name");
        let body: Value = serde_json::from_slice(&problem.render("req_1")).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "/docs/problems/invalid",
                "title": "The body has invalid values",
                "status": 422,
                "code": "invalid",
                "detail": "name: is empty",
                "instance": "req_1",
                "errors": [{"pointer": "/name", "detail": "name: is empty"}],
            })
        );
    }

    #[test]
    fn a_pause_is_rounded_up_to_whole_seconds() {
        let after = |millis| {
            let problem = Problem::new(Kind::Busy, "later").retry_after(Span::from_millis(millis)).into_response();
            problem.headers()[header::RETRY_AFTER].to_str().unwrap().to_owned()
        };
        assert_eq!([after(0), after(1_000), after(1_001)], ["1", "1", "2"]);
    }
}
