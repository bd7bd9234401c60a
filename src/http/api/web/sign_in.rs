//! Signs operators in and out, and creates the first one.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::admit::Session;
use super::failures::{too_many_attempts, wait_and_retry};
use super::form::{Form, read_with_another};
use super::frame::{page, refused};
use super::own_origin::is_own;
use super::{kept, session};
use crate::base::config::Secret;
use crate::base::domain::{Causes, Scope};
use crate::http::access::{AccessError, Caller, Denied, NewOperator, Scopes};
use crate::http::api::Shared;
use crate::http::api::door::Client;
use crate::http::api::native::{Answer, Asked, Kind, Problem, Query, RequestId};
use crate::http::pages::{SetupPage, SignInPage};
use crate::store::AuditRequest;

/// Where an operator wanted to go.
#[derive(Debug, Deserialize)]
pub(super) struct NextQuery {
    next: Option<String>,
}

pub(super) async fn ask(
    State(shared): State<Shared>,
    Query(query): Query<NextQuery>,
    request: Request,
) -> Answer<Response> {
    let next = local(query.next.as_deref()).to_owned();
    if session::of(&shared, Client::of(request.extensions()), request.headers()).await.is_ok() {
        return Ok(Redirect::to(&next).into_response());
    }
    let awaits_setup = shared.0.access.awaits_setup(shared.clock.now()).await?;
    page(&SignInPage { name: String::new(), next, problem: None, awaits_setup, kept: None })
}

/// The page to go to, if it is one of ours.
pub(super) fn local(next: Option<&str>) -> &str {
    let is_local = |next: &&str| {
        next.starts_with('/') && !next.starts_with("//") && !next.contains('\\') && !next.chars().any(char::is_control)
    };
    next.filter(is_local).unwrap_or("/")
}

/// A form of somebody who is not signed in.
struct Stranger {
    client: Client,
    form: Form,
    asked: AuditRequest,
}

impl Stranger {
    async fn read(shared: &Shared, request: Request) -> Answer<Self> {
        let client = Client::of(request.extensions());
        let (parts, body) = request.into_parts();
        if !is_own(&parts.headers, session::is_secure(shared, client)) {
            return Err(Problem::new(Kind::Forbidden, "this form is from another site; open the page again"));
        }
        let id = parts.extensions.get::<RequestId>().map(ToString::to_string).unwrap_or_default();
        let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
        let asked = AuditRequest { id, peer: client.address, method, path };
        Ok(Self { client, form: read_with_another(&shared.0.unproven, &parts.headers, body).await?, asked })
    }

    fn text(&self, name: &str) -> String {
        self.form.get(name).unwrap_or_default().to_owned()
    }
}

pub(super) async fn sign_in(State(shared): State<Shared>, request: Request) -> Answer<Response> {
    let stranger = Stranger::read(&shared, request).await?;
    let (peer, now) = (stranger.asked.peer, shared.clock.now());
    let name = stranger.form.entered("name").unwrap_or_default().to_owned();
    let next = local(stranger.form.get("next")).to_owned();
    let shown = async |problem: String| {
        let awaits_setup = shared.0.access.awaits_setup(now).await?;
        let kept = kept::of_sign_in(&stranger.form);
        page(&SignInPage { name: name.clone(), next: next.clone(), problem: Some(problem), awaits_setup, kept })
    };
    if let Some(wait) = shared.0.sign_ins.must_wait(peer, now) {
        return Ok(wait_and_retry(wait, shown(too_many_attempts()).await?));
    }
    // Before the password is hashed, so that many requests at once are counted too.
    shared.0.sign_ins.failed(peer, now);
    match shared.0.access.sign_in(&name, Secret::new(stranger.text("password"))).await {
        Ok(operator) => {
            shared.0.sign_ins.succeeded(peer);
            begin(&shared, &operator, stranger, &next).await
        }
        Err(denied @ Denied::Unavailable { .. }) => Err(denied.into()),
        Err(denied) => {
            record_failure(&shared, &name, stranger.asked).await;
            Ok((StatusCode::UNAUTHORIZED, shown(denied.to_string()).await?).into_response())
        }
    }
}

