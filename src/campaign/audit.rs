//! Held against the facts: what a campaign says about itself, claim by claim, for somebody who believes nothing.
//!
//! In: everything that is on disk of a batch, as it stood at one moment. Out: each claim with how much was looked at,
//! and the first messages that refute it. A message is in memory for as long as it is looked at, and no longer.

use serde::Serialize;

use super::claims::Checks;
use super::copied::{Progress, copied};
use super::report::Unknown;
use crate::domain::{BatchId, BatchState, CampaignId, Timestamp};
use crate::store::{KeptGap, Result, Scope, Store, StrayKind};

/// What an audit has found.
#[derive(Debug, Clone, Serialize)]
pub struct Audit {
    pub id: String,
    pub name: String,
    pub state: BatchState,
    /// Since when there is nothing left to look at: what it was made of has been purged.
    #[serde(serialize_with = "maybe_text", skip_serializing_if = "Option::is_none")]
    pub purged_at: Option<Timestamp>,
    /// Whether every claim holds.
    pub holds: bool,
    pub claims: Vec<Claim>,
    pub messages: u64,
    pub attempts: u64,
    /// Of these, those that a step was tried again by.
    pub tried_again: u64,
    pub receipts: u64,
    /// Attempts of which nobody knows whether they happened; the first thousand of `unknown_count`.
    pub unknown: Vec<Unknown>,
    pub unknown_count: u64,
    /// Webhooks of every campaign that belong to no attempt.
    pub strays: Vec<Strays>,
    /// What is not in the facts, and so has to be taken from the row.
    pub cannot_tell: &'static [&'static str],
}

/// Something that is said about every campaign.
#[derive(Debug, Clone, Serialize)]
pub struct Claim {
    pub claim: &'static str,
    pub says: &'static str,
    pub looked_at: u64,
    /// What was looked at.
    pub of: &'static str,
    pub refuted: u64,
    /// The first that refute it.
    pub examples: Vec<Example>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Example {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    pub what: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct Strays {
    pub kind: &'static str,
    pub count: u64,
}

impl Claim {
    pub const fn holds(&self) -> bool {
        self.refuted == 0
    }
}

const CANNOT_TELL: &[&str] = &[
    "tries that the provider gave back at once, of which only the number is kept",
    "until when a deadline was held because nobody listened: it is only known not to be early",
    "whom the campaign excluded: that stands in the message alone",
];

/// Audits a batch. `seen` hears, now and then, how many messages of how many have been copied, and then looked at. Nothing
/// where there is no such batch.
pub async fn audit(store: &dyn Store, batch: BatchId, mut seen: impl FnMut(Progress, u64)) -> Result<Option<Audit>> {
    let gaps = store.gaps().await?.iter().map(KeptGap::span).collect();
    let Some(mut walk) = copied(store, batch, Scope::FactsAndTwins, &mut seen).await? else { return Ok(None) };
    let all = u64::from(walk.frame.batch.messages);
    let mut checks = Checks::new(walk.frame.clone(), gaps);
    if walk.frame.batch.purged_at.is_some() {
        return Ok(Some(of(checks, Vec::new())));
    }
    while let Some(page) = walk.next().await? {
        page.iter().for_each(|whole| checks.message(whole));
        seen(Progress::Seen(checks.messages), all);
    }
    checks.twins(&walk.twins);
    checks.close();
    let claims = checks.claims();
    Ok(Some(of(checks, claims)))
}

fn maybe_text<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    match at {
        Some(at) => at.as_text(serializer),
        None => serializer.serialize_none(),
    }
}

fn of(mut checks: Checks, claims: Vec<Claim>) -> Audit {
    let batch = &checks.frame.batch;
    let id = CampaignId { batch: batch.id, tag: batch.tag }.to_string();
    Audit {
        name: batch.name.clone().unwrap_or_else(|| id.clone()),
        id,
        state: batch.state,
        purged_at: batch.purged_at,
        holds: claims.iter().all(Claim::holds),
        claims,
        messages: checks.messages,
        attempts: checks.attempts,
        tried_again: checks.tried_again,
        receipts: checks.receipts,
        unknown_count: checks.unknown_count,
        unknown: std::mem::take(&mut checks.unknown),
        strays: checks.frame.strays.iter().map(|(kind, count)| Strays { kind: name(*kind), count: *count }).collect(),
        cannot_tell: CANNOT_TELL,
    }
}

const fn name(kind: StrayKind) -> &'static str {
    match kind {
        StrayKind::NoAttempt => "no attempt",
        StrayKind::OtherSubaccount => "another subaccount",
        StrayKind::OtherType => "another type",
        StrayKind::Unreadable => "unreadable",
    }
}
