use super::*;
use crate::base::clock::ManualClock;
use crate::base::domain::Span;

const ONE: NonZeroU32 = NonZeroU32::MIN;

fn taken(bucket: &Bucket) -> u32 {
    let mut count = 0;
    while bucket.take(ONE, Portion::WHOLE).is_ok() {
        count += 1;
    }
    count
}

fn bucket(rate: &str, burst: u32) -> (Arc<ManualClock>, Bucket) {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
    let bucket = Bucket::new(rate.parse().unwrap(), NonZeroU32::new(burst).unwrap(), Arc::clone(&clock) as _);
    (clock, bucket)
}

#[test]
fn a_new_bucket_is_empty() {
    let (_, bucket) = bucket("80/s", 4);
    assert_eq!(taken(&bucket), 0);
}

#[test]
fn no_window_passes_more_than_rate_and_burst() {
    for (rate, burst, per_second) in [("80/s", 4, 80), ("1000/s", 50, 1_000), ("20000/s", 1_000, 20_000)] {
        let (clock, bucket) = bucket(rate, burst);
        let mut total = 0;
        for _ in 0..1_000 {
            clock.advance(Span::from_millis(1));
            total += taken(&bucket);
        }
        assert!(total <= per_second + burst, "{rate}: {total}");
        assert!(total * 100 >= per_second * 99, "{rate}: {total}");
        clock.advance(Span::from_secs(60));
        assert_eq!(taken(&bucket), burst, "{rate}: a rest saves no more than a burst");
    }
}

#[test]
fn no_more_than_a_burst_waits_for_connections() {
    for (rate, burst, per_second) in [("5/s", 1, 5), ("80/s", 4, 80), ("1000/s", 50, 1_000)] {
        let (clock, bucket) = bucket(rate, burst);
        let pace = Pace::new(Arc::new(bucket), None);
        let mut waiting = Vec::new();
        for _ in 0..10_000 {
            clock.advance(Span::from_millis(1));
            while let Ok(reserved) = pace.reserve(ONE, Portion::WHOLE) {
                waiting.push(reserved);
                // Without a bound this would not end.
                assert!(waiting.len() <= usize::try_from(burst).unwrap(), "{rate}");
            }
        }
        assert_eq!(waiting.len(), usize::try_from(burst).unwrap(), "{rate}");
        // All connections become ready at once, and the next requests follow at once.
        let mut sent: u32 = waiting.drain(..).map(|reserved| u32::from(reserved.spend().is_ok())).sum();
        assert_eq!(sent, burst, "{rate}: promised tokens are there");
        for _ in 0..1_000 {
            clock.advance(Span::from_millis(1));
            while let Ok(reserved) = pace.reserve(ONE, Portion::WHOLE) {
                sent += u32::from(reserved.spend().is_ok());
            }
        }
        assert!(sent <= burst + per_second && sent >= per_second, "{rate}: {sent}");
    }
}

#[test]
fn a_dropped_reservation_keeps_its_tokens_after_a_change_of_rate() {
    let (clock, bucket) = bucket("10/s", 10);
    let bucket = Arc::new(bucket);
    let account = Arc::new(Bucket::new("5/s".parse().unwrap(), NonZeroU32::new(5).unwrap(), Arc::clone(&clock) as _));
    let pace = Pace::new(Arc::clone(&bucket), Some(Arc::clone(&account)));
    clock.advance(Span::from_secs(2));
    let reserved: Vec<_> = (0..5).map(|_| pace.reserve(ONE, Portion::WHOLE).unwrap()).collect();
    assert!(pace.reserve(ONE, Portion::WHOLE).is_err(), "the account has five");
    pace.set_rate("1000/s".parse().unwrap(), NonZeroU32::new(10).unwrap());
    drop(reserved);
    assert!([9, 10].contains(&available(&bucket)) && available(&account) == 5);
    assert_eq!((0..9).filter_map(|_| pace.reserve(ONE, Portion::WHOLE).ok()).map(Reserved::spend).count(), 5);
}

#[test]
fn an_account_limits_its_lanes_together_and_loses_no_token() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
    let bucket = |rate: &str, burst| {
        Arc::new(Bucket::new(rate.parse().unwrap(), NonZeroU32::new(burst).unwrap(), Arc::clone(&clock) as _))
    };
    let account = bucket("100/s", 5);
    let lanes = [0, 1].map(|_| Pace::new(bucket("80/s", 4), Some(Arc::clone(&account))));
    let mut passed = [0, 0];
    for _ in 0..2_000 {
        clock.advance(Span::from_millis(1));
        for lane in [0, 1] {
            while lanes[lane].take(ONE, Portion::WHOLE).is_ok() {
                passed[lane] += 1;
            }
        }
    }
    let total: u32 = passed.iter().sum();
    assert!((198..=205).contains(&total), "{passed:?}");
    assert!(passed.iter().all(|passed| *passed <= 164), "{passed:?}");
}

