//! What the provider says about a lane's key, subaccount, account and channel, asked with requests that change nothing.

use std::fmt;

use bytes::Bytes;
use http::Method;

use super::answer::{cleaned, requested_wait};
use super::http_client::{Broken, Call, Http, RawAnswer, Transport};
use super::reach::NO_MESSAGE;
use crate::base::domain::{Span, Umid};
use crate::rules::wire::ErrorBody;

/// The provider's answer to a harmless question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// The key is accepted, and what was asked about belongs to it.
    Granted,
    /// The key is wrong, revoked, or of another region (401, or code 1200).
    KeyRefused { said: String },
    /// The key is valid, but not for this (403, or code 1201).
    NotAllowed { said: String },
    /// The subaccount belongs to another account or region (code 1001).
    ForeignSubAccount { said: String },
    /// What was asked about does not exist, or belongs to another key (404, or code 1300 or 4018).
    NotFound { said: String },
    /// The provider refuses the question itself: it takes nothing of it for valid.
    Refused { said: String },
    /// The provider is asked too often at this time (429), and may say for how long.
    Busy { retry_after: Option<Span> },
    /// Another host answered, such as a gateway or a login page.
    NotTheProvider { said: String },
    /// The provider has a problem of its own, or gave no answer.
    Unavailable { said: String },
}

/// "Provided subAccountId doesn't belong to your account".
const FOREIGN: i64 = 1_001;
/// "Object wasn't found", and the code of its sample of an unknown message.
const NOT_FOUND: [i64; 2] = [1_300, 4_018];
const UNAUTHENTICATED: i64 = 1_200;
const UNAUTHORIZED: i64 = 1_201;

/// How often a question is put, where the provider is asked too often at this time.
const TRIES: u32 = 3;

/// The wait before a question is put again, where the provider does not name another.
const WAIT: Span = Span::from_secs(1);

/// The longest that is waited for: somebody is waiting for the answer.
const LONGEST_WAIT: Span = Span::from_secs(5);

impl Http {
    /// Asks about a message that does not exist: only for a valid key and its own subaccount is the message not found.
    pub async fn access_to_messages(&self) -> Access {
        match patiently(|| self.details_of_none()).await {
            Access::NotFound { .. } => Access::Granted,
            other => other,
        }
    }

    /// Asks for the templates of a channel.
    pub async fn access_to_templates(&self, account: &str, channel: &str) -> Access {
        let path = ["accounts", account, "channels", channel, "templates"];
        let call = || Call { method: Method::GET, path: &path, query: None, body: None };
        patiently(|| self.call(call(), self.timeout())).await
    }

    async fn details_of_none(&self) -> Result<RawAnswer, Broken> {
        self.details(&Umid::new(NO_MESSAGE)).await
    }
}

/// Puts a question again, up to [`TRIES`] times, while the provider is asked too often.
async fn patiently<F: Future<Output = Result<RawAnswer, Broken>>>(question: impl Fn() -> F) -> Access {
    for _ in 1..TRIES {
        match access(question().await) {
            Access::Busy { retry_after } if retry_after.is_none_or(|wait| wait <= LONGEST_WAIT) => {
                tokio::time::sleep(retry_after.unwrap_or(WAIT).std()).await;
            }
            answer => return answer,
        }
    }
    access(question().await)
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Granted => f.write_str("the provider agrees"),
            Self::KeyRefused { said } => write!(f, "the API key is wrong, revoked, or of another region ({said})"),
            Self::NotAllowed { said } => write!(f, "the API key may not do that ({said})"),
            Self::ForeignSubAccount { said } => {
                write!(f, "the subaccount or account does not belong to the API key ({said})")
            }
            Self::NotFound { said } => write!(f, "the provider does not know it ({said})"),
            Self::Refused { said } => write!(f, "the provider refuses it ({said})"),
            Self::Busy { .. } => f.write_str("the provider is asked too often at this time; try again"),
            Self::NotTheProvider { said } => {
                write!(f, "the answer is not the provider's ({said}); check base_url and proxies")
            }
            Self::Unavailable { said } => write!(f, "the provider has a problem, or gave no answer ({said})"),
        }
    }
}

impl std::error::Error for Access {}

/// The body of a success.
pub(super) fn granted(answer: Result<RawAnswer, Broken>) -> Result<Bytes, Access> {
    match answer {
        Ok(answer) if (200..300).contains(&answer.status) => Ok(answer.body),
        other => Err(access(other)),
    }
}

