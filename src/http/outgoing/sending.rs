//! Sends deliveries: one sender for each receiver, so that none delays another.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt as _;
use futures_util::stream;
use parking_lot::Mutex;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::client::{Client, UnusableClient};
use super::fan_out::Fan;
use super::standing::{Pace, Standings};
use super::{command, provider_form, sign};
use crate::base::clock::{Chance, Clock};
use crate::base::config::{Alert, AlertTarget, Config};
use crate::base::domain::{Causes, FaultReport, Span, Timestamp};
use crate::base::events::Origin;
use crate::store::{
    AfterTrial, Delivery, Receiver, ReceiverKind, Result, Store, Subscription, SubscriptionChange, Trial, Tried,
    WebhookFormat,
};

/// How often feeds and receivers are looked at.
const LOOK: Span = Span::from_millis(250);
/// How long a sender goes on before its receiver is looked at again.
const TURN: Span = Span::from_secs(1);
/// Pages of feeds that one look makes deliveries of. Between looks, deliveries are sent.
const PAGES: usize = 8;
/// Requests at once, beside the one that each receiver is always granted.
const EXTRA: usize = 128;
/// Callbacks that one look reads. The next look reads on.
const CALLBACKS_MAX: u32 = 1_000;
/// Volley's own webhooks are repeated for this long.
const REPEATED_FOR: Span = Span::from_secs(86_400);
const SHORTEST_PAUSE: Span = Span::from_secs(5);
const LONGEST_PAUSE: Span = Span::from_secs(3_600);
/// A request that fails after this time or later ends its page: the next ones would take as long.
const SLOW: Span = Span::from_secs(1);
/// The status by which a receiver says that it is gone for good.
const GONE: u16 = 410;
/// The status by which a receiver asks for fewer requests.
const TOO_MANY: u16 = 429;
/// The statuses by which a receiver, or a gateway in front of it, says that it is down.
const DOWN: RangeInclusive<u16> = 502..=504;

/// Sends the webhooks of an installation.
#[derive(Debug)]
pub struct Outgoing {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    chance: Arc<Chance>,
    client: Client,
    /// For addresses of messages. Clients may name any, so looking them up must not delay others.
    callbacks: Client,
    alerts: Arc<[Alert]>,
    fan: Fan,
    extra: Semaphore,
    standings: Standings,
    /// The callback after which the next look begins.
    looked: Mutex<Option<Receiver>>,
    failure: FaultReport,
}

/// What a look has found.
#[derive(Debug)]
struct Work {
    due: Vec<(Receiver, Endpoint)>,
    /// Whether there is more to look at.
    has_more: bool,
}

/// What became of a page of deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Nothing,
    Some,
    /// There were deliveries, and the receiver did not deal with any of them.
    Failed,
}

