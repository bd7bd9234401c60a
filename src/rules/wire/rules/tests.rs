use serde_json::{Value, json};

use super::*;
use crate::base::domain::{Span, Status};
use crate::rules::wire::samples::{Sample, samples};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A subaccount with every channel but RCS, one sender on Viber, and perhaps a route.
#[derive(Default)]
struct Acme {
    route: Vec<Channel>,
}

impl Subaccount for Acme {
    fn has_channel(&self, channel: Channel) -> bool {
        channel != Channel::Rcs
    }

    fn has_sender(&self, channel: Channel, channel_id: &str) -> bool {
        (channel, channel_id) == (Channel::Viber, "shop")
    }

    fn can_call(&self, _url: &str) -> bool {
        true
    }

    fn route(&self) -> Vec<NamedStep<'_>> {
        self.route.iter().map(|channel| NamedStep::on(*channel)).collect()
    }
}

/// A subaccount with everything but one channel.
struct AllBut(Option<Channel>);

const WHOLE: AllBut = AllBut(None);

impl Subaccount for AllBut {
    fn has_channel(&self, channel: Channel) -> bool {
        self.0 != Some(channel)
    }

    fn has_sender(&self, _channel: Channel, _channel_id: &str) -> bool {
        true
    }

    fn can_call(&self, _url: &str) -> bool {
        true
    }

    fn route(&self) -> Vec<NamedStep<'_>> {
        Vec::new()
    }
}

/// The code that a request is refused with by a subaccount with everything; `None` if it is accepted.
pub(super) fn refusal(body: &Value) -> Option<i64> {
    refused_by(&WHOLE, body)
}

fn refused_by(subaccount: &dyn Subaccount, body: &Value) -> Option<i64> {
    let body = body.to_string();
    let message = Arriving::message(body.as_bytes()).unwrap();
    check(&message, subaccount, NOW).err().map(|refusal| refusal.code)
}

/// The channels that a request is tried on.
fn channels(subaccount: &dyn Subaccount, body: &Value) -> Vec<Channel> {
    let body = body.to_string();
    let message = Arriving::message(body.as_bytes()).unwrap();
    check(&message, subaccount, NOW).unwrap().steps.iter().map(|step| step.channel).collect()
}

/// A text for a number, with these parts.
fn with(parts: &Value) -> Value {
    let mut body = json!({"user": {"msisdn": "+6591234567"}, "type": "text", "content": {"text": "Hi"}});
    for (key, value) in parts.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

/// The placeholders of a sample (`<template>`, `{{name}}`, numbers that are too short) as real values.
fn filled(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with('<') || text.starts_with("{{") => json!("promo"),
        Value::Array(values) => values.iter().map(filled).collect(),
        Value::Object(parts) => {
            let part = |(key, value): (&String, &Value)| {
                (key.clone(), if key == "msisdn" { json!("+6591234567") } else { filled(value) })
            };
            Value::Object(parts.iter().map(part).collect())
        }
        other => other.clone(),
    }
}

#[test]
fn every_documented_request_is_accepted() {
    for Sample { at, is, body } in samples() {
        let mut sample = filled(&body);
        if !sample["content"]["suggestions"].is_null() && sample["channels"].is_null() {
            // Suggestions are of RCS, which a subaccount without another channel need not name.
            sample["channels"] = json!([{"channel": "RCS"}]);
        }
        let text = sample.to_string();
        let batch = match is.as_str() {
            "batch" => ArrivingBatch::messages(text.as_bytes()).unwrap().messages,
            "notification" => vec![Arriving::notification(text.as_bytes()).unwrap()],
            _ => vec![Arriving::message(text.as_bytes()).unwrap()],
        };
        for message in &batch {
            let refused = check(message, &WHOLE, NOW).err();
            assert_eq!(refused, None, "{at}");
        }
    }
}

