//! The result of a call, including the ways in which a connection can fail.

use serde::Serialize;
use uuid::Uuid;

use super::Model;
use crate::base::domain::{Span, Timestamp};
use crate::rules::wire::{Cancelled, ErrorAnswer};

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
    pub(super) fn error(&self, error: &ErrorAnswer<'_>, now: Timestamp) -> Reply {
        // Plain structs and texts cannot fail to serialize.
        let body = serde_json::to_string(&error.body(self.random_id(), now)).unwrap_or_default();
        Reply::Response { status: error.status(), retry_after: error.retry_after(), body }
    }

    pub(super) fn throttled(&mut self, seconds: u32, now: Timestamp) -> Reply {
        self.seen.throttled += 1;
        self.error(&ErrorAnswer::Throttled { seconds }, now)
    }

    pub(super) fn random_id(&self) -> Uuid {
        let bits = (u128::from(self.ids.bits()) << 64) | u128::from(self.ids.bits());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }
}
