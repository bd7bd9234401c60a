use serde_json::json;

use super::*;
use crate::base::domain::{Channel, Content, ContentPart, Names, SmsEncoding, Sources, Step};

/// A template with every kind of part, as the route of a campaign stores it.
const PROMO: &str = r#"{"template": {"name": "promo", "language": "en", "category": "MARKETING",
    "header": {"image": "https://media.example/{{pic}}"}, "body": ["{{FirstName|there}}", "{{Code}}"],
    "buttons": [{"index": 0, "url": "{{slug}}"}, {"index": 2, "copy_code": "{{Code}}"},
        {"index": 3, "flow": {"screen": "START", "data": {"name": "{{FirstName|you}}"}}}]}}"#;

const COLUMNS: [&str; 4] = ["FirstName", "Code", "Pic", "Slug"];

pub(super) fn content(json: &str) -> Content {
    serde_json::from_str(json).unwrap()
}

fn text(text: &str, encoding: Option<SmsEncoding>) -> Content {
    Content::Text { text: text.to_owned(), source: Sources::default(), encoding }
}

pub(super) fn filled(
    channel: Channel,
    content: &Content,
    approved: Option<&ApprovedTemplate>,
    fields: [&str; 4],
) -> Bubble {
    let step = Step { content: content.clone(), ..Step::of_text(channel, "lane", "") };
    BoundMessage::new(&step, Names::of_columns(&COLUMNS.map(str::to_owned)), approved).unwrap().fill(&fields)
}

fn lines(bubble: &Bubble) -> Vec<String> {
    bubble.lines().iter().map(|line| format!("{}: {}", line.label, line.text)).collect()
}

pub(super) fn broken(bubble: &Bubble) -> Vec<String> {
    bubble.broken(10).iter().map(ToString::to_string).collect()
}

#[test]
fn a_preview_shows_each_part_of_the_message() {
    let bubble = filled(Channel::WhatsApp, &content(PROMO), None, ["", "A1", "a.png", ""]);
    assert_eq!(
        lines(&bubble),
        [
            "template: promo (en, MARKETING)",
            "header image: https://media.example/a.png",
            "body 1: there",
            "body 2: A1",
            "button 0 url: ‹Slug is missing›",
            "button 2 copy_code: A1",
            "button 3 screen: START",
            "button 3 flow data.name: you",
        ]
    );
    assert_eq!(broken(&bubble), ["button 0 url: no value for Slug, so the message is not sent"]);
    assert_eq!(bubble.measures().to_string(), "7 of 1,024 characters");
}

#[test]
fn an_approved_template_shows_its_whole_text() {
    let button = |kind, title: &str, target: Option<&str>| ApprovedButton {
        kind,
        title: Some(title.to_owned()),
        target: target.map(str::to_owned),
    };
    let approved = ApprovedTemplate {
        header: None,
        body: Some("Hi {{1}}, {{ 2 }} is your code. {{3}} {{x".to_owned()),
        footer: Some("Reply STOP {{1}}".to_owned()),
        buttons: vec![
            button(ButtonKind::Url, "Shop", Some("https://shop.example/{{1}}")),
            button(ButtonKind::QuickReply, "No, thanks", None),
            button(ButtonKind::CopyCode, "Copy", None),
        ],
        cards: Vec::new(),
    };
    let bubble = filled(Channel::WhatsApp, &content(PROMO), Some(&approved), ["Ann", "", "a.png", "s/1"]);
    let texts: Vec<String> = bubble.shown().into_iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "https://media.example/a.png",
            "Hi Ann, ‹Code is missing› is your code. {{3}} {{x",
            "Reply STOP {{1}}",
            "Shop",
            "https://shop.example/s/1",
            "No, thanks",
            "Copy",
            "‹Code is missing›",
            "START",
            "Ann",
        ]
    );
    assert_eq!(bubble.measures().characters, "Hi Ann,  is your code. {{3}} {{x".chars().count());
    // The parameters are still checked one by one, and each missing value is named where the campaign writes it.
    assert_eq!(
        broken(&bubble),
        [
            "body 2: no value for Code, so the message is not sent",
            "button 2 copy_code: no value for Code, so the message is not sent",
        ]
    );
}

#[test]
fn named_parameters_are_filled_in_the_order_of_their_first_places() {
    let approved = ApprovedTemplate {
        body: Some("{{name}}: {{code}} ({{name}})".to_owned()),
        header: Some("Sale".to_owned()),
        ..ApprovedTemplate::default()
    };
    let bubble = filled(Channel::WhatsApp, &content(PROMO), Some(&approved), ["Ann", "A1", "a.png", "s/1"]);
    assert_eq!(bubble.body.text.unwrap().to_string(), "Ann: A1 (Ann)");
    // Without a text, as of an authentication template, the parameters are listed.
    let silent = ApprovedTemplate { body: None, ..approved };
    let bubble = filled(Channel::WhatsApp, &content(PROMO), Some(&silent), ["Ann", "A1", "a.png", "s/1"]);
    assert_eq!(lines(&bubble)[2], "body 1: Ann");
}

