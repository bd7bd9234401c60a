//! Describes the limits of a campaign, and what limits its speed.

use crate::cli::audience::small;
use crate::cli::out::Paint;
use crate::cli::table::Table;
use crate::cli::words::{count, list, plural};
use crate::domain::Limits;
use crate::forecast::{BookedDay, Booking, Forecast, NotSent, Stop};

/// `at most 500 messages and 20.00 EUR`; `None` without limits.
pub(super) fn limits(limits: &Limits, currency: Option<&str>) -> Option<String> {
    let messages = limits.messages.map(|messages| plural(messages, "message", "messages"));
    let budget = limits.budget.map(|budget| budget.in_currency(currency));
    let all: Vec<String> = messages.into_iter().chain(budget).collect();
    (!all.is_empty()).then(|| format!("at most {}", list(&all)))
}

/// `; limited by the rate of lane sms`, and the number of messages that are never sent.
pub(in crate::cli) fn limited_by(forecast: &Forecast) -> String {
    let limited_by = forecast.bottleneck.as_ref().map(|found| format!("; limited by {found}"));
    let not_sent = forecast.left_behind.iter().map(|NotSent { messages, by }| {
        let stops = match by {
            Stop::End => "the end comes first",
            Stop::MaxMessages => "max_messages stops it",
            Stop::Budget => "the budget stops it",
        };
        format!("; {} not sent: {stops}", plural(small(*messages), "message is", "messages are"))
    });
    limited_by.into_iter().chain(not_sent).collect()
}

/// Days of a booking that are shown.
const DAYS: usize = 10;

/// The tier slots that a campaign takes each day. A booking of one day is not shown.
pub(super) fn bookings(bookings: &[Booking], paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    for Booking { portfolio, recipients_per_day, days, until } in
        bookings.iter().filter(|booking| booking.days.len() > 1)
    {
        lines.push(paint.dim(format!("portfolio {portfolio}, {} recipients a day:", count(*recipients_per_day))));
        let mut table = Table::new(&["", ">", ">"]);
        for BookedDay { day, recipients, others } in days.iter().take(DAYS) {
            let others =
                if *others > 0 { format!("and {} in other campaigns", count(small(*others))) } else { String::new() };
            table.row([format!("  {day}"), plural(small(*recipients), "recipient", "recipients"), paint.dim(others)]);
        }
        lines.extend(table.lines(paint));
        if days.len() > DAYS {
            lines.push(paint.dim(format!("  … until {until}, the day of the last recipient")));
        }
    }
    lines
}
