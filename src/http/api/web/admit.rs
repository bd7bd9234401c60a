//! Admits a request of an operator to its page: the session, the rate, the form and the entry of the audit log.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tracing::Instrument;
use url::form_urlencoded;

use super::form::{Form, read};
use super::own_origin::is_own;
use super::{kept, session};
use crate::http::access::{Denied, SignedIn};
use crate::http::api::Shared;
use crate::http::api::door::{Client, Patience};
use crate::http::api::native::{Answer, Asked, Call, Entry, Kind, Problem, RequestId, panicked, shown_path};
use crate::http::api::rate::Counted;
use crate::http::pages::{Frame, Place};
use crate::store::AuditRequest;

/// Carries an admitted request out, or sends the operator to sign in.
pub(super) async fn admit(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let (client, headers) = asked(&request);
    let session = match session::of(&shared, client, &headers).await {
        Ok(session) => session,
        Err(denied) => {
            let is_form = request.method() == Method::POST && !matches!(denied, Denied::Unavailable { .. });
            let turned_away = turned_away(denied, request.method(), request.uri());
            let kept = if is_form { kept::ask(&shared, request).await } else { None };
            return kept.unwrap_or(turned_away);
        }
    };
    admitted(&shared, session, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

/// The same for a form with a file, which is read as it arrives. Its handler checks the token of the form.
pub(super) async fn admit_upload(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let (client, headers) = asked(&request);
    let session = match session::of(&shared, client, &headers).await {
        Ok(session) => session,
        Err(denied) => return turned_away(denied, request.method(), request.uri()),
    };
    admitted_upload(&shared, session, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

/// What a request says before its body, which cannot be shared between threads.
fn asked(request: &Request) -> (Client, HeaderMap) {
    (Client::of(request.extensions()), request.headers().clone())
}

/// The answer to those who have no session.
fn turned_away(denied: Denied, method: &Method, uri: &Uri) -> Response {
    match denied {
        Denied::Unavailable { .. } => Problem::from(denied).into_response(),
        _ => to_sign_in(method, uri),
    }
}

/// Sends the operator to sign in, and then to the page.
fn to_sign_in(method: &Method, uri: &Uri) -> Response {
    let next = if *method == Method::GET { uri.path_and_query().map_or("/", |path| path.as_str()) } else { "/" };
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    Redirect::to(&if next == "/" { "/sign-in".to_owned() } else { format!("/sign-in?{query}") }).into_response()
}

/// Checks what every request of a session needs, and tells its handler who asks.
fn begin(shared: &Shared, session: &SignedIn, request: Request) -> Answer<(Parts, Body)> {
    let caller = &session.caller;
    // Every operator may read.
    shared.0.rates.check(Counted::Key(caller))?;
    let peer = Client::of(request.extensions()).address;
    let (mut parts, body) = request.into_parts();
    let id = parts.extensions.get::<RequestId>().map(ToString::to_string).unwrap_or_default();
    let (method, path) = (parts.method.to_string(), shown_path(parts.uri.path()).into_owned());
    parts.extensions.insert(Asked(AuditRequest { id, peer, method, path }));
    parts.extensions.insert(Call { caller: Arc::clone(caller), at: shared.clock.now() });
    parts.extensions.insert(session.clone());
    Ok((parts, body))
}

async fn admitted(shared: &Shared, session: SignedIn, request: Request, next: Next) -> Answer<Response> {
    let (mut parts, body) = begin(shared, &session, request)?;
    // A plan, a launch and a repetition read every recipient, a deletion removes them, and some forms ask the provider. A
    // request that did not come through the door, as in tests, has no limits.
    let path = parts.uri.path();
    let asks_provider = parts.method == Method::POST && matches!(path, "/doctor/ask" | "/templates");
    let deletes = path.starts_with("/audiences/") && path.ends_with("/delete");
    let is_long = asks_provider || deletes || path.starts_with("/new/") || path.ends_with("/again");
    let patience = parts.extensions.get::<Patience>().filter(|_| is_long);
    let _patience = patience.map(|patience| patience.work(&session.caller)).transpose()?;
    if [Method::GET, Method::HEAD].contains(&parts.method) {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    }
    let form = read(&shared.0.bodies, &parts.headers, body).await?;
    let token = form.get("form_token").unwrap_or_default();
    session::ensure_own(shared, Client::of(&parts.extensions), &session, (&parts.headers, token))?;
    parts.extensions.insert(form);
    recorded(shared, session, (parts, Body::empty()), next).await
}

async fn admitted_upload(shared: &Shared, session: SignedIn, request: Request, next: Next) -> Answer<Response> {
    let is_secure = session::is_secure(shared, Client::of(request.extensions()));
    if !is_own(request.headers(), is_secure) {
        return Err(Problem::new(Kind::Forbidden, "this form is from another site; open the page again"));
    }
    let whole = begin(shared, &session, request)?;
    recorded(shared, session, whole, next).await
}

/// Carries a change out, with its entry of the audit log. It goes on to its end, even if its operator has left the page.
async fn recorded(
    shared: &Shared,
    session: SignedIn,
    (mut parts, body): (Parts, Body),
    next: Next,
) -> Answer<Response> {
    let entry = Entry::of(session.caller, &mut parts).await?;
    let shared = shared.clone();
    let change = async move {
        let answered = AssertUnwindSafe(next.run(Request::from_parts(parts, body))).catch_unwind().await;
        let answered = answered.unwrap_or_else(|_| panicked().into_response());
        // As over the API: what was refused for its scope has no entry.
        if answered.status() == StatusCode::FORBIDDEN { Ok(answered) } else { entry.record(&shared, answered).await }
    };
    tokio::spawn(change.in_current_span()).await.unwrap_or_else(|_| Err(panicked()))
}

/// The session of an admitted request.
#[derive(Debug, Clone)]
pub(super) struct Session(pub(super) SignedIn);

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let session = parts.extensions.get::<SignedIn>().cloned();
        session.map(Self).ok_or_else(|| Problem::new(Kind::Unauthorized, "no session"))
    }
}

impl Session {
    /// The frame of a page of this session.
    pub(super) fn frame(&self, place: Place) -> Frame {
        let SignedIn { caller, zone, form_token, .. } = &self.0;
        Frame {
            operator: caller.name.clone(),
            scopes: caller.scopes,
            zone: *zone,
            form_token: form_token.as_str().to_owned(),
            place,
            notice: None,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Form {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::new(Kind::Failed, "no form"))
    }
}
