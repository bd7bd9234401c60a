//! Opts recipients out or in as an operator decided.

use crate::base::domain::{Address, Keyword, OptOutSource, Timestamp, WishSubject};
use crate::store::{Consent, OptIn, OptOut, Result};

/// Addresses written at once.
const PAGE: usize = 5_000;

/// Opts recipients out of a subject, or in to it. `how` says who did it and why, for their history. Returns how many
/// addresses have changed.
pub async fn change(
    store: &dyn Consent,
    addresses: &[Address],
    (wants, of): (Keyword, &WishSubject),
    now: Timestamp,
    how: &str,
) -> Result<u64> {
    let (from, mut changed) = (OptOutSource::Operator, 0);
    for page in addresses.chunks(PAGE) {
        let addresses = page.iter().cloned();
        changed += u64::from(match wants {
            Keyword::Stop => {
                let wish = |address| OptOut { address, of: of.clone(), since: now, from, source: how.to_owned() };
                store.opt_out(addresses.map(wish).collect()).await?
            }
            Keyword::Start => {
                let wish = |address| OptIn { address, of: of.clone(), at: now, from, source: how.to_owned() };
                store.opt_in(addresses.map(wish).collect()).await?
            }
        });
    }
    Ok(changed)
}
