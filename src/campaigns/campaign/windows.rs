//! Counts the recipients of a campaign that WhatsApp accepts free text for at this moment.

use std::collections::BTreeMap;

use super::recipients::{PAGE, Part, Recipients};
use crate::base::config::{Config, Lane};
use crate::base::domain::{AddressKey, Msisdn, Plan, StepIndex, Timestamp};
use crate::store::{Audiences, Replies, Result, Sender, Store};

/// For each step of free text on WhatsApp, the number of recipients with an open window on its lane.
pub(super) async fn open_windows(
    store: &dyn Store,
    config: &Config,
    plan: &Plan,
    recipients: &Recipients,
    now: Timestamp,
) -> Result<BTreeMap<StepIndex, u64>> {
    let mut windows = BTreeMap::new();
    for (index, step) in plan.indexed_steps().filter(|(_, step)| step.needs_window()) {
        // Such a step has one lane.
        let Some(lane) = config.lanes_of(step).next() else { continue };
        windows.insert(index, with_window(store, &sender_of(lane), recipients, now).await?);
    }
    Ok(windows)
}

/// The sender that recipients write to when they write to a lane.
pub(super) fn sender_of(lane: &Lane) -> Sender {
    Sender { sub_account: lane.provider.sub_account.clone(), channel_id: lane.channel_id.clone() }
}

async fn with_window(store: &dyn Store, sender: &Sender, recipients: &Recipients, now: Timestamp) -> Result<u64> {
    let mut found = 0;
    let Some(filter) = &recipients.filter else {
        let mut keys = Keys::of(recipients);
        while let Some(page) = keys.next(store).await? {
            found += store.open_windows(page, sender.clone(), now).await?.len() as u64;
        }
        return Ok(found);
    };
    // Far fewer numbers write to a sender than it sends to.
    let mut holders = WindowHolders::of(sender.clone(), now);
    while let Some(page) = holders.next(store).await? {
        found += page.iter().filter(|number| filter.knows(**number)).count() as u64;
    }
    Ok(found)
}

/// The numbers with an open window on a sender, page by page.
pub(super) struct WindowHolders {
    sender: Sender,
    now: Timestamp,
    after: Option<Msisdn>,
}

impl WindowHolders {
    pub(super) const fn of(sender: Sender, now: Timestamp) -> Self {
        Self { sender, now, after: None }
    }

    pub(super) async fn next(&mut self, store: &dyn Replies) -> Result<Option<Vec<Msisdn>>> {
        let page = store.window_holders(self.sender.clone(), self.now, self.after, PAGE).await?;
        self.after = page.last().copied().or(self.after);
        Ok(Some(page).filter(|page| !page.is_empty()))
    }
}

/// The addresses of a single imported audience, page by page. The launcher has not read them yet.
pub(super) struct Keys<'a> {
    parts: std::slice::Iter<'a, Part>,
    part: Option<&'a Part>,
    from: u32,
}

impl<'a> Keys<'a> {
    pub(super) fn of(recipients: &'a Recipients) -> Self {
        let mut parts = recipients.audiences.iter();
        Self { part: parts.next(), parts, from: 0 }
    }

    pub(super) async fn next(&mut self, store: &dyn Audiences) -> Result<Option<Vec<AddressKey>>> {
        while let Some(part) = self.part {
            let page = store.address_keys(part.id, self.from, PAGE).await?;
            if !page.is_empty() {
                self.from += PAGE;
                return Ok(Some(page));
            }
            (self.part, self.from) = (self.parts.next(), 0);
        }
        Ok(None)
    }
}
