//! The health of the server and its settings.

mod doctor;
mod settings;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::routing::{get, post};

use crate::http::api::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/doctor", get(doctor::show))
        .route("/doctor/ask", post(doctor::ask))
        .route("/settings", get(settings::show))
}