/// Records a failed attempt in the audit log and in the log. Only the name of a known operator is in either.
async fn record_failure(shared: &Shared, name: &str, asked: AuditRequest) {
    let (peer, now) = (asked.peer, shared.clock.now());
    if !shared.0.recorded_failures.admits_another(now) {
        tracing::warn!(%peer, "an operator could not sign in; the audit log has no entry, because it has many of this minute");
        return;
    }
    match shared.0.access.record_failed_sign_in(name, asked, now).await {
        Ok(Some(operator)) => tracing::warn!(%peer, operator, "an operator could not sign in"),
        Ok(None) => tracing::warn!(%peer, "a sign-in with an unknown name failed"),
        Err(error) => tracing::error!(%peer, error = %Causes(&error), "a failed sign-in has no entry in the audit log"),
    }
}

/// Begins the session of an operator, and shows the page.
async fn begin(shared: &Shared, operator: &Arc<Caller>, stranger: Stranger, next: &str) -> Answer<Response> {
    let zone = stranger.form.entered("zone").and_then(|zone| zone.parse().ok());
    let client = stranger.client;
    let asked = stranger.asked;
    let secret = shared.0.access.begin_session(operator, zone, asked, shared.clock.now()).await?;
    let mut response = match kept::of_sign_in(&stranger.form) {
        Some(form) => kept::show(shared.0.access.session(secret.expose(), shared.clock.now()).await?, form)?,
        None => Redirect::to(next).into_response(),
    };
    response.headers_mut().insert(header::SET_COOKIE, session::cookie(shared, client, secret.expose())?);
    Ok(response)
}

pub(super) async fn sign_out(
    State(shared): State<Shared>,
    Session(session): Session,
    client: Client,
    Asked(asked): Asked,
) -> Answer<Response> {
    shared.0.access.end_session(&session, asked, shared.clock.now()).await?;
    let mut response = Redirect::to("/sign-in").into_response();
    response.headers_mut().insert(header::SET_COOKIE, session::no_cookie(&shared, client)?);
    Ok(response)
}

/// Shows the times of this browser in another zone.
pub(super) async fn set_zone(State(shared): State<Shared>, Session(session): Session, form: Form) -> Answer<Redirect> {
    let text = form.entered("zone").unwrap_or_default();
    let unknown = |_| {
        let sentence = format!("unknown time zone \"{text}\"; write one such as Asia/Singapore or Europe/Berlin");
        Problem::new(Kind::Invalid, sentence)
    };
    shared.0.access.set_session_zone(&session, text.parse().map_err(unknown)?).await?;
    Ok(Redirect::to("/"))
}

pub(super) async fn ask_setup(State(shared): State<Shared>) -> Answer<Response> {
    if !shared.0.access.awaits_setup(shared.clock.now()).await? {
        return Ok(Redirect::to("/sign-in").into_response());
    }
    page(&SetupPage { name: String::new(), problem: None })
}

pub(super) async fn set_up(State(shared): State<Shared>, request: Request) -> Answer<Response> {
    let stranger = Stranger::read(&shared, request).await?;
    let (access, now) = (&shared.0.access, shared.clock.now());
    // Each attempt reads the database.
    shared.0.rates.check(crate::http::api::rate::Counted::Setup)?;
    let name = stranger.form.entered("name").unwrap_or_default().to_owned();
    let new = NewOperator {
        name: name.clone(),
        scopes: Scopes::default().with(Scope::Admin),
        password: Secret::new(stranger.text("password")),
    };
    let token = Secret::new(stranger.text("token"));
    match access.create_first_operator(&token, new, stranger.asked.clone(), now).await {
        Ok(operator) => begin(&shared, &Arc::new(Caller::of_operator(&operator)), stranger, "/").await,
        Err(error @ (AccessError::Store(_) | AccessError::Random(_) | AccessError::Hash(_))) => Err(error.into()),
        Err(error) => refused(&SetupPage { name, problem: Some(error.to_string()) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_ours_follow_a_sign_in() {
        for own in ["/", "/campaigns?state=running", "/campaigns/cmp_1"] {
            assert_eq!(local(Some(own)), own);
        }
        for other in ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/a\nb"] {
            assert_eq!(local(Some(other)), "/", "{other}");
        }
    }
}
