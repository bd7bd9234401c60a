//! The clock of a running process.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use super::{Clock, Sleep, Tick};
use crate::base::domain::{Span, Timestamp};

/// The process reads the time all the time. A longer pause between two reads means that the process did not run: a
/// signal stopped it, or the system swapped it out.
const STANDSTILL_MILLIS: i64 = 2_000;

/// The runtime's timers pause while the machine sleeps, so a sleeper checks the time at least this often.
const LONGEST: Span = Span::from_secs(60);

/// The runtime's timers fire up to this much late; a sleeping thread wakes within a tenth of a millisecond.
const COARSE: Duration = Duration::from_micros(2_200);

/// The system clock that cannot be set and, on Linux, runs while the machine sleeps.
#[cfg(target_os = "linux")]
const STEADY: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const STEADY: ClockId = ClockId::Monotonic;

/// The wall clock at the start, plus the time elapsed since.
#[derive(Debug, Clone)]
pub struct RealClock {
    started: Duration,
    started_at: Timestamp,
    /// The last time that was read, in milliseconds.
    last_read: Arc<AtomicI64>,
    /// For how many milliseconds in total the process did not run.
    stood_still: Arc<AtomicI64>,
}

impl RealClock {
    #[expect(clippy::new_without_default, reason = "the one place that starts the real clock")]
    pub fn new() -> Self {
        let started_at = wall();
        let last_read = Arc::new(AtomicI64::new(started_at.millis()));
        Self { started: steady(), started_at, last_read, stood_still: Arc::default() }
    }

    fn elapsed(&self) -> Duration {
        steady().saturating_sub(self.started)
    }
}

/// The time since the machine's start.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the real clock")]
fn steady() -> Duration {
    let now = clock_gettime(STEADY);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// The system's monotonic clock in microseconds, by which a service manager orders what it is told.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the real clock")]
pub fn monotonic_micros() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    seconds * 1_000_000 + nanos / 1_000
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn wall() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(Span::from(since_1970).millis())
}

#[expect(clippy::disallowed_methods, reason = "the one place that sleeps by the thread")]
fn sleep_thread_for(rest: Duration) {
    std::thread::sleep(rest);
}

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        let now = self.started_at + Span::from(self.elapsed());
        let pause = now.millis() - self.last_read.fetch_max(now.millis(), Ordering::Relaxed);
        if pause > STANDSTILL_MILLIS {
            self.stood_still.fetch_add(pause, Ordering::Relaxed);
        }
        now
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        Box::pin(async move {
            loop {
                let rest = at.since(self.now());
                tokio::time::sleep(rest.min(LONGEST).std()).await;
                if rest <= LONGEST {
                    return;
                }
            }
        })
    }

    fn tick(&self) -> Tick {
        let since = u64::try_from(self.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Tick::from(self.started_at).later_by(since)
    }

    fn sleep_exactly(&self, at: Tick) -> Sleep<'_> {
        Box::pin(async move {
            let rest = || Duration::from_nanos(at.since(self.tick()));
            if let Some(most) = rest().checked_sub(COARSE) {
                tokio::time::sleep(most).await;
            }
            let rest = rest();
            if !rest.is_zero() {
                // An error means that the runtime has shut down; then no task waits for this sleep.
                let _ = tokio::task::spawn_blocking(move || sleep_thread_for(rest)).await;
            }
        })
    }

    fn drift(&self) -> i64 {
        let now = self.now();
        wall().millis() - now.millis()
    }

    fn stood_still(&self) -> i64 {
        // Reading the time detects a pause that has just ended.
        self.now();
        self.stood_still.load(Ordering::Relaxed)
    }
}
