//! The forecast and the planner agree: the planner's claims match the forecast, claim by claim.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use proptest::prelude::*;

use super::course::{Group, LaneLoad, Outlook, Portfolio, RemainingLimit};
use crate::base::domain::{
    BatchId, BatchState, Count, Fields, Hours, LaneId, Limits, Loaded, MessageKey, Present, Queue, Span, StepIndex,
    Tallies, Tier, Timestamp, Zone,
};
use crate::rules::planner::{
    self, BatchAtClaim, Candidate, ChosenQueues, Order, Planner, Ready, Referral, ReferralReason, Slots, Terms, Timing,
    Used,
};

/// Friday, 15 January 2027, 16:00 in Singapore.
const BEGINS: Timestamp = Timestamp::from_millis(1_799_999_999_000);
const SECOND: Span = Span::from_secs(1);

/// Two campaigns of one step on one lane: the one under test, and another.
#[derive(Debug, Clone)]
struct Case {
    ours: u32,
    others: u32,
    rate: u32,
    /// The slots of the lane's tier, if it is limited.
    slots: Option<u32>,
    /// Of the campaign under test only.
    max_messages: Option<u64>,
    hours: Hours,
}

/// When the last message of the campaign under test is sent, and how many are never sent.
type Ended = (Timestamp, u64);

impl Case {
    fn forecast(&self) -> Ended {
        let portfolio = |slots: u32| Portfolio {
            name: String::new(),
            most: slots,
            free: slots.into(),
            need_no_slot: 0.0,
            coming: VecDeque::new(),
            held: Tier::HELD,
            days: BTreeMap::new(),
        };
        let group = Group {
            step: StepIndex::FIRST,
            lane: 0,
            recipients: self.ours.into(),
            spread: f64::INFINITY,
            cost: 0.0,
            ends: None,
            opens: BEGINS,
            zone: zone(),
            hours: Arc::new(self.hours.clone().into()),
            stays: None,
        };
        let load = LaneLoad {
            lane: String::new(),
            rate: self.rate.into(),
            account: None,
            portfolio: self.slots.map(|_| 0),
            campaigns: if self.others > 0 { 1.0 } else { 0.0 },
            others: self.others.into(),
            coming: VecDeque::new(),
        };
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let cap = |most: u64| RemainingLimit { step: None, by: super::Stop::MaxMessages, left: most as f64 };
        let outlook = Outlook {
            groups: vec![group],
            loads: vec![load],
            portfolios: self.slots.map(portfolio).into_iter().collect(),
            caps: self.max_messages.map(cap).into_iter().collect(),
            ..Outlook::default()
        };
        let forecast = outlook.forecast(BEGINS).unwrap();
        (forecast.done_at, forecast.left_behind.iter().map(|left| left.messages).sum())
    }

    /// The same case with fewer messages and more slots, and the other way round.
    fn neighbours(&self) -> [Self; 2] {
        let some = 2 * self.rate;
        let with = |ours: u32, others: u32, slots: Option<u32>| Self {
            ours,
            others,
            slots,
            max_messages: self
                .max_messages
                .map(|most| (most + u64::from(ours)).saturating_sub(self.ours.into()).max(1)),
            ..self.clone()
        };
        let fewer = |count: u32| count.saturating_sub(some).max(count.min(1));
        [
            with(fewer(self.ours), fewer(self.others), self.slots.map(|slots| slots + some)),
            with(self.ours + some, self.others + some.min(self.others), self.slots.map(fewer)),
        ]
    }

    /// Makes a claim each second, as the dispatcher does.
    fn observe(&self) -> Ended {
        let mut lane = Lane {
            queued: [(ours(), messages(ours(), self.ours)), (other(), messages(other(), self.others))].into(),
            ..Lane::default()
        };
        let (mut now, mut last) = (BEGINS, BEGINS);
        // A limit keeps some of them unsent for ever.
        let wanted = self.max_messages.map_or(self.ours, |most| self.ours.min(u32::try_from(most).unwrap()));
        while lane.left < u64::from(wanted) {
            match lane.claim(self, now) {
                Claimed::Ours => last = now,
                Claimed::Others => {}
                Claimed::Nothing => now = lane.next(self, now) - SECOND,
            }
            now = now + SECOND;
        }
        (last, u64::from(self.ours - wanted))
    }
}

