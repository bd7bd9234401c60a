//! Claims over queues in memory: which messages are taken, which are referred, and how each queue rests.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::base::domain::{
    BatchId, BatchState, Count, Fee, Fields, Hours, LaneId, Limits, Loaded, MessageKey, Money, Present, Queue, Span,
    Spent, StepIndex, Stretch, Tallies, Timestamp, Unwanted,
};

/// Friday, 15 January 2027: one second before 16:00 in Singapore and 03:00 in New York.
const NOW: Timestamp = Timestamp::from_millis(1_799_999_999_000);
const DAYTIME: &str = "08:00-20:00";

fn queue(batch: u32) -> Queue {
    Queue { batch: BatchId(batch), step: StepIndex::FIRST, lane: LaneId(1) }
}

/// Countries whose send hours are open now, and closed.
const OPEN: &str = "SG";
const CLOSED: &str = "US";

fn candidate(queue: Queue, n: u32, country: &str) -> Candidate {
    let prefix = if country == CLOSED { 12_125_550_000 } else { 6_590_000_000_i64 };
    let message = Loaded {
        key: MessageKey { batch: queue.batch, n },
        address: (prefix + i64::from(n)).try_into().unwrap(),
        country: country.parse().unwrap(),
        version: 0,
        lane: queue.lane,
        present: Present { step: queue.step, ..Present::queued(NOW - Span::from_secs(1), None) },
    };
    Candidate { message, fields: Fields::pack([]), unwanted: None, tier: TierStanding::New }
}

/// A message that has expired.
fn expired(queue: Queue, n: u32) -> Candidate {
    let mut late = candidate(queue, n, OPEN);
    late.message.present = Present::queued(NOW - Span::from_secs(9), Some(NOW));
    late
}

