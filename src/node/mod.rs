//! One running server: starts its tasks, applies decisions, renews its lease, and stops everything in order.
//!
//! In: a configuration, a store, a clock, chance, and a transport for each lane. Out: a [`Node`] with its webhook intake;
//! later, its orderly end.
//! Promises: one server sends at a time, and a superseded one sends nothing more; nothing is claimed before the messages
//! in flight of a dead predecessor are settled; a committed decision is applied within a quarter of a second, and
//! confirmed once the requests begun before have ended or timed out; if a task ends unexpectedly or panics, or the store
//! stops writing, the whole node stops with an error; a graceful stop returns unsent messages to their queues and
//! records the sent ones.
//! May not: know what the rooms do inside.

mod build;
#[cfg(test)]
mod by_hand;
mod components;
mod credentials;
mod disk;
mod gaps;
mod lease;
mod notices;
mod overrides;
mod process;
mod prune;
mod restored;
mod templates;
mod watch;

#[cfg(test)]
pub(crate) use by_hand::ByHand;
pub use gaps::doubt_remedy;
pub use lease::check_alone;
pub use process::{Os, Processes};

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::base::clock::{Chance, Clock};
use crate::base::config::Config;
use crate::base::domain::{Causes, FaultReport, Histogram, Span, Timestamp};
use crate::campaigns::campaign::Housekeeper;
use crate::http::metrics::Sources;
use crate::http::outgoing::{Outgoing, UnusableClient};
use crate::provider::client::{Http, Transport};
use crate::sending::dispatch::{self, Crew, LaneStatus, Panicked, RunningLane};
use crate::sending::receipts::{Intake, Verifier};
use crate::sending::throttle::{LEASE, Tenure, TenureEnd};
use crate::sending::timers::Gaps;
use crate::store::{self, Store};
use components::Components;
use credentials::Rotation;
use templates::TemplateKeeper;

/// After this time an unfinished import or launch that was not touched belongs to a process that is gone.
const HALF_DONE: Span = Span::from_secs(60);
/// How often batches are checked for having started, finished or settled.
const HOUSEKEEPING: Span = Span::from_millis(200);

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Provider(#[from] crate::provider::client::Unusable),
    #[error(transparent)]
    Webhooks(#[from] UnusableClient),
    /// Another server has just renewed the lease.
    #[error(
        "another volley serve is running on {} (process {pid}, since {}); stop it, or start this one with another database",
        place.display(),
        crate::base::clock::format_time(*since, None)
    )]
    Held { place: PathBuf, pid: u32, since: Timestamp },
}

/// Why a server ends by itself.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeFailure {
    #[error(
        "another volley serve has taken over the database, because this one did not renew its lease for {LEASE}: its \
         process was suspended or could not write; this one sends nothing any more; leave the other one running, or stop it \
         and start this one again"
    )]
    Superseded,
    #[error(
        "the file of the database was replaced or moved while this server had it open, so that commands and other servers \
         find another file, or none; this one sends nothing any more; put the right file in its place, and start the server \
         again (stop the server before you replace its database)"
    )]
    Replaced,
    #[error("the server has failed: {0}")]
    Room(String),
}

/// The parts of a node.
#[derive(Debug, Clone)]
pub struct NodeParts {
    pub config: Arc<Config>,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<Chance>,
    pub processes: Arc<dyn Processes>,
}

/// A running server.
#[derive(Debug)]
pub struct Node {
    id: i64,
    tenure: Arc<Tenure>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    intake: Option<Intake>,
    verifier: Arc<Verifier>,
    gaps: Arc<Gaps>,
    lanes: Vec<Arc<RunningLane>>,
    lateness: Arc<Histogram>,
    dispatching: tokio::task::JoinHandle<Result<(), Panicked>>,
    tasks: Crew,
    /// Ends after the other tasks, once no webhook can arrive any more.
    receiving: Crew,
    stop_dispatch: CancellationToken,
    stop: CancellationToken,
    /// When it stopped reporting that it takes receipts, if it did.
    silent_since: Option<Timestamp>,
    /// Messages that were in flight at the start, and are now unknown.
    pub recovered: Recovered,
}

