//! Prices by country, what they charge for, and what becomes of the money that a message needs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::word::words;
use super::{Channel, Country, Loaded, Money, Plan, Present, State, Status, Step, StepIndex};

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

/// The price of a message; for SMS, of one part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Tariff {
    pub price: Money,
    pub charged: Charged,
}

/// A tariff in a plan. Plans from before prices had a charge are charged for submissions.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    OfSubmission(Money),
    Full { price: Money, charged: Charged },
}

impl From<Written> for Tariff {
    fn from(written: Written) -> Self {
        match written {
            Written::OfSubmission(price) => Self { price, charged: Charged::Submission },
            Written::Full { price, charged } => Self { price, charged },
        }
    }
}

impl From<Tariff> for Written {
    fn from(Tariff { price, charged }: Tariff) -> Self {
        match charged {
            Charged::Submission => Self::OfSubmission(price),
            Charged::Delivery => Self::Full { price, charged },
        }
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
    pub charged: Charged,
}

impl Fee {
    pub const NOTHING: Self = Self { amount: Money::ZERO, charged: Charged::Submission };

    /// The part that is only spent if the message is delivered.
    pub const fn reserved(self) -> Money {
        match self.charged {
            Charged::Submission => Money::ZERO,
            Charged::Delivery => self.amount,
        }
    }

    /// The part that is spent with the submission.
    pub const fn spent(self) -> Money {
        match self.charged {
            Charged::Submission => self.amount,
            Charged::Delivery => Money::ZERO,
        }
    }
}

/// What a step, or a whole campaign, has cost. A budget is compared with both sums: what is reserved may yet be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// What is charged, as far as it is known.
    pub spent: Money,
    /// What is charged if messages in flight are delivered.
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

/// What becomes of an amount that was counted for a message, or should have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    pub step: StepIndex,
    pub amount: Money,
    pub kind: SettlementKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettlementKind {
    /// It counted as spent, but nothing was submitted, or nothing was delivered after all.
    Refunded,
    /// The message was delivered, or reached its success status: what was reserved is spent.
    Charged,
    /// The step ended without that: what was reserved is free again.
    Released,
    /// The message was delivered after its step had ended, and is charged after all.
    ChargedLate,
}

impl SettlementKind {
    /// Whether it ends a reservation.
    pub const fn ends_reservation(self) -> bool {
        matches!(self, Self::Charged | Self::Released)
    }
}

/// Whether a message counts as charged for a step that is charged for its delivery: it was delivered, or it reached its success
/// status by this step, and nothing says that it was not delivered after all.
fn is_charged(present: &Present, step: StepIndex) -> bool {
    let marks = present.marks;
    marks.status(step) >= Some(Status::Delivered) || marks.reached_by() == Some(step) && !marks.failed(step)
}

/// What a decision means for the money that is reserved for a message, and for steps without a reservation.
///
/// | the step | after the decision | |
/// | --- | --- | --- |
/// | has a reservation | it is charged | charged |
/// | has a reservation | it is over, or queued again | released |
/// | has a reservation | it goes on | stays reserved |
/// | has none, was not charged | it is charged | charged late |
/// | has none, was charged | it is not | refunded |
pub fn settle(plan: &Plan, message: &Loaded, after: &Present) -> Vec<Settlement> {
    let before = &message.present;
    let open = (!message.reserved.is_zero()).then_some(before.step);
    if open.is_none() && before.marks == after.marks {
        return Vec::new();
    }
    let of_open = |step| {
        let goes_on = after.step == step && matches!(after.state, State::Sending { .. } | State::Awaiting { .. });
        let kind = match (is_charged(after, step), goes_on) {
            (true, _) => SettlementKind::Charged,
            (false, false) => SettlementKind::Released,
            (false, true) => return None,
        };
        Some(Settlement { step, amount: message.reserved, kind })
    };
    let of_others = |(step, of_step): (StepIndex, &Step)| {
        let kind = match (is_charged(before, step), is_charged(after, step)) {
            (false, true) => SettlementKind::ChargedLate,
            (true, false) => SettlementKind::Refunded,
            (false, false) | (true, true) => return None,
        };
        let tariff = of_step.prices.of(message.country).filter(|_| open != Some(step))?;
        let is_due = tariff.charged == Charged::Delivery && !tariff.price.is_zero();
        is_due.then_some(Settlement { step, amount: tariff.price, kind })
    };
    open.and_then(of_open).into_iter().chain(plan.indexed_steps().filter_map(of_others)).collect()
}
