//! Makes deliveries of the rows of feeds: one for each receiver that wants a row.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use url::Url;

use super::alerts::{Alerts, SETTLES, ended};
use super::event_types::{self, is_wanted};
use super::{native, provider_form};
use crate::base::config::Alert;
use crate::base::domain::{BatchId, MessageId, MessageKey, Plan, Timestamp};
use crate::base::events::Subject;
use crate::sending::receipts::ReplyViews;
use crate::store::{
    Cursor, FanOut, Feed, FeedRow, FeedState, Inbound, NewDelivery, ObservedMessage, ObservedRecipient, Receiver,
    Result, Store, Subscription, WebhookFormat,
};

/// Deliveries of one transaction, about; it stays well below 50 ms.
const DELIVERIES_MAX: usize = 2_000;
/// Rows that are read at once.
const ROWS_MAX: usize = 500;
/// Plans that are remembered.
const PLANS_MAX: usize = 256;

/// The plan of a batch in one edition.
type KnownPlan = (u32, Arc<Plan>);

/// The rows that one look makes deliveries of, and who may get them.
#[derive(Debug)]
pub(super) struct Round {
    states: Vec<FeedState>,
    pub(super) subscriptions: Vec<Subscription>,
}

/// Makes deliveries of the feeds.
#[derive(Debug)]
pub(super) struct Fan {
    store: Arc<dyn Store>,
    alerts: Arc<[Alert]>,
    plans: Mutex<HashMap<BatchId, KnownPlan>>,
    restart: Mutex<Restart>,
}

/// Whether the alerts are ended whose end an earlier server may have missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restart {
    /// It is not known yet which events are of this server.
    Unknown,
    /// Not until these events of earlier servers are read: they may begin such alerts.
    After(Cursor),
    Done,
}

impl Fan {
    pub(super) fn new(store: Arc<dyn Store>, alerts: Arc<[Alert]>) -> Self {
        Self { store, alerts, plans: Mutex::default(), restart: Mutex::new(Restart::Unknown) }
    }

    /// Notes which events are there before this server records one.
    pub(super) async fn note_start(&self) -> Result<()> {
        if *self.restart.lock() == Restart::Unknown {
            let states = self.store.feeds().await?;
            let events = states.iter().find(|state| state.feed == Feed::Events);
            *self.restart.lock() = events.map_or(Restart::Done, |events| Restart::After(events.latest));
        }
        Ok(())
    }

    /// Reads where the feeds are, and then the subscriptions. A row up to there is newer than no subscription that it may
    /// concern, so none is missing.
    pub(super) async fn begin(&self) -> Result<Round> {
        self.note_start().await?;
        let states = self.store.feeds().await?;
        Ok(Round { states, subscriptions: self.store.subscriptions().await? })
    }

    /// Makes deliveries of one page of each feed, and tells of alerts that ended. Returns whether a feed has more rows.
    pub(super) async fn run_once(&self, round: &mut Round, now: Timestamp) -> Result<bool> {
        let Round { states, subscriptions } = round;
        let has_receivers = !subscriptions.is_empty() || !self.alerts.is_empty();
        if !self.alerts.is_empty() {
            self.restart_alerts(states, now).await?;
            self.end_alerts(now).await?;
        }
        // Addresses of messages get changes of messages alone.
        let is_read = |state: &FeedState| state.is_behind() && (has_receivers || state.feed == Feed::Messages);
        for state in states.iter_mut() {
            let readable = self.until_restart(*state);
            if !is_read(&readable) {
                continue;
            }
            let page = self.page(readable, subscriptions, now).await?;
            let until = page.until;
            // If another process was faster, the next round reads what is left.
            state.position = if self.store.fan_out(page).await? { until } else { state.latest };
        }
        Ok(states.iter().any(is_read))
    }

    /// The feed, for now without the events that follow the restart of alerts.
    fn until_restart(&self, state: FeedState) -> FeedState {
        let restart = *self.restart.lock();
        match restart {
            Restart::After(start) if state.feed == Feed::Events && !self.alerts.is_empty() => {
                FeedState { latest: state.latest.min(start), ..state }
            }
            Restart::Unknown | Restart::After(_) | Restart::Done => state,
        }
    }

    async fn page(&self, state: FeedState, subscriptions: &[Subscription], now: Timestamp) -> Result<FanOut> {
        let limit = (DELIVERIES_MAX / subscriptions.len().max(1)).clamp(1, ROWS_MAX);
        let limit = u32::try_from(limit).unwrap_or(1);
        let FeedState { feed, position: from, latest } = state;
        let empty = FanOut { feed, from, until: latest, deliveries: Vec::new(), alerts: Vec::new(), now };
        match feed {
            Feed::Events => self.events(empty, subscriptions, limit).await,
            Feed::Replies => self.replies(empty, subscriptions, limit).await,
            Feed::Messages => self.messages(empty, subscriptions, limit).await,
        }
    }

