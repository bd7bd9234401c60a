//! `/healthz` and `/readyz`, which need no key.

use axum::extract::State;
use axum::http::StatusCode;
use futures_util::FutureExt;

use super::Shared;

pub(super) async fn alive() -> &'static str {
    "ok\n"
}

pub(super) async fn ready(State(shared): State<Shared>) -> (StatusCode, String) {
    // A database that cannot be written can often still be read.
    if shared.store.ended().now_or_never().is_some() {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready: the database cannot be written any more\n".to_owned());
    }
    match shared.store.seq().await {
        Ok(_) => (StatusCode::OK, "ready\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {error}\n")),
    }
}
