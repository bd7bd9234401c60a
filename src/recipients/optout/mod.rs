//! Knows which recipients opted out, and which replies are opt-outs.
//!
//! - In: the stored opt-outs, and the text of replies.
//! - Out: whether a recipient opted out ([`OptOuts`]), whether a reply means stop or start ([`Words`]), and the opt-outs
//!   and opt-ins that an operator decided ([`change`]).
//! - Promises: opted-out recipients are excluded when a file is checked, when a campaign is launched, and before each
//!   message is sent.
//! - May not: send, or delete the data of a recipient.

mod change;
mod narrow;
mod possible;
mod view;
mod words;

use std::collections::HashSet;

use crate::base::domain::{Address, ChannelUser, Msisdn, OptOutOf};
use crate::store::{Consent, Result};

pub use change::change;
pub use narrow::{is_any_to_narrow, narrow, reported, to_narrow};
pub use possible::{Decision, decide};
pub use view::{AddressView, ConsentView, OptOutView, SubjectView, WishView};
pub use words::Words;

/// Numbers read at once.
const PAGE: u32 = 50_000;

/// The recipients who have opted out of something, in memory to look up those of a whole file.
#[derive(Debug, Default)]
pub struct OptOuts {
    numbers: HashSet<Msisdn>,
    users: HashSet<ChannelUser>,
}

impl OptOuts {
    pub async fn load(store: &dyn Consent, of: OptOutOf) -> Result<Self> {
        let mut all = Self { numbers: HashSet::new(), users: store.opted_out_users(of).await?.into_iter().collect() };
        let mut after = None;
        loop {
            let page = store.opted_out_numbers(after, PAGE, of).await?;
            let Some(last) = page.last() else { return Ok(all) };
            after = Some(*last);
            all.numbers.extend(page);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.users.is_empty()
    }

    pub fn contains(&self, address: &Address) -> bool {
        match address {
            Address::Number(number) => self.numbers.contains(number),
            Address::User(user) => self.users.contains(user),
        }
    }
}
