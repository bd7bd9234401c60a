//! Tests of the model through its public methods.

mod documents;
mod strict;

use super::*;
use crate::base::domain::{Channel, Span};
use crate::practice::simulator::RouteStep;
use crate::rules::wire::{ErrorBody, MessageAnswer, ReportedStatus, WebhookEvent, parse_events};
use std::collections::BTreeSet;

use serde_json::{Value, json};

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const MESSAGES: &str = "/api/v1/subaccounts/acme/messages";

fn model(profile: Profile) -> Model {
    Model::new(profile, 7, START)
}

fn post(model: &mut Model, path: &str, body: &Value, now: Timestamp) -> DelayedReply {
    let body = body.to_string();
    model.call(&Call { method: Method::Post, path, authorization: None, body: body.as_bytes() }, now)
}

fn call(model: &mut Model, method: Method, path: &str, now: Timestamp) -> (u16, Value) {
    response(&model.call(&Call { method, path, authorization: None, body: b"" }, now))
}

fn response(answer: &DelayedReply) -> (u16, Value) {
    match &answer.reply {
        Reply::Response { status, body, .. } => (*status, serde_json::from_str(body).unwrap()),
        other => panic!("{other:?}"),
    }
}

fn text(number: u64, id: &str, channels: &Value) -> Value {
    json!({"user": {"msisdn": format!("+{number}")}, "clientMessageId": id, "type": "text",
           "content": {"text": "hello"}, "channels": channels})
}

/// A template, which needs no open window.
fn whatsapp(number: u64, id: &str) -> Value {
    json!({"user": {"msisdn": format!("+{number}")}, "clientMessageId": id, "type": "template",
           "content": {"template": {"name": "welcome", "language": "en"}}, "channels": [{"channel": "WhatsApp"}]})
}

fn hello(from: Writer, channel: Channel) -> InboundMessage {
    let written = Written::text("Hello");
    InboundMessage { from, channel, written, reply_to: None, sub_account: None, is_from_an_ad: false }
}

/// Opens the recipient's window: they write on WhatsApp.
fn write(model: &mut Model, number: u64, now: Timestamp) -> Webhook {
    let from = Writer::Number(number.try_into().unwrap());
    model.inbound(hello(from, Channel::WhatsApp), now)
}

fn seconds(count: i64) -> Span {
    Span::from_secs(count)
}

