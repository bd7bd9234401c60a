//! The world outside: the provider's pure model, the ways in which requests and webhooks get lost between it and us, and
//! an account of what truly happened.

mod account;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

pub(super) use account::{Missed, Trouble, Truth};

use super::wishes::Wish;
use super::{act, scene};
use crate::clock::{Clock, ManualClock};
use crate::domain::{AttemptId, Channel, Fault, Span, Timestamp, Umid};
use crate::provider::{Broken, Endpoint, Gate, RawAnswer, Transport};
use crate::simulator::{Call, Method, Model, REPEATS, Reply};
use crate::wire::{self, Report, codes};

/// How much later than it set out a webhook arrives at most, unless it is late.
const PUNCTUAL: Span = Span::from_secs(2);

/// A request that has reached the line and is not answered yet.
struct Held {
    answer: oneshot::Sender<Result<RawAnswer, Broken>>,
    stands: Stands,
}

enum Stands {
    /// Its connection is still coming about: nothing has been sent.
    Connecting { to: Endpoint, body: Vec<u8>, lane: usize, gate: Arc<dyn Gate> },
    /// Sent, and to be answered so.
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

/// A message in a request that has just left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Posted {
    pub(super) attempt: AttemptId,
    pub(super) channel: Channel,
    /// The place of the lane in the configuration.
    pub(super) lane: usize,
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
    held: Vec<Held>,
    hooks: Vec<Hook>,
    webhooks: u64,
    posted: Vec<Posted>,
    accepted: Vec<Posted>,
    truths: HashMap<AttemptId, Truth>,
    /// The attempt of each umid, and which of its copies that is.
    of_umid: HashMap<String, (AttemptId, usize)>,
    /// Channels of which we have acknowledged a receipt with our id.
    naming: HashSet<Channel>,
    /// Told of each request that reaches the line.
    arrived: Arc<Notify>,
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
}

#[async_trait::async_trait]
impl Transport for Line {
    async fn post(&self, to: Endpoint, body: Vec<u8>, gate: Arc<dyn Gate>) -> Result<RawAnswer, Broken> {
        let answered = self.net.lock().post(to, body, self.lane, gate);
        // Whoever goes on after the line is gone has died.
        answered.await.unwrap_or_else(|_| panic!("a request went on in a process that has died"))
    }

    async fn details(&self, umid: &Umid) -> Result<RawAnswer, Broken> {
        self.net.lock().details(umid)
    }
}

impl Net {
    pub(super) fn new(model: Model, clock: Arc<ManualClock>, seed: u64) -> Self {
        Self(Mutex::new(Inner {
            model,
            clock,
            seed,
            dice: fastrand::Rng::with_seed(seed),
            throws: HashMap::new(),
            trouble: Trouble::default(),
            held: Vec::new(),
            hooks: Vec::new(),
            webhooks: 0,
            posted: Vec::new(),
            accepted: Vec::new(),
            truths: HashMap::new(),
            of_umid: HashMap::new(),
            naming: HashSet::new(),
            arrived: Arc::default(),
        }))
    }

    pub(super) fn set_trouble(&self, trouble: Trouble) {
        self.lock().trouble = trouble;
    }

    /// Changes what the provider does wrong by itself.
    pub(super) fn change_faults(&self, change: impl FnOnce(&mut crate::simulator::Faults)) {
        let mut inner = self.lock();
        let mut faults = inner.model.faults().clone();
        change(&mut faults);
        inner.model.set_faults(faults);
    }

    /// Requests that wait for their answer.
    pub(super) fn held(&self) -> usize {
        self.lock().held.len()
    }

    /// Told of each request that reaches the line.
    pub(super) fn arrived(&self) -> Arc<Notify> {
        Arc::clone(&self.lock().arrived)
    }

    /// Lets one of the requests go on: to its connection, or to its answer. Returns whether it was answered.
    pub(super) fn answer(&self, which: usize) -> bool {
        let mut inner = self.lock();
        if which >= inner.held.len() {
            return false;
        }
        let Held { answer, stands } = inner.held.swap_remove(which);
        match stands {
            Stands::Connecting { to, body, lane, gate } => {
                let stands = Stands::Answered(inner.carry(to, &body, lane, gate.as_ref()));
                inner.held.push(Held { answer, stands });
                false
            }
            Stands::Answered(with) => {
                // Whoever has died takes no answer.
                drop(answer.send(with));
                true
            }
        }
    }

