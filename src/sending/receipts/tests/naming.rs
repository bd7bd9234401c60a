//! Receipts without our id: which may be about an unknown attempt, and which are another sender's.

use super::*;
use crate::base::config::{Config, Lane};
use crate::base::domain::Status;
use crate::sending::receipts::incoming::{Incoming, Parsed};

/// The lanes of the plan, with this subaccount and base URL.
fn lanes(sub_account: &str, base_url: &str) -> Vec<Lane> {
    let text = format!(
        "[provider]\nsub_account = \"{sub_account}\"\nbase_url = \"{base_url}\"\n\
         [[lane]]\nname = \"vb\"\nchannel = \"Viber\"\n[[lane]]\nname = \"sms\"\nchannel = \"SMS\"\n"
    );
    let none = std::iter::empty::<(&str, String)>();
    Config::read(Some((std::path::Path::new("volley.toml"), &text)), std::iter::empty(), none).unwrap().config.lanes
}

const ADDRESS: &str = "https://a.example";
/// The default `timeout`, and five seconds to record its end.
const SETTLED: i64 = 35;

/// A receipt of some message to the recipient on Viber.
#[derive(Clone, Copy)]
struct Foreign {
    named: Option<&'static str>,
    stamp: Timestamp,
    received: Timestamp,
}

impl Foreign {
    /// The webhook of acme that reports it.
    fn posted(self, umid: &'static str, state: &'static str) -> Parsed {
        let receipt = wire::Receipt {
            umid: Some(umid.into()),
            sub_account_id: Some("acme".into()),
            client_message_id: self.named.map(Into::into),
            channel: Some("viber".into()),
            user: Some(wire::User { msisdn: Some("+6591000001".into()), ..wire::User::default() }),
            status: wire::StatusBody {
                state: state.into(),
                timestamp: Some(self.stamp.rfc3339().into()),
                ..wire::StatusBody::default()
            },
            ..wire::Receipt::default()
        };
        let mut body = Vec::new();
        receipt.append_event(&mut body);
        parse(&body.into(), None, self.received)
    }
}

impl Desk {
    async fn on(sub_account: &str, base_url: &str) -> Self {
        Self::with(plan(), lanes(sub_account, base_url)).await
    }

    /// Loses the answer to the first step, so its result is unknown.
    async fn lose_answer(&self) -> Timestamp {
        let claimed = self.claim().await;
        let State::Sending { intent, .. } = claimed.present.state else { unreachable!() };
        self.settle(&claimed, Answer::Unknown, Some((Verdict::Unknown, None))).await;
        intent
    }

    /// Loses the answer to the first step. The receipt, five seconds later, may be about it.
    async fn lose_and_wait(&self) -> Foreign {
        let stamp = self.lose_answer().await;
        self.wait(5);
        Foreign { named: None, stamp, received: self.clock.now() }
    }

    async fn receive_foreign(&self, foreign: Foreign) {
        self.applier.apply(foreign.posted("foreign", "delivered")).await.unwrap();
    }

    /// From when the stored receipts count.
    async fn counts_from(&self) -> Vec<Timestamp> {
        self.store.receipts(self.key).await.unwrap().iter().map(|receipt| receipt.received).collect()
    }

    async fn is_adopted(&self) -> bool {
        !self.message().await.present.marks.unknown(StepIndex::FIRST)
    }

    /// Applies a receipt that carries our id.
    async fn receive_from(&self, sub_account: &str) {
        let receipt = wire::Receipt {
            umid: Some("first".into()),
            sub_account_id: Some(sub_account.to_owned().into()),
            client_message_id: Some(
                AttemptId { key: self.key, step: StepIndex::FIRST, tag: Tag::from_random(TAG) }.to_string().into(),
            ),
            channel: Some("viber".into()),
            status: wire::StatusBody { state: "sent".into(), ..wire::StatusBody::default() },
            ..wire::Receipt::default()
        };
        let mut body = Vec::new();
        receipt.append_event(&mut body);
        self.applier.apply(parse(&body.into(), None, self.clock.now())).await.unwrap();
    }

