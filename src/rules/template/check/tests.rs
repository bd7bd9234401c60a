use serde_json::json;

use super::*;
use crate::base::domain::{MediaKind, Span};

fn template(more: &str) -> Content {
    let text = format!(r#"{{"name": "promo", "language": "en", "category": "MARKETING"{more}}}"#);
    let mut value: serde_json::Value = serde_json::from_str("{\"template\": null}").unwrap();
    value["template"] = serde_json::from_str(&text).expect(&text);
    serde_json::from_value(value).expect(&text)
}

fn text(text: impl Into<String>) -> Content {
    Content::Text { text: text.into(), source: Sources::default(), encoding: None }
}

/// To the provider on the internet.
fn sending(channel: Channel) -> Sending {
    Sending { channel, transliterates: false, reachable: Reachable::Public }
}

fn found(channel: Channel, content: &Content) -> String {
    check(sending(channel), content).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
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
            "template: is not supported on Viber; use text, image, video, file, button or raw",
        ),
        (
            Channel::Viber,
            text("x".repeat(1_001)),
            "text: Viber allows 1000 characters, and this text has 1001; shorten it",
        ),
        (Channel::Viber, text("  "), "text: is empty"),
        (Channel::Viber, text("{{a"), "text: `{{a` opens a variable that is never closed"),
        (Channel::Viber, text("{{|a}}"), "text: character 3: a variable has no name"),
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
            "source: \"{{Name}}\" is the same for every recipient, so it has no variables; remove them",
        ),
        (
            Channel::WhatsApp,
            content(json!({ "interactive": { "body": "b", "action": { "flow": { "id": "1", "text": "t",
                "message_version": "{{Name}}" } } } })),
            "interactive flow message_version: \"{{Name}}\" is the same for every recipient",
        ),
        (
            Channel::Sms,
            Content::Text { text: "a".to_owned(), source: Sources::of_all(&"x".repeat(17)), encoding: None },
            "source: a sender has from 1 to 16 characters; shorten it",
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
        assert_eq!(
            check(sending(Channel::WhatsApp), &Content::Template(template.clone())).len(),
            problems,
            "{name} {language}"
        );
    }
}

/// A content as it is stored.
fn content(json: serde_json::Value) -> Content {
    serde_json::from_value(json).unwrap()
}

/// The first content is at a limit, the second one beyond it.
#[track_caller]
fn assert_limit(channel: Channel, at: serde_json::Value, beyond: serde_json::Value, sentence: &str) {
    let at = content(at);
    assert_eq!(found(channel, &at), "", "at the limit: {at:?}");
    let found = found(channel, &content(beyond));
    assert!(found.contains(sentence), "gave: {found}\n  want: {sentence}");
}

fn x(count: usize) -> String {
    "x".repeat(count)
}

