//! Properties that hold whatever lanes take, claim, settle and return, in any order, across restarts.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;

use super::{Bucket, Pace, Reservation, TierWindow};
use crate::clock::{Clock, ManualClock};
use crate::domain::{Msisdn, Portion, Span, Tier, Timestamp};

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
struct Places(HashMap<u8, (Timestamp, Option<Timestamp>)>);

impl Places {
    fn claim(&mut self, people: &[u8], reservation: &Reservation, now: Timestamp) -> Vec<u8> {
        let mut newcomers = HashSet::new();
        let mut passed = Vec::new();
        for person in people {
            let holds = self.0.get(person).is_some_and(|(at, _)| *at > reservation.since());
            let full = newcomers.len() >= usize::try_from(reservation.places()).unwrap();
            if holds || newcomers.contains(person) || !full && newcomers.insert(*person) {
                passed.push(*person);
            }
        }
        for person in &passed {
            let place = match self.0.get(person).copied() {
                None => (now, None),
                Some((at, before)) => (at.max(now), before.max(Some(at.min(now)))),
            };
            self.0.insert(*person, place);
        }
        passed
    }

    fn give_back(&mut self, person: u8, at: Timestamp) {
        match self.0.get(&person).copied() {
            Some((known, Some(before))) if known == at => {
                self.0.insert(person, (before, Some(before)));
            }
            Some((known, None)) if known == at => {
                self.0.remove(&person);
            }
            Some(_) | None => {}
        }
    }
}

fn number(person: u8) -> Msisdn {
    Msisdn::try_from(6_590_000_000 + u64::from(person)).unwrap()
}

/// All submissions, certain or possible, with their times.
fn live(ops: Vec<Op>) -> Vec<(u8, Timestamp)> {
    let mut now = Timestamp::from_millis(0);
    let mut places = Places::default();
    let mut window = Arc::new(TierWindow::new(Tier::People(TIER), []));
    let (mut reserved, mut in_flight, mut handed_over) = (Vec::new(), Vec::new(), Vec::new());
    for op in ops {
        match op {
            Op::Wait { minutes } => now = now + Span::from_secs(minutes * 60),
            Op::Reserve(people) => reserved.push((window.reserve(TIER, now), people, now)),
            Op::Claim(which) if !reserved.is_empty() => {
                let (reservation, people, at): (Reservation, Vec<u8>, _) =
                    reserved.swap_remove(which.index(reserved.len()));
                let passed = places.claim(&people, &reservation, at);
                reservation.fill(passed.iter().copied().map(number));
                in_flight.extend(passed.into_iter().map(|person| (person, at)));
            }
            Op::Sent(which) if !in_flight.is_empty() => {
                handed_over.push(in_flight.swap_remove(which.index(in_flight.len())));
            }
            Op::Unsent(which) if !in_flight.is_empty() => {
                let (person, at) = in_flight.swap_remove(which.index(in_flight.len()));
                places.give_back(person, at);
                window.give_back([(number(person), at)]);
            }
            Op::Restart => {
                reserved.clear();
                handed_over.append(&mut in_flight);
                let held = places.0.iter().filter(|(_, (at, _))| *at > now - Tier::HELD);
                window =
                    Arc::new(TierWindow::new(Tier::People(TIER), held.map(|(person, (at, _))| (number(*person), *at))));
            }
            Op::Claim(_) | Op::Sent(_) | Op::Unsent(_) => {}
        }
    }
    handed_over.append(&mut in_flight);
    handed_over
}

/// A request of a lane, after a rest.
#[derive(Debug, Clone)]
struct Ask {
    rest: Span,
    lane: usize,
    n: u32,
    portion: Portion,
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let rest = prop_oneof![4 => Just(0_i64), 4 => 1_i64..20, 1 => 100_i64..2_000];
    let portion = prop_oneof![3 => Just(16_u8), 2 => 1_u8..16];
    let ask = (rest, 0_usize..2, 1_u32..6, portion).prop_map(|(rest, lane, n, portion)| Ask {
        rest: Span::from_millis(rest),
        lane,
        n,
        portion: Portion::of_sixteenths(portion).unwrap(),
    });
    prop::collection::vec(ask, 1..200)
}

/// The requests that passed: when, on which lane, how many messages.
fn passed(rates: [(&str, u32); 3], asks: &[Ask]) -> Vec<(Timestamp, usize, u32)> {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
    let [first, second, account] = rates.map(|(rate, burst)| {
        let burst = NonZeroU32::new(burst).unwrap();
        Arc::new(Bucket::new(rate.parse().unwrap(), burst, Arc::clone(&clock) as Arc<dyn Clock>))
    });
    let lanes = [first, second].map(|lane| Pace::new(lane, Some(Arc::clone(&account))));
    let mut passed = Vec::new();
    for Ask { rest, lane, n, portion } in asks {
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
    fn no_window_passes_more_than_rate_and_burst_on_any_lane(asks in asks()) {
        // The lanes' rates together exceed the account's.
        let passed = passed([("80/s", 4), ("40/s", 5), ("100/s", 5)], &asks);
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
        let handed_over = live(ops);
        for (_, end) in &handed_over {
            let day = handed_over.iter().filter(|(_, at)| *at <= *end && *at > *end - Tier::HELD);
            let people: HashSet<u8> = day.map(|(person, _)| *person).collect();
            prop_assert!(people.len() <= 4, "{people:?} up to {end:?} in {handed_over:?}");
        }
    }
}
