//! Narrows the opt-outs that the provider reported before opt-outs had a purpose.

use crate::domain::{Channel, Timestamp, WishSubject};
use crate::store::{Consent, Result};

/// Opt-outs narrowed at once.
const PAGE: u32 = 1_000;

/// What the provider's report of an opt-out means: marketing on WhatsApp. From which sender is not known any more.
pub fn reported() -> WishSubject {
    WishSubject::marketing_on(Channel::WhatsApp, None)
}

/// Turns each opt-out of everything that the provider had reported into [what it reported](reported). `how` says who decided
/// that, for the history. Returns how many there were.
pub async fn narrow(store: &dyn Consent, now: Timestamp, how: &str) -> Result<u64> {
    let mut narrowed = 0;
    loop {
        match store.narrow_opt_outs(PAGE, reported(), now, how.to_owned()).await? {
            0 => return Ok(narrowed),
            some => narrowed += u64::from(some),
        }
    }
}
