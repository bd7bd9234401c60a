//! Every sample request of the provider's documents: read into the wire types, written again, and compared.
//!
//! Each line of `samples/requests.jsonl` names the place: a document and its line, or the name of an example in the
//! provider's public schema or on one of its pages, for contents that the documents describe without a sample. The
//! inputs of the provider's workflow steps, which look alike, are not among them.

use serde_json::Value;

use super::{BatchRequest, NotificationRequest, SendRequest};

const REQUESTS: &str = include_str!("samples/requests.jsonl");

/// The body of the sample at this place.
pub(crate) fn sample(at: &str) -> Value {
    let samples = REQUESTS.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut found = samples.filter(|sample| sample["at"] == at);
    found.next().unwrap_or_else(|| panic!("no sample at {at}"))["body"].take()
}

/// Numbers as text, because the samples mix both.
pub(crate) fn normalised(json: Value) -> Value {
    match json {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Array(values) => values.into_iter().map(normalised).collect(),
        Value::Object(keys) => keys.into_iter().map(|(key, value)| (key, normalised(value))).collect(),
        other => other,
    }
}

/// A sample after it was read and written.
fn rebuilt(kind: &str, body: &str) -> Value {
    let read = match kind {
        "send" => serde_json::to_value(serde_json::from_str::<SendRequest<'_>>(body).unwrap()),
        "batch" => serde_json::to_value(serde_json::from_str::<BatchRequest<'_>>(body).unwrap()),
        "notification" => serde_json::to_value(serde_json::from_str::<NotificationRequest<'_>>(body).unwrap()),
        other => panic!("unknown kind of sample {other}"),
    };
    read.unwrap()
}

#[test]
fn every_documented_request_is_read_and_written_without_a_loss() {
    let mut kinds = std::collections::BTreeMap::new();
    for line in REQUESTS.lines() {
        let sample: Value = serde_json::from_str(line).unwrap();
        let (at, kind) = (sample["at"].as_str().unwrap(), sample["is"].as_str().unwrap());
        *kinds.entry(kind.to_owned()).or_insert(0) += 1;
        let body = &sample["body"];
        let rebuilt = rebuilt(kind, &body.to_string());
        assert_eq!(normalised(rebuilt), normalised(body.clone()), "{at}");
    }
    assert_eq!(kinds, [("batch".into(), 1), ("notification".into(), 1), ("send".into(), 68)].into());
}

/// No text of a recipient gets into a log by accident.
#[test]
fn a_request_prints_without_the_texts_of_its_recipient() {
    for line in REQUESTS.lines() {
        let sample: Value = serde_json::from_str(line).unwrap();
        let body = sample["body"].to_string();
        let printed = match sample["is"].as_str().unwrap() {
            "send" => format!("{:#?}", serde_json::from_str::<SendRequest<'_>>(&body).unwrap()),
            "batch" => format!("{:#?}", serde_json::from_str::<BatchRequest<'_>>(&body).unwrap()),
            _ => format!("{:#?}", serde_json::from_str::<NotificationRequest<'_>>(&body).unwrap()),
        };
        for text in ["msisdn", "lineUserId"].map(|key| sample["body"]["user"][key].as_str().unwrap_or("–")) {
            assert!(!printed.contains(text), "{}: {printed}", sample["at"]);
        }
    }
}
