//! Retries stray receipts and replies: they may arrive before their attempt's answer is on disk.

use std::sync::Arc;

use super::applier::Applier;
use super::incoming::{Parsed, parse};
use super::naming::Naming;
use super::replies::Reply;
use super::tries::{Tries, Try};
use crate::base::domain::{Span, Timestamp};
use crate::rules::engine::Gap;
use crate::store::{Cursor, InboundOf, StrayKind};

/// How often strays are retried.
const EVERY: Span = Span::from_secs(1);
/// How long they are retried once they may adopt.
const TRIED_FOR: Span = Span::from_secs(60);
/// How many at once. Webhooks are applied in between.
const PAGE: usize = 2_000;
/// Pages in one round. Most strays never belong to us, so the work of one round is bounded; the next one continues where
/// this one stopped.
const PAGES: u32 = 10;

/// The progress of retrying.
#[derive(Debug)]
pub(super) struct Round {
    /// Strays that arrived until then are not retried: a whole round has passed them since their time to wait ended. In
    /// a server's first round: those that earlier servers had time to retry in full.
    settled_until: Timestamp,
    /// When this round began.
    begun: Option<Timestamp>,
    /// The last stray that this round retried.
    tried: Cursor,
    pages: u32,
    /// Replies up to this one are too old to be retried.
    replies_settled: Cursor,
}

impl Round {
    /// The first round of a server that starts at `now`, after these times in which no server took receipts. A server
    /// that died soon after such a time may not have retried what came before it.
    pub(super) fn after(mut missed: Vec<Gap>, naming: &Naming, now: Timestamp) -> Self {
        missed.sort_unstable_by_key(Gap::end);
        let before = |from: Timestamp| from - naming.settled_within() - TRIED_FOR;
        let mut settled_until = before(now);
        for gap in missed.iter().rev() {
            if gap.end() >= settled_until {
                settled_until = settled_until.min(before(gap.from));
            }
        }
        Self { settled_until, begun: None, tried: Cursor::START, pages: 0, replies_settled: Cursor::START }
    }
}

impl Applier {
    /// Retries one page of the latest strays. Returns when to retry the next.
    pub(crate) async fn retry_strays(&mut self) -> crate::store::Result<Timestamp> {
        let now = self.clock.now();
        let begun = *self.round.begun.get_or_insert(now);
        // However many older ones are stored, no query reads past them.
        let (since, after) = (self.round.settled_until, self.round.tried);
        let limit = u32::try_from(PAGE).unwrap_or(u32::MAX);
        let page = self.store.strays(StrayKind::NoAttempt, since, after, limit).await?;
        let (last, is_full) = (page.last().map(|(position, _)| *position), page.len() == PAGE);
        let (mut receipts, mut ids) = (Vec::new(), Vec::new());
        for (id, stray) in page {
            let parsed = parse(&stray.raw.into(), None, stray.received);
            receipts.extend(parsed.receipts.into_iter().next().inspect(|_| ids.push(id)));
        }
        let found = self.find(&receipts).await?;
        let store = Arc::clone(&self.store);
        let mut tries = Tries::read(store.as_ref(), receipts.iter().zip(&found)).await?;
        let (mut ours, mut forgotten, mut adopts) = (Vec::new(), Vec::new(), false);
        for ((mut receipt, id), found) in receipts.into_iter().zip(ids).zip(found) {
            let Some(found) = found else { continue };
            if tries.try_of(&receipt, &found, &found.message.present).await? != Try::Unrecorded {
                // It says nothing about the time before: it could not adopt yet, or had overtaken its answer.
                receipt.counts_from = now;
                adopts |= found.by_number;
                ours.push(receipt);
                forgotten.push(id);
            }
        }
        if !ours.is_empty() {
            self.apply(Parsed { receipts: ours, ..Parsed::default() }).await?;
            self.store.forget_strays(forgotten).await?;
        }
        if adopts {
            // Other strays of this page may be about the same attempt, whose umid is now known.
            return Ok(now);
        }
        // Only now, so the next round retries what an error skipped.
        self.round.tried = last.filter(|_| is_full).unwrap_or(Cursor::START);
        if !is_full {
            let waited_until = begun - self.naming.settled_within();
            self.round.settled_until = self.round.settled_until.max(waited_until - TRIED_FOR);
            self.round.begun = None;
            self.book.tried_until(waited_until);
        }
        self.round.pages += 1;
        if is_full && self.round.pages < PAGES {
            return Ok(now);
        }
        self.round.pages = 0;
        self.retry_replies(now).await?;
        Ok(now + EVERY)
    }

    /// Retries the replies of the last minute that belong to no attempt yet.
    async fn retry_replies(&mut self, now: Timestamp) -> crate::store::Result<()> {
        let limit = u32::try_from(PAGE).unwrap_or(u32::MAX);
        let mut after = self.round.replies_settled;
        for _ in 0..PAGES {
            let page = self.store.inbound(InboundOf::NotReplies, after, limit).await?;
            let Some((last, _)) = page.last() else { break };
            let (last, is_full) = (*last, page.len() == PAGE);
            let mut replies = Vec::new();
            for (id, inbound) in page {
                if now.since(inbound.received) <= TRIED_FOR {
                    replies.extend(Reply::from_stored(inbound));
                } else {
                    self.round.replies_settled = id;
                }
            }
            let receipts: Vec<_> = replies.iter().filter_map(Reply::as_receipt).collect();
            let mut found = self.find(&receipts).await?.into_iter();
            replies.retain(|_| found.next().flatten().is_some());
            if !replies.is_empty() {
                self.apply(Parsed { replies, ..Parsed::default() }).await?;
            }
            if !is_full {
                break;
            }
            after = last;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_round_covers_what_earlier_servers_had_no_time_to_retry() {
        let at = |second: i64| Timestamp::from_millis(second * 1_000);
        let begins = |missed: &[(i64, i64)]| {
            let gap = |(from, until): &(i64, i64)| Gap { from: at(*from), until: at(*until) };
            let missed: Vec<Gap> = missed.iter().map(gap).collect();
            Round::after(missed, &Naming::of(&[]), at(10_000)).settled_until
        };
        assert_eq!(begins(&[]), at(9_935));
        assert_eq!(begins(&[(3_000, 9_800), (9_960, 10_000)]), at(9_895), "the server in between ran for long");
        assert_eq!(
            begins(&[(3_000, 9_900), (9_960, 10_000)]),
            at(2_935),
            "the server in between ran for only a minute"
        );
        assert_eq!(begins(&[(13_600, 10_000)]), at(9_935), "the clock was set back");
    }
}
