//! The rows of people who have opted out follow: what waits for them is ended, on every campaign and channel.
//!
//! Nothing leaves for them in any case: a claim sees for itself who has opted out, and what was claimed before stays in
//! the lane's hands ([`Book::hush`]). So this may take its time, and it does: from a number to its messages there is no
//! index, since keeping one would cost every launch more than these walks cost.

use std::collections::VecDeque;

use crate::domain::{BatchId, Loaded, State, Timestamp};
use crate::engine::{CallOff, Event};
use crate::store::{Book, Entry, Hush, Result, Store};

/// Messages walked over in one look: some twenty milliseconds of a reader's time. There is one such look in each round of
/// the housekeeper's, so that a walk takes a tenth of a processor at most, and keeps nothing else waiting.
const SPAN: u32 = 25_000;
/// Batches that are looked at in one round, where they are smaller than that.
const LOOKS: u32 = 8;
/// Messages ended in one transaction.
const PAGE: usize = 2_000;

#[derive(Debug, Default)]
pub(super) struct Unwilling {
    /// The latest wish that all rows follow. Nothing before the first walk: the process before this one may have died
    /// between a wish and the rows.
    followed: Option<i64>,
    /// The decision up to which that is known to be all of them: every wish is one.
    followed_at: Option<u64>,
    walk: Option<Walk>,
}

/// A walk over every batch in play.
#[derive(Debug)]
struct Walk {
    /// The latest wish that it is about.
    stop: i64,
    /// The latest hush when it began: the wishes of all those before were on disk.
    hush: Hush,
    /// Still to be walked over, the first of them from this message on.
    batches: VecDeque<BatchId>,
    from: u32,
    /// Whether somebody was faster with a message, so that it has to be looked at again.
    missed: bool,
}

impl Unwilling {
    /// Goes on with the walk, or begins one where somebody has opted out since the last. Returns how many messages were
    /// ended or cut short. `seq` is the latest decision of all.
    pub(super) async fn run_once(&mut self, store: &dyn Store, book: &Book, seq: u64, now: Timestamp) -> Result<u32> {
        if self.walk.is_none() && (self.followed_at != Some(seq) || book.is_hushing()) {
            self.walk = self.begin(store, book).await?;
            self.followed_at = self.walk.is_none().then_some(seq);
        }
        let Some(walk) = &mut self.walk else { return Ok(0) };
        let mut ended = 0;
        for _ in 0..LOOKS {
            let Some(batch) = walk.batches.front().copied() else { break };
            let next = match book.get(batch).await? {
                Some(entry) => {
                    let (found, next) = store.unwilling(batch, walk.from, SPAN).await?;
                    for page in found.chunks(PAGE) {
                        let (changed, late) = call_off(store, &entry, page, now).await?;
                        ended += changed;
                        walk.missed |= late > 0;
                    }
                    next
                }
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
            // What is still claimed for them is marked by itself.
            book.unhush(walk.hush);
            self.followed = Some(walk.stop);
        }
        Ok(ended)
    }

    async fn begin(&self, store: &dyn Store, book: &Book) -> Result<Option<Walk>> {
        // Before the look: their wishes are on disk by now.
        let hush = book.latest_hush();
        let stop = store.last_stop().await?;
        if self.followed.unwrap_or(0) == stop && !book.is_hushing() {
            return Ok(None);
        }
        // Of the store: what was launched a moment ago is in nobody's book yet.
        let batches = store.batches(Some(Book::IN_PLAY.to_vec())).await?;
        let batches = batches.iter().filter(|batch| batch.settled_at.is_none()).map(|batch| batch.id).collect();
        Ok(Some(Walk { stop, hush, batches, from: 0, missed: false }))
    }
}

/// Ends messages; returns how many were changed, and how many had moved on meanwhile.
async fn call_off(store: &dyn Store, entry: &Entry, page: &[Loaded], now: Timestamp) -> Result<(u32, usize)> {
    let changes: Vec<_> = page
        .iter()
        .filter_map(|message| {
            if matches!(message.present.state, State::Sending { .. }) {
                entry.recall(message.key, message.present.step);
            }
            entry.decide(message, Event::CalledOff(CallOff::OptOut), now)
        })
        .collect();
    let meant = changes.len();
    let late = store.record(changes).await?.len();
    Ok((u32::try_from(meant - late).unwrap_or(u32::MAX), late))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::domain::{AfterGap, BatchState, Channel, Msisdn, Plan, Span, Step, Tag, WishFrom};
    use crate::store::{NewBatch, OptIn, OptOut, open};

    #[tokio::test]
    async fn who_says_stop_again_during_a_walk_stays_hushed_until_the_next_one_has_ended() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(now));
        let store = open("sqlite::memory:", clock).await.unwrap();
        // More than are looked at in one round.
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
            store.publish_batch(batch, BatchState::Running, now).await.unwrap();
        }
        let book = Book::new(Arc::clone(&store));
        book.refresh().await.unwrap();
        let entry = book.in_play().remove(0);
        let msisdn = Msisdn::try_from(6_591_000_001_u64).unwrap();
        let stop = async |second| {
            let since = now + Span::from_secs(second);
            let wish = OptOut { msisdn, since, from: WishFrom::Person, source: "stop".to_owned() };
            store.opt_out(vec![wish]).await.unwrap();
            book.hush([msisdn]);
        };
        let mut unwilling = Unwilling::default();
        stop(1).await;
        unwilling.run_once(store.as_ref(), &book, store.seq().await.unwrap(), now).await.unwrap();
        // Between the two something is claimed for them, in a batch that was walked over.
        let at = now + Span::from_secs(2);
        let start = OptIn { msisdn, at, from: WishFrom::Person, source: "start".to_owned() };
        store.opt_in(vec![start]).await.unwrap();
        let claimed = book.latest_hush();
        stop(3).await;
        unwilling.run_once(store.as_ref(), &book, store.seq().await.unwrap(), now).await.unwrap();
        assert!(unwilling.walk.is_none() && entry.is_hushed(msisdn, claimed));
        for _ in 0..2 {
            unwilling.run_once(store.as_ref(), &book, store.seq().await.unwrap(), now).await.unwrap();
        }
        assert!(unwilling.walk.is_none() && !book.is_hushing());
    }
}
