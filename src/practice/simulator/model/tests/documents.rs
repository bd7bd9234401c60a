//! The sample requests of the provider's documents, and what the documents say of their answers.

use super::*;
use crate::rules::wire::samples::{Sample, sample, samples};

/// Fills in the placeholders of a sample. Its numbers are placeholders too: some are too short for a real one.
fn filled(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with('<') => json!("promo"),
        Value::String(text) if text == "{{language_code}}" => json!("en"),
        Value::String(text) if text.starts_with("{{") => json!("promo"),
        Value::Array(values) => values.iter().map(filled).collect(),
        Value::Object(parts) => {
            let part = |(key, value): (&String, &Value)| {
                let value = if key == "msisdn" { json!("+6591234567") } else { filled(value) };
                (key.clone(), value)
            };
            Value::Object(parts.iter().map(part).collect())
        }
        other => other.clone(),
    }
}

/// The channel that a sample is for: the one that it names, else the one of its page.
fn channel_of(sample: &Value) -> Channel {
    let named = sample["channels"][0]["channel"].as_str().and_then(wire::channel);
    let page = || match (sample["user"]["lineUserId"].is_string(), sample["type"].as_str()) {
        (true, _) => Channel::Line,
        (_, Some("buttons")) => Channel::Viber,
        (_, Some("carousel" | "richCard")) => Channel::Rcs,
        _ => Channel::WhatsApp,
    };
    named.unwrap_or_else(page)
}

/// The sample as its page means it: suggestions are of RCS, which a subaccount without another channel need not name.
fn named(at: &str, sample: &Value) -> Value {
    let mut body = filled(sample);
    if !body["content"]["suggestions"].is_null() && body["channels"].is_null() {
        assert!(at.contains("rcs"), "{at}");
        body["channels"] = json!([{"channel": "RCS"}]);
    }
    body
}

#[test]
fn every_sample_send_is_accepted_on_its_channel() {
    let mut model = model(Profile::perfect());
    let sends = samples().filter(|sample| sample.is == "send");
    for (Sample { at, body, .. }, n) in sends.zip(0..) {
        let body = named(&at, &body);
        let (status, answer) = response(&post(&mut model, MESSAGES, &body, START));
        assert_eq!((status, &answer["status"]["state"]), (200, &json!("queued")), "{at}\n{answer}");
        let seen = model.message(n).unwrap();
        assert_eq!(seen.steps[0].channel, channel_of(&body), "{at}");
    }
    for Sample { at, body, .. } in samples().filter(|sample| sample.is == "batch") {
        let body = filled(&body);
        let (status, answer) = response(&post(&mut model, &format!("{MESSAGES}/batch"), &body, START));
        let count = body["messages"].as_array().unwrap().len();
        let counts = (&answer["acceptedCount"], &answer["rejectedCount"]);
        assert_eq!((status, counts), (200, (&json!(count), &json!(0))), "{at}");
    }
}

#[test]
fn the_sample_notification_is_accepted_at_its_own_address() {
    let mut model = model(Profile::perfect());
    let mut sample = filled(&sample("002:3344"));
    sample["clientMessageId"] = json!("mine");
    sample["content"]["explanation"] = json!("");
    let path = "/api/v1/subaccounts/acme/lon";
    let (status, answer) = response(&post(&mut model, path, &sample, START));
    assert_eq!(
        (status, &answer["clientMessageId"], &answer["status"]["state"]),
        (200, &json!("mine"), &json!("queued"))
    );
    assert_eq!(model.message(0).unwrap().steps[0].channel, Channel::LineNotification);
    let shown = "Event reminderLINEEvent nameLINE Conference 2023Date:Tue 26/09/2023Time:09:00 - 16:00VenueLINE Office, \
                 17th Fl.Seat:A-07View agendaSee direction";
    sample["content"]["explanation"] = json!("x".repeat(500 - shown.len()));
    assert_eq!(response(&post(&mut model, path, &sample, START)).0, 200);
    sample["content"]["explanation"] = json!(format!("{}x", sample["content"]["explanation"].as_str().unwrap()));
    assert_eq!(response(&post(&mut model, path, &sample, START)).1["code"], 3_006);
    let too_long = sample.clone();
    sample["content"]["explanation"] = json!("");
    let batch = json!({"includeMessagesInResponse": true, "messages": [sample, too_long]});
    let (status, answer) = response(&post(&mut model, &format!("{path}/batch"), &batch, START));
    assert_eq!((status, &answer["acceptedCount"], &answer["rejectedCount"]), (200, &json!(1), &json!(1)));
    assert_eq!(answer["messages"][1]["status"]["errorCode"], 3_006);
}

#[test]
fn notifications_have_the_limits_of_other_messages() {
    let mut profile = Profile::perfect();
    profile.channels.get_mut(&Channel::LineNotification).unwrap().rate = "2/s".parse().ok();
    let mut model = model(profile);
    let path = "/api/v1/subaccounts/acme/lon";
    let notification = |id: usize, fallback: usize| {
        json!({"user": {"msisdn": "+6591234567"}, "clientMessageId": "x".repeat(id), "content": {"title": "Hi"},
            "smsFallback": {"text": "x".repeat(fallback)}})
    };
    let mut code = |path: &str, body: &Value| response(&post(&mut model, path, body, START)).1["code"].as_i64();
    assert_eq!(code(path, &notification(51, 1)), Some(3_009));
    assert_eq!(code(path, &notification(50, 35_001)), Some(3_017));
    let batch =
        |id: usize, count: usize| json!({"clientBatchId": "x".repeat(id), "messages": vec![notification(1, 1); count]});
    let many = format!("{path}/batch");
    assert_eq!(code(&many, &batch(1, 10_001)), Some(3_013));
    assert_eq!(code(&many, &batch(101, 1)), Some(3_014));
    assert_eq!(code(&many, &batch(1, 0)), Some(3_012));
    assert_eq!(code(&many, &batch(1, 3)), Some(429), "the rate of the channel");
    assert_eq!(code(&many, &batch(100, 1)), None);
    assert_eq!(code(path, &notification(50, 35_000)), None);
    assert_eq!(code(path, &notification(1, 1)), Some(429));
}

