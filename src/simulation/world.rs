//! One seed's world: acts, one after the other, in the order that the seed picks.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use super::fate::{Fate, Mortal};
use super::holds::Holds;
use super::net::{Hook, Line, Net, Trouble};
use super::scene::{LANES, Scene, number, one_of};
use crate::campaign::{Draft, Launcher};
use crate::clock::{Chance, Clock, ManualClock};
use crate::config::Config;
use crate::domain::{BatchState, Msisdn, Span, Timestamp, WishFrom};
use crate::node::{ByHand, Parts, StartError};
use crate::provider::Transport;
use crate::simulator::Model;
use crate::store::{self, OptOut, Store};

/// When every world begins.
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// Rounds after the storm in which everything has to come to rest.
const ROUNDS: u32 = 1_000;

pub(super) struct World {
    dice: fastrand::Rng,
    clock: Arc<ManualClock>,
    chance: Arc<Chance>,
    config: Arc<Config>,
    store: Arc<dyn Store>,
    net: Arc<Net>,
    fate: Arc<Fate>,
    /// Nothing while the process is dead.
    node: Option<ByHand>,
    hands: FuturesUnordered<BoxFuture<'static, ()>>,
    holds: Holds,
    pub(super) deaths: u32,
    pub(super) changed: u64,
    /// The latest acts, for whoever has to understand a failure.
    pub(super) history: VecDeque<String>,
}

/// What can happen next.
#[derive(Debug, Clone, Copy)]
enum Act {
    Claim(usize),
    HandOver(usize),
    Answer,
    Record,
    Webhooks,
    Fire,
    KeepHouse,
    Watch,
    Strays,
    Ask,
    Wait(Span),
    WaitForNext,
    Start,
    Kill,
    PlanDeath(u32, bool),
    Disk(bool),
    Jump(i64),
    Storm,
    Faults(u8),
    Pause,
    Resume,
    Cancel,
    OptOut(u32),
    Release,
}

impl World {
    /// What each act changes is told in the history too.
    pub(super) fn tell(&mut self) {
        self.holds.told = Some(Vec::new());
    }

    pub(super) async fn begin(seed: u64) -> Self {
        let mut dice = fastrand::Rng::with_seed(seed);
        let scene = Scene::draw(&mut dice);
        let clock = Arc::new(ManualClock::at(START));
        let chance = Arc::new(Chance::seeded(dice.u64(..)));
        let path = std::path::Path::new("volley.toml");
        let nothing = std::iter::empty::<(&str, String)>();
        let config = Config::read(Some((path, &scene.config)), std::iter::empty(), nothing);
        let config = Arc::new(config.unwrap_or_else(|error| panic!("{error}\n{}", scene.config)).config);
        let store = store::open("sqlite::memory:", Arc::clone(&clock) as _).await.unwrap();
        let model = Model::new(scene.profile.clone(), dice.u64(..)).with_key(Some("test".to_owned()));
        let net = Arc::new(Net::new(model, Arc::clone(&clock), dice.u64(..)));
        let draft = Draft::parse("storm.toml", &scene.campaign);
        let draft = draft.unwrap_or_else(|error| panic!("{error}\n{}", scene.campaign));
        let launcher = Launcher { store: store.as_ref(), clock: clock.as_ref(), chance: &chance, config: &config };
        let launched = launcher.launch(&draft, |_| None).await;
        let (launched, _) = launched.unwrap_or_else(|error| panic!("{error:?}\n{}", scene.campaign));
        assert_eq!(launched.messages, scene.people);
        let holds = Holds::new(Arc::clone(&store), Arc::clone(&net), Arc::clone(&config), launched.batch).await;
        let mut world = Self {
            dice,
            clock,
            chance,
            config,
            store,
            net,
            fate: Arc::default(),
            node: None,
            hands: FuturesUnordered::new(),
            holds,
            deaths: 0,
            changed: 0,
            history: VecDeque::new(),
        };
        world.start().await;
        world
    }

    /// One act, and what must hold after it.
    pub(super) async fn step(&mut self) {
        let act = self.pick();
        self.go(act).await;
    }

