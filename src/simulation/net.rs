//! The world outside: the provider's pure model, the ways in which requests and webhooks get lost between it and us, and
//! an account of what truly happened.

mod account;
mod cut;
mod hooks;
mod way;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

pub(super) use account::{Missed, Trouble, Truth};
pub(super) use cut::Cut;
use cut::Proof;
use way::Asker;

use super::act;
use super::blame::No;
use super::circuits::Circuits;
use super::lately::Lately;
use super::turned_away::TurnedAway;
use super::wishes::Wish;
use crate::clock::{Clock, ManualClock};
use crate::domain::{AttemptId, Channel, MessageKey, Span, Timestamp, Umid};
use crate::provider::{Broken, Endpoint, Gate, RawAnswer, Transport};
use crate::simulator::{Model, REPEATS};
use crate::wire::{self, Report};

/// How much later than it set out a webhook arrives at most, unless it is late.
const PUNCTUAL: Span = Span::from_secs(2);

/// A request that has reached the line and is not answered yet.
struct Held {
    answer: oneshot::Sender<Result<RawAnswer, Broken>>,
    request: Request,
    stands: Stands,
}

/// One request, and what has to be known of it at its end.
#[derive(Clone)]
struct Request {
    to: Endpoint,
    body: Arc<Vec<u8>>,
    lane: usize,
    /// Of which server.
    life: usize,
    begun: Timestamp,
    /// How often its lane had found the provider out before.
    openings: u32,
}

enum Stands {
    /// Its connection is still coming about: nothing has been sent.
    Connecting(Arc<dyn Gate>),
    /// Sent at that time, and not arrived yet.
    OnItsWay(Timestamp),
    /// To be answered so.
    Answered(Result<RawAnswer, Broken>),
}

/// A webhook on its way to us.
#[derive(Debug, Clone)]
pub(super) struct Hook {
    pub(super) event: Vec<u8>,
    pub(super) at: Timestamp,
    id: u64,
    tried: usize,
    /// It does not say which message of ours it is about, so nothing is promised of it.
    nameless: bool,
}

/// A message that has got to the provider in a request that was sent at `at`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived {
    pub(super) message: MessageKey,
    pub(super) life: usize,
    pub(super) sent: Timestamp,
    pub(super) at: Timestamp,
}

/// A message in a request that has just left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Posted {
    pub(super) attempt: AttemptId,
    pub(super) channel: Channel,
    /// The place of the lane in the configuration.
    pub(super) lane: usize,
    /// Of which server.
    pub(super) life: usize,
    pub(super) at: Timestamp,
}

/// The line to the provider, and the way back.
#[derive(Debug)]
pub(super) struct Net(Mutex<Inner>);

struct Inner {
    model: Model,
    clock: Arc<ManualClock>,
    seed: u64,
    /// The dice of what is under way: one's own for each attempt and each of its requests and webhooks, so that none
    /// falls otherwise because of another.
    dice: fastrand::Rng,
    throws: HashMap<AttemptId, u64>,
    trouble: Trouble,
    cut: Option<Cut>,
    held: Vec<Held>,
    hooks: Vec<Hook>,
    webhooks: u64,
    posted: Vec<Posted>,
    arrived: Vec<Arrived>,
    /// With which of its attempt's copies each is.
    accepted: Vec<(Posted, usize)>,
    truths: HashMap<AttemptId, Truth>,
    /// The attempt of each umid, and which of its copies that is.
    of_umid: HashMap<String, (AttemptId, usize)>,
    /// Channels of which we have acknowledged a receipt with our id.
    naming: HashSet<Channel>,
    /// Of each server that has been, by its lanes.
    circuits: Vec<Circuits>,
    turned_away: Vec<TurnedAway>,
    lately: Vec<Lately>,
    proofs: Vec<Proof>,
    connections: Vec<u32>,
    /// Told of each request that reaches the line.
    has_begun: Arc<Notify>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("held", &self.held.len())
            .field("hooks", &self.hooks.len())
            .finish_non_exhaustive()
    }
}

/// One lane's end of it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) net: Arc<Net>,
    /// The place of the lane in the configuration.
    pub(super) lane: usize,
    /// Of which server.
    pub(super) life: usize,
    /// Whether it is for questions alone.
    pub(super) is_of_asker: bool,
}