fn zone() -> Zone {
    Zone(chrono_tz::Asia::Singapore)
}

const fn queue(batch: u32) -> Queue {
    Queue { batch: BatchId(batch), step: StepIndex::FIRST, lane: LaneId(1) }
}

const fn ours() -> Queue {
    queue(1)
}

const fn other() -> Queue {
    queue(2)
}

fn messages(queue: Queue, count: u32) -> VecDeque<Candidate> {
    let message = |n| Loaded {
        key: MessageKey { batch: queue.batch, n },
        address: (6_580_000_000 + i64::from(queue.batch.0) * 1_000_000 + i64::from(n)).try_into().unwrap(),
        country: "SG".parse().unwrap(),
        version: 0,
        lane: queue.lane,
        present: Present::queued(BEGINS, None),
    };
    let candidate = |n| Candidate {
        message: message(n),
        fields: Fields::pack([]),
        unwanted: None,
        tier: planner::TierStanding::New,
    };
    (0..count).map(candidate).collect()
}

/// Which campaign a claim has sent.
enum Claimed {
    Ours,
    Others,
    Nothing,
}

/// The waiting and sent messages of the lane.
#[derive(Default)]
struct Lane {
    queued: BTreeMap<Queue, VecDeque<Candidate>>,
    order: Order,
    /// When the slots of the tier that are still used were taken.
    taken: VecDeque<Timestamp>,
    /// How many messages of the campaign under test are sent.
    left: u64,
}

impl Lane {
    /// When a message may be sent again.
    fn next(&self, case: &Case, now: Timestamp) -> Timestamp {
        let slot = self.taken.front().map(|at| *at + Tier::HELD);
        let due = self.queued.values().flatten().filter_map(|candidate| candidate.message.present.not_before());
        let opens = case.hours.open_from(now, zone());
        slot.into_iter().chain(due).chain(opens).filter(|at| *at > now).min().unwrap_or(now + SECOND)
    }

    /// Claims what the rate allows in a second.
    fn claim(&mut self, case: &Case, now: Timestamp) -> Claimed {
        while self.taken.front().is_some_and(|at| *at + Tier::HELD <= now) {
            self.taken.pop_front();
        }
        let mut may_leave = case.rate;
        let before = self.left;
        // The end of one queue leaves some of the rate for the other.
        for _ in 0..2 {
            if may_leave > 0 {
                may_leave -= self.claim_once(case, may_leave, now);
            }
        }
        match (self.left > before, may_leave < case.rate) {
            (true, _) => Claimed::Ours,
            (false, true) => Claimed::Others,
            (false, false) => Claimed::Nothing,
        }
    }

