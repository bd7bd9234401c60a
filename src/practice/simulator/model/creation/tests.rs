//! Each documented rule, kept and broken once.

use serde_json::{Value, json};

use super::*;

const IMAGE: &str = "https://chatapps.8x8.com/files/YOUR_FILE.png";

fn checked(template: &Value) -> Checked {
    let category = serde_json::from_value(template["category"].clone()).unwrap();
    check(&serde_json::from_value(template.clone()).unwrap(), category)
}

/// A template with these components beside its body.
fn template(category: &str, parts: &[Value]) -> Value {
    let body = json!({"type": "BODY", "text": "Hi {{1}}, it is here", "examples": ["Ann"]});
    let components: Vec<&Value> = [&body].into_iter().chain(parts).collect();
    json!({"name": "promo_1", "language": "en_US", "category": category, "components": components})
}

#[track_caller]
fn accepts(template: &Value) {
    assert_eq!(checked(template), Ok(()), "{template}");
}

#[track_caller]
fn refuses(template: &Value) {
    assert!(checked(template).is_err(), "{template}");
}

#[test]
fn the_documented_creations_are_accepted_once_they_have_examples() {
    accepts(&json!({"language":"en_US","name":"marketing_image_template_demo","category":"MARKETING","components":[
        {"type":"HEADER","format":"image","examples":[IMAGE]},
        {"type":"BODY","text":"Hi {{1}}, ready to elevate your customer communications? Discover the power of 8x8 CPaaS.",
            "examples":["Tony"]},
        {"type":"FOOTER","text":"Powered by 8x8"},
        {"type":"BUTTONS","buttons":[
            {"type":"URL","text":"Discover all channels","url":"https://cpaas.8x8.com/en/products/{{1}}",
                "examples":["omnichannel-messaging"]},
            {"type":"quick_reply","text":"Talk to Sales"}]}]}));
    let card = |text: &str, example: &str| {
        json!({"components":[
            {"type":"header","format":"image","examples":[IMAGE]},
            {"type":"body","text":text,"examples":[example]},
            {"type":"buttons","buttons":[
                {"type":"url","text":"Buy Now","url":"https://mystore.com/product/{{1}}","examples":["product-a"]},
                {"type":"quick_reply","text":"Add to Cart"}]}]})
    };
    accepts(&json!({"language":"en_US","name":"product_carousel_demo","category":"MARKETING","components":[
        {"type":"body","text":"Hi {{1}}, check out our featured products! Special offer: {{2}}% off.",
            "examples":["Alex","25"]},
        {"type":"carousel","cards":[card("Product A - Now {{1}}", "$49.99"), card("Product B - Limited {{1}}", "Stock")]}]}));
    // The page of flows leaves the examples out, and the reference of components requires them.
    let mut flow = json!({"language":"en_US","name":"appointment_reminder","category":"UTILITY","components":[
        {"type":"BODY","text":"Hi {{1}}, your appointment is coming up. Need to reschedule?"},
        {"type":"BUTTONS","buttons":[{"type":"FLOW","text":"Reschedule","flowId":"1234567890123456"}]}]});
    refuses(&flow);
    flow["components"][0]["examples"] = json!(["John"]);
    accepts(&flow);
}

#[test]
fn the_name_the_language_and_the_time_to_live_have_their_form() {
    for (key, good, bad) in [
        ("name", json!("a_1"), json!("Has Capitals!")),
        ("name", json!("x".repeat(200)), json!("x".repeat(201))),
        ("language", json!("en_US"), json!("en_USA")),
    ] {
        let mut changed = template("UTILITY", &[]);
        changed[key] = good;
        accepts(&changed);
        changed[key] = bad;
        refuses(&changed);
    }
    for (category, good, bad) in [
        ("AUTHENTICATION", [-1, 30, 900], [29, 901]),
        ("UTILITY", [-1, 30, 43_200], [29, 43_201]),
        ("MARKETING", [43_200, 100_000, 2_592_000], [-1, 2_592_001]),
    ] {
        let mut changed = template(category, &[]);
        for ttl in good {
            changed["message_send_ttl_seconds"] = json!(ttl);
            accepts(&changed);
        }
        for ttl in bad {
            changed["message_send_ttl_seconds"] = json!(ttl);
            refuses(&changed);
        }
    }
}

