//! The webhooks of the server, with their deliveries.

use askama::Template;

use super::access::AccessState;
use super::frame::Frame;
use super::writing::{Field, FieldKind};
use crate::base::domain::Timestamp;

/// A webhook, with what became of its deliveries.
#[derive(Debug)]
pub struct WebhookRow {
    pub id: String,
    pub name: String,
    pub url: String,
    /// Whether it has the provider's form, which is not signed.
    pub is_unsigned: bool,
    pub sub_account: Option<String>,
    pub has_authorization: bool,
    pub types: Vec<String>,
    pub state: AccessState,
    /// Since when it is disabled, by whom and why.
    pub disabled: Option<(Timestamp, String)>,
    pub created_at: Timestamp,
    pub delivered: i64,
    pub given_up: i64,
    /// The next try of the deliveries that wait.
    pub waiting: Option<Timestamp>,
    pub succeeded_at: Option<Timestamp>,
    pub failing_since: Option<Timestamp>,
    /// Until when the former secret signs too.
    pub former_until: Option<Timestamp>,
}

impl WebhookRow {
    fn path(&self) -> String {
        format!("/webhooks/{}", self.id)
    }

    fn wants_all(&self) -> bool {
        self.types == ["*"]
    }

    fn is_enabled(&self) -> bool {
        self.state == AccessState::Enabled
    }

    const fn has_failed(&self) -> bool {
        self.given_up > 0
    }
}

/// The webhooks.
#[derive(Debug, Template)]
#[template(path = "webhooks.html")]
pub struct WebhooksPage {
    pub frame: Frame,
    pub webhooks: Vec<WebhookRow>,
}

impl WebhooksPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// Types of events of one group, such as `message`, each with what it tells and whether it is checked.
#[derive(Debug)]
pub struct TypeGroup {
    pub name: &'static str,
    pub is_whole: bool,
    pub types: Vec<(&'static str, &'static str, bool)>,
}

impl TypeGroup {
    /// Whether something of it is checked, so that it is shown open.
    fn is_open(&self) -> bool {
        self.is_whole || self.types.iter().any(|(_, _, is_checked)| *is_checked)
    }
}

/// The form of a new webhook.
#[derive(Debug, Template)]
#[template(path = "new_webhook.html")]
pub struct NewWebhookPage {
    pub frame: Frame,
    pub name: Field,
    pub url: Field,
    pub groups: Vec<TypeGroup>,
    pub types_problem: Option<String>,
    pub format: Field,
    pub sub_account: Field,
    pub authorization_problem: Option<String>,
    /// What is wrong and belongs to no field.
    pub problem: Option<String>,
}

impl NewWebhookPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// The latest try of a delivery.
#[derive(Debug)]
pub struct TryRow {
    pub at: Timestamp,
    pub took_ms: i64,
    pub status: Option<u16>,
    pub error: Option<String>,
    /// The beginning of the answer.
    pub answer: Option<String>,
}

/// A delivery of a webhook.
#[derive(Debug)]
pub struct DeliveryRow {
    pub number: i64,
    pub event: String,
    pub kind: String,
    pub state: &'static str,
    pub created_at: Timestamp,
    pub tries: u32,
    pub begun_at: Option<Timestamp>,
    pub next_at: Option<Timestamp>,
    pub latest: Option<TryRow>,
}

impl DeliveryRow {
    /// The class of its badge.
    fn class(&self) -> &'static str {
        match self.state {
            "delivered" => "over",
            "waiting" if self.tries == 0 => "before",
            "waiting" => "paused",
            _ => "missed",
        }
    }
}

/// A webhook with its deliveries.
#[derive(Debug, Template)]
#[template(path = "webhook.html")]
pub struct WebhookPage {
    pub frame: Frame,
    pub webhook: WebhookRow,
    pub deliveries: Vec<DeliveryRow>,
    /// Whether only those are listed that failed.
    pub failed: bool,
    pub is_later: bool,
    pub first: String,
    pub next: Option<String>,
}

impl WebhookPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// A delivery with its request and its answer.
#[derive(Debug, Template)]
#[template(path = "delivery.html")]
pub struct DeliveryPage {
    pub frame: Frame,
    pub webhook: WebhookRow,
    pub delivery: DeliveryRow,
    /// The value of `webhook-timestamp` in the latest try.
    pub signed_at: Option<i64>,
    /// The body, with an entry a line.
    pub body: String,
}

impl DeliveryPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }
}
