//! Messages: send, batch, cancel, details.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use super::super::Shared;
use super::answers::{Failed, json};
use crate::accept::Refusal;
use crate::access::{Caller, Denied};
use crate::domain::Scope;

/// Who calls.
pub(super) struct Authenticated(Arc<Caller>);

impl FromRequestParts<Shared> for Authenticated {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Response> {
        // A connection of a test has no address.
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map_or(local, |peer| peer.0.ip());
        let authorization = parts.headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
        let caller = shared.access().caller(authorization, peer, shared.clock.now()).await;
        caller.map(Self).map_err(|denied| Failed::from(denied).answer(shared))
    }
}

impl Authenticated {
    fn with(&self, scope: Scope) -> Result<&Caller, Denied> {
        self.0.check(scope).map(|()| self.0.as_ref())
    }
}

/// The body of a request. That of a batch may be long.
pub(super) struct Body(Bytes);

impl FromRequest<Shared> for Body {
    type Rejection = Response;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Response> {
        let body = Bytes::from_request(request, shared).await;
        body.map(Self).map_err(|rejection: BytesRejection| Failed::Body(rejection.status()).answer(shared))
    }
}

type SubAccount = Path<String>;

fn answer<T: Serialize>(shared: &Shared, result: Result<T, Failed>) -> Response {
    match result {
        Ok(body) => json(StatusCode::OK, &body),
        Err(failed) => failed.answer(shared),
    }
}

pub(super) async fn send(
    State(shared): State<Shared>,
    Path(sub_account): SubAccount,
    caller: Authenticated,
    Body(body): Body,
) -> Response {
    let sent = async { Ok(shared.desk().send(caller.with(Scope::Send)?, &sub_account, &body).await?) };
    answer(&shared, sent.await)
}

pub(super) async fn send_batch(
    State(shared): State<Shared>,
    Path(sub_account): SubAccount,
    caller: Authenticated,
    Body(body): Body,
) -> Response {
    let sent = async { Ok(shared.desk().send_batch(caller.with(Scope::Send)?, &sub_account, &body).await?) };
    answer(&shared, sent.await)
}

pub(super) async fn notify(
    State(shared): State<Shared>,
    Path(sub_account): SubAccount,
    caller: Authenticated,
    Body(body): Body,
) -> Response {
    let sent = async { Ok(shared.desk().notify(caller.with(Scope::Send)?, &sub_account, &body).await?) };
    answer(&shared, sent.await)
}

pub(super) async fn notify_batch(
    State(shared): State<Shared>,
    Path(sub_account): SubAccount,
    caller: Authenticated,
    Body(body): Body,
) -> Response {
    let sent = async { Ok(shared.desk().notify_batch(caller.with(Scope::Send)?, &sub_account, &body).await?) };
    answer(&shared, sent.await)
}

pub(super) async fn cancel_batch(
    State(shared): State<Shared>,
    Path((sub_account, batch)): Path<(String, String)>,
    caller: Authenticated,
) -> Response {
    let done = async { Ok(shared.desk().cancel_batch(caller.with(Scope::Send)?, &sub_account, &batch).await?) };
    answer(&shared, done.await)
}

pub(super) async fn cancel(
    State(shared): State<Shared>,
    Path((sub_account, umid)): Path<(String, String)>,
    caller: Authenticated,
) -> Response {
    let done = async { Ok(shared.desk().cancel(caller.with(Scope::Send)?, &sub_account, &umid).await?) };
    answer(&shared, done.await)
}

pub(super) async fn details(
    State(shared): State<Shared>,
    Path((sub_account, umid)): Path<(String, String)>,
    caller: Authenticated,
) -> Response {
    let found = async { Ok(shared.desk().details(caller.with(Scope::Read)?, &sub_account, &umid).await?) };
    answer(&shared, found.await)
}
