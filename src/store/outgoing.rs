//! Defines webhooks that Volley sends: who gets them, and what became of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Cursor, Observed};
use crate::base::domain::{Address, AlertKind, CampaignId, Country, Fields, MessageKey, Span, Tag, Timestamp, Umid};
use crate::base::events::{Event, Origin, Subject};

/// A list of rows that deliveries are made of, in the order of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Feed {
    Events = 0,
    Replies = 1,
    /// Changes of messages. Its rows end when deliveries are made of them.
    Messages = 2,
}

impl Feed {
    pub const ALL: [Self; 3] = [Self::Events, Self::Replies, Self::Messages];
}

/// Up to where deliveries are made of a feed, and its last row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedState {
    pub feed: Feed,
    pub position: Cursor,
    pub latest: Cursor,
}

impl FeedState {
    /// Whether it has rows of which no deliveries are made yet.
    pub fn is_behind(&self) -> bool {
        self.position < self.latest
    }
}

/// A row of a feed, with its position.
pub type FeedRow<T> = (Cursor, T);

/// A change of a message, with what its observers need to know of the message.
#[derive(Debug, Clone)]
pub struct ObservedMessage {
    pub key: MessageKey,
    pub observed: Observed,
    pub tag: Tag,
    /// The name of its campaign.
    pub campaign: Option<String>,
    /// The number of changes of the plan so far.
    pub edition: u32,
    /// The recipient; `None` if the message is purged or the recipient erased.
    pub recipient: Option<ObservedRecipient>,
    /// Whether any step of it was submitted.
    pub was_submitted: bool,
    /// The provider's id of the step's latest attempt.
    pub umid: Option<Umid>,
    /// The call of the API that it was sent with, if that call sent many messages.
    pub call: Option<CallIds>,
}

/// How the client of the API knows a call that sent many messages at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallIds {
    /// Its first batch, which names it.
    pub id: CampaignId,
    pub client_batch_id: Option<String>,
}

/// The recipient of an observed message.
#[derive(Clone)]
pub struct ObservedRecipient {
    pub address: Address,
    pub country: Country,
    pub client_message_id: Option<String>,
    pub fields: Fields,
}

impl fmt::Debug for ObservedRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObservedRecipient({:?})", self.address)
    }
}

/// The number of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubscriptionId(pub i64);

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "whk_{}", self.0)
    }
}

/// Who gets deliveries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receiver {
    Subscription(SubscriptionId),
    /// The server of addresses that messages named, such as `https://client.example:8443`.
    Callback(String),
    /// An alert of the configuration, by its name.
    Alert(String),
}

/// The kinds of receivers. Operators create subscriptions and alerts, so these are few. Clients name any number of callbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiverKind {
    Subscription,
    Callback,
    Alert,
}

/// The form of the bodies that a subscription gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebhookFormat {
    /// Volley's own events, signed by the Standard Webhooks scheme.
    Volley = 0,
    /// The provider's webhooks.
    Provider = 1,
}

/// A secret that signs deliveries.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningSecret {
    /// `whsec_` and the key in base64.
    pub secret: String,
    /// Until when it signs, if another has replaced it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

impl SigningSecret {
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now.millis() < until)
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningSecret(***, until {:?})", self.until)
    }
}

/// What a subscription is created with.
#[derive(Clone)]
pub struct NewSubscription {
    pub name: String,
    pub url: String,
    pub format: WebhookFormat,
    /// The types of events that it wants: `message.delivered`, `campaign.*`, or `*`.
    pub types: Vec<String>,
    /// Of whose messages it wants the provider's webhooks; `None` means of all.
    pub sub_account: Option<String>,
    /// The value of the header `Authorization`.
    pub authorization: Option<String>,
    pub secret: String,
}

impl fmt::Debug for NewSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewSubscription({}, {}, {:?})", self.name, self.url, self.types)
    }
}

/// A receiver of webhooks.
#[derive(Clone, PartialEq, Eq)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub name: String,
    pub url: String,
    pub format: WebhookFormat,
    pub types: Vec<String>,
    pub sub_account: Option<String>,
    pub authorization: Option<String>,
    /// The newest first.
    pub secrets: Vec<SigningSecret>,
    pub created_at: Timestamp,
    /// When it was created, or enabled again. The day of repeats does not begin earlier.
    pub enabled_at: Timestamp,
    /// Since when it is disabled, by whom and why.
    pub disabled: Option<(Timestamp, Origin)>,
}

