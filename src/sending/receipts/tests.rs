//! Receipts that arrive before the answer they depend on, over a database in memory and a manual clock.

mod addresses;
mod business;
mod damaged;
mod fuzz;
mod guard;
mod naming;
mod observed;
mod samples;
mod tries;
mod verifier;

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::applier::{Applier, ApplierOptions, Listening};
use super::callbacks::{Callback, Throttled};
use super::incoming::{Ours, parse};
use super::intake::Intake;
use crate::base::clock::{Chance, Clock, ManualClock};
use crate::base::domain::{
    Address, AfterGap, AttemptId, BatchId, BatchState, Channel, Country, Fields, LaneId, Loaded, MessageKey, Msisdn,
    OptOutOf, Outcome, Plan, Present, Queue, Recipient, Span, State, Step, StepIndex, Tag, Timestamp, Umid,
    WishSubject,
};
use crate::base::events::Origin;
use crate::recipients::optout::Words;
use crate::rules::engine::{Answer, Event, Gap};
use crate::rules::wire;
use crate::sending::book::Book;
use crate::store::{
    self, Attempt, Change, Claim, Cursor, HeldBy, Hold, KnownAs, NewAudience, NewBatch, PieceOfMessages, Start, Store,
    Stray, StrayKind, Verdict, WebhookGroup,
};

const TAG: u64 = 77;

struct Desk {
    store: Arc<dyn Store>,
    book: Arc<Book>,
    clock: Arc<ManualClock>,
    applier: Applier,
    intake: Intake,
    lane: LaneId,
    key: MessageKey,
    /// The throttling that was reported to lanes.
    throttled: Arc<Mutex<Vec<Throttled>>>,
}

fn step(channel: Channel, lane: &str) -> Step {
    Step { fallback_after: Some(Span::from_secs(900)), ..Step::of_text(channel, lane, "Hi") }
}

fn plan() -> Plan {
    Plan {
        columns: vec!["Mobile".to_owned()],
        after_gap: AfterGap::Wait,
        ..Plan::of_steps(vec![step(Channel::Viber, "vb"), step(Channel::Sms, "sms")])
    }
}

fn recipient() -> Recipient {
    Recipient {
        address: Msisdn::try_from(6_591_000_001_u64).ok().map(Address::Number),
        country: Country::WORLD,
        client_message_id: None,
        fields: Fields::pack(["+6591000001"]),
    }
}

/// The applier of a server.
fn applier(
    store: &Arc<dyn Store>,
    book: &Arc<Book>,
    clock: &Arc<ManualClock>,
    lanes: Vec<crate::base::config::Lane>,
    missed: Vec<Gap>,
    on_throttled: Callback<Throttled>,
) -> (Applier, Intake) {
    applier_for(OptOutOf::Everything, store, book, clock, (lanes, missed, on_throttled))
}

/// The same, where a stop word means `stops`.
fn applier_for(
    stops: OptOutOf,
    store: &Arc<dyn Store>,
    book: &Arc<Book>,
    clock: &Arc<ManualClock>,
    (lanes, missed, on_throttled): (Vec<crate::base::config::Lane>, Vec<Gap>, Callback<Throttled>),
) -> (Applier, Intake) {
    Applier::new(
        Arc::clone(store),
        Arc::clone(book),
        ApplierOptions {
            subaccounts: vec!["acme".to_owned()],
            lanes,
            words: Words::default(),
            stops,
            confirms: false,
            missed,
            on_slot_change: Callback::new(|_| {}),
            on_webhook: Callback::new(|_| {}),
            buckets: Callback::new(|()| Vec::new()),
            on_throttled,
        },
        Arc::clone(clock) as Arc<dyn Clock>,
        Arc::new(Chance::seeded(1)),
    )
}

impl Desk {
    /// One message in the queue of its first step.
    async fn new() -> Self {
        Self::of(plan()).await
    }

    async fn of(plan: Plan) -> Self {
        Self::with(plan, Vec::new()).await
    }

