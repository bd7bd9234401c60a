//! Pages of the messages that are queued after a step, to find those that have to be taken back.

use super::PAGE;
use crate::base::domain::{Count, Loaded, Queue, State, StepIndex, Timestamp};
use crate::sending::book::Entry;
use crate::store::{Along, Result, Store};

/// The queues of the steps after one, from a time on; each page once. Messages that are claimed meanwhile stay claimed.
pub(super) struct Queues {
    queues: Vec<Queue>,
    since: Timestamp,
    /// The last message of the page before, of the present queue.
    after: Option<Along>,
}

impl Queues {
    pub(super) fn following(entry: &Entry, step: StepIndex, since: Timestamp) -> Self {
        let later = StepIndex::all().take(entry.plan.steps.len()).filter(|later| *later > step);
        let queues = later.filter_map(|step| Some((step, entry.pool(step)?.1))).flat_map(|(step, lanes)| {
            lanes.iter().map(move |lane| Queue { batch: entry.id, step, lane: *lane }).collect::<Vec<_>>()
        });
        let queues: Vec<_> = queues.collect();
        Self { queues, since, after: None }
    }

    pub(super) fn skip_rest_of_queue(&mut self) {
        self.queues.pop();
        self.after = None;
    }

    pub(super) async fn next_page(&mut self, store: &dyn Store) -> Result<Option<Vec<Loaded>>> {
        while let Some(queue) = self.queues.last().copied() {
            let is_empty =
                self.after.is_none() && store.tallies(queue.batch).await?.get(queue.step, Count::Queued) <= 0;
            let page = match is_empty {
                true => Vec::new(),
                false => store.queued_since(queue, self.since, self.after, PAGE).await?,
            };
            if let Some(last) = page.last() {
                self.after = match last.present.state {
                    State::Queued { not_before, .. } => Some((not_before, last.key.n)),
                    State::Sending { .. } | State::Awaiting { .. } | State::Done { .. } => None,
                };
                return Ok(Some(page));
            }
            self.skip_rest_of_queue();
        }
        Ok(None)
    }
}