#[test]
fn a_slowed_lane_uses_its_share_and_sends_no_burst_afterwards() {
    for (rate, per_second, burst, n) in [("80/s", 80, 4, 1), ("1000/s", 1_000, 50, 50), ("2000/s", 2_000, 1, 1)] {
        let (clock, bucket) = bucket(rate, burst);
        let pace = Pace::new(Arc::new(bucket), None);
        let n = NonZeroU32::new(n).unwrap();
        let pass = |sixteenths: u8, millis: i64| {
            let portion = Portion::of_sixteenths(sixteenths).unwrap();
            let mut passed = 0;
            for _ in 0..millis {
                clock.advance(Span::from_millis(1));
                while pace.take(n, portion).is_ok() {
                    passed += n.get();
                }
            }
            passed
        };
        // This clock has only milliseconds: without a burst, a time between two of them waits for the later one.
        for sixteenths in [8, 1, if burst > 1 { 5 } else { 4 }] {
            let (part, expected) = (pass(sixteenths, 16_000), u32::from(sixteenths) * per_second);
            assert!(part <= expected + burst && part + burst >= expected, "{sixteenths}/16 of {rate}: {part}");
        }
        assert!(pass(16, 1) <= burst, "{rate}");
    }
}

#[test]
fn a_refusal_returns_when_to_retry() {
    let (clock, bucket) = bucket("5/min", 1);
    let retry = bucket.take(ONE, Portion::WHOLE).unwrap_err();
    assert!(!retry.exactly, "twelve seconds need no exact wake-up");
    clock.advance(retry.at.whole().since(clock.now()));
    assert_eq!(bucket.take(ONE, Portion::WHOLE), Ok(()));
    assert!(bucket.take(ONE, Portion::WHOLE).is_err());
}

/// The number of tokens that are in a bucket now.
fn available(bucket: &Bucket) -> u32 {
    let available = taken(bucket);
    (0..available).for_each(|_| bucket.give_back(ONE, Portion::WHOLE));
    available
}

#[test]
fn a_change_of_rate_adds_no_token_and_loses_none() {
    let n = |n: u32| NonZeroU32::new(n).unwrap();
    let (clock, bucket) = bucket("10/s", 10);
    clock.advance(Span::from_millis(600));
    assert_eq!(available(&bucket), 6);
    // At any rate, there and back.
    for (rate, burst) in [("1000/s", 50), ("1/min", 20), ("3/s", 10)] {
        bucket.set_rate(rate.parse().unwrap(), n(burst));
        assert!([5, 6].contains(&available(&bucket)), "{rate} has {}", available(&bucket));
    }
    bucket.set_rate("10/s".parse().unwrap(), n(2));
    assert_eq!(taken(&bucket), 2, "tokens beyond the burst are lost");
    bucket.set_rate("10/s".parse().unwrap(), n(10));
    assert_eq!(available(&bucket), 0, "and do not return");
    clock.advance(Span::from_secs(1));
    assert!([9, 10].contains(&available(&bucket)));
}

#[test]
fn owed_tokens_stay_owed_after_a_change_of_rate() {
    let (clock, bucket) = bucket("10/s", 1);
    clock.advance(Span::from_secs(1));
    // One message passes, which owes eight tokens.
    bucket.take(ONE, Portion::of_sixteenths(2).unwrap()).unwrap();
    bucket.set_rate("20/s".parse().unwrap(), ONE);
    clock.advance(Span::from_millis(390));
    assert_eq!(available(&bucket), 0);
    clock.advance(Span::from_millis(11));
    assert_eq!(available(&bucket), 1);
}

#[test]
fn a_successor_resumes_from_the_stored_state() {
    let next = |clock: &Arc<ManualClock>, noted: Option<Tick>, unknown| {
        let bucket = Bucket::new("5/d".parse().unwrap(), NonZeroU32::new(2).unwrap(), Arc::clone(clock) as _);
        if let Some(noted) = noted {
            bucket.go_on_from(noted, unknown);
        }
        available(&bucket)
    };
    let (clock, bucket) = bucket("5/d", 2);
    assert_eq!(next(&clock, None, 0), 0);
    clock.advance(Span::from_secs(86_400));
    assert_eq!(next(&clock, bucket.to_note(), 0), 2);
    bucket.take(ONE, Portion::WHOLE).unwrap();
    assert_eq!(next(&clock, bucket.to_note(), 0), 1);
    assert_eq!(next(&clock, bucket.to_note(), 1), 0, "tokens possibly taken since count");
    assert_eq!(next(&clock, bucket.to_note(), 9), 0);
    // A clock that was set back by years.
    let earlier = Arc::new(ManualClock::at(Timestamp::from_millis(1_000)));
    assert_eq!(next(&earlier, bucket.to_note(), 0), 0);
    earlier.advance(Span::from_secs(86_400));
    assert_eq!(next(&earlier, Some(Tick::from(Timestamp::from_millis(9))), 0), 2);
    assert_eq!(Bucket::new("80/s".parse().unwrap(), ONE, earlier).to_note(), None, "not worth storing");
}

#[test]
fn a_wait_for_a_full_bucket_is_exact() {
    for (rate, burst, n, exactly) in
        [("30/s", 1, 1, true), ("80/s", 4, 1, false), ("1000/s", 50, 50, true), ("1/s", 1, 1, false)]
    {
        let (_, bucket) = bucket(rate, burst);
        let n = NonZeroU32::new(n).unwrap();
        assert_eq!(bucket.take(n, Portion::WHOLE).unwrap_err().exactly, exactly, "{rate} with {burst}");
    }
}
