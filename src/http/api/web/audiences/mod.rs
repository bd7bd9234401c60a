//! The audiences: their columns, countries and rejected rows, and what is done with them.

mod corrections;
mod rejected;
#[cfg(test)]
mod tests;
mod upload;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{Redirect, Response};
use axum::routing::{get, post};
use futures_util::stream;
use serde::{Deserialize, Serialize};

use super::admit::Session;
use super::campaigns::{with_cursor, without_cursor};
use super::download;
use super::form::Form;
use super::frame::page;
use super::writing;
use crate::base::domain::{AudienceId, Scope};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Kind, Path, Problem, Query, cut};
use crate::http::pages::{
    AudienceContents, AudiencePage, AudienceRow, AudiencesPage, CampaignUse, DeleteAudiencePage, FileFields, Frame,
    Part, Place, audience_path, campaign_path, countries, texts,
};
use crate::recipients::audience::{AudienceRows, ImportNote, ImportRecord, Rejection, whole_summary};
use crate::store::{Audience, AudiencePart};
pub(in crate::http::api) use corrections::Corrections;
pub(super) use upload::{
    HowRead, begin, broken, country_of, country_question, foreign, form_with_file, import_in_progress, import_of,
    no_file, receive, received, short,
};

/// Audiences of a page.
const SHOWN: u32 = 50;
/// Campaigns on the page of an audience.
const CAMPAIGNS_SHOWN: u32 = 10;
/// Files of an audience on its page.
const FILES_SHOWN: usize = 50;
/// Unfinished campaigns that are looked at before an audience is deleted.
const SKETCHES_LOOKED_AT: u32 = 200;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/audiences", get(list))
        .route("/audiences/{audience}", get(show))
        .route("/audiences/{audience}/recipients.csv", get(recipients))
        .route("/audiences/{audience}/rejected", get(rejected::show))
        .route("/audiences/{audience}/rejected/csv", get(rejected::csv))
        .route("/audiences/{audience}/mend", post(rejected::mend))
        .route("/audiences/{audience}/campaign", post(begin_campaign))
        .route("/audiences/{audience}/delete", get(ask_delete).post(delete))
        .route("/uploads/import", post(upload::import))
        .route("/uploads/{upload}", get(upload::importing))
}

/// The routes of forms with a file, which is read as it arrives.
pub(super) fn upload_routes() -> Router<Shared> {
    Router::new().route("/uploads", post(upload::upload))
}

/// What a list of audiences was searched by, and where its page begins.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct AudiencesQuery {
    name: String,
    #[serde(deserialize_with = "super::form::known")]
    done: Option<Done>,
    #[serde(skip_serializing)]
    cursor: String,
}

/// What was just done, for a sentence on the page.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Done {
    Imported,
    Deleted,
    Unchanged,
}

impl Done {
    fn notice(self) -> String {
        let own = texts().audiences;
        match self {
            Self::Imported => own.imported_notice,
            Self::Deleted => own.deleted_notice,
            Self::Unchanged => own.nothing_to_mend,
        }
        .to_owned()
    }
}

/// A page of audiences, latest first.
pub(super) struct Found {
    pub(super) rows: Vec<AudienceRow>,
    pub(super) name: Option<String>,
    pub(super) is_later: bool,
    pub(super) first: String,
    pub(super) next: Option<String>,
}

/// Finds the audiences of a page, for the list and for the choice in a campaign.
pub(super) async fn find(shared: &Shared, query: &AudiencesQuery, most: u32, uri: &Uri) -> Answer<Found> {
    let name = Some(query.name.trim().to_owned()).filter(|name| !name.is_empty());
    let cursors = shared.cursors("audience-pages", &name).await?;
    let before = cursors.position::<u32>(&query.cursor)?.map(AudienceId);
    let mut audiences = shared.store.latest_audiences(name.clone(), before, most + 1).await?;
    let next = cut(&mut audiences, most).map(|last| cursors.write(&last.id().0)).transpose()?;
    Ok(Found {
        rows: audiences.iter().map(row).collect(),
        name,
        is_later: before.is_some(),
        first: without_cursor(uri),
        next: next.map(|next| with_cursor(uri, &next)),
    })
}

fn row(audience: &Audience) -> AudienceRow {
    let (summary, last) = (whole_summary(audience), audience.parts.last());
    AudienceRow {
        name: audience.name.clone(),
        file: last.map_or_else(String::new, |part| part.source.clone()),
        files: audience.parts.len(),
        recipients: audience.recipients(),
        countries: countries(summary.as_ref()),
        rejected: summary.map(|summary| summary.reasons.values().sum()),
        at: last.map_or(crate::base::domain::Timestamp::from_millis(0), |part| part.begun_at),
        by: last.and_then(imported_by),
    }
}

fn imported_by(part: &AudiencePart) -> Option<String> {
    ImportRecord::of(part).unwrap_or_default().by
}

