//! What the server answers over HTTP. Thin: extract, call one room, answer.
//!
//! In: requests. Out: answers, and proven webhooks in the receipts room's intake.
//! Promises: a webhook is answered with 200 once it is on disk, and with something else when it is not, so that the
//! provider comes again; every address but the health checks wants its proof; bodies are bounded, and those that nothing
//! has proven yet are bounded together.
//! May not: decide anything, or build SQL.

mod guard;
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
use crate::receipts::{Door, FromHeaders, Intake};
use crate::store::Store;
use crate::wire::SIGNATURE_HEADER;
use guard::Guarded;
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
    #[error("the server on {address} has failed")]
    Failed {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
}

#[derive(Debug)]
struct Shared {
    intake: Intake,
    door: Arc<Door>,
    store: Arc<dyn Store>,
    unproven: Budget,
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
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
    let unproven = Budget::new(Arc::clone(&clock));
    let shared = Arc::new(Shared { intake, door, store, unproven });
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/webhooks/8x8", post(webhook).layer(DefaultBodyLimit::max(WEBHOOK_MAX)))
        .with_state(shared);
    axum::serve(Guarded::new(listener, clock), routes)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
        .map_err(|source| ServeError::Failed { address, source })
}

async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, String) {
    // What cannot be written can often still be read.
    if shared.store.ended().now_or_never().is_some() {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready: nothing can be written any more\n".to_owned());
    }
    match shared.store.seq().await {
        Ok(_) => (StatusCode::OK, "ready\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {error}\n")),
    }
}

/// How long a body says that it is.
fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok())
}

async fn webhook(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let declared = declared(request.headers());
    // A body that declares too great a length is refused before it comes.
    if declared.is_some_and(|length| length > WEBHOOK_MAX as u64) {
        return too_large(&shared.door);
    }
    let declared = declared.and_then(|length| usize::try_from(length).ok());
    // The whole of the headers is worth no copy.
    let authorization = request.headers().get(header::AUTHORIZATION).cloned();
    let signature = request.headers().get(SIGNATURE_HEADER).cloned();
    let authorization = authorization.as_ref().map(HeaderValue::as_bytes);
    let signature = signature.as_ref().map(|value| value.to_str().unwrap_or(""));
    let held = match shared.door.told_by_headers(authorization, signature) {
        FromHeaders::Proven => match Bytes::from_request(request, &()).await {
            Ok(body) => Ok(Held::without_part(body)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(NotRead::TooLong),
            Err(rejection) => return rejection.into_response(),
        },
        FromHeaders::ByBody => shared.unproven.read(request.into_body(), declared, WEBHOOK_MAX).await,
        // Read only to find out whether the provider sends another proof than the agreed one; a longer one is left unread.
        FromHeaders::Unproven => match shared.unproven.read(request.into_body(), declared, Door::LOOKED_INTO).await {
            Err(NotRead::TooLong) => Ok(Held::without_part(Bytes::new())),
            read => read,
        },
    };
    let held = match held {
        Ok(held) => held,
        Err(NotRead::TooLong) => return too_large(&shared.door),
        Err(NotRead::Busy) => {
            let why = "too many webhooks without the agreed Authorization at once; come again\n";
            return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
        }
        Err(NotRead::Broken) => return StatusCode::BAD_REQUEST.into_response(),
    };
    if let Err(unproven) = shared.door.check(authorization, signature, &held.body).await {
        return (StatusCode::UNAUTHORIZED, format!("{unproven}\n")).into_response();
    }
    match shared.intake.take(held.into_body()).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(failed) => (StatusCode::SERVICE_UNAVAILABLE, format!("{failed}\n")).into_response(),
    }
}

fn too_large(door: &Door) -> Response {
    door.too_large();
    (StatusCode::PAYLOAD_TOO_LARGE, format!("a webhook may have {} MiB and no more\n", WEBHOOK_MAX >> 20))
        .into_response()
}
