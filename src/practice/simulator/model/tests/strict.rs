//! What the provider refuses or fails although the request is well formed: limits by channel, windows, templates, media.

use super::*;

const NUMBER: u64 = 6_591_234_567;
const DAY: i64 = 86_400;

/// The code of an answer; 0 if the message was accepted.
fn code(model: &mut Model, body: &Value) -> i64 {
    let (_, answer) = response(&post(model, MESSAGES, body, START));
    answer["code"].as_i64().unwrap_or(0)
}

fn send(channel: &str, kind: &str, content: &Value) -> Value {
    json!({"user": {"msisdn": format!("+{NUMBER}"), "lineUserId": "U1"}, "type": kind, "content": content,
        "channels": [{"channel": channel}]})
}

#[test]
fn each_limit_of_the_documents_holds_on_its_channel() {
    let mut model = model(Profile::perfect());
    let long = |count: usize| "x".repeat(count);
    let reply = |title: usize| json!({"type": "reply", "reply": {"id": "1", "title": long(title)}});
    let interactive = |kind: &str, action: &Value| {
        let text = json!({ "text": "Well?" });
        json!({ "interactive": {"type": kind, "body": text, "footer": text, "action": action} })
    };
    let rows = |count: usize| {
        let rows: Vec<_> = (0..count).map(|n| json!({"id": n.to_string(), "title": "Row"})).collect();
        interactive("list", &json!({"button": "Choose", "sections": [{"title": "All", "rows": rows}]}))
    };
    let replies = |count: usize, title: usize| interactive("button", &json!({"buttons": vec![reply(title); count]}));
    let footer = |count: usize| {
        let mut whole = replies(1, 1);
        whole["interactive"]["footer"]["text"] = json!(long(count));
        whole
    };
    let filled = |count: usize| {
        json!({"template": {"name": "264577", "language": "vi", "components": [{"type": "body",
            "parameters": [{"type": "text", "name": "note", "text": long(count)}]}]}})
    };
    let text = |count: usize| json!({"text": long(count)});
    let caption = |count: usize| json!({"url": "https://media.example/a.png", "text": long(count)});
    let label =
        |count: usize| json!({"text": "Ready", "button": {"caption": long(count), "action": "https://a.example"}});
    let video = |count: usize| {
        let details = json!({"filesize": "2700", "duration": "5", "thumbnail": "https://media.example/a.png"});
        let button = label(count)["button"].clone();
        json!({"url": "https://media.example/a.mp4", "video": details, "button": button})
    };
    let card = |title: usize| json!({"richCard": {"title": long(title), "media": {"height": "TALL"}}});
    let chips = |count: usize| json!({"text": "Well?", "suggestions": vec![json!({"reply": {"text": "Yes"}}); count]});
    let below = |count: usize| {
        let mut whole = card(1);
        whole["suggestions"] = chips(count)["suggestions"].clone();
        whole
    };
    let cards = |count: usize| json!({"carousel": {"cards": vec![json!({"title": "One"}); count]}});
    // The content at its limit, and one beyond.
    for (channel, kind, at_limit, beyond, refusal) in [
        ("WhatsApp", "text", text(4_096), text(4_097), 3_006),
        ("WhatsApp", "image", caption(1_024), caption(1_025), 3_006),
        ("WhatsApp", "interactive", replies(3, 20), replies(4, 20), 3_049),
        ("WhatsApp", "interactive", replies(1, 20), replies(1, 21), 3_006),
        ("WhatsApp", "interactive", rows(10), rows(11), 1_010),
        ("WhatsApp", "interactive", footer(60), footer(61), 3_006),
        ("Viber", "text", text(1_000), text(1_001), 3_006),
        ("Viber", "buttons", label(30), label(31), 3_049),
        ("Viber", "video", video(30), video(31), 3_049),
        ("RCS", "text", text(3_072), text(3_073), 3_006),
        ("RCS", "image", caption(2_000), caption(2_001), 3_006),
        ("RCS", "richCard", card(200), card(201), 3_006),
        ("RCS", "carousel", cards(10), cards(11), 1_010),
        ("RCS", "text", chips(11), chips(12), 3_049),
        ("RCS", "richCard", below(7), below(8), 3_049),
        ("ZaloNotification", "template", filled(400), filled(401), 3_006),
    ] {
        assert_eq!(code(&mut model, &send(channel, kind, &at_limit)), 0, "{channel} {kind}");
        assert_eq!(code(&mut model, &send(channel, kind, &beyond)), refusal, "{channel} {kind}");
    }
}

