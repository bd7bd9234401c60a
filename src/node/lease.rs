//! The lease: taken at the start, renewed while the server lives, and watched for a successor.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Parts, StartError};
use crate::clock::Clock;
use crate::config::Database;
use crate::dispatch::Lane;
use crate::domain::{Causes, Span, Timestamp, Told};
use crate::store::{Error, NodeStart, Started, Store};
use crate::throttle::{LEASE, Tenure};

/// Each beat of the watch renews it, once a second. A beat may wait for other work: a lease that was not renewed for so
/// long is renewed by the keeper.
const STAND_IN: Span = Span::from_millis(1_500);
/// The keeper pauses so long between two renewals that fail.
const RENEW_AGAIN: Span = Span::from_millis(500);
/// After so long without a renewal it is told that somebody waits.
const TOLD_AFTER: Span = Span::from_secs(2);
/// How often it is looked whether another has it: a superseded server sends nothing after a quarter of a second.
const LOOK: Span = Span::from_millis(100);

/// The watch looks as often, unless it waits for the disk: a look that is older is followed by one of the keeper's own.
const STALE: Span = Span::from_millis(125);
/// The keeper asks whether that is so after two looks of the watch: at a moment when the watch is awake anyway.
const TWO_LOOKS: Span = Span::from_millis(200);
/// The keeper pauses at least so long between two looks of its own.
const GLANCE: Span = Span::from_millis(50);