#[test]
fn a_template_has_one_body_with_parameters_in_order_and_examples() {
    let of =
        |components: Value| json!({"name": "promo", "language": "en", "category": "UTILITY", "components": components});
    let body =
        |text: &str, examples: usize| of(json!([{"type": "BODY", "text": text, "examples": vec!["x"; examples]}]));
    refuses(&of(json!([{"type": "FOOTER", "text": "Bye"}])));
    refuses(&of(json!([{"type": "BODY", "text": "Hi"}, {"type": "body", "text": "Hi"}])));
    refuses(&of(json!([{"type": "PIGEON", "text": "Hi"}, {"type": "body", "text": "Hi"}])));
    accepts(&body(&"x".repeat(1_024), 0));
    refuses(&body(&"x".repeat(1_025), 0));
    for (text, examples) in [
        ("Hi {{1}}, order {{2}} ships on {{3}}!", 3),
        ("Hi {{1}} and {{1}} again", 1),
        ("Hi {{customer_name}}, order {{order_id}} is here", 2),
    ] {
        accepts(&body(text, examples));
        refuses(&body(text, examples - 1));
    }
    for text in ["{{1}}", "{{1}}, hello", "Hello {{1}}", "Hi {{2}} there", "Hi {{1}} and {{3}} there", ""] {
        refuses(&body(text, 3));
    }
}

#[test]
fn a_header_and_a_footer_keep_their_limits() {
    let header = |category: &str, header: Value| template(category, &[header]);
    let text = |text: &str| json!({"type": "HEADER", "format": "TEXT", "text": text, "examples": ["12345", "6"]});
    accepts(&header("UTILITY", text("Your order {{1}} has shipped!")));
    accepts(&header("UTILITY", text(&"x".repeat(60))));
    refuses(&header("UTILITY", text(&"x".repeat(61))));
    refuses(&header("UTILITY", text("Your {{1}} has {{2}}")));
    refuses(&header("UTILITY", json!({"type": "HEADER", "format": "TEXT", "text": "Your {{1}}"})));
    refuses(&header("UTILITY", json!({"type": "HEADER", "text": "Hello"})));
    for format in ["IMAGE", "Video", "DOCUMENT"] {
        accepts(&header("UTILITY", json!({"type": "HEADER", "format": format, "examples": [IMAGE]})));
        refuses(&header("UTILITY", json!({"type": "HEADER", "format": format})));
    }
    accepts(&header("MARKETING", json!({"type": "HEADER", "format": "LOCATION"})));
    refuses(&header("AUTHENTICATION", json!({"type": "HEADER", "format": "LOCATION"})));
    refuses(&header("UTILITY", json!({"type": "HEADER", "format": "GIF", "examples": [IMAGE]})));
    let footer = |text: &str| template("UTILITY", &[json!({"type": "FOOTER", "text": text})]);
    accepts(&footer(&"x".repeat(60)));
    refuses(&footer(&"x".repeat(61)));
    refuses(&footer("Bye {{1}} now"));
    let minutes = json!({"type": "FOOTER", "text": "Bye", "code_expiration_minutes": 5});
    refuses(&template("UTILITY", std::slice::from_ref(&minutes)));
    accepts(&template("AUTHENTICATION", &[minutes]));
}

/// A documented button.
fn button(kind: &str) -> Value {
    match kind {
        "URL" => json!({"type": "URL", "text": "Track", "url": "https://myapp.com/track/{{1}}", "examples": ["1"]}),
        "PHONE_NUMBER" => {
            json!({"type": "PHONE_NUMBER", "text": "Call", "phoneNumber": "62211521", "country": "SG"})
        }
        "OTP" => json!({"type": "OTP", "otp_type": "COPY_CODE"}),
        "COPY_CODE" => json!({"type": "COPY_CODE", "examples": ["250FF"]}),
        "FLOW" => json!({"type": "FLOW", "text": "Book", "flowId": "1234567890123456"}),
        "VOICE_CALL" => json!({"type": "VOICE_CALL"}),
        _ => json!({"type": "quick_reply", "text": "Menu"}),
    }
}

fn with_buttons(category: &str, buttons: &[Value]) -> Value {
    template(category, &[json!({"type": "BUTTONS", "buttons": buttons})])
}

