//! The rows of people who have opted out follow: what waits for them is ended, on every campaign and channel.
//!
//! Nothing leaves for them in any case: a claim sees for itself who has opted out, and what was claimed before stays in
//! the lane's hands ([`Book::hush`]). So this may take its time, and it does: from a number to its messages there is no
//! index, since keeping one would cost every launch more than these walks cost.

use crate::domain::{Span, State, Timestamp};
use crate::engine::{CallOff, Event, Standing, advance};
use crate::store::{Book, Entry, Loaded, Result, Store};

/// Messages walked over in one look: some ten milliseconds of a reader's time.
const SPAN: u32 = 50_000;
/// Rest for each look of a walk, so that walks take a tenth of a processor at most, however many people opt out.
const REST: Span = Span::from_millis(100);
/// Messages ended in one transaction.
const PAGE: usize = 2_000;

#[derive(Debug, Default)]
pub(super) struct Unwilling {
    /// The latest wish that all rows follow. Nothing before the first walk: the process before this one may have died
    /// between a wish and the rows.
    followed: Option<i64>,
    rests_until: Timestamp,
}

impl Unwilling {
    /// Walks over every batch in play, where somebody has opted out since the last walk. Returns how many messages it ended
    /// or cut short.
    pub(super) async fn run_once(&mut self, store: &dyn Store, book: &Book, now: Timestamp) -> Result<u32> {
        if now < self.rests_until {
            return Ok(0);
        }
        // Before the look: their wishes are on disk by now.
        let hushed = book.hushed();
        let last = store.last_stop().await?;
        if self.followed.unwrap_or(0) == last && hushed.is_empty() {
            return Ok(0);
        }
        let (mut looks, mut ended, mut all_follow) = (0, 0, true);
        // Of the store: what was launched a moment ago is in nobody's book yet.
        for batch in store.batches(Some(Book::IN_PLAY.to_vec())).await? {
            let Some(entry) = book.get(batch.id).await?.filter(|_| batch.settled_at.is_none()) else { continue };
            let mut from = Some(0);
            while let Some(first) = from {
                let (found, next) = store.unwilling(entry.id, first, SPAN).await?;
                for page in found.chunks(PAGE) {
                    let (changed, late) = call_off(store, &entry, page, now).await?;
                    ended += changed;
                    all_follow &= late == 0;
                }
                looks += 1;
                from = next;
            }
        }
        self.rests_until = now + Span::from_millis(REST.millis() * looks);
        if all_follow {
            // What is still claimed for them is marked by itself.
            book.unhush(&hushed);
            self.followed = Some(last);
        }
        Ok(ended)
    }
}

/// Ends messages; returns how many were changed, and how many had moved on meanwhile.
async fn call_off(store: &dyn Store, entry: &Entry, page: &[Loaded], now: Timestamp) -> Result<(u32, usize)> {
    let standing = Standing::of(entry.state());
    let changes: Vec<_> = page
        .iter()
        .filter_map(|message| {
            if matches!(message.present.state, State::Sending { .. }) {
                entry.recall(message.key);
            }
            let decision = advance(&entry.plan, standing, &message.present, Event::CalledOff(CallOff::OptOut), now);
            Some(entry.change(message, *decision.next()?, None))
        })
        .collect();
    let meant = changes.len();
    let late = store.record(changes).await?.len();
    Ok((u32::try_from(meant - late).unwrap_or(u32::MAX), late))
}