fn access(answer: Result<RawAnswer, Broken>) -> Access {
    let answer = match answer {
        Ok(answer) => answer,
        Err(Broken::NotOffered { why } | Broken::Sent { why }) => return Access::Unavailable { said: cleaned(&why) },
        Err(Broken::Withdrawn) => return Access::Unavailable { said: "the request was not sent".to_owned() },
    };
    let body: Option<ErrorBody<'_>> = serde_json::from_slice(&answer.body).ok();
    let code = body.as_ref().and_then(|body| body.code);
    let said = match (body.as_ref().and_then(|body| body.message.as_deref()), code) {
        (Some(message), Some(code)) if !message.is_empty() => format!("{code}: {}", cleaned(message)),
        (_, Some(code)) => format!("HTTP status {}, code {code}", answer.status),
        (_, None) => format!("HTTP status {}", answer.status),
    };
    match (answer.status, code) {
        // Also an empty list is JSON; a login page is not.
        (200..=299, _) if body.is_some() => Access::Granted,
        (401, _) | (_, Some(UNAUTHENTICATED)) => Access::KeyRefused { said },
        (_, Some(FOREIGN)) => Access::ForeignSubAccount { said },
        (403, Some(_)) | (_, Some(UNAUTHORIZED)) => Access::NotAllowed { said },
        (429, _) => Access::Busy { retry_after: requested_wait(&answer, &body.unwrap_or_default()) },
        (404, Some(_)) => Access::NotFound { said },
        (400..=499, Some(code)) if NOT_FOUND.contains(&code) => Access::NotFound { said },
        (400..=499, Some(_)) => Access::Refused { said },
        (500.., Some(_)) => Access::Unavailable { said },
        _ => Access::NotTheProvider { said },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, body: &'static str) -> &'static str {
        match access(Ok(RawAnswer { status, retry_after: None, body: body.as_bytes().into() })) {
            Access::Granted => "granted",
            Access::KeyRefused { .. } => "key refused",
            Access::NotAllowed { .. } => "not allowed",
            Access::ForeignSubAccount { .. } => "foreign subaccount",
            Access::NotFound { .. } => "not found",
            Access::Refused { .. } => "refused",
            Access::Busy { .. } => "busy",
            Access::NotTheProvider { .. } => "not the provider",
            Access::Unavailable { .. } => "unavailable",
        }
    }

    #[test]
    fn each_answer_says_what_is_wrong() {
        for (status, body, expected) in [
            (200, r#"{"data":[]}"#, "granted"),
            (200, r#"{"templates":[]}"#, "granted"),
            (200, "<html>", "not the provider"),
            (302, "", "not the provider"),
            (
                400,
                r#"{"code":1001,"message":"Provided subAccountId doesn't belongs to your account"}"#,
                "foreign subaccount",
            ),
            (404, r#"{"code":1001}"#, "foreign subaccount"),
            (401, r#"{"code":1200,"message":"Request was not authenticated properly"}"#, "key refused"),
            (401, r#"{"code":1001,"message":"Provided subAccountId doesn't belongs to your account"}"#, "key refused"),
            (401, "", "key refused"),
            (403, r#"{"code":1201}"#, "not allowed"),
            (403, "<html>blocked</html>", "not the provider"),
            (407, "", "not the provider"),
            (404, r#"{"code":4018,"message":"Invalid jobId"}"#, "not found"),
            (404, r#"{"code":1300}"#, "not found"),
            (400, r#"{"code":1300}"#, "not found"),
            (400, r#"{"code":1000,"message":"Invalid parameter"}"#, "refused"),
            (410, r#"{"code":1000}"#, "refused"),
            (404, "<html>", "not the provider"),
            (429, r#"{"code":429,"message":"Quota exceeded. Please try again in 1 second(s)."}"#, "busy"),
            (500, r#"{"code":2000}"#, "unavailable"),
            (502, "<html>", "not the provider"),
        ] {
            assert_eq!(class(status, body), expected, "{status} {body}");
        }
        let broken = access(Err(Broken::Sent { why: "no answer within 10s".to_owned() }));
        assert_eq!(broken, Access::Unavailable { said: "no answer within 10s".to_owned() });
    }

    #[test]
    fn the_providers_words_are_kept_without_phone_numbers() {
        let body = r#"{"code":1200,"message":"Wrong key for +6591234567"}"#;
        let answer = Ok(RawAnswer { status: 401, retry_after: None, body: body.as_bytes().into() });
        assert_eq!(access(answer), Access::KeyRefused { said: "1200: Wrong key for +***67".to_owned() });
    }
}
