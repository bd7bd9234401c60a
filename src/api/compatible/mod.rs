//! The 8x8 API, at the provider's own paths: an existing client only changes its base URL.
//!
//! Thin: who calls, which subaccount, the body; the room `accept` does the rest. Answers and errors are the provider's.

mod answers;
mod messages;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};

use super::Shared;

/// The largest request: a batch of ten thousand messages with long texts.
const BODY_MAX: usize = 32 << 20;

pub(super) fn routes() -> Router<Shared> {
    let of_subaccount = Router::new()
        .route("/messages", post(messages::send))
        .route("/messages/batch", post(messages::send_batch))
        .route("/messages/batch/{batch}", delete(messages::cancel_batch))
        .route("/messages/{umid}", get(messages::details).delete(messages::cancel))
        .route("/lon", post(messages::notify))
        .route("/lon/batch", post(messages::notify_batch))
        .layer(DefaultBodyLimit::max(BODY_MAX));
    Router::new().nest("/api/v1/subaccounts/{sub_account}", of_subaccount)
}
