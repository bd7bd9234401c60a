//! Gaps: times in which no receipt could be committed, and what silence is worth after them (rule 9).

use super::Silence;
use crate::domain::{Span, Timestamp};

/// From `from` to `until` nothing that the provider said could be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub from: Timestamp,
    pub until: Timestamp,
}

/// The provider repeats a receipt after 1, 10, 30 and 90 seconds, so so many after its first try.
const REPEATED_AT: [(Span, Span); 4] = [
    (Span::from_secs(1), Span::from_secs(1)),
    (Span::from_secs(11), Span::from_secs(10)),
    (Span::from_secs(41), Span::from_secs(30)),
    (Span::from_secs(131), Span::from_secs(90)),
];
/// For clocks that tick apart and for the way.
const MARGIN: Span = Span::from_secs(2);

impl Gap {
    /// When everything that the provider repeats has been repeated; nothing where it has given up on some of it.
    pub fn filled_at(&self) -> Option<Timestamp> {
        let length = self.until.since(self.from);
        let (_, last_wait) = REPEATED_AT.iter().find(|(longest, _)| length <= *longest)?;
        Some(self.until + *last_wait + MARGIN)
    }

    /// What silence is worth for a step that was accepted at `accepted` and was due at `due`.
    pub fn silence(&self, accepted: Timestamp, due: Timestamp, now: Timestamp) -> Silence {
        if accepted >= self.until || due < self.from {
            return Silence::Trusted;
        }
        match self.filled_at() {
            None => Silence::Lost,
            Some(filled) if now < filled => Silence::Held { until: filled },
            Some(_) => Silence::Trusted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn gap(from: i64, until: i64) -> Gap {
        Gap { from: second(from), until: second(until) }
    }

    #[test]
    fn a_short_gap_holds_deadlines_until_the_repeats_have_had_their_time() {
        for (length, hold) in [(1, 3), (11, 12), (41, 32), (131, 92)] {
            let gap = gap(1_000, 1_000 + length);
            let filled = second(1_000 + length + hold);
            assert_eq!(gap.filled_at(), Some(filled), "{length}");
            assert_eq!(gap.silence(second(900), second(1_000), gap.until), Silence::Held { until: filled });
            assert_eq!(gap.silence(second(900), second(1_000), filled), Silence::Trusted);
        }
    }

    #[test]
    fn after_a_long_gap_receipts_are_lost_for_good() {
        let gap = gap(1_000, 1_132);
        assert_eq!(gap.silence(second(900), second(1_500), second(9_999)), Silence::Lost);
    }

    #[test]
    fn a_gap_does_not_concern_what_was_due_before_it_or_accepted_after_it() {
        let gap = gap(1_000, 5_000);
        assert_eq!(gap.silence(second(10), second(999), second(6_000)), Silence::Trusted);
        assert_eq!(gap.silence(second(5_000), second(5_900), second(6_000)), Silence::Trusted);
    }
}