/// A message by letter: `c` is outside its send hours, and `e` has expired. The recipient of `h` holds a slot of the
/// tier, and that of `x` has opted out; `l` confirms an opt-out that has ended. Any other may be sent.
fn spelled(queue: Queue, n: u32, letter: char) -> Candidate {
    match letter {
        'c' => candidate(queue, n, CLOSED),
        'e' => expired(queue, n),
        'h' => Candidate { tier: TierStanding::Holder, ..candidate(queue, n, OPEN) },
        'x' => Candidate { unwanted: Some(Unwanted::Message), ..candidate(queue, n, OPEN) },
        'l' => Candidate { unwanted: Some(Unwanted::Confirmation), ..candidate(queue, n, OPEN) },
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
    fn of(&self, _: &Candidate) -> Fee {
        Fee { amount: ONE, reserved_for: None }
    }
}

fn cap(messages: Option<u64>, budget: Option<u64>) -> Arc<Cap> {
    capped_at(Limits { messages, budget: budget.map(|units| ONE.times(units)) })
}

fn capped_at(step: Limits) -> Arc<Cap> {
    Arc::new(Cap { step, batch: Limits::default(), price: Some(Arc::new(One)) })
}

/// Queued messages, and the terms of a claim over them.
#[derive(Debug, Default)]
struct Desk {
    waiting: BTreeMap<Queue, Vec<Candidate>>,
    terms: Terms,
    stopped: HashSet<BatchId>,
    used: HashMap<BatchId, Used>,
    /// Candidates that were read.
    read: usize,
}

impl Desk {
    fn of(limit: u32, queues: impl IntoIterator<Item = (Queue, Vec<Candidate>)>) -> Self {
        let waiting: BTreeMap<_, _> = queues.into_iter().collect();
        let terms = Terms { queues: waiting.keys().copied().collect(), limit, now: NOW, ..Terms::default() };
        Self { waiting, terms, ..Self::default() }
    }

    /// One queue with a message for each letter.
    fn spelled(limit: u32, letters: &str) -> Self {
        let all = (0..).zip(letters.chars()).map(|(n, letter)| spelled(queue(1), n, letter));
        let mut desk = Self::of(limit, [(queue(1), all.collect())]);
        if letters.contains('c') {
            desk.terms.hours.insert((BatchId(1), StepIndex::FIRST), timing());
        }
        desk
    }

    fn slots(mut self, free: u32, impatient: &[Queue]) -> Self {
        let impatient = impatient.iter().map(|queue| ImpatientQueue { queue: *queue, steps: 2 }).collect();
        self.terms.slots = Some(Slots { free, impatient });
        self
    }

    fn capped(mut self, cap: Arc<Cap>) -> Self {
        self.terms.caps.insert((BatchId(1), StepIndex::FIRST), cap);
        self
    }

    /// Claims as the store does.
    fn claim(&mut self) -> PlannedClaim {
        let mut planner = Planner::new(self.terms.clone());
        let at_claim = |batch: &BatchId| {
            let state = if self.stopped.contains(batch) { BatchState::Paused } else { BatchState::Running };
            (*batch, BatchAtClaim { state, last_first_submission_at: None })
        };
        let batches = planner.batches().iter().map(at_claim).collect();
        let used: Vec<_> = planner
            .limited()
            .into_iter()
            .map(|batch| (batch, self.used.get(&batch).cloned().unwrap_or_default()))
            .collect();
        planner.begin(&batches, used);
        loop {
            let requests = planner.next_pages();
            if requests.is_empty() {
                break;
            }
            let pages: Vec<Vec<Candidate>> = requests.iter().map(|request| self.page(request)).collect();
            self.read += pages.iter().map(Vec::len).sum::<usize>();
            planner.judge(pages);
        }
        planner.end(&HashMap::new())
    }

    fn page(&self, request: &PageRequest) -> Vec<Candidate> {
        let position = |candidate: &Candidate| Some((candidate.message.present.not_before()?, candidate.message.key.n));
        let mut waiting: Vec<_> = self.waiting[&request.queue].iter().collect();
        waiting.sort_by_key(|candidate| position(candidate));
        let after =
            waiting.into_iter().filter(|candidate| request.after.is_none() || position(candidate) > request.after);
        after.take(request.count).cloned().collect()
    }

    /// Removes messages from their queues.
    fn remove(&mut self, keys: &HashSet<MessageKey>) {
        for waiting in self.waiting.values_mut() {
            waiting.retain(|candidate| !keys.contains(&candidate.message.key));
        }
    }
}

fn taken(decided: &PlannedClaim) -> Vec<u32> {
    decided.taken.iter().map(|taken| taken.candidate.message.key.n).collect()
}

fn referred(decided: &PlannedClaim) -> Vec<u32> {
    decided.referred.iter().map(|referral| referral.message.key.n).collect()
}

/// The result for one queue: the messages taken, the messages referred, and its rest.
type Outcome = (Vec<u32>, Vec<u32>, Rest);

fn outcome(mut desk: Desk) -> Outcome {
    let decided = desk.claim();
    (taken(&decided), referred(&decided), decided.rests[0].1)
}

const DRAINED: Rest = Rest::Drained { next: None };

#[test]
fn each_message_of_a_page_gets_a_verdict_and_each_queue_a_rest() {
    let cases: [(&str, Desk, Outcome); 23] = [
        ("all messages are taken", Desk::spelled(9, "..."), (vec![0, 1, 2], vec![], DRAINED)),
        ("the limit ends a claim", Desk::spelled(2, "..."), (vec![0, 1], vec![], Rest::More)),
        ("an empty queue is drained", Desk::spelled(9, ""), (vec![], vec![], DRAINED)),
        ("closed messages do not block later ones", Desk::spelled(2, "ccc.."), (vec![3, 4], vec![0, 1, 2], DRAINED)),
        ("nor do expired messages", Desk::spelled(1, "eeee.."), (vec![4], vec![], Rest::More)),
        ("all are outside their send hours", Desk::spelled(2, "ccc"), (vec![], vec![0, 1, 2], DRAINED)),
        ("all have expired", Desk::spelled(9, "ee"), (vec![], vec![], DRAINED)),
        ("a full tier lets holders pass", Desk::spelled(9, ".h.").slots(0, &[]), (vec![1], vec![], Rest::More)),
        (
            "also after more newcomers than it asks for",
            Desk::spelled(1, "..h").slots(0, &[]),
            (vec![2], vec![], Rest::More),
        ),
        ("and opted-out recipients", Desk::spelled(1, "..x").slots(0, &[]), (vec![2], vec![], Rest::More)),
        ("newcomers take the free slots", Desk::spelled(9, "..").slots(1, &[]), (vec![0], vec![], Rest::More)),
        ("an opted-out recipient needs no slot", Desk::spelled(9, ".x").slots(0, &[]), (vec![1], vec![], Rest::More)),
        ("a full tier stops newcomers", Desk::spelled(9, "..").slots(0, &[]), (vec![], vec![], Rest::ForSlot)),
        (
            "a holder after expired messages is taken",
            Desk::spelled(3, "ee.h").slots(0, &[]),
            (vec![3], vec![], Rest::More),
        ),
        (
            "an impatient step falls back without a slot",
            Desk::spelled(1, "..h").slots(0, &[queue(1)]),
            (vec![2], vec![0, 1], DRAINED),
        ),
        (
            "a limit is used in queue order",
            Desk::spelled(9, "...").capped(cap(Some(2), None)),
            (vec![0, 1], vec![], Rest::Capped(reached(Reached::Messages { handed_over: 0, of: 2 }, false))),
        ),
        (
            "a budget is used in queue order",
            Desk::spelled(9, "...").capped(cap(None, Some(2))),
            (
                vec![0, 1],
                vec![],
                Rest::Capped(reached(Reached::Budget { spent: spent(ONE.times(2)), of: ONE.times(2) }, false)),
            ),
        ),
        (
            "a budget is not exceeded by part of a price",
            Desk::spelled(9, "...").capped(capped_at(Limits { messages: None, budget: Some(NOT_THREE) })),
            (
                vec![0, 1],
                vec![],
                Rest::Capped(reached(Reached::Budget { spent: spent(ONE.times(2)), of: NOT_THREE }, false)),
            ),
        ),
        (
            "an opted-out recipient costs nothing",
            Desk::spelled(9, "x.").capped(cap(None, Some(1))),
            (vec![0, 1], vec![], DRAINED),
        ),
        ("a confirmation needs a slot", Desk::spelled(9, "k").slots(0, &[]), (vec![], vec![], Rest::ForSlot)),
        (
            "a confirmation has its price",
            Desk::spelled(9, "kk").capped(cap(None, Some(1))),
            (vec![0], vec![], Rest::Capped(reached(Reached::Budget { spent: spent(ONE), of: ONE }, false))),
        ),
        (
            "a confirmation of an ended opt-out needs no slot",
            Desk::spelled(9, "l").slots(0, &[]),
            (vec![0], vec![], DRAINED),
        ),
        (
            "a confirmation of an ended opt-out costs nothing",
            Desk::spelled(9, "l.").capped(cap(None, Some(1))),
            (vec![0, 1], vec![], DRAINED),
        ),
    ];
    for (what, desk, expected) in cases {
        assert_eq!(outcome(desk), expected, "{what}");
    }
}

const fn spent(spent: Money) -> Spent {
    Spent { spent, reserved: Money::ZERO }
}

fn reached(by: Reached, is_final: bool) -> Capped {
    Capped { queue: queue(1), by, is_of_batch: false, is_final }
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
        assert_eq!(desk.read, 0, "no message is read");
    }
}

