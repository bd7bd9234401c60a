//! What the door closed or refused because of a limit, and the events that say so.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Door;
use crate::base::clock::Clock;
use crate::base::domain::{Causes, ServerLimit, Span, Timestamp};
use crate::base::events::{Event, EventKind, Subject};
use crate::sending::receipts::Verifier;
use crate::store::{Events, RejectionReason, TurnedAway};

/// How often the tallies are read.
const EVERY: Span = Span::from_secs(1);
/// A limit counts as free again after this time without a refusal.
const QUIET: Span = Span::from_secs(60);

/// Whose connections or requests reached a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    /// An address, or the name of a caller.
    pub(super) name: String,
    /// How many it had.
    pub(super) held: u32,
}

/// What was closed or refused because of one limit, since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LimitTally {
    pub(super) count: u64,
    /// The latest holder of which something was closed or refused; none if all together reached the limit.
    pub(super) latest: Option<Holder>,
}

impl LimitTally {
    pub(super) fn count(&mut self, holder: Option<Holder>) {
        self.count += 1;
        self.latest = holder;
    }
}

/// A time in which a limit is reached again and again.
#[derive(Debug, Clone, Copy)]
struct Episode {
    /// What was counted before it.
    before: u64,
    latest: Timestamp,
}

/// Reports each limit that is reached: once as it begins, and once it is over.
#[derive(Debug)]
pub(in crate::http::api) struct LimitReports {
    door: Arc<Door>,
    store: Arc<dyn Events>,
    /// Counts for `volley doctor`, with the next beat of the server.
    verifier: Arc<Verifier>,
    seen: [u64; ServerLimit::ALL.len()],
    episodes: [Option<Episode>; ServerLimit::ALL.len()],
}

impl LimitReports {
    pub(in crate::http::api) fn new(door: Arc<Door>, store: Arc<dyn Events>, verifier: Arc<Verifier>) -> Self {
        Self { door, store, verifier, seen: Default::default(), episodes: Default::default() }
    }

    /// Reads the tallies once. Returns the events, which are logged.
    pub(super) fn look(&mut self, now: Timestamp) -> Vec<Event> {
        let limits = ServerLimit::ALL.iter().zip(self.seen.iter_mut().zip(self.episodes.iter_mut()));
        let mut kinds = Vec::new();
        for (limit, (seen, episode)) in limits {
            let (tally, of) = self.door.tally(*limit);
            let new = tally.count - std::mem::replace(seen, tally.count);
            if new > 0 {
                let why = RejectionReason::from(*limit);
                self.verifier.add_counts(&[TurnedAway { why, count: new, since: now, latest: now }]);
                if episode.is_none() {
                    let (holder, held) = tally.latest.map(|holder| (holder.name, holder.held)).unzip();
                    kinds.push(EventKind::ServerFull { limit: *limit, holder, held: held.unwrap_or(of), of });
                }
                let before = episode.map_or(tally.count - new, |episode| episode.before);
                *episode = Some(Episode { before, latest: now });
            } else if let Some(Episode { before, .. }) = episode.take_if(|episode| now.since(episode.latest) >= QUIET) {
                kinds.push(EventKind::ServerFreed { limit: *limit, turned_away: tally.count - before });
            }
        }
        let events = kinds.into_iter().map(|kind| Event::by_server(now, Subject::Server, kind));
        events.inspect(Event::log).collect()
    }

    /// Reads the tallies until the server stops, and records the events.
    pub(in crate::http::api) async fn run(mut self, clock: Arc<dyn Clock>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            for event in self.look(clock.now()) {
                if let Err(error) = self.store.record_event(event).await {
                    tracing::warn!(error = %Causes(&error), "cannot record that a limit of the server is reached");
                }
            }
            tokio::select! {
                () = clock.sleep(EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::api::native::tests::{Bench, caller};

    #[tokio::test]
    async fn a_limit_is_reported_as_it_is_reached_and_once_it_is_free() {
        let bench = Bench::new().await;
        let (door, verifier) = (&bench.shared.door, &bench.shared.verifier);
        let mut reports = LimitReports::new(Arc::clone(door), bench.store.clone(), Arc::clone(verifier));
        let mut kinds = |seconds: i64| {
            let now = bench.clock.now() + Span::from_secs(seconds);
            reports.look(now).into_iter().map(|event| event.kind).collect::<Vec<_>>()
        };
        assert!(kinds(0).is_empty());
        let (ann, limit) = (caller("a", &[]), ServerLimit::EventStreams);
        let held: Vec<_> = std::iter::from_fn(|| door.streams.take(&ann).ok()).collect();
        let share = u32::try_from(held.len()).unwrap();
        let full =
            EventKind::ServerFull { limit, holder: Some("ann".to_owned()), held: share, of: door.streams.most() };
        assert_eq!(kinds(1), [full]);
        door.streams.take(&ann).unwrap_err();
        assert_eq!((kinds(2), kinds(61)), (vec![], vec![]), "each episode is told once");
        assert_eq!(kinds(62), [EventKind::ServerFreed { limit, turned_away: 2 }]);
        let counted = verifier.take_counts();
        assert_eq!((counted.len(), counted[0].why, counted[0].count), (1, RejectionReason::EventStreams, 2));
    }
}