    fn claim_once(&mut self, case: &Case, limit: u32, now: Timestamp) -> u32 {
        let timing = Arc::new(Timing { hours: case.hours.clone(), launched: BEGINS });
        let is_ours = |queue: &Queue| *queue == ours();
        let ready = self.queued.iter().filter(|(_, waiting)| !waiting.is_empty()).map(|(queue, _)| Ready {
            queue: *queue,
            is_campaign: true,
            may_send: true,
            hours: is_ours(queue).then(|| Arc::clone(&timing)),
        });
        let ChosenQueues { queues, .. } = self.order.choose(ready.collect(), now);
        if queues.is_empty() {
            return 0;
        }
        let free = case.slots.map(|slots| slots - u32::try_from(self.taken.len()).unwrap());
        let of_step = (BatchId(1), StepIndex::FIRST);
        let cap = planner::Cap {
            step: Limits::default(),
            batch: Limits { messages: case.max_messages, budget: None },
            price: None,
        };
        let mut planner = Planner::new(Terms {
            queues,
            limit,
            now,
            hours: HashMap::from([(of_step, timing)]),
            caps: case.max_messages.map(|_| (of_step, Arc::new(cap))).into_iter().collect(),
            slots: free.map(|free| Slots { free, impatient: Vec::new() }),
        });
        let running = |batch| (batch, BatchAtClaim { state: BatchState::Running, last_first_submission_at: None });
        let courses = planner.batches().into_iter().map(running).collect();
        let mut tallies = Tallies::default();
        tallies.add(StepIndex::FIRST, Count::HandedOver, i64::try_from(self.left).unwrap());
        planner.begin(&courses, [(BatchId(1), Used { tallies, spent: BTreeMap::new() })]);
        loop {
            let looks = planner.next_pages();
            if looks.is_empty() {
                break;
            }
            let page = |look: &planner::PageRequest| {
                let is_due =
                    |candidate: &&Candidate| candidate.message.present.not_before().is_some_and(|at| at <= now);
                let is_after = |candidate: &&Candidate| {
                    let position = candidate.message.present.not_before().map(|at| (at, candidate.message.key.n));
                    look.after.is_none() || position > look.after
                };
                self.queued[&look.queue].iter().filter(is_due).filter(is_after).take(look.count).cloned().collect()
            };
            let pages = looks.iter().map(page).collect();
            planner.judge(pages);
        }
        let decided = planner.end(&HashMap::new());
        for Referral { message, reason } in &decided.referred {
            let ReferralReason::Closed { until } = reason else { panic!("no step falls back") };
            let waiting = self.queued.get_mut(&ours()).unwrap();
            let moved = waiting.iter_mut().find(|candidate| candidate.message.key == message.key).unwrap();
            moved.message.present = Present::queued(*until, None);
        }
        let leaves: Vec<MessageKey> = decided.taken.iter().map(|taken| taken.candidate.message.key).collect();
        for waiting in self.queued.values_mut() {
            waiting.retain(|candidate| !leaves.contains(&candidate.message.key));
        }
        self.left += u64::try_from(leaves.iter().filter(|key| key.batch == BatchId(1)).count()).unwrap();
        if case.slots.is_some() {
            self.taken.extend(leaves.iter().map(|_| now));
        }
        u32::try_from(leaves.len()).unwrap()
    }
}

/// Hours or a tier, not both: the forecast frees the slots of a stretch together, and with ten minutes of hours a day
/// that may shift the end by a day.
fn cases() -> impl Strategy<Value = Case> {
    let hours = Hours { windows: vec!["16:10-16:20".parse().unwrap()], ..Hours::default() };
    let bounds = prop_oneof![
        Just((None, Hours::default())),
        Just((None, hours)),
        (250..1_500_u32).prop_map(|slots| (Some(slots), Hours::default())),
    ];
    let others = prop_oneof![Just(0), 1..2_000_u32];
    (1..2_000_u32, others, 1..40_u32, bounds, prop::option::of(1..2_000_u64)).prop_map(
        |(ours, others, rate, (slots, hours), max_messages)| Case { ours, others, rate, slots, max_messages, hours },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_forecast_matches_the_claims(case in cases()) {
        let ((_, stays), (observed, stayed)) = (case.forecast(), case.observe());
        prop_assert_eq!(stays, stayed);
        // One message more or less decides whether the last one is sent today or tomorrow. The observed end lies
        // between the forecasts for slightly fewer and slightly more messages.
        let [few, many] = case.neighbours();
        // The forecast frees the slots of a stretch together.
        let together = f64::from(case.slots.unwrap_or(0)) / f64::from(case.rate);
        let days = f64::from((case.ours + case.others) / case.slots.unwrap_or(u32::MAX));
        #[expect(clippy::cast_possible_truncation, reason = "seconds")]
        let blurred = Span::from_secs(3 + (together * days) as i64);
        let (earliest, latest) = (few.forecast().0 - blurred, many.forecast().0 + blurred);
        prop_assert!(
            (earliest..=latest).contains(&observed),
            "{} to {} forecast, {} observed", earliest.rfc3339(), latest.rfc3339(), observed.rfc3339()
        );
    }
}
