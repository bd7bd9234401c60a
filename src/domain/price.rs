//! Prices by country, what they charge for, and what becomes of the money that a message needs.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::word::words;
use super::{Category, Channel, Country, Loaded, Money, Plan, Present, State, Status, Step, StepIndex, Timestamp};

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
    const fn is_reserved(&self) -> bool {
        matches!(self.charged, Charged::Delivery) || self.allowance.is_some()
    }

    /// Its price, charged as another one: what is in flight was counted by that.
    #[must_use]
    pub const fn counted_as(self, other: Self) -> Self {
        let allowance = if other.is_reserved() { self.allowance } else { None };
        Self { price: self.price, charged: other.charged, allowance }
    }

    /// What a claim counts for a message with so many parts.
    pub const fn fee(&self, parts: u64) -> Fee {
        Fee { amount: self.price.times(parts), is_reserved: self.is_reserved() }
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
    /// Whether it is not spent yet.
    pub is_reserved: bool,
}

impl Fee {
    pub const NOTHING: Self = Self { amount: Money::ZERO, is_reserved: false };

    pub const fn reserved(self) -> Money {
        if self.is_reserved { self.amount } else { Money::ZERO }
    }

    /// What is spent with the claim.
    pub const fn spent(self) -> Money {
        if self.is_reserved { Money::ZERO } else { self.amount }
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
    /// What of its line is free, and when the message was submitted.
    pub free: Option<(Allowance, Timestamp)>,
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

/// Whether a message counts as charged for a step whose cost is reserved.
///
/// - For a submission: it was submitted, or that is unknown.
/// - For a delivery: it was delivered, or it reached its success status by this step. Of a message that has reached `Sent`, a later
///   failure is not noted.
fn is_charged(present: &Present, step: StepIndex, charged: Charged) -> bool {
    let marks = present.marks;
    match charged {
        Charged::Submission => marks.handed_over(step) || marks.unknown(step),
        Charged::Delivery => marks.status(step) >= Some(Status::Delivered) || marks.reached_by() == Some(step),
    }
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
    let of_step = |(step, of): (StepIndex, &Step)| {
        let tariff = of.prices.of(message.country)?;
        let [was_charged, is_charged] = [before, after].map(|present| is_charged(present, step, tariff.charged));
        // A step that could not be submitted may await the receipts of an earlier one.
        let goes_on = after.step == step
            && match after.state {
                State::Sending { .. } => true,
                State::Awaiting { .. } => after.marks.handed_over(step) || after.marks.unknown(step),
                State::Queued { .. } | State::Done { .. } => false,
            };
        let (amount, kind) = match (open == Some(step), was_charged, is_charged) {
            (true, _, true) => (message.reserved, SettlementKind::Charged),
            (true, _, false) if !goes_on => (message.reserved, SettlementKind::Released),
            (false, false, true) => (tariff.price, SettlementKind::ChargedLate),
            (false, true, false) => (tariff.price, SettlementKind::Refunded),
            (true, _, false) | (false, false, false) | (false, true, true) => return None,
        };
        // The times of the steps between the first and the present one are not kept.
        let latest = if step < after.step { after.first_submitted_at } else { after.accepted };
        let submitted_at = latest.or(before.accepted).unwrap_or_default();
        let free = tariff.allowance.map(|allowance| (allowance, submitted_at));
        let is_due = open == Some(step) || tariff.is_reserved() && !amount.is_zero();
        is_due.then_some(Settlement { step, amount, kind, free })
    };
    plan.indexed_steps().filter_map(of_step).collect()
}
