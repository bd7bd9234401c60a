//! A lane's brake: pressed by throttling and outages, released by acceptance and by time.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use crate::clock::Chance;
use crate::domain::{Span, Timestamp};

const SHORTEST: Span = Span::from_millis(250);
const LONGEST: Span = Span::from_secs(60);
/// A lane goes at no less than a sixteenth of its rate, however often it is throttled.
const HALVINGS_MAX: i64 = 4;
/// How long the provider has to be content until the lane goes twice as fast again.
const CONTENT: Span = Span::from_secs(10);

/// Why a lane has to stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It was too fast for the provider, and goes on more slowly.
    Throttled,
    /// The provider is not there, or breaks what it gets; that is no matter of pace.
    Outage,
}

/// What the provider answered instead of taking a message.
#[derive(Debug, Clone, Copy)]
pub struct Complaint<'a> {
    pub cause: Cause,
    /// When the request was begun.
    pub begun: Timestamp,
    /// How long it asked us to wait.
    pub retry_after: Option<Span>,
    pub reason: &'a str,
}

/// A standstill that no acceptance has ended yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standstill {
    pub cause: Cause,
    /// What the provider said last.
    pub reason: String,
    pub since: Timestamp,
    /// When it was, or will be, tried again.
    pub until: Timestamp,
}

/// Until when a lane stands still, and how slowly it goes on. The rest doubles with every new complaint and starts over
/// at the first acceptance; the pace halves with every throttling, and doubles as long as nobody complains.
#[derive(Debug, Default)]
pub struct Brake(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    until: Option<Timestamp>,
    /// When the last complaint was heard that counted.
    heard: Option<Timestamp>,
    complaints: u32,
    /// The last complaint that was not followed by an acceptance, and since when there have been such.
    complaint: Option<(Cause, String)>,
    /// The last of all, and when that was.
    last: Option<(Timestamp, String)>,
    complained_since: Timestamp,
    halvings: i64,
    /// From when on nobody has complained of the pace.
    content_since: Timestamp,
}

impl Inner {
    fn halvings(&self, now: Timestamp) -> i64 {
        let content = now.since(self.content_since).millis();
        (self.halvings - content / CONTENT.millis()).max(0)
    }
}

impl Brake {
    /// Stops the lane for as long as the provider asked for, else for longer each time. Requests that were under way
    /// together complain together: they count once. Returns when it may go on.
    pub fn press(&self, complaint: Complaint<'_>, now: Timestamp, chance: &Chance) -> Timestamp {
        let mut inner = self.lock();
        let is_new = inner.heard.is_none_or(|heard| complaint.begun > heard);
        if is_new {
            inner.heard = Some(now);
            inner.complaints = inner.complaints.saturating_add(1);
        }
        let earlier = inner.complaints.saturating_sub(1);
        let backoff = is_new.then(|| now + chance.back_off(SHORTEST, earlier, LONGEST));
        let asked = complaint.retry_after.map(|asked| now + asked);
        let until = inner.until.max(asked.or(backoff)).unwrap_or(now);
        inner.until = Some(until);
        if inner.complaint.is_none() {
            inner.complained_since = now;
        }
        inner.complaint = Some((complaint.cause, complaint.reason.to_owned()));
        inner.last = Some((now, complaint.reason.to_owned()));
        if complaint.cause == Cause::Throttled {
            inner.halvings = (inner.halvings(now) + i64::from(is_new)).min(HALVINGS_MAX);
            inner.content_since = until.max(now);
        }
        until
    }

    /// The provider takes messages again.
    pub fn release(&self) {
        let mut inner = self.lock();
        inner.complaints = 0;
        inner.complaint = None;
    }

