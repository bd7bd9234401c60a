//! A value never becomes anything but text, and no text with variables breaks the request.

use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::base::domain::{AttemptId, BatchId, MessageKey, Names, Tag, Timestamp};
use crate::rules::template::To;

const COLUMNS: [&str; 2] = ["Name", "Code"];

fn rendered(content: Value, channel: Channel, transliterate: bool, fields: [&str; 2]) -> Option<Value> {
    let content: Content = serde_json::from_value(content).unwrap();
    let step = Step { content, transliterate, ..Step::of_text(channel, "lane", "") };
    let columns = COLUMNS.map(str::to_owned);
    let names = Names::of_columns(&columns);
    let pattern = compose(MessagingApi::ChatApps, &step, "lane", Country::by_code("SG").unwrap().into(), names).ok()?;
    let attempt =
        AttemptId { key: MessageKey { batch: BatchId(1), n: 2 }, step: StepIndex::FIRST, tag: Tag::from_random(3) };
    let mut out = b"before".to_vec();
    let at = Timestamp::parse_rfc3339("2026-12-01T09:00:00Z").unwrap();
    let done = pattern.render(
        To::Number("+6591234567".parse().unwrap()),
        attempt,
        at.into(),
        &fields.map(Cow::Borrowed),
        &mut out,
    );
    match done {
        Ok(()) => Some(serde_json::from_slice(&out["before".len()..]).unwrap()),
        Err(_) => {
            assert_eq!(out, b"before");
            None
        }
    }
}

/// Texts full of what could mean something: variables, JSON, quotes, markers.
fn hostile() -> impl Strategy<Value = String> {
    "([{}|:\"'\\\\,\u{0}\n\u{2028}\u{fdd0}\u{fdd1}0a]|\\{\\{Code\\}\\}|\",\"x\":\"|“|ą|ก|😀){1,12}"
        .prop_filter("a blank value is a missing one", |text| !text.trim().is_empty())
}

proptest! {
    #[test]
    fn a_value_stays_one_string_in_every_content(name in hostile(), code in hostile()) {
        let fields = [name.as_str(), code.as_str()];
        let template = json!({ "template": {
            "name": "promo", "language": "en", "category": "MARKETING",
            "header": { "image": "https://media.example/{{Name}}" }, "body": ["Hi {{Name}}", "{{Code|x}}"],
            "buttons": [{ "index": 0, "url": "{{Code}}" }],
        } });
        let sent = rendered(template, Channel::WhatsApp, false, fields).unwrap();
        let image = format!("https://media.example/{name}");
        let text = |text: String| json!({ "type": "text", "text": text });
        prop_assert_eq!(&sent["content"]["template"]["components"], &json!([
            { "type": "header", "parameters": [{ "type": "image", "url": image }] },
            { "type": "body", "parameters": [text(format!("Hi {name}")), text(code.clone())] },
            { "type": "button", "index": 0, "subType": "url", "parameters": [text(code.clone())] },
        ]));

        let raw = json!({ "raw": { "type": "x", "content": { "a": { "b": ["{{Name}}", 1] }, "{{Code}}": "{{Code}}" } } });
        let sent = rendered(raw, Channel::Viber, false, fields).unwrap();
        prop_assert_eq!(&sent["content"], &json!({ "a": { "b": [&name, 1] }, "{{Code}}": &code }));

        let plain = json!({ "text": { "text": "Hi {{Name}}" } });
        let sent = rendered(plain.clone(), Channel::Sms, false, fields).unwrap();
        prop_assert_eq!(&sent["content"]["text"], &json!(format!("Hi {name}")));
        let step = Step { transliterate: true, ..Step::of_text(Channel::Sms, "lane", "") };
        let sent = rendered(plain, Channel::Sms, true, fields).unwrap();
        let whole = format!("Hi {name}");
        prop_assert_eq!(&sent["content"]["text"], &json!(texts::as_sent(&step, &whole)));
    }

    #[test]
    fn no_text_and_no_value_breaks_the_request(
        text in "(\\{\\{|\\}\\}|Name|Code|:upper|:title|:url|:trim|:truncate\\(2\\)|:number|\\||[ \"'(),{}]){0,10}|.*",
        name in ".*|[-0-9.]{1,8}",
        transliterate: bool,
    ) {
        let content = json!({ "text": { "text": text } });
        if let Some(sent) = rendered(content, Channel::Sms, transliterate, [&name, "A1"]) {
            prop_assert!(sent["content"]["text"].is_string());
            let keys: Vec<&String> = sent.as_object().unwrap().keys().collect();
            prop_assert_eq!(keys, ["channels", "clientMessageId", "content", "type", "user"]);
        }
    }
}
