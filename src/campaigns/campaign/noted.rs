//! Waits until every running server obeys an operator's decision.

use crate::base::clock::{Clock, format_time};
use crate::base::domain::text::span;
use crate::base::domain::{Span, Timestamp};
use crate::store::{Nodes, Result};

/// A server without a sign of life for this long is not waited for. It is gone or suspended. A suspended server may
/// briefly submit claimed messages when it resumes, until its next look at the decisions.
pub const NODE_SILENT: Span = Span::from_secs(5);
/// The longest wait.
const WAITS: Span = Span::from_secs(1);
/// The time between two looks.
const LOOK: Span = Span::from_millis(10);

/// Which servers obey a decision that is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// No server is running; the next one obeys from its start.
    NoServer,
    /// No running server has been seen since `since`, but the last one did not report that it stopped.
    Silent { since: Timestamp },
    /// Every running server obeys.
    ByAll { after: Span },
    /// A server did not confirm within a second.
    NotYet,
}

impl Noted {
    /// Whether every running server has confirmed the decision; `None` if none is running.
    pub const fn by_all(self) -> Option<bool> {
        match self {
            Self::NoServer | Self::Silent { .. } => None,
            Self::ByAll { .. } => Some(true),
            Self::NotYet => Some(false),
        }
    }

    /// The same in brackets, after a sentence. A command that changed nothing says only what still delays earlier
    /// decisions.
    pub fn bracket(self, has_changed: bool) -> String {
        match self {
            Self::ByAll { .. } if !has_changed => String::new(),
            _ => format!(" ({})", self.sentence()),
        }
    }

    /// Says in a few words whether the decision is in effect.
    pub fn sentence(self) -> String {
        match self {
            Self::NoServer => "no server is running".to_owned(),
            Self::Silent { since } => format!(
                "no server has been seen since {}; if one is only suspended, it may send briefly when it resumes",
                format_time(since, None)
            ),
            Self::ByAll { after: Span::ZERO } => "in effect at once".to_owned(),
            Self::ByAll { after } => format!("in effect after {}", span(after)),
            Self::NotYet => "saved, but not confirmed by a server within 1 s".to_owned(),
        }
    }
}

/// Waits, at most one second, until every running server has noted the decision with the sequence number `seq`.
pub async fn noted(store: &dyn Nodes, clock: &dyn Clock, seq: u64) -> Result<Noted> {
    let begun = clock.now();
    loop {
        let now = clock.now();
        let nodes = store.nodes(now - NODE_SILENT).await?;
        if nodes.is_empty() {
            let silent = store.nodes(Timestamp::default()).await?;
            let last = silent.into_iter().map(|node| node.seen_at).max();
            return Ok(last.map_or(Noted::NoServer, |since| Noted::Silent { since }));
        }
        if nodes.iter().all(|node| node.noted >= seq) {
            return Ok(Noted::ByAll { after: now.since(begun) });
        }
        if now.since(begun) >= WAITS {
            return Ok(Noted::NotYet);
        }
        clock.sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::clock::ManualClock;
    use crate::store::{self, Beat};

    /// Advances the clock whenever a task sleeps.
    async fn advance_on_sleep(clock: &ManualClock) -> Noted {
        loop {
            if let Some(at) = clock.next_sleeper() {
                clock.advance(at.since(clock.now()));
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_decision_waits_for_every_server_at_most_a_second() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
        let store = store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let (store, clock) = (store.as_ref(), clock.as_ref());
        let waited = async |seq| {
            tokio::select! {
                noted = noted(store, clock, seq) => noted.unwrap(),
                never = advance_on_sleep(clock) => never,
            }
        };
        assert_eq!(waited(7).await, Noted::NoServer);
        let node = store::started(store, clock.now()).await.node;
        let begun = clock.now();
        assert_eq!(waited(7).await, Noted::NotYet);
        assert_eq!(clock.now().since(begun), WAITS);
        store.beat(Beat::of(node, clock.now(), 7)).await.unwrap();
        assert_eq!(waited(7).await, Noted::ByAll { after: Span::ZERO });
        assert_eq!(waited(8).await, Noted::NotYet);
        // A killed or suspended server is not waited for. It is reported, because the two cannot be told apart.
        let since = store.nodes(Timestamp::default()).await.unwrap()[0].seen_at;
        clock.advance(NODE_SILENT);
        assert_eq!(waited(8).await, Noted::Silent { since });
        store.stop_node(node, clock.now()).await.unwrap();
        assert_eq!(waited(8).await, Noted::NoServer);
    }
}
