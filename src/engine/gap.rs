//! Gaps: times in which no receipt could be committed, and what silence is worth after them (rule 9).

use super::Silence;
use crate::domain::{Span, Timestamp};

/// From `from` to `until` nothing that the provider said could be kept. Where `until` lies before `from`, the clock was set
/// back meanwhile, and nobody knows for how long that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub from: Timestamp,
    pub until: Timestamp,
}

/// The provider tries a receipt again so long after each try that has failed, and then gives up.
const PAUSES: [Span; 4] = [Span::from_secs(1), Span::from_secs(10), Span::from_secs(30), Span::from_secs(90)];
/// For so long after its first try a receipt may still come; what is missed for longer is lost.
pub const REPEATED_FOR: Span = {
    let [first, second, third, last] = PAUSES;
    Span::from_millis(first.millis() + second.millis() + third.millis() + last.millis())
};
/// Each try may come this much later than it should, because clocks differ and the way takes time.
const MARGIN: Span = Span::from_secs(2);
/// The last repeat, where each was late: an older gap no longer matters to any other.
const MATTERS_FOR: Span = Span::from_millis(REPEATED_FOR.millis() + 4 * MARGIN.millis());

impl Gap {
    /// Whether something may have been said in it of a step that was accepted at `accepted` and was due at `due`.
    fn concerns(&self, accepted: Timestamp, due: Timestamp) -> bool {
        // By the clock as it was before, everything that is due now was due before as well.
        accepted < self.end() && (due >= self.from || self.length().is_none())
    }

    /// Nothing where nobody knows.
    pub fn length(&self) -> Option<Span> {
        (self.from <= self.until).then(|| self.until.since(self.from))
    }

    /// What was accepted from then on is not concerned, whichever clock it was accepted by.
    pub fn end(&self) -> Timestamp {
        self.from.max(self.until)
    }

    fn and(&self, other: &Self) -> Option<Self> {
        let both = Self { from: self.from.max(other.from), until: self.until.min(other.until) };
        (both.from < both.until).then_some(both)
    }
}

/// Every gap that may still matter. They are looked at together, because what was missed in one may be repeated in the
/// next: a server that is restarted again and again listens most of the time, and yet has to wait longer.
#[derive(Debug, Clone, Default)]
pub struct Gaps(Vec<Known>);

#[derive(Debug, Clone, Copy)]
struct Known {
    gap: Gap,
    /// When everything that the provider repeats has been repeated; nothing where it has given up on some of it.
    filled: Option<Timestamp>,
}

impl Gaps {
    /// Adds a gap that has just ended. Returns when it will have been filled, if it will.
    pub fn add(&mut self, gap: Gap) -> Option<Timestamp> {
        // However long the new one is, it swallows what was still repeated when it began.
        let begun = gap.from.min(gap.until);
        self.0.retain(|known| known.filled.is_none() || known.gap.until + MATTERS_FOR > begun);
        self.0.push(Known { gap, filled: Some(gap.until) });
        let all: Vec<Gap> = self.0.iter().map(|known| known.gap).collect();
        for known in &mut self.0 {
            // What was given up on stays so, also when those that swallowed its repeats are forgotten.
            known.filled = known.filled.and_then(|_| filled_at(known.gap, &all));
        }
        self.0.last().and_then(|known| known.filled)
    }

    /// What silence is worth for a step that was accepted at `accepted` and was due at `due`. What is still repeated after
    /// one gap may be the news that another has swallowed, so it is waited for first.
    pub fn silence(&self, accepted: Timestamp, due: Timestamp, now: Timestamp) -> Silence {
        let (mut held, mut is_lost) = (None, false);
        for Known { filled, .. } in self.0.iter().filter(|known| known.gap.concerns(accepted, due)) {
            match filled {
                None => is_lost = true,
                Some(filled) if now < *filled => held = held.max(Some(*filled)),
                Some(_) => {}
            }
        }
        match held {
            Some(until) => Silence::Held { until },
            None if is_lost => Silence::Lost,
            None => Silence::Trusted,
        }
    }
}

impl Gaps {
    /// Of the gaps that ended after `since` the one whose receipts are repeated for longest from now on, and until when.
    pub fn repeated(&self, since: Timestamp, now: Timestamp) -> Option<(Gap, Timestamp)> {
        let repeated = self.0.iter().filter_map(|known| Some((known.gap, known.filled?)));
        let repeated = repeated.filter(|(gap, _)| gap.end() > since);
        repeated.filter(|(_, filled)| *filled > now).max_by_key(|(_, filled)| *filled)
    }

