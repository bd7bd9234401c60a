//! The list of unfinished campaigns.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;

use super::path;
use crate::base::domain::{Scope, SketchId, Timestamp};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Query, cut};
use crate::http::api::web::admit::Session;
use crate::http::api::web::campaigns::{with_cursor, without_cursor};
use crate::http::api::web::frame::page;
use crate::http::pages::{Part, Place, Unfinished, UnfinishedPage, WritingPage};
use crate::store::Sketch;

/// Campaigns of a page.
const SHOWN: u32 = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::http::api::web) struct ListQuery {
    cursor: String,
}

pub(in crate::http::api::web) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<ListQuery>,
    session: Session,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let cursors = shared.cursors("sketch-pages", &()).await?;
    let before = cursors.position::<(i64, u64)>(&query.cursor)?;
    let before = before.map(|(at, id)| (Timestamp::from_millis(at), SketchId::new(id)));
    // One more tells whether another page follows.
    let mut found = shared.store.sketches(before, SHOWN + 1).await?;
    let next =
        cut(&mut found, SHOWN).map(|last| cursors.write(&(last.changed_at.millis(), last.id.get()))).transpose()?;
    page(&UnfinishedPage {
        frame: session.frame(Place::Below(Part::Campaigns)),
        rows: found.iter().map(unfinished).collect(),
        is_later: before.is_some(),
        first: without_cursor(&uri),
        next: next.map(|next| with_cursor(&uri, &next)),
    })
}

/// An unfinished campaign, in a list.
pub(in crate::http::api::web) fn unfinished(sketch: &Sketch) -> Unfinished {
    let keys: serde_json::Value = serde_json::from_str(&sketch.campaign).unwrap_or_default();
    Unfinished {
        name: keys["name"].as_str().or_else(|| keys["audience"][0].as_str()).unwrap_or_default().to_owned(),
        path: path(sketch.id, WritingPage::Recipients),
        changed_at: sketch.changed_at,
        changed_by: sketch.changed_by.clone(),
    }
}
