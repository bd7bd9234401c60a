//! Answers and errors as the provider writes them.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::super::Shared;
use crate::accept::Refusal;
use crate::access::Denied;
use crate::domain::{Causes, Span};
use crate::wire::rules::{self, error_body, status_of};

const NOT_AUTHENTICATED: i64 = 1_200;
const FORBIDDEN: i64 = 1_201;
const INVALID_PARAMETER: i64 = 1_000;
const INTERNAL: i64 = 2_000;

/// An error on its way to the caller.
#[derive(Debug)]
pub(super) enum Failed {
    Denied(Denied),
    Refused(Refusal),
    /// The body is too long, or did not arrive.
    Body(StatusCode),
}

impl From<Denied> for Failed {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Failed {
    /// The HTTP status, the provider's code and its message.
    fn parts(&self) -> (StatusCode, i64, String) {
        let of_code = |code: i64| {
            let status = StatusCode::from_u16(status_of(code)).unwrap_or(StatusCode::BAD_REQUEST);
            (status, code, rules::words_of_answer(code).to_owned())
        };
        match self {
            Self::Denied(Denied::Scope(_)) => of_code(FORBIDDEN),
            Self::Denied(_) => of_code(NOT_AUTHENTICATED),
            Self::Refused(Refusal::Code(code)) => of_code(*code),
            Self::Refused(refusal @ Refusal::Unreadable(_)) => {
                (StatusCode::BAD_REQUEST, INVALID_PARAMETER, refusal.to_string())
            }
            Self::Refused(Refusal::Throttled(again)) => (StatusCode::TOO_MANY_REQUESTS, 429, quota_exceeded(*again)),
            Self::Refused(Refusal::Stopping) => {
                (StatusCode::SERVICE_UNAVAILABLE, INTERNAL, Refusal::Stopping.to_string())
            }
            Self::Refused(error) => {
                tracing::error!(error = %Causes(error), "a request of the 8x8 API failed");
                of_code(INTERNAL)
            }
            Self::Body(status) => (*status, INVALID_PARAMETER, rules::words_of_answer(INVALID_PARAMETER).to_owned()),
        }
    }

    pub(super) fn answer(&self, shared: &Shared) -> Response {
        let (status, code, message) = self.parts();
        let body = error_body(code, &message, random_id(shared), shared.clock.now());
        let mut response = json(status, &body);
        if let Self::Refused(Refusal::Throttled(again)) = self
            && let Ok(seconds) = HeaderValue::from_str(&seconds(*again).to_string())
        {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

fn seconds(again: Span) -> i64 {
    ((again.millis() + 999) / 1_000).max(1)
}

fn quota_exceeded(again: Span) -> String {
    format!("Quota exceeded. Please try again in {} second(s).", seconds(again))
}

fn random_id(shared: &Shared) -> uuid::Uuid {
    let bits = (u128::from(shared.chance.bits()) << 64) | u128::from(shared.chance.bits());
    uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
    // Plain structs and texts cannot fail to serialize.
    let body = serde_json::to_vec(body).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, JSON)], body).into_response()
}
