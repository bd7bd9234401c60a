//! Carries out a decision of an operator about one message: cancel it, or release one that is set aside.

use std::sync::Arc;

use crate::base::clock::Clock;
use crate::base::domain::{Loaded, MessageId, MessageKey, Outcome, State};
use crate::base::events::{self, EventKind, Origin, Subject};
use crate::rules::engine::{CallOff, Event};
use crate::sending::book::Book;
use crate::store::{self, Batch, Store};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageDecision {
    /// Nothing more of it is submitted: what was never submitted is cancelled, else the present step is the last.
    Cancel,
    /// It was set aside, and returns to its queue.
    Release,
}

/// Why a decision about a message was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum MessageDecisionError {
    #[error("the message is no longer stored")]
    Gone,

    #[error("{id} is being submitted; cancel it again once the provider has answered")]
    UnderWay { id: MessageId },

    #[error("{id} has its outcome already: {outcome}")]
    Ended { id: MessageId, outcome: Outcome },

    #[error("{id} is not set aside; only a message that is set aside can be released")]
    NotSetAside { id: MessageId },

    #[error(
        "{id} cannot be released: its ttl, its own expiry or the end of its campaign has passed, or the campaign was cancelled"
    )]
    TimeOver { id: MessageId },

    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Carries out a decision, and returns the message after it. A repeated cancel succeeds.
pub async fn carry_out_on_message(
    store: &Arc<dyn Store>,
    clock: &dyn Clock,
    (batch, key): (&Batch, MessageKey),
    decision: MessageDecision,
    by: &Origin,
) -> Result<Loaded, MessageDecisionError> {
    let id = MessageId { key, tag: batch.tag };
    let entry = Book::new(Arc::clone(store)).get(batch.id).await?.ok_or(MessageDecisionError::Gone)?;
    loop {
        let message = store.load(vec![key]).await?.into_iter().next().ok_or(MessageDecisionError::Gone)?;
        let now = clock.now();
        let (event, kind) = match (decision, message.present.state) {
            (MessageDecision::Release, _) if !message.present.is_set_aside() => {
                return Err(MessageDecisionError::NotSetAside { id });
            }
            (_, State::Done { outcome, .. }) => return Err(MessageDecisionError::Ended { id, outcome }),
            (_, State::Sending { .. }) => return Err(MessageDecisionError::UnderWay { id }),
            (MessageDecision::Release, _) => (Event::Released, EventKind::MessageReleased { message: id.to_string() }),
            (MessageDecision::Cancel, _) => {
                (Event::CalledOff(CallOff::Cancel), EventKind::MessageCancelled { message: id.to_string() })
            }
        };
        let Some(change) = entry.decide(&message, event, now) else {
            return match decision {
                // It is cancelled already.
                MessageDecision::Cancel => Ok(message),
                MessageDecision::Release => Err(MessageDecisionError::TimeOver { id }),
            };
        };
        // Another change may have come first; then the decision is about the present state.
        if store.record(vec![change]).await?.is_empty() {
            let subject = Subject::campaign(batch.id, batch.name.as_deref());
            let origin = by.clone();
            store.record_event(events::Event { at: now, subject, origin, kind }).await?;
            return store.load(vec![key]).await?.into_iter().next().ok_or(MessageDecisionError::Gone);
        }
    }
}
