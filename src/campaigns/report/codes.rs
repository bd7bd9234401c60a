//! Lists the messages for which the provider gave a reason, page by page. No index leads from a code to them, so a page
//! looks at a bounded number of messages.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::lookup::numbers_of;
use super::reading::failure;
use crate::base::domain::{Loaded, MessageKey, Reasons, StepIndex};
use crate::store::{Batch, CodedFacts, Result, Store};

/// Numbers of messages that a page looks at.
const PAGE: u32 = 10_000;

/// When the provider gave a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodeResult {
    /// In the answer to the submission.
    Rejected,
    /// In a receipt.
    Undelivered,
}

impl CodeResult {
    pub const ALL: [Self; 2] = [Self::Rejected, Self::Undelivered];

    /// Its word in an address, as in [`CodeReport`](super::CodeReport).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Undelivered => "undelivered",
        }
    }
}

/// Reasons that the provider gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeFilter {
    pub reasons: Reasons,
    /// `None` for both.
    pub result: Option<CodeResult>,
    /// `None` for all steps.
    pub step: Option<StepIndex>,
}

impl CodeFilter {
    /// The numbers of the messages that have it.
    fn numbers(&self, facts: &CodedFacts) -> BTreeSet<u32> {
        let is_of = |result, step| self.result.is_none_or(|of| of == result) && self.step.is_none_or(|of| of == step);
        let attempts = facts.attempts.iter().filter(|(_, attempt)| is_of(CodeResult::Rejected, attempt.step));
        let receipts = facts.receipts.iter().filter(|receipt| is_of(CodeResult::Undelivered, receipt.step));
        let failures = receipts.filter(|receipt| failure(receipt).is_some()).map(|receipt| receipt.key.n);
        attempts.map(|(n, _)| *n).chain(failures).collect()
    }
}

/// Lists messages of a batch from number `from` on that have a code and are `wanted`, at most `limit`. Also returns where to
/// go on.
pub async fn messages_with_code(
    store: &dyn Store,
    batch: &Batch,
    (from, limit): (u32, u32),
    by: CodeFilter,
    wanted: impl Fn(&Loaded) -> bool,
) -> Result<(Vec<Loaded>, Option<u32>)> {
    let numbers = numbers_of(store, batch).await?;
    let end = from.saturating_add(PAGE).min(numbers);
    if from >= end {
        return Ok((Vec::new(), None));
    }
    let facts = store.coded_facts(batch.id, from..=end - 1, by.reasons).await?;
    let keys = by.numbers(&facts).into_iter().map(|n| MessageKey { batch: batch.id, n });
    let mut found = store.load(keys.collect()).await?;
    found.retain(wanted);
    let next = found.get(limit as usize).map(|message| message.key.n);
    found.truncate(limit as usize);
    Ok((found, next.or_else(|| (end < numbers).then_some(end))))
}

/// Keeps those of a few messages of a batch that have a code.
pub async fn retain_with_code(
    store: &dyn Store,
    batch: &Batch,
    messages: &mut Vec<Loaded>,
    by: CodeFilter,
) -> Result<()> {
    let mut having = BTreeSet::new();
    for n in messages.iter().map(|message| message.key.n) {
        having.append(&mut by.numbers(&store.coded_facts(batch.id, n..=n, by.reasons).await?));
    }
    messages.retain(|message| having.contains(&message.key.n));
    Ok(())
}
