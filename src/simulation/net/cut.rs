//! A cut line, for all lanes of the provider's address at once, and what a server can infer of it from its own
//! requests: rule 9 written a second time.

use crate::base::domain::{Span, Timestamp};
use crate::provider::client::{Broken, RawAnswer};

/// The directions that are cut, and until when.
#[derive(Debug, Clone, Copy)]
pub(in crate::simulation) struct Cut {
    /// From us to the provider.
    pub(in crate::simulation) requests: bool,
    /// The provider's answers to requests that it has processed.
    pub(in crate::simulation) answers: bool,
    /// From the provider to us.
    pub(in crate::simulation) webhooks: bool,
    pub(in crate::simulation) until: Timestamp,
}

/// A failure that is followed by proof within this time from its begin is none.
const DISPROVEN_WITHIN: Span = Span::from_secs(1);

/// A time without proof that the provider can be reached. It lasts from the last proof before a failure to the first
/// proof after it.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    since: Timestamp,
    /// When the request began that failed.
    begun: Timestamp,
    /// When the failure was seen.
    seen: Timestamp,
    until: Option<Timestamp>,
}

/// What one server knows of the way to the provider.
#[derive(Debug)]
pub(super) struct Proof {
    proven: Timestamp,
    doubts: Vec<Doubt>,
}

impl Proof {
    /// Creates the state of a server that has just started and has no proof yet.
    pub(super) fn since(started: Timestamp) -> Self {
        Self { proven: started, doubts: Vec::new() }
    }

    /// Takes the end of a request that was begun at `begun`.
    pub(super) fn take_end(&mut self, begun: Timestamp, answer: &Result<RawAnswer, Broken>, now: Timestamp) {
        let is_open = self.doubts.last().is_some_and(|doubt| doubt.until.is_none());
        match is_of_provider(answer) {
            Some(true) => {
                self.proven = now;
                if let Some(doubt) = self.doubts.last_mut().filter(|_| is_open) {
                    doubt.until = Some(now);
                }
                self.doubts.pop_if(|doubt| is_open && now < doubt.begun + DISPROVEN_WITHIN);
            }
            Some(false) if !is_open && begun >= self.proven => {
                self.doubts.push(Doubt { since: self.proven, begun, seen: now, until: None });
            }
            Some(false) | None => {}
        }
    }

    /// Whether the server knows by `now` that what the provider sent at `sent` may not have arrived.
    pub(super) fn may_have_missed(&self, sent: Timestamp, now: Timestamp) -> bool {
        let concerns = |doubt: &Doubt| doubt.since <= sent && doubt.until.is_none_or(|until| sent <= until);
        self.doubts.iter().any(|doubt| concerns(doubt) && doubt.seen <= now)
    }
}

/// Whether the provider itself has answered; `None` if the answer does not show that.
fn is_of_provider(answer: &Result<RawAnswer, Broken>) -> Option<bool> {
    let RawAnswer { status, body, .. } = match answer {
        Err(Broken::Withdrawn) => return None,
        Err(Broken::NotOffered { .. } | Broken::Sent { .. }) => return Some(false),
        Ok(answer) => answer,
    };
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let is_documented = match status {
        200..=299 => ["umid", "status", "messages", "data"].iter().any(|key| body.get(key).is_some()),
        400.. => body["code"].is_number(),
        _ => false,
    };
    match status {
        400..=499 if !is_documented => None,
        _ => Some(is_documented),
    }
}
