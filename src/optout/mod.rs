//! Who wants nothing more, from whom and since when.
//!
//! In: wishes, from people and from the provider's receipts. Out: whether somebody may be written to; and whether what a
//! person wrote is a wish of that kind.
//! Promises: whoever opted out is left out when a file is checked, when a campaign is launched, and again when a
//! message is about to leave.
//! May not: send, or delete what is known of a person.

mod words;

use std::collections::HashSet;

use crate::domain::Msisdn;
use crate::store::{Result, Store};

pub use words::Words;

/// Numbers read in one go.
const PAGE: u32 = 50_000;

/// Everybody who has opted out, for looking up a whole file's numbers.
#[derive(Debug, Default)]
pub struct OptOuts(HashSet<Msisdn>);

impl OptOuts {
    pub async fn load(store: &dyn Store) -> Result<Self> {
        let mut all = HashSet::new();
        let mut after = None;
        loop {
            let page = store.opt_outs(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(Self(all)) };
            after = Some(*last);
            all.extend(page);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, msisdn: Msisdn) -> bool {
        self.0.contains(&msisdn)
    }
}
