//! Events as in the provider's own samples.

use super::*;
use crate::base::domain::{Channel, Tier, Timestamp};
use crate::rules::wire::ReportedStatus;
use proptest::prelude::*;

const DELIVERED: &str = r#"{"namespace":"ChatApps","eventType":"outbound_message_status_changed",
    "description":"ChatApps outbound message delivery receipt",
    "payload":{"umid":"5b1f6c0e-2c55-4a5f-9c7e-0d6a3f1f9f10","subAccountId":"acme","channel":"whatsApp",
    "user":{"msisdn":"+6512345678","channelUserId":"6512345678"},
    "status":{"state":"delivered","detail":"delivered_to_recipient","timestamp":"2025-05-05T09:15:57.00Z"}}}"#;

const UNDELIVERED: &str = r#"{"namespace":"ChatApps","eventType":"Outbound_Message_Status_Changed","version":9,
    "payload":{"umid":"u-2","subAccountId":"acme","channel":"whatsapp","clientMessageId":"att_0",
    "user":{"channelUserId":"+6512345678"},"whatsapp":{"providerErrorCode":131026},
    "status":{"state":"undelivered","detail":"rejected_by_operator","timestamp":"2016-01-01T00:00:00Z",
    "errorCode":"15","errorMessage":"Invalid destination"}}}"#;

const STOP: &str = r#"{"namespace":"ChatApps","eventType":"inbound_message_received","description":"ChatApps inbound",
    "payload":{"umid":"in-1","subAccountId":"acme","timestamp":"2025-12-02T07:05:51Z",
    "user":{"msisdn":"+15551234567","channelUserId":"15551234567","name":"Ann"},
    "recipient":{"channel":"whatsapp","channelId":"c-1"},"type":"Text","content":{"text":"STOP"}}}"#;

const PAUSED: &str = r#"{"eventId":"0f88f5c4","timestamp":"2025-01-01T00:00:00.00Z","provider":"WhatsApp",
    "businessAccountId":950523421983857,"accountId":"acme","eventType":"template_status_update",
    "eventDetails":{"templateId":123456789012345678,"templateName":"promo","templateLanguage":"en",
    "meta":{"status":"PAUSED","reason":"NONE","otherInfo":{"title":"FIRST_PAUSE","description":"…"}}}}"#;

fn only(body: &str) -> WebhookEvent<'_> {
    let mut events = parse_events(body.as_bytes());
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