#[test]
fn a_channel_refuses_content_that_it_does_not_carry() {
    let mut model = model(Profile::perfect());
    let hello = json!({"text": "hello"});
    let place = json!({"location": {"latitude": "1.28", "longitude": 103.8}});
    for (channel, kind, content, refusal) in [
        ("WhatsApp", "buttons", &hello, 3_010),
        ("Viber", "location", &place, 3_010),
        ("LINE", "location", &place, 0),
        ("LINE", "file", &json!({"url": "https://media.example/a.pdf"}), 3_010),
        ("ZaloNotification", "text", &hello, 3_010),
        ("LineNotification", "text", &hello, 3_010),
        ("WhatsApp", "image", &json!({}), 3_007),
        ("WhatsApp", "image", &json!({"url": "https://media.example/a b.png"}), 3_008),
        ("WhatsApp", "location", &json!({"location": {"latitude": 91, "longitude": 0}}), 3_021),
        ("SMS", "template", &json!({"template": {"name": "promo", "language": "en"}}), 3_005),
        ("SMS", "template", &json!({"template": {"name": "promo", "language": "en"}, "fallbackText": "Hi"}), 0),
    ] {
        assert_eq!(code(&mut model, &send(channel, kind, content)), refusal, "{channel} {kind} {content}");
    }
}

#[test]
fn receipts_go_only_to_an_address_and_any_sender_is_known() {
    let mut model = model(Profile::perfect());
    let mut sms = send("SMS", "text", &json!({"text": "hello"}));
    sms["channels"][0]["channelId"] = json!("of-the-real-account");
    sms["dlrCallbackUrl"] = json!("shop.example/receipts");
    assert_eq!(code(&mut model, &sms), 3_020);
    sms["dlrCallbackUrl"] = json!("https://shop.example/receipts");
    assert_eq!(code(&mut model, &sms), 0);
    let webhooks = model.tick(START + seconds(60));
    let address = webhooks[0].address.as_ref().map(|address| address.url.as_str());
    assert_eq!(address, Some("https://shop.example/receipts"));
}

#[test]
fn an_own_route_skips_what_cannot_be_written() {
    let own = |channel, fallback_after| RouteStep { channel, fallback_after, success_status: None };
    let route = vec![own(Channel::WhatsApp, Some(seconds(60))), own(Channel::Sms, None)];
    let mut model = model(Profile { route, ..Profile::perfect() });
    let mut template = whatsapp(NUMBER, "a");
    template["channels"] = json!(null);
    assert_eq!(code(&mut model, &template), 0);
    template["content"]["fallbackText"] = json!("Hi");
    assert_eq!(code(&mut model, &template), 0);
    let buttons = json!({"user": {"msisdn": format!("+{NUMBER}")}, "type": "buttons", "content": {}});
    assert_eq!(code(&mut model, &buttons), 3_010, "no step can be written");
    assert!(!model.chains.contains_key(&0), "WhatsApp alone");
    assert_eq!(model.chains[&1].steps.len(), 2);
}

#[test]
fn a_line_user_is_reached_by_id_alone() {
    let mut model = model(Profile::perfect());
    let to = |user: &Value| json!({"user": user, "type": "Text", "content": {"text": "Hi"}, "channels": [{"channel": "line"}]});
    assert_eq!(code(&mut model, &to(&json!({"msisdn": format!("+{NUMBER}")}))), 3_015);
    assert_eq!(code(&mut model, &to(&json!({"lineUserId": "U4af4980629"}))), 0);
    let webhooks = model.tick(START + seconds(60));
    let event: Value = serde_json::from_slice(&webhooks[0].event).unwrap();
    assert_eq!(event["payload"]["user"], json!({"channelUserId": "U4af4980629"}));
    assert_eq!(event["payload"]["channel"], "line");
    let seen = model.messages_to_user("U4af4980629");
    assert_eq!((seen.len(), seen[0].msisdn.as_deref(), seen[0].user_id.as_deref()), (1, None, Some("U4af4980629")));
    let written = hello(Writer::UserId("U4af4980629".to_owned()), Channel::Line);
    let event: Value = serde_json::from_slice(&model.inbound(written, START).event).unwrap();
    assert_eq!((&event["type"], &event["content"]), (&json!("Text"), &json!({ "text": "Hello" })));
    assert_eq!((&event["eventType"], &event["version"]), (&json!("inboundMessage"), &json!(1)));
    assert_eq!(event["user"]["channelUserId"], "U4af4980629");
    assert!(event["recipient"]["recipientId"].is_string() && event["payload"].is_null(), "{event}");
}

