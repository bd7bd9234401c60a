//! What the provider refuses of a content because a part of it is unknown, missing or in the wrong place.

use serde_json::{Value, json};

use crate::rules::wire::rules::tests::refusal;

/// The code that one content is refused with on one channel; 0 if it is accepted.
fn code(channel: &str, kind: &str, content: &Value) -> i64 {
    let body = json!({"user": {"msisdn": "+6591234567", "lineUserId": "U1"}, "type": kind, "content": content,
        "channels": [{"channel": channel}]});
    refusal(&body).unwrap_or(0)
}

fn of_template(components: &Value) -> i64 {
    let template = json!({"name": "promo", "language": "en", "components": components});
    code("WhatsApp", "template", &json!({ "template": template }))
}

fn text(length: usize) -> Value {
    json!({"type": "text", "text": "x".repeat(length)})
}

fn image() -> Value {
    json!({"type": "image", "url": "https://media.example/a.png"})
}

#[test]
fn a_button_of_a_template_has_a_known_sub_type_a_place_and_fitting_values() {
    let button = |sub_type: &Value, index: &Value, parameters: &Value| {
        of_template(&json!([{"type": "button", "subType": sub_type, "index": index, "parameters": parameters}]))
    };
    let payload = json!({"type": "payload", "payload": "yes"});
    let coupon = json!({"type": "couponCode", "couponCode": "25OFF"});
    let minutes = |count: i64| json!({"type": "ttlMinutes", "ttlMinutes": count});
    for (sub_type, parameters) in [
        (json!("url"), json!([text(1)])),
        (json!("URL"), json!([text(2_000)])),
        (json!(1), json!([text(1)])),
        (json!("QuickReply"), json!([payload])),
        (json!("copyCode"), json!([coupon])),
        (json!("flow"), json!([{"type": "action"}])),
        (json!("VoiceCall"), json!([minutes(1_440), payload])),
        (json!("VoiceCall"), json!([])),
    ] {
        assert_eq!(button(&sub_type, &json!(9), &parameters), 0, "{sub_type} {parameters}");
    }
    for (sub_type, index, parameters, refusal) in [
        (json!("pigeon"), json!(0), json!([text(1)]), 3_052),
        (json!(2), json!(0), json!([text(1)]), 3_052),
        (Value::Null, json!(0), json!([text(1)]), 3_052),
        (json!("url"), json!(10), json!([text(1)]), 3_053),
        (json!("url"), json!(-1), json!([text(1)]), 3_053),
        (json!("url"), Value::Null, json!([text(1)]), 3_053),
        (json!("url"), json!(0), json!([text(1), text(1)]), 3_033),
        (json!("url"), json!(0), json!([payload]), 3_045),
        (json!("QuickReply"), json!(0), json!([text(1)]), 3_045),
        (json!("url"), json!(0), json!([text(2_001)]), 3_043),
        (json!("VoiceCall"), json!(0), json!([minutes(1_439)]), 3_049),
        (json!("VoiceCall"), json!(0), json!([minutes(43_201)]), 3_049),
    ] {
        assert_eq!(button(&sub_type, &index, &parameters), refusal, "{sub_type} {index} {parameters}");
    }
    let twice = |second: i64| {
        let at = |index: i64| json!({"type": "button", "subType": "url", "index": index, "parameters": [text(1)]});
        of_template(&json!([at(0), at(second)]))
    };
    assert_eq!((twice(1), twice(0)), (0, 3_034));
}

#[test]
fn a_header_and_a_body_are_there_once_with_fitting_values() {
    let header = |parameters: &Value| of_template(&json!([{"type": "header", "parameters": parameters}]));
    let body = |parameters: &Value| of_template(&json!([{"type": "body", "parameters": parameters}]));
    assert_eq!((header(&json!([text(60)])), header(&json!([image()]))), (0, 0));
    assert_eq!((header(&json!([text(1), text(1)])), header(&json!([image(), image()]))), (3_033, 3_033));
    assert_eq!(header(&json!([{"type": "payload", "payload": "x"}])), 3_045);
    assert_eq!((body(&json!([text(1), text(1), text(1)])), body(&json!([image()]))), (0, 3_045));
    assert_eq!(body(&json!([{"type": "pigeon"}])), 3_042);
    let part = |kind: &str| json!({"type": kind, "parameters": [text(1)]});
    assert_eq!(of_template(&json!([part("header"), part("body")])), 0);
    assert_eq!(of_template(&json!([part("body"), part("Body")])), 3_034);
    assert_eq!(of_template(&json!([part("footer")])), 3_039);
}

#[test]
fn the_cards_of_a_carousel_are_numbered_and_checked_as_components() {
    let card = |index: i64, components: &Value| json!({"cardIndex": index, "components": components});
    let good = json!([
        {"type": "header", "parameters": [image()]},
        {"type": "body", "parameters": [text(160)]},
        {"type": "button", "subType": "url", "index": 1, "parameters": [text(1)]},
    ]);
    let carousel = |cards: &[Value]| of_template(&json!([{"type": "carousel", "cards": cards}]));
    let cards = |count: i64| (0..count).map(|index| card(index, &good)).collect::<Vec<_>>();
    assert_eq!((carousel(&cards(1)), carousel(&cards(10))), (0, 0));
    assert_eq!((carousel(&cards(0)), carousel(&cards(11))), (3_034, 3_034));
    assert_eq!(carousel(&[card(0, &good), card(0, &good)]), 3_053);
    let changed = |part: usize, key: &str, value: Value| {
        let mut components = good.clone();
        components[part][key] = value;
        carousel(&[card(0, &components)])
    };
    assert_eq!(changed(0, "parameters", json!([{"type": "document", "url": "https://media.example/a.pdf"}])), 3_045);
    assert_eq!(changed(1, "parameters", json!([text(161)])), 3_043);
    assert_eq!(changed(2, "index", json!(2)), 3_053);
    assert_eq!(changed(2, "subType", json!("pigeon")), 3_052);
}

