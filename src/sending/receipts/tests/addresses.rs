//! Numbers by which a channel names recipients: what receipts teach, and what a STOP from such a number does.

use super::*;
use crate::base::domain::{Channel, OptOutOf, OptOutSource, WishSubject};
use crate::recipients::optout::{self, Decision};
use crate::store::{Alias, InboundOf};

/// A number of the recipient's country by which the channel names the recipient.
const NAME: &str = "+6598765432";

impl Desk {
    async fn apply(&self, body: String) {
        let ours = Ours { subaccounts: ["acme".to_owned()].into(), ..Ours::default() };
        self.applier.apply(parse(&body.into(), Some(&ours), self.clock.now())).await.unwrap();
    }

    /// A body with an event of another kind.
    async fn take(&self, body: String) {
        let ours = Ours { subaccounts: ["acme".to_owned()].into(), ..Ours::default() };
        self.applier.take(parse(&body.into(), Some(&ours), self.clock.now())).await.unwrap();
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
        !self.store.opted_out(vec![recipient().number().unwrap()], OptOutOf::Everything).await.unwrap().is_empty()
    }
}

async fn desk() -> Desk {
    let desk = Desk::new().await;
    let claimed = desk.claim().await;
    desk.answer(&claimed, "first").await;
    desk
}

impl Desk {
    /// What the recipient has opted out of.
    pub(super) async fn opted_out_of(&self) -> Vec<OptOutOf> {
        let opt_outs = self.store.opt_outs_of(recipient().address.unwrap()).await.unwrap();
        opt_outs.into_iter().map(|opt_out| opt_out.of.of).collect()
    }
}

#[tokio::test]
async fn a_preference_on_whatsapp_opts_out_of_marketing_there_until_it_is_resumed() {
    let desk = desk().await;
    let preference = |value: &str, second: u32| {
        format!(
            r#"{{"object":"whatsapp_business_account","entry":[{{"changes":[{{"field":"user_preferences","value":{{"user_preferences":
               [{{"wa_id":"6591000001","category":"marketing_messages","value":"{value}","timestamp":17999999{second:02}}}]}}}}]}}]}}"#
        )
    };
    let suppression = desk.book.latest_suppression();
    desk.take(preference("stop", 1)).await;
    let [stopped] = &desk.store.opt_outs_of(recipient().address.unwrap()).await.unwrap()[..] else {
        panic!("no opt-out")
    };
    assert_eq!(stopped.of, WishSubject::marketing_on(Channel::WhatsApp, None));
    let entry = desk.book.get(desk.key.batch).await.unwrap().unwrap();
    assert!(
        entry.is_suppressed(recipient().number().unwrap().into(), suppression),
        "claimed messages are looked at again"
    );
    // An older event that arrives late changes nothing.
    desk.take(preference("resume", 0)).await;
    assert_eq!(desk.opted_out_of().await, [OptOutOf::Marketing]);
    desk.take(preference("resume", 2)).await;
    assert_eq!(desk.opted_out_of().await, []);
}

#[tokio::test]
async fn a_stop_word_means_everything_or_what_the_configuration_says() {
    for stops in [OptOutOf::Everything, OptOutOf::Marketing] {
        let mut desk = desk().await;
        let of_server = (Vec::new(), Vec::new(), Callback::new(|_| {}));
        (desk.applier, _) = applier_for(stops, &desk.store, &desk.book, &desk.clock, of_server);
        desk.apply(reply_body("in-1", "STOP")).await;
        assert_eq!(desk.opted_out_of().await, [stops]);
    }
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
    assert_eq!(desk.store.opted_out(vec![other], OptOutOf::Everything).await.unwrap(), [other]);
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
    assert!(
        desk.store.opted_out(vec![number], OptOutOf::Everything).await.unwrap().is_empty(),
        "a decision is missing"
    );
    let decided = async |umid: &str, decision| {
        optout::decide(desk.store.as_ref(), umid, decision, desk.clock.now(), "by Ann").await.unwrap()
    };
    assert!(decided("in-2", Decision::Dismiss).await);
    assert!(desk.store.opted_out(vec![number], OptOutOf::Everything).await.unwrap().is_empty());
    assert!(decided("in-1", Decision::OptOut).await && !decided("in-1", Decision::OptOut).await);
    assert_eq!(desk.store.opted_out(vec![number], OptOutOf::Everything).await.unwrap(), [number]);
    let kept = desk.store.opt_out_of(number.into()).await.unwrap().unwrap();
    assert_eq!((kept.from, kept.source.as_str()), (OptOutSource::Operator, "by Ann"));
}
