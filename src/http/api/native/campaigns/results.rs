//! The report and the events of a campaign, and its progress as a stream of events.

use std::convert::Infallible;

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::sse::{Event as StreamEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::parts::{found, launcher};
use crate::base::domain::text::hex;
use crate::base::domain::{BatchId, Span};
use crate::base::events::EventView;
use crate::campaigns::report::{Report, ReportView};
use crate::campaigns::status::{CampaignView, Watcher};
use crate::http::api::Shared;
use crate::http::api::native::events::{EventQuery, page};
use crate::http::api::native::extract::{Call, Path, Query};
use crate::http::api::native::page::Page;
use crate::http::api::native::problem::{Answer, Problem};
use crate::store::Cursor;

/// The time between two looks at a campaign that is watched.
const LOOK: Span = Span::from_secs(1);

/// Get the report of a campaign: recipients reached on each channel, and the outcomes of the others.
#[utoipa::path(get, path = "/campaigns/{campaign}/report", operation_id = "get_report", tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the campaign.")),
    responses((status = 200, description = "The report.", body = ReportView), (status = 404)))]
pub(in crate::http::api::native) async fn report(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    call: Call,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?;
    let report = Report::read(shared.store.as_ref(), &batch).await?;
    Ok(JsonAnswer(ReportView::new(&report, &batch)).into_response())
}

/// List the events of a campaign and its steps, latest first.
#[utoipa::path(get, path = "/campaigns/{campaign}/events", operation_id = "list_campaign_events", tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the campaign."), EventQuery),
    responses((status = 200, description = "The events of the page.", body = Page<EventView>), (status = 404)))]
pub(in crate::http::api::native) async fn events(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    Query(query): Query<EventQuery>,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?;
    let cursors = shared.cursors("campaign-events", &batch.id.0).await?;
    let before = query.cursor.map(|cursor| cursors.read::<Cursor>(&cursor)).transpose()?;
    let mut events = shared.store.events_before(Some(batch.id), before, query.limit.rows()).await?;
    let next = query.limit.cut(&mut events).map(|(last, _)| cursors.write(last)).transpose()?;
    Ok(page(&events, next).answer(&uri))
}

/// Watch a campaign: a stream of server-sent events, one for each change of its state.
///
/// Each event has the type `campaign`, and the campaign as data. Its id tells a repeated `Last-Event-ID` whether anything
/// has changed since. The stream ends once every message has its outcome.
#[utoipa::path(get, path = "/campaigns/{campaign}/watch", operation_id = "watch_campaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the campaign."),
        ("Last-Event-ID" = Option<String>, Header, description = "Id of the last event that arrived.")),
    responses((status = 200, description = "The campaign, at each change.", body = CampaignView,
        content_type = "text/event-stream"), (status = 404)))]
pub(in crate::http::api::native) async fn watch(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    call: Call,
    headers: HeaderMap,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?.id;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let watched = Watched { shared, call, batch, last, is_first: true, is_over: false };
    let changes = stream::unfold(watched, |mut watched| async move {
        let event = watched.next().await?;
        Some((Ok::<_, Infallible>(event), watched))
    });
    Ok(Sse::new(changes).keep_alive(KeepAlive::default()).into_response())
}

/// A campaign that a caller watches.
struct Watched {
    shared: Shared,
    call: Call,
    batch: BatchId,
    /// The id of the last event that the caller has.
    last: Option<String>,
    is_first: bool,
    is_over: bool,
}

impl Watched {
    /// The next change; `None` at the end.
    async fn next(&mut self) -> Option<StreamEvent> {
        while !self.is_over {
            if !std::mem::take(&mut self.is_first) {
                self.shared.clock.sleep(LOOK).await;
            }
            match self.look().await {
                Ok(Some(event)) => return Some(event),
                Ok(None) => {}
                // The campaign is gone, the key has ended, or the database fails: the caller connects again, and gets the
                // problem.
                Err(_) => return None,
            }
        }
        None
    }

    /// The campaign, if it has changed since the last event.
    async fn look(&mut self) -> Answer<Option<StreamEvent>> {
        self.shared.0.access.recheck(&self.call.caller, self.shared.clock.now()).await?;
        let launcher = launcher(&self.shared, &self.shared.config, &self.call);
        let mut watcher = Watcher::new(&launcher, self.batch).await?.without_forecast();
        let look = watcher.look().await?;
        self.is_over = look.is_over();
        let mut view = serde_json::to_value(CampaignView::new(&look)).map_err(|error| Problem::failed(&error))?;
        let data = view.to_string();
        // The time of the look and the present rate are no changes of the campaign.
        if let Value::Object(members) = &mut view {
            members.retain(|key, _| !["at", "rate", "lanes"].contains(&key.as_str()));
        }
        let digest = Sha256::digest(view.to_string());
        let id = hex(&digest[..8]);
        if self.last.as_ref() == Some(&id) {
            return Ok(None);
        }
        self.last = Some(id.clone());
        Ok(Some(StreamEvent::default().event("campaign").id(id).data(data)))
    }
}
