//! Ends the waiting messages of recipients who have opted out of all that they can still be, on every campaign and channel.
//! What concerns one step, or one sender, is left to the claim of that step.
//!
//! No message to them is submitted in any case. Each claim checks for opt-outs, and [`Book::suppress`] stops messages that
//! were claimed before. This walk may therefore take its time, and it does: there is no index from a number to its
//! messages, because such an index would cost every launch more than these walks cost.

use std::collections::VecDeque;

use crate::base::domain::{BatchId, Loaded, State, Timestamp};
use crate::rules::engine::{CallOff, Event};
use crate::sending::book::{Book, Entry, Suppression};
use crate::store::{Cursor, Dispatch, Result, Store};

/// Messages visited in one look: about twenty milliseconds of a reader's time. Each round of the housekeeper makes one
/// such look, so a walk takes at most a tenth of a processor and delays nothing else.
const SPAN: u32 = 25_000;
/// Batches visited in one round, if they are smaller than that.
const LOOKS: u32 = 8;
/// Messages ended in one transaction.
const PAGE: usize = 2_000;

#[derive(Debug, Default)]
pub(super) struct OptOutWalk {
    /// The latest opt-out that all rows obey. `None` before the first walk, because the last process may have died
    /// between an opt-out and the rows.
    followed: Option<Cursor>,
    /// The decision up to which there is no later opt-out. Every opt-out is a decision.
    followed_at: Option<u64>,
    walk: Option<Walk>,
}

/// A walk over every active batch.
#[derive(Debug)]
struct Walk {
    /// The latest opt-out that it covers.
    stop: Cursor,
    /// The latest suppression at its start: the opt-outs of all suppressions up to it were on disk.
    suppression: Suppression,
    /// The batches still to visit; the first one from message `from` on.
    batches: VecDeque<BatchId>,
    from: u32,
    /// Whether another writer changed a message first, so that the batch must be visited again.
    missed: bool,
}

impl OptOutWalk {
    /// Continues the walk, or begins one if there is a new opt-out since the last. Returns the number of messages that
    /// were ended or cut short. `seq` is the latest decision.
    pub(super) async fn run_once(&mut self, store: &dyn Store, book: &Book, seq: u64, now: Timestamp) -> Result<u32> {
        if self.walk.is_none() && (self.followed_at != Some(seq) || book.has_suppressions()) {
            self.walk = self.begin(store, book).await?;
            self.followed_at = self.walk.is_none().then_some(seq);
        }
        let Some(walk) = &mut self.walk else { return Ok(0) };
        let mut ended = 0;
        for _ in 0..LOOKS {
            let Some(batch) = walk.batches.front().copied() else { break };
            let next = match book.get(batch).await? {
                Some(entry) => match entry.plan.heeds() {
                    Some(of) => {
                        // They go back, and the next claim looks at what their recipients have opted out of.
                        for message in store.claimed_despite_opt_outs(batch, walk.from, SPAN).await? {
                            entry.recall(message.key, message.present.step);
                        }
                        let (found, next) = store.opted_out_messages(batch, of, walk.from, SPAN).await?;
                        for page in found.chunks(PAGE) {
                            let (changed, late) = call_off(store, &entry, page, now).await?;
                            ended += changed;
                            walk.missed |= late > 0;
                        }
                        next
                    }
                    // Its recipients have opted out, and get it because of that.
                    None => None,
                },
                None => None,
            };
            walk.from = next.unwrap_or(0);
            if next.is_some() {
                return Ok(ended);
            }
            walk.batches.pop_front();
        }
        if let Some(walk) = self.walk.take_if(|walk| walk.batches.is_empty())
            && !walk.missed
        {
            // Messages that are still claimed have their own mark.
            book.end_suppressions(walk.suppression);
            self.followed = Some(walk.stop);
        }
        Ok(ended)
    }

