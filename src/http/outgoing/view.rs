//! Subscriptions and deliveries as JSON.

use serde::Serialize;
use utoipa::ToSchema;

use crate::base::domain::{Span, Timestamp};
use crate::store::{Delivery, ReceiverHealth, Subscription, WebhookFormat};

/// A subscription, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubscriptionView {
    pub id: String,
    pub name: String,
    pub url: String,
    pub format: &'static str,
    pub types: Vec<String>,
    /// Of whose messages it gets the provider's webhooks; none means of all.
    pub sub_account: Option<String>,
    /// Whether requests have a header `Authorization`.
    pub has_authorization: bool,
    pub enabled: bool,
    pub disabled_at: Option<String>,
    /// Who disabled it, and why.
    pub disabled_because: Option<String>,
    pub created_at: String,
    pub delivered: u64,
    pub given_up: u64,
    pub succeeded_at: Option<String>,
    pub failing_since: Option<String>,
}

/// A secret, shown once.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewSecretView {
    pub id: String,
    pub name: String,
    pub secret: String,
}

/// A new subscription.
#[derive(Serialize, ToSchema)]
pub struct CreatedView {
    #[serde(flatten)]
    pub of: SubscriptionView,
    /// The signing secret, shown once: a repeated answer does not have it, and neither has a subscription for the provider's
    /// webhooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

impl std::fmt::Debug for CreatedView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedView").field("of", &self.of).finish_non_exhaustive()
    }
}

/// How many deliveries are sent once more.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayView {
    pub replayed: u64,
}

/// A delivery, with its latest try.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// Its number.
    pub delivery: i64,
    /// The id of the event, as the header `webhook-id` has it.
    pub event: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub state: &'static str,
    pub created_at: String,
    pub tries: u32,
    /// When it is tried next; none if it is done.
    pub next_at: Option<String>,
    pub tried_at: Option<String>,
    pub took_ms: Option<i64>,
    pub http_status: Option<u16>,
    pub error: Option<String>,
    /// The beginning of the answer.
    pub answer: Option<String>,
    pub body: String,
}

impl SubscriptionView {
    pub(super) fn of(subscription: Subscription, health: Option<&ReceiverHealth>) -> Self {
        let time = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
        let enabled = subscription.is_enabled();
        let (disabled_at, origin) = subscription.disabled.unzip();
        Self {
            id: subscription.id.to_string(),
            name: subscription.name,
            url: subscription.url,
            format: match subscription.format {
                WebhookFormat::Volley => "volley",
                WebhookFormat::Provider => "8x8",
            },
            types: subscription.types,
            sub_account: subscription.sub_account,
            has_authorization: subscription.authorization.is_some(),
            enabled,
            disabled_at: time(disabled_at),
            disabled_because: origin.map(|origin| origin.because("disabled")),
            created_at: subscription.created_at.rfc3339(),
            delivered: health.map_or(0, |known| known.delivered),
            given_up: health.map_or(0, |known| known.given_up),
            succeeded_at: time(health.and_then(|known| known.succeeded_at)),
            failing_since: time(health.and_then(|known| known.failing_since)),
        }
    }
}

impl DeliveryView {
    pub(super) fn of(delivery: Delivery) -> Self {
        let is_waiting = delivery.state == crate::store::DeliveryState::Waiting;
        let latest = delivery.latest.unwrap_or_default();
        let was_tried = delivery.begun_at.is_some() || latest.at > Timestamp::default();
        Self {
            delivery: delivery.id,
            event: delivery.what.event,
            kind: delivery.what.kind,
            state: delivery.state.as_str(),
            created_at: delivery.created_at.rfc3339(),
            tries: delivery.tries,
            next_at: is_waiting.then(|| delivery.next_at.rfc3339()),
            tried_at: was_tried.then(|| latest.at.rfc3339()),
            took_ms: was_tried.then_some(latest.took).map(Span::millis),
            http_status: latest.status,
            error: latest.error,
            answer: latest.answer,
            body: delivery.what.body,
        }
    }
}
