//! The rule that closes send hours at an instant.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{NaiveDate, NaiveTime};
use serde::Serialize;

use super::{Hours, Stretch, instant, local};
use crate::base::domain::{Timestamp, Zone};

/// The rule that closes send hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClosedBy {
    /// The local time of the start has not come.
    Start,
    Holidays,
    SendWindow,
    QuietHours,
}

impl Hours {
    /// The rule that closes the hours at an instant, for a recipient in this zone; `None` if they are open.
    ///
    /// If several rules do, the first in the order of [`ClosedBy`].
    pub fn closed_by(&self, at: Timestamp, recipient_zone: Zone) -> Option<ClosedBy> {
        let contains = |stretch: &Stretch| stretch.contains(at, recipient_zone);
        if self.begins(recipient_zone).is_some_and(|begins| at < begins) {
            return Some(ClosedBy::Start);
        }
        if !self.holidays.is_empty() && self.holidays.contains(&local(at, recipient_zone).date()) {
            return Some(ClosedBy::Holidays);
        }
        if !self.windows.is_empty() && !self.windows.iter().any(contains) {
            return Some(ClosedBy::SendWindow);
        }
        self.quiet.iter().any(contains).then_some(ClosedBy::QuietHours)
    }
}

/// The days on which none of these hours is open for a recipient in this zone, from midnight to midnight; each with the rule
/// that closes the first of the hours when it begins.
///
/// The start by the recipient's clock closes no day: a day before it belongs to no hours yet.
pub fn closed_days(hours: &[Hours], days: Range<NaiveDate>, recipient_zone: Zone) -> BTreeMap<NaiveDate, ClosedBy> {
    let hours: Vec<Hours> = hours.iter().map(|hours| Hours { since: None, ..hours.clone() }).collect();
    let begin_of = |day: NaiveDate| instant(day.and_time(NaiveTime::MIN), recipient_zone);
    let mut closed = BTreeMap::new();
    let mut day = days.start;
    while let Some(begins) = begin_of(day).filter(|_| day < days.end) {
        let opens = hours.iter().filter_map(|hours| hours.open_from(begins, recipient_zone)).min();
        let open_day = opens.map_or(days.end, |opens| local(opens, recipient_zone).date().min(days.end));
        for closed_day in day.iter_days().take_while(|day| *day < open_day) {
            let rule = begin_of(closed_day).and_then(|begins| hours.first()?.closed_by(begins, recipient_zone));
            closed.extend(rule.map(|rule| (closed_day, rule)));
        }
        let Some(next) = open_day.max(day).succ_opt() else { break };
        day = next;
    }
    closed
}
