use serde_json::{Value, json};

use super::*;

/// How a message with these components fails with a template of these.
fn fate(own: &Value, given: &Value, is_code: bool) -> Option<Doom> {
    let own: Vec<TemplatePart> = serde_json::from_value(own.clone()).unwrap();
    let given = given.to_string();
    let given: Vec<Component<'_>> = serde_json::from_str(&given).unwrap();
    check(&own, &given, is_code).err()
}

fn texts(count: usize) -> Value {
    json!(vec![json!({"type": "text", "text": "a"}); count])
}

fn media(kind: &str) -> Value {
    json!([{"type": kind, "url": "https://media.example/a"}])
}

#[test]
fn a_header_has_the_value_of_its_format() {
    let header = |format: &str, text: &str, parameters: &Value| {
        let own = json!([{"type": "HEADER", "format": format, "text": text}, {"type": "BODY", "text": "Hi"}]);
        fate(&own, &json!([{"type": "header", "parameters": parameters}]), false)
    };
    assert_eq!(header("TEXT", "Hi {{1}}", &texts(1)), None);
    assert_eq!(header("TEXT", "Hi", &texts(1)), Some(Doom::ParameterCount));
    assert_eq!(header("TEXT", "Hi {{1}}", &media("image")), Some(Doom::ParameterFormat));
    for format in ["image", "video", "document"] {
        assert_eq!(header(format, "", &media(format)), None, "{format}");
        assert_eq!(header(format, "", &texts(1)), Some(Doom::ParameterFormat), "{format}");
        assert_eq!(header(format, "", &json!([])), Some(Doom::ParameterCount), "{format}");
    }
    let bare =
        fate(&json!([{"type": "BODY", "text": "Hi"}]), &json!([{"type": "header", "parameters": texts(1)}]), false);
    assert_eq!(bare, Some(Doom::ParameterCount));
}

#[test]
fn a_body_has_as_many_values_as_parameters_and_a_code_has_one() {
    let body = |text: &str, count: usize, is_code: bool| {
        let given = json!([{"type": "body", "parameters": texts(count)}]);
        fate(&json!([{"type": "BODY", "text": text}]), &given, is_code)
    };
    assert_eq!(body("Hi {{1}} and {{2}}!", 2, false), None);
    assert_eq!(body("Hi {{1}} and {{2}}!", 1, false), Some(Doom::ParameterCount));
    assert_eq!((body("", 1, true), body("", 0, true)), (None, Some(Doom::ParameterCount)));
}

#[test]
fn each_button_has_the_values_of_its_type_at_its_own_index() {
    let own = json!([{"type": "BODY", "text": "Hi"}, {"type": "BUTTONS", "buttons": [
        {"type": "URL", "url": "https://a.example/{{1}}"},
        {"type": "QUICK_REPLY", "text": "Stop"},
        {"type": "VOICE_CALL"},
        {"type": "PHONE_NUMBER", "phoneNumber": "62211521"},
    ]}]);
    let url = |index: usize| json!({"type": "button", "subType": "url", "index": index, "parameters": texts(1)});
    let with = |index: usize, sub_type: &str, parameters: Value| {
        let other = json!({"type": "button", "subType": sub_type, "index": index, "parameters": parameters});
        fate(&own, &json!([url(0), other]), false)
    };
    let payload = json!({"type": "payload", "payload": "stop"});
    assert_eq!(fate(&own, &json!([url(0)]), false), None, "only the address needs a value");
    assert_eq!(fate(&own, &json!([]), false), Some(Doom::ParameterCount));
    assert_eq!(with(1, "QuickReply", json!([payload])), None);
    assert_eq!(with(1, "url", texts(1)), Some(Doom::ParameterFormat));
    assert_eq!(with(2, "VoiceCall", json!([{"type": "ttlMinutes", "ttlMinutes": 1_440}, payload])), None);
    assert_eq!(with(3, "url", texts(1)), Some(Doom::ParameterCount), "a number takes no value");
    assert_eq!(with(4, "QuickReply", json!([payload])), Some(Doom::ParameterCount), "there is no such button");
}

#[test]
fn a_carousel_has_a_fitting_card_for_each_of_the_template() {
    let own_card = |text: &str| {
        json!({"components": [{"type": "header", "format": "image"}, {"type": "body", "text": text},
            {"type": "buttons", "buttons": [{"type": "url", "url": "https://a.example/{{1}}"}]}]})
    };
    let own = json!([{"type": "body", "text": "Hi"},
        {"type": "carousel", "cards": [own_card("Now {{1}}"), own_card("Soon")]}]);
    let card = |index: usize, header: &str, values: usize| {
        json!({"cardIndex": index, "components": [{"type": "header", "parameters": media(header)},
            {"type": "body", "parameters": texts(values)},
            {"type": "button", "subType": "url", "index": 0, "parameters": texts(1)}]})
    };
    let sent = |cards: &[Value]| fate(&own, &json!([{"type": "carousel", "cards": cards}]), false);
    assert_eq!(sent(&[card(0, "image", 1), card(1, "image", 0)]), None);
    assert_eq!(sent(&[card(1, "image", 0), card(0, "image", 1)]), None, "cards are found by their index");
    assert_eq!(sent(&[card(0, "image", 1)]), Some(Doom::ParameterCount));
    assert_eq!(sent(&[card(0, "image", 0), card(1, "image", 0)]), Some(Doom::ParameterCount));
    assert_eq!(sent(&[card(0, "video", 1), card(1, "image", 0)]), Some(Doom::ParameterFormat));
    assert_eq!(fate(&own, &json!([]), false), Some(Doom::ParameterCount));
    let none = json!([{"type": "body", "text": "Hi"}]);
    let carousel = json!([{"type": "carousel", "cards": [card(0, "image", 1)]}]);
    assert_eq!(fate(&none, &carousel, false), Some(Doom::ParameterCount), "the template has no cards");
}
