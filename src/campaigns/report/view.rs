//! A report as JSON.

use serde::Serialize;

use super::{CodeReport, CountryReport, Counts, Report};
use crate::base::domain::{BatchState, Tallies, Timestamp, rfc3339_option};
use crate::store::Batch;

/// The report of a campaign with its times, and with the breakdowns that were asked for.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ReportView<'a> {
    #[serde(flatten)]
    pub report: &'a Report,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub settled_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_country: Option<&'a [CountryReport]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_code: Option<&'a [CodeReport]>,
}

impl<'a> ReportView<'a> {
    /// The report without a breakdown.
    pub fn new(report: &'a Report, batch: &Batch) -> Self {
        let when = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
        Self {
            report,
            started_at: when(batch.started_at),
            finished_at: when(batch.finished_at),
            settled_at: when(batch.settled_at),
            by_country: None,
            by_code: None,
        }
    }
}

/// A batch of a list: of a campaign, or of calls of the API.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BatchView {
    pub id: String,
    /// The campaign's name, or a name that is made of the number.
    pub name: String,
    pub state: BatchState,
    /// Whether it belongs to a campaign.
    pub is_campaign: bool,
    pub messages: u32,
    pub counts: Counts,
    #[serde(serialize_with = "Timestamp::as_text")]
    pub created_at: Timestamp,
    #[serde(serialize_with = "rfc3339_option::serialize")]
    pub finished_at: Option<Timestamp>,
}

impl BatchView {
    pub fn new(batch: &Batch, tallies: &Tallies) -> Self {
        Self {
            id: batch.public_id().to_string(),
            name: batch.display_name(),
            state: batch.state,
            is_campaign: batch.name.is_some(),
            messages: batch.messages,
            counts: Counts::of(batch.state, tallies),
            created_at: batch.created_at,
            finished_at: batch.finished_at,
        }
    }
}
