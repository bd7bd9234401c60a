//! Finds messages whose deadline was waived, because their receipts may be lost.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::{PAGE, Search};
use crate::base::domain::{AfterGap, Loaded, MessageKey, Present, Span, StepIndex, Timestamp};
use crate::base::events::{Event, EventKind, Subject};
use crate::sending::ask::{Candidate, SEARCH_INTERVAL, takes};
use crate::sending::book::Entry;
use crate::store::Result;

/// The most candidates of one walk.
const MOST: usize = 1_024;
/// How long the candidates are valid: more urgent ones may have come.
const STALE: Span = Span::from_secs(600);
/// Reading many rows for few candidates takes no more than this part of the time.
const WALK_PART: i64 = 20;

/// The walk over messages whose deadline was waived.
#[derive(Debug, Default)]
pub(super) struct WaivedWalk {
    pub(super) found: VecDeque<Candidate>,
    since: Timestamp,
    rests_until: Timestamp,
}

/// The candidates with the earliest deadlines. The index is in the order of TTLs and windows, which differ from step to
/// step, so a walk reads all of it.
type Earliest = BTreeMap<(Timestamp, MessageKey), Candidate>;

impl WaivedWalk {
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        now >= self.rests_until && (self.found.is_empty() || now.since(self.since) >= STALE)
    }
}

impl Search {
    pub(super) async fn walk_waived(&mut self, now: Timestamp) -> Result<()> {
        let (mut earliest, mut to_ask) = (Earliest::new(), 0);
        for entry in self.in_play() {
            if entry.plan.after_gap != AfterGap::Ask || self.quiet.has_none_waived(entry.id) {
                continue;
            }
            let tallies = self.store.tallies(entry.id).await?;
            let steps = StepIndex::all().filter(|step| self.asks_for(&entry, *step));
            let waived: i64 = steps.map(|step| tallies.to_ask(step)).sum();
            if waived <= 0 {
                self.quiet.note_none_waived(entry.id);
                continue;
            }
            to_ask += waived.unsigned_abs();
            self.waived_of(&entry, &mut earliest, now).await?;
        }
        self.report_progress(to_ask, now).await?;
        let rest = Span::from_millis(self.clock.now().since(now).millis() * WALK_PART);
        let rest = if earliest.is_empty() { rest.max(SEARCH_INTERVAL) } else { rest };
        self.waived = WaivedWalk { found: earliest.into_values().collect(), since: now, rests_until: now + rest };
        Ok(())
    }

    /// Adds the candidates of a batch to those with the earliest deadlines.
    async fn waived_of(&self, entry: &Arc<Entry>, earliest: &mut Earliest, now: Timestamp) -> Result<()> {
        let mut position = None;
        loop {
            let mut page = self.store.due(entry.id, Timestamp::MAX, position, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            position = last.timer_position();
            page.retain(|message| message.present.marks.waived() && self.is_ours(message));
            let deadlines = page.iter().filter_map(|message| Some((message.key, deadline(entry, message)?)));
            let mut deadlines: HashMap<MessageKey, Timestamp> = deadlines.collect();
            if let Some(((latest, _), _)) = earliest.last_key_value().filter(|_| earliest.len() >= MOST) {
                deadlines.retain(|_, deadline| *deadline < *latest);
            }
            page.retain(|message| deadlines.contains_key(&message.key));
            let may_ask = |asked: Option<&crate::store::Query>| asked.is_none_or(|asked| asked.again <= now);
            for candidate in self.candidates(entry, page, may_ask).await? {
                let deadline = deadlines.get(&candidate.key).copied().unwrap_or(candidate.due);
                earliest.insert((deadline, candidate.key), candidate);
            }
            while earliest.len() > MOST {
                earliest.pop_last();
            }
        }
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

/// The deadline of the present step, which was waived.
fn deadline(entry: &Entry, message: &Loaded) -> Option<Timestamp> {
    let Present { accepted, step, .. } = message.present;
    Some(accepted? + entry.plan.step(step)?.fallback_after?)
}
