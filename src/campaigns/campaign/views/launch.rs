//! A launch as JSON.

use serde::Serialize;

use super::plan::WarningView;
use crate::base::domain::BatchState;
use crate::campaigns::campaign::{Launched, Warning};
use crate::campaigns::report::MessageResult;

/// A launched campaign.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LaunchView<'a> {
    pub id: String,
    pub name: &'a str,
    pub state: BatchState,
    pub messages: u32,
    pub rejected_rows: u64,
    pub opted_out: u64,
    /// Recipients whom an earlier retry has reached: a retry leaves them out.
    pub reached_before: u64,
    pub not_selected: u64,
    pub duplicates_across: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<String>,
    pub warnings: Vec<WarningView<'a>>,
    /// What became of each message of a test send, if the command waited for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results: Option<Vec<MessageResult>>,
}

impl<'a> LaunchView<'a> {
    pub fn new(launched: &'a Launched, state: BatchState, warnings: &'a [Warning]) -> Self {
        Self {
            id: launched.id.to_string(),
            name: &launched.name,
            state,
            messages: launched.messages,
            rejected_rows: launched.rejected,
            opted_out: launched.opted_out,
            reached_before: launched.reached_before,
            not_selected: launched.not_selected,
            duplicates_across: launched.across,
            starts_at: launched.starts_at.map(|at| at.rfc3339()),
            warnings: warnings.iter().map(WarningView::new).collect(),
            results: None,
        }
    }
}