#[test]
fn only_the_documented_combinations_of_buttons_are_accepted() {
    const REPLY: &str = "QUICK_REPLY";
    let all = |kinds: &[&str]| kinds.iter().map(|kind| button(kind)).collect::<Vec<_>>();
    for kinds in [
        &["URL", "URL", REPLY, REPLY][..],
        &[REPLY, REPLY, "URL", "URL"],
        &["PHONE_NUMBER", "URL", REPLY, REPLY],
        &[REPLY, REPLY, REPLY, "PHONE_NUMBER", "URL"],
        &["COPY_CODE", "URL", REPLY],
        &["FLOW", REPLY, REPLY],
        &["FLOW", "URL"],
        &[REPLY; 10],
        &["VOICE_CALL"],
    ] {
        accepts(&with_buttons("MARKETING", &all(kinds)));
    }
    accepts(&with_buttons("AUTHENTICATION", &all(&["OTP"])));
    for kinds in [
        &["URL", REPLY, "URL", REPLY][..],
        &["URL", "URL", "URL"],
        &["PHONE_NUMBER", "PHONE_NUMBER"],
        &["COPY_CODE", "COPY_CODE"],
        &["FLOW", "FLOW"],
        &[REPLY; 11],
        &["OTP"],
        &[],
    ] {
        refuses(&with_buttons("MARKETING", &all(kinds)));
    }
    for kinds in [&["OTP", REPLY][..], &["OTP", "URL"], &["OTP", "FLOW"], &["VOICE_CALL"], &["COPY_CODE"]] {
        refuses(&with_buttons("AUTHENTICATION", &all(kinds)));
    }
    refuses(&with_buttons("UTILITY", &all(&["COPY_CODE"])));
}

#[test]
fn each_button_keeps_its_limits() {
    let url = |length: usize| json!(format!("https://a.example/{}", "x".repeat(length - 18)));
    for (kind, key, good, bad) in [
        ("QUICK_REPLY", "text", json!("x".repeat(25)), json!("x".repeat(26))),
        ("QUICK_REPLY", "type", json!("QUICK_REPLY"), json!("PIGEON")),
        ("URL", "text", json!("x"), json!("")),
        ("URL", "url", url(2_000), url(2_001)),
        ("URL", "url", json!("https://a.example/{{1}}"), json!("https://a.example/{{1}}/end")),
        ("URL", "examples", json!(["1"]), json!([])),
        ("PHONE_NUMBER", "phoneNumber", json!("1".repeat(20)), json!("1".repeat(21))),
        ("PHONE_NUMBER", "country", json!("US"), json!("USA")),
        ("COPY_CODE", "examples", json!(["x".repeat(4)]), json!(["x".repeat(3)])),
        ("COPY_CODE", "examples", json!(["x".repeat(15)]), json!(["x".repeat(16)])),
        ("FLOW", "flowId", json!("1"), json!("")),
        ("FLOW", "flowAction", json!("data_exchange"), json!("fly")),
        ("VOICE_CALL", "ttlMinutes", json!(1_440), json!(1_439)),
        ("VOICE_CALL", "ttlMinutes", json!(43_200), json!(43_201)),
    ] {
        let mut changed = button(kind);
        changed[key] = good;
        accepts(&with_buttons("MARKETING", std::slice::from_ref(&changed)));
        changed[key] = bad;
        refuses(&with_buttons("MARKETING", &[changed]));
    }
}

#[test]
fn a_carousel_has_cards_of_one_layout_and_is_for_marketing() {
    let card = |text: usize, buttons: &[&str]| {
        let buttons: Vec<_> = buttons.iter().map(|kind| button(kind)).collect();
        json!({"components": [
            {"type": "HEADER", "format": "IMAGE", "examples": [IMAGE]},
            {"type": "BODY", "text": "x".repeat(text)},
            {"type": "BUTTONS", "buttons": buttons},
        ]})
    };
    let carousel = |category: &str, cards: &[Value]| template(category, &[json!({"type": "CAROUSEL", "cards": cards})]);
    let marketing = |cards: &[Value]| carousel("MARKETING", cards);
    let good = card(160, &["URL", "QUICK_REPLY"]);
    accepts(&marketing(&vec![good.clone(); 10]));
    refuses(&marketing(&vec![good.clone(); 11]));
    refuses(&marketing(&[]));
    refuses(&carousel("UTILITY", std::slice::from_ref(&good)));
    refuses(&marketing(&[card(161, &["URL"])]));
    refuses(&marketing(&[card(1, &[])]));
    refuses(&marketing(&[card(1, &["URL", "URL", "URL"])]));
    refuses(&marketing(&[card(1, &["FLOW"])]));
    refuses(&marketing(&[good.clone(), card(1, &["QUICK_REPLY", "URL"])]));
    for part in 0..3 {
        let mut changed = good.clone();
        changed["components"].as_array_mut().unwrap().remove(part);
        refuses(&marketing(&[changed]));
    }
    let mut document = good;
    document["components"][0]["format"] = json!("DOCUMENT");
    refuses(&marketing(&[document]));
}
