//! Forecasts when all first messages will be submitted, and what they cost.
//!
//! In: the recipients of each country, the plan, the hours, rates, tiers, limits and budgets, and the other campaigns on
//! the same lanes.
//! Out: when each campaign ends, what limits it, and who gets nothing ([`Forecast`]); how many recipients each step is
//! for ([`Shares`]); what they cost ([`Bill`]); the forecast as JSON ([`ForecastView`]).
//! Promises: computed, not simulated, so a forecast for ten million recipients takes no longer than one for ten. It uses
//! the planner's own rules, so a forecast and the claims agree.
//! May not: read the store or the clock.

use std::fmt;

use chrono::NaiveDate;
use serde::Serialize;

use crate::base::domain::Timestamp;
use crate::base::domain::text::plural;

pub mod cost;
mod course;
mod days;
mod shares;
mod view;

pub use cost::{Bill, CountryCost};
pub(crate) use course::{Account, Coming, Group, LaneLoad, Outlook, Portfolio, RemainingLimit};
pub use days::Days;
pub(crate) use shares::as_float;
pub use shares::{Share, Shares};
pub use view::ForecastView;

/// What limits a campaign for most of its time.
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
    /// The hours at which it may send.
    Hours,
    /// It starts by each recipient's own clock.
    Clocks,
    /// It is spread over a time.
    Over,
}

impl fmt::Display for Bottleneck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate { lane } => write!(f, "the rate of lane {lane}"),
            Self::Account { account } => write!(f, "the rate of account {account}"),
            Self::Tier { portfolio } => write!(f, "the tier of portfolio {portfolio}"),
            Self::Others { lane } => write!(f, "other campaigns on lane {lane}"),
            Self::Hours => f.write_str("its send hours"),
            Self::Clocks => f.write_str("its start by each recipient's own clock"),
            Self::Over => f.write_str("the time over which its start is spread"),
        }
    }
}

/// What stops a campaign before all first messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    End,
    MaxMessages,
    Budget,
}

/// First messages that are not sent, and what stops them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct NotSent {
    pub messages: u64,
    pub by: Stop,
}

/// When the last message of a campaign will be sent, and what limits that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// When the last of the messages is sent.
    pub done_at: Timestamp,
    /// The messages that are not sent.
    pub left_behind: Vec<NotSent>,
    /// `None` if it takes no time.
    pub bottleneck: Option<Bottleneck>,
    /// The daily bookings of each portfolio whose slots it uses.
    pub bookings: Vec<Booking>,
}

impl Forecast {
    /// `; limited by the rate of lane sms`, and the number of messages that are never sent.
    pub fn limited_by(&self) -> String {
        let limited_by = self.bottleneck.as_ref().map(|found| format!("; limited by {found}"));
        let not_sent = self.left_behind.iter().map(|NotSent { messages, by }| {
            let stops = match by {
                Stop::End => "the end comes first",
                Stop::MaxMessages => "its limit on messages allows no more",
                Stop::Budget => "the budget allows no more",
            };
            format!("; {} not sent, because {stops}", plural(*messages, "message is", "messages are"))
        });
        limited_by.into_iter().chain(not_sent).collect()
    }
}

/// The slots of a portfolio's tier that a campaign uses, and those that other campaigns use meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Booking {
    pub portfolio: String,
    /// New recipients a day that the tier allows.
    pub recipients_per_day: u32,
    /// The days; of a very long campaign only the first ones.
    pub days: Vec<BookedDay>,
    /// The day on which the last recipient gets a slot.
    pub until: NaiveDate,
}

/// The forecast number of recipients that use a slot on one day, in the campaign's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct BookedDay {
    pub day: NaiveDate,
    pub recipients: u64,
    pub others: u64,
}

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tests;