/// Which contents fit which channel, from the table of the provider's documents (content types by channel) and its pages
/// for each channel. It is written here again, so that the code's own table does not check itself.
#[test]
fn each_channel_takes_the_contents_that_are_documented_for_it() {
    let media = |kind: MediaKind, details: serde_json::Value| {
        let mut media = json!({ "kind": kind, "url": "https://h/a" });
        media.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
        json!({ "rich": { "media": media } })
    };
    let plain = |kind| media(kind, json!({}));
    let place = json!({ "latitude": "1", "longitude": "2", "name": "n", "address": "a" });
    let card = json!({ "media": { "kind": "image", "url": "https://h/a" } });
    let viber_video = json!({ "thumbnail": "https://h/t", "duration": "5", "size": "6" });
    use Channel::{Line, LineNotification, Rcs, Sms, Viber, WhatsApp, ZaloNotification};
    let cases: [(serde_json::Value, &[Channel]); 19] = [
        (json!({ "text": { "text": "a" } }), &[WhatsApp, Viber, Sms, Rcs, Line]),
        (json!({ "template": { "name": "n", "language": "en", "category": "UTILITY" } }), &[WhatsApp]),
        (json!({ "zalo_template": { "name": "n", "language": "en" } }), &[ZaloNotification]),
        (plain(MediaKind::Image), &[WhatsApp, Viber, Rcs, Line]),
        (media(MediaKind::Image, json!({ "thumbnail": "https://h/t" })), &[Line]),
        (plain(MediaKind::Video), &[WhatsApp, Rcs, Line]),
        (media(MediaKind::Video, viber_video), &[Viber]),
        (plain(MediaKind::Audio), &[WhatsApp, Rcs]),
        (media(MediaKind::Audio, json!({ "duration": "300" })), &[Line]),
        (plain(MediaKind::File), &[WhatsApp, Viber, Rcs]),
        (json!({ "rich": { "text": "a", "button": { "caption": "c", "url": "https://h" } } }), &[Viber]),
        (json!({ "rich": { "text": "a", "suggestions": [{ "text": "t", "data": "d", "action": "reply" }] } }), &[Rcs]),
        (json!({ "location": place }), &[WhatsApp, Rcs, Line]),
        (
            json!({ "interactive": { "body": "b", "action": { "buttons": [{ "id": "i", "title": "t" }] } } }),
            &[WhatsApp],
        ),
        (json!({ "card": { "card": card, "orientation": "vertical" } }), &[Rcs]),
        (json!({ "carousel": { "cards": [card, card], "width": "small" } }), &[Rcs]),
        (json!({ "notification": { "title": "t" } }), &[LineNotification]),
        (json!({ "raw": { "type": "text", "content": {} } }), &[WhatsApp, Viber, Rcs, Line, ZaloNotification]),
        (json!({ "raw": { "type": "", "content": {} } }), &[]),
    ];
    for (json, fits) in cases {
        let content = content(json.clone());
        for channel in Channel::ALL {
            let found = found(*channel, &content);
            assert_eq!(found.is_empty(), fits.contains(channel), "{channel}: {json}: {found}");
        }
    }
}

#[test]
fn a_refused_content_names_what_its_channel_takes() {
    for (channel, json, sentence) in [
        (
            Channel::ZaloNotification,
            json!({ "text": { "text": "a" } }),
            "text: is not supported on ZaloNotification; use template or raw",
        ),
        (
            Channel::LineNotification,
            json!({ "text": { "text": "a" } }),
            "text: is not supported on LineNotification; use notification",
        ),
        (
            Channel::Sms,
            json!({ "rich": { "text": "a", "media": { "kind": "image", "url": "https://h" } } }),
            "image: is not supported on SMS; use text",
        ),
        (
            Channel::Rcs,
            json!({ "rich": { "text": "a", "button": { "caption": "c", "url": "https://h" } } }),
            "button: is not supported on RCS; use text, image, video, audio, file, location, suggestions, card, cards or raw",
        ),
    ] {
        assert_eq!(found(channel, &content(json)), sentence);
    }
}

#[test]
fn the_texts_of_a_channel_have_its_limits() {
    let text = |count| json!({ "text": { "text": x(count) } });
    assert_limit(Channel::WhatsApp, text(4_096), text(4_097), "WhatsApp allows 4096 characters");
    assert_limit(Channel::Viber, text(1_000), text(1_001), "Viber allows 1000 characters");
    assert_limit(Channel::Rcs, text(3_072), text(3_073), "RCS allows 3072 characters");
    let caption =
        |kind: &str, count| json!({ "rich": { "text": x(count), "media": { "kind": kind, "url": "https://h" } } });
    assert_limit(Channel::WhatsApp, caption("image", 1_024), caption("image", 1_025), "more than the 1024 allowed");
    assert_limit(Channel::Viber, caption("image", 1_000), caption("image", 1_001), "more than the 1000 allowed");
    assert_limit(Channel::Rcs, caption("file", 2_000), caption("file", 2_001), "more than the 2000 allowed");
    let zalo = |count| json!({ "zalo_template": { "name": "7", "language": "vi", "params": { "a": x(count) } } });
    assert_limit(Channel::ZaloNotification, zalo(400), zalo(401), "a message allows 400");
    let notification = |count| {
        json!({ "notification": { "title": x(100), "explanation": x(count),
        "actions": [{ "title": x(10), "url": "https://h" }] } })
    };
    assert_limit(Channel::LineNotification, notification(390), notification(391), "a notification allows 500");
}

