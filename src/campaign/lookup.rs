//! Messages as people name them: by whom they go to, or one after the other.

use crate::domain::{Loaded, MessageKey, Msisdn};
use crate::store::{Batch, Result, Store};

/// Messages, or recipients, looked at in one go.
const PAGE: u32 = 5_000;

/// The messages of a batch to `whom`: a number, or a `ClientMessageId` of the recipient file. Goes through all of them,
/// since there is no index of either: a person asks, now and then.
pub async fn lookup(store: &dyn Store, batch: &Batch, whom: &str) -> Result<Vec<Loaded>> {
    if let Ok(number) = whom.trim().parse::<Msisdn>() {
        let mut found = Vec::new();
        let mut pages = Pages::of(store, batch);
        while let Some(page) = pages.next().await? {
            found.extend(page.into_iter().filter(|message| message.msisdn == number));
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    store.load(named(store, batch, whom).await?).await
}

/// The places of those whom the recipient file calls so: the messages of an audience's people follow those of the
/// audiences before it. Who stands there need not have become a message of the batch.
async fn named(store: &dyn Store, batch: &Batch, client_id: &str) -> Result<Vec<MessageKey>> {
    let mut found = Vec::new();
    let mut n: u32 = 0;
    for audience in &batch.audience_ids {
        let mut from = 0;
        loop {
            let page = store.recipients(*audience, from, PAGE).await?;
            for recipient in &page {
                if recipient.client_message_id.as_deref() == Some(client_id) {
                    found.push(MessageKey { batch: batch.id, n });
                }
                n += 1;
            }
            from += PAGE;
            if page.len() < PAGE as usize {
                break;
            }
        }
    }
    Ok(found)
}

/// A batch's messages, page by page in their order.
#[derive(Debug)]
pub struct Pages<'a> {
    store: &'a dyn Store,
    batch: &'a Batch,
    next: u32,
    seen: u32,
}

impl<'a> Pages<'a> {
    pub fn of(store: &'a dyn Store, batch: &'a Batch) -> Self {
        Self { store, batch, next: 0, seen: 0 }
    }

    /// The next of them; nothing after the last. A page may be empty: whom an earlier audience had leaves a gap.
    pub async fn next(&mut self) -> Result<Option<Vec<Loaded>>> {
        if self.seen >= self.batch.messages {
            return Ok(None);
        }
        let Some(until) = self.next.checked_add(PAGE) else { return Ok(None) };
        let keys = (self.next..until).map(|n| MessageKey { batch: self.batch.id, n }).collect();
        let page = self.store.load(keys).await?;
        self.next = until;
        self.seen = self.seen.saturating_add(u32::try_from(page.len()).unwrap_or(u32::MAX));
        Ok(Some(page))
    }
}
