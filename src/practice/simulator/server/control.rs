//! `/simulator/…`: what the model has seen, and which faults are on. The real provider has none of it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::webhooks::PostsSeen;
use super::{Shared, json};
use crate::base::domain::{Channel, Msisdn, Span};
use crate::practice::simulator::Faults;
use crate::practice::simulator::model::{InboundMessage, SeenTotals, Webhook, Writer, Written};

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/seen", get(seen))
        .route("/seen/{recipient}", get(seen_by_recipient))
        .route("/messages", get(messages))
        .route("/faults", get(faults).post(set_faults).delete(clear_faults))
        .route("/wait", get(wait))
        .route("/inbound", post(inbound))
        .route("/webhook", post(webhook))
        .route("/events/{kind}", post(super::events::make))
        .route("/blacklisted", get(blacklisted))
}

#[derive(Serialize)]
struct SeenBody<'a> {
    #[serde(flatten)]
    seen: &'a SeenTotals,
    webhooks: PostsSeen,
}

fn seen_body(shared: &Shared) -> Response<Body> {
    let webhooks = shared.posts.seen();
    body_of(&SeenBody { seen: shared.model().seen(), webhooks })
}

async fn seen(State(shared): State<Arc<Shared>>) -> Response<Body> {
    seen_body(&shared)
}

async fn seen_by_recipient(State(shared): State<Arc<Shared>>, Path(recipient): Path<String>) -> Response<Body> {
    let recipient = recipient.trim();
    if let Ok(to) = recipient.parse::<Msisdn>() {
        return body_of(&shared.model().messages_to(to));
    }
    match shared.model().messages_to_user(recipient) {
        found if found.is_empty() => {
            refused(&"no message was accepted for this recipient; write a number as +6591234567")
        }
        found => body_of(&found),
    }
}

/// Returns the addresses in the blacklisted group of contacts.
async fn blacklisted(State(shared): State<Arc<Shared>>) -> Response<Body> {
    body_of(&shared.model().blacklisted().collect::<Vec<_>>())
}

/// How many messages are written under one lock, so that requests are served in between.
const CHUNK: u32 = 500;

/// Returns every message, one a line, as it is when its line is written.
async fn messages(State(shared): State<Arc<Shared>>) -> Response<Body> {
    let lines = futures_util::stream::unfold(0, move |from| {
        let shared = Arc::clone(&shared);
        async move {
            let model = shared.model();
            let to = model.message_count().min(from + CHUNK);
            let mut lines = Vec::new();
            for message in (from..to).filter_map(|n| model.message(n)) {
                // Plain structs cannot fail to serialize into memory.
                let _ = serde_json::to_writer(&mut lines, &message);
                lines.push(b'\n');
            }
            (from < to).then(|| (Ok::<_, Infallible>(Bytes::from(lines)), to))
        }
    });
    json(Body::from_stream(lines))
}

async fn faults(State(shared): State<Arc<Shared>>) -> Response<Body> {
    body_of(shared.model().faults())
}

/// Sets the faults that the body names; the others keep their values.
async fn set_faults(State(shared): State<Arc<Shared>>, body: Bytes) -> Response<Body> {
    let changes: Value = match serde_json::from_slice(&body) {
        Ok(changes) => changes,
        Err(error) => return refused(&error),
    };
    let mut model = shared.model();
    match model.faults().with(&changes) {
        Ok(faults) => {
            model.set_faults(faults);
            body_of(model.faults())
        }
        Err(error) => refused(&error),
    }
}

async fn clear_faults(State(shared): State<Arc<Shared>>) -> Response<Body> {
    let mut model = shared.model();
    model.set_faults(Faults::default());
    body_of(model.faults())
}

/// How much must have been seen; a count that is not named is not waited for.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Until {
    requests: u64,
    messages: u64,
    delivered: u64,
    receipts: u64,
    /// Webhooks that were answered with a 2xx.
    posted: u64,
    /// After this time the answer is 408, with what has been seen.
    timeout: Span,
}

impl Default for Until {
    fn default() -> Self {
        Self { requests: 0, messages: 0, delivered: 0, receipts: 0, posted: 0, timeout: Span::from_secs(60) }
    }
}

