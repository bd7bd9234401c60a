//! A claim over queues in memory: who leaves, who moves, and how each queue's turn ends.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::domain::{
    BatchId, BatchState, Count, Fields, Hours, LaneId, Limits, Loaded, MessageKey, Money, Present, Queue, Span,
    StepIndex, Stretch, Tallies, Timestamp,
};

/// Friday, 15 January 2027: 16:00 in Singapore, 03:00 in New York.
const NOW: Timestamp = Timestamp::from_millis(1_799_999_999_000);
const DAYTIME: &str = "08:00-20:00";

fn queue(batch: u32) -> Queue {
    Queue { batch: BatchId(batch), step: StepIndex::FIRST, lane: LaneId(1) }
}

/// Whose numbers: open at this hour, or not.
const OPEN: &str = "SG";
const CLOSED: &str = "US";

fn candidate(queue: Queue, n: u32, country: &str) -> Candidate {
    let prefix = if country == CLOSED { 12_125_550_000 } else { 6_590_000_000_u64 };
    let message = Loaded {
        key: MessageKey { batch: queue.batch, n },
        msisdn: (prefix + u64::from(n)).try_into().unwrap(),
        country: country.parse().unwrap(),
        version: 0,
        lane: queue.lane,
        present: Present { step: queue.step, ..Present::queued(NOW - Span::from_secs(1), None) },
    };
    Candidate { message, fields: Fields::pack([]), opted_out: false, tier: TierStanding::New }
}

/// Somebody whose waiting is over.
fn over(queue: Queue, n: u32) -> Candidate {
    let mut late = candidate(queue, n, OPEN);
    late.message.present = Present::queued(NOW - Span::from_secs(9), Some(NOW));
    late
}

/// `c` may not leave at this hour, `o` is over, `h` holds a place in the tier, `x` has opted out, and everybody else may
/// leave.
fn somebody(queue: Queue, n: u32, letter: char) -> Candidate {
    match letter {
        'c' => candidate(queue, n, CLOSED),
        'o' => over(queue, n),
        'h' => Candidate { tier: TierStanding::Holder, ..candidate(queue, n, OPEN) },
        'x' => Candidate { opted_out: true, ..candidate(queue, n, OPEN) },
        _ => candidate(queue, n, OPEN),
    }
}

fn timing() -> Arc<Timing> {
    let windows = vec![DAYTIME.parse::<Stretch>().unwrap()];
    Arc::new(Timing { hours: Hours { windows, ..Hours::default() }, launched: NOW - Span::from_secs(60) })
}

/// Each message costs one.
#[derive(Debug)]
struct One;

const ONE: Money = Money::from_millionths(1_000_000);
const NOT_THREE: Money = Money::from_millionths(2_999_999);

impl Price for One {
    fn of(&self, _: &Candidate) -> Money {
        ONE
    }
}

fn cap(messages: Option<u64>, budget: Option<u64>) -> Arc<Cap> {
    capped_at(Limits { messages, budget: budget.map(|units| ONE.times(units)) })
}

fn capped_at(step: Limits) -> Arc<Cap> {
    Arc::new(Cap { step, batch: Limits::default(), price: Some(Arc::new(One)) })
}

/// What waits, and what a claim is told of it.
#[derive(Debug, Default)]
struct Desk {
    waiting: BTreeMap<Queue, Vec<Candidate>>,
    turn: Terms,
    stopped: HashSet<BatchId>,
    used: HashMap<BatchId, Used>,
    /// Candidates that were read.
    read: usize,
}

impl Desk {
    fn of(limit: u32, queues: impl IntoIterator<Item = (Queue, Vec<Candidate>)>) -> Self {
        let waiting: BTreeMap<_, _> = queues.into_iter().collect();
        let turn = Terms { queues: waiting.keys().copied().collect(), limit, now: NOW, ..Terms::default() };
        Self { waiting, turn, ..Self::default() }
    }

    /// One queue with somebody for each letter.
    fn spelled(limit: u32, people: &str) -> Self {
        let all = (0..).zip(people.chars()).map(|(n, letter)| somebody(queue(1), n, letter));
        let mut desk = Self::of(limit, [(queue(1), all.collect())]);
        if people.contains('c') {
            desk.turn.hours.insert((BatchId(1), StepIndex::FIRST), timing());
        }
        desk
    }

