//! Every inbound message of the provider's pages, as they print it, one on each line of `samples.jsonl`.

use serde_json::{Value, json};

use super::*;
use crate::rules::wire::{WebhookEvent, parse_events, raw_content};

const SAMPLES: &str = include_str!("samples.jsonl");

/// What the pages say that each sample holds.
enum Holds {
    Text(&'static str),
    Media(&'static str, &'static str),
    Place(f64, f64, &'static str, &'static str),
    Button(&'static str, &'static str),
    /// A token, the number of other fields, and one of them.
    Flow(Option<&'static str>, usize, (&'static str, Value)),
    CallsUntil(&'static str),
}

fn wanted() -> Vec<Holds> {
    use Holds::{Button, CallsUntil, Flow, Media, Place, Text};
    let token = Some("<TOKEN>");
    vec![
        Button("yes-1", "Yes"),
        Text("I need help with my order"),
        Text("Hello from LINE"),
        Media("image", ".jpg?X-Amz-Expires=86400&..."),
        Media("video", ".mp4?X-Amz-Expires=86400&..."),
        Media("audio", ".m4a?X-Amz-Expires=86400&..."),
        Media("file", ".jpg?X-Amz-Expires=86400&..."),
        Place(1.289_563, 103.846_375, "Clarke Quay Riverside", "Clarke Quay, 179019"),
        Text("Test message"),
        Flow(Some("<FLOW_TOKEN>"), 2, ("optional_param2", json!("<value2>"))),
        CallsUntil("2026-01-23T06:51:55.000Z"),
        Text("Hello"),
        Media("image", "<MEDIA_FILE_URL>"),
        Button("option-2", "FAQ"),
        Flow(Some("<FLOW_TOKEN>"), 3, ("feedback", json!("Excellent service!"))),
        Flow(token, 17, ("use_cases", json!(["transactional", "notifications", "authentication"]))),
        Flow(token, 8, ("exchange_pref", json!("Same item in size L"))),
        Flow(token, 15, ("contact_preferences", json!(["whatsapp", "email"]))),
        Flow(None, 10, ("loan_term", json!("5"))),
        Flow(token, 15, ("apt_unit", json!("2A"))),
        Flow(token, 2, ("appointment_date", json!("2026-03-15"))),
    ]
}

fn read(sample: &str) -> Inbound<'_> {
    match parse_events(sample.as_bytes()).remove(0) {
        WebhookEvent::Inbound { inbound, .. } => *inbound,
        other => panic!("{sample}: {other:?}"),
    }
}

#[test]
fn every_documented_sample_is_read_into_its_type() {
    let wanted = wanted();
    assert_eq!(SAMPLES.lines().count(), wanted.len());
    for (sample, wanted) in SAMPLES.lines().zip(wanted) {
        let inbound = read(sample);
        match (inbound.reply_content(), wanted) {
            (ReplyContent::Text(text), Holds::Text(wanted)) => assert_eq!(text, wanted),
            (ReplyContent::Media { url, caption: None }, Holds::Media(kind, end)) => {
                assert_eq!(inbound.kind(), kind, "{sample}");
                assert!(url.ends_with(end), "{url}");
            }
            (ReplyContent::Location(it), Holds::Place(latitude, longitude, name, address)) => {
                assert_eq!((it.latitude, it.longitude), (Some(latitude), Some(longitude)));
                assert_eq!((it.name.as_deref(), it.address.as_deref()), (Some(name), Some(address)));
            }
            (ReplyContent::Button { id, title, payload: None }, Holds::Button(wanted, text)) => {
                assert_eq!((id, title), (Some(wanted), Some(text)));
                assert_eq!(inbound.reply_content().choice().as_deref(), Some(text));
            }
            (ReplyContent::Flow { answer, .. }, Holds::Flow(token, fields, (name, value))) => {
                assert_eq!((answer.token.as_deref(), answer.fields.len()), (token, fields), "{sample}");
                assert!(answer.fields.contains(&(name.to_owned(), value)), "{sample}");
            }
            (ReplyContent::CallPermission(it), Holds::CallsUntil(at)) => {
                assert_eq!((it.is_given(), it.is_permanent), (true, Some(false)));
                assert_eq!(it.expires_at().map(Timestamp::rfc3339).as_deref(), Some(at));
                assert_eq!(it.response_source.as_deref(), Some("user_action"));
            }
            (read, _) => panic!("{sample}: {read:?}"),
        }
    }
}

