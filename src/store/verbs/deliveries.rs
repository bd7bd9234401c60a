//! The part of the contract that is about webhooks that Volley sends.

use crate::base::domain::Timestamp;
use crate::base::events::Origin;
use crate::store::{
    AlertKey, Cursor, Delivery, EventRow, FanOut, FeedRow, FeedState, Inbound, NewDelivery, NewSubscription,
    ObservedMessage, OpenAlert, Receiver, ReceiverHealth, ReceiverKind, Replay, Result, Subscription,
    SubscriptionChange, SubscriptionId, Tried,
};

/// What outgoing webhooks ask of a store.
#[async_trait::async_trait]
pub trait Deliveries: Send + Sync + std::fmt::Debug {
    /// Creates a subscription, with an event. Returns `None` if its name is taken.
    async fn create_subscription(
        &self,
        new: NewSubscription,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Option<Subscription>>;
    /// Lists all subscriptions by name.
    async fn subscriptions(&self) -> Result<Vec<Subscription>>;
    /// Changes a subscription, with an event. Returns whether it exists and the change changes something.
    ///
    /// - A delivery that is in flight meanwhile is recorded as usual.
    /// - A removal gives up the waiting deliveries afterwards, in pieces.
    async fn change_subscription(
        &self,
        id: SubscriptionId,
        change: SubscriptionChange,
        origin: Origin,
        now: Timestamp,
    ) -> Result<bool>;
    /// Whether an enabled subscription wants changes of messages.
    async fn observes_messages(&self) -> Result<bool>;

    /// Returns where each feed is, in the order of [`crate::store::Feed`].
    async fn feeds(&self) -> Result<Vec<FeedState>>;
    /// Lists the first events after a position.
    async fn events_after(&self, after: Cursor, limit: u32) -> Result<Vec<EventRow>>;
    /// Lists the first messages from recipients after a position.
    async fn inbound_after(&self, after: Cursor, limit: u32) -> Result<Vec<FeedRow<Inbound>>>;
    /// Lists the first changes of observed messages after a position.
    async fn observed_after(&self, after: Cursor, limit: u32) -> Result<Vec<FeedRow<ObservedMessage>>>;
    /// Moves a feed, and stores what was made of its rows. Returns `false`, and stores nothing, if the feed is elsewhere.
    async fn fan_out(&self, fan_out: FanOut) -> Result<bool>;
    /// Stores deliveries that no feed led to.
    async fn add_deliveries(&self, deliveries: Vec<NewDelivery>, now: Timestamp) -> Result<Vec<i64>>;

    /// Lists the receivers of a kind that have waiting deliveries, each with the time of its first one, in an order of
    /// their own.
    ///
    /// - Clients may name any number of callbacks, so they come in pages: the next one begins after the last receiver.
    async fn waiting_receivers(
        &self,
        kind: ReceiverKind,
        after: Option<Receiver>,
        limit: u32,
    ) -> Result<Vec<(Receiver, Timestamp)>>;
    /// Lists deliveries of a receiver that are due, oldest first.
    ///
    /// - A delivery waits while an earlier one with the same order key does.
    async fn due_deliveries(&self, receiver: Receiver, now: Timestamp, limit: u32) -> Result<Vec<Delivery>>;
    /// Records tries. A delivery that was replayed or removed meanwhile keeps its state.
    ///
    /// - After a failure, later deliveries with the same order key become due with it.
    async fn record_tries(&self, tries: Vec<Tried>) -> Result<()>;
    /// Returns what became of the deliveries of these receivers. One that was never tried has no entry.
    async fn receiver_health(&self, receivers: Vec<Receiver>) -> Result<Vec<ReceiverHealth>>;
    /// Lists deliveries of a receiver before a position, the latest first.
    async fn deliveries(&self, receiver: Receiver, before: Option<i64>, limit: u32) -> Result<Vec<Delivery>>;
    /// Lists those of them whose latest try failed: they are given up, or wait for another try.
    async fn failed_deliveries(&self, receiver: Receiver, before: Option<i64>, limit: u32) -> Result<Vec<Delivery>>;
    async fn delivery(&self, id: i64) -> Result<Option<Delivery>>;
    /// Sends deliveries of a receiver once more, in pieces. Returns how many.
    ///
    /// - Deliveries that still wait are not counted.
    async fn replay(&self, receiver: Receiver, what: Replay, now: Timestamp) -> Result<u64>;
    /// Removes deliveries that were created before a time, in pieces.
    async fn forget_deliveries(&self, before: Timestamp) -> Result<()>;

    /// Lists the alerts that are not over.
    async fn open_alerts(&self) -> Result<Vec<OpenAlert>>;
    /// Ends alerts, with deliveries that say so. An alert that has returned meanwhile stays.
    async fn end_alerts(&self, ended: Vec<(AlertKey, NewDelivery)>, before: Timestamp, now: Timestamp) -> Result<()>;
}
