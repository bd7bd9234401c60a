//! Tests each kind of content: its texts and its limits.

use super::tests::{broken, content, filled};
use super::*;
use crate::base::domain::{Channel, Names, Step};

/// A content of each kind, with a variable in each of its texts.
const KINDS: [(Channel, &str); 9] = [
    (
        Channel::Viber,
        r#"{"rich": {"text": "{{a}}", "media": {"kind": "video", "url": "{{b}}", "thumbnail": "{{c}}", "duration": "{{d}}",
            "size": "{{e}}"}, "button": {"caption": "{{f}}", "url": "{{g}}"}}}"#,
    ),
    (
        Channel::Rcs,
        r#"{"rich": {"text": "{{a}}", "suggestions": [
            {"text": "{{b}}", "data": "{{c}}", "action": "reply"}, {"text": "{{d}}", "data": "{{e}}", "action": {"url": "{{f}}"}},
            {"text": "{{g}}", "data": "{{h}}", "action": {"dial": "{{i}}"}},
            {"text": "{{j}}", "data": "{{k}}", "action": {"search": "{{l}}"}},
            {"text": "{{m}}", "data": "{{n}}", "action": {"place": {"latitude": "{{o}}", "longitude": "{{p}}", "label": "{{q}}"}}},
            {"text": "{{r}}", "data": "{{s}}", "action": {"event": {"title": "{{t}}", "description": "{{u}}", "start": "{{v}}",
                "end": "{{w}}"}}}]}}"#,
    ),
    (
        Channel::Line,
        r#"{"location": {"latitude": "{{a}}", "longitude": "{{b}}", "name": "{{c}}", "address": "{{d}}"}}"#,
    ),
    (
        Channel::WhatsApp,
        r#"{"interactive": {"header": {"image": "{{a}}"}, "body": "{{b}}", "footer": "{{c}}", "action": {"list": {
            "button": "{{d}}", "sections": [{"title": "{{e}}", "rows": [
                {"id": "{{f}}", "title": "{{g}}", "description": "{{h}}"}]}]}}}}"#,
    ),
    (
        Channel::WhatsApp,
        r#"{"interactive": {"body": "{{a}}", "action": {"flow": {"id": "{{b}}", "text": "{{c}}", "token": "{{d}}",
            "opens": {"screen": "S", "data": {"x": ["{{e}}"]}}}}}}"#,
    ),
    (
        Channel::WhatsApp,
        r#"{"interactive": {"body": "{{a}}", "action": {"products": {"catalog": "{{b}}", "product": "{{c}}",
            "sections": [{"title": "{{d}}", "products": ["{{e}}"]}]}}}}"#,
    ),
    (
        Channel::Rcs,
        r#"{"carousel": {"width": "small", "cards": [
            {"title": "{{a}}", "description": "{{b}}", "media": {"kind": "image", "url": "{{c}}", "thumbnail": "{{d}}"},
                "suggestions": [{"text": "{{e}}", "data": "{{f}}", "action": "reply"}]},
            {"media": {"kind": "image", "url": "{{g}}"}}], "suggestions": [{"text": "{{h}}", "data": "{{i}}", "action": "reply"}]}}"#,
    ),
    (
        Channel::LineNotification,
        r#"{"notification": {"title": "{{a}}", "company": "{{b}}", "icon": "{{c}}", "emphasis": {"label": "{{d}}",
            "content": "{{e}}"}, "list": [{"label": "{{f}}", "content": "{{g}}"}], "explanation": "{{h}}",
            "greeting": "{{i}}", "actions": [{"title": "{{j}}", "url": "{{k}}"}]}}"#,
    ),
    (
        Channel::WhatsApp,
        r#"{"template": {"name": "n", "language": "en", "category": "MARKETING", "header": {"gif": "{{a}}"}, "body": ["{{b}}"],
            "buttons": [{"index": 0, "voice_call": {"payload": "{{c}}"}}], "carousel": [
                {"header": {"image": "{{d}}"}, "body": ["{{e}}"], "buttons": [{"index": 0, "url": "{{f}}"}]}]}}"#,
    ),
];

