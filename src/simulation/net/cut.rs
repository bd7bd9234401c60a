//! A line that is cut, for all lanes of the provider's address at once; and what a server can know of that by what its own
//! requests have come to: rule 9 a second time.

use crate::domain::Timestamp;
use crate::provider::{Broken, RawAnswer};

/// What does not get through, and until when.
#[derive(Debug, Clone, Copy)]
pub(in crate::simulation) struct Cut {
    /// From us to the provider.
    pub(in crate::simulation) requests: bool,
    /// What the provider answers to them: it has carried them out.
    pub(in crate::simulation) answers: bool,
    /// From the provider to us.
    pub(in crate::simulation) webhooks: bool,
    pub(in crate::simulation) until: Timestamp,
}

/// A time in which no request has proven that the provider can be reached: from the last proof before a failure to the
/// first one after it.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    since: Timestamp,
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
    /// Of a server that starts, and has proven nothing yet.
    pub(super) fn since(started: Timestamp) -> Self {
        Self { proven: started, doubts: Vec::new() }
    }

    /// A request that was begun then has ended.
    pub(super) fn ended(&mut self, begun: Timestamp, answer: &Result<RawAnswer, Broken>, now: Timestamp) {
        let is_open = self.doubts.last().is_some_and(|doubt| doubt.until.is_none());
        match is_of_provider(answer) {
            Some(true) => {
                self.proven = now;
                if let Some(doubt) = self.doubts.last_mut().filter(|_| is_open) {
                    doubt.until = Some(now);
                }
            }
            Some(false) if !is_open && begun >= self.proven => {
                self.doubts.push(Doubt { since: self.proven, seen: now, until: None });
            }
            Some(false) | None => {}
        }
    }

    /// Whether the server knows by `now` that what the provider said at `said` may not have got through.
    pub(super) fn was_missing(&self, said: Timestamp, now: Timestamp) -> bool {
        let concerns = |doubt: &Doubt| doubt.since <= said && doubt.until.is_none_or(|until| said <= until);
        self.doubts.iter().any(|doubt| concerns(doubt) && doubt.seen <= now)
    }
}

/// Whether the provider itself has answered; nothing where the answer does not tell.
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
