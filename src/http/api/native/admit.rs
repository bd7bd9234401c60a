//! Admits a request to its operation: the caller, its scope and its rate, the body and the time.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Instrument;

use super::extract::{Asked, Call};
use super::frame::{RequestId, panicked, render_problem};
use super::problem::{Answer, Kind, Problem};
use super::recorded::{self, Entry};
use super::rules::{Rule, Rules, Transfer};
use super::{PREFIX, Shared};
use crate::base::domain::{Scope, Span};
use crate::http::access::Caller;
use crate::http::api::computing;
use crate::http::api::door::{Client, Crowded, Patience};
use crate::http::api::once::{self, LATER, NotOnce};
use crate::http::api::rate::{Counted, TooMany};
use crate::http::api::unproven::{Held, NotRead};
use crate::http::api::web;

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

async fn admitted(shared: &Shared, rule: Rule, request: Request, next: Next) -> Answer<Response> {
    if request.uri().path().contains("%00") {
        return Err(Problem::new(Kind::InvalidParameter, "the path contains the character U+0000; remove it"));
    }
    let client = Client::of(request.extensions());
    let caller = match rule.scope {
        Some(scope) => Some(proven(shared, (scope, rule), claimed(shared, client, &request), client).await?),
        None => None,
    };
    let counted = caller.as_deref().map_or(Counted::Setup, Counted::Key);
    let limits = shared.0.rates.check(counted)?;
    let (mut parts, body) = request.into_parts();
    if let Some(caller) = &caller {
        parts.extensions.insert(Call { caller: Arc::clone(caller), at: shared.clock.now() });
    }
    let answered = carry_out(shared, rule, (caller, client.address), (parts, body), next).await;
    let mut response = answered.unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().extend(limits);
    Ok(response)
}

/// The caller, if its key or its session permits the operation.
async fn proven(
    shared: &Shared,
    (scope, rule): (Scope, Rule),
    claimed: Claimed,
    client: Client,
) -> Answer<Arc<Caller>> {
    let caller = match claimed {
        Claimed::Injected(caller) => caller,
        Claimed::ByKey(authorization) => {
            let authorization = authorization.as_ref().map(HeaderValue::as_bytes);
            shared.0.access.caller(authorization, client.address, shared.clock.now()).await?
        }
        Claimed::BySession(secret, method, headers) => {
            let session = shared.0.access.session(&secret, shared.clock.now()).await?;
            web::proven_by_page(shared, client, &session, (&method, &headers))?;
            session.caller
        }
    };
    caller.check(scope)?;
    if !rule.is_by_lane {
        caller.ensure_unlimited()?;
    }
    Ok(caller)
}

/// Who a request says that it comes from.
enum Claimed {
    /// The value of `Authorization`.
    ByKey(Option<HeaderValue>),
    /// The secret of a session, with what proves that a script of one of our pages sends the request.
    BySession(String, Method, HeaderMap),
    /// A test's caller. Nothing in a request from the network becomes an extension.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests alone inject callers"))]
    Injected(Arc<Caller>),
}

fn claimed(shared: &Shared, client: Client, request: &Request) -> Claimed {
    #[cfg(test)]
    if let Some(caller) = request.extensions().get::<Arc<Caller>>() {
        return Claimed::Injected(Arc::clone(caller));
    }
    let authorization = request.headers().get(header::AUTHORIZATION);
    match authorization.is_none().then(|| web::presented(shared, client, request.headers())).flatten() {
        Some(secret) => Claimed::BySession(secret, request.method().clone(), request.headers().clone()),
        None => Claimed::ByKey(authorization.cloned()),
    }
}

/// Runs the operation within the limits of its rule, and lets a transfer take as long as it makes progress.
async fn carry_out(
    shared: &Shared,
    rule: Rule,
    by: (Option<Arc<Caller>>, IpAddr),
    (parts, body): (Parts, Body),
    next: Next,
) -> Answer<Response> {
    let patience = parts.extensions.get::<Patience>().cloned();
    match rule.transfer {
        Transfer::Events => {
            let response = next.run(Request::from_parts(parts, body)).await;
            match patience.filter(|_| response.status().is_success()).zip(by.0) {
                Some((patience, caller)) => Ok(patience.events(&caller, response)?),
                None => Ok(response),
            }
        }
        Transfer::Upload => {
            let body = match patience.zip(by.0) {
                Some((patience, caller)) => patience.upload(&caller, body)?,
                None => body,
            };
            take_upload(Request::from_parts(parts, body), next).await
        }
        Transfer::Whole if [Method::GET, Method::HEAD].contains(&parts.method) => {
            in_time(shared, rule, operate(shared, rule, Request::from_parts(parts, body), next)).await
        }
        Transfer::Whole => change(shared, rule, by, (parts, body), next).await,
    }
}

