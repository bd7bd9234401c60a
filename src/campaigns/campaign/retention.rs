//! Removes what is not kept for ever: campaigns that settled long ago, and recipients who ask for erasure.

use std::collections::{BTreeMap, BTreeSet};

use super::noted::NODE_SILENT;
use crate::base::clock::Clock;
use crate::base::domain::{Address, AudienceId, BatchId, Loaded, Msisdn, Span, Timestamp};
use crate::base::events::{Event, EventKind, Subject};
use crate::campaigns::report::{Positions, messages_everywhere, positions};
use crate::store::{Batch, Cursor, Error, Receipts, Result, Store, StrayKind, Whom};

/// The pause between two pieces, in which others can use the database.
const PAUSE: Span = Span::from_millis(30);
/// Stray webhooks read at once.
const STRAYS: u32 = 1_000;

/// What a purge removes.
#[derive(Debug, Clone)]
pub struct Overdue {
    before: Timestamp,
    /// Campaigns that settled before that time.
    pub campaigns: Vec<Batch>,
    /// Audiences that only they have used, with their names; a nameless audience, which a campaign imported itself, has
    /// `None`.
    pub audiences: Vec<(AudienceId, Option<String>)>,
    /// Campaigns with an earlier purge that may be incomplete.
    begun: Vec<BatchId>,
}

/// Finds the campaigns that settled before `before`, and the audiences that no other campaign uses.
pub async fn overdue(store: &dyn Store, before: Timestamp) -> Result<Overdue> {
    let all = store.batches(None).await?;
    let is_overdue = |batch: &Batch| batch.settled_at.is_some_and(|at| at < before);
    let (gone, stay): (Vec<Batch>, Vec<Batch>) = all.into_iter().partition(|b| b.purged_at.is_some() || is_overdue(b));
    let ids = |batches: &[Batch]| -> BTreeSet<AudienceId> {
        batches.iter().flat_map(|batch| batch.audience_ids.iter().copied()).collect()
    };
    let (free, used) = (ids(&gone), ids(&stay));
    let (mut audiences, mut of_named) = (Vec::new(), BTreeSet::new());
    for audience in store.audiences().await? {
        let parts: Vec<AudienceId> = audience.parts.iter().map(|part| part.id).collect();
        let was_used = parts.iter().any(|part| free.contains(part));
        let is_used = parts.iter().any(|part| used.contains(part));
        let is_old = audience.parts.iter().all(|part| part.begun_at < before);
        if was_used && !is_used && is_old {
            audiences.push((audience.id(), Some(audience.name)));
        }
        of_named.extend(parts);
    }
    let (campaigns, begun): (Vec<Batch>, Vec<Batch>) = gone.into_iter().partition(|batch| batch.purged_at.is_none());
    let mut own = ids(&campaigns);
    for batch in &begun {
        // An earlier purge may have left them.
        own.extend(store.parts_of(batch.id).await?.iter().map(|part| part.id));
    }
    own.retain(|id| !of_named.contains(id) && !used.contains(id));
    audiences.extend(own.into_iter().map(|id| (id, None)));
    Ok(Overdue { before, campaigns, audiences, begun: begun.iter().map(|batch| batch.id).collect() })
}

impl Overdue {
    pub fn messages(&self) -> u64 {
        self.campaigns.iter().map(|batch| u64::from(batch.messages)).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.campaigns.is_empty() && self.audiences.is_empty()
    }
}

/// Why the database file was not rewritten.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    #[error("a server is running: stop it, and repeat `volley purge --compact`")]
    ServerIsRunning,
    #[error(transparent)]
    Store(#[from] Error),
}

/// Rewrites the database without the removed rows, which no server may use meanwhile.
pub async fn compact(store: &dyn Store, now: Timestamp) -> std::result::Result<(), CompactError> {
    if !store.nodes(now - NODE_SILENT).await?.is_empty() {
        return Err(CompactError::ServerIsRunning);
    }
    Ok(store.compact().await?)
}