    async fn go(&mut self, act: Act) {
        let ago = self.clock.now().since(START);
        while self.history.len() > 60 && self.holds.told.is_none() {
            self.history.pop_front();
        }
        self.history.push_back(format!("{ago:>12}  {act:?}{}", if self.node.is_none() { "  (dead)" } else { "" }));
        self.act(act).await;
        self.check().await;
    }

    async fn check(&mut self) {
        let changed = self.holds.check(self.clock.now()).await;
        self.history.extend(self.holds.told.iter_mut().flat_map(std::mem::take));
        self.changed += u64::try_from(changed).unwrap();
    }

    fn pick(&mut self) -> Act {
        let dice = &mut self.dice;
        if self.node.is_none() {
            return match dice.u32(..10) {
                0..5 => Act::Start,
                5..8 => Act::Wait(Span::from_millis(dice.i64(1..300_000))),
                8 => Act::WaitForNext,
                _ => self.person(),
            };
        }
        match dice.u32(..1_000) {
            0..150 => Act::Claim(dice.usize(..LANES.len())),
            150..330 => Act::HandOver(dice.usize(..LANES.len())),
            330..470 => Act::Answer,
            470..570 => Act::Record,
            570..660 => Act::Webhooks,
            660..730 => Act::Fire,
            730..750 => Act::KeepHouse,
            750..780 => Act::Watch,
            780..790 => Act::Ask,
            790..800 => Act::Strays,
            800..860 => Act::Wait(Span::from_millis(one_of(dice, &[1, 20, 300, 2_000, 30_000]))),
            860..900 => Act::WaitForNext,
            900..908 => Act::Kill,
            908..926 => Act::PlanDeath(dice.u32(1..6), dice.bool()),
            926..936 => Act::Disk(!self.fate.is_failing()),
            936..940 => Act::Jump(dice.i64(-400_000..400_000)),
            940..960 => Act::Storm,
            960..975 => Act::Faults(dice.u8(..6)),
            _ => self.person(),
        }
    }

    fn person(&mut self) -> Act {
        match self.dice.u32(..20) {
            0..4 => Act::Pause,
            4..11 => Act::Resume,
            11..12 => Act::Cancel,
            12..15 => Act::OptOut(self.dice.u32(..20)),
            _ => Act::Release,
        }
    }

    async fn act(&mut self, act: Act) {
        let (fate, now) = (Arc::clone(&self.fate), self.clock.now());
        let lived = match (act, &mut self.node) {
            (Act::Claim(lane), Some(node)) => fate.outlive(node.claim(lane)).await.is_some(),
            (Act::HandOver(lane), Some(node)) => match fate.outlive(node.next(lane)).await {
                Some(Some(hand)) => {
                    self.hands.push(hand);
                    // As far as the line, where it waits for its answer.
                    let _ = futures_util::poll!(self.hands.next());
                    true
                }
                Some(None) => true,
                None => false,
            },
            (Act::Answer, Some(_)) => match self.net.held() {
                0 => true,
                held => {
                    self.net.answer(self.dice.usize(..held));
                    fate.outlive(self.hands.next()).await.is_some()
                }
            },
            (Act::Record, Some(node)) => fate.outlive(node.record()).await.is_some(),
            (Act::Fire, Some(node)) => fate.outlive(node.fire()).await.is_some(),
            (Act::KeepHouse, Some(node)) => fate.outlive(node.keep_house()).await.is_some(),
            (Act::Ask, Some(node)) => fate.outlive(node.ask()).await.is_some(),
            (Act::Strays, Some(node)) => fate.outlive(node.retry_strays()).await.is_some(),
            (Act::Watch, Some(node)) => {
                let watched = fate.outlive(node.watch()).await.is_some();
                self.note().await;
                watched
            }
            (Act::Webhooks, _) => self.webhooks().await,
            (Act::Start, None) => {
                self.start().await;
                true
            }
            (Act::Kill, Some(_)) => false,
            _ => {
                self.outside(act, now).await;
                true
            }
        };
        if !lived {
            self.die();
        }
    }