    fn places(mut self, free: u32, fallbacks: &[Queue]) -> Self {
        let fallbacks = fallbacks.iter().map(|queue| FallbackQueue { queue: *queue, steps: 2 }).collect();
        self.turn.slots = Some(Slots { free, fallbacks });
        self
    }

    fn capped(mut self, cap: Arc<Cap>) -> Self {
        self.turn.caps.insert((BatchId(1), StepIndex::FIRST), cap);
        self
    }

    /// Claims as the store does.
    fn claim(&mut self) -> Decided {
        let mut planner = Planner::new(self.turn.clone());
        let course = |batch: &BatchId| {
            let state = if self.stopped.contains(batch) { BatchState::Paused } else { BatchState::Running };
            (*batch, Course { state, ends_at: None })
        };
        let courses = planner.batches().iter().map(course).collect();
        let used: Vec<_> = planner
            .limited()
            .into_iter()
            .map(|batch| (batch, self.used.get(&batch).cloned().unwrap_or_default()))
            .collect();
        planner.begin(&courses, used);
        loop {
            let looks = planner.looks();
            if looks.is_empty() {
                break;
            }
            let pages: Vec<Vec<Candidate>> = looks.iter().map(|look| self.page(look)).collect();
            self.read += pages.iter().map(Vec::len).sum::<usize>();
            planner.judge(pages);
        }
        planner.end(&HashMap::new())
    }

    fn page(&self, look: &Look) -> Vec<Candidate> {
        let place = |candidate: &Candidate| Some((candidate.message.present.turn()?, candidate.message.key.n));
        let mut waiting: Vec<_> = self.waiting[&look.queue].iter().collect();
        waiting.sort_by_key(|candidate| place(candidate));
        let behind = waiting.into_iter().filter(|candidate| look.after.is_none() || place(candidate) > look.after);
        behind.take(look.count).cloned().collect()
    }

    /// Nobody of these waits any more.
    fn is_over_for(&mut self, keys: &HashSet<MessageKey>) {
        for waiting in self.waiting.values_mut() {
            waiting.retain(|candidate| !keys.contains(&candidate.message.key));
        }
    }
}

fn leaves(decided: &Decided) -> Vec<u32> {
    decided.leaves.iter().map(|leaving| leaving.candidate.message.key.n).collect()
}

fn moves(decided: &Decided) -> Vec<u32> {
    decided.moves.iter().map(|moved| moved.message.key.n).collect()
}

/// Of one queue: who leaves, who moves, and how its turn ends.
type Outcome = (Vec<u32>, Vec<u32>, Rest);

fn outcome(mut desk: Desk) -> Outcome {
    let decided = desk.claim();
    (leaves(&decided), moves(&decided), decided.rests[0].1)
}

const DRAINED: Rest = Rest::Drained { next: None };

#[test]
fn each_message_of_a_page_gets_a_verdict_and_each_queue_a_rest() {
    let cases: [(&str, Desk, Outcome); 17] = [
        ("all leave, and nobody is left", Desk::spelled(9, "..."), (vec![0, 1, 2], vec![], DRAINED)),
        ("as many as may", Desk::spelled(2, "..."), (vec![0, 1], vec![], Rest::More)),
        ("nobody waits", Desk::spelled(9, ""), (vec![], vec![], DRAINED)),
        ("closed hours in front keep nobody", Desk::spelled(2, "ccc.."), (vec![3, 4], vec![0, 1, 2], DRAINED)),
        ("nor do those who are over", Desk::spelled(1, "oooo.."), (vec![4], vec![], Rest::More)),
        ("all are closed", Desk::spelled(2, "ccc"), (vec![], vec![0, 1, 2], DRAINED)),
        ("all are over", Desk::spelled(9, "oo"), (vec![], vec![], DRAINED)),
        ("a full tier lets holders pass", Desk::spelled(9, ".h.").places(0, &[]), (vec![1], vec![], Rest::More)),
        ("and newcomers as far as it goes", Desk::spelled(9, "..").places(1, &[]), (vec![0], vec![], Rest::More)),
        ("who opted out needs no place", Desk::spelled(9, ".x").places(0, &[]), (vec![1], vec![], Rest::More)),
        ("nobody may pass a full tier", Desk::spelled(9, "..").places(0, &[]), (vec![], vec![], Rest::ForSlot)),
        (
            "behind those who are over stands a holder",
            Desk::spelled(3, "oo.h").places(0, &[]),
            (vec![3], vec![], Rest::More),
        ),
        (
            "whoever does not wait goes on",
            Desk::spelled(1, "..h").places(0, &[queue(1)]),
            (vec![2], vec![0, 1], DRAINED),
        ),
        (
            "a limit is used in turn",
            Desk::spelled(9, "...").capped(cap(Some(2), None)),
            (vec![0, 1], vec![], Rest::Capped(reached(Reached::Messages { handed_over: 0, of: 2 }, false))),
        ),
        (
            "so is a budget",
            Desk::spelled(9, "...").capped(cap(None, Some(2))),
            (
                vec![0, 1],
                vec![],
                Rest::Capped(reached(Reached::Budget { spent: ONE.times(2), of: ONE.times(2) }, false)),
            ),
        ),
        (
            "and no message passes it by a part of its price",
            Desk::spelled(9, "...").capped(capped_at(Limits { messages: None, budget: Some(NOT_THREE) })),
            (vec![0, 1], vec![], Rest::Capped(reached(Reached::Budget { spent: ONE.times(2), of: NOT_THREE }, false))),
        ),
        (
            "who opted out costs nothing",
            Desk::spelled(9, "x.").capped(cap(None, Some(1))),
            (vec![0, 1], vec![], DRAINED),
        ),
    ];
    for (what, desk, expected) in cases {
        assert_eq!(outcome(desk), expected, "{what}");
    }
}