/// Removes overdue campaigns and audiences piece by piece, also while a server is running. Calls `seen` with the number
/// of messages removed. If it is interrupted, the next purge removes the rest.
pub async fn purge(store: &dyn Store, clock: &dyn Clock, overdue: &Overdue, mut seen: impl FnMut(u64)) -> Result<u64> {
    let mut purged = 0;
    for batch in &overdue.campaigns {
        if store.begin_purge(batch.id, clock.now()).await? {
            let subject = Subject::campaign(batch.id, batch.name.as_deref());
            let kind = EventKind::Purged { messages: batch.messages };
            store.record_event(Event::by_server(clock.now(), subject, kind)).await?;
        }
    }
    let campaigns = overdue.campaigns.iter().map(|batch| batch.id);
    for batch in overdue.begun.iter().copied().chain(campaigns) {
        loop {
            let piece = store.purge_piece(batch).await?;
            if piece == 0 {
                break;
            }
            purged += u64::from(piece);
            seen(purged);
            clock.sleep(PAUSE).await;
        }
    }
    for (audience, _) in &overdue.audiences {
        match store.remove_audience(*audience).await {
            // A new campaign uses it meanwhile.
            Ok(()) | Err(Error::InUse { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    store.forget_texts(overdue.before).await?;
    store.forget_channel_users().await?;
    Ok(purged)
}

/// Why a recipient was not erased.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    #[error("nothing was erased: {0}")]
    Open(String),

    #[error("nothing was erased: another message to {0} was launched meanwhile; retry")]
    Launched(Address),

    #[error(transparent)]
    Store(#[from] Error),
}

/// Everything that is stored of a recipient.
#[derive(Debug)]
pub struct Erasure {
    recipient: Address,
    /// The same, and the ids that are nobody else's.
    addresses: Vec<Address>,
    /// Their rows of audiences.
    rows: Vec<(AudienceId, u32)>,
    /// Their rejected rows of imported files, by the number.
    rejected: usize,
    /// Those with one of their ids.
    rejected_with_id: BTreeMap<AudienceId, Vec<u32>>,
    /// Messages to them, by campaign.
    pub found: Vec<(Batch, Vec<Loaded>)>,
    /// Every batch, with its messages.
    known: Vec<(BatchId, u32)>,
}

impl Erasure {
    pub async fn of(store: &dyn Store, recipient: Address) -> Result<Self> {
        let addresses = own_addresses(store, &recipient).await?;
        // This order matters: the second look finds a message that joins an open batch after the first look, or the
        // store notices it.
        let batches = store.batches(None).await?;
        let known = batches.iter().map(|batch| (batch.id, batch.messages)).collect();
        let mut found_at = Positions::new();
        for address in &addresses {
            for (audience, ns) in positions(store, Whom::Address(address.clone()), None).await? {
                found_at.entry(audience).or_default().extend(ns);
            }
        }
        let found = messages_everywhere(store, batches, &found_at).await?;
        let rows = found_at.into_iter().flat_map(|(id, ns)| ns.into_iter().map(move |n| (id, n))).collect();
        let rejected = match recipient.number() {
            Some(number) => store.count_rejected(number).await?,
            None => 0,
        };
        let mut rejected_with_id = BTreeMap::<AudienceId, Vec<u32>>::new();
        for user in addresses.iter().filter_map(Address::user) {
            for (audience, n) in store.rejected_with(user.id.clone()).await? {
                rejected_with_id.entry(audience).or_default().push(n);
            }
        }
        Ok(Self { recipient, addresses, rows, rejected, rejected_with_id, found, known })
    }

    /// Rows of audiences, accepted and rejected.
    pub fn rows_in_audiences(&self) -> usize {
        self.rows.len() + self.rejected + self.rejected_with_id.values().map(Vec::len).sum::<usize>()
    }

    pub fn messages(&self) -> usize {
        self.found.iter().map(|(_, messages)| messages.len()).sum()
    }

    /// The campaigns with an open message to the recipient. Nothing is erased before every message has its outcome.
    pub fn open(&self) -> Vec<&Batch> {
        let is_open = |messages: &[Loaded]| messages.iter().any(|message| message.present.outcome().is_none());
        self.found.iter().filter(|(_, messages)| is_open(messages)).map(|(batch, _)| batch).collect()
    }

    /// Why the recipient cannot be erased now, and what to do; `None` if nothing prevents it.
    pub fn obstacle(&self) -> Option<String> {
        let (recipient, open) = (&self.recipient, self.open());
        let names: Vec<String> = open.into_iter().map(Batch::display_name).collect();
        (!names.is_empty()).then(|| {
            format!(
                "messages to {recipient} have no outcome yet in {}; opt the recipient out (`volley opt-out add \
                 {recipient}`) or cancel the campaigns, and retry once these messages have an outcome",
                names.join(", ")
            )
        })
    }

    /// Erases the recipient everywhere, except the fact of an opt-out. Fails and changes nothing if a message has no
    /// outcome, or if another message to the recipient was launched since the look.
    pub async fn carry_out(&self, store: &dyn Store) -> std::result::Result<(), ErasureError> {
        if let Some(obstacle) = self.obstacle() {
            return Err(ErasureError::Open(obstacle));
        }
        let keys = self.found.iter().flat_map(|(_, messages)| messages.iter().map(|message| message.key)).collect();
        if !store.erase(self.addresses.clone(), self.rows.clone(), keys, self.known.clone()).await? {
            return Err(ErasureError::Launched(self.recipient.clone()));
        }
        for (audience, numbers) in &self.rejected_with_id {
            store.remove_rejected(*audience, numbers.clone()).await?;
        }
        Ok(forget_strays(store, &self.addresses).await?)
    }
}

/// A recipient's address, and the ids that belong to no other number.
async fn own_addresses(store: &dyn Store, recipient: &Address) -> Result<Vec<Address>> {
    let mut own = vec![recipient.clone()];
    if recipient.number().is_none() {
        return Ok(own);
    }
    let others = store.other_addresses(recipient.clone()).await?;
    for id in others.iter().filter(|other| other.user().is_some()) {
        // Numbers by which a channel calls the recipient are nobody else's.
        let is_own = |address: &Address| address.user().is_some() || address == recipient || others.contains(address);
        if store.other_addresses(id.clone()).await?.iter().all(is_own) {
            own.push(id.clone());
        }
    }
    Ok(own)
}

/// Removes webhooks that belong to no message and contain a number or an id.
async fn forget_strays(store: &dyn Receipts, addresses: &[Address]) -> Result<()> {
    let numbers = addresses.iter().filter_map(Address::number).flat_map(Msisdn::spellings);
    let spellings: Vec<String> = numbers.map(|spelling| spelling.get().to_string()).collect();
    let ids: Vec<&str> = addresses.iter().filter_map(|address| Some(address.user()?.id.as_str())).collect();
    for kind in StrayKind::ALL {
        let mut after = Cursor::START;
        loop {
            let page = store.strays(kind, Timestamp::default(), after, STRAYS).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            let names = |stray: &str| {
                spellings.iter().any(|digits| contains_number(stray, digits)) || ids.iter().any(|id| stray.contains(id))
            };
            let named = page.iter().filter(|(_, stray)| names(&stray.raw));
            let named: Vec<Cursor> = named.map(|(position, _)| *position).collect();
            if !named.is_empty() {
                store.forget_strays(named).await?;
            }
        }
    }
    Ok(())
}

/// Whether a text contains these digits as a number of its own, not as a part of a longer one.
fn contains_number(text: &str, digits: &str) -> bool {
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    text.match_indices(digits)
        .any(|(at, _)| !is_digit(text[..at].chars().next_back()) && !is_digit(text[at + digits.len()..].chars().next()))
}

#[cfg(test)]
mod tests {
    use super::contains_number;

    #[test]
    fn a_number_is_found_only_as_a_whole() {
        for text in ["{\"to\":6581234510}", "+6581234510", "6581234510"] {
            assert!(contains_number(text, "6581234510"), "{text}");
        }
        for text in ["16581234510", "65812345101", "658123451"] {
            assert!(!contains_number(text, "6581234510"), "{text}");
        }
    }
}
