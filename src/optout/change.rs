//! Opts numbers out or in, as an operator decided.

use crate::domain::{Keyword, Msisdn, OptOutSource, Timestamp};
use crate::store::{Consent, OptIn, OptOut, Result};

/// Numbers written at once.
const PAGE: usize = 5_000;

/// Opts numbers out or in. `how` says who did it and why, for the history of the numbers. Returns how many have changed.
pub async fn change(store: &dyn Consent, numbers: &[Msisdn], wants: Keyword, now: Timestamp, how: &str) -> Result<u64> {
    let (from, mut changed) = (OptOutSource::Operator, 0);
    for page in numbers.chunks(PAGE) {
        let numbers = page.iter().copied();
        changed += u64::from(match wants {
            Keyword::Stop => {
                let wish = |msisdn| OptOut { msisdn, since: now, from, source: how.to_owned() };
                store.opt_out(numbers.map(wish).collect()).await?
            }
            Keyword::Start => {
                let wish = |msisdn| OptIn { msisdn, at: now, from, source: how.to_owned() };
                store.opt_in(numbers.map(wish).collect()).await?
            }
        });
    }
    Ok(changed)
}
