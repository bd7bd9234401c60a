//! Admits a request to its operation: the caller, its scope and its rate, the body and the time.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use super::extract::Call;
use super::frame::panicked;
use super::once;
use super::problem::{Answer, Kind, Problem};
use super::rate;
use super::rules::{Rule, Rules, Transfer};
use super::{PREFIX, Shared};
use crate::access::{Caller, Denied};
use crate::api::door::{Crowded, Patience, Peer};
use crate::api::unproven::{Held, NotRead};
use crate::domain::Span;

/// What admits requests.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) shared: Shared,
    pub(super) rules: Arc<Rules>,
}

/// Carries an admitted request out.
pub(super) async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>().and_then(|path| path.as_str().strip_prefix(PREFIX));
    // A path without a rule for the method answers with its other methods.
    let Some(rule) = matched.and_then(|path| gate.rules.of(path, request.method())) else {
        return next.run(request).await;
    };
    match admitted(&gate.shared, rule, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn admitted(shared: &Shared, rule: Rule, mut request: Request, next: Next) -> Answer<Response> {
    if request.uri().path().contains("%00") {
        return Err(Problem::new(Kind::InvalidParameter, "the path contains the character U+0000; remove it"));
    }
    let caller = match claimed(&request) {
        Claimed::Injected(caller) => caller,
        Claimed::ByKey { authorization, peer } => {
            let authorization = authorization.as_ref().map(HeaderValue::as_bytes);
            shared.0.access.caller(authorization, peer, shared.clock.now()).await.map_err(refused)?
        }
    };
    caller.check(rule.scope).map_err(refused)?;
    let limits = shared.0.native.rates.check(&caller.id, rate::USUAL)?;
    request.extensions_mut().insert(Call { caller: Arc::clone(&caller), at: shared.clock.now() });
    let mut response = match carry_out(shared, rule, &caller, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    response.headers_mut().extend(limits);
    Ok(response)
}

/// Who a request says that it comes from.
enum Claimed {
    ByKey {
        authorization: Option<HeaderValue>,
        peer: IpAddr,
    },
    /// A test's caller. Nothing in a request from the network becomes an extension.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests alone inject callers"))]
    Injected(Arc<Caller>),
}

fn claimed(request: &Request) -> Claimed {
    #[cfg(test)]
    if let Some(caller) = request.extensions().get::<Arc<Caller>>() {
        return Claimed::Injected(Arc::clone(caller));
    }
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    Claimed::ByKey {
        authorization: request.headers().get(header::AUTHORIZATION).cloned(),
        peer: peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(Peer { address, .. })| address.ip()),
    }
}

fn refused(denied: Denied) -> Problem {
    match denied {
        Denied::Scope(_) | Denied::Address { .. } => Problem::new(Kind::Forbidden, denied),
        denied => Problem::new(Kind::Unauthorized, denied)
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
    }
}

/// Runs the operation within the limits of its rule, and lets a transfer take as long as it makes progress.
async fn carry_out(shared: &Shared, rule: Rule, caller: &Caller, request: Request, next: Next) -> Answer<Response> {
    // A request that did not come through the door, as in tests, has no limits there.
    let patience = request.extensions().get::<Patience>().cloned();
    match (rule.transfer, patience) {
        (Transfer::Events, Some(patience)) => {
            let response = next.run(request).await;
            if response.status().is_success() { Ok(patience.stream(response)?) } else { Ok(response) }
        }
        (Transfer::Upload, Some(patience)) => {
            let (parts, body) = request.into_parts();
            take_upload(Request::from_parts(parts, patience.upload(body)?), next).await
        }
        (Transfer::Upload, None) => take_upload(request, next).await,
        (Transfer::Events, None) => Ok(next.run(request).await),
        (Transfer::Whole, patience) => carry_out_whole(shared, rule, caller, patience, request, next).await,
    }
}

/// Runs an operation that reads its body as it arrives. If the connection ends, the operation stores what has arrived.
async fn take_upload(request: Request, next: Next) -> Answer<Response> {
    let task = tokio::spawn(async move { next.run(request).await }.in_current_span());
    task.await.map_err(|_| panicked())
}

impl From<Crowded> for Problem {
    fn from(crowded: Crowded) -> Self {
        Self::new(Kind::Busy, crowded).retry_after(Span::from_secs(5))
    }
}

/// Reads the body and runs the operation.
async fn carry_out_whole(
    shared: &Shared,
    rule: Rule,
    caller: &Caller,
    patience: Option<Patience>,
    request: Request,
    next: Next,
) -> Answer<Response> {
    if [Method::GET, Method::HEAD].contains(request.method()) {
        return in_time(shared, rule, async { Ok(next.run(request).await) }).await;
    }
    let (parts, body) = request.into_parts();
    let held = read(shared, rule, &parts.headers, body).await?;
    let _patience = patience.filter(|_| rule.is_long()).map(|patience| patience.work()).transpose()?;
    let once = once::named(caller, &parts, &held.body)?;
    let request = Request::from_parts(parts, Body::from(held.body.clone()));
    let shared_with_task = shared.clone();
    // A change goes on to its end, even if its caller is gone or has waited too long.
    let task = async move {
        // The body keeps its part of the budget for as long as it is in memory.
        let _held = held;
        match once {
            Some(once) => once.run(&shared_with_task, request, next).await,
            None => Ok(next.run(request).await),
        }
    };
    let task = tokio::spawn(task.in_current_span());
    in_time(shared, rule, async { task.await.unwrap_or_else(|_| Err(panicked())) }).await
}

async fn read(shared: &Shared, rule: Rule, headers: &HeaderMap, body: Body) -> Answer<Held> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    shared.0.native.bodies.read(body, declared, rule.body_max).await.map_err(|error| match error {
        NotRead::TooLong => {
            let most = rule.body_max >> 10;
            Problem::new(Kind::TooLarge, format_args!("the body is longer than {most} KiB"))
        }
        NotRead::Busy => {
            let sentence = "too many large requests at once; repeat the request later";
            Problem::new(Kind::Busy, sentence).retry_after(Span::from_secs(5))
        }
        NotRead::Broken => Problem::new(Kind::InvalidJson, "the body ended before it was complete"),
    })
}

async fn in_time(shared: &Shared, rule: Rule, work: impl Future<Output = Answer<Response>>) -> Answer<Response> {
    let Some(most) = rule.time_max else { return work.await };
    tokio::select! {
        biased;
        done = work => done,
        () = shared.clock.sleep(most) => Err(Problem::new(
            Kind::Busy,
            format_args!("the operation takes longer than {most}; a change goes on, so look at its object before you repeat it"),
        )
        .retry_after(most)),
    }
}