    /// What happens without the process.
    async fn outside(&mut self, act: Act, now: Timestamp) {
        match act {
            Act::Wait(span) => self.wait(span).await,
            Act::WaitForNext => {
                let due = self.store.next_due(self.holds.batch).await.unwrap();
                let next = self.net.next().into_iter().chain(due).min().filter(|at| *at > now);
                self.wait(next.map_or(Span::from_secs(1), |at| at.since(now))).await;
            }
            Act::PlanDeath(writes, after_commit) => self.fate.die_at_write(writes, after_commit),
            Act::Disk(failing) => self.fate.set_failing(failing),
            Act::Jump(millis) => self.clock.jump(millis),
            Act::Storm => {
                let mut share = || if self.dice.bool() { 0.0 } else { self.dice.f64() * 0.3 };
                let trouble = Trouble {
                    refused: share(),
                    cut_before: share(),
                    cut_after: share(),
                    broken_answer: share(),
                    webhook_lost: share(),
                    webhook_twice: share(),
                    webhook_late: share(),
                };
                self.net.set_trouble(trouble);
            }
            Act::Faults(which) => self.net.change_faults(|faults| {
                *faults = crate::simulator::Faults::default();
                match which {
                    0 => faults.key_refused = true,
                    1 => faults.template_missing = Some("promo".to_owned()),
                    2 => faults.template_paused = Some("promo".to_owned()),
                    3 => faults.no_credit = true,
                    4 => faults.throttle = 0.5,
                    _ => {}
                }
            }),
            Act::Pause => self.move_batch(&[BatchState::Running], BatchState::Paused).await,
            Act::Resume => self.move_batch(&[BatchState::Paused], BatchState::Running).await,
            Act::Cancel => {
                let from = [BatchState::Running, BatchState::Paused, BatchState::Finished];
                self.move_batch(&from, BatchState::Cancelling).await;
            }
            Act::OptOut(person) => {
                let msisdn = Msisdn::try_from(number(person)).unwrap();
                let person = OptOut { msisdn, since: now, from: WishFrom::Operator, source: "a person".to_owned() };
                self.store.opt_out(vec![person]).await.unwrap();
                self.holds.opted_out.entry(msisdn).or_insert(now);
            }
            Act::Release => self.release().await,
            _ => {}
        }
    }

    async fn release(&self) {
        for hold in self.store.holds().await.unwrap() {
            self.store.release(hold.lane, hold.template, self.clock.now(), "a person".to_owned()).await.unwrap();
        }
    }

    async fn move_batch(&self, from: &[BatchState], to: BatchState) {
        let why = Some("a person".to_owned());
        self.store.move_batch(self.holds.batch, from.to_vec(), to, why, self.clock.now()).await.unwrap();
    }

    /// Lets time pass. Webhooks that fall due find nobody while the process is dead.
    async fn wait(&mut self, span: Span) {
        self.clock.advance(span);
        if self.node.is_none() {
            for hook in self.net.due() {
                self.net.missed(hook);
            }
        }
    }

    /// Some of the webhooks that are due, in any order.
    async fn webhooks(&mut self) -> bool {
        let mut due = self.net.due();
        self.dice.shuffle(&mut due);
        let group: Vec<Hook> = due.split_off(due.len() - self.dice.usize(0..=due.len()));
        for later in due {
            self.net.put_back(later);
        }
        let Some(node) = &mut self.node else { return true };
        if group.is_empty() {
            return true;
        }
        let bodies: Vec<&[u8]> = group.iter().map(|hook| &hook.event[..]).collect();
        let taken = self.fate.outlive(node.take(&bodies)).await;
        let lived = taken.is_some();
        for (place, hook) in group.into_iter().enumerate() {
            match taken.as_ref().and_then(|taken| taken.get(place)) {
                Some(Ok(())) => self.net.taken(&hook),
                Some(Err(_)) | None => self.net.missed(hook),
            }
        }
        lived
    }

    /// Whether the node says that it obeys, and what.
    async fn note(&mut self) {
        let (seq, nodes) = (self.store.seq().await.unwrap(), self.store.nodes(Timestamp::default()).await.unwrap());
        if nodes.iter().any(|node| node.noted == seq) {
            self.holds.noted = self.store.batch(self.holds.batch).await.unwrap().unwrap().state;
        }
    }

