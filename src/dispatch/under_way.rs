//! Requests that are under way: begun, and not answered yet.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::lane::Lane;
use crate::clock::Clock;
use crate::domain::Span;

/// A request that is under way for as long as this lives.
pub(super) type Begun = TaskTrackerToken;

/// What one lane has begun since it was last asked.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Mutex<TaskTracker>);

impl UnderWay {
    /// Counts a request as begun. To be called before looking whether it may leave: then it either sees what stops it,
    /// or is waited for by whoever has stopped it.
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

/// Waits until everything that the lanes had begun is answered, or never left; no longer than `at_most`, for all of
/// them together. A provider that has not answered by then has been written to.
pub async fn until_out(lanes: &[Arc<Lane>], clock: &dyn Clock, at_most: Span) {
    wait(lanes.iter().map(|lane| &lane.under_way), clock, at_most).await;
}

async fn wait(lanes: impl Iterator<Item = &UnderWay>, clock: &dyn Clock, at_most: Span) {
    let begun: Vec<TaskTracker> = lanes.map(UnderWay::up_to_now).collect();
    tokio::select! {
        _ = join_all(begun.iter().map(TaskTracker::wait)) => {}
        () = clock.sleep(at_most) => {}
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::clock::ManualClock;
    use crate::domain::Timestamp;

    const AT_MOST: Span = Span::from_millis(700);

    fn clock() -> ManualClock {
        ManualClock::at(Timestamp::from_millis(0))
    }

    #[test]
    fn whoever_waits_waits_for_what_was_begun_before_and_for_nothing_else() {
        let (clock, lanes) = (clock(), [UnderWay::default(), UnderWay::default()]);
        let before = [lanes[0].begin(), lanes[1].begin()];
        let mut waiting = Box::pin(wait(lanes.iter(), &clock, AT_MOST));
        assert!(waiting.as_mut().now_or_never().is_none());
        let _after = lanes[0].begin();
        let [first, second] = before;
        drop(first);
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(second);
        assert!(waiting.as_mut().now_or_never().is_some());
    }

    #[test]
    fn a_provider_that_does_not_answer_is_not_waited_for_longer_than_that() {
        let (clock, lane) = (clock(), UnderWay::default());
        let _held = lane.begin();
        let mut waiting = Box::pin(wait(std::iter::once(&lane), &clock, AT_MOST));
        assert!(waiting.as_mut().now_or_never().is_none());
        clock.advance(Span::from_millis(AT_MOST.millis() - 1));
        assert!(waiting.as_mut().now_or_never().is_none());
        clock.advance(Span::from_millis(1));
        assert!(waiting.as_mut().now_or_never().is_some());
    }

    #[test]
    fn where_nothing_is_under_way_nobody_waits() {
        let lane = UnderWay::default();
        drop(lane.begin());
        assert!(wait(std::iter::once(&lane), &clock(), AT_MOST).now_or_never().is_some());
    }
}