    /// Forgets the answers to a process that has died.
    pub(super) fn hang_up(&self) {
        self.lock().held.clear();
    }

    /// What has left since the last time.
    pub(super) fn posted(&self) -> Vec<Posted> {
        std::mem::take(&mut self.lock().posted)
    }

    /// What the provider has taken since the last time.
    pub(super) fn accepted(&self) -> Vec<Posted> {
        std::mem::take(&mut self.lock().accepted)
    }

    pub(super) fn has_posted(&self) -> bool {
        !self.lock().posted.is_empty()
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
            Report::Negative { code } if codes::of_receipt(code).fault == Fault::Person => Some(Wish::NoMore(attempt)),
            _ => None,
        }
    }

    /// Whether we have acknowledged a receipt of this channel with our id.
    pub(super) fn names_ours(&self, channel: Channel) -> bool {
        self.lock().naming.contains(&channel)
    }

    /// It was not: the provider repeats it, or gives up.
    pub(super) fn missed(&self, mut hook: Hook) {
        let mut inner = self.lock();
        let now = inner.clock.now();
        let again = REPEATS.get(hook.tried).map(|rest| now + *rest);
        if let Some((attempt, copy, report)) = inner.news(&hook.event)
            && let Some(status) = report.status()
            && !hook.nameless
        {
            let missed = &mut inner.truths.entry(attempt).or_default().missed;
            let late = now > hook.at + PUNCTUAL;
            match missed.iter_mut().find(|known| known.hook == hook.id) {
                Some(known) => (known.again, known.late) = (again, known.late || late),
                None => missed.push(Missed { hook: hook.id, copy, tried: now, status, again, late }),
            }
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

    fn post(
        &mut self,
        to: Endpoint,
        body: Vec<u8>,
        lane: usize,
        gate: Arc<dyn Gate>,
    ) -> oneshot::Receiver<Result<RawAnswer, Broken>> {
        self.take_dice(client_id(&requests_of(to, &body)[0]));
        let stands = if self.hits(self.trouble.refused) {
            Stands::Answered(Err(Broken::NotOffered { why: "connection refused".to_owned() }))
        } else if self.hits(self.trouble.slow_connection) {
            Stands::Connecting { to, body, lane, gate }
        } else {
            Stands::Answered(self.carry(to, &body, lane, gate.as_ref()))
        };
        let (answer, answered) = oneshot::channel();
        self.held.push(Held { answer, stands });
        self.arrived.notify_one();
        answered
    }

    /// A connection takes the request, if its gate is open.
    fn carry(&mut self, to: Endpoint, body: &[u8], lane: usize, gate: &dyn Gate) -> Result<RawAnswer, Broken> {
        if !gate.open() {
            return Err(Broken::Withdrawn);
        }
        let now = self.clock.now();
        let requests = requests_of(to, body);
        self.take_dice(client_id(&requests[0]));
        for request in &requests {
            let channels: Vec<Channel> = request.known_channels().collect();
            let [channel] = channels[..] else { panic!("not one channel: {channels:?}") };
            let fallback = request.content.as_ref().and_then(|content| content.fallback_text.as_ref());
            assert!(fallback.is_none(), "the provider must not fall back by itself");
            self.posted.push(Posted { attempt: client_id(request), channel, lane, at: now });
        }
        if self.hits(self.trouble.cut_before) {
            if self.dice.bool() {
                return Ok(self.proves_nothing());
            }
            return Err(Broken::Sent { why: "connection reset".to_owned() });
        }
        let path = match to {
            Endpoint::Messages => "/api/v1/subaccounts/acme/messages",
            Endpoint::Batch => "/api/v1/subaccounts/acme/messages/batch",
        };
        let call = Call { method: Method::Post, path, authorization: Some("Bearer test"), body };
        let (status, retry_after, answer) = match self.model.call(&call, now).reply {
            Reply::Response { status, retry_after, body } => (status, retry_after, body),
            cut @ (Reply::CutBeforeReading | Reply::CutAfterReading) => panic!("the line cuts, not the model: {cut:?}"),
        };
        self.note(to, status, &answer, &requests, lane);
        if self.hits(self.trouble.cut_after) {
            return Err(Broken::Sent { why: "connection reset".to_owned() });
        }
        if self.hits(self.trouble.broken_answer) {
            return Ok(self.proves_nothing());
        }
        let retry_after = retry_after.map(|seconds| Span::from_secs(i64::from(seconds)));
        Ok(RawAnswer { status, retry_after, body: answer.into() })
    }

    /// An answer that comes with a message carried out as well as with one that was not.
    fn proves_nothing(&mut self) -> RawAnswer {
        let (status, body) = [
            (200, "<html>welcome</html>"),
            (200, r#"{"status":{"state":"queued"}}"#),
            (204, ""),
            (408, r#"{"code":1002}"#),
            (500, r#"{"code":2000}"#),
            (502, "<html>bad gateway</html>"),
            (503, ""),
            (504, r#"{"message":"Endpoint request timed out"}"#),
            (520, ""),
        ][self.dice.usize(..9)];
        let retry_after = (status == 503 && self.dice.bool()).then(|| Span::from_secs(self.dice.i64(1..20)));
        RawAnswer { status, retry_after, body: Bytes::from_static(body.as_bytes()) }
    }

    /// What the provider knows of a message, unless the line fails.
    fn details(&mut self, umid: &Umid) -> Result<RawAnswer, Broken> {
        if self.hits(self.trouble.refused) {
            return Err(Broken::NotOffered { why: "connection refused".to_owned() });
        }
        let (now, path) = (self.clock.now(), format!("/api/v1/subaccounts/acme/messages/{}", umid.as_str()));
        let call = Call { method: Method::Get, path: &path, authorization: Some("Bearer test"), body: b"" };
        match self.model.call(&call, now).reply {
            Reply::Response { status, body, .. } => Ok(RawAnswer { status, retry_after: None, body: body.into() }),
            Reply::CutBeforeReading | Reply::CutAfterReading => {
                Err(Broken::Sent { why: "connection reset".to_owned() })
            }
        }
    }

    /// Keeps account of what the provider did with a request.
    fn note(&mut self, to: Endpoint, status: u16, answer: &str, requests: &[wire::SendRequest<'_>], lane: usize) {
        let now = self.clock.now();
        if status != 200 {
            let code = serde_json::from_str::<wire::ErrorBody<'_>>(answer).ok().and_then(|error| error.code);
            let fault = codes::of_answer(status, code).fault;
            for request in requests {
                self.truths.entry(client_id(request)).or_default().refused.push(fault);
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
                truth.refused.push(codes::of_answer(200, answer.status.error_code).fault);
            } else {
                truth.accepted.push(now);
                let channel = request.known_channels().next().unwrap();
                self.accepted.push(Posted { attempt, channel, lane, at: now });
                let copy = truth.accepted.len();
                self.of_umid.insert(answer.umid.as_deref().unwrap().to_owned(), (attempt, copy));
            }
        }
    }

    /// Takes what the model has to tell and sends it on its way.
    fn tick(&mut self) {
        let now = self.clock.now();
        for mut webhook in self.model.tick(now) {
            let news = self.news(&webhook.event);
            if let Some((attempt, _, report)) = news {
                let truth = self.truths.entry(attempt).or_default();
                match report {
                    Report::Negative { code } => truth.failed.push(codes::of_receipt(code).fault),
                    good => truth.best = truth.best.max(good.status()),
                }
                self.take_dice(attempt);
            }
            let (lost, nameless) = (self.hits(self.trouble.webhook_lost), self.hits(self.trouble.webhook_nameless));
            let (late, twice) = (self.hits(self.trouble.webhook_late), self.hits(self.trouble.webhook_twice));
            let (later, again) = (self.dice.i64(1..120_000), self.dice.i64(0..60_000));
            if lost {
                continue;
            }
            // To whom two campaigns write, somebody else's receipt may look like ours.
            let nameless = nameless && news.is_some_and(|(attempt, ..)| scene::gets_one(attempt.key));
            if nameless {
                webhook.event = without_name(&webhook.event);
            }
            let at = if late { now + Span::from_millis(later) } else { now };
            self.webhooks += 1;
            let hook = Hook { event: webhook.event, at, id: self.webhooks, tried: 0, nameless };
            if twice {
                self.hooks.push(Hook { at: at + Span::from_millis(again), ..hook.clone() });
            }
            self.hooks.push(hook);
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
