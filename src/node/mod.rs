//! One running server: starts the rooms, watches for decisions, tells that it lives, and stops everything in order.
//!
//! In: a configuration, a store, a clock, chance, and a way to the provider for each lane. Out: a [`Node`] with its
//! webhook intake; later, its orderly end.
//! Promises: one server sends at a time, and one that was superseded sends nothing more; nothing is claimed before what
//! a dead predecessor had in its hands is settled; a decision that a command has committed is obeyed within a quarter of
//! a second, and noted once what was begun before is out, or has had its time; if a room ends that should not have, any of its tasks panics, or the store writes no more, the whole node stops
//! loudly; a graceful stop hands back what was not begun and records what was.
//! May not: know what the rooms do inside.

mod build;
#[cfg(test)]
mod by_hand;
mod dials;
mod gaps;
mod lease;
mod notices;
mod process;
mod prune;
mod rooms;
mod watch;

#[cfg(test)]
pub(crate) use by_hand::ByHand;
pub use gaps::{doubt, end_doubt};
pub use process::{Os, Processes};

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::campaign::Housekeeper;
use crate::clock::{Chance, Clock};
use crate::config::Config;
use crate::dispatch::{self, Crew, Lane, LaneStatus, Panicked};
use crate::domain::{Causes, Span, Timestamp, Told};
use crate::provider::{Http, Transport};
use crate::receipts::{Door, Intake};
use crate::store::{self, Store};
use crate::throttle::{LEASE, Tenure};
use crate::timers::Gaps;
use rooms::Rooms;

/// What was begun and not touched for so long belongs to a process that is gone.
const HALF_DONE: Span = Span::from_secs(60);
/// How often batches are looked at for having begun, finished or settled.
const HOUSEKEEPING: Span = Span::from_millis(200);

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Provider(#[from] crate::provider::Unusable),
    /// Another server has just shown that it lives.
    #[error(
        "another volley serve is running on {} (process {pid}, since {}); stop it, or start this one with another database",
        place.display(),
        since.rfc3339()
    )]
    Held { place: PathBuf, pid: u32, since: Timestamp },
}

/// Why a server ends by itself.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    #[error(
        "another volley serve has taken over the database, because this one did not renew its lease for {LEASE}: its \
         process was stopped, or could not write; this one sends nothing any more, so leave the other one running, or stop \
         it and start this one again"
    )]
    Superseded,
    #[error("the server has failed: {0}")]
    Room(String),
}

/// What a node is made of.
#[derive(Debug, Clone)]
pub struct Parts {
    pub config: Arc<Config>,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<Chance>,
    pub processes: Arc<dyn Processes>,
}

/// A server at work.
#[derive(Debug)]
pub struct Node {
    id: i64,
    tenure: Arc<Tenure>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    intake: Option<Intake>,
    door: Arc<Door>,
    gaps: Arc<Gaps>,
    lanes: Vec<Arc<Lane>>,
    dispatching: tokio::task::JoinHandle<Result<(), Panicked>>,
    rooms: Crew,
    /// Ends after the others, once nobody can bring a webhook any more.
    receiving: Crew,
    stop_dispatch: CancellationToken,
    stop: CancellationToken,
    /// Since when it no longer says that it listens, once that is so.
    silent_since: Option<Timestamp>,
    /// What was found in flight at the start, and is unknown now.
    pub recovered: u64,
}

impl Node {
    /// Starts with HTTP to each lane's provider.
    pub async fn start(parts: Parts) -> Result<Self, StartError> {
        let transport = |lane: &crate::config::Lane| -> Result<Box<dyn Transport>, StartError> {
            Ok(Box::new(Http::new(&lane.name, &lane.provider)?))
        };
        Self::start_over(parts, transport).await
    }

