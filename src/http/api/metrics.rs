//! `GET /metrics`, for Prometheus.

use std::net::IpAddr;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::door::Client;
use crate::base::domain::{Causes, Scope};
use crate::http::access::Denied;
use crate::http::metrics::{CONTENT_TYPE, scrape};

pub(super) async fn metrics(State(shared): State<Shared>, client: Client, headers: HeaderMap) -> Response {
    if !shared.config.server.metrics_open
        && let Err(denied) = may_read(&shared, &headers, client.address).await
    {
        return refused(&denied);
    }
    let now = shared.clock.now();
    match scrape(&shared.sources, shared.store.as_ref(), shared.door.figures(), now).await {
        Ok(page) => ([(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))], page).into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", Causes(&why))).into_response(),
    }
}

async fn may_read(shared: &Shared, headers: &HeaderMap, peer: IpAddr) -> Result<(), Denied> {
    let authorization = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let caller = shared.0.access.caller(authorization, peer, shared.clock.now()).await?;
    caller.check(Scope::Read)?;
    // The figures are of all lanes.
    caller.ensure_unlimited()
}

fn refused(denied: &Denied) -> Response {
    let why = format!("{denied}\n");
    match denied {
        Denied::Scope(_) | Denied::Address { .. } | Denied::Limited { .. } => {
            (StatusCode::FORBIDDEN, why).into_response()
        }
        _ => (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], why).into_response(),
    }
}
