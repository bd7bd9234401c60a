//! `/events`: what servers, operators and the provider did.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;

use super::extract::Query;
use super::page::{Limit, Page};
use super::problem::Answer;
use crate::base::events::{Event, EventView};
use crate::http::api::Shared;
use crate::store::Cursor;

/// A page of events.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventQuery {
    /// Number of events of a page.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    pub(super) limit: Limit,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "super::page::cursor")]
    pub(super) cursor: Option<String>,
}

/// List events, latest first.
#[utoipa::path(get, path = "/events", operation_id = "list_events", tag = "events", params(EventQuery),
    responses((status = 200, description = "The events of the page.", body = Page<EventView>)))]
pub(super) async fn list(State(shared): State<Shared>, Query(query): Query<EventQuery>, uri: Uri) -> Answer<Response> {
    let cursors = shared.cursors("events", &()).await?;
    let before = query.cursor.map(|cursor| cursors.read::<Cursor>(&cursor)).transpose()?;
    let mut events = shared.store.events_before(None, before, query.limit.rows()).await?;
    let next = query.limit.cut(&mut events).map(|(last, _)| cursors.write(last)).transpose()?;
    Ok(page(&events, next).answer(&uri))
}

/// The views of events.
pub(super) fn page(events: &[(Cursor, Event)], next: Option<String>) -> Page<EventView<'_>> {
    Page { items: events.iter().map(|(_, event)| EventView::new(event)).collect(), next }
}