    /// Starts the next server on the same database.
    fn restart(&mut self, sub_account: &str, base_url: &str) {
        self.restart_after(Vec::new(), sub_account, base_url);
    }

    fn restart_after(&mut self, missed: Vec<Gap>, sub_account: &str, base_url: &str) {
        let (lanes, ignore) = (lanes(sub_account, base_url), Callback::new(|_| {}));
        (self.applier, self.intake) = applier(&self.store, &self.book, &self.clock, lanes, missed, ignore);
    }

    async fn naming(&self) -> Vec<String> {
        let known = self.applier.naming.known(self.store.as_ref()).await.unwrap();
        known.iter().cloned().collect()
    }
}

#[tokio::test]
async fn a_receipt_without_our_id_adopts_only_an_attempt_begun_before_it() {
    // Both in milliseconds after the intent.
    for (stamp, received, adopts) in [
        (60_000, 61_000, true),
        // The clock of the provider may be two minutes behind ours.
        (-119_999, 1, true),
        (-120_000, 30_000, false),
        // Our own clock allows no difference.
        (0, 0, false),
        (60_000, 0, false),
    ] {
        let desk = Desk::on("acme", ADDRESS).await;
        let intent = desk.lose_answer().await;
        desk.wait(SETTLED + 61);
        let after = |millis: i64| Timestamp::from_millis(intent.millis() + millis);
        let [stamp_at, received_at] = [stamp, received].map(after);
        desk.receive_foreign(Foreign { named: None, stamp: stamp_at, received: received_at }).await;
        assert_eq!(desk.is_adopted().await, adopts, "stamped {stamp} ms after the intent, came {received} ms after it");
    }
}

#[tokio::test]
async fn a_receipt_that_may_have_overtaken_its_answer_adopts_nothing_else() {
    let mut desk = Desk::on("acme", ADDRESS).await;
    let foreign = desk.lose_and_wait().await;
    desk.receive_foreign(foreign).await;
    for (waits, adopts) in [(SETTLED - 1, false), (1, true)] {
        assert_eq!((desk.strays().await, desk.is_adopted().await), (1, false), "a request may be under way");
        desk.wait(waits);
        desk.applier.retry_strays().await.unwrap();
        assert_eq!(desk.is_adopted().await, adopts);
    }
    assert_eq!(desk.strays().await, 0);
    assert_eq!(desk.counts_from().await, [desk.clock.now()], "it says nothing about the time before");
}

#[tokio::test]
async fn a_receipt_of_another_of_our_subaccounts_adopts_nothing() {
    let mut desk = Desk::on("promo", ADDRESS).await;
    let of_acme = desk.lose_and_wait().await;
    desk.wait(SETTLED);
    desk.receive_foreign(of_acme).await;
    assert_eq!((desk.strays().await, desk.is_adopted().await), (1, false));
    desk.restart("acme", ADDRESS);
    desk.receive_foreign(of_acme).await;
    assert!(desk.is_adopted().await);
}

#[tokio::test]
async fn of_two_names_for_one_unknown_attempt_only_the_first_adopts_it() {
    let desk = Desk::on("acme", ADDRESS).await;
    let foreign = desk.lose_and_wait().await;
    desk.wait(SETTLED);
    let mut both = foreign.posted("ours", "sent");
    both.receipts.extend(foreign.posted("another", "undelivered").receipts);
    desk.applier.apply(both).await.unwrap();
    let present = desk.message().await.present;
    assert_eq!((present.step, present.marks.status(StepIndex::FIRST)), (StepIndex::FIRST, Some(Status::Sent)));
    assert_eq!(desk.strays().await, 1);
}

#[tokio::test]
async fn a_receipt_that_waits_to_adopt_is_not_forgotten_while_no_server_runs() {
    let mut desk = Desk::on("acme", ADDRESS).await;
    let foreign = desk.lose_and_wait().await;
    desk.receive_foreign(foreign).await;
    let from = desk.clock.now();
    desk.wait(3_600);
    desk.restart_after(vec![Gap { from, until: desk.clock.now() }], "acme", ADDRESS);
    desk.applier.retry_strays().await.unwrap();
    assert_eq!((desk.strays().await, desk.is_adopted().await), (0, true));
    assert_eq!(desk.counts_from().await, [desk.clock.now()]);
}

