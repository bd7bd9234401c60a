//! The world of one seed. It carries out acts one after another, in the order that the seed picks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use super::act::{self, Act, Direction, Fault};
use super::fate::{AllGone, Fate, Mortal, Traffic};
use super::former::Former;
use super::invariants::Invariants;
use super::laid_out::{die_launching, launch, of_single_messages};
use super::net::{Cut, Hook, Line, Net, Trouble};
use super::reader::Reader;
use super::scene::{RECIPIENTS, Scene, recipient};
use super::wishes::{Matter, Wish};
use crate::base::clock::{Chance, Clock, ManualClock};
use crate::base::config::Config;
use crate::base::domain::{BatchState, OptOutOf, OptOutSource, Plan, Span, StepIndex, Timestamp, WishSubject};
use crate::base::events::Origin;
use crate::node::{ByHand, NodeParts, StartError};
use crate::practice::simulator::{Faults, Model};
use crate::provider::client::Transport;
use crate::store::{self, Hold, OptOut, StepHeldBy, StepHold, Store};

/// The time at which every world begins.
pub(super) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(super) const OPERATOR: &str = "an operator";

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) clock: Arc<ManualClock>,
    pub(super) chance: Arc<Chance>,
    pub(super) config: Arc<Config>,
    pub(super) store: Arc<dyn Store>,
    pub(super) net: Arc<Net>,
    pub(super) fate: Arc<Fate>,
    traffic: Arc<Traffic>,
    /// The running server; `None` while the process is dead.
    pub(super) node: Option<ByHand>,
    /// The number of the running server process. Each start gets the next number.
    pub(super) life: usize,
    /// The superseded server, while it lives on.
    pub(super) former: Option<Former>,
    /// A reader of a campaign that stopped in the middle.
    pub(super) reader: Option<Reader>,
    /// Requests in flight.
    pub(super) hands: FuturesUnordered<BoxFuture<'static, ()>>,
    pub(super) invariants: Invariants,
    /// The plan of single messages.
    pub(super) plan: Plan,
    pub(super) deaths: u32,
    pub(super) changed: u64,
    pub(super) acts: u64,
    /// What happened, to explain a failure; `None` where it is not printed.
    pub(super) log: Option<Vec<String>>,
}

