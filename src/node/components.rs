//! The components of a node, built in order and not yet running.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

use super::gaps::add_gap;
use super::overrides::{Overrides, load_overrides};
use super::prune::Pruner;
use super::{HALF_DONE, NodeParts, Recovered, StartError, build, lease, restored, watch};
use crate::base::clock::Clock;
use crate::base::config::{self, Config};
use crate::base::domain::{FaultReport, LaneId, Loaded, Timestamp};
use crate::base::events::{Event, EventKind, Subject};
use crate::campaigns::campaign::{Housekeeper, OptOutConfirmations};
use crate::provider::client::Transport;
use crate::recipients::optout::Words;
use crate::rules::engine::Gap;
use crate::sending::ask::Asker;
use crate::sending::book::Book;
use crate::sending::dispatch::{self, RunningLane};
use crate::sending::receipts::{self, Applier, Callback, Intake, Listening, Proofs, SlotChange, Verifier};
use crate::sending::throttle::{Holds, Tenure, with_overrides};
use crate::sending::timers::{Gaps, Timers};
use crate::store::{Epoch, KeptGap, Override, Started, Store};

/// Changes of tier slots that may wait for the next look.
const SLOT_CHANGES_MAX: usize = 10_000;

/// Called to report whether receipts arrive and can be stored.
type ListeningReport = Arc<dyn Fn(Listening) + Send + Sync>;

pub(super) struct Components {
    pub(super) id: i64,
    pub(super) tenure: Arc<Tenure>,
    pub(super) keeper: lease::Keeper,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) intake: Intake,
    pub(super) verifier: Arc<Verifier>,
    pub(super) gaps: Arc<Gaps>,
    pub(super) applier: Applier,
    /// Given to the applier when it runs; the verifier has its own copy.
    pub(super) report: ListeningReport,
    pub(super) lanes: Vec<Arc<RunningLane>>,
    pub(super) timers: Timers,
    pub(super) askers: Vec<Asker>,
    pub(super) housekeeper: Housekeeper,
    pub(super) pruner: Pruner,
    /// Wakes the watch for a decision of the housekeeper.
    pub(super) decided: Arc<Notify>,
    pub(super) watch: watch::Watch,
    /// Messages that were in flight at the start. Their results are unknown.
    pub(super) recovered: Recovered,
}

impl Components {
    /// Takes the lease and builds everything over a transport. Nothing is claimed, fired or taken yet.
    pub(super) async fn open(
        parts: NodeParts,
        transport: impl Fn(&config::Lane) -> Result<Box<dyn Transport>, StartError>,
    ) -> Result<Self, StartError> {
        let (started, tenure) = lease::take(&parts).await?;
        let (store, now) = (Arc::clone(&parts.store), parts.clock.now());
        let opened = Self::open_under(started, Arc::new(tenure), parts, transport).await;
        if opened.is_err() {
            // The lease is returned, so the next start need not wait. The error to report is the first one.
            let _ = store.stop_node(started.node, started.listened_until.unwrap_or(now)).await;
        }
        opened
    }

    /// Builds everything under the lease that `tenure` holds.
    async fn open_under(
        started: Started,
        tenure: Arc<Tenure>,
        parts: NodeParts,
        transport: impl Fn(&config::Lane) -> Result<Box<dyn Transport>, StartError>,
    ) -> Result<Self, StartError> {
        let NodeParts { config, store, clock, chance, .. } = &parts;
        let (now, listened_until) = (clock.now(), started.listened_until);
        store.sweep_unpublished(now - HALF_DONE).await?;
        // Before anything is claimed or due.
        let copied_at = restored::pause_all(store.as_ref(), config, now).await?.map(|(copied_at, _)| copied_at);
        let mut pruner = Pruner::new(Arc::clone(store), config.retention, config.audit_retention, now);
        pruner.run_once(now).await?;
        let Restored { gaps, mut missed, book, holds, in_effect, in_flight } =
            Restored::load(config, store, started.epoch, now).await?;
        let effective = with_overrides(config, &in_effect);
        let building = build::Building {
            config: &effective,
            store,
            book: &book,
            holds: &holds,
            tenure: &tenure,
            clock,
            chance,
            gaps: &gaps,
            is_first: listened_until.is_none(),
        };
        let built = build_lanes(&building, &transport, &in_flight, now).await?;
        let lanes = built.lanes.clone();
        let overrides = Overrides::new(Arc::clone(config), built, in_effect);
        // Each lane claims as soon as it runs: nobody knows yet what waits.
        for lane in &lanes {
            lane.schedule_all();
        }

        // Here ends the gap since the last server. The first receipts arrive a moment later, once the applier and the API
        // run; every gap holds deadlines two seconds longer than the provider's repeats take.
        if let Some(from) = listened_until {
            let gap = Gap { from, until: clock.now() };
            add_gap(store.as_ref(), &gaps, gap).await?;
            missed.push(gap);
        }
        let reception = Reception::new(&parts, &lanes, &gaps, &book, missed);
        let askers = building.askers(&lanes, &reception.intake, &transport)?;
        let foundation = Foundation { node: started.node, parts: &parts, tenure, gaps, book, holds, lanes };
        let recovered = Recovered { messages: in_flight.len() as u64, copied_at };
        Ok(foundation.assemble(overrides, reception, askers, pruner, recovered))
    }
}

