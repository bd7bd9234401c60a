//! The rooms of a node, made in order and not yet at work.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

use super::dials::{Dials, still_turned};
use super::gaps::note_gap;
use super::prune::Pruner;
use super::{HALF_DONE, Parts, StartError, build, lease, watch};
use crate::ask::Asker;
use crate::campaign::Housekeeper;
use crate::clock::Clock;
use crate::config;
use crate::dispatch::{self, Lane};
use crate::domain::Told;
use crate::engine::Gap;
use crate::optout::Words;
use crate::provider::Transport;
use crate::receipts::{self, Applier, Door, Intake, Listening, Proofs, Tell};
use crate::store::{Book, Event, KeptGap, Started, Store};
use crate::throttle::{Holds, Tenure, turned};
use crate::timers::{Gaps, Timers};

/// News of places that wait for the next look.
const PLACES_MAX: usize = 10_000;

pub(super) struct Rooms {
    pub(super) id: i64,
    pub(super) tenure: Arc<Tenure>,
    pub(super) keeper: lease::Keeper,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) intake: Intake,
    pub(super) door: Arc<Door>,
    pub(super) gaps: Arc<Gaps>,
    pub(super) applier: Applier,
    /// Whom the applier and the door tell whether receipts get to us and can be kept.
    pub(super) tell: Arc<dyn Fn(Listening) + Send + Sync>,
    pub(super) lanes: Vec<Arc<Lane>>,
    pub(super) timers: Timers,
    pub(super) askers: Vec<Asker>,
    pub(super) housekeeper: Housekeeper,
    pub(super) pruner: Pruner,
    /// The housekeeper has decided something that the watch need not wait to see.
    pub(super) decided: Arc<Notify>,
    pub(super) watch: watch::Watch,
    pub(super) recovered: u64,
}

impl Rooms {
    /// Opens everything over a way to the provider. Nothing is claimed, fired or taken before it is told to.
    pub(super) async fn open(
        parts: Parts,
        transport: impl Fn(&config::Lane) -> Result<Box<dyn Transport>, StartError>,
    ) -> Result<Self, StartError> {
        let (started, tenure) = lease::take(&parts).await?;
        let (store, now) = (Arc::clone(&parts.store), parts.clock.now());
        let opened = Self::open_under(started, Arc::new(tenure), parts, transport).await;
        if opened.is_err() {
            // Whoever tries again does not wait for a server that never was. Its own error is the one to tell.
            let _ = store.stop_node(started.node, started.listened_until.unwrap_or(now)).await;
        }
        opened
    }