/// Returns what the webhooks up to a time report of each umid, in order.
fn reports(model: &mut Model, until: Timestamp) -> Vec<(String, Option<Channel>, ReportedStatus)> {
    let webhooks = model.tick(until);
    let events = webhooks.iter().flat_map(|webhook| parse_events(&webhook.event));
    events
        .map(|event| match event {
            WebhookEvent::Receipt(receipt) => {
                (receipt.umid.as_deref().unwrap().to_owned(), receipt.known_channel(), receipt.report())
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_message_is_accepted_and_its_receipts_follow_in_order() {
    let mut model = model(Profile::perfect());
    let answer = post(&mut model, MESSAGES, &whatsapp(6_591_234_567, "mine"), START);
    let (status, body) = response(&answer);
    let body = body.to_string();
    let accepted: MessageAnswer<'_> = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200);
    assert!(accepted.is_accepted());
    assert_eq!(accepted.client_message_id.as_deref(), Some("mine"));
    let umid = accepted.umid.unwrap().to_string();
    let reported = reports(&mut model, START + seconds(1));
    let wanted = [ReportedStatus::Sent, ReportedStatus::Delivered, ReportedStatus::Read];
    assert_eq!(reported, wanted.map(|report| (umid.clone(), Some(Channel::WhatsApp), report)));
    assert_eq!(model.next_due(), None);
}

#[test]
fn the_same_seed_gives_the_same_fates_in_any_order_of_arrival() {
    let numbers: Vec<u64> = (0..300).map(|n| 6_591_000_000 + n).collect();
    let fates = |numbers: &[u64]| {
        let mut model = model(Profile::default());
        for number in numbers {
            post(&mut model, MESSAGES, &whatsapp(*number, &format!("id-{number}")), START);
        }
        model.tick(START + seconds(86_400));
        let mut fates: Vec<_> =
            (0..model.message_count()).filter_map(|n| model.message(n)).map(|m| (m.msisdn, m.steps[0].state)).collect();
        fates.sort_unstable();
        fates
    };
    let backwards: Vec<u64> = numbers.iter().rev().copied().collect();
    assert_eq!(fates(&numbers), fates(&backwards));
}

#[test]
fn another_start_with_the_same_seed_gives_the_same_fates_and_other_ids() {
    let run = |started: Timestamp| {
        let mut model = Model::new(Profile::default(), 7, started);
        let mut ids = BTreeSet::new();
        for n in 0..50 {
            let answer = post(&mut model, MESSAGES, &whatsapp(6_591_000_000 + n, &format!("id-{n}")), started);
            ids.extend(response(&answer).1["umid"].as_str().map(str::to_owned));
        }
        let batch = json!({"messages": [whatsapp(6_591_000_000, "in-a-batch")]});
        let batch = response(&post(&mut model, &format!("{MESSAGES}/batch"), &batch, started)).1;
        ids.insert(batch["batchId"].as_str().unwrap().to_owned());
        model.tick(started + seconds(86_400));
        let states = |n| model.message(n).map(|message| message.steps[0].state);
        ((0..50).map(states).collect::<Vec<_>>(), ids)
    };
    let (first, ids) = run(START);
    for later in [Span::from_millis(1), seconds(1), seconds(3_600), seconds(365 * 86_400)] {
        let (again, others) = run(START + later);
        assert_eq!(again, first, "{later}");
        assert!(ids.len() > 40 && ids.is_disjoint(&others), "{later}");
    }
}

#[test]
fn results_match_the_shares_of_the_profile() {
    let mut model = model(Profile::default());
    for n in 0..4_000 {
        post(&mut model, MESSAGES, &whatsapp(6_591_000_000 + n, &format!("id-{n}")), START);
    }
    model.tick(START + seconds(86_400));
    let seen = &model.seen().channels[usize::from(Channel::WhatsApp.code())];
    let share = |count: u64| count as f64 / 4_000.0;
    assert!((share(seen.delivered) - 0.80).abs() < 0.03, "{seen:?}");
    assert!((share(seen.undelivered) - 0.08).abs() < 0.02, "{seen:?}");
    assert!((share(seen.rejected) - 0.02).abs() < 0.01, "{seen:?}");
    assert!((share(seen.read) - 0.48).abs() < 0.03, "{seen:?}");
    assert_eq!(seen.accepted + seen.rejected, 4_000);
}

#[test]
fn invalid_requests_get_the_providers_code() {
    let mut model = model(Profile { sub_accounts: vec!["acme".to_owned()], ..Profile::perfect() });
    let template = |name: &str, language: &str, parameter: &str| {
        json!({"user": {"msisdn": "+6591234567"}, "type": "template", "channels": [{"channel": "WhatsApp"}],
            "content": {"template": {"name": name, "language": language, "components": [
                {"type": "body", "parameters": [{"type": "text", "text": parameter}]}]}}})
    };
    let channels = |channels: Value| text(6_591_234_567, "x", &channels);
    for (body, code) in [
        (json!({}), 3_001),
        (json!({"user": {}}), 3_002),
        (json!({"user": {"msisdn": "12"}}), 1_002),
        (json!({"user": {"msisdn": "+6591234567"}, "type": "smoke", "channels": [{"channel": "SMS"}]}), 3_010),
        (json!({"user": {"msisdn": "+6591234567"}, "type": "text"}), 3_004),
        (json!({"user": {"msisdn": "+6591234567"}, "type": "text", "content": {}}), 3_005),
        (text(6_591_234_567, &"x".repeat(51), &json!([{"channel": "SMS"}])), 3_009),
        (channels(json!([{"channel": "Pigeon"}])), 3_022),
        (channels(json!([{"channel": "SMS", "fallbackAfter": 9}])), 3_023),
        (channels(json!([{"channel": "SMS", "successStatus": "Loved"}])), 3_024),
        (channels(json!([{"channel": "LINE", "successStatus": "Delivered"}])), 3_025),
        (channels(json!([{"channel": "SMS", "successStatus": "Read"}])), 3_026),
        (template("Promo!", "en", "a"), 3_032),
        (template("promo", "", "a"), 3_036),
        (template("promo", "en", ""), 3_040),
        (template("promo", "en", &"x".repeat(1_025)), 3_043),
    ] {
        let (status, error) = response(&post(&mut model, MESSAGES, &body, START));
        assert_eq!((status, error["code"].as_i64()), (400, Some(code)), "{body}");
    }
    let foreign = "/api/v1/subaccounts/other/messages";
    let (_, error) = response(&post(&mut model, foreign, &whatsapp(6_591_234_567, "x"), START));
    assert_eq!(error["code"], 1_001);
    assert_eq!(model.seen().messages, 0);
    assert_eq!(model.next_due(), None);
}

#[test]
fn a_batch_accepts_valid_messages_and_names_the_others() {
    let mut model = model(Profile::perfect());
    let batch = json!({"clientBatchId": "b-1", "includeMessagesInResponse": true,
        "messages": [whatsapp(6_591_234_567, "a"), whatsapp(1, "b"), whatsapp(6_591_234_568, "c")]});
    let (status, answer) = response(&post(&mut model, &format!("{MESSAGES}/batch"), &batch, START));
    assert_eq!(status, 200);
    assert_eq!((&answer["acceptedCount"], &answer["rejectedCount"]), (&json!(2), &json!(1)));
    assert_eq!(answer["messages"][1]["status"]["errorCode"], 1_002);
    assert_eq!(answer["messages"][2]["clientMessageId"], "c");
    let webhooks = model.tick(START);
    let event: Value = serde_json::from_slice(&webhooks[0].event).unwrap();
    assert_eq!(event["payload"]["clientBatchId"], "b-1");
    assert_eq!(event["payload"]["batchId"], answer["batchId"]);
    for (body, code) in
        [(json!({"messages": []}), 3_012), (json!({"clientBatchId": "x".repeat(101), "messages": [{}]}), 3_014)]
    {
        let (status, error) = response(&post(&mut model, &format!("{MESSAGES}/batch"), &body, START));
        assert_eq!((status, error["code"].as_i64()), (400, Some(code)));
    }
}

#[test]
fn only_scheduled_messages_can_be_cancelled() {
    let mut model = model(Profile::perfect());
    let later = START + seconds(60);
    let mut scheduled = whatsapp(6_591_234_567, "later");
    scheduled["scheduled"] = json!(later.rfc3339());
    let batch = json!({"messages": [scheduled, whatsapp(6_591_234_568, "now")]});
    let (_, answer) = response(&post(&mut model, &format!("{MESSAGES}/batch"), &batch, START));
    let path = format!("{MESSAGES}/batch/{}", answer["batchId"].as_str().unwrap());
    assert_eq!(call(&mut model, Method::Delete, &path, START).1, json!({"cancelledCount": 1}));
    assert_eq!(call(&mut model, Method::Delete, &path, START).1, json!({"cancelledCount": 0}));
    let reported = reports(&mut model, later + seconds(60));
    assert_eq!(reported.len(), 3, "only the one that was not cancelled: {reported:?}");
    let (status, _) = call(&mut model, Method::Delete, &format!("{MESSAGES}/nonsense"), START);
    assert_eq!(status, 404);
}

#[test]
fn an_expired_message_is_dropped_unless_it_was_delivered() {
    let late = "[channel.SMS]\nsent_after = { median = \"1s\", spread = 1.0 }\n\
                delivered_after = { median = \"60s\", spread = 1.0 }\nreject = 0.0\nundelivered = 0.0\nsilent = 0.0\n\
                delivered = 1.0";
    let mut model = model(Profile::from_toml(late).unwrap());
    let mut send = |number: u64, expiry: Option<i64>| {
        let mut body = text(number, "mine", &json!([{"channel": "SMS"}]));
        body["expiry"] = json!(expiry.map(|after| (START + seconds(after)).rfc3339()));
        response(&post(&mut model, MESSAGES, &body, START))
    };
    assert_eq!((send(6_591_000_001, Some(30)).0, send(6_591_000_002, Some(90)).0), (200, 200));
    let (status, refused) = send(6_591_000_003, Some(0));
    assert_eq!((status, &refused["code"]), (400, &json!(1_006)));
    let all = |model: &mut Model, at| -> Vec<ReportedStatus> {
        reports(model, START + seconds(at)).into_iter().map(|(_, _, report)| report).collect()
    };
    assert_eq!(
        all(&mut model, 30),
        [ReportedStatus::Sent, ReportedStatus::Sent, ReportedStatus::Negative { code: Some(36) }]
    );
    assert_eq!(all(&mut model, 90), [ReportedStatus::Delivered]);
}

#[test]
fn queries_fail_or_find_nothing_on_demand() {
    let mut model = model(Profile::perfect());
    let answer = post(&mut model, MESSAGES, &whatsapp(6_591_234_567, "a"), START);
    let (_, accepted) = response(&answer);
    let path = format!("{MESSAGES}/{}", accepted["umid"].as_str().unwrap());
    for (faults, status) in [
        (json!({"details_500": 1.0}), 500),
        (json!({"details_500": 0.0, "details_unknown": true}), 404),
        (json!({"details_unknown": false}), 200),
    ] {
        let faults = model.faults().with(&faults).unwrap();
        model.set_faults(faults);
        let now = START + seconds(i64::try_from(model.seen().questions).unwrap() + 1);
        assert_eq!(call(&mut model, Method::Get, &path, now).0, status);
    }
    assert_eq!(model.seen().questions, 3);
}

#[test]
fn details_are_answered_once_a_second_with_every_step() {
    let mut model = model(Profile::perfect());
    let (_, answer) = response(&post(&mut model, MESSAGES, &whatsapp(6_591_234_567, "mine"), START));
    model.tick(START);
    let path = format!("{MESSAGES}/{}", answer["umid"].as_str().unwrap());
    let (status, details) = call(&mut model, Method::Get, &path, START);
    assert_eq!(status, 200);
    assert_eq!(details["data"][0]["status"]["state"], "read");
    assert_eq!(details["data"][0]["user"]["msisdn"], "+659123xxxx");
    assert_eq!(call(&mut model, Method::Get, &path, START + Span::from_millis(999)).0, 429);
    assert_eq!(call(&mut model, Method::Get, &path, START + seconds(2)).0, 200);
}

#[test]
fn a_request_without_one_channel_falls_back_by_itself_and_is_counted() {
    let mut profile = Profile::perfect();
    let whatsapp = profile.channels.get_mut(&Channel::WhatsApp).unwrap();
    (whatsapp.delivered, whatsapp.silent) = (0.0, 1.0);
    let own = |channel, fallback_after| RouteStep { channel, fallback_after, success_status: None };
    profile.route = vec![own(Channel::WhatsApp, Some(seconds(60))), own(Channel::Sms, None)];
    let mut model = model(profile);
    write(&mut model, 6_591_234_567, START);
    write(&mut model, 6_591_234_568, START);
    let mut bare = text(6_591_234_567, "bare", &json!(null));
    bare["content"]["fallbackText"] = json!("hello");
    post(&mut model, MESSAGES, &bare, START);
    assert_eq!(reports(&mut model, START + seconds(59)), []);
    let reported = reports(&mut model, START + seconds(60));
    assert_eq!(reported.iter().map(|(_, channel, _)| *channel).collect::<Vec<_>>(), [Some(Channel::Sms); 2]);
    let seen = model.seen();
    assert_eq!((seen.own_fallbacks, seen.not_one_channel, seen.with_fallback_text), (1, 1, 1));
    assert_eq!(model.message(0).unwrap().steps.len(), 2);

    let several =
        json!([{"channel": "WhatsApp", "fallbackAfter": 10, "successStatus": "Delivered"}, {"channel": "Viber"}]);
    post(&mut model, MESSAGES, &text(6_591_234_568, "several", &several), START);
    model.tick(START + seconds(70));
    assert_eq!(model.seen().own_fallbacks, 2);
    assert_eq!(model.seen().with_fallback_rule, 1);
}

#[test]
fn a_step_that_met_its_status_does_not_fall_back() {
    let mut model = model(Profile::perfect());
    let several = json!([{"channel": "WhatsApp", "fallbackAfter": 10}, {"channel": "SMS"}]);
    write(&mut model, 6_591_234_567, START);
    post(&mut model, MESSAGES, &text(6_591_234_567, "x", &several), START);
    model.tick(START + seconds(100));
    assert_eq!(model.seen().own_fallbacks, 0);
}

#[test]
fn each_fault_has_its_effect() {
    let mut model = model(Profile::perfect());
    let mut with = |changes: Value| {
        model.set_faults(Faults::default().with(&changes).unwrap());
        let answer = post(&mut model, MESSAGES, &whatsapp(6_591_234_567, "x"), START);
        (answer, model.seen().messages)
    };
    let (throttled, taken) = with(json!({"throttle": 1.0, "retry_after": 12}));
    let Reply::Response { status: 429, retry_after: Some(12), body } = &throttled.reply else {
        panic!("{throttled:?}")
    };
    let error: ErrorBody<'_> = serde_json::from_str(body).unwrap();
    assert_eq!(error.retry_after(), Some(seconds(12)));
    assert_eq!(taken, 0);
    assert_eq!(response(&with(json!({"error_500": 1.0})).0).0, 500);
    assert_eq!(with(json!({"cut_before": 1.0})).0.reply, Reply::CutBeforeReading);
    let (refused, taken) = with(json!({"key_refused": true}));
    assert_eq!(response(&refused).1["code"], 1_200);
    assert_eq!(taken, 0);
    let (forbidden, taken) = with(json!({"forbidden_text": "6591234567"}));
    assert!(matches!(&forbidden.reply, Reply::Response { status: 403, body, .. } if body.starts_with("<html>")));
    assert_eq!(taken, 0);
    assert_eq!(response(&with(json!({"template_missing": "promo"})).0).0, 200);

    // From here on the message is accepted, whatever the caller sees.
    let (cut, taken) = with(json!({"cut_after": 1.0}));
    assert_eq!((cut.reply, taken), (Reply::CutAfterReading, 2));
    let (broken, taken) = with(json!({"error_500_after": 1.0}));
    assert_eq!((response(&broken).0, taken), (500, 3));
    assert_eq!(with(json!({"slow_ms": 250})).0.after, Span::from_millis(250));
    assert_eq!(model.seen().duplicates, 1, "one id counts once");
}

#[test]
fn answers_are_delayed_by_their_latency() {
    let latency = super::super::Latency { median: seconds(1), spread: 2.0 };
    let mut model = model(Profile { answer_after: Some(latency), speed: 10.0, ..Profile::perfect() });
    for n in 0..50 {
        let answer = post(&mut model, MESSAGES, &whatsapp(6_591_234_567, &format!("m-{n}")), START);
        assert!((50..=200).contains(&answer.after.millis()), "{answer:?}");
    }
}

#[test]
fn a_paused_template_and_spent_credit_are_reported_by_receipt() {
    let mut model = model(Profile::perfect());
    let template = json!({"user": {"msisdn": "+6591234567"}, "type": "template", "channels": [{"channel": "WhatsApp"}],
        "content": {"template": {"name": "promo", "language": "en"}}});
    for (faults, code) in [(json!({"template_paused": "promo"}), 1_035), (json!({"no_credit": true}), 42)] {
        model.set_faults(Faults::default().with(&faults).unwrap());
        assert_eq!(response(&post(&mut model, MESSAGES, &template, START)).0, 200);
        let reported = reports(&mut model, START + seconds(60));
        assert_eq!(reported.last().unwrap().2, ReportedStatus::Negative { code: Some(code) });
    }
    model.set_faults(Faults::default().with(&json!({"template_missing": "promo"})).unwrap());
    assert_eq!(response(&post(&mut model, MESSAGES, &template, START)).1["code"], 3_038);
}

#[test]
fn receipts_are_duplicated_reordered_or_lost_on_demand() {
    let mut model = model(Profile::perfect());
    model.set_faults(Faults { duplicate: 1.0, ..Faults::default() });
    post(&mut model, MESSAGES, &whatsapp(6_591_234_567, "a"), START);
    assert_eq!(reports(&mut model, START + seconds(60)).len(), 6);
    model.set_faults(Faults { reorder: 1.0, ..Faults::default() });
    for n in 0..20 {
        post(&mut model, MESSAGES, &whatsapp(6_591_300_000 + n, &format!("r-{n}")), START + seconds(60));
    }
    let reported = reports(&mut model, START + seconds(120));
    let overtaken = reported.iter().enumerate().any(|(at, (umid, _, report))| {
        *report == ReportedStatus::Read
            && reported[at..].iter().any(|later| later.0 == *umid && later.2 == ReportedStatus::Sent)
    });
    assert!(overtaken, "no receipt overtook another: {reported:?}");
    model.set_faults(Faults { silent_receipts: true, ..Faults::default() });
    post(&mut model, MESSAGES, &whatsapp(6_591_234_569, "c"), START + seconds(120));
    assert_eq!(reports(&mut model, START + seconds(200)), []);
    assert_eq!(model.seen().receipts_lost, 3);
}

#[test]
fn windows_of_faults_open_and_close() {
    let faults = Faults { throttle: 1.0, ..Faults::default() };
    let window = super::super::Window { from: seconds(10), until: seconds(20), faults };
    let mut model = model(Profile { windows: vec![window], ..Profile::perfect() });
    let mut status =
        |at: i64| response(&post(&mut model, MESSAGES, &whatsapp(6_591_234_567, "x"), START + seconds(at))).0;
    assert_eq!([status(0), status(9), status(10), status(19), status(20)], [200, 200, 429, 429, 200]);
}

#[test]
fn a_strict_gateway_accepts_its_rate_and_no_more() {
    let mut profile = Profile::perfect();
    profile.channels.get_mut(&Channel::WhatsApp).unwrap().rate = Some("5/s".parse().unwrap());
    let mut model = model(profile);
    let mut taken = |from: i64| {
        (0..10)
            .filter(|n| {
                let body = whatsapp(6_591_234_567, &format!("{from}-{n}"));
                response(&post(&mut model, MESSAGES, &body, START + Span::from_millis(from + n))).0 == 200
            })
            .count()
    };
    assert_eq!((taken(0), taken(500), taken(1_000)), (5, 0, 5));
    assert_eq!(model.seen().channels[0].peak_per_second, 5);
}

#[test]
fn a_recipient_is_listed_with_all_messages() {
    let mut model = model(Profile::perfect());
    post(&mut model, MESSAGES, &whatsapp(6_591_234_567, "first"), START);
    post(&mut model, MESSAGES, &whatsapp(6_591_234_568, "other"), START);
    post(&mut model, MESSAGES, &text(6_591_234_567, "second", &json!([{"channel": "SMS"}])), START);
    let to = model.messages_to("+6591234567".parse().unwrap());
    let ids: Vec<_> = to.iter().map(|message| message.client_message_id.as_deref().unwrap()).collect();
    assert_eq!(ids, ["second", "first"]);
    assert_eq!(to[0].steps[0].channel, Channel::Sms);
    assert!(to[0].request.as_ref().unwrap().get().contains("hello"));
    assert_eq!(model.seen().people, 2);
}

#[test]
fn only_the_key_is_accepted() {
    let mut model = model(Profile::perfect()).with_key(Some("secret".to_owned()));
    let body = whatsapp(6_591_234_567, "x").to_string();
    for (authorization, status) in
        [(None, 401), (Some("Bearer wrong"), 401), (Some("secret"), 401), (Some("bearer secret"), 200)]
    {
        let call = Call { method: Method::Post, path: MESSAGES, authorization, body: body.as_bytes() };
        assert_eq!(response(&model.call(&call, START)).0, status, "{authorization:?}");
    }
    assert_eq!(model.seen().keys_refused, 3);
}

#[test]
fn an_unreadable_request_gets_an_error() {
    let mut model = model(Profile::perfect());
    for body in [&b""[..], b"{", b"\xff", b"[]", b"{\"user\":3}"] {
        for path in [MESSAGES, "/api/v1/subaccounts/acme/messages/batch"] {
            let answer = model.call(&Call { method: Method::Post, path, authorization: None, body }, START);
            assert_eq!(response(&answer).0, 400, "{path} {:?}", String::from_utf8_lossy(body));
        }
    }
    for path in ["", "/", "/api/v1/subaccounts", "/api/v1/subaccounts//", "/api/v1/subaccounts/acme/pigeons"] {
        for method in [Method::Get, Method::Post, Method::Delete] {
            assert_eq!(call(&mut model, method, path, START).0, 404, "{method:?} {path}");
        }
    }
}

#[test]
fn a_recipient_of_line_is_known_by_its_id() {
    let mut model = model(Profile::perfect());
    let to = |id: &str, mine: &str| {
        json!({"user": {"lineUserId": id}, "clientMessageId": mine, "type": "Text", "content": {"text": "hello"},
               "channels": [{"channel": "LINE"}]})
    };
    for (id, mine) in [("Ua12b345678c1de0fg1a1234567891011", "a"), ("Ua1", "b"), ("Ua1", "c")] {
        let (status, answer) = response(&post(&mut model, MESSAGES, &to(id, mine), START));
        assert_eq!((status, &answer["user"]["lineUserId"]), (200, &json!(id)), "{answer}");
    }
    assert_eq!(response(&post(&mut model, MESSAGES, &to("", "d"), START)).0, 400, "an empty id is no recipient");
    let seen = model.messages_to_user("Ua1");
    let ids: Vec<_> = seen.iter().map(|message| message.client_message_id.as_deref()).collect();
    assert_eq!(ids, [Some("c"), Some("b")]);
    assert_eq!((seen[0].user_id.as_deref(), &seen[0].msisdn), (Some("Ua1"), &None));
    assert_eq!(model.seen().people, 2);
    let users: BTreeSet<String> = model
        .tick(START + seconds(60))
        .iter()
        .map(|webhook| serde_json::from_slice::<Value>(&webhook.event).unwrap()["payload"]["user"].to_string())
        .collect();
    let named = |id: &str| json!({ "channelUserId": id }).to_string();
    assert_eq!(users, [named("Ua1"), named("Ua12b345678c1de0fg1a1234567891011")].into());
}

#[test]
fn a_notification_has_an_address_of_its_own() {
    let mut model = model(Profile::perfect());
    let lon = "/api/v1/subaccounts/acme/lon";
    let of = |mine: &str| {
        json!({"user": {"msisdn": "+6591234567"}, "clientMessageId": mine, "content": {"title": "Reminder",
               "emphasis": {"label": "Event", "Content": "Conference"}}})
    };
    let (status, answer) = response(&post(&mut model, lon, &of("a"), START));
    assert_eq!((status, &answer["clientMessageId"]), (200, &json!("a")), "{answer}");
    let batch = json!({"includeMessagesInResponse": true, "messages": [of("b"), {"user": {"msisdn": "+6591234567"}}]});
    let (status, answer) = response(&post(&mut model, &format!("{lon}/batch"), &batch, START));
    assert_eq!((status, &answer["acceptedCount"], &answer["rejectedCount"]), (200, &json!(1), &json!(1)), "{answer}");
    for n in 0..2 {
        assert_eq!(model.message(n).unwrap().steps[0].channel, Channel::LineNotification);
    }
}
