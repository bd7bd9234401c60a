//! What callers are told of a message that was never submitted.

use super::codes::words;
use crate::base::domain::{Outcome, SkipReason};

/// "Message expired (not delivered at the requested time)".
const EXPIRED: i64 = 36;
/// "Re-engagement message (outside 24-hour window)".
const OUTSIDE_WINDOW: i64 = 1_022;
/// The provider rejects recipients on its blacklist with this code.
const INVALID_DESTINATION: i64 = 15;

/// The code of a receipt, and words, for a message that ended so without a submission; `None` if it cannot have.
pub fn unsent(outcome: Outcome, skipped: Option<SkipReason>) -> Option<(Option<i64>, Option<&'static str>)> {
    let (code, words) = match (outcome, skipped) {
        (Outcome::Expired, _) => (Some(EXPIRED), "the message expired before it was sent"),
        (Outcome::Cancelled, _) => (None, "the message was cancelled before it was sent"),
        (Outcome::Skipped, Some(SkipReason::OptedOut)) => (Some(INVALID_DESTINATION), "the recipient has opted out"),
        (Outcome::Skipped, Some(SkipReason::OutsideWindow)) => {
            (Some(OUTSIDE_WINDOW), words::of_receipt(OUTSIDE_WINDOW))
        }
        (Outcome::Skipped, _) => (None, "the message was not sent"),
        (Outcome::Reached | Outcome::Undelivered | Outcome::Silent | Outcome::Unknown, _) => return None,
    };
    Some((code, Some(words)))
}
