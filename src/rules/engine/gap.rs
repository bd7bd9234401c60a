//! Gaps: times in which no receipt could be stored, and the value of silence after them (rule 9).

use super::Silence;
use crate::base::domain::{Span, Timestamp};

/// A time from `from` to `until` in which no receipt from the provider could be stored.
///
/// If `until` is before `from`, the clock was set back in between, and the length of the gap is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub from: Timestamp,
    pub until: Timestamp,
}

/// The pauses after which the provider repeats a receipt, one after each failed try; then it gives up.
const PAUSES: [Span; 4] = [Span::from_secs(1), Span::from_secs(10), Span::from_secs(30), Span::from_secs(90)];
/// How long after its first try a receipt may still arrive. A receipt that is missed for longer is lost.
pub const REPEATED_FOR: Span = {
    let [first, second, third, last] = PAUSES;
    Span::from_millis(first.millis() + second.millis() + third.millis() + last.millis())
};
/// How late each try may be, because clocks differ and transport takes time.
const MARGIN: Span = Span::from_secs(2);
/// The last repeat if each one was late. After this time a gap does not matter to other gaps.
const MATTERS_FOR: Span = Span::from_millis(REPEATED_FOR.millis() + 4 * MARGIN.millis());

impl Gap {
    /// Whether a receipt may have been missed in the gap for a step that was accepted at `accepted` and due at `due`.
    fn concerns(&self, accepted: Timestamp, due: Timestamp) -> bool {
        // By the clock before it was set back, everything that is due now was due then as well.
        accepted < self.end() && (due >= self.from || self.length().is_none())
    }

    /// `None` if the length is unknown.
    pub fn length(&self) -> Option<Span> {
        (self.from <= self.until).then(|| self.until.since(self.from))
    }

    /// A step accepted from this time on is not concerned, whether it was accepted before or after the clock change.
    pub fn end(&self) -> Timestamp {
        self.from.max(self.until)
    }

    fn and(&self, other: &Self) -> Option<Self> {
        let both = Self { from: self.from.max(other.from), until: self.until.min(other.until) };
        (both.from < both.until).then_some(both)
    }
}

/// Every gap that may still matter.
///
/// The gaps are evaluated together, because a receipt missed in one may be repeated in the next. A server that restarts
/// again and again listens most of the time, and yet has to wait longer.
#[derive(Debug, Clone, Default)]
pub struct KnownGaps(Vec<Known>);

#[derive(Debug, Clone, Copy)]
struct Known {
    gap: Gap,
    /// When the provider has repeated everything; `None` if it has given up on some receipt.
    filled: Option<Timestamp>,
}

impl KnownGaps {
    /// Adds a gap that has just ended. Returns when it will be filled, or `None` if it will not.
    pub fn add(&mut self, gap: Gap) -> Option<Timestamp> {
        // A new gap, however long, may swallow repeats that were still due when it began. An earlier gap is therefore
        // forgotten by the start of the new one, not by its end.
        let begun = gap.from.min(gap.until);
        self.0.retain(|known| known.filled.is_none() || known.gap.until + MATTERS_FOR > begun);
        self.0.push(Known { gap, filled: Some(gap.until) });
        let all: Vec<Gap> = self.0.iter().map(|known| known.gap).collect();
        for known in &mut self.0 {
            // A lost receipt stays lost, even after the gaps that swallowed its repeats are forgotten.
            known.filled = known.filled.and_then(|_| filled_at(known.gap, &all));
        }
        self.0.last().and_then(|known| known.filled)
    }

    /// The value of silence for a step that was accepted at `accepted` and due at `due`.
    ///
    /// A repeat that is due after one gap may bring the receipt that another gap swallowed, so it is awaited first.
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

impl KnownGaps {
    /// The gap that ended after `since` and whose receipts are repeated longest from now on, with the end of the
    /// repeats.
    pub fn repeated(&self, since: Timestamp, now: Timestamp) -> Option<(Gap, Timestamp)> {
        let repeated = self.0.iter().filter_map(|known| Some((known.gap, known.filled?)));
        let repeated = repeated.filter(|(gap, _)| gap.end() > since);
        repeated.filter(|(_, filled)| *filled > now).max_by_key(|(_, filled)| *filled)
    }

    /// The gaps in which a receipt was lost for good.
    pub fn lost(&self) -> impl Iterator<Item = Gap> + '_ {
        self.0.iter().filter(|known| known.filled.is_none()).map(|known| known.gap)
    }

    /// Since when every receipt is stored for a step that was accepted at `accepted` and due at `due`: the end of the
    /// last lost gap that concerns it.
    pub fn received_since(&self, accepted: Timestamp, due: Timestamp) -> Option<Timestamp> {
        self.lost().filter(|gap| gap.concerns(accepted, due)).map(|gap| gap.end()).max()
    }
}

/// When the last repeat of the receipts missed in `gap` has had its time; `None` if one was missed every time.
///
/// The result waits for late repeats. Whether a receipt is lost is decided as if every repeat were on time.
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