    async fn open_under(
        started: Started,
        tenure: Arc<Tenure>,
        parts: Parts,
        transport: impl Fn(&config::Lane) -> Result<Box<dyn Transport>, StartError>,
    ) -> Result<Self, StartError> {
        let Parts { config, store, clock, chance, .. } = parts;
        let (now, listened_until) = (clock.now(), started.listened_until);
        store.sweep_unpublished(now - HALF_DONE).await?;
        let mut pruner = Pruner::new(Arc::clone(&store), config.retention, now);
        pruner.run_once(now).await?;
        let gaps = Arc::new(Gaps::new(now, build::addresses(&config, store.as_ref()).await?));
        let mut missed = Vec::new();
        for KeptGap { from, until, address } in store.gaps().await? {
            // What the nodes before this one have missed is as doubtful as it was to them.
            let gap = Gap { from, until };
            gaps.add(gap, address.as_deref());
            missed.extend(address.is_none().then_some(gap));
        }
        for link in store.links().await? {
            gaps.go_on_from(&link, now);
        }
        let book = Arc::new(Book::new(Arc::clone(&store)));
        book.refresh().await?;
        let in_flight = dispatch::in_flight(store.as_ref(), started.epoch).await?;
        let holds = Arc::new(Holds::default());
        let seq = store.seq().await?;
        holds.replace(store.holds().await?, seq, now);
        let dials = still_turned(store.as_ref(), &config, now).await?;
        let now_turned = turned(&config, &dials);
        let building = build::Building {
            config: &now_turned,
            store: &store,
            book: &book,
            holds: &holds,
            tenure: &tenure,
            clock: &clock,
            chance: &chance,
            gaps: &gaps,
            is_first: listened_until.is_none(),
        };
        let mut unknown = BTreeMap::new();
        for message in &in_flight {
            *unknown.entry(message.lane).or_default() += 1;
        }
        let built = building.lanes(&transport, &unknown).await?;
        let lanes = built.lanes.clone();
        let recovered = in_flight.len() as u64;
        if recovered > 0 {
            // First what they have taken of their buckets: once they are settled nothing else tells of it.
            let taken = lanes.iter().filter(|lane| unknown.contains_key(&lane.id)).flat_map(|lane| lane.to_note());
            store.record_noting(Vec::new(), taken.collect()).await?;
            dispatch::recover(store.as_ref(), &book, &in_flight, now).await?;
            let text =
                format!("{recovered} messages were in flight when the last server died; it is unknown which arrived");
            store.note(Event { at: now, subject: "node".to_owned(), text }).await?;
        }
        let dials = Dials::new(Arc::clone(&config), built, dials);
        for lane in &lanes {
            lane.look_everywhere();
        }

        // Only now is anybody about to listen.
        if let Some(from) = listened_until {
            let gap = Gap { from, until: clock.now() };
            note_gap(store.as_ref(), &gaps, gap).await?;
            missed.push(gap);
        }

        // What does not fit is forgotten: a place that is not given back is taken for a day, and none is taken twice.
        let (told, places) = mpsc::channel(PLACES_MAX);
        let senders = lanes.clone();
        let of = receipts::Of {
            subaccounts: config.lanes.iter().map(|lane| lane.provider.sub_account.clone()).collect(),
            lanes: config.lanes.clone(),
            words: Words::with(&config.opt_out.stop, &config.opt_out.start, &config.opt_out.ignore),
            missed,
            tell_place: Tell::new(move |news| {
                let _ = told.try_send(news);
            }),
            tell_too_fast: Tell::new(move |news: receipts::TooFast| {
                if let Some(lane) = senders.iter().find(|lane| lane.config.name == news.lane) {
                    lane.is_too_fast(news.begun, news.reason);
                }
            }),
            tell_heard: Tell::new({
                let gaps = Arc::clone(&gaps);
                move |heard: receipts::Heard| gaps.heard(&heard.subaccounts, heard.at)
            }),
        };
        let (applier, intake) =
            Applier::new(Arc::clone(&store), Arc::clone(&book), of, Arc::clone(&clock), Arc::clone(&chance));
        // It counts at once; the watch writes it down. One a minute would already be a disk that fills up again and again.
        let (found, missed) = mpsc::channel(64);
        let (told_gaps, told_clock) = (Arc::clone(&gaps), Arc::clone(&clock));
        let tell: Arc<dyn Fn(Listening) + Send + Sync> = Arc::new(move |told| match told {
            Listening::Doubtful { since } => told_gaps.doubt_since(since),
            Listening::Resumed(gap) => {
                let _ = found.try_send((gap, told_gaps.add(gap, None)));
            }
            Listening::TurnedAway(lane) => told_gaps.turned_away(lane, told_clock.now()),
            Listening::Behind(since) => told_gaps.behind(since),
        });
        let proofs = Proofs::new(&config.provider);
        let (to_look, dice) = (Arc::clone(&store), Arc::clone(&chance));
        let door = Arc::new(Door::new(proofs, to_look, Arc::clone(&clock), dice, Arc::clone(&tell)));
        let askers = building.askers(&lanes, &intake, &transport)?;
        let timers = Timers::new(Arc::clone(&store), Arc::clone(&book), Arc::clone(&clock), Arc::clone(&gaps));
        let housekeeper = Housekeeper::new(Arc::clone(&store), Arc::clone(&book));
        let decided = Arc::new(Notify::new());
        let watch = watch::Watch::new(watch::Parts {
            node: started.node,
            store: Arc::clone(&store),
            tenure: Arc::clone(&tenure),
            book,
            holds,
            dials,
            lanes: lanes.clone(),
            gaps: Arc::clone(&gaps),
            door: Arc::clone(&door),
            missed,
            places,
            decided: Arc::clone(&decided),
            clock: Arc::clone(&clock),
        });
        let keeper = lease::Keeper {
            node: started.node,
            store: Arc::clone(&store),
            tenure: Arc::clone(&tenure),
            lanes: lanes.clone(),
            clock: Arc::clone(&clock),
            told: Told::default(),
        };
        Ok(Rooms {
            id: started.node,
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
        })
    }
}
