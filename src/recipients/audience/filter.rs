//! Leaves out opted-out and repeated recipients across all sources of a campaign.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::KnownRecipients;
use super::seen::{Occurrence, SeenRecipients};
use crate::base::domain::{Address, Msisdn, OptOutOf};
use crate::store::{Consent, Result};

/// Checks the sources of one campaign, one after the other, against the opt-outs and the numbers of earlier sources. Clones
/// share their state.
#[derive(Debug, Clone, Default)]
pub struct SourceFilter {
    recipients: Arc<KnownRecipients>,
    seen: Arc<Mutex<SeenRecipients>>,
}

impl SourceFilter {
    pub fn new(recipients: Arc<KnownRecipients>) -> Self {
        Self { seen: Arc::new(Mutex::new(SeenRecipients::new(Arc::clone(&recipients)))), recipients }
    }

    /// A filter for the sources of an import, with what the store knows now. It is not known yet what they will be sent, so
    /// only those count as opted out who get nothing any more.
    pub async fn load(store: &dyn Consent) -> Result<Self> {
        Ok(Self::new(Arc::new(KnownRecipients::load(store, OptOutOf::Everything).await?)))
    }

    /// Starts the next source.
    pub fn next_source(&self) {
        self.seen().next_source();
    }

    /// Records addresses of a source, each with its index in the source. Returns the indices of those that an earlier source
    /// has. Repeats within the source are not among them: its import kept them on purpose.
    pub fn record_page<'a>(&self, addresses: impl IntoIterator<Item = (u32, &'a Address)>) -> Vec<u32> {
        let mut seen = self.seen();
        let repeated =
            addresses.into_iter().filter(|(_, address)| seen.record(address, None) == Occurrence::EarlierSource);
        repeated.map(|(n, _)| n).collect()
    }

    /// Whether one of the sources has this number and it has not opted out.
    pub fn knows(&self, msisdn: Msisdn) -> bool {
        self.seen().contains(msisdn) && !self.is_opted_out(&msisdn.into())
    }

    pub(super) fn is_opted_out(&self, address: &Address) -> bool {
        self.recipients.has_opted_out(address)
    }

    /// Locks the numbers of earlier rows; the caller keeps the lock while it reads a source.
    pub(super) fn seen(&self) -> MutexGuard<'_, SeenRecipients> {
        self.seen.lock()
    }
}
