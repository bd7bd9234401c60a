//! The price of each message of a step.

use std::sync::Arc;

use crate::domain::{Money, Plan, Prices, Step};
use crate::planner::{Candidate, Cap, Price};
use crate::template::{PARTS_MAX, PartsOf};

/// The prices of a step, by country.
#[derive(Debug)]
struct Tariff {
    prices: Prices,
    billed: Billed,
}

/// The unit that is billed.
#[derive(Debug)]
enum Billed {
    Messages,
    /// On SMS, each part.
    Parts(PartsOf),
    /// A text whose parts cannot be counted. A launch refuses it; here the budget assumes the most parts.
    MostParts,
}

impl Price for Tariff {
    fn of(&self, candidate: &Candidate) -> Money {
        let price = self.prices.of(candidate.message.country).unwrap_or_default();
        match &self.billed {
            Billed::Messages => price,
            Billed::Parts(parts) => {
                // A message with unreadable fields is not sent.
                candidate.fields.unpack().map_or(Money::ZERO, |fields| price.times(parts.count(&fields)))
            }
            Billed::MostParts => price.times(PARTS_MAX as u64),
        }
    }
}

/// The cap of a step; `None` if neither a limit nor a price applies.
pub(super) fn cap(plan: &Plan, step: &Step) -> Option<Cap> {
    if step.limits.are_none() && plan.limits.are_none() && step.prices.is_empty() {
        return None;
    }
    let billed = match PartsOf::of_step(step, plan.names()) {
        Some(parts) => parts.map_or(Billed::MostParts, Billed::Parts),
        None => Billed::Messages,
    };
    let tariff = || Arc::new(Tariff { prices: step.prices.clone(), billed }) as Arc<dyn Price>;
    Some(Cap { step: step.limits, batch: plan.limits, price: (!step.prices.is_empty()).then(tariff) })
}
