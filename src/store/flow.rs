//! Counts what has happened to messages since the store was opened, by lane and step.
//!
//! The counters of a batch are on disk, and end with it. These are for a scrape: they only grow, and start at zero.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::{Change, Verdict};
use crate::base::domain::{Ending, LaneId, MessageKey, Outcome, Present, State, Status, StepIndex};

/// Something that happens to a message at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flow {
    /// A try ended like this, or was not possible.
    Tried(Verdict),
    /// The provider reported this status for the first time.
    Reported(Status),
    /// The provider reported that it did not arrive.
    ReportedUndelivered,
    /// The message fell back, because the step ended like this.
    FellBack(Ending),
    /// The message got this outcome, or got it instead of another.
    Ended(Outcome),
}

/// Where it happens. The lane is unknown for late receipts about a step that the message has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlowPlace {
    pub lane: Option<LaneId>,
    pub step: StepIndex,
}

/// A count of one flow at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowCount {
    pub place: FlowPlace,
    pub flow: Flow,
    pub count: u64,
}

/// The counts that a group of changes adds. A group has few of them, so they are searched one by one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FlowCounts(Vec<FlowCount>);

impl FlowCounts {
    /// Counts changes, except those of `stale` messages, which were not applied.
    pub(super) fn of(changes: &[Change], stale: &[MessageKey]) -> Self {
        let mut counts = Self::default();
        for change in changes.iter().filter(|change| !stale.contains(&change.key)) {
            counts.add_change(change);
        }
        counts
    }

    fn add_change(&mut self, change: &Change) {
        let (before, after) = (&change.before, &change.after);
        let place = |step| FlowPlace {
            lane: match step {
                step if step == after.step => Some(change.lane),
                step if step == before.step => Some(change.lane_before),
                _ => None,
            },
            step,
        };
        // A receipt that overtakes the answer records the submission, and the answer then records it once more.
        let is_known = !matches!(before.state, State::Sending { .. });
        if let Some(fact) = change.fact.as_ref().filter(|fact| !(fact.verdict.was_begun() && is_known)) {
            self.add(FlowPlace { lane: Some(fact.lane), step: fact.step }, Flow::Tried(fact.verdict));
        }
        if before.marks != after.marks {
            for step in StepIndex::all().take_while(|step| *step <= before.step.max(after.step)) {
                self.add_reports(place(step), before, after);
            }
        }
        if after.step > before.step {
            self.add(place(before.step), Flow::FellBack(after.marks.ending(before.step)));
        }
        if let Some(outcome) = outcome(after).filter(|outcome| self::outcome(before) != Some(*outcome)) {
            self.add(place(after.step), Flow::Ended(outcome));
        }
    }

    fn add_reports(&mut self, place: FlowPlace, before: &Present, after: &Present) {
        let (was, is) = (before.marks.status(place.step), after.marks.status(place.step));
        for status in [Status::Sent, Status::Delivered, Status::Read] {
            if is >= Some(status) && was < Some(status) {
                self.add(place, Flow::Reported(status));
            }
        }
        if after.marks.failed(place.step) && !before.marks.failed(place.step) {
            self.add(place, Flow::ReportedUndelivered);
        }
    }

    fn add(&mut self, place: FlowPlace, flow: Flow) {
        match self.0.iter_mut().find(|count| count.place == place && count.flow == flow) {
            Some(count) => count.count += 1,
            None => self.0.push(FlowCount { place, flow, count: 1 }),
        }
    }
}

const fn outcome(message: &Present) -> Option<Outcome> {
    match message.state {
        State::Done { outcome, .. } => Some(outcome),
        State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => None,
    }
}

/// All counts since the store was opened.
#[derive(Debug, Default)]
pub(super) struct Flows(Mutex<HashMap<(FlowPlace, Flow), u64>>);

impl Flows {
    /// Adds the counts of a group. Call it once the group is on disk.
    pub(super) fn add(&self, counts: &FlowCounts) {
        let mut all = self.0.lock();
        for FlowCount { place, flow, count } in &counts.0 {
            *all.entry((*place, *flow)).or_default() += count;
        }
    }

    pub(super) fn counts(&self) -> Vec<FlowCount> {
        let all = self.0.lock();
        all.iter().map(|((place, flow), count)| FlowCount { place: *place, flow: *flow, count: *count }).collect()
    }
}
