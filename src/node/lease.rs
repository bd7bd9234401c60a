//! The lease: taken at the start, renewed while the server runs, and watched for a successor.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{NodeParts, Processes, StartError};
use crate::base::clock::Clock;
use crate::base::config::Database;
use crate::base::domain::{Causes, FaultReport, Span, Timestamp};
use crate::sending::dispatch::RunningLane;
use crate::sending::throttle::{LEASE, Tenure};
use crate::store::{NodeStart, Nodes, Started};

/// The keeper renews the lease after this time without a renewal. Normally each beat of the watch renews it, once a second,
/// but a beat may wait for other work.
const RENEW_AFTER: Span = Span::from_millis(1_500);
/// The keeper's pause after a failed renewal.
const RETRY_AFTER: Span = Span::from_millis(500);
/// A waiting server logs after this time that another one holds the lease.
const WARN_AFTER: Span = Span::from_secs(2);
/// How often the lease is read while waiting for it.
const LOOK: Span = Span::from_millis(100);

/// The keeper reads the lease itself if the last look of the watch is older, for example because the watch waits for the
/// disk. So a superseded server sends nothing after a quarter of a second.
const STALE: Span = Span::from_millis(125);
/// The keeper checks that after two looks of the watch, at a time when the watch is awake anyway.
const TWO_LOOKS: Span = Span::from_millis(200);
/// The keeper's shortest pause between two looks of its own.
const SHORTEST_PAUSE: Span = Span::from_millis(50);

/// Takes the lease and begins a new epoch.
///
/// - At once if the last holder returned the lease, or its process is certainly gone.
/// - Otherwise after the full length of the lease without a renewal.
/// - Relies on no clock of another process, and on no lock file that an operator may have deleted.
pub(super) async fn take(parts: &NodeParts) -> Result<(Started, Tenure), StartError> {
    let NodeParts { store, clock, processes, .. } = parts;
    let mut seen = store.lease().await?;
    let since = clock.now();
    let mut warned = false;
    loop {
        let is_free = match &seen.held {
            None => true,
            Some((holder, _)) => processes.is_gone(holder) || clock.now().since(since) >= LEASE,
        };
        if is_free {
            let now = clock.now();
            let start = NodeStart { now, holder: processes.own(), over: seen.clone() };
            if let Some(started) = store.start_node(start).await? {
                return Ok((started, Tenure::new(started.epoch, now)));
            }
        } else {
            // A running server has renewed the lease by then, and this one is refused without a warning.
            if clock.now().since(since) >= WARN_AFTER && !std::mem::replace(&mut warned, true) {
                tracing::warn!(
                    "another server holds the lease on the database; waiting up to {LEASE} to see whether it is renewed"
                );
            }
            clock.sleep(LOOK).await;
        }
        let lease = store.lease().await?;
        if let Some((holder, since)) = lease.held.clone().filter(|_| lease != seen) {
            let Database::Sqlite { path } = &parts.config.database;
            return Err(StartError::Held { place: path.clone(), pid: holder.pid, since });
        }
        seen = lease;
    }
}

/// Fails if the process that holds the lease is still there.
pub async fn check_alone(store: &dyn Nodes, database: &Path, processes: &dyn Processes) -> Result<(), StartError> {
    match store.lease().await?.held {
        Some((holder, since)) if !processes.is_gone(&holder) => {
            Err(StartError::Held { place: database.to_owned(), pid: holder.pid, since })
        }
        Some(_) | None => Ok(()),
    }
}

/// Records a successful renewal that was begun at `begun`. If the lease had lapsed, wakes the lanes, which wait without
/// an end.
pub(super) fn record_renewal(tenure: &Tenure, lanes: &[Arc<RunningLane>], begun: Timestamp, clock: &dyn Clock) {
    if tenure.renew(begun, || clock.now()) {
        lanes.iter().for_each(|lane| lane.schedule_all());
    }
}

/// Keeps the lease of a running server.
pub(super) struct Keeper {
    pub(super) node: i64,
    pub(super) store: Arc<dyn Nodes>,
    pub(super) tenure: Arc<Tenure>,
    pub(super) lanes: Vec<Arc<RunningLane>>,
    pub(super) clock: Arc<dyn Clock>,
    /// Whether a failed renewal has been reported.
    pub(super) failure: FaultReport,
}

