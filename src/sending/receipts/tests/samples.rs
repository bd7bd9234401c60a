//! Every receipt and every message detail of the provider's documents, in their shape and spelling but with our ids:
//! parsed, matched to an attempt and applied.

use super::*;
use crate::base::domain::{Outcome, Status};

/// A desk whose message was submitted.
async fn submitted() -> Desk {
    let desk = Desk::new().await;
    let claimed = desk.claim().await;
    desk.answer(&claimed, "dec02e44-c76f-4a0a-b69f-6ac2a4386eb9").await;
    desk
}

impl Desk {
    async fn receive_body(&self, body: &str) {
        let parsed = parse(&Bytes::copy_from_slice(body.as_bytes()), None, self.clock.now());
        assert!(parsed.strays.is_empty(), "{:?}", parsed.strays);
        self.applier.apply(parsed).await.unwrap();
    }

    /// Applies an answer about the message, as the room `ask` does.
    async fn receive_details(&mut self, body: &str) -> bool {
        let id = AttemptId { key: self.key, step: StepIndex::FIRST, tag: Tag::from_random(TAG) };
        let umid = Umid::new("dec02e44-c76f-4a0a-b69f-6ac2a4386eb9");
        let intake = self.intake.clone();
        let asking = intake.apply_details(id, Some(Channel::Viber), &umid, body.as_bytes());
        let applying = async {
            tokio::task::yield_now().await;
            self.applier.take_waiting(&|_| {}).await;
        };
        futures_util::join!(asking, applying).0.unwrap().is_reported
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
        // In an array, with a user id instead of a number, other letter cases, a time without zone.
        (
            r#"[{"namespace":"ChatApps","eventType":"Outbound_Message_Status_Changed","version":9,
            "payload":{"umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","subAccountId":"acme","channel":"VIBER",
            "user":{"channelUserId":"SG.13491208655302741918"},"clientMessageId":"theirs","batchId":null,
            "whatsapp":{"providerErrorCode":null,"pricingCategory":"utility"},
            "status":{"state":"Delivered","errorCode":"0","timestamp":"2025-05-05T09:15:57"}}}]"#,
            Status::Delivered,
        ),
        // Delivered to the carrier only, though the channel can report the handset; its error message means nothing.
        (
            r#"{"namespace":"ChatApps","eventType":"outbound_message_status_changed","payload":{
            "umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","subAccountId":"acme","channel":"viber",
            "status":{"state":"delivered","detail":"delivered_to_carrier","errorCode":0,
            "errorMessage":"Invalid message length","timestamp":"2020-06-17T04:17:21.06Z"}}}"#,
            Status::Sent,
        ),
        // Accepted by the provider.
        (
            r#"{"eventType":"outbound_message_status_changed","payload":{"channel":"viber",
            "umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","status":{"state":"queued"}}}"#,
            Status::Accepted,
        ),
    ] {
        let desk = submitted().await;
        desk.receive_body(body).await;
        assert_eq!(desk.status().await, Some(status), "{body}");
        let reached = (status >= Status::Delivered).then_some(Outcome::Reached);
        assert_eq!(desk.message().await.present.outcome(), reached, "{body}");
    }
}

#[tokio::test]
async fn every_documented_failure_falls_back_once_however_it_is_spelled() {
    for status in [
        r#"{"state":"undelivered","detail":"rejected_by_operator","timestamp":"2016-01-01T00:00:00Z","errorCode":15,
            "errorMessage":"Invalid destination"}"#,
        r#"{"state":"rejected","errorCode":"15"}"#,
        r#"{"state":"Failed","detail":"undelivered_to_recipient"}"#,
        r#"{"state":"error","errorCode":2007}"#,
    ] {
        let desk = submitted().await;
        let body = format!(
            r#"{{"namespace":"ChatApps","eventType":"outbound_message_status_changed","payload":{{"subAccountId":"acme",
            "umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","channel":"viber",
            "user":{{"msisdn":"+6591000001","channelUserId":"+6591000001"}},"status":{status}}}}}"#
        );
        for _ in 0..2 {
            desk.receive_body(&body).await;
            assert_eq!(desk.message().await.present.step, StepIndex::new(1).unwrap(), "{status}");
        }
    }
}

#[tokio::test]
async fn a_receipt_without_a_status_decides_nothing() {
    for payload in [
        r#"{"umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","channel":"viber"}"#,
        r#"{"umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","channel":"viber","status":null}"#,
        r#"{"umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","channel":"viber","status":{"state":"unknown"}}"#,
    ] {
        let desk = submitted().await;
        let before = desk.message().await.present;
        desk.receive_body(&format!(r#"{{"eventType":"outbound_message_status_changed","payload":{payload}}}"#)).await;
        assert_eq!(desk.message().await.present, before, "{payload}");
    }
}

#[tokio::test]
async fn every_documented_message_detail_counts_like_a_receipt() {
    // One body as in the schema, one as in the sample: two channels under one umid, of which one is ours.
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
        let mut desk = submitted().await;
        assert!(desk.receive_details(body).await);
        assert_eq!(desk.message().await.present.outcome(), Some(Outcome::Reached), "{body}");
        // The same answer twice is one fact.
        assert!(desk.receive_details(body).await);
        assert_eq!(desk.store.receipts(desk.key).await.unwrap().len(), 1, "{body}");
    }
    let mut desk = submitted().await;
    let unknown =
        r#"{"data":[{"umid":"dec02e44","channel":"Viber","direction":"outbound","status":{"state":"unknown"}}]}"#;
    assert!(!desk.receive_details(unknown).await, "an intermediate state is no answer");
    let theirs = r#"{"data":[{"umid":"dec02e44","channel":"Viber","direction":"inbound","status":{"state":"read"}}]}"#;
    assert!(!desk.receive_details(theirs).await);
    assert_eq!(desk.status().await, Some(Status::Accepted));
}

#[tokio::test]
async fn a_vague_code_is_decided_by_the_underlying_whatsapp_code() {
    for (code, underlying, step) in [
        // The recipient's fault: falls back. The account's: returns to its queue.
        (r#""errorCode":41"#, "131049", 1),
        (r#""errorCode":41"#, "\"131042\"", 0),
        (r#""errorCode":9999"#, "132015", 0),
        (r#""errorCode":1018"#, "131042", 1),
        (r#""errorCode":41"#, "777777", 1),
    ] {
        let desk = submitted().await;
        desk.receive_body(&format!(
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
