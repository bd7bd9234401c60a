//! The HTTP API. Thin: extract, call one room, answer.
//!
//! In: requests. Out: answers, and verified webhooks for the intake of the room `receipts`.
//! Promises: a webhook is answered with 200 once it is on disk, and with an error otherwise, so that the provider repeats
//! it; every path but the health checks requires a proof; bodies are bounded, and unverified ones share one bound.
//! May not: decide anything, or build SQL.

mod connections;
mod unproven;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::FutureExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::receipts::{FromHeaders, Intake, Verifier};
use crate::store::Store;
use crate::wire::SIGNATURE_HEADER;
use connections::LimitedListener;
use unproven::{Budget, Held, NotRead};

/// The largest webhook: an array of some ten thousand events.
const WEBHOOK_MAX: usize = 8 << 20;

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {address}: {hint}")]
    Listen {
        address: SocketAddr,
        hint: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("the HTTP server on {address} has failed")]
    Failed {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
}

#[derive(Debug)]
struct Shared {
    intake: Intake,
    verifier: Arc<Verifier>,
    store: Arc<dyn Store>,
    unproven: Budget,
}

/// Binds an address. An error says what to do.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| {
        let hint = match source.kind() {
            std::io::ErrorKind::AddrInUse => {
                "the port is in use; stop its process, or set server.listen to another port"
            }
            std::io::ErrorKind::PermissionDenied => "this port needs more privileges; use one above 1023",
            _ => "check server.listen",
        };
        ServeError::Listen { address, hint, source }
    })
}

/// Serves until `stop`, then finishes the requests in progress.
pub async fn serve(
    listener: TcpListener,
    intake: Intake,
    verifier: Arc<Verifier>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
    let unproven = Budget::new(Arc::clone(&clock));
    let shared = Arc::new(Shared { intake, verifier, store, unproven });
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/webhooks/8x8", post(webhook).layer(DefaultBodyLimit::max(WEBHOOK_MAX)))
        .with_state(shared);
    axum::serve(LimitedListener::new(listener, clock), routes)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
        .map_err(|source| ServeError::Failed { address, source })
}

async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, String) {
    // A database that cannot be written can often still be read.
    if shared.store.ended().now_or_never().is_some() {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready: the database cannot be written any more\n".to_owned());
    }
    match shared.store.seq().await {
        Ok(_) => (StatusCode::OK, "ready\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {error}\n")),
    }
}

/// The declared length of the body.
fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok())
}

async fn webhook(State(shared): State<Arc<Shared>>, request: Request) -> Response {
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
        FromHeaders::ByBody => shared.unproven.read(request.into_body(), declared, WEBHOOK_MAX).await,
        // Read only to search for receipts of ours, which would mean a wrong secret; a longer body is not read.
        FromHeaders::Unproven => {
            match shared.unproven.read(request.into_body(), declared, Verifier::SEARCHED_MAX).await {
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