/// The times in which the next tries fail: `pause` after those that `failed`, late by up to `late`. In order, and
/// disjoint.
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

    fn gaps(all: &[(i64, i64)]) -> KnownGaps {
        let mut gaps = KnownGaps::default();
        for (from, until) in all {
            gaps.add(gap(*from, *until));
        }
        gaps
    }

    fn held(until: i64) -> Silence {
        Silence::Held { until: second(until) }
    }

    #[test]
    fn a_short_gap_holds_deadlines_until_its_repeats_are_over() {
        for (length, hold) in [(0, 3), (1, 3), (2, 12), (11, 12), (41, 32), (131, 92)] {
            let until = 1_000 + length;
            let mut gaps = KnownGaps::default();
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
    fn a_gap_ignores_steps_due_before_it_or_accepted_after_it() {
        let gaps = gaps(&[(1_000, 5_000)]);
        assert_eq!(gaps.silence(second(10), second(999), second(6_000)), Silence::Trusted);
        assert_eq!(gaps.silence(second(5_000), second(5_900), second(6_000)), Silence::Trusted);
    }

    #[test]
    fn a_repeat_that_falls_into_the_next_gap_extends_the_wait() {
        // Missed at 1,000, and missed again when repeated at 1,001; the next repeat comes at 1,011 at the latest.
        let twice = gaps(&[(1_000, 1_001), (1_001, 1_002)]);
        assert_eq!(twice.silence(second(900), second(1_000), second(1_004)), held(1_014));
        // The server receives these repeats, so each gap waits only for its own.
        let apart = gaps(&[(1_000, 1_001), (1_005, 1_006)]);
        assert_eq!(apart.silence(second(900), second(1_000), second(1_005)), Silence::Trusted);
        assert_eq!(apart.silence(second(900), second(1_005), second(1_006)), held(1_009));
    }

    #[test]
    fn a_late_repeat_may_fall_into_the_next_gap() {
        // Missed just before 1,001; repeated at 1,004 at the latest, in the second gap; then after 10 s more, late
        // again.
        let late = gaps(&[(1_000, 1_001), (1_003, 1_005)]);
        assert_eq!(late.silence(second(900), second(1_000), second(1_005)), held(1_016));
        // That repeat comes between 1,013 and 1,016.
        let once_more = gaps(&[(1_000, 1_001), (1_003, 1_005), (1_015, 1_018)]);
        assert_eq!(once_more.silence(second(900), second(1_000), second(1_018)), held(1_048));
        let too_late = gaps(&[(1_000, 1_001), (1_003, 1_005), (1_016, 1_018)]);
        assert_eq!(too_late.silence(second(900), second(1_000), second(1_016)), Silence::Trusted);
    }

    #[test]
    fn receipts_missed_only_if_always_late_are_awaited_not_lost() {
        let unlucky = [(0, 1), (2, 3), (12, 13), (42, 43), (132, 133)];
        let gaps = gaps(&unlucky.map(|(from, until)| (1_000 + from, 1_000 + until)));
        assert_eq!(gaps.silence(second(900), second(1_000), second(1_134)), held(1_135));
        assert_eq!(gaps.silence(second(900), second(1_000), second(1_135)), Silence::Trusted);
    }

    #[test]
    fn a_thousand_short_gaps_are_forgotten_in_turn() {
        let mut gaps = KnownGaps::default();
        let at = |index: i64| Timestamp::from_millis(1_000_000 + 2_500 * index);
        for index in 0..1_000 {
            let filled = gaps.add(Gap { from: at(index), until: at(index) + Span::from_secs(1) });
            assert!(filled.is_some(), "{index}");
        }
        assert!(gaps.0.len() < 60, "{}", gaps.0.len());
    }

    #[test]
    fn a_clock_set_back_loses_every_earlier_receipt() {
        let mut back = gaps(&[(5_000, 2_000)]);
        for due in [1_000, 2_500, 9_000] {
            assert_eq!(back.silence(second(900), second(due), second(due)), Silence::Lost, "{due}");
        }
        assert_eq!(back.silence(second(5_000), second(5_900), second(5_900)), Silence::Trusted);
        assert_eq!(back.received_since(second(900), second(2_500)), Some(second(5_000)));
        assert_eq!(back.add(gap(2_010, 2_011)), Some(second(2_014)), "it does not lengthen other gaps");
    }

    #[test]
    fn repeats_after_a_later_gap_are_awaited_despite_a_lost_gap() {
        let gaps = gaps(&[(1_000, 1_132), (2_000, 2_001)]);
        assert_eq!(gaps.silence(second(900), second(2_000), second(2_001)), held(2_004));
        assert_eq!(gaps.silence(second(900), second(2_000), second(2_004)), Silence::Lost);
        assert_eq!(gaps.silence(second(900), second(1_999), second(2_001)), Silence::Lost, "due before the later one");
    }

    #[test]
    fn a_receipt_missed_at_every_repeat_is_lost() {
        let unlucky = [(0, 1), (1, 2), (11, 12), (41, 42), (131, 132)];
        let gaps = gaps(&unlucky.map(|(from, until)| (1_000 + from, 1_000 + until)));
        assert_eq!(gaps.silence(second(900), second(1_000), second(2_000)), Silence::Lost);
        assert_ne!(gaps.silence(second(1_100), second(1_200), second(1_200)), Silence::Lost);
    }

    #[test]
    fn a_long_gap_swallows_the_repeats_of_the_gap_before() {
        // Missed at 1,000, and for the last time at 1,131, in the second gap. Nothing else is known of the second gap's
        // repeats.
        let gaps = gaps(&[(1_000, 1_054), (1_054, 1_250)]);
        assert_eq!(gaps.silence(second(900), second(1_020), second(1_251)), Silence::Lost);
    }

    #[test]
    fn lost_gaps_are_kept_and_filled_gaps_are_forgotten() {
        let mut gaps = gaps(&[(1_000, 1_132), (2_000, 2_001)]);
        gaps.add(gap(9_000, 9_001));
        assert_eq!(gaps.0.len(), 2);
        assert_eq!(gaps.silence(second(900), second(9_500), second(9_999)), Silence::Lost);
        assert_eq!(gaps.silence(second(1_900), second(2_000), second(9_999)), Silence::Trusted);
    }
}
