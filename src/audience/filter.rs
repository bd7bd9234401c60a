//! Leaves out opted-out and repeated recipients across all sources of a campaign.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::seen::{Occurrence, SeenNumbers};
use crate::domain::Msisdn;
use crate::optout::OptOuts;

/// Checks the sources of one campaign, one after the other, against the opt-outs and the numbers of earlier sources. Clones
/// share their state.
#[derive(Debug, Clone)]
pub struct SourceFilter {
    opted_out: Arc<OptOuts>,
    known: Arc<Mutex<SeenNumbers>>,
}

impl SourceFilter {
    pub fn new(opted_out: Arc<OptOuts>) -> Self {
        Self { opted_out, known: Arc::default() }
    }

    /// Starts the next source.
    pub fn next_source(&self) {
        self.known().next_source();
    }

    /// Records numbers of a source, each with its index in the source. Returns the indices of those that an earlier source
    /// has. Repeats within the source are not among them: its import kept them on purpose.
    pub fn record_page<'a>(&self, numbers: impl IntoIterator<Item = (u32, &'a Msisdn)>) -> Vec<u32> {
        let mut known = self.known();
        let repeated = numbers.into_iter().filter(|(_, msisdn)| known.record(**msisdn) == Occurrence::EarlierSource);
        repeated.map(|(n, _)| n).collect()
    }

    /// Whether one of the sources has this number and it has not opted out.
    pub fn knows(&self, msisdn: Msisdn) -> bool {
        self.known().contains(msisdn) && !self.is_opted_out(msisdn)
    }

    pub(super) fn is_opted_out(&self, msisdn: Msisdn) -> bool {
        self.opted_out.contains(msisdn)
    }

    /// Locks the known numbers; the caller keeps the lock while it reads a source.
    pub(super) fn known(&self) -> MutexGuard<'_, SeenNumbers> {
        self.known.lock()
    }
}
