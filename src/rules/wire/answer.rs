//! The provider's answers.

use serde::{Deserialize, Serialize};

use super::attempt_state::AttemptState;
use super::codes::words;
use super::loose;
use super::receipt::Price;
use super::send::User;
use super::text::{Hidden, Text};
use crate::base::domain::{Channel, Timestamp};

const REJECTED: &str = "rejected";
/// The state of a message that was never submitted.
const FAILED: &str = "failed";

/// How the SMS API describes the messages of a batch that it rejects, and the code of the same error.
const REJECTIONS: [(&str, i64); 6] = [
    ("Text value is missing", 1004),
    ("Invalid Text value", 1004),
    ("Invalid Source value", 1005),
    ("Expiry time already reached", 1006),
    ("Invalid MSISDN format", 1002),
    ("Internal server error", 2000),
];

/// The answer about one message: the body of an accepted send, or one entry of a batch's answer. A batch with rejected
/// entries is a 200 too, so check [`MessageAnswer::is_accepted`], not only the HTTP status.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageAnswer<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub umid: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub user: Option<User<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub client_message_id: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "loose::nothing_is_default")]
    pub status: StatusBody<'a>,
}

impl MessageAnswer<'_> {
    /// Whether the message was accepted: always, unless the state is `rejected`. Only that proves that the provider did not
    /// accept it; every later result, a failure too, comes in receipts.
    pub fn is_accepted(&self) -> bool {
        !self.status.state.eq_ignore_ascii_case(REJECTED)
    }
}

/// A state with its details.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "WrittenStatus<'a>")]
pub struct StatusBody<'a> {
    #[serde(borrow)]
    pub state: Text<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<i64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<Text<'a>>,
}

/// The keys of a status. The SMS API has other names for `state` and `errorMessage`, and a status with both is read too: it
/// must not cost the receipt.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WrittenStatus<'a> {
    #[serde(borrow)]
    state: Text<'a>,
    #[serde(borrow)]
    code: Option<Text<'a>>,
    #[serde(borrow)]
    detail: Option<Text<'a>>,
    #[serde(borrow)]
    timestamp: Option<Text<'a>>,
    #[serde(deserialize_with = "loose::number")]
    error_code: Option<i64>,
    #[serde(borrow)]
    error_message: Option<Text<'a>>,
    #[serde(borrow)]
    description: Option<Text<'a>>,
}

impl<'a> From<WrittenStatus<'a>> for StatusBody<'a> {
    fn from(written: WrittenStatus<'a>) -> Self {
        let WrittenStatus { state, code, detail, timestamp, error_code, error_message, description } = written;
        let state = if state.is_empty() { code.unwrap_or_default() } else { state };
        Self { state, detail, timestamp, error_code, error_message: error_message.or(description) }
    }
}

impl StatusBody<'_> {
    /// The status of an attempt as receipts and details report it. The code is that of an undelivered attempt.
    pub fn reported(state: AttemptState, at: Timestamp, code: Option<i64>) -> Self {
        Self {
            state: state.as_str().into(),
            detail: state.detail().map(Text::from),
            timestamp: Some(at.rfc3339().into()),
            error_code: code,
            error_message: code.map(|code| words::of_receipt(code).into()),
        }
    }

    /// The status of a message that was never submitted, and will not be.
    pub fn failed(at: Timestamp, code: Option<i64>, words: Option<&'static str>) -> Self {
        Self {
            state: FAILED.into(),
            detail: None,
            timestamp: Some(at.rfc3339().into()),
            error_code: code,
            error_message: words.map(Text::from),
        }
    }

    pub fn at(&self) -> Option<Timestamp> {
        self.timestamp.as_deref().and_then(super::instant)
    }

    /// The code of a rejection. The SMS API has only sentences there, each of which another answer documents a code for.
    pub fn code(&self) -> Option<i64> {
        let sentence = self.error_message.as_deref().unwrap_or_default();
        let of_sentence = || REJECTIONS.iter().find(|(begins, _)| sentence.starts_with(begins)).map(|(_, code)| *code);
        self.error_code.or_else(of_sentence)
    }

    pub(super) fn is_negative(&self) -> bool {
        [REJECTED, FAILED, "undelivered", "error"].iter().any(|word| self.state.eq_ignore_ascii_case(word))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BatchAnswer<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub client_batch_id: Option<Text<'a>>,
    #[serde(deserialize_with = "loose::number")]
    pub accepted_count: Option<i64>,
    #[serde(deserialize_with = "loose::number")]
    pub rejected_count: Option<i64>,
    /// Present if the request asked for it. Match by `clientMessageId`, because no order is promised.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty", deserialize_with = "loose::nothing_is_default")]
    pub messages: Vec<MessageAnswer<'a>>,
}

/// The answer to a cancel. Zero is a normal answer: sent messages cannot be cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cancelled {
    #[serde(deserialize_with = "loose::number")]
    pub cancelled_count: Option<i64>,
}

