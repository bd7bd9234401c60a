//! The list of campaigns, and the page of one.

use axum::extract::State;
use axum::http::Uri;
use axum::response::{Redirect, Response};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::admit::Session;
use super::frame::page;
use super::home::rows;
use super::writing::{review_path, unfinished};
use crate::base::domain::{BatchId, BatchState, Scope, SketchId};
use crate::base::events::Event;
use crate::campaigns::report::CoursePoint;
use crate::campaigns::status::{Listed, Look, Watcher};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Path, Query, found, launcher};
use crate::http::pages::{
    CampaignPage, CampaignsPage, CoursePart, Done, Frame, LivePart, Part, Place, campaign_path, texts,
};
use crate::store::{Batch, BatchFilter};

/// Campaigns of a page.
const SHOWN: u32 = 50;
/// Unfinished campaigns, in the list: the latest.
const UNFINISHED_SHOWN: u32 = 5;
/// Campaigns that send one again, on its page: the latest.
const REPETITIONS_SHOWN: u32 = 10;
/// Events on the page of a campaign.
pub(super) const EVENTS_SHOWN: u32 = 8;

/// Which campaigns are listed. An empty field of the form is none.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct CampaignsQuery {
    name: String,
    #[serde(deserialize_with = "super::form::known")]
    state: Option<BatchState>,
    tests: bool,
    #[serde(skip_serializing)]
    cursor: String,
    /// `deleted` after the deletion of a draft.
    #[serde(skip_serializing)]
    done: String,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<CampaignsQuery>,
    session: Session,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    let name = Some(query.name.trim().to_owned()).filter(|name| !name.is_empty());
    let cursors = shared.cursors("campaign-pages", &query).await?;
    let before = cursors.position::<u32>(&query.cursor)?.map(BatchId);
    let filter = BatchFilter {
        states: query.state.map(|state| vec![state]),
        name: name.clone(),
        is_campaign: Some(true),
        tests: query.tests,
    };
    let found = shared.store.batch_page(filter, before, SHOWN).await?;
    let next = found.next.map(|next| cursors.write(&next.0)).transpose()?;
    let listed = Listed::of(&launcher(&shared, &shared.config, &call), found.batches).await?;
    let is_first = before.is_none() && name.is_none() && query.state.is_none();
    let mut sketches = if is_first && call.caller.check(Scope::Manage).is_ok() {
        shared.store.sketches(None, UNFINISHED_SHOWN + 1).await?
    } else {
        Vec::new()
    };
    let more_unfinished = sketches.len() > UNFINISHED_SHOWN as usize;
    sketches.truncate(UNFINISHED_SHOWN as usize);
    let mut frame = session.frame(Place::Campaigns);
    frame.notice = (query.done == "deleted").then(|| frame.texts().results.draft_deleted.to_owned());
    page(&CampaignsPage {
        frame,
        unfinished: sketches.iter().map(unfinished).collect(),
        more_unfinished,
        rows: rows(&listed),
        name,
        state: query.state,
        tests: query.tests,
        is_later: before.is_some(),
        first: without_cursor(&uri),
        next: next.map(|next| with_cursor(&uri, &next)),
    })
}

/// The address of the next page: the same filters, and the cursor.
pub(super) fn with_cursor(uri: &Uri, cursor: &str) -> String {
    format!("{}?{}", uri.path(), filters(uri).append_pair("cursor", cursor).finish())
}

/// The address of the first page with the same filters.
pub(super) fn without_cursor(uri: &Uri) -> String {
    format!("{}?{}", uri.path(), filters(uri).finish())
}

/// The query of an address without the place in the list.
pub(super) fn filters(uri: &Uri) -> form_urlencoded::Serializer<'static, String> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    query.extend_pairs(pairs.filter(|(name, _)| name != "cursor" && name != "done"));
    query
}

