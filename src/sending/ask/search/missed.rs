//! Finds messages whose receipts may be lost and whose deadline is still to come.

use std::sync::Arc;

use super::{KEPT, MissedWalk, PAGE, Search};
use crate::base::domain::{AfterGap, Loaded, Present, Timestamp};
use crate::sending::book::Entry;
use crate::store::Result;

impl Search {
    /// Finds messages whose receipts may be lost and whose deadline is still to come, while there is time before it.
    pub(super) async fn walk_missed(&mut self, now: Timestamp) -> Result<()> {
        // A message that is due from now on is concerned by every lost gap since its acceptance, so the latest one is
        // enough.
        let lost = self.address.map(|address| self.gaps.lost(address)).unwrap_or_default();
        let Some(until) = lost.into_iter().map(|gap| gap.end()).max() else { return Ok(()) };
        for is_last in [false, true] {
            for entry in self.in_play() {
                let walk = MissedWalk { batch: entry.id, until, is_last };
                if entry.plan.after_gap == AfterGap::Ask && !self.missed_over.contains(&walk) {
                    self.walk_lost(&entry, walk, now).await?;
                }
                if !self.missed.is_empty() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn walk_lost(&mut self, entry: &Arc<Entry>, walk: MissedWalk, now: Timestamp) -> Result<()> {
        let begin = (now, 0);
        while self.missed.is_empty() {
            let position = self.missed_at.get(&walk).copied().unwrap_or(begin);
            let page = self.store.due(entry.id, Timestamp::MAX, Some(position), PAGE).await?;
            let is_end = u32::try_from(page.len()).unwrap_or(PAGE) < PAGE;
            let concerned: Vec<Loaded> = page
                .iter()
                .filter(|message| {
                    let Present { accepted, marks, step, .. } = message.present;
                    let no_step_to_come = marks.cut() || entry.plan.after(step, marks).is_none();
                    no_step_to_come == walk.is_last
                        && !marks.waived()
                        && accepted.is_some_and(|accepted| accepted < walk.until)
                        && self.is_ours(message)
                })
                .take(KEPT)
                .copied()
                .collect();
            let is_full = concerned.len() == KEPT;
            let end = if is_full { concerned.last() } else { page.last() }.and_then(Loaded::timer_position);
            let found =
                self.candidates(entry, concerned, |asked| asked.is_none_or(|asked| asked.at < walk.until)).await?;
            self.missed = found.into();
            if let Some(end) = end {
                self.missed_at.insert(walk, end);
            }
            if is_end && !is_full {
                self.missed_at.remove(&walk);
                self.missed_over.insert(walk);
                return Ok(());
            }
        }
        Ok(())
    }
}