#[test]
fn a_bubble_has_every_text_of_every_kind_of_content() {
    let columns: Vec<String> = ('a'..='w').map(|letter| letter.to_string()).collect();
    for (channel, json) in KINDS {
        let content = content(json);
        let mut expected = Vec::new();
        content
            .each_text(|part, text| {
                expected.push((part.to_string(), text.to_owned()));
                Ok::<_, ()>(())
            })
            .unwrap();
        let step = Step { content, ..Step::of_text(channel, "lane", "") };
        let bound = BoundMessage::new(&step, Names::of_columns(&columns), None).unwrap();
        let fields: Vec<String> = columns.iter().map(|letter| format!("{{{{{letter}}}}}")).collect();
        let bubble = bound.fill(&fields);
        let mut found: Vec<(String, String)> =
            bubble.texts().into_iter().map(|text| (text.part.to_string(), text.to_string())).collect();
        // The screen of a flow is no text with variables.
        found.retain(|(part, _)| part != "interactive flow screen");
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{json}");
        assert_eq!(bound.columns().len(), expected.len(), "{json}");
        // Each missing value is reported once.
        let missing = bound.fill(&vec![""; columns.len()]).broken(10);
        assert_eq!(missing.len(), expected.len(), "{json}");
    }
}

#[test]
fn limits_of_the_other_kinds_are_those_of_their_channels() {
    let of = |channel, json: &str, length: usize| {
        broken(&filled(channel, &content(json), None, [&"x".repeat(length), "1", "2", "3"]))
    };
    // By the provider's documents.
    for (channel, json, most, sentence) in [
        (
            Channel::Viber,
            r#"{"rich": {"media": {"kind": "image", "url": "https://a/b"}, "text": "{{FirstName}}"}}"#,
            1_000,
            "text: longer than 1,000 characters",
        ),
        (
            Channel::WhatsApp,
            r#"{"rich": {"media": {"kind": "image", "url": "https://a/b"}, "text": "{{FirstName}}"}}"#,
            1_024,
            "text: longer than 1,024 characters",
        ),
        (
            Channel::Viber,
            r#"{"rich": {"text": "Hi", "button": {"caption": "{{FirstName}}", "url": "https://a/b"}}}"#,
            30,
            "button caption: longer than 30 characters",
        ),
        (
            Channel::Rcs,
            r#"{"rich": {"text": "Hi", "suggestions": [{"text": "{{FirstName}}", "data": "x", "action": "reply"}]}}"#,
            25,
            "suggestion 1 text: longer than 25 characters",
        ),
        (
            Channel::WhatsApp,
            r#"{"interactive": {"body": "Hi", "action": {"buttons": [{"id": "1", "title": "{{FirstName}}"}]}}}"#,
            20,
            "interactive button 1 title: longer than 20 characters",
        ),
        (
            Channel::WhatsApp,
            r#"{"template": {"name": "n", "language": "en", "category": "MARKETING", "header": {"text": "{{FirstName}}"}}}"#,
            60,
            "header text: longer than 60 characters",
        ),
        (
            Channel::WhatsApp,
            r#"{"template": {"name": "n", "language": "en", "category": "MARKETING", "carousel": [
                {"header": {"image": "https://a/b"}, "body": ["{{FirstName}}"]}]}}"#,
            160,
            "card 1 body: longer than 160 characters",
        ),
        // All texts of a notification are limited together: the title and the value have 4 characters here.
        (
            Channel::LineNotification,
            r#"{"notification": {"title": "abc", "icon": "calendarCheck", "list": [{"label": "{{FirstName}}", "content": "d"}]}}"#,
            496,
            "notification: longer than 500 characters",
        ),
    ] {
        assert_eq!(of(channel, json, most), [""; 0], "{json}");
        assert_eq!(of(channel, json, most + 1), [sentence], "{json}");
    }
}
