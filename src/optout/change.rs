//! Opts recipients out or in, by their numbers or a channel's ids, as an operator decided.

use crate::domain::{ChannelUser, Keyword, Msisdn, OptOutSource, Timestamp};
use crate::store::{Consent, OptIn, OptOut, Result, UserOptIn, UserOptOut};

/// Numbers or ids written at once.
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

/// Opts channel users out or in, and the numbers that are known with them. Returns how many of the ids have changed.
pub async fn change_users(
    store: &dyn Consent,
    users: &[ChannelUser],
    wants: Keyword,
    now: Timestamp,
    how: &str,
) -> Result<u64> {
    let (from, mut changed) = (OptOutSource::Operator, 0);
    for page in users.chunks(PAGE) {
        let users = page.iter().cloned();
        changed += u64::from(match wants {
            Keyword::Stop => {
                let wish = |user| UserOptOut { user, since: now, from, source: how.to_owned() };
                store.opt_out_users(users.map(wish).collect()).await?
            }
            Keyword::Start => {
                let wish = |user| UserOptIn { user, at: now, from, source: how.to_owned() };
                store.opt_in_users(users.map(wish).collect()).await?
            }
        });
    }
    Ok(changed)
}
