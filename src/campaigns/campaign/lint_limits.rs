//! Warns about limits that are too small for the campaign.

use super::lint::{Lint, Warning};
use crate::base::config::{NamedKey, Sentence};
use crate::base::domain::{BatchState, Cost, Plan, StepIndex, Tallies, Timestamp, grouped};

/// Warns about limits that keep some recipients from getting their first message, or a fallback. `beginning` is how many recipients
/// begin with a step.
pub(super) fn too_small(plan: &Plan, beginning: impl Fn(StepIndex) -> u64, cost: Option<&Cost>) -> Vec<Warning> {
    let all: u64 = plan.indexed_steps().map(|(index, _)| beginning(index)).sum();
    let mut found = Vec::new();
    let mut warn = |step, sentence: Sentence| found.push(Warning { code: Lint::SmallLimit, step, sentence });
    let steps = plan.indexed_steps().map(|(index, step)| (Some(index), step.limits.messages, beginning(index)));
    for (step, most, recipients) in steps.chain([(None, plan.limits.messages, all)]) {
        if let Some(most) = most.filter(|most| *most < recipients) {
            let sentence = match step {
                Some(_) => {
                    Sentence::new("").key_without_field(NamedKey::OfStep("max_messages"), "the step's own limit")
                }
                None => Sentence::new("").key("max_messages"),
            };
            let [most, recipients, wait] = [most, recipients, recipients - most].map(grouped);
            let effect = format!(" allows {most} of {recipients} first messages; raise it to send the other {wait}");
            warn(step, sentence.text(effect));
        }
    }
    let exceeds = |cost: &&Cost| plan.limits.budget < Some(cost.at_most);
    if let (Some(budget), Some(cost)) = (plan.limits.budget, cost.filter(exceeds)) {
        let currency = plan.currency.as_deref();
        let (first, at_most, of) =
            (cost.first.rounded(currency), cost.at_most.rounded(currency), budget.in_currency(currency));
        let sentence = if budget < cost.first {
            format!(
                "all first messages together cost {first}, but the budget is {of}, so the campaign pauses before all are sent"
            )
        } else {
            format!(
                "with all fallbacks the campaign costs up to {at_most}, but the budget is {of}, so it may pause before all messages \
                 are sent"
            )
        };
        warn(None, sentence.into());
    }
    found
}

/// The same of a campaign that is launched, by its counters. Of one that is over, no limit can be raised.
pub fn small_limits(state: BatchState, plan: &Plan, tallies: &Tallies, now: Timestamp) -> Vec<Warning> {
    if !BatchState::OPEN.contains(&state) || plan.end.is_some_and(|end| end <= now) {
        return Vec::new();
    }
    too_small(plan, |index| tallies.beginning_at(index), plan.cost.as_ref())
}
