//! Every sample request of the provider's documents: read into the wire types, written again, and compared.
//!
//! Each line of `samples/requests.jsonl` names the place: a document and its line, or the name of an example in the
//! provider's public schema or on one of its pages, for contents that the documents describe without a sample. The
//! inputs of the provider's workflow steps, which look alike, are not among them.

use serde_json::Value;

use super::{BatchRequest, NotificationRequest, SendRequest};

const REQUESTS: &str = include_str!("samples/requests.jsonl");

/// A sample request.
pub(crate) struct Sample {
    pub(crate) at: String,
    /// `send`, `batch` or `notification`.
    pub(crate) is: String,
    pub(crate) body: Value,
}

pub(crate) fn samples() -> impl Iterator<Item = Sample> {
    REQUESTS.lines().map(|line| {
        let mut sample: Value = serde_json::from_str(line).unwrap();
        let [at, is] = ["at", "is"].map(|key| sample[key].as_str().unwrap().to_owned());
        Sample { at, is, body: sample["body"].take() }
    })
}

/// The body of the sample at this place.
pub(crate) fn sample(at: &str) -> Value {
    samples().find(|sample| sample.at == at).unwrap_or_else(|| panic!("no sample at {at}")).body
}

/// Fills in the placeholders of a sample. Its numbers are placeholders too.
pub(crate) fn filled(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with('<') => Value::from("promo"),
        Value::String(text) if text == "{{language_code}}" => Value::from("en"),
        Value::String(text) if text.starts_with("{{") => Value::from("promo"),
        Value::Array(values) => values.iter().map(filled).collect(),
        Value::Object(parts) => {
            let part = |(key, value): (&String, &Value)| {
                (key.clone(), if key == "msisdn" { Value::from("+6591234567") } else { filled(value) })
            };
            Value::Object(parts.iter().map(part).collect())
        }
        other => other.clone(),
    }
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
    for Sample { at, is, body } in samples() {
        let rebuilt = rebuilt(&is, &body.to_string());
        *kinds.entry(is).or_insert(0) += 1;
        assert_eq!(normalised(rebuilt), normalised(body), "{at}");
    }
    assert_eq!(kinds, [("batch".into(), 1), ("notification".into(), 1), ("send".into(), 68)].into());
}

/// No text of a recipient gets into a log by accident.
#[test]
fn a_request_prints_without_the_texts_of_its_recipient() {
    for Sample { at, is, body: sample } in samples() {
        let body = sample.to_string();
        let printed = match is.as_str() {
            "send" => format!("{:#?}", serde_json::from_str::<SendRequest<'_>>(&body).unwrap()),
            "batch" => format!("{:#?}", serde_json::from_str::<BatchRequest<'_>>(&body).unwrap()),
            _ => format!("{:#?}", serde_json::from_str::<NotificationRequest<'_>>(&body).unwrap()),
        };
        for text in ["msisdn", "lineUserId"].map(|key| sample["user"][key].as_str().unwrap_or("–")) {
            assert!(!printed.contains(text), "{at}: {printed}");
        }
    }
}
