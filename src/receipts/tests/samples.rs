//! Every receipt and every answer about a message that the provider's documents show, in their shape and spelling, with
//! our ids in them: through the wire, the finding and the applying.

use super::*;
use crate::domain::{Outcome, Status};

/// A message that was handed over as `first`.
async fn handed_over() -> Desk {
    let desk = Desk::new().await;
    let claimed = desk.claim().await;
    desk.answer(&claimed, "dec02e44-c76f-4a0a-b69f-6ac2a4386eb9").await;
    desk
}

impl Desk {
    async fn hear_body(&self, body: &str) {
        let parsed = parse(Bytes::copy_from_slice(body.as_bytes()), None, self.clock.now());
        assert!(parsed.strays.is_empty(), "{:?}", parsed.strays);
        self.applier.apply(parsed).await.unwrap();
    }

    /// What the provider answers to a question, taken as the asker takes it.
    async fn hear_details(&mut self, body: &str) -> bool {
        let id = AttemptId { key: self.key, step: StepIndex::FIRST, tag: Tag::from_random(TAG) };
        let umid = Umid::new("dec02e44-c76f-4a0a-b69f-6ac2a4386eb9");
        let intake = self.intake.clone();
        let telling = intake.told(id, Some(Channel::Viber), &umid, body.as_bytes());
        let applying = async {
            tokio::task::yield_now().await;
            self.applier.take_waiting(&|_| {}).await;
        };
        futures_util::join!(telling, applying).0.unwrap().said
    }

    async fn status(&self) -> Option<Status> {
        self.message().await.present.marks.status(StepIndex::FIRST)
    }
}

#[tokio::test]
async fn every_documented_receipt_moves_the_message_that_it_names() {
    for (body, status) in [
        // Delivered.
        (
            r#"{"namespace":"ChatApps","eventType":"outbound_message_status_changed",
            "description":"ChatApps outbound message delivery receipt",
            "payload":{"umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","subAccountId":"acme","channel":"viber",
            "user":{"msisdn":"+6591000001","channelUserId":"6591000001"},
            "status":{"state":"delivered","detail":"delivered_to_recipient","timestamp":"2025-05-05T09:15:57.00Z"}}}"#,
            Status::Delivered,
        ),
        // Read: another spelling of the channel, no detail.
        (
            r#"{"namespace":"ChatApps","eventType":"outbound_message_status_changed",
            "description":"ChatApps outbound message delivery receipt",
            "payload":{"umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","subAccountId":"acme","channel":"Viber",
            "user":{"msisdn":"+6591000001","channelUserId":"6591000001"},
            "status":{"state":"read","timestamp":"2025-05-17T06:27:52.45Z"}}}"#,
            Status::Read,
        ),
        // Of an array, with a user id instead of a number, other letter cases, a time without zone.
        (
            r#"[{"namespace":"ChatApps","eventType":"Outbound_Message_Status_Changed","version":9,
            "payload":{"umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","subAccountId":"acme","channel":"VIBER",
            "user":{"channelUserId":"SG.13491208655302741918"},"clientMessageId":"theirs","batchId":null,
            "whatsapp":{"providerErrorCode":null,"pricingCategory":"utility"},
            "status":{"state":"Delivered","errorCode":"0","timestamp":"2025-05-05T09:15:57"}}}]"#,
            Status::Delivered,
        ),
        // Only as far as the operator, where the channel can tell the handset; with a message that means nothing.
        (
            r#"{"namespace":"ChatApps","eventType":"outbound_message_status_changed","payload":{
            "umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","subAccountId":"acme","channel":"viber",
            "status":{"state":"delivered","detail":"delivered_to_carrier","errorCode":0,
            "errorMessage":"Invalid message length","timestamp":"2020-06-17T04:17:21.06Z"}}}"#,
            Status::Sent,
        ),
        // Taken by the provider.
        (
            r#"{"eventType":"outbound_message_status_changed","payload":{"channel":"viber",
            "umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","status":{"state":"queued"}}}"#,
            Status::Accepted,
        ),
    ] {
        let desk = handed_over().await;
        desk.hear_body(body).await;
        assert_eq!(desk.status().await, Some(status), "{body}");
        let reached = (status >= Status::Delivered).then_some(Outcome::Reached);
        assert_eq!(desk.message().await.present.outcome(), reached, "{body}");
    }
}

