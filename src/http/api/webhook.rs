//! `POST /webhooks/8x8`: receipts, inbound messages and account events of the provider.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::unproven::{Held, NotRead};
use crate::rules::wire::SIGNATURE_HEADER;
use crate::sending::receipts::{FromHeaders, Verifier};

/// The largest webhook: an array of some ten thousand events.
pub(super) const WEBHOOK_MAX: usize = 8 << 20;

/// The declared length of the body.
fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok())
}

pub(super) async fn webhook(State(shared): State<Shared>, request: Request) -> Response {
    let declared = declared(request.headers());
    // A body with too long a declared length is refused before it is read.
    if declared.is_some_and(|length| length > WEBHOOK_MAX as u64) {
        return too_large(&shared.verifier);
    }
    let declared = declared.and_then(|length| usize::try_from(length).ok());
    // Only these two headers are copied.
    let authorization = request.headers().get(header::AUTHORIZATION).cloned();
    let signature = request.headers().get(SIGNATURE_HEADER).cloned();
    let authorization = authorization.as_ref().map(HeaderValue::as_bytes);
    let signature = signature.as_ref().map(|value| value.to_str().unwrap_or(""));
    let held = match shared.verifier.check_headers(authorization, signature) {
        FromHeaders::Proven => match Bytes::from_request(request, &()).await {
            Ok(body) => Ok(Held::without_part(body)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(NotRead::TooLong),
            Err(rejection) => return rejection.into_response(),
        },
        FromHeaders::ByBody => shared.0.unproven.read(request.into_body(), declared, WEBHOOK_MAX).await,
        // Read only to search for receipts of ours, which would mean a wrong secret; a longer body is not read.
        FromHeaders::Unproven => {
            match shared.0.unproven.read(request.into_body(), declared, Verifier::SEARCHED_MAX).await {
                Err(NotRead::TooLong) => Ok(Held::without_part(Bytes::new())),
                read => read,
            }
        }
    };
    let held = match held {
        Ok(held) => held,
        Err(NotRead::TooLong) => return too_large(&shared.verifier),
        Err(NotRead::Busy) => {
            let why = "too many webhooks without the registered Authorization at once; retry\n";
            return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
        }
        Err(NotRead::Broken) => return StatusCode::BAD_REQUEST.into_response(),
    };
    if let Err(unproven) = shared.verifier.check(authorization, signature, &held.body).await {
        return (StatusCode::UNAUTHORIZED, format!("{unproven}\n")).into_response();
    }
    match shared.intake.take(held.into_body()).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(failed) => (StatusCode::SERVICE_UNAVAILABLE, format!("{failed}\n")).into_response(),
    }
}

fn too_large(verifier: &Verifier) -> Response {
    verifier.count_too_large();
    (StatusCode::PAYLOAD_TOO_LARGE, format!("the webhook is longer than {} MiB\n", WEBHOOK_MAX >> 20)).into_response()
}
