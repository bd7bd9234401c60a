//! Decides waived deadlines by silence again, once a doubt turns out to have lost no receipt.

use super::{PAGE, Timers};
use crate::base::domain::{Count, Loaded, Present, State, Timestamp};
use crate::rules::engine::{Event, Silence};
use crate::sending::book::Entry;
use crate::store::{Change, Result};

impl Timers {
    /// Decides the waived deadlines of ended doubts whose receipts were repeated by now, so no query is needed. Returns
    /// when the next ones are due.
    pub(super) async fn release(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        let (due, next) = self.gaps.to_release(now);
        for (done, address) in due.iter().enumerate() {
            if let Err(error) = self.release_of(*address, now).await {
                self.gaps.not_released(due.get(done..).unwrap_or_default(), now);
                return Err(error);
            }
        }
        Ok(next)
    }

    async fn release_of(&self, address: usize, now: Timestamp) -> Result<()> {
        for entry in self.book.in_play().iter().filter(|entry| !entry.is_held_back()) {
            let (mut after, tallies) = (None, self.store.tallies(entry.id).await?);
            while tallies.total(Count::Waived) > 0 {
                let mut page = self.store.due(entry.id, Timestamp::MAX, after, PAGE).await?;
                let Some(last) = page.last() else { break };
                after = last.timer_position();
                page.retain(|message| {
                    message.present.marks.waived() && self.gaps.address_of(message.lane) == Some(address)
                });
                let changes = self.released(entry, &page, now).await?;
                if !changes.is_empty() {
                    self.store.record(changes).await?;
                }
            }
        }
        Ok(())
    }

    async fn released(&self, entry: &Entry, waived: &[Loaded], now: Timestamp) -> Result<Vec<Change>> {
        let counted = self.counted_as_unknown(waived).await?;
        let is_trusted = |message: &&Loaded| {
            let counted = counted.get(&message.key).copied();
            before_waiver(entry, message)
                .is_some_and(|before| self.silence(entry, &before, counted, now) == Silence::Trusted)
        };
        let event = Event::Due { silence: Silence::Filled };
        Ok(waived.iter().filter(is_trusted).filter_map(|message| entry.decide(message, event, now)).collect())
    }
}

/// The message in the state of its deadline, before that was waived.
fn before_waiver(entry: &Entry, message: &Loaded) -> Option<Loaded> {
    let Present { accepted, step, marks, .. } = message.present;
    let due = accepted? + entry.plan.step(step)?.fallback_after?;
    let present = Present { marks: marks.with_waived(false), state: State::Awaiting { due }, ..message.present };
    Some(Loaded { present, ..*message })
}
