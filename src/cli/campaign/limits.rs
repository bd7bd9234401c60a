//! What limits a campaign, and what holds it up, in words.

use crate::campaign::{BookedDay, Booking, Forecast, LeftBehind, Stop};
use crate::cli::audience::small;
use crate::cli::out::Paint;
use crate::cli::table::Table;
use crate::cli::words::{count, list, of};
use crate::domain::Limits;

/// `at most 500 messages and 20.00 EUR`; nothing without limits.
pub(super) fn limits(limits: &Limits, currency: Option<&str>) -> Option<String> {
    let messages = limits.messages.map(|messages| of(messages, "message", "messages"));
    let budget = limits.budget.map(|budget| budget.in_currency(currency));
    let all: Vec<String> = messages.into_iter().chain(budget).collect();
    (!all.is_empty()).then(|| format!("at most {}", list(&all)))
}

/// `; limited by the rate of lane sms`, and what does not leave at all.
pub(in crate::cli) fn decides(forecast: &Forecast) -> String {
    let decides = forecast.bottleneck.as_ref().map(|found| format!("; limited by {found}"));
    let behind = forecast.left_behind.iter().map(|LeftBehind { messages, by }| {
        let stops = match by {
            Stop::End => "its end comes first",
            Stop::MaxMessages => "max_messages stops it",
            Stop::Budget => "the budget stops it",
        };
        format!("; {} not leave: {stops}", of(small(*messages), "message does", "messages do"))
    });
    decides.into_iter().chain(behind).collect()
}

/// Days that are shown of a booking.
const DAYS: usize = 10;

/// From day to day, whom a campaign takes places of tiers for. One that is done within a day says nothing new.
pub(super) fn bookings(bookings: &[Booking], paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    for Booking { portfolio, tier, days, until } in bookings.iter().filter(|booking| booking.days.len() > 1) {
        lines.push(paint.dim(format!("portfolio {portfolio}, {} people a day:", count(*tier))));
        let mut table = Table::new(&["", ">", ">"]);
        for BookedDay { day, people, others } in days.iter().take(DAYS) {
            let others =
                if *others > 0 { format!("and {} of other campaigns", count(small(*others))) } else { String::new() };
            table.row([format!("  {day}"), of(small(*people), "person", "people"), paint.dim(others)]);
        }
        lines.extend(table.lines(paint));
        if days.len() > DAYS {
            lines.push(paint.dim(format!("  … until {until}, the day on which the last one fits")));
        }
    }
    lines
}