    /// The gaps of which the provider has given up on something.
    pub fn lost(&self) -> impl Iterator<Item = Gap> + '_ {
        self.0.iter().filter(|known| known.filled.is_none()).map(|known| known.gap)
    }

    /// Since when everything is heard that is said of a step that was accepted at `accepted` and was due at `due`: the
    /// end of the last lost gap that concerns it.
    pub fn heard_since(&self, accepted: Timestamp, due: Timestamp) -> Option<Timestamp> {
        self.lost().filter(|gap| gap.concerns(accepted, due)).map(|gap| gap.end()).max()
    }
}

/// When the last repeat of what was missed in `gap` has had its time, where none was missed every time. Late repeats are
/// waited for; that all of them were late and missed is not assumed.
fn filled_at(gap: Gap, all: &[Gap]) -> Option<Timestamp> {
    gap.length()?;
    let matters = |other: &&Gap| other.until > gap.from && other.from < gap.until + MATTERS_FOR;
    let all: Vec<Gap> = all.iter().filter(matters).copied().collect();
    let on_time = |failed: Vec<Gap>, pause| failed_again(&failed, pause, Span::default(), &all);
    if !PAUSES.into_iter().fold(vec![gap], on_time).is_empty() {
        return None;
    }
    let (mut failed, mut filled) = (vec![gap], gap.until);
    for pause in PAUSES {
        let Some(last) = failed.last() else { break };
        filled = filled.max(last.until + pause + MARGIN);
        failed = failed_again(&failed, pause, MARGIN, &all);
    }
    Some(filled)
}

