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
use super::frame::{RequestId, panicked, render_problem};
use super::problem::{Answer, Kind, Problem};
use super::rate;
use super::rules::{Rule, Rules};
use super::{PREFIX, Shared};
use crate::access::{Caller, Denied};
use crate::api::door::Peer;
use crate::api::once::{self, LATER, NotOnce};
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
    let limits = shared.0.native.rates.check(&caller.id, caller.requests_per_s.unwrap_or(rate::USUAL))?;
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

/// Reads the body and runs the operation, within the limits of its rule.
async fn carry_out(shared: &Shared, rule: Rule, caller: &Caller, request: Request, next: Next) -> Answer<Response> {
    if [Method::GET, Method::HEAD].contains(request.method()) {
        return in_time(shared, rule, async { Ok(next.run(request).await) }).await;
    }
    let (parts, body) = request.into_parts();
    let held = read(shared, rule, &parts.headers, body).await?;
    let once = once::named(caller, &parts, &held.body)?;
    let request = Request::from_parts(parts, Body::from(held.body.clone()));
    let shared_with_task = shared.clone();
    // A change goes on to its end, even if its caller is gone or has waited too long.
    let task = async move {
        // The body keeps its part of the budget for as long as it is in memory.
        let _held = held;
        match once {
            Some(once) => {
                let id = request.extensions().get::<RequestId>().cloned();
                let carry_out = async {
                    let mut response = next.run(request).await;
                    if let Some(id) = &id {
                        render_problem(&mut response, id);
                    }
                    response
                };
                once.run(&shared_with_task, carry_out).await.map_err(Problem::from)
            }
            None => Ok(next.run(request).await),
        }
    };
    let task = tokio::spawn(task.in_current_span());
    in_time(shared, rule, async { task.await.unwrap_or_else(|_| Err(panicked())) }).await
}

impl From<NotOnce> for Problem {
    fn from(error: NotOnce) -> Self {
        match error {
            NotOnce::InvalidKey => Self::new(Kind::InvalidParameter, error).of_parameter("Idempotency-Key"),
            NotOnce::Reused => Self::new(Kind::KeyReused, error),
            NotOnce::InProgress => Self::new(Kind::RequestInProgress, error).retry_after(LATER),
            NotOnce::Interrupted { .. } => Self::new(Kind::RequestInterrupted, error),
            NotOnce::Store(error) => Self::from(error),
            NotOnce::Answer(_) => Self::failed(&error),
        }
    }
}

async fn read(shared: &Shared, rule: Rule, headers: &HeaderMap, body: Body) -> Answer<Held> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    shared.0.bodies.read(body, declared, rule.body_max).await.map_err(|error| match error {
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
