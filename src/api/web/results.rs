//! Reports as files and by links for others, and sending again.

use axum::Router;

use crate::api::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
}
