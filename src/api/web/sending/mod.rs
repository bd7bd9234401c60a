//! What campaigns are sent with: templates and prices; and when, on a calendar.

use axum::Router;

use crate::api::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
}