impl Until {
    fn met(&self, shared: &Shared) -> bool {
        let posted = shared.posts.seen().posted;
        let model = shared.model();
        let seen = model.seen();
        let delivered: u64 = seen.channels.iter().map(|channel| channel.delivered).sum();
        seen.requests >= self.requests
            && seen.messages >= self.messages
            && seen.receipts >= self.receipts
            && delivered >= self.delivered
            && posted >= self.posted
    }
}

/// Answers once this much has been seen. A test waits for it before a kill or a fault, instead of sleeping.
async fn wait(State(shared): State<Arc<Shared>>, Query(until): Query<Until>) -> Response<Body> {
    let mut timeout = shared.clock.sleep(until.timeout);
    loop {
        let mut changed = std::pin::pin!(shared.changed.notified());
        // Before the check, so no change is missed meanwhile.
        changed.as_mut().enable();
        if until.met(&shared) {
            return seen_body(&shared);
        }
        tokio::select! {
            () = &mut changed => {}
            () = &mut timeout => break,
            () = shared.shutdown.cancelled() => break,
        }
    }
    let mut response = seen_body(&shared);
    *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
    response
}

/// A recipient is named by number, or by the id of a channel that shows none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InboundBody {
    msisdn: Option<Msisdn>,
    user_id: Option<String>,
    #[serde(default = "whatsapp")]
    channel: Channel,
    /// A text, or the provider's own type and content of any other message.
    text: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    content: Option<Value>,
    /// The umid of the message that it answers.
    reply_to: Option<String>,
    sub_account: Option<String>,
    /// Whether an advertisement led the recipient to write.
    #[serde(default)]
    ad: bool,
}

impl InboundBody {
    fn message(self) -> Result<InboundMessage, &'static str> {
        let from = match (self.msisdn, self.user_id) {
            (Some(number), None) => Writer::Number(number),
            (None, Some(id)) => Writer::UserId(id),
            _ => return Err("name the recipient either by msisdn or by user_id"),
        };
        let written = match (self.text, self.kind, self.content) {
            (Some(text), None, None) => Written::text(&text),
            (None, Some(kind), Some(content)) if content.is_object() => Written { kind, content },
            _ => return Err("write either a text, or a type with its content, which is an object"),
        };
        let Self { channel, reply_to, sub_account, ad: is_from_an_ad, .. } = self;
        Ok(InboundMessage { from, channel, written, reply_to, sub_account, is_from_an_ad })
    }
}

const fn whatsapp() -> Channel {
    Channel::WhatsApp
}

/// Lets a recipient write to us.
async fn inbound(State(shared): State<Arc<Shared>>, body: Bytes) -> Response<Body> {
    let body = match serde_json::from_slice::<InboundBody>(&body) {
        Ok(body) => body,
        Err(error) => return refused(&error),
    };
    match body.message() {
        Ok(message) => {
            let now = shared.now();
            let event = shared.model().inbound(message, now);
            post_by_hand(&shared, vec![event])
        }
        Err(error) => refused(&error),
    }
}

/// Posts the body as an event, with our proofs and repeats: any event of a test. A recipient's message opens their window,
/// as one of the model's own does.
async fn webhook(State(shared): State<Arc<Shared>>, body: Bytes) -> Response<Body> {
    let address = {
        let mut model = shared.model();
        model.take_inbound(&body, shared.now());
        model.address_of(&body)
    };
    post_by_hand(&shared, vec![Webhook { address, event: body.to_vec() }])
}

/// Operators post slowly; the limit only keeps a mistake from filling the memory.
const BY_HAND_MAX: usize = 100_000;

pub(super) fn post_by_hand(shared: &Shared, events: Vec<Webhook>) -> Response<Body> {
    let mut waiting = shared.by_hand();
    if waiting.len() >= BY_HAND_MAX {
        return refused(&"too many events are waiting to be posted; try again after some were posted");
    }
    waiting.extend(events);
    drop(waiting);
    shared.nudge.notify_one();
    json("{}")
}

fn body_of(value: &impl Serialize) -> Response<Body> {
    json(serde_json::to_string(value).unwrap_or_default())
}

pub(super) fn refused(why: &dyn std::fmt::Display) -> Response<Body> {
    let mut response = json(serde_json::json!({"error": why.to_string()}).to_string());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// Takes the events made by hand, which the poster sends before all others.
pub(super) fn take_by_hand(shared: &Shared, into: &mut VecDeque<Webhook>) {
    into.extend(shared.by_hand().drain(..));
}
