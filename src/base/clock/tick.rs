//! Instants to the nanosecond.

use crate::base::domain::Timestamp;

const NANOS: u64 = 1_000_000;

/// An instant: nanoseconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Tick(u64);

impl Tick {
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// How many nanoseconds ago `earlier` was; zero if it is in the future.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The instant that is so many nanoseconds later.
    #[must_use]
    pub const fn later_by(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// The first whole millisecond at or after this instant. Timers fire on whole milliseconds, and a timer that fires
    /// early would only check again.
    pub fn whole(self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.0.div_ceil(NANOS)).unwrap_or(i64::MAX))
    }
}

impl From<Timestamp> for Tick {
    fn from(at: Timestamp) -> Self {
        Self(at.millis().max(0).unsigned_abs().saturating_mul(NANOS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_its_millisecond_or_lies_before_the_next() {
        let at = Timestamp::from_millis(1_800_000_000_123);
        let tick = Tick::from(at);
        assert_eq!((tick.whole(), tick.later_by(1).whole().millis()), (at, at.millis() + 1));
        assert_eq!((tick.later_by(7).since(tick), tick.since(tick.later_by(7))), (7, 0));
    }
}
