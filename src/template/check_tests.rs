use super::*;

fn template(more: &str) -> Content {
    let text = format!(r#"{{"name": "promo", "language": "en", "category": "MARKETING"{more}}}"#);
    let mut value: serde_json::Value = serde_json::from_str("{\"template\": null}").unwrap();
    value["template"] = serde_json::from_str(&text).expect(&text);
    serde_json::from_value(value).expect(&text)
}

fn text(text: impl Into<String>) -> Content {
    Content::Text { text: text.into(), source: Sources::default(), encoding: None }
}

fn found(channel: Channel, content: &Content) -> String {
    check(channel, content).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn valid_contents_of_each_channel_pass() {
    let long = "x".repeat(600);
    for (channel, content) in [
        (Channel::WhatsApp, template("")),
        (Channel::WhatsApp, template(r#", "header": {"image": "{{Pic}}"}, "body": ["{{a}} and {{b|c}}"]"#)),
        (
            Channel::WhatsApp,
            template(r#", "buttons": [{"index": 0, "url": "{{a}}"}, {"index": 1, "copy_code": "SAVE5"}]"#),
        ),
        (
            Channel::WhatsApp,
            template(
                r#", "header": {"location": {"latitude": "1.28", "longitude": "{{x}}", "name": "n", "address": "a"}}"#,
            ),
        ),
        (Channel::Viber, text("x".repeat(1_000))),
        (Channel::Viber, text(format!("{long}{{{{{long}|{long}}}}}"))),
        (Channel::Sms, text("x".repeat(1_530))),
        (Channel::Rcs, text("x".repeat(3_072))),
    ] {
        assert_eq!(found(channel, &content), "", "{content:?}");
    }
}

#[test]
fn a_content_that_its_channel_would_reject_gets_an_error() {
    let buttons = |index: std::ops::Range<u8>| {
        let each: Vec<String> = index.map(|index| format!(r#"{{"index": {index}, "payload": "p"}}"#)).collect();
        format!(r#", "buttons": [{}]"#, each.join(","))
    };
    let cases = [
        (
            Channel::Viber,
            template(""),
            "template: Viber does not support WhatsApp templates; write `text = \"…\"` instead",
        ),
        (
            Channel::Viber,
            text("x".repeat(1_001)),
            "text: Viber allows 1000 characters, and this text has 1001; shorten it",
        ),
        (Channel::Viber, text("  "), "text: is empty"),
        (Channel::Viber, text("{{a"), "text: `{{a` opens a variable that is never closed"),
        (Channel::Viber, text("{{|a}}"), "text: a variable has no name"),
        (Channel::Viber, text("a\u{FDD0}b"), "are not supported; remove them"),
        (
            Channel::Sms,
            text("x".repeat(1_531)),
            "an SMS has at most 10 parts, and this text has 11 parts, 1531 characters in GSM-7",
        ),
        (Channel::Sms, text(format!("ş{}", "x".repeat(670))), "this text has 11 parts, 671 characters in UCS-2"),
        (
            Channel::Sms,
            Content::Text { text: "ş".to_owned(), source: Sources::default(), encoding: Some(SmsEncoding::Gsm7) },
            "text: 'ş' cannot be written in GSM7",
        ),
        (
            Channel::Sms,
            Content::Text { text: "a".to_owned(), source: Sources::of_all("{{Name}}"), encoding: None },
            "source: a sender has from 1 to 16 characters and no variables",
        ),
        (
            Channel::Viber,
            Content::Text { text: "a".to_owned(), source: Sources::of_all("A"), encoding: Some(SmsEncoding::Auto) },
            "source: belongs to an SMS, not to Viber; remove it\nencoding: belongs to an SMS",
        ),
        (Channel::WhatsApp, template(r#", "header": {"image": "media/a.png"}"#), "header image: must be a web address"),
        (
            Channel::WhatsApp,
            template(r#", "header": {"image": "http://media.example/a.png"}"#),
            "header image: must be a web address that begins with https://",
        ),
        (
            Channel::WhatsApp,
            template(&format!(r#", "header": {{"text": "{}"}}"#, "x".repeat(61))),
            "header text: 61 characters are more than the 60 allowed",
        ),
        (
            Channel::WhatsApp,
            template(
                r#", "header": {"location": {"latitude": "91", "longitude": "east", "name": "n", "address": "a"}}"#,
            ),
            "header latitude: invalid degrees \"91\"; give a number from -90 to 90\nheader longitude: invalid degrees \"east\"",
        ),
        (Channel::WhatsApp, template(r#", "body": ["a", ""]"#), "body 2: is empty"),
        (
            Channel::WhatsApp,
            template(&format!(r#", "body": ["{}"]"#, "x".repeat(1_025))),
            "template body: the body parameters have 1025 characters",
        ),
        (Channel::WhatsApp, template(&buttons(0..11)), "template buttons: 11 are more than the 10 allowed"),
        (Channel::WhatsApp, template(&buttons(9..11)), "button 10 index: the index of a button is from 0 to 9"),
        (
            Channel::WhatsApp,
            template(r#", "buttons": [{"index": 0, "url": "a"}, {"index": 0, "payload": "b"}]"#),
            "button 0 index: two buttons have this index",
        ),
        (
            Channel::WhatsApp,
            template(r#", "buttons": [{"index": 0, "copy_code": "abc"}, {"index": 1, "copy_code": "abcd"}]"#),
            "invalid coupon code \"abc\"; it must have 4 to 15 characters\ntemplate buttons: 2 copy_code buttons",
        ),
    ];
    for (channel, content, sentence) in cases {
        let found = found(channel, &content);
        assert!(found.contains(sentence), "{content:?}\n  gave: {found}\n  want: {sentence}");
    }
}

#[test]
fn a_template_name_and_language_must_have_the_providers_form() {
    let Content::Template(mut template) = template("") else { panic!("a template") };
    for (name, language, problems) in
        [("order_v1", "en_US", 0), ("a", "fil", 0), ("Promo", "en", 1), ("", "en-US", 2), ("{{a}}", "english", 2)]
    {
        template.name = name.to_owned();
        template.language = language.to_owned();
        assert_eq!(check(Channel::WhatsApp, &Content::Template(template.clone())).len(), problems, "{name} {language}");
    }
}
