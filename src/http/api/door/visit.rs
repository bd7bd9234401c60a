//! One request on its way through the door: its time limit, and its answer for the counts.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::{Frame, SizeHint};

use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::listener::Peer;
use super::traceparent::{TRACEPARENT, Traceparent};
use super::{Client, Door, Patience, REQUEST_MAX};
use crate::base::domain::Timestamp;

/// The route in the counts of a request to no route.
const NO_ROUTE: &str = "none";
/// For a year, browsers reach a server that speaks TLS over TLS alone.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// One request, until its answer is sent.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) door: Arc<Door>,
    pub(super) peer: Peer,
    begun: Timestamp,
    /// Whether its body has arrived.
    has_arrived: AtomicBool,
    /// Whether its handler has asked for more time.
    pub(super) is_long: AtomicBool,
}

impl Visit {
    fn begin(door: Arc<Door>, peer: Peer, has_arrived: bool) -> Arc<Self> {
        let begun = door.clock.now();
        peer.occupancy.begin((!has_arrived).then_some(begun));
        door.requests.fetch_add(1, Ordering::Relaxed);
        let has_arrived = AtomicBool::new(has_arrived);
        Arc::new(Self { door, peer, begun, has_arrived, is_long: AtomicBool::new(false) })
    }

    /// Notes that the body has arrived.
    fn arrived(&self) {
        self.peer.occupancy.keep_place();
        self.has_arrived.store(true, Ordering::Release);
    }

    /// Completes when its time is up. A request with a patience of its own has no end here.
    async fn overdue(&self) {
        self.door.clock.sleep_until(self.begun + REQUEST_MAX).await;
        if self.is_long.load(Ordering::Acquire) {
            std::future::pending::<()>().await;
        }
    }

    fn too_late(&self) -> Response {
        let (status, why) = if self.has_arrived.load(Ordering::Acquire) {
            (StatusCode::SERVICE_UNAVAILABLE, format!("the server had no answer within {REQUEST_MAX}; retry\n"))
        } else {
            (StatusCode::REQUEST_TIMEOUT, format!("the request did not arrive within {REQUEST_MAX}\n"))
        };
        (status, [(header::RETRY_AFTER, HeaderValue::from_static("1"))], why).into_response()
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.peer.occupancy.end(self.door.clock.now());
        self.door.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Limits the time of each request, tells its handler where it comes from, and counts its answer.
///
/// A handler finds the address in [`Client`], and asks for more time by [`Patience`].
pub(in crate::http::api) async fn visit(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<Peer>>().cloned() else {
        return next.run(request).await;
    };
    let route = request.extensions().get::<MatchedPath>().cloned();
    let client = door.proxies.client(peer.address, request.headers(), door.certificate.is_some());
    let has_arrived = request.body().is_end_stream();
    let visit = Visit::begin(door, peer, has_arrived);
    let extensions = request.extensions_mut();
    extensions.insert(client);
    extensions.insert(Patience::new(Arc::clone(&visit)));
    let request =
        if has_arrived { request } else { request.map(|body| Body::new(Arriving { body, visit: Arc::clone(&visit) })) };
    let span = span(&request, client, route.as_ref());
    let mut response = if has_host(&request) {
        tokio::select! {
            biased;
            response = next.run(request).instrument(span) => response,
            () = visit.overdue() => visit.too_late(),
        }
    } else {
        (StatusCode::BAD_REQUEST, "a request of HTTP/1.1 has exactly one header Host\n").into_response()
    };
    // What is left of its body is not read any more.
    visit.peer.occupancy.keep_place();
    if visit.door.certificate.is_some() {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, TLS_ONLY);
    }
    visit.door.count_answer(route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str), response.status().as_u16());
    response.map(|body| Body::new(Leaving { body, _visit: visit }))
}

/// Whether a request names its host, as RFC 9112 (3.2) requires.
fn has_host(request: &Request) -> bool {
    request.version() < Version::HTTP_11 || request.headers().get_all(header::HOST).iter().count() == 1
}

/// The span in which a request is logged.
fn span(request: &Request, client: Client, route: Option<&MatchedPath>) -> Span {
    let span = tracing::info_span!(
        "request",
        method = %request.method(),
        route = route.map_or(NO_ROUTE, MatchedPath::as_str),
        peer = %client.address,
        trace_id = Empty,
        parent_id = Empty,
    );
    if !span.is_disabled()
        && let Some(trace) = request.headers().get(TRACEPARENT).and_then(Traceparent::read)
    {
        span.record("trace_id", trace.trace_id);
        span.record("parent_id", trace.parent_id);
    }
    span
}

/// The body of a request, which notes its end.
struct Arriving {
    body: Body,
    visit: Arc<Visit>,
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.visit.arrived();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer. The request is in progress until it is sent.
struct Leaving {
    body: Body,
    _visit: Arc<Visit>,
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