async fn list(
    State(shared): State<Shared>,
    Query(query): Query<AudiencesQuery>,
    session: Session,
    uri: Uri,
) -> Answer<Response> {
    let Found { rows, name, is_later, first, next } = find(&shared, &query, SHOWN, &uri).await?;
    let frame = framed(&session, Place::Audiences, query.done);
    page(&AudiencesPage { frame, rows, name, is_later, first, next, file: FileFields::new("", "") })
}

fn framed(session: &Session, place: Place, done: Option<Done>) -> Frame {
    let mut frame = session.frame(place);
    frame.notice = done.map(Done::notice);
    frame
}

/// Finds an audience by its name.
async fn named(shared: &Shared, name: &str) -> Answer<Audience> {
    let unknown =
        || Problem::new(Kind::NotFound, format_args!("unknown audience \"{name}\"; see the list of audiences"));
    shared.store.audience_named(name).await?.ok_or_else(unknown)
}

/// What a page shows of an audience.
pub(super) fn contents(audience: &Audience, sketch: Option<String>) -> AudienceContents {
    AudienceContents {
        name: audience.name.clone(),
        recipients: audience.recipients(),
        summary: whole_summary(audience),
        rejection: Rejection::of(audience),
        notes: notes(audience),
        sketch,
    }
}

/// Notes on files of a page.
const NOTES_SHOWN: usize = 30;

/// The notes on the files of an audience, latest first, each with its file if there are several.
fn notes(audience: &Audience) -> Vec<(Option<String>, ImportNote)> {
    let of_part = |part: &AudiencePart| {
        let file = (audience.parts.len() > 1).then(|| part.source.clone());
        // A page that only shows it goes on without a record that cannot be read.
        let notes = ImportRecord::of(part).unwrap_or_default().summary.unwrap_or_default().notes;
        notes.into_iter().map(move |note| (file.clone(), note))
    };
    audience.parts.iter().rev().flat_map(of_part).take(NOTES_SHOWN).collect()
}

/// The latest campaigns that use an audience, and whether there are more. A campaign that uses it uses its first file.
async fn campaigns_of(shared: &Shared, audience: &Audience) -> Answer<(Vec<CampaignUse>, bool)> {
    let found = shared.store.batches_of_audience(audience.id(), None, CAMPAIGNS_SHOWN + 1).await?;
    let of = |(batch, _): &(crate::store::Batch, u32)| CampaignUse {
        name: batch.display_name(),
        path: campaign_path(&batch.public_id().to_string()),
        state: batch.state,
        created_at: batch.created_at,
    };
    let most = CAMPAIGNS_SHOWN as usize;
    Ok((found.iter().take(most).map(of).collect(), found.len() > most))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DoneQuery {
    #[serde(deserialize_with = "super::form::known")]
    done: Option<Done>,
}

/// All recipients, as a file that can be imported again.
async fn recipients(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<Response> {
    let audience = named(&shared, &name).await?;
    let (header, store) = (AudienceRows::header(&audience), Arc::clone(&shared.store));
    let pages = stream::try_unfold((AudienceRows::of(&audience), store), |(mut rows, store)| async move {
        Ok(rows.next(store.as_ref()).await?.map(|page| (page, (rows, store))))
    });
    download::table(&shared, Some(&name), "recipients.csv", header, pages)
}

async fn show(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<DoneQuery>,
    session: Session,
) -> Answer<Response> {
    let audience = named(&shared, &name).await?;
    let (campaigns, has_older_campaigns) = campaigns_of(&shared, &audience).await?;
    let file = |part: &AudiencePart| (part.source.clone(), part.recipients, part.begun_at, imported_by(part));
    page(&AudiencePage {
        frame: framed(&session, Place::Below(Part::Audiences), query.done),
        contents: contents(&audience, None),
        files: audience.parts.iter().rev().take(FILES_SHOWN).map(file).collect(),
        campaigns,
        has_older_campaigns,
    })
}

/// Begins to write a campaign with this audience.
async fn begin_campaign(State(shared): State<Shared>, Path(name): Path<String>, call: Call) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let audience = named(&shared, &name).await?;
    writing::begin_with(&shared, &call, &audience.name).await
}

/// Asks before an audience is deleted, which cannot be undone, and says what it does.
async fn ask_delete(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let audience = named(&shared, &name).await?;
    let (campaigns, _) = campaigns_of(&shared, &audience).await?;
    let sketches = shared.store.sketches(None, SKETCHES_LOOKED_AT).await?;
    page(&DeleteAudiencePage {
        frame: session.frame(Place::Below(Part::Audiences)),
        recipients: audience.recipients(),
        campaigns,
        sketches: writing::with_audience(&sketches, &audience.name),
        name: audience.name,
    })
}

async fn delete(State(shared): State<Shared>, Path(name): Path<String>, call: Call, _: Form) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let audience = named(&shared, &name).await?;
    shared.store.remove_audience(audience.id()).await?;
    Ok(Redirect::to("/audiences?done=deleted"))
}

/// The address of an audience that was just imported.
fn imported_path(name: &str) -> String {
    format!("{}?done=imported", audience_path(name))
}