#[test]
fn free_text_arrives_only_in_an_open_window() {
    let mut model = model(Profile::perfect());
    let mut fate = |written: Option<bool>, at: i64| {
        if let Some(is_from_an_ad) = written {
            let written = hello(Writer::Number(NUMBER.try_into().unwrap()), Channel::WhatsApp);
            model.inbound(InboundMessage { is_from_an_ad, ..written }, START + seconds(at));
        }
        let body = text(NUMBER, "x", &json!([{"channel": "WhatsApp"}]));
        assert_eq!(response(&post(&mut model, MESSAGES, &body, START + seconds(at))).0, 200);
        let webhooks = model.tick(START + seconds(at + 30));
        let event: Value = serde_json::from_slice(&webhooks.last().unwrap().event).unwrap();
        let of_meta = event["payload"]["whatsapp"]["providerErrorCode"].as_i64();
        event["payload"]["status"]["errorCode"].as_i64().map(|code| (code, of_meta))
    };
    let outside = Some((1_022, Some(131_047)));
    assert_eq!(fate(None, 0), outside);
    assert_eq!(fate(Some(false), 100), None);
    assert_eq!(fate(None, 100 + DAY - 1), None);
    assert_eq!(fate(None, 100 + DAY), outside);
    assert_eq!(fate(Some(true), 2 * DAY), None);
    assert_eq!(fate(None, 5 * DAY - 1), None);
    assert_eq!(fate(None, 5 * DAY), outside);
}

#[test]
fn a_window_is_of_one_subaccount_and_can_be_switched_off() {
    let free = text(NUMBER, "x", &json!([{"channel": "WhatsApp"}]));
    let last = |model: &mut Model, path: &str| {
        post(model, path, &free, START);
        reports(model, START + seconds(60)).pop().unwrap().2
    };
    let mut strict = model(Profile::perfect());
    let written = json!({"eventType": "inbound_message_received", "payload": {"subAccountId": "acme",
        "user": {"msisdn": format!("+{NUMBER}")}, "recipient": {"channel": "whatsapp"}, "type": "Text",
        "timestamp": START.rfc3339(), "content": {"text": "Hello"}}});
    strict.take_inbound(written.to_string().as_bytes(), START);
    assert_eq!(last(&mut strict, MESSAGES), ReportedStatus::Read);
    let elsewhere = last(&mut strict, "/api/v1/subaccounts/other/messages");
    assert_eq!(elsewhere, ReportedStatus::Negative { code: Some(1_022) });
    let mut lenient = model(Profile { session_window: false, ..Profile::perfect() });
    assert_eq!(last(&mut lenient, MESSAGES), ReportedStatus::Read);
}

#[test]
fn a_reply_names_its_writer_and_the_channels_id() {
    let mut profile = Profile::perfect();
    profile.channels.get_mut(&Channel::WhatsApp).unwrap().channel_id = "number-1".to_owned();
    let mut model = model(profile);
    post(&mut model, MESSAGES, &whatsapp(NUMBER, "a"), START);
    let event: Value = serde_json::from_slice(&write(&mut model, NUMBER, START).event).unwrap();
    let payload = &event["payload"];
    assert_eq!(payload["recipient"], json!({"channel": "whatsapp", "channelId": "number-1"}));
    assert!(payload["user"]["name"].as_str().is_some_and(|name| !name.is_empty()), "{event}");
    assert_eq!(payload["subAccountId"], "acme");
}

