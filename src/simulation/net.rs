//! The outside world of a storm: the provider's pure model, the ways in which requests and webhooks are lost between it
//! and the server, and an account of what truly happened.

mod account;
mod cut;
mod hooks;
mod read;
mod way;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

pub(super) use account::{Missed, Trouble, Truth};
pub(super) use cut::Cut;
use cut::Proof;
use read::{channel_of, client_id, is_corrected, requests_of, without_name};
use way::Asker;

use super::act;
use super::blame::No;
use super::circuits::Circuits;
use super::lately::RecipientRate;
use super::turned_away::BareRefusals;
use super::wishes::Wish;
use crate::base::clock::{Clock, ManualClock};
use crate::base::domain::{AttemptId, BatchId, Channel, MessageKey, Span, Timestamp, Umid};
use crate::practice::simulator::{Model, REPEATS};
use crate::provider::client::{Broken, Endpoint, Gate, RawAnswer, Transport};
use crate::rules::wire::{self, ReportedStatus};

/// Maximum delay of a webhook that counts as punctual.
const PUNCTUAL: Span = Span::from_secs(2);

/// A request that has reached the line and is not answered yet.
struct Held {
    answer: oneshot::Sender<Result<RawAnswer, Broken>>,
    request: Request,
    stage: Stage,
}

/// A request, and what has to be known of it at its end.
#[derive(Clone)]
struct Request {
    to: Endpoint,
    body: Arc<Vec<u8>>,
    lane: usize,
    /// The number of the server that made it.
    life: usize,
    begun: Timestamp,
    /// How often the lane's circuit had opened before.
    openings: u32,
}

enum Stage {
    /// The connection is being opened; nothing has been sent.
    Connecting(Arc<dyn Gate>),
    /// Sent at that time, and not arrived yet.
    OnItsWay(Timestamp),
    /// To be answered with this.
    Answered(Result<RawAnswer, Broken>),
}

/// A webhook on its way to the server.
#[derive(Debug, Clone)]
pub(super) struct Hook {
    pub(super) event: Vec<u8>,
    pub(super) at: Timestamp,
    id: u64,
    tried: usize,
    /// It does not name our message, so the invariants promise nothing about it.
    nameless: bool,
}

/// A message that reached the provider in a request that was sent at `sent`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived {
    pub(super) message: MessageKey,
    pub(super) life: usize,
    pub(super) sent: Timestamp,
    pub(super) at: Timestamp,
}

/// A message in a request that has just been sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Posted {
    pub(super) attempt: AttemptId,
    pub(super) channel: Channel,
    /// The index of the lane in the configuration.
    pub(super) lane: usize,
    /// The number of the server that sent it.
    pub(super) life: usize,
    pub(super) at: Timestamp,
    /// Whether its text is a corrected one.
    pub(super) is_corrected: bool,
}

/// The line to the provider, and the way back.
#[derive(Debug)]
pub(super) struct Net(Mutex<Inner>);

struct Inner {
    model: Model,
    clock: Arc<ManualClock>,
    seed: u64,
    /// The dice for what happens next. Each attempt, and each of its requests and webhooks, has dice of its own, so
    /// none affects another.
    dice: fastrand::Rng,
    throws: HashMap<AttemptId, u64>,
    trouble: Trouble,
    /// A message of which a firewall refuses every request, whatever else is in it.
    forbidden: Option<MessageKey>,
    cut: Option<Cut>,
    held: Vec<Held>,
    hooks: Vec<Hook>,
    webhooks: u64,
    posted: Vec<Posted>,
    arrived: Vec<Arrived>,
    /// Accepted messages, each with the number of the copy among those of its attempt.
    accepted: Vec<(Posted, usize)>,
    truths: HashMap<AttemptId, Truth>,
    /// The attempt of each umid, and the number of the copy.
    of_umid: HashMap<String, (AttemptId, usize)>,
    /// Channels of which we acknowledged a receipt with our id.
    naming: HashSet<Channel>,
    /// The circuits of each server so far, by lane.
    circuits: Vec<Circuits>,
    bare_refusals: Vec<BareRefusals>,
    recipient_rates: Vec<RecipientRate>,
    proofs: Vec<Proof>,
    connections: Vec<u32>,
    /// Notified of each request that reaches the line.
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

/// One lane's end of the line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) net: Arc<Net>,
    /// The index of the lane in the configuration.
    pub(super) lane: usize,
    /// The number of the server that owns it.
    pub(super) life: usize,
    /// Whether the asker uses it, not a lane.
    pub(super) is_of_asker: bool,
}