/// The interactive messages of the documents, one of each type.
fn interactive(kind: &str) -> Value {
    let action = match kind {
        "button" => json!({"buttons": [{"type": "reply", "reply": {"id": "1", "title": "Yes"}}]}),
        "list" => json!({"button": "Choose", "sections": [{"title": "All", "rows": [{"id": "1", "title": "Row"}]}]}),
        "cta_url" => json!({"parameters": {"display_text": "Open", "url": "https://shop.example"}}),
        "flow" => json!({"parameters": {"flowId": "1633450807827276", "flowCta": "Schedule now"}}),
        "product" => json!({"catalog_id": "1", "product_retailer_id": "sku-1"}),
        _ => json!({"catalog_id": "1", "sections": [{"title": "Best",
            "product_items": [{"product_retailer_id": "sku-1"}]}]}),
    };
    json!({"interactive": {"type": kind, "body": {"text": "Well?"}, "action": action}})
}

#[test]
fn an_interactive_message_has_a_known_type_and_what_its_type_needs() {
    for kind in ["button", "list", "cta_url", "flow", "product", "product_list"] {
        let whole = interactive(kind);
        assert_eq!(code("WhatsApp", "interactive", &whole), 0, "{kind}");
        let mut without_action = whole.clone();
        without_action["interactive"].as_object_mut().unwrap().remove("action");
        assert_eq!(code("WhatsApp", "interactive", &without_action), 3_004, "{kind}");
        let mut of_another = whole.clone();
        of_another["interactive"]["action"] = json!({"name": "pigeon"});
        assert_ne!(code("WhatsApp", "interactive", &of_another), 0, "{kind}");
    }
    let pigeon = json!({"interactive": {"type": "pigeon", "body": {"text": "Well?"}}});
    assert_eq!(code("WhatsApp", "interactive", &pigeon), 3_010);
    let changed = |kind: &str, path: &str, value: Value| {
        let mut whole = interactive(kind);
        *whole.pointer_mut(&format!("/interactive/{path}")).unwrap() = value;
        code("WhatsApp", "interactive", &whole)
    };
    assert_eq!(changed("button", "body/text", json!("")), 3_005);
    assert_eq!(changed("product", "body/text", json!("")), 0);
    assert_eq!(changed("button", "action/buttons", json!([])), 3_049);
    assert_eq!(changed("list", "action/sections/0/rows", json!([])), 1_010);
    assert_eq!(changed("list", "action/button", json!("")), 3_005);
    assert_eq!(changed("cta_url", "action/parameters/url", json!("")), 3_007);
    assert_eq!(changed("flow", "action/parameters/flowId", json!("")), 3_004);
    assert_eq!(changed("product", "action/product_retailer_id", json!("")), 3_004);
    assert_eq!(changed("product_list", "action/sections/0/product_items", json!([])), 3_004);
}

#[test]
fn a_header_of_an_interactive_message_has_what_its_type_says() {
    let header = |header: Value| {
        let mut whole = interactive("button");
        whole["interactive"]["header"] = header;
        code("WhatsApp", "interactive", &whole)
    };
    assert_eq!(header(json!({"type": "text", "text": "Hello"})), 0);
    assert_eq!(header(json!({"type": "image", "image": {"link": "https://media.example/a.png"}})), 0);
    assert_eq!(header(json!({"type": "text"})), 3_005);
    assert_eq!(header(json!({"type": "image"})), 3_007);
    assert_eq!(header(json!({"type": "pigeon", "text": "Hello"})), 3_010);
}

#[test]
fn a_file_has_the_details_that_its_channel_needs() {
    let video = json!({"filesize": "2700", "duration": "5", "thumbnail": "https://media.example/a.png"});
    let sent = |channel: &str, details: &Value| {
        code(channel, "video", &json!({"url": "https://media.example/a.mp4", "video": details}))
    };
    assert_eq!(sent("Viber", &video), 0);
    for missing in ["filesize", "duration", "thumbnail"] {
        let mut video = video.clone();
        video.as_object_mut().unwrap().remove(missing);
        assert_eq!(sent("Viber", &video), 3_004, "{missing}");
    }
    for (key, value, refusal) in [("filesize", "0", 1_010), ("duration", "5s", 1_010), ("thumbnail", "a b", 3_008)] {
        let mut video = video.clone();
        video[key] = json!(value);
        assert_eq!(sent("Viber", &video), refusal, "{key}");
    }
    assert_eq!((sent("Viber", &Value::Null), sent("WhatsApp", &Value::Null)), (3_004, 0));
    let audio = |audio: &Value| code("LINE", "audio", &json!({"url": "https://media.example/a.mp3", "audio": audio}));
    assert_eq!((audio(&json!({"duration": 300})), audio(&Value::Null)), (0, 3_004));
}

#[test]
fn buttons_on_viber_have_a_button_that_may_be_blank() {
    let buttons = |button: &Value| code("Viber", "buttons", &json!({"text": "Ready", "button": button}));
    assert_eq!(buttons(&json!({"caption": "View", "action": "https://shop.example"})), 0);
    assert_eq!(buttons(&json!({"caption": "", "action": ""})), 0);
    assert_eq!(buttons(&Value::Null), 3_049);
}