/// Begins an epoch of our own. At once where the last holder has given the lease back, or its process is certainly gone;
/// otherwise once the lease was watched for as long as it lasts and nobody has renewed it. No clock of another process
/// counts for that, and no file that somebody may have deleted.
pub(super) async fn take(parts: &Parts) -> Result<(Started, Tenure), StartError> {
    let Parts { store, clock, processes, .. } = parts;
    let mut seen = store.lease().await?;
    let since = clock.now();
    let mut told = false;
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
            // One that lives has renewed it by then, and there is nothing to wait for.
            if clock.now().since(since) >= TOLD_AFTER && !std::mem::replace(&mut told, true) {
                tracing::warn!(
                    "another server holds the lease on the database; looking for {LEASE} whether it renews it"
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

/// Notes a renewal that was begun at `begun` and has succeeded. Lanes whose lease had lapsed go on: they were told to wait,
/// and not until when.
pub(super) fn renewed(tenure: &Tenure, lanes: &[Arc<Lane>], begun: Timestamp, clock: &dyn Clock) {
    if tenure.renew(begun, || clock.now()) {
        lanes.iter().for_each(|lane| lane.look_everywhere());
    }
}

/// Keeps the lease of a running server.
pub(super) struct Keeper {
    pub(super) node: i64,
    pub(super) store: Arc<dyn Store>,
    pub(super) tenure: Arc<Tenure>,
    pub(super) lanes: Vec<Arc<Lane>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) told: Told,
}

impl Keeper {
    /// Ends once another server has taken over. A renewal that waits for the disk keeps nobody from looking.
    pub(super) async fn run(self, stop: CancellationToken) {
        let look = async {
            while !self.tenure.has_ended() {
                let at = self.tenure.looked() + TWO_LOOKS;
                self.clock.sleep_until(at.max(self.clock.now() + GLANCE)).await;
                if self.clock.now().since(self.tenure.looked()) >= STALE {
                    self.look().await;
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.renew_where_no_beat_does() => {}
            () = look => {}
        }
    }

    async fn renew_where_no_beat_does(&self) {
        while !self.tenure.has_ended() {
            let at = self.tenure.renewed() + STAND_IN;
            self.clock.sleep_until(at.max(self.clock.now() + RENEW_AGAIN)).await;
            self.renew_if_late().await;
        }
    }

    pub(super) async fn renew_if_late(&self) {
        if self.clock.now().since(self.tenure.renewed()) >= STAND_IN {
            self.renew().await;
        } else {
            self.told.ends();
        }
    }

    async fn renew(&self) {
        let begun = self.clock.now();
        match self.store.renew(self.node, begun).await {
            Ok(()) => {
                renewed(&self.tenure, &self.lanes, begun, self.clock.as_ref());
                self.told.ends();
            }
            Err(Error::Superseded) => self.tenure.end(),
            Err(error) => {
                if self.told.begins() {
                    tracing::warn!(error = %Causes(&error), "cannot renew the lease; sending stops if that lasts");
                }
            }
        }
    }

    /// Where it cannot look it learns nothing: a renewal fails for a server that was superseded.
    pub(super) async fn look(&self) {
        let begun = self.clock.now();
        if let Ok(latest) = self.store.latest().await {
            self.tenure.look(latest.epoch, begun);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::clock::{Chance, ManualClock};
    use crate::config::Config;
    use crate::node::{Failed, Node, Processes};
    use crate::store::{self, Epoch, Holder, Lease};

    /// Processes of which the test says whether they are gone.
    #[derive(Debug, Default)]
    struct Told {
        gone: AtomicBool,
    }

    impl Processes for Told {
        fn own(&self) -> Holder {
            Holder { machine: "here".to_owned(), pid: 42, started: 1 }
        }

        fn is_gone(&self, _: &Holder) -> bool {
            self.gone.load(Ordering::Relaxed)
        }
    }

    struct Desk {
        parts: Parts,
        clock: Arc<ManualClock>,
        processes: Arc<Told>,
    }

    impl Desk {
        async fn new() -> Self {
            let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
            let as_clock = || Arc::clone(&clock) as Arc<dyn Clock>;
            let store = store::open("sqlite::memory:", as_clock()).await.unwrap();
            let text = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
                        [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nsource = \"ACME\"\n";
            let path = std::path::Path::new("volley.toml");
            let none = std::iter::empty::<(&str, String)>();
            let config = Config::read(Some((path, text)), std::iter::empty(), none);
            let processes = Arc::new(Told::default());
            let parts = Parts {
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

        /// Another that tries to take the lease. It has looked once, and waits.
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

        /// Lets whoever waits look until then.
        async fn pass(&self, span: Span) {
            for _ in 0..span.millis() / LOOK.millis() {
                self.asleep().await;
                self.clock.advance(LOOK);
            }
        }
    }

    #[tokio::test]
    async fn a_lease_that_was_given_back_is_taken_at_once() {
        let desk = Desk::new().await;
        let (first, _) = take(&desk.parts).await.unwrap();
        desk.parts.store.stop_node(first.node, desk.clock.now()).await.unwrap();
        assert_eq!(take(&desk.parts).await.unwrap().0.epoch, Epoch(2));
    }

    #[tokio::test]
    async fn the_lease_of_a_process_that_is_gone_is_taken_at_once() {
        let desk = Desk::new().await;
        take(&desk.parts).await.unwrap();
        desk.processes.gone.store(true, Ordering::Relaxed);
        assert_eq!(take(&desk.parts).await.unwrap().0.epoch, Epoch(2));
    }

    #[tokio::test]
    async fn a_lease_that_is_renewed_is_refused_and_says_who_holds_it() {
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
    async fn a_lease_that_nobody_renews_is_taken_after_its_time_and_not_before() {
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
    async fn a_lease_that_no_beat_renews_is_renewed_by_its_keeper_and_no_other_is() {
        let desk = Desk::new().await;
        let (started, tenure) = take(&desk.parts).await.unwrap();
        let (store, clock) = (Arc::clone(&desk.parts.store), Arc::clone(&desk.parts.clock));
        let (tenure, told) = (Arc::new(tenure), crate::domain::Told::default());
        let keeper = Keeper { node: started.node, store, tenure: Arc::clone(&tenure), lanes: Vec::new(), clock, told };
        let kept = tokio::spawn(async move { keeper.renew_where_no_beat_does().await });
        for _ in 0..10 {
            desk.asleep().await;
            let age = desk.clock.next_sleeper().unwrap().since(tenure.renewed());
            assert_eq!(age, STAND_IN);
            desk.clock.advance(age);
        }
        desk.asleep().await;
        assert_eq!(desk.lease().await.renewed, desk.clock.now());
        // A beat that comes in time leaves it nothing to do.
        for _ in 0..10 {
            let before = desk.lease().await.renewed;
            tenure.renew(desk.clock.now(), || desk.clock.now());
            desk.clock.advance(Span::from_secs(1));
            desk.asleep().await;
            assert_eq!(desk.lease().await.renewed, before);
        }
        store::started(desk.parts.store.as_ref(), desk.clock.now()).await;
        while !kept.is_finished() {
            desk.clock.advance(STAND_IN);
            tokio::task::yield_now().await;
        }
        assert!(tenure.has_ended() && desk.lease().await.epoch > started.epoch);
    }

    #[tokio::test]
    async fn a_server_that_was_superseded_says_so_within_a_quarter_of_a_second() {
        let desk = Desk::new().await;
        let mut node = Node::start(desk.parts.clone()).await.unwrap();
        let second = store::started(desk.parts.store.as_ref(), desk.clock.now()).await;
        let failed = tokio::spawn(async move { (node.failed().await, node) });
        for _ in 0..5 {
            desk.asleep().await;
            desk.clock.advance(Span::from_millis(50));
        }
        let (failed, node) = failed.await.unwrap();
        assert_eq!(failed, Failed::Superseded);
        node.stop().await.unwrap();
        assert_eq!(desk.lease().await.epoch, second.epoch);
        assert!(desk.lease().await.held.is_some(), "its stop gives back nothing that is another's");
    }
}
