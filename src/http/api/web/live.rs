//! The parts of pages that change while they are open, as streams of server-sent events.
//!
//! All who look at one campaign share one look a second: a task reads and renders, and each stream sends the result on. It
//! ends with the last of them. Without scripts, a page is what it was when it was loaded.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Weak};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event as StreamEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use parking_lot::Mutex;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::watch::{Receiver, Sender};

use super::campaigns::{course, latest_events};
use crate::base::domain::text::hex;
use crate::base::domain::{BatchId, BatchState, Causes, Span, Timestamp, Zone};
use crate::base::events::Origin;
use crate::campaigns::campaign::Launcher;
use crate::campaigns::status::{Look, Watcher};
use crate::http::api::Shared;
use crate::http::api::door::Patience;
use crate::http::api::native::{Answer, Call, Path, Problem, Query, found};
use crate::http::pages::{CoursePart, LivePart, Page as _, campaign_path};

/// The time between two looks.
const LOOK: Span = Span::from_secs(1);
/// How often a stream checks that its session goes on.
const RECHECK: Span = Span::from_secs(5);

/// A campaign as it was at the last look.
#[derive(Debug, Clone, Default)]
struct Shown {
    /// Changes with the content.
    id: String,
    html: Arc<str>,
    /// The charts; empty before there are some.
    course: Arc<str>,
    /// `None` before the first look.
    state: Option<BatchState>,
    is_over: bool,
    /// The campaign cannot be read any more.
    is_gone: bool,
}

/// Times are written in the zone of the reader, so those of another zone see another text.
type Key = (BatchId, Option<Zone>);

/// The campaigns that somebody looks at now.
#[derive(Debug, Default)]
pub(in crate::http::api) struct Hub(Mutex<HashMap<Key, Weak<Sender<Shown>>>>);

impl Hub {
    /// Joins those who look at a campaign, or begins to look.
    fn join(shared: &Shared, key: Key) -> Receiver<Shown> {
        let mut watched = shared.0.hub.0.lock();
        if let Some(sender) = watched.get(&key).and_then(Weak::upgrade) {
            return sender.subscribe();
        }
        let sender = Arc::new(Sender::new(Shown::default()));
        let receiver = sender.subscribe();
        watched.insert(key, Arc::downgrade(&sender));
        tokio::spawn(look_on(shared.clone(), key, sender));
        receiver
    }

    /// Ends a look that nobody shares any more; whether it did.
    fn leave(&self, key: Key, sender: &Sender<Shown>) -> bool {
        // Under the lock, nobody joins meanwhile.
        let mut watched = self.0.lock();
        let is_last = sender.receiver_count() == 0;
        if is_last {
            watched.remove(&key);
        }
        is_last
    }

    /// Ends a look for those who join later: they begin another one. One that has begun meanwhile stays.
    fn end(&self, key: Key, sender: &Arc<Sender<Shown>>) {
        let mut watched = self.0.lock();
        if watched.get(&key).is_some_and(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(sender))) {
            watched.remove(&key);
        }
    }
}

/// Looks at a campaign for as long as somebody shares it.
async fn look_on(shared: Shared, key: Key, sender: Arc<Sender<Shown>>) {
    let (batch, zone) = key;
    let stopping = shared.door.stopping();
    // A look reads, so nothing is recorded about who looks.
    let launcher = Launcher {
        store: shared.store.as_ref(),
        clock: shared.clock.as_ref(),
        chance: &shared.chance,
        config: &shared.config,
        by: Origin::SERVER,
    };
    let looked = async {
        let mut watcher = Watcher::new(&launcher, batch).await?;
        loop {
            let look = watcher.look().await?;
            let events = latest_events(&shared, &look.batch).await?;
            let html = LivePart { look: &look, events: &events, zone, course: None }.html();
            let html: Arc<str> = html.map_err(|error| Problem::failed(&error))?.into();
            let digest = Sha256::digest(html.as_bytes());
            let id = hex(&digest[..8]);
            let course = course_html(&shared, &look, zone).await?;
            let (state, is_over) = (Some(look.batch.state), look.is_over());
            let shown = Shown { id, html, course, state, is_over, is_gone: false };
            sender.send_if_modified(|last| {
                let is_new = last.id != shown.id || last.course != shown.course;
                *last = shown;
                is_new
            });
            if look.is_over() || shared.0.hub.leave(key, &sender) {
                return Ok::<_, Problem>(());
            }
            tokio::select! {
                () = shared.clock.sleep(LOOK) => {}
                () = stopping.cancelled() => return Ok(()),
            }
        }
    };
    let looked = looked.await;
    shared.0.hub.end(key, &sender);
    if let Err(problem) = looked {
        tracing::warn!(error = problem.sentence(), "cannot look at a campaign for its page");
        sender.send_modify(|last| last.is_gone = true);
    }
}

