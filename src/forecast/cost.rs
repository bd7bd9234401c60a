//! Estimates the cost of a campaign by its price list.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::{Country, Money, Names, Plan, Step};
use crate::template;

/// An estimate: the parts of an SMS are counted by its fixed text, without what variables add.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Cost {
    /// The cost if no message falls back.
    pub first: Money,
    /// The cost if every message goes through all steps that apply to it.
    pub at_most: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

impl Cost {
    /// Estimates the cost; `None` if no step has a price.
    pub fn of(plan: &Plan, countries: &BTreeMap<Country, u64>) -> Option<Self> {
        if plan.steps.iter().all(|step| step.prices.is_empty()) {
            return None;
        }
        let (mut first, mut at_most) = (Money::ZERO, Money::ZERO);
        for (country, recipients) in countries {
            let marks = plan.marks_at_first(Some(*country));
            let begins = plan.first(marks);
            for (index, step) in plan.indexed_steps().filter(|(index, _)| !marks.passed_over(*index)) {
                let cost = each(plan.names(), step, *country).times(*recipients);
                at_most = at_most.plus(cost);
                if begins == Some(index) {
                    first = first.plus(cost);
                }
            }
        }
        Some(Self { first, at_most, currency: plan.currency.clone() })
    }
}

/// The cost of a step in one country, if every message to it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CountryCost {
    pub country: Country,
    pub messages: u64,
    /// The parts of each message; 1 on other channels than SMS.
    pub billed_parts: u64,
    /// The price of a message or, on SMS, of a part.
    pub price: Money,
    /// The price of all messages.
    pub sum: Money,
}

impl CountryCost {
    /// The costs of a step in the countries with a price, the highest first.
    pub fn of_step(plan: &Plan, step: &Step, countries: &BTreeMap<Country, u64>) -> Vec<Self> {
        let parts = parts(plan.names(), step);
        let theirs = countries.iter().filter(|(country, _)| step.countries.contain(Some(**country)));
        let priced = theirs.filter_map(|(country, messages)| {
            let (country, messages, price) = (*country, *messages, step.prices.of(*country)?);
            Some(Self { country, messages, billed_parts: parts, price, sum: price.times(parts).times(messages) })
        });
        let mut costs: Vec<Self> = priced.collect();
        costs.sort_by(|one, other| other.sum.cmp(&one.sum).then(one.country.cmp(&other.country)));
        costs
    }
}

/// The cost of one message of a step.
pub(crate) fn each(names: Names<'_>, step: &Step, country: Country) -> Money {
    step.prices.of(country).unwrap_or_default().times(parts(names, step))
}

/// The lowest cost of one message of a step, to recipients from these countries.
pub(crate) fn least(names: Names<'_>, step: &Step, countries: &BTreeMap<Country, u64>) -> Money {
    let theirs = countries.keys().filter(|country| step.countries.contain(Some(**country)));
    theirs.map(|country| each(names, step, *country)).min().unwrap_or_default()
}

fn parts(names: Names<'_>, step: &Step) -> u64 {
    let Some((_, encoding)) = step.sms() else { return 1 };
    let literals = template::literals(&step.content, names).unwrap_or_default();
    let text: String = literals.into_iter().map(|(_, text)| text).collect();
    template::segments(&template::as_sent(step, &text), encoding).parts.max(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Channel, Prices, StepIndex};

    #[test]
    fn the_cost_depends_on_country_sms_parts_and_steps() {
        let price = |text: &str| Prices { others: Some(text.parse().unwrap()), ..Prices::default() };
        let viber = Step { prices: price("0.02"), ..Step::of_text(Channel::Viber, "viber", "Hi") };
        let mut sms = Step { prices: price("0.10"), ..Step::of_text(Channel::Sms, "sms", &"x".repeat(161)) };
        let [singapore, germany] = ["SG", "DE"].map(|code| code.parse::<Country>().unwrap());
        sms.prices.by_country.insert(germany, "0.20".parse().unwrap());
        let mut plan = Plan::of_steps(vec![viber, sms]);
        let recipients = [(singapore, 100), (germany, 10)].into();
        let cost =
            |plan: &Plan| Cost::of(plan, &recipients).map(|cost| (cost.first.to_string(), cost.at_most.to_string()));
        assert_eq!(cost(&plan), Some(("2.20".to_owned(), "26.20".to_owned())));
        let of_sms = CountryCost::of_step(&plan, &plan.steps[1], &recipients);
        let shown =
            |it: &CountryCost| format!("{} {} {} {} {}", it.country, it.messages, it.billed_parts, it.price, it.sum);
        assert_eq!(of_sms.iter().map(shown).collect::<Vec<_>>(), ["SG 100 2 0.10 20.00", "DE 10 2 0.20 4.00"]);
        plan.steps[0].countries = crate::domain::Countries::Only([singapore].into());
        assert_eq!(plan.first(plan.marks_at_first(Some(germany))), StepIndex::new(1));
        assert_eq!(cost(&plan), Some(("6.00".to_owned(), "26.00".to_owned())));
        assert_eq!(cost(&Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", "Hi")])), None);
    }
}
