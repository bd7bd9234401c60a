//! Links to the report of a campaign: made, listed and ended by operators, and opened by readers without an account.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::report::shown;
use crate::base::config::Secret;
use crate::base::domain::text::hex;
use crate::base::domain::{BatchState, Scope, Span};
use crate::campaigns::report::Report;
use crate::http::access::{LINKS_MAX, link_id};
use crate::http::api::Shared;
use crate::http::api::door::Client;
use crate::http::api::native::{Answer, Call, Kind, Path, Problem, Query, SHARED_REPORTS, found};
use crate::http::api::rate::Counted;
use crate::http::api::web::access::NewSecret;
use crate::http::api::web::admit::Session;
use crate::http::api::web::failures::too_many_attempts;
use crate::http::api::web::form::Form;
use crate::http::api::web::frame::page;
use crate::http::pages::{Part, Place, ShareLink, SharePage, SharedReportPage, ShownSecret, campaign_path};
use crate::store::{Batch, SecretDigest, SharedReport};

/// The days that a link can work.
const DAYS: [i64; 3] = [1, 7, 30];
const DAY: i64 = 86_400;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ShareQuery {
    ended: bool,
    /// The id of a link that was just made.
    made: Option<String>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    Query(query): Query<ShareQuery>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let batch = shareable(&shared, &call, &campaign).await?;
    let made = match &query.made {
        Some(id) => {
            let path = made_path(&batch, id);
            shared.0.new_secrets.hold(call.at).await.take(call.caller.session, &path)
        }
        None => None,
    };
    let mut shown = of_campaign(&shared, &call, &session, &batch).await?;
    let until = shown.links.iter().find(|link| Some(&link.id) == query.made.as_ref()).map(|link| link.expires_at);
    shown.made = made.map(|made| ShownSecret(made.secret.expose().to_owned())).zip(until);
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

async fn of_campaign(shared: &Shared, call: &Call, session: &Session, batch: &Batch) -> Answer<SharePage> {
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
        made: None,
        is_full: links.len() >= LINKS_MAX as usize,
        links: links.iter().map(link).collect(),
    })
}

/// The page with the links of a campaign.
fn share_path(batch: &Batch) -> String {
    format!("{}/report/share", campaign_path(&batch.public_id().to_string()))
}

/// The page that shows a link that was just made.
fn made_path(batch: &Batch, id: &str) -> String {
    format!("{}?made={id}", share_path(batch))
}

/// Makes a link. Only its digest is stored, and no address of ours contains it: the page after the redirect shows it once.
pub(super) async fn share(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    let batch = shareable(&shared, &call, &campaign).await?;
    let days = form.entered("days").and_then(|days| days.parse().ok()).filter(|days| DAYS.contains(days));
    let days = days.ok_or_else(|| Problem::new(Kind::Invalid, "a link works for 1, 7 or 30 days; choose one"))?;
    let name = days.to_string();
    let mut waiting = shared.0.new_secrets.hold(call.at).await;
    if let Some(path) = waiting.made(call.caller.session, &share_path(&batch), &name) {
        // The second click on the button.
        return Ok(Redirect::to(&path));
    }
    let made = shared.0.access.share_report(batch.id, &call.caller, Span::from_secs(days * DAY), call.at).await?;
    let full = || Problem::new(Kind::Conflict, "this campaign has as many links as it can have; end one first");
    let (link, secret) = made.ok_or_else(full)?;
    let base = shared.config.server.public_url.trim_end_matches('/');
    let secret = Secret::new(format!("{base}{SHARED_REPORTS}{}", secret.expose()));
    let (path, made_at) = (made_path(&batch, &hex(link.secret.0)), link.made_at);
    let session = call.caller.session;
    waiting.keep(NewSecret { session, path: path.clone(), name, secret, former_until: None, made_at });
    Ok(Redirect::to(&path))
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
    Ok(Redirect::to(&format!("{}?ended=true", share_path(&batch))))
}

/// Reads the digest that names a link in a form.
fn digest(text: &str) -> Option<SecretDigest> {
    let bytes: Option<Vec<u8>> =
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect();
    Some(SecretDigest(bytes?.try_into().ok()?))
}

/// The report for a reader who has a link to it. It needs no session, and shows no recipient.
///
/// - An address with too many wrong links waits, because each of them reads the database. A link that was opened before works
///   there all the same.
/// - A link has its own rate, so the readers of one do not keep those of another out.
pub(in crate::http::api::web) async fn shared(
    State(shared): State<Shared>,
    Path(secret): Path<String>,
    request: Request,
) -> Answer<Response> {
    let (peer, now) = (Client::of(request.extensions()).address, shared.clock.now());
    let (rates, wrong_links) = (&shared.0.rates, &shared.0.wrong_links);
    let id = link_id(&secret).unwrap_or_default();
    if let Some(wait) = wrong_links.must_wait(peer, now).filter(|_| !rates.knows(Counted::Link(&id))) {
        return Err(Problem::new(Kind::TooManyRequests, too_many_attempts()).retry_after(wait));
    }
    let none = || Problem::new(Kind::NotFound, "this link shows nothing, or nothing any more; ask for another one");
    // Before the database is read, so that many requests at once are counted too.
    wrong_links.failed(peer, now);
    let link = shared.0.access.shared_report(&secret, now).await?.ok_or_else(none)?;
    wrong_links.succeeded(peer);
    rates.check(Counted::Link(&id))?;
    let batch = shared.store.batch(link.batch).await?.ok_or_else(none)?;
    let report = Report::read(shared.store.as_ref(), &batch).await?;
    let counted = shared.0.countings.counted(batch.id);
    let mut response = page(&SharedReportPage {
        report: &report,
        tables: counted.as_deref().map(|counted| shown(counted, report.currency.as_deref(), None)),
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