#[async_trait::async_trait]
impl Transport for Line {
    async fn post(&self, to: Endpoint, body: Vec<u8>, gate: Arc<dyn Gate>) -> Result<RawAnswer, Broken> {
        let answered = self.net.0.lock().post(to, body, (self.life, self.lane), gate);
        // The line drops the sender of an answer only when the process has died.
        answered.await.unwrap_or_else(|_| panic!("a request continued in a process that has died"))
    }

    async fn details(&self, umid: &Umid) -> Result<RawAnswer, Broken> {
        self.net.0.lock().details(umid, Asker { life: self.life, lane: Some(self.lane).filter(|_| !self.is_of_asker) })
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
            forbidden: seed.is_multiple_of(3).then_some(MessageKey { batch: BatchId(1), n: (seed / 3 % 8) as u32 }),
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
            bare_refusals: Vec::new(),
            recipient_rates: Vec::new(),
            proofs: Vec::new(),
            connections: connections.collect(),
            has_begun: Arc::default(),
        }))
    }

    pub(super) fn set_trouble(&self, trouble: Trouble) {
        self.0.lock().trouble = trouble;
    }

    /// Lets the firewall pass every message from here on.
    pub(super) fn forbid_nothing(&self) {
        self.0.lock().forbidden = None;
    }

    /// Cuts the line, or mends it with `None`.
    pub(super) fn cut(&self, cut: Option<Cut>) {
        self.0.lock().cut = cut;
    }

    /// Returns until when no webhook gets through; `None` if the line carries webhooks.
    pub(super) fn webhooks_cut_until(&self) -> Option<Timestamp> {
        let inner = self.0.lock();
        inner.cut_now().filter(|cut| cut.webhooks).map(|cut| cut.until)
    }

    /// Whether the present server knows that what the provider sent at each of these times may not have arrived.
    pub(super) fn may_have_missed(&self, sent: &[Timestamp], now: Timestamp) -> bool {
        let inner = self.0.lock();
        inner.proofs.last().is_some_and(|proof| sent.iter().all(|sent| proof.may_have_missed(*sent, now)))
    }

    /// Changes what the provider does wrong by itself.
    pub(super) fn change_faults(&self, change: impl FnOnce(&mut crate::practice::simulator::Faults)) {
        let mut inner = self.0.lock();
        let mut faults = inner.model.faults().clone();
        change(&mut faults);
        inner.model.set_faults(faults);
    }

    /// Lets the provider accept every text from here on, in its answers and in its receipts.
    pub(super) fn accept_every_text(&self) {
        let refuses_numbers = |profile: &mut crate::practice::simulator::Profile| {
            for delivery in profile.channels.values_mut() {
                delivery.reject_codes = vec![3_003];
                delivery.undelivered_codes.retain(|code| *code != 2_015);
            }
        };
        self.0.lock().model.change_profile(refuses_numbers);
    }

    /// Returns the number of requests that wait for their answer.
    pub(super) fn held(&self) -> usize {
        self.0.lock().held.len()
    }

    /// Returns the number of requests of one server that wait for their answer.
    pub(super) fn held_by(&self, life: usize) -> usize {
        self.0.lock().held.iter().filter(|held| held.request.life == life).count()
    }

    /// Returns the notifier of requests that reach the line.
    pub(super) fn has_begun(&self) -> Arc<Notify> {
        Arc::clone(&self.0.lock().has_begun)
    }

    /// Moves one of the requests on: to its connection, to the provider, or to its answer. Returns whose request was
    /// answered.
    pub(super) fn answer(&self, which: usize) -> Option<usize> {
        let mut inner = self.0.lock();
        if which >= inner.held.len() {
            return None;
        }
        let Held { answer, request, stage } = inner.held.swap_remove(which);
        let stage = match stage {
            Stage::Connecting(gate) => inner.leave(&request, gate.as_ref()),
            Stage::OnItsWay(sent) => Stage::Answered(inner.arrive(&request, sent)),
            Stage::Answered(with) => {
                inner.end(&request, &with);
                // A dead process takes no answer.
                drop(answer.send(with));
                return Some(request.life);
            }
        };
        inner.held.push(Held { answer, request, stage });
        None
    }

    /// Registers a server that starts. Returns the number of its process.
    pub(super) fn start(&self) -> usize {
        let mut inner = self.0.lock();
        let (circuits, now) = (Circuits::new(&inner.connections), inner.clock.now());
        inner.circuits.push(circuits);
        let bare_refusals = inner.bare_refusals.last().map(BareRefusals::of_successor).unwrap_or_default();
        inner.bare_refusals.push(bare_refusals);
        let is_first = inner.recipient_rates.is_empty();
        inner.recipient_rates.push(if is_first { RecipientRate::of_the_first() } else { RecipientRate::since(now) });
        inner.proofs.push(Proof::since(now));
        inner.recipient_rates.len() - 1
    }

    /// Notes that an operator resumed a lane.
    pub(super) fn resume_lane(&self, lane: usize) {
        let mut inner = self.0.lock();
        let now = inner.clock.now();
        inner.bare_refusals.iter_mut().for_each(|of_life| of_life.resume(lane, now));
    }

    /// Drops the answers for a server that has died. What it had sent may still reach the provider.
    pub(super) fn hang_up(&self, life: usize) {
        let mut inner = self.0.lock();
        let all = std::mem::take(&mut inner.held);
        let (gone, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|held| held.request.life == life);
        inner.held = others;
        for Held { request, stage, .. } in gone {
            if let Stage::OnItsWay(sent) = stage {
                drop(inner.arrive(&request, sent));
            }
        }
    }

    /// Takes the messages that were sent since the last call.
    pub(super) fn posted(&self) -> Vec<Posted> {
        std::mem::take(&mut self.0.lock().posted)
    }

    /// Takes the messages that reached the provider since the last call.
    pub(super) fn arrived(&self) -> Vec<Arrived> {
        std::mem::take(&mut self.0.lock().arrived)
    }

    /// Takes the messages that the provider accepted since the last call, each with the number of its copy.
    pub(super) fn accepted(&self) -> Vec<(Posted, usize)> {
        std::mem::take(&mut self.0.lock().accepted)
    }

    pub(super) fn has_moved(&self) -> bool {
        let inner = self.0.lock();
        !inner.posted.is_empty() || !inner.arrived.is_empty()
    }

    pub(super) fn truth(&self, attempt: AttemptId) -> Truth {
        self.0.lock().truths.get(&attempt).cloned().unwrap_or_default()
    }

    /// Takes out the due webhooks.
    pub(super) fn due(&self) -> Vec<Hook> {
        let mut inner = self.0.lock();
        let now = inner.clock.now();
        inner.tick();
        let (due, later) = std::mem::take(&mut inner.hooks).into_iter().partition(|hook| hook.at <= now);
        inner.hooks = later;
        due
    }

    /// Puts back a webhook that was taken out; it arrives later, and that is no fault.
    pub(super) fn put_back(&self, hook: Hook) {
        self.0.lock().hooks.push(hook);
    }

    /// Notes that the server acknowledged a webhook. Returns the opt-out or opt-in that it contains.
    pub(super) fn taken(&self, hook: &Hook) -> Option<Wish> {
        if let Some(wish) = Wish::in_event(&hook.event) {
            return Some(wish);
        }
        if hook.nameless {
            return None;
        }
        let mut inner = self.0.lock();
        let (attempt, _, report) = inner.news(&hook.event)?;
        inner.naming.extend(channel_of(&hook.event));
        let truth = inner.truths.entry(attempt).or_default();
        truth.acknowledged = truth.acknowledged.max(report.status());
        match report {
            ReportedStatus::Negative { code } if (No::Receipt { code }).is_a_wish() => Some(Wish::NoMore(attempt)),
            _ => None,
        }
    }

    /// Whether we acknowledged a receipt of this channel with our id.
    pub(super) fn names_ours(&self, channel: Channel) -> bool {
        self.0.lock().naming.contains(&channel)
    }

    /// Notes that a webhook was not acknowledged: the provider repeats it or drops it. `is_cut` means that it never
    /// reached us.
    pub(super) fn missed(&self, mut hook: Hook, is_cut: bool) {
        let mut inner = self.0.lock();
        let now = inner.clock.now();
        let again = REPEATS.get(hook.tried).map(|rest| now + *rest);
        if let Some((attempt, copy, report)) = inner.news(&hook.event)
            && let Some(status) = report.status()
            && !hook.nameless
        {
            let missed = &mut inner.truths.entry(attempt).or_default().missed;
            let late = now > hook.at + PUNCTUAL;
            let index = missed.iter().position(|known| known.hook == hook.id).unwrap_or_else(|| {
                missed.push(Missed { hook: hook.id, copy, tried: now, status, again, late, cut: Vec::new() });
                missed.len() - 1
            });
            let known = &mut missed[index];
            (known.again, known.late) = (again, known.late || late);
            known.cut.extend(is_cut.then_some(now));
        }
        if let Some(at) = again {
            hook.tried += 1;
            hook.at = at;
            inner.hooks.push(hook);
        }
    }

    /// Returns when the provider or a webhook next acts by itself.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let inner = self.0.lock();
        let hooks = inner.hooks.iter().map(|hook| hook.at);
        hooks.chain(inner.model.next_due()).min()
    }
}

