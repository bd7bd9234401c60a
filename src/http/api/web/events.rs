//! What happened: everywhere, or in one campaign.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;

use super::admit::Session;
use super::campaigns::with_cursor;
use super::frame::page;
use crate::base::domain::BatchId;
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Path, Query, cut, found};
use crate::http::pages::{EventsPage, Part, Place, campaign_path};
use crate::store::Cursor;

/// Events of a page.
const SHOWN: u32 = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EventsQuery {
    cursor: String,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<EventsQuery>,
    session: Session,
    uri: Uri,
) -> Answer<Response> {
    shown(&shared, None, query, &session, &uri).await
}

pub(super) async fn of_campaign(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    Query(query): Query<EventsQuery>,
    session: Session,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?;
    let named = (batch.display_name(), campaign_path(&batch.public_id().to_string()));
    shown(&shared, Some((batch.id, named)), query, &session, &uri).await
}

async fn shown(
    shared: &Shared,
    of: Option<(BatchId, (String, String))>,
    query: EventsQuery,
    session: &Session,
    uri: &Uri,
) -> Answer<Response> {
    let id = of.as_ref().map(|(id, _)| *id);
    let cursors = shared.cursors("event-pages", &id.map(|id| id.0)).await?;
    let before = cursors.position::<Cursor>(&query.cursor)?;
    let mut events = shared.store.events_before(id, before, SHOWN + 1).await?;
    let next = cut(&mut events, SHOWN).map(|(last, _)| cursors.write(last)).transpose()?;
    page(&EventsPage {
        frame: session.frame(if of.is_some() { Place::Below(Part::Campaigns) } else { Place::Events }),
        campaign: of.map(|(_, named)| named),
        events: events.iter().map(|(_, event)| event).collect(),
        is_later: before.is_some(),
        next: next.map(|next| with_cursor(uri, &next)),
        path: uri.path().to_owned(),
    })
}