    /// When the lane may go on, where it may not now.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        self.lock().until.filter(|until| *until > now)
    }

    /// How many times slower than its rate the lane goes.
    pub fn slowness(&self, now: Timestamp) -> NonZeroU32 {
        let slowness = 1_u32 << self.lock().halvings(now);
        NonZeroU32::new(slowness).unwrap_or(NonZeroU32::MIN)
    }

    /// Why the lane stands still, or stood until just now and nobody knows yet whether that helped.
    pub fn standstill(&self) -> Option<Standstill> {
        let inner = self.lock();
        let (cause, reason) = inner.complaint.clone()?;
        Some(Standstill { cause, reason, since: inner.complained_since, until: inner.until? })
    }

    /// What the provider complained of last, however long ago.
    pub fn last_complaint(&self) -> Option<(Timestamp, String)> {
        self.lock().last.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A complaint about a request that was begun and answered at this time.
    fn complain(brake: &Brake, cause: Cause, now: Timestamp, retry_after: Option<Span>) -> Timestamp {
        let chance = Chance::seeded(u64::try_from(now.millis()).unwrap());
        brake.press(Complaint { cause, begun: now, retry_after, reason: "429" }, now, &chance)
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    #[test]
    fn complaints_double_the_rest_and_acceptance_ends_it() {
        let brake = Brake::default();
        let mut now = second(0);
        let mut rests = Vec::new();
        for _ in 0..12 {
            let until = complain(&brake, Cause::Outage, now, None);
            rests.push(until.since(now).millis());
            assert_eq!(brake.until(now), Some(until));
            now = until;
        }
        assert!(rests[0] <= 250 && rests[0] >= 125, "{rests:?}");
        assert!(rests.iter().all(|rest| *rest <= 60_000) && rests[11] >= 30_000, "{rests:?}");
        brake.release();
        assert!(complain(&brake, Cause::Outage, now, None).since(now).millis() <= 250);
    }

    #[test]
    fn requests_that_complain_together_count_once_also_when_the_last_answer_comes_late() {
        let (brake, chance) = (Brake::default(), Chance::seeded(1));
        let press = |begun, now| {
            brake.press(Complaint { cause: Cause::Throttled, begun, retry_after: None, reason: "429" }, now, &chance)
        };
        let until = press(second(0), second(1));
        for late in [1, 1, 2, 9] {
            assert_eq!(press(second(1), second(late)), until);
        }
        assert_eq!((brake.until(second(2)), brake.slowness(second(9)).get()), (None, 2));
        assert!(press(second(9), second(9)) > second(9));
        assert_eq!(brake.slowness(second(10)).get(), 4);
    }

    #[test]
    fn what_the_provider_asks_for_is_what_it_gets() {
        let (brake, week) = (Brake::default(), Span::from_secs(7 * 86_400));
        assert_eq!(complain(&brake, Cause::Throttled, second(0), Some(week)), second(0) + week);
    }

    #[test]
    fn each_throttling_halves_the_pace_which_doubles_with_every_ten_seconds_of_content() {
        let brake = Brake::default();
        let mut now = second(0);
        let mut slowness = Vec::new();
        for _ in 0..6 {
            now = complain(&brake, Cause::Throttled, now, Some(Span::from_secs(60)));
            slowness.push(brake.slowness(now).get());
        }
        assert_eq!(slowness, [2, 4, 8, 16, 16, 16], "standing still is no sign of content");
        brake.release();
        let content = [0, 9, 10, 19, 20, 30, 40, 400].map(|secs| brake.slowness(now + Span::from_secs(secs)).get());
        assert_eq!(content, [16, 16, 8, 8, 4, 2, 1, 1]);
    }

    #[test]
    fn a_standstill_lasts_from_the_first_complaint_to_the_first_acceptance() {
        let brake = Brake::default();
        assert_eq!(brake.standstill(), None);
        complain(&brake, Cause::Outage, second(1), None);
        let until = complain(&brake, Cause::Outage, second(9), Some(Span::from_secs(5)));
        let standing = Standstill { cause: Cause::Outage, reason: "429".to_owned(), since: second(1), until };
        assert_eq!(brake.standstill(), Some(standing));
        brake.release();
        assert_eq!(brake.standstill(), None);
        complain(&brake, Cause::Throttled, second(20), None);
        assert_eq!(
            brake.standstill().map(|standing| (standing.cause, standing.since)),
            Some((Cause::Throttled, second(20)))
        );
    }

    #[test]
    fn an_outage_stops_a_lane_and_does_not_slow_it() {
        let brake = Brake::default();
        let until = complain(&brake, Cause::Outage, second(0), None);
        assert_eq!(brake.slowness(until).get(), 1);
    }
}
