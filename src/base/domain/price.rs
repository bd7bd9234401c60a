//! Prices by country, what they charge for, and what becomes of the money that a message needs.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::word::words;
use super::{
    Category, Channel, Country, Loaded, Money, Plan, Present, Span, State, Status, Step, StepIndex, Timestamp,
};

words! {
    /// The event for which the provider charges a message.
    Charged, "charge" {
        Submission = 0, "submission";
        Delivery = 1, "delivery";
    }
}

impl Charged {
    /// What a channel charges for, where the price list does not say it.
    pub const fn usual(channel: Channel) -> Self {
        match channel {
            Channel::WhatsApp => Self::Delivery,
            _ => Self::Submission,
        }
    }
}

/// The messages of a line of the price list that cost nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Free {
    /// The first ones of each calendar month (UTC), of all campaigns together.
    AMonth(u32),
    /// The first ones to a recipient after each message of theirs, as long as that keeps a window open.
    InWindow(u32),
}

/// The line of a price list, by which free messages are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PriceOf {
    pub channel: Channel,
    /// The template category; `None` for every category without a line of its own.
    pub category: Option<Category>,
    /// `None` for every country without a line of its own.
    pub country: Option<Country>,
}

/// `WhatsApp MARKETING SG`, with `*` for every other one.
impl fmt::Display for PriceOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.channel, self.category.map_or("*", |category| category.as_str()))?;
        match self.country {
            Some(country) => write!(f, " {country}"),
            None => f.write_str(" *"),
        }
    }
}

/// What of a line is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Allowance {
    pub of: PriceOf,
    pub free: Free,
}

/// The price of a message; for SMS, of one part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Tariff {
    pub price: Money,
    pub charged: Charged,
    pub allowance: Option<Allowance>,
}

impl Tariff {
    /// Whether its cost is only reserved by a claim. Whether a message is free turns out when it is charged.
    pub const fn is_reserved(&self) -> bool {
        matches!(self.charged, Charged::Delivery) || self.allowance.is_some()
    }

    /// Its price, charged as another one: what is in flight was counted by that.
    #[must_use]
    pub const fn counted_as(self, other: Self) -> Self {
        // A submission is reserved only because some are free.
        let kept = if matches!(other.charged, Charged::Submission) { other.allowance } else { None };
        let allowance = match self.allowance {
            Some(allowance) if other.is_reserved() => Some(allowance),
            Some(_) | None => kept,
        };
        Self { price: self.price, charged: other.charged, allowance }
    }
}

/// A tariff in a plan. Plans from before prices had a charge are charged for submissions.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    OfSubmission(Money),
    Full {
        price: Money,
        charged: Charged,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        allowance: Option<Allowance>,
    },
}

impl From<Written> for Tariff {
    fn from(written: Written) -> Self {
        match written {
            Written::OfSubmission(price) => Self { price, charged: Charged::Submission, allowance: None },
            Written::Full { price, charged, allowance } => Self { price, charged, allowance },
        }
    }
}

impl From<Tariff> for Written {
    fn from(tariff: Tariff) -> Self {
        let Tariff { price, charged, allowance } = tariff;
        if tariff.is_reserved() { Self::Full { price, charged, allowance } } else { Self::OfSubmission(price) }
    }
}

/// The price of a message of a step; for SMS, of one part of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Prices {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others: Option<Tariff>,
    #[serde(flatten)]
    pub by_country: BTreeMap<Country, Tariff>,
}

impl Prices {
    pub fn of(&self, country: Country) -> Option<Tariff> {
        self.by_country.get(&country).copied().or(self.others)
    }

    pub fn is_empty(&self) -> bool {
        self.others.is_none() && self.by_country.is_empty()
    }

    pub fn all(&self) -> impl Iterator<Item = Tariff> {
        self.others.iter().chain(self.by_country.values()).copied()
    }

    /// Whether any country has a price above zero.
    pub fn cost_something(&self) -> bool {
        self.all().any(|tariff| !tariff.price.is_zero())
    }
}

/// What a claim counts for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fee {
    pub amount: Money,
    /// How long it may take until it is spent; `None` if it is spent with the claim.
    pub reserved_for: Option<Span>,
}

impl Fee {
    pub const NOTHING: Self = Self { amount: Money::ZERO, reserved_for: None };

    pub const fn reserved(self) -> Money {
        if self.reserved_for.is_some() { self.amount } else { Money::ZERO }
    }

    /// What is spent with the claim.
    pub const fn spent(self) -> Money {
        if self.reserved_for.is_some() { Money::ZERO } else { self.amount }
    }
}

