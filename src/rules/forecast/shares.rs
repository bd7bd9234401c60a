//! Counts how many recipients of a campaign each step applies to.

use std::collections::BTreeMap;

use crate::base::domain::{Country, Crowd, Plan, StepIndex, Taker};

/// The recipients of a campaign, divided among the steps of its route.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shares {
    steps: [Share; StepIndex::COUNT_MAX as usize],
    /// Recipients to whom no step applies, by country.
    pub without_step: BTreeMap<Country, u64>,
    /// Recipients without a number, whom the channel of no step knows.
    pub unknown: u64,
    /// Approximate number of recipients that start with a step, by its lanes.
    by_lane: BTreeMap<(StepIndex, String), f64>,
}

/// The recipients of one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Recipients to whom the step applies.
    pub recipients: u64,
    /// Recipients that start with the step.
    pub beginning: u64,
    /// Recipients with a later step.
    pub followed: u64,
}

impl Shares {
    pub fn of(plan: &Plan, crowd: &Crowd) -> Self {
        let mut shares = Self::default();
        for (taker, recipients) in crowd {
            let (Taker { country, only_on }, marks) = (taker, plan.marks_of(*taker));
            let first = plan.first(marks);
            match (first, only_on) {
                (None, None) => _ = shares.without_step.insert(*country, *recipients),
                (None, Some(_)) => shares.unknown += recipients,
                (Some(_), _) => {}
            }
            if let Some((index, step)) = first.and_then(|index| Some((index, plan.step(index)?))) {
                for (member, share) in step.lanes.shares(*country) {
                    let of_lane = shares.by_lane.entry((index, member.lane.clone())).or_default();
                    *of_lane += as_float(*recipients) * share;
                }
            }
            for (index, _) in plan.indexed_steps().filter(|(index, _)| !marks.passed_over(*index)) {
                let share = &mut shares.steps[index.index()];
                share.recipients += recipients;
                share.beginning += if first == Some(index) { *recipients } else { 0 };
                share.followed += if plan.after(index, marks).is_some() { *recipients } else { 0 };
            }
        }
        shares
    }

    /// Approximate number of recipients that start with a step on one of its lanes.
    pub fn on_lane(&self, index: StepIndex, lane: &str) -> u64 {
        self.by_lane.get(&(index, lane.to_owned())).copied().map_or(0, as_count)
    }

    pub const fn at(&self, index: StepIndex) -> Share {
        self.steps[index.index()]
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate of quadrillions may be off by a few")]
pub(crate) const fn as_float(recipients: u64) -> f64 {
    recipients as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate of a count")]
fn as_count(recipients: f64) -> u64 {
    recipients.round() as u64
}