#[async_trait::async_trait]
impl Transport for Line {
    async fn post(&self, to: Endpoint, body: Vec<u8>, gate: Arc<dyn Gate>) -> Result<RawAnswer, Broken> {
        let answered = self.net.lock().post(to, body, (self.life, self.lane), gate);
        // Whoever goes on after the line is gone has died.
        answered.await.unwrap_or_else(|_| panic!("a request went on in a process that has died"))
    }

    async fn details(&self, umid: &Umid) -> Result<RawAnswer, Broken> {
        self.net.lock().details(umid, Asker { life: self.life, lane: Some(self.lane).filter(|_| !self.is_of_asker) })
    }
}

impl Net {
    pub(super) fn new(
        model: Model,
        clock: Arc<ManualClock>,
        seed: u64,
        connections: impl Iterator<Item = u32>,
    ) -> Self {
        Self(Mutex::new(Inner {
            model,
            clock,
            seed,
            dice: fastrand::Rng::with_seed(seed),
            throws: HashMap::new(),
            trouble: Trouble::default(),
            cut: None,
            held: Vec::new(),
            hooks: Vec::new(),
            webhooks: 0,
            posted: Vec::new(),
            arrived: Vec::new(),
            accepted: Vec::new(),
            truths: HashMap::new(),
            of_umid: HashMap::new(),
            naming: HashSet::new(),
            circuits: Vec::new(),
            turned_away: Vec::new(),
            lately: Vec::new(),
            proofs: Vec::new(),
            connections: connections.collect(),
            has_begun: Arc::default(),
        }))
    }

    pub(super) fn set_trouble(&self, trouble: Trouble) {
        self.lock().trouble = trouble;
    }

    /// Cuts the line, or mends it.
    pub(super) fn cut(&self, cut: Option<Cut>) {
        self.lock().cut = cut;
    }

    /// Until when no webhook gets through, where that is so.
    pub(super) fn is_deaf_until(&self) -> Option<Timestamp> {
        let inner = self.lock();
        inner.cut_now().filter(|cut| cut.webhooks).map(|cut| cut.until)
    }

    /// Whether the present server knows that what the provider has said at each of these times may not have got through.
    pub(super) fn was_missing(&self, said: &[Timestamp], now: Timestamp) -> bool {
        let inner = self.lock();
        inner.proofs.last().is_some_and(|proof| said.iter().all(|said| proof.was_missing(*said, now)))
    }

    /// Changes what the provider does wrong by itself.
    pub(super) fn change_faults(&self, change: impl FnOnce(&mut crate::simulator::Faults)) {
        let mut inner = self.lock();
        let mut faults = inner.model.faults().clone();
        change(&mut faults);
        inner.model.set_faults(faults);
    }

    /// From now on the provider refuses no text, neither at once nor by receipt.
    pub(super) fn takes_every_text(&self) {
        let refuses_numbers = |profile: &mut crate::simulator::Profile| {
            for delivery in profile.channels.values_mut() {
                delivery.reject_codes = vec![3_003];
                delivery.undelivered_codes.retain(|code| *code != 2_015);
            }
        };
        self.lock().model.change_profile(refuses_numbers);
    }

    /// Requests that wait for their answer.
    pub(super) fn held(&self) -> usize {
        self.lock().held.len()
    }

    /// Those of one server.
    pub(super) fn held_by(&self, life: usize) -> usize {
        self.lock().held.iter().filter(|held| held.request.life == life).count()
    }

    /// Told of each request that reaches the line.
    pub(super) fn has_begun(&self) -> Arc<Notify> {
        Arc::clone(&self.lock().has_begun)
    }

    /// Lets one of the requests go on: to its connection, or to its answer. Returns whose request was answered.
    pub(super) fn answer(&self, which: usize) -> Option<usize> {
        let mut inner = self.lock();
        if which >= inner.held.len() {
            return None;
        }
        let Held { answer, request, stands } = inner.held.swap_remove(which);
        let stands = match stands {
            Stands::Connecting(gate) => inner.leave(&request, gate.as_ref()),
            Stands::OnItsWay(sent) => Stands::Answered(inner.arrive(&request, sent)),
            Stands::Answered(with) => {
                inner.ends(&request, &with);
                // Whoever has died takes no answer.
                drop(answer.send(with));
                return Some(request.life);
            }
        };
        inner.held.push(Held { answer, request, stands });
        None
    }