impl Keeper {
    /// Runs until another server has taken over. A renewal that waits for the disk does not delay the looks.
    pub(super) async fn run(self, stop: CancellationToken) {
        let look = async {
            while !self.tenure.has_ended() {
                let at = self.tenure.looked() + TWO_LOOKS;
                self.clock.sleep_until(at.max(self.clock.now() + SHORTEST_PAUSE)).await;
                if self.clock.now().since(self.tenure.looked()) >= STALE {
                    self.look().await;
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.renew_when_beats_are_late() => {}
            () = look => {}
        }
    }

    async fn renew_when_beats_are_late(&self) {
        while !self.tenure.has_ended() {
            let at = self.tenure.renewed() + RENEW_AFTER;
            self.clock.sleep_until(at.max(self.clock.now() + RETRY_AFTER)).await;
            self.renew_if_late().await;
        }
    }

    pub(super) async fn renew_if_late(&self) {
        if self.clock.now().since(self.tenure.renewed()) >= RENEW_AFTER {
            self.renew().await;
        } else {
            self.failure.ends();
        }
    }

    async fn renew(&self) {
        let begun = self.clock.now();
        match self.store.renew(self.node, begun).await {
            Ok(()) => {
                record_renewal(&self.tenure, &self.lanes, begun, self.clock.as_ref());
                self.failure.ends();
            }
            Err(error) if self.tenure.end_for(&error) => {}
            Err(error) => {
                if self.failure.begins() {
                    tracing::warn!(error = %Causes(&error), "cannot renew the lease; sending stops if that lasts");
                }
            }
        }
    }

    /// Reads the lease. Other errors are ignored, because the next renewal of a superseded server fails anyway.
    pub(super) async fn look(&self) {
        let begun = self.clock.now();
        match self.store.latest().await {
            Ok(latest) => self.tenure.look(latest.epoch, begun),
            Err(error) => {
                self.tenure.end_for(&error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::base::clock::{Chance, ManualClock};
    use crate::base::config::Config;
    use crate::node::{Node, NodeFailure, Processes};
    use crate::sending::throttle::TenureEnd;
    use crate::store::{self, Epoch, Holder, Lease};

    /// Processes that are gone when the test says so.
    #[derive(Debug, Default)]
    struct FakeProcesses {
        gone: AtomicBool,
    }

    impl Processes for FakeProcesses {
        fn own(&self) -> Holder {
            Holder { machine: "here".to_owned(), pid: 42, started: 1 }
        }

        fn is_gone(&self, _: &Holder) -> bool {
            self.gone.load(Ordering::Relaxed)
        }
    }

    struct Desk {
        parts: NodeParts,
        clock: Arc<ManualClock>,
        processes: Arc<FakeProcesses>,
    }

    impl Desk {
        async fn new() -> Self {
            Self::on("sqlite::memory:").await
        }

        async fn on(database: &str) -> Self {
            let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
            let as_clock = || Arc::clone(&clock) as Arc<dyn Clock>;
            let store = store::open(database, as_clock()).await.unwrap();
            let text = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
                        [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nsource = \"ACME\"\n";
            let path = Path::new("volley.toml");
            let none = std::iter::empty::<(&str, String)>();
            let config = Config::read(Some((path, text)), std::iter::empty(), none);
            let processes = Arc::new(FakeProcesses::default());
            let parts = NodeParts {
                config: Arc::new(config.unwrap().config),
                store,
                clock: as_clock(),
                chance: Arc::new(Chance::seeded(1)),
                processes: Arc::clone(&processes) as Arc<dyn Processes>,
            };
            Self { parts, clock, processes }
        }

        async fn lease(&self) -> Lease {
            self.parts.store.lease().await.unwrap()
        }

        /// Starts another server that tries to take the lease, and returns once it waits.
        async fn waiting(&self) -> tokio::task::JoinHandle<Result<Epoch, StartError>> {
            let parts = self.parts.clone();
            let waiting = tokio::spawn(async move { take(&parts).await.map(|(started, _)| started.epoch) });
            self.asleep().await;
            assert!(!waiting.is_finished());
            waiting
        }

        async fn asleep(&self) {
            while self.clock.next_sleeper().is_none() {
                tokio::task::yield_now().await;
            }
        }

        /// Lets this time pass, look by look.
        async fn pass(&self, span: Span) {
            for _ in 0..span.millis() / LOOK.millis() {
                self.asleep().await;
                self.clock.advance(LOOK);
            }
        }
    }

    #[tokio::test]
    async fn a_returned_lease_is_taken_at_once() {
        let desk = Desk::new().await;
        let (first, _) = take(&desk.parts).await.unwrap();
        desk.parts.store.stop_node(first.node, desk.clock.now()).await.unwrap();
        assert_eq!(take(&desk.parts).await.unwrap().0.epoch, Epoch(2));
    }

    #[tokio::test]
    async fn the_lease_of_a_dead_process_is_taken_at_once() {
        let desk = Desk::new().await;
        take(&desk.parts).await.unwrap();
        desk.processes.gone.store(true, Ordering::Relaxed);
        assert_eq!(take(&desk.parts).await.unwrap().0.epoch, Epoch(2));
    }

    #[tokio::test]
    async fn a_renewed_lease_is_refused_with_its_holder() {
        let desk = Desk::new().await;
        let since = desk.clock.now();
        let (first, _) = take(&desk.parts).await.unwrap();
        let waiting = desk.waiting().await;
        desk.pass(Span::from_secs(1)).await;
        desk.asleep().await;
        desk.parts.store.renew(first.node, desk.clock.now()).await.unwrap();
        desk.clock.advance(LOOK);
        let refused = waiting.await.unwrap().unwrap_err();
        assert!(matches!(refused, StartError::Held { pid: 42, since: held, .. } if held == since), "{refused}");
        assert_eq!(desk.lease().await.epoch, first.epoch);
    }

    #[tokio::test]
    async fn a_lease_without_renewals_is_taken_exactly_when_it_expires() {
        let desk = Desk::new().await;
        take(&desk.parts).await.unwrap();
        let waiting = desk.waiting().await;
        desk.pass(Span::from_millis(LEASE.millis() - LOOK.millis())).await;
        desk.asleep().await;
        assert_eq!(desk.lease().await.epoch, Epoch(1));
        desk.clock.advance(LOOK);
        assert_eq!(waiting.await.unwrap().unwrap(), Epoch(2));
    }

    #[tokio::test]
    async fn the_keeper_renews_the_lease_only_when_beats_are_late() {
        let desk = Desk::new().await;
        let (started, tenure) = take(&desk.parts).await.unwrap();
        let (store, clock) = (Arc::clone(&desk.parts.store), Arc::clone(&desk.parts.clock));
        let (tenure, failure) = (Arc::new(tenure), FaultReport::default());
        let keeper =
            Keeper { node: started.node, store, tenure: Arc::clone(&tenure), lanes: Vec::new(), clock, failure };
        let kept = tokio::spawn(async move { keeper.renew_when_beats_are_late().await });
        for _ in 0..10 {
            desk.asleep().await;
            let age = desk.clock.next_sleeper().unwrap().since(tenure.renewed());
            assert_eq!(age, RENEW_AFTER);
            desk.clock.advance(age);
        }
        desk.asleep().await;
        assert_eq!(desk.lease().await.renewed, desk.clock.now());
        // If a beat renews it in time, the keeper does nothing.
        for _ in 0..10 {
            let before = desk.lease().await.renewed;
            tenure.renew(desk.clock.now(), || desk.clock.now());
            desk.clock.advance(Span::from_secs(1));
            desk.asleep().await;
            assert_eq!(desk.lease().await.renewed, before);
        }
        store::started(desk.parts.store.as_ref(), desk.clock.now()).await;
        while !kept.is_finished() {
            desk.clock.advance(RENEW_AFTER);
            tokio::task::yield_now().await;
        }
        assert!(tenure.has_ended() && desk.lease().await.epoch > started.epoch);
    }

    #[tokio::test]
    async fn a_superseded_server_fails_within_a_quarter_of_a_second() {
        let desk = Desk::new().await;
        let mut node = Node::start(desk.parts.clone()).await.unwrap();
        let second = store::started(desk.parts.store.as_ref(), desk.clock.now()).await;
        let failed = tokio::spawn(async move { (node.failed().await, node) });
        for _ in 0..5 {
            desk.asleep().await;
            desk.clock.advance(Span::from_millis(50));
        }
        let (failed, node) = failed.await.unwrap();
        assert_eq!(failed, NodeFailure::Superseded);
        node.stop().await.unwrap();
        assert_eq!(desk.lease().await.epoch, second.epoch);
        assert!(desk.lease().await.held.is_some(), "its stop does not return the lease of the other server");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_server_whose_file_is_moved_fails_within_a_quarter_of_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("volley.db");
        let desk = Desk::on(&format!("sqlite://{}", path.display())).await;
        let (started, tenure) = take(&desk.parts).await.unwrap();
        let (store, clock) = (Arc::clone(&desk.parts.store), Arc::clone(&desk.parts.clock));
        let (tenure, failure) = (Arc::new(tenure), FaultReport::default());
        let keeper =
            Keeper { node: started.node, store, tenure: Arc::clone(&tenure), lanes: Vec::new(), clock, failure };
        keeper.look().await;
        assert!(tenure.is_current(desk.clock.now()));
        std::fs::rename(&path, folder.path().join("moved.db")).unwrap();
        keeper.look().await;
        assert!(!tenure.is_current(desk.clock.now()));
        assert_eq!(tenure.ended().await, TenureEnd::Replaced);
    }
}