#[test]
fn captions_and_details_stand_where_the_channel_shows_them() {
    let video = |details: serde_json::Value| {
        let mut media = json!({ "kind": "video", "url": "https://h/a" });
        media.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
        json!({ "rich": { "media": media } })
    };
    for (channel, json, sentence) in [
        (
            Channel::Viber,
            video(json!({ "thumbnail": "https://h", "duration": "5" })),
            "video size: is missing; Viber needs",
        ),
        (
            Channel::Viber,
            video(json!({ "thumbnail": "http://h", "duration": "5", "size": "6" })),
            "video thumbnail: must be a web address that begins with https://",
        ),
        (
            Channel::Viber,
            video(json!({ "thumbnail": "https://h", "duration": "5s", "size": "0" })),
            "video duration: invalid number \"5s\"; write 1 or more, in digits\nvideo size: invalid number \"0\"",
        ),
        (Channel::WhatsApp, video(json!({ "duration": "5" })), "video duration: WhatsApp takes no duration of video"),
        (
            Channel::WhatsApp,
            json!({ "rich": { "text": "a", "media": { "kind": "audio", "url": "https://h" } } }),
            "text: WhatsApp shows no text beside audio; remove it",
        ),
        (
            Channel::Viber,
            json!({ "rich": { "text": "a", "media": { "kind": "file", "url": "https://h" } } }),
            "text: Viber shows no text beside file; remove it",
        ),
        (
            Channel::Line,
            json!({ "rich": { "text": "a", "media": { "kind": "image", "url": "https://h" } } }),
            "text: LINE shows no text beside image; remove it",
        ),
        (
            Channel::Line,
            json!({ "rich": { "media": { "kind": "audio", "url": "https://h", "duration": "{{a}}" } } }),
            "audio duration: LINE takes a number here, which cannot come from a column; write the number",
        ),
        (
            Channel::Line,
            json!({ "location": { "latitude": "{{a}}", "longitude": "2", "name": "n", "address": "a" } }),
            "location latitude: LINE takes a number here",
        ),
        (
            Channel::WhatsApp,
            json!({ "location": { "latitude": "90.1", "longitude": "-181", "name": "n", "address": "a" } }),
            "location latitude: invalid degrees \"90.1\"; give a number from -90 to 90\nlocation longitude: invalid",
        ),
        (
            Channel::WhatsApp,
            json!({ "rich": { "media": { "kind": "image", "url": "http://h/a" } } }),
            "image: must be a web address that begins with https://",
        ),
    ] {
        let found = found(channel, &content(json));
        assert!(found.contains(sentence), "gave: {found}\n  want: {sentence}");
    }
    let degrees = json!({ "location": { "latitude": "{{a}}", "longitude": "-180", "name": "n", "address": "a" } });
    assert_eq!(found(Channel::WhatsApp, &content(degrees)), "", "WhatsApp takes the degrees as texts");
}

