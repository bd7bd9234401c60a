//! Finds messages by recipient, or reads them one after the other.

use std::collections::HashMap;

use crate::base::domain::{Address, AttemptId, AudienceId, BatchId, Loaded, MessageId, MessageKey, Umid};
use crate::store::{AudiencePart, Audiences, Batch, Key, Messages, Result, Store, Whom};

/// Messages read at once.
pub(super) const PAGE: u32 = 5_000;

/// Finds the messages of a batch to `whom`: a number, or a `ClientMessageId` of the recipient file.
pub async fn lookup(store: &dyn Store, batch: &Batch, whom: &str) -> Result<Vec<Loaded>> {
    let positions = positions_of(store, whom, Some(batch.audience_ids.clone())).await?;
    messages_at(store, batch, &positions).await
}

/// Finds the messages of every campaign to `whom`, in the order of the launches.
pub async fn lookup_everywhere(store: &dyn Store, whom: &str) -> Result<Vec<(Batch, Vec<Loaded>)>> {
    let positions = positions_of(store, whom, None).await?;
    messages_everywhere(store, store.batches(None).await?, &positions).await
}

/// Finds the message with this public id: of the message (`msg_…`, or its UUID), of an attempt (`att_…`), or the
/// provider's umid of one.
pub async fn message_by_id(store: &dyn Store, text: &str) -> Result<Option<(Batch, MessageKey)>> {
    let named = || {
        let message = text.parse::<MessageId>().map(|id| (id.key, id.tag));
        message.or_else(|_| text.parse::<AttemptId>().map(|id| (id.key, id.tag)))
    };
    // The umid comes first, because a UUID of the provider may look like one of ours.
    let (key, tag) = match store.find(vec![Key::Umid(Umid::new(text))]).await?.pop().flatten() {
        Some(found) => (found.message.key, None),
        None => match named() {
            Ok((key, tag)) => (key, Some(tag)),
            Err(_) => return Ok(None),
        },
    };
    // The tag tells an id of this database from one of another.
    let batch = store.batch(key.batch).await?.filter(|batch| tag.is_none_or(|tag| batch.tag == tag));
    let Some(batch) = batch.filter(|batch| batch.purged_at.is_none()) else { return Ok(None) };
    Ok((!store.load(vec![key]).await?.is_empty()).then_some((batch, key)))
}

/// Lists messages of a batch from number `from` on that are `wanted`, at most `limit`. Also returns where to go on.
///
/// - Looks at a few thousand numbers at most, so there may be fewer than `limit` although others follow.
pub async fn messages_from(
    store: &dyn Store,
    batch: &Batch,
    mut from: u32,
    limit: u32,
    wanted: impl Fn(&Loaded) -> bool,
) -> Result<(Vec<Loaded>, Option<u32>)> {
    let numbers = numbers_of(store, batch).await?;
    let end = from.saturating_add(PAGE).min(numbers);
    let (mut found, mut size) = (Vec::new(), limit);
    while from < end {
        // Most pages are full after the first numbers.
        let until = from.saturating_add(size.max(1)).min(end);
        for message in store.load((from..until).map(|n| MessageKey { batch: batch.id, n }).collect()).await? {
            if found.len() == limit as usize {
                return Ok((found, Some(message.key.n)));
            }
            if wanted(&message) {
                found.push(message);
            }
        }
        (from, size) = (until, size.saturating_mul(2));
    }
    Ok((found, (end < numbers).then_some(end)))
}

/// The number after that of the last message. Left-out recipients leave gaps, so there are more numbers than messages.
pub async fn numbers_of(store: &dyn Store, batch: &Batch) -> Result<u32> {
    let parts = store.parts_of(batch.id).await?;
    Ok(parts.iter().map(|part| part.recipients).sum::<u32>().max(batch.messages))
}

/// One page of the messages of a batch to a recipient, from message `from` on, and where the next page begins. `limit`
/// messages are looked at.
pub async fn messages_to_within(
    store: &dyn Store,
    batch: &Batch,
    whom: Whom,
    from: u32,
    limit: u32,
    wanted: impl Fn(&Loaded) -> bool,
) -> Result<(Vec<Loaded>, Option<u32>)> {
    let positions = positions(store, whom, Some(batch.audience_ids.clone())).await?;
    let mut keys = keys_at(store, batch, &positions).await?;
    keys.retain(|key| key.n >= from);
    keys.sort_unstable_by_key(|key| key.n);
    let next = keys.get(limit as usize).map(|key| key.n);
    keys.truncate(limit as usize);
    let mut messages = store.load(keys).await?;
    messages.retain(wanted);
    Ok((messages, next))
}

