//! What a beat reports of the sending: the pace of each batch, and the states of lanes that have changed.

use std::collections::HashMap;

use crate::base::domain::{BatchId, Span, Timestamp};
use crate::sending::book::Book;
use crate::sending::dispatch::LaneStatus;
use crate::sending::throttle::StandstillCause;
use crate::store::{LaneStandstill, LaneState, Trouble};

/// How often the node reports that it runs and renews its lease, even without decisions.
pub(super) const BEAT: Span = Span::from_secs(1);

pub(super) struct Pulse {
    /// When the paces were last measured.
    pub(super) beaten_at: Timestamp,
    /// For each active batch, its submissions at the last beat and whether it was sending then.
    submissions: HashMap<BatchId, (u64, bool)>,
    /// The number of messages that each lane had sent at the last beat.
    sent: Vec<u64>,
    /// The recorded state of each lane, so that a thousand idle lanes are not written each second.
    written: HashMap<String, LaneState>,
}

impl Pulse {
    pub(super) fn new(now: Timestamp, lanes: usize) -> Self {
        Self { beaten_at: now, submissions: HashMap::new(), sent: vec![0; lanes], written: HashMap::new() }
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        now.since(self.beaten_at) >= BEAT
    }

    /// Measures since the last beat: the pace of each batch that sends or has just stopped, and the lane states that are
    /// not recorded yet. `statuses` are those of all lanes, in their order.
    pub(super) fn measure(
        &mut self,
        book: &Book,
        statuses: &[LaneStatus],
        now: Timestamp,
    ) -> (Vec<(BatchId, f64)>, Vec<LaneState>) {
        let seconds = now.since(self.beaten_at).std().as_secs_f64();
        self.beaten_at = now;
        (self.paces(book, seconds), self.changed_lanes(statuses, seconds))
    }

    fn paces(&mut self, book: &Book, seconds: f64) -> Vec<(BatchId, f64)> {
        let (mut paces, mut submissions) = (Vec::new(), HashMap::new());
        for entry in book.in_play() {
            let total = entry.submissions();
            let (before, was_moving) = self.submissions.get(&entry.id).copied().unwrap_or((0, false));
            let is_moving = total != before;
            // A batch that stopped sending reports that once.
            if is_moving || was_moving {
                paces.push((entry.id, per_second(total.saturating_sub(before), seconds)));
            }
            submissions.insert(entry.id, (total, is_moving));
        }
        self.submissions = submissions;
        paces
    }

    fn changed_lanes(&mut self, statuses: &[LaneStatus], seconds: f64) -> Vec<LaneState> {
        let lanes = statuses.iter().zip(&mut self.sent).map(|(status, before)| {
            let sent = status.submitted.saturating_sub(std::mem::replace(before, status.submitted));
            lane_state(status, per_second(sent, seconds))
        });
        lanes.filter(|state| self.written.get(&state.lane) != Some(state)).collect()
    }

    pub(super) fn set_written(&mut self, lanes: Vec<LaneState>) {
        self.written.extend(lanes.into_iter().map(|state| (state.lane.clone(), state)));
    }
}

fn lane_state(status: &LaneStatus, pace: f64) -> LaneState {
    let spent = status.tier.as_ref().filter(|tier| tier.is_spent());
    LaneState {
        lane: status.name.clone(),
        pace,
        portion: status.portion,
        tier_spent: spent.is_some(),
        free_at: spent.and_then(|tier| tier.free_at),
        complaint: status.complaint.clone(),
        standing: status.standstill.clone().map(|standstill| LaneStandstill {
            trouble: match standstill.cause {
                StandstillCause::Throttled => Trouble::Throttled,
                StandstillCause::Outage => Trouble::Outage,
                StandstillCause::Refused => Trouble::Refused,
            },
            since: standstill.since,
            until: standstill.until,
            why: standstill.reason,
            in_flight: standstill.in_flight,
        }),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pace is only shown, and stays far below 2^52 messages per second")]
fn per_second(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}
