//! What a campaign may cost, and what stops it, in words.

use crate::campaign::Cost;
use crate::cli::words::{count, list};
use crate::domain::{Limits, Money, Plan};

/// `at most 500 messages and 20.00 EUR`; nothing without limits.
pub(super) fn limits(limits: &Limits, currency: Option<&str>) -> Option<String> {
    let messages = limits.messages.map(|messages| format!("{} messages", count(messages)));
    let budget = limits.budget.map(|budget| amount(budget, currency));
    let all: Vec<String> = messages.into_iter().chain(budget).collect();
    (!all.is_empty()).then(|| format!("at most {}", list(&all)))
}

/// Lines of a plan: what it would cost, and what stops it.
pub(super) fn of_campaign(plan: &Plan, cost: Option<&Cost>) -> Vec<String> {
    let currency = plan.currency.as_deref();
    let mut lines = Vec::new();
    lines.extend(cost.map(|cost| {
        let (first, at_most) = (amount(cost.first, currency), amount(cost.at_most, currency));
        if cost.first == cost.at_most {
            return format!("costs about {first}");
        }
        format!("costs about {first} for everybody's first message, and {at_most} if everybody goes through all steps")
    }));
    lines.extend(limits(&plan.limits, currency).map(|limits| format!("hands over {limits}, and is paused then")));
    lines.extend(plan.pause_when.map(|rule| format!("is paused when {rule} on a step")));
    lines.extend(
        plan.hold_paid_when
            .map(|rule| format!("holds the next step that costs something when {rule} on one before it")),
    );
    lines
}

pub(super) fn amount(money: Money, currency: Option<&str>) -> String {
    currency.map_or_else(|| money.to_string(), |currency| format!("{money} {currency}"))
}