impl World {
    /// Sets up a scene and starts its first process.
    pub(super) async fn begin(seed: u64, keep_log: bool) -> Self {
        let mut dice = act::dice(seed, 0);
        let scene = Scene::draw(&mut dice);
        let clock = Arc::new(ManualClock::at(START));
        let chance = Arc::new(Chance::seeded(dice.u64(..)));
        let config = Arc::new(scene.config);
        let store = store::open("sqlite::memory:", Arc::clone(&clock) as _).await.unwrap();
        let model = Model::new(scene.profile, dice.u64(..), START).with_key(Some("test".to_owned()));
        let connections = config.lanes.iter().map(|lane| lane.provider.connections.get());
        let net = Arc::new(Net::new(model, Arc::clone(&clock), dice.u64(..), connections));
        let lanes = config.lanes.iter().map(|lane| (lane.name.clone(), lane.channel)).collect();
        store.lanes(lanes).await.unwrap();
        let mut batches = Vec::new();
        for campaign in &scene.campaigns {
            batches.push(launch(campaign, &store, clock.as_ref(), &chance, &config).await);
        }
        die_launching(batches[0], &store, clock.as_ref()).await;
        let mut log = keep_log.then(Vec::new);
        if let Some(log) = &mut log {
            log.push(scene.config_text);
            log.extend(scene.campaigns.into_iter().map(|campaign| campaign.text));
        }
        let invariants = Invariants::new(Arc::clone(&store), Arc::clone(&net), Arc::clone(&config), &batches).await;
        let plan = of_single_messages(store.plan(batches[0]).await.unwrap().unwrap(), seed);
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
            invariants,
            plan,
            deaths: 0,
            changed: 0,
            acts: 0,
            log,
        };
        world.start().await;
        world
    }

    pub(super) fn lanes(&self) -> usize {
        self.config.lanes.len()
    }

    /// Carries out the act of that number and checks the invariants.
    pub(super) async fn storm(&mut self, number: u32) {
        let act = act::draw(self.seed, number, self.lanes(), self.node.is_some(), self.former.is_some());
        self.go(act, Some(number)).await;
    }

    pub(super) async fn go(&mut self, act: Act, number: Option<u32>) {
        if let Some(log) = &mut self.log {
            let ago = self.clock.now().since(START);
            let number = number.map_or_else(|| "calm".to_owned(), |number| number.to_string());
            let dead = if self.node.is_none() { "  (dead)" } else { "" };
            log.push(format!("{ago:>12}  {number:>5}  {act:?}{dead}"));
        }
        self.acts += 1;
        let fired = matches!(act, Act::Fire);
        self.invariants.is_foreign = matches!(act, Act::Foreign(_));
        let done = self.act(act).await;
        self.check().await;
        if fired && done && self.node.is_some() {
            self.invariants.check_fired(self.clock.now());
        }
    }

    /// Checks the invariants against the database, if anything was written or sent.
    pub(super) async fn check(&mut self) {
        if self.traffic.take_opted() {
            self.invariants.learn_opt_outs(self.clock.now()).await;
        }
        if !self.traffic.take_changed() && !self.net.has_moved() {
            return;
        }
        let changed = self.invariants.check(self.clock.now(), &mut self.log).await;
        self.changed += u64::try_from(changed).unwrap();
    }

    /// Carries out an act. Returns whether it completed; an act during which the process dies does not.
    async fn act(&mut self, act: Act) -> bool {
        let (fate, now, life) = (Arc::clone(&self.fate), self.clock.now(), self.life);
        // `None` if the process died during the act.
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
                        // Until each request has reached the line, where it waits for its answer.
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
                self.former_checks().await;
                match (renewed, self.net.held()) {
                    (None, _) => None,
                    (Some(()), 0) => Some(true),
                    (Some(()), held) => match self.net.answer(which % held) {
                        Some(of) if of == life => fate.outlive(self.hands.next()).await.map(|_| true),
                        Some(of) => {
                            self.answer_former(of).await;
                            Some(true)
                        }
                        None => Some(true),
                    },
                }
            }
            (Act::Record, Some(node)) => {
                let recorded = fate.outlive(node.record()).await.map(|done| done.is_ok());
                self.invariants.can_record = recorded != Some(false);
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
            (Act::Webhooks(seed), _) => self.post_webhooks(seed).await.then_some(true),
            (Act::Foreign(seed), Some(_)) => self.foreign(seed).await.then_some(true),
            (Act::Outage(span), Some(_)) => {
                let was_failing = fate.is_failing();
                fate.set_failing(true);
                let lived = self.pass_until(now + span).await;
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

    /// Carries out acts that need no process.
    async fn outside(&mut self, act: Act, now: Timestamp) {
        match act {
            Act::Wait(span) => self.wait(span),
            Act::WaitForNext => {
                let due = self.invariants.next_due();
                let next = self.net.next().into_iter().chain(due).min().filter(|at| *at > now);
                self.wait(next.map_or(Span::from_secs(1), |at| at.since(now)));
            }
            Act::PlanDeath { writes, after_commit } => self.fate.die_at_write(writes, after_commit),
            Act::Disk { full } => self.fate.set_failing(full),
            Act::Jump(millis) => self.clock.jump(millis),
            Act::Trouble(trouble) => self.net.set_trouble(trouble),
            Act::Cut { what, lasts } => self.net.cut(Some(Cut {
                requests: matches!(what, Direction::Out | Direction::Both),
                answers: matches!(what, Direction::Answers | Direction::AnswersAndIn),
                webhooks: matches!(what, Direction::In | Direction::Both | Direction::AnswersAndIn),
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
                let claimed = self.invariants.in_hand();
                let index = usize::try_from(who).unwrap();
                let msisdn = match who.checked_sub(RECIPIENTS) {
                    Some(_) if !claimed.is_empty() => claimed[index % claimed.len()],
                    _ => recipient(who % RECIPIENTS).number().unwrap(),
                };
                let of = if who % 3 == 0 { OptOutOf::Marketing } else { OptOutOf::Everything };
                let of = WishSubject { of, senders: None };
                self.invariants.opt_outs.opt_out_for_good(msisdn, Matter::of(&of), now);
                let opt_out = OptOut {
                    address: msisdn.into(),
                    of,
                    since: now,
                    from: OptOutSource::Operator,
                    source: OPERATOR.to_owned(),
                };
                self.store.opt_out(vec![opt_out]).await.unwrap();
            }
            Act::Hold { lane, template } => {
                let template = if template { "promo".to_owned() } else { String::new() };
                let lane = self.config.lanes[lane].name.clone();
                let hold = Hold::by_operator(&lane, &template, Origin::operator(OPERATOR, None), now);
                self.store.hold(hold, now).await.unwrap();
            }
            Act::HoldStep { which, step } => {
                let Some(batch) = self.invariants.batches().nth(which) else { return };
                let (step, by) = (StepIndex::new(step).unwrap(), StepHeldBy::Operator);
                let hold =
                    StepHold { batch, step, by, origin: Origin::operator(OPERATOR, None), since: now, recall: None };
                self.store.hold_step(hold, now).await.unwrap();
            }
            Act::Amend { which, to } => self.amend(which, to).await,
            Act::Release => self.release().await,
            Act::Read(which) => self.read(which).await,
            Act::Join(count) => self.join(count).await,
            Act::Override { lane, to, by_operator } => self.override_setting(lane, to, by_operator).await,
            _ => {}
        }
    }

    /// Lets time pass. A webhook that falls due while the process is dead or the line is cut gets no answer.
    pub(super) fn wait(&mut self, span: Span) {
        let until = self.clock.now() + span;
        loop {
            let cut_until = self.net.webhooks_cut_until();
            if self.node.is_some() && cut_until.is_none() {
                break;
            }
            for hook in self.net.due() {
                self.net.missed(hook, self.node.is_some());
            }
            let cut_until = cut_until.filter(|_| self.node.is_some());
            let next = self.net.next().into_iter().chain(cut_until).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.clock.advance(next.since(self.clock.now()));
        }
        self.clock.advance(until.since(self.clock.now()));
    }

    /// Lets time pass until then, with each webhook at its time. Returns whether the process still lives.
    async fn pass_until(&mut self, until: Timestamp) -> bool {
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

    /// Posts some of the due webhooks, in any order. Returns whether the process still lives.
    async fn post_webhooks(&mut self, seed: u64) -> bool {
        let mut dice = fastrand::Rng::with_seed(seed);
        let mut due = self.net.due();
        dice.shuffle(&mut due);
        let group: Vec<Hook> = due.split_off(due.len() - dice.usize(0..=due.len()));
        for later in due {
            self.net.put_back(later);
        }
        self.take(group).await
    }

    /// Posts these webhooks. Returns whether the process still lives.
    pub(super) async fn take(&mut self, group: Vec<Hook>) -> bool {
        let is_cut = self.net.webhooks_cut_until().is_some();
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
            wishes.extend(self.stored_wishes(&group).await);
        }
        for (index, hook) in group.into_iter().enumerate() {
            let answer = taken.as_ref().and_then(|taken| taken.get(index));
            if !matches!(answer, Some(Err(_))) {
                self.invariants.windows.take_webhook(&hook.event, self.clock.now());
            }
            match answer {
                Some(Ok(())) => wishes.extend(self.net.taken(&hook)),
                Some(Err(_)) | None => self.net.missed(hook, false),
            }
        }
        for wish in wishes {
            self.invariants.wish(wish, self.clock.now(), lived);
        }
        lived
    }

    /// Returns the opt-ins that reached the disk although the process died before it acknowledged them.
    async fn stored_wishes(&self, group: &[Hook]) -> Vec<Wish> {
        let mut kept = Vec::new();
        for wish in group.iter().filter_map(|hook| Wish::in_event(&hook.event)) {
            if let Wish::Start { recipient, .. } = wish
                && self.store.opted_out(vec![recipient], OptOutOf::Everything).await.unwrap().is_empty()
            {
                kept.push(wish);
            }
        }
        kept
    }

    /// Notes what the node obeys, if it has noted every decision.
    async fn note(&mut self) {
        let (seq, nodes) = (self.store.seq().await.unwrap(), self.store.nodes(Timestamp::default()).await.unwrap());
        if nodes.iter().any(|node| node.noted == seq) {
            self.invariants.note(self.clock.now()).await;
            let config = self.current_config().await;
            self.invariants.rate_limits.allow_only(&config, self.clock.now());
        }
    }

    pub(super) async fn start(&mut self) {
        self.fate = Arc::default();
        self.invariants.can_record = true;
        self.life = self.net.start();
        let store: Arc<dyn Store> = Arc::new(Mortal {
            store: Arc::clone(&self.store),
            fate: Arc::clone(&self.fate),
            traffic: Arc::clone(&self.traffic),
        });
        let parts = NodeParts {
            config: Arc::clone(&self.config),
            store,
            clock: Arc::clone(&self.clock) as _,
            chance: Arc::clone(&self.chance),
            processes: Arc::new(AllGone),
        };
        let (net, life) = (Arc::clone(&self.net), self.life);
        let config = Arc::clone(&self.config);
        // The node first creates the transport of each lane, then those of the asker.
        let made = AtomicUsize::new(0);
        let transport = move |lane: &crate::base::config::Lane| -> Result<Box<dyn Transport>, StartError> {
            let lane = config.lanes.iter().position(|known| known.name == lane.name).unwrap();
            let is_of_asker = made.fetch_add(1, Ordering::Relaxed) >= config.lanes.len();
            Ok(Box::new(Line { net: Arc::clone(&net), lane, life, is_of_asker }))
        };
        self.node = Some(ByHand::start(parts, transport).await.unwrap());
        self.invariants.note(self.clock.now()).await;
        let config = self.current_config().await;
        self.invariants.rate_limits.allow_only(&config, self.clock.now());
    }

    fn die(&mut self) {
        self.deaths += 1;
        self.node = None;
        self.hands.clear();
        self.net.hang_up(self.life);
    }

    /// Ends all trouble, restarts the server if needed, and resumes everything.
    pub(super) async fn clear_up(&mut self) {
        self.net.set_trouble(Trouble::default());
        self.net.cut(None);
        self.net.change_faults(|faults| *faults = Faults::default());
        // The text of a launched campaign cannot change, so the provider has to accept a refused one.
        self.net.accept_every_text();
        self.net.forbid_nothing();
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
        for which in 0..self.invariants.batches().count() {
            self.move_batch(which, &[BatchState::Paused], BatchState::Running).await;
        }
    }
}
