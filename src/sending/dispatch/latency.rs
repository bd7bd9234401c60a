//! The time from claim to record, as a histogram of whole milliseconds.

use hdrhistogram::Histogram;
use parking_lot::Mutex;

use crate::base::domain::{HistogramFigures, Span};

/// Longer times count as this long: a message that takes a minute has timed out.
const LONGEST_MS: u64 = 60_000;
/// Times up to two seconds are exact, longer ones to a thousandth. The histogram then takes 56 KiB, however many it counts.
const DIGITS: u8 = 3;
/// The bounds of the times in [`LatencyHistogram::figures`].
const BOUNDS_MS: &[u64] = &[5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000];

#[derive(Debug)]
pub struct LatencyHistogram(Mutex<Histogram<u64>>);

impl Default for LatencyHistogram {
    fn default() -> Self {
        let made = Histogram::new_with_bounds(1, LONGEST_MS, DIGITS);
        let Ok(histogram) = made else { unreachable!("the bounds are constants") };
        Self(Mutex::new(histogram))
    }
}

impl LatencyHistogram {
    pub(super) fn add(&self, spans: impl Iterator<Item = Span>) {
        let mut histogram = self.0.lock();
        for span in spans {
            histogram.saturating_record(span.millis().unsigned_abs());
        }
    }

    /// The times by size, in milliseconds. Their sum is exact to a thousandth.
    pub fn figures(&self) -> HistogramFigures {
        let histogram = self.0.lock();
        let up_to = |bound: u64| histogram.count_between(0, bound);
        let below = std::iter::once(0).chain(BOUNDS_MS.iter().map(|bound| up_to(*bound)));
        let buckets = BOUNDS_MS.iter().zip(below).map(|(bound, below)| (*bound, up_to(*bound) - below)).collect();
        let longest = BOUNDS_MS.last().copied().unwrap_or_default();
        let sum = histogram.iter_recorded().map(|times| times.value_iterated_to() * times.count_at_value()).sum();
        HistogramFigures { buckets, above: histogram.len() - up_to(longest), sum }
    }

    /// The smallest time such that at least `percent` of all messages took at most that long; zero without messages.
    pub fn percentile(&self, percent: u64) -> Span {
        let histogram = self.0.lock();
        if histogram.is_empty() {
            return Span::ZERO;
        }
        // The crate multiplies in floating point and rounds up: 7 % of 100 would become the eighth message. Half a message
        // less than the wanted rank rounds up to exactly that rank.
        let rank = (histogram.len() * percent).div_ceil(100);
        #[expect(clippy::cast_precision_loss, reason = "fewer messages than 2^52")]
        let quantile = (rank as f64 - 0.5) / histogram.len() as f64;
        Span::from_millis(i64::try_from(histogram.value_at_quantile(quantile)).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(spans: impl Iterator<Item = i64>) -> LatencyHistogram {
        let latency = LatencyHistogram::default();
        latency.add(spans.map(Span::from_millis));
        latency
    }

    #[test]
    fn a_percentile_is_the_least_time_that_share_took_at_most() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut samples: Vec<Vec<i64>> = vec![(1..=100).collect(), vec![7], vec![0, 0, 0, 9]];
        samples.extend((1..50).map(|messages| (0..messages * 7).map(|_| random.i64(0..2_000)).collect()));
        for mut times in samples {
            let latency = of(times.iter().copied());
            times.sort_unstable();
            for percent in 1..=100 {
                let is_enough = |time: i64| {
                    let at_most = times.iter().filter(|other| **other <= time).count();
                    at_most * 100 >= times.len() * percent
                };
                let expected = times.iter().copied().find(|time| is_enough(*time)).unwrap();
                let found = latency.percentile(percent as u64);
                assert_eq!(found, Span::from_millis(expected), "{percent} % of {} messages", times.len());
            }
        }
        assert_eq!(of(1..=100).percentile(50), Span::from_millis(50));
    }

    #[test]
    fn figures_count_each_time_in_its_bucket() {
        let figures = of([0, 5, 6, 1_000, 1_001, 40_000].into_iter()).figures();
        let in_bucket = |bound| figures.buckets.iter().find(|(known, _)| *known == bound).unwrap().1;
        assert_eq!([5, 10, 1_000, 2_000].map(in_bucket), [2, 1, 1, 1]);
        assert_eq!((figures.above, figures.count()), (1, 6));
        assert!((42_012..42_052).contains(&figures.sum), "{}", figures.sum);
    }

    #[test]
    fn a_long_time_is_close_and_one_beyond_the_limits_counts_as_the_limit() {
        assert_eq!(LatencyHistogram::default().percentile(50), Span::ZERO);
        let long = of([31_234].into_iter()).percentile(50).millis();
        assert!((31_234..31_234 + 32).contains(&long), "{long}");
        let longest = of([i64::MAX].into_iter()).percentile(50).millis();
        assert!((60_000..60_060).contains(&longest), "{longest}");
    }
}
