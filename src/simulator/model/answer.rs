//! The result of a call, including the ways in which a connection can fail.

use serde::Serialize;

use super::{Model, words};
use crate::domain::{Span, Timestamp};
use crate::wire::{Cancelled, ErrorBody, Text};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelayedReply {
    /// The delay of the answer.
    pub after: Span,
    pub reply: Reply,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Response {
        status: u16,
        /// Seconds, for the header `Retry-After`.
        retry_after: Option<u32>,
        /// JSON.
        body: String,
    },
    /// The connection closes; nothing was processed.
    CutBeforeReading,
    /// The connection closes; everything was processed.
    CutAfterReading,
}

impl From<Reply> for DelayedReply {
    fn from(reply: Reply) -> Self {
        Self { after: Span::ZERO, reply }
    }
}

impl Reply {
    pub(super) fn ok(body: &impl Serialize) -> Self {
        // Plain structs and texts cannot fail to serialize.
        let body = serde_json::to_string(body).unwrap_or_default();
        Self::Response { status: 200, retry_after: None, body }
    }

    pub(super) fn cancelled(count: usize) -> Self {
        Self::ok(&Cancelled { cancelled_count: i64::try_from(count).ok() })
    }
}

impl Model {
    pub(super) fn error(&self, status: u16, code: i64, message: &str, now: Timestamp) -> Reply {
        let body = ErrorBody {
            code: Some(code),
            message: Some(Text::from(message)),
            error_id: Some(self.random_id().into()),
            timestamp: Some(now.rfc3339().into()),
        };
        match Reply::ok(&body) {
            Reply::Response { body, .. } => Reply::Response { status, retry_after: None, body },
            other => other,
        }
    }

    /// An error in the provider's words.
    pub(super) fn refused(&self, status: u16, code: i64, now: Timestamp) -> Reply {
        self.error(status, code, words::of_answer(code), now)
    }

    pub(super) fn not_found(&self, message: &str, now: Timestamp) -> Reply {
        self.error(404, 1_300, message, now)
    }

    pub(super) fn unreadable(&self, error: &serde_json::Error, now: Timestamp) -> Reply {
        self.error(400, 1_000, &format!("Invalid parameter: {error}"), now)
    }

    pub(super) fn throttled(&mut self, seconds: u32, now: Timestamp) -> Reply {
        self.seen.throttled += 1;
        let message = format!("Quota exceeded. Please try again in {} second(s).", seconds.max(1));
        match self.error(429, 429, &message, now) {
            Reply::Response { status, body, .. } => {
                Reply::Response { status, retry_after: (seconds > 0).then_some(seconds), body }
            }
            other => other,
        }
    }

    pub(super) fn random_id(&self) -> String {
        let bits = (u128::from(self.chance.bits()) << 64) | u128::from(self.chance.bits());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().to_string()
    }
}
