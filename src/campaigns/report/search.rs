//! Searches messages without naming a campaign, page by page, at a cost that does not grow with the database.
//!
//! A page looks at a bounded number of filters, batches and messages. It may therefore have fewer messages than its limit,
//! or none, although another follows.

use serde::{Deserialize, Serialize};

use super::figures::as_counted;
use super::lookup::{PAGE, messages_from};
use crate::base::domain::{BatchId, Count, Loaded, MessageKey, Outcome, Present, State, Tallies};
use crate::store::{Batch, BatchFilter, RecipientPlace, Result, Store, Whom};

/// Batches that one page looks at.
const BATCHES: u32 = 100;

/// The state of a message, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// Waits to be submitted.
    Queued,
    /// It alone is refused, and waits for an operator.
    SetAside,
    /// Is being submitted.
    Sending,
    /// Has been submitted; waits for receipts.
    Awaiting,
    /// Has its outcome.
    Done,
}

impl StateName {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::SetAside => "set_aside",
            Self::Sending => "sending",
            Self::Awaiting => "awaiting",
            Self::Done => "done",
        }
    }

    const fn of(present: &Present) -> Self {
        match present.state {
            State::Queued { .. } if present.is_set_aside() => Self::SetAside,
            State::Queued { .. } => Self::Queued,
            State::Sending { .. } => Self::Sending,
            State::Awaiting { .. } => Self::Awaiting,
            State::Done { .. } => Self::Done,
        }
    }
}

/// Which messages are wanted.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct MessageFilter {
    pub state: Option<StateName>,
    pub outcome: Option<Outcome>,
}

impl MessageFilter {
    pub fn wants(&self, batch: &Batch, message: &Loaded) -> bool {
        let present = as_counted(batch, &message.present);
        self.state.is_none_or(|state| state == StateName::of(&present))
            && self.outcome.is_none_or(|outcome| present.outcome() == Some(outcome))
    }

    /// Whether a batch may have a wanted message, by its counters.
    fn may_be_in(&self, batch: &Batch, tallies: &Tallies) -> bool {
        // A cancel counts at once, before the counters move.
        batch.state.is_cancelled()
            || self.outcome.is_none_or(|outcome| tallies.outcome(outcome) > 0)
                && match self.state {
                    None => true,
                    Some(StateName::Done) => tallies.done() > 0,
                    Some(StateName::SetAside) => tallies.total(Count::SetAside) > 0,
                    Some(_) => !tallies.is_settled(),
                }
    }
}

/// A page of messages, those of each batch together.
#[derive(Debug)]
pub struct FoundMessages<P> {
    pub messages: Vec<(Batch, Vec<Loaded>)>,
    /// Where the search goes on; `None` at its end.
    pub next: Option<P>,
}

/// Where a search for a recipient goes on: at the place, with the batches before this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientCursor {
    place: RecipientPlace,
    before: u32,
}

/// Finds the messages to a recipient in all campaigns: the latest recipient file first, and of it the latest campaign.
pub async fn messages_to(
    store: &dyn Store,
    whom: Whom,
    from: Option<RecipientCursor>,
    limit: u32,
    wanted: impl Fn(&Batch, &Loaded) -> bool,
) -> Result<FoundMessages<RecipientCursor>> {
    let (found, next) = messages_with_cursors(store, whom, from, limit, wanted).await?;
    Ok(FoundMessages { messages: found.into_iter().map(|(_, batch, to)| (batch, to)).collect(), next })
}

/// The messages of a batch to a recipient, and where a search goes on after them.
pub(super) type WithCursor = (RecipientCursor, Batch, Vec<Loaded>);

/// The same, each with its own cursor.
pub(super) async fn messages_with_cursors(
    store: &dyn Store,
    whom: Whom,
    from: Option<RecipientCursor>,
    limit: u32,
    wanted: impl Fn(&Batch, &Loaded) -> bool,
) -> Result<(Vec<WithCursor>, Option<RecipientCursor>)> {
    let found = store.find_recipient_from(whom, from.map(|from| from.place)).await?;
    let (mut messages, mut count, mut looked) = (Vec::new(), 0, 0);
    for place in found.places {
        let before = from.filter(|from| from.place == place).map(|from| BatchId(from.before));
        for (batch, base) in store.batches_of_audience(place.audience, before, BATCHES - looked).await? {
            let here = RecipientCursor { place, before: batch.id.0 };
            looked += 1;
            let mut to = store.load(vec![MessageKey { batch: batch.id, n: base.saturating_add(place.n) }]).await?;
            to.retain(|message| wanted(&batch, message));
            if !to.is_empty() {
                count += 1;
                messages.push((here, batch, to));
            }
            if count == limit || looked == BATCHES {
                return Ok((messages, Some(here)));
            }
        }
    }
    Ok((messages, found.next.map(|place| RecipientCursor { place, before: u32::MAX })))
}

/// Where a search through all messages goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageCursor {
    batch: u32,
    n: u32,
}

/// Finds the messages of all batches that are wanted: the latest batch first, and in it in their order.
pub async fn messages_in_all(
    store: &dyn Store,
    filter: MessageFilter,
    from: Option<MessageCursor>,
    limit: u32,
) -> Result<FoundMessages<MessageCursor>> {
    let before = from.map(|from| BatchId(from.batch.saturating_add(1)));
    let all = BatchFilter { tests: true, ..BatchFilter::default() };
    let page = store.batch_page(all, before, BATCHES).await?;
    let (mut messages, mut rest, mut looked) = (Vec::new(), limit, 0);
    for (batch, _) in page.batches {
        let n = from.filter(|from| from.batch == batch.id.0).map_or(0, |from| from.n);
        let here = MessageCursor { batch: batch.id.0, n };
        if rest == 0 || looked >= PAGE {
            return Ok(FoundMessages { messages, next: Some(here) });
        }
        if batch.purged_at.is_some() || !filter.may_be_in(&batch, &store.tallies(batch.id).await?) {
            continue;
        }
        let wanted = |message: &Loaded| filter.wants(&batch, message);
        let (found, next) = messages_from(store, &batch, n, rest, wanted).await?;
        rest -= u32::try_from(found.len()).unwrap_or(rest).min(rest);
        looked += next.unwrap_or(batch.messages).saturating_sub(n);
        let next = next.map(|n| MessageCursor { n, ..here });
        if !found.is_empty() {
            messages.push((batch, found));
        }
        if next.is_some() {
            return Ok(FoundMessages { messages, next });
        }
    }
    // A batch before the last one that was looked at.
    let next = page.next.and_then(|last| last.0.checked_sub(1)).map(|batch| MessageCursor { batch, n: 0 });
    Ok(FoundMessages { messages, next })
}