    async fn start(&mut self) {
        self.fate = Arc::default();
        let store: Arc<dyn Store> = Arc::new(Mortal { store: Arc::clone(&self.store), fate: Arc::clone(&self.fate) });
        let parts = Parts {
            config: Arc::clone(&self.config),
            store,
            clock: Arc::clone(&self.clock) as _,
            chance: Arc::clone(&self.chance),
        };
        let net = Arc::clone(&self.net);
        let transport = move |_: &crate::config::Lane| -> Result<Box<dyn Transport>, StartError> {
            Ok(Box::new(Line(Arc::clone(&net))))
        };
        self.node = Some(ByHand::start(parts, transport).await.unwrap());
        self.holds.noted = self.store.batch(self.holds.batch).await.unwrap().unwrap().state;
    }

    fn die(&mut self) {
        self.deaths += 1;
        self.node = None;
        self.hands.clear();
        self.net.hang_up();
    }

    /// The storm is over: everything works, everybody lets it go on, and all of it comes to rest.
    pub(super) async fn calm(&mut self) {
        self.net.set_trouble(Trouble::default());
        self.net.change_faults(|faults| *faults = crate::simulator::Faults::default());
        self.fate.set_failing(false);
        self.fate.die_at_write(0, false);
        if self.node.is_none() {
            self.start().await;
        }
        self.release().await;
        self.move_batch(&[BatchState::Paused], BatchState::Running).await;
        for _ in 0..ROUNDS {
            self.round().await;
            let batch = self.store.batch(self.holds.batch).await.unwrap().unwrap();
            if batch.settled_at.is_some() && self.net.next().is_none() {
                self.holds.check_end(self.clock.now()).await;
                return;
            }
        }
        let open = self.store.open_messages(self.holds.batch, None, 3).await.unwrap();
        let in_flight = self.store.in_flight(None, 3).await.unwrap();
        let batch = self.store.batch(self.holds.batch).await.unwrap().unwrap();
        let tallies = self.store.tallies(self.holds.batch).await.unwrap();
        let counts: Vec<_> = tallies.entries().filter(|(_, _, n)| *n != 0).collect();
        let gaps = self.store.gaps().await.unwrap();
        panic!(
            "it does not come to rest: {} at {}, {counts:?}, gaps {gaps:?}, next {:?}, {:?}; open {open:?}, in flight {in_flight:?}",
            batch.state,
            self.clock.now().rfc3339(),
            self.net.next(),
            self.node.as_ref().map(ByHand::lanes),
        );
    }

    /// Everything that can be done now, and then some time.
    async fn round(&mut self) {
        self.go(Act::Watch).await;
        for lane in 0..LANES.len() {
            self.go(Act::Claim(lane)).await;
            for _ in 0..8 {
                self.go(Act::HandOver(lane)).await;
            }
        }
        while self.net.held() > 0 {
            self.go(Act::Answer).await;
        }
        self.go(Act::Record).await;
        let due = self.net.due();
        if let Some(node) = &mut self.node
            && !due.is_empty()
        {
            let bodies: Vec<&[u8]> = due.iter().map(|hook| &hook.event[..]).collect();
            assert!(node.take(&bodies).await.iter().all(Result::is_ok));
            due.iter().for_each(|hook| self.net.taken(hook));
            self.check().await;
        }
        for act in [Act::Fire, Act::Ask, Act::Strays, Act::KeepHouse] {
            self.go(act).await;
        }
        self.release().await;
        let now = self.clock.now();
        let due = self.store.next_due(self.holds.batch).await.unwrap();
        let next = self.net.next().into_iter().chain(due).min().map_or(Span::ZERO, |at| at.since(now));
        let pace = Span::from_millis(one_of(&mut self.dice, &[200, 1_000, 5_000]));
        let open = self.store.tallies(self.holds.batch).await.unwrap().total(crate::domain::Count::Queued) > 0;
        let span = if open { pace } else { next.max(Span::from_millis(50)).min(Span::from_secs(300)) };
        self.wait(span).await;
    }
}
