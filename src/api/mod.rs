//! What the server answers over HTTP. Thin: extract, call one room, answer.
//!
//! In: requests. Out: answers, and proven webhooks in the receipts room's intake.
//! Promises: a webhook is answered with 200 once it is on disk, and with something else when it is not, so that the
//! provider comes again; every address but the health checks wants its proof; bodies are bounded.
//! May not: decide anything, or build SQL.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use futures_util::FutureExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::receipts::{Door, Intake};
use crate::store::Store;
use crate::wire::SIGNATURE_HEADER;

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
    #[error("the server on {address} has failed")]
    Failed {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
}

#[derive(Debug, Clone)]
struct Shared {
    intake: Intake,
    door: Arc<Door>,
    store: Arc<dyn Store>,
}

/// Takes an address, or says what to do where that is not to be had.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| {
        let hint = match source.kind() {
            std::io::ErrorKind::AddrInUse => "the port is in use; stop what uses it, or set server.listen to another",
            std::io::ErrorKind::PermissionDenied => "this port needs more rights; use one above 1023",
            _ => "check server.listen",
        };
        ServeError::Listen { address, hint, source }
    })
}

/// Answers until `stop`, then finishes what it has begun.
pub async fn serve(
    listener: TcpListener,
    intake: Intake,
    door: Arc<Door>,
    store: Arc<dyn Store>,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
    let shared = Shared { intake, door, store };
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/webhooks/8x8", post(webhook).layer(DefaultBodyLimit::max(WEBHOOK_MAX)))
        .with_state(shared);
    axum::serve(listener, routes)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
        .map_err(|source| ServeError::Failed { address, source })
}

async fn ready(State(shared): State<Shared>) -> (StatusCode, String) {
    // What cannot be written can often still be read.
    if shared.store.ended().now_or_never().is_some() {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready: nothing can be written any more\n".to_owned());
    }
    match shared.store.seq().await {
        Ok(_) => (StatusCode::OK, "ready\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {error}\n")),
    }
}

async fn webhook(
    State(shared): State<Shared>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> (StatusCode, String) {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                shared.door.too_large();
            }
            return (rejection.status(), format!("{}\n", rejection.body_text()));
        }
    };
    let authorization = headers.get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes);
    let signature = headers.get(SIGNATURE_HEADER).map(|value| value.to_str().unwrap_or(""));
    if let Err(unproven) = shared.door.check(authorization, signature, &body).await {
        return (StatusCode::UNAUTHORIZED, format!("{unproven}\n"));
    }
    match shared.intake.take(&body).await {
        Ok(()) => (StatusCode::OK, String::new()),
        Err(failed) => (StatusCode::SERVICE_UNAVAILABLE, format!("{failed}\n")),
    }
}