#[test]
fn a_budget_is_not_final_while_any_of_it_is_reserved() {
    for (reserved, is_final) in [(Money::ZERO, true), (ONE, false)] {
        let mut desk = Desk::spelled(9, "..").capped(cap(None, Some(3)));
        let spent = Spent { spent: ONE.times(3), reserved };
        desk.used.insert(BatchId(1), Used { tallies: Tallies::default(), spent: [(StepIndex::FIRST, spent)].into() });
        let by = Reached::Budget { spent, of: ONE.times(3) };
        assert_eq!(desk.claim().rests, [(queue(1), Rest::Capped(reached(by, is_final)))]);
    }
}

#[test]
fn each_campaign_defers_messages_by_its_own_launch() {
    for first_launched in [1, 2] {
        let mut desk = Desk::of(9, [1, 2].map(|batch| (queue(batch), vec![candidate(queue(batch), 0, CLOSED)])));
        for batch in [1, 2] {
            let since = |text: &str| Some(text.parse().unwrap());
            let since =
                if batch == first_launched { since("2027-01-11T09:00:00") } else { since("2027-01-15T09:00:00") };
            let timing = Timing { hours: Hours { since, ..timing().hours.clone() }, ..(*timing()).clone() };
            desk.terms.hours.insert((BatchId(batch), StepIndex::FIRST), Arc::new(timing));
        }
        let together: Vec<_> =
            desk.claim().referred.iter().map(|moved| (moved.message.key.batch, moved.reason)).collect();
        let alone = |batch| {
            let mut alone = Desk::of(9, [(queue(batch), desk.waiting[&queue(batch)].clone())]);
            alone.terms.hours = desk.terms.hours.clone();
            (BatchId(batch), alone.claim().referred[0].reason)
        };
        assert_eq!(together, [alone(1), alone(2)]);
    }
}

