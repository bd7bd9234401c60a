//! Decisions of operators as JSON.

use serde::Serialize;

use super::plan::WarningView;
use crate::base::domain::{BatchState, StepIndex};
use crate::base::events::{Certificate, ChangedKey};
use crate::campaigns::campaign::{CarriedOut, StepCarriedOut, TemplateCarriedOut};
use crate::campaigns::report::Counts;
use crate::store::Batch;

/// A campaign after a decision.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DecisionView {
    pub id: String,
    pub name: String,
    pub state: BatchState,
    pub counts: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    pub noted: Option<bool>,
    /// Steps that stay held because one of their limits is used up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub used_up: Vec<u8>,
}

impl DecisionView {
    pub fn new(batch: &Batch, done: &CarriedOut) -> Self {
        Self {
            id: batch.public_id().to_string(),
            name: batch.display_name(),
            state: done.state,
            counts: done.counts,
            certificate: done.certificate,
            noted: done.noted.by_all(),
            used_up: done.used_up.iter().filter_map(|kept| Some(kept.step?.get() + 1)).collect(),
        }
    }
}

/// A step after it was held or released.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StepDecisionView {
    pub id: String,
    pub name: String,
    pub step: u8,
    pub held: bool,
    pub queued: i64,
    pub noted: Option<bool>,
}

impl StepDecisionView {
    pub fn new(batch: &Batch, step: StepIndex, done: &StepCarriedOut) -> Self {
        Self {
            id: batch.public_id().to_string(),
            name: batch.display_name(),
            step: step.get() + 1,
            held: done.held.is_some(),
            queued: done.queued,
            noted: done.noted.by_all(),
        }
    }
}

/// A template after a decision about it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TemplateDecisionView<'a> {
    pub template: &'a str,
    pub lanes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released: Option<u32>,
    pub noted: Option<bool>,
}

impl<'a> TemplateDecisionView<'a> {
    pub fn new(template: &'a str, done: &'a TemplateCarriedOut) -> Self {
        Self { template, lanes: &done.lanes, released: done.released, noted: done.noted.by_all() }
    }
}

/// A campaign with a new name.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RenameView {
    pub id: String,
    pub name: String,
    /// The former name.
    pub before: String,
}

impl RenameView {
    /// `batch` is the campaign before.
    pub fn new(batch: &Batch, name: String) -> Self {
        Self { id: batch.public_id().to_string(), name, before: batch.display_name() }
    }
}

/// A campaign after a change of its rules.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ChangeView<'a> {
    pub id: String,
    pub name: String,
    pub state: BatchState,
    pub changes: &'a [ChangedKey],
    pub brought_forward: u64,
    pub noted: Option<bool>,
    /// What is doubtful about its present limits.
    pub warnings: Vec<WarningView<'a>>,
}
