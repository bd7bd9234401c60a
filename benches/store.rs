//! Rows a second through the store's verbs, on a file with the strictest durability.
//!
//! `cargo bench --bench store [-- messages] [ordered]`; a run with ordered umids shows what random ones cost.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails should stop")]
#![expect(clippy::disallowed_methods, reason = "it measures real time")]

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use volley::base::clock::RealClock;
use volley::base::domain::{
    AttemptId, BatchId, BatchState, Channel, Country, Ending, Fields, LaneId, Loaded, Msisdn, OptOutOf, OptOutSource,
    Outcome, Plan, Present, Queue, Recipient, Span, State, Status, Step, StepIndex, Tag, Timestamp, Umid, WishSubject,
};
use volley::base::events::Origin;
use volley::rules::engine::Ruling;
use volley::store::{
    Attempt, Change, Claim, Joining, Key, KnownAs, NewAudience, NewBatch, OptOut, PieceOfMessages, Receipt, Start,
    Store, Verdict, WebhookGroup,
};

const IMPORTED_AT_ONCE: u32 = 5_000;
const SPREAD_AT_ONCE: u32 = 5_000;
const AT_ONCE: u32 = 2_000;

/// How long one verb took, over all its calls.
struct Lap {
    what: &'static str,
    rows: u64,
    took: Duration,
    worked: Duration,
    longest: Duration,
}

impl Lap {
    fn new(what: &'static str) -> Self {
        Self { what, rows: 0, took: Duration::ZERO, worked: Duration::ZERO, longest: Duration::ZERO }
    }

    async fn call<T>(&mut self, verb: impl Future<Output = T>) -> T {
        let (begun, worked) = (Instant::now(), processor_time());
        let answer = verb.await;
        let took = begun.elapsed();
        self.worked += processor_time().saturating_sub(worked);
        self.took += took;
        self.longest = self.longest.max(took);
        answer
    }

    fn count(&mut self, rows: usize) {
        self.rows += u64::try_from(rows).unwrap();
    }

    #[expect(clippy::cast_precision_loss, reason = "rounded for display")]
    fn print(&self) {
        let a_second = self.rows as f64 / self.took.as_secs_f64();
        let a_million = 1e6 / a_second;
        println!(
            "{:<36} {a_second:>9.0} rows/s {a_million:>6.2} s a million, {:>6.2} of work, longest call {:>4} ms",
            self.what,
            self.worked.as_secs_f64() * 1e6 / self.rows as f64,
            self.longest.as_millis()
        );
    }
}

/// Processor time of all threads, which depends less on a busy machine than wall-clock time. Zero if the system does not
/// report it.
fn processor_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

#[tokio::main]
async fn main() {
    let messages = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(200_000);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("volley.db").display());
    let store = volley::store::open(&url, Arc::new(RealClock::new())).await.unwrap();
    let store = &*store;
    let lane = store.lanes(vec![("wa".to_owned(), Channel::WhatsApp)]).await.unwrap()[0].id;

    let batch = lay_out(store, lane, messages).await;
    let third = messages / 3;
    claim_and_record(store, lane, batch, third, 500, "record accepted, 1,000 a call", 1_000).await;
    claim_and_record(store, lane, batch, third, 1_000, "record accepted, 2,000 a call", 2_000).await;
    let waiting = claim_and_record(store, lane, batch, third, 2_000, "record accepted, 2,000 a call", 2_000).await;
    deliver(store, batch, &waiting[..waiting.len() / 2]).await;
    fall_back(store, batch).await;
    join(store, lane).await;
    opt_out(store, messages).await;
    let begun = Instant::now();
    store.close().await;
    println!("close {:.3} s", begun.elapsed().as_secs_f64());
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

fn recipient(n: u32) -> Msisdn {
    // Spread over the number space, as a real file's are.
    Msisdn::try_from(6_580_000_000 + u64::from(n.wrapping_mul(2_654_435_761)) % 20_000_000).unwrap()
}

