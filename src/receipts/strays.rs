//! Strays tried again: a receipt, and what a person answers, may come before its attempt's answer is on disk.

use std::sync::Arc;

use super::answers::Answer;
use super::applier::Applier;
use super::incoming::{Parsed, parse};
use super::naming::Naming;
use super::tries::{Tries, Try};
use crate::domain::{Span, Timestamp};
use crate::engine::Gap;
use crate::store::{InboundOf, StrayKind};

/// How often strays are tried again, and for how long once they may adopt.
const EVERY: Span = Span::from_secs(1);
const TRIED_FOR: Span = Span::from_secs(60);
/// How many at once. Webhooks get their turn in between.
const PAGE: usize = 2_000;
/// Pages in one round. Most strays will never be ours, so however many there are, trying them is no work that never
/// ends; the next round goes on where this one stopped.
const PAGES: u32 = 10;

/// Where the trying again is.
#[derive(Debug)]
pub(super) struct Round {
    /// What came until then is not tried again: a whole round has gone past it since its time to wait was over. In a
    /// server's first round: what earlier servers had the time to try in full.
    behind: Timestamp,
    /// When this round began.
    begun: Option<Timestamp>,
    /// When the last stray came that this round has tried, and its id; nothing where the next round begins.
    tried: Option<(Timestamp, i64)>,
    pages: u32,
    /// What people wrote up to here is too old to be tried again.
    answers_behind: i64,
}

impl Round {
    /// The first of a server that starts at `now`, after these times in which none took receipts. A server that died soon
    /// after one may not have tried what came before it.
    pub(super) fn after(mut missed: Vec<Gap>, naming: &Naming, now: Timestamp) -> Self {
        missed.sort_unstable_by_key(Gap::end);
        let before = |from: Timestamp| from - naming.settled_within() - TRIED_FOR;
        let mut behind = before(now);
        for gap in missed.iter().rev() {
            if gap.end() >= behind {
                behind = behind.min(before(gap.from));
            }
        }
        Self { behind, begun: None, tried: None, pages: 0, answers_behind: 0 }
    }
}

impl Applier {
    /// Tries one page of the latest strays. Returns when to try the next.
    pub(crate) async fn retry_strays(&mut self) -> crate::store::Result<Timestamp> {
        let now = self.clock.now();
        let begun = *self.round.begun.get_or_insert(now);
        // However many older ones are kept, no look goes past them.
        let after = self.round.tried.max(Some((self.round.behind, 0)));
        let limit = u32::try_from(PAGE).unwrap_or(u32::MAX);
        let page = self.store.strays(StrayKind::NoAttempt, after, limit).await?;
        let (last, is_full) = (page.last().map(|(id, stray)| (stray.received, *id)), page.len() == PAGE);
        let (mut receipts, mut ids) = (Vec::new(), Vec::new());
        for (id, stray) in page {
            let parsed = parse(stray.raw.into(), None, stray.received);
            receipts.extend(parsed.receipts.into_iter().next().inspect(|_| ids.push(id)));
        }
        let found = self.find(&receipts).await?;
        let store = Arc::clone(&self.store);
        let mut tries = Tries::read(store.as_ref(), receipts.iter().zip(&found)).await?;
        let (mut ours, mut forgotten, mut adopts) = (Vec::new(), Vec::new(), false);
        for ((mut receipt, id), found) in receipts.into_iter().zip(ids).zip(found) {
            let Some(found) = found else { continue };
            if tries.told_by(&receipt, &found, &found.message.present).await? != Try::Unrecorded {
                // It says nothing of the time before: it could not adopt, or had overtaken its answer.
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
            // Others on this page may be of the same attempt, whose umid is known now.
            return Ok(now);
        }
        // Only now: what an error has kept from being tried is tried by the next round.
        self.round.tried = last.filter(|_| is_full);
        if !is_full {
            let waited_until = begun - self.naming.settled_within();
            self.round.behind = self.round.behind.max(waited_until - TRIED_FOR);
            self.round.begun = None;
            self.book.tried_until(waited_until);
        }
        self.round.pages += 1;
        if is_full && self.round.pages < PAGES {
            return Ok(now);
        }
        self.round.pages = 0;
        self.retry_answers(now).await?;
        Ok(now + EVERY)
    }

    /// Tries the last minute's answers to nothing that we know once more.
    async fn retry_answers(&mut self, now: Timestamp) -> crate::store::Result<()> {
        let limit = u32::try_from(PAGE).unwrap_or(u32::MAX);
        let mut after = self.round.answers_behind;
        for _ in 0..PAGES {
            let page = self.store.inbound(InboundOf::Nowhere, after, limit).await?;
            let Some((last, _)) = page.last() else { break };
            let (last, is_full) = (*last, page.len() == PAGE);
            let mut answers = Vec::new();
            for (id, inbound) in page {
                if now.since(inbound.received) <= TRIED_FOR {
                    answers.extend(Answer::again(inbound));
                } else {
                    self.round.answers_behind = id;
                }
            }
            let receipts: Vec<_> = answers.iter().filter_map(Answer::as_receipt).collect();
            let mut found = self.find(&receipts).await?.into_iter();
            answers.retain(|_| found.next().flatten().is_some());
            if !answers.is_empty() {
                self.apply(Parsed { answers, ..Parsed::default() }).await?;
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
    fn the_first_round_reaches_back_to_what_earlier_servers_had_no_time_for() {
        let at = |second: i64| Timestamp::from_millis(second * 1_000);
        let begins = |missed: &[(i64, i64)]| {
            let gap = |(from, until): &(i64, i64)| Gap { from: at(*from), until: at(*until) };
            let missed: Vec<Gap> = missed.iter().map(gap).collect();
            Round::after(missed, &Naming::of(&[]), at(10_000)).behind
        };
        assert_eq!(begins(&[]), at(9_935));
        assert_eq!(begins(&[(3_000, 9_800), (9_960, 10_000)]), at(9_895), "the one in between lived for long");
        assert_eq!(begins(&[(3_000, 9_900), (9_960, 10_000)]), at(2_935), "the one in between lived for a minute only");
        assert_eq!(begins(&[(13_600, 10_000)]), at(9_935), "the clock was set back");
    }
}
