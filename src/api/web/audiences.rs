//! The audiences: their columns, countries and rejected rows.

use axum::Router;

use crate::api::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
}