#[test]
fn a_file_is_kept_and_checked_as_documented() {
    let mut model = model(Profile { sub_accounts: vec!["acme".to_owned()], ..Profile::perfect() })
        .with_key(Some("secret".to_owned()));
    let key = Some("Bearer secret");
    let upload = |name: &'static str, content: &'static [u8]| {
        Uploaded::File(Upload { name, content_type: "image/png", content })
    };
    let mut status = |sub_account: &str, key, file| {
        let (answer, location) = model.upload(sub_account, key, &file, START);
        let Reply::Response { status, body, .. } = answer.reply else { panic!("{answer:?}") };
        (status, serde_json::from_str::<Value>(&body).unwrap(), location)
    };
    assert_eq!(status("acme", None, upload("a.png", b"x")).0, 401);
    assert_eq!(status("other", key, upload("a.png", b"x")).1["code"], 1_001);
    assert_eq!(status("acme", key, Uploaded::Nothing).0, 400);
    assert_eq!(status("acme", key, Uploaded::TooLarge).0, 413);
    assert_eq!(status("acme", key, upload("a.exe", b"x")).0, 415);
    let (created, body, location) = status("acme", key, upload("A.PNG", b"x"));
    let (name, token) = (body["fileName"].as_str().unwrap(), body["token"].as_str().unwrap());
    assert_eq!(created, 201);
    assert_eq!(location.unwrap(), format!("/files/{name}?token={token}"));
    assert_eq!(&*model.file(name, Some(token), START).unwrap().content, b"x");
    let refused = |name: &str, token| match model.file(name, token, START) {
        Err(Reply::Response { status, .. }) => status,
        other => panic!("{other:?}"),
    };
    assert_eq!((refused(name, None), refused(name, Some("x")), refused("b.png", Some(token))), (400, 401, 404));
}

/// Uploads a file of so many bytes; returns its address.
fn uploaded(model: &mut Model, name: &str, bytes: usize) -> String {
    let content = vec![0; bytes];
    let file = Uploaded::File(Upload { name, content_type: "image/png", content: &content });
    format!("https://chatapps.8x8.com{}", model.upload("acme", None, &file, START).1.unwrap())
}

/// The reports about a message on every channel that it is tried on, by the last of each.
fn codes(model: &mut Model, body: &Value) -> Vec<Option<u16>> {
    let n = model.message_count();
    assert_eq!(code(model, body), 0, "{body}");
    model.tick(START + seconds(3_600));
    model.message(n).unwrap().steps.iter().map(|step| step.error_code).collect()
}

#[test]
fn an_uploaded_file_that_is_too_large_for_its_channel_is_undelivered() {
    let mut model = model(Profile { session_window: false, ..Profile::perfect() });
    // 5 MB are 5,000,000 bytes.
    let (fits, too_large) = (uploaded(&mut model, "a.png", 5_000_000), uploaded(&mut model, "a.png", 5_000_001));
    for (channel, url, refusal) in [
        ("WhatsApp", &fits, None),
        ("WhatsApp", &too_large, Some(1_027)),
        ("Viber", &fits, Some(2_015)),
        ("RCS", &too_large, None),
    ] {
        assert_eq!(codes(&mut model, &send(channel, "image", &json!({ "url": url }))), [refusal], "{channel}");
    }
}

#[test]
fn a_file_is_judged_by_the_channel_of_each_step_wherever_it_is() {
    let mut model = model(Profile { session_window: false, ..Profile::perfect() });
    let url = uploaded(&mut model, "a.png", 5_000_001);
    // A file that WhatsApp refuses is delivered on RCS.
    let mut both = send("WhatsApp", "image", &json!({ "url": url }));
    both["channels"] = json!([{"channel": "WhatsApp"}, {"channel": "RCS"}]);
    assert_eq!(codes(&mut model, &both), [Some(1_027), None]);
    let header = json!([{"type": "header", "parameters": [{"type": "image", "url": url}]}]);
    let template =
        |components: Value| json!({"template": {"name": "promo", "language": "en", "components": components}});
    let cards = json!([{"type": "carousel", "cards": [{"cardIndex": 0, "components": header}]}]);
    let interactive = json!({"interactive": {"type": "button", "header": {"type": "image", "image": {"link": url}},
        "body": {"text": "Well?"}, "action": {"buttons": [{"type": "reply", "reply": {"id": "1", "title": "Yes"}}]}}});
    let button =
        json!([{"type": "button", "index": 0, "subType": "url", "parameters": [{"type": "text", "text": url}]}]);
    for (kind, content, refusal) in [
        ("template", template(header.clone()), Some(1_027)),
        ("template", template(cards), Some(1_027)),
        ("interactive", interactive, Some(1_027)),
        ("template", template(button), None),
    ] {
        assert_eq!(codes(&mut model, &send("WhatsApp", kind, &content)), [refusal], "{content}");
    }
    // RCS takes no documents of Office.
    let url = uploaded(&mut model, "a.docx", 1);
    let card = json!({"title": "One", "media": {"height": "short", "contentInfo": {"fileUrl": url}}});
    let carousel = json!({"carousel": {"cardWidth": "small", "cards": [{"title": "Two"}, card]}});
    assert_eq!(codes(&mut model, &send("RCS", "richCard", &json!({ "richCard": card }))), [Some(2)]);
    assert_eq!(codes(&mut model, &send("RCS", "carousel", &carousel)), [Some(2)]);
}

