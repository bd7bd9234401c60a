//! What campaigns are sent with: templates and prices; and when, on a calendar.

mod calendar;
mod prices;
mod templates;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::routing::{get, post};

use crate::http::api::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/templates", get(templates::list).post(templates::fetch))
        .route("/templates/{template}", get(templates::show))
        .route("/templates/{template}/campaign", post(templates::begin_campaign))
        .route("/templates/{template}/hold", post(templates::hold))
        .route("/templates/{template}/resume", post(templates::resume))
        .route("/prices", get(prices::show))
        .route("/calendar", get(calendar::show))
}