#[test]
fn errors_have_the_documents_words() {
    let mut model = model(Profile { sub_accounts: vec!["acme".to_owned()], ..Profile::perfect() });
    let malformed = json!({"user": {"msisdn": "91234567x"}, "type": "text", "content": {"text": "hello"}});
    let (status, error) = response(&post(&mut model, MESSAGES, &malformed, START));
    assert_eq!((status, &error["code"]), (400, &json!(1_002)));
    assert_eq!(error["message"], "Invalid MSISDN format (not E.164 international number)");
    let (status, error) =
        response(&post(&mut model, "/api/v1/subaccounts/other/messages", &whatsapp(6_591_234_567, "a"), START));
    assert_eq!((status, &error["code"]), (400, &json!(1_001)));
    assert_eq!(error["message"], "Provided subAccountId doesn't belongs to your account");
    let unknown = format!("{MESSAGES}/91b106f0-c0da-4aba-a43a-7af9c5893a80");
    let (status, error) = call(&mut model, Method::Get, &unknown, START);
    assert_eq!((status, &error["code"], &error["message"]), (404, &json!(4_018), &json!("Invalid jobId")));
    let (status, error) = call(&mut model, Method::Get, &unknown, START);
    assert_eq!((status, &error["code"]), (429, &json!(429)));
    assert_eq!(error["message"], "Quota exceeded. Please try again in 1 second(s).");
}

#[test]
fn a_negative_receipt_has_the_documents_words() {
    let mut profile = Profile::perfect();
    let whatsapp_fate = profile.channels.get_mut(&Channel::WhatsApp).unwrap();
    (whatsapp_fate.delivered, whatsapp_fate.undelivered) = (0.0, 1.0);
    whatsapp_fate.undelivered_codes = vec![15];
    let mut model = model(profile);
    post(&mut model, MESSAGES, &whatsapp(6_591_234_567, "a"), START);
    let webhooks = model.tick(START + seconds(60));
    let event: Value = serde_json::from_slice(&webhooks.last().unwrap().event).unwrap();
    let status = &event["payload"]["status"];
    assert_eq!((&status["errorCode"], &status["errorMessage"]), (&json!(15), &json!("Invalid destination")));
    assert_eq!(status["detail"], "rejected_by_operator");
}

#[test]
fn details_have_the_documents_shape() {
    let mut model = model(Profile::perfect());
    let mut ask = |body: &Value, at: i64| {
        let (_, answer) = response(&post(&mut model, MESSAGES, body, START + seconds(at)));
        model.tick(START + seconds(at));
        let path = format!("{MESSAGES}/{}", answer["umid"].as_str().unwrap());
        call(&mut model, Method::Get, &path, START + seconds(at)).1["data"][0].clone()
    };
    let whatsapp = ask(&whatsapp(6_591_234_567, "mine"), 0);
    for needed in
        ["umid", "subAccountId", "channel", "channelId", "direction", "status", "contentType", "createdAt", "step"]
    {
        assert!(!whatsapp[needed].is_null(), "{needed} is missing: {whatsapp}");
    }
    assert_eq!((&whatsapp["channel"], &whatsapp["contentType"]), (&json!("WhatsApp"), &json!("Template")));
    assert_eq!((&whatsapp["content"], &whatsapp["user"]["msisdn"]), (&json!("**MASKED**"), &json!("+659123xxxx")));
    let line = json!({"user": {"lineUserId": "Ua12b345678c1de0fg1a1234567891011"}, "type": "Image",
        "content": {"url": "https://media.example/a.png"}});
    let line = ask(&line, 2);
    assert_eq!((&line["channel"], &line["contentType"]), (&json!("Line"), &json!("Image")));
    assert_eq!(line["user"], json!({"channelUserId": "Ua12b345678c1de0fg1a123456789xxxx"}));
    let zalo = json!({"user": {"msisdn": "+84912345678"}, "type": "template",
        "content": {"template": {"name": "264577", "language": "vi"}}, "channels": [{"channel": "ZaloNotification"}]});
    assert_eq!(ask(&zalo, 4)["channel"], "Zalo");
}

#[test]
fn another_subaccount_sees_and_cancels_no_message() {
    let mut model = model(Profile::perfect());
    let mut scheduled = whatsapp(6_591_234_567, "mine");
    scheduled["scheduled"] = json!((START + seconds(60)).rfc3339());
    let (_, answer) = response(&post(&mut model, MESSAGES, &scheduled, START));
    let foreign = format!("/api/v1/subaccounts/other/messages/{}", answer["umid"].as_str().unwrap());
    assert_eq!(call(&mut model, Method::Get, &foreign, START).1["code"], 4_018);
    assert_eq!(call(&mut model, Method::Delete, &foreign, START).0, 404);
    assert_eq!(model.seen().cancelled, 0);
}
