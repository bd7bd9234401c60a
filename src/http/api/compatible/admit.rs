//! Admits a call of the 8x8 API: its caller and scope, its body, and that it is carried out once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use tracing::Instrument;

use super::BODY_MAX;
use super::answers::Failed;
use crate::base::domain::{Causes, Scope};
use crate::http::access::{Caller, Denied};
use crate::http::api::Shared;
use crate::http::api::door::Client;
use crate::http::api::once::{self, Once};
use crate::http::api::rate::Counted;
use crate::http::api::unproven::Held;
use crate::rules::wire::ErrorAnswer;
use crate::store::AuditRequest;

/// What admits calls.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) shared: Shared,
    /// The scope of every call that is no query.
    pub(super) changes: Scope,
}

/// Carries an admitted call out. It finds its caller in the extension `Arc<Caller>`.
pub(super) async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match AssertUnwindSafe(admitted(&gate, parts, body, next)).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(failed)) => failed.answer(&gate.shared),
        // The panic itself is in the log.
        Err(_) => Failed::from(ErrorAnswer::Internal).answer(&gate.shared),
    }
}

async fn admitted(
    Gate { shared, changes }: &Gate,
    mut parts: Parts,
    body: Body,
    next: Next,
) -> Result<Response, Failed> {
    let caller = caller(shared, &parts).await?;
    let is_query = [Method::GET, Method::HEAD].contains(&parts.method);
    caller.check(if is_query { Scope::Read } else { *changes })?;
    // Campaigns are sent as fast as their lanes permit, so only a limit of its own slows a key here.
    if caller.requests_per_s.is_some() {
        shared.0.rates.check(Counted::Key(&caller))?;
    }
    let body = read(shared, &parts, body).await?;
    let once = once::named(&caller, &parts, &body.body, None)?;
    let audited = is_audited(&parts).then(|| Audited { caller: Arc::clone(&caller), request: asked(&parts) });
    parts.extensions.insert(caller);
    let request = Request::from_parts(parts, Body::from(body.body.clone()));
    match (once, audited) {
        (None, None) => Ok(next.run(request).await),
        (once, audited) => to_its_end(shared.clone(), (once, audited), request, body, next).await,
    }
}

/// A call goes on to its end, even if its caller is gone: a repeated one waits for its answer, or its entry of the audit log
/// is to be written.
async fn to_its_end(
    shared: Shared,
    (once, audited): (Option<Once>, Option<Audited>),
    request: Request,
    body: Held,
    next: Next,
) -> Result<Response, Failed> {
    let task = async move {
        // The body keeps its part of the budget for as long as it is in memory.
        let _held = body;
        let response = match once {
            Some(once) => once.run(&shared, next.run(request)).await?,
            None => next.run(request).await,
        };
        match audited {
            Some(audited) => audited.record(&shared, response).await,
            None => Ok(response),
        }
    };
    tokio::spawn(task.in_current_span()).await.unwrap_or_else(|_| Err(ErrorAnswer::Internal.into()))
}

/// Whether a call has an entry in the audit log: it changes a batch, a template or a file. Messages are records of their own.
fn is_audited(parts: &Parts) -> bool {
    let ends = |with: &str| parts.uri.path().ends_with(with);
    match parts.method {
        Method::DELETE => true,
        Method::POST => ends("/files") || ends("/templates"),
        _ => false,
    }
}

/// The call, as the audit log records it. Calls of the provider's API have no ids.
fn asked(parts: &Parts) -> AuditRequest {
    let (peer, path) = (Client::of(&parts.extensions).address, once::whole_uri(parts).path().to_owned());
    AuditRequest { id: String::new(), peer, method: parts.method.to_string(), path }
}

/// A call that gets an entry in the audit log.
struct Audited {
    caller: Arc<Caller>,
    request: AuditRequest,
}

impl Audited {
    /// Records the call with its answer. A success without its entry is no success.
    async fn record(self, shared: &Shared, response: Response) -> Result<Response, Failed> {
        let (status, now) = (response.status(), shared.clock.now());
        match shared.0.access.record_request(&self.caller, self.request, None, status.as_u16(), now).await {
            Ok(()) => Ok(response),
            Err(error) => {
                tracing::error!(error = %Causes(&error), %status, "cannot write the audit log");
                if status.is_success() { Err(ErrorAnswer::Internal.into()) } else { Ok(response) }
            }
        }
    }
}

async fn caller(shared: &Shared, parts: &Parts) -> Result<Arc<Caller>, Denied> {
    #[cfg(test)]
    if let Some(caller) = parts.extensions.get::<Arc<Caller>>() {
        return Ok(Arc::clone(caller));
    }
    let authorization = parts.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    shared.0.access.caller(authorization, Client::of(&parts.extensions).address, shared.clock.now()).await
}

async fn read(shared: &Shared, parts: &Parts, body: Body) -> Result<Held, Failed> {
    let declared = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    Ok(shared.0.bodies.read(body, declared, BODY_MAX).await?)
}
