//! Posts webhooks as the provider does: with proofs, a limited number at a time, repeated for a while and then dropped.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde::Serialize;
use tokio::task::JoinSet;

use super::{Shared, control};
use crate::base::domain::Timestamp;
use crate::practice::simulator::model::Webhook;
use crate::practice::simulator::post::{Post, WebhookTarget};
use crate::rules::wire::WebhookSetting;

/// How many events are taken from the model under one lock.
const TAKE: usize = 1_000;
/// Maximum number of posts that wait for their repeat: the load of a receiver that is down for two minutes.
const REPEATS_MAX: usize = 200_000;

/// The results of posts so far. The numbers are independent, so no order between them is promised.
#[derive(Debug, Default)]
pub(super) struct Counts {
    posted: AtomicU64,
    repeated: AtomicU64,
    dropped: AtomicU64,
    waiting: AtomicU64,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct PostsSeen {
    /// Answered with a 2xx.
    pub(super) posted: u64,
    /// Failed posts, each counted when its repeat is scheduled.
    pub(super) repeated: u64,
    /// Dropped after the last repeat.
    pub(super) dropped: u64,
    /// Waiting for their repeat.
    pub(super) waiting: u64,
}

impl Counts {
    pub(super) fn seen(&self) -> PostsSeen {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        PostsSeen {
            posted: read(&self.posted),
            repeated: read(&self.repeated),
            dropped: read(&self.dropped),
            waiting: read(&self.waiting),
        }
    }
}

/// A post, with what is needed to repeat it.
struct Parcel {
    address: Option<Arc<WebhookSetting>>,
    body: Bytes,
    tries: usize,
}

/// A parcel with the time of its repeat; the number orders parcels of the same time.
struct Waiting {
    at: Timestamp,
    number: u64,
    parcel: Parcel,
}

/// Takes due events from the model and posts them until shutdown. Events without an address are dropped.
pub(super) async fn run(shared: Arc<Shared>, post: Post) {
    let post = Arc::new(post);
    let connections = post.target().connections.max(1);
    let mut ready: VecDeque<Webhook> = VecDeque::new();
    let mut repeats: BinaryHeap<Reverse<Waiting>> = BinaryHeap::new();
    let mut in_flight: JoinSet<(Parcel, bool)> = JoinSet::new();
    let mut number = 0;
    loop {
        while in_flight.len() < connections {
            let Some(parcel) = next_parcel(&shared, &post, &mut ready, &mut repeats) else { break };
            in_flight.spawn(send(Arc::clone(&post), parcel));
        }
        shared.posts.waiting.store(repeats.len() as u64, Ordering::Relaxed);
        let repeat_at = repeats.peek().map(|Reverse(waiting)| waiting.at);
        let [next_due, next_change] = {
            let model = shared.model();
            [model.next_due(), model.next_template_change()]
        };
        let next = [next_due, next_change, repeat_at].into_iter().flatten().min();
        let full = in_flight.len() >= connections;
        let sleep = async {
            match next {
                Some(at) => shared.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.shutdown.cancelled() => return,
            Some(done) = in_flight.join_next(), if !in_flight.is_empty() => {
                if let Ok((parcel, taken)) = done {
                    number += 1;
                    settle(&shared, post.target(), &mut repeats, number, parcel, taken);
                }
            }
            () = sleep, if !full => {}
            () = shared.nudge.notified(), if !full => {}
        }
    }
}

async fn send(post: Arc<Post>, parcel: Parcel) -> (Parcel, bool) {
    let taken = post.deliver(parcel.address.as_deref(), parcel.body.clone()).await;
    (parcel, taken)
}

/// Returns the next post: a due repeat, else the events that have happened.
fn next_parcel(
    shared: &Shared,
    post: &Post,
    ready: &mut VecDeque<Webhook>,
    repeats: &mut BinaryHeap<Reverse<Waiting>>,
) -> Option<Parcel> {
    let now = shared.now();
    if repeats.peek().is_some_and(|Reverse(waiting)| waiting.at <= now) {
        return repeats.pop().map(|Reverse(waiting)| waiting.parcel);
    }
    if ready.is_empty() {
        control::take_by_hand(shared, ready);
        ready.extend(shared.model().take_template_changes(now));
        let happened = shared.model().take_due(now, TAKE);
        if !happened.is_empty() {
            ready.extend(happened);
            shared.changed.notify_waiters();
        }
        ready.retain(|webhook| post.reaches(webhook.address.as_deref()));
    }
    let first = ready.pop_front()?;
    if post.target().group <= 1 {
        return Some(Parcel { address: first.address, body: first.event.into(), tries: 0 });
    }
    let mut body = vec![b'['];
    body.extend_from_slice(&first.event);
    for _ in 1..post.target().group {
        let Some(next) = ready.pop_front_if(|next| next.address == first.address) else { break };
        body.push(b',');
        body.extend_from_slice(&next.event);
    }
    body.push(b']');
    Some(Parcel { address: first.address, body: body.into(), tries: 0 })
}

fn settle(
    shared: &Shared,
    target: &WebhookTarget,
    repeats: &mut BinaryHeap<Reverse<Waiting>>,
    number: u64,
    mut parcel: Parcel,
    taken: bool,
) {
    let posts = &shared.posts;
    if taken {
        posts.posted.fetch_add(1, Ordering::Relaxed);
        shared.changed.notify_waiters();
        return;
    }
    match target.retries.get(parcel.tries) {
        Some(pause) if repeats.len() < REPEATS_MAX => {
            parcel.tries += 1;
            posts.repeated.fetch_add(1, Ordering::Relaxed);
            repeats.push(Reverse(Waiting { at: shared.now() + *pause, number, parcel }));
        }
        _ => {
            posts.dropped.fetch_add(1, Ordering::Relaxed);
            shared.changed.notify_waiters();
        }
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}