/// The answer of `GET …/messages/{umid}`: one record for each channel that was tried, all under the same umid.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "WrittenDetails<'a>")]
pub struct Details<'a> {
    #[serde(borrow)]
    pub data: Vec<Detail<'a>>,
}

/// The two forms of that answer: the chat-apps API has a list, and the SMS API the record itself, which names no channel.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenDetails<'a> {
    List {
        #[serde(borrow, deserialize_with = "loose::nothing_is_default")]
        data: Vec<Detail<'a>>,
    },
    Record(#[serde(borrow)] Box<Detail<'a>>),
}

impl<'a> From<WrittenDetails<'a>> for Details<'a> {
    fn from(written: WrittenDetails<'a>) -> Self {
        match written {
            WrittenDetails::List { data } => Self { data },
            WrittenDetails::Record(record) if record.umid.is_empty() => Self::default(),
            WrittenDetails::Record(record) => {
                let named = !record.channel.is_empty();
                let channel = if named { record.channel.clone() } else { Channel::Sms.as_str().into() };
                Self { data: vec![Detail { channel, ..*record }] }
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Detail<'a> {
    #[serde(borrow)]
    pub umid: Text<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub sub_account_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub channel: Text<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub country: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "loose::nothing_is_default")]
    pub status: StatusBody<'a>,
    /// Numbers are masked by default (`+63922110xxxx`), so nothing can be found by them.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub user: Option<User<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub content: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub client_message_id: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub client_batch_id: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<Text<'a>>,
    /// Counted from 1.
    #[serde(deserialize_with = "loose::number", skip_serializing_if = "Option::is_none")]
    pub step: Option<i64>,
    #[serde(borrow, deserialize_with = "loose::or_none", skip_serializing_if = "Option::is_none")]
    pub price: Option<Price<'a>>,
    #[serde(deserialize_with = "loose::number", skip_serializing_if = "Option::is_none")]
    pub sms_count: Option<i64>,
}

/// What details show in place of a content.
pub const MASKED: &str = "**MASKED**";

/// A number or an id as details show it: with its last four characters hidden (`+63922110xxxx`).
pub fn masked(text: &str) -> String {
    let kept = text.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
    format!("{}xxxx", &text[..kept])
}

