//! Waiting until every running server obeys what a person has decided.

use crate::clock::Clock;
use crate::domain::{Span, Timestamp};
use crate::store::{Result, Store};

/// A node that has not been seen for so long holds nobody up. It is gone, or stands still; one that was only standing
/// still may hand over what it had in its hands for the moment, when it wakes, that it takes to look again.
const NODE_SILENT: Span = Span::from_secs(5);
/// How long one waits, and how often one looks meanwhile.
const WAITS: Span = Span::from_secs(1);
const LOOK: Span = Span::from_millis(10);

/// Who obeys a decision that is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// No server is running; the next one will from its start.
    NobodyThere,
    /// Nor is one seen to run, but the last one has not said that it stopped.
    Silent { since: Timestamp },
    /// Every running server.
    ByAll { after: Span },
    /// A server has not said so within a second.
    NotYet,
}

/// Waits, a second at most, until every running server has noted the decision with the sequence number `seq`.
pub async fn noted(store: &dyn Store, clock: &dyn Clock, seq: u64) -> Result<Noted> {
    let begun = clock.now();
    loop {
        let now = clock.now();
        let nodes = store.nodes(now - NODE_SILENT).await?;
        if nodes.is_empty() {
            let silent = store.nodes(Timestamp::default()).await?;
            let last = silent.into_iter().map(|node| node.seen_at).max();
            return Ok(last.map_or(Noted::NobodyThere, |since| Noted::Silent { since }));
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
    use crate::clock::ManualClock;
    use crate::store::{self, Beat};

    /// Time goes on whenever somebody waits for it.
    async fn time_goes_on(clock: &ManualClock) -> Noted {
        loop {
            if let Some(at) = clock.next_sleeper() {
                clock.advance(at.since(clock.now()));
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn whoever_decides_waits_for_every_server_and_a_second_at_most() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
        let store = store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let (store, clock) = (store.as_ref(), clock.as_ref());
        let waited = async |seq| {
            tokio::select! {
                noted = noted(store, clock, seq) => noted.unwrap(),
                never = time_goes_on(clock) => never,
            }
        };
        assert_eq!(waited(7).await, Noted::NobodyThere);
        let node = store::started(store, clock.now()).await.node;
        let begun = clock.now();
        assert_eq!(waited(7).await, Noted::NotYet);
        assert_eq!(clock.now().since(begun), WAITS);
        store.beat(Beat::of(node, clock.now(), 7)).await.unwrap();
        assert_eq!(waited(7).await, Noted::ByAll { after: Span::ZERO });
        assert_eq!(waited(8).await, Noted::NotYet);
        // One that was killed holds nobody up, nor one that stands still; it is told, since nobody knows which.
        let since = store.nodes(Timestamp::default()).await.unwrap()[0].seen_at;
        clock.advance(NODE_SILENT);
        assert_eq!(waited(8).await, Noted::Silent { since });
        store.stop_node(node, clock.now()).await.unwrap();
        assert_eq!(waited(8).await, Noted::NobodyThere);
    }
}