fn umid(n: u32) -> Umid {
    static ORDERED: OnceLock<bool> = OnceLock::new();
    let ordered = *ORDERED.get_or_init(|| std::env::args().any(|word| word == "ordered"));
    let mixed = u128::from(n).wrapping_mul(if ordered { 1 } else { 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835 });
    Umid::new(&uuid::Uuid::from_u128(mixed).to_string())
}

fn tag() -> Tag {
    Tag::from_random(42)
}

fn plan() -> Plan {
    let step = |channel| Step {
        fallback_after: Some(Span::from_secs(900)),
        success: Status::Delivered,
        ..Step::of_text(channel, "wa", "Hi {{name}}")
    };
    Plan::of_steps(vec![step(Channel::WhatsApp), step(Channel::Sms)])
}

async fn lay_out(store: &dyn Store, lane: LaneId, messages: u32) -> BatchId {
    let new = NewAudience { known_as: KnownAs::Nothing, source: "bench".to_owned(), columns: Vec::new(), now: now() };
    let audience = store.begin_audience(new).await.unwrap();
    let mut lap = Lap::new("import, 5,000 a call");
    for first in (0..messages).step_by(IMPORTED_AT_ONCE as usize) {
        let people: Vec<_> = (first..messages.min(first + IMPORTED_AT_ONCE))
            .map(|n| Recipient {
                address: Some(recipient(n).into()),
                country: country(),
                client_message_id: None,
                fields: Fields::pack([&*recipient(n).to_string(), "Annabel", "A1B2C3", "p/1.png", "spring", "SG"]),
            })
            .collect();
        lap.count(people.len());
        lap.call(store.add_recipients(audience, first, people)).await.unwrap();
    }
    lap.print();
    store.publish_audience(audience, messages, "{}".to_owned()).await.unwrap();

    let new = NewBatch {
        tag: tag(),
        plan: plan(),
        name: None,
        audience: "bench".to_owned(),
        audience_ids: vec![audience],
        starts_at: None,
        open_until: None,
        now: now(),
    };
    let batch = store.begin_batch(new).await.unwrap();
    let mut lap = Lap::new("spread, 5,000 a call");
    for from in (0..messages).step_by(SPREAD_AT_ONCE as usize) {
        let spread = PieceOfMessages {
            heeds: Some(OptOutOf::Everything),
            batch,
            audience,
            from,
            until: messages.min(from + SPREAD_AT_ONCE),
            base: 0,
            over: None,
            start: Start::of(&Present::queued(now(), None), vec![lane]),
            elsewhere: Vec::new(),
            users: Vec::new(),
            excluded: Vec::new(),
            lacking: Vec::new(),
            left_out: Vec::new(),
            now: now(),
        };
        let laid_out = lap.call(store.write_messages(spread)).await.unwrap();
        lap.count(laid_out as usize);
    }
    lap.print();
    store.publish_batch(batch, BatchState::Running, Origin::SERVER, now()).await.unwrap();
    batch
}

/// Single messages, sent by many callers at once: together in one open batch, and for comparison each in its own batch.
/// Then the cost of a claim of as many messages from one queue, and from as many queues.
async fn join(store: &dyn Store, lane: LaneId) {
    let together = |_: u32| plan();
    let apart = |n: u32| Plan { end: Some(now() + Span::from_secs(86_400 + i64::from(n))), ..plan() };
    let one = join_messages(store, lane, "join, 1 a call, 64 calls at once", (SINGLES, 1), &together).await;
    join_messages(store, lane, "join, 1,000 a call", (20, 1_000), &together).await;
    let own = join_messages(store, lane, "a batch each, 64 calls at once", (SINGLES, 1), &apart).await;
    for (what, batches) in [("claim, 512 a call, one queue", &one[..1]), ("claim, 512 a call, 512 queues", &own[..])] {
        let queues: Vec<_> =
            batches.iter().map(|batch| Queue { batch: *batch, step: StepIndex::FIRST, lane }).collect();
        let mut lap = Lap::new(what);
        for queues in queues.chunks(512).take(8) {
            let set = lap.call(store.claim(Claim::of(lane, queues.to_vec(), 512, now()))).await.unwrap();
            lap.count(set.messages.len());
        }
        lap.print();
    }
}

/// Calls that send single messages.
const SINGLES: u32 = 4_096;
const CALLS_AT_ONCE: u32 = 64;

