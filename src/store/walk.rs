//! Defines the copy of a whole batch that audits, reports and exports read page by page.

use std::fmt;

use futures_util::stream::{BoxStream, Stream, TryStreamExt};

use super::{Attempt, Batch, Edition, Receipt, Result, StrayKind};
use crate::base::domain::{AddressKey, Country, Fields, Loaded, MessageKey, Plan, StepIndex, Tallies, Timestamp, Umid};
use crate::rules::engine::Note;

/// Which data of a batch to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Messages with their facts.
    Facts,
    /// The same, and the provider's ids that name more than one attempt.
    FactsAndTwins,
    /// Messages with their facts and recipients.
    FactsAndRecipients,
}

/// The progress of the copy of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    pub messages: u64,
    pub of: u64,
}

/// A copy of a batch with every fact, as of one instant.
///
/// No transaction is open while its pages are read, however long that takes.
pub struct Walk {
    pub frame: Frame,
    /// The first hundred twins; empty unless they were requested.
    pub twins: Vec<Twin>,
    pages: BoxStream<'static, Result<Vec<MessageFacts>>>,
}

impl Walk {
    pub(super) fn new(
        frame: Frame,
        twins: Vec<Twin>,
        pages: impl Stream<Item = Result<Vec<MessageFacts>>> + Send + 'static,
    ) -> Self {
        Self { frame, twins, pages: Box::pin(pages) }
    }

    /// Reads the next messages, in order; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<MessageFacts>>> {
        self.pages.try_next().await
    }
}

impl fmt::Debug for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk").field("frame", &self.frame).field("twins", &self.twins).finish_non_exhaustive()
    }
}

/// The data that exist once for a batch.
#[derive(Debug, Clone)]
pub struct Frame {
    pub batch: Batch,
    pub plan: Plan,
    /// The earlier plans, earliest first.
    pub editions: Vec<Edition>,
    /// Whether the plans still match their digests.
    pub plan_is_whole: bool,
    pub tallies: Tallies,
    /// The numbers of webhooks that belong to no attempt. They count for all batches, because their batch is unknown.
    pub strays: Vec<(StrayKind, u64)>,
}

/// A message with every fact about it.
#[derive(Debug, Clone)]
pub struct MessageFacts {
    pub message: Loaded,
    /// The recipient's country; `None` if the message has no recipient.
    pub country: Option<Country>,
    /// The address in the recipient's row; `None` if the message has no recipient.
    pub recipient_address: Option<AddressKey>,
    /// Set only in [`Scope::FactsAndRecipients`].
    pub recipient: Option<RecipientRow>,
    /// When the recipient opted out.
    pub opted_out: Option<Timestamp>,
    /// The decisions about it that no fact records.
    pub notes: Vec<Note>,
    /// In the order of the steps, and of the tries of each.
    pub attempts: Vec<Attempt>,
    /// In order of arrival.
    pub receipts: Vec<Receipt>,
}

/// What only the recipient's row has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientRow {
    pub client_message_id: Option<Box<str>>,
    pub fields: Fields,
}

/// The facts of some messages that give certain reasons of the provider.
#[derive(Debug, Clone, Default)]
pub struct CodedFacts {
    /// Rejected attempts, each with the number of its message.
    pub attempts: Vec<(u32, Attempt)>,
    pub receipts: Vec<Receipt>,
}

/// One of several attempts, of different steps or messages, that carry the same id of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin {
    pub umid: Umid,
    pub key: MessageKey,
    pub step: StepIndex,
}
