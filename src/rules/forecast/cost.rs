//! What a campaign costs by its price list.

use std::collections::BTreeMap;

use serde::Serialize;

use super::as_float;
use crate::base::domain::{Cost, Country, Crowd, Money, Names, Plan, Step, StepIndex, crowd_of};
use crate::rules::template::BilledParts;

/// What the messages of a step to one country are billed for, if every step is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Billed {
    messages: u64,
    /// One each on other channels than SMS.
    parts: u64,
    /// The parts of the messages that begin with this step.
    first: u64,
}

/// The messages and parts that each step is billed for, by country.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bill(BTreeMap<(StepIndex, Country), Billed>);

impl Bill {
    /// The bill for recipients of whom only this is known: each of them has every value that a step needs, and values add
    /// no part to an SMS.
    pub fn of_crowd(plan: &Plan, crowd: &Crowd) -> Self {
        let mut bill = Self::default();
        for (index, step) in plan.indexed_steps() {
            let parts = least_parts(plan.names(), step);
            for (taker, recipients) in crowd {
                let marks = plan.marks_of(*taker);
                if !marks.passed_over(index) {
                    let is_first = plan.first(marks) == Some(index);
                    bill.add((index, taker.country), (*recipients, parts * recipients), is_first);
                }
            }
        }
        bill
    }

    /// The same for recipients with numbers, by their countries.
    pub fn of_countries(plan: &Plan, countries: &BTreeMap<Country, u64>) -> Self {
        Self::of_crowd(plan, &crowd_of(countries, &BTreeMap::new()))
    }

    /// Adds messages of a step to one country, with their parts.
    pub fn add(&mut self, of: (StepIndex, Country), (messages, parts): (u64, u64), are_first: bool) {
        let billed = self.0.entry(of).or_default();
        billed.messages += messages;
        billed.parts += parts;
        billed.first += if are_first { parts } else { 0 };
    }

    /// What all messages of a step cost, in millionths, and how many they are.
    pub(crate) fn sum(&self, (index, step): (StepIndex, &Step)) -> (f64, u64) {
        let sum: Money = self.of_step(index).map(|(country, billed)| price(step, country).times(billed.parts)).sum();
        (as_float(sum.millionths()), self.of_step(index).map(|(_, billed)| billed.messages).sum())
    }

    /// Sums it up; `None` if no step has a price.
    pub fn cost(&self, plan: &Plan) -> Option<Cost> {
        if !plan.has_prices() {
            return None;
        }
        let sum = |parts: fn(&Billed) -> u64| -> Money {
            let priced = self.0.iter().filter_map(|((index, country), billed)| {
                Some(price(plan.step(*index)?, *country).times(parts(billed)))
            });
            priced.sum()
        };
        let (first, at_most) = (sum(|billed| billed.first), sum(|billed| billed.parts));
        Some(Cost { first, at_most, currency: plan.currency.clone() })
    }

    fn of_step(&self, step: StepIndex) -> impl Iterator<Item = (Country, Billed)> {
        self.0.iter().filter(move |((index, _), _)| *index == step).map(|((_, country), billed)| (*country, *billed))
    }

    /// What a message of a step to one country costs on average, in millionths.
    pub(crate) fn each(&self, (index, step): (StepIndex, &Step), country: Country) -> f64 {
        let Billed { messages, parts, .. } = self.0.get(&(index, country)).copied().unwrap_or_default();
        as_float(price(step, country).times(parts).millionths()) / as_float(messages.max(1))
    }
}

/// The cost of a step in one country, if every message to it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CountryCost {
    pub country: Country,
    pub messages: u64,
    /// The parts of all messages; one each on other channels than SMS.
    pub billed_parts: u64,
    /// The price of a message or, on SMS, of a part.
    pub price: Money,
    /// The price of all messages.
    pub sum: Money,
}

impl CountryCost {
    /// The costs of a step in the countries with a price, the highest first.
    pub fn of_step((index, step): (StepIndex, &Step), bill: &Bill) -> Vec<Self> {
        let priced = bill.of_step(index).filter_map(|(country, Billed { messages, parts, .. })| {
            let price = step.prices.of(country)?.price;
            Some(Self { country, messages, billed_parts: parts, price, sum: price.times(parts) })
        });
        let mut costs: Vec<Self> = priced.collect();
        costs.sort_by(|one, other| other.sum.cmp(&one.sum).then(one.country.cmp(&other.country)));
        costs
    }
}

/// The lowest cost of one message of a step, to such recipients, whatever their values are.
pub(crate) fn least(names: Names<'_>, step: &Step, crowd: &Crowd) -> Money {
    let takers = step.takers();
    let theirs = crowd.keys().filter(|taker| takers.include(**taker));
    let least = theirs.map(|taker| price(step, taker.country)).min().unwrap_or_default();
    least.times(least_parts(names, step))
}

fn price(step: &Step, country: Country) -> Money {
    step.prices.of(country).map_or(Money::ZERO, |tariff| tariff.price)
}

fn least_parts(names: Names<'_>, step: &Step) -> u64 {
    BilledParts::of_step(step, names).least()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{Channel, Charged, Prices, StepIndex, Tariff};

    #[test]
    fn the_cost_depends_on_country_sms_parts_and_steps() {
        let tariff =
            |text: &str| Tariff { price: text.parse().unwrap(), charged: Charged::Submission, allowance: None };
        let price = |text: &str| Prices { others: Some(tariff(text)), ..Prices::default() };
        let viber = Step { prices: price("0.02"), ..Step::of_text(Channel::Viber, "viber", "Hi") };
        let mut sms = Step { prices: price("0.10"), ..Step::of_text(Channel::Sms, "sms", &"x".repeat(161)) };
        let [singapore, germany] = ["SG", "DE"].map(|code| code.parse::<Country>().unwrap());
        sms.prices.by_country.insert(germany, tariff("0.20"));
        let mut plan = Plan::of_steps(vec![viber, sms]);
        let recipients = [(singapore, 100), (germany, 10)].into();
        let cost = |plan: &Plan| {
            let cost = Bill::of_countries(plan, &recipients).cost(plan);
            cost.map(|cost| (cost.first.to_string(), cost.at_most.to_string()))
        };
        assert_eq!(cost(&plan), Some(("2.20".to_owned(), "26.20".to_owned())));
        let bill = Bill::of_countries(&plan, &recipients);
        let of_sms = CountryCost::of_step((StepIndex::new(1).unwrap(), &plan.steps[1]), &bill);
        let shown =
            |it: &CountryCost| format!("{} {} {} {} {}", it.country, it.messages, it.billed_parts, it.price, it.sum);
        assert_eq!(of_sms.iter().map(shown).collect::<Vec<_>>(), ["SG 100 200 0.10 20.00", "DE 10 20 0.20 4.00"]);
        plan.steps[0].countries = crate::base::domain::Countries::Only([singapore].into());
        assert_eq!(plan.first(plan.marks_of(germany.into())), StepIndex::new(1));
        assert_eq!(cost(&plan), Some(("6.00".to_owned(), "26.00".to_owned())));
        assert_eq!(cost(&Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", "Hi")])), None);
    }
}