#[test]
fn every_documented_sample_is_written_as_it_was_read() {
    for sample in SAMPLES.lines() {
        let event: Value = serde_json::from_str(sample).unwrap();
        let written = serde_json::to_value(read(sample)).unwrap();
        // LINE's form has other keys around the same content.
        match event.get("payload") {
            Some(payload) => assert_eq!(&written, payload),
            None => assert_eq!(written["content"], event["content"]),
        }
        let content = event.get("payload").unwrap_or(&event)["content"].clone();
        assert_eq!(serde_json::from_str::<Value>(raw_content(sample).unwrap().get()).unwrap(), content);
    }
}

#[test]
fn a_line_sample_names_its_recipient_by_the_channels_id() {
    let line: Vec<Inbound<'_>> =
        SAMPLES.lines().map(read).filter(|inbound| inbound.known_channel() == Some(Channel::Line)).collect();
    assert_eq!(line.len(), 6);
    for inbound in line {
        assert_eq!((inbound.msisdn(), inbound.user_id()), (None, Some("Ua12b345678c1de0fg1a1234567891011")));
    }
}

/// Reads a content that the provider's pages do not print.
fn content_of(content: &str) -> String {
    format!(r#"{{"eventType":"inbound_message_received","payload":{{"content":{content}}}}}"#)
}

#[test]
fn a_list_row_has_its_description_and_a_quick_reply_its_payload() {
    let row = r#"{"interactive":{"type":"list_reply","list_reply":{"id":"slot-1","title":"Monday, Oct 9",
        "description":"9:00 AM - 10:00 AM"}}}"#;
    let choice = |content: &str| read(&content_of(content)).reply_content().choice();
    assert_eq!(choice(row).as_deref(), Some("Monday, Oct 9: 9:00 AM - 10:00 AM"));
    assert_eq!(choice(r#"{"text":"Yes","payload":"yes-1"}"#).as_deref(), Some("Yes"));
    assert_eq!(choice(r#"{"payload":"yes-1"}"#).as_deref(), Some("yes-1"));
    assert_eq!(choice(r#"{"interactive":{"list_reply":{"id":"slot-1"}}}"#).as_deref(), Some("slot-1"));
    assert_eq!(choice(r#"{"text":"Yes"}"#), None);
    // An empty text counts as absent, and either spelling is read.
    let button = r#"{"interactive":{"buttonReply":{"id":"b-1","title":""}}}"#;
    assert_eq!(choice(button).as_deref(), Some("b-1"));
    let row = r#"{"interactive":{"listReply":{"id":"slot-1","title":"","description":""}}}"#;
    assert_eq!(choice(row).as_deref(), Some("slot-1"));
    assert_eq!(choice(r#"{"interactive":{"button_reply":{"id":"","title":""}}}"#), None);
    assert_eq!(choice(r#"{"text":"","payload":"yes-1"}"#).as_deref(), Some("yes-1"));
}

#[test]
fn a_form_in_whatsapps_own_form_is_read_and_an_unreadable_one_is_kept() {
    let own = content_of(
        r#"{"interactive":{"type":"nfm_reply","nfm_reply":{"name":"flow","body":"Sent",
            "response_json":"{\"b\":1,\"a\":null,\"b\":2}"}}}"#,
    );
    let inbound = read(&own);
    let ReplyContent::Flow { reply, answer } = inbound.reply_content() else { panic!("{own}") };
    assert_eq!((reply.name.as_deref(), reply.body.as_deref()), (Some("flow"), Some("Sent")));
    assert_eq!(answer.fields, [("b".to_owned(), json!(2)), ("a".to_owned(), Value::Null)]);
    for broken in [r#""{\"a\":""#, r#""[1]""#, "7", "null"] {
        let event =
            content_of(&format!(r#"{{"interactive":{{"type":"nfmReply","nfmReply":{{"responseJson":{broken}}}}}}}"#));
        assert_eq!(read(&event).reply_content(), ReplyContent::Other, "{broken}");
    }
}

#[test]
fn a_form_is_read_up_to_a_thousand_fields_and_its_token_wherever_it_is() {
    let mut form = serde_json::Map::new();
    form.extend((0..1_500).map(|n| (format!("field-{n:04}"), json!(n))));
    let mut form = Value::Object(form).to_string();
    form.insert_str(form.len() - 1, r#","field-0007":"later","flow_token":"t-1""#);
    let event = content_of(&json!({ "interactive": { "nfmReply": { "responseJson": form } } }).to_string());
    let inbound = read(&event);
    let ReplyContent::Flow { answer, .. } = inbound.reply_content() else { panic!("not a form") };
    assert_eq!((answer.fields.len(), answer.token.as_deref()), (1_000, Some("t-1")));
    assert_eq!(answer.fields[7], ("field-0007".to_owned(), json!("later")));
    assert_eq!(answer.fields[999], ("field-0999".to_owned(), json!(999)));
}