    async fn begin(&self, store: &dyn Store, book: &Book) -> Result<Option<Walk>> {
        // Read before the look: the opt-outs of these suppressions are on disk.
        let suppression = book.latest_suppression();
        let stop = store.last_stop().await?;
        if self.followed.unwrap_or(Cursor::START) == stop && !book.has_suppressions() {
            return Ok(None);
        }
        // Read from the store, because the book may not know a batch that was just launched.
        let batches = store.batches(Some(Book::IN_PLAY.to_vec())).await?;
        let batches = batches.iter().filter(|batch| batch.settled_at.is_none()).map(|batch| batch.id).collect();
        Ok(Some(Walk { stop, suppression, batches, from: 0, missed: false }))
    }
}

/// Ends messages. Returns how many were changed, and how many another writer had changed first.
async fn call_off(store: &dyn Dispatch, entry: &Entry, page: &[Loaded], now: Timestamp) -> Result<(u32, usize)> {
    let changes: Vec<_> = page
        .iter()
        .filter_map(|message| {
            if matches!(message.present.state, State::Sending { .. }) {
                entry.recall(message.key, message.present.step);
            }
            entry.decide(message, Event::CalledOff(CallOff::OptOut), now)
        })
        .collect();
    let attempted = changes.len();
    let late = store.record(changes).await?.len();
    Ok((u32::try_from(attempted - late).unwrap_or(u32::MAX), late))
}

#[cfg(test)]
mod tests {
    use crate::base::events::Origin;
    use std::sync::Arc;

    use super::*;
    use crate::base::clock::{Clock, ManualClock};
    use crate::base::domain::{
        AfterGap, BatchState, Channel, Msisdn, OptOutSource, Plan, Span, Step, Tag, WishSubject,
    };
    use crate::store::{NewBatch, OptIn, OptOut, open};

    #[tokio::test]
    async fn a_new_opt_out_during_a_walk_stays_hushed_until_the_next_walk_ends() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(now));
        let store = open("sqlite::memory:", clock).await.unwrap();
        // More batches than one round visits.
        for n in 0..=LOOKS {
            let plan =
                Plan { after_gap: AfterGap::Wait, ..Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", "Hi")]) };
            let new = NewBatch {
                tag: Tag::from_random(u64::from(n)),
                plan,
                name: None,
                audience: String::new(),
                audience_ids: Vec::new(),
                starts_at: None,
                open_until: None,
                now,
            };
            let batch = store.begin_batch(new).await.unwrap();
            store.publish_batch(batch, BatchState::Running, Origin::SERVER, now).await.unwrap();
        }
        let book = Book::new(Arc::clone(&store));
        book.refresh().await.unwrap();
        let entry = book.in_play().remove(0);
        let msisdn = Msisdn::try_from(6_591_000_001_u64).unwrap();
        let stop = async |second| {
            let since = now + Span::from_secs(second);
            let wish = OptOut {
                address: msisdn.into(),
                of: WishSubject::EVERYTHING,
                since,
                from: OptOutSource::Recipient,
                source: "stop".to_owned(),
            };
            store.opt_out(vec![wish]).await.unwrap();
            book.suppress([msisdn.into()]);
        };
        let mut walks = OptOutWalk::default();
        stop(1).await;
        walks.run_once(store.as_ref(), &book, store.seq().await.unwrap(), now).await.unwrap();
        // Between the two looks, a message to the recipient is claimed in a batch that was already visited.
        let at = now + Span::from_secs(2);
        let start = OptIn {
            address: msisdn.into(),
            of: WishSubject::EVERYTHING,
            at,
            from: OptOutSource::Recipient,
            source: "start".to_owned(),
        };
        store.opt_in(vec![start]).await.unwrap();
        let claimed = book.latest_suppression();
        stop(3).await;
        walks.run_once(store.as_ref(), &book, store.seq().await.unwrap(), now).await.unwrap();
        assert!(walks.walk.is_none() && entry.is_suppressed(msisdn.into(), claimed));
        for _ in 0..2 {
            walks.run_once(store.as_ref(), &book, store.seq().await.unwrap(), now).await.unwrap();
        }
        assert!(walks.walk.is_none() && !book.has_suppressions());
    }
}
