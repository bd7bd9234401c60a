//! Requests that have begun and are not answered yet.

use std::sync::Arc;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::lane::RunningLane;
use crate::base::clock::Clock;
use crate::base::domain::Timestamp;

/// Counts a request as in flight while it lives.
pub type Begun = TaskTrackerToken;

/// The requests that one lane has begun since the last call of `up_to_now`.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Mutex<TaskTracker>);

impl UnderWay {
    /// Counts a request as begun.
    pub(super) fn begin(&self) -> Begun {
        self.0.lock().token()
    }

    /// Takes the requests begun so far; later ones are not among them.
    fn up_to_now(&self) -> TaskTracker {
        let begun = std::mem::take(&mut *self.0.lock());
        begun.close();
        begun
    }
}

/// Requests that had begun when an operator stopped sending. They passed their checks before, so they are still sent.
#[derive(Debug)]
pub struct RequestsInFlight {
    begun: Vec<TaskTracker>,
    until: Timestamp,
}

impl RequestsInFlight {
    /// The requests that the lanes have begun so far and that no earlier call has taken.
    ///
    /// A caller waits for them no longer than `until`. By then a slow provider has received them, unless a connection
    /// was still being opened.
    pub fn of(lanes: &[Arc<RunningLane>], until: Timestamp) -> Self {
        Self::of_trackers(lanes.iter().map(|lane| &lane.under_way), until)
    }

    fn of_trackers<'a>(under_way: impl Iterator<Item = &'a UnderWay>, until: Timestamp) -> Self {
        Self { begun: under_way.map(UnderWay::up_to_now).collect(), until }
    }

    /// Whether all requests have ended or were not sent, or the time is up.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.until || self.begun.iter().all(TaskTracker::is_empty)
    }

    /// Waits until `is_over`.
    pub async fn over(&self, clock: &dyn Clock) {
        tokio::select! {
            _ = join_all(self.begun.iter().map(TaskTracker::wait)) => {}
            () = clock.sleep_until(self.until) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::base::clock::ManualClock;
    use crate::base::domain::Span;

    const AT_MOST: Span = Span::from_millis(700);

    fn clock() -> ManualClock {
        ManualClock::at(Timestamp::from_millis(0))
    }

    fn leaving(lanes: &[UnderWay], clock: &ManualClock) -> RequestsInFlight {
        RequestsInFlight::of_trackers(lanes.iter(), clock.now() + AT_MOST)
    }

    /// Asserts that `over` and `is_over` agree.
    fn is_over(leaving: &RequestsInFlight, clock: &ManualClock) -> bool {
        let over = leaving.over(clock).now_or_never().is_some();
        assert_eq!(over, leaving.is_over(clock.now()));
        over
    }

    #[test]
    fn a_wait_covers_only_requests_that_began_before_it() {
        let (clock, lanes) = (clock(), [UnderWay::default(), UnderWay::default()]);
        let before = [lanes[0].begin(), lanes[1].begin()];
        let leaving = leaving(&lanes, &clock);
        assert!(!is_over(&leaving, &clock));
        let _after = lanes[0].begin();
        let [first, second] = before;
        drop(first);
        assert!(!is_over(&leaving, &clock));
        drop(second);
        assert!(is_over(&leaving, &clock));
    }

    #[test]
    fn a_wait_for_an_unanswered_request_ends_at_its_limit() {
        let (clock, lanes) = (clock(), [UnderWay::default()]);
        let _held = lanes[0].begin();
        let leaving = leaving(&lanes, &clock);
        assert!(!is_over(&leaving, &clock));
        clock.advance(Span::from_millis(AT_MOST.millis() - 1));
        assert!(!is_over(&leaving, &clock));
        clock.advance(Span::from_millis(1));
        assert!(is_over(&leaving, &clock));
    }

    #[test]
    fn a_wait_ends_at_once_without_requests_in_flight() {
        let (clock, lanes) = (clock(), [UnderWay::default()]);
        drop(lanes[0].begin());
        assert!(is_over(&leaving(&lanes, &clock), &clock));
    }
}