fn reached(by: Reached, is_final: bool) -> Capped {
    Capped { queue: queue(1), by, is_whole: false, is_final }
}

#[test]
fn a_limit_is_final_once_no_message_is_in_flight() {
    for (sending, is_final) in [(0, true), (1, false)] {
        let mut desk = Desk::spelled(9, "..").capped(cap(Some(3), None));
        let mut tallies = Tallies::default();
        tallies.add(StepIndex::FIRST, Count::HandedOver, 3 - sending);
        tallies.add(StepIndex::FIRST, Count::Sending, sending);
        desk.used.insert(BatchId(1), Used { tallies, spent: BTreeMap::new() });
        let by = Reached::Messages { handed_over: u64::try_from(3 - sending).unwrap(), of: 3 };
        assert_eq!(desk.claim().rests, [(queue(1), Rest::Capped(reached(by, is_final)))]);
        assert_eq!(desk.read, 0, "nobody is looked at");
    }
}

#[test]
fn each_campaign_puts_messages_off_by_its_own_launch() {
    for first_launched in [1, 2] {
        let mut desk = Desk::of(9, [1, 2].map(|batch| (queue(batch), vec![candidate(queue(batch), 0, CLOSED)])));
        for batch in [1, 2] {
            let since = |text: &str| Some(text.parse().unwrap());
            let since =
                if batch == first_launched { since("2027-01-11T09:00:00") } else { since("2027-01-15T09:00:00") };
            let timing = Timing { hours: Hours { since, ..timing().hours.clone() }, ..(*timing()).clone() };
            desk.turn.hours.insert((BatchId(batch), StepIndex::FIRST), Arc::new(timing));
        }
        let together: Vec<_> = desk.claim().moves.iter().map(|moved| (moved.message.key.batch, moved.reason)).collect();
        let alone = |batch| {
            let mut alone = Desk::of(9, [(queue(batch), desk.waiting[&queue(batch)].clone())]);
            alone.turn.hours = desk.turn.hours.clone();
            (BatchId(batch), alone.claim().moves[0].reason)
        };
        assert_eq!(together, [alone(1), alone(2)]);
    }
}

#[test]
fn no_message_is_judged_after_the_limit_is_used() {
    let behind =
        (queue(1), (0..4).map(|n| if n < 2 { over(queue(1), n) } else { candidate(queue(1), n, OPEN) }).collect());
    let mut desk = Desk::of(1, [behind, (queue(2), vec![candidate(queue(2), 0, OPEN)])]);
    let decided = desk.claim();
    assert_eq!(leaves(&decided).len(), 1);
    assert_eq!(decided.rests[1].1, Rest::More, "its turn comes with the next claim");
}

