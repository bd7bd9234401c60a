//! Reports changes of the lanes as events.

use super::pulse::BEAT;
use crate::base::domain::Timestamp;
use crate::base::events::Event;
use crate::node::notices::Notices;
use crate::sending::dispatch::LaneStatus;
use crate::sending::throttle::Holds;
use crate::store::{Result, Store};

/// Events that may wait to be written; the rest is dropped, because no operator could read them all.
const EVENTS_MAX: usize = 1_000;

#[derive(Default)]
pub(super) struct Reports {
    notices: Notices,
    /// Events that are not written yet.
    unwritten: Vec<Event>,
    /// When changes of the lanes were last reported.
    reported_at: Option<Timestamp>,
}

impl Reports {
    /// Whether the lanes are to be looked at again. Reading the status of a thousand lanes costs more than the rest of a
    /// look.
    pub(super) fn are_due(&self, now: Timestamp) -> bool {
        self.reported_at.is_none_or(|at| now.since(at) >= BEAT)
    }

    /// Reports the changes of the lanes since the last time.
    pub(super) fn add(&mut self, statuses: &[LaneStatus], holds: &Holds, now: Timestamp) {
        self.reported_at = Some(now);
        let events = self.notices.report(statuses, &holds.all(), now);
        let room = EVENTS_MAX.saturating_sub(self.unwritten.len());
        self.unwritten.extend(events.into_iter().take(room));
    }

    pub(super) async fn write(&mut self, store: &dyn Store) -> Result<()> {
        while let Some(event) = self.unwritten.first() {
            store.record_event(event.clone()).await?;
            self.unwritten.remove(0);
        }
        Ok(())
    }
}
