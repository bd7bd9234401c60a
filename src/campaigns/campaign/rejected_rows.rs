//! Counts the rows of a campaign's sources that were rejected, and why.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::recipients::audience::{Example, Reason, Source, Summary};

/// The rejected rows of one file, or of the numbers in the campaign file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RejectedRows {
    /// The name of the source, for operators.
    pub source: String,
    /// The file, if the source is one.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// Rows by reason, without those that are not the source's fault: opted-out numbers, and numbers of another source.
    pub reasons: BTreeMap<Reason, u64>,
    /// The first few rows for each reason.
    pub examples: Vec<Example>,
}

impl RejectedRows {
    /// The rejected rows of a source; `None` if there are none.
    pub(super) fn of(source: &Source, summary: &Summary) -> Option<Self> {
        let of_source = |reason: Reason| !matches!(reason, Reason::OptedOut | Reason::EarlierSource);
        let reasons: BTreeMap<Reason, u64> =
            summary.reasons.iter().filter(|(reason, _)| of_source(**reason)).map(|(r, n)| (*r, *n)).collect();
        let examples = summary.examples.iter().filter(|example| of_source(example.reason)).cloned().collect();
        let file = match source {
            Source::File(path) => Some(path.clone()),
            Source::Upload(_) | Source::Numbers { .. } => None,
        };
        (!reasons.is_empty()).then(|| Self { source: source.label(), file, reasons, examples })
    }

    pub fn total(&self) -> u64 {
        self.reasons.values().sum()
    }
}
