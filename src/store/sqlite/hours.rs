//! Hours: who of a queue may not leave now, and when they may.

use std::collections::HashMap;
use std::sync::Arc;

use super::messages::{place, unclaimed};
use crate::domain::{Country, LaneId, Span, Timestamp};
use crate::store::{Claimed, Loaded, Timing};

/// Who never may within the time that is looked ahead is looked at again after this: a campaign may end before.
const NEVER: Span = Span::from_secs(30 * 86_400);

/// What keeps some of a queue in at this hour.
pub(super) struct Doors {
    /// Whose queue it is.
    lane: LaneId,
    timing: Arc<Timing>,
    now: Timestamp,
    /// When the first of each country were to leave.
    first: HashMap<Country, Option<Timestamp>>,
}

impl Doors {
    pub(super) fn new(lane: LaneId, timing: &Arc<Timing>, now: Timestamp) -> Self {
        Self { lane, timing: Arc::clone(timing), now, first: HashMap::new() }
    }

    pub(super) fn are_open_for(&self, claimed: &Claimed) -> bool {
        self.timing.hours.are_open(self.now, claimed.zone())
    }

    /// Leaves those in a queue who may leave now, and returns the others.
    pub(super) fn keep_in(&mut self, queue: &mut Vec<Claimed>) -> Vec<(Loaded, Timestamp)> {
        let (open, kept_in): (Vec<_>, Vec<_>) = queue.drain(..).partition(|claimed| self.are_open_for(claimed));
        *queue = open;
        kept_in.into_iter().map(|claimed| (unclaimed(claimed.message, self.lane), self.open_from(&claimed))).collect()
    }

    fn open_from(&mut self, claimed: &Claimed) -> Timestamp {
        let Timing { hours, launched } = &*self.timing;
        let country = claimed.message.country;
        let first = self.first.entry(country).or_insert_with(|| Some(hours.since_in(country)?.max(*launched)));
        let planned = place(&claimed.message.present).unwrap_or(self.now);
        hours.put_off(planned, *first, self.now, claimed.zone()).unwrap_or(self.now + NEVER)
    }
}