/// Makes so many calls with so many messages each. Returns the batch of each.
async fn join_messages(
    store: &dyn Store,
    lane: LaneId,
    what: &'static str,
    (calls, messages): (u32, u32),
    plan: &dyn Fn(u32) -> Plan,
) -> Vec<BatchId> {
    let joining = |call: u32| Joining {
        plan: plan(call),
        recipients: (call * messages..(call + 1) * messages)
            .map(|n| Recipient {
                address: Some(recipient(n).into()),
                country: country(),
                client_message_id: None,
                fields: Fields::pack([&*recipient(n).to_string(), "Annabel"]),
            })
            .collect(),
        start: Start::of(&Present::queued(now(), None), vec![lane]),
        elsewhere: Vec::new(),
        own_times: Vec::new(),
        client_ids: None,
        tag: tag(),
        audience: "single messages".to_owned(),
        open_until: Some(now() + Span::from_secs(3_600)),
        confirms: Vec::new(),
        now: now(),
    };
    let (mut lap, mut batches) = (Lap::new(what), Vec::new());
    for first in (0..calls).step_by(CALLS_AT_ONCE as usize) {
        let group = (first..calls.min(first + CALLS_AT_ONCE)).map(|call| store.join(joining(call)));
        for joined in lap.call(futures_util::future::join_all(group)).await {
            batches.push(joined.unwrap().batch);
            lap.count(messages as usize);
        }
    }
    lap.print();
    batches
}

/// Claims and records so many messages; returns them as they await receipts.
async fn claim_and_record(
    store: &dyn Store,
    lane: LaneId,
    batch: BatchId,
    messages: u32,
    claimed_at_once: u32,
    what: &'static str,
    recorded_at_once: usize,
) -> Vec<Loaded> {
    let mut claims = Lap::new(match claimed_at_once {
        500 => "claim, 500 a call",
        1_000 => "claim, 1,000 a call",
        _ => "claim, 2,000 a call",
    });
    let mut records = Lap::new(what);
    let mut waiting = Vec::new();
    let mut answered = Vec::new();
    let mut left = messages;
    while left > 0 {
        let limit = claimed_at_once.min(left);
        let claim = Claim::of(lane, vec![Queue { batch, step: StepIndex::FIRST, lane }], limit, now());
        let set = claims.call(store.claim(claim)).await.unwrap();
        claims.count(set.messages.len());
        assert_eq!(set.messages.len(), limit as usize);
        left -= limit;
        answered.extend(set.messages.into_iter().map(|claimed| accepted(&claimed.message)));
        while answered.len() >= recorded_at_once || (left == 0 && !answered.is_empty()) {
            let rest = answered.split_off(recorded_at_once.min(answered.len()));
            let changes = std::mem::replace(&mut answered, rest);
            waiting.extend(changes.iter().map(after));
            records.count(changes.len());
            assert!(records.call(store.record(changes)).await.unwrap().is_empty());
        }
    }
    claims.print();
    records.print();
    waiting
}

fn country() -> Country {
    "SG".parse().unwrap()
}

fn after(change: &Change) -> Loaded {
    let Change { key, address, version, lane, after, .. } = *change;
    Loaded { key, address, country: country(), version: version + 1, lane, present: after }
}

fn change(message: &Loaded, after: Present, fact: Option<Attempt>) -> Change {
    let Loaded { key, address, version, lane, present, .. } = *message;
    Change {
        key,
        address,
        version,
        before: present,
        after,
        lane_before: lane,
        lane,
        steps: 2,
        fact,
        ruling: Ruling::default(),
        notes: Vec::new(),
        settlements: Vec::new(),
        observed: Vec::new(),
    }
}

fn accepted(message: &Loaded) -> Change {
    let step = message.present.step;
    let after = Present {
        state: State::Awaiting { due: now() + Span::from_secs(900) },
        marks: message.present.marks.with_handed_over(step).with_status(step, Status::Accepted),
        first_submitted_at: Some(now()),
        accepted: Some(now()),
        ..message.present
    };
    let fact = Attempt {
        step,
        lane: message.lane,
        queued: now(),
        intent: Some(now()),
        answered: now(),
        verdict: Verdict::Accepted,
        tries: 1,
        code: None,
        detail: None,
        umid: Some(umid(message.key.n)),
        ruling: Ruling::default(),
    };
    change(message, after, Some(fact))
}