impl Inner {
    /// Takes the dice for what happens next to an attempt.
    fn take_dice(&mut self, attempt: AttemptId) {
        let nth = self.throws.entry(attempt).or_default();
        *nth += 1;
        let AttemptId { key, step, .. } = attempt;
        let thing = (u64::from(key.batch.0) << 48) | (u64::from(key.n) << 16) | (u64::from(step.get()) << 12) | *nth;
        self.dice = act::dice(self.seed, thing);
    }

    fn throw(&mut self, share: f64) -> bool {
        // Always thrown: a loss must not change because something else is lost too.
        self.dice.f64() < share
    }

    /// Records what the provider did with a request.
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
        let answers = match to.is_batch() {
            false => vec![serde_json::from_str(answer).unwrap()],
            true => serde_json::from_str::<wire::BatchAnswer<'_>>(answer).unwrap().messages,
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
                let is_corrected = is_corrected(request);
                self.accepted.push((Posted { attempt, channel, lane, life, at: sent, is_corrected }, copy));
                self.of_umid.insert(answer.umid.as_deref().unwrap().to_owned(), (attempt, copy));
            }
        }
    }

    /// Returns the attempt that an event is about, the number of its copy, and what it reports.
    fn news(&self, event: &[u8]) -> Option<(AttemptId, usize, ReportedStatus)> {
        wire::parse_events(event).into_iter().find_map(|event| match event {
            wire::WebhookEvent::Receipt(receipt) => {
                let (attempt, copy) = *self.of_umid.get(receipt.umid.as_deref()?)?;
                Some((attempt, copy, receipt.report()))
            }
            _ => None,
        })
    }
}
