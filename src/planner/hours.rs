//! Send hours: which messages may not leave now, and when they may.

use std::collections::HashMap;

use crate::domain::{Country, Hours, Loaded, Span, Timestamp};

/// A message without any send hours in the days that are searched is looked at again after this; its campaign may end before.
const NEVER: Span = Span::from_secs(30 * 86_400);

/// The send hours of a queue's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    pub hours: Hours,
    /// When the batch was launched.
    pub launched: Timestamp,
}

/// When the first messages to each country could leave, for the countries that were asked for.
#[derive(Debug, Default)]
pub(super) struct FirstOf(HashMap<Country, Option<Timestamp>>);

impl Timing {
    /// When a message may leave that may not leave now; nothing if it may.
    pub(super) fn put_off(&self, message: &Loaded, now: Timestamp, first_of: &mut FirstOf) -> Option<Timestamp> {
        let zone = message.zone();
        if self.hours.are_open(now, zone) {
            return None;
        }
        let first = || Some(self.hours.since_in(message.country)?.max(self.launched));
        let first = *first_of.0.entry(message.country).or_insert_with(first);
        Some(self.hours.put_off(message.present.turn()?, first, now, zone).unwrap_or(now + NEVER))
    }
}