#[test]
fn no_message_is_judged_after_the_limit_is_used() {
    let crowded =
        (queue(1), (0..4).map(|n| if n < 2 { expired(queue(1), n) } else { candidate(queue(1), n, OPEN) }).collect());
    let mut desk = Desk::of(1, [crowded, (queue(2), vec![candidate(queue(2), 0, OPEN)])]);
    let decided = desk.claim();
    assert_eq!(taken(&decided).len(), 1);
    assert_eq!(decided.rests[1].1, Rest::More, "it is ready for the next claim");
}

#[test]
fn two_queues_of_a_step_share_its_limit() {
    let others = |lane, n| {
        let queue = Queue { lane: LaneId(lane), ..queue(1) };
        (queue, (n..n + 3).map(|n| candidate(queue, n, OPEN)).collect())
    };
    let mut desk = Desk::of(9, [others(1, 0), others(2, 10)]).capped(cap(Some(2), None));
    assert_eq!(desk.claim().taken.len(), 2);
}

#[test]
fn a_batch_that_does_not_run_is_stuck_and_not_read() {
    let mut desk = Desk::spelled(9, "...");
    desk.stopped.insert(BatchId(1));
    let decided = desk.claim();
    assert_eq!((taken(&decided), decided.rests, desk.read), (vec![], vec![(queue(1), Rest::Stuck)], 0));
}

#[test]
fn the_rest_of_one_queues_share_goes_to_the_others() {
    let many = |batch, count| (queue(batch), (0..count).map(|n| candidate(queue(batch), n, OPEN)).collect());
    let mut desk = Desk::of(100, [many(1, 200), many(2, 3), many(3, 200)]);
    let decided = desk.claim();
    let batches: Vec<u32> = decided.taken.iter().map(|taken| taken.candidate.message.key.batch.0).collect();
    let of = |batch| batches.iter().filter(|of| **of == batch).count();
    assert_eq!([1, 2, 3].map(of), [49, 3, 48]);
}

#[test]
fn a_claim_reads_few_messages_however_many_have_expired() {
    let mut desk = Desk::of(10, [(queue(1), (0..9_000).map(|n| expired(queue(1), n)).collect())]);
    let decided = desk.claim();
    assert_eq!((decided.taken.len(), decided.rests[0].1), (0, Rest::Stuck));
    assert!((3_000..=4_000).contains(&desk.read), "{}", desk.read);
}

#[test]
fn a_queue_is_looked_at_again_when_its_rest_says() {
    let (later, free) = (NOW + Span::from_secs(60), NOW + Span::from_secs(600));
    let by = Reached::Messages { handed_over: 1, of: 1 };
    let reserved = Spent { spent: Money::ZERO, reserved: ONE };
    let cases = [
        (Rest::More, Some(NOW)),
        (Rest::Drained { next: None }, None),
        (Rest::Drained { next: Some(later) }, Some(later)),
        (Rest::Drained { next: Some(NOW + Span::from_millis(1)) }, Some(NOW + Span::from_millis(100))),
        (Rest::ForSlot, Some(free)),
        (Rest::Stuck, Some(NOW + Span::from_secs(1))),
        (Rest::Capped(reached(by, false)), Some(NOW + Span::from_millis(100))),
        (Rest::Capped(reached(by, true)), None),
        (Rest::Capped(reached(Reached::Budget { spent: reserved, of: ONE }, false)), Some(NOW + Span::from_secs(1))),
    ];
    for (rest, expected) in cases {
        assert_eq!(rest.until(NOW, Some(free)), expected, "{rest:?}");
    }
    let soon = NOW + Span::from_millis(1);
    assert_eq!(Rest::ForSlot.until(NOW, Some(soon)), Some(NOW + Span::from_millis(500)), "in groups");
}

