//! Errors of the provider's API: their body, HTTP status, code and words.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::codes::words;
use super::loose;
use super::text::Text;
use crate::base::domain::{Span, Timestamp};

/// The body of every answer with a status of 400 or more.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ErrorBody<'a> {
    #[serde(deserialize_with = "loose::number")]
    pub code: Option<i64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub message: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub error_id: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Text<'a>>,
}

impl ErrorBody<'_> {
    /// How long a throttled request should wait, from "Quota exceeded. Please try again in 1 second(s).". The provider
    /// documents `Retry-After` only for SMS, and writes a sentence elsewhere.
    pub fn retry_after(&self) -> Option<Span> {
        let message = self.message.as_deref()?;
        let unit = message.find("second")?;
        let digits = message[..unit].trim_end();
        let start = digits.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        digits[start..].parse().ok().map(Span::from_secs)
    }
}

/// An error that a server of the API answers a request with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorAnswer<'a> {
    /// A message or a batch is refused with this code.
    Refused(i64),
    /// A part of the request is invalid; the text says which, and why.
    Invalid(Cow<'a, str>),
    /// No file is in an upload.
    MissingFile,
    /// No token is in the address of a file.
    MissingToken,
    Unauthenticated,
    Forbidden,
    NotFound,
    /// The API has no such path, or no such method on it.
    UnknownAddress,
    /// No message has the umid of a query.
    UnknownMessage,
    /// A template of this name was removed lately.
    LockedTemplateName {
        language: &'a str,
    },
    FileTooLarge,
    FileFormat,
    Throttled {
        seconds: u32,
    },
    Internal,
}