/// What a step, or a whole campaign, has cost. A budget is compared with both sums: what is reserved may yet be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// What is charged, as far as it is known.
    pub spent: Money,
    /// What is charged if messages that may still arrive are delivered.
    pub reserved: Money,
}

impl Spent {
    pub const fn all(self) -> Money {
        self.spent.plus(self.reserved)
    }
}

impl std::iter::Sum for Spent {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            spent: sum.spent.plus(one.spent),
            reserved: sum.reserved.plus(one.reserved),
        })
    }
}

/// What becomes of the money for a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    pub step: StepIndex,
    pub kind: SettlementKind,
    /// What is charged for a step without a reservation, or refunded.
    pub amount: Money,
    /// What of its line is free, and when the message was submitted.
    pub free: Option<(Allowance, Timestamp)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SettlementKind {
    /// It is charged: what is reserved for it, else its price.
    Charged,
    /// It cannot be charged any more: what is reserved for it is free again.
    Released,
    /// It counted as spent, but nothing was submitted, or nothing was delivered after all.
    Refunded,
    /// It was not expected any more, and may be charged after all: it is reserved until then.
    Reserved { until: Timestamp },
}

/// Where a step stands whose cost is reserved when it is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MoneyFor {
    /// Nothing, as far as it is known.
    Nothing,
    /// It may yet be charged.
    Reserved,
    Charged,
}

impl MoneyFor {
    /// Finds it in what is known of a message.
    ///
    /// - A submission is charged if the step was submitted, or if that is unknown.
    /// - A delivery is charged if the step was delivered, or if it reached the success status: of a message that has reached `Sent`,
    ///   a later failure is not noted. Until it fails, it may be delivered, also after the message has gone on to the next
    ///   step. The end of its receipt window is seen here only for a message that ends with it. For earlier steps, the store ends
    ///   the reservation.
    fn step(present: &Present, index: StepIndex, step: &Step, charged: Charged) -> Self {
        let marks = present.marks;
        let may_be_there = marks.handed_over(index) || marks.unknown(index);
        let is_charged = match charged {
            Charged::Submission => may_be_there,
            Charged::Delivery => marks.status(index) >= Some(Status::Delivered) || marks.reached_by() == Some(index),
        };
        let (may_be_submitted, is_closed) = match present.state {
            State::Sending { .. } => (present.step == index, false),
            State::Awaiting { .. } => (false, false),
            // Another claim reserves it again. Else it could wait for the very money that it has reserved.
            State::Queued { .. } => (false, present.step == index),
            State::Done { at, .. } => {
                let closes = present.accepted.map(|accepted| accepted + step.receipt_window);
                (false, present.step == index && closes.is_some_and(|closes| closes <= at))
            }
        };
        if is_charged {
            Self::Charged
        } else if may_be_submitted || may_be_there && !marks.failed(index) && !is_closed {
            Self::Reserved
        } else {
            Self::Nothing
        }
    }
}

/// What a claim counts for a message with so many parts.
///
/// Another try of a step that is charged costs nothing more: a step is counted once.
pub fn fee(message: &Loaded, step: &Step, parts: u64) -> Fee {
    let Some(tariff) = step.prices.of(message.country) else { return Fee::NOTHING };
    let amount = tariff.price.times(parts);
    if !tariff.is_reserved() {
        return Fee { amount, reserved_for: None };
    }
    match MoneyFor::step(&message.present, message.present.step, step, tariff.charged) {
        MoneyFor::Nothing | MoneyFor::Reserved => Fee { amount, reserved_for: Some(step.receipt_window) },
        MoneyFor::Charged => Fee::NOTHING,
    }
}

