//! Checks what a campaign reports about itself against the recorded facts, claim by claim.
//!
//! In: everything that is on disk of a batch, as it stood at one moment. Out: each claim with the number of checks, and
//! the first messages that refute it. The audit holds a message in memory only while it checks it.

use serde::Serialize;

use super::claims::Checks;
use crate::base::domain::{BatchId, BatchState, Timestamp};
use crate::campaigns::report::Unknown;
use crate::campaigns::report::{CopyProgress, copied};
use crate::store::{KeptGap, Result, Scope, Store};

/// What an audit has found.
#[derive(Debug, Clone, Serialize)]
pub struct Audit {
    pub id: String,
    pub name: String,
    pub state: BatchState,
    /// When the facts were purged; then there is nothing left to check.
    #[serde(serialize_with = "maybe_text", skip_serializing_if = "Option::is_none")]
    pub purged_at: Option<Timestamp>,
    /// Whether every claim holds.
    pub proven: bool,
    pub claims: Vec<AuditClaim>,
    pub messages: u64,
    pub attempt_count: u64,
    /// Attempts that retried a step.
    pub retried: u64,
    pub receipt_count: u64,
    /// Attempts with an unknown result; the first thousand of `unknown_count`.
    pub unknown: Vec<Unknown>,
    pub unknown_count: u64,
    /// Webhooks of every campaign that belong to no attempt.
    pub strays: Vec<Strays>,
    /// What the facts do not contain, so that the audit takes it from the rows.
    pub cannot_tell: &'static [&'static str],
}

/// A statement that must be true of every campaign.
#[derive(Debug, Clone, Serialize)]
pub struct AuditClaim {
    pub claim: &'static str,
    pub says: &'static str,
    pub checked: u64,
    /// The unit of `checked`.
    pub unit: &'static str,
    pub refuted: u64,
    /// The first messages that refute it.
    pub examples: Vec<AuditExample>,
}

#[derive(Debug, Clone, Serialize)]
pub struct AuditExample {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    pub what: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct Strays {
    pub kind: &'static str,
    pub count: u64,
}

impl AuditClaim {
    pub const fn holds(&self) -> bool {
        self.refuted == 0
    }
}

const CANNOT_TELL: &[&str] = &[
    "attempts that the provider rejected at once: they are counted, but not recorded one by one",
    "how long a deadline was held while receipts could not arrive: the facts only show that it was not early",
    "which numbers the campaign excluded: only the message records it",
];

/// Audits a batch. Returns `None` if the batch does not exist.
///
/// Calls `seen` now and then with the number of messages copied, and later checked, and the total.
pub async fn audit(
    store: &dyn Store,
    batch: BatchId,
    mut seen: impl FnMut(CopyProgress, u64),
) -> Result<Option<Audit>> {
    let gaps = store.gaps().await?.iter().map(KeptGap::span).collect();
    let Some(mut walk) = copied(store, batch, Scope::FactsAndTwins, &mut seen).await? else { return Ok(None) };
    let all = u64::from(walk.frame.batch.messages);
    let mut checks = Checks::new(walk.frame.clone(), gaps);
    if walk.frame.batch.purged_at.is_some() {
        return Ok(Some(of(&checks, Vec::new(), Vec::new())));
    }
    while let Some(page) = walk.next().await? {
        page.iter().for_each(|whole| checks.message(whole));
        seen(CopyProgress::Seen(checks.messages), all);
    }
    checks.twins(&walk.twins);
    checks.close();
    let claims = checks.claims();
    let unknown = Unknown::all(store, &checks.frame.batch, std::mem::take(&mut checks.unknown)).await?;
    Ok(Some(of(&checks, claims, unknown)))
}

fn maybe_text<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    match at {
        Some(at) => at.as_text(serializer),
        None => serializer.serialize_none(),
    }
}

fn of(checks: &Checks, claims: Vec<AuditClaim>, unknown: Vec<Unknown>) -> Audit {
    let batch = &checks.frame.batch;
    let id = batch.public_id().to_string();
    Audit {
        name: batch.display_name(),
        id,
        state: batch.state,
        purged_at: batch.purged_at,
        proven: claims.iter().all(AuditClaim::holds),
        claims,
        messages: checks.messages,
        attempt_count: checks.attempts,
        retried: checks.retried,
        receipt_count: checks.receipts,
        unknown_count: checks.unknown_count,
        unknown,
        strays: checks.frame.strays.iter().map(|(kind, count)| Strays { kind: kind.as_str(), count: *count }).collect(),
        cannot_tell: CANNOT_TELL,
    }
}
