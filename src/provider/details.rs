//! What the provider answers when it is asked about a message.

use bytes::Bytes;

use super::answer::{heard, rest};
use super::client::{Broken, RawAnswer};
use crate::domain::Span;
use crate::wire::{Details, ErrorBody};

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// What it knows, as it wrote it: [`Details`] with one record at least.
    Records(Bytes),
    /// It knows of no such message, yet or any more.
    NotKnown,
    /// Not now: it answers one question a second.
    Throttled { retry_after: Option<Span> },
    /// Not to us.
    Refused { detail: String },
    /// Nobody answered, or nothing that can be read.
    Unavailable { detail: String },
}

/// "Provided subAccountId doesn't belong to your account": said with 400 and 404 alike.
const NOT_OURS: i64 = 1_001;

/// Reads the answer to a question about one message.
pub fn told(answer: Result<RawAnswer, Broken>) -> Told {
    let answer = match answer {
        Ok(answer) => answer,
        Err(Broken::NotOffered { why } | Broken::Sent { why }) => return Told::Unavailable { detail: heard(&why) },
        // Questions have no gate.
        Err(Broken::Withdrawn) => return Told::Unavailable { detail: "it was not asked".to_owned() },
    };
    if (200..300).contains(&answer.status) {
        let knows = serde_json::from_slice::<Details<'_>>(&answer.body).map(|details| !details.data.is_empty());
        return match knows {
            Ok(true) => Told::Records(answer.body),
            Ok(false) => Told::NotKnown,
            Err(_) => Told::Unavailable { detail: "the provider's answer cannot be read".to_owned() },
        };
    }
    let body: ErrorBody<'_> = serde_json::from_slice(&answer.body).unwrap_or_default();
    let detail = || match body.message.as_deref().filter(|message| !message.is_empty()) {
        Some(message) => format!("HTTP status {}: {}", answer.status, heard(message)),
        None => format!("HTTP status {}", answer.status),
    };
    match (answer.status, body.code) {
        (401 | 403, _) | (_, Some(NOT_OURS)) => Told::Refused { detail: detail() },
        (429, _) => Told::Throttled { retry_after: rest(&answer, &body) },
        // Without a code it is nothing that the provider says about a message: somebody else may have answered.
        (400 | 404 | 410, Some(_)) => Told::NotKnown,
        _ => Told::Unavailable { detail: detail() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, body: &'static str) -> &'static str {
        match told(Ok(RawAnswer { status, retry_after: None, body: Bytes::from_static(body.as_bytes()) })) {
            Told::Records(_) => "records",
            Told::NotKnown => "not known",
            Told::Throttled { retry_after: Some(_) } => "throttled for a time",
            Told::Throttled { retry_after: None } => "throttled",
            Told::Refused { .. } => "refused",
            Told::Unavailable { .. } => "unavailable",
        }
    }

    #[test]
    fn each_answer_to_a_question_falls_into_its_class() {
        for (status, body, expected) in [
            (200, r#"{"data":[{"umid":"u","channel":"SMS","status":{"state":"sent"}}]}"#, "records"),
            (200, r#"{"data":[]}"#, "not known"),
            (200, r#"{"data":null}"#, "not known"),
            (200, "<html>", "unavailable"),
            (400, r#"{"code":1000,"message":"Invalid umid."}"#, "not known"),
            (400, r#"{"code":1001,"message":"Provided subAccountId doesn't belongs to your account"}"#, "refused"),
            (401, r#"{"code":1200}"#, "refused"),
            (403, "", "refused"),
            (404, r#"{"code":4018,"message":"Invalid jobId"}"#, "not known"),
            (404, r#"{"code":1001}"#, "refused"),
            (404, "<html>", "unavailable"),
            (
                429,
                r#"{"code":429,"message":"Quota exceeded. Please try again in 1 second(s)."}"#,
                "throttled for a time",
            ),
            (429, "", "throttled"),
            (500, r#"{"code":2000}"#, "unavailable"),
            (503, "", "unavailable"),
        ] {
            assert_eq!(class(status, body), expected, "{status} {body}");
        }
        let broken = Broken::Sent { why: "timed out for +6591234567".to_owned() };
        assert_eq!(told(Err(broken)), Told::Unavailable { detail: "timed out for +***67".to_owned() });
    }
}
