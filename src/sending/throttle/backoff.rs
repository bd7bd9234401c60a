//! A lane's backoff after throttling, which ends by acceptance and by time.

use parking_lot::Mutex;

use super::standstill::FORGOTTEN;
use super::{Standstill, StandstillCause};
use crate::base::clock::Chance;
use crate::base::domain::{Portion, Span, Timestamp};

const SHORTEST: Span = Span::from_millis(250);
const LONGEST: Span = Span::from_secs(60);
/// How long the provider must not throttle until the lane gains a sixteenth of its rate: from half of it to all of it
/// in forty seconds.
const RECOVERY_STEP: Span = Span::from_secs(5);

/// A throttling: the provider reports too many requests.
#[derive(Debug, Clone, Copy)]
pub struct Throttling<'a> {
    /// When the request began.
    pub begun: Timestamp,
    /// The wait that the provider asked for.
    pub retry_after: Option<Span>,
    pub reason: &'a str,
}

/// Stops a lane after throttling, and slows it afterwards.
///
/// The rest doubles with every new throttling and starts over at the first acceptance. The rate halves with every
/// throttling, and recovers in equal steps while no other one follows.
#[derive(Debug, Default)]
pub struct Backoff(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    until: Option<Timestamp>,
    /// When the last counted throttling was received.
    counted_at: Option<Timestamp>,
    throttlings: u32,
    /// The last throttling that no acceptance has followed, and when the present series began.
    reason: Option<String>,
    /// The time and the reason of the last throttling of all.
    last: Option<(Timestamp, String)>,
    throttled_since: Timestamp,
    /// The share of the rate after the last throttling.
    portion: Portion,
    /// Since when no throttling has come.
    recovering_since: Timestamp,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            until: None,
            counted_at: None,
            throttlings: 0,
            reason: None,
            last: None,
            throttled_since: Timestamp::default(),
            portion: Portion::WHOLE,
            recovering_since: Timestamp::default(),
        }
    }
}

impl Inner {
    fn portion(&self, now: Timestamp) -> Portion {
        let recovered = now.since(self.recovering_since).millis().unsigned_abs();
        self.portion.and_sixteenths(recovered / RECOVERY_STEP.millis().unsigned_abs())
    }
}

impl Backoff {
    /// Restores the standstill and the rate that an earlier process has stored.
    pub fn go_on_from(
        &self,
        standstill: Option<Standstill>,
        portion: Portion,
        last: Option<(Timestamp, String)>,
        now: Timestamp,
    ) {
        let mut inner = self.0.lock();
        if last.as_ref().is_some_and(|(at, _)| now.since(*at) <= FORGOTTEN) {
            (inner.portion, inner.recovering_since) = (portion, now);
        }
        inner.last = last;
        if let Some(Standstill { reason, since, until, .. }) = standstill.and_then(|it| it.still_counts(now)) {
            inner.until = Some(until);
            (inner.throttlings, inner.throttled_since) = (1, since);
            inner.reason = Some(reason);
            (inner.portion, inner.recovering_since) = (portion, until.max(now));
        }
    }

    /// Stops the lane for as long as the provider asks, else longer each time. Returns when it may resume.
    ///
    /// Requests that were in flight together are throttled together and count once.
    pub fn apply_throttling(&self, throttling: Throttling<'_>, now: Timestamp, chance: &Chance) -> Timestamp {
        let mut inner = self.0.lock();
        let is_new = inner.counted_at.is_none_or(|counted_at| throttling.begun > counted_at);
        if is_new {
            inner.counted_at = Some(now);
            inner.throttlings = inner.throttlings.saturating_add(1);
        }
        let earlier = inner.throttlings.saturating_sub(1);
        let backoff = is_new.then(|| now + chance.back_off(SHORTEST, earlier, LONGEST));
        let asked = throttling.retry_after.map(|asked| now + asked);
        let until = inner.until.max(asked.or(backoff)).unwrap_or(now);
        inner.until = Some(until);
        if inner.reason.is_none() {
            inner.throttled_since = now;
        }
        inner.reason = Some(throttling.reason.to_owned());
        inner.last = Some((now, throttling.reason.to_owned()));
        let portion = inner.portion(now);
        inner.portion = if is_new { portion.halved() } else { portion };
        inner.recovering_since = until.max(now);
        until
    }

    /// Ends the series of throttlings after an acceptance. `begun` is when the accepted request began.
    ///
    /// An acceptance of a request that began before the last throttling proves nothing.
    pub fn reset(&self, begun: Timestamp) {
        let mut inner = self.0.lock();
        if inner.counted_at.is_some_and(|counted_at| begun < counted_at) {
            return;
        }
        inner.throttlings = 0;
        inner.reason = None;
    }

