//! One seed's world: acts, one after the other, in the order that the seed picks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use super::act::{self, Act, Fault, Way};
use super::fate::{AllGone, Fate, Mortal, Traffic};
use super::former::Former;
use super::holds::Holds;
use super::laid_out::{die_launching, launch};
use super::net::{Cut, Hook, Line, Net, Trouble};
use super::reader::Reader;
use super::scene::{PEOPLE, Scene, person};
use super::wishes::Wish;
use crate::clock::{Chance, Clock, ManualClock};
use crate::config::Config;
use crate::domain::{BatchState, Plan, Span, StepIndex, Timestamp, WishFrom};
use crate::node::{ByHand, Parts, StartError};
use crate::provider::Transport;
use crate::simulator::{Faults, Model};
use crate::store::{self, Hold, OptOut, StepHeldBy, StepHold, Store};

/// When every world begins.
pub(super) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(super) const PERSON: &str = "a person";

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) clock: Arc<ManualClock>,
    pub(super) chance: Arc<Chance>,
    pub(super) config: Arc<Config>,
    pub(super) store: Arc<dyn Store>,
    pub(super) net: Arc<Net>,
    pub(super) fate: Arc<Fate>,
    traffic: Arc<Traffic>,
    /// Nothing while the process is dead.
    pub(super) node: Option<ByHand>,
    /// Which of all servers that have been it is.
    pub(super) life: usize,
    /// The one before it, where it was superseded and lives on.
    pub(super) former: Option<Former>,
    /// Who looks at a campaign and has stopped.
    pub(super) reader: Option<Reader>,
    pub(super) hands: FuturesUnordered<BoxFuture<'static, ()>>,
    pub(super) holds: Holds,
    /// By which single messages are sent.
    pub(super) plan: Plan,
    pub(super) deaths: u32,
    pub(super) changed: u64,
    pub(super) acts: u64,
    /// What happened, for whoever has to understand a failure; nothing where nobody wants to read it.
    pub(super) told: Option<Vec<String>>,
}

impl World {
    /// Lays a scene out and starts its first process.
    pub(super) async fn begin(seed: u64, tell: bool) -> Self {
        let mut dice = act::dice(seed, 0);
        let scene = Scene::draw(&mut dice);
        let clock = Arc::new(ManualClock::at(START));
        let chance = Arc::new(Chance::seeded(dice.u64(..)));
        let config = Arc::new(scene.config);
        let store = store::open("sqlite::memory:", Arc::clone(&clock) as _).await.unwrap();
        let model = Model::new(scene.profile, dice.u64(..)).with_key(Some("test".to_owned()));
        let connections = config.lanes.iter().map(|lane| lane.provider.connections.get());
        let net = Arc::new(Net::new(model, Arc::clone(&clock), dice.u64(..), connections));
        let lanes = config.lanes.iter().map(|lane| (lane.name.clone(), lane.channel)).collect();
        store.lanes(lanes).await.unwrap();
        let mut batches = Vec::new();
        for campaign in &scene.campaigns {
            batches.push(launch(campaign, &store, clock.as_ref(), &chance, &config).await);
        }
        die_launching(batches[0], &store, clock.as_ref()).await;
        let mut told = tell.then(Vec::new);
        if let Some(told) = &mut told {
            told.push(scene.config_text);
            told.extend(scene.campaigns.into_iter().map(|campaign| campaign.text));
        }
        let holds = Holds::new(Arc::clone(&store), Arc::clone(&net), Arc::clone(&config), &batches).await;
        let plan = store.plan(batches[0]).await.unwrap().unwrap();
        let mut world = Self {
            seed,
            clock,
            chance,
            config,
            store,
            net,
            fate: Arc::default(),
            traffic: Arc::default(),
            node: None,
            life: 0,
            former: None,
            reader: None,
            hands: FuturesUnordered::new(),
            holds,
            plan,
            deaths: 0,
            changed: 0,
            acts: 0,
            told,
        };
        world.start().await;
        world
    }

    pub(super) fn lanes(&self) -> usize {
        self.config.lanes.len()
    }

    /// The act of that number, and what must hold after it.
    pub(super) async fn storm(&mut self, number: u32) {
        let act = act::draw(self.seed, number, self.lanes(), self.node.is_some(), self.former.is_some());
        self.go(act, Some(number)).await;
    }