impl ErrorAnswer<'_> {
    /// The error about a body that is not the JSON of its request.
    pub fn unreadable(error: &serde_json::Error) -> Self {
        Self::Invalid(error.to_string().into())
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Refused(_) | Self::Invalid(_) | Self::MissingFile | Self::MissingToken => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound | Self::UnknownAddress | Self::UnknownMessage => 404,
            Self::LockedTemplateName { .. } => 409,
            Self::FileTooLarge => 413,
            Self::FileFormat => 415,
            Self::Throttled { .. } => 429,
            Self::Internal => 500,
        }
    }

    pub const fn code(&self) -> i64 {
        match self {
            Self::Refused(code) => *code,
            Self::Unauthenticated => 1_200,
            Self::Forbidden => 1_201,
            Self::NotFound | Self::UnknownAddress => 1_300,
            Self::UnknownMessage => 4_018,
            Self::LockedTemplateName { .. } => 3_060,
            Self::Throttled { .. } => 429,
            Self::Internal => 2_000,
            // The list of codes has none for files.
            Self::Invalid(_) | Self::MissingFile | Self::MissingToken | Self::FileTooLarge | Self::FileFormat => 1_000,
        }
    }

    pub fn message(&self) -> Cow<'static, str> {
        match self {
            Self::Invalid(what) => format!("Invalid parameter: {what}").into(),
            Self::MissingFile => "Malformed request or missing file".into(),
            Self::MissingToken => "Malformed request".into(),
            Self::UnknownAddress => "Unknown address".into(),
            Self::LockedTemplateName { language } => words::of_locked_name(language).into(),
            Self::FileTooLarge => "File exceeds maximum size limit".into(),
            Self::FileFormat => "File format not supported".into(),
            Self::Throttled { seconds } => {
                format!("Quota exceeded. Please try again in {} second(s).", (*seconds).max(1)).into()
            }
            Self::Refused(_)
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::NotFound
            | Self::UnknownMessage
            | Self::Internal => words::of_answer(self.code()).into(),
        }
    }

    /// The seconds of the header `Retry-After`, if the answer has one.
    pub const fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Throttled { seconds } if *seconds > 0 => Some(*seconds),
            _ => None,
        }
    }

    pub fn body(&self, error_id: Uuid, at: Timestamp) -> ErrorBody<'static> {
        ErrorBody {
            code: Some(self.code()),
            message: Some(match self.message() {
                Cow::Borrowed(words) => words.into(),
                Cow::Owned(words) => words.into(),
            }),
            error_id: Some(error_id.to_string().into()),
            timestamp: Some(at.rfc3339().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn whole(error: &ErrorAnswer<'_>) -> (u16, serde_json::Value) {
        let id = Uuid::from_u128(0xc8a4_1b47_57bf_4a11_8273_0015_5d46_6a31);
        let body = error.body(id, Timestamp::from_millis(1_594_019_220_300));
        (error.status(), serde_json::to_value(body).unwrap())
    }

    /// The statuses, codes and words are those of the documents, where they show them.
    #[test]
    fn each_error_has_its_documented_status_code_and_words() {
        for (error, status, code, message) in [
            (ErrorAnswer::Refused(3_020), 400, 3_020, "Invalid DR Callback URL"),
            (ErrorAnswer::Invalid("url".into()), 400, 1_000, "Invalid parameter: url"),
            (ErrorAnswer::MissingFile, 400, 1_000, "Malformed request or missing file"),
            (ErrorAnswer::Unauthenticated, 401, 1_200, "Request was not authenticated properly"),
            (ErrorAnswer::Forbidden, 403, 1_201, "Access forbidden"),
            (ErrorAnswer::NotFound, 404, 1_300, "Object wasn't found or is already expired"),
            (ErrorAnswer::UnknownMessage, 404, 4_018, "Invalid jobId"),
            (
                ErrorAnswer::LockedTemplateName { language: "English" },
                409,
                3_060,
                "New English content can't be added while the existing English content is being deleted. Try again in 4 \
                 weeks or consider creating a new message template.",
            ),
            (ErrorAnswer::FileTooLarge, 413, 1_000, "File exceeds maximum size limit"),
            (ErrorAnswer::FileFormat, 415, 1_000, "File format not supported"),
            (ErrorAnswer::Throttled { seconds: 1 }, 429, 429, "Quota exceeded. Please try again in 1 second(s)."),
            (ErrorAnswer::Internal, 500, 2_000, "Internal server error"),
        ] {
            let wanted = json!({ "code": code, "message": message, "errorId": "c8a41b47-57bf-4a11-8273-00155d466a31",
                "timestamp": "2020-07-06T07:07:00.300Z" });
            assert_eq!(whole(&error), (status, wanted));
        }
    }

    #[test]
    fn a_throttled_request_is_told_how_long_to_wait_in_words_and_in_a_header() {
        for (seconds, words, header) in [(0, 1, None), (1, 1, Some(1)), (12, 12, Some(12))] {
            let error = ErrorAnswer::Throttled { seconds };
            let body = error.body(Uuid::nil(), Timestamp::default());
            assert_eq!((body.retry_after(), error.retry_after()), (Some(Span::from_secs(words)), header), "{seconds}");
        }
    }

    #[test]
    fn the_wait_of_a_throttled_request_is_read_from_its_message() {
        let body = r#"{"code":429,"message":"Quota exceeded. Please try again in 12 second(s).",
            "errorId":"c8a41b47-57bf-ea11-8273-00155d466a31","timestamp":"2020-07-06T07:07:00.30Z"}"#;
        let error: ErrorBody<'_> = serde_json::from_str(body).unwrap();
        assert_eq!(error.retry_after(), Some(Span::from_secs(12)));
        for silent in [r#"{"code":429}"#, r#"{"message":"seconds"}"#, r#"{"message":"Quota exceeded."}"#] {
            assert_eq!(serde_json::from_str::<ErrorBody<'_>>(silent).unwrap().retry_after(), None, "{silent}");
        }
    }

    #[test]
    fn messages_of_a_gateway_may_contain_any_characters() {
        for (words, seconds) in [
            ("Try again in\u{a0}30 seconds", Some(30)),
            ("Try again in \u{201c}30\u{201d} seconds", None),
            ("Unavailable \u{2014} second attempt refused", None),
            ("\u{ff13}\u{ff10} seconds", None),
            ("99999999999999999999 seconds", None),
        ] {
            let error = ErrorBody { message: Some(words.into()), ..ErrorBody::default() };
            assert_eq!(error.retry_after(), seconds.map(Span::from_secs), "{words}");
        }
    }
}