    /// A desk whose configuration has these lanes.
    async fn with(plan: Plan, lanes: Vec<crate::base::config::Lane>) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let store = store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let now = clock.now();
        let new = NewAudience {
            known_as: KnownAs::Nothing,
            source: "a.csv".to_owned(),
            columns: vec!["Mobile".to_owned()],
            now,
        };
        let audience = store.begin_audience(new).await.unwrap();
        store.add_recipients(audience, 0, vec![recipient()]).await.unwrap();
        store.publish_audience(audience, 1, "{}".to_owned()).await.unwrap();
        let new = NewBatch {
            tag: Tag::from_random(TAG),
            plan,
            name: None,
            audience: "a.csv".to_owned(),
            audience_ids: vec![audience],
            starts_at: None,
            open_until: None,
            now,
        };
        let batch: BatchId = store.begin_batch(new).await.unwrap();
        let numbered = vec![("vb".to_owned(), Channel::Viber), ("sms".to_owned(), Channel::Sms)];
        let lane = store.lanes(numbered).await.unwrap()[0].id;
        let spread = PieceOfMessages {
            batch,
            audience,
            from: 0,
            until: 1,
            base: 0,
            over: None,
            start: Start::of(&Present::queued(now, None), vec![lane]),
            elsewhere: Vec::new(),
            users: Vec::new(),
            excluded: Vec::new(),
            lacking: Vec::new(),
            left_out: Vec::new(),
            heeds: Some(OptOutOf::Marketing),
            now,
        };
        store.write_messages(spread).await.unwrap();
        store.publish_batch(batch, BatchState::Running, Origin::SERVER, now).await.unwrap();
        let book = Arc::new(Book::new(Arc::clone(&store)));
        let throttled = Arc::new(Mutex::new(Vec::new()));
        let reports = Arc::clone(&throttled);
        let record = Callback::new(move |report| reports.lock().push(report));
        let (applier, intake) = applier(&store, &book, &clock, lanes, Vec::new(), record);
        Self { store, book, clock, applier, intake, lane, key: MessageKey { batch, n: 0 }, throttled }
    }

    fn wait(&self, seconds: i64) {
        self.clock.advance(Span::from_secs(seconds));
    }

    async fn message(&self) -> Loaded {
        self.store.load(vec![self.key]).await.unwrap()[0]
    }

    async fn claim(&self) -> Loaded {
        let queues = vec![Queue { batch: self.key.batch, step: StepIndex::FIRST, lane: self.lane }];
        let claim = Claim::of(self.lane, queues, 1, self.clock.now());
        self.store.claim(claim).await.unwrap().messages[0].message
    }

    /// Records that the provider accepted what was claimed.
    async fn answer(&self, claimed: &Loaded, umid: &str) {
        self.settle(claimed, Answer::Accepted, Some((Verdict::Accepted, Some(umid)))).await;
    }

    /// Records the answer to a claim on the message as it is by then, as dispatch does.
    async fn settle(&self, claimed: &Loaded, answer: Answer, fact: Option<(Verdict, Option<&str>)>) {
        let now = self.clock.now();
        let entry = self.book.get(self.key.batch).await.unwrap().unwrap();
        let present = self.message().await;
        let event = Event::Answered { step: StepIndex::FIRST, answer };
        let mut case = entry.case(&present);
        let ruling = case.apply(&case.decide(&entry.plan, event, now), now);
        let fact = fact.map(|(verdict, umid)| Attempt {
            step: StepIndex::FIRST,
            lane: self.lane,
            queued: now,
            intent: Some(now),
            answered: now,
            verdict,
            tries: claimed.present.tries,
            code: None,
            detail: None,
            umid: umid.map(Umid::new),
            ruling,
        });
        assert!(self.store.record(vec![Change { fact, ..entry.change(case) }]).await.unwrap().is_empty());
    }

    /// Applies a receipt of the attempt that carries our id.
    async fn receive(&self, umid: &str, state: &str, code: Option<i64>) {
        let id = AttemptId { key: self.key, step: StepIndex::FIRST, tag: Tag::from_random(TAG) };
        self.receive_as(Some(id), umid, state, code).await;
    }

    async fn receive_as(&self, id: Option<AttemptId>, umid: &str, state: &str, code: Option<i64>) {
        let receipt = wire::Receipt {
            umid: Some(umid.to_owned().into()),
            client_message_id: id.map(|id| id.to_string().into()),
            channel: Some("viber".into()),
            status: wire::StatusBody {
                state: state.to_owned().into(),
                timestamp: Some(self.clock.now().rfc3339().into()),
                error_code: code,
                ..wire::StatusBody::default()
            },
            ..wire::Receipt::default()
        };
        let mut body = Vec::new();
        receipt.append_event(&mut body);
        let parsed = parse(&body.into(), None, self.clock.now());
        self.applier.apply(parsed).await.unwrap();
    }

    async fn last_event(&self) -> String {
        let events = self.store.events(Cursor::START, 100).await.unwrap();
        events.last().map(|(_, event)| event.text()).unwrap_or_default()
    }

    async fn strays(&self) -> usize {
        self.store.strays(StrayKind::NoAttempt, Timestamp::default(), Cursor::START, 100_000).await.unwrap().len()
    }
}

