//! A recipient, the opt-outs and the replies.

use axum::Router;

use crate::api::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
}
