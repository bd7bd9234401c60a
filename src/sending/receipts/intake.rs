//! The entry for webhooks, where they wait for their group.

use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::callbacks::{Callback, WebhookArrived};
use super::incoming::{Ours, Parsed, Portions};
use crate::base::clock::Clock;
use crate::base::domain::Timestamp;
use crate::rules::wire;

/// Bodies that may wait. A provider that has to wait longer repeats the receipt later.
const WAITING_MAX: usize = 4_096;

/// Why a webhook could not be stored. The provider is asked to repeat it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot store the receipt: {reason}")]
pub struct NotStored {
    reason: String,
}

impl NotStored {
    pub(super) fn new(reason: impl Display) -> Self {
        Self { reason: reason.to_string() }
    }
}

/// One webhook that waits for its commit.
pub(crate) struct WaitingWebhook {
    pub(super) since: Timestamp,
    pub(super) parsed: Parsed,
    pub(super) done: oneshot::Sender<Result<(), NotStored>>,
}

/// The entry for webhooks. Cheap to clone, one for each connection.
#[derive(Debug, Clone)]
pub struct Intake {
    queue: mpsc::Sender<WaitingWebhook>,
    ours: Arc<Ours>,
    clock: Arc<dyn Clock>,
    on_webhook: Callback<WebhookArrived>,
}

impl Intake {
    /// Returns the intake and the queue that it fills.
    pub(super) fn new(
        ours: Ours,
        clock: Arc<dyn Clock>,
        on_webhook: Callback<WebhookArrived>,
    ) -> (Self, mpsc::Receiver<WaitingWebhook>) {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        (Self { queue, ours: Arc::new(ours), clock, on_webhook }, waiting)
    }

    /// Stores and applies a verified body, a portion at a time. Returns once all of it is on disk. If a portion cannot be
    /// stored, the provider repeats the body, and what was stored of it changes nothing.
    pub async fn take(&self, body: Bytes) -> Result<(), NotStored> {
        let since = self.now();
        // The body is a slice of the connection's read buffer, which could not be reused while the receipt waits.
        let own = Bytes::from(wire::mended(&body).into_owned());
        drop(body);
        let mut portions = Portions::of(&own, Some(&self.ours), since).peekable();
        if portions.peek().is_none() {
            self.on_webhook.call(WebhookArrived { subaccounts: Vec::new(), at: since });
        }
        for mut parsed in portions {
            self.on_webhook.call(WebhookArrived { subaccounts: std::mem::take(&mut parsed.subaccounts), at: since });
            if parsed.is_empty() {
                // A long body without anything to store so far must not keep this thread from others.
                tokio::task::yield_now().await;
            } else {
                self.keep(parsed, since).await?;
            }
        }
        Ok(())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns once everything in it is on disk and applied.
    pub(super) async fn keep(&self, parsed: Parsed, since: Timestamp) -> Result<(), NotStored> {
        let (done, answer) = oneshot::channel();
        let closed = |_| NotStored::new("the server is stopping");
        self.queue.send(WaitingWebhook { since, parsed, done }).await.map_err(|_| closed(()))?;
        answer.await.map_err(|_| closed(()))?
    }
}