/// What the components of a node share.
struct Foundation<'a> {
    node: i64,
    parts: &'a NodeParts,
    tenure: Arc<Tenure>,
    gaps: Arc<Gaps>,
    book: Arc<Book>,
    holds: Arc<Holds>,
    lanes: Vec<Arc<RunningLane>>,
}

impl Foundation<'_> {
    /// Builds the components that are not built yet, and puts all of them together.
    fn assemble(
        self,
        overrides: Overrides,
        reception: Reception,
        askers: Vec<Asker>,
        pruner: Pruner,
        recovered: Recovered,
    ) -> Components {
        let keeper = self.keeper();
        let Self { node, parts: NodeParts { config, store, clock, chance, .. }, tenure, gaps, book, holds, lanes } =
            self;
        let Reception { applier, intake, verifier, report, ended_gaps, slot_changes } = reception;
        let timers = Timers::new(Arc::clone(store), Arc::clone(&book), Arc::clone(clock), Arc::clone(&gaps));
        let confirmations = OptOutConfirmations::new(Arc::clone(config), Arc::clone(clock), Arc::clone(chance));
        let confirmations = Some(confirmations).filter(|_| config.opt_out.confirm.is_some());
        let housekeeper =
            Housekeeper::new(Arc::clone(store), Arc::clone(&book), Arc::clone(config)).confirming(confirmations);
        let decided = Arc::new(Notify::new());
        let watch = watch::Watch::new(watch::WatchParts {
            node,
            store: Arc::clone(store),
            tenure: Arc::clone(&tenure),
            book,
            holds,
            overrides,
            lanes: lanes.clone(),
            gaps: Arc::clone(&gaps),
            verifier: Arc::clone(&verifier),
            missed: ended_gaps,
            slot_changes,
            decided: Arc::clone(&decided),
            clock: Arc::clone(clock),
        });
        Components {
            id: node,
            tenure,
            keeper,
            store: Arc::clone(store),
            clock: Arc::clone(clock),
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
        }
    }

    fn keeper(&self) -> lease::Keeper {
        lease::Keeper {
            node: self.node,
            store: self.parts.store.clone(),
            tenure: Arc::clone(&self.tenure),
            lanes: self.lanes.clone(),
            clock: Arc::clone(&self.parts.clock),
            failure: FaultReport::default(),
        }
    }
}

/// What takes webhooks, proves them and applies their receipts.
struct Reception {
    applier: Applier,
    intake: Intake,
    verifier: Arc<Verifier>,
    report: ListeningReport,
    /// Gaps that the applier and the verifier report, for the watch to record.
    ended_gaps: mpsc::Receiver<watch::Missed>,
    slot_changes: mpsc::Receiver<SlotChange>,
}

impl Reception {
    /// `missed` are the gaps that concern all addresses.
    fn new(
        parts: &NodeParts,
        lanes: &[Arc<RunningLane>],
        gaps: &Arc<Gaps>,
        book: &Arc<Book>,
        missed: Vec<Gap>,
    ) -> Self {
        let NodeParts { config, store, clock, chance, .. } = parts;
        let (options, slot_changes) = applier_options(config, lanes, gaps, missed);
        let (applier, intake) =
            Applier::new(Arc::clone(store), Arc::clone(book), options, Arc::clone(clock), Arc::clone(chance));
        let (report, ended_gaps) = listening_report(gaps, clock);
        let proofs = Proofs::new(&config.provider);
        let verifier =
            Verifier::new(proofs, Arc::clone(store), Arc::clone(clock), Arc::clone(chance), Arc::clone(&report));
        Self { applier, intake, verifier: Arc::new(verifier), report, ended_gaps, slot_changes }
    }
}

/// What earlier servers have left in the database.
struct Restored {
    gaps: Arc<Gaps>,
    /// The gaps that concern all addresses, not one.
    missed: Vec<Gap>,
    book: Arc<Book>,
    holds: Arc<Holds>,
    in_effect: Vec<Override>,
    /// Messages that they had claimed when they ended.
    in_flight: Vec<Loaded>,
}

impl Restored {
    /// Loads what earlier servers left, and ends overrides that the file has replaced.
    async fn load(config: &Config, store: &Arc<dyn Store>, epoch: Epoch, now: Timestamp) -> Result<Self, StartError> {
        let gaps = Arc::new(Gaps::new(now, build::addresses(config, store.as_ref()).await?));
        let mut missed = Vec::new();
        for KeptGap { from, until, address } in store.gaps().await? {
            // Gaps of earlier nodes hold deadlines on this one too.
            let gap = Gap { from, until };
            gaps.add(gap, address.as_deref());
            missed.extend(address.is_none().then_some(gap));
        }
        for link in store.links().await? {
            gaps.go_on_from(&link, now);
        }
        let book = Arc::new(Book::new(Arc::clone(store)));
        book.refresh().await?;
        let in_flight = dispatch::in_flight(store.as_ref(), epoch).await?;
        let holds = Arc::new(Holds::default());
        let seq = store.seq().await?;
        holds.replace(store.holds().await?, seq, now);
        let in_effect = load_overrides(store.as_ref(), config, now).await?;
        Ok(Self { gaps, missed, book, holds, in_effect, in_flight })
    }
}