#[test]
fn an_accepted_message_has_its_steps_and_times() {
    let body = with(&json!({
        "scheduled": "2023-11-15T00:00:00Z", "expiry": "2023-11-16T00:00:00", "dlrCallbackUrl": "https://shop.example/dlr",
        "channels": [{"channel": "viber", "channelId": "shop", "fallbackAfter": "60", "successStatus": "read"},
                     {"channel": "SMS"}]}))
    .to_string();
    let message = Arriving::message(body.as_bytes()).unwrap();
    let acme = Acme::default();
    let accepted = check(&message, &acme, NOW).unwrap();
    let number = "+6591234567".parse().unwrap();
    assert_eq!(accepted.to, Addressee::Number { number, line_user_id: None });
    assert_eq!(accepted.scheduled, Timestamp::parse_rfc3339("2023-11-15T00:00:00Z"));
    assert_eq!(accepted.expiry, Timestamp::parse_rfc3339("2023-11-16T00:00:00Z"));
    let viber = NamedStep {
        channel: Channel::Viber,
        channel_id: Some("shop"),
        fallback_after: Some(Span::from_secs(60)),
        success: Status::Read,
    };
    assert_eq!(accepted.steps, [viber, NamedStep::on(Channel::Sms)]);
    assert_eq!(accepted.content.content_type(), ContentType::Text);
}

#[test]
fn each_part_of_a_request_has_its_code() {
    let second_before = (NOW - Span::from_secs(1)).rfc3339();
    for (parts, code) in [
        (json!({"user": null}), Some(3_001)),
        (json!({"user": {}}), Some(3_002)),
        (json!({"user": {"msisdn": "91234567x"}}), Some(1_002)),
        (json!({"user": {"msisdn": "91234567x", "lineUserId": "U1"}}), Some(1_002)),
        (json!({"type": null}), Some(3_010)),
        (json!({"type": "pigeon"}), Some(3_010)),
        (json!({"content": null}), Some(3_004)),
        (json!({"clientMessageId": "x".repeat(50)}), None),
        (json!({"clientMessageId": "x".repeat(51)}), Some(3_009)),
        (json!({"scheduled": "tomorrow"}), Some(1_011)),
        (json!({"scheduled": second_before}), None),
        (json!({"expiry": "tomorrow"}), Some(1_006)),
        (json!({"expiry": second_before}), Some(1_006)),
        (json!({"expiry": NOW.rfc3339()}), Some(1_006)),
        (json!({"dlrCallbackUrl": "shop.example/dlr"}), Some(3_020)),
        (json!({"dlrCallbackUrl": "ftp://shop.example/dlr"}), Some(3_020)),
        (json!({"dlrCallbackUrl": "http://10.0.0.1:8080/dlr?x=1"}), None),
    ] {
        assert_eq!(refusal(&with(&parts)), code, "{parts}");
    }
}

#[test]
fn each_part_of_a_named_channel_has_its_code() {
    for (step, code) in [
        (json!({"channel": "pigeon"}), Some(3_022)),
        (json!({"channel": "Viber", "fallbackAfter": 9}), Some(3_023)),
        (json!({"channel": "Viber", "fallbackAfter": 10}), None),
        (json!({"channel": "Viber", "fallbackAfter": 86_400}), None),
        (json!({"channel": "Viber", "fallbackAfter": 86_401}), Some(3_023)),
        (json!({"channel": "Viber", "successStatus": "Arrived"}), Some(3_024)),
        (json!({"channel": "LINE", "successStatus": "Delivered"}), Some(3_025)),
        (json!({"channel": "SMS", "successStatus": "Read"}), Some(3_026)),
        (json!({"channel": "SMS", "successStatus": "Delivered"}), None),
        (json!({"channel": "RCS"}), Some(3_027)),
        (json!({"channel": "Viber", "channelId": "other"}), Some(3_051)),
        (json!({"channel": "Viber", "channelId": "shop"}), None),
        (json!({"channel": "LINE"}), Some(3_015)),
    ] {
        // A fault of a later channel refuses the message too.
        for channels in [json!([step]), json!([{"channel": "SMS"}, step])] {
            let body = with(&json!({ "channels": channels }));
            assert_eq!(refused_by(&Acme::default(), &body), code, "{channels}");
        }
    }
}