#[tokio::test]
async fn every_documented_bad_news_falls_back_once_also_in_its_other_words() {
    for status in [
        r#"{"state":"undelivered","detail":"rejected_by_operator","timestamp":"2016-01-01T00:00:00Z","errorCode":15,
            "errorMessage":"Invalid destination"}"#,
        r#"{"state":"rejected","errorCode":"15"}"#,
        r#"{"state":"Failed","detail":"undelivered_to_recipient"}"#,
        r#"{"state":"error","errorCode":2007}"#,
    ] {
        let desk = handed_over().await;
        let body = format!(
            r#"{{"namespace":"ChatApps","eventType":"outbound_message_status_changed","payload":{{"subAccountId":"acme",
            "umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","channel":"viber",
            "user":{{"msisdn":"+6591000001","channelUserId":"+6591000001"}},"status":{status}}}}}"#
        );
        for _ in 0..2 {
            desk.hear_body(&body).await;
            assert_eq!(desk.message().await.present.step, StepIndex::new(1).unwrap(), "{status}");
        }
    }
}

#[tokio::test]
async fn what_says_nothing_decides_nothing() {
    for payload in [
        r#"{"umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","channel":"viber"}"#,
        r#"{"umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","channel":"viber","status":null}"#,
        r#"{"umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","channel":"viber","status":{"state":"unknown"}}"#,
    ] {
        let desk = handed_over().await;
        let before = desk.message().await.present;
        desk.hear_body(&format!(r#"{{"eventType":"outbound_message_status_changed","payload":{payload}}}"#)).await;
        assert_eq!(desk.message().await.present, before, "{payload}");
    }
}

#[tokio::test]
async fn every_documented_answer_about_a_message_is_news_like_a_receipt() {
    // As the schema has it, and as the sample does: two channels under one umid, of which one is ours.
    let schema = r#"{"data":[{"umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","subAccountId":"string","channel":"Viber",
        "channelId":"8e4d1303-5754-e911-8154-020897df5459","direction":"outbound","country":"SG",
        "status":{"state":"delivered","detail":"delivered_to_recipient","errorCode":0,
        "errorMessage":"Invalid message length","timestamp":"2020-06-17T04:17:21.06Z"},
        "user":{"msisdn":"+659100xxxx","channelUserId":"string"},"contentType":"Text","content":"**MASKED**",
        "createdAt":"2020-06-17T04:17:21.06Z","clientMessageId":"string","clientBatchId":"string",
        "batchId":"c9c01382-38bf-4e27-8962-ae0684ab56c3","step":1}]}"#;
    let sample = r#"{"data":[{"umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","subAccountId":"sub_account_id",
        "channel":"WhatsApp","channelId":"904d1303-5754-e911-8154-020897df5459","direction":"Outbound",
        "status":{"state":"undelivered","timestamp":"2020-06-17T04:25:21.06Z"},"contentType":"Text","step":2},
        {"umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","channel":"Viber","direction":"Outbound",
        "status":{"state":"read","timestamp":"2020-06-17T04:25:21.06Z"},"contentType":"Text",
        "createdAt":"2020-06-17T04:15:21.06Z","step":1,"country":"SG","user":{"msisdn":"+659100xxxx"},
        "content":"**MASKED**","clientMessageId":"client message id"}]}"#;
    for body in [schema, sample] {
        let mut desk = handed_over().await;
        assert!(desk.hear_details(body).await);
        assert_eq!(desk.message().await.present.outcome(), Some(Outcome::Reached), "{body}");
        // The same answer once more, and the receipt itself behind it, are one fact.
        assert!(desk.hear_details(body).await);
        assert_eq!(desk.store.receipts(desk.key).await.unwrap().len(), 1, "{body}");
    }
    let mut desk = handed_over().await;
    let unknown =
        r#"{"data":[{"umid":"dec02e44","channel":"Viber","direction":"outbound","status":{"state":"unknown"}}]}"#;
    assert!(!desk.hear_details(unknown).await, "an intermediate state is no answer");
    let theirs = r#"{"data":[{"umid":"dec02e44","channel":"Viber","direction":"inbound","status":{"state":"read"}}]}"#;
    assert!(!desk.hear_details(theirs).await);
    assert_eq!(desk.status().await, Some(Status::Accepted));
}

#[tokio::test]
async fn behind_a_code_that_says_little_whatsapps_own_decides() {
    for (code, underlying, step) in [
        // The person's: on to the next step. The account's: back to its queue.
        (r#""errorCode":41"#, "131049", 1),
        (r#""errorCode":41"#, "\"131042\"", 0),
        (r#""errorCode":9999"#, "132015", 0),
        (r#""errorCode":1018"#, "131042", 1),
        (r#""errorCode":41"#, "777777", 1),
    ] {
        let desk = handed_over().await;
        desk.hear_body(&format!(
            r#"{{"eventType":"outbound_message_status_changed","payload":{{"channel":"viber",
            "umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","whatsapp":{{"providerErrorCode":{underlying}}},
            "status":{{"state":"undelivered",{code}}}}}}}"#
        ))
        .await;
        let present = desk.message().await.present;
        assert!(matches!(present.state, State::Queued { .. }), "{code} {underlying}: {present:?}");
        assert_eq!(present.step.get(), step, "{code} {underlying}");
    }
}
