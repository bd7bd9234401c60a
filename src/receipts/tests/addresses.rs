//! Numbers by which a channel names recipients: what receipts teach, and what a STOP from such a number does.

use super::*;
use crate::domain::OptOutSource;
use crate::optout::{self, Decision};
use crate::store::{Alias, InboundOf};

/// A number of the recipient's country by which the channel names the recipient.
const NAME: &str = "+6598765432";

impl Desk {
    async fn apply(&self, body: String) {
        let ours = Ours { subaccounts: ["acme".to_owned()].into(), ..Ours::default() };
        self.applier.apply(parse(&body.into(), Some(&ours), self.clock.now())).await.unwrap();
    }

    /// A receipt of the first message, whose recipient the channel names so.
    async fn receive_naming(&self, called: &str) {
        self.apply(format!(
            r#"{{"eventType":"outbound_message_status_changed","payload":{{"umid":"first","subAccountId":"acme",
               "channel":"Viber","user":{{"msisdn":"{called}"}},
               "status":{{"state":"delivered"}}}}}}"#
        ))
        .await;
    }

    /// A STOP from that number which answers no message.
    async fn stop_from(&self, umid: &str, number: &str) {
        let body = reply_body(umid, "STOP").replace("+6591000001", number);
        self.apply(body.replace(r#","replyToUmid":"first""#, "")).await;
    }

    async fn is_opted_out(&self) -> bool {
        !self.store.opted_out(vec![recipient().number().unwrap()]).await.unwrap().is_empty()
    }
}

async fn desk() -> Desk {
    let desk = Desk::new().await;
    let claimed = desk.claim().await;
    desk.answer(&claimed, "first").await;
    desk
}

#[tokio::test]
async fn a_receipt_teaches_the_number_by_which_a_channel_names_its_recipient() {
    for called in [NAME, &NAME[1..]] {
        let desk = desk().await;
        desk.stop_from("before", "+6590000009").await;
        assert!(!desk.is_opted_out().await, "the number of somebody else");
        desk.receive_naming(called).await;
        assert!(!desk.is_opted_out().await);
        desk.stop_from("after", NAME).await;
        assert!(desk.is_opted_out().await, "{called}");
    }
}

#[tokio::test]
async fn a_receipt_opts_out_a_recipient_who_stopped_under_that_number_before() {
    let desk = desk().await;
    desk.stop_from("before", NAME).await;
    assert!(!desk.is_opted_out().await);
    desk.receive_naming(NAME).await;
    assert!(desk.is_opted_out().await);
}

#[tokio::test]
async fn a_number_of_another_country_teaches_nothing() {
    let desk = desk().await;
    desk.receive_naming("+4915112345678").await;
    desk.stop_from("in-1", "+4915112345678").await;
    assert!(!desk.is_opted_out().await);
}

#[tokio::test]
async fn a_number_that_belongs_to_another_recipient_stays_there_and_an_event_says_so() {
    let desk = desk().await;
    let other = Msisdn::try_from(6_591_000_002_u64).unwrap();
    let known = Alias::of_number(Channel::Viber, NAME.parse().unwrap(), other).unwrap();
    desk.store.learn_users(vec![known]).await.unwrap();
    for _ in 0..2 {
        desk.receive_naming(NAME).await;
        assert_eq!(
            desk.last_event().await,
            "the provider named a recipient on Viber by an id or a number that belongs to another recipient; it stays with \
             that one"
        );
    }
    let told = desk.store.events(Cursor::START, 100).await.unwrap();
    assert_eq!(told.iter().filter(|(_, event)| event.text().contains("belongs to another")).count(), 1, "once");
    desk.stop_from("in-1", NAME).await;
    assert!(!desk.is_opted_out().await);
    assert_eq!(desk.store.opted_out(vec![other]).await.unwrap(), [other]);
}

#[tokio::test]
async fn a_stop_in_a_sentence_waits_for_an_operator_who_is_told_once() {
    let desk = Desk::new().await;
    desk.answer(&desk.claim().await, "first").await;
    desk.apply(reply_body("in-1", "please STOP sending these")).await;
    let told = desk.last_event().await;
    assert!(told.starts_with("a reply may be an opt-out"), "{told}");
    let events = desk.store.events(Cursor::START, 100).await.unwrap().len();
    desk.apply(reply_body("in-2", "and stop, please")).await;
    desk.apply(reply_body("in-1", "please STOP sending these")).await;
    assert_eq!(desk.store.events(Cursor::START, 100).await.unwrap().len(), events);
    let open = desk.store.inbound(InboundOf::PossibleStops, Cursor::START, 9).await.unwrap();
    let ids: Vec<&str> = open.iter().map(|(_, reply)| reply.umid.as_str()).collect();
    assert_eq!(ids, ["in-1", "in-2"]);
    let number = recipient().number().unwrap();
    assert!(desk.store.opted_out(vec![number]).await.unwrap().is_empty(), "a decision is missing");
    let decided = async |umid: &str, decision| {
        optout::decide(desk.store.as_ref(), umid, decision, desk.clock.now(), "by Ann").await.unwrap()
    };
    assert!(decided("in-2", Decision::Dismiss).await);
    assert!(desk.store.opted_out(vec![number]).await.unwrap().is_empty());
    assert!(decided("in-1", Decision::OptOut).await && !decided("in-1", Decision::OptOut).await);
    assert_eq!(desk.store.opted_out(vec![number]).await.unwrap(), [number]);
    let kept = desk.store.opt_out_of(number.into()).await.unwrap().unwrap();
    assert_eq!((kept.from, kept.source.as_str()), (OptOutSource::Operator, "by Ann"));
}
