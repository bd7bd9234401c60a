//! Admits a call of the 8x8 API: its caller and scope, its body, and that it is carried out once.

use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use tracing::Instrument;

use super::BODY_MAX;
use super::answers::Failed;
use crate::access::{Caller, Denied};
use crate::api::Shared;
use crate::api::door::Peer;
use crate::api::once::{self, Once};
use crate::api::unproven::Held;
use crate::domain::Scope;
use crate::wire::ErrorAnswer;

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
    let body = read(shared, &parts, body).await?;
    let once = once::named(&caller, &parts, &body.body, None)?;
    parts.extensions.insert(caller);
    let request = Request::from_parts(parts, Body::from(body.body.clone()));
    match once {
        None => Ok(next.run(request).await),
        Some(once) => to_its_end(shared.clone(), once, request, body, next).await,
    }
}

/// A call with a key goes on to its end, even if its caller is gone: a repeated one waits for its answer.
async fn to_its_end(shared: Shared, once: Once, request: Request, body: Held, next: Next) -> Result<Response, Failed> {
    let task = async move {
        // The body keeps its part of the budget for as long as it is in memory.
        let _held = body;
        once.run(&shared, next.run(request)).await
    };
    match tokio::spawn(task.in_current_span()).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(ErrorAnswer::Internal.into()),
    }
}

async fn caller(shared: &Shared, parts: &Parts) -> Result<Arc<Caller>, Denied> {
    #[cfg(test)]
    if let Some(caller) = parts.extensions.get::<Arc<Caller>>() {
        return Ok(Arc::clone(caller));
    }
    let peer = parts.extensions.get::<ConnectInfo<Peer>>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(Peer { address, .. })| address.ip());
    let authorization = parts.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    shared.0.access.caller(authorization, peer, shared.clock.now()).await
}

async fn read(shared: &Shared, parts: &Parts, body: Body) -> Result<Held, Failed> {
    let declared = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    Ok(shared.0.bodies.read(body, declared, BODY_MAX).await?)
}
