//! A lane's brake: pressed by throttling and outages, released by acceptance.

use std::sync::{Mutex, PoisonError};

use crate::clock::Chance;
use crate::domain::{Span, Timestamp};

const SHORTEST: Span = Span::from_millis(250);
const LONGEST: Span = Span::from_secs(60);

/// Until when a lane stands still. It doubles with every new complaint and starts over at the first acceptance.
#[derive(Debug, Default)]
pub struct Brake(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    until: Option<Timestamp>,
    complaints: u32,
    reason: Option<String>,
}

impl Brake {
    /// Stops the lane for as long as the provider asked for, else for longer each time. Requests that were under way
    /// together complain together: they count once. Returns when it may go on.
    pub fn press(&self, now: Timestamp, retry_after: Option<Span>, reason: &str, chance: &Chance) -> Timestamp {
        let mut inner = self.lock();
        let standing = inner.until.filter(|until| *until > now);
        if standing.is_none() {
            inner.complaints = inner.complaints.saturating_add(1);
        }
        let doubled = SHORTEST.millis().saturating_mul(1 << (inner.complaints.saturating_sub(1)).min(16));
        let backoff = chance.jitter(Span::from_millis(doubled.min(LONGEST.millis())));
        let asked = retry_after.map(|asked| now + asked);
        let until = standing.max(asked).unwrap_or(now + backoff);
        inner.until = Some(until);
        inner.reason = Some(reason.to_owned());
        until
    }

    /// The provider takes messages again.
    pub fn release(&self) {
        let mut inner = self.lock();
        if inner.complaints > 0 {
            inner.complaints = 0;
            inner.reason = None;
        }
    }

    /// When the lane may go on, where it may not now.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        self.lock().until.filter(|until| *until > now)
    }

    /// The last complaint that was not followed by an acceptance.
    pub fn reason(&self) -> Option<String> {
        self.lock().reason.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_double_the_rest_and_acceptance_ends_it() {
        let (brake, chance) = (Brake::default(), Chance::seeded(1));
        let mut now = Timestamp::from_millis(0);
        let mut rests = Vec::new();
        for _ in 0..12 {
            let until = brake.press(now, None, "429", &chance);
            rests.push(until.since(now).millis());
            now = until;
        }
        assert!(rests[0] <= 250 && rests[0] >= 125, "{rests:?}");
        assert!(rests.iter().all(|rest| *rest <= 60_000) && rests[11] >= 30_000, "{rests:?}");
        brake.release();
        assert!(brake.press(now, None, "429", &chance).since(now).millis() <= 250);
    }

    #[test]
    fn requests_that_complain_together_count_once() {
        let (brake, chance) = (Brake::default(), Chance::seeded(1));
        let now = Timestamp::from_millis(0);
        for _ in 0..64 {
            brake.press(now, None, "429", &chance);
        }
        assert!(brake.until(now).unwrap().since(now).millis() <= 250);
    }

    #[test]
    fn what_the_provider_asks_for_is_what_it_gets() {
        let (brake, chance) = (Brake::default(), Chance::seeded(1));
        let now = Timestamp::from_millis(0);
        assert_eq!(brake.press(now, Some(Span::from_secs(7)), "429", &chance), now + Span::from_secs(7));
    }
}