    pub(super) async fn go(&mut self, act: Act, number: Option<u32>) {
        if let Some(told) = &mut self.told {
            let ago = self.clock.now().since(START);
            let number = number.map_or_else(|| "calm".to_owned(), |number| number.to_string());
            let dead = if self.node.is_none() { "  (dead)" } else { "" };
            told.push(format!("{ago:>12}  {number:>5}  {act:?}{dead}"));
        }
        self.acts += 1;
        let fired = matches!(act, Act::Fire);
        self.holds.is_foreign = matches!(act, Act::Foreign(_));
        let done = self.act(act).await;
        self.check().await;
        if fired && done && self.node.is_some() {
            self.holds.check_fired(self.clock.now());
        }
    }

    /// Holds everything against what is on disk, where anything has happened.
    pub(super) async fn check(&mut self) {
        if self.traffic.has_opted() {
            self.holds.learn_opt_outs(self.clock.now()).await;
        }
        if !self.traffic.has_changed() && !self.net.has_moved() {
            return;
        }
        let changed = self.holds.check(self.clock.now(), &mut self.told).await;
        self.changed += u64::try_from(changed).unwrap();
    }

    /// Does it. Returns whether it came to its end as it should.
    async fn act(&mut self, act: Act) -> bool {
        let (fate, now, life) = (Arc::clone(&self.fate), self.clock.now(), self.life);
        // Nothing where the process has died of it.
        let done = match (act, &mut self.node) {
            (Act::Claim { lane, anyway }, Some(node)) => {
                fate.outlive(node.claim(lane, anyway)).await.map(|claimed| claimed.is_ok())
            }
            (Act::HandOver { lane, requests }, Some(node)) => {
                let (hands, net) = (&mut self.hands, &self.net);
                let has_begun = net.has_begun();
                let handing_over = async {
                    for _ in 0..requests {
                        let Some(hand) = node.next(lane).await else { break };
                        hands.push(hand);
                        // As far as the line, where it waits for its answer.
                        while hands.len() > net.held_by(life) {
                            tokio::select! {
                                biased;
                                _ = hands.next() => {}
                                () = has_begun.notified() => {}
                            }
                        }
                    }
                    true
                };
                fate.outlive(handing_over).await
            }
            (Act::Answer(which), Some(node)) => {
                let renewed = fate.outlive(node.renew()).await;
                self.former_looks().await;
                match (renewed, self.net.held()) {
                    (None, _) => None,
                    (Some(()), 0) => Some(true),
                    (Some(()), held) => match self.net.answer(which % held) {
                        Some(of) if of == life => fate.outlive(self.hands.next()).await.map(|_| true),
                        Some(of) => {
                            self.answered_former(of).await;
                            Some(true)
                        }
                        None => Some(true),
                    },
                }
            }
            (Act::Record, Some(node)) => {
                let recorded = fate.outlive(node.record()).await.map(|done| done.is_ok());
                self.holds.can_record = recorded != Some(false);
                recorded
            }
            (Act::Fire, Some(node)) => fate.outlive(node.fire()).await.map(|done| done.is_ok()),
            (Act::KeepHouse, Some(node)) => fate.outlive(node.keep_house()).await.map(|done| done.is_ok()),
            (Act::Ask, Some(node)) => fate.outlive(node.ask()).await.map(|done| done.is_ok()),
            (Act::Strays, Some(node)) => fate.outlive(node.retry_strays()).await.map(|done| done.is_ok()),
            (Act::Watch, Some(node)) => {
                let watched = fate.outlive(node.watch()).await.map(|()| true);
                self.note().await;
                watched
            }
            (Act::Template { word, twice }, Some(_)) => self.template(word, twice).await.then_some(true),
            (Act::Webhooks(seed), _) => self.webhooks(seed).await.then_some(true),
            (Act::Foreign(seed), Some(_)) => self.foreign(seed).await.then_some(true),
            (Act::Outage(span), Some(_)) => {
                let was_failing = fate.is_failing();
                fate.set_failing(true);
                let lived = self.outage(now + span).await;
                fate.set_failing(was_failing);
                lived.then_some(true)
            }
            (Act::Supersede { was_stopped }, Some(_)) => {
                self.supersede(was_stopped).await;
                Some(true)
            }
            (Act::Former(act), _) => {
                self.act_of_former(act).await;
                Some(true)
            }
            (Act::Start, None) => {
                self.start().await;
                Some(true)
            }
            (Act::Kill, Some(_)) => None,
            _ => {
                self.outside(act, now).await;
                Some(true)
            }
        };
        if done.is_none() {
            self.die();
        }
        done == Some(true)
    }

