//! The price of each message of a step.

use std::sync::Arc;

use crate::domain::{Money, Plan, Prices, Step};
use crate::planner::{Candidate, Cap, Price};
use crate::template::BilledParts;

/// The prices of a step, by country.
#[derive(Debug)]
struct Tariff {
    prices: Prices,
    parts: BilledParts,
}

impl Price for Tariff {
    fn of(&self, candidate: &Candidate) -> Money {
        let price = self.prices.of(candidate.message.country).unwrap_or_default();
        if self.parts.are_same() {
            return price.times(self.parts.of(&[]));
        }
        // A message with unreadable fields is not sent.
        candidate.fields.unpack().map_or(Money::ZERO, |fields| price.times(self.parts.of(&fields)))
    }
}

/// The cap of a step; `None` if neither a limit nor a price applies.
pub(super) fn cap(plan: &Plan, step: &Step) -> Option<Cap> {
    if step.limits.are_none() && plan.limits.are_none() && step.prices.is_empty() {
        return None;
    }
    let parts = BilledParts::of_step(step, plan.names());
    let tariff = || Arc::new(Tariff { prices: step.prices.clone(), parts }) as Arc<dyn Price>;
    Some(Cap { step: step.limits, batch: plan.limits, price: (!step.prices.is_empty()).then(tariff) })
}