/// What a decision means for the money of each step whose cost is reserved.
///
/// | before | after | |
/// | --- | --- | --- |
/// | nothing, reserved | charged | charged |
/// | reserved | nothing | released |
/// | charged | nothing, reserved | refunded |
/// | nothing | reserved | reserved, unless a claim has reserved it |
pub fn settle(plan: &Plan, message: &Loaded, after: &Present) -> Vec<Settlement> {
    let before = &message.present;
    let submitted_at = |index: StepIndex| {
        // The times of the steps between the first and the present one are not kept.
        let latest = if index < after.step { after.first_submitted_at } else { after.accepted };
        latest.or(before.accepted).unwrap_or_default()
    };
    let of_step = |(index, step): (StepIndex, &Step)| {
        let tariff = step.prices.of(message.country).filter(Tariff::is_reserved)?;
        let kind = match [before, after].map(|present| MoneyFor::step(present, index, step, tariff.charged)) {
            [MoneyFor::Nothing | MoneyFor::Reserved, MoneyFor::Charged] => SettlementKind::Charged,
            [MoneyFor::Reserved, MoneyFor::Nothing] => SettlementKind::Released,
            [MoneyFor::Charged, MoneyFor::Nothing | MoneyFor::Reserved] => SettlementKind::Refunded,
            [MoneyFor::Nothing, MoneyFor::Reserved] => {
                SettlementKind::Reserved { until: submitted_at(index) + step.receipt_window }
            }
            [MoneyFor::Nothing, MoneyFor::Nothing]
            | [MoneyFor::Reserved, MoneyFor::Reserved]
            | [MoneyFor::Charged, MoneyFor::Charged] => return None,
        };
        let submitted_at = submitted_at(index);
        let free = tariff.allowance.map(|allowance| (allowance, submitted_at));
        // What is reserved may be more than nothing, even if the price is nothing by now.
        let is_of_reserved = matches!(kind, SettlementKind::Charged | SettlementKind::Released);
        let is_due = is_of_reserved || !tariff.price.is_zero();
        is_due.then_some(Settlement { step: index, kind, amount: tariff.price, free })
    };
    plan.indexed_steps().filter_map(of_step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{LaneId, Marks, MessageKey};

    fn message(present: Present) -> Loaded {
        Loaded {
            key: MessageKey { batch: crate::base::domain::BatchId(1), n: 0 },
            address: 6_591_234_567_i64.try_into().unwrap(),
            country: "SG".parse().unwrap(),
            version: 1,
            lane: LaneId(1),
            present,
        }
    }

    #[test]
    fn what_is_reserved_is_settled_although_the_price_has_become_nothing() {
        let before = Tariff { price: Money::from_millionths(80_000), charged: Charged::Delivery, allowance: None };
        let now = Tariff { price: Money::ZERO, charged: Charged::Submission, allowance: None }.counted_as(before);
        let prices = Prices { others: Some(now), ..Prices::default() };
        let plan = Plan::of_steps(vec![Step { prices, ..Step::of_text(Channel::WhatsApp, "wa", "Hi") }]);
        let first = StepIndex::FIRST;
        let present = Present {
            state: State::Awaiting { due: Timestamp::from_millis(9) },
            marks: Marks::default().with_handed_over(first),
            ..Present::queued(Timestamp::default(), None)
        };
        let message = message(present);
        let kinds = |marks: Marks| -> Vec<SettlementKind> {
            settle(&plan, &message, &Present { marks, ..present }).iter().map(|settled| settled.kind).collect()
        };
        assert_eq!(kinds(present.marks.with_status(first, Status::Delivered)), [SettlementKind::Charged]);
        assert_eq!(kinds(present.marks.with_failed(first)), [SettlementKind::Released]);
        assert_eq!(kinds(present.marks), []);
    }

    #[test]
    fn a_try_that_is_proven_while_its_step_is_queued_again_is_reserved_anew() {
        let tariff = Tariff { price: Money::from_millionths(80_000), charged: Charged::Delivery, allowance: None };
        let prices = Prices { others: Some(tariff), ..Prices::default() };
        let step = Step { prices, ..Step::of_text(Channel::WhatsApp, "wa", "Hi") };
        let (window, plan) = (step.receipt_window, Plan::of_steps(vec![step]));
        let (first, at) = (StepIndex::FIRST, Timestamp::from_millis(7));
        let unknown = Marks::default().with_unknown(first, true);
        let message = message(Present { marks: unknown, ..Present::queued(Timestamp::default(), None) });
        let proven = Present {
            state: State::Awaiting { due: at + window },
            marks: unknown.with_handed_over(first),
            accepted: Some(at),
            ..message.present
        };
        let kinds = |after: &Present| -> Vec<SettlementKind> {
            settle(&plan, &message, after).iter().map(|settled| settled.kind).collect()
        };
        assert_eq!(kinds(&proven), [SettlementKind::Reserved { until: at + window }]);
        let delivered = Present { marks: proven.marks.with_status(first, Status::Delivered), ..proven };
        assert_eq!(kinds(&delivered), [SettlementKind::Charged]);
    }

    #[test]
    fn submissions_in_flight_stay_reserved_if_none_is_free_any_more() {
        let of = PriceOf { channel: Channel::Viber, category: None, country: None };
        let allowance = Some(Allowance { of, free: Free::AMonth(9) });
        let with_free = Tariff { price: Money::from_millionths(1), charged: Charged::Submission, allowance };
        let without = Tariff { allowance: None, ..with_free };
        assert!(without.counted_as(with_free).is_reserved());
        assert!(!with_free.counted_as(without).is_reserved(), "and what was spent at once is not reserved");
    }
}
