//! What a recipient got from all campaigns and wrote to us, the latest first.

use serde::{Deserialize, Serialize};

use super::figures::as_counted;
use super::search::{RecipientCursor, WithCursor, messages_with_cursors};
use crate::base::domain::{Address, Loaded, Outcome, State, Timestamp};
use crate::store::{Batch, Cursor, Inbound, InboundOf, Result, Store, Whom};

/// Bytes of the recipient's messages on one page, unless one is longer.
const BYTES: usize = 40_000;
/// How often a page goes on with a search that has found nothing.
const SEARCHES: u32 = 5;
/// Messages that are counted.
const COUNTED: u32 = 100;

/// A message to a recipient, or one from them.
#[derive(Debug)]
pub enum HistoryEntry {
    Message {
        /// When it was submitted last; if it never was, when it got its outcome, or else when its campaign was launched.
        at: Timestamp,
        batch: Box<Batch>,
        message: Loaded,
    },
    Reply(Box<Inbound>),
}

impl HistoryEntry {
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Message { at, .. } => *at,
            Self::Reply(reply) => reply.received,
        }
    }
}

/// Where a history goes on.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct HistoryCursor {
    messages: Option<RecipientCursor>,
    has_all_messages: bool,
    replies: Option<Cursor>,
}

/// A page of a history.
#[derive(Debug)]
pub struct History {
    pub entries: Vec<HistoryEntry>,
    pub next: Option<HistoryCursor>,
}

/// Reads one page of what a recipient got and wrote.
///
/// - Entries of a page are in the order of time. Messages come by recipient file, the latest first. So across pages, a message
///   of an old file may come later than its time.
/// - The cost is bounded: a page may have fewer entries than its limit, or none, although another follows.
pub async fn history_of(
    store: &dyn Store,
    address: &Address,
    from: Option<HistoryCursor>,
    limit: u32,
) -> Result<History> {
    let mut rest = from.unwrap_or_default();
    let (found, next_messages) = next_messages(store, address, &rest, limit).await?;
    // One more shows whether others follow.
    let replies =
        store.inbound_before(InboundOf::Recipient(address.clone()), rest.replies, limit.saturating_add(1)).await?;
    let (mut found, mut replies) = (found.into_iter().peekable(), replies.into_iter().peekable());
    let (mut entries, mut bytes) = (Vec::new(), 0);
    while entries.len() < limit as usize && bytes < BYTES {
        let is_message = match (found.peek(), replies.peek()) {
            (Some((_, at, ..)), Some((_, reply))) => *at >= reply.received,
            (Some(_), None) => true,
            // The next message may be later than the reply.
            (None, _) if next_messages.is_some() => break,
            (None, Some(_)) => false,
            (None, None) => break,
        };
        if is_message && let Some((cursor, at, batch, message)) = found.next() {
            rest.messages = Some(cursor);
            entries.push(HistoryEntry::Message { at, batch: Box::new(batch), message });
        } else if let Some((cursor, reply)) = replies.next() {
            rest.replies = Some(cursor);
            bytes += reply.raw.len();
            entries.push(HistoryEntry::Reply(Box::new(reply)));
        }
    }
    let (more_messages, more_replies) = (found.peek().is_some(), replies.peek().is_some());
    if !more_messages {
        (rest.messages, rest.has_all_messages) = (next_messages, next_messages.is_none());
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at()));
    Ok(History { entries, next: (more_messages || more_replies || next_messages.is_some()).then_some(rest) })
}

/// A message, when it was sent, and where the search goes on after it.
type Found = (RecipientCursor, Timestamp, Batch, Loaded);

/// The next messages to a recipient, and where the search goes on; `None` at its end.
async fn next_messages(
    store: &dyn Store,
    address: &Address,
    rest: &HistoryCursor,
    limit: u32,
) -> Result<(Vec<Found>, Option<RecipientCursor>)> {
    let (mut found, mut from) = (Vec::new(), rest.messages);
    if rest.has_all_messages {
        return Ok((found, None));
    }
    for _ in 0..SEARCHES {
        let (page, next) =
            messages_with_cursors(store, Whom::Address(address.clone()), from, limit, |_, _| true).await?;
        found = page.into_iter().flat_map(timed).collect();
        if !found.is_empty() || next.is_none() {
            return Ok((found, next));
        }
        from = next;
    }
    Ok((found, from))
}

fn timed((cursor, batch, messages): WithCursor) -> impl Iterator<Item = Found> {
    messages.into_iter().map(move |message| (cursor, sent_at(&batch, &message), batch.clone(), message))
}

fn sent_at(batch: &Batch, message: &Loaded) -> Timestamp {
    let present = as_counted(batch, &message.present);
    let ended_at = match present.state {
        State::Done { at, .. } => Some(at),
        State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => None,
    };
    present.accepted.or(present.first_submitted_at).or(ended_at).unwrap_or(batch.created_at)
}

/// How many messages a recipient got, of the latest ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HistoryCounts {
    pub messages: u32,
    pub reached: u32,
    /// Messages without an outcome.
    pub open: u32,
    /// Whether there may be more messages than those counted.
    pub has_more: bool,
}

impl HistoryCounts {
    pub async fn of(store: &dyn Store, address: &Address) -> Result<Self> {
        let whom = Whom::Address(address.clone());
        let (found, next) = messages_with_cursors(store, whom, None, COUNTED, |_, _| true).await?;
        let mut counts = Self { has_more: next.is_some(), ..Self::default() };
        for (_, batch, messages) in &found {
            for message in messages {
                let outcome = as_counted(batch, &message.present).outcome();
                counts.messages += 1;
                counts.reached += u32::from(outcome == Some(Outcome::Reached));
                counts.open += u32::from(outcome.is_none());
            }
        }
        Ok(counts)
    }
}