#[test]
fn each_limit_is_broken_one_beyond_it_and_not_at_it() {
    let at = |fields: [usize; 4]| fields.map(|length| "x".repeat(length));
    // The most characters by the provider's documents: a body 1,024, an address 2,000, a coupon code 15.
    let template = content(
        r#"{"template": {"name": "promo", "language": "en", "category": "MARKETING",
            "header": {"image": "{{pic}}"}, "body": ["{{FirstName}}", "1234"],
            "buttons": [{"index": 0, "url": "{{slug}}"}, {"index": 1, "copy_code": "{{Code}}"}]}}"#,
    );
    let of = |lengths| {
        let [a, b, c, d] = at(lengths);
        broken(&filled(Channel::WhatsApp, &template, None, [&a, &b, &c, &d]))
    };
    assert_eq!(of([1_020, 15, 2_000, 2_000]), [""; 0]);
    assert_eq!(of([1_021, 15, 2_000, 2_000]), ["template body: longer than 1,024 characters"]);
    assert_eq!(of([1_020, 16, 2_000, 2_000]), ["button 1 copy_code: longer than 15 characters"]);
    assert_eq!(of([1_020, 15, 2_001, 2_000]), ["header image: longer than 2,000 characters"]);
    assert_eq!(of([1_020, 15, 2_000, 2_001]), ["button 0 url: longer than 2,000 characters"]);
    // Texts of the channels.
    for (channel, most, grouped) in [
        (Channel::WhatsApp, 4_096, "4,096"),
        (Channel::Viber, 1_000, "1,000"),
        (Channel::Rcs, 3_072, "3,072"),
        (Channel::LineNotification, 500, "500"),
    ] {
        let of = |length: usize| {
            broken(&filled(channel, &text("{{FirstName}}", None), None, [&"é".repeat(length), "", "", ""]))
        };
        assert_eq!(of(most), [""; 0], "{channel}");
        assert_eq!(of(most + 1), [format!("text: longer than {grouped} characters")], "{channel}");
    }
}

#[test]
fn an_sms_is_measured_in_parts_with_its_values() {
    let of = |content: &Content, name: &str| filled(Channel::Sms, content, None, [name, "", "", ""]);
    let auto = text("{{FirstName}}", None);
    // Ten parts of 153 characters.
    assert_eq!(broken(&of(&auto, &"x".repeat(1_530))), [""; 0]);
    assert_eq!(broken(&of(&auto, &"x".repeat(1_531))), ["text: more than 10 parts"]);
    assert_eq!(of(&auto, "ş").measures().to_string(), "1 part, 1 character in UCS-2");
    let two_parts = of(&auto, &"x".repeat(161));
    assert_eq!(two_parts.broken(1).len(), 1);
    assert_eq!(lines(&two_parts)[1], "length: 2 parts, 161 characters in GSM-7");
    let gsm7 = text("{{FirstName}}", Some(SmsEncoding::Gsm7));
    assert_eq!(broken(&of(&gsm7, "ş")), ["text: has characters that GSM-7 does not have"]);
    assert_eq!(broken(&of(&gsm7, "é[€]")), [""; 0]);
}

#[test]
fn values_that_a_parameter_refuses_are_found() {
    let of = |code: &str| {
        broken(&filled(Channel::WhatsApp, &content(PROMO), None, ["Ann", code, "a.png", "s"]))
            .into_iter()
            .filter(|sentence| sentence.starts_with("body"))
            .collect::<Vec<_>>()
    };
    assert_eq!(of("25 off"), [""; 0]);
    assert_eq!(of("25%"), ["body 2: has one of #, $ and %, which the provider may refuse in a parameter"]);
    assert_eq!(
        of("a\nb"),
        ["body 2: has a line break, a tab or many spaces, which the provider may refuse in a parameter"]
    );
    // A text that is no parameter may have them.
    assert_eq!(broken(&filled(Channel::Viber, &text("{{Code}}", None), None, ["", "25%", "", ""])), [""; 0]);
}