/// Messages that the database has in flight although no server submits them.
#[derive(Debug, Clone, Copy)]
pub struct Recovered {
    pub messages: u64,
    /// The time of the backup, if the database was restored from it: then no server was killed.
    pub copied_at: Option<Timestamp>,
}

impl Node {
    /// Starts a node that reaches each lane's provider over HTTP.
    pub async fn start(parts: NodeParts) -> Result<Self, StartError> {
        let transport = |lane: &crate::base::config::Lane| -> Result<Box<dyn Transport>, StartError> {
            Ok(Box::new(Http::new(&lane.name, &lane.provider)?))
        };
        let keeper = TemplateKeeper {
            store: Arc::clone(&parts.store),
            clock: Arc::clone(&parts.clock),
            config: Arc::clone(&parts.config),
        };
        let (store, clock) = (Arc::clone(&parts.store), Arc::clone(&parts.clock));
        let outgoing = Outgoing::new(Arc::clone(&store), Arc::clone(&clock), Arc::clone(&parts.chance), &parts.config)?;
        outgoing.note_start().await?;
        let database = parts.config.database.clone();
        let mut node = Self::start_over(parts, transport).await?;
        node.tasks.spawn("templates", keeper.run(node.stop.clone()));
        node.tasks.spawn("outgoing webhooks", outgoing.run(node.stop.clone()));
        node.tasks.spawn("the watch of the disk", disk::watch(store, clock, database, node.stop.clone()));
        Ok(node)
    }

    /// Starts a node over another transport.
    pub async fn start_over(
        parts: NodeParts,
        transport: impl Fn(&crate::base::config::Lane) -> Result<Box<dyn Transport>, StartError>,
    ) -> Result<Self, StartError> {
        let credentials = parts.config.credentials_in_files();
        let opened = Components::open(parts, transport).await?;
        let Components {
            id,
            tenure,
            keeper,
            store,
            clock,
            intake,
            verifier,
            gaps,
            applier,
            report,
            lanes,
            timers,
            askers,
            housekeeper,
            pruner,
            decided,
            watch,
            recovered,
        } = opened;
        let (stop_dispatch, stop) = (CancellationToken::new(), CancellationToken::new());
        let mut receiving = Crew::default();
        receiving.spawn("receipts", applier.run(move |listening| report(listening)));
        let dispatching =
            tokio::spawn(dispatch::run(lanes.clone(), Arc::clone(&store), Arc::clone(&clock), stop_dispatch.clone()));
        let mut tasks = Crew::default();
        let lateness = Arc::clone(timers.lateness());
        tasks.spawn("timers", timers.run(stop.clone()));
        tasks.spawn("housekeeping", keep_house(housekeeper, decided, Arc::clone(&clock), stop.clone()));
        tasks.spawn("watch", watch.run(stop.clone()));
        tasks.spawn("pruning", pruner.run(Arc::clone(&clock), stop.clone()));
        let rotation = Rotation::new(credentials, store.clone());
        tasks.spawn("credentials", rotation.run(Arc::clone(&clock), stop.clone()));
        tasks.spawn("the lease", keeper.run(stop.clone()));
        for asker in askers {
            tasks.spawn("asking", asker.run(stop.clone()));
        }
        Ok(Self {
            id,
            tenure,
            store,
            clock,
            intake: Some(intake),
            verifier,
            gaps,
            lanes,
            lateness,
            dispatching,
            tasks,
            receiving,
            stop_dispatch,
            stop,
            silent_since: None,
            recovered,
        })
    }

    /// The intake for verified webhooks. The node takes receipts until every intake is dropped.
    pub fn intake(&self) -> Option<Intake> {
        self.intake.clone()
    }

