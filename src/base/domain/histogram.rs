//! Counts of measured values by size, which many tasks add to and a scrape reads.

use std::sync::atomic::{AtomicU64, Ordering};

/// A histogram with fixed bounds. Adding a value costs two relaxed atomics.
#[derive(Debug)]
pub struct Histogram {
    /// The largest value of each bucket, ascending; a last bucket holds larger values.
    bounds: &'static [u64],
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// The counts of a histogram at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistogramFigures {
    /// Each bound with the number of values up to it and above the bound before.
    pub buckets: Vec<(u64, u64)>,
    /// The number of values above the last bound.
    pub above: u64,
    pub sum: u64,
}

impl Histogram {
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    pub fn add(&self, value: u64) {
        let bucket = self.bounds.iter().position(|bound| value <= *bound).unwrap_or(self.bounds.len());
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    pub fn figures(&self) -> HistogramFigures {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        HistogramFigures {
            above: counts.last().copied().unwrap_or_default(),
            buckets: self.bounds.iter().copied().zip(counts).collect(),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

impl HistogramFigures {
    /// The number of all values.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum::<u64>() + self.above
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_in_the_first_bucket_that_holds_it() {
        let histogram = Histogram::new(&[1, 10, 100]);
        [0, 1, 2, 10, 11, 100, 101, 5_000].into_iter().for_each(|value| histogram.add(value));
        let figures = histogram.figures();
        assert_eq!(figures.buckets, [(1, 2), (10, 2), (100, 2)]);
        assert_eq!((figures.above, figures.sum, figures.count()), (2, 5_225, 8));
    }
}
