//! Finds messages without a final report shortly before they are due.

use std::collections::VecDeque;

use super::{Search, queryable_step};
use crate::base::domain::{AfterGap, BatchId, Channel, Span, StepIndex, Timestamp};
use crate::sending::ask::{Candidate, SEARCH_INTERVAL};
use crate::store::{HighestStatus, Result};

/// How long before its deadline a message without a report is queried: late enough for the receipt to come by itself.
const BEFORE_DUE: Span = Span::from_secs(30);
/// A message that was queried within this time is not queried again before its deadline.
const REPEAT_AFTER: Span = Span::from_secs(60);
/// Most messages found that way. More cannot be queried in that time, and earlier ones were queried already.
const NEARLY_DUE: u32 = 100;
/// How long a channel usually takes at most until the first report about an attempt.
const fn overdue_after(channel: Channel) -> Span {
    match channel {
        Channel::Sms => Span::from_secs(60),
        _ => Span::from_secs(20),
    }
}

/// Messages that are nearly due, with no more than this report.
#[derive(Debug)]
pub(super) struct NearlyDue {
    reported: HighestStatus,
    /// Whether they are on the last step of their route.
    is_last: bool,
    found: VecDeque<Candidate>,
    searched_at: Timestamp,
}

impl NearlyDue {
    pub(super) const fn of(reported: HighestStatus, is_last: bool) -> Self {
        Self { reported, is_last, found: VecDeque::new(), searched_at: Timestamp::from_millis(0) }
    }

    fn take(&mut self, now: Timestamp) -> Option<Candidate> {
        // A message that is due by now is decided without a query.
        self.found.retain(|candidate| candidate.due > now);
        self.found.pop_front()
    }
}

impl Search {
    /// The next candidate that is nearly due. The search is repeated from time to time.
    pub(super) async fn nearly_due(
        &mut self,
        of: impl Fn(&mut Self) -> &mut NearlyDue,
        now: Timestamp,
    ) -> Result<Option<Candidate>> {
        let NearlyDue { reported, is_last, searched_at, .. } = *of(self);
        if now >= searched_at + SEARCH_INTERVAL {
            let found = self.search_nearly_due(reported, is_last, now).await?;
            *of(self) = NearlyDue { reported, is_last, found, searched_at: now };
        }
        Ok(of(self).take(now))
    }

    async fn search_nearly_due(
        &mut self,
        reported: HighestStatus,
        is_last: bool,
        now: Timestamp,
    ) -> Result<VecDeque<Candidate>> {
        let until = now + BEFORE_DUE;
        let mut all = Vec::new();
        for entry in self.in_play() {
            // A phone that is off is not a gap: a plan that does not query after gaps does not query here.
            if reported == HighestStatus::Sent && entry.plan.after_gap != AfterGap::Ask {
                continue;
            }
            let steps = entry.plan.indexed_steps().map(|(step, _)| step).filter(|step| self.asks_for(&entry, *step));
            let steps: Vec<StepIndex> = steps.filter(|step| entry.plan.ends_with(*step) == is_last).collect();
            if steps.is_empty() || self.first_due(entry.id, until).await? > until {
                continue;
            }
            let mut page = self.store.silent(entry.id, steps, reported, now, until, NEARLY_DUE).await?;
            page.retain(|message| {
                let channel =
                    queryable_step(&message.present).and_then(|step| entry.plan.step(step)).map(|step| step.channel);
                let overdue = channel.zip(message.present.accepted);
                self.is_ours(message)
                    && overdue.is_some_and(|(channel, accepted)| accepted + overdue_after(channel) <= now)
            });
            all.extend(
                self.candidates(&entry, page, |asked| asked.is_none_or(|asked| asked.at + REPEAT_AFTER <= now)).await?,
            );
        }
        // A message reported as sent may not be delivered yet. Only a message without any report proves that a webhook
        // is missing.
        all.iter_mut().for_each(|candidate| candidate.is_overdue = reported == HighestStatus::Nothing);
        all.sort_by_key(|candidate| (candidate.due, candidate.key));
        Ok(all.into())
    }

    /// The first due time of a batch, read again if it may be before `until`.
    async fn first_due(&mut self, batch: BatchId, until: Timestamp) -> Result<Timestamp> {
        match self.quiet.first_due(batch).filter(|first| *first > until) {
            Some(first) => Ok(first),
            None => {
                let first = self.store.next_due(vec![batch]).await?.remove(&batch);
                Ok(self.quiet.note_first_due(batch, first))
            }
        }
    }
}
