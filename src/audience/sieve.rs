//! Who of a campaign's people is left out, whichever of its sources they come from.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::known::{Known, Met};
use crate::domain::Msisdn;
use crate::optout::OptOuts;

/// What the sources of one campaign are held against, one after the other. Clones share what they know.
#[derive(Debug, Clone)]
pub struct Sieve {
    opted_out: Arc<OptOuts>,
    known: Arc<Mutex<Known>>,
}

impl Sieve {
    pub fn new(opted_out: Arc<OptOuts>) -> Self {
        Self { opted_out, known: Arc::default() }
    }

    /// What comes from here on is another source's.
    pub fn next_source(&self) {
        self.known().next_source();
    }

    /// Notes the numbers of one page of a source; returns the places of those that an earlier source has had. What
    /// stands several times in the source itself is its own affair: somebody has asked for it.
    pub fn had_elsewhere(&self, from: u32, numbers: &[Msisdn]) -> Vec<u32> {
        let mut known = self.known();
        let met = (from..).zip(numbers).filter(|(_, msisdn)| known.meet(**msisdn) == Met::Elsewhere);
        met.map(|(n, _)| n).collect()
    }

    /// Whether one of the sources has this number, and its person wants messages.
    pub fn knows(&self, msisdn: Msisdn) -> bool {
        self.known().contains(msisdn) && !self.is_opted_out(msisdn)
    }

    pub(super) fn is_opted_out(&self, msisdn: Msisdn) -> bool {
        self.opted_out.contains(msisdn)
    }

    /// Held for as long as a source is read.
    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