#[test]
fn a_content_without_a_known_text_lists_its_strings() {
    let zalo = content(r#"{"zalo_template": {"name": "1", "language": "vi", "params": {"who": "{{FirstName}}"}}}"#);
    let bubble = filled(Channel::ZaloNotification, &zalo, None, [&"x".repeat(401), "", "", ""]);
    assert_eq!(lines(&bubble)[0], "template: 1 (vi)");
    assert_eq!(broken(&bubble), ["template params: longer than 400 characters"]);
    let raw = content(r#"{"raw": {"type": "list", "content": {"list": {"rows": ["{{FirstName}}", 1]}}}}"#);
    let bubble = filled(Channel::WhatsApp, &raw, None, ["Ann", "", "", ""]);
    assert_eq!(lines(&bubble), ["raw list.rows.0: Ann"]);
}

#[test]
fn an_unknown_column_is_refused() {
    let step = Step::of_text(Channel::Viber, "viber", "{{Nobody}}");
    let bound = BoundMessage::new(&step, Names::of_columns(&["A".to_owned()]), None);
    assert_eq!(bound.unwrap_err().part, ContentPart::Text);
}

#[test]
fn the_json_of_a_message_is_typed() {
    let bubble = filled(Channel::WhatsApp, &content(PROMO), None, ["Ann", "A1", "a.png", "s"]);
    let of = |part: &str, text: &str| json!({ "part": part, "text": text });
    assert_eq!(
        serde_json::to_value(&bubble).unwrap(),
        json!({
            "channel": "WhatsApp",
            "template": { "name": "promo", "language": "en", "category": "MARKETING" },
            "header": { "media": { "kind": "image", "address": of("header image", "https://media.example/a.png") } },
            "body": { "parameters": [of("body 1", "Ann"), of("body 2", "A1")], "characters_max": 1_024 },
            "buttons": [
                { "kind": "url", "target": of("button 0 url", "s") },
                { "kind": "copy_code", "target": of("button 2 copy_code", "A1") },
                { "kind": "flow", "target": of("button 3 screen", "START"), "data": [of("button 3 flow data.name", "Ann")] },
            ],
        })
    );
    let sms = filled(Channel::Sms, &text("{{FirstName}}{{Code}}", None), None, [&"x".repeat(161), "", "", ""]);
    assert_eq!(
        serde_json::to_value(sms.measures()).unwrap(),
        json!({ "characters": 161, "sms_parts": 2, "alphabet": "GSM-7" })
    );
    assert_eq!(
        serde_json::to_value(sms.broken(1)).unwrap(),
        json!([
            { "part": "text", "rule": "missing_value", "column": "Code",
              "sentence": "text: no value for Code, so the message is not sent" },
            { "part": "text", "rule": "too_many_parts", "sms_parts_max": 1, "sentence": "text: more than 1 part" },
        ])
    );
}

#[test]
fn an_sms_is_shown_and_measured_as_it_is_sent() {
    let step = Step { transliterate: true, ..Step::of_text(Channel::Sms, "sms", "“Hi {{Name}}”") };
    let bound = BoundMessage::new(&step, Names::of_columns(&["Name".to_owned()]), None).unwrap();
    let of = |name: &str| lines(&bound.fill(&[name]));
    assert_eq!(of("Žofie"), ["text: \"Hi Zofie\"", "length: 1 part, 10 characters in GSM-7"]);
    // One character without a plain one keeps the whole text.
    assert_eq!(of("สม"), ["text: “Hi สม”", "length: 1 part, 7 characters in UCS-2"]);
    // Without its value there is no whole text.
    assert_eq!(of("")[0], "text: “Hi ‹Name is missing›”");
}

#[test]
fn values_and_filters_of_a_campaign_are_filled() {
    let values = serde_json::from_str(r#"{"Greeting": {"text": "Dear {{Title|}} {{Name:upper}}"}}"#).unwrap();
    let columns = ["Name", "Title"].map(str::to_owned);
    let step = Step::of_text(Channel::Viber, "viber", "{{Greeting}}!");
    let bound = BoundMessage::new(&step, Names { columns: &columns, values: &values }, None).unwrap();
    assert_eq!(lines(&bound.fill(&["Ann", "Dr"])), ["text: Dear Dr ANN!"]);
    assert_eq!(lines(&bound.fill(&["", "Dr"]))[0], "text: ‹Name is missing›!");
    assert_eq!(bound.columns().len(), 2);
}

#[test]
fn each_card_of_an_approved_carousel_has_its_own_text() {
    let carousel = content(
        r#"{"template": {"name": "n", "language": "en", "category": "MARKETING", "body": ["{{FirstName}}"], "carousel": [
            {"header": {"image": "https://a/1"}, "body": ["{{Code}}"], "buttons": [{"index": 0, "url": "{{Slug}}"}]},
            {"header": {"image": "https://a/2"}, "body": ["b"]}]}}"#,
    );
    let card = |body: &str| ApprovedTemplate {
        body: Some(body.to_owned()),
        buttons: vec![ApprovedButton {
            kind: ButtonKind::Url,
            title: Some("Buy".to_owned()),
            target: Some("https://shop/{{1}}".to_owned()),
        }],
        ..ApprovedTemplate::default()
    };
    let approved = ApprovedTemplate {
        body: Some("Hi {{1}}".to_owned()),
        cards: vec![card("First {{1}}"), card("Second {{1}}")],
        ..ApprovedTemplate::default()
    };
    let bubble = filled(Channel::WhatsApp, &carousel, Some(&approved), ["Ann", "C1", "", "s"]);
    assert_eq!(
        lines(&bubble),
        [
            "template: n (en, MARKETING)",
            "body: Hi Ann",
            "card 1 header image: https://a/1",
            "card 1 body: First C1",
            "card 1 button 0 title: Buy",
            "card 1 button 0 url: https://shop/s",
            "card 2 header image: https://a/2",
            "card 2 body: Second b",
            "card 2 button 0 title: Buy",
            "card 2 button 0 target: https://shop/{{1}}",
        ]
    );
}