#[test]
fn a_button_of_viber_has_a_text_or_a_video_beside_it() {
    let button = |caption: String, url: &str, more: serde_json::Value| {
        let mut message = json!({ "button": { "caption": caption, "url": url } });
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "rich": message })
    };
    let text = || json!({ "text": "a" });
    let caption = |count| button(x(count), "https://h", text());
    assert_limit(
        Channel::Viber,
        caption(30),
        caption(31),
        "button caption: 31 characters are more than the 30 allowed",
    );
    for (json, sentence) in [
        (button(x(1), "h", text()), "button url: must be a web address"),
        (button(x(1), "https://h", json!({})), "text: is missing; write what to say"),
        (
            button(x(1), "https://h", json!({ "media": { "kind": "image", "url": "https://h" } })),
            "button: needs a text beside the image",
        ),
        (
            button(x(1), "https://h", json!({ "media": { "kind": "file", "url": "https://h" } })),
            "button: stands beside a text, an image or a video; remove it",
        ),
    ] {
        let found = found(Channel::Viber, &content(json));
        assert!(found.contains(sentence), "gave: {found}\n  want: {sentence}");
    }
}

#[test]
fn interactive_messages_have_the_documented_limits() {
    let with = |action: serde_json::Value| json!({ "interactive": { "body": "b", "action": action } });
    let limit = |at: serde_json::Value, beyond: serde_json::Value, sentence: &str| {
        assert_limit(Channel::WhatsApp, at, beyond, sentence);
    };
    let one = || json!({ "buttons": [{ "id": "i", "title": "t" }] });
    let around = |key: &str, value: serde_json::Value| {
        let mut message = json!({ "body": "b", "action": one() });
        message[key] = value;
        json!({ "interactive": message })
    };
    limit(around("header", json!({ "text": x(60) })), around("header", json!({ "text": x(61) })), "header text: 61");
    limit(around("body", json!(x(1_024))), around("body", json!(x(1_025))), "interactive body: 1025");
    limit(around("footer", json!(x(60))), around("footer", json!(x(61))), "interactive footer: 61");
    limit(
        around("header", json!({ "image": "https://h" })),
        around("header", json!({ "image": "http://h" })),
        "https://",
    );

    let buttons = |count: usize| {
        let all: Vec<_> = (0..count).map(|n| json!({ "id": format!("{n}"), "title": format!("t{n}") })).collect();
        with(json!({ "buttons": all }))
    };
    limit(buttons(3), buttons(4), "interactive buttons: has 4 buttons, but 3 are allowed");
    let button = |id: usize, title: usize| with(json!({ "buttons": [{ "id": x(id), "title": x(title) }] }));
    limit(button(256, 20), button(257, 20), "button 1 id: 257 characters are more than the 256 allowed");
    limit(button(256, 20), button(256, 21), "button 1 title: 21 characters are more than the 20 allowed");
    let same = with(json!({ "buttons": [{ "id": "a", "title": "t" }, { "id": "a", "title": "u" }] }));
    limit(buttons(2), same, "interactive button 2 id: \"a\" is there twice; change one of them");

    let row = |n: usize| json!({ "id": format!("{n}"), "title": "t" });
    let rows = |sections: &[usize]| {
        let mut n = 0..;
        let all: Vec<_> = sections
            .iter()
            .map(|count| json!({ "title": "s", "rows": n.by_ref().take(*count).map(row).collect::<Vec<_>>() }))
            .collect();
        with(json!({ "list": { "button": "b", "sections": all } }))
    };
    limit(rows(&[4, 6]), rows(&[5, 6]), "interactive list: has 11 rows, but 10 are allowed");
    limit(rows(&[1; 10]), rows(&[1; 11]), "interactive list sections: has 11 sections, but 10 are allowed");
    let list = |button: usize, section: usize, id: usize, title: usize, description: usize| {
        with(json!({ "list": { "button": x(button), "sections": [{ "title": x(section),
            "rows": [{ "id": x(id), "title": x(title), "description": x(description) }] }] } }))
    };
    let at = || list(20, 24, 200, 24, 72);
    limit(at(), list(21, 24, 200, 24, 72), "list button: 21");
    limit(at(), list(20, 25, 200, 24, 72), "section 1 title: 25");
    limit(at(), list(20, 24, 201, 24, 72), "section 1 row 1 id: 201");
    limit(at(), list(20, 24, 200, 25, 72), "section 1 row 1 title: 25");
    limit(at(), list(20, 24, 200, 24, 73), "section 1 row 1 description: 73");

    let flow = |count| with(json!({ "flow": { "id": "1", "text": x(count) } }));
    limit(flow(20), flow(21), "interactive flow text: 21 characters are more than the 20 allowed");
    let link = |count, url: &str| with(json!({ "link": { "text": x(count), "url": url } }));
    limit(link(20, "https://h"), link(21, "https://h"), "link text: 21");
    limit(link(20, "http://h"), link(20, "h"), "link url: must be a web address");
    let products = |count: usize| {
        let ids: Vec<_> = (0..count).map(|n| n.to_string()).collect();
        with(json!({ "products": { "catalog": "c", "sections": [{ "products": ids }] } }))
    };
    limit(products(30), products(31), "products: has 31 products, but 30 are allowed");
    let product = json!({ "interactive": { "action": { "product": { "catalog": "c", "product": "p" } } } });
    let with_header = json!({ "interactive": { "header": { "text": "a" },
        "action": { "product": { "catalog": "c", "product": "p" } } } });
    limit(product, with_header, "a single product has no header");
    let bodiless = json!({ "interactive": { "action": one() } });
    limit(with(one()), bodiless, "interactive body: is missing; write the text of the message");
}

