//! Narrows the opt-outs that the provider reported before opt-outs had a purpose.

use crate::base::domain::{Channel, Timestamp, WishSubject};
use crate::store::{Consent, Cursor, OptOut, Result};

/// Opt-outs read at once.
const PAGE: u32 = 1_000;
/// Where all of a page are to stay as they are, the next may have one that is not.
const PAGES_LOOKED_AT: usize = 20;

/// What the provider's report of an opt-out means: marketing on WhatsApp. From which sender is not known any more.
pub fn reported() -> WishSubject {
    WishSubject::marketing_on(Channel::WhatsApp, None)
}

/// Turns each opt-out of everything that the provider had reported into [what it reported](reported). `how` says who decided
/// that, for the history. Returns how many there were.
pub async fn narrow(store: &dyn Consent, now: Timestamp, how: &str) -> Result<u64> {
    let (mut narrowed, mut after) = (0, Some(Cursor::START));
    while let Some(from) = after {
        let (some, next) = store.narrow_opt_outs((from, PAGE), reported(), now, how.to_owned()).await?;
        (narrowed, after) = (narrowed + u64::from(some), next);
    }
    Ok(narrowed)
}

/// Whether anything is to be narrowed, among as much as a look at the state of a server may read.
pub async fn is_any_to_narrow(store: &dyn Consent) -> Result<bool> {
    let mut after = Some(Cursor::START);
    for _ in 0..PAGES_LOOKED_AT {
        let Some(from) = after else { break };
        let (some, next) = store.reported_opt_outs(from, PAGE).await?;
        if !some.is_empty() {
            return Ok(true);
        }
        after = next;
    }
    Ok(false)
}

/// Lists what [`narrow`] would turn into opt-outs of marketing.
pub async fn to_narrow(store: &dyn Consent) -> Result<Vec<OptOut>> {
    let (mut found, mut after) = (Vec::new(), Some(Cursor::START));
    while let Some(from) = after {
        let (some, next) = store.reported_opt_outs(from, PAGE).await?;
        found.extend(some);
        after = next;
    }
    Ok(found)
}