/// Whether a try shows that its receiver works: it has taken this webhook, or promptly refused
/// it alone.
fn is_dealt_with(trial: &Trial) -> bool {
    let refuses = |status: u16| status != TOO_MANY && !DOWN.contains(&status);
    trial.error.is_none() || (trial.status.is_some_and(refuses) && trial.took < SLOW)
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

impl Endpoint {
    /// Whether its deliveries are repeated at the provider's times.
    fn is_scheduled(&self) -> bool {
        match self {
            Self::Callback => true,
            Self::Subscription(to) => to.format == WebhookFormat::Provider,
            Self::Alert(_) | Self::Gone => false,
        }
    }
}

impl Outgoing {
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        chance: Arc<Chance>,
        config: &Config,
    ) -> std::result::Result<Self, UnusableClient> {
        let client = || Client::new(&config.outgoing.allow, &config.provider.network);
        Ok(Self { callbacks: client()?, ..Self::over(client()?, store, clock, chance, config.alerts.clone().into()) })
    }

    pub(super) fn over(
        client: Client,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        chance: Arc<Chance>,
        alerts: Arc<[Alert]>,
    ) -> Self {
        let fan = Fan::new(Arc::clone(&store), Arc::clone(&alerts));
        let (extra, standings, looked) = (Semaphore::new(EXTRA), Standings::default(), Mutex::default());
        let failure = FaultReport::default();
        let callbacks = client.clone();
        Self { store, clock, chance, client, callbacks, alerts, fan, extra, standings, looked, failure }
    }

    /// Notes which events are of earlier servers. A server calls it before it records one, because it ends the alerts of
    /// those, and begins its own.
    pub async fn note_start(&self) -> Result<()> {
        self.fan.note_start().await
    }

    /// Makes deliveries of the feeds, and sends what is due, until `stop`. Then it finishes the requests in flight.
    pub async fn run(self, stop: CancellationToken) {
        let this = Arc::new(self);
        let mut senders = JoinSet::new();
        let mut busy = BTreeSet::new();
        while !stop.is_cancelled() {
            let mut next = this.clock.now() + LOOK;
            match this.look(&busy).await {
                Ok(Work { due, has_more }) => {
                    this.failure.ends();
                    for (receiver, endpoint) in due {
                        busy.insert(receiver.clone());
                        let (sender, stop) = (Arc::clone(&this), stop.clone());
                        senders.spawn(async move {
                            sender.send_while_due(&receiver, &endpoint, &stop).await;
                            receiver
                        });
                    }
                    if has_more {
                        next = this.clock.now();
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
        let Work { due, .. } = self.look(&BTreeSet::new()).await?;
        let stop = &CancellationToken::new();
        let all = due.into_iter().map(async |(receiver, endpoint)| self.send_due(&receiver, &endpoint, stop).await);
        futures_util::future::try_join_all(all).await.map(drop)
    }

    /// Makes deliveries of the feeds, and finds the receivers that get something now.
    async fn look(&self, busy: &BTreeSet<Receiver>) -> Result<Work> {
        let now = self.clock.now();
        let mut round = self.fan.begin().await?;
        let (mut has_more, mut pages) = (true, 0);
        while has_more && pages < PAGES {
            has_more = self.fan.run_once(&mut round, now).await?;
            pages += 1;
        }
        let waiting = self.waiting().await?;
        self.standings.forget_idle(&waiting);
        // A receiver that cannot get anything must not take the place of another.
        let mut endpoints: BTreeMap<Receiver, Endpoint> = waiting
            .into_iter()
            .filter(|(_, at)| *at <= now)
            .filter_map(|(receiver, _)| {
                self.endpoint(&receiver, &round.subscriptions).map(|endpoint| (receiver, endpoint))
            })
            .collect();
        let chosen = self.standings.choose(endpoints.keys().cloned().collect(), busy, now);
        let due = chosen.into_iter().filter_map(|receiver| endpoints.remove_entry(&receiver)).collect();
        Ok(Work { due, has_more })
    }

    /// The receivers with waiting deliveries: one page of the callbacks, and all others.
    async fn waiting(&self) -> Result<Vec<(Receiver, Timestamp)>> {
        let after = self.looked.lock().clone();
        let mut waiting = self.store.waiting_receivers(ReceiverKind::Callback, after, CALLBACKS_MAX).await?;
        let is_full = waiting.len() >= usize::try_from(CALLBACKS_MAX).unwrap_or(usize::MAX);
        *self.looked.lock() = waiting.last().filter(|_| is_full).map(|(receiver, _)| receiver.clone());
        for kind in [ReceiverKind::Subscription, ReceiverKind::Alert] {
            waiting.extend(self.store.waiting_receivers(kind, None, u32::MAX).await?);
        }
        Ok(waiting)
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

    /// Sends what is due to a receiver, page after page, until nothing is or the receiver fails. A decision about the
    /// receiver takes effect with its next turn, so a turn must not be long.
    async fn send_while_due(&self, receiver: &Receiver, endpoint: &Endpoint, stop: &CancellationToken) {
        let until = self.clock.now() + TURN;
        while !stop.is_cancelled() && self.clock.now() < until {
            match self.send_due(receiver, endpoint, stop).await {
                Ok(Sent::Some) => {}
                Ok(Sent::Nothing | Sent::Failed) => break,
                Err(error) => {
                    self.report(&error);
                    break;
                }
            }
        }
    }

    /// Sends one page of what is due to a receiver. The page ends early if the server stops or the receiver hangs.
    async fn send_due(&self, receiver: &Receiver, endpoint: &Endpoint, stop: &CancellationToken) -> Result<Sent> {
        let Pace { each, page } = self.standings.pace(receiver, endpoint.is_scheduled());
        let due = self.store.due_deliveries(receiver.clone(), self.clock.now(), page).await?;
        if due.is_empty() {
            return Ok(Sent::Nothing);
        }
        // Each receiver has one request for sure, so it waits for no other.
        let extra: Vec<_> = (1..each.min(due.len())).map_while(|_| self.extra.try_acquire().ok()).collect();
        let hangs = AtomicBool::new(false);
        let tries = due.into_iter().map(async |delivery| {
            if hangs.load(Ordering::Relaxed) || stop.is_cancelled() {
                return None;
            }
            let tried = self.send(delivery, endpoint).await;
            if tried.trial.error.is_some() && tried.trial.took >= SLOW {
                hangs.store(true, Ordering::Relaxed);
            }
            Some(tried)
        });
        let tried: Vec<Option<Tried>> = stream::iter(tries).buffer_unordered(1 + extra.len()).collect().await;
        drop(extra);
        self.record(receiver, endpoint, tried.into_iter().flatten().collect()).await
    }

    /// Records the tries of a page, and what they tell about its receiver.
    async fn record(&self, receiver: &Receiver, endpoint: &Endpoint, tried: Vec<Tried>) -> Result<Sent> {
        if tried.is_empty() {
            return Ok(Sent::Nothing);
        }
        // One webhook that a receiver refuses must not delay the others.
        let works = tried.iter().any(|tried| is_dealt_with(&tried.trial));
        if works {
            self.standings.succeeds(receiver);
        } else {
            self.standings.fails(receiver, endpoint.is_scheduled(), self.clock.now());
        }
        let disables = self.disables(receiver, endpoint, &tried).await?;
        self.store.record_tries(tried).await?;
        if let (Some(reason), Endpoint::Subscription(subscription)) = (disables, endpoint) {
            let (change, origin) = (SubscriptionChange::Disable, Origin::rule(reason));
            self.store.change_subscription(subscription.id, change, origin, self.clock.now()).await?;
        }
        Ok(if works { Sent::Some } else { Sent::Failed })
    }

    /// Sends one delivery, and decides what follows.
    async fn send(&self, delivery: Delivery, endpoint: &Endpoint) -> Tried {
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
        let client = if matches!(endpoint, Endpoint::Callback) { &self.callbacks } else { &self.client };
        match client.post(&url, headers, what.body.clone()).await {
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
        if endpoint.is_scheduled() {
            let tries = usize::try_from(delivery.tries).unwrap_or(usize::MAX);
            return match provider_form::REPEATS.get(tries) {
                Some(pause) => AfterTrial::Retry(now + *pause),
                None => AfterTrial::GiveUp,
            };
        }
        let enabled_at = match endpoint {
            Endpoint::Gone => return AfterTrial::GiveUp,
            Endpoint::Subscription(to) => to.enabled_at,
            Endpoint::Callback | Endpoint::Alert(_) => Timestamp::default(),
        };
        let begun = delivery.begun_at.unwrap_or(now).max(enabled_at);
        if now.since(begun) >= REPEATED_FOR || trial.status == Some(GONE) {
            return AfterTrial::GiveUp;
        }
        AfterTrial::Retry(now + self.chance.back_off(SHORTEST_PAUSE, delivery.tries, LONGEST_PAUSE))
    }

    /// Why a subscription is to be disabled, if it is: it is gone, or nothing was delivered to it for a day.
    async fn disables(&self, receiver: &Receiver, endpoint: &Endpoint, tried: &[Tried]) -> Result<Option<String>> {
        let Endpoint::Subscription(to @ Subscription { format: WebhookFormat::Volley, .. }) = endpoint else {
            return Ok(None);
        };
        if tried.iter().any(|tried| tried.trial.status == Some(GONE)) {
            return Ok(Some("the receiver answered 410: it wants no more webhooks".to_owned()));
        }
        if tried.iter().any(|tried| tried.then == AfterTrial::Delivered) {
            return Ok(None);
        }
        let Some(Tried { trial, .. }) = tried.last() else { return Ok(None) };
        let health = self.store.receiver_health(vec![receiver.clone()]).await?;
        let fails_since = health.first().and_then(|known| known.failing_since);
        let is_dead = fails_since.is_some_and(|since| trial.at.since(since.max(to.enabled_at)) >= REPEATED_FOR);
        let error = trial.error.as_deref().unwrap_or_default();
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
