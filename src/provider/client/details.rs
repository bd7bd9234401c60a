//! Reads the provider's answers to queries about a message.

use bytes::Bytes;

use super::answer::{cleaned, requested_wait};
use super::http_client::{Broken, RawAnswer};
use crate::base::domain::Span;
use crate::rules::wire::{Details, ErrorBody};

/// The answer to a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DetailsAnswer {
    /// The details as the provider wrote them: [`Details`] with at least one record.
    Records(Bytes),
    /// The provider does not know the message, not yet or no longer.
    NotKnown,
    /// Throttled: the provider answers one query a second.
    Throttled { retry_after: Option<Span> },
    /// The provider refuses to answer us.
    Refused { detail: String },
    /// No answer, or one that cannot be read.
    Unavailable { detail: String },
}

/// "Provided subAccountId doesn't belong to your account": answered with 400 and 404 alike.
const NOT_OURS: i64 = 1_001;

/// Reads the answer to a query about one message.
pub fn details_answer(answer: Result<RawAnswer, Broken>) -> DetailsAnswer {
    let answer = match answer {
        Ok(answer) => answer,
        Err(Broken::NotOffered { why } | Broken::Sent { why }) => {
            return DetailsAnswer::Unavailable { detail: cleaned(&why) };
        }
        // Queries have no gate.
        Err(Broken::Withdrawn) => return DetailsAnswer::Unavailable { detail: "the request was not sent".to_owned() },
    };
    if (200..300).contains(&answer.status) {
        let knows = serde_json::from_slice::<Details<'_>>(&answer.body).map(|details| !details.data.is_empty());
        return match knows {
            Ok(true) => DetailsAnswer::Records(answer.body),
            Ok(false) => DetailsAnswer::NotKnown,
            Err(_) => DetailsAnswer::Unavailable { detail: "the provider's answer cannot be read".to_owned() },
        };
    }
    let body: ErrorBody<'_> = serde_json::from_slice(&answer.body).unwrap_or_default();
    let detail = || match body.message.as_deref().filter(|message| !message.is_empty()) {
        Some(message) => format!("HTTP status {}: {}", answer.status, cleaned(message)),
        None => format!("HTTP status {}", answer.status),
    };
    match (answer.status, body.code) {
        (401 | 403, _) | (_, Some(NOT_OURS)) => DetailsAnswer::Refused { detail: detail() },
        (429, _) => DetailsAnswer::Throttled { retry_after: requested_wait(&answer, &body) },
        // An answer without a code does not prove anything about the message: another host may have answered.
        (400 | 404 | 410, Some(_)) => DetailsAnswer::NotKnown,
        _ => DetailsAnswer::Unavailable { detail: detail() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, body: &'static str) -> &'static str {
        match details_answer(Ok(RawAnswer { status, retry_after: None, body: Bytes::from_static(body.as_bytes()) })) {
            DetailsAnswer::Records(_) => "records",
            DetailsAnswer::NotKnown => "not known",
            DetailsAnswer::Throttled { retry_after: Some(_) } => "throttled for a time",
            DetailsAnswer::Throttled { retry_after: None } => "throttled",
            DetailsAnswer::Refused { .. } => "refused",
            DetailsAnswer::Unavailable { .. } => "unavailable",
        }
    }

    #[test]
    fn each_answer_to_a_query_has_its_class() {
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
        assert_eq!(
            details_answer(Err(broken)),
            DetailsAnswer::Unavailable { detail: "timed out for +***67".to_owned() }
        );
    }
}
