//! The HTTP server of the model, and the poster of its webhooks. It decides nothing.

mod control;
mod cut;
mod events;
mod files;
mod journal;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, Method as HttpMethod, Response, Uri, header};
use parking_lot::{Mutex, MutexGuard};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::cut::{Cut, CuttableListener};
pub use self::journal::Journal;
use super::model::{Call, DelayedReply, Method, Model, Reply, Webhook};
use super::post::{Post, WebhookTarget};
use crate::base::clock::Clock;
use crate::base::domain::{Span, Timestamp};

/// What an operator chooses when starting a server, apart from the model.
#[derive(Debug, Clone, Default)]
pub struct SimulatorOptions {
    /// Where events are posted that no registered address takes; without it they are made and dropped.
    pub webhook: Option<WebhookTarget>,
    /// Where every accepted message is recorded before its answer.
    pub journal: Option<Journal>,
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the simulator can no longer accept connections; restart it")]
    Listener(#[source] std::io::Error),
    #[error("the simulator cannot post webhooks: its HTTP client failed to start")]
    Client(#[source] reqwest::Error),
}

/// Enough for the provider's own limit of 10,000 messages in a batch.
const BODY_MAX: usize = 64 * 1024 * 1024;

/// What the handlers and the poster share.
#[derive(Debug)]
struct Shared {
    model: Mutex<Model>,
    clock: Arc<dyn Clock>,
    /// Notified when an event may be due earlier than the poster knows.
    nudge: Notify,
    /// Notified when something was seen, for requests that wait for it.
    changed: Notify,
    /// Events made by hand, to be posted next.
    by_hand: Mutex<Vec<Webhook>>,
    posts: webhooks::Counts,
    journal: Option<Journal>,
    shutdown: CancellationToken,
}

impl Shared {
    /// The model's methods complete or do not return, so a poisoned lock still guards a consistent model.
    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock()
    }

    fn by_hand(&self) -> MutexGuard<'_, Vec<Webhook>> {
        self.by_hand.lock()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Serves until `shutdown`, then completes the requests in flight. Webhooks that are still due by then are not posted.
pub async fn serve(
    listener: TcpListener,
    model: Model,
    options: SimulatorOptions,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let shared = Arc::new(Shared {
        model: Mutex::new(model),
        clock,
        nudge: Notify::new(),
        changed: Notify::new(),
        by_hand: Mutex::new(Vec::new()),
        posts: webhooks::Counts::default(),
        journal: options.journal,
        shutdown: shutdown.clone(),
    });
    let post = Post::new(options.webhook).map_err(ServeError::Client)?;
    let poster = tokio::spawn(webhooks::run(Arc::clone(&shared), post));
    let router = Router::new()
        .fallback(provider)
        .merge(files::router())
        .nest("/simulator", control::router())
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(shared);
    let served = axum::serve(CuttableListener(listener), router.into_make_service_with_connect_info::<Cut>())
        .with_graceful_shutdown(shutdown.clone().cancelled_owned())
        .await;
    // Also when the listener failed: the poster must not outlive the server.
    shutdown.cancel();
    if let Err(error) = poster.await {
        tracing::error!(%error, "the simulator's poster of webhooks failed");
    }
    served.map_err(ServeError::Listener)
}

/// Handles the provider's own addresses.
async fn provider(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    method: HttpMethod,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let method = match method {
        HttpMethod::POST => Method::Post,
        HttpMethod::DELETE => Method::Delete,
        _ => Method::Get,
    };
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let path = uri.path_and_query().map_or(uri.path(), |whole| whole.as_str());
    let call = Call { method, path, authorization, body: &body };
    let answer = {
        let now = shared.now();
        let mut model = shared.model();
        let first = model.message_count();
        let answer = model.call(&call, now);
        if let Some(journal) = &shared.journal {
            journal.note(&model, first);
        }
        answer
    };
    shared.nudge.notify_one();
    shared.changed.notify_waiters();
    answered(&shared, &cut, answer).await
}

/// Answers after the delay, or cuts the connection.
async fn answered(shared: &Shared, cut: &Cut, answer: DelayedReply) -> Response<Body> {
    if answer.after > Span::ZERO {
        shared.clock.sleep(answer.after).await;
    }
    if matches!(answer.reply, Reply::CutBeforeReading | Reply::CutAfterReading) {
        cut.now();
    }
    response(answer.reply)
}

fn response(reply: Reply) -> Response<Body> {
    // A cut reply is never written: the connection fails first.
    let Reply::Response { status, retry_after, body } = reply else { return Response::new(Body::empty()) };
    let mut response = json(body);
    *response.status_mut() = status.try_into().unwrap_or_default();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn json(body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests;
