//! Recalls fallbacks queued by refusals that turned out to be the sender's fault.

use std::collections::{BTreeMap, HashMap};

use super::Timers;
use super::queues::Queues;
use crate::base::domain::{BatchId, Ending, Loaded, MessageKey, Span, State, StepIndex, Timestamp};
use crate::rules::engine::Event;
use crate::sending::book::Entry;
use crate::store::{Attempt, Change, Recall, Receipt, ReportedBy, Result, Verdict};

/// The shortest and the longest pause between two searches for such fallbacks.
///
/// A claimed one may be requeued, and one that was decided just before the hold may be written after the search. Both
/// happen soon or hardly ever, so the pause grows.
const SOON: Span = Span::from_secs(1);
const LATER: Span = Span::from_secs(60);
/// After this time since the first search, no more fallbacks of a hold are expected.
const SEARCH_FOR: Span = Span::from_secs(600);

/// When the queues after each refused step were searched first, and are to be searched next.
#[derive(Debug, Default)]
pub(super) struct Recalls(BTreeMap<(BatchId, StepIndex), Searches>);

#[derive(Debug)]
struct Searches {
    recall: Recall,
    first: Timestamp,
    /// `None` if no search is due any more.
    next: Option<Timestamp>,
}

impl Timers {
    /// Recalls the fallbacks of every step that refusals hold. Returns when to search again.
    pub(super) async fn recall(&mut self, now: Timestamp) -> Result<Option<Timestamp>> {
        let mut searches = BTreeMap::new();
        for entry in self.book.in_play().into_iter().filter(|entry| !entry.is_called_off()) {
            for (step, recall) in entry.recalls() {
                let known = self.recalls.0.remove(&(entry.id, step)).filter(|known| known.recall == recall);
                let mut known = known.unwrap_or(Searches { recall, first: now, next: Some(now) });
                if known.next.is_some_and(|next| next <= now) {
                    self.recall_after(&entry, step, recall, now).await?;
                    let searched_for = now.since(known.first);
                    known.next = (searched_for < SEARCH_FOR).then(|| now + searched_for.clamp(SOON, LATER));
                }
                searches.insert((entry.id, step), known);
            }
        }
        self.recalls.0 = searches;
        Ok(self.recalls.0.values().filter_map(|searches| searches.next).min())
    }

    async fn recall_after(&self, entry: &Entry, step: StepIndex, recall: Recall, now: Timestamp) -> Result<()> {
        let mut queues = Queues::following(entry, step, recall.since);
        while let Some(mut page) = queues.next_page(self.store.as_ref()).await? {
            if page.first().is_some_and(|message| is_beyond(entry, message, recall)) {
                // The pages are in order.
                queues.skip_rest_of_queue();
                continue;
            }
            page.retain(|message| has_fallen_back(message, step) && !is_beyond(entry, message, recall));
            let refused = self.refused(&page, step, recall).await?;
            let changes: Vec<Change> = page
                .iter()
                .filter_map(|message| {
                    let event = Event::RefusalRecalled { step, tries: *refused.get(&message.key)? };
                    entry.decide(message, event, now)
                })
                .collect();
            if !changes.is_empty() {
                self.store.record(changes).await?;
            }
        }
        Ok(())
    }

    /// The messages that were refused for this reason, with the tries before that.
    async fn refused(&self, page: &[Loaded], step: StepIndex, recall: Recall) -> Result<HashMap<MessageKey, u16>> {
        if page.is_empty() {
            return Ok(HashMap::new());
        }
        let keys: Vec<MessageKey> = page.iter().map(|message| message.key).collect();
        let attempts = self.store.attempts(keys).await?;
        let unsent =
            page.iter().zip(&attempts).filter(|(message, attempts)| !was_submitted(attempts, message.present.step));
        let latest = unsent.filter_map(|(message, attempts)| Some((message.key, latest_of(attempts, step)?)));
        let mut refused = HashMap::new();
        for (key, attempt) in latest {
            let is_refused = match recall.by {
                ReportedBy::Answer => {
                    let is_one = attempt.verdict == Verdict::Rejected && attempt.code == Some(recall.code);
                    is_one && attempt.answered <= recall.until
                }
                // One query per message: these are only the fallbacks of the short time in which the step had no
                // success.
                ReportedBy::Receipt => {
                    let receipts = self.store.receipts(key).await?;
                    let is_one = |receipt: &Receipt| (receipt.step, receipt.code) == (step, recall.code);
                    receipts.iter().any(|receipt| is_one(receipt) && receipt.received <= recall.until)
                }
            };
            if is_refused {
                refused.insert(key, attempt.tries);
            }
        }
        Ok(refused)
    }
}

/// Whether the present step was queued later than any that these refusals have queued. Hours may put a step off.
fn is_beyond(entry: &Entry, message: &Loaded, recall: Recall) -> bool {
    let later = matches!(message.present.state, State::Queued { not_before, .. } if not_before > recall.until);
    later && entry.timing(message.present.step).is_none()
}

/// Whether the present step is the fallback of this one, which failed.
fn has_fallen_back(message: &Loaded, step: StepIndex) -> bool {
    let marks = message.present.marks;
    let ending = marks.ending(step);
    marks.preceding(message.present.step) == Some(step) && matches!(ending, Ending::Rejected | Ending::Undelivered)
}

/// Whether a step was submitted, also if it waits for a retry: then its fallback cannot be undone.
pub(super) fn was_submitted(attempts: &[Attempt], step: StepIndex) -> bool {
    attempts.iter().any(|attempt| attempt.step == step && attempt.verdict.may_have_left())
}

pub(super) fn latest_of(attempts: &[Attempt], step: StepIndex) -> Option<&Attempt> {
    attempts.iter().filter(|attempt| attempt.step == step).max_by_key(|attempt| attempt.tries)
}
