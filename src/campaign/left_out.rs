//! Who of what was read for a campaign gets nothing, and why.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::audience::{Example, Reason, Source, Summary};

/// What was rejected of one file, or of the numbers that the campaign itself names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// What people call it.
    pub source: String,
    /// Where it can be looked at again.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// Those that are no fault of the source stay out: people who opted out, and whom another source has.
    pub reasons: BTreeMap<Reason, u64>,
    /// The first few of each reason.
    pub examples: Vec<Example>,
}

impl LeftOut {
    /// Nothing where every row was taken.
    pub(super) fn of(source: &Source, summary: &Summary) -> Option<Self> {
        let of_source = |reason: Reason| !matches!(reason, Reason::OptedOut | Reason::Elsewhere);
        let reasons: BTreeMap<Reason, u64> =
            summary.reasons.iter().filter(|(reason, _)| of_source(**reason)).map(|(r, n)| (*r, *n)).collect();
        let examples = summary.examples.iter().filter(|example| of_source(example.reason)).cloned().collect();
        let file = match source {
            Source::File(path) => Some(path.clone()),
            Source::Numbers { .. } => None,
        };
        (!reasons.is_empty()).then(|| Self { source: source.label(), file, reasons, examples })
    }

    pub fn total(&self) -> u64 {
        self.reasons.values().sum()
    }
}