    async fn events(&self, page: FanOut, subscriptions: &[Subscription], limit: u32) -> Result<FanOut> {
        let rows = until(page.until, self.store.events_after(page.from, limit).await?);
        // Also alerts that are not configured for now: once they are again, they must not mute the next ones.
        let mut alerts = Alerts::new(&self.alerts, self.store.open_alerts().await?, page.now);
        let mut deliveries = Vec::new();
        for (position, event) in &rows {
            let id = event_id('c', *position, event.at);
            alerts.add(&id, event);
            let Some(kind) = event_types::of_event(event) else { continue };
            let wanting = wanting(subscriptions, kind, event.at).filter(|it| event.at >= it.created_at);
            let to = |subscription: &Subscription| NewDelivery {
                receiver: Receiver::Subscription(subscription.id),
                event: id.clone(),
                kind: kind.to_owned(),
                order_key: order_of(&event.subject),
                url: None,
                body: native::of_event(kind, event),
            };
            deliveries.extend(wanting.filter(|it| it.format == WebhookFormat::Volley).map(to));
        }
        let (of_alerts, alerts) = alerts.finish();
        deliveries.extend(of_alerts);
        Ok(FanOut { until: last(&rows, page.until), deliveries, alerts, ..page })
    }

    async fn replies(&self, page: FanOut, subscriptions: &[Subscription], limit: u32) -> Result<FanOut> {
        let rows = until(page.until, self.store.inbound_after(page.from, limit).await?);
        let mut views = ReplyViews::new(self.store.as_ref(), true);
        let mut deliveries = Vec::new();
        for (position, inbound) in &rows {
            let wanting: Vec<_> = wanting(subscriptions, event_types::REPLY, inbound.received)
                .filter(|it| inbound.received >= it.created_at)
                .filter(|it| it.format == WebhookFormat::Volley || is_of(it, &inbound.sub_account))
                .collect();
            if wanting.is_empty() {
                continue;
            }
            let own = native::of_reply(inbound.received, &views.of(inbound).await?);
            let answers = self.answered(inbound).await?;
            for subscription in wanting {
                let body = match subscription.format {
                    WebhookFormat::Volley => Some(own.clone()),
                    WebhookFormat::Provider => provider_form::inbound(inbound, answers),
                };
                // A purged message has nothing left to tell.
                let Some(body) = body else { continue };
                deliveries.push(NewDelivery {
                    receiver: Receiver::Subscription(subscription.id),
                    event: event_id('r', *position, inbound.received),
                    kind: event_types::REPLY.to_owned(),
                    order_key: inbound.msisdn.map_or_else(|| inbound.umid.clone(), |number| format!("from {number}")),
                    url: None,
                    body,
                });
            }
        }
        Ok(FanOut { until: last(&rows, page.until), deliveries, ..page })
    }

    /// The message that a recipient has answered.
    async fn answered(&self, inbound: &Inbound) -> Result<Option<MessageId>> {
        let Some((key, _)) = inbound.on else { return Ok(None) };
        Ok(self.store.batch(key.batch).await?.map(|batch| MessageId { key, tag: batch.tag }))
    }

    async fn messages(&self, page: FanOut, subscriptions: &[Subscription], limit: u32) -> Result<FanOut> {
        let rows = until(page.until, self.store.observed_after(page.from, limit).await?);
        let mut deliveries = Vec::new();
        for (position, row) in &rows {
            // The message is purged, or its recipient erased.
            let Some(recipient) = &row.recipient else { continue };
            let Some(plan) = self.plan(row.key.batch, row.edition).await? else { continue };
            let id = event_id('m', *position, row.observed.at);
            let kind = event_types::of_progress(row.observed.progress);
            let told = Change { id, kind, row, recipient, plan: &plan };
            deliveries.extend(told.to_client(subscriptions));
            let own = wanting(subscriptions, kind, row.observed.at).filter(|it| it.format == WebhookFormat::Volley);
            deliveries.extend(own.map(|subscription| told.to(subscription)));
        }
        Ok(FanOut { until: last(&rows, page.until), deliveries, ..page })
    }

    async fn plan(&self, batch: BatchId, edition: u32) -> Result<Option<Arc<Plan>>> {
        let known = self.plans.lock().get(&batch).filter(|(of, _)| *of == edition).map(|(_, plan)| Arc::clone(plan));
        if known.is_some() {
            return Ok(known);
        }
        let Some(plan) = self.store.plan(batch).await? else { return Ok(None) };
        let (plan, mut plans) = (Arc::new(plan), self.plans.lock());
        if plans.len() >= PLANS_MAX {
            plans.clear();
        }
        plans.insert(batch, (edition, Arc::clone(&plan)));
        Ok(Some(plan))
    }