#[test]
fn a_file_is_taken_only_as_what_its_format_is() {
    let mut model = model(Profile { session_window: false, ..Profile::perfect() });
    let mut fate = |channel: &str, kind: &str, name: &str| {
        let url = uploaded(&mut model, name, 1);
        let details = json!({"filesize": 1, "duration": 1, "thumbnail": "https://media.example/a.png"});
        codes(&mut model, &send(channel, kind, &json!({ "url": url, "video": details })))[0]
    };
    for (channel, refusal) in [("WhatsApp", 1_027), ("Viber", 2_015), ("RCS", 2)] {
        assert_eq!((fate(channel, "image", "a.png"), fate(channel, "video", "a.mp4")), (None, None), "{channel}");
        assert_eq!(fate(channel, "image", "a.mp4"), Some(refusal), "{channel}");
        assert_eq!(fate(channel, "file", "a.png"), Some(refusal), "{channel}");
    }
    assert_eq!((fate("RCS", "audio", "a.mp4"), fate("RCS", "audio", "a.m4a")), (None, Some(2)));
    assert_eq!((fate("WhatsApp", "audio", "a.m4a"), fate("WhatsApp", "audio", "a.mp4")), (None, Some(1_027)));
    // A rich card shows images and videos alone.
    let mut in_card = |name: &str| {
        let url = uploaded(&mut model, name, 1);
        let card = json!({"title": "One", "media": {"height": "short", "contentInfo": {"fileUrl": url}}});
        codes(&mut model, &send("RCS", "richCard", &json!({ "richCard": card })))[0]
    };
    assert_eq!(["a.png", "a.mp4"].map(&mut in_card), [None; 2]);
    assert_eq!(["a.pdf", "a.mp3"].map(in_card), [Some(2); 2]);
    let mut as_gif = |name: &str| {
        let url = uploaded(&mut model, name, 1);
        let header = json!([{"type": "header", "parameters": [{"type": "gif", "url": url}]}]);
        let template = json!({"template": {"name": "promo", "language": "en", "components": header}});
        codes(&mut model, &send("WhatsApp", "template", &template))[0]
    };
    assert_eq!(["a.gif", "a.mp4", "a.png"].map(&mut as_gif), [None, None, Some(1_027)]);
}

/// Canada, Jamaica and Puerto Rico have the calling code of the United States.
#[test]
fn marketing_is_withheld_from_numbers_of_the_united_states_alone() {
    for (category, withheld) in [("MARKETING", true), ("UTILITY", false)] {
        let mut model = model(Profile::perfect());
        let created = json!({"name": "promo", "language": "en", "category": category,
            "components": [{"type": "BODY", "text": "News"}]});
        let templates = "/api/v1/accounts/acme-1/channels/wa-1/templates";
        assert_eq!(response(&post(&mut model, templates, &created, START)).0, 200);
        model.take_template_changes(START + seconds(DAY));
        let mut code = |to: u64| {
            let template = json!({"user": {"msisdn": format!("+{to}")}, "type": "template",
                "channels": [{"channel": "WhatsApp"}], "content": {"template": {"name": "promo", "language": "en"}}});
            let now = START + seconds(DAY);
            assert_eq!(response(&post(&mut model, MESSAGES, &template, now)).0, 200);
            match reports(&mut model, now + seconds(60)).last().unwrap().2 {
                ReportedStatus::Negative { code } => code,
                _ => None,
            }
        };
        let elsewhere = [14_165_550_123, 18_765_550_123, 17_875_550_123, 6_591_234_567, 12_015_550_123];
        let codes = elsewhere.map(&mut code);
        assert_eq!(codes, [None, None, None, None, withheld.then_some(1_024)], "{category}");
    }
}