impl Subscription {
    pub fn is_enabled(&self) -> bool {
        self.disabled.is_none()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subscription({}, {}, {}, {:?})", self.id.0, self.name, self.url, self.types)
    }
}

/// A decision about a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionChange {
    /// Sends again, also the webhooks that have waited. The day of repeats restarts.
    Enable,
    Disable,
    /// Signs with this secret from now on, and with the former ones until `overlap` is over.
    Rotate {
        secret: String,
        overlap: Span,
    },
    /// Webhooks that wait for it are given up.
    Remove,
}

/// An event for one receiver, to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct NewDelivery {
    pub receiver: Receiver,
    /// The id of the event: the same for every receiver.
    pub event: String,
    /// Its type, such as `message.delivered`.
    pub kind: String,
    /// What it is about. A later delivery about the same waits for an earlier one.
    pub order_key: String,
    /// The address of a message.
    pub url: Option<String>,
    pub body: String,
}

impl fmt::Debug for NewDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewDelivery({:?}, {}, {})", self.receiver, self.kind, self.event)
    }
}

/// What is to be done with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    Waiting = 0,
    Delivered = 1,
    GivenUp = 2,
}

impl DeliveryState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::GivenUp => "given up",
        }
    }

    pub(super) const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Waiting),
            1 => Some(Self::Delivered),
            2 => Some(Self::GivenUp),
            _ => None,
        }
    }
}

/// What came of one try of a delivery.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Trial {
    pub at: Timestamp,
    pub took: Span,
    /// The HTTP status of the answer.
    pub status: Option<u16>,
    /// Why it failed.
    pub error: Option<String>,
    /// The beginning of the answer's body.
    pub answer: Option<String>,
}

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trial({:?}, {:?}, {:?})", self.at, self.status, self.error)
    }
}

/// An event for one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: i64,
    pub what: NewDelivery,
    pub created_at: Timestamp,
    pub state: DeliveryState,
    pub next_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// When it was tried first.
    pub begun_at: Option<Timestamp>,
    /// The latest try.
    pub latest: Option<Trial>,
}

/// What follows from a try of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterTrial {
    Delivered,
    /// Try again then.
    Retry(Timestamp),
    GiveUp,
}

/// A try of a delivery, to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub id: i64,
    pub receiver: Receiver,
    pub order_key: String,
    pub trial: Trial,
    pub then: AfterTrial,
}

/// What came of tries since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WebhookCounts {
    pub delivered: u64,
    /// Failed, to be repeated.
    pub failed: u64,
    pub given_up: u64,
}

impl WebhookCounts {
    pub(super) fn add(&mut self, tries: &[Tried]) {
        for tried in tries {
            let count = match tried.then {
                AfterTrial::Delivered => &mut self.delivered,
                AfterTrial::Retry(_) => &mut self.failed,
                AfterTrial::GiveUp => &mut self.given_up,
            };
            *count += 1;
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.given_up += other.given_up;
    }
}

/// What became of the deliveries of a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverHealth {
    pub receiver: Receiver,
    pub delivered: u64,
    pub given_up: u64,
    pub succeeded_at: Option<Timestamp>,
    /// The first failure after the last success.
    pub failing_since: Option<Timestamp>,
}

/// Which deliveries to repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    One(i64),
    /// The deliveries of a receiver that were created in this time.
    Between {
        from: Timestamp,
        until: Timestamp,
    },
}

/// A kind of alert about one thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlertKey {
    /// The name of the alert in the configuration.
    pub name: String,
    pub kind: AlertKind,
    pub subject: Subject,
    /// What else tells two alerts about the same subject apart: an address of the provider, and the
    /// cause of a doubt about it.
    pub detail: String,
}

/// An alert that is not over, or has just ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAlert {
    pub key: AlertKey,
    pub began_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// The id of the webhook that told of it.
    pub event: String,
    /// What happened, as a sentence.
    pub text: String,
}

/// Everything that is made of some rows of a feed. It is stored as a whole, or not at all.
#[derive(Debug, Clone)]
pub struct FanOut {
    pub feed: Feed,
    /// Where the feed was.
    pub from: Cursor,
    /// Its last row that was used.
    pub until: Cursor,
    pub deliveries: Vec<NewDelivery>,
    /// Alerts that begin, end, or return.
    pub alerts: Vec<OpenAlert>,
    pub now: Timestamp,
}

/// The events of a campaign, a lane or the server, with their positions.
pub type EventRow = FeedRow<Event>;
