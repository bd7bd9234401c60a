//! Requests that are under way: begun, and not answered yet.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::lane::Lane;
use crate::clock::Clock;
use crate::domain::Timestamp;

/// A request that is under way for as long as this lives.
pub type Begun = TaskTrackerToken;

/// What one lane has begun since it was last asked.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Mutex<TaskTracker>);

impl UnderWay {
    /// Counts a request as begun.
    pub(super) fn begin(&self) -> Begun {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).token()
    }

    /// What has been begun up to now; what begins later does not count among it.
    fn up_to_now(&self) -> TaskTracker {
        let begun = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        begun.close();
        begun
    }
}

/// What had been begun when somebody decided something: it has passed its turnstile before it could know, and still
/// leaves.
#[derive(Debug)]
pub struct Leaving {
    begun: Vec<TaskTracker>,
    until: Timestamp,
}

impl Leaving {
    /// Everything that the lanes have begun up to now and not counted so before. It is waited for no longer than
    /// `until`: by then a provider that is slow to answer has been written to, unless the connection to it was still
    /// coming about.
    pub fn of(lanes: &[Arc<Lane>], until: Timestamp) -> Self {
        Self::what_is(lanes.iter().map(|lane| &lane.under_way), until)
    }

    fn what_is<'a>(under_way: impl Iterator<Item = &'a UnderWay>, until: Timestamp) -> Self {
        Self { begun: under_way.map(UnderWay::up_to_now).collect(), until }
    }

    /// Whether all of it is answered, or never left, or has had its time.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.until || self.begun.iter().all(TaskTracker::is_empty)
    }

    /// Ends once it is over.
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
    use crate::clock::ManualClock;
    use crate::domain::Span;

    const AT_MOST: Span = Span::from_millis(700);

    fn clock() -> ManualClock {
        ManualClock::at(Timestamp::from_millis(0))
    }

    fn leaving(lanes: &[UnderWay], clock: &ManualClock) -> Leaving {
        Leaving::what_is(lanes.iter(), clock.now() + AT_MOST)
    }

    /// Both ways of asking have to say the same.
    fn is_over(leaving: &Leaving, clock: &ManualClock) -> bool {
        let over = leaving.over(clock).now_or_never().is_some();
        assert_eq!(over, leaving.is_over(clock.now()));
        over
    }

    #[test]
    fn whoever_waits_waits_for_what_was_begun_before_and_for_nothing_else() {
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
    fn a_provider_that_does_not_answer_is_not_waited_for_longer_than_that() {
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
    fn where_nothing_is_under_way_nobody_waits() {
        let (clock, lanes) = (clock(), [UnderWay::default()]);
        drop(lanes[0].begin());
        assert!(is_over(&leaving(&lanes, &clock), &clock));
    }
}
