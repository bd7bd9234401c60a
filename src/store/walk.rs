//! Everything that is kept of a batch, page by page: what an audit, a report and an export look at.

use super::{Attempt, Batch, Edition, Loaded, Receipt, StrayKind};
use crate::domain::{Country, MessageKey, Msisdn, Plan, Recipient, StepIndex, Tallies, Timestamp, Umid};

/// How much of it is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Messages with their facts.
    Facts,
    /// The same, and at the end whose ids from the provider name more than one attempt.
    FactsAndTwins,
    /// Messages with their facts and all that is known of the people.
    People,
}

/// A piece of a walk. The first is the batch, then come its messages in order.
#[derive(Debug)]
pub enum Page {
    Batch(Box<Frame>),
    Messages(Vec<Whole>),
    Twins(Vec<Twin>),
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