/// Half of the receipts carry our id, half of them only the umid.
async fn deliver(store: &dyn Store, batch: BatchId, messages: &[Loaded]) {
    let mut finds = Lap::new("find attempts, 2,000 a call");
    let mut takes = Lap::new("take receipts, 2,000 a call");
    let mut twice = Lap::new("take them again, 2,000 a call");
    for some in messages.chunks(AT_ONCE as usize) {
        let step = StepIndex::FIRST;
        let keys = some.iter().map(|message| match message.key.n % 2 {
            0 => Key::Umid(umid(message.key.n)),
            _ => Key::Attempt { id: AttemptId { key: message.key, step, tag: tag() }, umid: None },
        });
        let keys = keys.collect();
        finds.count(some.len());
        let found = finds.call(store.find(keys)).await.unwrap();
        let changes: Vec<_> = found
            .iter()
            .flatten()
            .map(|found| {
                let before = found.message.present;
                let marks = before.marks.with_status(step, Status::Delivered).with_ending(step, Ending::Success);
                let state = State::Done { outcome: Outcome::Reached, skipped: None, at: now() };
                change(&found.message, Present { state, marks, ..before }, None)
            })
            .collect();
        assert_eq!(changes.len(), some.len());
        let receipts: Vec<_> = some
            .iter()
            .map(|message| Receipt {
                key: message.key,
                step,
                stamp: now(),
                state: "delivered".to_owned(),
                detail: "delivered_to_recipient".to_owned(),
                code: 0,
                received: now(),
                tries: Some(0),
                umid: Some(umid(message.key.n)),
                charge: None,
                ruling: Ruling::default(),
            })
            .collect();
        takes.count(receipts.len());
        let late = takes
            .call(store.take(WebhookGroup { receipts: receipts.clone(), changes, ..WebhookGroup::default() }))
            .await
            .unwrap();
        assert!(late.stale.is_empty());
        twice.count(receipts.len());
        twice.call(store.take(WebhookGroup { receipts, ..WebhookGroup::default() })).await.unwrap();
    }
    assert_eq!(store.tallies(batch).await.unwrap().outcome(Outcome::Reached), i64::try_from(messages.len()).unwrap());
    finds.print();
    takes.print();
    twice.print();
}

/// Every waiting message is due: it falls back to its next step.
async fn fall_back(store: &dyn Store, batch: BatchId) {
    let mut reads = Lap::new("read what is due, 2,000 a call");
    let mut records = Lap::new("record the next step, 2,000 a call");
    let later = now() + Span::from_secs(900);
    loop {
        let due = reads.call(store.due(batch, later, None, AT_ONCE)).await.unwrap();
        if due.is_empty() {
            break;
        }
        reads.count(due.len());
        let step = StepIndex::FIRST.next().unwrap();
        let changes: Vec<_> = due
            .iter()
            .map(|message| {
                let marks = message.present.marks.with_ending(StepIndex::FIRST, Ending::Deadline);
                let state = State::Queued { not_before: later, gives_up: None };
                change(message, Present { state, step, marks, ..message.present }, None)
            })
            .collect();
        records.count(changes.len());
        assert!(records.call(store.record(changes)).await.unwrap().is_empty());
    }
    reads.print();
    records.print();
}

async fn opt_out(store: &dyn Store, people: u32) {
    let mut lap = Lap::new("opt out, 2,000 a call");
    for first in (0..people).step_by(AT_ONCE as usize) {
        let wishes: Vec<_> = (first..people.min(first + AT_ONCE))
            .map(|n| OptOut {
                address: recipient(n).into(),
                of: WishSubject::EVERYTHING,
                since: now(),
                from: OptOutSource::Operator,
                source: "STOP".to_owned(),
            })
            .collect();
        lap.count(wishes.len());
        lap.call(store.opt_out(wishes)).await.unwrap();
    }
    lap.print();
}