#[test]
fn two_queues_of_a_step_share_its_limit() {
    let others = |lane, n| {
        let queue = Queue { lane: LaneId(lane), ..queue(1) };
        (queue, (n..n + 3).map(|n| candidate(queue, n, OPEN)).collect())
    };
    let mut desk = Desk::of(9, [others(1, 0), others(2, 10)]).capped(cap(Some(2), None));
    assert_eq!(desk.claim().leaves.len(), 2);
}

#[test]
fn a_batch_that_does_not_run_is_stuck_and_not_read() {
    let mut desk = Desk::spelled(9, "...");
    desk.stopped.insert(BatchId(1));
    let decided = desk.claim();
    assert_eq!((leaves(&decided), decided.rests, desk.read), (vec![], vec![(queue(1), Rest::Stuck)], 0));
}

#[test]
fn the_rest_of_one_queues_share_goes_to_the_others() {
    let many = |batch, count| (queue(batch), (0..count).map(|n| candidate(queue(batch), n, OPEN)).collect());
    let mut desk = Desk::of(100, [many(1, 200), many(2, 3), many(3, 200)]);
    let decided = desk.claim();
    let batches: Vec<u32> = decided.leaves.iter().map(|leaving| leaving.candidate.message.key.batch.0).collect();
    let of = |batch| batches.iter().filter(|of| **of == batch).count();
    assert_eq!([1, 2, 3].map(of), [49, 3, 48]);
}

#[test]
fn a_claim_reads_few_messages_however_many_cannot_leave() {
    let mut desk = Desk::of(10, [(queue(1), (0..9_000).map(|n| over(queue(1), n)).collect())]);
    let decided = desk.claim();
    assert_eq!((decided.leaves.len(), decided.rests[0].1), (0, Rest::Stuck));
    assert!((3_000..=4_000).contains(&desk.read), "{}", desk.read);
}

#[test]
fn a_queue_is_looked_at_again_when_its_rest_says() {
    let (later, free) = (NOW + Span::from_secs(60), NOW + Span::from_secs(600));
    let by = Reached::Messages { handed_over: 1, of: 1 };
    let cases = [
        (Rest::More, Some(NOW)),
        (Rest::Drained { next: None }, None),
        (Rest::Drained { next: Some(later) }, Some(later)),
        (Rest::Drained { next: Some(NOW + Span::from_millis(1)) }, Some(NOW + Span::from_millis(100))),
        (Rest::ForSlot, Some(free)),
        (Rest::Stuck, Some(NOW + Span::from_secs(1))),
        (Rest::Capped(reached(by, false)), Some(NOW + Span::from_millis(100))),
        (Rest::Capped(reached(by, true)), None),
    ];
    for (rest, expected) in cases {
        assert_eq!(rest.until(NOW, Some(free)), expected, "{rest:?}");
    }
}

fn ready(batch: u32, step: u8, is_campaign: bool) -> Ready {
    let queue = Queue { step: StepIndex::new(step).unwrap(), ..queue(batch) };
    Ready { queue, is_campaign, may_leave: true, hours: None }
}

#[test]
fn ranks_are_served_in_order_and_each_tenth_claim_is_for_another() {
    let mut order = Order::default();
    let all = || vec![ready(1, 0, true), ready(2, 1, true), ready(3, 0, false)];
    let served: Vec<u32> = (0..30).map(|_| order.choose(all(), NOW).queues[0].batch.0).collect();
    let mut expected = vec![3; 30];
    (expected[9], expected[19], expected[29]) = (2, 1, 2);
    assert_eq!(served, expected);
}

#[test]
fn the_batch_that_was_served_last_comes_after_the_others() {
    let mut order = Order::default();
    let all = || [1, 2, 3].map(|batch| ready(batch, 0, true)).to_vec();
    order.has_served(BatchId(2));
    let chosen: Vec<u32> = order.choose(all(), NOW).queues.iter().map(|queue| queue.batch.0).collect();
    assert_eq!(chosen, [3, 1, 2]);
}

#[test]
fn stopped_queues_are_skipped_and_closed_ones_wait_until_they_open() {
    let windows = vec!["08:00-20:00 America/New_York".parse::<Stretch>().unwrap()];
    let hours = Arc::new(Timing { hours: Hours { windows, ..Hours::default() }, launched: NOW });
    let stopped = Ready { may_leave: false, ..ready(1, 0, true) };
    let shut = Ready { hours: Some(hours), ..ready(2, 0, true) };
    let chosen = Order::default().choose(vec![stopped, shut.clone(), ready(3, 0, true)], NOW);
    assert_eq!(chosen.queues, [queue(3)]);
    // Five hours later, but for the second that is missing.
    let opens = NOW + Span::from_secs(5 * 3_600 + 1);
    assert_eq!(chosen.later, [(shut.queue, opens)]);
}

