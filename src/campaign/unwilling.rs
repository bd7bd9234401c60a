//! The rows of people who have opted out follow: what waits for them is ended, on every campaign and channel.
//!
//! Nothing leaves for them in any case: a claim sees for itself who has opted out, and what was claimed before stays in
//! the lane's hands ([`Book::hush`]). So this may take its time, and it does: from a number to its messages there is no
//! index, since keeping one would cost every launch more than these walks cost.

use std::collections::VecDeque;

use crate::domain::{BatchId, Msisdn, State, Timestamp};
use crate::engine::{CallOff, Event, Standing, advance};
use crate::store::{Book, Entry, Loaded, Result, Store};

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
    walk: Option<Walk>,
}

/// A walk over every batch in play.
#[derive(Debug)]
struct Walk {
    /// The latest wish that it is about.
    stop: i64,
    /// Those whose wish was on disk when it began.
    hushed: Vec<Msisdn>,
    /// Still to be walked over, the first of them from this message on.
    batches: VecDeque<BatchId>,
    from: u32,
    /// Whether somebody was faster with a message, so that it has to be looked at again.
    missed: bool,
}

impl Unwilling {
    /// Goes on with the walk, or begins one where somebody has opted out since the last. Returns how many messages were
    /// ended or cut short.
    pub(super) async fn run_once(&mut self, store: &dyn Store, book: &Book, now: Timestamp) -> Result<u32> {
        if self.walk.is_none() {
            self.walk = self.begin(store, book).await?;
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
            book.unhush(&walk.hushed);
            self.followed = Some(walk.stop);
        }
        Ok(ended)
    }

    async fn begin(&self, store: &dyn Store, book: &Book) -> Result<Option<Walk>> {
        // Before the look: their wishes are on disk by now.
        let hushed = book.hushed();
        let stop = store.last_stop().await?;
        if self.followed.unwrap_or(0) == stop && hushed.is_empty() {
            return Ok(None);
        }
        // Of the store: what was launched a moment ago is in nobody's book yet.
        let batches = store.batches(Some(Book::IN_PLAY.to_vec())).await?;
        let batches = batches.iter().filter(|batch| batch.settled_at.is_none()).map(|batch| batch.id).collect();
        Ok(Some(Walk { stop, hushed, batches, from: 0, missed: false }))
    }
}

/// Ends messages; returns how many were changed, and how many had moved on meanwhile.
async fn call_off(store: &dyn Store, entry: &Entry, page: &[Loaded], now: Timestamp) -> Result<(u32, usize)> {
    let standing = Standing::of(entry.state());
    let changes: Vec<_> = page
        .iter()
        .filter_map(|message| {
            if matches!(message.present.state, State::Sending { .. }) {
                entry.recall(message.key, message.present.step);
            }
            let decision = advance(&entry.plan, standing, &message.present, Event::CalledOff(CallOff::OptOut), now);
            Some(entry.change(message, *decision.next()?, None))
        })
        .collect();
    let meant = changes.len();
    let late = store.record(changes).await?.len();
    Ok((u32::try_from(meant - late).unwrap_or(u32::MAX), late))
}
