//! Everything that is kept of a batch, page by page: what an audit, a report and an export look at.

use std::fmt;

use futures_util::stream::{BoxStream, Stream, TryStreamExt};

use super::{Attempt, Batch, Edition, Receipt, Result, StrayKind};
use crate::domain::{Country, Loaded, MessageKey, Msisdn, Plan, Recipient, StepIndex, Tallies, Timestamp, Umid};
use crate::engine::Note;

/// How much of it is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Messages with their facts.
    Facts,
    /// The same, and whose ids from the provider name more than one attempt.
    FactsAndTwins,
    /// Messages with their facts and all that is known of the people.
    People,
}

/// How far the copy of a batch has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    pub messages: u64,
    pub of: u64,
}

/// A copy of a batch with every fact, as it all stood at one moment.
///
/// No transaction is open while its pages are read, however long that takes.
pub struct Walk {
    pub frame: Frame,
    /// Empty unless twins were asked for; the first hundred.
    pub twins: Vec<Twin>,
    pages: BoxStream<'static, Result<Vec<Whole>>>,
}

impl Walk {
    pub(super) fn new(
        frame: Frame,
        twins: Vec<Twin>,
        pages: impl Stream<Item = Result<Vec<Whole>>> + Send + 'static,
    ) -> Self {
        Self { frame, twins, pages: Box::pin(pages) }
    }

    /// The next messages, in order; nothing after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<Whole>>> {
        self.pages.try_next().await
    }
}

impl fmt::Debug for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk").field("frame", &self.frame).field("twins", &self.twins).finish_non_exhaustive()
    }
}

/// What is kept once for a batch.
#[derive(Debug, Clone)]
pub struct Frame {
    pub batch: Batch,
    pub plan: Plan,
    /// What the plan was before, earliest first.
    pub editions: Vec<Edition>,
    /// Whether the plans are still what their digests were made of.
    pub plan_is_whole: bool,
    pub tallies: Tallies,
    /// Webhooks that belong to no attempt, of every batch: nobody can say of which.
    pub strays: Vec<(StrayKind, u64)>,
}

/// A message with every fact that there is about it.
#[derive(Debug, Clone)]
pub struct Whole {
    pub message: Loaded,
    /// Of the recipient behind it; nothing where there is none.
    pub country: Option<Country>,
    /// The number of the recipient behind it; nothing where there is none.
    pub number: Option<Msisdn>,
    /// Only where people are wanted.
    pub recipient: Option<Recipient>,
    /// Since when the person wants nothing more.
    pub opted_out: Option<Timestamp>,
    /// What was decided about it and no fact tells.
    pub notes: Vec<Note>,
    /// In the order of the steps, and of the tries of each.
    pub attempts: Vec<Attempt>,
    /// In the order in which they came.
    pub receipts: Vec<Receipt>,
}

/// One of the attempts of several steps or messages that carry the same id of the provider's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin {
    pub umid: Umid,
    pub key: MessageKey,
    pub step: StepIndex,
}
