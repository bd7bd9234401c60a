//! The request of each kind of content, as the provider documents it: from the keys of a campaign file to the bytes.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::*;
use crate::config::{Table, steps};
use crate::domain::{AttemptId, BatchId, MessageKey, Tag, Timestamp};

const COLUMNS: [&str; 3] = ["First", "Code", "LineId"];
const FIELDS: [&str; 3] = ["Ann \"A\"", "A1", "Ua12b345678c1de0f"];

/// The request of a step that is written in a campaign file, without its `clientMessageId`.
fn request(channel: &str, keys: &str) -> String {
    let file: Map<String, Value> = toml::from_str(&format!("[[step]]\nchannel = \"{channel}\"\n{keys}")).unwrap();
    let mut problems = Vec::new();
    let draft = steps(&mut Table::new(None, "", file, &mut problems)).pop();
    assert!(problems.is_empty(), "{keys}: {problems:?}");
    let draft = draft.unwrap();
    let errors = template::check(draft.channel, &draft.content);
    assert!(errors.is_empty(), "{keys}: {errors:?}");
    let step = Step {
        line_user_id: draft.line_user_id,
        content: draft.content,
        ttl: draft.ttl,
        ..Step::of_text(draft.channel, "lane", "")
    };
    let pattern = compose(&step, "lane", Country::by_code("SG").unwrap(), &COLUMNS.map(str::to_owned)).unwrap();
    let attempt =
        AttemptId { key: MessageKey { batch: BatchId(1), n: 2 }, step: StepIndex::FIRST, tag: Tag::from_random(3) };
    let mut out = Vec::new();
    let at = Timestamp::parse_rfc3339("2026-12-01T09:00:00Z").unwrap();
    pattern.render("+6591234567".parse().unwrap(), attempt, at, &FIELDS.map(Cow::Borrowed), &mut out).unwrap();
    let json = String::from_utf8(out).unwrap();
    assert!(json.contains(&format!(r#""clientMessageId":"{attempt}""#)), "{json}");
    json.replace(&format!(r#""clientMessageId":"{attempt}","#), "")
}

/// The `content` of a request with this channel and type, to the recipient's number.
#[track_caller]
fn assert_content(channel: &str, keys: &str, kind: &str, content: &str) {
    let expected = format!(
        r#"{{"user":{{"msisdn":"+6591234567"}},"type":"{kind}","content":{content},"channels":[{{"channel":"{channel}"}}]}}"#
    );
    assert_eq!(request(channel, keys), expected, "{keys}");
}

/// A template with these keys is sent with these components.
#[track_caller]
fn assert_components(keys: &str, components: &str) {
    let keys = format!("[step.template]\nname = \"promo\"\nlanguage = \"en_US\"\n{keys}");
    let content = format!(r#"{{"template":{{"name":"promo","language":"en_US","components":[{components}]}}}}"#);
    assert_content("WhatsApp", &keys, "template", &content);
}

#[test]
fn a_template_without_parameters_has_an_empty_list_of_components() {
    assert_components("category = \"UTILITY\"", "");
}

#[test]
fn each_header_of_a_template_is_one_parameter() {
    let header = |header: &str, parameter: &str| {
        assert_components(
            &format!("category = \"UTILITY\"\nheader = {header}"),
            &format!(r#"{{"type":"header","parameters":[{parameter}]}}"#),
        );
    };
    header(r#"{ text = "{{First}} {{Code}}" }"#, r#"{"type":"text","text":"Ann \"A\" A1"}"#);
    header(r#"{ image = "https://h/{{Code}}.png" }"#, r#"{"type":"image","url":"https://h/A1.png"}"#);
    header(r#"{ video = "https://h/a.mp4" }"#, r#"{"type":"video","url":"https://h/a.mp4"}"#);
    header(r#"{ document = "https://h/a.pdf" }"#, r#"{"type":"document","url":"https://h/a.pdf"}"#);
    header(
        r#"{ location = { latitude = "38.8693", longitude = -77.0536, name = "Metro", address = "1 Drive" } }"#,
        r#"{"type":"location","location":{"address":"1 Drive","latitude":"38.8693","longitude":"-77.0536","name":"Metro"}}"#,
    );
}

#[test]
fn the_body_has_its_parameters_in_order() {
    assert_components(
        "category = \"UTILITY\"\nbody = [\"{{Code}}\", \"{{First|you}}\"]",
        r#"{"type":"body","parameters":[{"type":"text","text":"A1"},{"type":"text","text":"Ann \"A\""}]}"#,
    );
}

#[test]
fn each_button_of_a_template_has_its_sub_type() {
    let button = |button: &str, sub_type: &str, parameter: &str| {
        assert_components(
            &format!("category = \"MARKETING\"\nbuttons = [{{ index = 1, {button} }}]"),
            &format!(r#"{{"type":"button","index":1,"subType":"{sub_type}","parameters":[{parameter}]}}"#),
        );
    };
    button(r#"url = "p/{{Code}}""#, "url", r#"{"type":"text","text":"p/A1"}"#);
    button(r#"payload = "yes-{{Code}}""#, "QuickReply", r#"{"type":"payload","payload":"yes-A1"}"#);
    button(r#"copy_code = "OFF-{{Code}}""#, "copyCode", r#"{"type":"couponCode","couponCode":"OFF-A1"}"#);
    button("flow = {}", "flow", r#"{"type":"action"}"#);
    button(
        r#"flow = { screen = "FORM", data = { name = "{{First}}", seats = 2 } }"#,
        "flow",
        r#"{"type":"action","flowActionData":{"data":{"name":"Ann \"A\"","seats":2},"screen":"FORM"}}"#,
    );
}

#[test]
fn a_one_time_password_stands_in_the_body_and_in_the_button() {
    assert_components(
        "otp = \"{{Code}}\"",
        r#"{"type":"body","parameters":[{"type":"text","text":"A1"}]},{"type":"button","index":0,"subType":"url","parameters":[{"type":"text","text":"A1"}]}"#,
    );
}

#[test]
fn a_zalo_template_has_named_parameters() {
    assert_content(
        "ZaloNotification",
        "[step.template]\nname = \"4711\"\nlanguage = \"en\"\nparams = { customer = \"{{First}}\", order = \"{{Code}}\" }",
        "template",
        r#"{"template":{"name":"4711","language":"en","components":[{"type":"body","parameters":[{"type":"text","name":"customer","text":"Ann \"A\""},{"type":"text","name":"order","text":"A1"}]}]}}"#,
    );
}

#[test]
fn a_text_is_the_same_on_every_channel_but_sms() {
    for channel in ["WhatsApp", "Viber", "RCS"] {
        assert_content(channel, "text = \"Hi {{First}}\"", "text", r#"{"text":"Hi Ann \"A\""}"#);
    }
    assert_content(
        "SMS",
        "text = \"Hi\"\nsource = \"ACME\"\nencoding = \"UCS2\"",
        "text",
        r#"{"text":"Hi","sms":{"encoding":"UCS2","source":"ACME"}}"#,
    );
}

#[test]
fn on_line_the_recipient_is_addressed_by_an_id_of_a_column() {
    assert_eq!(
        request("LINE", "text = \"Hi\"\nline_user_id = \"{{LineId}}\""),
        r#"{"user":{"lineUserId":"Ua12b345678c1de0f"},"type":"text","content":{"text":"Hi"},"channels":[{"channel":"LINE"}]}"#
    );
}

/// Raw JSON keeps the keys that Volley does not know, in the order of the alphabet.
#[test]
fn raw_content_leaves_as_it_is_with_values_in_its_strings() {
    let keys = r#"raw = { type = "interactive", content = { interactive = { type = "button", body = { text = "Hi {{First}}" }, action = { buttons = [{ type = "reply", reply = { id = "y-{{Code}}", title = "Yes" } }] } }, ours = [1, true, "{{Code}}"] } }"#;
    assert_eq!(
        request("WhatsApp", &format!("ttl = \"1m\"\n{keys}")),
        r#"{"channels":[{"channel":"WhatsApp"}],"content":{"interactive":{"action":{"buttons":[{"reply":{"id":"y-A1","title":"Yes"},"type":"reply"}]},"body":{"text":"Hi Ann \"A\""},"type":"button"},"ours":[1,true,"A1"]},"expiry":"2026-12-01T09:01:00.000Z","type":"interactive","user":{"msisdn":"+6591234567"}}"#
    );
}