impl Detail<'_> {
    pub fn known_channel(&self) -> Option<Channel> {
        super::channel(&self.channel)
    }

    /// The status that the record reports for its attempt.
    pub fn report(&self) -> super::ReportedStatus {
        super::ReportedStatus::of(self.known_channel(), &self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_answer_tells_accepted_from_rejected() {
        let body = r#"{"batchId":"cf3cbbf5-0000","clientBatchId":"b1","acceptedCount":"1","rejectedCount":1,"messages":[
            {"umid":"d03c","user":{"msisdn":"+6500000000"},"clientMessageId":"a-1",
             "status":{"state":"queued","timestamp":"2020-01-04T08:19:45.99Z"}},
            {"umid":"15bb","clientMessageId":"a-2",
             "status":{"state":"Rejected","timestamp":"2020-01-04T08:19:45.99Z","errorCode":"3038",
                       "errorMessage":"Template not found"}}]}"#;
        let answer: BatchAnswer<'_> = serde_json::from_str(body).unwrap();
        assert_eq!((answer.accepted_count, answer.rejected_count), (Some(1), Some(1)));
        assert!(answer.messages[0].is_accepted());
        assert!(!answer.messages[1].is_accepted());
        assert_eq!(answer.messages[1].status.error_code, Some(3038));
        assert!(answer.messages[0].umid.as_ref().unwrap().is_borrowed());
    }

    #[test]
    fn a_status_with_the_keys_of_both_apis_is_read() {
        let read = |status: &'static str| -> StatusBody<'static> { serde_json::from_str(status).unwrap() };
        let both = read(r#"{"state":"delivered","code":0,"errorMessage":"none","description":"Delivered"}"#);
        assert_eq!((&*both.state, both.error_message.as_deref()), ("delivered", Some("none")));
        let of_sms = read(r#"{"code":"REJECTED","description":"Invalid MSISDN format"}"#);
        assert_eq!((&*of_sms.state, of_sms.code()), ("REJECTED", Some(1002)));
        assert_eq!(read("{}"), StatusBody::default());
    }

    #[test]
    fn an_answer_without_message_list_still_has_its_counts() {
        let answer: BatchAnswer<'_> =
            serde_json::from_str(r#"{"batchId":"x","acceptedCount":2,"rejectedCount":0,"messages":null}"#).unwrap();
        assert_eq!(answer.accepted_count, Some(2));
        assert_eq!(answer.messages, []);
    }

    #[test]
    fn the_sms_apis_own_status_is_read_too() {
        let answer: MessageAnswer<'_> =
            serde_json::from_str(r#"{"umid":"u","status":{"code":"REJECTED","description":"no"}}"#).unwrap();
        assert!(!answer.is_accepted());
        assert_eq!(answer.status.error_message.as_deref(), Some("no"));
    }

    #[test]
    fn a_rejection_of_the_sms_api_has_the_code_of_its_sentence() {
        for (sentence, code) in [
            ("Text value is missing", Some(1004)),
            ("Invalid Text value. Reached max allowed limit", Some(1004)),
            ("Invalid Source value. Reached max allowed limit", Some(1005)),
            ("Expiry time already reached", Some(1006)),
            ("Invalid MSISDN format (not E.164 international number)", Some(1002)),
            ("Internal server error", Some(2000)),
            ("Something else", None),
        ] {
            let body = serde_json::json!({ "code": "REJECTED", "description": sentence }).to_string();
            let status: StatusBody<'_> = serde_json::from_str(&body).unwrap();
            assert_eq!(status.code(), code, "{sentence}");
        }
        let status: StatusBody<'_> =
            serde_json::from_str(r#"{"state":"rejected","errorCode":3038,"errorMessage":"Text value is missing"}"#)
                .unwrap();
        assert_eq!(status.code(), Some(3038));
    }

    #[test]
    fn details_of_the_sms_api_are_one_record() {
        let body = r#"{"umid":"dec02e44-c76f-4a0a-b69f-6ac2a4386eb9","subAccountId":"sub-account","direction":"outbound",
            "country":"SG","status":{"state":"delivered","detail":"delivered_to_recipient",
            "timestamp":"2020-06-17T04:17:21.06Z"},"msisdn":"+63922110xxxx","source":"Seller","body":"**MASKED**",
            "encoding":"GSM8","createdAt":"2020-06-17T04:17:21.06Z","smsCount":2,
            "price":{"total":0.0024,"perSms":0.0012,"currency":"EUR"},"clientMessageId":"some-client-identifier"}"#;
        let details: Details<'_> = serde_json::from_str(body).unwrap();
        let [record] = &details.data[..] else { panic!("{details:?}") };
        assert_eq!(record.known_channel(), Some(Channel::Sms));
        assert_eq!(record.report(), super::super::ReportedStatus::Delivered);
        assert_eq!(record.client_message_id.as_deref(), Some("some-client-identifier"));
        let price = record.price.as_ref().unwrap();
        assert_eq!((price.total.as_deref(), price.currency.as_deref()), (Some("0.0024"), Some("EUR")));
        assert_eq!(record.sms_count, Some(2));
        for nothing in [r#"{"data":null}"#, r#"{"data":[]}"#, "{}"] {
            assert_eq!(serde_json::from_str::<Details<'_>>(nothing).unwrap().data, [], "{nothing}");
        }
    }

    #[test]
    fn the_last_four_characters_are_masked() {
        for (text, shown) in
            [("+639221101234", "+63922110xxxx"), ("Ua1é2b3c4", "Ua1é2xxxx"), ("1234", "xxxx"), ("12", "xxxx")]
        {
            assert_eq!(masked(text), shown);
        }
    }

    #[test]
    fn a_reported_status_is_read_as_it_was_meant() {
        let at = Timestamp::from_millis(1_592_367_921_060);
        let json = |state, code| serde_json::to_value(StatusBody::reported(state, at, code)).unwrap();
        let time = "2020-06-17T04:25:21.060Z";
        assert_eq!(json(AttemptState::Read, None), serde_json::json!({ "state": "read", "timestamp": time }));
        assert_eq!(
            json(AttemptState::Undelivered, Some(15)),
            serde_json::json!({ "state": "undelivered", "detail": "rejected_by_operator", "timestamp": time,
                "errorCode": 15, "errorMessage": "Invalid destination" })
        );
    }

    #[test]
    fn details_of_a_message_report_the_status_of_each_step() {
        let body = r#"{"data":[{"umid":"dec02e44","subAccountId":"acme","channel":"WhatsApp","direction":"Outbound",
            "status":{"state":"read","timestamp":"2020-06-17T04:25:21.06Z"},"contentType":"Text",
            "createdAt":"2020-06-17T04:15:21.06Z","step":2,"country":"SG","user":{"msisdn":"+63922110xxxx"},
            "content":"**MASKED**","clientMessageId":"mine"},
           {"umid":"dec02e44","channel":"Viber","step":"1",
            "status":{"state":"delivered","detail":"delivered_to_carrier","errorCode":0}}]}"#;
        let details: Details<'_> = serde_json::from_str(body).unwrap();
        assert_eq!(details.data[0].report(), super::super::ReportedStatus::Read);
        assert_eq!(details.data[1].report(), super::super::ReportedStatus::Sent);
        assert_eq!(details.data[1].step, Some(1));
        assert_eq!(details.data[0].user.as_ref().unwrap().number(), None);
    }
}