    /// Starts with another way to the provider.
    pub async fn start_over(
        parts: Parts,
        transport: impl Fn(&crate::config::Lane) -> Result<Box<dyn Transport>, StartError>,
    ) -> Result<Self, StartError> {
        let opened = Rooms::open(parts, transport).await?;
        let Rooms {
            id,
            tenure,
            keeper,
            store,
            clock,
            intake,
            door,
            gaps,
            applier,
            tell,
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
        receiving.spawn("receipts", applier.run(move |told| tell(told)));
        let dispatching =
            tokio::spawn(dispatch::run(lanes.clone(), Arc::clone(&store), Arc::clone(&clock), stop_dispatch.clone()));
        let mut rooms = Crew::default();
        rooms.spawn("timers", timers.run(stop.clone()));
        rooms.spawn("housekeeping", keep_house(housekeeper, decided, Arc::clone(&clock), stop.clone()));
        rooms.spawn("watch", watch.run(stop.clone()));
        rooms.spawn("pruning", pruner.run(Arc::clone(&clock), stop.clone()));
        rooms.spawn("the lease", keeper.run(stop.clone()));
        for asker in askers {
            rooms.spawn("asking", asker.run(stop.clone()));
        }
        Ok(Self {
            id,
            tenure,
            store,
            clock,
            intake: Some(intake),
            door,
            gaps,
            lanes,
            dispatching,
            rooms,
            receiving,
            stop_dispatch,
            stop,
            silent_since: None,
            recovered,
        })
    }

    /// Where proven webhooks go in. Whoever holds one keeps the node listening.
    pub fn intake(&self) -> Option<Intake> {
        self.intake.clone()
    }

    /// Who may bring webhooks, for whoever takes them.
    pub fn door(&self) -> Arc<Door> {
        Arc::clone(&self.door)
    }

    /// From claim to record: what half of a lane's messages took at most, and what nearly all did.
    pub fn latency(&self, percent: u64) -> Span {
        self.lanes.iter().map(|lane| lane.latency.percentile(percent)).max().unwrap_or(Span::ZERO)
    }

    pub fn lanes(&self) -> Vec<LaneStatus> {
        self.lanes.iter().map(|lane| lane.status()).collect()
    }

    /// Waits until the server cannot go on, and says why: another has taken over, or a room has ended that should not.
    pub async fn failed(&mut self) -> Failed {
        let tenure = Arc::clone(&self.tenure);
        tokio::select! {
            // First: a room that is about the lease ends with it.
            biased;
            () = tenure.ended() => {
                // What is due, asked and looked after is the other's now.
                self.stop.cancel();
                Failed::Superseded
            }
            why = self.room_ended() => Failed::Room(why),
        }
    }

    async fn room_ended(&mut self) -> String {
        let of_room = |ended| match ended {
            Some(Ok(room)) => format!("{room} has ended"),
            Some(Err(panicked)) => Panicked::to_string(&panicked),
            None => "every room has ended".to_owned(),
        };
        tokio::select! {
            // First: without it the others end too.
            biased;
            () = self.store.ended() => "the writer of the database has ended".to_owned(),
            ended = self.rooms.next() => of_room(ended),
            ended = self.receiving.next() => of_room(ended),
            ended = &mut self.dispatching => match ended {
                Ok(Ok(())) => "dispatch has ended".to_owned(),
                Ok(Err(panicked)) => format!("dispatch has failed: {panicked}"),
                Err(error) => format!("dispatch has failed: {error}"),
            },
        }
    }

    /// Claims no more, finishes what is in flight, hands the rest back. Receipts are still taken.
    pub async fn stop_sending(&mut self) {
        self.stop_dispatch.cancel();
        if !self.dispatching.is_finished() {
            // A panic has been told when it happened, and must not keep the rest from ending in good order.
            let _ = (&mut self.dispatching).await;
        }
    }

    /// Says for the last time that it listens, and fires no deadline any more. Receipts are still taken, but whatever is
    /// turned away from here on falls into the gap that the next start finds: so the door to them is closed afterwards.
    pub async fn stop_listening(&mut self) {
        self.stop.cancel();
        ended(&mut self.rooms).await;
        self.silent_since = self.silent_since.or(Some(self.gaps.listening_until(self.clock.now())));
    }

    /// Ends everything. Every intake has to be given back before, or this waits for it.
    pub async fn stop(mut self) -> Result<(), store::Error> {
        self.stop_sending().await;
        self.stop_listening().await;
        drop(self.intake.take());
        ended(&mut self.receiving).await;
        self.store
            .stop_node(self.id, self.silent_since.unwrap_or_else(|| self.gaps.listening_until(self.clock.now())))
            .await
    }
}

async fn ended(rooms: &mut Crew) {
    while let Some(ended) = rooms.next().await {
        if let Err(panicked) = ended {
            tracing::error!(error = %panicked, "a room has not ended in good order");
        }
    }
}

async fn keep_house(
    mut housekeeper: Housekeeper,
    decided: Arc<Notify>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let told = Told::default();
    while !stop.is_cancelled() {
        let start = match housekeeper.run_once(clock.now()).await {
            Ok(moved) => {
                told.ends();
                if moved > 0 {
                    decided.notify_one();
                }
                housekeeper.next_start()
            }
            Err(error) => {
                if told.begins() {
                    tracing::warn!(error = %Causes(&error), "cannot look after the campaigns; trying again");
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
    use crate::clock::ManualClock;
    use crate::domain::Msisdn;
    use crate::store::{Stray, StrayKind, Taken};

    async fn started() -> (Arc<dyn Store>, Arc<ManualClock>, Node) {
        let manual = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let clock = Arc::clone(&manual) as Arc<dyn Clock>;
        let store = store::open("sqlite::memory:", Arc::clone(&clock)).await.unwrap();
        let none = std::iter::empty::<(&str, String)>();
        let config = Arc::new(Config::read(None, std::iter::empty(), none).unwrap().config);
        let chance = Arc::new(Chance::seeded(1));
        let processes = Arc::new(Os);
        let node = Node::start(Parts { config, store: Arc::clone(&store), clock, chance, processes }).await.unwrap();
        (store, manual, node)
    }

    #[tokio::test]
    async fn a_store_that_writes_no_more_is_told_and_the_stop_does_not_hang() {
        let (store, _, mut node) = started().await;
        store.close().await;
        assert_eq!(node.failed().await, Failed::Room("the writer of the database has ended".to_owned()));
        assert!(matches!(node.stop().await, Err(store::Error::Closed { .. })));
    }

    #[tokio::test]
    async fn old_strays_and_tier_slots_go_a_day_later_without_a_restart() {
        let (store, manual, node) = started().await;
        let now = manual.now();
        let stray = |received| Stray { kind: StrayKind::OtherType, received, umid: None, raw: "{}".to_owned() };
        // Too young at the start, and too old a day later; the others are not.
        let strays = vec![stray(now - prune::STRAYS_KEPT + Span::from_secs(1)), stray(now)];
        store.take(Taken { strays, ..Taken::default() }).await.unwrap();
        let slots = [1, 2].map(|n| Msisdn::try_from(6_591_000_000_u64 + n).unwrap());
        let [old, young] = slots;
        store.take_places("acme", vec![(old, now), (young, now + Span::from_secs(120))]).await.unwrap();
        let kept = async || {
            let strays = store.strays(StrayKind::OtherType, None, 10).await.unwrap();
            let slots = store.tier_places(vec!["acme".to_owned()], Timestamp::default()).await.unwrap();
            let slots = slots.values().flatten().map(|slot| slot.person).collect::<Vec<_>>();
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
    async fn the_last_beat_of_an_orderly_stop_is_not_later_than_the_closing_of_the_door() {
        let (store, manual, mut node) = started().await;
        node.stop_sending().await;
        node.stop_listening().await;
        let closing = manual.now();
        // The last webhooks take their time, and so does whatever comes after them.
        manual.advance(Span::from_secs(30));
        node.stop().await.unwrap();
        assert_eq!(store::started(store.as_ref(), manual.now()).await.listened_until, Some(closing));
    }
}