#[tokio::test]
async fn every_stray_is_retried_however_many_there_are() {
    let mut desk = Desk::new().await;
    let now = desk.clock.now();
    let stray = |received| Stray {
        kind: StrayKind::NoAttempt,
        received,
        umid: None,
        raw: r#"{"eventType":"outbound_message_status_changed","payload":{"umid":"x","status":{"state":"sent"}}}"#
            .to_owned(),
    };
    // Old strays that are no longer retried, many of another sender, and after all of them one of ours.
    let old = vec![stray(now - Span::from_secs(3_600)); 5_000];
    desk.store.take(WebhookGroup { strays: old, ..WebhookGroup::default() }).await.unwrap();
    let foreign = vec![stray(now); 25_000];
    desk.store.take(WebhookGroup { strays: foreign, ..WebhookGroup::default() }).await.unwrap();
    desk.receive_as(None, "first", "undelivered", Some(2008)).await;
    let claimed = desk.claim().await;
    desk.answer(&claimed, "first").await;

    let (mut rounds, mut pages) = (0, 0);
    while desk.message().await.present.step == StepIndex::FIRST {
        pages += 1;
        assert!(pages < 100, "the receipt is never retried");
        if desk.applier.retry_strays().await.unwrap() > desk.clock.now() {
            desk.wait(1);
            rounds += 1;
        }
    }
    assert_eq!(rounds, 2, "a round is bounded, and the next one continues where it stopped");
    assert_eq!(desk.strays().await, 30_000, "our stray was applied");
    desk.wait(60);
    for _ in 0..20 {
        desk.applier.retry_strays().await.unwrap();
    }
    assert_eq!(desk.strays().await, 30_000, "old strays are kept but not retried");
}

#[tokio::test]
async fn a_failed_commit_is_reported_since_the_oldest_waiting_receipt() {
    let Desk { store, clock, applier, intake, .. } = Desk::new().await;
    let came = clock.now();
    let mut taking = Box::pin(intake.take(Bytes::from_static(b"{}")));
    tokio::select! {
        biased;
        _ = &mut taking => panic!("no applier is running yet"),
        () = std::future::ready(()) => {}
    }
    clock.advance(Span::from_secs(10));
    store.close().await;
    let (send, mut reports) = tokio::sync::mpsc::channel(8);
    tokio::spawn(applier.run(move |listening| send.try_send(listening).unwrap_or_default()));
    assert!(taking.await.is_err());
    // No deadline since its arrival may decide before it. Then it is unknown whether later receipts can be stored.
    for expected in [Listening::Pending(Some(came)), Listening::Pending(None), Listening::Failing { since: came }] {
        assert_eq!(reports.recv().await, Some(expected));
    }
}