    /// When the lane may resume; `None` if it may send now.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        self.0.lock().until.filter(|until| *until > now)
    }

    /// The share of its rate that the lane may use.
    pub fn portion(&self, now: Timestamp) -> Portion {
        self.0.lock().portion(now)
    }

    /// Why the lane does not send, until an acceptance proves that it may.
    pub fn standstill(&self) -> Option<Standstill> {
        let inner = self.0.lock();
        let reason = inner.reason.clone()?;
        Some(Standstill {
            cause: StandstillCause::Throttled,
            reason,
            since: inner.throttled_since,
            until: inner.until?,
            in_flight: 0,
        })
    }

    /// The last throttling, however long ago.
    pub fn last_complaint(&self) -> Option<(Timestamp, String)> {
        self.0.lock().last.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(backoff: &Backoff, now: Timestamp) -> u8 {
        backoff.portion(now).sixteenths()
    }

    /// Throttles a request that began and was answered at this time.
    fn throttle(backoff: &Backoff, now: Timestamp, retry_after: Option<Span>) -> Timestamp {
        let chance = Chance::seeded(u64::try_from(now.millis()).unwrap());
        backoff.apply_throttling(Throttling { begun: now, retry_after, reason: "429" }, now, &chance)
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    #[test]
    fn throttlings_double_the_rest_and_an_acceptance_resets_it() {
        let backoff = Backoff::default();
        let mut now = second(0);
        let mut rests = Vec::new();
        for _ in 0..12 {
            let until = throttle(&backoff, now, None);
            rests.push(until.since(now).millis());
            assert_eq!(backoff.until(now), Some(until));
            now = until;
        }
        assert!(rests[0] <= 250 && rests[0] >= 125, "{rests:?}");
        assert!(rests.iter().all(|rest| *rest <= 60_000) && rests[11] >= 30_000, "{rests:?}");
        backoff.reset(now);
        assert!(throttle(&backoff, now, None).since(now).millis() <= 250);
    }

    #[test]
    fn throttlings_of_requests_in_flight_together_count_once() {
        let (backoff, chance) = (Backoff::default(), Chance::seeded(1));
        let apply_throttling =
            |begun, now| backoff.apply_throttling(Throttling { begun, retry_after: None, reason: "429" }, now, &chance);
        let until = apply_throttling(second(0), second(1));
        for late in [1, 1, 2, 2] {
            assert_eq!(apply_throttling(second(1), second(late)), until);
        }
        assert_eq!((backoff.until(second(2)), parts(&backoff, second(2))), (None, 8));
        assert!(apply_throttling(second(3), second(3)) > second(3));
        assert_eq!(parts(&backoff, second(4)), 4);
    }

    #[test]
    fn the_rest_lasts_as_long_as_the_provider_asks() {
        let (backoff, week) = (Backoff::default(), Span::from_secs(7 * 86_400));
        assert_eq!(throttle(&backoff, second(0), Some(week)), second(0) + week);
    }

    #[test]
    fn each_throttling_halves_the_rate_which_recovers_in_equal_steps() {
        let backoff = Backoff::default();
        let mut now = second(0);
        let mut pace = Vec::new();
        for _ in 0..6 {
            now = throttle(&backoff, now, Some(Span::from_secs(60)));
            pace.push(parts(&backoff, now));
        }
        assert_eq!(pace, [8, 4, 2, 1, 1, 1], "the rate does not recover during a standstill");
        backoff.reset(now);
        let recovered = [0, 4, 5, 9, 10, 35, 40, 75, 400].map(|secs| parts(&backoff, now + Span::from_secs(secs)));
        assert_eq!(recovered, [1, 1, 2, 2, 3, 8, 9, 16, 16]);
        // Half of the rate to which it has recovered.
        now = throttle(&backoff, now + Span::from_secs(45), None);
        assert_eq!(parts(&backoff, now), 5);
    }

    #[test]
    fn a_process_resumes_its_predecessors_backoff() {
        let (backoff, next) = (Backoff::default(), Backoff::default());
        let until = throttle(&backoff, second(0), Some(Span::from_secs(3_600)));
        next.go_on_from(backoff.standstill(), backoff.portion(second(60)), backoff.last_complaint(), second(60));
        assert_eq!((next.until(second(60)), parts(&next, until)), (Some(until), 8));
        assert_eq!((next.standstill(), next.last_complaint()), (backoff.standstill(), backoff.last_complaint()));
        // After the standstill is over, the next process resumes at the stored rate.
        let slow = Portion::of_sixteenths(3).unwrap();
        let later = Backoff::default();
        later.go_on_from(None, slow, backoff.last_complaint(), second(60));
        assert_eq!((later.until(second(60)), parts(&later, second(64)), parts(&later, second(65))), (None, 3, 4));
        // An old standstill is forgotten, and one that a wrong clock made endless is capped.
        let weeks = Backoff::default();
        weeks.go_on_from(backoff.standstill(), slow, backoff.last_complaint(), second(9_000));
        assert_eq!((weeks.standstill(), weeks.until(second(9_000)), parts(&weeks, second(9_000))), (None, None, 16));
        let year = Standstill { until: second(31_536_000), ..backoff.standstill().unwrap() };
        weeks.go_on_from(Some(year), slow, None, second(9_000));
        assert_eq!(weeks.until(second(9_000)), Some(second(12_600)));
    }

    #[test]
    fn a_standstill_lasts_from_first_throttling_to_first_acceptance() {
        let backoff = Backoff::default();
        assert_eq!(backoff.standstill(), None);
        throttle(&backoff, second(1), None);
        let until = throttle(&backoff, second(9), Some(Span::from_secs(5)));
        let (cause, reason, since) = (StandstillCause::Throttled, "429".to_owned(), second(1));
        let standing = Standstill { cause, reason, since, until, in_flight: 0 };
        assert_eq!(backoff.standstill(), Some(standing));
        backoff.reset(until);
        assert_eq!(backoff.standstill(), None);
        throttle(&backoff, second(20), None);
        assert_eq!(backoff.standstill().map(|standing| standing.since), Some(second(20)));
    }
}
