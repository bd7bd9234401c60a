//! Sends deliveries: one sender for each receiver, so that none delays another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use parking_lot::Mutex;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::client::{Client, UnusableClient};
use super::fan_out::Fan;
use super::{command, provider_form, sign};
use crate::clock::{Chance, Clock};
use crate::config::{Alert, AlertTarget, Config};
use crate::domain::{Causes, FaultReport, Span, Timestamp};
use crate::events::Origin;
use crate::store::{
    AfterTrial, Delivery, Receiver, Result, Store, Subscription, SubscriptionChange, Trial, Tried, WebhookFormat,
};

/// How often feeds and receivers are looked at.
const LOOK: Span = Span::from_millis(250);
/// Requests to one receiver at once, while it answers. One that has not answered yet, or failed last, gets one at a time.
const EACH: usize = 8;
/// Deliveries to one receiver that are recorded together.
const PAGE: u32 = 32;
/// Requests in all at once.
const ALL: usize = 128;
/// Receivers that are looked at.
const RECEIVERS_MAX: u32 = 1_000;
/// Receivers whose behaviour is remembered, more or less.
const KNOWN_MAX: usize = 10_000;
/// Volley's own webhooks are repeated for this long.
const REPEATED_FOR: Span = Span::from_secs(86_400);
const SHORTEST_PAUSE: Span = Span::from_secs(5);
const LONGEST_PAUSE: Span = Span::from_secs(3_600);
/// After a failure a receiver rests, so that one that is down gets no stream of requests.
const SHORTEST_REST: Span = Span::from_secs(1);
const LONGEST_REST: Span = Span::from_secs(60);
/// The status by which a receiver says that it is gone for good.
const GONE: u16 = 410;

/// Sends the webhooks of an installation.
#[derive(Debug)]
pub struct Outgoing {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    chance: Arc<Chance>,
    client: Client,
    alerts: Arc<[Alert]>,
    fan: Fan,
    requests: Semaphore,
    known: Mutex<BTreeMap<Receiver, Standing>>,
    failure: FaultReport,
}

/// How a receiver has behaved since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Answers,
    /// It failed so many times, once more after each other, and rests until then.
    Fails {
        times: u32,
        rests_until: Timestamp,
    },
}

/// What was delivered of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Nothing,
    All,
    NotAll,
}

/// Where the deliveries of a receiver go.
#[derive(Debug)]
enum Endpoint {
    Subscription(Subscription),
    /// Each delivery has its own address.
    Callback,
    Alert(Alert),
    /// An alert that is configured no more.
    Gone,
}