#[tokio::test]
async fn a_late_receipt_of_an_earlier_submission_does_not_undo_a_resume() {
    const MAY_NOT_SEND: Option<i64> = Some(2_010);
    let desk = Desk::new().await;
    desk.answer(&desk.claim().await, "first").await;
    desk.wait(60);
    let refused = Hold {
        lane: "vb".to_owned(),
        template: String::new(),
        language: String::new(),
        by: HeldBy::Receipt,
        code: Some(2_010),
        origin: Origin::provider("the sender may not send from here"),
        since: desk.clock.now(),
    };
    // The receipt of another message has held the lane, and an operator has resumed it.
    desk.store.hold(refused, desk.clock.now()).await.unwrap();
    desk.wait(60);
    let lifted = desk
        .store
        .release("vb".to_owned(), String::new(), desk.clock.now(), Origin::operator("Ann", None))
        .await
        .unwrap();
    assert_eq!(lifted, 1);
    desk.wait(60);
    desk.receive("first", "undelivered", MAY_NOT_SEND).await;
    assert!(matches!(desk.message().await.present.state, State::Queued { .. }), "the message is resent nevertheless");
    assert_eq!(desk.store.holds().await.unwrap(), []);
    desk.answer(&desk.claim().await, "second").await;
    desk.receive("second", "undelivered", MAY_NOT_SEND).await;
    let [hold] = &desk.store.holds().await.unwrap()[..] else { panic!("it was refused again") };
    assert_eq!((hold.by, hold.code), (HeldBy::Receipt, Some(2_010)));
}

/// A crash before the answer is recorded must not lose the fact.
#[tokio::test]
async fn a_receipt_that_overtakes_the_answer_writes_the_fact() {
    let desk = Desk::new().await;
    let claimed = desk.claim().await;
    let State::Sending { intent, .. } = claimed.present.state else { unreachable!() };
    desk.wait(1);
    desk.receive("first", "sent", None).await;
    let [fact] = &desk.store.attempts(vec![desk.key]).await.unwrap().concat()[..] else {
        panic!("the submission has no fact")
    };
    let umid = Some(Umid::new("first"));
    assert_eq!((fact.intent, fact.verdict, &fact.umid), (Some(intent), Verdict::Accepted, &umid));
    desk.wait(1);
    desk.answer(&claimed, "first").await;
    let [fact] = &desk.store.attempts(vec![desk.key]).await.unwrap().concat()[..] else {
        panic!("one submission, one fact")
    };
    assert_eq!((fact.answered, &fact.umid), (desk.clock.now(), &umid), "the answer completes the fact");
}

/// The webhook of a reply by the recipient of the desk.
fn reply_body(umid: &str, text: &str) -> String {
    format!(
        r#"{{"namespace":"ChatApps","eventType":"inbound_message_received","payload":{{"umid":"{umid}","subAccountId":"acme",
        "timestamp":"2027-01-15T08:00:00.000Z","user":{{"msisdn":"+6591000001"}},"recipient":{{"channel":"viber"}},
        "type":"Text","content":{{"text":"{text}"}},"replyToUmid":"first"}}}}"#
    )
}

