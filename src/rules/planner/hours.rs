//! Send hours: which messages cannot be sent now, and when they can.

use std::collections::HashMap;

use crate::base::domain::{Country, Hours, Loaded, Span, Timestamp};

/// Recheck interval of a message without an opening of its send hours on any day that is searched. Its campaign may end
/// before.
const RECHECK_WITHOUT_HOURS: Span = Span::from_secs(30 * 86_400);

/// The send hours of a queue's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    pub hours: Hours,
    /// When the batch was launched.
    pub launched: Timestamp,
}

/// When the first messages to each country could be sent, for the countries that were asked for.
#[derive(Debug, Default)]
pub(super) struct FirstOf(HashMap<Country, Option<Timestamp>>);

impl Timing {
    /// When the message's send hours open; `None` if they are open now.
    ///
    /// If the campaign starts at a local time, a message keeps its distance from the first message to its country.
    pub(super) fn closed_until(&self, message: &Loaded, now: Timestamp, first_of: &mut FirstOf) -> Option<Timestamp> {
        let zone = message.zone();
        if self.hours.are_open(now, zone) {
            return None;
        }
        let first = || Some(self.hours.since_in(message.country)?.max(self.launched));
        let first = *first_of.0.entry(message.country).or_insert_with(first);
        Some(self.hours.put_off(message.present.not_before()?, first, now, zone).unwrap_or(now + RECHECK_WITHOUT_HOURS))
    }
}