fn receipt(body: &str) -> Receipt<'_> {
    match only(body) {
        WebhookEvent::Receipt(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

fn inbound(body: &str) -> Inbound<'_> {
    match only(body) {
        WebhookEvent::Inbound { inbound, .. } => *inbound,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_receipt_names_its_attempt_and_its_status() {
    let delivered = receipt(DELIVERED);
    assert_eq!(delivered.umid.as_deref(), Some("5b1f6c0e-2c55-4a5f-9c7e-0d6a3f1f9f10"));
    assert_eq!(delivered.known_channel(), Some(Channel::WhatsApp));
    assert_eq!(delivered.report(), ReportedStatus::Delivered);
    assert_eq!(delivered.at(), Some(Timestamp::from_millis(1_746_436_557_000)));
    assert_eq!(delivered.client_message_id, None);

    let undelivered = receipt(UNDELIVERED);
    assert_eq!(undelivered.report(), ReportedStatus::Negative { code: Some(15) });
    assert_eq!(undelivered.client_message_id.as_deref(), Some("att_0"));
    assert_eq!(undelivered.msisdn().map(|number| number.to_string()).as_deref(), Some("+6512345678"));
}

#[test]
fn a_receipt_is_borrowed_from_the_body() {
    let delivered = receipt(DELIVERED);
    assert!(delivered.umid.is_some_and(|umid| umid.is_borrowed()));
    assert!(delivered.status.state.is_borrowed());
    assert!(delivered.user.unwrap().msisdn.is_some_and(|number| number.is_borrowed()));
}

#[test]
fn a_receipt_of_the_sms_api_is_one_for_sms() {
    let sms = receipt(
        r#"{"namespace":"SMS","eventType":"outbound_message_status_changed","payload":{"umid":"s-1","destination":
        "+6512345678","source":"ACME","smsCount":1,"price":{"total":0.03},"status":{"state":"delivered"}}}"#,
    );
    assert_eq!(sms.known_channel(), Some(Channel::Sms));
    assert!(sms.msisdn().is_some());
}

#[test]
fn a_receipt_says_what_the_message_cost() {
    let with = |more: &str| {
        let body = DELIVERED.replace("\"payload\":{", &format!("\"payload\":{{{more},"));
        receipt(&body).charge()
    };
    let charge = with(r#""price":{"total":0.0024,"perSms":0.0012,"currency":"EUR"},"smsCount":2"#).unwrap();
    assert_eq!(charge.price.map(|price| price.to_string()).as_deref(), Some("0.0024"));
    assert_eq!((charge.currency.as_deref(), charge.parts, charge.category), (Some("EUR"), Some(2), None));
    let charge = with(r#""whatsapp":{"pricingCategory":"utility"}"#).unwrap();
    assert_eq!((charge.price, charge.category.as_deref()), (None, Some("utility")));
    let charge = with(r#""price":{"total":0.30000000000000004,"currency":"EUR"}"#).unwrap();
    assert_eq!(charge.price.map(|price| price.to_string()).as_deref(), Some("0.30"));
    // What is no price loses no receipt.
    for nothing in [
        r#""price":7,"smsCount":"many""#,
        r#""price":{"total":-1,"currency":"to +6591234567"}"#,
        r#""price":[],"whatsapp":{"pricingCategory":""}"#,
        r#""price":null,"smsCount":0,"whatsapp":null"#,
        r#""whatsapp":{"pricingCategory":{"name":"utility"}}"#,
        r#""price":{"total":{"amount":1}},"whatsapp":{"pricingCategory":["utility"]}"#,
        r#""price":{"total":13000000000000}"#,
    ] {
        assert_eq!(with(nothing), None, "{nothing}");
    }
}

#[test]
fn an_unreadable_event_in_an_array_loses_no_other() {
    let body = format!(
        "[{DELIVERED},{{\"eventType\":\"outbound_message_status_changed\",\"payload\":7}},{STOP},{PAUSED}, 3,{UNDELIVERED}]"
    );
    let events = parse_events(body.as_bytes());
    let names: Vec<_> = events
        .iter()
        .map(|event| match event {
            WebhookEvent::Receipt(_) => "receipt",
            WebhookEvent::Inbound { .. } => "inbound",
            WebhookEvent::Business { .. } => "business",
            WebhookEvent::Preferences { .. } => "preferences",
            WebhookEvent::Other { .. } => "other",
            WebhookEvent::Unreadable { .. } => "unreadable",
        })
        .collect();
    assert_eq!(names, ["receipt", "unreadable", "inbound", "business", "unreadable", "receipt"]);
    assert!(matches!(&events[4], WebhookEvent::Unreadable { raw, .. } if raw == "3"));
}

#[test]
fn a_broken_event_loses_no_later_one() {
    let broken =
        r#"{"namespace":"ChatApps","eventType":"inbound_message_received","payload":{"content":{"text":"a "b"}}}"#;
    let quoting = r#"{"namespace":"ChatApps","eventType":7,"payload":"{\"namespace\":1}"#;
    for (body, place) in [
        (format!("[{DELIVERED},{broken},{STOP}]"), 2),
        (format!("[{quoting}, {broken} ,\n {{ {}]", &STOP[1..]), 2),
        (format!("[{DELIVERED} x {STOP}]"), 1),
    ] {
        let events = parse_events(body.as_bytes());
        assert!(matches!(events[place], WebhookEvent::Inbound { .. }), "{body}: {events:?}");
        assert_eq!(events.len(), place + 1, "{body}: {events:?}");
    }
}

#[test]
fn a_body_of_broken_events_is_read_a_hundred_times_at_most() {
    let body = format!("[{}", r#"{"eventType":["#.repeat(10_000));
    assert_eq!(parse_events(body.as_bytes()).len(), 101);
}

#[test]
fn an_array_that_is_cut_off_gives_the_events_before() {
    let body = format!("[{DELIVERED},{UNDELIVERED},{{\"eventType\":\"outb");
    let events = parse_events(body.as_bytes());
    assert_eq!(events.len(), 3);
    assert!(matches!(&events[0], WebhookEvent::Receipt(_)));
    assert!(matches!(&events[1], WebhookEvent::Receipt(_)));
    assert!(matches!(&events[2], WebhookEvent::Unreadable { raw, .. } if *raw == body));
}

#[test]
fn each_event_of_an_array_has_its_position() {
    let body = format!(" [ {DELIVERED}\n, 7 ,{{}}, {STOP} ]\n");
    let found: Vec<&str> = Events::of(body.as_bytes()).map(|(range, _)| &body[range]).collect();
    assert_eq!(found, [DELIVERED, "7", "{}", STOP]);
    for broken in ["[{},{}", "[{},{}] {}", "[{},{},]", "[{} {}]", "[{},{},x]"] {
        let found: Vec<_> = Events::of(broken.as_bytes()).collect();
        let (place, last) = found.last().unwrap();
        assert!(matches!(last, WebhookEvent::Unreadable { raw, .. } if raw == broken), "{broken}: {last:?}");
        assert_eq!(*place, 0..broken.len());
        assert!(found.len() >= 2, "{broken}: those before are read");
    }
}

#[test]
fn a_damaged_event_type_is_still_that_of_an_inbound_message() {
    for name in [
        "inbound_mess\u{fffd}ge_received",
        "Xnbound_message_received",
        "inbound_message_receive\u{fffd}",
        "INBOUND_MESSAGE_RECEIVED",
        r"\nbound_message_received",
    ] {
        let body = STOP.replace("inbound_message_received", name);
        assert_eq!(inbound(&body).words().next(), Some("STOP"), "{name}");
    }
    for name in ["outbound_message_received", "inbound_message", "message_received", ""] {
        let body = STOP.replace("inbound_message_received", name);
        assert!(matches!(only(&body), WebhookEvent::Other { .. }), "{name}");
    }
}

#[test]
fn an_array_of_receipts_is_read_whole() {
    let body = format!("[{DELIVERED},{DELIVERED},{UNDELIVERED}]");
    assert_eq!(parse_events(body.as_bytes()).len(), 3);
    assert_eq!(parse_events(b" [ ] "), []);
}

#[test]
fn only_the_first_events_of_an_unverified_body_are_read() {
    let first = |body: &str| first_receipts(body.as_bytes(), 3).len();
    assert_eq!((first(DELIVERED), first(STOP), first("rubbish")), (1, 0, 0));
    assert_eq!(first(&format!("[{DELIVERED},{UNDELIVERED},{DELIVERED},{DELIVERED}]")), 3);
    assert_eq!(first(&format!(" [{DELIVERED},1,{PAUSED},{DELIVERED}]")), 1, "events of any type count");
    assert_eq!(first(&format!("[{DELIVERED},{{\"eventType\":\"outb")), 1);
    assert_eq!(first(&format!("[{DELIVERED},1,2,rubbish")), 1, "the rest is not read");
}

#[test]
fn unreadable_and_unknown_events_are_kept_with_their_reason() {
    for body in [&b""[..], b"hello", b"{", b"\xff\xfe", b"\"text\"", b"null", b"7", b"[{]"] {
        let events = parse_events(body);
        assert!(
            matches!(events.last(), Some(WebhookEvent::Unreadable { why, .. }) if !why.is_empty()),
            "{:?} gave {events:?}",
            String::from_utf8_lossy(body)
        );
    }
    assert!(matches!(only("{}"), WebhookEvent::Other { .. }));
    assert!(
        matches!(only(r#"{"eventType":"moon_phase","payload":{}}"#), WebhookEvent::Other { event_type, .. } if &*event_type == "moon_phase")
    );
}

#[test]
fn texts_of_a_recipient_are_found_in_every_place() {
    let stop = inbound(STOP);
    assert_eq!(stop.words().collect::<Vec<_>>(), ["STOP"]);
    assert_eq!(stop.known_channel(), Some(Channel::WhatsApp));
    assert_eq!(stop.msisdn().map(|number| number.get()), Some(15_551_234_567));
    assert!(!format!("{stop:?}").contains("5551234567"));

    let tapped = inbound(
        r#"{"eventType":"inbound_message_received","payload":{"type":"Interactive","content":{"interactive":
        {"type":"button_reply","button_reply":{"id":"no-1","title":"Stop"}}},"replyToUmid":"u"}}"#,
    );
    assert_eq!(tapped.words().collect::<Vec<_>>(), ["Stop", "no-1"]);
    assert_eq!(tapped.reply_to_umid.as_deref(), Some("u"));

    let line = inbound(
        r#"{"eventType":"inboundMessage","channel":"line","user":{"channelUserId":"Ua12b"},"umid":"l-1","type":"Text",
        "content":{"text":"Hello"},"version":1,"recipient":{"recipientId":"r-1"}}"#,
    );
    assert_eq!(line.known_channel(), Some(Channel::Line));
    assert_eq!(line.recipient.as_ref().and_then(|us| us.channel_id.as_deref()), Some("r-1"));
    assert_eq!(line.words().collect::<Vec<_>>(), ["Hello"]);

    let sms = inbound(
        r#"{"namespace":"SMS","eventType":"inbound_message_received","payload":{"umid":"s","source":"+6512345678",
        "destination":"+6590000000","body":"stop"}}"#,
    );
    assert_eq!(sms.known_channel(), Some(Channel::Sms));
    assert_eq!(sms.words().collect::<Vec<_>>(), ["stop"]);
    assert!(sms.msisdn().is_some());
}

#[test]
fn every_documented_kind_of_inbound_message_is_read() {
    let of = |kind: &str, content: &str| {
        format!(
            r#"{{"namespace":"ChatApps","eventType":"inbound_message_received","payload":{{"umid":"in-1",
            "user":{{"msisdn":"+12025550023","channelUserId":"12025550023"}},
            "recipient":{{"channel":"whatsapp","channelId":"4b2ba2df"}},"type":"{kind}","content":{content}}}}}"#
        )
    };
    let flow = r#"{"interactive":{"type":"nfmReply","nfmReply":{"responseJson":"{\"flow_token\": \"stop\"}"}}}"#;
    let call = r#"{"interactive":{"type":"callPermissionReply","callPermissionReply":{"response":"accept",
        "isPermanent":false,"expirationTimestamp":"2026-01-23T06:51:55.00Z","responseSource":"user_action"}}}"#;
    let list = r#"{"interactive":{"type":"list_reply","list_reply":{"id":"l-1","title":"Two","description":"x"}}}"#;
    let place = r#"{"location":{"longitude":103.846375,"latitude":1.289563,"name":"Quay"}}"#;
    for (kind, content, named, words) in [
        ("Text", r#"{"text":"Hello"}"#, "text", &["Hello"][..]),
        ("Image", r#"{"url":"https://media.example/1"}"#, "image", &[]),
        ("Document", r#"{"url":"https://media.example/1","text":"a caption"}"#, "document", &["a caption"]),
        ("File", r#"{"url":"https://media.example/1"}"#, "file", &[]),
        ("Location", place, "location", &[]),
        ("Interactive", flow, "nfmreply", &[]),
        ("Interactive", call, "callpermissionreply", &[]),
        ("Interactive", list, "list_reply", &["Two", "l-1"]),
        ("Buttons", r#"{"text":"Yes","payload":"yes-1"}"#, "buttons", &["Yes", "yes-1"]),
        ("Carousel", "null", "carousel", &[]),
        ("None", "7", "none", &[]),
        ("Text", r#"{"text":{"body":"x"},"payload":"stop"}"#, "text", &["stop"]),
    ] {
        let body = of(kind, content);
        let message = inbound(&body);
        assert_eq!((message.kind().as_str(), message.words().collect::<Vec<_>>()), (named, words.to_vec()), "{body}");
        assert_eq!(message.msisdn().map(|number| number.get()), Some(12_025_550_023), "{body}");
    }
    // A sender without a number, and a LINE id that only looks like a number.
    let numberless =
        of("Text", r#"{"text":"Hello"}"#).replace("+12025550023", "").replace("12025550023", "US.134912086");
    assert_eq!((inbound(&numberless).msisdn(), inbound(&numberless).user_id()), (None, Some("US.134912086")));
    let line =
        of("Text", r#"{"text":"Hello"}"#).replace("\"msisdn\":\"+12025550023\",", "").replace("whatsapp", "line");
    assert_eq!((inbound(&line).msisdn(), inbound(&line).user_id()), (None, None));
    let of_line = line.replace(
        "\"channelUserId\":\"12025550023\"",
        "\"channelUserId\":\"\",\"lineUserId\":\"U4af4980629a1b2c3d4e5f60718293a4b\"",
    );
    assert_eq!(inbound(&of_line).user_id(), Some("U4af4980629a1b2c3d4e5f60718293a4b"));
    let long = format!("SG.{}", "1".repeat(126));
    for no_id in
        ["", "+6591xxxx", "6591xxxx", "**MASKED**", "string", "null", "Unknown", "SG.", "SG.1xx*", "sg.1", &long]
    {
        let masked = numberless.replace("US.134912086", no_id);
        assert_eq!(inbound(&masked).user_id(), None, "{no_id}");
    }
    let ad = of("Text", r#"{"text":"Hello"}"#).replace("\"umid\"", "\"referral\":{\"source_type\":\"ad\"},\"umid\"");
    assert!(inbound(&ad).is_from_an_ad());
}

#[test]
fn account_events_name_their_template_and_tier() {
    let WebhookEvent::Business { business: paused, .. } = only(PAUSED) else { panic!("no business event") };
    assert_eq!(paused.details.template_name.as_deref(), Some("promo"));
    assert_eq!(paused.details.template_id.as_deref(), Some("123456789012345678"));
    assert_eq!(paused.details.meta.status.as_deref(), Some("PAUSED"));
    assert_eq!(paused.details.meta.other_info.as_ref().and_then(|info| info.title.as_deref()), Some("FIRST_PAUSE"));

    let quality = |meta: &str| {
        let body = format!(
            r#"{{"eventType":"phone_number_quality_update","eventDetails":{{"displayPhoneNumber":"15550783881","meta":{meta}}}}}"#
        );
        let WebhookEvent::Business { business: event, .. } = only(&body) else { panic!("no business event") };
        event.tier()
    };
    assert_eq!(
        quality(r#"{"event":"UPGRADE","currentLimit":"TIER_10K","oldLimit":"TIER_1K"}"#),
        Some(Tier::Recipients(10_000))
    );
    assert_eq!(
        quality(r#"{"event":"DOWNGRADE","maxDailyConversationsPerBusiness":"TIER_2K"}"#),
        Some(Tier::Recipients(2_000))
    );
    assert_eq!(quality(r#"{"event":"UPGRADE","currentLimit":"UNLIMITED"}"#), Some(Tier::Unlimited));
    assert_eq!(quality(r#"{"event":"THROUGHPUT_UPGRADE","currentLimit":"TIER_UNLIMITED"}"#), None);
    assert_eq!(quality(r#"{"event":"FLAGGED","reason":"QUALITY_DECREASE"}"#), None);
}

#[test]
fn an_account_violation_keeps_its_details() {
    let WebhookEvent::Business { business: event, .. } = only(
        r#"{"eventId":"9ac6f2cb","eventType":"account_update","eventDetails":{"event":"ACCOUNT_VIOLATION","phoneNumber":
        "16505552771","violationInfo":{"violationType":"USER_INITIATED_CALLS_LOW_PICKUP_RATE"}}}"#,
    ) else {
        panic!("no business event")
    };
    assert_eq!(event.details.event.as_deref(), Some("ACCOUNT_VIOLATION"));
    assert_eq!(event.details.display_phone_number.as_deref(), Some("16505552771"));
    assert!(event.details.violation_info.is_some());
}

#[test]
fn a_written_receipt_reads_as_itself() {
    let before = receipt(UNDELIVERED);
    let mut body = Vec::new();
    before.append_event(&mut body);
    assert_eq!(parse_events(&body), [WebhookEvent::Receipt(before)]);
}

proptest! {
    #[test]
    fn any_body_is_parsed_without_a_panic(body: Vec<u8>) {
        prop_assert!(!parse_events(&body).is_empty() || body.trim_ascii().starts_with(b"["));
    }

    #[test]
    fn any_damaged_body_is_parsed_without_a_panic(at in 0..DELIVERED.len(), byte: u8, end in 0..DELIVERED.len()) {
        let mut body = format!("[{DELIVERED},{STOP},{PAUSED}]").into_bytes();
        body[at] = byte;
        prop_assert!(!parse_events(&body).is_empty());
        prop_assert!(!parse_events(&body[..body.len() - end]).is_empty());
    }
}