#[tokio::test]
async fn an_acknowledged_stop_is_on_disk_and_suppresses_claimed_messages() {
    let Desk { store, book, applier, intake, key, lane, clock, .. } = Desk::new().await;
    let claim = Claim::of(lane, vec![Queue { batch: key.batch, step: StepIndex::FIRST, lane }], 1, clock.now());
    assert!(store.claim(claim).await.unwrap().messages[0].unwanted.is_none(), "the recipient had not opted out yet");
    let suppression = book.latest_suppression();
    tokio::spawn(applier.run(|_| {}));
    let stray = r#"{"eventType":"something_new"}"#;
    intake
        .take(format!("[{},{stray},{}]", reply_body("in-1", "Stop!"), reply_body("in-2", "why?")).into())
        .await
        .unwrap();
    let msisdn = recipient().number().unwrap();
    assert_eq!(store.opted_out(vec![msisdn], OptOutOf::Everything).await.unwrap(), [msisdn]);
    assert!(book.get(key.batch).await.unwrap().unwrap().is_suppressed(msisdn.into(), suppression));
    assert_eq!(store.inbound(store::InboundOf::All, Cursor::START, 10).await.unwrap().len(), 2);
    assert_eq!(store.strays(StrayKind::OtherType, Timestamp::default(), Cursor::START, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_receipt_that_overtook_its_answer_counts_from_its_application() {
    let mut desk = Desk::new().await;
    let claimed = desk.claim().await;
    desk.receive_as(None, "first", "undelivered", Some(2008)).await;
    desk.wait(50);
    desk.answer(&claimed, "first").await;
    desk.applier.retry_strays().await.unwrap();
    let received =
        desk.store.receipts(desk.key).await.unwrap().iter().map(|receipt| receipt.received).collect::<Vec<_>>();
    assert_eq!(received, [desk.clock.now()]);
}

#[tokio::test]
async fn a_reply_before_its_umid_is_known_counts_once_it_is() {
    let mut desk = Desk::new().await;
    let claimed = desk.claim().await;
    // Only the answered message tells the recipient's number.
    let nameless = reply_body("in-1", "STOP").replace(r#""user":{"msisdn":"+6591000001"},"#, "");
    let ours = Ours { subaccounts: ["acme".to_owned()].into(), ..Ours::default() };
    desk.applier.apply(parse(&nameless.into(), Some(&ours), desk.clock.now())).await.unwrap();
    desk.applier.retry_strays().await.unwrap();
    let msisdn = recipient().number().unwrap();
    assert!(desk.store.opted_out(vec![msisdn], OptOutOf::Everything).await.unwrap().is_empty());
    let told = desk.last_event().await;
    assert!(told.ends_with("opted out; it takes effect once the number is known"), "{told}");
    desk.answer(&claimed, "first").await;
    for _ in 0..2 {
        desk.applier.retry_strays().await.unwrap();
    }
    assert_eq!(desk.message().await.present.outcome(), Some(Outcome::Reached));
    assert_eq!(desk.store.replied(desk.key.batch).await.unwrap(), [(StepIndex::FIRST, 1)]);
    assert_eq!(desk.store.opted_out(vec![msisdn], OptOutOf::Everything).await.unwrap(), [msisdn]);
    let kept = desk.store.inbound(store::InboundOf::All, Cursor::START, 10).await.unwrap();
    assert_eq!(
        (kept.len(), kept[0].1.msisdn, desk.store.wishes(msisdn.into()).await.unwrap().len()),
        (1, Some(msisdn), 1)
    );
}

#[tokio::test]
async fn a_receipt_reveals_the_number_of_an_opt_out_without_one() {
    let desk = Desk::new().await;
    let claimed = desk.claim().await;
    desk.answer(&claimed, "first").await;
    let user = |body: String| body.replace(r#""msisdn":"+6591000001""#, r#""channelUserId":"SG.13491208655302741918""#);
    let nameless = user(reply_body("in-1", "STOP").replace(r#","replyToUmid":"first""#, ""));
    assert!(nameless.contains("SG.1349") && !nameless.contains("replyTo"), "{nameless}");
    let ours = Ours { subaccounts: ["acme".to_owned()].into(), ..Ours::default() };
    desk.applier.apply(parse(&nameless.clone().into(), Some(&ours), desk.clock.now())).await.unwrap();
    let events = async |desk: &Desk| desk.store.events(Cursor::START, 100).await.unwrap().len();
    let (msisdn, before) = (recipient().number().unwrap(), events(&desk).await);
    assert_eq!(
        desk.last_event().await,
        "a recipient on Viber whose number is unknown opted out; the id is opted out at once, and a number as soon as it is \
         known with the id"
    );
    assert!(desk.store.opted_out(vec![msisdn], OptOutOf::Everything).await.unwrap().is_empty());
    let entry = desk.book.get(desk.key.batch).await.unwrap().unwrap();
    let suppression = desk.book.latest_suppression();
    let receipt = r#"{"eventType":"outbound_message_status_changed","payload":{"umid":"first","subAccountId":"acme",
        "channel":"Viber","user":{"channelUserId":"SG.13491208655302741918"},"status":{"state":"delivered"}}}"#;
    for _ in 0..2 {
        desk.applier.apply(parse(&receipt.into(), Some(&ours), desk.clock.now())).await.unwrap();
        assert_eq!(desk.store.opted_out(vec![msisdn], OptOutOf::Everything).await.unwrap(), [msisdn]);
        assert!(entry.is_suppressed(msisdn.into(), suppression), "claimed messages are not submitted");
    }
    // From now on the channel user id is known.
    desk.applier.apply(parse(&nameless.replace("in-1", "in-2").into(), Some(&ours), desk.clock.now())).await.unwrap();
    let kept = desk.store.inbound(store::InboundOf::Recipient(msisdn.into()), Cursor::START, 10).await.unwrap();
    assert_eq!((kept.len(), events(&desk).await), (2, before));
}

#[tokio::test]
async fn a_reply_and_a_failure_in_one_webhook_are_decided_together() {
    let desk = Desk::new().await;
    let claimed = desk.claim().await;
    desk.answer(&claimed, "first").await;
    let failed = r#"{"eventType":"outbound_message_status_changed","payload":{"umid":"first","channel":"viber",
        "status":{"state":"undelivered","errorCode":2008}}}"#;
    let body = format!("[{failed},{}]", reply_body("in-1", "got it"));
    let ours = Ours { subaccounts: ["acme".to_owned()].into(), ..Ours::default() };
    let parsed = parse(&body.into(), Some(&ours), desk.clock.now());
    desk.applier.apply(parsed).await.unwrap();
    // The reply proves the failure wrong, so the message does not fall back.
    let message = desk.message().await;
    assert_eq!(message.present.outcome(), Some(Outcome::Reached), "{message:?}");
    assert_eq!(desk.store.receipts(desk.key).await.unwrap().len(), 2);
    assert_eq!(desk.store.replied(desk.key.batch).await.unwrap(), [(StepIndex::FIRST, 1)]);
}

#[tokio::test]
async fn an_opt_out_by_command_takes_effect_when_the_book_refreshes() {
    let desk = Desk::new().await;
    let msisdn = recipient().number().unwrap();
    let wish = |source: &str| store::OptOut {
        address: msisdn.into(),
        of: WishSubject::EVERYTHING,
        since: desk.clock.now(),
        from: crate::base::domain::OptOutSource::Operator,
        source: source.to_owned(),
    };
    desk.book.refresh().await.unwrap();
    let entry = desk.book.get(desk.key.batch).await.unwrap().unwrap();
    let suppression = desk.book.latest_suppression();
    desk.store.opt_out(vec![wish("a list")]).await.unwrap();
    assert!(!entry.is_suppressed(msisdn.into(), suppression));
    desk.book.refresh().await.unwrap();
    assert!(entry.is_suppressed(msisdn.into(), suppression) && desk.book.has_suppressions());
    desk.book.end_suppressions(desk.book.latest_suppression());
    desk.book.refresh().await.unwrap();
    assert!(!desk.book.has_suppressions(), "it is read once");
}

#[tokio::test]
async fn many_opt_outs_by_command_suppress_all_messages_claimed_before() {
    let desk = Desk::new().await;
    desk.book.refresh().await.unwrap();
    let entry = desk.book.get(desk.key.batch).await.unwrap().unwrap();
    let before = desk.book.latest_suppression();
    let out = |number: u64| store::OptOut {
        address: Msisdn::try_from(number).unwrap().into(),
        of: WishSubject::EVERYTHING,
        since: desk.clock.now(),
        from: crate::base::domain::OptOutSource::Operator,
        source: "a list".to_owned(),
    };
    for first in [6_580_000_000_u64, 6_580_005_000, 6_580_010_000] {
        desk.store.opt_out((first..first + 5_000).map(out).collect()).await.unwrap();
    }
    desk.book.refresh().await.unwrap();
    let msisdn = recipient().number().unwrap();
    let after = desk.book.latest_suppression();
    assert!(entry.is_suppressed(msisdn.into(), before), "every message claimed before is suppressed");
    assert!(!entry.is_suppressed(msisdn.into(), after), "a later claim already knows the opt-outs");
    desk.book.end_suppressions(after);
    desk.book.refresh().await.unwrap();
    assert!(!desk.book.has_suppressions(), "the whole list was read");
}