#[test]
fn cards_and_suggestions_of_rcs_have_the_documented_limits() {
    let limit = |at: serde_json::Value, beyond: serde_json::Value, sentence: &str| {
        assert_limit(Channel::Rcs, at, beyond, sentence);
    };
    let reply = |text: usize, data: usize| json!({ "text": x(text), "data": x(data), "action": "reply" });
    let replies = |count: usize| vec![reply(25, 2_048); count];
    let card = |title: usize, description: usize, suggestions: usize| {
        json!({ "title": x(title), "description": x(description), "suggestions": replies(suggestions),
            "media": { "kind": "image", "url": "https://h" } })
    };
    let alone = |card: serde_json::Value, below: usize| json!({ "card": { "card": card, "orientation": "vertical", "suggestions": replies(below) } });
    let at = || alone(card(200, 2_000, 4), 7);
    limit(at(), alone(card(201, 2_000, 4), 7), "card title: 201 characters are more than the 200 allowed");
    limit(at(), alone(card(200, 2_001, 4), 7), "card description: 2001");
    limit(at(), alone(card(200, 2_000, 5), 7), "card suggestions: has 5 suggestions, but 4 are allowed");
    limit(at(), alone(card(200, 2_000, 4), 8), "suggestions: has 8 suggestions, but 7 are allowed");
    let carousel = |count: usize| json!({ "carousel": { "cards": vec![card(1, 1, 0); count], "width": "medium" } });
    limit(carousel(10), carousel(11), "cards: has 11 cards, but 10 are allowed");
    limit(carousel(2), carousel(1), "cards: has 1 card, but needs at least 2");
    let text = |suggestions: Vec<serde_json::Value>| json!({ "rich": { "text": "a", "suggestions": suggestions } });
    limit(text(replies(11)), text(replies(12)), "suggestions: has 12 suggestions, but 11 are allowed");
    limit(text(replies(1)), text(vec![reply(26, 1)]), "suggestion 1 text: 26 characters are more than the 25 allowed");
    limit(text(replies(1)), text(vec![reply(1, 2_049)]), "suggestion 1 data: 2049");
    let does = |action: serde_json::Value| text(vec![json!({ "text": "t", "data": "d", "action": action })]);
    limit(
        does(json!({ "dial": "+6591234567" })),
        does(json!({ "dial": "911" })),
        "suggestion 1 dial: invalid phone number",
    );
    limit(does(json!({ "url": "https://h" })), does(json!({ "url": "h" })), "suggestion 1 url: must be a web address");
    let place = |latitude: &str| does(json!({ "place": { "latitude": latitude, "longitude": "0" } }));
    limit(place("90"), place("{{a}}"), "suggestion 1 latitude: RCS takes a number here");
    let event = |start: &str| does(json!({ "event": { "title": "t", "start": start, "end": "2026-12-01T10:00:00Z" } }));
    limit(event("2026-12-01T09:00:00+08:00"), event("tomorrow"), "suggestion 1 event start: invalid time \"tomorrow\"");
}