    /// The verifier of webhooks, for the HTTP server.
    pub fn door(&self) -> Arc<Verifier> {
        Arc::clone(&self.verifier)
    }

    /// The longest time from claim to record, over all lanes, of this percentile of messages.
    pub fn latency(&self, percent: u64) -> Span {
        self.lanes.iter().map(|lane| lane.latency.percentile(percent)).max().unwrap_or(Span::ZERO)
    }

    /// The parts that know figures, for the HTTP server.
    pub fn sources(&self) -> Arc<Sources> {
        Arc::new(Sources { lanes: self.lanes.clone(), lateness: Arc::clone(&self.lateness) })
    }

    pub fn lanes(&self) -> Vec<LaneStatus> {
        self.lanes.iter().map(|lane| lane.status()).collect()
    }

    /// Waits until the server cannot go on, and returns why: another server took over, or a task ended unexpectedly.
    pub async fn failed(&mut self) -> NodeFailure {
        let tenure = Arc::clone(&self.tenure);
        tokio::select! {
            // First, because the tasks of the lease end with it.
            biased;
            why = tenure.ended() => {
                // Timers, questions and housekeeping belong to the other server now.
                self.stop.cancel();
                match why {
                    TenureEnd::Superseded => NodeFailure::Superseded,
                    TenureEnd::Replaced => NodeFailure::Replaced,
                }
            }
            why = self.task_ended() => NodeFailure::Room(why),
        }
    }

    async fn task_ended(&mut self) -> String {
        let describe = |ended| match ended {
            Some(Ok(task)) => format!("{task} has ended"),
            Some(Err(panicked)) => Panicked::to_string(&panicked),
            None => "every task has ended".to_owned(),
        };
        tokio::select! {
            // First, because the tasks end without it.
            biased;
            () = self.store.ended() => "the writer of the database has ended".to_owned(),
            ended = self.tasks.next() => describe(ended),
            ended = self.receiving.next() => describe(ended),
            ended = &mut self.dispatching => match ended {
                Ok(Ok(())) => "dispatch has ended".to_owned(),
                Ok(Err(panicked)) => format!("dispatch has failed: {panicked}"),
                Err(error) => format!("dispatch has failed: {error}"),
            },
        }
    }

    /// Stops claiming, finishes the requests in flight, and returns the rest to the queues. Receipts are still taken.
    pub async fn stop_sending(&mut self) {
        self.stop_dispatch.cancel();
        if !self.dispatching.is_finished() {
            // A panic was reported when it happened, and must not prevent an orderly stop of the rest.
            let _ = (&mut self.dispatching).await;
        }
    }

    /// Reports for the last time that it takes receipts, and fires no more deadlines. Receipts are still taken, but any
    /// that are rejected from now on fall into the gap that the next start finds. So webhooks are closed after this.
    pub async fn stop_listening(&mut self) {
        self.stop.cancel();
        join(&mut self.tasks).await;
        self.silent_since = self.silent_since.or(Some(self.gaps.listening_until(self.clock.now())));
    }

    /// Stops everything. Waits until every intake is dropped.
    pub async fn stop(mut self) -> Result<(), store::Error> {
        self.stop_sending().await;
        self.stop_listening().await;
        drop(self.intake.take());
        join(&mut self.receiving).await;
        self.store
            .stop_node(self.id, self.silent_since.unwrap_or_else(|| self.gaps.listening_until(self.clock.now())))
            .await
    }
}

async fn join(tasks: &mut Crew) {
    while let Some(ended) = tasks.next().await {
        if let Err(panicked) = ended {
            tracing::error!(error = %panicked, "a task did not end cleanly");
        }
    }
}

