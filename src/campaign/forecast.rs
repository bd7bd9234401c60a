//! Forecast: when everybody's first message will have left, by arithmetic over what holds it up: rates, tiers, hours, and
//! whoever else is on the same lanes.

use std::fmt;

use chrono::NaiveDate;
use serde::Serialize;

use crate::domain::Timestamp;

mod course;

pub(super) use course::{Account, Cap, Coming, Group, Outlook, Portfolio, Road};

/// What holds a campaign up, for the most part of its time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bottleneck {
    Rate {
        lane: String,
    },
    Account {
        account: String,
    },
    Tier {
        portfolio: String,
    },
    /// Other campaigns on the same lane.
    Others {
        lane: String,
    },
    /// What may leave at no other hours.
    Hours,
    /// It begins when the clock of each recipient says so.
    Clocks,
    /// It was to be spread over a time.
    Over,
}

impl fmt::Display for Bottleneck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate { lane } => write!(f, "the rate of lane {lane}"),
            Self::Account { account } => write!(f, "the rate of account {account}"),
            Self::Tier { portfolio } => write!(f, "the tier of portfolio {portfolio}"),
            Self::Others { lane } => write!(f, "other campaigns on lane {lane}"),
            Self::Hours => f.write_str("the hours at which it may leave"),
            Self::Clocks => f.write_str("that it begins by each recipient's own clock"),
            Self::Over => f.write_str("that it is spread"),
        }
    }
}

/// What stops a campaign although somebody's first message has not left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    End,
    MaxMessages,
    Budget,
}

/// So many that do not leave, and what stops them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LeftBehind {
    pub messages: u64,
    pub by: Stop,
}

/// When it will be done, and what decides that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// When the last of what leaves has left.
    pub done_at: Timestamp,
    /// Who does not.
    pub left_behind: Vec<LeftBehind>,
    /// Nothing where it is a matter of no time.
    pub bottleneck: Option<Bottleneck>,
    /// Of each portfolio that it takes places of, what it takes from day to day.
    pub bookings: Vec<Booking>,
}

/// The places that a campaign takes in a portfolio's tier, and what others take beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Booking {
    pub portfolio: String,
    /// People a day.
    pub tier: u32,
    /// Of a campaign that takes longer than anybody plans, the first of them.
    pub days: Vec<BookedDay>,
    /// The day on which the last one fits.
    pub until: NaiveDate,
}

/// People who are written to on a day by the campaign's clock, as things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BookedDay {
    pub day: NaiveDate,
    pub people: u64,
    pub others: u64,
}

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tests;