    /// A server begins. Returns by which number its requests are known.
    pub(super) fn starts(&self) -> usize {
        let mut inner = self.lock();
        let (circuits, now) = (Circuits::new(&inner.connections), inner.clock.now());
        inner.circuits.push(circuits);
        let turned_away = inner.turned_away.last().map(TurnedAway::of_successor).unwrap_or_default();
        inner.turned_away.push(turned_away);
        inner.lately.push(Lately::since(now));
        inner.proofs.push(Proof::since(now));
        inner.lately.len() - 1
    }

    /// A person lets a lane go on.
    pub(super) fn lets_go_on(&self, lane: usize) {
        let mut inner = self.lock();
        let now = inner.clock.now();
        inner.turned_away.iter_mut().for_each(|of_life| of_life.lets_go_on(lane, now));
    }

    /// Forgets the answers to a server that has died. What it had sent may get to the provider all the same.
    pub(super) fn hang_up(&self, life: usize) {
        let mut inner = self.lock();
        let all = std::mem::take(&mut inner.held);
        let (gone, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|held| held.request.life == life);
        inner.held = others;
        for Held { request, stands, .. } in gone {
            if let Stands::OnItsWay(sent) = stands {
                drop(inner.arrive(&request, sent));
            }
        }
    }

    /// What has left since the last time.
    pub(super) fn posted(&self) -> Vec<Posted> {
        std::mem::take(&mut self.lock().posted)
    }

    /// What has got to the provider since the last time.
    pub(super) fn arrived(&self) -> Vec<Arrived> {
        std::mem::take(&mut self.lock().arrived)
    }

    /// What the provider has taken since the last time, and which of its attempt's copies each is.
    pub(super) fn accepted(&self) -> Vec<(Posted, usize)> {
        std::mem::take(&mut self.lock().accepted)
    }

    pub(super) fn has_moved(&self) -> bool {
        let inner = self.lock();
        !inner.posted.is_empty() || !inner.arrived.is_empty()
    }

    pub(super) fn truth(&self, attempt: AttemptId) -> Truth {
        self.lock().truths.get(&attempt).cloned().unwrap_or_default()
    }

    /// Takes out the webhooks whose time has come.
    pub(super) fn due(&self) -> Vec<Hook> {
        let mut inner = self.lock();
        let now = inner.clock.now();
        inner.tick();
        let (due, later) = std::mem::take(&mut inner.hooks).into_iter().partition(|hook| hook.at <= now);
        inner.hooks = later;
        due
    }

    /// A webhook that was taken out comes later after all, at no fault of anybody's.
    pub(super) fn put_back(&self, hook: Hook) {
        self.lock().hooks.push(hook);
    }

    /// The provider was told that a webhook is on disk. Returns what its person wishes.
    pub(super) fn taken(&self, hook: &Hook) -> Option<Wish> {
        if let Some(wish) = Wish::spoken(&hook.event) {
            return Some(wish);
        }
        if hook.nameless {
            return None;
        }
        let mut inner = self.lock();
        let (attempt, _, report) = inner.news(&hook.event)?;
        inner.naming.extend(channel_of(&hook.event));
        let truth = inner.truths.entry(attempt).or_default();
        truth.told = truth.told.max(report.status());
        match report {
            Report::Negative { code } if (No::Receipt { code }).is_a_wish() => Some(Wish::NoMore(attempt)),
            _ => None,
        }
    }

    /// Whether we have acknowledged a receipt of this channel with our id.
    pub(super) fn names_ours(&self, channel: Channel) -> bool {
        self.lock().naming.contains(&channel)
    }

    /// It was not: the provider repeats it, or gives up. `is_cut` is whether it never got to us.
    pub(super) fn missed(&self, mut hook: Hook, is_cut: bool) {
        let mut inner = self.lock();
        let now = inner.clock.now();
        let again = REPEATS.get(hook.tried).map(|rest| now + *rest);
        if let Some((attempt, copy, report)) = inner.news(&hook.event)
            && let Some(status) = report.status()
            && !hook.nameless
        {
            let missed = &mut inner.truths.entry(attempt).or_default().missed;
            let late = now > hook.at + PUNCTUAL;
            let place = missed.iter().position(|known| known.hook == hook.id).unwrap_or_else(|| {
                missed.push(Missed { hook: hook.id, copy, tried: now, status, again, late, cut: Vec::new() });
                missed.len() - 1
            });
            let known = &mut missed[place];
            (known.again, known.late) = (again, known.late || late);
            known.cut.extend(is_cut.then_some(now));
        }
        if let Some(at) = again {
            hook.tried += 1;
            hook.at = at;
            inner.hooks.push(hook);
        }
    }