    /// What happens without the process.
    async fn outside(&mut self, act: Act, now: Timestamp) {
        match act {
            Act::Wait(span) => self.wait(span),
            Act::WaitForNext => {
                let due = self.holds.next_due();
                let next = self.net.next().into_iter().chain(due).min().filter(|at| *at > now);
                self.wait(next.map_or(Span::from_secs(1), |at| at.since(now)));
            }
            Act::PlanDeath { writes, after_commit } => self.fate.die_at_write(writes, after_commit),
            Act::Disk { full } => self.fate.set_failing(full),
            Act::Jump(millis) => self.clock.jump(millis),
            Act::Trouble(trouble) => self.net.set_trouble(trouble),
            Act::Cut { what, lasts } => self.net.cut(Some(Cut {
                requests: matches!(what, Way::Out | Way::Both),
                answers: matches!(what, Way::Answers | Way::AnswersAndIn),
                webhooks: matches!(what, Way::In | Way::Both | Way::AnswersAndIn),
                until: now + lasts,
            })),
            Act::Fault(fault) => self.net.change_faults(|faults| {
                *faults = Faults::default();
                match fault {
                    Fault::KeyRefused => faults.key_refused = true,
                    Fault::TemplateMissing => faults.template_missing = Some("promo".to_owned()),
                    Fault::TemplatePaused => faults.template_paused = Some("promo".to_owned()),
                    Fault::NoCredit => faults.no_credit = true,
                    Fault::Throttle => faults.throttle = 0.5,
                    Fault::None => {}
                }
            }),
            Act::Pause(which) => self.move_batch(which, &[BatchState::Running], BatchState::Paused).await,
            Act::Resume(which) => self.move_batch(which, &[BatchState::Paused], BatchState::Running).await,
            Act::Cancel(which) => {
                let from = [BatchState::Running, BatchState::Paused, BatchState::Finished];
                self.move_batch(which, &from, BatchState::Cancelling).await;
            }
            Act::OptOut(who) => {
                let claimed = self.holds.in_hand();
                let place = usize::try_from(who).unwrap();
                let msisdn = match who.checked_sub(PEOPLE) {
                    Some(_) if !claimed.is_empty() => claimed[place % claimed.len()],
                    _ => person(who % PEOPLE).msisdn,
                };
                let person = OptOut { msisdn, since: now, from: WishFrom::Operator, source: PERSON.to_owned() };
                self.store.opt_out(vec![person]).await.unwrap();
                self.holds.unwilling.stops_for_good(msisdn, now);
            }
            Act::Hold { lane, template } => {
                let template = if template { "promo".to_owned() } else { String::new() };
                let lane = self.config.lanes[lane].name.clone();
                let reason = PERSON.to_owned();
                let hold = Hold::of_person(&lane, &template, reason, now);
                self.store.hold(hold, now).await.unwrap();
            }
            Act::HoldStep { which, step } => {
                let Some(batch) = self.holds.batches().nth(which) else { return };
                let (step, by) = (StepIndex::new(step).unwrap(), StepHeldBy::Person);
                let hold = StepHold { batch, step, by, why: PERSON.to_owned(), since: now, recall: None };
                self.store.hold_step(hold, now).await.unwrap();
            }
            Act::Amend { which, to } => self.amend(which, to).await,
            Act::Release => self.release().await,
            Act::Read(which) => self.read(which).await,
            Act::Join(people) => self.join(people).await,
            Act::Turn { lane, to, by_person } => self.turn(lane, to, by_person).await,
            _ => {}
        }
    }

    /// Lets time pass. Webhooks that fall due are lost while the process is dead, and do not get through while the line
    /// is cut.
    pub(super) fn wait(&mut self, span: Span) {
        let until = self.clock.now() + span;
        loop {
            let deaf_until = self.net.is_deaf_until();
            if self.node.is_some() && deaf_until.is_none() {
                break;
            }
            for hook in self.net.due() {
                self.net.missed(hook, self.node.is_some());
            }
            let deaf_until = deaf_until.filter(|_| self.node.is_some());
            let next = self.net.next().into_iter().chain(deaf_until).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.clock.advance(next.since(self.clock.now()));
        }
        self.clock.advance(until.since(self.clock.now()));
    }

    /// Until then each webhook comes in its time. Returns whether the process still lives.
    async fn outage(&mut self, until: Timestamp) -> bool {
        loop {
            let now = self.clock.now();
            let next = self.net.next().filter(|next| *next < until).unwrap_or(until);
            self.wait(next.since(now).max(Span::ZERO));
            let due = self.net.due();
            if !self.take(due).await {
                return false;
            }
            if next >= until {
                return true;
            }
        }
    }

    /// Some of the webhooks that are due, in any order. Returns whether the process still lives.
    async fn webhooks(&mut self, seed: u64) -> bool {
        let mut dice = fastrand::Rng::with_seed(seed);
        let mut due = self.net.due();
        dice.shuffle(&mut due);
        let group: Vec<Hook> = due.split_off(due.len() - dice.usize(0..=due.len()));
        for later in due {
            self.net.put_back(later);
        }
        self.take(group).await
    }

