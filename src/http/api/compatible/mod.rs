//! The 8x8 API, at the provider's own paths: an existing client only changes its base URL and its key.
//!
//! Thin: who calls, which subaccount, the body; the room `accept` does the rest. Answers and errors are the provider's.

mod admit;
mod answers;
mod messages;
mod relays;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{delete, get, post};

use super::Shared;
use crate::base::domain::Scope;
use crate::rules::wire::ErrorAnswer;
use admit::Gate;
use answers::Failed;

/// The largest body: a batch of ten thousand messages with long texts.
const BODY_MAX: usize = 32 << 20;

pub(super) fn routes(shared: &Shared) -> Router<Shared> {
    let gate = |changes| from_fn_with_state(Gate { shared: shared.clone(), changes }, admit::admit);
    let of_subaccount = Router::new()
        .route("/messages", post(messages::send))
        .route("/messages/batch", post(messages::send_batch))
        .route("/messages/batch/{batch}", delete(messages::cancel_batch))
        .route("/messages/{umid}", get(messages::details))
        .route("/lon", post(messages::notify))
        .route("/lon/batch", post(messages::notify_batch))
        .route("/files", post(relays::upload))
        .route_layer(gate(Scope::Send));
    let of_account = Router::new()
        .route("/templates", get(relays::templates).post(relays::create_template))
        .route("/templates/{name}", delete(relays::remove_template))
        .route_layer(gate(Scope::Manage));
    let api = Router::new()
        .nest("/subaccounts/{sub_account}", of_subaccount)
        .nest("/accounts/{account}/channels/{channel}", of_account)
        .fallback(unknown_address)
        .method_not_allowed_fallback(unknown_address)
        // The body is read with its part of the budget.
        .layer(DefaultBodyLimit::disable());
    Router::new().nest("/api/v1", api).route("/files/{name}", get(relays::file))
}

async fn unknown_address(State(shared): State<Shared>) -> Response {
    Failed::from(ErrorAnswer::UnknownAddress).answer(&shared)
}