/// When the tries failed that followed those which had `failed` after a pause, and were late by so much at most. In order,
/// and apart.
fn failed_again(failed: &[Gap], pause: Span, late: Span, all: &[Gap]) -> Vec<Gap> {
    let tries = failed.iter().map(|failed| Gap { from: failed.from + pause, until: failed.until + pause + late });
    let mut met: Vec<Gap> = tries.flat_map(|tries| all.iter().filter_map(move |gap| tries.and(gap))).collect();
    met.sort_unstable_by_key(|gap| gap.from);
    met.dedup_by(|next, last| {
        let is_joined = next.from <= last.until;
        if is_joined {
            last.until = last.until.max(next.until);
        }
        is_joined
    });
    met
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

    fn gaps(all: &[(i64, i64)]) -> Gaps {
        let mut gaps = Gaps::default();
        for (from, until) in all {
            gaps.add(gap(*from, *until));
        }
        gaps
    }

    fn held(until: i64) -> Silence {
        Silence::Held { until: second(until) }
    }

    #[test]
    fn a_short_gap_holds_deadlines_until_the_repeats_have_had_their_time() {
        for (length, hold) in [(0, 3), (1, 3), (2, 12), (11, 12), (41, 32), (131, 92)] {
            let until = 1_000 + length;
            let mut gaps = Gaps::default();
            assert_eq!(gaps.add(gap(1_000, until)), Some(second(until + hold)), "{length}");
            assert_eq!(gaps.silence(second(900), second(1_000), second(until)), held(until + hold));
            assert_eq!(gaps.silence(second(900), second(1_000), second(until + hold)), Silence::Trusted);
        }
    }

    #[test]
    fn after_a_long_gap_receipts_are_lost_for_good() {
        let gaps = gaps(&[(1_000, 1_132)]);
        assert_eq!(gaps.silence(second(900), second(1_500), second(9_999)), Silence::Lost);
    }

    #[test]
    fn a_gap_does_not_concern_what_was_due_before_it_or_accepted_after_it() {
        let gaps = gaps(&[(1_000, 5_000)]);
        assert_eq!(gaps.silence(second(10), second(999), second(6_000)), Silence::Trusted);
        assert_eq!(gaps.silence(second(5_000), second(5_900), second(6_000)), Silence::Trusted);
    }

    #[test]
    fn a_repeat_that_falls_into_the_next_gap_is_waited_for_once_more() {
        // Missed at 1,000, repeated at 1,001 and missed again, so it comes at 1,011 at the latest.
        let twice = gaps(&[(1_000, 1_001), (1_001, 1_002)]);
        assert_eq!(twice.silence(second(900), second(1_000), second(1_004)), held(1_014));
        // The repeats find us listening: each gap waits for its own.
        let apart = gaps(&[(1_000, 1_001), (1_005, 1_006)]);
        assert_eq!(apart.silence(second(900), second(1_000), second(1_005)), Silence::Trusted);
        assert_eq!(apart.silence(second(900), second(1_005), second(1_006)), held(1_009));
    }

    #[test]
    fn each_repeat_may_be_late_and_meet_the_next_gap_by_that() {
        // Missed just before 1,001; repeated at 1,004 at the latest, in the second gap; and after 10 s more, late again.
        let late = gaps(&[(1_000, 1_001), (1_003, 1_005)]);
        assert_eq!(late.silence(second(900), second(1_000), second(1_005)), held(1_016));
        // That repeat comes from 1,013 on, and not after 1,016.
        let once_more = gaps(&[(1_000, 1_001), (1_003, 1_005), (1_015, 1_018)]);
        assert_eq!(once_more.silence(second(900), second(1_000), second(1_018)), held(1_048));
        let too_late = gaps(&[(1_000, 1_001), (1_003, 1_005), (1_016, 1_018)]);
        assert_eq!(too_late.silence(second(900), second(1_000), second(1_016)), Silence::Trusted);
    }

    #[test]
    fn what_may_have_been_late_each_time_is_waited_for_and_not_lost() {
        let unlucky = [(0, 1), (2, 3), (12, 13), (42, 43), (132, 133)];
        let gaps = gaps(&unlucky.map(|(from, until)| (1_000 + from, 1_000 + until)));
        assert_eq!(gaps.silence(second(900), second(1_000), second(1_134)), held(1_135));
        assert_eq!(gaps.silence(second(900), second(1_000), second(1_135)), Silence::Trusted);
    }

    #[test]
    fn a_thousand_short_gaps_are_looked_at_together_and_forgotten_in_turn() {
        let mut gaps = Gaps::default();
        let at = |place: i64| Timestamp::from_millis(1_000_000 + 2_500 * place);
        for place in 0..1_000 {
            let filled = gaps.add(Gap { from: at(place), until: at(place) + Span::from_secs(1) });
            assert!(filled.is_some(), "{place}");
        }
        assert!(gaps.0.len() < 60, "{}", gaps.0.len());
    }

    #[test]
    fn where_the_clock_was_set_back_meanwhile_everything_from_before_is_lost() {
        let mut back = gaps(&[(5_000, 2_000)]);
        for due in [1_000, 2_500, 9_000] {
            assert_eq!(back.silence(second(900), second(due), second(due)), Silence::Lost, "{due}");
        }
        assert_eq!(back.silence(second(5_000), second(5_900), second(5_900)), Silence::Trusted);
        assert_eq!(back.heard_since(second(900), second(2_500)), Some(second(5_000)));
        assert_eq!(back.add(gap(2_010, 2_011)), Some(second(2_014)), "others are not longer for it");
    }

    #[test]
    fn what_is_still_repeated_after_a_later_gap_is_waited_for_also_where_an_earlier_one_is_lost() {
        let gaps = gaps(&[(1_000, 1_132), (2_000, 2_001)]);
        assert_eq!(gaps.silence(second(900), second(2_000), second(2_001)), held(2_004));
        assert_eq!(gaps.silence(second(900), second(2_000), second(2_004)), Silence::Lost);
        assert_eq!(gaps.silence(second(900), second(1_999), second(2_001)), Silence::Lost, "due before the later one");
    }

    #[test]
    fn what_was_missed_at_every_repeat_is_lost_although_every_gap_was_short() {
        let unlucky = [(0, 1), (1, 2), (11, 12), (41, 42), (131, 132)];
        let gaps = gaps(&unlucky.map(|(from, until)| (1_000 + from, 1_000 + until)));
        assert_eq!(gaps.silence(second(900), second(1_000), second(2_000)), Silence::Lost);
        assert_ne!(gaps.silence(second(1_100), second(1_200), second(1_200)), Silence::Lost);
    }

    #[test]
    fn a_long_gap_swallows_what_was_still_repeated_after_the_one_before_it() {
        // Missed at 1,000 and, the last time, at 1,131: in the second gap, of whose repeats nothing else is known.
        let gaps = gaps(&[(1_000, 1_054), (1_054, 1_250)]);
        assert_eq!(gaps.silence(second(900), second(1_020), second(1_251)), Silence::Lost);
    }

    #[test]
    fn what_is_lost_stays_lost_and_what_is_filled_is_forgotten() {
        let mut gaps = gaps(&[(1_000, 1_132), (2_000, 2_001)]);
        gaps.add(gap(9_000, 9_001));
        assert_eq!(gaps.0.len(), 2);
        assert_eq!(gaps.silence(second(900), second(9_500), second(9_999)), Silence::Lost);
        assert_eq!(gaps.silence(second(1_900), second(2_000), second(9_999)), Silence::Trusted);
    }
}
