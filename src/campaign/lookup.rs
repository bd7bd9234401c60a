//! Messages as people name them: by whom they go to, or one after the other.

use std::collections::HashMap;

use crate::domain::{AudienceId, Loaded, MessageKey, Msisdn};
use crate::store::{Batch, Result, Store, Whom};

/// Messages looked at in one go.
const PAGE: u32 = 5_000;

/// The messages of a batch to `whom`: a number, or a `ClientMessageId` of the recipient file.
pub async fn lookup(store: &dyn Store, batch: &Batch, whom: &str) -> Result<Vec<Loaded>> {
    let places = places_of(store, whom, Some(batch.audience_ids.clone())).await?;
    messages_at(store, batch, &places).await
}

/// The messages of every campaign to `whom`, in the order of their launches.
pub async fn lookup_everywhere(store: &dyn Store, whom: &str) -> Result<Vec<(Batch, Vec<Loaded>)>> {
    let places = places_of(store, whom, None).await?;
    messages_everywhere(store, store.batches(None).await?, &places).await
}

/// Of these batches.
pub(super) async fn messages_everywhere(
    store: &dyn Store,
    batches: Vec<Batch>,
    places: &Places,
) -> Result<Vec<(Batch, Vec<Loaded>)>> {
    let mut found = Vec::new();
    for batch in batches {
        if batch.audience_ids.iter().any(|audience| places.contains_key(audience)) {
            let messages = messages_at(store, &batch, places).await?;
            found.extend((!messages.is_empty()).then_some((batch, messages)));
        }
    }
    Ok(found)
}

/// Where somebody stands in audiences.
pub(super) type Places = HashMap<AudienceId, Vec<u32>>;

async fn places_of(store: &dyn Store, whom: &str, within: Option<Vec<AudienceId>>) -> Result<Places> {
    let number = whom.trim().parse::<Msisdn>().ok().map(Whom::Number);
    for whom in number.into_iter().chain([Whom::ClientId(whom.to_owned())]) {
        let places = placed(store, whom, within.clone()).await?;
        if !places.is_empty() {
            return Ok(places);
        }
    }
    Ok(Places::new())
}

pub(super) async fn placed(store: &dyn Store, whom: Whom, within: Option<Vec<AudienceId>>) -> Result<Places> {
    let mut places = Places::new();
    for (audience, n) in store.places_of(whom, within).await? {
        places.entry(audience).or_default().push(n);
    }
    Ok(places)
}

/// The messages of a batch to those who stand there. An audience's people follow those of the audiences before it; who
/// stands there need not have become a message.
async fn messages_at(store: &dyn Store, batch: &Batch, places: &Places) -> Result<Vec<Loaded>> {
    let (mut keys, mut base) = (Vec::new(), 0);
    for part in store.parts_of(batch.id).await? {
        let here = places.get(&part.id).into_iter().flatten();
        keys.extend(here.map(|n| MessageKey { batch: batch.id, n: base + n }));
        base += part.recipients;
    }
    store.load(keys).await
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
