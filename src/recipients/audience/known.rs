//! What the store knows of recipients before a source is read: who opted out, and which numbers are one recipient's.

use crate::base::domain::{Address, LearnedSpellings, Msisdn, OptOutOf};
use crate::recipients::optout::OptOuts;
use crate::store::{Consent, Result};

#[derive(Debug, Default)]
pub struct KnownRecipients {
    opted_out: OptOuts,
    spellings: LearnedSpellings,
}

impl KnownRecipients {
    /// Loads it; opted out are those who opted out of this, or of more.
    pub async fn load(store: &dyn Consent, of: OptOutOf) -> Result<Self> {
        let opted_out = OptOuts::load(store, of).await?;
        let mut spellings = LearnedSpellings::default();
        for (called, number) in store.numbers_called_by_others().await? {
            spellings.link(called, number);
        }
        Ok(Self { opted_out, spellings })
    }

    pub fn nobody_has_opted_out(&self) -> bool {
        self.opted_out.is_empty()
    }

    pub fn has_opted_out(&self, address: &Address) -> bool {
        self.opted_out.contains(address)
    }

    /// The number under which a recipient is known, whichever of the recipient's numbers is given.
    pub fn recipient_of(&self, number: Msisdn) -> Msisdn {
        self.spellings.recipient_of(number)
    }
}
