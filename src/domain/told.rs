//! A trouble that lasts is told once.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a trouble has been told that is not over yet. Whoever tries again twice a second must not say so each time.
#[derive(Debug, Default)]
pub struct Told(AtomicBool);

impl Told {
    /// It is there. Returns whether that is news.
    pub fn begins(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// It is not there. Returns whether that is news.
    pub fn ends(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_told_once_and_so_is_its_end() {
        let told = Told::default();
        assert_eq!(
            [told.ends(), told.begins(), told.begins(), told.ends(), told.ends()],
            [false, true, false, true, false]
        );
        assert!(told.begins(), "and again when it comes again");
    }
}
