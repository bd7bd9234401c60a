//! Stores single messages in groups: those that arrive while a group is written to disk are the next group.
//!
//! A call is answered once its message is on disk. Messages with the same plan are one statement instead of many, so a
//! server accepts many times as many calls as it can commit one by one.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::outline::{Outlined, add};
use crate::base::clock::{Chance, Clock};
use crate::base::config::Config;
use crate::base::domain::MessageId;
use crate::base::events::Origin;
use crate::campaigns::campaign::{LaunchError, Launcher};
use crate::store::Store;

/// Messages of one group.
const GROUP_MAX: usize = 1_000;
/// Calls that may wait for the next group; more wait before they enter the queue.
const QUEUE: usize = 4_096;

/// A single message was not stored.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the message cannot be stored: {why}")]
pub struct NotStored {
    why: Arc<LaunchError>,
}

impl NotStored {
    pub(super) fn why(&self) -> &LaunchError {
        &self.why
    }
}

#[derive(Debug)]
struct Waiting {
    message: Outlined,
    answer: oneshot::Sender<Result<MessageId, NotStored>>,
}

/// What stores messages, and under which configuration.
#[derive(Debug, Clone)]
pub(super) struct Stores {
    pub(super) config: Arc<Config>,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Arc<Chance>,
}

impl Stores {
    pub(super) fn launcher(&self) -> Launcher<'_> {
        let Self { config, store, clock, chance } = self;
        Launcher { store: store.as_ref(), clock: clock.as_ref(), chance, config, by: Origin::SERVER }
    }
}

/// The way to a task that stores single messages in groups.
#[derive(Debug, Clone)]
pub(super) struct Acceptor(mpsc::Sender<Waiting>);

impl Acceptor {
    /// Starts the task. It ends once `stop` is cancelled and every message that it had taken is stored.
    pub(super) fn start(stores: Stores, stop: CancellationToken) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(run(stores, receiver, stop));
        Self(sender)
    }

    /// Stores a message. It is on disk when this returns an id; on an error it is not stored.
    pub(super) async fn store(&self, message: Outlined) -> Option<Result<MessageId, NotStored>> {
        let (answer, stored) = oneshot::channel();
        self.0.send(Waiting { message, answer }).await.ok()?;
        stored.await.ok()
    }
}

async fn run(stores: Stores, mut waiting: mpsc::Receiver<Waiting>, stop: CancellationToken) {
    let mut group = Vec::new();
    loop {
        let taken = tokio::select! {
            taken = waiting.recv_many(&mut group, GROUP_MAX) => taken,
            () = stop.cancelled(), if !waiting.is_closed() => {
                // What was sent before is still received.
                waiting.close();
                continue;
            }
        };
        if taken == 0 {
            return;
        }
        store_group(&stores, &mut group).await;
    }
}

async fn store_group(stores: &Stores, group: &mut Vec<Waiting>) {
    // The messages of each plan, with the calls that wait for them.
    let mut plans = Vec::new();
    for Waiting { message, answer } in group.drain(..) {
        add(&mut plans, message, answer);
    }
    let launcher = stores.launcher();
    // The store commits them together.
    join_all(plans.into_iter().map(async |(plan, messages, answers)| {
        match launcher.join(plan, messages).await {
            Ok(joined) => {
                for (position, answer) in (0..).zip(answers) {
                    // A caller may have gone; its message is sent all the same.
                    let _ = answer.send(Ok(joined.message_id(position)));
                }
            }
            Err(error) => {
                let why = NotStored { why: Arc::new(error) };
                answers.into_iter().for_each(|answer| drop(answer.send(Err(why.clone()))));
            }
        }
    }))
    .await;
}
