//! Webhooks that Volley sends: to subscriptions, to the addresses that calls of the API named, and as alerts.
//!
//! In: three feeds of the store (events, messages from recipients, changes of observed messages), the subscriptions, and the
//! alerts of the configuration.
//! Out: signed requests, their log, and decisions about subscriptions ([`Desk`]).
//! Promises: what the store acknowledged is told at least once, also after `kill -9`: a feed moves in the transaction that
//! stores its deliveries, and a delivery is done only once its receiver has answered. Deliveries about the same thing come in
//! order. A slow or dead receiver delays no other. No request goes to an address that is not public unless the configuration
//! allows its network, whatever its name is resolved to. A campaign that nobody observes costs nothing.
//! May not: change messages, campaigns or lanes.

mod alert_effects;
mod alerts;
mod client;
mod command;
mod desk;
mod event_types;
mod fan_out;
mod native;
mod provider_form;
mod sending;
mod sign;
mod standing;
mod view;

#[cfg(test)]
mod tests;

pub use client::UnusableClient;
pub use desk::{Created, Desk, Failed, Wanted};
pub use event_types::{EVENT_TYPES, EventType};
pub use sending::Outgoing;
pub use sign::signature;
pub use view::{CreatedView, DeliveryView, NewSecretView, ReplayView, SubscriptionView};

use crate::base::domain::Span;

/// How long deliveries are kept.
pub const KEPT: Span = Span::from_secs(7 * 86_400);
