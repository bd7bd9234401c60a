//! The HTTP API. Thin: extract, call one room, answer.
//!
//! In: requests. Out: answers, and verified webhooks for the intake of the room `receipts`. The operations of Volley's own
//! API are in [`native`], with their document.
//! Promises: a webhook is answered with 200 once it is on disk, and with an error otherwise, so that the provider repeats
//! it; every path but the health checks requires a proof; bodies are bounded, and unverified ones share one bound.
//! May not: decide anything, or build SQL.

mod connections;
mod health;
mod native;
#[cfg(test)]
mod tests;
mod unproven;
mod webhook;

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use futures_util::future::try_join;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::clock::{Chance, Clock};
use crate::config::Config;
use crate::receipts::{Intake, Verifier};
use crate::store::Store;
use connections::{LimitedListener, Peer};
use native::Native;
use unproven::Budget;
use webhook::WEBHOOK_MAX;

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

/// What the operations of the API work with.
#[derive(Debug)]
pub struct ApiParts {
    pub config: Arc<Config>,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<Chance>,
    pub intake: Intake,
    pub verifier: Arc<Verifier>,
}

#[derive(Debug)]
struct Inner {
    parts: ApiParts,
    access: Access,
    unproven: Budget,
    native: Native,
}

/// The parts of the API as each operation holds them.
#[derive(Debug, Clone)]
struct Shared(Arc<Inner>);

impl Deref for Shared {
    type Target = ApiParts;

    fn deref(&self) -> &ApiParts {
        &self.0.parts
    }
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
pub async fn serve(listener: TcpListener, parts: ApiParts, stop: CancellationToken) -> Result<(), ServeError> {
    let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
    let clock = Arc::clone(&parts.clock);
    let access = Access::new(Arc::clone(&parts.store));
    let uses = access.uses();
    let unproven = Budget::new(Arc::clone(&clock));
    let native = Native::new(&parts);
    let routes = routes(Shared(Arc::new(Inner { parts, access, unproven, native })));
    let serving = async {
        axum::serve(
            LimitedListener::new(listener, Arc::clone(&clock)),
            routes.into_make_service_with_connect_info::<Peer>(),
        )
        .with_graceful_shutdown(stop.clone().cancelled_owned())
        .await
        .map_err(|source| ServeError::Failed { address, source })
    };
    // Ends only with `stop`, so a failure is answered first.
    let recording = async {
        uses.record_until(clock.as_ref(), &stop).await;
        Ok(())
    };
    try_join(serving, recording).await.map(drop)
}

fn routes(shared: Shared) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/webhooks/8x8", post(webhook::webhook).layer(DefaultBodyLimit::max(WEBHOOK_MAX)))
        .merge(native::routes(&shared))
        .with_state(shared)
}
