//! Receipts without our id: which of them may be of an attempt that nobody knows, and which are another sender's.

use super::*;
use crate::config::{Config, Lane};
use crate::domain::Status;
use crate::receipts::incoming::{Incoming, Parsed};

/// The lanes of the plan, as one subaccount knows them, at one address.
fn lanes(sub_account: &str, base_url: &str) -> Vec<Lane> {
    let text = format!(
        "[provider]\nsub_account = \"{sub_account}\"\nbase_url = \"{base_url}\"\n\
         [[lane]]\nname = \"vb\"\nchannel = \"Viber\"\n[[lane]]\nname = \"sms\"\nchannel = \"SMS\"\n"
    );
    let none = std::iter::empty::<(&str, String)>();
    Config::read(Some((std::path::Path::new("volley.toml"), &text)), std::iter::empty(), none).unwrap().config.lanes
}

const ADDRESS: &str = "https://a.example";
/// The default `timeout`, and five seconds in which its end is written down.
const SETTLED: i64 = 35;

/// A receipt of some message to the recipient on Viber.
#[derive(Clone, Copy)]
struct Foreign {
    named: Option<&'static str>,
    stamp: Timestamp,
    received: Timestamp,
}

impl Foreign {
    /// What a webhook of acme's says of it.
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
        parse(body.into(), None, self.received)
    }
}

impl Desk {
    async fn on(sub_account: &str, base_url: &str) -> Self {
        Self::with(plan(), lanes(sub_account, base_url)).await
    }

    /// The answer to the first step never comes: nobody knows what became of it.
    async fn lose(&self) -> Timestamp {
        let claimed = self.claim().await;
        let State::Sending { intent, .. } = claimed.present.state else { unreachable!() };
        self.settle(&claimed, Answer::Unknown, Some((Verdict::Unknown, None))).await;
        intent
    }

    /// The answer to the first step never comes. What comes five seconds later may be of it.
    async fn lose_and_wait(&self) -> Foreign {
        let stamp = self.lose().await;
        self.wait(5);
        Foreign { named: None, stamp, received: self.clock.now() }
    }

    async fn hear_foreign(&self, foreign: Foreign) {
        self.applier.apply(foreign.posted("foreign", "delivered")).await.unwrap();
    }

    /// From when receipts count, by their facts.
    async fn counts_from(&self) -> Vec<Timestamp> {
        self.store.receipts(self.key).await.unwrap().iter().map(|receipt| receipt.received).collect()
    }

    async fn is_adopted(&self) -> bool {
        !self.message().await.present.marks.unknown(StepIndex::FIRST)
    }

    /// A receipt that names our id.
    async fn hear_from(&self, sub_account: &str) {
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
        self.applier.apply(parse(body.into(), None, self.clock.now())).await.unwrap();
    }

    /// The next server on the same database.
    fn restart(&mut self, sub_account: &str, base_url: &str) {
        self.restart_after(Vec::new(), sub_account, base_url);
    }

    fn restart_after(&mut self, missed: Vec<Gap>, sub_account: &str, base_url: &str) {
        let (lanes, untold) = (lanes(sub_account, base_url), Tell::new(|_| {}));
        (self.applier, self.intake) = applier(&self.store, &self.book, &self.clock, lanes, missed, untold);
    }

    async fn naming(&self) -> Vec<String> {
        let known = self.applier.naming.known(self.store.as_ref()).await.unwrap();
        known.iter().cloned().collect()
    }
}

#[tokio::test]
async fn a_receipt_without_our_id_adopts_only_what_was_begun_before_it() {
    // Both in milliseconds after the intent.
    for (stamp, received, adopts) in [
        (60_000, 61_000, true),
        // The clock of the provider may be two minutes behind ours.
        (-119_999, 1, true),
        (-120_000, 30_000, false),
        // Ours is one clock.
        (0, 0, false),
        (60_000, 0, false),
    ] {
        let desk = Desk::on("acme", ADDRESS).await;
        let intent = desk.lose().await;
        desk.wait(SETTLED + 61);
        let after = |millis: i64| Timestamp::from_millis(intent.millis() + millis);
        let [stamp_at, received_at] = [stamp, received].map(after);
        desk.hear_foreign(Foreign { named: None, stamp: stamp_at, received: received_at }).await;
        assert_eq!(desk.is_adopted().await, adopts, "stamped {stamp} ms after the intent, came {received} ms after it");
    }
}

