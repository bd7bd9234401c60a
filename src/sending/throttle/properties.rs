//! Properties that hold whatever lanes take, claim, settle and return, in any order, across restarts.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;

use super::{Bucket, Pace, Reservation, TierWindow};
use crate::base::clock::{Clock, ManualClock};
use crate::base::domain::{AddressKey, Portion, Span, Tier, Timestamp};

const TIER: u32 = 4;

#[derive(Debug, Clone)]
enum Op {
    Wait {
        minutes: i64,
    },
    /// A lane reserves slots for a claim of these recipients.
    Reserve(Vec<u8>),
    /// The claim of a reservation is made.
    Claim(Index),
    /// A claimed message is submitted.
    Sent(Index),
    /// A claimed message is not submitted.
    Unsent(Index),
    /// The server restarts; claimed messages may have been submitted.
    Restart,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        2 => (0_i64..900).prop_map(|minutes| Op::Wait { minutes }),
        4 => prop::collection::vec(0_u8..9, 1..5).prop_map(Op::Reserve),
        4 => any::<Index>().prop_map(Op::Claim),
        4 => any::<Index>().prop_map(Op::Sent),
        4 => any::<Index>().prop_map(Op::Unsent),
        1 => Just(Op::Restart),
    ];
    prop::collection::vec(op, 1..120)
}

/// The slots as the store promises them: since when each recipient holds one, and since when before that.
#[derive(Debug, Default)]
struct Slots(HashMap<u8, (Timestamp, Option<Timestamp>)>);

impl Slots {
    fn claim(&mut self, recipients: &[u8], reservation: &Reservation, now: Timestamp) -> Vec<u8> {
        let mut newcomers = HashSet::new();
        let mut passed = Vec::new();
        for recipient in recipients {
            let holds = self.0.get(recipient).is_some_and(|(at, _)| *at > reservation.since());
            let full = newcomers.len() >= usize::try_from(reservation.slots()).unwrap();
            if holds || newcomers.contains(recipient) || !full && newcomers.insert(*recipient) {
                passed.push(*recipient);
            }
        }
        for recipient in &passed {
            let slot = match self.0.get(recipient).copied() {
                None => (now, None),
                Some((at, before)) => (at.max(now), before.max(Some(at.min(now)))),
            };
            self.0.insert(*recipient, slot);
        }
        passed
    }

    fn give_back(&mut self, recipient: u8, at: Timestamp) {
        match self.0.get(&recipient).copied() {
            Some((known, Some(before))) if known == at => {
                self.0.insert(recipient, (before, Some(before)));
            }
            Some((known, None)) if known == at => {
                self.0.remove(&recipient);
            }
            Some(_) | None => {}
        }
    }
}

fn number(recipient: u8) -> AddressKey {
    AddressKey::try_from(6_590_000_000 + i64::from(recipient)).unwrap()
}

/// All submissions, certain or possible, with their times.
fn live(ops: Vec<Op>) -> Vec<(u8, Timestamp)> {
    let mut now = Timestamp::from_millis(0);
    let mut slots = Slots::default();
    let mut window = Arc::new(TierWindow::new(Tier::Recipients(TIER), []));
    let (mut reserved, mut in_flight, mut submitted) = (Vec::new(), Vec::new(), Vec::new());
    for op in ops {
        match op {
            Op::Wait { minutes } => now = now + Span::from_secs(minutes * 60),
            Op::Reserve(recipients) => reserved.push((window.reserve(TIER, now), recipients, now)),
            Op::Claim(which) if !reserved.is_empty() => {
                let (reservation, recipients, at): (Reservation, Vec<u8>, _) =
                    reserved.swap_remove(which.index(reserved.len()));
                let passed = slots.claim(&recipients, &reservation, at);
                reservation.fill(passed.iter().copied().map(number));
                in_flight.extend(passed.into_iter().map(|recipient| (recipient, at)));
            }
            Op::Sent(which) if !in_flight.is_empty() => {
                submitted.push(in_flight.swap_remove(which.index(in_flight.len())));
            }
            Op::Unsent(which) if !in_flight.is_empty() => {
                let (recipient, at) = in_flight.swap_remove(which.index(in_flight.len()));
                slots.give_back(recipient, at);
                window.give_back([(number(recipient), at)]);
            }
            Op::Restart => {
                reserved.clear();
                submitted.append(&mut in_flight);
                let held = slots.0.iter().filter(|(_, (at, _))| *at > now - Tier::HELD);
                window = Arc::new(TierWindow::new(
                    Tier::Recipients(TIER),
                    held.map(|(recipient, (at, _))| (number(*recipient), *at)),
                ));
            }
            Op::Claim(_) | Op::Sent(_) | Op::Unsent(_) => {}
        }
    }
    submitted.append(&mut in_flight);
    submitted
}

