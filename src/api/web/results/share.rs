//! Links to the report of a campaign: made, listed and ended by operators, and opened by readers without an account.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::report::shown;
use crate::api::Shared;
use crate::api::native::{Answer, Call, Kind, Path, Problem, Query, found};
use crate::api::rate::Counted;
use crate::api::web::admit::Session;
use crate::api::web::form::Form;
use crate::api::web::frame::page;
use crate::domain::text::hex;
use crate::domain::{BatchState, Scope, Span, Timestamp};
use crate::pages::{Part, Place, ShareLink, SharePage, SharedReportPage, campaign_path};
use crate::report::Report;
use crate::store::{Batch, SecretDigest, SharedReport};

/// Links of a campaign that can work at a time.
const LINKS_MAX: u32 = 50;
/// The days that a link can work.
const DAYS: [i64; 3] = [1, 7, 30];
const DAY: i64 = 86_400;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EndedQuery {
    ended: bool,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    Query(query): Query<EndedQuery>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let batch = shareable(&shared, &call, &campaign).await?;
    let mut shown = of_campaign(&shared, &call, &session, &batch, None).await?;
    shown.frame.notice = query.ended.then(|| shown.frame.texts().results.link_ended.to_owned());
    page(&shown)
}

/// A campaign whose report may be shared. A draft has none, and if it is deleted, another campaign may get its place.
async fn shareable(shared: &Shared, call: &Call, campaign: &str) -> Answer<Batch> {
    call.caller.check(Scope::Manage)?;
    let batch = found(shared, call, campaign).await?;
    if batch.state == BatchState::Draft {
        return Err(Problem::new(Kind::Conflict, "a draft has no report to share; start it first"));
    }
    Ok(batch)
}

async fn of_campaign(
    shared: &Shared,
    call: &Call,
    session: &Session,
    batch: &Batch,
    made: Option<(String, Timestamp)>,
) -> Answer<SharePage> {
    let links = shared.store.shared_reports(batch.id, call.at, LINKS_MAX).await?;
    let link = |link: &SharedReport| ShareLink {
        id: hex(link.secret.0),
        made_by: link.made_by.clone(),
        made_at: link.made_at,
        expires_at: link.expires_at,
    };
    Ok(SharePage {
        frame: session.frame(Place::Below(Part::Campaigns)),
        campaign: batch.display_name(),
        campaign_id: batch.public_id().to_string(),
        made,
        is_full: links.len() >= LINKS_MAX as usize,
        links: links.iter().map(link).collect(),
    })
}

/// Makes a link. Only its digest is stored, so the answer itself shows it, and no address of ours contains it.
pub(super) async fn share(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    let batch = shareable(&shared, &call, &campaign).await?;
    let days = form.entered("days").and_then(|days| days.parse().ok()).filter(|days| DAYS.contains(days));
    let days = days.ok_or_else(|| Problem::new(Kind::Invalid, "a link works for 1, 7 or 30 days; choose one"))?;
    if shared.store.shared_reports(batch.id, call.at, LINKS_MAX).await?.len() >= LINKS_MAX as usize {
        return Err(Problem::new(Kind::Conflict, "this campaign has as many links as it can have; end one first"));
    }
    let lasts = Span::from_secs(days * DAY);
    let secret = shared.0.access.share_report(batch.id, &call.caller, lasts, call.at).await?;
    let base = shared.config.server.public_url.trim_end_matches('/');
    let made = (format!("{base}/shared/{}", secret.expose()), call.at + lasts);
    page(&of_campaign(&shared, &call, &session, &batch, Some(made)).await?)
}

/// Ends a link at once.
pub(super) async fn end(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    let batch = shareable(&shared, &call, &campaign).await?;
    let digest = digest(form.entered("link").unwrap_or_default());
    let unknown = || Problem::new(Kind::NotFound, "this link has ended already");
    let digest = digest.ok_or_else(unknown)?;
    if !shared.store.end_shared_report(batch.id, digest).await? {
        return Err(unknown());
    }
    Ok(Redirect::to(&format!("{}/report/share?ended=true", campaign_path(&batch.public_id().to_string()))))
}

/// Reads the digest that names a link in a form.
fn digest(text: &str) -> Option<SecretDigest> {
    let bytes: Option<Vec<u8>> =
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect();
    Some(SecretDigest(bytes?.try_into().ok()?))
}

/// The report for a reader who has a link to it. It needs no session, and shows no recipient.
pub(in crate::api::web) async fn shared(State(shared): State<Shared>, Path(secret): Path<String>) -> Answer<Response> {
    // Each attempt reads the database.
    shared.0.rates.check(Counted::SharedReport)?;
    let now = shared.clock.now();
    let none = || Problem::new(Kind::NotFound, "this link shows nothing, or nothing any more; ask for another one");
    let link = shared.0.access.shared_report(&secret, now).await?.ok_or_else(none)?;
    let batch = shared.store.batch(link.batch).await?.ok_or_else(none)?;
    let report = Report::read(shared.store.as_ref(), &batch).await?;
    let counted = shared.0.countings.counted(batch.id);
    let mut response = page(&SharedReportPage {
        report: &report,
        tables: counted.as_deref().map(|counted| shown(counted, report.currency.as_deref())),
        started_at: batch.started_at,
        finished_at: batch.finished_at,
        made_at: now,
        expires_at: link.expires_at,
    })?
    .into_response();
    let robots = HeaderName::from_static("x-robots-tag");
    response.headers_mut().insert(robots, HeaderValue::from_static("noindex, nofollow"));
    Ok(response)
}
