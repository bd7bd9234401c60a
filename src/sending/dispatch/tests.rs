//! Tests of a running lane without a network.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::claimer::{Claimer, Next};
use super::job::{Details, Job, Settled};
use super::recorder::Recorder;
use super::turnstile::Turnstile;
use super::worker::Worker;
use super::{LaneParts, RunningLane};
use crate::base::clock::{Chance, Clock, ManualClock};
use crate::base::config::Config;
use crate::base::domain::{
    AfterGap, ApiCalls, BatchId, BatchState, Channel, Country, Fault, Fields, Hours, MessageKey, Msisdn, OptOutSource,
    Plan, Present, Queue, Recipient, Span, State, Step, StepIndex, Tag, Timestamp, WishSubject,
};
use crate::base::events::Origin;
use crate::provider::client::{Broken, Client, Endpoint, Gate, RawAnswer, Transport};
use crate::rules::engine::{Answer, CallOff, StepObstacle};
use crate::rules::planner::Pass;
use crate::sending::book::Book;
use crate::sending::throttle::{Bucket, End, Holds, Pace, Pairs, SUBMITTED_WITHIN, Tenure};
use crate::store::{
    self, Claim, Epoch, Inbound, KnownAs, NewAudience, NewBatch, OptOut, PieceOfMessages, Start, Store, Verdict,
    WebhookGroup,
};

mod claims;
mod epochs;
mod fleet;
mod order;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A provider that gives every request the same answer.
#[derive(Debug)]
struct Says {
    status: u16,
    body: &'static str,
    requests: Arc<Mutex<u32>>,
    reads: Arc<Mutex<u32>>,
    /// Whether reads are answered.
    answers_reads: Arc<AtomicBool>,
    reads_take_a_moment: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl Transport for Says {
    async fn post(&self, _: Endpoint, _: Vec<u8>, gate: Arc<dyn Gate>) -> Result<RawAnswer, Broken> {
        if !gate.open() {
            return Err(Broken::Withdrawn);
        }
        *self.requests.lock() += 1;
        Ok(RawAnswer { status: self.status, retry_after: None, body: self.body.into() })
    }

    async fn details(&self, _: &crate::base::domain::Umid) -> Result<RawAnswer, Broken> {
        *self.reads.lock() += 1;
        if self.reads_take_a_moment.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        if !self.answers_reads.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let body = br#"{"code":1300,"message":"Object wasn't found or is already expired"}"#;
        Ok(RawAnswer { status: 404, retry_after: None, body: body[..].into() })
    }
}

struct Desk {
    clock: Arc<ManualClock>,
    store: Arc<dyn Store>,
    book: Arc<Book>,
    holds: Arc<Holds>,
    lane: Arc<RunningLane>,
    requests: Arc<Mutex<u32>>,
    reads: Arc<Mutex<u32>>,
    answers_reads: Arc<AtomicBool>,
    reads_take_a_moment: Arc<AtomicBool>,
    turnstile: Arc<Turnstile>,
    sender: mpsc::Sender<Settled>,
    settled: mpsc::Receiver<Settled>,
}

impl Desk {
    async fn new(lane: &str, provider: &str, status: u16, body: &'static str) -> Self {
        Self::on(Channel::Sms, lane, provider, status, body).await
    }

    async fn on(channel: Channel, lane: &str, provider: &str, status: u16, body: &'static str) -> Self {
        Self::at("sqlite::memory:", channel, lane, provider, (status, body)).await
    }