/// The charts of a campaign.
async fn course_html(shared: &Shared, look: &Look, zone: Option<Zone>) -> Answer<Arc<str>> {
    let points = course(shared, look).await?;
    let html =
        CoursePart { path: &campaign_path(&look.show.id), points: &points, zone, is_sending: look.is_sending() }.html();
    Ok(html.map_err(|error| Problem::failed(&error))?.trim().into())
}

/// The state of the campaign on the page that asks.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LiveQuery {
    #[serde(deserialize_with = "super::form::known")]
    state: Option<BatchState>,
}

pub(super) async fn live(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    Query(query): Query<LiveQuery>,
    call: Call,
    session: super::admit::Session,
    patience: Option<axum::Extension<Patience>>,
    headers: HeaderMap,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let receiver = Hub::join(&shared, (batch.id, session.0.zone));
    let caller = Arc::clone(&call.caller);
    let checked_at = shared.clock.now();
    let viewer = Viewer {
        shared,
        call,
        receiver,
        state: query.state,
        last,
        course: Arc::default(),
        waiting: None,
        checked_at,
        is_first: true,
        is_over: false,
        has_ended: false,
    };
    let changes = stream::unfold(viewer, |mut viewer| async move {
        let event = viewer.next().await?;
        Some((Ok::<_, Infallible>(event), viewer))
    });
    let answer = Sse::new(changes).keep_alive(KeepAlive::default()).into_response();
    match patience {
        Some(axum::Extension(patience)) => Ok(patience.events(&caller, answer)?),
        // A request that did not come through the door, as in tests, has no limits there.
        None => Ok(answer),
    }
}

/// One open page.
struct Viewer {
    shared: Shared,
    call: Call,
    receiver: Receiver<Shown>,
    /// The state for which the page has its controls.
    state: Option<BatchState>,
    /// The id of what the page shows.
    last: String,
    /// The charts that the page shows.
    course: Arc<str>,
    /// An event that follows the last one at once.
    waiting: Option<StreamEvent>,
    checked_at: Timestamp,
    is_first: bool,
    /// Every message has its outcome, and the page shows it.
    is_over: bool,
    has_ended: bool,
}

impl Viewer {
    /// The next change; `None` at the end.
    async fn next(&mut self) -> Option<StreamEvent> {
        loop {
            if let Some(event) = self.waiting.take() {
                return Some(event);
            }
            if self.has_ended {
                return None;
            }
            if self.is_over {
                // Without it, the browser would connect again. An event without data is none.
                self.has_ended = true;
                return Some(StreamEvent::default().event("over").data("over"));
            }
            // A look that was made before this page joined counts as well, unless it is older than the page.
            let is_fresh = |state: Option<BatchState>| state.is_some() && (self.state.is_none() || state == self.state);
            let has_first = self.is_first && is_fresh(self.receiver.borrow().state);
            self.is_first = false;
            if !has_first {
                tokio::select! {
                    // The look has ended: the browser connects again, and begins another one.
                    changed = self.receiver.changed() => changed.ok()?,
                    () = self.shared.clock.sleep(RECHECK) => {
                        if !self.goes_on().await {
                            return Some(self.reload());
                        }
                        continue;
                    }
                }
            }
            if !self.goes_on().await {
                return Some(self.reload());
            }
            let shown = self.receiver.borrow_and_update().clone();
            if shown.is_gone {
                return None;
            }
            if self.state.is_some() && shown.state != self.state {
                return Some(self.reload());
            }
            self.is_over = shown.is_over;
            if shown.course != self.course {
                self.course = Arc::clone(&shown.course);
                self.waiting = Some(StreamEvent::default().event("course").data(&shown.course));
            }
            if shown.id != self.last {
                self.last.clone_from(&shown.id);
                return Some(StreamEvent::default().event("live").id(shown.id).data(shown.html));
            }
        }
    }

    /// Ends the stream. The page is loaded again: for other controls, or for the sign-in.
    fn reload(&mut self) -> StreamEvent {
        self.has_ended = true;
        StreamEvent::default().event("reload").data("reload")
    }

    /// Whether the session goes on.
    async fn goes_on(&mut self) -> bool {
        let now = self.shared.clock.now();
        if now.since(self.checked_at) >= RECHECK {
            self.checked_at = now;
            if let Err(denied) = self.shared.0.access.recheck(&self.call.caller, now).await {
                tracing::debug!(error = %Causes(&denied), "a live page ends");
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
impl Hub {
    /// The number of campaigns that somebody looks at.
    pub(super) fn watched(&self) -> usize {
        self.0.lock().len()
    }
}