/// Anything that may wait in a queue.
fn anybody() -> impl Strategy<Value = char> {
    prop::sample::select(vec!['.', '.', '.', 'c', 'o', 'h', 'x'])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Claim after claim until nothing is worth a look: who may leave has left, once, and nobody else.
    #[test]
    fn every_message_that_may_leave_leaves_within_all_bounds(
        people in prop::collection::vec(prop::collection::vec(anybody(), 0..40), 1..5),
        limit in 1_u32..30,
        free in prop::option::of(0_u32..60),
        is_impatient in any::<bool>(),
        messages in prop::option::of(0_u64..60),
    ) {
        let spell = |(batch, letters): (u32, Vec<char>)| {
            let all = (batch * 100..).zip(letters).map(|(n, letter)| somebody(queue(batch), n, letter));
            (queue(batch), all.collect())
        };
        let mut desk = Desk::of(limit, (1..).zip(people.clone()).map(spell));
        for batch in 1..=people.len() {
            desk.turn.hours.insert((BatchId(u32::try_from(batch).unwrap()), StepIndex::FIRST), timing());
        }
        if let Some(free) = free {
            desk = desk.places(free, &[queue(1)][usize::from(!is_impatient)..]);
        }
        if messages.is_some() {
            desk = desk.capped(cap(messages, None));
        }
        let (mut left, mut moved, mut newcomers) = (HashSet::new(), HashSet::new(), 0_u32);
        for _ in 0..200 {
            let decided = desk.claim();
            prop_assert!(decided.leaves.len() <= usize::try_from(limit).unwrap());
            let mut gone = HashSet::new();
            for batch in 1..=people.len() {
                let of = |key: &MessageKey| key.batch.0 == u32::try_from(batch).unwrap();
                let keys: Vec<_> = decided.leaves.iter().map(|leaving| leaving.candidate.message.key).filter(of).collect();
                prop_assert!(keys.is_sorted(), "in the order of their queue");
            }
            for Leaving { candidate, pass, .. } in &decided.leaves {
                prop_assert!(left.insert(candidate.message.key), "once");
                gone.insert(candidate.message.key);
                newcomers += u32::from(*pass == Pass::Slot && candidate.tier == TierStanding::New);
            }
            for Move { message, .. } in &decided.moves {
                prop_assert!(moved.insert(message.key), "once");
                gone.insert(message.key);
            }
            let is_idle = decided.leaves.is_empty() && decided.moves.is_empty();
            desk.is_over_for(&gone);
            let used = desk.used.entry(BatchId(1)).or_default();
            let of_first = decided.leaves.iter().filter(|leaving| leaving.candidate.message.key.batch == BatchId(1)).count();
            used.tallies.add(StepIndex::FIRST, Count::HandedOver, i64::try_from(of_first).unwrap());
            if let Some(slots) = &mut desk.turn.slots {
                slots.free = free.unwrap_or(0) - newcomers;
            }
            if is_idle {
                break;
            }
        }
        prop_assert!(newcomers <= free.unwrap_or(u32::MAX));
        let of_first = left.iter().filter(|key| key.batch == BatchId(1)).count();
        prop_assert!(messages.is_none_or(|most| u64::try_from(of_first).unwrap() <= most));
        for (batch, letters) in (1_u32..).zip(&people) {
            for (n, letter) in (batch * 100..).zip(letters) {
                let key = MessageKey { batch: BatchId(batch), n };
                let (has_left, has_moved) = (left.contains(&key), moved.contains(&key));
                match letter {
                    'o' => prop_assert!(!has_left && !has_moved),
                    'c' => prop_assert!(!has_left),
                    _ => prop_assert!(!has_left || !has_moved),
                }
                let is_bound = free.is_some() || batch == 1 && messages.is_some();
                if !is_bound {
                    let is_settled = match letter {
                        'o' => true,
                        'c' => has_moved,
                        _ => has_left,
                    };
                    prop_assert!(is_settled, "{n}");
                }
            }
        }
    }
}
