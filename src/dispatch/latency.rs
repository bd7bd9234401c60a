//! The time from claim to record, as a histogram of whole milliseconds.

use parking_lot::Mutex;

use crate::domain::Span;

/// Longer times count as this long: then the exact median does not matter.
const LONGEST: usize = 10_000;

#[derive(Debug)]
pub struct Latency(Mutex<Vec<u64>>);

impl Default for Latency {
    fn default() -> Self {
        Self(Mutex::new(vec![0; LONGEST + 1]))
    }
}

impl Latency {
    pub(super) fn add(&self, spans: impl Iterator<Item = Span>) {
        let mut counts = self.0.lock();
        for span in spans {
            let bucket = usize::try_from(span.millis()).unwrap_or(LONGEST).min(LONGEST);
            counts[bucket] += 1;
        }
    }

    /// The time that `percent` of all messages took at most.
    pub fn percentile(&self, percent: u64) -> Span {
        let counts = self.0.lock();
        let rank = counts.iter().sum::<u64>() * percent / 100;
        let mut seen = 0;
        let found = counts.iter().position(|count| {
            seen += count;
            seen > rank
        });
        Span::from_millis(i64::try_from(found.unwrap_or(0)).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_longest_time_of_that_share() {
        let latency = Latency::default();
        latency.add((1..=100).map(Span::from_millis));
        assert_eq!(latency.percentile(50), Span::from_millis(51));
        assert_eq!(latency.percentile(99), Span::from_millis(100));
        assert_eq!(Latency::default().percentile(50), Span::ZERO);
    }
}