/// Runs an operation that reads its body as it arrives. If the connection ends, the operation stores what has arrived.
async fn take_upload(request: Request, next: Next) -> Answer<Response> {
    let task = tokio::spawn(async move { next.run(request).await }.in_current_span());
    task.await.map_err(|_| panicked())
}

impl From<TooMany> for Problem {
    fn from(TooMany { sentence, wait, headers }: TooMany) -> Self {
        let problem = Self::new(Kind::TooManyRequests, sentence).retry_after(wait);
        let named = headers.into_iter().filter_map(|(name, value)| Some((name?, value)));
        named.fold(problem, |problem, (name, value)| problem.with_header(name, value))
    }
}

impl From<Crowded> for Problem {
    fn from(crowded: Crowded) -> Self {
        let kind = match crowded {
            Crowded::Everybody { .. } => Kind::Busy,
            Crowded::Caller { .. } => Kind::TooManyRequests,
        };
        Self::new(kind, crowded).retry_after(Span::from_secs(5))
    }
}

/// Reads the body and runs an operation that may change something, within the limits of its rule.
async fn change(
    shared: &Shared,
    rule: Rule,
    (caller, peer): (Option<Arc<Caller>>, IpAddr),
    (mut parts, body): (Parts, Body),
    next: Next,
) -> Answer<Response> {
    let asked = Asked(recorded::asked(&parts, peer));
    parts.extensions.insert(asked);
    let held = read(shared, rule, &parts.headers, body).await?;
    // A request that did not come through the door, as in tests, has no limits there.
    let patience = parts.extensions.get::<Patience>().filter(|_| rule.is_long()).zip(caller.as_ref());
    let _patience = patience.map(|(patience, caller)| patience.work(caller)).transpose()?;
    let salt = rule.has_secret.then_some(shared.0.native.salt.as_slice());
    let once = caller.as_ref().map(|caller| once::named(caller, &parts, &held.body, salt)).transpose()?.flatten();
    let entry = match caller.filter(|_| rule.is_audited(&parts.method)) {
        Some(caller) => Some(Entry::of(caller, &mut parts).await?),
        None => None,
    };
    let request = Request::from_parts(parts, Body::from(held.body.clone()));
    let shared_with_task = shared.clone();
    // A change goes on to its end, even if its caller is gone or has waited too long.
    let task = async move {
        // The body keeps its part of the budget for as long as it is in memory.
        let _held = held;
        let work = async {
            match once {
                Some(once) => {
                    let rendered = rendered(&shared_with_task, rule, request, next);
                    once.run(&shared_with_task, rendered).await.map_err(Problem::from)
                }
                None => operate(&shared_with_task, rule, request, next).await,
            }
        };
        let answered = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| Err(panicked()));
        let response = answered.unwrap_or_else(IntoResponse::into_response);
        match entry {
            Some(entry) => entry.record(&shared_with_task, response).await,
            None => Ok(response),
        }
    };
    let task = tokio::spawn(task.in_current_span());
    in_time(shared, rule, async { task.await.unwrap_or_else(|_| Err(panicked())) }).await
}

/// Runs the operation, on a thread of its own if it computes for long.
async fn operate(shared: &Shared, rule: Rule, request: Request, next: Next) -> Answer<Response> {
    match rule.scope.filter(|_| rule.computes) {
        Some(scope) => computing::carry_out(shared, scope, request, next).await,
        None => Ok(next.run(request).await),
    }
}

/// Runs the operation. A problem gets its body here, because it is stored with it.
async fn rendered(shared: &Shared, rule: Rule, request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let mut response = operate(shared, rule, request, next).await.unwrap_or_else(IntoResponse::into_response);
    if let Some(id) = &id {
        render_problem(&mut response, id);
    }
    response
}

impl From<NotOnce> for Problem {
    fn from(error: NotOnce) -> Self {
        match error {
            NotOnce::InvalidKey => Self::new(Kind::InvalidParameter, error).of_parameter("Idempotency-Key"),
            NotOnce::Reused => Self::new(Kind::KeyReused, error),
            NotOnce::InProgress => Self::new(Kind::RequestInProgress, error).retry_after(LATER),
            NotOnce::Interrupted { .. } => Self::new(Kind::RequestInterrupted, error),
            NotOnce::Store(error) => Self::from(error),
            NotOnce::Answer(_) | NotOnce::Panicked => Self::failed(&error),
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
            format_args!("the operation takes longer than {most}; a change continues; repeat the request with the same Idempotency-Key, or look at its object first"),
        )
        .retry_after(most)),
    }
}
