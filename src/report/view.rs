//! A report as JSON.

use serde::Serialize;

use super::{CodeReport, CountryReport, Report};
use crate::domain::Timestamp;
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