    /// Ends, once after the start, the alerts whose end an earlier server may have missed.
    async fn restart_alerts(&self, states: &[FeedState], now: Timestamp) -> Result<()> {
        let restart = *self.restart.lock();
        let events = states.iter().find(|state| state.feed == Feed::Events && restart != Restart::Done);
        let Some(&FeedState { feed, position, .. }) = events.filter(|state| !self.until_restart(**state).is_behind())
        else {
            return Ok(());
        };
        let mut restarted = Alerts::new(&self.alerts, self.store.open_alerts().await?, now);
        restarted.restart();
        let (deliveries, alerts) = restarted.finish();
        if !alerts.is_empty() {
            let page = FanOut { feed, from: position, until: position, deliveries, alerts, now };
            if !self.store.fan_out(page).await? {
                return Ok(());
            }
        }
        *self.restart.lock() = Restart::Done;
        Ok(())
    }

    async fn end_alerts(&self, now: Timestamp) -> Result<()> {
        let over = ended(&self.alerts, &self.store.open_alerts().await?, now);
        if over.is_empty() {
            return Ok(());
        }
        self.store.end_alerts(over, now - SETTLES, now).await
    }
}

/// A change of a message, with what is known of the message.
struct Change<'a> {
    id: String,
    kind: &'static str,
    row: &'a ObservedMessage,
    recipient: &'a ObservedRecipient,
    plan: &'a Plan,
}

impl Change<'_> {
    fn to(&self, subscription: &Subscription) -> NewDelivery {
        let body = native::of_message(self.row, self.recipient, self.plan);
        self.delivery(Receiver::Subscription(subscription.id), None, body)
    }

    fn delivery(&self, receiver: Receiver, url: Option<String>, body: String) -> NewDelivery {
        let MessageKey { batch, n } = self.row.key;
        let (event, kind, order_key) = (self.id.clone(), self.kind.to_owned(), format!("message {batch}/{n}"));
        NewDelivery { receiver, event, kind, order_key, url, body }
    }

    /// The provider's receipt for the client of the API whose message it is: to the address that the message named, else to
    /// the subscriptions for its subaccount.
    fn to_client(&self, subscriptions: &[Subscription]) -> Vec<NewDelivery> {
        let Some(calls) = &self.plan.api else { return Vec::new() };
        let Some(body) = provider_form::receipt(self.row, self.recipient, self.plan) else { return Vec::new() };
        if let Some((origin, url)) = calls.callback.and_then(|column| self.callback(column)) {
            return vec![self.delivery(Receiver::Callback(origin), Some(url), body)];
        }
        let is_for_it = |it: &&Subscription| it.format == WebhookFormat::Provider && is_of(it, &calls.sub_account);
        let wanting = wanting(subscriptions, self.kind, self.row.observed.at).filter(is_for_it);
        wanting.map(|it| self.delivery(Receiver::Subscription(it.id), None, body.clone())).collect()
    }

    /// The address that the message named, with its server.
    fn callback(&self, column: usize) -> Option<(String, String)> {
        let fields = self.recipient.fields.unpack().ok()?;
        let text = fields.get(column).filter(|text| !text.is_empty())?;
        // An address that is none was refused with its call.
        let url = Url::parse(text).ok()?;
        Some((url.origin().ascii_serialization(), text.to_string()))
    }
}

/// The subscriptions that want a type, and were enabled at that time.
fn wanting<'a>(
    subscriptions: &'a [Subscription],
    kind: &'a str,
    at: Timestamp,
) -> impl Iterator<Item = &'a Subscription> {
    let was_enabled = move |it: &&Subscription| it.disabled.as_ref().is_none_or(|(since, _)| at < *since);
    let wants = move |it: &&Subscription| it.types.iter().any(|pattern| is_wanted(pattern, kind));
    subscriptions.iter().filter(was_enabled).filter(wants)
}

/// Whether a subscription for the provider's webhooks wants those of a subaccount.
fn is_of(subscription: &Subscription, sub_account: &str) -> bool {
    subscription.sub_account.as_deref().is_none_or(|wanted| wanted == sub_account)
}

/// The id of an event. The time keeps it apart from another event with this number, before a backup was restored.
fn event_id(feed: char, position: Cursor, at: Timestamp) -> String {
    format!("evt_{feed}{}_{}", position.row(), at.millis())
}

/// The rows of a round.
fn until<T>(latest: Cursor, mut rows: Vec<FeedRow<T>>) -> Vec<FeedRow<T>> {
    rows.retain(|(position, _)| *position <= latest);
    rows
}

/// Where a page ends. Without rows that is the latest one: a row that was removed leaves a gap in the numbers.
fn last<T>(rows: &[FeedRow<T>], latest: Cursor) -> Cursor {
    rows.last().map_or(latest, |(position, _)| *position)
}

/// What events about a subject are ordered by: a campaign with its steps, or a lane with its templates.
fn order_of(subject: &Subject) -> String {
    match subject {
        Subject::Campaign { batch, .. } => format!("campaign {batch}"),
        Subject::Template { lane: Some(lane), .. } | Subject::Lane { lane } => format!("lane {lane}"),
        other => other.to_string(),
    }
}