/// What was just done, for a sentence on the page, and where the operator came from.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ShowQuery {
    #[serde(deserialize_with = "super::form::known")]
    pub(super) done: Option<Done>,
    /// The unfinished campaign whose test is shown.
    sketch: String,
}

/// What a campaign's page says besides the campaign.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// What was just done, or why it was not.
    pub(super) notice: Option<String>,
    pub(super) problem: Option<String>,
    /// The unfinished campaign whose test is shown.
    pub(super) sketch: Option<SketchId>,
}

pub(super) async fn show(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    Query(query): Query<ShowQuery>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?;
    let notice = query.done.map(|done| texts().done(done).to_owned());
    shown(&shared, &session, &call, &batch, Said { notice, sketch: query.sketch.parse().ok(), problem: None }).await
}

pub(super) async fn shown(
    shared: &Shared,
    session: &Session,
    call: &Call,
    batch: &Batch,
    Said { notice, problem, sketch }: Said,
) -> Answer<Response> {
    let launcher = launcher(shared, &shared.config, call);
    let look = Watcher::new(&launcher, batch.id).await?.look().await?;
    let events = latest_events(shared, batch).await?;
    let frame = Frame { notice, ..session.frame(Place::Below(Part::Campaigns)) };
    let (points, path) = (course(shared, &look).await?, campaign_path(&look.show.id));
    let charts = CoursePart { path: &path, points: &points, zone: frame.zone, is_sending: look.is_sending() };
    let live = LivePart { look: &look, events: &events, zone: frame.zone, course: Some(charts) };
    let repetitions = shared.store.repetitions(batch.id, REPETITIONS_SHOWN).await?;
    page(&CampaignPage {
        frame,
        problem,
        edition: batch.edition,
        back: sketch.map(review_path),
        live,
        origin: repetitions.origin.as_ref().map(named),
        repetitions: repetitions.later.iter().map(named).collect(),
    })
}

/// Leads to the page of a campaign, which says what was done.
pub(super) fn to_campaign(id: &str, done: Done) -> Redirect {
    Redirect::to(&format!("{}?done={}", campaign_path(id), done.as_str()))
}

/// Leads to the plan of a campaign, for it is changed and something of it is doubtful.
pub(super) fn to_plan(id: &str) -> Redirect {
    Redirect::to(&format!("{}/plan?done={}", campaign_path(id), Done::Changed.as_str()))
}

/// The name of a campaign, and the address of its page.
fn named(batch: &Batch) -> (String, String) {
    (batch.display_name(), campaign_path(&batch.public_id().to_string()))
}

/// The line through the figures that were noted of a campaign.
pub(super) async fn course(shared: &Shared, look: &Look) -> Answer<Vec<CoursePoint>> {
    Ok(look.course(&shared.store.figures(look.batch.id).await?))
}

/// The figures that were noted of a campaign, all of them, as a file.
pub(super) async fn course_csv(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    _session: Session,
    call: Call,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?;
    let t = texts();
    let columns = [t.on_progress.time, t.submitted, t.reached, t.ended_otherwise, t.open, t.fell_back];
    let noted = shared.store.figures(batch.id).await?;
    let numbers = |noted: &CoursePoint| {
        let figures = [noted.submitted, noted.reached, noted.ended, noted.open, noted.fell_back];
        std::iter::once(noted.at.rfc3339()).chain(figures.map(|number| number.to_string())).collect()
    };
    let rows: Vec<Vec<String>> =
        std::iter::once(columns.map(str::to_owned).to_vec()).chain(noted.iter().map(numbers)).collect();
    super::download::csv(Some(&batch.display_name()), "over-time.csv", &rows)
}

pub(super) async fn latest_events(shared: &Shared, batch: &Batch) -> Answer<Vec<Event>> {
    let events = shared.store.events_before(Some(batch.id), None, EVENTS_SHOWN).await?;
    Ok(events.into_iter().map(|(_, event)| event).collect())
}

#[cfg(test)]
mod tests;
