//! One seed's world: acts, one after the other, in the order that the seed picks.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use super::act::{self, Act, Fault, Turned};
use super::fate::{AllGone, Fate, Mortal, Traffic};
use super::holds::Holds;
use super::laid_out::{die_launching, launch};
use super::net::{Hook, Line, Net, Trouble};
use super::scene::{Scene, person};
use super::wishes::Wish;
use crate::clock::{Chance, Clock, ManualClock};
use crate::config::Config;
use crate::domain::{BatchId, BatchState, Knob, Span, StepIndex, Timestamp, WishFrom};
use crate::node::{ByHand, Parts, StartError};
use crate::provider::Transport;
use crate::simulator::{Faults, Model};
use crate::store::{self, Dial, Hold, OptOut, StepHeldBy, StepHold, Store};
use crate::throttle::{in_file, turned};

/// When every world begins.
pub(super) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(super) const PERSON: &str = "a person";

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) clock: Arc<ManualClock>,
    chance: Arc<Chance>,
    pub(super) config: Arc<Config>,
    pub(super) store: Arc<dyn Store>,
    pub(super) net: Arc<Net>,
    pub(super) fate: Arc<Fate>,
    traffic: Arc<Traffic>,
    /// Nothing while the process is dead.
    pub(super) node: Option<ByHand>,
    hands: FuturesUnordered<BoxFuture<'static, ()>>,
    pub(super) holds: Holds,
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
        let net = Arc::new(Net::new(model, Arc::clone(&clock), dice.u64(..)));
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
            hands: FuturesUnordered::new(),
            holds,
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
        let act = act::draw(self.seed, number, self.lanes(), self.node.is_some());
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
        if !self.traffic.has_changed() && !self.net.has_posted() {
            return;
        }
        let changed = self.holds.check(self.clock.now(), &mut self.told).await;
        self.changed += u64::try_from(changed).unwrap();
    }

    /// Does it. Returns whether it came to its end as it should.
    async fn act(&mut self, act: Act) -> bool {
        let (fate, now) = (Arc::clone(&self.fate), self.clock.now());
        // Nothing where the process has died of it.
        let done = match (act, &mut self.node) {
            (Act::Claim { lane, anyway }, Some(node)) => {
                fate.outlive(node.claim(lane, anyway)).await.map(|claimed| claimed.is_ok())
            }
            (Act::HandOver { lane, requests }, Some(node)) => {
                let (hands, net) = (&mut self.hands, &self.net);
                let arrived = net.arrived();
                let handing_over = async {
                    for _ in 0..requests {
                        let Some(hand) = node.next(lane).await else { break };
                        hands.push(hand);
                        // As far as the line, where it waits for its answer.
                        while hands.len() > net.held() {
                            tokio::select! {
                                biased;
                                _ = hands.next() => {}
                                () = arrived.notified() => {}
                            }
                        }
                    }
                    true
                };
                fate.outlive(handing_over).await
            }
            (Act::Answer(which), Some(_)) => match self.net.held() {
                0 => Some(true),
                held if self.net.answer(which % held) => fate.outlive(self.hands.next()).await.map(|_| true),
                _ => Some(true),
            },
            (Act::Record, Some(node)) => fate.outlive(node.record()).await.map(|done| done.is_ok()),
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
                let msisdn = person(who).msisdn;
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
                let hold = StepHold { batch, step, by, why: PERSON.to_owned(), since: now };
                self.store.hold_step(hold).await.unwrap();
            }
            Act::Amend { which, to } => self.amend(which, to).await,
            Act::Release => self.release().await,
            Act::Turn { lane, to, by_person } => self.turn(lane, to, by_person).await,
            _ => {}
        }
    }

    /// Changes something, as a command or an event of the account does.
    async fn turn(&mut self, lane: usize, to: Turned, by_person: bool) {
        let (now, lane) = (self.clock.now(), &self.config.lanes[lane]);
        let (knob, name, value) = match to {
            Turned::Rate(value) => (Knob::Rate, Some(lane.name.as_str()), value),
            Turned::Burst(value) => (Knob::Burst, Some(lane.name.as_str()), value),
            Turned::Tier(value) => (Knob::Tier, lane.tiered(), value),
        };
        let Some(name) = name.map(str::to_owned) else { return };
        match value {
            None => {
                self.store.turn_back(knob, name, PERSON.to_owned(), now).await.unwrap();
            }
            Some(value) => {
                let in_file = in_file(&self.config, knob, &name).unwrap();
                let (value, why) = (value.to_owned(), PERSON.to_owned());
                self.store.turn(Dial { knob, name, value, in_file, by_person, why, since: now }, now).await.unwrap();
            }
        }
        let turned = self.turned().await;
        self.holds.paces.turned(&turned, now);
    }

    /// The configuration as it has been turned by now.
    async fn turned(&self) -> Config {
        turned(&self.config, &self.store.dials().await.unwrap())
    }

    /// The provider says how it stands with the template. Returns whether the process has lived through it.
    async fn template(&mut self, word: &str, twice: bool) -> bool {
        let Some(node) = &mut self.node else { return true };
        let event = serde_json::json!({
            "eventId": format!("{word} {}", self.acts),
            "timestamp": self.clock.now().rfc3339(),
            "eventType": "template_status_update",
            "eventDetails": { "templateName": "promo", "templateLanguage": "en", "meta": { "status": word } },
        });
        let event = event.to_string();
        let bodies = vec![event.as_bytes(); if twice { 2 } else { 1 }];
        let taken = self.fate.outlive(node.take(&bodies)).await;
        if word == "APPROVED" {
            self.holds.lifted("promo");
        }
        taken.is_some()
    }

    pub(super) async fn release(&mut self) {
        for hold in self.store.holds().await.unwrap() {
            self.store
                .release(hold.lane.clone(), hold.template.clone(), self.clock.now(), PERSON.to_owned())
                .await
                .unwrap();
            self.holds.released(&hold);
        }
        for batch in self.holds.batches().collect::<Vec<_>>() {
            self.store.release_steps(batch, None, PERSON.to_owned(), self.clock.now()).await.unwrap();
        }
        self.holds.released_steps();
    }

    /// People call off what has used up its limits: it would wait for ever.
    pub(super) async fn give_up(&mut self) {
        let holds = self.store.step_holds().await.unwrap();
        let at_limit = holds.iter().filter(|hold| hold.by == StepHeldBy::Limit);
        let at_limit: Vec<BatchId> = at_limit.map(|hold| hold.batch).collect();
        for (which, batch) in self.holds.batches().collect::<Vec<_>>().into_iter().enumerate() {
            let row = self.store.batch(batch).await.unwrap().unwrap();
            let is_spent = row.state == BatchState::Paused || at_limit.contains(&batch);
            if is_spent {
                self.move_batch(which, &[BatchState::Running, BatchState::Paused], BatchState::Cancelling).await;
            }
        }
    }

    pub(super) async fn move_batch(&mut self, which: usize, from: &[BatchState], to: BatchState) {
        let Some(batch) = self.holds.batches().nth(which) else { return };
        let why = Some(PERSON.to_owned());
        let moved = self.store.move_batch(batch, from.to_vec(), to, why, self.clock.now()).await.unwrap();
        if moved.is_some() {
            self.holds.moved(batch, to);
        }
    }

    /// Lets time pass. Webhooks that fall due find nobody while the process is dead.
    pub(super) fn wait(&mut self, span: Span) {
        let until = self.clock.now() + span;
        while self.node.is_none() {
            for hook in self.net.due() {
                self.net.missed(hook);
            }
            let Some(next) = self.net.next().filter(|next| *next <= until) else { break };
            self.clock.advance(next.since(self.clock.now()));
        }
        self.clock.advance(until.since(self.clock.now()));
    }

    /// Until then each webhook comes in its time. Returns whether the process has lived through it.
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

    /// Some of the webhooks that are due, in any order. Returns whether the process has lived through it.
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
        let Some(node) = &mut self.node else {
            group.into_iter().for_each(|hook| self.net.missed(hook));
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
            match taken.as_ref().and_then(|taken| taken.get(place)) {
                Some(Ok(())) => wishes.extend(self.net.taken(&hook)),
                Some(Err(_)) | None => self.net.missed(hook),
            }
        }
        for wish in wishes {
            self.holds.wish(wish, self.clock.now());
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
            self.holds.note().await;
            let turned = self.turned().await;
            self.holds.paces.obeyed(&turned, self.clock.now());
        }
    }

    pub(super) async fn start(&mut self) {
        self.fate = Arc::default();
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
        let net = Arc::clone(&self.net);
        let config = Arc::clone(&self.config);
        let transport = move |lane: &crate::config::Lane| -> Result<Box<dyn Transport>, StartError> {
            let lane = config.lanes.iter().position(|known| known.name == lane.name).unwrap();
            Ok(Box::new(Line { net: Arc::clone(&net), lane }))
        };
        self.node = Some(ByHand::start(parts, transport).await.unwrap());
        self.holds.note().await;
        let turned = self.turned().await;
        self.holds.paces.obeyed(&turned, self.clock.now());
    }

    fn die(&mut self) {
        self.deaths += 1;
        self.node = None;
        self.hands.clear();
        self.net.hang_up();
    }

    /// Nothing goes wrong by itself any more, and everybody lets it go on.
    pub(super) async fn clear_up(&mut self) {
        self.net.set_trouble(Trouble::default());
        self.net.change_faults(|faults| *faults = Faults::default());
        self.fate.set_failing(false);
        self.fate.die_at_write(0, false);
        if self.deaths == 0 {
            self.go(Act::Kill, None).await;
        }
        if self.node.is_none() {
            self.start().await;
        }
        self.release().await;
        for which in 0..2 {
            self.move_batch(which, &[BatchState::Paused], BatchState::Running).await;
        }
    }
}