    async fn at(url: &str, channel: Channel, lane: &str, provider: &str, (status, body): (u16, &'static str)) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let as_clock = || Arc::clone(&clock) as Arc<dyn Clock>;
        let store = store::open(url, as_clock()).await.unwrap();
        let text = format!(
            "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n{provider}\n\
             [[lane]]\nname = \"sms\"\nchannel = \"{channel}\"\n{lane}\n"
        );
        let none = std::iter::empty::<(&str, String)>();
        let path = std::path::Path::new("volley.toml");
        let config = Config::read(Some((path, &text)), std::iter::empty(), none).unwrap().config;
        let config = config.lane("sms").unwrap().clone();
        let id = store.lanes(vec![("sms".to_owned(), channel)]).await.unwrap()[0].id;
        let (book, holds) = (Arc::new(Book::new(Arc::clone(&store))), Arc::new(Holds::default()));
        let (requests, reads) = (Arc::default(), Arc::default());
        let (answers_reads, reads_take_a_moment) = (Arc::new(AtomicBool::new(true)), Arc::default());
        let says = Says {
            status,
            body,
            requests: Arc::clone(&requests),
            reads: Arc::clone(&reads),
            answers_reads: Arc::clone(&answers_reads),
            reads_take_a_moment: Arc::clone(&reads_take_a_moment),
        };
        let lane = RunningLane::new(LaneParts {
            id,
            client: Client::new(Box::new(says)),
            pace: Pace::new(Arc::new(Bucket::new(config.rate, config.burst, as_clock())), None),
            config,
            pairs: (channel == Channel::WhatsApp).then(|| Arc::new(Pairs::new(as_clock()))),
            tier: None,
            holds: Arc::clone(&holds),
            tenure: Arc::new(Tenure::unending()),
            fleet: Arc::default(),
            book: Arc::clone(&book),
            clock: as_clock(),
            chance: Arc::new(Chance::seeded(1)),
        });
        let (sender, settled) = mpsc::channel(10_000);
        let turnstile = Turnstile::new(Arc::clone(&lane), sender.clone(), CancellationToken::new());
        let turnstile = Arc::new(turnstile);
        Self {
            clock,
            store,
            book,
            holds,
            lane,
            requests,
            reads,
            answers_reads,
            reads_take_a_moment,
            turnstile,
            sender,
            settled,
        }
    }

    fn worker(&self, turnstile: &Arc<Turnstile>) -> Worker {
        Worker {
            lane: Arc::clone(&self.lane),
            turnstile: Arc::clone(turnstile),
            settled: self.sender.clone(),
            store: self.store.clone(),
        }
    }

    async fn campaign(&self, name: &str, recipients: u32) -> BatchId {
        self.named(Some(name), recipients, "Hello", None).await
    }

    /// A running batch of this many recipients with this text.
    async fn batch(&self, recipients: u32, text: &str, gives_up: Option<Timestamp>) -> BatchId {
        self.named(None, recipients, text, gives_up).await
    }

    async fn named(&self, name: Option<&str>, recipients: u32, text: &str, gives_up: Option<Timestamp>) -> BatchId {
        self.of_step(name, recipients, Step::of_text(Channel::Sms, "sms", text), gives_up).await
    }

    async fn of_step(&self, name: Option<&str>, recipients: u32, step: Step, gives_up: Option<Timestamp>) -> BatchId {
        let queued = Present::queued(self.clock.now(), gives_up);
        self.of_steps(name, recipients, vec![step], &queued).await
    }

    /// A running batch of this many recipients, whose messages are in this state.
    async fn of_steps(&self, name: Option<&str>, recipients: u32, steps: Vec<Step>, stands: &Present) -> BatchId {
        let plan = Plan { columns: vec!["code".to_owned()], after_gap: AfterGap::Wait, ..Plan::of_steps(steps) };
        self.of_plan(name, recipients, plan, stands).await
    }

    async fn of_plan(&self, name: Option<&str>, recipients: u32, plan: Plan, stands: &Present) -> BatchId {
        let (store, now) = (&self.store, self.clock.now());
        let rows = (0..recipients).map(|n| Recipient {
            address: Some(recipient(n).into()),
            country: "SG".parse::<Country>().unwrap(),
            client_message_id: None,
            fields: Fields::pack([""]),
        });
        let new =
            NewAudience { known_as: KnownAs::Nothing, source: String::new(), columns: vec!["code".to_owned()], now };
        let audience = store.begin_audience(new).await.unwrap();
        store.add_recipients(audience, 0, rows.collect()).await.unwrap();
        store.publish_audience(audience, recipients, "{}".to_owned()).await.unwrap();
        let heeds = plan.heeds();
        let new = NewBatch {
            tag: Tag::from_random(7),
            plan,
            name: name.map(str::to_owned),
            audience: String::new(),
            audience_ids: vec![audience],
            starts_at: None,
            // Single messages join a batch without a name.
            open_until: name.is_none().then(|| self.clock.now() + Span::from_secs(3_600)),
            now,
        };
        let batch = store.begin_batch(new).await.unwrap();
        let spread = PieceOfMessages {
            batch,
            audience,
            from: 0,
            until: recipients,
            base: 0,
            over: None,
            start: Start::of(stands, vec![self.lane.id]),
            elsewhere: Vec::new(),
            users: Vec::new(),
            excluded: Vec::new(),
            lacking: Vec::new(),
            left_out: Vec::new(),
            heeds,
            now,
        };
        store.write_messages(spread).await.unwrap();
        store.publish_batch(batch, BatchState::Running, Origin::SERVER, now).await.unwrap();
        self.book.refresh().await.unwrap();
        batch
    }

    async fn jobs(&self, batch: BatchId, limit: u32) -> Vec<Job> {
        let queues = vec![Queue { batch, step: StepIndex::FIRST, lane: self.lane.id }];
        let entry = self.book.get(batch).await.unwrap().unwrap();
        let heeds = queues.iter().map(|queue| ((batch, queue.step), entry.plan.heeds_at(queue.step))).collect();
        let claim = Claim { heeds, ..Claim::of(self.lane.id, queues, limit, self.clock.now()) };
        let suppression = self.book.latest_suppression();
        let set = self.store.claim(claim).await.unwrap();
        set.messages.into_iter().map(|claimed| Job { entry: Arc::clone(&entry), claimed, suppression }).collect()
    }

    /// The results of these jobs after a worker has sent them.
    async fn worked(&mut self, jobs: Vec<Job>) -> Vec<Settled> {
        let turnstile = Turnstile::new(Arc::clone(&self.lane), self.sender.clone(), CancellationToken::new());
        let turnstile = Arc::new(turnstile);
        turnstile.fill(jobs);
        turnstile.close();
        self.worker(&turnstile).run().await;
        self.all_settled()
    }

    fn all_settled(&mut self) -> Vec<Settled> {
        std::iter::from_fn(|| self.settled.try_recv().ok()).collect()
    }

    /// Records everything, and advances the clock whenever a task sleeps.
    async fn recorded(&self, settled: Vec<Settled>) {
        let (recorder, sender) = Recorder::new(Arc::clone(&self.store), Vec::new());
        for settled in settled {
            sender.send(settled).await.unwrap();
        }
        drop(sender);
        let time_goes_on = async {
            loop {
                if let Some(at) = self.clock.next_sleeper() {
                    self.clock.advance(at.since(self.clock.now()));
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = recorder.run(Arc::clone(&self.clock) as Arc<dyn Clock>) => {}
            () = time_goes_on => {}
        }
    }
}

fn recipient(n: u32) -> Msisdn {
    Msisdn::try_from(6_591_000_000 + u64::from(n)).unwrap()
}

fn answers(settled: &[Settled]) -> Vec<Answer> {
    settled.iter().map(|settled| settled.answer).collect()
}

const TEN_AT_ONCE: &str = "send = \"batch\"\nbatch_size = 10";

#[tokio::test]
async fn a_message_that_expires_at_the_turnstile_is_requeued() {
    let mut desk = Desk::new("rate = \"10/s\"", "", 200, "").await;
    let short = desk.batch(3, "Hello", Some(START + Span::from_secs(1))).await;
    let long = desk.batch(1, "Hello", None).await;
    desk.turnstile.fill(desk.jobs(short, 3).await);
    desk.turnstile.fill(desk.jobs(long, 1).await);
    desk.clock.advance(Span::from_millis(999));
    let first = desk.turnstile.next().now_or_never().flatten().unwrap();
    assert_eq!((first.jobs.len(), first.jobs[0].claimed.message.key.batch), (1, short));
    first.tokens.spend().unwrap();
    desk.clock.advance(Span::from_millis(101));
    let next = desk.turnstile.next().now_or_never().flatten().unwrap();
    assert_eq!(next.jobs[0].claimed.message.key.batch, long, "the expired messages no longer block it");
    assert_eq!(answers(&desk.all_settled()), [Answer::NotBegun, Answer::NotBegun]);
}

#[tokio::test]
async fn a_refused_batch_puts_one_hold_and_later_answers_to_it_none() {
    let mut desk = Desk::new("rate = \"2000/s\"", TEN_AT_ONCE, 401, r#"{"code":1200}"#).await;
    let batch = desk.batch(30, "Hello", None).await;
    desk.clock.advance(Span::from_secs(1));
    let jobs = desk.jobs(batch, 10).await;
    assert_eq!(desk.worked(jobs).await.len(), 10);
    let [(hold, begun)] = &desk.holds.unwritten()[..] else { panic!("{:?}", desk.holds) };
    let seq = desk.store.hold(hold.clone(), *begun).await.unwrap();
    desk.holds.written(hold, seq);
    assert_eq!(*desk.requests.lock(), 1);
    // Another request began before the hold, an operator releases the hold, and only then its answer comes.
    let begun = desk.clock.now();
    let late = desk.jobs(batch, 10).await;
    desk.clock.advance(Span::from_secs(1));
    desk.holds.replace(Vec::new(), seq + 1, desk.clock.now());
    let refusal = crate::provider::client::Refusal {
        fault: Fault::Sender(crate::base::domain::SenderPart::Lane),
        subject: crate::base::domain::RefusalSubject::Account,
        code: Some(1200),
        detail: "no".to_owned(),
        retry_after: None,
        is_known: true,
    };
    for job in late {
        super::settle::settle(job, &desk.lane, crate::provider::client::SendAnswer::Refused(refusal.clone()), begun);
    }
    assert_eq!(desk.holds.on_lane("sms"), None);
    // A request that begins now shows that the cause remains.
    let jobs = desk.jobs(batch, 10).await;
    desk.worked(jobs).await;
    assert!(desk.holds.on_lane("sms").is_some());
}

#[tokio::test]
async fn isolation_ends_when_a_message_is_settled_or_called_off() {
    let mut desk = Desk::new("rate = \"2000/s\"", TEN_AT_ONCE, 400, r#"{"code":1002}"#).await;
    let spoiled = desk.batch(5, "Hello", None).await;
    let without = desk.batch(1, "Your code is {{code}}", None).await;
    desk.clock.advance(Span::from_secs(1));
    let jobs = desk.jobs(spoiled, 5).await;
    desk.worked(jobs).await;
    let isolated = |batch, n| desk.lane.is_isolated(MessageKey { batch, n });
    assert!((0..5).all(|n| isolated(spoiled, n)));
    let from = vec![BatchState::Running];
    desk.store.move_batch(spoiled, from, BatchState::Cancelling, None, desk.clock.now()).await.unwrap();
    desk.lane.schedule_all();
    assert!(isolated(spoiled, 0), "the cancel is not known yet");
    desk.book.refresh().await.unwrap();
    desk.lane.schedule_all();
    assert!((0..5).all(|n| !isolated(spoiled, n)));
    // A message that turns out to have nothing to send.
    desk.lane.isolate(MessageKey { batch: without, n: 0 });
    let jobs = desk.jobs(without, 1).await;
    let settled = desk.worked(jobs).await;
    assert_eq!(answers(&settled), [Answer::CannotLeave(StepObstacle::MissingVariable)]);
    assert!(!desk.lane.is_isolated(MessageKey { batch: without, n: 0 }));
}

#[tokio::test]
async fn an_answer_that_reports_an_opt_out_records_it() {
    let desk = Desk::new("rate = \"10/s\"", "", 200, "").await;
    let batch = desk.batch(2, "Hello", None).await;
    let refused = Answer::Refused { fault: Fault::OptedOut, again: START };
    let details = || Details { code: Some(1051), ..Details::default() };
    let jobs = desk.jobs(batch, 2).await;
    let settled = jobs.into_iter().map(|job| match job.claimed.message.key.n {
        0 => Settled::new(job, &desk.lane, refused, Some((Verdict::Rejected, details()))),
        _ => Settled::new(job, &desk.lane, Answer::NotBegun, None),
    });
    desk.recorded(settled.collect()).await;
    let opt_outs = desk.store.opt_outs(store::Cursor::START, 9).await.unwrap();
    let of_marketing = WishSubject::marketing_on(Channel::Sms, Some("acme".to_owned()));
    assert_eq!(
        opt_outs.into_iter().map(|(_, it)| (it.address, it.of)).collect::<Vec<_>>(),
        [(recipient(0).into(), of_marketing)]
    );
    assert!(desk.store.in_flight(Epoch(1), None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_confirmation_is_sent_only_while_its_recipient_is_opted_out() {
    let mut desk = Desk::new("rate = \"2000/s\"", "", 200, "").await;
    let steps = vec![Step::of_text(Channel::Sms, "sms", "Bye")];
    let plan = Plan { columns: vec!["code".to_owned()], confirms_opt_out: true, ..Plan::of_steps(steps) };
    let now = desk.clock.now();
    let (from, source) = (OptOutSource::Recipient, "STOP".to_owned());
    desk.store
        .opt_out(vec![OptOut { address: recipient(0).into(), of: WishSubject::EVERYTHING, since: now, from, source }])
        .await
        .unwrap();
    let batch = desk.of_plan(None, 2, plan, &Present::queued(now, None)).await;
    desk.clock.advance(Span::from_secs(1));
    let jobs = desk.jobs(batch, 2).await;
    assert_eq!(jobs.len(), 2);
    let settled = desk.worked(jobs).await;
    assert_eq!(*desk.requests.lock(), 1);
    let ended: Vec<_> = settled.iter().filter(|it| it.then.is_some()).map(|it| (it.message.key.n, it.then)).collect();
    assert_eq!(ended, [(1, Some(CallOff::Cancel))], "the other recipient has opted in again");
}

#[tokio::test]
async fn the_recorder_ends_when_the_store_is_closed() {
    let desk = Desk::new("rate = \"10/s\"", "", 200, "").await;
    let batch = desk.batch(1, "Hello", None).await;
    let jobs = desk.jobs(batch, 1).await;
    let settled = jobs.into_iter().map(|job| job.requeue(&desk.lane, None)).collect();
    desk.store.close().await;
    desk.recorded(settled).await;
}

/// Claims until the claimer has to wait.
async fn claims(claimer: &Claimer) {
    while claimer.run_once().await.unwrap() == Next::Now {}
}

#[tokio::test]
async fn unrecorded_messages_are_bounded_and_unsent_ones_more_tightly() {
    let desk = Desk::new("rate = \"400/s\"", "", 200, "").await;
    desk.batch(2_500, "Hello", None).await;
    desk.lane.schedule_all();
    let claimer = Claimer::new(Arc::clone(&desk.lane), Arc::clone(&desk.store), Arc::clone(&desk.turnstile));
    let in_flight = async || desk.store.in_flight(Epoch(1), None, 10_000).await.unwrap().len();
    claims(&claimer).await;
    // Two claims of 100 ms of the rate each.
    assert_eq!(in_flight().await, 80);
    // Requests are sent and answered, and never recorded.
    let mut jobs = Vec::new();
    for _ in 0..2_500 {
        desk.clock.advance(Span::from_millis(3));
        if let Some(request) = desk.turnstile.next().now_or_never().flatten() {
            request.tokens.spend().unwrap();
            request.permit.ended(End::Good, desk.clock.now(), &desk.lane.chance);
            jobs.extend(request.jobs);
        }
        claims(&claimer).await;
    }
    assert_eq!((jobs.len(), in_flight().await), (2_000, 2_000));
    desk.lane.recorded(40);
    claims(&claimer).await;
    assert_eq!(in_flight().await, 2_040);
    assert_eq!(desk.lane.request_size(), NonZeroU32::MIN);
}

/// The batches of the messages that a claimer brings to the turnstile, in order, after each claim.
async fn served(desk: &Desk, claims: usize) -> Vec<BatchId> {
    desk.lane.schedule_all();
    let claimer = Claimer::new(Arc::clone(&desk.lane), Arc::clone(&desk.store), Arc::clone(&desk.turnstile));
    let mut served = Vec::new();
    for _ in 0..claims {
        claimer.run_once().await.unwrap();
        desk.clock.advance(Span::from_secs(60));
        while let Some(Some(request)) = desk.turnstile.next().now_or_never() {
            served.extend(request.jobs.iter().map(|job| job.claimed.message.key.batch));
        }
    }
    served
}

#[tokio::test]
async fn a_big_campaign_does_not_starve_a_small_one_at_any_rate() {
    for rate in ["rate = \"1/s\"\nburst = 50", "rate = \"400/s\"\nburst = 50"] {
        let desk = Desk::new(rate, "", 200, "").await;
        let (big, small) = (desk.campaign("big", 200).await, desk.campaign("small", 4).await);
        let served = served(&desk, 12).await;
        let place = served.iter().rposition(|batch| *batch == small).unwrap();
        let before = served[..place].iter().filter(|batch| **batch == big).count();
        assert_eq!(served.iter().filter(|batch| **batch == small).count(), 4, "{rate}: {served:?}");
        assert!(before <= 40, "{rate}: {before} messages of the big campaign before the last of the small one");
    }
}

#[tokio::test]
async fn single_api_messages_are_sent_before_campaigns() {
    let desk = Desk::new("rate = \"20/s\"\nburst = 50", "", 200, "").await;
    let campaign = desk.campaign("big", 50).await;
    let single = desk.batch(5, "Hello", None).await;
    let served = served(&desk, 4).await;
    assert_eq!(served[..5], [single; 5]);
    assert!(served[5..].iter().all(|batch| *batch == campaign) && served.len() > 5);
}

#[tokio::test]
async fn a_message_whose_window_closes_while_it_waits_is_requeued() {
    let desk = Desk::new("rate = \"10/s\"", "", 200, "").await;
    let batch = desk.batch(2, "Hello", None).await;
    let mut jobs = desk.jobs(batch, 2).await;
    jobs[0].claimed.pass = Pass::Window(START + Span::from_millis(100));
    jobs[1].claimed.pass = Pass::Window(START + Span::from_secs(60));
    desk.turnstile.fill(jobs);
    desk.clock.advance(Span::from_millis(200));
    let request = desk.turnstile.next().now_or_never().flatten().unwrap();
    assert_eq!(request.jobs[0].claimed.message.key.n, 1);
}

/// A campaign sends free text only into windows that are known to be open; of a caller's, the provider decides.
#[tokio::test]
async fn free_text_of_a_caller_is_sent_unless_its_window_is_known_to_be_closed() {
    const DAY: Span = Span::from_secs(86_400);
    for (is_of_a_caller, is_known, sent) in [(false, false, 0), (true, false, 1), (true, true, 0), (false, true, 0)] {
        let mut desk = Desk::on(Channel::WhatsApp, "rate = \"10/s\"", "", 200, "").await;
        if is_known {
            // Others wrote before and within the time that a window can last.
            for (umid, ago) in [("a", 4 * DAY.millis()), ("b", DAY.millis())] {
                let at = START - Span::from_millis(ago);
                let wrote = Inbound {
                    umid: umid.to_owned(),
                    received: at,
                    written_at: at,
                    sub_account: "acme".to_owned(),
                    channel: Some(Channel::WhatsApp),
                    channel_id: String::new(),
                    msisdn: Some(recipient(9)),
                    called: None,
                    kind: "text".to_owned(),
                    choice: None,
                    keyword: None,
                    language: None,
                    window: None,
                    on: None,
                    raw: "{}".to_owned(),
                };
                desk.store.take(WebhookGroup { written: vec![wrote], ..WebhookGroup::default() }).await.unwrap();
            }
        }
        let step = Step::of_text(Channel::WhatsApp, "sms", "Hello");
        let calls = ApiCalls { sub_account: "acme".to_owned(), caller: String::new(), callback: None, extras: None };
        let plan = Plan {
            columns: vec!["code".to_owned()],
            after_gap: AfterGap::Wait,
            api: is_of_a_caller.then_some(calls),
            ..Plan::of_steps(vec![step])
        };
        let queued = Present::queued(desk.clock.now(), None);
        let batch = desk.of_plan(Some("hello"), 1, plan, &queued).await;
        desk.clock.advance(Span::from_secs(1));
        let jobs = desk.jobs(batch, 1).await;
        let settled = desk.worked(jobs).await;
        assert_eq!(*desk.requests.lock(), sent, "{is_of_a_caller} {is_known}: {:?}", answers(&settled));
    }
}

#[tokio::test]
async fn a_message_whose_slot_grows_too_old_while_it_waits_is_requeued() {
    let desk = Desk::new("rate = \"10/s\"", "", 200, "").await;
    let batch = desk.batch(2, "Hello", None).await;
    let mut jobs = desk.jobs(batch, 2).await;
    jobs[0].claimed.pass = Pass::Slot;
    desk.turnstile.fill(jobs);
    // A slot is kept a few seconds longer than a day, because a message may be sent that long after its claim.
    desk.clock.advance(SUBMITTED_WITHIN);
    let request = desk.turnstile.next().now_or_never().flatten().unwrap();
    assert_eq!(request.jobs[0].claimed.message.key.n, 1);
}

/// At the desk's start it is 16:00 in Singapore, where the recipients live.
fn at_hours(window: &str) -> Step {
    let windows = vec![window.parse().unwrap()];
    Step { hours: Hours { windows, ..Hours::default() }, ..Step::of_text(Channel::Sms, "sms", "Hello") }
}

#[tokio::test]
async fn a_message_outside_its_hours_waits_and_is_sent_in_the_next_ones() {
    for window in ["17:00-18:00", "17:00-18:00 Asia/Singapore"] {
        let desk = Desk::new("rate = \"100/s\"\nburst = 50", "", 200, "").await;
        let batch = desk.of_step(Some("office hours"), 30, at_hours(window), None).await;
        assert!(served(&desk, 8).await.is_empty(), "{window}");
        desk.clock.advance((START + Span::from_secs(3_600)).since(desk.clock.now()));
        assert_eq!(served(&desk, 8).await, [batch; 30], "{window}");
    }
}

#[tokio::test]
async fn a_message_whose_hours_end_while_it_waits_is_requeued() {
    let mut desk = Desk::new("rate = \"10/s\"", "", 200, "").await;
    let batch = desk.of_step(Some("office hours"), 1, at_hours("09:00-16:05"), None).await;
    let jobs = desk.jobs(batch, 1).await;
    desk.turnstile.fill(jobs);
    desk.clock.advance(Span::from_secs(300));
    assert!(desk.turnstile.next().now_or_never().flatten().is_none());
    assert_eq!(answers(&desk.all_settled()), [Answer::NotBegun]);
}

#[tokio::test]
async fn messages_beyond_whatsapps_limit_to_a_recipient_wait() {
    let mut desk = Desk::on(Channel::WhatsApp, "rate = \"1000/s\"\nburst = 200", "", 200, "").await;
    // Long after the last submission of an earlier server.
    desk.clock.advance(Span::from_secs(270));
    let batch = desk.batch(60, "Hello", None).await;
    let mut jobs = desk.jobs(batch, 60).await;
    // All but the last are for one recipient, as successive API calls would queue them.
    for job in jobs.iter_mut().take(59) {
        job.claimed.message.address = recipient(0).into();
    }
    desk.turnstile.fill(jobs);
    desk.clock.advance(Span::from_secs(1));
    let mut left = Vec::new();
    while let Some(request) = desk.turnstile.next_now().await {
        left.extend(request.jobs.iter().map(|job| job.claimed.message.key.n));
    }
    assert_eq!(left, (0..45).chain([59]).collect::<Vec<_>>());
    let later = Answer::Later { at: desk.clock.now() + Span::from_secs(6) };
    assert_eq!(answers(&desk.all_settled()), [later; 14]);
}

#[tokio::test]
async fn a_message_left_unknown_by_a_crash_is_due_after_the_gap() {
    let desk = Desk::new("rate = \"10/s\"", "", 200, "").await;
    let batch = desk.batch(1, "Hello", None).await;
    desk.jobs(batch, 1).await;
    // The provider was slow, and accepted the message just before the crash.
    desk.clock.advance(Span::from_secs(30 * 86_400));
    let now = desk.clock.now();
    let in_flight = super::in_flight(desk.store.as_ref(), Epoch(1)).await.unwrap();
    assert_eq!(in_flight.iter().map(|message| message.lane).collect::<Vec<_>>(), [desk.lane.id]);
    super::recover(desk.store.as_ref(), &desk.book, &in_flight, now).await.unwrap();
    let row = desk.store.load(vec![MessageKey { batch, n: 0 }]).await.unwrap().remove(0).present;
    assert_eq!((row.state, row.accepted), (State::Awaiting { due: now }, Some(START)));
}