#[test]
fn templates_have_the_documented_limits() {
    let limit = |at: String, beyond: String, sentence: &str| {
        for (keys, sentence) in [(at, ""), (beyond, sentence)] {
            let found = found(Channel::WhatsApp, &template(&keys));
            assert!(if sentence.is_empty() { found.is_empty() } else { found.contains(sentence) }, "{keys}: {found}");
        }
    };
    let header = |count| format!(r#", "header": {{"text": "{}"}}"#, x(count));
    limit(header(60), header(61), "header text: 61 characters are more than the 60 allowed");
    let body = |count| format!(r#", "body": ["{}"]"#, x(count));
    limit(body(1_024), body(1_025), "template body: the body parameters have 1025 characters");
    let button = |action: String| format!(r#", "buttons": [{{"index": 9, {action}}}]"#);
    let url = |count| button(format!(r#""url": "{}""#, x(count)));
    limit(url(2_000), url(2_001), "button 9 url: 2001 characters are more than the 2000 allowed");
    let code = |count| button(format!(r#""copy_code": "{}""#, x(count)));
    limit(code(15), code(16), "it must have 4 to 15 characters");
    limit(code(4), code(3), "it must have 4 to 15 characters");
    let urls = |count: u8| {
        let all: Vec<String> = (0..count).map(|index| format!(r#"{{"index": {index}, "url": "u"}}"#)).collect();
        format!(r#", "buttons": [{}]"#, all.join(","))
    };
    limit(urls(2), urls(3), "template buttons: 3 url buttons are more than the 2 allowed");
}

#[test]
fn the_cards_of_a_template_have_one_layout() {
    let template = |category: &str, cards: serde_json::Value| json!({ "template": { "name": "n", "language": "en", "category": category, "carousel": cards } });
    let card = |header: &str, body: usize, buttons: serde_json::Value| json!({ "header": { header: "https://h" }, "body": [x(body)], "buttons": buttons });
    let plain = || card("image", 160, json!([{ "index": 0, "url": "u" }, { "index": 1, "payload": "p" }]));
    let marketing = |cards: Vec<serde_json::Value>| template("MARKETING", json!(cards));
    let limit = |at: serde_json::Value, beyond: serde_json::Value, sentence: &str| {
        assert_limit(Channel::WhatsApp, at, beyond, sentence);
    };
    let ten = || marketing(vec![plain(); 10]);
    limit(ten(), marketing(vec![plain(); 11]), "template carousel: has 11 cards, but 10 are allowed");
    limit(ten(), template("UTILITY", json!([plain()])), "only a MARKETING template can have a carousel");
    limit(ten(), marketing(vec![card("image", 161, json!([]))]), "card 1 body: 161");
    limit(
        ten(),
        marketing(vec![
            plain(),
            card("video", 160, json!([{ "index": 0, "url": "u" }, { "index": 1, "payload": "p" }])),
        ]),
        "template carousel: card 2 differs from card 1",
    );
    limit(
        ten(),
        marketing(vec![plain(), card("image", 1, json!([]))]),
        "template carousel: card 2 differs from card 1",
    );
    let three = json!([{ "index": 0, "url": "u" }, { "index": 1, "payload": "p" }, { "index": 2, "payload": "p" }]);
    limit(ten(), marketing(vec![card("image", 1, three)]), "card 1 buttons: has 3 buttons, but 2 are allowed");
    let code = json!([{ "index": 0, "copy_code": "SAVE" }]);
    limit(ten(), marketing(vec![card("image", 1, code)]), "card 1 button 0 copy_code: a card has buttons with url and");
    limit(ten(), marketing(vec![card("document", 1, json!([]))]), "card 1 header: a card has an image or a video");
    let insecure = json!([{ "header": { "image": "http://h" } }]);
    limit(ten(), template("MARKETING", insecure), "card 1 header image: must be a web address");
}

#[test]
fn a_gif_and_a_call_are_refused_where_the_category_has_none() {
    let gif = |category: &str| {
        json!({ "template": { "name": "n", "language": "en", "category": category,
            "header": { "gif": "https://h/a.mp4" } } })
    };
    assert_limit(Channel::WhatsApp, gif("MARKETING"), gif("UTILITY"), "only a MARKETING template can have a GIF");
    let call = |category: &str, ttl: Span| {
        json!({ "template": { "name": "n", "language": "en", "category": category,
            "buttons": [{ "index": 0, "voice_call": { "ttl": ttl } }] } })
    };
    let minutes = |count: i64| Span::from_secs(count * 60);
    let sentence = "ttl must be whole minutes, from 1m to 30d";
    assert_limit(Channel::WhatsApp, call("UTILITY", minutes(43_200)), call("UTILITY", minutes(43_201)), sentence);
    assert_limit(Channel::WhatsApp, call("UTILITY", minutes(1)), call("UTILITY", Span::from_secs(90)), sentence);
    let of_authentication = call("AUTHENTICATION", minutes(1));
    assert_limit(Channel::WhatsApp, call("MARKETING", minutes(1)), of_authentication, "cannot have a call");
}

#[test]
fn a_section_of_a_list_has_a_row() {
    let list = |second: serde_json::Value| {
        let row = json!({ "id": "1", "title": "t" });
        let sections = json!([{ "title": "a", "rows": [row] }, { "title": "b", "rows": second }]);
        let content =
            json!({ "interactive": { "body": "b", "action": { "list": { "button": "l", "sections": sections } } } });
        found(Channel::WhatsApp, &serde_json::from_value(content).unwrap())
    };
    assert_eq!(list(json!([{ "id": "2", "title": "t" }])), "");
    assert_eq!(list(json!([])), "interactive section 2: has no row; write some in rows, or remove it");
}

#[test]
fn an_sms_is_as_long_as_it_is_sent() {
    let long = text("“x” ".repeat(300));
    let sms = |transliterates| check(Sending { transliterates, ..sending(Channel::Sms) }, &long);
    assert_eq!(sms(true), [], "1,200 characters in GSM-7 are 8 parts");
    assert!(sms(false)[0].to_string().contains("an SMS has at most 10 parts"));
}

/// What is no number in JSON would be sent as a text.
#[test]
fn a_number_is_written_as_json_writes_it() {
    for odd in ["+1.3", ".5", "007", "1.", " 1", "0x1", "NaN"] {
        let place = json!({ "location": { "latitude": odd, "longitude": "1.3", "name": "n", "address": "a" } });
        let place = serde_json::from_value(place).unwrap();
        for channel in [Channel::Line, Channel::Rcs, Channel::WhatsApp] {
            assert!(found(channel, &place).contains("latitude: invalid degrees"), "{odd}");
        }
        let audio = json!({ "rich": { "media": { "kind": "audio", "url": "https://h", "duration": odd } } });
        let said = found(Channel::Line, &serde_json::from_value(audio).unwrap());
        assert!(said.contains("audio duration: invalid number"), "{odd}: {said}");
    }
    let place = json!({ "location": { "latitude": "-1.5e1", "longitude": "0", "name": "n", "address": "a" } });
    assert_eq!(found(Channel::Line, &serde_json::from_value(place).unwrap()), "");
}
