//! `/simulator/events/{type}`: the account's events, made from a few words.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::Response;

use super::Shared;
use super::control::{post_by_hand, refused};
use crate::practice::simulator::model::AccountEvent;

/// Makes an event, lets the provider obey it, and posts it.
pub(super) async fn make(State(shared): State<Arc<Shared>>, Path(kind): Path<String>, body: Bytes) -> Response<Body> {
    match AccountEvent::read(&kind, &body) {
        None => refused(&format_args!("unknown type of event {kind:?}; use one of {}", AccountEvent::TYPES.join(", "))),
        Some(Err(error)) => refused(&error),
        Some(Ok(event)) => {
            let now = shared.now();
            let webhooks = shared.model().make_event(event, now);
            post_by_hand(&shared, webhooks)
        }
    }
}
