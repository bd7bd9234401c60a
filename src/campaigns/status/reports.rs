//! Describes what the provider reports about lanes and accounts.

use serde::Serialize;

use crate::base::domain::Timestamp;
use crate::base::domain::text::about;
use crate::store::ProviderReport;

/// What the provider reports about a lane.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ReportedView {
    pub about: String,
    pub what: String,
    pub value: String,
    pub at: String,
}

impl ReportedView {
    pub fn new(report: &ProviderReport) -> Self {
        Self {
            about: report.about.to_string(),
            what: report.what.clone(),
            value: report.value.clone(),
            at: report.at.rfc3339(),
        }
    }
}

/// `lane promo-sg: its quality is LOW, reported by the provider 3 min ago`.
pub fn sentence_since(report: &ProviderReport, now: Timestamp) -> String {
    let ProviderReport { about: subject, what, value, at } = report;
    format!("{subject}: its {what} is {value}, reported by the provider {} ago", about(now.since(*at)))
}
