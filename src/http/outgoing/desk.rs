//! Decisions about subscriptions, the same for commands and the API.

use std::sync::Arc;

use super::event_types::{self, EVENT_TYPES, is_pattern};
use super::view::{DeliveryView, NewSecretView, SubscriptionView};
use super::{native, sign};
use crate::base::clock::{Clock, NoRandomBytes};
use crate::base::config::{Unsendable, check_receiver};
use crate::base::domain::IpNetwork;
use crate::base::domain::{Span, hint};
use crate::base::events::Origin;
use crate::store::{
    self, NewDelivery, NewSubscription, Receiver, Replay, Store, Subscription, SubscriptionChange, WebhookFormat,
};

/// The longest name of a subscription.
const NAME_MAX: usize = 80;
/// Subscriptions of one installation: every event is compared with each.
const SUBSCRIPTIONS_MAX: usize = 100;
/// The longest overlap of two secrets.
const OVERLAP_MAX: Span = Span::from_secs(7 * 86_400);

/// What a subscription is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub name: String,
    pub url: String,
    pub format: WebhookFormat,
    /// Empty means all types.
    pub types: Vec<String>,
    pub sub_account: Option<String>,
    pub authorization: Option<String>,
}

/// A new subscription with its secret, which is shown once. One for the provider's webhooks has none, because those are not
/// signed.
#[derive(Debug)]
pub struct Created {
    pub view: SubscriptionView,
    pub secret: Option<String>,
}

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error("invalid name \"{0}\"; use letters, digits, -, _ and . (at most {NAME_MAX})")]
    Name(String),
    #[error("a subscription named \"{0}\" exists already; use another name, or remove that one first")]
    Taken(String),
    #[error("unknown subscription \"{name}\"; {hint}")]
    Unknown { name: String, hint: String },
    #[error("the url {url} cannot get webhooks: {why}")]
    Url { url: String, why: Unsendable },
    #[error("unknown type \"{name}\"; {hint}")]
    Type { name: String, hint: String },
    #[error("only a subscription with the format 8x8 has a subaccount; remove it, or set the format")]
    SubAccount,
    #[error("the format 8x8 has messages and replies alone; use types such as message.* and reply.received")]
    NoProviderForm,
    #[error("the authorization has characters that are invalid in a header; use printable characters")]
    Authorization,
    #[error("there are {SUBSCRIPTIONS_MAX} subscriptions, which is the most; remove one first")]
    TooMany,
    #[error("the subscription \"{0}\" is {1} already")]
    Already(String, &'static str),
    #[error("webhooks in the provider's format are not signed; the subscription \"{0}\" has no secret")]
    Unsigned(String),
    #[error("invalid overlap {0}; use a length of time up to {OVERLAP_MAX}")]
    Overlap(Span),
    #[error("unknown delivery {id} of the subscription \"{name}\"; see `volley subscription deliveries {name}`")]
    Delivery { id: i64, name: String },
    #[error(transparent)]
    Random(#[from] NoRandomBytes),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Decides about subscriptions.
#[derive(Debug)]
pub struct Desk {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    allow: Vec<IpNetwork>,
}

impl Desk {
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, allow: Vec<IpNetwork>) -> Self {
        Self { store, clock, allow }
    }

    pub async fn create(&self, wanted: Wanted, origin: Origin) -> Result<Created, Failed> {
        let Wanted { name, url, format, types, sub_account, authorization } = wanted;
        if !is_name(&name) {
            return Err(Failed::Name(name));
        }
        let types = checked_types(types, format)?;
        check_receiver(&url, &self.allow).map_err(|why| Failed::Url { url: url.clone(), why })?;
        if sub_account.is_some() && format == WebhookFormat::Volley {
            return Err(Failed::SubAccount);
        }
        let sub_account = sub_account.filter(|wanted| wanted != "*");
        if authorization.as_ref().is_some_and(|text| reqwest::header::HeaderValue::from_str(text).is_err()) {
            return Err(Failed::Authorization);
        }
        if self.store.subscriptions().await?.len() >= SUBSCRIPTIONS_MAX {
            return Err(Failed::TooMany);
        }
        let secret = sign::new_secret()?;
        let shown = (format == WebhookFormat::Volley).then(|| secret.clone());
        let new = NewSubscription { name: name.clone(), url, format, types, sub_account, authorization, secret };
        match self.store.create_subscription(new, origin, self.clock.now()).await? {
            Some(created) => Ok(Created { view: SubscriptionView::of(created, None), secret: shown }),
            None => Err(Failed::Taken(name)),
        }
    }

    pub async fn list(&self) -> Result<Vec<SubscriptionView>, Failed> {
        let subscriptions = self.store.subscriptions().await?;
        let receivers = subscriptions.iter().map(|known| Receiver::Subscription(known.id)).collect();
        let health = self.store.receiver_health(receivers).await?;
        let view = |subscription: Subscription| {
            let receiver = Receiver::Subscription(subscription.id);
            SubscriptionView::of(subscription, health.iter().find(|known| known.receiver == receiver))
        };
        Ok(subscriptions.into_iter().map(view).collect())
    }

    pub async fn show(&self, name: &str) -> Result<SubscriptionView, Failed> {
        let id = self.find(name).await?.id.to_string();
        let all = self.list().await?;
        all.into_iter().find(|view| view.id == id).ok_or_else(|| unknown(name, &[]))
    }

    /// Finds a subscription by its name.
    async fn find(&self, name: &str) -> Result<Subscription, Failed> {
        let all = self.store.subscriptions().await?;
        let names: Vec<String> = all.iter().map(|known| known.name.clone()).collect();
        all.into_iter().find(|known| known.name == name).ok_or_else(|| unknown(name, &names))
    }

    pub async fn enable(&self, name: &str, origin: Origin) -> Result<(), Failed> {
        self.decide(name, SubscriptionChange::Enable, "enabled", origin).await
    }

    pub async fn disable(&self, name: &str, origin: Origin) -> Result<(), Failed> {
        self.decide(name, SubscriptionChange::Disable, "disabled", origin).await
    }

    pub async fn remove(&self, name: &str, origin: Origin) -> Result<(), Failed> {
        self.decide(name, SubscriptionChange::Remove, "removed", origin).await
    }

    async fn decide(
        &self,
        name: &str,
        change: SubscriptionChange,
        done: &'static str,
        origin: Origin,
    ) -> Result<(), Failed> {
        let id = self.find(name).await?.id;
        if self.store.change_subscription(id, change, origin, self.clock.now()).await? {
            Ok(())
        } else {
            Err(Failed::Already(name.to_owned(), done))
        }
    }

    /// Gives a subscription a new secret. The former one signs as well until the overlap is over.
    pub async fn rotate(&self, name: &str, overlap: Span, origin: Origin) -> Result<NewSecretView, Failed> {
        let found = self.find(name).await?;
        if found.format == WebhookFormat::Provider {
            return Err(Failed::Unsigned(name.to_owned()));
        }
        if overlap > OVERLAP_MAX || overlap < Span::ZERO {
            return Err(Failed::Overlap(overlap));
        }
        let secret = sign::new_secret()?;
        let change = SubscriptionChange::Rotate { secret: secret.clone(), overlap };
        self.store.change_subscription(found.id, change, origin, self.clock.now()).await?;
        Ok(NewSecretView { id: found.id.to_string(), name: found.name, secret })
    }

    /// The latest deliveries of a subscription, before a delivery if one is given.
    pub async fn deliveries(&self, name: &str, before: Option<i64>, limit: u32) -> Result<Vec<DeliveryView>, Failed> {
        let receiver = Receiver::Subscription(self.find(name).await?.id);
        let deliveries = self.store.deliveries(receiver, before, limit).await?;
        Ok(deliveries.into_iter().map(DeliveryView::of).collect())
    }

    /// Sends deliveries once more. Returns how many.
    pub async fn replay(&self, name: &str, what: Replay) -> Result<u64, Failed> {
        let receiver = Receiver::Subscription(self.find(name).await?.id);
        if let Replay::One(id) = what {
            let delivery = self.store.delivery(id).await?;
            if delivery.is_none_or(|found| found.what.receiver != receiver) {
                return Err(Failed::Delivery { id, name: name.to_owned() });
            }
        }
        Ok(self.store.replay(receiver, what, self.clock.now()).await?)
    }

    /// Queues a test. Returns the number of its delivery.
    pub async fn test(&self, name: &str) -> Result<i64, Failed> {
        let (found, now) = (self.find(name).await?, self.clock.now());
        let test = NewDelivery {
            receiver: Receiver::Subscription(found.id),
            event: format!("evt_t{}", now.millis()),
            kind: event_types::TEST.to_owned(),
            order_key: format!("test {}", now.millis()),
            url: None,
            body: native::of_test(now, name),
        };
        let ids = self.store.add_deliveries(vec![test], now).await?;
        ids.first().copied().ok_or_else(|| unknown(name, &[]))
    }

    /// One delivery of a subscription.
    pub async fn delivery(&self, name: &str, id: i64) -> Result<DeliveryView, Failed> {
        let receiver = Receiver::Subscription(self.find(name).await?.id);
        let found = self.store.delivery(id).await?.filter(|found| found.what.receiver == receiver);
        found.map(DeliveryView::of).ok_or_else(|| Failed::Delivery { id, name: name.to_owned() })
    }
}

fn unknown(name: &str, names: &[String]) -> Failed {
    let hint = if names.is_empty() {
        "there is none yet; see `volley subscription create --help`".to_owned()
    } else {
        hint(name, names.iter().map(String::as_str))
    };
    Failed::Unknown { name: name.to_owned(), hint }
}

fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(is_plain)
}

/// Checks the types; none means all that the format has.
fn checked_types(mut types: Vec<String>, format: WebhookFormat) -> Result<Vec<String>, Failed> {
    if types.is_empty() {
        types = match format {
            WebhookFormat::Volley => vec!["*".to_owned()],
            WebhookFormat::Provider => vec!["message.*".to_owned(), event_types::REPLY.to_owned()],
        };
    }
    if let Some(name) = types.iter().find(|name| !is_pattern(name)) {
        let hint = hint(name, EVENT_TYPES.iter().map(|known| known.name));
        return Err(Failed::Type { name: name.clone(), hint });
    }
    let has_form = |name: &String| name.starts_with("message.") || name == event_types::REPLY || name == "reply.*";
    if format == WebhookFormat::Provider && !types.iter().all(has_form) {
        return Err(Failed::NoProviderForm);
    }
    types.sort();
    types.dedup();
    Ok(types)
}