/// Finds the messages of these batches at the positions.
pub(crate) async fn messages_everywhere(
    store: &dyn Store,
    batches: Vec<Batch>,
    positions: &Positions,
) -> Result<Vec<(Batch, Vec<Loaded>)>> {
    let mut found = Vec::new();
    for batch in batches {
        if batch.audience_ids.iter().any(|audience| positions.contains_key(audience)) {
            let messages = messages_at(store, &batch, positions).await?;
            found.extend((!messages.is_empty()).then_some((batch, messages)));
        }
    }
    Ok(found)
}

/// The positions of a recipient in audiences.
pub(crate) type Positions = HashMap<AudienceId, Vec<u32>>;

async fn positions_of(store: &dyn Audiences, whom: &str, within: Option<Vec<AudienceId>>) -> Result<Positions> {
    let address = Address::asked(whom).ok().map(Whom::Address);
    for whom in address.into_iter().chain([Whom::ClientId(whom.to_owned())]) {
        let positions = positions(store, whom, within.clone()).await?;
        if !positions.is_empty() {
            return Ok(positions);
        }
    }
    Ok(Positions::new())
}

pub(crate) async fn positions(store: &dyn Audiences, whom: Whom, within: Option<Vec<AudienceId>>) -> Result<Positions> {
    let mut positions = Positions::new();
    for (audience, n) in store.find_recipient(whom, within).await? {
        positions.entry(audience).or_default().push(n);
    }
    Ok(positions)
}

/// The messages of a batch at these positions. The numbers of an audience's messages follow those of the audiences
/// before it. A position may have no message.
async fn messages_at(store: &dyn Store, batch: &Batch, positions: &Positions) -> Result<Vec<Loaded>> {
    store.load(keys_at(store, batch, positions).await?).await
}

async fn keys_at(store: &dyn Store, batch: &Batch, positions: &Positions) -> Result<Vec<MessageKey>> {
    let (mut keys, mut base) = (Vec::new(), 0);
    for part in store.parts_of(batch.id).await? {
        let here = positions.get(&part.id).into_iter().flatten();
        keys.extend(here.map(|n| MessageKey { batch: batch.id, n: base + n }));
        base += part.recipients;
    }
    Ok(keys)
}

/// Reads the `ClientMessageId` of the recipients of one batch.
#[derive(Debug)]
pub(super) struct ClientIds<'a> {
    store: &'a dyn Store,
    batch: BatchId,
    /// The parts of its audience, read once: a batch keeps them.
    parts: Vec<AudiencePart>,
}

impl<'a> ClientIds<'a> {
    pub(super) async fn of(store: &'a dyn Store, batch: BatchId) -> Result<Self> {
        Ok(Self { store, batch, parts: store.parts_of(batch).await? })
    }

    /// Reads the id of each recipient who has one, for these messages.
    pub(super) async fn read(&self, messages: &[Loaded]) -> Result<HashMap<MessageKey, Box<str>>> {
        let mut numbers: Vec<u32> = messages.iter().map(|message| message.key.n).collect();
        numbers.sort_unstable();
        let (mut ids, mut base, mut rest) = (HashMap::new(), 0_u32, &numbers[..]);
        for part in &self.parts {
            let until = base.saturating_add(part.recipients);
            while let Some(first) = rest.first().copied().filter(|n| *n < until) {
                let end = first.saturating_add(PAGE).min(until);
                let (piece, later) = rest.split_at(rest.partition_point(|n| *n < end));
                let count = piece.last().map_or(0, |last| last - first) + 1;
                let recipients = self.store.recipients(part.id, first.saturating_sub(base), count).await?;
                let with_id =
                    (first..).zip(recipients).filter_map(|(n, recipient)| Some((n, recipient.client_message_id?)));
                ids.extend(with_id.map(|(n, id)| (MessageKey { batch: self.batch, n }, id)));
                rest = later;
            }
            base = until;
        }
        Ok(ids)
    }
}

/// The messages of a batch, page by page and in order.
#[derive(Debug)]
pub struct Pages<'a> {
    store: &'a dyn Messages,
    batch: &'a Batch,
    next: u32,
    seen: u32,
}

impl<'a> Pages<'a> {
    pub fn of(store: &'a dyn Messages, batch: &'a Batch) -> Self {
        Self { store, batch, next: 0, seen: 0 }
    }

    /// Reads the next page; `None` after the last. A page may be empty, because left-out recipients leave gaps.
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
