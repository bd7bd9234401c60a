//! Finds messages whose deadline was waived, because their receipts may be lost.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::{KEPT, PAGE, Position, Search};
use crate::ask::{Candidate, SEARCH_INTERVAL, takes};
use crate::book::Entry;
use crate::domain::{AfterGap, BatchId, Loaded, Span, StepIndex, Timestamp};
use crate::events::{Event, EventKind, Subject};
use crate::store::Result;

/// How long a page of candidates is valid: a more urgent one may have come.
const STALE: Span = Span::from_secs(600);
/// Reading many rows for few candidates takes no more than this part of the time.
const WALK_PART: i64 = 20;

/// The walk over messages whose deadline was waived.
#[derive(Debug, Default)]
pub(super) struct WaivedWalk {
    pub(super) found: VecDeque<Candidate>,
    since: Timestamp,
    /// Its position in each batch.
    positions: HashMap<BatchId, Position>,
    pub(super) rests_until: Timestamp,
}

impl Search {
    pub(super) async fn walk_waived(&mut self, now: Timestamp) -> Result<()> {
        if now.since(self.waived.since) >= STALE {
            self.waived.since = now;
            self.waived.positions.clear();
        }
        let (mut all, mut to_ask) = (Vec::new(), 0);
        for entry in self.in_play() {
            if entry.plan.after_gap != AfterGap::Ask || self.quiet.has_none_waived(entry.id) {
                continue;
            }
            let tallies = self.store.tallies(entry.id).await?;
            let steps = StepIndex::all().filter(|step| self.asks_for(&entry, *step));
            let waived: i64 = steps.map(|step| tallies.to_ask(step)).sum();
            if waived <= 0 {
                self.quiet.note_none_waived(entry.id);
                self.waived.positions.remove(&entry.id);
                continue;
            }
            to_ask += waived.unsigned_abs();
            all.extend(self.waived_of(&entry, now).await?);
        }
        self.report_progress(to_ask, now).await?;
        all.sort_by_key(|candidate| (candidate.due, candidate.key));
        if all.is_empty() {
            // Starts again from the front, after a rest that keeps the walks cheap.
            self.waived.positions.clear();
            let took = self.clock.now().since(now).millis();
            self.waived.rests_until = now + Span::from_millis(took * WALK_PART).max(SEARCH_INTERVAL);
        }
        self.waived.found = all.into();
        Ok(())
    }

    /// The next candidates of a batch, after the present position of the walk.
    async fn waived_of(&mut self, entry: &Arc<Entry>, now: Timestamp) -> Result<Vec<Candidate>> {
        let mut found = Vec::new();
        while found.len() < KEPT {
            let position = self.waived.positions.get(&entry.id).copied();
            let page = self.store.due(entry.id, Timestamp::MAX, position, PAGE).await?;
            let is_last = u32::try_from(page.len()).unwrap_or(PAGE) < PAGE;
            // As many as are kept; the next walk finds the others.
            let is_waived = |message: &&Loaded| message.present.marks.waived() && self.is_ours(message);
            let waived: Vec<Loaded> = page.iter().filter(is_waived).take(KEPT).copied().collect();
            let is_full = waived.len() == KEPT;
            let end = if is_full { waived.last() } else { page.last() }.and_then(Loaded::timer_position);
            found.extend(self.candidates(entry, waived, |asked| asked.is_none_or(|asked| asked.again <= now)).await?);
            if let Some(end) = end {
                self.waived.positions.insert(entry.id, end);
            }
            if is_last && !is_full {
                break;
            }
        }
        Ok(found)
    }

    /// Records an event when the queries begin and when they are done.
    async fn report_progress(&mut self, to_ask: u64, now: Timestamp) -> Result<()> {
        let kind = match (self.reported, to_ask) {
            (0, 0) => return Ok(()),
            (0, deadlines) => EventKind::AskingBegan { deadlines, takes: takes(deadlines) },
            (_, 0) => EventKind::AskingDone,
            (_, to_ask) => {
                self.reported = to_ask;
                return Ok(());
            }
        };
        self.store.record_event(Event::by_server(now, Subject::Server, kind)).await?;
        self.reported = to_ask;
        Ok(())
    }
}