fn count_by_lane(in_flight: &[Loaded]) -> BTreeMap<LaneId, u32> {
    let mut counts = BTreeMap::new();
    for message in in_flight {
        *counts.entry(message.lane).or_default() += 1;
    }
    counts
}

/// Builds the lanes, and settles the messages that earlier servers had in flight.
async fn build_lanes(
    building: &build::Building<'_>,
    transport: &impl Fn(&config::Lane) -> Result<Box<dyn Transport>, StartError>,
    in_flight: &[Loaded],
    now: Timestamp,
) -> Result<build::Built, StartError> {
    let in_flight_by_lane = count_by_lane(in_flight);
    let built = building.lanes(transport, &in_flight_by_lane).await?;
    if !in_flight.is_empty() {
        let lanes_in_flight = built.lanes.iter().filter(|lane| in_flight_by_lane.contains_key(&lane.id));
        recover(building.store.as_ref(), building.book, lanes_in_flight, in_flight, now).await?;
    }
    Ok(built)
}

/// Settles all messages that earlier servers had claimed, and records an event. `lanes` are those whose buckets count
/// them.
async fn recover(
    store: &dyn Store,
    book: &Book,
    lanes: impl Iterator<Item = &Arc<RunningLane>>,
    in_flight: &[Loaded],
    now: Timestamp,
) -> Result<(), StartError> {
    // The buckets, which count these messages already, are stored first: once the messages are settled, nothing else
    // shows that their tokens were spent.
    store.record_noting(Vec::new(), lanes.flat_map(|lane| lane.to_note()).collect()).await?;
    dispatch::recover(store, book, in_flight, now).await?;
    let kind = EventKind::FoundInFlight { messages: in_flight.len() as u64 };
    store.record_event(Event::by_server(now, Subject::Server, kind)).await?;
    Ok(())
}

/// Builds the options of the applier, and the channel for the changes of tier slots that it reports.
fn applier_options(
    config: &Config,
    lanes: &[Arc<RunningLane>],
    gaps: &Arc<Gaps>,
    missed: Vec<Gap>,
) -> (receipts::ApplierOptions, mpsc::Receiver<SlotChange>) {
    let (changed, slot_changes) = mpsc::channel(SLOT_CHANGES_MAX);
    let (senders, takers, gaps) = (lanes.to_vec(), lanes.to_vec(), Arc::clone(gaps));
    let options = receipts::ApplierOptions {
        subaccounts: config.lanes.iter().map(|lane| lane.provider.sub_account.clone()).collect(),
        lanes: config.lanes.clone(),
        words: Words::with(
            &config.opt_out.stop,
            &config.opt_out.start,
            &config.opt_out.ignore,
            &config.opt_out.contains,
        ),
        stops: config.opt_out.stop_means,
        confirms: config.opt_out.confirm.is_some(),
        missed,
        on_slot_change: Callback::new(move |change: SlotChange| {
            // A returned slot may be lost: it stays taken for a day. A slot that is taken must be counted, so half of the
            // channel is kept for those.
            if !change.is_free || changed.capacity() > SLOT_CHANGES_MAX / 2 {
                let _ = changed.try_send(change);
            }
        }),
        on_throttled: Callback::new(move |receipt: receipts::Throttled| {
            if let Some(lane) = senders.iter().find(|lane| lane.config.name == receipt.lane) {
                lane.throttled_by_receipt(receipt.begun, receipt.reason);
            }
        }),
        on_webhook: Callback::new(move |webhook: receipts::WebhookArrived| {
            gaps.webhook_arrived(&webhook.subaccounts, webhook.at);
        }),
        buckets: Callback::new(move |()| takers.iter().flat_map(|lane| lane.to_note()).collect()),
    };
    (options, slot_changes)
}

/// Makes the callback that updates the gaps, which hold deadlines at once, and the channel by which the watch receives
/// ended gaps to record.
fn listening_report(gaps: &Arc<Gaps>, clock: &Arc<dyn Clock>) -> (ListeningReport, mpsc::Receiver<watch::Missed>) {
    // If it is full, a gap holds deadlines here but is not recorded for the next server. One gap a minute is already a
    // failing disk.
    let (ended, missed) = mpsc::channel(64);
    let (gaps, clock) = (Arc::clone(gaps), Arc::clone(clock));
    let report = move |listening| match listening {
        Listening::Failing { since } => gaps.doubt_since(since),
        Listening::Resumed(gap) => {
            let _ = ended.try_send((gap, gaps.add(gap, None)));
        }
        Listening::Rejected(lane) => gaps.turned_away(lane, clock.now()),
        Listening::Pending(since) => gaps.behind(since),
    };
    (Arc::new(report), missed)
}