#[test]
fn uploads_templates_and_contacts_have_the_faults_of_requests() {
    let mut model = model(Profile::perfect());
    let templates = "/api/v1/accounts/acme-1/channels/wa-1/templates";
    let contact = json!({"groups": [{"id": 11_344}], "addresses": {"msisdn": "+6591234567"}});
    let image = Uploaded::File(Upload { name: "a.png", content_type: "image/png", content: b"x" });
    let status = |reply: &Reply| match reply {
        Reply::Response { status, .. } => *status,
        Reply::CutBeforeReading => 1,
        Reply::CutAfterReading => 2,
    };
    for (faults, expected) in [
        (json!({"throttle": 1.0}), 429),
        (json!({"error_500": 1.0}), 500),
        (json!({"cut_before": 1.0}), 1),
        (json!({"cut_after": 1.0}), 2),
        (json!({}), 0),
    ] {
        model.set_faults(Faults::default().with(&faults).unwrap());
        let (upload, location) = model.upload("acme", None, &image, START);
        let list = Call { method: Method::Get, path: templates, authorization: None, body: b"" };
        let listed = model.call(&list, START);
        let added = post(&mut model, "/api/v1/accounts/contacts", &contact, START);
        let statuses = [&upload, &listed, &added].map(|answer| status(&answer.reply));
        let wanted = if expected == 0 { [201, 200, 200] } else { [expected; 3] };
        assert_eq!((statuses, location.is_some()), (wanted, expected == 0), "{faults}");
    }
}

#[test]
fn the_sms_api_has_its_own_body_and_answer() {
    let mut model = model(Profile::perfect());
    let sms = |text: &str, source: &str| {
        json!({"destination": format!("+{NUMBER}"), "source": source, "text": text, "encoding": "AUTO",
            "clientMessageId": "c-1"})
    };
    let (status, answer) = response(&post(&mut model, MESSAGES, &sms("Hi", "ACME"), START));
    assert_eq!((status, &answer["status"]["code"], &answer["clientMessageId"]), (200, &json!("QUEUED"), &json!("c-1")));
    assert_eq!(answer["destination"], format!("+{NUMBER}"));
    for (body, refusal) in [
        (sms("", "ACME"), 1_004),
        (sms("Hi", "AN-ALPHANUMERIC-1"), 1_005),
        (json!({"destination": "91234567x", "text": "Hi"}), 1_002),
        (json!({"destination": format!("+{NUMBER}"), "text": "Hi", "encoding": "MORSE"}), 1_003),
    ] {
        assert_eq!(code(&mut model, &body), refusal, "{body}");
    }
    let batch = json!({"includeMessagesInResponse": true, "messages": [sms("Hi", "ACME"), sms("", "ACME")]});
    let (status, answer) = response(&post(&mut model, &format!("{MESSAGES}/batch"), &batch, START));
    assert_eq!((status, &answer["acceptedCount"], &answer["rejectedCount"]), (200, &json!(1), &json!(1)));
    let rejected = json!({"code": "REJECTED", "description": "Text value is missing"});
    assert_eq!(
        (&answer["messages"][1]["status"], &answer["messages"][0]["status"]["code"]),
        (&rejected, &json!("QUEUED"))
    );

    // Receipts and details have the SMS API's form too.
    let receipts = model.tick(START + seconds(60));
    let event: Value = serde_json::from_slice(&receipts.last().unwrap().event).unwrap();
    let payload = &event["payload"];
    assert_eq!((&event["namespace"], &payload["destination"]), (&json!("SMS"), &json!(format!("+{NUMBER}"))));
    assert_eq!((&payload["channel"], &payload["user"]), (&Value::Null, &Value::Null));
    let details = format!("{MESSAGES}/{}", payload["umid"].as_str().unwrap());
    let details = call(&mut model, Method::Get, &details, START + seconds(61)).1;
    assert_eq!((&details["umid"], &details["status"]["state"]), (&payload["umid"], &json!("delivered")));
}