#[test]
fn a_request_without_channels_takes_the_route_that_its_content_fits() {
    let acme = Acme { route: vec![Channel::WhatsApp, Channel::Sms] };
    let template = json!({"type": "template", "content": {"template": {"name": "promo", "language": "en"}}});
    assert_eq!(channels(&acme, &with(&template)), [Channel::WhatsApp]);
    assert_eq!(channels(&acme, &with(&json!({}))), [Channel::WhatsApp, Channel::Sms]);
    assert_eq!(refused_by(&acme, &with(&json!({"type": "buttons", "content": {}}))), Some(3_010));
    let missing = Acme { route: vec![Channel::Rcs] };
    assert_eq!(refused_by(&missing, &with(&json!({}))), Some(3_027));
    assert_eq!(channels(&missing, &with(&json!({"channels": [{"channel": "SMS"}]}))), [Channel::Sms]);
}

#[test]
fn without_a_route_the_content_and_the_address_name_the_channel() {
    let buttons = json!({"text": "Ready", "button": {"caption": "View", "action": "https://shop.example"}});
    let acme = Acme::default();
    assert_eq!(channels(&acme, &with(&json!({}))), [Channel::WhatsApp]);
    assert_eq!(channels(&acme, &with(&json!({"type": "buttons", "content": buttons}))), [Channel::Viber]);
    assert_eq!(channels(&acme, &with(&json!({"user": {"lineUserId": "U1"}}))), [Channel::Line]);
    // A subaccount without LINE lacks the channel, not a number.
    let to_line = with(&json!({"user": {"lineUserId": "U1"}}));
    let without_line = AllBut(Some(Channel::Line));
    assert_eq!(
        (refused_by(&without_line, &to_line), refused_by(&without_line, &with(&json!({})))),
        (Some(3_027), None)
    );
    let user = json!({"user": {"channelUserId": "SG.13491208655302741918"}});
    assert_eq!(channels(&acme, &with(&user)), [Channel::WhatsApp]);
}

#[test]
fn the_sms_api_has_codes_of_its_own() {
    let sms = |key: &str, value: Value| {
        let mut body = json!({"destination": "+6591234567", "text": "Hi"});
        body[key] = value;
        refusal(&body)
    };
    for (key, value, code) in [
        ("source", json!("x".repeat(16)), None),
        ("source", json!("x".repeat(17)), Some(1_005)),
        ("destination", json!("91234567x"), Some(1_002)),
        ("encoding", json!("gsm7"), None),
        ("encoding", json!("GSM8"), Some(1_003)),
        ("text", json!(""), Some(1_004)),
        ("text", json!("x".repeat(35_000)), None),
        ("text", json!("x".repeat(35_001)), Some(1_004)),
        ("clientMessageId", json!("x".repeat(350)), None),
        ("clientMessageId", json!("x".repeat(351)), Some(1_008)),
        ("scheduled", json!("tomorrow"), Some(1_011)),
        ("expiry", json!("2020-01-01T00:00:00Z"), Some(1_006)),
        ("dlrCallbackUrl", json!("nowhere"), Some(3_020)),
    ] {
        assert_eq!(sms(key, value.clone()), code, "{key} of {} bytes", value.to_string().len());
    }
}