impl Outgoing {
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        chance: Arc<Chance>,
        config: &Config,
    ) -> std::result::Result<Self, UnusableClient> {
        let client = Client::new(&config.outgoing.allow, &config.provider.network)?;
        Ok(Self::over(client, store, clock, chance, config.alerts.clone().into()))
    }

    pub(super) fn over(
        client: Client,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        chance: Arc<Chance>,
        alerts: Arc<[Alert]>,
    ) -> Self {
        let fan = Fan::new(Arc::clone(&store), Arc::clone(&alerts));
        let (requests, known, failure) = (Semaphore::new(ALL), Mutex::default(), FaultReport::default());
        Self { store, clock, chance, client, alerts, fan, requests, known, failure }
    }

    /// Makes deliveries of the feeds, and sends what is due, until `stop`. Then it finishes the requests in flight.
    pub async fn run(self, stop: CancellationToken) {
        let this = Arc::new(self);
        let mut senders = JoinSet::new();
        let mut busy = BTreeSet::new();
        while !stop.is_cancelled() {
            let next = this.clock.now() + LOOK;
            match this.look(&busy).await {
                Ok(work) => {
                    this.failure.ends();
                    for (receiver, endpoint) in work {
                        busy.insert(receiver.clone());
                        let (sender, stop) = (Arc::clone(&this), stop.clone());
                        senders.spawn(async move {
                            sender.send_while_due(&receiver, &endpoint, &stop).await;
                            receiver
                        });
                    }
                }
                Err(error) => this.report(&error),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = this.clock.sleep_until(next) => {}
            }
            while let Some(ended) = senders.try_join_next() {
                free(&mut busy, ended);
            }
        }
        while let Some(ended) = senders.join_next().await {
            free(&mut busy, ended);
        }
    }

    /// Does everything that is to be done now, and waits until it is done.
    pub async fn run_once(&self) -> Result<()> {
        let work = self.look(&BTreeSet::new()).await?;
        let all = work.into_iter().map(|(receiver, endpoint)| async move { self.send_due(&receiver, &endpoint).await });
        let done: Vec<Result<Sent>> = stream::iter(all).buffer_unordered(ALL).collect().await;
        done.into_iter().collect::<Result<Vec<_>>>().map(drop)
    }

    /// Makes deliveries of the feeds, and finds the receivers that have something to get now.
    async fn look(&self, busy: &BTreeSet<Receiver>) -> Result<Vec<(Receiver, Endpoint)>> {
        let now = self.clock.now();
        let subscriptions = self.store.subscriptions().await?;
        while self.fan.run_once(&subscriptions, now).await? {}
        let waiting = self.store.waiting_receivers(RECEIVERS_MAX).await?;
        self.forget_idle(&waiting);
        let is_free = |receiver: &Receiver| !busy.contains(receiver) && !self.is_resting(receiver, now);
        let due = waiting.into_iter().filter(|(receiver, at)| *at <= now && is_free(receiver));
        let endpoint = |receiver: Receiver| Some((receiver.clone(), self.endpoint(&receiver, &subscriptions)?));
        Ok(due.filter_map(|(receiver, _)| endpoint(receiver)).collect())
    }

    /// Where the deliveries of a receiver go; `None` if they have to wait.
    fn endpoint(&self, receiver: &Receiver, subscriptions: &[Subscription]) -> Option<Endpoint> {
        match receiver {
            Receiver::Subscription(id) => {
                let found = subscriptions.iter().find(|known| known.id == *id && known.is_enabled())?;
                Some(Endpoint::Subscription(found.clone()))
            }
            Receiver::Callback(_) => Some(Endpoint::Callback),
            Receiver::Alert(name) => {
                let found = self.alerts.iter().find(|alert| alert.name == *name);
                Some(found.map_or(Endpoint::Gone, |alert| Endpoint::Alert(alert.clone())))
            }
        }
    }

    /// Sends what is due to a receiver, page after page, until nothing is or a delivery fails. A decision about the receiver
    /// takes effect with the next look, so a look must not wait long.
    async fn send_while_due(&self, receiver: &Receiver, endpoint: &Endpoint, stop: &CancellationToken) {
        let until = self.clock.now() + LOOK;
        while !stop.is_cancelled() && self.clock.now() < until {
            match self.send_due(receiver, endpoint).await {
                Ok(Sent::All) => {}
                Ok(Sent::Nothing | Sent::NotAll) => break,
                Err(error) => {
                    self.report(&error);
                    break;
                }
            }
        }
    }

    /// Sends one page of what is due to a receiver.
    async fn send_due(&self, receiver: &Receiver, endpoint: &Endpoint) -> Result<Sent> {
        let answers = self.known.lock().get(receiver) == Some(&Standing::Answers);
        let (each, limit) = if answers { (EACH, PAGE) } else { (1, 1) };
        let due = self.store.due_deliveries(receiver.clone(), self.clock.now(), limit).await?;
        if due.is_empty() {
            return Ok(Sent::Nothing);
        }
        let tries = due.into_iter().map(|delivery| self.send(delivery, endpoint));
        let tried: Vec<Tried> = stream::iter(tries).buffer_unordered(each).collect().await;
        let all_delivered = tried.iter().all(|tried| tried.then == AfterTrial::Delivered);
        self.learn(receiver, &tried);
        let disables = self.disables(receiver, endpoint, &tried).await?;
        self.store.record_tries(tried).await?;
        if let (Some(reason), Endpoint::Subscription(subscription)) = (disables, endpoint) {
            let (change, origin) = (SubscriptionChange::Disable, Origin::rule(reason));
            self.store.change_subscription(subscription.id, change, origin, self.clock.now()).await?;
        }
        Ok(if all_delivered { Sent::All } else { Sent::NotAll })
    }

    /// Sends one delivery, and decides what follows.
    async fn send(&self, delivery: Delivery, endpoint: &Endpoint) -> Tried {
        // The semaphore is never closed, so there is always a permit in the end.
        let _permit = self.requests.acquire().await;
        let at = self.clock.now();
        let mut trial = self.request(&delivery, endpoint, at).await;
        trial.at = at;
        trial.took = self.clock.now().since(at);
        let then = self.after(&delivery, endpoint, &trial, self.clock.now());
        let Delivery { id, what, .. } = delivery;
        Tried { id, receiver: what.receiver, order_key: what.order_key, trial, then }
    }

    async fn request(&self, delivery: &Delivery, endpoint: &Endpoint, at: Timestamp) -> Trial {
        let what = &delivery.what;
        let (url, headers) = match endpoint {
            Endpoint::Subscription(to) => (to.url.clone(), headers(to, delivery, at)),
            Endpoint::Callback => (what.url.clone().unwrap_or_default(), Vec::new()),
            Endpoint::Alert(Alert { target: AlertTarget::Webhook { url, .. }, .. }) => {
                (url.expose().to_owned(), Vec::new())
            }
            Endpoint::Alert(Alert { target: AlertTarget::Command(command), .. }) => {
                let command::Ended { error, output } = command::run(command, &what.body).await;
                return Trial { error, answer: Some(output), ..Trial::default() };
            }
            Endpoint::Gone => {
                let error = Some("the alert is no longer configured".to_owned());
                return Trial { error, ..Trial::default() };
            }
        };
        match self.client.post(&url, headers, what.body.clone()).await {
            Ok(answer) => {
                let is_success = (200..300).contains(&answer.status);
                let error = (!is_success).then(|| format!("the receiver answered {}", answer.status));
                Trial { status: Some(answer.status), error, answer: Some(answer.body), ..Trial::default() }
            }
            Err(error) => Trial { error: Some(error), ..Trial::default() },
        }
    }

    fn after(&self, delivery: &Delivery, endpoint: &Endpoint, trial: &Trial, now: Timestamp) -> AfterTrial {
        if trial.error.is_none() {
            return AfterTrial::Delivered;
        }
        let tries = usize::try_from(delivery.tries).unwrap_or(usize::MAX);
        let in_providers_way = || match provider_form::REPEATS.get(tries) {
            Some(pause) => AfterTrial::Retry(now + *pause),
            None => AfterTrial::GiveUp,
        };
        match endpoint {
            Endpoint::Gone => AfterTrial::GiveUp,
            Endpoint::Callback => in_providers_way(),
            Endpoint::Subscription(to) if to.format == WebhookFormat::Provider => in_providers_way(),
            Endpoint::Subscription(_) | Endpoint::Alert(_) => {
                let begun = delivery.begun_at.unwrap_or(now);
                if now.since(begun) >= REPEATED_FOR || trial.status == Some(GONE) {
                    return AfterTrial::GiveUp;
                }
                AfterTrial::Retry(now + self.chance.back_off(SHORTEST_PAUSE, delivery.tries, LONGEST_PAUSE))
            }
        }
    }

    /// Lets a receiver rest after a failure; a success ends that.
    fn learn(&self, receiver: &Receiver, tried: &[Tried]) {
        let mut known = self.known.lock();
        if tried.iter().any(|tried| tried.then == AfterTrial::Delivered) {
            known.insert(receiver.clone(), Standing::Answers);
            return;
        }
        let times = match known.get(receiver) {
            Some(Standing::Fails { times, .. }) => times.saturating_add(1),
            Some(Standing::Answers) | None => 0,
        };
        // The repeats of the provider's webhooks have times of their own.
        let longest = if matches!(receiver, Receiver::Callback(_)) { SHORTEST_REST } else { LONGEST_REST };
        let rest = SHORTEST_REST.millis().saturating_mul(1 << times.min(10)).min(longest.millis());
        let rests_until = self.clock.now() + Span::from_millis(rest);
        known.insert(receiver.clone(), Standing::Fails { times, rests_until });
    }

    fn is_resting(&self, receiver: &Receiver, now: Timestamp) -> bool {
        matches!(self.known.lock().get(receiver), Some(Standing::Fails { rests_until, .. }) if now < *rests_until)
    }

    /// Forgets receivers that wait for nothing: clients may name any number of them.
    fn forget_idle(&self, waiting: &[(Receiver, Timestamp)]) {
        let mut known = self.known.lock();
        if known.len() > KNOWN_MAX {
            let waiting: BTreeSet<&Receiver> = waiting.iter().map(|(receiver, _)| receiver).collect();
            known.retain(|receiver, _| waiting.contains(receiver));
        }
    }

    /// Why a subscription is to be disabled, if it is: it is gone, or nothing has succeeded while a delivery was repeated.
    async fn disables(&self, receiver: &Receiver, endpoint: &Endpoint, tried: &[Tried]) -> Result<Option<String>> {
        let Endpoint::Subscription(Subscription { format: WebhookFormat::Volley, .. }) = endpoint else {
            return Ok(None);
        };
        let Some(given_up) = tried.iter().find(|tried| tried.then == AfterTrial::GiveUp) else { return Ok(None) };
        if given_up.trial.status == Some(GONE) {
            return Ok(Some("the receiver answered 410: it wants no more webhooks".to_owned()));
        }
        if tried.iter().any(|tried| tried.then == AfterTrial::Delivered) {
            return Ok(None);
        }
        let health = self.store.receiver_health().await?.into_iter().find(|known| known.receiver == *receiver);
        let fails_since = health.and_then(|known| known.failing_since);
        let is_dead = fails_since.is_some_and(|since| given_up.trial.at.since(since) >= REPEATED_FOR);
        let error = given_up.trial.error.as_deref().unwrap_or_default();
        Ok(is_dead.then(|| format!("no webhook was delivered for a day; the last error: {error}")))
    }

    fn report(&self, error: &crate::store::Error) {
        if self.failure.begins() {
            tracing::warn!(error = %Causes(error), "cannot read or record webhooks to send; retrying");
        }
    }
}

/// Ends the work of a sender. A panic of one is one of the server.
fn free(busy: &mut BTreeSet<Receiver>, ended: std::result::Result<Receiver, tokio::task::JoinError>) {
    match ended {
        Ok(receiver) => _ = busy.remove(&receiver),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => tracing::error!(%error, "a sender of webhooks did not end cleanly"),
        },
    }
}

/// The headers of a delivery: its signature, and the authorization that its subscription names.
fn headers(to: &Subscription, delivery: &Delivery, at: Timestamp) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    let mut add =
        |name: HeaderName, value: &str| headers.extend(HeaderValue::from_str(value).ok().map(|it| (name, it)));
    let (event, body) = (&delivery.what.event, &delivery.what.body);
    if to.format == WebhookFormat::Volley {
        add(HeaderName::from_static(sign::ID), event);
        add(HeaderName::from_static(sign::TIMESTAMP), &sign::seconds(at).to_string());
        add(HeaderName::from_static(sign::SIGNATURE), &sign::signature(&to.secrets, event, at, body));
    }
    if let Some(authorization) = &to.authorization {
        add(AUTHORIZATION, authorization);
    }
    headers
}