    pub(super) async fn take(&mut self, group: Vec<Hook>) -> bool {
        let is_cut = self.net.is_deaf_until().is_some();
        let Some(node) = self.node.as_mut().filter(|_| !is_cut) else {
            group.into_iter().for_each(|hook| self.net.missed(hook, is_cut));
            return true;
        };
        if group.is_empty() {
            return true;
        }
        let bodies: Vec<&[u8]> = group.iter().map(|hook| &hook.event[..]).collect();
        let taken = self.fate.outlive(node.take(&bodies)).await;
        let lived = taken.is_some();
        let mut wishes = Vec::new();
        if !lived {
            wishes.extend(self.kept(&group).await);
        }
        for (place, hook) in group.into_iter().enumerate() {
            let answer = taken.as_ref().and_then(|taken| taken.get(place));
            if !matches!(answer, Some(Err(_))) {
                self.holds.windows.hears(&hook.event, self.clock.now());
            }
            match answer {
                Some(Ok(())) => wishes.extend(self.net.taken(&hook)),
                Some(Err(_)) | None => self.net.missed(hook, false),
            }
        }
        for wish in wishes {
            self.holds.wish(wish, self.clock.now(), lived);
        }
        lived
    }

    /// Words by which people have come back, and which were on disk before anybody could tell the provider so.
    async fn kept(&self, group: &[Hook]) -> Vec<Wish> {
        let mut kept = Vec::new();
        for wish in group.iter().filter_map(|hook| Wish::spoken(&hook.event)) {
            if let Wish::Start { who, .. } = wish
                && self.store.opted_out(vec![who]).await.unwrap().is_empty()
            {
                kept.push(wish);
            }
        }
        kept
    }

    /// Whether the node says that it obeys, and what.
    async fn note(&mut self) {
        let (seq, nodes) = (self.store.seq().await.unwrap(), self.store.nodes(Timestamp::default()).await.unwrap());
        if nodes.iter().any(|node| node.noted == seq) {
            self.holds.note(self.clock.now()).await;
            let turned = self.turned().await;
            self.holds.paces.obeyed(&turned, self.clock.now());
        }
    }

    pub(super) async fn start(&mut self) {
        self.fate = Arc::default();
        self.holds.can_record = true;
        self.life = self.net.starts();
        let store: Arc<dyn Store> = Arc::new(Mortal {
            store: Arc::clone(&self.store),
            fate: Arc::clone(&self.fate),
            traffic: Arc::clone(&self.traffic),
        });
        let parts = Parts {
            config: Arc::clone(&self.config),
            store,
            clock: Arc::clone(&self.clock) as _,
            chance: Arc::clone(&self.chance),
            processes: Arc::new(AllGone),
        };
        let (net, life) = (Arc::clone(&self.net), self.life);
        let config = Arc::clone(&self.config);
        // First each lane gets its own, then who asks.
        let made = AtomicUsize::new(0);
        let transport = move |lane: &crate::config::Lane| -> Result<Box<dyn Transport>, StartError> {
            let lane = config.lanes.iter().position(|known| known.name == lane.name).unwrap();
            let is_of_asker = made.fetch_add(1, Ordering::Relaxed) >= config.lanes.len();
            Ok(Box::new(Line { net: Arc::clone(&net), lane, life, is_of_asker }))
        };
        self.node = Some(ByHand::start(parts, transport).await.unwrap());
        self.holds.note(self.clock.now()).await;
        let turned = self.turned().await;
        self.holds.paces.obeyed(&turned, self.clock.now());
    }

    fn die(&mut self) {
        self.deaths += 1;
        self.node = None;
        self.hands.clear();
        self.net.hang_up(self.life);
    }

    /// Nothing goes wrong by itself any more, and everybody lets it go on.
    pub(super) async fn clear_up(&mut self) {
        self.net.set_trouble(Trouble::default());
        self.net.cut(None);
        self.net.change_faults(|faults| *faults = Faults::default());
        // The text of a launched campaign stays what it is, so a refused one has to be accepted at the provider.
        self.net.takes_every_text();
        self.fate.set_failing(false);
        self.fate.die_at_write(0, false);
        self.finish_former().await;
        self.read_on().await;
        if self.deaths == 0 {
            self.go(Act::Kill, None).await;
        }
        if self.node.is_none() {
            self.start().await;
        }
        self.release().await;
        for which in 0..self.holds.batches().count() {
            self.move_batch(which, &[BatchState::Paused], BatchState::Running).await;
        }
    }
}