/// A request of a lane, after a rest.
#[derive(Debug, Clone)]
struct Request {
    rest: Span,
    lane: usize,
    n: u32,
    portion: Portion,
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let rest = prop_oneof![4 => Just(0_i64), 4 => 1_i64..20, 1 => 100_i64..2_000];
    let portion = prop_oneof![3 => Just(16_u8), 2 => 1_u8..16];
    let request = (rest, 0_usize..2, 1_u32..6, portion).prop_map(|(rest, lane, n, portion)| Request {
        rest: Span::from_millis(rest),
        lane,
        n,
        portion: Portion::of_sixteenths(portion).unwrap(),
    });
    prop::collection::vec(request, 1..200)
}

/// The requests that passed: when, on which lane, how many messages.
fn passed(rates: [(&str, u32); 3], requests: &[Request]) -> Vec<(Timestamp, usize, u32)> {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
    let [first, second, account] = rates.map(|(rate, burst)| {
        let burst = NonZeroU32::new(burst).unwrap();
        Arc::new(Bucket::new(rate.parse().unwrap(), burst, Arc::clone(&clock) as Arc<dyn Clock>))
    });
    let lanes = [first, second].map(|lane| Pace::new(lane, Some(Arc::clone(&account))));
    let mut passed = Vec::new();
    for Request { rest, lane, n, portion } in requests {
        clock.advance(*rest);
        let n = NonZeroU32::new(*n).unwrap();
        if lanes[*lane].take(n.min(lanes[*lane].most_at_once()), *portion).is_ok() {
            passed.push((clock.now(), *lane, n.min(lanes[*lane].most_at_once()).get()));
        }
    }
    passed
}

proptest! {
    #[test]
    fn no_window_passes_more_than_rate_and_burst_on_any_lane(requests in requests()) {
        // The lanes' rates together exceed the account's.
        let passed = passed([("80/s", 4), ("40/s", 5), ("100/s", 5)], &requests);
        for (which, a_second, burst) in [(Some(0), 80, 4), (Some(1), 40, 5), (None, 100, 5)] {
            let mine: Vec<_> = passed.iter().filter(|(_, lane, _)| which.is_none_or(|which| which == *lane)).collect();
            for (begin, (from, ..)) in mine.iter().enumerate() {
                let mut total = 0;
                for (at, _, n) in &mine[begin..] {
                    total += i64::from(*n);
                    let most = burst + a_second * at.since(*from).millis() / 1_000;
                    prop_assert!(total <= most, "{total} instead of {most} from {from:?} to {at:?}: {passed:?}");
                }
            }
        }
    }

    #[test]
    fn no_rolling_day_has_more_recipients_than_the_tier(ops in ops()) {
        let submitted = live(ops);
        for (_, end) in &submitted {
            let day = submitted.iter().filter(|(_, at)| *at <= *end && *at > *end - Tier::HELD);
            let recipients: HashSet<u8> = day.map(|(recipient, _)| *recipient).collect();
            prop_assert!(recipients.len() <= 4, "{recipients:?} up to {end:?} in {submitted:?}");
        }
    }
}
