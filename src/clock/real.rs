//! The clock of a running process.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::{Clock, Sleep};
use crate::domain::{Span, Timestamp};

/// The wall clock at the start, plus monotonic time since.
#[derive(Debug, Clone)]
pub struct RealClock {
    started: Instant,
    started_at: Timestamp,
}

impl RealClock {
    #[expect(
        clippy::new_without_default,
        clippy::disallowed_methods,
        reason = "the one place that starts the real clock"
    )]
    pub fn new() -> Self {
        Self { started: Instant::now(), started_at: wall() }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn wall() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(Span::from(since_1970).millis())
}

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        self.started_at + Span::from(self.started.elapsed())
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        Box::pin(tokio::time::sleep(at.since(self.now()).std()))
    }

    fn drift(&self) -> i64 {
        wall().millis() - self.now().millis()
    }
}
