//! The health of the server and its settings.

use axum::Router;

use crate::api::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
}
