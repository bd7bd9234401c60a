//! The price of each message of a step.

use std::sync::Arc;

use crate::base::domain::{Fee, Plan, Step, fee};
use crate::rules::planner::{Candidate, Cap, Price};
use crate::rules::template::BilledParts;

/// A step with prices.
#[derive(Debug)]
struct StepPrices {
    step: Step,
    parts: BilledParts,
}

impl Price for StepPrices {
    fn of(&self, candidate: &Candidate) -> Fee {
        // A message with unreadable fields is not sent.
        let parts = if self.parts.are_same() {
            self.parts.of(&[])
        } else {
            candidate.fields.unpack().map_or(0, |fields| self.parts.of(&fields))
        };
        fee(&candidate.message, &self.step, parts)
    }
}

/// The cap of a step; `None` if neither a limit nor a price applies.
pub(super) fn cap(plan: &Plan, step: &Step) -> Option<Cap> {
    if step.limits.are_none() && plan.limits.are_none() && step.prices.is_empty() {
        return None;
    }
    let parts = BilledParts::of_step(step, plan.names());
    let prices = || Arc::new(StepPrices { step: step.clone(), parts }) as Arc<dyn Price>;
    Some(Cap { step: step.limits, batch: plan.limits, price: (!step.prices.is_empty()).then(prices) })
}