#[test]
fn a_notification_needs_a_number_and_a_title() {
    let check = |key: &str, value: Value| {
        let mut body = json!({"user": {"msisdn": "+6591234567"}, "content": {"title": "Hi"}});
        body[key] = value;
        let body = body.to_string();
        let message = Arriving::notification(body.as_bytes()).unwrap();
        let steps = |accepted: Accepted<'_>| accepted.steps.iter().map(|step| step.channel).collect::<Vec<_>>();
        check(&message, &Acme::default(), NOW).map(steps).map_err(|refusal| refusal.code)
    };
    let alone = Ok(vec![Channel::LineNotification]);
    for (key, value, result) in [
        ("user", json!({"lineUserId": "U1"}), Err(3_002)),
        ("user", Value::Null, Err(3_001)),
        ("content", Value::Null, Err(3_004)),
        ("content", json!({}), Err(3_005)),
        ("content", json!({"title": "x".repeat(500)}), alone.clone()),
        ("content", json!({"title": "x".repeat(501)}), Err(3_006)),
        ("smsFallback", json!({"text": ""}), alone),
        ("smsFallback", json!({"text": "Hi"}), Ok(vec![Channel::LineNotification, Channel::Sms])),
        ("smsFallback", json!({"text": "x".repeat(35_001)}), Err(3_017)),
        ("smsFallback", json!({"text": "Hi", "source": "x".repeat(17)}), Err(3_011)),
        ("clientMessageId", json!("x".repeat(51)), Err(3_009)),
        ("dlrCallbackUrl", json!("nowhere"), Err(3_020)),
    ] {
        assert_eq!(check(key, value.clone()), result, "{key} of {} bytes", value.to_string().len());
    }
}

#[test]
fn a_batch_is_refused_as_a_whole_for_its_size_and_its_id() {
    let refusal = |id: usize, message: &Value, count: usize| {
        let body = json!({"clientBatchId": "x".repeat(id), "messages": vec![message; count]}).to_string();
        ArrivingBatch::messages(body.as_bytes()).unwrap().refusal()
    };
    let (chat, sms) = (with(&json!({})), json!({"destination": "+6591234567", "text": "Hi"}));
    assert_eq!([refusal(1, &chat, 0), refusal(1, &chat, 10_001)], [Some(3_012), Some(3_013)]);
    assert_eq!([refusal(100, &chat, 10_000), refusal(101, &chat, 1)], [None, Some(3_014)]);
    assert_eq!([refusal(20, &sms, 1), refusal(21, &sms, 1)], [None, Some(1_008)]);
}

#[test]
fn a_batch_is_answered_with_the_umids_and_codes_of_its_messages() {
    let refused = Refusal::from(3_038);
    let answer = |include: bool, messages: Value| {
        let body =
            json!({"clientBatchId": "b1", "includeMessagesInResponse": include, "messages": messages}).to_string();
        let batch = ArrivingBatch::messages(body.as_bytes()).unwrap();
        let umid = |result: &Result<u32, Refusal>| format!("umid-{}", result.unwrap_or(0));
        serde_json::to_value(batch.answer("batch-1".to_owned(), &[Ok(7), Err(refused)], umid, NOW)).unwrap()
    };
    let chat = |id: &str| with(&json!({ "clientMessageId": id }));
    let counts = json!({"batchId": "batch-1", "clientBatchId": "b1", "acceptedCount": 1, "rejectedCount": 1});
    assert_eq!(answer(false, json!([chat("a"), chat("b")])), counts);
    let listed = answer(true, json!([chat("a"), chat("b")]));
    let (user, time) = (json!({"msisdn": "+6591234567"}), "2023-11-14T22:13:20.000Z");
    assert_eq!(
        listed["messages"],
        json!([
            {"umid": "umid-7", "user": user, "clientMessageId": "a", "status": {"state": "queued", "timestamp": time}},
            {"umid": "umid-0", "user": user, "clientMessageId": "b", "status": {"state": "rejected", "timestamp": time,
                "errorCode": 3_038, "errorMessage": "Template not found"}},
        ])
    );
    let sms = json!({"destination": "+6591234567", "text": "Hi"});
    let listed = answer(true, json!([sms, sms]));
    assert_eq!(listed["messages"][0]["status"]["code"], "QUEUED");
    assert_eq!(listed["messages"][1]["status"]["code"], "REJECTED");
    assert_eq!(listed["messages"][1]["umid"], "umid-0");
}

#[test]
fn an_id_of_a_subaccount_has_the_documented_form() {
    for (text, is_id) in
        [("acme", true), ("a.B-c_d&1", true), ("ab", false), ("a b c", false), ("acmé", false), ("", false)]
    {
        assert_eq!(is_sub_account_id(text), is_id, "{text}");
    }
    assert!(is_sub_account_id(&"x".repeat(50)) && !is_sub_account_id(&"x".repeat(51)));
}