#[tokio::test]
async fn a_stray_from_before_the_attempt_never_adopts_it() {
    let mut desk = Desk::on("acme", ADDRESS).await;
    let now = desk.clock.now();
    desk.receive_foreign(Foreign { named: None, stamp: now, received: now }).await;
    assert_eq!(desk.strays().await, 1);
    desk.wait(5);
    desk.lose_answer().await;
    desk.wait(SETTLED);
    desk.applier.retry_strays().await.unwrap();
    assert_eq!((desk.strays().await, desk.is_adopted().await), (1, false));
}

#[tokio::test]
async fn a_receipt_that_names_another_message_adopts_nothing() {
    for named in ["order-4711", "att_00000001000000000000000000000000"] {
        let desk = Desk::on("acme", ADDRESS).await;
        let foreign = desk.lose_and_wait().await;
        desk.wait(SETTLED);
        desk.receive_foreign(Foreign { named: Some(named), ..foreign }).await;
        assert_eq!((desk.strays().await, desk.is_adopted().await), (1, false), "{named}");
    }
}

#[tokio::test]
async fn a_lane_learns_that_its_receipts_carry_our_ids() {
    let mut desk = Desk::on("acme", ADDRESS).await;
    desk.lose_answer().await;
    desk.wait(5);
    // A receipt of another subaccount says nothing about this lane.
    desk.receive_from("other").await;
    assert_eq!(desk.naming().await, Vec::<String>::new());
    desk.receive_from("acme").await;
    assert_eq!(desk.naming().await, ["vb"]);

    // It survives a restart, but not a change of the lane's subaccount or base URL.
    desk.restart("acme", ADDRESS);
    assert_eq!(desk.naming().await, ["vb"]);
    for (sub_account, base_url) in [("other", ADDRESS), ("acme", "https://b.example")] {
        desk.restart(sub_account, base_url);
        assert_eq!(desk.naming().await, Vec::<String>::new(), "{sub_account} at {base_url}");
    }
}

#[tokio::test]
async fn a_lane_whose_receipts_carry_our_ids_never_adopts_by_number() {
    let mut desk = Desk::on("acme", ADDRESS).await;
    let kept = store::NamingLane {
        lane: "vb".to_owned(),
        sub_account: "acme".to_owned(),
        base_url: ADDRESS.to_owned(),
        since: desk.clock.now(),
    };
    desk.store.take(WebhookGroup { naming: vec![kept], ..WebhookGroup::default() }).await.unwrap();
    let foreign = desk.lose_and_wait().await;
    desk.wait(SETTLED);
    desk.receive_foreign(foreign).await;
    assert!(!desk.is_adopted().await, "the receipt would have carried our id");
    // With another base URL that is unknown.
    desk.restart("acme", "https://b.example");
    desk.receive_foreign(foreign).await;
    assert!(desk.is_adopted().await);
}

#[tokio::test]
async fn an_answer_to_a_query_by_our_id_says_nothing_about_receipts() {
    let desk = Desk::on("acme", ADDRESS).await;
    let claimed = desk.claim().await;
    desk.answer(&claimed, "first").await;
    let id = AttemptId { key: desk.key, step: StepIndex::FIRST, tag: Tag::from_random(TAG) };
    let receipt = wire::Receipt {
        umid: Some("first".into()),
        client_message_id: Some(id.to_string().into()),
        channel: Some("viber".into()),
        status: wire::StatusBody { state: "sent".into(), ..wire::StatusBody::default() },
        ..wire::Receipt::default()
    };
    let answer = Incoming::new(&receipt, desk.clock.now());
    desk.applier.apply(Parsed { receipts: vec![answer], ..Parsed::default() }).await.unwrap();
    assert_eq!(desk.naming().await, Vec::<String>::new());
}