async fn keep_house(
    mut housekeeper: Housekeeper,
    decided: Arc<Notify>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let failure = FaultReport::default();
    while !stop.is_cancelled() {
        let start = match housekeeper.run_once(clock.now()).await {
            Ok(moved) => {
                failure.ends();
                if moved > 0 {
                    decided.notify_one();
                }
                housekeeper.next_start()
            }
            Err(error) => {
                if failure.begins() {
                    tracing::warn!(error = %Causes(&error), "cannot update the states of campaigns; retrying");
                }
                None
            }
        };
        let next = clock.now() + HOUSEKEEPING;
        tokio::select! {
            () = stop.cancelled() => {}
            () = clock.sleep_until(start.map_or(next, |start| start.min(next))) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use crate::base::domain::AddressKey;
    use crate::store::{Cursor, Stray, StrayKind, WebhookGroup};

    async fn started() -> (Arc<dyn Store>, Arc<ManualClock>, Node) {
        let manual = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let clock = Arc::clone(&manual) as Arc<dyn Clock>;
        let store = store::open("sqlite::memory:", Arc::clone(&clock)).await.unwrap();
        let none = std::iter::empty::<(&str, String)>();
        let config = Arc::new(Config::read(None, std::iter::empty(), none).unwrap().config);
        let chance = Arc::new(Chance::seeded(1));
        let processes = Arc::new(Os);
        let node =
            Node::start(NodeParts { config, store: Arc::clone(&store), clock, chance, processes }).await.unwrap();
        (store, manual, node)
    }

    #[tokio::test]
    async fn a_failed_store_writer_is_reported_and_the_stop_does_not_hang() {
        let (store, _, mut node) = started().await;
        store.close().await;
        assert_eq!(node.failed().await, NodeFailure::Room("the writer of the database has ended".to_owned()));
        assert!(matches!(node.stop().await, Err(store::Error::Closed { .. })));
    }

    #[tokio::test]
    async fn old_strays_and_tier_slots_are_pruned_daily_without_a_restart() {
        let (store, manual, node) = started().await;
        let now = manual.now();
        let stray = |received| Stray { kind: StrayKind::OtherType, received, umid: None, raw: "{}".to_owned() };
        // The first stray is too young at the start and too old a day later; the other one stays.
        let strays = vec![stray(now - prune::STRAYS_KEPT + Span::from_secs(1)), stray(now)];
        store.take(WebhookGroup { strays, ..WebhookGroup::default() }).await.unwrap();
        let slots = [1, 2].map(|n| AddressKey::try_from(6_591_000_000 + n).unwrap());
        let [old, young] = slots;
        store.take_slots("acme", vec![(old, now), (young, now + Span::from_secs(120))]).await.unwrap();
        let kept = async || {
            let strays = store.strays(StrayKind::OtherType, Timestamp::default(), Cursor::START, 10).await.unwrap();
            let slots = store.tier_slots(vec!["acme".to_owned()], Timestamp::default()).await.unwrap();
            let slots = slots.values().flatten().map(|slot| slot.recipient).collect::<Vec<_>>();
            (strays.iter().map(|(_, stray)| stray.received).collect::<Vec<_>>(), slots)
        };

        let mut seen = kept().await;
        assert_eq!(seen, (vec![now - prune::STRAYS_KEPT + Span::from_secs(1), now], vec![old, young]));
        manual.advance(Span::from_secs(86_400 + 90));
        let pruned = async {
            while seen != (vec![now], vec![young]) {
                tokio::task::yield_now().await;
                seen = kept().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), pruned).await.unwrap();
        node.stop().await.unwrap();
    }

    #[tokio::test]
    async fn the_last_beat_of_an_orderly_stop_is_before_webhooks_are_closed() {
        let (store, manual, mut node) = started().await;
        node.stop_sending().await;
        node.stop_listening().await;
        let closing = manual.now();
        // The last webhooks and the rest of the stop take a while.
        manual.advance(Span::from_secs(30));
        node.stop().await.unwrap();
        assert_eq!(store::started(store.as_ref(), manual.now()).await.listened_until, Some(closing));
    }
}
