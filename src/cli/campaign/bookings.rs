//! Describes the tier slots that a campaign books.

use crate::cli::audience::small;
use crate::cli::out::Paint;
use crate::cli::table::Table;
use crate::cli::words::{count, plural};
use crate::rules::forecast::{BookedDay, Booking, Days};

/// Days of a booking that are shown.
const DAYS: usize = 10;

/// The tier slots that a campaign takes each day. A booking of one day is not shown.
pub(super) fn lines(bookings: &[Booking], paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    for Days { booking, shown, has_more } in Days::of(bookings, DAYS) {
        let Booking { portfolio, recipients_per_day, until, .. } = booking;
        lines.push(paint.dim(format!("portfolio {portfolio}, {} recipients a day:", count(*recipients_per_day))));
        let mut table = Table::new(&["", ">", ">"]);
        for BookedDay { day, recipients, others } in shown {
            let others =
                if *others > 0 { format!("and {} in other campaigns", count(small(*others))) } else { String::new() };
            table.row([format!("  {day}"), plural(small(*recipients), "recipient", "recipients"), paint.dim(others)]);
        }
        lines.extend(table.lines(paint));
        if has_more {
            lines.push(paint.dim(format!("  … until {until}, the day of the last recipient")));
        }
    }
    lines
}
