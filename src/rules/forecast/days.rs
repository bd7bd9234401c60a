//! The bookings of a tier by day, as tables show them.

use super::{BookedDay, Booking};

/// The days on which a tier lets recipients through, of one portfolio.
#[derive(Debug, Clone, Copy)]
pub struct Days<'a> {
    pub booking: &'a Booking,
    /// The first days.
    pub shown: &'a [BookedDay],
    /// Whether more days follow.
    pub has_more: bool,
}

impl<'a> Days<'a> {
    /// The bookings of more than one day, with `most` days each. On a single day, the tier delays nothing.
    pub fn of(bookings: &'a [Booking], most: usize) -> Vec<Self> {
        let of_booking = |booking: &'a Booking| {
            let shown = booking.days.get(..most).unwrap_or(&booking.days);
            let has_more = booking.days.len() > shown.len();
            Self { booking, shown, has_more }
        };
        bookings.iter().filter(|booking| booking.days.len() > 1).map(of_booking).collect()
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    #[test]
    fn a_tier_that_delays_nothing_is_left_out() {
        let until = NaiveDate::from_ymd_opt(2026, 12, 3).unwrap();
        let day = |day| BookedDay { day, recipients: 250, others: 0 };
        let days: Vec<BookedDay> = until.iter_days().take(3).map(day).collect();
        let booking = Booking { portfolio: "acme".to_owned(), recipients_per_day: 250, days, until };
        let short = Booking { days: booking.days[..1].to_vec(), ..booking.clone() };
        let bookings = [booking, short];
        let shown = |most| -> Vec<(usize, bool)> {
            Days::of(&bookings, most).iter().map(|days| (days.shown.len(), days.has_more)).collect()
        };
        assert_eq!(shown(2), [(2, true)]);
        assert_eq!(shown(3), [(3, false)]);
    }
}