    /// When something happens out there by itself.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let inner = self.lock();
        let hooks = inner.hooks.iter().map(|hook| hook.at);
        hooks.chain(inner.model.next_due()).min()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same receipt, from a provider that does not say which message of ours it is about.
fn without_name(event: &[u8]) -> Vec<u8> {
    let mut event: serde_json::Value = serde_json::from_slice(event).unwrap();
    if let Some(payload) = event.get_mut("payload").and_then(serde_json::Value::as_object_mut) {
        payload.remove("clientMessageId");
    }
    serde_json::to_vec(&event).unwrap()
}

fn requests_of(to: Endpoint, body: &[u8]) -> Vec<wire::SendRequest<'_>> {
    match to {
        Endpoint::Messages => vec![serde_json::from_slice(body).unwrap()],
        Endpoint::Batch => serde_json::from_slice::<wire::BatchRequest<'_>>(body).unwrap().into_messages(),
    }
}

fn channel_of(event: &[u8]) -> Option<Channel> {
    wire::parse_events(event).into_iter().find_map(|event| match event {
        wire::Event::Receipt(receipt) => receipt.known_channel(),
        _ => None,
    })
}

/// One message of a request, as far as it matters here.
fn client_id(request: &wire::SendRequest<'_>) -> AttemptId {
    let id = request.client_message_id.as_deref().and_then(|id| id.parse().ok());
    id.unwrap_or_else(|| panic!("a request without an id of ours: {request:?}"))
}

impl Inner {
    /// Takes up the dice of whatever happens next to an attempt.
    fn take_dice(&mut self, attempt: AttemptId) {
        let nth = self.throws.entry(attempt).or_default();
        *nth += 1;
        let AttemptId { key, step, .. } = attempt;
        let place = (u64::from(key.batch.0) << 48) | (u64::from(key.n) << 16) | (u64::from(step.get()) << 12) | *nth;
        self.dice = act::dice(self.seed, place);
    }

    fn hits(&mut self, share: f64) -> bool {
        // Always thrown: what is lost must not change because something else is lost too.
        self.dice.f64() < share
    }

    /// Keeps account of what the provider did with a request.
    fn note(
        &mut self,
        to: Endpoint,
        status: u16,
        answer: &str,
        requests: &[wire::SendRequest<'_>],
        (life, lane): (usize, usize),
        sent: Timestamp,
    ) {
        let now = self.clock.now();
        if status != 200 {
            let code = serde_json::from_str::<wire::ErrorBody<'_>>(answer).ok().and_then(|error| error.code);
            for request in requests {
                self.truths.entry(client_id(request)).or_default().refused.push(No::Answer { status, code });
            }
            return;
        }
        let answers = match to {
            Endpoint::Messages => vec![serde_json::from_str(answer).unwrap()],
            Endpoint::Batch => serde_json::from_str::<wire::BatchAnswer<'_>>(answer).unwrap().messages,
        };
        for (request, answer) in requests.iter().zip(answers) {
            let attempt = client_id(request);
            let truth = self.truths.entry(attempt).or_default();
            if answer.status.error_code.is_some() {
                truth.refused.push(No::Answer { status, code: answer.status.error_code });
            } else {
                truth.accepted.push(now);
                let channel = request.known_channels().next().unwrap();
                let copy = truth.accepted.len();
                self.accepted.push((Posted { attempt, channel, lane, life, at: sent }, copy));
                self.of_umid.insert(answer.umid.as_deref().unwrap().to_owned(), (attempt, copy));
            }
        }
    }

    /// Which attempt an event is about, which of its copies, and what it says.
    fn news(&self, event: &[u8]) -> Option<(AttemptId, usize, Report)> {
        wire::parse_events(event).into_iter().find_map(|event| match event {
            wire::Event::Receipt(receipt) => {
                let (attempt, copy) = *self.of_umid.get(receipt.umid.as_deref()?)?;
                Some((attempt, copy, receipt.report()))
            }
            _ => None,
        })
    }
}
