//! Reports a lasting fault once.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a fault that still lasts has been reported. A component that retries twice a second must not log the same
/// fault each time.
#[derive(Debug, Default)]
pub struct FaultReport(AtomicBool);

impl FaultReport {
    /// Records that the fault exists. Returns whether that is new.
    pub fn begins(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// Whether the fault exists.
    pub fn lasts(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Records that the fault is over. Returns whether that is new.
    pub fn ends(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_fault_is_reported_once_and_so_is_its_end() {
        let report = FaultReport::default();
        assert_eq!(
            [report.ends(), report.begins(), report.begins(), report.ends(), report.ends()],
            [false, true, false, true, false]
        );
        assert!(report.begins(), "a new fault is reported again");
    }
}