fn ready(batch: u32, step: u8, is_campaign: bool) -> Ready {
    let queue = Queue { step: StepIndex::new(step).unwrap(), ..queue(batch) };
    Ready { queue, is_campaign, may_send: true, hours: None }
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

/// A limit that the queues cannot share evenly, also one of a single message, and also between claims of another rank.
#[test]
fn each_queue_of_a_rank_begins_a_claim_in_turn() {
    let on = |lane| Queue { lane: LaneId(lane), ..queue(1) };
    for (limit, beside) in [(1, vec![]), (3, vec![]), (1, vec![ready(0, 1, true)]), (3, vec![ready(5, 1, true)])] {
        let mut order = Order::default();
        let mut taken = BTreeMap::<LaneId, usize>::new();
        for _ in 0..200 {
            let all =
                [1, 2].map(|lane| Ready { queue: on(lane), ..ready(1, 0, true) }).into_iter().chain(beside.clone());
            let chosen = order.choose(all.collect(), NOW).queues;
            let waiting = |lane: u32| (0..9).map(|n| candidate(on(lane), 10 * lane + n, OPEN)).collect();
            let mut desk = Desk::of(
                limit,
                chosen.iter().filter(|queue| queue.batch == BatchId(1)).map(|queue| (*queue, waiting(queue.lane.0))),
            );
            desk.terms.queues.sort_by_key(|queue| chosen.iter().position(|chosen| chosen == queue));
            for TakenMessage { candidate, .. } in desk.claim().taken {
                *taken.entry(candidate.message.lane).or_default() += 1;
            }
        }
        assert_eq!(taken[&LaneId(1)], taken[&LaneId(2)], "{limit} beside {}", beside.len());
    }
}

#[test]
fn a_queue_that_only_lost_the_race_for_the_limit_may_be_claimed_at_once() {
    let crowded = (queue(2), vec![expired(queue(2), 0), candidate(queue(2), 1, OPEN)]);
    let busy = (queue(1), (0..9).map(|n| candidate(queue(1), n, OPEN)).collect());
    let mut desk = Desk::of(2, [busy, crowded]);
    assert_eq!(desk.claim().rests, [(queue(1), Rest::More), (queue(2), Rest::More)]);
}

#[test]
fn a_claim_reads_few_messages_however_many_wait_for_a_slot() {
    let mut desk = Desk::of(10, [(queue(1), (0..9_000).map(|n| candidate(queue(1), n, OPEN)).collect())]).slots(0, &[]);
    assert_eq!(desk.claim().rests, [(queue(1), Rest::ForSlot)]);
    assert!((3_000..=4_000).contains(&desk.read), "{}", desk.read);
}

#[test]
fn stopped_queues_are_skipped_and_closed_ones_wait_until_they_open() {
    let windows = vec!["08:00-20:00 America/New_York".parse::<Stretch>().unwrap()];
    let hours = Arc::new(Timing { hours: Hours { windows, ..Hours::default() }, launched: NOW });
    let stopped = Ready { may_send: false, ..ready(1, 0, true) };
    let shut = Ready { hours: Some(hours), ..ready(2, 0, true) };
    let chosen = Order::default().choose(vec![stopped, shut.clone(), ready(3, 0, true)], NOW);
    assert_eq!(chosen.queues, [queue(3)]);
    // NOW is one second before 03:00 there, so 08:00 is 5 h 1 s later.
    let opens = NOW + Span::from_secs(5 * 3_600 + 1);
    assert_eq!(chosen.later, [(shut.queue, opens)]);
}

/// Any letter of [`spelled`].
fn any_letter() -> impl Strategy<Value = char> {
    prop::sample::select(vec!['.', '.', '.', 'c', 'e', 'h', 'x'])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Claims from each queue whenever its rest says so: each message that may be sent was taken once, and no other.
    #[test]
    fn every_message_that_may_be_sent_is_taken_once_within_all_bounds(
        queues in prop::collection::vec(prop::collection::vec(any_letter(), 0..40), 1..5),
        limit in 1_u32..30,
        free in prop::option::of(0_u32..60),
        is_impatient in any::<bool>(),
        messages in prop::option::of(0_u64..60),
    ) {
        let spell = |(batch, letters): (u32, Vec<char>)| {
            let all = (batch * 100..).zip(letters).map(|(n, letter)| spelled(queue(batch), n, letter));
            (queue(batch), all.collect())
        };
        let mut desk = Desk::of(limit, (1..).zip(queues.clone()).map(spell));
        for batch in 1..=queues.len() {
            desk.terms.hours.insert((BatchId(u32::try_from(batch).unwrap()), StepIndex::FIRST), timing());
        }
        if let Some(free) = free {
            desk = desk.slots(free, &[queue(1)][usize::from(!is_impatient)..]);
        }
        if messages.is_some() {
            desk = desk.capped(cap(messages, None));
        }
        let (mut sent, mut referred, mut newcomers) = (HashSet::new(), HashSet::new(), 0_u32);
        let mut claims = 0;
        while !desk.terms.queues.is_empty() {
            claims += 1;
            prop_assert!(claims <= 500, "claims go on for ever");
            let decided = desk.claim();
            prop_assert!(decided.taken.len() <= usize::try_from(limit).unwrap());
            let mut gone = HashSet::new();
            for batch in 1..=queues.len() {
                let of = |key: &MessageKey| key.batch.0 == u32::try_from(batch).unwrap();
                let keys: Vec<_> = decided.taken.iter().map(|taken| taken.candidate.message.key).filter(of).collect();
                prop_assert!(keys.is_sorted(), "in the order of their queue");
            }
            for TakenMessage { candidate, pass, .. } in &decided.taken {
                prop_assert!(sent.insert(candidate.message.key), "once");
                gone.insert(candidate.message.key);
                newcomers += u32::from(*pass == Pass::Slot && candidate.tier == TierStanding::New);
            }
            for Referral { message, .. } in &decided.referred {
                prop_assert!(referred.insert(message.key), "once");
                gone.insert(message.key);
            }
            desk.remove(&gone);
            let used = desk.used.entry(BatchId(1)).or_default();
            let of_first = decided.taken.iter().filter(|taken| taken.candidate.message.key.batch == BatchId(1)).count();
            used.tallies.add(StepIndex::FIRST, Count::HandedOver, i64::try_from(of_first).unwrap());
            if let Some(slots) = &mut desk.terms.slots {
                slots.free = free.unwrap_or(0) - newcomers;
            }
            let no_slot_comes_free = |(queue, rest): &(Queue, Rest)| rest.until(NOW, None).map(|_| (*queue, *rest));
            let again = decided.rests.iter().filter_map(no_slot_comes_free);
            desk.terms.queues = again.filter(|(_, rest)| *rest != Rest::ForSlot).map(|(queue, _)| queue).collect();
        }
        prop_assert!(newcomers <= free.unwrap_or(u32::MAX));
        let of_first = sent.iter().filter(|key| key.batch == BatchId(1)).count();
        prop_assert!(messages.is_none_or(|most| u64::try_from(of_first).unwrap() <= most));
        if messages.is_none() {
            let all = queues.iter().flatten().filter(|letter| **letter == '.').count();
            let all = u32::try_from(all).unwrap();
            prop_assert!(free.is_none_or(|free| newcomers == free.min(all)), "all slots are used");
        }
        for (batch, letters) in (1_u32..).zip(&queues) {
            for (n, letter) in (batch * 100..).zip(letters) {
                let key = MessageKey { batch: BatchId(batch), n };
                let (was_taken, was_referred) = (sent.contains(&key), referred.contains(&key));
                let is_capped = batch == 1 && messages.is_some();
                let falls_back = batch == 1 && is_impatient && free.is_some();
                let is_right = match letter {
                    'e' => !was_taken && !was_referred,
                    'c' => !was_taken && (was_referred || is_capped),
                    'h' | 'x' => !was_referred && (was_taken || is_capped),
                    _ if falls_back => !(was_taken && was_referred) && (was_taken || was_referred || is_capped),
                    _ => !was_referred && (was_taken || is_capped || free.is_some()),
                };
                prop_assert!(is_right, "{letter} {n}");
            }
        }
    }
}
