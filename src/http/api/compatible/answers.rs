//! Answers and errors as the provider writes them.

use std::error::Error;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::domain::{Causes, Span};
use crate::http::accept::{Refusal, random_id};
use crate::http::access::Denied;
use crate::http::api::Shared;
use crate::http::api::once::{LATER, NotOnce};
use crate::http::api::rate::TooMany;
use crate::http::api::unproven::NotRead;
use crate::rules::wire::ErrorAnswer;

/// When to repeat a request that the server cannot carry out now.
const BUSY: Span = Span::from_secs(5);

/// An error on its way to the caller.
#[derive(Debug)]
pub(super) struct Failed {
    error: ErrorAnswer<'static>,
    status: StatusCode,
    retry_after: Option<Span>,
}

impl Failed {
    /// An error of ours. Its cause goes into the log, and not to the caller.
    fn of_server(cause: &(dyn Error + 'static)) -> Self {
        tracing::error!(error = %Causes(cause), "a request of the 8x8 API has failed");
        ErrorAnswer::Internal.into()
    }

    /// The server cannot carry the request out now. The caller may repeat it.
    fn busy() -> Self {
        Self { error: ErrorAnswer::Internal, status: StatusCode::SERVICE_UNAVAILABLE, retry_after: Some(BUSY) }
    }

    /// An error for which the provider has no status.
    fn of_status(status: StatusCode, sentence: String) -> Self {
        Self { status, ..ErrorAnswer::Invalid(sentence.into()).into() }
    }

    pub(super) fn answer(&self, shared: &Shared) -> Response {
        let mut response = json(self.status, &self.error.body(random_id(&shared.chance), shared.clock.now()));
        let seconds = self.retry_after.map(|again| ((again.millis() + 999) / 1_000).max(1));
        if let Some(seconds) = seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<ErrorAnswer<'static>> for Failed {
    fn from(error: ErrorAnswer<'static>) -> Self {
        let retry_after = error.retry_after().map(|seconds| Span::from_secs(seconds.into()));
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { error, status, retry_after }
    }
}

impl From<TooMany> for Failed {
    fn from(TooMany { wait, .. }: TooMany) -> Self {
        let seconds = u32::try_from(wait.millis().unsigned_abs().div_ceil(1_000).max(1)).unwrap_or(u32::MAX);
        ErrorAnswer::Throttled { seconds }.into()
    }
}

impl From<Denied> for Failed {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Scope(_) | Denied::Address { .. } | Denied::Limited { .. } => ErrorAnswer::Forbidden.into(),
            Denied::Unavailable { .. } => Self::busy(),
            _ => ErrorAnswer::Unauthenticated.into(),
        }
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Provider(error) => error.into(),
            Refusal::Denied(denied) => denied.into(),
            refusal if refusal.is_passing() => Self::busy(),
            Refusal::Unreachable(_) => {
                tracing::warn!(error = %refusal, "a request for the provider was not answered");
                Self { status: StatusCode::BAD_GATEWAY, ..Self::busy() }
            }
            refusal => Self::of_server(&refusal),
        }
    }
}

impl From<NotOnce> for Failed {
    fn from(error: NotOnce) -> Self {
        match &error {
            NotOnce::InvalidKey => Self::of_status(StatusCode::BAD_REQUEST, error.to_string()),
            NotOnce::Reused => Self::of_status(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
            NotOnce::InProgress => {
                Self { retry_after: Some(LATER), ..Self::of_status(StatusCode::CONFLICT, error.to_string()) }
            }
            NotOnce::Interrupted { .. } => Self::of_status(StatusCode::CONFLICT, error.to_string()),
            NotOnce::Store(store) if store.is_passing() => Self::busy(),
            NotOnce::Store(_) | NotOnce::Answer(_) | NotOnce::Panicked => Self::of_server(&error),
        }
    }
}

impl From<NotRead> for Failed {
    fn from(error: NotRead) -> Self {
        match error {
            NotRead::TooLong => {
                let sentence = format!("the body is longer than {} MiB", super::BODY_MAX >> 20);
                Self::of_status(StatusCode::PAYLOAD_TOO_LARGE, sentence)
            }
            NotRead::Busy => Self::busy(),
            NotRead::Broken => {
                Self::of_status(StatusCode::BAD_REQUEST, "the body ended before it was complete".to_owned())
            }
        }
    }
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
    // Plain structs and texts cannot fail to serialize.
    let body = serde_json::to_vec(body).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, JSON)], body).into_response()
}

/// The names in a path. One that cannot be read is part of no address.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Shared> for Path<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Response> {
        match axum::extract::Path::from_request_parts(parts, shared).await {
            Ok(axum::extract::Path(names)) => Ok(Self(names)),
            Err(_) => Err(Failed::from(ErrorAnswer::UnknownAddress).answer(shared)),
        }
    }
}