#[tokio::test]
async fn a_receipt_that_may_have_overtaken_its_answer_adopts_nothing_else() {
    let mut desk = Desk::on("acme", ADDRESS).await;
    let foreign = desk.lose_and_wait().await;
    desk.hear_foreign(foreign).await;
    for (waits, adopts) in [(SETTLED - 1, false), (1, true)] {
        assert_eq!((desk.strays().await, desk.is_adopted().await), (1, false), "a request may be under way");
        desk.wait(waits);
        desk.applier.retry_strays().await.unwrap();
        assert_eq!(desk.is_adopted().await, adopts);
    }
    assert_eq!(desk.strays().await, 0);
    assert_eq!(desk.counts_from().await, [desk.clock.now()], "of the time before it says nothing");
}

#[tokio::test]
async fn a_receipt_of_another_of_our_subaccounts_adopts_nothing() {
    let mut desk = Desk::on("promo", ADDRESS).await;
    let of_acme = desk.lose_and_wait().await;
    desk.wait(SETTLED);
    desk.hear_foreign(of_acme).await;
    assert_eq!((desk.strays().await, desk.is_adopted().await), (1, false));
    desk.restart("acme", ADDRESS);
    desk.hear_foreign(of_acme).await;
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
    desk.hear_foreign(foreign).await;
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
    desk.hear_foreign(Foreign { named: None, stamp: now, received: now }).await;
    assert_eq!(desk.strays().await, 1);
    desk.wait(5);
    desk.lose().await;
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
        desk.hear_foreign(Foreign { named: Some(named), ..foreign }).await;
        assert_eq!((desk.strays().await, desk.is_adopted().await), (1, false), "{named}");
    }
}

#[tokio::test]
async fn that_receipts_carry_our_ids_is_known_of_a_lane_as_it_is() {
    let mut desk = Desk::on("acme", ADDRESS).await;
    desk.lose().await;
    desk.wait(5);
    // What another subaccount says is no news of this lane.
    desk.hear_from("other").await;
    assert_eq!(desk.naming().await, Vec::<String>::new());
    desk.hear_from("acme").await;
    assert_eq!(desk.naming().await, ["vb"]);

    // Known across a restart, and for what the lane is to the provider alone.
    desk.restart("acme", ADDRESS);
    assert_eq!(desk.naming().await, ["vb"]);
    for (sub_account, base_url) in [("other", ADDRESS), ("acme", "https://b.example")] {
        desk.restart(sub_account, base_url);
        assert_eq!(desk.naming().await, Vec::<String>::new(), "{sub_account} at {base_url}");
    }
}

#[tokio::test]
async fn a_lane_whose_receipts_carry_our_ids_adopts_by_no_number() {
    let mut desk = Desk::on("acme", ADDRESS).await;
    let kept = store::NamingLane {
        lane: "vb".to_owned(),
        sub_account: "acme".to_owned(),
        base_url: ADDRESS.to_owned(),
        since: desk.clock.now(),
    };
    desk.store.take(Taken { naming: vec![kept], ..Taken::default() }).await.unwrap();
    let foreign = desk.lose_and_wait().await;
    desk.wait(SETTLED);
    desk.hear_foreign(foreign).await;
    assert!(!desk.is_adopted().await, "it would have named our id");
    // To another address nobody knows that of it.
    desk.restart("acme", "https://b.example");
    desk.hear_foreign(foreign).await;
    assert!(desk.is_adopted().await);
}

#[tokio::test]
async fn what_the_provider_is_asked_by_our_id_tells_nothing_of_its_receipts() {
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
    let told = Incoming::new(&receipt, desk.clock.now());
    desk.applier.apply(Parsed { receipts: vec![told], ..Parsed::default() }).await.unwrap();
    assert_eq!(desk.naming().await, Vec::<String>::new());
}
